"""One statement: its balances, what speaks against it, its entries and their details."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from flask import Response, render_template, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.database import session
from dashboard.money import Money
from dashboard.treasury.register import queries as register
from dashboard.treasury.statements import queries
from dashboard.treasury.statements.pages import words
from dashboard.treasury.statements.pages.blueprint import statements
from dashboard.treasury.vocabulary import Continuity
from dashboard.views.lists import downloads
from dashboard.web.exports import Column, Format, Kind, Listing, about, answer
from dashboard.web.paging import DEFAULT_PAGE_SIZE, neighbours, unseal


@statements.get("/<uuid:statement_id>")
@requires(Permission.TREASURY_READ)
def show(statement_id: UUID) -> str:
    """The statement, and a page of its entries."""
    row = queries.one(statement_id)
    bound = ["statement-entries", str(statement_id)]
    position = unseal(request.args.get("cursor"), bound=bound)
    edge = int(position.key[0]) if position else None
    backwards = position is not None and position.backwards
    found = queries.entries(
        statement_id, before=edge if backwards else None, after=None if backwards else edge,
        limit=DEFAULT_PAGE_SIZE + 1,
    )  # fmt: skip
    rows, earlier, later = neighbours(
        found, position, size=DEFAULT_PAGE_SIZE, key=lambda view: [view.entry.number], bound=bound
    )

    def at(cursor: str | None) -> str | None:
        return url_for(".show", statement_id=statement_id, cursor=cursor) if cursor else None

    return render_template(
        "treasury/statements/show.html",
        row=row,
        account=register.account(row.bank_account_id),
        file=queries.one_import(row.import_id),
        gap=queries.gap(row) if row.continuity == Continuity.FAILED else None,
        rows=rows,
        earlier=at(earlier),
        later=at(later),
        words=words,
        money=Money,
    )


_COLUMNS = (
    Column("number", "Entry", Kind.NUMBER, 0.4),
    Column("position", "Detail", Kind.NUMBER, 0.4),
    Column("booking_date", "Booked", Kind.DATE),
    Column("value_date", "Value date", Kind.DATE),
    Column("amount", "Amount", Kind.AMOUNT),
    Column("currency", "Currency", share=0.5),
    Column("status", "Status", share=0.6),
    Column("bank_reference", "Bank reference"),
    Column("end_to_end_id", "End-to-end reference"),
    Column("counterparty", "Counterparty"),
    Column("counterparty_account", "Counterparty account"),
    Column("remittance", "Text", share=2),
    Column("code", "Code", share=0.6),
)


@statements.get("/<uuid:statement_id>/entries.<form>")
@downloads()
@requires(Permission.TREASURY_READ)
def export(statement_id: UUID, form: str) -> Response:
    """All entries and details as a file."""
    row = queries.one(statement_id)
    account, expected = register.account(row.bank_account_id), row.entries

    def amount(minor: int | None) -> str:
        return "no data" if minor is None else str(Money(minor, row.currency))

    facts = [
        ("Bank account", account.said), ("Until", row.last_day.isoformat()),
        ("Opening balance", amount(row.opening_minor)), ("Closing balance", amount(row.closing_minor)),
    ]  # fmt: skip
    listing = Listing(about("Statement", facts=facts, by=current_actor().name), _COLUMNS)

    def rows() -> Iterable[dict[str, Any]]:
        query = queries.exported(statement_id).execution_options(yield_per=1_000)
        for each in session().execute(query).mappings():
            found = dict(each)
            yield {
                **found,
                "amount": Money(found["amount_minor"], found["currency"]),
                "currency": found["currency"].upper(),
            }

    return answer(listing, rows, Format.named(form), name=f"statement {account.number[-4:]} {row.last_day}",
                  expected=expected)  # fmt: skip
