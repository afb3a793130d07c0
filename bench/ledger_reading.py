"""Reading the ledger at 10,000 and at 1,000,000: the time should not depend on how long a history is.

An account with so many postings (half of them on the open business day), lists over as many transactions and a few
more, and as many accounts (bench.book). Measured are the query alone, the JSON operation and the page (bench.timing).
BENCH_POSTINGS makes the larger database smaller. `python -m bench.ledger_reading` runs this part alone.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import sqlalchemy as sa
from flask import Flask

from bench import book as books
from bench.book import Book
from bench.server import Bench, started
from bench.timing import Caller, Row, callers, head, line, median, request_time, sql_time
from dashboard.clock import calendar
from dashboard.database import db, session
from dashboard.ledger.models import Account, LedgerTransaction, Payment
from dashboard.ledger.queries import account_list, accounts, balances, statements, transactions
from dashboard.ledger.queries.account_list import ListFilter
from dashboard.ledger.queries.statements import Edge, Period
from dashboard.ledger.transaction_schemas import (
    TransactionQuery,
    TransactionQueryBody,
    checked_leaf,
    node_of,
    order_of,
)
from dashboard.ledger.vocabulary import ParentType, PaymentState

SMALL, LARGE = 10_000, 1_000_000
PAGE_SIZE = 50
CURSORS = 100
WAYS = ("query alone", "JSON", "page")


@dataclass(frozen=True)
class Shape:
    """One thing to read, in up to three ways. `document` makes the operation a POST."""

    name: str
    read: Callable[[], object] | None = None
    api: str | None = None
    document: object = None
    page: str | None = None

    def measure(self, ask: Caller, browse: Caller) -> Row:
        return (
            median(sql_time(self.read)) if self.read else None,
            median(request_time(ask, self.api, self.document)) if self.api else None,
            median(request_time(browse, self.page)) if self.page else None,
        )


# --- one account ----------------------------------------------------------------------------------------------------


def of_account(book: Book, browse: Caller) -> Iterator[Shape]:
    """Balances, and statement pages of the busy account."""
    busy, today = book.busy, calendar().today()
    currency = "eur"
    ids = [str(busy)]
    calculate = "/internal/Accounts/calculateBalances"

    def as_of(name: str, moment: Any) -> Shape:
        said = {"accountIds": ids, "asOf": moment.isoformat()}
        return Shape(name, lambda: balances.at([busy], moment), calculate, said)

    yield Shape("account (GL-08)", lambda: accounts.get(busy), f"/v2/ledger/internal/Accounts/{busy}")
    yield Shape("balance now (GL-06)", lambda: balances.now([busy]), calculate, {"accountIds": ids})
    yield as_of("balance 30 days ago, at noon", book.opened - timedelta(days=30, hours=12))
    yield as_of("balance at the last end of day", book.opened)
    yield as_of("balance today, after a tenth of the day", book.opened + timedelta(hours=1))
    yield as_of("balance today, at the end of the day", book.opened + timedelta(hours=9, minutes=59))
    yield Shape("totals per currency and type (GL-12)", balances.totals,
                "/v2/ledger/internal/Accounts/getAggregatedAmounts", page="/ledger/accounts/totals")  # fmt: skip
    address = f"/ledger/accounts/{busy}"

    def of_period(name: str, first: int, last: int) -> Shape:
        """Days before today."""
        period = Period(today - timedelta(days=first), today - timedelta(days=last))
        query = urlencode({"from": period.first, "to": period.last})
        return Shape(
            f"statement, {name}",
            lambda: statements.page(busy, currency, period, size=PAGE_SIZE),
            page=f"{address}?{query}",
        )

    yield of_period("last 30 days", 29, 0)
    yield of_period("the open day", 0, 0)
    yield of_period("one closed day", 20, 20)
    yield of_period("a closed month", 39, 10)
    yield of_period("everything", 400, 0)
    period, edge = Period(today - timedelta(days=29), today), None
    for _ in range(CURSORS):
        part = statements.page(busy, currency, period, size=PAGE_SIZE, edge=edge)
        if not part.more:
            break
        edge = Edge.older_than(part.entries[-1])
    session().rollback()
    yield Shape(
        f"statement, page after {CURSORS} cursors",
        lambda: statements.page(busy, currency, period, size=PAGE_SIZE, edge=edge),
        page=_followed(browse, address),
    )
    settlement = Period(today - timedelta(days=29), today)
    yield Shape(
        "statement of the settlement account",
        lambda: statements.page(book.settlement, currency, settlement, size=PAGE_SIZE),
        page=f"/ledger/accounts/{book.settlement}",
    )


def _followed(browse: Caller, address: str) -> str:
    """The address that so many clicks on *Next* lead to, or the last one there is."""
    for _ in range(CURSORS):
        found = re.search(r'href="([^"]+)" rel="next"', browse(address).text)
        if found is None:
            break
        address = unescape(found[1])
    return address


# --- transactions ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Listed:
    """A list of transactions: parameters of GL-18 or the filter of GL-19, and the page's where it has the filter."""

    name: str
    asked: dict[str, Any]
    page: dict[str, Any] | None = None
    document: bool = False
    deep: bool = False

    def shape(self, ask: Caller, browse: Caller) -> Shape:
        if self.document:
            body = TransactionQueryBody.model_validate(self.asked)
            node = node_of(body.filter)
            order = order_of(body.sort, body.direction, node)
            api, document = "/internal/Transactions/query", self.asked
        else:
            query = TransactionQuery.model_validate(self.asked)
            node = checked_leaf(query)
            order = order_of(query.sort, query.direction, node)
            api, document = f"/internal/Transactions?{urlencode(self.asked)}", None
        page = None if self.page is None else f"/ledger/transactions?{urlencode(self.page)}"
        after = None
        if self.deep:
            api, after = self._followed(ask, api)
            page = _followed(browse, page) if page else None
        return Shape(
            self.name, lambda: transactions.find(node, order=order, size=PAGE_SIZE, after=after), api, document, page
        )

    def _followed(self, ask: Caller, api: str) -> tuple[str, list[str] | None]:
        """The address after so many cursors, and the sort key of the row before it."""
        address, after = api, None
        for _ in range(CURSORS):
            said = ask(address).get_json()
            if said["nextCursor"] is None:
                break
            after = [said["items"][-1]["id"]]
            address = f"/internal/Transactions?{urlencode({**self.asked, 'cursor': said['nextCursor']})}"
        return address, after


