"""A transfer that the bank had executed comes back: new money on its client's account, linked to the first."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.clients.folding import search_text
from dashboard.database import new_id, savepoint, session
from dashboard.errors import Refused
from dashboard.ledger.models import Account, LedgerTransaction, Payment
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import payments
from dashboard.ledger.vocabulary import GONE, ParentType
from dashboard.money import Money
from dashboard.transfers.models import Transfer
from dashboard.transfers.services import lifecycle, providers
from dashboard.transfers.services.desk import opening
from dashboard.transfers.services.outgoing import booking
from dashboard.transfers.vocabulary import Cause, Kind, Status, TransferType

RETURN = "Returned transfer"
_TO_SUSPENSE = {"accountFrozen": Cause.CREDIT_FROZEN, "accountClosed": Cause.ACCOUNT_CLOSED}


def came_back(
    transfer: Transfer, *, amount_minor: int, provider_reference: str, booked_at: datetime, by: Actor
) -> Transfer:
    """Book a completed transfer's return; gives the incoming side of it. The fee of the first is not given back.

    Less than the amount may come, as banks keep their charges. What an account does not take, and what the desk had
    sent back, is a new position on the desk. Raises Refused `invalidState`, `returnTooLarge`.
    """
    first = lifecycle.locked(transfer.id, kind=Kind.OUTGOING)
    lifecycle.require_status(first, Status.COMPLETED)
    if first.type == TransferType.INTERNAL:
        raise Refused("An internal transfer never left the house.", code="invalidState", details={"type": first.type})
    if not 0 < amount_minor <= first.amount_minor:
        raise Refused(
            "More came back than was sent.",
            code="returnTooLarge",
            details={"sent": Money(first.amount_minor, first.currency).amount},
        )
    settlement = _settlement(first)
    back = _incoming(first, amount_minor, provider_reference, by)
    cause = _credited(first, back, settlement, by)
    if cause is None:
        lifecycle.begin(back, by=by, code="returned")
    else:
        suspense_id = _suspense(first, settlement)
        _pay(back, settlement.id, suspense_id, by)
        back.status, back.client_id, back.account_id, back.ended_at = Status.UNRECOGNIZED, None, suspense_id, None
        lifecycle.begin(back, by=by, code="returned")
        opening.open_receipt(back, cause=cause, suspense_account_id=suspense_id, booked_at=booked_at, by=by)
    lifecycle.change_status(first, Status.RETURNED, by=by, code="returned")
    return back


def _settlement(first: Transfer) -> Account:
    """The account that the first went out by."""
    found = session().scalar(
        sa.select(Account)
        .join(LedgerTransaction, LedgerTransaction.creditor_account_id == Account.id)
        .where(LedgerTransaction.payment_id == booking.paid(first), LedgerTransaction.position == 1)
    )
    assert found is not None  # every payment has its first transaction
    return found


def _suspense(first: Transfer, settlement: Account) -> UUID:
    if first.client_id is None:
        return first.account_id
    assert settlement.bank_account_id is not None  # a provider's settlement account stands for a bank account
    return providers.suspense(settlement.bank_account_id)


def _incoming(first: Transfer, amount_minor: int, provider_reference: str, by: Actor) -> Transfer:
    moment = clock.now()
    return Transfer(
        id=new_id(),
        kind=Kind.INCOMING.value,
        status=Status.COMPLETED.value,
        type=first.type,
        client_id=first.client_id,
        account_id=first.account_id,
        currency=first.currency,
        amount_minor=amount_minor,
        counterparty_name=first.counterparty_name,
        counterparty_account=first.counterparty_account,
        counterparty_key=first.counterparty_key,
        counterparty_bic=first.counterparty_bic,
        counterparty_country=first.counterparty_country,
        remittance=first.remittance,
        end_to_end_id=first.end_to_end_id,
        provider=first.provider,
        provider_reference=provider_reference,
        related_id=first.id,
        search_text=search_text(first.search_text, provider_reference),
        created_at=moment,
        ended_at=moment,
        maker_kind=by.kind,
        maker_id=by.id,
        maker_name=by.name,
    )


def _pay(back: Transfer, debtor_id: UUID, creditor_id: UUID, by: Actor) -> None:
    order = Order(
        parent_type=ParentType.TRANSFER,
        parent_id=back.id,
        legs=[Leg(debtor_id, creditor_id, back.amount_minor, back.currency, RETURN)],
    )
    payments.pay(order, by=by)
    back.payment_id = order.id


def _given_back(first: Transfer) -> bool:
    """Whether people have reversed the payment already: the client has the money, and it came back to the house."""
    return bool(
        session().scalar(
            sa.select(
                sa.exists().where(
                    Payment.reverses_id == first.payment_id, Payment.state.not_in([state.value for state in GONE])
                )
            )
        )
    )


def _credited(first: Transfer, back: Transfer, settlement: Account, by: Actor) -> Cause | None:
    """Credit the client; None where that was done, else why the money must wait."""
    if first.client_id is None or _given_back(first):
        return Cause.NOT_RECOGNIZED
    try:
        with savepoint():
            _pay(back, settlement.id, first.account_id, by)
    except Refused as refused:
        if refused.code not in _TO_SUSPENSE:
            raise
        return _TO_SUSPENSE[refused.code]
    return None
