"""What the passing of days brings: a reminder before a document expires, and its end."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

from dashboard.access.actor import Actor
from dashboard.clients.calendar import calendar
from dashboard.clients.documents import queries
from dashboard.clients.documents.models import ClientDocument
from dashboard.clients.documents.services.deciding import after_decision, decide
from dashboard.clients.documents.services.uploading import EXPIRES, QUEUE
from dashboard.clients.documents.vocabulary import DocumentState
from dashboard.clients.services.lock import locked
from dashboard.database import session
from dashboard.queues import services as queues

#: documents that one run looks at in one go
PART = 200


def expire(client_id: UUID, document_id: UUID, *, by: Actor) -> bool:
    """Mark one document whose last day is over, and flag its client; gives whether it was still to be done."""
    client = locked(client_id)
    document = session().get(ClientDocument, document_id, with_for_update=True, populate_existing=True)
    today = calendar().today()
    if (
        document is None
        or document.client_id != client.id
        or document.erased_at is not None
        or document.state != DocumentState.ACCEPTED
        or document.expires_on is None
        or document.expires_on >= today
    ):
        return False
    decide(document, DocumentState.EXPIRED, by=by, expires_on=document.expires_on, action="document.expired")
    queues.close_items(QUEUE, object_id=document.id, by=by)
    after_decision(client, by=by, cause="document expired")
    return True


def remind(*, days_ahead: int, after: tuple[date, UUID] | None = None) -> tuple[int, tuple[date, UUID] | None]:
    """Open an item for each document whose last day lies within so many days and that nothing newer replaces.

    Gives how many documents one part looked at, and where the next part begins (None: this was the last).
    An item that is open already stays as it is.
    """
    today = calendar().today()
    part = queries.expiring(today, today + timedelta(days=days_ahead), after=after, limit=PART)
    replaced = queries.replaced(part)
    for document in part:
        if document.id in replaced or document.expires_on is None:
            continue
        queues.open_item(
            QUEUE,
            cause=EXPIRES,
            object_type="client_document",
            object_id=document.id,
            client_id=document.client_id,
            due_at=calendar().closing(document.expires_on),
        )
    more = part[-1] if len(part) == PART else None
    return len(part), (more.expires_on, more.id) if more is not None and more.expires_on is not None else None
