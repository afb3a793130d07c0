"""From one item of a batch to an order: quickly for what is right, in full words for what is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from dashboard.database import new_id
from dashboard.errors import FieldError, Invalid
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.schemas import PaymentBody, order_of
from dashboard.ledger.services import payments
from dashboard.ledger.vocabulary import ParentType
from dashboard.money import DECIMALS, LARGEST_MINOR_UNITS
from dashboard.web.api import field_errors

_REQUIRED = frozenset({"parentId", "parentType", "debtorAccountId", "creditorAccountId", "currency", "amount"})
_UUID = re.compile("[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}").fullmatch
_PARENT_TYPES = {kind.value: kind for kind in ParentType}


def plain_order(item: Any, ids: tuple[UUID, UUID] | None = None) -> Order | None:
    """The order of an item that has just the required fields and is right; None where the schema must look.

    `ids`: those of payment and transaction, made beforehand.
    """
    if type(item) is not dict or item.keys() != _REQUIRED:
        return None
    currency, amount = item["currency"], item["amount"]
    decimals = DECIMALS.get(currency) if type(currency) is str else None
    kind = _PARENT_TYPES.get(item["parentType"]) if type(item["parentType"]) is str else None
    if decimals is None or kind is None or type(amount) not in (int, Decimal):
        return None
    # an endless number is compared before anything is computed with it
    if not 0 < amount <= LARGEST_MINOR_UNITS:
        return None
    # a product is rounded to 28 digits, a comparison never: what was cut off shows when the way back is compared
    minor = int(amount * 10**decimals)
    if minor > LARGEST_MINOR_UNITS or Decimal(minor).scaleb(-decimals) != amount:
        return None
    payment_id, transaction_id = ids or (new_id(), new_id())
    try:
        debtor, creditor, parent = item["debtorAccountId"], item["creditorAccountId"], item["parentId"]
        # UUID() itself takes braces, underscores and hyphens anywhere
        if not (_UUID(debtor) and _UUID(creditor) and _UUID(parent)):
            return None
    except TypeError:
        return None
    leg = Leg(UUID(debtor), UUID(creditor), minor, currency, None, transaction_id)
    return Order(kind, UUID(parent), (leg,), id=payment_id)


def order_from(item: Any, *, may_adjust: bool, ids: tuple[UUID, UUID] | None = None) -> Order:
    """Raises Invalid, naming the fields, and what `payments.check_order` refuses."""
    order = plain_order(item, ids)
    if order is None:
        if not isinstance(item, Mapping):
            raise Invalid([FieldError("", "This must be a JSON object.", "type")])
        try:
            order = order_of(PaymentBody.model_validate(item))
        except ValidationError as error:
            raise Invalid(field_errors(error)) from None
    payments.check_order(order, may_adjust=may_adjust)
    return order
