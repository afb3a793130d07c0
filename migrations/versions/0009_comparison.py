"""Asking the verification service: lost events, and the daily comparison with its states."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.guards import grant, let_purge_pass, never_deleted, personal

revision = "0009"
down_revision = "0008"

#: what was found stays as it was found, and what has ended stays ended
DIFFERENCE_GUARD = """
CREATE FUNCTION verification_difference_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.state = 'resolved'
       OR (NEW.id, NEW.applicant_id, NEW.field, NEW.found_at) IS DISTINCT FROM
          (OLD.id, OLD.applicant_id, OLD.field, OLD.found_at)
       OR NEW.ours IS DISTINCT FROM OLD.ours OR NEW.theirs IS DISTINCT FROM OLD.theirs
       OR NEW.comparison_id IS DISTINCT FROM OLD.comparison_id
       OR (OLD.client_id IS NOT NULL AND NEW.client_id IS DISTINCT FROM OLD.client_id)
       OR (OLD.state = 'accepted' AND (NEW.state = 'open' OR NEW.accepted_by IS DISTINCT FROM OLD.accepted_by
                                       OR NEW.accepted_at IS DISTINCT FROM OLD.accepted_at
                                       OR NEW.reason IS DISTINCT FROM OLD.reason)) THEN
        RAISE EXCEPTION 'a difference is as it was found'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'verification_difference_is_as_found';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER verification_difference_guard BEFORE UPDATE ON verification_difference
    FOR EACH ROW EXECUTE FUNCTION verification_difference_guard();
