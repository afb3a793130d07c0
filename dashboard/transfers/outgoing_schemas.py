"""What machines send to make, confirm, cancel and settle outgoing transfers, and the answers that are theirs alone."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from dashboard.ledger.schemas import Amount, Currency, Identifier, OptionalBody, Reason
from dashboard.ledger.transaction_schemas import Currency as CurrencyAsked
from dashboard.transfers.schemas import TransferDto
from dashboard.transfers.services.outgoing.create import LONGEST_REMITTANCE
from dashboard.transfers.services.outgoing.executing import LONGEST_REFERENCE, ByHand
from dashboard.transfers.services.outgoing.rails import LONGEST_ACCOUNT
from dashboard.transfers.vocabulary import TransferType
from dashboard.web.api import Answer, Body, NoControl, TextGuard, examples

_ID = "019a7c3e-7a10-7cc1-8d0e-3f6a1b2c3d4e"


def _shown(**named: tuple[str, Any]) -> ConfigDict:
    return ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={"examples": examples(**named)},  # type: ignore[typeddict-unknown-key]
    )


class OutgoingBody(Body):
    """TF-13, T2-02, T2-03."""

    model_config = _shown(
        rent=("A rent", {
            "accountId": _ID, "recipientId": "019a7c3e-7a10-7cc1-8d0e-3f6a1b2c3d4f", "amount": 650.00,
            "currency": "eur", "remittanceInformation": "Rent for May",
        }),
    )  # fmt: skip

    account_id: Identifier
    recipient_id: Identifier
    amount: Amount
    currency: Currency
    remittance_information: Annotated[str, Field(max_length=LONGEST_REMITTANCE), TextGuard, NoControl] | None = None


class NewCodeBody(Body):
    """TF-01."""

    model_config = _shown(transfer=("A code for a transfer", {"transferId": _ID}))

    transfer_id: Identifier


class CodeBody(Body):
    """TF-15, TF-22."""

    model_config = _shown(code=("The code that the client received", {"code": "048213"}))

    code: Annotated[str, Field(pattern=r"^[0-9]{6}$"), TextGuard]


class CancelTransferBody(OptionalBody):
    """TF-17, TF-23."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={  # type: ignore[typeddict-unknown-key]
            "required": False,
            "examples": examples(reason=("A reason", {"reason": "Paid otherwise."}), nothing=("Nothing", {})),
        },
    )

    reason: Reason | None = None


class ReasonBody(Body):
    """TS-11, and canceling by a system: a person or machine of the house says why."""

    model_config = _shown(reason=("A reason", {"reason": "The client named the invoice."}))

    reason: Annotated[str, Field(min_length=1, max_length=500), TextGuard, NoControl]


class ExecuteBody(Body):
    """TS-10."""

    model_config = _shown(
        executed=("The bank has executed it", {
            "outcome": "executed", "providerReference": "AB-2026-0042", "comment": "By phone, statement follows.",
        }),
        rejected=("The bank has refused it", {
            "outcome": "rejected", "reasonCode": "AC04", "comment": "Account closed, told by letter.",
        }),
    )  # fmt: skip

    outcome: ByHand
    provider_reference: (
        Annotated[str, Field(min_length=1, max_length=LONGEST_REFERENCE), TextGuard, NoControl] | None
    ) = Field(None, description="The provider's own; required where it executed.")
    reason_code: Annotated[str, Field(pattern=r"^[A-Za-z0-9]{2,35}$"), TextGuard] | None = Field(
        None, description="ISO 20022 where there is one; required where it rejected."
    )
    comment: Annotated[str, Field(min_length=1, max_length=500), TextGuard, NoControl]


class TypeQuery(Body):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")
    recipient_account: Annotated[str, Field(min_length=1, max_length=LONGEST_ACCOUNT * 2), TextGuard, NoControl] = (
        Field(description="IBAN, UK sort code and account number, or another number; blanks and hyphens do not matter.")
    )
    currency: CurrencyAsked


class TypeDto(Answer):
    type: TransferType
    recipient_account: str
    currency: str


class ConfirmationDto(Answer):
    """Whether a code is on its way."""

    sent: bool
    expires_at: datetime | None = Field(description="When the code counts no more.")
    code: str | None = Field(description="Why none was sent: `deliveryFailed`, `tooManyOneTimePasswords`, `noAddress`.")


class MadeTransferDto(TransferDto):
    confirmation: ConfirmationDto


class CanceledTransferDto(TransferDto):
    recall_requested: datetime | None = Field(
        description="When it was asked back from the bank, which may still carry it out; null where it was canceled."
    )


class SentCodeDto(Answer):
    transfer_id: UUID
    expires_at: datetime


class CanceledEnvelope(Answer):
    is_failed: bool
    is_success: bool
    reasons: list[dict[str, Any]]
    errors: list[dict[str, Any]]
    successes: list[dict[str, Any]]
    value_or_default: CanceledTransferDto | None
    value: CanceledTransferDto | None
