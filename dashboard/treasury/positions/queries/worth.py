"""Totals in one currency, for view only: each with the rates it was made of. Nothing is compared or booked by them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from dashboard.money import DECIMALS, Money
from dashboard.transfers.services.exchange import ecb, quoting
from dashboard.treasury.positions.queries.standing import Position

#: the currency that the rates are of
BASE = ecb.BASE


@dataclass(frozen=True)
class UsedRate:
    currency: str
    rate: Decimal
    source: str
    as_of: datetime


@dataclass(frozen=True)
class Worth:
    """`resource`, `excess` and `shortfall` are None where one of them is unknown. `missing`: currencies without a rate,
    left out. `excess` adds up what is held above the requirement and `shortfall` what lacks (at most nought), each over
    the positions where it is so: what one holds too much of makes up for nothing that another lacks.
    """

    requirement: Money
    resource: Money | None
    excess: Money | None
    shortfall: Money | None
    rates: Sequence[UsedRate]
    missing: Sequence[str]
    unknown: Sequence[str]


def _in_base(minor: int, currency: str, rate: Fraction) -> Fraction:
    return Fraction(minor) / rate * Fraction(10) ** (DECIMALS[BASE] - DECIMALS[currency])


def _rounded(exact: Fraction) -> Money:
    """To the nearest cent, halves away from nought: a figure to read, not one to book."""
    return Money(int(abs(exact) + Fraction(1, 2)) * (-1 if exact < 0 else 1), BASE)


def worth(positions: Iterable[Position]) -> Worth | None:
    """Of all positions together; None where there is none."""
    found = list(positions)
    if not found:
        return None
    known = quoting.newest({one.figures.currency for one in found})
    rates = {currency: Fraction(rate.rate) for currency, rate in known.items()} | {BASE: Fraction(1)}
    counted = [one for one in found if one.figures.currency in rates]
    requirement = resource = over = under = Fraction(0)
    unknown = []
    for one in counted:
        figures = one.figures
        requirement += _in_base(figures.requirement, figures.currency, rates[figures.currency])
        if figures.excess is None or figures.resource is None:
            unknown.append(figures.currency)
        else:
            resource += _in_base(figures.resource, figures.currency, rates[figures.currency])
            lies_over = _in_base(figures.excess, figures.currency, rates[figures.currency])
            over, under = over + max(lies_over, Fraction(0)), under + min(lies_over, Fraction(0))
    whole = bool(counted) and not unknown
    return Worth(
        requirement=_rounded(requirement),
        resource=_rounded(resource) if whole else None,
        excess=_rounded(over) if whole else None,
        shortfall=_rounded(under) if whole else None,
        rates=[UsedRate(code, rate.rate.normalize(), rate.source, rate.as_of) for code, rate in sorted(known.items())],
        missing=sorted({one.figures.currency for one in found} - rates.keys()),
        unknown=sorted(set(unknown)),
    )
