"""Treasury days as others read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa

from dashboard.database import session
from dashboard.ledger.models import BusinessDay
from dashboard.treasury.days.models import TreasuryDay
from dashboard.treasury.vocabulary import DayState

#: rows that a stream reads at once
PART = 1_000


def _of(pool: str, currency: str, day: date) -> sa.Select[TreasuryDay]:
    return (
        sa.select(TreasuryDay)
        .where(TreasuryDay.pool == pool, TreasuryDay.currency == currency, TreasuryDay.day == day)
        .execution_options(populate_existing=True)
    )


def current(pool: str, currency: str, day: date) -> TreasuryDay | None:
    """The version that counts: open, prepared or signed. None before anybody began with the day."""
    return session().scalar(_of(pool, currency, day).where(TreasuryDay.state != DayState.REOPENED.value))


def versions(pool: str, currency: str, day: date) -> Sequence[TreasuryDay]:
    """Every version, newest first."""
    return session().scalars(_of(pool, currency, day).order_by(TreasuryDay.version.desc())).all()


def of_day(day: date) -> Sequence[TreasuryDay]:
    """The versions of that day that count, by pool and currency."""
    return (
        session()
        .scalars(
            sa.select(TreasuryDay)
            .where(TreasuryDay.day == day, TreasuryDay.state != DayState.REOPENED.value)
            .order_by(TreasuryDay.pool, TreasuryDay.currency)
            .execution_options(populate_existing=True)
        )
        .all()
    )


def find(
    *,
    pool: str | None = None,
    currency: str | None = None,
    state: str | None = None,
    day: date | None = None,
    size: int,
    after: tuple[date, str, str, int] | None = None,
    backwards: bool = False,
) -> Sequence[TreasuryDay]:
    """Versions by day (newest first), pool, currency and version (newest first); one more than `size`, where there
    is. `after`: the key of the row at the edge; `backwards` gives those before it."""
    query = sa.select(TreasuryDay).execution_options(populate_existing=True)
    for column, value in (
        (TreasuryDay.pool, pool), (TreasuryDay.currency, currency), (TreasuryDay.state, state), (TreasuryDay.day, day),
    ):  # fmt: skip
        if value is not None:
            query = query.where(column == value)
    if after is not None:
        last, in_pool, in_currency, version = after
        same = sa.and_(
            TreasuryDay.day == last,
            sa.or_(
                _beyond(TreasuryDay.pool, in_pool, backwards),
                sa.and_(TreasuryDay.pool == in_pool, _beyond(TreasuryDay.currency, in_currency, backwards)),
                sa.and_(
                    TreasuryDay.pool == in_pool,
                    TreasuryDay.currency == in_currency,
                    _beyond(TreasuryDay.version, version, not backwards),
                ),
            ),
        )
        query = query.where(sa.or_(_beyond(TreasuryDay.day, last, not backwards), same))
    order = [TreasuryDay.day.desc(), TreasuryDay.pool, TreasuryDay.currency, TreasuryDay.version.desc()]
    if backwards:
        order = [TreasuryDay.day, TreasuryDay.pool.desc(), TreasuryDay.currency.desc(), TreasuryDay.version]
    rows = session().scalars(query.order_by(*order).limit(size + 1)).all()
    return rows[::-1] if backwards else rows


def _beyond(column: Any, value: Any, less: bool) -> sa.ColumnElement[bool]:
    found: sa.ColumnElement[bool] = column < value if less else column > value
    return found


def stream(
    *, pool: str | None = None, currency: str | None = None, state: str | None = None, day: date | None = None
) -> Iterator[TreasuryDay]:
    """Every version of the list, read part by part."""
    after: tuple[date, str, str, int] | None = None
    while True:
        rows = find(pool=pool, currency=currency, state=state, day=day, size=PART, after=after)
        yield from rows[:PART]
        if len(rows) <= PART:
            return
        after = key_of(rows[PART - 1])


def key_of(row: TreasuryDay) -> tuple[date, str, str, int]:
    """Where a row stands in the list."""
    return row.day, row.pool, row.currency, row.version


def any_day() -> bool:
    """Whether anybody ever began with one."""
    return session().scalar(sa.select(TreasuryDay.id).limit(1)) is not None


def last_ended() -> BusinessDay | None:
    """The latest business day that has ended: the one to be prepared and signed."""
    return session().scalar(
        sa.select(BusinessDay).where(BusinessDay.state == "closed").order_by(BusinessDay.day.desc()).limit(1)
    )


def business_day(day: date) -> BusinessDay | None:
    """The business day of the ledger; None where there was none."""
    return session().get(BusinessDay, day)


def in_period(pool: str, currency: str, first: date, last: date) -> Sequence[TreasuryDay]:
    """Every version of the days from the first to the last, in order."""
    return (
        session()
        .scalars(
            sa.select(TreasuryDay)
            .where(TreasuryDay.pool == pool, TreasuryDay.currency == currency, TreasuryDay.day.between(first, last))
            .order_by(TreasuryDay.day, TreasuryDay.version)
            .execution_options(populate_existing=True)
        )
        .all()
    )
