"""Opening, taking, releasing and closing items of work."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.database import new_id, session
from dashboard.errors import Conflict, NotFound
from dashboard.queues.models import QueueItem


def open_item(
    queue: str,
    *,
    cause: str,
    object_type: str,
    object_id: UUID,
    client_id: UUID | None,
    due_at: datetime,
    restricted: bool = False,
) -> None:
    """Put work into a queue. The same open work twice stays one item, due at the earlier of the two times."""
    fresh = postgresql.insert(QueueItem).values(
        id=new_id(),
        queue=queue,
        cause=cause,
        object_type=object_type,
        object_id=object_id,
        client_id=client_id,
        restricted=restricted,
        opened_at=clock.now(),
        due_at=due_at,
    )
    session().execute(
        fresh.on_conflict_do_update(
            index_elements=["queue", "object_id", "cause"],
            index_where=sa.text("closed_at IS NULL"),
            set_={"due_at": sa.func.least(QueueItem.due_at, fresh.excluded.due_at)},
        )
    )


def open_items(queue: str, items: Sequence[tuple[UUID, str]], *, object_type: str, due_at: datetime) -> None:
    """Put many into a queue at once: object and cause of each, all due then. What is open already stays as it is."""
    if not items:
        return
    moment = clock.now()
    session().execute(
        postgresql.insert(QueueItem).on_conflict_do_nothing(),
        [
            {
                "id": new_id(), "queue": queue, "cause": cause, "object_type": object_type, "object_id": object_id,
                "restricted": False, "opened_at": moment, "due_at": due_at,
            }
            for object_id, cause in items
        ],
    )  # fmt: skip


def close_items(queue: str, *, object_id: UUID, by: Actor, cause: str | None = None) -> None:
    """The work is done, or has gone; nothing happens where there is none."""
    query = sa.update(QueueItem).where(
        QueueItem.queue == queue, QueueItem.object_id == object_id, QueueItem.closed_at.is_(None)
    )
    if cause is not None:
        query = query.where(QueueItem.cause == cause)
    session().execute(query.values(closed_at=clock.now(), closed_by=by.staff_id))


def close_many(queue: str, *, object_ids: Collection[UUID], by: Actor) -> None:
    """The work on all of these is done; one query."""
    session().execute(
        sa.update(QueueItem)
        .where(QueueItem.queue == queue, QueueItem.object_id.in_(object_ids), QueueItem.closed_at.is_(None))
        .values(closed_at=clock.now(), closed_by=by.staff_id)
    )


def move_due(queue: str, *, object_id: UUID, due_at: datetime) -> None:
    """Another due time for open work, earlier or later; whoever has it keeps it."""
    session().execute(
        sa.update(QueueItem)
        .where(
            QueueItem.queue == queue,
            QueueItem.object_id == object_id,
            QueueItem.closed_at.is_(None),
            QueueItem.due_at != due_at,
        )
        .values(due_at=due_at)
    )


def take_next(queues: Sequence[str], *, by: Actor, held: sa.ColumnElement[bool] | None = None) -> QueueItem | None:
    """The item that is due first among one's own and the unassigned, now one's own; None when there is none.

    What is `held` (somebody else must move first) is left out.
    Two people who ask at the same moment get two different items.
    """
    query = (
        sa.select(QueueItem)
        .where(
            QueueItem.queue.in_(queues),
            QueueItem.closed_at.is_(None),
            sa.or_(QueueItem.assignee_id == by.id, QueueItem.assignee_id.is_(None)),
        )
        .order_by(QueueItem.due_at, QueueItem.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if not by.sees_restricted:
        query = query.where(QueueItem.restricted.is_(False))
    if held is not None:
        query = query.where(sa.not_(held))
    item = session().scalar(query)
    return take(item.id, by=by) if item is not None else None


def _open(item_id: UUID, by: Actor) -> QueueItem:
    item = session().get(QueueItem, item_id, with_for_update=True, populate_existing=True)
    if item is None or (item.restricted and not by.sees_restricted):
        raise NotFound("There is no such item.")
    if item.closed_at is not None:
        raise Conflict("This item has been settled meanwhile.", code="settled")
    return item


def take(item_id: UUID, *, by: Actor) -> QueueItem:
    """Make it one's own. Raises Conflict when a colleague was first, NotFound."""
    item = _open(item_id, by)
    if item.assignee_id is not None and item.assignee_id != by.id:
        raise Conflict("A colleague has taken this item meanwhile.", code="taken")
    if item.assignee_id is None:
        item.assignee_id = by.id
        audit.record("queue.taken", by=by, object_type="queue_item", object_id=item.id, client_id=item.client_id,
                     after={"queue": item.queue})  # fmt: skip
    return item


def release(item_id: UUID, *, by: Actor) -> QueueItem:
    """Give it back. Raises Conflict when it is not one's own, NotFound."""
    item = _open(item_id, by)
    if item.assignee_id != by.id:
        raise Conflict("This item is not yours.", code="notYours")
    item.assignee_id = None
    audit.record("queue.released", by=by, object_type="queue_item", object_id=item.id, client_id=item.client_id,
                 after={"queue": item.queue})  # fmt: skip
    return item


def release_those_of(member_id: UUID, *, by: Actor, among: Sequence[str] | None = None) -> int:
    """Give back all that somebody has taken, or what of it is `among` these queues; says how much that was."""
    query = sa.select(QueueItem).where(QueueItem.assignee_id == member_id, QueueItem.closed_at.is_(None))
    if among is not None:
        query = query.where(QueueItem.queue.in_(among))
    return _give_back(query, by)


def release_all(item_ids: Collection[UUID], *, by: Actor) -> int:
    """Give back these items, whoever has taken them; says how many were taken."""
    if not item_ids:
        return 0
    still = (QueueItem.id.in_(item_ids), QueueItem.assignee_id.is_not(None), QueueItem.closed_at.is_(None))
    return _give_back(sa.select(QueueItem).where(*still), by)


def _give_back(query: sa.Select[QueueItem], by: Actor) -> int:
    items = session().scalars(query.order_by(QueueItem.id).with_for_update()).all()
    for item in items:
        item.assignee_id = None
        audit.record("queue.released", by=by, object_type="queue_item", object_id=item.id, client_id=item.client_id,
                     after={"queue": item.queue})  # fmt: skip
    return len(items)
