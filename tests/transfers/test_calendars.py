"""Calendars are data: what people say of a day goes before the known holidays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.audit.models import AuditEvent
from dashboard.clock import BusinessCalendar
from dashboard.database import session, transaction
from dashboard.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from dashboard.ledger.services import days
from dashboard.transfers.models import CalendarDay
from dashboard.transfers.services import calendars
from tests.conftest import People

NEXT = date.today().year + 1


@pytest.fixture(autouse=True)
def forgotten(app: Flask) -> Iterator[None]:
    """What a test says is rolled back, and must not be remembered."""
    clock.forget_departures()
    yield
    clock.forget_departures()


def home() -> BusinessCalendar:
    return clock.calendar()


def saturday() -> date:
    day = date(NEXT, 2, 1)
    while day.weekday() != 5:
        day += timedelta(days=1)
    return day


def say(day: date, *, working: bool, name: str = "By decree", country: str = "LT") -> None:
    with transaction():
        calendars.say(country, day, working=working, name=name, by=system())


def test_easter_monday_is_known_without_anybody_saying_it(app: Flask) -> None:
    assert not home().is_business_day(date(2026, 4, 6))
    assert home().known_holidays(2026)[date(2026, 4, 6)] == "Easter Monday"
    assert home().add_days(date(2026, 4, 2), 2) == date(2026, 4, 7)


def test_a_saturday_on_which_people_work_counts_everywhere(app: Flask) -> None:
    day = saturday()
    friday = day - timedelta(days=1)
    say(day, working=True, name="Worked instead of Monday")
    assert home().is_business_day(day) and home().add_days(friday, 1) == day
    assert days.following(friday) == day
    assert home().days_between(friday, day) == 1
    # calendars that others made count it, too
    assert BusinessCalendar("LT", home().zone).is_business_day(day)


def test_a_holiday_that_is_worked_has_no_name_to_excuse_it(app: Flask) -> None:
    christmas = date(NEXT, 12, 24)
    while christmas.weekday() > 4:
        christmas += timedelta(days=1)
    assert home().holiday_name(christmas)
    say(christmas, working=True)
    assert home().is_business_day(christmas) and home().holiday_name(christmas) is None


def test_an_added_holiday_is_skipped_by_its_name(app: Flask) -> None:
    tuesday = date(NEXT, 9, 1)
    while tuesday.weekday() != 1:
        tuesday += timedelta(days=1)
    say(tuesday, working=False, name="State  funeral")
    assert home().holiday_name(tuesday) == "State funeral"
    monday = tuesday - timedelta(days=1)
    assert home().add_days(monday, 1) == tuesday + timedelta(days=1)
    assert days.skipped(monday, tuesday + timedelta(days=1)) == [(tuesday, "State funeral")]


def test_another_countrys_calendar_is_its_own(app: Flask) -> None:
    day = saturday()
    say(day, working=True, country="pl")
    assert BusinessCalendar("PL", home().zone).is_business_day(day)
    assert not home().is_business_day(day)


def test_what_is_taken_back_counts_no_more(app: Flask, people: People) -> None:
    day = saturday()
    say(day, working=True)
    with transaction():
        calendars.take_back("LT", day, by=people.actor(Role.TREASURER))
    assert not home().is_business_day(day)
    actions = session().scalars(sa.select(AuditEvent.action).where(AuditEvent.action.startswith("calendar."))).all()
    assert sorted(actions) == ["calendar.day_said", "calendar.day_taken_back"]
    with pytest.raises(NotFound), transaction():
        calendars.take_back("LT", day, by=system())


def test_a_change_that_is_rolled_back_is_forgotten(app: Flask) -> None:
    day = saturday()
    with pytest.raises(RuntimeError), transaction():
        calendars.say("LT", day, working=True, name="Nearly", by=system())
        assert home().is_business_day(day)
        raise RuntimeError
    assert not home().is_business_day(day)


def test_nothing_is_said_of_a_day_that_is_over(app: Flask) -> None:
    opened = days.open_day().day
    for day in (opened, opened - timedelta(days=1), opened - timedelta(days=30)):
        with pytest.raises(Refused) as caught, transaction():
            calendars.say("LT", day, working=not home().is_business_day(day), name="Late", by=system())
        assert caught.value.code == "dayClosed"
    assert session().scalar(sa.select(sa.func.count()).select_from(CalendarDay)) == 0


def test_saying_what_is_so_anyway_or_saying_it_twice_is_a_conflict(app: Flask) -> None:
    day = saturday()
    with pytest.raises(Conflict):
        say(day, working=False)
    say(day, working=True)
    with pytest.raises(Conflict):
        say(day, working=True)


@pytest.mark.parametrize(("country", "day", "name", "field"), [
    ("XX", date(NEXT, 2, 1), "x", "country"), ("Lithuania", date(NEXT, 2, 1), "x", "country"),
    ("LT", date(NEXT, 2, 1), "  ", "name"), ("LT", date(NEXT, 2, 1), "x" * 101, "name"),
    ("LT", date(NEXT + 200, 2, 1), "x", "day"),
])  # fmt: skip
def test_a_wrong_field_is_named(app: Flask, country: str, day: date, name: str, field: str) -> None:
    with pytest.raises(Invalid) as caught, transaction():
        calendars.say(country, day, working=True, name=name, by=system())
    assert [error.field for error in caught.value.errors] == [field]


def test_only_who_operates_the_ledger_says_it(app: Flask, people: People) -> None:
    with pytest.raises(Forbidden), transaction():
        calendars.say("LT", saturday(), working=True, name="x", by=people.actor(Role.OFFICER))


def test_it_is_asked_for_again_after_a_short_while(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(clock, "_source", [lambda country: asked.append(country) or {}])
    for _ in range(3):
        home().is_business_day(saturday())
    assert asked == ["LT"]
    monkeypatch.setattr(clock, "DEPARTURES_KEPT_SECONDS", -1.0)
    clock.forget_departures()
    home().is_business_day(saturday())
    home().is_business_day(saturday())
    assert len(asked) == 3


def test_the_page_shows_known_days_and_takes_departures(app: Flask, signed_in: Callable[..., Any]) -> None:
    browser, day = signed_in(Role.TREASURER), saturday()
    page = browser.get(f"/transfers/calendars?year={NEXT}").text
    assert "Easter Monday" in page and "Add a day" in page
    said = {"country": "LT", "day": day.isoformat(), "working": "yes", "name": "Worked Saturday"}
    answer = browser.post("/transfers/calendars", data=said)
    assert answer.status_code == 303, answer.text
    assert "Worked Saturday" in browser.get(answer.location).text
    assert home().is_business_day(day)
    again = browser.post("/transfers/calendars", data=said)
    assert again.status_code == 409 and "said of this day already" in again.text
    answer = browser.post(f"/transfers/calendars/LT/{day}/remove")
    assert answer.status_code == 303
    assert not home().is_business_day(day)


def test_who_may_not_change_it_reads_it(app: Flask, signed_in: Callable[..., Any]) -> None:
    browser = signed_in(Role.OFFICER)
    page = browser.get("/transfers/calendars")
    assert page.status_code == 200 and "Add a day" not in page.text
    assert browser.post("/transfers/calendars", data={}).status_code == 403


@pytest.mark.parametrize("query", ["country=XX", "country=%00", "year=abc", "year=99999", "year=1", "country=PL"])
def test_an_odd_address_shows_a_page_all_the_same(app: Flask, signed_in: Callable[..., Any], query: str) -> None:
    assert signed_in(Role.OFFICER).get(f"/transfers/calendars?{query}").status_code == 200


@pytest.mark.parametrize("data", [{}, {"country": "LT", "day": "2026-02-31", "working": "yes", "name": "x"},
                                  {"country": "LT", "day": "2027-02-06", "working": "maybe", "name": "x"}])  # fmt: skip
def test_a_form_that_is_wrong_changes_nothing(app: Flask, signed_in: Callable[..., Any], data: dict[str, str]) -> None:
    assert signed_in(Role.TREASURER).post("/transfers/calendars", data=data).status_code == 422
    assert session().scalar(sa.select(sa.func.count()).select_from(CalendarDay)) == 0
