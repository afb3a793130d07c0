"""Matching: rules, runs, matches, breaks. What a match holds, who may change what, and what a purge empties."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.guards import append_only, grant, let_lay_out_tables, let_purge_pass, never_deleted, personal

revision = "0014"
down_revision = "0013"

#: the rules that come with the product
FIRST_RULES = {
    "passes": [
        {"pass": "reference", "days": 10},
        {"pass": "text", "days": 10},
        {"pass": "batch", "days": 10},
        {"pass": "amount", "days": 3, "certain": False},
        {"pass": "sum", "days": 3, "certain": False},
    ],
    "timingDays": 1,
    "dueDays": 1,
    "acceptAlone": {},
}

#: which lines and ledger rows are matched with nothing: kept here, so that no writer can forget it
OPEN_ITEMS = """
CREATE FUNCTION line_is_open() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO open_item (bank_account_id, side, item_id, amount_minor, booking_date)
        SELECT n.bank_account_id, 'bank', n.id, n.amount_minor, n.booking_date FROM after_rows n WHERE n.matchable;
        RETURN NULL;
    END IF;
    IF TG_OP = 'DELETE' THEN
        IF EXISTS (SELECT 1 FROM before_rows o JOIN match_line m ON m.line_id = o.id AND m.live) THEN
            RAISE EXCEPTION 'a line that is matched stays: undo its match first'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'matched_line_stays';
        END IF;
        IF EXISTS (SELECT 1 FROM before_rows o JOIN match_line m ON m.line_id = o.id AND NOT m.live
                   JOIN recon_match r ON r.id = m.match_id AND r.state = 'proposed') THEN
            RAISE EXCEPTION 'a line that is proposed stays: withdraw the proposal first'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'proposed_line_stays';
        END IF;
        IF EXISTS (SELECT 1 FROM before_rows o JOIN recon_break b ON b.line_id = o.id
                   AND (b.state <> 'resolved' OR b.resolution = 'accepted')) THEN
            RAISE EXCEPTION 'a line of a break stays: close the break first'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'line_of_break_stays';
        END IF;
        DELETE FROM open_item i USING before_rows o
        WHERE o.matchable AND i.bank_account_id = o.bank_account_id AND i.side = 'bank' AND i.item_id = o.id;
        RETURN NULL;
    END IF;
    IF EXISTS (SELECT 1 FROM before_rows o JOIN after_rows n ON n.id = o.id
               JOIN match_line m ON m.line_id = o.id AND m.live
               WHERE (o.matchable, o.amount_minor, o.currency, o.booking_date, o.bank_account_id)
                     IS DISTINCT FROM (n.matchable, n.amount_minor, n.currency, n.booking_date, n.bank_account_id)) THEN
        RAISE EXCEPTION 'a line that is matched stays: undo its match first'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'matched_line_stays';
    END IF;
    DELETE FROM open_item i USING before_rows o, after_rows n
    WHERE n.id = o.id AND o.matchable AND i.bank_account_id = o.bank_account_id AND i.side = 'bank' AND i.item_id = o.id
      AND (NOT n.matchable OR (o.amount_minor, o.booking_date) IS DISTINCT FROM (n.amount_minor, n.booking_date));
    INSERT INTO open_item (bank_account_id, side, item_id, amount_minor, booking_date)
    SELECT n.bank_account_id, 'bank', n.id, n.amount_minor, n.booking_date
    FROM before_rows o JOIN after_rows n ON n.id = o.id
    WHERE n.matchable
      AND (NOT o.matchable OR (o.amount_minor, o.booking_date) IS DISTINCT FROM (n.amount_minor, n.booking_date));
    RETURN NULL;
END $$;
CREATE TRIGGER statement_line_added AFTER INSERT ON statement_line
    REFERENCING NEW TABLE AS after_rows FOR EACH STATEMENT EXECUTE FUNCTION line_is_open();
CREATE TRIGGER statement_line_changed AFTER UPDATE ON statement_line
    REFERENCING OLD TABLE AS before_rows NEW TABLE AS after_rows FOR EACH STATEMENT EXECUTE FUNCTION line_is_open();
CREATE TRIGGER statement_line_gone AFTER DELETE ON statement_line
    REFERENCING OLD TABLE AS before_rows FOR EACH STATEMENT EXECUTE FUNCTION line_is_open();
-- what was booked before the first statement began is covered by its opening balance
CREATE FUNCTION covered_is_not_open() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    DELETE FROM open_item i
    WHERE i.bank_account_id = NEW.bank_account_id AND i.side = 'ledger' AND i.booking_date < NEW.begins_on;
    RETURN NULL;
END $$;
CREATE TRIGGER covered_is_not_open AFTER UPDATE OF begins_on ON match_place
    FOR EACH ROW WHEN (NEW.begins_on IS DISTINCT FROM OLD.begins_on) EXECUTE FUNCTION covered_is_not_open();
