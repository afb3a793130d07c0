"""PDF: every letter readable, the head and the number on each page, amounts right-aligned and whole."""

from __future__ import annotations

import gc
import logging
from datetime import date
from decimal import Decimal
from io import BufferedReader, BytesIO
from typing import Any

import pytest
from pypdf import PageObject, PdfReader

from dashboard.money import Money
from dashboard.web.exports import About, Column, Kind, Listing, TooManyRows, pdf_file
from tests.web.exporting import ABOUT, COLUMNS, LISTING, NAMES, WRONG, many, one, row

#: in a millimetre
POINTS = 72 / 25.4

NARROW = Listing(ABOUT, [column for column in COLUMNS if column.key in {"id", "name", "amount"}])


def reader_of(listing: Listing, rows: list[dict[str, Any]]) -> PdfReader:
    return PdfReader(BytesIO(pdf_file.document(listing, rows)))


def text_of(reader: PdfReader) -> str:
    return "\n".join(page.extract_text() for page in reader.pages)


def placed(page: PageObject) -> list[tuple[str, float, float, float]]:
    """Texts of a page with the left edge, the height and the letter size, in points."""
    found: list[tuple[str, float, float, float]] = []

    def visit(text: str, _context: Any, matrix: list[float], _font: Any, size: float) -> None:
        if text.strip():
            found.append((text.strip(), matrix[4], matrix[5], size))

    page.extract_text(visitor_text=visit)
    return found


def test_the_file_says_what_it_is_and_ends_with_the_number_of_rows() -> None:
    reader = reader_of(LISTING, many(3))
    text = text_of(reader)
    for words in (
        "Transactions",
        "Institution Sąskaitų namai",
        "Account LT12 1000 0111 0100 1000",
        "As of 13 Mar 2026 08:42:10 Europe/Vilnius (2026-03-13T06:42:10Z)",
        "Exported by L. Saar",
        "3 rows, complete.",
    ):
        assert words in text
    assert 'Filter Currency: EUR; Text: a, "b"' in text
    assert reader.metadata is not None
    assert (reader.metadata.title, reader.metadata.author) == ("Transactions", "Sąskaitų namai")


def test_every_kind_of_value_is_shown_as_people_read_it() -> None:
    text = text_of(reader_of(LISTING, [row(), row(amount=Money(1234567890, "jpy"))]))
    for words in ("posted", "-1,234.50", "1,234,567,890", "EUR", "12 Mar 2026", "13 Mar 2026 00:15:07", "Posted"):
        assert words in text


@pytest.mark.parametrize(
    "name",
    [*NAMES, "Ąžuolas Čėsnaitė ŠŲŪ", "Zażółć gęślą jaźń", "Съешь же ещё этих булок", "Ґанок їжак", "Øre Ærø 5 €"],
)
def test_names_of_all_our_clients_can_be_read_and_copied(name: str) -> None:
    assert name in text_of(reader_of(one(Kind.TEXT), [{"value": name}]))


def test_composed_and_decomposed_letters_look_alike() -> None:
    assert "Žalia" in text_of(reader_of(one(Kind.TEXT), [{"value": "Z\u030calia"}]))


def test_a_letter_that_the_font_lacks_is_no_failure_and_tells_the_log_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        text = text_of(reader_of(one(Kind.TEXT), [{"value": "山田太郎 Tarō გიორგი 😀"}]))
    assert "Tarō" in text
    assert caplog.records == []


def test_neither_a_finished_nor_a_failed_document_leaves_a_file_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: Any) -> None:
        raise RuntimeError

    pdf_file.document(LISTING, many(3))
    monkeypatch.setattr(pdf_file._Table, "_draw_end", fail)
    with pytest.raises(RuntimeError):
        pdf_file.document(LISTING, many(3))
    files = [found for found in gc.get_objects() if isinstance(found, BufferedReader) and not found.closed]
    assert [file.name for file in files if str(file.name).endswith(".ttf")] == []


def test_every_page_has_the_head_and_its_number() -> None:
    reader = reader_of(NARROW, many(200))
    count = len(reader.pages)
    assert count > 3
    seen: list[str] = []
    for number, page in enumerate(reader.pages, start=1):
        text = page.extract_text()
        assert "Reference" in text and "Amount" in text
        assert f"Page {number} of {count}" in text
        assert "Sąskaitų namai · Transactions" in text
        seen += [words for words, *_ in placed(page) if words.startswith("OUT-")]
    assert seen == [f"OUT-{number:05d}" for number in range(200)]


def test_amounts_end_at_one_edge_and_inside_the_page() -> None:
    amounts = [Decimal("0.01"), Decimal("-12.50"), Decimal("1234567.89"), Decimal("-98765432101234.56")]
    measure = pdf_file._Measure(pdf_file._Pages(ABOUT), "", 8)
    (page,) = reader_of(NARROW, [row(amount=amount) for amount in amounts]).pages
    shown = [f"{amount:,.2f}" for amount in amounts]
    edges = [left + measure.width(text) * POINTS for text, left, *_ in placed(page) if text in shown]
    assert len(edges) == len(amounts)
    assert max(edges) - min(edges) < 0.1
    assert max(edges) < float(page.mediabox.width) - 12 * POINTS


