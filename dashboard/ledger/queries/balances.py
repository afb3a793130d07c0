"""Balances now, at a past moment and at the end of a day; totals of the whole ledger.

The past is the snapshot of a closed day plus the movements after it: what it costs depends on those, not on how long
the account has existed. All amounts are minor units.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.database import session
from dashboard.ledger.models import Account, AccountBalance, BusinessDay

#: a clock that was set back by less than this takes nothing from a balance: movements after a closed day are told by
#: their booking date, and posted times only say where to look
CLOCK_STEP = timedelta(minutes=1)


@dataclass(frozen=True)
class AccountSum:
    """The balance of one account. `held` is None where it is not known: holds come and go and are not booked."""

    account_id: UUID
    number: str
    currency: str
    posted: int
    held: int | None

    @property
    def available(self) -> int | None:
        """Posted minus held."""
        return None if self.held is None else self.posted - self.held


class _Base(NamedTuple):
    """The closed day that is counted from; day None: from the beginning."""

    day: date | None
    closed_at: datetime | None


def _base(*conditions: sa.ColumnElement[bool]) -> _Base:
    row = (
        session()
        .execute(
            sa.select(BusinessDay.day, BusinessDay.closed_at)
            .where(BusinessDay.snapshot_at.is_not(None), *conditions)
            .order_by(BusinessDay.day.desc())
            .limit(1)
        )
        .first()
    )
    return _Base(row.day, row.closed_at) if row else _Base(None, None)


def now(account_ids: Iterable[UUID]) -> dict[UUID, AccountSum]:
    """Balances as they are stored. Unknown accounts are left out."""
    rows = session().execute(
        sa.select(
            Account.id,
            Account.number,
            Account.currency,
            sa.func.coalesce(sa.func.sum(AccountBalance.posted), 0),
            sa.func.coalesce(sa.func.sum(AccountBalance.held), 0),
        )
        .outerjoin(AccountBalance, AccountBalance.account_id == Account.id)
        .where(Account.id.in_(set(account_ids)))
        .group_by(Account.id)
    )
    return {row[0]: AccountSum(row[0], row[1], row[2], int(row[3]), int(row[4])) for row in rows}


_BOUNDS = """
    SELECT coalesce(CAST(:since AS timestamptz), '-infinity') AS since,
           coalesce(CAST(:day AS date), '-infinity') AS day,
           CAST(:moment AS timestamptz) AS moment, coalesce(CAST(:last AS date), 'infinity') AS last,
           coalesce(CAST(:until AS timestamptz), 'infinity') AS until OFFSET 0"""


def _sides(*where: str) -> str:
    """What an account's movements sum up to on either side.

    The bounds come from a subquery that the planner cannot look into. By its statistics of yesterday nothing is
    booked today, so with the values in sight the indexes of dates alone would look cheaper than they are, for each
    account anew; without them the index of account and posted time always wins.
    """
    return " ".join(
        "LEFT JOIN LATERAL (SELECT sum(t.amount_minor) AS amount FROM ledger_transaction t"
        f" WHERE t.{side}_account_id = a.id AND t.state = 'posted' AND t.booking_date > k.day"
        f" AND {' AND '.join(where)}) AS {side} ON true"
        for side in ("creditor", "debtor")
    )


def _summing(until: str) -> sa.TextClause:
    """The latest snapshot of each account, and its movements after it up to `until`."""
    return sa.text(
        "SELECT a.id, a.number, a.currency,"
        " coalesce(snap.posted, 0) + coalesce(creditor.amount, 0) - coalesce(debtor.amount, 0) AS posted"
        f" FROM account a CROSS JOIN ({_BOUNDS}) AS k"
        " LEFT JOIN LATERAL (SELECT b.posted FROM daily_balance b"
        "   WHERE b.account_id = a.id AND b.day <= k.day ORDER BY b.day DESC LIMIT 1) AS snap ON true"
        f" {_sides('t.posted_at >= k.since', until)} WHERE a.id = ANY (:ids)"
    )


def _counting_back(stands: str) -> sa.TextClause:
    """What `stands` later, without the movements between the moment and then. Movements of days that had ended by the
    moment belong to it in any case, whatever the clock said: so both ways give the same."""
    return sa.text(
        "SELECT a.id, a.number, a.currency,"
        " coalesce(later.posted, 0) - coalesce(creditor.amount, 0) + coalesce(debtor.amount, 0) AS posted"
        f" FROM account a CROSS JOIN ({_BOUNDS}) AS k LEFT JOIN LATERAL ({stands}) AS later ON true"
        f" {_sides('t.posted_at > k.moment', 't.posted_at <= k.until', 't.booking_date <= k.last')}"
        " WHERE a.id = ANY (:ids)"
    )


_AT = _summing("t.posted_at <= k.moment")
_AT_END_OF = _summing("t.booking_date <= k.last")
_BACK_FROM_NOW = _counting_back("SELECT sum(b.posted) AS posted FROM account_balance b WHERE b.account_id = a.id")
_BACK_FROM_END = _counting_back(
    "SELECT b.posted FROM daily_balance b WHERE b.account_id = a.id AND b.day <= k.last ORDER BY b.day DESC LIMIT 1"
)


def _summed(
    statement: sa.TextClause,
    account_ids: Iterable[UUID],
    base: _Base,
    moment: datetime | None = None,
    last: date | None = None,
    until: datetime | None = None,
) -> dict[UUID, AccountSum]:
    since = base.closed_at - CLOCK_STEP if base.closed_at else None
    rows = session().execute(
        statement,
        {
            "ids": list(set(account_ids)), "since": since, "day": base.day, "moment": moment, "last": last,
            "until": until,
        },
    )  # fmt: skip
    return {row.id: AccountSum(row.id, row.number, row.currency, int(row.posted), None) for row in rows}


def at(account_ids: Iterable[UUID], moment: datetime) -> dict[UUID, AccountSum]:
    """What was posted at or before the moment; `held` is not known. Unknown accounts are left out.

    Counted from the nearer side: on from the last day that had ended by then, or back from the end of the next one,
    or from what is stored now.
    """
    base = _base(BusinessDay.closed_at <= moment)
    later = (
        session()
        .execute(
            sa.select(BusinessDay.day, BusinessDay.closed_at)
            .where(BusinessDay.snapshot_at.is_not(None), BusinessDay.closed_at > moment)
            .order_by(BusinessDay.day)
            .limit(1)
        )
        .first()
    )
    ends = later.closed_at if later else clock.now()
    if base.closed_at is not None and moment - base.closed_at < ends - moment:
        return _summed(_AT, account_ids, base, moment=moment)
    if later is None:
        return _summed(_BACK_FROM_NOW, account_ids, base, moment=moment)
    until = later.closed_at + CLOCK_STEP
    return _summed(_BACK_FROM_END, account_ids, base, moment=moment, last=later.day, until=until)


def at_end_of(account_ids: Iterable[UUID], day: date) -> dict[UUID, AccountSum]:
    """What was booked on or before the day, closed or not. Unknown accounts are left out."""
    return _summed(_AT_END_OF, account_ids, _base(BusinessDay.day <= day), last=day)


@dataclass(frozen=True)
class Total:
    """Sums over all accounts of one currency and type, closed ones included."""

    currency: str
    account_type: str
    accounts: int
    posted: int
    held: int

    @property
    def available(self) -> int:
        """Posted minus held."""
        return self.posted - self.held


@dataclass(frozen=True)
class Totals:
    as_of: datetime
    items: Sequence[Total]


#: of transaction `t`; the house has few accounts, and every other one is a client's: so none of theirs is looked up
CLIENT_PAYS = "t.debtor_account_id NOT IN (SELECT own.id FROM account own WHERE own.owner_id IS NULL)"


def totals(*, currency: str | None = None, account_type: str | None = None) -> Totals:
    """Sums per currency and account type, exact and equal to the sum over all accounts, of which only those of the
    house are read: what clients have is what the house has not, as all posted balances of a currency sum up to zero.

    How many accounts there are is counted from the last closed day on.
    """
    base = _base()
    kind = (" AND a.currency = :currency" if currency else "") + (" AND a.type = :account_type" if account_type else "")
    snapshot = (
        "SELECT s.currency, s.account_type AS type, s.accounts, 0 AS posted, 0 AS held FROM daily_total s"
        " WHERE s.day = :day"
        + (" AND s.currency = :currency" if currency else "")
        + (" AND s.account_type = :account_type" if account_type else "")
        + " UNION ALL "
        if base.day
        else ""
    )
    opened = "a.created_at > :closed_at" if base.day else "true"
    pending = (" AND t.currency = :currency" if currency else "") + (
        " AND :account_type = 'client'" if account_type else ""
    )
    one_type = " WHERE h.type = :account_type" if account_type else ""
    statement = sa.text(
        "WITH house AS MATERIALIZED ("
        " SELECT a.currency, a.type, sum(b.posted) AS posted"
        " FROM account a JOIN account_balance b ON b.account_id = a.id"
        f" WHERE a.owner_id IS NULL{' AND a.currency = :currency' if currency else ''} GROUP BY 1, 2"
        ") SELECT p.currency, p.type, sum(p.accounts) AS accounts, sum(p.posted) AS posted, sum(p.held) AS held,"
        " statement_timestamp() AS as_of FROM ("
        f"{snapshot}"
        " SELECT h.currency, h.type, 0, h.posted, 0 FROM ("
        "   SELECT * FROM house UNION ALL SELECT currency, 'client', -sum(posted) FROM house GROUP BY 1"
        f" ) AS h{one_type}"
        " UNION ALL"
        " SELECT t.currency, 'client', 0, 0, sum(t.amount_minor) FROM ledger_transaction t"
        f" WHERE t.state = 'pending' AND {CLIENT_PAYS}{pending} GROUP BY 1"
        " UNION ALL"
        f" SELECT a.currency, a.type, count(*), 0, 0 FROM account a WHERE {opened}{kind} GROUP BY 1, 2"
        ") AS p (currency, type, accounts, posted, held) GROUP BY p.currency, p.type"
        # the house may have accounts in a currency in which no client has one
        " HAVING sum(p.accounts) > 0 ORDER BY p.currency, p.type"
    )
    rows = session().execute(
        statement,
        {
            name: value
            for name, value in {
                "currency": currency, "account_type": account_type, "day": base.day, "closed_at": base.closed_at,
            }.items()
            if value is not None
        },
    ).all()  # fmt: skip
    as_of: datetime = rows[0].as_of if rows else session().execute(sa.text("SELECT statement_timestamp()")).scalar_one()
    return Totals(as_of, [Total(r.currency, r.type, int(r.accounts), int(r.posted), int(r.held)) for r in rows])
