"""Positions over time, from what was stored of each day; months added up for the return."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from dashboard.database import session
from dashboard.treasury.days.models import TreasuryDay
from dashboard.treasury.positions.models import TreasuryPosition
from dashboard.treasury.vocabulary import DayState


@dataclass(frozen=True)
class Point:
    """One day of a pool and currency. None: unknown, or never worked out."""

    day: date
    requirement: int | None
    resource: int | None
    excess: int | None
    unrecognized: int | None
    breaks: int | None
    state: str | None


def points(pool: str, currency: str, days: list[date]) -> list[Point]:
    """In the order of the days; a day without a position is a gap, never nought."""
    table, version = TreasuryPosition, TreasuryDay
    rows = session().execute(
        sa.select(
            version.day, table.requirement_minor, table.resource_minor, table.excess_minor, table.unrecognized_minor,
            table.breaks, version.state,
        )
        .join(version, version.id == table.treasury_day_id)
        .where(
            version.pool == pool, version.currency == currency, version.day.in_(days),
            version.state != DayState.REOPENED.value,
        )
    )  # fmt: skip
    known = {row.day: Point(*row) for row in rows}
    return [known.get(day, Point(day, None, None, None, None, None, None)) for day in sorted(days)]


@dataclass(frozen=True)
class MonthTotal:
    """A month of one pool and currency, from prepared and signed days alone. Amounts are minor units."""

    pool: str
    currency: str
    days: int
    signed: int
    average_requirement: int | None
    highest_requirement: int | None
    average_resource: int | None
    lowest_excess: int | None
    days_short: int
    #: days without a statement or a match run
    days_unknown: int
    #: days on which money was not in a designated account in time
    days_late: int
    highest_unrecognized: int | None
    #: of the last day of the month that was prepared; None: that day is unknown
    closing_requirement: int | None
    closing_resource: int | None


_MONTH = sa.text(
    "SELECT d.pool, d.currency, count(*) AS days, count(*) FILTER (WHERE d.state = 'signed') AS signed,"
    " round(avg(p.requirement_minor) FILTER (WHERE p.excess_minor IS NOT NULL)) AS average_requirement,"
    " max(p.requirement_minor) FILTER (WHERE p.excess_minor IS NOT NULL) AS highest_requirement,"
    " round(avg(p.resource_minor) FILTER (WHERE p.excess_minor IS NOT NULL)) AS average_resource,"
    " min(p.excess_minor) AS lowest_excess,"
    " count(*) FILTER (WHERE p.excess_minor < 0) AS days_short,"
    " count(*) FILTER (WHERE p.excess_minor IS NULL) AS days_unknown,"
    " count(*) FILTER (WHERE p.late_minor > 0) AS days_late, max(p.unrecognized_minor) AS highest_unrecognized,"
    " (array_agg(CASE WHEN p.excess_minor IS NOT NULL THEN p.requirement_minor END ORDER BY d.day DESC))[1]"
    " AS closing_requirement,"
    " (array_agg(CASE WHEN p.excess_minor IS NOT NULL THEN p.resource_minor END ORDER BY d.day DESC))[1]"
    " AS closing_resource"
    " FROM treasury_day d JOIN treasury_position p ON p.treasury_day_id = d.id AND p.frozen_at IS NOT NULL"
    " WHERE d.day BETWEEN :first AND :last AND d.state IN ('prepared', 'signed')"
    " GROUP BY 1, 2 ORDER BY 1, 2"
)


def _whole(value: object) -> int | None:
    return None if value is None else int(str(value).split(".", maxsplit=1)[0])


def month(first: date, last: date) -> list[MonthTotal]:
    """By pool and currency; averages are of the days that are known."""
    return [
        MonthTotal(
            row.pool, row.currency, row.days, row.signed, _whole(row.average_requirement),
            _whole(row.highest_requirement), _whole(row.average_resource), _whole(row.lowest_excess), row.days_short,
            row.days_unknown, row.days_late, _whole(row.highest_unrecognized), _whole(row.closing_requirement),
            _whole(row.closing_resource),
        )
        for row in session().execute(_MONTH, {"first": first, "last": last})
    ]  # fmt: skip


def months(limit: int = 24) -> list[date]:
    """First days of the months that have a prepared day, newest first."""
    return list(
        session().scalars(
            sa.text(
                "SELECT DISTINCT date_trunc('month', d.day)::date AS first FROM treasury_day d"
                " WHERE d.state IN ('prepared', 'signed') ORDER BY first DESC LIMIT :limit"
            ),
            {"limit": limit},
        )
    )
