"""How long a quote stands and how old a rate may be; set once, by the application factory."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Terms:
    """`quote_seconds`: from making to expiry. `rate_business_days`: an older rate is stale."""

    quote_seconds: int = 60
    rate_business_days: int = 3


_current = [Terms()]


def install(terms: Terms) -> None:
    _current[:] = [terms]


def terms() -> Terms:
    return _current[0]
