"""A second factor at sign-in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.guards import grant, never_deleted

revision = "0021"
down_revision = "0020"

#: whether two people approved this of the person: the one it is about was neither who asked nor who decided
APPROVED = """
CREATE FUNCTION staff_reset_is_approved(p_approval uuid, p_kind text, p_staff uuid) RETURNS boolean LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT EXISTS (
        SELECT 1 FROM approval_request r
        WHERE r.id = p_approval AND r.kind = p_kind AND r.object_id = p_staff AND r.state = 'approved'
          AND r.maker_id <> p_staff AND r.maker_owner_id IS DISTINCT FROM p_staff AND r.decided_by <> p_staff)
$$
"""

FACTOR_GUARD = """
CREATE FUNCTION second_factor_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.confirmed_at IS NOT NULL OR NEW.ended_at IS NOT NULL THEN
            RAISE EXCEPTION 'a second factor begins without a code'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'second_factor_begins_unconfirmed';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.ended_at IS NOT NULL OR (NEW.id, NEW.staff_id, NEW.created_at, NEW.begun_in) IS DISTINCT FROM
       (OLD.id, OLD.staff_id, OLD.created_at, OLD.begun_in)
       OR NEW.ended_at IS NULL AND NEW.sealed_secret IS DISTINCT FROM OLD.sealed_secret
       OR OLD.confirmed_at IS NOT NULL AND NEW.confirmed_at IS DISTINCT FROM OLD.confirmed_at
       OR NEW.last_step IS NULL AND OLD.last_step IS NOT NULL THEN
        RAISE EXCEPTION 'a second factor goes forward only'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'second_factor_goes_forward';
    END IF;
    IF NEW.ended_how = 'reset' AND NOT staff_reset_is_approved(NEW.approval_id, 'staff.resetFactor', NEW.staff_id) THEN
        RAISE EXCEPTION 'two other people reset a second factor'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'second_factor_reset_is_approved';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER second_factor_guard BEFORE INSERT OR UPDATE ON second_factor
    FOR EACH ROW EXECUTE FUNCTION second_factor_guard();
CREATE FUNCTION second_factor_code_counts_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a code counts once'
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_NAME;
END $$;
-- of the column: whoever writes a step, also the same one, has taken a code
CREATE TRIGGER second_factor_code_counts_once BEFORE UPDATE OF last_step ON second_factor
    FOR EACH ROW WHEN (NEW.last_step <= OLD.last_step) EXECUTE FUNCTION second_factor_code_counts_once();
"""

RECOVERY_GUARD = """
CREATE FUNCTION recovery_code_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.used_at IS NOT NULL OR OLD.replaced_at IS NOT NULL
       OR (NEW.id, NEW.factor_id, NEW.code_hash, NEW.made_at) IS DISTINCT FROM
          (OLD.id, OLD.factor_id, OLD.code_hash, OLD.made_at) THEN
        RAISE EXCEPTION 'a recovery code counts once'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'recovery_code_counts_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER recovery_code_guard BEFORE UPDATE ON recovery_code FOR EACH ROW EXECUTE FUNCTION recovery_code_guard();
"""

HALF_GUARD = """
CREATE FUNCTION half_sign_in_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.ended_at IS NOT NULL OR (NEW.id, NEW.staff_id, NEW.secret_hash, NEW.created_at, NEW.expires_at)
       IS DISTINCT FROM (OLD.id, OLD.staff_id, OLD.secret_hash, OLD.created_at, OLD.expires_at) THEN
        RAISE EXCEPTION 'half a sign-in is completed once'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'half_sign_in_counts_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER half_sign_in_guard BEFORE UPDATE ON half_sign_in FOR EACH ROW EXECUTE FUNCTION half_sign_in_guard();
"""

RESET_GUARD = """
CREATE FUNCTION password_reset_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.used_at IS NOT NULL
           OR NOT staff_reset_is_approved(NEW.approval_id, 'staff.resetPassword', NEW.staff_id) THEN
            RAISE EXCEPTION 'two other people reset a password'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'password_reset_is_approved';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.used_at IS NOT NULL OR (NEW.id, NEW.staff_id, NEW.approval_id, NEW.approved_at) IS DISTINCT FROM
       (OLD.id, OLD.staff_id, OLD.approval_id, OLD.approved_at) THEN
        RAISE EXCEPTION 'a link sets one password'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'password_reset_counts_once';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER password_reset_guard BEFORE INSERT OR UPDATE ON password_reset
    FOR EACH ROW EXECUTE FUNCTION password_reset_guard();
