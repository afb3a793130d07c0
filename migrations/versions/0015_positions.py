"""Positions of a day, what was done about them, evidence packs, thresholds."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.guards import append_only, grant, never_deleted

revision = "0015"
down_revision = "0014"

POOLS = "pool IN ('eMoney', 'paymentServices')"
CURRENCY = "currency ~ '^[a-z]{3}$'"
RESULTS = "IN ('passed', 'failed', 'noData')"

#: what was prepared is what is signed, and what was signed is what was signed
POSITION_GUARD = """
CREATE FUNCTION treasury_position_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    frozen boolean;
BEGIN
    IF TG_TABLE_NAME = 'treasury_position' THEN
        frozen := TG_OP <> 'INSERT' AND OLD.frozen_at IS NOT NULL
            OR TG_OP = 'UPDATE' AND NEW.treasury_day_id <> OLD.treasury_day_id;
        IF TG_OP <> 'DELETE' AND NEW.frozen_at IS NOT NULL AND NOT coalesce(frozen, false) AND NOT EXISTS (
            SELECT 1 FROM treasury_day d WHERE d.id = NEW.treasury_day_id AND d.state = 'prepared'
        ) THEN
            RAISE EXCEPTION 'figures are frozen by preparing their day'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'treasury_position_frozen_by_preparing';
        END IF;
    ELSIF TG_OP = 'UPDATE' THEN
        -- worked out again, rows go and come; none is changed, or moved to another day
        frozen := true;
    ELSIF TG_OP = 'INSERT' THEN
        SELECT frozen_at IS NOT NULL INTO frozen FROM treasury_position WHERE treasury_day_id = NEW.treasury_day_id;
    ELSE
        SELECT frozen_at IS NOT NULL INTO frozen FROM treasury_position WHERE treasury_day_id = OLD.treasury_day_id;
    END IF;
    IF frozen THEN
        RAISE EXCEPTION 'the figures of a prepared day never change'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'treasury_position_is_frozen';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    IF TG_TABLE_NAME = 'position_account' THEN
        IF NOT EXISTS (
            SELECT 1 FROM treasury_day d JOIN bank_account b ON b.currency = d.currency
            WHERE d.id = NEW.treasury_day_id AND b.id = NEW.bank_account_id
        ) THEN
            RAISE EXCEPTION 'a position is of bank accounts of its currency'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'position_account_of_its_currency';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE FUNCTION treasury_day_figures_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM treasury_position WHERE treasury_day_id = NEW.id AND frozen_at IS NOT NULL) THEN
        RAISE EXCEPTION 'a day is signed with the figures that were prepared'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'treasury_day_signed_with_figures';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER treasury_day_signed_with_figures BEFORE UPDATE ON treasury_day
    FOR EACH ROW WHEN (NEW.state = 'signed' AND OLD.state <> 'signed')
    EXECUTE FUNCTION treasury_day_figures_guard();
CREATE TRIGGER treasury_position_is_frozen BEFORE INSERT OR UPDATE OR DELETE ON treasury_position
    FOR EACH ROW EXECUTE FUNCTION treasury_position_guard();
CREATE TRIGGER position_account_is_frozen BEFORE INSERT OR UPDATE OR DELETE ON position_account
    FOR EACH ROW EXECUTE FUNCTION treasury_position_guard();
CREATE TRIGGER position_item_is_frozen BEFORE INSERT OR UPDATE OR DELETE ON position_item
    FOR EACH ROW EXECUTE FUNCTION treasury_position_guard();
CREATE TRIGGER position_item_is_never_emptied BEFORE TRUNCATE ON position_item
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER position_account_is_never_emptied BEFORE TRUNCATE ON position_account
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

#: preparing freezes, and nothing else does: an open day with frozen figures could never be prepared
FREEZING_GUARD = """
CREATE FUNCTION treasury_position_freezing() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM treasury_day d WHERE d.id = NEW.treasury_day_id AND d.state = 'prepared') THEN
        RAISE EXCEPTION 'figures are frozen by preparing their day'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'treasury_position_frozen_by_preparing';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER treasury_position_frozen_by_preparing BEFORE INSERT OR UPDATE ON treasury_position
    FOR EACH ROW WHEN (NEW.frozen_at IS NOT NULL) EXECUTE FUNCTION treasury_position_freezing();
"""

