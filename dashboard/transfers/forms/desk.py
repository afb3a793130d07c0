"""The query string of the desk: filters, the open receipt's list and the cursor stand in the URL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from dashboard.clients.folding import words
from dashboard.clock import BusinessCalendar
from dashboard.money import DECIMALS, Money, NotRepresentable
from dashboard.transfers.queries.desk import DeskFilter
from dashboard.transfers.vocabulary import ReceiptState

CURRENCIES = [("", "Any"), *((code, code.upper()) for code in DECIMALS)]
#: state of a receipt: colour role and word
STATES = {
    ReceiptState.OPEN: ("neutral", "Open"),
    ReceiptState.ASKED: ("wait", "Asked"),
    ReceiptState.KEPT: ("info", "Kept"),
    ReceiptState.WAITING: ("wait", "Waiting for approval"),
    ReceiptState.ASSIGNED: ("ok", "Assigned"),
    ReceiptState.RETURNED: ("neutral", "Returned"),
    ReceiptState.REVERSED: ("stop", "Reversed"),
}
STATE_CHOICES = [
    ("", "Any"),
    *(
        (state.value, STATES[state][1])
        for state in (ReceiptState.OPEN, ReceiptState.ASKED, ReceiptState.KEPT, ReceiptState.WAITING)
    ),
]
WHOSE = {"": "All", "me": "Mine", "none": "Unassigned"}
#: mine and unassigned: what the figures of home open
OWN = "own"
LABELS = {
    "who": "Whose", "currency": "Currency", "state": "State", "amount": "Amount", "payer": "Payer",
    "text": "Text or reference", "due": "Due", "late": "Late",
}  # fmt: skip
LONGEST = 100
_NUMBER = re.compile(r"\d{1,17}(\.\d{1,3})?")


class FilterError(NamedTuple):
    """`name` is the control's, `label` what people call it."""

    name: str
    label: str
    message: str


@dataclass
class DeskQuery:
    """What the address asks for. `values` are the filters as typed; with `errors` nothing is listed."""

    values: dict[str, str]
    chosen: DeskFilter
    cursor: str | None
    errors: list[FilterError] = field(default_factory=list)

    @property
    def bound(self) -> object:
        """What a cursor of this list is bound to."""
        return ["desk", sorted(self.values.items())]

    @property
    def narrowed(self) -> bool:
        return bool(self.values)

    @property
    def wrong(self) -> dict[str, str]:
        return {error.name: error.message for error in self.errors}

    def query(self, *, cursor: str | None = None, **change: str | None) -> str:
        """The query string, `?` included; empty for the plain list. `change` sets or takes away a filter."""
        pairs = {key: value for key, value in {**self.values, **change}.items() if value}
        if cursor:
            pairs["cursor"] = cursor
        return f"?{urlencode(pairs)}" if pairs else ""

    @property
    def here(self) -> str:
        """The same list on the same page."""
        return self.query(cursor=self.cursor)

    def in_words(self) -> list[tuple[str, str]]:
        """The filters as an export names them."""
        whose = {**WHOSE, OWN: "Mine and unassigned"}
        known = {"currency": dict(CURRENCIES), "state": dict(STATE_CHOICES), "who": whose, "late": {"1": "yes"}}
        return [(LABELS[name], known.get(name, {}).get(value, value)) for name, value in self.values.items()]

    @classmethod
    def read(cls, args: Mapping[str, str], *, reader: UUID | None, calendar: BusinessCalendar) -> DeskQuery:
        """From the query string. What it cannot mean becomes an error with the filter's name."""
        values = {name: args[name].strip() for name in LABELS if args.get(name, "").strip()}
        errors: list[FilterError] = []

        def wrong(name: str, message: str) -> None:
            errors.append(FilterError(name, LABELS[name], message))

        def known(name: str, choices: list[str]) -> str | None:
            value = values.get(name)
            if value is not None and value not in choices:
                wrong(name, f"“{value[:40]}” is none of the choices.")
                return None
            return value

        def short(name: str) -> str | None:
            value = values.get(name)
            if value is None:
                return None
            if len(value) > LONGEST:
                wrong(name, f"Use at most {LONGEST} characters.")
                return None
            if any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
                wrong(name, "Remove the control characters.")
                return None
            return value

        amounts = None
        if "amount" in values:
            try:
                amounts = _amounts(values["amount"])
            except ValueError:
                wrong("amount", "Write an amount, like 1250.50.")
        text = short("text")
        if text is not None and not words(text):
            wrong("text", "Write letters or digits.")
        due = known("due", ["today"])
        chosen = DeskFilter(
            currency=known("currency", [key for key, _ in CURRENCIES]),
            state=known("state", [key for key, _ in STATE_CHOICES]),
            whose=known("who", [*WHOSE, OWN]) or "any",
            reader=reader,
            amounts=amounts,
            payer=short("payer"),
            text=text,
            late=known("late", ["1"]) is not None,
            due_before=calendar.closing(calendar.today()) if due else None,
        )
        return cls(values, chosen, args.get("cursor") or None, errors)


def _amounts(typed: str) -> tuple[tuple[str, int], ...]:
    """The figure in minor units of every currency that can hold it: `1250`, `1 250,50` and `1,250.50` are read."""
    plain = re.sub(r"\s", "", typed)
    plain = plain.replace(",", "") if "." in plain else plain.replace(",", ".")
    if not _NUMBER.fullmatch(plain):
        raise ValueError(typed)
    found = []
    for code in DECIMALS:
        try:
            found.append((code, Money.of(Decimal(plain), code).minor_units))
        except NotRepresentable:
            continue
    if not found:
        raise ValueError(typed)
    return tuple(found)
