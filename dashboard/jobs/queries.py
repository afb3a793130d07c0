"""Reading the clock: settings, newest runs, the log, what runs now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.background.models import BackgroundJob
from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.jobs.models import JobRun, JobSetting

#: troubles older than this are history
RECENT = timedelta(days=3)


def settings() -> dict[str, JobSetting]:
    """What is known of each job, by name."""
    rows = session().scalars(sa.select(JobSetting).execution_options(populate_existing=True))
    return {row.job: row for row in rows}


def newest() -> dict[str, JobRun]:
    """The newest run of each job: one look at an index for each."""
    one = (
        sa.select(JobRun.id)
        .where(JobRun.job == JobSetting.job)
        .order_by(JobRun.id.desc())
        .limit(1)
        .correlate(JobSetting)
        .scalar_subquery()
    )
    rows = session().scalars(
        sa.select(JobRun).join(JobSetting, JobRun.id == one).execution_options(populate_existing=True)
    )
    return {run.job: run for run in rows}


def get(run_id: UUID) -> JobRun:
    """Raises NotFound."""
    found = session().get(JobRun, run_id, populate_existing=True)
    if found is None:
        raise NotFound("There is no such run.", code="runNotFound")
    return found


@dataclass(frozen=True)
class RunFilter:
    """All that is set must hold. `trouble`: failed, lost, taken over, or standing for missed times."""

    job: str | None = None
    state: str | None = None
    trouble: bool = False


def _narrowed(chosen: RunFilter) -> sa.Select[JobRun]:
    query = sa.select(JobRun).execution_options(populate_existing=True)
    if chosen.job:
        query = query.where(JobRun.job == chosen.job)
    if chosen.state:
        query = query.where(JobRun.state == chosen.state)
    if chosen.trouble:
        query = query.where(sa.text("(state IN ('failed', 'lost') OR missed > 0 OR attempts > 1)"))
    return query


def runs(chosen: RunFilter, *, before: UUID | None = None, after: UUID | None = None, limit: int) -> Sequence[JobRun]:
    """Newest first. `before`: those older than a run; `after`: those newer than it."""
    query = _narrowed(chosen).order_by(JobRun.id.asc() if after else JobRun.id.desc())
    if before is not None:
        query = query.where(JobRun.id < before)
    if after is not None:
        query = query.where(JobRun.id > after)
    found = list(session().scalars(query.limit(limit)))
    return found[::-1] if after else found


def every_run(chosen: RunFilter) -> Iterator[Mapping[str, Any]]:
    """All of them, newest first, for a file."""
    query = _narrowed(chosen).order_by(JobRun.id.desc()).with_only_columns(*JobRun.__table__.columns)
    yield from (dict(row) for row in session().execute(query.execution_options(yield_per=1000)).mappings())


@dataclass(frozen=True)
class Trouble:
    """What home says of the clock. `silent_since`: when the newest run began, where it is too long ago."""

    failed: int
    missed: int
    silent_since: datetime | None


#: something runs every minute: after so long without anything no scheduler is there
SILENCE = timedelta(minutes=5)


def trouble() -> Trouble:
    """Runs of the last days that failed or were lost, times that were missed, and whether the clock stands still."""
    since = clock.now() - RECENT
    row = (
        session()
        .execute(
            sa.select(
                sa.func.count().filter(JobRun.state.in_(("failed", "lost"))),
                sa.func.coalesce(sa.func.sum(JobRun.missed), 0),
            ).where(
                sa.text("(state IN ('failed', 'lost') OR missed > 0 OR attempts > 1)"), JobRun.scheduled_at >= since
            )
        )
        .one()
    )
    last = session().scalar(
        sa.select(JobRun.started_at).where(JobRun.started_at.is_not(None)).order_by(JobRun.id.desc()).limit(1)
    )
    silent = last if last is not None and clock.now() - last > SILENCE else None
    return Trouble(int(row[0]), int(row[1]), silent)


def work(*, unfinished: bool, limit: int) -> Sequence[BackgroundJob]:
    """Background work of all kinds: what waits and runs, oldest first; or what has ended, newest first."""
    table = BackgroundJob
    live = table.state.in_(("queued", "running"))
    query = sa.select(table).where(live if unfinished else sa.not_(live))
    return list(
        session().scalars(
            query.order_by(table.id if unfinished else table.id.desc())
            .limit(limit)
            .execution_options(populate_existing=True)
        )
    )


def piece_of_work(job_id: UUID) -> BackgroundJob:
    """One piece of work, of whatever kind. Raises NotFound."""
    found = session().get(BackgroundJob, job_id, populate_existing=True)
    if found is None:
        raise NotFound("There is no such work.", code="jobNotFound")
    return found
