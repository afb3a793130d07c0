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
    failed or canceled. Work that is `apart` has a runner of its own: however much of it waits, other work goes on.
    """

    key: str
    label: str
    run: Callable[[Run], dict[str, Any]]
    stopped: Callable[[BackgroundJob], None] | None = None
    apart: bool = False


_kinds: dict[str, Kind] = {}


def register(*kinds: Kind) -> None:
    """Called by app.py. Registering the same key again replaces it (a second app in one process)."""
    for kind in kinds:
        _kinds[kind.key] = kind


def kind_of(key: str) -> Kind:
    """Raises KeyError for a kind that nobody registered: a programming error."""
    return _kinds[key]


def registered(*, apart: bool | None = None) -> list[str]:
    """Keys of all kinds, or of those that are apart or are not: a runner takes no work that it does not know."""
    return [key for key, kind in _kinds.items() if apart is None or kind.apart is apart]
