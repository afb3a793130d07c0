"""Whose power counts is asked at the decision; what two people let be is used once; nobody is left alone with the keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"

#: as dashboard/access/permissions.py has it (tests/staff/test_whose_power.py compares)
ROLES = """
CREATE FUNCTION staff_role_is_senior(p_role text) RETURNS boolean LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT p_role IN ('senior-officer', 'senior-treasurer', 'admin')
$$;
CREATE FUNCTION staff_role_decides(p_role text) RETURNS boolean LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT p_role IN ('senior-officer', 'admin')
$$
"""

#: after the row, so that its constraints are named first
DECISIONS = """
CREATE FUNCTION approval_request_decided_by_who_counts() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM staff_member s
        WHERE s.id = NEW.decided_by AND s.disabled_at IS NULL AND s.id <> NEW.maker_id
          AND staff_role_is_senior(s.role) = NEW.decider_senior
        FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'who decides is active, and as senior as the request says'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'approval_request_decider_counts';
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
CREATE TRIGGER approval_request_decided_by_who_counts AFTER UPDATE ON approval_request
    FOR EACH ROW WHEN (OLD.state = 'requested' AND NEW.state = 'approved')
    EXECUTE FUNCTION approval_request_decided_by_who_counts();
"""

MEMBERS = """
CREATE OR REPLACE FUNCTION staff_member_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
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
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION staff_member_guard() FROM PUBLIC;
CREATE OR REPLACE TRIGGER staff_member_guard
    BEFORE UPDATE OF role, disabled_at, role_approval_id, enabling_approval_id ON staff_member
    FOR EACH ROW EXECUTE FUNCTION staff_member_guard();
"""

TOKENS = """
CREATE OR REPLACE FUNCTION api_token_power_by_two() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    alone boolean := NEW.scopes <@ ARRAY['clients:import', 'verification:simulate'];
BEGIN
    IF NEW.origin <> 'operator' AND alone AND 'clients:import' = ANY (NEW.scopes) THEN
        -- two who make the first token of a partner at the same moment wait for one another
        PERFORM pg_advisory_xact_lock(1885695089, hashtext(NEW.partner));
        alone := NOT EXISTS (SELECT 1 FROM api_token t WHERE t.partner = NEW.partner AND t.audience = 'integration')
             AND NOT EXISTS (SELECT 1 FROM client c WHERE c.partner = NEW.partner);
    END IF;
    IF NEW.origin <> 'operator' AND NOT alone
       AND NOT EXISTS (
        SELECT 1 FROM approval_request r
        WHERE r.id = NEW.approval_id AND r.state = 'approved' AND r.kind = 'tokens.create' AND r.object_id = NEW.id
          AND r.maker_id = NEW.owner_id AND r.payload ->> 'audience' = NEW.audience
          AND r.payload -> 'scopes' @> to_jsonb(NEW.scopes) AND r.payload ->> 'partner' = NEW.partner
          AND r.payload ->> 'clientId' IS NOT DISTINCT FROM NEW.client_id::text
    ) THEN
        RAISE EXCEPTION 'a token that may more than its maker needs two people'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'api_token_power_by_two';
    END IF;
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION api_token_power_by_two() FROM PUBLIC;

CREATE FUNCTION api_token_of_operator_is_told() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (current_user = 'countinghouse_app'
        OR NOT pg_has_role(session_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'MEMBER'))
       AND NOT EXISTS (
        SELECT 1 FROM audit_event e
        WHERE e.object_type = 'api_token' AND e.object_id = NEW.id AND e.action = 'token.created'
          AND e.actor_kind = 'system'
       ) THEN
        RAISE EXCEPTION 'the operator makes a token with evidence'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'api_token_of_operator_is_told';
    END IF;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION api_token_of_operator_is_told() FROM PUBLIC;
CREATE CONSTRAINT TRIGGER api_token_of_operator_is_told AFTER INSERT ON api_token
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.origin = 'operator')
    EXECUTE FUNCTION api_token_of_operator_is_told();
"""

#: two people approved it for the role and the second factor of then
RESETS = """
CREATE FUNCTION password_reset_of_who_it_was() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM second_factor f
        WHERE f.staff_id = NEW.staff_id AND f.ended_how IN ('reset', 'operator') AND f.ended_at > NEW.approved_at
    ) OR EXISTS (
        SELECT 1 FROM approval_request r
        WHERE r.object_id = NEW.staff_id AND r.kind = 'staff.changeRole' AND r.state = 'approved'
          AND r.closed_at > NEW.approved_at
    ) THEN
        RAISE EXCEPTION 'role or second factor changed since two people approved it'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'password_reset_of_who_it_was';
    END IF;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION password_reset_of_who_it_was() FROM PUBLIC;
CREATE TRIGGER password_reset_of_who_it_was AFTER UPDATE OF used_at ON password_reset
    FOR EACH ROW WHEN (NEW.used_at IS NOT NULL) EXECUTE FUNCTION password_reset_of_who_it_was();
"""


def upgrade() -> None:
    # no foreign keys: requests refer to members, and the trigger asks for the request
    for column, kind in (("role_approval_id", "staff.changeRole"), ("enabling_approval_id", "staff.enable")):
        op.add_column("staff_member", sa.Column(column, sa.UUID(), nullable=True))
        # what was decided before was used then
        op.execute(
            f"UPDATE staff_member s SET {column} = (SELECT r.id FROM approval_request r WHERE r.object_id = s.id"
            f" AND r.kind = '{kind}' AND r.state = 'approved' ORDER BY r.closed_at DESC LIMIT 1)"
        )
    for statement in (ROLES, DECISIONS, MEMBERS, TOKENS, RESETS):
        op.execute(statement)