def test_a_text_of_any_length_is_there_whole_and_inside_its_column() -> None:
    words = [f"žodis{number}" for number in range(3000)]
    reader = reader_of(NARROW, [row(name=" ".join(words)), row(name="x" * 500), row(name="last")])
    measure = pdf_file._Measure(pdf_file._Pages(ABOUT), "", 8)
    texts = [(page, *found) for page in reader.pages for found in placed(page)]
    amounts = min(left for _page, text, left, *_ in texts if text == "-1,234.50")
    read: list[str] = []
    unbroken = ""
    for page, text, left, height, _size in texts:
        if text.startswith(("žodis", "xx")):
            assert left + measure.width(text) * POINTS < amounts, "a text runs into the next column"
            assert 14 * POINTS < height < float(page.mediabox.height), "a text runs into the foot"
            read += text.split() if text.startswith("ž") else []
            unbroken += text if text.startswith("x") else ""
    assert read == words
    assert unbroken == "x" * 500
    assert [text for _page, text, *_ in texts].count("last") == 1


def test_lines_in_a_text_stay_lines() -> None:
    (page,) = reader_of(one(Kind.TEXT), [{"value": "first\r\nsecond\nthird"}]).pages
    heights = {text: height for text, _left, height, _size in placed(page)}
    assert heights["first"] > heights["second"] > heights["third"]


def test_a_text_cannot_pass_for_the_number_of_pages_or_break_the_page() -> None:
    awkward = "{nb} \ue000\ue001\ue002 **b** (x) \\ \x00\x07 \u202eabc"
    about = About(awkward, awkward, ABOUT.as_of, ABOUT.zone, filters=[("Text", awkward)], facts=[(awkward, awkward)])
    text = text_of(reader_of(Listing(about, [Column("value", awkward)]), [{"value": awkward}]))
    # title, institution, fact with its label, filter, foot twice, head of the column, value
    assert text.count("{nb}") == text.count("**b** (x) \\") == 9
    assert text.count("abc") == 9
    assert text.count("Page 1 of 1") == 1
    assert "{nb} 1" not in text and "{nb} {nb}" not in text


def test_many_columns_lie_across_and_even_more_get_smaller_letters() -> None:
    def page_of(columns: int) -> PageObject:
        listing = Listing(ABOUT, [Column("amount", f"Amount{number}", Kind.AMOUNT) for number in range(columns)])
        return reader_of(listing, [row(amount=Decimal("1234567.89"))]).pages[0]

    def upright(page: PageObject) -> bool:
        return bool(page.mediabox.height > page.mediabox.width)

    def size(page: PageObject) -> float:
        (found,) = {size for text, _left, _height, size in placed(page) if text == "1,234,567.89"}
        return found

    assert upright(page_of(3)) and size(page_of(3)) == 8
    assert not upright(page_of(12)) and size(page_of(12)) == 8
    assert not upright(page_of(16)) and 5 <= size(page_of(16)) < 8


@pytest.mark.parametrize("count", [*range(54, 63), 120])
def test_a_head_of_many_facts_goes_on_on_the_next_page(count: int) -> None:
    facts = [(f"Fact {number}", f"words {number}") for number in range(count)]
    about = About("Long head", "Bank", ABOUT.as_of, ABOUT.zone, facts=facts)
    reader = reader_of(Listing(about, [Column("value", "The label")]), [{"value": "the only row"}])
    found = [(text, height) for page in reader.pages for text, _left, height, _size in placed(page)]
    for words in (*(f"words {number}" for number in range(count)), "The label", "the only row"):
        (height,) = (height for text, height in found if text == words)
        assert height > 14 * POINTS, f"{words} stands in the foot or below the page"


def test_a_list_without_rows_says_so() -> None:
    text = text_of(reader_of(LISTING, []))
    assert "Reference" in text and "No rows." in text


def test_an_empty_value_leaves_its_place_empty() -> None:
    text = text_of(reader_of(LISTING, [dict.fromkeys(row(), None), row(id="OUT-1", booked=date(2026, 1, 2))]))
    assert "OUT-1" in text and "2 rows, complete." in text and "None" not in text


@pytest.mark.parametrize(("kind", "value"), WRONG)
def test_a_value_of_the_wrong_kind_never_gets_into_a_file(kind: Kind, value: Any) -> None:
    with pytest.raises(TypeError):
        pdf_file.document(one(kind), [{"value": value}])


def test_more_rows_than_anybody_prints_are_refused() -> None:
    assert pdf_file.document(NARROW, many(5), most_rows=5)
    with pytest.raises(TooManyRows) as caught:
        pdf_file.document(NARROW, many(6), most_rows=5)
    assert "PDF" in caught.value.message and caught.value.details == {"limit": 5}
