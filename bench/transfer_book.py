"""Transfers of any number for the benchmarks of reading, made by plain SQL over the demo clients' accounts.

`size` transfers of ninety days, most of them completed, with payers and recipients who come back; a request of a
provider behind each incoming one; receipts that were settled, and receipts that still wait on the desk with their work
items; recipients. What no list reads is left out: the payments behind the transfers and their balances.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import psycopg

#: receipts in a million transfers
SETTLED, UNDECIDED = 50_000, 5_000
_LOADED = ("transfer", "incoming_request", "receipt", "disposition", "queue_item", "recipient", "provider")

_OWNERS = """
CREATE TEMPORARY TABLE owner AS
    SELECT row_number() OVER (ORDER BY a.id) - 1 AS n, a.id AS account_id, c.id AS client_id, a.currency, a.number,
           c.name, c.name_key
    FROM account a JOIN client c ON c.id = a.owner_id WHERE a.type = 'client' AND a.status = 'open';
CREATE UNIQUE INDEX ON owner (n);
ANALYZE owner;
INSERT INTO provider (key, name, kind, active, settings, created_at)
SELECT key, name, 'files', true, '{}', now()
FROM (VALUES ('sandbox', 'Sandbox'), ('bank-alpha', 'Bank Alpha')) p (key, name)
ON CONFLICT DO NOTHING;
"""
_TRANSFERS = """
SELECT setseed(0.42);
CREATE TEMPORARY TABLE told AS
WITH drawn AS MATERIALIZED (
    SELECT n, now() - interval '90 days' + n * (interval '90 days' / (%(size)s + 1)) AS moment, random() AS r1,
           random() AS r2, random() AS r3, random() AS r4, random() AS r5, random() AS r6, random() AS r7,
           random() AS r8
    FROM generate_series(1, %(size)s) n
), kinds AS MATERIALIZED (
    -- money that waits came within the last days, money that waited is spread over all
    SELECT *, CASE WHEN n > %(size)s - %(waiting)s OR r1 < 0.6 THEN 'incoming'
                   WHEN r1 < 0.98 THEN 'outgoing' ELSE 'foreignExchange' END AS kind,
           n > %(size)s - %(waiting)s AS waits
    FROM drawn
)
SELECT k.n, uuidv7(k.moment - clock_timestamp()) AS id, k.moment, k.kind, k.waits, k.r5, k.r8,
       o.account_id, o.client_id,
       CASE WHEN k.waits THEN 'eur' ELSE o.currency END AS currency, (10 ^ (2 + 4 * k.r3))::bigint AS amount,
       CASE WHEN k.waits THEN 'unrecognized'
            WHEN k.kind = 'incoming' THEN CASE WHEN k.r4 < 0.995 THEN 'completed' ELSE 'reversed' END
            WHEN k.kind = 'foreignExchange' THEN 'completed'
            WHEN k.r4 < 0.95 THEN 'completed' WHEN k.r4 < 0.97 THEN 'rejected' WHEN k.r4 < 0.99 THEN 'canceled'
            WHEN k.r4 < 0.995 THEN 'submitted' WHEN k.r4 < 0.9955 THEN 'unknown' WHEN k.r4 < 0.9975 THEN 'returned'
            WHEN k.r4 < 0.9985 THEN 'awaitingConfirmation' WHEN k.r4 < 0.999 THEN 'manualReview'
            ELSE 'confirmed' END AS status,
       CASE k.kind WHEN 'outgoing' THEN
            CASE WHEN k.r5 < 0.6 THEN 'sepa' WHEN k.r5 < 0.8 THEN 'sepaInstant' WHEN k.r5 < 0.95 THEN 'internal'
                 WHEN k.r5 < 0.99 THEN 'swift' ELSE 'fasterPayments' END END AS type,
       other.name AS payer, other.name_key AS payer_key,
       -- one payer in a hundred payments is the same: who pays the wages of many
       CASE WHEN k.r6 < 0.01 THEN 'LT000000000000000042'
            ELSE 'LT99' || lpad((hashint8(floor(k.r2 ^ 2 * %(owners)s)::bigint) & 1073741823)::text, 16, '0')
       END AS key,
       CASE WHEN k.kind = 'foreignExchange' THEN NULL WHEN k.r7 < 0.7 THEN 'sandbox' ELSE 'bank-alpha' END AS provider,
       CASE WHEN k.r8 < 0.1 THEN NULL WHEN k.r8 < 0.6 THEN 'Invoice ' || k.n
            WHEN k.r8 < 0.98 THEN 'Order ' || k.n || ' thank you'
            WHEN k.r8 < 0.99 THEN 'Payroll of week ' || k.n %% 52
            WHEN k.r8 < 0.991 THEN 'Gardening ' || k.n
            WHEN k.r8 < 0.99101 THEN 'Xylograph no. ' || k.n ELSE 'for ' || o.name END AS text
