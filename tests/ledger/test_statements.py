"""Statements: opening, closing and running balance always fit the entries, page by page and day by day."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import system
from dashboard.database import session, transaction
from dashboard.ledger.queries import statements
from dashboard.ledger.queries.statements import Edge, Entry, Period, Statement
from dashboard.ledger.services import days, snapshots
from tests.ledger.conftest import Book


def today() -> date:
    return days.open_day().day


def read(account: UUID, period: Period, **options: Any) -> Statement:
    return statements.page(account, "eur", period, **{"size": 50, **options})


def pages(account: UUID, period: Period, size: int) -> list[list[Entry]]:
    """All pages, newest first, by the edges that a cursor would carry."""
    found, edge = [], None
    while True:
        page = read(account, period, size=size, edge=edge)
        found.append(list(page.entries))
        if not page.more:
            return found
        edge = Edge.of_key(Edge.older_than(page.entries[-1]).as_key())


def end_day(*, snapshot: bool = True) -> date:
    """Ends the open business day; gives it."""
    day = today()
    days.end(day, by=system())
    if snapshot:
        snapshots.make(day, by=system())
    return day


def test_entries_come_newest_first_with_the_balance_after_each(book: Book) -> None:
    account, other = book.account(10_000), book.account()
    book.pay(account, other, 2_500)
    book.pay(book.house(), account, 100)
    page = read(account, Period(today(), today()))
    assert [(entry.amount, entry.balance) for entry in page.entries] == [
        (100, 7_600),
        (-2_500, 7_500),
        (10_000, 10_000),
    ]
    assert (page.opening, page.closing) == (0, 7_600)
    assert page.entries[1].other.id == other


def test_pages_join_without_a_gap_and_carry_the_balance(book: Book) -> None:
    account = book.account(100_000)
    for amount in range(1, 24):
        book.pay(account, book.house(), amount)
    period = Period(today(), today())
    whole = read(account, period).entries
    for size in (1, 7, 24, 50):
        assert [entry for page in pages(account, period, size) for entry in page] == list(whole)


def test_the_page_before_shows_the_same_entries_and_balances(book: Book) -> None:
    account = book.account(100_000)
    for amount in range(1, 10):
        book.pay(account, book.house(), amount)
    period = Period(today(), today())
    first = read(account, period, size=4)
    second = read(account, period, size=4, edge=Edge.older_than(first.entries[-1]))
    back = read(account, period, size=4, edge=Edge.newer_than(second.entries[0]), backwards=True)
    assert list(back.entries) == list(first.entries)
    assert not back.more


def test_what_is_posted_meanwhile_does_not_move_older_pages(book: Book) -> None:
    account = book.account(100_000)
    for amount in range(1, 10):
        book.pay(account, book.house(), amount)
    period = Period(today(), today())
    first = read(account, period, size=4)
    expected = read(account, period, size=4, edge=Edge.older_than(first.entries[-1]))
    book.pay(account, book.house(), 777)
    second = read(account, period, size=4, edge=Edge.older_than(first.entries[-1]))
    assert second.entries == expected.entries
    assert second.closing == expected.closing - 777


def test_entries_of_one_moment_are_told_apart_by_their_id(book: Book) -> None:
    account = book.account(100_000)
    leg = book.order(account, book.house(), 5).legs[0]
    more = [type(leg)(account, book.house(), amount, "eur") for amount in (6, 7, 8, 9)]
    book.pay(account, book.house(), 5, more=more)
    period = Period(today(), today())
    entries = [entry for page in pages(account, period, 2) for entry in page]
    assert sorted(entry.amount for entry in entries) == [-9, -8, -7, -6, -5, 100_000]
    assert entries[0].balance == 100_000 - 35
    for newer, older in zip(entries, entries[1:], strict=False):
        assert newer.balance_before == older.balance


@pytest.mark.parametrize("snapshot", [True, False])
def test_a_period_is_one_of_booking_days(book: Book, snapshot: bool) -> None:
    """With the snapshots of closed days, and in the moment in which they are not written yet."""
    account = book.account(1_000)
    first = end_day(snapshot=snapshot)
    book.pay(account, book.house(), 300)
    second = end_day(snapshot=snapshot)
    book.pay(book.house(), account, 50)
    third = today()
    for period, opening, closing, amounts in (
        (Period(first, first), 0, 1_000, [1_000]),
        (Period(second, second), 1_000, 700, [-300]),
        (Period(third, third), 700, 750, [50]),
        (Period(first, second), 0, 700, [-300, 1_000]),
        (Period(second, third), 1_000, 750, [50, -300]),
        (Period(first - timedelta(days=30), first - timedelta(days=1)), 0, 0, []),
        (Period(third + timedelta(days=1), third + timedelta(days=9)), 750, 750, []),
    ):
        page = read(account, period)
        assert (page.opening, page.closing, [entry.amount for entry in page.entries]) == (opening, closing, amounts)
        assert all(period.first <= entry.booking_date <= period.last for entry in page.entries)
        if page.entries:
            assert page.entries[-1].balance_before == opening


def test_a_clock_that_was_set_back_moves_nothing_into_another_day(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """Posted times say where to look, booking dates what belongs to a day: without the dates this would be wrong."""
    account = book.account(1_000)
    first = end_day(snapshot=False)
    book.pay(account, book.house(), 300)
    # the window around the line between the days takes in all of both
    monkeypatch.setattr(statements, "CLOCK_STEP", timedelta(days=1))
    page = read(account, Period(first, first))
    assert (page.opening, page.closing, [entry.amount for entry in page.entries]) == (0, 1_000, [1_000])
    page = read(account, Period(today(), today()))
    assert (page.opening, page.closing, [entry.amount for entry in page.entries]) == (1_000, 700, [-300])


def test_a_day_without_a_movement_shows_the_balance_of_the_day_before(book: Book) -> None:
    account = book.account(1_000)
    end_day()
    quiet = end_day()
    page = read(account, Period(quiet, quiet))
    assert (page.opening, page.closing, list(page.entries)) == (1_000, 1_000, [])


def test_a_period_between_two_business_days_is_empty(book: Book) -> None:
    account = book.account(1_000)
    last = end_day()
    following = today()
    if (following - last).days == 1:
        days.end(following, next_day=following + timedelta(days=3), by=system())
        last, following = following, today()
    page = read(account, Period(last + timedelta(days=1), following - timedelta(days=1)))
    assert (page.opening, page.closing, list(page.entries)) == (1_000, 1_000, [])


def test_a_system_account_adds_up_its_slots(book: Book) -> None:
    house = book.house()
    for amount in (100, 200, 300):
        book.account(amount)
    page = read(house, Period(today(), today()))
    assert page.closing == -600
    assert page.entries[-1].balance_before == 0


def test_only_posted_transactions_stand_in_a_statement(book: Book) -> None:
    from dashboard.ledger.services import payments

    account = book.account(1_000)
    held = book.draft(account, book.house(), 100)
    canceled = book.draft(account, book.house(), 200)
    with transaction():
        payments.pend(held, by=system())
        payments.cancel(canceled, by=system())
    page = read(account, Period(today(), today()))
    assert [entry.amount for entry in page.entries] == [1_000]
    [hold] = statements.holds([account], limit=10)
    assert (hold.money.minor_units, hold.outgoing, hold.payment_id) == (100, True, held)


def test_a_pending_payment_shows_on_both_accounts_and_holds_on_one(book: Book) -> None:
    from dashboard.ledger.services import payments

    account, other = book.account(1_000), book.account()
    payment = book.draft(account, other, 100)
    with transaction():
        payments.pend(payment, by=system())
    assert [hold.outgoing for hold in statements.holds([account], limit=10)] == [True]
    assert [hold.outgoing for hold in statements.holds([other], limit=10)] == [False]


def test_a_whole_statement_runs_from_opening_to_closing(book: Book) -> None:
    account = book.account(1_000)
    end_day()
    for amount in range(1, 8):
        book.pay(account, book.house(), amount)
    period = Period(today(), today())
    newest = read(account, period, size=1).entries[0]
    edge = Edge.newer_than(newest)
    book.pay(account, book.house(), 500)
    entries = list(statements.every(account, period, closing_edge=edge))
    assert [entry.amount for entry in entries] == [-amount for amount in range(1, 8)]
    assert entries[0].balance_before == 1_000
    assert entries[-1].balance == newest.balance == 1_000 - 28


def test_a_whole_statement_is_read_in_parts_that_fit(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    account = book.account(1_000)
    for amount in range(1, 8):
        book.pay(account, book.house(), amount)
    period = Period(today(), today())
    edge = Edge.newer_than(read(account, period).entries[0])
    whole = list(statements.every(account, period, closing_edge=edge))
    monkeypatch.setattr(statements, "PART", 3)
    assert list(statements.every(account, period, closing_edge=edge)) == whole
    assert [entry.balance for entry in whole] == [entry.balance for entry in reversed(read(account, period).entries)]


def most_rows(node: dict[str, Any]) -> int:
    """The most rows that one step of a plan read."""
    own = (int(node["Actual Rows"]) + int(node.get("Rows Removed by Filter", 0))) * int(node["Actual Loops"])
    return max([own, *(most_rows(part) for part in node.get("Plans", []))])


def test_a_page_among_many_entries_reads_only_its_own(committed: Flask) -> None:
    """What the database reads for a page does not grow with the history of the account, or of others."""
    book = Book()
    account, other = book.account(10_000_000), book.account(10_000_000)
    leg = book.order(account, book.house(), 1).legs[0]
    for payer in (account, other, account, other):
        book.pay(payer, book.house(), 1, more=[type(leg)(payer, book.house(), 1, "eur") for _ in range(900)])
    owner = sa.create_engine(committed.extensions["countinghouse.settings"].migration_database_url)
    with owner.connect() as connection:
        connection.execute(sa.text("ANALYZE ledger_transaction"))
        connection.commit()
    owner.dispose()
    with transaction():
        period = Period(today(), today())
        edge = Edge.older_than(read(account, period, size=50).entries[-1])
        sql, values = statements._statement(statements._bounds(period), edge, "DESC")
        # so few rows are read faster whole; a million are not
        session().execute(sa.text("SET LOCAL enable_seqscan = off"))
        session().execute(sa.text("SET LOCAL enable_bitmapscan = off"))
        explain = sa.text(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
        plan = session().execute(explain, {**values, "account": account, "size": 51}).scalar_one()
    assert most_rows(plan[0]["Plan"]) <= 60


def test_the_latest_transactions_of_an_owner_come_from_all_accounts(book: Book) -> None:
    owner = book.owner()
    one, two = book.account(1_000, owner=owner), book.account(owner=owner)
    book.pay(one, two, 250)
    book.draft(two, book.house(), 10)
    latest = statements.latest_of([one, two], limit=10)
    assert [(move.amount.minor_units, move.account_id, move.state) for move in latest] == [
        (-10, two, "draft"), (-250, one, "posted"), (250, two, "posted"), (1_000, one, "posted"),
    ]  # fmt: skip
    assert len(statements.latest_of([one, two], limit=2)) == 2
    assert statements.latest_of([], limit=2) == []
