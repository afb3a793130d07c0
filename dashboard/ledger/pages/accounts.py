"""Accounts: the list with its filters, totals and exports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

from flask import Response, request, url_for

from dashboard.access.actor import Actor
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.errors import Invalid
from dashboard.ledger.forms.account_list import CURRENCIES, FROZEN, STATUSES, TYPES, AccountQuery, QueryError
from dashboard.ledger.pages.blueprint import ledger
from dashboard.ledger.pages.naming import badges, house_name, owner_views, short_number
from dashboard.ledger.queries import account_list, balances
from dashboard.ledger.vocabulary import ACCOUNT_TYPE_LABELS, AccountType
from dashboard.money import Money
from dashboard.views.lists import downloads, listed
from dashboard.web import exports
from dashboard.web.exports import Column, Kind, Listing
from dashboard.web.htmx import page_or_fragment, wants_fragment
from dashboard.web.paging import DEFAULT_PAGE_SIZE, InvalidCursor, Position, seal, unseal


def _reads(values: Mapping[str, str], _actor: Actor) -> AccountQuery:
    asked = AccountQuery.read(values)
    # what is kept is one of the providers; the address lets people type any
    if asked.chosen.provider and asked.chosen.provider not in account_list.providers():
        asked.errors.append(QueryError("provider", "Provider", "No account is of this provider."))
    return asked


@ledger.get("/accounts")
@listed(
    "accounts", "Accounts", reads=_reads, keeps=("type", "currency", "status", "frozen", "provider"), leaves=("text",)
)
@requires(Permission.LEDGER_READ)
def accounts() -> Response:
    """One page of accounts; for HTMX the list alone."""
    asked = AccountQuery.read(request.args)
    if asked.errors:
        return _answer(asked, status=422)
    try:
        position = unseal(asked.cursor, bound=asked.bound)
    except InvalidCursor:
        return _answer(asked, status=400, cursor_problem=True)
    wanted = account_list.wanted(asked.chosen)
    page = account_list.find(
        wanted,
        size=DEFAULT_PAGE_SIZE,
        after=UUID(position.key[0]) if position else None,
        backwards=position.backwards if position else False,
    )
    earlier, later = _edges(asked, page, position)
    return _answer(
        asked,
        rows=page.rows,
        earlier=earlier,
        later=later,
        cut=account_list.MOST_NAMED if wanted.cut else None,
        nothing_at_all=not page.rows and not asked.values and not account_list.any_account(),
    )


def _edges(asked: AccountQuery, page: account_list.Page, position: Position | None) -> tuple[str | None, str | None]:
    """Addresses of the pages before and after this one."""
    if not page.rows:
        return None, None
    backwards = position is not None and position.backwards
    has_earlier = page.more if backwards else position is not None
    has_later = backwards or page.more

    def address(row: Any, back: bool) -> str:
        cursor = seal(Position([str(row.id)], backwards=back), bound=asked.bound)
        return url_for("ledger.accounts") + asked.query(cursor=cursor)

    return (
        address(page.rows[0], True) if has_earlier else None,
        address(page.rows[-1], False) if has_later else None,
    )


def _answer(asked: AccountQuery, *, status: int = 200, rows: Any = (), **context: Any) -> Response:
    base = url_for("ledger.accounts")
    actor = current_actor()
    providers = [("", "Any"), *((name, name) for name in account_list.providers())]
    provider = asked.values.get("provider", "")
    if provider and (provider, provider) not in providers:
        providers.append((provider, provider[:40]))
    response = page_or_fragment(
        "ledger/accounts.html",
        "ledger/_accounts.html",
        status=status,
        asked=asked,
        rows=rows,
        owners=owner_views((row.owner_id for row in rows), actor),
        badges=badges,
        house_name=house_name,
        short_number=short_number,
        choices={"type": TYPES, "currency": CURRENCIES, "status": STATUSES, "frozen": FROZEN, "provider": providers},
        may_open=actor.may(Permission.ACCOUNTS_WRITE),
        base=base,
        part=wants_fragment(),
        **context,
    )
    if wants_fragment() and status == 200 and not asked.cursor:
        # the address without the empty filters that a form sends
        response.headers["HX-Push-Url"] = base + asked.query()
    return response


@ledger.get("/accounts/totals")
@requires(Permission.LEDGER_READ)
def account_totals() -> Response:
    """Totals per currency of one type of accounts; the list asks for them once it shows."""
    asked = AccountQuery.read(request.args)
    if asked.errors:
        raise Invalid.one(asked.errors[0].name, asked.errors[0].message, "enum")
    kind = AccountType(asked.chosen.type or AccountType.CLIENT)
    found = balances.totals(currency=asked.chosen.currency or None, account_type=kind.value)
    rows = [
        {
            "currency": total.currency,
            "accounts": total.accounts,
            "available": Money(total.available, total.currency),
            "held": Money(total.held, total.currency),
            "posted": Money(total.posted, total.currency),
            "url": url_for("ledger.accounts", type=kind.value, currency=total.currency),
        }
        for total in found.items
    ]
    return page_or_fragment(
        "ledger/accounts_totals.html",
        "ledger/_accounts_totals.html",
        label=ACCOUNT_TYPE_LABELS[kind],
        kind=kind.value,
        as_of=found.as_of,
        rows=rows,
        guarded=kind is AccountType.CLIENT,
    )


COLUMNS = (
    Column("number", "Account number"),
    Column("name", "Name"),
    Column("owner", "Owner", share=1.5),
    Column("type", "Type"),
    Column("currency", "Currency", share=0.5),
    Column("available", "Available", Kind.AMOUNT),
    Column("held", "Held", Kind.AMOUNT),
    Column("posted", "Posted", Kind.AMOUNT),
    Column("status", "Status", share=0.5),
    Column("frozen", "Frozen"),
    Column("provider", "Provider"),
    Column("opened", "Opened", Kind.MOMENT),
)


@ledger.get("/accounts/export")
@downloads("accounts")
@requires(Permission.LEDGER_READ)
def accounts_export() -> Response:
    """The whole list as a file, with the filter written in it."""
    asked = AccountQuery.read(request.args)
    if asked.errors:
        raise Invalid.one(asked.errors[0].name, f"{asked.errors[0].label}: {asked.errors[0].message}", "enum")
    form = exports.Format.named(request.args.get("format", "csv"))
    actor = current_actor()
    wanted = account_list.wanted(asked.chosen)
    filters = asked.in_words()
    if wanted.cut:
        filters.append(("Of matching clients", f"the newest {account_list.MOST_NAMED}"))

    def rows() -> Iterator[dict[str, object]]:
        for part in account_list.every(wanted):
            names = owner_views((row.owner_id for row in part), actor)
            for row in part:
                owner = names.get(row.owner_id) if row.owner_id else None
                yield {
                    "number": row.number,
                    "name": row.alias,
                    "owner": owner.name if owner else None,
                    "type": ACCOUNT_TYPE_LABELS[AccountType(row.type)],
                    "currency": row.currency.upper(),
                    "available": row.available,
                    "held": row.held,
                    "posted": row.posted,
                    "status": row.status,
                    "frozen": ", ".join(badge.word for badge in badges(row)[1:]),
                    "provider": row.provider,
                    "opened": row.created_at,
                }

    return exports.answer(Listing(exports.about("Accounts", filters=filters, by=actor.name), COLUMNS), rows, form)
