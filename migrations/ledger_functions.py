"""The ledger's functions and triggers in the database. `move_money` is the only writer of posted and held."""

from __future__ import annotations

#: balance rows of an account that is not guarded (dashboard.ledger.vocabulary.SLOTS)
SLOTS = 16

#: every posting shares this lock, the end of a business day takes it alone
BUSINESS_DAY_LOCK = 0x6C6564676572

#: accounts of the house that no single caller may take from, or put on: they move by adjusting payments, which have
#: two people behind them
NEVER_DEBITED = "('opening', 'receivable', 'income', 'expense')"
NEVER_CREDITED = "('opening')"

#: why a transaction is refused, in the order in which it is said; {d} and {c} stand for debtor and creditor
_REFUSAL = """CASE
                    WHEN {no_debtor} THEN 'debtorNotFound'
                    WHEN {no_creditor} THEN 'creditorNotFound'
                    WHEN {same} THEN 'sameAccount'
                    WHEN {d_currency} <> {currency} THEN 'debtorCurrencyMismatch'
                    WHEN {c_currency} <> {currency} THEN 'creditorCurrencyMismatch'
                    {needs_two}
                    {gives_back}
                    WHEN {d_closed} THEN 'debtorClosed'
                    WHEN {c_closed} THEN 'creditorClosed'
                    {only_looks}
                    WHEN {d_frozen} THEN 'debtorFrozen'
                    WHEN {c_frozen} THEN 'creditorFrozen'
                    WHEN {d_guarded} AND {d_room} < {amount} THEN 'insufficientFunds'
                END"""

#: what can be spent from a balance row
_ROOM = "{b}.posted - {b}.held - {b}.blocked_minor + {b}.limit_minor"

REFUSAL_IN_MANY = _REFUSAL.format(
    no_debtor="d IS NULL", no_creditor="c IS NULL", same="d = c", currency="t_currencies[j]", amount="amount",
    d_currency="a_currencies[d]", c_currency="a_currencies[c]", d_closed="a_closed[d]", c_closed="a_closed[c]",
    d_frozen="a_debits_frozen[d] AND NOT p_follows", c_frozen="a_credits_frozen[c] AND NOT p_follows",
    d_guarded="a_guarded[d]", d_room="a_rooms[d]",
    needs_two=f"""WHEN fresh AND p_parent_types[i] <> 'adjustingPayment'
                         AND a_types[d] IN {NEVER_DEBITED} THEN 'debtorNeedsTwo'
                    WHEN fresh AND p_parent_types[i] <> 'adjustingPayment'
                         AND a_types[c] IN {NEVER_CREDITED} THEN 'creditorNeedsTwo'""",
    gives_back="WHEN p_to IN ('canceled', 'error') THEN NULL",
    only_looks="WHEN p_to = 'draft' OR source = 'pending' THEN NULL",
)  # fmt: skip

REFUSAL_OF_ONE = _REFUSAL.format(
    no_debtor="d.account_id IS NULL", no_creditor="c.account_id IS NULL", same="p_debtor = p_creditor",
    currency="p_currency", amount="p_amount", d_currency="d.currency", c_currency="c.currency",
    d_closed="d.closed", c_closed="c.closed", d_frozen="d.debits_frozen", c_frozen="c.credits_frozen",
    d_guarded="d.guarded", d_room="(" + _ROOM.format(b="d") + ")", needs_two="", gives_back="", only_looks="",
)  # fmt: skip

