"""The part of the clock that runs: APScheduler wakes it, the database says what is due and whose it is.

Any number of schedulers run at once, each in a process of its own. One that wakes asks for what is due and takes it, or
finds that another one has. So what APScheduler thought it missed does not matter, nor does what it does not know:
a look at every job once a minute takes up what came while nobody was there.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask

from dashboard.database import db, transaction
from dashboard.errors import DomainError
from dashboard.jobs import services
from dashboard.jobs.schedule import JOBS, Job
from dashboard.jobs.services import Claimed, RunLost
from dashboard.web.logs import log

#: between two looks at what was asked for or lost
LOOK_SECONDS = 1.0
#: between two looks at what every job is due
ROUND_SECONDS = 60.0
BEAT_SECONDS = services.LEASE.total_seconds() / 4
#: runs that one scheduler takes up beside those that APScheduler wakes
THREADS = 4


def _refused(error: Exception) -> str:
    """Why a run failed, for people. Of an unexpected error only its type: its words may hold what somebody typed."""
    if isinstance(error, DomainError):
        return error.message
    return f"An unexpected error ended it ({type(error).__name__}). The log of the scheduler says more."


class Clock:
    """One scheduler: its jobs, the runs that it holds, and the threads that work on them."""

    def __init__(self, app: Flask, jobs: tuple[Job, ...] = JOBS) -> None:
        self.app = app
        self.jobs = {job.name: job for job in jobs}
        self.settings = app.extensions["countinghouse.settings"]
        self.triggers = {job.name: job.when.trigger(self.settings.zone) for job in jobs}
        self.owner = f"{socket.gethostname()}:{os.getpid()}"
        self._held: dict[UUID, Claimed] = {}
        self._guard = threading.Lock()

    # what APScheduler calls

    def scheduler(self) -> BackgroundScheduler:
        """APScheduler with every job of the table, not started yet. It only wakes: what is late is not left out."""
        scheduler = BackgroundScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        for name, trigger in self.triggers.items():
            scheduler.add_job(self.wake, trigger, args=(name,), id=name, name=name)
        return scheduler

    def know(self) -> None:
        """Tell the database which jobs there are. Called once the database is ready."""
        with self.app.app_context(), transaction():
            services.know(self.jobs)

    def wake(self, name: str) -> bool:
        """Run the job if a time of it has come that nobody has taken; gives whether it ran."""
        try:
            with self.app.app_context(), transaction():
                claimed = services.claim_due(name, self.triggers[name], owner=self.owner)
        except sa.exc.SQLAlchemyError as error:
            log.warning("clock waits for the database", job=name, error=type(error).__name__)
            return False
        if claimed is None:
            return False
        self.carry_out(claimed)
        return True

    # running

    def carry_out(self, claimed: Claimed) -> None:
        """Run what was claimed and write how it ended. A failure is logged and ends nothing else."""
        with self._guard:
            self._held[claimed.lease] = claimed
        started = time.perf_counter()
        if claimed.missed:
            log.warning("times of a job were missed", job=claimed.job, missed=claimed.missed)
        if claimed.attempt > 1:
            log.warning("a lost run is done again", job=claimed.job, attempt=claimed.attempt)
        figures: Mapping[str, Any] = {}
        failure = None
        try:
            with self.app.app_context():
                try:
                    figures = self.jobs[claimed.job].run(self.settings)
                except Exception as error:
                    failure = _refused(error)
                    log.error("job failed", job=claimed.job, error=type(error).__name__)
                self._end(claimed, figures, failure)
        finally:
            with self._guard:
                self._held.pop(claimed.lease, None)
        if failure is None:
            log.info("job", job=claimed.job, ms=round((time.perf_counter() - started) * 1000, 1), **figures)

    @staticmethod
    def _end(claimed: Claimed, figures: Mapping[str, Any], failure: str | None) -> None:
        try:
            with transaction():
                services.finish(claimed, figures=figures, failure=failure)
        except RunLost:
            log.warning("another scheduler has taken the run over", job=claimed.job)
        except sa.exc.SQLAlchemyError as error:
            # the lease runs out, and the run is done again
            log.error("the end of a run could not be written", job=claimed.job, error=type(error).__name__)

    # what nobody wakes

    def keep_alive(self) -> None:
        """Lengthen the leases of what runs here."""
        with self._guard:
            held = list(self._held)
        if held:
            with self.app.app_context(), db.engine.begin() as connection:
                services.beat(connection, held)

    def take_waiting(self) -> Claimed | None:
        """A run that somebody asked for or that was lost, now ours."""
        with self.app.app_context(), transaction():
            return services.claim_waiting(list(self.jobs), owner=self.owner)

    def catch_up(self, pool: ThreadPoolExecutor) -> None:
        """Take up every time that has come and that nobody took, for whatever reason."""
        for name, trigger in self.triggers.items():
            with self.app.app_context(), transaction():
                claimed = services.claim_due(name, trigger, owner=self.owner)
            if claimed is not None:
                pool.submit(self.carry_out, claimed)

    def watch(self, stop: threading.Event) -> None:
        """Until `stop`: keep leases, take up what was asked for, lost or missed. A database that does not answer is
        waited for."""
        pool = ThreadPoolExecutor(THREADS, thread_name_prefix="job")
        beaten = rounded = float("-inf")
        while not stop.is_set():
            try:
                moment = time.monotonic()
                if moment - beaten >= BEAT_SECONDS:
                    self.keep_alive()
                    beaten = moment
                while (claimed := self.take_waiting()) is not None:
                    pool.submit(self.carry_out, claimed)
                if moment - rounded >= ROUND_SECONDS:
                    self.catch_up(pool)
                    rounded = moment
            except sa.exc.SQLAlchemyError as error:
                log.warning("clock waits for the database", error=type(error).__name__)
            stop.wait(LOOK_SECONDS)
        pool.shutdown(wait=False, cancel_futures=True)
