"""What clients have at the end of a closed business day, by pool and currency; all amounts are minor units.

The requirement is built up from each client's balance, not from a total (CASS 15.8.31R): `added_up` looks at every
account, once a day, and its result is kept. `derived` gives the same from the day's totals and the few accounts that
are below nought: for a page that cannot wait, and to compare the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.ledger.models import Account, BusinessDay
from dashboard.ledger.queries import balances
from dashboard.ledger.queries.balances import CLIENT_PAYS
from dashboard.money import Money
from dashboard.treasury.positions.models import ClientSum, PositionFrozen
from dashboard.treasury.positions.vocabulary import Figure
from dashboard.treasury.register.models import AccountPool
from dashboard.treasury.vocabulary import Pool

#: ways of reading a list that look at all accounts first
_IN_INDEX_ORDER = ("enable_seqscan", "enable_sort", "enable_bitmapscan", "enable_hashjoin")
#: accounts that are read at once
_PART = 5_000
#: pool and currency
Pair = tuple[str, str]


@dataclass(frozen=True)
class Sums:
    """`positive` and `negative` are apart, never netted; `frozen` is part of `positive`."""

    accounts: int
    positive: int
    negative: int
    frozen: int


NOTHING = Sums(0, 0, 0, 0)

#: the balance of account `a` at the end of the day
_AT_END = (
    "JOIN LATERAL (SELECT b.posted FROM daily_balance b WHERE b.account_id = a.id AND b.day <= :day"
    " ORDER BY b.day DESC LIMIT 1) AS at_end ON true"
)
#: accounts that are frozen now: what was frozen on a past day is not written down anywhere
_FROZEN = (
    "LEFT JOIN (SELECT DISTINCT account_id FROM account_balance WHERE debits_frozen OR credits_frozen) AS frozen"
    " ON frozen.account_id = a.id"
)

_TOTALS = sa.text("SELECT currency, posted FROM daily_total WHERE day = :day AND account_type = 'client'")

_ADDED_UP = sa.text(
    "SELECT coalesce(p.pool, 'eMoney') AS pool, count(*) FILTER (WHERE at_end.posted <> 0) AS accounts,"
    " coalesce(sum(greatest(at_end.posted, 0)), 0) AS positive,"
    " coalesce(sum(least(at_end.posted, 0)), 0) AS negative,"
    " coalesce(sum(greatest(at_end.posted, 0)) FILTER (WHERE frozen.account_id IS NOT NULL), 0) AS frozen"
    f" FROM account a LEFT JOIN account_pool p ON p.account_id = a.id {_FROZEN} {_AT_END}"
    " WHERE a.type = 'client' AND a.currency = :currency GROUP BY 1"
)


def added_up(day: date, currency: str) -> dict[str, Sums]:
    """By pool, from the balance of every client account of the currency. Takes seconds for a million accounts; longer
    where the snapshot of the day is not written yet, and the movements since the one before are read."""
    written = session().scalar(sa.select(BusinessDay.snapshot_at).where(BusinessDay.day == day))
    if written is None:
        return _walked(day, currency)
    rows = session().execute(_ADDED_UP, {"day": day, "currency": currency})
    found = {pool.value: NOTHING for pool in Pool}
    for row in rows:
        found[row.pool] = Sums(int(row.accounts), int(row.positive), int(row.negative), int(row.frozen))
    return found


_IN_ORDER = sa.text(
    "SELECT a.id, coalesce(p.pool, 'eMoney') AS pool, EXISTS (SELECT 1 FROM account_balance b"
    " WHERE b.account_id = a.id AND (b.debits_frozen OR b.credits_frozen)) AS frozen"
    " FROM account a LEFT JOIN account_pool p ON p.account_id = a.id"
    " WHERE a.type = 'client' AND a.currency = :currency AND (CAST(:after AS uuid) IS NULL OR a.id > :after)"
    " ORDER BY a.id LIMIT :limit"
)


def _walked(day: date, currency: str) -> dict[str, Sums]:
    found = {pool.value: NOTHING for pool in Pool}
    after: UUID | None = None
    while True:
        part = session().execute(_IN_ORDER, {"currency": currency, "after": after, "limit": _PART}).all()
        stands = balances.at_end_of([row.id for row in part], day)
        for row in part:
            posted, so_far = stands[row.id].posted, found[row.pool]
            found[row.pool] = Sums(
                so_far.accounts + (posted != 0),
                so_far.positive + max(posted, 0),
                so_far.negative + min(posted, 0),
                so_far.frozen + (max(posted, 0) if row.frozen else 0),
            )
        if len(part) < _PART:
            return found
        after = part[-1].id


_DERIVED = sa.text(
    "WITH total AS ("
    " SELECT currency, posted FROM daily_total WHERE day = :day AND account_type = 'client'"
    "), apart AS ("
    # accounts of a pool of their own
    " SELECT a.currency, p.pool, sum(at_end.posted) AS posted, sum(least(at_end.posted, 0)) AS negative,"
    " count(*) FILTER (WHERE at_end.posted <> 0) AS accounts"
    " FROM account_pool p"
    " CROSS JOIN LATERAL (SELECT x.id, x.currency FROM account x WHERE x.id = p.account_id OFFSET 0) AS a"
    f" {_AT_END} WHERE p.pool <> 'eMoney' GROUP BY 1, 2"
    "), below AS ("
    " SELECT a.currency, sum(b.posted) AS negative FROM daily_balance b"
    " CROSS JOIN LATERAL (SELECT x.currency, x.type FROM account x WHERE x.id = b.account_id OFFSET 0) AS a"
    " WHERE b.posted < 0 AND b.day <= :day AND a.type = 'client'"
    " AND NOT EXISTS (SELECT 1 FROM daily_balance l WHERE l.account_id = b.account_id AND l.day <= :day"
    "   AND l.day > b.day)"
    " AND NOT EXISTS (SELECT 1 FROM account_pool p WHERE p.account_id = b.account_id AND p.pool <> 'eMoney')"
    " GROUP BY 1"
    "), frozen AS ("
    " SELECT a.currency, coalesce(p.pool, 'eMoney') AS pool, sum(greatest(at_end.posted, 0)) AS posted"
    " FROM (SELECT DISTINCT account_id FROM account_balance WHERE debits_frozen OR credits_frozen) AS f"
    " CROSS JOIN LATERAL (SELECT x.id, x.currency, x.type FROM account x WHERE x.id = f.account_id OFFSET 0) AS a"
    f" LEFT JOIN account_pool p ON p.account_id = a.id {_AT_END}"
    " WHERE a.type = 'client' GROUP BY 1, 2"
    "), pools AS ("
    " SELECT t.currency, 'eMoney' AS pool,"
    " t.posted - coalesce((SELECT sum(x.posted) FROM apart x WHERE x.currency = t.currency), 0) AS posted,"
    " coalesce(b.negative, 0) AS negative"
    " FROM total t LEFT JOIN below b ON b.currency = t.currency"
    " UNION ALL SELECT currency, pool, posted, negative FROM apart"
    ") SELECT s.pool, s.currency, s.posted - s.negative AS positive, s.negative, coalesce(f.posted, 0) AS frozen"
    " FROM pools s LEFT JOIN frozen f ON f.pool = s.pool AND f.currency = s.currency"
)


def derived(day: date) -> dict[Pair, Sums]:
    """All pools and currencies of a day with a snapshot; the number of accounts is not known (nought)."""
    rows = session().execute(_DERIVED, {"day": day})
    return {
        (row.pool, row.currency): Sums(0, int(row.positive), int(row.negative), int(row.frozen)) for row in rows
    }  # fmt: skip


def kept(day: date) -> dict[Pair, ClientSum]:
    """What was worked out of the day, as long as it holds: no account changed its pool since."""
    rows = session().scalars(
        sa.select(ClientSum).where(ClientSum.day == day).execution_options(populate_existing=True)
    )  # fmt: skip
    changed = session().scalar(sa.select(sa.func.max(AccountPool.since)))
    return {(row.pool, row.currency): row for row in rows if changed is None or changed <= row.computed_at}


def _agreeing(day: date, totals: Mapping[Pair, Sums]) -> dict[Pair, Sums]:
    found = {pair: Sums(row.accounts, row.positive_minor, row.negative_minor, row.frozen_minor)
             for pair, row in kept(day).items()}  # fmt: skip
    if not totals:
        # the snapshot of the day is not written: there is nothing to compare with
        return found

    def same(pair: Pair, one: Sums) -> bool:
        total = totals.get(pair, NOTHING)
        return (one.positive, one.negative) == (total.positive, total.negative)

    return {pair: one for pair, one in found.items() if same(pair, one)}


def agreeing(day: date) -> dict[Pair, Sums]:
    """What was added up and agrees with the totals of the day; a sum that does not is none."""
    return _agreeing(day, derived(day))


def _adds_up(day: date, added: Mapping[Pair, Sums]) -> bool:
    """Whether the sums of all pools make the day's total of each currency, and each was added up: a total of nothing
    may be made of what clients have and what they owe."""
    posted = {row.currency: int(row.posted) for row in session().execute(_TOTALS, {"day": day})}
    if not posted.keys() <= {currency for _, currency in added}:
        return False
    made = dict.fromkeys(posted, 0)
    for (_, currency), one in added.items():
        made[currency] = made.get(currency, 0) + one.positive + one.negative
    return bool(posted) and all(posted.get(currency, 0) == amount for currency, amount in made.items())


def known(day: date) -> Mapping[Pair, Sums]:
    """What was added up, where all of it makes the day's totals; else, pool by pool, what was added up and agrees with
    what is derived, and what is derived for the rest. A page need not derive anything, which takes as long as there are
    accounts in pools of their own; `agreeing`, before a day is prepared, does."""
    added = {pair: Sums(row.accounts, row.positive_minor, row.negative_minor, row.frozen_minor)
             for pair, row in kept(day).items()}  # fmt: skip
    if _adds_up(day, added):
        return added
    totals = derived(day)
    found = _agreeing(day, totals)
    return {pair: found.get(pair, totals.get(pair, NOTHING)) for pair in {*found, *totals}}


def currencies(day: date) -> list[str]:
    """Those in which clients had accounts."""
    return list(
        session().scalars(
            sa.text("SELECT currency FROM daily_total WHERE day = :day AND account_type = 'client' ORDER BY 1"),
            {"day": day},
        )
    )


# what is now

_NOW = sa.text(
    "WITH house AS ("
    " SELECT a.currency, -sum(b.posted) AS posted FROM account a CROSS JOIN LATERAL"
    " (SELECT sum(x.posted) AS posted FROM account_balance x WHERE x.account_id = a.id OFFSET 0) AS b"
    " WHERE a.owner_id IS NULL GROUP BY 1"
    "), apart AS ("
    " SELECT b.currency, p.pool, sum(b.posted) AS posted, sum(least(b.posted, 0)) AS negative, sum(b.held) AS held"
    " FROM account_pool p JOIN account_balance b ON b.account_id = p.account_id WHERE p.pool <> 'eMoney' GROUP BY 1, 2"
    "), below AS ("
    " SELECT b.currency, sum(b.posted) AS negative FROM account_balance b"
    " WHERE b.limit_minor > 0 AND b.posted < 0"
    " AND NOT EXISTS (SELECT 1 FROM account_pool p WHERE p.account_id = b.account_id AND p.pool <> 'eMoney')"
    " GROUP BY 1"
    "), held AS ("
    " SELECT t.currency, coalesce(p.pool, 'eMoney') AS pool, sum(t.amount_minor) AS held FROM ledger_transaction t"
    f" LEFT JOIN account_pool p ON p.account_id = t.debtor_account_id WHERE t.state = 'pending' AND {CLIENT_PAYS}"
    " GROUP BY 1, 2"
    "), pools AS ("
    # what clients have is what the house has not: all balances of a currency add up to nought
    " SELECT h.currency, 'eMoney' AS pool,"
    " h.posted - coalesce((SELECT sum(x.posted) FROM apart x WHERE x.currency = h.currency), 0) AS posted,"
    " coalesce(b.negative, 0) AS negative FROM house h LEFT JOIN below b ON b.currency = h.currency"
    " UNION ALL SELECT currency, pool, posted, negative FROM apart"
    ") SELECT s.pool, s.currency, s.posted - s.negative AS positive, s.negative, coalesce(h.held, 0) AS held"
    " FROM pools s LEFT JOIN held h ON h.pool = s.pool AND h.currency = s.currency"
)


@dataclass(frozen=True)
class NowSums:
    """`held` is reserved for pending withdrawals and part of `positive`."""

    positive: int
    negative: int
    held: int


def now() -> dict[Pair, NowSums]:
    """As stored at this moment, by pool and currency."""
    rows = session().execute(_NOW)
    return {(row.pool, row.currency): NowSums(int(row.positive), int(row.negative), int(row.held)) for row in rows}


# the accounts behind a figure


@dataclass(frozen=True)
class AccountRow:
    """One client account with its balance at the end of the day."""

    account_id: UUID
    number: str
    owner_id: UUID | None
    balance: Money
    frozen: bool


_CONDITIONS = {
    Figure.CLIENTS: "at_end.posted > 0",
    Figure.NEGATIVE: "at_end.posted < 0",
    Figure.FROZEN: "at_end.posted > 0",
}


#: the pool of account `a`, as it is now or as it was when a day was prepared
_POOL_NOW = "LEFT JOIN account_pool p ON p.account_id = a.id"
_POOL_THEN = (
    "LEFT JOIN LATERAL (SELECT v.account_id, v.pool FROM account_pool_version v WHERE v.account_id = a.id"
    " AND v.since <= :moment ORDER BY v.since DESC LIMIT 1) AS p ON true"
)


def accounts(
    figure: Figure, pool: str, currency: str, day: date, *, after: UUID | None = None, limit: int | None,
    as_at: datetime | None = None,
) -> list[AccountRow]:  # fmt: skip
    """In the order of their identifiers; `limit` bounds what is given, not what is looked at. `as_at`: each in the pool
    that it belonged to then."""
    pool_is = "p.account_id IS NULL OR p.pool = 'eMoney'" if pool == Pool.E_MONEY else "p.pool = :pool"
    if figure is Figure.NEGATIVE:
        source = (
            "(SELECT DISTINCT x.id, x.number, x.owner_id, x.type, x.currency FROM daily_balance d"
            " JOIN account x ON x.id = d.account_id WHERE d.posted < 0 AND d.day <= :day) AS a"
        )
    elif figure is Figure.FROZEN:
        source = (
            "(SELECT DISTINCT x.id, x.number, x.owner_id, x.type, x.currency FROM account_balance f"
            " JOIN account x ON x.id = f.account_id WHERE f.debits_frozen OR f.credits_frozen) AS a"
        )
    elif pool != Pool.E_MONEY:
        source = (
            "(SELECT DISTINCT v.account_id FROM account_pool_version v WHERE v.pool = :pool) AS q"
            " JOIN account a ON a.id = q.account_id"
        )
    else:
        source = "account a"
    statement = sa.text(
        f"SELECT a.id, a.number, a.owner_id, at_end.posted,"
        " EXISTS (SELECT 1 FROM account_balance f WHERE f.account_id = a.id AND (f.debits_frozen OR f.credits_frozen))"
        f" AS frozen FROM {source} {_POOL_THEN if as_at else _POOL_NOW} {_AT_END}"
        " WHERE a.type = 'client' AND a.currency = :currency"
        f" AND {_CONDITIONS[figure]} AND ({pool_is}){' AND a.id > :after' if after else ''}"
        f" ORDER BY a.id{' LIMIT :limit' if limit is not None else ''}"
    )
    # the first page in the order of an index, never all accounts sorted to show fifty
    for way in _IN_INDEX_ORDER:
        session().execute(sa.text(f"SET LOCAL {way} = off"))
    rows = session().execute(
        statement,
        {"day": day, "currency": currency, **({"limit": limit} if limit is not None else {}),
         **({"after": after} if after else {}), **({} if pool == Pool.E_MONEY else {"pool": pool}),
         **({"moment": as_at} if as_at else {})},
    ).all()  # fmt: skip
    for way in _IN_INDEX_ORDER:
        session().execute(sa.text(f"SET LOCAL {way} = on"))
    return [AccountRow(row.id, row.number, row.owner_id, Money(int(row.posted), currency), row.frozen) for row in rows]


def frozen(pool: str, currency: str, day: date) -> list[AccountRow]:
    """Every account that is frozen now, with what lay there at the end of the day."""
    return accounts(Figure.FROZEN, pool, currency, day, limit=None)


def frozen_then(
    treasury_day_id: UUID, currency: str, *, after: UUID | None = None, limit: int
) -> list[AccountRow]:  # fmt: skip
    """Those that were frozen when a version of a day was prepared, in the order of their identifiers."""
    query = (
        sa.select(Account.id, Account.number, Account.owner_id, PositionFrozen.amount_minor)
        .join(PositionFrozen, PositionFrozen.account_id == Account.id)
        .where(PositionFrozen.treasury_day_id == treasury_day_id)
        .order_by(PositionFrozen.account_id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(PositionFrozen.account_id > after)
    return [
        AccountRow(id, number, owner_id, Money(amount, currency), True)
        for id, number, owner_id, amount in session().execute(query)
    ]
