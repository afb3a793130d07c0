"""Amounts are exact, or they are refused."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.money import DECIMALS, LARGEST_MINOR_UNITS, Money, NotRepresentable


@given(st.integers(-LARGEST_MINOR_UNITS, LARGEST_MINOR_UNITS), st.sampled_from(sorted(DECIMALS)))
def test_an_amount_survives_the_way_to_major_units_and_back(minor: int, currency: str) -> None:
    assert Money.of(Money(minor, currency).amount, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("0.001", "eur"),
        ("1.5", "jpy"),
        ("0.0001", "bhd"),
        ("NaN", "eur"),
        ("Infinity", "eur"),
        ("1e300", "eur"),
        ("1.00000000000000000000000000000000000001", "eur"),
    ],  # fmt: skip
)
def test_what_a_currency_cannot_hold_is_refused_and_never_rounded(amount: str, currency: str) -> None:
    with pytest.raises(NotRepresentable):
        Money.of(Decimal(amount), currency)


def test_an_unknown_currency_is_refused() -> None:
    with pytest.raises(NotRepresentable):
        Money(1, "xxx")


def test_amounts_of_two_currencies_are_never_added() -> None:
    with pytest.raises(ValueError):
        Money(1, "eur") + Money(1, "usd")


def test_amounts_read_as_on_paper() -> None:
    assert str(Money(481239055, "eur")) == "4,812,390.55 EUR"
    assert str(Money(12000, "jpy")) == "12,000 JPY"
    assert str(Money(-4210, "eur")) == "−42.10 EUR"
