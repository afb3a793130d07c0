"""The run of the daily checks as background work.

Each check's result is written in one transaction with its findings and alerts, and only while the work is ours. A
second attempt goes on after the last result that stands, so a check is never half there and never there twice.
"""

from __future__ import annotations

import time
from datetime import date
from typing import Any

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.background.kinds import Kind
from dashboard.background.models import BackgroundJob
from dashboard.background.runner import Run
from dashboard.database import transaction
from dashboard.treasury.checks import queries
from dashboard.treasury.checks.check import Look
from dashboard.treasury.checks.models import DailyCheckRun
from dashboard.treasury.checks.services import keeping
from dashboard.treasury.checks.table import CHECKS
from dashboard.treasury.checks.vocabulary import RUN


def check_day(run: Run) -> dict[str, Any]:
    """Go through every check of the day, one after the other."""
    day, by = date.fromisoformat(run.arguments["day"]), run.by
    with transaction():
        begun = queries.run_of(run.job_id) or keeping.begin(run.job_id, day, by=by)
        if begun.finished_at is not None:
            return _figures(begun)
        ended = queries.ended_checks(run.job_id)
        run.keep(done=len(ended), total=len(CHECKS))
    for check in CHECKS:
        if check.key in ended:
            continue
        done = len(ended)

        def keep(done: int = done) -> None:
            run.keep(done=done)

        started = time.monotonic()
        answer = check.run(Look(day, clock.now(), run.job_id, by, keep))
        with transaction():
            keeping.keep(run.job_id, check, answer, milliseconds=int((time.monotonic() - started) * 1000), by=by)
            ended.add(check.key)
            run.keep(done=len(ended))
    with transaction():
        finished = keeping.finish(run.job_id, by=by)
        run.keep(done=len(CHECKS))
    return _figures(finished)


def _figures(run: DailyCheckRun) -> dict[str, Any]:
    return {"passed": run.passed, "failed": run.failed, "notRun": run.not_run}


def _stopped(job: BackgroundJob) -> None:
    """Only a run that has begun can be stopped."""
    if queries.run_of(job.id) is not None:
        asked = Actor(kind=job.asked_by_kind, id=job.asked_by_id, name=job.asked_by_name, role="background")  # type: ignore[arg-type]
        keeping.stopped(job.id, how=job.state, by=asked)


KINDS = (Kind(key=RUN, label="Daily checks", run=check_day, stopped=_stopped),)
