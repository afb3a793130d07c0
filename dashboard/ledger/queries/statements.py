"""Statements: what was booked on an account in a period, with the balance after each entry.

A page costs the same wherever it lies and however many entries there are: it begins with a balance that is known (of
the period's end, or the one that the cursor carries) and counts on from there. Balances at the ends of a period come
from the stored balance or from the snapshots of closed days, never from a sum over the account's history. Everything
is read in one statement, hence in one snapshot: entries and balances fit each other whatever is posted meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.ledger.models import Account, LedgerTransaction, Payment
from dashboard.ledger.queries.balances import CLOCK_STEP
from dashboard.money import Money


@dataclass(frozen=True)
class Period:
    """Booking dates, both included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Counterparty:
    """The account on the other side."""

    id: UUID
    number: str
    type: str
    alias: str | None
    owner_id: UUID | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One posted transaction as the account saw it, in minor units: `amount` is negative where money went out,
    `balance` stood after it."""

    id: UUID
    payment_id: UUID
    parent_type: str
    reverses: bool
    booking_date: date
    value_date: date
    posted_at: datetime
    description: str | None
    other: Counterparty
    amount: int
    balance: int

    @property
    def balance_before(self) -> int:
        return self.balance - self.amount


@dataclass(frozen=True)
class Statement:
    """One page. `opening` and `closing` belong to the whole period, in minor units; entries come newest first.
    `more`: there are entries beyond the end in the direction of reading."""

    period: Period
    currency: str
    opening: int
    closing: int
    entries: Sequence[Entry]
    more: bool


@dataclass(frozen=True)
class Hold:
    """A transaction that waits to be posted. `outgoing`: its amount is held on the account."""

    payment_id: UUID
    created_at: datetime
    money: Money
    description: str | None
    outgoing: bool
    other: Counterparty


#: The end of a business day parts postings, so booking dates are found by posted times; a clock that was set back may
#: blur that line by CLOCK_STEP, hence the dates themselves decide. A balance is that of the last snapshot up to the
#: day, and what was booked on closed days behind it that have no snapshot yet; without an end it is the stored one.
_STATEMENT = """
WITH days AS MATERIALIZED (
    SELECT max(day) FILTER (WHERE day < :first) AS before, max(day) FILTER (WHERE day <= :last) AS until,
           max(day) FILTER (WHERE day < :first AND snapshot_at IS NOT NULL) AS before_kept,
           max(day) FILTER (WHERE day <= :last AND snapshot_at IS NOT NULL) AS until_kept
    FROM business_day
), bounds AS MATERIALIZED (
    SELECT CASE WHEN b.day IS NULL THEN '-infinity' ELSE coalesce(b.closed_at, 'infinity') END AS lower,
           CASE WHEN u.day IS NULL THEN '-infinity' ELSE coalesce(u.closed_at, 'infinity') END AS upper,
           coalesce(d.before, '-infinity') AS before, coalesce(d.until, '-infinity') AS until,
           coalesce(bk.closed_at, '-infinity') - :step AS before_from, coalesce(uk.closed_at, '-infinity') - :step
           AS until_from, coalesce(d.before_kept, '-infinity') AS before_kept,
           coalesce(d.until_kept, '-infinity') AS until_kept
    FROM days d LEFT JOIN business_day b ON b.day = d.before LEFT JOIN business_day u ON u.day = d.until
    LEFT JOIN business_day bk ON bk.day = d.before_kept LEFT JOIN business_day uk ON uk.day = d.until_kept
), ends AS MATERIALIZED (
    SELECT ({balance_at_lower}) AS opening, ({balance_at_upper}) AS closing FROM bounds
), entries AS (
    SELECT * FROM ({debits}) AS debits UNION ALL SELECT * FROM ({credits}) AS credits
    ORDER BY posted_at {way}, id {way} LIMIT :size
)
SELECT ends.opening, ends.closing, e.*, p.parent_type, p.reverses_id IS NOT NULL AS reverses,
       o.number, o.type, o.alias, o.owner_id
