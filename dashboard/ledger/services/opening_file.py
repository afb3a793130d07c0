"""The file of opening balances: CSV with the columns accountNumber, currency, amount."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from dashboard.ledger import numbers
from dashboard.money import DECIMALS, LARGEST_MINOR_UNITS

HEADER = ("accountNumber", "currency", "amount")
#: bytes and data rows of one file; a larger ledger comes in several files that each tie out
LARGEST_FILE = 8 * 1024 * 1024
MOST_ROWS = 100_000
#: characters of a bad cell that a refusal repeats
LONGEST_SHOWN = 40

#: what a spreadsheet would compute instead of show; a minus before a number is an amount
_FORMULA = re.compile(r"[=+@\t\r]|-(?![0-9])")
_NUMBER = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{1,30}")
_AMOUNT = re.compile(r"-?[0-9]{1,17}(\.[0-9]{1,6})?")


@dataclass(frozen=True, slots=True)
class FileRow:
    """One good row: `line` of the file, the account's number, signed minor units."""

    line: int
    number: str
    currency: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class RowError:
    """One bad cell: which line and column, which rule, what to do, and what the cell holds."""

    line: int
    column: str
    rule: str
    message: str
    value: str = ""

    @property
    def said(self) -> str:
        """The message and what the cell holds, in one text."""
        return f"{self.message} The file has “{self.value}”." if self.value else self.message


@dataclass(frozen=True)
class Read:
    """What a file says. `refusal`: why it could not be read at all, in words."""

    rows: list[FileRow]
    errors: list[RowError]
    refusal: str | None = None


def _refused(why: str) -> Read:
    return Read([], [], why)


def _shown(cell: str) -> str:
    """A cell as a refusal repeats it: printable, not too long."""
    plain = "".join(letter if letter.isprintable() else " " for letter in cell).strip()
    return plain if len(plain) <= LONGEST_SHOWN else plain[: LONGEST_SHOWN - 1] + "…"


def _amount(cell: str, currency: str) -> int | tuple[str, str]:
    """Minor units, or the rule and the sentence of what is wrong."""
    if not _AMOUNT.fullmatch(cell):
        return "number", "Write a plain number with a decimal point, such as 1250.50 or -1250.50."
    scaled = Decimal(cell).scaleb(DECIMALS[currency])
    if scaled != scaled.to_integral_value():
        return "decimals", f"{currency.upper()} has {DECIMALS[currency]} decimals."
    if scaled == 0:
        return "zero", "Leave out accounts whose balance is zero."
    if abs(scaled) > LARGEST_MINOR_UNITS:
        return "range", "The amount is too large."
    return int(scaled)


def _row(line: int, cells: list[str]) -> FileRow | list[RowError]:
    if len(cells) != len(HEADER):
        message = f"Three columns are expected, here are {len(cells)}."
        return [RowError(line, "row", "columns", message, _shown(",".join(cells)))]
    errors = [
        RowError(
            line, column, "formula", "This cell looks like a formula. Write plain text or a plain number.", _shown(cell)
        )
        for column, cell in zip(HEADER, cells, strict=True)
        if _FORMULA.match(cell)
    ]
    if errors:
        return errors
    number, currency, amount = numbers.normalized(cells[0]), cells[1].strip().lower(), cells[2].strip()
    if not _NUMBER.fullmatch(number):
        errors.append(RowError(line, "accountNumber", "pattern", "Write the IBAN of the account.", _shown(cells[0])))
    if currency not in DECIMALS:
        message = "This currency is not known here; write EUR, say."
        errors.append(RowError(line, "currency", "enum", message, _shown(cells[1])))
        return errors
    minor = _amount(amount, currency)
    if isinstance(minor, tuple):
        errors.append(RowError(line, "amount", *minor, _shown(cells[2])))
        return errors
    return errors or FileRow(line, number, currency, minor)


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Line number, where the row begins, and cells. Raises csv.Error."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    before = 0
    for cells in reader:
        yield before + 1, cells
        before = reader.line_num


def read(content: bytes) -> Read:
    """Read the whole file; every bad row is told, and none is left out. It looks at no account."""
    if len(content) > LARGEST_FILE:
        return _refused(f"The file is larger than {LARGEST_FILE // 1024 // 1024} MB. Split it; each part ties out.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return _refused(f"The file is not UTF-8: line {line}. Save it as CSV UTF-8.")
    if "\0" in text:
        return _refused("The file holds a NUL byte, so it is no CSV file.")
    first = text.partition("\n")[0]
    if ";" in first and "," not in first:
        return _refused("The file is separated by semicolons. Save it with commas and a decimal point.")
    rows: list[FileRow] = []
    errors: list[RowError] = []
    first_seen: dict[str, int] = {}
    line = 0
    try:
        lines = _lines(text)
        _, header = next(lines, (1, []))
        if tuple(header) != HEADER:
            return _refused(f"The first line must be {','.join(HEADER)}, comma separated.")
        for line, cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            found = _row(line, cells)
            if isinstance(found, list):
                errors += found
            elif found.number in first_seen:
                known = first_seen[found.number]
                message = f"Line {known} names this account already."
                errors.append(RowError(line, "accountNumber", "duplicate", message, _shown(cells[0])))
            else:
                first_seen[found.number] = line
                rows.append(found)
            if len(rows) > MOST_ROWS:
                return _refused(f"The file has more than {MOST_ROWS:,} rows. Split it; each part ties out.")
    except csv.Error:
        return _refused(f"The quotes after line {line or 1} do not close. Nothing was read.")
    if not rows and not errors:
        return _refused("The file has no row below its header.")
    return Read(rows, errors)
