"""The upload."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import flash, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.clients import queries as clients
from dashboard.clients.documents import answers, services
from dashboard.clients.documents.forms import ACCEPTED, UploadForm
from dashboard.clients.documents.vocabulary import DocumentCategory
from dashboard.clients.pages.blueprint import clients as pages
from dashboard.clients.pages.dialogs import dialog
from dashboard.database import transaction
from dashboard.errors import DomainError, Invalid, NotFound
from dashboard.web.api import takes_a_file
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go


@pages.route("/<uuid:client_id>/documents/new", methods=["GET", "POST"])
@requires(Permission.DOCUMENTS_WRITE)
@takes_a_file
def upload_document(client_id: UUID) -> Any:
    """The dialog, and the document."""
    with transaction():
        # a transaction of its own: looking at a file takes its time
        clients.get(client_id)
    form = UploadForm(category=request.args.get("category", DocumentCategory.IDENTITY.value))
    status = 200
    configured = answers.settings()
    if request.method == "POST":
        status = 422
        if form.validate():
            try:
                looked = services.look(
                    form.file.data.read(), name=form.file.data.filename, largest=configured.largest_document
                )
                with transaction():
                    document, fresh = services.upload(
                        client_id,
                        looked,
                        category=form.chosen_category,
                        expires_on=form.expiry_date.data,
                        store=answers.store(),
                        by=current_actor(),
                    )
                    there = url_for("clients.document", client_id=client_id, document_id=document.id)
            except NotFound:
                raise
            except DomainError as refusal:
                show_errors(form, refusal)
                if not isinstance(refusal, Invalid):
                    status = refusal.status
            else:
                flash(
                    "Uploaded. It waits for its review." if fresh else "This very file is here already.",
                    "ok" if fresh else "info",
                )
                return go(there)
    return dialog(
        clients.get(client_id),
        "clients/documents/_upload.html",
        title="Upload a document",
        form=form,
        status=status,
        accepted=ACCEPTED,
        megabytes=configured.document_megabytes,
    )
