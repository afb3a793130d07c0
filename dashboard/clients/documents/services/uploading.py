"""A document is uploaded: looked at, kept, put into the queue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.audit import services as audit
from dashboard.clients import links
from dashboard.clients.calendar import calendar
from dashboard.clients.documents import queries
from dashboard.clients.documents.looking import asking
from dashboard.clients.documents.looking.reasons import SENTENCES, NotTaken
from dashboard.clients.documents.models import ClientDocument
from dashboard.clients.documents.names import checked_name
from dashboard.clients.documents.store import Store
from dashboard.clients.documents.vocabulary import CATEGORY_LABELS, DocumentCategory, DocumentKind, DocumentState
from dashboard.clients.models import Client, Individual
from dashboard.clients.services.lock import locked
from dashboard.database import new_id, session
from dashboard.errors import DomainError, Invalid, Refused
from dashboard.queues import services as queues

QUEUE = "documents"
#: causes of its items
REVIEW, EXPIRES = "review", "expires"
#: business days to look at an upload
REVIEW_DUE = 2
#: dates beyond are typing errors
FURTHEST_EXPIRY = timedelta(days=366 * 100)


class TooLarge(DomainError):
    """The file is larger than an upload may be."""

    status = 413
    code = "tooLarge"


def too_large(largest: int) -> str:
    """The sentence for a file of more than so many bytes."""
    return f"The file is larger than {largest // 1024**2} MB. Scan it with a lower resolution, or in parts."


@dataclass(frozen=True)
class Looked:
    """A file that was looked at and may be taken. Made by `look`, before any transaction: it may take a second."""

    content: bytes
    name: str
    kind: DocumentKind
    pages: int


def look(content: bytes, *, name: str | None, largest: int) -> Looked:
    """Find out what a file is. `largest` in bytes. Nothing is written anywhere.

    Raises Invalid for field `file`, with the reason as its rule (`looking.reasons`, or fileName); TooLarge; Busy.
    """
    if len(content) > largest:
        raise TooLarge(too_large(largest))
    try:
        kind, pages = asking.examine(content)
    except NotTaken as refusal:
        raise Invalid.one("file", SENTENCES[refusal.reason], refusal.reason.value) from None
    return Looked(content, checked_name(name, kind), kind, pages)


def checked_expiry(expires_on: date | None, *, today: date) -> date | None:
    """Raises Invalid for a date that is no expiry of a document."""
    if expires_on is not None and expires_on > today + FURTHEST_EXPIRY:
        raise Invalid.one("expiryDate", "This date lies more than a hundred years ahead.", "range")
    if expires_on is not None and expires_on.year < 1900:
        raise Invalid.one("expiryDate", "This date lies before 1900.", "range")
    return expires_on


def _profile_key(client: Client, category: DocumentCategory) -> tuple[int | None, date | None]:
    """Of the identity document in the profile: its hash, and its expiry. Nothing where there is none."""
    individual = session().get(Individual, client.id) if category is DocumentCategory.IDENTITY else None
    if individual is None or not individual.document_number:
        return None, None
    key = links.document_key(individual.document_issued_country, individual.document_number)
    return key, individual.document_expiration_date


def upload(
    client_id: UUID,
    looked: Looked,
    *,
    category: DocumentCategory,
    store: Store,
    by: Actor,
    expires_on: date | None = None,
) -> tuple[ClientDocument, bool]:
    """Keep a file of a client, to be reviewed; gives the document and whether it is new.

    The same content again answers the document that is there, unless that one was withdrawn. An identity document
    without an expiry takes the profile's. Raises NotFound, Invalid, Refused `clientErased`, NoRoom (503).
    """
    by.require(Permission.DOCUMENTS_WRITE)
    client = locked(client_id)
    today = calendar().today()
    if checked_expiry(expires_on, today=today) and expires_on and expires_on < today:
        raise Invalid.one("expiryDate", "This day is over: ask for a document that has not expired.", "past")
    sha256 = store.keep(looked.content)
    known = queries.with_content(client_id, sha256)
    if known is not None:
        return known, False
    if queries.erased(client_id):
        raise Refused("The documents of this client were erased; no new ones are taken.", code="clientErased")
    key, profile_expiry = _profile_key(client, category)
    document = ClientDocument(
        id=new_id(),
        client_id=client_id,
        sha256=sha256,
        size=len(looked.content),
        media_type=looked.kind.value,
        pages=looked.pages,
        file_name=looked.name,
        category=category.value,
        profile_key=key,
        expires_on=expires_on or profile_expiry,
        state=DocumentState.TO_REVIEW.value,
        uploaded_by_kind=by.kind,
        uploaded_by_id=by.id,
        uploaded_by_name=by.name,
        created_at=clock.now(),
    )
    session().add(document)
    session().flush()
    queues.open_item(
        QUEUE,
        cause=REVIEW,
        object_type="client_document",
        object_id=document.id,
        client_id=client_id,
        due_at=calendar().due_after(clock.now(), REVIEW_DUE),
    )
    audit.record(
        "document.uploaded",
        by=by,
        object_type="client_document",
        object_id=document.id,
        client_id=client_id,
        after={
            "document": looked.name,
            "category": CATEGORY_LABELS[category],
            "expiry_date": document.expires_on.isoformat() if document.expires_on else None,
            "sha256": sha256,
        },
    )
    return document, True
