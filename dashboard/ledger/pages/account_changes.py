"""Opening, renaming and closing an account by hand."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any
from uuid import UUID

from flask import Response, flash, request, url_for
from flask_wtf import FlaskForm

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.database import transaction
from dashboard.errors import Conflict, Invalid, NotFound, Refused
from dashboard.ledger import numbers, owners
from dashboard.ledger.forms.accounts import CloseForm, OpenForm, RenameForm
from dashboard.ledger.pages.blueprint import ledger
from dashboard.ledger.pages.naming import house_name, owner_views
from dashboard.ledger.queries import accounts as account_queries
from dashboard.ledger.queries.accounts import AccountView
from dashboard.ledger.services import accounts as account_services
from dashboard.ledger.vocabulary import AccountType
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go, page_or_fragment

#: clients that a search offers
MOST_FOUND = 8


def _attempt(form: FlaskForm, verb: Callable[[], Any]) -> int | None:
    """Check the form and run the verb. None: done; else the status to answer with, and the form says why."""
    if not form.validate():
        return 422
    try:
        with transaction():
            verb()
    except (Invalid, Conflict, Refused) as refusal:
        show_errors(form, refusal)
        return 422 if isinstance(refusal, Invalid) else refusal.status
    return None


def _dialog(fragment: str, form: FlaskForm, *, title: str, close: str, status: int, **context: Any) -> Response:
    """`fragment` is the form; it opens over a page, and stands on a page of its own."""
    return page_or_fragment(
        "ledger/account_dialog.html",
        fragment,
        status=status,
        part=fragment,
        form=form,
        title=title,
        close=close,
        **context,
    )


@ledger.route("/accounts/open", methods=["GET", "POST"])
@requires(Permission.ACCOUNTS_WRITE)
def open_account() -> Any:
    """A new account of a client or of the house."""
    form = OpenForm(request.form if request.method == "POST" else request.args)
    found, searched = _clients_for(form)
    form.owner.choices = found
    status = 200
    if request.method == "POST" and "find" not in request.form:
        made: list[UUID] = []

        def verb() -> None:
            opened = account_services.open_account(
                type=form.kind,
                currency=form.currency.data,
                owner_id=form.owner_id,
                alias=form.alias.data,
                provider=form.provider.data,
                overdraft_limit_minor=form.limit_minor,
                by=current_actor(),
            )
            made.append(opened.id)

        try:
            refused = _attempt(form, verb)
        except NotFound as refusal:
            form.owner.errors = [refusal.message]
            refused = 422
        if refused is None:
            flash("The account is open.", "ok")
            return go(url_for("ledger.account", account_id=made[0]))
        status = refused
    return _dialog(
        "ledger/_account_open.html",
        form,
        title="Open an account",
        close=url_for("ledger.accounts"),
        status=status,
        searched=searched,
        most=MOST_FOUND,
    )


def _clients_for(form: OpenForm) -> tuple[list[tuple[str, str]], bool]:
    """Clients to choose from: the chosen one, and those that the search finds; whether anything was searched."""
    ids: list[UUID] = []
    with suppress(ValueError):
        ids.append(UUID(form.owner.data or ""))
    text = (form.client.data or "")[:200]
    if text:
        ids += [one for one in owners.directory().matching(text, MOST_FOUND) if one not in ids]
    views = owners.directory().named(ids)
    found = [(str(one), f"{views[one].name or 'Without a name'} · {str(one)[:8]}") for one in ids if one in views]
    if len(found) == 1 and not form.owner.data:
        form.owner.data = found[0][0]
    return found, bool(text)


def _named(account: AccountView) -> dict[str, Any]:
    """What a dialog reads back of the account."""
    view = owner_views([account.owner_id], current_actor()).get(account.owner_id) if account.owner_id else None
    return {
        "account": account,
        "grouped": numbers.in_groups(account.number),
        "of": view.name if view else house_name(account.type, account.alias),
        "house": account.type != AccountType.CLIENT,
    }


@ledger.route("/accounts/<uuid:account_id>/rename", methods=["GET", "POST"])
@requires(Permission.ACCOUNTS_WRITE)
def rename_account(account_id: UUID) -> Any:
    """Another name for the account."""
    account = account_queries.get(account_id)
    back = url_for("ledger.account", account_id=account_id)
    form = RenameForm(alias=account.alias)
    status = 200
    if request.method == "POST":
        refused = _attempt(
            form,
            lambda: account_services.change(
                account_id, rename=True, alias=form.alias.data, owner_id=None, by=current_actor()
            ),
        )
        if refused is None:
            flash("The account has a new name." if form.alias.data else "The account has no name any more.", "ok")
            return go(back)
        status = refused
    return _dialog(
        "ledger/_account_rename.html", form, title="Rename the account", close=back, status=status, **_named(account)
    )


@ledger.route("/accounts/<uuid:account_id>/close", methods=["GET", "POST"])
@requires(Permission.ACCOUNTS_WRITE)
def close_account(account_id: UUID) -> Any:
    """Close for good. What stands against it is said by the service."""
    account = account_queries.get(account_id)
    back = url_for("ledger.account", account_id=account_id)
    form = CloseForm()
    status = 200
    if request.method == "POST":
        refused = _attempt(form, lambda: account_services.close(account_id, by=current_actor()))
        if refused is None:
            flash("The account is closed.", "ok")
            return go(back)
        status = refused
    return _dialog(
        "ledger/_account_close.html", form, title="Close the account", close=back, status=status, **_named(account)
    )
