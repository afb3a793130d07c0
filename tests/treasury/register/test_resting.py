"""What comes late reopens every day that rests on it, not its own day alone."""

from __future__ import annotations

from datetime import date, time
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.approvals import services as approvals
from dashboard.database import session, transaction
from dashboard.treasury.days import queries, readiness, services
from dashboard.treasury.days.models import TreasuryDay
from dashboard.treasury.positions.models import TreasuryPosition
from dashboard.treasury.register.queries import BankAccountView
from dashboard.treasury.register.services import Entry, ask_to_change, ask_to_pool
from tests.conftest import People
from tests.treasury.positions.conftest import House

EUR = ("eMoney", "eur")


@pytest.fixture
def house(app: Flask, people: People) -> House:
    return House(people)


@pytest.fixture(autouse=True)
def nothing_stands_against_signing(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_blockers", {})


def _signed(house: House, day: date, pool: str = "eMoney") -> TreasuryDay:
    with transaction():
        services.prepare(pool, "eur", day, by=house.treasurer)
        return services.sign(pool, "eur", day, by=house.senior)


def _state(version: TreasuryDay) -> str:
    return session().scalars(sa.select(TreasuryDay.state).where(TreasuryDay.id == version.id)).one()


def test_a_late_line_reopens_the_later_days_that_rest_on_it(house: House) -> None:
    bank, other = house.bank(), house.bank(currency="usd")
    day = house.covered(bank, house.client(), 100_00)
    following = house.end_day()
    house.statement(bank, following, 100_00, [])
    versions = [_signed(house, each) for each in (day, following)]
    with transaction():
        assert services.line_came_late(other.id, day, because="1 line", by=system()) is None
    assert [_state(each) for each in versions] == ["signed", "signed"]
    with transaction():
        services.line_came_late(bank.id, following, because="1 line", by=system())
    assert [_state(each) for each in versions] == ["signed", "reopened"]
    versions[1] = _signed(house, following)
    with transaction():
        fresh = services.line_came_late(bank.id, day, because="1 line", by=system())
    assert fresh is not None
    assert (fresh.day, fresh.version) == (day, 2)
    assert [_state(each) for each in versions] == ["reopened", "reopened"]
    current = queries.current(*EUR, following)
    assert current is not None
    assert (current.state, current.version) == ("open", 3)


def test_a_late_line_reopens_the_pool_that_the_bank_account_served_then(house: House) -> None:
    bank = house.bank()
    day = house.covered(bank, house.client(), 100_00)
    version = _signed(house, day)
    entry = Entry("paymentServices", "safeguarding", date(2020, 1, 1), None, "camt", time(7, 30), "LT", None)
    with transaction():
        request = ask_to_change(bank.id, entry=entry, reason="x", by=house.people.actor(Role.TREASURER))
        approvals.decide(request.id, approve=True, reason="x", by=house.senior)
    with transaction():
        services.line_came_late(bank.id, day, because="1 line", by=system())
    assert _state(version) == "reopened"


def _put(house: House, account_id: UUID, pool: str) -> None:
    with transaction():
        request = ask_to_pool(account_id, pool=pool, reason="x", by=house.treasurer)
        approvals.decide(request.id, approve=True, reason="x", by=house.senior)


def _both_pools(house: House) -> tuple[BankAccountView, UUID, date]:
    bank, client = house.bank(), house.client()
    other = house.bank(pool="paymentServices", name="Payment services")
    day = house.covered(bank, client, 100_00)
    house.statement(other, day, 0, [])
    return bank, client, day


def test_a_client_account_that_changes_its_pool_reopens_days_that_are_signed_for_one_pool_only(house: House) -> None:
    _, client, day = _both_pools(house)
    version = _signed(house, day, "paymentServices")
    _put(house, client, "paymentServices")
    assert _state(version) == "reopened"
    _signed(house, day, "eMoney")
    _signed(house, day, "paymentServices")
    found = session().execute(
        sa.select(TreasuryDay.pool, TreasuryPosition.client_minor)
        .join(TreasuryPosition, TreasuryPosition.treasury_day_id == TreasuryDay.id)
        .where(TreasuryDay.state == "signed")
    )
    assert dict(map(tuple, found)) == {"eMoney": 0, "paymentServices": 100_00}  # type: ignore[arg-type]


def test_days_signed_for_both_pools_outlast_a_change_of_pools_until_one_is_opened_again(house: House) -> None:
    bank, client, day = _both_pools(house)
    versions = [_signed(house, day, pool) for pool in ("eMoney", "paymentServices")]
    _put(house, client, "paymentServices")
    assert [_state(each) for each in versions] == ["signed", "signed"]
    with transaction():
        services.line_came_late(bank.id, day, because="1 line", by=system())
    assert [_state(each) for each in versions] == ["reopened", "reopened"]
