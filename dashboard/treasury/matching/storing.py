"""Writing matches: whole, by one statement, as the database wants them. Takes from the working tables of a run."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from dashboard.access.actor import Actor
from dashboard.database import new_id
from dashboard.treasury.matching.passes.board import EVERY_PAIR, run

#: identifiers in the order of their numbers: the run's own time and noise around a number of six digits
_ID = "(:head || '-7' || substr({0}, 1, 3) || '-8' || substr({0}, 4, 3) || '-' || :tail)::uuid"
_DIGITS = "lpad(to_hex({0}), 6, '0')"

_PAIRS = f"""
WITH one AS (
    SELECT {_ID.format(_DIGITS.format("row_number() OVER ()"))} AS id, p.certain, p.pass, l.amount,
           coalesce(p.why, CASE WHEN l.e2e = b.e2e THEN 'end-to-end reference ' || l.e2e
                                ELSE 'provider reference ' || l.ref END) AS why,
           l.id AS transaction_id, l.booked AS l_on, b.id AS line_id, b.booked AS b_on
    FROM {EVERY_PAIR} p JOIN side_l l ON l.n = p.ln JOIN side_b b ON b.n = p.bn
), made AS (
    INSERT INTO recon_match (id, bank_account_id, currency, state, found_by, why, amount_minor, lines, transactions,
                             first_on, last_on, run_id, rules_version, made_at, made_by_kind, made_by_id, made_by)
    SELECT id, :bank, :currency, CASE WHEN certain THEN 'live' ELSE 'proposed' END, pass, why, amount, 1, 1,
           least(l_on, b_on), greatest(l_on, b_on), :run, :version, :at, :by_kind, :by_id, :by FROM one
), lines AS (
    INSERT INTO match_line (match_id, position, line_id, amount_minor, booking_date, live)
    SELECT id, 1, line_id, amount, b_on, certain FROM one
)
INSERT INTO match_transaction (match_id, position, transaction_id, account_id, amount_minor, booking_date, live)
SELECT id, 1, transaction_id, :account, amount, l_on, certain FROM one
"""

_BUNDLES = f"""
WITH every AS (
    SELECT u.g, u.certain, u.pass, u.why, {_ID.format(_DIGITS.format("u.g"))} AS id FROM bundle u
), on_l AS (
    SELECT x.g, w.id, w.amount, w.booked, row_number() OVER (PARTITION BY x.g ORDER BY w.booked, w.n) AS place
    FROM bundle_l x JOIN side_l w ON w.n = x.n
), on_b AS (
    SELECT x.g, w.id, w.amount, w.booked, row_number() OVER (PARTITION BY x.g ORDER BY w.booked, w.n) AS place
    FROM bundle_b x JOIN side_b w ON w.n = x.n
), made AS (
    INSERT INTO recon_match (id, bank_account_id, currency, state, found_by, why, amount_minor, lines, transactions,
                             first_on, last_on, run_id, rules_version, made_at, made_by_kind, made_by_id, made_by)
    SELECT e.id, :bank, :currency, CASE WHEN e.certain THEN 'live' ELSE 'proposed' END, e.pass, e.why, l.amount,
           b.many, l.many, least(l.first_on, b.first_on), greatest(l.last_on, b.last_on), :run, :version, :at,
           :by_kind, :by_id, :by
    FROM every e
    JOIN (SELECT g, sum(amount) AS amount, count(*) AS many, min(booked) AS first_on, max(booked) AS last_on
          FROM on_l GROUP BY g) l ON l.g = e.g
    JOIN (SELECT g, count(*) AS many, min(booked) AS first_on, max(booked) AS last_on FROM on_b GROUP BY g) b
        ON b.g = e.g
), lines AS (
    INSERT INTO match_line (match_id, position, line_id, amount_minor, booking_date, live)
    SELECT e.id, b.place, b.id, b.amount, b.booked, e.certain FROM every e JOIN on_b b ON b.g = e.g
)
INSERT INTO match_transaction (match_id, position, transaction_id, account_id, amount_minor, booking_date, live)
SELECT e.id, l.place, l.id, :account, l.amount, l.booked, e.certain FROM every e JOIN on_l l ON l.g = e.g
"""

_BY_HAND = """
WITH on_b AS (
    SELECT l.id, l.amount_minor AS amount, l.booking_date AS booked,
           row_number() OVER (ORDER BY l.booking_date, l.id) AS place
    FROM statement_line l WHERE l.id = ANY (:lines)
), on_l AS (
    SELECT t.id, CASE WHEN t.debtor_account_id = :account THEN t.amount_minor ELSE -t.amount_minor END AS amount,
           t.booking_date AS booked, row_number() OVER (ORDER BY t.booking_date, t.id) AS place
    FROM ledger_transaction t WHERE t.id = ANY (:transactions)
), made AS (
    INSERT INTO recon_match (id, bank_account_id, currency, state, found_by, why, amount_minor, lines, transactions,
                             first_on, last_on, made_at, made_by_kind, made_by_id, made_by)
    SELECT :id, :bank, :currency, 'live', :found_by, :why, b.amount, b.many, l.many, least(l.first_on, b.first_on),
           greatest(l.last_on, b.last_on), :at, :by_kind, :by_id, :by
    FROM (SELECT sum(amount) AS amount, count(*) AS many, min(booked) AS first_on, max(booked) AS last_on FROM on_b) b,
         (SELECT count(*) AS many, min(booked) AS first_on, max(booked) AS last_on FROM on_l) l
), lines AS (
    INSERT INTO match_line (match_id, position, line_id, amount_minor, booking_date, live)
    SELECT :id, place, id, amount, booked, true FROM on_b
)
INSERT INTO match_transaction (match_id, position, transaction_id, account_id, amount_minor, booking_date, live)
SELECT :id, place, id, :account, amount, booked, true FROM on_l
"""


def store_found(
    *, bank_account_id: UUID, account_id: UUID, currency: str, run_id: UUID, version: int, at: datetime, by: Actor
) -> None:
    """Make matches and proposals of all pairs and bundles."""
    values = {
        "bank": bank_account_id, "account": account_id, "currency": currency, "run": run_id, "version": version,
        "at": at, "by_kind": by.kind, "by_id": by.id, "by": by.name,
    }  # fmt: skip
    for statement in (_PAIRS, _BUNDLES):
        head, tail = str(new_id())[:13], str(new_id())[-12:]
        run(statement, head=head, tail=tail, **values)


def store_by_hand(
    *,
    bank_account_id: UUID,
    account_id: UUID,
    currency: str,
    lines: list[UUID],
    transactions: list[UUID],
    found_by: str,
    why: str,
    at: datetime,
    by: Actor,
) -> UUID:
    """One match of these rows; gives its identifier. What is wrong with the rows the database refuses by name."""
    match_id = new_id()
    run(
        _BY_HAND, id=match_id, bank=bank_account_id, account=account_id, currency=currency, lines=lines,
        transactions=transactions, found_by=found_by, why=why, at=at, by_kind=by.kind, by_id=by.id, by=by.name,
    )  # fmt: skip
    return match_id
