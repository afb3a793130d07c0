"""Pages of clients, one file per idea. Importing a file puts its views on the blueprint."""

from dashboard.clients.pages import (
    activate,
    block,
    deletion,
    flags,
    listing,
    notes,
    profiles,
    show,
    unblock,
)
from dashboard.clients.pages.blueprint import clients

__all__ = ["activate", "block", "clients", "deletion", "flags", "listing", "notes", "profiles", "show", "unblock"]
