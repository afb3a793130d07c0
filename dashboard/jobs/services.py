"""Claiming runs, keeping them alive, ending them; pausing a job and asking for a run now.

A run belongs to whoever holds its lease, measured by the database's clock. Two things keep a job from running twice for
one time: the row of its setting, which every claim locks first, and the unique key of job and time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from apscheduler.triggers.base import BaseTrigger
from sqlalchemy.dialects import postgresql

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.audit import services as audit
from dashboard.database import new_id, session
from dashboard.errors import Conflict, Invalid, NotFound
from dashboard.jobs import times
from dashboard.jobs.models import JobRun, JobSetting

LEASE = timedelta(seconds=60)
#: schedulers that may lose one run before it counts as lost
MOST_ATTEMPTS = 3
#: how long runs of the minute without a word to say are kept, and all others
QUIET_KEPT, KEPT = timedelta(days=2), timedelta(days=400)
LONGEST_REASON = 500

LOST = "It stopped without an answer, as often as it was tried. The log of the scheduler says more."
LIVE = ("queued", "running")


class RunLost(Exception):
    """Another scheduler has the run by now."""


@dataclass(frozen=True)
class Claimed:
    """A run that is ours while the lease lasts. `missed`: earlier times that it stands for too."""

    run_id: UUID
    job: str
    lease: UUID
    scheduled_at: datetime
    attempt: int
    missed: int
    by: Actor


def know(jobs: Collection[str]) -> None:
    """Remember since when each job is there: its times count from then on. Called by every scheduler that starts."""
    now = clock.now()
    session().execute(
        postgresql.insert(JobSetting)
        .values([{"job": job, "since": now} for job in sorted(jobs)])
        .on_conflict_do_nothing(index_elements=["job"])
    )


def _setting(job: str) -> JobSetting:
    """The job's row, locked. Raises NotFound for a job that no scheduler knows."""
    found = session().scalar(
        sa.select(JobSetting)
        .where(JobSetting.job == job)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if found is None:
        raise NotFound("There is no such job, or no scheduler has started yet.", code="jobNotFound")
    return found


def _live(job: str) -> JobRun | None:
    return session().scalar(
        sa.select(JobRun).where(JobRun.job == job, JobRun.state.in_(LIVE)).execution_options(populate_existing=True)
    )


def _lease(owner: str) -> dict[str, Any]:
    now = sa.func.clock_timestamp()
    return {"state": "running", "lease": new_id(), "lease_until": now + LEASE, "owner": owner}


def claim_due(job: str, trigger: BaseTrigger, *, owner: str) -> Claimed | None:
    """Take the newest time of the job that has come and that nobody took; None where there is none.

    Nothing is taken while the job is paused, or runs: what comes meanwhile is joined into the next run, which counts
    it as missed. A clock that was ahead for a while takes no time away: what lies ahead of now counts for nothing.
    """
    setting, now = _setting(job), clock.now()
    if setting.paused_at is not None or _live(job) is not None:
        return None
    setting.since = min(setting.since, now)
    last = session().scalar(
        sa.select(JobRun.scheduled_at)
        .where(JobRun.job == job, JobRun.by_hand.is_(False), JobRun.scheduled_at <= now)
        .order_by(JobRun.scheduled_at.desc())
        .limit(1)
    )
    due = times.due(trigger, after=max(last, setting.since) if last else setting.since, now=now)
    if due is None:
        return None
    by = system("scheduler")
    held = _lease(owner)
    run_id = session().scalar(
        postgresql.insert(JobRun)
        .values(
            id=new_id(), job=job, scheduled_at=due.at, by_hand=False, missed=due.missed, attempts=1,
            started_at=now, asked_by_kind=by.kind, asked_by_id=None, asked_by=by.name, **held,
        )
        .on_conflict_do_nothing()
        .returning(JobRun.id)
    )  # fmt: skip
    if run_id is None:
        return None
    return Claimed(run_id, job, held["lease"], due.at, 1, due.missed, by)


def claim_waiting(jobs: Sequence[str], *, owner: str) -> Claimed | None:
    """Take a run that a person asked for, or one whose scheduler was lost.

    What was begun as often as allowed is ended as lost.
    """
    while True:
        run = session().scalar(
            sa.select(JobRun)
            .where(
                JobRun.state.in_(LIVE),
                sa.or_(JobRun.lease_until.is_(None), JobRun.lease_until < sa.func.clock_timestamp()),
                JobRun.job.in_(jobs),
            )
            .order_by(JobRun.id)
            .limit(1)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        )
        if run is None:
            return None
        if run.attempts >= MOST_ATTEMPTS:
            run.state, run.failure, run.finished_at = "lost", LOST, clock.now()
            run.lease = run.lease_until = None
            session().flush()
            continue
        held = _lease(owner)
        session().execute(
            sa.update(JobRun)
            .where(JobRun.id == run.id)
            .values(attempts=run.attempts + 1, started_at=sa.func.coalesce(JobRun.started_at, clock.now()), **held)
            .execution_options(synchronize_session=False)
        )
        by = Actor(kind=run.asked_by_kind, id=run.asked_by_id, name=run.asked_by, role="scheduler")  # type: ignore[arg-type]
        return Claimed(run.id, run.job, held["lease"], run.scheduled_at, run.attempts + 1, run.missed, by)


def beat(connection: sa.Connection, leases: Collection[UUID]) -> set[UUID]:
    """Lengthen leases; gives those that are still ours."""
    if not leases:
        return set()
    rows = connection.execute(
        sa.update(JobRun)
        .where(JobRun.lease.in_(list(leases)), JobRun.state == "running")
        .values(lease_until=sa.func.clock_timestamp() + LEASE)
        .returning(JobRun.lease)
    )
    return {row.lease for row in rows if row.lease is not None}


def finish(claimed: Claimed, *, figures: Mapping[str, Any] | None = None, failure: str | None = None) -> None:
    """Write how the run ended. Raises RunLost when it is another scheduler's by now."""
    ended = session().execute(
        sa.update(JobRun)
        .where(JobRun.id == claimed.run_id, JobRun.lease == claimed.lease, JobRun.state == "running")
        .values(
            state="failed" if failure else "succeeded",
            figures=dict(figures or {}),
            failure=failure,
            finished_at=sa.func.greatest(clock.now(), JobRun.started_at),
            lease=None,
            lease_until=None,
        )
        .execution_options(synchronize_session=False)
    )
    if not ended.rowcount:  # type: ignore[attr-defined]
        raise RunLost


def ask_now(job: str, *, by: Actor) -> JobRun:
    """Have a scheduler run the job as soon as it can, paused or not.

    Raises NotFound, Conflict `alreadyRunning`.
    """
    _setting(job)
    if _live(job) is not None:
        raise Conflict("This job runs or waits already. Nothing more was asked for.", code="alreadyRunning")
    run = JobRun(
        id=new_id(), job=job, scheduled_at=clock.now(), by_hand=True, missed=0, state="queued", attempts=0,
        asked_by_kind=by.kind, asked_by_id=by.id, asked_by=by.name,
    )  # fmt: skip
    session().add(run)
    session().flush()
    audit.record("job.asked", by=by, object_type="job_run", object_id=run.id, after={"job": job})
    return run


def pause(job: str, *, because: str, by: Actor) -> None:
    """The clock no longer starts the job; a run that is under way ends as usual.

    Raises NotFound, Invalid (no reason), Conflict `alreadyPaused`.
    """
    reason = because.strip()
    if not reason:
        raise Invalid.one("reason", "Say why it is paused.", "required")
    if len(reason) > LONGEST_REASON:
        raise Invalid.one("reason", f"Use at most {LONGEST_REASON} characters.", "tooLong")
    setting = _setting(job)
    if setting.paused_at is not None:
        raise Conflict("This job is paused already.", code="alreadyPaused")
    setting.paused_at, setting.paused_because = clock.now(), reason
    setting.paused_by_kind, setting.paused_by_id, setting.paused_by = by.kind, by.id, by.name
    session().flush()
    audit.record("job.paused", by=by, object_type="job", object_id=None, after={"job": job}, reason=reason)


def resume(job: str, *, by: Actor) -> None:
    """The clock starts the job again, from its next time on: what passed meanwhile was paused, and not missed.

    Raises NotFound, Conflict `notPaused`.
    """
    setting = _setting(job)
    if setting.paused_at is None:
        raise Conflict("This job is not paused.", code="notPaused")
    setting.since = clock.now()
    setting.paused_at = setting.paused_because = None
    setting.paused_by_kind = setting.paused_by_id = setting.paused_by = None
    session().flush()
    audit.record("job.resumed", by=by, object_type="job", object_id=None, after={"job": job})


def forget_old() -> int:
    """Remove old runs: soon those of frequent jobs that went well, the others after a year. The newest run of each job
    stays, because the next one is counted from it."""
    now = clock.now()
    newest = sa.select(sa.func.max(JobRun.scheduled_at)).where(JobRun.by_hand.is_(False)).group_by(JobRun.job)
    quiet = sa.and_(
        JobRun.state == "succeeded", JobRun.missed == 0, JobRun.attempts == 1, JobRun.by_hand.is_(False),
        JobRun.finished_at < now - QUIET_KEPT, JobRun.job.in_(_frequent(now - QUIET_KEPT)),
    )  # fmt: skip
    gone = session().execute(
        sa.delete(JobRun)
        .where(
            JobRun.finished_at.is_not(None),
            sa.or_(quiet, JobRun.finished_at < now - KEPT),
            JobRun.scheduled_at.not_in(newest),
        )
        .execution_options(synchronize_session=False)
    )
    return int(gone.rowcount)  # type: ignore[attr-defined]


def _frequent(since: datetime) -> sa.Select[str]:
    """Jobs that ran more often than a daily one does."""
    return sa.select(JobRun.job).where(JobRun.finished_at >= since).group_by(JobRun.job).having(sa.func.count() > 20)
