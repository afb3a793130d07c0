"""The queue of transfers that a person looks at before they go; their money stays held meanwhile."""

from __future__ import annotations

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.approvals import services as approvals
from dashboard.database import session
from dashboard.queues import services as queues
from dashboard.queues.models import QueueItem
from dashboard.transfers.models import Transfer
from dashboard.transfers.services import lifecycle
from dashboard.transfers.vocabulary import Status

QUEUE = "held-transfers"
#: why an item is in the queue
REVIEW, CONTRADICTION = "review", "contradiction"
#: business hours until somebody has looked
HOURS = 4
#: the request to execute by hand
EXECUTE = "transfers.execute"


def put_in_queue(transfer: Transfer, *, cause: str) -> None:
    """Work for a person, due in business hours."""
    queues.open_item(
        QUEUE, cause=cause, object_type="transfer", object_id=transfer.id, client_id=transfer.client_id,
        due_at=clock.calendar().add_hours(clock.now(), HOURS),
    )  # fmt: skip


def hold_back(transfer: Transfer, *, code: str, by: Actor) -> None:
    """Stop a transfer for a person to look at; the money stays held."""
    lifecycle.change_status(transfer, Status.MANUAL_REVIEW, by=by, code=code)
    put_in_queue(transfer, cause=REVIEW)


def left(transfer: Transfer, *, by: Actor) -> None:
    """The transfer went on another way: nobody need look any more, and an open request has nothing to decide."""
    queues.close_items(QUEUE, object_id=transfer.id, by=by, cause=REVIEW)
    approvals.close_as_stale(EXECUTE, transfer.id)


def contradicted(transfer: Transfer) -> bool:
    """Whether something that a provider said against what is booked waits for a person."""
    return bool(
        session().scalar(
            sa.select(
                sa.exists().where(
                    QueueItem.queue == QUEUE,
                    QueueItem.object_id == transfer.id,
                    QueueItem.cause == CONTRADICTION,
                    QueueItem.closed_at.is_(None),
                )
            )
        )
    )
