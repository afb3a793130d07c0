"""Which payments transfers have in hand: the ledger alone does not move them."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.transfers.models import Disposition, Transfer


def transfer_of(payment_id: UUID) -> UUID | None:
    """The transfer that a payment books or decides about; None for a payment of the ledger's own."""
    booked = sa.select(Transfer.id).where(Transfer.payment_id == payment_id)
    decided = sa.select(Disposition.transfer_id).where(Disposition.payment_id == payment_id)
    return session().scalar(booked.union_all(decided).limit(1))
