"""How old is too old. Set once by the application factory."""

from __future__ import annotations

from datetime import datetime, timedelta

from dashboard import clock
from dashboard.settings import Settings

_periods = {"days": 1, "minutes": 15}


def install(settings: Settings) -> None:
    """Take the periods from the settings."""
    _periods.update(days=settings.check_age_business_days, minutes=settings.check_event_minutes)


def business_days() -> int:
    """After how many business days a transfer without an answer, or a request without a decision, is too old."""
    return _periods["days"]


def too_old(since: datetime, now: datetime) -> bool:
    """Whether the business days that something may wait are over."""
    return clock.calendar().due_after(since, business_days()) < now


def event() -> timedelta:
    """After how long a notification that was not processed is too old."""
    return timedelta(minutes=_periods["minutes"])


def in_words(since: datetime, now: datetime) -> str:
    """2 bd; 45 min while it is less than a business day."""
    calendar = clock.calendar()
    days = calendar.days_between(calendar.today(since), calendar.today(now))
    if days:
        return f"{days} bd"
    minutes = max(0, int((now - since).total_seconds() // 60))
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
