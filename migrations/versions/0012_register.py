"""Register, treasury days and own movements: what may not change, and who may change the rest."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from migrations.guards import append_only, grant, never_deleted

revision = "0012"
down_revision = "0011"

#: whoever may take a guard away altogether may lay down the first rows of an installation without it (the demo does)
OWNER = """
CREATE FUNCTION by_the_owner(p_table oid) RETURNS boolean LANGUAGE sql STABLE
    SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT pg_get_userbyid(c.relowner) = current_user FROM pg_class c WHERE c.oid = p_table
$$;
"""

#: a row of the register says what two people approved, word for word, and each request is used once
REGISTER_GUARD = """
CREATE FUNCTION treasury_account_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.bank_account_id <> OLD.bank_account_id
       OR NEW.version <> (CASE TG_OP WHEN 'UPDATE' THEN OLD.version + 1 ELSE 1 END) THEN
        RAISE EXCEPTION 'versions of a register row count up'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'treasury_account_versions_count_up';
    END IF;
    IF TG_OP = 'INSERT' AND NEW.approval_id IS NULL AND by_the_owner(TG_RELID) THEN
        RETURN NEW;
    END IF;
    IF NOT EXISTS (
        SELECT 1 FROM approval_request r
        WHERE r.id = NEW.approval_id AND r.state = 'approved' AND r.object_id = NEW.bank_account_id
          AND r.kind IN ('treasury.account.add', 'treasury.account.change')
          AND r.payload -> 'register' = jsonb_build_object(
              'pool', NEW.pool, 'purpose', NEW.purpose, 'designatedFrom', NEW.designated_from,
              'designatedTo', NEW.designated_to, 'statementFormat', NEW.statement_format,
              'expectedAt', left(NEW.expected_at::text, 5), 'calendar', NEW.calendar,
              'closedOn', NEW.closed_on)
    ) THEN
        RAISE EXCEPTION 'the register changes by an approved request, to exactly what was approved'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'treasury_account_changed_by_two';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER treasury_account_guard BEFORE INSERT OR UPDATE ON treasury_account
    FOR EACH ROW EXECUTE FUNCTION treasury_account_guard();
CREATE FUNCTION treasury_account_keep() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO treasury_account_version (bank_account_id, version, pool, purpose, designated_from, designated_to,
        statement_format, expected_at, calendar, closed_on, changed_at, approval_id)
    VALUES (NEW.bank_account_id, NEW.version, NEW.pool, NEW.purpose, NEW.designated_from, NEW.designated_to,
        NEW.statement_format, NEW.expected_at, NEW.calendar, NEW.closed_on, NEW.changed_at, NEW.approval_id);
    RETURN NULL;
END $$;
CREATE TRIGGER treasury_account_keep AFTER INSERT OR UPDATE ON treasury_account
    FOR EACH ROW EXECUTE FUNCTION treasury_account_keep();
"""

POOL_GUARD = """
CREATE FUNCTION account_pool_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM account a WHERE a.id = NEW.account_id AND a.type = 'client') THEN
        RAISE EXCEPTION 'only client accounts are put into pools: a suspense account follows its bank account'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'account_pool_of_client_accounts';
    END IF;
    IF TG_OP = 'INSERT' AND NEW.approval_id IS NULL AND by_the_owner(TG_RELID) THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' AND NEW.account_id <> OLD.account_id OR NOT EXISTS (
        SELECT 1 FROM approval_request r
        WHERE r.id = NEW.approval_id AND r.state = 'approved' AND r.kind = 'treasury.account.pool'
          AND r.object_id = NEW.account_id AND r.payload ->> 'pool' = NEW.pool
          -- decided after what stands was written: no request is used twice
          AND (TG_OP = 'INSERT' OR r.closed_at > OLD.since)
    ) THEN
        RAISE EXCEPTION 'an account changes its pool by an approved request'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'account_pool_changed_by_two';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER account_pool_guard BEFORE INSERT OR UPDATE ON account_pool
    FOR EACH ROW EXECUTE FUNCTION account_pool_guard();
