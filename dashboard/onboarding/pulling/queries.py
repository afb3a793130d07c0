"""Reading questions, runs and differences, and what the verification tab shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from dashboard.background.models import BackgroundJob
from dashboard.clients.models import Client, VerificationDecision
from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.onboarding.pulling.models import SumsubQuestion, VerificationComparison, VerificationDifference
from dashboard.onboarding.pulling.vocabulary import DifferenceState, Field
from dashboard.onboarding.sumsub.models import SumsubApplicant, SumsubEvent

#: rows of the history that the tab shows; the page of events has all
MOST_EVENTS = 50


@dataclass(frozen=True)
class RunView:
    """A run as a page shows it. `state`: running, finished, failed or canceled; `failure`: a sentence."""

    run: VerificationComparison
    state: str
    failure: str | None


def run_of(job_id: UUID) -> VerificationComparison | None:
    """The run that a piece of background work began: it has its identifier."""
    return session().get(VerificationComparison, job_id, populate_existing=True)


def runs(*, before: UUID | None = None, after: UUID | None = None, limit: int) -> list[RunView]:
    """Newest first. `before`: those older than a run; `after`: those newer than it."""
    table = VerificationComparison
    query = (
        sa.select(table, BackgroundJob.state, BackgroundJob.failure)
        .outerjoin(BackgroundJob, BackgroundJob.id == table.job_id)
        .order_by(table.id.asc() if after else table.id.desc())
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    if before is not None:
        query = query.where(table.id < before)
    if after is not None:
        query = query.where(table.id > after)
    found = []
    for run, job_state, failure in session().execute(query):
        state = "finished" if run.finished_at else job_state if job_state in {"failed", "canceled"} else "running"
        found.append(RunView(run, state, failure))
    return found[::-1] if after else found


def last_finished() -> VerificationComparison | None:
    """The newest run that looked at everything."""
    table = VerificationComparison
    return session().scalar(
        sa.select(table).where(table.finished_at.is_not(None)).order_by(table.id.desc()).limit(1)
    )  # fmt: skip


@dataclass(frozen=True)
class DifferenceFilter:
    """Which differences; all conditions together."""

    state: DifferenceState | None = DifferenceState.OPEN
    field: Field | None = None
    client_id: UUID | None = None
    comparison_id: UUID | None = None


@dataclass(frozen=True)
class DifferenceView:
    """One difference with the name of its client, where it has one."""

    row: VerificationDifference
    client_name: str | None


def differences(
    chosen: DifferenceFilter, *, before: UUID | None = None, after: UUID | None = None, limit: int
) -> list[DifferenceView]:
    """Newest first. `before`: those older than a difference; `after`: those newer than it."""
    table = VerificationDifference
    query = (
        sa.select(table, Client.name)
        .outerjoin(Client, Client.id == table.client_id)
        .order_by(table.id.asc() if after else table.id.desc())
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    for column, value in (
        (table.state, chosen.state.value if chosen.state else None),
        (table.field, chosen.field.value if chosen.field else None),
        (table.client_id, chosen.client_id),
        (table.comparison_id, chosen.comparison_id),
    ):
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        query = query.where(table.id < before)
    if after is not None:
        query = query.where(table.id > after)
    found = [DifferenceView(row, name) for row, name in session().execute(query)]
    return found[::-1] if after else found


def difference(difference_id: UUID) -> DifferenceView:
    """Raises NotFound."""
    row = (
        session()
        .execute(
            sa.select(VerificationDifference, Client.name)
            .outerjoin(Client, Client.id == VerificationDifference.client_id)
            .where(VerificationDifference.id == difference_id)
            .execution_options(populate_existing=True)
        )
        .first()
    )
    if row is None:
        raise NotFound("There is no such difference.", code="differenceNotFound")
    return DifferenceView(*row)


def differences_by_id(ids: Sequence[UUID]) -> dict[UUID, VerificationDifference]:
    """By identifier, in one query."""
    if not ids:
        return {}
    rows = session().scalars(sa.select(VerificationDifference).where(VerificationDifference.id.in_(list(ids))))
    return {row.id: row for row in rows}


def open_count(limit: int) -> int:
    """Open differences, counted no further than `limit`."""
    some = (
        sa.select(sa.literal(1))
        .select_from(VerificationDifference)
        .where(VerificationDifference.state == DifferenceState.OPEN.value)
        .limit(limit)
        .subquery()
    )
    return session().scalar(sa.select(sa.func.count()).select_from(some)) or 0


# what the tab of a client shows


@dataclass(frozen=True)
class HistoryRow:
    """One event that told something of the client, and what it did."""

    id: UUID
    told_at: datetime | None
    received_at: datetime
    source: str
    type: str | None
    review_status: str | None
    answer: str | None
    reject_type: str | None
    level: str | None
    effect: str | None
    #: what the outcome did to the client: the newest decision by this event
    decided: str | None
    why: str | None


@dataclass(frozen=True)
class Verification:
    """What stands behind the state of a client's verification."""

    applicants: Sequence[SumsubApplicant]
    history: Sequence[HistoryRow]
    more: bool
    differences: Sequence[VerificationDifference]
    asking: SumsubQuestion | None
    asked: SumsubQuestion | None