"""

#: what the application puts among the open rows is true of its source, and the day up to which the ledger was looked at
#: is one that has ended, with every row of it matched or open
TRUE_PLACES = """
CREATE FUNCTION open_item_is_true() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    wrong boolean;
BEGIN
    EXECUTE 'SELECT EXISTS (
        SELECT 1 FROM fresh f LEFT JOIN statement_line l ON l.id = f.item_id AND f.side = ''bank''
        WHERE f.side = ''bank'' AND (l.id IS NULL OR NOT l.matchable OR l.bank_account_id <> f.bank_account_id
              OR l.amount_minor <> f.amount_minor OR l.booking_date <> f.booking_date))
        OR EXISTS (
        SELECT 1 FROM fresh f JOIN account a ON a.bank_account_id = f.bank_account_id AND a.type = ''settlement''
        LEFT JOIN ledger_transaction t ON t.id = f.item_id AND a.id IN (t.debtor_account_id, t.creditor_account_id)
        WHERE f.side = ''ledger'' AND (t.id IS NULL OR t.state <> ''posted'' OR t.booking_date <> f.booking_date
              OR f.amount_minor <> CASE WHEN t.debtor_account_id = a.id THEN t.amount_minor ELSE -t.amount_minor END))
        OR EXISTS (SELECT 1 FROM fresh f WHERE f.side = ''ledger'' AND NOT EXISTS (
              SELECT 1 FROM account a WHERE a.bank_account_id = f.bank_account_id AND a.type = ''settlement''))
        ' INTO wrong;
    IF wrong THEN
        RAISE EXCEPTION 'what is open is a line of a bank or a posted ledger row as it stands'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'open_item_is_true';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER open_item_is_true AFTER INSERT ON open_item
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION open_item_is_true();

CREATE FUNCTION match_place_is_true() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.swept_on < OLD.swept_on OR NEW.swept_on IS NULL AND OLD.swept_on IS NOT NULL
       OR NOT EXISTS (SELECT 1 FROM business_day d WHERE d.day >= NEW.swept_on AND d.state <> 'open')
       OR EXISTS (
           SELECT 1 FROM account a JOIN ledger_transaction t ON t.booking_date > OLD.swept_on
               AND t.booking_date <= NEW.swept_on AND a.id IN (t.debtor_account_id, t.creditor_account_id)
           WHERE a.bank_account_id = NEW.bank_account_id AND a.type = 'settlement' AND t.state = 'posted'
             AND NOT EXISTS (SELECT 1 FROM open_item i WHERE i.bank_account_id = NEW.bank_account_id
                             AND i.side = 'ledger' AND i.item_id = t.id)
             AND NOT EXISTS (SELECT 1 FROM match_transaction m
                             WHERE m.transaction_id = t.id AND m.account_id = a.id AND m.live)) THEN
        RAISE EXCEPTION 'the ledger has been looked at up to a day that has ended, and every row of it is known'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'match_place_is_true';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER match_place_is_true BEFORE UPDATE ON match_place FOR EACH ROW
    WHEN (NEW.swept_on IS DISTINCT FROM OLD.swept_on) EXECUTE FUNCTION match_place_is_true();
CREATE FUNCTION match_place_begins() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'nothing of a bank account has been looked at before its first run'
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'match_place_begins';
END $$;
CREATE TRIGGER match_place_begins BEFORE INSERT ON match_place FOR EACH ROW
    WHEN (NEW.swept_on IS NOT NULL) EXECUTE FUNCTION match_place_begins();
"""

#: a match is written whole by one statement, and looked at once, set by set: what it says of itself is true of its
#: rows, its rows are true of their sources, and both sides have the same sum. Its places are numbered and taken, so
#: nothing can be added later
MATCHES = """
CREATE FUNCTION match_adds_up() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    wrong boolean;
BEGIN
    EXECUTE 'SELECT EXISTS (
        SELECT 1 FROM fresh m
        LEFT JOIN (SELECT l.match_id, sum(l.amount_minor) AS amount, count(*) AS many, min(l.booking_date) AS first_on,
                          max(l.booking_date) AS last_on
                   FROM match_line l JOIN fresh f ON f.id = l.match_id GROUP BY l.match_id) b ON b.match_id = m.id
        LEFT JOIN (SELECT t.match_id, sum(t.amount_minor) AS amount, count(*) AS many, min(t.booking_date) AS first_on,
                          max(t.booking_date) AS last_on
                   FROM match_transaction t JOIN fresh f ON f.id = t.match_id GROUP BY t.match_id) t
            ON t.match_id = m.id
        WHERE m.state NOT IN (''proposed'', ''live'') OR b.amount IS DISTINCT FROM m.amount_minor
           OR t.amount IS DISTINCT FROM m.amount_minor OR b.many IS DISTINCT FROM m.lines
           OR t.many IS DISTINCT FROM m.transactions OR least(b.first_on, t.first_on) IS DISTINCT FROM m.first_on
           OR greatest(b.last_on, t.last_on) IS DISTINCT FROM m.last_on)' INTO wrong;
    IF wrong THEN
        RAISE EXCEPTION 'both sides of a match have the same sum'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'match_adds_up';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER match_adds_up AFTER INSERT ON recon_match
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION match_adds_up();

