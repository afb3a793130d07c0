"""What a domain tells about one kind of request, and where `app.py` registers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals.models import ApprovalRequest


@dataclass(frozen=True)
class Kind:
    """`fingerprint` locks the object and gives the fields that must not have changed since the request.

    `execute` is the verb; it runs in the deciding transaction with the decider as actor. `label` is said before
    the subject, or around it where an ellipsis stands: "Unblock Ilves OÜ", "Activate Ilves OÜ by hand". `done` is
    said before the subject afterwards: "Unblocked Ilves OÜ". Money, unblocking and risk are never `bulk_safe`.
    """

    key: str
    label: str
    permission: Permission
    fingerprint: Callable[[ApprovalRequest], dict[str, Any]]
    execute: Callable[[ApprovalRequest, Actor], None]
    bulk_safe: bool = False
    done: str = "Approved:"

    def about(self, subject: str) -> str:
        """What is asked, in words."""
        return self.label.replace("…", subject) if "…" in self.label else f"{self.label} {subject}"


_kinds: dict[str, Kind] = {}


def register(*kinds: Kind) -> None:
    """Called once, by app.py. Registering the same key again replaces it (a second app in one process)."""
    for kind in kinds:
        _kinds[kind.key] = kind


def kind_of(key: str) -> Kind:
    """Raises KeyError for a kind that nobody registered: a programming error."""
    return _kinds[key]


def registered() -> list[Kind]:
    """All kinds, in the order of registration."""
    return list(_kinds.values())
