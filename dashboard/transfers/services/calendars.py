"""Calendars are data: what people say of a day goes before what is known of a country's holidays."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import pycountry
import sqlalchemy as sa
from sqlalchemy import event

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.audit import services as audit
from dashboard.clock import Departure
from dashboard.database import savepoint, session
from dashboard.errors import Conflict, FieldError, Invalid, NotFound, Refused
from dashboard.ledger.services import days
from dashboard.transfers.models import CalendarDay

#: SQLSTATE undefined_table: the first migrations count business days, too
_NO_TABLE = "42P01"
LONGEST_NAME = 100
#: a day farther away than this is a slip of the pen
FARTHEST = timedelta(days=5 * 366)


def departures_of(country: str) -> Mapping[date, Departure] | None:
    """Everything that people have said of days of this country; None before there is a table of it."""
    columns = CalendarDay.day, CalendarDay.working, CalendarDay.name
    try:
        with savepoint():
            rows = session().execute(sa.select(*columns).where(CalendarDay.country == country)).all()
    except sa.exc.ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != _NO_TABLE:
            raise
        return None
    return {day: Departure(working, name) for day, working, name in rows}


def known_country(country: str) -> str:
    """The code in upper case. Raises Invalid."""
    code = country.strip().upper()
    if len(code) != 2 or pycountry.countries.get(alpha_2=code) is None:
        raise Invalid.one("country", "Write a country as two letters, such as LT.", "country")
    return code


def say(country: str, day: date, *, working: bool, name: str, by: Actor) -> CalendarDay:
    """Say that a day is a holiday, or that people work on it.

    Raises Invalid, Conflict `dayKnown` (it was said, or it is so anyway), Refused `dayClosed`, Forbidden.
    """
    by.require(Permission.LEDGER_OPERATE)
    code = known_country(country)
    said, errors = " ".join(name.split()), []
    if not said:
        errors.append(FieldError("name", "Give the day a name; colleagues read it in messages.", "required"))
    elif len(said) > LONGEST_NAME:
        errors.append(FieldError("name", f"Use at most {LONGEST_NAME} characters.", "tooLong"))
    if abs(day - clock.calendar().today()) > FARTHEST:
        errors.append(FieldError("day", "This day is too far away.", "range"))
    if errors:
        raise Invalid(errors)
    _require_open(code, day)
    if session().get(CalendarDay, (code, day)) is not None:
        raise Conflict("Something is said of this day already. Take that back first.", code="dayKnown")
    calendar = clock.BusinessCalendar(code, clock.calendar().zone)
    if calendar.is_business_day(day) == working:
        why = "is a business day" if working else f"is none: {calendar.holiday_name(day) or f'{day:%A}'}"
        raise Conflict(f"{days.in_words(day)} {why} already.", code="dayKnown")
    fresh = CalendarDay(country=code, day=day, working=working, name=said, changed_by=by.staff_id)
    session().add(fresh)
    session().flush()
    _changed()
    audit.record("calendar.day_said", by=by, object_type="calendar_day", object_id=None,
                 after={"country": code, "day": day, "working": working, "name": said})  # fmt: skip
    return fresh


def take_back(country: str, day: date, *, by: Actor) -> None:
    """The known calendar counts again for this day. Raises NotFound, Invalid, Refused `dayClosed`, Forbidden."""
    by.require(Permission.LEDGER_OPERATE)
    code = known_country(country)
    standing = session().get(CalendarDay, (code, day), with_for_update=True, populate_existing=True)
    if standing is None:
        raise NotFound("Nothing is said of this day.", code="dayNotFound")
    _require_open(code, day)
    before = {"country": code, "day": day, "working": standing.working, "name": standing.name}
    session().delete(standing)
    session().flush()
    _changed()
    audit.record("calendar.day_taken_back", by=by, object_type="calendar_day", object_id=None, before=before)


def _require_open(country: str, day: date) -> None:
    """What was counted stays as it was counted: nothing changes for a day that our own business days have passed."""
    if country != clock.calendar().country:
        if day < clock.calendar().today():
            raise Refused("A day that is over stays as it was.", code="dayClosed")
        return
    opened = days.open_day().day
    if day <= opened:
        raise Refused(
            f"{days.in_words(day)} is not after the open business day, {days.in_words(opened)}: it stays as it was.",
            code="dayClosed",
            details={"openDay": opened.isoformat()},
        )


def _changed() -> None:
    """Forget what this process knows, now and when the transaction has ended, whichever way."""
    clock.forget_departures()

    def forget(_session: object) -> None:
        clock.forget_departures()

    current = session()
    event.listen(current, "after_commit", forget, once=True)
    event.listen(current, "after_rollback", forget, once=True)
