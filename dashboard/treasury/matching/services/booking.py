"""Booking what is left between rows that belong together: an adjusting payment by two people, and the match it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals import deadline
from dashboard.approvals import services as approvals
from dashboard.approvals.kinds import Detail, Line, Link
from dashboard.approvals.models import ApprovalRequest
from dashboard.database import new_id, session
from dashboard.errors import Invalid, Refused
from dashboard.ledger.models import Account
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import accounts, adjusting, payments
from dashboard.ledger.vocabulary import AccountType, ParentType
from dashboard.money import Money
from dashboard.treasury.matching.models import ReconBreak
from dashboard.treasury.matching.services import matches
from dashboard.treasury.matching.services.matches import reason_of
from dashboard.treasury.matching.services.picking import Picked, pick
from dashboard.treasury.matching.services.places import Place, locked, place_of
from dashboard.treasury.matching.services.recording import tell
from dashboard.treasury.matching.vocabulary import BOOK, BreakState, Event, Pass, Resolution


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
    adjusting.preview(order, by=by)
    before, after = adjusting.balances_around(order)
    one = _break_of(place, picked)
    request = approvals.request(
        BOOK,
        object_type="recon_break" if one is not None else "statement_line",
        object_id=one.id if one is not None else picked.lines[0],
        client_id=None,
        subject=str(Money(picked.left_minor, place.currency)),
        payload={
            "account": str(bank_account_id), "lines": [str(line) for line in picked.lines],
            "transactions": [str(row) for row in picked.transactions], "as": booked_as.value,
            "leftMinor": picked.left_minor, "reason": why, "payment": str(order.id),
            "transaction": str(order.legs[0].id), "parent": str(order.parent_id),
        },
        before=before,
        after=after,
        reason=why,
        restricted=False,
        expires_at=deadline.from_now(),
        by=by,
    )  # fmt: skip
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


def _rows(request: ApprovalRequest) -> tuple[Place, list[UUID], list[UUID]]:
    said = request.payload
    return (
        place_of(UUID(said["account"])),
        [UUID(line) for line in said["lines"]],
        [UUID(row) for row in said["transactions"]],
    )


def fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """The rows are open, and as much is left between them."""
    place, lines, transactions = _rows(request)
    locked(place.bank_account_id)
    try:
        left: int | None = pick(place, lines=lines, transactions=transactions, with_ledger=False).left_minor
    except (Invalid, Refused):
        left = None
    except Exception as error:
        if getattr(error, "code", None) != "alreadyMatched":
            raise
        left = None
    return {"left": left}


def execute(request: ApprovalRequest, by: Actor) -> None:
    """The adjusting payment and the match, in the deciding transaction. Raises what `payments.pay` raises."""
    place, lines, transactions = _rows(request)
    said = request.payload
    booked_as = BookedAs(said["as"])
    order = _order(place, int(said["leftMinor"]), _counter_account(place, booked_as), BOOKED_AS_LABELS[booked_as])
    leg = replace(order.legs[0], id=UUID(said["transaction"]))
    payments.pay(
        replace(order, id=UUID(said["payment"]), parent_id=UUID(said["parent"]), legs=(leg,)), by=by
    )  # fmt: skip
    picked = pick(place, lines=lines, transactions=[*transactions, leg.id])
    matches.made(
        place, picked, found_by=Pass.BOOKED,
        why=f"{BOOKED_AS_LABELS[booked_as]} booked: asked by {request.maker_name}, approved by {by.name}",
        resolution=Resolution.BOOKED, by=by,
    )  # fmt: skip


def details(requests: Sequence[ApprovalRequest], _actor: Actor) -> dict[UUID, Detail]:
    """What is booked as what, and where the rows are seen."""
    answer = {}
    for request in requests:
        said = request.payload
        view = place_of(UUID(said["account"]))
        lines = (
            Line("Books", (f"{Money(abs(int(said['leftMinor'])), view.currency)} as"
                           f" {BOOKED_AS_LABELS[BookedAs(said['as'])]}",)),
            Line("Bank account", (view.name,)),
            Line("Matches", (f"{len(said['lines'])} bank and {len(said['transactions'])} ledger rows with it",)),
        )  # fmt: skip
        links = [Link("The break", f"/treasury/breaks/{request.object_id}")]
        if request.object_type != "recon_break":
            links = [Link("The bank account", f"/treasury/reconciliation?account={said['account']}")]
        if request.state == "approved":
            links.insert(0, Link("The payment", f"/ledger/payments/{said['payment']}"))
        answer[request.id] = Detail("", lines, tuple(links))
    return answer
