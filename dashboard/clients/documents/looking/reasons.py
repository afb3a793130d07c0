"""Why a file is refused, in a code for machines and a sentence that says what to do."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    EMPTY = "empty"
    HTML = "html"
    SVG = "svg"
    ARCHIVE = "archive"
    UNKNOWN = "unknownType"
    POLYGLOT = "polyglot"
    APPENDED = "appended"
    DAMAGED = "damaged"
    ANIMATED = "animated"
    BOMB = "tooLargeUnpacked"
    COSTLY = "tooCostly"
    PASSWORD = "passwordProtected"  # noqa: S105
    ACTIVE = "activeContent"
    EMBEDDED = "embeddedFile"
    PAGES = "tooManyPages"


AGAIN = "Save it anew as JPEG, PNG, WebP or PDF and upload that."
SENTENCES = {
    Reason.EMPTY: "The file is empty (0 bytes).",
    Reason.HTML: f"This is a web page, whatever its name says. {AGAIN}",
    Reason.SVG: f"This is an SVG drawing, which may hold programs. {AGAIN}",
    Reason.ARCHIVE: "This is an archive or an office document. Upload what is in it, one JPEG, PNG, WebP or PDF each.",
    Reason.UNKNOWN: f"The bytes of this file are no JPEG, PNG, WebP or PDF, whatever its name says. {AGAIN}",
    Reason.POLYGLOT: f"This file is two things at once: a picture or PDF, and a web page, program or archive. {AGAIN}",
    Reason.APPENDED: f"Something stands behind the end of the picture or PDF. {AGAIN}",
    Reason.DAMAGED: f"This file is damaged and cannot be shown whole. {AGAIN}",
    Reason.ANIMATED: "This picture moves. Upload a still one.",
    Reason.BOMB: "This file unpacks to far more than a document needs. Scan it again with a lower resolution.",
    Reason.COSTLY: "Opening this file takes too much time or memory. Scan or print it anew and upload that.",
    Reason.PASSWORD: "This PDF is protected by a password. Save it without one and upload that.",
    Reason.ACTIVE: "This PDF holds a program or an action. Print it into a new PDF and upload that.",
    Reason.EMBEDDED: "This PDF holds another file. Print it into a new PDF and upload the other file by itself.",
    Reason.PAGES: "This PDF has too many pages. Upload it in parts of at most 200 pages.",
}


class NotTaken(Exception):
    """The file is refused; `reason` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason
