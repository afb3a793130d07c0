"""/healthz: the process is alive. /readyz: the database answers and its schema is ours."""

from __future__ import annotations

import sqlalchemy as sa
from flask import Blueprint, current_app
from werkzeug.wrappers import Response

from dashboard.database import schema_head, session
from dashboard.web import json

health = Blueprint("health", __name__)


def _answer(code: int, **content: object) -> Response:
    return Response(json.dumps(content), status=code, mimetype="application/json")


def _restricted() -> bool:
    """Whether the application runs as a role that evidence is safe from."""
    powerful = session().scalar(
        sa.text(
            "SELECT rolsuper OR EXISTS (SELECT 1 FROM pg_tables WHERE schemaname = 'public' AND tableowner = rolname)"
            " FROM pg_roles WHERE rolname = current_user"
        )
    )
    return not powerful


@health.get("/healthz")
def healthz() -> Response:
    """Alive."""
    return _answer(200, status="alive")


@health.get("/readyz")
def readyz() -> Response:
    """200 when requests can be served, else 503 with the reason."""
    try:
        version = session().scalar(sa.text("SELECT version_num FROM alembic_version"))
    except sa.exc.ProgrammingError:
        return _answer(503, status="schema missing")
    except (sa.exc.OperationalError, sa.exc.TimeoutError):
        return _answer(503, status="database unreachable")
    if version != schema_head():
        return _answer(503, status="schema is not the newest")
    if current_app.config.get("PRODUCTION") and not _restricted():
        return _answer(503, status="the database role is a superuser or owns the tables: see docs/operations.md")
    return _answer(200, status="ready")
