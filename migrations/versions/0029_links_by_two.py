"""What lets a person in is handed over by two people; recovery codes have a count of their own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"

COUNTERSIGNED = ("staff_invitation", "password_reset")

#: of both tables; TG_TABLE_NAME makes the name of the rule
COUNTERSIGN = """
CREATE FUNCTION countersign_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.countersign_hash IS NOT NULL THEN
            RAISE EXCEPTION 'who approved makes the second code afterwards'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_TABLE_NAME || '_code_by_who_approved';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.countersign_hash IS DISTINCT FROM OLD.countersign_hash THEN
        IF NOT EXISTS (
            SELECT 1 FROM approval_request r
            WHERE r.id = NEW.approval_id AND r.state = 'approved' AND r.decided_by = NEW.countersign_by
        ) THEN
            RAISE EXCEPTION 'only who approved makes the second code'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_TABLE_NAME || '_code_by_who_approved';
        END IF;
    ELSIF (NEW.countersign_by, NEW.countersign_until) IS DISTINCT FROM (OLD.countersign_by, OLD.countersign_until)
       OR NEW.countersign_failures < OLD.countersign_failures
       OR OLD.countersign_locked_until IS NOT NULL
          AND (NEW.countersign_locked_until IS NULL OR NEW.countersign_locked_until < OLD.countersign_locked_until) THEN
        RAISE EXCEPTION 'tries at a code are forgotten with the code alone'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = TG_TABLE_NAME || '_tries_are_kept';
    END IF;
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION countersign_guard() FROM PUBLIC;
"""

INVITATION = """
CREATE FUNCTION staff_invitation_halves() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.link_mailed IS DISTINCT FROM OLD.link_mailed AND NEW.secret_hash IS NOT DISTINCT FROM OLD.secret_hash THEN
        RAISE EXCEPTION 'a link that was shown stays one that was shown'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'staff_invitation_link_stays_shown';
    END IF;
    IF NEW.accepted_at IS NOT NULL AND NOT NEW.link_mailed AND (
        NEW.countersign_hash IS NULL OR NEW.countersign_hash IS DISTINCT FROM OLD.countersign_hash
        OR NEW.accepted_at >= NEW.countersign_until
    ) THEN
        RAISE EXCEPTION 'a link that somebody saw counts with the code of who approved'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'staff_invitation_accepted_by_both';
    END IF;
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION staff_invitation_halves() FROM PUBLIC;
CREATE TRIGGER staff_invitation_halves BEFORE UPDATE ON staff_invitation
    FOR EACH ROW EXECUTE FUNCTION staff_invitation_halves();
