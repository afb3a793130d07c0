"""When jobs run: over the clock changes of the institution's zone, on business days, and what was missed."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as some

from dashboard import clock
from dashboard.jobs import times
from dashboard.jobs.times import Daily, Often

VILNIUS = ZoneInfo("Europe/Vilnius")
#: Vilnius goes from 03:00 to 04:00 in spring and from 04:00 to 03:00 in autumn
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)


def fired(when: Daily, first: date, days: int, zone: ZoneInfo = VILNIUS) -> list[datetime]:
    """Every time of the trigger from the beginning of a date on, so many dates long, as APScheduler asks for them."""
    trigger = when.trigger(zone)
    start = datetime.combine(first, time(), zone).astimezone(UTC)
    end = datetime.combine(first + timedelta(days=days), time(), zone).astimezone(UTC)
    found: list[datetime] = []
    at = trigger.get_next_fire_time(None, start)
    while at is not None and at < end:
        found.append(at)
        at = trigger.get_next_fire_time(at, at + timedelta(seconds=1))
    return found


@pytest.mark.parametrize(
    "at", [time(0, 10), time(2, 30), time(3, 0), time(3, 30), time(3, 59), time(4, 0), time(8, 45)]
)
@pytest.mark.parametrize("night", [SPRING, AUTUMN])
def test_a_daily_job_runs_once_on_each_date_over_a_clock_change(night: date, at: time) -> None:
    found = fired(Daily(at), night - timedelta(days=1), 3)
    local = [moment.astimezone(VILNIUS) for moment in found]
    assert [moment.date() for moment in local] == [night + timedelta(days=step) for step in (-1, 0, 1)]
    # only the hour that is skipped cannot be kept
    skipped = night == SPRING and at.hour == 3
    assert [moment.time() for moment in local] == [at, at.replace(hour=4) if skipped else at, at]


def test_the_hour_that_is_there_twice_is_the_first_of_the_two() -> None:
    [moment] = fired(Daily(time(3, 30)), AUTUMN, 1)
    assert moment == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@settings(deadline=None, max_examples=60)
@given(
    zone=some.sampled_from(
        ["Europe/Vilnius", "Europe/Warsaw", "America/Santiago", "Africa/Cairo", "Australia/Lord_Howe"]
    ),
    at=some.times(),
    first=some.dates(date(2024, 1, 1), date(2027, 12, 1)),
)
def test_in_every_zone_each_date_has_its_time_once_and_in_order(zone: str, at: time, first: date) -> None:
    at = at.replace(microsecond=0)
    moments = [times.moment_of(first + timedelta(days=step), at, ZoneInfo(zone)) for step in range(40)]
    assert moments == sorted(set(moments))


def test_what_runs_often_runs_through_the_clock_change_at_its_pace() -> None:
    trigger = Often("*/5").trigger(VILNIUS)
    start = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    found = times.due(trigger, after=start, now=start + timedelta(hours=3))
    assert found is not None
    assert (found.at, found.missed) == (start + timedelta(hours=3), 35)


def test_business_days_skip_weekends_and_holidays(app: Flask) -> None:
    calendar = clock.calendar()
    first = date(2026, 2, 13)
    found = fired(Daily(time(8, 45), business_days=True), first, 14, calendar.zone)
    days = [moment.astimezone(calendar.zone).date() for moment in found]
    # a Friday, then a weekend, the Restoration of the State on Monday 16 February
    assert days[:3] == [date(2026, 2, 13), date(2026, 2, 17), date(2026, 2, 18)]
    assert all(calendar.is_business_day(day) for day in days)


def test_nothing_is_due_before_its_time_and_one_thing_after_it() -> None:
    trigger = Daily(time(0, 10)).trigger(VILNIUS)
    before = datetime(2026, 3, 9, 22, 9, 59, tzinfo=UTC)
    assert times.due(trigger, after=before - timedelta(hours=23), now=before) is None
    found = times.due(trigger, after=before, now=before + timedelta(seconds=1))
    assert found == (datetime(2026, 3, 9, 22, 10, tzinfo=UTC), 0)
    assert times.due(trigger, after=found.at, now=found.at + timedelta(hours=23)) is None
    assert times.due(trigger, after=found.at, now=found.at + timedelta(days=3)) == (found.at + timedelta(days=3), 2)


def test_a_long_absence_is_counted_no_further_back_than_useful() -> None:
    now = datetime(2026, 3, 9, 12, 0, 30, tzinfo=UTC)
    found = times.due(Often("*").trigger(VILNIUS), after=now - timedelta(days=400), now=now)
    assert found is not None
    assert found.missed + 1 == times.LONGEST_ABSENCE.days * 24 * 60


@pytest.mark.parametrize(
    ("when", "words"),
    [
        (Often("*"), "every minute"),
        (Often("*/5"), "every 5 minutes"),
        (Often("7"), "every hour at :07"),
        (Daily(time(0, 10)), "every day at 00:10"),
        (Daily(time(8, 45), business_days=True), "every business day at 08:45"),
    ],
)
def test_people_read_when_a_job_runs(when: Often | Daily, words: str) -> None:
    assert when.in_words == words
