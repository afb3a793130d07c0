"""Sending unrecognized money back to its payer: an outgoing transfer of the house, out of suspense."""

from __future__ import annotations

from uuid import UUID

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.clients.folding import search_text
from dashboard.database import new_id, session
from dashboard.errors import Refused
from dashboard.ledger.models import Account, BankAccount
from dashboard.ledger.vocabulary import AccountType
from dashboard.transfers.models import Provider, Transfer
from dashboard.transfers.services import lifecycle, providers
from dashboard.transfers.services.outgoing import booking, rails, submitting
from dashboard.transfers.services.outgoing.create import end_to_end_id
from dashboard.transfers.vocabulary import Kind, Status, TransferType

#: by which rails money comes where nobody says
_USUAL = {"eur": TransferType.SEPA, "gbp": TransferType.FASTER_PAYMENTS}
_ELSE = TransferType.SWIFT


def _way_back(suspense_account_id: UUID, type: TransferType, currency: str) -> tuple[str, UUID]:
    """Provider and settlement account: the bank account whose suspense it lies on, else whoever carries the type."""
    suspense = session().get_one(Account, suspense_account_id)
    if suspense.bank_account_id is not None:
        bank = session().get_one(BankAccount, suspense.bank_account_id)
        carrier = session().get(Provider, bank.provider)
        if carrier is not None and carrier.active:
            return carrier.key, providers.of_bank_account(bank.id, AccountType.SETTLEMENT)
    chosen = providers.for_transfer(type, currency, suspense)
    settlement_id, _ = providers.settlement(chosen.key, currency)
    return chosen.key, settlement_id


def send_back(
    receipt_transfer: Transfer,
    *,
    amount_minor: int,
    fee_minor: int,
    suspense_account_id: UUID,
    creditor_name: str,
    creditor_account: str | None,
    creditor_bic: str | None,
    remittance: str,
    by: Actor,
) -> Transfer:
    """A confirmed transfer with its payment pending and its line in the outbox, by the provider the money came from.

    `amount_minor` is what is sent, `fee_minor` what the house keeps of the receipt. Without `creditor_account` the
    provider takes its own credit back by the reference it gave. The receipt is locked. Raises Refused `noProvider`,
    `returnInside`.
    """
    if creditor_account is None:
        key, type = None, TransferType(receipt_transfer.type or _USUAL.get(receipt_transfer.currency, _ELSE))
    else:
        key = "".join(creditor_account.split()).upper()
        type = rails.rails_for(key, receipt_transfer.currency).type
    if type is TransferType.INTERNAL:
        raise Refused("The payer's account is in this house: assign the money to it instead.", code="returnInside")
    carrier, settlement_id = _way_back(suspense_account_id, type, receipt_transfer.currency)
    if key is None and carrier != receipt_transfer.provider:
        raise Refused("Only the provider that told of the money takes it back by its reference.", code="noProvider")
    transfer_id = new_id()
    text = " ".join(remittance.split())[:140]
    transfer = lifecycle.begin(
        Transfer(
            id=transfer_id,
            kind=Kind.OUTGOING.value,
            status=Status.AWAITING_CONFIRMATION.value,
            type=type.value,
            client_id=None,
            account_id=suspense_account_id,
            currency=receipt_transfer.currency,
            amount_minor=amount_minor,
            fee_minor=fee_minor,
            counterparty_name=creditor_name,
            counterparty_account=key,
            counterparty_key=key,
            counterparty_bic=creditor_bic,
            counterparty_country=receipt_transfer.counterparty_country,
            remittance=text or None,
            end_to_end_id=end_to_end_id(transfer_id),
            provider=carrier,
            related_id=receipt_transfer.id,
            search_text=search_text(creditor_name, key, text, end_to_end_id(transfer_id)),
            created_at=clock.now(),
            maker_kind=by.kind,
            maker_id=by.id,
            maker_name=by.name,
        ),
        by=by,
        code="sentBack",
    )
    booking.hold_towards(transfer, settlement_id, by=by)
    lifecycle.change_status(transfer, Status.CONFIRMED, by=by)
    submitting.let_go(transfer, by=by)
    return transfer
