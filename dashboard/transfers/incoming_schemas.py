"""What machines tell and ask of incoming requests: TS-02, TS-03, TS-15."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic.alias_generators import to_camel

from dashboard import clock
from dashboard.errors import FieldError, Invalid
from dashboard.ledger.account_schemas import CURSOR, Cursor
from dashboard.ledger.schemas import Amount, Currency, Day, Identifier, OptionalBody, minor_units
from dashboard.ledger.transaction_schemas import SearchText, When, _before, _from
from dashboard.money import DECIMALS, Money
from dashboard.transfers.models import IncomingRequest
from dashboard.transfers.providers.port import Credit
from dashboard.transfers.queries.requests import RequestFilter, findable
from dashboard.transfers.schemas import Filled, _optional
from dashboard.transfers.services.incoming.correcting import LONGEST_COMMENT, Corrections
from dashboard.transfers.vocabulary import RequestState
from dashboard.web.api import Answer, Body, Boolean, NoControl, TextGuard, examples
from dashboard.web.paging import DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE
from dashboard.web.parameters import Truth, Unset, Whole

#: how far a provider's clock may be ahead of ours
CLOCK_SLIP = timedelta(minutes=5)
EARLIEST = date(2000, 1, 1)
MOST_REFERENCES = 20

_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def _moment(value: Any) -> Any:
    """A time without its offset would be read as somebody's own: it is refused."""
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper())
        except ValueError:
            pass
    raise ValueError("must be a time with its offset such as 2026-03-13T08:42:00Z")


Moment = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
ProviderReference = Annotated[str, Field(min_length=1, max_length=100), TextGuard, NoControl, Filled]
Name = Annotated[str, Field(max_length=300), TextGuard, NoControl]
AccountNumber = Annotated[str, Field(max_length=64), TextGuard, NoControl]
Remittance = Annotated[str, Field(max_length=4_000), TextGuard, NoControl]
Bic = Annotated[str, Field(max_length=11), TextGuard, NoControl]
Country = Annotated[str, Field(pattern=r"^[A-Za-z]{2}$"), TextGuard]
OneReference = Annotated[str, Field(min_length=1, max_length=200), TextGuard, NoControl]


class PayerBody(Body):
    """The debtor as the bank tells it; what it does not tell is left out."""

    name: Name | None = None
    account_number: AccountNumber | None = None
    bic: Bic | None = None
    country: Country | None = Field(None, description="Of the payer's address, ISO 3166-1 alpha-2.")