def of_transactions(book: Book) -> Iterator[Listed]:
    """Filters as people and systems combine them."""
    today = calendar().today()
    week = (today - timedelta(days=16)).isoformat(), (today - timedelta(days=10)).isoformat()
    month = (today - timedelta(days=39)).isoformat(), (today - timedelta(days=10)).isoformat()
    number = {one: _number(one) for one in (book.busy, book.frequent, book.ordinary)}
    one = _one_transaction()
    busy, frequent, ordinary = str(book.busy), str(book.frequent), str(book.ordinary)

    def both(name: str, page: dict[str, Any] | None = None, /, **asked: Any) -> Listed:
        return Listed(name, asked, page)

    yield both("first page", {})
    yield Listed(f"page after {CURSORS} cursors", {}, {}, deep=True)
    yield both("busy account", {"account": number[book.busy]}, accountId=busy)
    yield Listed(
        f"busy account, after {CURSORS} cursors", {"accountId": busy}, {"account": number[book.busy]}, deep=True
    )
    yield both("account with many", {"account": number[book.frequent]}, accountId=frequent)
    yield both("account with few", {"account": number[book.ordinary]}, accountId=ordinary)
    yield both("client with few", {"client": _owner(book.ordinary)[1]}, clientId=_owner(book.ordinary)[0])
    yield both("client of the busy account", {"client": _owner(book.busy)[1]}, clientId=_owner(book.busy)[0])
    yield both(
        "busy account, pending", {"account": number[book.busy], "state": "pending"}, accountId=busy, state="pending"
    )
    yield both("pending", {"state": "pending"}, state="pending")
    yield both("canceled", {"state": "canceled"}, state="canceled")
    yield both("failed (none)", {"state": "error"}, state="error")
    yield both("pending in zloty", {"state": "pending", "currency": "pln"}, state="pending", currency="pln")
    yield both("zloty", {"currency": "pln"}, currency="pln")
    yield both("dollars of a closed week", {"currency": "usd", "booked_from": week[0], "booked_to": week[1]},
               currency="usd", bookingDateFrom=week[0], bookingDateTo=week[1])  # fmt: skip
    yield both("one closed week", {"booked_from": week[0], "booked_to": week[1]},
               bookingDateFrom=week[0], bookingDateTo=week[1])  # fmt: skip
    yield both("busy account, one closed week",
               {"account": number[book.busy], "booked_from": week[0], "booked_to": week[1]},
               accountId=busy, bookingDateFrom=week[0], bookingDateTo=week[1])  # fmt: skip
    yield both("account with few, one closed month",
               {"account": number[book.ordinary], "booked_from": month[0], "booked_to": month[1]},
               accountId=ordinary, bookingDateFrom=month[0], bookingDateTo=month[1])  # fmt: skip
    yield both("made on one day", createdFrom=week[0], createdTo=week[0])
    yield both("exact amount", {"amount_from": one.amount, "amount_to": one.amount, "currency": one.currency},
               amount=one.amount, currency=one.currency)  # fmt: skip
    yield both("amount 100 to 101", {"amount_from": "100", "amount_to": "101"}, amountFrom="100", amountTo="101")
    yield both("amount from 9,900", {"amount_from": "9900"}, amountFrom="9900")
    yield both("busy account, amount from 9,900", {"account": number[book.busy], "amount_from": "9900"},
               accountId=busy, amountFrom="9900")  # fmt: skip
    yield both("amount from 9,900, one closed week, dollars",
               {"amount_from": "9900", "booked_from": week[0], "booked_to": week[1], "currency": "usd"},
               amountFrom="9900", bookingDateFrom=week[0], bookingDateTo=week[1], currency="usd")  # fmt: skip
    yield both("one parent", {"reference": one.parent}, parentId=one.parent)
    yield both("one payment", {"reference": one.payment}, paymentId=one.payment)
    yield both("adjusting payments", {"kind": "adjustingPayment"}, parentType="adjustingPayment")
    yield both("adjusting payments in zloty, pending",
               {"kind": "adjustingPayment", "currency": "pln", "state": "pending"},
               parentType="adjustingPayment", currency="pln", state="pending")  # fmt: skip
    yield both("text in half of all", {"text": "invoice"}, text="invoice")
    yield both("text in 1 %", {"text": "payroll"}, text="payroll")
    yield both("text in 0.01 %", {"text": "xylograph"}, text="xylograph")
    yield both("text of one", {"text": one.text}, text=one.text)
    yield both("text of none", {"text": "qqxzv"}, text="qqxzv")
    yield both("text in 1 %, account with many", {"text": "payroll", "account": number[book.frequent]},
               text="payroll", accountId=frequent)  # fmt: skip
    yield both("text in 1 %, pending", {"text": "payroll", "state": "pending"}, text="payroll", state="pending")
    yield both("by posting", sort="posted")
    yield both("by posting, one closed week", sort="posted", bookingDateFrom=week[0], bookingDateTo=week[1])
    yield both("by amount, euro", sort="amount", currency="eur")
    yield both("by amount, zloty", sort="amount", currency="pln")
    yield both("by amount, busy account", sort="amount", currency="eur", accountId=busy)
    yield both("oldest first", direction="asc")
    large_or_waiting = {"or": [
        {"and": [{"currency": "eur", "amountFrom": 9900}, {"bookingDateFrom": week[0], "bookingDateTo": week[1]}]},
        {"state": "pending"},
    ]}  # fmt: skip
    yield Listed("document: large of a week, or pending", {"filter": large_or_waiting}, document=True)
    several = {"or": [{"accountId": ordinary}, {"accountId": frequent}, {"text": "xylograph"}]}
    yield Listed("document: two accounts or a rare text", {"filter": several}, document=True)


