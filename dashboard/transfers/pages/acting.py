"""What people do with an outgoing transfer: let it continue, cancel it, execute it by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Response, flash, request, url_for
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response as AnyResponse

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.database import transaction
from dashboard.errors import Conflict, Invalid, Refused
from dashboard.ledger import numbers
from dashboard.ledger.pages.deciders import who_can_decide
from dashboard.transfers.badges import money_of, status_badge, title_of
from dashboard.transfers.forms.acting import ExecuteForm, ReasonForm
from dashboard.transfers.models import Transfer
from dashboard.transfers.pages import checks
from dashboard.transfers.pages.blueprint import transfers
from dashboard.transfers.queries import history
from dashboard.transfers.queries import transfers as queries
from dashboard.transfers.services.outgoing import cancel as canceling
from dashboard.transfers.services.outgoing import executing, review
from dashboard.transfers.services.outgoing.held import EXECUTE
from dashboard.transfers.vocabulary import Kind, Status
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go, page_or_fragment


def _attempt(form: FlaskForm, verb: Callable[[], Any]) -> tuple[int | None, Any]:
    """Check the form and run the verb. (None, what it gave): done; else the status to answer with, and the form says
    why; what was typed stays."""
    if not form.validate():
        return 422, None
    try:
        with transaction():
            return None, verb()
    except (Invalid, Conflict, Refused) as refusal:
        show_errors(form, refusal)
        return 422 if isinstance(refusal, Invalid) else refusal.status, None


def _dialog(transfer: Transfer, part: str, form: FlaskForm, *, title: str, status: int = 200, **more: Any) -> Response:
    found = history.checks_of([transfer.id])[transfer.id]
    return page_or_fragment(
        "transfers/dialog.html",
        part,
        status=status,
        part=part,
        title=title,
        transfer=transfer,
        name=title_of(transfer),
        money=money_of(transfer),
        state=status_badge(transfer.status),
        failing=[line for line in checks.lines(found, transfer) if not line.passed],
        form=form,
        in_groups=numbers.in_groups,
        **more,
    )


def _there(transfer_id: UUID) -> AnyResponse:
    return go(url_for("transfers.show", transfer_id=transfer_id))


@transfers.route("/<uuid:transfer_id>/continue", methods=["GET", "POST"])
@requires(Permission.TRANSFERS_REVIEW)
def release(transfer_id: UUID) -> AnyResponse:
    """A held transfer goes on."""
    form, status = ReasonForm(), 200
    if request.method == "POST":
        failed, _ = _attempt(
            form, lambda: review.release(transfer_id, reason=form.reason.data or "", by=current_actor())
        )
        if failed is None:
            flash("It goes on.", "ok")
            return _there(transfer_id)
        status = failed
    transfer = queries.get(transfer_id, kind=Kind.OUTGOING)
    return _dialog(transfer, "transfers/_release.html", form, title=f"Continue {money_of(transfer)}", status=status)


@transfers.route("/<uuid:transfer_id>/clear", methods=["GET", "POST"])
@requires(Permission.TRANSFERS_REVIEW)
def clear(transfer_id: UUID) -> AnyResponse:
    """What the provider said against what is booked is cleared with it. No money moves."""
    form, status = ReasonForm(), 200
    if request.method == "POST":
        failed, _ = _attempt(
            form, lambda: review.settle_contradiction(transfer_id, reason=form.reason.data or "", by=current_actor())
        )
        if failed is None:
            flash("Cleared. Nothing else has changed.", "ok")
            return _there(transfer_id)
        status = failed
    transfer = queries.get(transfer_id, kind=Kind.OUTGOING)
    return _dialog(transfer, "transfers/_clear_up.html", form, title="Clear the contradiction", status=status)


@transfers.route("/<uuid:transfer_id>/cancel", methods=["GET", "POST"])
@requires(Permission.TRANSFERS_REVIEW)
def cancel(transfer_id: UUID) -> AnyResponse:
    """It ends here, or is asked back where a provider may have it already."""
    form, status = ReasonForm(), 200
    if request.method == "POST":
        failed, ended = _attempt(
            form, lambda: canceling.cancel(transfer_id, reason=form.reason.data or "", by=current_actor())
        )
        if failed is None:
            if ended.status == Status.CANCELED:
                flash("Canceled. What was held is free again.", "ok")
            else:
                flash("Asked back. The money stays held until the provider says.", "wait")
            return _there(transfer_id)
        status = failed
    transfer = queries.get(transfer_id, kind=Kind.OUTGOING)
    gone = transfer.status in {Status.SUBMITTED, Status.UNKNOWN}
    return _dialog(
        transfer,
        "transfers/_cancel.html",
        form,
        title=f"Ask {money_of(transfer)} back" if gone else f"Cancel {money_of(transfer)}",
        status=status,
        gone=gone,
    )


@transfers.route("/<uuid:transfer_id>/execute", methods=["GET", "POST"])
@requires(Permission.TRANSFERS_EXECUTE)
def execute(transfer_id: UUID) -> AnyResponse:
    """Ask a second person to take what the provider said by another way."""
    form, status = ExecuteForm(), 200
    actor = current_actor()
    if request.method == "POST":
        failed, opened = _attempt(
            form,
            lambda: executing.ask_to_execute(
                transfer_id,
                outcome=executing.ByHand(form.outcome.data),
                provider_reference=form.provider_reference.data,
                reason_code=form.reason_code.data,
                comment=form.comment.data or "",
                by=actor,
            ),
        )
        if failed is None:
            flash("Asked. Another person decides; nothing has changed yet.", "wait")
            return go(url_for("approvals.show", request_id=opened.id))
        status = failed
    transfer = queries.get(transfer_id, kind=Kind.OUTGOING)
    return _dialog(
        transfer,
        "transfers/_execute.html",
        form,
        title=f"Execute {money_of(transfer)} manually",
        status=status,
        who=who_can_decide(EXECUTE, maker=actor),
    )
