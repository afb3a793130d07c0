"""Deciding after the time to allocate is over takes a reason, which stays with the receipt."""

from __future__ import annotations

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.errors import Refused
from dashboard.transfers.models import Receipt
from dashboard.transfers.services.desk import positions


def is_late(receipt: Receipt) -> bool:
    """Whether the time to allocate is over now."""
    return clock.now() > receipt.allocate_by


def account_for(receipt: Receipt, reason: str | None, *, by: Actor, otherwise: str | None = None) -> None:
    """Record why a decision comes late. `otherwise` is said where nobody had to give a reason: a decision asked for in
    time that waited for its second person, a credit that the bank told late.

    Raises Refused `lateReasonRequired`, Invalid (too long).
    """
    if not is_late(receipt):
        return
    said = (reason or "").strip() or (otherwise if receipt.late_reason is None else receipt.late_reason)
    if not said:
        raise Refused(
            "The time to allocate this money is over. Say why it is decided late.",
            code="lateReasonRequired",
            details={"allocateBy": receipt.allocate_by.isoformat()},
        )
    said = positions.text_of(said, "lateReason")
    if receipt.late_reason != said:
        receipt.late_reason = said
        positions.tell(receipt, "late", said, by=by)
