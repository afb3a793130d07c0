"""Signatures of requests to Sumsub's API: HMAC-SHA256 over time, method, path with query, and the body's bytes."""

from __future__ import annotations

import hashlib
import hmac

APP_TOKEN = "X-App-Token"  # noqa: S105
TIME = "X-App-Access-Ts"
SIGNATURE = "X-App-Access-Sig"

#: how far the time of a request may lie from Sumsub's clock
SKEW_SECONDS = 60


def signature(secret_key: str, *, seconds: int, method: str, target: str, body: bytes = b"") -> str:
    """Lower-case hexadecimal digits. `seconds`: Unix time; `target`: path with query, exactly as it is sent."""
    signed = f"{seconds}{method.upper()}{target}".encode() + body
    return hmac.new(secret_key.encode(), signed, hashlib.sha256).hexdigest()


def headers(app_token: str, secret_key: str, *, seconds: int, method: str, target: str) -> dict[str, str]:
    """The three headers of a request without a body."""
    return {
        APP_TOKEN: app_token,
        TIME: str(seconds),
        SIGNATURE: signature(secret_key, seconds=seconds, method=method, target=target),
    }
