"""A ledger of any size for the benchmarks of reading, made by plain SQL in place of the demo clients' own.

`size` client accounts, ten for each demo client, and somewhat more than `size` transactions over forty closed days and
the open one, half of them on the open day: one account, the busy one, has `size` postings, the others go between the
accounts of the house and of clients, a few of which have very many and most of which have none. Balances, holds and
snapshots are true: balances are summed up from the transactions, snapshots are written by the product.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import psycopg
from flask import Flask

from dashboard import clock
from dashboard.access.actor import system
from dashboard.clock import calendar
from dashboard.database import session
from dashboard.ledger import numbers
from dashboard.ledger.services import snapshots
from dashboard.ledger.vocabulary import SLOTS

#: closed business days, one for each day of the calendar
DAYS = 40
OPEN_FOR = timedelta(hours=10)
#: transactions for each posting of the busy account: a fifth goes past it, and 2 % are not posted
_SHARE = 1.28

_EMPTIED = (
    "account", "account_balance", "account_owner", "business_day", "daily_balance", "daily_total", "payment",
    "ledger_transaction", "payment_state_change", "bank_account",
)  # fmt: skip
_LOADED = ("account", "payment", "ledger_transaction", "payment_state_change")

#: n client accounts and t transactions; account n belongs to client (n - 1) / 10, and n modulo 10 says its currency
_DAYS = """
INSERT INTO business_day (day, state, opened_at, closed_at)
SELECT %(today)s::date - k, CASE k WHEN 0 THEN 'open' ELSE 'closed' END, %(opened)s - k * interval '1 day',
       CASE WHEN k > 0 THEN %(opened)s - (k - 1) * interval '1 day' END
FROM generate_series(0, %(days)s) k
"""
_ACCOUNTS = """
CREATE TEMPORARY TABLE named AS
    SELECT row_number() OVER (ORDER BY id) - 1 AS rank, id, name_key FROM client;
CREATE INDEX ON named (rank);
INSERT INTO account_owner (owner_id) SELECT id FROM client;
CREATE TEMPORARY TABLE numbered AS
    SELECT n, uuidv7(made - clock_timestamp()) AS id, made, (n - 1) / 10 AS rank,
           (ARRAY['eur', 'eur', 'eur', 'eur', 'eur', 'eur', 'gbp', 'gbp', 'usd', 'pln'])[(n - 1) %% 10 + 1] AS currency,
           (n - 1) %% 10 = 5 AND (n / 10) %% 20 = 0 AS closed
    FROM (SELECT n, %(opened)s - interval '441 days' + n * (interval '400 days' / %(n)s) AS made
          FROM generate_series(1, %(n)s) n OFFSET 0) AS s;
INSERT INTO numbered
    SELECT 0, uuidv7(interval '-500 days'), %(opened)s - interval '500 days', rank, 'eur', false
    -- the page asks for more of a name that too many clients have
    FROM (SELECT rank, count(*) OVER (PARTITION BY name_key) AS namesakes FROM named) AS c
    WHERE namesakes = 1 ORDER BY abs(rank - %(n)s / 20) LIMIT 1;
CREATE TEMPORARY TABLE house AS
    SELECT uuidv7(interval '-501 days') AS id, type, currency, row_number() OVER () AS n
    FROM unnest(ARRAY['settlement', 'suspense', 'fees']) type, unnest(ARRAY['eur', 'gbp', 'usd', 'pln']) currency;
INSERT INTO account (id, owner_id, type, number, currency, alias, status, created_at, closed_at)
SELECT a.id, c.id, 'client', %(country)s
           || lpad((98 - (b.bban || %(country_digits)s || '00')::numeric %% 97)::text, 2, '0') || b.bban, a.currency,
       CASE WHEN a.n = 0 THEN 'Takings of the shop' WHEN a.n %% 10 = 3 THEN 'Savings ' || a.n
            WHEN a.n %% 5000 = 4 THEN 'Wedding' END,
       CASE WHEN a.closed THEN 'closed' ELSE 'open' END, a.made, CASE WHEN a.closed THEN a.made + interval '20 days' END
