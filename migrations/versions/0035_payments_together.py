"""Payments that wait at the same moment share one transaction, and a table's rules are one expression.

`pay_together` does for a handful of payments what `pay_at_once` does for one, by the same rules and one payment after
the other; most of what a payment costs the database is its statements, which several then share (docs/adr/0039). It
waits for no account: what somebody else has locked is left for the payment to ask for alone.

A session plans a statement once. While a ledger is young, reading a table from end to end looks cheapest, and a session
that planned then goes on so when the table has grown, also for foreign keys: within the functions that move money the
planner knows of no such way, and what is looked up for each payment is written so that there is only one.

PL/pgSQL makes an expression ready once for each transaction and condition: the triggers of migration 0034 ask all of
their rules in one, and name the one that is broken only where one is.
"""

from __future__ import annotations

import re

import sqlalchemy as sa
from alembic import op

from migrations.guards import grant
from migrations.ledger_functions import BUSINESS_DAY_LOCK, SLOTS

revision = "0035"
down_revision = "0034"

#: `move_money` looks for the payments of its parents one by one, however small the table looks
OTHERS_JOINED = """            LEFT JOIN payment p ON p.parent_id = w.id AND p.parent_type = w.type AND p.purpose = w.purpose
                 AND p.state NOT IN ('canceled', 'error');"""
OTHERS_ONE_BY_ONE = """            LEFT JOIN LATERAL (
                SELECT x.id FROM payment x
                WHERE x.parent_id = w.id AND x.parent_type = w.type AND x.purpose = w.purpose
                  AND x.state NOT IN ('canceled', 'error') LIMIT 1
            ) p ON true;"""

#: an account from which as much went as came has moved too: the next check of balances looks at it
CHANGED = (
    ("            IF d_posted[k] <> 0 OR d_held[k] <> 0 THEN",
     "            IF d_posted[k] <> 0 OR d_held[k] <> 0 OR p_to = 'posted' AND (d_debited[k] OR d_credited[k]) THEN"),
    ("AND (w.posted <> 0 OR w.held <> 0)",
     "AND (w.posted <> 0 OR w.held <> 0 OR p_to = 'posted' AND (w.debited OR w.credited))"),
)  # fmt: skip

#: tables whose rules one trigger keeps (0034)
KEPT = ("payment", "ledger_transaction", "payment_state_change", "account_balance", "idempotency_key", "audit_event")

