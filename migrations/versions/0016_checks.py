"""Daily checks and their alerts."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.guards import append_only, grant, never_deleted

revision = "0016"
down_revision = "0015"

#: an alert is about what it was about; its count only grows; what is settled stays settled
ALERT_GUARD = """
CREATE FUNCTION treasury_alert_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.state = 'settled' OR NEW.times < OLD.times OR NEW.last_at < OLD.last_at
       OR (NEW.id, NEW.check_key, NEW.cause, NEW.first_at) IS DISTINCT FROM
          (OLD.id, OLD.check_key, OLD.cause, OLD.first_at)
       OR NEW.pool IS DISTINCT FROM OLD.pool OR NEW.currency IS DISTINCT FROM OLD.currency
       OR NEW.subject_id IS DISTINCT FROM OLD.subject_id THEN
        RAISE EXCEPTION 'an alert is as it was told'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'treasury_alert_is_as_told';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER treasury_alert_guard BEFORE UPDATE ON treasury_alert
    FOR EACH ROW EXECUTE FUNCTION treasury_alert_guard();
"""

#: a run is of the day that it was begun for, and one that has finished stays as it finished
RUN_GUARD = """
CREATE FUNCTION daily_check_run_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.finished_at IS NOT NULL
       OR (NEW.id, NEW.day, NEW.started_at, NEW.by_kind, NEW.by_name) IS DISTINCT FROM
          (OLD.id, OLD.day, OLD.started_at, OLD.by_kind, OLD.by_name)
       OR NEW.by_id IS DISTINCT FROM OLD.by_id OR NEW.job_id IS DISTINCT FROM OLD.job_id THEN
        RAISE EXCEPTION 'a run of the checks is as it ended'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'daily_check_run_is_as_it_ended';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER daily_check_run_guard BEFORE UPDATE ON daily_check_run
    FOR EACH ROW EXECUTE FUNCTION daily_check_run_guard();
