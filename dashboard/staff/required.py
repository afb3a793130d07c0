"""Roles that need a second factor: their people set one up before they can do anything else."""

from __future__ import annotations

from typing import Any

from flask import Flask, current_app, flash, g, request, url_for

from dashboard.access.permissions import Role
from dashboard.settings import Settings, SettingsError
from dashboard.staff import second_factor
from dashboard.web.htmx import go

#: what such a person can reach: setting it up, showing that it is them, and going away
OPEN = frozenset(
    {"second_factor.show", "second_factor.begin", "second_factor.confirm", "second_factor.again", "staff.sign_out"}
)


def is_required(role: str) -> bool:
    """Whether this role signs in with a second factor (SECOND_FACTOR_ROLES)."""
    settings: Settings = current_app.extensions["countinghouse.settings"]
    return role in settings.second_factor_roles


def install(app: Flask, settings: Settings) -> None:
    """Lead people of these roles to setting one up. Comes after the guard. Raises SettingsError for an unknown role."""
    unknown = sorted(settings.second_factor_roles - {role.value for role in Role})
    if unknown:
        raise SettingsError(
            f"SECOND_FACTOR_ROLES must hold roles ({', '.join(role.value for role in Role)}), not {unknown[0]!r}"
        )

    @app.before_request
    def set_up_first() -> Any:
        actor = g.get("actor")
        if actor is None or actor.kind != "staff" or request.endpoint in OPEN or not is_required(actor.role):
            return None
        if second_factor.is_on(actor.id):
            return None
        if request.method not in {"GET", "HEAD"}:
            flash("Nothing was changed.", "info")
        return go(url_for("second_factor.show"))
