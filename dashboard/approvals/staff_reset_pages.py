"""Pages of resets: asking for one, and handing over the code of one that was approved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, render_template, request, url_for

from dashboard.access.actor import Actor
from dashboard.access.guard import current_actor, requires
from dashboard.access.permissions import Permission
from dashboard.approvals import staff_resets as services
from dashboard.approvals.forms import AskResetForm
from dashboard.approvals.models import ApprovalRequest
from dashboard.database import transaction
from dashboard.errors import Conflict, Invalid, NotFound, Refused
from dashboard.staff import password_resets
from dashboard.staff import queries as staff
from dashboard.staff.sessions import safe_next
from dashboard.staff.step_up import needs_step_up
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go, page_or_fragment

staff_resets = Blueprint("staff_resets", __name__, url_prefix="/staff")

Ask = Callable[[UUID, str, Actor], ApprovalRequest]

#: what is asked, in words, and what becomes of it
FACTOR = (
    "second factor",
    "They sign in by password alone until they set up a new one, and are signed out everywhere. Be sure that it is them"
    " who asks you.",
)
PASSWORD = (
    "password",
    "It opens nothing any more, and they are signed out everywhere. They choose a new one by two codes: one from you,"
    " and one from the person who approves.",
)


def _ask(member_id: UUID, words: tuple[str, str], endpoint: str, ask: Ask) -> Any:
    name = staff.names([member_id]).get(member_id)
    if name is None:
        raise NotFound("There is no such staff member.")
    form = AskResetForm()
    if request.method == "GET":
        form.next.data = request.args.get("next", "")
        status = 200
    else:
        status = 422
        if form.validate():
            try:
                with transaction():
                    asked = ask(member_id, form.reason.data or "", current_actor())
            except (Conflict, Invalid, Refused) as refusal:
                show_errors(form, refusal)
            else:
                flash(f"Asked to reset the {words[0]} of {name}. Another person decides.", "ok")
                return go(url_for("approvals.show", request_id=asked.id))
    return page_or_fragment(
        "approvals/ask_reset.html",
        "approvals/_ask_reset.html",
        status=status,
        form=form,
        what=words[0],
        what_happens=words[1],
        name=name,
        action=url_for(endpoint, member_id=member_id),
        close_url=safe_next(form.next.data),
    )


@staff_resets.route("/<uuid:member_id>/reset-factor", methods=["GET", "POST"])
@requires(Permission.STAFF_WRITE)
def reset_factor(member_id: UUID) -> Any:
    """Ask to reset a colleague's second factor."""
    return _ask(member_id, FACTOR, ".reset_factor", services.ask_reset_factor)


@staff_resets.route("/<uuid:member_id>/reset-password", methods=["GET", "POST"])
@requires(Permission.STAFF_WRITE)
def reset_password(member_id: UUID) -> Any:
    """Ask to reset a colleague's password."""
    return _ask(member_id, PASSWORD, ".reset_password", services.ask_reset_password)


@staff_resets.route("/resets/<uuid:request_id>", methods=["GET", "POST"])
@requires(Permission.STAFF_DECIDE)
@needs_step_up
def hand_over(request_id: UUID) -> Any:
    """Make one's own code of an approved reset. Shown in the answer itself: after a redirect it would have to be
    kept."""
    asked = services.approved_reset(request_id, current_actor())
    code = None
    if request.method == "POST":
        try:
            with transaction():
                code = services.make_code(request_id, current_actor())
        except Conflict as refusal:
            flash(refusal.message, "wait")
            return go(url_for(".hand_over", request_id=request_id))
    return render_template(
        "approvals/hand_over.html",
        request_id=request_id,
        name=asked.subject,
        first=asked.maker_id == current_actor().id,
        other=asked.decider_name if asked.maker_id == current_actor().id else asked.maker_name,
        waiting=password_resets.is_waiting(request_id),
        code=code,
        address=url_for("new_password.choose", _external=True),
    )
