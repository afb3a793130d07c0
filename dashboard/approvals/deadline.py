"""Until when a request can be decided, where no rule says otherwise. Set once by the application factory."""

from __future__ import annotations

from datetime import datetime

from dashboard import clock

_hours: list[int] = []


def install(business_hours: int) -> None:
    """Take the number of business hours from the settings."""
    _hours[:] = [business_hours]


def business_hours() -> int:
    """Business hours until a request expires, as the installation sets it."""
    return _hours[0]


def after(hours: int) -> datetime:
    """When so many business hours from now are over, in UTC."""
    return clock.calendar().add_hours(clock.now(), hours)
