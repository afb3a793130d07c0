"""Template filters for times and dates. Moments are shown in the institution's zone; plain dates never shift."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from flask import Flask

from dashboard import clock
from dashboard.settings import Settings
from dashboard.web.json import iso_utc


def day(value: date | None) -> str:
    """13 Mar 2026"""
    return f"{value.day} {value:%b %Y}" if value else ""


def utc_title(moment: datetime) -> str:
    """2026-03-13 06:42 UTC"""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def span(length: timedelta) -> str:
    """A length of time in its two largest units: 9 h 18 min, 3 d 4 h, 47 min."""
    minutes = int(abs(length).total_seconds()) // 60
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else "less than a minute"


def install(app: Flask, settings: Settings) -> None:
    """Register the filters."""
    zone = settings.zone

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

    for function in (day, utc_title, span, moment_short, moment_long, moment_seconds, moment_time, moment_near, ago):
        app.add_template_filter(function)
    app.add_template_filter(iso_utc, "iso_utc")
