"""The page of daily checks: its states, who may do what, findings as a file, alerts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from io import BytesIO

import openpyxl
import pytest
from flask import Flask
from flask.testing import FlaskClient

from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.background import queries as background
from dashboard.background import runner
from dashboard.database import new_id, transaction
from dashboard.ledger.services import days, snapshots
from dashboard.treasury.alerts import services as alerting
from dashboard.treasury.checks import jobs, queries, table
from dashboard.treasury.checks.check import Answer, Check, Finding, Look
from dashboard.treasury.checks.vocabulary import RUN

SignedIn = Callable[..., FlaskClient]
PATH = "/treasury/checks"


@pytest.fixture
def treasurer(app: Flask, signed_in: SignedIn) -> FlaskClient:
    return signed_in(Role.TREASURER)


@pytest.fixture
def ended(app: Flask) -> str:
    """The first day, which has ended."""
    day = days.open_day().day
    snapshots.end_of_day(day, by=system())
    return day.isoformat()


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Zero sum finds a formula and some HTML."""

    def failing(look: Look) -> Answer:
        answer = Answer(looked=2)
        answer.add(
            Finding("off", "account", "=1+1", "<b>Off</b> by a cent.", "Look.", currency="eur", expected=1, found=2)
        )
        answer.add(Finding("off", "account", "Other", "Off in pounds.", "Look.", currency="gbp", expected=1, found=2))
        with transaction():
            look.keep()
        return answer

    first = table.CHECKS[0]
    monkeypatch.setattr(jobs, "CHECKS", (Check(first.key, first.title, first.asks, failing), *table.CHECKS[1:]))


def page(browser: FlaskClient, path: str = PATH, status: int = 200, **options: object) -> str:
    answer = browser.get(path, **options)  # type: ignore[arg-type]
    assert answer.status_code == status, answer.status
    return answer.get_data(as_text=True)


def work(app: Flask) -> None:
    while runner.run_one(app, threading.Event()):
        pass


def test_before_the_first_run_the_page_says_what_to_do(treasurer: FlaskClient, signed_in: SignedIn) -> None:
    shown = page(treasurer)
    assert "No run has finished yet." in shown and "Start one with “Run now”" in shown
    assert "Your role reads checks; treasurers start them." in page(signed_in(Role.AUDITOR))
    assert "Run now</button>" not in page(signed_in(Role.AUDITOR))


def test_before_a_day_has_ended_a_run_is_refused_in_words(treasurer: FlaskClient) -> None:
    answer = treasurer.post(f"{PATH}/runs", follow_redirects=True)
    assert "No business day has ended yet." in answer.get_data(as_text=True)
    assert background.latest(RUN) is None


def test_a_run_waits_shows_its_progress_and_its_result(
    app: Flask, treasurer: FlaskClient, ended: str, broken: None
) -> None:
    assert treasurer.post(f"{PATH}/runs").status_code == 303
    waiting = page(treasurer)
    assert "Waiting to start" in waiting and "Asked by you" in waiting and "Cancel the run" in waiting
    progress = treasurer.get(f"{PATH}/progress", headers={"HX-Request": "true"})
    assert "HX-Refresh" not in progress.headers
    work(app)
    progress = treasurer.get(f"{PATH}/progress", headers={"HX-Request": "true"})
    assert progress.headers["HX-Refresh"] == "true"
    shown = page(treasurer)
    assert "9 passed · 1 failed · 2 not run" in shown
    assert "bank accounts in the register that give statements" in shown
    assert shown.count('class="badge is-stop"') >= 1 and "Not run" in shown
    assert "&lt;b&gt;Off&lt;/b&gt; by a cent." in shown, "the alert, escaped"
    run = queries.latest()
    assert run is not None
    one = page(treasurer, f"{PATH}/runs/{run.id}")
    assert "Off in pounds." in one and "=1+1" in one and "&lt;b&gt;Off" in one


def test_a_run_is_canceled_and_says_so(app: Flask, treasurer: FlaskClient, ended: str) -> None:
    treasurer.post(f"{PATH}/runs", data={"day": ended})
    job = background.latest(RUN)
    assert job is not None
    assert treasurer.post(f"{PATH}/runs/{job.id}/cancel").status_code == 303
    assert background.get(job.id, kind=RUN).state == "canceled"
    again = treasurer.post(f"{PATH}/runs/{job.id}/cancel", follow_redirects=True)
    assert "This run had ended already." in again.get_data(as_text=True)


