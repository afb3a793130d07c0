"""Showing again that it is you, before what weighs most.

`@needs_step_up` on a view asks for it when the last time is more than 15 minutes ago; signing in counts as one. A GET
asks first, so put the mark on the view that shows the form too: then nothing is typed in vain. What was typed stays
where HTMX sent it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar

from flask import flash, make_response, redirect, render_template, request, url_for

from dashboard import clock
from dashboard.staff import second_factor, sessions
from dashboard.staff.forms import AgainByCodeForm, AgainByPasswordForm
from dashboard.web.htmx import page_or_fragment, wants_fragment

View = TypeVar("View", bound=Callable[..., Any])

LASTS = timedelta(minutes=15)

AgainForm = AgainByCodeForm | AgainByPasswordForm


def is_fresh(member: sessions.SignedInMember) -> bool:
    """Whether the person has shown within 15 minutes that it is them."""
    last = member.session.stepped_up_at or member.session.created_at
    return clock.now() - last < LASTS


def form_for(member: sessions.SignedInMember) -> AgainForm:
    """A code from who has a second factor, the password from everybody else."""
    return AgainByCodeForm() if second_factor.is_on(member.member.id) else AgainByPasswordForm()


def page(form: AgainForm, target: str, *, status: int = 200) -> Any:
    """The question, as a page or in the dialog that is open."""
    signed_in = sessions.current_member()
    assert signed_in is not None  # the guard let a person in
    return page_or_fragment(
        "staff/again.html", "staff/_again.html", status=status, form=form, target=target, email=signed_in.member.email
    )


def needs_step_up(view: View) -> View:
    """Ask first for a code or the password, unless that was done within 15 minutes. For views of staff."""

    @wraps(view)
    def asked(*args: Any, **kwargs: Any) -> Any:
        member = sessions.current_member()
        assert member is not None  # the guard let a person in
        if is_fresh(member):
            return view(*args, **kwargs)
        return ask(member)

    return asked  # type: ignore[return-value]


def must_ask_by_factor(member: sessions.SignedInMember) -> bool:
    """Whether somebody who has a second factor has not shown it within 15 minutes: for what asks for the password
    itself."""
    return second_factor.is_on(member.member.id) and not is_fresh(member)


def ask(member: sessions.SignedInMember) -> Any:
    """Lead to the question, and back; nothing was changed."""
    reads = request.method in {"GET", "HEAD"}
    if wants_fragment():
        if reads:
            return page(form_for(member), request.full_path.rstrip("?"))
        again = url_for("second_factor.again", next=sessions.page_to_return())
        # placed beside what was typed, as of a session that has ended
        response = make_response(render_template("staff/_again_elsewhere.html", again_url=again), 403)
        response.headers["Cache-Control"] = "no-store"
        return response
    if not reads:
        flash("Nothing was changed yet. Show that it is you, then press the button again.", "wait")
    return redirect(url_for("second_factor.again", next=sessions.page_to_return()), code=303)
