"""Until when a request can be decided. Set once by the application factory."""

from __future__ import annotations

from datetime import datetime

from dashboard import clock

_hours: list[int] = []


def install(business_hours: int) -> None:
    """Take the number of business hours from the settings."""
    _hours[:] = [business_hours]


def business_hours() -> int:
    """Business hours until a request expires."""
    return _hours[0]


def from_now() -> datetime:
    """When a request that is made now expires, in UTC."""
    return clock.calendar().add_hours(clock.now(), business_hours())
