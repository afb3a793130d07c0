"""Finding events: filters that combine, newest first, keyset paging."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard.audit.models import AuditActorSalt, AuditEvent, AuditPayload, AuditSeal
from dashboard.audit.verify_audit import Head, moment
from dashboard.database import session
from dashboard.errors import NotFound

#: time and identifier of a row: the order of the list
Key = tuple[datetime, UUID]
STREAM_ROWS = 1_000


@dataclass(frozen=True)
class Reader:
    """What a reader may see. `of_clients`: payloads about clients; `restricted`: their restricted parts too.

    Without `restricted` an event about a client is listed only if its action is in `open_actions`, because the mere
    existence of another may tell a reason. Without `of_clients` only payloads about objects in `house` are shown.
    """

    of_clients: bool
    restricted: bool
    open_actions: tuple[str, ...] = ()
    house: frozenset[str] = frozenset()

    def sees_payload(self, event: AuditEvent) -> bool:
        """Whether before, after and reason may be shown."""
        return self.of_clients or (event.client_id is None and event.object_type in self.house)

    def sees_name(self, event: AuditEvent) -> bool:
        """Whether name and address of the actor may be shown: those of a client's own app say something about it."""
        return self.of_clients or event.actor_kind != "token" or event.client_id is None


@dataclass(frozen=True)
class EventFilter:
    """`actors`, `objects`, `clients`: identifiers, any of them; None is no filter. Times: from, before."""

    kind: str | None = None
    actors: tuple[UUID, ...] | None = None
    #: a part of the house (a job, a command), by its name
    system_name: str | None = None
    action: str | None = None
    object_type: str | None = None
    object_id: UUID | None = None
    clients: tuple[UUID, ...] | None = None
    since: datetime | None = None
    before: datetime | None = None


@dataclass(frozen=True)
class Found:
    """An event with what lies apart from it."""

    event: AuditEvent
    payload: AuditPayload | None
    seal: AuditSeal | None
    actor_salt: str | None

    @property
    def key(self) -> Key:
        return self.event.occurred_at, self.event.id

    @property
    def erased(self) -> bool:
        return self.payload is not None and self.payload.salt == ""


def _conditions(chosen: EventFilter, reader: Reader) -> list[sa.ColumnElement[bool]]:
    event = AuditEvent
    found: list[sa.ColumnElement[bool]] = []
    if chosen.kind is not None:
        found.append(event.actor_kind == chosen.kind)
    if chosen.system_name is not None:
        found += [event.actor_id.is_(None), event.actor_name == chosen.system_name]
    if chosen.actors is not None:
        found.append(_one_of(event.actor_id, chosen.actors))
    if chosen.action is not None:
        found.append(event.action == chosen.action)
    if chosen.object_type is not None:
        found.append(event.object_type == chosen.object_type)
    if chosen.object_id is not None:
        found.append(event.object_id == chosen.object_id)
    if chosen.clients is not None:
        found.append(_one_of(event.client_id, chosen.clients))
    if chosen.since is not None:
        found.append(event.occurred_at >= chosen.since)
    if chosen.before is not None:
        found.append(event.occurred_at < chosen.before)
    if not reader.restricted:
        found.append(sa.or_(event.client_id.is_(None), event.action.in_(reader.open_actions)))
    return found


def _one_of(column: Any, ids: Sequence[UUID]) -> sa.ColumnElement[bool]:
    """One identifier as an equality: an index in the order of the list serves it."""
    condition: sa.ColumnElement[bool] = column == ids[0] if len(ids) == 1 else column.in_(ids)
    return condition


def _whole(query: sa.Select[Any]) -> Any:
    """Events of the query with payload, seal and salt: looked up for the rows that it gives only."""
    chosen = query.subquery()
    event = sa.orm.aliased(AuditEvent, chosen)
    return (
        sa.select(event, AuditPayload, AuditSeal, AuditActorSalt.salt)
        .outerjoin(AuditPayload, AuditPayload.event_id == event.id)
        .outerjoin(AuditSeal, AuditSeal.event_id == event.id)
        .outerjoin(AuditActorSalt, AuditActorSalt.event_id == event.id)
        .order_by(event.occurred_at.desc(), event.id.desc())
    )


def page(
    chosen: EventFilter, *, reader: Reader, limit: int, after: Key | None = None, backwards: bool = False
) -> list[Found]:
    """Up to `limit` events in the order shown, newest first; `after` the edge, or before it with `backwards`."""
    event, key = AuditEvent, sa.tuple_(AuditEvent.occurred_at, AuditEvent.id)
    query = sa.select(event).where(*_conditions(chosen, reader)).limit(limit)
    if backwards:
        query = query.order_by(event.occurred_at, event.id)
    else:
        query = query.order_by(event.occurred_at.desc(), event.id.desc())
    if after is not None:
        edge = sa.tuple_(sa.literal(after[0]), sa.literal(after[1]))
        query = query.where(key > edge if backwards else key < edge)
    return [Found(*row) for row in session().execute(_whole(query))]


