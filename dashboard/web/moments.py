"""Template filters for times and dates. Moments are shown in the institution's zone; plain dates never shift."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from flask import Flask

from dashboard import clock
from dashboard.clock import BusinessCalendar
from dashboard.settings import Settings
from dashboard.web.json import iso_utc


@lru_cache(maxsize=4096)
def day(value: date | None) -> str:
    """13 Mar 2026"""
    return f"{value.day} {value:%b %Y}" if value else ""


def utc_title(moment: datetime) -> str:
    """2026-03-13 06:42 UTC"""
    return f"{moment.astimezone(UTC).isoformat(' ', 'minutes')[:16]} UTC"


def span(length: timedelta) -> str:
    """A length of time in its two largest units: 9 h 18 min, 3 d 4 h, 47 min."""
    minutes = int(abs(length).total_seconds()) // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else "less than a minute"


class TimeLeft(NamedTuple):
    """A due time seen from now: how long in words, the time itself, and whether it has passed."""

    words: str
    at: str
    late: bool


def install(app: Flask, settings: Settings) -> None:
    """Register the filters."""
    zone = settings.zone
    calendar = BusinessCalendar(settings.institution_country, zone)

    def local(moment: datetime) -> datetime:
        return moment.astimezone(zone)

    def moment_short(moment: datetime) -> str:
        """13 Mar 08:42, with the year when it is not this one."""
        shown = local(moment)
        if shown.year == clock.now().astimezone(zone).year:
            return f"{shown.day} {shown:%b %H:%M}"
        return f"{shown.day} {shown:%b %Y %H:%M}"

    def moment_long(moment: datetime) -> str:
        shown = local(moment)
        return f"{shown.day} {shown:%b %Y %H:%M}"

    def moment_seconds(moment: datetime) -> str:
        shown = local(moment)
        year = "" if shown.year == clock.now().astimezone(zone).year else f" {shown.year}"
        return f"{shown.day} {shown:%b}{year} {shown:%H:%M:%S}"

    def moment_time(moment: datetime) -> str:
        return f"{local(moment):%H:%M}"

    def moment_weekday(moment: datetime) -> str:
        """Fri 13 Mar 18:00, with the year when it is not this one: a deadline."""
        shown = local(moment)
        year = "" if shown.year == clock.now().astimezone(zone).year else f" {shown.year}"
        return f"{shown:%a} {shown.day} {shown:%b}{year} {shown:%H:%M}"

    def moment_near(moment: datetime) -> str:
        """Close to now: today 18:00, Mon 12:00 within a week, else the date."""
        shown, today = local(moment), clock.now().astimezone(zone)
        days = (shown.date() - today.date()).days
        if days == 0:
            return f"today {shown:%H:%M}"
        if abs(days) < 7:
            return f"{shown:%a} {shown:%H:%M}" if days > 0 else f"{shown:%a} {shown.day} {shown:%b}"
        return moment_short(moment)

    def ago(moment: datetime) -> str:
        return span(clock.now() - moment)

    def business_days(start: datetime, end: datetime) -> int:
        return calendar.days_between(local(start).date(), local(end).date())

    def time_left(moment: datetime) -> TimeLeft:
        """6 h 18 min (15:00), 2 bd (Mon 18:00), 9 bd (3 Dec), late 1 bd."""
        now = clock.now()
        late = moment < now
        days = business_days(moment, now) if late else business_days(now, moment)
        shown = local(moment)
        apart = abs((shown.date() - local(now).date()).days)
        if apart == 0:
            at = f"{shown:%H:%M}"
        elif apart < 7:
            at = f"{shown:%a %H:%M}"
        else:
            at = f"{shown.day} {shown:%b}" + ("" if shown.year == local(now).year else f" {shown.year}")
        return TimeLeft(f"{days} bd" if days else span(moment - now), at, late)

    def age(moment: datetime) -> str:
        """How long something waits: in business days, on its first one in hours or minutes."""
        days = business_days(moment, clock.now())
        if days:
            return f"{days} bd"
        minutes = int((clock.now() - moment).total_seconds()) // 60
        return f"{minutes // 60} h" if minutes >= 60 else f"{max(minutes, 1)} min"

    for function in (
        day, utc_title, span, moment_short, moment_long, moment_seconds, moment_time, moment_weekday, moment_near, ago,
        time_left, age,
    ):  # fmt: skip
        app.add_template_filter(function)
    app.add_template_filter(iso_utc, "iso_utc")
