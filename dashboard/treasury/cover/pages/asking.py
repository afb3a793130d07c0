"""Asking to add a cover, or to change until when one is valid."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, flash, make_response, render_template, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.database import transaction
from dashboard.errors import Conflict, Invalid, Refused
from dashboard.ledger.pages.deciders import who_can_decide
from dashboard.treasury.cover import queries, services
from dashboard.treasury.cover.forms import ChangeForm, NewForm
from dashboard.treasury.cover.pages.listing import one_page
from dashboard.treasury.cover.vocabulary import ADD
from dashboard.treasury.register.pages.blueprint import treasury_register
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go


def _page(form: NewForm, *, status: int = 200) -> Response:
    page = render_template("treasury/cover/new.html", form=form, who=who_can_decide(ADD, maker=current_actor()))
    return make_response(page, status)


@treasury_register.route("/cover/new", methods=["GET", "POST"])
@requires(Permission.TREASURY_WRITE)
def new_cover() -> Any:
    """The form; pool and currency may stand in the address."""
    form = NewForm()
    if request.method == "GET":
        for name in ("pool", "currency"):
            form[name].data = request.args.get(name) or form[name].data
        return _page(form)
    if not form.validate():
        return _page(form, status=422)
    try:
        with transaction():
            asked = services.ask_to_add(form.entry, reason=form.reason.data or "", by=current_actor())
    except (Conflict, Invalid, Refused) as refusal:
        show_errors(form, refusal)
        return _page(form, status=422 if isinstance(refusal, Invalid) else refusal.status)
    flash("Asked to add this cover. Another person decides; nothing counts yet.", "wait")
    return go(url_for("approvals.show", request_id=asked.id))


@treasury_register.post("/cover/<uuid:cover_id>")
@requires(Permission.TREASURY_WRITE)
def change_cover(cover_id: UUID) -> Any:
    """Ask to change its last day, or the day of its review."""
    row, form = queries.one(cover_id), ChangeForm()
    if not form.validate():
        return one_page(row, form, status=422)
    review_on = form.review_on.data
    assert review_on is not None  # validated
    try:
        with transaction():
            asked = services.ask_to_change(
                cover_id, valid_to=form.valid_to.data, review_on=review_on, reason=form.reason.data or "",
                by=current_actor(),
            )  # fmt: skip
    except (Conflict, Invalid, Refused) as refusal:
        show_errors(form, refusal)
        return one_page(queries.one(cover_id), form, status=422 if isinstance(refusal, Invalid) else refusal.status)
    flash("Asked to change this cover. Another person decides; nothing has changed yet.", "wait")
    return go(url_for("approvals.show", request_id=asked.id))