CREATE FUNCTION match_line_is_true() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    wrong boolean;
BEGIN
    EXECUTE 'SELECT EXISTS (
        SELECT 1 FROM fresh f JOIN recon_match m ON m.id = f.match_id LEFT JOIN statement_line l ON l.id = f.line_id
        WHERE l.id IS NULL OR NOT l.matchable OR l.bank_account_id <> m.bank_account_id OR l.currency <> m.currency
           OR l.amount_minor <> f.amount_minor OR l.booking_date <> f.booking_date OR f.position > m.lines
           OR f.live <> (m.state = ''live''))' INTO wrong;
    IF wrong THEN
        RAISE EXCEPTION 'a line in a match is a line of its bank account as it stands'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'match_line_is_true';
    END IF;
    DELETE FROM open_item i USING fresh f, recon_match m
    WHERE f.live AND m.id = f.match_id AND i.bank_account_id = m.bank_account_id AND i.side = 'bank'
      AND i.item_id = f.line_id;
    RETURN NULL;
END $$;
CREATE TRIGGER match_line_is_true AFTER INSERT ON match_line
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION match_line_is_true();

CREATE FUNCTION match_transaction_is_true() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    wrong boolean;
BEGIN
    EXECUTE 'SELECT EXISTS (
        SELECT 1 FROM fresh f JOIN recon_match m ON m.id = f.match_id
        LEFT JOIN ledger_transaction t ON t.id = f.transaction_id
        LEFT JOIN account a ON a.id = f.account_id
        WHERE t.id IS NULL OR t.state <> ''posted'' OR t.currency <> m.currency OR a.type <> ''settlement''
           OR a.bank_account_id IS DISTINCT FROM m.bank_account_id
           OR f.account_id NOT IN (t.debtor_account_id, t.creditor_account_id)
           OR f.amount_minor <> CASE WHEN t.debtor_account_id = f.account_id THEN t.amount_minor
                                     ELSE -t.amount_minor END
           OR t.booking_date <> f.booking_date OR f.position > m.transactions
           OR f.live <> (m.state = ''live''))' INTO wrong;
    IF wrong THEN
        RAISE EXCEPTION 'a ledger row in a match is a posted row of its settlement account'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'match_transaction_is_true';
    END IF;
    DELETE FROM open_item i USING fresh f, recon_match m
    WHERE f.live AND m.id = f.match_id AND i.bank_account_id = m.bank_account_id AND i.side = 'ledger'
      AND i.item_id = f.transaction_id;
    RETURN NULL;
END $$;
CREATE TRIGGER match_transaction_is_true AFTER INSERT ON match_transaction
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION match_transaction_is_true();

CREATE FUNCTION match_moves_on() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT ((OLD.state = 'proposed' AND NEW.state IN ('live', 'rejected', 'withdrawn'))
            OR (OLD.state = 'live' AND NEW.state = 'undone')) THEN
        RAISE EXCEPTION 'a match is decided once and undone once'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'match_moves_on';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER match_moves_on BEFORE UPDATE ON recon_match
    FOR EACH ROW EXECUTE FUNCTION match_moves_on();

CREATE FUNCTION match_takes_and_gives_back() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM after_rows m JOIN match_line l ON l.match_id = m.id
               LEFT JOIN statement_line s ON s.id = l.line_id AND s.matchable
               WHERE m.state = 'live' AND s.id IS NULL) THEN
        RAISE EXCEPTION 'a line in a match is a line of its bank account as it stands'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'match_line_is_true';
    END IF;
    UPDATE match_line l SET live = true FROM after_rows m WHERE m.id = l.match_id AND m.state = 'live' AND NOT l.live;
    UPDATE match_transaction t SET live = true
    FROM after_rows m WHERE m.id = t.match_id AND m.state = 'live' AND NOT t.live;
    DELETE FROM open_item i USING after_rows m, match_line l
    WHERE m.state = 'live' AND l.match_id = m.id AND i.bank_account_id = m.bank_account_id AND i.side = 'bank'
      AND i.item_id = l.line_id;
    DELETE FROM open_item i USING after_rows m, match_transaction t
    WHERE m.state = 'live' AND t.match_id = m.id AND i.bank_account_id = m.bank_account_id AND i.side = 'ledger'
      AND i.item_id = t.transaction_id;
    INSERT INTO open_item (bank_account_id, side, item_id, amount_minor, booking_date)
    SELECT m.bank_account_id, 'bank', l.line_id, l.amount_minor, l.booking_date
    FROM after_rows m JOIN match_line l ON l.match_id = m.id WHERE m.state = 'undone' AND l.live
    ON CONFLICT DO NOTHING;
    INSERT INTO open_item (bank_account_id, side, item_id, amount_minor, booking_date)
    SELECT m.bank_account_id, 'ledger', t.transaction_id, t.amount_minor, t.booking_date
    FROM after_rows m JOIN match_transaction t ON t.match_id = m.id WHERE m.state = 'undone' AND t.live
    ON CONFLICT DO NOTHING;
    UPDATE match_line l SET live = false FROM after_rows m WHERE m.id = l.match_id AND m.state = 'undone' AND l.live;
    UPDATE match_transaction t SET live = false
    FROM after_rows m WHERE m.id = t.match_id AND m.state = 'undone' AND t.live;
    RETURN NULL;
