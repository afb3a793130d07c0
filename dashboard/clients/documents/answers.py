"""Answers that carry a file. Whatever a browser does with one, it runs nothing of it and keeps nothing of it."""

from __future__ import annotations

from flask import Response, current_app

from dashboard.clients.documents.models import ClientDocument
from dashboard.clients.documents.names import content_disposition
from dashboard.clients.documents.store import Store
from dashboard.settings import Settings

#: a file opened by itself is a page of no origin that may load, run and send nothing
SANDBOX = "sandbox; default-src 'none'; frame-ancestors 'none'"


def settings() -> Settings:
    """Those of this application."""
    configured: Settings = current_app.extensions["countinghouse.settings"]
    return configured


def store() -> Store:
    """The folder of documents of this application."""
    return Store(settings().instance_path)


def attachment(document: ClientDocument, content: bytes) -> Response:
    """The file as it was uploaded, to be saved and not opened in place."""
    response = Response(content, content_type=document.media_type)
    response.headers["Content-Disposition"] = content_disposition(document.file_name or "document")
    return _guarded(response)


def picture(content: bytes) -> Response:
    """A picture that we made ourselves of one page."""
    response = Response(content, content_type="image/png")
    response.headers["Content-Disposition"] = "inline"
    return _guarded(response)


def _guarded(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = SANDBOX
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response
