"""A difference carried in from before the first statement may stand, when two people let it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.guards import append_only, grant

revision = "0019"
down_revision = "0018"

#: it is what two people were shown, and what stands now
GUARD = """
CREATE FUNCTION carried_in_by_two() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM approval_request r WHERE r.id = NEW.approval_id AND r.state = 'approved'
        AND r.kind = 'treasury.carriedIn' AND r.object_id = NEW.bank_account_id
        AND r.decided_by IS NOT NULL AND r.decided_by IS DISTINCT FROM r.maker_id
        AND (r.payload ->> 'beginsOn')::date = NEW.begins_on
        AND (r.payload ->> 'openingMinor')::bigint = NEW.opening_minor
        AND (r.payload ->> 'ledgerMinor')::bigint = NEW.ledger_minor
    ) THEN
        RAISE EXCEPTION 'two people accept what was carried in, with the figures that they saw'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'carried_in_by_two';
    END IF;
    IF NOT EXISTS (SELECT 1 FROM match_place p WHERE p.bank_account_id = NEW.bank_account_id
                   AND p.begins_on = NEW.begins_on) THEN
        RAISE EXCEPTION 'what was carried in is accepted as of the day on which comparing begins'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'carried_in_where_comparing_begins';
    END IF;
    RETURN NEW;
END $$;
REVOKE EXECUTE ON FUNCTION carried_in_by_two() FROM PUBLIC;
CREATE TRIGGER carried_in_by_two BEFORE INSERT ON carried_in FOR EACH ROW EXECUTE FUNCTION carried_in_by_two();
"""


def upgrade() -> None:
    op.create_table(
        "carried_in",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("bank_account_id", sa.UUID(), nullable=False),
        sa.Column("begins_on", sa.Date(), nullable=False),
        sa.Column("opening_minor", sa.BigInteger(), nullable=False),
        sa.Column("ledger_minor", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("approval_id", sa.UUID(), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("opening_minor <> ledger_minor", name=op.f("ck_carried_in_differs")),
        sa.CheckConstraint("length(reason) BETWEEN 10 AND 500", name=op.f("ck_carried_in_reason_length")),
        sa.ForeignKeyConstraint(["approval_id"], ["approval_request.id"], name=op.f("fk_carried_in_approval_id")),
        sa.ForeignKeyConstraint(["bank_account_id"], ["bank_account.id"], name=op.f("fk_carried_in_bank_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_carried_in")),
        sa.UniqueConstraint("approval_id", name=op.f("uq_carried_in_approval_id")),
        sa.UniqueConstraint(
            "bank_account_id", "begins_on", "opening_minor", "ledger_minor", name=op.f("uq_carried_in_figures")
        ),
    )
    op.execute(GUARD)
    append_only("carried_in")
    grant("SELECT, INSERT", ("carried_in",))
