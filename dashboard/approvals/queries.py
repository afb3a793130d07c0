"""Reading requests: what waits for me, what I asked, what was decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import ROLES, Role
from dashboard.approvals import terms
from dashboard.approvals.kinds import hidden_from, kind_of, registered
from dashboard.approvals.models import QUEUE, ApprovalRequest
from dashboard.approvals.terms import Terms
from dashboard.audit.models import AuditEvent
from dashboard.audit.queries import LOOKS
from dashboard.clock import BusinessCalendar
from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.queues.models import QueueItem
from dashboard.queues.queries import QueueCount
from dashboard.staff import queries as staff
from dashboard.staff.queries import Person

#: days that a request may be old at least, in the words of the filter
AGES = {"1": "1 day or more", "3": "3 days or more", "7": "7 days or more"}

#: (expires_at, id): what any list of requests can be ordered by
Place = tuple[datetime, UUID]


def get(request_id: UUID, *, actor: Actor) -> ApprovalRequest:
    """Raises NotFound, also for a request that this reader may not know of."""
    found = session().get(ApprovalRequest, request_id)
    if found is None or found.kind in hidden_from(actor):
        raise NotFound("There is no such request.")
    return found


def by_ids(ids: Iterable[UUID | None]) -> dict[UUID, ApprovalRequest]:
    """Requests by id, in one query: a timeline says what was asked."""
    wanted = {i for i in ids if i is not None}
    if not wanted:
        return {}
    found = session().scalars(sa.select(ApprovalRequest).where(ApprovalRequest.id.in_(wanted)))
    return {request.id: request for request in found}


def _open() -> list[sa.ColumnElement[bool]]:
    return [ApprovalRequest.state == "requested", ApprovalRequest.expires_at > clock.now()]


def _known_to(actor: Actor) -> list[sa.ColumnElement[bool]]:
    hidden = hidden_from(actor)
    return [ApprovalRequest.kind.not_in(hidden)] if hidden else []


def _kinds_for(actor: Actor) -> tuple[str, ...]:
    hidden = hidden_from(actor)
    return tuple(kind.key for kind in registered() if actor.may(kind.permission) and kind.key not in hidden)


def _for(actor: Actor) -> list[sa.ColumnElement[bool]]:
    """The same rule as services.why_not, as a condition."""
    kinds = _kinds_for(actor)
    conditions = [
        *_open(),
        ApprovalRequest.kind.in_(kinds),
        ApprovalRequest.kind.not_in(terms.closed_to(sa.literal(actor.role))),
        ApprovalRequest.maker_id != actor.id,
        ApprovalRequest.maker_owner_id.is_distinct_from(actor.id),
        ApprovalRequest.object_id != actor.id,
    ]
    if not actor.senior:
        conditions.append(ApprovalRequest.maker_senior.is_(True))
    return conditions


#: the item of a request that somebody has taken
_TAKEN = sa.and_(
    QueueItem.queue == QUEUE,
    QueueItem.object_id == ApprovalRequest.id,
    QueueItem.closed_at.is_(None),
    QueueItem.assignee_id.is_not(None),
)


def _held_by(actor: Actor, who: str) -> list[sa.ColumnElement[bool]]:
    """`who`: me (taken by this person), none (by nobody), own (by no colleague), any."""
    taken = sa.select(QueueItem.id).where(_TAKEN)
    if who == "me":
        return [taken.where(QueueItem.assignee_id == actor.id).exists()]
    if who == "none":
        return [~taken.exists()]
    return [~taken.where(QueueItem.assignee_id != actor.id).exists()] if who == "own" else []


def count_for(actor: Actor, calendar: BusinessCalendar) -> QueueCount:
    """The figures of the queue "Approvals for me"; due is when the request expires. As in every queue, what a colleague
    has taken counts for everybody alone."""
    moment = clock.now()
    closing = calendar.closing(calendar.today(moment))
    mine, free = QueueItem.assignee_id == actor.id, QueueItem.id.is_(None)
    own = sa.or_(mine, free)
    total, taken, untaken, today, oldest, next_due = session().execute(
        sa.select(
            sa.func.count(),
            sa.func.count().filter(mine),
            sa.func.count().filter(free),
            sa.func.count().filter(own, ApprovalRequest.expires_at <= closing),
            sa.func.min(ApprovalRequest.requested_at).filter(own),
            sa.func.min(ApprovalRequest.expires_at).filter(own),
        )
        .select_from(ApprovalRequest)
        .outerjoin(QueueItem, _TAKEN)
        .where(*_for(actor))
    ).one()  # fmt: skip
    return QueueCount(
        QUEUE, mine=taken, unassigned=untaken, late=0, due_today=today, oldest_at=oldest, next_due_at=next_due,
        upcoming_at=next_due, everybody=total,
    )  # fmt: skip


@lru_cache(maxsize=64)
def _waiting(kinds: tuple[str, ...], senior: bool) -> sa.Select[int]:
    """How many `_for` finds. Built once for each role: building it takes longer than the database needs to answer."""
    me = sa.bindparam("me", type_=ApprovalRequest.maker_id.type)
    query = sa.select(sa.func.count()).where(
        ApprovalRequest.state == "requested",
        ApprovalRequest.expires_at > sa.bindparam("moment", type_=ApprovalRequest.expires_at.type),
        ApprovalRequest.kind.in_(kinds),
        ApprovalRequest.kind.not_in(terms.closed_to(sa.bindparam("role", type_=sa.Text()))),
        ApprovalRequest.maker_id != me,
        ApprovalRequest.maker_owner_id.is_distinct_from(me),
        ApprovalRequest.object_id != me,
    )
    return query if senior else query.where(ApprovalRequest.maker_senior.is_(True))


def waiting_for(actor: Actor) -> int:
    """`count_for` for everybody, cheap enough for every page."""
    values = {"me": actor.id, "role": actor.role, "moment": clock.now()}
    return session().scalar(_waiting(_kinds_for(actor), actor.senior), values) or 0


@dataclass(frozen=True)
class Narrowed:
    """Filters of the list, which combine: kind (its key), maker (a part of the name), age (a key of `AGES`)."""

    kind: str = ""
    maker: str = ""
    age: str = ""

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """As a query takes them."""
        found: list[sa.ColumnElement[bool]] = []
        if self.kind:
            found.append(ApprovalRequest.kind == self.kind)
        if self.maker:
            found.append(ApprovalRequest.maker_name.icontains(self.maker, autoescape=True))
        if self.age:
            found.append(ApprovalRequest.requested_at <= clock.now() - timedelta(days=int(self.age)))
        return found


def asked_for(actor: Actor) -> sa.ColumnElement[bool]:
    """What this person asked, or a token that they answer for."""
    return sa.or_(ApprovalRequest.maker_id == actor.id, ApprovalRequest.maker_owner_id == actor.id)


def page(
    *,
    actor: Actor,
    view: str,
    calendar: BusinessCalendar,
    due_today: bool = False,
    who: str = "any",
    narrowed: Narrowed | None = None,
    after: Place | None = None,
    before: Place | None = None,
    limit: int = 50,
) -> list[ApprovalRequest]:
    """`view`: me (may decide, soonest to expire first), or mine (asked by me or a token of mine), open, closed: the
    newest first. `who` has taken it, of what waits for me: me, none, own (no colleague), any.

    `after` and `before` are the place (`expires_at`, `id`) of the row at the edge of the next page.
    """
    narrow = narrowed.conditions() if narrowed else []
    query = sa.select(ApprovalRequest).where(*_known_to(actor), *narrow).limit(limit)
    forward = view == "me"
    if view == "me":
        query = query.where(*_for(actor), *_held_by(actor, who))
        if due_today:
            query = query.where(ApprovalRequest.expires_at <= calendar.closing(calendar.today()))
    elif view == "mine":
        query = query.where(asked_for(actor))
    elif view == "open":
        query = query.where(*_open())
    else:
        query = query.where(ApprovalRequest.state != "requested")
    edge = before or after
    place = sa.tuple_(ApprovalRequest.expires_at, ApprovalRequest.id) if forward else sa.tuple_(ApprovalRequest.id)
    ascending = forward == (before is None)
    if edge is not None:
        there = sa.tuple_(*map(sa.literal, edge if forward else edge[1:]))
        query = query.where(place > there if ascending else place < there)
    columns = (ApprovalRequest.expires_at, ApprovalRequest.id) if forward else (ApprovalRequest.id,)
    found = list(session().scalars(query.order_by(*(c.asc() if ascending else c.desc() for c in columns))))
    return found[::-1] if before is not None else found


def first_to_take(actor: Actor) -> ApprovalRequest | None:
    """What expires first of what this person may decide and no colleague has taken; locked, and what others have locked
    at this moment is left out."""
    return session().scalar(
        sa.select(ApprovalRequest)
        .where(*_for(actor), *_held_by(actor, "own"))
        .order_by(ApprovalRequest.expires_at, ApprovalRequest.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def may_decide_anything(actor: Actor) -> bool:
    """Whether any kind of request could ever wait for this actor."""
    return actor.kind == "staff" and any(actor.may(kind.permission) for kind in registered())


def deciders(
    requests: Iterable[ApprovalRequest], *, idle: timedelta, rules: Mapping[str, Terms] | None = None
) -> dict[UUID, list[Person]]:
    """Who could decide each of these, those signed in first; one query for all. `rules` that stand, where the caller
    knows them."""
    wanted = list(requests)
    rules = terms.standing() if rules is None else rules
    roles = {
        request.kind: rules.get(request.kind, terms.AS_INSTALLED).roles(kind_of(request.kind)) for request in wanted
    }
    people = staff.members_in({role for some in roles.values() for role in some}, idle=idle) if wanted else []
    return {
        request.id: [
            person
            for person in people
            if person.role in roles[request.kind]
            and person.id not in {request.maker_id, request.maker_owner_id, request.object_id}
            and (request.maker_senior or ROLES[Role(person.role)].senior)
        ]
        for request in wanted
    }


def deciders_for(maker: Actor, kind_key: str, *, idle: timedelta, about: UUID | None = None) -> list[Person]:
    """Who could decide a request of this kind that this person is about to make; `about`: the person whom it
    concerns."""
    roles = terms.of(kind_key).roles(kind_of(kind_key))
    people = staff.members_in([role for role in roles if maker.senior or ROLES[role].senior], idle=idle)
    return [person for person in people if person.id not in {maker.id, about}]


#: said of an action whose kind of request tells no words for it
ANY_CHANGE = "changed the client"


@dataclass(frozen=True)
class Change:
    """The newest change that came between a request and its decision."""

    at: datetime
    who: str
    did: str


def changed_since(request: ApprovalRequest, *, actor: Actor) -> Change | None:
    """Who changed what the request was about after it was made, for those who may decide it; as its kind tells.

    Of what is no client's, its own events tell.
    """
    kind = kind_of(request.kind)
    named = {**kind.touched_by, **(kind.touched_unseen if actor.sees_restricted else {})}
    touching = (
        AuditEvent.action.in_(named)
        if named
        else AuditEvent.object_type.not_in(
            ("approval_request", "queue_item", "client_note", "client_mark", "client_review")
        )
    )
    about = (
        [AuditEvent.client_id == request.client_id]
        if request.client_id is not None
        else [AuditEvent.object_type == request.object_type, AuditEvent.object_id == request.object_id]
    )
    row = session().execute(
        sa.select(AuditEvent.occurred_at, AuditEvent.actor_kind, AuditEvent.actor_name, AuditEvent.action)
        .where(
            *about,
            AuditEvent.occurred_at > request.requested_at,
            AuditEvent.action.not_in(LOOKS),
            touching,
        )
        .order_by(AuditEvent.id.desc())
        .limit(1)
    ).first()  # fmt: skip
    if row is None:
        return None
    # which rule of the house it was would tell why a block stands
    did = ANY_CHANGE if request.client_id is not None else "changed it"
    masked = row.actor_kind == "system" and not actor.sees_restricted
    return Change(row.occurred_at, "The system" if masked else row.actor_name, named.get(row.action, did))


def asked_by(actor: Actor, limit: int = 10) -> Sequence[ApprovalRequest]:
    """Open requests of this maker and of their tokens, the soonest to expire first."""
    return list(
        session().scalars(
            sa.select(ApprovalRequest)
            .where(*_open(), *_known_to(actor), asked_for(actor))
            .order_by(ApprovalRequest.expires_at)
            .limit(limit)
        )
    )


def open_for_client(client_id: UUID, *, actor: Actor) -> Sequence[ApprovalRequest]:
    """Open requests that concern a client, as far as this reader may know of them, oldest first."""
    return list(
        session().scalars(
            sa.select(ApprovalRequest)
            .where(*_open(), *_known_to(actor), ApprovalRequest.client_id == client_id)
            .order_by(ApprovalRequest.id)
        )
    )
