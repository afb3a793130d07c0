"""Asking for a movement: made by one person, approved by another. Nothing is booked until it leaves."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit import services as audit
from dashboard.database import new_id, session
from dashboard.errors import FieldError, Invalid, NotFound, Refused
from dashboard.money import LARGEST_MINOR_UNITS, Money
from dashboard.treasury.movements.models import OwnMovement
from dashboard.treasury.movements.services import fitting, leaving
from dashboard.treasury.movements.vocabulary import KIND_LABELS, WAY_LABELS, MovementKind, MovementState, Way
from dashboard.treasury.register import queries as register

MOVE = "treasury.movement"
#: shorter ones stand in statements by chance
SHORTEST_BANK_REFERENCE = 6
_BANK_REFERENCE = re.compile(rf"[A-Za-z0-9][A-Za-z0-9/\-?:().,'+ ]{{{SHORTEST_BANK_REFERENCE - 1},34}}")
_DROPPED = {
    "rejected": "Rejected by {who}: {why}",
    "withdrawn": "Withdrawn by the person who asked.",
    "expired": "Nobody decided in time.",
    "stale": "One of the bank accounts changed meanwhile.",
}


def checked_bank_reference(text: str | None, *, field: str = "bankReference") -> str | None:
    """Trimmed; empty is none. Raises Invalid."""
    said = " ".join((text or "").split()) or None
    if said is not None and not _BANK_REFERENCE.fullmatch(said):
        raise Invalid.one(
            field,
            f"As the bank shows it, {SHORTEST_BANK_REFERENCE} to 35 letters, digits, blanks and / - ? : ( ) . , ' +",
            "pattern",
        )
    return said


def ask(
    *,
    kind: MovementKind,
    from_id: UUID,
    to_id: UUID,
    amount_minor: int,
    way: Way,
    bank_reference: str | None = None,
    reason: str,
    by: Actor,
) -> OwnMovement:
    """Ask for a movement. `bank_reference`: it was done at the bank already, under this reference.

    Raises NotFound, Invalid, Forbidden, Refused `notRegistered`, `accountClosed`, `poolsDiffer`, `purposesDoNotFit`,
    `insufficientFunds`, `personNeeded`.
    """
    by.require(Permission.TREASURY_WRITE)
    if by.staff_id is None:
        raise Refused("Only a person moves money between own accounts.", code="personNeeded")
    reference = checked_bank_reference(bank_reference)
    if reference is not None and way is not Way.AT_BANK:
        raise Invalid([
            FieldError("bankReference", "A payment file carries our reference. Leave it empty.", "notAllowed")
        ])  # fmt: skip
    if not 0 < amount_minor <= LARGEST_MINOR_UNITS:
        raise Invalid.one("amount", "The amount must be greater than zero.", "range")
    fitting.hold([from_id, to_id])
    gives, takes = register.account(from_id), register.account(to_id)
    fitting.check(kind, gives, takes)
    if way is Way.FILE:
        fitting.require_files(gives)
    money = Money(amount_minor, gives.currency)
    fitting.require_enough(gives, money)
    if reference is not None:
        fitting.require_fresh_reference(gives.id, reference)
    movement_id = new_id()
    movement = OwnMovement(
        id=movement_id, kind=kind.value, from_bank_account_id=gives.id, to_bank_account_id=takes.id,
        currency=gives.currency, amount_minor=amount_minor, way=way.value, reference=_reference(movement_id),
        bank_reference=reference, state=MovementState.REQUESTED.value, created_at=clock.now(), maker_id=by.staff_id,
        maker_name=by.name,
    )  # fmt: skip
    session().add(movement)
    session().flush()
    lies = {"from": fitting.lies_there(gives), "to": fitting.lies_there(takes)}
    approvals.request(
        MOVE,
        object_type="own_movement",
        object_id=movement_id,
        client_id=None,
        subject=f"{money} from {gives.said} to {takes.said}",
        payload={
            "kind": kind.value, "from": str(gives.id), "to": str(takes.id), "currency": gives.currency,
            "amountMinor": amount_minor, "way": way.value, "reference": movement.reference, "bankReference": reference,
        },
        before={f"{gives.said}, in the ledger": str(lies["from"]), f"{takes.said}, in the ledger": str(lies["to"])},
        after={
            f"{gives.said}, in the ledger": str(Money(lies["from"].minor_units - amount_minor, gives.currency)),
            f"{takes.said}, in the ledger": str(Money(lies["to"].minor_units + amount_minor, takes.currency)),
        },
        reason=reason,
        restricted=False,
        by=by,
    )  # fmt: skip
    audit.record(
        "ownMovement.asked", by=by, object_type="own_movement", object_id=movement_id,
        after={"kind": KIND_LABELS[kind], "amount": str(money), "from": gives.said, "to": takes.said,
               "way": WAY_LABELS[way], "reference": movement.reference},
    )  # fmt: skip
    return movement


def _reference(movement_id: UUID) -> str:
    """Fifteen characters that people can type at a bank, of the random half of the id."""
    return f"OWN{movement_id.hex[-12:].upper()}"


def locked(movement_id: UUID) -> OwnMovement:
    """The movement, held until the transaction ends. Raises NotFound `movementNotFound`."""
    found = session().get(OwnMovement, movement_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound("There is no such movement.", code="movementNotFound")
    return found


def fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """Locks the movement and both rows of the register: what either account is for, and whether it is open."""
    movement = locked(request.object_id)
    fitting.hold([movement.from_bank_account_id, movement.to_bank_account_id])
    return {
        "state": movement.state,
        "accounts": [[side.purpose, side.pool, side.closed_on is not None] for side in fitting.sides(movement)],
    }


def execute(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved request. What was done at the bank is booked at once; a file leaves by the outbox.

    Raises Refused `insufficientFunds`, `accountClosed` and the like: money may have gone since it was asked.
    """
    movement = locked(request.object_id)
    gives, takes = fitting.sides(movement)
    fitting.check(MovementKind(movement.kind), gives, takes)
    fitting.require_enough(gives, Money(movement.amount_minor, movement.currency), but=movement.id)
    movement.state = MovementState.APPROVED.value
    movement.approval_id, movement.approved_at = request.id, clock.now()
    session().flush()
    if movement.way == Way.AT_BANK and movement.bank_reference is not None:
        leaving.leave(movement, by=by)


def closed_without(request: ApprovalRequest, by: Actor) -> None:
    """The request was closed in another way than approved: the movement is dropped."""
    movement = locked(request.object_id)
    if movement.state != MovementState.REQUESTED:
        return
    who, why = request.decider_name or "", request.decision_reason or ""
    movement.state, movement.ended_at = MovementState.DROPPED.value, clock.now()
    movement.ended_because = _DROPPED[request.state].format(who=who, why=why)
    session().flush()
    audit.record("ownMovement.dropped", by=by, object_type="own_movement", object_id=movement.id,
                 before={"state": MovementState.REQUESTED.value}, after={"state": movement.state},
                 reason=movement.ended_because)  # fmt: skip
