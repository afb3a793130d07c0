"""What a person tells of a movement: done at the bank, canceled before it left, refused by the bank."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Permission
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit import services as audit
from dashboard.database import session
from dashboard.errors import Invalid, Refused
from dashboard.ledger.services import payments
from dashboard.money import Money
from dashboard.transfers.models import ProviderFile
from dashboard.treasury.movements.models import OwnMovement
from dashboard.treasury.movements.services import fitting, leaving
from dashboard.treasury.movements.services.asking import checked_bank_reference, locked
from dashboard.treasury.movements.vocabulary import STATE_LABELS, MovementState, Way

REFUSED = "treasury.movement.refused"
LONGEST_REASON = 500


def _reason(text: str, field: str) -> str:
    why = " ".join(text.split())
    if not why:
        raise Invalid.one(field, "Say why.", "required")
    if len(why) > LONGEST_REASON:
        raise Invalid.one(field, f"Use at most {LONGEST_REASON} characters.", "tooLong")
    return why


def done_at_bank(movement_id: UUID, *, bank_reference: str, by: Actor) -> OwnMovement:
    """An approved movement was told to the bank by hand: it is booked now.

    Raises NotFound, Invalid, Forbidden, Refused `invalidState`, `leavesByFile` and what leaving refuses. A reference
    that stands with another movement is Invalid `taken`.
    """
    by.require(Permission.TREASURY_WRITE)
    reference = checked_bank_reference(bank_reference)
    if reference is None:
        raise Invalid.one("bankReference", "Give the reference under which the bank has it.", "required")
    movement = locked(movement_id)
    leaving.require_approved(movement)
    fitting.hold([movement.from_bank_account_id, movement.to_bank_account_id])
    fitting.require_fresh_reference(movement.from_bank_account_id, reference, but=movement.id)
    if movement.way != Way.AT_BANK:
        raise Refused("This movement leaves by a payment file. Done by hand as well, it would be done twice.",
                      code="leavesByFile")  # fmt: skip
    movement.bank_reference = reference
    leaving.leave(movement, by=by)
    return movement


def cancel(movement_id: UUID, *, because: str, by: Actor) -> OwnMovement:
    """Take back an approved movement that has not left. Raises NotFound, Invalid, Forbidden, Refused `leftAlready`,
    `invalidState`."""
    by.require(Permission.TREASURY_WRITE)
    why = _reason(because, "because")
    movement = locked(movement_id)
    if movement.state in {MovementState.SENT, MovementState.SETTLED, MovementState.REFUSED}:
        raise Refused(
            "It has left already. Ask the bank; if it refuses the payment, have it booked back.", code="leftAlready",
            details={"state": movement.state},
        )  # fmt: skip
    if movement.state == MovementState.REQUESTED:
        raise Refused("It waits for approval: the person who asked withdraws the request.", code="invalidState",
                      details={"state": movement.state})  # fmt: skip
    leaving.require_approved(movement)
    movement.state, movement.ended_at, movement.ended_because = MovementState.CANCELED.value, clock.now(), why
    session().flush()
    audit.record("ownMovement.canceled", by=by, object_type="own_movement", object_id=movement.id,
                 before={"state": MovementState.APPROVED.value}, after={"state": movement.state},
                 reason=why)  # fmt: skip
    return movement


def ask_to_book_back(movement_id: UUID, *, because: str, by: Actor) -> ApprovalRequest:
    """The bank refused a movement that has left: ask a second person to book it back.

    Raises NotFound, Invalid, Forbidden, Refused `invalidState`, `bankDidIt`, `fileNotOut`, Conflict
    `alreadyRequested`.
    """
    by.require(Permission.TREASURY_WRITE)
    why = _reason(because, "because")
    movement = locked(movement_id)
    _require_refusable(movement)
    return approvals.request(
        REFUSED,
        object_type="own_movement",
        object_id=movement.id,
        client_id=None,
        subject=f"{Money(movement.amount_minor, movement.currency)}, {movement.reference}",
        payload={"because": why},
        before={"Movement": STATE_LABELS[MovementState(movement.state)]},
        after={"Movement": STATE_LABELS[MovementState.REFUSED], "Payment": "reversed"},
        reason=why,
        restricted=False,
        by=by,
    )


def _require_refusable(movement: OwnMovement) -> None:
    if movement.state != MovementState.SENT:
        raise Refused(
            f"Only a movement in transit is booked back; this one is {STATE_LABELS[MovementState(movement.state)]}.",
            code="invalidState", details={"state": movement.state},
        )  # fmt: skip
    if movement.left_on is not None or movement.arrived_on is not None:
        raise Refused(
            "A statement shows that the bank did it. Resolve the difference as a break of reconciliation.",
            code="bankDidIt",
        )
    if (
        movement.file_id is not None
        and session().get_one(ProviderFile, movement.file_id, populate_existing=True).state == "reading"
    ):
        # whoever ended before publishing it left it to the next look: it leaves yet
        raise Refused("Its payment file is not out yet: the bank cannot have refused it. Wait until it is out.",
                      code="fileNotOut")  # fmt: skip


def book_back_fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """Locks the movement: its state, and whether a bank has told of a leg."""
    movement = locked(request.object_id)
    return {"state": movement.state, "told": movement.left_on is not None or movement.arrived_on is not None}


def execute_booking_back(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved request: the payment is reversed. Raises what reversing refuses."""
    movement = locked(request.object_id)
    _require_refusable(movement)
    assert movement.payment_id is not None  # what was sent was booked
    # the house books it: the ledger asks for a request of its own kinds behind a person, the movement for this one
    moved = payments.reverse(movement.payment_id, reason=request.payload["because"], by=system("own movements"))
    movement.state, movement.ended_at = MovementState.REFUSED.value, clock.now()
    movement.ended_because, movement.reversal_id = request.payload["because"], moved.outcomes[0].payment_id
    session().flush()
    audit.record("ownMovement.refused", by=by, object_type="own_movement", object_id=movement.id,
                 before={"state": MovementState.SENT.value}, after={"state": movement.state},
                 reason=movement.ended_because)  # fmt: skip
