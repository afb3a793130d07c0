"""The rail: only what the role may open."""

from __future__ import annotations

from dashboard.web.frame import NavEntry


def entries() -> list[NavEntry]:
    """Entries for the signed-in person, with the counts of what waits."""
    return [NavEntry("Home", "/", True)]
