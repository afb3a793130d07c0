"""Holidays that deadlines know."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from flask import Response, flash, make_response, render_template, request, url_for

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.database import transaction
from dashboard.errors import Conflict, Invalid, NotFound, Refused
from dashboard.ledger.services import days
from dashboard.transfers.forms.calendars import CalendarDayForm
from dashboard.transfers.pages.blueprint import transfers
from dashboard.transfers.queries import calendars as queries
from dashboard.transfers.services import calendars as services
from dashboard.views.lists import Choices, downloads, listed
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go

FIRST_YEAR, LAST_YEAR = 2000, 2100


def _country() -> str:
    try:
        return services.known_country(request.args.get("country") or clock.calendar().country)
    except Invalid:
        return clock.calendar().country


def _year() -> int:
    text = request.args.get("year", "")
    year = int(text) if text.isascii() and text.isdigit() and len(text) == 4 else clock.calendar().today().year
    return min(max(year, FIRST_YEAR), LAST_YEAR)


def _reads(values: Mapping[str, str], _actor: Actor) -> Choices:
    """Country and year as a saved view keeps them."""
    country, year, found = values.get("country", ""), values.get("year", ""), Choices([])
    if country:
        found.words.append(("Country", country.upper()))
        try:
            services.known_country(country)
        except Invalid as refusal:
            found.errors.append(f"Country: {refusal.errors[0].message}")
    if year:
        found.words.append(("Year", year))
        if not (year.isascii() and year.isdigit() and len(year) == 4 and FIRST_YEAR <= int(year) <= LAST_YEAR):
            found.errors.append(f"Year: Use a year from {FIRST_YEAR} to {LAST_YEAR}.")
    return found


@transfers.get("/calendars")
@listed("calendars", "Business calendars", keeps=("country", "year"), reads=_reads)
@requires(Permission.TRANSFERS_READ)
def calendars() -> Response:
    """One country's year: known holidays, and what people said."""
    form = CalendarDayForm(formdata=None)
    form.country.data = _country()
    return _shown(form)


def _shown(form: CalendarDayForm, status: int = 200) -> Response:
    country, year = _country(), _year()
    home = clock.calendar().country
    first_open = days.open_day().day if country == home else None
    return make_response(
        render_template(
            "transfers/calendars.html",
            form=form,
            country=country,
            year=year,
            rows=queries.year_of(country, year),
            countries=queries.countries(),
            home=home,
            today=clock.calendar().today(),
            opened=first_open,
            in_words=days.in_words,
            may_change=current_actor().may(Permission.LEDGER_OPERATE),
        ),
        status,
    )


COLUMNS = (
    Column("day", "Day", Kind.DATE),
    Column("weekday", "Weekday", share=0.6),
    Column("name", "Name", share=2),
    Column("known", "Known as", share=2),
    Column("is", "It is", share=0.6),
    Column("by", "Said by"),
)


@transfers.get("/calendars/export/<form>")
@downloads("calendars")
@requires(Permission.TRANSFERS_READ)
def export_calendar(form: str) -> Response:
    """The days of a country's year that differ from the week."""
    chosen_format, country, year = Format.of_a_list(form), _country(), _year()
    rows = [
        {
            "day": row.day,
            "weekday": f"{row.day:%A}",
            "name": row.name,
            "known": row.instead if row.instead != row.name else None,
            "is": "Worked" if row.working else "Holiday",
            "by": (row.by or "the house") if row.said else "the known calendar",
        }
        for row in queries.year_of(country, year)
    ]
    filters = [("Country", country), ("Year", str(year))]
    about = exports.about("Business calendar", filters=filters, by=current_actor().name)
    name = f"Business calendar {country} {year}"
    return exports.answer(Listing(about, COLUMNS), lambda: rows, chosen_format, name=name, expected=len(rows))


@transfers.post("/calendars")
@requires(Permission.LEDGER_OPERATE)
def say_day() -> Any:
    """Say that a day is a holiday, or is worked on."""
    form = CalendarDayForm()
    if not form.validate():
        return _shown(form, 422)
    wanted = form.day.data
    assert wanted is not None  # the form requires it
    try:
        with transaction():
            said = services.say(
                form.country.data or "",
                wanted,
                working=form.working.data == "yes",
                name=form.name.data or "",
                by=current_actor(),
            )
    except (Invalid, Conflict, Refused) as refusal:
        show_errors(form, refusal)
        return _shown(form, 422 if isinstance(refusal, Invalid) else refusal.status)
    clock.forget_departures()
    kind = "a business day" if said.working else "a holiday"
    flash(f"{days.in_words(said.day)} is {kind} in {said.country} now. Deadlines counted from now on follow it.", "ok")
    return go(url_for("transfers.calendars", country=said.country, year=said.day.year))


@transfers.post("/calendars/<country>/<day>/remove")
@requires(Permission.LEDGER_OPERATE)
def take_back_day(country: str, day: str) -> Any:
    """The known calendar counts again."""
    try:
        wanted = date.fromisoformat(day)
        code = services.known_country(country)
    except (ValueError, Invalid):
        raise NotFound("Nothing is said of this day.", code="dayNotFound") from None
    try:
        with transaction():
            services.take_back(code, wanted, by=current_actor())
    except Refused as refusal:
        flash(refusal.message, "stop")
    else:
        clock.forget_departures()
        flash(f"{days.in_words(wanted)} is as the known calendar of {code} says again.", "ok")
    return go(url_for("transfers.calendars", country=code, year=wanted.year))
