"""The business-day clock of the institution."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from dashboard.clock import BusinessCalendar
from dashboard.database import new_id

VILNIUS = BusinessCalendar("LT", ZoneInfo("Europe/Vilnius"))


def local(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo("Europe/Vilnius")).astimezone(UTC)


def test_twelve_business_hours_from_friday_morning_end_on_monday_at_noon() -> None:
    assert VILNIUS.add_hours(local(2026, 3, 13, 7, 55), 12) == local(2026, 3, 16, 12, 0)


def test_business_hours_asked_on_a_sunday_begin_on_monday() -> None:
    assert VILNIUS.add_hours(local(2026, 3, 15, 23, 0), 2) == local(2026, 3, 16, 11, 0)


def test_business_hours_asked_in_the_evening_begin_next_morning() -> None:
    assert VILNIUS.add_hours(local(2026, 3, 12, 18, 30), 1) == local(2026, 3, 13, 10, 0)


def test_business_hours_may_end_at_closing_time() -> None:
    assert VILNIUS.add_hours(local(2026, 3, 12, 9, 0), 9) == local(2026, 3, 12, 18, 0)


def test_a_public_holiday_is_no_business_day() -> None:
    assert not VILNIUS.is_business_day(date(2026, 3, 11))
    assert VILNIUS.add_days(date(2026, 3, 10), 1) == date(2026, 3, 12)
    assert VILNIUS.holiday_name(date(2026, 3, 11))


def test_five_business_days_skip_the_weekend() -> None:
    assert VILNIUS.add_days(date(2026, 3, 13), 5) == date(2026, 3, 20)


def test_business_days_between_count_the_last_and_not_the_first() -> None:
    assert VILNIUS.days_between(date(2026, 3, 12), date(2026, 3, 16)) == 2
    assert VILNIUS.days_between(date(2026, 3, 16), date(2026, 3, 12)) == 0


def test_the_day_closes_at_six_in_the_institutions_zone() -> None:
    assert VILNIUS.closing(date(2026, 3, 13)) == datetime(2026, 3, 13, 16, 0, tzinfo=UTC)


def test_identifiers_sort_in_the_order_they_were_made() -> None:
    made = [new_id() for _ in range(10_000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert all(one.version == 7 for one in made)


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.integers(1, 30))
def test_adding_business_days_and_counting_them_agree_from_any_day(day: date, count: int) -> None:
    assert VILNIUS.days_between(day, VILNIUS.add_days(day, count)) == count


def test_three_working_days_after_a_saturday_end_on_wednesday() -> None:
    assert VILNIUS.add_days(date(2026, 11, 21), 3) == date(2026, 11, 25)


def test_a_holiday_is_one_for_each_of_many_threads_that_ask_for_a_new_year_at_once() -> None:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            for year in range(2031, 2071):
                told = threads.map(VILNIUS.is_business_day, [date(year, 12, 25)] * 8)
                assert not any(told), year
                assert VILNIUS.holiday_name(date(year, 12, 25))
    finally:
        sys.setswitchinterval(interval)
