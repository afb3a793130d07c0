"""Names of files: what somebody typed elsewhere is shown to people and given to their computers, so it is looked at."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

from dashboard.clients.documents.vocabulary import ENDINGS, DocumentKind
from dashboard.errors import Invalid

LONGEST = 150
#: marks that turn the direction of writing, or show nothing: `exe.gpj` reads as `jpg.exe` behind one
_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def checked_name(given: str | None, kind: DocumentKind) -> str:
    """The name as it is shown: blanks put right, an ending that fits. Raises Invalid for tricks: paths, control
    characters, marks that turn the direction, nothing but dots."""
    name = unicodedata.normalize("NFC", given or "").strip()
    if not name:
        raise Invalid.one("file", "The file has no name. Give it one and upload it again.", "fileName")
    if re.search(r"[/\\]", name) or re.fullmatch(r"\.+", name) or re.match(r"[A-Za-z]:", name):
        raise Invalid.one("file", "The file's name holds a path. Rename the file and upload it again.", "fileName")
    if any(unicodedata.category(letter) in _UNSEEN for letter in name):
        raise Invalid.one(
            "file", "The file's name holds characters that cannot be seen. Rename the file and upload it again.",
            "fileName",
        )  # fmt: skip
    name = re.sub(r"\s+", " ", name)
    stem, dot, ending = name.rpartition(".")
    fits = bool(dot and stem) and f".{ending.lower()}" in ENDINGS[kind]
    if not fits:
        stem, ending = name.rstrip(". "), ENDINGS[kind][0][1:]
    return f"{stem[: LONGEST - len(ending) - 1].rstrip('. ')}.{ending}"


def content_disposition(name: str) -> str:
    """The header of a download (RFC 6266): a plain name for old programs, the real one in UTF-8 (RFC 8187)."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if c.isascii() and (c.isalnum() or c in " ._-()"))
    ending = name.rpartition(".")[2]
    stem = plain.rpartition(".")[0].strip(" .") or "document"
    return f"attachment; filename=\"{stem}.{ending}\"; filename*=UTF-8''{quote(name, safe='')}"