END $$;
CREATE TRIGGER match_takes_and_gives_back AFTER UPDATE ON recon_match
    REFERENCING NEW TABLE AS after_rows FOR EACH STATEMENT EXECUTE FUNCTION match_takes_and_gives_back();
"""

BREAKS = """
CREATE FUNCTION break_begins_open() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a break begins open'
        USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'break_begins_open';
END $$;
CREATE FUNCTION break_is_of_open_rows() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.line_id IS NOT NULL AND NOT EXISTS (
           SELECT 1 FROM open_item i WHERE i.bank_account_id = NEW.bank_account_id AND i.side = 'bank'
           AND i.item_id = NEW.line_id AND (i.amount_minor, i.booking_date) = (NEW.bank_minor, NEW.bank_on))
       OR NEW.transaction_id IS NOT NULL AND NOT EXISTS (
           SELECT 1 FROM open_item i WHERE i.bank_account_id = NEW.bank_account_id AND i.side = 'ledger'
           AND i.item_id = NEW.transaction_id
           AND (i.amount_minor, i.booking_date) = (NEW.ledger_minor, NEW.ledger_on)) THEN
        RAISE EXCEPTION 'a break is of rows that are open'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'break_is_of_open_rows';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER break_is_of_open_rows BEFORE INSERT ON recon_break FOR EACH ROW
    EXECUTE FUNCTION break_is_of_open_rows();
CREATE TRIGGER break_begins_open BEFORE INSERT ON recon_break FOR EACH ROW
    WHEN (NEW.state <> 'open' OR NEW.reopened <> 0) EXECUTE FUNCTION break_begins_open();

CREATE FUNCTION break_moves_on() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.version <> OLD.version + 1 THEN
        RAISE EXCEPTION 'a change of a break counts'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'break_change_counts';
    END IF;
    IF OLD.state = 'resolved' AND NEW.state = 'resolved'
       OR OLD.state = 'resolved' AND (NEW.state <> 'open' OR NEW.reopened <> OLD.reopened + 1)
       OR OLD.state <> 'resolved' AND NEW.reopened <> OLD.reopened
       OR OLD.state = 'acknowledged' AND NEW.state = 'open' THEN
        RAISE EXCEPTION 'a break goes from open to acknowledged to resolved, and from there back to open'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'break_moves_on';
    END IF;
    IF NEW.resolution IN ('matched', 'booked') AND NEW.match_id IS NOT NULL AND (
           NOT EXISTS (SELECT 1 FROM recon_match m WHERE m.id = NEW.match_id AND m.state = 'live'
                       AND m.bank_account_id = NEW.bank_account_id)
           OR NOT EXISTS (SELECT 1 FROM match_line l WHERE l.match_id = NEW.match_id AND l.line_id = NEW.line_id)
              AND NOT EXISTS (SELECT 1 FROM match_transaction t
                              WHERE t.match_id = NEW.match_id AND t.transaction_id = NEW.transaction_id)
           OR EXISTS (SELECT 1 FROM open_item i WHERE i.bank_account_id = NEW.bank_account_id
                      AND (i.side = 'bank' AND i.item_id = NEW.line_id
                           OR i.side = 'ledger' AND i.item_id = NEW.transaction_id))) THEN
        RAISE EXCEPTION 'a break is matched by a live match that has its rows'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'break_matched_by_its_match';
    END IF;
    IF NEW.resolution = 'accepted' THEN
        IF NEW.approval_id IS NULL AND NEW.limit_minor > coalesce((
               SELECT (r.rules -> 'acceptAlone' ->> NEW.currency)::bigint FROM match_rule_set r
               ORDER BY r.version DESC LIMIT 1), 0) THEN
            RAISE EXCEPTION 'the limit of one person is what the rules say'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'break_limit_of_the_rules';
        END IF;
        IF NOT EXISTS (SELECT 1 FROM break_event e
                       WHERE e.id = NEW.evidence_id AND e.break_id = NEW.id AND e.kind = 'accepted') THEN
            RAISE EXCEPTION 'what was accepted is kept'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'break_accepted_with_evidence';
        END IF;
        IF NEW.approval_id IS NOT NULL AND NOT EXISTS (
            SELECT 1 FROM approval_request r WHERE r.id = NEW.approval_id AND r.state = 'approved'
              AND r.kind = 'treasury.acceptBreak' AND r.object_id = NEW.id
              AND r.decided_by IS DISTINCT FROM r.maker_id) THEN
            RAISE EXCEPTION 'above the limit two people accept a break'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'break_accepted_by_two';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER break_moves_on BEFORE UPDATE ON recon_break FOR EACH ROW EXECUTE FUNCTION break_moves_on();
"""

RULES = """
CREATE FUNCTION match_rules_by_two() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM approval_request r WHERE r.id = NEW.approval_id AND r.state = 'approved'
                     AND r.kind = 'treasury.matchRules' AND r.decided_by IS DISTINCT FROM r.maker_id) THEN
        RAISE EXCEPTION 'two people change the rules of matching'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'match_rules_by_two';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER match_rules_by_two BEFORE INSERT ON match_rule_set FOR EACH ROW
    WHEN (NEW.version > 1) EXECUTE FUNCTION match_rules_by_two();
