"""Breaks: one with its rows and history, lists, counts, and the matrix of value and age."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.ledger.models import BankAccount
from dashboard.money import Money
from dashboard.queues.models import QueueItem
from dashboard.treasury.matching.models import BreakEvent, ReconBreak
from dashboard.treasury.matching.vocabulary import (
    BREAK_LABELS,
    CAUSE_LABELS,
    QUEUE,
    RESOLUTION_LABELS,
    STATE_LABELS,
    BreakKind,
    BreakState,
    Cause,
    Resolution,
)
from dashboard.treasury.register.models import TreasuryAccount
from dashboard.treasury.statements.models import StatementLine

#: ages in business days: first and last, None is without end
BUCKETS: dict[str, tuple[int, int | None]] = {"0-1": (0, 1), "2-5": (2, 5), "6-10": (6, 10), "over10": (11, None)}
BUCKET_LABELS = {"0-1": "0–1 bd", "2-5": "2–5 bd", "6-10": "6–10 bd", "over10": "over 10 bd"}


@dataclass(frozen=True)
class BreakFilter:
    """All that is set must hold. `state`: unresolved, open, acknowledged, resolved, accepted or all."""

    bank_account_id: UUID | None = None
    #: of that bank account: as of the end of this day
    day: date | None = None
    currency: str | None = None
    kind: str | None = None
    state: str = "unresolved"
    #: me, none or any
    owner: str = "any"
    age: str | None = None


@dataclass(frozen=True)
class BreakView:
    """A break as a list shows it."""

    row: ReconBreak
    account_name: str
    account_number: str
    owner_id: UUID | None
    due_at: datetime | None
    line_text: str | None
    line_reference: str | None
    #: what the ledger row says of itself: its reference, else its text
    ledger_reference: str | None = None

    @property
    def id(self) -> UUID:
        return self.row.id

    @property
    def difference(self) -> Money:
        return Money(self.row.difference_minor, self.row.currency)

    @property
    def kind_label(self) -> str:
        return BREAK_LABELS[BreakKind(self.row.kind)]

    @property
    def cause_label(self) -> str:
        return CAUSE_LABELS[Cause(self.row.cause)]

    @property
    def state_label(self) -> str:
        if self.row.resolution:
            return RESOLUTION_LABELS[Resolution(self.row.resolution)]
        return STATE_LABELS[BreakState(self.row.state)]

    @property
    def age_bd(self) -> int:
        """Business days since its earliest row was booked."""
        return clock.calendar().days_between(self.row.since, clock.calendar().today())

    @property
    def key(self) -> list[Any]:
        """Its place in the order of the list."""
        minor = self.row.difference_minor
        return [minor >= 0, -abs(minor), self.row.since.isoformat(), str(self.row.id)]


@dataclass(frozen=True)
class BreakCount:
    """Unresolved breaks of a pool and currency. `oldest_bd` None: there are none. Sum: bank minus ledger."""

    count: int
    oldest_bd: int | None
    without_owner: int
    sum_minor: int


@dataclass(frozen=True)
class Cell:
    """Breaks of a currency and age."""

    currency: str
    bucket: str
    count: int
    sum_minor: int


def _younger_than(days: int) -> date:
    """The first date that is at most so many business days old."""
    calendar = clock.calendar()
    today = first = calendar.today()
    while calendar.days_between(first - timedelta(days=1), today) <= days:
        first -= timedelta(days=1)
    return first


def _of_age(bucket: str) -> sa.ColumnElement[bool]:
    youngest, oldest = BUCKETS[bucket]
    conditions = []
    if youngest:
        conditions.append(ReconBreak.since < _younger_than(youngest - 1))
    if oldest is not None:
        conditions.append(ReconBreak.since >= _younger_than(oldest))
    return sa.and_(*conditions)


_ORDER = (
    sa.text("(recon_break.difference_minor >= 0)"), sa.text("(- abs(recon_break.difference_minor))"),
    ReconBreak.since, ReconBreak.id,
)  # fmt: skip
_IN_QUEUE = sa.and_(QueueItem.queue == QUEUE, QueueItem.object_id == ReconBreak.id, QueueItem.closed_at.is_(None))

_LEDGER_REFERENCE = (
    "(SELECT coalesce(f.end_to_end_id, f.provider_reference, t.description) FROM ledger_transaction t"
    " JOIN payment p ON p.id = t.payment_id LEFT JOIN transfer f ON f.id = p.parent_id"
    " WHERE t.id = recon_break.transaction_id)"
)


def _query() -> sa.Select[*tuple[Any, ...]]:
    return (
        sa.select(
            ReconBreak, BankAccount.name, BankAccount.number, QueueItem.assignee_id, QueueItem.due_at,
            StatementLine.remittance,
            sa.func.coalesce(StatementLine.end_to_end_id, StatementLine.provider_reference),
            sa.literal_column(_LEDGER_REFERENCE),
        )
        .join(BankAccount, BankAccount.id == ReconBreak.bank_account_id)
        .outerjoin(QueueItem, _IN_QUEUE)
        .outerjoin(StatementLine, StatementLine.id == ReconBreak.line_id)
        .execution_options(populate_existing=True)
    )  # fmt: skip


def _narrowed(
    query: sa.Select[*tuple[Any, ...]], chosen: BreakFilter, reader: UUID | None
) -> sa.Select[*tuple[Any, ...]]:
    if chosen.bank_account_id is not None:
        query = query.where(ReconBreak.bank_account_id == chosen.bank_account_id)
    if chosen.day is not None:
        query = query.where(ReconBreak.since <= chosen.day)
    if chosen.currency is not None:
        query = query.where(ReconBreak.currency == chosen.currency)
    if chosen.kind is not None:
        query = query.where(ReconBreak.kind == chosen.kind)
    if chosen.age is not None:
        query = query.where(_of_age(chosen.age))
    match chosen.state:
        case "unresolved":
            query = query.where(ReconBreak.state != BreakState.RESOLVED.value)
        case "open" | "acknowledged" | "resolved":
            query = query.where(ReconBreak.state == chosen.state)
        case "accepted":
            query = query.where(ReconBreak.resolution == Resolution.ACCEPTED.value)
        case _:
            pass
    if chosen.owner == "me":
        query = query.where(QueueItem.assignee_id == reader)
    elif chosen.owner == "none":
        query = query.where(QueueItem.assignee_id.is_(None))
    return query


def listed(
    chosen: BreakFilter,
    *,
    reader: UUID | None = None,
    after: Sequence[Any] | None = None,
    before: Sequence[Any] | None = None,
    limit: int | None = 50,
) -> list[BreakView]:
    """Minus amounts first, then larger ones, then older ones. `after` and `before` are keys of rows."""
    query = _narrowed(_query(), chosen, reader)
    edge = after or before
    if edge is not None:
        query = query.where(
            sa.text(
                "((recon_break.difference_minor >= 0), (- abs(recon_break.difference_minor)), recon_break.since,"
                f" recon_break.id) {'>' if after else '<'} (CAST(:k_sign AS boolean), CAST(:k_size AS bigint),"
                " CAST(:k_since AS date), CAST(:k_id AS uuid))"
            ).bindparams(k_sign=edge[0], k_size=edge[1], k_since=edge[2], k_id=edge[3])
        )
    order = (
        [part.desc() if hasattr(part, "desc") else sa.text(f"{part.text} DESC") for part in _ORDER]
        if before
        else _ORDER
    )
    query = query.order_by(*order)
    if limit is not None:
        query = query.limit(limit)
    found = [BreakView(*row) for row in session().execute(query)]
    return found[::-1] if before else found


def one(break_id: UUID) -> BreakView:
    """Raises NotFound `breakNotFound`."""
    row = session().execute(_query().where(ReconBreak.id == break_id)).first()
    if row is None:
        raise NotFound("There is no such break.", code="breakNotFound")
    return BreakView(*row)


def history(break_id: UUID) -> Sequence[BreakEvent]:
    """Newest first."""
    return (
        session()
        .scalars(sa.select(BreakEvent).where(BreakEvent.break_id == break_id).order_by(BreakEvent.id.desc()))
        .all()
    )


def count(chosen: BreakFilter, *, reader: UUID | None = None) -> tuple[int, dict[str, int]]:
    """How many, and their sum by currency (bank minus ledger)."""
    query = _narrowed(
        sa.select(ReconBreak.currency, sa.func.count(), sa.func.sum(ReconBreak.difference_minor)).select_from(
            sa.outerjoin(ReconBreak, QueueItem, _IN_QUEUE)
        ),
        chosen,
        reader,
    ).group_by(ReconBreak.currency)
    rows = session().execute(query).all()
    return sum(row[1] for row in rows), {row[0]: int(row[2]) for row in sorted(rows)}


def accounts_with_breaks() -> set[UUID]:
    """Bank accounts of which something is unresolved."""
    unresolved = ReconBreak.state != BreakState.RESOLVED.value
    return set(session().scalars(sa.select(ReconBreak.bank_account_id).where(unresolved).distinct()))


def of_pool(pool: str, currency: str, day: date) -> BreakCount:
    """Unresolved breaks of the bank accounts of a pool, as of a day: how many, how old, how many without an owner."""
    return by_pool(day).get((pool, currency), BreakCount(0, None, 0, 0))


def by_pool(day: date) -> dict[tuple[str, str], BreakCount]:
    """The same of every pool and currency that has any."""
    rows = session().execute(
        sa.select(
            TreasuryAccount.pool,
            ReconBreak.currency,
            sa.func.count(),
            sa.func.min(ReconBreak.since),
            sa.func.count().filter(QueueItem.assignee_id.is_(None)),
            sa.func.coalesce(sa.func.sum(ReconBreak.difference_minor), 0),
        )
        .select_from(
            sa.join(ReconBreak, TreasuryAccount, TreasuryAccount.bank_account_id == ReconBreak.bank_account_id)
            .outerjoin(QueueItem, _IN_QUEUE)
        )
        .where(
            TreasuryAccount.pool.is_not(None),
            ReconBreak.state != BreakState.RESOLVED.value,
            ReconBreak.since <= day,
        )
        .group_by(TreasuryAccount.pool, ReconBreak.currency)
    )  # fmt: skip
    calendar = clock.calendar()
    return {
        (pool, currency): BreakCount(int(count), calendar.days_between(since, max(day, since)), int(loose), int(differ))
        for pool, currency, count, since, loose, differ in rows
        if pool is not None
    }


def matrix() -> list[Cell]:
    """Unresolved breaks by currency and age; cells without any are left out."""
    bucket = sa.case(
        *[(_of_age(name), name) for name in ("0-1", "2-5", "6-10")],
        else_="over10",
    )
    rows = session().execute(
        sa.select(
            ReconBreak.currency, bucket.label("bucket"), sa.func.count(), sa.func.sum(ReconBreak.difference_minor)
        )
        .where(ReconBreak.state != BreakState.RESOLVED.value)
        .group_by(ReconBreak.currency, sa.literal_column("bucket"))
        .order_by(ReconBreak.currency)
    )  # fmt: skip
    return [Cell(row[0], row[1], int(row[2]), int(row[3])) for row in rows]