FROM kinds k
JOIN owner o ON o.n = floor(%(owners)s * k.r2 ^ 2)::bigint
JOIN owner other ON other.n = (k.n::bigint * 7919) %% %(owners)s
ORDER BY k.n;
INSERT INTO transfer (id, kind, status, type, client_id, account_id, currency, amount_minor, counter_currency,
                      counter_minor, quote_id, counterparty_name, counterparty_account, counterparty_key,
                      counterparty_country, remittance, end_to_end_id, provider, provider_reference, payment_id,
                      search_text, created_at, confirmed_at, ended_at, maker_kind, maker_name)
SELECT id, kind, status, type, CASE WHEN NOT waits THEN client_id END,
       CASE WHEN waits THEN %(suspense)s ELSE account_id END, currency, amount,
       CASE kind WHEN 'foreignExchange' THEN 'usd' END, CASE kind WHEN 'foreignExchange' THEN amount END,
       CASE kind WHEN 'foreignExchange' THEN gen_random_uuid() END, payer, key, key, 'LT', text, 'BENCH' || n, provider,
       CASE WHEN provider IS NOT NULL THEN 'BENCH-' || n END, gen_random_uuid(),
       concat_ws(' ', payer_key, lower(regexp_replace(text, '[^[:alnum:] ]', '', 'g')), lower(key), 'bench' || n),
       moment,
       CASE kind WHEN 'outgoing' THEN moment END, CASE status WHEN 'completed' THEN moment END, 'system', 'bench'
FROM told ORDER BY n;
INSERT INTO incoming_request (id, provider, provider_reference, source, body_hash, raw, currency, amount_minor,
                              debtor_name, debtor_account, remittance, bank_references, booked_at, missing_data,
                              search_text, state, failure_code, failure, transfer_id, created_at, processed_at)
SELECT uuidv7(moment - clock_timestamp()), provider, 'BENCH-' || n,
       CASE WHEN r5 < 0.5 THEN 'camt.054' WHEN r5 < 0.7 THEN 'camt.053' ELSE 'sandbox' END,
       ''::bytea, '{}', currency, amount, payer, key, text, ARRAY['BENCH-' || n], moment,
       CASE WHEN n %% 3000 = 0 THEN '{debtorName}'::text[] ELSE '{}' END,
       concat_ws(' ', payer_key, lower(regexp_replace(text, '[^[:alnum:] ]', '', 'g')), lower(key), 'bench ' || n),
       CASE WHEN n %% 5000 = 0 THEN 'failed' ELSE 'processed' END, CASE WHEN n %% 5000 = 0 THEN 'noAmount' END,
       CASE WHEN n %% 5000 = 0 THEN 'No amount.' END, CASE WHEN n %% 5000 > 0 THEN id END, moment, moment
FROM told WHERE kind = 'incoming' ORDER BY n;
"""
_RECEIPTS = """
CREATE TEMPORARY TABLE position AS
SELECT *, CASE WHEN NOT waits THEN 'assigned' WHEN n %% 10 = 1 THEN 'asked' WHEN n %% 10 = 2 THEN 'kept'
               WHEN n %% 50 = 3 THEN 'waiting' ELSE 'open' END AS state,
       -- the waiting ones came within twenty days, as many each day
       CASE WHEN waits THEN date_trunc('day', now()) - n %% 20 * interval '1 day' + interval '41 hours'
            ELSE date_trunc('day', moment) + interval '41 hours' END AS due
FROM (SELECT *, row_number() OVER (ORDER BY n DESC) AS place FROM told WHERE waits
      UNION ALL (SELECT *, 0 FROM told WHERE kind = 'incoming' AND status = 'completed' AND NOT waits
                 AND n %% 10 = 7 ORDER BY n DESC LIMIT %(settled)s)) s;
INSERT INTO receipt (transfer_id, currency, amount_minor, remaining_minor, suspense_account_id, cause, state, booked_at,
                     allocate_by, resolve_by, warn_at, settled_at, keep_until, keep_reason, asked_at)
