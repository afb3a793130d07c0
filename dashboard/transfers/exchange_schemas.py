"""What a client's app asks of an exchange, and what a quote tells."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from dashboard.ledger.schemas import Amount, Currency, Identifier
from dashboard.money import Money
from dashboard.transfers.models import FxQuote
from dashboard.web.api import Answer, Body, examples
from dashboard.web.json import iso_utc

_ACCOUNTS = {
    "sellAccountId": "d9695c4c-f4a8-4c4e-b1b1-0b2201504693",
    "buyAccountId": "0411bd28-c6c2-4498-8a47-b18d967449d7",
}


class QuoteBody(Body):
    """Exactly one of the two amounts."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={  # type: ignore[typeddict-unknown-key]
            "examples": examples(
                sell=("So much is sold", {**_ACCOUNTS, "sellAmount": 100.00}),
                buy=("So much is bought", {**_ACCOUNTS, "buyAmount": 100.00}),
            )
        },
    )

    sell_account_id: Identifier
    buy_account_id: Identifier
    sell_amount: Amount | None = Field(None, description="In the currency of the account that is sold from.")
    buy_amount: Amount | None = Field(None, description="In the currency of the account that is bought to.")


class ExchangeBody(Body):
    """Either `quoteId` alone, or everything else: then the exchange is quoted and done at once."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={  # type: ignore[typeddict-unknown-key]
            "examples": examples(
                quoted=("By a quote", {"quoteId": "70850378-7d3c-4f45-91b7-942d4dfbbd43"}),
                atOnce=("At the rate of this moment", {**_ACCOUNTS, "amount": 100.00, "currency": "eur"}),
            )
        },
    )

    quote_id: Identifier | None = None
    sell_account_id: Identifier | None = None
    buy_account_id: Identifier | None = None
    amount: Amount | None = Field(None, description="To sell or to buy, as `currency` says.")
    currency: Currency | None = Field(None, description="Of one of the two accounts.")


class QuoteDto(Answer):
    """Amounts are exact decimals of their currency."""

    id: UUID
    sell_account_id: UUID
    sell_amount: float = Field(description="What leaves the account, the margin included.")
    sell_currency: str
    buy_account_id: UUID
    buy_amount: float = Field(description="What reaches the account.")
    buy_currency: str
    rate: float = Field(description="Bought units for one sold, before the margin; shown with ten decimals.")
    rate_source: str
    rate_as_of: datetime
    margin: float = Field(description="Part of `sellAmount`, in its currency.")
    margin_basis_points: int
    created: datetime
    expires: datetime


def quote_dto(quote: FxQuote) -> dict[str, Any]:
    """A quote as its client reads it."""
    return {
        "id": str(quote.id),
        "sellAccountId": str(quote.sell_account_id),
        "sellAmount": Money(quote.sell_minor, quote.sell_currency).amount,
        "sellCurrency": quote.sell_currency,
        "buyAccountId": str(quote.buy_account_id),
        "buyAmount": Money(quote.buy_minor, quote.buy_currency).amount,
        "buyCurrency": quote.buy_currency,
        "rate": quote.rate.normalize(),
        "rateSource": quote.rate_source,
        "rateAsOf": iso_utc(quote.rate_as_of),
        "margin": Money(quote.margin_minor, quote.sell_currency).amount,
        "marginBasisPoints": quote.margin_basis_points,
        "created": iso_utc(quote.created_at),
        "expires": iso_utc(quote.expires_at),
    }
