"""Balances at a moment, at the end of a day, and totals: snapshots and movements give what the transactions give."""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from dashboard.access.actor import system
from dashboard.database import session, transaction
from dashboard.ledger.models import Account, AccountBalance
from dashboard.ledger.queries import balances
from dashboard.ledger.services import days, payments, snapshots
from dashboard.ledger.vocabulary import AccountType
from tests.ledger.conftest import Book


def moment() -> datetime:
    found: datetime = session().execute(sa.text("SELECT clock_timestamp()")).scalar_one()
    return found


def end(snapshot: bool = True) -> None:
    day = days.open_day().day
    if snapshot:
        snapshots.end_of_day(day, by=system())
    else:
        days.end(day, by=system())


def posted(account: UUID, at: datetime) -> int:
    return balances.at([account], at)[account].posted


def summed() -> dict[tuple[str, str], tuple[int, int, int]]:
    """The plain way: read every account."""
    rows = session().execute(
        sa.select(
            Account.currency,
            Account.type,
            sa.func.count(sa.distinct(Account.id)),
            sa.func.sum(AccountBalance.posted),
            sa.func.sum(AccountBalance.held),
        )
        .join(AccountBalance, AccountBalance.account_id == Account.id)
        .group_by(Account.currency, Account.type)
    )
    return {(currency, type): (count, int(money), int(held)) for currency, type, count, money, held in rows}


def told(**chosen: Any) -> dict[tuple[str, str], tuple[int, int, int]]:
    return {(t.currency, t.account_type): (t.accounts, t.posted, t.held) for t in balances.totals(**chosen).items}


def test_before_the_first_snapshot_the_movements_alone_count(book: Book) -> None:
    before = moment()
    account = book.account(700)
    between = moment()
    book.pay(account, book.house(), 200)
    assert [posted(account, at) for at in (before, between, moment())] == [0, 700, 500]


def test_a_past_moment_is_the_last_closed_day_and_what_was_booked_after_it(book: Book) -> None:
    account, moments = book.account(1_000), [moment()]
    for amount, closes in ((100, True), (20, False), (3, True), (7, True)):
        book.pay(account, book.house(), amount)
        moments.append(moment())
        end(snapshot=closes)
        moments.append(moment())
    book.pay(account, book.house(), 50)
    expected = [1_000, 900, 900, 880, 880, 877, 877, 870, 870]
    assert [posted(account, at) for at in moments] == expected
    assert posted(account, moment()) == 820
    assert posted(book.house(), moments[3]) == -880


def test_the_balance_at_the_end_of_a_day_goes_by_booking_date(book: Book) -> None:
    account, seen = book.account(1_000), []
    for amount in (100, 20, 3):
        book.pay(account, book.house(), amount)
        seen.append(days.open_day().day)
        end(snapshot=amount != 20)
    book.pay(account, book.house(), 7)
    seen.append(days.open_day().day)
    found = [balances.at_end_of([account], day)[account].posted for day in seen]
    assert found == [900, 880, 877, 870]


def test_accounts_that_nobody_knows_are_left_out(book: Book) -> None:
    account = book.account(5)
    stranger = UUID(int=1)
    for found in (
        balances.now([account, stranger]),
        balances.at([account, stranger], moment()),
        balances.at_end_of([account, stranger], days.open_day().day),
    ):
        assert list(found) == [account]


def test_what_is_held_is_known_now_and_not_of_the_past(book: Book) -> None:
    account = book.account(1_000)
    waiting = book.draft(account, book.house(), 300)
    with transaction():
        payments.pend(waiting, by=system())
    now, then = balances.now([account])[account], balances.at([account], moment())[account]
    assert (now.posted, now.held, now.available) == (1_000, 300, 700)
    assert (then.posted, then.held, then.available) == (1_000, None, None)


@pytest.mark.parametrize("seed", range(6))
def test_totals_equal_the_sum_over_all_accounts_after_whatever_happened(book: Book, seed: int) -> None:
    """Accounts opened and closed, payments in every state, days ended with and without their snapshot."""
    chance = random.Random(seed)  # noqa: S311
    held: list[UUID] = []
    accounts = {currency: [book.account(10_000, currency=currency)] for currency in ("eur", "usd")}
    for step in range(40):
        currency = chance.choice(["eur", "usd"])
        mine = accounts[currency]
        act = chance.randrange(8)
        if act == 0:
            mine.append(book.account(chance.randrange(500), currency=currency))
        elif act == 1:
            book.house(currency, chance.choice([AccountType.FEES, AccountType.SUSPENSE, AccountType.INCOME]))
        elif act == 2:
            end(snapshot=chance.random() < 0.7)
        elif act == 3:
            draft = book.draft(mine[0], book.house(currency), 1 + chance.randrange(40), currency=currency)
            with transaction():
                payments.pend(draft, by=system())
            held.append(draft)
        elif act == 4 and held:
            verb = chance.choice([payments.post, payments.cancel])
            with transaction():
                verb(held.pop(chance.randrange(len(held))), by=system())
        else:
            fees = book.house(currency, AccountType.FEES)
            book.pay(mine[0], chance.choice([*mine[1:], fees]), 1 + chance.randrange(50), currency=currency)
        if step % 5 == 0:
            assert told() == summed()
    whole = summed()
    assert told() == whole
    assert told(currency="usd") == {key: value for key, value in whole.items() if key[0] == "usd"}
    assert told(account_type="client") == {key: value for key, value in whole.items() if key[1] == "client"}
    for currency in ("eur", "usd"):
        assert sum(money for (code, _), (_, money, _) in whole.items() if code == currency) == 0


def test_totals_of_an_empty_ledger_are_no_rows_and_not_zero(book: Book) -> None:
    assert balances.totals().items == []
    assert balances.totals(currency="jpy").items == []
