"""The pages of the audit, by role; exports; who looked."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard import clock
from dashboard.access.actor import system
from dashboard.access.permissions import Audience, Role
from dashboard.audit import looking, sealing, searching
from dashboard.audit import services as audit
from dashboard.audit.models import AuditEvent, AuditPayload
from dashboard.background import runner
from dashboard.clients import services
from dashboard.clients.profile import IndividualProfile
from dashboard.clients.vocabulary import BlockCode
from dashboard.database import new_id, session, transaction
from dashboard.home import audit_work
from dashboard.home.audit_pages import differences
from tests.conftest import Machine, People

INJECTION = '=HYPERLINK("https://evil.example","pay")'


@pytest.fixture(autouse=True)
def no_head_of_another_test(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(audit_work._instance, "path", tmp_path)


@pytest.fixture
def client_id(people: People) -> Any:
    """A client that was changed and blocked, with a reason that not everybody may see."""
    officer = people.actor(Role.OFFICER)
    with transaction():
        client = services.create(IndividualProfile(first_name="Ada", last_name="Lovelace"), by=officer)
        services.block(client.id, code=BlockCode.FRAUD, comment="secret words", by=officer)
        audit.record(
            "thing.changed", by=officer, object_type="job", object_id=None,
            before={"name": "old", "same": 1, "gone": {"deep": "x"}},
            after={"name": INJECTION, "same": 1, "new": [1, 2]}, reason=INJECTION,
        )  # fmt: skip
    return client.id


def actions(action: str) -> list[AuditEvent]:
    found = session().scalars(sa.select(AuditEvent).where(AuditEvent.action == action).order_by(AuditEvent.id))
    return list(found)


def event(action: str) -> AuditEvent:
    return actions(action)[-1]


def test_auditors_and_administrators_read_the_audit_and_nobody_else(
    app: Flask, signed_in: Callable[..., FlaskClient], client_id: Any, machine: Callable[..., Machine]
) -> None:
    sealing.seal_all()
    shown = event("client.blocked")
    paths = ("/audit", f"/audit/{shown.id}", "/audit/export/csv", "/audit/export/json", "/audit/verification",
             "/audit/verify_audit.py")  # fmt: skip
    for role in Role:
        browser = signed_in(role)
        allowed = role in {Role.AUDITOR, Role.ADMIN}
        for path in paths:
            answer = browser.get(path)
            assert answer.status_code == (200 if allowed else 403), (role, path)
            answer.get_data()
        assert browser.post("/audit/verify").status_code == (303 if allowed else 403)
        assert ('href="/audit"' in browser.get("/").get_data(as_text=True)) is allowed
    assert app.test_client().get("/audit").status_code == 303
    assert app.test_client().get("/audit/verify_audit.py").status_code == 303


def test_the_page_filters_by_who_what_object_client_and_period_and_keeps_them_in_the_address(
    app: Flask, signed_in: Callable[..., FlaskClient], client_id: Any, people: People
) -> None:
    browser = signed_in(Role.AUDITOR)
    officer = people.actor(Role.OFFICER)
    today = clock.now().astimezone(app.extensions["countinghouse.settings"].zone).date().isoformat()

    def listed(query: str) -> str:
        answer = browser.get(f"/audit?{query}")
        assert answer.status_code == 200, query
        return answer.get_data(as_text=True)

    blocked, changed = event("client.blocked").id, event("thing.changed").id
    for query, there, absent in (
        (f"client={client_id}", blocked, changed),
        ("client=lovelace", blocked, changed),
        ("action=client.blocked", blocked, changed),
        ("type=job", changed, blocked),
        (f"type=client&object={client_id}", None, changed),
        (f"who={officer.id}&action=thing.changed", changed, blocked),
        ("who=officer&kind=staff&action=client.blocked", blocked, changed),
        (f"from={today}&to={today}&action=client.blocked", blocked, changed),
    ):
        text = listed(query)
        assert there is None or f"/audit/{there}" in text, query
        assert f"/audit/{absent}" not in text, query
    assert "Nothing fits these filters." in listed("to=2001-01-01")
    assert "Nothing fits these filters." in listed("who=nobody+at+all")
    assert "Nothing fits these filters." in listed("kind=token&action=client.blocked")
    for query, words in (
        ("object=abc", "Write the whole identifier."),
        ("from=yesterday", "Write the date as 2026-03-13."),
        ("from=2026-02-02&to=2026-01-01", "This lies before the first day."),
        ("kind=robots", "is none of the choices"),
        ("who=" + "x" * 300, "Use at most"),
    ):
        answer = browser.get(f"/audit?{query}")
        assert answer.status_code == 422 and words in answer.get_data(as_text=True), query
        assert browser.get(f"/audit/export/csv?{query}").status_code == 422
    assert browser.get("/audit?cursor=bent").status_code == 400
    assert browser.get(f"/audit/{new_id()}").status_code == 404
    part = browser.get("/audit?action=client.blocked&who=", headers={"HX-Request": "true"})
    assert part.headers["HX-Push-Url"] == "/audit?action=client.blocked" and "<h1>" not in part.get_data(as_text=True)
    # paging shows each event once
    with transaction():
        for _ in range(120):
            audit.record("test.paged", by=system("pager"), object_type="audit", object_id=None)
    seen: list[str] = []
    path: str | None = "/audit?who=pager"
    while path:
        text = browser.get(path).get_data(as_text=True)
        rows = [part.split('"')[0] for part in text.split('class="open" href="/audit/')[1:]]
        seen += rows
        path = (
            text.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
            if 'rel="next"' in text
            else None
        )
    assert seen == [str(one.id) for one in reversed(actions("test.paged"))]


def test_one_event_shows_before_and_after_and_what_the_reader_may_see(
    app: Flask, signed_in: Callable[..., FlaskClient], client_id: Any
) -> None:
    auditor, admin = signed_in(Role.AUDITOR), signed_in(Role.ADMIN)
    blocked, changed = event("client.blocked"), event("thing.changed")
    text = auditor.get(f"/audit/{blocked.id}").get_data(as_text=True)
    assert "secret words" in text and "Ada Lovelace" in text and "Waits for its seal" in text
    text = admin.get(f"/audit/{blocked.id}").get_data(as_text=True)
    assert "Not shown to your role" in text and "secret words" not in text and "Lovelace" not in text
    assert "127.0.0.1" not in text
    text = admin.get(f"/audit/{changed.id}").get_data(as_text=True)
    assert "<del>old</del>" in text and "<del>x</del>" in text and "<ins>1, 2</ins>" in text
    assert [row["turn"] for row in differences({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 5, "d": {"e": True}})] == [
        "same", "changed", "removed", "added",
    ]  # fmt: skip
    # what would tell a reason by being there is not there for who may not know it
    with transaction():
        hidden = audit.record("legal_hold.placed", by=system(), object_type="legal_hold", object_id=None,
                              client_id=client_id)  # fmt: skip
    sealing.seal_all()
    assert admin.get(f"/audit/{hidden}").status_code == 404
    for path in ("/audit", "/audit/export/csv", "/audit/export/json", f"/audit?client={client_id}"):
        text = admin.get(path).get_data(as_text=True)
        assert str(hidden) not in text and "secret words" not in text and "Lovelace" not in text, path
    assert admin.get("/audit?client=lovelace").status_code == 422
    assert auditor.get(f"/audit/{hidden}").status_code == 200


def test_exports_hold_exactly_what_is_filtered_and_harm_no_spreadsheet_and_verify_elsewhere(
    app: Flask, signed_in: Callable[..., FlaskClient], client_id: Any, tmp_path: Path
) -> None:
    browser = signed_in(Role.AUDITOR)
    sealing.seal_all()
    answer = browser.get("/audit/export/csv?type=job")
    text = answer.get_data(as_text=True)
    assert "attachment" in answer.headers["Content-Disposition"]
    assert "# Filter: Object: Job" in text and "# rows: 1" in text and "# As of:" in text
    assert f",'{INJECTION}"[:5] in text.replace('""', '"').replace(',"', ",")
    assert ",=HYPER" not in text and ',"=HYPER' not in text
    answer = browser.get(f"/audit/export/json?client={client_id}")
    document = json.loads(answer.get_data(as_text=True))
    ids = {one["id"] for one in document["events"]}
    wanted = session().scalars(
        sa.select(AuditEvent.id).where(AuditEvent.client_id == client_id, AuditEvent.action != looking.EXPORTED)
    )
    assert ids == {str(one) for one in wanted}
    assert document["about"]["filters"] == [{"name": "Client", "value": str(client_id)}]
    assert document["end"]["events"] == len(ids) and all(one["seal"] for one in document["events"])
    program, file = tmp_path / "verify_audit.py", tmp_path / "audit.json"
    program.write_bytes(browser.get("/audit/verify_audit.py").get_data())
    file.write_bytes(answer.get_data())

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-I", str(program), str(file)], capture_output=True, text=True)

    done = run()
    assert done.returncode == 0 and "VERIFIED" in done.stdout, done.stdout + done.stderr
    victim = document["events"][-1]
    file.write_text(file.read_text().replace("Ada", "Eve"))
    done = run()
    assert done.returncode == 1 and "the payload was changed" in done.stdout
    file.write_text(answer.get_data(as_text=True).replace(victim["occurred_at"], "2020-02-02T00:00:00.000000Z"))
    done = run()
    assert done.returncode == 1 and f"Position {victim['seal']['position']} " in done.stdout
    assert browser.get("/audit/export/pdf").status_code in {400, 422}


def test_verification_from_the_page_runs_in_the_background_and_says_what_it_found(
    app: Flask, signed_in: Callable[..., FlaskClient], client_id: Any
) -> None:
    browser = signed_in(Role.ADMIN)
    assert browser.post("/audit/verify").status_code == 303
    assert browser.post("/audit/verify").status_code == 303
    assert "Waiting to verify." in browser.get("/audit").get_data(as_text=True)
    assert runner.run_one(app, threading.Event())
    assert not runner.run_one(app, threading.Event()), "one verification at a time"
    text = browser.get("/audit").get_data(as_text=True)
    assert "Whole:" in text and "sealed records fit" in text
    assert event("audit.verified").actor_name == "Admin"
    # words that somebody puts into the mouth of a record that said nothing
    with transaction():
        silent = audit.record("test.silent", by=system("test"), object_type="audit", object_id=None)
        target = session().get_one(AuditEvent, silent)
        session().add(
            AuditPayload(event_id=silent, salt="a", before=None, after={"x": 1}, reason=None, restricted=None)
        )
    outcome = audit_work.verify(by=system("test"))
    assert outcome.broken is not None and outcome.broken["event"] == str(target.id)
    with transaction():
        audit_work.ask(by=system("test"))
    runner.run_one(app, threading.Event())
    text = browser.get("/audit").get_data(as_text=True)
    assert f"Position {outcome.broken['position']}" in text and f'href="/audit/{target.id}"' in text
    done = app.test_cli_runner().invoke(args=["audit", "verify"])
    assert done.exit_code == 1 and f"Position {outcome.broken['position']}" in done.output


def test_looks_are_recorded_once_in_some_minutes_and_exports_every_time(
    app: Flask, signed_in: Callable[..., FlaskClient], client_id: Any, machine: Callable[..., Machine], people: People
) -> None:
    officer, senior = signed_in(Role.OFFICER), signed_in(Role.SENIOR_OFFICER)
    for path in (f"/clients/{client_id}", f"/clients/{client_id}?tab=timeline", f"/clients/{client_id}/edit"):
        assert officer.get(path).status_code == 200
    senior.get(f"/clients/{client_id}")
    looks = actions("client.read")
    assert [look.actor_name for look in looks] == ["Officer", "Senior Officer"]
    assert all(look.client_id == look.object_id == client_id and look.payload_digest is None for look in looks)
    assert "Client read" not in officer.get(f"/clients/{client_id}?tab=timeline").get_data(as_text=True)
    with transaction():
        later = looking.ONE_LOOK * 2
        now = clock.now
        clock.now = lambda: now() + later  # type: ignore[assignment]
        try:
            assert looking.look("client.read", by=people.actor(Role.OFFICER), object_type="client",
                                object_id=client_id)  # fmt: skip
        finally:
            clock.now = now  # type: ignore[assignment]
    for path in ("/clients", "/clients?text=Lovelace", "/clients?text=Ada", "/transfers", "/ledger/accounts"):
        assert officer.get(path).status_code == 200
    assert len(actions("clients.listed")) == len(actions("clients.searched")) == 1
    assert len(actions("transfers.listed")) == len(actions("accounts.listed")) == 1
    for _ in range(2):
        officer.get("/transfers/export/csv?text=Lovelace&status=").get_data()
    officer.get("/ledger/accounts/export?format=xlsx").get_data()
    said = [session().get_one(AuditPayload, one.id).after for one in actions(looking.EXPORTED)]
    assert said[:2] == [{"list": "transfers.export", "format": "csv", "filters": ["text"]}] * 2
    assert len(said) == 3 and "Lovelace" not in json.dumps(said)
    # refusals are no looks; machines are watched as well, apps of clients ask about themselves
    treasurer = signed_in(Role.TREASURER)
    treasurer.get(f"/clients/{new_id()}")
    house = machine(Audience.SYSTEM)
    for _ in range(2):
        assert house.call("GET", f"/internal/Clients/{client_id}").status_code == 200
    own = machine(Audience.FRONTOFFICE, client_id=client_id)
    assert own.call("GET", "/Client").status_code == 200
    assert [one.actor_kind for one in actions("client.read")] == ["staff"] * 3 + ["token"]


def test_an_export_goes_on_after_its_first_part(
    signed_in: Callable[..., FlaskClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "STREAM_ROWS", 3)
    with transaction():
        for _ in range(10):
            audit.record("test.many", by=system("test"), object_type="thing", object_id=None, after={"a": 1})
    sealing.seal_all()
    browser = signed_in(Role.AUDITOR)
    answer = browser.get("/audit/export/csv?action=test.many").text
    assert answer.count("test.many") >= 10 and "incomplete" not in answer
    assert len(json.loads(browser.get("/audit/export/json?action=test.many").text)["events"]) == 10
