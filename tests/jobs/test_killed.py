"""A scheduler that is killed in the middle, and two of them at once: nothing is half done, nothing is done twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access.actor import system
from dashboard.background import runner
from dashboard.background.models import BackgroundJob
from dashboard.database import session, transaction
from dashboard.jobs.clockwork import Clock
from dashboard.jobs.models import JobRun, JobSetting
from dashboard.jobs.schedule import JOBS
from dashboard.ledger.models import BusinessDay, DailyBalance
from dashboard.ledger.queries import days as day_queries
from dashboard.ledger.services import days, snapshots
from dashboard.settings import ROOT
from dashboard.treasury.alerts.models import TreasuryAlert
from dashboard.treasury.checks import queries as checks
from dashboard.treasury.checks import table
from dashboard.treasury.checks.models import DailyCheckResult
from dashboard.treasury.checks.services import asking
from tests.ledger.conftest import Book
from tests.ledger.test_checks_killed import environment
from tests.treasury.checks.house import House

LATER = timedelta(days=9)

#: writes a snapshot and is killed before it commits
IN_A_SNAPSHOT = f"""
import time
from datetime import timedelta
from wsgi import app
from dashboard import clock
from dashboard.jobs.clockwork import Clock
from dashboard.ledger.services import snapshots
now = clock.now
clock.now = lambda: now() + timedelta(days={LATER.days})
write = snapshots._write
def slowly(day, *, by):
    made = write(day, by=by)
    print("in the middle", flush=True)
    time.sleep(120)
    return made
snapshots._write = slowly
Clock(app).wake("end-of-day")
"""

#: has found something, and is killed before it is written
IN_A_CHECK_RUN = """
import threading, time
from wsgi import app
from dashboard.background import runner
from dashboard.treasury.checks.services import keeping
keep = keeping.keep
def slowly(run_id, check, answer, **options):
    keep(run_id, check, answer, **options)
    if check.key == "storedBalances":
        print("in the middle", flush=True)
        time.sleep(120)
keeping.keep = slowly
runner.run_one(app, threading.Event())
"""


def kill_in_the_middle(app: Flask, code: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(app), stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "in the middle"
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    # the server notices that its client is gone when it next reads or writes
    until = time.monotonic() + 20
    others = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND state LIKE 'idle in transaction%'"
    )
    while session().scalar(others) and time.monotonic() < until:
        session().commit()
        time.sleep(0.05)
    session().commit()


def known_since(app: Flask, ago: timedelta) -> None:
    """Every job has been there for so long, and nothing of it has run."""
    Clock(app).know()
    with transaction():
        session().execute(sa.update(JobSetting).values(since=clock.now() - ago))


def leases_run_out(table: type[JobRun] | type[BackgroundJob]) -> None:
    with transaction():
        session().execute(
            sa.update(table)
            .where(table.state == "running")
            .values(lease_until=sa.text("clock_timestamp() - interval '1 second'"))
        )


def test_a_snapshot_whose_scheduler_was_killed_is_written_whole_by_the_next_one(
    committed: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = Book()
    for number in range(20):
        book.account(number + 1)
    with transaction():
        first = days.open_day().day
    known_since(committed, timedelta(days=1))
    kill_in_the_middle(committed, IN_A_SNAPSHOT)
    # the day has ended, and of its snapshot nothing is there
    with transaction():
        assert days.open_day().day > first
        assert snapshots.missing(first) == [first]
        assert session().scalar(sa.select(sa.func.count()).select_from(DailyBalance)) == 0
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + LATER)
    one = Clock(committed)
    assert one.take_waiting() is None, "its lease still stands"
    leases_run_out(JobRun)
    claimed = one.take_waiting()
    assert claimed is not None and (claimed.job, claimed.attempt) == ("end-of-day", 2)
    one.carry_out(claimed)
    [run] = session().scalars(sa.select(JobRun).execution_options(populate_existing=True)).all()
    assert (run.state, run.attempts) == ("succeeded", 2)
    closed = session().scalars(sa.select(BusinessDay).where(BusinessDay.state == "closed")).all()
    assert len(closed) > 1 and all(day.snapshot_at is not None for day in closed)
    assert session().scalar(sa.select(sa.func.count()).select_from(DailyBalance)) == 21
    assert day_queries.compare(first, closed[-1].day).count == 0
    # and once more changes nothing
    with transaction():
        opened = days.open_day().day
    assert not one.wake("end-of-day")
    with transaction():
        assert days.open_day().day == opened


def test_a_check_run_that_was_killed_is_finished_and_no_result_is_there_twice(committed: Flask) -> None:
    house = House(committed)
    house.corrupt(house.book.account(100_00), posted=7)
    house.end_day()
    with transaction():
        job_id = asking.ask(by=system("test")).id
    kill_in_the_middle(committed, IN_A_CHECK_RUN)
    # what was not committed is gone, findings and alerts with it
    assert checks.ended_checks(job_id) == {"zeroSum"}
    assert session().scalar(sa.select(sa.func.count()).select_from(TreasuryAlert)) == 1
    session().commit()
    assert not runner.run_one(committed, threading.Event(), job_id=job_id), "its lease still stands"
    leases_run_out(BackgroundJob)
    assert runner.run_one(committed, threading.Event(), job_id=job_id)
    assert checks.view_of(job_id).state == "finished"
    results = session().scalars(sa.select(DailyCheckResult.check_key)).all()
    assert sorted(results) == sorted(check.key for check in table.CHECKS)
    alerts = session().scalars(sa.select(TreasuryAlert).execution_options(populate_existing=True)).all()
    assert sorted((alert.check_key, alert.times) for alert in alerts) == [("storedBalances", 1), ("zeroSum", 1)]


def test_two_schedulers_catch_up_together_run_each_time_once_and_end_by_signal(
    committed: Flask, tmp_path: Path
) -> None:
    known_since(committed, timedelta(hours=3))
    env = {**environment(committed), "PYTHONUNBUFFERED": "1"}
    logs = [tmp_path / f"scheduler-{place}.log" for place in range(2)]
    processes = []
    for log in logs:
        with log.open("wb") as said:
            processes.append(subprocess.Popen([sys.executable, "-m", "dashboard.jobs"], cwd=ROOT, env=env, stderr=said))
    frequent = {job.name for job in JOBS if job.when.in_words.startswith(("every minute", "every 5"))}

    def seen() -> set[str]:
        found = session().scalars(sa.select(JobRun.job).where(JobRun.state == "succeeded")).all()
        session().commit()
        return set(found)

    try:
        until = time.monotonic() + 90
        while time.monotonic() < until and not (
            frequent <= seen() and all("scheduler started" in log.read_text() for log in logs)
        ):
            time.sleep(0.2)
        # over the next minute, in which both are awake
        time.sleep(max(0.0, 62 - time.time() % 60) if time.time() % 60 > 45 else 2)
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        assert [process.wait(20) for process in processes] == [0, 0]
    assert all("scheduler started" in log.read_text() and "scheduler stopped" in log.read_text() for log in logs)
    assert frequent <= seen()
    runs = session().scalars(sa.select(JobRun)).all()
    assert len({(run.job, run.scheduled_at) for run in runs}) == len(runs)
    # what was missed for hours was caught up by one run, and told
    oldest = {name: min((run for run in runs if run.job == name), key=lambda run: run.id) for name in frequent}
    assert all(run.missed >= 35 for run in oldest.values())
    assert all(
        run.missed <= 2 for run in runs if run.id not in {one.id for one in oldest.values()} and run.job in frequent
    )
