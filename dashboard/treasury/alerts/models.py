"""The table of alerts."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base, new_id
from dashboard.treasury.register.models import POOLS

#: an alert without a pool, a currency or a subject is one of its own, not one that differs from every other
NOBODY = "00000000-0000-0000-0000-000000000000"


class TreasuryAlert(Base):
    """That something is wrong, told once while it stands. Told again, `times` grows and `says` is the newest words.

    `subject_id`: the one row that it is about, where each such row has an alert of its own.
    """

    __tablename__ = "treasury_alert"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    #: key of the check or threshold that found it
    check_key: Mapped[str]
    pool: Mapped[str | None]
    currency: Mapped[str | None]
    cause: Mapped[str]
    subject_id: Mapped[UUID | None]
    #: a sentence without personal data
    says: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="open")
    times: Mapped[int] = mapped_column(server_default="1")
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]
    settled_by_kind: Mapped[str | None]
    settled_by_id: Mapped[UUID | None]
    settled_by: Mapped[str | None]
    settled_because: Mapped[str | None]

    __table_args__ = (
        sa.CheckConstraint(f"pool IS NULL OR {POOLS}", name="pool_known"),
        sa.CheckConstraint("currency ~ '^[a-z]{3}$'", name="currency_is_code"),
        sa.CheckConstraint("state IN ('open', 'settled')", name="state_known"),
        sa.CheckConstraint("times > 0", name="told_at_least_once"),
        sa.CheckConstraint("last_at >= first_at", name="told_in_order"),
        sa.CheckConstraint(
            "(state = 'settled') = (settled_at IS NOT NULL)"
            " AND (state <> 'settled' OR (settled_by IS NOT NULL AND settled_because IS NOT NULL))",
            name="settled_says_why",
        ),
        sa.Index(
            "uq_treasury_alert_open", "check_key", sa.text("coalesce(pool, '')"), sa.text("coalesce(currency, '')"),
            "cause", sa.text(f"coalesce(subject_id, '{NOBODY}'::uuid)"), unique=True,
            postgresql_where=sa.text("state = 'open'"),
        ),
        sa.Index("ix_treasury_alert_state", "state", sa.text("id DESC")),
    )  # fmt: skip
