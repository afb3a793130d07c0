"""Large lists as XLSX: offered, asked for, made in the background, taken by who asked, gone after a day."""

from __future__ import annotations

import io
import os
import re
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import openpyxl
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard import clock
from dashboard.access.actor import system
from dashboard.access.permissions import ROLES, Permission, Role
from dashboard.audit.models import AuditEvent, AuditPayload
from dashboard.background import runner
from dashboard.background.models import BackgroundJob
from dashboard.database import session, transaction
from dashboard.exports import jobs, services, store
from dashboard.exports.models import ListExport
from dashboard.jobs.schedule import JOBS
from dashboard.ledger.services import accounts
from dashboard.ledger.vocabulary import AccountType
from dashboard.settings import ROOT
from dashboard.staff import services as staff_services
from dashboard.staff.models import StaffMember
from dashboard.web.exports import xlsx_file
from tests.conftest import PASSWORD, People, open_session
from tests.jobs.running import run as run_job
from tests.ledger.test_checks_killed import environment

LIST = "/ledger/accounts/export?format=xlsx&type=settlement"
#: what would be computed by a program that opens the file
FORMULA = '=HYPERLINK("http://evil.example","x")'
ROWS = 7


@pytest.fixture
def house(committed_in_file: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Flask]:
    """An application where an XLSX of three rows is a large one, with seven accounts and a formula for a name."""
    app = committed_in_file
    settings = app.extensions["countinghouse.settings"]
    monkeypatch.setitem(app.extensions, "countinghouse.settings", replace(settings, export_xlsx_at_once=3))
    monkeypatch.setattr(store, "_root", [tmp_path])
    monkeypatch.setattr(jobs, "STEP", 1)
    monkeypatch.setattr(jobs, "TELL_SECONDS", 0.0)
    with transaction():
        session().execute(sa.delete(ListExport))
        session().execute(sa.update(BackgroundJob).values(state="canceled", finished_at=clock.now(), lease=None))
    if session().scalar(sa.text("SELECT count(*) FROM account WHERE type = 'settlement'")) == 0:
        with transaction():
            for _ in range(ROWS):
                accounts.open_account(type=AccountType.SETTLEMENT, currency="eur", alias=FORMULA, by=system())
    session().commit()
    yield app
    session().rollback()


@pytest.fixture
def member(house: Flask) -> Callable[..., StaffMember]:
    """`member(Role.TREASURER, "Ada")`, the same one in every test of the file."""

    def make(role: Role, name: str) -> StaffMember:
        found = session().scalar(sa.select(StaffMember).where(StaffMember.name == name))
        if found is None:
            with transaction():
                found = staff_services.create_member(
                    email=f"{name.lower()}@test.example", role=role, password=PASSWORD, name=name, by=system()
                )
        return found

    return make


@pytest.fixture
def ada(house: Flask, member: Callable[..., StaffMember]) -> FlaskClient:
    return open_session(house, member(Role.TREASURER, "Ada"))


def ticket(browser: FlaskClient, address: str = LIST) -> str:
    """The signed offer on the page that the list's export answers with."""
    answer = browser.get(address)
    assert answer.status_code == 200, answer.status
    assert "Content-Disposition" not in answer.headers
    found = re.search(r'name="ticket" value="([^"]+)"', answer.text)
    assert found is not None, answer.text
    return found[1]


def ask(browser: FlaskClient, address: str = LIST) -> str:
    """Ask for the list; gives the address of its page."""
    answer = browser.post("/exports", data={"ticket": ticket(browser, address)})
    assert answer.status_code == 303, answer.status
    return str(answer.headers["Location"])


def work(app: Flask) -> bool:
    return runner.run_one(app, threading.Event(), apart=True)


def row_of(page: str) -> ListExport:
    found = session().scalar(
        sa.select(ListExport)
        .where(ListExport.id == UUID(page.rsplit("/", 1)[1]))
        .execution_options(populate_existing=True)
    )
    session().commit()
    assert found is not None
    return found


def files() -> list[Path]:
    return sorted(path for path in store.folder().rglob("*") if path.is_file()) if store.folder().exists() else []


