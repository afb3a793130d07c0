"""The business days that the ledger has seen: the last of them is open, all before are closed."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import date, timedelta

from dashboard.home.demo_data.plan import Days

#: days of history
PAST = 90
_HOUR = 3_600_000
#: a day ends an hour after business closes
_AFTER_CLOSING = _HOUR
#: its balances are written a little later
SNAPSHOT_AFTER = 4_000


@dataclass(frozen=True)
class BusinessDay:
    """`opened` and `closed` in milliseconds; the open day closes at the end of history, and nothing moves later."""

    day: date
    opened: int
    closed: int
    open: bool = False


def business_days(days: Days) -> list[BusinessDay]:
    """From about 90 days ago to today, or to the next business day on a holiday."""
    first = bisect_left(days.dates, days.plan.today - timedelta(days=PAST))
    found = [
        BusinessDay(days.dates[place], days.closes[place - 1] + _AFTER_CLOSING, days.closes[place] + _AFTER_CLOSING)
        for place in range(first, days.today)
    ]
    opened = days.closes[days.today - 1] + _AFTER_CLOSING
    return [*found, BusinessDay(days.dates[days.today], opened, days.end, open=True)]
