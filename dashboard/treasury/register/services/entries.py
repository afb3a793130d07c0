"""What the register says of a bank account: one set of values, with its rules and its words."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import date, time
from typing import Any

from dashboard import clock
from dashboard.errors import FieldError, Invalid
from dashboard.transfers.services.calendars import known_country
from dashboard.treasury.register.models import TreasuryAccountVersion
from dashboard.treasury.register.queries import BankAccountView
from dashboard.treasury.vocabulary import POOL_LABELS, PURPOSE_LABELS, Pool, Purpose, StatementFormat

FORMAT_LABELS = {StatementFormat.CAMT: "camt", StatementFormat.MT940: "MT940", StatementFormat.CSV: "CSV"}
#: nobody closed or designated a bank account before
_FIRST = date(2000, 1, 1)


@dataclass(frozen=True)
class Entry:
    """As in the table; `expected_at` in whole minutes, in the institution's zone."""

    pool: str | None
    purpose: str
    designated_from: date | None
    designated_to: date | None
    statement_format: str | None
    expected_at: time | None
    calendar: str
    closed_on: date | None

    def as_payload(self) -> dict[str, Any]:
        """JSON-ready, in the spelling that the trigger `treasury_account_guard` compares with the row."""
        return {
            "pool": self.pool,
            "purpose": self.purpose,
            "designatedFrom": _iso(self.designated_from),
            "designatedTo": _iso(self.designated_to),
            "statementFormat": self.statement_format,
            "expectedAt": f"{self.expected_at:%H:%M}" if self.expected_at else None,
            "calendar": self.calendar,
            "closedOn": _iso(self.closed_on),
        }


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def entry_of(payload: dict[str, Any]) -> Entry:
    """The entry as a request keeps it."""
    return Entry(
        pool=payload["pool"],
        purpose=payload["purpose"],
        designated_from=_day(payload["designatedFrom"]),
        designated_to=_day(payload["designatedTo"]),
        statement_format=payload["statementFormat"],
        expected_at=time.fromisoformat(payload["expectedAt"]) if payload["expectedAt"] else None,
        calendar=payload["calendar"],
        closed_on=_day(payload["closedOn"]),
    )


def entry_in(version: TreasuryAccountVersion) -> Entry:
    """What a version of the register says."""
    return Entry(**{field.name: getattr(version, field.name) for field in fields(Entry)})


def standing(view: BankAccountView) -> Entry | None:
    """What the register says now; None of a bank account that is not registered."""
    if not view.registered:
        return None
    return Entry(**{field.name: getattr(view, field.name) for field in fields(Entry)})


def checked(entry: Entry) -> Entry:
    """The same with the country in capitals. Raises Invalid, naming every field that breaks a rule."""
    errors: list[FieldError] = []

    def wrong(field: str, message: str, rule: str) -> None:
        errors.append(FieldError(field, message, rule))

    if entry.purpose not in set(Purpose):
        wrong("purpose", f"Choose one of {', '.join(Purpose)}.", "enum")
    if entry.pool is not None and entry.pool not in set(Pool):
        wrong("pool", f"Choose one of {', '.join(Pool)}.", "enum")
    if entry.purpose == Purpose.OWN_FUNDS and entry.pool is not None:
        wrong("pool", "Own funds serve no pool. Leave it empty.", "notAllowed")
    if entry.purpose in {Purpose.SAFEGUARDING, Purpose.SETTLEMENT} and entry.pool is None:
        wrong("pool", "Say which pool it serves.", "required")
    if entry.purpose == Purpose.SAFEGUARDING:
        if entry.designated_from is None:
            wrong("designatedFrom", "Say from which day it is designated.", "required")
        elif entry.designated_from < _FIRST:
            wrong("designatedFrom", "Write a day after 1999.", "range")
        if entry.designated_from and entry.designated_to and entry.designated_to < entry.designated_from:
            wrong("designatedTo", "The last day lies before the first.", "range")
    else:
        for name, value in (("designatedFrom", entry.designated_from), ("designatedTo", entry.designated_to)):
            if value is not None:
                wrong(name, "Only a safeguarding account is designated. Leave it empty.", "notAllowed")
    if entry.statement_format is not None and entry.statement_format not in set(StatementFormat):
        wrong("statementFormat", f"Choose one of {', '.join(StatementFormat)}.", "enum")
    if entry.statement_format is not None and entry.expected_at is None:
        wrong("expectedAt", "Say by which time of the next day its statement is expected.", "required")
    if entry.statement_format is None and entry.expected_at is not None:
        wrong("expectedAt", "Without statements there is no time. Leave it empty, or choose a format.", "notAllowed")
    country = entry.calendar
    try:
        country = known_country(entry.calendar)
    except Invalid as invalid:
        wrong("calendar", invalid.errors[0].message, "country")
    if entry.closed_on is not None and not _FIRST <= entry.closed_on <= clock.calendar().today():
        wrong("closedOn", "The day of closing lies after 1999 and is not in the future.", "range")
    if errors:
        raise Invalid(errors)
    expected = entry.expected_at.replace(second=0, microsecond=0, tzinfo=None) if entry.expected_at else None
    return Entry(**{**asdict(entry), "calendar": country, "expected_at": expected})


def in_words(entry: Entry | None) -> dict[str, str]:
    """What people read, by label; of nothing: that it is not registered."""
    if entry is None:
        return {"Register": "not registered"}

    def day(value: date | None) -> str:
        return f"{value.day} {value:%b %Y}" if value else "none"

    return {
        "Pool": POOL_LABELS[Pool(entry.pool)] if entry.pool else "none",
        "Purpose": PURPOSE_LABELS[Purpose(entry.purpose)],
        "Designated from": day(entry.designated_from),
        "Designated to": day(entry.designated_to),
        "Statements": FORMAT_LABELS[StatementFormat(entry.statement_format)] if entry.statement_format else "none",
        "Expected by": f"{entry.expected_at:%H:%M} on the next day" if entry.expected_at else "none",
        "Calendar": entry.calendar,
        "Closed on": day(entry.closed_on),
    }


def difference(before: Entry | None, after: Entry) -> tuple[dict[str, str], dict[str, str]]:
    """Only what changes, in words: before and after."""
    old, new = in_words(before), in_words(after)
    if before is None:
        return old, {"Register": "registered", **{label: said for label, said in new.items() if said != "none"}}
    changed = [label for label in new if old[label] != new[label]]
    return {label: old[label] for label in changed}, {label: new[label] for label in changed}
