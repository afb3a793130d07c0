"""What machines ask of transfers and recipients, and what they are answered."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from dashboard.errors import FieldError, Invalid
from dashboard.ledger.account_schemas import CURSOR, Cursor
from dashboard.ledger.schemas import Amount, Day, Identifier, minor_units
from dashboard.ledger.transaction_schemas import AmountText, Currency, SearchText, When, _before, _from
from dashboard.transfers.queries.transfers import TransferFilter, trigrams_in
from dashboard.transfers.services.recipients import (
    LONGEST_ACCOUNT,
    LONGEST_ADDRESS,
    LONGEST_NAME,
    AccountFormat,
)
from dashboard.transfers.services.references import currency_of
from dashboard.transfers.vocabulary import Kind, Status, TransferType
from dashboard.web.api import Answer, Body, Boolean, NoControl, TextGuard, examples
from dashboard.web.paging import DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE
from dashboard.web.parameters import Truth, Unset, Whole

#: rows that page numbers reach; a cursor has no end
FARTHEST = 10_000
LONGEST_REFERENCE = 140


class ChangeDto(Answer):
    status: Status
    from_: Status | None = Field(alias="from")
    at: datetime
    code: str | None = Field(description="Stable, for machines.")
    reason: str | None = Field(default=None, description="For internal systems only.")


class CheckDto(Answer):
    code: str
    outcome: str
    round: int
    limit: float | None
    measured: float | None
    detail: dict[str, Any]
    at: datetime


class PartyDto(Answer):
    name: str | None
    account_number: str | None
    bic: str | None
    country: str | None


class TransferRecipientDto(PartyDto):
    id: UUID


class TransferDto(Answer):
    """Amounts are exact decimals of their currency; times are UTC. What a kind does not have is null."""

    id: UUID
    kind: Kind
    status: Status
    type: TransferType | None = Field(description="Null until it is known.")
    amount: float
    currency: str
    fee: float
    account_id: UUID = Field(description="Our side: the client's account, or one of the house.")
    account_number: str
    client_id: UUID | None
    recipient: TransferRecipientDto | None
    counterparty: PartyDto = Field(description="The other side, as it was told.")
    remittance_information: str | None
    provider_reference: str | None
    end_to_end_id: str | None
    payment_id: UUID | None = Field(description="Of the ledger; null until money is held.")
    parent_type: str
    related_transfer_id: UUID | None
    counter_account_id: UUID | None
    counter_account_number: str | None
    counter_currency: str | None
    counter_amount: float | None
    rate: float | None = Field(description="Bought units for one sold; of an exchange.")
    created: datetime
    confirm_by: datetime | None
    confirmed: datetime | None
    submitted: datetime | None
    ended: datetime | None
    history: list[ChangeDto]
    provider: str | None = Field(default=None, description="For internal systems only.")
    version: int | None = Field(default=None, description="Grows with every change of status; for internal systems.")
    checks: list[CheckDto] | None = Field(default=None, description="The last round; for internal systems only.")


class TransferEnvelope(Answer):
    is_failed: bool
    is_success: bool
    reasons: list[dict[str, Any]]
    errors: list[dict[str, Any]]
    successes: list[dict[str, Any]]
    value_or_default: TransferDto | None
    value: TransferDto | None


class TransferList(Answer):
    items: list[TransferDto]
    next_cursor: str | None = Field(description="Ask with it for the next page; null on the last one.")
    total_count: int = Field(default=0, description="With includeTotal=true or a page number.")


class TransferPath(Body):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")
    transfer_id: UUID


def _absent() -> Any:
    """Left out: a null would read as "any", and nobody who asks for nothing in particular writes it down."""
    return None


def _optional(description: str | None = None) -> Any:
    return Field(default_factory=_absent, description=description)


Reference = Annotated[str, Field(min_length=1, max_length=LONGEST_REFERENCE), TextGuard, NoControl]


class _Found(Body):
    """Filters that combine; an empty one is none. Newest first."""

    type: TransferType = _optional()
    account_id: Identifier = _optional("Our side, or the bought currency's account of an exchange.")
    currency: Currency = _optional()
    amount_from: AmountText = _optional()
    amount_to: AmountText = _optional()
    created_from: When = _optional("A day of the institution's zone, or a time.")
    created_to: When = _optional("A day is included, a time is not.")
    text: SearchText = _optional(
        "Words of names, account numbers, remittance and references; three characters in a row at least."
    )
    provider_reference: Reference = _optional("Exactly.")
    page_size: Annotated[int, Field(ge=1, le=LARGEST_PAGE_SIZE), Whole] = DEFAULT_PAGE_SIZE
    cursor: Annotated[Cursor | None, Unset] = Field(None, description=CURSOR)
    include_total: Annotated[bool, Truth] = Field(False, description="Adds `totalCount`, at the cost of counting.")

    @model_validator(mode="before")
    @classmethod
    def without_empty_ones(cls, value: Any) -> Any:
        return {name: said for name, said in value.items() if said != ""} if isinstance(value, dict) else value


class KindQuery(_Found):
    """TS-12 to TS-14."""

    status: Status = _optional()
    client_id: Identifier = _optional()
    provider: Reference = _optional("Key of a provider.")


class TransferQuery(KindQuery):
    """TS-05."""

    kind: Kind = _optional()


class OwnTransferQueryV2(_Found):
    """TF-10."""

    kind: Kind = _optional()
    status: Literal[
        "awaitingConfirmation", "confirmed", "submitted", "completed", "rejected", "canceled", "returned", "reversed"
    ] = _optional()


class OwnTransferQuery(OwnTransferQueryV2):
    """TF-09."""

    page_number: Annotated[int, Field(ge=1, le=FARTHEST), Whole] = _optional(
        f"From 1, instead of a cursor, as far as {FARTHEST:,} rows; the answer then carries `totalCount`."
    )


def _wrong(said: _Found) -> Iterable[FieldError]:
    """What no single field shows."""
    if said.amount_from is not None and said.amount_to is not None and said.amount_from > said.amount_to:
        yield FieldError("amountTo", "This lies before amountFrom.", "range")
    start, end = _from(said.created_from), _before(said.created_to)
    if start is not None and end is not None and start > end:
        yield FieldError("createdTo", "This lies before createdFrom.", "range")
    if said.text is not None and not trigrams_in(said.text):
        yield FieldError("text", "Write at least 3 letters or digits in a row.", "tooShort")


#: what a client reads stands for these
_BEHIND = {
    Status.CONFIRMED: (Status.CONFIRMED, Status.MANUAL_REVIEW),
    Status.SUBMITTED: (Status.SUBMITTED, Status.UNKNOWN),
}


def filter_of(said: _Found, *, kind: Kind | None = None, own: UUID | None = None) -> TransferFilter:
    """The filter as queries read it. `own`: the client that asks. Raises Invalid, naming every field."""
    errors = list(_wrong(said))
    if errors:
        raise Invalid(errors)
    status = getattr(said, "status", None)
    statuses: tuple[Status, ...] = ()
    if status is not None:
        status = Status(status)
        statuses = _BEHIND.get(status, (status,)) if own else (status,)
    kind = kind or getattr(said, "kind", None)
    client_id = own or getattr(said, "client_id", None)
    return TransferFilter(
        kind=kind,
        statuses=statuses,
        type=said.type,
        accounts=None if said.account_id is None else (said.account_id,),
        clients=None if client_id is None else (client_id,),
        currency=said.currency,
        amount_from=said.amount_from,
        amount_to=said.amount_to,
        created_from=_from(said.created_from),
        created_before=_before(said.created_to),
        text=said.text or "",
        provider=getattr(said, "provider", None),
        provider_reference=said.provider_reference,
        told_to_clients=own is not None,
    )


class RecipientDto(Answer):
    id: UUID
    name: str
    account_format: AccountFormat
    account_number: str
    bic: str | None
    bank_name: str | None
    country: str | None
    address: str | None
    visible: bool
    client_id: UUID | None = Field(description="Null: a recipient of the house.")
    created: datetime


class RecipientList(Answer):
    items: list[RecipientDto]
    next_cursor: str | None = Field(description="Ask with it for the next page; null on the last one.")
    total_count: int = Field(default=0, description="With includeTotal=true or a page number.")


class RecipientEnvelope(Answer):
    is_failed: bool
    is_success: bool
    reasons: list[dict[str, Any]]
    errors: list[dict[str, Any]]
    successes: list[dict[str, Any]]
    value_or_default: RecipientDto | None
    value: RecipientDto | None


class RecipientPath(Body):
    recipient_id: UUID


def _one_line(text: str) -> str:
    if any(letter in text for letter in "\t\r\n\u2028\u2029"):
        raise ValueError("write one line")
    return text


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("this must not be empty")
    return text


Line = AfterValidator(_one_line)
Filled = AfterValidator(_filled)
_IBAN_EXAMPLE = {"name": "Mari Ilves", "accountNumber": "EE382200221020145685"}
_EXAMPLES = examples(
    iban=("An IBAN", _IBAN_EXAMPLE),
    uk=("A UK account", {"name": "Jo Smith", "sortCode": "60-16-13", "accountNumber": "31926819"}),
    other=("An account elsewhere", {
        "name": "Acme Inc.", "accountNumber": "000123456789", "bic": "BOFAUS3NXXX", "country": "US",
        "bankName": "Bank of America", "address": "1 Main Street, Springfield",
    }),
)  # fmt: skip


class RecipientBody(Body):
    """TF-05: `accountNumber` is an IBAN; with `sortCode` a UK account number; otherwise any account with its BIC."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={"examples": _EXAMPLES},  # type: ignore[typeddict-unknown-key]
    )

    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), TextGuard, NoControl, Line, Filled]
    account_number: Annotated[
        str, Field(min_length=1, max_length=LONGEST_ACCOUNT), TextGuard, NoControl, Line, Filled
    ] = Field(description="Blanks do not matter.")
    sort_code: Annotated[str, Field(max_length=8), TextGuard, NoControl] | None = Field(
        None, description="Six digits, of a UK account."
    )
    bic: Annotated[str, Field(max_length=11), TextGuard, NoControl] | None = Field(
        None, description="Derived from an IBAN where it is known; an unknown one is no reason to refuse."
    )
    bank_name: Annotated[str, Field(max_length=140), TextGuard, NoControl, Line] | None = None
    country: Annotated[str, Field(max_length=2), TextGuard, NoControl] | None = Field(
        None, description="ISO 3166-1 alpha-2; of an IBAN its own."
    )
    address: Annotated[str, Field(max_length=LONGEST_ADDRESS), TextGuard, NoControl] | None = None


