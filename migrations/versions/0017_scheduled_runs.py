"""The clock: each job once for each of its times."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.guards import grant

revision = "0017"
down_revision = "0016"

#: a run stands for the time that it was claimed for, and one that has ended stays as it ended
RUN_GUARD = """
CREATE FUNCTION job_run_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.finished_at IS NOT NULL OR NEW.attempts < OLD.attempts
       OR (NEW.id, NEW.job, NEW.scheduled_at, NEW.by_hand, NEW.missed, NEW.asked_by) IS DISTINCT FROM
          (OLD.id, OLD.job, OLD.scheduled_at, OLD.by_hand, OLD.missed, OLD.asked_by) THEN
        RAISE EXCEPTION 'a run of a job is as it ended'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'job_run_is_as_it_ended';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER job_run_guard BEFORE UPDATE ON job_run FOR EACH ROW EXECUTE FUNCTION job_run_guard();
"""


def upgrade() -> None:
    op.create_table(
        "job_setting",
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_by_kind", sa.Text(), nullable=True),
        sa.Column("paused_by_id", sa.UUID(), nullable=True),
        sa.Column("paused_by", sa.Text(), nullable=True),
        sa.Column("paused_because", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(paused_at IS NULL) = (paused_by IS NULL) AND (paused_at IS NULL) = (paused_because IS NULL)",
            name=op.f("ck_job_setting_paused_by_somebody"),
        ),
        sa.PrimaryKeyConstraint("job", name=op.f("pk_job_setting")),
    )
    op.create_table(
        "job_run",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("scheduled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_hand", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("missed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("lease", sa.UUID(), nullable=True),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("figures", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("asked_by_kind", sa.Text(), nullable=False),
        sa.Column("asked_by_id", sa.UUID(), nullable=True),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.CheckConstraint("(state = 'running') = (lease IS NOT NULL)", name=op.f("ck_job_run_running_has_lease")),
        sa.CheckConstraint(
            "(state IN ('failed', 'lost')) = (failure IS NOT NULL)", name=op.f("ck_job_run_failed_says_why")
        ),
        sa.CheckConstraint(
            "(state IN ('queued', 'running')) = (finished_at IS NULL)", name=op.f("ck_job_run_ended_has_time")
        ),
        sa.CheckConstraint("state <> 'queued' OR by_hand", name=op.f("ck_job_run_only_asked_ones_wait")),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'succeeded', 'failed', 'lost')", name=op.f("ck_job_run_state_known")
        ),
        sa.CheckConstraint("(lease IS NULL) = (lease_until IS NULL)", name=op.f("ck_job_run_lease_has_an_end")),
        sa.CheckConstraint("missed >= 0 AND attempts >= 0", name=op.f("ck_job_run_counts_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_run")),
    )
    op.create_index("ix_job_run_log", "job_run", ["job", sa.literal_column("id DESC")], unique=False)
    op.create_index("ix_job_run_newest", "job_run", [sa.literal_column("id DESC")], unique=False)
    op.create_index(
        "ix_job_run_trouble",
        "job_run",
        [sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("state IN ('failed', 'lost') OR missed > 0 OR attempts > 1"),
    )
    op.create_index(
        "uq_job_run_live", "job_run", ["job"], unique=True, postgresql_where=sa.text("state IN ('queued', 'running')")
    )
    op.create_index("uq_job_run_time", "job_run", ["job", sa.literal_column("scheduled_at DESC")], unique=True)
    op.execute(RUN_GUARD)
    grant("SELECT, INSERT, UPDATE", ("job_setting",))
    # old runs of the minute are swept away
    grant("SELECT, INSERT, UPDATE, DELETE", ("job_run",))
