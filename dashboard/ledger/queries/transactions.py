"""Lists of transactions that stay fast among millions, whatever is asked.

A page is read in two steps. *Walks* read along indexes in the order of the list (of an account: its debits and its
credits beside each other) and keep what passes the other conditions; each walk ends after some thousand rows. What
is frequent fills the page there. What does not is rare, so its few rows are *gathered* through whatever index finds
them, and only then ordered: ORDER BY … LIMIT over rare rows can make the planner walk a whole table instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.ledger.models import BusinessDay, LedgerTransaction, Payment, StateChange
from dashboard.ledger.queries.filters import Known, Node, condition, known_of, required, states_are
from dashboard.ledger.queries.payments import ChangeView, numbers_of
from dashboard.ledger.vocabulary import PaymentState
from dashboard.money import Money

Sort = Literal["created", "posted", "amount"]

#: rows that one walk reads at most: about as long as gathering what is too rare to fill a page from them
REACH = 5_000
#: accounts that are walked each by itself; more are found like any other condition
MOST_WALKED = 16


@dataclass(frozen=True)
class Order:
    """`created`: in the order of their making. `posted`: posted ones only. `amount`: by minor units."""

    sort: Sort = "created"
    descending: bool = True


#: identifiers are made by the clock of the application, times by that of the database: they do not differ by more
CLOCK_STEP = timedelta(minutes=10)

#: sort key of a row: (time or amount, id), or (id,)
Key = tuple[Any, ...]


@dataclass(frozen=True)
class TransactionRow:
    """One transaction with what its payment says of it."""

    id: UUID
    payment_id: UUID
    parent_id: UUID
    parent_type: str
    reverses_id: UUID | None
    debtor_id: UUID
    debtor_number: str
    creditor_id: UUID
    creditor_number: str
    money: Money
    state: str
    state_reason: str | None
    created_at: datetime
    posted_at: datetime | None
    booking_date: date | None
    value_date: date | None
    description: str | None

    def key(self, order: Order) -> list[Any]:
        """The sort key, JSON-ready: what a cursor holds."""
        if order.sort == "created":
            return [str(self.id)]
        if order.sort == "posted":
            return [self.posted_at.isoformat() if self.posted_at else None, str(self.id)]
        return [self.money.minor_units, str(self.id)]


@dataclass(frozen=True)
class Page:
    """`more`: there are rows beyond the end in the direction of reading."""

    rows: list[TransactionRow]
    more: bool


def columns_of(sort: Sort) -> list[Any]:
    """What a list is ordered by."""
    table = LedgerTransaction
    if sort == "created":
        return [table.id]
    return [table.posted_at if sort == "posted" else table.amount_minor, table.id]


def _parsed(sort: Sort, key: Sequence[Any]) -> Key:
    if sort == "created":
        return (UUID(key[0]),)
    if sort == "posted":
        return datetime.fromisoformat(key[0]), UUID(key[1])
    return int(key[0]), UUID(key[1])


def posted_only() -> sa.ColumnElement[bool]:
    """What a list by posting holds."""
    return states_are((PaymentState.POSTED,))


def _last_id(moment: datetime) -> UUID:
    """The greatest identifier that can be made at a moment (UUIDv7, RFC 9562: milliseconds first)."""
    # nothing was made before 1970
    return UUID(int=(max(int(moment.timestamp() * 1000), 0) + 1 << 80) - 1)


class _Reading:
    """One page of a list."""

    def __init__(
        self, node: Node, order: Order, known: Known, *, after: Sequence[Any] | None, backwards: bool, wanted: int
    ) -> None:
        self.node, self.sort, self.known = node, order.sort, known
        self.descending = order.descending != backwards
        self.wanted = wanted
        self.passes = condition(node, known, row_by_row=True)
        #: what every row read must be, whatever index it comes from
        self.beyond: list[sa.ColumnElement[bool]] = [posted_only()] if order.sort == "posted" else []
        if after is not None:
            edge = sa.tuple_(*(sa.literal(value) for value in _parsed(order.sort, after)))
            row = sa.tuple_(*columns_of(order.sort))
            self.beyond.append(row < edge if self.descending else row > edge)

    def by(self, columns: Sequence[Any]) -> list[Any]:
        return [column.desc() if self.descending else column.asc() for column in columns]

    def keys(self) -> list[Key]:
        """Sort keys of the page's rows in the direction of reading."""
        if self._few():
            return self._gathered()
        found, complete = self._walked()
        return found if complete else self._gathered()

    def _few(self) -> bool:
        """A payment or a parent has few transactions: they need no walk."""
        return any(
            leaf.payment_id is not None or leaf.parent_id is not None or leaf.reference is not None
            for leaf in required(self.node)
        )

    def _gathered(self) -> list[Key]:
        columns = columns_of(self.sort)
        # OFFSET 0 is the planner's fence
        rows = sa.select(*columns).where(condition(self.node, self.known), *self.beyond).offset(0).subquery()
        ordered = sa.select(rows).order_by(*self.by(list(rows.c))).limit(self.wanted)
        return [tuple(row) for row in session().execute(ordered)]

    def _walked(self) -> tuple[list[Key], bool]:
        """What the walks find, and whether that is the page."""
        reads = self._walks()
        if not reads:
            return [], True
        walks: dict[int, list[Any]] = {}
        for row in session().execute(sa.union_all(*reads) if len(reads) > 1 else reads[0]):
            walks.setdefault(row.walk, []).append(row)
        found: dict[UUID, Key] = {}
        edges: list[Key] = []
        for rows in walks.values():
            keys = [self._key(row) for row in rows]
            found.update((key[-1], key) for row, key in zip(rows, keys, strict=True) if row.passes)
            # it ended before its index did: nothing is known of what lies beyond its last row
            if len(rows) == self.wanted or any(row.nth == REACH for row in rows):
                edges.append(min(keys) if self.descending else max(keys))
        known = sorted(found.values(), reverse=self.descending)
        if edges:
            edge = max(edges) if self.descending else min(edges)
            known = [key for key in known if (key >= edge if self.descending else key <= edge)]
            if len(known) < self.wanted:
                return known, False
        return known[: self.wanted], True

    def _key(self, row: Any) -> Key:
        if self.sort == "created":
            return (row.id,)
        return (row.posted_at if self.sort == "posted" else row.amount_minor, row.id)

    def _walks(self) -> list[sa.Select[Any]]:
        """One select for each side of the accounts that the conditions name, or one along the list's own index."""
        table = LedgerTransaction
        best: tuple[list[Any], tuple[UUID, ...]] | None = None
        for leaf in required(self.node):
            for sides, accounts in (
                ([table.debtor_account_id], leaf.debtors),
                ([table.creditor_account_id], leaf.creditors),
                ([table.debtor_account_id, table.creditor_account_id], leaf.accounts),
                (
                    [table.debtor_account_id, table.creditor_account_id],
                    None if leaf.owners is None else self.known.accounts_of(leaf.owners),
                ),
            ):
                if accounts is None:
                    continue
                chosen = tuple(dict.fromkeys(accounts))
                if best is None or len(sides) * len(chosen) < len(best[0]) * len(best[1]):
                    best = (sides, chosen)
        if best is None or (best[1] and self.sort == "amount") or len(best[1]) > MOST_WALKED:
            return [self._walk(0, None)]
        sides, accounts = best
        along = [column == account for column in sides for account in accounts]
        return [self._walk(number, one) for number, one in enumerate(along)]

    def _walk(self, number: int, along: sa.ColumnElement[bool] | None) -> sa.Select[Any]:
        columns = columns_of(self.sort)
        by = self.by(columns)
        nth = sa.func.row_number().over(order_by=by).label("nth")
        read = sa.select(*columns, self.passes.label("passes"), nth).where(*self.beyond, *self._start())
        read = read.where(*(self._along_index() if along is None else [along]))
        rows = read.order_by(*by).limit(REACH).subquery()
        kept = sa.select(sa.literal(number).label("walk"), rows).where(sa.or_(rows.c.passes, rows.c.nth == REACH))
        # the order of the rows read: nothing is sorted again, and reading ends with the last one wanted
        kept = kept.order_by(*self.by([rows.c[column.key] for column in columns])).limit(self.wanted)
        return sa.select(kept.subquery())

    def _start(self) -> list[sa.ColumnElement[bool]]:
        """Where a walk from the newest may begin: nothing that was made later can lie in the period asked for."""
        if not self.descending or self.sort == "amount":
            return []
        ends = [end for leaf in required(self.node) for end in (leaf.created_before, leaf.posted_before) if end]
        days = [leaf.booking_to for leaf in required(self.node) if leaf.booking_to is not None]
        if days:
            closed = session().scalar(
                sa.select(BusinessDay.closed_at)
                .where(BusinessDay.day <= min(days))
                .order_by(BusinessDay.day.desc())
                .limit(1)
            )
            ends += [closed] if closed is not None else []
        if not ends:
            return []
        latest = min(ends) + CLOCK_STEP
        if self.sort == "posted":
            return [LedgerTransaction.posted_at <= latest]
        return [LedgerTransaction.id <= _last_id(latest)]

    def _along_index(self) -> list[sa.ColumnElement[bool]]:
        """What the index of the list's order begins with: a currency before the amounts; and a single state other
        than posted has an index of its own in the order of making."""
        for leaf in required(self.node):
            if self.sort == "amount" and leaf.currency is not None:
                return [LedgerTransaction.currency == leaf.currency]
            states = set(leaf.states or ())
            if self.sort == "created" and len(states) == 1 and PaymentState.POSTED not in states:
                return [states_are(tuple(states))]
        return []


