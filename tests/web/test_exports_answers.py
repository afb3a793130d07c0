"""Exports as downloads: the right head, a safe name, a session that lives as long as the stream."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from openpyxl import load_workbook
from werkzeug.test import TestResponse

from dashboard.access.guard import Access
from dashboard.database import db, session
from dashboard.errors import Invalid
from dashboard.settings import ROOT, Settings
from dashboard.web.exports import Column, Format, Kind, Listing, about, answer, csv_file
from dashboard.web.exports.answers import file_name
from tests.web.exporting import LISTING, many

View = Callable[[], Any]


def put_in_place(app: Flask, view: View) -> None:
    """Let /healthz answer with the view, open to everybody."""
    call = type("Export", (), {"__call__": staticmethod(view), "access": Access(None, None, "a test")})()
    app.view_functions["health.healthz"] = call


@pytest.fixture
def exporting(app: Flask, http: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> Callable[..., TestResponse]:
    """`exporting(form, rows, **options)` downloads the list."""

    def download(form: Format, rows: Callable[[], Iterable[Any]], **options: Any) -> TestResponse:
        monkeypatch.setitem(app.view_functions, "health.healthz", app.view_functions["health.healthz"])
        put_in_place(app, lambda: answer(LISTING, rows, form, **options))
        return http.get("/healthz")

    return download


@pytest.mark.parametrize(
    ("form", "kind", "start"),
    [
        (Format.CSV, "text/csv; charset=utf-8", b"\xef\xbb\xbf# Transactions"),
        (Format.XLSX, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", b"PK"),
        (Format.PDF, "application/pdf", b"%PDF-"),
    ],
)
def test_each_format_is_a_download_of_its_kind(
    exporting: Callable[..., TestResponse], form: Format, kind: str, start: bytes
) -> None:
    response = exporting(form, lambda: many(3))
    content = response.get_data()
    assert response.status_code == 200
    assert content.startswith(start)
    assert response.headers["Content-Type"] == kind
    assert response.headers["Content-Disposition"] == (
        f"attachment; filename=\"Transactions 2026-03-13.{form}\"; filename*=UTF-8''Transactions%202026-03-13.{form}"
    )
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    if form is not Format.CSV:
        assert response.content_length == len(content)


def test_an_xlsx_arrives_whole(exporting: Callable[..., TestResponse]) -> None:
    content = exporting(Format.XLSX, lambda: many(3000)).get_data()
    assert len(content) > 64 * 1024, "one part would be enough"
    sheet = load_workbook(io.BytesIO(content)).worksheets[1]
    assert [cell.value for cell in sheet["A"][1:]] == [f"OUT-{number:05d}" for number in range(3000)]


def test_a_machine_gets_its_csv_without_the_mark(exporting: Callable[..., TestResponse]) -> None:
    assert exporting(Format.CSV, lambda: many(1), bom=False).get_data().startswith(b"# Transactions")


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("Transactions 2026-03-13", "Transactions 2026-03-13"),
        ("../../etc/passwd", "etc-passwd"),
        ("a\r\nSet-Cookie: x", "a-Set-Cookie-x"),
        ('a"; filename="evil.exe', "a-filename-evil.exe"),
        ("C:\\temp\\x", "C-temp-x"),
        ("Sąskaitos išrašas, kovas", "Sąskaitos išrašas, kovas"),
        ("  .hidden. ", "hidden"),
        ("a\u202etxt.exe", "a-txt.exe"),
        ("///", "export"),
        ("", "export"),
        ("y" * 300, "y" * 100),
    ],
)
def test_a_file_name_is_one_that_every_system_takes(stem: str, name: str) -> None:
    assert file_name(stem) == name


def test_a_name_beyond_ascii_has_a_plain_form_for_old_programs(exporting: Callable[..., TestResponse]) -> None:
    response = exporting(Format.PDF, lambda: many(1), name="Sąskaitos išrašas")
    assert response.headers["Content-Disposition"] == (
        "attachment; filename=\"Saskaitos israsas.pdf\"; filename*=UTF-8''S%C4%85skaitos%20i%C5%A1ra%C5%A1as.pdf"
    )
    response = exporting(Format.PDF, lambda: many(1), name="Выписка")
    assert response.headers["Content-Disposition"].startswith('attachment; filename="export.pdf"; filename*=UTF-8')


def test_a_format_is_named_or_refused() -> None:
    assert Format.named("xlsx") is Format.XLSX
    with pytest.raises(Invalid) as caught:
        Format.named("docx")
    (error,) = caught.value.errors
    assert (error.field, error.rule, error.message) == ("format", "enum", "Choose csv, xlsx or pdf.")


def test_a_file_made_now_knows_where_and_when(app: Flask, configured: Settings) -> None:
    made = about("Clients", filters=[("Status", "open")], by="L. Saar", facts=[("Account", "x")])
    assert made.institution == configured.institution_name
    assert made.zone.key == configured.institution_zone
    assert made.as_of.tzinfo is not None
    assert [label for label, _words in made.lines()] == ["Institution", "Account", "Filter", "As of", "Exported by"]


@pytest.fixture
def small_limit(app: Flask, monkeypatch: pytest.MonkeyPatch) -> int:
    """An installation that makes XLSX of 20 rows at most."""
    from dataclasses import replace

    settings = replace(app.extensions["countinghouse.settings"], export_xlsx_rows=20)
    monkeypatch.setitem(app.extensions, "countinghouse.settings", settings)
    return 20


def test_an_xlsx_beyond_the_setting_is_refused_with_the_way_out(
    exporting: Callable[..., TestResponse], small_limit: int
) -> None:
    assert exporting(Format.XLSX, lambda: many(small_limit)).status_code == 200
    refused = exporting(Format.XLSX, lambda: many(small_limit + 1))
    page = refused.get_data(as_text=True)
    assert refused.status_code == 422
    assert "more than 20 rows" in page and "Export it as CSV" in page
    assert "Content-Disposition" not in refused.headers
    assert exporting(Format.CSV, lambda: many(small_limit + 1)).status_code == 200
    assert exporting(Format.PDF, lambda: many(small_limit + 1)).status_code == 200


def test_a_refusal_writes_nothing_first(
    exporting: Callable[..., TestResponse], small_limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard.web.exports import xlsx_file

    written: list[int] = []
    monkeypatch.setattr(xlsx_file, "file_of", lambda *_args, **_options: written.append(1))
    assert exporting(Format.XLSX, lambda: many(small_limit + 1)).status_code == 422
    assert written == []


@pytest.mark.parametrize("form", [Format.XLSX, Format.PDF])
def test_a_list_known_to_be_too_long_is_refused_before_anything_is_read(
    exporting: Callable[..., TestResponse], small_limit: int, form: Format
) -> None:
    def unread() -> list[Any]:
        raise AssertionError("rows were read")

    assert exporting(form, unread, expected=10**7).status_code == 422


@pytest.mark.parametrize("form", [Format.XLSX, Format.PDF])
def test_a_failure_while_a_file_is_made_is_a_page_of_the_house(
    exporting: Callable[..., TestResponse], form: Format
) -> None:
    def failing() -> Iterator[Any]:
        yield from many(2)
        raise RuntimeError("private words")

    response = exporting(form, failing)
    assert response.status_code == 500
    assert response.mimetype == "text/html"
    assert "Content-Disposition" not in response.headers


def test_neither_library_is_loaded_before_it_is_needed() -> None:
    program = (
        "import sys, dashboard.web.exports;print(sorted({'fpdf', 'openpyxl', 'font_roboto', 'PIL'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


# --- streaming, as in production: each request in a thread that knows no application ---------------------------------


NUMBERS = Listing(LISTING.about, [Column("number", "Number", Kind.NUMBER), Column("text", "Text")])
QUERY = sa.text("SELECT number, repeat('x', 200) AS text FROM generate_series(1, :count) AS number")


def from_the_database(count: int) -> Iterator[Any]:
    query = QUERY.bindparams(count=count).execution_options(yield_per=100)
    yield from session().execute(query).mappings()


def elsewhere(work: Callable[[], Any]) -> Any:
    """The result of the work, done by a thread of its own."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(work())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    (result,) = found
    return result


