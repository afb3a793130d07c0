"""What an outside verification (KYC) said of a client, and the events it was told by."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.guards import append_only, grant, never_deleted

revision = "0005"
down_revision = "0004"

#: activation names an approved request, or the approval by an outside verification that was decided just now
CLIENT_STATUS_GUARD = """
CREATE OR REPLACE FUNCTION client_status_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.status = 'active' AND OLD.status = 'inactive' AND NOT EXISTS (
        SELECT 1 FROM approval_request r
        WHERE r.id = NEW.activation_approval_id AND r.id IS DISTINCT FROM OLD.activation_approval_id
          AND r.state = 'approved' AND r.kind = 'client.activate' AND r.object_id = NEW.id
          -- decided just now: an old decision is never used a second time
          AND r.closed_at >= transaction_timestamp() - interval '1 minute'
    ) AND NOT EXISTS (
        SELECT 1 FROM verification_decision d JOIN client_verification v ON v.client_id = d.client_id
        WHERE d.id = NEW.activation_decision_id AND d.id IS DISTINCT FROM OLD.activation_decision_id
          AND d.client_id = NEW.id AND d.effect = 'activated'
          AND v.state = 'approved' AND v.approved_event_id = d.event_id
          AND d.decided_at >= transaction_timestamp() - interval '1 minute'
    ) THEN
        RAISE EXCEPTION 'activation needs two people, or an approval by the verification'
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
"""

#: whoever writes it: approved is what a signed event says that is completed, GREEN and about this client
APPROVED_BY_EVENT = """
CREATE FUNCTION verification_approves(p_event uuid, p_client uuid) RETURNS boolean LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT EXISTS (
        SELECT 1 FROM sumsub_event e LEFT JOIN sumsub_applicant a ON a.applicant_id = e.applicant_id
        WHERE e.id = p_event AND e.verdict = 'accepted' AND e.review_status = 'completed' AND e.answer = 'GREEN'
          AND (e.type <> 'applicantStatusPulled' OR e.source = 'pull')
          AND (p_client = a.client_id
               OR replace(p_client::text, '-', '') = replace(btrim(lower(e.external_user_id), '{}'), '-', '')))
$$;
CREATE FUNCTION client_verification_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.state = 'approved'
       AND (TG_OP = 'INSERT' OR NEW.approved_event_id IS DISTINCT FROM OLD.approved_event_id
            OR NEW.client_id <> OLD.client_id)
       AND NOT verification_approves(NEW.approved_event_id, NEW.client_id) THEN
        RAISE EXCEPTION 'no event says that this client is approved'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_verification_approved_by_event';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER client_verification_guard BEFORE INSERT OR UPDATE ON client_verification
    FOR EACH ROW EXECUTE FUNCTION client_verification_guard();
CREATE FUNCTION verification_decision_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT verification_approves(NEW.event_id, NEW.client_id) THEN
        RAISE EXCEPTION 'no event says that this client is approved'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'verification_decision_approved_by_event';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER verification_decision_guard BEFORE INSERT ON verification_decision
    FOR EACH ROW WHEN (NEW.effect = 'activated') EXECUTE FUNCTION verification_decision_guard();
