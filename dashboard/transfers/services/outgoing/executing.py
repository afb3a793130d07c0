"""Executing by hand: somebody knows from the provider what became of a transfer, and a second person agrees.

Only a token that was trusted with it does so alone, and only where a provider may have the transfer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.errors import FieldError, Invalid, Refused
from dashboard.money import Money
from dashboard.transfers.models import Transfer
from dashboard.transfers.services import lifecycle
from dashboard.transfers.services.outgoing import held, results
from dashboard.transfers.services.outgoing.review import checked_reason
from dashboard.transfers.vocabulary import STATUS_LABELS, Kind, Status, TransferType

BY_HAND = "executedByHand"
LONGEST_REFERENCE = 140
_REASON_CODE = re.compile(r"[A-Za-z0-9]{2,35}")
#: a provider may have it
AT_PROVIDER = (Status.SUBMITTED, Status.UNKNOWN)
FROM = (Status.CONFIRMED, Status.MANUAL_REVIEW, *AT_PROVIDER)


class ByHand(StrEnum):
    EXECUTED = "executed"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Answer:
    """What the provider said: its reference where it executed, its reason code where it refused."""

    outcome: ByHand
    provider_reference: str | None
    reason_code: str | None
    comment: str

    def as_payload(self) -> dict[str, Any]:
        return {
            "outcome": self.outcome.value,
            "providerReference": self.provider_reference,
            "reasonCode": self.reason_code,
            "comment": self.comment,
        }


def answer_of(payload: dict[str, Any]) -> Answer:
    """The answer as a request keeps it."""
    return Answer(ByHand(payload["outcome"]), payload["providerReference"], payload["reasonCode"], payload["comment"])


def checked(*, outcome: ByHand, provider_reference: str | None, reason_code: str | None, comment: str | None) -> Answer:
    """Raises Invalid, naming every field that is missing."""
    reference, code = (provider_reference or "").strip() or None, (reason_code or "").strip() or None
    errors = []
    if outcome is ByHand.EXECUTED and reference is None:
        errors.append(FieldError("providerReference", "Give the provider's reference.", "required"))
    if outcome is ByHand.EXECUTED and code is not None:
        errors.append(FieldError("reasonCode", "Only a rejection has a reason code.", "notAllowed"))
    if outcome is ByHand.REJECTED and code is None:
        errors.append(FieldError("reasonCode", "Give the provider's reason code.", "required"))
    if code is not None and not _REASON_CODE.fullmatch(code):
        errors.append(FieldError("reasonCode", "Use 2 to 35 letters and digits, such as AC04.", "pattern"))
    if reference is not None and len(reference) > LONGEST_REFERENCE:
        errors.append(FieldError("providerReference", f"Use at most {LONGEST_REFERENCE} characters.", "tooLong"))
    try:
        said = checked_reason(comment, field="comment")
    except Invalid as invalid:
        errors += invalid.errors
    if errors:
        raise Invalid(errors)
    return Answer(outcome, reference, code, said)


def _locked(transfer_id: UUID, *allowed: Status) -> Transfer:
    transfer = lifecycle.locked(transfer_id, kind=Kind.OUTGOING)
    lifecycle.require_status(transfer, *allowed)
    if transfer.type == TransferType.INTERNAL:
        raise Refused(
            "No provider carries an internal transfer: let it continue, or cancel it.", code="internalTransfer"
        )
    return transfer


def needs_two(transfer_id: UUID, *, by: Actor) -> bool:
    """Whether this actor must ask. Raises NotFound, Refused `invalidState`, `internalTransfer`."""
    transfer = _locked(transfer_id, *FROM)
    trusted = by.kind == "token" and by.may(Permission.TRANSFERS_EXECUTE)
    return not trusted or transfer.status not in AT_PROVIDER


def ask_to_execute(
    transfer_id: UUID,
    *,
    outcome: ByHand,
    provider_reference: str | None = None,
    reason_code: str | None = None,
    comment: str,
    by: Actor,
) -> ApprovalRequest:
    """Ask a second person. Raises NotFound, Invalid, Refused `invalidState`, Conflict `alreadyRequested`, Forbidden."""
    answer = checked(outcome=outcome, provider_reference=provider_reference, reason_code=reason_code, comment=comment)
    transfer = _locked(transfer_id, *FROM)
    to = Status.COMPLETED if outcome is ByHand.EXECUTED else Status.REJECTED
    told = {"Provider's reference": answer.provider_reference} if answer.provider_reference else {}
    told |= {"Reason code": answer.reason_code} if answer.reason_code else {}
    return approvals.request(
        held.EXECUTE,
        object_type="transfer",
        object_id=transfer.id,
        client_id=transfer.client_id,
        subject=f"{Money(transfer.amount_minor, transfer.currency)} to {transfer.counterparty_name}",
        payload=answer.as_payload(),
        before={"status": STATUS_LABELS[Status(transfer.status)]},
        after={"status": STATUS_LABELS[to], **told},
        reason=answer.comment,
        restricted=False,
        by=by,
    )


def execute(
    transfer_id: UUID,
    *,
    outcome: ByHand,
    provider_reference: str | None = None,
    reason_code: str | None = None,
    comment: str,
    by: Actor,
) -> Transfer:
    """What a trusted token does alone. Raises NotFound, Invalid, Forbidden, Refused `invalidState`."""
    by.require(Permission.TRANSFERS_EXECUTE)
    answer = checked(outcome=outcome, provider_reference=provider_reference, reason_code=reason_code, comment=comment)
    transfer = _locked(transfer_id, *AT_PROVIDER)
    if by.kind == "staff":
        raise Refused("Executing by hand takes a second person.", code="secondPersonRequired")
    _carry_out(transfer, answer, by=by)
    return transfer


def fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """Locks the transfer: any change of its status makes the request stale."""
    transfer = lifecycle.locked(request.object_id, kind=Kind.OUTGOING)
    return {"status": transfer.status, "version": transfer.version}


def decided(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved request."""
    transfer = _locked(request.object_id, *FROM)
    _carry_out(transfer, answer_of(request.payload), execute_approval_id=request.id, by=by)


def _carry_out(transfer: Transfer, answer: Answer, *, by: Actor, execute_approval_id: UUID | None = None) -> None:
    more = {"execute_approval_id": execute_approval_id} if execute_approval_id else {}
    if answer.outcome is ByHand.EXECUTED:
        results.executed(
            transfer, provider_reference=answer.provider_reference, code=BY_HAND, reason=answer.comment, by=by, **more
        )
    else:
        results.rejected(
            transfer, code=answer.reason_code or "", reason=answer.comment,
            provider_reference=answer.provider_reference, by=by, **more,
        )  # fmt: skip
