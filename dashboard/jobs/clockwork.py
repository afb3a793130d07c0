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
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from functools import partial
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask

from dashboard.database import db, session, transaction
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
        #: threads of `watch` that have nothing to do: what nobody can begin is left to other schedulers
        self._free = threading.BoundedSemaphore(THREADS)

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

    def _hold(self, claimed: Claimed) -> None:
        """From now on its lease is lengthened here, also while it waits for its thread."""
        with self._guard:
            self._held[claimed.lease] = claimed

    def _let_go(self, claimed: Claimed) -> None:
        with self._guard:
            self._held.pop(claimed.lease, None)

    def _still_ours(self, claimed: Claimed) -> bool:
        """Whether the lease stands, lengthened. It may have passed on while this process was held up."""
        try:
            with self.app.app_context(), transaction():
                ours = claimed.lease in services.beat(session().connection(), [claimed.lease])
        except sa.exc.SQLAlchemyError as error:
            # the lease runs out, and the run is done again
            log.error("a run could not be begun", job=claimed.job, error=type(error).__name__)
            return False
        if not ours:
            log.warning("another scheduler has taken the run over", job=claimed.job)
        return ours

    def carry_out(self, claimed: Claimed) -> None:
        """Run what was claimed and write how it ended. A failure is logged and ends nothing else.

        Nothing is run that another scheduler has taken over before it began.
        """
        self._hold(claimed)
        try:
            if self._still_ours(claimed):
                self._run(claimed)
        finally:
            self._let_go(claimed)

    def _run(self, claimed: Claimed) -> None:
        started = time.perf_counter()
        if claimed.missed:
            log.warning("times of a job were missed", job=claimed.job, missed=claimed.missed)
        if claimed.attempt > 1:
            log.warning("a lost run is done again", job=claimed.job, attempt=claimed.attempt)
        figures: Mapping[str, Any] = {}
        failure = None
        with self.app.app_context():
            try:
                figures = self.jobs[claimed.job].run(self.settings)
            except Exception as error:
                failure = _refused(error)
                log.error("job failed", job=claimed.job, error=type(error).__name__)
            self._end(claimed, figures, failure)
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
            claimed = services.claim_waiting(list(self.jobs), owner=self.owner)
        if claimed is not None:
            self._hold(claimed)
        return claimed

    def take_due(self, name: str) -> Claimed | None:
        """The run of a time that has come and that nobody took, now ours."""
        with self.app.app_context(), transaction():
            claimed = services.claim_due(name, self.triggers[name], owner=self.owner)
        if claimed is not None:
            self._hold(claimed)
        return claimed

    def _begin(self, pool: ThreadPoolExecutor, take: Callable[[], Claimed | None]) -> bool | None:
        """Take a run and have a free thread carry it out; False where there is none to take, None where every thread
        is busy, and nothing is taken."""
        if not self._free.acquire(blocking=False):
            return None
        submitted = False
        try:
            claimed = take()
            if claimed is None:
                return False
            pool.submit(self._carry_out_and_free, claimed)
            submitted = True
            return True
        finally:
            if not submitted:
                self._free.release()

    def _carry_out_and_free(self, claimed: Claimed) -> None:
        try:
            self.carry_out(claimed)
        finally:
            self._free.release()

    def take_up(self, pool: ThreadPoolExecutor) -> None:
        """Take up what was asked for or lost, as far as threads are free."""
        while self._begin(pool, self.take_waiting):
            pass

    def catch_up(self, pool: ThreadPoolExecutor) -> bool:
        """Take up every time that has come and that nobody took, for whatever reason; False when threads were wanting
        for some of them."""
        return all(self._begin(pool, partial(self.take_due, name)) is not None for name in self.triggers)

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
                self.take_up(pool)
                if moment - rounded >= ROUND_SECONDS and self.catch_up(pool):
                    rounded = moment
            except sa.exc.SQLAlchemyError as error:
                log.warning("clock waits for the database", error=type(error).__name__)
            stop.wait(LOOK_SECONDS)
        pool.shutdown(wait=False, cancel_futures=True)
