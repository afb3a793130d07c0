"""CSV: whole, exact, harmless in a spreadsheet, and never taken for complete when it was cut off."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from dashboard.money import Money
from dashboard.web.exports import Column, Kind, Listing, csv_file
from tests.web.exporting import ABOUT, FORMULAS, HARMLESS, LABELS, LISTING, WRONG, many, one, row


def file_of(listing: Listing, rows: list[dict[str, Any]], *, bom: bool = False) -> bytes:
    return b"".join(csv_file.chunks(listing, lambda: rows, bom=bom))


def records(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))


def data(content: bytes) -> list[list[str]]:
    """The records between the head and the last line."""
    found = records(content)
    assert found[-1] == [f"# rows: {len(found) - 8}"]
    return found[7:-1]


def test_the_file_says_what_it_is_then_its_rows_then_how_many() -> None:
    assert records(file_of(LISTING, [row()])) == [
        ["# Transactions"],
        ["# Institution: Sąskaitų namai"],
        ["# Account: LT12 1000 0111 0100 1000"],
        ['# Filter: Currency: EUR; Text: a, "b" c'],
        ["# As of: 13 Mar 2026 08:42:10 Europe/Vilnius (2026-03-13T06:42:10Z)"],
        ["# Exported by: L. Saar"],
        LABELS,
        [
            "01890000-0000-7000-8000-000000000001",
            "Žydrūnė Petrauskaitė",
            "posted",
            "-1234.50",
            "EUR",
            "2026-03-12",
            "2026-03-13T00:15:07.123+02:00",
            "3",
        ],
        ["# rows: 1"],
    ]


def test_lines_end_as_the_standard_says_and_cells_are_quoted_where_needed() -> None:
    content = file_of(one(Kind.TEXT), [{"value": 'a, "b"'}, {"value": "two\nlines"}])
    assert content.endswith(b'\r\nValue\r\n"a, ""b"""\r\n"two\nlines"\r\n# rows: 2\r\n')


def test_a_list_without_rows_says_so() -> None:
    assert records(file_of(LISTING, []))[-2:] == [LABELS, ["# rows: 0"]]


def test_the_mark_for_spreadsheets_is_there_only_when_wanted() -> None:
    plain = file_of(LISTING, [row()])
    assert plain.startswith(b"# Transactions\r\n")
    assert file_of(LISTING, [row()], bom=True) == b"\xef\xbb\xbf" + plain


def test_without_a_filter_the_file_says_that_nothing_was_left_out() -> None:
    about = type(ABOUT)("All", "Bank", ABOUT.as_of, ABOUT.zone)
    found = records(file_of(Listing(about, [Column("value", "Value")]), []))
    assert ["# Filter: none, everything is here"] in found
    assert not any("Exported by" in line[0] for line in found)


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_that_a_spreadsheet_would_compute_is_made_harmless(text: str) -> None:
    listing = Listing(ABOUT, [Column("first", "First"), Column("value", "Value")])
    assert data(file_of(listing, [{"first": text, "value": text}])) == [[f"'{text}", f"'{text}"]]


@pytest.mark.parametrize("text", HARMLESS)
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert data(file_of(one(Kind.TEXT), [{"value": text}])) == [[text]]


def test_a_row_cannot_pass_for_the_last_line() -> None:
    found = records(file_of(one(Kind.TEXT), [{"value": "# rows: 1"}, {"value": "x"}]))
    assert found[-3:] == [["'# rows: 1"], ["x"], ["# rows: 2"]]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Decimal("-12.50"), "-12.50"),
        (Decimal("-0.00"), "0.00"),
        (Decimal("0"), "0"),
        (Decimal("1E+3"), "1000"),
        (Decimal("99999999999999.99"), "99999999999999.99"),
        (Money(-(10**16), "eur"), "-100000000000000.00"),
        (Money(12000, "jpy"), "12000"),
        (Money(1, "bhd"), "0.001"),
        (None, ""),
    ],
)
def test_amounts_are_exact_numbers_with_the_decimals_of_their_currency(value: Any, written: str) -> None:
    assert data(file_of(one(Kind.AMOUNT), [{"value": value}, {"value": None}]))[0] == ([written] if written else [""])


def test_an_hour_that_is_there_twice_can_be_told_apart() -> None:
    moments = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1)]
    assert data(file_of(one(Kind.MOMENT), [{"value": moment} for moment in moments])) == [
        ["2026-10-25T03:30:00.000+03:00"],
        ["2026-10-25T03:30:00.000+02:00"],
    ]


@pytest.mark.parametrize(("kind", "value"), WRONG)
def test_a_value_of_the_wrong_kind_never_gets_into_a_file(kind: Kind, value: Any) -> None:
    parts = []
    with pytest.raises(csv_file.CutOff):
        for part in csv_file.chunks(one(kind), lambda: [{"value": value}], bom=False):
            parts.append(part)
    assert b"# rows" not in b"".join(parts)


def test_a_long_list_comes_in_parts_and_nothing_is_read_ahead() -> None:
    read = 0

    def endless() -> Iterator[dict[str, Any]]:
        nonlocal read
        while True:
            read += 1
            yield row(name="x" * 1000)

    stream = csv_file.chunks(LISTING, endless, bom=False)
    first = next(stream)
    assert csv_file.CHUNK_CHARACTERS <= len(first) < 2 * csv_file.CHUNK_CHARACTERS
    assert read < 100
    stream.close()


def test_all_rows_of_many_parts_are_there_once() -> None:
    found = data(file_of(LISTING, many(5000)))
    assert [record[0] for record in found] == [f"OUT-{number:05d}" for number in range(5000)]


class Log:
    """Keeps what the log was told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def error(self, event: str, **facts: Any) -> None:
        self.lines.append(f"{event} {facts}")


@pytest.mark.parametrize("good", [0, 3, 3000])
def test_a_failure_half_way_never_looks_like_a_complete_file(good: int, monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log()
    monkeypatch.setattr(csv_file, "log", log)

    def failing() -> Iterator[dict[str, Any]]:
        yield from many(good)
        raise RuntimeError("private words of Jonas")

    parts = []
    with pytest.raises(csv_file.CutOff) as caught:
        for part in csv_file.chunks(LISTING, failing, bom=False):
            parts.append(part)
    found = records(b"".join(parts))
    assert found[-1] == [f"# incomplete: the export failed after {good} rows; export again"]
    assert len(found) == 7 + good + 1
    (line,) = log.lines
    assert "RuntimeError" in line and f"'rows': {good}" in line
    assert "Jonas" not in f"{line}{caught.value}"
    assert caught.value.__context__ is None and caught.value.__cause__ is None
