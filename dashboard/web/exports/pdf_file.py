"""PDF: a table on A4 with its head on every page, for printing and for clients. Imported where used, it takes time.

The font (Roboto) is embedded: Latin with all its accents, Greek and Cyrillic. A letter of another script is shown as
an empty box.
"""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import font_roboto
from fpdf import FPDF
from fpdf.fonts import TTFFont

from dashboard.web.exports.listing import (
    About,
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

#: a longer one is neither read nor printed, and takes seconds to draw
MOST_ROWS = 10_000

# millimetres
_MARGIN = 12.0
_FOOT = 14.0
_ROOM_FOR_HEAD = 25.0
_PADDING = 1.2
_LINE_HEIGHT_PER_POINT = 0.46
_NARROWEST_TEXT = 30.0
_WIDEST_WORD = 45.0
_MOST_AIR = 10.0

# points
_SIZE = 8.0
_SMALLEST_SIZE = 5.0

_INK = (27, 36, 48)
_QUIET = (86, 96, 112)
_HAIRLINE = (218, 216, 208)

#: stands for the number of pages until it is known; private characters, so that no text can hold it
_PAGES = "\ue000\ue001\ue002"

#: fpdf tells the letters that a font lacks, letters of people's names
logging.getLogger("fpdf").setLevel(logging.ERROR)


def _printable(text: str) -> str:
    """Composed letters on one line of text per line; what has no picture becomes a blank or a box."""
    composed = unicodedata.normalize("NFC", text.expandtabs(1))
    return "".join(
        letter
        if letter == "\n" or unicodedata.category(letter) not in {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
        else ("" if unicodedata.category(letter) == "Cf" else " ")
        for letter in composed.replace("\r\n", "\n")
    )


def _day(value: date) -> str:
    return f"{value.day} {value:%b %Y}"


def _grouped(number: Decimal) -> str:
    return f"{number:,.{places(number)}f}"


class _Pages(FPDF):
    """Pages of one listing: what it is and the page's number at the foot of each."""

    def __init__(self, about: About) -> None:
        super().__init__(format="A4")
        self._orientation = "portrait"
        self._foot = _printable(f"{about.institution} · {about.title}").replace("\n", " ")
        self.add_font("Roboto", "", font_roboto.Roboto)
        self.add_font("Roboto", "B", font_roboto.RobotoBold)
        self.set_title(about.title)
        self.set_author(about.institution)
        self.set_lang("en")
        self.set_creation_date(about.as_of.astimezone(UTC))
        self.set_margin(_MARGIN)
        self.c_margin = 0
        self.set_auto_page_break(False)
        self.alias_nb_pages(_PAGES)
        self.set_font("Roboto", size=_SIZE)

    def lie_across(self) -> None:
        """Landscape from the next page on."""
        self._orientation = "landscape"

    def next_page(self) -> None:
        """Begin a page."""
        self.add_page(orientation=self._orientation)

    def close_fonts(self) -> None:
        """The library keeps their files open."""
        for font in self.fonts.values():
            if isinstance(font, TTFFont):
                font.ttfont.close()

    def footer(self) -> None:
        self.set_y(-_FOOT + 4)
        self.set_font("Roboto", size=7)
        self.set_text_color(*_QUIET)
        self.cell(self.epw * 0.7, 4, self._foot)
        self.cell(self.epw * 0.3, 4, f"Page {self.page_no()} of {_PAGES}", align="R")

    @property
    def bottom(self) -> float:
        """Where the foot begins, in millimetres from the top."""
        return self.h - _FOOT


class _Measure:
    """Widths of texts in one face and size, in millimetres. A text is as wide as its letters together."""

    def __init__(self, pages: FPDF, style: str, size: float) -> None:
        self._font = pages.fonts[f"roboto{style}"]
        self._size = size
        self._points_in_a_millimetre = pages.k
        self._letters: dict[str, float] = {}

    def width(self, text: str) -> float:
        """Of one line."""
        letters = self._letters
        try:
            return sum([letters[letter] for letter in text])
        except KeyError:
            for letter in set(text) - letters.keys():
                points = self._font.get_text_width(letter, self._size, None)[1]
                letters[letter] = points / self._points_in_a_millimetre
            return self.width(text)

    def lines(self, text: str, room: float) -> list[str]:
        """The text in lines that fit: broken at spaces, and inside a word that is longer than a line."""
        if "\n" in text:
            return [line for part in text.split("\n") for line in self.lines(part, room)]
        if self.width(text) <= room:
            return [text]
        found: list[str] = []
        line = ""
        for word in text.split():
            longer = f"{line} {word}" if line else word
            if self.width(longer) <= room:
                line = longer
                continue
            if line:
                found.append(line)
            *whole, line = self._pieces(word, room)
            found += whole
        return [*found, line]

    def _pieces(self, word: str, room: float) -> list[str]:
        """The word in pieces that fit, each of one letter at least."""
        found = []
        begin, taken = 0, 0.0
        for place, letter in enumerate(word):
            wide = self.width(letter)
            if place > begin and taken + wide > room:
                found.append(word[begin:place])
                begin, taken = place, 0.0
            taken += wide
        return [*found, word[begin:]]


@dataclass(frozen=True)
class _Layout:
    """How the columns stand on the page: widths in millimetres, padding included."""

    landscape: bool
    size: float
    padding: float
    widths: Sequence[float]

    @property
    def line(self) -> float:
        """The height of a line."""
        return self.size * _LINE_HEIGHT_PER_POINT

    def room(self, place: int) -> float:
        """The width that a column has for letters."""
        # a little more, because a column is often just as wide as its widest word
        return self.widths[place] - 2 * self.padding + 0.01


class _Table:
    """The rows as texts, measured and drawn."""

    def __init__(self, listing: Listing, rows: Iterable[Row]) -> None:
        self.listing = listing
        self.kinds = [column.kind for column in listing.columns]
        self.labels = [_printable(label) for label in listing.labels()]
        self.rows = [
            [self._shown(kind, row[column.key]) for kind, column in zip(self.kinds, listing.columns, strict=True)]
            for row in rows
        ]

    def _shown(self, kind: Kind, value: object) -> str:
        if value is None:
            return ""
        match kind:
            case Kind.TEXT:
                return _printable(text_of(value))
            case Kind.AMOUNT:
                return _grouped(decimal_of(value))
            case Kind.NUMBER:
                return f"{number_of(value):f}"
            case Kind.DATE:
                return _day(date_of(value))
            case Kind.MOMENT:
                local: datetime = moment_of(value).astimezone(self.listing.about.zone)
                return f"{_day(local)} {local:%H:%M:%S}"

    def _wanted_widths(self, pages: FPDF) -> tuple[list[float], list[float]]:
        """What each column takes without any break, and what it takes at least: texts break between words."""
        heads, values = _Measure(pages, "B", _SIZE), _Measure(pages, "", _SIZE)
        most = [max((heads.width(word) for word in label.split()), default=0.0) for label in self.labels]
        least = list(most)
        for row in self.rows:
            for place, text in enumerate(row):
                for line in text.split("\n"):
                    width = values.width(line)
                    most[place] = max(most[place], width)
                    if width > least[place]:
                        least[place] = max(least[place], *map(values.width, line.split() or [""]))
        least = [
            min(narrow, _WIDEST_WORD) if kind is Kind.TEXT else wide
            for kind, narrow, wide in zip(self.kinds, least, most, strict=True)
        ]
        return [width + 2 * _PADDING for width in most], [width + 2 * _PADDING for width in least]

    def layout(self, pages: FPDF) -> _Layout:
        """Upright where it reads well, else across; smaller letters where even that is too narrow."""
        most, least = self._wanted_widths(pages)
        shares = [column.share if column.kind is Kind.TEXT else 0.0 for column in self.listing.columns]
        upright, across = 210 - 2 * _MARGIN, 297 - 2 * _MARGIN
        readable = sum(max(low, min(high, _NARROWEST_TEXT)) for high, low in zip(most, least, strict=True))
        landscape = readable > upright
        room = across if landscape else upright
        scale = max(min(room / sum(least), 1.0), _SMALLEST_SIZE / _SIZE)
        most, widths = [width * scale for width in most], [width * scale for width in least]
        left = room - sum(widths)
        # columns that need little get it, the others divide the rest by their shares
        short = sorted(
            (place for place, share in enumerate(shares) if share and most[place] > widths[place]),
            key=lambda place: (most[place] - widths[place]) / shares[place],
        )
        while short and left > 0:
            part = left * shares[short[0]] / sum(shares[place] for place in short)
            place = short.pop(0)
            added = min(most[place] - widths[place], part)
            widths[place] += added
            left -= added
        if left > 0:
            # room to breathe for all, the rest for the texts
            each = min(left / len(widths), _MOST_AIR) if any(shares) else left / len(widths)
            left -= each * len(widths)
            total = sum(shares) or 1.0
            widths = [width + each + left * share / total for width, share in zip(widths, shares, strict=True)]
        return _Layout(landscape, _SIZE * scale, _PADDING * scale, widths)

    def draw(self, pages: _Pages) -> None:
        """All pages."""
        layout = self.layout(pages)
        if layout.landscape:
            pages.lie_across()
        heads, values = _Measure(pages, "B", layout.size), _Measure(pages, "", layout.size)
        labels = [heads.lines(label, layout.room(place)) for place, label in enumerate(self.labels)]

        def draw_head() -> None:
            pages.set_font("Roboto", "B", layout.size)
            pages.set_draw_color(*_INK)
            self._draw_lines(pages, layout, heads, labels)
            pages.set_font("Roboto", "", layout.size)
            pages.set_draw_color(*_HAIRLINE)

        def next_page() -> None:
            pages.next_page()
            draw_head()

        pages.next_page()
        self._draw_about(pages)
        if pages.get_y() > pages.bottom - _ROOM_FOR_HEAD:
            pages.next_page()
        draw_head()
        for row in self.rows:
            left = [
                values.lines(text, layout.room(place)) if self.kinds[place] is Kind.TEXT else [text]
                for place, text in enumerate(row)
            ]
            # a row that does not fit begins a page, one longer than a page goes on on the next
            fresh = False
            while any(left):
                room = max(int((pages.bottom - pages.get_y() - 2 * layout.padding) / layout.line), int(fresh))
                if fresh or max(len(lines) for lines in left) <= room:
                    self._draw_lines(pages, layout, values, [lines[:room] for lines in left])
                    left = [lines[room:] for lines in left]
                    fresh = False
                else:
                    next_page()
                    fresh = True
        self._draw_end(pages)

    def _draw_about(self, pages: _Pages) -> None:
        about = self.listing.about
        pages.set_auto_page_break(True, _FOOT)
        pages.set_text_color(*_INK)
        pages.set_font("Roboto", "B", 14)
        pages.multi_cell(0, 7, _printable(about.title), new_x="LMARGIN", new_y="NEXT", align="L")
        pages.ln(1)
        for label, words in about.lines():
            pages.set_font("Roboto", "", _SIZE)
            pages.set_text_color(*_QUIET)
            pages.cell(32, 4.2, _printable(label))
            pages.set_text_color(*_INK)
            pages.multi_cell(0, 4.2, _printable(words), new_x="LMARGIN", new_y="NEXT", align="L")
        pages.ln(3)
        pages.set_auto_page_break(False)
        # the same as the ink of the text: fpdf needs no extra words then
        pages.set_fill_color(*_INK)

    def _draw_lines(self, pages: _Pages, layout: _Layout, measure: _Measure, cells: Sequence[Sequence[str]]) -> None:
        """The lines of one row beside each other, and a hairline under them."""
        # text() takes the foot of the letters, and is ten times as fast as cell()
        top, left = pages.get_y() + layout.padding + 0.78 * layout.line, pages.l_margin
        for kind, lines, width in zip(self.kinds, cells, layout.widths, strict=True):
            right = left + width - layout.padding if kind in {Kind.AMOUNT, Kind.NUMBER} else None
            for number, text in enumerate(lines):
                if text:
                    place = left + layout.padding if right is None else right - measure.width(text)
                    pages.text(place, top + number * layout.line, text)
            left += width
        bottom = pages.get_y() + max(len(lines) for lines in cells) * layout.line + 2 * layout.padding
        pages.line(pages.l_margin, bottom, left, bottom)
        pages.set_xy(pages.l_margin, bottom)

    def _draw_end(self, pages: _Pages) -> None:
        if pages.get_y() + 8 > pages.bottom:
            pages.next_page()
        pages.set_y(pages.get_y() + 2)
        pages.set_font("Roboto", "", _SIZE)
        pages.set_text_color(*_QUIET)
        count = len(self.rows)
        pages.cell(0, 4.2, "No rows." if count == 0 else f"{count:,} row{'' if count == 1 else 's'}, complete.")


def document(listing: Listing, rows: Iterable[Row], *, most_rows: int = MOST_ROWS) -> bytes:
    """The document. Raises TooManyRows."""
    table = _Table(listing, at_most(rows, most_rows, "PDF"))
    pages = _Pages(listing.about)
    try:
        table.draw(pages)
        return bytes(pages.output())
    finally:
        pages.close_fonts()
