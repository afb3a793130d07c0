"""One account: what it holds, what is held, and its statement."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from flask import Response, current_app, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.errors import Invalid
from dashboard.ledger import numbers
from dashboard.ledger.forms.account_list import PeriodQuery
from dashboard.ledger.pages.blueprint import ledger
from dashboard.ledger.pages.naming import (
    badges,
    frozen_words,
    house_name,
    others,
    owner_views,
    short_number,
    what,
    with_owner,
)
from dashboard.ledger.queries import accounts as account_queries
from dashboard.ledger.queries import statements
from dashboard.ledger.queries.accounts import AccountView
from dashboard.ledger.queries.statements import Edge, Period, Statement
from dashboard.ledger.services import days
from dashboard.ledger.vocabulary import ACCOUNT_TYPE_LABELS, AccountType
from dashboard.money import Money
from dashboard.settings import Settings
from dashboard.views.lists import downloads
from dashboard.web import exports
from dashboard.web.exports import Column, Kind, Listing
from dashboard.web.htmx import page_or_fragment
from dashboard.web.moments import day as day_in_words
from dashboard.web.paging import DEFAULT_PAGE_SIZE, InvalidCursor, Position, seal, unseal

#: holds that the page lists; the list of transactions has the others
MOST_HOLDS = 20


@ledger.get("/accounts/<uuid:account_id>")
@requires(Permission.LEDGER_READ)
def account(account_id: UUID) -> Response:
    """The account's page; for HTMX its statement alone."""
    actor = current_actor()
    shown = account_queries.get(account_id)
    open_day = days.open_day().day
    asked = PeriodQuery.read(request.args, today=open_day)
    status, statement, cursor_problem = 200, None, False
    earlier = later = None
    if asked.period is None:
        status = 422
    else:
        bound = [str(account_id), asked.period.first.isoformat(), asked.period.last.isoformat()]
        try:
            position = unseal(asked.cursor, bound=bound)
        except InvalidCursor:
            status, cursor_problem = 400, True
        else:
            statement = statements.page(
                account_id,
                shown.currency,
                asked.period,
                size=DEFAULT_PAGE_SIZE,
                edge=Edge.of_key(position.key) if position else None,
                backwards=position.backwards if position else False,
            )
            earlier, later = _edges(account_id, asked, statement, position, bound)
    holds = statements.holds([account_id], limit=MOST_HOLDS + 1)
    entries = statement.entries if statement else ()
    sides = [*(hold.other for hold in holds), *(entry.other for entry in entries)]
    parties, owner = with_owner(sides, shown.owner_id, actor)
    frozen = shown.balances
    return page_or_fragment(
        "ledger/account.html",
        "ledger/_statement.html",
        status=status,
        account=shown,
        grouped=numbers.in_groups(shown.number),
        short=short_number(shown.number),
        owner=owner,
        title=house_name(shown.type, shown.alias) if shown.owner_id is None else None,
        type_label=ACCOUNT_TYPE_LABELS[AccountType(shown.type)],
        badges=badges(shown),
        frozen=frozen_words(frozen.debits_frozen, frozen.credits_frozen),
        limit=Money(frozen.limit, shown.currency) if frozen.limit else None,
        blocked=Money(frozen.blocked, shown.currency) if frozen.blocked else None,
        sees_reason=actor.sees_restricted,
        asked=asked,
        period=asked.period,
        shortcuts=_shortcuts(account_id, open_day),
        open_day=open_day,
        statement=statement,
        entries=entries,
        opening=_money(statement.opening, shown) if statement else None,
        closing=_money(statement.closing, shown) if statement else None,
        money=lambda minor: _money(minor, shown),
        cursor_problem=cursor_problem,
        earlier=earlier,
        later=later,
        late=_late(statement, later),
        holds=holds[:MOST_HOLDS],
        more_holds=len(holds) > MOST_HOLDS,
        parties=parties,
        what=what,
        base=url_for("ledger.account", account_id=account_id),
        may_adjust=actor.may(Permission.PAYMENTS_ADJUST) and shown.is_open,
        may_write=actor.may(Permission.ACCOUNTS_WRITE) and shown.is_open,
        not_closable=_not_closable(shown, bool(holds)),
    )


class _Shortcut(NamedTuple):
    """A period that one click sets."""

    label: str
    period: Period
    url: str


def _shortcuts(account_id: UUID, today: date) -> list[_Shortcut]:
    """Periods that are asked for most, seen from the open business day."""
    month = today.replace(day=1)
    before = month - timedelta(days=1)
    periods = (
        ("This month", Period(month, today)),
        ("Last month", Period(before.replace(day=1), before)),
        ("This year", Period(today.replace(month=1, day=1), today)),
    )
    base = url_for("ledger.account", account_id=account_id)
    return [_Shortcut(label, period, f"{base}?{urlencode(_dates(period))}") for label, period in periods]


def _dates(period: Period) -> dict[str, str]:
    """As the query string carries them."""
    return {"from": period.first.isoformat(), "to": period.last.isoformat()}


def _late(statement: Statement | None, later: str | None) -> bool:
    """Whether the last page does not lead to the opening balance: payments that began before the first page was read
    were posted after it (only on accounts of the house, where several may be under way)."""
    if statement is None or not statement.entries or later is not None:
        return False
    return statement.entries[-1].balance_before != statement.opening


