"""Accepting a difference that was carried in from before the first statement."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import flash, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.database import transaction
from dashboard.errors import Conflict, Invalid, Refused
from dashboard.money import Money
from dashboard.treasury.matching.forms import AcceptForm
from dashboard.treasury.matching.pages.blueprint import reconciliation
from dashboard.treasury.matching.queries import points
from dashboard.treasury.matching.services import beginning as services
from dashboard.treasury.register import queries as register
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go, page_or_fragment


@reconciliation.route("/reconciliation/<uuid:bank_account_id>/carried-in", methods=["GET", "POST"])
@requires(Permission.TREASURY_WRITE)
def accept_carried_in(bank_account_id: UUID) -> Any:
    """Ask a second person to let the difference stand."""
    view = register.account(bank_account_id)
    stands = points.beginning(bank_account_id, view.settlement_account_id)
    back = url_for(".point", account=bank_account_id)
    if stands is None or not stands.carried_minor or stands.accepted is not None:
        flash("There is nothing to accept: no difference was carried in, or it is accepted.", "info")
        return go(back)
    form, status = AcceptForm(), 200
    if request.method == "POST":
        status = 422
        if form.validate():
            try:
                with transaction():
                    services.accept(bank_account_id, reason=form.reason.data or "", by=current_actor())
            except (Invalid, Conflict, Refused) as refusal:
                show_errors(form, refusal)
                status = 422 if isinstance(refusal, Invalid) else refusal.status
            else:
                flash("Asked a second person to accept what was carried in.", "wait")
                return go(back)
    return page_or_fragment(
        "treasury/matching/carried_in.html",
        "treasury/matching/_carried_in.html",
        status=status,
        form=form,
        view=view,
        stands=stands,
        back=back,
        money=lambda minor: Money(minor, view.currency),
    )
