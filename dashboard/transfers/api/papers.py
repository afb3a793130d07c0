"""Documents: TF-02, TS-01."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, current_app
from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from dashboard.access.guard import api_requires, current_actor
from dashboard.access.permissions import Audience, Permission
from dashboard.database import transaction
from dashboard.errors import NotFound
from dashboard.ledger.schemas import Identifier
from dashboard.settings import Settings
from dashboard.transfers.api.blueprint import FRONT_OFFICE, SYSTEM, transfer_operations
from dashboard.transfers.models import TransferDocument
from dashboard.web.api import Answer, Body, documented_errors, examples
from dashboard.web.json import iso_utc

FILE: dict[str, Any] = {
    "description": "The file, as an attachment.",
    "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
}


class FilePath(Body):
    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")
    file_name: str


class ClientFilePath(FilePath):
    client_id: UUID


class DocumentBody(Body):
    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        openapi_extra={  # type: ignore[typeddict-unknown-key]
            "examples": examples(
                confirmation=("Of a completed transfer", {"transferId": "019a7c3e-7a10-7cc1-8d0e-3f6a1b2c3d4e"})
            )
        },
    )

    transfer_id: Identifier


class DocumentDto(Answer):
    file_name: str = Field(description="For GET /Documents/{fileName}.")
    media_type: str
    size: int
    sha256: str
    created: str


def _house() -> Any:
    from dashboard.transfers.services.papers import House

    settings: Settings = current_app.extensions["countinghouse.settings"]
    return House(settings.institution_name, settings.zone)


def _client() -> UUID:
    """The client that the token speaks for. Raises NotFound for a token of none."""
    client_id = current_actor().client_id
    if client_id is None:
        raise NotFound("There is no such client.", code="clientNotFound")
    return client_id


def attachment(document: TransferDocument, *, name: str) -> Response:
    """The paper as a download that no browser opens as anything else, and no cache keeps."""
    response = Response(document.content, content_type=document.media_type)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response


def _sent(file_name: str, client_id: UUID) -> Response:
    from dashboard.transfers.services import papers

    with transaction():
        document = papers.read(file_name, client_id=client_id, by=current_actor())
    return attachment(document, name=document.file_name)


@transfer_operations.post(
    "/Documents", tags=FRONT_OFFICE, summary="Make the confirmation of an own completed transfer",
    description="A PDF. Made once; asked for again, the same document is answered. Refusals: 422 `invalidState`. An"
    " addition to the documented operations.",
    operation_id="makeOwnDocument", responses={200: DocumentDto, **documented_errors(404, 409, 413, 415, 422)},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def make_own_document(body: DocumentBody) -> dict[str, Any]:
    from dashboard.transfers.services import papers

    client_id = _client()
    with transaction():
        made = papers.make(body.transfer_id, house=_house(), client_id=client_id, by=current_actor())
    return {
        "fileName": made.file_name,
        "mediaType": made.media_type,
        "size": len(made.content),
        "sha256": made.sha256,
        "created": iso_utc(made.created_at),
    }


@transfer_operations.get(
    "/Documents/<fileName>", tags=FRONT_OFFICE, summary="Download a document by its file name",
    description="Own documents only. Each download is recorded.",
    operation_id="readOwnDocument", responses={200: FILE, **documented_errors(404)},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def read_own_document(path: FilePath) -> Response:
    return _sent(path.file_name, _client())


@transfer_operations.get(
    "/internal/Documents/<uuid:clientId>/<fileName>", tags=SYSTEM,
    summary="Download a document by file name and client",
    description="Each download is recorded.",
    operation_id="readDocument", responses={200: FILE, **documented_errors(404)},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.TRANSFERS_READ)
def read_document(path: ClientFilePath) -> Response:
    return _sent(path.file_name, path.client_id)
