"""Register and treasury days: what may not change, and who may change the rest."""

from __future__ import annotations

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    pass
