"""Which treasury days were worked out from a bank account, or from a cover."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.treasury.days.models import TreasuryDay
from dashboard.treasury.positions.models import PositionAccount, PositionCover
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


def counting(cover_id: UUID, after: date) -> Sequence[TreasuryDay]:
    """Prepared and signed versions of days after that one whose resource holds the cover."""
    return session().scalars(
        sa.select(TreasuryDay)
        .where(
            TreasuryDay.day > after,
            TreasuryDay.state.in_([DayState.PREPARED.value, DayState.SIGNED.value]),
            sa.exists().where(
                PositionCover.treasury_day_id == TreasuryDay.id, PositionCover.cover_id == cover_id
            ),
        )
        .order_by(TreasuryDay.day)
        .execution_options(populate_existing=True)
    ).all()  # fmt: skip
