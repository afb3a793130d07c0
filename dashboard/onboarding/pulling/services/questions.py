"""That an applicant is to be asked about, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.clock import calendar
from dashboard.database import new_id, session
from dashboard.onboarding.pulling.models import SumsubQuestion
from dashboard.onboarding.pulling.vocabulary import QUEUE, UNCONFIRMED, Outcome, Reason
from dashboard.queues import services as queues

#: before asking again what was asked in vain; doubled each time
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)
#: then it is given up; the daily comparison asks anyway
MOST_ATTEMPTS = 12
#: an approval that could not be confirmed so often: a person is told that the client waits
TRIES_UNTOLD = 5


def ask_about(
    reason: Reason,
    *,
    by: Actor,
    applicant_id: str | None = None,
    client_id: UUID | None = None,
    due_at: datetime | None = None,
) -> None:
    """Note that it is to be asked; while a question about it waits, that one comes due no later than this.

    Without `applicant_id` Sumsub is asked for the applicant of the client.
    """
    if applicant_id is None and client_id is None:
        raise ValueError("about whom?")
    now = clock.now()
    fresh = postgresql.insert(SumsubQuestion).values(
        id=new_id(),
        applicant_id=applicant_id,
        client_id=client_id,
        reason=reason.value,
        created_at=now,
        asked_by_kind=by.kind,
        asked_by_id=by.id,
        asked_by_name=by.name,
        due_at=due_at or now,
        attempts=0,
    )
    about = "applicant_id" if applicant_id is not None else "client_id"
    waiting = f"ended_at IS NULL AND applicant_id IS {'NOT NULL' if applicant_id is not None else 'NULL'}"
    # a confirmation stays one: what waits for it looks for nothing else
    stays = SumsubQuestion.reason == Reason.CONFIRM.value
    session().execute(
        fresh.on_conflict_do_update(
            index_elements=[about],
            index_where=sa.text(waiting),
            set_={
                "due_at": sa.func.least(SumsubQuestion.due_at, fresh.excluded.due_at),
                "client_id": sa.func.coalesce(SumsubQuestion.client_id, fresh.excluded.client_id),
                "reason": sa.case((stays, SumsubQuestion.reason), else_=fresh.excluded.reason),
            },
        )
    )


def next_due(*, after: UUID | None = None, limit: int = 20) -> Sequence[SumsubQuestion]:
    """Questions whose time has come, the longest due first."""
    query = (
        sa.select(SumsubQuestion)
        .where(SumsubQuestion.ended_at.is_(None), SumsubQuestion.due_at <= clock.now())
        .order_by(SumsubQuestion.due_at, SumsubQuestion.id)
        .limit(limit)
    )
    return session().scalars(query.execution_options(populate_existing=True)).all()


def waiting_to_confirm(*, limit: int) -> Sequence[SumsubQuestion]:
    """Approvals that wait for their second word, locked, the oldest first."""
    query = (
        sa.select(SumsubQuestion)
        .where(SumsubQuestion.ended_at.is_(None), SumsubQuestion.reason == Reason.CONFIRM.value)
        .order_by(SumsubQuestion.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return session().scalars(query.execution_options(populate_existing=True)).all()


def any_due() -> bool:
    """Whether there is something to ask now."""
    query = sa.select(SumsubQuestion.id).where(SumsubQuestion.ended_at.is_(None), SumsubQuestion.due_at <= clock.now())
    return session().scalar(query.limit(1)) is not None


def waiting(question_id: UUID) -> SumsubQuestion | None:
    """The question, locked, unless it has ended meanwhile."""
    return session().scalar(
        sa.select(SumsubQuestion)
        .where(SumsubQuestion.id == question_id, SumsubQuestion.ended_at.is_(None))
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def end(question: SumsubQuestion, outcome: Outcome, *, event_id: UUID | None = None) -> None:
    """It is answered, or given up."""
    question.outcome, question.ended_at, question.event_id = outcome.value, clock.now(), event_id
    session().flush()
    if question.reason == Reason.CONFIRM and question.client_id is not None and (
        outcome is not Outcome.GIVEN_UP or question.attempts < MOST_ATTEMPTS
    ):  # fmt: skip
        # whatever it was, it is an answer: what differs is a difference
        queues.close_items(QUEUE, object_id=question.client_id, cause=UNCONFIRMED, by=system())


def again(question: SumsubQuestion, code: str, *, after: timedelta | None = None, counts: bool = True) -> bool:
    """It got no answer: ask later. Gives False when it was tried often enough and is given up.

    `after`: how long they asked us to wait. `counts` False: it was nobody's fault of theirs.
    """
    question.failure = code
    if counts:
        question.attempts += 1
    if question.reason == Reason.CONFIRM and question.client_id is not None and question.attempts == TRIES_UNTOLD:
        queues.open_item(
            QUEUE,
            cause=UNCONFIRMED,
            object_type="client",
            object_id=question.client_id,
            client_id=question.client_id,
            due_at=calendar().due_after(clock.now(), 1),
        )
    if question.attempts >= MOST_ATTEMPTS:
        end(question, Outcome.GIVEN_UP)
        return False
    pause = after if after is not None else min(FIRST_PAUSE * 2 ** max(question.attempts - 1, 0), LONGEST_PAUSE)
    question.due_at = clock.now() + pause
    session().flush()
    return True


def put_off(until: datetime) -> None:
    """They asked us to wait: nothing that is due is asked before."""
    session().execute(
        sa.update(SumsubQuestion)
        .where(SumsubQuestion.ended_at.is_(None), SumsubQuestion.due_at < until)
        .values(due_at=until)
        .execution_options(synchronize_session=False)
    )