#: Two statements, as rows that were waited for are fresh only in the statement that locked them (docs/adr/0010):
#: lock the payments, then the balance rows in order; decide in memory, one payment after the other, exactly as if
#: each had come alone; write under a new snapshot, with the guards repeated in the UPDATE.
MOVE_MONEY = f"""
CREATE FUNCTION move_money(
    p_to text,               -- state that the payments shall have
    p_all boolean,           -- all of them or none
    p_follows boolean,       -- follows facts at the bank: a freeze does not refuse it
    p_slot int,              -- slot of accounts that are not guarded
    p_ids uuid[],
    p_parent_types text[],   -- NULL: the payments exist; this and the following are read from the tables
    p_parent_ids uuid[],
    p_purposes text[],
    p_same int[],            -- ordinal of the item before with the same parent and purpose, or 0
    p_value_dates date[],
    p_reverses uuid[],
    p_last int[],            -- ordinal of each payment's last transaction
    t_payments int[],        -- ordinal of each transaction's payment
    t_ids uuid[],
    t_debtors uuid[],
    t_creditors uuid[],
    t_currencies text[],
    t_amounts bigint[],
    t_descriptions text[],
    p_reason text,
    p_events uuid[],         -- identifiers of the audit events
    by_kind text, by_id uuid, by_name text, by_role text, by_address text, by_request text,
    OUT payments uuid[],      -- payments in the order of the following arrays
    OUT codes text[],        -- NULL where the payment was done, else why not
    OUT culprits int[],      -- the transaction within the payment that was refused
    OUT rooms bigint[],      -- what its debtor could spend
    OUT others uuid[],       -- the payment that is there already
    OUT booked date,
    OUT moment timestamptz
) LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    -- planning again for every call costs more than the calls
    SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    n int := cardinality(p_ids);
    m int := cardinality(t_ids);
    fresh boolean := p_parent_ids IS NOT NULL;
    moves boolean;
    froms text[];
    t_d int[]; t_c int[];
    taken int[];
    a_ids uuid[]; a_currencies text[]; a_guarded boolean[]; a_slots int[]; a_rooms bigint[]; a_limits bigint[];
    a_debits_frozen boolean[]; a_credits_frozen boolean[]; a_closed boolean[];
    a_types text[];
    d_posted bigint[]; d_held bigint[]; d_debited boolean[]; d_credited boolean[];
    first int; d int; c int; amount bigint; code text; source text; chain int; written int; expected int;
    refused boolean := false;
BEGIN
    IF p_to NOT IN ('draft', 'pending', 'posted', 'canceled', 'error') OR n IS NULL OR n = 0 THEN
        RAISE EXCEPTION 'nothing to move' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF fresh THEN
        -- an adjusting payment has two people behind it, or a token that was trusted with it
        IF 'adjustingPayment' = ANY (p_parent_types) AND NOT (CASE by_kind
            WHEN 'system' THEN true
            WHEN 'token' THEN EXISTS (
                SELECT 1 FROM api_token t
                WHERE t.id = by_id AND t.revoked_at IS NULL AND t.expires_at > now()
                  AND 'payments:adjust' = ANY (t.scopes))
            ELSE NOT EXISTS (
                SELECT 1
                FROM unnest(p_ids, p_parent_types, p_parent_ids, p_reverses) AS w(id, type, parent, reverses)
                WHERE w.type = 'adjustingPayment' AND NOT EXISTS (
                    SELECT 1 FROM approval_request r
                    WHERE r.state = 'approved' AND r.decided_by = by_id
                      AND r.closed_at >= transaction_timestamp() - interval '1 minute'
                      AND (r.kind = 'ledger.adjust' AND r.object_id = w.id
                           OR r.kind = 'ledger.reverse' AND r.object_id = w.reverses
                           OR r.kind = 'ledger.opening-balances' AND r.object_id = w.parent)))
        END) THEN
            RAISE EXCEPTION 'an adjusting payment needs two people'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payment_adjusting_needs_approval';
        END IF;
        froms := array_fill('draft'::text, ARRAY[n]);
        moves := p_to IN ('pending', 'posted');
        IF p_reverses IS NOT NULL THEN
        FOR d IN
            SELECT w.ordinal FROM unnest(p_reverses) WITH ORDINALITY AS w(id, ordinal) WHERE w.id IS NOT NULL
        LOOP
            -- a reversal mirrors what it reverses, or it is none
            first := CASE WHEN d = 1 THEN 1 ELSE p_last[d - 1] + 1 END;
            IF p_to <> 'posted' OR NOT EXISTS (
                SELECT 1 FROM payment p WHERE p.id = p_reverses[d] AND p.state = 'posted' AND p.reverses_id IS NULL
            ) OR EXISTS (
                (SELECT x.creditor_account_id, x.debtor_account_id, x.amount_minor, count(*)
                 FROM ledger_transaction x WHERE x.payment_id = p_reverses[d] GROUP BY 1, 2, 3)
                EXCEPT
                (SELECT t_debtors[j], t_creditors[j], t_amounts[j], count(*)
                 FROM generate_series(first, p_last[d]) AS j GROUP BY 1, 2, 3)
            ) OR p_last[d] - first + 1 <> (
                SELECT count(*) FROM ledger_transaction x WHERE x.payment_id = p_reverses[d]
            ) THEN
                RAISE EXCEPTION 'a reversal mirrors a posted payment'
                    USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payment_reversal_mirrors';
            END IF;
        END LOOP;
        END IF;
        IF p_follows AND (p_reverses IS NULL OR array_position(p_reverses, NULL) IS NOT NULL) THEN
            RAISE EXCEPTION 'only a reversal passes a freeze'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payment_freeze_passed';
        END IF;
    ELSE
        -- (1a) payments first, in order
        SELECT array_agg(l.id), array_agg(l.state) INTO p_ids, froms
        FROM (SELECT p.id, p.state FROM payment p WHERE p.id = ANY (p_ids) ORDER BY p.id FOR NO KEY UPDATE) AS l;
        n := coalesce(cardinality(p_ids), 0);
        IF n = 0 THEN
            RETURN;
        END IF;
        SELECT array_agg(x.id), array_agg(x.debtor_account_id), array_agg(x.creditor_account_id),
               array_agg(x.currency), array_agg(x.amount_minor)
          INTO t_ids, t_debtors, t_creditors, t_currencies, t_amounts
        FROM (SELECT * FROM ledger_transaction y WHERE y.payment_id = ANY (p_ids)
              ORDER BY y.payment_id, y.position) AS x;
        SELECT array_agg(x.upto ORDER BY x.payment_id) INTO p_last
        FROM (SELECT y.payment_id, sum(count(*)) OVER (ORDER BY y.payment_id)::int AS upto
              FROM ledger_transaction y WHERE y.payment_id = ANY (p_ids) GROUP BY y.payment_id) AS x;
        m := cardinality(t_ids);
        p_same := array_fill(0, ARRAY[n]);
        moves := true;
    END IF;
    payments := p_ids;

    -- no posting may be under way while the day ends
    IF p_to = 'posted' THEN
        PERFORM pg_advisory_xact_lock_shared({BUSINESS_DAY_LOCK});
    END IF;

    -- (1b) balance rows, in the order of account and slot; a draft only looks
    IF moves THEN
        SELECT array_agg(l.account_id), array_agg(l.slot), array_agg(l.currency), array_agg(l.guarded),
               array_agg(l.posted - l.held - l.blocked_minor + l.limit_minor),
               array_agg(l.debits_frozen), array_agg(l.credits_frozen), array_agg(l.closed)
          INTO a_ids, a_slots, a_currencies, a_guarded, a_rooms, a_debits_frozen, a_credits_frozen, a_closed
        FROM (SELECT * FROM account_balance b
              WHERE b.account_id = ANY (t_debtors || t_creditors)
                AND b.slot = CASE WHEN b.guarded THEN 0 ELSE p_slot END
              ORDER BY b.account_id, b.slot FOR NO KEY UPDATE) AS l;
    ELSE
        SELECT array_agg(l.account_id), array_agg(l.slot), array_agg(l.currency), array_agg(l.guarded),
               array_agg(l.posted - l.held - l.blocked_minor + l.limit_minor),
               array_agg(l.debits_frozen), array_agg(l.credits_frozen), array_agg(l.closed)
          INTO a_ids, a_slots, a_currencies, a_guarded, a_rooms, a_debits_frozen, a_credits_frozen, a_closed
        FROM (SELECT * FROM account_balance b
              WHERE b.account_id = ANY (t_debtors || t_creditors)
                AND b.slot = CASE WHEN b.guarded THEN 0 ELSE p_slot END
              -- waits for an account that is being closed, and for nothing else
              ORDER BY b.account_id, b.slot FOR KEY SHARE) AS l;
    END IF;

    IF m <= 4 THEN
        FOR j IN 1 .. m LOOP
            t_d[j] := array_position(a_ids, t_debtors[j]);
            t_c[j] := array_position(a_ids, t_creditors[j]);
        END LOOP;
    ELSE
        SELECT array_agg(k.ordinal ORDER BY t.ordinal) INTO t_d
        FROM unnest(t_debtors) WITH ORDINALITY AS t(id, ordinal)
        LEFT JOIN unnest(a_ids) WITH ORDINALITY AS k(id, ordinal) ON k.id = t.id;
        SELECT array_agg(k.ordinal ORDER BY t.ordinal) INTO t_c
        FROM unnest(t_creditors) WITH ORDINALITY AS t(id, ordinal)
        LEFT JOIN unnest(a_ids) WITH ORDINALITY AS k(id, ordinal) ON k.id = t.id;
    END IF;

    codes := array_fill(NULL::text, ARRAY[n]);
    culprits := array_fill(NULL::int, ARRAY[n]);
    rooms := array_fill(NULL::bigint, ARRAY[n]);
    others := array_fill(NULL::uuid, ARRAY[n]);
    taken := array_fill(0, ARRAY[n]);
    d := coalesce(cardinality(a_ids), 0);
    IF d > 0 THEN
        d_posted := array_fill(0::bigint, ARRAY[d]);
        d_held := array_fill(0::bigint, ARRAY[d]);
        d_debited := array_fill(false, ARRAY[d]);
        d_credited := array_fill(false, ARRAY[d]);
    END IF;

    IF fresh AND false = ANY (a_guarded) THEN
        SELECT array_agg(x.type ORDER BY k.ordinal) INTO a_types
        FROM unnest(a_ids) WITH ORDINALITY AS k(id, ordinal) JOIN account x ON x.id = k.id;
    END IF;
    IF fresh THEN
        -- a parent has one living payment of a purpose; the unique index says the same to those who come at once
        IF n = 1 THEN
            others[1] := (
                SELECT p.id FROM payment p
                WHERE p.parent_id = p_parent_ids[1] AND p.parent_type = p_parent_types[1]
                  AND p.purpose = p_purposes[1] AND p.state NOT IN ('canceled', 'error')
            );
        ELSE
            SELECT array_agg(p.id ORDER BY w.ordinal) INTO others
            FROM unnest(p_parent_ids, p_parent_types, p_purposes) WITH ORDINALITY AS w(id, type, purpose, ordinal)
            LEFT JOIN payment p ON p.parent_id = w.id AND p.parent_type = w.type AND p.purpose = w.purpose
                 AND p.state NOT IN ('canceled', 'error');
        END IF;
    END IF;

    -- (2) decide, one after the other
    FOR i IN 1 .. n LOOP
        first := CASE WHEN i = 1 THEN 1 ELSE p_last[i - 1] + 1 END;
        source := froms[i];
        code := NULL;
        chain := p_same[i];
        IF chain > 0 THEN
            taken[i] := taken[chain];
            IF taken[i] > 0 THEN
                others[i] := p_ids[taken[i]];
            END IF;
        END IF;
        IF refused THEN
            code := 'notDone';
        ELSIF others[i] IS NOT NULL THEN
            code := 'paymentExists';
        ELSIF NOT fresh AND NOT (
            source = 'draft' AND p_to IN ('pending', 'posted', 'canceled', 'error')
            OR source = 'pending' AND p_to IN ('posted', 'canceled', 'error')
        ) THEN
            code := 'invalidState';
        ELSE
            FOR j IN first .. p_last[i] LOOP
                d := t_d[j];
                c := t_c[j];
                amount := t_amounts[j];
                code := {REFUSAL_IN_MANY};
                IF code IS NOT NULL THEN
                    culprits[i] := j - first + 1;
                    IF code = 'insufficientFunds' THEN
                        rooms[i] := a_rooms[d];
                    END IF;
                    -- take back what this payment's earlier transactions did
                    FOR k IN REVERSE j - 1 .. first LOOP
                        amount := t_amounts[k];
                        d := t_d[k];
                        c := t_c[k];
                        IF p_to = 'posted' THEN
                            d_posted[d] := d_posted[d] + amount;
                            d_posted[c] := d_posted[c] - amount;
                            a_rooms[c] := a_rooms[c] - amount;
                        END IF;
                        IF a_guarded[d] THEN
                            IF source = 'pending' THEN
                                d_held[d] := d_held[d] + amount;
                            ELSE
                                a_rooms[d] := a_rooms[d] + amount;
                                IF p_to = 'pending' THEN
                                    d_held[d] := d_held[d] - amount;
                                END IF;
                            END IF;
                        END IF;
                    END LOOP;
                    EXIT;
                END IF;
                IF p_to = 'posted' THEN
                    d_posted[d] := d_posted[d] - amount;
                    d_posted[c] := d_posted[c] + amount;
                    a_rooms[c] := a_rooms[c] + amount;
                END IF;
                IF a_guarded[d] THEN
                    IF source = 'pending' THEN
                        d_held[d] := d_held[d] - amount;
                        IF p_to <> 'posted' THEN
                            a_rooms[d] := a_rooms[d] + amount;
                        END IF;
                    ELSIF p_to IN ('pending', 'posted') THEN
                        a_rooms[d] := a_rooms[d] - amount;
                        IF p_to = 'pending' THEN
                            d_held[d] := d_held[d] + amount;
                        END IF;
                    END IF;
                END IF;
            END LOOP;
        END IF;
        IF code IS NULL THEN
            taken[i] := i;
            IF NOT p_follows AND source = 'draft' AND p_to IN ('pending', 'posted') THEN
                FOR j IN first .. p_last[i] LOOP
                    d_debited[t_d[j]] := true;
                    d_credited[t_c[j]] := true;
                END LOOP;
            END IF;
        ELSE
            codes[i] := code;
            IF p_all AND NOT refused THEN
                refused := true;
                FOR k IN 1 .. i - 1 LOOP
                    codes[k] := 'notDone';
                END LOOP;
            END IF;
        END IF;
    END LOOP;
    IF refused OR array_position(codes, NULL) IS NULL THEN
        RETURN;
    END IF;

    moment := clock_timestamp();
    IF p_to = 'posted' THEN
        SELECT b.day INTO booked FROM business_day b WHERE b.state = 'open';
        IF booked IS NULL THEN
            RAISE EXCEPTION 'no business day is open'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'business_day_is_open';
        END IF;
    END IF;

    -- write, with the guards again under this new snapshot
    IF moves THEN
        expected := 0;
        FOR k IN 1 .. cardinality(a_ids) LOOP
            IF d_posted[k] <> 0 OR d_held[k] <> 0 THEN
                expected := expected + 1;
            END IF;
        END LOOP;
        UPDATE account_balance b
           SET posted = b.posted + w.posted, held = b.held + w.held, touched = true
          FROM unnest(a_ids, a_slots, d_posted, d_held, d_debited, d_credited)
               AS w(id, slot, posted, held, debited, credited)
         WHERE b.account_id = w.id AND b.slot = w.slot AND (w.posted <> 0 OR w.held <> 0)
           AND NOT b.closed AND NOT (w.debited AND b.debits_frozen) AND NOT (w.credited AND b.credits_frozen)
           AND (NOT b.guarded OR NOT w.debited OR w.posted >= w.held
                OR b.posted + w.posted - b.held - w.held - b.blocked_minor >= -b.limit_minor);
        GET DIAGNOSTICS written = ROW_COUNT;
        IF written <> expected THEN
            RAISE EXCEPTION 'a guarded balance moved under its lock'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'account_balance_guarded_update';
        END IF;
    END IF;

    IF fresh THEN
        WITH done AS MATERIALIZED (
            SELECT w.* FROM unnest(p_ids, p_parent_types, p_parent_ids, p_purposes, p_reverses, p_value_dates, p_events,
                                   codes)
                 WITH ORDINALITY AS w(id, type, parent, purpose, reverses, value_date, event, code, ordinal)
            WHERE w.code IS NULL
        ), payments_made AS (
            INSERT INTO payment (id, parent_type, parent_id, purpose, state, state_reason, reverses_id, created_at,
                                 posted_at, booking_date, value_date, maker_kind, maker_id)
            SELECT w.id, w.type, w.parent, w.purpose, p_to, p_reason, w.reverses, moment,
                   CASE WHEN p_to = 'posted' THEN moment END, booked, coalesce(w.value_date, booked), by_kind, by_id
            FROM done w
            -- in one order for all, so that two batches wait for each other's parents in the same direction
            ORDER BY w.parent, w.type, w.purpose
        ), transactions_made AS (
            INSERT INTO ledger_transaction (id, payment_id, position, debtor_account_id, creditor_account_id, currency,
                                            amount_minor, description, state, created_at, posted_at, booking_date,
                                            value_date)
            SELECT t.id, w.id, t.ordinal - coalesce(p_last[w.ordinal - 1], 0), t.debtor, t.creditor, t.currency,
                   t.amount, t.description, p_to, moment, CASE WHEN p_to = 'posted' THEN moment END, booked,
                   coalesce(w.value_date, booked)
            FROM unnest(t_payments, t_ids, t_debtors, t_creditors, t_currencies, t_amounts, t_descriptions)
                 WITH ORDINALITY AS t(payment, id, debtor, creditor, currency, amount, description, ordinal)
            JOIN done w ON w.ordinal = t.payment
        ), changes_made AS (
            INSERT INTO payment_state_change (payment_id, position, from_state, to_state, at, reason, by_kind, by_id)
            SELECT w.id, 1, 'draft', p_to, moment, p_reason, by_kind, by_id FROM done w WHERE p_to <> 'draft'
        )
        INSERT INTO audit_event (id, occurred_at, actor_kind, actor_id, actor_name, actor_role, address, request_id,
                                 action, object_type, object_id)
        SELECT w.event, moment, by_kind, by_id, by_name, by_role, by_address, by_request,
               CASE p_to WHEN 'draft' THEN 'payment.drafted' WHEN 'pending' THEN 'payment.pended'
                         ELSE 'payment.posted' END,
               'payment', w.id
        FROM done w;
    ELSE
        UPDATE payment p
           SET state = p_to, state_reason = p_reason,
               posted_at = CASE WHEN p_to = 'posted' THEN moment END, booking_date = booked,
               value_date = CASE WHEN p_to = 'posted' THEN coalesce(p.value_date, booked) ELSE p.value_date END
          FROM unnest(p_ids, codes) AS w(id, code) WHERE p.id = w.id AND w.code IS NULL;
        UPDATE ledger_transaction t
           SET state = p_to,
               posted_at = CASE WHEN p_to = 'posted' THEN moment END, booking_date = booked,
               value_date = CASE WHEN p_to = 'posted' THEN coalesce(t.value_date, booked) ELSE t.value_date END
          FROM unnest(p_ids, codes) AS w(id, code) WHERE t.payment_id = w.id AND w.code IS NULL;
        INSERT INTO payment_state_change (payment_id, position, from_state, to_state, at, reason, by_kind, by_id)
        SELECT w.id, CASE WHEN w.source = 'draft' THEN 1 ELSE 2 END, w.source, p_to, moment, p_reason, by_kind, by_id
        FROM unnest(p_ids, froms, codes) AS w(id, source, code) WHERE w.code IS NULL;
        INSERT INTO audit_event (id, occurred_at, actor_kind, actor_id, actor_name, actor_role, address, request_id,
                                 action, object_type, object_id)
        SELECT w.event, moment, by_kind, by_id, by_name, by_role, by_address, by_request,
               CASE p_to WHEN 'pending' THEN 'payment.pended' WHEN 'error' THEN 'payment.failed'
                         ELSE 'payment.' || p_to END,
               'payment', w.id
        FROM unnest(p_events, p_ids, codes) AS w(event, id, code) WHERE w.code IS NULL AND w.id IS NOT NULL;
    END IF;
END $$
"""

