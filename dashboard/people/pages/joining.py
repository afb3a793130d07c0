"""The invited person chooses a password. The link's secret is in the address, so the address goes nowhere else."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, g, make_response, redirect, render_template, request, url_for

from dashboard.access.guard import public
from dashboard.access.permissions import ROLES, Role
from dashboard.database import transaction
from dashboard.errors import DomainError, NotFound
from dashboard.people.forms import JoinForm
from dashboard.people.pages.blueprint import people
from dashboard.people.services import inviting
from dashboard.web.forms import show_errors
from dashboard.web.limits import limiter

#: to our own addresses and others only the origin is told, never the path; a form is still known to come from here
REFERRER = "strict-origin"


def _answer(body: str, status: int) -> Response:
    response = make_response(body, status)
    response.headers["Referrer-Policy"] = REFERRER
    response.headers["X-Robots-Tag"] = "noindex"
    return response


@people.route("/sign-in/invitation/<secret>", methods=["GET", "POST"])
@public("joining by an invitation")
@limiter.limit("30 per minute")
def join(secret: str) -> Any:
    """Choose a password; the link works once. Every link that is not valid is answered alike."""
    form, status = JoinForm(), 200
    try:
        invitation = inviting.by_secret(secret)
        if request.method == "POST":
            status = 422
            if form.validate():
                try:
                    with transaction():
                        member = inviting.accept(
                            secret, password=form.new.data or "", address=request.remote_addr,
                            request_id=g.get("request_id"),
                        )  # fmt: skip
                except NotFound:
                    raise
                except DomainError as refusal:
                    show_errors(form, refusal)
                    status = 422 if refusal.status == 400 else refusal.status
                else:
                    flash(f"Welcome, {member.name}. Sign in with your new password.", "ok")
                    response = redirect(url_for("staff.sign_in"), code=303)
                    response.headers["Referrer-Policy"] = REFERRER
                    return response
    except NotFound as refusal:
        return _answer(render_template("people/not_valid.html", words=refusal.message, referrer=REFERRER), 404)
    return _answer(
        render_template(
            "people/join.html", form=form, invitation=invitation, role=ROLES[Role(invitation.role)], referrer=REFERRER
        ),
        status,
    )
