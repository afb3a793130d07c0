"""What is said of a cover: one set of values, with its rules and its words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from dashboard.errors import FieldError, Invalid
from dashboard.money import DECIMALS, LARGEST_MINOR_UNITS, Money
from dashboard.treasury.cover.models import Cover, CoverVersion
from dashboard.treasury.cover.vocabulary import KIND_LABELS, CoverKind
from dashboard.treasury.vocabulary import POOL_LABELS, Pool

LONGEST = 100
#: nothing was valid before, and nothing is looked at so late
_FIRST, _LAST = date(2000, 1, 1), date(2100, 1, 1)


@dataclass(frozen=True)
class Entry:
    """As in the table. `amount_minor` in minor units of the currency."""

    pool: str
    currency: str
    kind: str
    issuer: str
    reference: str
    amount_minor: int
    valid_from: date
    valid_to: date | None
    review_on: date

    def as_payload(self) -> dict[str, Any]:
        """JSON-ready, in the spelling that the trigger `treasury_cover_guard` compares with the row."""
        return {
            "pool": self.pool,
            "currency": self.currency,
            "kind": self.kind,
            "issuer": self.issuer,
            "reference": self.reference,
            "amountMinor": self.amount_minor,
            "validFrom": self.valid_from.isoformat(),
            "validTo": self.valid_to.isoformat() if self.valid_to else None,
            "reviewOn": self.review_on.isoformat(),
        }


def entry_of(payload: dict[str, Any]) -> Entry:
    """The entry as a request keeps it."""
    return Entry(
        pool=payload["pool"],
        currency=payload["currency"],
        kind=payload["kind"],
        issuer=payload["issuer"],
        reference=payload["reference"],
        amount_minor=payload["amountMinor"],
        valid_from=date.fromisoformat(payload["validFrom"]),
        valid_to=date.fromisoformat(payload["validTo"]) if payload["validTo"] else None,
        review_on=date.fromisoformat(payload["reviewOn"]),
    )


def standing(row: Cover | CoverVersion) -> Entry:
    """What a row says."""
    return Entry(
        row.pool, row.currency, row.kind, row.issuer, row.reference, row.amount_minor, row.valid_from, row.valid_to,
        row.review_on,
    )  # fmt: skip


def checked(entry: Entry) -> Entry:
    """The same with blanks put in order. Raises Invalid, naming every field that breaks a rule."""
    errors: list[FieldError] = []

    def wrong(field: str, message: str, rule: str) -> None:
        errors.append(FieldError(field, message, rule))

    if entry.pool not in set(Pool):
        wrong("pool", f"Choose one of {', '.join(Pool)}.", "enum")
    if entry.currency not in DECIMALS:
        wrong("currency", "This currency is not known here.", "enum")
    if entry.kind not in set(CoverKind):
        wrong("kind", f"Choose one of {', '.join(CoverKind)}.", "enum")
    issuer, reference = " ".join(entry.issuer.split()), " ".join(entry.reference.split())
    for name, text in (("issuer", issuer), ("reference", reference)):
        if not 0 < len(text) <= LONGEST:
            wrong(name, f"Use 1 to {LONGEST} characters.", "length")
    if not 0 < entry.amount_minor <= LARGEST_MINOR_UNITS:
        wrong("amount", "The amount must be above zero.", "range")
    for name, day in (("validFrom", entry.valid_from), ("validTo", entry.valid_to), ("reviewOn", entry.review_on)):
        if day is not None and not _FIRST <= day <= _LAST:
            wrong(name, "Write a day between 2000 and 2100.", "range")
    if entry.valid_to is not None and entry.valid_to < entry.valid_from:
        wrong("validTo", "The last day lies before the first.", "range")
    if entry.valid_to is None and entry.kind in {CoverKind.GUARANTEE, CoverKind.INSURANCE}:
        wrong("validTo", "A guarantee or a policy ends. Write its last day.", "required")
    if entry.review_on < entry.valid_from:
        wrong("reviewOn", "It is looked at again after it has begun.", "range")
    if errors:
        raise Invalid(errors)
    return replace(entry, issuer=issuer, reference=reference)


def _day(value: date | None) -> str:
    return f"{value.day} {value:%b %Y}" if value else "none"


def in_words(entry: Entry) -> dict[str, str]:
    """What people read, by label."""
    return {
        "Pool": POOL_LABELS[Pool(entry.pool)],
        "Currency": entry.currency.upper(),
        "Kind": KIND_LABELS[CoverKind(entry.kind)],
        "Issuer": entry.issuer,
        "Reference": entry.reference,
        "Amount": str(Money(entry.amount_minor, entry.currency)),
        "Valid from": _day(entry.valid_from),
        "Valid to": _day(entry.valid_to),
        "Review on": _day(entry.review_on),
    }


def difference(before: Entry | None, after: Entry) -> tuple[dict[str, str], dict[str, str]]:
    """Only what changes, in words: before and after. Of a new one what it covers and how long."""
    new = in_words(after)
    if before is None:
        return {"Cover": "none"}, {"Cover": f"{new['Amount']}, {new['Valid from']} to {new['Valid to']}"}
    old = in_words(before)
    changed = [label for label in new if old[label] != new[label]]
    return {label: old[label] for label in changed}, {label: new[label] for label in changed}
