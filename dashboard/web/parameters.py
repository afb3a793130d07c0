"""Query parameters of machines: everything arrives as text, so each kind says how it is read."""

from __future__ import annotations

import re
from typing import Any

from pydantic import BeforeValidator

_DIGITS = re.compile(r"[0-9]{1,9}")


def each(value: Any) -> Any:
    """`a,b` and `a&…=b` are the same list; empty parts are nothing."""
    if not isinstance(value, list):
        return value
    return [part.strip() for entry in value for part in str(entry).split(",") if part.strip()]


def whole(value: Any) -> Any:
    """Digits as a number; other text is refused."""
    if isinstance(value, str):
        if not _DIGITS.fullmatch(value):
            raise ValueError("must be a whole number")
        return int(value)
    return value


def _truth(value: Any) -> Any:
    if isinstance(value, str):
        if value not in {"true", "false"}:
            raise ValueError("must be true or false")
        return value == "true"
    return value


def _unset(value: Any) -> Any:
    """An empty parameter is none."""
    return None if value == "" else value


#: a list that may be repeated or comma separated
Listed = BeforeValidator(each)
Whole = BeforeValidator(whole)
Truth = BeforeValidator(_truth)
#: an empty text is as good as no parameter
Unset = BeforeValidator(_unset)
