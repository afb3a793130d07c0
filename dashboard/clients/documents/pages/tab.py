"""The tab of a client's page: its documents, filtered by the URL."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import request, url_for

from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.clients import links
from dashboard.clients import queries as clients
from dashboard.clients.documents import queries
from dashboard.clients.documents.labels import kind_label, size_in_words, state_badge
from dashboard.clients.documents.models import ClientDocument
from dashboard.clients.documents.queries import DocumentFilter
from dashboard.clients.documents.vocabulary import (
    CATEGORY_LABELS,
    REJECTION_LABELS,
    STATE_LABELS,
    DocumentCategory,
    DocumentState,
)
from dashboard.clients.models import Client
from dashboard.clients.pages.head import Head
from dashboard.web.paging import DEFAULT_PAGE_SIZE, neighbours, unseal

STATES = [("", "In use"), *((state.value, STATE_LABELS[state]) for state in DocumentState)]
CATEGORIES = [("", "Any"), *((category.value, CATEGORY_LABELS[category]) for category in DocumentCategory)]


def identity_of(client: Client) -> dict[str, Any] | None:
    """The identity document that the profile names: what it is, and its hash; None without one."""
    individual = clients.individual_of(client)
    if individual is None or not individual.document_number:
        return None
    return {
        "type": individual.document_type,
        "country": individual.document_issued_country,
        "number": individual.document_number,
        "expires": individual.document_expiration_date,
        "key": links.document_key(individual.document_issued_country, individual.document_number),
    }


def for_another_number(document: ClientDocument, identity: dict[str, Any] | None) -> bool:
    """Whether an identity document was uploaded while the profile named another number than it does now."""
    return (
        identity is not None
        and document.category == DocumentCategory.IDENTITY
        and document.profile_key is not None
        and document.profile_key != identity["key"]
    )


def asked() -> tuple[str, str, DocumentFilter]:
    """State and kind of the address, empty where it names none that there is, and the filter that they make."""
    state, category = request.args.get("state", ""), request.args.get("category", "")
    state = state if state in set(DocumentState) else ""
    category = category if category in set(DocumentCategory) else ""
    return state, category, DocumentFilter((state,) if state else (), (category,) if category else ())


def documents_tab(head: Head, actor: Actor) -> dict[str, Any]:
    """What the tab shows this reader."""
    client = head.client
    state, category, chosen = asked()
    bound = ["documents", str(client.id), state, category]
    position = unseal(request.args.get("cursor"), bound=bound)
    edge = UUID(str(position.key[0])) if position else None
    backwards = position is not None and position.backwards
    found = queries.of_client(
        client.id,
        chosen,
        limit=DEFAULT_PAGE_SIZE + 1,
        before=edge if backwards else None,
        after=None if backwards else edge,
    )
    shown, before, after = neighbours(found, position, size=DEFAULT_PAGE_SIZE, key=lambda d: [str(d.id)], bound=bound)

    def at(cursor: str | None) -> str | None:
        if cursor is None:
            return None
        return url_for(
            "clients.show", client_id=client.id, tab="documents", state=state or None, category=category or None,
            cursor=cursor,
        )  # fmt: skip

    return {
        "documents": shown,
        "decisions": queries.latest_decisions(shown),
        "newer": at(before),
        "older": at(after),
        "state": state,
        "category": category,
        "states": STATES,
        "categories": CATEGORIES,
        "filtered": bool(state or category),
        "may_write": actor.may(Permission.DOCUMENTS_WRITE),
        "state_badge": state_badge,
        "kind_label": kind_label,
        "size_in_words": size_in_words,
        "category_labels": CATEGORY_LABELS,
        "rejections": REJECTION_LABELS,
        "identity": identity_of(client),
        "for_another_number": for_another_number,
        # withdrawn ones too: somebody may look for them
        "anything": bool(shown) or bool(queries.count(client.id, DocumentFilter(withdrawn=True))),
    }