#: One payment of one transaction, asked by a token, with its idempotency key and the answer to it, in one statement:
#: what `move_money` does, without the arrays that ten thousand need, and by the same rules. It only ever succeeds
#: whole: a token that may not (or whose last use has to be marked) gives NULL, a refusal or a key that is taken
#: raises, and in all cases nothing has happened.
PAY_AT_ONCE = f"""
CREATE FUNCTION pay_at_once(
    p_secret text,           -- hash of the token's secret
    p_address text, p_request text,
    p_id uuid, p_parent_type text, p_parent_id uuid, p_transaction uuid, p_debtor uuid, p_creditor uuid,
    p_currency text, p_amount bigint, p_event uuid,
    p_key text, p_method text, p_path text, p_hash bytea,
    p_answer text,           -- the answer, with @moment@ and @booked@ where the ledger's own times stand
    OUT by_id uuid, OUT said text
) LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp
    SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    p_slot int := pg_backend_pid() % {SLOTS};
    d account_balance;
    c account_balance;
    code text;
    booked date;
    moment timestamptz;
    written int;
    by_name text;
    by_role text;
BEGIN
    IF p_parent_type = 'adjustingPayment' THEN
        RETURN;
    END IF;
    SELECT t.id, t.name, t.audience INTO by_id, by_name, by_role FROM api_token t
     WHERE t.secret_hash = p_secret AND t.revoked_at IS NULL AND t.expires_at > now() AND t.audience = 'system'
       AND 'payments:write' = ANY (t.scopes) AND t.last_used_at > now() - interval '1 minute';
    IF NOT FOUND THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock_shared({BUSINESS_DAY_LOCK});
    -- (1) lock, in the order of the accounts
    IF p_debtor < p_creditor THEN
        SELECT * INTO d FROM account_balance b WHERE b.account_id = p_debtor
           AND b.slot = CASE WHEN b.guarded THEN 0 ELSE p_slot END FOR NO KEY UPDATE;
        SELECT * INTO c FROM account_balance b WHERE b.account_id = p_creditor
           AND b.slot = CASE WHEN b.guarded THEN 0 ELSE p_slot END FOR NO KEY UPDATE;
    ELSE
        SELECT * INTO c FROM account_balance b WHERE b.account_id = p_creditor
           AND b.slot = CASE WHEN b.guarded THEN 0 ELSE p_slot END FOR NO KEY UPDATE;
        SELECT * INTO d FROM account_balance b WHERE b.account_id = p_debtor
           AND b.slot = CASE WHEN b.guarded THEN 0 ELSE p_slot END FOR NO KEY UPDATE;
    END IF;
    -- (2) decide, and write under a new snapshot
    code := {REFUSAL_OF_ONE};
    IF code IS NULL AND NOT (d.guarded AND c.guarded) AND EXISTS (
        SELECT 1 FROM account x WHERE x.id = p_debtor AND x.type IN {NEVER_DEBITED}
                                   OR x.id = p_creditor AND x.type IN {NEVER_CREDITED}
    ) THEN
        code := 'needsTwo';
    END IF;
    IF code IS NOT NULL THEN
        RAISE EXCEPTION '%', code USING ERRCODE = 'raise_exception';
    END IF;
    moment := clock_timestamp();
    SELECT b.day INTO booked FROM business_day b WHERE b.state = 'open';
    IF booked IS NULL THEN
        RAISE EXCEPTION 'no business day is open'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'business_day_is_open';
    END IF;
    UPDATE account_balance b
       SET posted = b.posted + CASE WHEN b.account_id = p_debtor THEN -p_amount ELSE p_amount END, touched = true
     WHERE b.account_id IN (p_debtor, p_creditor) AND b.slot = CASE WHEN b.guarded THEN 0 ELSE p_slot END
       AND NOT b.closed
       AND CASE WHEN b.account_id = p_debtor
                THEN NOT b.debits_frozen AND (NOT b.guarded OR {_ROOM.format(b="b")} >= p_amount)
                ELSE NOT b.credits_frozen END;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written <> 2 THEN
        RAISE EXCEPTION 'a guarded balance moved under its lock'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'account_balance_guarded_update';
    END IF;
    INSERT INTO payment (id, parent_type, parent_id, purpose, state, created_at, posted_at, booking_date, value_date,
                         maker_kind, maker_id)
    VALUES (p_id, p_parent_type, p_parent_id, 'main', 'posted', moment, moment, booked, booked, 'token', by_id);
    INSERT INTO ledger_transaction (id, payment_id, position, debtor_account_id, creditor_account_id, currency,
                                    amount_minor, state, created_at, posted_at, booking_date, value_date)
    VALUES (p_transaction, p_id, 1, p_debtor, p_creditor, p_currency, p_amount, 'posted', moment, moment, booked,
            booked);
    INSERT INTO payment_state_change (payment_id, position, from_state, to_state, at, by_kind, by_id)
    VALUES (p_id, 1, 'draft', 'posted', moment, 'token', by_id);
    INSERT INTO audit_event (id, occurred_at, actor_kind, actor_id, actor_name, actor_role, address, request_id,
                             action, object_type, object_id)
    VALUES (p_event, moment, 'token', by_id, by_name, by_role, p_address, p_request, 'payment.posted', 'payment',
            p_id);
    said := replace(replace(p_answer, '@booked@', booked::text), '@moment@',
                    to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'));
    IF p_key IS NOT NULL THEN
        -- last, so that it is written once; who comes with the same key meanwhile waits for this payment's parent,
        -- or here, and then reads the answer in the usual way
        INSERT INTO idempotency_key (token_id, method, path, key, body_hash, status, content_type, answer, created_at)
        VALUES (by_id, p_method, p_path, p_key, p_hash, 200, 'application/json', said, moment);
    END IF;
END $$
"""

