"""Settling a flag: a person looked and found it well."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import flash, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.clients import queries, services
from dashboard.clients.badges import severity_badge
from dashboard.clients.forms import SettleForm
from dashboard.clients.pages.blueprint import clients
from dashboard.clients.pages.dialogs import attempt, dialog
from dashboard.errors import NotFound
from dashboard.web.htmx import go


@clients.route("/<uuid:client_id>/flags/<uuid:flag_id>/settle", methods=["GET", "POST"])
@requires(Permission.CLIENTS_REVIEW)
def settle_flag(client_id: UUID, flag_id: UUID) -> Any:
    """The dialog, and the settling."""
    client = queries.get(client_id)
    flag = next((f for f in queries.flags_of(client_id, open_only=False) if f.id == flag_id), None)
    if flag is None:
        raise NotFound("There is no such flag.")
    form = SettleForm()
    status = 200
    if request.method == "POST":
        refused = attempt(
            form, lambda: services.settle_flag(flag_id, reason=form.reason.data or "", by=current_actor())
        )
        if refused is None:
            flash(f"Settled: {flag.label}.", "ok")
            return go(url_for("clients.show", client_id=client_id))
        status = refused
        client = queries.get(client_id)
    return dialog(
        client,
        "clients/_settle.html",
        title="Settle a flag",
        form=form,
        status=status,
        flag=flag,
        badge_of_flag=severity_badge(flag.severity),
    )
