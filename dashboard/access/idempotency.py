"""`Idempotency-Key`: the same request sent twice is done once and answered alike.

A key belongs to a token, method and path; the hash of the raw body tells a repetition from another request. The key
is inserted first, in the transaction of the work, so that a repetition waits for the first on the unique index; the
stored answer is then read in a new statement. A 4xx is an answer like any other; a 5xx stores nothing. Kept 7 days.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any

import sqlalchemy as sa
from flask import Flask, Response, current_app, request
from flask_openapi3.models import Schema
from flask_openapi3.models.data_type import DataType
from flask_openapi3.models.parameter import Parameter, ParameterInType
from flask_openapi3.models.response import Response as OpenAPIResponse
from werkzeug.exceptions import HTTPException

from dashboard import clock
from dashboard.access.guard import access_of, current_actor
from dashboard.access.models import IdempotencyKey
from dashboard.database import enclosing, session
from dashboard.errors import Conflict, DomainError, Invalid
from dashboard.web import envelope
from dashboard.web.api import documented_errors

HEADER = "Idempotency-Key"
#: in the request's environment: somebody before has waited for the first request with this key already
WAITED = "countinghouse.waited"
KEPT = timedelta(days=7)
_DEADLOCK = "40P01"
_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_CREATES_OR_MOVES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class InProgress(Conflict):
    """The first request with this key still runs after the wait."""

    code = "inProgress"
    retry_after = 1


def reads_only(view: Callable[..., Any]) -> Callable[..., Any]:
    """Marks an operation that is a POST only because its filter is a document: a key means nothing to it."""
    view.reads_only = True  # type: ignore[attr-defined]
    return view


def checked_key(raw: str) -> str:
    """Raises Invalid for a key that is empty, too long or not plain visible ASCII."""
    if not is_key(raw):
        raise Invalid.one(HEADER, "Use 1 to 200 visible ASCII characters.", "pattern")
    return raw


def is_key(raw: str) -> bool:
    """Whether the header's value is a key."""
    return _KEY.fullmatch(raw) is not None


def body_hash() -> bytes:
    """SHA-256 of the raw body."""
    return hashlib.sha256(request.get_data(cache=True)).digest()


def _place(key: str) -> dict[str, Any]:
    return {"token_id": current_actor().token_id, "method": request.method, "path": request.path, "key": key}


# Each stands ready: to build one takes longer than the database needs for it.
_CLAIM = sa.text(
    "INSERT INTO idempotency_key (token_id, method, path, key, body_hash, created_at)"
    " VALUES (:token_id, :method, :path, :key, :body_hash, :created_at) ON CONFLICT DO NOTHING RETURNING 1"
)
_REMEMBER = sa.text(
    "UPDATE idempotency_key SET status = :status, content_type = :content_type, answer = :answer"
    " WHERE token_id = :token_id AND method = :method AND path = :path AND key = :key"
)


def claim(key: str) -> Response | None:
    """Take the key within the current transaction; None when it is ours now, else the first answer.

    Raises InProgress, and Conflict `keyReused` where the key was sent with another body.
    """
    try:
        taken = session().execute(_CLAIM, _place(key) | {"body_hash": body_hash(), "created_at": clock.now()}).first()
    except sa.exc.OperationalError as error:
        if getattr(error.orig, "sqlstate", None) != "55P03":
            raise
        session().rollback()
        raise InProgress("The first request with this key still runs. Ask again.") from None
    if taken:
        return None
    return stored(key)


def stored(key: str) -> Response:
    """The first answer to the key, byte for byte. Raises Conflict where the key was sent with another body."""
    table = IdempotencyKey
    row = (
        session()
        .execute(sa.select(table.body_hash, table.status, table.content_type, table.answer).filter_by(**_place(key)))
        .first()
    )
    if row is None:
        # it was swept between the two statements
        raise InProgress("The first request with this key still runs. Ask again.")
    if bytes(row.body_hash) != body_hash():
        raise Conflict("This key was sent before with another body. Use a new one.", code="keyReused")
    answer = Response(row.answer, status=row.status, content_type=row.content_type)
    answer.headers["Idempotent-Replayed"] = "true"
    return answer


