"""How long transfers wait for what. Set once by the application factory."""

from __future__ import annotations

from datetime import timedelta

_minutes: dict[str, int] = {}


def install(*, confirmation_minutes: int, duplicate_minutes: int) -> None:
    """Take the periods from the settings."""
    _minutes.update(confirmation=confirmation_minutes, duplicate=duplicate_minutes)


def confirmation() -> timedelta:
    """How long a transfer waits for its confirmation code."""
    return timedelta(minutes=_minutes["confirmation"])


def duplicate() -> timedelta:
    """Within how much time the same transfer made again is looked at by a person."""
    return timedelta(minutes=_minutes["duplicate"])
