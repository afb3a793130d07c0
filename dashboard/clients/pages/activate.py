"""Asking to activate a client by hand. Another person decides."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import flash, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.clients import queries, services
from dashboard.clients.badges import in_words
from dashboard.clients.forms import ReasonForm
from dashboard.clients.pages.blueprint import clients
from dashboard.clients.pages.deciders import who_can_decide
from dashboard.clients.pages.dialogs import attempt, dialog
from dashboard.clients.services.activate import KIND as ACTIVATE
from dashboard.clients.vocabulary import Status
from dashboard.web.htmx import go


@clients.route("/<uuid:client_id>/activate", methods=["GET", "POST"])
@requires(Permission.CLIENTS_ACTIVATE)
def activate(client_id: UUID) -> Any:
    """The dialog that asks for a second person, and the request."""
    actor = current_actor()
    client = queries.get(client_id)
    form = ReasonForm()
    status = 200
    if request.method == "POST":
        refused = attempt(form, lambda: services.ask_to_activate(client_id, reason=form.reason.data or "", by=actor))
        if refused is None:
            flash("Asked to activate. Another person decides.", "wait")
            return go(url_for("clients.show", client_id=client_id))
        status = refused
        client = queries.get(client_id)
    return dialog(
        client,
        "clients/_activate.html",
        title=f"Activate {client.name}",
        form=form,
        status=status,
        obstacle=services.activation_obstacle(client, sees_restricted=actor.sees_restricted),
        before=in_words(client.status),
        after=in_words(Status.ACTIVE.value),
        who=who_can_decide(ACTIVATE, maker=actor),
    )