"""

#: ledger rows of the client
_ROWS = (
    "SELECT t.id FROM account a JOIN LATERAL"
    " (SELECT t.id FROM ledger_transaction t WHERE t.debtor_account_id = a.id"
    " UNION ALL SELECT t.id FROM ledger_transaction t WHERE t.creditor_account_id = a.id) t ON true"
    " WHERE a.owner_id = $1"
)
#: lines that are or were matched with one of them, and with none of somebody whose data are kept; and lines that no
#: match has now and that carry the reference of a transfer of the client
_MATCHED = (
    "SELECT l.line_id FROM match_transaction m JOIN match_line l ON l.match_id = m.match_id"
    f" WHERE m.transaction_id IN ({_ROWS})"
    " UNION ALL SELECT s.id FROM transfer f JOIN statement_line s ON s.provider_reference = f.provider_reference"
    " AND s.amount_minor IN (f.amount_minor, -f.amount_minor) AND s.currency = f.currency"
    " WHERE f.client_id = $1 AND NOT EXISTS (SELECT 1 FROM match_line l WHERE l.line_id = s.id AND l.live)"
)
_OTHERS = (
    "SELECT 1 FROM match_line l JOIN match_transaction m ON m.match_id = l.match_id"
    " JOIN ledger_transaction t ON t.id = m.transaction_id"
    " JOIN account o ON o.id IN (t.debtor_account_id, t.creditor_account_id) JOIN client k ON k.id = o.owner_id"
    " WHERE l.live AND {0} AND k.id <> $1 AND k.purged_at IS NULL"
)
_OF_ENTRY = "l.line_id IN (SELECT s.id FROM statement_line s WHERE s.entry_id = statement_entry.id)"


def _personal() -> None:
    personal(
        "break_event",
        "break_id IN (SELECT b.id FROM recon_break b WHERE b.line_id IN"
        f" ({_MATCHED}) OR b.transaction_id IN (SELECT t.id FROM account a JOIN ledger_transaction t"
        " ON a.id IN (t.debtor_account_id, t.creditor_account_id) WHERE a.owner_id = $1))",
        text="CASE WHEN text IS NOT NULL THEN '(deleted)' END",
    )
    # it quotes a reference, and payers write into theirs what they like
    personal(
        "recon_match",
        f"id IN (SELECT m.match_id FROM match_transaction m WHERE m.transaction_id IN ({_ROWS}))",
        why="'(deleted)'",
        undone_because="CASE WHEN undone_because IS NOT NULL THEN '(deleted)' END",
    )
    # an entry of several lines tells of all of them: its text goes with the last
    personal(
        "statement_entry",
        f"id IN (SELECT s.entry_id FROM statement_line s WHERE s.id IN ({_MATCHED}))"
        f" AND NOT EXISTS ({_OTHERS.format(_OF_ENTRY)})",
        text="NULL",
    )
    personal(
        "statement_line",
        f"id IN ({_MATCHED}) AND NOT EXISTS ({_OTHERS.format('l.line_id = statement_line.id')})",
        counterparty="NULL",
        counterparty_account="NULL",
        remittance="NULL",
        end_to_end_id="NULL",
        bank_references="'{}'",
    )


def upgrade() -> None:
    op.create_table(
        "match_rule_set",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("rules", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("approval_id", sa.UUID(), nullable=True),
        sa.CheckConstraint("version = 1 OR approval_id IS NOT NULL", name=op.f("ck_match_rule_set_changed_by_two")),
        sa.ForeignKeyConstraint(["approval_id"], ["approval_request.id"], name=op.f("fk_match_rule_set_approval_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_match_rule_set")),
        sa.UniqueConstraint("version", name=op.f("uq_match_rule_set_version")),
    )
    op.create_table(
        "match_place",
        sa.Column("bank_account_id", sa.UUID(), nullable=False),
        sa.Column("swept_on", sa.Date(), nullable=True),
        sa.Column("begins_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["bank_account_id"], ["bank_account.id"], name=op.f("fk_match_place_bank_account_id")),
        sa.PrimaryKeyConstraint("bank_account_id", name=op.f("pk_match_place")),
    )
    op.create_table(
        "open_item",
        sa.Column("bank_account_id", sa.UUID(), nullable=False),
        sa.Column("side", sa.Text(), nullable=False),
        sa.Column("item_id", sa.UUID(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("booking_date", sa.Date(), nullable=False),
        sa.CheckConstraint("side IN ('ledger', 'bank')", name=op.f("ck_open_item_side_known")),
        sa.ForeignKeyConstraint(["bank_account_id"], ["bank_account.id"], name=op.f("fk_open_item_bank_account_id")),
        sa.PrimaryKeyConstraint("bank_account_id", "side", "item_id", name=op.f("pk_open_item")),
    )
    op.create_index("ix_open_item_booked", "open_item", ["bank_account_id", "booking_date"], unique=False)
    op.create_table(
        "match_run",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("bank_account_id", sa.UUID(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("dry", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("rules_version", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.UUID(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_kind", sa.Text(), nullable=False),
        sa.Column("by_id", sa.UUID(), nullable=True),
        sa.Column("by_name", sa.Text(), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("figures", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.CheckConstraint(
            "(state IN ('finished', 'failed', 'canceled')) = (finished_at IS NOT NULL)",
            name=op.f("ck_match_run_ended_has_time"),
        ),
        sa.CheckConstraint(
            "state IN ('waiting', 'running', 'finished', 'failed', 'canceled')", name=op.f("ck_match_run_state_known")
        ),
        sa.ForeignKeyConstraint(["bank_account_id"], ["bank_account.id"], name=op.f("fk_match_run_bank_account_id")),
        sa.ForeignKeyConstraint(["job_id"], ["background_job.id"], name=op.f("fk_match_run_job_id")),
        sa.ForeignKeyConstraint(["rules_version"], ["match_rule_set.version"], name=op.f("fk_match_run_rules_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_match_run")),
    )
    op.create_index(
        "ix_match_run_day", "match_run", ["bank_account_id", "day", sa.literal_column("id DESC")], unique=False
    )
    op.create_index(
        "uq_match_run_waiting",
        "match_run",
        ["bank_account_id", "day", "dry"],
        unique=True,
        postgresql_where=sa.text("state IN ('waiting', 'running')"),
    )
    op.create_table(
        "recon_match",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("bank_account_id", sa.UUID(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("found_by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("transactions", sa.Integer(), nullable=False),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.Column("run_id", sa.UUID(), nullable=True),
        sa.Column("rules_version", sa.Integer(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by_kind", sa.Text(), nullable=False),
        sa.Column("made_by_id", sa.UUID(), nullable=True),
        sa.Column("made_by", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by_id", sa.UUID(), nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by_id", sa.UUID(), nullable=True),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.Column("undone_because", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(state = 'undone') = (undone_at IS NOT NULL) AND (state <> 'undone' OR undone_because IS NOT NULL)",
            name=op.f("ck_recon_match_undone_says_why"),
        ),
        sa.CheckConstraint("currency ~ '^[a-z]{3}$'", name=op.f("ck_recon_match_currency_is_code")),
        sa.CheckConstraint(
            "found_by IN ('reference', 'text', 'batch', 'amount', 'sum', 'hand', 'booked')",
            name=op.f("ck_recon_match_pass_known"),
        ),
        sa.CheckConstraint(
            "state <> 'rejected' OR decided_by_id IS NOT NULL", name=op.f("ck_recon_match_rejected_by_somebody")
        ),
        sa.CheckConstraint(
            "state IN ('proposed', 'live', 'undone', 'rejected', 'withdrawn')", name=op.f("ck_recon_match_state_known")
        ),
        sa.CheckConstraint("last_on >= first_on", name=op.f("ck_recon_match_dates_in_order")),
        sa.CheckConstraint("lines > 0 AND transactions > 0", name=op.f("ck_recon_match_two_sides")),
        sa.ForeignKeyConstraint(["bank_account_id"], ["bank_account.id"], name=op.f("fk_recon_match_bank_account_id")),
        sa.ForeignKeyConstraint(["run_id"], ["match_run.id"], name=op.f("fk_recon_match_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recon_match")),
    )
    op.create_index(
        "ix_recon_match_across",
        "recon_match",
        ["bank_account_id", "last_on", "first_on"],
        unique=False,
        postgresql_where=sa.text("state = 'live' AND first_on < last_on"),
    )
    op.create_index(
        "ix_recon_match_days",
        "recon_match",
        ["bank_account_id", "last_on", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'live'"),
    )
    op.create_index(
        "ix_recon_match_newest", "recon_match", ["bank_account_id", "state", sa.literal_column("id DESC")], unique=False
    )
    op.create_index(
        "ix_recon_match_proposed",
        "recon_match",
        ["bank_account_id", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'proposed'"),
    )
    op.create_index(
        "ix_recon_match_run", "recon_match", ["run_id"], unique=False, postgresql_where=sa.text("run_id IS NOT NULL")
    )
    op.create_table(
        "match_line",
        sa.Column("match_id", sa.UUID(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("line_id", sa.UUID(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("booking_date", sa.Date(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.CheckConstraint("position > 0", name=op.f("ck_match_line_position_from_one")),
        sa.ForeignKeyConstraint(["match_id"], ["recon_match.id"], name=op.f("fk_match_line_match_id")),
        sa.PrimaryKeyConstraint("match_id", "position", name=op.f("pk_match_line")),
    )
    op.create_index("uq_match_line_live", "match_line", ["line_id"], unique=True, postgresql_where=sa.text("live"))
    # the live ones have a unique index of their own
    op.create_index("ix_match_line_other", "match_line", ["line_id"], postgresql_where=sa.text("NOT live"))
    op.create_table(
        "match_transaction",
        sa.Column("match_id", sa.UUID(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("transaction_id", sa.UUID(), nullable=False),
        sa.Column("account_id", sa.UUID(), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("booking_date", sa.Date(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.CheckConstraint("position > 0", name=op.f("ck_match_transaction_position_from_one")),
        sa.ForeignKeyConstraint(["match_id"], ["recon_match.id"], name=op.f("fk_match_transaction_match_id")),
        sa.PrimaryKeyConstraint("match_id", "position", name=op.f("pk_match_transaction")),
    )
    op.create_index(
        "uq_match_transaction_live",
        "match_transaction",
        ["transaction_id", "account_id"],
        unique=True,
        postgresql_where=sa.text("live"),
    )
    op.create_index(
        "ix_match_transaction_other", "match_transaction", ["transaction_id"], postgresql_where=sa.text("NOT live")
    )
    op.create_table(
        "recon_break",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("bank_account_id", sa.UUID(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("line_id", sa.UUID(), nullable=True),
        sa.Column("transaction_id", sa.UUID(), nullable=True),
        sa.Column("bank_minor", sa.BigInteger(), nullable=True),
        sa.Column("ledger_minor", sa.BigInteger(), nullable=True),
        sa.Column(
            "difference_minor",
            sa.BigInteger(),
            sa.Computed("coalesce(bank_minor, 0) - coalesce(ledger_minor, 0)", persisted=True),
            nullable=False,
        ),
        sa.Column("bank_on", sa.Date(), nullable=True),
        sa.Column("ledger_on", sa.Date(), nullable=True),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("twin_id", sa.UUID(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("resolution", sa.Text(), nullable=True),
        sa.Column("limit_minor", sa.BigInteger(), nullable=True),
        sa.Column("approval_id", sa.UUID(), nullable=True),
        sa.Column("evidence_id", sa.UUID(), nullable=True),
        sa.Column("match_id", sa.UUID(), nullable=True),
        sa.Column("run_id", sa.UUID(), nullable=True),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reopened", sa.Integer(), server_default="0", nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.CheckConstraint(
            "(state = 'resolved') = (resolution IS NOT NULL) AND (state = 'resolved') = (resolved_at IS NOT NULL)",
            name=op.f("ck_recon_break_resolved_says_how"),
        ),
        sa.CheckConstraint(
            "coalesce(resolution NOT IN ('matched', 'booked'), true) OR match_id IS NOT NULL",
            name=op.f("ck_recon_break_matched_has_match"),
        ),
        sa.CheckConstraint("currency ~ '^[a-z]{3}$'", name=op.f("ck_recon_break_currency_is_code")),
        sa.CheckConstraint(
            "kind IN ('missingInLedger', 'missingInStatement', 'amountDiffers', 'duplicateAtBank', 'duplicateInLedger', 'wrongDate')",
            name=op.f("ck_recon_break_kind_known"),
        ),
        sa.CheckConstraint(
            "resolution IN ('matched', 'booked', 'accepted', 'gone')", name=op.f("ck_recon_break_resolution_known")
        ),
        sa.CheckConstraint(
            "resolution IS DISTINCT FROM 'accepted' OR approval_id IS NOT NULL OR (limit_minor IS NOT NULL AND greatest(abs(coalesce(bank_minor, 0) - coalesce(ledger_minor, 0)), CASE WHEN kind = 'wrongDate' THEN abs(bank_minor) ELSE 0 END) <= limit_minor)",
            name=op.f("ck_recon_break_accepted_above_limit_by_two"),
        ),
        sa.CheckConstraint(
            "resolution IS DISTINCT FROM 'accepted' OR evidence_id IS NOT NULL",
            name=op.f("ck_recon_break_accepted_has_evidence"),
        ),
        sa.CheckConstraint("state IN ('open', 'acknowledged', 'resolved')", name=op.f("ck_recon_break_state_known")),
        sa.CheckConstraint(
            "(line_id IS NULL) = (bank_minor IS NULL) AND (line_id IS NULL) = (bank_on IS NULL) AND (transaction_id IS NULL) = (ledger_minor IS NULL) AND (transaction_id IS NULL) = (ledger_on IS NULL) AND (line_id IS NOT NULL OR transaction_id IS NOT NULL)",
            name=op.f("ck_recon_break_has_its_rows"),
        ),
        sa.ForeignKeyConstraint(["approval_id"], ["approval_request.id"], name=op.f("fk_recon_break_approval_id")),
        sa.ForeignKeyConstraint(["bank_account_id"], ["bank_account.id"], name=op.f("fk_recon_break_bank_account_id")),
        sa.ForeignKeyConstraint(["match_id"], ["recon_match.id"], name=op.f("fk_recon_break_match_id")),
        sa.ForeignKeyConstraint(["run_id"], ["match_run.id"], name=op.f("fk_recon_break_run_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recon_break")),
    )
    op.create_index(
        "ix_recon_break_accepted",
        "recon_break",
        ["bank_account_id", "since", "id"],
        unique=False,
        postgresql_where=sa.text("resolution = 'accepted'"),
    )
    op.create_index(
        "ix_recon_break_account", "recon_break", ["bank_account_id", sa.literal_column("id DESC")], unique=False
    )
    op.create_index(
        "ix_recon_break_match",
        "recon_break",
        ["match_id"],
        unique=False,
        postgresql_where=sa.text("match_id IS NOT NULL"),
    )
    op.create_index(
        "ix_recon_break_order",
        "recon_break",
        [sa.literal_column("(difference_minor >= 0)"), sa.literal_column("(- abs(difference_minor))"), "since", "id"],
        unique=False,
        postgresql_where=sa.text("state <> 'resolved'"),
    )
    op.create_index(
        "ix_recon_break_unresolved",
        "recon_break",
        ["bank_account_id", "since", "id"],
        unique=False,
        postgresql_where=sa.text("state <> 'resolved'"),
    )
    op.create_index(
        "uq_recon_break_line",
        "recon_break",
        ["line_id"],
        unique=True,
        postgresql_where=sa.text("line_id IS NOT NULL AND (state <> 'resolved' OR resolution = 'accepted')"),
    )
    op.create_index(
        "uq_recon_break_transaction",
        "recon_break",
        ["transaction_id", "bank_account_id"],
        unique=True,
        postgresql_where=sa.text("transaction_id IS NOT NULL AND (state <> 'resolved' OR resolution = 'accepted')"),
    )
    op.create_table(
        "match_booking",
        sa.Column("payment_id", sa.UUID(), nullable=False),
        sa.Column("bank_account_id", sa.UUID(), nullable=False),
        sa.Column("break_id", sa.UUID(), nullable=True),
        sa.Column("lines", postgresql.ARRAY(sa.UUID()), nullable=False),
        sa.Column("transactions", postgresql.ARRAY(sa.UUID()), nullable=False),
        sa.Column("booked_as", sa.Text(), nullable=False),
        sa.Column("approval_id", sa.UUID(), nullable=False),
        sa.CheckConstraint(
            "booked_as IN ('fee', 'interest', 'suspense')", name=op.f("ck_match_booking_booked_as_known")
        ),
        sa.ForeignKeyConstraint(["approval_id"], ["approval_request.id"], name=op.f("fk_match_booking_approval_id")),
        sa.ForeignKeyConstraint(
            ["bank_account_id"], ["bank_account.id"], name=op.f("fk_match_booking_bank_account_id")
        ),
        sa.ForeignKeyConstraint(["break_id"], ["recon_break.id"], name=op.f("fk_match_booking_break_id")),
        sa.PrimaryKeyConstraint("payment_id", name=op.f("pk_match_booking")),
    )
    op.create_index("ix_match_booking_account", "match_booking", ["bank_account_id", "payment_id"], unique=False)
    op.create_index(
        "ix_match_booking_break",
        "match_booking",
        ["break_id"],
        unique=False,
        postgresql_where=sa.text("break_id IS NOT NULL"),
    )
    op.create_table(
        "break_event",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("break_id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_kind", sa.Text(), nullable=False),
        sa.Column("by_id", sa.UUID(), nullable=True),
        sa.Column("by_name", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.ForeignKeyConstraint(["break_id"], ["recon_break.id"], name=op.f("fk_break_event_break_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_break_event")),
    )
    op.create_index("ix_break_event_break", "break_event", ["break_id", "id"], unique=False)
    for column in ("end_to_end_id", "provider_reference"):
        op.create_index(
            f"ix_statement_line_{column}", "statement_line", ["bank_account_id", column],
            postgresql_where=sa.text(f"{column} IS NOT NULL AND matchable"),
        )  # fmt: skip
    for statement in (OPEN_ITEMS, TRUE_PLACES, MATCHES, BREAKS, RULES):
        op.execute(statement)
    op.get_bind().exec_driver_sql(
        "INSERT INTO match_rule_set (id, version, rules, created_at, created_by)"
        " VALUES (gen_random_uuid(), 1, %s::jsonb, now(), 'the house')",
        (json.dumps(FIRST_RULES),),
    )
    # lines that stand already are open until a run has seen them
    op.execute(
        "INSERT INTO open_item (bank_account_id, side, item_id, amount_minor, booking_date)"
        " SELECT bank_account_id, 'bank', id, amount_minor, booking_date FROM statement_line WHERE matchable"
    )
    append_only("match_rule_set")
    append_only("break_event")
    append_only("match_booking")
    for table in ("match_place", "match_run", "recon_match", "match_line", "match_transaction", "recon_break"):
        never_deleted(table)
    grant(
        "SELECT, INSERT",
        ("match_rule_set", "break_event", "match_booking", "match_line", "match_transaction", "open_item"),
    )
    grant("SELECT, INSERT, UPDATE", ("match_place",))
    grant("SELECT, INSERT, UPDATE (state, job_id, finished_at, figures)", ("match_run",))
    grant(
        "SELECT, INSERT, UPDATE (state, decided_at, decided_by_id, decided_by, undone_at, undone_by_id, undone_by,"
        " undone_because)",
        ("recon_match",),
    )
    grant(
        "SELECT, INSERT, UPDATE (kind, cause, line_id, transaction_id, bank_minor, ledger_minor, bank_on, ledger_on,"
        " since, twin_id, state, resolution, limit_minor, approval_id, evidence_id, match_id, resolved_at, reopened,"
        " version)",
        ("recon_break",),
    )
    # a run lays out what is open on both sides
    let_lay_out_tables()
    _personal()
    let_purge_pass("break_event", "recon_match", "statement_entry", "statement_line")
