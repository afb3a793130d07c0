"""One break: both rows, its history, and what may be done with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Response, flash, request, url_for

from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.approvals.names import named
from dashboard.database import transaction
from dashboard.errors import Conflict, Invalid, Refused
from dashboard.money import Money
from dashboard.staff import queries as staff
from dashboard.treasury.matching.forms import AcceptForm, BookForm, ReasonForm
from dashboard.treasury.matching.models import BreakEvent
from dashboard.treasury.matching.pages.blueprint import reconciliation
from dashboard.treasury.matching.pages.breaks import badge_of
from dashboard.treasury.matching.queries import bookings, break_rows, items, matches
from dashboard.treasury.matching.queries.break_rows import BreakView
from dashboard.treasury.matching.queries.rules import in_force
from dashboard.treasury.matching.services import booking
from dashboard.treasury.matching.services import breaks as services
from dashboard.treasury.matching.services.booking import BookedAs
from dashboard.treasury.matching.vocabulary import (
    ACCEPT,
    BREAK_LABELS,
    BREAK_SAYS,
    EVENT_LABELS,
    BreakKind,
    Cause,
    Event,
)
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go, page_or_fragment

#: what a difference of this cause is booked as, unless the person says otherwise
LIKELY = {
    Cause.BANK_FEE.value: BookedAs.FEE, Cause.FEE_KEPT.value: BookedAs.FEE, Cause.INTEREST.value: BookedAs.INTEREST,
}  # fmt: skip
#: causes in which the money itself is wrong at the bank: booking it would hide that
NOT_TO_BOOK = {Cause.SENT_TWICE.value, Cause.TOLD_TWICE.value}


def _context(view: BreakView) -> dict[str, Any]:
    row, actor = view.row, current_actor()
    found = items.rows(
        row.bank_account_id,
        lines={line for line in (row.line_id, row.twin_id) if line is not None},
        transactions={other for other in (row.transaction_id, row.twin_id) if other is not None},
    )
    waiting = approvals.live(ACCEPT, row.id) or bookings.request_of(row.id)
    open_now = row.state != "resolved"
    may = actor.may(Permission.TREASURY_WRITE)
    people = staff.names([view.owner_id] if view.owner_id else [])
    return {
        "view": view,
        "row": row,
        "money": lambda minor: Money(minor, row.currency),
        "ledger": [one for one in found if one.side == "ledger"],
        "bank": [one for one in found if one.side == "bank"],
        "state_badge": badge_of(view),
        "says": BREAK_SAYS[BreakKind(row.kind)],
        "history": break_rows.history(row.id),
        "events": {key.value: label for key, label in EVENT_LABELS.items()},
        "turn": lambda event: _turn(event, row.currency),
        "named": named,
        "reader": actor.id,
        "owner": people.get(view.owner_id) if view.owner_id else None,
        "mine": view.owner_id is not None and view.owner_id == actor.id,
        "waiting": waiting,
        "why_not": approvals.why_not(waiting, actor) if waiting else None,
        "may": may and open_now and waiting is None,
        "may_take": may and open_now,
        "may_reopen": may and not open_now,
        "may_book": may and open_now and waiting is None and row.difference_minor != 0
        and row.line_id is not None and actor.may(Permission.PAYMENTS_ADJUST),
        "double": row.cause in NOT_TO_BOOK or row.kind == BreakKind.DUPLICATE_AT_BANK.value,
        "match": matches.one(row.match_id) if row.match_id else None,
        "pick": url_for(
            ".picking", account=row.bank_account_id, day=max(d for d in (row.bank_on, row.ledger_on) if d).isoformat(),
            lines=[row.line_id] if row.line_id else None,
            transactions=[row.transaction_id] if row.transaction_id else None,
        ),
    }  # fmt: skip


def _turn(event: BreakEvent, currency: str) -> str | None:
    """What it was and what it is, where a run saw it differently: Wrong date 0.00 EUR → Missing in ledger −53.57 EUR"""
    told = event.detail or {}
    if event.kind != Event.CHANGED or "beforeMinor" not in told:
        return None
    was, now = (
        f"{BREAK_LABELS[BreakKind(told[kind])]} {Money(told[minor], currency)}"
        for kind, minor in (("before", "beforeMinor"), ("kind", "differenceMinor"))
    )
    return f"{was} → {now}"


@reconciliation.get("/breaks/<uuid:break_id>")
@requires(Permission.TREASURY_READ)
def one_break(break_id: UUID) -> Response:
    """The break with its rows and history."""
    return page_or_fragment(
        "treasury/matching/break.html", "treasury/matching/_break.html", **_context(break_rows.one(break_id))
    )


def _did(break_id: UUID, verb: Callable[[], Any], words: str) -> Any:
    """Do it, say so, and show the break; a refusal is said there too."""
    try:
        with transaction():
            verb()
    except (Conflict, Refused, Invalid) as refusal:
        said = refusal.errors[0].message if isinstance(refusal, Invalid) else refusal.message
        flash(said, "stop")
    else:
        flash(words, "ok")
    return go(url_for(".one_break", break_id=break_id))


@reconciliation.post("/breaks/<uuid:break_id>/acknowledge")
@requires(Permission.TREASURY_WRITE)
def acknowledge_break(break_id: UUID) -> Any:
    """Somebody looks after it."""
    return _did(
        break_id,
        lambda: services.acknowledge(break_id, text=request.form.get("text"), by=current_actor()),
        "Acknowledged.",
    )


@reconciliation.post("/breaks/<uuid:break_id>/take")
@requires(Permission.TREASURY_WRITE)
def take_break(break_id: UUID) -> Any:
    """Make it one's own."""
    return _did(break_id, lambda: services.take(break_id, by=current_actor()), "It is yours.")


