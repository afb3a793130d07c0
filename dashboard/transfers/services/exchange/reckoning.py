"""The arithmetic of an exchange, exact: rates are fractions, amounts whole minor units, and rounding never favours the
customer by as much as is shown."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal, localcontext
from fractions import Fraction

from dashboard.money import DECIMALS

WHOLE = 10_000
_PLACES = Decimal(1).scaleb(-10)


@dataclass(frozen=True)
class Amounts:
    """Minor units: what is sold, the part of it that the house earns, what is bought."""

    sell_minor: int
    margin_minor: int
    buy_minor: int


def cross(sell: str, buy: str, per_euro: dict[str, Decimal]) -> Fraction:
    """What one unit of `sell` costs in `buy`. `per_euro`: what one euro costs; the euro itself need not be there."""
    return _of(buy, per_euro) / _of(sell, per_euro)


def _of(currency: str, per_euro: dict[str, Decimal]) -> Fraction:
    return Fraction(1) if currency == "eur" else Fraction(per_euro[currency])


def _in_minor(rate: Fraction, sell: str, buy: str) -> Fraction:
    return rate * Fraction(10) ** (DECIMALS[buy] - DECIMALS[sell])


def margin_of(sell_minor: int, basis_points: int) -> int:
    """Rounded down: the house never earns more than was said."""
    return sell_minor * basis_points // WHOLE


def selling(sell_minor: int, sell: str, buy: str, rate: Fraction, basis_points: int) -> Amounts:
    """So much is sold; what is bought is rounded down and may be nothing."""
    margin = margin_of(sell_minor, basis_points)
    return Amounts(sell_minor, margin, int((sell_minor - margin) * _in_minor(rate, sell, buy)))


def buying(buy_minor: int, sell: str, buy: str, rate: Fraction, basis_points: int) -> Amounts:
    """So much is bought: the smallest amount to sell for which the rate gives at least that."""
    needed = Fraction(buy_minor) / _in_minor(rate, sell, buy)
    net = -(-needed.numerator // needed.denominator)
    # sold minus its margin grows by nought or one with every unit: the first that reaches `net` is close by
    sold = net * WHOLE // (WHOLE - basis_points)
    while sold - margin_of(sold, basis_points) < net:
        sold += 1
    while sold > 1 and sold - 1 - margin_of(sold - 1, basis_points) >= net:
        sold -= 1
    return Amounts(sold, margin_of(sold, basis_points), buy_minor)


def shown(rate: Fraction) -> Decimal:
    """As it is stored and shown, with ten decimals, rounded down."""
    with localcontext(prec=60):
        return (Decimal(rate.numerator) / Decimal(rate.denominator)).quantize(_PLACES, rounding=ROUND_DOWN)
