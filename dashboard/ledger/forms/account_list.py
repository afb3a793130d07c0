"""Query strings of the account pages: filters, period and cursor stand in the URL, and only what is set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import NamedTuple
from urllib.parse import urlencode

from dashboard.ledger.queries.account_list import LONGEST_TEXT, ListFilter
from dashboard.ledger.queries.statements import Period
from dashboard.ledger.vocabulary import ACCOUNT_TYPE_LABELS
from dashboard.money import DECIMALS

TYPES = [("", "Any"), *((kind.value, label) for kind, label in ACCOUNT_TYPE_LABELS.items())]
CURRENCIES = [("", "Any"), *((code, code.upper()) for code in DECIMALS)]
STATUSES = [("", "Any"), ("open", "Open"), ("closed", "Closed")]
FROZEN = [("", "Any"), ("any", "Frozen"), ("debits", "Frozen: debits"), ("credits", "Frozen: credits")]
FILTERS = ("text", "type", "currency", "status", "frozen", "provider")
LONGEST_PROVIDER = 50
#: days that a statement shows when nobody asks for others
DAYS = 30


class QueryError(NamedTuple):
    """`name` is the control's, `label` what people call it."""

    name: str
    label: str
    message: str


@dataclass
class AccountQuery:
    """What the address of the list asks for. With `errors` nothing is listed."""

    values: dict[str, str]
    chosen: ListFilter
    cursor: str | None
    errors: list[QueryError] = field(default_factory=list)

    @property
    def bound(self) -> object:
        """What a cursor of this list is bound to."""
        return ["accounts", sorted(self.values.items())]

    @property
    def set_count(self) -> int:
        return len(self.values)

    @property
    def totals_follow(self) -> bool:
        """Whether totals per currency and type are those of the listed accounts: no other filter is set."""
        return self.values.keys() <= {"type", "currency"}

    def query(self, *, cursor: str | None = None, **extra: str) -> str:
        """The query string, `?` included; empty for the plain list."""
        pairs = {**self.values, **extra, **({"cursor": cursor} if cursor else {})}
        return f"?{urlencode(pairs)}" if pairs else ""

    def in_words(self) -> list[tuple[str, str]]:
        """The filters as an export names them."""
        labels = {"text": "Text", "type": "Type", "currency": "Currency", "status": "Status", "frozen": "Frozen",
                  "provider": "Provider"}  # fmt: skip
        known = {"type": dict(TYPES), "currency": dict(CURRENCIES), "status": dict(STATUSES), "frozen": dict(FROZEN)}
        return [(labels[name], known.get(name, {}).get(value, value)) for name, value in self.values.items()]

    @classmethod
    def read(cls, args: Mapping[str, str]) -> AccountQuery:
        """From the query string. What it cannot mean becomes an error with the filter's name."""
        values = {name: args[name].strip() for name in FILTERS if args.get(name, "").strip()}
        errors: list[QueryError] = []

        def known(name: str, label: str, choices: list[tuple[str, str]]) -> str:
            value = values.get(name, "")
            if value and value not in {key for key, _ in choices}:
                errors.append(QueryError(name, label, f"“{value[:40]}” is none of the choices."))
                return ""
            return value

        def short(name: str, label: str, longest: int) -> str:
            value = values.get(name, "")
            if len(value) > longest:
                errors.append(QueryError(name, label, f"Use at most {longest} characters."))
            if any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
                errors.append(QueryError(name, label, "Remove the control characters."))
                return ""
            return value[:longest]

        chosen = ListFilter(
            text=short("text", "Text", LONGEST_TEXT),
            type=known("type", "Type", TYPES),
            currency=known("currency", "Currency", CURRENCIES),
            status=known("status", "Status", STATUSES),
            frozen=known("frozen", "Frozen", FROZEN),
            provider=short("provider", "Provider", LONGEST_PROVIDER),
        )
        return cls(values, chosen, args.get("cursor") or None, errors)


@dataclass
class PeriodQuery:
    """The period of a statement. `period` is None with errors."""

    values: dict[str, str]
    period: Period | None
    cursor: str | None
    errors: list[QueryError] = field(default_factory=list)

    def query(self, *, cursor: str | None = None, **extra: str) -> str:
        """The query string, `?` included."""
        pairs = {**self.values, **extra, **({"cursor": cursor} if cursor else {})}
        return f"?{urlencode(pairs)}" if pairs else ""

    @classmethod
    def read(cls, args: Mapping[str, str], *, today: date) -> PeriodQuery:
        """From the query string; without dates the last thirty days up to the open business day, `today`."""
        values = {name: args[name].strip() for name in ("from", "to") if args.get(name, "").strip()}
        errors: list[QueryError] = []

        def day(name: str, label: str) -> date | None:
            try:
                found = date.fromisoformat(values[name]) if name in values else None
                if found is not None and not 1900 <= found.year <= 9000:
                    raise ValueError
            except ValueError:
                errors.append(QueryError(name, label, "Write the date as 2026-03-13."))
                return None
            return found

        first, last = day("from", "Booked from"), day("to", "Booked to")
        last = last or (max(today, first) if first else today)
        first = first or last - timedelta(days=DAYS - 1)
        if first > last and not errors:
            errors.append(QueryError("to", "Booked to", "This lies before the first day."))
        return cls(values, None if errors else Period(first, last), args.get("cursor") or None, errors)
