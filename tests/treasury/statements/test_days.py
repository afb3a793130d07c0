"""How a bank account stands on a day, and what a late file does to a day that was prepared."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from dashboard import clock
from dashboard.database import transaction
from dashboard.treasury.statements import queries
from dashboard.treasury.statements.services import deleting, importing
from tests.treasury.statements.conftest import OTHER, Desk, bank_account
from tests.treasury.statements.files import E, S, camt

#: a Thursday without a holiday in Lithuania, the Friday after it, the Saturday, and Independence Day of Lithuania
THURSDAY, FRIDAY, SATURDAY, HOLIDAY = date(2026, 3, 12), date(2026, 3, 13), date(2026, 3, 14), date(2026, 3, 11)


def at(moment: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: moment.astimezone(ZoneInfo("UTC")))


def state(day: date = THURSDAY) -> tuple[str, str | None]:
    [found] = queries.states(day)
    return found.state.value, found.holiday


def test_a_statement_is_expected_then_late_then_imported(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    bank_account()
    zone = clock.calendar().zone
    at(datetime.combine(FRIDAY, time(7, 29), zone), monkeypatch)
    assert state() == ("expected", None)
    at(datetime.combine(FRIDAY, time(7, 31), zone), monkeypatch)
    assert state() == ("late", None)
    [found] = queries.states(THURSDAY)
    assert found.since == datetime.combine(FRIDAY, time(7, 30), zone)
    monkeypatch.undo()
    desk.take(camt(S([E("5.00", ref="A")], "0.00", "5.00")))
    assert state() == ("imported", None)


def test_a_tie_out_that_failed_is_a_state_of_its_own(desk: Desk) -> None:
    bank_account()
    desk.take(camt(S([E("5.00", ref="A")], "0.00", "6.00")))
    assert state() == ("tieOutFailed", None)


def test_weekends_and_holidays_are_named_and_nothing_is_late(desk: Desk) -> None:
    bank_account()
    assert state(SATURDAY) == ("notAReconciliationDay", "Saturday")
    kind, name = state(HOLIDAY)
    assert kind == "notAReconciliationDay" and name


def test_accounts_that_give_no_statements_are_not_listed(desk: Desk) -> None:
    from dashboard.access.actor import system
    from dashboard.ledger.services import accounts

    with transaction():
        accounts.register_bank_account(provider="x", name="X", number=OTHER, currency="eur", by=system())
    assert queries.states(THURSDAY) == []


def test_the_closing_balance_of_a_weekend_is_fridays_and_a_missing_one_is_no_data(desk: Desk) -> None:
    account = bank_account()
    desk.take(camt(S([], "7.00", "7.00", day="2026-03-13")))
    for day in (FRIDAY, SATURDAY, SATURDAY + timedelta(days=1)):
        assert (queries.closing(account, day).minor, queries.closing(account, day).as_of) == (700, FRIDAY)
    assert queries.closing(account, SATURDAY + timedelta(days=2)).minor is None
    assert queries.closing(account, THURSDAY).minor is None
    assert queries.latest(account, SATURDAY).closing_minor == 700  # type: ignore[union-attr]


def test_of_two_statements_of_a_day_the_later_one_counts(desk: Desk) -> None:
    account = bank_account()
    desk.take(camt(S([], "2.00", "2.00", number=2, id="B"), S([], "1.00", "2.00", number=1, id="A")))
    assert queries.of_day(account, THURSDAY).sequence == 2  # type: ignore[union-attr]


def test_every_day_that_gets_a_line_or_loses_one_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    account = bank_account()
    told: list[tuple[object, date]] = []
    monkeypatch.setattr(importing.days, "line_came_late", lambda account_id, day, **_: told.append((account_id, day)))
    content = camt(S([E("5.00", ref="A", day="2026-03-12"), E("6.00", ref="B", day="2026-03-13")], "0.00", "11.00",
                     day="2026-03-13", first="2026-03-12"))  # fmt: skip
    row = desk.take(content)
    assert told == [(account, THURSDAY), (account, FRIDAY)]
    told.clear()
    # told again it brings nothing, and no day is touched
    desk.take(content + b"\n")
    assert told == []
    with transaction():
        deleting.delete(row.id, because="wrong", by=desk.by)
    assert told == [(account, THURSDAY), (account, FRIDAY)]
