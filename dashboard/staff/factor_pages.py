"""Pages of the second factor: setting it up, the second step of signing in, and showing again that it is you."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from dashboard.access.guard import current_actor, public, requires
from dashboard.access.permissions import Permission
from dashboard.database import transaction
from dashboard.errors import Conflict, DomainError, Invalid
from dashboard.settings import Settings
from dashboard.staff import codes, half_sign_ins, limited, second_factor, services, sessions, step_up
from dashboard.staff.forms import AgainByCodeForm, FirstCodeForm, SignInCodeForm
from dashboard.staff.required import is_required
from dashboard.staff.step_up import needs_step_up
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go
from dashboard.web.limits import limiter, was_refused

factor_pages = Blueprint("second_factor", __name__)


def _person() -> sessions.SignedInMember:
    member = sessions.current_member()
    assert member is not None  # the guard let a person in
    return member


def _where() -> dict[str, Any]:
    return {"address": request.remote_addr, "request_id": g.get("request_id")}


# setting it up


def _setting_up(form: FirstCodeForm, status: int = 200) -> Any:
    member = _person().member
    settings: Settings = current_app.extensions["countinghouse.settings"]
    begun = second_factor.begun(member.id, session_id=_person().session.id)
    standing = second_factor.standing(member.id)
    required = is_required(member.role)
    return render_template(
        "staff/second_factor.html",
        form=form,
        standing=standing,
        required=required,
        # nothing of the house is shown to who may do nothing yet
        outside=required and not standing.on,
        role_label=member.role_row.label,
        secret=codes.in_groups(begun.secret) if begun else None,
        picture=codes.picture(begun.secret, email=member.email, issuer=settings.institution_name) if begun else None,
    ), status


@factor_pages.get("/staff/me/second-factor")
@requires(Permission.OWN_WORK)
@needs_step_up
def show() -> Any:
    """One's own second factor; the secret of a new one, while it waits for its first code."""
    return _setting_up(FirstCodeForm())


@factor_pages.post("/staff/me/second-factor")
@requires(Permission.OWN_WORK)
@needs_step_up
def begin() -> AnyResponse:
    """Make a secret for an authenticator app."""
    with transaction():
        second_factor.begin(session_id=_person().session.id, by=current_actor())
    return go(url_for(".show"))


def _recovery_codes(made: list[str], *, headline: str) -> str:
    """Shown in the answer itself: after a redirect they would have to be kept somewhere."""
    return render_template("staff/recovery_codes.html", codes=made, headline=headline)


@factor_pages.post("/staff/me/second-factor/confirm")
@requires(Permission.OWN_WORK)
@limiter.limit("20 per minute", key_func=limited.member)
@needs_step_up
def confirm() -> Any:
    """The first code: from now on it counts."""
    form = FirstCodeForm()
    if not form.validate():
        return _setting_up(form, 422)
    try:
        with transaction():
            made = second_factor.confirm(form.code.data or "", session_id=_person().session.id, by=current_actor())
    except Invalid as refusal:
        show_errors(form, refusal)
        return _setting_up(form, 422)
    except Conflict as refusal:
        flash(refusal.message, "wait")
        return go(url_for(".show"))
    return _recovery_codes(made, headline="Your second factor is on.")


@factor_pages.post("/staff/me/recovery-codes")
@requires(Permission.OWN_WORK)
@needs_step_up
def renew_recovery_codes() -> Any:
    """A new set of recovery codes in place of the old one."""
    with transaction():
        made = second_factor.renew_recovery_codes(by=current_actor())
    return _recovery_codes(made, headline="You have new recovery codes.")


@factor_pages.post("/staff/me/second-factor/off")
@requires(Permission.OWN_WORK)
@needs_step_up
def turn_off() -> AnyResponse:
    """Sign in by password alone from now on."""
    with transaction():
        second_factor.turn_off(required=is_required(_person().member.role), by=current_actor())
    flash("Your second factor is off. You sign in by password alone.", "wait")
    return go(url_for("staff.me"))


# the second step of signing in


