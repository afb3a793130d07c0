"""Reading documents: lists, counts, and the decisions beside each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import sqlalchemy as sa
import sqlalchemy.orm

from dashboard.clients.documents.models import ClientDocument, ClientDocumentDecision
from dashboard.clients.documents.vocabulary import DocumentState
from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.queues.models import QueueItem


def get(client_id: UUID, document_id: UUID) -> ClientDocument:
    """A document of this client, withdrawn ones too. Raises NotFound, also for another client's and an erased one."""
    document = session().get(ClientDocument, document_id)
    if document is None or document.client_id != client_id or document.erased_at is not None:
        raise NotFound("There is no such document.", code="documentNotFound")
    return document


def with_content(client_id: UUID, sha256: str) -> ClientDocument | None:
    """The client's document with this content that was not withdrawn."""
    return session().scalar(
        sa.select(ClientDocument).where(
            ClientDocument.client_id == client_id,
            ClientDocument.sha256 == sha256,
            ClientDocument.state != DocumentState.WITHDRAWN.value,
            ClientDocument.erased_at.is_(None),
        )
    )


def erased(client_id: UUID) -> bool:
    """Whether documents of this client were erased."""
    some = sa.select(ClientDocument.id).where(
        ClientDocument.client_id == client_id, ClientDocument.erased_at.is_not(None)
    )
    return bool(session().scalar(sa.select(some.exists())))


@dataclass(frozen=True)
class DocumentFilter:
    """Which documents of a client. Withdrawn ones are left out unless they are asked for; erased ones always are."""

    states: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    withdrawn: bool = False

    def conditions(self, client_id: UUID) -> list[sa.ColumnElement[bool]]:
        found: list[sa.ColumnElement[bool]] = [
            ClientDocument.client_id == client_id,
            ClientDocument.erased_at.is_(None),
        ]
        if self.states:
            found.append(ClientDocument.state.in_(self.states))
        elif not self.withdrawn:
            found.append(ClientDocument.state != DocumentState.WITHDRAWN.value)
        if self.categories:
            found.append(ClientDocument.category.in_(self.categories))
        return found


def of_client(
    client_id: UUID,
    chosen: DocumentFilter,
    *,
    limit: int,
    after: UUID | None = None,
    before: UUID | None = None,
) -> list[ClientDocument]:
    """Newest first. `after` and `before` are the id at the edge of the next page."""
    query = sa.select(ClientDocument).where(*chosen.conditions(client_id)).limit(limit)
    if before is not None:
        found = session().scalars(query.where(ClientDocument.id > before).order_by(ClientDocument.id))
        return list(found)[::-1]
    if after is not None:
        query = query.where(ClientDocument.id < after)
    return list(session().scalars(query.order_by(ClientDocument.id.desc())))


def in_queue(reader: UUID | None, *, limit: int) -> list[ClientDocument]:
    """Documents that wait in the queue for this person or for nobody yet, by due time."""
    query = (
        sa.select(ClientDocument)
        .join(QueueItem, QueueItem.object_id == ClientDocument.id)
        .where(
            QueueItem.queue == "documents",
            QueueItem.cause == "review",
            QueueItem.closed_at.is_(None),
            sa.or_(QueueItem.assignee_id.is_(None), QueueItem.assignee_id == reader),
        )
        .order_by(QueueItem.due_at, QueueItem.id)
        .limit(limit)
    )
    return list(session().scalars(query))


def count(client_id: UUID, chosen: DocumentFilter) -> int:
    """How many there are."""
    rows = sa.select(sa.func.count()).select_from(ClientDocument).where(*chosen.conditions(client_id))
    return session().scalar(rows) or 0


def to_review(client_id: UUID) -> int:
    """How many wait for a decision: the figure on the tab."""
    return (
        session().scalar(
            sa.select(sa.func.count())
            .select_from(ClientDocument)
            .where(ClientDocument.client_id == client_id, ClientDocument.state == DocumentState.TO_REVIEW.value)
        )
        or 0
    )


def latest_decisions(documents: Iterable[ClientDocument]) -> dict[UUID, ClientDocumentDecision]:
    """The decision that gave each document its state, by the document's id, in one query."""
    ids = [document.decision_id for document in documents if document.decision_id is not None]
    if not ids:
        return {}
    found = session().scalars(sa.select(ClientDocumentDecision).where(ClientDocumentDecision.id.in_(ids)))
    return {decision.document_id: decision for decision in found}


