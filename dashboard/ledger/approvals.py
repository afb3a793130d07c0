"""What the ledger asks a second person for."""

from __future__ import annotations

from dashboard.access.permissions import Permission
from dashboard.approvals.kinds import Kind
from dashboard.ledger.services import adjusting

KINDS = (
    Kind(
        key=adjusting.ADJUST,
        label="Adjusting payment of",
        permission=Permission.PAYMENTS_ADJUST,
        fingerprint=adjusting.fingerprint,
        execute=adjusting.execute,
        done="Posted adjusting payment of",
        noun="Adjusting payment",
    ),
    Kind(
        key=adjusting.REVERSE,
        label="Reverse payment of",
        permission=Permission.PAYMENTS_ADJUST,
        fingerprint=adjusting.reversal_fingerprint,
        execute=adjusting.execute_reversal,
        done="Reversed payment of",
        noun="Reversal",
    ),
)
