"""Quotes and exchanges: TF-21."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from dashboard.access.guard import api_requires, current_actor
from dashboard.access.permissions import Audience, Permission
from dashboard.database import transaction
from dashboard.errors import FieldError, Invalid, NotFound, Refused
from dashboard.ledger.schemas import minor_units
from dashboard.transfers.api.blueprint import FRONT_OFFICE, transfer_operations
from dashboard.transfers.dto import transfer_dto
from dashboard.transfers.exchange_schemas import ExchangeBody, QuoteBody, QuoteDto, quote_dto
from dashboard.transfers.models import FxQuote
from dashboard.transfers.schemas import TransferDto
from dashboard.transfers.services.exchange.exchanging import exchange
from dashboard.transfers.services.exchange.quoting import own_account, quote
from dashboard.web.api import documented_errors

ANSWERS = documented_errors(404, 409, 413, 415, 422)
QUOTE_REFUSALS = (
    "422 `sameCurrency`, `amountTooSmall` (it would buy nothing), `amountTooLarge`, `rateMissing`, `rateStale`,"
    " `clientNotActive`, `accountClosed`, `noSystemAccount`"
)


def _client() -> UUID:
    """The client that the token speaks for. Raises NotFound for a token of none."""
    client_id = current_actor().client_id
    if client_id is None:
        raise NotFound("There is no such client.", code="clientNotFound")
    return client_id


def _quoted(
    client_id: UUID, sell: UUID, buy: UUID, *, sell_amount: Decimal | None = None, buy_amount: Decimal | None = None,
    sell_field: str = "sellAmount", buy_field: str = "buyAmount",
) -> FxQuote:  # fmt: skip
    sold_from, bought_to = (own_account(account, client_id=client_id) for account in (sell, buy))

    def minor(amount: Decimal | None, currency: str, field: str) -> int | None:
        return None if amount is None else minor_units(amount, currency, field=field)

    return quote(
        client_id=client_id,
        sell_account_id=sell,
        buy_account_id=buy,
        sell_minor=minor(sell_amount, sold_from.currency, sell_field),
        buy_minor=minor(buy_amount, bought_to.currency, buy_field),
        by=current_actor(),
    )


@transfer_operations.post(
    "/Transfers/foreign-exchange/quotes", tags=FRONT_OFFICE, summary="Ask for a quote of an exchange",
    description="Fixes both amounts, the rate and the margin until `expires`. Nothing is held. Refusals:"
    f" {QUOTE_REFUSALS}. An addition to the documented operations.",
    operation_id="quoteExchange", responses={200: QuoteDto, **ANSWERS},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def quote_exchange(body: QuoteBody) -> dict[str, Any]:
    if (body.sell_amount is None) == (body.buy_amount is None):
        raise Invalid.one("sellAmount", "Give either sellAmount or buyAmount.", "oneOf")
    client_id = _client()
    with transaction():
        return quote_dto(
            _quoted(
                client_id,
                body.sell_account_id,
                body.buy_account_id,
                sell_amount=body.sell_amount,
                buy_amount=body.buy_amount,
            )
        )


@transfer_operations.post(
    "/Transfers/foreign-exchange", tags=FRONT_OFFICE, summary="Create an FX transfer between own accounts",
    description="By a quote, or at the rate of this moment. Money moves at once. Refusals: 404 `quoteNotFound`, 409"
    " `quoteUsed`, 422 `quoteExpired`, `insufficientFunds`, `accountFrozen`, `currencyMismatch`, and those of a"
    f" quote: {QUOTE_REFUSALS}.",
    operation_id="exchange", responses={200: TransferDto, **ANSWERS},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def create_exchange(body: ExchangeBody) -> dict[str, Any]:
    _check(body)
    client_id, by = _client(), current_actor()
    with transaction():
        quote_id = body.quote_id or _at_once(body, client_id)
        return transfer_dto(exchange(quote_id, client_id=client_id, by=by).id, own=True)


def _check(body: ExchangeBody) -> None:
    """Raises Invalid, naming every field that is missing or too much."""
    parts = {
        "sellAccountId": body.sell_account_id, "buyAccountId": body.buy_account_id,
        "amount": body.amount, "currency": body.currency,
    }  # fmt: skip
    if body.quote_id is not None:
        errors = [
            FieldError(field, "The quote says this already.", "notAllowed")
            for field, value in parts.items()
            if value is not None
        ]
    else:
        errors = [
            FieldError(field, "This field is required without a quote.", "required")
            for field, value in parts.items()
            if value is None
        ]
    if errors:
        raise Invalid(errors)


def _at_once(body: ExchangeBody, client_id: UUID) -> UUID:
    assert body.sell_account_id and body.buy_account_id and body.amount is not None and body.currency  # _check
    sell = own_account(body.sell_account_id, client_id=client_id).currency
    buy = own_account(body.buy_account_id, client_id=client_id).currency
    if sell != buy and body.currency not in {sell, buy}:
        raise Refused(
            "The currency is of neither account.", code="currencyMismatch", details={"currencies": sorted({sell, buy})}
        )
    selling = body.currency == sell
    return _quoted(
        client_id,
        body.sell_account_id,
        body.buy_account_id,
        sell_amount=body.amount if selling else None,
        buy_amount=None if selling else body.amount,
        sell_field="amount",
        buy_field="amount",
    ).id