#: what is posted stays as it was posted; before, a payment's state goes forward and nothing else changes
PAYMENT_GUARDS = """
CREATE FUNCTION payment_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.state IN ('posted', 'canceled', 'error') THEN
        RAISE EXCEPTION 'a % payment is never changed', OLD.state
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payment_is_final';
    END IF;
    IF NOT (OLD.state = 'draft' AND NEW.state IN ('pending', 'posted', 'canceled', 'error')
            OR OLD.state = 'pending' AND NEW.state IN ('posted', 'canceled', 'error')) THEN
        RAISE EXCEPTION 'a payment does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payment_state_goes_forward';
    END IF;
    IF (NEW.id, NEW.parent_type, NEW.parent_id, NEW.purpose, NEW.created_at, NEW.maker_kind)
       IS DISTINCT FROM (OLD.id, OLD.parent_type, OLD.parent_id, OLD.purpose, OLD.created_at, OLD.maker_kind)
       OR NEW.reverses_id IS DISTINCT FROM OLD.reverses_id OR NEW.maker_id IS DISTINCT FROM OLD.maker_id
       OR (OLD.value_date IS NOT NULL AND NEW.value_date IS DISTINCT FROM OLD.value_date) THEN
        RAISE EXCEPTION 'a payment is as it was made'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'payment_is_as_made';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payment_guard BEFORE UPDATE ON payment FOR EACH ROW EXECUTE FUNCTION payment_guard();
CREATE FUNCTION ledger_transaction_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF OLD.state IN ('posted', 'canceled', 'error') THEN
        RAISE EXCEPTION 'a % transaction is never changed', OLD.state
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'ledger_transaction_is_final';
    END IF;
    IF (NEW.id, NEW.payment_id, NEW.position, NEW.debtor_account_id, NEW.creditor_account_id, NEW.currency,
        NEW.amount_minor, NEW.created_at)
       IS DISTINCT FROM
       (OLD.id, OLD.payment_id, OLD.position, OLD.debtor_account_id, OLD.creditor_account_id, OLD.currency,
        OLD.amount_minor, OLD.created_at)
       OR NEW.description IS DISTINCT FROM OLD.description THEN
        RAISE EXCEPTION 'a transaction is as it was made'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'ledger_transaction_is_as_made';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_transaction_guard BEFORE UPDATE ON ledger_transaction
    FOR EACH ROW EXECUTE FUNCTION ledger_transaction_guard();
"""