SIGNATURE = (
    "pay_together(text[], text[], text[], uuid[], text[], uuid[], uuid[], uuid[], uuid[], text[], bigint[], uuid[],"
    " text[], text, text, text[], text[])"
)
PAY_TOGETHER = f"""
CREATE FUNCTION pay_together(
    -- one element for each payment, in the order in which they are decided; the meanings are those of pay_at_once
    p_secrets text[], p_addresses text[], p_requests text[],
    p_ids uuid[], p_parent_types text[], p_parent_ids uuid[], p_transactions uuid[], p_debtors uuid[],
    p_creditors uuid[], p_currencies text[], p_amounts bigint[], p_events uuid[],
    p_keys text[], p_method text, p_path text,
    p_hashes text[],         -- hexadecimal
    p_answers text[]
) RETURNS TABLE (
    place int,               -- of a payment that was made, or that may be asked for alone; others are not told of
    made_by uuid,            -- the token; NULL where somebody else holds one of its accounts
    answer text
) LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
    -- who came first with a parent or a key is not waited for by all of them. Far below deadlock_timeout: two groups
    -- that wait for each other's parents and keys both end here
    SET lock_timeout = '50ms'
AS $$
DECLARE
    n int := cardinality(p_ids);
    p_slot int := pg_backend_pid() % {SLOTS};
    by_ids uuid[]; by_names text[]; by_roles text[];
    known boolean[];
    a_ids uuid[]; a_slots int[]; a_currencies text[]; a_guarded boolean[]; a_rooms bigint[];
    a_debits_frozen boolean[]; a_credits_frozen boolean[]; a_closed boolean[]; a_types text[];
    d_posted bigint[]; d_debited boolean[]; d_credited boolean[];
    made int[] := '{{}}';
    busy int[] := '{{}}';
    d int; c int; amount bigint; written int; expected int := 0;
    booked date;
    moment timestamptz;
BEGIN
    SELECT array_agg(t.id ORDER BY w.ordinal), array_agg(t.name ORDER BY w.ordinal),
           array_agg(t.audience ORDER BY w.ordinal)
      INTO by_ids, by_names, by_roles
      FROM unnest(p_secrets) WITH ORDINALITY AS w(secret, ordinal)
      LEFT JOIN LATERAL (
          SELECT x.id, x.name, x.audience FROM api_token x
           WHERE x.secret_hash = w.secret AND x.revoked_at IS NULL AND x.expires_at > now()
             AND x.audience = 'system' AND 'payments:write' = ANY (x.scopes)
             AND x.last_used_at > now() - interval '1 minute' LIMIT 1
      ) t ON true;
    answer := pg_advisory_xact_lock_shared({BUSINESS_DAY_LOCK})::text;
    -- (1) lock, in the order of the accounts, and wait for nobody
    SELECT array_agg(l.account_id), array_agg(l.slot), array_agg(l.currency), array_agg(l.guarded),
           array_agg(l.posted - l.held - l.blocked_minor + l.limit_minor),
           array_agg(l.debits_frozen), array_agg(l.credits_frozen), array_agg(l.closed)
      INTO a_ids, a_slots, a_currencies, a_guarded, a_rooms, a_debits_frozen, a_credits_frozen, a_closed
      FROM (SELECT * FROM account_balance b
            WHERE b.account_id = ANY (p_debtors || p_creditors)
              AND b.slot = CASE WHEN b.guarded THEN 0 ELSE p_slot END
            ORDER BY b.account_id, b.slot FOR NO KEY UPDATE SKIP LOCKED) AS l;
    -- what is there already is told in the usual way: a key that was answered, a parent that has its payment
    SELECT array_agg(k.key IS NOT NULL OR p.id IS NOT NULL ORDER BY w.ordinal) INTO known
      FROM unnest(by_ids, p_keys, p_parent_ids, p_parent_types) WITH ORDINALITY AS w(by_id, key, parent, type, ordinal)
      LEFT JOIN LATERAL (
          SELECT x.key FROM idempotency_key x
           WHERE x.token_id = w.by_id AND x.method = p_method AND x.path = p_path AND x.key = w.key LIMIT 1
      ) k ON true
      LEFT JOIN LATERAL (
          SELECT x.id FROM payment x
           WHERE x.parent_id = w.parent AND x.parent_type = w.type AND x.purpose = 'main'
             AND x.state NOT IN ('canceled', 'error') LIMIT 1
      ) p ON true;
    IF false = ANY (a_guarded) THEN
        SELECT array_agg((SELECT x.type FROM account x WHERE x.id = k.id) ORDER BY k.ordinal) INTO a_types
          FROM unnest(a_ids) WITH ORDINALITY AS k(id, ordinal);
    END IF;
    d := coalesce(cardinality(a_ids), 0);
    IF d > 0 THEN
        d_posted := array_fill(0::bigint, ARRAY[d]);
        d_debited := array_fill(false, ARRAY[d]);
        d_credited := array_fill(false, ARRAY[d]);
    END IF;
    -- (2) decide, one after the other
    FOR i IN 1 .. n LOOP
        CONTINUE WHEN by_ids[i] IS NULL OR known[i] OR p_parent_types[i] = 'adjustingPayment';
        d := array_position(a_ids, p_debtors[i]);
        c := array_position(a_ids, p_creditors[i]);
        IF d IS NULL OR c IS NULL THEN
            -- held by somebody else, or not there at all
            busy := busy || i;
            CONTINUE;
        END IF;
        amount := p_amounts[i];
        CONTINUE WHEN d = c OR a_currencies[d] <> p_currencies[i] OR a_currencies[c] <> p_currencies[i]
            OR a_closed[d] OR a_closed[c] OR a_debits_frozen[d] OR a_credits_frozen[c]
            OR a_guarded[d] AND a_rooms[d] < amount
            OR a_types[d] IN ('opening', 'receivable', 'income', 'expense', 'suspense') OR a_types[c] IN ('opening');
        d_posted[d] := d_posted[d] - amount;
        d_posted[c] := d_posted[c] + amount;
        a_rooms[d] := a_rooms[d] - amount;
        a_rooms[c] := a_rooms[c] + amount;
        d_debited[d] := true;
        d_credited[c] := true;
        made := made || i;
    END LOOP;
    IF cardinality(made) > 0 THEN
        moment := clock_timestamp();
        SELECT b.day INTO booked FROM business_day b WHERE b.state = 'open';
        IF booked IS NULL THEN
            RAISE EXCEPTION 'no business day is open'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'business_day_is_open';
        END IF;
        -- write, with the guards again under this new snapshot
        FOR k IN 1 .. cardinality(a_ids) LOOP
            IF d_debited[k] OR d_credited[k] THEN
                expected := expected + 1;
            END IF;
        END LOOP;
        UPDATE account_balance b SET posted = b.posted + w.posted, touched = true
          FROM unnest(a_ids, a_slots, d_posted, d_debited, d_credited) AS w(id, slot, posted, debited, credited)
         WHERE b.account_id = w.id AND b.slot = w.slot AND (w.debited OR w.credited)
           AND NOT b.closed AND NOT (w.debited AND b.debits_frozen) AND NOT (w.credited AND b.credits_frozen)
           AND (NOT b.guarded OR NOT w.debited OR w.posted >= 0
                OR b.posted + w.posted - b.held - b.blocked_minor >= -b.limit_minor);
        GET DIAGNOSTICS written = ROW_COUNT;
        IF written <> expected THEN
            RAISE EXCEPTION 'a guarded balance moved under its lock'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'account_balance_guarded_update';
        END IF;
    END IF;
    RETURN QUERY
        WITH done AS MATERIALIZED (
            SELECT i AS ordinal, p_ids[i] AS id, p_parent_types[i] AS type, p_parent_ids[i] AS parent,
                   by_ids[i] AS by_id,
                   replace(replace(p_answers[i], '@booked@', booked::text), '@moment@',
                           to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) AS said
            FROM unnest(made) AS i
        ), payments_made AS (
            INSERT INTO payment (id, parent_type, parent_id, purpose, state, created_at, posted_at, booking_date,
                                 value_date, maker_kind, maker_id)
            SELECT w.id, w.type, w.parent, 'main', 'posted', moment, moment, booked, booked, 'token', w.by_id
            -- in one order for all, so that two wait for each other's parents in the same direction
            FROM done w ORDER BY w.parent, w.type
        ), transactions_made AS (
            INSERT INTO ledger_transaction (id, payment_id, position, debtor_account_id, creditor_account_id, currency,
                                            amount_minor, state, created_at, posted_at, booking_date, value_date)
            SELECT p_transactions[w.ordinal], w.id, 1, p_debtors[w.ordinal], p_creditors[w.ordinal],
                   p_currencies[w.ordinal], p_amounts[w.ordinal], 'posted', moment, moment, booked, booked
            FROM done w
        ), changes_made AS (
            INSERT INTO payment_state_change (payment_id, position, from_state, to_state, at, by_kind, by_id)
            SELECT w.id, 1, 'draft', 'posted', moment, 'token', w.by_id FROM done w
        ), told AS (
            INSERT INTO audit_event (id, occurred_at, actor_kind, actor_id, actor_name, actor_role, address,
                                     request_id, action, object_type, object_id)
            SELECT p_events[w.ordinal], moment, 'token', w.by_id, by_names[w.ordinal], by_roles[w.ordinal],
                   p_addresses[w.ordinal], p_requests[w.ordinal], 'payment.posted', 'payment', w.id
            FROM done w
        ), kept AS (
            INSERT INTO idempotency_key (token_id, method, path, key, body_hash, status, content_type, answer,
                                         created_at)
            SELECT w.by_id, p_method, p_path, p_keys[w.ordinal], decode(p_hashes[w.ordinal], 'hex'), 200,
                   'application/json', w.said, moment
            FROM done w WHERE p_keys[w.ordinal] IS NOT NULL
            ORDER BY w.by_id, p_keys[w.ordinal]
        )
        SELECT w.ordinal, w.by_id, w.said FROM done w
        UNION ALL SELECT i, NULL, NULL FROM unnest(busy) AS i;
END $$
"""

