"""What is asked of outgoing transfers beside their lists."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.ledger.models import Account
from dashboard.transfers.models import StatusChange

RECALL = "recallRequested"


def recall_requested_at(transfer_id: UUID) -> datetime | None:
    """When the transfer was asked back from its provider; None where it was not."""
    return session().scalar(
        sa.select(sa.func.min(StatusChange.at)).where(
            StatusChange.transfer_id == transfer_id, StatusChange.code == RECALL
        )
    )


def owner_of(account_id: UUID) -> UUID:
    """Whose account it is. Raises NotFound `accountNotFound`, also for one of the house."""
    owner_id = session().scalar(sa.select(Account.owner_id).where(Account.id == account_id))
    if owner_id is None:
        raise NotFound("There is no such account.", code="accountNotFound")
    return owner_id
