"""What an outside verification (KYC) said of a client, and the events it was told by."""

from __future__ import annotations

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Filled by its own change."""
