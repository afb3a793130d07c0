"""What is signed is what was prepared, and what was prepared is known and still so."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa

from dashboard.access.actor import system
from dashboard.database import session, transaction
from dashboard.errors import Refused
from dashboard.treasury.days import readiness, services
from dashboard.treasury.days.models import TreasuryDay
from dashboard.treasury.positions.models import TreasuryPosition
from dashboard.treasury.positions.queries import blockers, standing
from dashboard.treasury.positions.services import acting, working_out
from dashboard.treasury.positions.vocabulary import Result
from dashboard.treasury.register.queries import BankAccountView
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


def say(house: House, day: date, about: str = "shortfall", amount: int = 5) -> None:
    with transaction():
        acting.say("eMoney", "eur", day, "topUp", says="Topped up.", amount_minor=amount, about=about,
                   by=house.treasurer)  # fmt: skip


def stands_against(day: date) -> list[str]:
    return [one.says for one in blockers.of(standing.one("eMoney", "eur", day))]


def short_by(house: House, cents: int) -> tuple[BankAccountView, date]:
    """A day on which so much left the bank that nobody booked."""
    bank = house.bank()
    paid = house.receive(bank, house.client(), 100_00)
    day = house.end_day()
    (line, _) = house.statement(bank, day, 0, [100_00, -cents])
    house.match(bank, line, paid)
    house.sweep(bank, day)
    return bank, day


def test_what_was_done_about_one_version_answers_no_shortfall_of_the_next(house: House) -> None:
    bank, day = short_by(house, 5)
    prepare(house, day)
    say(house, day)
    assert not any(one.startswith("Short") for one in stands_against(day))
    with transaction():
        services.reopen("eMoney", "eur", day, because="A line is missing.", by=house.treasurer)
    assert any(one.startswith("Short 0.05 EUR") for one in stands_against(day))


def test_what_was_said_of_five_cents_answers_no_larger_shortfall(house: House) -> None:
    bank, day = short_by(house, 5)
    say(house, day)
    assert not any(one.startswith("Short") for one in stands_against(day))
    house.statement(bank, day, 99_95, [-90_00])
    assert any(one.startswith("Short 90.05 EUR") for one in stands_against(day))


def test_a_shortfall_and_late_money_are_answered_apart(house: House) -> None:
    settling = house.bank("settlement")
    first = house.covered(settling, house.client(), 100_00)
    day = house.end_day()
    house.statement(settling, day, 100_00, [])
    house.sweep(settling, day)
    assert first < day
    say(house, day, amount=100_00)
    assert [one.split(" ")[0] for one in stands_against(day)] == ["100.00"]
    say(house, day, "late", 100_00)
    assert stands_against(day) == []


def test_a_kept_sum_that_differs_from_the_books_is_added_up_anew(house: House) -> None:
    day = house.covered(house.bank(), house.client(), 100_00)
    house.add_up(day)
    with transaction() as current:
        current.execute(sa.text("UPDATE client_sum SET positive_minor = 1 WHERE pool = 'eMoney'"))
    assert house.figures(day).client == 100_00
    assert stored(prepare(house, day)).client_minor == 100_00
    assert session().scalar(sa.text("SELECT positive_minor FROM client_sum WHERE pool = 'eMoney'")) == 100_00


def test_the_database_moves_no_row_into_a_day_that_is_signed(house: House) -> None:
    dollars = house.bank(currency="usd")
    day = house.covered(house.bank(), house.client(), 100_00)
    signed = prepare(house, day)
    sign(house, day)
    with transaction():
        working_out.work_out("eMoney", "usd", day, by=system())
    with pytest.raises(sa.exc.DatabaseError) as refused, transaction() as current:
        current.execute(
            sa.text("UPDATE position_account SET treasury_day_id = :day WHERE bank_account_id = :bank"),
            {"day": signed.id, "bank": dollars.id},
        )
    assert any(said in str(refused.value) for said in ("never change", "permission denied"))


def test_the_database_keeps_positions_to_their_currency_and_freezes_none_that_is_open(house: House) -> None:
    house.bank(currency="usd")
    bank = house.bank()
    day = house.end_day()
    with transaction():
        working_out.work_out("eMoney", "usd", day, by=system())
    for name, statement in (
        ("position_account_of_its_currency", "INSERT INTO position_account (treasury_day_id, bank_account_id, purpose,"
         " designated, ledger_minor, suspense_minor) SELECT treasury_day_id, :bank, 'settlement', false, 0, 0"
         " FROM treasury_position WHERE CAST(:bank AS uuid) IS NOT NULL"),
        ("treasury_position_frozen_by_preparing",
         "UPDATE treasury_position SET frozen_at = now() WHERE CAST(:bank AS uuid) IS NOT NULL"),
    ):  # fmt: skip
        with pytest.raises(sa.exc.DatabaseError) as refused, transaction() as current:
            current.execute(sa.text(statement), {"bank": bank.id})
        assert name in str(refused.value.orig.diag.constraint_name)  # type: ignore[attr-defined]


def test_the_database_signs_no_day_without_the_figures_that_were_prepared(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = house.covered(house.bank(), house.client(), 100_00)
    monkeypatch.setattr(readiness, "_preparations", [])
    version = prepare(house, day)
    with pytest.raises(sa.exc.DatabaseError) as refused, transaction() as current:
        current.execute(
            sa.text("UPDATE treasury_day SET state = 'signed', signed_at = now(), signed_by = 'x', signed_by_id = :by"
                    " WHERE id = :id"),
            {"id": version.id, "by": house.senior.id},
        )  # fmt: skip
    assert "with the figures that were prepared" in str(refused.value)
