"""A list with every kind of column and awkward values, for the tests of exports."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from dashboard.money import Money
from dashboard.web.exports import About, Column, Kind, Listing

COLUMNS = [
    Column("id", "Reference"),
    Column("name", "Name", share=2),
    Column("state", "State"),
    Column("amount", "Amount", Kind.AMOUNT),
    Column("currency", "Currency"),
    Column("booked", "Booked", Kind.DATE),
    Column("posted", "Posted", Kind.MOMENT),
    Column("count", "Count", Kind.NUMBER),
]
LABELS = ["Reference", "Name", "State", "Amount", "Currency", "Booked", "Posted (Europe/Vilnius)", "Count"]

ABOUT = About(
    title="Transactions",
    institution="Sąskaitų namai",
    as_of=datetime(2026, 3, 13, 6, 42, 10, tzinfo=UTC),
    zone=ZoneInfo("Europe/Vilnius"),
    filters=[("Currency", "EUR"), ("Text", 'a, "b"\nc')],
    by="L. Saar",
    facts=[("Account", "LT12 1000 0111 0100 1000")],
)
LISTING = Listing(ABOUT, COLUMNS)

NAMES = ("Žydrūnė Petrauskaitė", "Łukasz Żółć", "Иван Щербаков", "Ilves OÜ")


class State(StrEnum):
    POSTED = "posted"


def row(**changes: Any) -> dict[str, Any]:
    """One row; 22:15 UTC on 12 March is the 13th in Vilnius."""
    return {
        "id": UUID("01890000-0000-7000-8000-000000000001"),
        "name": NAMES[0],
        "state": State.POSTED,
        "amount": Money(-123450, "eur"),
        "currency": "EUR",
        "booked": date(2026, 3, 12),
        "posted": datetime(2026, 3, 12, 22, 15, 7, 123456, tzinfo=UTC),
        "count": 3,
        **changes,
    }


def many(count: int) -> list[dict[str, Any]]:
    """Rows that can be told apart by reference and amount."""
    return [
        row(id=f"OUT-{number:05d}", name=NAMES[number % 4], amount=Decimal(number).scaleb(-2))
        for number in range(count)
    ]


def one(kind: Kind) -> Listing:
    """A list of one column, `value`."""
    return Listing(ABOUT, [Column("value", "Value", kind)])


#: texts that a spreadsheet must not compute
FORMULAS = [
    "=1+1",
    '=HYPERLINK("http://evil.example","x")',
    "+1+1",
    "-1+1",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    " =1+1",
    "\u00a0=1+1",
    "\ufeff=1+1",
    "\u200b @SUM(1)",
    "＝1+1",
    "＋1",
    "－1+2",
    "＠SUM(1)",
    "\tx",
    "+37061234567",
    "-",
    "-1e5",
    "- a note",
]

#: texts that stay as they are
HARMLESS = ["", "plain", "a=b", "1-2", "-12.50", "-7", "12.50", "'quoted", "Žalia", "a\nb", 'say "x", y', "5 - 3"]

#: values that no column of that kind takes: a float, minor units, a date that depends on a zone
WRONG = [
    (Kind.AMOUNT, 12.5),
    (Kind.AMOUNT, 1250),
    (Kind.AMOUNT, "12.50"),
    (Kind.AMOUNT, Decimal("NaN")),
    (Kind.AMOUNT, Decimal("Infinity")),
    (Kind.NUMBER, 1.5),
    (Kind.NUMBER, True),
    (Kind.DATE, datetime(2026, 3, 12, tzinfo=UTC)),
    (Kind.DATE, "2026-03-12"),
    (Kind.MOMENT, datetime(2026, 3, 12)),
    (Kind.MOMENT, date(2026, 3, 12)),
    (Kind.TEXT, 1.5),
    (Kind.TEXT, Decimal(1)),
    (Kind.TEXT, Money(1, "eur")),
]
