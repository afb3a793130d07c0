"""What is signed is what was prepared, and what was prepared is known and still so."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa

from dashboard.database import session, transaction
from dashboard.errors import Refused
from dashboard.treasury.days import services
from dashboard.treasury.days.models import TreasuryDay
from dashboard.treasury.positions.models import TreasuryPosition
from dashboard.treasury.positions.queries import blockers, standing
from dashboard.treasury.positions.vocabulary import Result
from tests.treasury.positions.conftest import House


def prepare(house: House, day: date, pool: str = "eMoney", currency: str = "eur") -> TreasuryDay:
    with transaction():
        return services.prepare(pool, currency, day, by=house.treasurer)


def sign(house: House, day: date) -> TreasuryDay:
    with transaction():
        return services.sign("eMoney", "eur", day, by=house.senior)


def stored(version: TreasuryDay) -> TreasuryPosition:
    found = session().get(TreasuryPosition, version.id, populate_existing=True)
    assert found is not None
    return found


def test_where_no_account_is_designated_all_that_is_owed_is_short(house: House) -> None:
    day = house.covered(house.bank("settlement"), house.client(), 100_00)
    found = house.figures(day)
    assert (found.resource, found.excess, found.internal) == (0, -100_00, Result.FAILED)
    prepare(house, day)
    with pytest.raises(Refused) as refused:
        sign(house, day)
    assert any("Short 100.00 EUR" in one for one in refused.value.details["blockers"])


def test_a_day_is_not_prepared_when_every_account_of_its_pool_was_closed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard.treasury.register.queries import BankAccountView

    day = house.covered(house.bank(), house.client(), 100_00)
    monkeypatch.setattr(BankAccountView, "closed_by", lambda self, asked: asked >= day)
    with pytest.raises(Refused) as refused:
        prepare(house, day)
    assert refused.value.code == "notReady"
    assert any("was closed by" in one for one in refused.value.details["blockers"])
    position = standing.one("eMoney", "eur", day)
    assert position.figures.excess is None
    assert any("is not known" in one.says for one in blockers.of(position))


def test_a_currency_that_nobody_began_with_is_seen_beside_one_that_is_prepared(house: House) -> None:
    house.receive(house.bank(currency="usd"), house.client("usd"), 5_00)
    day = house.covered(house.bank(), house.client(), 100_00)
    prepare(house, day)
    assert [one.figures.currency for one in standing.of_day(day)] == ["usd", "eur"]


def test_a_day_whose_figures_changed_since_it_was_prepared_is_not_signed(house: House) -> None:
    bank = house.bank()
    day = house.covered(bank, house.client(), 100_00)
    version = prepare(house, day)
    house.statement(bank, day, 100_00, [-9_00])
    with pytest.raises(Refused) as refused:
        sign(house, day)
    assert refused.value.code == "figuresChanged"
    assert "At bank: prepared 100.00 EUR, now 91.00 EUR." in refused.value.details["changed"]
    session().refresh(version)
    assert version.state == "prepared"
