"""The same things told again: nothing counts twice, nothing is lost, and the order of files does not matter."""

from __future__ import annotations

from collections import Counter
from datetime import date
from itertools import count, permutations

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.database import session, transaction
from dashboard.errors import Conflict, Refused
from dashboard.treasury.statements import queries
from dashboard.treasury.statements.models import Statement, StatementEntry, StatementImport, StatementLine
from dashboard.treasury.statements.services import deleting, importing
from tests.treasury.statements.conftest import Desk, bank_account, entries, lines, statements
from tests.treasury.statements.files import E, S, camt

ONE = S([E("50.00", ref="R1"), E("20.00", "-", ref="R2")], "100.00", "130.00")


def counted() -> Counter[tuple[object, ...]]:
    return Counter((each.booking_date, each.amount_minor) for each in entries() if each.standing)


def outcome() -> tuple[object, ...]:
    """What others see, whatever the identifiers."""
    told = sorted((each.key, each.last_day, each.closing_minor, each.tie_out, each.continuity) for each in statements())
    matchable = sorted((each.booking_date, each.amount_minor, str(each.provider_reference)) for each in lines())
    return tuple(told), tuple(matchable), tuple(sorted(counted().items()))


def test_the_very_same_file_is_refused_with_the_name_of_the_first(desk: Desk) -> None:
    bank_account()
    desk.take(camt(ONE), "first.xml")
    with pytest.raises(Conflict, match="first.xml"):
        desk.read(camt(ONE))


def test_a_statement_told_again_by_another_file_stands_once(desk: Desk) -> None:
    bank_account()
    desk.take(camt(ONE))
    row = desk.read(camt(ONE, wrapped=True))
    assert row.repeated == 2
    with transaction():
        importing.commit(row.id, by=desk.by)
    assert len(statements()) == 1
    assert sum(counted().values()) == 2
    assert len(lines()) == 2


def test_a_longer_telling_adds_only_what_is_new(desk: Desk) -> None:
    account = bank_account()
    desk.take(camt(S(ONE.entries[:1], "100.00", "130.00")))
    assert queries.of_day(account, date(2026, 3, 12)).tie_out == "failed"  # type: ignore[union-attr]
    row = desk.take(camt(ONE))
    assert row.repeated == 1
    [statement] = statements()
    assert (statement.tie_out, statement.entries) == ("passed", 2)
    assert counted() == Counter({(date(2026, 3, 12), 5_000): 1, (date(2026, 3, 12), -2_000): 1})


def test_alike_entries_of_a_day_are_counted_not_merged(desk: Desk) -> None:
    bank_account()
    fee = E("1.00", "-", text="fee")
    desk.take(camt(S([fee, fee, fee], "10.00", "7.00")))
    assert sum(counted().values()) == 3


def test_alike_entries_of_statements_that_follow_one_another_are_all_kept(desk: Desk) -> None:
    bank_account()
    fee = E("1.00", "-", text="fee")
    desk.take(camt(S([fee], "10.00", "9.00", id="A")))
    desk.take(camt(S([fee], "9.00", "8.00", id="B")))
    assert sum(counted().values()) == 2
    assert [each.continuity for each in statements()].count("failed") == 0


CHARGES = E("1.00", "-", ref="CHARGES")


def test_bookings_with_one_reference_in_statements_that_follow_one_another_are_all_kept(desk: Desk) -> None:
    """Some banks write the same reference beside every charge."""
    bank_account()
    desk.take(camt(S([CHARGES], "10.00", "9.00", id="A", number=1)))
    row = desk.take(camt(S([CHARGES], "9.00", "8.00", id="B", number=2)))
    assert row.repeated == 0
    assert [each.tie_out for each in statements()] == ["passed", "passed"]
    assert (sum(counted().values()), len(lines())) == (2, 2)


def test_bookings_with_one_reference_are_kept_by_the_balances_alone(desk: Desk) -> None:
    bank_account()
    desk.take(camt(S([CHARGES], "9.00", "8.00", id="B")))
    desk.take(camt(S([CHARGES], "10.00", "9.00", id="A")))
    assert (sum(counted().values()), len(lines())) == (2, 2)


