"""A check whose process is killed half-way is finished by another one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import sqlalchemy as sa
from click.testing import Result
from flask import Flask

from dashboard.access.actor import system
from dashboard.background import runner
from dashboard.background.models import BackgroundJob
from dashboard.database import session, transaction
from dashboard.ledger.models import BalanceCheck
from dashboard.ledger.services import checking
from dashboard.ledger.vocabulary import CheckScope
from dashboard.settings import ROOT
from tests.ledger.conftest import Book
from tests.ledger.test_checks import corrupt, findings

#: one account a step, and a rest after each: the parent kills it in the middle
SLOW_RUNNER = """
import threading, time
from wsgi import app
from dashboard.background import runner
from dashboard.ledger import jobs
from dashboard.ledger.services import checking
jobs.SMALLEST = jobs.LARGEST = 1
runner.REPORT_SECONDS = 0
look = checking.look
def slowly(check_id, account_ids, **options):
    time.sleep(0.1)
    return look(check_id, account_ids, **options)
checking.look = slowly
runner.run_one(app, threading.Event())
"""


def environment(app: Flask) -> dict[str, str]:
    settings = app.extensions["countinghouse.settings"]
    return {
        **os.environ,
        "DATABASE_URL": (settings.database_url or "").replace("+psycopg", ""),
        "INSTANCE_PATH": str(settings.instance_path),
        "SECRET_KEY": settings.secret_key or "",
    }


def job_now() -> BackgroundJob:
    job = session().scalars(sa.select(BackgroundJob).execution_options(populate_existing=True)).one()
    session().commit()
    return job


def test_a_check_that_was_killed_half_way_goes_on_where_it_was(committed: Flask) -> None:
    book = Book()
    accounts = sorted(book.account(number + 1) for number in range(40))
    corrupt(committed, accounts[0], posted=7)
    corrupt(committed, accounts[-1], posted=7)
    with transaction():
        checking.ask_to_check(CheckScope.FULL, by=system())
    process = subprocess.Popen([sys.executable, "-c", SLOW_RUNNER], cwd=ROOT, env=environment(committed))
    try:
        until = time.monotonic() + 60
        while (job := job_now()).done < 6 and time.monotonic() < until and process.poll() is None:
            time.sleep(0.02)
        assert 6 <= job.done < 40, "it was killed in the middle"
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    job = job_now()
    assert job.state == "running"
    # its lease still stands: nobody takes it
    assert not runner.run_one(committed, threading.Event())
    with transaction():
        session().execute(
            sa.update(BackgroundJob).values(lease_until=sa.text("clock_timestamp() - interval '1 second'"))
        )
    looked: list[int] = []
    original = checking.look

    def counted(check_id, account_ids, **options):  # type: ignore[no-untyped-def]
        looked.extend(account_ids)
        return original(check_id, account_ids, **options)

    checking.look = counted
    try:
        assert runner.run_one(committed, threading.Event())
    finally:
        checking.look = original
    job = job_now()
    assert (job.state, job.attempts) == ("succeeded", 2)
    assert job.result is not None
    assert (job.result["accounts"], job.result["differences"]) == (41, 2)
    # what the first process had reported was not done again
    assert len(looked) <= 41 - 6
    assert {finding.account_id for finding in findings()} == {accounts[0], accounts[-1]}
    run = session().scalars(sa.select(BalanceCheck)).one()
    assert (run.accounts, run.differences, run.finished_at is not None) == (41, 2, True)


def test_the_scheduler_process_does_the_work_that_was_asked_for(committed: Flask) -> None:
    Book().account(100)
    with transaction():
        checking.ask_to_check(CheckScope.FULL, by=system())
    process = subprocess.Popen(
        [sys.executable, "-m", "dashboard.jobs"], cwd=ROOT, env=environment(committed), stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 60
        while (job := job_now()).state != "succeeded" and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        process.terminate()
        status = process.wait(20)
    assert (job.state, job.done, status) == ("succeeded", 2, 0)


def command(app: Flask, *words: str) -> Result:
    return app.test_cli_runner().invoke(args=["ledger", "check", *words])


def test_the_command_checks_here_and_its_status_tells_of_differences(committed: Flask) -> None:
    book = Book()
    wrong, right = book.account(500), book.account(700)
    clean = command(committed)
    assert (clean.exit_code, "Accounts checked: 3. Differences: 0." in clean.output) == (0, True)
    corrupt(committed, wrong, posted=1)
    full = command(committed, "--full")
    assert full.exit_code == 2
    assert "Accounts checked: 3. Differences: 1." in full.output
    numbers = dict(session().execute(sa.text("SELECT id, number FROM account")).tuples().all())
    session().commit()
    assert command(committed, "--account", numbers[right]).exit_code == 0
    both = command(committed, "--account", numbers[wrong], "--account", numbers[right])
    assert (both.exit_code, "Accounts checked: 2. Differences: 1." in both.output) == (2, True)
    unknown = command(committed, "--account", "LT000")
    assert (unknown.exit_code, "No account has the number LT000." in unknown.output) == (1, True)


def test_the_command_waits_for_no_check_of_another_scope(committed: Flask) -> None:
    with transaction():
        checking.ask_to_check(CheckScope.FULL, by=system())
    refused = command(committed)
    assert refused.exit_code == 1
    assert "another scope is under way" in refused.output
