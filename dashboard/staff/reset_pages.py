"""The page on which a person whose password was reset chooses a new one."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, g, render_template, request, url_for

from dashboard.access.guard import public
from dashboard.database import transaction
from dashboard.errors import Invalid
from dashboard.staff import countersigns, password_resets
from dashboard.staff.forms import NewPasswordForm
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go
from dashboard.web.limits import limiter, was_refused

new_password = Blueprint("new_password", __name__)


@new_password.route("/sign-in/new-password", methods=["GET", "POST"])
@public("choosing a password by the codes of a reset")
@limiter.limit("20 per minute", methods=["POST"], deduct_when=was_refused)
def choose() -> Any:
    """Both codes and a new password. Codes are typed, never part of an address: addresses are logged and remembered."""
    form = NewPasswordForm()
    if not form.validate_on_submit():
        return render_template("staff/new_password.html", form=form), 422 if form.errors else 200
    code, new = form.code.data or "", form.new.data or ""
    where = {"address": request.remote_addr, "request_id": g.get("request_id")}
    locked = None
    try:
        # committed before the code is looked at: what a refusal rolls back must not be the count
        with transaction():
            locked = password_resets.begin_attempt(code, new=new)
        with transaction():
            password_resets.choose(code, form.second.data or "", new=new, **where)
    except (countersigns.Wrong, countersigns.Paused) as refusal:
        until = refusal.until if isinstance(refusal, countersigns.Paused) else locked
        with transaction():
            password_resets.tell_refusal(code, locked=until, **where)
        if isinstance(refusal, countersigns.Wrong):
            show_errors(form, refusal)
        return render_template("staff/new_password.html", form=form, paused_until=until), 422
    except Invalid as refusal:
        show_errors(form, refusal)
        return render_template("staff/new_password.html", form=form), 422
    flash("Your new password stands. Sign in with it.", "ok")
    return go(url_for("staff.sign_in"))
