"""Clients with their blocks, flags and notes; staff, sessions, tokens; approvals, queues; audit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.guards import append_only, application_role, grant, never_deleted, refuse_change_function

revision = "0001"
down_revision = None

#: what clients.folding.trigrams_of cuts a query into; immutable, so that an index can stand on it
TRIGRAMS = """
CREATE FUNCTION trigrams(text) RETURNS text[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT coalesce(array_agg(DISTINCT substr(padded, i, 3)), '{}')
    FROM (SELECT '  ' || replace($1, ' ', '  ') AS padded) AS p, generate_series(1, length(p.padded) - 2) AS i
$$
"""

#: a request that is closed stays as it was closed, and what was asked never changes
APPROVAL_IS_FINAL = """
CREATE FUNCTION approval_is_final() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.state <> 'requested' THEN
        RAISE EXCEPTION 'a closed request is never changed'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'approval_request_is_final';
    END IF;
    IF (NEW.kind, NEW.object_type, NEW.object_id, NEW.maker_kind, NEW.maker_id, NEW.maker_senior, NEW.payload,
        NEW.before, NEW.after, NEW.fingerprint, NEW.reason, NEW.restricted, NEW.requested_at, NEW.expires_at,
        NEW.subject, NEW.maker_name)
       IS DISTINCT FROM
       (OLD.kind, OLD.object_type, OLD.object_id, OLD.maker_kind, OLD.maker_id, OLD.maker_senior, OLD.payload,
        OLD.before, OLD.after, OLD.fingerprint, OLD.reason, OLD.restricted, OLD.requested_at, OLD.expires_at,
        OLD.subject, OLD.maker_name)
       OR NEW.maker_owner_id IS DISTINCT FROM OLD.maker_owner_id
       OR NEW.client_id IS DISTINCT FROM OLD.client_id THEN
        RAISE EXCEPTION 'what was asked is never changed'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'approval_request_is_as_asked';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER approval_request_is_final BEFORE UPDATE ON approval_request
    FOR EACH ROW EXECUTE FUNCTION approval_is_final();
"""

#: the application only ever begins at the beginning (the loader of demo histories runs as the owner)
BEGINS_AT_THE_BEGINNING = """
CREATE FUNCTION begins_at_the_beginning() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF current_user = 'countinghouse_app'
       OR NOT pg_has_role(session_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'MEMBER') THEN
        RAISE EXCEPTION 'a new row of % begins at the beginning', TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER approval_request_begins_requested BEFORE INSERT ON approval_request
    FOR EACH ROW WHEN (NEW.state <> 'requested') EXECUTE FUNCTION begins_at_the_beginning();
CREATE TRIGGER client_begins_inactive BEFORE INSERT ON client
    FOR EACH ROW WHEN (NEW.status <> 'inactive') EXECUTE FUNCTION begins_at_the_beginning();
CREATE TRIGGER client_block_begins_active BEFORE INSERT ON client_block
    FOR EACH ROW WHEN (NEW.lifted_at IS NOT NULL) EXECUTE FUNCTION begins_at_the_beginning();
"""

#: activation and a lower risk name an approved request of their own; a block outlives every status change
CLIENT_STATUS_GUARD = """
CREATE FUNCTION client_status_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.status = 'active' AND OLD.status = 'inactive' AND NOT EXISTS (
        SELECT 1 FROM approval_request r
        WHERE r.id = NEW.activation_approval_id AND r.id IS DISTINCT FROM OLD.activation_approval_id
          AND r.state = 'approved' AND r.kind = 'client.activate' AND r.object_id = NEW.id
          -- decided just now: an old decision is never used a second time
          AND r.closed_at >= transaction_timestamp() - interval '1 minute'
    ) THEN
        RAISE EXCEPTION 'activation without KYC needs two people'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_activation_needs_approval';
    END IF;
    IF OLD.status = 'blocked' AND NEW.status <> 'blocked' THEN
        IF NEW.status <> OLD.status_before_block THEN
            RAISE EXCEPTION 'lifting a block restores the status before'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_unblock_restores_status';
        END IF;
        IF EXISTS (SELECT 1 FROM client_block b WHERE b.client_id = NEW.id AND b.lifted_at IS NULL) THEN
            RAISE EXCEPTION 'a block is still active'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_blocked_while_block_active';
        END IF;
    END IF;
    IF OLD.status = 'closed' AND NEW.status NOT IN ('closed', 'blocked') THEN
        RAISE EXCEPTION 'a closed client stays closed'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_closed_is_final';
    END IF;
    IF NEW.status = 'blocked' AND OLD.status <> 'blocked' AND NEW.status_before_block <> OLD.status
       OR NEW.status = 'blocked' AND OLD.status = 'blocked'
          AND NEW.status_before_block IS DISTINCT FROM OLD.status_before_block THEN
        RAISE EXCEPTION 'the status before the block is what it was'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_block_remembers_status';
    END IF;
    IF NEW.risk_level < OLD.risk_level AND NOT EXISTS (
        SELECT 1 FROM approval_request r
        WHERE r.id = NEW.risk_approval_id AND r.id IS DISTINCT FROM OLD.risk_approval_id
          AND r.state = 'approved' AND r.kind = 'client.lower-risk' AND r.object_id = NEW.id
          AND (r.payload ->> 'risk_level')::int = NEW.risk_level
          AND r.closed_at >= transaction_timestamp() - interval '1 minute'
    ) THEN
        RAISE EXCEPTION 'lowering a risk needs two people'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_lower_risk_needs_approval';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER client_status_guard BEFORE UPDATE OF status, status_before_block, risk_level ON client
    FOR EACH ROW EXECUTE FUNCTION client_status_guard();
"""

#: a lifted block stays lifted; a lift by approval names an approved request for this very block
BLOCK_LIFT_GUARD = """
CREATE FUNCTION client_block_lift_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.lifted_at IS NOT NULL THEN
        RAISE EXCEPTION 'a lifted block is never changed'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_block_lift_is_final';
    END IF;
    IF (NEW.id, NEW.client_id, NEW.scope, NEW.started_at, NEW.review_date, NEW.placed_by_kind, NEW.placed_by_name)
       IS DISTINCT FROM
       (OLD.id, OLD.client_id, OLD.scope, OLD.started_at, OLD.review_date, OLD.placed_by_kind, OLD.placed_by_name)
       OR NEW.amount_minor IS DISTINCT FROM OLD.amount_minor OR NEW.currency IS DISTINCT FROM OLD.currency
       OR NEW.placed_by_id IS DISTINCT FROM OLD.placed_by_id OR NEW.client_text IS DISTINCT FROM OLD.client_text
       OR (OLD.code <> 'NOT_STATED' AND (NEW.code <> OLD.code OR NEW.comment IS DISTINCT FROM OLD.comment
           OR NEW.legal_reference IS DISTINCT FROM OLD.legal_reference
           OR NEW.stated_by_id IS DISTINCT FROM OLD.stated_by_id)) THEN
        RAISE EXCEPTION 'a block is lifted, never rewritten'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_block_is_as_placed';
    END IF;
    IF NEW.lifted_at IS NOT NULL AND NEW.code = 'RISK_PROHIBITED'
       AND EXISTS (SELECT 1 FROM client c WHERE c.id = NEW.client_id AND c.risk_level = 4) THEN
        RAISE EXCEPTION 'the block of a prohibited risk stands while the risk is prohibited'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_block_stands_while_prohibited';
    END IF;
    IF NEW.lift_approval_id IS NOT NULL AND NOT EXISTS (
        SELECT 1 FROM approval_request r
        WHERE r.id = NEW.lift_approval_id AND r.state = 'approved' AND r.kind = 'client.unblock'
          AND r.object_id = NEW.id
    ) THEN
        RAISE EXCEPTION 'lifting a block needs its approved request'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_block_lift_needs_approval';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER client_block_lift_guard BEFORE UPDATE ON client_block
    FOR EACH ROW EXECUTE FUNCTION client_block_lift_guard();
"""

#: a flag is closed, never rewritten
FLAG_GUARD = """
CREATE FUNCTION client_flag_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.closed_at IS NOT NULL
       OR (NEW.id, NEW.client_id, NEW.code, NEW.severity, NEW.field, NEW.fact, NEW.opened_at)
          IS DISTINCT FROM (OLD.id, OLD.client_id, OLD.code, OLD.severity, OLD.field, OLD.fact, OLD.opened_at) THEN
        RAISE EXCEPTION 'a flag is closed, never rewritten'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_flag_is_as_raised';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER client_flag_guard BEFORE UPDATE ON client_flag
    FOR EACH ROW EXECUTE FUNCTION client_flag_guard();
"""

#: checked at the commit: who has an active block is blocked
BLOCKED_WHILE_BLOCK = """
CREATE FUNCTION client_blocked_while_block() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM client_block b JOIN client c ON c.id = b.client_id
        WHERE b.id = NEW.id AND b.lifted_at IS NULL AND c.status <> 'blocked'
    ) THEN
        RAISE EXCEPTION 'a client with an active block is blocked'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_blocked_while_block_active';
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION client_block_locks_client() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    -- a status change and a new block wait for one another, whoever writes them
    PERFORM 1 FROM client WHERE id = NEW.client_id FOR NO KEY UPDATE;
    RETURN NEW;
