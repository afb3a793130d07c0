"""Which treasury days were worked out from a bank account."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.treasury.days.models import TreasuryDay
from dashboard.treasury.positions.models import PositionAccount
from dashboard.treasury.vocabulary import DayState


def used(bank_account_id: UUID, day: date) -> list[UUID]:
    """Prepared and signed versions of that day and later whose figures hold the bank account, whichever pool it serves
    now."""
    return list(
        session().scalars(
            sa.select(TreasuryDay.id)
            .where(
                TreasuryDay.day >= day,
                TreasuryDay.state.in_([DayState.PREPARED.value, DayState.SIGNED.value]),
                sa.exists().where(
                    PositionAccount.treasury_day_id == TreasuryDay.id,
                    PositionAccount.bank_account_id == bank_account_id,
                ),
            )
            .order_by(TreasuryDay.day)
        )
    )
