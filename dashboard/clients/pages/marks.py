"""Opening and ending marks. A sanctions mark is offered and shown only to those who may see reasons."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import flash, request, url_for

from dashboard.access.actor import Actor
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.clients import marking, queries, services
from dashboard.clients.forms.reviews import EndMarkForm, MarkForm
from dashboard.clients.pages.blueprint import clients
from dashboard.clients.pages.deciders import who_can_decide
from dashboard.clients.pages.dialogs import attempt, dialog
from dashboard.clients.services.marks import KIND as END_MARK
from dashboard.clients.services.marks import mark_of, names_of_people
from dashboard.clients.vocabulary import MARK_LABELS, MarkKind
from dashboard.web.htmx import go


def _kinds(actor: Actor) -> list[MarkKind]:
    marks_sanctions = actor.sees_restricted and actor.may(Permission.CLIENTS_BLOCK)
    return [MarkKind.PEP, *([MarkKind.SANCTIONS] if marks_sanctions else [])]


@clients.route("/<uuid:client_id>/marks/new", methods=["GET", "POST"])
@requires(Permission.CLIENTS_REVIEW)
def mark(client_id: UUID) -> Any:
    """The dialog of a mark, and the mark."""
    actor = current_actor()
    client = queries.get(client_id)
    form = MarkForm()
    form.kind.choices = [(kind.value, MARK_LABELS[kind]) for kind in _kinds(actor)]
    form.about.choices = [("", "The client itself"), *((name, name) for name in names_of_people(client_id))]
    status = 200
    if request.method == "POST":
        refused = attempt(
            form,
            lambda: services.open_mark(
                client_id,
                kind=MarkKind(form.kind.data),
                about=form.about.data,
                list_name=form.list_name.data or "",
                list_version=form.list_version.data,
                said_by=form.said_by.data or "",
                reference=form.reference.data,
                comment=form.comment.data,
                by=actor,
            ),
        )
        if refused is None:
            flash("Marked.", "ok")
            return go(url_for("clients.risk", client_id=client_id))
        status = refused
        client = queries.get(client_id)
    return dialog(
        client,
        "clients/_mark.html",
        title=f"Mark {client.name}",
        form=form,
        status=status,
        offers_sanctions=MarkKind.SANCTIONS in _kinds(actor),
    )


@clients.route("/<uuid:client_id>/marks/<uuid:mark_id>/end", methods=["GET", "POST"])
@requires(Permission.CLIENTS_REVIEW)
def end_mark(client_id: UUID, mark_id: UUID) -> Any:
    """End a PEP mark, or ask another person to end one of sanctions."""
    actor = current_actor()
    client = queries.get(client_id)
    stored = mark_of(client_id, mark_id, actor=actor)
    shown = marking.as_seen(stored, sees_restricted=actor.sees_restricted)
    assert shown is not None  # mark_of gives none that this reader may not see
    form = EndMarkForm()
    status = 200
    if request.method == "POST":
        verb = services.ask_to_end_mark if shown.sanctions else services.end_mark
        refused = attempt(form, lambda: verb(mark_id, reason=form.reason.data or "", by=actor))
        if refused is None:
            if shown.sanctions:
                flash("Asked to end the sanctions mark. Another person decides.", "wait")
            else:
                flash("The PEP mark is ended.", "ok")
            return go(url_for("clients.risk", client_id=client_id))
        status = refused
        client = queries.get(client_id)
    return dialog(
        client,
        "clients/_end_mark.html",
        title="End a mark",
        form=form,
        status=status,
        mark=shown,
        who=who_can_decide(END_MARK, maker=actor) if shown.sanctions else None,
    )