END $$;
CREATE TRIGGER client_block_locks_client BEFORE INSERT ON client_block
    FOR EACH ROW EXECUTE FUNCTION client_block_locks_client();
CREATE CONSTRAINT TRIGGER client_blocked_while_block AFTER INSERT ON client_block
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION client_blocked_while_block();
"""


def upgrade() -> None:
    refuse_change_function()
    op.execute(TRIGRAMS)
    op.create_table(
        "audit_event",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.UUID(), nullable=True),
        sa.Column("actor_name", sa.Text(), nullable=False),
        sa.Column("actor_role", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("object_type", sa.Text(), nullable=False),
        sa.Column("object_id", sa.UUID(), nullable=True),
        sa.Column("client_id", sa.UUID(), nullable=True),
        sa.Column("payload_digest", sa.Text(), nullable=True),
        sa.CheckConstraint("actor_kind IN ('staff', 'token', 'system')", name=op.f("ck_audit_event_actor_kind_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_event")),
    )
    op.create_index(
        "ix_audit_event_client",
        "audit_event",
        ["client_id", sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("client_id IS NOT NULL"),
    )
    op.create_index(
        "ix_audit_event_object", "audit_event", ["object_type", "object_id", sa.literal_column("id DESC")], unique=False
    )
    op.create_table(
        "sign_in_failure",
        sa.Column("email_hash", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_failure_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("email_hash", name=op.f("pk_sign_in_failure")),
    )
    op.create_table(
        "staff_member",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("email_key", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("theme", sa.Text(), nullable=False),
        sa.Column("keys_off", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("password_changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role IN ('officer', 'senior-officer', 'treasurer', 'senior-treasurer', 'admin', 'auditor')",
            name=op.f("ck_staff_member_role_known"),
        ),
        sa.CheckConstraint("theme IN ('light', 'dark', 'system')", name=op.f("ck_staff_member_theme_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_member")),
        sa.UniqueConstraint("email_key", name=op.f("uq_staff_member_email_key")),
    )
    op.create_table(
        "approval_request",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("object_type", sa.Text(), nullable=False),
        sa.Column("object_id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("maker_kind", sa.Text(), nullable=False),
        sa.Column("maker_id", sa.UUID(), nullable=False),
        sa.Column("maker_name", sa.Text(), nullable=False),
        sa.Column("maker_senior", sa.Boolean(), nullable=False),
        sa.Column("maker_owner_id", sa.UUID(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("restricted", sa.Boolean(), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("fingerprint", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.UUID(), nullable=True),
        sa.Column("decider_name", sa.Text(), nullable=True),
        sa.Column("decider_senior", sa.Boolean(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(state = 'requested') = (closed_at IS NULL)", name=op.f("ck_approval_request_closed_has_a_time")
        ),
        sa.CheckConstraint(
            "(state IN ('approved', 'rejected')) = (decided_by IS NOT NULL)",
            name=op.f("ck_approval_request_decided_by_somebody"),
        ),
        sa.CheckConstraint("maker_kind IN ('staff', 'token')", name=op.f("ck_approval_request_maker_kind_known")),
        sa.CheckConstraint(
            "state <> 'approved' OR (decider_senior IS TRUE) OR (maker_senior AND maker_kind = 'staff')",
            name=op.f("ck_approval_request_one_of_two_is_senior"),
        ),
        sa.CheckConstraint(
            "state <> 'rejected' OR length(btrim(coalesce(decision_reason, ''))) > 0",
            name=op.f("ck_approval_request_rejection_has_a_reason"),
        ),
        sa.CheckConstraint(
            "state IN ('requested', 'approved', 'rejected', 'withdrawn', 'expired', 'stale')",
            name=op.f("ck_approval_request_state_known"),
        ),
        sa.CheckConstraint(
            "decided_by IS NULL OR (decided_by <> maker_id AND decided_by IS DISTINCT FROM maker_owner_id)",
            name=op.f("ck_approval_request_two_people"),
        ),
        sa.ForeignKeyConstraint(["decided_by"], ["staff_member.id"], name=op.f("fk_approval_request_decided_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_request")),
    )
    op.create_index(
        "ix_approval_request_client", "approval_request", ["client_id", sa.literal_column("id DESC")], unique=False
    )
    op.create_index(
        "ix_approval_request_live",
        "approval_request",
        ["expires_at", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'requested'"),
    )
    op.create_index(
        "ix_approval_request_maker", "approval_request", ["maker_id", sa.literal_column("id DESC")], unique=False
    )
    op.create_index("ix_approval_request_newest", "approval_request", [sa.literal_column("id DESC")], unique=False)
    op.create_index(
        "uq_approval_request_live",
        "approval_request",
        ["kind", "object_id"],
        unique=True,
        postgresql_where=sa.text("state = 'requested'"),
    )
    op.create_table(
        "audit_payload",
        sa.Column("event_id", sa.UUID(), nullable=False),
        sa.Column("salt", sa.Text(), nullable=False),
        sa.Column("before", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("restricted", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(["event_id"], ["audit_event.id"], name=op.f("fk_audit_payload_event_id")),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_audit_payload")),
    )
    op.create_table(
        "queue_item",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("object_type", sa.Text(), nullable=False),
        sa.Column("object_id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=True),
        sa.Column("restricted", sa.Boolean(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("assignee_id", sa.UUID(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.UUID(), nullable=True),
        sa.ForeignKeyConstraint(["assignee_id"], ["staff_member.id"], name=op.f("fk_queue_item_assignee_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queue_item")),
    )
    op.create_index(
        "ix_queue_item_client", "queue_item", ["client_id"], unique=False, postgresql_where=sa.text("closed_at IS NULL")
    )
    op.create_index(
        "ix_queue_item_due",
        "queue_item",
        ["queue", "due_at", "id"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(
        "ix_queue_item_mine",
        "queue_item",
        ["assignee_id", "due_at", "id"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(
        "uq_queue_item_open",
        "queue_item",
        ["queue", "object_id", "cause"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "staff_session",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("staff_id", sa.UUID(), nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("browser", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff_member.id"], name=op.f("fk_staff_session_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_session")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_staff_session_secret_hash")),
    )
    op.create_index(op.f("ix_staff_session_staff_id"), "staff_session", ["staff_id"], unique=False)
    op.create_table(
        "client",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("status_before_block", sa.Text(), nullable=True),
        sa.Column("risk_level", sa.SmallInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone_number", sa.Text(), nullable=True),
        sa.Column("partner", sa.Text(), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("onboarding_id", sa.UUID(), nullable=True),
        sa.Column("editor_user_id", sa.UUID(), nullable=True),
        sa.Column("is_default_compliant", sa.Boolean(), nullable=False),
        sa.Column("open_flags", sa.SmallInteger(), nullable=False),
        sa.Column("worst_flag", sa.SmallInteger(), nullable=False),
        sa.Column("activation_approval_id", sa.UUID(), nullable=True),
        sa.Column("risk_approval_id", sa.UUID(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(status = 'blocked') = (status_before_block IS NOT NULL) AND status_before_block IN ('inactive', 'active', 'closed')",
            name=op.f("ck_client_blocked_remembers_status"),
        ),
        sa.CheckConstraint(
            "NOT (status = 'active' AND risk_level = 4)", name=op.f("ck_client_prohibited_is_never_active")
        ),
        sa.CheckConstraint(
            "status IN ('inactive', 'active', 'blocked', 'closed')", name=op.f("ck_client_status_known")
        ),
        sa.CheckConstraint("type IN ('individual', 'company')", name=op.f("ck_client_type_known")),
        sa.CheckConstraint("risk_level BETWEEN 0 AND 4", name=op.f("ck_client_risk_known")),
        sa.ForeignKeyConstraint(
            ["activation_approval_id"], ["approval_request.id"], name=op.f("fk_client_activation_approval_id")
        ),
        sa.ForeignKeyConstraint(["risk_approval_id"], ["approval_request.id"], name=op.f("fk_client_risk_approval_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client")),
        sa.UniqueConstraint("partner", "external_id", name="uq_client_partner_external_id"),
    )
    op.create_index(
        "ix_client_country_created",
        "client",
        ["country", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index("ix_client_country_name", "client", ["country", "name_key", "id"], unique=False)
    op.create_index("ix_client_risk_name", "client", ["risk_level", "name_key", "id"], unique=False)
    op.create_index(
        "ix_client_created",
        "client",
        [sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_client_flagged_created",
        "client",
        ["worst_flag", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("worst_flag > 0"),
    )
    op.create_index("ix_client_name", "client", ["name_key", "id"], unique=False)
    op.create_index(
        "ix_client_risk_created",
        "client",
        ["risk_level", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index(
        "ix_client_search", "client", [sa.literal_column("trigrams(search_text)")], unique=False, postgresql_using="gin"
    )
    op.create_index(
        "ix_client_status_created",
        "client",
        ["status", sa.literal_column("created_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )
    op.create_index("ix_client_status_name", "client", ["status", "name_key", "id"], unique=False)
    op.create_table(
        "api_token",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=True),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.UUID(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(audience = 'frontoffice') = (client_id IS NOT NULL)", name=op.f("ck_api_token_front_office_has_a_client")
        ),
        sa.CheckConstraint(
            "audience IN ('frontoffice', 'system', 'integration')", name=op.f("ck_api_token_audience_known")
        ),
        sa.CheckConstraint("expires_at > created_at", name=op.f("ck_api_token_expires_after_creation")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_api_token_client_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["staff_member.id"], name=op.f("fk_api_token_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_api_token_secret_hash")),
    )
    op.create_table(
        "client_block",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("legal_reference", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("client_text", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("review_date", sa.Date(), nullable=False),
        sa.Column("placed_by_kind", sa.Text(), nullable=False),
        sa.Column("placed_by_id", sa.UUID(), nullable=True),
        sa.Column("placed_by_name", sa.Text(), nullable=False),
        sa.Column("stated_by_id", sa.UUID(), nullable=True),
        sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lifted_by_kind", sa.Text(), nullable=True),
        sa.Column("lifted_by_id", sa.UUID(), nullable=True),
        sa.Column("lifted_by_name", sa.Text(), nullable=True),
        sa.Column("lift_approval_id", sa.UUID(), nullable=True),
        sa.CheckConstraint(
            "(scope = 'amount') = (amount_minor IS NOT NULL AND currency IS NOT NULL) AND (amount_minor IS NULL OR amount_minor > 0)",
            name=op.f("ck_client_block_amount_scope_has_an_amount"),
        ),
        sa.CheckConstraint(
            "code IN ('SANCTIONS', 'STR_HOLD', 'FIU_ORDER', 'COURT_ATTACHMENT', 'FRAUD', 'KYC_EXPIRED', 'KYC_FAILED', 'RISK_PROHIBITED', 'DECEASED', 'CLIENT_REQUEST', 'DORMANT', 'OPS_ERROR', 'NOT_STATED')",
            name=op.f("ck_client_block_code_known"),
        ),
        sa.CheckConstraint(
            "lifted_at IS NULL OR lift_approval_id IS NOT NULL OR (lifted_by_kind = 'token' AND placed_by_kind = 'token' AND lifted_by_id = placed_by_id AND stated_by_id IS NULL AND code NOT IN ('COURT_ATTACHMENT', 'FIU_ORDER', 'SANCTIONS', 'STR_HOLD'))",
            name=op.f("ck_client_block_lifted_by_two_people"),
        ),
        sa.CheckConstraint(
            "placed_by_kind IN ('staff', 'token', 'system')", name=op.f("ck_client_block_placed_by_known")
        ),
        sa.CheckConstraint("scope IN ('all', 'debit', 'credit', 'amount')", name=op.f("ck_client_block_scope_known")),
        sa.CheckConstraint(
            "(lifted_at IS NULL) = (lifted_by_kind IS NULL) AND (lifted_at IS NOT NULL OR lift_approval_id IS NULL)",
            name=op.f("ck_client_block_lift_is_complete"),
        ),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_client_block_client_id")),
        sa.ForeignKeyConstraint(
            ["lift_approval_id"], ["approval_request.id"], name=op.f("fk_client_block_lift_approval_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_block")),
    )
    op.create_index("ix_client_block_client", "client_block", ["client_id", sa.literal_column("id DESC")], unique=False)
    op.create_index(
        "uq_client_block_active",
        "client_block",
        [
            "client_id",
            "code",
            "scope",
            "placed_by_kind",
            sa.literal_column("coalesce(amount_minor, 0)"),
            sa.literal_column("coalesce(currency, '')"),
        ],
        unique=True,
        postgresql_where=sa.text("lifted_at IS NULL AND placed_by_kind <> 'token'"),
    )
    op.create_index(
        "uq_client_block_active_token",
        "client_block",
        [
            "client_id",
            "code",
            "scope",
            "placed_by_id",
            sa.literal_column("coalesce(amount_minor, 0)"),
            sa.literal_column("coalesce(currency, '')"),
        ],
        unique=True,
        postgresql_where=sa.text("lifted_at IS NULL AND placed_by_kind = 'token' AND stated_by_id IS NULL"),
    )
    op.create_table(
        "client_flag",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("severity", sa.SmallInteger(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("fact", sa.Text(), server_default="", nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.UUID(), nullable=True),
        sa.Column("closed_by_name", sa.Text(), nullable=True),
        sa.Column("closing_reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(closed_at IS NULL) = (closing_reason IS NULL)", name=op.f("ck_client_flag_closed_with_a_reason")
        ),
        sa.CheckConstraint("severity BETWEEN 1 AND 3", name=op.f("ck_client_flag_severity_known")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_client_flag_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_flag")),
    )
    op.create_index(
        "ix_client_flag_code",
        "client_flag",
        ["code", "client_id"],
        unique=False,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_index(
        "uq_client_flag_open",
        "client_flag",
        ["client_id", "code", "field"],
        unique=True,
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "client_link",
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("key", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_client_link_client_id")),
        sa.PrimaryKeyConstraint("client_id", "key", name=op.f("pk_client_link")),
    )
    op.create_index("ix_client_link_key", "client_link", ["key"], unique=False)
    op.create_table(
        "client_note",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("author_id", sa.UUID(), nullable=False),
        sa.Column("author_name", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("length(btrim(body)) > 0", name=op.f("ck_client_note_body_not_empty")),
        sa.ForeignKeyConstraint(["author_id"], ["staff_member.id"], name=op.f("fk_client_note_author_id")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_client_note_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_note")),
    )
    op.create_index("ix_client_note_client", "client_note", ["client_id", sa.literal_column("id DESC")], unique=False)
    op.create_table(
        "company",
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("legal_name", sa.Text(), nullable=False),
        sa.Column("company_type", sa.Text(), nullable=True),
        sa.Column("registration_number", sa.Text(), nullable=True),
        sa.Column("registration_date", sa.Date(), nullable=True),
        sa.Column("registration_country", sa.Text(), nullable=True),
        sa.Column("tax_residency_country", sa.Text(), nullable=True),
        sa.Column("tax_number", sa.Text(), nullable=True),
        sa.Column("industry", sa.Text(), nullable=True),
        sa.Column("industry_other", sa.Text(), nullable=True),
        sa.Column("turnover", sa.Text(), nullable=True),
        sa.Column("web_site", sa.Text(), nullable=True),
        sa.Column("pay_ins_countries", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("pay_outs_countries", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("is_engaged_gambling_10k", sa.Boolean(), nullable=True),
        sa.Column("is_foundation", sa.Boolean(), nullable=True),
        sa.Column("is_publicly_listed", sa.Boolean(), nullable=True),
        sa.Column("is_relevant_activity", sa.Boolean(), nullable=True),
        sa.Column("purposes_account_opening", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("purposes_account_opening_other", sa.Text(), nullable=True),
        sa.Column("business_partners", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("fund_flows", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("compliance_evaluation", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("custom_options", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("address", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_company_client_id")),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_company")),
    )
    op.create_table(
        "individual",
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("first_name", sa.Text(), nullable=False),
        sa.Column("last_name", sa.Text(), nullable=False),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("citizenship_country", sa.Text(), nullable=True),
        sa.Column("residence_country", sa.Text(), nullable=True),
        sa.Column("document_type", sa.Text(), nullable=True),
        sa.Column("document_number", sa.Text(), nullable=True),
        sa.Column("document_issued_by", sa.Text(), nullable=True),
        sa.Column("document_issued_country", sa.Text(), nullable=True),
        sa.Column("document_issued_date", sa.Date(), nullable=True),
        sa.Column("document_expiration_date", sa.Date(), nullable=True),
        sa.Column("address", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.CheckConstraint(
            "document_type IN ('passport', 'driverLicense', 'idCard', 'other')",
            name=op.f("ck_individual_document_type_known"),
        ),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_individual_client_id")),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_individual")),
    )
    op.create_index("ix_individual_document_expiration", "individual", ["document_expiration_date"], unique=False)
    op.create_table(
        "related_individual",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("first_name", sa.Text(), nullable=True),
        sa.Column("last_name", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("is_ubo", sa.Boolean(), nullable=True),
        sa.Column("is_shareholder", sa.Boolean(), nullable=True),
        sa.Column("is_director", sa.Boolean(), nullable=True),
        sa.Column("is_representative", sa.Boolean(), nullable=True),
        sa.Column("is_pep", sa.Boolean(), nullable=True),
        sa.Column("residence_country", sa.Text(), nullable=True),
        sa.Column("citizenship_country", sa.Text(), nullable=True),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("ownership", sa.Numeric(precision=7, scale=4), nullable=True),
        sa.Column("percentage_ownership", sa.Numeric(precision=7, scale=4), nullable=True),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("beneficial_owner_pep_details", sa.Text(), nullable=True),
        sa.Column("usa_tax_residency", sa.Boolean(), nullable=True),
        sa.Column("giin_number", sa.Text(), nullable=True),
        sa.Column("residential_address", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("applicant_id", sa.Text(), nullable=True),
        sa.CheckConstraint("ownership BETWEEN 0 AND 100", name=op.f("ck_related_individual_ownership_is_a_percentage")),
        sa.CheckConstraint(
            "percentage_ownership BETWEEN 0 AND 100",
            name=op.f("ck_related_individual_percentage_ownership_is_a_percentage"),
        ),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_related_individual_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_related_individual")),
    )
    op.create_index(op.f("ix_related_individual_client_id"), "related_individual", ["client_id"], unique=False)

    op.execute(
        "CREATE UNLOGGED TABLE rate_limit (key text CONSTRAINT pk_rate_limit PRIMARY KEY,"
        " hits bigint NOT NULL, expires_at timestamptz NOT NULL)"
    )
    for table in ("audit_event", "audit_payload", "client_note"):
        append_only(table)
    for table in ("approval_request", "client_block", "client_flag", "client"):
        never_deleted(table)
    for statement in (
        BEGINS_AT_THE_BEGINNING,
        APPROVAL_IS_FINAL,
        CLIENT_STATUS_GUARD,
        BLOCK_LIFT_GUARD,
        BLOCKED_WHILE_BLOCK,
        FLAG_GUARD,
    ):
        op.execute(statement)

    application_role()
    grant("SELECT, INSERT", ("audit_event", "audit_payload", "client_note"))
    grant(
        "SELECT, INSERT, UPDATE",
        (
            "staff_member", "staff_session", "api_token", "queue_item", "approval_request",
            "client", "individual", "company", "client_flag", "client_block",
        ),
    )  # fmt: skip
    grant("SELECT, INSERT, UPDATE, DELETE", ("sign_in_failure", "related_individual", "client_link", "rate_limit"))
    grant("SELECT", ("alembic_version",))
