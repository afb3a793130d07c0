"""CP-09 to CP-12: documents of a client for machines."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, request

from dashboard.access.guard import api_requires, current_actor
from dashboard.access.permissions import Audience, Permission
from dashboard.clients import queries as clients
from dashboard.clients.api.blueprint import SYSTEM, client_operations
from dashboard.clients.documents import answers, queries, services
from dashboard.clients.documents.dto import document_dtos
from dashboard.clients.documents.queries import DocumentFilter
from dashboard.clients.documents.schemas import (
    ClientDocumentDto,
    ClientDocumentList,
    ClientDocumentQuery,
    DocumentPath,
    UploadForm,
    WithdrawBody,
)
from dashboard.clients.documents.vocabulary import DocumentKind
from dashboard.clients.schemas import ClientPath, clean
from dashboard.database import transaction
from dashboard.errors import Invalid
from dashboard.web.api import documented_errors, listed, takes_a_file
from dashboard.web.paging import Position, seal, unseal

NO_REASON = "Asked by API, without a reason."

FILE: dict[str, Any] = {
    "description": "The file as it was uploaded, as an attachment.",
    "content": {kind.value: {"schema": {"type": "string", "format": "binary"}} for kind in DocumentKind},
}


@client_operations.post(
    "/internal/Clients/<uuid:clientId>/Documents/upload",
    tags=SYSTEM,
    summary="Upload a client document (multipart)",
    description="One file, JPEG, PNG, WebP or PDF by its bytes, up to the size that the house has set (10 MB). A file"
    " that is several things at once, holds programs, actions or other files, moves, or unpacks to far more than it"
    " says, is refused: 400 with the reason as the rule of the field `file`. The same content again answers the"
    " document that is there.",
    operation_id="uploadClientDocument",
    responses={200: ClientDocumentDto, **documented_errors(404, 413, 415, 422, 503)},
)
@api_requires(Audience.SYSTEM, Permission.DOCUMENTS_WRITE)
@takes_a_file
def upload_document(path: ClientPath, form: UploadForm) -> dict[str, Any]:
    if len(request.files.getlist("file")) > 1:
        raise Invalid.one("file", "Send one file at a time.", "single")
    with transaction():
        # a transaction of its own: looking at a file takes its time
        clients.get(path.client_id)
    configured = answers.settings()
    looked = services.look(form.file.read(), name=form.file.filename, largest=configured.largest_document)
    with transaction():
        document, _fresh = services.upload(
            path.client_id,
            looked,
            category=form.category,
            expires_on=form.expiry_date,
            store=answers.store(),
            by=current_actor(),
        )
        return document_dtos([document])[0]


@client_operations.get(
    "/internal/Clients/<uuid:clientId>/Documents",
    tags=SYSTEM,
    summary="List a client's documents",
    description="Newest first. Withdrawn ones are left out unless they are asked for.",
    operation_id="listClientDocuments",
    responses={200: ClientDocumentList, **documented_errors(404)},
)
@api_requires(Audience.SYSTEM, Permission.DOCUMENTS_READ)
def list_documents(path: ClientPath, query: ClientDocumentQuery) -> dict[str, Any]:
    clients.get(path.client_id)
    chosen = DocumentFilter(
        states=tuple(state.value for state in query.status),
        categories=tuple(category.value for category in query.category),
        withdrawn=query.include_withdrawn,
    )
    bound = {
        "list": "CP-11", "client": str(path.client_id), "states": chosen.states, "categories": chosen.categories,
        "withdrawn": chosen.withdrawn,
    }  # fmt: skip
    position = unseal(query.cursor, bound=bound)
    found = queries.of_client(
        path.client_id,
        chosen,
        limit=query.page_size + 1,
        after=UUID(str(position.key[0])) if position else None,
    )
    page = found[: query.page_size]
    following = seal(Position([str(page[-1].id)]), bound=bound) if len(found) > len(page) else None
    total = queries.count(path.client_id, chosen) if query.include_total else None
    return listed(document_dtos(page), following, total)


@client_operations.get(
    "/internal/Clients/<uuid:clientId>/Documents/<uuid:documentId>/download",
    tags=SYSTEM,
    summary="Download a client document",
    description="The bytes as they were uploaded; their checksum is verified first. Each download is recorded."
    " A withdrawn document is not given: 404 `documentWithdrawn`.",
    operation_id="downloadClientDocument",
    responses={200: FILE, **documented_errors(404)},
)
@api_requires(Audience.SYSTEM, Permission.DOCUMENTS_READ)
def download_document(path: DocumentPath) -> Response:
    with transaction():
        document, content = services.download(
            path.client_id, path.document_id, store=answers.store(), by=current_actor(), withdrawn=False
        )
        return answers.attachment(document, content)


@client_operations.delete(
    "/internal/Clients/<uuid:clientId>/Documents/<uuid:documentId>",
    tags=SYSTEM,
    summary="Withdraw a client document (kept for the retention period)",
    description="It leaves the lists; the file stays for the retention period. Withdrawn already: the same answer.",
    operation_id="withdrawClientDocument",
    responses={200: ClientDocumentDto, **documented_errors(404, 413, 415)},
)
@api_requires(Audience.SYSTEM, Permission.DOCUMENTS_WRITE)
def withdraw_document(path: DocumentPath, body: WithdrawBody) -> dict[str, Any]:
    with transaction():
        document = services.withdraw(
            path.client_id, path.document_id, reason=clean(body.reason) or NO_REASON, by=current_actor()
        )
        return document_dtos([document])[0]
