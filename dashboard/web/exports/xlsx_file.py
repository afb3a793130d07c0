"""XLSX, row by row through openpyxl's write-only mode: memory stays flat. Imported where used, it takes time.

A sheet lies in a temporary file until the workbook is packed; `folder` says where, for data that must lie nowhere else.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, date
from decimal import Decimal
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet import _writer as sheets

from dashboard.web.exports.listing import (
    Column,
    Kind,
    Listing,
    Row,
    at_most,
    date_of,
    decimal_of,
    moment_of,
    number_of,
    places,
    text_of,
)

#: characters that the format holds in one cell
LONGEST_TEXT = 32_767
#: spreadsheets compute with fifteen digits; a longer number would be shown wrong
MOST_DIGITS = 15
#: rows that one sheet holds below its head
MOST_ROWS = 1_048_575
#: the first day that the format knows
FIRST_DAY = date(1900, 1, 1)

#: characters that XML cannot hold
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_WIDTHS = {Kind.TEXT: 26.0, Kind.AMOUNT: 18.0, Kind.DATE: 12.0, Kind.MOMENT: 20.0, Kind.NUMBER: 12.0}
_NOT_IN_A_SHEET_NAME = re.compile(r"[\[\]:*?/\\]")


class _Cells:
    """The cells of one column, one for each format, filled anew for each row: a row is written when it is appended.

    A cell keeps its format: openpyxl registers the object that holds it, and would change all cells written before.
    """

    def __init__(self, sheet: Any) -> None:
        self._sheet = sheet
        self._by_form: dict[str, Any] = {}

    def holding(self, value: object, form: str) -> Any:
        """The cell of this format, with this value."""
        cell = self._by_form.get(form)
        if cell is None:
            cell = self._by_form[form] = WriteOnlyCell(self._sheet)
            cell.number_format = form
        cell.value = value
        return cell

    def text(self, text: str) -> Any:
        """A cell that is a text, whatever it looks like: without the type one that starts with = is computed."""
        text = _UNWRITABLE.sub("\ufffd", text)
        cell = self.holding(text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}…", "General")
        cell.data_type = "s"
        return cell

    def number(self, number: Decimal, whole: str) -> Any:
        """A cell that is a number with its decimals after the format of its whole part; one too long is a text."""
        if len(number.as_tuple().digits) > MOST_DIGITS and len(number.normalize().as_tuple().digits) > MOST_DIGITS:
            return self.text(f"{number:f}")
        decimals = places(number)
        return self.holding(number, f"{whole}.{'0' * decimals}" if decimals else whole)


def _writer_of(column: Column, cells: _Cells, zone: ZoneInfo) -> Callable[[object], Any]:
    """Gives the cell for a value of the column."""

    def day(value: object) -> Any:
        shown = date_of(value)
        return cells.text(shown.isoformat()) if shown < FIRST_DAY else cells.holding(shown, "yyyy-mm-dd")

    def moment(value: object) -> Any:
        local = moment_of(value).astimezone(zone)
        # the format knows no zones: it is named in the head
        shown = local.replace(tzinfo=None, microsecond=local.microsecond // 1000 * 1000)
        return cells.holding(shown, "yyyy-mm-dd hh:mm:ss")

    match column.kind:
        case Kind.TEXT:
            return lambda value: cells.text(text_of(value))
        case Kind.AMOUNT:
            return lambda value: cells.number(decimal_of(value), "#,##0")
        case Kind.NUMBER:
            return lambda value: cells.number(number_of(value), "0")
        case Kind.DATE:
            return day
        case Kind.MOMENT:
            return moment


def _text_row(sheet: Any, *texts: str, bold: int = 0) -> None:
    """A row of texts, the first `bold` of them in bold."""
    cells = [_Cells(sheet).text(text) for text in texts]
    for cell in cells[:bold]:
        cell.font = Font(bold=True)
    sheet.append(cells)


def _sheet_name(title: str) -> str:
    name = " ".join(_NOT_IN_A_SHEET_NAME.sub(" ", _UNWRITABLE.sub(" ", title)).split())[:31].strip("' ")
    return name or "List"


def _lay(sheet: Any, folder: Path | None) -> None:
    """Let the sheet be written in this folder. Called once its columns are known, before its first row."""
    if folder is None:
        return
    handle, path = tempfile.mkstemp(dir=folder, prefix="sheet-")
    os.close(handle)
    # the library removes what it finds here, also when the process ends
    sheets.ALL_TEMP_FILES.append(path)
    sheet._writer = sheets.WorksheetWriter(sheet, out=path)
    sheet._writer.write_top()


def _write_rows(listing: Listing, sheet: Any, rows: Iterable[Row], folder: Path | None) -> int:
    """The list with its head; how many rows it has."""
    labels = listing.labels()
    sheet.freeze_panes = "A2"
    for place, (column, label) in enumerate(zip(listing.columns, labels, strict=True), start=1):
        width = _WIDTHS[column.kind] * (column.share if column.kind is Kind.TEXT else 1)
        sheet.column_dimensions[get_column_letter(place)].width = min(max(width, len(label) + 4), 80)
    _lay(sheet, folder)
    _text_row(sheet, *labels, bold=len(labels))
    writers = [(column.key, _writer_of(column, _Cells(sheet), listing.about.zone)) for column in listing.columns]
    count = 0
    for row in rows:
        values = [(write, row[key]) for key, write in writers]
        sheet.append([None if value is None else write(value) for write, value in values])
        count += 1
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(labels))}{count + 1}"
    return count


def _discard(sheets: Iterable[Any]) -> None:
    """Remove the temporary files of a workbook that is not saved: they hold people's data."""
    for sheet in sheets:
        with suppress(Exception):
            if not sheet.closed:
                sheet.close()
        writer = sheet._writer
        if writer is not None:
            with suppress(OSError, ValueError):
                writer.cleanup()


def file_of(listing: Listing, rows: Iterable[Row], *, most_rows: int) -> IO[bytes]:
    """The workbook as an open temporary file, at its start; the caller closes it. Raises TooManyRows."""
    file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  (handed to the caller)
    try:
        write(listing, rows, file, most_rows=most_rows)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def write(
    listing: Listing, rows: Iterable[Row], file: IO[bytes], *, most_rows: int = MOST_ROWS, folder: Path | None = None
) -> int:
    """Write the workbook into an open file; gives how many rows the list has.

    First sheet: what this is. Second: the list. Raises TooManyRows.
    """
    about = listing.about
    book = Workbook(write_only=True)
    book.properties.title = _UNWRITABLE.sub("\ufffd", about.title)
    book.properties.creator = _UNWRITABLE.sub("\ufffd", about.institution)
    book.properties.created = about.as_of.astimezone(UTC).replace(tzinfo=None)
    described = book.create_sheet("What this is")
    listed = book.create_sheet(_sheet_name(about.title))
    described.column_dimensions["A"].width = 20
    described.column_dimensions["B"].width = 80
    try:
        count = _write_rows(listing, listed, at_most(rows, most_rows, "XLSX"), folder)
        _lay(described, folder)
        _text_row(described, about.title, bold=1)
        for label, words in [*about.lines(), ("Rows", f"{count:,}")]:
            _text_row(described, label, words)
        book.save(file)
    except BaseException:
        _discard([described, listed])
        raise
    return count
