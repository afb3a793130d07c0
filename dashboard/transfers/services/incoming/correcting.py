"""Processing a request again, by a person or a machine that puts right what the message lacked.

Corrections stand beside what the bank sent, never over it. What was typed takes money to a client only up to the amount
that one person decides; above, it goes to the desk, where two do (`processing.goes_to_desk`, and a trigger).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.audit import services as audit
from dashboard.database import new_id, session
from dashboard.errors import FieldError, Invalid, NotFound, Refused
from dashboard.money import DECIMALS, LARGEST_MINOR_UNITS, Money
from dashboard.transfers.models import IncomingCorrection, IncomingRequest
from dashboard.transfers.services.incoming import processing, reading
from dashboard.transfers.vocabulary import RequestState

LONGEST_COMMENT = 500
_ACCOUNT = re.compile(r"[A-Z0-9]{4,34}")
_FINISHED = (RequestState.PROCESSED, RequestState.LINKED)
#: failures about which a person may say that it is another credit
_DOUBTS = ("possiblyBooked",)


@dataclass(frozen=True, repr=False)
class Corrections:
    """None: as the message told. `same_as` is the request that told this credit first, or for a reversal the credit
    that it takes back; `separate` says that it is another credit than the one like it."""

    creditor_account: str | None = None
    currency: str | None = None
    amount_minor: int | None = None
    remittance: str | None = None
    same_as: UUID | None = None
    separate: bool = False
    comment: str | None = None

    @property
    def any(self) -> bool:
        return self.separate or any(
            value is not None
            for value in (self.creditor_account, self.currency, self.amount_minor, self.remittance, self.same_as)
        )


NOTHING = Corrections()


def locked(request_id: UUID) -> IncomingRequest:
    """Raises NotFound `requestNotFound`."""
    found = session().get(IncomingRequest, request_id, with_for_update={"key_share": True}, populate_existing=True)
    if found is None:
        raise NotFound("There is no such request.", code="requestNotFound")
    return found


def process_again(request_id: UUID, *, corrections: Corrections = NOTHING, by: Actor) -> IncomingRequest:
    """Correct what was wrong and process the request. Whether it worked stands in its state and failure.

    Raises NotFound `requestNotFound`, Refused `alreadyProcessed`, Invalid, Forbidden.
    """
    by.require(Permission.TRANSFERS_ASSIGN if by.kind == "staff" else Permission.TRANSFERS_WRITE)
    request = locked(request_id)
    if request.state in _FINISHED:
        raise Refused(
            f"This request is {request.state} already.",
            code="alreadyProcessed",
            details={
                "state": request.state,
                "transferId": str(request.transfer_id) if request.transfer_id else None,
                "linkedId": str(request.linked_id) if request.linked_id else None,
            },
        )
    if corrections.any:
        _correct(request, _checked(request, corrections), (corrections.comment or "").strip(), by)
    processing.process(request, separate=corrections.separate, same_as=corrections.same_as, by=by)
    return request


def _checked(request: IncomingRequest, said: Corrections) -> dict[str, Any]:
    """Names of the API to values, JSON-ready; sets nothing. Raises Invalid."""
    errors: list[FieldError] = []
    fields: dict[str, Any] = {}
    if not (said.comment or "").strip():
        errors.append(FieldError("comment", "Say why, and where you know it from.", "required"))
    elif len(said.comment or "") > LONGEST_COMMENT:
        errors.append(FieldError("comment", f"Use at most {LONGEST_COMMENT} characters.", "tooLong"))
    if said.currency is not None:
        if said.currency not in DECIMALS:
            errors.append(FieldError("currency", "This currency is not known here.", "enum"))
        elif request.currency is not None:
            errors.append(FieldError("currency", "The bank told the currency. It stays.", "notAllowed"))
        fields["currency"] = said.currency
    if said.amount_minor is not None:
        currency = request.currency or said.currency
        if request.amount_minor is not None:
            errors.append(FieldError("amount", "The bank told the amount. It stays.", "notAllowed"))
        elif currency not in DECIMALS:
            errors.append(FieldError("currency", "An amount needs its currency.", "required"))
        elif not 0 < said.amount_minor <= LARGEST_MINOR_UNITS:
            errors.append(FieldError("amount", "The amount must be greater than zero.", "range"))
        else:
            fields["amount"] = f"{Money(said.amount_minor, currency).amount:f}"
    if said.creditor_account is not None:
        account = reading.account(said.creditor_account) or ""
        if not _ACCOUNT.fullmatch(account):
            errors.append(FieldError("creditorAccountNumber", "Write an account number.", "pattern"))
        fields["creditorAccountNumber"] = account
    if said.remittance is not None:
        fields["remittanceInformation"] = reading.text(said.remittance, reading.LONGEST_REMITTANCE)
    if said.same_as is not None and said.separate:
        errors.append(FieldError("separate", "It is either the same credit or another one.", "conflict"))
    if said.same_as is not None:
        fields["sameAs"] = str(said.same_as)
    if said.separate:
        if request.failure_code not in _DOUBTS:
            errors.append(FieldError("separate", "Nobody doubts that it is a credit of its own.", "notAllowed"))
        fields["separate"] = True
    if errors:
        raise Invalid(errors)
    return fields


def _correct(request: IncomingRequest, fields: dict[str, Any], comment: str, by: Actor) -> None:
    before = {
        "creditorAccountNumber": request.creditor_account, "remittanceInformation": request.remittance,
        "currency": request.currency, "amount": None, "sameAs": None, "separate": None,
    }  # fmt: skip
    if "currency" in fields:
        request.currency = fields["currency"]
    if "amount" in fields:
        assert request.currency is not None
        request.amount_minor = Money.of(Decimal(fields["amount"]), request.currency).minor_units
    if "creditorAccountNumber" in fields:
        request.creditor_account = fields["creditorAccountNumber"]
    if "remittanceInformation" in fields:
        request.remittance = fields["remittanceInformation"]
    session().flush()
    session().add(
        IncomingCorrection(
            id=new_id(),
            request_id=request.id,
            fields=fields,
            comment=comment,
            at=clock.now(),
            by_kind=by.kind,
            by_id=by.id,
            by_name=by.name,
        )
    )
    session().flush()
    audit.record(
        "incoming.corrected", by=by, object_type=processing.OBJECT, object_id=request.id,
        before={name: before[name] for name in fields}, after=fields, reason=comment,
    )  # fmt: skip
