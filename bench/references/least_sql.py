"""The least SQL that moves money by double entry: one set-based statement for one payment, and one for many.

A statement takes both balances in the order of their accounts, so that opposite payments never wait for each other in
a circle. It fails as a whole where a balance would fall under its limit, an amount is not positive or both sides are
one account (constraints), or an account is missing (the amount is then null). It knows no states, no freezes, no audit
and no repeated requests.

Tables are made in two ways. *Readable*: with foreign keys and the indexes that find an account's transactions, what
nobody would keep a ledger without. *Lean*: primary keys and checks alone, a limit that nothing readable can reach.
"""

from __future__ import annotations

from uuid import UUID

import psycopg

ACCOUNTS = 2_000
SETTLEMENT = 0
AMOUNT, CURRENCY = 125, "eur"

_TABLES = f"""
CREATE TABLE account (id uuid PRIMARY KEY, currency text NOT NULL);
CREATE TABLE balance (
    account_id uuid PRIMARY KEY,
    lowest bigint NOT NULL,
    amount bigint NOT NULL CHECK (amount >= lowest)
);
CREATE TABLE payment (
    id uuid PRIMARY KEY,
    parent_id uuid NOT NULL,
    state text NOT NULL DEFAULT 'posted',
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE transaction (
    payment_id uuid,
    line smallint DEFAULT 1,
    debtor_id uuid NOT NULL,
    creditor_id uuid NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL CHECK (amount > 0),
    PRIMARY KEY (payment_id, line),
    CHECK (debtor_id <> creditor_id)
);
INSERT INTO account
    SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, '{CURRENCY}' FROM generate_series(0, {ACCOUNTS}) n;
INSERT INTO balance
    SELECT id, CASE WHEN id::text LIKE '%000000000000' THEN -1e16 ELSE 0 END, 1e12 FROM account;
"""  # noqa: E501

_READABLE = """
ALTER TABLE balance ADD FOREIGN KEY (account_id) REFERENCES account;
ALTER TABLE transaction
    ADD FOREIGN KEY (payment_id) REFERENCES payment,
    ADD FOREIGN KEY (debtor_id) REFERENCES account,
    ADD FOREIGN KEY (creditor_id) REFERENCES account;
CREATE INDEX ON transaction (debtor_id, payment_id);
CREATE INDEX ON transaction (creditor_id, payment_id);
"""

ONE_TEMPLATE = """
WITH asked (payment_id, parent_id, debtor, creditor, currency, amount) AS MATERIALIZED (
    SELECT uuidv7(), {parent}::uuid, {debtor}::uuid, {creditor}::uuid, {currency}::text, {amount}::bigint
),
moved AS (
    UPDATE balance SET amount = balance.amount + side.change
    FROM (
        SELECT debtor AS id, -amount AS change FROM asked UNION ALL SELECT creditor, amount FROM asked ORDER BY id
    ) side
    WHERE balance.account_id = side.id
    RETURNING 1
),
paid AS (
    INSERT INTO payment (id, parent_id) SELECT payment_id, parent_id FROM asked
)
INSERT INTO transaction (payment_id, debtor_id, creditor_id, currency, amount)
SELECT payment_id, debtor, creditor, currency, CASE WHEN (SELECT count(*) FROM moved) = 2 THEN amount END
FROM asked
RETURNING payment_id
"""
"""With the place of each parameter open."""

ONE = ONE_TEMPLATE.format(
    parent="%(parent)s", debtor="%(debtor)s", creditor="%(creditor)s", currency="%(currency)s", amount="%(amount)s"
)
"""For psycopg. Answers the payment's id; raises psycopg.IntegrityError where the payment may not be."""

MANY = """
WITH asked AS MATERIALIZED (
    SELECT uuidv7() AS payment_id, *
    FROM unnest(%(parents)s::uuid[], %(debtors)s::uuid[], %(creditors)s::uuid[], %(amounts)s::bigint[])
        AS a (parent_id, debtor, creditor, amount)
),
side AS (
    SELECT id, sum(change)::bigint AS change
    FROM (SELECT debtor AS id, -amount AS change FROM asked UNION ALL SELECT creditor, amount FROM asked) s
    GROUP BY id ORDER BY id
),
moved AS (
    UPDATE balance SET amount = balance.amount + side.change FROM side WHERE balance.account_id = side.id RETURNING 1
),
paid AS (
    INSERT INTO payment (id, parent_id) SELECT payment_id, parent_id FROM asked
)
INSERT INTO transaction (payment_id, debtor_id, creditor_id, currency, amount)
SELECT payment_id, debtor, creditor, %(currency)s,
    CASE WHEN (SELECT count(*) FROM moved) = (SELECT count(*) FROM side) THEN amount END
FROM asked
RETURNING payment_id
"""
"""For psycopg: all or nothing. Answers the payments' ids."""


def account_id(number: int) -> UUID:
    """The id of the account with this number, 0 to ACCOUNTS; 0 is the settlement account."""
    return UUID(f"00000000-0000-7000-8000-{number:012d}")


def account_ids() -> list[UUID]:
    """All but the settlement account."""
    return [account_id(number) for number in range(1, ACCOUNTS + 1)]


def make_tables(url: str, *, lean: bool) -> None:
    """In an empty database; every account starts with 10^12 minor units."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_TABLES)
        if not lean:
            connection.execute(_READABLE)
        connection.execute("ANALYZE")


def booked(url: str) -> int:
    """How many transactions there are. Raises AssertionError where money came or went."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM transaction), (SELECT sum(amount) FROM balance),"
            " (SELECT count(*) FROM payment)"
        ).fetchone()
    assert row is not None
    assert row[1] == 10**12 * (ACCOUNTS + 1), row
    assert row[0] == row[2], row
    return int(row[0])
