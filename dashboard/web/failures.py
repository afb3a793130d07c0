"""Every failure becomes one kind of answer: JSON for machines, a page or a part of one for people.

A refusal never shows a stack trace, and an answer for a machine is never HTML.
"""

from __future__ import annotations

from typing import Any

import psycopg
import sqlalchemy as sa
from flask import Flask, Response, g, make_response, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from dashboard.database import db
from dashboard.errors import DomainError, Invalid
from dashboard.web import envelope
from dashboard.web.api import is_api_path
from dashboard.web.htmx import wants_fragment
from dashboard.web.logs import log

#: status to headline, explanation, what to do
PAGES: dict[int, tuple[str, str, str]] = {
    400: ("This request could not be read.", "Nothing was changed.", "Go back and try again."),
    403: ("You cannot open this.", "", "Ask an administrator if you need it."),
    404: ("There is no such page.", "It may have moved, or the address was cut off.", "Search, or go home."),
    405: ("This address does not take that.", "Nothing was changed.", "Go back and use the page's own buttons."),
    409: ("This changed meanwhile.", "Nothing was changed by you.", "Reload to see what changed."),
    413: ("This is too large.", "Nothing was changed.", "Send less at once."),
    422: ("This was refused.", "Nothing was changed.", "Go back and correct it."),
    429: ("Too many tries.", "Nothing was changed.", "Wait a little, then try again."),
    500: ("Something failed on our side.", "Nothing was changed.", "Try again; if it stays, tell us the request."),
    503: ("Not available for a moment.", "Nothing was changed.", "Try again in a minute."),
}


#: lock_not_available, deadlock_detected, serialization_failure: the same again may well succeed
WAITED_TOO_LONG = frozenset({"55P03", "40P01", "40001"})


def failure_page(status: int, *, headline: str | None = None, explanation: str | None = None) -> Response:
    """The failure as people see it; a part of a page when HTMX asked."""
    default = PAGES.get(status) or PAGES[500 if status >= 500 else 400]
    template = "errors/_error.html" if wants_fragment() else "errors/page.html"
    response = make_response(
        render_template(
            template,
            status=status,
            headline=headline or default[0],
            explanation=default[1] if explanation is None else explanation,
            what_to_do=default[2],
            request_id=g.get("request_id"),
        ),
        status,
    )
    response.headers.add("Vary", "HX-Request")
    return response


def install(app: Flask) -> None:
    """Register the handlers."""

    @app.errorhandler(DomainError)
    def refused(error: DomainError) -> Response:
        db.session.rollback()
        if is_api_path(request.path):
            return envelope.failed_as(error)
        if isinstance(error, Invalid) and error.errors:
            return failure_page(422, headline=error.errors[0].message, explanation="Nothing was changed.")
        response = failure_page(error.status, headline=error.message, explanation=None if error.status >= 500 else "")
        if error.retry_after is not None:
            response.headers["Retry-After"] = str(error.retry_after)
        return response

    @app.errorhandler(CSRFError)
    def forged(error: CSRFError) -> Response:
        return failure_page(
            400,
            headline="This form is no longer valid.",
            explanation="You may have signed in again in another window. Nothing was changed.",
        )

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Any:
        if error.response is not None:
            return error.response
        status = error.code or 500
        headers = {name: value for name, value in error.get_headers() if name.lower() not in {"content-type"}}
        if is_api_path(request.path):
            codes = {404: "notFound", 405: "methodNotAllowed", 413: "tooLarge", 429: "tooManyRequests"}
            sentences = {
                404: "There is no such operation, or an identifier in the path is malformed.",
                405: "This path does not take that method.",
                413: "The body is larger than allowed.",
                429: "Too many requests from this address. Wait before you try again.",
            }
            return envelope.failed(
                status, codes.get(status, "httpError"), sentences.get(status, error.name), headers=headers
            )
        response = failure_page(status)
        for name, value in headers.items():
            response.headers[name] = value
        return response

    @app.errorhandler(sa.exc.OperationalError)
    def busy(error: sa.exc.OperationalError) -> Response:
        if error.connection_invalidated or getattr(error.orig, "sqlstate", None) is None:
            return away(error)
        if getattr(error.orig, "sqlstate", None) not in WAITED_TOO_LONG:
            return failed(error)
        db.session.rollback()
        log.warning("busy", error=type(error.orig).__name__)
        if is_api_path(request.path):
            return envelope.failed(
                503,
                "busy",
                "Others work on the same rows. Nothing was changed; try again.",
                headers={"Retry-After": "1"},
            )
        return failure_page(503, headline="Others work on the same thing at this moment.")

    @app.errorhandler(psycopg.OperationalError)
    def away(error: Exception) -> Response:
        db.session.rollback()
        log.error("database away", error=type(error).__name__)
        if is_api_path(request.path):
            return envelope.failed(
                503, "unavailable", "The database is away for a moment. Ask again with the same key.",
                headers={"Retry-After": "2"},
            )  # fmt: skip
        return failure_page(503)

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        db.session.rollback()
        # the type and the place, not the message: it may hold what somebody typed
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        log.error(
            "failed",
            error=type(error).__name__,
            at=f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else None,
        )
        if app.config.get("SHOW_ERRORS"):
            raise error
        if is_api_path(request.path):
            return envelope.failed(
                500, "internal", "Our fault. Nothing was changed; the request id finds it in the log."
            )
        return failure_page(500)
