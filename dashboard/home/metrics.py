"""`/metrics`: figures for Prometheus, for who knows METRICS_TOKEN."""

from __future__ import annotations

import hmac

import sqlalchemy as sa
from flask import Blueprint, Response, current_app, request
from prometheus_client import CONTENT_TYPE_LATEST

from dashboard.access.guard import public
from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.home import gauges
from dashboard.settings import Settings
from dashboard.web import limits
from dashboard.web import metrics as requests
from dashboard.web.logs import log

metrics = Blueprint("metrics", __name__)


def _is_token(header: str | None, token: str) -> bool:
    scheme, _, secret = (header or "").partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(secret.strip().encode(), token.encode())


@metrics.get("/metrics")
@public("METRICS_TOKEN")
def show() -> Response:
    """The figures. Where no token is set there is no such page.

    Raises NotFound, TooMany.
    """
    settings: Settings = current_app.extensions["countinghouse.settings"]
    counts = requests.counts(current_app)
    if settings.metrics_token is None or counts is None:
        raise NotFound("There is no such page.")
    if not _is_token(request.headers.get("Authorization"), settings.metrics_token):
        limits.count_refusal("wrong-token")
        return Response(
            "Send METRICS_TOKEN: Authorization: Bearer …\n", 401, {"WWW-Authenticate": "Bearer"}, mimetype="text/plain"
        )
    try:
        told = gauges.exposed() + gauges.database_up(True)
    except (sa.exc.OperationalError, sa.exc.TimeoutError) as error:
        # the counts of requests are wanted most of all while the database is away
        session().rollback()
        log.error("figures not read", error=type(error).__name__)
        told = gauges.database_up(False)
    return Response(counts.exposed() + told, content_type=CONTENT_TYPE_LATEST)