"""


def upgrade() -> None:
    op.create_table(
        "treasury_alert",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("check_key", sa.Text(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.UUID(), nullable=True),
        sa.Column("says", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("times", sa.Integer(), server_default="1", nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_by_kind", sa.Text(), nullable=True),
        sa.Column("settled_by_id", sa.UUID(), nullable=True),
        sa.Column("settled_by", sa.Text(), nullable=True),
        sa.Column("settled_because", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(state = 'settled') = (settled_at IS NOT NULL) AND (state <> 'settled' OR (settled_by IS NOT NULL AND settled_because IS NOT NULL))",
            name=op.f("ck_treasury_alert_settled_says_why"),
        ),
        sa.CheckConstraint("currency ~ '^[a-z]{3}$'", name=op.f("ck_treasury_alert_currency_is_code")),
        sa.CheckConstraint(
            "pool IS NULL OR pool IN ('eMoney', 'paymentServices')", name=op.f("ck_treasury_alert_pool_known")
        ),
        sa.CheckConstraint("state IN ('open', 'settled')", name=op.f("ck_treasury_alert_state_known")),
        sa.CheckConstraint("last_at >= first_at", name=op.f("ck_treasury_alert_told_in_order")),
        sa.CheckConstraint("times > 0", name=op.f("ck_treasury_alert_told_at_least_once")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_treasury_alert")),
    )
    op.create_index("ix_treasury_alert_state", "treasury_alert", ["state", sa.literal_column("id DESC")], unique=False)
    op.create_index(
        "uq_treasury_alert_open",
        "treasury_alert",
        [
            "check_key",
            sa.literal_column("coalesce(pool, '')"),
            sa.literal_column("coalesce(currency, '')"),
            "cause",
            sa.literal_column("coalesce(subject_id, '00000000-0000-0000-0000-000000000000'::uuid)"),
        ],
        unique=True,
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "daily_check_run",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("job_id", sa.UUID(), nullable=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("passed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("not_run", sa.Integer(), server_default="0", nullable=False),
        sa.Column("by_kind", sa.Text(), nullable=False),
        sa.Column("by_id", sa.UUID(), nullable=True),
        sa.Column("by_name", sa.Text(), nullable=False),
        sa.CheckConstraint("finished_at >= started_at", name=op.f("ck_daily_check_run_finished_later")),
        sa.CheckConstraint(
            "passed >= 0 AND failed >= 0 AND not_run >= 0", name=op.f("ck_daily_check_run_counts_not_negative")
        ),
        sa.ForeignKeyConstraint(["day"], ["business_day.day"], name=op.f("fk_daily_check_run_day")),
        sa.ForeignKeyConstraint(["job_id"], ["background_job.id"], name=op.f("fk_daily_check_run_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_daily_check_run")),
    )
    op.create_index("ix_daily_check_run_day", "daily_check_run", ["day", sa.literal_column("id DESC")], unique=False)
    op.create_index(
        "ix_daily_check_run_finished",
        "daily_check_run",
        [sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("finished_at IS NOT NULL"),
    )
    op.create_index("ix_daily_check_run_newest", "daily_check_run", [sa.literal_column("id DESC")], unique=False)
    op.create_table(
        "daily_check_result",
        sa.Column("run_id", sa.UUID(), nullable=False),
        sa.Column("check_key", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("missing", sa.Text(), nullable=True),
        sa.Column("looked", sa.BigInteger(), nullable=False),
        sa.Column("findings", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("milliseconds", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(outcome = 'failed') = (findings > 0)", name=op.f("ck_daily_check_result_failed_has_findings")
        ),
        sa.CheckConstraint(
            "outcome <> 'notRun' OR missing IS NOT NULL",
            name=op.f("ck_daily_check_result_not_run_says_what_is_missing"),
        ),
        sa.CheckConstraint(
            "outcome <> 'passed' OR missing IS NULL", name=op.f("ck_daily_check_result_passed_looked_at_everything")
        ),
        sa.CheckConstraint(
            "outcome IN ('passed', 'failed', 'notRun')", name=op.f("ck_daily_check_result_outcome_known")
        ),
        sa.CheckConstraint(
            "looked >= 0 AND findings >= 0 AND milliseconds >= 0",
            name=op.f("ck_daily_check_result_figures_not_negative"),
        ),
        sa.ForeignKeyConstraint(["run_id"], ["daily_check_run.id"], name=op.f("fk_daily_check_result_run_id")),
        sa.PrimaryKeyConstraint("run_id", "check_key", name=op.f("pk_daily_check_result")),
    )
    op.create_table(
        "daily_check_finding",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("run_id", sa.UUID(), nullable=False),
        sa.Column("check_key", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.UUID(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("says", sa.Text(), nullable=False),
        sa.Column("todo", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("expected_minor", sa.Numeric(precision=30, scale=0), nullable=True),
        sa.Column("found_minor", sa.Numeric(precision=30, scale=0), nullable=True),
        sa.CheckConstraint("currency ~ '^[a-z]{3}$'", name=op.f("ck_daily_check_finding_currency_is_code")),
        sa.CheckConstraint(
            "pool IS NULL OR pool IN ('eMoney', 'paymentServices')", name=op.f("ck_daily_check_finding_pool_known")
        ),
        sa.CheckConstraint("number > 0", name=op.f("ck_daily_check_finding_number_positive")),
        sa.ForeignKeyConstraint(
            ["run_id", "check_key"],
            ["daily_check_result.run_id", "daily_check_result.check_key"],
            name="fk_daily_check_finding_result",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_daily_check_finding")),
    )
    op.create_index("ix_daily_check_finding_run", "daily_check_finding", ["run_id", "id"], unique=False)
    op.create_index(
        "uq_daily_check_finding_number", "daily_check_finding", ["run_id", "check_key", "number"], unique=True
    )
    op.execute(ALERT_GUARD)
    op.execute(RUN_GUARD)
    never_deleted("treasury_alert")
    never_deleted("daily_check_run")
    append_only("daily_check_result")
    append_only("daily_check_finding")
    grant("SELECT, INSERT, UPDATE", ("treasury_alert", "daily_check_run"))
    grant("SELECT, INSERT", ("daily_check_result", "daily_check_finding"))