@dataclass(frozen=True)
class Reach:
    """How far the chain reached at one moment, and how many events that fit a filter waited for their seal then."""

    head: Head | None
    waiting: int

    @property
    def last(self) -> int:
        """The last position; 0 while nothing is sealed."""
        return self.head.position if self.head else 0


def _sealed_up_to(last: int) -> sa.ColumnElement[bool]:
    # also true of one whose seal was removed: it is not left out of both parts
    return sa.func.coalesce(AuditSeal.position <= last, sa.false())


def reach(chosen: EventFilter, *, reader: Reader) -> Reach:
    """The head, and what waits beyond it: one statement, so one moment."""
    seal = sa.orm.aliased(AuditSeal)
    waiting = (
        sa.select(sa.func.count())
        .select_from(AuditEvent)
        .where(*_conditions(chosen, reader), ~sa.exists().where(seal.event_id == AuditEvent.id))
        .scalar_subquery()
    )
    last = (
        sa.select(AuditSeal.position, AuditSeal.hash, AuditSeal.sealed_at)
        .order_by(AuditSeal.position.desc())
        .limit(1)
        .subquery()
    )
    one = sa.select(waiting.label("waiting")).subquery()
    row = session().execute(sa.select(one, last).select_from(one.outerjoin(last, sa.true()))).one()
    head = Head(row.position, row.hash, moment(row.sealed_at)) if row.position is not None else None
    return Reach(head, row.waiting)


def every(
    chosen: EventFilter, *, reader: Reader, last: int, sealed: bool = True, newest_first: bool = False
) -> Iterator[Found]:
    """All that are sealed up to the position `last`, or those that are not; oldest first by default, from a cursor of
    the server; what was committed when it was opened."""
    event = AuditEvent
    order = (event.occurred_at.desc(), event.id.desc()) if newest_first else (event.occurred_at, event.id)
    query = (
        sa.select(event, AuditPayload, AuditSeal, AuditActorSalt.salt)
        .outerjoin(AuditPayload, AuditPayload.event_id == event.id)
        .outerjoin(AuditSeal, AuditSeal.event_id == event.id)
        .outerjoin(AuditActorSalt, AuditActorSalt.event_id == event.id)
        .where(*_conditions(chosen, reader), _sealed_up_to(last) if sealed else ~_sealed_up_to(last))
        .order_by(*order)
    )
    for part in session().execute(query.execution_options(yield_per=STREAM_ROWS)).partitions():
        # the session holds weakly what it read: what was written is not kept
        for row in part:
            yield Found(*row)


def get(event_id: UUID, *, reader: Reader) -> Found:
    """One event. Raises NotFound, also for one that the reader must not know of."""
    row = (
        session()
        .execute(_whole(sa.select(AuditEvent).where(AuditEvent.id == event_id, *_conditions(EventFilter(), reader))))
        .first()
    )
    if row is None:
        raise NotFound("There is no such event.", code="eventNotFound")
    return Found(*row)


def digests(after: int, last: int) -> Iterator[list[str]]:
    """Digests of the positions from the one after `after` to `last`, in order, a part at a time."""
    query = (
        sa.select(AuditSeal.digest)
        .where(AuditSeal.position > after, AuditSeal.position <= last)
        .order_by(AuditSeal.position)
    )
    for part in session().execute(query.execution_options(yield_per=STREAM_ROWS)).scalars().partitions():
        yield list(part)


def hash_at(position: int) -> str | None:
    """The hash of a position, None where there is none."""
    return session().scalar(sa.select(AuditSeal.hash).where(AuditSeal.position == position))


def _distinct(column: Any) -> list[str]:
    """Every value of an indexed column: from one to the next in the index, not through all events."""
    first = sa.select(sa.func.min(column).label("value")).cte("steps", recursive=True)
    following = sa.select(sa.func.min(column)).where(column > first.c.value).scalar_subquery()
    steps = first.union_all(sa.select(following).where(first.c.value.is_not(None)))
    return [one for one in session().scalars(sa.select(steps.c.value)) if one is not None]


def actions() -> list[str]:
    """Every action that there is."""
    return _distinct(AuditEvent.action)


def object_types() -> list[str]:
    """Every type of object that there is."""
    return _distinct(AuditEvent.object_type)
