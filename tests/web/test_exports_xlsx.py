"""XLSX: texts stay texts, numbers are numbers, and a file that would be too large is not made."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from dashboard.money import Money
from dashboard.web.exports import Column, Kind, Listing, TooManyRows, xlsx_file
from tests.web.exporting import ABOUT, FORMULAS, LABELS, LISTING, WRONG, many, one, row


def book_of(listing: Listing, rows: list[dict[str, Any]], most_rows: int = 1000) -> Any:
    with xlsx_file.file_of(listing, rows, most_rows=most_rows) as file:
        return load_workbook(file)


def cell_of(kind: Kind, value: Any) -> Any:
    """The only cell of a list of one value."""
    return book_of(one(kind), [{"value": value}]).worksheets[1]["A2"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_first_sheet_says_what_this_is() -> None:
    book = book_of(LISTING, many(3))
    assert book.sheetnames == ["What this is", "Transactions"]
    assert [[cell.value for cell in line if cell.value is not None] for line in book.worksheets[0].rows] == [
        ["Transactions"],
        ["Institution", "Sąskaitų namai"],
        ["Account", "LT12 1000 0111 0100 1000"],
        ["Filter", 'Currency: EUR; Text: a, "b"\nc'],
        ["As of", "13 Mar 2026 08:42:10 Europe/Vilnius (2026-03-13T06:42:10Z)"],
        ["Exported by", "L. Saar"],
        ["Rows", "3"],
    ]
    assert (book.properties.title, book.properties.creator) == ("Transactions", "Sąskaitų namai")


def test_every_kind_of_value_has_its_type() -> None:
    sheet = book_of(LISTING, [row()]).worksheets[1]
    head, first = sheet.rows
    assert [cell.value for cell in head] == LABELS
    assert all(cell.font.bold for cell in head)
    assert [(cell.value, cell.data_type, cell.number_format) for cell in first] == [
        ("01890000-0000-7000-8000-000000000001", "s", "General"),
        ("Žydrūnė Petrauskaitė", "s", "General"),
        ("posted", "s", "General"),
        (-1234.5, "n", "#,##0.00"),
        ("EUR", "s", "General"),
        (datetime(2026, 3, 12), "d", "yyyy-mm-dd"),
        (datetime(2026, 3, 13, 0, 15, 7, 123000), "d", "yyyy-mm-dd hh:mm:ss"),
        (3, "n", "0"),
    ]
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:H2"


@pytest.mark.parametrize("text", [*FORMULAS, "#N/A", "#REF!", "0123", "1e5", "12.50", "TRUE", "2026-03-12", "'x"])
def test_a_text_stays_text_whatever_it_looks_like(text: str) -> None:
    cell = cell_of(Kind.TEXT, text)
    assert (cell.value, cell.data_type) == (text, "s")


def test_what_the_format_cannot_hold_is_replaced_and_a_cut_is_shown() -> None:
    assert cell_of(Kind.TEXT, "a\x00b\x1fc\ufffe").value == "a\ufffdb\ufffdc\ufffd"
    longest = cell_of(Kind.TEXT, "x" * 32_767).value
    assert longest == "x" * 32_767
    assert cell_of(Kind.TEXT, "x" * 32_768).value == "x" * 32_766 + "…"


@pytest.mark.parametrize(
    ("value", "number", "form"),
    [
        (Money(-123450, "eur"), -1234.5, "#,##0.00"),
        (Money(12000, "jpy"), 12000, "#,##0"),
        (Money(1, "bhd"), 0.001, "#,##0.000"),
        (Decimal("0.00"), 0, "#,##0.00"),
        (Decimal("9999999999999.99"), 9999999999999.99, "#,##0.00"),
        (Money(10**16, "eur"), 100000000000000, "#,##0.00"),
    ],
)
def test_amounts_are_numbers_with_the_decimals_of_their_currency(value: Any, number: float, form: str) -> None:
    cell = cell_of(Kind.AMOUNT, value)
    assert (cell.value, cell.data_type, cell.number_format) == (number, "n", form)


def test_a_number_that_spreadsheets_cannot_hold_exactly_is_a_text() -> None:
    cell = cell_of(Kind.AMOUNT, Decimal("99999999999999.97"))
    assert (cell.value, cell.data_type) == ("99999999999999.97", "s")
    cell = cell_of(Kind.NUMBER, Decimal("1.2345678901234567"))
    assert (cell.value, cell.data_type) == ("1.2345678901234567", "s")


def test_rates_keep_their_decimals() -> None:
    cell = cell_of(Kind.NUMBER, Decimal("4.2500000000"))
    assert (cell.value, cell.data_type, cell.number_format) == (4.25, "n", "0.0000000000")


def test_currencies_with_different_decimals_stand_in_one_column() -> None:
    amounts = [
        Money(1234, "eur"),
        Money(1234, "jpy"),
        None,
        Money(1234, "bhd"),
        Decimal("123456789012345678"),
        Money(5, "eur"),
    ]
    sheet = book_of(one(Kind.AMOUNT), [{"value": amount} for amount in amounts]).worksheets[1]
    assert [(cell.value, cell.data_type, cell.number_format) for cell in sheet["A"][1:]] == [
        (12.34, "n", "#,##0.00"),
        (1234, "n", "#,##0"),
        (None, "n", "General"),
        (1.234, "n", "#,##0.000"),
        ("123456789012345678", "s", "General"),
        (0.05, "n", "#,##0.00"),
    ]


def test_a_day_before_the_calendar_of_the_format_is_a_text() -> None:
    assert cell_of(Kind.DATE, date(1899, 12, 31)).value == "1899-12-31"
    assert cell_of(Kind.DATE, date(1900, 1, 1)).value == datetime(1900, 1, 1)


def test_moments_are_in_the_zone_that_the_head_names_in_summer_too() -> None:
    sheet = book_of(one(Kind.MOMENT), [{"value": datetime(2026, 7, 1, 22, 30, tzinfo=UTC)}]).worksheets[1]
    assert [cell.value for cell in sheet["A"]] == ["Value (Europe/Vilnius)", datetime(2026, 7, 2, 1, 30)]


@pytest.mark.parametrize(("kind", "value"), WRONG)
def test_a_value_of_the_wrong_kind_never_gets_into_a_file(kind: Kind, value: Any, folder: Path) -> None:
    with pytest.raises(TypeError):
        book_of(one(kind), [{"value": value}])
    assert list(folder.iterdir()) == []


def test_the_limit_itself_is_allowed_and_one_more_is_refused(folder: Path) -> None:
    assert book_of(LISTING, many(10), most_rows=10).worksheets[1].max_row == 11
    read = 0

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal read
        for found in many(1000):
            read += 1
            yield found

    with pytest.raises(TooManyRows) as caught:
        xlsx_file.file_of(LISTING, rows(), most_rows=10)
    assert read == 11
    assert (caught.value.status, caught.value.code) == (422, "tooManyRows")
    assert caught.value.details == {"limit": 10}
    assert "more than 10 rows" in caught.value.message and "CSV" in caught.value.message
    assert list(folder.iterdir()) == [], "files with people's data stay behind"


def test_a_finished_workbook_leaves_nothing_behind(folder: Path) -> None:
    book_of(LISTING, many(10))
    assert list(folder.iterdir()) == []


def test_a_list_without_rows_has_its_head() -> None:
    book = book_of(LISTING, [])
    assert [cell.value for cell in book.worksheets[1][1]] == LABELS
    assert book.worksheets[0]["B7"].value == "0"


@pytest.mark.parametrize(
    ("title", "name"),
    [("A/B: [x]*?", "A B x"), ("y" * 40, "y" * 31), ("''", "List"), ("Sąskaitos\n2026", "Sąskaitos 2026")],
)
def test_a_sheet_is_named_after_the_list_as_far_as_the_format_allows(title: str, name: str) -> None:
    about = type(ABOUT)(title, "Bank", ABOUT.as_of, ABOUT.zone)
    assert book_of(Listing(about, [Column("value", "Value")]), []).sheetnames[1] == name
