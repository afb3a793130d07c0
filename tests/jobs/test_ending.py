"""The end of the day by the clock: when a business day is over, and what a clock that stood still makes good."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest
from flask import Flask

from dashboard import clock
from dashboard.access.actor import system
from dashboard.database import transaction
from dashboard.jobs import ending, schedule
from dashboard.ledger.services import days, snapshots
from dashboard.ledger.services.days import DayBusy
from dashboard.settings import Settings


@pytest.fixture
def opened(app: Flask) -> date:
    with transaction():
        return days.open_day().day


@pytest.fixture
def settings(app: Flask) -> Settings:
    found: Settings = app.extensions["countinghouse.settings"]
    return found


def local(day: date, at: time) -> datetime:
    return datetime.combine(day, at, clock.calendar().zone)


@pytest.mark.parametrize(
    ("at", "over_at"),
    [
        # after midnight the day of the date before is over, in the evening that of the date itself
        (time(0, 10), lambda day: local(day + timedelta(days=1), time(0, 10))),
        (time(11, 59), lambda day: local(day + timedelta(days=1), time(11, 59))),
        (time(18, 30), lambda day: local(day, time(18, 30))),
    ],
)
def test_a_day_is_over_at_its_time_and_not_before(
    opened: date, monkeypatch: pytest.MonkeyPatch, at: time, over_at
) -> None:  # type: ignore[no-untyped-def]
    moment = over_at(opened)
    monkeypatch.setattr(clock, "now", lambda: moment - timedelta(seconds=1))
    assert ending.over(at) is None
    monkeypatch.setattr(clock, "now", lambda: moment)
    assert ending.over(at) == opened


def test_the_job_ends_the_day_once_with_its_snapshot(
    opened: date, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = local(opened + timedelta(days=1), time(0, 10))
    monkeypatch.setattr(clock, "now", lambda: moment)
    assert schedule.end_days(settings) == {"ended": 1, "snapshots": 0}
    following = days.following(opened)
    assert (days.open_day().day, snapshots.missing(opened)) == (following, [])
    assert schedule.end_days(settings) == {"ended": 0, "snapshots": 0}
    assert days.open_day().day == following


def test_a_clock_that_stood_still_ends_one_day_after_the_other(
    opened: date, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [opened]
    for _ in range(3):
        wanted.append(days.following(wanted[-1]))
    moment = local(wanted[2] + timedelta(days=1), time(9, 0))
    monkeypatch.setattr(clock, "now", lambda: moment)
    assert schedule.end_days(settings)["ended"] == 3
    assert days.open_day().day == wanted[3]
    assert snapshots.missing(wanted[2]) == []


def test_where_people_end_the_day_the_clock_only_writes_what_is_missing(
    opened: date, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    days.end(opened, by=system())
    moment = local(opened + timedelta(days=30), time(9, 0))
    monkeypatch.setattr(clock, "now", lambda: moment)
    assert schedule.end_days(replace(settings, end_of_day_at=None)) == {"ended": 0, "snapshots": 1}
    assert snapshots.missing(opened) == []


def test_a_busy_ledger_is_asked_again(opened: date, monkeypatch: pytest.MonkeyPatch) -> None:
    real, tried = snapshots.end_of_day, []

    def busy(day: date, **options: object) -> object:
        tried.append(day)
        if len(tried) < 3:
            raise DayBusy("Postings keep the day open.")
        return real(day, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(snapshots, "end_of_day", busy)
    monkeypatch.setattr(ending.time, "sleep", lambda _seconds: None)
    assert ending.end(opened, by=system())
    assert tried == [opened] * 3
