"""Pages of clients, one file per idea. Importing a file puts its views on the blueprint."""

from dashboard.clients.documents.pages import deciding as document_decisions
from dashboard.clients.documents.pages import exporting as document_exports
from dashboard.clients.documents.pages import files as document_files
from dashboard.clients.documents.pages import uploading as document_uploads
from dashboard.clients.pages import (
    activate,
    block,
    deletion,
    exporting,
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
    "activate", "block", "clients", "deletion", "document_decisions", "document_exports", "document_files",
    "document_uploads", "exporting", "flags", "listing", "marks", "notes", "profiles", "reviews", "risk", "show",
    "unblock",
]  # fmt: skip