FROM ends LEFT JOIN entries e ON true
LEFT JOIN payment p ON p.id = e.payment_id LEFT JOIN account o ON o.id = e.other
ORDER BY e.posted_at {way}, e.id {way}
"""

_BALANCE = """
    CASE WHEN {end} = 'infinity' THEN
        (SELECT coalesce(sum(posted), 0)::bigint FROM account_balance WHERE account_id = :account)
    WHEN {end} = '-infinity' THEN 0
    ELSE coalesce((SELECT posted FROM daily_balance WHERE account_id = :account AND day <= {kept}
                   ORDER BY day DESC LIMIT 1), 0)
        + (SELECT coalesce(sum(amount_minor), 0)::bigint FROM ledger_transaction WHERE state = 'posted'
           AND creditor_account_id = :account AND posted_at > {kept}_from
           AND posted_at <= {end} + :step AND booking_date > {kept}_kept AND booking_date <= {kept})
        - (SELECT coalesce(sum(amount_minor), 0)::bigint FROM ledger_transaction WHERE state = 'posted'
           AND debtor_account_id = :account AND posted_at > {kept}_from
           AND posted_at <= {end} + :step AND booking_date > {kept}_kept AND booking_date <= {kept})
    END"""

_SIDE = """
    SELECT id, payment_id, booking_date, value_date, posted_at, description, {other} AS other,
           {sign}amount_minor AS amount
    FROM ledger_transaction WHERE {own} = :account AND state = 'posted'
      AND posted_at > (SELECT lower - :step FROM bounds) AND posted_at <= (SELECT upper + :step FROM bounds)
      AND booking_date > (SELECT before FROM bounds) AND booking_date <= (SELECT until FROM bounds) {beyond}
    ORDER BY posted_at {way}, id {way} LIMIT :size"""


def _statement_sql(*, beyond: str, way: str) -> sa.TextClause:
    def side(own: str, other: str, sign: str) -> str:
        return _SIDE.format(own=own, other=other, sign=sign, beyond=beyond, way=way)

    return sa.text(
        _STATEMENT.format(
            balance_at_lower=_BALANCE.format(end="lower", kept="before"),
            balance_at_upper=_BALANCE.format(end="upper", kept="until"),
            debits=side("debtor_account_id", "creditor_account_id", "-"),
            credits=side("creditor_account_id", "debtor_account_id", ""),
            way=way,
        )
    )


_NEWEST = _statement_sql(beyond="", way="DESC")
_OLDER = _statement_sql(beyond="AND (posted_at, id) < (:at, :id)", way="DESC")
_NEWER = _statement_sql(beyond="AND (posted_at, id) > (:at, :id)", way="ASC")
_OLDEST = _statement_sql(beyond="", way="ASC")


@dataclass(frozen=True)
class Edge:
    """Where a page begins: the entry at its edge and the balance on the side of the page."""

    at: datetime
    id: UUID
    balance: int

    @classmethod
    def older_than(cls, entry: Entry) -> Edge:
        return cls(entry.posted_at, entry.id, entry.balance_before)

    @classmethod
    def newer_than(cls, entry: Entry) -> Edge:
        return cls(entry.posted_at, entry.id, entry.balance)

    def as_key(self) -> list[Any]:
        """JSON-ready: what a cursor holds."""
        return [self.at.isoformat(), str(self.id), self.balance]

    @classmethod
    def of_key(cls, key: Sequence[Any]) -> Edge:
        return cls(datetime.fromisoformat(key[0]), UUID(key[1]), int(key[2]))


def _rows(sql: sa.TextClause, account_id: UUID, period: Period, size: int, edge: Edge | None = None) -> list[Any]:
    values: dict[str, Any] = {
        "account": account_id, "first": period.first, "last": period.last, "size": size, "step": CLOCK_STEP,
        **({"at": edge.at, "id": edge.id} if edge else {}),
    }  # fmt: skip
    return list(session().execute(sql, values))


def _entry(row: Any, balance: int) -> Entry:
    other = Counterparty(row.other, row.number, row.type, row.alias, row.owner_id)
    return Entry(
        id=row.id, payment_id=row.payment_id, parent_type=row.parent_type, reverses=row.reverses,
        booking_date=row.booking_date, value_date=row.value_date or row.booking_date, posted_at=row.posted_at,
        description=row.description, other=other, amount=row.amount, balance=balance,
    )  # fmt: skip


def page(
    account_id: UUID, currency: str, period: Period, *, size: int, edge: Edge | None = None, backwards: bool = False
) -> Statement:
    """One page, newest first; `edge` is where the page before ended, `backwards` reads towards newer entries."""
    sql = (_NEWER if backwards else _OLDER) if edge else _NEWEST
    rows = _rows(sql, account_id, period, size + 1, edge)
    opening, closing = int(rows[0].opening), int(rows[0].closing)
    found = [row for row in rows if row.id is not None]
    balance = edge.balance if edge else closing
    entries = []
    for row in found[:size]:
        if backwards:
            balance += row.amount
            entries.append(_entry(row, balance))
        else:
            entries.append(_entry(row, balance))
            balance -= row.amount
    if backwards:
        entries.reverse()
    return Statement(period, currency, opening, closing, entries, len(found) > size)


def opening_and_closing(account_id: UUID, period: Period) -> tuple[int, int]:
    """Balances before and after the period, in minor units."""
    row = _rows(_OLDEST, account_id, period, 1)[0]
    return int(row.opening), int(row.closing)


#: entries read at a time
PART = 1_000


def every(account_id: UUID, period: Period, *, closing_edge: Edge | None) -> Iterator[Entry]:
    """All entries of the period, oldest first, up to and including the one at `closing_edge`: what is posted while
    they are read does not belong to what was asked for."""
    edge: Edge | None = None
    while closing_edge is not None:
        rows = [row for row in _rows(_NEWER if edge else _OLDEST, account_id, period, PART, edge) if row.id is not None]
        if edge is None and rows:
            balance = int(rows[0].opening)
        for row in rows:
            if (row.posted_at, row.id) > (closing_edge.at, closing_edge.id):
                return
            balance += row.amount
            yield _entry(row, balance)
        if len(rows) < PART:
            return
        edge = Edge(rows[-1].posted_at, rows[-1].id, balance)


def holds(account_ids: Sequence[UUID], *, limit: int) -> list[Hold]:
    """Pending transactions of the accounts, newest first, at most `limit`; one between two of them comes twice."""
    table = LedgerTransaction
    columns = (table.id, table.payment_id, table.created_at, table.amount_minor, table.currency, table.description)
    sides = []
    for own, other, outgoing in (
        (table.debtor_account_id, table.creditor_account_id, True),
        (table.creditor_account_id, table.debtor_account_id, False),
    ):
        side = sa.select(*columns, other.label("other"), sa.literal(outgoing).label("outgoing"))
        # the second condition names the partial index of what is not finished
        side = side.where(own.in_(list(account_ids)), table.state == sa.literal_column("'pending'"), _LIVE)
        sides.append(sa.select(side.order_by(table.id.desc()).limit(limit).subquery()))
    found = sa.union_all(*sides).subquery()
    rows = session().execute(
        sa.select(found, Account.number, Account.type, Account.alias, Account.owner_id)
        .join(Account, Account.id == found.c.other)
        .order_by(found.c.id.desc())
        .limit(limit)
    )
    return [
        Hold(
            payment_id=row.payment_id, created_at=row.created_at, money=Money(row.amount_minor, row.currency),
            description=row.description, outgoing=row.outgoing,
            other=Counterparty(row.other, row.number, row.type, row.alias, row.owner_id),
        )
        for row in rows
    ]  # fmt: skip


_LIVE = sa.text("ledger_transaction.state IN ('draft', 'pending')")


@dataclass(frozen=True)
class Movement:
    """One of an owner's latest transactions. `amount` is negative where money went out of `account`."""

    id: UUID
    payment_id: UUID
    parent_type: str
    state: str
    created_at: datetime
    description: str | None
    account_id: UUID
    account_number: str
    amount: Money
    other: Counterparty


