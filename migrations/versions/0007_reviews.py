"""Periodic reviews, the history of risk, marks (PEP, sanctions) and the owners of flags."""

from __future__ import annotations

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Filled by its own change."""
