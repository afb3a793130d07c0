"""When jobs run: every so many minutes, or once a day in the institution's zone.

What runs often counts in UTC, which has no clock change. What runs daily goes from date to date and not from hour to
hour: a date has the time once, also on the night that skips it (then it is the moment after the gap) and on the night
that has it twice (then it is the first of the two).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

from dashboard import clock

#: a time of a schedule is looked for so far ahead: the longest holidays are shorter
FARTHEST = timedelta(days=400)
#: what was missed is counted no further back
LONGEST_ABSENCE = timedelta(days=35)


def moment_of(day: date, at: time, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which the clock of the zone shows the time on that date; exactly one for each date."""
    return datetime.combine(day, at, zone).astimezone(UTC)


class DailyTrigger(BaseTrigger):  # type: ignore[misc]
    """Once on each date in the zone, or on each business day of the institution."""

    def __init__(self, at: time, zone: ZoneInfo, *, business_days: bool = False) -> None:
        self.at = at
        self.zone = zone
        self.business_days = business_days

    def _counts(self, day: date) -> bool:
        return not self.business_days or clock.calendar().is_business_day(day)

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """The first time that is after the previous one, and not before now (APScheduler's contract)."""
        day = min(now, previous_fire_time or now).astimezone(self.zone).date()
        last = day + FARTHEST
        while day <= last:
            if self._counts(day):
                moment = moment_of(day, self.at, self.zone)
                if moment >= now and (previous_fire_time is None or moment > previous_fire_time):
                    return moment
            day += timedelta(days=1)
        return None


@dataclass(frozen=True)
class Often:
    """At these minutes of every hour, in the spelling of cron: `*`, `*/5`, `7`."""

    minute: str

    def trigger(self, _zone: ZoneInfo) -> BaseTrigger:
        return CronTrigger(minute=self.minute, timezone=UTC)

    @property
    def in_words(self) -> str:
        """every minute; every 5 minutes; every hour at :07"""
        if self.minute == "*":
            return "every minute"
        if self.minute.startswith("*/"):
            return f"every {self.minute[2:]} minutes"
        return f"every hour at :{int(self.minute):02d}"


@dataclass(frozen=True)
class Daily:
    """At a time of the institution's zone, on every day or on business days only."""

    at: time
    business_days: bool = False

    def trigger(self, zone: ZoneInfo) -> BaseTrigger:
        return DailyTrigger(self.at, zone, business_days=self.business_days)

    @property
    def in_words(self) -> str:
        """every day at 00:10; every business day at 08:45"""
        return f"every {'business day' if self.business_days else 'day'} at {self.at:%H:%M}"


When = Often | Daily


class Due(NamedTuple):
    """The newest time that has come, and how many before it have passed since."""

    at: datetime
    missed: int


def due(trigger: BaseTrigger, *, after: datetime, now: datetime) -> Due | None:
    """The newest time after `after` and not after `now`, with the number of earlier ones; None where none has come."""
    start = max(after, now - LONGEST_ABSENCE)
    at, count = None, 0
    following = trigger.get_next_fire_time(None, start)
    while following is not None and following <= now:
        if following > after:
            at, count = following.astimezone(UTC), count + 1
        following = trigger.get_next_fire_time(following, following + timedelta(microseconds=1))
    return None if at is None else Due(at, count - 1)


def following(trigger: BaseTrigger, now: datetime) -> datetime | None:
    """The next time after now, in UTC."""
    found = trigger.get_next_fire_time(None, now + timedelta(microseconds=1))
    return None if found is None else found.astimezone(UTC)
