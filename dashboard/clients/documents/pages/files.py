"""The file of a document: as an attachment, and page by page as pictures that we make."""

from __future__ import annotations

from uuid import UUID

from flask import Response

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.clients.documents import answers, services
from dashboard.clients.documents.vocabulary import DocumentKind
from dashboard.clients.pages.blueprint import clients as pages
from dashboard.database import transaction


@pages.get("/<uuid:client_id>/documents/<uuid:document_id>/download")
@requires(Permission.DOCUMENTS_READ)
def download_document(client_id: UUID, document_id: UUID) -> Response:
    """The file as it was uploaded, withdrawn ones too; the download is recorded."""
    with transaction():
        document, content = services.download(
            client_id, document_id, store=answers.store(), by=current_actor(), withdrawn=True
        )
        return answers.attachment(document, content)


@pages.get("/<uuid:client_id>/documents/<uuid:document_id>/pages/<int:page>.png")
@requires(Permission.DOCUMENTS_READ)
def document_page(client_id: UUID, document_id: UUID, page: int) -> Response:
    """One page as a picture; the look is recorded."""
    with transaction():
        document = services.look_at(client_id, document_id, page=page, by=current_actor())
        sha256, kind = document.sha256, DocumentKind(document.media_type)
    # made after the transaction: it may take a second
    return answers.picture(services.picture(sha256, kind, page=page, store=answers.store()))
