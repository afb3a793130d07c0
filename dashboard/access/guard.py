"""Access is declared on the view and enforced in one place, before the body is read.

`@requires(…)` marks a page, `@api_requires(…)` a JSON operation, `@public(…)` what nobody need sign in for.
A route without a declaration refuses everybody, and the test that walks the URL map fails.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from flask import Flask, g, request

from dashboard.access import tokens
from dashboard.access.actor import Actor
from dashboard.access.permissions import EXPLAINED, ROLES, Audience, Permission, Role
from dashboard.errors import DomainError, Forbidden
from dashboard.web import limits

View = TypeVar("View", bound=Callable[..., Any])


def current_actor() -> Actor:
    """The actor of the request, put there by the guard."""
    actor = g.get("actor")
    if actor is None:
        raise RuntimeError("no actor: the view declared itself public")
    return actor  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Access:
    """Declared access of one view. `audience` None: a page for staff; `reason` is why a public view is public."""

    permission: Permission | None
    audience: Audience | None = None
    reason: str | None = None
    #: what a role without the permission cannot do here, where its label would say something else
    act: str | None = None

    def __str__(self) -> str:
        if self.permission is None:
            return f"public: {self.reason}"
        return f"{self.audience.value if self.audience else 'staff'}: {self.permission.value}"


class Unauthenticated(DomainError):
    """Nobody is signed in, or the token is missing, unknown, expired or revoked: the answer never says which."""

    status = 401
    code = "unauthenticated"


def requires(permission: Permission, *, act: str | None = None) -> Callable[[View], View]:
    """A page for staff with this permission. `act`: "open periodic reviews", for who may not."""

    def mark(view: View) -> View:
        view.access = Access(permission, act=act)  # type: ignore[attr-defined]
        return view

    return mark


def api_requires(audience: Audience, permission: Permission) -> Callable[[View], View]:
    """A JSON operation for tokens of this audience and scope."""

    def mark(view: View) -> View:
        view.access = Access(permission, audience)  # type: ignore[attr-defined]
        return view

    return mark


def public(reason: str) -> Callable[[View], View]:
    """Open to everybody; say why."""

    def mark(view: View) -> View:
        view.access = Access(None, None, reason)  # type: ignore[attr-defined]
        return view

    return mark


#: views of libraries that cannot carry the mark themselves
LIBRARY_ACCESS: dict[str, Access] = {}


def declare(endpoint: str, access: Access) -> None:
    """Declare access for a library's endpoint (static files, the OpenAPI document)."""
    LIBRARY_ACCESS[endpoint] = access


def access_of(app: Flask, endpoint: str) -> Access | None:
    """What the endpoint declares, or None."""
    if endpoint in LIBRARY_ACCESS:
        return LIBRARY_ACCESS[endpoint]
    return getattr(app.view_functions.get(endpoint), "access", None)


def install(app: Flask, staff_actor: Callable[[], Any]) -> None:
    """Enforce the declarations. `staff_actor` gives the signed-in person's Actor, or None."""

    @app.before_request
    def guard() -> Any:
        if request.endpoint is None:
            return None
        access = access_of(app, request.endpoint)
        if access is None:
            raise Forbidden("This address declares no audience, so it is closed.")
        if access.permission is None:
            g.actor = None
            return None
        if access.audience is None:
            g.actor = staff_actor()
            if g.actor is None:
                return app.login_manager.unauthorized()  # type: ignore[attr-defined]
        else:
            g.actor = tokens.authenticate(request.headers.get("Authorization"))
            if g.actor is None:
                limits.count_refusal("wrong-token")
                raise Unauthenticated("Send a valid token: Authorization: Bearer …")
            limits.count_good(g.actor.id)
            g.actor = replace(g.actor, address=request.remote_addr, request_id=g.get("request_id"))
            if g.actor.role != access.audience.value:
                raise Forbidden(
                    f"This operation is for {access.audience.value} tokens.",
                    details={"audience": access.audience.value},
                )
        if access.audience is None and not g.actor.may(access.permission):
            label = EXPLAINED[access.permission].label
            act = access.act or f"{label[:1].lower()}{label[1:]}"
            raise Forbidden(
                f"Your role ({ROLES[Role(g.actor.role)].label}) cannot {act}.",
                details={"permission": access.permission.value},
            )
        g.actor.require(access.permission)
        return None
