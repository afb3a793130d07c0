"""Tables of treasury days."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base, new_id
from dashboard.treasury.register.models import POOLS


class TreasuryDay(Base):
    """One version of a business day of a pool and currency. Signed ones never change but to `reopened`."""

    __tablename__ = "treasury_day"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    pool: Mapped[str]
    currency: Mapped[str]
    day: Mapped[date] = mapped_column(sa.ForeignKey("business_day.day"))
    version: Mapped[int]
    state: Mapped[str]
    opened_at: Mapped[datetime]
    prepared_at: Mapped[datetime | None]
    prepared_by_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("staff_member.id"))
    prepared_by: Mapped[str | None]
    signed_at: Mapped[datetime | None]
    signed_by_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("staff_member.id"))
    signed_by: Mapped[str | None]
    reopened_at: Mapped[datetime | None]
    reopened_by_id: Mapped[UUID | None]
    reopened_by: Mapped[str | None]
    reopened_because: Mapped[str | None]

    __table_args__ = (
        sa.CheckConstraint(POOLS, name="pool_known"),
        sa.CheckConstraint("currency ~ '^[a-z]{3}$'", name="currency_is_code"),
        sa.CheckConstraint("state IN ('open', 'prepared', 'signed', 'reopened')", name="state_known"),
        sa.CheckConstraint("version > 0", name="version_positive"),
        sa.CheckConstraint(
            "state NOT IN ('prepared', 'signed') OR (prepared_at IS NOT NULL AND prepared_by_id IS NOT NULL)",
            name="prepared_by_somebody",
        ),
        sa.CheckConstraint("state <> 'signed' OR signed_at IS NOT NULL", name="signed_has_time"),
        sa.CheckConstraint("(signed_at IS NULL) = (signed_by_id IS NULL)", name="signed_by_somebody"),
        sa.CheckConstraint("signed_by_id IS NULL OR signed_by_id <> prepared_by_id", name="signer_is_not_preparer"),
        sa.CheckConstraint(
            "(state = 'reopened') = (reopened_at IS NOT NULL)"
            " AND (state <> 'reopened' OR reopened_because IS NOT NULL)",
            name="reopened_says_why",
        ),
        sa.Index("uq_treasury_day_version", "pool", "currency", "day", "version", unique=True),
        sa.Index("uq_treasury_day_current", "pool", "currency", "day", unique=True,
                 postgresql_where=sa.text("state <> 'reopened'")),
        sa.Index("ix_treasury_day_day", sa.text("day DESC"), "pool", "currency"),
    )  # fmt: skip