def decisions_of(document_id: UUID) -> list[ClientDocumentDecision]:
    """All decisions about one document, newest first."""
    return list(
        session().scalars(
            sa.select(ClientDocumentDecision)
            .where(ClientDocumentDecision.document_id == document_id)
            .order_by(ClientDocumentDecision.id.desc())
        )
    )


def by_ids(ids: Sequence[UUID]) -> dict[UUID, ClientDocument]:
    """Documents by id, in one query."""
    if not ids:
        return {}
    return {each.id: each for each in session().scalars(sa.select(ClientDocument).where(ClientDocument.id.in_(ids)))}


def lapsed(client_id: UUID, *, today: date) -> list[ClientDocument]:
    """The newest expired document of each category in which nothing accepted stands beside it.

    What was accepted and whose last day is over counts as expired here, whether the day's job has run or not.
    """
    rows = session().scalars(
        sa.select(ClientDocument)
        .where(
            ClientDocument.client_id == client_id,
            ClientDocument.erased_at.is_(None),
            ClientDocument.state.in_([DocumentState.ACCEPTED.value, DocumentState.EXPIRED.value]),
        )
        .order_by(ClientDocument.expires_on.desc().nulls_last(), ClientDocument.id.desc())
    )
    expired: dict[str, ClientDocument] = {}
    standing: set[str] = set()
    for document in rows:
        over = document.expires_on is not None and document.expires_on < today
        if over or document.state == DocumentState.EXPIRED.value:
            expired.setdefault(document.category, document)
        else:
            standing.add(document.category)
    return [document for category, document in sorted(expired.items()) if category not in standing]


def due_to_expire(today: date, *, limit: int) -> list[tuple[UUID, UUID]]:
    """Accepted documents whose last day is over, as (client, document), the longest over first."""
    rows = session().execute(
        sa.select(ClientDocument.client_id, ClientDocument.id)
        .where(ClientDocument.state == DocumentState.ACCEPTED.value, ClientDocument.expires_on < today)
        .order_by(ClientDocument.expires_on, ClientDocument.id)
        .limit(limit)
    )
    return [(client_id, document_id) for client_id, document_id in rows]


def expiring(first: date, last: date, *, after: tuple[date, UUID] | None, limit: int) -> list[ClientDocument]:
    """Accepted documents whose last day lies within these, by that day; `after` is the row at the edge."""
    query = (
        sa.select(ClientDocument)
        .where(ClientDocument.state == DocumentState.ACCEPTED.value, ClientDocument.expires_on.between(first, last))
        .order_by(ClientDocument.expires_on, ClientDocument.id)
        .limit(limit)
    )
    if after is not None:
        place = sa.tuple_(ClientDocument.expires_on, ClientDocument.id)
        query = query.where(place > sa.tuple_(*map(sa.literal, after)))
    return list(session().scalars(query))


def replaced(documents: Sequence[ClientDocument]) -> set[UUID]:
    """Which of these accepted documents have another accepted one of the same kind beside them that counts longer."""
    newer = sa.orm.aliased(ClientDocument)
    rows = session().scalars(
        sa.select(ClientDocument.id)
        .join(
            newer,
            sa.and_(
                newer.client_id == ClientDocument.client_id,
                newer.category == ClientDocument.category,
                newer.state == DocumentState.ACCEPTED.value,
                newer.id != ClientDocument.id,
                sa.or_(newer.expires_on.is_(None), newer.expires_on > ClientDocument.expires_on),
            ),
        )
        .where(ClientDocument.id.in_([document.id for document in documents]))
    )
    return set(rows)


def first_expiry(client_id: UUID, after: date) -> date | None:
    """The first day after `after` on which an accepted document runs out; a renewed one counts by its newest day."""
    newest = (
        sa.select(sa.func.max(ClientDocument.expires_on).label("day"))
        .where(ClientDocument.client_id == client_id, ClientDocument.state == DocumentState.ACCEPTED.value)
        .group_by(ClientDocument.category)
        .subquery()
    )
    found: date | None = session().scalar(sa.select(sa.func.min(newest.c.day)).where(newest.c.day > after))
    return found
