"""A movement leaves: in one transaction it is booked, and handed to the outbox or told as done at the bank."""

from __future__ import annotations

from uuid import UUID

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.database import session
from dashboard.errors import Refused
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import payments
from dashboard.ledger.vocabulary import AccountType, ParentType
from dashboard.money import Money
from dashboard.transfers.services import providers
from dashboard.treasury.movements.models import OwnMovement
from dashboard.treasury.movements.services import fitting
from dashboard.treasury.movements.vocabulary import KIND_LABELS, STATE_LABELS, MovementKind, MovementState


def require_approved(movement: OwnMovement) -> None:
    """Raises Refused `invalidState`, which says what became of it."""
    if movement.state == MovementState.APPROVED:
        return
    if movement.state == MovementState.REQUESTED:
        raise Refused("This movement still waits for another person’s approval.", code="invalidState",
                      details={"state": movement.state})  # fmt: skip
    raise Refused(
        f"This movement is not to leave any more: {STATE_LABELS[MovementState(movement.state)].lower()}.",
        code="invalidState", details={"state": movement.state},
    )  # fmt: skip


def leave(movement: OwnMovement, *, file_id: UUID | None = None, by: Actor) -> None:
    """Book both legs through the in-transit account of the bank account that gives. The movement is locked.

    Raises Refused `invalidState`, `insufficientFunds`, `accountClosed` and the like, and what the ledger refuses.
    """
    require_approved(movement)
    fitting.hold([movement.from_bank_account_id, movement.to_bank_account_id])
    gives, takes = fitting.sides(movement)
    kind, money = MovementKind(movement.kind), Money(movement.amount_minor, movement.currency)
    fitting.check(kind, gives, takes)
    fitting.require_enough(gives, money, but=movement.id)
    transit = providers.of_bank_account(gives.id, AccountType.IN_TRANSIT)
    gave = providers.of_bank_account(gives.id, AccountType.SETTLEMENT)
    took = providers.of_bank_account(takes.id, AccountType.SETTLEMENT)
    said = f"{KIND_LABELS[kind]} {movement.reference}"
    order = Order(
        parent_type=ParentType.PAYMENT_REQUEST,
        parent_id=movement.id,
        legs=[
            Leg(transit, gave, money.minor_units, money.currency, said),
            Leg(took, transit, money.minor_units, money.currency, said),
        ],
    )
    payments.pay(order, by=by)
    movement.state = MovementState.SENT.value
    movement.payment_id, movement.file_id, movement.sent_at = order.id, file_id, clock.now()
    movement.problem = None
    session().flush()
    audit.record(
        "ownMovement.sent", by=by, object_type="own_movement", object_id=movement.id,
        before={"state": MovementState.APPROVED.value},
        after={"state": movement.state, "payment": order.id, "bankReference": movement.bank_reference},
    )  # fmt: skip
