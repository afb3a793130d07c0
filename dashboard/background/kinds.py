"""What kinds of work there are, and where `app.py` registers them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dashboard.background.models import BackgroundJob

if TYPE_CHECKING:
    from dashboard.background.runner import Run


@dataclass(frozen=True)
class Kind:
    """`run` does the work in transactions of its own and gives figures for the result, no personal data.

    It is called again from the beginning when a runner was lost, so what it does twice must have the effect of once;
    `Run.checkpoint` tells how far an earlier runner came. `stopped` runs in the transaction that ends the work as
    failed or canceled.
    """

    key: str
    label: str
    run: Callable[[Run], dict[str, Any]]
    stopped: Callable[[BackgroundJob], None] | None = None


_kinds: dict[str, Kind] = {}


def register(*kinds: Kind) -> None:
    """Called by app.py. Registering the same key again replaces it (a second app in one process)."""
    for kind in kinds:
        _kinds[kind.key] = kind


def kind_of(key: str) -> Kind:
    """Raises KeyError for a kind that nobody registered: a programming error."""
    return _kinds[key]


def registered() -> list[str]:
    """Keys of all kinds: a runner takes no work that it does not know."""
    return list(_kinds)
