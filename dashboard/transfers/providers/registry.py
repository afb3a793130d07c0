"""From a provider's row to the way of talking to it."""

from __future__ import annotations

from typing import Any, Protocol

from dashboard.settings import Settings
from dashboard.transfers.providers.files import Files
from dashboard.transfers.providers.sandbox.client import ANSWER_SECONDS, BATCH, Sandbox


class Row(Protocol):
    """A provider's row, as far as it matters here."""

    key: str
    kind: str
    settings: dict[str, Any]


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
    )
