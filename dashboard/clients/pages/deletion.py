"""A client's way to deletion on one page: what was asked, what stands between, and what may be done now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

from flask import flash, render_template, request, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response

from dashboard.access.actor import Actor
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.approvals import services as approvals
from dashboard.clients import deletion, queries, retention, services
from dashboard.clients.badges import Badge, status_badge
from dashboard.clients.deletion_models import DeletionRequest, LegalHold
from dashboard.clients.forms import ReasonForm
from dashboard.clients.forms.deletion import DeletionForm, HoldForm, RefusalForm
from dashboard.clients.models import Client
from dashboard.clients.pages.blueprint import clients
from dashboard.clients.pages.deciders import who_can_decide
from dashboard.clients.pages.dialogs import attempt, dialog
from dashboard.clients.retention import CHANNEL_LABELS, GROUND_LABELS, HOLD_LABELS, Channel, DeletionState, Ground
from dashboard.clients.services.deletion import KIND as PURGE
from dashboard.clients.services.holds import KIND as END_HOLD
from dashboard.errors import NotFound
from dashboard.views.lists import choices, listed
from dashboard.web.htmx import go

PAGE = 50
MASKED = "Internal reason"


def state_badge(state: str) -> Badge:
    known = DeletionState(state)
    return Badge(retention.STATE_ROLES[known], retention.STATE_LABELS[known])


def hold_label(hold: LegalHold, actor: Actor) -> str:
    """Its reason; without the permission every reason reads alike."""
    return HOLD_LABELS[retention.HoldCode(hold.code)] if actor.sees_restricted else MASKED


def _asked(found: DeletionRequest) -> str:
    if found.requested_by_kind == "staff":
        return f"{CHANNEL_LABELS[Channel(found.channel)]}, recorded by {found.requested_by_name}"
    return CHANNEL_LABELS[Channel(found.channel)]


@clients.get("/<uuid:client_id>/deletion")
@requires(Permission.CLIENTS_READ)
def show_deletion(client_id: UUID) -> str:
    """What stands between the request and the purge, in one list."""
    actor = current_actor()
    client = queries.get(client_id)
    found = deletion.standing(client, actor=actor)
    current = found.request
    waiting = approvals.live(PURGE, current.id) if current is not None else None
    return render_template(
        "clients/deletion.html",
        client=client,
        state=status_badge(client, queries.freezes([client]).get(client.id)),
        found=found,
        current=current,
        steps=[
            step
            for step in deletion.steps(found, asked=waiting is not None)
            if actor.sees_restricted or step.key != "holds"
        ],
        request_state=Badge("wait", "Waiting for approval")
        if waiting
        else state_badge(current.state)
        if current
        else None,
        answer_due=retention.answer_due(current.received_on)
        if current is not None and current.state == DeletionState.REQUESTED
        else None,
        asked=_asked(current) if current else None,
        ground=GROUND_LABELS[Ground(current.refusal_ground)] if current and current.refusal_ground else None,
        holds=[(hold, hold_label(hold, actor), approvals.live(END_HOLD, hold.id) is not None) for hold in found.holds],
        earlier=[
            (one, state_badge(one.state))
            for one in deletion.earlier_requests(client_id, but=current.id if current else None)
        ],
        waiting=waiting,
        may=actor.may(Permission.CLIENTS_ERASE) and client.purged_at is None,
        may_open_requests=actor.may(Permission.APPROVALS_READ),
        sees=actor.sees_restricted,
        years=retention.years(),
        is_open=current is not None and current.state in retention.OPEN,
    )


def _before(text: str) -> tuple[date, UUID] | None:
    """`2026-11-20_<id>`: where a page of the list ended. Anything else is the first page."""
    day, _, last = text.partition("_")
    try:
        return date.fromisoformat(day), UUID(last)
    except ValueError:
        return None


@clients.get("/deletions")
@listed(
    "client-deletions", "Deletion requests", keeps=("state",), usual={"state": DeletionState.REQUESTED.value},
    reads=choices(state={key.value: label for key, label in retention.STATE_LABELS.items()}),
)  # fmt: skip
@requires(Permission.CLIENTS_ERASE)
def deletions() -> str:
    """All requests of one state; of those that were carried out only how many."""
    state = request.args.get("state", DeletionState.REQUESTED.value)
    if state not in set(DeletionState):
        raise NotFound("There is no such state of a request.")
    before = _before(request.args.get("before", ""))
    purged = state == DeletionState.PURGED
    rows = [] if purged else deletion.listing(state, before=before, limit=PAGE + 1)
    more = len(rows) > PAGE
    rows = rows[:PAGE]
    many = deletion.counts()
    return render_template(
        "clients/deletions.html",
        rows=[
            (one, client, CHANNEL_LABELS[Channel(one.channel)], retention.answer_due(one.received_on))
            for one, client in rows
        ],
        state=state,
        states=[
            {
                "label": label,
                "url": url_for(".deletions", state=key.value),
                "current": key.value == state,
                "count": many.get(key.value, 0),
            }
            for key, label in retention.STATE_LABELS.items()
        ],
        done=many.get(DeletionState.PURGED.value, 0) if purged else None,
        first_url=url_for(".deletions", state=state) if before else None,
        next_url=url_for(".deletions", state=state, before=f"{rows[-1][0].received_on}_{rows[-1][0].id}")
        if more
        else None,
    )


def _act(
    client_id: UUID,
    form: FlaskForm,
    verb: Callable[[], Any],
    *,
    title: Callable[[Client], str],
    done: str,
    role: str = "ok",
    facts: list[tuple[str, str | None]] | None = None,
    fields: tuple[tuple[str, str], ...],
    submit: str,
    note: str,
    danger: bool = False,
    obstacle: str | None = None,
) -> Response:
    """A dialog that does one thing about a client's data and comes back to the page of its deletion."""
    client = queries.get(client_id)
    status = 200
    back = url_for("clients.show_deletion", client_id=client_id)
    if request.method == "POST":
        refused = attempt(form, verb)
        if refused is None:
            flash(done, role)
            return go(back)
        status = refused
        client = queries.get(client_id)
    return dialog(
        client,
        "clients/_deletion_act.html",
        title=title(client),
        form=form,
        status=status,
        here=request.path,
        close=back,
        said=facts or [],
        fields=fields,
        submit=submit,
        note=note,
        danger=danger,
        obstacle=obstacle,
    )


