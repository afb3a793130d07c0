"""How requests of one kind are decided: the rule as it stands with its versions, and asking for another one."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, render_template, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import ROLES, Permission
from dashboard.approvals import rulebook, ruling, services, terms
from dashboard.approvals.forms import DecidingForm
from dashboard.approvals.kinds import Kind
from dashboard.database import transaction
from dashboard.errors import DomainError, Invalid
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go, page_or_fragment

approval_rules = Blueprint("approval_rules", __name__, url_prefix="/approvals/rules")


def _waiting(kind: Kind) -> str | None:
    """The request that would change this rule, where one is open."""
    found = services.live(ruling.CHANGE, ruling.id_of(kind.key))
    return url_for("approvals.show", request_id=found.id) if found is not None else None


@approval_rules.get("/<kind>")
@requires(Permission.APPROVALS_READ)
def show(kind: str) -> str:
    """Who asks, who decides, until when, and every version of that."""
    which = ruling.known(kind)
    row, versions = rulebook.versions(which)
    return render_template(
        "approvals/rule.html",
        row=row,
        versions=versions,
        waiting=_waiting(which),
        may_change=current_actor().may(Permission.RULES_CHANGE),
    )


def _dialog(kind: Kind, form: DecidingForm, status: int = 200) -> Any:
    form.deciders.choices = [(role.value, ROLES[role].plural) for role in kind.roles()]
    return page_or_fragment(
        "approvals/rule_dialog.html",
        "approvals/_rule.html",
        status=status,
        form=form,
        title=f"Rule of “{kind.named()}”",
        now=list(ruling.as_it_stands(kind).items()),
        here=url_for(".change", kind=kind.key),
        close_url=url_for(".show", kind=kind.key),
    )


@approval_rules.route("/<kind>/change", methods=["GET", "POST"])
@requires(Permission.RULES_CHANGE)
def change(kind: str) -> Any:
    """Ask a second person for other hours, or for fewer or more roles that decide."""
    which, form = ruling.known(kind), DecidingForm()
    if request.method == "GET":
        rule = terms.of(kind)
        form.hours.data = "" if rule.hours is None else str(rule.hours)
        form.deciders.data = [role.value for role in rule.roles(which)]
        return _dialog(which, form)
    if not form.validate():
        return _dialog(which, form, 422)
    try:
        with transaction():
            asked = ruling.ask(
                kind, hours=form.business_hours(), deciders=form.deciders.data or [], reason=form.reason.data or "",
                by=current_actor(),
            )  # fmt: skip
    except DomainError as refusal:
        show_errors(form, refusal)
        return _dialog(which, form, refusal.status if not isinstance(refusal, Invalid) else 422)
    flash(f"Asked: {asked.subject}. Another person decides; until then the old version counts.", "info")
    return go(url_for(".show", kind=kind))
