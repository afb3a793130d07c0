"""Documents of a transfer."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, current_app, flash, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.database import transaction
from dashboard.errors import Refused
from dashboard.settings import Settings
from dashboard.transfers.api.papers import attachment
from dashboard.transfers.pages.blueprint import transfers
from dashboard.transfers.queries import papers as queries
from dashboard.transfers.queries import transfers as reading
from dashboard.transfers.vocabulary import STATUS_LABELS, Status
from dashboard.web.htmx import go, page_or_fragment


@transfers.get("/<uuid:transfer_id>/documents")
@requires(Permission.TRANSFERS_READ)
def documents(transfer_id: UUID) -> Response:
    """The papers of a transfer, for its page and by themselves."""
    transfer = reading.get(transfer_id)
    return page_or_fragment(
        "transfers/documents.html",
        "transfers/_documents.html",
        transfer=transfer,
        papers=queries.of_transfer(transfer_id),
        completed=transfer.status == Status.COMPLETED,
        status_label=STATUS_LABELS[Status(transfer.status)],
    )


@transfers.post("/<uuid:transfer_id>/documents")
@requires(Permission.TRANSFERS_READ)
def make_document(transfer_id: UUID) -> Any:
    """Make the confirmation; the one that stands is kept."""
    from dashboard.transfers.services import papers

    settings: Settings = current_app.extensions["countinghouse.settings"]
    before = {view.id for view in queries.of_transfer(transfer_id)}
    try:
        with transaction():
            made = papers.make(
                transfer_id,
                house=papers.House(settings.institution_name, settings.zone),
                by=current_actor(),
            )
    except Refused as refusal:
        flash(refusal.message, "stop")
    else:
        fresh = made.id not in before
        flash("The confirmation is made." if fresh else "The confirmation was made before; it stands.", "ok")
    return go(url_for("transfers.documents", transfer_id=transfer_id))


@transfers.get("/<uuid:transfer_id>/documents/<file_name>")
@requires(Permission.TRANSFERS_READ)
def download(transfer_id: UUID, file_name: str) -> Response:
    """One paper, as an attachment; the download is recorded."""
    from dashboard.transfers.services import papers

    with transaction():
        document = papers.read(file_name, transfer_id=transfer_id, by=current_actor())
    return attachment(document, name=f"confirmation-{transfer_id}.pdf")
