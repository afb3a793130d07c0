"""One structured line per request: method, path, status, time, actor. No query string, no body, no names."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import Any

import structlog
from flask import Flask, Response, g, request

from dashboard.database import new_id

#: endpoints without a line of their own: files, and the probes of load balancers
QUIET = ("static", "web.htmx", "health.healthz", "health.readyz")
_GIVEN = re.compile(r"[A-Za-z0-9-]{8,64}")


@cache
def _encoder(default: Callable[[Any], Any]) -> json.JSONEncoder:
    """Made once: `json.dumps` would make one for each line."""
    return json.JSONEncoder(ensure_ascii=False, default=default)


def _line(event: Any, default: Callable[[Any], Any]) -> str:
    return _encoder(default).encode(event)


def configure() -> None:
    """JSON lines on standard error."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(serializer=_line),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )


log = structlog.get_logger("countinghouse")


def request_id(given: str) -> str:
    """The caller's own id where it is a plain token, else a fresh one."""
    return given if _GIVEN.fullmatch(given) else new_id().hex[-12:]


def install(app: Flask) -> None:
    """Give each request an id (a caller's X-Request-Id is kept when it is a plain token) and log its end."""
    configure()

    @app.before_request
    def begin() -> None:
        g.request_id = request_id(request.headers.get("X-Request-Id", ""))
        g.started = time.perf_counter()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request=g.request_id)

    @app.after_request
    def end(response: Response) -> Response:
        known = g.get("request_id")
        if known:
            response.headers["X-Request-Id"] = known
        started = g.get("started")
        if started is not None and not (request.endpoint or "").endswith(QUIET):
            elapsed = time.perf_counter() - started
            response.headers["Server-Timing"] = f"app;dur={elapsed * 1000:.1f}"
            actor = g.get("actor")
            log.info(
                "request",
                method=request.method,
                # the rule, not the path: no identifier of a person stands in it
                route=request.url_rule.rule if request.url_rule else None,
                status=response.status_code,
                ms=round(elapsed * 1000, 1),
                actor=f"{actor.kind}:{actor.id}" if actor else None,
            )
        return response
