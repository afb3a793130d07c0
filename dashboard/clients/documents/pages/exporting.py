"""The list of a client's documents as a file; the documents themselves are downloaded one by one."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from flask import Response

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.clients import queries as clients
from dashboard.clients.documents import queries
from dashboard.clients.documents.labels import kind_label, state_badge
from dashboard.clients.documents.models import ClientDocument, ClientDocumentDecision
from dashboard.clients.documents.pages.tab import STATES, asked, for_another_number, identity_of
from dashboard.clients.documents.vocabulary import (
    CATEGORY_LABELS,
    REJECTION_LABELS,
    DocumentCategory,
    DocumentRejection,
)
from dashboard.clients.pages.blueprint import clients as pages
from dashboard.views.lists import downloads
from dashboard.web import exports
from dashboard.web.exports import Column, Format, Kind, Listing, Row, parts

COLUMNS = (
    Column("file", "File", share=2),
    Column("format", "Format", share=0.4),
    Column("pages", "Pages", Kind.NUMBER),
    Column("size", "Bytes", Kind.NUMBER),
    Column("kind", "Kind"),
    Column("number", "Number", share=1.2),
    Column("uploaded", "Uploaded", Kind.MOMENT),
    Column("by", "By"),
    Column("expires", "Expires on", Kind.DATE),
    Column("state", "State"),
    Column("why", "Rejected because"),
    Column("id", "Document", share=1.4),
)
#: documents that an export reads at once
PART = 500


def _reason(decision: ClientDocumentDecision | None) -> str | None:
    """Why a document was rejected, in words."""
    if decision is None or not decision.reason_code:
        return None
    return REJECTION_LABELS[DocumentRejection(decision.reason_code)]


@pages.get("/<uuid:client_id>/documents/export/<form>")
@downloads(filters=("state", "category"))
@requires(Permission.DOCUMENTS_READ)
def export_documents(client_id: UUID, form: str) -> Response:
    """Exactly what the tab and its filters list, all pages of it, as `csv` or `xlsx`."""
    chosen_format, client = Format.of_a_list(form), clients.get(client_id)
    state, category, chosen = asked()
    identity = identity_of(client)

    def older(last: ClientDocument | None) -> list[ClientDocument]:
        return queries.of_client(client_id, chosen, after=last.id if last else None, limit=PART)

    def rows() -> Iterator[Row]:
        for part in parts(older):
            decisions = queries.latest_decisions(part)
            for each in part:
                decision = decisions.get(each.id)
                yield {
                    "file": each.file_name,
                    "format": kind_label(each.media_type),
                    "pages": each.pages,
                    "size": each.size,
                    "kind": CATEGORY_LABELS[DocumentCategory(each.category)],
                    "number": "uploaded for another number" if for_another_number(each, identity) else None,
                    "uploaded": each.created_at,
                    "by": each.uploaded_by_name,
                    "expires": each.expires_on,
                    "state": state_badge(each.state).word,
                    "why": _reason(decision),
                    "id": each.id,
                }

    # without a state those that were withdrawn are left out
    filters = [("State", dict(STATES)[state])]
    filters += [("Kind", CATEGORY_LABELS[DocumentCategory(category)])] if category else []
    facts = [("Client", client.name or "Without a name")]
    about = exports.about("Documents", filters=filters, by=current_actor().name, facts=facts)
    return exports.answer(Listing(about, COLUMNS), rows, chosen_format)