class IncomingBody(Body):
    """TS-15."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={  # type: ignore[typeddict-unknown-key]
            "examples": examples(
                credit=(
                    "Money for a client's account",
                    {
                        "provider": "sandbox", "providerReference": "CR-20260313-0042", "amount": 1250.00,
                        "currency": "eur", "creditorAccountNumber": "LT121000011101001000",
                        "debtor": {"name": "Anna Berg", "accountNumber": "DE89370400440532013000"},
                        "remittanceInformation": "Invoice 17", "bookedAt": "2026-03-13T08:42:00Z",
                    },
                ),
                reversal=(
                    "The bank takes it back",
                    {
                        "provider": "sandbox", "providerReference": "CR-20260313-0042", "amount": 1250.00,
                        "currency": "eur", "bookedAt": "2026-03-13T09:10:00Z", "reversal": True,
                    },
                ),
            )
        },
    )  # fmt: skip

    provider: Annotated[str, Field(min_length=1, max_length=50), TextGuard, NoControl]
    provider_reference: ProviderReference
    amount: Amount
    currency: Currency
    creditor_account_number: AccountNumber | None = None
    debtor: PayerBody | None = None
    remittance_information: Remittance | None = None
    booked_at: Moment = Field(description="The bank's booking time, with its offset; never in the future.")
    value_date: Day | None = None
    end_to_end_id: OneReference | None = None
    references: Annotated[list[OneReference], Field(max_length=MOST_REFERENCES)] = Field(
        default_factory=list, description="All that the bank gave: by them the same credit told twice is known."
    )
    reversal: Boolean = Field(False, description="The bank takes the credit of this reference back.")


def credit_of(body: IncomingBody, raw: dict[str, Any]) -> Credit:
    """Raises Invalid, naming every field."""
    errors = []
    minor = 0
    try:
        minor = minor_units(body.amount, body.currency, field="amount")
    except Invalid as refusal:
        errors += refusal.errors
    if body.booked_at > clock.now() + CLOCK_SLIP:
        errors.append(FieldError("bookedAt", "The bank's booking lies in the future.", "range"))
    elif body.booked_at.date() < EARLIEST:
        errors.append(FieldError("bookedAt", "The bank's booking lies before 2000.", "range"))
    if body.value_date is not None and not EARLIEST <= body.value_date <= date(2999, 12, 31):
        errors.append(FieldError("valueDate", "The value date lies before 2000 or too far ahead.", "range"))
    if errors:
        raise Invalid(errors)
    debtor = body.debtor or PayerBody(country=None)
    return Credit(
        provider=body.provider,
        provider_reference=body.provider_reference.strip(),
        currency=body.currency,
        amount_minor=minor,
        creditor_account=body.creditor_account_number,
        booked_at=body.booked_at,
        debtor_name=debtor.name,
        debtor_account=debtor.account_number,
        debtor_bic=debtor.bic,
        debtor_country=debtor.country,
        remittance=body.remittance_information,
        end_to_end_id=body.end_to_end_id,
        references=tuple(body.references),
        value_date=body.value_date,
        reversal=body.reversal,
        raw=raw,
    )


class IncomingAnswer(Answer):
    id: UUID
    status: RequestState
    transfer_id: UUID | None = Field(description="What was booked for it; null while nothing was.")
    linked_id: UUID | None = Field(description="The request that told the same credit first.")
    failure_code: str | None = Field(description="Why it was not processed.")


def answer_of(row: IncomingRequest) -> dict[str, Any]:
    return {
        "id": row.id, "status": row.state, "transferId": row.transfer_id, "linkedId": row.linked_id,
        "failureCode": row.failure_code,
    }  # fmt: skip


class PayerDto(Answer):
    name: str | None
    account_number: str | None
    bic: str | None
    country: str | None


class RequestDto(IncomingAnswer):
    provider: str
    provider_reference: str
    source: str = Field(description="By what it was told: api, sandbox, camt.054, camt.053.")
    reversal: bool
    failure: str | None
    attempts: int
    currency: str | None
    amount: Decimal | None = Field(json_schema_extra={"type": "number"})
    creditor_account_number: str | None
    creditor_name: str | None
    debtor: PayerDto
    remittance_information: str | None
    end_to_end_id: str | None
    booked_at: datetime
    value_date: date | None
    missing_data: list[str] = Field(
        description="Payer data that Regulation (EU) 2023/1113 asks for and the bank left out."
    )
    created: datetime
    processed_at: datetime | None


def request_dto(row: IncomingRequest) -> dict[str, Any]:
    told = row.currency is not None and row.amount_minor is not None
    return answer_of(row) | {
        "provider": row.provider,
        "providerReference": row.provider_reference,
        "source": row.source,
        "reversal": row.reversal,
        "failure": row.failure,
        "attempts": row.attempts,
        "currency": row.currency,
        "amount": Money(row.amount_minor or 0, row.currency or "").amount if told else None,
        "creditorAccountNumber": row.creditor_account,
        "creditorName": row.creditor_name,
        "debtor": {
            "name": row.debtor_name, "accountNumber": row.debtor_account, "bic": row.debtor_bic,
            "country": row.debtor_country,
        },
        "remittanceInformation": row.remittance,
        "endToEndId": row.end_to_end_id,
        "bookedAt": row.booked_at,
        "valueDate": row.value_date,
        "missingData": row.missing,
        "created": row.created_at,
        "processedAt": row.processed_at,
    }  # fmt: skip


class RequestList(Answer):
    items: list[RequestDto]
    next_cursor: str | None = Field(description="Ask with it for the next page; null on the last one.")
    total_count: int = Field(default=0, description="With includeTotal=true.")


class RequestPath(Body):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")
    request_id: UUID


class RequestQuery(Body):
    """TS-02. Filters combine; an empty one is none. Newest first."""

    provider: Annotated[str, Field(max_length=50), TextGuard, NoControl] = _optional()
    status: RequestState = _optional()
    source: Annotated[str, Field(max_length=20), TextGuard, NoControl] = _optional()
    provider_reference: OneReference = _optional("Exactly.")
    text: SearchText = _optional("Words of names, account numbers, remittance and references.")
    received_from: When = _optional("A day of the institution's zone, or a time.")
    received_to: When = _optional("A day is included, a time is not.")
    page_size: Annotated[int, Field(ge=1, le=LARGEST_PAGE_SIZE), Whole] = DEFAULT_PAGE_SIZE
    cursor: Annotated[Cursor | None, Unset] = Field(None, description=CURSOR)
    include_total: Annotated[bool, Truth] = Field(False, description="Adds `totalCount`, at the cost of counting.")

    @model_validator(mode="before")
    @classmethod
    def without_empty_ones(cls, value: Any) -> Any:
        return {name: said for name, said in value.items() if said != ""} if isinstance(value, dict) else value


def filter_of(said: RequestQuery) -> RequestFilter:
    """Raises Invalid."""
    errors = []
    start, end = _from(said.received_from), _before(said.received_to)
    if start is not None and end is not None and start >= end:
        errors.append(FieldError("receivedTo", "This lies before receivedFrom.", "range"))
    if said.text is not None and not findable(said.text):
        errors.append(FieldError("text", "Write at least 3 letters or digits in a row.", "tooShort"))
    if errors:
        raise Invalid(errors)
    return RequestFilter(
        provider=said.provider,
        state=said.status,
        source=said.source,
        provider_reference=said.provider_reference,
        text=said.text or "",
        received_from=start,
        received_before=end,
    )


class ProcessBody(OptionalBody):
    """TS-03. Nothing: try again. Corrections stand beside what the bank sent and need a comment."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={  # type: ignore[typeddict-unknown-key]
            "required": False,
            "examples": examples(
                again=("Try again", {}),
                account=("The account was written wrong", {
                    "creditorAccountNumber": "LT121000011101001000", "comment": "From the bank's letter.",
                }),
                amount=("The message told no amount", {
                    "amount": 1250.00, "currency": "eur", "comment": "From the statement of 13 March.",
                }),
                same=("It tells what was told before", {
                    "sameAs": "019a7c3e-7a10-7cc1-8d0e-3f6a1b2c3d4e", "comment": "Same transaction on the statement.",
                }),
            ),
        },
    )  # fmt: skip

    creditor_account_number: Annotated[str, Field(min_length=4, max_length=64), TextGuard, NoControl] | None = None
    currency: Currency | None = Field(None, description="Only where the message told none.")
    amount: Amount | None = Field(None, description="Only where the message told none.")
    remittance_information: Remittance | None = None
    same_as: Identifier | None = Field(
        None, description="The request that told this credit first; of a reversal, the credit that it takes back."
    )
    separate: Boolean = Field(False, description="It is another credit than the one like it (`possiblyBooked`).")
    comment: Annotated[str, Field(max_length=LONGEST_COMMENT), TextGuard, NoControl] | None = None


def corrections_of(body: ProcessBody, *, known_currency: str | None) -> Corrections:
    """Raises Invalid."""
    minor = None
    if body.amount is not None:
        currency = known_currency or body.currency
        if currency not in DECIMALS:
            raise Invalid.one("currency", "An amount needs its currency.", "required")
        minor = minor_units(body.amount, currency, field="amount")
    return Corrections(
        creditor_account=body.creditor_account_number,
        currency=body.currency,
        amount_minor=minor,
        remittance=body.remittance_information,
        same_as=body.same_as,
        separate=bool(body.separate),
        comment=body.comment,
    )
