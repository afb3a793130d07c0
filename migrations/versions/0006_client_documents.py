"""Documents of clients: uploads, the decisions about them, their expiry, and emptying them at the end."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.guards import grant, never_deleted

revision = "0006"
down_revision = "0005"

KINDS = "'image/jpeg', 'image/png', 'image/webp', 'application/pdf'"
CATEGORIES = "'identity', 'proofOfAddress', 'companyRegistration', 'sourceOfFunds', 'other'"
REASONS = "'unreadable', 'incomplete', 'wrongDocument', 'differsFromProfile', 'outOfDate', 'notAccepted'"

#: content never changes; each state is given by the decision that the row names
DOCUMENT_GUARD = """
CREATE FUNCTION client_document_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    erasing boolean := NEW.erased_at IS NOT NULL AND OLD.erased_at IS NULL;
BEGIN
    IF OLD.erased_at IS NOT NULL THEN
        RAISE EXCEPTION 'an erased document is never changed'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_document_erased_is_final';
    END IF;
    IF (NEW.id, NEW.client_id, NEW.sha256, NEW.size, NEW.media_type, NEW.pages, NEW.uploaded_by_kind,
        NEW.uploaded_by_name, NEW.created_at)
       IS DISTINCT FROM
       (OLD.id, OLD.client_id, OLD.sha256, OLD.size, OLD.media_type, OLD.pages, OLD.uploaded_by_kind,
        OLD.uploaded_by_name, OLD.created_at)
       OR NEW.uploaded_by_id IS DISTINCT FROM OLD.uploaded_by_id
       OR (NOT erasing AND (NEW.file_name IS DISTINCT FROM OLD.file_name
                            OR NEW.profile_key IS DISTINCT FROM OLD.profile_key)) THEN
        RAISE EXCEPTION 'what was uploaded is never changed'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_document_is_as_uploaded';
    END IF;
    IF OLD.keep_until IS NOT NULL AND (NEW.keep_until IS NULL OR NEW.keep_until < OLD.keep_until) THEN
        RAISE EXCEPTION 'retention grows longer, never shorter'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_document_kept_as_long_as_said';
    END IF;
    IF (NEW.state, NEW.category) IS DISTINCT FROM (OLD.state, OLD.category)
       OR NEW.expires_on IS DISTINCT FROM OLD.expires_on OR NEW.decision_id IS DISTINCT FROM OLD.decision_id THEN
        IF OLD.state = 'withdrawn' THEN
            RAISE EXCEPTION 'a withdrawn document stays withdrawn'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_document_withdrawn_is_final';
        END IF;
        IF NEW.state = 'expired' AND OLD.state <> 'accepted' THEN
            RAISE EXCEPTION 'only what was accepted expires'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_document_expires_when_accepted';
        END IF;
        IF NEW.decision_id IS NOT DISTINCT FROM OLD.decision_id OR NOT EXISTS (
            SELECT 1 FROM client_document_decision d
            WHERE d.id = NEW.decision_id AND d.document_id = NEW.id AND d.decision = NEW.state
              AND d.category = NEW.category AND d.expires_on IS NOT DISTINCT FROM NEW.expires_on
              -- decided just now: an old decision is never used a second time
              AND d.decided_at >= transaction_timestamp() - interval '1 minute'
        ) THEN
            RAISE EXCEPTION 'a state needs its decision'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_document_needs_a_decision';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER client_document_guard BEFORE UPDATE ON client_document
    FOR EACH ROW EXECUTE FUNCTION client_document_guard();
CREATE TRIGGER client_document_begins_to_review BEFORE INSERT ON client_document
    FOR EACH ROW WHEN (NEW.state <> 'toReview' OR NEW.erased_at IS NOT NULL)
    EXECUTE FUNCTION begins_at_the_beginning();
"""

#: a decision is answered by another, never rewritten; a purge empties its comment
DECISION_GUARD = """
CREATE FUNCTION client_document_decision_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.erased_at IS NOT NULL OR NEW.erased_at IS NULL OR NEW.comment IS NOT NULL
       OR (to_jsonb(NEW) - 'comment' - 'erased_at') <> (to_jsonb(OLD) - 'comment' - 'erased_at') THEN
        RAISE EXCEPTION 'a decision is never rewritten'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'client_document_decision_is_append_only';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER client_document_decision_is_append_only BEFORE UPDATE ON client_document_decision
    FOR EACH ROW EXECUTE FUNCTION client_document_decision_guard();
