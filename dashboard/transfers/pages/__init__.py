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
    rules,
    show,
)
from dashboard.transfers.pages.blueprint import transfers

__all__ = [
    "acting", "calendars", "deciding", "desk", "exchange", "listing", "owned", "papers", "providers", "recipients",
    "requests", "rules", "show", "transfers",
]  # fmt: skip