REFERENCED = (
    camt(S([CHARGES], "10.00", "9.00", id="A", number=1)),
    camt(S([CHARGES, CHARGES], "9.00", "7.00", id="B", number=2)),
    camt(S([E("1.00", "-", day="2026-03-11", ref="CHARGES"), CHARGES, CHARGES, CHARGES], "11.00", "7.00", id="C",
           first="2026-03-11", number=1)),
)  # fmt: skip


def test_a_statement_of_more_days_with_a_number_of_its_own_tells_referenced_bookings_again(desk: Desk) -> None:
    bank_account()
    for order in permutations(REFERENCED):
        for content in order:
            desk.take(content)
        assert counted() == Counter({(date(2026, 3, 11), -100): 1, (date(2026, 3, 12), -100): 3})
        undo_all(desk)


def test_periods_that_overlap_count_each_entry_once(desk: Desk) -> None:
    bank_account()
    monday = [E("5.00", day="2026-03-09", text="a"), E("6.00", ref="X", day="2026-03-09")]
    tuesday = [E("7.00", day="2026-03-10", text="b")]
    desk.take(camt(S(monday, "0.00", "11.00", day="2026-03-09", id="MON")))
    row = desk.take(camt(S([*monday, *tuesday], "0.00", "18.00", day="2026-03-10", id="WEEK", first="2026-03-09")))
    assert row.repeated == 2
    assert sum(counted().values()) == 3


FILES = (
    camt(S([E("5.00", text="x", day="2026-03-09"), E("1.00", "-", text="fee", day="2026-03-09")], "0.00", "4.00",
           day="2026-03-09", number=1, id="D1")),
    camt(S([E("1.00", "-", text="fee", day="2026-03-10")], "4.00", "3.00", day="2026-03-10", number=2, id="D2")),
    camt(S([E("9.00", ref="Q", day="2026-03-11")], "3.00", "12.00", day="2026-03-11", number=3, id="D3")),
    camt(S([E("5.00", text="x", day="2026-03-09"), E("1.00", "-", text="fee", day="2026-03-09"),
            E("1.00", "-", text="fee", day="2026-03-10"), E("9.00", ref="Q", day="2026-03-11")],
           "0.00", "12.00", day="2026-03-11", first="2026-03-09", id="MONTH")),
)  # fmt: skip


def undo_all(desk: Desk) -> None:
    for row in session().scalars(sa.select(StatementImport).where(StatementImport.state == "imported")).all():
        with transaction():
            deleting.delete(row.id, because="start again", by=desk.by)


def test_the_order_of_files_does_not_change_the_outcome(desk: Desk) -> None:
    bank_account()
    seen = set()
    for order in permutations(FILES):
        for content in order:
            desk.take(content)
        seen.add(outcome())
        undo_all(desk)
        assert not statements() and not lines() and not entries()
    [(told, _, counts)] = seen
    assert len(counts) == 4
    assert all(each[3] == "passed" for each in told)


_numbers = count(1)


@given(st.data())
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_daily_files_come_in_whatever_order_the_sum_is_that_of_the_account(
    desk: Desk, data: st.DataObject
) -> None:
    """The account has a true list of bookings; files tell of it by days, and one of several days again."""
    number = f"9000{next(_numbers):08}"
    account = bank_account(number)
    days = [f"2026-03-{day:02}" for day in range(2, 2 + data.draw(st.integers(1, 5)))]
    booked = {
        day: [
            E(f"{data.draw(st.sampled_from([1, 1, 2, 5]))}.00", data.draw(st.sampled_from("+-")), day=day,
              ref=data.draw(st.sampled_from([None, None, f"R{day}{place}"])), text="t")
            for place in range(data.draw(st.integers(0, 4)))
        ]
        for day in days
    }  # fmt: skip
    balance, after = 100, {}
    for day in days:
        balance += sum(int(each.amount[0]) * (1 if each.sign == "+" else -1) for each in booked[day])
        after[day] = balance
    before = {day: after[days[at - 1]] if at else 100 for at, day in enumerate(days)}
    files = [
        camt(S(booked[day], f"{before[day]}.00", f"{after[day]}.00", day=day, first=day, id=f"D{day}", account=number))
        for day in days
    ]
    start = data.draw(st.integers(0, len(days) - 1))
    again = [each for day in days[start:] for each in booked[day]]
    files.append(
        camt(S(again, f"{before[days[start]]}.00", f"{balance}.00", day=days[-1], first=days[start], id="PERIOD",
               account=number))
    )  # fmt: skip
    for content in data.draw(st.permutations(files)):
        desk.take(content)
    standing = [each for each in entries() if each.standing and each.bank_account_id == account]
    matchable = [each for each in lines() if each.bank_account_id == account]
    assert len(standing) == len(matchable) == sum(len(each) for each in booked.values())
    assert sum(each.amount_minor for each in matchable) == (balance - 100) * 100
    assert not [each for each in queries.findings() if each.bank_account_id == account]


