"""Differences between a statement and the ledger, one of each kind, put there on purpose and listed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import StrEnum
from random import Random
from uuid import UUID

from dashboard.home.demo_data.statements.bookings import Bank, Booking
from dashboard.home.demo_data.statements.telling import Line

FEE_TEXT = "prowizja"
FEE_MINOR = 450
#: what a bank on the way kept of an incoming payment
CHARGE_MINOR = 250
#: smallest amount that is made to differ
_SMALLEST = 1_000
_WEEK = timedelta(days=7)


class Kind(StrEnum):
    """What differs, in the words of the list of breaks."""

    MISSING_IN_LEDGER = "missingInLedger"
    MISSING_IN_STATEMENT = "missingInStatement"
    AMOUNT_DIFFERS = "amountDiffers"
    DUPLICATE = "duplicateAtBank"
    WRONG_DATE = "wrongDate"
    #: both sides have it, and nothing but the amount and a pair of eyes says so
    BY_HAND = "byHand"


class Remedy(StrEnum):
    """What the difference deserves."""

    ADJUST = "adjustingPayment"
    MATCH = "matchByHand"
    ACCEPT = "accept"


@dataclass(frozen=True)
class Planted:
    """One difference. Amounts in minor units, positive where money came to the bank; None: that side has nothing."""

    kind: Kind
    remedy: Remedy
    bank_minor: int | None
    ledger_minor: int | None
    transactions: tuple[UUID, ...]
    #: the bank's reference of the line that differs
    reference: str | None
    says: str

    @property
    def effect(self) -> int:
        """By how much the statement's closing balance moves away from the ledger."""
        return (self.bank_minor or 0) - (self.ledger_minor or 0)


@dataclass
class Plot:
    """Lines of one statement while differences are planted into them."""

    bank: Bank
    day: date
    lines: list[Line]
    random: Random
    planted: list[Planted] = field(default_factory=list)
    #: kinds for which there was no fitting payment
    left_out: list[Kind] = field(default_factory=list)
    #: transactions that something was planted at
    used: set[UUID] = field(default_factory=set)


Choice = Callable[[Line], bool]


def plant(
    bank: Bank, day: date, lines: Sequence[Line], bookings: Sequence[Booking], kinds: Sequence[Kind], random: Random
) -> Plot:
    """The lines with one difference of each of these kinds, as far as there are payments for them."""
    plot = Plot(bank, day, list(lines), random)
    known = {booking.transaction for booking in bookings if booking.known and not booking.reversal}
    amounts = [abs(line.amount) for line in lines]
    #: a payment by whose amount nothing else could be meant
    single = {
        line.transactions
        for line in lines
        if amounts.count(abs(line.amount)) == 1 and known.issuperset(line.transactions)
        and abs(line.amount) >= _SMALLEST
    }  # fmt: skip
    for kind in kinds:
        if not _PLANTERS[kind](plot, lambda line: line.transactions in single):
            plot.left_out.append(kind)
    return plot


def _chosen(plot: Plot, may: Choice) -> int | None:
    """The place of a line that fits; what was used before is left alone."""
    fitting = [
        place
        for place, line in enumerate(plot.lines)
        if line.transactions and may(line) and plot.used.isdisjoint(line.transactions)
    ]
    if not fitting:
        return None
    place = plot.random.choice(fitting)
    plot.used.update(plot.lines[place].transactions)
    return place


def _fee(plot: Plot, _may: Choice) -> bool:
    reference = f"FEE{plot.day:%y%m%d}{plot.bank.currency.upper()}"
    plot.lines.append(Line(-FEE_MINOR, plot.day, reference, None, None, None, FEE_TEXT))
    plot.planted.append(
        Planted(
            Kind.MISSING_IN_LEDGER, Remedy.ADJUST, -FEE_MINOR, None, (), reference,
            f"The bank took a fee ('{FEE_TEXT}') that nobody has booked.",
        )
    )  # fmt: skip
    return True


def _not_told(plot: Plot, may: Choice) -> bool:
    # one that came the evening before is old enough to be missed; else any
    place = _chosen(plot, lambda line: may(line) and line.amount > 0 and line.value_date < plot.day)
    if place is None:
        place = _chosen(plot, lambda line: may(line) and line.amount > 0)
    if place is None:
        return False
    line = plot.lines.pop(place)
    plot.planted.append(
        Planted(
            Kind.MISSING_IN_STATEMENT, Remedy.ACCEPT, None, line.amount, line.transactions, None,
            "The ledger has a payment that the bank does not tell of.",
        )
    )  # fmt: skip
    return True


def _less(plot: Plot, may: Choice) -> bool:
    place = _chosen(plot, lambda line: may(line) and line.amount > 10 * CHARGE_MINOR)
    if place is None:
        return False
    line = plot.lines[place]
    plot.lines[place] = replace(line, amount=line.amount - CHARGE_MINOR)
    plot.planted.append(
        Planted(
            Kind.AMOUNT_DIFFERS, Remedy.ADJUST, line.amount - CHARGE_MINOR, line.amount, line.transactions,
            line.reference, "A bank on the way kept its charges: less came in than was booked.",
        )
    )  # fmt: skip
    return True


def _twice(plot: Plot, may: Choice) -> bool:
    place = _chosen(plot, lambda line: may(line) and line.amount < 0 and line.end_to_end_id is not None)
    if place is None:
        return False
    line = plot.lines[place]
    plot.lines.insert(place + 1, replace(line, transactions=()))
    plot.planted.append(
        Planted(
            Kind.DUPLICATE, Remedy.ACCEPT, line.amount, None, (), line.reference,
            "The bank booked one payment twice; it was sent once.",
        )
    )  # fmt: skip
    return True


def _late(plot: Plot, may: Choice) -> bool:
    place = _chosen(plot, lambda line: may(line) and line.amount < 0 and line.end_to_end_id is not None)
    if place is None:
        return False
    line = plot.lines[place]
    plot.lines[place] = replace(line, value_date=line.value_date - _WEEK)
    plot.planted.append(
        Planted(
            Kind.WRONG_DATE, Remedy.ACCEPT, line.amount, line.amount, line.transactions, line.reference,
            "The bank gave the payment a value date of a week before.",
        )
    )  # fmt: skip
    return True


def _nameless(plot: Plot, may: Choice) -> bool:
    place = _chosen(plot, lambda line: may(line) and line.amount < 0)
    if place is None:
        return False
    line = plot.lines[place]
    reference = f"MAN{plot.day:%y%m%d}{plot.bank.currency.upper()}"
    plot.lines[place] = replace(
        line, reference=reference, end_to_end_id=None, party="Clearing of paper orders", party_account=None,
        text="Order by letter", value_date=line.value_date - 2 * _WEEK,
    )  # fmt: skip
    plot.planted.append(
        Planted(
            Kind.BY_HAND, Remedy.MATCH, line.amount, line.amount, line.transactions, reference,
            "The bank carried out the payment on paper: no reference, another name, an old value date.",
        )
    )  # fmt: skip
    return True


#: in this order, so that the choosy ones come first
_PLANTERS: dict[Kind, Callable[[Plot, Choice], bool]] = {
    Kind.MISSING_IN_STATEMENT: _not_told,
    Kind.AMOUNT_DIFFERS: _less,
    Kind.DUPLICATE: _twice,
    Kind.WRONG_DATE: _late,
    Kind.BY_HAND: _nameless,
    Kind.MISSING_IN_LEDGER: _fee,
}
ALL_KINDS = tuple(_PLANTERS)