"""

RESET = """
CREATE OR REPLACE FUNCTION password_reset_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.used_at IS NOT NULL OR NEW.secret_hash IS NOT NULL
           OR NOT staff_reset_is_approved(NEW.approval_id, 'staff.resetPassword', NEW.staff_id) THEN
            RAISE EXCEPTION 'two other people reset a password'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'password_reset_is_approved';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.used_at IS NOT NULL OR (NEW.id, NEW.staff_id, NEW.approval_id, NEW.approved_at) IS DISTINCT FROM
       (OLD.id, OLD.staff_id, OLD.approval_id, OLD.approved_at) THEN
        RAISE EXCEPTION 'two codes set one password'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'password_reset_counts_once';
    END IF;
    IF NEW.secret_hash IS DISTINCT FROM OLD.secret_hash AND NOT EXISTS (
        SELECT 1 FROM approval_request r WHERE r.id = NEW.approval_id AND r.maker_id = NEW.secret_by
    ) OR NEW.secret_hash IS NOT DISTINCT FROM OLD.secret_hash AND NEW.secret_by IS DISTINCT FROM OLD.secret_by THEN
        RAISE EXCEPTION 'who asked makes the first code'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'password_reset_code_by_who_asked';
    END IF;
    IF NEW.used_at IS NOT NULL AND (
        NEW.countersign_hash IS NULL OR NEW.used_at >= NEW.countersign_until OR NEW.used_at >= NEW.expires_at
        OR (NEW.secret_hash, NEW.countersign_hash) IS DISTINCT FROM (OLD.secret_hash, OLD.countersign_hash)
    ) THEN
        RAISE EXCEPTION 'a password is chosen by both codes'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'password_reset_used_by_both';
    END IF;
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION password_reset_guard() FROM PUBLIC;
"""

#: as before (0021), but that whoever owns the tables may seal a secret anew under another key
FACTOR_GUARD = """
CREATE OR REPLACE FUNCTION second_factor_guard() RETURNS trigger LANGUAGE plpgsql
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
          AND NOT by_the_owner(TG_RELID)
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
REVOKE EXECUTE ON FUNCTION second_factor_guard() FROM PUBLIC;
"""


def upgrade() -> None:
    for table in COUNTERSIGNED:
        op.add_column(table, sa.Column("countersign_hash", sa.Text(), nullable=True))
        op.add_column(table, sa.Column("countersign_by", sa.UUID(), nullable=True))
        op.add_column(table, sa.Column("countersign_until", sa.DateTime(timezone=True), nullable=True))
        op.add_column(table, sa.Column("countersign_failures", sa.Integer(), nullable=False, server_default="0"))
        op.alter_column(table, "countersign_failures", server_default=None)
        op.add_column(table, sa.Column("countersign_locked_until", sa.DateTime(timezone=True), nullable=True))
        op.create_foreign_key(op.f(f"fk_{table}_countersign_by"), table, "staff_member", ["countersign_by"], ["id"])
        op.create_check_constraint(
            op.f(f"ck_{table}_countersign_is_whole"),
            table,
            "(countersign_hash IS NULL) = (countersign_by IS NULL)"
            " AND (countersign_hash IS NULL) = (countersign_until IS NULL)",
        )
    # whether a link of before was shown or e-mailed is not known: it counts as shown
    op.add_column("staff_invitation", sa.Column("link_mailed", sa.Boolean(), nullable=False, server_default="false"))
    op.alter_column("staff_invitation", "link_mailed", server_default=None)
    op.create_check_constraint(
        op.f("ck_staff_invitation_link_and_code_by_two"), "staff_invitation", "link_mailed OR countersign_by <> link_by"
    )
    op.add_column("password_reset", sa.Column("secret_by", sa.UUID(), nullable=True))
    op.create_foreign_key(op.f("fk_password_reset_secret_by"), "password_reset", "staff_member", ["secret_by"], ["id"])
    # who asked was the only one who could make a code
    op.execute("ALTER TABLE password_reset DISABLE TRIGGER password_reset_guard")
    op.execute(
        "UPDATE password_reset p SET secret_by = r.maker_id FROM approval_request r"
        " WHERE r.id = p.approval_id AND p.secret_hash IS NOT NULL"
    )
    op.execute("ALTER TABLE password_reset ENABLE TRIGGER password_reset_guard")
    op.drop_constraint(op.f("ck_password_reset_link_expires"), "password_reset")
    op.create_check_constraint(
        op.f("ck_password_reset_code_is_whole"),
        "password_reset",
        "(secret_hash IS NULL) = (expires_at IS NULL) AND (secret_hash IS NULL) = (secret_by IS NULL)",
    )
    op.create_check_constraint(op.f("ck_password_reset_codes_by_two"), "password_reset", "countersign_by <> secret_by")
    op.execute(
        "ALTER TABLE password_reset RENAME CONSTRAINT ck_password_reset_used_by_a_link TO ck_password_reset_used_by_a_code"
    )
    for statement in (COUNTERSIGN, INVITATION, RESET, FACTOR_GUARD):
        op.execute(statement)
    for table in COUNTERSIGNED:
        op.execute(
            f"CREATE TRIGGER {table}_countersign BEFORE INSERT OR UPDATE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION countersign_guard()"
        )

    # what was counted until now were codes of either kind: as strict as before for those that can be guessed
    op.add_column("second_factor_failure", sa.Column("kind", sa.Text(), nullable=False, server_default="app"))
    op.alter_column("second_factor_failure", "kind", server_default=None)
    op.drop_constraint(op.f("pk_second_factor_failure"), "second_factor_failure")
    op.create_primary_key(op.f("pk_second_factor_failure"), "second_factor_failure", ["staff_id", "kind"])
    op.create_check_constraint(
        op.f("ck_second_factor_failure_kind_known"), "second_factor_failure", "kind IN ('app', 'recovery')"
    )
