"""How long requests of a kind wait and which roles decide them are data that two people change; of roles they only leave some out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.guards import append_only, grant

revision = "0031"
down_revision = "0030"

#: as the kinds and roles of the application have it (tests/approvals/test_terms.py compares); null for another kind
ROLES = """
CREATE FUNCTION approval_kind_roles(p_kind text) RETURNS text[] LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT CASE
        WHEN p_kind IN ('client.unblock', 'client.end-sanctions-mark', 'client.activate', 'client.lower-risk',
                        'client.purge', 'client.end-hold', 'transfers.assign', 'transfers.return', 'transfers.undo',
                        'transfers.receivable', 'transfers.payer-rule')
            THEN ARRAY['officer', 'senior-officer']
        WHEN p_kind IN ('ledger.adjust', 'ledger.reverse', 'ledger.accept-rebuilt', 'ledger.opening-balances',
                        'treasury.matchRules', 'treasury.acceptBreak', 'treasury.carriedIn', 'treasury.account.add',
                        'treasury.account.change', 'treasury.account.pool', 'treasury.cover.add',
                        'treasury.cover.change', 'treasury.movement', 'treasury.movement.refused',
                        'treasury.threshold')
            THEN ARRAY['treasurer', 'senior-treasurer']
        WHEN p_kind = 'transfers.execute'
            THEN ARRAY['officer', 'senior-officer', 'treasurer', 'senior-treasurer']
        WHEN p_kind = 'rules.change' THEN ARRAY['senior-officer', 'senior-treasurer', 'admin']
        WHEN p_kind = 'rules.tighten'
            THEN ARRAY['officer', 'senior-officer', 'treasurer', 'senior-treasurer', 'admin']
        WHEN p_kind IN ('staff.invite', 'staff.enable', 'staff.changeRole', 'staff.resetPassword',
                        'staff.resetFactor', 'tokens.create')
            THEN ARRAY['senior-officer', 'admin']
    END
$$;
"""

#: a version is exactly what an approved request says, follows exactly what that request saw, and leaves no house alone
RULE = """
CREATE FUNCTION approval_rule_by_two() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    newest approval_rule%ROWTYPE;
    was jsonb := 'null'::jsonb;
    asker uuid;
    known text[] := approval_kind_roles(NEW.kind);
    able bigint;
BEGIN
    -- decisions of this kind are waited for, and wait
    PERFORM pg_advisory_xact_lock(1885695090, hashtext(NEW.kind));
    SELECT * INTO newest FROM approval_rule r WHERE r.kind = NEW.kind ORDER BY r.version DESC LIMIT 1;
    IF FOUND THEN
        was := to_jsonb(newest) - 'approval_id';
    END IF;
    SELECT r.maker_id INTO asker FROM approval_request r
    WHERE r.id = NEW.approval_id AND r.state = 'approved' AND r.kind = 'rules.change'
      AND r.payload ->> 'rule' = 'approval_rule' AND r.payload -> 'was' = was
      AND r.payload -> 'becomes' = to_jsonb(NEW) - 'approval_id';
    IF NOT FOUND OR NEW.version <> coalesce(newest.version, 0) + 1 THEN
        RAISE EXCEPTION 'a rule of approval is changed by two people'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'approval_rule_by_two';
    END IF;
    IF NEW.deciders IS NOT NULL THEN
        IF NOT coalesce(NEW.deciders <@ known, false) THEN
            RAISE EXCEPTION 'a rule narrows who decides, and gives nobody what their role does not'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'approval_rule_only_narrows';
        END IF;
        -- whoever leaves at this moment is waited for
        PERFORM pg_advisory_xact_lock(1885695088, 1);
        SELECT count(*) INTO able FROM staff_member s
        WHERE s.disabled_at IS NULL AND s.role = ANY (NEW.deciders) AND staff_role_is_senior(s.role)
          AND (NEW.kind = 'rules.change' OR s.id <> asker);
        IF able < (CASE WHEN NEW.kind = 'rules.change' THEN 2 ELSE 1 END) THEN
            RAISE EXCEPTION 'somebody senior must be left to decide, and two of them about rules'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'approval_rule_somebody_decides';
        END IF;
    END IF;
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION approval_rule_by_two() FROM PUBLIC;
CREATE TRIGGER approval_rule_by_two BEFORE INSERT ON approval_rule
    FOR EACH ROW EXECUTE FUNCTION approval_rule_by_two();
