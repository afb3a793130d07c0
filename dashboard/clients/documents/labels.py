"""A document in a few words, and its state as a badge."""

from __future__ import annotations

from dashboard.clients.badges import Badge
from dashboard.clients.documents.models import ClientDocument
from dashboard.clients.documents.vocabulary import (
    CATEGORY_LABELS,
    KIND_LABELS,
    STATE_LABELS,
    STATE_ROLES,
    DocumentCategory,
    DocumentKind,
    DocumentState,
)


def document_label(document: ClientDocument) -> str:
    """Proof of address · bill.pdf"""
    return f"{CATEGORY_LABELS[DocumentCategory(document.category)]} · {document.file_name or 'erased'}"


def state_badge(state: str) -> Badge:
    one = DocumentState(state)
    return Badge(STATE_ROLES[one], STATE_LABELS[one])


def size_in_words(size: int) -> str:
    """812 KB, 3.4 MB"""
    if size < 1024:
        return f"{size} bytes"
    kilobytes = size / 1024
    return f"{kilobytes:.0f} KB" if kilobytes < 1000 else f"{kilobytes / 1024:.1f} MB"


def kind_label(media_type: str) -> str:
    return KIND_LABELS[DocumentKind(media_type)]