def events(action: str) -> list[dict[str, Any]]:
    rows = session().execute(
        sa.select(AuditPayload.after, AuditEvent.actor_name)
        .join(AuditEvent, AuditEvent.id == AuditPayload.event_id)
        .where(AuditEvent.action == action)
        .order_by(AuditEvent.id)
    )
    found = [{**(row.after or {}), "by": row.actor_name} for row in rows]
    session().commit()
    return found


def test_a_large_list_is_offered_made_in_the_background_and_taken_by_who_asked(house: Flask, ada: FlaskClient) -> None:
    offered = ada.get(LIST)
    assert "more than 3 rows" in offered.text and "format=csv&amp;type=settlement" in offered.text
    assert "Filter" in offered.text and "Type: " in offered.text
    page = ask(ada)
    waiting = ada.get(page)
    assert "Waiting to start" in waiting.text and 'hx-trigger="load delay:1s"' in waiting.text
    assert "Reload" in waiting.text and "Cancel the export" in waiting.text
    assert ada.get(f"{page}/file").status_code == 409
    assert work(house)
    ready = ada.get(page, headers={"HX-Request": "true"})
    assert "The file is ready" in ready.text and "<html" not in ready.text and "hx-trigger" not in ready.text
    assert f"{ROWS}</span> rows" in ready.text
    assert "An export of yours is ready" in ada.get("/").text
    # the file as it lies: under a random name, for nobody else on the machine
    export = row_of(page)
    (kept,) = files()
    assert kept.name == export.file and re.fullmatch("[0-9a-f]{32}", kept.name)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert {stat.S_IMODE(place.stat().st_mode) for place in (store.folder(), store.parts())} == {0o700}
    taken = ada.get(f"{page}/file")
    assert taken.status_code == 200 and taken.headers["X-Content-Type-Options"] == "nosniff"
    assert taken.headers["Content-Disposition"].startswith('attachment; filename="Accounts ')
    assert "no-store" in taken.headers["Cache-Control"]
    book = openpyxl.load_workbook(io.BytesIO(taken.data))
    about = {str(row[0]): str(row[1]) for row in book.worksheets[0].iter_rows(min_row=2, values_only=True)}
    assert "Type: " in about["Filter"] and "Europe/" in about["As of"] and about["Exported by"] == "Ada"
    assert about["Rows"] == str(ROWS)
    # the rows are those of the CSV, and a formula is a text
    table = list(book.worksheets[1].iter_rows(values_only=True))
    lines = ada.get(LIST.replace("xlsx", "csv")).text.splitlines()
    numbers = [line.split(",")[0] for line in lines if not line.startswith(("\ufeff#", "#"))]
    assert [row[0] for row in table[1:]] == numbers[1:] and len(table) == ROWS + 1
    cell = book.worksheets[1].cell(2, 2)
    assert (cell.value, cell.data_type) == (FORMULA, "s")
    # what was done is evidence: made, and taken; the banner goes
    assert {"list": "ledger.accounts_export", "format": "xlsx", "filters": ["format", "type"], "by": "Ada"} in events(
        "export.made"
    )
    assert "exports.download" in [event["list"] for event in events("export.made")]
    assert "An export of yours is ready" not in ada.get("/").text


def test_names_that_a_list_does_not_know_are_counted_in_evidence_and_lead_nowhere(
    house: Flask, ada: FlaskClient
) -> None:
    made_up = "&Jonas+Petrauskas=1&endpoint=x&_method=PUT&_scheme=http&_external=1"
    offer = ada.get(LIST + made_up)
    assert offer.status_code == 200 and 'href="/ledger/accounts/export?' in offer.text
    ask(ada, LIST + made_up)
    assert work(house)
    told = events("export.made")[-1]
    assert "Petrauskas" not in str(told) and "5 unknown" in str(told) and "type" in str(told)