def latest_of(account_ids: Sequence[UUID], *, limit: int) -> list[Movement]:
    """The newest transactions of any state on the given accounts; few of each account are read, whatever there is."""
    if not account_ids:
        return []
    table = LedgerTransaction
    own = sa.func.unnest(sa.cast(list(account_ids), sa.ARRAY(sa.Uuid))).table_valued("id", name="own").render_derived()
    sides = []
    for column, other, sign in (
        (table.debtor_account_id, table.creditor_account_id, -1),
        (table.creditor_account_id, table.debtor_account_id, 1),
    ):
        newest = (
            sa.select(
                table.id, table.payment_id, table.state, table.created_at, table.description, table.currency,
                (table.amount_minor * sign).label("amount"), column.label("account_id"), other.label("other"),
            )
            .where(column == own.c.id)
            .order_by(table.id.desc())
            .limit(limit)
            .lateral()
        )  # fmt: skip
        sides.append(sa.select(newest).select_from(own.join(newest, sa.true())))
    found = sa.union_all(*sides).subquery()
    mine, others = sa.orm.aliased(Account), sa.orm.aliased(Account)
    top = sa.select(found).order_by(found.c.id.desc()).limit(limit).subquery()
    rows = session().execute(
        sa.select(top, Payment.parent_type, mine.number.label("own_number"), others.number, others.type, others.alias,
                  others.owner_id)
        .join(Payment, Payment.id == top.c.payment_id)
        .join(mine, mine.id == top.c.account_id)
        .join(others, others.id == top.c.other)
        .order_by(top.c.id.desc(), top.c.amount)
    )  # fmt: skip
    return [
        Movement(
            id=row.id, payment_id=row.payment_id, parent_type=row.parent_type, state=row.state,
            created_at=row.created_at, description=row.description, account_id=row.account_id,
            account_number=row.own_number, amount=Money(row.amount, row.currency),
            other=Counterparty(row.other, row.number, row.type, row.alias, row.owner_id),
        )
        for row in rows
    ]  # fmt: skip
