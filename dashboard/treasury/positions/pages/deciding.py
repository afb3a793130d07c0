"""Acts of the summary page: working out again, preparing and signing a day, saying what was done."""

from __future__ import annotations

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from flask import current_app, flash, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.database import transaction
from dashboard.errors import DomainError, Invalid, NotFound
from dashboard.money import Money, NotRepresentable
from dashboard.settings import Settings
from dashboard.treasury.days import services as days
from dashboard.treasury.positions import jobs
from dashboard.treasury.positions.pages.blueprint import treasury
from dashboard.treasury.positions.pages.naming import day_of, in_words, pair_of, pool_label
from dashboard.treasury.positions.services import acting
from dashboard.treasury.positions.vocabulary import ActionAbout
from dashboard.web.htmx import go


def institution() -> str:
    settings: Settings = current_app.extensions["countinghouse.settings"]
    return settings.institution_name


def named_day() -> date:
    """The day that the form names. Raises Invalid, NotFound."""
    day = day_of(request.form.get("day"))
    if day is None:
        raise NotFound("No business day has ended yet.", code="dayNotFound")
    return day


def _back(day: date, opened: str | None = None) -> Any:
    return go(url_for("treasury.summary", day=day.isoformat(), open=opened))


def sentence_of(error: DomainError) -> str:
    """Why something was refused, in words."""
    return " ".join(one.message for one in error.errors) if isinstance(error, Invalid) else error.message


@treasury.post("/work-out")
@requires(Permission.TREASURY_WRITE)
def work_out() -> Any:
    """Ask for the positions of a day to be worked out again."""
    day = named_day()
    with transaction():
        jobs.ask(day, by=current_actor())
    flash(f"The positions of {in_words(day)} are being worked out.", "info")
    return _back(day)


@treasury.post("/prepare")
@requires(Permission.TREASURY_SIGN)
def prepare() -> Any:
    """Prepare the day of one pool and currency, or of all that are open."""
    day = named_day()
    pool, currency = pair_of(request.form)
    try:
        with transaction():
            days.prepare(pool, currency, day, by=current_actor())
    except DomainError as refusal:
        flash(f"{pool_label(pool)} {currency.upper()}: {sentence_of(refusal)}", "stop")
    else:
        flash(f"{pool_label(pool)} {currency.upper()} of {in_words(day)} is prepared. Another person signs it.", "ok")
    return _back(day, f"{pool}-{currency}")


@treasury.post("/sign")
@requires(Permission.TREASURY_SIGN)
def sign() -> Any:
    """Sign the day of one pool and currency, and pack its evidence."""
    day = named_day()
    pool, currency = pair_of(request.form)
    try:
        with transaction():
            days.sign(pool, currency, day, by=current_actor())
    except DomainError as refusal:
        flash(f"{pool_label(pool)} {currency.upper()}: {sentence_of(refusal)}", "stop")
    else:
        flash(f"{pool_label(pool)} {currency.upper()} of {in_words(day)} is signed. Its evidence is packed.", "ok")
    return _back(day, f"{pool}-{currency}")


@treasury.post("/reopen")
@requires(Permission.TREASURY_SIGN)
def reopen() -> Any:
    """Open a prepared or signed day again, with a reason."""
    day = named_day()
    pool, currency = pair_of(request.form)
    try:
        with transaction():
            version = days.reopen(pool, currency, day, because=request.form.get("because", ""), by=current_actor())
    except DomainError as refusal:
        flash(f"{pool_label(pool)} {currency.upper()}: {sentence_of(refusal)}", "stop")
    else:
        flash(f"{pool_label(pool)} {currency.upper()} of {in_words(day)} is open again, version {version.version}.",
              "info")  # fmt: skip
    return _back(day, f"{pool}-{currency}")


def amount_of(text: str | None, currency: str) -> int | None:
    """Minor units of what a form says; None where it says nothing. Raises Invalid (field `amount`)."""
    cleaned = (text or "").strip().replace(" ", "").replace("\u00a0", "").replace(",", "")
    if not cleaned:
        return None
    try:
        return Money.of(Decimal(cleaned), currency).minor_units
    except (InvalidOperation, NotRepresentable):
        raise Invalid.one("amount", f"Write an amount in {currency.upper()} like 1250.50.", "amount") from None


@treasury.post("/safeguarding/actions")
@requires(Permission.TREASURY_WRITE)
def act() -> Any:
    """Keep what was done about a shortfall or an excess."""
    day = named_day()
    pool, currency = pair_of(request.form)
    try:
        with transaction():
            acting.say(
                pool, currency, day, request.form.get("kind", ""), says=request.form.get("says", ""),
                amount_minor=amount_of(request.form.get("amount"), currency),
                about=request.form.get("about") or ActionAbout.SHORTFALL.value, by=current_actor(),
            )  # fmt: skip
    except Invalid as refusal:
        flash(f"Not kept. {sentence_of(refusal)}", "stop")
    else:
        flash("Kept: what was done.", "ok")
    return go(url_for("treasury.safeguarding", day=day.isoformat(), pool=pool, currency=currency))
