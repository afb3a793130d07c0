"""What every JSON operation shares: strict bodies, schemas, documented errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from flask import Flask, Request, Response, request
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from dashboard.errors import DomainError, FieldError, Invalid
from dashboard.web import envelope, json

View = TypeVar("View", bound=Callable[..., Any])

#: first segments of documented paths; everything else is a page
API_ROOTS = frozenset(
    {
        "internal", "integration", "v2", "Client", "Accounts", "Transactions", "BaasProvider", "Confirmations",
        "Documents", "Recipients", "Transfers",
    }
)  # fmt: skip


def is_api_path(path: str) -> bool:
    """Whether the caller is a machine, judged by the path: also for addresses that do not exist."""
    return path.lstrip("/").partition("/")[0] in API_ROOTS


class Malformed(DomainError):
    """The body is no JSON object."""

    status = 400
    code = "malformedBody"


class TooLarge(DomainError):
    """The body says that it is larger than it may be; it is not read."""

    status = 413
    code = "tooLarge"


class UnsupportedMediaType(DomainError):
    status = 415
    code = "unsupportedMediaType"


def _no_control(text: str) -> str:
    """PostgreSQL text cannot hold NUL, and no name needs a control character."""
    if any((ord(letter) < 32 and letter not in "\t\n\r") or ord(letter) == 127 for letter in text):
        raise ValueError("control characters are not allowed")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("this is no valid Unicode text") from None
    return text


def _only_text(value: Any) -> Any:
    if value is not None and not isinstance(value, str):
        raise ValueError("must be a string")
    return value


def _only_boolean(value: Any) -> Any:
    if value is not None and not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _only_number(value: Any) -> Any:
    if isinstance(value, bool | str | bytes):
        raise ValueError("must be a number")
    # 1e999999999 is a short text and an endless number
    if isinstance(value, Decimal) and value and abs(value.adjusted()) > LONGEST_NUMBER:
        raise ValueError("the number is out of range")
    return value


def _date_text(value: Any) -> Any:
    """A date is written 2019-08-24; a date-time or a number (of seconds, say) is not one."""
    if isinstance(value, str) and not _DATE.fullmatch(value):
        raise ValueError("must be a date such as 2019-08-24")
    return _only_text(value)


_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

#: powers of ten beyond which a number is refused before anything is computed with it
LONGEST_NUMBER = 30

#: the two parts of `Text`, for fields that have constraints of their own between them
TextGuard = BeforeValidator(_only_text)
NoControl = AfterValidator(_no_control)
Text = Annotated[str, TextGuard, NoControl]
Boolean = Annotated[bool, BeforeValidator(_only_boolean)]
NumberGuard = BeforeValidator(_only_number)
DateGuard = BeforeValidator(_date_text)


class Body(BaseModel):
    """Base of request schemas: camelCase only, and an unknown field is an error that names it."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid")


