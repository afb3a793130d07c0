"""What a service may raise. The edge (page, API, job, command) turns each into its own kind of answer.

Every error carries a stable `code` for machines and a sentence for people. None of them ever carries
personal data: they end up in logs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FieldError:
    """One field that breaks one rule. `field` is the dotted path as the caller wrote it (`address.country`)."""

    field: str
    message: str
    rule: str = "invalid"


class DomainError(Exception):
    """Something the caller can understand and act on.

    `code` is stable camelCase for machines; `details` is JSON-ready and shown to API callers.
    """

    status = 422
    code = "refused"
    #: seconds after which asking again makes sense
    retry_after: int | None = None

    def __init__(self, message: str, *, code: str | None = None, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.details = details or {}


class NotFound(DomainError):
    """There is no such thing, or it belongs to someone else: both read alike on purpose."""

    status = 404
    code = "notFound"


class Conflict(DomainError):
    """The world changed meanwhile, or the thing is there already."""

    status = 409
    code = "conflict"


class Refused(DomainError):
    """A rule of the bank says no."""

    status = 422
    code = "refused"


class Forbidden(DomainError):
    """The actor lacks the permission or scope."""

    status = 403
    code = "forbidden"


class ApprovalRequired(DomainError):
    """The act needs a second person; the request for it has been opened and its id is in `details`."""

    status = 403
    code = "approvalRequired"


class Invalid(DomainError):
    """One or more fields break a rule; nothing was changed."""

    status = 400
    code = "invalid"

    def __init__(self, errors: Sequence[FieldError], message: str = "Some fields need correction.") -> None:
        super().__init__(message)
        self.errors = list(errors)

    @classmethod
    def one(cls, field_name: str, message: str, rule: str = "invalid") -> Invalid:
        """The usual case: a single field."""
        return cls([FieldError(field_name, message, rule)])
