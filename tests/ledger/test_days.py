"""The end of a business day: one instant, then its snapshot, once."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import system
from dashboard.database import session, transaction
from dashboard.errors import Invalid, Refused
from dashboard.ledger.models import BusinessDay, DailyBalance, LedgerTransaction
from dashboard.ledger.queries import days as queries
from dashboard.ledger.services import days, snapshots
from migrations import ledger_functions
from tests.ledger.conftest import Book


def end(next_day: date | None = None) -> date:
    """End the open day; gives it."""
    day = days.open_day().day
    snapshots.end_of_day(day, next_day=next_day, by=system())
    return day


def rows_of(account_id: Any) -> list[tuple[int, int, int, int]]:
    found = session().execute(
        sa.select(DailyBalance.posted, DailyBalance.debits, DailyBalance.credits, DailyBalance.movements)
        .where(DailyBalance.account_id == account_id)
        .order_by(DailyBalance.day)
    )
    return [tuple(row) for row in found]


def test_the_end_of_day_takes_the_lock_that_postings_share() -> None:
    assert days.BUSINESS_DAY_LOCK == ledger_functions.BUSINESS_DAY_LOCK


def test_ending_a_day_opens_the_next_one_and_postings_are_booked_on_it(book: Book) -> None:
    account = book.account(500)
    day = end()
    book.pay(book.house(), account, 70)
    booked = session().execute(
        sa.select(LedgerTransaction.amount_minor, LedgerTransaction.booking_date)
        .where(LedgerTransaction.creditor_account_id == account)
        .order_by(LedgerTransaction.posted_at)
    )
    assert [tuple(row) for row in booked] == [(500, day), (70, clock.calendar().add_days(day, 1))]


def test_weekends_and_public_holidays_are_no_business_days(book: Book) -> None:
    christmas = date(2026, 12, 23)
    assert days.following(christmas) == date(2026, 12, 28)
    names = [(day, name) for day, name in days.skipped(christmas, date(2026, 12, 28))]
    assert [day for day, _ in names] == [date(2026, 12, 24), date(2026, 12, 25)]
    assert all(name for _, name in names)


def test_the_snapshot_holds_a_row_for_each_account_that_moved_and_no_other(book: Book) -> None:
    mover, sleeper = book.account(1_000), book.account(300)
    end()
    book.pay(mover, book.house(), 400)
    book.pay(book.house(), mover, 50)
    end()
    assert rows_of(mover) == [(1_000, 0, 1_000, 1), (650, 400, 50, 2)]
    assert rows_of(sleeper) == [(300, 0, 300, 1)]
    assert rows_of(book.house()) == [(-1_300, 1_300, 0, 2), (-950, 50, 400, 2)]


def test_totals_of_a_day_follow_the_day_before_and_sum_to_zero(book: Book) -> None:
    account = book.account(1_000)
    book.account(20, currency="usd")
    first = end()
    book.pay(account, book.house(), 400)
    second = end()
    totals = snapshots.sums([first, second])
    told = {(s.currency, s.account_type): (s.accounts, s.posted, s.debits, s.credits) for s in totals[second]}
    assert told["eur", "client"] == (1, 600, 400, 0)
    assert told["eur", "settlement"] == (1, -600, 0, 400)
    assert told["usd", "client"] == (1, 20, 0, 0)
    for day in (first, second):
        for currency in ("eur", "usd"):
            assert sum(s.posted for s in totals[day] if s.currency == currency) == 0


def test_what_is_pending_is_in_no_snapshot_until_it_is_posted(book: Book) -> None:
    from dashboard.ledger.services import payments

    account = book.account(1_000)
    waiting = book.draft(account, book.house(), 300)
    with transaction():
        payments.pend(waiting, by=system())
    end()
    with transaction():
        payments.post(waiting, by=system())
    end()
    assert rows_of(account) == [(1_000, 0, 1_000, 1), (700, 300, 0, 1)]


def test_ending_a_day_twice_changes_nothing_and_answers_what_stands(book: Book) -> None:
    book.account(100)
    day = days.open_day().day
    first = snapshots.end_of_day(day, by=system())
    again = snapshots.end_of_day(day, by=system())
    assert (first[0].by_us, first[1].made) == (True, True)
    assert (again[0].by_us, again[1].made) == (False, False)
    assert again[0].closed_at == first[0].closed_at
    assert again[1].snapshot_at == first[1].snapshot_at
    assert days.open_day().day == first[0].next_day


def test_a_day_that_is_not_open_yet_or_never_was_is_refused(book: Book) -> None:
    opened = days.open_day().day
    with pytest.raises(Refused) as future:
        days.end(opened + timedelta(days=1), by=system())
    assert future.value.code == "futureDay"
    with pytest.raises(Refused) as unknown:
        days.end(opened - timedelta(days=1), by=system())
    assert unknown.value.code == "unknownDay"
    assert days.open_day().day == opened


@pytest.mark.parametrize("ahead", [-1, 0, 32])
def test_the_next_day_lies_after_the_day_and_within_a_month(book: Book, ahead: int) -> None:
    opened = days.open_day().day
    with pytest.raises(Invalid) as refused:
        days.end(opened, next_day=opened + timedelta(days=ahead), by=system())
    assert refused.value.errors[0].field == "nextDay"
    assert days.open_day().day == opened


def test_the_next_day_may_be_given(book: Book) -> None:
    opened = days.open_day().day
    end(opened + timedelta(days=9))
    assert days.open_day().day == opened + timedelta(days=9)


def test_a_snapshot_that_was_cut_short_is_finished_by_asking_again(book: Book) -> None:
    account = book.account(1_000)
    day = days.open_day().day
    days.end(day, by=system())  # and the process ends here
    book.pay(account, book.house(), 999)
    ended, snapshot = snapshots.end_of_day(day, by=system())
    assert (ended.by_us, snapshot.made) == (False, True)
    assert rows_of(account) == [(1_000, 0, 1_000, 1)]


def test_a_missing_snapshot_is_made_before_the_next_one(book: Book) -> None:
    account = book.account(1_000)
    first = days.open_day().day
    days.end(first, by=system())
    book.pay(account, book.house(), 250)
    second = end()
    assert rows_of(account) == [(1_000, 0, 1_000, 1), (750, 250, 0, 1)]
    made = session().scalars(
        sa.select(BusinessDay.day).where(BusinessDay.snapshot_at.is_not(None)).order_by(BusinessDay.snapshot_at)
    )
    assert list(made) == [first, second]


def test_an_open_day_has_no_snapshot(book: Book) -> None:
    with pytest.raises(Refused) as refused:
        snapshots.make(days.open_day().day, by=system())
    assert refused.value.code == "dayOpen"


def test_a_closed_day_and_its_snapshot_are_never_changed(book: Book) -> None:
    book.account(100)
    day = end()
    for statement in (
        "UPDATE daily_balance SET posted = posted + 1",
        "DELETE FROM daily_balance",
        "DELETE FROM daily_total",
        f"UPDATE business_day SET state = 'open', closed_at = NULL, snapshot_at = NULL WHERE day = '{day}'",
        f"UPDATE business_day SET closed_at = now() WHERE day = '{day}'",
    ):
        with pytest.raises(sa.exc.SQLAlchemyError), session().begin_nested():
            session().execute(sa.text(statement))


def test_comparing_snapshots_with_the_transactions_finds_nothing_when_they_are_right(book: Book) -> None:
    account, other = book.account(1_000), book.account(10, currency="usd")
    first = end()
    book.pay(account, book.house(), 100)
    book.pay(book.house("usd"), other, 5, currency="usd")
    end()
    last = end()
    found = queries.compare(first, last)
    assert (len(found.days), found.count, found.differences) == (3, 0, [])
    assert found.rows == 4 + 4
    assert queries.compare(last, last).count == 0


def test_comparing_names_each_difference_and_rewrites_nothing(book: Book) -> None:
    account = book.account(1_000)
    first = end()
    day = days.open_day().day
    days.end(day, by=system())
    with transaction() as current:
        # a snapshot as a faulty program might have written it
        current.execute(
            sa.text(
                "INSERT INTO daily_balance (account_id, day, posted, debits, credits, movements)"
                " VALUES (:account, :day, 1005, 0, 5, 1)"
            ),
            {"account": account, "day": day},
        )
        current.execute(sa.text("UPDATE business_day SET snapshot_at = now() WHERE day = :day"), {"day": day})
    found = queries.compare(first, day)
    told = {(d.day, d.account_id, d.field): (d.stored, d.rebuilt) for d in found.differences}
    assert told[day, account, "posted"] == (1_005, 1_000)
    assert told[day, account, "credits"] == (5, 0)
    assert told[day, account, "movements"] == (1, 0)
    # its totals are missing altogether
    assert told[day, None, "accounts"][0] is None
    assert found.count == len(found.differences)
    assert not any(d.day == first for d in found.differences)
    assert rows_of(account)[-1] == (1_005, 0, 5, 1)


def test_days_without_a_snapshot_are_told_and_not_compared(book: Book) -> None:
    book.account(1_000)
    day = days.open_day().day
    days.end(day, by=system())
    found = queries.compare(day, day)
    assert (found.days, found.missing, found.count) == ([], [day], 0)
