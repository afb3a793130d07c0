"""Transfers of all kinds: the list with its filters, and the same as a file."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Response, render_template, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.clock import calendar
from dashboard.errors import Invalid
from dashboard.ledger.forms.transaction_list import CURRENCIES
from dashboard.ledger.queries.parties import parties
from dashboard.money import Money
from dashboard.transfers import transfer_report
from dashboard.transfers.badges import kind_in_row, kind_words, money_of, status_badge
from dashboard.transfers.forms.transfer_list import STATUSES, TYPES, TransferQuery
from dashboard.transfers.models import Transfer
from dashboard.transfers.pages.blueprint import transfers
from dashboard.transfers.queries import transfers as queries
from dashboard.transfers.queries.transfers import Page
from dashboard.transfers.vocabulary import KIND_LABELS, Kind, Status
from dashboard.views.lists import downloads, listed
from dashboard.web import exports
from dashboard.web.exports import Format, Listing, TooManyRows
from dashboard.web.htmx import page_or_fragment, wants_fragment
from dashboard.web.paging import DEFAULT_PAGE_SIZE, InvalidCursor, Position, seal, unseal

#: what counts as large among the ready views, in major units
LARGE = ("eur", "10000")


@transfers.get("")
@listed(
    "transfers", "Transfers", reads=lambda values, _actor: TransferQuery.read(values),
    keeps=(
        "kind", "status", "type", "currency", "amount", "amount_from", "amount_to", "created_from", "created_to",
        "provider",
    ),
    leaves=("text", "account", "client", "reference"),
)  # fmt: skip
@requires(Permission.TRANSFERS_READ)
def listing() -> Response:
    """One page of transfers; for HTMX the list alone."""
    asked = TransferQuery.read(request.args)
    if asked.errors:
        return _answer(asked, status=422)
    try:
        position = unseal(asked.cursor, bound=asked.bound)
    except InvalidCursor:
        return _answer(asked, status=400, cursor_problem=True)
    page = queries.find(
        asked.chosen,
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
        nothing_at_all=not page.rows and not asked.values and not queries.any_transfer(),
    )


def _edges(asked: TransferQuery, page: Page, position: Position | None) -> tuple[str | None, str | None]:
    """Addresses of the pages before and after this one."""
    if not page.rows:
        return None, None
    backwards = position is not None and position.backwards
    has_earlier = page.more if backwards else position is not None
    has_later = backwards or page.more

    def address(row: Transfer, back: bool) -> str:
        cursor = seal(Position(queries.key_of(row), backwards=back), bound=asked.bound)
        return url_for("transfers.listing") + asked.query(cursor=cursor)

    return (
        address(page.rows[0], True) if has_earlier else None,
        address(page.rows[-1], False) if has_later else None,
    )


def _tabs(asked: TransferQuery) -> list[dict[str, Any]]:
    """All kinds, each kind, and what is held; other filters stay."""
    base = url_for("transfers.listing")
    held = asked.values.get("status") == Status.MANUAL_REVIEW
    kind = asked.values.get("kind")
    others = {"status": None} if held else {}
    found = [{"label": "All", "url": base + asked.query(**{**others, "kind": None}), "current": not kind and not held}]
    for one in Kind:
        address = base + asked.query(**{**others, "kind": one.value})
        found.append({"label": KIND_LABELS[one], "url": address, "current": kind == one and not held})
    address = base + asked.query(kind=Kind.OUTGOING.value, status=Status.MANUAL_REVIEW.value)
    found.append({"label": "Held", "url": address, "current": held})
    return found


def _views() -> list[tuple[str, str]]:
    """Questions that are asked every day, as addresses."""
    today = calendar().today().isoformat()
    asked = [
        ("Outcome unknown", {"status": Status.UNKNOWN.value}),
        ("Submitted, not yet answered", {"status": Status.SUBMITTED.value}),
        ("Rejected today", {"status": Status.REJECTED.value, "created_from": today}),
        ("Returned", {"status": Status.RETURNED.value}),
        ("10,000.00 EUR and more, today", {"currency": LARGE[0], "amount_from": LARGE[1], "created_from": today}),
    ]
    base = url_for("transfers.listing")
    return [(label, f"{base}?{urlencode(filters)}") for label, filters in asked]


def _answer(asked: TransferQuery, *, status: int = 200, rows: Any = (), **context: Any) -> Response:
    base = url_for("transfers.listing")
    response = page_or_fragment(
        "transfers/listing.html",
        "transfers/_list.html",
        status=status,
        asked=asked,
        rows=rows,
        sides=parties(row.account_id for row in rows),
        badges={row.status: status_badge(row.status) for row in rows},
        money=money_of,
        words=kind_words,
        short=kind_in_row,
        bought=bought,
        choices={"currency": CURRENCIES, "status": STATUSES, "type": TYPES, "provider": asked.providers},
        tabs=_tabs(asked),
        views=_views(),
        base=base,
        part=wants_fragment(),
        may_read_ledger=current_actor().may(Permission.LEDGER_READ),
        **context,
    )
    if wants_fragment() and status == 200 and not asked.cursor:
        # the address without the empty filters that a form sends
        response.headers["HX-Push-Url"] = base + asked.query()
    return response


def bought(transfer: Transfer) -> Money | None:
    """What an exchange buys."""
    if transfer.counter_minor is None or transfer.counter_currency is None:
        return None
    return Money(transfer.counter_minor, transfer.counter_currency)


@transfers.get("/totals")
@requires(Permission.TRANSFERS_READ)
def totals() -> Response:
    """How many pass the filters and how much they are, each currency by itself; counted when somebody asks."""
    asked = TransferQuery.read(request.args)
    found = [] if asked.errors else queries.totals(asked.chosen)
    return page_or_fragment(
        "transfers/totals.html",
        "transfers/_totals.html",
        asked=asked,
        totals=[(one.count, Money(one.amount_minor, one.currency)) for one in found],
        base=url_for("transfers.listing"),
    )


@transfers.get("/export/<form>")
@downloads("transfers")
@requires(Permission.TRANSFERS_READ)
def export(form: str) -> Response:
    """Exactly what the filters show, all pages of it, as `csv` or `xlsx`."""
    asked = TransferQuery.read(request.args)
    if form not in {Format.CSV, Format.XLSX}:
        raise Invalid.one("format", "Choose csv or xlsx.", "enum")
    if asked.errors:
        return _answer(asked, status=422)
    listed = Listing(
        exports.about("Transfers", filters=asked.in_words(), by=current_actor().name), transfer_report.COLUMNS
    )
    try:
        return exports.answer(listed, lambda: transfer_report.rows(asked.chosen), Format(form))
    except TooManyRows as refusal:
        page = render_template(
            "ledger/export_refused.html", message=refusal.message, back=url_for(".listing") + asked.query(),
            as_csv=url_for(".export", form="csv") + asked.query(), back_label="Transfers",
        )  # fmt: skip
        return Response(page, status=422)
