"""The pages: upload, preview, import, delete, and what each person sees."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from dashboard.access.permissions import Role
from dashboard.background.models import BackgroundJob
from dashboard.database import session
from dashboard.treasury.statements import store
from dashboard.treasury.statements.models import StatementImport
from dashboard.treasury.statements.pages import files
from tests.treasury.statements.conftest import Desk, bank_account, lines, statements
from tests.treasury.statements.files import E, S, camt
from tests.treasury.statements.test_csv import HEAD, ROWS, SIGNED

GOOD = camt(S([E("5.00", ref="A", text="<b>bold</b>")], "0.00", "5.00"))
BASE = "/treasury/statements"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(store, "_root", [tmp_path])
    return tmp_path / "statements"


@pytest.fixture
def treasurer_browser(signed_in: Callable[..., FlaskClient]) -> FlaskClient:
    return signed_in(Role.TREASURER)


def upload(browser: FlaskClient, content: bytes, name: str = "day.xml", **fields: Any) -> Any:
    return browser.post(BASE, data={"file": (io.BytesIO(content), name), **fields}, content_type="multipart/form-data")


def newest() -> StatementImport:
    query = sa.select(StatementImport).order_by(StatementImport.id.desc()).limit(1)
    return session().scalars(query.execution_options(populate_existing=True)).one()


def test_upload_preview_import_delete(treasurer_browser: FlaskClient, desk: Desk, folder: Path) -> None:
    browser = treasurer_browser
    bank_account()
    assert "No statement has come yet" in browser.get(BASE).text
    answer = upload(browser, GOOD)
    assert answer.status_code == 303
    there = answer.headers["Location"]
    shown = browser.get(there).text
    assert "Import 1 statement" in shown and "Preview" in shown
    assert not lines()
    browser.post(f"{there}/commit")
    assert newest().state == "imported"
    assert len(lines()) == 1
    assert [path.name.partition("-")[2] for path in (folder / "done").iterdir()] == ["day.xml"]
    shown = browser.get(f"{BASE}/{statements()[0].id}").text
    assert "&lt;b&gt;bold" in shown and "<b>bold" not in shown
    assert "5.00 EUR" in shown
    assert browser.post(f"{there}/delete", data={"reason": ""}).status_code == 422
    assert browser.get(f"{there}/delete").status_code == 200
    assert browser.post(f"{there}/delete", data={"reason": "wrong day"}).status_code == 303
    assert newest().state == "deleted"
    assert "counts for nothing" in browser.get(there).text


def test_a_preview_is_discarded(treasurer_browser: FlaskClient, desk: Desk, folder: Path) -> None:
    bank_account()
    there = upload(treasurer_browser, GOOD).headers["Location"]
    treasurer_browser.post(f"{there}/discard")
    assert newest().state == "deleted"
    assert not list((folder / "held").iterdir())


@pytest.mark.parametrize(
    ("content", "status", "told"),
    [(b"", 422, "The file is empty."), (GOOD[:-60], 422, "no well-formed XML"), (b"PK\x03\x04x", 422, "ZIP")],
)
def test_a_file_that_cannot_be_read_is_told_at_its_field(
    treasurer_browser: FlaskClient, desk: Desk, content: bytes, status: int, told: str
) -> None:
    bank_account()
    answer = upload(treasurer_browser, content)
    assert answer.status_code == status and told in answer.text
    assert newest().state == "failed" and told in (newest().reason or "")
    assert "Nothing of this file was imported" in treasurer_browser.get(f"{BASE}/files/{newest().id}").text


def test_no_file_and_the_same_file_are_told(treasurer_browser: FlaskClient, desk: Desk) -> None:
    bank_account()
    answer = treasurer_browser.post(BASE, data={}, content_type="multipart/form-data")
    assert answer.status_code == 422 and "Choose a file." in answer.text
    there = upload(treasurer_browser, GOOD).headers["Location"]
    treasurer_browser.post(f"{there}/commit")
    answer = upload(treasurer_browser, GOOD)
    assert answer.status_code == 409 and "imported already, as day.xml" in answer.text and there in answer.text


def test_refused_rows_are_shown_and_downloaded(treasurer_browser: FlaskClient, desk: Desk) -> None:
    bank_account()
    content = camt(S([E("5.001", ref="=BAD"), E("5.00", ref="A")], "0.00", "5.00"))
    there = upload(treasurer_browser, content).headers["Location"]
    shown = treasurer_browser.get(there).text
    assert "EUR has 2. Nothing is rounded." in shown
    sheet = treasurer_browser.get(f"{there}/refused.csv").text
    assert "statement 1, entry 1" in sheet and "'=BAD" in sheet and "# rows: 1" in sheet
    assert treasurer_browser.get(f"{there}/refused.xlsx").status_code == 200


def test_the_list_of_files_is_exported_as_it_is_filtered(treasurer_browser: FlaskClient, desk: Desk) -> None:
    bank_account()
    desk.take(GOOD, "day.xml")
    sheet = treasurer_browser.get(f"{BASE}/files.csv").text
    assert "day.xml" in sheet and "# rows: 1" in sheet
    assert "# rows: 0" in treasurer_browser.get(f"{BASE}/files.csv?state=failed").text
    assert treasurer_browser.get(f"{BASE}/files.xlsx").status_code == 200
    assert treasurer_browser.get(f"{BASE}/files.doc").status_code == 422


def test_entries_are_exported(treasurer_browser: FlaskClient, desk: Desk) -> None:
    bank_account()
    desk.take(GOOD)
    sheet = treasurer_browser.get(f"{BASE}/{statements()[0].id}/entries.csv").text
    assert "Opening balance: 0.00 EUR" in sheet and ",5.00,EUR,booked,A," in sheet and "# rows: 1" in sheet


def test_a_large_file_is_read_in_the_background(
    treasurer_browser: FlaskClient, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "AT_ONCE_BYTES", 100)
    bank_account()
    there = upload(treasurer_browser, GOOD).headers["Location"]
    shown = treasurer_browser.get(there).text
    assert "Waiting to start." in shown and "Import 1 statement" not in shown
    assert session().scalars(sa.select(BackgroundJob.kind)).all() == ["treasury.import"]
    fragment = treasurer_browser.get(f"{there}/progress", headers={"HX-Request": "true"})
    assert "HX-Refresh" not in fragment.headers
    treasurer_browser.post(f"{there}/cancel")
    assert newest().state == "failed"
    assert "HX-Refresh" in treasurer_browser.get(f"{there}/progress", headers={"HX-Request": "true"}).headers


def test_states_of_a_day_are_shown_and_a_wrong_day_is_told(treasurer_browser: FlaskClient, desk: Desk) -> None:
    bank_account()
    assert "Late" in treasurer_browser.get(f"{BASE}?day=2026-03-12").text
    assert "Saturday" in treasurer_browser.get(f"{BASE}?day=2026-03-14").text
    desk.take(GOOD)
    assert "Imported" in treasurer_browser.get(f"{BASE}?day=2026-03-12").text
    for query, status in (("?day=soon", 422), ("?state=unheard", 200), ("?cursor=x", 400), ("?state=failed", 200)):
        assert treasurer_browser.get(BASE + query).status_code == status


def test_a_mapping_is_tried_saved_and_used(treasurer_browser: FlaskClient, desk: Desk) -> None:
    browser = treasurer_browser
    account = bank_account("PL61109010140000071219812874", "pln", form="csv", calendar="PL")
    there = f"{BASE}/mappings/{account}"
    assert "not saved yet" in browser.get(there).text
    fields = {
        "encoding": "utf-8", "delimiter": "semicolon", "decimal_mark": "comma", "date_format": "DD.MM.YYYY",
        "named": "y", **SIGNED["columns"],
    }  # fmt: skip
    tried = browser.post(
        there, data={**fields, "act": "try", "sample": (io.BytesIO((HEAD + ROWS).encode()), "s.csv")},
        content_type="multipart/form-data",
    )  # fmt: skip
    assert tried.status_code == 200 and "1250.50" in tried.text and "not saved yet" in tried.text
    assert browser.post(there, data={**fields, "act": "try"}).status_code == 422
    wrong = browser.post(there, data={**fields, "amount": "", "act": "save"})
    assert wrong.status_code == 422 and "Say which column holds the amount" in wrong.text
    assert upload(browser, (HEAD + ROWS).encode(), "x.csv").status_code == 422
    assert browser.post(there, data={**fields, "act": "save"}).status_code == 303
    assert "version 1" in browser.get(there).text
    answer = upload(browser, (HEAD + ROWS).encode(), "x.csv", account=str(account))
    assert answer.status_code == 303
    assert newest().statements == 2
    assert upload(browser, (HEAD + ROWS).encode(), "x.csv", account="no uuid").status_code == 422


def test_auditors_read_and_officers_see_nothing(signed_in: Callable[..., FlaskClient], desk: Desk) -> None:
    bank_account()
    row = desk.take(GOOD)
    auditor, officer = signed_in(Role.AUDITOR), signed_in(Role.OFFICER)
    page = auditor.get(BASE)
    assert page.status_code == 200 and "Upload a file" not in page.text
    assert "Delete the import" not in auditor.get(f"{BASE}/files/{row.id}").text
    for path in (BASE, f"{BASE}/files/{row.id}/delete", f"{BASE}/files/{row.id}/commit"):
        assert auditor.post(path).status_code == 403
    assert officer.get(BASE).status_code == 403
    assert officer.get(f"{BASE}/{statements()[0].id}").status_code == 403


def test_what_is_not_there_is_not_found(treasurer_browser: FlaskClient) -> None:
    nobody = "00000000-0000-7000-8000-000000000000"
    for path in (f"/{nobody}", f"/files/{nobody}", f"/mappings/{nobody}", f"/{nobody}/entries.csv"):
        assert treasurer_browser.get(BASE + path).status_code == 404
    assert treasurer_browser.post(f"{BASE}/files/{nobody}/commit").status_code == 404


def test_lists_page_by_cursor(treasurer_browser: FlaskClient, desk: Desk) -> None:
    bank_account()
    desk.take(camt(S([E("1.00", ref=f"R{n}") for n in range(120)], "0.00", "120.00")))
    there = f"{BASE}/{statements()[0].id}"
    seen, url = 0, there
    while url:
        text = treasurer_browser.get(url).text
        seen += text.count('data-before="No. "')
        found = [part for part in text.split('"') if "cursor=" in part]
        url = found[-1].replace("&amp;", "&") if 'rel="next"' in text else ""
    assert seen == 120
    assert treasurer_browser.get(f"{there}?cursor=x").status_code == 400
