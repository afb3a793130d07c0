"""Leaving a receipt where it is until a review date; the clocks run on."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.database import session
from dashboard.errors import Invalid, Refused
from dashboard.transfers.models import Receipt
from dashboard.transfers.services.desk import positions
from dashboard.transfers.vocabulary import ReceiptState


def keep(transfer_id: UUID, *, until: date, reason: str, beyond_reason: str | None = None, by: Actor) -> Receipt:
    """Keep it until somebody looks again. A date after `resolve_by` takes a reason of its own.

    Raises NotFound, Conflict `alreadyRequested`, Refused `invalidState`, `beyondResolveBy`, Invalid, Forbidden.
    """
    by.require(Permission.TRANSFERS_ASSIGN)
    _, receipt = positions.locked(transfer_id)
    positions.require_open(receipt)
    why = positions.text_of(reason, "reason")
    calendar = clock.calendar()
    if until < calendar.today():
        raise Invalid.one("until", "The review date is over.", "range")
    last = calendar.today(receipt.resolve_by)
    beyond = None
    if until > last:
        if not (beyond_reason or "").strip():
            raise Refused(
                "This is later than the money must be settled. Say why it may be kept longer.",
                code="beyondResolveBy",
                details={"resolveBy": receipt.resolve_by.isoformat()},
            )
        beyond = positions.text_of(beyond_reason, "beyondReason")
    positions.set_state(receipt, ReceiptState.KEPT, keep_until=until, keep_reason=why)
    session().flush()
    detail: dict[str, Any] = {"until": until.isoformat(), **({"beyondReason": beyond} if beyond else {})}
    positions.tell(receipt, "kept", why, by=by, **detail)
    return receipt


def reopen(transfer_id: UUID, *, by: Actor) -> Receipt:
    """Take up again what was kept, or whose payer was asked. Raises NotFound, Conflict, Refused `invalidState`."""
    by.require(Permission.TRANSFERS_ASSIGN)
    _, receipt = positions.locked(transfer_id)
    positions.require_open(receipt)
    if receipt.state == ReceiptState.OPEN:
        raise Refused("This money is open already.", code="invalidState", details={"state": receipt.state})
    was = receipt.state
    positions.set_state(receipt, ReceiptState.OPEN)
    session().flush()
    positions.tell(receipt, "reopened", "Taken up again", by=by, was=was)
    return receipt
