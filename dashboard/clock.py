"""Time: now() in UTC, and the business-day clock of the institution.

A business day is a weekday that is no public holiday of the institution's country, unless people have said otherwise
of a day (`Departure`). Business hours are 09:00 to 18:00 in its zone; deadlines that count hours count only these.
"""

from __future__ import annotations

import time as system_time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

OPENS = time(9, 0)
CLOSES = time(18, 0)


def now() -> datetime:
    """The present moment, aware, in UTC. The only place that asks the system clock."""
    return datetime.now(UTC)


@lru_cache(maxsize=64)
def _holidays(country: str, year: int) -> Mapping[date, str]:
    """The public holidays of a year and their names, in order, each time read by a calendar of its own: the library's
    are filled while they are asked, and tell another thread meanwhile that there is no holiday."""
    try:
        # a holiday may be kept in the year before or after its own
        known = holidays.country_holidays(country, years=range(year - 1, year + 2))
    except NotImplementedError:
        # a country without a known calendar still has weekends
        return {}
    return {day: name for day, name in sorted(known.items()) if day.year == year}


@dataclass(frozen=True)
class Departure:
    """A day of which the known calendar is wrong: a holiday that it lacks, or a day on which people work."""

    working: bool
    name: str


#: gives the departures of a country as they stand; None where nobody can be asked
Departures = Callable[[str], Mapping[date, Departure] | None]

#: what a change elsewhere takes to be known in this process, at most
DEPARTURES_KEPT_SECONDS = 30.0
_source: list[Departures] = []
_kept: dict[str, tuple[float, Mapping[date, Departure]]] = {}


def departures(country: str) -> Mapping[date, Departure]:
    """Days of the country that people have said something of; known for a short while, then asked for again."""
    if not _source:
        return {}
    known = _kept.get(country)
    if known is not None and known[0] > system_time.monotonic():
        return known[1]
    found = _source[0](country)
    if found is None:
        return {}
    _kept[country] = (system_time.monotonic() + DEPARTURES_KEPT_SECONDS, found)
    return found


def forget_departures() -> None:
    """They have changed: ask again."""
    _kept.clear()


class BusinessCalendar:
    """The working days and hours of one country, in one zone. `known_only`: whatever people have said of days."""

    def __init__(self, country: str, zone: ZoneInfo, *, known_only: bool = False) -> None:
        self.country = country
        self.zone = zone
        self._known_only = known_only

    def _departure(self, day: date) -> Departure | None:
        return None if self._known_only else departures(self.country).get(day)

    def is_business_day(self, day: date) -> bool:
        departure = self._departure(day)
        if departure is not None:
            return departure.working
        return day.weekday() < 5 and day not in _holidays(self.country, day.year)

    def holiday_name(self, day: date) -> str | None:
        """The holiday's name, for a message; None on a day without one, and on a holiday on which people work."""
        departure = self._departure(day)
        if departure is not None:
            return None if departure.working else departure.name
        return _holidays(self.country, day.year).get(day)

    def known_holidays(self, year: int) -> dict[date, str]:
        """The public holidays of a year as the library knows them, whatever people have said since; in order."""
        return dict(_holidays(self.country, year))

    def today(self, moment: datetime | None = None) -> date:
        return (moment or now()).astimezone(self.zone).date()

    def add_days(self, day: date, count: int) -> date:
        """The count-th business day after `day` (0: the next one that is no holiday, `day` itself included)."""
        if count == 0:
            while not self.is_business_day(day):
                day += timedelta(days=1)
        for _ in range(count):
            day += timedelta(days=1)
            while not self.is_business_day(day):
                day += timedelta(days=1)
        return day

    def days_between(self, start: date, end: date) -> int:
        """Business days after `start` up to and including `end`; 0 when `end` is not later."""
        days = 0
        while start < end:
            start += timedelta(days=1)
            days += self.is_business_day(start)
        return days

    def closing(self, day: date) -> datetime:
        """The end of business of that day, in UTC."""
        return datetime.combine(day, CLOSES, self.zone).astimezone(UTC)

    def due_after(self, moment: datetime, business_days: int) -> datetime:
        """The close of business `business_days` business days after the day of `moment`, in UTC."""
        return self.closing(self.add_days(self.today(moment), business_days))

    def add_hours(self, moment: datetime, hours: int) -> datetime:
        """`moment` plus business hours, in UTC: Fri 07:55 plus 12 hours is Mon 12:00."""
        local = moment.astimezone(self.zone)
        left = timedelta(hours=hours)
        day = local.date()
        if self.is_business_day(day):
            start = max(local, datetime.combine(day, OPENS, self.zone))
        else:
            day = self.add_days(day, 0)
            start = datetime.combine(day, OPENS, self.zone)
        while True:
            closes = datetime.combine(day, CLOSES, self.zone)
            if start < closes and left <= closes - start:
                return (start + left).astimezone(UTC)
            if start < closes:
                left -= closes - start
            day = self.add_days(day, 1)
            start = datetime.combine(day, OPENS, self.zone)


_institution: list[BusinessCalendar] = []


def install(country: str, zone: ZoneInfo, departures: Departures | None = None) -> None:
    """Say which calendar the institution lives by; called once, by the application factory.

    `departures` tells what people have said of days, for any country.
    """
    _institution[:] = [BusinessCalendar(country, zone)]
    _source[:] = [departures] if departures is not None else []
    forget_departures()


def calendar() -> BusinessCalendar:
    """The institution's calendar. Raises IndexError before `install`: a programming error."""
    return _institution[0]
