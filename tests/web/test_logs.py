"""What the log says: of each request a line with its id and its actor, and of nobody's data anything."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard.access.permissions import Audience, Role
from dashboard.database import session
from tests.clients.making import path, person
from tests.conftest import PASSWORD, People

#: of one person, in every form in which a request could carry it
PERSON = {
    "first name": "Xanthippe", "last name": "Zyxelova", "e-mail": "xanthippe.z@mail.example", "phone": "+37255598761",
    "document": "QZ7654321", "birth": "1977-11-23", "street": "Unterwegs 99z", "note": "saw-him-in-the-casino",
    "account": "EE382200221020145685", "password": "wrong-password-of-hers",
}  # fmt: skip


def test_requests_with_personal_data_leave_none_in_the_log(
    app: Flask,
    people: People,
    signed_in: Callable[..., FlaskClient],
    machine: Callable[..., Any],
    http: FlaskClient,
    logged: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    system, partner = machine(Audience.SYSTEM), machine(Audience.INTEGRATION)
    officer, actor = signed_in(Role.OFFICER), people.actor(Role.OFFICER)
    client = person(actor, first=PERSON["first name"], last=PERSON["last name"], email=PERSON["e-mail"])
    logged.truncate(0)
    logged.seek(0)

    body = {
        "type": "individual", "firstName": PERSON["first name"], "lastName": PERSON["last name"],
        "email": PERSON["e-mail"], "phoneNumber": PERSON["phone"], "dateOfBirth": PERSON["birth"],
    }  # fmt: skip
    answers = [
        system.call("POST", "/internal/Clients", json=body),
        system.call("POST", "/internal/Clients", json={**body, PERSON["note"]: PERSON["document"]}),
        system.call(
            "POST", "/internal/Clients", data='{"email": "' + PERSON["e-mail"], content_type="application/json"
        ),
        system.call("PUT", f"/internal/Clients/{client.id}/block", json={"comment": PERSON["note"]}),
        system.call("GET", "/internal/Clients", query_string={"text": PERSON["e-mail"]}),
        system.call("GET", f"/internal/Clients/{PERSON['last name']}"),
        partner.call("POST", "/integration/clients/individuals", json={"firstName": PERSON["first name"]}),
        system.call("POST", "/v2/ledger/internal/Accounts/search", json={"text": PERSON["account"]}),
        http.get("/internal/Clients", headers={"Authorization": f"Bearer {PERSON['document']}"}),
        http.post("/sign-in", data={"email": PERSON["e-mail"], "password": PERSON["password"]}),
        http.get("/clients", query_string={"text": PERSON["last name"]}),
        http.get(f"/{PERSON['last name']}/{PERSON['e-mail']}"),
        officer.get("/clients", query_string={"text": PERSON["last name"]}),
        officer.get("/find", query_string={"text": PERSON["last name"]}, headers={"HX-Request": "true"}),
        officer.get("/search", query_string={"text": PERSON["account"]}, headers={"User-Agent": PERSON["note"]}),
        officer.get(path(client)),
        officer.post(path(client, "/notes/new"), data={"text": PERSON["note"], "body": PERSON["note"]}),
        officer.post(path(client, "/edit"), data={"first_name": PERSON["first name"], "email": PERSON["phone"]}),
        officer.post(
            "/clients/new/individual", data={"first_name": PERSON["first name"], "document": PERSON["street"]}
        ),
    ]

    # a bug of ours tells its kind and place, and not what it was about
    def broken(*_args: Any, **_kwargs: Any) -> str:
        raise ValueError(f"{PERSON['first name']} {PERSON['document']}")

    view = app.view_functions["home.find"]
    monkeypatch.setitem(
        app.view_functions,
        "home.find",
        type("Broken", (), {"__call__": staticmethod(broken), "access": view.access})(),  # type: ignore[attr-defined]
    )
    answers.append(officer.get("/find", query_string={"text": PERSON["note"]}))
    assert answers[-1].status_code == 500

    told = logged.getvalue()
    for what, value in PERSON.items():
        assert value.lower() not in told.lower(), what
    assert str(client.id) not in told and PASSWORD not in told
    assert system.secret not in told
    lines = [json.loads(line) for line in told.splitlines()]
    requests = {line["request"]: line for line in lines if line["event"] == "request"}
    for answer in answers:
        line = requests[answer.headers["X-Request-Id"]]
        assert line["status"] == answer.status_code and line["level"] == "info" and line["timestamp"].endswith("Z")
    actors = {line["actor"] for line in requests.values()}
    assert {f"token:{system.token_id}", f"token:{partner.token_id}", f"staff:{actor.id}", None} == actors


def test_a_line_of_the_log_and_the_evidence_of_what_was_done_have_the_same_request(
    people: People, machine: Callable[..., Any], logged: io.StringIO
) -> None:
    wanted = f"test-{uuid4()}"
    answer = machine(Audience.SYSTEM).call(
        "POST", "/internal/Clients", json={"type": "company", "legalName": "X"}, headers={"X-Request-Id": wanted}
    )
    assert answer.headers["X-Request-Id"] == wanted
    assert session().scalar(sa.text("SELECT count(*) FROM audit_event WHERE request_id = :id"), {"id": wanted}) > 0
    assert f'"request": "{wanted}"' in logged.getvalue()
