"""What the next business days bring, of what is known: items that are pending, and nothing that is expected.

Pending withdrawals of clients leave the requirement and the bank together, movements between own accounts change the
bank alone. Nobody guesses at what clients will do. Amounts are minor units.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from dashboard import clock
from dashboard.database import session
from dashboard.treasury.movements import queries as movements
from dashboard.treasury.positions.queries.clients import Pair
from dashboard.treasury.positions.queries.standing import Position
from dashboard.treasury.vocabulary import Purpose

MOST_DAYS = 5


@dataclass(frozen=True)
class Item:
    """Known to come on `day`: what it does to each side, and where its rows are."""

    day: date
    what: str
    count: int
    requirement: int
    resource: int
    url: str | None


@dataclass(frozen=True)
class Projected:
    """The end of one day to come. None where the start is unknown."""

    day: date
    requirement: int
    resource: int | None
    excess: int | None
    items: Sequence[Item]


_PENDING = sa.text(
    "SELECT coalesce(p.pool, 'eMoney') AS pool, t.currency, t.value_date, count(*) AS items_,"
    " sum(t.amount_minor) AS amount FROM ledger_transaction t"
    " JOIN account d ON d.id = t.debtor_account_id AND d.type = 'client'"
    " JOIN account c ON c.id = t.creditor_account_id AND c.type = 'settlement'"
    " LEFT JOIN account_pool p ON p.account_id = d.id"
    " WHERE t.state = 'pending' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
)


def ahead(day: date, count: int = MOST_DAYS) -> list[date]:
    """So many business days after the day."""
    calendar = clock.calendar()
    return [calendar.add_days(day, number) for number in range(1, count + 1)]


def _landing(wanted: date | None, days: Sequence[date]) -> date | None:
    """The day of the projection on which something due on `wanted` lands; None: after its end."""
    return next((day for day in days if wanted is None or day >= wanted), None)


def pending(days: Sequence[date]) -> dict[Pair, list[Item]]:
    """Withdrawals of clients that are held now, by the day on which they are due: that of their value date, or the
    next one."""
    found: dict[Pair, list[Item]] = {}
    for row in session().execute(_PENDING):
        day = _landing(row.value_date, days)
        if day is not None:
            amount = int(row.amount)
            found.setdefault((row.pool, row.currency), []).append(
                Item(day, "Held withdrawals", row.items_, -amount, -amount,
                     f"/ledger/transactions?state=pending&currency={row.currency}")
            )  # fmt: skip
    return found


def _transit(position: Position, days: Sequence[date]) -> Iterable[Item]:
    figures, (first, *_) = position.figures, days
    where = f"?pool={figures.pool}&currency={figures.currency}&day={figures.day.isoformat()}"
    if figures.sent:
        yield Item(first, "Sent, leaves the bank", 0, -figures.sent, -figures.sent, f"/treasury/figures/sent{where}")


def _own(position: Position, days: Sequence[date]) -> Iterable[Item]:
    """Movements that are under way: out of safeguarding accounts, or into them."""
    pool, currency = position.pair
    for one in movements.open_movements(pool, currency):
        out = one.from_pool == pool and one.from_purpose == Purpose.SAFEGUARDING
        into = one.to_pool == pool and one.to_purpose == Purpose.SAFEGUARDING
        change = (one.amount_minor if into else 0) - (one.amount_minor if out else 0)
        if change:
            yield Item(days[0], f"Own movement {one.reference}", 1, 0, change, f"/treasury/movements/{one.id}")


def projected(position: Position, days: Sequence[date], held: Sequence[Item]) -> list[Projected]:
    """The ends of the days, each on top of the one before."""
    figures = position.figures
    items = [*_transit(position, days), *_own(position, days), *held]
    requirement, resource = figures.requirement, figures.resource
    found = []
    for day in days:
        own = [item for item in items if item.day == day]
        requirement += sum(item.requirement for item in own)
        if resource is not None:
            resource += sum(item.resource for item in own)
        known = resource is not None and figures.excess is not None
        found.append(
            Projected(
                day, requirement, resource, resource - requirement if known and resource is not None else None, own
            )
        )
    return found
