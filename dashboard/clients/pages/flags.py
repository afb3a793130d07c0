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
from dashboard.clients.queries import SameDocument
from dashboard.clients.vocabulary import FlagCode
from dashboard.errors import NotFound
from dashboard.web.htmx import go


def also_on(found: SameDocument) -> str:
    """Who else holds the same document, in words."""
    name = found.name or "a client without a name"
    if not found.others:
        return f"also on {name}"
    return f"also on {name} and {found.others} {'other' if found.others == 1 else 'others'}"


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
        same=queries.same_document(client_id) if flag.code == FlagCode.DUPLICATE_DOCUMENT else None,
        also_on=also_on,
        badge_of_flag=severity_badge(flag.severity),
    )
