"""What is true of every ledger, whatever was done to it: each rule is a query for the rows that break it.

Plain SQL, written apart from the product's own balance check, so that one mistake cannot hide in both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import sqlalchemy as sa

from dashboard.database import session

_LEGAL = """
    'draft:', 'pending:draft>pending',
    'posted:draft>posted', 'posted:draft>pending pending>posted',
    'canceled:draft>canceled', 'canceled:draft>pending pending>canceled',
    'error:draft>error', 'error:draft>pending pending>error'
"""

RULES = {
    "the sum of all balances is zero in every currency": """
        SELECT currency::text FROM account_balance GROUP BY currency HAVING sum(posted) <> 0
    """,
    "a stored balance is what the transactions make": """
        SELECT account_id::text FROM (
            SELECT account_id, sum(posted) AS posted FROM account_balance GROUP BY account_id
        ) AS stored FULL JOIN (
            SELECT account_id, sum(amount) AS posted FROM (
                SELECT creditor_account_id AS account_id, amount_minor AS amount
                FROM ledger_transaction WHERE state = 'posted'
                UNION ALL
                SELECT debtor_account_id, -amount_minor FROM ledger_transaction WHERE state = 'posted'
            ) AS sides GROUP BY account_id
        ) AS made USING (account_id)
        WHERE coalesce(stored.posted, 0) <> coalesce(made.posted, 0)
    """,
    "what is held is the sum of pending withdrawals": """
        SELECT b.account_id::text FROM account_balance b
        WHERE b.guarded AND b.held <> (
            SELECT coalesce(sum(t.amount_minor), 0) FROM ledger_transaction t
            WHERE t.state = 'pending' AND t.debtor_account_id = b.account_id
        ) OR NOT b.guarded AND b.held <> 0
    """,
    "a guarded account is never below its limit": """
        SELECT account_id::text FROM account_balance WHERE guarded AND (posted - held < -limit_minor OR held < 0)
    """,
    "a payment's history is a legal way to its state": f"""
        SELECT p.id::text FROM payment p
        WHERE p.state || ':' || coalesce((
            SELECT string_agg(c.from_state || '>' || c.to_state, ' ' ORDER BY c.position)
            FROM payment_state_change c WHERE c.payment_id = p.id
        ), '') NOT IN ({_LEGAL})
        OR EXISTS (
            SELECT 1 FROM payment_state_change c WHERE c.payment_id = p.id
            HAVING max(c.position) <> count(*) OR min(c.at) < p.created_at
        )
    """,
    "transactions share state and dates with their payment": """
        SELECT t.id::text FROM ledger_transaction t JOIN payment p ON p.id = t.payment_id
        WHERE (t.state, t.created_at) <> (p.state, p.created_at) OR t.posted_at IS DISTINCT FROM p.posted_at
           OR t.booking_date IS DISTINCT FROM p.booking_date OR t.value_date IS DISTINCT FROM p.value_date
    """,
    "a payment has all of its transactions, numbered from one": """
        SELECT p.id::text FROM payment p LEFT JOIN ledger_transaction t ON t.payment_id = p.id
        GROUP BY p.id HAVING count(t.id) = 0 OR count(t.id) <> max(t.position) OR min(t.position) <> 1
    """,
    "a parent has one living payment of a purpose": """
        SELECT min(id::text) FROM payment WHERE state NOT IN ('canceled', 'error')
        GROUP BY parent_type, parent_id, purpose HAVING count(*) > 1
    """,
    "a payment is reversed once": """
        SELECT reverses_id::text FROM payment WHERE reverses_id IS NOT NULL AND state NOT IN ('canceled', 'error')
        GROUP BY reverses_id HAVING count(*) > 1
    """,
    "a reversal mirrors a posted payment": """
        SELECT r.id::text FROM payment r JOIN payment p ON p.id = r.reverses_id
        WHERE p.state <> 'posted' OR r.state <> 'posted' OR (
            SELECT array_agg(side ORDER BY side) FROM (
                SELECT row (t.debtor_account_id, t.creditor_account_id, t.amount_minor)::text AS side
                FROM ledger_transaction t WHERE t.payment_id = r.id
            ) AS reversal
        ) IS DISTINCT FROM (
            SELECT array_agg(side ORDER BY side) FROM (
                SELECT row (t.creditor_account_id, t.debtor_account_id, t.amount_minor)::text AS side
                FROM ledger_transaction t WHERE t.payment_id = p.id
            ) AS mirrored
        )
    """,
    "each change of a payment stands in the audit trail": """
        SELECT p.id::text FROM payment p
        WHERE (SELECT count(*) FROM audit_event e WHERE e.object_type = 'payment' AND e.object_id = p.id
               AND e.action LIKE 'payment.%') NOT IN (
            SELECT greatest(n, 1) + extra FROM (
                SELECT count(*) AS n FROM payment_state_change c WHERE c.payment_id = p.id
            ) AS changes, (VALUES (0), (1)) AS made (extra)
        )
    """,
    "a closed account is empty and every row of it is closed": """
        SELECT a.id::text FROM account a JOIN account_balance b ON b.account_id = a.id
        WHERE (a.status = 'closed') <> b.closed OR b.closed AND (b.posted <> 0 OR b.held <> 0)
    """,
    "what is posted is booked on a known business day": """
        SELECT p.id::text FROM payment p LEFT JOIN business_day d ON d.day = p.booking_date
        WHERE p.state = 'posted' AND d.day IS NULL
    """,
}

#: all rules in one statement: a row for each broken one, with how many rows break it and one of them
STATEMENT = " UNION ALL ".join(
    f"SELECT $rule${rule}$rule$ AS rule, count(*) AS times, min(found.which) AS example"
    f" FROM ({query}) AS found (which) HAVING count(*) > 0"
    for rule, query in RULES.items()
)


def broken(run: Callable[[Any], Iterable[Any]] | None = None) -> list[tuple[str, int, str]]:
    """The broken rules: (rule, how often, an example). Empty is good."""
    rows = session().execute(sa.text(STATEMENT.replace(":", "\\:"))) if run is None else run(STATEMENT)
    return [tuple(row) for row in rows]
