"""Reading events and applicants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from dashboard.audit import queries as audit
from dashboard.clients.models import Client, VerificationDecision
from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.onboarding.sumsub.models import SumsubApplicant, SumsubEvent
from dashboard.onboarding.sumsub.vocabulary import EventEffect, Source, Verdict
from dashboard.queues.models import QueueItem

#: states of an event beyond its effect
WAITING, REFUSED = "waiting", "refused"
MOST_OF_ONE = 200
#: effects of nearly all events, which the index of the others leaves out
_COMMON = (EventEffect.APPLIED, EventEffect.NOTED)
#: an identifier is made within this of the time of receipt
_APART = timedelta(minutes=5)


@dataclass(frozen=True)
class EventFilter:
    """All that is set must hold. `about`: a client's, applicant's or operation's id, exactly."""

    about: str | None = None
    state: str | None = None
    type: str | None = None
    answer: str | None = None
    source: str | None = None
    received_from: datetime | None = None
    received_before: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        """For background work; `of_json` reads it."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
            if value is not None
        }

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> EventFilter:
        moments = {"received_from", "received_before"}
        read: dict[str, Any] = {
            name: datetime.fromisoformat(value) if name in moments else value for name, value in kept.items()
        }
        return cls(**read)


class Row(NamedTuple):
    """An event as the list shows it. `client_name` None: no client of ours."""

    event: SumsubEvent
    client_name: str | None


def _conditions(chosen: EventFilter, table: type[SumsubEvent]) -> list[sa.ColumnElement[bool]]:
    """All but `about`, in the words of the partial indexes: a bound value would hide them from a prepared plan."""
    found: list[sa.ColumnElement[bool]] = []
    if chosen.state == WAITING:
        found += [table.verdict == _constant(Verdict.ACCEPTED), table.processed_at.is_(None)]
    elif chosen.state == REFUSED:
        found.append(table.verdict == _constant(Verdict.REFUSED))
    elif chosen.state:
        found.append(table.effect == chosen.state)
        if chosen.state not in _COMMON:
            found.append(table.effect.not_in([_constant(effect) for effect in _COMMON]))
    for column, value in ((table.type, chosen.type), (table.answer, chosen.answer), (table.source, chosen.source)):
        if value:
            found.append(column == value)
    if chosen.source and chosen.source != Source.WEBHOOK:
        found.append(table.source != _constant(Source.WEBHOOK))
    # the time stands in the identifier as well, by which the list is ordered: what lies beyond is not walked
    if chosen.received_from:
        found += [table.received_at >= chosen.received_from, table.id >= _id_at(chosen.received_from - _APART)]
    if chosen.received_before:
        found += [table.received_at < chosen.received_before, table.id < _id_at(chosen.received_before + _APART)]
    return found


def _constant(word: StrEnum) -> sa.ColumnElement[str]:
    return sa.literal_column(f"'{word.value}'", sa.Text)


def _id_at(moment: datetime) -> UUID:
    """The smallest identifier of that moment (UUIDv7: milliseconds first)."""
    return UUID(int=max(int(moment.timestamp() * 1000), 0) << 80)


def _found(chosen: EventFilter) -> tuple[type[SumsubEvent], list[sa.ColumnElement[bool]]]:
    """Where to read from, and the conditions.

    What is about one id is few: it is gathered from one index after the other, behind a fence (OFFSET 0), and only
    then ordered. Without it the planner walks all events from the newest until it has a page of them.
    """
    if not chosen.about:
        return SumsubEvent, _conditions(chosen, SumsubEvent)
    table = SumsubEvent
    unknown = session().scalars(
        sa.select(SumsubApplicant.applicant_id)
        .where(SumsubApplicant.client_id.is_(None), SumsubApplicant.external_user_id == chosen.about)
        .order_by(SumsubApplicant.id)
        .limit(MOST_OF_ONE)
    )
    ids = sa.union_all(
        sa.select(table.id).where(table.applicant_id.in_([chosen.about, *unknown])),
        sa.select(table.id).where(table.correlation_id == chosen.about),
        *(sa.select(table.id).where(condition) for condition in _of_client(chosen.about)),
    ).subquery()
    gathered = sa.select(table).where(table.id.in_(sa.select(ids.c.id))).offset(0).subquery()
    alias = cast(type[SumsubEvent], aliased(SumsubEvent, gathered))
    return alias, _conditions(chosen, alias)


def _of_client(about: str) -> list[sa.ColumnElement[bool]]:
    try:
        return [SumsubEvent.client_id == UUID(about)]
    except ValueError:
        return []


def find(chosen: EventFilter, *, limit: int, before: UUID | None = None, after: UUID | None = None) -> list[Row]:
    """Newest first. `before` reads on from that event, `after` back towards the newest."""
    table, conditions = _found(chosen)
    query = (
        sa.select(table, Client.name)
        .outerjoin(Client, Client.id == table.client_id)
        .where(*conditions)
        .options(sa.orm.defer(table.body))
        .limit(limit)
    )
    if after is not None:
        rows = session().execute(query.where(table.id > after).order_by(table.id)).all()
        return [Row(*row) for row in reversed(rows)]
    if before is not None:
        query = query.where(table.id < before)
    return [Row(*row) for row in session().execute(query.order_by(table.id.desc()))]


def any_event() -> bool:
    return session().scalar(sa.select(SumsubEvent.id).limit(1)) is not None


def types() -> list[str]:
    """Types that were told, by name: a skip from one to the next, however many events there are."""
    first = sa.select(sa.func.min(SumsubEvent.type).label("type")).cte("found", recursive=True)
    following = sa.select(
        sa.select(sa.func.min(SumsubEvent.type)).where(SumsubEvent.type > first.c.type).scalar_subquery()
    ).where(first.c.type.is_not(None))
    found = first.union_all(following)
    return list(session().scalars(sa.select(found.c.type).where(found.c.type.is_not(None)).limit(100)))


def get(event_id: UUID) -> SumsubEvent:
    """Raises NotFound `eventNotFound`."""
    found = session().get(SumsubEvent, event_id, populate_existing=True)
    if found is None:
        raise NotFound("There is no such event.", code="eventNotFound")
    return found


def applicant(applicant_id: UUID) -> SumsubApplicant:
    """By our own id of it. Raises NotFound."""
    found = session().get(SumsubApplicant, applicant_id)
    if found is None:
        raise NotFound("There is no such applicant.")
    return found


def applicant_named(applicant_id: str) -> SumsubApplicant | None:
    """By Sumsub's id of it."""
    return session().scalar(sa.select(SumsubApplicant).where(SumsubApplicant.applicant_id == applicant_id))


