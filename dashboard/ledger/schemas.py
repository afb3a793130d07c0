"""Bodies and queries of payments, as machines send them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field, WithJsonSchema, model_validator
from pydantic.alias_generators import to_camel

from dashboard.errors import FieldError, Invalid
from dashboard.ledger.moving import LARGEST_BATCH, LONGEST_PAYMENT, Leg, Order
from dashboard.ledger.services.orders import refuse_reserved
from dashboard.ledger.vocabulary import MAIN_PURPOSE, ParentType
from dashboard.money import DECIMALS, LARGEST_MINOR_UNITS, Money, NotRepresentable
from dashboard.web.api import Body, Boolean, DateGuard, NoControl, NumberGuard, TextGuard, examples

Identifier = Annotated[UUID, TextGuard]
Day = Annotated[date, DateGuard]
Amount = Annotated[
    Decimal,
    NumberGuard,
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 10**16, "examples": [12.34]}),
]
Currency = Annotated[str, TextGuard, WithJsonSchema({"type": "string", "enum": sorted(DECIMALS), "examples": ["eur"]})]
PURPOSE = r"^[A-Za-z][A-Za-z0-9-]*$"
Purpose = Annotated[str, Field(max_length=40, pattern=PURPOSE), TextGuard]
Description = Annotated[str, Field(max_length=500), TextGuard, NoControl]
Reason = Annotated[str, Field(max_length=500), TextGuard, NoControl]


def minor_units(amount: Decimal, currency: str, *, field: str, currency_field: str = "currency") -> int:
    """Exact minor units of a positive amount. Raises Invalid, naming the field; nothing is ever rounded."""
    if currency not in DECIMALS:
        raise Invalid.one(currency_field, "This currency is not known here.", "enum")
    try:
        money = Money.of(amount, currency)
    except NotRepresentable as error:
        sentence = str(error)
        raise Invalid.one(field, f"{sentence[:1].upper()}{sentence[1:]}.", "range") from None
    if money.minor_units <= 0:
        raise Invalid.one(field, "The amount must be greater than zero.", "range")
    return money.minor_units


def _with(example: dict[str, Any], summary: str) -> ConfigDict:
    return ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={"examples": examples(example=(summary, example))},  # type: ignore[typeddict-unknown-key]
    )


_MOVED = {
    "debtorAccountId": "d9695c4c-f4a8-4c4e-b1b1-0b2201504693",
    "creditorAccountId": "0411bd28-c6c2-4498-8a47-b18d967449d7",
    "currency": "eur",
    "amount": 12.34,
}
_PARENT = {"parentId": "70850378-7d3c-4f45-91b7-942d4dfbbd43", "parentType": "transfer"}
_FEE = _MOVED | {"amount": 0.35, "description": "Fee"}


class PaymentPath(Body):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")
    payment_id: UUID


class TransactionBody(Body):
    debtor_account_id: Identifier
    creditor_account_id: Identifier
    currency: Currency
    amount: Amount
    description: Description | None = None


class _PaymentFrame(Body):
    parent_id: Identifier
    parent_type: ParentType
    purpose: Purpose = MAIN_PURPOSE
    value_date: Day | None = Field(None, description="May lie in the past; the booking date when left out.")


class PaymentBody(_PaymentFrame, TransactionBody):
    """GL-30: one transaction, posted at once."""

    model_config = _with(_PARENT | _MOVED, "A transfer")


class DraftBody(_PaymentFrame):
    """GL-31: 1..n transactions."""

    model_config = _with({**_PARENT, "transactions": [_MOVED, _FEE]}, "A transfer and its fee")

    transactions: Annotated[list[TransactionBody], Field(min_length=1, max_length=LONGEST_PAYMENT)]


_UUID = {"type": "string", "format": "uuid"}
#: each item is read by hand, so that ten thousand take no longer than they must; the rules are those of PaymentBody
_ITEM = {
    "type": "object",
    "required": ["parentId", "parentType", "debtorAccountId", "creditorAccountId", "currency", "amount"],
    "additionalProperties": False,
    "properties": {
        "parentId": _UUID,
        "parentType": {"type": "string", "enum": [kind.value for kind in ParentType]},
        "debtorAccountId": _UUID,
        "creditorAccountId": _UUID,
        "currency": {"type": "string", "enum": sorted(DECIMALS)},
        "amount": {"type": "number", "exclusiveMinimum": 0, "maximum": LARGEST_MINOR_UNITS},
        "purpose": {"type": "string", "maxLength": 40, "pattern": PURPOSE, "default": MAIN_PURPOSE},
        "valueDate": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
        "description": {"anyOf": [{"type": "string", "maxLength": 500}, {"type": "null"}]},
    },
}
Items = Annotated[
    list[Any],
    Field(min_length=1, max_length=LARGEST_BATCH),
    WithJsonSchema({"type": "array", "minItems": 1, "maxItems": LARGEST_BATCH, "items": _ITEM}),
]


class BatchBody(Body):
    """Up to 10,000 payments of one transaction each."""

    model_config = _with({"payments": [_PARENT | _MOVED], "allOrNothing": False}, "Each on its own")

    payments: Items
    all_or_nothing: Boolean = Field(
        False, description="One refusal refuses all; otherwise each payment stands or falls on its own."
    )


class OptionalBody(Body):
    """No body at all is an empty one."""

    @model_validator(mode="before")
    @classmethod
    def nothing(cls, value: Any) -> Any:
        return {} if value is None else value


class CancelBody(OptionalBody):
    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={  # type: ignore[typeddict-unknown-key]
            "required": False,
            "examples": examples(reason=("A reason", {"reason": "The client asked."}), nothing=("Nothing", {})),
        },
    )

    reason: Reason | None = None


class ReverseBody(Body):
    model_config = _with({"reason": "Booked twice by mistake."}, "A reason")

    reason: Annotated[str, Field(min_length=1, max_length=500), TextGuard, NoControl]


def _leg(body: TransactionBody, prefix: str = "") -> Leg:
    return Leg(
        debtor_id=body.debtor_account_id,
        creditor_id=body.creditor_account_id,
        amount_minor=minor_units(
            body.amount, body.currency, field=f"{prefix}amount", currency_field=f"{prefix}currency"
        ),
        currency=body.currency,
        description=(body.description or "").strip() or None,
    )


def order_of(body: PaymentBody | DraftBody) -> Order:
    """The order that a body says. Raises Invalid, naming every field."""
    if isinstance(body, PaymentBody):
        legs = [_leg(body)]
    else:
        legs, errors = [], []
        for number, transaction in enumerate(body.transactions):
            try:
                legs.append(_leg(transaction, f"transactions.{number}."))
            except Invalid as error:
                errors += error.errors
        if errors:
            raise Invalid([FieldError(e.field, e.message, e.rule) for e in errors[:100]])
    order = Order(
        parent_type=body.parent_type,
        parent_id=body.parent_id,
        purpose=body.purpose,
        value_date=body.value_date,
        legs=legs,
    )
    refuse_reserved(order)
    return order
