"""Reading transfers and the desk among a million of each: lists, filters, searches, one receipt with its suggestions.

Measured are the query alone, the JSON operation and the page (bench.timing), over the demo clients that the database
holds and transfers made by SQL (bench.transfer_book). BENCH_TRANSFERS makes them fewer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode
from uuid import UUID

import sqlalchemy as sa
from flask import Flask

from bench import transfer_book
from bench.timing import CALLS, GOAL_MS, Caller, callers, median, request_time, sql_time
from bench.transfer_book import TransferBook
from dashboard.clock import calendar
from dashboard.database import session
from dashboard.staff.models import StaffMember
from dashboard.transfers import suggestions
from dashboard.transfers.forms.desk import DeskQuery
from dashboard.transfers.forms.transfer_list import TransferQuery
from dashboard.transfers.queries import desk, requests, transfers
from dashboard.transfers.queries.transfers import TransferFilter
from dashboard.transfers.vocabulary import RequestState

LARGE = 1_000_000
PAGE_SIZE = 50
#: the page of the desk with one receipt and its suggestions (issue: 50 ms); every other page is a list
DESK_GOAL_MS = 50
DEEP = 50


@dataclass(frozen=True)
class Shape:
    """One thing to read, in up to three ways."""

    name: str
    read: Callable[[], object] | None = None
    api: str | None = None
    page: str | None = None
    goal: float = GOAL_MS

    def print_times(self, ask: Caller, browse: Caller) -> None:
        cells = ""
        for time_of in (
            sql_time(self.read) if self.read else None,
            request_time(ask, self.api) if self.api else None,
            request_time(browse, self.page) if self.page else None,
        ):
            took = median(time_of) if time_of else None
            cells += f"{took:>11.1f}{'!' if took > self.goal else ' '}" if took is not None else " " * 12
        print(f"{self.name:44}{cells}".rstrip(), flush=True)


def of_desk(book: TransferBook, reader: UUID) -> Iterator[Shape]:
    """The list, each filter of it, the strip of totals, and one receipt."""
    base = "/transfers/unrecognized"

    def listed(name: str, **query: str) -> Shape:
        chosen = DeskQuery.read(query, reader=reader, calendar=calendar()).chosen
        return Shape(f"desk, {name}", lambda: desk.page(chosen, limit=PAGE_SIZE + 1),
                     page=f"{base}?{urlencode(query)}", goal=DESK_GOAL_MS)  # fmt: skip

    yield Shape("strip of totals", lambda: desk.sums(reader))
    yield Shape("decided a moment ago", lambda: desk.decided_by(reader))
    yield listed("first page and its first receipt")
    place = None
    for _ in range(DEEP):
        rows = desk.page(desk.DeskFilter(), after=place, limit=PAGE_SIZE)
        if len(rows) < PAGE_SIZE:
            break
        place = rows[-1].key
    yield Shape(f"desk, page {DEEP}", lambda: desk.page(desk.DeskFilter(), after=place, limit=PAGE_SIZE + 1))
    yield Shape("desk, the page before it", lambda: desk.page(desk.DeskFilter(), before=place, limit=PAGE_SIZE + 1))
    yield listed("mine", who="me")
    yield listed("unassigned", who="none")
    yield listed("mine and unassigned", who="own")
    yield listed("mine and late", who="own", late="1")
    yield listed("late", late="1")
    yield listed("due today", due="today")
    yield listed("in euros", currency="eur")
    yield listed("in zloty (none)", currency="pln")
    yield listed("asked", state="asked")
    yield listed("waiting for approval", state="waiting")
    yield listed("of one amount", amount="1250.50")
    yield listed("payer, common", payer="an")
    yield listed("payer, none", payer="xqzwvv")
    yield listed("payer's account, none", payer="LT777777777777777777")
    yield listed("text, common", text="invoice")
    yield listed("text, 1 %", text="payroll")
    yield listed("text, none", text="xqzwvv")
    for way, id_ in book.ways.items():
        yield Shape(f"receipt: {way}", lambda id_=id_: suggestions.candidates(id_), page=f"{base}/{id_}",
                    goal=DESK_GOAL_MS)  # fmt: skip


def of_transfers(book: TransferBook) -> Iterator[Shape]:
    """Filters as people and systems combine them."""
    base, today = "/transfers", calendar().today()
    week = {"created_from": str(today - timedelta(days=60)), "created_to": str(today - timedelta(days=53))}
    names = {"created_from": "createdFrom", "created_to": "createdTo", "amount_from": "amountFrom",
             "amount_to": "amountTo", "reference": "providerReference"}  # fmt: skip

    def listed(name: str, **query: str) -> Shape:
        read = TransferQuery.read(query)
        assert not read.errors, read.errors
        said = {names.get(key, key): value for key, value in query.items()}
        return Shape(f"transfers, {name}", lambda: transfers.find(read.chosen, size=PAGE_SIZE),
                     f"/internal/Transfers?{urlencode(said)}", f"{base}?{urlencode(query)}")  # fmt: skip

    yield listed("first page")
    for kind in ("incoming", "outgoing", "foreignExchange"):
        yield listed(kind, kind=kind)
    for status in ("completed", "unrecognized", "rejected", "unknown", "awaitingConfirmation"):
        yield listed(status, status=status)
    yield listed("held", kind="outgoing", status="manualReview")
    yield listed("SEPA", type="sepa")
    yield listed("Faster Payments", type="fasterPayments")
    yield listed("incoming of a type (none)", kind="incoming", type="sepa")
    yield listed("exchanges rejected (none)", kind="foreignExchange", status="rejected")
    yield listed("SEPA rejected", type="sepa", status="rejected")
    yield listed("SWIFT in pounds, rejected", type="swift", status="rejected", currency="gbp")
    yield listed("pounds", currency="gbp")
    yield listed("zloty (none)", currency="pln")
    yield listed("Bank Alpha", provider="bank-alpha")
    yield listed("Bank Alpha, exchanges (none)", provider="bank-alpha", kind="foreignExchange")
    yield listed("provider's reference", reference="BENCH-3000")
    yield listed("one closed week", **week)
    yield listed("one closed week, rejected, SWIFT", **week, status="rejected", type="swift")
    yield listed("one closed week, incoming, pounds", **week, kind="incoming", currency="gbp")
    yield listed("10,000 and more", currency="eur", amount_from="9900")
    yield listed("10,000 and more, rejected, one week", **week, currency="eur", amount_from="9900", status="rejected")
    yield listed("100 to 101", amount_from="100", amount_to="101")
    yield listed("one amount, none", amount_from="777777.77", amount_to="777777.77")
    yield listed("text in half of all", text="invoice")
    yield listed("text in 1 %", text="payroll")
    yield listed("text in 0.1 %", text="gardening")
    yield listed("text in 0.001 %", text="xylograph")
    yield listed("text of none", text="xqzwvv")
    yield listed("text in half, rejected", text="invoice", status="rejected")
    yield listed("text in 1 %, rejected", text="payroll", status="rejected")
    yield listed("text in half, exchanges in pounds", text="invoice", kind="foreignExchange", currency="gbp")
    yield Shape("TS-13, unrecognized", api="/internal/Transfers/incoming?status=unrecognized")
    for name, client in (("many", book.many), ("few", book.few)):
        own = TransferFilter(clients=(client,), told_to_clients=True)
        yield Shape(f"TF-09, client with {name}", lambda own=own: transfers.find(own, size=PAGE_SIZE),
                    f"/internal/Transfers?clientId={client}", f"/transfers/of/{client}/transfers")  # fmt: skip
        yield Shape(f"recipients, client with {name}", page=f"/transfers/of/{client}/recipients")
    yield Shape("account with many", lambda: transfers.find(TransferFilter(accounts=(book.account,)), size=PAGE_SIZE),
                f"/internal/Transfers?accountId={book.account}")  # fmt: skip


def of_requests() -> Iterator[Shape]:
    base = "/transfers/requests"

    def listed(name: str, chosen: requests.RequestFilter, **query: str) -> Shape:
        return Shape(f"requests, {name}", lambda: requests.find(chosen, size=PAGE_SIZE),
                     page=f"{base}?{urlencode(query)}" if query or name == "first page" else None)  # fmt: skip

    one = requests.RequestFilter
    yield listed("first page", one())
    yield listed("failed", one(state=RequestState.FAILED), state="failed")
    yield listed("waiting (none)", one(state=RequestState.WAITING), state="waiting")
    yield listed("camt.053", one(source="camt.053"), source="camt.053")
    yield listed("reversals (none)", one(reversal=True))
    yield listed("payer data missing", one(lacking=True))
    yield listed("failed, Bank Alpha", one(state=RequestState.FAILED, provider="bank-alpha"))
    yield listed("text in half", one(text="invoice"), text="invoice")
    yield listed("text in 0.1 %", one(text="gardening"), text="gardening")
    yield listed("text of none", one(text="xqzwvv"), text="xqzwvv")


def of_home() -> Iterator[Shape]:
    yield Shape("home with its figures", page="/")
    yield Shape("queue of held transfers", page="/queues/held-transfers")


def measure(app: Flask, book: TransferBook) -> None:
    """Prints the table."""
    print(f"\nTransfers and the desk: {book.transfers:,} transfers, {book.undecided:,} receipts undecided")
    print(f"ms, median of {CALLS} warm; goal {GOAL_MS} ms, {DESK_GOAL_MS} ms for the desk; ! misses")
    print(f"{'':44}{'query alone':>12}{'JSON':>11}{'page':>12}", flush=True)
    with callers(app) as (ask, browse), app.test_request_context():
        reader = session().scalars(sa.select(StaffMember.id).where(StaffMember.role == "officer")).first()
        assert reader is not None
        for shape in (*of_desk(book, reader), *of_transfers(book), *of_requests(), *of_home()):
            session().rollback()
            shape.print_times(ask, browse)


def run_on(app: Flask, superuser: str, suspense: UUID) -> None:
    """Over the clients that the database holds."""
    size = int(os.environ.get("BENCH_TRANSFERS", LARGE))
    with app.app_context():
        roles = StaffMember.role.in_(("officer", "seniorOfficer"))
        people = session().scalars(sa.select(StaffMember.id).where(roles).order_by(StaffMember.role)).all()
        session().rollback()
    began = time.monotonic()
    book = transfer_book.fill(superuser, size=size, suspense=suspense, reader=people[0], other=people[-1])
    print(f"{size:,} transfers made in {time.monotonic() - began:.0f} s", flush=True)
    measure(app, book)
