"""A person looked at a held transfer and lets it go on."""

from __future__ import annotations

from uuid import UUID

from dashboard.access.actor import Actor
from dashboard.clients.services.lock import locked as locked_client
from dashboard.errors import Invalid, NotFound
from dashboard.queues import services as queues
from dashboard.transfers.models import Transfer
from dashboard.transfers.services import checks, lifecycle
from dashboard.transfers.services.outgoing import booking, held, submitting
from dashboard.transfers.vocabulary import Kind, Status, TransferType

LONGEST_REASON = lifecycle.LONGEST_REASON


def checked_reason(text: str | None, *, field: str = "reason") -> str:
    """Trimmed. Raises Invalid without one."""
    reason = (text or "").strip()
    if not reason:
        raise Invalid.one(field, "Say why.", "required")
    if len(reason) > LONGEST_REASON:
        raise Invalid.one(field, f"Use at most {LONGEST_REASON} characters.", "tooLong")
    return reason


def go_on(transfer: Transfer, *, by: Actor) -> None:
    """A confirmed transfer with its money held: to its receiver in this house, or into the outbox."""
    if transfer.type == TransferType.INTERNAL:
        booking.settle_inside(transfer, by=by)
    else:
        submitting.let_go(transfer, by=by)


def release(transfer_id: UUID, *, reason: str, by: Actor) -> Transfer:
    """Let a held transfer go on, by one person with a reason. What refuses a transfer is asked again.

    Raises NotFound, Invalid (no reason), Refused `invalidState`, `recipientUnavailable` and what checks refuse.
    """
    why = checked_reason(reason)
    transfer = lifecycle.locked(transfer_id, kind=Kind.OUTGOING)
    lifecycle.require_status(transfer, Status.MANUAL_REVIEW)
    if transfer.client_id is not None:
        findings = checks.look(transfer, locked_client(transfer.client_id), stage=checks.Stage.RELEASED)
        checks.require(findings)
        checks.keep(transfer, findings)
    held.left(transfer, by=by)
    lifecycle.change_status(transfer, Status.CONFIRMED, by=by, code="released", reason=why)
    go_on(transfer, by=by)
    return transfer


def settle_contradiction(transfer_id: UUID, *, reason: str, by: Actor) -> Transfer:
    """A person has cleared with the provider what it said against what is booked; money moves by other verbs only.

    Raises NotFound, also where there is nothing to clear, Invalid (no reason).
    """
    why = checked_reason(reason)
    transfer = lifecycle.locked(transfer_id, kind=Kind.OUTGOING)
    if not held.contradicted(transfer):
        raise NotFound("Nothing contradicts this transfer.", code="noContradiction")
    queues.close_items(held.QUEUE, object_id=transfer.id, by=by, cause=held.CONTRADICTION)
    lifecycle.note(transfer, code="contradictionSettled", reason=why, by=by)
    return transfer
