"""Who asks the quick way for something, and how it is kept."""

from __future__ import annotations

from typing import NamedTuple


class Asking(NamedTuple):
    """`secret` is the hash of the token's; `digest` that of the body, where there is a key."""

    secret: str
    address: str | None
    request: str
    key: str | None
    method: str
    path: str
    digest: bytes | None
