"""What machines ask of transactions: the parameters of GL-16, GL-18 and GL-20 and the filter document of GL-19."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from dashboard.clock import calendar
from dashboard.errors import FieldError, Invalid
from dashboard.ledger.account_schemas import CURSOR, Cursor, PageSize
from dashboard.ledger.queries.filters import (
    EVERYTHING,
    LONGEST_TEXT,
    SHORTEST_TEXT,
    Group,
    Leaf,
    Node,
    required,
    trigrams_in,
)
from dashboard.ledger.queries.transactions import Order, Sort
from dashboard.ledger.schemas import Day, Identifier
from dashboard.ledger.vocabulary import ParentType, PaymentState
from dashboard.money import DECIMALS, LARGEST_MINOR_UNITS
from dashboard.web.api import Body, Boolean, NoControl, NumberGuard, TextGuard, examples
from dashboard.web.paging import DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE
from dashboard.web.parameters import Truth, Unset, Whole

#: groups within groups, and leaves, of one filter document
DEEPEST, MOST_LEAVES = 5, 50
#: rows that page numbers reach; a cursor has no end
FARTHEST = 10_000
#: times beyond these mean "any": PostgreSQL and Python end elsewhere
EARLIEST, LATEST = date(1900, 1, 1), date(2999, 12, 31)

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9:.]{5,15}([Zz]|[+-][0-9]{2}:[0-9]{2})")
_NUMBER = re.compile(r"[0-9]{1,17}(\.[0-9]{1,10})?")


def _when(value: Any) -> Any:
    """A day, or a moment with its offset."""
    if isinstance(value, str):
        try:
            if _DAY.fullmatch(value):
                return date.fromisoformat(value)
            if _MOMENT.fullmatch(value):
                return datetime.fromisoformat(value.upper())
        except ValueError:
            pass
    raise ValueError("must be a day such as 2026-03-13 or a time with its offset such as 2026-03-13T08:00:00Z")


def _known(currency: str) -> str:
    if currency not in DECIMALS:
        raise PydanticCustomError("enum", "This currency is not known here; write it in lower case, such as eur")
    return currency


def _decimal(value: Any) -> Any:
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise ValueError("must be a number such as 1250.50, not below zero")
    return Decimal(value) if isinstance(value, str) else value


_AMOUNT = {"type": "number", "minimum": 0, "maximum": LARGEST_MINOR_UNITS}
Amount = Annotated[Decimal, Field(ge=0, le=LARGEST_MINOR_UNITS), NumberGuard, WithJsonSchema(_AMOUNT)]
AmountText = Annotated[Decimal, Field(ge=0, le=LARGEST_MINOR_UNITS), BeforeValidator(_decimal), WithJsonSchema(_AMOUNT)]
When = Annotated[
    Any,
    BeforeValidator(_when),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}),
]
SearchText = Annotated[str, Field(min_length=SHORTEST_TEXT, max_length=LONGEST_TEXT), TextGuard, NoControl]


# parameters of an address hold no list of examples
Currency = Annotated[
    str, TextGuard, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": sorted(DECIMALS)})
]  # fmt: skip


def _absent() -> Any:
    """Left out: a null would read as "any", and nobody who asks for nothing in particular writes it down."""
    return None


def _optional(description: str | None = None) -> Any:
    return Field(default_factory=_absent, description=description)


class _Conditions(Body):
    """Conditions that combine. Days are both included, a time to which is not."""

    account_id: Identifier = _optional("Debtor or creditor.")
    debtor_account_id: Identifier = _optional()
    creditor_account_id: Identifier = _optional()
    client_id: Identifier = _optional("Any account of the client, on either side.")
    currency: Currency = _optional()
    state: PaymentState = _optional()
    created_from: When = _optional("A day of the institution's zone, or a time.")
    created_to: When = _optional()
    posted_from: When = _optional()
    posted_to: When = _optional()
    booking_date_from: Day = _optional()
    booking_date_to: Day = _optional()
    value_date_from: Day = _optional()
    value_date_to: Day = _optional()
    parent_id: Identifier = _optional("What the payment belongs to: a transfer, say.")
    parent_type: ParentType = _optional()
    payment_id: Identifier = _optional()
    text: SearchText = _optional("Part of the description, any case; three characters in a row at least.")


class TransactionFilter(_Conditions):
    """`{"and": […]}`, `{"or": […]}`, or a leaf: conditions that must all hold."""

    amount: Amount = _optional("Exactly so much, in major units.")
    amount_from: Amount = _optional()
    amount_to: Amount = _optional()
    and_: Annotated[list[TransactionFilter], Field(min_length=1, max_length=MOST_LEAVES)] = Field(
        default_factory=_absent, alias="and", description="All of these."
    )
    or_: Annotated[list[TransactionFilter], Field(min_length=1, max_length=MOST_LEAVES)] = Field(
        default_factory=_absent, alias="or", description="At least one of these."
    )


def _measured(value: Any) -> Any:
    """Refuse what is too deep or too large before anything else looks at it."""
    below, leaves = [(value, 1)], 0
    while below:
        node, depth = below.pop()
        if not isinstance(node, dict):
            continue
        parts = [part for word in ("and", "or") if isinstance(node.get(word), list) for part in node[word]]
        if parts and depth > DEEPEST:
            raise ValueError(f"nest at most {DEEPEST} groups in each other")
        leaves += not parts
        if leaves + len(below) + len(parts) > 4 * MOST_LEAVES or leaves > MOST_LEAVES:
            raise ValueError(f"use at most {MOST_LEAVES} leaves")
        below += [(part, depth + 1) for part in parts]
    return value


SORT = "`created` in the order of making, `posted` posted ones only, `amount` only with one currency."
DIRECTION = "`desc` (newest or largest first) unless said."


class TransactionQueryBody(Body):
    """GL-19."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={  # type: ignore[typeddict-unknown-key]
            "examples": examples(
                large=("Large euro payments of a month, and all that still wait", {
                    "filter": {"or": [
                        {"and": [
                            {"currency": "eur", "amountFrom": 10000},
                            {"bookingDateFrom": "2026-03-01", "bookingDateTo": "2026-03-31"},
                        ]},
                        {"state": "pending"},
                    ]},
                    "sort": "created", "direction": "desc", "pageSize": 20,
                }),
                adjusting=("Adjusting payments of a client", {
                    "filter": {"clientId": "019a7c3e-7a10-7cc1-8d0e-3f6a1b2c3d4e", "parentType": "adjustingPayment"},
                }),
                text=("A word of the description, the oldest first", {
                    "filter": {"and": [{"text": "invoice 4410"}, {"amount": 1250.5, "currency": "eur"}]},
                    "direction": "asc", "includeTotal": True,
                }),
                everything=("Everything that was posted, by the time of posting", {"sort": "posted"}),
            ),
        },
    )  # fmt: skip

    filter: Annotated[TransactionFilter, BeforeValidator(_measured)] = Field(
        default_factory=_absent, description="Everything, when left out. At most 5 groups deep and 50 leaves."
    )
    sort: Sort = Field("created", description=SORT)
    direction: Literal["asc", "desc"] = Field("desc", description=DIRECTION)
    page_size: PageSize = DEFAULT_PAGE_SIZE
    cursor: Cursor | None = Field(None, description=CURSOR)
    include_total: Boolean = Field(False, description="Adds `totalCount`, at the cost of counting.")


