"""What kind of file it is, by its bytes; the name says nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from dashboard.treasury.statements.reading import camt, csv_rows, mt
from dashboard.treasury.statements.reading.csv_rows import Rules
from dashboard.treasury.statements.reading.stream import Item, Unreadable

LARGEST_FILE = 1024**3
_MARKS = {
    b"PK\x03\x04": "This is a ZIP archive or an Excel file. Unpack it, or save it as CSV.",
    b"\x1f\x8b": "This is a gzip archive. Unpack it first.",
    b"%PDF": "This is a PDF. Ask the bank for camt.053, MT940 or CSV.",
    b"\xd0\xcf\x11\xe0": "This is an old Excel file. Save it as CSV.",
}

#: an object or a list as JSON begins; a SWIFT message begins with a brace too, and is asked for before
_JSON = re.compile(rb'(?:\xef\xbb\xbf)?\s*(?:\{\s*["}]|\[\s*[\[{"\]])')


def format_of(path: Path) -> str:
    """camt.052, camt.053, camt.054, mt940, mt942 or csv. Raises Unreadable."""
    size = path.stat().st_size
    if size == 0:
        raise Unreadable("The file is empty.")
    if size > LARGEST_FILE:
        raise Unreadable(f"The file is larger than {LARGEST_FILE // 1024**2:,} MB.")
    with path.open("rb") as file:
        beginning = file.read(4096)
    for mark, told in _MARKS.items():
        if beginning.startswith(mark):
            raise Unreadable(told)
    if _is_xml(beginning):
        return camt.format_of(path)
    if mt.looks_like_one(beginning.decode("latin-1")):
        return mt.format_of(path)
    if b"\x00" in beginning and not beginning.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable("This is no text: camt, MT940 or CSV is expected.")
    if _JSON.match(beginning):
        raise Unreadable("This is a JSON file, which no bank statement is. Upload camt, MT940 or CSV.")
    return "csv"


def _is_xml(beginning: bytes) -> bool:
    for encoding, mark in (("utf-16", (b"\xff\xfe", b"\xfe\xff")), ("utf-8-sig", (b"",))):
        if beginning.startswith(mark):
            text = beginning[: len(beginning) // 2 * 2].decode(encoding, errors="replace").lstrip()
            return text.startswith("<")
    return False


def items(
    path: Path, kind: str, *, rules: Rules | None = None, account: str = "", currency: str = ""
) -> Iterator[Item]:
    """The statements of a file of this format. A CSV file needs rules and account. Raises Unreadable."""
    if kind in mt.FORMATS:
        return mt.items(path)
    if kind == "csv":
        if rules is None:
            raise Unreadable("A CSV file needs the bank account that it is of, and its mapping.")
        return csv_rows.items(path, rules, account=account, currency=currency)
    return camt.items(path)