def of_applicant(applicant_id: str) -> list[SumsubEvent]:
    """Its events in the order of Sumsub's time, newest first; the newest two hundred."""
    table = SumsubEvent
    return list(
        session().scalars(
            sa.select(table)
            .where(table.applicant_id == applicant_id, table.verdict == Verdict.ACCEPTED.value)
            .options(sa.orm.defer(table.body))
            .order_by(table.ordered_at.desc(), table.ordered_rank.desc(), table.meaning.desc())
            .limit(MOST_OF_ONE)
        )
    )


def decisions_of(event_id: UUID) -> list[VerificationDecision]:
    """What the event did to its client, in the order in which it was decided."""
    return list(
        session().scalars(
            sa.select(VerificationDecision)
            .where(VerificationDecision.event_id == event_id)
            .order_by(VerificationDecision.id)
        )
    )


def doubts_about(object_ids: Sequence[UUID], *, sees_restricted: bool) -> list[QueueItem]:
    """Open doubts about an event or its applicant."""
    query = sa.select(QueueItem).where(
        QueueItem.queue == "verification", QueueItem.object_id.in_(object_ids), QueueItem.closed_at.is_(None)
    )
    if not sees_restricted:
        query = query.where(QueueItem.restricted.is_(False))
    return list(session().scalars(query.order_by(QueueItem.due_at)))


class Settled(NamedTuple):
    """A doubt that a person settled: its cause, what was found, by whom and when."""

    cause: str
    reason: str
    by_id: UUID | None
    by_name: str
    at: datetime


