"""Proposals and matches: accept, say no, undo."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import flash, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.database import transaction
from dashboard.errors import Conflict, Invalid, Refused
from dashboard.treasury.matching.forms import ReasonForm
from dashboard.treasury.matching.pages.blueprint import reconciliation
from dashboard.treasury.matching.queries import matches as queries
from dashboard.treasury.matching.services import matches as services
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go, page_or_fragment


def _back(match_id: UUID, tab: str) -> str:
    match = queries.one(match_id).match
    return url_for(".point", account=match.bank_account_id, day=request.form.get("day") or match.last_on.isoformat(),
                   tab=tab)  # fmt: skip


@reconciliation.post("/reconciliation/matches/<uuid:match_id>/accept")
@requires(Permission.TREASURY_WRITE)
def accept_match(match_id: UUID) -> Any:
    """Let a proposal stand."""
    try:
        with transaction():
            services.accept(match_id, by=current_actor())
        flash("Matched.", "ok")
    except Conflict as refusal:
        flash(refusal.message, "stop")
    return go(_back(match_id, "proposed"))


@reconciliation.post("/reconciliation/matches/<uuid:match_id>/reject")
@requires(Permission.TREASURY_WRITE)
def reject_match(match_id: UUID) -> Any:
    """Say no: the same rows are not proposed again."""
    try:
        with transaction():
            services.reject(match_id, by=current_actor())
        flash("Not matched. The next run tells what its rows are.", "ok")
    except Conflict as refusal:
        flash(refusal.message, "stop")
    return go(_back(match_id, "proposed"))


@reconciliation.route("/reconciliation/matches/<uuid:match_id>/undo", methods=["GET", "POST"])
@requires(Permission.TREASURY_WRITE)
def undo_match(match_id: UUID) -> Any:
    """Take one match apart, with a reason."""
    form, status = ReasonForm(), 200
    if request.method == "POST":
        status = 422
        if form.validate():
            try:
                with transaction():
                    services.undo(match_id, because=form.reason.data or "", by=current_actor())
            except (Invalid, Conflict, Refused) as refusal:
                show_errors(form, refusal)
                status = 422 if isinstance(refusal, Invalid) else refusal.status
            else:
                flash("Undone. Its rows are open again.", "ok")
                return go(_back(match_id, "matched"))
    view = queries.one(match_id)
    return page_or_fragment(
        "treasury/matching/undo.html", "treasury/matching/_undo.html", status=status, view=view, form=form,
        answered=status, close=_back(match_id, "matched"),
    )  # fmt: skip
