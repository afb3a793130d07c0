"""Reference rates as the European Central Bank publishes them, and the arithmetic that rests on them."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from dashboard import clock
from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.audit.models import AuditEvent
from dashboard.database import session, transaction
from dashboard.errors import Conflict, Forbidden, Invalid
from dashboard.money import DECIMALS
from dashboard.transfers.models import FxRate
from dashboard.transfers.services.exchange import ecb, rates, reckoning
from dashboard.transfers.services.exchange.reckoning import buying, cross, margin_of, selling
from tests.conftest import People
from tests.transfers.exchanging import RATES, cube, ecb_file

DAY = date(2026, 11, 20)


def count() -> int:
    return session().scalar(sa.select(sa.func.count()).select_from(FxRate)) or 0


def load(content: bytes) -> rates.LoadedRates:
    with transaction():
        return rates.load(content, name="eurofxref-daily.xml", by=system())


def test_a_daily_file_is_taken_with_exact_numbers_and_the_time_of_the_fixing(app: Flask) -> None:
    loaded = load(ecb_file((DAY, {**RATES, "THB": "36.1"})))
    # a currency that nobody has here is left out
    assert (loaded.rates, loaded.fresh) == (len(RATES), len(RATES))
    stored = session().scalars(sa.select(FxRate).where(FxRate.quote == "usd")).one()
    assert (stored.base, stored.rate, stored.source) == ("eur", Decimal("1.0832"), "ecb")
    assert stored.as_of == datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def test_in_summer_the_fixing_is_an_hour_earlier_in_utc(app: Flask) -> None:
    assert ecb.fixed_at(date(2026, 7, 1)) == datetime(2026, 7, 1, 14, 0, tzinfo=UTC)


def test_the_file_of_ninety_days_is_taken_and_only_what_is_new_counts(app: Flask) -> None:
    load(ecb_file((DAY, RATES)))
    many = [(DAY - timedelta(days=back), {"USD": f"1.0{back:02d}", "GBP": "0.83"}) for back in range(1, 65)]
    loaded = load(ecb_file((DAY, RATES), *many))
    assert (loaded.rates, loaded.fresh, loaded.newest.date()) == (4 + 128, 128, DAY)


def test_the_same_file_twice_is_the_same_as_once(app: Flask) -> None:
    load(ecb_file((DAY, RATES)))
    events = session().scalar(sa.select(sa.func.count()).select_from(AuditEvent))
    assert load(ecb_file((DAY, RATES))).fresh == 0
    assert count() == len(RATES)
    assert session().scalar(sa.select(sa.func.count()).select_from(AuditEvent)) == events


def test_a_rate_that_is_known_otherwise_refuses_the_whole_file(app: Flask) -> None:
    load(ecb_file((DAY, RATES)))
    with pytest.raises(Conflict) as caught:
        load(ecb_file((DAY, RATES | {"USD": "1.0833"}), (DAY - timedelta(days=1), RATES)))
    assert caught.value.code == "differentRate"
    assert "USD on 2026-11-20 is known as 1.0832" in caught.value.message
    assert count() == len(RATES)


ODD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "empty"),
    "text": (b"hello", "xml"),
    "half a file": (ecb_file((DAY, RATES))[:-30], "xml"),
    "another format": (b"<Document xmlns='urn:iso:std:iso:20022:tech:xsd:camt.054.001.08'/>", "format"),
    "a document type": (b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>" + ecb_file((DAY, RATES))[39:],
                        "doctype"),
    "a flood of entities": (b"<!DOCTYPE a [<!ENTITY b 'bbbbbbbbbb'><!ENTITY c '&b;&b;&b;'>]><a>&c;</a>", "doctype"),
    "no day": (ecb_file(), "noDay"),
    "a day that is none": (ecb_file((DAY, RATES)).replace(b"2026-11-20", b"2026-11-31"), "day"),
    "a day in words": (ecb_file((DAY, RATES)).replace(b"2026-11-20", b"20 Nov 2026"), "day"),
    "a negative rate": (ecb_file((DAY, {"USD": "-1.08"})), "rate"),
    "a rate of zero": (ecb_file((DAY, {"USD": "0.0"})), "rate"),
    "a rate that is no number": (ecb_file((DAY, {"USD": "NaN"})), "rate"),
    "an endless rate": (ecb_file((DAY, {"USD": "1e999999999"})), "rate"),
    "more decimals than are kept": (ecb_file((DAY, {"USD": "1.00000000001"})), "rate"),
    "a rate of the euro": (ecb_file((DAY, {"EUR": "1"})), "currency"),
    "the same twice": (ecb_file((DAY, {"USD": "1.08"}), (DAY, {"USD": "1.08"})), "duplicate"),
    "no currency": (ecb_file((DAY, {"": "1.08"})), "currency"),
    "no currency that is known here": (ecb_file((DAY, {"THB": "36.1"})), "noRate"),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_an_odd_file_is_refused_as_a_whole_and_says_why(app: Flask, name: str) -> None:
    content, rule = ODD[name]
    with pytest.raises(Invalid) as caught:
        load(content)
    assert [(error.field, error.rule) for error in caught.value.errors] == [("file", rule)]
    assert "passwd" not in caught.value.errors[0].message
    assert count() == 0


def test_a_file_of_tomorrow_is_refused(app: Flask) -> None:
    with pytest.raises(Invalid):
        load(ecb_file((clock.calendar().today() + timedelta(days=1), RATES)))


def test_a_file_that_is_too_large_is_not_read(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ecb, "LARGEST_FILE", 100)
    with pytest.raises(Invalid) as caught:
        load(ecb_file((DAY, RATES)))
    assert caught.value.errors[0].rule == "size"


def test_loading_needs_the_permission(app: Flask, people: People) -> None:
    with pytest.raises(Forbidden), transaction():
        rates.load(ecb_file((DAY, RATES)), name="x.xml", by=people.actor(Role.OFFICER))


def put(folder: Path, name: str, content: bytes, *, age: float = 60) -> Path:
    path = folder / name
    path.write_bytes(content)
    then = path.stat().st_mtime - age
    os.utime(path, (then, then))
    return path


def test_files_of_the_folder_are_loaded_once_and_put_away(app: Flask, tmp_path: Path) -> None:
    put(tmp_path, "eurofxref-daily.xml", ecb_file((DAY, RATES)))
    put(tmp_path, "odd.xml", b"hello")
    put(tmp_path, ".hidden", b"hello")
    writing = put(tmp_path, "still-written.xml", b"<half", age=0)
    (tmp_path / "link.xml").symlink_to("/etc/hostname")
    assert rates.look(tmp_path, by=system()) == rates.Looked(1, 1)
    assert (tmp_path / "done" / "eurofxref-daily.xml").exists()
    assert "no well-formed XML" in (tmp_path / "failed" / "odd.xml.reason.txt").read_text()
    assert writing.exists() and (tmp_path / "link.xml").is_symlink()
    # the same name comes every day, and nothing is written over
    put(tmp_path, "eurofxref-daily.xml", ecb_file((DAY, RATES)))
    assert rates.look(tmp_path, by=system()) == rates.Looked(1, 0)
    assert len(list((tmp_path / "done").iterdir())) == 2
    assert count() == len(RATES)


def test_a_folder_that_is_not_there_is_no_failure(app: Flask, tmp_path: Path) -> None:
    assert rates.look(tmp_path / "rates", by=system()) == rates.Looked(0, 0)


def test_the_command_loads_a_file_and_says_why_it_did_not(app: Flask, tmp_path: Path) -> None:
    run = app.test_cli_runner().invoke
    good, odd = tmp_path / "daily.xml", tmp_path / "odd.xml"
    good.write_bytes(ecb_file((DAY, RATES)))
    odd.write_bytes(b"hello")
    told = run(args=["transfers", "rates", str(good)])
    assert (told.exit_code, "4 rates, 4 of them new" in told.output) == (0, True), told.output
    told = run(args=["transfers", "rates", str(odd)])
    assert told.exit_code == 1 and "no well-formed XML" in told.output


def test_a_stored_rate_is_never_changed(app: Flask) -> None:
    load(ecb_file((DAY, RATES)))
    with pytest.raises(sa.exc.DBAPIError), transaction():
        session().execute(sa.update(FxRate).values(rate=1))


# --- the arithmetic ---------------------------------------------------------------------------------------------

currencies = st.sampled_from(sorted(DECIMALS))
numbers = st.decimals(Decimal("0.0001"), Decimal("20000"), places=4)
amounts = st.integers(1, 10**15)
points = st.integers(0, 2_000)


def minor_rate(rate: Fraction, sell: str, buy: str) -> Fraction:
    return rate * Fraction(10) ** (DECIMALS[buy] - DECIMALS[sell])


@given(currencies, currencies, numbers, numbers, amounts, points)
def test_who_sells_never_gets_more_than_exact_and_loses_less_than_a_minor_unit(
    sell: str, buy: str, first: Decimal, second: Decimal, amount: int, margin: int
) -> None:
    rate = cross(sell, buy, {sell: first, buy: second} | {"eur": Decimal(1)})
    made = selling(amount, sell, buy, rate, margin)
    exact = (amount - made.margin_minor) * minor_rate(rate, sell, buy)
    assert made.sell_minor == amount
    assert made.margin_minor == margin_of(amount, margin) <= Fraction(amount * margin, 10_000)
    assert 0 <= exact - made.buy_minor < 1


@given(currencies, currencies, numbers, numbers, st.integers(1, 10**13), points)
def test_who_buys_gets_exactly_that_for_the_smallest_amount_that_pays_for_it(
    sell: str, buy: str, first: Decimal, second: Decimal, amount: int, margin: int
) -> None:
    rate = cross(sell, buy, {sell: first, buy: second} | {"eur": Decimal(1)})
    made = buying(amount, sell, buy, rate, margin)
    price = minor_rate(rate, sell, buy)
    assert made.buy_minor == amount and made.margin_minor == margin_of(made.sell_minor, margin)
    assert (made.sell_minor - made.margin_minor) * price >= amount
    fewer = made.sell_minor - 1
    assert fewer == 0 or (fewer - margin_of(fewer, margin)) * price < amount


@given(currencies, currencies, numbers, numbers)
def test_there_and_back_is_the_exact_inverse(sell: str, buy: str, first: Decimal, second: Decimal) -> None:
    told: dict[str, Any] = {sell: first, buy: second} | {"eur": Decimal(1)}
    assert cross(sell, buy, told) * cross(buy, sell, told) == 1


@given(numbers, numbers)
def test_a_shown_rate_is_never_better_than_the_exact_one(first: Decimal, second: Decimal) -> None:
    rate = Fraction(first) / Fraction(second)
    shown = reckoning.shown(rate)
    assert 0 <= rate - Fraction(shown) < Fraction(1, 10**10)


def test_the_helper_writes_what_the_bank_writes() -> None:
    assert cube(DAY, {"USD": "1.08"}) == '<Cube time="2026-11-20"><Cube currency="USD" rate="1.08"/></Cube>'
