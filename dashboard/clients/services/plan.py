"""When a client is reviewed next, and its place in the queue. Every verb that changes what the date follows from asks
`follow`; what lies outside this package (uploaded documents) says so with `learn` and `reconsider`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.clients.calendar import calendar
from dashboard.clients.models import Client, ClientMark, ClientReviewPlan, Individual, RelatedIndividual
from dashboard.clients.periods import periods
from dashboard.clients.services.lock import locked
from dashboard.clients.vocabulary import MarkKind, Risk, Status
from dashboard.database import session
from dashboard.queues import services as queues

QUEUE = "client-reviews"
#: of senior officers: nobody did it in time
OVERDUE_QUEUE = "overdue-reviews"
#: business days that somebody has at least from the moment a review enters the queue
LEAST_DAYS = 5
PROHIBITED_DAYS = 1
#: kinds of identity documents inside a sentence
DOCUMENT_WORDS = {"passport": "passport", "idCard": "identity card", "driverLicense": "driving licence"}

#: the first day after `after` on which a document of the client runs out; None without one
Expiry = Callable[[UUID, date], date | None]
_sources: dict[str, Expiry] = {}


def learn(name: str, source: Expiry) -> None:
    """Documents of a higher domain whose expiry counts too. Called once, by app.py; the same name again replaces it."""
    _sources[name] = source


def first_expiry(client_id: UUID, after: date) -> date | None:
    """The first day after `after` on which an identity document of the profile or of a related individual, or what
    was learnt, runs out.
    """
    written = RelatedIndividual.document["expirationDate"].astext
    days = session().scalars(
        sa.union_all(
            sa.select(Individual.document_expiration_date).where(
                Individual.client_id == client_id, Individual.document_expiration_date > after
            ),
            sa.select(sa.cast(written, sa.Date)).where(
                RelatedIndividual.client_id == client_id, written > after.isoformat()
            ),
        )
    )
    found = [*days, *(source(client_id, after) for source in _sources.values())]
    return min((day for day in found if day is not None), default=None)


class IdentityDocument(NamedTuple):
    """One of the profile or of a related individual, with the last day on which it is valid."""

    whose: str
    what: str
    day: date


def identity_documents(client: Client) -> list[IdentityDocument]:
    """Those with a day of expiry, the first to run out first."""
    found = [
        IdentityDocument(client.name, DOCUMENT_WORDS.get(row.document_type or "", "document"), row.day)
        for row in session().execute(
            sa.select(Individual.document_type, Individual.document_expiration_date.label("day")).where(
                Individual.client_id == client.id, Individual.document_expiration_date.is_not(None)
            )
        )
    ]
    for one in session().scalars(sa.select(RelatedIndividual).where(RelatedIndividual.client_id == client.id)):
        stored = one.document or {}
        if stored.get("expirationDate"):
            name = f"{one.first_name or ''} {one.last_name or ''}".strip() or "Somebody without a name"
            what = DOCUMENT_WORDS.get(stored.get("type") or "", "document")
            found.append(IdentityDocument(name, what, date.fromisoformat(stored["expirationDate"])))
    return sorted(found, key=lambda one: one.day)


class Limit(NamedTuple):
    """A day after which the next review cannot lie, and why, in words."""

    day: date
    why: str
    #: not moved by a renewed document: one had run out when the client was reviewed
    held: bool = False


def limits(client: Client, today: date) -> list[Limit]:
    """What bounds the next review of a client that is reviewed today, besides the period; the earliest first.

    A document that runs out later bounds it by its day. One that has run out already is nothing to wait for: the
    client is looked at again within the lead time.
    """
    known = identity_documents(client)
    found = []
    first = first_expiry(client.id, today)
    if first is not None:
        it = next((one for one in known if one.day == first), None)
        found.append(Limit(first, f"{it.whose}'s {it.what} expires" if it else "an uploaded document expires"))
    if known and known[0].day <= today:
        late = known[0]
        soon = today + timedelta(days=max(periods().lead, 1))
        found.append(Limit(soon, f"{late.whose}'s {late.what} has expired already", held=True))
    return sorted(found)


def _heightened(client_id: UUID) -> bool:
    """Somebody politically exposed is among them: by a mark that stands, or by the profile."""
    marked = sa.select(ClientMark.id).where(
        ClientMark.client_id == client_id, ClientMark.kind == MarkKind.PEP.value, ClientMark.ended_at.is_(None)
    )
    stated = sa.select(RelatedIndividual.id).where(
        RelatedIndividual.client_id == client_id, RelatedIndividual.is_pep.is_(True)
    )
    return bool(session().scalar(sa.select(sa.or_(marked.exists(), stated.exists()))))


def follow(client: Client, *, by: Actor) -> ClientReviewPlan:
    """Compute the next review anew, and its place in the queue. The client is locked and flushed.

    It is the earliest of: the last review (the activation, the creation) plus the period of the risk; the first
    document that runs out since; a day that the reviewer chose; the day on which the risk became prohibited.
    """
    today = calendar().today()
    states = {client.status, client.status_before_block}
    running = Status.ACTIVE in states
    plan = session().get(ClientReviewPlan, client.id, populate_existing=True)
    if plan is None:
        plan = ClientReviewPlan(
            client_id=client.id,
            running=running,
            risk_level=Risk.NOT_SET.value,
            period_from=calendar().today(client.created_at),
        )
        session().add(plan)
        before = None
    else:
        before = plan.next_on
        if running and not plan.running and plan.period_from < today:
            # who activates has looked: the period begins with it
            plan.period_from, plan.chosen_on = today, None
    if client.risk_level != Risk.PROHIBITED:
        plan.prohibited_on = None
    elif plan.risk_level != Risk.PROHIBITED:
        plan.prohibited_on = today
    plan.running, plan.ended = running, Status.CLOSED in states
    plan.risk_level = client.risk_level
    # written in one statement: the guard compares what belongs together
    with session().no_autoflush:
        plan.heightened = _heightened(client.id)
        plan.expires_on = first_expiry(client.id, plan.period_from)
    plan.period_months = periods().months(client.risk_level, heightened=plan.heightened)
    session().flush()
    _queue(client, plan, before, by=by)
    return plan


def reconsider(client_id: UUID, *, by: Actor | None = None) -> ClientReviewPlan:
    """The same for one client by its id: a document of it came, went or changed its expiry. Raises NotFound."""
    return follow(locked(client_id), by=by or system("reviews"))


def _due(plan: ClientReviewPlan, next_on: date) -> datetime:
    """Close of business on the day itself; somebody who gets it late still has a few days."""
    days = calendar()
    least = PROHIBITED_DAYS if plan.prohibited_on is not None else LEAST_DAYS
    return max(days.closing(next_on), days.due_after(clock.now(), least))


def _queue(client: Client, plan: ClientReviewPlan, before: date | None, *, by: Actor) -> None:
    next_on = plan.next_on
    horizon = calendar().today() + timedelta(days=periods().lead)
    if not plan.running or next_on is None or next_on > horizon:
        leave_queue(plan, by=by)
        return
    fresh = _due(plan, next_on)
    if plan.due_at is None:
        plan.due_at = fresh
    elif before is not None and next_on > before and calendar().closing(next_on) > clock.now():
        # really later (a document was renewed): the clock starts again
        queues.close_items(OVERDUE_QUEUE, object_id=client.id, by=by)
        plan.due_at, plan.escalated_at, plan.restricted_at = fresh, None, None
    elif before is None or next_on < before:
        plan.due_at = min(plan.due_at, fresh)
    session().flush()
    queues.open_item(
        QUEUE,
        cause="periodic",
        object_type="client",
        object_id=client.id,
        client_id=client.id,
        due_at=plan.due_at,
        # beside a new block it would tell why that was placed
        restricted=True,
    )
    queues.move_due(QUEUE, object_id=client.id, due_at=plan.due_at)


def leave_queue(plan: ClientReviewPlan, *, by: Actor) -> None:
    """Nothing is due any more. A block that was placed meanwhile stays: two people lift it."""
    if plan.due_at is None:
        return
    plan.due_at = plan.escalated_at = plan.restricted_at = None
    session().flush()
    for queue in (QUEUE, OVERDUE_QUEUE):
        queues.close_items(queue, object_id=plan.client_id, by=by)