def _request_of(client_id: UUID, request_id: UUID) -> DeletionRequest:
    """Raises NotFound, also for another client's."""
    found = deletion.get(request_id)
    if found.client_id != client_id:
        raise NotFound("There is no such request.")
    return found


@clients.route("/<uuid:client_id>/deletion/new", methods=["GET", "POST"])
@requires(Permission.CLIENTS_ERASE)
def open_deletion(client_id: UUID) -> Response:
    """A request that came by letter, say."""
    form = DeletionForm()
    return _act(
        client_id,
        form,
        lambda: services.request_deletion(
            client_id,
            channel=form.asked_by,
            reason=form.reason.data,
            received_on=form.received_on.data,
            by=current_actor(),
        ),
        title=lambda client: f"{client.name} asks to be deleted",
        done="Recorded. Processing is restricted from now on.",
        fields=(
            ("channel", ""),
            ("received_on", "Left out: today. The answer is due one month later."),
            ("reason", "Those who may see reasons read it."),
        ),
        submit="Restrict now",
        note="Nothing is deleted yet. The profile can no longer be changed, no account is opened.",
    )


@clients.route("/<uuid:client_id>/deletion/<uuid:request_id>/delete", methods=["GET", "POST"])
@requires(Permission.CLIENTS_ERASE)
def ask_to_delete(client_id: UUID, request_id: UUID) -> Response:
    """Asking a second person to let the data go."""
    actor = current_actor()
    _request_of(client_id, request_id)
    found = deletion.standing(queries.get(client_id))
    until = found.retention_until
    form = ReasonForm()
    return _act(
        client_id,
        form,
        lambda: services.ask_to_purge(request_id, reason=form.reason.data or "", by=actor),
        title=lambda client: f"Delete the data of {client.name}",
        done="Asked to delete the data. Another person decides.",
        role="wait",
        facts=[
            ("Deleted from", f"{until.day} {until:%b %Y}" if until else None),
            ("Goes", "Profile, people, notes, documents, verification, texts of transfers and decisions"),
            ("Stays", "Amounts, accounts, dates and identifiers of the ledger; who decided what and when"),
            ("Can decide", who_can_decide(PURGE, maker=actor)),
        ],
        fields=(("reason", "The second person reads this."),),
        submit="Ask to delete",
        note="Deleted data cannot be brought back.",
        danger=True,
        obstacle=None if found.may_plan else "Something still stands in the way; see the steps.",
    )


