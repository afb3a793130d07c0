"""The days of a country's year that are no plain working days, and those that people said something of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from dashboard import clock
from dashboard.database import session
from dashboard.staff.models import StaffMember
from dashboard.transfers.models import CalendarDay


@dataclass(frozen=True)
class DayRow:
    """`said`: people said it, `by` whom. `over`: it can be changed no more."""

    day: date
    name: str
    working: bool
    said: bool
    by: str | None
    instead: str | None = None


def year_of(country: str, year: int) -> list[DayRow]:
    """Known holidays and departures of a year, in order."""
    calendar = clock.BusinessCalendar(country, clock.calendar().zone)
    known = calendar.known_holidays(year)
    said = (
        session()
        .execute(
            sa.select(CalendarDay, StaffMember.name)
            .outerjoin(StaffMember, StaffMember.id == CalendarDay.changed_by)
            .where(CalendarDay.country == country, CalendarDay.day.between(date(year, 1, 1), date(year, 12, 31)))
        )
        .all()
    )
    rows = {day: DayRow(day, name, working=False, said=False, by=None) for day, name in known.items()}
    for entry, by in said:
        rows[entry.day] = DayRow(
            entry.day, entry.name, working=entry.working, said=True, by=by, instead=known.get(entry.day)
        )
    return [rows[day] for day in sorted(rows)]


def countries() -> list[str]:
    """The institution's country first, then those that people said something of."""
    home = clock.calendar().country
    others = session().scalars(sa.select(CalendarDay.country).distinct().order_by(CalendarDay.country)).all()
    return [home, *(country for country in others if country != home)]
