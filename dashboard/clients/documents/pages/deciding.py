"""One document: what it shows, what was decided, and deciding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Response, flash, make_response, render_template, request, url_for
from flask_wtf import FlaskForm

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.clients import queries as clients
from dashboard.clients.badges import status_badge
from dashboard.clients.documents import queries, services
from dashboard.clients.documents.forms import AcceptForm, RejectForm, WithdrawForm
from dashboard.clients.documents.labels import kind_label, size_in_words, state_badge
from dashboard.clients.documents.models import ClientDocument
from dashboard.clients.documents.pages.tab import identity_of
from dashboard.clients.documents.queries import DocumentFilter
from dashboard.clients.documents.vocabulary import (
    CATEGORY_LABELS,
    REJECTION_LABELS,
    DocumentCategory,
    DocumentState,
)
from dashboard.clients.pages.blueprint import clients as pages
from dashboard.clients.pages.dialogs import attempt, dialog
from dashboard.web.htmx import go

#: pages shown at once; each is made when it comes into view
PAGES_AT_ONCE = 10


@pages.get("/<uuid:client_id>/documents/<uuid:document_id>")
@requires(Permission.DOCUMENTS_READ)
def document(client_id: UUID, document_id: UUID) -> Response:
    """The document, its pages, and what may be done with it."""
    return _shown(queries.get(client_id, document_id))


def _accept_form(one: ClientDocument) -> AcceptForm:
    return AcceptForm(formdata=None, category=one.category, expiry_date=one.expires_on, seen=one.state)


def _shown(
    one: ClientDocument,
    *,
    accepting: AcceptForm | None = None,
    rejecting: RejectForm | None = None,
    status: int = 200,
) -> Response:
    actor = current_actor()
    client = clients.get(one.client_id)
    first = request.args.get("from", 1, type=int)
    first = first if 1 <= first <= one.pages else 1
    last = min(first + PAGES_AT_ONCE - 1, one.pages)
    waiting = _waiting(one)
    identity = identity_of(client) if one.category == DocumentCategory.IDENTITY else None
    return make_response(
        render_template(
            "clients/documents/show.html",
            client=client,
            client_state=status_badge(client, clients.freezes([client]).get(client.id)),
            document=one,
            state=state_badge(one.state),
            label=CATEGORY_LABELS[DocumentCategory(one.category)],
            kind=kind_label(one.media_type),
            size=size_in_words(one.size),
            shown_pages=range(first, last + 1),
            earlier=first - PAGES_AT_ONCE if first > 1 else None,
            later=last + 1 if last < one.pages else None,
            decisions=queries.decisions_of(one.id),
            state_badge=state_badge,
            rejections=REJECTION_LABELS,
            category_labels=CATEGORY_LABELS,
            identity=identity,
            accepting=accepting or _accept_form(one),
            rejecting=rejecting or RejectForm(formdata=None, seen=one.state),
            may_decide=actor.may(Permission.DOCUMENTS_WRITE) and one.state != DocumentState.WITHDRAWN,
            sees_restricted=actor.sees_restricted,
            reader=actor.id,
            next_waiting=waiting[0] if waiting else None,
            waiting=len(waiting),
            queued=_from_queue(),
            own=actor.id is not None and one.uploaded_by_id == actor.id,
        ),
        status,
    )


def _from_queue() -> bool:
    """Whether the reader works through the queue rather than through one client."""
    return request.args.get("via") == "queue"


def _waiting(one: ClientDocument) -> list[ClientDocument]:
    """Others that wait, the first to be decided first: of the queue for who came from there, else of the client."""
    if _from_queue():
        found = queries.in_queue(current_actor().id, limit=200)
    else:
        found = queries.of_client(one.client_id, DocumentFilter((DocumentState.TO_REVIEW.value,)), limit=200)[::-1]
    return [other for other in found if other.id != one.id]


def _decided(one: ClientDocument, words: str) -> Any:
    """To the next document that waits, saying that it is another one, or back to where the reader came from."""
    waiting = _waiting(one)
    via = "queue" if _from_queue() else None
    if waiting:
        following = waiting[0]
        flash(f"{words}. Now: {following.file_name} (1 of {len(waiting)}).", "ok")
        return go(url_for("clients.document", client_id=following.client_id, document_id=following.id, via=via))
    flash(f"{words}.", "ok")
    if via:
        return go(url_for("queues.show", queue="documents"))
    return go(url_for("clients.show", client_id=one.client_id, tab="documents"))


def _decide(one: ClientDocument, form: FlaskForm, verb: Callable[[], Any], words: str) -> Any:
    name = one.file_name
    refused = attempt(form, verb)
    if refused is None:
        return _decided(queries.get(one.client_id, one.id), f"{words}: {name}")
    shown = {"accepting": form} if isinstance(form, AcceptForm) else {"rejecting": form}
    return _shown(queries.get(one.client_id, one.id), status=refused, **shown)  # type: ignore[arg-type]


@pages.post("/<uuid:client_id>/documents/<uuid:document_id>/accept")
@requires(Permission.DOCUMENTS_WRITE)
def accept_document(client_id: UUID, document_id: UUID) -> Any:
    """Take it for what it says."""
    one, form = queries.get(client_id, document_id), AcceptForm()
    return _decide(
        one,
        form,
        lambda: services.accept(
            client_id,
            document_id,
            category=form.chosen_category,
            expires_on=form.expiry_date.data,
            comment=form.comment.data,
            seen=form.seen_state,
            by=current_actor(),
        ),
        "Accepted",
    )


@pages.post("/<uuid:client_id>/documents/<uuid:document_id>/reject")
@requires(Permission.DOCUMENTS_WRITE)
def reject_document(client_id: UUID, document_id: UUID) -> Any:
    """Do not take it, with the reason."""
    one, form = queries.get(client_id, document_id), RejectForm()
    return _decide(
        one,
        form,
        lambda: services.reject(
            client_id,
            document_id,
            reason=form.chosen_reason,
            comment=form.comment.data,
            seen=form.seen_state,
            by=current_actor(),
        ),
        "Rejected",
    )


@pages.route("/<uuid:client_id>/documents/<uuid:document_id>/withdraw", methods=["GET", "POST"])
@requires(Permission.DOCUMENTS_WRITE)
def withdraw_document(client_id: UUID, document_id: UUID) -> Any:
    """The dialog, and the withdrawal."""
    one = queries.get(client_id, document_id)
    form, status = WithdrawForm(), 200
    if request.method == "POST":
        refused = attempt(
            form,
            lambda: services.withdraw(client_id, document_id, reason=form.reason.data or "", by=current_actor()),
        )
        if refused is None:
            flash("Withdrawn. The file is kept for the retention period.", "ok")
            return go(url_for("clients.show", client_id=client_id, tab="documents"))
        status = refused
        one = queries.get(client_id, document_id)
    return dialog(
        clients.get(client_id),
        "clients/documents/_withdraw.html",
        title="Withdraw a document",
        form=form,
        status=status,
        document=one,
        label=CATEGORY_LABELS[DocumentCategory(one.category)],
    )