@dataclass(frozen=True)
class _One:
    amount: str
    currency: str
    parent: str
    payment: str
    text: str


def _one_transaction() -> _One:
    """Some transaction with a text, out of the middle of the closed days."""
    row = (
        session()
        .execute(
            sa.select(
                LedgerTransaction.amount_minor, LedgerTransaction.currency, Payment.parent_id,
                Payment.id, LedgerTransaction.description,
            )
            .join(Payment, Payment.id == LedgerTransaction.payment_id)
            .where(
                LedgerTransaction.description.like("Invoice%"),
                LedgerTransaction.state == PaymentState.POSTED.value,
                Payment.parent_type == ParentType.TRANSFER.value,
                LedgerTransaction.booking_date == calendar().today() - timedelta(days=20),
            )
            .order_by(LedgerTransaction.id)
            .limit(1)
        )
        .one()
    )  # fmt: skip
    return _One(f"{row[0] / 100:.2f}", row[1], str(row[2]), str(row[3]), row[4])


def _number(account_id: UUID) -> str:
    return str(session().scalar(sa.select(Account.number).where(Account.id == account_id)))


def _owner(account_id: UUID) -> tuple[str, str]:
    """Identifier and name of the account's client."""
    row = (
        session()
        .execute(
            sa.text("SELECT c.id, c.name FROM account a JOIN client c ON c.id = a.owner_id WHERE a.id = :id"),
            {"id": account_id},
        )
        .one()
    )
    return str(row[0]), str(row[1])


# --- accounts -------------------------------------------------------------------------------------------------------


