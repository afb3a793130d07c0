"""Statements: what was booked on an account in a period, with the balance after each entry.

A page costs the same wherever it lies and however many entries there are: it begins with a balance that is known (of
the period's end, or the one that the cursor carries) and counts on from there. Balances at the ends of a period come
from the stored balance or from the snapshots of closed days, never from a sum over the account's history. Everything
is read in one statement, hence in one snapshot: entries and balances fit each other whatever is posted meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
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


@dataclass(frozen=True)
class _Line:
    """The end of a business day, as it parts postings: what was booked up to `day` was posted up to `at`. `at` None:
    the day is still open. `kept`: the last day up to it that has a snapshot, and when that ended."""

    day: date
    at: datetime | None
    kept: date | None
    kept_at: datetime | None


@dataclass(frozen=True)
class _Bounds:
    """Between which ends of days a period lies; None: before the first. `open_day` was open when this was read."""

    before: _Line | None
    until: _Line | None
    open_day: date | None


_LINES = sa.text("""
WITH days AS (
    SELECT max(day) FILTER (WHERE day < :first) AS before, max(day) FILTER (WHERE day <= :last) AS until,
           max(day) FILTER (WHERE day < :first AND snapshot_at IS NOT NULL) AS before_kept,
           max(day) FILTER (WHERE day <= :last AND snapshot_at IS NOT NULL) AS until_kept,
           max(day) FILTER (WHERE state = 'open') AS open_day
    FROM business_day
)
SELECT d.*, b.closed_at AS before_at, u.closed_at AS until_at, bk.closed_at AS before_kept_at,
       uk.closed_at AS until_kept_at
FROM days d LEFT JOIN business_day b ON b.day = d.before LEFT JOIN business_day u ON u.day = d.until
LEFT JOIN business_day bk ON bk.day = d.before_kept LEFT JOIN business_day uk ON uk.day = d.until_kept
""")


def _bounds(period: Period) -> _Bounds:
    row = session().execute(_LINES, {"first": period.first, "last": period.last}).one()
    return _Bounds(
        _Line(row.before, row.before_at, row.before_kept, row.before_kept_at) if row.before else None,
        _Line(row.until, row.until_at, row.until_kept, row.until_kept_at) if row.until else None,
        row.open_day,
    )


#: `booking_date + 0` is a condition that no index serves: the planner must walk along the account's own index
_BOOKED = "state = 'posted' AND booking_date + 0 > :{after} AND booking_date + 0 <= :{upto}"

_SIDE = """
    SELECT id, payment_id, booking_date, value_date, posted_at, description, {other} AS other,
           {sign}amount_minor AS amount
    FROM ledger_transaction
    WHERE {own} = :account AND posted_at >= :lower AND posted_at <= :upper AND {booked} {beyond}
    ORDER BY posted_at {way}, id {way} LIMIT :size"""

#: an open day that is another one than the bounds knew means that the day ended meanwhile: read again
_STATEMENT = """
WITH entries AS (
    SELECT * FROM ({debits}) AS debits UNION ALL SELECT * FROM ({credits}) AS credits
    ORDER BY posted_at {way}, id {way} LIMIT :size
)
SELECT ends.opening, ends.closing, ends.open_day, e.*, p.parent_type, p.reverses_id IS NOT NULL AS reverses,
       o.number, o.type, o.alias, o.owner_id
FROM (SELECT {opening} AS opening, {closing} AS closing,
             (SELECT day FROM business_day WHERE state = 'open') AS open_day) AS ends
