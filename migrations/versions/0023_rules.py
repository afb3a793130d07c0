"""Rules of four eyes are data: two people change one, its old version is kept; makers are told before a request ends."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.guards import append_only, grant, never_deleted

revision = "0023"
down_revision = "0022"

RULES = ("desk_limit", "transfer_limit", "transfer_fee", "transfer_country_rule")

#: nothing passes under the new version that did not pass under the old one
STRICTER = """
CREATE FUNCTION rule_is_stricter(p_rule text, p_was jsonb, p_becomes jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT coalesce(CASE p_rule
        WHEN 'desk_limit' THEN (p_becomes->>'two_people_above_minor')::numeric
                               <= (p_was->>'two_people_above_minor')::numeric
        WHEN 'transfer_limit' THEN (
            SELECT bool_and(CASE
                WHEN p_was->>field IS NULL THEN true
                ELSE coalesce((p_becomes->>field)::numeric <= (p_was->>field)::numeric, false) END)
            FROM unnest(ARRAY['per_transfer_minor', 'per_day_minor', 'per_month_minor']) AS field)
        END, false)
$$;
"""

#: a rule becomes exactly what an approved request says, from exactly what that request saw; each request serves once
GUARD = """
CREATE FUNCTION rule_by_two() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    was jsonb := CASE WHEN TG_OP = 'INSERT' THEN 'null'::jsonb ELSE to_jsonb(OLD) - 'approval_id' END;
    becomes jsonb := to_jsonb(NEW) - 'approval_id';
    asked approval_request%ROWTYPE;
BEGIN
    SELECT * INTO asked FROM approval_request r
    WHERE r.id = NEW.approval_id AND r.state = 'approved' AND r.kind IN ('rules.change', 'rules.tighten')
      AND r.payload->>'rule' = TG_TABLE_NAME AND r.payload->'was' = was AND r.payload->'becomes' = becomes
      AND NOT EXISTS (SELECT 1 FROM rule_change c WHERE c.approval_id = r.id);
    IF NOT FOUND OR (asked.kind = 'rules.tighten' AND NOT rule_is_stricter(TG_TABLE_NAME, was, becomes)) THEN
        RAISE EXCEPTION 'a rule is changed by two people'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'rule_by_two';
    END IF;
    INSERT INTO rule_change (id, rule, object_id, was, becomes, approval_id, changed_at)
        VALUES (asked.id, TG_TABLE_NAME, asked.object_id, nullif(was, 'null'::jsonb), becomes, asked.id, now());
    RETURN NULL;
END $$;
"""

#: what is told as accepted or posted names the approved request of its own
LEDGER_GUARD = """
CREATE FUNCTION ledger_decided_by_two() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM approval_request r WHERE r.id = NEW.approval_id AND r.state = 'approved'
                   AND r.kind = TG_ARGV[0] AND r.object_id = NEW.id) THEN
        RAISE EXCEPTION 'this is decided by two people'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER balance_finding_by_two BEFORE UPDATE ON balance_finding
    FOR EACH ROW WHEN (NEW.state = 'accepted') EXECUTE FUNCTION ledger_decided_by_two('ledger.accept-rebuilt');
CREATE TRIGGER balance_finding_begins_open BEFORE INSERT ON balance_finding
    FOR EACH ROW WHEN (NEW.state <> 'open') EXECUTE FUNCTION begins_at_the_beginning();
CREATE TRIGGER opening_import_by_two BEFORE UPDATE ON opening_import
    FOR EACH ROW WHEN (NEW.state = 'posted') EXECUTE FUNCTION ledger_decided_by_two('ledger.opening-balances');
CREATE TRIGGER opening_import_begins_read BEFORE INSERT ON opening_import
    FOR EACH ROW WHEN (NEW.state <> 'read') EXECUTE FUNCTION begins_at_the_beginning();
"""

#: rules of matching are exactly what was approved, and no approval serves twice
MATCH_RULES_GUARD = """
CREATE OR REPLACE FUNCTION match_rules_by_two() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM approval_request r WHERE r.id = NEW.approval_id AND r.state = 'approved'
                     AND r.kind = 'treasury.matchRules' AND r.decided_by IS DISTINCT FROM r.maker_id
                     AND r.payload->'rules' = NEW.rules)
       OR EXISTS (SELECT 1 FROM match_rule_set s WHERE s.approval_id = NEW.approval_id) THEN
        RAISE EXCEPTION 'two people change the rules of matching'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'match_rules_by_two';
    END IF;
    RETURN NEW;
END $$;
"""


def upgrade() -> None:
    op.add_column("approval_request", sa.Column("warned_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("approval_request", sa.Column("told_at", sa.DateTime(timezone=True), nullable=True))
    op.create_check_constraint(
        op.f("ck_approval_request_told_after_warned"), "approval_request", "told_at IS NULL OR warned_at IS NOT NULL"
    )
    op.create_table(
        "rule_change",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("object_id", sa.UUID(), nullable=False),
        sa.Column("was", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("becomes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("approval_id", sa.UUID(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["approval_id"], ["approval_request.id"], name=op.f("fk_rule_change_approval_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule_change")),
        sa.UniqueConstraint("approval_id", name=op.f("uq_rule_change_approval_id")),
    )
    op.create_index("ix_rule_change_newest", "rule_change", [sa.literal_column("changed_at DESC")], unique=False)
    op.create_index(
        "ix_rule_change_object", "rule_change", ["object_id", sa.literal_column("changed_at DESC")], unique=False
    )
    op.drop_constraint(op.f("ck_transfer_country_rule_outcome_known"), "transfer_country_rule", type_="check")
    op.create_check_constraint(
        op.f("ck_transfer_country_rule_outcome_known"),
        "transfer_country_rule",
        "outcome IN ('review', 'refused', 'allowed')",
    )
    op.create_check_constraint(
        op.f("ck_transfer_limit_not_negative"),
        "transfer_limit",
        "least(per_transfer_minor, per_day_minor, per_month_minor) >= 0",
    )
    op.execute(STRICTER)
    op.execute(GUARD)
    op.execute(LEDGER_GUARD)
    op.execute(MATCH_RULES_GUARD)
    op.execute("REVOKE EXECUTE ON FUNCTION rule_by_two() FROM PUBLIC")
    for table in RULES:
        op.add_column(table, sa.Column("approval_id", sa.UUID(), nullable=True))
        op.create_foreign_key(op.f(f"fk_{table}_approval_id"), table, "approval_request", ["approval_id"], ["id"])
        op.execute(
            f"CREATE TRIGGER {table}_by_two AFTER INSERT OR UPDATE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION rule_by_two()"
        )
        never_deleted(table)
    append_only("rule_change")
    grant("SELECT, INSERT, UPDATE", RULES)
    grant("SELECT", ("rule_change",))