class _Parameters(_Conditions):
    """The same conditions as parameters of an address; an empty one is none."""

    amount: AmountText = _optional("Exactly so much, in major units.")
    amount_from: AmountText = _optional()
    amount_to: AmountText = _optional()

    @model_validator(mode="before")
    @classmethod
    def without_empty_ones(cls, value: Any) -> Any:
        return {name: said for name, said in value.items() if said != ""} if isinstance(value, dict) else value


class _Sorted(_Parameters):
    sort: Sort = Field("created", description=SORT)
    direction: Literal["asc", "desc"] = Field("desc", description=DIRECTION)


class TransactionQuery(_Sorted):
    """GL-18. Filters combine."""

    page_size: Annotated[int, Field(ge=1, le=LARGEST_PAGE_SIZE), Whole] = DEFAULT_PAGE_SIZE
    cursor: Annotated[Cursor | None, Unset] = Field(None, description=CURSOR)
    include_total: Annotated[bool, Truth] = Field(False, description="Adds `totalCount`, at the cost of counting.")


class ReportQuery(_Sorted):
    """GL-20. Filters combine."""

    format: Literal["csv", "xlsx"] = "csv"


class OwnTransactionQuery(Body):
    """GL-16. Filters combine; an empty one is none."""

    account_id: Identifier = _optional("One of the client's accounts; all of them unless said.")
    side: Literal["debit", "credit"] = _optional("Money that left the account (or accounts), or that came in.")
    currency: Currency = _optional()
    state: PaymentState = _optional()
    amount_from: AmountText = _optional()
    amount_to: AmountText = _optional()
    created_from: When = _optional("A day of the institution's zone, or a time.")
    created_to: When = _optional()
    booking_date_from: Day = _optional()
    booking_date_to: Day = _optional()
    value_date_from: Day = _optional()
    value_date_to: Day = _optional()
    text: SearchText = _optional("Part of the description, any case; three characters in a row at least.")
    direction: Literal["asc", "desc"] = Field("desc", description="Newest first unless said.")
    page_size: Annotated[int, Field(ge=1, le=LARGEST_PAGE_SIZE), Whole] = DEFAULT_PAGE_SIZE
    cursor: Annotated[Cursor | None, Unset] = Field(None, description=CURSOR)
    page_number: Annotated[int, Field(ge=1, le=FARTHEST), Whole] = _optional(
        f"From 1, instead of a cursor, as far as {FARTHEST:,} rows; the answer then carries `totalCount`."
    )
    include_total: Annotated[bool, Truth] = Field(False, description="Adds `totalCount`.")

    @model_validator(mode="before")
    @classmethod
    def without_empty_ones(cls, value: Any) -> Any:
        return {name: said for name, said in value.items() if said != ""} if isinstance(value, dict) else value