def test_findings_are_filtered_and_exported_as_seen(
    app: Flask, treasurer: FlaskClient, ended: str, broken: None
) -> None:
    treasurer.post(f"{PATH}/runs")
    work(app)
    run = queries.latest()
    assert run is not None
    base = f"{PATH}/runs/{run.id}/findings"
    both, pounds = page(treasurer, base), page(treasurer, f"{base}?currency=gbp")
    assert "Off in pounds." in both and "by a cent." in both
    assert "Off in pounds." in pounds and "by a cent." not in pounds
    assert "No finding fits these filters." in page(treasurer, f"{base}?check=holds")
    csv = treasurer.get(f"{base}/export/csv?currency=gbp").get_data(as_text=True)
    assert "Off in pounds." in csv and "by a cent." not in csv and "Currency: GBP" in csv and "0.02" in csv
    book = openpyxl.load_workbook(BytesIO(treasurer.get(f"{base}/export/xlsx").data))
    cells = [cell for row in book.worksheets[1].iter_rows() for cell in row]
    assert [cell.data_type for cell in cells if cell.value == "=1+1"] == ["s"]
    assert page(treasurer, f"{base}?check=nothing", 422)
    assert page(treasurer, f"{base}?cursor=bad", 400)
    assert page(treasurer, f"{base}/export/pdf", 422)


def test_wrong_addresses_are_told_in_place(treasurer: FlaskClient, ended: str) -> None:
    assert "Write the day as 2026-03-12." in page(treasurer, f"{PATH}?day=yesterday", 422)
    assert "no longer valid" in page(treasurer, f"{PATH}?cursor=bad", 400)
    assert "No run of this day." in page(treasurer, f"{PATH}?day=2001-01-01")
    assert page(treasurer, f"{PATH}/runs/{new_id()}", 404)
    refused = treasurer.post(f"{PATH}/runs", data={"day": "soon"}, follow_redirects=True).get_data(as_text=True)
    assert "Nothing was asked for." in refused


def test_alerts_are_listed_and_settled_with_a_reason(treasurer: FlaskClient, signed_in: SignedIn) -> None:
    assert "No alert is open." in page(treasurer, f"{PATH}/alerts")
    with transaction():
        alert = alerting.raise_alert(
            "zeroSum", pool="eMoney", currency="eur", cause="off", says="It is off.", by=system()
        )
    listed = page(treasurer, f"{PATH}/alerts")
    assert "It is off." in listed and "E-money" in listed and "Settle…" in listed
    assert "Settle…" not in page(signed_in(Role.AUDITOR), f"{PATH}/alerts")
    settle = f"{PATH}/alerts/{alert.id}/settle"
    assert "It is off." in page(treasurer, settle)
    empty = treasurer.post(settle, data={"reason": ""})
    assert empty.status_code == 422 and "Say what was done about it." in empty.get_data(as_text=True)
    assert treasurer.post(settle, data={"reason": "Booked by adjusting payment."}).status_code == 303
    assert "Booked by adjusting payment." in page(treasurer, f"{PATH}/alerts?state=settled")
    assert treasurer.post(settle, data={"reason": "again"}).status_code == 409
    assert page(treasurer, f"{PATH}/alerts?state=other", 422)


@pytest.mark.parametrize("role", [Role.OFFICER, Role.SENIOR_OFFICER, Role.ADMIN])
def test_others_do_not_see_treasury(signed_in: SignedIn, role: Role) -> None:
    browser = signed_in(role)
    for path in (PATH, f"{PATH}/alerts", f"{PATH}/runs/{new_id()}", f"{PATH}/progress"):
        assert browser.get(path).status_code == 403
    assert browser.post(f"{PATH}/runs").status_code == 403


def test_an_auditor_changes_nothing(signed_in: SignedIn, ended: str) -> None:
    auditor = signed_in(Role.AUDITOR)
    assert auditor.post(f"{PATH}/runs").status_code == 403
    assert auditor.post(f"{PATH}/alerts/{new_id()}/settle", data={"reason": "x"}).status_code == 403
