"""Asking for an adjusting payment: the form, what it would do, and the request for a second person."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, render_template, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.database import new_id, transaction
from dashboard.errors import Conflict, Invalid, Refused
from dashboard.ledger.forms.adjusting import AdjustingForm
from dashboard.ledger.pages.blueprint import ledger
from dashboard.ledger.pages.deciders import who_can_decide
from dashboard.ledger.services import adjusting, preparing
from dashboard.ledger.services.preparing import Prepared
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go


def _prepared(form: AdjustingForm) -> Prepared:
    return preparing.prepare(
        debtor=form.debtor_account_id.data or "",
        creditor=form.creditor_account_id.data or "",
        amount=form.amount.data or "",
        description=form.description.data,
        value_date=form.value_date.data,
        parent_id=form.parent,
        by=current_actor(),
    )


def _page(form: AdjustingForm, *, status: int = 200, prepared: Prepared | None = None) -> Response:
    actor = current_actor()
    page = render_template(
        "ledger/adjust.html",
        form=form,
        prepared=prepared,
        who=who_can_decide(adjusting.ADJUST, maker=actor),
    )
    return Response(page, status=status)


@ledger.route("/payments/new", methods=["GET", "POST"])
@requires(Permission.PAYMENTS_ADJUST)
def new_payment() -> Any:
    """The form; sent once it shows what would change, sent from there it asks for approval."""
    form = AdjustingForm()
    if request.method == "GET":
        form.debtor_account_id.data = request.args.get("debtor", "")[:100]
        form.creditor_account_id.data = request.args.get("creditor", "")[:100]
        form.parent_id.data = str(new_id())
        return _page(form)
    step = request.form.get("step")
    if step == "change":
        return _page(form)
    if step == "swap":
        debtor, creditor = form.debtor_account_id, form.creditor_account_id
        debtor.data, creditor.data = creditor.data, debtor.data
        return _page(form)
    if not form.validate():
        if form.parent_id.errors:
            # nobody typed it: a new one makes the form whole again
            form.form_errors.append("The form was not complete. Send it once more.")
            form.parent_id.errors, form.parent_id.data = [], str(new_id())
        return _page(form, status=422)
    try:
        with transaction():
            prepared = _prepared(form)
            if step != "ask":
                return _page(form, prepared=prepared)
            asked = adjusting.ask(prepared.order, reason=form.reason.data or "", by=current_actor())
    except (Conflict, Invalid, Refused) as refusal:
        show_errors(form, refusal)
        return _page(form, status=422 if isinstance(refusal, Invalid) else refusal.status)
    flash("Asked for this adjusting payment. Another person decides; no money has moved.", "wait")
    return go(url_for("approvals.show", request_id=asked.id))