class TransactionPath(Body):
    id: UUID


def _from(when: date | datetime | None) -> datetime | None:
    """The first moment of a day in the institution's zone, or the moment itself."""
    if when is None or isinstance(when, datetime):
        return when
    return datetime.combine(max(when, EARLIEST), time(), calendar().zone)


def _before(when: date | datetime | None) -> datetime | None:
    """The first moment after a day, or the moment itself."""
    if when is None or isinstance(when, datetime):
        return when
    return datetime.combine(min(when, LATEST) + timedelta(days=1), time(), calendar().zone)


#: pairs of fields of which the first must not lie behind the second
_RANGES = (
    ("amount_from", "amount_to"), ("created_from", "created_to"), ("posted_from", "posted_to"),
    ("booking_date_from", "booking_date_to"), ("value_date_from", "value_date_to"),
)  # fmt: skip


def _wrong(said: Body, where: str) -> Iterable[FieldError]:
    """What no single field shows."""
    given = {name: getattr(said, name, None) for pair in _RANGES for name in pair}
    for first, last in _RANGES:
        start, end = given[first], given[last]
        if start is None or end is None:
            continue
        name = to_camel(last)
        if first in {"created_from", "posted_from"}:
            start, end = _from(start), _before(end)
        if start > end:  # type: ignore[operator]  # both are set, and of one type
            yield FieldError(f"{where}{name}", f"This lies before {to_camel(first)}.", "range")
    amount, currency = getattr(said, "amount", None), getattr(said, "currency", None)
    if amount is not None:
        if given["amount_from"] is not None or given["amount_to"] is not None:
            yield FieldError(f"{where}amount", "Give an exact amount or a range, not both.", "notAllowed")
        if currency is not None and amount.scaleb(DECIMALS[currency]) % 1:
            yield FieldError(f"{where}amount", f"{currency.upper()} has {DECIMALS[currency]} decimals.", "range")
    text = getattr(said, "text", None)
    if text is not None and not trigrams_in(text):
        yield FieldError(f"{where}text", f"Write at least {SHORTEST_TEXT} characters without a blank.", "tooShort")


def leaf_of(said: _Conditions | OwnTransactionQuery) -> Leaf:
    """The conditions as the ledger reads them."""

    def one(name: str) -> Any:
        return getattr(said, name, None)

    def only(name: str) -> Any:
        return None if one(name) is None else (one(name),)

    exact = one("amount")
    return Leaf(
        accounts=only("account_id"),
        debtors=only("debtor_account_id"),
        creditors=only("creditor_account_id"),
        owners=only("client_id"),
        currency=one("currency"),
        amount_from=exact if exact is not None else one("amount_from"),
        amount_to=exact if exact is not None else one("amount_to"),
        states=only("state"),
        created_from=_from(one("created_from")),
        created_before=_before(one("created_to")),
        posted_from=_from(one("posted_from")),
        posted_before=_before(one("posted_to")),
        booking_from=one("booking_date_from"),
        booking_to=one("booking_date_to"),
        value_from=one("value_date_from"),
        value_to=one("value_date_to"),
        parent_id=one("parent_id"),
        parent_type=one("parent_type"),
        payment_id=one("payment_id"),
        text=one("text"),
    )


def checked_leaf(said: _Conditions | OwnTransactionQuery) -> Leaf:
    """Raises Invalid, naming every field that does not fit the others."""
    errors = list(_wrong(said, ""))
    if errors:
        raise Invalid(errors)
    return leaf_of(said)


_GROUPS = ("and_", "or_")


def _node(said: TransactionFilter, where: str, errors: list[FieldError]) -> Node:
    groups = [word for word in _GROUPS if word in said.model_fields_set]
    conditions = said.model_fields_set - set(_GROUPS)
    if not groups:
        if not conditions:
            errors.append(FieldError(where, "This says nothing: name a condition, or leave the filter out.", "empty"))
        errors += _wrong(said, f"{where}.")
        return leaf_of(said)
    if len(groups) > 1 or conditions:
        sentence = "Use either “and”, or “or”, or conditions; put the others into a group of their own."
        errors.append(FieldError(where, sentence, "mixed"))
    word = groups[0]
    parts = [
        _node(part, f"{where}.{word.rstrip('_')}.{number}", errors) for number, part in enumerate(getattr(said, word))
    ]
    return Group(word == "and_", tuple(parts))


def node_of(said: TransactionFilter | None) -> Node:
    """The filter document as the ledger reads it. Raises Invalid, naming every bad part by its path."""
    if said is None:
        return EVERYTHING
    errors: list[FieldError] = []
    found = _node(said, "filter", errors)
    if errors:
        raise Invalid(errors[:100])
    return found


def order_of(sort: Sort, direction: str, node: Node) -> Order:
    """Raises Invalid: amounts of different currencies have no order."""
    if sort == "amount" and not any(leaf.currency for leaf in required(node)):
        raise Invalid.one("sort", "Amounts are sorted within one currency: name it in a condition.", "needsCurrency")
    return Order(sort, direction == "desc")
