"""Rules of the tables that every payment writes are kept by one trigger for each, which costs a tenth of what they did.

PostgreSQL reads the text of a table's check constraints anew for each statement that writes to it: four of them on a
payment took 54 microseconds, a trigger with the same four conditions takes 2, because PL/pgSQL keeps what it has read
(docs/adr/0010). The names stay: who breaks a rule is told `ck_payment_state_known` as before. The triggers fire always,
also in a session that replicates. Two rules stay check constraints: the limit of a guarded balance, and an amount that
is positive.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"

STATES = "NEW.state IN ('draft', 'pending', 'posted', 'canceled', 'error')"
#: table, and rule by rule its name after `ck_<table>_`, what must not be false, and the rule in words
RULES = (
    (
        "payment",
        ("state_known", STATES, "a payment is draft, pending, posted, canceled or error"),
        (
            "parent_type_known", "NEW.parent_type IN ('transfer', 'paymentRequest', 'adjustingPayment')",
            "a payment belongs to a transfer, a payment request or an adjusting payment",
        ),
        (
            "posted_has_dates",
            "(NEW.state = 'posted') = (NEW.posted_at IS NOT NULL)"
            " AND (NEW.state = 'posted') = (NEW.booking_date IS NOT NULL)"
            " AND (NEW.state <> 'posted' OR NEW.value_date IS NOT NULL)",
            "what is posted has its moment, booking date and value date, and nothing else has",
        ),
        (
            "reversal_is_adjusting", "NEW.reverses_id IS NULL OR NEW.parent_type = 'adjustingPayment'",
            "a reversal is an adjusting payment",
        ),
    ),
    (
        "ledger_transaction",
        ("amount_in_range", "NEW.amount_minor <= 10000000000000000", "an amount is at most 100 000 000 000 000.00"),
        ("two_accounts", "NEW.debtor_account_id <> NEW.creditor_account_id", "money moves between two accounts"),
        ("state_known", STATES, "a transaction is draft, pending, posted, canceled or error"),
        (
            "posted_has_dates",
            "(NEW.state = 'posted') = (NEW.posted_at IS NOT NULL)"
            " AND (NEW.state = 'posted') = (NEW.booking_date IS NOT NULL)",
            "what is posted has its moment and booking date, and nothing else has",
        ),
    ),
    (
        "payment_state_change",
        (
            "change_is_legal",
            "(NEW.from_state = 'draft' OR NEW.from_state = 'pending' AND NEW.to_state <> 'pending')"
            " AND NEW.to_state IN ('pending', 'posted', 'canceled', 'error')",
            "a payment goes from draft or pending to pending, posted, canceled or error",
        ),
    ),
    (
        "account_balance",
        ("held_not_negative", "NEW.held >= 0", "no less than nothing is held"),
        ("only_guarded_hold", "NEW.guarded OR NEW.held = 0", "money is held on guarded balances alone"),
        ("only_guarded_have_limit", "NEW.guarded OR NEW.limit_minor = 0", "guarded balances alone have a limit"),
        ("limit_not_negative", "NEW.limit_minor >= 0", "a limit is no less than nothing"),
        ("blocked_not_negative", "NEW.blocked_minor >= 0", "no less than nothing is blocked"),
        ("guarded_has_one_row", "NOT NEW.guarded OR NEW.slot = 0", "a guarded balance is one row"),
        ("closed_is_empty", "NOT NEW.closed OR NEW.posted = 0 AND NEW.held = 0", "a closed account holds nothing"),
        ("in_range", "abs(NEW.posted) <= 1000000000000000000", "a balance is at most 10 000 000 000 000 000.00"),
    ),
    (
        "idempotency_key",
        ("key_length", "length(NEW.key) BETWEEN 1 AND 200", "a key has 1 to 200 characters"),
    ),
    (
        "audit_event",
        ("actor_kind_known", "NEW.actor_kind IN ('staff', 'token', 'system')", "staff, a token or the system acts"),
        (
            "occurred_at_is_a_date",
            "NEW.occurred_at >= '2000-01-01 00:00:00+00'::timestamptz"
            " AND NEW.occurred_at < '3000-01-01 00:00:00+00'::timestamptz",
            "an event happens between the years 2000 and 3000",
        ),
    ),
)  # fmt: skip

#: all movements of one statement in one sum, where they are of one currency, as nearly always
ZERO_SUM = """
CREATE OR REPLACE FUNCTION account_balance_zero_sum() RETURNS trigger LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'public', 'pg_temp' AS $$
DECLARE
    moved numeric;
    one_currency boolean;