FROM numbered a JOIN named c ON c.rank = a.rank, LATERAL (SELECT %(bank)s || lpad(a.n::text, 11, '0') AS bban) b
ORDER BY a.made;
INSERT INTO account (id, type, number, currency, status, provider, created_at)
SELECT id, type, 'HOUSE' || n, currency, 'open', 'sandbox', now() - interval '501 days' FROM house;
"""
_TRANSACTIONS = """
SELECT setseed(0.42);
CREATE TEMPORARY TABLE made AS
WITH drawn AS MATERIALIZED (
    SELECT n, n %% 5 > 0 AS busy, random() AS r1, random() AS r2, random() AS r3, random() AS r4, random() AS r5,
           random() AS r6, random() AS r7, random() AS r8, random() AS r9, random() AS r10,
           ((n - 1) * %(days)s / (%(t)s / 2))::int AS late,
           CASE WHEN n <= %(t)s / 2
                THEN %(opened)s - %(days)s * interval '1 day' + (n - 0.5) * (%(days)s * interval '1 day' / (%(t)s / 2))
                ELSE %(opened)s + (n - %(t)s / 2) * (interval '590 minutes' / (%(t)s / 2 + 1)) END AS moment
    FROM generate_series(1, %(t)s) n
), placed AS MATERIALIZED (
    SELECT *, CASE WHEN busy OR r4 < 0.6 THEN 'eur' WHEN r4 < 0.8 THEN 'gbp' WHEN r4 < 0.95 THEN 'usd' ELSE 'pln' END
                  AS currency,
           CASE WHEN busy OR r4 < 0.6 THEN floor(r3 * 5)::int WHEN r4 < 0.8 THEN 6 WHEN r4 < 0.95 THEN 8 ELSE 9 END
               AS slot,
           CASE WHEN r7 < 0.98 THEN 'posted' WHEN r7 < 0.99 THEN 'pending' WHEN r7 < 0.995 THEN 'draft'
                ELSE 'canceled' END AS state,
           CASE WHEN n <= %(t)s / 2 THEN %(today)s::date - %(days)s + late ELSE %(today)s::date END AS day
    FROM drawn
), sided AS (
    -- the fourth power gives few accounts very many
    SELECT *, CASE WHEN busy THEN 0 ELSE 10 * floor(%(n)s / 10 * r2 ^ 4)::int + 1 + slot END
                  AS one,
           CASE WHEN r1 < 0.6 THEN NULL
                ELSE 10 * floor(%(n)s / 10 * (CASE WHEN busy THEN r2 ELSE r5 END) ^ 4)::int + 1
                     + slot END AS other
    FROM placed
)
SELECT s.n, uuidv7(s.moment - clock_timestamp()) AS payment_id, uuidv7(s.moment - clock_timestamp()) AS id,
       CASE WHEN r6 < 0.5 THEN a.id ELSE coalesce(b.id, h.id) END AS debtor,
       CASE WHEN r6 < 0.5 THEN coalesce(b.id, h.id) ELSE a.id END AS creditor,
       s.currency, (10 ^ (2 + 4 * r8))::bigint AS amount, s.state, s.moment,
       CASE WHEN s.state = 'posted' THEN s.moment END AS posted, CASE WHEN s.state = 'posted' THEN s.day END AS day,
       CASE WHEN r9 < 0.90 THEN 'transfer' WHEN r9 < 0.98 THEN 'paymentRequest' ELSE 'adjustingPayment' END AS kind,
       CASE WHEN r10 < 0.2 THEN NULL WHEN r10 < 0.7 THEN 'Invoice ' || s.n
            WHEN r10 < 0.99 THEN 'Order ' || s.n || ' thank you'
            WHEN r10 < 0.9999 THEN 'Payroll of week ' || s.n %% 52 ELSE 'Xylograph no. ' || s.n END AS text
FROM sided s
JOIN numbered a ON a.n = s.one
LEFT JOIN numbered b ON b.n = nullif(s.other, s.one)
JOIN house h ON h.type = 'settlement' AND h.currency = s.currency
ORDER BY s.n;
INSERT INTO payment (id, parent_type, parent_id, state, created_at, posted_at, booking_date, value_date, maker_kind)
SELECT payment_id, kind, gen_random_uuid(), state, moment, posted, day, day, 'system' FROM made ORDER BY n;
INSERT INTO ledger_transaction (id, payment_id, position, debtor_account_id, creditor_account_id, currency,
                                amount_minor, description, state, created_at, posted_at, booking_date, value_date)
SELECT id, payment_id, 1, debtor, creditor, currency, amount, text, state, moment, posted, day, day
FROM made ORDER BY n;
INSERT INTO payment_state_change (payment_id, position, from_state, to_state, at, by_kind)
SELECT payment_id, 1, 'draft', state, moment, 'system' FROM made WHERE state <> 'draft' ORDER BY n;
"""
_BALANCES = """
INSERT INTO account_balance (account_id, slot, currency, guarded, posted, held, limit_minor, debits_frozen,
                             credits_frozen, closed)
SELECT a.id, slot, a.currency, a.type = 'client', CASE slot WHEN 0 THEN coalesce(m.posted, 0) ELSE 0 END,
       CASE WHEN a.type = 'client' THEN coalesce(m.held, 0) ELSE 0 END,
       CASE WHEN a.type = 'client' THEN greatest(0, coalesce(m.held - m.posted, 0)) ELSE 0 END,
       a.type = 'client' AND k.rank %% 100 = 7, a.type = 'client' AND k.rank %% 500 = 13, a.status = 'closed'
