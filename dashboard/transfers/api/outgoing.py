"""What internal systems do with outgoing transfers: TS-10, TS-11, T2-02, T2-03."""

from __future__ import annotations

from typing import Any

from dashboard.access.guard import api_requires, current_actor
from dashboard.access.permissions import Audience, Permission
from dashboard.database import transaction
from dashboard.errors import ApprovalRequired
from dashboard.ledger import owners
from dashboard.ledger.schemas import minor_units
from dashboard.ledger.vocabulary import ParentType
from dashboard.transfers.api.blueprint import INTEGRATION, SYSTEM, transfer_operations
from dashboard.transfers.api.own_outgoing import WHY_NOT, code_for_new
from dashboard.transfers.dto import transfer_dto
from dashboard.transfers.models import Transfer
from dashboard.transfers.outgoing_schemas import (
    CanceledTransferDto,
    ExecuteBody,
    MadeTransferDto,
    OutgoingBody,
    ReasonBody,
)
from dashboard.transfers.queries import outgoing as queries
from dashboard.transfers.schemas import TransferDto, TransferPath
from dashboard.transfers.services.outgoing import cancel, codes, confirm, create, executing, review
from dashboard.web.api import documented_errors
from dashboard.web.json import iso_utc

STEP = documented_errors(404, 409, 413, 415, 422)


def _made(body: OutgoingBody, parent_type: ParentType) -> Transfer:
    return create.create(
        client_id=queries.owner_of(body.account_id),
        account_id=body.account_id,
        recipient_id=body.recipient_id,
        amount_minor=minor_units(body.amount, body.currency, field="amount"),
        currency=body.currency,
        remittance=body.remittance_information,
        parent_type=parent_type,
        by=current_actor(),
    )


@transfer_operations.post(
    "/internal/integration/Transfers/outgoing", tags=INTEGRATION,
    summary="Create an outgoing transfer for a client without confirmation code",
    description="Made and confirmed in one: amount and fee are held, and it goes its way or to a person who looks at"
    " it." + WHY_NOT,
    operation_id="createOutgoing", responses={200: TransferDto, **STEP},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.TRANSFERS_WRITE)
def create_outgoing(body: OutgoingBody) -> dict[str, Any]:
    with transaction():
        made = _made(body, ParentType.TRANSFER)
        confirm.confirm_without_code(made, by=current_actor())
        return transfer_dto(made.id)


@transfer_operations.post(
    "/internal/integration/Transfers/outgoing/payment-request", tags=INTEGRATION,
    summary="Create a payment request for an outgoing transfer",
    description="The client confirms it with the code that is sent where the client has an e-mail address; the money"
    " may still come before." + WHY_NOT,
    operation_id="createPaymentRequest", responses={200: MadeTransferDto, **STEP},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.TRANSFERS_WRITE)
def create_payment_request(body: OutgoingBody) -> dict[str, Any]:
    by = current_actor()
    with transaction():
        made = _made(body, ParentType.PAYMENT_REQUEST)
        subject = codes.subject_of(made)
    assert made.client_id is not None  # it was made for the owner of the account
    if owners.directory().email(made.client_id):
        confirmation = code_for_new(subject, client_id=made.client_id, by=by)
    else:
        confirmation = {"sent": False, "expiresAt": None, "code": "noAddress"}
    return transfer_dto(made.id) | {"confirmation": confirmation}


@transfer_operations.put(
    "/internal/Transfers/outgoing/<uuid:transferId>/continue", tags=SYSTEM,
    summary="Continue the processing of an outgoing transfer",
    description="Lets a transfer go on that was held for review. What refuses a transfer is asked again.",
    operation_id="continueOutgoing", responses={200: TransferDto, **STEP},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.TRANSFERS_REVIEW)
def continue_outgoing(path: TransferPath, body: ReasonBody) -> dict[str, Any]:
    with transaction():
        review.release(path.transfer_id, reason=body.reason, by=current_actor())
        return transfer_dto(path.transfer_id)


@transfer_operations.put(
    "/internal/Transfers/outgoing/<uuid:transferId>/cancel", tags=SYSTEM, summary="Cancel an outgoing transfer",
    description="With a reason. Gives back what is held; once the provider may have it, it is only asked back."
    " An addition to the documented operations.",
    operation_id="cancelOutgoingBySystem", responses={200: CanceledTransferDto, **STEP},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.TRANSFERS_REVIEW)
def cancel_outgoing_by_system(path: TransferPath, body: ReasonBody) -> dict[str, Any]:
    with transaction():
        cancel.cancel(path.transfer_id, reason=body.reason, by=current_actor())
        asked = queries.recall_requested_at(path.transfer_id)
        return transfer_dto(path.transfer_id) | {"recallRequested": iso_utc(asked) if asked else None}


@transfer_operations.put(
    "/internal/Transfers/<uuid:transferId>/execute", tags=SYSTEM, summary="Execute a transfer manually",
    description="With the provider's reference, or its reason code where it rejected. A second person must agree: 403"
    " `approvalRequired` with `requestId`. With the scope `transfers:execute` it is done at once where the provider"
    " may have the transfer (`submitted`, `unknown`).",
    operation_id="executeTransfer", responses={200: TransferDto, **STEP},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.TRANSFERS_REVIEW)
def execute_transfer(path: TransferPath, body: ExecuteBody) -> dict[str, Any]:
    by = current_actor()
    told: dict[str, Any] = {
        "outcome": body.outcome,
        "provider_reference": body.provider_reference,
        "reason_code": body.reason_code,
        "comment": body.comment,
    }
    with transaction():
        if not executing.needs_two(path.transfer_id, by=by):
            executing.execute(path.transfer_id, **told, by=by)
            return transfer_dto(path.transfer_id)
        request = executing.ask_to_execute(path.transfer_id, **told, by=by)
    raise ApprovalRequired(
        "Executing by hand waits for a second person. No money has moved.", details={"requestId": str(request.id)}
    )