"""


def upgrade() -> None:
    op.create_table(
        "sumsub_question",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("applicant_id", sa.Text(), nullable=True),
        sa.Column("client_id", sa.UUID(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_by_kind", sa.Text(), nullable=False),
        sa.Column("asked_by_id", sa.UUID(), nullable=True),
        sa.Column("asked_by_name", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("event_id", sa.UUID(), nullable=True),
        sa.CheckConstraint(
            "reason IN ('confirm', 'silent', 'doubtful', 'staff')", name=op.f("ck_sumsub_question_reason_known")
        ),
        sa.CheckConstraint(
            "outcome IN ('same', 'applied', 'differs', 'notKnown', 'givenUp')",
            name=op.f("ck_sumsub_question_outcome_known"),
        ),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (outcome IS NULL)", name=op.f("ck_sumsub_question_ended_with_an_outcome")
        ),
        sa.CheckConstraint(
            "applicant_id IS NOT NULL OR client_id IS NOT NULL", name=op.f("ck_sumsub_question_about_somebody")
        ),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_sumsub_question_client_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sumsub_question")),
    )
    op.create_index(
        "uq_sumsub_question_applicant",
        "sumsub_question",
        ["applicant_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL AND applicant_id IS NOT NULL"),
    )
    op.create_index(
        "uq_sumsub_question_client",
        "sumsub_question",
        ["client_id"],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL AND applicant_id IS NULL"),
    )
    op.create_index(
        "ix_sumsub_question_due",
        "sumsub_question",
        ["due_at", "id"],
        unique=False,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index(
        "ix_sumsub_question_about", "sumsub_question", ["applicant_id", sa.literal_column("id DESC")], unique=False
    )
    op.create_index(
        "ix_sumsub_question_client", "sumsub_question", ["client_id", sa.literal_column("id DESC")], unique=False
    )
    op.create_table(
        "verification_comparison",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("job_id", sa.UUID(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("applicants", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("applied", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("differing", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("unanswered", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("resolved", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("by_kind", sa.Text(), nullable=False),
        sa.Column("by_id", sa.UUID(), nullable=True),
        sa.Column("by_name", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "applicants >= 0 AND applied >= 0 AND differing >= 0 AND unanswered >= 0 AND resolved >= 0"
            " AND applied + differing + unanswered <= applicants",
            name=op.f("ck_verification_comparison_parts_of_the_whole"),
        ),
        sa.ForeignKeyConstraint(["job_id"], ["background_job.id"], name=op.f("fk_verification_comparison_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verification_comparison")),
    )
    op.create_table(
        "verification_difference",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("applicant_id", sa.Text(), nullable=False),
        sa.Column("client_id", sa.UUID(), nullable=True),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("ours", sa.Text(), nullable=True),
        sa.Column("theirs", sa.Text(), nullable=True),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("comparison_id", sa.UUID(), nullable=True),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("closing", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_by", sa.UUID(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "field IN ('applicant', 'client', 'state', 'level', 'labels')",
            name=op.f("ck_verification_difference_field_known"),
        ),
        sa.CheckConstraint(
            "state IN ('open', 'accepted', 'resolved')", name=op.f("ck_verification_difference_state_known")
        ),
        sa.CheckConstraint(
            "closing IN ('applied', 'agrees', 'changed')", name=op.f("ck_verification_difference_closing_known")
        ),
        sa.CheckConstraint("ours IS DISTINCT FROM theirs", name=op.f("ck_verification_difference_differs")),
        sa.CheckConstraint(
            "(state = 'resolved') = (closed_at IS NOT NULL) AND (closed_at IS NULL) = (closing IS NULL)",
            name=op.f("ck_verification_difference_resolved_says_how"),
        ),
        sa.CheckConstraint(
            "state <> 'accepted' OR (accepted_at IS NOT NULL AND accepted_by IS NOT NULL"
            " AND length(btrim(coalesce(reason, ''))) > 0)",
            name=op.f("ck_verification_difference_accepted_by_a_person"),
        ),
        sa.ForeignKeyConstraint(
            ["accepted_by"], ["staff_member.id"], name=op.f("fk_verification_difference_accepted_by")
        ),
        sa.ForeignKeyConstraint(["client_id"], ["client.id"], name=op.f("fk_verification_difference_client_id")),
        sa.ForeignKeyConstraint(
            ["comparison_id"], ["verification_comparison.id"], name=op.f("fk_verification_difference_comparison_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verification_difference")),
    )
    op.create_index(
        "uq_verification_difference_standing",
        "verification_difference",
        ["applicant_id", "field"],
        unique=True,
        postgresql_where=sa.text("state <> 'resolved'"),
    )
    for name, columns in {
        "ix_verification_difference_state": ["state"],
        "ix_verification_difference_field": ["field", "state"],
        "ix_verification_difference_client": ["client_id"],
        "ix_verification_difference_run": ["comparison_id"],
    }.items():
        op.create_index(name, "verification_difference", [*columns, sa.literal_column("id DESC")], unique=False)
    op.create_index(
        "ix_sumsub_applicant_silent",
        "sumsub_applicant",
        ["last_received_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('pending', 'onHold')"),
    )
    op.create_index(
        "ix_sumsub_applicant_failing",
        "sumsub_applicant",
        ["failures"],
        unique=False,
        postgresql_where=sa.text("failures > 0"),
    )
    # for the list of events (0005): what is rare in it is found without walking all of it
    op.create_index(
        "ix_sumsub_event_answer",
        "sumsub_event",
        ["answer", sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("answer IS NOT NULL"),
    )
    op.create_index(
        "ix_sumsub_event_other_source",
        "sumsub_event",
        [sa.literal_column("id DESC")],
        unique=False,
        postgresql_where=sa.text("source <> 'webhook'"),
    )
    op.execute(DIFFERENCE_GUARD)
    never_deleted("verification_difference")
    never_deleted("verification_comparison")
    grant("SELECT, INSERT, UPDATE", ["sumsub_question", "verification_comparison", "verification_difference"])
    personal("verification_difference", "client_id = $1", ours="'deleted'", theirs="NULL",
             reason="CASE WHEN reason IS NOT NULL THEN '(deleted)' END")  # fmt: skip
    let_purge_pass("verification_difference")
