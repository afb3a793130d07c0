"""How long something has time before it is a break."""

from __future__ import annotations

from datetime import date, timedelta

from dashboard import clock
from dashboard.treasury.matching.rules import RuleSet


def timing_from(day: date, rules: RuleSet) -> date:
    """The first booking or value date that still has time as of the end of `day`."""
    calendar, first = clock.calendar(), day + timedelta(days=1)
    while calendar.days_between(first - timedelta(days=1), day) < rules.timing_days:
        first -= timedelta(days=1)
    return first


def in_time(first_on: date, last_on: date, rules: RuleSet) -> bool:
    """Whether what began on one day and was over on another took no longer than the rules allow."""
    return clock.calendar().days_between(first_on, last_on) <= rules.timing_days
