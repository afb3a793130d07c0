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
from dashboard.ledger.queries.balances import CLIENT_PAYS
from dashboard.treasury.movements import queries as movements
from dashboard.treasury.movements.vocabulary import MovementState
from dashboard.treasury.positions.queries.clients import Pair
from dashboard.treasury.positions.queries.standing import Position
from dashboard.treasury.register import queries as register

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
    "SELECT coalesce(p.pool, 'eMoney') AS pool, t.currency, t.value_date, c.id AS settlement_id, count(*) AS items_,"
    " sum(t.amount_minor) AS amount FROM ledger_transaction t"
    " JOIN account c ON c.id = t.creditor_account_id AND c.type = 'settlement' AND c.owner_id IS NULL"
    " LEFT JOIN account_pool p ON p.account_id = t.debtor_account_id"
    f" WHERE t.state = 'pending' AND {CLIENT_PAYS} GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
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
    next one. Where they leave from an account that is not designated, the resource stays."""
    views = {view.settlement_account_id: view for view in register.accounts() if view.settlement_account_id}
    sums: dict[tuple[str, str, date], tuple[int, int, int]] = {}
    for row in session().execute(_PENDING):
        day, view = _landing(row.value_date, days), views.get(row.settlement_id)
        if day is not None:
            amount, key = int(row.amount), (row.pool, row.currency, day)
            covers = view is not None and view.pool == row.pool and view.designated_on(day)
            count, owed, held = sums.get(key, (0, 0, 0))
            sums[key] = (count + row.items_, owed + amount, held + (amount if covers else 0))
    found: dict[Pair, list[Item]] = {}
    for (pool, currency, day), (count, owed, held) in sorted(sums.items()):
        found.setdefault((pool, currency), []).append(
            Item(
                day, "Held withdrawals", count, -owed, -held, f"/ledger/transactions?state=pending&currency={currency}"
            )
        )
    return found


def _transit(position: Position, days: Sequence[date]) -> Iterable[Item]:
    figures, (first, *_) = position.figures, days
    where = f"?pool={figures.pool}&currency={figures.currency}&day={figures.day.isoformat()}"
    if figures.sent:
        held = sum(one.sent or 0 for one in figures.accounts if one.designated)
        yield Item(first, "Sent, leaves the bank", 0, -figures.sent, -held, f"/treasury/figures/sent{where}")


def _own(position: Position, days: Sequence[date]) -> Iterable[Item]:
    """Movements that two people decided on: out of designated accounts, or into them, where the bank of the leg has not
    told it by the day. What is only asked for may never be."""
    pool, currency = position.pair
    designated = {one.bank_account_id for one in position.figures.accounts if one.designated}

    def to_come(told: date | None) -> bool:
        return told is None or told > position.figures.day

    for one in movements.open_movements(pool, currency):
        if one.state not in {MovementState.APPROVED, MovementState.SENT}:
            continue
        out = one.from_id in designated and to_come(one.left_on)
        into = one.to_id in designated and to_come(one.arrived_on)
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
