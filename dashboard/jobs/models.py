"""Tables of the clock."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base, new_id


class JobSetting(Base):
    """What is known of a job of the schedule. Who claims a run of it locks this row first."""

    __tablename__ = "job_setting"

    job: Mapped[str] = mapped_column(primary_key=True)
    #: times before this count for nothing: the job was not there yet, or was paused
    since: Mapped[datetime]
    paused_at: Mapped[datetime | None]
    paused_by_kind: Mapped[str | None]
    paused_by_id: Mapped[UUID | None]
    paused_by: Mapped[str | None]
    paused_because: Mapped[str | None]

    __table_args__ = (
        sa.CheckConstraint(
            "(paused_at IS NULL) = (paused_by IS NULL) AND (paused_at IS NULL) = (paused_because IS NULL)",
            name="paused_by_somebody",
        ),
    )


class JobRun(Base):
    """One run of a job for one of its times, or by hand. A scheduler owns it while its lease lasts."""

    __tablename__ = "job_run"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    job: Mapped[str]
    #: the time it stands for; of a run by hand the moment at which it was asked for
    scheduled_at: Mapped[datetime]
    by_hand: Mapped[bool] = mapped_column(server_default=sa.false())
    #: earlier times that nobody ran, which this run stands for too
    missed: Mapped[int] = mapped_column(server_default="0")
    state: Mapped[str]
    #: how often a scheduler began it: the second time the first one was lost
    attempts: Mapped[int] = mapped_column(server_default="0")
    lease: Mapped[UUID | None]
    lease_until: Mapped[datetime | None]
    #: which process has it or had it last
    owner: Mapped[str | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    #: figures only, no personal data
    figures: Mapped[dict[str, Any] | None]
    #: a sentence for people; never what somebody typed
    failure: Mapped[str | None]
    asked_by_kind: Mapped[str]
    asked_by_id: Mapped[UUID | None]
    asked_by: Mapped[str]

    __table_args__ = (
        sa.CheckConstraint("state IN ('queued', 'running', 'succeeded', 'failed', 'lost')", name="state_known"),
        sa.CheckConstraint("(state = 'running') = (lease IS NOT NULL)", name="running_has_lease"),
        sa.CheckConstraint("(lease IS NULL) = (lease_until IS NULL)", name="lease_has_an_end"),
        sa.CheckConstraint("(state IN ('queued', 'running')) = (finished_at IS NULL)", name="ended_has_time"),
        sa.CheckConstraint("(state IN ('failed', 'lost')) = (failure IS NOT NULL)", name="failed_says_why"),
        sa.CheckConstraint("state <> 'queued' OR by_hand", name="only_asked_ones_wait"),
        sa.CheckConstraint("missed >= 0 AND attempts >= 0", name="counts_not_negative"),
        # each job once for each of its times, however many schedulers there are
        sa.Index("uq_job_run_time", "job", sa.text("scheduled_at DESC"), unique=True),
        # and never beside itself
        sa.Index("uq_job_run_live", "job", unique=True, postgresql_where=sa.text("state IN ('queued', 'running')")),
        sa.Index("ix_job_run_log", "job", sa.text("id DESC")),
        sa.Index("ix_job_run_trouble", sa.text("id DESC"),
                 postgresql_where=sa.text("state IN ('failed', 'lost') OR missed > 0 OR attempts > 1")),
        sa.Index("ix_job_run_newest", sa.text("id DESC")),
    )  # fmt: skip
