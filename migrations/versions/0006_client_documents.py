"""Documents of clients: uploads, their review, their expiry."""

from __future__ import annotations

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Filled by its own change."""
