"""Rules that assign a payer's money by themselves: which stand, which wait for a second person, and ending one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from flask import Response, flash, make_response, render_template, request, url_for

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
from dashboard.views.lists import choices, downloads, listed
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing, Row, parts
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go, page_or_fragment
from dashboard.web.paging import DEFAULT_PAGE_SIZE, InvalidCursor, neighbours, unseal

STATES = {"requested": ("wait", "Waiting for approval"), "active": ("ok", "Active"), "ended": ("neutral", "Ended")}


@transfers.get("/unrecognized/rules")
@listed("payer-rules", "Rules for payers", keeps=("view",), reads=choices(view={"ended": "Ended"}))
@requires(Permission.TRANSFERS_READ)
def payer_rules() -> Response:
    """Rules that stand or wait, newest first; `view=ended` shows the others."""
    ended = request.args.get("view") == "ended"
    found: list[PayerRule] = []
    earlier = later = None
    problem = False
    try:
        found, earlier, later = _page(ended)
    except InvalidCursor:
        problem = True
    waiting = queries.open_requests([rule.id for rule in found], [standing.KIND])
    return make_response(
        render_template(
            "transfers/desk/rules.html",
            rules=found,
            ended=ended,
            earlier=earlier,
            later=later,
            paged=bool(request.args.get("cursor")),
            problem=problem,
            accounts=parties(rule.account_id for rule in found),
            states=STATES,
            asked={one.object_id: one.id for one in waiting},
            in_groups=numbers.in_groups,
            may_assign=current_actor().may(Permission.TRANSFERS_ASSIGN),
        ),
        400 if problem else 200,
    )


def _page(ended: bool) -> tuple[list[PayerRule], str | None, str | None]:
    """A page of rules and the addresses of those beside it. Raises InvalidCursor."""
    bound = ["payer-rules", ended]
    position = unseal(request.args.get("cursor"), bound=bound)
    edge = UUID(position.key[0]) if position else None
    backwards = position is not None and position.backwards
    found = queries.rules(
        ended=ended, limit=DEFAULT_PAGE_SIZE + 1,
        before=None if backwards else edge, after=edge if backwards else None,
    )  # fmt: skip
    shown, earlier, later = neighbours(
        found, position, size=DEFAULT_PAGE_SIZE, key=lambda rule: [str(rule.id)], bound=bound
    )

    def at(cursor: str | None) -> str | None:
        return url_for(".payer_rules", view="ended" if ended else None, cursor=cursor) if cursor else None

    return shown, at(earlier), at(later)


COLUMNS = (
    Column("payer", "Payer", share=1.4),
    Column("payer_account", "Payer’s account"),
    Column("currency", "Money", share=0.4),
    Column("client", "Goes to", share=1.4),
    Column("account", "Account"),
    Column("reason", "Reason", share=2),
    Column("by", "Asked by"),
    Column("asked", "Asked", Kind.MOMENT),
    Column("state", "State"),
    Column("ended_by", "Ended by"),
    Column("ended", "Ended", Kind.MOMENT),
    Column("id", "Rule", share=1.4),
)
#: rules that an export reads at once
PART = 500


@transfers.get("/unrecognized/rules/export/<form>")
@downloads("payer-rules")
@requires(Permission.TRANSFERS_READ)
def export_payer_rules(form: str) -> Response:
    """Rules that stand or wait, or with `view=ended` the others, all pages of them, as `csv` or `xlsx`."""
    chosen_format, ended = Format.of_a_list(form), request.args.get("view") == "ended"

    def older(last: PayerRule | None) -> list[PayerRule]:
        return queries.rules(ended=ended, before=last.id if last else None, limit=PART)

    def rows() -> Iterator[Row]:
        for part in parts(older):
            accounts = parties(rule.account_id for rule in part)
            for rule in part:
                yield {
                    "payer": rule.payer_name,
                    "payer_account": rule.payer_key,
                    "currency": rule.currency.upper(),
                    "client": accounts[rule.account_id].name,
                    "account": accounts[rule.account_id].number,
                    "reason": rule.reason,
                    "by": rule.created_by,
                    "asked": rule.created_at,
                    "state": STATES[rule.state][1],
                    "ended_by": rule.ended_by,
                    "ended": rule.ended_at,
                    "id": rule.id,
                }

    filters = [("Rules", "ended" if ended else "standing, or waiting for approval")]
    about = exports.about("Rules for payers", filters=filters, by=current_actor().name)
    return exports.answer(Listing(about, COLUMNS), rows, chosen_format)


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
