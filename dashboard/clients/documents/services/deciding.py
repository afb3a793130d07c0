"""Decisions about documents: accepted, rejected, withdrawn. Each is a row of its own; the newest one counts."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.audit import services as audit
from dashboard.clients.calendar import calendar
from dashboard.clients.documents import queries
from dashboard.clients.documents.models import ClientDocument, ClientDocumentDecision
from dashboard.clients.documents.services.uploading import EXPIRES, QUEUE, checked_expiry
from dashboard.clients.documents.vocabulary import (
    CATEGORY_LABELS,
    REJECTION_LABELS,
    STATE_LABELS,
    DocumentCategory,
    DocumentRejection,
    DocumentState,
)
from dashboard.clients.models import Client
from dashboard.clients.services.lock import locked
from dashboard.clients.services.plan import follow
from dashboard.clients.services.upkeep import refresh_flags, refresh_queues
from dashboard.database import new_id, session
from dashboard.errors import Conflict, Invalid
from dashboard.queues import services as queues

LONGEST_COMMENT = 2000


def checked_comment(text: str | None) -> str | None:
    """Stripped; None when nothing is left. Raises Invalid."""
    comment = (text or "").strip() or None
    if comment is not None and len(comment) > LONGEST_COMMENT:
        raise Invalid.one("comment", f"Use at most {LONGEST_COMMENT} characters.", "tooLong")
    return comment


def _held(client_id: UUID, document_id: UUID, seen: DocumentState | None) -> tuple[Client, ClientDocument]:
    """The client locked, and its document as it is under the lock. Raises NotFound, Conflict."""
    client = locked(client_id)
    document = queries.get(client_id, document_id)
    session().refresh(document, with_for_update=True)
    if document.state == DocumentState.WITHDRAWN:
        raise Conflict("This document has been withdrawn.", code="withdrawn")
    if seen is not None and document.state != seen:
        label = STATE_LABELS[DocumentState(document.state)].lower()
        raise Conflict(f"Somebody decided meanwhile: the document is {label}. Look again.", code="decidedMeanwhile")
    return client, document


def decide(
    document: ClientDocument,
    state: DocumentState,
    *,
    by: Actor,
    reason: DocumentRejection | None = None,
    comment: str | None = None,
    category: DocumentCategory | None = None,
    expires_on: date | None = None,
    action: str,
) -> ClientDocumentDecision:
    """Write a decision, the state that it gives, and its audit event. For the verbs of this package, under the lock."""
    before = STATE_LABELS[DocumentState(document.state)]
    earlier = (document.category, document.expires_on)
    decision = ClientDocumentDecision(
        id=new_id(),
        document_id=document.id,
        decision=state.value,
        reason_code=reason.value if reason else None,
        comment=comment,
        category=(category or DocumentCategory(document.category)).value,
        expires_on=expires_on,
        decided_by_kind=by.kind,
        decided_by_id=by.id,
        decided_by_name=by.name,
        decided_at=clock.now(),
    )
    session().add(decision)
    session().flush()
    document.state, document.decision_id = decision.decision, decision.id
    document.category, document.expires_on = decision.category, decision.expires_on
    session().flush()
    changed: dict[str, tuple[str | None, str | None]] = {"document_state": (before, STATE_LABELS[state])}
    if earlier[0] != document.category:
        changed["category"] = _labelled(earlier[0]), _labelled(document.category)
    if earlier[1] != document.expires_on:
        changed["expiry_date"] = _iso(earlier[1]), _iso(document.expires_on)
    audit.record(
        action,
        by=by,
        object_type="client_document",
        object_id=document.id,
        client_id=document.client_id,
        before={key: old for key, (old, _) in changed.items()},
        after={
            "document": document.file_name,
            **{key: new for key, (_, new) in changed.items()},
            **({"rejection": REJECTION_LABELS[reason]} if reason else {}),
        },
        restricted={"comment": comment} if comment else None,
    )
    return decision


def _labelled(category: str) -> str:
    return CATEGORY_LABELS[DocumentCategory(category)]


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def after_decision(client: Client, *, by: Actor, cause: str) -> None:
    """What follows from it for the client: flags that come and go, the queues, the day of its next review."""
    refresh_flags(client, by=by, cause=cause)
    refresh_queues(client, by=by)
    client.updated_at = clock.now()
    session().flush()
    follow(client, by=by)


def accept(
    client_id: UUID,
    document_id: UUID,
    *,
    by: Actor,
    category: DocumentCategory | None = None,
    expires_on: date | None = None,
    comment: str | None = None,
    seen: DocumentState | None = None,
) -> ClientDocument:
    """A person looked at it and takes it for what it says. `expires_on` None: it does not expire.

    `seen` is the state that the person looked at. What was rejected or expired may be accepted later.
    Raises NotFound, Invalid (a date that is over), Conflict `withdrawn`, `decidedMeanwhile`.
    """
    by.require(Permission.DOCUMENTS_WRITE)
    said = checked_comment(comment)
    today = calendar().today()
    if checked_expiry(expires_on, today=today) and expires_on and expires_on < today:
        raise Invalid.one(
            "expiryDate", "This day is over: a document that has expired is rejected, not accepted.", "past"
        )
    client, document = _held(client_id, document_id, seen)
    decide(
        document, DocumentState.ACCEPTED, by=by, comment=said, category=category, expires_on=expires_on,
        action="document.accepted",
    )  # fmt: skip
    queues.close_items(QUEUE, object_id=document.id, by=by)
    _close_reminders(document, by=by)
    after_decision(client, by=by, cause="document accepted")
    return document


def _close_reminders(accepted: ClientDocument, *, by: Actor) -> None:
    """A newer paper of the same kind has come: nobody need ask for one any more."""
    filtered = queries.DocumentFilter(states=(DocumentState.ACCEPTED.value,), categories=(accepted.category,))
    for other in queries.of_client(accepted.client_id, filtered, limit=200):
        later = accepted.expires_on is None or (other.expires_on is not None and other.expires_on < accepted.expires_on)
        if other.id != accepted.id and later:
            queues.close_items(QUEUE, object_id=other.id, cause=EXPIRES, by=by)


def reject(
    client_id: UUID,
    document_id: UUID,
    *,
    reason: DocumentRejection,
    by: Actor,
    comment: str | None = None,
    seen: DocumentState | None = None,
) -> ClientDocument:
    """A person looked at it and does not take it. `reason` may be told to the client; `comment` is for staff alone.

    Raises NotFound, Invalid, Conflict `withdrawn`, `decidedMeanwhile`.
    """
    by.require(Permission.DOCUMENTS_WRITE)
    said = checked_comment(comment)
    client, document = _held(client_id, document_id, seen)
    decide(
        document, DocumentState.REJECTED, by=by, reason=reason, comment=said, expires_on=document.expires_on,
        action="document.rejected",
    )  # fmt: skip
    queues.close_items(QUEUE, object_id=document.id, by=by)
    after_decision(client, by=by, cause="document rejected")
    return document


def withdraw(client_id: UUID, document_id: UUID, *, reason: str, by: Actor) -> ClientDocument:
    """Take a document out of use. It leaves the lists; the file and what was decided stay for the retention period.

    Withdrawn already: nothing changes. Raises NotFound, Invalid.
    """
    by.require(Permission.DOCUMENTS_WRITE)
    said = checked_comment(reason)
    if said is None:
        raise Invalid.one("reason", "Say why it is withdrawn.", "required")
    client = locked(client_id)
    document = queries.get(client_id, document_id)
    session().refresh(document, with_for_update=True)
    if document.state == DocumentState.WITHDRAWN:
        return document
    decide(
        document, DocumentState.WITHDRAWN, by=by, comment=said, expires_on=document.expires_on,
        action="document.withdrawn",
    )  # fmt: skip
    queues.close_items(QUEUE, object_id=document.id, by=by)
    after_decision(client, by=by, cause="document withdrawn")
    return document