LEFT JOIN entries e ON true
LEFT JOIN payment p ON p.id = e.payment_id LEFT JOIN account o ON o.id = e.other
ORDER BY e.posted_at {way}, e.id {way}
"""

_STORED = "(SELECT coalesce(sum(posted), 0)::bigint FROM account_balance WHERE account_id = :account)"
_SNAPSHOT = """coalesce((SELECT posted FROM daily_balance WHERE account_id = :account AND day <= :{name}_day
                    ORDER BY day DESC LIMIT 1), 0)"""
_SINCE = """{sign} (SELECT coalesce(sum(amount_minor), 0)::bigint FROM ledger_transaction
                WHERE {own} = :account AND posted_at > :{name}_from AND posted_at <= :{name}_to AND {booked})"""

_DEBTOR, _CREDITOR = "debtor_account_id", "creditor_account_id"
_EVER = datetime(1, 1, 2, tzinfo=UTC)
_NEVER = datetime(9999, 12, 30, tzinfo=UTC)


def _balance(name: str, line: _Line | None, values: dict[str, Any]) -> str:
    """The balance at an end of a period in SQL; its values are added to `values`. It is the stored one, or that of the
    last snapshot and what was booked on the closed days behind it, as long as their snapshots are not written."""
    if line is None:
        return "0"
    if line.at is None:
        return _STORED
    values[f"{name}_day"] = line.day
    parts = [_SNAPSHOT.format(name=name)]
    if line.kept != line.day:
        values[f"{name}_from"] = line.kept_at - CLOCK_STEP if line.kept_at else _EVER
        values[f"{name}_to"] = line.at + CLOCK_STEP
        values[f"{name}_kept"] = line.kept or date.min
        booked = _BOOKED.format(after=f"{name}_kept", upto=f"{name}_day")
        parts += [
            _SINCE.format(sign=sign, own=own, name=name, booked=booked)
            for sign, own in (("+", _CREDITOR), ("-", _DEBTOR))
        ]
    return " ".join(parts)


def _statement(bounds: _Bounds, edge: Edge | None, way: str) -> tuple[str, dict[str, Any]]:
    """The statement of one page, and its values. The end of a business day parts postings, so booking dates are found
    by posted times; a clock that was set back may blur that line by CLOCK_STEP, hence the dates themselves decide."""
    before, until = bounds.before, bounds.until
    values: dict[str, Any] = {
        "after_day": before.day if before else date.min,
        "upto_day": until.day if until else date.min,
        "lower": _EVER if before is None else before.at - CLOCK_STEP if before.at else _NEVER,
        "upper": _EVER if until is None else until.at + CLOCK_STEP if until.at else _NEVER,
    }
    beyond = ""
    if edge is not None:
        # the scan of the index begins at a plain bound, and would read up to the pair from a wider one
        values |= {"upper" if way == "DESC" else "lower": edge.at, "at": edge.at, "id": edge.id}
        beyond = f"AND (posted_at, id) {'<' if way == 'DESC' else '>'} (:at, :id)"
    booked = _BOOKED.format(after="after_day", upto="upto_day")
    debits, credits = (
        _SIDE.format(own=own, other=other, sign=sign, booked=booked, beyond=beyond, way=way)
        for own, other, sign in ((_DEBTOR, _CREDITOR, "-"), (_CREDITOR, _DEBTOR, ""))
    )
    opening, closing = _balance("opening", before, values), _balance("closing", until, values)
    sql = _STATEMENT.format(debits=debits, credits=credits, opening=opening, closing=closing, way=way)
    return sql, values


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


#: a day ends once in a day
_TRIES = 3


def _rows(account_id: UUID, period: Period, size: int, edge: Edge | None = None, *, way: str = "DESC") -> list[Any]:
    """At least one row: with the balances, and without an entry where there is none."""
    for _ in range(_TRIES):
        bounds = _bounds(period)
        sql, values = _statement(bounds, edge, way)
        rows = list(session().execute(sa.text(sql), {**values, "account": account_id, "size": size}))
        if rows[0].open_day == bounds.open_day:
            break
    return rows


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
    rows = _rows(account_id, period, size + 1, edge, way="ASC" if backwards else "DESC")
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


#: entries read at a time
PART = 1_000


def every(account_id: UUID, period: Period, *, closing_edge: Edge | None) -> Iterator[Entry]:
    """All entries of the period, oldest first, up to and including the one at `closing_edge`: what is posted while
    they are read does not belong to what was asked for."""
    edge: Edge | None = None
    while closing_edge is not None:
        rows = [row for row in _rows(account_id, period, PART, edge, way="ASC") if row.id is not None]
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


#: the second condition on the state names the partial index of what is not finished
_PENDING_SIDE = """
    SELECT t.* FROM unnest(CAST(:accounts AS uuid[])) AS own (id) CROSS JOIN LATERAL (
        SELECT id, payment_id, created_at, currency, description, amount_minor, {other} AS other,
               {outgoing} AS outgoing
        FROM ledger_transaction
        WHERE {own} = own.id AND state = 'pending' AND state IN ('draft', 'pending') ORDER BY id DESC LIMIT :size
    ) AS t"""

_PENDING = sa.text(f"""
WITH newest AS (
    SELECT * FROM ({_PENDING_SIDE.format(own=_DEBTOR, other=_CREDITOR, outgoing="true")}
                   UNION ALL {_PENDING_SIDE.format(own=_CREDITOR, other=_DEBTOR, outgoing="false")}) AS sides
    ORDER BY id DESC, outgoing LIMIT :size
)
SELECT n.*, o.number, o.type, o.alias, o.owner_id FROM newest n JOIN account o ON o.id = n.other
ORDER BY n.id DESC, n.outgoing
""")


def holds(account_ids: Sequence[UUID], *, limit: int) -> list[Hold]:
    """Pending transactions of the accounts, newest first, at most `limit`; one between two of them comes twice."""
    rows = session().execute(_PENDING, {"accounts": list(account_ids), "size": limit})
    return [
        Hold(
            payment_id=row.payment_id, created_at=row.created_at, money=Money(row.amount_minor, row.currency),
            description=row.description, outgoing=row.outgoing,
            other=Counterparty(row.other, row.number, row.type, row.alias, row.owner_id),
        )
        for row in rows
    ]  # fmt: skip


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


_LATEST_SIDE = """
    SELECT t.* FROM unnest(CAST(:accounts AS uuid[])) AS own (id) CROSS JOIN LATERAL (
        SELECT id, payment_id, state, created_at, description, currency, {sign}amount_minor AS amount,
               {own} AS account_id, {other} AS other
        FROM ledger_transaction WHERE {own} = own.id ORDER BY id DESC LIMIT :size
    ) AS t"""

_LATEST = sa.text(f"""
WITH newest AS (
    SELECT * FROM ({_LATEST_SIDE.format(sign="-", own=_DEBTOR, other=_CREDITOR)}
                   UNION ALL {_LATEST_SIDE.format(sign="", own=_CREDITOR, other=_DEBTOR)}) AS sides
    ORDER BY id DESC, amount LIMIT :size
)
SELECT n.*, p.parent_type, m.number AS own_number, o.number, o.type, o.alias, o.owner_id
FROM newest n JOIN payment p ON p.id = n.payment_id JOIN account m ON m.id = n.account_id
JOIN account o ON o.id = n.other ORDER BY n.id DESC, n.amount
""")


def latest_of(account_ids: Sequence[UUID], *, limit: int) -> list[Movement]:
    """The newest transactions of any state on the given accounts; few of each account are read, whatever there is."""
    rows = session().execute(_LATEST, {"accounts": list(account_ids), "size": limit})
    return [
        Movement(
            id=row.id, payment_id=row.payment_id, parent_type=row.parent_type, state=row.state,
            created_at=row.created_at, description=row.description, account_id=row.account_id,
            account_number=row.own_number, amount=Money(row.amount, row.currency),
            other=Counterparty(row.other, row.number, row.type, row.alias, row.owner_id),
        )
        for row in rows
    ]  # fmt: skip
