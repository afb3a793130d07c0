"""What movements between own accounts ask a second person for."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals.kinds import Detail, Kind, Line, Link
from dashboard.approvals.models import ApprovalRequest
from dashboard.ledger.numbers import in_groups
from dashboard.treasury.movements import queries
from dashboard.treasury.movements.services import asking, telling


def details(requests: Sequence[ApprovalRequest], _actor: Actor) -> dict[UUID, Detail]:
    """Amount and both bank accounts, in one query for a whole list."""
    known = queries.by_ids({request.object_id for request in requests})
    found = {}
    for request in requests:
        movement = known[request.object_id]
        told = (Line("Bank’s reference", (movement.bank_reference,)),) if movement.bank_reference else ()
        found[request.id] = Detail(
            short=f"{movement.kind_label} · {movement.money}",
            lines=(
                Line("Amount", (str(movement.money),)),
                Line("From", (movement.from_name, in_groups(movement.from_number))),
                Line("To", (movement.to_name, in_groups(movement.to_number))),
                Line("Why", (movement.kind_label,)),
                Line("Leaves", (movement.way_label,)),
                Line("Reference", (movement.reference,)),
                *told,
            ),
            links=(Link("The movement", f"/treasury/movements/{movement.id}"),),
        )
    return found


def closed(request: ApprovalRequest) -> str | None:
    """What made a request stale; None where the usual sentence is right."""
    if request.state != "stale":
        return None
    what = "a bank account changed" if request.kind == asking.MOVE else "the movement went on"
    return f"This request has gone stale: {what} meanwhile. No money has moved by it."


KINDS: tuple[Kind, ...] = (
    Kind(
        key=asking.MOVE,
        label="Move",
        permission=Permission.TREASURY_WRITE,
        fingerprint=asking.fingerprint,
        execute=asking.execute,
        done="Approved moving",
        noun="Movement",
        details=details,
        closed=closed,
        closed_without=asking.closed_without,
    ),
    Kind(
        key=telling.REFUSED,
        label="Book back",
        permission=Permission.TREASURY_WRITE,
        fingerprint=telling.book_back_fingerprint,
        execute=telling.execute_booking_back,
        done="Booked back",
        noun="Booking back",
        details=details,
        closed=closed,
    ),
)
