"""Running jobs of the schedule as a scheduler does, now."""

from __future__ import annotations

from flask import Flask

from dashboard.access.actor import system
from dashboard.database import transaction
from dashboard.jobs import services
from dashboard.jobs.clockwork import Clock
from dashboard.jobs.queries import get
from dashboard.jobs.schedule import JOBS, Job

BY_NAME = {job.name: job for job in JOBS}


def run(job: Job, app: Flask) -> bool:
    """Ask for a run, carry it out, and say whether it went well."""
    one = Clock(app, (job,))
    one.know()
    with transaction():
        services.ask_now(job.name, by=system("test"))
    claimed = one.take_waiting()
    assert claimed is not None
    one.carry_out(claimed)
    with transaction():
        return get(claimed.run_id).state == "succeeded"
