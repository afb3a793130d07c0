"""Signatures of callbacks: HMAC-SHA256 over the raw body."""

from __future__ import annotations

import hashlib
import hmac

HEADER = "X-Sandbox-Signature"


def signature(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def is_signed(secret: str | None, body: bytes, said: str | None) -> bool:
    """Compared in constant time. Without a secret nothing is signed."""
    if not secret or not said or not said.isascii():
        return False
    return hmac.compare_digest(signature(secret, body), said)
