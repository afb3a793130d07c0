"""The invited person chooses a password. The link's secret is in the address, so the address goes nowhere else."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask import Response, flash, g, make_response, redirect, render_template, request, url_for

from dashboard.access.guard import public
from dashboard.access.permissions import ROLES, Role
from dashboard.database import transaction
from dashboard.errors import DomainError, NotFound
from dashboard.people.forms import JoinForm
from dashboard.people.pages.blueprint import people
from dashboard.people.services import inviting
from dashboard.staff import countersigns
from dashboard.staff.models import StaffMember
from dashboard.web.forms import show_errors
from dashboard.web.limits import limiter

#: to our own addresses and others only the origin is told, never the path; a form is still known to come from here
REFERRER = "strict-origin"


def _answer(body: str, status: int) -> Response:
    response = make_response(body, status)
    response.headers["Referrer-Policy"] = REFERRER
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _joined(secret: str, form: JoinForm) -> tuple[StaffMember | None, datetime | None]:
    """The new member; or nobody, the errors in the form, and until when codes are not looked at. Raises NotFound."""
    password, where = form.new.data or "", {"address": request.remote_addr, "request_id": g.get("request_id")}
    locked = None
    try:
        # committed before the code is looked at: what a refusal rolls back must not be the count
        with transaction():
            locked = inviting.begin_attempt(secret, password=password)
        with transaction():
            typed = form.code.data if form.code else None
            return inviting.accept(secret, code=typed or "", password=password, **where), None
    except (countersigns.Wrong, countersigns.Paused) as refusal:
        until = refusal.until if isinstance(refusal, countersigns.Paused) else locked
        with transaction():
            inviting.tell_refusal(secret, locked=until, **where)
        if isinstance(refusal, countersigns.Wrong):
            show_errors(form, refusal)
        return None, until
    except NotFound:
        raise
    except DomainError as refusal:
        show_errors(form, refusal)
        return None, None


@people.route("/sign-in/invitation/<secret>", methods=["GET", "POST"])
@public("joining by an invitation")
@limiter.limit("30 per minute")
def join(secret: str) -> Any:
    """Choose a password; the link works once. Every link that is not valid is answered alike."""
    form, status, paused_until = JoinForm(), 200, None
    try:
        invitation = inviting.by_secret(secret)
        if invitation.link_mailed:
            # nobody but the invited person has seen this link
            del form.code
        if request.method == "POST":
            status = 422
            if form.validate():
                member, paused_until = _joined(secret, form)
                if member is not None:
                    flash(f"Welcome, {member.name}. Sign in with your new password.", "ok")
                    response = redirect(url_for("staff.sign_in"), code=303)
                    response.headers["Referrer-Policy"] = REFERRER
                    return response
    except NotFound as refusal:
        return _answer(render_template("people/not_valid.html", words=refusal.message, referrer=REFERRER), 404)
    return _answer(
        render_template(
            "people/join.html", form=form, invitation=invitation, role=ROLES[Role(invitation.role)], referrer=REFERRER,
            approved_by=inviting.who_approved(invitation)[1], paused_until=paused_until,
        ),
        status,
    )  # fmt: skip
