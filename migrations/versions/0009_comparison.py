"""Asking the verification service: lost events, and the daily comparison with its states."""

from __future__ import annotations

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Filled by its own change."""