"""

#: a version goes forward, and what somebody prepared or signed stays as it was
DAY_GUARD = """
CREATE FUNCTION treasury_day_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    latest integer;
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT coalesce(max(d.version), 0) INTO latest FROM treasury_day d
         WHERE d.pool = NEW.pool AND d.currency = NEW.currency AND d.day = NEW.day;
        -- at or below the latest one it is somebody else's version, or one that the unique indexes refuse
        IF NEW.version > latest + 1 OR NEW.version < 1 THEN
            RAISE EXCEPTION 'versions of a treasury day count up'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'treasury_day_versions_count_up';
        END IF;
        IF NEW.state <> 'open' OR num_nonnulls(NEW.prepared_at, NEW.prepared_by_id, NEW.prepared_by, NEW.signed_at,
            NEW.signed_by_id, NEW.signed_by, NEW.reopened_at, NEW.reopened_by_id, NEW.reopened_by,
            NEW.reopened_because) > 0 THEN
            RAISE EXCEPTION 'a version of a treasury day begins open'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'treasury_day_begins_open';
        END IF;
        RETURN NEW;
    END IF;
    IF (NEW.id, NEW.pool, NEW.currency, NEW.day, NEW.version, NEW.opened_at)
       IS DISTINCT FROM (OLD.id, OLD.pool, OLD.currency, OLD.day, OLD.version, OLD.opened_at)
       OR OLD.prepared_at IS NOT NULL AND (NEW.prepared_at, NEW.prepared_by_id, NEW.prepared_by)
          IS DISTINCT FROM (OLD.prepared_at, OLD.prepared_by_id, OLD.prepared_by)
       OR OLD.signed_at IS NOT NULL AND (NEW.signed_at, NEW.signed_by_id, NEW.signed_by)
          IS DISTINCT FROM (OLD.signed_at, OLD.signed_by_id, OLD.signed_by)
       OR (NEW.signed_at IS DISTINCT FROM OLD.signed_at) <> (NEW.state = 'signed')
       OR (NEW.prepared_at IS DISTINCT FROM OLD.prepared_at) <> (NEW.state = 'prepared') THEN
        RAISE EXCEPTION 'what was prepared or signed stays as it was'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'treasury_day_is_as_signed';
    END IF;
    IF (OLD.state, NEW.state) NOT IN (
        ('open', 'prepared'), ('prepared', 'signed'), ('prepared', 'reopened'), ('signed', 'reopened')
    ) THEN
        RAISE EXCEPTION 'a treasury day does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'treasury_day_goes_forward';
    END IF;
    IF NEW.state = 'prepared'
       AND NOT EXISTS (SELECT 1 FROM business_day b WHERE b.day = NEW.day AND b.state = 'closed') THEN
        RAISE EXCEPTION 'figures of a day are figures of its end'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'treasury_day_of_a_closed_day';
    END IF;
    IF NEW.state = 'signed' AND NEW.signed_by_id <> NEW.prepared_by_id AND NOT EXISTS (
        SELECT 1 FROM staff_member s WHERE s.id IN (NEW.prepared_by_id, NEW.signed_by_id)
          AND s.role IN ('senior-treasurer', 'senior-officer', 'admin')
    ) THEN
        RAISE EXCEPTION 'of who prepares and who signs one is senior'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'treasury_day_one_of_two_is_senior';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER treasury_day_guard BEFORE INSERT OR UPDATE ON treasury_day
    FOR EACH ROW EXECUTE FUNCTION treasury_day_guard();
"""

#: who may give to whom, nothing but what was approved, both legs alike, and not more than lies there
MOVEMENT_GUARD = """
CREATE FUNCTION own_movement_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    gives treasury_account;
    takes treasury_account;
    settlement_from uuid;
    settlement_to uuid;
    transit uuid;
    legs bigint;
    fitting bigint;
