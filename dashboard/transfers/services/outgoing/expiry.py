"""Transfers that nobody confirmed in time."""

from __future__ import annotations

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import system
from dashboard.database import session
from dashboard.transfers.models import Transfer
from dashboard.transfers.services.outgoing import cancel
from dashboard.transfers.vocabulary import Kind, Status

EXPIRED = "confirmationExpired"


def expire_unconfirmed(limit: int = 500) -> int:
    """Cancel them; gives how many. Safe to run several times at once: each takes what no other has locked."""
    due = (
        session()
        .scalars(
            sa.select(Transfer)
            .where(
                Transfer.status == Status.AWAITING_CONFIRMATION.value,
                Transfer.confirm_by <= clock.now(),
                Transfer.kind == Kind.OUTGOING.value,
            )
            .order_by(Transfer.confirm_by)
            .limit(limit)
            .with_for_update(skip_locked=True, key_share=True)
            .execution_options(populate_existing=True)
        )
        .all()
    )
    by = system("expiry")
    for transfer in due:
        cancel.end(transfer, code=EXPIRED, reason=None, by=by)
    return len(due)