BATCH_SIGNATURE = (
    "pay_batch_at_once(text, text, text, boolean, uuid[], text[], uuid[], int[], int[], uuid[], uuid[], uuid[], text[],"
    " bigint[], uuid[], text, text, text, bytea, text)"
)
#: `move_money` for a batch of plain payments that a token asks for, with its key and the answer to it: it succeeds
#: whole, or nothing has happened and the usual way speaks
PAY_BATCH_AT_ONCE = f"""
CREATE FUNCTION pay_batch_at_once(
    p_secret text, p_address text, p_request text, p_all boolean,
    p_ids uuid[], p_parent_types text[], p_parent_ids uuid[], p_same int[],
    p_ordinals int[],        -- 1, 2, 3 and so on: each payment has one transaction
    p_transactions uuid[], p_debtors uuid[], p_creditors uuid[], p_currencies text[], p_amounts bigint[],
    p_events uuid[], p_key text, p_method text, p_path text, p_hash bytea, p_answer text,
    OUT by_id uuid
) LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
AS $$
DECLARE
    by_name text;
    by_role text;
    codes text[];
BEGIN
    IF 'adjustingPayment' = ANY (p_parent_types) THEN
        RETURN;
    END IF;
    SELECT t.id, t.name, t.audience INTO by_id, by_name, by_role FROM api_token t
     WHERE t.secret_hash = p_secret AND t.revoked_at IS NULL AND t.expires_at > now() AND t.audience = 'system'
       AND 'payments:write' = ANY (t.scopes) AND t.last_used_at > now() - interval '1 minute';
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT m.codes INTO codes FROM move_money(
        'posted', p_all, false, pg_backend_pid() % {SLOTS}, p_ids, p_parent_types, p_parent_ids,
        array_fill('main'::text, ARRAY[cardinality(p_ids)]), p_same, NULL, NULL, p_ordinals, p_ordinals,
        p_transactions, p_debtors, p_creditors, p_currencies, p_amounts, NULL, NULL, p_events, 'token', by_id, by_name,
        by_role, p_address, p_request) AS m;
    IF cardinality(array_remove(codes, NULL)) > 0 THEN
        RAISE EXCEPTION 'one of them is refused' USING ERRCODE = 'raise_exception';
    END IF;
    IF p_key IS NOT NULL THEN
        INSERT INTO idempotency_key (token_id, method, path, key, body_hash, status, content_type, answer, created_at)
        VALUES (by_id, p_method, p_path, p_key, p_hash, 200, 'application/json', p_answer, clock_timestamp());
    END IF;
END $$
"""


