"""Pages of clients, one file per idea. Importing a file puts its views on the blueprint."""

from dashboard.clients.pages import (
    activate,
    block,
    flags,
    listing,
    marks,
    notes,
    profiles,
    reviews,
    risk,
    show,
    unblock,
)
from dashboard.clients.pages.blueprint import clients

__all__ = [
    "activate", "block", "clients", "flags", "listing", "marks", "notes", "profiles", "reviews", "risk", "show",
    "unblock",
]  # fmt: skip
