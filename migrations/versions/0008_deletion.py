"""Requests for deletion, legal holds, retention and the purge of personal data."""

from __future__ import annotations

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Filled by its own change."""
