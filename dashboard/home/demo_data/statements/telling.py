"""Entries of a bank's statement, as banks write them: references in one place or another, some payments together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from random import Random
from uuid import UUID

from dashboard.home.demo_data.statements.bookings import Booking

#: payments of one order that a bank books as one sum
BATCH = 4
#: of so many lines one carries our name of the payment in the text only, and the bank's number is new to us
_IN_TEXT = 5


@dataclass(frozen=True)
class Line:
    """What a bank tells of one payment. `amount` as in Booking; `transactions`: what the ledger has of it."""

    amount: int
    value_date: date
    reference: str
    end_to_end_id: str | None
    party: str | None
    party_account: str | None
    text: str | None
    reversal: bool = False
    transactions: tuple[UUID, ...] = ()
    #: the bank's booking date; None: the day of the statement
    booked: date | None = None


@dataclass(frozen=True)
class Entry:
    """One booking of the bank: one line, or several booked as one sum under the reference of their order."""

    lines: tuple[Line, ...]
    batch: str | None = None

    @property
    def amount(self) -> int:
        return sum(line.amount for line in self.lines)


@dataclass(frozen=True)
class Told:
    """The statement of one bank account and day. Balances in minor units; `number` counts statements."""

    day: date
    number: int
    opening: int
    entries: tuple[Entry, ...]

    @property
    def closing(self) -> int:
        return self.opening + sum(entry.amount for entry in self.entries)

    @property
    def lines(self) -> list[Line]:
        return [line for entry in self.entries for line in entry.lines]


def lines(bookings: Sequence[Booking]) -> list[Line]:
    """One for each booking that a statement tells of."""
    found: list[Line] = []
    for booking in bookings:
        if booking.opening:
            continue
        line = Line(
            booking.amount, booking.value_date, booking.reference, booking.end_to_end_id, booking.party,
            booking.party_account, booking.text, booking.reversal, (booking.transaction,),
        )  # fmt: skip
        if line.end_to_end_id and booking.known and len(found) % _IN_TEXT == _IN_TEXT - 1:
            line = replace(
                line, reference=f"BK{booking.transaction.hex[-12:].upper()}", end_to_end_id=None,
                text=f"{line.text or 'Payment'} ref {line.end_to_end_id}",
            )  # fmt: skip
        found.append(line)
    return found


def batched(told: Sequence[Line], together: Sequence[Line], batch: str) -> tuple[Entry, ...]:
    """Each line an entry of its own, but for those `together`, which stand in one where the first of them was."""
    entries = []
    done = False
    for line in told:
        if line not in together:
            entries.append(Entry((line,)))
        elif not done:
            entries.append(Entry(tuple(together), batch))
            done = True
    return tuple(entries)


def an_order(told: Sequence[Line], random: Random, *, without: set[UUID]) -> list[Line]:
    """A few outgoing payments that may have left in one order; none where there are too few."""
    may = [
        line
        for line in told
        if line.amount < 0 and line.end_to_end_id and not line.reversal and without.isdisjoint(line.transactions)
    ]
    if len(may) < BATCH:
        return []
    chosen = random.sample(may, BATCH)
    return [line for line in may if line in chosen]
