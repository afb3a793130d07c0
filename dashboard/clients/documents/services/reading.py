"""Reading a file. Every read is recorded; what no longer is what was uploaded is not given out."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.audit import services as audit
from dashboard.audit.models import AuditEvent
from dashboard.clients.documents import queries
from dashboard.clients.documents.looking import asking
from dashboard.clients.documents.looking.reasons import NotTaken
from dashboard.clients.documents.models import ClientDocument
from dashboard.clients.documents.store import DocumentDamaged, Store
from dashboard.clients.documents.vocabulary import DocumentKind, DocumentState
from dashboard.database import session
from dashboard.errors import NotFound

READ = "document.read"
#: pages of one document that one reader turns within this time are one look at it
ONE_LOOK = timedelta(minutes=10)


def record_look(document: ClientDocument, *, by: Actor, downloaded: bool) -> None:
    """Write that somebody saw the file. A preview is written once in ten minutes for each reader, a download always."""
    if not downloaded:
        recent = sa.select(AuditEvent.id).where(
            AuditEvent.object_type == "client_document",
            AuditEvent.object_id == document.id,
            AuditEvent.action == READ,
            AuditEvent.actor_id == by.id,
            AuditEvent.occurred_at > clock.now() - ONE_LOOK,
        )
        if session().scalar(sa.select(recent.exists())):
            return
    audit.record(
        READ,
        by=by,
        object_type="client_document",
        object_id=document.id,
        client_id=document.client_id,
        after={"document": document.file_name, "how": "downloaded" if downloaded else "looked at"},
    )


def download(
    client_id: UUID, document_id: UUID, *, store: Store, by: Actor, withdrawn: bool
) -> tuple[ClientDocument, bytes]:
    """A document and its bytes as they were uploaded. `withdrawn` says whether a withdrawn one is given too.

    Raises NotFound (`documentWithdrawn` for such a one), DocumentDamaged.
    """
    by.require(Permission.DOCUMENTS_READ)
    document = queries.get(client_id, document_id)
    if document.state == DocumentState.WITHDRAWN and not withdrawn:
        raise NotFound("This document was withdrawn.", code="documentWithdrawn")
    content = store.read(document.sha256)
    record_look(document, by=by, downloaded=True)
    return document, content


def look_at(client_id: UUID, document_id: UUID, *, page: int, by: Actor) -> ClientDocument:
    """Record a look at one page of a document, and give the document: the picture is made outside the transaction.

    Raises NotFound.
    """
    by.require(Permission.DOCUMENTS_READ)
    document = queries.get(client_id, document_id)
    if not 1 <= page <= document.pages:
        raise NotFound("The document has no such page.", code="pageNotFound")
    record_look(document, by=by, downloaded=False)
    return document


def picture(sha256: str, kind: DocumentKind, *, page: int, store: Store) -> bytes:
    """A page as a PNG. Raises DocumentDamaged, Busy."""
    try:
        return asking.picture_of(store.read(sha256), kind, page)
    except NotTaken as refusal:
        raise DocumentDamaged("This page cannot be shown. Download the document to see it.") from refusal
