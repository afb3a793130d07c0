"""Positions of a day, evidence packs, movements between own accounts."""

from __future__ import annotations

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    pass