"""

#: an event is as it came; only the owner's own function may empty the body of a person who is erased
EVENT_GUARD = """
CREATE FUNCTION sumsub_event_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.verdict = 'accepted' THEN
            RAISE EXCEPTION 'an accepted event is evidence'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'sumsub_event_is_kept';
        END IF;
        RETURN OLD;
    END IF;
    IF (NEW.id, NEW.received_at, NEW.source, NEW.verdict, NEW.digest, NEW.size, NEW.allowances)
       IS DISTINCT FROM
       (OLD.id, OLD.received_at, OLD.source, OLD.verdict, OLD.digest, OLD.size, OLD.allowances)
       OR NEW.refusal IS DISTINCT FROM OLD.refusal OR NEW.meaning IS DISTINCT FROM OLD.meaning
       OR NEW.secret_number IS DISTINCT FROM OLD.secret_number OR NEW.type IS DISTINCT FROM OLD.type
       OR NEW.applicant_id IS DISTINCT FROM OLD.applicant_id
       OR NEW.external_user_id IS DISTINCT FROM OLD.external_user_id
       OR NEW.correlation_id IS DISTINCT FROM OLD.correlation_id OR NEW.level IS DISTINCT FROM OLD.level
       OR NEW.review_status IS DISTINCT FROM OLD.review_status OR NEW.answer IS DISTINCT FROM OLD.answer
       OR NEW.reject_type IS DISTINCT FROM OLD.reject_type OR NEW.sandbox IS DISTINCT FROM OLD.sandbox
       OR NEW.told_at IS DISTINCT FROM OLD.told_at OR NEW.ordered_at IS DISTINCT FROM OLD.ordered_at
       OR NEW.ordered_rank IS DISTINCT FROM OLD.ordered_rank
       OR NEW.deliveries < OLD.deliveries
       OR (OLD.client_id IS NOT NULL AND NEW.client_id IS DISTINCT FROM OLD.client_id) THEN
        RAISE EXCEPTION 'an event is as it came'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'sumsub_event_is_as_it_came';
    END IF;
    IF NEW.body IS DISTINCT FROM OLD.body AND NOT (
        NEW.body IS NULL
        AND pg_has_role(current_user, (SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'MEMBER')
    ) THEN
        RAISE EXCEPTION 'the body of an event is as it came'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'sumsub_event_body_is_as_it_came';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER sumsub_event_guard BEFORE UPDATE OR DELETE ON sumsub_event
    FOR EACH ROW EXECUTE FUNCTION sumsub_event_guard();
CREATE TRIGGER sumsub_event_is_never_truncated BEFORE TRUNCATE ON sumsub_event
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


def upgrade() -> None:
    op.add_column("client", sa.Column("activation_decision_id", sa.UUID(), nullable=True))
    op.create_table(
        "client_verification",
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("provider", sa.Text(), server_default="sumsub", nullable=False),
        sa.Column("applicant_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_id", sa.UUID(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=True),
        sa.Column("review_status", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("reject_type", sa.Text(), nullable=True),
        sa.Column("labels", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("moderation_comment", sa.Text(), nullable=True),
        sa.Column("client_comment", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_event_id", sa.UUID(), nullable=True),
        sa.Column("data_changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('notStarted', 'pending', 'onHold', 'retry', 'rejected', 'approved', 'withdrawn')",
            name=op.f("ck_client_verification_state_known"),
        ),
        sa.CheckConstraint(
            "(state = 'approved') = (approved_event_id IS NOT NULL)"
            " AND (approved_at IS NULL) = (approved_event_id IS NULL)",
            name=op.f("ck_client_verification_approved_by_an_event"),
        ),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_client_verification_attempts_counted")),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_client_verification_client_id")),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_client_verification")),
    )
    op.create_index("ix_client_verification_state", "client_verification", ["state", "client_id"])
    op.create_index("ix_client_verification_applicant", "client_verification", ["applicant_id"])
    op.create_table(
        "verification_decision",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("event_id", sa.UUID(), nullable=False),
        sa.Column("applicant_id", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("applied", sa.Boolean(), nullable=False),
        sa.Column("effect", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('approved', 'rejected', 'retry', 'withdrawn')",
            name=op.f("ck_verification_decision_outcome_known"),
        ),
        sa.CheckConstraint(
            "effect IN ('activated', 'blocked', 'keptInactive', 'heldBack', 'nothing', 'outOfDate')",
            name=op.f("ck_verification_decision_effect_known"),
        ),
        sa.CheckConstraint(
            "applied = (effect <> 'outOfDate')", name=op.f("ck_verification_decision_applied_or_out_of_date")
        ),
        sa.CheckConstraint(
            "effect <> 'activated' OR outcome = 'approved'", name=op.f("ck_verification_decision_activated_by_approval")
        ),
        sa.CheckConstraint(
            "effect <> 'blocked' OR outcome = 'rejected'", name=op.f("ck_verification_decision_blocked_by_rejection")
        ),
        sa.CheckConstraint(
            "(effect = 'heldBack') <= (why IS NOT NULL)", name=op.f("ck_verification_decision_held_back_says_why")
        ),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_verification_decision_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verification_decision")),
    )
    op.create_index(
        "uq_verification_decision_effect", "verification_decision", ["client_id", "event_id"], unique=True,
        postgresql_where=sa.text("effect IN ('activated', 'blocked', 'keptInactive')"),
    )  # fmt: skip
    op.create_index(
        "ix_verification_decision_client", "verification_decision", ["client_id", sa.literal_column("id DESC")]
    )
    op.create_index("ix_verification_decision_event", "verification_decision", ["event_id", "id"])
    op.create_table(
        "sumsub_event",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("meaning", sa.Text(), nullable=True),
        sa.Column("body", postgresql.BYTEA(), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("deliveries", sa.Integer(), server_default="1", nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("secret_number", sa.SmallInteger(), nullable=True),
        sa.Column("allowances", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("applicant_id", sa.Text(), nullable=True),
        sa.Column("external_user_id", sa.Text(), nullable=True),
        sa.Column("correlation_id", sa.Text(), nullable=True),
        sa.Column("level", sa.Text(), nullable=True),
        sa.Column("review_status", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("reject_type", sa.Text(), nullable=True),
        sa.Column("sandbox", sa.Boolean(), nullable=True),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ordered_rank", sa.SmallInteger(), nullable=True),
        sa.Column("processed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("effect", sa.Text(), nullable=True),
        sa.Column("client_id", sa.UUID(), nullable=True),
        sa.CheckConstraint("source IN ('webhook', 'simulation', 'pull')", name=op.f("ck_sumsub_event_source_known")),
        sa.CheckConstraint("verdict IN ('accepted', 'refused')", name=op.f("ck_sumsub_event_verdict_known")),
        sa.CheckConstraint(
            "(verdict = 'refused') = (refusal IS NOT NULL)"
            " AND refusal IN ('digestMissing', 'digestMalformed', 'algorithm', 'digestWrong')",
            name=op.f("ck_sumsub_event_refusal_known"),
        ),
        sa.CheckConstraint(
            "effect IN ('applied', 'outOfDate', 'noted', 'duplicate', 'unknownClient', 'member', 'sandbox',"
            " 'unreadable')",
            name=op.f("ck_sumsub_event_effect_known"),
        ),
        sa.CheckConstraint(
            "(processed_at IS NULL) = (effect IS NULL)", name=op.f("ck_sumsub_event_processed_with_an_effect")
        ),
        sa.CheckConstraint(
            "verdict = 'accepted' OR (effect IS NULL AND type IS NULL)",
            name=op.f("ck_sumsub_event_refused_is_never_read"),
        ),
        sa.CheckConstraint(
            "verdict = 'refused' OR effect = 'unreadable'"
            " OR (told_at IS NOT NULL AND ordered_at IS NOT NULL AND ordered_rank IS NOT NULL"
            " AND meaning IS NOT NULL)",
            name=op.f("ck_sumsub_event_accepted_has_a_place"),
        ),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_sumsub_event_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sumsub_event")),
    )
    accepted, refused = sa.text("verdict = 'accepted'"), sa.text("verdict = 'refused'")
    op.create_index(
        "uq_sumsub_event_digest", "sumsub_event", [sa.text("(source = 'pull')"), "digest"], unique=True,
        postgresql_where=accepted,
    )  # fmt: skip
    op.create_index("uq_sumsub_event_refused", "sumsub_event", ["digest"], unique=True, postgresql_where=refused)
    op.create_index(
        "ix_sumsub_event_waiting", "sumsub_event", ["applicant_id", "id"],
        postgresql_where=sa.text("verdict = 'accepted' AND processed_at IS NULL"),
    )  # fmt: skip
    op.create_index("ix_sumsub_event_refused_at", "sumsub_event", ["received_at"], postgresql_where=refused)
    op.create_index(
        "ix_sumsub_event_applicant", "sumsub_event", ["applicant_id", "ordered_at", "ordered_rank", "meaning"]
    )
    newest = sa.literal_column("id DESC")
    op.create_index(
        "ix_sumsub_event_client", "sumsub_event", ["client_id", newest],
        postgresql_where=sa.text("client_id IS NOT NULL"),
    )  # fmt: skip
    op.create_index("ix_sumsub_event_type", "sumsub_event", ["type", newest])
    op.create_index(
        "ix_sumsub_event_effect", "sumsub_event", ["effect", newest],
        postgresql_where=sa.text("effect IS NOT NULL AND effect NOT IN ('applied', 'noted')"),
    )  # fmt: skip
    op.create_index("ix_sumsub_event_correlation", "sumsub_event", ["correlation_id"])
    op.create_table(
        "sumsub_applicant",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("applicant_id", sa.Text(), nullable=False),
        sa.Column("external_user_id", sa.Text(), nullable=True),
        sa.Column("client_id", sa.UUID(), nullable=True),
        sa.Column("state", sa.Text(), nullable=True),
        sa.Column("level", sa.Text(), nullable=True),
        sa.Column("first_told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_received_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("try_again_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_sumsub_applicant_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sumsub_applicant")),
        sa.UniqueConstraint("applicant_id", name=op.f("uq_sumsub_applicant_applicant_id")),
    )
    op.create_index("ix_sumsub_applicant_client", "sumsub_applicant", ["client_id"])
    op.create_index(
        "ix_sumsub_applicant_without_client", "sumsub_applicant", ["external_user_id"],
        postgresql_where=sa.text("client_id IS NULL AND external_user_id IS NOT NULL"),
    )  # fmt: skip
    op.create_index("ix_sumsub_applicant_asked", "sumsub_applicant", ["asked_at", "id"])

    append_only("verification_decision")
    for table in ("client_verification", "sumsub_applicant"):
        never_deleted(table)
    for statement in (CLIENT_STATUS_GUARD, APPROVED_BY_EVENT, EVENT_GUARD):
        op.execute(statement)

    grant("SELECT, INSERT", ("verification_decision",))
    grant("SELECT, INSERT, UPDATE", ("client_verification", "sumsub_applicant"))
    grant("SELECT, INSERT, UPDATE, DELETE", ("sumsub_event",))