def test_a_stream_reads_the_database_to_its_end_and_gives_the_connection_back(committed: Flask) -> None:
    put_in_place(committed, lambda: answer(NUMBERS, lambda: from_the_database(20_000), Format.CSV))
    response = elsewhere(lambda: committed.test_client().get("/healthz").get_data(as_text=True))
    assert isinstance(response, str), response
    lines = list(csv.reader(io.StringIO(response)))
    assert lines[-1] == ["# rows: 20000"]
    assert [line[0] for line in lines if line[0].isdecimal()] == [str(number) for number in range(1, 20_001)]
    assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_a_download_that_somebody_gives_up_gives_the_connection_back(committed: Flask) -> None:
    put_in_place(committed, lambda: answer(NUMBERS, lambda: from_the_database(1_000_000), Format.CSV))
    during: list[int] = []

    def begin_and_leave() -> int:
        response = committed.test_client().get("/healthz", buffered=False)
        stream = response.iter_encoded()
        size = len(next(stream)) + len(next(stream))
        during.append(db_pool(committed).checkedout())
        response.close()
        return size

    size = elsewhere(begin_and_leave)
    assert isinstance(size, int) and 0 < size < 10**6, size
    assert during == [1], "the stream had no connection of its own"
    assert db_pool(committed).checkedout() == 0


def db_pool(app: Flask) -> Any:
    with app.app_context():
        return db.engine.pool


def test_a_database_that_fails_half_way_ends_the_file_as_incomplete(committed: Flask) -> None:
    def failing() -> Iterator[Any]:
        broken = sa.text("SELECT number, (1 / (500 - number))::text AS text FROM generate_series(1, 1000) AS number")
        yield from session().execute(broken.execution_options(yield_per=100)).mappings()

    put_in_place(committed, lambda: answer(NUMBERS, failing, Format.CSV))
    parts: list[bytes] = []

    def download() -> str:
        response = committed.test_client().get("/healthz", buffered=False)
        try:
            parts.extend(response.iter_encoded())
        except csv_file.CutOff:
            return "cut off"
        finally:
            response.close()
        return "complete"

    assert elsewhere(download) == "cut off"
    content = b"".join(parts).decode()
    assert "# rows" not in content
    assert "# incomplete" in content.splitlines()[-1]
    assert db_pool(committed).checkedout() == 0
