"""The result envelope of reference/000 and 003, and `application/problem+json` (RFC 9457) for everything else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flask import Response, current_app, g, request

from dashboard.errors import DomainError, FieldError, Invalid
from dashboard.web import json

View = TypeVar("View", bound=Callable[..., Any])

TITLES = {
    400: "The request is not valid",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    422: "Refused",
    429: "Too many requests",
    500: "Internal error",
    503: "Unavailable",
}


def enveloped(view: View) -> View:
    """Mark an operation whose answers, failures included, come in the envelope."""
    view.enveloped = True  # type: ignore[attr-defined]
    return view


def is_enveloped() -> bool:
    """Whether the operation of this request answers in the envelope."""
    if request.endpoint is None:
        return False
    return getattr(current_app.view_functions.get(request.endpoint), "enveloped", False)


def success(value: Any) -> dict[str, Any]:
    """The envelope of an operation that went well."""
    return {
        "isFailed": False,
        "isSuccess": True,
        "reasons": [],
        "errors": [],
        "successes": [],
        "valueOrDefault": value,
        "value": value,
    }


def _failure(
    status: int, code: str, message: str, errors: Sequence[FieldError], details: dict[str, Any]
) -> dict[str, Any]:
    if errors:
        listed = [
            {
                "message": error.message,
                "metadata": {"code": code, "field": error.field, "rule": error.rule},
                "reasons": [],
            }
            for error in errors
        ]
    else:
        listed = [{"message": message, "metadata": {"code": code, **details}, "reasons": []}]
    return {
        "isFailed": True,
        "isSuccess": False,
        "reasons": [{"message": entry["message"], "metadata": entry["metadata"]} for entry in listed],
        "errors": listed,
        "successes": [],
        "valueOrDefault": None,
        "value": None,
        "requestId": g.get("request_id"),
    }


def _problem(
    status: int, code: str, message: str, errors: Sequence[FieldError], details: dict[str, Any]
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "code": code,
        "detail": message,
        # of a refusal that opened a request for approval: that one's id; X-Request-Id names the other
        "requestId": details.get("requestId", g.get("request_id")),
    }
    if errors:
        body["errors"] = [{"field": e.field, "rule": e.rule, "message": e.message} for e in errors]
    if "requestId" in details:
        # the request for approval, which the caller cannot know otherwise; ours stands in X-Request-Id as well
        body["requestId"] = details["requestId"]
    return {**details, **body}


def failed(
    status: int,
    code: str,
    message: str,
    *,
    errors: Sequence[FieldError] = (),
    details: dict[str, Any] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """The JSON answer of an operation that did not go well, in the form that the operation documents."""
    if is_enveloped():
        body, mimetype = _failure(status, code, message, errors, details or {}), "application/json"
    else:
        body, mimetype = _problem(status, code, message, errors, details or {}), "application/problem+json"
    response = Response(json.dumps(body), status=status, mimetype=mimetype)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    for name, value in (headers or {}).items():
        response.headers[name] = value
    return response


def failed_as(error: DomainError) -> Response:
    """The same, from a domain error."""
    errors = error.errors if isinstance(error, Invalid) else ()
    wait = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else None
    return failed(error.status, error.code, error.message, errors=errors, details=error.details, headers=wait)
