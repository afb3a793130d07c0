"""Blocking: one person, at once. What it does is counted beside the form, never before its button."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask import Response, flash, render_template, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.clients import queries, services
from dashboard.clients.badges import in_words
from dashboard.clients.forms import BlockForm, StateReasonForm
from dashboard.clients.models import Client
from dashboard.clients.pages.blueprint import clients
from dashboard.clients.pages.dialogs import attempt, dialog
from dashboard.clients.services.block import status_in_words
from dashboard.clients.vocabulary import CLIENT_TEXTS, Scope, Status
from dashboard.errors import NotFound
from dashboard.ledger.queries import account_list, statements
from dashboard.ledger.queries.accounts import AccountView
from dashboard.ledger.queries.statements import Hold
from dashboard.ledger.services.accounts import MOST_ACCOUNTS
from dashboard.money import Money, NotRepresentable
from dashboard.queues import queries as queues
from dashboard.web.htmx import go, wants_fragment

#: linked clients and payments that are named
NAMED = 5
#: what each scope does to the accounts
EFFECTS = {
    Scope.ALL: "nothing goes out, and what comes in goes to suspense",
    Scope.DEBIT: "nothing goes out",
    Scope.CREDIT: "what comes in goes to suspense",
    Scope.AMOUNT: "the amount must stay on each account of its currency",
}


def _consequences(client: Client, scope: str, sum: Money | None = None) -> dict[str, Any]:
    actor = current_actor()
    standing = [block.scope for block in queries.blocks_of(client.id, actor=actor)]
    chosen = scope if scope in set(Scope) else Scope.ALL.value
    return {
        "client": client,
        "before": in_words(status_in_words(client.status, standing)),
        "after": in_words(status_in_words(Status.BLOCKED.value, [*standing, chosen])),
        "standing": len(standing),
        "open_flags": client.open_flags,
        "open_items": len(queues.of_client(client.id, actor=actor)),
        "linked": queries.linked_to(client.id, limit=NAMED),
        "linked_count": queries.linked_count(client.id),
        "sum": sum,
        "money": _touched(client, chosen, sum) if actor.may(Permission.LEDGER_READ) else None,
    }


@dataclass(frozen=True)
class Touched:
    """The accounts that a block stops, with sums per currency, and what is held on them. `count`: how many of them are
    of the currency of a blocked amount; all for the other scopes."""

    accounts: Sequence[AccountView]
    available: list[Money]
    held: list[Money]
    holds: Sequence[Hold]
    more_holds: bool
    effect: str
    count: int


def _per_currency(amounts: Iterable[Money]) -> list[Money]:
    sums: Counter[str] = Counter()
    for amount in amounts:
        sums[amount.currency] += amount.minor_units
    return [Money(minor, currency) for currency, minor in sorted(sums.items())]


def _touched(client: Client, scope: str, sum: Money | None) -> Touched:
    open_ones = account_list.of_owner(client.id, limit=MOST_ACCOUNTS, open_only=True).rows
    pending = statements.holds([account.id for account in open_ones], limit=2 * NAMED) if open_ones else []
    holds = [hold for hold in pending if hold.outgoing]
    return Touched(
        accounts=open_ones,
        available=_per_currency(account.available for account in open_ones),
        held=[held for held in _per_currency(account.held for account in open_ones) if held.minor_units],
        holds=holds[:NAMED],
        more_holds=len(holds) > NAMED or len(pending) == 2 * NAMED,
        effect=EFFECTS[Scope(scope)],
        count=len([account for account in open_ones if sum is None or account.currency == sum.currency]),
    )


@clients.get("/<uuid:client_id>/consequences")
@requires(Permission.CLIENTS_BLOCK)
def consequences(client_id: UUID) -> str:
    """What a block would do now; the dialog asks for it once it shows."""
    client = queries.get(client_id)
    scope = request.args.get("scope", Scope.ALL.value)
    return render_template("clients/_consequences.html", apart=True, **_consequences(client, scope, _sum(scope)))


def _sum(scope: str) -> Money | None:
    """The amount as typed so far; None for the other scopes and for what is no amount yet."""
    form = BlockForm(request.values)
    if scope != Scope.AMOUNT or not form.amount.data or form.amount.data <= 0:
        return None
    try:
        return Money.of(form.amount.data, form.currency.data)
    except NotRepresentable:
        return None


@clients.route("/<uuid:client_id>/block", methods=["GET", "POST"])
@requires(Permission.CLIENTS_BLOCK)
def block(client_id: UUID) -> Any:
    """The dialog of a block, and the block."""
    client = queries.get(client_id)
    form = BlockForm()
    status = 200
    if request.method == "POST":
        refused = attempt(
            form,
            lambda: services.block(
                client_id,
                scope=form.block_scope,
                code=form.block_code,
                amount=form.money,
                comment=form.comment.data,
                legal_reference=form.legal_reference.data,
                client_text=form.chosen_text,
                review_date=form.review_date.data,
                by=current_actor(),
            ),
        )
        if refused is None:
            flash(f"Blocked: {form.block_scope.value}. It works from now on.", "stop")
            return go(url_for("clients.show", client_id=client_id))
        status = refused
        client = queries.get(client_id)
    else:
        form.review_date.data = services.suggested_review_date()
    return _block_dialog(client, form, status)


def _block_dialog(client: Client, form: BlockForm, status: int) -> Response:
    context: dict[str, Any] = {"texts": CLIENT_TEXTS, "suggested": services.suggested_review_date()}
    if not wants_fragment():
        scope = form.scope.data or Scope.ALL.value
        context["counted"] = _consequences(client, scope, _sum(scope))
    context["sum"] = _sum(form.scope.data or Scope.ALL.value)
    return dialog(client, "clients/_block.html", title=f"Block {client.name}", form=form, status=status, **context)


@clients.route("/<uuid:client_id>/blocks/<uuid:block_id>/reason", methods=["GET", "POST"])
@requires(Permission.CLIENTS_BLOCK)
def state_reason(client_id: UUID, block_id: UUID) -> Any:
    """Say the reason of a block that was placed without one."""
    actor = current_actor()
    placed = queries.block_of(client_id, block_id, actor=actor)
    if not actor.sees_restricted:
        raise NotFound("There is no such block.")
    form = StateReasonForm()
    status = 200
    if request.method == "POST":
        refused = attempt(
            form,
            lambda: services.complete_code(
                block_id,
                code=form.block_code,
                comment=form.comment.data,
                legal_reference=form.legal_reference.data,
                by=actor,
            ),
        )
        if refused is None:
            flash("The reason is stated.", "ok")
            return go(url_for("clients.show", client_id=client_id))
        status = refused
    elif not placed.not_stated:
        form.form_errors = ["The reason of this block has been stated already."]
    client = queries.get(client_id)
    return dialog(client, "clients/_reason.html", title="State the reason", form=form, status=status, placed=placed)
