"""The pages of opening balances."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from dashboard.access.permissions import Role
from dashboard.database import session
from dashboard.ledger.models import OpeningImport
from dashboard.ledger.queries.parties import parties
from tests.ledger.conftest import Book
from tests.ledger.test_opening import Chart, chart, simple

__all__ = ["chart"]

URL = "/ledger/opening-balances"


def upload(browser: Any, content: bytes, *, name: str = "old.csv", reason: str = "moving house") -> Any:
    data = {"file": (io.BytesIO(content), name), "reason": reason}
    return browser.post(URL, data=data, content_type="multipart/form-data")


def text(answer: Any, status: int = 200) -> str:
    assert answer.status_code == status
    return str(answer.get_data(as_text=True))


def stored() -> int:
    return session().scalar(sa.select(sa.func.count()).select_from(OpeningImport)) or 0


def test_one_person_uploads_and_another_approves_on_the_pages(chart: Chart, signed_in: Callable[..., Any]) -> None:
    account, content = simple(chart)
    maker, second = signed_in(Role.TREASURER), signed_in(Role.SENIOR_TREASURER)
    assert "No opening balances yet." in text(maker.get(URL))
    answer = upload(maker, content)
    assert answer.status_code == 303
    page = text(maker.get(answer.location))
    assert "Waiting for approval" in page and "10.00 EUR" in page and "Drop the file" in page
    imported = session().scalars(sa.select(OpeningImport)).one()
    seen = text(second.get(f"/approvals/{imported.approval_id}"))
    assert imported.sha256 in seen and "old.csv" in seen and "together 0.00 EUR" in seen
    assert f'<a href="{answer.location}">The file and its 2 rows</a>' in seen
    owner = parties([account])[account]
    assert f"{owner.name} · {owner.grouped} · 10.00 EUR" in seen and "−10.00 EUR" in seen
    assert owner.name in page and owner.grouped in page
    assert "Drop the file" not in text(second.get(answer.location))
    done = second.post(f"/approvals/{imported.approval_id}/approve", data={"next": answer.location})
    assert done.status_code == 303
    assert chart.book.balance(account) == (1_000, 0)
    assert f'<a href="{answer.location}">The file and its 2 rows</a>' in text(
        second.get(f"/approvals/{imported.approval_id}")
    )
    assert "Posted" in text(maker.get(URL))


def test_bad_rows_and_sums_are_shown_where_the_file_was_uploaded(chart: Chart, signed_in: Callable[..., Any]) -> None:
    _, content = simple(chart)
    browser = signed_in(Role.TREASURER)
    bad = text(upload(browser, content + b"LT000000000000000000,EUR,1\n=x,EUR,1\n"), 422)
    assert "2 rows need correction." in bad and "There is no account of this number." in bad
    untied = text(upload(browser, content.replace(b"-10.00", b"-9.50")), 422)
    assert "does not tie out" in untied and "0.50 EUR" in untied
    assert "The first line must be" in text(upload(browser, b"nonsense"), 422)
    assert "Choose a CSV file." in text(browser.post(URL, data={"reason": "x"}), 422)
    assert "Say why." in text(upload(browser, content, reason=" "), 422)
    assert text(upload(browser, b"x" * 3_000_000), 413)
    assert stored() == 0


def test_bad_rows_and_a_sum_that_is_not_zero_are_shown_at_once(chart: Chart, signed_in: Callable[..., Any]) -> None:
    _, content = simple(chart)
    browser = signed_in(Role.TREASURER)
    untied = content.replace(b"-10.00", b"-9.50")
    counted = text(upload(browser, untied + b"LT000000000000000000,EUR,1\n"), 422)
    assert "1 row needs correction." in counted and "LT00 0000 0000 0000 0000" in counted
    assert "The file does not tie out." in counted and "1.50 EUR" in counted
    unread = text(upload(browser, untied + b"LT000000000000000000,EUR,1.234\n"), 422)
    assert "EUR has 2 decimals." in unread and ">1.234<" in unread
    assert "The rows that can be read do not tie out." in unread and "1 row is not counted." in unread
    assert "0.50 EUR" in unread
    tied = text(upload(browser, content + b"LT000000000000000000,EUR,1.234\n"), 422)
    assert "EUR has 2 decimals." in tied and "tie out." not in tied
    assert stored() == 0


def test_a_file_with_semicolons_is_told_what_to_do(chart: Chart, signed_in: Callable[..., Any]) -> None:
    answer = upload(signed_in(Role.TREASURER), b'"accountNumber";"currency";"amount"\nLT1;EUR;1,5\n')
    told = "The file is separated by semicolons. Save it with commas and a decimal point."
    assert told in text(answer, 422)
    assert stored() == 0


def test_rows_of_a_longer_file_are_read_on_its_own_page(
    chart: Chart, signed_in: Callable[..., Any], book: Book
) -> None:
    owner = book.owner()
    rows = [(book.account(owner=owner), "eur", "1.00") for _ in range(10)]
    content = chart.file(*rows, (chart.settlement["eur"], "eur", "-10.00"))
    there = upload(signed_in(Role.TREASURER), content).location
    imported = session().scalars(sa.select(OpeningImport)).one()
    seen = text(signed_in(Role.SENIOR_TREASURER).get(f"/approvals/{imported.approval_id}"))
    assert f'<a href="{there}">The file and its 11 rows</a>' in seen
    assert "Line 2" not in seen


def test_a_cell_of_the_file_never_becomes_markup(chart: Chart, signed_in: Callable[..., Any]) -> None:
    browser = signed_in(Role.TREASURER)
    _, content = simple(chart)
    answer = upload(browser, content, name="<img src=x>.csv", reason="<script>alert(1)</script>")
    page = text(browser.get(answer.location))
    assert "<img src=x>" not in page and "<script>alert" not in page
    assert "&lt;img src=x&gt;.csv" in page


def test_the_same_file_again_is_a_conflict_that_names_the_first(chart: Chart, signed_in: Callable[..., Any]) -> None:
    _, content = simple(chart)
    browser = signed_in(Role.TREASURER)
    upload(browser, content)
    assert "uploaded before, as old.csv by Treasurer" in text(upload(browser, content), 409)
    assert stored() == 1


def test_the_maker_drops_a_file_and_nobody_else(chart: Chart, signed_in: Callable[..., Any]) -> None:
    _, content = simple(chart)
    maker, second = signed_in(Role.TREASURER), signed_in(Role.SENIOR_TREASURER)
    there = upload(maker, content).location
    assert second.post(f"{there}/drop").status_code == 403
    assert "nothing is posted" in text(maker.get(f"{there}/drop"))
    assert maker.post(f"{there}/drop").status_code == 303
    assert "Dropped" in text(maker.get(there))
    assert maker.post(f"{there}/drop").status_code == 409
    assert upload(maker, content).status_code == 303


def test_who_only_reads_sees_files_and_uploads_nothing(chart: Chart, signed_in: Callable[..., Any]) -> None:
    _, content = simple(chart)
    there = upload(signed_in(Role.TREASURER), content).location
    auditor = signed_in(Role.AUDITOR)
    page = text(auditor.get(URL))
    assert "old.csv" in page and "Upload a file" not in page
    assert auditor.get(there).status_code == 200
    assert upload(auditor, b"x").status_code == 403
    assert auditor.post(f"{there}/drop").status_code == 403
    assert signed_in(Role.ADMIN).get(URL).status_code == 403


def test_rows_of_a_file_are_paged(chart: Chart, signed_in: Callable[..., Any], book: Book) -> None:
    owner = book.owner()
    rows = [(book.account(owner=owner), "eur", "1.00") for _ in range(60)]
    content = chart.file(*rows, (chart.settlement["eur"], "eur", "-60.00"))
    browser = signed_in(Role.TREASURER)
    there = upload(browser, content).location
    first = text(browser.get(there))
    later = first.split('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
    second = text(browser.get(later.replace("&amp;", "&")))
    assert (first.count("/ledger/accounts/"), second.count("/ledger/accounts/")) == (50, 11)
