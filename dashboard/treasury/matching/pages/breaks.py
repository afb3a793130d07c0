"""All breaks: the matrix of value and age, the list with its filters, and the same as a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flask import Response, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.errors import Invalid
from dashboard.money import Money
from dashboard.staff import queries as staff
from dashboard.treasury.matching.forms import KINDS, OWNERS, STATES, BreakQuery
from dashboard.treasury.matching.pages.blueprint import reconciliation
from dashboard.treasury.matching.queries import break_rows, matrix, points
from dashboard.treasury.matching.queries.break_rows import BUCKET_LABELS, BreakView
from dashboard.treasury.register import queries as register
from dashboard.views.lists import downloads, listed
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing
from dashboard.web.htmx import page_or_fragment
from dashboard.web.paging import DEFAULT_PAGE_SIZE, InvalidCursor, neighbours, unseal

#: role of the badge of each state
ROLES = {
    "open": "neutral", "acknowledged": "wait", "matched": "ok", "booked": "ok", "accepted": "neutral",
    "gone": "neutral",
}  # fmt: skip
COLUMNS = (
    Column("id", "Break"),
    Column("account", "Bank account"),
    Column("number", "Number"),
    Column("since", "Since", Kind.DATE),
    Column("age", "Age, business days", Kind.NUMBER),
    Column("kind", "Kind"),
    Column("currency", "Currency"),
    Column("difference", "Bank minus ledger", Kind.AMOUNT),
    Column("bank", "Bank", Kind.AMOUNT),
    Column("ledger", "Ledger", Kind.AMOUNT),
    Column("reference", "Reference"),
    Column("cause", "Likely cause"),
    Column("owner", "Owner"),
    Column("state", "State"),
    Column("due", "Due", Kind.MOMENT),
)


def badge_of(view: BreakView) -> tuple[str, str]:
    """Role and word of a break's state."""
    return ROLES[view.row.resolution or view.row.state], view.state_label


def cells() -> list[dict[str, Any]]:
    """The matrix by currency: a figure and an address for each age."""
    found: dict[str, dict[str, Any]] = {}
    for cell in matrix():
        line = found.setdefault(cell.currency, {"currency": cell.currency, "ages": {}, "count": 0, "sum": 0})
        line["ages"][cell.bucket] = {
            "count": cell.count,
            "sum": Money(cell.sum_minor, cell.currency),
            "url": url_for(".breaks", currency=cell.currency, age=cell.bucket),
        }
        line["count"] += cell.count
        line["sum"] += cell.sum_minor
    for line in found.values():
        line["sum"] = Money(line["sum"], line["currency"])
        line["url"] = url_for(".breaks", currency=line["currency"])
    return list(found.values())


@reconciliation.get("/breaks")
@listed(
    "breaks", "Breaks", reads=lambda values, _actor: BreakQuery.read(values),
    keeps=("state", "kind", "currency", "owner", "age", "account"), usual={"state": "unresolved", "owner": "any"},
)  # fmt: skip
@requires(Permission.TREASURY_READ)
def breaks() -> Response:
    """One page of breaks of all accounts; for HTMX the list alone."""
    asked = BreakQuery.read(request.args)
    if asked.errors:
        return _answer(asked, status=422)
    try:
        position = unseal(asked.cursor, bound=asked.bound)
    except InvalidCursor:
        return _answer(asked, status=400, cursor_problem=True)
    backwards = position is not None and position.backwards
    found = break_rows.listed(
        asked.chosen,
        reader=current_actor().id,
        before=position.key if position and backwards else None,
        after=position.key if position and not backwards else None,
        limit=DEFAULT_PAGE_SIZE + 1,
    )
    rows, earlier, later = neighbours(
        found, position, size=DEFAULT_PAGE_SIZE, key=lambda view: view.key, bound=asked.bound
    )
    base = url_for(".breaks")
    return _answer(
        asked,
        rows=rows,
        people=staff.names(row.owner_id for row in rows if row.owner_id),
        earlier=base + asked.query(cursor=earlier) if earlier else None,
        later=base + asked.query(cursor=later) if later else None,
    )


def _answer(asked: BreakQuery, *, status: int = 200, **context: Any) -> Response:
    base = url_for(".breaks")
    many, sums = (0, {}) if asked.errors else break_rows.count(asked.chosen, reader=current_actor().id)
    return page_or_fragment(
        "treasury/matching/breaks.html",
        "treasury/matching/_list.html",
        status=status,
        asked=asked,
        base=base,
        matrix=cells(),
        ever_ran=points.ever_ran(),
        buckets=BUCKET_LABELS,
        states=STATES,
        owners=OWNERS,
        kinds=KINDS,
        accounts=[("", "Any"), *((str(one.id), one.said) for one in register.accounts())],
        badge_of=badge_of,
        many=many,
        sums=[Money(minor, currency) for currency, minor in sums.items()],
        **{"rows": [], "people": {}, "earlier": None, "later": None, "cursor_problem": False, **context},
    )


@reconciliation.get("/breaks/export/<form>")
@downloads("breaks")
@requires(Permission.TREASURY_READ)
def export_breaks(form: str) -> Response:
    """The breaks of the filters, as a file."""
    asked = BreakQuery.read(request.args)
    if asked.errors:
        name, message = next(iter(asked.errors.items()))
        raise Invalid.one(name, message)
    reader = current_actor().id
    listing = Listing(exports.about("Breaks", filters=asked.in_words(), by=current_actor().name), COLUMNS)

    def rows() -> Iterator[dict[str, object]]:
        found = break_rows.listed(asked.chosen, reader=reader, limit=None)
        people = staff.names(row.owner_id for row in found if row.owner_id)
        for view in found:
            row = view.row
            yield {
                "id": row.id, "account": view.account_name, "number": view.account_number, "since": row.since,
                "age": view.age_bd, "kind": view.kind_label, "currency": row.currency.upper(),
                "difference": view.difference,
                "bank": Money(row.bank_minor, row.currency) if row.bank_minor is not None else None,
                "ledger": Money(row.ledger_minor, row.currency) if row.ledger_minor is not None else None,
                "reference": view.line_reference, "cause": view.cause_label,
                "owner": people.get(view.owner_id) if view.owner_id else None, "state": view.state_label,
                "due": view.due_at,
            }  # fmt: skip

    return exports.answer(listing, rows, Format.named(form))