def _money(minor: int, shown: AccountView) -> Money:
    return Money(minor, shown.currency)


def _not_closable(shown: AccountView, live: bool) -> str | None:
    """Why closing is not offered; None where it may be tried."""
    if shown.of_chart:
        return "Closing is not offered: the house books to this account."
    if shown.balances.held or live:
        return "Closing is not offered: a payment on the account is not finished yet."
    if shown.balances.posted:
        return f"Closing is not offered: the balance is {shown.posted}, not zero."
    return None


def _edges(
    account_id: UUID, asked: PeriodQuery, statement: Statement, position: Position | None, bound: list[str]
) -> tuple[str | None, str | None]:
    """Addresses of the pages before and after this one. Their cursors carry the balance at the edge."""
    if not statement.entries:
        return None, None
    backwards = position is not None and position.backwards
    has_earlier = statement.more if backwards else position is not None
    has_later = backwards or statement.more
    assert asked.period is not None  # a statement was read

    def address(edge: Edge, back: bool) -> str:
        cursor = seal(Position(edge.as_key(), backwards=back), bound=bound)
        # the period itself, so that it is the same tomorrow
        pairs = {**_dates(statement.period), "cursor": cursor}
        return f"{url_for('ledger.account', account_id=account_id)}?{urlencode(pairs)}"

    return (
        address(Edge.newer_than(statement.entries[0]), True) if has_earlier else None,
        address(Edge.older_than(statement.entries[-1]), False) if has_later else None,
    )


_TABLE = (
    Column("booked", "Booked", Kind.DATE),
    Column("value", "Value date", Kind.DATE),
    Column("what", "Description", share=1.2),
    Column("other", "Counterparty"),
    Column("other_number", "Counterparty account"),
    Column("payment", "Payment"),
    Column("currency", "Currency"),
    Column("amount", "Amount", Kind.AMOUNT),
    Column("balance", "Balance", Kind.AMOUNT),
)
#: on paper: the currency stands in the head, the payment's id is for machines
_ON_PAPER = tuple(column for column in _TABLE if column.key not in {"currency", "payment"})


def _in_file(money: Money) -> str:
    """With a plain minus, as files have it."""
    return str(money).replace("−", "-")


@ledger.get("/accounts/<uuid:account_id>/statement")
@downloads(filters=("from", "to"))
@requires(Permission.LEDGER_READ)
def statement(account_id: UUID) -> Response:
    """The statement of the period as a file: oldest first, from the opening balance to the closing one."""
    actor = current_actor()
    shown = account_queries.get(account_id)
    form = exports.Format.named(request.args.get("format", "pdf"))
    asked = PeriodQuery.read(request.args, today=days.open_day().day)
    if asked.period is None:
        raise Invalid.one(asked.errors[0].name, f"{asked.errors[0].label}: {asked.errors[0].message}", "date")
    period = asked.period
    newest = statements.page(account_id, shown.currency, period, size=1)
    edge = Edge.newer_than(newest.entries[0]) if newest.entries else None
    owner = owner_views([shown.owner_id], actor).get(shown.owner_id) if shown.owner_id else None
    about = exports.about(
        "Statement of account",
        filters=[("Booking dates", f"{day_in_words(period.first)} to {day_in_words(period.last)}")],
        facts=[
            ("Account holder" if shown.owner_id else "Account", owner.name if owner else _holder(shown)),
            ("Account number", numbers.in_groups(shown.number)),
            ("Currency", shown.currency.upper()),
            ("Opening balance", _in_file(_money(newest.opening, shown))),
            ("Closing balance", _in_file(_money(newest.closing, shown))),
        ],
    )
    settings: Settings = current_app.extensions["countinghouse.settings"]

    def rows() -> Iterator[dict[str, Any]]:
        part: list[statements.Entry] = []
        for entry in statements.every(account_id, period, closing_edge=edge):
            part.append(entry)
            if len(part) == statements.PART:
                yield from _lines(part)
                part = []
        yield from _lines(part)

    def _lines(entries: list[statements.Entry]) -> Iterator[dict[str, Any]]:
        parties = others((entry.other for entry in entries), actor)
        for entry in entries:
            # a client reads the institution's name, not how the house keeps its books
            house = shown.owner_id is not None and entry.other.owner_id is None
            yield {
                "booked": entry.booking_date,
                "value": entry.value_date,
                "what": what(entry.description, entry.parent_type, entry.reverses),
                "other": settings.institution_name if house else parties[entry.other.id].name,
                "other_number": None if house else entry.other.number,
                "payment": entry.payment_id,
                "currency": shown.currency.upper(),
                "amount": _money(entry.amount, shown),
                "balance": _money(entry.balance, shown),
            }

    columns = _ON_PAPER if form is exports.Format.PDF else _TABLE
    name = f"Statement {shown.number[-4:]} {period.first} {period.last}"
    return exports.answer(Listing(about, columns), rows, form, name=name)


def _holder(shown: AccountView) -> str:
    return "Client" if shown.owner_id else house_name(shown.type, shown.alias)
