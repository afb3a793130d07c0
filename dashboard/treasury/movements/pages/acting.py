"""One movement: where it stands, its legs in the ledger and at the banks, and what a person tells of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, flash, make_response, render_template, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.approvals import queries as approvals
from dashboard.approvals.services import live
from dashboard.database import transaction
from dashboard.errors import Conflict, Invalid, Refused
from dashboard.ledger import numbers
from dashboard.treasury.movements import queries, services
from dashboard.treasury.movements.forms import BecauseForm, DoneForm
from dashboard.treasury.movements.services import asking, telling
from dashboard.treasury.movements.vocabulary import MovementState, Way
from dashboard.treasury.register.pages.blueprint import treasury_register
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go


def _shown(movement_id: UUID, *, status: int = 200, done: Any = None, because: Any = None) -> Response:
    actor, view = current_actor(), queries.movement(movement_id)
    may_write = actor.may(Permission.TREASURY_WRITE)
    waiting = live(asking.MOVE, view.id) or live(telling.REFUSED, view.id)
    page = render_template(
        "treasury/movements/movement.html",
        view=view,
        legs=queries.bank_legs(view.id),
        grouped=numbers.in_groups,
        approval=approvals.by_ids([view.approval_id]).get(view.approval_id) if view.approval_id else None,
        waiting=waiting,
        done=done or DoneForm(formdata=None),
        because=because or BecauseForm(formdata=None),
        may_tell=may_write and view.state is MovementState.APPROVED and view.way is Way.AT_BANK,
        may_cancel=may_write and view.state is MovementState.APPROVED,
        may_book_back=may_write
        and view.state is MovementState.SENT
        and waiting is None
        and view.left_on is None
        and view.arrived_on is None,
        may_see_requests=actor.may(Permission.APPROVALS_READ),
        may_read_ledger=actor.may(Permission.LEDGER_READ),
    )
    return make_response(page, status)


@treasury_register.get("/movements/<uuid:movement_id>")
@requires(Permission.TREASURY_READ)
def movement(movement_id: UUID) -> Response:
    """One movement."""
    return _shown(movement_id)


def _told(movement_id: UUID, name: str, form: Any, verb: Any, told: str, role: str = "ok") -> Any:
    if not form.validate():
        return _shown(movement_id, status=422, **{name: form})
    try:
        with transaction():
            verb(form)
    except (Conflict, Invalid, Refused) as refusal:
        show_errors(form, refusal)
        status = 422 if isinstance(refusal, Invalid) else refusal.status
        return _shown(movement_id, status=status, **{name: form})
    flash(told, role)
    return go(url_for("treasury_register.movement", movement_id=movement_id))


@treasury_register.post("/movements/<uuid:movement_id>/done")
@requires(Permission.TREASURY_WRITE)
def movement_done(movement_id: UUID) -> Any:
    """Done at the bank, under a reference."""
    return _told(
        movement_id, "done", DoneForm(request.form),
        lambda form: services.done_at_bank(
            movement_id, bank_reference=form.bank_reference.data or "", by=current_actor()
        ),
        "Booked. It is settled when both statements show it.",
    )  # fmt: skip


@treasury_register.post("/movements/<uuid:movement_id>/cancel")
@requires(Permission.TREASURY_WRITE)
def cancel_movement(movement_id: UUID) -> Any:
    """Take it back before it leaves."""
    return _told(
        movement_id, "because", BecauseForm(request.form),
        lambda form: services.cancel(movement_id, because=form.because.data or "", by=current_actor()),
        "Canceled. No money has moved.",
    )  # fmt: skip


@treasury_register.post("/movements/<uuid:movement_id>/refused")
@requires(Permission.TREASURY_WRITE)
def refused_movement(movement_id: UUID) -> Any:
    """The bank refused it: ask to book it back."""
    return _told(
        movement_id, "because", BecauseForm(request.form),
        lambda form: services.ask_to_book_back(movement_id, because=form.because.data or "", by=current_actor()),
        "Asked to book it back. Another person decides.", "wait",
    )  # fmt: skip