def find(
    node: Node,
    *,
    order: Order,
    size: int,
    after: Sequence[Any] | None = None,
    backwards: bool = False,
    skip: int = 0,
) -> Page:
    """One page. `after` is the sort key of the row at the edge; `backwards` reads towards the beginning; `skip` leaves
    out so many rows, which are read all the same. Rows always come in the list's own order.
    """
    # a plan for any account or amount would fit none of them: most accounts have few transactions, some half of all
    session().execute(sa.text("SET LOCAL plan_cache_mode = force_custom_plan"))
    reading = _Reading(node, order, known_of(node), after=after, backwards=backwards, wanted=skip + size + 1)
    keys = reading.keys()[skip:]
    rows = read([key[-1] for key in keys[:size]])
    if backwards:
        rows.reverse()
    return Page(rows, len(keys) > size)


def count(node: Node, *, order: Order) -> int:
    """How many transactions the list has. Walks them all: asked for only when somebody wants the number."""
    where = [condition(node, known_of(node)), *([posted_only()] if order.sort == "posted" else [])]
    return session().scalar(sa.select(sa.func.count()).select_from(LedgerTransaction).where(*where)) or 0


def any_transaction() -> bool:
    """Whether there is one at all."""
    return session().scalar(sa.select(LedgerTransaction.id).limit(1)) is not None


