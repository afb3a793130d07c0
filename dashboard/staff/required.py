"""Roles that need a second factor: their people set one up before they can do anything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, current_app, flash, g, request, url_for

from dashboard.access.actor import Actor
from dashboard.access.permissions import Role
from dashboard.settings import Settings, SettingsError
from dashboard.staff import second_factor, sessions
from dashboard.web.frame import NavEntry
from dashboard.web.htmx import go

#: what such a person can reach: setting it up, showing that it is them, and going away
OPEN = frozenset(
    {"second_factor.show", "second_factor.begin", "second_factor.confirm", "second_factor.again", "staff.sign_out"}
)


def is_required(role: str) -> bool:
    """Whether this role signs in with a second factor (SECOND_FACTOR_ROLES)."""
    settings: Settings = current_app.extensions["countinghouse.settings"]
    return role in settings.second_factor_roles


def is_setting_up(actor: Actor | None) -> bool:
    """Whether this person must set up a second factor before anything else."""
    return (
        actor is not None
        and actor.staff_id is not None
        and is_required(actor.role)
        and not second_factor.is_on(actor.staff_id)
    )


def unless_setting_up(nav: Callable[[], list[NavEntry]]) -> Callable[[], list[NavEntry]]:
    """The navigation, which tells figures of the house: nothing of it for who must set up a second factor first."""
    return lambda: [] if is_setting_up(sessions.staff_actor()) else nav()


def install(app: Flask, settings: Settings) -> None:
    """Lead people of these roles to setting one up. Comes after the guard. Raises SettingsError for an unknown role."""
    unknown = sorted(settings.second_factor_roles - {role.value for role in Role})
    if unknown:
        raise SettingsError(
            f"SECOND_FACTOR_ROLES must hold roles ({', '.join(role.value for role in Role)}), not {unknown[0]!r}"
        )

    @app.before_request
    def set_up_first() -> Any:
        actor: Actor | None = g.get("actor")
        if request.endpoint in OPEN or not is_setting_up(actor):
            return None
        if request.method not in {"GET", "HEAD"}:
            flash("Nothing was changed.", "info")
        return go(url_for("second_factor.show"))
