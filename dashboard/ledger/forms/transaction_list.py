"""The query string of the list of transactions: filters and cursor stand in the URL, and only what is set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from dashboard.ledger import owners
from dashboard.ledger.queries import parties
from dashboard.ledger.queries.filters import LONGEST_TEXT, SHORTEST_TEXT, Leaf, trigrams_in
from dashboard.ledger.states import BADGES, PARENT_LABELS
from dashboard.ledger.vocabulary import ParentType, PaymentState
from dashboard.money import DECIMALS, LARGEST_MINOR_UNITS

CURRENCIES = [("", "Any"), *((code, code.upper()) for code in DECIMALS)]
STATES = [("", "Any"), *((state.value, badge.word) for state, badge in BADGES.items())]
KINDS = [("", "Any"), *((kind.value, label) for kind, label in PARENT_LABELS.items())]
LABELS = {
    "text": "Description", "account": "Account", "client": "Client", "currency": "Currency",
    "amount": "Amount", "amount_from": "Amount at least", "amount_to": "Amount at most",
    "state": "State", "kind": "Belongs to", "booked_from": "Booked from",
    "booked_to": "Booked to", "reference": "Payment or parent",
}  # fmt: skip
#: clients by name and accounts by the end of their number: more than these are no choice
MOST_MATCHES = 50
_NUMBER = re.compile(r"\d{1,17}(\.\d{1,3})?")


class FilterError(NamedTuple):
    """`name` is the control's, `label` what people call it."""

    name: str
    label: str
    message: str


@dataclass
class TransactionQuery:
    """What the address asks for. `values` are the filters as typed; with `errors` nothing is listed."""

    values: dict[str, str]
    chosen: Leaf
    cursor: str | None
    errors: list[FilterError] = field(default_factory=list)

    @property
    def bound(self) -> object:
        """What a cursor of this list is bound to."""
        return ["transactions", sorted(self.values.items())]

    @property
    def set_count(self) -> int:
        return len(self.values)

    @property
    def wrong(self) -> dict[str, str]:
        """What is wrong with a filter, by its name."""
        return {error.name: error.message for error in self.errors}

    def query(self, *, cursor: str | None = None) -> str:
        """The query string, `?` included; empty for the plain list."""
        pairs = {**self.values, **({"cursor": cursor} if cursor else {})}
        return f"?{urlencode(pairs)}" if pairs else ""

    def in_words(self) -> list[tuple[str, str]]:
        """The filters as an export names them."""
        known = {"currency": dict(CURRENCIES), "state": dict(STATES), "kind": dict(KINDS)}
        return [(LABELS[name], known.get(name, {}).get(value, value)) for name, value in self.values.items()]

    @classmethod
    def read(cls, args: Mapping[str, str]) -> TransactionQuery:
        """From the query string. What it cannot mean becomes an error with the filter's name."""
        reading = Reading({name: args[name].strip() for name in LABELS if args.get(name, "").strip()})
        chosen = reading.leaf()
        return cls(reading.values, chosen, args.get("cursor") or None, reading.errors)


class Reading:
    """Filters as typed, read one by one; what is wrong with each is collected. `labels`: what people call them."""

    def __init__(self, values: dict[str, str], labels: Mapping[str, str] = LABELS) -> None:
        self.values = values
        self.labels = labels
        self.errors: list[FilterError] = []

    def wrong(self, name: str, message: str) -> None:
        self.errors.append(FilterError(name, self.labels[name], message))

    def known(self, name: str, choices: list[tuple[str, str]]) -> str | None:
        value = self.values.get(name)
        if value is not None and value not in {key for key, _ in choices}:
            self.wrong(name, f"“{value[:40]}” is none of the choices.")
            return None
        return value

    def short(self, name: str, longest: int) -> str | None:
        value = self.values.get(name)
        if value is None:
            return None
        if len(value) > longest:
            self.wrong(name, f"Use at most {longest} characters.")
            return None
        if any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
            self.wrong(name, "Remove the control characters.")
            return None
        return value

    def day(self, name: str) -> date | None:
        try:
            found = date.fromisoformat(self.values[name]) if name in self.values else None
            if found is not None and not 1900 <= found.year <= 9000:
                raise ValueError
        except ValueError:
            self.wrong(name, "Write the date as 2026-03-13.")
            return None
        return found

    def amount(self, name: str) -> Decimal | None:
        """`1250`, `1 250,50` and `1,250.50` are read."""
        if name not in self.values:
            return None
        typed = re.sub(r"\s", "", self.values[name])
        typed = typed.replace(",", "") if "." in typed else typed.replace(",", ".")
        if not _NUMBER.fullmatch(typed):
            self.wrong(name, "Write an amount, like 1250.50.")
            return None
        found = Decimal(typed)
        if found > LARGEST_MINOR_UNITS:
            self.wrong(name, "The amount is too large.")
            return None
        return found

    def text(self) -> str | None:
        text = self.short("text", LONGEST_TEXT)
        if text is not None and not trigrams_in(text):
            self.wrong("text", f"Write at least {SHORTEST_TEXT} characters in a row.")
            return None
        return text

    def reference(self) -> UUID | None:
        value = self.values.get("reference")
        found = parties.as_uuid(value) if value else None
        if value and found is None:
            self.wrong("reference", "Write a whole identifier of a payment, a transaction or a parent.")
        return found

    def accounts(self) -> tuple[UUID, ...] | None:
        typed = self.short("account", 100)
        if typed is None:
            return None
        found = parties.numbered(typed, MOST_MATCHES + 1)
        if not found and len("".join(typed.split())) < parties.SHORTEST_END:
            self.wrong("account", f"Write the whole number, or at least its last {parties.SHORTEST_END} characters.")
        elif len(found) > MOST_MATCHES:
            self.wrong("account", f"More than {MOST_MATCHES} accounts end so. Write more of the number.")
        return tuple(found)

    def owners(self) -> tuple[UUID, ...] | None:
        typed = self.short("client", LONGEST_TEXT)
        if typed is None:
            return None
        identifier = parties.as_uuid(typed)
        if identifier is not None:
            return (identifier,)
        found = owners.directory().matching(typed, MOST_MATCHES + 1)
        if len(found) > MOST_MATCHES:
            self.wrong("client", f"More than {MOST_MATCHES} clients match. Write more of the name.")
        return tuple(found)

    def leaf(self) -> Leaf:
        currency, state = self.known("currency", CURRENCIES), self.known("state", STATES)
        kind = self.known("kind", KINDS)
        low, high = self.amount("amount_from"), self.amount("amount_to")
        if low is not None and high is not None and low > high:
            self.wrong("amount_to", "This is less than the least amount.")
        exact = self.amount("amount")
        if exact is not None and not (low is None and high is None):
            self.wrong("amount", "Use either this or the amounts at least and at most.")
        first, last = self.day("booked_from"), self.day("booked_to")
        if first and last and first > last:
            self.wrong("booked_to", "This lies before the first day.")
        said: dict[str, Any] = {"text": self.text(), "reference": self.reference()}
        # what costs a query is looked up last, and only for filters that are right
        if not self.errors:
            said |= {"accounts": self.accounts(), "owners": self.owners()}
        return Leaf(
            currency=currency,
            states=(PaymentState(state),) if state else None,
            parent_type=ParentType(kind) if kind else None,
            amount_from=low if exact is None else exact,
            amount_to=high if exact is None else exact,
            booking_from=first,
            booking_to=last,
            **said,
        )