def remember(key: str, answer: Response) -> None:
    """Keep the answer with the key that this transaction claimed."""
    said = {"status": answer.status_code, "content_type": answer.content_type, "answer": answer.get_data(as_text=True)}
    session().execute(_REMEMBER, _place(key) | said)


def _answered(view: Callable[..., Any], arguments: dict[str, Any]) -> Response:
    try:
        return current_app.make_response(view(**arguments))
    except DomainError as error:
        if error.status >= 500:
            raise
        return envelope.failed_as(error)
    except HTTPException as error:
        if error.response is None or error.response.status_code >= 500:
            raise
        return current_app.make_response(error.response)  # type: ignore[arg-type]


def _wrapped(view: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(view)
    def once(**arguments: Any) -> Any:
        raw = request.headers.get(HEADER)
        if raw is None:
            return view(**arguments)
        key = checked_key(raw)
        if request.environ.get(WAITED):
            raise InProgress("The first request with this key still runs. Ask again.")
        try:
            return _under(key, view, arguments)
        except sa.exc.OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != _DEADLOCK:
                raise
            # the quick way takes the key last: it had the accounts that we wanted, and wanted our key; now it is done
            return _under(key, view, arguments)

    return once


def _under(key: str, view: Callable[..., Any], arguments: dict[str, Any]) -> Response:
    with enclosing():
        answer = claim(key)
        if answer is None:
            answer = _answered(view, arguments)
            # an answer that says when to ask again is no last word
            if answer.status_code >= 500 or answer.is_streamed or "Retry-After" in answer.headers:
                session().execute(sa.delete(IdempotencyKey).filter_by(**_place(key)))
            else:
                remember(key, answer)
    return answer


def applies(app: Flask, endpoint: str, methods: set[str]) -> bool:
    """Whether the operation takes the header."""
    access = access_of(app, endpoint)
    view = app.view_functions[endpoint]
    return bool(access and access.audience and methods & _CREATES_OR_MOVES and not getattr(view, "reads_only", False))


def install(app: Flask) -> None:
    """Wrap every operation of machines that creates or moves, after all are registered."""
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if applies(app, rule.endpoint, set(rule.methods or ())) and not getattr(view, "idempotent", False):
            wrapped = _wrapped(view)
            wrapped.idempotent = True  # type: ignore[attr-defined]
            app.view_functions[rule.endpoint] = wrapped
            _document(app, rule.rule, set(rule.methods or ()), getattr(view, "enveloped", False))


def _document(app: Any, path: str, methods: set[str], enveloped: bool) -> None:
    """Say in the API document that the operation takes the header, and what a repetition may answer."""
    item = app.paths.get(re.sub(r"<(?:[^<:]+:)?([^>]+)>", r"{\1}", path))
    for method in methods & _CREATES_OR_MOVES:
        operation = getattr(item, method.lower(), None)
        if operation is None or any(known.name == HEADER for known in operation.parameters or []):
            # a second application in this process shares the document's parts
            continue
        header = Parameter.model_validate(
            {
                "name": HEADER,
                "in": ParameterInType.HEADER,
                "required": False,
                "description": "The same request sent twice is done once and answered alike; kept for 7 days.",
                "schema": Schema(type=DataType.STRING, pattern="^[!-~]{1,200}$"),
            }
        )
        operation.parameters = [*(operation.parameters or []), header]
        for status, described in documented_errors(409, enveloped=enveloped).items():
            if status == 409:
                operation.responses.setdefault("409", OpenAPIResponse(**described))


def sweep() -> int:
    """Forget keys older than seven days; gives how many."""
    gone = session().execute(sa.delete(IdempotencyKey).where(IdempotencyKey.created_at < clock.now() - KEPT))
    return int(gone.rowcount)  # type: ignore[attr-defined]
