"""The end of a day among postings, beside itself, and killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import system
from dashboard.database import db, session, transaction
from dashboard.ledger.models import AccountBalance, BusinessDay, DailyBalance, LedgerTransaction
from dashboard.ledger.queries import balances
from dashboard.ledger.queries import days as queries
from dashboard.ledger.services import days, payments, snapshots
from dashboard.ledger.services.days import DayBusy
from dashboard.ledger.services.snapshots import SnapshotRunning
from tests.ledger.conftest import Book


def together(app: Flask, *works: Callable[[], Any]) -> list[Any]:
    """Run each in a thread of its own, started at one moment; gives results and exceptions in order."""
    start = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def run(number: int, work: Callable[[], Any]) -> None:
        with app.app_context():
            start.wait()
            try:
                results[number] = work()
            except Exception as error:
                results[number] = error
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def booked() -> dict[Any, int]:
    rows = session().execute(
        sa.select(LedgerTransaction.booking_date, sa.func.count()).group_by(LedgerTransaction.booking_date)
    )
    found = {row[0]: row[1] for row in rows}
    session().rollback()
    return found


def test_postings_go_on_while_days_end_and_every_balance_is_right(committed: Flask) -> None:
    book = Book()
    house = book.house()
    accounts = [book.account(100_000) for _ in range(6)]
    first = days.open_day().day
    session().rollback()
    stop = threading.Event()

    def post(number: int) -> Callable[[], int]:
        def work() -> int:
            done = 0
            others = [one for one in (*accounts, house) if one != accounts[number]]
            while not stop.is_set():
                book.pay(accounts[number], others[done % len(others)], 1 + done % 9)
                done += 1
            return done

        return work

    def end_days() -> list[Any]:
        try:
            ended = []
            for _ in range(4):
                with transaction():
                    day = days.open_day().day
                ended.append(snapshots.end_of_day(day, by=system()))
            return ended
        finally:
            stop.set()

    results = together(committed, end_days, *(post(number) for number in range(4)))
    assert not [r for r in results if isinstance(r, Exception)], results
    last = results[0][-1][0].day
    compared = queries.compare(first, last)
    assert (len(compared.days), compared.count) == (4, 0)
    # nothing landed in a closed day: each is booked before it ended, and after the one before had
    late = session().scalar(
        sa.text("SELECT count(*) FROM ledger_transaction t JOIN business_day d ON d.day = t.booking_date"
                " WHERE t.posted_at > d.closed_at OR t.posted_at < d.opened_at AND d.day > :first"),
        {"first": first},
    )  # fmt: skip
    assert late == 0
    end = results[0][-1][0].closed_at
    totals = sa.select(AccountBalance.account_id, sa.func.sum(AccountBalance.posted))
    stored = {row[0]: int(row[1]) for row in session().execute(totals.group_by(AccountBalance.account_id))}
    told = balances.at(stored, session().execute(sa.text("SELECT clock_timestamp()")).scalar_one())
    assert stored == {key: one.posted for key, one in told.items()}
    by_day = balances.at_end_of(stored, last)
    at_close = balances.at(stored, end)
    assert by_day == at_close


def test_of_two_who_end_a_day_at_once_one_does_and_the_other_reads_what_stands(committed: Flask) -> None:
    book = Book()
    book.account(1_000)
    day = days.open_day().day
    session().rollback()
    results = together(committed, *[lambda: snapshots.end_of_day(day, by=system())] * 4)
    assert not [r for r in results if isinstance(r, Exception)], results
    assert sorted(ended.by_us for ended, _ in results) == [False, False, False, True]
    assert sorted(snapshot.made for _, snapshot in results) == [False, False, False, True]
    assert len({(ended.closed_at, ended.next_day, snapshot.snapshot_at) for ended, snapshot in results}) == 1
    assert session().scalar(sa.select(sa.func.count()).select_from(BusinessDay)) == 2
    assert session().scalar(sa.select(sa.func.count()).select_from(DailyBalance)) == 2


@pytest.fixture
def stranger(committed: Flask) -> Any:
    """Another connection, whose transaction stays open until the test says so."""
    connection = db.engine.connect()
    yield connection
    connection.close()


def test_a_posting_under_way_is_waited_for_and_belongs_to_the_day(committed: Flask, stranger: Any) -> None:
    book = Book()
    account, house = book.account(1_000), book.house()
    day = days.open_day().day
    session().rollback()
    posted, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction():
            payments.pay(book.order(account, house, 1), by=system())
            posted.set()
            go_on.wait()

    def end() -> Any:
        posted.wait()
        threading.Timer(0.3, go_on.set).start()
        return snapshots.end_of_day(day, by=system())

    results = together(committed, slow, end)
    assert not [r for r in results if isinstance(r, Exception)], results
    assert booked() == {day: 2}
    [row] = session().execute(sa.select(DailyBalance.posted).where(DailyBalance.account_id == account))
    assert row.posted == 999


def test_a_posting_that_never_ends_keeps_the_day_open_and_says_so(
    committed: Flask, stranger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datetime import timedelta

    monkeypatch.setattr(days, "COURTESY", timedelta(milliseconds=100))
    monkeypatch.setattr(days, "LAST_WAIT", timedelta(milliseconds=100))
    day = days.open_day().day
    session().rollback()
    stranger.execute(sa.text("SELECT pg_advisory_xact_lock_shared(:lock)"), {"lock": days.BUSINESS_DAY_LOCK})
    with pytest.raises(DayBusy):
        days.end(day, by=system())
    assert days.open_day().day == day
    session().rollback()
    # and while it was tried in vain, nothing of it stayed in anybody's way
    book = Book()
    book.pay(book.house(), book.account(), 5)
    stranger.rollback()
    assert days.end(day, by=system()).by_us


def test_a_snapshot_that_somebody_is_writing_is_not_written_twice(committed: Flask, stranger: Any) -> None:
    day = days.open_day().day
    session().rollback()
    days.end(day, by=system())
    stranger.execute(sa.text("SELECT 1 FROM business_day WHERE day = :day FOR UPDATE"), {"day": day})
    with pytest.raises(SnapshotRunning):
        snapshots.make(day, by=system())
    stranger.rollback()
    assert snapshots.make(day, by=system()).made


KILLED = """
import sys
from datetime import date
from dashboard.access.actor import system
from dashboard.app import create_app
from dashboard.ledger.services import snapshots