#: no statement changes balances by a sum other than zero, but for the one that lets a rebuilt balance stand
ZERO_SUM = """
CREATE FUNCTION account_balance_zero_sum() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM (SELECT currency, posted FROM after_rows
                       UNION ALL SELECT currency, -posted FROM before_rows) AS moved
        GROUP BY currency HAVING sum(posted) <> 0
    ) AND current_setting('countinghouse.rebuilding', true) IS DISTINCT FROM txid_current()::text THEN
        RAISE EXCEPTION 'balances change by a sum of zero'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'account_balance_zero_sum';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER account_balance_zero_sum AFTER UPDATE ON account_balance
    REFERENCING OLD TABLE AS before_rows NEW TABLE AS after_rows
    FOR EACH STATEMENT EXECUTE FUNCTION account_balance_zero_sum();
"""

#: identity of an account and of its balance rows never changes; balances begin at zero
ACCOUNT_GUARDS = """
CREATE FUNCTION account_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (NEW.id, NEW.type, NEW.number, NEW.currency, NEW.created_at, NEW.standard)
       IS DISTINCT FROM (OLD.id, OLD.type, OLD.number, OLD.currency, OLD.created_at, OLD.standard)
       OR NEW.owner_id IS DISTINCT FROM OLD.owner_id OR NEW.bank_account_id IS DISTINCT FROM OLD.bank_account_id
       OR NEW.provider IS DISTINCT FROM OLD.provider THEN
        RAISE EXCEPTION 'an account is as it was opened'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'account_is_as_opened';
    END IF;
    IF OLD.status = 'closed' AND NEW.status <> 'closed' THEN
        RAISE EXCEPTION 'a closed account stays closed'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'account_closed_is_final';
    END IF;
    IF NEW.status = 'closed' AND OLD.status = 'open' THEN
        IF EXISTS (SELECT 1 FROM account_balance b WHERE b.account_id = NEW.id AND NOT b.closed) THEN
            RAISE EXCEPTION 'an account closes with its balances'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'account_closes_empty';
        END IF;
        IF EXISTS (SELECT 1 FROM ledger_transaction t WHERE t.state IN ('draft', 'pending')
                   AND (t.debtor_account_id = NEW.id OR t.creditor_account_id = NEW.id)) THEN
            RAISE EXCEPTION 'a payment on the account is still alive'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'account_closes_without_live_payments';
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER account_guard BEFORE UPDATE ON account FOR EACH ROW EXECUTE FUNCTION account_guard();
CREATE FUNCTION account_balance_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF (NEW.account_id, NEW.slot, NEW.currency, NEW.guarded)
       IS DISTINCT FROM (OLD.account_id, OLD.slot, OLD.currency, OLD.guarded)
       OR (OLD.closed AND NOT NEW.closed) THEN
        RAISE EXCEPTION 'a balance row keeps its account'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'account_balance_is_as_opened';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER account_balance_guard BEFORE UPDATE OF account_id, slot, currency, guarded, closed ON account_balance
    FOR EACH ROW EXECUTE FUNCTION account_balance_guard();
CREATE TRIGGER account_balance_begins_at_zero BEFORE INSERT ON account_balance
    FOR EACH ROW WHEN (NEW.posted <> 0 OR NEW.held <> 0) EXECUTE FUNCTION begins_at_the_beginning();
CREATE FUNCTION account_balance_as_its_type() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NEW.guarded IS DISTINCT FROM (SELECT a.type = 'client' FROM account a WHERE a.id = NEW.account_id) THEN
        RAISE EXCEPTION 'client accounts are guarded, others are not'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'account_balance_guarded_by_type';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER account_balance_as_its_type BEFORE INSERT ON account_balance
    FOR EACH ROW EXECUTE FUNCTION account_balance_as_its_type();
"""

