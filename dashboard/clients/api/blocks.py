"""CP-05 and CP-06: blocking works at once, unblocking is limited to what the same token placed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from dashboard.access.actor import Actor
from dashboard.access.guard import api_requires, current_actor
from dashboard.access.permissions import Audience, Permission
from dashboard.clients import queries, services
from dashboard.clients.api.blueprint import SYSTEM, client_operations
from dashboard.clients.dto import ClientEnvelope, one_client_dto
from dashboard.clients.schemas import BlockBody, ClientPath, UnblockBody, clean
from dashboard.clients.vocabulary import BlockCode, Scope
from dashboard.database import transaction
from dashboard.errors import ApprovalRequired, Conflict, Invalid
from dashboard.money import Money, NotRepresentable
from dashboard.web.api import documented_errors
from dashboard.web.envelope import enveloped, success

NO_REASON = "Asked by API, without a reason."


def _amount(body: BlockBody) -> Money | None:
    """Raises Invalid where only one of amount and currency is said, or the currency has fewer decimals."""
    if body.amount is None and body.currency is None:
        return None
    if body.amount is None:
        raise Invalid.one("amount", "A currency needs its amount.", "required")
    if body.currency is None:
        raise Invalid.one("currency", "An amount needs its currency.", "required")
    try:
        return Money.of(body.amount, body.currency)
    except NotRepresentable as error:
        field = "currency" if str(error).startswith("unknown currency") else "amount"
        raise Invalid.one(field, f"{str(error)[:1].upper()}{str(error)[1:]}.", "range") from None


@client_operations.put(
    "/internal/Clients/<uuid:clientId>/block",
    tags=SYSTEM,
    summary="Block a client",
    description="Works at once. The same block by the same token again changes nothing and answers alike.",
    operation_id="blockClient",
    responses={200: ClientEnvelope, **documented_errors(404, 413, 415, enveloped=True)},
)
@enveloped
@api_requires(Audience.SYSTEM, Permission.CLIENTS_BLOCK)
def block_client(path: ClientPath, body: BlockBody) -> dict[str, Any]:
    amount = _amount(body)
    with transaction():
        services.block(
            path.client_id,
            scope=body.scope or Scope.ALL,
            code=body.reason_code or BlockCode.NOT_STATED,
            amount=amount,
            comment=body.comment,
            legal_reference=body.legal_reference,
            client_text=body.client_text,
            review_date=body.review_date,
            by=current_actor(),
        )
        return success(one_client_dto(queries.get(path.client_id)))


def _ask_for_all(client_id: UUID, *, reason: str, by: Actor) -> list[str]:
    """One request for each block that stands; one that waits already is reused, so a repeat opens nothing."""
    found = []
    with transaction():
        for block in queries.blocks_of(client_id, actor=by):
            try:
                found.append(str(services.ask_to_unblock(block.id, reason=reason, by=by).id))
            except Conflict as conflict:
                if conflict.code == "alreadyLifted":
                    continue
                if "requestId" not in conflict.details:
                    raise
                found.append(conflict.details["requestId"])
    return found


@client_operations.put(
    "/internal/Clients/<uuid:clientId>/unblock",
    tags=SYSTEM,
    summary="Unblock a client",
    description="With the scope `clients:unblock` this lifts the blocks that the same token placed; the answer's"
    " status stays blocked while others stand. Without it, requests for approval are opened: 403 `approvalRequired`"
    " with `requestId` and `requestIds`. Some blocks only people may lift: 422 `humanDecisionRequired`.",
    operation_id="unblockClient",
    responses={200: ClientEnvelope, **documented_errors(404, 413, 415, 422, enveloped=True)},
)
@enveloped
@api_requires(Audience.SYSTEM, Permission.CLIENTS_BLOCK)
def unblock_client(path: ClientPath, body: UnblockBody) -> dict[str, Any]:
    by = current_actor()
    if by.may(Permission.CLIENTS_UNBLOCK):
        with transaction():
            return success(one_client_dto(services.lift_own(path.client_id, by=by)))
    client = queries.get(path.client_id)
    requests = _ask_for_all(client.id, reason=clean(body.comment) or NO_REASON, by=by)
    if not requests:
        return success(one_client_dto(client))
    raise ApprovalRequired(
        "Lifting a block waits for a second person. The client is still blocked.",
        details={"requestId": requests[0], "requestIds": requests},
    )
