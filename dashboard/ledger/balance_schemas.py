"""What machines may say about balances and business days: GL-06, GL-12, GL-23, GL-24, G2-02."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from dashboard.ledger.schemas import Day, Identifier
from dashboard.ledger.vocabulary import AccountType
from dashboard.money import DECIMALS
from dashboard.web.api import Body, examples
from dashboard.web.parameters import Unset

#: accounts of one question
MOST_ACCOUNTS = 1_000

_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)


def _moment(value: Any) -> Any:
    if value is None:
        return None
    if not isinstance(value, str):
        raise PydanticCustomError("string_type", "must be a string")
    if not _MOMENT.fullmatch(value):
        raise PydanticCustomError("value_error", "must be a moment with its zone, such as 2026-03-13T06:42:00Z")
    return value.upper()


def _in_utc(moment: datetime) -> datetime:
    try:
        return max(moment.astimezone(UTC), EARLIEST)
    except OverflowError:
        raise PydanticCustomError("value_error", "this moment is out of range") from None


def _known(currency: str) -> str:
    if currency not in DECIMALS:
        raise PydanticCustomError("enum", "This currency is not known here; write it in lower case, such as eur")
    return currency


Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    AfterValidator(_in_utc),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-03-13T06:42:00Z"]}),
]
CurrencyFilter = Annotated[
    str | None,
    Unset,
    AfterValidator(lambda code: None if code is None else _known(code)),
    WithJsonSchema({"type": "string", "enum": sorted(DECIMALS)}),
]
TypeFilter = Annotated[
    AccountType | None, Unset, WithJsonSchema({"type": "string", "enum": [kind.value for kind in AccountType]})
]


class CalculateBody(Body):
    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={  # type: ignore[typeddict-unknown-key]
            "examples": examples(
                now=("Two accounts, now", {
                    "accountIds": ["01930c4e-1f6a-7b7e-9c11-5a5b3d1e0a01", "01930c4e-1f6a-7b7e-9c11-5a5b3d1e0a02"],
                }),
                then=("One account at a past moment", {
                    "accountIds": ["01930c4e-1f6a-7b7e-9c11-5a5b3d1e0a01"], "asOf": "2026-03-13T06:42:00Z",
                }),
            ),
        },
    )  # fmt: skip

    account_ids: Annotated[list[Identifier], Field(min_length=1, max_length=MOST_ACCOUNTS)]
    as_of: Moment | None = Field(
        None,
        description="A moment that has passed; now when left out. `held` and `available` are null for a past moment:"
        " holds come and go and are not booked.",
    )


def _without_default(schema: dict[str, Any]) -> None:
    """What is left out is not set to anything."""
    schema.pop("default", None)


class TotalsQuery(Body):
    currency: CurrencyFilter = Field(None, json_schema_extra=_without_default)
    account_type: TypeFilter = Field(None, json_schema_extra=_without_default)


class _OptionalBody(Body):
    """No body at all is an empty one."""

    @model_validator(mode="before")
    @classmethod
    def nothing(cls, value: Any) -> Any:
        return {} if value is None else value


class SnapshotBody(_OptionalBody):
    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={  # type: ignore[typeddict-unknown-key]
            "required": False,
            "examples": examples(
                day=("A day; the open one is ended by this", {"date": "2026-03-13"}), last=("The last closed day", {})
            ),
        },
    )

    date_: Day | None = Field(None, alias="date", description="The last closed day when left out.")


class RecalculateBody(Body):
    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={  # type: ignore[typeddict-unknown-key]
            "examples": examples(month=("A month", {"from": "2026-03-01", "to": "2026-03-31"})),
        },
    )

    from_: Day = Field(alias="from")
    to: Day
