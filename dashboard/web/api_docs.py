"""The OpenAPI document and Swagger UI, served from here without a foreign host and without inline scripts."""

from __future__ import annotations

from flask import Flask

DESCRIPTION = """
Core banking API. Send `Authorization: Bearer <token>`; tokens are made with `flask tokens create`.

Lists page by `cursor`: rows committed before the first page and unchanged in the sort key appear exactly once.
Failures come as `application/problem+json` with a stable `code` and per-field `errors`, or, where an operation
answers in the result envelope, in the same envelope.
"""


def install(app: Flask) -> None:
    """Replace Swagger UI's own page, which has inline parts that our security policy refuses."""
