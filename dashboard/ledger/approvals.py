"""What the ledger asks a second person for."""

from __future__ import annotations

from dashboard.access.permissions import Permission
from dashboard.approvals.kinds import Kind, stale_because
from dashboard.ledger import asking
from dashboard.ledger.services import adjusting, checking, opening

KINDS = (
    Kind(
        key=adjusting.ADJUST,
        label="Adjusting payment of",
        permission=Permission.PAYMENTS_ADJUST,
        fingerprint=adjusting.fingerprint,
        execute=adjusting.execute,
        done="Posted adjusting payment of",
        noun="Adjusting payment",
        outcomes=asking.outcomes,
        details=asking.details,
        closed=asking.closed,
    ),
    Kind(
        key=adjusting.REVERSE,
        label="Reverse payment of",
        permission=Permission.PAYMENTS_ADJUST,
        fingerprint=adjusting.reversal_fingerprint,
        execute=adjusting.execute_reversal,
        done="Reversed payment of",
        noun="Reversal",
        outcomes=asking.outcomes,
        details=asking.details,
        closed=asking.closed,
    ),
    Kind(
        key=checking.ACCEPT,
        label="Let the rebuilt balance of … stand",
        permission=Permission.LEDGER_OPERATE,
        fingerprint=checking.fingerprint,
        execute=checking.accept,
        done="The rebuilt balance stands:",
        noun="Rebuilt balance",
        details=checking.details,
        closed=stale_because("the difference, or what became of it, changed"),
    ),
    Kind(
        key=opening.KIND,
        label="Post the opening balances of",
        permission=Permission.LEDGER_OPERATE,
        fingerprint=opening.fingerprint,
        execute=opening.execute,
        done="Posted the opening balances of",
        noun="Opening balances",
        details=opening.details,
        closed=stale_because("the file was posted or dropped"),
    ),
)
