"""What machines may say about accounts: the bodies and queries of GL-01 to GL-15 and G2-01."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError
from schwifty import IBAN
from schwifty.exceptions import SchwiftyException

from dashboard.errors import Invalid
from dashboard.ledger import numbers
from dashboard.ledger.schemas import Identifier
from dashboard.ledger.services.accounts import LONGEST_ALIAS, LONGEST_PROVIDER, MOST_ACCOUNTS
from dashboard.ledger.vocabulary import OPENED_BY_API, AccountStatus, AccountType
from dashboard.money import DECIMALS, LARGEST_MINOR_UNITS, Money, NotRepresentable
from dashboard.web.api import Body, Boolean, NoControl, NumberGuard, TextGuard, examples
from dashboard.web.paging import DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE
from dashboard.web.parameters import Listed, Truth, Unset, Whole

#: clients named in one search
MOST_OWNERS = 200
LONGEST_TEXT = 200


def _known(currency: str) -> str:
    if currency not in DECIMALS:
        raise PydanticCustomError("enum", "This currency is not known here; write it in lower case, such as eur")
    return currency


def _opened(kind: AccountType) -> AccountType:
    if kind not in OPENED_BY_API:
        words = ", ".join(each.value for each in OPENED_BY_API)
        raise PydanticCustomError("enum", "Accounts of this type are made by the house itself; open one of {words}",
                                  {"words": words})  # fmt: skip
    return kind


def _one_line(text: str) -> str:
    if any(letter in text for letter in "\t\r\n\u2028\u2029"):
        raise ValueError("write one line")
    return text


def _iban(text: str) -> str:
    number = numbers.normalized(text)
    try:
        IBAN(number)
    except (SchwiftyException, ValueError):
        raise PydanticCustomError("iban", "This is no valid IBAN; check its length and its check digits") from None
    return number


Currency = Annotated[
    str,
    TextGuard,
    AfterValidator(_known),
    WithJsonSchema({"type": "string", "enum": sorted(DECIMALS), "examples": ["eur"]}),
]
OpenedType = Annotated[
    AccountType,
    AfterValidator(_opened),
    WithJsonSchema({"type": "string", "enum": [kind.value for kind in OPENED_BY_API]}),
]
Alias = Annotated[str, Field(max_length=LONGEST_ALIAS), TextGuard, NoControl, AfterValidator(_one_line)]
Provider = Annotated[
    str, Field(min_length=1, max_length=LONGEST_PROVIDER), TextGuard, NoControl, AfterValidator(_one_line)
]
Limit = Annotated[
    Decimal,
    NumberGuard,
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": LARGEST_MINOR_UNITS, "examples": [500]}),
]
#: the description of what `text` finds, for both ways of asking
FINDS = (
    "An account's number or its last characters (three or more, spaces allowed), the id of an account or of a client,"
    " a client's name (the accounts of the first 200 clients that match), or part of the alias of a house account."
)
SearchText = Annotated[str, Field(max_length=LONGEST_TEXT), TextGuard, NoControl]
Cursor = Annotated[str, Field(max_length=2000), TextGuard]
PageSize = Annotated[int, Field(ge=1, le=LARGEST_PAGE_SIZE), NumberGuard]
CURSOR = "`nextCursor` of the page before."


def _shown(**named: tuple[str, Any]) -> ConfigDict:
    return ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={"examples": examples(**named)},  # type: ignore[typeddict-unknown-key]
    )


def _without_default(schema: dict[str, Any]) -> None:
    """What is left out is not set to anything."""
    schema.pop("default", None)


class AccountPath(Body):
    account_id: UUID


class OwnAccountPath(Body):
    id: UUID


class AccountNumberPath(Body):
    account_number: Annotated[
        str,
        Field(max_length=100),
        TextGuard,
        NoControl,
        AfterValidator(_iban),
        WithJsonSchema({"type": "string", "minLength": 15, "maxLength": 100}),
    ]


class OpenBody(Body):
    """GL-02. A client account names its client, any other account must not."""

    model_config = _shown(
        client=("An account of a client", {
            "clientId": "019a7c3e-7a10-7cc1-8d0e-3f6a1b2c3d4e", "type": "client", "currency": "eur", "alias": "Rent",
        }),
        house=("A suspense account of the house", {
            "type": "suspense", "currency": "eur", "alias": "Returned items", "provider": "sandbox",
        }),
    )  # fmt: skip

    client_id: Identifier | None = None
    type: OpenedType
    currency: Currency
    alias: Alias | None = None
    provider: Provider | None = Field(None, description="Which provider keeps the money behind it, where that is said.")
    overdraft_limit: Limit | None = Field(
        None, description="How far a client account may go below zero; with the currency's decimals. 0 when left out."
    )


class OwnOpenBody(Body):
    """GL-01."""

    model_config = _shown(named=("With a name of one's own", {"currency": "eur", "alias": "Holidays"}))

    currency: Currency
    alias: Alias | None = None


class ChangeBody(Body):
    """GL-05. What is left out stays as it is; an alias of null takes the name away."""

    model_config = _shown(
        rename=("Another name", {"alias": "Rent"}),
        unnamed=("No name any more", {"alias": None}),
        hide=("Out of the list", {"hidden": True}),
    )

    alias: Alias | None = None
    hidden: Boolean = Field(default=False, json_schema_extra=_without_default)


class ReorderBody(Body):
    """GL-15."""

    model_config = _shown(
        two=("Two accounts", {
            "accountIds": ["019a7c3e-7a10-7cc1-8d0e-3f6a1b2c3d4e", "019a7c3e-7a10-7cc1-8d0e-3f6a1b2c3d4f"],
        }),
    )  # fmt: skip

    account_ids: Annotated[list[Identifier], Field(max_length=MOST_ACCOUNTS)] = Field(
        description="Every open account exactly once, hidden ones too, in the order in which they shall stand."
    )


class SendBody(Body):
    """GL-11."""

    model_config = _shown(
        close=("Before an account is closed", {
            "operation": "closeAccount", "accountId": "019a7c3e-7a10-7cc1-8d0e-3f6a1b2c3d4e",
        }),
    )  # fmt: skip

    operation: Literal["closeAccount"]
    account_id: Identifier


class VerifyBody(Body):
    """GL-13."""

    model_config = _shown(
        code=("The code that the client received", {
            "id": "019a7c3e-7a10-7cc1-8d0e-3f6a1b2c3d4e", "code": "048213",
        }),
    )  # fmt: skip

    id: Identifier = Field(description="The password's identifier, from the answer of send-otp.")
    code: Annotated[str, Field(pattern=r"^[0-9]{6}$"), TextGuard]


class SearchBody(Body):
    """GL-10. Filters combine; an empty list means any."""

    model_config = _shown(
        clients=("Open client accounts in euro and zloty", {
            "types": ["client"], "currencies": ["eur", "pln"], "statuses": ["open"], "pageSize": 20,
        }),
        number=("By the end of the number", {"text": "1000 0042"}),
    )  # fmt: skip

    client_ids: Annotated[list[Identifier], Field(max_length=MOST_OWNERS)] = Field(default_factory=list)
    types: Annotated[list[AccountType], Field(max_length=50)] = Field(default_factory=list)
    currencies: Annotated[list[Currency], Field(max_length=50)] = Field(default_factory=list)
    statuses: Annotated[list[AccountStatus], Field(max_length=10)] = Field(default_factory=list)
    text: SearchText = Field("", description=FINDS)
    page_size: PageSize = DEFAULT_PAGE_SIZE
    cursor: Cursor | None = Field(None, description=CURSOR)
    include_total: Boolean = Field(False, description="Adds `totalCount`: how many accounts pass, at a cost.")


class AccountQuery(Body):
    """G2-01: the same as parameters; a list may be repeated or comma separated."""

    client_ids: Annotated[list[Identifier], Field(max_length=MOST_OWNERS), Listed] = Field(default_factory=list)
    types: Annotated[list[AccountType], Field(max_length=50), Listed] = Field(default_factory=list)
    currencies: Annotated[list[Currency], Field(max_length=50), Listed] = Field(default_factory=list)
    statuses: Annotated[list[AccountStatus], Field(max_length=10), Listed] = Field(default_factory=list)
    text: SearchText = Field("", description=FINDS)
    page_size: Annotated[int, Field(ge=1, le=LARGEST_PAGE_SIZE), Whole] = DEFAULT_PAGE_SIZE
    cursor: Annotated[Cursor | None, Unset] = Field(None, description=CURSOR)
    include_total: Annotated[bool, Truth] = Field(False, description="Adds `totalCount`.")


class OwnAccountsQuery(Body):
    """GL-03."""

    include_hidden: Annotated[bool, Truth] = Field(False, description="Also accounts that the client has hidden.")
    status: Annotated[AccountStatus | None, Unset] = Field(None, description="Open and closed ones unless said.")
    page_size: Annotated[int, Field(ge=1, le=LARGEST_PAGE_SIZE), Whole] = DEFAULT_PAGE_SIZE
    cursor: Annotated[Cursor | None, Unset] = Field(None, description=CURSOR)
    page_number: Annotated[Annotated[int, Field(ge=1, le=10_000)] | None, Whole, Unset] = Field(
        None, description="From 1, instead of a cursor; the answer then carries `totalCount`."
    )
    include_total: Annotated[bool, Truth] = False


def limit_minor(limit: Decimal | None, currency: str) -> int:
    """Minor units of an overdraft limit. Raises Invalid: more decimals than the currency has, negative, too large."""
    if limit is None:
        return 0
    try:
        money = Money.of(limit, currency)
    except NotRepresentable as error:
        sentence = str(error)
        raise Invalid.one("overdraftLimit", f"{sentence[:1].upper()}{sentence[1:]}.", "range") from None
    if money.minor_units < 0:
        raise Invalid.one("overdraftLimit", "The limit must not be negative.", "range")
    return money.minor_units
