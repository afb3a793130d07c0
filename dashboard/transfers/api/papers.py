"""Documents: TF-02, TS-01, and the front office's list of its own."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from flask import Response, current_app
from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from dashboard.access.guard import api_requires, current_actor
from dashboard.access.permissions import Audience, Permission
from dashboard.database import transaction
from dashboard.ledger.account_schemas import CURSOR, Cursor
from dashboard.ledger.schemas import Identifier
from dashboard.settings import Settings
from dashboard.transfers.api.blueprint import FRONT_OFFICE, SYSTEM, transfer_operations
from dashboard.transfers.api.own_transfers import asking_client
from dashboard.transfers.models import TransferDocument
from dashboard.transfers.queries import papers as queries
from dashboard.transfers.queries.papers import PaperView
from dashboard.web.api import Answer, Body, documented_errors, examples
from dashboard.web.json import iso_utc
from dashboard.web.paging import DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE, Position, seal, unseal
from dashboard.web.parameters import Unset, Whole

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
    transfer_id: UUID
    media_type: str
    size: int
    sha256: str
    created: str


class DocumentList(Answer):
    items: list[DocumentDto]
    next_cursor: str | None = Field(description="Ask with it for the next page; null on the last one.")


class DocumentQuery(Body):
    transfer_id: Annotated[Identifier | None, Unset] = Field(None, description="Documents of this transfer only.")
    page_size: Annotated[int, Field(ge=1, le=LARGEST_PAGE_SIZE), Whole] = DEFAULT_PAGE_SIZE
    cursor: Annotated[Cursor | None, Unset] = Field(None, description=CURSOR)


def _house() -> Any:
    from dashboard.transfers.services.papers import House

    settings: Settings = current_app.extensions["countinghouse.settings"]
    return House(settings.institution_name, settings.zone)


def _dto(document: TransferDocument | PaperView, size: int) -> dict[str, Any]:
    return {
        "fileName": document.file_name,
        "transferId": str(document.transfer_id),
        "mediaType": document.media_type,
        "size": size,
        "sha256": document.sha256,
        "created": iso_utc(document.created_at),
    }


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

    client_id = asking_client()
    with transaction():
        made = papers.make(body.transfer_id, house=_house(), client_id=client_id, by=current_actor())
    return _dto(made, len(made.content))


@transfer_operations.get(
    "/Documents", tags=FRONT_OFFICE, summary="Own documents",
    description="Newest first. An addition to the documented operations.",
    operation_id="listOwnDocuments", responses={200: DocumentList, **documented_errors(404)},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def list_own_documents(query: DocumentQuery) -> dict[str, Any]:
    client_id = asking_client()
    bound = {"list": "documents", "client": str(client_id), "transfer": str(query.transfer_id)}
    position = unseal(query.cursor, bound=bound)
    found = queries.of_client(
        client_id,
        transfer_id=query.transfer_id,
        size=query.page_size,
        after=UUID(str(position.key[0])) if position else None,
    )
    page = found[: query.page_size]
    following = seal(Position([str(page[-1].id)]), bound=bound) if len(found) > len(page) else None
    return {"items": [_dto(each, each.size) for each in page], "nextCursor": following}


@transfer_operations.get(
    "/Documents/<fileName>", tags=FRONT_OFFICE, summary="Download a document by its file name",
    description="Own documents only. Each download is recorded.",
    operation_id="readOwnDocument", responses={200: FILE, **documented_errors(404)},
)  # fmt: skip
@api_requires(Audience.FRONTOFFICE, Permission.TRANSFERS_OWN)
def read_own_document(path: FilePath) -> Response:
    return _sent(path.file_name, asking_client())


@transfer_operations.get(
    "/internal/Documents/<uuid:clientId>/<fileName>", tags=SYSTEM,
    summary="Download a document by file name and client",
    description="Each download is recorded.",
    operation_id="readDocument", responses={200: FILE, **documented_errors(404)},
)  # fmt: skip
@api_requires(Audience.SYSTEM, Permission.TRANSFERS_READ)
def read_document(path: ClientFilePath) -> Response:
    return _sent(path.file_name, path.client_id)
