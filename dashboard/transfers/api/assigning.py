"""TS-08: unrecognized money to a client's account."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from dashboard.access.guard import api_requires, current_actor
from dashboard.access.permissions import Audience, Permission
from dashboard.database import transaction
from dashboard.errors import ApprovalRequired, Refused
from dashboard.transfers.api.blueprint import SYSTEM, transfer_operations
from dashboard.transfers.dto import transfer_dto
from dashboard.transfers.schemas import TransferDto
from dashboard.transfers.services.desk import assigning
from dashboard.web.api import Body, NoControl, TextGuard, documented_errors, examples

Reason = Annotated[str, Field(max_length=500), TextGuard, NoControl]


class AssignPath(Body):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")
    transfer_id: UUID


class AssignBody(Body):
    """`lateReason` is required once the time to allocate is over."""

    account_id: Annotated[UUID, TextGuard]
    comment: Reason | None = None
    late_reason: Reason | None = None

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={  # type: ignore[typeddict-unknown-key]
            "examples": examples(
                example=(
                    "To the client whom the payer meant",
                    {"accountId": "0411bd28-c6c2-4498-8a47-b18d967449d7", "comment": "The payer confirmed by letter"},
                )
            )
        },
    )


@transfer_operations.put(
    "/internal/Transfers/incoming/<uuid:transferId>/assign",
    tags=SYSTEM,
    summary="Assign an unrecognized incoming transfer to a client account",
    description="Pays the whole amount. Above the limit of its currency it takes the scope `transfers:assign`; without"
    " it a request for approval is opened: 403 `approvalRequired` with `requestId`. Refusals: 422 `invalidState`,"
    " `currencyMismatch`, `accountFrozen`, `accountClosed`, `lateReasonRequired`, `takenBackByBank`; 409"
    " `alreadyRequested`.",
    operation_id="assignIncomingTransfer",
    responses={200: TransferDto, **documented_errors(404, 409, 413, 415, 422)},
)
@api_requires(Audience.SYSTEM, Permission.TRANSFERS_WRITE)
def assign_incoming(path: AssignPath, body: AssignBody) -> dict[str, Any]:
    by = current_actor()
    said: dict[str, Any] = {
        "account_id": body.account_id, "comment": body.comment, "late_reason": body.late_reason, "by": by
    }  # fmt: skip
    try:
        with transaction():
            assigning.assign(path.transfer_id, **said)
            return transfer_dto(path.transfer_id)
    except Refused as refused:
        if refused.code != "secondPersonRequired":
            raise
    with transaction():
        request = assigning.ask_to_assign(path.transfer_id, **said)
    raise ApprovalRequired("So much takes a second person. No money has moved.", details={"requestId": str(request.id)})
