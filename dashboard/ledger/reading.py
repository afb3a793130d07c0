"""From items of a batch to orders: quickly for what is right, in full words for what is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from operator import eq, itemgetter
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from dashboard.database import new_hex_ids, new_id
from dashboard.errors import FieldError, Invalid
from dashboard.ledger.moving import Leg, Order, PlainOrders
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


_FIELDS = itemgetter("parentType", "parentId", "debtorAccountId", "creditorAccountId", "currency", "amount")
_PLAIN_TYPES = frozenset(_PARENT_TYPES) - {ParentType.ADJUSTING_PAYMENT.value}
#: many of them with commas between; the length of each is looked at by itself
_UUIDS = re.compile("(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?:,|$))+").fullmatch
_UNITS = {currency: (10**decimals, Decimal(1).scaleb(-decimals)) for currency, decimals in DECIMALS.items()}


def _identifiers(texts: Sequence[Any]) -> list[str] | None:
    """The same in lower case; None where one of them is no identifier as it is written in JSON."""
    # a subclass of str comes from no JSON, and what is none has no place in what follows
    if set(map(type, texts)) != {str} or set(map(len, texts)) != {36}:
        return None
    joined = ",".join(texts).lower()
    return joined.split(",") if _UUIDS(joined) else None


def plain_orders(items: Sequence[Any]) -> PlainOrders | None:
    """Items that have just the required fields and are right, all of them, and adjust nothing; None where one of them
    must be looked at by itself. What it takes `plain_order` takes too."""
    try:
        if any(type(item) is not dict or len(item) != len(_REQUIRED) for item in items):
            return None
        # six fields, and these six are there: so there is no other
        types, parents, debtors, creditors, currencies, amounts = zip(*map(_FIELDS, items), strict=True)
        if not (_PLAIN_TYPES.issuperset(types) and DECIMALS.keys() >= set(currencies)):
            return None
    except (KeyError, TypeError, ValueError):
        return None
    found = _identifiers(parents), _identifiers(debtors), _identifiers(creditors)
    parent_ids, debtor_ids, creditor_ids = found
    if parent_ids is None or debtor_ids is None or creditor_ids is None or any(map(eq, debtor_ids, creditor_ids)):
        return None
    minor_units = []
    for currency, amount in zip(currencies, amounts, strict=True):
        if type(amount) not in (int, Decimal) or not 0 < amount <= LARGEST_MINOR_UNITS:
            return None
        many, unit = _UNITS[currency]
        # as in `plain_order`: a number of at most 17 digits times a unit is exact, so that the comparison is
        minor = int(amount * many)
        if minor > LARGEST_MINOR_UNITS or minor * unit != amount:
            return None
        minor_units.append(minor)
    ids = new_hex_ids(2 * len(items))
    return PlainOrders(ids[::2], ids[1::2], types, parent_ids, debtor_ids, creditor_ids, currencies, minor_units)


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