#: a business day opens after the last one and closes once
BUSINESS_DAY_GUARD = """
CREATE FUNCTION business_day_guard() RETURNS trigger LANGUAGE plpgsql
    SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF EXISTS (SELECT 1 FROM business_day b WHERE b.day >= NEW.day) THEN
            RAISE EXCEPTION 'a business day follows the last one'
                USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'business_day_follows';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.day <> OLD.day OR NEW.opened_at <> OLD.opened_at
       OR (OLD.state = 'closed' AND (NEW.state <> 'closed' OR NEW.closed_at IS DISTINCT FROM OLD.closed_at))
       OR (OLD.snapshot_at IS NOT NULL AND NEW.snapshot_at IS DISTINCT FROM OLD.snapshot_at) THEN
        RAISE EXCEPTION 'a closed business day stays closed'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'business_day_closed_is_final';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER business_day_guard BEFORE INSERT OR UPDATE ON business_day
    FOR EACH ROW EXECUTE FUNCTION business_day_guard();
"""

#: letting a rebuilt balance stand: the only other writer of posted and held, and it asks for the second person
ACCEPT_REBUILT = """
CREATE FUNCTION accept_rebuilt_balance(p_finding uuid, p_approval uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    f balance_finding;
    stored_now bigint;
    held_now bigint;
    rebuilt bigint;
    rebuilt_held_now bigint;
    is_guarded boolean;
BEGIN
    SELECT * INTO f FROM balance_finding WHERE id = p_finding FOR UPDATE;
    IF f.id IS NULL OR f.state <> 'open' OR NOT EXISTS (
        SELECT 1 FROM approval_request r
        WHERE r.id = p_approval AND r.kind = 'ledger.accept-rebuilt' AND r.object_id = p_finding
          AND r.state = 'approved' AND r.closed_at >= transaction_timestamp() - interval '1 minute'
    ) THEN
        RAISE EXCEPTION 'a rebuilt balance stands only after a second person'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'balance_finding_needs_approval';
    END IF;
    PERFORM 1 FROM account_balance b WHERE b.account_id = f.account_id ORDER BY b.slot FOR NO KEY UPDATE;
    SELECT sum(b.posted), sum(b.held), bool_and(b.guarded) INTO stored_now, held_now, is_guarded
    FROM account_balance b WHERE b.account_id = f.account_id;
    SELECT coalesce(sum(CASE WHEN t.creditor_account_id = f.account_id THEN t.amount_minor ELSE -t.amount_minor END), 0)
      INTO rebuilt FROM ledger_transaction t
     WHERE t.state = 'posted' AND (t.creditor_account_id = f.account_id OR t.debtor_account_id = f.account_id);
    SELECT coalesce(sum(t.amount_minor), 0) INTO rebuilt_held_now FROM ledger_transaction t
     WHERE t.state = 'pending' AND t.debtor_account_id = f.account_id AND is_guarded;
    -- money that moved since the finding moves both alike: the difference itself must still be the same
    IF rebuilt - stored_now <> f.rebuilt_posted - f.stored_posted
       OR rebuilt_held_now - held_now <> f.rebuilt_held - f.stored_held THEN
        RAISE EXCEPTION 'the difference is another one by now'
            USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = 'balance_finding_changed';
    END IF;
    PERFORM set_config('countinghouse.rebuilding', txid_current()::text, true);
    UPDATE account_balance b SET posted = b.posted + rebuilt - stored_now, held = b.held + rebuilt_held_now - held_now
     WHERE b.account_id = f.account_id AND b.slot = 0;
    PERFORM set_config('countinghouse.rebuilding', '', true);
    UPDATE balance_finding SET state = 'accepted', closed_at = clock_timestamp(), approval_id = p_approval
     WHERE id = p_finding;
END $$
"""

#: closing an account of several slots gathers them first, so that each row is empty when it closes
CLOSE_ACCOUNT = """
CREATE FUNCTION close_account_balances(p_account uuid) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM 1 FROM account_balance b WHERE b.account_id = p_account ORDER BY b.slot FOR UPDATE;
    IF (SELECT sum(b.posted) <> 0 OR sum(b.held) <> 0 FROM account_balance b WHERE b.account_id = p_account) THEN
        RETURN false;
    END IF;
    UPDATE account_balance b SET posted = 0, closed = true WHERE b.account_id = p_account;
    RETURN true;
END $$
"""

FUNCTIONS = (
    "move_money(text, boolean, boolean, int, uuid[], text[], uuid[], text[], int[], date[], uuid[], int[], int[],"
    " uuid[], uuid[], uuid[], text[], bigint[], text[], text, uuid[], text, uuid, text, text, text, text)",
    "pay_at_once(text, text, text, uuid, text, uuid, uuid, uuid, uuid, text, bigint, uuid, text, text, text, bytea,"
    " text)",
    "accept_rebuilt_balance(uuid, uuid)",
    "close_account_balances(uuid)",
)
