"""Thresholds: the list, and asking a second person for another amount."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, make_response, render_template, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.database import transaction
from dashboard.errors import DomainError, Invalid
from dashboard.money import Money
from dashboard.treasury.positions.forms import ThresholdForm
from dashboard.treasury.positions.pages import naming
from dashboard.treasury.positions.pages.blueprint import treasury
from dashboard.treasury.positions.pages.deciding import amount_of
from dashboard.treasury.positions.services import thresholds
from dashboard.treasury.positions.vocabulary import THRESHOLD_LABELS, ThresholdKind
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go


def _shown(form: ThresholdForm, status: int = 200) -> Response:
    return make_response(
        render_template(
            "treasury/positions/thresholds.html",
            form=form,
            rows=[
                (one, THRESHOLD_LABELS[ThresholdKind(one.kind)],
                 None if one.amount_minor is None else Money(one.amount_minor, one.currency))
                for one in thresholds.every()
            ],
            labels=naming.pool_label,
            may_write=current_actor().may(Permission.TREASURY_WRITE),
        ),
        status,
    )  # fmt: skip


@treasury.get("/thresholds")
@requires(Permission.TREASURY_READ)
def threshold_list() -> Response:
    """All thresholds, and the form that asks for one."""
    return _shown(ThresholdForm(formdata=None))


@treasury.post("/thresholds")
@requires(Permission.TREASURY_WRITE)
def ask_threshold() -> Any:
    """Ask a second person for an amount; an empty one takes the alert away."""
    form = ThresholdForm()
    whole = form.validate()
    try:
        currency = form.currency.data
        amount = None if form.currency.errors else amount_of(form.amount.data, currency)
    except Invalid as refusal:
        show_errors(form, refusal)
        whole = False
    if not whole:
        return _shown(form, 422)
    try:
        with transaction():
            asked = thresholds.ask(
                form.pool.data, currency, form.kind.data, amount,
                reason=form.reason.data or "", by=current_actor(),
            )  # fmt: skip
    except DomainError as refusal:
        show_errors(form, refusal)
        return _shown(form, 422 if isinstance(refusal, Invalid) else refusal.status)
    flash(f"Asked: {asked.subject}. Another person decides.", "info")
    return go(url_for("treasury.threshold_list"))
