"""What the passing of time brings: half of the time to settle is over, and the review date of what was kept."""

from __future__ import annotations

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.database import session
from dashboard.queues import services as queues
from dashboard.queues.models import QueueItem
from dashboard.transfers.models import Receipt
from dashboard.transfers.services.desk import positions
from dashboard.transfers.vocabulary import UNDECIDED, ReceiptState

HALF_TIME = "halfTime"
MOST_AT_ONCE = 500


def warn_due(*, by: Actor, limit: int = MOST_AT_ONCE) -> int:
    """Raise an item for each undecided receipt whose half time is over; gives how many. Once each."""
    raised = sa.exists().where(
        QueueItem.queue == positions.QUEUE,
        QueueItem.object_id == Receipt.transfer_id,
        QueueItem.cause == HALF_TIME,
        QueueItem.closed_at.is_(None),
    )
    due = session().scalars(
        sa.select(Receipt)
        .where(Receipt.state.in_([state.value for state in UNDECIDED]), Receipt.warn_at <= clock.now(), ~raised)
        .order_by(Receipt.transfer_id)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    ).all()  # fmt: skip
    for receipt in due:
        queues.open_item(
            positions.QUEUE, cause=HALF_TIME, object_type=positions.OBJECT, object_id=receipt.transfer_id,
            client_id=None, due_at=receipt.resolve_by,
        )  # fmt: skip
        positions.tell(receipt, "note", "Half of the time to settle is over.", by=by, cause=HALF_TIME)
    return len(due)


def reopen_due(*, by: Actor, limit: int = MOST_AT_ONCE) -> int:
    """Open again what was kept until a day that has come; gives how many."""
    today = clock.calendar().today()
    due = session().scalars(
        sa.select(Receipt)
        .where(Receipt.state == ReceiptState.KEPT.value, Receipt.keep_until <= today)
        .order_by(Receipt.transfer_id)
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    ).all()  # fmt: skip
    for receipt in due:
        positions.set_state(receipt, ReceiptState.OPEN)
        session().flush()
        positions.tell(receipt, "reopened", "The review date has come.", by=by, was="kept")
    return len(due)
