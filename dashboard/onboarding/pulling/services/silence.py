"""Applicants whose events may be lost: it is Sumsub's turn and no news came for too long, or a message was doubtful."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.clients.vocabulary import KycState
from dashboard.database import session
from dashboard.onboarding.pulling.models import SumsubQuestion
from dashboard.onboarding.pulling.services import questions
from dashboard.onboarding.pulling.vocabulary import Reason
from dashboard.onboarding.sumsub.models import SumsubApplicant

#: states in which the next word is Sumsub's
WAITING = (KycState.PENDING.value, KycState.ON_HOLD.value)
#: the pause between two questions about a silent applicant doubles up to this; then the daily comparison is enough
LONGEST_PAUSE = timedelta(hours=24)
#: a message whose processing fails is tried again by itself first
FAILURES = 3
MOST_AT_ONCE = 500


def ask_about_silent(*, after: timedelta, by: Actor) -> int:
    """Note questions about applicants that have been silent for so long; gives how many.

    Each further question about the same silence comes after twice the time: at 90 minutes, 3 hours, 6 hours, and then
    once a day.
    """
    now, applicant = clock.now(), SumsubApplicant
    pause = sa.func.least(
        sa.func.greatest(applicant.asked_at - applicant.last_received_at, sa.literal(after)), sa.literal(LONGEST_PAUSE)
    )
    silent = _ask(
        Reason.SILENT,
        applicant.state.in_(WAITING),
        applicant.last_received_at < now - after,
        sa.or_(
            applicant.asked_at.is_(None),
            applicant.asked_at < applicant.last_received_at,
            sa.literal(now) - applicant.asked_at >= pause,
        ),
        by=by,
    )
    doubtful = _ask(
        Reason.DOUBTFUL,
        applicant.failures >= FAILURES,
        sa.or_(applicant.asked_at.is_(None), applicant.asked_at < now - LONGEST_PAUSE),
        by=by,
    )
    return silent + doubtful


def _ask(reason: Reason, *conditions: sa.ColumnElement[bool], by: Actor) -> int:
    """Note a question about each of whom this holds and about whom none waits; the longest silent first."""
    applicant = SumsubApplicant
    waits = sa.exists().where(SumsubQuestion.applicant_id == applicant.applicant_id, SumsubQuestion.ended_at.is_(None))
    rows = session().execute(
        sa.select(applicant.applicant_id, applicant.client_id)
        .where(*conditions, sa.not_(waits))
        .order_by(applicant.last_received_at)
        .limit(MOST_AT_ONCE)
    )
    found = rows.all()
    for applicant_id, client_id in found:
        questions.ask_about(reason, applicant_id=applicant_id, client_id=client_id, by=by)
    return len(found)
