"""CP-02: the client that the token speaks for wishes its data to be deleted."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from dashboard.access.guard import api_requires, current_actor
from dashboard.access.permissions import Audience, Permission
from dashboard.clients import services
from dashboard.clients.api.blueprint import FRONT_OFFICE, client_operations
from dashboard.clients.deletion_models import DeletionRequest
from dashboard.clients.retention import Channel, DeletionState
from dashboard.clients.schemas import Paragraph, _OptionalBody, clean
from dashboard.database import transaction
from dashboard.errors import NotFound
from dashboard.web.api import Answer, documented_errors, examples
from dashboard.web.envelope import enveloped, success


class DeletionNotification(_OptionalBody):
    """The client's own words; may be left out."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={  # type: ignore[typeddict-unknown-key]
            "required": False,
            "examples": examples(
                reason=("In own words", {"reason": "I do not use the account any more."}),
                nothing=("Without a reason", {}),
            ),
        },
    )

    reason: Paragraph | None = None


class DeletionRequestDto(Answer):
    id: UUID
    status: DeletionState = Field(description="`requested` until people have decided; `waiting` until the law lets go.")
    created: datetime
    reason: str | None


class DeletionEnvelope(Answer):
    is_failed: bool = False
    is_success: bool = True
    reasons: list[dict[str, Any]] | None
    errors: list[dict[str, Any]] | None
    successes: list[dict[str, Any]] | None
    value_or_default: DeletionRequestDto
    value: DeletionRequestDto


def _dto(request: DeletionRequest) -> dict[str, Any]:
    return {
        "id": request.id,
        "status": request.state,
        "created": request.requested_at,
        # what a letter said was written down by staff
        "reason": request.reason if request.channel == Channel.FRONT_OFFICE else None,
    }


@client_operations.post(
    "/Client/deletion-notifications",
    tags=FRONT_OFFICE,
    summary="Client asks for its profile to be deleted",
    description="Puts the wish into the compliance queue and restricts processing at once: the profile can no longer be"
    " changed and no account is opened; money stays at hand. What the law wants kept is deleted when its time is over."
    " While a request is open, asking again answers it.",
    operation_id="notifyDeletion",
    responses={200: DeletionEnvelope, **documented_errors(404, 409, 413, 415, enveloped=True)},
)
@enveloped
@api_requires(Audience.FRONTOFFICE, Permission.CLIENT_OWN)
def notify_deletion(body: DeletionNotification) -> dict[str, Any]:
    actor = current_actor()
    if actor.client_id is None:
        raise NotFound("There is no such client.", code="clientNotFound")
    with transaction():
        request = services.request_deletion(
            actor.client_id, channel=Channel.FRONT_OFFICE, reason=clean(body.reason), by=actor
        )
        return success(_dto(request))
