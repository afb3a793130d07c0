"""The set-based limit: one statement that writes for many payments what the product writes, on the product's tables.

Its migrated schema in a database of its own, with the same indexes, constraints, triggers and foreign keys, and for
each payment the same rows with the same columns filled: payment, ledger_transaction, payment_state_change and
audit_event, and the balances of both accounts. It decides nothing (no states, no freezes, no room of the debtor beyond
what constraints refuse), knows no repeated requests and answers with the payments' identifiers. It runs as the tables'
owner, as the application's role may not write them. What the database does here at best is what the product can do at
best in batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

import psycopg

MANY = """
WITH asked AS MATERIALIZED (
    SELECT uuidv7() AS payment_id, uuidv7() AS transaction_id, uuidv7() AS event_id, day AS booked,
        transaction_timestamp() AS moment, a.*
    FROM unnest(%(parents)s::uuid[], %(debtors)s::uuid[], %(creditors)s::uuid[], %(amounts)s::bigint[])
        AS a (parent_id, debtor, creditor, amount),
        (SELECT day FROM business_day WHERE state = 'open') open_day
),
side AS (
    SELECT id, sum(change)::bigint AS change
    FROM (SELECT debtor AS id, -amount AS change FROM asked UNION ALL SELECT creditor, amount FROM asked) s
    GROUP BY id
),
moved AS (
    UPDATE account_balance b SET posted = b.posted + side.change, touched = true
    FROM side WHERE b.account_id = side.id AND b.slot = 0
),
paid AS (
    INSERT INTO payment (id, parent_type, parent_id, purpose, state, created_at, posted_at, booking_date, value_date,
                         maker_kind, maker_id)
    SELECT payment_id, 'transfer', parent_id, 'main', 'posted', moment, moment, booked, booked, 'token', %(by)s::uuid
    FROM asked
),
changed AS (
    INSERT INTO payment_state_change (payment_id, position, from_state, to_state, at, by_kind, by_id)
    SELECT payment_id, 1, 'draft', 'posted', moment, 'token', %(by)s::uuid FROM asked
),
told AS (
    INSERT INTO audit_event (id, occurred_at, actor_kind, actor_id, actor_name, actor_role, address, request_id,
                             action, object_type, object_id)
    SELECT event_id, moment, 'token', %(by)s::uuid, 'bench', 'system', '127.0.0.1', %(request)s::text,
           'payment.posted', 'payment', payment_id
    FROM asked
)
INSERT INTO ledger_transaction (id, payment_id, position, debtor_account_id, creditor_account_id, currency,
                                amount_minor, state, created_at, posted_at, booking_date, value_date)
SELECT transaction_id, payment_id, 1, debtor, creditor, %(currency)s::text, amount, 'posted', moment, moment, booked,
       booked
FROM asked
RETURNING payment_id
"""
"""For psycopg, arrays as literals. Client accounts only: those have one balance row."""

EVIDENCE = ("payment", "ledger_transaction", "payment_state_change", "audit_event")


def uuids(values: Iterable[UUID]) -> str:
    """An array literal: quicker to read for both sides than a list."""
    return "{" + ",".join(value.hex for value in values) + "}"


def booked(url: str) -> int:
    """How many transactions are posted. Raises AssertionError where money came or went, or evidence is missing."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM ledger_transaction WHERE state = 'posted'),"
            " (SELECT count(*) FROM payment), (SELECT count(*) FROM payment_state_change),"
            " (SELECT count(*) FROM audit_event WHERE action = 'payment.posted'),"
            " (SELECT sum(posted) FROM account_balance)"
        ).fetchone()
    assert row is not None
    assert row[0] == row[1] == row[2] == row[3], row
    assert row[4] == 0, row
    return int(row[0])


def filled_columns(url: str) -> dict[str, Sequence[str]]:
    """Of the newest row of each table of evidence, the columns that are not null: to compare with the product's."""
    found = {}
    with psycopg.connect(url, autocommit=True) as connection:
        for table in EVIDENCE:
            newest = "payment_id" if table == "payment_state_change" else "id"
            row = connection.execute(
                f"SELECT array_agg(key ORDER BY key) FROM jsonb_each("
                f"(SELECT to_jsonb(t) FROM {table} t ORDER BY {newest} DESC LIMIT 1)) WHERE value <> 'null'"
            ).fetchone()
            assert row is not None
            found[table] = row[0]
    return found
