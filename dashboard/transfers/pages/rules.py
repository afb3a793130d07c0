"""Rules that assign a payer's money by themselves: which stand, which wait for a second person, and ending one."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import flash, render_template, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.database import transaction
from dashboard.errors import Conflict, Invalid, Refused
from dashboard.ledger import numbers
from dashboard.ledger.queries.parties import parties
from dashboard.transfers.forms.desk_deciding import ReasonForm
from dashboard.transfers.models import PayerRule
from dashboard.transfers.pages.blueprint import transfers
from dashboard.transfers.queries import desk as queries
from dashboard.transfers.services.desk import standing
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go, page_or_fragment

STATES = {"requested": ("wait", "Waiting for approval"), "active": ("ok", "Active"), "ended": ("neutral", "Ended")}


@transfers.get("/unrecognized/rules")
@requires(Permission.TRANSFERS_READ)
def payer_rules() -> str:
    """Rules that stand or wait; `view=ended` shows the others."""
    ended = request.args.get("view") == "ended"
    found = queries.rules(ended=ended)
    waiting = queries.open_requests([rule.id for rule in found], [standing.KIND])
    return render_template(
        "transfers/desk/rules.html",
        rules=found,
        ended=ended,
        accounts=parties(rule.account_id for rule in found),
        states=STATES,
        asked={one.object_id: one.id for one in waiting},
        in_groups=numbers.in_groups,
        may_assign=current_actor().may(Permission.TRANSFERS_ASSIGN),
    )


def _dialog(rule: PayerRule, form: ReasonForm, status: int = 200) -> Any:
    return page_or_fragment(
        "transfers/desk/rule_end.html",
        "transfers/desk/_rule_end.html",
        status=status,
        rule=rule,
        party=parties([rule.account_id]).get(rule.account_id),
        form=form,
    )


@transfers.route("/unrecognized/rules/<uuid:rule_id>/end", methods=["GET", "POST"])
@requires(Permission.TRANSFERS_ASSIGN)
def end_rule(rule_id: UUID) -> Any:
    """One person ends a rule at once; what it has posted stays."""
    rule, form = queries.rule(rule_id), ReasonForm()
    if request.method == "GET":
        return _dialog(rule, form)
    if not form.validate():
        return _dialog(rule, form, 422)
    try:
        with transaction():
            standing.end(rule_id, reason=form.reason.data or "", by=current_actor())
    except (Invalid, Conflict, Refused) as refusal:
        show_errors(form, refusal)
        return _dialog(queries.rule(rule_id), form, 422)
    flash(f"Ended: money from {rule.payer_name} comes to the desk again.", "ok")
    return go(url_for(".payer_rules"))
