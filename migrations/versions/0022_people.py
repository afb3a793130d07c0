"""Staff and tokens by two people."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.guards import grant, never_deleted

revision = "0022"
down_revision = "0021"

#: the application makes a member by an accepted invitation, or leaves evidence that the house itself did; the loader of
#: demo histories runs as the owner
MEMBERS = """
CREATE FUNCTION staff_member_was_let_in() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (current_user = 'countinghouse_app'
        OR NOT pg_has_role(session_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'MEMBER'))
       AND NOT EXISTS (
        SELECT 1 FROM staff_invitation i
        WHERE i.member_id = NEW.id AND i.accepted_at IS NOT NULL AND i.role = NEW.role AND i.email_key = NEW.email_key
       ) AND NOT EXISTS (
        SELECT 1 FROM audit_event e
        WHERE e.object_type = 'staff_member' AND e.object_id = NEW.id AND e.action = 'staff.created'
          AND e.actor_kind = 'system'
       ) THEN
        RAISE EXCEPTION 'a staff member comes by an accepted invitation, or is made by the operator, with evidence'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'staff_member_was_let_in';
    END IF;
    RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION staff_member_was_let_in() FROM PUBLIC;
CREATE CONSTRAINT TRIGGER staff_member_was_let_in AFTER INSERT ON staff_member
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION staff_member_was_let_in();

CREATE FUNCTION staff_member_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.role <> OLD.role AND NOT EXISTS (
        SELECT 1 FROM approval_request r
        WHERE r.state = 'approved' AND r.kind = 'staff.changeRole' AND r.object_id = NEW.id
          AND r.payload ->> 'from' = OLD.role AND r.payload ->> 'role' = NEW.role
          -- decided just now: an old decision is never used a second time
          AND r.closed_at >= transaction_timestamp() - interval '1 minute'
    ) THEN
        RAISE EXCEPTION 'another role needs two people'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'staff_member_role_needs_approval';
    END IF;
    IF OLD.disabled_at IS NOT NULL AND NEW.disabled_at IS NULL AND NOT EXISTS (
        SELECT 1 FROM approval_request r
        WHERE r.state = 'approved' AND r.kind = 'staff.enable' AND r.object_id = NEW.id
          AND r.closed_at >= transaction_timestamp() - interval '1 minute'
    ) THEN
        RAISE EXCEPTION 'letting somebody in again needs two people'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'staff_member_enabling_needs_approval';
    END IF;
    IF OLD.role = 'admin' AND OLD.disabled_at IS NULL AND (NEW.role <> 'admin' OR NEW.disabled_at IS NOT NULL) THEN
        -- two who go at the same moment wait for one another here, and the second finds nobody else
        PERFORM pg_advisory_xact_lock(1885695088, 1);
        IF NOT EXISTS (
            SELECT 1 FROM staff_member s WHERE s.id <> NEW.id AND s.role = 'admin' AND s.disabled_at IS NULL
        ) THEN
            RAISE EXCEPTION 'the last active administrator stays'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'staff_member_last_administrator';
        END IF;
    END IF;
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION staff_member_guard() FROM PUBLIC;
CREATE TRIGGER staff_member_guard BEFORE UPDATE OF role, disabled_at ON staff_member
    FOR EACH ROW EXECUTE FUNCTION staff_member_guard();
"""

INVITATIONS = """
CREATE FUNCTION staff_invitation_by_two() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.secret_hash IS NOT NULL OR NEW.accepted_at IS NOT NULL OR NEW.ended_at IS NOT NULL OR NOT EXISTS (
        SELECT 1 FROM approval_request r
        WHERE r.id = NEW.approval_id AND r.state = 'approved' AND r.kind = 'staff.invite' AND r.object_id = NEW.id
          AND r.maker_id = NEW.invited_by AND r.payload ->> 'role' = NEW.role AND r.payload ->> 'email' = NEW.email
          AND r.payload ->> 'emailKey' = NEW.email_key
    ) THEN
        RAISE EXCEPTION 'two people invite somebody into a role'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'staff_invitation_by_two';
    END IF;
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION staff_invitation_by_two() FROM PUBLIC;
CREATE TRIGGER staff_invitation_by_two BEFORE INSERT ON staff_invitation
    FOR EACH ROW EXECUTE FUNCTION staff_invitation_by_two();