SELECT id, currency, amount, CASE WHEN waits THEN amount ELSE 0 END, %(suspense)s, 'notRecognized', state,
       due - interval '20 hours', due, due + interval '13 days', due + interval '6 days',
       CASE WHEN NOT waits THEN moment + interval '3 hours' END, CASE state WHEN 'kept' THEN current_date + 3 END,
       CASE state WHEN 'kept' THEN 'Papers are on their way.' END, CASE state WHEN 'asked' THEN moment END
FROM position ORDER BY n;
INSERT INTO queue_item (id, queue, cause, object_type, object_id, restricted, opened_at, due_at, assignee_id, closed_at)
SELECT uuidv7(moment - clock_timestamp()), 'unrecognized', 'notRecognized', 'receipt', id, false, moment, due,
       CASE WHEN n %% 7 = 0 THEN %(reader)s WHEN n %% 7 < 4 THEN NULL ELSE %(other)s END::uuid,
       CASE WHEN NOT waits THEN moment + interval '3 hours' END
FROM position ORDER BY n;
-- half of the time is over: a reminder beside the receipt's own item
INSERT INTO queue_item (id, queue, cause, object_type, object_id, restricted, opened_at, due_at)
SELECT uuidv7(), 'unrecognized', 'halfTime', 'receipt', id, false, now(), due FROM position
WHERE waits AND due + interval '6 days' < now();
INSERT INTO disposition (id, transfer_id, number, kind, state, currency, amount_minor, client_id, account_id, shown,
                         rules_version, payment_id, made_at, made_by_kind, made_by_id, made_by_name, posted_at)
SELECT uuidv7(moment - clock_timestamp()), id, 1, 'assign', 'posted', currency, amount, client_id, account_id, '{}',
       '1',
       gen_random_uuid(), moment + interval '3 hours', 'staff', %(reader)s, 'bench', moment + interval '3 hours'
FROM position WHERE NOT waits ORDER BY n;
INSERT INTO queue_item (id, queue, cause, object_type, object_id, client_id, restricted, opened_at, due_at)
SELECT uuidv7(), 'held-transfers', 'review', 'transfer', id, client_id, false, moment, now() + interval '4 hours'
FROM told WHERE status = 'manualReview';
"""
_RECIPIENTS = """
INSERT INTO recipient (id, client_id, name, name_key, account_format, account_key, country, created_at, created_by_kind)
SELECT uuidv7(t.moment - clock_timestamp()), t.client_id, t.payer, t.payer_key, 'iban', t.key, 'LT', t.moment, 'system'
FROM told t WHERE kind = 'outgoing' ON CONFLICT DO NOTHING;
INSERT INTO recipient (id, client_id, name, name_key, account_format, account_key, country, created_at, created_by_kind)
SELECT uuidv7(), (SELECT client_id FROM owner WHERE n = 0), name, name_key, 'iban', number, 'LT', now(), 'system'
FROM owner WHERE n BETWEEN 1 AND 2000 ON CONFLICT DO NOTHING;
"""


#: ways a receipt may tell whom it is for, with text, payer and payer's account
_WAYS = """
CREATE TEMPORARY TABLE counted AS
    SELECT name_key, min(name) AS name, count(*) AS often, min(n) AS n FROM owner GROUP BY name_key;
CREATE TEMPORARY TABLE way AS
WITH common AS (SELECT * FROM counted ORDER BY often DESC, name_key LIMIT 1),
     rare AS (SELECT c.*, o.number FROM counted c JOIN owner o ON o.n = c.n
              WHERE often = 1 AND length(c.name_key) > 15 AND c.name_key LIKE '_______%% _______%%'
              ORDER BY c.n LIMIT 1),
     firsts AS (SELECT split_part(name_key, ' ', 1) AS word FROM counted GROUP BY 1 ORDER BY sum(often) DESC LIMIT 1),
     lasts AS (SELECT split_part(name_key, ' ', 2) AS word FROM counted WHERE split_part(name_key, ' ', 2) <> ''
               GROUP BY 1 ORDER BY sum(often) DESC LIMIT 1)