def _joined() -> sa.Select[Any]:
    table = LedgerTransaction.__table__
    return sa.select(
        table, Payment.parent_id, Payment.parent_type, Payment.reverses_id, Payment.state_reason
    ).join(Payment, Payment.id == table.c.payment_id)  # fmt: skip


def _views(rows: Sequence[Any]) -> list[TransactionRow]:
    numbers = numbers_of({row.debtor_account_id for row in rows} | {row.creditor_account_id for row in rows})
    return [
        TransactionRow(
            id=row.id,
            payment_id=row.payment_id,
            parent_id=row.parent_id,
            parent_type=row.parent_type,
            reverses_id=row.reverses_id,
            debtor_id=row.debtor_account_id,
            debtor_number=numbers[row.debtor_account_id],
            creditor_id=row.creditor_account_id,
            creditor_number=numbers[row.creditor_account_id],
            money=Money(row.amount_minor, row.currency),
            state=row.state,
            state_reason=row.state_reason,
            created_at=row.created_at,
            posted_at=row.posted_at,
            booking_date=row.booking_date,
            value_date=row.value_date,
            description=row.description,
        )
        for row in rows
    ]


def read(ids: Sequence[UUID]) -> list[TransactionRow]:
    """Transactions in the order of the ids, in two queries; unknown ones are left out."""
    if not ids:
        return []
    rows = session().execute(_joined().where(LedgerTransaction.id.in_(ids))).all()
    known = {view.id: view for view in _views(rows)}
    return [known[one] for one in ids if one in known]


def get(transaction_id: UUID) -> TransactionRow:
    """Raises NotFound."""
    found = read([transaction_id])
    if not found:
        raise NotFound("There is no such transaction.", code="transactionNotFound")
    return found[0]


def changes_of(payment_ids: Iterable[UUID]) -> dict[UUID, list[ChangeView]]:
    """State histories of payments, oldest change first, in one query."""
    wanted = set(payment_ids)
    found: dict[UUID, list[ChangeView]] = {one: [] for one in wanted}
    rows = session().execute(
        sa.select(StateChange.__table__)
        .where(StateChange.payment_id.in_(wanted))
        .order_by(StateChange.payment_id, StateChange.position)
    )
    for row in rows:
        found[row.payment_id].append(
            ChangeView(row.from_state, row.to_state, row.at, row.reason, row.by_kind, row.by_id)
        )
    return found


#: rows of a stream that are in memory at once
STREAMED = 1_000


def stream(node: Node, *, order: Order) -> Iterator[list[TransactionRow]]:
    """The whole list in its order, some rows at a time, from a cursor in the database: of any length."""
    where = [condition(node, known_of(node)), *([posted_only()] if order.sort == "posted" else [])]
    columns = columns_of(order.sort)
    by = [column.desc() if order.descending else column.asc() for column in columns]
    rows = session().execute(_joined().where(*where).order_by(*by).execution_options(yield_per=STREAMED))
    for part in rows.partitions():
        yield _views(part)
