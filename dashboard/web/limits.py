"""Rate limits whose counts are shared by all processes: a fixed window per key in one unlogged table."""

from __future__ import annotations

import time
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
from flask import Flask, Response, request
from flask_limiter import Limiter
from limits import RateLimitItemPerMinute
from limits.storage import Storage

from dashboard.database import db
from dashboard.errors import DomainError
from dashboard.web.api import is_api_path
from dashboard.web.networks import network_of

#: refusals of one kind that an address may collect in a minute before it is no longer listened to
REFUSALS_A_MINUTE = 30
#: in seconds
MINUTE = 60


class TooMany(DomainError):
    """An address was refused too often, or a token asks too much; `retry_after` says when it is listened to again."""

    status = 429
    code = "tooManyRequests"


def caller() -> str:
    """Who calls, as limits know it: an IPv4 address, of IPv6 the network of 64 bits that one subscriber has."""
    return network_of(request.remote_addr or "unknown")


def was_refused(response: Response) -> bool:
    """What a limit on guessing counts: whoever is right uses up nothing, also of the neighbours behind one address."""
    return response.status_code >= 400


class PostgresStorage(Storage):
    """Counts in PostgreSQL, each hit in a short transaction of its own: a refusal never rolls it back."""

    STORAGE_SCHEME = ["countinghouse"]

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, **options: Any) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions, **options)

    @property
    def base_exceptions(self) -> type[Exception]:
        return sa.exc.SQLAlchemyError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        with db.engine.begin() as connection:
            count = connection.scalar(
                sa.text(
                    "INSERT INTO rate_limit AS r (key, hits, expires_at)"
                    " VALUES (:key, :amount, now() + make_interval(secs => :expiry))"
                    " ON CONFLICT (key) DO UPDATE SET"
                    " hits = CASE WHEN r.expires_at <= now() THEN excluded.hits ELSE r.hits + excluded.hits END,"
                    " expires_at = CASE WHEN r.expires_at <= now() THEN excluded.expires_at ELSE r.expires_at END"
                    " RETURNING hits"
                ),
                {"key": key, "amount": amount, "expiry": expiry},
            )
        return int(count or 0)

    def get(self, key: str) -> int:
        with db.engine.connect() as connection:
            count = connection.scalar(
                sa.text("SELECT hits FROM rate_limit WHERE key = :key AND expires_at > now()"), {"key": key}
            )
        return int(count or 0)

    def get_expiry(self, key: str) -> float:
        with db.engine.connect() as connection:
            moment = connection.scalar(
                sa.text("SELECT extract(epoch FROM expires_at) FROM rate_limit WHERE key = :key"), {"key": key}
            )
        return float(moment or time.time())

    def check(self) -> bool:
        with db.engine.connect() as connection:
            return bool(connection.scalar(sa.text("SELECT 1")) == 1)

    def reset(self) -> int | None:
        with db.engine.begin() as connection:
            return connection.execute(sa.text("DELETE FROM rate_limit")).rowcount

    def clear(self, key: str) -> None:
        with db.engine.begin() as connection:
            connection.execute(sa.text("DELETE FROM rate_limit WHERE key = :key"), {"key": key})


class PageLimiter(Limiter):
    """Machines have no limits of this kind, and a payment has no time to look for them."""

    def _check_request_limit(self, callable_name: str | None = None, in_middleware: bool = True) -> None:
        if not is_api_path(request.path):
            super()._check_request_limit(callable_name, in_middleware)


limiter = PageLimiter(caller, storage_uri="countinghouse://", strategy="fixed-window", headers_enabled=True)


def count_refusal(kind: str) -> None:
    """Count that this caller was refused. Raises TooMany beyond `REFUSALS_A_MINUTE`.

    Asked after the refusal is certain: who holds a good token or signs rightly is never held back by what somebody
    else sent from the same address.
    """
    if not limiter.enabled:
        return
    limit = RateLimitItemPerMinute(REFUSALS_A_MINUTE)
    who = caller()
    if not limiter.limiter.hit(limit, kind, who):
        reset = limiter.limiter.get_window_stats(limit, kind, who).reset_time
        refusal = TooMany("Refused too often from this address. Wait before you try again.")
        refusal.retry_after = max(1, int(reset - time.time()) + 1)
        raise refusal


class _Good:
    """Requests of good tokens, counted in this process: in the database each would cost a statement."""

    most: ClassVar[int] = 0
    #: token to the beginning of its minute (seconds of the monotonic clock) and how many came since
    since: ClassVar[dict[UUID | None, tuple[float, int]]] = {}


def count_good(token_id: UUID | None) -> None:
    """Count one request of a token that is good. Raises TooMany beyond what one token may ask of this process."""
    moment = time.monotonic()
    began, count = _Good.since.get(token_id, (moment, 0))
    if moment - began >= MINUTE:
        began, count = moment, 0
    _Good.since[token_id] = began, count + 1
    if count >= _Good.most:
        refusal = TooMany("This token asks too often. Wait before you ask again.")
        refusal.retry_after = max(1, int(began + MINUTE - moment) + 1)
        raise refusal


def install(app: Flask, *, token_requests_a_minute: int) -> None:
    """Bind the limiter to the application."""
    limiter.init_app(app)
    _Good.most = token_requests_a_minute
    _Good.since.clear()
