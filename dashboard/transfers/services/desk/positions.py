"""A receipt as a position of its own: locking it, its log, and opening it again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.database import session
from dashboard.errors import Conflict, Invalid, NotFound, Refused
from dashboard.queues import services as queues
from dashboard.transfers.models import Disposition, IncomingRequest, Receipt, ReceiptEvent, Transfer
from dashboard.transfers.services import lifecycle
from dashboard.transfers.vocabulary import Cause, DispositionState, Kind, ReceiptState, RequestState

QUEUE = "unrecognized"
OBJECT = "receipt"
LONGEST_TEXT = 4_000
LONGEST_REASON = 500

#: somebody may decide now: nobody has, and nobody waits for a second person
OPEN_STATES = (ReceiptState.OPEN, ReceiptState.ASKED, ReceiptState.KEPT)
#: a decision that stands: it waits, or it was done
LIVING = (DispositionState.WAITING.value, DispositionState.POSTED.value)


def locked(transfer_id: UUID) -> tuple[Transfer, Receipt]:
    """The transfer and its receipt, locked in this order. Raises NotFound `transferNotFound`, `receiptNotFound`."""
    transfer = lifecycle.locked(transfer_id, kind=Kind.INCOMING)
    receipt = session().scalar(
        sa.select(Receipt)
        .where(Receipt.transfer_id == transfer_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if receipt is None:
        raise NotFound("This transfer was never unrecognized.", code="receiptNotFound")
    return transfer, receipt


def living(transfer_id: UUID) -> Disposition | None:
    """The decision that stands about a receipt."""
    return session().scalar(
        sa.select(Disposition)
        .where(Disposition.transfer_id == transfer_id, Disposition.state.in_(LIVING))
        .execution_options(populate_existing=True)
    )


def next_number(transfer_id: UUID) -> int:
    """Of the next decision about a receipt whose row is locked."""
    last = session().scalar(sa.select(sa.func.max(Disposition.number)).where(Disposition.transfer_id == transfer_id))
    return (last or 0) + 1


def require_open(receipt: Receipt) -> None:
    """Raises Conflict `alreadyRequested` while it waits for a second person, Refused `invalidState`, and
    `takenBackByBank` where the bank's reversal only waited for the money to be here again."""
    if receipt.state == ReceiptState.WAITING:
        waits = living(receipt.transfer_id)
        raise Conflict(
            "This money waits for a second person's decision.",
            code="alreadyRequested",
            details={"requestId": str(waits.approval_id)} if waits and waits.approval_id else {},
        )
    if ReceiptState(receipt.state) not in OPEN_STATES:
        raise Refused(
            f"This money is {receipt.state} already.",
            code="invalidState",
            details={"state": receipt.state, "allowed": [state.value for state in OPEN_STATES]},
        )
    if taken_back_by(receipt.transfer_id) is not None:
        raise Refused("The bank has taken this money back; it is nobody's to have.", code="takenBackByBank")


def taken_back_by(transfer_id: UUID) -> UUID | None:
    """The first telling that the bank has taken the credit back, while that still waits."""
    return session().scalar(
        sa.select(IncomingRequest.id)
        .where(
            IncomingRequest.transfer_id == transfer_id,
            IncomingRequest.reversal,
            IncomingRequest.state == RequestState.WAITING.value,
        )
        .order_by(IncomingRequest.id)
        .limit(1)
    )


def text_of(text: str | None, field: str, *, longest: int = LONGEST_REASON) -> str:
    """Trimmed. Raises Invalid where it is empty or too long."""
    said = (text or "").strip()
    if not said:
        raise Invalid.one(field, "Say why." if field == "reason" else "Write something.", "required")
    if len(said) > longest:
        raise Invalid.one(field, f"Use at most {longest:,} characters.", "tooLong")
    return said


def set_state(receipt: Receipt, state: ReceiptState, *, remaining_minor: int | None = None, **fields: Any) -> None:
    """Take a locked receipt to a state; what belonged to being kept goes unless it is kept."""
    if state is not ReceiptState.KEPT:
        receipt.keep_until = receipt.keep_reason = None
    if remaining_minor is not None:
        receipt.remaining_minor = remaining_minor
    for name, value in fields.items():
        setattr(receipt, name, value)
    receipt.state = state.value
    receipt.version += 1


def tell(receipt: Receipt, kind: str, text: str, *, by: Actor, of: UUID | None = None, **detail: Any) -> ReceiptEvent:
    """One line of the receipt's log, with its evidence (which holds no text that a person wrote). `of`: the client
    whose timeline tells it as well."""
    event = ReceiptEvent(
        transfer_id=receipt.transfer_id,
        kind=kind,
        text=text[:LONGEST_TEXT],
        detail=detail,
        at=clock.now(),
        by_kind=by.kind,
        by_id=by.id,
        by_name=by.name,
    )
    session().add(event)
    session().flush()
    audit.record(f"receipt.{kind}", by=by, object_type="transfer", object_id=receipt.transfer_id, client_id=of,
                 after={"state": receipt.state}, reason=text[:LONGEST_REASON] if of else None)  # fmt: skip
    return event


def put_on_desk(receipt: Receipt, *, cause: str | None = None) -> None:
    """Work for the desk, due when the money must be with a client."""
    queues.open_item(
        QUEUE, cause=cause or receipt.cause, object_type=OBJECT, object_id=receipt.transfer_id, client_id=None,
        due_at=receipt.allocate_by,
    )  # fmt: skip


def take_off_desk(receipt: Receipt, *, by: Actor) -> None:
    """Nothing is to be done any more."""
    queues.close_items(QUEUE, object_id=receipt.transfer_id, by=by)


def open_again(receipt: Receipt, *, cause: Cause | None = None) -> None:
    """The whole amount is to be decided about again, by the same clocks."""
    if cause is not None:
        receipt.cause = cause.value
    set_state(receipt, ReceiptState.OPEN, remaining_minor=receipt.amount_minor, settled_at=None)
    session().flush()
    put_on_desk(receipt)
