"""Business days and their snapshots, all at once, as `ledger.services.snapshots` writes them one after the other."""

from __future__ import annotations

import psycopg

from dashboard.home.demo_data.business_days import SNAPSHOT_AFTER, BusinessDay
from dashboard.home.demo_data.rows import Sheets, moment

#: each account that moved on a day: the day's movements, and their sum so far
_DAILY_BALANCES = """
INSERT INTO daily_balance (account_id, day, posted, debits, credits, movements)
SELECT m.account_id, m.day, sum(m.credits - m.debits) OVER (PARTITION BY m.account_id ORDER BY m.day),
       m.debits, m.credits, m.movements
FROM (
    SELECT x.account_id, x.day, sum(x.debit)::bigint AS debits, sum(x.credit)::bigint AS credits, count(*) AS movements
    FROM (
        SELECT t.debtor_account_id AS account_id, t.booking_date AS day, t.amount_minor AS debit, 0 AS credit
        FROM ledger_transaction t WHERE t.state = 'posted'
        UNION ALL
        SELECT t.creditor_account_id, t.booking_date, 0, t.amount_minor
        FROM ledger_transaction t WHERE t.state = 'posted'
    ) AS x JOIN business_day b ON b.day = x.day AND b.state = 'closed'
    GROUP BY x.account_id, x.day
) AS m ORDER BY m.day, m.account_id
"""
_DAILY_TOTALS = """
INSERT INTO daily_total (day, currency, account_type, accounts, posted, debits, credits)
SELECT * FROM (
    SELECT b.day, k.currency, k.type, sum(coalesce(o.accounts, 0)) OVER until AS accounts,
           sum(coalesce(m.credits, 0) - coalesce(m.debits, 0)) OVER until, coalesce(m.debits, 0), coalesce(m.credits, 0)
    FROM (SELECT day FROM business_day WHERE state = 'closed') AS b
    CROSS JOIN (SELECT DISTINCT currency, type FROM account) AS k
    LEFT JOIN (
        SELECT a.currency, a.type, count(*) AS accounts,
               (SELECT min(c.day) FROM business_day c WHERE c.closed_at >= a.created_at) AS day
        FROM account a GROUP BY a.currency, a.type, 4
    ) AS o ON o.currency = k.currency AND o.type = k.type AND o.day = b.day
    LEFT JOIN (
        SELECT d.day, a.currency, a.type, sum(d.debits) AS debits, sum(d.credits) AS credits
        FROM daily_balance d JOIN account a ON a.id = d.account_id GROUP BY d.day, a.currency, a.type
    ) AS m ON m.currency = k.currency AND m.type = k.type AND m.day = b.day
    WINDOW until AS (PARTITION BY k.currency, k.type ORDER BY b.day)
) AS t WHERE t.accounts > 0
"""


def write_days(sheets: Sheets, days: list[BusinessDay]) -> None:
    for day in days:
        closing = (moment(day.closed), moment(day.closed + SNAPSHOT_AFTER)) if not day.open else (None, None)
        sheets.add("business_day", day.day, "open" if day.open else "closed", moment(day.opened), *closing)


def write_snapshots(connection: psycopg.Connection[tuple[object, ...]]) -> int:
    """From the transactions that are there; gives how many rows that makes."""
    return sum(connection.execute(query).rowcount for query in (_DAILY_BALANCES, _DAILY_TOTALS))