"""

#: as in 0030, and whose role decides: also who rejects
DECISIONS = """
CREATE OR REPLACE FUNCTION approval_request_decided_by_who_counts() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    decides text[];
BEGIN
    PERFORM 1 FROM staff_member s
        WHERE s.id = NEW.decided_by AND s.disabled_at IS NULL AND s.id <> NEW.maker_id
          AND staff_role_is_senior(s.role) = NEW.decider_senior
        FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'who decides is active, and as senior as the request says'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'approval_request_decider_counts';
    END IF;
    -- what a transaction began with says nothing of rules that were changed since
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'requests are decided under READ COMMITTED'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'approval_request_reads_the_rules';
    END IF;
    -- whoever changes who decides at this moment is waited for
    PERFORM pg_advisory_xact_lock_shared(1885695090, hashtext(NEW.kind));
    SELECT r.deciders INTO decides FROM approval_rule r WHERE r.kind = NEW.kind ORDER BY r.version DESC LIMIT 1;
    IF NOT EXISTS (
        SELECT 1 FROM staff_member s WHERE s.id = NEW.decided_by
           AND (approval_kind_roles(NEW.kind) IS NULL OR s.role = ANY (approval_kind_roles(NEW.kind)))
           AND (decides IS NULL OR s.role = ANY (decides))
    ) THEN
        RAISE EXCEPTION 'this role does not decide such a request'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'approval_request_role_decides';
    END IF;
    IF NEW.state <> 'approved' THEN
        RETURN NULL;
    END IF;
    IF NEW.maker_kind = 'staff' THEN
        PERFORM 1 FROM staff_member s
            WHERE s.id = NEW.maker_id AND s.disabled_at IS NULL
              AND (NOT NEW.maker_senior OR staff_role_is_senior(s.role))
            FOR SHARE;
    ELSIF NEW.maker_owner_id IS NOT NULL THEN
        PERFORM 1 FROM staff_member s WHERE s.id = NEW.maker_owner_id AND s.disabled_at IS NULL FOR SHARE;
    END IF;
    IF (NEW.maker_kind = 'staff' OR NEW.maker_owner_id IS NOT NULL) AND NOT FOUND THEN
        RAISE EXCEPTION 'who asked is active still, and as senior as when they asked'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'approval_request_maker_counts';
    END IF;
    IF NEW.closed_at >= NEW.expires_at THEN
        RAISE EXCEPTION 'nothing is approved after its time'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'approval_request_approved_in_time';
    END IF;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION approval_request_decided_by_who_counts() FROM PUBLIC;
CREATE OR REPLACE TRIGGER approval_request_decided_by_who_counts AFTER UPDATE ON approval_request
    FOR EACH ROW WHEN (OLD.state = 'requested' AND NEW.state IN ('approved', 'rejected'))
    EXECUTE FUNCTION approval_request_decided_by_who_counts();
