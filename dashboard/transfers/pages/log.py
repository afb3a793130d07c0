"""The log of a receipt in words: who decided what, for which account; what was written stands behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from dashboard.ledger.queries.parties import Party, parties
from dashboard.transfers.models import ReceiptEvent

KINDS = {
    "note": "Note", "question": "Asked the payer", "reply": "Reply", "kept": "Kept", "reopened": "Opened again",
    "late": "Late",
}  # fmt: skip
DECIDED = {
    ("assign", "waiting"): "Asked to assign to {}",
    ("assign", "posted"): "Assigned to {}",
    ("return", "waiting"): "Asked to send back to the payer",
    ("return", "posted"): "Sent back to the payer",
}
#: what the service writes where nobody gave a reason: the line says it already
_NOTHING_MORE = {"Assigned", "Sent back"}


@dataclass(frozen=True)
class LogLine:
    """`what` in bold, then what a person wrote."""

    at: datetime
    what: str
    said: str
    by: str


def lines(events: list[ReceiptEvent]) -> list[LogLine]:
    """In the order of the events; the accounts behind them in one query."""
    sides = parties({UUID(event.detail["accountId"]) for event in events if event.detail.get("accountId")})
    found = []
    for event in events:
        what = _what(event, sides)
        said = "" if what and event.text in _NOTHING_MORE else event.text
        found.append(LogLine(event.at, what, said, event.by_name))
    return found


def _what(event: ReceiptEvent, sides: dict[UUID, Party]) -> str:
    account = event.detail.get("accountId")
    side = sides.get(UUID(account)) if account else None
    name = side.short if side else "a client"
    if event.kind == "decision":
        return DECIDED.get((event.detail.get("decision", ""), event.detail.get("state", "")), "").format(name)
    if event.kind == "undone":
        return f"Undone, taken from {name}" if side else "Undone"
    return KINDS.get(event.kind, "")
