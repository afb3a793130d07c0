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
#: farther apart than any pass lets dates be
_FAR = timedelta(days=21)


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
    #: of the line that differs, as pages show it: our own where the bank tells it, else the bank's
    reference: str | None
    says: str

    @property
    def found(self) -> Kind:
        """The kind of break that matching makes of it."""
        # the ledger's side still has time, the bank's line has not
        return Kind.MISSING_IN_LEDGER if self.kind is Kind.BY_HAND else self.kind

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
    single = _single(lines, bookings)
    for kind in kinds:
        if not _PLANTERS[kind](plot, lambda line: line.transactions in single):
            plot.left_out.append(kind)
    return plot


def _single(lines: Sequence[Line], bookings: Sequence[Booking]) -> set[tuple[UUID, ...]]:
    """Payments by whose amount nothing else could be meant, and of which the ledger has a transfer."""
    known = {booking.transaction for booking in bookings if booking.known and not booking.reversal}
    amounts = [abs(line.amount) for line in lines]
    return {
        line.transactions
        for line in lines
        if amounts.count(abs(line.amount)) == 1
        and known.issuperset(line.transactions)
        and abs(line.amount) >= _SMALLEST
    }


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


def _less(plot: Plot, may: Choice) -> bool:
    place = _chosen(plot, lambda line: may(line) and line.amount > 10 * CHARGE_MINOR)
    if place is None:
        return False
    line = plot.lines[place]
    plot.lines[place] = replace(line, amount=line.amount - CHARGE_MINOR)
    plot.planted.append(
        Planted(
            Kind.AMOUNT_DIFFERS, Remedy.ADJUST, line.amount - CHARGE_MINOR, line.amount, line.transactions,
            line.end_to_end_id or line.reference, "A bank on the way kept its charges: less came in than was booked.",
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
            Kind.DUPLICATE, Remedy.ACCEPT, line.amount, None, (), line.end_to_end_id,
            "The bank booked one payment twice; it was sent once.",
        )
    )  # fmt: skip
    return True


def _late(plot: Plot, may: Choice) -> bool:
    place = _chosen(plot, lambda line: may(line) and line.amount < 0 and line.end_to_end_id is not None)
    if place is None:
        return False
    line = plot.lines[place]
    plot.lines[place] = replace(line, value_date=line.value_date - _FAR, booked=plot.day - _FAR)
    plot.planted.append(
        Planted(
            Kind.WRONG_DATE, Remedy.ACCEPT, line.amount, line.amount, line.transactions, line.end_to_end_id,
            "The bank booked the payment with dates of three weeks before.",
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
        text="Order by letter", value_date=line.value_date - _FAR,
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
    Kind.AMOUNT_DIFFERS: _less,
    Kind.DUPLICATE: _twice,
    Kind.WRONG_DATE: _late,
    Kind.BY_HAND: _nameless,
    Kind.MISSING_IN_LEDGER: _fee,
}
#: what is planted within one statement; what a bank never tells is left out of the one before (`not_told`)
ALL_KINDS = tuple(_PLANTERS)


def not_told(lines: Sequence[Line], bookings: Sequence[Booking], random: Random) -> tuple[Line, Planted] | None:
    """A payment that the statement of the day before leaves out: by the next day it is old enough to be missed."""
    single = _single(lines, bookings)
    fitting = [line for line in lines if line.transactions in single and line.amount > 0]
    if not fitting:
        return None
    line = random.choice(fitting)
    return line, Planted(
        Kind.MISSING_IN_STATEMENT, Remedy.ACCEPT, None, line.amount, line.transactions, None,
        "The ledger booked it on the day before, and the bank does not tell of it.",
    )  # fmt: skip