"""

#: as in 0030, and the last one who decides about rules stays too
MEMBERS = """
CREATE OR REPLACE FUNCTION staff_member_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    keepers text[];
BEGIN
    -- a decision is used once: each names itself, and was asked after the one before was decided
    IF (NEW.role <> OLD.role OR NEW.role_approval_id IS DISTINCT FROM OLD.role_approval_id) AND NOT EXISTS (
        SELECT 1 FROM approval_request r
        WHERE r.id = NEW.role_approval_id AND r.id IS DISTINCT FROM OLD.role_approval_id
          AND r.state = 'approved' AND r.kind = 'staff.changeRole' AND r.object_id = NEW.id
          AND r.payload ->> 'from' = OLD.role AND r.payload ->> 'role' = NEW.role AND NEW.role <> OLD.role
          AND NOT EXISTS (SELECT 1 FROM approval_request o
                          WHERE o.id = OLD.role_approval_id AND o.closed_at > r.requested_at)
    ) THEN
        RAISE EXCEPTION 'another role needs two people'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'staff_member_role_needs_approval';
    END IF;
    IF (OLD.disabled_at IS NOT NULL AND NEW.disabled_at IS NULL
        OR NEW.enabling_approval_id IS DISTINCT FROM OLD.enabling_approval_id) AND NOT EXISTS (
        SELECT 1 FROM approval_request r
        WHERE r.id = NEW.enabling_approval_id AND r.id IS DISTINCT FROM OLD.enabling_approval_id
          AND r.state = 'approved' AND r.kind = 'staff.enable' AND r.object_id = NEW.id
          AND OLD.disabled_at IS NOT NULL AND NEW.disabled_at IS NULL AND r.requested_at >= OLD.disabled_at
          AND NOT EXISTS (SELECT 1 FROM approval_request o
                          WHERE o.id = OLD.enabling_approval_id AND o.closed_at > r.requested_at)
    ) AND (
        -- whoever owns the tables stands above this rule: the operator, for the day on which no two people are left
        current_user = 'countinghouse_app'
        OR NOT pg_has_role(session_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'MEMBER')
    ) THEN
        RAISE EXCEPTION 'letting somebody in again needs two people'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'staff_member_enabling_needs_approval';
    END IF;
    IF OLD.disabled_at IS NULL AND staff_role_decides(OLD.role)
       AND (NEW.role <> OLD.role OR NEW.disabled_at IS NOT NULL) THEN
        -- two who go at the same moment wait for one another here, and the second finds nobody else
        PERFORM pg_advisory_xact_lock(1885695088, 1);
        IF OLD.role = 'admin' AND NOT EXISTS (
            SELECT 1 FROM staff_member s WHERE s.id <> NEW.id AND s.role = 'admin' AND s.disabled_at IS NULL
        ) THEN
            RAISE EXCEPTION 'the last active administrator stays'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'staff_member_last_administrator';
        END IF;
        IF (SELECT count(*) FROM staff_member s
            WHERE s.id <> NEW.id AND s.disabled_at IS NULL AND staff_role_decides(s.role))
           + (CASE WHEN NEW.disabled_at IS NULL AND staff_role_decides(NEW.role) THEN 1 ELSE 0 END) < 2 THEN
            RAISE EXCEPTION 'beside one who decides about staff another one stays'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'staff_member_second_person_stays';
        END IF;
    END IF;
    IF OLD.disabled_at IS NULL AND OLD.role = ANY (approval_kind_roles('rules.change'))
       AND (NEW.role <> OLD.role OR NEW.disabled_at IS NOT NULL) THEN
        PERFORM pg_advisory_xact_lock(1885695088, 1);
        SELECT r.deciders INTO keepers FROM approval_rule r
            WHERE r.kind = 'rules.change' ORDER BY r.version DESC LIMIT 1;
        -- without a narrower rule the two above are enough
        IF OLD.role = ANY (keepers) AND NOT (NEW.disabled_at IS NULL AND NEW.role = ANY (keepers)) AND NOT EXISTS (
            SELECT 1 FROM staff_member s WHERE s.id <> NEW.id AND s.disabled_at IS NULL AND s.role = ANY (keepers)
        ) THEN
            RAISE EXCEPTION 'the last one who decides about rules stays'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'staff_member_last_rule_keeper';
        END IF;
    END IF;
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION staff_member_guard() FROM PUBLIC;
"""


def upgrade() -> None:
    op.create_table(
        "approval_rule",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("hours", sa.SmallInteger(), nullable=True),
        sa.Column("deciders", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("approval_id", sa.UUID(), nullable=False),
        sa.CheckConstraint("hours BETWEEN 1 AND 240", name=op.f("ck_approval_rule_hours_in_range")),
        sa.CheckConstraint("cardinality(deciders) > 0", name=op.f("ck_approval_rule_somebody_named")),
        sa.CheckConstraint("array_ndims(deciders) = 1", name=op.f("ck_approval_rule_deciders_in_a_row")),
        sa.CheckConstraint("version > 0", name=op.f("ck_approval_rule_version_positive")),
        sa.ForeignKeyConstraint(["approval_id"], ["approval_request.id"], name=op.f("fk_approval_rule_approval_id")),
        sa.PrimaryKeyConstraint("kind", "version", name=op.f("pk_approval_rule")),
        sa.UniqueConstraint("approval_id", name=op.f("uq_approval_rule_approval_id")),
    )
    for statement in (ROLES, RULE, DECISIONS, MEMBERS):
        op.execute(statement)
    append_only("approval_rule")
    grant("SELECT, INSERT", ("approval_rule",))
