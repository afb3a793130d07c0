"""What one load is about: how many clients, which seed, which day, who works here."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dashboard.access.permissions import ROLES, Role
from dashboard.clock import BusinessCalendar

#: days of history before today, and of deadlines after it
PAST, FUTURE = 1_500, 420
_MS = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Colleague:
    """A demo sign-in, or a machine that acts. `id` as text."""

    id: str
    name: str
    role: str
    kind: str = "staff"

    @property
    def senior(self) -> bool:
        return self.kind == "staff" and ROLES[Role(self.role)].senior


@dataclass(frozen=True)
class Plan:
    clients: int
    transactions: int
    seed: int
    today: date
    country: str
    zone: str
    approval_hours: int
    officers: tuple[Colleague, ...]
    seniors: tuple[Colleague, ...]


def milliseconds(at: datetime) -> int:
    """Since 1970."""
    return (at - _EPOCH) // _MS


@dataclass
class Days:
    """Business days around today as numbers, so that a deadline is an addition and not a walk over the calendar.

    All history ends before today begins: `last` is the last business day that is over.
    """

    plan: Plan
    dates: list[date] = field(default_factory=list)
    opens: list[int] = field(default_factory=list)
    closes: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        zone = ZoneInfo(self.plan.zone)
        self.calendar = BusinessCalendar(self.plan.country, zone, known_only=True)
        for offset in range(-PAST - 10, FUTURE):
            day = self.plan.today + timedelta(days=offset)
            if self.calendar.is_business_day(day):
                self.dates.append(day)
                self.closes.append(milliseconds(self.calendar.closing(day)))
                self.opens.append(self.closes[-1] - 9 * 3_600_000)
        self.end = milliseconds(datetime.combine(self.plan.today, time(), zone)) - 60_000
        self.start = self.end - PAST * 86_400_000
        self.today = bisect_left(self.dates, self.plan.today)
        self.last = self.today - 1

    def first_after(self, at: int) -> int:
        """The business day of a moment, or the next one when it lies after closing or on a holiday."""
        return bisect_left(self.closes, at)

    def due(self, at: int, business_days: int) -> int:
        """The close of business so many business days after the day of a moment, as clock.due_after counts."""
        day = datetime.fromtimestamp(at / 1000, self.calendar.zone).date()
        return self.closes[self.on_or_after(day) + business_days]

    def on_or_after(self, day: date) -> int:
        """The first business day that is not before `day`."""
        return bisect_left(self.dates, day)

    def working_moment(self, day: int, share: float) -> int:
        """A moment in business hours; `share` 0 is the opening, 1 the closing."""
        return self.opens[day] + int(share * 9 * 3_600_000)
