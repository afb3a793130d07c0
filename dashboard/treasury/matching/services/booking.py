"""Booking what is left between rows that belong together: an adjusting payment by two people, and the match it ends."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals.models import ApprovalRequest
from dashboard.database import new_id, session
from dashboard.errors import Conflict, Invalid, Refused
from dashboard.ledger.models import Account, LedgerTransaction
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import accounts, adjusting
from dashboard.ledger.vocabulary import AccountType, ParentType
from dashboard.treasury.matching.models import MatchBooking, ReconBreak
from dashboard.treasury.matching.queries.bookings import waiting
from dashboard.treasury.matching.services import matches
from dashboard.treasury.matching.services.matches import reason_of
from dashboard.treasury.matching.services.picking import Picked, pick
from dashboard.treasury.matching.services.places import Place, locked, place_of
from dashboard.treasury.matching.services.recording import tell
from dashboard.treasury.matching.vocabulary import BreakState, Event, Pass, Resolution


class BookedAs(StrEnum):
    """Which account of the house bears what is left."""

    FEE = "fee"
    INTEREST = "interest"
    SUSPENSE = "suspense"


BOOKED_AS_LABELS = {
    BookedAs.FEE: "Bank fee (expense)",
    BookedAs.INTEREST: "Interest (income)",
    BookedAs.SUSPENSE: "Unrecognized (suspense)",
}
_TYPES = {BookedAs.FEE: AccountType.EXPENSE, BookedAs.INTEREST: AccountType.INCOME}


def _counter_account(place: Place, booked_as: BookedAs) -> UUID:
    """Raises Refused `noSystemAccount`."""
    if booked_as is not BookedAs.SUSPENSE:
        return accounts.standard_account(_TYPES[booked_as], place.currency)
    found = session().scalar(
        sa.select(Account.id).where(
            Account.bank_account_id == place.bank_account_id, Account.type == AccountType.SUSPENSE.value
        )
    )
    if found is None:
        raise Refused("This bank account has no suspense account.", code="noSystemAccount")
    return found


def _order(place: Place, left_minor: int, counter_id: UUID, description: str) -> Order:
    """What came in and is not in the ledger debits settlement, what left credits it."""
    debtor, creditor = (place.account_id, counter_id) if left_minor > 0 else (counter_id, place.account_id)
    leg = Leg(debtor, creditor, abs(left_minor), place.currency, description)
    return Order(ParentType.ADJUSTING_PAYMENT, new_id(), (leg,))


def ask(
    bank_account_id: UUID,
    *,
    lines: Sequence[UUID],
    transactions: Sequence[UUID],
    booked_as: BookedAs,
    reason: str,
    by: Actor,
) -> ApprovalRequest:
    """Ask a second person to book what is left between these rows, and to match them with it.

    Raises Forbidden, Invalid, Refused `nothingLeft`, `noSystemAccount`, Conflict `alreadyMatched`,
    `alreadyRequested`, `matchingUnderWay`, and what the ledger would refuse.
    """
    by.require(Permission.TREASURY_WRITE)
    why = reason_of(reason)
    place = place_of(bank_account_id)
    locked(bank_account_id)
    picked = pick(place, lines=lines, transactions=transactions, with_ledger=False)
    if picked.left_minor == 0:
        raise Refused("Nothing is left between these rows: match them.", code="nothingLeft")
    if not transactions and booked_as is BookedAs.FEE and picked.left_minor > 0:
        raise Invalid.one("as", "Money that came in is no fee. Book it as interest or as unrecognized.", "invalid")
    order = _order(place, picked.left_minor, _counter_account(place, booked_as), BOOKED_AS_LABELS[booked_as])
    if waiting(place.bank_account_id, picked.lines, picked.transactions):
        raise Conflict("One of these rows waits for a booking that was asked for already.", code="alreadyRequested")
    one = _break_of(place, picked)
    request = adjusting.ask(order, reason=why, by=by)
    session().add(
        MatchBooking(
            payment_id=order.id, bank_account_id=place.bank_account_id, break_id=one.id if one else None,
            lines=list(picked.lines), transactions=list(picked.transactions), booked_as=booked_as.value,
            approval_id=request.id,
        )
    )  # fmt: skip
    session().flush()
    if one is not None:
        tell(one, Event.ASKED, by=by, text=why,
             detail={"request": str(request.id), "to": "book", "leftMinor": picked.left_minor})  # fmt: skip
    return request


def _break_of(place: Place, picked: Picked) -> ReconBreak | None:
    return session().scalar(
        sa.select(ReconBreak)
        .where(
            ReconBreak.bank_account_id == place.bank_account_id,
            ReconBreak.state != BreakState.RESOLVED.value,
            sa.or_(ReconBreak.line_id.in_(picked.lines), ReconBreak.transaction_id.in_(picked.transactions)),
        )
        .order_by(ReconBreak.id)
        .limit(1)
    )


def follow(payment_id: UUID, by: Actor) -> None:
    """The adjusting payment was made in this transaction: match it with the rows it was asked for.

    Raises Conflict `alreadyMatched`, `matchingUnderWay`; then no money moves either.
    """
    booked = session().get(MatchBooking, payment_id)
    if booked is None:
        return
    place = place_of(booked.bank_account_id)
    locked(place.bank_account_id)
    paid = session().scalars(
        sa.select(LedgerTransaction.id).where(LedgerTransaction.payment_id == payment_id)
    ).one()  # fmt: skip
    request = session().get_one(ApprovalRequest, booked.approval_id)
    picked = pick(place, lines=booked.lines, transactions=[*booked.transactions, paid])
    matches.made(
        place, picked, found_by=Pass.BOOKED,
        why=f"{BOOKED_AS_LABELS[BookedAs(booked.booked_as)]} booked: asked by {request.maker_name},"
        f" approved by {by.name}",
        resolution=Resolution.BOOKED, by=by,
    )  # fmt: skip
