"""Treasury days as others read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa

from dashboard.database import session
from dashboard.treasury.days.models import TreasuryDay
from dashboard.treasury.vocabulary import DayState


def _of(pool: str, currency: str, day: date) -> sa.Select[tuple[TreasuryDay]]:
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
