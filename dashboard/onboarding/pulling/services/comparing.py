"""The daily comparison: that it is asked for, began, how far it is, and that it ended."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.background import services as background
from dashboard.background.models import BackgroundJob
from dashboard.database import session
from dashboard.errors import Refused
from dashboard.onboarding.pulling.models import VerificationComparison
from dashboard.onboarding.pulling.vocabulary import COMPARE
from dashboard.onboarding.sumsub.port import connecting

OBJECT = "verification_comparison"


@dataclass
class Counts:
    """Applicants that were looked at, and of these: applied from the answer, differing still, without an answer.
    `resolved`: differences that are gone."""

    applicants: int = 0
    applied: int = 0
    differing: int = 0
    unanswered: int = 0
    resolved: int = 0


def ask_to_compare(*, by: Actor) -> BackgroundJob:
    """Ask for a run over all applicants; while one is queued or running, that is the answer.

    Raises Refused `sumsubNotConnected`.
    """
    if not connecting.connection().is_on:
        raise Refused(connecting.OFF, code="sumsubNotConnected")
    return background.ask(COMPARE, {}, by=by, single=True)


def begin(run_id: UUID, *, job_id: UUID | None = None, by: Actor) -> VerificationComparison:
    """Write that a run has begun."""
    run = VerificationComparison(
        id=run_id,
        job_id=job_id,
        started_at=clock.now(),
        applicants=0,
        applied=0,
        differing=0,
        unanswered=0,
        resolved=0,
        by_kind=by.kind,
        by_id=by.id,
        by_name=by.name,
    )
    session().add(run)
    session().flush()
    audit.record("verification_comparison.started", by=by, object_type=OBJECT, object_id=run_id)
    return run


def count(run_id: UUID, counts: Counts, *, finished: bool = False) -> None:
    """Write how far the run is, and whether that is all."""
    session().execute(
        sa.update(VerificationComparison)
        .where(VerificationComparison.id == run_id)
        .values(**asdict(counts), **({"finished_at": clock.now()} if finished else {}))
        .execution_options(synchronize_session=False)
    )


def finish(run_id: UUID, counts: Counts, *, by: Actor) -> None:
    """Write that the run has looked at every applicant."""
    count(run_id, counts, finished=True)
    audit.record("verification_comparison.finished", by=by, object_type=OBJECT, object_id=run_id, after=asdict(counts))


def stopped(run_id: UUID, *, how: str, by: Actor) -> None:
    """Write that the run ended before it had looked at every applicant."""
    audit.record("verification_comparison.stopped", by=by, object_type=OBJECT, object_id=run_id, after={"state": how})
