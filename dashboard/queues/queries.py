"""Counting and listing work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.clock import BusinessCalendar
from dashboard.database import session
from dashboard.queues.models import QueueItem


@dataclass(frozen=True)
class QueueCount:
    """Figures of one queue for one person. `unassigned` None: the queue knows no assignee."""

    queue: str
    mine: int
    unassigned: int | None
    late: int
    due_today: int
    oldest_at: datetime | None
    next_due_at: datetime | None

    @property
    def total(self) -> int:
        return self.mine + (self.unassigned or 0)


@dataclass(frozen=True)
class ItemFilter:
    """Which rows of a queue: exactly those behind one figure."""

    who: str = "any"  # me, none, any
    late: bool = False
    due_today: bool = False


def _visible(actor: Actor) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = [QueueItem.closed_at.is_(None)]
    if not actor.sees_restricted:
        conditions.append(QueueItem.restricted.is_(False))
    return conditions


def _own(actor: Actor) -> sa.ColumnElement[bool]:
    return sa.or_(QueueItem.assignee_id == actor.id, QueueItem.assignee_id.is_(None))


def _due_today(calendar: BusinessCalendar, moment: datetime) -> sa.ColumnElement[bool]:
    closing = calendar.closing(calendar.today(moment))
    return sa.and_(QueueItem.due_at >= moment, QueueItem.due_at <= closing)


def counts(queues: Sequence[str], *, actor: Actor, calendar: BusinessCalendar) -> dict[str, QueueCount]:
    """One pass over the open items of these queues. Late and due count one's own and the unassigned."""
    moment = clock.now()
    own = _own(actor)
    rows = session().execute(
        sa.select(
            QueueItem.queue,
            sa.func.count().filter(QueueItem.assignee_id == actor.id),
            sa.func.count().filter(QueueItem.assignee_id.is_(None)),
            sa.func.count().filter(own, QueueItem.due_at < moment),
            sa.func.count().filter(own, _due_today(calendar, moment)),
            sa.func.min(QueueItem.opened_at).filter(own),
            sa.func.min(QueueItem.due_at).filter(own),
        )
        .where(QueueItem.queue.in_(queues), *_visible(actor))
        .group_by(QueueItem.queue)
    )
    found = {row[0]: QueueCount(*row) for row in rows}
    return {queue: found.get(queue, QueueCount(queue, 0, 0, 0, 0, None, None)) for queue in queues}


def items(
    queue: str | None,
    *,
    actor: Actor,
    calendar: BusinessCalendar,
    chosen: ItemFilter,
    after: tuple[datetime, UUID] | None = None,
    limit: int = 50,
) -> list[QueueItem]:
    """By due time, earliest first; `after` is (due_at, id) of the last row of the page before."""
    moment = clock.now()
    query = sa.select(QueueItem).where(*_visible(actor)).order_by(QueueItem.due_at, QueueItem.id).limit(limit)
    if queue is not None:
        query = query.where(QueueItem.queue == queue)
    if chosen.who == "me":
        query = query.where(QueueItem.assignee_id == actor.id)
    elif chosen.who == "none":
        query = query.where(QueueItem.assignee_id.is_(None))
    if chosen.late:
        query = query.where(_own(actor), QueueItem.due_at < moment)
    if chosen.due_today:
        query = query.where(_own(actor), _due_today(calendar, moment))
    if after is not None:
        query = query.where(sa.tuple_(QueueItem.due_at, QueueItem.id) > sa.tuple_(*map(sa.literal, after)))
    return list(session().scalars(query))


def of_client(client_id: UUID, *, actor: Actor) -> list[QueueItem]:
    """Open items that concern a client, by due time."""
    return list(
        session().scalars(
            sa.select(QueueItem).where(QueueItem.client_id == client_id, *_visible(actor)).order_by(QueueItem.due_at)
        )
    )
