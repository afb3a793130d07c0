"""Pages of staff: sign-in, own settings, roles."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from flask import Blueprint, current_app, flash, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from dashboard import clock
from dashboard.access.guard import current_actor, public, requires
from dashboard.access.permissions import EXPLAINED, ROLES, Permission
from dashboard.database import transaction
from dashboard.errors import Invalid
from dashboard.settings import Settings
from dashboard.staff import (
    browsers,
    half_sign_ins,
    history,
    limited,
    queries,
    second_factor,
    services,
    sessions,
    step_up,
    tries,
)
from dashboard.staff.forms import ChangePasswordForm, SignInForm
from dashboard.staff.required import is_required
from dashboard.web.forms import show_errors
from dashboard.web.htmx import go
from dashboard.web.limits import caller, limiter, was_refused

staff = Blueprint("staff", __name__)


def _settings() -> Settings:
    settings: Settings = current_app.extensions["countinghouse.settings"]
    return settings


@staff.route("/sign-in", methods=["GET", "POST"])
@public("signing in")
@limiter.limit("60 per minute", methods=["POST"], deduct_when=was_refused)
def sign_in() -> Any:
    """The sign-in page."""
    target = sessions.safe_next(request.args.get("next"))
    if request.method == "GET" and sessions.current_member() is not None:
        return redirect(target)
    form = SignInForm()
    if not form.validate_on_submit():
        return render_template("staff/sign_in.html", form=form), 422 if form.errors else 200
    email = form.email.data or ""
    where = {"address": request.remote_addr, "request_id": g.get("request_id")}
    try:
        # committed before the password is looked at: what a refusal rolls back must not be the count
        with transaction():
            locked = tries.begin(email, network=caller())
        with transaction():
            member = services.recognize(email=email, password=form.password.data or "")
            tries.forget(email, network=caller())
            if (before := sessions.current_member()) is not None:
                services.sign_out(before.session.id, by=services.actor_of(before.member, **where))
            # with a second factor this is half of it: nothing opens before the code
            signed_in: str | services.SignedIn
            if second_factor.is_on(member.id):
                signed_in = half_sign_ins.begin(member, browser=request.user_agent.string, **where)
            else:
                signed_in = services.open_session(
                    member, by_what="password", browser=request.user_agent.string, **where
                )
    except services.LockedOut as refusal:
        locked = refusal.until
    except services.SignInRefused as refusal:
        with transaction():
            services.tell_refusal(email, locked=locked, **where)
        if locked is None:
            form.form_errors = [refusal.message]
            return render_template("staff/sign_in.html", form=form), 422
    else:
        if isinstance(signed_in, str):
            sessions.begin_half(signed_in)
            return go(url_for("second_factor.code", next=target if target != "/" else None))
        sessions.open_session(signed_in)
        return go(target)
    assert locked is not None  # both ways here bring a time
    response = make_response(render_template("staff/sign_in.html", form=form, locked_until=locked), 429)
    response.headers["Retry-After"] = str(max(1, int((locked - clock.now()).total_seconds()) + 1))
    return response


@staff.post("/sign-out")
@requires(Permission.OWN_WORK)
def sign_out() -> AnyResponse:
    """End this session."""
    member = sessions.current_member()
    if member is not None:
        with transaction():
            services.sign_out(member.session.id, by=current_actor())
    sessions.close_session()
    return go(url_for("staff.sign_in"))


def _me(form: ChangePasswordForm, status: int = 200) -> Any:
    member = sessions.current_member()
    assert member is not None  # the guard let a person in
    idle = timedelta(minutes=_settings().session_idle_minutes)
    listed = [
        {
            "id": row.id,
            "device": browsers.in_words(row.browser),
            "address": row.address,
            "signed_in_at": row.created_at,
            "last_seen_at": row.seen_at,
            "current": row.id == member.session.id,
        }
        for row in sorted(
            queries.own_sessions(member.member.id, idle=idle), key=lambda row: row.id != member.session.id
        )
    ]
    return render_template(
        "staff/me.html",
        form=form,
        sessions=listed,
        email=member.member.email,
        signing_in=history.recent(member.member.id),
        # asked before anything is typed in vain
        show_first=step_up.must_ask_by_factor(member),
        factor=second_factor.standing(member.member.id),
        factor_required=is_required(member.member.role),
    ), status


@staff.get("/staff/me")
@requires(Permission.OWN_WORK)
def me() -> Any:
    """One's own settings."""
    return _me(ChangePasswordForm())


