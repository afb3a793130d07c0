"""Money as integer minor units plus a currency. No float anywhere.

The currency table is data (ISO 4217 exponents): a currency is added by a line, not by code.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

#: ISO 4217 code in lower case (as in the JSON documents) to the number of decimals
DECIMALS: dict[str, int] = {
    "eur": 2, "gbp": 2, "usd": 2, "chf": 2, "pln": 2, "sek": 2, "nok": 2, "dkk": 2, "cad": 2, "cny": 2,
    "jpy": 0, "bhd": 3,
}  # fmt: skip

#: the largest amount in minor units that JSON callers may send (DESIGN: exact up to 10^16)
LARGEST_MINOR_UNITS = 10**16


class NotRepresentable(ValueError):
    """The number has more decimals than the currency, or is out of range."""


@dataclass(frozen=True, order=False)
class Money:
    """An exact amount. `minor_units` may be negative (a difference); `currency` is lower case."""

    minor_units: int
    currency: str

    def __post_init__(self) -> None:
        if self.currency not in DECIMALS:
            raise NotRepresentable(f"unknown currency {self.currency!r}")

    @classmethod
    def of(cls, amount: Decimal | int, currency: str) -> Money:
        """From a decimal number of major units. Raises NotRepresentable rather than round."""
        number = Decimal(amount)
        if currency not in DECIMALS:
            raise NotRepresentable(f"unknown currency {currency!r}")
        if not number.is_finite():
            raise NotRepresentable("an amount must be a finite number")
        if abs(number) > LARGEST_MINOR_UNITS:
            raise NotRepresentable("the amount is too large")
        # scaling rounds to 28 digits, a comparison never: what was cut off shows when the way back is compared
        minor = int(number.scaleb(DECIMALS[currency]))
        if Decimal(minor).scaleb(-DECIMALS[currency]) != number:
            raise NotRepresentable(f"{currency.upper()} has {DECIMALS[currency]} decimals")
        if abs(minor) > LARGEST_MINOR_UNITS:
            raise NotRepresentable("the amount is too large")
        return cls(minor, currency)

    @property
    def amount(self) -> Decimal:
        """Major units, with exactly the currency's decimals."""
        return Decimal(self.minor_units).scaleb(-DECIMALS[self.currency])

    def __add__(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise ValueError("amounts of different currencies are never added")
        return Money(self.minor_units + other.minor_units, self.currency)

    def __str__(self) -> str:
        """As a screen shows it: real minus sign, thousands separated, the currency's decimals."""
        return f"{self.figure} {self.currency.upper()}"

    @property
    def figure(self) -> str:
        """The same without the currency's code, for a column that has it beside."""
        sign = "−" if self.minor_units < 0 else ""
        decimals = DECIMALS[self.currency]
        whole, part = divmod(abs(self.minor_units), 10**decimals)
        return f"{sign}{whole:,}.{part:0{decimals}d}" if decimals else f"{sign}{whole:,}"
