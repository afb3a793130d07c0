"""What is exported: its columns with their kinds of values, and what the file says about itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from dashboard.errors import DomainError
from dashboard.money import Money

Item = TypeVar("Item")
#: column key to value
Row = Mapping[str, object]
Rows = Callable[[], Iterable[Row]]


class Kind(StrEnum):
    """What a column holds, and how it is written.

    text: str, enum, UUID, whole number or bool; stays text whatever it looks like.
    amount: Money or Decimal in major units; the currency stands in a column of its own.
    number: int or Decimal (counts, rates). date: a plain date, never shifted.
    moment: an aware datetime, written in the institution's zone.
    """

    TEXT = "text"
    AMOUNT = "amount"
    DATE = "date"
    MOMENT = "moment"
    NUMBER = "number"


@dataclass(frozen=True)
class Column:
    """One column: `key` finds the value in a row, `share` is its part of the room that texts have between them."""

    key: str
    label: str
    kind: Kind = Kind.TEXT
    share: float = 1.0


@dataclass(frozen=True)
class About:
    """What the file says about itself. `filters` and `facts` are pairs of label and words; `by` is a person's name.

    Without filters it says that nothing was left out. `facts` hold what else belongs to the head: an account, its
    opening balance.
    """

    title: str
    institution: str
    as_of: datetime
    zone: ZoneInfo
    filters: Sequence[tuple[str, str]] = ()
    by: str | None = None
    facts: Sequence[tuple[str, str]] = ()

    def lines(self) -> list[tuple[str, str]]:
        """Label and words, in the order in which every format shows them."""
        local = self.as_of.astimezone(self.zone)
        utc = self.as_of.astimezone(UTC)
        chosen = "; ".join(f"{label}: {words}" for label, words in self.filters)
        return [
            ("Institution", self.institution),
            *self.facts,
            ("Filter", chosen or "none, everything is here"),
            ("As of", f"{local.day} {local:%b %Y %H:%M:%S} {self.zone.key} ({utc:%Y-%m-%dT%H:%M:%SZ})"),
            *([("Exported by", self.by)] if self.by else []),
        ]


@dataclass(frozen=True)
class Listing:
    """A list to be exported."""

    about: About
    columns: Sequence[Column]

    def labels(self) -> list[str]:
        """The heads of the columns; those of moments name the zone."""
        return [
            f"{column.label} ({self.about.zone.key})" if column.kind is Kind.MOMENT else column.label
            for column in self.columns
        ]


class TooManyRows(DomainError):
    """More rows than this format may hold; `details["limit"]` says how many are allowed."""

    status = 422
    code = "tooManyRows"

    def __init__(self, format_name: str, limit: int) -> None:
        super().__init__(
            f"This list has more than {limit:,} rows, too many for one {format_name} file."
            " Export it as CSV, which has no limit, or narrow the filter.",
            details={"limit": limit},
        )


def parts(read: Callable[[Item | None], Sequence[Item]]) -> Iterator[Sequence[Item]]:
    """A list that is read a part at a time, to its end: `read` gives what comes after an item, first after none."""
    last: Item | None = None
    while found := read(last):
        yield found
        last = found[-1]


def at_most(rows: Iterable[Row], limit: int, format_name: str) -> Iterator[Row]:
    """The rows, as long as they are not more than `limit`. Raises TooManyRows at the first one beyond."""
    for count, row in enumerate(rows, start=1):
        if count > limit:
            raise TooManyRows(format_name, limit)
        yield row


def text_of(value: object) -> str:
    """A text as the file holds it. Raises TypeError for what is no text."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | UUID):
        return str(value)
    raise TypeError(f"no text: {type(value).__name__}")


def decimal_of(value: object) -> Decimal:
    """The exact number in major units, with its decimals. Raises TypeError, for a float and minor units too."""
    if isinstance(value, Money):
        value = value.amount
    if isinstance(value, Decimal) and value.is_finite():
        # minus zero is a way of computing, not an amount
        return value if value else value.copy_abs()
    raise TypeError(f"no exact amount: {type(value).__name__}")


def number_of(value: object) -> Decimal:
    """A count or a rate. Raises TypeError, for a float too."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return decimal_of(value)


def date_of(value: object) -> date:
    """A plain date. Raises TypeError for a datetime: it would depend on a zone."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise TypeError(f"no plain date: {type(value).__name__}")


def moment_of(value: object) -> datetime:
    """An aware datetime. Raises TypeError for a naive one: nobody knows its zone."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    raise TypeError(f"no moment with a zone: {type(value).__name__}")


def places(number: Decimal) -> int:
    """How many decimals the number is written with."""
    return max(-int(number.as_tuple().exponent), 0)