CREATE FUNCTION staff_invitation_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.accepted_at IS NOT NULL OR OLD.ended_at IS NOT NULL THEN
        RAISE EXCEPTION 'an invitation that is over stays so'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'staff_invitation_is_final';
    END IF;
    IF (NEW.id, NEW.email, NEW.email_key, NEW.name, NEW.role, NEW.invited_by, NEW.approval_id, NEW.created_at)
       IS DISTINCT FROM
       (OLD.id, OLD.email, OLD.email_key, OLD.name, OLD.role, OLD.invited_by, OLD.approval_id, OLD.created_at) THEN
        RAISE EXCEPTION 'an invitation is as two people let it be'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'staff_invitation_is_as_approved';
    END IF;
    IF NEW.accepted_at IS NOT NULL AND (
        NEW.secret_hash IS DISTINCT FROM OLD.secret_hash OR OLD.link_expires_at IS NULL
        OR NEW.accepted_at >= OLD.link_expires_at
        OR EXISTS (SELECT 1 FROM staff_member s WHERE s.id IN (NEW.invited_by, NEW.link_by)
                   AND (s.disabled_at IS NOT NULL OR s.role <> 'admin'))
    ) THEN
        RAISE EXCEPTION 'an invitation is accepted by its link, in time, while who invited may still invite'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'staff_invitation_accepted_in_time';
    END IF;
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION staff_invitation_guard() FROM PUBLIC;
CREATE TRIGGER staff_invitation_guard BEFORE UPDATE ON staff_invitation
    FOR EACH ROW EXECUTE FUNCTION staff_invitation_guard();
"""

TOKENS = """
CREATE FUNCTION api_token_power_by_two() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.origin <> 'operator' AND NOT NEW.scopes <@ ARRAY['clients:import', 'verification:simulate']
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
CREATE TRIGGER api_token_power_by_two BEFORE INSERT ON api_token
    FOR EACH ROW EXECUTE FUNCTION api_token_power_by_two();

CREATE FUNCTION api_token_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (NEW.audience, NEW.partner, NEW.scopes, NEW.origin) IS DISTINCT FROM
       (OLD.audience, OLD.partner, OLD.scopes, OLD.origin)
       OR NEW.client_id IS DISTINCT FROM OLD.client_id OR NEW.owner_id IS DISTINCT FROM OLD.owner_id
       OR NEW.approval_id IS DISTINCT FROM OLD.approval_id OR NEW.expires_at > OLD.expires_at THEN
        RAISE EXCEPTION 'what a token may do never changes: revoke it and make another'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'api_token_is_as_made';
    END IF;
    IF OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS NULL THEN
        RAISE EXCEPTION 'a revoked token stays revoked'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'api_token_stays_revoked';
    END IF;
    IF OLD.secret_shown_at IS NOT NULL AND (NEW.secret_hash, NEW.secret_shown_at) IS DISTINCT FROM
       (OLD.secret_hash, OLD.secret_shown_at) THEN
        RAISE EXCEPTION 'the secret of a token is made once'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'api_token_secret_once';
    END IF;
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION api_token_guard() FROM PUBLIC;
CREATE TRIGGER api_token_guard BEFORE UPDATE OF audience, partner, scopes, origin, client_id, owner_id, approval_id,
    expires_at, revoked_at, secret_hash, secret_shown_at ON api_token
    FOR EACH ROW EXECUTE FUNCTION api_token_guard();