@factor_pages.route("/sign-in/code", methods=["GET", "POST"])
@public("the second step of signing in")
@limiter.limit("60 per minute", methods=["POST"], key_func=limited.half_signed_in, deduct_when=was_refused)
def code() -> Any:
    """The code, after the password."""
    target = sessions.safe_next(request.args.get("next"))
    secret = sessions.half_secret()
    member = half_sign_ins.member_of(secret)
    if secret is None or member is None:
        if secret is not None:
            sessions.close_session()
            flash("That took too long. Sign in again.", "info")
        return redirect(url_for("staff.sign_in", next=target if target != "/" else None), code=303)
    form = SignInCodeForm()
    if not form.validate_on_submit():
        return render_template("staff/sign_in_code.html", form=form), 422 if form.errors else 200
    by = services.actor_of(member, **_where())
    locked = None
    try:
        # committed before the code is looked at: what a refusal rolls back must not be the count
        with transaction():
            locked = second_factor.begin_attempt(member.id, form.code.data or "")
        with transaction():
            signed_in = half_sign_ins.complete(
                secret, form.code.data or "", browser=request.user_agent.string, **_where()
            )
    except (services.LockedOut, second_factor.CodeRefused) as refusal:
        with transaction():
            second_factor.tell_refusal(
                locked=refusal.until if isinstance(refusal, services.LockedOut) else locked, by=by
            )
        form.form_errors = [second_factor.NOT_TAKEN]
        return render_template("staff/sign_in_code.html", form=form), 422
    sessions.open_session(signed_in)
    if not codes.is_code(codes.as_typed(form.code.data or "")):
        left = second_factor.standing(member.id).recovery_left
        flash(f"You signed in with a recovery code. {left} {'is' if left == 1 else 'are'} left.", "wait")
    return go(target)


# showing again that it is you


def _prove(form: step_up.AgainForm, member: sessions.SignedInMember) -> str:
    """Look at the code or the password; gives which it was. Raises CodeRefused, SignInRefused, LockedOut."""
    by = current_actor()
    if isinstance(form, AgainByCodeForm):
        locked = None
        try:
            with transaction():
                locked = second_factor.begin_attempt(member.member.id, form.code.data or "")
            with transaction():
                how = second_factor.take(form.code.data or "", by=by).removeprefix("password and ")
                second_factor.step_up(member.session.id, how=how, by=by)
        except (services.LockedOut, second_factor.CodeRefused) as refusal:
            with transaction():
                second_factor.tell_step_up_refusal(
                    what="code",
                    locked=refusal.until if isinstance(refusal, services.LockedOut) else locked,
                    by=by,
                )
            raise second_factor.CodeRefused from None
        return how
    locked = None
    try:
        with transaction():
            locked = services.begin_attempt(services.of_signed_in(member.member.id))
        with transaction():
            services.recognize(email=member.member.email, password=form.password.data or "")
            services.forget_attempts(services.of_signed_in(member.member.id))
            second_factor.step_up(member.session.id, how="password", by=by)
    except (services.LockedOut, services.SignInRefused) as refusal:
        until = refusal.until if isinstance(refusal, services.LockedOut) else locked
        with transaction():
            second_factor.tell_step_up_refusal(what="password", locked=until, by=by)
        if isinstance(refusal, services.LockedOut):
            raise
        raise Invalid.one("password", "This is not your password.", "wrong") from None
    return "password"


@factor_pages.route("/sign-in/again", methods=["GET", "POST"])
@requires(Permission.OWN_WORK)
@limiter.limit("60 per minute", methods=["POST"], key_func=limited.member, deduct_when=was_refused)
def again() -> Any:
    """Show that it is you; leads back to what asked for it."""
    target = sessions.safe_next(request.args.get("next"))
    member = _person()
    form = step_up.form_for(member)
    if not form.validate_on_submit():
        return step_up.page(form, target, status=422 if form.errors else 200)
    try:
        _prove(form, member)
    except services.LockedOut:
        form.form_errors = ["Too many tries. Wait a quarter of an hour, then try again."]
        return step_up.page(form, target, status=422)
    except DomainError as refusal:
        show_errors(form, refusal)
        return step_up.page(form, target, status=422)
    # also for HTMX a plain redirect: it follows, and what was asked for comes into the dialog that is open
    return redirect(target, code=303)