class Answer(BaseModel):
    """Base of answer schemas, for the document."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class ProblemField(Answer):
    field: str
    rule: str
    message: str


class Problem(Answer):
    """RFC 9457 problem details."""

    type: str = "about:blank"
    title: str
    status: int
    code: str = Field(description="Stable, for machines.")
    detail: str
    request_id: str | None = None
    errors: list[ProblemField] | None = None


class EnvelopeError(Answer):
    message: str | None
    metadata: dict[str, Any] | None
    reasons: list[dict[str, Any]] | None


class FailedEnvelope(Answer):
    """The result envelope of an operation that failed: `metadata.code` is stable, `metadata.field` names the field."""

    is_failed: bool = True
    is_success: bool = False
    reasons: list[dict[str, Any]] | None
    errors: list[EnvelopeError] | None
    successes: list[dict[str, Any]] | None
    value_or_default: None = None
    value: None = None
    request_id: str | None = None


_DESCRIPTIONS = {
    400: "A field breaks a rule; the answer names field and rule. Nothing was changed.",
    401: "No token, or an unknown, expired or revoked one.",
    403: "Wrong audience or scope, or a second person must decide (`approvalRequired`).",
    404: "There is no such object, or it is not yours.",
    405: "The path knows other methods; see `Allow`.",
    409: "It is there already, or changed meanwhile.",
    413: "The body is larger than allowed.",
    415: "The body is not `application/json`.",
    422: "A rule of the bank refuses; `code` says which.",
    429: "Too often; `Retry-After` says when to ask again.",
    500: "Our fault; `requestId` finds it in the log. Nothing was changed.",
    503: "Something outside the house does not answer; ask again later.",
}


def _failure_content(status: int, enveloped: bool) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    if not enveloped or status == 405:
        return problem
    envelope_ = {"application/json": {"schema": {"$ref": "#/components/schemas/FailedEnvelope"}}}
    # a malformed identifier in the path reaches no operation, so nothing knows that it answers in the envelope
    return {**envelope_, **problem} if status == 404 else envelope_


def documented_errors(*statuses: int, enveloped: bool = False) -> dict[str | int, Any]:
    """The failure answers of an operation, for the OpenAPI document: these and those that every operation has."""
    return {
        status: {"description": _DESCRIPTIONS[status], "content": _failure_content(status, enveloped)}
        for status in sorted({*statuses, 400, 401, 403, 405, 429, 500})
    }


#: rules of pydantic in our own stable words
_RULES = {
    "missing": "required",
    "extra_forbidden": "unknown",
    "string_too_short": "tooShort",
    "string_too_long": "tooLong",
    "string_pattern_mismatch": "pattern",
    "string_unicode": "value",
    "enum": "enum",
    "literal_error": "enum",
    "uuid_parsing": "uuid",
    "uuid_type": "uuid",
    "date_from_datetime_parsing": "date",
    "date_parsing": "date",
    "date_type": "date",
    "date_from_datetime_inexact": "date",
    "value_error": "value",
    "greater_than_equal": "range",
    "less_than_equal": "range",
    "greater_than": "range",
    "less_than": "range",
    "too_long": "tooLong",
    "int_from_float": "type",
    "int_parsing": "type",
    "int_parsing_size": "range",
    "decimal_max_digits": "range",
    "decimal_max_places": "range",
    "decimal_whole_digits": "range",
    "model_attributes_type": "type",
    "none_required": "type",
}

#: fields named in one answer; a body may hold a hundred thousand unknown ones
MOST_ERRORS = 100


_OBJECT = "This must be a JSON object."
_FIXED = {
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dict_type": _OBJECT,
    "none_required": "This must be null.",
}


def _sentence(rule: str, message: str) -> str:
    fixed = {
        "required": "This field is required.",
        "unknown": "This field is not known here.",
        "uuid": "This must be a UUID.",
        "date": "This must be a date such as 2019-08-24.",
    }
    if rule in fixed:
        return fixed[rule]
    message = message.removeprefix("Value error, ")
    return message[:1].upper() + message[1:] + ("" if message.endswith(".") else ".")


def field_errors(error: ValidationError) -> list[FieldError]:
    """Pydantic's findings as ours: dotted field, stable rule, a sentence. Never the offending value."""
    found = []
    for entry in error.errors(include_url=False, include_input=False, include_context=False):
        kind = entry["type"]
        rule = _RULES.get(kind, "type" if kind.endswith("_type") else kind)
        name = ".".join(str(part) for part in entry["loc"]) or "body"
        message = _FIXED.get(kind) or _sentence(rule, entry["msg"])
        # half a surrogate pair is a possible name of a JSON field, but cannot be sent back
        found.append(FieldError(name[:200].encode(errors="replace").decode(), message, rule))
    return found[:MOST_ERRORS]


def validation_failed(error: ValidationError) -> Response:
    """flask-openapi3's callback."""
    return envelope.failed_as(Invalid(field_errors(error)))


