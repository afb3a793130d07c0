"""Runs of one account and day."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.treasury.matching.models import MatchRun


def newest(bank_account_id: UUID, day: date) -> MatchRun | None:
    """Whatever its state, dry or not."""
    return session().scalar(
        sa.select(MatchRun)
        .where(MatchRun.bank_account_id == bank_account_id, MatchRun.day == day)
        .order_by(MatchRun.id.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )
