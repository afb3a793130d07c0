"""Rate limits whose counts are shared by all processes: a fixed window per key in one unlogged table."""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa
from flask import Flask, request
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from limits.storage import Storage

from dashboard.database import db
from dashboard.web.api import is_api_path


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


limiter = PageLimiter(get_remote_address, storage_uri="countinghouse://", strategy="fixed-window", headers_enabled=True)


def install(app: Flask) -> None:
    """Bind the limiter to the application."""
    limiter.init_app(app)
