"""A match run that is killed or canceled half-way leaves nothing, and is made whole by the next claim."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import system
from dashboard.background import runner
from dashboard.background import services as background
from dashboard.background.models import BackgroundJob
from dashboard.database import session, transaction
from dashboard.settings import ROOT
from dashboard.treasury.matching.models import MatchRun
from dashboard.treasury.matching.services import runs
from dashboard.treasury.matching.vocabulary import MATCH
from tests.treasury.matching.conftest import Desk, Told

#: a rest after each pass: the parent kills it in the middle
SLOW_RUNNER = """
import threading, time
from wsgi import app
from dashboard.background import runner
from dashboard.treasury.matching.services import runs
make = runs.make
def slowly(board, step):
    make(board, step)
    time.sleep(1.5)
runs.make = slowly
runner.run_one(app, threading.Event())
"""


@pytest.fixture
def books(committed: Flask) -> Any:
    return Desk()


def environment(app: Flask) -> dict[str, str]:
    settings = app.extensions["countinghouse.settings"]
    return {
        **os.environ,
        "DATABASE_URL": (settings.database_url or "").replace("+psycopg", ""),
        "INSTANCE_PATH": str(settings.instance_path),
        "SECRET_KEY": settings.secret_key or "",
    }


def job_now() -> BackgroundJob:
    job = session().scalars(
        sa.select(BackgroundJob).where(BackgroundJob.kind == MATCH).execution_options(populate_existing=True)
    ).one()  # fmt: skip
    session().commit()
    return job


def asked(desk: Desk) -> MatchRun:
    desk.ledger(333)
    desk.file(Told(333), Told(-450, text="prowizja"))
    day = desk.close()
    with transaction():
        return runs.ask(desk.bank_id, day, dry=False, by=system())


def started_slowly(app: Flask) -> subprocess.Popen[bytes]:
    """A runner that has told of its second pass."""
    process = subprocess.Popen([sys.executable, "-c", SLOW_RUNNER], cwd=ROOT, env=environment(app))
    until = time.monotonic() + 120
    while (job_now().result or {}).get("pass", 0) < 2:
        assert time.monotonic() < until, "it did not begin"
        assert process.poll() is None, "it ended by itself"
        time.sleep(0.1)
    return process


def test_a_run_that_was_killed_is_made_again_whole(committed: Flask, books: Desk) -> None:
    run = asked(books)
    process = started_slowly(committed)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert books.matches("proposed") == books.matches() == books.breaks() == []
    session().commit()
    # its lease runs out
    with transaction():
        session().execute(sa.update(BackgroundJob).values(lease_until=sa.func.now() - sa.text("interval '1 second'")))
    assert runner.run_one(committed, threading.Event())
    job = job_now()
    assert (job.state, job.attempts) == ("succeeded", 2)
    assert session().get_one(MatchRun, run.id, populate_existing=True).state == "finished"
    assert len(books.matches("proposed")) == 1
    assert books.kinds() == [("missingInLedger", -450)]
    session().commit()


def test_a_run_that_was_canceled_leaves_nothing(committed: Flask, books: Desk) -> None:
    run = asked(books)
    process = started_slowly(committed)
    with transaction():
        background.cancel(job_now().id, kind=MATCH, by=system())
    assert process.wait(timeout=60) == 0
    assert job_now().state == "canceled"
    assert session().get_one(MatchRun, run.id, populate_existing=True).state == "canceled"
    assert books.matches("proposed") == books.matches() == books.breaks() == []
    session().commit()
