"""What must hold in a database, whoever filled it: each rule as a query that finds what breaks it."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg

RULES = {
    "blocked means an active block stands": """
        SELECT 1 FROM client c FULL JOIN (SELECT DISTINCT client_id FROM client_block WHERE lifted_at IS NULL) b
        ON b.client_id = c.id WHERE (c.status = 'blocked') IS DISTINCT FROM (b.client_id IS NOT NULL)
    """,
    "a client counts its open flags": """
        SELECT 1 FROM client c LEFT JOIN (
            SELECT client_id, count(*) FILTER (WHERE severity >= 2) AS open, max(severity) AS worst
            FROM client_flag WHERE closed_at IS NULL GROUP BY client_id
        ) f ON f.client_id = c.id
        WHERE (c.open_flags, c.worst_flag) <> (coalesce(f.open, 0), coalesce(f.worst, 0))
    """,
    "who has open check or stop flags waits for review": """
        SELECT 1 FROM (SELECT id FROM client WHERE open_flags > 0) c FULL JOIN (
            SELECT object_id FROM queue_item WHERE queue = 'client-review' AND closed_at IS NULL
        ) q ON q.object_id = c.id WHERE c.id IS NULL OR q.object_id IS NULL
    """,
    "who is ready waits for activation": """
        SELECT 1 FROM (
            SELECT id FROM client WHERE status = 'inactive' AND open_flags = 0 AND risk_level < 4
        ) c FULL JOIN (
            SELECT object_id FROM queue_item WHERE queue = 'activation' AND closed_at IS NULL
        ) q ON q.object_id = c.id WHERE c.id IS NULL OR q.object_id IS NULL
    """,
    "each active block waits for its review": """
        SELECT 1 FROM (SELECT id FROM client_block WHERE lifted_at IS NULL) b FULL JOIN (
            SELECT object_id FROM queue_item WHERE queue = 'block-review' AND cause = 'review' AND closed_at IS NULL
        ) q ON q.object_id = b.id WHERE b.id IS NULL OR q.object_id IS NULL
    """,
    "an active client was activated by two people, or by an approval of its verification": """
        SELECT 1 FROM client c LEFT JOIN approval_request r
        ON r.id = c.activation_approval_id AND r.object_id = c.id
        AND r.kind = 'client.activate' AND r.state = 'approved'
        LEFT JOIN verification_decision d
        ON d.id = c.activation_decision_id AND d.client_id = c.id AND d.effect = 'activated'
        WHERE 'active' IN (c.status, c.status_before_block) AND r.id IS NULL AND d.id IS NULL
    """,
    "a lifted block names its approved request": """
        SELECT 1 FROM client_block b LEFT JOIN approval_request r
        ON r.id = b.lift_approval_id AND r.state = 'approved' AND r.kind = 'client.unblock' AND r.object_id = b.id
        WHERE b.lifted_at IS NOT NULL AND r.id IS NULL
    """,
    "a client has the profile of its type": """
        SELECT 1 FROM client c LEFT JOIN individual i ON i.client_id = c.id LEFT JOIN company o ON o.client_id = c.id
        WHERE (c.type = 'individual') <> (i.client_id IS NOT NULL) OR (c.type = 'company') <> (o.client_id IS NOT NULL)
    """,
    "each client has an event of its creation": """
        SELECT 1 FROM client c LEFT JOIN audit_event e ON e.client_id = c.id AND e.action = 'client.created'
        GROUP BY c.id HAVING count(e.id) <> 1
    """,
    "each client has a plan of its reviews and the history of its risk": """
        SELECT 1 FROM client c LEFT JOIN client_review_plan p ON p.client_id = c.id AND p.risk_level = c.risk_level
        WHERE p.client_id IS NULL OR NOT EXISTS (SELECT 1 FROM client_risk_change h WHERE h.client_id = c.id)
    """,
    "what is due waits in the queue of reviews": """
        SELECT 1 FROM (SELECT client_id FROM client_review_plan WHERE due_at IS NOT NULL) p FULL JOIN (
            SELECT object_id FROM queue_item WHERE queue = 'client-reviews' AND closed_at IS NULL
        ) q ON q.object_id = p.client_id WHERE p.client_id IS NULL OR q.object_id IS NULL
    """,
    "nothing has happened in the future": """
        SELECT 1 FROM audit_event WHERE occurred_at > now() UNION ALL SELECT 1 FROM client WHERE updated_at > now()
    """,
}


#: every payment, account and balance
MONEY = {
    "balances sum to zero in every currency": """
        SELECT 1 FROM account_balance GROUP BY currency HAVING sum(posted) <> 0
    """,
    "a stored balance is the sum of its transactions": """
        SELECT 1 FROM (
            SELECT account_id, sum(posted) AS posted, sum(held) AS held FROM account_balance GROUP BY account_id
        ) AS b FULL JOIN (
            SELECT x.account_id, coalesce(sum(x.amount) FILTER (WHERE x.state = 'posted'), 0) AS posted,
                   coalesce(-sum(x.amount) FILTER (WHERE x.state = 'pending' AND x.amount < 0 AND a.type = 'client'), 0)
                   AS held
            FROM (
                SELECT debtor_account_id AS account_id, -amount_minor AS amount, state FROM ledger_transaction
                WHERE state IN ('posted', 'pending')
                UNION ALL
                SELECT creditor_account_id, amount_minor, state FROM ledger_transaction
                WHERE state IN ('posted', 'pending')
            ) AS x JOIN account a ON a.id = x.account_id GROUP BY x.account_id
        ) AS t ON t.account_id = b.account_id
        WHERE b.account_id IS NULL OR (b.posted, b.held) <> (coalesce(t.posted, 0), coalesce(t.held, 0))
    """,
    "client accounts are guarded and have one balance row, others have sixteen": """
        SELECT 1 FROM account a LEFT JOIN account_balance b ON b.account_id = a.id
        GROUP BY a.id HAVING count(b.slot) <> CASE WHEN a.type = 'client' THEN 1 ELSE 16 END
        OR bool_or(b.guarded IS DISTINCT FROM (a.type = 'client') OR b.currency IS DISTINCT FROM a.currency
                   OR b.closed IS DISTINCT FROM (a.status = 'closed'))
    """,
    "a freeze is what the client's blocks mean": """
        SELECT 1 FROM client c LEFT JOIN client_block b ON b.client_id = c.id AND b.lifted_at IS NULL
        LEFT JOIN account_owner o ON o.owner_id = c.id
        GROUP BY c.id, o.owner_id, o.debits_frozen, o.credits_frozen, o.blocked_amounts, o.closed
        HAVING o.owner_id IS NULL
        OR o.debits_frozen <> coalesce(bool_or(b.scope IN ('all', 'debit')), false)
        OR o.credits_frozen <> coalesce(bool_or(b.scope IN ('all', 'credit')), false)
        OR coalesce((o.blocked_amounts->>'eur')::bigint, 0)
           <> coalesce(sum(b.amount_minor) FILTER (WHERE b.scope = 'amount'), 0)
        OR o.closed <> (coalesce(c.status_before_block, c.status) = 'closed')
    """,
    "the owner's freeze stands on its accounts": """
        SELECT 1 FROM account a JOIN account_owner o ON o.owner_id = a.owner_id
        JOIN account_balance b ON b.account_id = a.id
        WHERE (b.debits_frozen, b.credits_frozen, b.blocked_minor)
           <> (o.debits_frozen, o.credits_frozen, coalesce((o.blocked_amounts->>a.currency)::bigint, 0))
    """,
    "no money moved on an account while its client was blocked": """
        SELECT 1 FROM (
            SELECT a.id, b.started_at, b.lifted_at FROM client_block b JOIN account a ON a.owner_id = b.client_id
        ) AS f JOIN (
            SELECT debtor_account_id AS account_id, posted_at FROM ledger_transaction WHERE state = 'posted'
            UNION ALL SELECT creditor_account_id, posted_at FROM ledger_transaction WHERE state = 'posted'
        ) AS t ON t.account_id = f.id
        WHERE t.posted_at >= f.started_at AND t.posted_at < coalesce(f.lifted_at, 'infinity')
    """,
    "nothing moves before an account is opened or after it is closed": """
        SELECT 1 FROM ledger_transaction t
        JOIN account d ON d.id = t.debtor_account_id JOIN account c ON c.id = t.creditor_account_id
        WHERE t.created_at <= greatest(d.created_at, c.created_at)
           OR coalesce(t.posted_at, t.created_at) >= least(d.closed_at, c.closed_at)
    """,
    "transactions are in the state of their payment": """
        SELECT 1 FROM payment p FULL JOIN ledger_transaction t ON t.payment_id = p.id
        WHERE (p.state, p.created_at, p.posted_at, p.booking_date, p.value_date)
           IS DISTINCT FROM (t.state, t.created_at, t.posted_at, t.booking_date, t.value_date)
    """,
    "identifiers carry the time of making": """
        SELECT 1 FROM (
            SELECT id, created_at FROM payment UNION ALL SELECT id, created_at FROM ledger_transaction
        ) AS x WHERE left(replace(id::text, '-', ''), 13)
           <> lpad(to_hex((extract(epoch FROM created_at) * 1000)::bigint), 12, '0') || '7'
    """,
    "a payment's history leads to its state": """
        SELECT 1 FROM payment p LEFT JOIN (
            SELECT payment_id, count(*) AS changes, max(position) AS last, max(at) AS at,
                   (array_agg(to_state ORDER BY position DESC))[1] AS state,
                   (array_agg(from_state ORDER BY position))[1] AS began
            FROM payment_state_change GROUP BY payment_id
        ) AS h ON h.payment_id = p.id
        WHERE coalesce(h.state, 'draft') <> p.state OR coalesce(h.began, 'draft') <> 'draft'
           OR h.changes <> h.last OR h.at < p.created_at OR p.posted_at <> h.at
    """,
    "what is posted is booked on the business day of its time": """
        SELECT 1 FROM (
            SELECT booking_date, min(posted_at) AS first, max(posted_at) AS last FROM payment
            WHERE state = 'posted' GROUP BY booking_date
        ) AS p LEFT JOIN business_day b ON b.day = p.booking_date
        WHERE b.day IS NULL OR p.first < b.opened_at OR p.last >= coalesce(b.closed_at, now())
    """,
    "days follow one another and all but the last are closed and have their snapshot": """
        SELECT 1 FROM (
            SELECT b.*, lead(opened_at) OVER (ORDER BY day) AS next FROM business_day b
        ) AS d WHERE d.closed_at IS DISTINCT FROM d.next OR (d.state = 'closed') <> (d.snapshot_at IS NOT NULL)
    """,
    "the snapshot of the last closed day and what came after it give the balance": """
        SELECT 1 FROM (SELECT account_id, sum(posted) AS posted FROM account_balance GROUP BY account_id) AS b
        LEFT JOIN (
            SELECT DISTINCT ON (account_id) account_id, posted FROM daily_balance ORDER BY account_id, day DESC
        ) AS s ON s.account_id = b.account_id
        LEFT JOIN (
            SELECT x.account_id, sum(x.amount) AS posted FROM (
                SELECT debtor_account_id AS account_id, -amount_minor AS amount, booking_date FROM ledger_transaction
                WHERE state = 'posted'
                UNION ALL SELECT creditor_account_id, amount_minor, booking_date FROM ledger_transaction
                WHERE state = 'posted'
            ) AS x JOIN business_day o ON o.day = x.booking_date AND o.state = 'open' GROUP BY x.account_id
        ) AS t ON t.account_id = b.account_id
        WHERE b.posted <> coalesce(s.posted, 0) + coalesce(t.posted, 0)
    """,
    "totals of a day sum to zero in every currency": """
        SELECT 1 FROM daily_total GROUP BY day, currency HAVING sum(posted) <> 0 OR sum(debits) <> sum(credits)
    """,
}


#: transfers, and what is on the desk
TRANSFERS = {
    "a transfer agrees with its payment": """
        SELECT 1 FROM transfer t LEFT JOIN payment p ON p.id = t.payment_id
        WHERE NOT CASE
            WHEN t.status IN ('completed', 'unrecognized', 'returned', 'reversed')
            THEN p.state IS NOT DISTINCT FROM 'posted'
            WHEN t.status IN ('confirmed', 'manualReview', 'submitted', 'unknown')
            THEN p.state IS NOT DISTINCT FROM 'pending'
            WHEN t.status IN ('rejected', 'canceled') THEN p.state IS NULL OR p.state IN ('canceled', 'error')
            ELSE p.state IS NULL END
        OR p.id IS NOT NULL AND (p.parent_id <> t.id OR p.parent_type <> t.parent_type)
    """,
    "an outgoing transfer and its fee are what its payment takes": """
        SELECT 1 FROM transfer t JOIN (
            SELECT payment_id, debtor_account_id, sum(amount_minor) AS amount FROM ledger_transaction
            WHERE payment_id IN (SELECT payment_id FROM transfer) GROUP BY payment_id, debtor_account_id
        ) x ON x.payment_id = t.payment_id AND x.debtor_account_id = t.account_id
        WHERE t.kind = 'outgoing' AND x.amount <> t.amount_minor + t.fee_minor
    """,
    "a transfer's history leads to its status": """
        SELECT 1 FROM transfer t LEFT JOIN (
            SELECT transfer_id, count(*) AS changes, max(position) AS last,
                   (array_agg(to_status ORDER BY position DESC))[1] AS status,
                   (array_agg(from_status ORDER BY position))[1] AS began
            FROM transfer_status_change GROUP BY transfer_id
        ) h ON h.transfer_id = t.id
        WHERE h.status IS DISTINCT FROM t.status OR h.changes <> h.last OR h.began IS NOT NULL
    """,
    "an exchange is as it was quoted": """
        SELECT 1 FROM transfer t LEFT JOIN fx_quote q ON q.id = t.quote_id AND q.client_id = t.client_id
        WHERE t.kind = 'foreignExchange' AND (q.id IS NULL
        OR (q.sell_minor, q.buy_minor, q.sell_currency, q.buy_currency, q.sell_account_id,
            q.buy_account_id) IS DISTINCT FROM (t.amount_minor, t.counter_minor, t.currency,
            t.counter_currency, t.account_id, t.counter_account_id) OR t.created_at > q.expires_at)
    """,
    "who is held waits for a person": """
        SELECT 1 FROM (SELECT id FROM transfer WHERE status = 'manualReview') t FULL JOIN (
            SELECT object_id FROM queue_item WHERE queue = 'held-transfers' AND cause = 'review' AND closed_at IS NULL
        ) q ON q.object_id = t.id WHERE t.id IS NULL OR q.object_id IS NULL
    """,
    "suspense holds what receipts have not given away": """
        SELECT 1 FROM (
            SELECT a.id, sum(b.posted) AS posted FROM account a JOIN account_balance b ON b.account_id = a.id
            WHERE a.type = 'suspense' GROUP BY a.id
        ) s FULL JOIN (
            SELECT r.suspense_account_id AS id, sum(r.amount_minor) AS amount FROM receipt r
            WHERE r.state IN ('open', 'asked', 'kept', 'waiting') GROUP BY r.suspense_account_id
        ) r ON r.id = s.id WHERE coalesce(s.posted, 0) <> coalesce(r.amount, 0)
    """,
    "unrecognized money is on the desk": """
        SELECT 1 FROM (SELECT id FROM transfer WHERE status = 'unrecognized') t FULL JOIN (
            SELECT transfer_id FROM receipt WHERE state IN ('open', 'asked', 'kept', 'waiting')
        ) r ON r.transfer_id = t.id WHERE t.id IS NULL OR r.transfer_id IS NULL
    """,
}  # fmt: skip


def broken_rules(
    connection: psycopg.Connection[tuple[object, ...]], rules: Mapping[str, str] | None = None
) -> list[str]:
    """The names of the rules that some row breaks; all rules unless some are given."""
    chosen = {**RULES, **MONEY, **TRANSFERS} if rules is None else rules
    # counted, not looked for with LIMIT 1: that makes the planner hope for an early row, and there is none
    return [
        name
        for name, query in chosen.items()
        if connection.execute(f"SELECT 1 FROM ({query}) AS broken HAVING count(*) > 0").fetchone()
    ]
