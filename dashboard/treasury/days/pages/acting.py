"""Preparing, signing and reopening a day."""

from __future__ import annotations

from typing import Any

from flask import flash, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.database import transaction
from dashboard.errors import Conflict, Forbidden, Invalid, Refused
from dashboard.treasury.days import services
from dashboard.treasury.days.forms import ReopenForm
from dashboard.treasury.days.pages.listing import named, shown
from dashboard.treasury.register.pages.blueprint import treasury_register
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go


def _acted(verb: Any, told: str, pool: str, currency: str, day: str) -> Any:
    wanted = named(day, pool, currency)
    try:
        with transaction():
            verb(pool, currency, wanted, by=current_actor())
    except (Conflict, Forbidden, Invalid, Refused) as refusal:
        form = ReopenForm(formdata=None)
        form.form_errors = [refusal.message]
        return shown(pool, currency, wanted, form, status=refusal.status)
    flash(told, "ok")
    return go(url_for("treasury_register.day", day=day, pool=pool, currency=currency))


@treasury_register.post("/days/<day>/<pool>/<currency>/prepare")
@requires(Permission.TREASURY_SIGN)
def prepare_day(day: str, pool: str, currency: str) -> Any:
    """Compute and keep the figures."""
    return _acted(services.prepare, "Prepared. Another person signs it.", pool, currency, day)


@treasury_register.post("/days/<day>/<pool>/<currency>/sign")
@requires(Permission.TREASURY_SIGN)
def sign_day(day: str, pool: str, currency: str) -> Any:
    """Sign what another person prepared."""
    return _acted(services.sign, "Signed. Its figures are frozen.", pool, currency, day)


@treasury_register.post("/days/<day>/<pool>/<currency>/reopen")
@requires(Permission.TREASURY_SIGN)
def reopen_day(day: str, pool: str, currency: str) -> Any:
    """Open a prepared or signed day again, with a reason."""
    wanted, form = named(day, pool, currency), ReopenForm(request.form)
    if not form.validate():
        return shown(pool, currency, wanted, form, status=422)
    try:
        with transaction():
            fresh = services.reopen(pool, currency, wanted, because=form.because.data or "", by=current_actor())
    except (Conflict, Invalid, Refused) as refusal:
        show_errors(form, refusal)
        return shown(pool, currency, wanted, form, status=422 if isinstance(refusal, Invalid) else refusal.status)
    flash(f"Reopened: version {fresh.version} begins. What was signed stays as it was.", "ok")
    return go(url_for("treasury_register.day", day=day, pool=pool, currency=currency))
