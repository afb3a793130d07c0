"""`python -m dashboard.jobs`: the scheduler, in a process of its own. SIGTERM or Ctrl-C ends it."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
import time
from types import FrameType

import sqlalchemy as sa
from flask import Flask

from dashboard.background import runner
from dashboard.database import db, schema_head
from dashboard.jobs.clockwork import Clock
from dashboard.onboarding.sumsub import worker as verification
from dashboard.transfers import worker
from dashboard.web.logs import log

#: between two looks at a database that is not ready yet
PATIENCE_SECONDS = 1.0
#: how long a running job may finish after the signal; the database takes back what was not committed
LAST_SECONDS = 1.5
#: pieces of background work at once: a long check does not keep a short one waiting
RUNNERS = 2


def database_ready(app: Flask) -> bool:
    """Whether the database answers and its schema is ours."""
    with app.app_context():
        try:
            with db.engine.connect() as connection:
                version = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        except sa.exc.SQLAlchemyError:
            return False
    return bool(version == schema_head())


def serve(app: Flask, stop: threading.Event) -> None:
    """Wait for the database, then run the schedule and the background work until `stop`."""
    waiting = False
    while not database_ready(app):
        if not waiting:
            log.info("scheduler waits for the database")
            waiting = True
        if stop.wait(PATIENCE_SECONDS):
            return
    ticking = Clock(app)
    ticking.know()
    scheduler = ticking.scheduler()
    scheduler.start()
    working = [threading.Thread(target=ticking.watch, args=(stop,), daemon=True)]
    working += [threading.Thread(target=runner.work, args=(app, stop), daemon=True) for _ in range(RUNNERS)]
    working.append(threading.Thread(target=runner.work, args=(app, stop), kwargs={"apart": True}, daemon=True))
    for thread in working:
        thread.start()
    working += worker.start(app, stop)
    working += verification.start(app, stop)
    log.info("scheduler started", jobs=len(scheduler.get_jobs()))
    stop.wait()
    scheduler.pause()
    ending = threading.Thread(target=scheduler.shutdown, daemon=True)
    ending.start()
    last = time.monotonic() + LAST_SECONDS
    for thread in (ending, *working):
        thread.join(max(0.0, last - time.monotonic()))


def _stop_by_signal(stop: threading.Event) -> None:
    """Set `stop` on SIGTERM, SIGINT and SIGHUP, in a thread of its own.

    A handler runs in the midst of what the main thread does. Setting the event there waits for ever when that thread
    holds the event's own lock, as it does for a moment when it begins to wait.
    """
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell, warn_on_full_buffer=False)

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        return

    def watch() -> None:
        os.read(told, 1)
        stop.set()

    threading.Thread(target=watch, daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, on_signal)


def main() -> None:
    """Ends the process with status 0."""
    stop = threading.Event()
    _stop_by_signal(stop)
    # by name: the factory stands above this package, and this process is one of its two users
    app: Flask = importlib.import_module("wsgi").app
    serve(app, stop)
    log.info("scheduler stopped")
    sys.stderr.flush()
    # threads of a job that is still running would keep the process
    os._exit(0)


if __name__ == "__main__":
    main()
