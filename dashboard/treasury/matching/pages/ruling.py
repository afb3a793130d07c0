"""The rules of matching: the version in force, its history, and asking for another one."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.approvals import services as approvals
from dashboard.database import transaction
from dashboard.errors import Conflict, Invalid, Refused
from dashboard.money import DECIMALS, Money
from dashboard.treasury.matching import rules as reading
from dashboard.treasury.matching.forms import rules_from
from dashboard.treasury.matching.pages.blueprint import reconciliation
from dashboard.treasury.matching.queries import rules as queries
from dashboard.treasury.matching.services import rules as services
from dashboard.treasury.matching.vocabulary import PASS_LABELS, PASS_SAYS, PASSES, RULES
from dashboard.web.htmx import go, page_or_fragment


@reconciliation.get("/reconciliation/rules")
@requires(Permission.TREASURY_READ)
def match_rules() -> Response:
    """What is in force, and a form that asks for a change."""
    return _answer({}, {}, status=200)


def _answer(values: dict[str, str], errors: dict[str, str], *, status: int, problem: str | None = None) -> Response:
    standing = queries.newest()
    now = reading.read(standing.version, standing.rules)
    steps = {step.key: (place, step) for place, step in enumerate(now.steps, start=1)}
    typed = {
        "timingDays": str(now.timing_days),
        "dueDays": str(now.due_days),
        **{f"place.{key}": str(place) for key, (place, _) in steps.items()},
        **{f"days.{key}": str(step.days) for key, (_, step) in steps.items()},
        **{f"certain.{key}": "yes" if step.certain else "" for key, (_, step) in steps.items()},
        **{f"acceptAlone.{one}": str(Money(minor, one).amount) for one, minor in now.accept_alone.items()},
    }  # fmt: skip
    waiting = approvals.live(RULES, standing.id)
    return page_or_fragment(
        "treasury/matching/rules.html",
        "treasury/matching/rules.html",
        status=status,
        rules=now,
        passes=[(key.value, PASS_LABELS[key], PASS_SAYS[key], key in reading.WEAK) for key in PASSES],
        currencies=list(DECIMALS),
        typed=values or typed,
        errors=errors,
        problem=problem,
        waiting=waiting,
        may=current_actor().may(Permission.TREASURY_WRITE) and waiting is None,
        versions=[(one, services.in_words(reading.read(one.version, one.rules))) for one in queries.versions()],
    )


@reconciliation.post("/reconciliation/rules")
@requires(Permission.TREASURY_WRITE)
def ask_rules() -> Any:
    """Ask a second person for another version."""
    values = {key: value for key, value in request.form.items() if key != "csrf_token"}
    try:
        with transaction():
            services.ask(
                rules_from(values, queries.in_force()), reason=request.form.get("reason", ""), by=current_actor()
            )
    except Invalid as refusal:
        return _answer(values, {error.field: error.message for error in refusal.errors}, status=422)
    except (Conflict, Refused) as refusal:
        return _answer(values, {}, status=refusal.status, problem=refusal.message)
    flash("Asked a second person to change the rules.", "wait")
    return go(url_for(".match_rules"))
