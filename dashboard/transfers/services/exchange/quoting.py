"""A quote fixes both amounts, the rate and the margin for a short while."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.clients.models import Client
from dashboard.clients.vocabulary import Status as ClientStatus
from dashboard.database import new_id, session
from dashboard.errors import Invalid, NotFound, Refused
from dashboard.ledger.models import Account
from dashboard.ledger.services.accounts import standard_account
from dashboard.ledger.vocabulary import AccountStatus, AccountType
from dashboard.money import LARGEST_MINOR_UNITS
from dashboard.transfers.models import FxQuote, FxRate
from dashboard.transfers.services.exchange import ecb, margins, rates, reckoning
from dashboard.transfers.services.exchange.terms import terms


@dataclass(frozen=True)
class Rate:
    """What one unit costs in another currency, exactly, and of which fixing that is."""

    exact: Fraction
    source: str
    as_of: datetime


def own_account(account_id: UUID, *, client_id: UUID) -> Account:
    """A client account of the client. Raises NotFound, alike for somebody else's."""
    found = session().scalar(
        sa.select(Account).where(
            Account.id == account_id, Account.owner_id == client_id, Account.type == AccountType.CLIENT
        )
    )
    if found is None:
        raise NotFound("There is no such account.", code="accountNotFound")
    return found


def newest(currencies: set[str]) -> dict[str, FxRate]:
    """The newest known rate of the euro in each of these currencies; unknown ones are left out."""
    found = session().scalars(
        sa.select(FxRate)
        .distinct(FxRate.quote)
        .where(FxRate.base == ecb.BASE, FxRate.quote.in_(currencies - {ecb.BASE}))
        .order_by(FxRate.quote, FxRate.as_of.desc(), FxRate.id.desc())
    )
    return {rate.quote: rate for rate in found}


def rate_of(sell: str, buy: str) -> Rate:
    """Raises Refused `rateMissing`, `rateStale`."""
    known = newest({sell, buy})
    missing = sorted({sell, buy} - {ecb.BASE} - known.keys())
    if missing:
        raise Refused(
            f"There is no rate of {missing[0].upper()} yet.", code="rateMissing", details={"currencies": missing}
        )
    as_of = min(rate.as_of for rate in known.values())
    if rates.is_stale(as_of, clock.calendar().today(), terms().rate_business_days):
        raise Refused(
            "The newest rate is too old to exchange by.", code="rateStale", details={"asOf": as_of.isoformat()}
        )
    exact = reckoning.cross(sell, buy, {currency: rate.rate for currency, rate in known.items()})
    return Rate(exact, " and ".join(sorted({rate.source for rate in known.values()})), as_of)


def require_active(client: Client) -> None:
    """Raises Refused `clientNotActive`: alike for a client that is blocked, closed or not active yet."""
    if client.status != ClientStatus.ACTIVE:
        raise Refused("Only an active client exchanges money.", code="clientNotActive")


def quote(
    *,
    client_id: UUID,
    sell_account_id: UUID,
    buy_account_id: UUID,
    sell_minor: int | None = None,
    buy_minor: int | None = None,
    by: Actor,
) -> FxQuote:
    """Fix what is sold and what is bought; exactly one of the two amounts is given. Nothing is held by it.

    Raises Invalid, NotFound `accountNotFound`, Refused `clientNotActive`, `accountClosed`, `sameCurrency`,
    `rateMissing`, `rateStale`, `amountTooSmall`, `amountTooLarge`, `noSystemAccount`.
    """
    if (sell_minor is None) == (buy_minor is None):
        raise Invalid.one("sellAmount", "Give either the amount to sell or the amount to buy.", "oneOf")
    given = sell_minor if sell_minor is not None else buy_minor
    if given is None or not 0 < given <= LARGEST_MINOR_UNITS:
        raise Invalid.one("sellAmount" if buy_minor is None else "buyAmount", "The amount is out of range.", "range")
    sold_from = own_account(sell_account_id, client_id=client_id)
    bought_to = own_account(buy_account_id, client_id=client_id)
    require_active(session().get_one(Client, client_id, populate_existing=True))
    for account in (sold_from, bought_to):
        if account.status != AccountStatus.OPEN:
            raise Refused("The account is closed.", code="accountClosed", details={"accountId": str(account.id)})
    sell, buy = sold_from.currency, bought_to.currency
    if sell == buy:
        raise Refused("Both accounts are in the same currency.", code="sameCurrency", details={"currency": sell})
    for currency in (sell, buy):
        standard_account(AccountType.FX_POSITION, currency)
    rate, points = rate_of(sell, buy), margins.margin_for(client_id)
    amounts = (
        reckoning.selling(sell_minor, sell, buy, rate.exact, points)
        if sell_minor is not None
        else reckoning.buying(given, sell, buy, rate.exact, points)
    )
    return _stored(amounts, rate, points, client_id=client_id, sold_from=sold_from, bought_to=bought_to)


def _stored(
    amounts: reckoning.Amounts, rate: Rate, points: int, *, client_id: UUID, sold_from: Account, bought_to: Account
) -> FxQuote:
    shown: Decimal = reckoning.shown(rate.exact)
    if amounts.buy_minor < 1 or amounts.sell_minor <= amounts.margin_minor or shown <= 0:
        raise Refused("So little buys nothing in the other currency.", code="amountTooSmall")
    if max(amounts.sell_minor, amounts.buy_minor) > LARGEST_MINOR_UNITS:
        raise Refused("The amount is too large.", code="amountTooLarge")
    moment = clock.now()
    fresh = FxQuote(
        id=new_id(),
        client_id=client_id,
        sell_account_id=sold_from.id,
        buy_account_id=bought_to.id,
        sell_currency=sold_from.currency,
        sell_minor=amounts.sell_minor,
        buy_currency=bought_to.currency,
        buy_minor=amounts.buy_minor,
        rate=shown,
        margin_minor=amounts.margin_minor,
        margin_basis_points=points,
        rate_source=rate.source,
        rate_as_of=rate.as_of,
        created_at=moment,
        expires_at=moment + timedelta(seconds=terms().quote_seconds),
    )
    session().add(fresh)
    session().flush()
    return fresh