"""


def upgrade() -> None:
    op.add_column("staff_session", sa.Column("stepped_up_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "second_factor",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("staff_id", sa.UUID(), nullable=False),
        sa.Column("sealed_secret", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("begun_in", sa.UUID(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_how", sa.Text(), nullable=True),
        sa.Column("approval_id", sa.UUID(), nullable=True),
        sa.CheckConstraint(
            "ended_how IN ('replaced', 'turned-off', 'reset', 'operator')",
            name=op.f("ck_second_factor_ended_how_known"),
        ),
        sa.CheckConstraint("(ended_at IS NULL) = (ended_how IS NULL)", name=op.f("ck_second_factor_end_says_how")),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (sealed_secret IS NOT NULL)", name=op.f("ck_second_factor_ended_holds_no_secret")
        ),
        sa.CheckConstraint(
            "(confirmed_at IS NULL) = (last_step IS NULL)", name=op.f("ck_second_factor_confirmed_by_a_code")
        ),
        sa.CheckConstraint(
            "(ended_how IS NOT DISTINCT FROM 'reset') = (approval_id IS NOT NULL)",
            name=op.f("ck_second_factor_reset_by_two_people"),
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff_member.id"], name=op.f("fk_second_factor_staff_id")),
        sa.ForeignKeyConstraint(["approval_id"], ["approval_request.id"], name=op.f("fk_second_factor_approval_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_second_factor")),
        sa.UniqueConstraint("approval_id", name=op.f("uq_second_factor_approval_id")),
    )
    op.create_index(
        "uq_second_factor_in_use",
        "second_factor",
        ["staff_id"],
        unique=True,
        postgresql_where=sa.text("confirmed_at IS NOT NULL AND ended_at IS NULL"),
    )
    op.create_index(
        "uq_second_factor_begun",
        "second_factor",
        ["staff_id"],
        unique=True,
        postgresql_where=sa.text("confirmed_at IS NULL AND ended_at IS NULL"),
    )
    op.create_table(
        "recovery_code",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("factor_id", sa.UUID(), nullable=False),
        sa.Column("code_hash", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("used_at IS NULL OR replaced_at IS NULL", name=op.f("ck_recovery_code_used_or_replaced")),
        sa.ForeignKeyConstraint(["factor_id"], ["second_factor.id"], name=op.f("fk_recovery_code_factor_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_code")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_recovery_code_code_hash")),
    )
    op.create_index(op.f("ix_recovery_code_factor_id"), "recovery_code", ["factor_id"], unique=False)
    op.create_table(
        "second_factor_failure",
        sa.Column("staff_id", sa.UUID(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("last_failure_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff_member.id"], name=op.f("fk_second_factor_failure_staff_id")),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_second_factor_failure")),
    )
    op.create_table(
        "half_sign_in",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("staff_id", sa.UUID(), nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "expires_at > created_at AND expires_at <= created_at + interval '10 minutes'",
            name=op.f("ck_half_sign_in_short_lived"),
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff_member.id"], name=op.f("fk_half_sign_in_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_half_sign_in")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_half_sign_in_secret_hash")),
    )
    op.create_index(op.f("ix_half_sign_in_staff_id"), "half_sign_in", ["staff_id"], unique=False)
    op.create_table(
        "password_reset",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("staff_id", sa.UUID(), nullable=False),
        sa.Column("approval_id", sa.UUID(), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(secret_hash IS NULL) = (expires_at IS NULL)", name=op.f("ck_password_reset_link_expires")),
        sa.CheckConstraint("used_at IS NULL OR secret_hash IS NOT NULL", name=op.f("ck_password_reset_used_by_a_link")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff_member.id"], name=op.f("fk_password_reset_staff_id")),
        sa.ForeignKeyConstraint(["approval_id"], ["approval_request.id"], name=op.f("fk_password_reset_approval_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_password_reset")),
        sa.UniqueConstraint("approval_id", name=op.f("uq_password_reset_approval_id")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_password_reset_secret_hash")),
    )
    op.create_index(op.f("ix_password_reset_staff_id"), "password_reset", ["staff_id"], unique=False)
    for statement in (APPROVED, FACTOR_GUARD, RECOVERY_GUARD, HALF_GUARD, RESET_GUARD):
        op.execute(statement)
    for table in ("second_factor", "recovery_code", "password_reset"):
        never_deleted(table)
    grant("SELECT, INSERT, UPDATE", ("second_factor", "recovery_code", "password_reset"))
    # a code that is taken forgets the failures before it; half sign-ins that are over are swept away
    grant("SELECT, INSERT, UPDATE, DELETE", ("second_factor_failure", "half_sign_in"))