BEGIN
    IF TG_OP = 'INSERT' AND (NEW.state <> 'requested' OR num_nonnulls(NEW.approval_id, NEW.approved_at, NEW.payment_id,
        NEW.file_id, NEW.sent_at, NEW.left_on, NEW.arrived_on, NEW.left_line_id, NEW.arrived_line_id, NEW.reversal_id,
        NEW.ended_at, NEW.problem) > 0) THEN
        RAISE EXCEPTION 'a movement begins as a request'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'own_movement_begins_as_a_request';
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.id, NEW.kind, NEW.from_bank_account_id, NEW.to_bank_account_id, NEW.currency, NEW.amount_minor,
            NEW.way, NEW.reference, NEW.created_at, NEW.maker_id, NEW.maker_name)
           IS DISTINCT FROM
           (OLD.id, OLD.kind, OLD.from_bank_account_id, OLD.to_bank_account_id, OLD.currency, OLD.amount_minor,
            OLD.way, OLD.reference, OLD.created_at, OLD.maker_id, OLD.maker_name)
           OR OLD.approved_at IS NOT NULL AND (NEW.approval_id, NEW.approved_at)
              IS DISTINCT FROM (OLD.approval_id, OLD.approved_at)
           OR OLD.sent_at IS NOT NULL AND (NEW.payment_id, NEW.file_id, NEW.sent_at, NEW.bank_reference)
              IS DISTINCT FROM (OLD.payment_id, OLD.file_id, OLD.sent_at, OLD.bank_reference)
           OR OLD.left_on IS NOT NULL
              AND (NEW.left_on, NEW.left_line_id) IS DISTINCT FROM (OLD.left_on, OLD.left_line_id)
           OR OLD.arrived_on IS NOT NULL
              AND (NEW.arrived_on, NEW.arrived_line_id) IS DISTINCT FROM (OLD.arrived_on, OLD.arrived_line_id) THEN
            RAISE EXCEPTION 'a movement stays what was asked and approved'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'own_movement_is_as_asked';
        END IF;
        -- what a bank told is a line of that bank account, of that amount and day
        IF NEW.left_line_id IS DISTINCT FROM OLD.left_line_id AND NOT EXISTS (
               SELECT 1 FROM statement_line l WHERE l.id = NEW.left_line_id AND l.matchable
                 AND l.bank_account_id = NEW.from_bank_account_id AND l.amount_minor = -NEW.amount_minor
                 AND l.booking_date = NEW.left_on)
           OR NEW.arrived_line_id IS DISTINCT FROM OLD.arrived_line_id AND NOT EXISTS (
               SELECT 1 FROM statement_line l WHERE l.id = NEW.arrived_line_id AND l.matchable
                 AND l.bank_account_id = NEW.to_bank_account_id AND l.amount_minor = NEW.amount_minor
                 AND l.booking_date = NEW.arrived_on) THEN
            RAISE EXCEPTION 'a movement is told by lines of its two bank accounts'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'own_movement_told_by_its_lines';
        END IF;
        IF OLD.state IN ('settled', 'dropped', 'canceled', 'refused') OR NEW.state <> OLD.state
           AND (OLD.state, NEW.state) NOT IN (
               ('requested', 'approved'), ('requested', 'dropped'), ('approved', 'sent'), ('approved', 'canceled'),
               ('sent', 'settled'), ('sent', 'refused')) THEN
            RAISE EXCEPTION 'a movement does not go from % to %', OLD.state, NEW.state
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'own_movement_goes_forward';
        END IF;
        IF NEW.state = OLD.state THEN
            RETURN NEW;
        END IF;
    END IF;
    IF NEW.state IN ('requested', 'approved', 'sent') THEN
        SELECT * INTO gives FROM treasury_account t WHERE t.bank_account_id = NEW.from_bank_account_id;
        SELECT * INTO takes FROM treasury_account t WHERE t.bank_account_id = NEW.to_bank_account_id;
        IF gives.closed_on IS NOT NULL OR takes.closed_on IS NOT NULL THEN
            RAISE EXCEPTION 'a closed bank account gives and takes nothing'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'own_movement_of_open_accounts';
        END IF;
        IF (NEW.kind = 'topUp' AND gives.purpose = 'ownFunds' AND takes.purpose = 'safeguarding'
            OR NEW.kind = 'sweep' AND gives.purpose IN ('safeguarding', 'settlement') AND takes.purpose = 'ownFunds'
            OR NEW.kind = 'prefunding' AND gives.purpose IN ('ownFunds', 'safeguarding') AND takes.purpose = 'settlement'
            OR NEW.kind = 'segregation' AND gives.purpose IN ('settlement', 'safeguarding')
               AND takes.purpose = 'safeguarding'
           ) IS NOT TRUE OR gives.pool <> takes.pool THEN
            RAISE EXCEPTION 'these bank accounts do not give to one another in this way'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'own_movement_fits_the_register';
        END IF;
    END IF;
    IF NEW.state = 'approved' AND NOT EXISTS (
        SELECT 1 FROM approval_request r WHERE r.id = NEW.approval_id AND r.state = 'approved'
          AND r.kind = 'treasury.movement' AND r.object_id = NEW.id
    ) THEN
        RAISE EXCEPTION 'a movement goes on by an approved request only'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'own_movement_approved_by_two';
    END IF;
    IF NEW.state = 'sent' THEN
        IF (NEW.way = 'file') <> (NEW.file_id IS NOT NULL) OR (NEW.way = 'atBank') <> (NEW.bank_reference IS NOT NULL) THEN
            RAISE EXCEPTION 'a movement leaves by its file, or by what the bank was told'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'own_movement_leaves_somehow';
        END IF;
        SELECT a.id INTO settlement_from FROM account a
         WHERE a.bank_account_id = NEW.from_bank_account_id AND a.type = 'settlement';
        SELECT a.id INTO settlement_to FROM account a
         WHERE a.bank_account_id = NEW.to_bank_account_id AND a.type = 'settlement';
        SELECT a.id INTO transit FROM account a
         WHERE a.bank_account_id = NEW.from_bank_account_id AND a.type = 'inTransit';
        SELECT count(*), count(*) FILTER (
                   WHERE t.amount_minor = NEW.amount_minor AND t.currency = NEW.currency AND t.state = 'posted'
                     AND (t.debtor_account_id = transit AND t.creditor_account_id = settlement_from AND t.position = 1
                          OR t.debtor_account_id = settlement_to AND t.creditor_account_id = transit AND t.position = 2))
          INTO legs, fitting
          FROM ledger_transaction t JOIN payment p ON p.id = t.payment_id
         WHERE t.payment_id = NEW.payment_id AND p.parent_id = NEW.id AND p.state = 'posted';
        IF legs <> 2 OR fitting <> 2 THEN
            RAISE EXCEPTION 'both legs of a movement are of its amount, through the account of money in transit'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'own_movement_two_equal_legs';
        END IF;
        -- what lies at a bank is the ledger's balance with the sign turned round
        IF (SELECT sum(b.posted) FROM account_balance b WHERE b.account_id = settlement_from) > 0 THEN
            RAISE EXCEPTION 'a movement takes no more than what lies there'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'own_movement_within_what_lies_there';
        END IF;
    END IF;
    IF NEW.state = 'refused' AND NOT EXISTS (
        SELECT 1 FROM payment p JOIN approval_request r ON r.object_id = NEW.id
        WHERE p.id = NEW.reversal_id AND p.reverses_id = NEW.payment_id AND p.state = 'posted'
          AND r.kind = 'treasury.movement.refused' AND r.state = 'approved'
    ) THEN
        RAISE EXCEPTION 'a movement is booked back by an approved request only'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'own_movement_booked_back_by_two';
    END IF;
    -- a planned file leaves yet, whoever planned it
    IF NEW.state = 'refused' AND EXISTS (
        SELECT 1 FROM provider_file f WHERE f.id = NEW.file_id AND f.state = 'reading'
    ) THEN
        RAISE EXCEPTION 'a movement whose file is not out yet is not booked back'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'own_movement_file_is_out';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER own_movement_guard BEFORE INSERT OR UPDATE ON own_movement
    FOR EACH ROW EXECUTE FUNCTION own_movement_guard();
