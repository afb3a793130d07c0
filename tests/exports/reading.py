"""Reading what a list shows and what its file holds, so that both can be compared cell by cell."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from html.parser import HTMLParser

#: signs that people read and programs do not
_SIGNS = str.maketrans({"−": "-", ",": None, "+": None, "\u00a0": " ", "\u202f": " "})
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+[+-]\d\d:\d\d", re.ASCII)


@dataclass
class Cell:
    """`text` is what is read, titles of what is cut off included; `times` are instants and days in their exact form."""

    text: str = ""
    times: list[str] = field(default_factory=list)

    def holds(self, value: str) -> bool:
        """Whether the cell shows a value of a file."""
        value = value.removeprefix("'")
        if _MOMENT.fullmatch(value):
            moment = datetime.fromisoformat(value).astimezone(UTC).replace(microsecond=0)
            return moment in [datetime.fromisoformat(time).replace(microsecond=0) for time in self.times if "T" in time]
        if _DAY.fullmatch(value):
            day = date.fromisoformat(value)
            return value in self.times or f"{day.day} {day:%b %Y}" in self.text
        if _NUMBER.fullmatch(value):
            return value in [found.group() for found in _NUMBER.finditer(self.text.translate(_SIGNS))]
        return _plain(value) in _plain(self.text)


def _plain(text: str) -> str:
    """Without blanks: numbers of accounts stand in groups on pages."""
    return "".join(text.split()).casefold()


@dataclass
class Table:
    heads: list[str] = field(default_factory=list)
    rows: list[list[Cell]] = field(default_factory=list)


class _Tables(HTMLParser):
    """Tables of a page: heads by name, rows of the body."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Table] = []
        self._part = ""
        self._cell: Cell | None = None
        self.following: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if tag == "table":
            self.found.append(Table())
        elif tag in {"thead", "tbody", "tfoot"}:
            self._part = tag
        elif tag == "tr" and self._part == "tbody":
            self.found[-1].rows.append([])
        elif tag in {"th", "td"} and self._part in {"thead", "tbody"}:
            self._cell = Cell()
        elif tag == "a" and said.get("rel") == "next":
            self.following = said.get("href")
        if self._cell is not None:
            if tag == "time" and said.get("datetime"):
                self._cell.times.append(str(said["datetime"]))
            elif said.get("title"):
                self._cell.text += f" {said['title']} "
            if tag in {"br", "div", "li"}:
                self._cell.text += " "

    def handle_endtag(self, tag: str) -> None:
        if tag in {"th", "td"} and self._cell is not None:
            self._cell.text = " ".join(self._cell.text.split())
            if self._part == "thead":
                self.found[-1].heads.append(self._cell.text)
            else:
                self.found[-1].rows[-1].append(self._cell)
            self._cell = None
        elif tag == "table":
            self._part = ""

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.text += data


def tables_of(page: str) -> tuple[list[Table], str | None]:
    """The tables of a page, and the address of the page after it."""
    reader = _Tables()
    reader.feed(page)
    return reader.found, reader.following


def parsed(text: str) -> tuple[dict[str, str], list[dict[str, str]]]:
    """The head of a CSV file, and its rows by the labels of their columns; moments without their zone."""
    lines = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    notes = [line[0] for line in lines if len(line) == 1 and line[0].startswith("# ")]
    labels, *rows = [line for line in lines if not (len(line) == 1 and line[0].startswith("# "))]
    labels = [re.sub(r" \(\w+/\w+\)$", "", label) for label in labels]
    head = {name: words for name, _, words in (note[2:].partition(": ") for note in notes)}
    return head, [dict(zip(labels, row, strict=True)) for row in rows]
