"""Business days as people read them; balances of closed days compared with the transactions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard.audit.models import AuditEvent, AuditPayload
from dashboard.database import session
from dashboard.ledger.models import BusinessDay, LedgerTransaction

#: differences that are told one by one; the others are counted
MOST_DIFFERENCES = 1_000


@dataclass(frozen=True)
class DayView:
    day: date
    state: str
    opened_at: datetime
    closed_at: datetime | None
    snapshot_at: datetime | None


def _views(query: sa.Select[*tuple[Any, ...]]) -> list[DayView]:
    return [DayView(*row) for row in session().execute(query)]


_COLUMNS = sa.select(
    BusinessDay.day, BusinessDay.state, BusinessDay.opened_at, BusinessDay.closed_at, BusinessDay.snapshot_at
)


def one(day: date) -> DayView | None:
    """The day, or None where it is no business day of this ledger."""
    found = _views(_COLUMNS.where(BusinessDay.day == day))
    return found[0] if found else None


@dataclass(frozen=True)
class Ending:
    """Who ended a day, by name, and why it ended before it began."""

    by: str
    reason: str | None


def ending(day: date) -> Ending | None:
    """As the audit trail tells it; None for a day that is open."""
    row = (
        session()
        .execute(
            sa.select(AuditEvent.actor_name, AuditPayload.reason)
            .join(AuditPayload, AuditPayload.event_id == AuditEvent.id)
            .where(
                AuditEvent.object_type == "business_day",
                AuditEvent.object_id.is_(None),
                AuditEvent.action == "business_day.ended",
                AuditPayload.before["open"].astext == day.isoformat(),
            )
            .limit(1)
        )
        .first()
    )
    return Ending(row.actor_name, row.reason) if row else None


def closed(*, limit: int, before: date | None = None, after: date | None = None) -> list[DayView]:
    """Closed days, newest first: those before a day, or the nearest after one."""
    query = _COLUMNS.where(BusinessDay.state == "closed")
    if after is not None:
        return _views(query.where(BusinessDay.day > after).order_by(BusinessDay.day).limit(limit))[::-1]
    if before is not None:
        query = query.where(BusinessDay.day < before)
    return _views(query.order_by(BusinessDay.day.desc()).limit(limit))


def between(first: date, last: date) -> list[DayView]:
    """Closed days from the first to the last, in order."""
    return _views(
        _COLUMNS.where(BusinessDay.state == "closed", BusinessDay.day.between(first, last)).order_by(BusinessDay.day)
    )


def booked_on(day: date) -> int:
    """Transactions booked on the day: an exact count, at the cost of the day's transactions."""
    found = session().scalar(
        sa.select(sa.func.count())
        .select_from(LedgerTransaction)
        .where(LedgerTransaction.booking_date == day, LedgerTransaction.state == "posted")
    )
    return found or 0


@dataclass(frozen=True)
class Difference:
    """What a snapshot says and what the transactions say, in minor units (`accounts` and `movements`: counts).

    `account_id` None: a total of `currency` and `account_type`. `stored` None: the row is missing.
    """

    day: date
    account_id: UUID | None
    number: str | None
    currency: str
    account_type: str
    field: str
    stored: int | None
    rebuilt: int


@dataclass(frozen=True)
class Comparison:
    """`days` have a snapshot and were compared, `missing` have none yet. `count` is of all differences."""

    days: Sequence[date]
    missing: Sequence[date]
    rows: int
    count: int
    differences: Sequence[Difference]


