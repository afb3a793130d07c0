"""From a provider's row to the way of talking to it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Protocol

from dashboard.settings import Settings
from dashboard.transfers.providers.files import Files
from dashboard.transfers.providers.port import Timing
from dashboard.transfers.providers.sandbox.client import ANSWER_SECONDS, BATCH, Sandbox


class Row(Protocol):
    """A provider's row, as far as it matters here."""

    key: str
    kind: str
    settings: dict[str, Any]


def returns_by_reference(kind: str) -> bool:
    """Whether providers of this kind take a credit of theirs back by its reference, without an account."""
    return (Files if kind == "files" else Sandbox).returns_by_reference


def connected(row: Row, settings: Settings) -> Sandbox | Files:
    """The gateway of a provider; kept by whoever works with it."""
    if row.kind == "files":
        return Files(row.key, settings.instance_path / "outbox" / row.key, batch=int(row.settings.get("batch", 500)))
    url = str(row.settings.get("url") or f"http://127.0.0.1:{settings.sandbox_port}")
    return Sandbox(
        row.key,
        url,
        answer_seconds=float(row.settings.get("answerSeconds", ANSWER_SECONDS)),
        batch=int(row.settings.get("batch", BATCH)),
        timing=_timing(row.settings),
    )


def _timing(said: dict[str, Any]) -> Timing:
    known = Timing()
    return Timing(
        lease=_seconds(said.get("leaseSeconds")) or known.lease,
        not_found_after=_seconds(said.get("notFoundSeconds")) or known.not_found_after,
        ask_after=_seconds(said.get("askSeconds")),
    )


def _seconds(said: Any) -> timedelta | None:
    return timedelta(seconds=float(said)) if said is not None else None
