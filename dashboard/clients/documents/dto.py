"""Documents as machines read them. Comments of decisions are restricted and never in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dashboard.clients.documents import queries
from dashboard.clients.documents.models import ClientDocument
from dashboard.web.json import iso_utc


def document_dtos(documents: Sequence[ClientDocument]) -> list[dict[str, Any]]:
    """In the order given, with one query for all their decisions."""
    decisions = queries.latest_decisions(documents)
    found = []
    for document in documents:
        decision = decisions.get(document.id)
        found.append(
            {
                "id": str(document.id),
                "clientId": str(document.client_id),
                "fileName": document.file_name,
                "category": document.category,
                "mediaType": document.media_type,
                "size": document.size,
                "pages": document.pages,
                "sha256": document.sha256,
                "status": document.state,
                "expiryDate": document.expires_on.isoformat() if document.expires_on else None,
                "rejectionReason": decision.reason_code if decision else None,
                "decided": iso_utc(decision.decided_at) if decision else None,
                "created": iso_utc(document.created_at),
                "keepUntil": document.keep_until.isoformat() if document.keep_until else None,
            }
        )
    return found
