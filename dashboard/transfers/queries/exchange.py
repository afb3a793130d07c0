"""Rates as they stand, positions of the house, margins, and the latest exchanges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.clients.models import Client
from dashboard.database import session
from dashboard.ledger.models import Account, AccountBalance
from dashboard.ledger.vocabulary import AccountType
from dashboard.money import DECIMALS, Money
from dashboard.transfers.models import FxMargin, FxQuote, FxRate, Transfer
from dashboard.transfers.services.exchange import ecb, quoting, rates
from dashboard.transfers.services.exchange.terms import terms
from dashboard.transfers.vocabulary import Kind

_FOUR = Decimal("0.0001")


def _shown(rate: Decimal) -> Decimal:
    """With four decimals at least, as rates are printed."""
    return rate.quantize(_FOUR) if rate == rate.quantize(_FOUR) else rate.normalize()


@dataclass(frozen=True)
class RateView:
    """`before`: the rate of the fixing before it."""

    currency: str
    rate: Decimal
    source: str
    as_of: datetime
    loaded_at: datetime
    before: Decimal | None
    stale: bool


def rate_views() -> list[RateView]:
    """The newest rate of every currency that has one, by currency."""
    today, found = clock.calendar().today(), []
    known = quoting.newest(set(DECIMALS))
    for currency in sorted(known):
        rate = known[currency]
        before = session().scalar(
            sa.select(FxRate.rate)
            .where(FxRate.base == ecb.BASE, FxRate.quote == currency, FxRate.as_of < rate.as_of)
            .order_by(FxRate.as_of.desc(), FxRate.id.desc())
            .limit(1)
        )
        found.append(
            RateView(
                currency, _shown(rate.rate), rate.source, rate.as_of, rate.loaded_at,
                _shown(before) if before is not None else None,
                rates.is_stale(rate.as_of, today, terms().rate_business_days),
            )
        )  # fmt: skip
    return found


@dataclass(frozen=True)
class PositionView:
    """What the house holds of a currency through exchanges. `worth`: at the newest rate, in euros; None without one.

    A position is what clients sold minus what they bought: a credit on the account is currency that the house has.
    """

    account_id: UUID
    held: Money
    worth: Money | None
    stale: bool


def positions() -> list[PositionView]:
    """By currency; nothing is booked by looking."""
    rows = session().execute(
        sa.select(Account.id, Account.currency, sa.func.coalesce(sa.func.sum(AccountBalance.posted), 0))
        .join(AccountBalance, AccountBalance.account_id == Account.id)
        .where(Account.type == AccountType.FX_POSITION.value)
        .group_by(Account.id, Account.currency)
        .order_by(Account.currency, Account.id)
    )
    known = {view.currency: view for view in rate_views()}
    found = []
    for account_id, currency, posted in rows:
        held, view = Money(int(posted), currency), known.get(currency)
        worth: Money | None = None
        if currency == ecb.BASE:
            worth = held
        elif view is not None:
            shift = Fraction(10) ** (DECIMALS[ecb.BASE] - DECIMALS[currency])
            # to the nearest cent, halves away from zero: a figure to read, not one to book
            exact = Fraction(held.minor_units) / Fraction(view.rate) * shift
            worth = Money(int(abs(exact) + Fraction(1, 2)) * (-1 if exact < 0 else 1), ecb.BASE)
        found.append(PositionView(account_id, held, worth, bool(view and view.stale)))
    return found


@dataclass(frozen=True)
class MarginView:
    client_id: UUID | None
    name: str | None
    basis_points: int
    changed_at: datetime


_MARGINS = sa.select(FxMargin.client_id, Client.name, FxMargin.basis_points, FxMargin.changed_at).outerjoin(
    Client, Client.id == FxMargin.client_id
)


def margin_views(limit: int | None) -> list[MarginView]:
    """The default first, then clients by name; None: all of them."""
    rows = session().execute(
        _MARGINS.order_by(FxMargin.client_id.is_not(None), Client.name_key, FxMargin.client_id).limit(limit)
    )
    return [MarginView(*row) for row in rows]


def margin_view(client_id: UUID | None) -> MarginView | None:
    """What was agreed with a client; of nobody (None) the default. None where there is no such margin."""
    found = session().execute(_MARGINS.where(FxMargin.of(client_id))).one_or_none()
    return MarginView(*found) if found else None


@dataclass(frozen=True)
class ExchangeView:
    transfer_id: UUID
    created_at: datetime
    client_id: UUID
    client: str
    sold: Money
    bought: Money
    rate: Decimal
    margin: Money
    margin_basis_points: int


def latest(limit: int = 20) -> Sequence[ExchangeView]:
    """The newest exchanges of all clients."""
    rows = session().execute(
        sa.select(Transfer, FxQuote, Client.name)
        .join(FxQuote, FxQuote.id == Transfer.quote_id)
        .join(Client, Client.id == Transfer.client_id)
        .where(Transfer.kind == Kind.FOREIGN_EXCHANGE.value)
        .order_by(Transfer.id.desc())
        .limit(limit)
    )
    return [
        ExchangeView(
            transfer.id, transfer.created_at, quote.client_id, name, Money(quote.sell_minor, quote.sell_currency),
            Money(quote.buy_minor, quote.buy_currency), quote.rate.normalize(),
            Money(quote.margin_minor, quote.sell_currency), quote.margin_basis_points,
        )
        for transfer, quote, name in rows
    ]  # fmt: skip
