"""Booking a credit: to the client it names, or to suspense as a receipt. Each credit becomes one transfer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

import structlog

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.clients.folding import search_text
from dashboard.clients.services import lock
from dashboard.database import new_id, savepoint
from dashboard.errors import DomainError, Refused
from dashboard.ledger import numbers
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import payments
from dashboard.ledger.vocabulary import AccountType, ParentType
from dashboard.transfers.models import IncomingRequest, PayerRule, Transfer
from dashboard.transfers.services import lifecycle, providers
from dashboard.transfers.services.desk import opening, standing
from dashboard.transfers.services.incoming.recognition import Recognized, recognize
from dashboard.transfers.vocabulary import Cause, Kind, Status

log = structlog.get_logger()

LONGEST_DESCRIPTION = 500
#: value dates before this are a slip of the bank's pen
EARLIEST = date(2000, 1, 1)
#: what the ledger says of the client's account to the cause of the receipt
_CAUSES = {
    "accountFrozen": Cause.CREDIT_FROZEN,
    "accountClosed": Cause.ACCOUNT_CLOSED,
    "currencyMismatch": Cause.CURRENCY,
    "accountNotFound": Cause.NOT_RECOGNIZED,
}
#: history of the transfer, for machines
_CODES = {"creditorAccount": "recognizedByAccount", "reference": "recognizedByReference"}


@dataclass(frozen=True)
class Place:
    """The house's accounts of the bank account that got the money."""

    settlement_id: UUID
    suspense_id: UUID


def place_of(bank_account_id: UUID) -> Place:
    """Raises Refused `noProviderAccount`."""
    return Place(
        providers.of_bank_account(bank_account_id, AccountType.SETTLEMENT), providers.suspense(bank_account_id)
    )


def book(request: IncomingRequest, *, to_desk: bool, by: Actor) -> Transfer:
    """Make the transfer and move the money. `to_desk`: never straight to a client, whoever it names.

    A freeze that comes between the look and the posting is the ledger's word: the money goes to suspense then.
    """
    assert request.bank_account_id is not None and request.currency is not None and request.amount_minor is not None
    place = place_of(request.bank_account_id)
    named = Cause.NOT_RECOGNIZED if to_desk else recognize(request)
    if isinstance(named, Recognized):
        try:
            with savepoint():
                return _to_client(request, named, place, by)
        except DomainError as refusal:
            cause = _CAUSES.get(refusal.code)
            if cause is None:
                raise
            named = cause
    return _to_suspense(request, named, place, by, by_rule=not to_desk)


def _to_client(request: IncomingRequest, named: Recognized, place: Place, by: Actor) -> Transfer:
    # the client before the ledger, as everybody: a reversal in the same transaction would take them the other way round
    lock.locked(named.client_id)
    transfer = _fresh(request, Status.COMPLETED, account_id=named.account_id)
    transfer.client_id = named.client_id
    transfer.ended_at = transfer.created_at
    _pay(transfer, place.settlement_id, by)
    return lifecycle.begin(transfer, by=by, code=_CODES[named.by])


def _to_suspense(request: IncomingRequest, cause: Cause, place: Place, by: Actor, *, by_rule: bool) -> Transfer:
    rule = None
    if cause is Cause.NOT_RECOGNIZED and by_rule:
        rule = standing.rule_for(request.debtor_account, request.currency or "")
        if rule is not None:
            lock.locked(rule.client_id)
    transfer = _fresh(request, Status.UNRECOGNIZED, account_id=place.suspense_id)
    _pay(transfer, place.settlement_id, by)
    lifecycle.begin(transfer, by=by, code=cause.value)
    opening.open_receipt(
        transfer, cause=cause, suspense_account_id=place.suspense_id, booked_at=request.booked_at, by=by
    )
    if rule is not None:
        _by_standing_rule(transfer, rule)
    return transfer


def _by_standing_rule(transfer: Transfer, rule: PayerRule) -> None:
    """Two people decided what happens to this payer's money; where that cannot be done now, it stays on suspense."""
    try:
        with savepoint():
            standing.post_by_rule(transfer, rule, by=system("standing rule"))
    except DomainError as refusal:
        log.info("standing rule could not post", transfer=str(transfer.id), code=refusal.code)


def _fresh(request: IncomingRequest, status: Status, *, account_id: UUID) -> Transfer:
    assert request.currency is not None and request.amount_minor is not None
    moment = clock.now()
    return Transfer(
        id=new_id(),
        kind=Kind.INCOMING.value,
        status=status.value,
        account_id=account_id,
        currency=request.currency,
        amount_minor=request.amount_minor,
        counterparty_name=request.debtor_name,
        counterparty_account=request.debtor_account,
        counterparty_key=numbers.normalized(request.debtor_account) if request.debtor_account else None,
        counterparty_bic=request.debtor_bic,
        counterparty_country=request.debtor_country,
        remittance=request.remittance,
        end_to_end_id=request.end_to_end_id,
        provider=request.provider,
        provider_reference=request.provider_reference,
        value_date=value_date(request.value_date),
        search_text=search_text(
            request.debtor_name, request.debtor_account, request.creditor_account, request.remittance,
            request.end_to_end_id, request.provider_reference,
        ),
        created_at=moment,
        maker_kind="system",
        maker_id=None,
        maker_name=request.provider,
    )  # fmt: skip


def value_date(told: date | None) -> date | None:
    """The bank's, unless it lies ahead: the ledger takes no promises. None is the booking date."""
    return told if told is not None and EARLIEST <= told <= clock.now().date() else None


def _pay(transfer: Transfer, settlement_id: UUID, by: Actor) -> None:
    said = " ".join((transfer.remittance or "").split())[:LONGEST_DESCRIPTION] or None
    order = Order(
        parent_type=ParentType.TRANSFER,
        parent_id=transfer.id,
        legs=[Leg(settlement_id, transfer.account_id, transfer.amount_minor, transfer.currency, said)],
        value_date=transfer.value_date,
    )
    payments.pay(order, by=by)
    transfer.payment_id = order.id


def bank_account_of(request: IncomingRequest) -> UUID:
    """The house's bank account that got the money: the one it names, else the provider's in this currency.

    Raises Refused `noProviderAccount`.
    """
    assert request.currency is not None
    bank = None
    if request.creditor_account:
        bank = providers.bank_account(request.provider, request.currency, number=request.creditor_account)
    bank = bank or providers.bank_account(request.provider, request.currency)
    if bank is None:
        raise Refused(
            f"The house has no bank account at {request.provider} in {request.currency.upper()}.",
            code="noProviderAccount",
            details={"provider": request.provider, "currency": request.currency},
        )
    return bank.id
