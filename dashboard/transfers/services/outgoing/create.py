"""Making an outgoing transfer. Nothing is held yet: that comes with its confirmation."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.clients.folding import search_text
from dashboard.clients.services.lock import locked as locked_client
from dashboard.database import new_id, session
from dashboard.errors import FieldError, Invalid, NotFound, Refused
from dashboard.ledger.models import Account
from dashboard.ledger.vocabulary import AccountStatus, AccountType, ParentType
from dashboard.money import DECIMALS, LARGEST_MINOR_UNITS
from dashboard.transfers import periods
from dashboard.transfers.models import Recipient, Transfer
from dashboard.transfers.services import checks, lifecycle
from dashboard.transfers.services.outgoing import booking
from dashboard.transfers.services.outgoing.fees import fee_of
from dashboard.transfers.services.outgoing.rails import Rails, rails_for
from dashboard.transfers.vocabulary import Kind, Status, TransferType

LONGEST_REMITTANCE = 140


def end_to_end_id(transfer_id: UUID) -> str:
    """What the bank carries along: 32 characters that every bank's character set has."""
    return transfer_id.hex.upper()


def _account(account_id: UUID, client_id: UUID, currency: str) -> Account:
    account = session().scalar(
        sa.select(Account).where(
            Account.id == account_id, Account.owner_id == client_id, Account.type == AccountType.CLIENT.value
        )
    )
    if account is None:
        raise NotFound("There is no such account.", code="accountNotFound")
    if account.status != AccountStatus.OPEN:
        raise Refused("The account is closed.", code="accountClosed")
    if account.currency != currency:
        raise Refused(
            f"The account is in {account.currency.upper()}.",
            code="currencyMismatch",
            details={"accountCurrency": account.currency, "currency": currency},
        )
    return account


def recipient_of(recipient_id: UUID, client_id: UUID) -> Recipient:
    """The client's own recipient, or one of the house. Raises NotFound `recipientNotFound`."""
    recipient = session().scalar(
        sa.select(Recipient).where(
            Recipient.id == recipient_id, sa.or_(Recipient.client_id == client_id, Recipient.client_id.is_(None))
        )
    )
    if recipient is None:
        raise NotFound("There is no such recipient.", code="recipientNotFound")
    return recipient


def _receiver(rails: Rails, account: Account) -> UUID | None:
    if rails.own is None:
        return None
    if rails.own.id == account.id:
        raise Refused("The recipient's account is the account that pays.", code="sameAccount")
    return booking.receiver(rails.own.id, account.currency).id


def _check_form(amount_minor: int, currency: str, remittance: str) -> None:
    errors = []
    if currency not in DECIMALS:
        errors.append(FieldError("currency", "This currency is not known here.", "enum"))
    if not 0 < amount_minor <= LARGEST_MINOR_UNITS:
        errors.append(FieldError("amount", "The amount must be greater than zero.", "range"))
    if len(remittance) > LONGEST_REMITTANCE:
        errors.append(FieldError("remittanceInformation", f"Use at most {LONGEST_REMITTANCE} characters.", "tooLong"))
    if errors:
        raise Invalid(errors)


def create(
    *,
    client_id: UUID,
    account_id: UUID,
    recipient_id: UUID,
    amount_minor: int,
    currency: str,
    remittance: str | None,
    by: Actor,
    parent_type: str = ParentType.TRANSFER,
) -> Transfer:
    """A transfer that waits for its confirmation.

    Raises Invalid, NotFound `clientNotFound`, `accountNotFound`, `recipientNotFound`, Refused `accountClosed`,
    `currencyMismatch`, `sameAccount`, `recipientUnavailable`, and what the checks refuse for certain.
    """
    text = " ".join((remittance or "").split())
    _check_form(amount_minor, currency, text)
    client = locked_client(client_id)
    account = _account(account_id, client_id, currency)
    recipient = recipient_of(recipient_id, client_id)
    rails = rails_for(recipient.account_key, currency)
    counter_account_id = _receiver(rails, account)
    moment, transfer_id = clock.now(), new_id()
    transfer = Transfer(
        id=transfer_id,
        kind=Kind.OUTGOING.value,
        status=Status.AWAITING_CONFIRMATION.value,
        type=rails.type.value,
        client_id=client_id,
        account_id=account_id,
        counter_account_id=counter_account_id,
        currency=currency,
        amount_minor=amount_minor,
        fee_minor=fee_of(rails.type, amount_minor, currency),
        recipient_id=recipient.id,
        counterparty_name=recipient.name,
        counterparty_account=recipient.account_key,
        counterparty_key=recipient.account_key,
        counterparty_bic=recipient.bic,
        counterparty_country=recipient.country or (account.number[:2] if rails.type is TransferType.INTERNAL else None),
        remittance=text or None,
        end_to_end_id=end_to_end_id(transfer_id),
        parent_type=parent_type,
        search_text=search_text(
            client.name, recipient.name, recipient.account_key, account.number, text, end_to_end_id(transfer_id)
        ),
        created_at=moment,
        confirm_by=moment + periods.confirmation(),
        maker_kind=by.kind,
        maker_id=by.id,
        maker_name=by.name,
    )
    lifecycle.begin(transfer, by=by)
    # money for a payment request may still come before it is confirmed
    stage = checks.Stage.ASKED if parent_type == ParentType.PAYMENT_REQUEST else checks.Stage.CREATED
    findings = checks.look(transfer, client, stage=stage)
    checks.keep(transfer, findings)
    checks.require(findings)
    return transfer
