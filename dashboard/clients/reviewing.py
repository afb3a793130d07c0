"""Reading reviews: when the next one is due and why then, what was reviewed, the list of what comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.approvals import queries as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.approvals.names import named
from dashboard.clients.blocks import MASKED_RULE
from dashboard.clients.models import Client, ClientReview, ClientReviewPlan, ClientRiskChange
from dashboard.clients.periods import in_words
from dashboard.clients.vocabulary import OUTCOME_LABELS, RISK_CAUSES, Outcome, Risk
from dashboard.database import session
from dashboard.queues.models import QueueItem

QUEUE = "client-reviews"
When = Literal["", "queue", "late", "restricted"]


def plan_of(client_id: UUID) -> ClientReviewPlan | None:
    return session().get(ClientReviewPlan, client_id, populate_existing=True)


def because(plan: ClientReviewPlan) -> str:
    """Why the date is that one: `risk High, 1 year`."""
    if plan.next_on is None:
        return ""
    if plan.next_on == plan.prohibited_on:
        return "the risk became prohibited"
    if plan.next_on == plan.expires_on:
        return "a document expires"
    if plan.next_on == plan.chosen_on:
        return "chosen at the last review"
    pep = ", PEP" if plan.heightened else ""
    return f"risk {Risk(plan.risk_level).label}{pep}, {in_words(plan.period_months)}"


@dataclass(frozen=True)
class NextReview:
    """What a page says of a client's next review. `day` None: none is planned (closed, or not active yet)."""

    day: date | None
    because: str
    due_at: datetime | None
    late: bool
    restricted: bool
    running: bool


def next_review(client_id: UUID) -> NextReview:
    """The plan in words."""
    plan = plan_of(client_id)
    if plan is None or plan.next_on is None:
        return NextReview(None, "A closed client needs none" if plan else "Not planned yet", None, False, False, False)
    if not plan.running:
        period = in_words(plan.period_months)
        return NextReview(None, f"{period} after the activation", None, False, False, False)
    return NextReview(
        plan.next_on, because(plan), plan.due_at, plan.due_at is not None and plan.due_at < clock.now(),
        plan.restricted_at is not None, True,
    )  # fmt: skip


@dataclass(frozen=True)
class ReviewView:
    """A completed review, for those who may see reasons."""

    review: ClientReview
    outcome: str
    risk: str
    asked_for: str | None
    #: the request to lower the risk that this review opened
    lowering: ApprovalRequest | None = None


def reviews_of(client_id: UUID, limit: int = 20) -> list[ReviewView]:
    """Completed reviews, newest first. Restricted whole."""
    rows = (
        session()
        .scalars(
            sa.select(ClientReview)
            .where(ClientReview.client_id == client_id)
            .order_by(ClientReview.id.desc())
            .limit(limit)
        )
        .all()
    )
    asked = approvals.by_ids(review.lowering_request_id for review in rows)
    return [
        ReviewView(
            review,
            OUTCOME_LABELS[Outcome(review.outcome)],
            Risk(review.risk_after).label,
            Risk(review.risk_assessed).label if review.lowering_request_id else None,
            asked.get(review.lowering_request_id) if review.lowering_request_id else None,
        )
        for review in rows
    ]


@dataclass(frozen=True)
class RiskLine:
    """One change of the risk; `reason` only for who may see it."""

    at: datetime
    before: str | None
    after: str
    who: str
    cause: str
    reason: str | None
    #: who asked for a lower one; `who` has approved it
    asked_by: str | None = None

    @property
    def how(self) -> str:
        """`Raised by R. Kask`, `Lowered: asked by R. Kask, approved by you`."""
        if self.asked_by:
            return f"Lowered: asked by {self.asked_by}, approved by {self.who}"
        return f"{self.cause} by {self.who}"


def risk_history(client_id: UUID, *, actor: Actor, limit: int = 50) -> list[RiskLine]:
    """Changes of the risk, newest first."""
    rows = (
        session()
        .scalars(
            sa.select(ClientRiskChange)
            .where(ClientRiskChange.client_id == client_id)
            .order_by(ClientRiskChange.id.desc())
            .limit(limit)
        )
        .all()
    )
    asked = approvals.by_ids(row.approval_id for row in rows if row.cause == "lowered")
    found = []
    for row in rows:
        masked = row.by_kind == "system" and not actor.sees_restricted
        # that a review raised it is told to those who may read reviews
        cause = "raised" if row.cause == "review" and not actor.sees_restricted else row.cause
        found.append(
            RiskLine(
                row.changed_at,
                None if row.risk_before is None else Risk(row.risk_before).label,
                Risk(row.risk_after).label,
                MASKED_RULE if masked else "you" if actor.id and row.by_id == actor.id else row.by_name,
                RISK_CAUSES[cause],
                row.reason if actor.sees_restricted else None,
                _maker(asked.get(row.approval_id) if row.approval_id else None, actor),
            )
        )
    return found


