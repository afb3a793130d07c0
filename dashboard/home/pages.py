"""Home: what must be decided today, by me."""

from __future__ import annotations

from flask import Blueprint, render_template

from dashboard.access.guard import requires
from dashboard.access.permissions import Permission

home = Blueprint("home", __name__)


@home.get("/")
@requires(Permission.OWN_WORK)
def show() -> str:
    """The overview."""
    return render_template("home/show.html")
