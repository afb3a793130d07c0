"""Matching by hand: two panes, what is left between the picked rows, and booking it."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from flask import Response, flash, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.database import transaction
from dashboard.errors import Conflict, Invalid, Refused
from dashboard.money import Money
from dashboard.treasury.matching.forms import BookForm, amount_of, day_of, identifiers
from dashboard.treasury.matching.pages.blueprint import reconciliation
from dashboard.treasury.matching.pages.point import latest_day, said
from dashboard.treasury.matching.queries import items
from dashboard.treasury.matching.queries.items import MOST_SHOWN, Row
from dashboard.treasury.matching.services import booking
from dashboard.treasury.matching.services import matches as services
from dashboard.treasury.matching.services.booking import BookedAs
from dashboard.treasury.register import queries as register
from dashboard.treasury.register.queries import BankAccountView
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go, page_or_fragment

LONGEST_TEXT = 100


def _asked() -> tuple[BankAccountView, date, list[UUID], list[UUID]]:
    """Raises Invalid, NotFound."""
    view = register.account(identifiers([request.values.get("account", "")], "account")[0])
    day = day_of(request.values.get("day")) or latest_day()
    if day is None:
        raise Invalid.one("day", "No business day has ended yet.", "range")
    lines = identifiers(request.values.getlist("lines"), "lines")
    return view, day, lines, identifiers(request.values.getlist("transactions"), "transactions")


def _sum(view: BankAccountView, lines: list[UUID], transactions: list[UUID]) -> dict[str, Any]:
    rows = items.rows(view.id, lines=lines, transactions=transactions)
    bank = sum(row.amount_minor for row in rows if row.side == "bank")
    ledger = sum(row.amount_minor for row in rows if row.side == "ledger")
    actor = current_actor()
    return {
        "ledger_sum": Money(ledger, view.currency),
        "bank_sum": Money(bank, view.currency),
        "left": Money(bank - ledger, view.currency),
        "can_match": bool(lines and transactions) and bank == ledger,
        "can_book": bool(lines) and bank != ledger and actor.may(Permission.PAYMENTS_ADJUST),
        "picked": bool(lines or transactions),
    }


def _panes(view: BankAccountView, day: date, lines: list[UUID], transactions: list[UUID]) -> dict[str, list[Row]]:
    """Open rows of both sides under the same filters; what is picked stays in sight."""
    text = request.values.get("text", "").strip()[:LONGEST_TEXT]
    amount = amount_of(request.values.get("amount"), view.currency)
    found = {}
    for side, picked in (("ledger", transactions), ("bank", lines)):
        rows = items.open_rows(view.id, day, side=side, text=text or None, amount_minor=amount)
        shown = {row.id for row in rows}
        missing = [item for item in picked if item not in shown]
        more = items.rows(view.id, **{"lines" if side == "bank" else "transactions": missing})
        found[side] = more + rows
    return found


@reconciliation.get("/reconciliation/match")
@requires(Permission.TREASURY_WRITE)
def picking() -> Response:
    """The two panes."""
    return _answer(BookForm(formdata=None))


def _answer(form: BookForm, *, status: int = 200, problem: str | None = None) -> Response:
    view, day, lines, transactions = _asked()
    wrong = None
    try:
        panes = _panes(view, day, lines, transactions)
    except Invalid as refusal:
        wrong, status = refusal.errors[0].message, 422
        panes = {"ledger": [], "bank": []}
    return page_or_fragment(
        "treasury/matching/picking.html",
        "treasury/matching/picking.html",
        status=status,
        view=view,
        said=said(view),
        day=day,
        panes=panes,
        lines=set(lines),
        transactions=set(transactions),
        text=request.values.get("text", ""),
        amount=request.values.get("amount", ""),
        wrong=wrong,
        problem=problem,
        form=form,
        most=MOST_SHOWN,
        money=lambda minor: Money(minor, view.currency),
        here=url_for(".picking", account=view.id, day=day.isoformat()),
        **_sum(view, lines, transactions),
    )


@reconciliation.post("/reconciliation/match/sum")
@requires(Permission.TREASURY_WRITE)
def picked_sum() -> Response:
    """What is left between the rows picked so far; changes nothing."""
    view, _, lines, transactions = _asked()
    return page_or_fragment(
        "treasury/matching/_sum.html", "treasury/matching/_sum.html", form=BookForm(formdata=None),
        **_sum(view, lines, transactions),
    )  # fmt: skip


@reconciliation.post("/reconciliation/match")
@requires(Permission.TREASURY_WRITE)
def match_picked() -> Any:
    """Match the picked rows, or ask to book what is left and to match them with it, or only add them up."""
    view, day, lines, transactions = _asked()
    act = request.form.get("act", "sum")
    form = BookForm()
    by = current_actor()
    try:
        if act == "match":
            with transaction():
                services.match_by_hand(view.id, lines=lines, transactions=transactions, by=by)
            flash("Matched.", "ok")
            return go(url_for(".point", account=view.id, day=day.isoformat()))
        if act == "book":
            if not form.validate():
                return _answer(form, status=422)
            with transaction():
                booking.ask(
                    view.id, lines=lines, transactions=transactions, booked_as=BookedAs(form.booked_as.data),
                    reason=form.reason.data or "", by=by,
                )  # fmt: skip
            flash("Asked a second person to book it.", "wait")
            return go(url_for(".point", account=view.id, day=day.isoformat()))
    except (Invalid, Conflict, Refused) as refusal:
        show_errors(form, refusal)
        said_first = refusal.errors[0].message if isinstance(refusal, Invalid) else refusal.message
        status = 422 if isinstance(refusal, Invalid) else refusal.status
        return _answer(form, status=status, problem=said_first)
    return _answer(BookForm(formdata=None))