@clients.route("/<uuid:client_id>/deletion/<uuid:request_id>/refuse", methods=["GET", "POST"])
@requires(Permission.CLIENTS_ERASE)
def refuse_deletion(client_id: UUID, request_id: UUID) -> Response:
    """Refusing by law."""
    _request_of(client_id, request_id)
    form = RefusalForm()
    return _act(
        client_id,
        form,
        lambda: services.refuse_deletion(
            request_id, ground=form.chosen, reason=form.reason.data or "", by=current_actor()
        ),
        title=lambda client: f"Refuse to delete the data of {client.name}",
        done="Refused. Tell the client the ground, and that it may complain to the data protection authority.",
        fields=(("ground", ""), ("reason", "Those who may see reasons read it.")),
        submit="Refuse",
        note="Processing is no longer restricted.",
    )


@clients.route("/<uuid:client_id>/deletion/<uuid:request_id>/withdraw", methods=["GET", "POST"])
@requires(Permission.CLIENTS_ERASE)
def withdraw_deletion(client_id: UUID, request_id: UUID) -> Response:
    """The client takes it back."""
    _request_of(client_id, request_id)
    form = ReasonForm()
    return _act(
        client_id,
        form,
        lambda: services.withdraw_deletion(request_id, reason=form.reason.data or "", by=current_actor()),
        title=lambda client: f"{client.name} takes the request back",
        done="Taken back. Processing is no longer restricted.",
        fields=(("reason", "How and when the client told."),),
        submit="Take back",
        note="Processing is no longer restricted.",
    )


@clients.route("/<uuid:client_id>/close", methods=["GET", "POST"])
@requires(Permission.CLIENTS_ERASE)
def close_client(client_id: UUID) -> Response:
    """The end of a relationship."""
    form = ReasonForm()
    return _act(
        client_id,
        form,
        lambda: services.close(client_id, reason=form.reason.data or "", by=current_actor()),
        title=lambda client: f"End the relationship with {client.name}",
        done="The relationship has ended. Retention begins.",
        facts=[("Retention", f"{retention.years()} years from today")],
        fields=(("reason", "Those who may see reasons read it."),),
        submit="End the relationship",
        note="A closed client stays closed.",
        danger=True,
        obstacle=services.close_obstacle(queries.get(client_id)),
    )


@clients.route("/<uuid:client_id>/holds/new", methods=["GET", "POST"])
@requires(Permission.CLIENTS_ERASE)
def place_hold(client_id: UUID) -> Response:
    """A legal hold, at once."""
    form = HoldForm()
    return _act(
        client_id,
        form,
        lambda: services.place_hold(client_id, code=form.hold_code, reference=form.reference.data, by=current_actor()),
        title=lambda client: f"Legal hold on {client.name}",
        done="The hold stands. Nothing is deleted while it does.",
        fields=(("code", ""), ("reference", "Those who may see reasons read it.")),
        submit="Place the hold",
        note="One person is enough. Ending it needs two.",
    )


@clients.route("/<uuid:client_id>/holds/<uuid:hold_id>/end", methods=["GET", "POST"])
@requires(Permission.CLIENTS_ERASE)
def end_hold(client_id: UUID, hold_id: UUID) -> Response:
    """Asking a second person to end a hold."""
    actor = current_actor()
    hold = deletion.hold_of(client_id, hold_id)
    form = ReasonForm()
    return _act(
        client_id,
        form,
        lambda: services.ask_to_end_hold(hold_id, reason=form.reason.data or "", by=actor),
        title=lambda client: f"End a legal hold on {client.name}",
        done="Asked to end the hold. Another person decides.",
        role="wait",
        facts=[
            ("Hold", hold_label(hold, actor)),
            ("File or order", hold.reference if actor.sees_restricted else None),
            ("Can decide", who_can_decide(END_HOLD, maker=actor)),
        ],
        fields=(("reason", "The second person reads this."),),
        submit="Ask to end it",
        note="The hold stands until another person approves.",
    )
