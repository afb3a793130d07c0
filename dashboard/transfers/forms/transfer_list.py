"""The query string of the list of transfers: filters and cursor stand in the URL, and only what is set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from urllib.parse import urlencode

from dashboard.clock import calendar
from dashboard.ledger.forms.transaction_list import CURRENCIES, FilterError, Reading
from dashboard.transfers.queries.transfers import SHORTEST_WORD, TransferFilter, trigrams_in
from dashboard.transfers.services import providers
from dashboard.transfers.vocabulary import KIND_LABELS, STATUS_LABELS, TYPE_LABELS, Kind, Status, TransferType

LONGEST_TEXT = 200
LONGEST_REFERENCE = 140

KINDS = [("", "Any"), *((kind.value, label) for kind, label in KIND_LABELS.items())]
STATUSES = [("", "Any"), *((status.value, label) for status, label in STATUS_LABELS.items())]
TYPES = [("", "Any"), *((kind.value, label) for kind, label in TYPE_LABELS.items())]
LABELS = {
    "text": "Name, account, text, reference", "kind": "Kind", "status": "Status", "type": "Type",
    "account": "Account", "client": "Client", "currency": "Currency", "amount": "Amount",
    "amount_from": "Amount at least", "amount_to": "Amount at most", "created_from": "Created from",
    "created_to": "Created to", "provider": "Provider", "reference": "Provider reference",
}  # fmt: skip


@dataclass
class TransferQuery:
    """What the address asks for. `values` are the filters as typed; with `errors` nothing is listed."""

    values: dict[str, str]
    chosen: TransferFilter
    cursor: str | None
    providers: list[tuple[str, str]]
    errors: list[FilterError] = field(default_factory=list)

    @property
    def bound(self) -> object:
        """What a cursor of this list is bound to."""
        return ["transfers", sorted(self.values.items())]

    @property
    def set_count(self) -> int:
        return len(self.values)

    @property
    def wrong(self) -> dict[str, str]:
        """What is wrong with a filter, by its name."""
        return {error.name: error.message for error in self.errors}

    def query(self, *, cursor: str | None = None, **change: str | None) -> str:
        """The query string, `?` included; empty for the plain list. `change` sets filters, None takes them away."""
        values = {name: value for name, value in {**self.values, **change}.items() if value}
        pairs = {**values, **({"cursor": cursor} if cursor else {})}
        return f"?{urlencode(pairs)}" if pairs else ""

    def in_words(self) -> list[tuple[str, str]]:
        """The filters as an export names them."""
        known = {
            "currency": dict(CURRENCIES), "kind": dict(KINDS), "status": dict(STATUSES), "type": dict(TYPES),
            "provider": dict(self.providers),
        }  # fmt: skip
        return [(LABELS[name], known.get(name, {}).get(value, value)) for name, value in self.values.items()]

    @classmethod
    def read(cls, args: Mapping[str, str]) -> TransferQuery:
        """From the query string. What it cannot mean becomes an error with the filter's name."""
        known = [("", "Any"), *((one.key, one.name) for one in providers.all_providers())]
        values = {name: args[name].strip() for name in LABELS if args.get(name, "").strip()}
        reading = _Reading(values, known)
        chosen = reading.filter()
        return cls(values, chosen, args.get("cursor") or None, known, reading.errors)


class _Reading(Reading):
    def __init__(self, values: dict[str, str], providers: list[tuple[str, str]]) -> None:
        super().__init__(values, LABELS)
        self.providers = providers

    def words(self) -> str:
        text = self.short("text", LONGEST_TEXT)
        if text is not None and not trigrams_in(text):
            self.wrong("text", f"Write at least {SHORTEST_WORD} letters or digits in a row.")
        return text or ""

    def period(self) -> tuple[datetime | None, datetime | None]:
        """The first moment of the first day, and the first after the last."""
        first, last = self.day("created_from"), self.day("created_to")
        if first and last and first > last:
            self.wrong("created_to", "This lies before the first day.")
        zone = calendar().zone
        return (
            datetime.combine(first, time(), zone) if first else None,
            datetime.combine(last + timedelta(days=1), time(), zone) if last else None,
        )

    def filter(self) -> TransferFilter:
        kind, status, type = self.known("kind", KINDS), self.known("status", STATUSES), self.known("type", TYPES)
        currency, provider = self.known("currency", CURRENCIES), self.known("provider", self.providers)
        low, high = self.amount("amount_from"), self.amount("amount_to")
        if low is not None and high is not None and low > high:
            self.wrong("amount_to", "This is less than the least amount.")
        exact = self.amount("amount")
        if exact is not None and not (low is None and high is None):
            self.wrong("amount", "Use either this or the amounts at least and at most.")
        start, end = self.period()
        text, reference = self.words(), self.short("reference", LONGEST_REFERENCE)
        accounts = clients = None
        # what costs a query is looked up last, and only for filters that are right
        if not self.errors:
            accounts, clients = self.accounts(), self.owners()
        return TransferFilter(
            kind=Kind(kind) if kind else None,
            statuses=(Status(status),) if status else (),
            type=TransferType(type) if type else None,
            accounts=accounts,
            clients=clients,
            currency=currency,
            amount_from=low if exact is None else exact,
            amount_to=high if exact is None else exact,
            created_from=start,
            created_before=end,
            text=text,
            provider=provider,
            provider_reference=reference,
        )
