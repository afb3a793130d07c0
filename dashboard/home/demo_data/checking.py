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
    "an active client was activated by two people": """
        SELECT 1 FROM client c LEFT JOIN approval_request r
        ON r.id = c.activation_approval_id AND r.object_id = c.id
        AND r.kind = 'client.activate' AND r.state = 'approved'
        WHERE 'active' IN (c.status, c.status_before_block) AND r.id IS NULL
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


def broken_rules(
    connection: psycopg.Connection[tuple[object, ...]], rules: Mapping[str, str] | None = None
) -> list[str]:
    """The names of the rules that some row breaks; all rules unless some are given."""
    chosen = {**RULES, **MONEY} if rules is None else rules
    # counted, not looked for with LIMIT 1: that makes the planner hope for an early row, and there is none
    return [
        name
        for name, query in chosen.items()
        if connection.execute(f"SELECT 1 FROM ({query}) AS broken HAVING count(*) > 0").fetchone()
    ]