def test_an_import_nothing_was_matched_to_is_deleted_and_may_come_again(desk: Desk) -> None:
    account = bank_account()
    first = desk.take(camt(ONE))
    with transaction():
        deleting.delete(first.id, because="wrong file", by=desk.by)
    assert queries.one_import(first.id).state == "deleted"
    for table in (Statement, StatementEntry, StatementLine):
        assert session().scalar(sa.select(sa.func.count()).select_from(table)) == 0
    assert queries.closing(account, date(2026, 3, 12)).minor is None
    desk.take(camt(ONE))
    assert sum(counted().values()) == 2


def test_what_another_file_told_alike_counts_after_a_deletion(desk: Desk) -> None:
    bank_account()
    first = desk.take(camt(ONE))
    desk.take(camt(ONE, wrapped=True))
    before = outcome()
    with transaction():
        deleting.delete(first.id, because="the other is better", by=desk.by)
    assert outcome() == before


def test_of_three_tellings_with_more_and_more_alike_bookings_any_may_be_deleted(desk: Desk) -> None:
    fee = E("1.00", "-", text="fee")
    bank_account()
    for gone, left in ((0, 3), (1, 3), (2, 2)):
        rows = [
            desk.take(camt(S([fee] * many, "10.00", f"{10 - many}.00", id=f"T{many}"))) for many in (1, 2, 3)
        ]  # fmt: skip
        assert sum(counted().values()) == 3
        with transaction():
            deleting.delete(rows[gone].id, because="one too many", by=desk.by)
        assert sum(counted().values()) == len(lines()) == left
        undo_all(desk)


def test_what_is_matched_is_not_deleted(desk: Desk) -> None:
    bank_account()
    row = desk.take(camt(ONE))
    deleting.learn_use(lambda import_id: 1 if import_id == row.id else 0, name="of this test")
    try:
        with pytest.raises(Refused, match="1 of its lines are matched"), transaction():
            deleting.delete(row.id, because="no", by=desk.by)
    finally:
        deleting.learn_use(lambda _: 0, name="of this test")
    assert queries.one_import(row.id).state == "imported"
    assert len(lines()) == 2


def test_a_preview_counts_for_nothing_and_is_discarded(desk: Desk) -> None:
    account = bank_account()
    row = desk.read(camt(ONE))
    assert not lines() and not statements()
    assert queries.closing(account, date(2026, 3, 12)).minor is None
    with transaction():
        importing.discard(row.id, by=desk.by)
    assert not entries()
    with pytest.raises(Conflict), transaction():
        importing.commit(row.id, by=desk.by)


def test_of_two_previews_of_one_file_one_is_committed(desk: Desk) -> None:
    bank_account()
    first, second = desk.read(camt(ONE)), desk.read(camt(ONE))
    with transaction():
        importing.commit(first.id, by=desk.by)
    with pytest.raises(Conflict, match="imported already"), transaction():
        importing.commit(second.id, by=desk.by)
    assert len(lines()) == 2


def test_a_file_of_which_something_was_refused_may_come_again_when_its_account_is_known(desk: Desk) -> None:
    bank_account()
    content = camt(ONE, S([E("1.00", ref="Z")], "0.00", "1.00", account="LT601010012345678901", id="STM-2"))
    assert desk.take(content).refused == 1
    bank_account("LT601010012345678901")
    row = desk.take(content)
    assert (row.refused, row.repeated) == (0, 2)
    assert sum(counted().values()) == 3