def test_progress_counts_rows_and_a_canceled_export_leaves_nothing(
    house: Flask, ada: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, seen = ask(ada), []
    say = jobs._Teller.say

    def watching(teller: Any, phase: str, done: int) -> None:
        say(teller, phase, done)
        # a context of its own, as a browser beside the work has
        with house.app_context():
            seen.append((phase, done, re.sub(r"<[^>]+>|\s+", " ", ada.get(page).text)))
            if (phase, done) == ("writing", 4):
                assert ada.post(f"{page}/cancel").status_code == 303

    monkeypatch.setattr(jobs._Teller, "say", watching)
    assert work(house)
    assert ("counting", ROWS) in [(phase, done) for phase, done, _ in seen]
    assert any(phase == "writing" and f"3 of {ROWS}" in " ".join(text.split()) for phase, _, text in seen)
    # it stopped at the next step
    assert seen[-1][:2] == ("writing", 4)
    assert "Canceled" in ada.get(page).text
    assert files() == [] and row_of(page).ended_at is not None
    # one that waits is canceled at once, and one that has ended is not
    waiting = ask(ada)
    ada.post(f"{waiting}/cancel")
    assert "Canceled" in ada.get(waiting).text and not work(house)
    ada.post(f"{waiting}/cancel")
    assert "has ended already" in ada.get("/exports").text


def test_the_same_list_is_one_export_while_it_waits_and_three_may_wait(house: Flask, ada: FlaskClient) -> None:
    first = ask(ada)
    assert ask(ada) == first
    others = [ask(ada, f"{LIST}&currency=eur"), ask(ada, f"{LIST}&status=open")]
    assert len({first, *others}) == services.MOST_AT_ONCE
    # a fourth is refused with words, and the same one as before still is found
    refused = ada.post("/exports", data={"ticket": ticket(ada, "/ledger/accounts/export?format=xlsx")})
    assert refused.status_code == 409 and "3 of your exports wait" in refused.text
    assert ask(ada) == first
    while work(house):
        pass
    assert ask(ada) != first
    assert len(files()) == 3


def test_so_many_files_of_one_person_lie_ready_and_no_more(
    house: Flask, ada: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "MOST_KEPT", 1)
    ask(ada)
    assert work(house)
    refused = ada.post("/exports", data={"ticket": ticket(ada, LIST + "&currency=eur")})
    assert refused.status_code == 409 and "1 files of yours lie ready" in refused.text
    with transaction():
        session().execute(sa.update(ListExport).values(expires_at=clock.now()))
    ask(ada, LIST + "&currency=eur")


def test_nobody_else_sees_or_takes_it(house: Flask, ada: FlaskClient, member: Callable[..., StaffMember]) -> None:
    page = ask(ada)
    assert work(house)
    eve = open_session(house, member(Role.TREASURER, "Eve"))
    assert eve.get(page).status_code == 404
    assert eve.get(f"{page}/file").status_code == 404
    assert eve.post(f"{page}/cancel").status_code == 404
    assert "No export of yours" in eve.get("/exports").text
    assert house.test_client().get(f"{page}/file").status_code == 303
    # nor may another use the offer, or anybody bend it
    offered = ticket(ada)
    for browser, sent in ((eve, offered), (ada, offered[:-3] + "abc"), (ada, "")):
        answer = browser.post("/exports", data={"ticket": sent})
        assert answer.status_code == 422 and "no longer valid" in answer.text


def test_rights_are_those_of_asking_and_are_asked_for_again_at_the_file(
    house: Flask, ada: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ROLES[Role.TREASURER]
    fewer = replace(whole, permissions=whole.permissions - {Permission.LEDGER_READ})

    def may(role: Any) -> None:
        monkeypatch.setitem(ROLES, Role.TREASURER, role)

    page = ask(ada)
    assert set(row_of(page).permissions) == {one.value for one in whole.permissions}
    # with fewer rights meanwhile it is still made as it was asked for, and handed out to nobody
    may(fewer)
    assert work(house)
    assert row_of(page).file is not None
    refused = ada.get(f"{page}/file")
    assert refused.status_code == 403 and "permissions have changed" in refused.text
    assert row_of(page).taken_at is None
    # nor is an offer of before good for a list that may no longer be read
    may(whole)
    offered = ticket(ada)
    may(fewer)
    assert ada.post("/exports", data={"ticket": offered}).status_code == 403
    # with the rights again the file is there
    may(whole)
    assert ada.get(f"{page}/file").status_code == 200


def test_a_form_of_another_site_asks_for_nothing(house: Flask, ada: FlaskClient) -> None:
    offered = ticket(ada)
    house.config["WTF_CSRF_ENABLED"] = True
    try:
        assert ada.post("/exports", data={"ticket": offered}).status_code == 400
    finally:
        house.config["WTF_CSRF_ENABLED"] = False
    assert session().scalar(sa.select(sa.func.count()).select_from(ListExport)) == 0
    session().commit()


def test_a_list_that_no_sheet_holds_fails_with_its_reason_and_without_a_file(
    house: Flask, ada: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = ask(ada)
    monkeypatch.setattr(xlsx_file, "MOST_ROWS", ROWS - 1)
    assert work(house)
    failed = ada.get(page).text
    assert f"more than {ROWS - 1} rows, too many for one XLSX file" in failed and "Export it as CSV" in failed
    assert files() == []


def test_after_a_day_the_file_is_gone(house: Flask, ada: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    page = ask(ada)
    assert work(house)
    left = store.parts() / "left-by-a-process-that-died"
    left.write_bytes(b"half")
    os.utime(left, (1, 1))
    (job,) = (one for one in JOBS if one.name == "forget-exports")
    assert run_job(job, house)
    assert [path.name for path in files()] == [row_of(page).file]
    now = clock.now
    monkeypatch.setattr(clock, "now", lambda: now() + services.KEPT + timedelta(seconds=1))
    # nobody gets it between its last moment and the job
    export = row_of(page)
    assert export.expires_at is not None and export.expires_at <= clock.now()
    assert job.run(house.extensions["countinghouse.settings"]) == {"removed": 1, "swept": 0}
    assert files() == []
    monkeypatch.undo()
    answer = ada.get(page)
    assert answer.status_code == 404 and "kept for a day" in answer.text


#: writes some rows, and is killed before the file is whole
IN_THE_MIDDLE = """
import sys, threading, time
from pathlib import Path
from wsgi import app
from dashboard.background import runner
from dashboard.exports import jobs, store
store._root[:] = [Path(sys.argv[1])]
jobs.STEP, jobs.TELL_SECONDS = 1, 0.0
say = jobs._Teller.say
def slowly(teller, phase, done):
    say(teller, phase, done)
    if (phase, done) == ("writing", 5):
        print("in the middle", flush=True)
        time.sleep(120)
jobs._Teller.say = slowly
runner.run_one(app, threading.Event(), apart=True)
"""


def test_work_that_was_killed_begins_again_and_there_is_never_half_a_file(
    house: Flask, ada: FlaskClient, tmp_path: Path
) -> None:
    page = ask(ada)
    process = subprocess.Popen(
        [sys.executable, "-c", IN_THE_MIDDLE, str(tmp_path)], cwd=ROOT, env=environment(house),
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None and process.stdout.readline().strip() == "in the middle"
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert f"5 of {ROWS}" in ada.get(page).text
    # what it left lies among the parts, and nowhere under a name that anybody is led to
    left = files()
    assert left and all(path.parent == store.parts() for path in left)
    assert ada.get(f"{page}/file").status_code == 409
    with transaction():
        session().execute(sa.update(BackgroundJob).values(lease_until=sa.text("now() - interval '1 second'")))
    assert work(house)
    book = openpyxl.load_workbook(io.BytesIO(ada.get(f"{page}/file").data))
    assert book.worksheets[1].max_row == ROWS + 1
    assert [path.name for path in files() if path.parent == store.folder()] == [row_of(page).file]
    (job,) = session().scalars(sa.select(BackgroundJob).where(BackgroundJob.id == row_of(page).job_id))
    session().commit()
    assert (job.state, job.attempts) == ("succeeded", 2)


def test_all_rows_of_a_file_are_of_one_moment(house: Flask, ada: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    page, say = ask(ada), jobs._Teller.say

    def opening(teller: Any, phase: str, done: int) -> None:
        say(teller, phase, done)
        if (phase, done) == ("writing", 2):
            with house.app_context(), transaction():
                accounts.open_account(type=AccountType.SETTLEMENT, currency="usd", alias="late", by=system())

    monkeypatch.setattr(jobs._Teller, "say", opening)
    assert work(house)
    assert row_of(page).rows == ROWS
    late = ada.get(f"{LIST}&currency=usd")
    assert late.headers["Content-Disposition"].startswith("attachment")


def test_a_machine_has_nobody_who_comes_for_a_file(house: Flask, people: People) -> None:
    with house.test_request_context(LIST):
        from dashboard.exports.pages import offer

        assert offer(None, "Accounts", None) is None  # type: ignore[arg-type]
