"""One payment: both sides, state history, reversal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from flask import Response, flash, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.approvals.names import named
from dashboard.database import transaction
from dashboard.errors import Conflict, DomainError, Invalid, Refused
from dashboard.ledger import parents
from dashboard.ledger.forms.adjusting import ReversalForm
from dashboard.ledger.pages.blueprint import ledger
from dashboard.ledger.pages.deciders import who_can_decide
from dashboard.ledger.queries import asked, makers
from dashboard.ledger.queries import payments as queries
from dashboard.ledger.queries.parties import Party, parties
from dashboard.ledger.queries.payments import PaymentView
from dashboard.ledger.services import adjusting
from dashboard.ledger.services import payments as services
from dashboard.ledger.services.adjusting import Around
from dashboard.ledger.states import PARENT_LABELS, state_badge
from dashboard.ledger.vocabulary import AccountStatus, ParentType, PaymentState
from dashboard.money import Money
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go, page_or_fragment

#: transactions of one payment that its page shows; a payment may have a thousand
MOST_SHOWN = 200


def totals_of(payment: PaymentView) -> list[Money]:
    """What the transactions move, in each currency."""
    found: dict[str, Money] = {}
    for leg in payment.transactions:
        known = found.get(leg.money.currency)
        found[leg.money.currency] = known + leg.money if known else leg.money
    return list(found.values())


def title_of(payment: PaymentView) -> str:
    """`Reversal 12.34 EUR`, `Transfer 1,250.00 EUR`, `Adjusting payment of 3 transactions, 7.02 EUR`"""
    word = "Reversal" if payment.reverses_id else PARENT_LABELS[ParentType(payment.parent_type)]
    totals = totals_of(payment)
    if len(payment.transactions) == 1:
        return f"{word} {totals[0]}"
    return f"{word} of {len(payment.transactions)} transactions, {' and '.join(map(str, totals))}"


@ledger.get("/payments/<uuid:payment_id>")
@requires(Permission.LEDGER_READ)
def payment(payment_id: UUID) -> Response:
    """What moved between whom, when and by whom, and what came of it."""
    found = queries.get(payment_id)
    shown = found.transactions[:MOST_SHOWN]
    actor = current_actor()
    adjusts = found.parent_type == ParentType.ADJUSTING_PAYMENT
    about = (adjusting.REVERSE, found.reverses_id) if found.reverses_id else (adjusting.ADJUST, found.id)
    posted = found.state == PaymentState.POSTED
    waiting = asked.waiting(adjusting.REVERSE, found.id) if posted else None
    origin = asked.approved(*about) if adjusts else None
    reversal = queries.get(found.reversed_by_id) if found.reversed_by_id else None
    makers_of = [(one.maker_kind, one.maker_id) for one in (found, reversal) if one is not None]
    transfer_id = parents.claimed_by(found.id)
    held = parents.held_by(found.id)
    reversible = (
        posted and transfer_id is None and held is None and found.reverses_id is None and found.reversed_by_id is None
    )
    return page_or_fragment(
        "ledger/payment.html",
        "ledger/payment.html",
        payment=found,
        shown=shown,
        title=title_of(found),
        totals=totals_of(found),
        state=state_badge(found.state),
        parent=PARENT_LABELS[ParentType(found.parent_type)],
        sides=parties(side for leg in shown for side in (leg.debtor_id, leg.creditor_id)),
        names=makers.names(
            [*makers_of, *((change.by_kind, change.by_id) for change in found.changes)], payment_id=found.id
        ),
        badges={word: state_badge(word) for change in found.changes for word in (change.from_state, change.to_state)},
        reversal=reversal,
        transfer_id=transfer_id,
        held=held,
        origin=origin,
        asked_by=named(origin.maker_kind, origin.maker_name) if origin else None,
        may_open_request=actor.may(Permission.APPROVALS_READ),
        waiting=waiting if actor.may(Permission.APPROVALS_READ) else None,
        may_reverse=reversible and waiting is None and actor.may(Permission.PAYMENTS_ADJUST),
    )


def what_stops(lines: Sequence[Around], sides: Mapping[UUID, Party]) -> str | None:
    """Why the ledger would refuse a reversal with these balances around it; None if nothing is in its way."""
    for line in lines:
        if sides[line.account_id].status == AccountStatus.CLOSED:
            return f"{sides[line.account_id].short} is closed: this cannot be reversed."
    for line in lines:
        if line.short:
            return f"{sides[line.account_id].short} has {line.short} too little: this cannot be reversed now."
    return None


@ledger.route("/payments/<uuid:payment_id>/reverse", methods=["GET", "POST"])
@requires(Permission.PAYMENTS_ADJUST)
def reverse(payment_id: UUID) -> Any:
    """The dialog that asks for a second person, and the request."""
    actor = current_actor()
    form = ReversalForm()
    status = 200
    if request.method == "POST":
        status = 422
        if form.validate():
            try:
                with transaction():
                    request_ = adjusting.ask_to_reverse(payment_id, reason=form.reason.data or "", by=actor)
            except (Invalid, Conflict, Refused) as refusal:
                show_errors(form, refusal)
                status = 422 if isinstance(refusal, Invalid) else refusal.status
            else:
                flash("Asked to reverse this payment. Another person decides; no money has moved.", "wait")
                return go(url_for("approvals.show", request_id=request_.id))
    found = queries.get(payment_id)
    count = len(found.transactions)
    lines: list[Around] = []
    sides: dict[UUID, Party] = {}
    problem = None
    try:
        order = services.mirrored(payment_id, reason=form.reason.data or "preview")
        lines = adjusting.around({payment_id: order})[payment_id]
        sides = parties(line.account_id for line in lines)
        problem = what_stops(lines, sides)
        if problem:
            # it says more than the refusal
            form.form_errors = []
    except DomainError as refusal:
        # said above the form already when it was sent
        problem = None if form.form_errors else refusal.message
    return page_or_fragment(
        "ledger/reverse.html",
        "ledger/_reverse.html",
        status=status,
        payment=found,
        title=f"Reverse {count} transactions" if count > 1 else f"Reverse {found.transactions[0].money}",
        form=form,
        lines=lines,
        sides=sides,
        problem=problem,
        who=who_can_decide(adjusting.REVERSE, maker=actor),
    )
