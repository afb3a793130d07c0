"""Exact JSON: numbers are read as Decimal and written as number tokens; NaN and Infinity are no numbers."""

from __future__ import annotations

import enum
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NoReturn
from uuid import UUID

import simplejson
from flask.json.provider import JSONProvider


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _default(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso_utc(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, enum.Enum):
        return value.value
    raise TypeError(f"{type(value).__name__} is not JSON-ready")


def iso_utc(moment: datetime) -> str:
    """ISO 8601 in UTC, milliseconds: 2026-03-13T06:42:00.000Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def dumps(value: Any, **kwargs: Any) -> str:
    """JSON text; Decimal stays a number token, exactly."""
    kwargs.setdefault("ensure_ascii", False)
    text: str = simplejson.dumps(value, use_decimal=True, default=_default, ignore_nan=False, allow_nan=False, **kwargs)
    return text


#: no amount, volume or share needs more; reading a longer one takes quadratic time
LONGEST_NUMBER = 40


def _short(token: str) -> str:
    if len(token) > LONGEST_NUMBER:
        raise ValueError("a number has too many digits")
    return token


def _decimal(token: str) -> Decimal:
    return Decimal(_short(token))


def _integer(token: str) -> int:
    return int(_short(token))


def loads(text: str | bytes, **_kwargs: Any) -> Any:
    """Raises ValueError for what is no JSON, NaN and Infinity included."""
    return _DECODER.decode(text.decode() if isinstance(text, bytes) else text)


#: made once: that costs as much as reading a short document
_DECODER = simplejson.JSONDecoder(parse_float=_decimal, parse_int=_integer, parse_constant=_refuse_constant)


class ExactJSON(JSONProvider):
    """Flask's JSON, without floats."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        kwargs.pop("indent", None)
        return dumps(obj)

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        return loads(s)