FROM account a
LEFT JOIN numbered k ON k.id = a.id
LEFT JOIN (
    SELECT id, sum(posted)::bigint AS posted, sum(held)::bigint AS held FROM (
        SELECT debtor AS id, CASE state WHEN 'posted' THEN -amount ELSE 0 END AS posted,
               CASE state WHEN 'pending' THEN amount ELSE 0 END AS held FROM made
        UNION ALL SELECT creditor, CASE state WHEN 'posted' THEN amount ELSE 0 END, 0 FROM made
    ) AS x GROUP BY id
) AS m ON m.id = a.id,
generate_series(0, CASE a.type WHEN 'client' THEN 0 ELSE %(slots)s - 1 END) slot;
"""


@dataclass(frozen=True)
class Book:
    """What the benchmarks ask for. `busy` has `postings` postings; the others are an account of the house and client
    accounts with many and with few."""

    accounts: int
    transactions: int
    postings: int
    busy: UUID
    settlement: UUID
    frequent: UUID
    ordinary: UUID
    opened: datetime


def fill(app: Flask, superuser: str, size: int) -> Book:
    """In the database of `app`, which has `size` / 10 demo clients; `superuser` is its URL: triggers rest meanwhile."""
    opened = clock.now().replace(microsecond=0) - OPEN_FOR
    with app.app_context():
        found = re.fullmatch(r"([A-Z]{2})\d\d(\w+?)0{11}", numbers.made(0))
        assert found is not None
        asked = {
            "n": size, "t": round(size * _SHARE) // 10 * 10, "days": DAYS, "today": calendar().today(),
            "opened": opened, "slots": SLOTS, "country": found[1], "bank": found[2],
            "country_digits": "".join(str(int(letter, 36)) for letter in found[1]),
        }  # fmt: skip
        with psycopg.connect(superuser, cursor_factory=psycopg.ClientCursor) as connection:
            connection.execute("SET LOCAL session_replication_role = replica; SET LOCAL synchronous_commit = off")
            connection.execute("SET LOCAL work_mem = '256MB'; SET LOCAL maintenance_work_mem = '512MB'")
            connection.execute(f"TRUNCATE {', '.join(_EMPTIED)} CASCADE")
            again = _without_indexes(connection)
            for statements in (_DAYS, _ACCOUNTS, _TRANSACTIONS, _BALANCES):
                connection.execute(statements, asked)
            for statement in again:
                connection.execute(statement)
            book = _described(connection, opened)
        _vacuum(superuser)
        snapshots.make(snapshots.last_closed(), by=system("bench"))
        session().rollback()
        _vacuum(superuser)
    return book


def _without_indexes(connection: psycopg.Connection[tuple[object, ...]]) -> list[bytes]:
    """Drop the indexes that no constraint needs; gives the statements that build them again."""
    rows = connection.execute(
        "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i"
        " WHERE i.indrelid = ANY(%s::regclass[])"
        " AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid)",
        [list(_LOADED)],
    ).fetchall()
    for name, _ in rows:
        connection.execute(f"DROP INDEX {name}".encode())
    return [str(definition).encode() for _, definition in rows]


def _described(connection: psycopg.Connection[tuple[object, ...]], opened: datetime) -> Book:
    """Raises AssertionError where money came or went."""
    row = connection.execute("SELECT sum(posted), (SELECT count(*) FROM account) FROM account_balance").fetchone()
    assert row is not None and row[0] == 0, row
    touched = connection.execute(
        "SELECT k.id FROM (SELECT debtor AS id, count(*) AS often FROM made GROUP BY 1"
        " UNION ALL SELECT creditor, count(*) FROM made GROUP BY 1) x JOIN numbered k ON k.id = x.id"
        " WHERE k.n > 0 AND k.currency = 'eur' GROUP BY k.id ORDER BY sum(x.often) DESC, k.id"
    ).fetchall()
    busy = connection.execute(
        "SELECT k.id, (SELECT count(*) FROM made m WHERE m.state = 'posted' AND k.id IN (m.debtor, m.creditor)),"
        " (SELECT count(*) FROM made), (SELECT id FROM house WHERE type = 'settlement' AND currency = 'eur')"
        " FROM numbered k WHERE k.n = 0"
    ).fetchone()
    assert busy is not None
    return Book(
        accounts=int(str(row[1])), transactions=int(busy[2]), postings=int(busy[1]), busy=busy[0],
        settlement=busy[3], frequent=touched[0][0], ordinary=touched[len(touched) // 4][0], opened=opened,
    )  # fmt: skip


def _vacuum(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for table in (*_LOADED, "account_owner", "account_balance", "daily_balance", "daily_total", "business_day"):
            connection.execute(f"VACUUM (ANALYZE) {table}")