-- whoever reverses a movement's payment by the ledger alone finds the movement in the way, at the latest at the commit
CREATE FUNCTION reversal_agrees_with_movement() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.state = 'posted' AND EXISTS (
        SELECT 1 FROM own_movement m WHERE m.payment_id = NEW.reverses_id AND m.reversal_id IS DISTINCT FROM NEW.id
    ) THEN
        RAISE EXCEPTION 'money between own accounts is booked back by its movement, not beside it'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'reversal_agrees_with_movement';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER reversal_agrees_with_movement AFTER INSERT ON payment
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.reverses_id IS NOT NULL)
    EXECUTE FUNCTION reversal_agrees_with_movement();
"""


def upgrade() -> None:
    op.create_unique_constraint("uq_bank_account_id_currency", "bank_account", ["id", "currency"])
    op.create_table(
        "treasury_account_version",
        sa.Column("bank_account_id", sa.UUID(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=True),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("designated_from", sa.Date(), nullable=True),
        sa.Column("designated_to", sa.Date(), nullable=True),
        sa.Column("statement_format", sa.Text(), nullable=True),
        sa.Column("expected_at", sa.Time(), nullable=True),
        sa.Column("calendar", sa.Text(), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approval_id", sa.UUID(), nullable=True),
        sa.ForeignKeyConstraint(
            ["bank_account_id"], ["bank_account.id"], name=op.f("fk_treasury_account_version_bank_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["approval_id"], ["approval_request.id"], name=op.f("fk_treasury_account_version_approval_id")
        ),
        sa.PrimaryKeyConstraint("bank_account_id", "version", name=op.f("pk_treasury_account_version")),
    )
    # rows that were there before their versions were kept
    op.execute(
        "INSERT INTO treasury_account_version (bank_account_id, version, pool, purpose, designated_from, designated_to,"
        " statement_format, expected_at, calendar, closed_on, changed_at, approval_id)"
        " SELECT bank_account_id, version, pool, purpose, designated_from, designated_to, statement_format,"
        " expected_at, calendar, closed_on, changed_at, approval_id FROM treasury_account"
    )
    for column in ("prepared_by_id", "signed_by_id"):
        op.create_foreign_key(op.f(f"fk_treasury_day_{column}"), "treasury_day", "staff_member", [column], ["id"])
    op.create_index("uq_treasury_account_version_approval", "treasury_account_version", ["approval_id"], unique=True)
    op.create_table(
        "own_movement",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("from_bank_account_id", sa.UUID(), nullable=False),
        sa.Column("to_bank_account_id", sa.UUID(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("bank_reference", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("maker_id", sa.UUID(), nullable=False),
        sa.Column("maker_name", sa.Text(), nullable=False),
        sa.Column("approval_id", sa.UUID(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("payment_id", sa.UUID(), nullable=True),
        sa.Column("file_id", sa.UUID(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("left_on", sa.Date(), nullable=True),
        sa.Column("arrived_on", sa.Date(), nullable=True),
        sa.Column("left_line_id", sa.UUID(), nullable=True),
        sa.Column("arrived_line_id", sa.UUID(), nullable=True),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reversal_id", sa.UUID(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_because", sa.Text(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.CheckConstraint("from_bank_account_id <> to_bank_account_id", name=op.f("ck_own_movement_two_accounts")),
        sa.CheckConstraint(
            "amount_minor > 0 AND amount_minor <= 10000000000000000", name=op.f("ck_own_movement_amount_in_range")
        ),
        sa.CheckConstraint(
            "kind IN ('topUp', 'sweep', 'prefunding', 'segregation')", name=op.f("ck_own_movement_kind_known")
        ),
        sa.CheckConstraint("way IN ('file', 'atBank')", name=op.f("ck_own_movement_way_known")),
        sa.CheckConstraint(
            "state IN ('requested', 'approved', 'sent', 'settled', 'dropped', 'canceled', 'refused')",
            name=op.f("ck_own_movement_state_known"),
        ),
        sa.CheckConstraint(
            "(state IN ('approved', 'sent', 'settled', 'canceled', 'refused')) = (approved_at IS NOT NULL)"
            " AND (approved_at IS NULL OR approval_id IS NOT NULL)",
            name=op.f("ck_own_movement_approved_by_two"),
        ),
        sa.CheckConstraint(
            "(state IN ('sent', 'settled', 'refused')) = (payment_id IS NOT NULL)"
            " AND (payment_id IS NULL) = (sent_at IS NULL)",
            name=op.f("ck_own_movement_posted_when_sent"),
        ),
        sa.CheckConstraint(
            "state <> 'settled' OR left_on IS NOT NULL AND arrived_on IS NOT NULL",
            name=op.f("ck_own_movement_settled_on_both_sides"),
        ),
        sa.CheckConstraint(
            "(left_on IS NULL) = (left_line_id IS NULL) AND (arrived_on IS NULL) = (arrived_line_id IS NULL)",
            name=op.f("ck_own_movement_told_by_statements"),
        ),
        sa.CheckConstraint(
            "(state = 'refused') = (reversal_id IS NOT NULL)", name=op.f("ck_own_movement_refused_is_booked_back")
        ),
        sa.CheckConstraint(
            "(state IN ('dropped', 'canceled', 'refused')) = (ended_because IS NOT NULL)",
            name=op.f("ck_own_movement_ended_says_why"),
        ),
        sa.CheckConstraint(
            "(state IN ('settled', 'dropped', 'canceled', 'refused')) = (ended_at IS NOT NULL)",
            name=op.f("ck_own_movement_ended_has_time"),
        ),
        sa.CheckConstraint("file_id IS NULL OR way = 'file'", name=op.f("ck_own_movement_file_of_its_way")),
        sa.ForeignKeyConstraint(["approval_id"], ["approval_request.id"], name=op.f("fk_own_movement_approval_id")),
        sa.ForeignKeyConstraint(["file_id"], ["provider_file.id"], name=op.f("fk_own_movement_file_id")),
        sa.ForeignKeyConstraint(["left_line_id"], ["statement_line.id"], name=op.f("fk_own_movement_left_line_id")),
        sa.ForeignKeyConstraint(
            ["arrived_line_id"], ["statement_line.id"], name=op.f("fk_own_movement_arrived_line_id")
        ),
        sa.ForeignKeyConstraint(
            ["from_bank_account_id", "currency"], ["bank_account.id", "bank_account.currency"],
            name="fk_own_movement_from",
        ),
        sa.ForeignKeyConstraint(["payment_id"], ["payment.id"], name=op.f("fk_own_movement_payment_id")),
        sa.ForeignKeyConstraint(["reversal_id"], ["payment.id"], name=op.f("fk_own_movement_reversal_id")),
        sa.ForeignKeyConstraint(
            ["to_bank_account_id", "currency"], ["bank_account.id", "bank_account.currency"],
            name="fk_own_movement_to",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_own_movement")),
    )  # fmt: skip
    op.create_index("uq_own_movement_reference", "own_movement", ["reference"], unique=True)
    op.create_index(
        "uq_own_movement_payment", "own_movement", ["payment_id"], unique=True,
        postgresql_where=sa.text("payment_id IS NOT NULL"),
    )  # fmt: skip
    for column in ("file", "left_line", "arrived_line"):
        op.create_index(
            f"uq_own_movement_{column}", "own_movement", [f"{column}_id"], unique=True,
            postgresql_where=sa.text(f"{column}_id IS NOT NULL"),
        )  # fmt: skip
    op.create_index(
        "uq_own_movement_bank_reference", "own_movement", ["from_bank_account_id", "bank_reference"], unique=True,
        postgresql_where=sa.text("bank_reference IS NOT NULL AND state NOT IN ('dropped', 'canceled', 'refused')"),
    )  # fmt: skip
    # legs of movements are looked for by their amount
    op.create_index(
        "ix_statement_line_amount", "statement_line", ["bank_account_id", "amount_minor", "booking_date", "id"],
        unique=False, postgresql_where=sa.text("matchable"),
    )  # fmt: skip
    op.create_index("ix_own_movement_newest", "own_movement", [sa.literal_column("id DESC")], unique=False)
    op.create_index("ix_own_movement_state", "own_movement", ["state", sa.literal_column("id DESC")], unique=False)
    op.create_index(
        "ix_own_movement_currency", "own_movement", ["currency", sa.literal_column("id DESC")], unique=False
    )
    op.create_index(
        "ix_own_movement_from", "own_movement", ["from_bank_account_id", sa.literal_column("id DESC")], unique=False
    )
    op.create_index(
        "ix_own_movement_to", "own_movement", ["to_bank_account_id", sa.literal_column("id DESC")], unique=False
    )
    op.create_index(
        "ix_own_movement_reversal", "own_movement", ["reversal_id"], unique=False,
        postgresql_where=sa.text("reversal_id IS NOT NULL"),
    )  # fmt: skip

    grant("SELECT", ("treasury_account_version",))
    grant("SELECT, INSERT, UPDATE", ("own_movement",))
    never_deleted("own_movement")
    append_only("treasury_account_version")
    for guard in (OWNER, REGISTER_GUARD, POOL_GUARD, DAY_GUARD, MOVEMENT_GUARD):
        op.execute(guard)