@reconciliation.post("/breaks/<uuid:break_id>/release")
@requires(Permission.TREASURY_WRITE)
def release_break(break_id: UUID) -> Any:
    """Give it back."""
    return _did(break_id, lambda: services.release(break_id, by=current_actor()), "It waits for somebody again.")


@reconciliation.post("/breaks/<uuid:break_id>/note")
@requires(Permission.TREASURY_WRITE)
def note_break(break_id: UUID) -> Any:
    """Add to its history."""
    return _did(
        break_id, lambda: services.note(break_id, text=request.form.get("text", ""), by=current_actor()), "Noted."
    )


def _dialog(break_id: UUID, form: ReasonForm, *, act: str, verb: Callable[[ReasonForm], str], **more: Any) -> Any:
    """A dialog with a reason, and what it does; `verb` gives the words that are said afterwards."""
    status = 200
    if request.method == "POST":
        status = 422
        if form.validate():
            try:
                with transaction():
                    words = verb(form)
            except (Invalid, Conflict, Refused) as refusal:
                show_errors(form, refusal)
                status = 422 if isinstance(refusal, Invalid) else refusal.status
            else:
                flash(words, "ok" if words.endswith("open again.") or words.startswith("Accepted") else "wait")
                return go(url_for(".one_break", break_id=break_id))
    return page_or_fragment(
        "treasury/matching/dialog.html",
        "treasury/matching/_act.html",
        status=status,
        act=act,
        form=form,
        answered=status,
        **_context(break_rows.one(break_id)),
        **more,
    )


@reconciliation.route("/breaks/<uuid:break_id>/accept", methods=["GET", "POST"])
@requires(Permission.TREASURY_WRITE)
def accept_break(break_id: UUID) -> Any:
    """Let the difference stand; above the limit a second person is asked."""
    view = break_rows.one(break_id)
    limit = in_force().alone(view.row.currency)

    def verb(form: ReasonForm) -> str:
        done = services.accept(break_id, reason=form.reason.data or "", by=current_actor())
        return (
            "Asked a second person to accept it." if isinstance(done, ApprovalRequest) else "Accepted, with evidence."
        )

    return _dialog(
        break_id, AcceptForm(), act="accept", verb=verb,
        alone=services.stake(view.row) <= limit, limit=Money(limit, view.row.currency),
    )  # fmt: skip


@reconciliation.route("/breaks/<uuid:break_id>/book", methods=["GET", "POST"])
@requires(Permission.PAYMENTS_ADJUST)
def book_break(break_id: UUID) -> Any:
    """Book the difference by an adjusting payment that a second person approves."""
    row = break_rows.one(break_id).row
    form = BookForm()
    if request.method == "GET" and row.cause in LIKELY:
        form.booked_as.data = LIKELY[row.cause].value

    def verb(_form: ReasonForm) -> str:
        booking.ask(
            row.bank_account_id,
            lines=[row.line_id] if row.line_id else [],
            transactions=[row.transaction_id] if row.transaction_id else [],
            booked_as=BookedAs(form.booked_as.data),
            reason=form.reason.data or "",
            by=current_actor(),
        )
        return "Asked a second person to book it."

    return _dialog(break_id, form, act="book", verb=verb)


@reconciliation.route("/breaks/<uuid:break_id>/reopen", methods=["GET", "POST"])
@requires(Permission.TREASURY_WRITE)
def reopen_break(break_id: UUID) -> Any:
    """Open a resolved break again; its match is undone."""

    def verb(form: ReasonForm) -> str:
        services.reopen(break_id, because=form.reason.data or "", by=current_actor())
        return "The break is open again."

    return _dialog(break_id, ReasonForm(), act="reopen", verb=verb)
