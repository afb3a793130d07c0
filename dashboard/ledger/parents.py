"""Payments that something above the ledger has in hand. `app.py` connects the two: the ledger knows no transfers.

Moved by the ledger alone, such a payment would say something else than what it belongs to; the database refuses that
too, at the end of the transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from dashboard.errors import Refused

#: a payment's id to the id of the transfer that has it in hand, or None
Claim = Callable[[UUID], UUID | None]

_current: list[Claim] = []


def install(claim: Claim) -> None:
    """Called once, by app.py."""
    _current[:] = [claim]


def claimed_by(payment_id: UUID) -> UUID | None:
    """The transfer that has the payment in hand."""
    return _current[0](payment_id) if _current else None


def refuse_if_claimed(payment_id: UUID) -> None:
    """Raises Refused `belongsToTransfer`, which names the transfer."""
    transfer_id = claimed_by(payment_id)
    if transfer_id is not None:
        raise Refused(
            "This payment belongs to a transfer. Act on the transfer; a correction is an adjusting payment.",
            code="belongsToTransfer",
            details={"transferId": str(transfer_id)},
        )