SELECT row_number() OVER () AS place, w.*
FROM common, rare, firsts, lasts, LATERAL (VALUES
    ('whole number in the text', 'rent to ' || regexp_replace(rare.number, '(.{4})', '\\1 ', 'g'), 'Nordvik AS', 'LT1'),
    ('end of the number', 'acct ..' || right(rare.number, 6), 'Nordvik AS', 'LT1'),
    ('name, rare', 'for ' || rare.name || ' invoice 77', 'Nordvik AS', 'LT1'),
    ('name, common', 'for ' || common.name || ' invoice 77', 'Nordvik AS', 'LT1'),
    ('the two commonest words', firsts.word || ' ' || lasts.word, 'Nordvik AS', 'LT1'),
    ('name, swapped', split_part(rare.name_key, ' ', 2) || ' ' || split_part(rare.name_key, ' ', 1), 'Nordvik AS',
     'LT1'),
    ('name, mistyped', 'for ' || overlay(rare.name_key PLACING 'zq' FROM 4) || ' order 12', 'Nordvik AS', 'LT1'),
    ('name, common, mistyped', 'for ' || overlay(common.name_key PLACING 'i' FROM 4) || ' order 12', 'Nordvik AS',
     'LT1'),
    ('own money', 'deposit', common.name, 'LT1'),
    ('payer known', 'before', 'Nordvik AS', %(known)s),
    ('payer known to many', 'wages', 'Payroll Services GmbH', 'LT000000000000000042'),
    ('long text', repeat(firsts.word || ' ' || lasts.word || ' invoice 10233 services consulting september ', 12),
     'Handels und Bau KG', 'LT1'),
    ('nothing', 'thank you', NULL, NULL)
) AS w (name, text, payer, key);
CREATE TEMPORARY TABLE chosen AS
    SELECT w.*, p.id FROM way w
    JOIN (SELECT id, row_number() OVER (ORDER BY n) AS place FROM position
          WHERE waits AND state = 'open') p USING (place);
UPDATE transfer t SET remittance = c.text, counterparty_name = c.payer, counterparty_key = c.key,
                      counterparty_account = c.key
FROM chosen c WHERE c.id = t.id;
"""


@dataclass(frozen=True)
class TransferBook:
    """What the benchmarks ask for: one client with many transfers and recipients, one with few; one payer whom
    somebody knows."""

    transfers: int
    undecided: int
    many: UUID
    few: UUID
    payer: str
    account: UUID
    #: a receipt of each way of telling
    ways: dict[str, UUID]


def fill(superuser: str, *, size: int, suspense: UUID, reader: UUID, other: UUID) -> TransferBook:
    """`superuser` is the URL of a database with demo clients and their accounts: triggers rest meanwhile. `reader` and
    `other` are people who have work items."""
    with psycopg.connect(superuser, cursor_factory=psycopg.ClientCursor) as connection:
        connection.execute("SET LOCAL session_replication_role = replica; SET LOCAL synchronous_commit = off")
        connection.execute(
            "SET LOCAL work_mem = '256MB'; SET LOCAL maintenance_work_mem = '512MB'; SET LOCAL jit = off"
        )
        connection.execute("SET LOCAL statement_timeout = 0")
        connection.execute(_OWNERS)
        counted = connection.execute("SELECT count(*) FROM owner").fetchone()
        assert counted is not None
        asked = {
            "size": size, "owners": counted[0], "suspense": suspense, "reader": reader, "other": other,
            "settled": size * SETTLED // 1_000_000, "waiting": size * UNDECIDED // 1_000_000,
        }  # fmt: skip
        again = without_indexes(connection, ("transfer", "incoming_request"))
        for statements in (_TRANSFERS, _RECEIPTS, _RECIPIENTS):
            connection.execute(statements, asked)
        for statement in again:
            connection.execute(statement)
        found = connection.execute(
            "SELECT (SELECT client_id FROM owner WHERE n = 0),"
            " (SELECT client_id FROM told WHERE kind = 'outgoing' AND NOT waits ORDER BY r5 LIMIT 1),"
            " (SELECT key FROM told WHERE kind = 'incoming' AND NOT waits AND key <> 'LT000000000000000042' LIMIT 1),"
            " (SELECT account_id FROM owner WHERE n = 0)"
        ).fetchone()
        assert found is not None
        connection.execute(_WAYS, {"known": found[2]})
        ways = {str(name): id_ for name, id_ in connection.execute("SELECT name, id FROM chosen ORDER BY place")}
    with psycopg.connect(superuser, autocommit=True) as connection:
        for table in _LOADED:
            connection.execute(f"VACUUM (ANALYZE) {table}")
    return TransferBook(size, int(str(asked["waiting"])), *found, ways)


def without_indexes(connection: psycopg.Connection[tuple[object, ...]], tables: tuple[str, ...]) -> list[bytes]:
    """Drop the indexes that no constraint needs; gives the statements that build them again."""
    rows = connection.execute(
        "SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i"
        " WHERE i.indrelid = ANY(%s::regclass[])"
        " AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid)",
        [list(tables)],
    ).fetchall()
    for name, _ in rows:
        connection.execute(f"DROP INDEX {name}".encode())
    return [str(definition).encode() for _, definition in rows]