def upgrade() -> None:
    for function, signature in ((PAY_TOGETHER, SIGNATURE), (PAY_BATCH_AT_ONCE, BATCH_SIGNATURE)):
        op.execute(function)
        op.execute(f"REVOKE EXECUTE ON FUNCTION {signature} FROM PUBLIC")
        grant("EXECUTE", (f"FUNCTION {signature}",))
    for before, after in ((OTHERS_JOINED, OTHERS_ONE_BY_ONE), *CHANGED):
        _rewrite("move_money", before, after)
    for function in ("pay_at_once", "move_money"):
        op.execute(f"ALTER FUNCTION {function} SET enable_seqscan = off")
    for table in KEPT:
        _asks_at_once(f"{table}_keeps_its_rules")


def _text(function: str) -> str:
    """How a function stands in the database."""
    asked = sa.text("SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = :name")
    [text] = op.get_bind().execute(asked, {"name": function}).scalars()
    return str(text)


def _rewrite(function: str, before: str, after: str) -> None:
    text = _text(function)
    if text.count(before) != 1:
        raise RuntimeError(f"{function} no longer reads as this migration expects")
    op.get_bind().exec_driver_sql(text.replace(before, after).replace("%", "%%"))


def _asks_at_once(function: str) -> None:
    """Before the rules one by one, all of them: a row that breaks none, which is nearly every row, is let through."""
    text = _text(function)
    rules = re.findall(r"^ *IF NOT (\(.*\)) THEN$", text, re.MULTILINE)
    begin = re.search(r"^ *BEGIN$", text, re.MULTILINE)
    if not rules or begin is None:
        raise RuntimeError(f"{function} no longer reads as this migration expects")
    if len(rules) == 1:
        return
    at_once = f"\n            IF {' AND '.join(rules)} THEN\n                RETURN NEW;\n            END IF;"
    text = text[: begin.end()] + at_once + text[begin.end() :]
    op.get_bind().exec_driver_sql(text.replace("%", "%%"))
