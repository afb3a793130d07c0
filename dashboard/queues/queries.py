"""Counting and listing work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.clock import BusinessCalendar
from dashboard.database import session
from dashboard.errors import NotFound
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
    #: the earliest due time that is not over yet
    upcoming_at: datetime | None = None
    #: those of `late` that nobody has taken
    late_unassigned: int = 0
    #: whoever has them: the rows that the queue shows before anybody filters
    everybody: int = 0

    @property
    def total(self) -> int:
        return self.mine + (self.unassigned or 0)

    @property
    def late_mine(self) -> int:
        return self.late - self.late_unassigned


@dataclass(frozen=True)
class ItemFilter:
    """Which rows of a queue: exactly those behind one figure."""

    who: str = "any"  # me, none, own (mine and unassigned), any
    late: bool = False
    due_today: bool = False


def _visible(actor: Actor) -> list[sa.ColumnElement[bool]]:
    return _visible_to(actor.sees_restricted)


def _visible_to(sees_restricted: bool) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = [QueueItem.closed_at.is_(None)]
    if not sees_restricted:
        conditions.append(QueueItem.restricted.is_(False))
    return conditions


def _own(actor: Actor) -> sa.ColumnElement[bool]:
    return sa.or_(QueueItem.assignee_id == actor.id, QueueItem.assignee_id.is_(None))


def _due_today(calendar: BusinessCalendar, moment: datetime) -> sa.ColumnElement[bool]:
    closing = calendar.closing(calendar.today(moment))
    return sa.and_(QueueItem.due_at >= moment, QueueItem.due_at <= closing)


def counts(
    queues: Sequence[str], *, actor: Actor, calendar: BusinessCalendar, held: sa.ColumnElement[bool] | None = None
) -> dict[str, QueueCount]:
    """One pass over the open items of these queues. Late and due count one's own and the unassigned.

    `held` says which items somebody else must move first: they are nobody's work now, and count for nobody.
    """
    moment = clock.now()
    free = sa.true() if held is None else sa.not_(held)
    own = sa.and_(_own(actor), free)
    rows = session().execute(
        sa.select(
            QueueItem.queue,
            sa.func.count().filter(QueueItem.assignee_id == actor.id, free),
            sa.func.count().filter(QueueItem.assignee_id.is_(None), free),
            sa.func.count().filter(own, QueueItem.due_at < moment),
            sa.func.count().filter(own, _due_today(calendar, moment)),
            sa.func.min(QueueItem.opened_at).filter(own),
            sa.func.min(QueueItem.due_at).filter(own),
            sa.func.min(QueueItem.due_at).filter(own, QueueItem.due_at >= moment),
            sa.func.count().filter(own, QueueItem.assignee_id.is_(None), QueueItem.due_at < moment),
            sa.func.count(),
        )
        .where(QueueItem.queue.in_(queues), *_visible(actor))
        .group_by(QueueItem.queue)
    )
    found = {row[0]: QueueCount(*tuple(row)) for row in rows}
    return {queue: found.get(queue, QueueCount(queue, 0, 0, 0, 0, None, None)) for queue in queues}


def waiting_in(queues: Sequence[str], *, actor: Actor, at_most: int) -> dict[str, int]:
    """How many items are open in each, whoever has them, counted no further than `at_most`: one query, cheap on every
    page."""
    if not queues:
        return {}
    rows = session().execute(_waiting(tuple(queues), actor.sees_restricted, at_most))
    return {row[0]: row[1] for row in rows}


@lru_cache(maxsize=64)
def _waiting(queues: tuple[str, ...], sees_restricted: bool, at_most: int) -> sa.Executable:
    """Built once for each role: building it takes longer than the database needs to answer."""
    counted = []
    for queue in queues:
        some = (
            sa.select(sa.literal(1))
            .select_from(QueueItem)
            .where(QueueItem.queue == queue, *_visible_to(sees_restricted))
            .limit(at_most)
            .subquery()
        )
        counted.append(sa.select(sa.literal(queue).label("queue"), sa.func.count()).select_from(some))
    return sa.union_all(*counted) if len(counted) > 1 else counted[0]


def opened_since(queue: str, moment: datetime) -> int:
    """How many open items of a queue were put into it since."""
    opened = sa.and_(QueueItem.queue == queue, QueueItem.closed_at.is_(None), QueueItem.opened_at >= moment)
    return session().scalar(sa.select(sa.func.count()).select_from(QueueItem).where(opened)) or 0


def items(
    queues: Sequence[str],
    *,
    actor: Actor,
    calendar: BusinessCalendar,
    chosen: ItemFilter,
    held: sa.ColumnElement[bool] | None = None,
    after: tuple[datetime, UUID] | None = None,
    before: tuple[datetime, UUID] | None = None,
    limit: int = 50,
) -> list[QueueItem]:
    """By due time, earliest first. Any filter leaves out what is `held`, as the figures do.

    `after` and `before` are (due_at, id) of the row at the edge of the next page.
    """
    moment = clock.now()
    place = sa.tuple_(QueueItem.due_at, QueueItem.id)
    query = sa.select(QueueItem).where(QueueItem.queue.in_(queues), *_visible(actor)).limit(limit)
    if chosen.who == "me":
        query = query.where(QueueItem.assignee_id == actor.id)
    elif chosen.who == "none":
        query = query.where(QueueItem.assignee_id.is_(None))
    elif chosen.who == "own":
        query = query.where(_own(actor))
    if held is not None and chosen != ItemFilter():
        query = query.where(sa.not_(held))
    if chosen.late:
        query = query.where(_own(actor), QueueItem.due_at < moment)
    if chosen.due_today:
        query = query.where(_own(actor), _due_today(calendar, moment))
    if before is not None:
        query = query.where(place < sa.tuple_(*map(sa.literal, before)))
        return list(session().scalars(query.order_by(QueueItem.due_at.desc(), QueueItem.id.desc())))[::-1]
    if after is not None:
        query = query.where(place > sa.tuple_(*map(sa.literal, after)))
    return list(session().scalars(query.order_by(QueueItem.due_at, QueueItem.id)))


def get(item_id: UUID, *, actor: Actor) -> QueueItem:
    """An item, open or closed. Raises NotFound, also for one that this actor may not know of."""
    item = session().get(QueueItem, item_id)
    if item is None or (item.restricted and not actor.sees_restricted):
        raise NotFound("There is no such item.")
    return item


def of_client(client_id: UUID, *, actor: Actor) -> list[QueueItem]:
    """Open items that concern a client, by due time."""
    return list(
        session().scalars(
            sa.select(QueueItem).where(QueueItem.client_id == client_id, *_visible(actor)).order_by(QueueItem.due_at)
        )
    )