#: a threshold is as two people decided
THRESHOLD_GUARD = """
CREATE FUNCTION treasury_threshold_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM approval_request
        WHERE id = NEW.approval_id AND kind = 'treasury.threshold' AND state = 'approved'
          AND object_id = NEW.id
          AND payload = jsonb_build_object('pool', NEW.pool, 'currency', NEW.currency, 'kind', NEW.kind,
                                           'amountMinor', NEW.amount_minor)
          -- decided after what stands was written: no request is used twice
          AND (TG_OP = 'INSERT' OR closed_at > OLD.changed_at)
    ) OR (TG_OP = 'UPDATE' AND (
        NEW.approval_id = OLD.approval_id OR NEW.changed_at < OLD.changed_at
        OR (NEW.id, NEW.pool, NEW.currency, NEW.kind) IS DISTINCT FROM (OLD.id, OLD.pool, OLD.currency, OLD.kind)
    )) THEN
        RAISE EXCEPTION 'a threshold is changed by two people'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'treasury_threshold_by_two';
    END IF;
    RETURN NEW;
END $$;
CREATE CONSTRAINT TRIGGER treasury_threshold_by_two AFTER INSERT OR UPDATE ON treasury_threshold
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION treasury_threshold_guard();
"""


def _minor(name: str, *, nullable: bool = True) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "client_sum",
        sa.Column("day", sa.Date(), nullable=False),
        _text("pool"),
        _text("currency"),
        _minor("accounts", nullable=False),
        _minor("positive_minor", nullable=False),
        _minor("negative_minor", nullable=False),
        _minor("frozen_minor", nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(POOLS, name=op.f("ck_client_sum_pool_known")),
        sa.CheckConstraint(CURRENCY, name=op.f("ck_client_sum_currency_is_code")),
        sa.CheckConstraint("positive_minor >= 0 AND negative_minor <= 0", name=op.f("ck_client_sum_signs")),
        sa.CheckConstraint("frozen_minor BETWEEN 0 AND positive_minor", name=op.f("ck_client_sum_frozen_is_part")),
        sa.ForeignKeyConstraint(["day"], ["business_day.day"], name=op.f("fk_client_sum_day")),
        sa.PrimaryKeyConstraint("day", "pool", "currency", name=op.f("pk_client_sum")),
    )
    op.create_table(
        "treasury_position",
        sa.Column("treasury_day_id", sa.UUID(), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("frozen_at", sa.DateTime(timezone=True), nullable=True),
        _minor("client_minor", nullable=False),
        _minor("negative_minor", nullable=False),
        _minor("frozen_minor", nullable=False),
        _minor("unrecognized_minor", nullable=False),
        _minor("received_minor"),
        _minor("sent_minor"),
        _minor("requirement_minor", nullable=False),
        _minor("resource_minor"),
        _minor("excess_minor"),
        _minor("unexplained_minor"),
        _minor("lying_minor"),
        _minor("late_minor"),
        sa.Column("breaks", sa.Integer(), nullable=True),
        sa.Column("breaks_without_owner", sa.Integer(), nullable=True),
        sa.Column("breaks_oldest", sa.Integer(), nullable=True),
        _text("internal"),
        _text("segregation"),
        _text("external"),
        sa.CheckConstraint(f"internal {RESULTS}", name=op.f("ck_treasury_position_internal_known")),
        sa.CheckConstraint(f"segregation {RESULTS}", name=op.f("ck_treasury_position_segregation_known")),
        sa.CheckConstraint(f"external {RESULTS}", name=op.f("ck_treasury_position_external_known")),
        sa.CheckConstraint(
            "requirement_minor = client_minor + unrecognized_minor + coalesce(received_minor, 0) + coalesce(sent_minor, 0)",
            name=op.f("ck_treasury_position_requirement_is_its_parts"),
        ),
        sa.CheckConstraint(
            "(excess_minor IS NULL) = (resource_minor IS NULL OR received_minor IS NULL OR sent_minor IS NULL)",
            name=op.f("ck_treasury_position_excess_needs_all"),
        ),
        sa.CheckConstraint(
            "excess_minor = resource_minor - requirement_minor",
            name=op.f("ck_treasury_position_excess_is_difference"),
        ),
        sa.CheckConstraint(
            "client_minor >= 0 AND negative_minor <= 0 AND unrecognized_minor >= 0 AND received_minor >= 0 AND sent_minor >= 0",
            name=op.f("ck_treasury_position_signs"),
        ),
        sa.CheckConstraint(
            "(internal = 'noData') = (excess_minor IS NULL)",
            name=op.f("ck_treasury_position_no_result_without_data"),
        ),
        sa.ForeignKeyConstraint(
            ["treasury_day_id"], ["treasury_day.id"], name=op.f("fk_treasury_position_treasury_day_id")
        ),
        sa.PrimaryKeyConstraint("treasury_day_id", name=op.f("pk_treasury_position")),
    )
    op.create_table(
        "position_account",
        sa.Column("treasury_day_id", sa.UUID(), nullable=False),
        sa.Column("bank_account_id", sa.UUID(), nullable=False),
        _text("purpose"),
        sa.Column("designated", sa.Boolean(), nullable=False),
        _minor("ledger_minor", nullable=False),
        _minor("suspense_minor", nullable=False),
        _minor("statement_minor"),
        sa.Column("statement_id", sa.UUID(), nullable=True),
        sa.Column("statement_day", sa.Date(), nullable=True),
        sa.Column("statement_at", sa.DateTime(timezone=True), nullable=True),
        _text("tie_out", nullable=True),
        _text("holiday", nullable=True),
        _minor("received_minor"),
        _minor("sent_minor"),
        _minor("timing_minor"),
        _minor("breaks_minor"),
        _minor("unexplained_minor"),
        _minor("lying_minor"),
        _minor("late_minor"),
        sa.CheckConstraint(
            "(statement_id IS NULL) = (statement_minor IS NULL)",
            name=op.f("ck_position_account_balance_of_a_statement"),
        ),
        sa.CheckConstraint(
            "NOT designated OR purpose = 'safeguarding'", name=op.f("ck_position_account_designated_is_safeguarding")
        ),
        sa.ForeignKeyConstraint(
            ["bank_account_id"], ["bank_account.id"], name=op.f("fk_position_account_bank_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["treasury_day_id"],
            ["treasury_position.treasury_day_id"],
            name=op.f("fk_position_account_treasury_day_id"),
        ),
        sa.PrimaryKeyConstraint("treasury_day_id", "bank_account_id", name=op.f("pk_position_account")),
    )
    op.create_table(
        "position_item",
        sa.Column("treasury_day_id", sa.UUID(), nullable=False),
        _text("figure"),
        sa.Column("item_id", sa.UUID(), nullable=False),
        sa.Column("bank_account_id", sa.UUID(), nullable=False),
        _minor("amount_minor", nullable=False),
        sa.Column("booking_date", sa.Date(), nullable=False),
        sa.CheckConstraint("figure IN ('received', 'sent')", name=op.f("ck_position_item_figure_known")),
        sa.ForeignKeyConstraint(
            ["bank_account_id"], ["bank_account.id"], name=op.f("fk_position_item_bank_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["treasury_day_id"], ["treasury_position.treasury_day_id"], name=op.f("fk_position_item_treasury_day_id")
        ),
        sa.PrimaryKeyConstraint(
            "treasury_day_id", "figure", "item_id", "bank_account_id", name=op.f("pk_position_item")
        ),
    )
    op.create_table(
        "position_action",
        sa.Column("id", sa.UUID(), nullable=False),
        _text("pool"),
        _text("currency"),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("treasury_day_id", sa.UUID(), nullable=False),
        _text("about"),
        _minor("figure_minor"),
        _text("kind"),
        _minor("amount_minor"),
        _text("says"),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_id", sa.UUID(), nullable=False),
        _text("by_name"),
        sa.CheckConstraint(POOLS, name=op.f("ck_position_action_pool_known")),
        sa.CheckConstraint(CURRENCY, name=op.f("ck_position_action_currency_is_code")),
        sa.CheckConstraint("kind IN ('topUp', 'sweep', 'other')", name=op.f("ck_position_action_kind_known")),
        sa.CheckConstraint("about IN ('shortfall', 'late')", name=op.f("ck_position_action_about_known")),
        sa.CheckConstraint("figure_minor > 0", name=op.f("ck_position_action_figure_positive")),
        sa.CheckConstraint("length(btrim(says)) > 0", name=op.f("ck_position_action_says_something")),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_position_action_amount_positive")),
        sa.CheckConstraint(
            "kind = 'other' OR amount_minor IS NOT NULL", name=op.f("ck_position_action_movement_has_amount")
        ),
        sa.ForeignKeyConstraint(["day"], ["business_day.day"], name=op.f("fk_position_action_day")),
        sa.ForeignKeyConstraint(
            ["treasury_day_id"], ["treasury_day.id"], name=op.f("fk_position_action_treasury_day_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_position_action")),
    )
    op.create_index("ix_position_action_day", "position_action", ["pool", "currency", "day", "id"])
    op.create_index("ix_position_action_version", "position_action", ["treasury_day_id"])
    op.create_table(
        "evidence_pack",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("treasury_day_id", sa.UUID(), nullable=False),
        _text("state"),
        _text("sha256"),
        _minor("size", nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        _text("made_by_kind"),
        sa.Column("made_by_id", sa.UUID(), nullable=True),
        _text("made_by"),
        sa.CheckConstraint("state IN ('prepared', 'signed', 'reopened')", name=op.f("ck_evidence_pack_state_known")),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name=op.f("ck_evidence_pack_sha256_is_digest")),
        sa.CheckConstraint("size = octet_length(content)", name=op.f("ck_evidence_pack_size_is_of_content")),
        sa.ForeignKeyConstraint(
            ["treasury_day_id"], ["treasury_day.id"], name=op.f("fk_evidence_pack_treasury_day_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence_pack")),
    )
    op.create_index("uq_evidence_pack_bytes", "evidence_pack", ["treasury_day_id", "sha256"], unique=True)
    op.create_table(
        "treasury_threshold",
        sa.Column("id", sa.UUID(), nullable=False),
        _text("pool"),
        _text("currency"),
        _text("kind"),
        _minor("amount_minor"),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approval_id", sa.UUID(), nullable=False),
        sa.CheckConstraint(POOLS, name=op.f("ck_treasury_threshold_pool_known")),
        sa.CheckConstraint(CURRENCY, name=op.f("ck_treasury_threshold_currency_is_code")),
        sa.CheckConstraint(
            "kind IN ('excessBelow', 'excessAbove', 'unrecognizedAbove', 'unexplainedAbove', 'lateAbove')",
            name=op.f("ck_treasury_threshold_kind_known"),
        ),
        sa.CheckConstraint("amount_minor >= 0", name=op.f("ck_treasury_threshold_amount_not_negative")),
        sa.ForeignKeyConstraint(
            ["approval_id"], ["approval_request.id"], name=op.f("fk_treasury_threshold_approval_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_treasury_threshold")),
        sa.UniqueConstraint("pool", "currency", "kind", name=op.f("uq_treasury_threshold_pool_currency_kind")),
    )
    # the few that are below nought, among all: by day for the past, by limit for now
    op.create_index(
        "ix_daily_balance_negative",
        "daily_balance",
        ["account_id", "day"],
        postgresql_where=sa.text("posted < 0"),
    )
    op.create_index(
        "ix_account_balance_limit",
        "account_balance",
        ["account_id"],
        postgresql_where=sa.text("limit_minor > 0"),
    )

    # whether something that a position is made of has changed
    op.create_index("ix_recon_match_decided", "recon_match", ["decided_at"])
    op.create_index(
        "ix_recon_match_undone", "recon_match", ["undone_at"], postgresql_where=sa.text("undone_at IS NOT NULL")
    )

    op.execute(POSITION_GUARD)
    op.execute(FREEZING_GUARD)
    op.execute(THRESHOLD_GUARD)
    for table in ("position_action", "evidence_pack"):
        append_only(table)
    for table in ("treasury_threshold", "client_sum"):
        never_deleted(table)
    grant("SELECT, INSERT", ("position_action", "evidence_pack", "position_item"))
    grant("SELECT, INSERT, UPDATE", ("client_sum", "treasury_position", "treasury_threshold"))
    grant("SELECT, INSERT, DELETE", ("position_account",))
