"""The page on which a person whose password was reset chooses a new one."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, g, render_template, request, url_for

from dashboard.access.guard import public
from dashboard.database import transaction
from dashboard.errors import Invalid
from dashboard.staff import password_resets
from dashboard.staff.forms import NewPasswordForm
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go
from dashboard.web.limits import limiter, was_refused

new_password = Blueprint("new_password", __name__)


@new_password.route("/sign-in/new-password", methods=["GET", "POST"])
@public("choosing a password by the code of a reset")
@limiter.limit("20 per minute", methods=["POST"], deduct_when=was_refused)
def choose() -> Any:
    """Code and new password. The code is typed, never part of an address: addresses are logged and remembered."""
    form = NewPasswordForm()
    if not form.validate_on_submit():
        return render_template("staff/new_password.html", form=form), 422 if form.errors else 200
    try:
        with transaction():
            password_resets.choose(
                form.code.data or "",
                new=form.new.data or "",
                address=request.remote_addr,
                request_id=g.get("request_id"),
            )
    except Invalid as refusal:
        show_errors(form, refusal)
        return render_template("staff/new_password.html", form=form), 422
    flash("Your new password stands. Sign in with it.", "ok")
    return go(url_for("staff.sign_in"))
