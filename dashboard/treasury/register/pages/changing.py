"""Asking to add a bank account, or to change the register of one: the form, what would change, the request."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, flash, make_response, render_template, request, url_for

from dashboard import clock
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.database import transaction
from dashboard.errors import Conflict, DomainError, Invalid, Refused
from dashboard.ledger.pages.deciders import who_can_decide
from dashboard.treasury.register import queries, services
from dashboard.treasury.register.forms.entries import ChangeForm, NewAccountForm
from dashboard.treasury.register.pages.blueprint import treasury_register
from dashboard.treasury.register.queries import BankAccountView
from dashboard.treasury.register.services import entries
from dashboard.treasury.register.services.changing import ADD, CHANGE
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go

Form = ChangeForm | NewAccountForm


def _page(form: Form, view: BankAccountView | None, *, status: int = 200, **context: Any) -> Response:
    known = sorted({each.provider for each in queries.accounts(include_closed=True)}) if view is None else []
    page = render_template(
        "treasury/register/change.html", form=form, view=view, providers=known,
        here=url_for("treasury_register.change_account", bank_account_id=view.id) if view
        else url_for("treasury_register.new_account"),
        back=url_for("treasury_register.account", bank_account_id=view.id) if view
        else url_for("treasury_register.accounts"),
        who=who_can_decide(CHANGE if view else ADD, maker=current_actor()), **context,
    )  # fmt: skip
    return make_response(page, status)


def _refused(form: Form, view: BankAccountView | None, refusal: DomainError) -> Response:
    show_errors(form, refusal)
    return _page(form, view, status=422 if isinstance(refusal, Invalid) else refusal.status)


class _OnlyLooked(Exception):
    """What was asked is not kept: the page shows what it would be."""


def _preview(ask: Any) -> tuple[dict[str, str], dict[str, str]]:
    """Before and after, by asking and taking it back at once. Raises what asking raises."""
    found: list[tuple[dict[str, str], dict[str, str]]] = []
    try:
        with transaction():
            asked = ask()
            found.append((asked.before, asked.after))
            raise _OnlyLooked
    except _OnlyLooked:
        return found[0]


def _answered(form: Form, view: BankAccountView | None, ask: Any, told: str) -> Any:
    step = request.form.get("step")
    if step == "change":
        return _page(form, view)
    if not form.validate():
        return _page(form, view, status=422)
    try:
        if step != "ask":
            before, after = _preview(ask)
            return _page(form, view, before=before, after=after)
        with transaction():
            asked = ask()
    except (Conflict, Invalid, Refused) as refusal:
        return _refused(form, view, refusal)
    flash(told, "wait")
    return go(url_for("approvals.show", request_id=asked.id))


@treasury_register.route("/accounts/new", methods=["GET", "POST"])
@requires(Permission.TREASURY_WRITE)
def new_account() -> Any:
    """A bank account that the house opened."""
    form = NewAccountForm()
    if request.method == "GET":
        form.calendar.data = clock.calendar().country
        return _page(form, None)

    def ask() -> Any:
        return services.ask_to_add(
            provider=form.provider.data or "", name=form.name.data or "", number=form.number.data or "",
            currency=form.currency.data or "", entry=form.entry, reason=form.reason.data or "", by=current_actor(),
        )  # fmt: skip

    return _answered(form, None, ask, "Asked for this bank account. Another person decides; nothing is there yet.")


@treasury_register.route("/accounts/<uuid:bank_account_id>/change", methods=["GET", "POST"])
@requires(Permission.TREASURY_WRITE)
def change_account(bank_account_id: UUID) -> Any:
    """What the register is to say of a bank account."""
    view = queries.account(bank_account_id)
    form = ChangeForm()
    if request.method == "GET":
        entry = entries.standing(view)
        form.calendar.data = view.calendar
        if entry is not None:
            for name in ("purpose", "designated_from", "designated_to", "closed_on"):
                form[name].data = getattr(entry, name)
            form.pool.data, form.statement_format.data = entry.pool or "", entry.statement_format or ""
            form.expected_at.data = f"{entry.expected_at:%H:%M}" if entry.expected_at else None
        return _page(form, view)

    def ask() -> Any:
        return services.ask_to_change(
            view.id, entry=form.entry, reason=form.reason.data or "", by=current_actor()
        )  # fmt: skip

    return _answered(form, view, ask, "Asked to change the register. Another person decides; nothing has changed yet.")