"""


def upgrade() -> None:
    op.create_check_constraint(
        op.f("ck_approval_request_nobody_decides_about_themself"),
        "approval_request",
        "decided_by IS DISTINCT FROM object_id",
    )
    op.create_check_constraint(
        op.f("ck_approval_request_nobody_asks_for_themself"),
        "approval_request",
        "kind NOT IN ('staff.changeRole', 'staff.enable') OR maker_id <> object_id",
    )
    op.create_table(
        "staff_invitation",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("invited_by", sa.UUID(), nullable=False),
        sa.Column("approval_id", sa.UUID(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=True),
        sa.Column("link_by", sa.UUID(), nullable=True),
        sa.Column("link_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("member_id", sa.UUID(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_because", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "role IN ('officer', 'senior-officer', 'treasurer', 'senior-treasurer', 'admin', 'auditor')",
            name=op.f("ck_staff_invitation_role_known"),
        ),
        sa.CheckConstraint(
            "(secret_hash IS NULL) = (link_expires_at IS NULL) AND (secret_hash IS NULL) = (link_by IS NULL)",
            name=op.f("ck_staff_invitation_link_is_whole"),
        ),
        sa.CheckConstraint(
            "(accepted_at IS NULL) = (member_id IS NULL)", name=op.f("ck_staff_invitation_accepted_by_somebody")
        ),
        sa.CheckConstraint(
            "accepted_at IS NULL OR ended_at IS NULL", name=op.f("ck_staff_invitation_accepted_or_ended")
        ),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_because IS NULL)", name=op.f("ck_staff_invitation_ended_why")),
        sa.CheckConstraint(
            "ended_because IN ('withdrawn', 'replaced', 'inviterGone')", name=op.f("ck_staff_invitation_why_known")
        ),
        sa.ForeignKeyConstraint(["approval_id"], ["approval_request.id"], name=op.f("fk_staff_invitation_approval_id")),
        sa.ForeignKeyConstraint(["invited_by"], ["staff_member.id"], name=op.f("fk_staff_invitation_invited_by")),
        sa.ForeignKeyConstraint(["link_by"], ["staff_member.id"], name=op.f("fk_staff_invitation_link_by")),
        sa.ForeignKeyConstraint(["member_id"], ["staff_member.id"], name=op.f("fk_staff_invitation_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_invitation")),
        sa.UniqueConstraint("approval_id", name=op.f("uq_staff_invitation_approval_id")),
        sa.UniqueConstraint("member_id", name=op.f("uq_staff_invitation_member_id")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_staff_invitation_secret_hash")),
    )
    op.create_index(
        "uq_staff_invitation_open",
        "staff_invitation",
        ["email_key"],
        unique=True,
        postgresql_where=sa.text("accepted_at IS NULL AND ended_at IS NULL"),
    )
    op.create_index("ix_staff_invitation_invited_by", "staff_invitation", ["invited_by"], unique=False)
    op.execute(INVITATIONS)
    never_deleted("staff_invitation")
    grant("SELECT, INSERT, UPDATE", ("staff_invitation",))
    op.execute(MEMBERS)

    # what stands was made at the command line, and its secret was printed then
    op.add_column("api_token", sa.Column("origin", sa.Text(), nullable=False, server_default="operator"))
    op.alter_column("api_token", "origin", server_default=None)
    op.add_column("api_token", sa.Column("approval_id", sa.UUID(), nullable=True))
    op.add_column("api_token", sa.Column("secret_shown_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE api_token SET secret_shown_at = created_at")
    op.create_foreign_key(op.f("fk_api_token_approval_id"), "api_token", "approval_request", ["approval_id"], ["id"])
    op.create_unique_constraint(op.f("uq_api_token_approval_id"), "api_token", ["approval_id"])
    op.create_check_constraint(op.f("ck_api_token_origin_known"), "api_token", "origin IN ('operator', 'staff')")
    op.create_check_constraint(
        op.f("ck_api_token_made_by_staff_has_an_owner"), "api_token", "origin = 'operator' OR owner_id IS NOT NULL"
    )
    op.create_index(
        "ix_api_token_owner_id", "api_token", ["owner_id"], postgresql_where=sa.text("owner_id IS NOT NULL")
    )
    op.execute(TOKENS)