write = snapshots._write
def slow(day, **options):
    if sys.argv[2] == "before":
        print("here", flush=True); sys.stdin.readline()
    done = write(day, **options)
    print("here", flush=True); sys.stdin.readline()
    return done
snapshots._write = slow
with create_app().app_context():
    snapshots.end_of_day(date.fromisoformat(sys.argv[1]), by=system())
"""


@pytest.mark.parametrize("where", ["before", "within"])
def test_killed_between_the_close_and_the_snapshot_it_is_finished_by_running_again(
    committed: Flask, tmp_path: Path, where: str
) -> None:
    book = Book()
    account: UUID = book.account(1_000)
    day = days.open_day().day
    session().rollback()
    settings = committed.extensions["countinghouse.settings"]
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, day.isoformat(), where],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "DATABASE_URL": settings.database_url, "INSTANCE_PATH": str(tmp_path),
             "SECRET_KEY": "x" * 40},
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert days.open_day().day == days.following(day)
    session().rollback()
    book.pay(account, book.house(), 400)
    assert snapshots.missing(day) == [day]
    session().rollback()
    ended, snapshot = snapshots.end_of_day(day, by=system())
    assert (ended.by_us, snapshot.made) == (False, True)
    [row] = session().execute(
        sa.select(DailyBalance.posted, DailyBalance.movements).where(DailyBalance.account_id == account)
    )
    assert tuple(row) == (1_000, 1)
    session().rollback()
    assert queries.compare(day, day).count == 0
