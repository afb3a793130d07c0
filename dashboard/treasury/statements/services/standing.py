"""What counts: of several tellings of one statement the best, of several tellings of one entry a single one.

The outcome does not depend on the order in which files come. An entry that an earlier file told is recognized by the
bank's own reference, day and amount; without a reference everything told must be alike. Either way the two statements
must be able to tell of the same time: statements that follow one another by their balances, or have different numbers,
hold different bookings however alike they look. Some banks give one reference to all bookings of a kind. Alike entries
are counted: a file that tells two where one stands adds one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.treasury.statements.models import Statement, StatementImport
from dashboard.treasury.vocabulary import ImportState, StatementKind, TieOut

#: first key of the advisory locks of bank accounts
_LOCKS = 0x57A7

_STAND = sa.text(
    """
    WITH this AS (SELECT * FROM statement WHERE id = :statement),
    fresh AS (
        SELECT id, fingerprint, row_number() OVER (PARTITION BY fingerprint ORDER BY number) AS place
        FROM statement_entry WHERE statement_id = :statement AND status = 'booked' AND NOT standing
    ),
    known AS (
        -- `top`: the greatest number any alike row has, also one of this very statement; `told`: rows of others that
        -- may be the same bookings
        SELECT e.fingerprint, max(split_part(e.key, '#', 2)::bigint) AS top,
               count(*) FILTER (WHERE e.statement_id <> s.id AND (
                   (t.first_day, t.last_day, t.opening_minor, t.closing_minor)
                       IS NOT DISTINCT FROM (s.first_day, s.last_day, s.opening_minor, s.closing_minor)
                   OR NOT (
                       coalesce(t.first_day, t.last_day) > s.last_day OR t.last_day < coalesce(s.first_day, s.last_day)
                       -- one follows the other; a statement that ends as it began follows itself, and says nothing
                       OR (coalesce(t.closing_minor = s.opening_minor AND t.last_day <= s.first_day, false)
                           AND t.opening_minor <> t.closing_minor AND s.opening_minor <> s.closing_minor)
                       OR (coalesce(s.closing_minor = t.opening_minor AND s.last_day <= t.first_day, false)
                           AND t.opening_minor <> t.closing_minor AND s.opening_minor <> s.closing_minor)
                       -- a bank numbers its daily and its monthly statements apart: where the days differ, a
                       -- reference says more than a number
                       OR coalesce(t.sequence <> s.sequence, false) AND (
                           NOT e.referenced OR (t.first_day, t.last_day) = (s.first_day, s.last_day))
                       OR coalesce(t.page <> s.page, false) AND (
                           NOT e.referenced OR t.sequence IS NOT DISTINCT FROM s.sequence)
                   ))) AS told
        FROM statement_entry e JOIN statement t ON t.id = e.statement_id CROSS JOIN this s
        WHERE e.bank_account_id = s.bank_account_id AND e.standing
          AND e.fingerprint IN (SELECT fingerprint FROM fresh)
        GROUP BY e.fingerprint
    )
    UPDATE statement_entry x
    SET standing = true,
        key = replace(f.fingerprint::text, '-', '') || '#'
              || (coalesce(k.top, 0) + f.place - coalesce(k.told, 0))::text
    FROM fresh f LEFT JOIN known k ON k.fingerprint = f.fingerprint
    WHERE x.id = f.id AND f.place > coalesce(k.told, 0)
    """
)
_REPEATED = sa.text(
    """
    WITH fresh AS (
        SELECT e.bank_account_id, e.fingerprint, count(*) AS many
        FROM statement_entry e JOIN statement s ON s.id = e.statement_id
        WHERE s.import_id = :import AND s.kind = 'statement' AND e.status = 'booked' GROUP BY 1, 2
    )
    SELECT coalesce(sum(least(f.many, k.told)), 0) FROM fresh f JOIN LATERAL (
        SELECT count(*) AS told FROM statement_entry o
        WHERE o.bank_account_id = f.bank_account_id AND o.fingerprint = f.fingerprint AND o.standing
    ) k ON true
    """
)
_MATCHABLE = sa.text(
    """
    UPDATE statement_line l SET matchable = true
    FROM statement_entry e
    WHERE e.id = l.entry_id AND e.statement_id = :statement AND e.standing AND l.amount_minor <> 0 AND NOT l.matchable
      AND (l.position = 0
           OR NOT EXISTS (SELECT FROM statement_line o WHERE o.entry_id = l.entry_id AND o.position = 0))
    """
)
#: each statement beside those that may come before it
_CONTINUITY = sa.text(
    """
    WITH own AS (
        SELECT id, coalesce(first_day, last_day) AS first_day, last_day, opening_minor, closing_minor,
               coalesce(sequence, 0) AS number, coalesce(page, 0) AS page, sequence, key
        FROM statement WHERE bank_account_id = :account AND standing AND kind = 'statement'
    ),
    judged AS (
        SELECT s.id, CASE
            WHEN s.sequence IS NOT NULL
                 AND EXISTS (SELECT FROM own t WHERE date_part('year', t.last_day) = date_part('year', s.last_day)
                             AND t.sequence < s.sequence)
                 AND NOT EXISTS (SELECT FROM own t WHERE date_part('year', t.last_day) = date_part('year', s.last_day)
                                 AND (t.sequence = s.sequence - 1 OR (t.sequence = s.sequence AND t.page < s.page)))
                 THEN 'failed'
            WHEN s.opening_minor IS NULL THEN 'unknown'
            WHEN EXISTS (
                SELECT FROM own t WHERE t.id <> s.id AND t.closing_minor = s.opening_minor
                  AND (t.last_day <= s.first_day OR (t.first_day >= s.first_day AND t.last_day <= s.last_day))
                  AND t.last_day >= coalesce(b.nearest, t.last_day)) THEN 'passed'
            WHEN NOT EXISTS (SELECT FROM own t WHERE t.id <> s.id AND (
                (t.last_day <= s.first_day AND t.first_day < s.first_day)
                OR ((t.first_day, t.last_day) = (s.first_day, s.last_day)
                    AND (t.number, t.page, t.key) < (s.number, s.page, s.key)
                    AND (t.opening_minor, t.closing_minor) IS DISTINCT FROM (s.opening_minor, s.closing_minor)
                    -- it begins a chain of its own
                    AND NOT EXISTS (SELECT FROM own u WHERE u.id <> t.id AND u.closing_minor = t.opening_minor
                                    AND u.last_day <= t.last_day)))) THEN 'first'
            WHEN b.nearest IS NOT NULL AND NOT EXISTS (
                SELECT FROM own t WHERE t.id <> s.id AND t.last_day >= b.nearest AND t.last_day <= s.first_day
                  AND t.closing_minor IS NOT NULL) THEN 'unknown'
            ELSE 'failed' END AS continuity
        FROM own s CROSS JOIN LATERAL (
            SELECT max(t.last_day) AS nearest FROM own t WHERE t.id <> s.id AND t.last_day < s.first_day
        ) b
        WHERE s.last_day >= :since
    )
    UPDATE statement x SET continuity = j.continuity FROM judged j
    WHERE x.id = j.id AND x.continuity <> j.continuity
    """
)


def hold(account_ids: Sequence[UUID]) -> None:
    """Until the transaction ends nobody else says what counts for these bank accounts."""
    for account_id in sorted(account_ids):
        session().execute(
            sa.text("SELECT pg_advisory_xact_lock(:kind, hashtext(:account))"),
            {"kind": _LOCKS, "account": str(account_id)},
        )


def stand(statement: Statement) -> None:
    """Let a statement of a committed import count, and those of its entries that nothing told before.

    The caller holds its bank account.
    """
    session().flush()
    twin = session().scalar(
        sa.select(Statement).where(
            Statement.bank_account_id == statement.bank_account_id,
            Statement.key == statement.key,
            Statement.standing,
            Statement.id != statement.id,
        )
    )
    if twin is None or _better(statement, twin):
        if twin is not None:
            twin.standing = False
            session().flush()
        statement.standing = True
        session().flush()
    if statement.kind == StatementKind.STATEMENT:
        values = {"statement": statement.id}
        session().execute(_STAND, values)
        session().execute(_MATCHABLE, values)


def _better(one: Statement, other: Statement) -> bool:
    """Whether one telling says more than another of the same statement."""
    return (one.tie_out == TieOut.PASSED, one.entries) > (other.tie_out == TieOut.PASSED, other.entries)


def repeated(import_id: UUID) -> int:
    """Entries of a file that earlier ones have told, as far as their own words say."""
    return int(session().scalar(_REPEATED, {"import": import_id}) or 0)


def judge(account_id: UUID, *, since: date) -> None:
    """Compute the continuity of the account's statements that end on that day or later."""
    session().flush()
    session().execute(_CONTINUITY, {"account": account_id, "since": since})
    session().expire_all()


def promote(account_ids: Sequence[UUID], fingerprints: Sequence[UUID], keys: Sequence[str]) -> None:
    """After rows have gone: what other files told alike takes their place."""
    table = Statement
    committed = sa.select(StatementImport.id).where(StatementImport.state == ImportState.IMPORTED.value)
    by_entry = sa.text(
        "SELECT DISTINCT statement_id FROM statement_entry WHERE bank_account_id = ANY(:accounts)"
        " AND NOT standing AND status = 'booked' AND fingerprint = ANY(:fingerprints)"
    )
    ids = session().scalars(by_entry, {"accounts": list(account_ids), "fingerprints": list(fingerprints)}).all()
    rows = session().scalars(
        sa.select(table)
        .where(
            table.bank_account_id.in_(list(account_ids)),
            table.import_id.in_(committed),
            sa.or_(table.id.in_(ids), sa.and_(table.key.in_(list(keys)), table.standing.is_(False))),
        )
        .order_by(table.id)
        .execution_options(populate_existing=True)
    )
    for row in rows.all():
        stand(row)
