"""The session of a signed-in person, on top of Flask-Login: the cookie holds a random secret, the database the rest."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from flask import (
    Flask,
    Request,
    Response,
    flash,
    g,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.sessions import SecureCookieSessionInterface
from flask_login import LoginManager, UserMixin, current_user, login_user, logout_user
from werkzeug.wrappers import Response as AnyResponse

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.database import transaction
from dashboard.settings import Settings
from dashboard.staff import services
from dashboard.staff.models import StaffMember, StaffSession
from dashboard.web.api import is_api_path
from dashboard.web.frame import FramePerson
from dashboard.web.htmx import wants_fragment

#: of the cookie: the secret of half a sign-in
HALF = "half"


class SignedInMember(UserMixin):
    """What Flask-Login carries: the member, their session, and the secret as its id."""

    def __init__(self, member: StaffMember, opened: StaffSession, secret: str) -> None:
        self.member = member
        self.session = opened
        self.secret = secret

    def get_id(self) -> str:
        return self.secret


def safe_next(target: str | None) -> str:
    """Where to go after sign-in: a path of this house, or home. Never another host."""
    if (
        target
        and target.startswith("/")
        and not target.startswith(("//", "/\\"))
        and "\\" not in target
        and target.isprintable()
    ):
        return target
    return "/"


def open_session(signed_in: services.SignedIn) -> None:
    """A fresh cookie session (nothing of the one before survives), bound to the new secret."""
    session.clear()
    session.permanent = False
    login_user(SignedInMember(signed_in.member, signed_in.session, signed_in.secret))


def begin_half(secret: str) -> None:
    """The password was right and a code is still to come: a fresh cookie that opens the page of the code alone."""
    logout_user()
    session.clear()
    session.permanent = False
    session[HALF] = secret


def half_secret() -> str | None:
    """What `begin_half` put into the cookie."""
    found = session.get(HALF)
    return found if isinstance(found, str) else None


def close_session() -> None:
    """Forget the cookie."""
    logout_user()
    session.clear()


def current_member() -> SignedInMember | None:
    """The signed-in member of this request."""
    if not current_user or not current_user.is_authenticated:
        return None
    return current_user._get_current_object()  # type: ignore[no-any-return]


def staff_actor() -> Actor | None:
    """The signed-in person as services see them."""
    signed_in = current_member()
    if signed_in is None:
        return None
    return services.actor_of(signed_in.member, address=request.remote_addr, request_id=g.get("request_id"))


def frame_person() -> FramePerson | None:
    """The signed-in person as the frame shows them."""
    signed_in = current_member()
    if signed_in is None:
        return None
    member = signed_in.member
    return FramePerson(
        member.name,
        member.role_row.label,
        member.theme,
        member.keys_off,
        member.density,
        may_search=services.actor_of(member).may(Permission.CLIENTS_READ),
    )


def page_to_return() -> str | None:
    """The page to come back to: this one, or for what is sent from a page, that page. None: nobody knows."""
    if wants_fragment():
        address = urlsplit(request.headers.get("HX-Current-URL", ""))
    elif request.method == "GET":
        return request.full_path.rstrip("?")
    else:
        address = urlsplit(request.referrer or "")
    if address.netloc != request.host:
        return None
    return safe_next(address.path + (f"?{address.query}" if address.query else ""))


class PageSessions(SecureCookieSessionInterface):
    """Cookies are for pages: a machine's request neither reads nor gets one."""

    def open_session(self, app: Flask, request: Request) -> Any:
        return self.session_class() if is_api_path(request.path) else super().open_session(app, request)

    def save_session(self, app: Flask, session: Any, response: Response) -> None:
        if not is_api_path(request.path):
            super().save_session(app, session, response)


def install(app: Flask, settings: Settings) -> None:
    """Cookies, loader, and what happens to those who are not signed in."""
    app.config.update(
        SESSION_COOKIE_NAME="__Host-countinghouse" if settings.secure_cookies else "countinghouse",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        SESSION_COOKIE_PATH="/",
    )
    app.session_interface = PageSessions()
    idle = timedelta(minutes=settings.session_idle_minutes)
    longest = timedelta(hours=settings.session_hours)
    manager = LoginManager(app)
    manager.session_protection = None

    @manager.user_loader
    def load(secret: str) -> SignedInMember | None:
        found = services.session_of(secret, idle=idle, longest=longest)
        if found is None:
            return None
        member, opened = found
        # looking at the home page's own refresh is no activity: it must not keep a session alive for ever
        if clock.now() - opened.seen_at > timedelta(minutes=1) and request.headers.get("X-Refresh") != "1":
            with transaction():
                services.mark_seen(opened.id)
        return SignedInMember(member, opened, secret)

    @manager.unauthorized_handler
    def not_signed_in() -> AnyResponse:
        had_session = "_user_id" in session
        target = url_for("staff.sign_in", next=page_to_return())
        if wants_fragment() or request.headers.get("X-Refresh") == "1":
            # the cookie stays as it is: a second press before signing in again must say the same, and what a page
            # asks for by itself must not take the token from the sign-in form that stands open in another tab
            response = make_response(render_template("errors/_session_ended.html", sign_in_url=target), 401)
            response.headers["Cache-Control"] = "no-store"
            return response
        sent = request.method not in {"GET", "HEAD"}
        if had_session:
            session.clear()
        if had_session or sent:
            words = "Your session has ended." if had_session else "You are not signed in."
            flash(f"{words}{' Nothing was changed.' if sent else ''} Sign in again.", "info")
        return redirect(target, code=303)
