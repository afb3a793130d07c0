"""What the passing of days does to reviews: they enter the queue, are raised to senior officers, and at last restrict.

Each function works on a few clients at a time; the job calls it until nothing is left. Killed half-way, the next run
goes on where this one ended; two at once do nothing twice.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.clients.calendar import calendar
from dashboard.clients.models import ClientReviewPlan
from dashboard.clients.periods import periods
from dashboard.clients.services.block import block
from dashboard.clients.services.lock import active_blocks, locked
from dashboard.clients.services.plan import OVERDUE_QUEUE, QUEUE, follow
from dashboard.clients.vocabulary import CLIENT_TEXTS, BlockCode, Scope
from dashboard.database import session
from dashboard.queues import queries as queue_queries
from dashboard.queues import services as queues

#: plans that one statement makes or moves
CHUNK = 20_000


def plan_missing(most: int = CHUNK) -> int:
    """Give a plan to clients that came without one (loaded past the verbs); gives how many."""
    made = session().scalar(
        sa.select(
            sa.func.plan_reviews(periods().low, periods().medium, periods().high, calendar().zone.key, most)
        )
    )  # fmt: skip
    return int(made or 0)


def replan(most: int = CHUNK) -> int:
    """The settings name other periods than the plans were made with: move them; gives how many."""
    own = sa.case(
        (ClientReviewPlan.risk_level == 1, periods().low),
        (ClientReviewPlan.risk_level == 2, periods().medium),
        else_=periods().high,
    )
    wanted = sa.case((ClientReviewPlan.heightened, sa.func.least(own, periods().high)), else_=own)
    some = (
        sa.select(ClientReviewPlan.client_id)
        .where(ClientReviewPlan.period_months != wanted)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    moved = session().execute(
        sa.update(ClientReviewPlan)
        .where(ClientReviewPlan.client_id.in_(some))
        .values(period_months=wanted)
        .execution_options(synchronize_session=False)
    )
    return moved.rowcount  # type: ignore[attr-defined, no-any-return]


def room_today() -> int:
    """How many more reviews may enter the queue today."""
    start = datetime.combine(calendar().today(), datetime.min.time(), calendar().zone)
    return max(0, periods().daily - queue_queries.opened_since(QUEUE, start))


def to_enter(today: date, limit: int) -> list[UUID]:
    """Clients whose review is due within the lead time and is not in the queue, the most urgent first."""
    horizon = today + timedelta(days=periods().lead)
    return list(
        session().scalars(
            sa.select(ClientReviewPlan.client_id)
            .where(ClientReviewPlan.running, ClientReviewPlan.next_on <= horizon, ClientReviewPlan.due_at.is_(None))
            .order_by(ClientReviewPlan.next_on, ClientReviewPlan.client_id)
            .limit(limit)
        )
    )


def to_leave(today: date, limit: int) -> list[UUID]:
    """Clients in the queue whose review is not due any more: a setting moved it."""
    horizon = today + timedelta(days=periods().lead)
    return list(
        session().scalars(
            sa.select(ClientReviewPlan.client_id)
            .where(ClientReviewPlan.due_at.is_not(None), ClientReviewPlan.next_on > horizon)
            .limit(limit)
        )
    )


def look(client_id: UUID, *, by: Actor) -> None:
    """Put one client's review where it belongs now."""
    follow(locked(client_id), by=by)


def _late(business_days: int, condition: sa.ColumnElement[bool], limit: int) -> list[UUID]:
    """In the queue, and over by so many business days."""
    days, moment = calendar(), clock.now()
    day = days.today(moment)
    while days.closing(days.add_days(day, business_days)) >= moment:
        day -= timedelta(days=1)
    before = datetime.combine(day + timedelta(days=1), datetime.min.time(), days.zone)
    return list(
        session().scalars(
            sa.select(ClientReviewPlan.client_id)
            .where(ClientReviewPlan.due_at < before, condition)
            .order_by(ClientReviewPlan.next_on, ClientReviewPlan.client_id)
            .limit(limit)
        )
    )


def to_escalate(limit: int) -> list[UUID]:
    """Clients whose review is late by the days after which senior officers are told."""
    return _late(periods().escalate, ClientReviewPlan.escalated_at.is_(None), limit)


def to_restrict(limit: int) -> list[UUID]:
    """Clients whose review is so late that their debits stop."""
    return _late(periods().restrict, ClientReviewPlan.restricted_at.is_(None), limit)


def _still(client_id: UUID, business_days: int) -> ClientReviewPlan | None:
    """The plan under the client's lock, when it is still as late as that."""
    locked(client_id)
    plan = session().get(ClientReviewPlan, client_id, populate_existing=True)
    if plan is None or plan.due_at is None or not plan.running:
        return None
    return plan if calendar().due_after(plan.due_at, business_days) < clock.now() else None


def escalate(client_id: UUID, *, by: Actor) -> bool:
    """Raise one late review to senior officers; their clock is when it restricts. Gives whether it was raised now."""
    plan = _still(client_id, periods().escalate)
    if plan is None or plan.escalated_at is not None:
        return False
    assert plan.due_at is not None
    plan.escalated_at = clock.now()
    session().flush()
    queues.open_item(
        OVERDUE_QUEUE,
        cause="overdue",
        object_type="client",
        object_id=client_id,
        client_id=client_id,
        due_at=calendar().due_after(plan.due_at, periods().restrict),
        restricted=True,
    )
    audit.record("review.escalated", by=by, object_type="client", object_id=client_id, client_id=client_id)
    return True


def restrict(client_id: UUID, *, by: Actor) -> bool:
    """Stop the debits of one client, once: two people who lift the block are not contradicted by the next night.

    Gives whether a block was placed now.
    """
    plan = _still(client_id, periods().restrict)
    if plan is None or plan.restricted_at is not None:
        return False
    standing = next(
        (
            one
            for one in active_blocks(client_id)
            if one.code == BlockCode.KYC_EXPIRED and one.scope in {Scope.ALL, Scope.DEBIT}
        ),
        None,
    )
    placed = standing or block(
        client_id,
        scope=Scope.DEBIT,
        code=BlockCode.KYC_EXPIRED,
        comment="The periodic review is overdue.",
        client_text=CLIENT_TEXTS["contact"][1],
        by=by,
    )
    plan.restricted_at, plan.restriction_block_id = clock.now(), placed.id
    session().flush()
    return standing is None