def verification(client_id: UUID) -> Verification:
    """In five queries, however long the history is."""
    current = session()
    history = _history(client_id)
    mine = SumsubQuestion.client_id == client_id
    questions = current.scalars(sa.select(SumsubQuestion).where(mine).order_by(SumsubQuestion.id.desc()).limit(5)).all()
    return Verification(
        applicants=current.scalars(
            sa.select(SumsubApplicant).where(SumsubApplicant.client_id == client_id).order_by(SumsubApplicant.id.desc())
        ).all(),
        history=history[:MOST_EVENTS],
        more=len(history) > MOST_EVENTS,
        differences=current.scalars(
            sa.select(VerificationDifference)
            .where(
                VerificationDifference.client_id == client_id,
                VerificationDifference.state != DifferenceState.RESOLVED.value,
            )
            .order_by(VerificationDifference.id.desc())
        ).all(),
        asking=next((one for one in questions if one.ended_at is None), None),
        asked=next((one for one in questions if one.ended_at is not None), None),
    )


def _history(client_id: UUID) -> list[HistoryRow]:
    """Newest first by Sumsub's time; one more than are shown."""
    event, decision = SumsubEvent, VerificationDecision
    newest = (
        sa.select(decision.event_id, decision.effect, decision.why)
        .where(decision.client_id == client_id)
        .distinct(decision.event_id)
        .order_by(decision.event_id, decision.id.desc())
        .subquery()
    )
    rows = session().execute(
        sa.select(
            event.id, event.told_at, event.received_at, event.source, event.type, event.review_status, event.answer,
            event.reject_type, event.level, event.effect, newest.c.effect, newest.c.why,
        )
        .outerjoin(newest, newest.c.event_id == event.id)
        .where(event.client_id == client_id, event.verdict == "accepted")
        .order_by(sa.func.coalesce(event.told_at, event.received_at).desc(), event.id.desc())
        .limit(MOST_EVENTS + 1)
    )  # fmt: skip
    return [HistoryRow(*tuple(row)) for row in rows]


# applicants to ask about


def applicants_after(edge: UUID | None, limit: int) -> list[SumsubApplicant]:
    """The next applicants in the order of their identifiers."""
    query = sa.select(SumsubApplicant).order_by(SumsubApplicant.id).limit(limit)
    if edge is not None:
        query = query.where(SumsubApplicant.id > edge)
    return list(session().scalars(query.execution_options(populate_existing=True)))


def count_applicants() -> int:
    """All applicants."""
    return session().scalar(sa.select(sa.func.count()).select_from(SumsubApplicant)) or 0
