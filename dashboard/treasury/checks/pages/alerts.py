"""Alerts: what stands open, what was settled, and settling one by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from flask import Response, flash, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.approvals.names import named
from dashboard.database import transaction
from dashboard.errors import Conflict, Invalid
from dashboard.treasury.alerts import queries
from dashboard.treasury.alerts import services as alerts
from dashboard.treasury.alerts.models import TreasuryAlert
from dashboard.treasury.checks import queries as runs
from dashboard.treasury.checks.forms import SettleForm
from dashboard.treasury.checks.pages.blueprint import checks
from dashboard.treasury.checks.table import TITLES
from dashboard.treasury.vocabulary import POOL_LABELS, Pool
from dashboard.views.lists import choices, downloads, listed
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing, Row, parts
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go, page_or_fragment
from dashboard.web.paging import DEFAULT_PAGE_SIZE, InvalidCursor, neighbours, unseal

STATES = {"open": "Open", "settled": "Settled"}


@checks.get("/alerts")
@listed("alerts", "Treasury alerts", keeps=("state",), reads=choices(state=STATES), usual={"state": "open"})
@requires(Permission.TREASURY_READ)
def list_alerts() -> Response:
    """Alerts, newest first; `state` open or settled."""
    state = request.args.get("state", "open")
    if state not in STATES:
        raise Invalid.one("state", "Choose open or settled.", "enum")
    bound = ["treasury-alerts", state]
    context: dict[str, Any] = {"alerts": [], "cursor_problem": False}
    try:
        position = unseal(request.args.get("cursor"), bound=bound)
    except InvalidCursor:
        context["cursor_problem"] = True
    else:
        edge = UUID(position.key[0]) if position else None
        backwards = position is not None and position.backwards
        found = queries.alerts(
            state=state, before=None if backwards else edge, after=edge if backwards else None,
            limit=DEFAULT_PAGE_SIZE + 1,
        )  # fmt: skip

        def key(alert: TreasuryAlert) -> list[Any]:
            return [str(alert.id)]

        shown, earlier, later = neighbours(found, position, size=DEFAULT_PAGE_SIZE, key=key, bound=bound)

        def at(cursor: str | None) -> str | None:
            return url_for(".list_alerts", state=state, cursor=cursor) if cursor else None

        context |= {"alerts": shown, "earlier": at(earlier), "later": at(later)}
    return page_or_fragment(
        "treasury/checks/alerts.html", "treasury/checks/_alerts_list.html",
        status=400 if context["cursor_problem"] else 200, ever_ran=runs.latest() is not None,
        state=state, states=STATES, titles=TITLES,
        named=named, may_settle=current_actor().may(Permission.TREASURY_WRITE), **context,
    )  # fmt: skip


COLUMNS = (
    Column("check", "Check"),
    Column("says", "Says", share=3),
    Column("pool", "Pool", share=0.8),
    Column("currency", "Currency", share=0.4),
    Column("times", "Times", Kind.NUMBER),
    Column("first", "First", Kind.MOMENT),
    Column("last", "Last", Kind.MOMENT),
    Column("settled", "Settled", Kind.MOMENT),
    Column("by", "Settled by"),
    Column("because", "Because", share=2),
    Column("id", "Alert", share=1.4),
)
#: alerts that an export reads at once
PART = 500


@checks.get("/alerts/export/<form>")
@downloads("alerts")
@requires(Permission.TREASURY_READ)
def export_alerts(form: str) -> Response:
    """Exactly what the list shows, all pages of it, as `csv` or `xlsx`."""
    chosen_format = Format.of_a_list(form)
    state = request.args.get("state", "open")
    if state not in STATES:
        raise Invalid.one("state", "Choose open or settled.", "enum")

    def older(last: TreasuryAlert | None) -> Sequence[TreasuryAlert]:
        return queries.alerts(state=state, before=last.id if last else None, limit=PART)

    def rows() -> Iterator[Row]:
        for part in parts(older):
            for one in part:
                settled = one.settled_by_kind is not None and one.settled_by is not None
                yield {
                    "check": TITLES.get(one.check_key, one.check_key),
                    "says": one.says,
                    "pool": POOL_LABELS[Pool(one.pool)] if one.pool else None,
                    "currency": one.currency.upper() if one.currency else None,
                    "times": one.times,
                    "first": one.first_at,
                    "last": one.last_at,
                    "settled": one.settled_at,
                    "by": named(one.settled_by_kind or "", one.settled_by or "") if settled else None,
                    "because": one.settled_because,
                    "id": one.id,
                }

    about = exports.about("Treasury alerts", filters=[("State", STATES[state])], by=current_actor().name)
    return exports.answer(Listing(about, COLUMNS), rows, chosen_format)


@checks.route("/alerts/<uuid:alert_id>/settle", methods=["GET", "POST"])
@requires(Permission.TREASURY_WRITE)
def settle_alert(alert_id: UUID) -> Any:
    """The dialog that settles an alert, and doing so."""
    form, status = SettleForm(), 200
    if request.method == "POST":
        status = 422
        if form.validate():
            try:
                with transaction():
                    alerts.settle_by_hand(alert_id, because=form.reason.data or "", by=current_actor())
            except (Invalid, Conflict) as refusal:
                show_errors(form, refusal)
                status = 422 if isinstance(refusal, Invalid) else refusal.status
            else:
                flash("Settled. Found again, it comes back as a new alert.", "ok")
                return go(url_for(".list_alerts"))
    return page_or_fragment(
        "treasury/checks/settle_page.html", "treasury/checks/_settle.html", status=status,
        alert=queries.get(alert_id), form=form, titles=TITLES, answered=status,
    )  # fmt: skip
