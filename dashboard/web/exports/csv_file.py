"""CSV (RFC 4180, UTF-8), as a stream of bytes of any length.

The head and the end are records of one cell that starts with `#`. The last one says how many rows there are
(`# rows: 1234`): a file without it was cut off, whatever the connection said.
"""

from __future__ import annotations

import csv
import io
import re
import traceback
from collections.abc import Callable, Generator
from zoneinfo import ZoneInfo

import structlog

from dashboard.web.exports.listing import (
    Column,
    Kind,
    Listing,
    Rows,
    date_of,
    decimal_of,
    moment_of,
    number_of,
    text_of,
)

BOM = b"\xef\xbb\xbf"
CHUNK_CHARACTERS = 64 * 1024

log = structlog.get_logger("countinghouse")

#: how a text begins that spreadsheets compute: the wide signs count as the narrow ones in Asian locales, and invisible
#: characters in front do not always hide a sign
_FORMULA = re.compile(r"[\s\u200b\u2060\ufeff]*[=+\-@＝＋－＠]|[\t\r]")
_PLAIN_NUMBER = re.compile(r"-\d+(\.\d+)?", re.ASCII)


class CutOff(Exception):
    """A stream that failed half-way; it names neither the cause nor a value: servers write it to their own log."""


def harmless(text: str) -> str:
    """The text with an apostrophe in front where a spreadsheet would compute it; a plain number stays one."""
    if _FORMULA.match(text) and not _PLAIN_NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def _first_text(value: object) -> str:
    """A text in the first column: it cannot be taken for a line of the head, or for the last one."""
    text = text_of(value)
    return f"'{text}" if text.startswith("#") else harmless(text)


def _writer_of(column: Column, zone: ZoneInfo, *, first: bool) -> Callable[[object], str]:
    match column.kind:
        case Kind.TEXT:
            return _first_text if first else lambda value: harmless(text_of(value))
        case Kind.AMOUNT:
            return lambda value: f"{decimal_of(value):f}"
        case Kind.NUMBER:
            return lambda value: f"{number_of(value):f}"
        case Kind.DATE:
            return lambda value: date_of(value).isoformat()
        case Kind.MOMENT:
            # with the offset: on the night that the clocks go back an hour is there twice
            return lambda value: moment_of(value).astimezone(zone).isoformat(timespec="milliseconds")


def _note(label: str, words: str) -> list[str]:
    return [" ".join(f"# {label}: {words}".split())]


class _Buffer:
    """Records on their way into bytes."""

    def __init__(self) -> None:
        self._text = io.StringIO(newline="")
        self.add = csv.writer(self._text).writerow

    def full(self) -> bool:
        return self._text.tell() >= CHUNK_CHARACTERS

    def taken(self) -> bytes:
        found = self._text.getvalue().encode()
        self._text.seek(0)
        self._text.truncate()
        return found


def chunks(listing: Listing, rows: Rows, *, bom: bool) -> Generator[bytes, None, None]:
    """The file in parts. `bom` tells spreadsheets that it is UTF-8; programs rather do without.

    Raises CutOff after a last line that says so, when the rows fail half-way.
    """
    zone = listing.about.zone
    writers = [(column.key, _writer_of(column, zone, first=place == 0)) for place, column in enumerate(listing.columns)]
    buffer = _Buffer()
    buffer.add([f"# {' '.join(listing.about.title.split())}"])
    for label, words in listing.about.lines():
        buffer.add(_note(label, words))
    buffer.add([harmless(label) for label in listing.labels()])
    count, failed = 0, False
    if bom:
        yield BOM
    try:
        for row in rows():
            record = [(write, row[key]) for key, write in writers]
            buffer.add(["" if value is None else write(value) for write, value in record])
            count += 1
            if buffer.full():
                yield buffer.taken()
    except Exception as error:
        failed = True
        place = traceback.extract_tb(error.__traceback__)[-1]
        log.error("export cut off", error=type(error).__name__, at=f"{place.filename}:{place.lineno}", rows=count)
    if failed:
        buffer.add(_note("incomplete", f"the export failed after {count} rows; export again"))
        yield buffer.taken()
        # outside the handler: the cause may hold what a row held
        raise CutOff(f"after {count} rows")
    buffer.add(_note("rows", str(count)))
    yield buffer.taken()