#: movements of a period by account and day
_MOVED = (
    "moved AS (SELECT x.account_id, x.day, sum(x.debit)::numeric AS debits, sum(x.credit)::numeric AS credits,"
    "   count(*) AS movements FROM ("
    "     SELECT t.debtor_account_id AS account_id, t.booking_date AS day, t.amount_minor AS debit, 0 AS credit"
    "     FROM ledger_transaction t WHERE t.state = 'posted' AND t.booking_date BETWEEN :first AND :last"
    "     UNION ALL"
    "     SELECT t.creditor_account_id, t.booking_date, 0, t.amount_minor"
    "     FROM ledger_transaction t WHERE t.state = 'posted' AND t.booking_date BETWEEN :first AND :last"
    "   ) AS x JOIN business_day d ON d.day = x.day AND d.snapshot_at IS NOT NULL GROUP BY x.account_id, x.day)"
)
_BALANCES = sa.text(
    f"WITH {_MOVED},"
    " both_sides AS ("
    "   SELECT coalesce(m.account_id, s.account_id) AS account_id, coalesce(m.day, s.day) AS day,"
    "     coalesce(m.debits, 0) AS debits, coalesce(m.credits, 0) AS credits, coalesce(m.movements, 0) AS movements,"
    "     s.posted AS s_posted, s.debits AS s_debits, s.credits AS s_credits, s.movements AS s_movements"
    "   FROM moved m FULL JOIN (SELECT * FROM daily_balance WHERE day BETWEEN :first AND :last) AS s"
    "     ON s.account_id = m.account_id AND s.day = m.day),"
    " before AS (SELECT k.account_id, coalesce(("
    "     SELECT d.posted FROM daily_balance d WHERE d.account_id = k.account_id AND d.day < :first"
    "     ORDER BY d.day DESC LIMIT 1), 0) AS posted"
    "   FROM (SELECT DISTINCT account_id FROM both_sides) AS k),"
    " rebuilt AS (SELECT b.*, e.posted + sum(b.credits - b.debits)"
    "     OVER (PARTITION BY b.account_id ORDER BY b.day) AS posted"
    "   FROM both_sides b JOIN before e ON e.account_id = b.account_id),"
    " wrong AS (SELECT r.day, r.account_id, f.field, f.stored, f.rebuilt FROM rebuilt r"
    "   CROSS JOIN LATERAL (VALUES ('posted', r.s_posted::numeric, r.posted), ('debits', r.s_debits, r.debits),"
    "     ('credits', r.s_credits, r.credits), ('movements', r.s_movements, r.movements)) AS f (field, stored, rebuilt)"
    "   WHERE f.stored IS DISTINCT FROM f.rebuilt)"
    " SELECT c.rows, c.wrong, w.day, w.account_id, a.number, a.currency, a.type, w.field, w.stored, w.rebuilt"
    " FROM (SELECT (SELECT count(*) FROM rebuilt) AS rows, (SELECT count(*) FROM wrong) AS wrong) AS c"
    " LEFT JOIN (SELECT * FROM wrong ORDER BY day, account_id, field LIMIT :most) AS w ON true"
    " LEFT JOIN account a ON a.id = w.account_id ORDER BY w.day, a.number, w.field"
)
_TOTALS = sa.text(
    f"WITH {_MOVED},"
    " sums AS (SELECT m.day, a.currency, a.type, sum(m.debits) AS debits, sum(m.credits) AS credits"
    "   FROM moved m JOIN account a ON a.id = m.account_id GROUP BY 1, 2, 3),"
    " days AS (SELECT day, closed_at, coalesce(lag(closed_at) OVER (ORDER BY day), '-infinity') AS since"
    "   FROM business_day WHERE snapshot_at IS NOT NULL AND day BETWEEN :first AND :last),"
    " opened AS (SELECT d.day, a.currency, a.type, count(*) AS accounts FROM days d"
    "   JOIN account a ON a.created_at > d.since AND a.created_at <= d.closed_at GROUP BY 1, 2, 3),"
    " kinds AS (SELECT currency, type, min(day) AS since FROM opened GROUP BY 1, 2),"
    " counted AS (SELECT d.day, k.currency, k.type, sum(o.accounts)"
    "     OVER (PARTITION BY k.currency, k.type ORDER BY d.day) AS accounts"
    "   FROM days d JOIN kinds k ON k.since <= d.day"
    "   LEFT JOIN opened o ON o.day = d.day AND o.currency = k.currency AND o.type = k.type),"
    " stored AS (SELECT * FROM daily_total WHERE day BETWEEN :first AND :last),"
    " both_sides AS (SELECT coalesce(c.day, s.day) AS day, coalesce(c.currency, s.currency) AS currency,"
    "     coalesce(c.type, s.account_type) AS type, coalesce(c.accounts, 0) AS accounts,"
    "     coalesce(m.debits, 0) AS debits, coalesce(m.credits, 0) AS credits, s.accounts AS s_accounts,"
    "     s.posted AS s_posted, s.debits AS s_debits, s.credits AS s_credits"
    "   FROM counted c FULL JOIN stored s ON s.day = c.day AND s.currency = c.currency AND s.account_type = c.type"
    "   LEFT JOIN sums m ON m.day = coalesce(c.day, s.day) AND m.currency = coalesce(c.currency, s.currency)"
    "     AND m.type = coalesce(c.type, s.account_type)),"
    " before AS (SELECT currency, account_type, posted FROM daily_total"
    "   WHERE day = (SELECT max(day) FROM business_day WHERE snapshot_at IS NOT NULL AND day < :first)),"
    " rebuilt AS (SELECT b.*, coalesce(e.posted, 0) + sum(b.credits - b.debits)"
    "     OVER (PARTITION BY b.currency, b.type ORDER BY b.day) AS posted"
    "   FROM both_sides b LEFT JOIN before e ON e.currency = b.currency AND e.account_type = b.type)"
    " SELECT r.day, r.currency, r.type, f.field, f.stored, f.rebuilt FROM rebuilt r"
    " CROSS JOIN LATERAL (VALUES ('accounts', r.s_accounts::numeric, r.accounts::numeric),"
    "   ('posted', r.s_posted, r.posted), ('debits', r.s_debits, r.debits), ('credits', r.s_credits, r.credits))"
    "   AS f (field, stored, rebuilt)"
    " WHERE f.stored IS DISTINCT FROM f.rebuilt ORDER BY r.day, r.currency, r.type, f.field"
)


def compare(first: date, last: date) -> Comparison:
    """Compute the daily balances and totals of a period anew and give each difference; nothing is written.

    Counted from the snapshot before the period: from the first business day on, from the transactions alone.
    """
    session().execute(sa.text("SET LOCAL statement_timeout = '10min'"))
    known = between(first, last)
    period = {"first": first, "last": last}
    totals = session().execute(_TOTALS, period).all()
    accounts = session().execute(_BALANCES, {**period, "most": MOST_DIFFERENCES}).all()
    found = [
        Difference(row.day, None, None, row.currency, row.type, row.field,
                   None if row.stored is None else int(row.stored), int(row.rebuilt))
        for row in totals
    ]  # fmt: skip
    found += [
        Difference(row.day, row.account_id, row.number, row.currency, row.type, row.field,
                   None if row.stored is None else int(row.stored), int(row.rebuilt))
        for row in accounts
        if row.day is not None
    ]  # fmt: skip
    return Comparison(
        days=[view.day for view in known if view.snapshot_at],
        missing=[view.day for view in known if not view.snapshot_at],
        rows=accounts[0].rows,
        count=accounts[0].wrong + len(totals),
        differences=found[:MOST_DIFFERENCES],
    )
