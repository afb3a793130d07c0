"""The two clocks of a receipt. They count from the bank's booking time, and nothing stops them.

Money must be with its client, or safeguarded as somebody's, by the end of the business day that follows the day on
which it was received. The day of receipt is the calendar day of the bank's booking in the institution's zone, also
after closing and on a holiday: counting such a booking from the next opening would give a day that no rule grants.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from dashboard import clock

#: business days until a receipt must be settled, where the settings say nothing else
DEFAULT_DAYS = 10
_days: list[int] = []


class Deadlines(NamedTuple):
    """When a receipt must be with a client, when it must be settled at the latest, and when half of that is over."""

    allocate_by: datetime
    resolve_by: datetime
    warn_at: datetime


def install(business_days: int) -> None:
    """Take RESOLVE_BUSINESS_DAYS from the settings; called once, by the application factory."""
    _days[:] = [business_days]


def resolve_days() -> int:
    """Business days until a receipt must be settled."""
    return _days[0] if _days else DEFAULT_DAYS


def deadlines(booked_at: datetime) -> Deadlines:
    """The deadlines of money that the bank booked then: closes of business, in UTC."""
    calendar, days = clock.calendar(), resolve_days()
    return Deadlines(
        allocate_by=calendar.due_after(booked_at, 1),
        resolve_by=calendar.due_after(booked_at, days),
        warn_at=calendar.due_after(booked_at, max(1, days // 2)),
    )
