"""Events of transfers in words: for the page of a transfer, and for the timeline of its client."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from dashboard.audit.queries import TimelineEntry
from dashboard.clients.story import Said
from dashboard.clients.vocabulary import in_words
from dashboard.transfers.badges import check_label, title_of
from dashboard.transfers.models import Transfer
from dashboard.transfers.queries import transfers as queries
from dashboard.transfers.vocabulary import STATUS_LABELS, Check, Kind, Status

_EVENTS = {
    "transfer.messages_read": "Provider messages read",
    "transfer.recallRequested": "Asked back from the provider",
    "transfer_document.made": "Confirmation made",
    "transfer_document.read": "Confirmation read",
    "receipt.attempt": "Put on the desk",
    "receipt.note": "Note at the desk",
    "receipt.question": "Payer asked",
    "receipt.reply": "Payer’s reply kept",
    "receipt.filed": "File kept",
    "receipt.kept": "Kept at the desk",
    "receipt.reopened": "Opened again at the desk",
    "receipt.late": "Decided late",
    "receipt.screened": "Payer screened",
    "receipt.undone": "Decision undone: back on suspense",
    "recipient.added": "Recipient added",
    "recipient.hidden": "Recipient hidden",
    "recipient.shown": "Recipient shown again",
    "reference.given": "Reference for payers given",
    "reference.revoked": "Reference for payers revoked",
    "payerRule.active": "Rule for a payer in force",
    "payerRule.ended": "Rule for a payer ended",
}
#: what a decision at the desk left the receipt as
_DECIDED = {
    "waiting": "Second person asked",
    "assigned": "Assigned at the desk",
    "returned": "Sent back to the payer",
    "open": "Request closed: nothing was paid",
}


def code_words(code: str) -> str:
    """A code of a history in words; one of a bank (ISO 20022: AC04) as it is."""
    if code in set(Check):
        return check_label(code)
    return code if code.isupper() else in_words(code)


def words(entry: TimelineEntry) -> str:
    """One event, without its transfer."""
    name = entry.action.partition(".")[2]
    if entry.object_type == "transfer" and name in set(Status):
        return STATUS_LABELS[Status(name)]
    if entry.action == "receipt.decision":
        return _DECIDED.get(entry.after.get("state", ""), "Decided at the desk")
    return _EVENTS.get(entry.action) or in_words(name)


def _named(transfer: Transfer) -> str:
    """`Incoming transfer 45.00 EUR from Jonas Petrauskas`"""
    if transfer.kind == Kind.FOREIGN_EXCHANGE or not transfer.counterparty_name:
        return title_of(transfer)
    return f"{title_of(transfer)} {'from' if transfer.kind == Kind.INCOMING else 'to'} {transfer.counterparty_name}"


def of_transfers(entries: Sequence[TimelineEntry]) -> dict[UUID, Said]:
    """Which transfer, what became of it and why; all transfers in one query."""
    known = queries.by_ids(entry.object_id for entry in entries if entry.object_id)
    found = {}
    for entry in entries:
        transfer = known.get(entry.object_id) if entry.object_id else None
        if transfer is None:
            continue
        code = entry.after.get("code")
        become = f"{words(entry)}, {code_words(code)[:1].lower()}{code_words(code)[1:]}" if code else words(entry)
        found[entry.id] = Said(f"{_named(transfer)}: {become}", f"/transfers/{transfer.id}")
    return found


def of_requests(entries: Sequence[TimelineEntry]) -> dict[UUID, Said]:
    """What a provider told."""
    return {
        entry.id: Said(f"Message of incoming money: {words(entry).lower()}", f"/transfers/requests/{entry.object_id}")
        for entry in entries
    }


def of_others(entries: Sequence[TimelineEntry]) -> dict[UUID, Said]:
    """Recipients, references and rules; their details stand beside them."""
    return {entry.id: Said(words(entry), keeps=True) for entry in entries}


TELLERS = {
    "transfer": of_transfers,
    "incomingRequest": of_requests,
    "recipient": of_others,
    "client_reference": of_others,
    "payer_rule": of_others,
}
