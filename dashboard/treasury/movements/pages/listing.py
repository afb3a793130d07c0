"""Movements between own accounts: the list, and the same as a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from flask import Response, make_response, render_template, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.errors import Invalid
from dashboard.money import DECIMALS
from dashboard.treasury.movements import queries
from dashboard.treasury.movements.queries import MovementFilter
from dashboard.treasury.movements.vocabulary import KIND_LABELS, STATE_LABELS
from dashboard.treasury.register import queries as register
from dashboard.treasury.register.forms import filters
from dashboard.treasury.register.forms.filters import ListQuery
from dashboard.treasury.register.pages.blueprint import treasury_register
from dashboard.views.lists import downloads, listed
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing, Row
from dashboard.web.paging import DEFAULT_PAGE_SIZE, InvalidCursor, neighbours, unseal

COLUMNS = (
    Column("created_at", "Asked", Kind.MOMENT),
    Column("kind", "Kind", share=0.7),
    Column("from_name", "From"),
    Column("from_number", "From number", share=1.2),
    Column("to_name", "To"),
    Column("to_number", "To number", share=1.2),
    Column("amount", "Amount", Kind.AMOUNT),
    Column("currency", "Currency", share=0.5),
    Column("state", "State", share=0.8),
    Column("way", "Leaves", share=0.8),
    Column("reference", "Reference"),
    Column("bank_reference", "Bank's reference"),
    Column("maker_name", "Asked by"),
    Column("sent_at", "Left", Kind.MOMENT),
    Column("left_on", "Told by the bank that gave", Kind.DATE),
    Column("arrived_on", "Told by the bank that took", Kind.DATE),
    Column("ended_because", "Ended because", share=1.5),
)


def _asked(args: Mapping[str, str] | None = None) -> ListQuery:
    known = register.accounts(include_closed=True)
    return filters.read(
        "own movements",
        request.args if args is None else args,
        {
            "state": ("State", [("", "Any"), *((each.value, word) for each, word in STATE_LABELS.items())]),
            "kind": ("Kind", [("", "Any"), *((each.value, word) for each, word in KIND_LABELS.items())]),
            "currency": ("Currency", [("", "Any"), *((code, code.upper()) for code in DECIMALS)]),
            "account": ("Account", [("", "Any"), *((str(view.id), view.said) for view in known)]),
        },
    )


def _chosen(asked: ListQuery) -> MovementFilter:
    account = asked.get("account")
    return MovementFilter(asked.get("state"), asked.get("kind"), asked.get("currency"),
                          UUID(account) if account else None)  # fmt: skip


@treasury_register.get("/movements")
@listed(
    "movements", "Movements between own accounts", reads=lambda values, _actor: _asked(values),
    keeps=("state", "kind", "currency", "account"),
)  # fmt: skip
@requires(Permission.TREASURY_READ)
def movements() -> Response:
    """Newest first."""
    asked, status, problem = _asked(), 200, False
    rows: list[queries.MovementView] = []
    earlier = later = None
    if asked.errors:
        status = 422
    else:
        try:
            position = unseal(asked.cursor, bound=asked.bound)
            found = queries.find(
                _chosen(asked), size=DEFAULT_PAGE_SIZE, after=UUID(position.key[0]) if position else None,
                backwards=position is not None and position.backwards,
            )  # fmt: skip
            rows, before, after = neighbours(
                found, position, size=DEFAULT_PAGE_SIZE, key=lambda row: [str(row.id)], bound=asked.bound
            )
            base = url_for("treasury_register.movements")
            earlier, later = (base + asked.query(cursor=each) if each else None for each in (before, after))
        except InvalidCursor:
            status, problem = 400, True
    page = render_template(
        "treasury/movements/movements.html",
        asked=asked,
        rows=rows,
        earlier=earlier,
        later=later,
        cursor_problem=problem,
        nothing_at_all=not rows and not asked.values and not queries.any_movement(),
        may_write=current_actor().may(Permission.TREASURY_WRITE),
    )
    return make_response(page, status)


@treasury_register.get("/movements/export.<form>")
@downloads("movements")
@requires(Permission.TREASURY_READ)
def movements_export(form: str) -> Any:
    """The same list as a file."""
    asked = _asked()
    if asked.errors:
        raise Invalid.one("filter", f"There is no such choice: {', '.join(asked.errors)}.", "enum")
    chosen = _chosen(asked)

    def rows() -> Iterator[Row]:
        for view in queries.stream(chosen):
            said = {column.key: getattr(view, column.key, None) for column in COLUMNS}
            yield said | {
                "kind": view.kind_label, "state": view.state_label, "way": view.way_label, "amount": view.money,
                "currency": view.currency.upper(),
            }  # fmt: skip

    listing = Listing(
        exports.about("Movements between own accounts", filters=asked.in_words(), by=current_actor().name), COLUMNS
    )
    return exports.answer(listing, rows, Format.named(form))
