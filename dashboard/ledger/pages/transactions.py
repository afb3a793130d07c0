"""Transactions: the list with its filters, and the same as a file."""

from __future__ import annotations

from typing import Any

from flask import Response, render_template, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.errors import Invalid
from dashboard.ledger import transaction_report
from dashboard.ledger.forms.transaction_list import CURRENCIES, KINDS, STATES, TransactionQuery
from dashboard.ledger.pages.blueprint import ledger
from dashboard.ledger.queries import transactions as queries
from dashboard.ledger.queries.parties import parties
from dashboard.ledger.queries.payments import reversals_of
from dashboard.ledger.queries.transactions import Order, Page
from dashboard.ledger.states import PARENT_LABELS, state_badge
from dashboard.views.lists import downloads, listed
from dashboard.web import exports
from dashboard.web.exports import Format, Listing, TooManyRows
from dashboard.web.htmx import page_or_fragment, wants_fragment
from dashboard.web.paging import DEFAULT_PAGE_SIZE, InvalidCursor, Position, seal, unseal

NEWEST_FIRST = Order("created", descending=True)


@ledger.get("/transactions")
@listed(
    "transactions", "Transactions", reads=lambda values, _actor: TransactionQuery.read(values),
    keeps=("currency", "amount", "amount_from", "amount_to", "state", "kind", "booked_from", "booked_to"),
    leaves=("text", "account", "client", "reference"),
)  # fmt: skip
@requires(Permission.LEDGER_READ)
def transactions() -> Response:
    """One page of transactions; for HTMX the list alone."""
    asked = TransactionQuery.read(request.args)
    if asked.errors:
        return _answer(asked, status=422)
    try:
        position = unseal(asked.cursor, bound=asked.bound)
    except InvalidCursor:
        return _answer(asked, status=400, cursor_problem=True)
    page = queries.find(
        asked.chosen,
        order=NEWEST_FIRST,
        size=DEFAULT_PAGE_SIZE,
        after=position.key if position else None,
        backwards=position.backwards if position else False,
    )
    earlier, later = _edges(asked, page, position)
    return _answer(
        asked,
        rows=page.rows,
        earlier=earlier,
        later=later,
        nothing_at_all=not page.rows and not asked.values and not queries.any_transaction(),
    )


def _edges(asked: TransactionQuery, page: Page, position: Position | None) -> tuple[str | None, str | None]:
    """Addresses of the pages before and after this one."""
    if not page.rows:
        return None, None
    backwards = position is not None and position.backwards
    has_earlier = page.more if backwards else position is not None
    has_later = backwards or page.more

    def address(row: Any, back: bool) -> str:
        cursor = seal(Position(row.key(NEWEST_FIRST), backwards=back), bound=asked.bound)
        return url_for("ledger.transactions") + asked.query(cursor=cursor)

    return (
        address(page.rows[0], True) if has_earlier else None,
        address(page.rows[-1], False) if has_later else None,
    )


def _answer(asked: TransactionQuery, *, status: int = 200, rows: Any = (), **context: Any) -> Response:
    base = url_for("ledger.transactions")
    response = page_or_fragment(
        "ledger/transactions.html",
        "ledger/_transactions.html",
        status=status,
        asked=asked,
        rows=rows,
        sides=parties(side for row in rows for side in (row.debtor_id, row.creditor_id)),
        reversed_ones=reversals_of([row.payment_id for row in rows]) if rows else {},
        badges={row.state: state_badge(row.state) for row in rows},
        parents=PARENT_LABELS,
        choices={"currency": CURRENCIES, "state": STATES, "kind": KINDS},
        may_adjust=current_actor().may(Permission.PAYMENTS_ADJUST),
        base=base,
        part=wants_fragment(),
        **context,
    )
    if wants_fragment() and status == 200 and not asked.cursor:
        # the address without the empty filters that a form sends
        response.headers["HX-Push-Url"] = base + asked.query()
    return response


@ledger.get("/transactions/export/<form>")
@downloads("transactions")
@requires(Permission.LEDGER_READ)
def export_transactions(form: str) -> Response:
    """Exactly what the filters show, all pages of it, as `csv` or `xlsx`."""
    asked = TransactionQuery.read(request.args)
    if form not in {Format.CSV, Format.XLSX}:
        raise Invalid.one("format", "Choose csv or xlsx.", "enum")
    if asked.errors:
        return _answer(asked, status=422)
    actor = current_actor()
    names = actor.may(Permission.CLIENTS_READ)
    listing = Listing(
        exports.about("Transactions", filters=asked.in_words(), by=actor.name),
        transaction_report.columns(names=names),
    )
    try:
        return exports.answer(
            listing,
            lambda: transaction_report.rows(asked.chosen, order=NEWEST_FIRST, names=names),
            Format(form),
        )
    except TooManyRows as refusal:
        page = render_template(
            "ledger/export_refused.html", message=refusal.message, back=url_for(".transactions") + asked.query(),
            as_csv=url_for(".export_transactions", form="csv") + asked.query(),
        )  # fmt: skip
        return Response(page, status=422)
