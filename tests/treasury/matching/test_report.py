"""GL-28: the report as a document, a workbook and a PDF; the same data give the same bytes."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import openpyxl
from flask.testing import FlaskClient

from dashboard.access.permissions import Audience, Role
from dashboard.database import transaction
from dashboard.treasury.matching.services import breaks
from tests.treasury.matching.conftest import Desk, Told


def filled(desk: Desk) -> Any:
    desk.ledger(1_000, "REF-9001")
    desk.ledger(1_250_00, "REF-9002")
    desk.file(Told(1_000, ref="REF-9001"), Told(1_245_50, ref="REF-9002"), Told(-450, text="prowizja"))
    day = desk.close()
    desk.run(day)
    return day


def test_the_operation_tells_both_balances_matches_and_every_break_with_its_rows(
    desk: Desk, machine: Callable[..., Any]
) -> None:
    day = filled(desk)
    path = f"/internal/Reports/ReconciliationReport?from={day}&to={day}&bankAccountId={desk.bank_id}"
    answer = machine(Audience.SYSTEM, scopes=["all"]).call("GET", path)
    assert answer.status_code == 200, answer.text
    [item] = answer.json["items"]
    assert item["closing"]["ledger"] == 1_260
    assert item["closing"]["statement"] == 1_251
    assert item["closing"]["unexplained"] == 0
    assert item["matched"] == {"count": 1, "in": 10, "out": 0}
    assert item["ruleVersions"] == [1]
    assert [(one["kind"], len(one["rows"])) for one in item["breaks"]] == [
        ("amountDiffers", 2),
        ("missingInLedger", 1),
    ]
    assert item["asOf"].endswith("Z")


def test_a_period_that_cannot_be_is_refused_by_name(desk: Desk, machine: Callable[..., Any]) -> None:
    teller = machine(Audience.SYSTEM, scopes=["all"])
    path = "/internal/Reports/ReconciliationReport"
    assert teller.call("GET", path).status_code == 400
    wrong = teller.call("GET", f"{path}?from=2026-03-02&to=2026-03-01&bankAccountId={desk.bank_id}")
    assert wrong.status_code == 400
    assert wrong.json["errors"][0]["field"] == "to"


def test_the_same_data_give_the_same_bytes(desk: Desk, signed_in: Callable[..., FlaskClient], people: Any) -> None:
    day = filled(desk)
    browser = signed_in(Role.AUDITOR)
    query = f"account={desk.bank_id}&from={day}&to={day}"
    for form in ("xlsx", "pdf"):
        path = f"/treasury/reconciliation/report/{form}?{query}"
        first, second = browser.get(path), browser.get(path)
        assert first.status_code == 200, first.text
        assert first.data == second.data
    book = openpyxl.load_workbook(io.BytesIO(browser.get(f"/treasury/reconciliation/report/xlsx?{query}").data))
    head = {row[0].value: row[1].value for row in book.worksheets[0].iter_rows(max_col=2)}
    assert head["Rules"] == "v1"
    assert head["Unexplained"] == "0.00 EUR"
    assert book.worksheets[1].max_row == 4
    # another fact, another file
    with transaction():
        breaks.acknowledge(desk.breaks()[0].id, by=people.actor(Role.TREASURER))
    again = browser.get(f"/treasury/reconciliation/report/pdf?{query}")
    assert again.data != second.data


def test_the_page_shows_it(desk: Desk, signed_in: Callable[..., FlaskClient]) -> None:
    day = filled(desk)
    page = signed_in(Role.TREASURER).get(f"/treasury/reconciliation/report?account={desk.bank_id}&from={day}&to={day}")
    assert page.status_code == 200
    assert "Amount differs" in page.text
    assert "Statement, closing" in page.text
