"""Positions per currency and provider, as machines read them (GL-29). Amounts are minor units, None is unknown.

What is owed is owed by the institution: it stands in items without a provider. What lies at a bank stands in items with
one. Before the first business day has ended the books of this moment are given, and nothing of a bank.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from dashboard import clock
from dashboard.database import session
from dashboard.ledger.models import BusinessDay
from dashboard.treasury.positions.queries import live, standing
from dashboard.treasury.positions.queries.clients import Pair
from dashboard.treasury.positions.queries.figures import AccountFigures
from dashboard.treasury.positions.queries.live import Live
from dashboard.treasury.positions.queries.standing import Position
from dashboard.treasury.positions.queries.worth import BASE
from dashboard.treasury.register import queries as register


@dataclass(frozen=True)
class Item:
    """One currency and pool, as a whole or at one provider."""

    currency: str
    pool: str
    provider: str | None
    client: int | None = None
    negative: int | None = None
    held: int | None = None
    unrecognized: int | None = None
    sent: int | None = None
    received: int | None = None
    ledger: int | None = None
    statement: int | None = None
    statement_day: date | None = None
    difference: int | None = None
    requirement: int | None = None
    other: int | None = None
    resource: int | None = None
    excess: int | None = None
    #: lines of the banks that nothing matched: how many, and their amounts without signs
    unmatched: int | None = None
    unmatched_amount: int | None = None


@dataclass(frozen=True)
class Summary:
    as_of: datetime
    day: date | None
    base_currency: str
    items: Sequence[Item]


def _sum(values: Iterable[int | None]) -> int | None:
    found = list(values)
    return None if not found or None in found else sum(one for one in found if one is not None)


def _whole(position: Position, held: int | None) -> Item:
    figures = position.figures
    return Item(
        figures.currency, figures.pool, None, client=figures.client, negative=figures.negative, held=held,
        unrecognized=figures.unrecognized, sent=figures.sent, received=figures.received,
        requirement=figures.requirement, other=figures.other, resource=figures.resource, excess=figures.excess,
        unmatched=figures.unmatched, unmatched_amount=figures.unmatched_amount,
    )  # fmt: skip


def _at(provider: str, position: Position, accounts: Sequence[AccountFigures]) -> Item:
    days = [one.statement_day for one in accounts]
    return Item(
        position.figures.currency, position.figures.pool, provider,
        sent=_sum(one.sent for one in accounts), received=_sum(one.received for one in accounts),
        ledger=sum(one.ledger for one in accounts), statement=_sum(one.statement for one in accounts),
        statement_day=None if None in days else min(day for day in days if day is not None),
        difference=_sum(one.difference for one in accounts), unmatched=_sum(one.unmatched for one in accounts),
        unmatched_amount=_sum(one.unmatched_amount for one in accounts),
    )  # fmt: skip


def _of_position(position: Position, providers: dict[object, str], held: int | None) -> list[Item]:
    by_provider: dict[str, list[AccountFigures]] = {}
    for one in position.figures.accounts:
        by_provider.setdefault(providers[one.bank_account_id], []).append(one)
    return [
        _whole(position, held),
        *(_at(provider, position, accounts) for provider, accounts in sorted(by_provider.items())),
    ]


def _live(now: dict[Pair, Live]) -> list[Item]:
    ledgers: dict[tuple[str, str, str], None] = {}
    for view in register.accounts():
        if view.pool:
            ledgers[view.currency, view.pool, view.provider] = None
    items = [
        Item(one.currency, one.pool, None, client=one.client, negative=one.negative, held=one.held,
             unrecognized=one.unrecognized, requirement=one.client + one.unrecognized)
        for one in now.values()
    ]  # fmt: skip
    return [*items, *(Item(currency, pool, provider) for currency, pool, provider in ledgers)]


def _wanted(items: Iterable[Item], currency: str | None, provider: str | None) -> list[Item]:
    return sorted(
        (
            one
            for one in items
            if (currency is None or one.currency == currency) and (provider is None or one.provider == provider)
        ),
        key=lambda one: (one.currency, one.pool, one.provider is not None, one.provider or ""),
    )


def summary(*, currency: str | None = None, provider: str | None = None) -> Summary:
    """As of the end of the last business day that has ended. With a provider, only what lies there."""
    day, now = standing.last_day(), live.now()
    if day is None:
        opened = session().scalar(sa.select(BusinessDay.day).where(BusinessDay.state == "open"))
        return Summary(
            min((one.as_of for one in now.values()), default=clock.now()),
            opened,
            BASE,
            _wanted(_live(now), currency, provider),
        )
    positions = standing.of_day(day)
    providers: dict[object, str] = {view.id: view.provider for view in register.accounts(include_closed=True)}
    items = [
        item
        for position in positions
        for item in _of_position(position, providers, now[position.pair].held if position.pair in now else 0)
    ]
    as_of = min((position.computed_at for position in positions), default=clock.now())
    return Summary(as_of, day, BASE, _wanted(items, currency, provider))
