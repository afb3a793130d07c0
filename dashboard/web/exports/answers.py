"""Exports as answers of a view: a download with a safe name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from enum import StrEnum
from itertools import islice
from urllib.parse import quote

from flask import Response, current_app, stream_with_context
from werkzeug.wsgi import FileWrapper

from dashboard import clock
from dashboard.errors import Invalid
from dashboard.settings import Settings
from dashboard.web.exports import csv_file
from dashboard.web.exports.listing import About, Listing, Rows, TooManyRows

LONGEST_NAME = 100
_PART = 64 * 1024


class Format(StrEnum):
    """The formats, by the end of their file names."""

    CSV = "csv"
    XLSX = "xlsx"
    PDF = "pdf"

    @classmethod
    def named(cls, text: str) -> Format:
        """From a path or query. Raises Invalid (field `format`)."""
        try:
            return cls(text)
        except ValueError:
            raise Invalid.one("format", "Choose csv, xlsx or pdf.", "enum") from None


def _settings() -> Settings:
    found: Settings = current_app.extensions["countinghouse.settings"]
    return found


def about(
    title: str,
    *,
    filters: Sequence[tuple[str, str]] = (),
    by: str | None = None,
    facts: Sequence[tuple[str, str]] = (),
) -> About:
    """What a file made now in this installation says about itself."""
    settings = _settings()
    return About(
        title=title,
        institution=settings.institution_name,
        as_of=clock.now(),
        zone=settings.zone,
        filters=filters,
        by=by,
        facts=facts,
    )


def file_name(stem: str) -> str:
    """The stem of a file name that every system takes: letters, digits, blank and - _ . , only; never empty."""
    kept = re.sub(r"[^\w\-., ]+", "-", unicodedata.normalize("NFC", stem))
    return re.sub(r"[\s\-]*-[\s\-]*", "-", " ".join(kept.split()))[:LONGEST_NAME].strip(" .-") or "export"


def _disposition(stem: str, form: Format) -> str:
    """RFC 6266: the name in ASCII for old programs, and as it is."""
    name = file_name(stem)
    plain = file_name(unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode())
    return f"attachment; filename=\"{plain}.{form}\"; filename*=UTF-8''{quote(name, safe='')}.{form}"


def answer(
    listing: Listing,
    rows: Rows,
    form: Format,
    *,
    name: str | None = None,
    bom: bool = True,
    expected: int | None = None,
) -> Response:
    """The download. Raises TooManyRows for an XLSX or a PDF that would be too large; CSV takes any number of rows.

    `rows` is called here (for XLSX twice, to count first) or, for CSV, after the view has returned: what it queries
    belongs to the session of the stream. `name` is the file's name without its end; by default title and day.
    `expected`, where the number of rows is known, refuses before anything is read and saves the counting. `bom` marks
    CSV as UTF-8 for spreadsheets.
    """
    response = _MAKERS[form](listing, rows, bom, expected)
    seen = listing.about
    stem = name or f"{seen.title} {seen.as_of.astimezone(seen.zone):%Y-%m-%d}"
    response.headers["Content-Disposition"] = _disposition(stem, form)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _csv(listing: Listing, rows: Rows, bom: bool, _expected: int | None) -> Response:
    parts = stream_with_context(csv_file.chunks(listing, rows, bom=bom))
    return Response(parts, content_type="text/csv; charset=utf-8")


def _xlsx(listing: Listing, rows: Rows, _bom: bool, expected: int | None) -> Response:
    from dashboard.web.exports import xlsx_file

    limit = _settings().export_xlsx_rows
    # counting takes a tenth of the time of writing: nobody waits long for a refusal
    _refuse_beyond(limit, sum(1 for _ in islice(rows(), limit + 1)) if expected is None else expected, "XLSX")
    file = xlsx_file.file_of(listing, rows(), most_rows=limit)
    size = file.seek(0, 2)
    file.seek(0)
    response = Response(
        FileWrapper(file, _PART),
        content_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        direct_passthrough=True,
    )
    response.content_length = size
    return response


def _pdf(listing: Listing, rows: Rows, _bom: bool, expected: int | None) -> Response:
    from dashboard.web.exports import pdf_file

    _refuse_beyond(pdf_file.MOST_ROWS, expected, "PDF")
    return Response(pdf_file.document(listing, rows()), content_type="application/pdf")


def _refuse_beyond(limit: int, expected: int | None, format_name: str) -> None:
    if expected is not None and expected > limit:
        raise TooManyRows(format_name, limit)


_MAKERS: dict[Format, Callable[[Listing, Rows, bool, int | None], Response]] = {
    Format.CSV: _csv,
    Format.XLSX: _xlsx,
    Format.PDF: _pdf,
}
