"""Tables of daily checks. What a run has found is never changed."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dashboard.database import Base, new_id
from dashboard.treasury.register.models import POOLS


class DailyCheckRun(Base):
    """One look at a business day with every check; it has the identifier of its background work.

    The three counts are of checks. A run that was canceled or failed keeps the results that it had come to.
    """

    __tablename__ = "daily_check_run"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    job_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("background_job.id"))
    day: Mapped[date] = mapped_column(sa.ForeignKey("business_day.day"))
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    passed: Mapped[int] = mapped_column(server_default="0")
    failed: Mapped[int] = mapped_column(server_default="0")
    not_run: Mapped[int] = mapped_column(server_default="0")
    by_kind: Mapped[str]
    by_id: Mapped[UUID | None]
    by_name: Mapped[str]

    __table_args__ = (
        sa.CheckConstraint("passed >= 0 AND failed >= 0 AND not_run >= 0", name="counts_not_negative"),
        sa.CheckConstraint("finished_at >= started_at", name="finished_later"),
        sa.Index("ix_daily_check_run_newest", sa.text("id DESC")),
        sa.Index("ix_daily_check_run_day", "day", sa.text("id DESC")),
        sa.Index("ix_daily_check_run_finished", sa.text("id DESC"),
                 postgresql_where=sa.text("finished_at IS NOT NULL")),
    )  # fmt: skip


class DailyCheckResult(Base):
    """How one check ended in one run. `findings` counts all of them; the table of findings holds the first thousand."""

    __tablename__ = "daily_check_result"

    run_id: Mapped[UUID] = mapped_column(sa.ForeignKey("daily_check_run.id"), primary_key=True)
    check_key: Mapped[str] = mapped_column(primary_key=True)
    outcome: Mapped[str]
    #: the input that is missing, in words; of a check that failed all the same: what it could not look at
    missing: Mapped[str | None]
    #: rows that it looked at
    looked: Mapped[int] = mapped_column(sa.BigInteger)
    findings: Mapped[int] = mapped_column(sa.BigInteger)
    ended_at: Mapped[datetime]
    milliseconds: Mapped[int] = mapped_column(sa.BigInteger)

    __table_args__ = (
        sa.CheckConstraint("outcome IN ('passed', 'failed', 'notRun')", name="outcome_known"),
        sa.CheckConstraint("(outcome = 'failed') = (findings > 0)", name="failed_has_findings"),
        sa.CheckConstraint("outcome <> 'notRun' OR missing IS NOT NULL", name="not_run_says_what_is_missing"),
        sa.CheckConstraint("outcome <> 'passed' OR missing IS NULL", name="passed_looked_at_everything"),
        sa.CheckConstraint("looked >= 0 AND findings >= 0 AND milliseconds >= 0", name="figures_not_negative"),
    )


class DailyCheckFinding(Base):
    """One thing that is not as it must be: which row, what it says, what to do. No personal data stand in it.

    Amounts are minor units of `currency`; without a currency they are counts.
    """

    __tablename__ = "daily_check_finding"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    run_id: Mapped[UUID]
    check_key: Mapped[str]
    #: place within its check, from 1
    number: Mapped[int]
    cause: Mapped[str]
    pool: Mapped[str | None]
    currency: Mapped[str | None]
    #: kind of the row (account, payment, bankAccount, statement …), its identifier, and how people call it
    subject_type: Mapped[str]
    subject_id: Mapped[UUID | None]
    subject: Mapped[str]
    says: Mapped[str]
    todo: Mapped[str]
    #: page where it is seen and mended
    path: Mapped[str | None]
    expected_minor: Mapped[int | None] = mapped_column(sa.Numeric(30, 0))
    found_minor: Mapped[int | None] = mapped_column(sa.Numeric(30, 0))

    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["run_id", "check_key"], ["daily_check_result.run_id", "daily_check_result.check_key"],
            name="fk_daily_check_finding_result",
        ),
        sa.CheckConstraint(f"pool IS NULL OR {POOLS}", name="pool_known"),
        sa.CheckConstraint("currency ~ '^[a-z]{3}$'", name="currency_is_code"),
        sa.CheckConstraint("number > 0", name="number_positive"),
        sa.Index("uq_daily_check_finding_number", "run_id", "check_key", "number", unique=True),
        sa.Index("ix_daily_check_finding_run", "run_id", "id"),
    )  # fmt: skip
