"""Asking for a movement: the form, what it would do, and the request for a second person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flask import Response, flash, make_response, render_template, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.database import transaction
from dashboard.errors import Conflict, DomainError, FieldError, Invalid, NotFound, Refused
from dashboard.ledger.pages.deciders import who_can_decide
from dashboard.ledger.services.preparing import money_typed
from dashboard.money import Money
from dashboard.treasury.movements import services
from dashboard.treasury.movements.forms import MovementForm, bank_account_id
from dashboard.treasury.movements.models import OwnMovement
from dashboard.treasury.movements.services import fitting
from dashboard.treasury.movements.services.asking import MOVE
from dashboard.treasury.movements.vocabulary import KIND_LABELS, WAY_LABELS, MovementKind, Way
from dashboard.treasury.register import queries as register
from dashboard.treasury.register.pages.blueprint import treasury_register
from dashboard.treasury.register.queries import BankAccountView
from dashboard.treasury.vocabulary import PURPOSE_LABELS, Purpose
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go


def _currency(accounts: Sequence[BankAccountView]) -> str | None:
    """Of the account that the address names: a movement stays in one currency. None where it names none."""
    named = {request.args.get("from"), request.args.get("to")}
    return next((view.currency for view in accounts if str(view.id) in named), None)


def _form() -> MovementForm:
    form = MovementForm()
    choices = [("", "Choose")]
    accounts = register.accounts()
    currency = _currency(accounts)
    for view in accounts:
        if currency not in (None, view.currency):
            continue
        purpose = PURPOSE_LABELS[Purpose(view.purpose)] if view.purpose else "not registered"
        choices.append((str(view.id), f"{view.said} · {purpose}"))
    form.gives.choices = form.to.choices = choices
    return form


def _page(form: MovementForm, *, status: int = 200, **context: Any) -> Response:
    page = render_template(
        "treasury/movements/new.html", form=form, kinds=KIND_LABELS, ways=WAY_LABELS,
        who=who_can_decide(MOVE, maker=current_actor()), **context,
    )  # fmt: skip
    return make_response(page, status)


def _ask(form: MovementForm) -> tuple[OwnMovement, BankAccountView, BankAccountView, list[tuple[str, Money, Money]]]:
    from_id, to_id = bank_account_id(form.gives.data), bank_account_id(form.to.data)
    if from_id is None or to_id is None:
        raise Invalid.one("gives", "Choose the account that the money leaves.", "required")
    gives, takes = register.account(from_id), register.account(to_id)
    errors: list[FieldError] = []
    money = money_typed(form.amount.data or "", gives.currency, errors)
    if money is None:
        raise Invalid(errors)
    before = [fitting.lies_there(gives), fitting.lies_there(takes)]
    movement = services.ask(
        kind=MovementKind(form.kind.data), from_id=from_id, to_id=to_id, amount_minor=money.minor_units,
        way=Way(form.way.data), bank_reference=form.bank_reference.data, reason=form.reason.data or "",
        by=current_actor(),
    )  # fmt: skip
    moved = [-money.minor_units, money.minor_units]
    lines = [
        (view.said, stood, Money(stood.minor_units + change, stood.currency))
        for view, stood, change in zip((gives, takes), before, moved, strict=True)
    ]
    return movement, gives, takes, lines


class _OnlyLooked(Exception):
    """What was asked is not kept: the page shows what it would be."""


def _refused(form: MovementForm, refusal: DomainError) -> Response:
    show_errors(form, refusal)
    return _page(form, status=422 if isinstance(refusal, Invalid) else refusal.status)


@treasury_register.route("/movements/new", methods=["GET", "POST"])
@requires(Permission.TREASURY_WRITE)
def new_movement() -> Any:
    """The form; sent once it shows what would change, sent from there it asks for approval. Kind, accounts and amount
    may stand in the address."""
    form = _form()
    if request.method == "GET":
        for name in ("kind", "gives", "to", "amount"):
            form[name].data = request.args.get("from" if name == "gives" else name, "")[:100] or form[name].data
        return _page(form)
    step = request.form.get("step")
    if step == "change":
        return _page(form)
    if not form.validate():
        return _page(form, status=422)
    found: list[Any] = []
    try:
        with transaction():
            movement, gives, takes, lines = _ask(form)
            if step != "ask":
                found += [gives, takes, lines, Money(movement.amount_minor, movement.currency)]
                raise _OnlyLooked
    except _OnlyLooked:
        gives, takes, lines, money = found
        return _page(form, gives=gives, takes=takes, lines=lines, money=money)
    except (Conflict, Invalid, NotFound, Refused) as refusal:
        return _refused(form, refusal)
    flash("Asked for this movement. Another person decides; no money has moved.", "wait")
    return go(url_for("treasury_register.movement", movement_id=movement.id))