@staff.post("/staff/me/password")
@requires(Permission.OWN_WORK)
@limiter.limit("10 per minute", key_func=limited.member)
def change_password() -> Any:
    """Change one's own password. Who has a second factor shows it first: a thief with the password and an open desk
    would otherwise lock the owner out."""
    form = ChangePasswordForm()
    member = sessions.current_member()
    assert member is not None
    if step_up.must_ask_by_factor(member):
        return step_up.ask(member)
    if not form.validate():
        return _me(form, 422)
    locked = None
    try:
        services.check_password(form.new.data or "", email=member.member.email, field="new")
        with transaction():
            locked = services.begin_attempt(services.of_signed_in(member.member.id))
        with transaction():
            services.change_password(
                current=form.current.data or "",
                new=form.new.data or "",
                session_id=member.session.id,
                by=current_actor(),
            )
    except services.LockedOut as refusal:
        with transaction():
            services.tell_password_refusal(locked=refusal.until, by=current_actor())
        form.form_errors = ["Too many tries. Wait a quarter of an hour, then try again."]
        return _me(form, 422)
    except Invalid as refusal:
        if any(error.field == "current" for error in refusal.errors):
            with transaction():
                services.tell_password_refusal(locked=locked, by=current_actor())
        show_errors(form, refusal)
        return _me(form, 422)
    flash("Password changed. Your other sessions are signed out.", "ok")
    return go(url_for("staff.me"))


@staff.post("/staff/me/sessions/<uuid:session_id>/end")
@requires(Permission.OWN_WORK)
def end_session(session_id: UUID) -> AnyResponse:
    """End one session of the person; ending this one is signing out."""
    member = sessions.current_member()
    if member is not None and member.session.id == session_id:
        return sign_out()
    with transaction():
        services.sign_out_one(session_id, by=current_actor())
    flash("That session has ended.", "ok")
    return go(url_for("staff.me"))


@staff.post("/staff/me/sign-out-others")
@requires(Permission.OWN_WORK)
def sign_out_others() -> AnyResponse:
    """End all sessions of the person but this one."""
    member = sessions.current_member()
    assert member is not None  # the guard let a person in
    with transaction():
        ended = services.sign_out_everywhere(by=current_actor(), except_session=member.session.id)
    flash(f"{ended} other {'session has' if ended == 1 else 'sessions have'} ended.", "ok")
    return go(url_for("staff.me"))


@staff.post("/staff/me/sign-out-everywhere")
@requires(Permission.OWN_WORK)
def sign_out_everywhere() -> AnyResponse:
    """End all sessions of the person, this one too."""
    with transaction():
        services.sign_out_everywhere(by=current_actor())
    sessions.close_session()
    flash("You are signed out everywhere.", "info")
    return go(url_for("staff.sign_in"))


def _back() -> str:
    """The page the person came from, if it is one of ours."""
    wanted = request.form.get("next")
    if wanted:
        return sessions.safe_next(wanted)
    referrer = request.referrer or ""
    if referrer.startswith(request.host_url):
        return sessions.safe_next("/" + referrer.removeprefix(request.host_url))
    return url_for("staff.me")


@staff.post("/staff/me/theme")
@requires(Permission.OWN_WORK)
def set_theme() -> AnyResponse:
    """Light, dark or system."""
    with transaction():
        services.set_theme(request.form.get("theme", ""), by=current_actor())
    return go(_back())


@staff.post("/staff/me/density")
@requires(Permission.OWN_WORK)
def set_density() -> AnyResponse:
    """Rows of lists comfortable or compact."""
    with transaction():
        services.set_density(request.form.get("density", ""), by=current_actor())
    return go(_back())


@staff.post("/staff/me/keys")
@requires(Permission.OWN_WORK)
def set_keys() -> AnyResponse:
    """Single-letter shortcuts on or off."""
    with transaction():
        services.set_keys(request.form.get("keys") == "off", by=current_actor())
    return go(url_for("staff.me"))


@staff.get("/staff/roles")
@requires(Permission.STAFF_READ)
def roles() -> str:
    """Who may do what, on one page."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for permission, line in EXPLAINED.items():
        holders = {role.value for role, row in ROLES.items() if permission in row.permissions}
        groups.setdefault(line.group, []).append(
            {
                "key": permission.value,
                "label": line.label,
                "explanation": line.explanation,
                "roles": holders,
                "needs_second_person": line.second_person,
            }
        )
    return render_template(
        "staff/roles.html",
        roles=[{"key": role.value, "label": row.label, "summary": row.summary} for role, row in ROLES.items()],
        groups=[{"title": title, "permissions": lines} for title, lines in groups.items()],
    )