def of_accounts(book: Book, ask: Caller, browse: Caller) -> Iterator[Shape]:
    """The list of accounts with its filters."""
    search = "/v2/ledger/internal/Accounts/search"
    owner_id, owner = _owner(book.ordinary)
    number = _number(book.ordinary)

    def one(name: str, page: dict[str, str], asked: dict[str, Any] | None = None) -> Shape:
        chosen = ListFilter(**page)
        return Shape(
            name,
            lambda: account_list.find(account_list.wanted(chosen), size=PAGE_SIZE),
            search if asked is not None else None,
            asked,
            f"/ledger/accounts?{urlencode(page)}",
        )

    yield one("first page", {}, {})
    yield Shape(f"page after {CURSORS} cursors", page=_followed(browse, "/ledger/accounts"))
    yield one("euro", {"currency": "eur"}, {"currencies": ["eur"]})
    yield one("accounts of the house", {"type": "settlement"}, {"types": ["settlement"]})
    yield one("client accounts in zloty", {"type": "client", "currency": "pln"},
              {"types": ["client"], "currencies": ["pln"]})  # fmt: skip
    yield one("closed", {"status": "closed"}, {"statuses": ["closed"]})
    yield one("closed, zloty (none)", {"status": "closed", "currency": "pln"},
              {"statuses": ["closed"], "currencies": ["pln"]})  # fmt: skip
    yield one("frozen", {"frozen": "any"})
    yield one("frozen, dollars", {"frozen": "debits", "currency": "usd"})
    yield one("frozen, closed", {"frozen": "any", "status": "closed"})
    yield one("provider", {"provider": "sandbox"})
    yield one("text: client's name", {"text": owner}, {"text": owner})
    yield one("text: whole number", {"text": number}, {"text": number})
    yield one("text: end of the number", {"text": number[-5:]}, {"text": number[-5:]})
    yield one("text: three digits of the end", {"text": number[-3:]}, {"text": number[-3:]})
    yield one("text: rare name of an account", {"text": "wedding"}, {"text": "wedding"})
    yield one("text: name of every tenth account", {"text": "savings"}, {"text": "savings"})
    yield one("text: name of every tenth, pounds", {"text": "savings", "currency": "gbp"},
              {"text": "savings", "currencies": ["gbp"]})  # fmt: skip
    yield Shape("of one client", lambda: account_list.of_owner(UUID(owner_id), limit=100), search,
                {"clientIds": [owner_id]}, f"/ledger/owners/{owner_id}/accounts")  # fmt: skip
    yield Shape("newest transactions of one client", page=f"/ledger/owners/{owner_id}/transactions")
    busy_owner = _owner(book.busy)[0]
    yield Shape("newest transactions of the busy client", page=f"/ledger/owners/{busy_owner}/transactions")


# --- the tables -----------------------------------------------------------------------------------------------------


def run(bench: Bench) -> None:
    """Prints the tables, each line as soon as it is measured at both sizes."""
    large = int(os.environ.get("BENCH_POSTINGS", LARGE))
    few: dict[str, Row] = {}
    for size in sorted({large, SMALL}):
        app, book = _filled(bench, size)
        with callers(app) as (ask, browse), app.test_request_context():
            for title, shapes in _parts(book, ask, browse):
                if size == large:
                    head(title, WAYS, (large, SMALL))
                for shape in shapes:
                    session().rollback()
                    row = shape.measure(ask, browse)
                    few.setdefault(f"{title} {shape.name}", row)
                    if size == large:
                        line(shape.name, row, few[f"{title} {shape.name}"])
            db.session.remove()
            db.engine.dispose()


def _parts(book: Book, ask: Caller, browse: Caller) -> Iterator[tuple[str, Iterator[Shape]]]:
    yield "One account with so many postings, half of them on the open day", of_account(book, browse)
    listed = (one.shape(ask, browse) for one in of_transactions(book))
    yield "Transactions (GL-18, GL-19, /ledger/transactions), so many and a quarter more", listed
    yield "Accounts (GL-10, /ledger/accounts), so many", of_accounts(book, ask, browse)


def _filled(bench: Bench, size: int) -> tuple[Flask, Book]:
    began = time.monotonic()
    name = f"bench_reading_{size}"
    app, _ = bench.filled(size // 10, name)
    book = books.fill(app, bench.superuser(name), size)
    told = f"{book.accounts:,} accounts, {book.transactions:,} transactions, {book.postings:,} postings on one account"
    print(f"{told}, filled in {time.monotonic() - began:.0f} s", flush=True)
    return app, book


if __name__ == "__main__":
    with started() as server:
        run(server)
