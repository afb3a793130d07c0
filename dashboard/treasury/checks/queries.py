"""Reading daily checks: runs, results, findings, and how each check went over the last days."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import sqlalchemy as sa

from dashboard.background.models import BackgroundJob
from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.treasury.checks.check import MOST_FINDINGS, Outcome
from dashboard.treasury.checks.models import DailyCheckFinding, DailyCheckResult, DailyCheckRun
from dashboard.treasury.checks.vocabulary import RUN


def run_of(run_id: UUID) -> DailyCheckRun | None:
    """The run, as it stands now."""
    return session().get(DailyCheckRun, run_id, populate_existing=True)


def get(run_id: UUID) -> DailyCheckRun:
    """Raises NotFound."""
    found = run_of(run_id)
    if found is None:
        raise NotFound("There is no such run of the daily checks.", code="runNotFound")
    return found


def ended_checks(run_id: UUID) -> set[str]:
    """Keys of the checks whose result stands."""
    return set(session().scalars(sa.select(DailyCheckResult.check_key).where(DailyCheckResult.run_id == run_id)))


_TOLD_LATER = sa.text(
    "SELECT DISTINCT f.pool, f.currency, f.cause FROM daily_check_run r"
    " JOIN daily_check_finding f ON f.run_id = r.id AND f.check_key = :key"
    " WHERE r.day > :day AND NOT EXISTS ("
    "  SELECT FROM daily_check_run n JOIN daily_check_result e ON e.run_id = n.id AND e.check_key = :key"
    "  WHERE n.day = r.day AND n.id > r.id AND e.missing IS NULL AND e.findings <= :kept)"
)


def told_of_later_days(check_key: str, day: date) -> set[tuple[str | None, str | None, str]]:
    """Pool, currency and cause of what the check has found on days after `day`, except where a newer run that looked at
    everything of that day has taken its place."""
    rows = session().execute(_TOLD_LATER, {"key": check_key, "day": day, "kept": MOST_FINDINGS})
    return {(row.pool, row.currency, row.cause) for row in rows}


@dataclass(frozen=True)
class RunView:
    """A run with the state of its work: queued, running, finished, failed or canceled."""

    run: DailyCheckRun
    state: str
    failure: str | None


def _view(run: DailyCheckRun, job_state: str | None, failure: str | None) -> RunView:
    if run.finished_at is not None:
        return RunView(run, "finished", None)
    return RunView(run, job_state if job_state in {"failed", "canceled"} else "running", failure)


def runs(
    *, day: date | None = None, before: UUID | None = None, after: UUID | None = None, limit: int
) -> list[RunView]:
    """Newest first. `before`: those older than a run; `after`: those newer than it."""
    table = DailyCheckRun
    query = (
        sa.select(table, BackgroundJob.state, BackgroundJob.failure)
        .outerjoin(BackgroundJob, BackgroundJob.id == table.job_id)
        .order_by(table.id.asc() if after else table.id.desc())
        .limit(limit)
        .execution_options(populate_existing=True)
    )
    if day is not None:
        query = query.where(table.day == day)
    if before is not None:
        query = query.where(table.id < before)
    if after is not None:
        query = query.where(table.id > after)
    found = [_view(*row) for row in session().execute(query)]
    return found[::-1] if after else found


def view_of(run_id: UUID) -> RunView:
    """Raises NotFound."""
    run = get(run_id)
    job = session().get(BackgroundJob, run.job_id, populate_existing=True) if run.job_id else None
    return _view(run, job.state if job else None, job.failure if job else None)


def results(run_ids: Sequence[UUID]) -> dict[UUID, dict[str, DailyCheckResult]]:
    """Results by run and check; one query for all."""
    found: dict[UUID, dict[str, DailyCheckResult]] = {run_id: {} for run_id in run_ids}
    rows = session().scalars(sa.select(DailyCheckResult).where(DailyCheckResult.run_id.in_(list(run_ids))))
    for row in rows:
        found[row.run_id][row.check_key] = row
    return found


def latest(*, day: date | None = None) -> DailyCheckRun | None:
    """The newest run that has finished, of a day or of any."""
    query = sa.select(DailyCheckRun).where(DailyCheckRun.finished_at.is_not(None))
    if day is not None:
        query = query.where(DailyCheckRun.day == day)
    return session().scalar(query.order_by(DailyCheckRun.id.desc()).limit(1).execution_options(populate_existing=True))


@dataclass(frozen=True)
class FindingFilter:
    """Of one run; all that is set must hold."""

    run_id: UUID
    check_key: str | None = None
    currency: str | None = None


def _findings(chosen: FindingFilter) -> sa.Select[DailyCheckFinding]:
    table = DailyCheckFinding
    query = sa.select(table).where(table.run_id == chosen.run_id)
    if chosen.check_key:
        query = query.where(table.check_key == chosen.check_key)
    if chosen.currency:
        query = query.where(table.currency == chosen.currency)
    return query


def findings(
    chosen: FindingFilter, *, before: UUID | None = None, after: UUID | None = None, limit: int
) -> list[DailyCheckFinding]:
    """In the order in which they were found. `after`: those behind a finding; `before`: those in front of it."""
    table = DailyCheckFinding
    query = _findings(chosen).order_by(table.id.desc() if before else table.id).limit(limit)
    if after is not None:
        query = query.where(table.id > after)
    if before is not None:
        query = query.where(table.id < before)
    found = list(session().scalars(query))
    return found[::-1] if before else found


def every_finding(chosen: FindingFilter) -> Iterator[Mapping[str, object]]:
    """All of them, for a file."""
    table = DailyCheckFinding
    query = _findings(chosen).order_by(table.id)
    columns = query.with_only_columns(*table.__table__.columns)
    yield from (dict(row) for row in session().execute(columns.execution_options(yield_per=1000)).mappings())


@dataclass(frozen=True)
class Past:
    """How a check went in the last finished run of a day."""

    outcome: Outcome
    findings: int
    run_id: UUID


def trend(*, days: int) -> tuple[list[date], dict[str, dict[date, Past]]]:
    """The last days that were checked, oldest first, and how each check went on them: the day's last finished run."""
    table = DailyCheckRun
    chosen = session().execute(
        sa.select(table.day, sa.func.max(sa.cast(table.id, sa.Text)).label("run_id"))
        .where(table.finished_at.is_not(None))
        .group_by(table.day)
        .order_by(table.day.desc())
        .limit(days)
    ).all()  # fmt: skip
    of_run = {UUID(row.run_id): row.day for row in chosen}
    found: dict[str, dict[date, Past]] = {}
    for run_id, by_check in results(list(of_run)).items():
        for key, result in by_check.items():
            found.setdefault(key, {})[of_run[run_id]] = Past(Outcome(result.outcome), result.findings, run_id)
    return sorted(of_run.values()), found


@dataclass(frozen=True)
class Today:
    """What home says: the last finished run, and whether another one is under way. Without a run all is unknown."""

    run: DailyCheckRun | None
    running: bool


def today() -> Today:
    """The newest finished run, and whether one is queued or running."""
    waiting = session().scalar(
        sa.select(BackgroundJob.id)
        .where(BackgroundJob.kind == RUN, BackgroundJob.state.in_(("queued", "running")))
        .limit(1)
    )
    return Today(latest(), waiting is not None)
