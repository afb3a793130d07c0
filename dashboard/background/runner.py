"""Running work: one claim, one heartbeat beside it, one end. Any number of threads and processes may do so."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import Actor
from dashboard.background import kinds, services
from dashboard.background.services import Claim, LeaseLost
from dashboard.database import db, transaction
from dashboard.errors import DomainError
from dashboard.web.logs import log

#: between two looks at the table when nothing waits
IDLE_SECONDS = 1.0
BEAT_SECONDS = services.LEASE.total_seconds() / 4
#: progress is written at most this often
REPORT_SECONDS = 0.5


class Canceled(Exception):
    """Somebody asked to cancel the work."""


class Stopping(Exception):
    """The process ends; the work goes back to the queue."""


class Run:
    """What a kind's function gets: the arguments, who asked, and how to say that it is still going on."""

    def __init__(self, claimed: Claim, stop: threading.Event) -> None:
        self.claimed = claimed
        self.stop = stop
        self.lost = threading.Event()
        self.done = 0
        self.total: int | None = None
        self._reported = 0.0

    @property
    def job_id(self) -> UUID:
        return self.claimed.job_id

    @property
    def arguments(self) -> Mapping[str, Any]:
        return self.claimed.arguments

    @property
    def checkpoint(self) -> Mapping[str, Any]:
        """What an earlier runner of this work wrote last; empty at the first attempt."""
        return self.claimed.checkpoint

    @property
    def by(self) -> Actor:
        """Who asked, for evidence; may nothing."""
        asked = self.claimed
        return Actor(kind=asked.by_kind, id=asked.by_id, name=asked.by_name, role="background")  # type: ignore[arg-type]

    def keep(self, *, done: int, total: int | None = None, checkpoint: Mapping[str, Any] | None = None) -> None:
        """The last statement of each transaction of the work: it is committed only while the work is ours.

        Progress and checkpoint reach the table about twice a second. Raises LeaseLost, Canceled, Stopping, which the
        work lets pass.
        """
        self.done, self.total = done, total if total is not None else self.total
        if self.lost.is_set():
            raise LeaseLost
        if self.stop.is_set():
            raise Stopping
        if time.monotonic() - self._reported < REPORT_SECONDS:
            canceled = services.hold(self.claimed)
        else:
            canceled = services.report(self.claimed, done=self.done, total=self.total, checkpoint=checkpoint)
            self._reported = time.monotonic()
        if canceled:
            raise Canceled

    def say(self, *, done: int, total: int | None = None, checkpoint: Mapping[str, Any]) -> None:
        """Progress of work that is one transaction, told beside it and seen at once; `keep` still ends the work.

        Raises LeaseLost, Canceled, Stopping, which the work lets pass.
        """
        self.done, self.total = done, total if total is not None else self.total
        if self.lost.is_set():
            raise LeaseLost
        if self.stop.is_set():
            raise Stopping
        with db.engine.begin() as connection:
            canceled = services.tell(connection, self.claimed, done=done, total=self.total, checkpoint=checkpoint)
        if canceled:
            raise Canceled


def _beat(app: Flask, run: Run, over: threading.Event) -> None:
    """Keep the lease while the work is in a long statement. A database that does not answer is asked again."""
    with app.app_context():
        while not over.wait(BEAT_SECONDS):
            try:
                with db.engine.begin() as connection:
                    if not services.beat(connection, run.claimed):
                        run.lost.set()
                        return
            except sa.exc.SQLAlchemyError as error:
                log.warning("heartbeat failed", job=str(run.job_id), error=type(error).__name__)


def _end(run: Run) -> str:
    """Do the work and write its end; gives the word for the log."""
    kind = kinds.kind_of(run.claimed.kind)
    try:
        result = kind.run(run)
        with transaction():
            services.succeed(run.claimed, result)
        return "succeeded"
    except LeaseLost:
        return "lost"
    except Canceled:
        with transaction():
            services.canceled(run.claimed)
        return "canceled"
    except Stopping:
        with transaction():
            services.hand_back(run.claimed)
        return "handed back"
    except DomainError as refusal:
        with transaction():
            services.fail(run.claimed, refusal.message, again=False)
        return "failed"
    except Exception as error:
        # the type, not the message: it may hold what somebody typed
        name = type(error).__name__
        log.error("background work failed", kind=kind.key, job=str(run.job_id), error=name)
        with transaction():
            tried = services.fail(run.claimed, f"An unexpected error ended it ({name}). Ask again.", again=True)
        return "tried again later" if tried else "failed"


def run_one(app: Flask, stop: threading.Event, *, job_id: UUID | None = None, apart: bool | None = None) -> bool:
    """Claim and run one piece of work; False when none waits. Only `job_id`, or kinds that are apart or are not, where
    it is given."""
    with app.app_context():
        with transaction():
            claimed = services.claim(kinds.registered(apart=apart), job_id=job_id)
        if claimed is None:
            return False
        run, over = Run(claimed, stop), threading.Event()
        beating = threading.Thread(target=_beat, args=(app, run, over), daemon=True)
        beating.start()
        started = time.perf_counter()
        try:
            end = _end(run)
        except LeaseLost:
            end = "lost"
        finally:
            over.set()
            beating.join()
        log.info(
            "background work", kind=claimed.kind, job=str(claimed.job_id), attempt=claimed.attempt, end=end,
            done=run.done, ms=round((time.perf_counter() - started) * 1000, 1),
        )  # fmt: skip
        return True


def work(app: Flask, stop: threading.Event, *, apart: bool = False) -> None:
    """Run what waits until `stop`: kinds that are apart, or all others.

    A database that does not answer is waited for.
    """
    while not stop.is_set():
        try:
            ran = run_one(app, stop, apart=apart)
        except sa.exc.SQLAlchemyError as error:
            log.warning("background work waits for the database", error=type(error).__name__)
            ran = False
        if not ran:
            stop.wait(IDLE_SECONDS)