def _read_body(current: Request) -> None:
    """Refuse what is no JSON object before any schema sees it (facts: a JSON string would be parsed again)."""
    raw = current.get_data(cache=True)
    if not raw:
        return
    if not current.is_json:
        raise UnsupportedMediaType("Send the body as application/json.")
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        raise Malformed("The body is no valid JSON.") from None
    if not isinstance(document, dict):
        raise Malformed("The body must be a JSON object.")
    # what was read once is not read again by the schema
    current._cached_json = (document, document)


def takes_bodies_of(size: int) -> Callable[[View], View]:
    """Marks a view whose bodies may be larger than usual, in bytes."""

    def mark(view: View) -> View:
        view.largest_body = size  # type: ignore[attr-defined]
        return view

    return mark


def reads_raw_body(view: View) -> View:
    """Marks an operation that looks at its body itself, before anything reads it: its signature comes first."""
    view.raw_body = True  # type: ignore[attr-defined]
    return view


#: what a form with a file holds beside the file: names of fields, boundaries, a token, a few words
AROUND_A_FILE = 64 * 1024
#: of all fields that are no file together, and of what the parser holds of a file at a time (64 KB and what was left)
FORM_MEMORY = 512 * 1024
#: of a field that is no file, in characters: fields are tried as JSON, and a long nest of brackets ends that badly
LONGEST_FORM_FIELD = 200


def takes_a_file(view: View) -> View:
    """Marks a view that takes one uploaded file as multipart/form-data; `install` says how large it may be."""
    view.takes_a_file = True  # type: ignore[attr-defined]
    return view


def _read_form(current: Request) -> None:
    """Refuse what is no form with a file in it, before any schema sees it."""
    if current.mimetype != "multipart/form-data":
        raise UnsupportedMediaType("Send the file as multipart/form-data, in the field `file`.")
    if "Idempotency-Key" in current.headers:
        # a repetition is known by the raw body, which a form that has been read no longer shows
        raw = current.get_data(cache=True)
        if len(raw) >= (current.max_content_length or 0):
            # a body that did not say how long it is was cut off at the limit
            raise TooLarge("The body is larger than allowed.")
    current.max_form_memory_size = FORM_MEMORY
    for name, value in current.form.items(multi=True):
        if len(value) > LONGEST_FORM_FIELD:
            raise Invalid.one(name[:100], f"Use at most {LONGEST_FORM_FIELD} characters.", "tooLong")


def install(app: Flask, *, largest_file: int) -> None:
    """Check bodies of machines after the guard has let them in. `largest_file` in bytes, for views that take one."""

    @app.before_request
    def check_body() -> None:
        if request.endpoint is None or request.method not in {"POST", "PUT", "PATCH", "DELETE"}:
            return
        view = app.view_functions[request.endpoint]
        with_file = getattr(view, "takes_a_file", False)
        largest = largest_file + AROUND_A_FILE if with_file else getattr(view, "largest_body", None)
        if largest is not None:
            request.max_content_length = largest
        if with_file and (request.content_length or 0) > largest_file + AROUND_A_FILE:
            raise TooLarge(f"The file is larger than {largest_file // 1024**2} MB. Nothing of it was read.")
        if is_api_path(request.path):
            if with_file:
                _read_form(request)
            elif not getattr(view, "raw_body", False):
                _read_body(request)


def examples(**named: tuple[str, Any]) -> dict[str, Any]:
    """OpenAPI examples of a request body: name to (summary, value)."""
    return {name: {"summary": summary, "value": value} for name, (summary, value) in named.items()}


def listed(items: Sequence[Any], next_cursor: str | None, total: int | None = None) -> dict[str, Any]:
    """The answer of every list."""
    answer: dict[str, Any] = {"items": list(items), "nextCursor": next_cursor}
    if total is not None:
        answer["totalCount"] = total
    return answer
