"""Exports as answers of a view: a download with a safe name."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from itertools import islice
from typing import IO, NamedTuple
from urllib.parse import quote

from flask import Response, current_app, stream_with_context
from werkzeug.wsgi import FileWrapper

from dashboard import clock
from dashboard.database import one_snapshot
from dashboard.errors import Invalid
from dashboard.settings import Settings
from dashboard.web.exports import csv_file
from dashboard.web.exports.listing import About, Listing, Row, Rows, TooManyRows

XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
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

    @classmethod
    def of_a_list(cls, text: str) -> Format:
        """The same for lists, which are no documents. Raises Invalid (field `format`)."""
        if text not in {cls.CSV, cls.XLSX}:
            raise Invalid.one("format", "Choose csv or xlsx.", "enum")
        return cls(text)


#: offers to make an XLSX in the background that is too large for at once; None where nobody could come for it
Offer = Callable[[Listing, str, int | None], Response | None]
_offers: list[Offer] = []


def learn_offer(offer: Offer) -> None:
    """Called by app.py: the queue of exports stands above this package."""
    _offers[:] = [offer]


class Described(NamedTuple):
    """What a view would export. `stem` is the file's name without its end, `expected` how many rows where known."""

    listing: Listing
    rows: Rows
    stem: str
    expected: int | None


_described: ContextVar[list[Described] | None] = ContextVar("described", default=None)


@contextmanager
def describing() -> Iterator[list[Described]]:
    """Within, no file is written: what a view that is called would export is put into the list instead."""
    found: list[Described] = []
    before = _described.set(found)
    try:
        yield found
    finally:
        _described.reset(before)


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
    """The download. A person is offered to have a large XLSX made in the background; CSV takes any number of rows.

    All rows of a file are of one moment. Raises TooManyRows for a PDF, or a machine's XLSX, that would be too large.

    `rows` is called here (for XLSX twice, to count first) or, for CSV, after the view has returned: what it queries
    belongs to the session of the stream. `name` is the file's name without its end; by default title and day.
    `expected`, where the number of rows is known, refuses before anything is read and saves the counting. `bom` marks
    CSV as UTF-8 for spreadsheets.
    """
    seen = listing.about
    stem = name or f"{seen.title} {seen.as_of.astimezone(seen.zone):%Y-%m-%d}"
    wanted = Described(listing, rows, stem, expected)
    if (described := _described.get()) is not None:
        described.append(wanted)
        return Response(status=204)
    if form is Format.XLSX:
        at_once = _at_once(wanted)
        if isinstance(at_once, Response):
            return at_once
        wanted = at_once
    return _as_download(_MAKERS[form](wanted, bom), stem, form)


def handed_out(file: IO[bytes], stem: str) -> Response:
    """An XLSX that is written already, as a download; the server closes the file."""
    return _as_download(_xlsx_file(file), stem, Format.XLSX)


def _as_download(response: Response, stem: str, form: Format) -> Response:
    response.headers["Content-Disposition"] = _disposition(stem, form)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _of_one_moment(rows: Rows) -> Iterator[Row]:
    """The rows as they are at the moment at which the first one is read."""
    with one_snapshot():
        yield from rows()


def _csv(wanted: Described, bom: bool) -> Response:
    parts = csv_file.chunks(wanted.listing, lambda: _of_one_moment(wanted.rows), bom=bom)
    return Response(stream_with_context(parts), content_type="text/csv; charset=utf-8")


def _counted(wanted: Described, limit: int) -> int:
    """How many rows there are, `limit + 1` where they are more. Counting takes a tenth of the time of writing: nobody
    waits long for a refusal."""
    return sum(1 for _ in islice(wanted.rows(), limit + 1)) if wanted.expected is None else wanted.expected


def _at_once(wanted: Described) -> Described | Response:
    """What is made at once, or the offer to make it in the background. Raises TooManyRows."""
    from dashboard.web.exports import xlsx_file

    _refuse_beyond(xlsx_file.MOST_ROWS, wanted.expected, "XLSX")
    if not _offers:
        return wanted
    limit = min(_settings().export_xlsx_at_once, _settings().export_xlsx_rows)
    count = _counted(wanted, limit)
    if count <= limit:
        return wanted._replace(expected=count)
    return _offers[0](wanted.listing, wanted.stem, wanted.expected) or wanted


def _xlsx(wanted: Described, _bom: bool) -> Response:
    from dashboard.web.exports import xlsx_file

    limit = _settings().export_xlsx_rows
    with one_snapshot():
        _refuse_beyond(limit, _counted(wanted, limit), "XLSX")
        return _xlsx_file(xlsx_file.file_of(wanted.listing, wanted.rows(), most_rows=limit))


def _xlsx_file(file: IO[bytes]) -> Response:
    size = file.seek(0, 2)
    file.seek(0)
    response = Response(FileWrapper(file, _PART), content_type=XLSX_TYPE, direct_passthrough=True)
    response.content_length = size
    return response


def _pdf(wanted: Described, _bom: bool) -> Response:
    from dashboard.web.exports import pdf_file

    _refuse_beyond(pdf_file.MOST_ROWS, wanted.expected, "PDF")
    with one_snapshot():
        document = pdf_file.document(wanted.listing, wanted.rows())
    return Response(document, content_type="application/pdf")


def _refuse_beyond(limit: int, expected: int | None, format_name: str) -> None:
    if expected is not None and expected > limit:
        raise TooManyRows(format_name, limit)


_MAKERS: dict[Format, Callable[[Described, bool], Response]] = {
    Format.CSV: _csv,
    Format.XLSX: _xlsx,
    Format.PDF: _pdf,
}
