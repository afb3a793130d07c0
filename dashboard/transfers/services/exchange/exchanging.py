"""Carrying out a quote: one payment through the positions of both currencies, and the transfer that tells of it."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.clients.folding import search_text
from dashboard.clients.services import lock
from dashboard.database import constraint_of, new_id, session
from dashboard.errors import Conflict, NotFound, Refused
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import payments
from dashboard.ledger.services.accounts import standard_account
from dashboard.ledger.vocabulary import AccountType, ParentType
from dashboard.transfers.models import FxQuote, Transfer
from dashboard.transfers.services import lifecycle
from dashboard.transfers.services.exchange.quoting import own_account, require_active
from dashboard.transfers.vocabulary import Kind, Status, TransferType

MARGIN = "Exchange margin"


def exchange(quote_id: UUID, *, client_id: UUID, by: Actor) -> Transfer:
    """Carry out a quote of the client, once.

    Raises NotFound `quoteNotFound` (also for somebody else's), Conflict `quoteUsed`, Refused `quoteExpired`,
    `clientNotActive`, and what `payments.pay` refuses: `insufficientFunds`, `accountFrozen`, `accountClosed`.
    """
    # the client's row is held, so that of two at once the second sees what the first has done
    client = lock.locked(client_id)
    quote = session().scalar(sa.select(FxQuote).where(FxQuote.id == quote_id, FxQuote.client_id == client_id))
    if quote is None:
        raise NotFound("There is no such quote.", code="quoteNotFound")
    used = session().scalar(sa.select(Transfer.id).where(Transfer.quote_id == quote_id))
    if used is not None:
        raise Conflict("This quote has been used.", code="quoteUsed", details={"transferId": str(used)})
    if quote.expires_at <= clock.now():
        raise Refused(
            "This quote has expired. Ask for a new one.",
            code="quoteExpired",
            details={"expiresAt": quote.expires_at.isoformat()},
        )
    require_active(client)
    sold_from = own_account(quote.sell_account_id, client_id=client_id)
    bought_to = own_account(quote.buy_account_id, client_id=client_id)
    transfer_id = new_id()
    order = Order(parent_type=ParentType.TRANSFER, parent_id=transfer_id, legs=_legs(quote))
    moved = payments.pay(order, by=by)
    transfer = Transfer(
        id=transfer_id,
        kind=Kind.FOREIGN_EXCHANGE.value,
        status=Status.COMPLETED.value,
        type=TransferType.INTERNAL.value,
        client_id=client_id,
        account_id=quote.sell_account_id,
        counter_account_id=quote.buy_account_id,
        currency=quote.sell_currency,
        amount_minor=quote.sell_minor,
        fee_minor=0,
        counter_currency=quote.buy_currency,
        counter_minor=quote.buy_minor,
        payment_id=order.id,
        parent_type=ParentType.TRANSFER.value,
        quote_id=quote.id,
        search_text=search_text(client.name, sold_from.number, bought_to.number),
        value_date=moved.booked,
        created_at=moved.moment or clock.now(),
        ended_at=moved.moment or clock.now(),
        maker_kind=by.kind,
        maker_id=by.id,
        maker_name=by.name,
    )
    try:
        return lifecycle.begin(transfer, by=by)
    except sa.exc.IntegrityError as error:
        if constraint_of(error) != "uq_transfer_quote":
            raise
        raise Conflict("This quote has been used.", code="quoteUsed") from None


def _legs(quote: FxQuote) -> list[Leg]:
    """What is sold, the margin of it, what is bought: every currency by itself sums to zero."""
    words = f"Exchange {quote.sell_currency.upper()} to {quote.buy_currency.upper()}"
    sell, buy = quote.sell_currency, quote.buy_currency
    legs = [
        Leg(
            quote.sell_account_id,
            standard_account(AccountType.FX_POSITION, sell),
            quote.sell_minor - quote.margin_minor,
            sell,
            words,
        )
    ]
    if quote.margin_minor:
        income = standard_account(AccountType.INCOME, sell)
        legs.append(Leg(quote.sell_account_id, income, quote.margin_minor, sell, MARGIN))
    legs.append(Leg(standard_account(AccountType.FX_POSITION, buy), quote.buy_account_id, quote.buy_minor, buy, words))
    return legs