class ClientRecipientBody(RecipientBody):
    """TS-04."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={  # type: ignore[typeddict-unknown-key]
            "examples": examples(
                iban=("An IBAN", {"clientId": "019a7c3e-7a10-7cc1-8d0e-3f6a1b2c3d4e", **_IBAN_EXAMPLE})
            )
        },
    )

    client_id: Identifier


class VisibilityBody(Body):
    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={"examples": examples(hide=("Hide it", {"visible": False}))},  # type: ignore[typeddict-unknown-key]
    )

    visible: Boolean


class RecipientQueryV2(Body):
    """TF-04. Filters combine; an empty one is none. Newest first."""

    text: Annotated[str, Field(min_length=1, max_length=200), TextGuard, NoControl] = _optional(
        "Part of the name, or of the account number."
    )
    visible: Annotated[bool, Truth] = _optional("Both unless said.")
    country: Annotated[str, Field(min_length=2, max_length=2), TextGuard, NoControl] = _optional()
    currency: Currency = _optional("Those whose account can take it: a sort code takes pounds only.")
    page_size: Annotated[int, Field(ge=1, le=LARGEST_PAGE_SIZE), Whole] = DEFAULT_PAGE_SIZE
    cursor: Annotated[Cursor | None, Unset] = Field(None, description=CURSOR)
    include_total: Annotated[bool, Truth] = Field(False, description="Adds `totalCount`.")

    @model_validator(mode="before")
    @classmethod
    def without_empty_ones(cls, value: Any) -> Any:
        return {name: said for name, said in value.items() if said != ""} if isinstance(value, dict) else value


class RecipientQuery(RecipientQueryV2):
    """TF-03."""

    page_number: Annotated[int, Field(ge=1, le=FARTHEST), Whole] = _optional(
        f"From 1, instead of a cursor, as far as {FARTHEST:,} rows; the answer then carries `totalCount`."
    )


class ReferenceBody(Body):
    """A reference for a client's payers."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={  # type: ignore[typeddict-unknown-key]
            "examples": examples(
                plain=("For one account", {"clientId": "019a7c3e-7a10-7cc1-8d0e-3f6a1b2c3d4e",
                                           "accountId": "0411bd28-c6c2-4498-8a47-b18d967449d7"}),
            )
        },
    )  # fmt: skip

    client_id: Identifier
    account_id: Identifier
    expected_amount: Amount | None = Field(None, description="What the payer is asked for.")
    expires_on: Day | None = Field(None, description="The last day on which it is recognized.")


def expected_minor_of(body: ReferenceBody) -> int | None:
    """Minor units of the account's currency. Raises Invalid, NotFound."""
    if body.expected_amount is None:
        return None
    return minor_units(
        body.expected_amount, currency_of(body.account_id), field="expectedAmount", currency_field="accountId"
    )


class ReferenceDto(Answer):
    id: UUID
    client_id: UUID
    account_id: UUID
    reference: str
    currency: str
    expected_amount: float | None
    expires_on: str | None
    created: datetime
    revoked: datetime | None


class ReferenceList(Answer):
    items: list[ReferenceDto]
    next_cursor: str | None = Field(description="Ask with it for the next page; null on the last one.")


class ReferencePath(Body):
    reference_id: UUID


class ReferenceQuery(Body):
    client_id: Identifier
    page_size: Annotated[int, Field(ge=1, le=LARGEST_PAGE_SIZE), Whole] = DEFAULT_PAGE_SIZE
    cursor: Annotated[Cursor | None, Unset] = Field(None, description=CURSOR)