"""


def upgrade() -> None:
    """Two tables and their guards."""
    op.create_table(
        "client_document",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("pages", sa.SmallInteger(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("profile_key", sa.BigInteger(), nullable=True),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.UUID(), nullable=True),
        sa.Column("uploaded_by_kind", sa.Text(), nullable=False),
        sa.Column("uploaded_by_id", sa.UUID(), nullable=True),
        sa.Column("uploaded_by_name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("keep_until", sa.Date(), nullable=True),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name=op.f("ck_client_document_sha256_is_hex")),
        sa.CheckConstraint("size > 0", name=op.f("ck_client_document_size_positive")),
        sa.CheckConstraint("pages > 0", name=op.f("ck_client_document_pages_positive")),
        sa.CheckConstraint(f"media_type IN ({KINDS})", name=op.f("ck_client_document_media_type_known")),
        sa.CheckConstraint(f"category IN ({CATEGORIES})", name=op.f("ck_client_document_category_known")),
        sa.CheckConstraint(
            "state IN ('toReview', 'accepted', 'rejected', 'expired', 'withdrawn')",
            name=op.f("ck_client_document_state_known"),
        ),
        sa.CheckConstraint(
            "(state = 'toReview') = (decision_id IS NULL)", name=op.f("ck_client_document_state_is_decided")
        ),
        sa.CheckConstraint(
            "state <> 'expired' OR expires_on IS NOT NULL", name=op.f("ck_client_document_expired_has_a_date")
        ),
        sa.CheckConstraint(
            "(erased_at IS NULL) = (file_name IS NOT NULL)", name=op.f("ck_client_document_erased_has_no_name")
        ),
        sa.CheckConstraint(
            "uploaded_by_kind IN ('staff', 'token', 'system')", name=op.f("ck_client_document_uploaded_by_known")
        ),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_client_document_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_document")),
    )
    op.create_table(
        "client_document_decision",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("document_id", sa.UUID(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("reason_code", sa.Text(), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("decided_by_kind", sa.Text(), nullable=False),
        sa.Column("decided_by_id", sa.UUID(), nullable=True),
        sa.Column("decided_by_name", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "decision IN ('accepted', 'rejected', 'expired', 'withdrawn')",
            name=op.f("ck_client_document_decision_decision_known"),
        ),
        sa.CheckConstraint(
            "(decision = 'rejected') = (reason_code IS NOT NULL)",
            name=op.f("ck_client_document_decision_rejected_with_a_reason"),
        ),
        sa.CheckConstraint(f"reason_code IN ({REASONS})", name=op.f("ck_client_document_decision_reason_known")),
        sa.CheckConstraint(
            "decision <> 'withdrawn' OR erased_at IS NOT NULL OR length(btrim(coalesce(comment, ''))) > 0",
            name=op.f("ck_client_document_decision_withdrawn_with_a_reason"),
        ),
        sa.CheckConstraint(
            "decision <> 'expired' OR decided_by_kind = 'system'",
            name=op.f("ck_client_document_decision_expired_by_the_day"),
        ),
        sa.CheckConstraint(
            "decided_by_kind IN ('staff', 'token', 'system')", name=op.f("ck_client_document_decision_decided_by_known")
        ),
        sa.CheckConstraint(
            "erased_at IS NULL OR comment IS NULL", name=op.f("ck_client_document_decision_erased_has_no_comment")
        ),
        sa.ForeignKeyConstraint(
            ["document_id"], ["client_document.id"], name=op.f("fk_client_document_decision_document_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_document_decision")),
    )
    op.create_foreign_key(
        op.f("fk_client_document_decision_id"),
        "client_document",
        "client_document_decision",
        ["decision_id"],
        ["id"],
    )
    op.create_index("ix_client_document_client", "client_document", ["client_id", sa.literal_column("id DESC")])
    op.create_index("ix_client_document_sha256", "client_document", ["sha256"])
    op.create_index(
        "ix_client_document_expires",
        "client_document",
        ["expires_on", "id"],
        postgresql_where=sa.text("state = 'accepted'"),
    )
    op.create_index(
        "ix_client_document_to_review",
        "client_document",
        ["client_id"],
        postgresql_where=sa.text("state = 'toReview'"),
    )
    op.create_index(
        "uq_client_document_content",
        "client_document",
        ["client_id", "sha256"],
        unique=True,
        postgresql_where=sa.text("state <> 'withdrawn' AND erased_at IS NULL"),
    )
    op.create_index("ix_client_document_decision_document", "client_document_decision", ["document_id", "id"])
    op.execute(DOCUMENT_GUARD)
    op.execute(DECISION_GUARD)
    never_deleted("client_document")
    never_deleted("client_document_decision")
    grant("SELECT, INSERT", ["client_document", "client_document_decision"])
    # everything else of a document is as it was uploaded; names and comments go by the purge alone (0008)
    grant("UPDATE (state, decision_id, category, expires_on, keep_until)", ["client_document"])
