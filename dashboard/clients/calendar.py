"""The institution's business calendar, for deadlines. Set once by the application factory."""

from __future__ import annotations

from dashboard.clock import BusinessCalendar
from dashboard.settings import Settings

_current: list[BusinessCalendar] = []
_approval_hours: list[int] = []


def install(settings: Settings) -> None:
    """Take country, zone and deadlines from the settings."""
    _current[:] = [BusinessCalendar(settings.institution_country, settings.zone)]
    _approval_hours[:] = [settings.approval_business_hours]


def calendar() -> BusinessCalendar:
    """Raises IndexError before `install`: a programming error."""
    return _current[0]


def approval_hours() -> int:
    """Business hours until a request for approval expires."""
    return _approval_hours[0]
