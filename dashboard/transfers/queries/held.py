"""What a person who looks at a held transfer must know: what went to this recipient before, and how much the client
moves beside what it said it would."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.clients.models import Client, Company
from dashboard.clients.vocabulary import TURNOVER_LABELS, Turnover
from dashboard.database import session
from dashboard.money import Money
from dashboard.transfers.models import Transfer
from dashboard.transfers.queries.transfers import edge_id
from dashboard.transfers.vocabulary import Kind, Status

#: the money has left, or is on its way
GONE = (Status.COMPLETED.value, Status.SUBMITTED.value, Status.UNKNOWN.value)
SHORT, LONG = timedelta(days=30), timedelta(days=90)


@dataclass(frozen=True)
class Before:
    """Completed payments of one client to one account, in one currency."""

    money: Money
    count: int
    last_at: datetime | None
    last_id: UUID


def to_recipient(transfer: Transfer) -> list[Before]:
    """Completed payments of this client to the same account, one line for each currency."""
    if transfer.counterparty_key is None or transfer.client_id is None:
        return []
    rows = session().execute(
        sa.select(
            Transfer.currency,
            sa.func.sum(Transfer.amount_minor),
            sa.func.count(),
            sa.func.max(Transfer.ended_at),
            # identifiers are in the order of making
            sa.func.max(sa.cast(Transfer.id, sa.Text)),
        )
        .where(
            Transfer.counterparty_key == transfer.counterparty_key,
            Transfer.kind == Kind.OUTGOING.value,
            Transfer.client_id == transfer.client_id,
            Transfer.status == Status.COMPLETED.value,
            Transfer.id != transfer.id,
        )
        .group_by(Transfer.currency)
        .order_by(sa.func.count().desc())
    )
    return [Before(Money(int(total), currency), count, at, UUID(last)) for currency, total, count, at, last in rows]


@dataclass(frozen=True)
class Turnover90:
    """What moved in one direction and currency. `declared`: a month's plan in euros, where one was stated."""

    kind: Kind
    days_30: Money
    days_90: Money
    declared: Money | None

    @property
    def beyond(self) -> bool:
        """More than the plan of one month in 30 days, or of three in 90."""
        plan = self.declared
        return plan is not None and (
            self.days_30.minor_units > plan.minor_units or self.days_90.minor_units > 3 * plan.minor_units
        )


@dataclass(frozen=True)
class Declared:
    """What a company stated: its turnover of a year in words, and planned volumes of a month in euros."""

    turnover: str | None
    incoming: Money | None
    outgoing: Money | None


def declared_by(client: Client) -> Declared:
    """Of a person nothing is asked."""
    company = session().get(Company, client.id) if client.type == "company" else None
    if company is None:
        return Declared(None, None, None)
    words = company.turnover
    if words is not None and words in set(Turnover):
        words = TURNOVER_LABELS[Turnover(words)]
    flows = company.fund_flows or {}
    return Declared(
        words,
        _euros(flows.get("plannedIncomingTransfersEurVolume")),
        _euros(flows.get("plannedOutboundTransfersEurVolume")),
    )


def _euros(amount: Any) -> Money | None:
    """As somebody stated it, cut to cents."""
    return Money(int(Decimal(str(amount)) * 100), "eur") if amount is not None else None


def turnover(client: Client) -> list[Turnover90]:
    """Of 30 and 90 days, each direction and currency by itself; a line in euros wherever a plan was stated."""
    moment = clock.now()
    plans = declared_by(client)
    planned = {Kind.INCOMING: plans.incoming, Kind.OUTGOING: plans.outgoing}
    recent = sa.func.sum(Transfer.amount_minor).filter(Transfer.created_at >= moment - SHORT)
    rows = session().execute(
        sa.select(Transfer.kind, Transfer.currency, recent, sa.func.sum(Transfer.amount_minor))
        .where(
            Transfer.client_id == client.id,
            Transfer.id >= edge_id(moment - LONG - timedelta(days=1), last=False),
            Transfer.created_at >= moment - LONG,
            Transfer.kind != Kind.FOREIGN_EXCHANGE.value,
            Transfer.status.in_(GONE),
        )
        .group_by(Transfer.kind, Transfer.currency)
    )
    found = {(Kind(kind), currency): (int(short or 0), int(long)) for kind, currency, short, long in rows}
    for kind, plan in planned.items():
        if plan is not None:
            found.setdefault((kind, "eur"), (0, 0))
    order = {Kind.OUTGOING: 0, Kind.INCOMING: 1}
    return [
        Turnover90(
            kind,
            Money(short, currency),
            Money(long, currency),
            planned[kind] if currency == "eur" else None,
        )
        for (kind, currency), (short, long) in sorted(found.items(), key=lambda one: (order[one[0][0]], one[0][1]))
    ]
