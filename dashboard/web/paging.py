"""Keyset cursors. A cursor is sealed (Fernet): nobody can read the key of a row in it, or bend it.

It is bound to sort and filters: another list's cursor is refused. Rows committed before the first page and
unchanged in the sort key appear exactly once, whatever is added meanwhile.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from cryptography.fernet import Fernet, InvalidToken
from flask import current_app

from dashboard.errors import DomainError
from dashboard.web import json

DEFAULT_PAGE_SIZE = 50
LARGEST_PAGE_SIZE = 200

Row = TypeVar("Row")


class InvalidCursor(DomainError):
    """The cursor was made by another list, or was changed."""

    status = 400
    code = "invalidCursor"


@dataclass(frozen=True)
class Position:
    """The sort key of the row at the edge of a page; `backwards` asks for the page before it."""

    key: list[Any]
    backwards: bool = False


def _sealer() -> Fernet:
    secret = str(current_app.secret_key).encode()
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"cursor" + secret).digest()))


def _bound_to(bound: Any) -> str:
    return hashlib.sha256(json.dumps(bound, sort_keys=True).encode()).hexdigest()[:16]


def seal(position: Position, *, bound: Any) -> str:
    """The cursor for a position in the list that `bound` (sort and filters, JSON-ready) describes."""
    document = {"k": position.key, "b": position.backwards, "f": _bound_to(bound)}
    return _sealer().encrypt(json.dumps(document).encode()).decode().rstrip("=")


def unseal(cursor: str | None, *, bound: Any) -> Position | None:
    """The position, or None without a cursor. Raises InvalidCursor."""
    if not cursor:
        return None
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        document = json.loads(_sealer().decrypt(padded))
    except (InvalidToken, ValueError):
        raise InvalidCursor("This cursor is not valid. Start again without a cursor.") from None
    if document["f"] != _bound_to(bound):
        raise InvalidCursor("This cursor belongs to another sort or filter. Start again without a cursor.")
    return Position(document["k"], document["b"])


def neighbours(
    rows: Sequence[Row], position: Position | None, *, size: int, key: Callable[[Row], list[Any]], bound: Any
) -> tuple[list[Row], str | None, str | None]:
    """The rows of a page and the cursors of the pages before and after it, None at an end.

    `rows` are in the order shown, and were asked for with one more than `size`: that one tells whether there is more.
    """
    backwards = position is not None and position.backwards
    more = len(rows) > size
    shown = list(rows[-size:] if backwards else rows[:size])
    if not shown:
        return [], None, None
    before = more if backwards else position is not None
    after = backwards or more
    return (
        shown,
        seal(Position(key(shown[0]), backwards=True), bound=bound) if before else None,
        seal(Position(key(shown[-1])), bound=bound) if after else None,
    )
