"""CP-01: the client that the token speaks for, as it may see itself."""

from __future__ import annotations

from typing import Any

from dashboard.access.guard import api_requires, current_actor
from dashboard.access.permissions import Audience, Permission
from dashboard.clients import queries
from dashboard.clients.api.blueprint import FRONT_OFFICE, client_operations
from dashboard.clients.dto import OwnClientEnvelope, own_client_dto
from dashboard.errors import NotFound
from dashboard.web.api import documented_errors
from dashboard.web.envelope import enveloped, success


@client_operations.get(
    "/Client",
    tags=FRONT_OFFICE,
    summary="Own profile of the client the token belongs to",
    description="Internal assessments are not in it. `clientTexts` says what the client is told about its blocks.",
    operation_id="readOwnClient",
    responses={200: OwnClientEnvelope, **documented_errors(404, enveloped=True)},
)
@enveloped
@api_requires(Audience.FRONTOFFICE, Permission.CLIENT_OWN)
def read_own_client() -> dict[str, Any]:
    actor = current_actor()
    if actor.client_id is None:
        raise NotFound("There is no such client.", code="clientNotFound")
    client = queries.get(actor.client_id)
    texts = [block.client_text for block in queries.blocks_of(client.id, actor=actor) if block.client_text]
    return success(own_client_dto(client, texts))
