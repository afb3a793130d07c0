"""Totals in one currency, for view only: each with the rates it was made of. Nothing is compared or booked by them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from dashboard.money import DECIMALS, Money
from dashboard.transfers.services.exchange import ecb, quoting
from dashboard.treasury.positions.queries.figures import Figures
from dashboard.treasury.positions.queries.house import OwnAccount
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


@dataclass(frozen=True)
class Net:
    """What the house has in a currency, less what it owes clients in it: its exposure to the rate. Minor units; `held`
    is what lies at the banks for clients, designated or not, and what covers beside them. None: unknown."""

    currency: str
    owed: int
    held: int | None
    own: int | None
    #: None for the currency that the rates are of, and where there is no rate
    rate: UsedRate | None
    in_base: Money | None

    @property
    def net(self) -> int | None:
        return None if self.held is None or self.own is None else self.held + self.own - self.owed


@dataclass(frozen=True)
class Exposure:
    """Net positions by currency. `long` and `short` add up those of other currencies than the base that are above and
    below nought, in the base; None: one of them is unknown."""

    nets: Sequence[Net]
    long: Money | None
    short: Money | None


def exposure(positions: Iterable[Position], own: Iterable[OwnAccount]) -> Exposure | None:
    """Of everything together; for view only. None where there is no position."""
    found, mine = list(positions), list(own)
    if not found:
        return None
    currencies = sorted({one.figures.currency for one in found} | {one.view.currency for one in mine})
    known = quoting.newest(set(currencies))
    nets = []
    for code in currencies:
        rate = known.get(code) if code != BASE else None
        owed = sum(one.figures.requirement for one in found if one.figures.currency == code)
        held = _sum(_held(one.figures) for one in found if one.figures.currency == code)
        lies = _sum(one.statement for one in mine if one.view.currency == code)
        used = UsedRate(code, rate.rate.normalize(), rate.source, rate.as_of) if rate else None
        net = Net(code, owed, held, lies, used, None)
        exact = Fraction(1) if code == BASE else Fraction(rate.rate) if rate else None
        if net.net is not None and exact is not None:
            net = replace(net, in_base=_rounded(_in_base(net.net, code, exact)))
        nets.append(net)
    foreign = [net.in_base for net in nets if net.currency != BASE]
    if None in foreign:
        return Exposure(nets, None, None)
    amounts = [one.minor_units for one in foreign if one is not None]
    return Exposure(
        nets, Money(sum(max(one, 0) for one in amounts), BASE), Money(sum(min(one, 0) for one in amounts), BASE)
    )


def _held(figures: Figures) -> int | None:
    if figures.at_bank is None or figures.lying is None or figures.received is None or figures.sent is None:
        return None
    return figures.at_bank + figures.lying + figures.other


def _sum(values: Iterable[int | None]) -> int | None:
    """Nought where there is nothing, unknown where one is."""
    found = list(values)
    return None if None in found else sum(one for one in found if one is not None)


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
