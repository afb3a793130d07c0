"""A difference carried in from before the first statement: two people let it stand, whatever its amount.

It cannot be matched, since nothing of before the first statement is compared. What explains it is outside: a balance at
the bank that the books began without, or a fee from before. Where it is booked, the posting has no line of its own and
is accepted as the break that it becomes; both together are the truth of the books and of the bank.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals import services as approvals
from dashboard.approvals.kinds import Detail, Line, Link
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit import services as audit
from dashboard.database import session
from dashboard.errors import Conflict, Refused
from dashboard.ledger.models import BankAccount
from dashboard.money import Money
from dashboard.treasury.matching.models import CarriedIn
from dashboard.treasury.matching.queries.points import Beginning, beginning
from dashboard.treasury.matching.services import signed_days
from dashboard.treasury.matching.services.matches import SHORTEST_ACCEPTANCE, reason_of
from dashboard.treasury.matching.services.places import locked
from dashboard.treasury.matching.vocabulary import CARRIED_IN
from dashboard.treasury.register import queries as register


def _standing(bank_account_id: UUID) -> Beginning | None:
    """Locked against runs and people. Raises NotFound, Conflict `matchingUnderWay`."""
    view = register.account(bank_account_id)
    locked(bank_account_id)
    return beginning(bank_account_id, view.settlement_account_id)


def accept(bank_account_id: UUID, *, reason: str, by: Actor) -> ApprovalRequest:
    """Ask a second person to let the difference stand.

    Raises NotFound, Forbidden, Invalid (field `reason`), Refused `nothingCarriedIn`, Conflict `accepted`,
    `alreadyRequested`, `matchingUnderWay`.
    """
    by.require(Permission.TREASURY_WRITE)
    why = reason_of(reason, shortest=SHORTEST_ACCEPTANCE)
    stands = _standing(bank_account_id)
    if stands is None or not stands.carried_minor:
        raise Refused("Nothing was carried in from before the first statement.", code="nothingCarriedIn")
    if stands.accepted is not None:
        raise Conflict("Two people have accepted this difference already.", code="accepted")
    view = register.account(bank_account_id)
    amount = Money(stands.carried_minor, view.currency)
    return approvals.request(
        CARRIED_IN,
        object_type="bank_account",
        object_id=bank_account_id,
        client_id=None,
        subject=f"{view.said}, {amount}",
        payload={
            "reason": why, "beginsOn": stands.begins_on.isoformat(), "openingMinor": stands.opening_minor,
            "ledgerMinor": stands.ledger_minor,
        },
        before={"carried in": "unexplained"},
        after={"carried in": f"accepted, {amount}"},
        reason=why,
        restricted=False,
        by=by,
    )  # fmt: skip


def fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """Comparing begins on the same day, with the same two balances."""
    stands = _standing(request.object_id)
    return {
        "beginsOn": stands.begins_on.isoformat() if stands else None,
        "opening": stands.opening_minor if stands else None,
        "ledger": stands.ledger_minor if stands else None,
        "accepted": stands is not None and stands.accepted is not None,
    }


def execute(request: ApprovalRequest, by: Actor) -> None:
    """The second person lets it stand: days from the first statement on are prepared anew."""
    stands = _standing(request.object_id)
    if stands is None or stands.accepted is not None:
        raise Conflict("What was carried in has changed since the request.", code="stale")
    why = request.payload["reason"]
    session().add(
        CarriedIn(
            bank_account_id=request.object_id, begins_on=stands.begins_on, opening_minor=stands.opening_minor,
            ledger_minor=stands.ledger_minor, reason=why, approval_id=request.id, accepted_at=clock.now(),
        )
    )  # fmt: skip
    session().flush()
    signed_days.changed(
        request.object_id, stands.begins_on, because=f"What was carried in was accepted: {why}", by=by
    )  # fmt: skip
    audit.record("carriedIn.accepted", by=by, object_type="bank_account", object_id=request.object_id, reason=why)


def details(requests: Sequence[ApprovalRequest], _actor: Actor) -> dict[UUID, Detail]:
    """Both balances and their difference, with the address of the day."""
    accounts = {
        row.id: row
        for row in session().scalars(
            sa.select(BankAccount).where(BankAccount.id.in_([request.object_id for request in requests]))
        )
    }
    answer = {}
    for request in requests:
        account, told = accounts.get(request.object_id), request.payload
        if account is None:
            continue
        opening, ledger = int(told["openingMinor"]), int(told["ledgerMinor"])
        answer[request.id] = Detail(
            "",
            (
                Line("Opening balance at the bank", (f"{Money(opening, account.currency)} on {told['beginsOn']}",)),
                Line("Ledger on the evening before", (str(Money(ledger, account.currency)),)),
                Line("Difference that stands", (str(Money(opening - ledger, account.currency)),)),
            ),
            (
                Link(
                    "Reconciliation",
                    f"/treasury/reconciliation?account={request.object_id}&day={told['beginsOn']}",
                ),
            ),
        )
    return answer