def _maker(request: ApprovalRequest | None, actor: Actor) -> str | None:
    if request is None:
        return None
    mine = actor.id is not None and request.maker_id == actor.id
    return "you" if mine else named(request.maker_kind, request.maker_name)


# --- the list of what comes -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReviewFilter:
    """Empty means any. `until`: due on this day or before it."""

    when: When = ""
    risks: tuple[int, ...] = ()
    until: date | None = None

    def as_json(self) -> dict[str, Any]:
        return {"when": self.when, "risks": sorted(self.risks), "until": str(self.until)}


class ReviewRow(NamedTuple):
    client: Client
    plan: ClientReviewPlan
    last_on: date | None
    assignee_id: UUID | None
    queued_at: datetime | None

    @property
    def because(self) -> str:
        """Why then; the risk itself stands beside it."""
        said = because(self.plan)
        if said.startswith("risk Not set, "):
            return said.replace("risk Not set, ", "risk not set: ", 1)
        return said.partition(", ")[2] or said

    @property
    def key(self) -> list[Any]:
        """Its place in the list, JSON-ready."""
        assert self.plan.next_on is not None  # listed by it
        return [self.plan.next_on.isoformat(), str(self.plan.client_id)]


@dataclass(frozen=True)
class Page:
    rows: list[ReviewRow]
    more: bool


def find(chosen: ReviewFilter, *, size: int, after: Sequence[Any] | None = None, backwards: bool = False) -> Page:
    """One page of the clients that are reviewed, the next one first; rows in that order in both directions."""
    plan = ClientReviewPlan
    where: list[sa.ColumnElement[bool]] = [plan.next_on.is_not(None)]
    if chosen.when:
        where.append(plan.due_at.is_not(None))
    if chosen.when == "late":
        where.append(plan.due_at < clock.now())
    if chosen.when == "restricted":
        where.append(plan.restricted_at.is_not(None))
    if chosen.risks:
        where.append(plan.risk_level.in_(chosen.risks))
    if chosen.until:
        where.append(plan.next_on <= chosen.until)
    if after is not None:
        edge = sa.tuple_(sa.literal(date.fromisoformat(after[0])), sa.literal(UUID(after[1])))
        place = sa.tuple_(plan.next_on, plan.client_id)
        where.append(place < edge if backwards else place > edge)
    columns = (plan.next_on, plan.client_id)
    # the page first, and only its rows are looked up elsewhere
    ids = (
        sa.select(plan.client_id)
        .where(plan.running, *where)
        .order_by(*(column.desc() if backwards else column.asc() for column in columns))
        .limit(size + 1)
        .subquery()
    )
    item = sa.and_(
        QueueItem.queue == QUEUE, QueueItem.object_id == plan.client_id, QueueItem.closed_at.is_(None),
        QueueItem.cause == "periodic",
    )  # fmt: skip
    rows = [
        ReviewRow(*row)
        for row in session().execute(
            sa.select(Client, plan, ClientReview.reviewed_on, QueueItem.assignee_id, QueueItem.opened_at)
            .join(ids, ids.c.client_id == plan.client_id)
            .join(Client, Client.id == plan.client_id)
            .outerjoin(ClientReview, ClientReview.id == plan.last_review_id)
            .outerjoin(QueueItem, item)
            .order_by(*(column.desc() if backwards else column.asc() for column in columns))
            .execution_options(populate_existing=True)
        )
    ]
    more = len(rows) > size
    rows = rows[:size]
    return Page(rows[::-1] if backwards else rows, more)


def because_of(client_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Why each of these is due, in one query."""
    if not client_ids:
        return {}
    rows = session().scalars(sa.select(ClientReviewPlan).where(ClientReviewPlan.client_id.in_(client_ids)))
    return {plan.client_id: because(plan) for plan in rows}
