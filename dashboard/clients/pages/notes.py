"""Adding a note. Notes are never changed: a wrong one is answered by another."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import flash, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.clients import queries, services
from dashboard.clients.forms import NoteForm
from dashboard.clients.pages.blueprint import clients
from dashboard.clients.pages.dialogs import attempt, dialog
from dashboard.web.htmx import go


@clients.route("/<uuid:client_id>/notes/new", methods=["GET", "POST"])
@requires(Permission.CLIENTS_WRITE)
def add_note(client_id: UUID) -> Any:
    """The dialog, and the note."""
    client = queries.get(client_id)
    form = NoteForm()
    status = 200
    if request.method == "POST":
        refused = attempt(form, lambda: services.add_note(client_id, body=form.body.data or "", by=current_actor()))
        if refused is None:
            flash("Note added.", "ok")
            return go(url_for("clients.show", client_id=client_id, tab="notes"))
        status = refused
    return dialog(client, "clients/_note.html", title=f"Note on {client.name}", form=form, status=status)
