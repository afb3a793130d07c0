"""Writing what a run comes to: its beginning, each result with its findings and alerts in one transaction, its end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.audit import services as audit
from dashboard.database import new_ids, session
from dashboard.treasury.alerts import services as alerts
from dashboard.treasury.alerts.services import About
from dashboard.treasury.checks import queries
from dashboard.treasury.checks.check import Answer, Check, Finding, Outcome
from dashboard.treasury.checks.models import DailyCheckFinding, DailyCheckResult, DailyCheckRun
from dashboard.treasury.checks.vocabulary import OBJECT

#: column of the run that counts results of an outcome
_COUNTS = {Outcome.PASSED: "passed", Outcome.FAILED: "failed", Outcome.NOT_RUN: "not_run"}


def begin(run_id: UUID, day: date, *, by: Actor) -> DailyCheckRun:
    """Write that a run has begun."""
    run = DailyCheckRun(
        id=run_id, job_id=run_id, day=day, started_at=clock.now(), passed=0, failed=0, not_run=0, by_kind=by.kind,
        by_id=by.id, by_name=by.name,
    )  # fmt: skip
    session().add(run)
    session().flush()
    audit.record("daily_check_run.started", by=by, object_type=OBJECT, object_id=run_id, after={"day": day})
    return run


def keep(run_id: UUID, check: Check, answer: Answer, *, milliseconds: int, by: Actor) -> None:
    """Write how a check ended, with its findings, and raise or settle its alerts."""
    session().add(
        DailyCheckResult(
            run_id=run_id, check_key=check.key, outcome=answer.outcome.value,
            missing="; ".join(answer.missing) or None, looked=answer.looked, findings=answer.count,
            ended_at=clock.now(), milliseconds=milliseconds,
        )
    )  # fmt: skip
    session().flush()
    if answer.findings:
        _write(run_id, check, answer.findings)
    column = getattr(DailyCheckRun, _COUNTS[answer.outcome])
    day = session().scalars(
        sa.update(DailyCheckRun)
        .where(DailyCheckRun.id == run_id)
        .values({column: column + 1})
        .returning(DailyCheckRun.day)
        .execution_options(synchronize_session=False)
    ).one()  # fmt: skip
    _tell(check, answer, day, by=by)


def _write(run_id: UUID, check: Check, findings: Sequence[Finding]) -> None:
    ids = new_ids(len(findings))
    session().execute(
        sa.insert(DailyCheckFinding),
        [
            {
                "id": ids[place], "run_id": run_id, "check_key": check.key, "number": place + 1, "cause": one.cause,
                "pool": one.pool, "currency": one.currency, "subject_type": one.subject_type,
                "subject_id": one.subject_id, "subject": one.subject, "says": one.says, "todo": one.todo,
                "path": one.path, "expected_minor": one.expected, "found_minor": one.found,
            }
            for place, one in enumerate(findings)
        ],
    )  # fmt: skip


def _tell(check: Check, answer: Answer, day: date, *, by: Actor) -> None:
    """One alert for each pool, currency and cause; what is gone is settled, unless an input was missing to say so, or
    it was found on a later day: an older day says nothing about that."""
    groups: dict[About, list[Finding]] = {}
    for finding in answer.findings:
        groups.setdefault(About(finding.pool, finding.currency, finding.cause), []).append(finding)
    for about, found in sorted(groups.items(), key=lambda pair: [part or "" for part in map(str, pair[0])]):
        first = found[0]
        more = f" And {len(found) - 1:,} more like it." if len(found) > 1 else ""
        alerts.raise_alert(
            check.key, pool=about.pool, currency=about.currency, cause=about.cause,
            says=f"{first.subject}: {first.says}{more}", by=by,
        )  # fmt: skip
    if not answer.missing and answer.count == len(answer.findings):
        still = set(groups) | {About(*told) for told in queries.told_of_later_days(check.key, day)}
        alerts.settle_all_but(check.key, still, because="A later run of the check did not find it.", by=by)


def finish(run_id: UUID, *, by: Actor) -> DailyCheckRun:
    """Write that every check has been gone through; gives the run with its counts."""
    run = session().scalars(
        sa.select(DailyCheckRun)
        .where(DailyCheckRun.id == run_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()  # fmt: skip
    if run.finished_at is None:
        run.finished_at = max(clock.now(), run.started_at)
        session().flush()
        audit.record(
            "daily_check_run.finished", by=by, object_type=OBJECT, object_id=run_id,
            after={"passed": run.passed, "failed": run.failed, "notRun": run.not_run},
        )  # fmt: skip
    return run


def stopped(run_id: UUID, *, how: str, by: Actor) -> None:
    """Write that a run ended before every check was gone through; what it has come to stays."""
    audit.record("daily_check_run.stopped", by=by, object_type=OBJECT, object_id=run_id, after={"state": how})
