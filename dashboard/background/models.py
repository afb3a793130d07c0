"""The table of background work."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base, new_id


class BackgroundJob(Base):
    """One piece of work. A runner owns it while its lease lasts; a lease that ran out is claimed by another."""

    __tablename__ = "background_job"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="queued")
    arguments: Mapped[dict[str, Any]]
    #: figures only, no personal data
    result: Mapped[dict[str, Any] | None]
    #: a sentence for people; never what somebody typed
    failure: Mapped[str | None]
    done: Mapped[int] = mapped_column(sa.BigInteger, server_default="0")
    total: Mapped[int | None] = mapped_column(sa.BigInteger)
    attempts: Mapped[int] = mapped_column(server_default="0")
    cancel_asked: Mapped[bool] = mapped_column(server_default=sa.false())
    asked_by_kind: Mapped[str]
    asked_by_id: Mapped[UUID | None]
    asked_by_name: Mapped[str]
    asked_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    #: which claim holds the lease: a runner whose lease ran out can no longer write
    lease: Mapped[UUID | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        sa.CheckConstraint("state IN ('queued', 'running', 'succeeded', 'failed', 'canceled')", name="state_known"),
        sa.CheckConstraint("(state = 'running') = (lease IS NOT NULL)", name="running_has_lease"),
        sa.CheckConstraint(
            "(state IN ('succeeded', 'failed', 'canceled')) = (finished_at IS NOT NULL)", name="ended_has_time"
        ),
        sa.Index("ix_background_job_waiting", "id", postgresql_where=sa.text("state IN ('queued', 'running')")),
        sa.Index("ix_background_job_kind", "kind", sa.text("id DESC")),
        # asking twice for work that must not run twice at once is refused by the caller through this index
        sa.Index(
            "uq_background_job_single",
            "kind",
            unique=True,
            postgresql_where=sa.text("state IN ('queued', 'running') AND (arguments ? 'single')"),
        ),
    )
