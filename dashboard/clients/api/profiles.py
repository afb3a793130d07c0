"""CP-03, CP-07, CP-08: a client is created, changed, read."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from dashboard.access.actor import Actor
from dashboard.access.guard import api_requires, current_actor
from dashboard.access.permissions import Audience, Permission
from dashboard.clients import queries, services
from dashboard.clients.api.blueprint import SYSTEM, client_operations
from dashboard.clients.api.bodies import profile_of
from dashboard.clients.dto import ClientEnvelope, one_client_dto
from dashboard.clients.schemas import ClientBody, ClientChange, ClientPath
from dashboard.clients.services import LowersRisk
from dashboard.clients.vocabulary import ClientType
from dashboard.database import transaction
from dashboard.errors import ApprovalRequired, Conflict, Invalid
from dashboard.web.api import documented_errors
from dashboard.web.envelope import enveloped, success


@client_operations.post(
    "/internal/Clients",
    tags=SYSTEM,
    summary="Create a client",
    description="The client is inactive until it is activated, which takes two people or a completed verification.",
    operation_id="createClient",
    responses={200: ClientEnvelope, **documented_errors(413, 415, enveloped=True)},
)
@enveloped
@api_requires(Audience.SYSTEM, Permission.CLIENTS_WRITE)
def create_client(body: ClientBody) -> dict[str, Any]:
    profile = profile_of(body, body.type)
    with transaction():
        client = services.create(profile, by=current_actor())
        return success(one_client_dto(client))


@client_operations.get(
    "/internal/Clients/<uuid:clientId>",
    tags=SYSTEM,
    summary="Client details",
    description="Every field of the profile, for companies and individuals.",
    operation_id="readClient",
    responses={200: ClientEnvelope, **documented_errors(404, enveloped=True)},
)
@enveloped
@api_requires(Audience.SYSTEM, Permission.CLIENTS_READ)
def read_client(path: ClientPath) -> dict[str, Any]:
    return success(one_client_dto(queries.get_with_data(path.client_id)))


def _approval_for_lower_risk(client_id: UUID, wanted: LowersRisk, by: Actor) -> ApprovalRequired:
    """Ask for it, in a transaction of its own; a request that waits already is the answer, too."""
    present = queries.get(client_id).risk_level
    try:
        with transaction():
            request_id = str(
                services.ask_to_lower_risk(
                    client_id,
                    risk_level=wanted.risk_level,
                    reason=f"Asked by API: risk level {present} to {wanted.risk_level}.",
                    by=by,
                ).id
            )
    except Conflict as conflict:
        if "requestId" not in conflict.details:
            raise
        request_id = conflict.details["requestId"]
    return ApprovalRequired(
        "Lowering the risk level waits for a second person. Nothing of this request has been applied.",
        details={"requestId": request_id},
    )


@client_operations.put(
    "/internal/Clients/<uuid:clientId>",
    tags=SYSTEM,
    summary="Update a client",
    description="Replaces the profile. A lower `riskLevel` opens a request for approval and changes nothing:"
    " the answer is 403 `approvalRequired` with the request's id. While a request for deletion is"
    " open, the profile is kept as it is: 422 `processingRestricted`.",
    operation_id="updateClient",
    responses={200: ClientEnvelope, **documented_errors(404, 413, 415, 422, enveloped=True)},
)
@enveloped
@api_requires(Audience.SYSTEM, Permission.CLIENTS_WRITE)
def update_client(path: ClientPath, body: ClientChange) -> dict[str, Any]:
    by = current_actor()
    kind = ClientType(queries.get_with_data(path.client_id).type)
    if body.type is not None and body.type is not kind:
        raise Invalid.one("type", f"This client is of type {kind.value}; the type never changes.", "type")
    profile = profile_of(body, kind)
    try:
        with transaction():
            client = services.update(path.client_id, profile, by=by)
            return success(one_client_dto(client))
    except LowersRisk as lowers:
        wanted = lowers
    raise _approval_for_lower_risk(path.client_id, wanted, by)