def settled_about(event: SumsubEvent, whose: SumsubApplicant | None, *, sees_restricted: bool) -> list[Settled]:
    """Settled doubts about an event and its applicant, newest first. What was doubtful is restricted: without the
    permission there are none."""
    if not sees_restricted:
        return []
    entries = audit.of_object("sumsub_event", event.id, sees_restricted=True)
    if whose is not None:
        entries += audit.of_object("sumsub_applicant", whose.id, sees_restricted=True)
    found = [
        Settled(
            str(entry.restricted.get("cause")), str(entry.restricted.get("reason", "")), entry.actor_id,
            entry.actor_name, entry.at,
        )
        for entry in entries
        if entry.action == "verification.doubt_settled" and entry.restricted
    ]  # fmt: skip
    return sorted(found, key=lambda one: one.at, reverse=True)


def _replayable(chosen: EventFilter) -> tuple[type[SumsubEvent], list[sa.ColumnElement[bool]]]:
    table, conditions = _found(chosen)
    return table, [
        *conditions,
        table.verdict == Verdict.ACCEPTED.value,
        table.applicant_id.is_not(None),
        sa.func.coalesce(table.effect, "") != EventEffect.UNREADABLE.value,
    ]


def count_applicants(chosen: EventFilter) -> int:
    """How many applicants the events of a filter are about. Walks them all."""
    table, conditions = _replayable(chosen)
    query = sa.select(sa.func.count(sa.distinct(table.applicant_id))).where(*conditions)
    return session().scalar(query) or 0


#: a replay is counted no further before it is asked for
MOST_COUNTED = 100_000


def count_replayable(chosen: EventFilter) -> tuple[int, int]:
    """How many events of a filter can be processed again, and of how many applicants; both among the newest
    `MOST_COUNTED` + 1 of them."""
    table, conditions = _replayable(chosen)
    some = sa.select(table.applicant_id).where(*conditions).order_by(table.id.desc()).limit(MOST_COUNTED + 1).subquery()
    row = session().execute(
        sa.select(sa.func.count(), sa.func.count(sa.distinct(some.c.applicant_id))).select_from(some)
    )
    events, applicants = row.one()
    return events, applicants


def applicants_after(chosen: EventFilter, edge: str | None, limit: int) -> list[str]:
    """The next applicants of a filter, by their id."""
    table, conditions = _replayable(chosen)
    beyond = [table.applicant_id > edge] if edge is not None else []
    query = sa.select(table.applicant_id).distinct().where(*conditions, *beyond)
    return [one for one in session().scalars(query.order_by(table.applicant_id).limit(limit)) if one]


def newest_applicant_of(external_user_id: str) -> str | None:
    """The client's applicant that was told of last; None without one."""
    try:
        client_id = UUID(external_user_id)
    except ValueError:
        return None
    return session().scalar(
        sa.select(SumsubApplicant.applicant_id)
        .where(SumsubApplicant.client_id == client_id)
        .order_by(SumsubApplicant.last_told_at.desc().nulls_last(), SumsubApplicant.id.desc())
        .limit(1)
    )


def named(ids: Sequence[UUID]) -> dict[UUID, str]:
    """Events and applicants without a client of ours, by our ids of them: `Applicant 5c9e177b…`."""
    found: dict[UUID, str] = {}
    for table in (SumsubEvent, SumsubApplicant) if ids else ():
        rows = session().execute(sa.select(table.id, table.applicant_id).where(table.id.in_(ids)))
        found |= {row.id: f"Applicant {row.applicant_id[:8]}…" if row.applicant_id else "A body" for row in rows}
    return found


class Unprocessed(NamedTuple):
    """An event that was taken and not processed yet; `path` is its page."""

    id: UUID
    received_at: datetime
    path: str


def unprocessed(before: datetime) -> list[Unprocessed]:
    """Events received before a moment that wait to be processed, oldest first, at most a thousand."""
    table = SumsubEvent
    rows = session().execute(
        sa.select(table.id, table.received_at)
        .where(table.verdict == _constant(Verdict.ACCEPTED), table.processed_at.is_(None), table.received_at < before)
        .order_by(table.id)
        .limit(1000)
    )
    return [Unprocessed(row.id, row.received_at, f"/onboarding/events/{row.id}") for row in rows]
