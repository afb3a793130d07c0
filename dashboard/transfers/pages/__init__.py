"""Pages of transfers."""

from dashboard.transfers.pages import (
    acting,
    calendars,
    deciding,
    desk,
    exchange,
    listing,
    owned,
    papers,
    providers,
    recipients,
    requests,
    rulebook,
    rules,
    show,
)
from dashboard.transfers.pages.blueprint import transfers

__all__ = [
    "acting", "calendars", "deciding", "desk", "exchange", "listing", "owned", "papers", "providers", "recipients",
    "requests", "rulebook", "rules", "show", "transfers",
]  # fmt: skip