BEGIN
    SELECT sum(m.posted), min(m.currency) = max(m.currency) INTO moved, one_currency
      FROM (SELECT currency, posted FROM after_rows UNION ALL SELECT currency, -posted FROM before_rows) AS m;
    IF moved = 0 AND one_currency THEN
        RETURN NULL;
    END IF;
    IF EXISTS (
        SELECT 1 FROM (SELECT currency, posted FROM after_rows
                       UNION ALL SELECT currency, -posted FROM before_rows) AS moved
        GROUP BY currency HAVING sum(posted) <> 0
    ) AND current_setting('countinghouse.rebuilding', true) IS DISTINCT FROM txid_current()::text THEN
        RAISE EXCEPTION 'balances change by a sum of zero'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'account_balance_zero_sum';
    END IF;
    RETURN NULL;
END $$
"""

#: an expression that holds a subquery is a statement of its own, whether the subquery is reached or not (0010)
ASKED_ALWAYS = """    IF code IS NULL AND NOT (d.guarded AND c.guarded) AND EXISTS (
        SELECT 1 FROM account x WHERE x.id = p_debtor AND x.type IN ('opening', 'receivable', 'income', 'expense', 'suspense')
                                   OR x.id = p_creditor AND x.type IN ('opening')
    ) THEN
        code := 'needsTwo';
    END IF;
"""
ASKED_WHERE_NEEDED = """    IF code IS NULL AND NOT (d.guarded AND c.guarded) THEN
        IF EXISTS (
            SELECT 1 FROM account x WHERE x.id = p_debtor AND x.type IN ('opening', 'receivable', 'income', 'expense', 'suspense')
                                       OR x.id = p_creditor AND x.type IN ('opening')
        ) THEN
            code := 'needsTwo';
        END IF;
    END IF;
"""
#: and a PERFORM is one; an assignment without a table is not
LOCKED = "PERFORM pg_advisory_xact_lock_shared(119182731994482);"
LOCKED_PLAINLY = "said := pg_advisory_xact_lock_shared(119182731994482)::text;"


def upgrade() -> None:
    for table, *rules in RULES:
        _kept_by_trigger(table, rules)
    op.get_bind().exec_driver_sql(ZERO_SUM)
    _rewrite("pay_at_once", (ASKED_ALWAYS, ASKED_WHERE_NEEDED), (LOCKED, LOCKED_PLAINLY))


def _kept_by_trigger(table: str, rules: list[tuple[str, str, str]]) -> None:
    """One trigger, after all others that come before the row, that names the first rule which is false."""
    conditions = "".join(
        f"""
            IF NOT ({condition}) THEN
                RAISE EXCEPTION '{words}' USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_{table}_{name}',
                    TABLE = '{table}', SCHEMA = TG_TABLE_SCHEMA;
            END IF;"""
        for name, condition, words in rules
    )
    op.execute(
        f"""
        CREATE FUNCTION {table}_keeps_its_rules() RETURNS trigger LANGUAGE plpgsql
            SET search_path = pg_catalog, public, pg_temp AS $$
        BEGIN{conditions}
            RETURN NEW;
        END $$;
        REVOKE EXECUTE ON FUNCTION {table}_keeps_its_rules() FROM PUBLIC;
        CREATE TRIGGER {table}_keeps_its_rules BEFORE INSERT OR UPDATE ON {table}
            FOR EACH ROW EXECUTE FUNCTION {table}_keeps_its_rules();
        ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_keeps_its_rules
        """
    )
    for name, _, _ in rules:
        op.drop_constraint(op.f(f"ck_{table}_{name}"), table, type_="check")


def _rewrite(function: str, *changes: tuple[str, str]) -> None:
    """Replaces parts of a function as it stands."""
    [text] = (
        op.get_bind()
        .execute(sa.text("SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = :name"), {"name": function})
        .scalars()
    )
    for before, after in changes:
        if text.count(before) != 1:
            raise RuntimeError(f"{function} no longer reads as this migration expects")
        text = text.replace(before, after)
    op.get_bind().exec_driver_sql(text.replace("%", "%%"))
