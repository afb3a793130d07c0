"""What somebody with an afternoon, a browser and a proxy tries first."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from flask.testing import FlaskClient

from dashboard.access.permissions import Audience, Role
from dashboard.app import create_app
from dashboard.clients.models import Client
from dashboard.database import db, session
from dashboard.settings import Settings
from dashboard.staff import tries
from dashboard.staff.models import StaffMember
from dashboard.staff.services import FAILURES_BEFORE_LOCK
from tests.clients.making import company, path, person
from tests.conftest import PASSWORD, People

SignIn = Callable[..., FlaskClient]
ELSEWHERE = (
    "https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "///evil.example",
    "javascript:alert(1)", "/\tevil", "/clients\r\nSet-Cookie: a=b", "http:evil.example", "%2f%2fevil.example",
)  # fmt: skip


def test_no_answer_can_be_framed_sniffed_or_kept_by_a_proxy(
    app: Flask, http: FlaskClient, signed_in: SignIn, machine: Callable[..., Any]
) -> None:
    officer, system = signed_in(Role.OFFICER), machine(Audience.SYSTEM)
    answers = {
        "sign-in": http.get("/sign-in"),
        "redirect": http.get("/clients"),
        "part without a session": http.get("/clients", headers={"HX-Request": "true"}),
        "page": officer.get("/clients"),
        "part": officer.get("/clients", headers={"HX-Request": "true"}),
        "refused": officer.get("/jobs"),
        "not there": officer.get(f"/clients/{uuid4()}"),
        "no page": http.get("/no-such-page"),
        "wrong method": officer.delete("/clients"),
        "file": officer.get("/transfers/export/csv"),
        "list": system.call("GET", "/internal/Clients"),
        "problem": system.call("GET", f"/internal/Transactions/{uuid4()}"),
        "no token": http.get("/internal/Clients"),
        "document": http.get("/openapi/openapi.json"),
        "health": http.get("/healthz"),
        "static": http.get("/static/js/keys.js"),
    }
    for what, answer in answers.items():
        headers = answer.headers
        policy = headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff", what
        assert headers["X-Frame-Options"] == "DENY" and "frame-ancestors 'none'" in policy, what
        assert "default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy, what
        assert headers["Referrer-Policy"] == "same-origin", what
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin", what
        assert (headers.get("Cache-Control") == "no-store") != (what == "static"), what
        # nobody is told what we are made of, and no other house may read an answer
        assert "X-Powered-By" not in headers and "Access-Control-Allow-Origin" not in headers, what
        if "html" not in answer.mimetype:
            assert answer.mimetype in {
                "application/json", "application/problem+json", "text/csv", "text/javascript",
            }, (what, answer.mimetype)  # fmt: skip


def test_the_session_cookie_is_out_of_reach_and_over_https_bound_to_this_host(
    app: Flask, configured: Settings, people: People, http: FlaskClient
) -> None:
    email = people.member(Role.OFFICER).email
    answer = http.post("/sign-in", data={"email": email, "password": PASSWORD})
    parts = answer.headers["Set-Cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(parts) and not any(p.startswith("Domain") for p in parts)
    assert email not in answer.headers["Set-Cookie"]
    secure = create_app(replace(configured, secure_cookies=True))
    secure.config.update(TESTING=True)
    answer = secure.test_client().get("/sign-in", base_url="https://bank.example")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-countinghouse=") and "Secure" in cookie.split("; ")
    assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]
    with secure.app_context():
        db.engine.dispose()
        secure.extensions["countinghouse.lane"].close()


def test_a_session_cannot_be_planted_forged_or_kept(app: Flask, people: People, http: FlaskClient) -> None:
    email = people.member(Role.OFFICER).email
    name = app.config["SESSION_COOKIE_NAME"]
    # planted: what the attacker knew before the sign-in is worth nothing after it
    with http.session_transaction() as planted:
        planted["_user_id"], planted["planted"] = "known-to-the-attacker", "yes"
    before = http.get_cookie(name)
    assert http.post("/sign-in", data={"email": email, "password": PASSWORD}).status_code == 303
    after = http.get_cookie(name)
    assert before is not None and after is not None and before.value != after.value
    with http.session_transaction() as kept:
        assert "planted" not in kept and kept["_user_id"] != "known-to-the-attacker"
    attacker = app.test_client()
    attacker.set_cookie(name, before.value)
    assert attacker.get("/").headers["Location"].startswith("/sign-in")
    # forged: signed with a key that is not ours, or not signed at all
    other = Flask("other")
    other.secret_key = "another-secret-key-of-at-least-32-characters"
    serializer = SecureCookieSessionInterface().get_signing_serializer(other)
    assert serializer is not None
    with http.session_transaction() as known:
        content = dict(known)
    for forged in (serializer.dumps(content), after.value.partition(".")[0], after.value[:-1], "x" * 4000):
        attacker.set_cookie(name, forged)
        assert attacker.get("/").headers["Location"].startswith("/sign-in")
    # kept: a copy of the cookie ends with the sign-out
    attacker.set_cookie(name, after.value)
    assert attacker.get("/").status_code == 200
    assert http.post("/sign-out").status_code == 303
    assert attacker.get("/").headers["Location"].startswith("/sign-in")


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_nothing_leads_to_another_house(
    app: Flask, people: People, signed_in: SignIn, http: FlaskClient, elsewhere: str
) -> None:
    officer, email = signed_in(Role.OFFICER), people.member(Role.OFFICER).email
    signing_in = app.test_client().post(
        "/sign-in", query_string={"next": elsewhere}, data={"email": email, "password": PASSWORD}
    )
    places = [
        signing_in,
        officer.get("/sign-in", query_string={"next": elsewhere}),
        officer.post("/staff/me/theme", data={"theme": "dark", "next": elsewhere}),
        officer.post("/staff/me/theme", data={"theme": "dark"}, headers={"Referer": "https://evil.example/"}),
        officer.get("/search", query_string={"text": elsewhere}),
        http.get("/clients", query_string={"next": elsewhere}, headers={"Host": "evil.example"}),
    ]
    for answer in places:
        to = answer.headers["Location"]
        assert re.match(r"/(?![/\\])[^\r\n\t\\]*\Z", to), to
        assert "Set-Cookie: a=b" not in str(answer.headers)


def test_no_header_is_written_by_the_caller(signed_in: SignIn, machine: Callable[..., Any]) -> None:
    officer, system = signed_in(Role.OFFICER), machine(Audience.SYSTEM)
    for given in ("a b", "x" * 65, "<script>", "короткий-номер", "short", 'a"b-12345678'):
        answer = officer.get("/clients", headers={"X-Request-Id": given.encode("utf-8").decode("latin-1")})
        assert re.fullmatch(r"[0-9a-f]{12}", answer.headers["X-Request-Id"]), given
    # a name of a file is ours, whatever the filters say
    answer = officer.get("/transfers/export/csv", query_string={"text": 'x"\r\nX-Evil: 1'})
    assert "X-Evil" not in answer.headers and "evil" not in answer.headers.get("Content-Disposition", "")
    answer = system.call("GET", "/internal/Clients?cursor=a%0d%0aX-Evil:1")
    assert "X-Evil" not in answer.headers and answer.status_code == 400


def test_a_forged_form_changes_nothing_whoever_sends_it(
    app: Flask, people: People, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", True)
    client = person(people.actor(Role.OFFICER))
    officer, attacker = signed_in(Role.OFFICER), signed_in(Role.OFFICER, "Attacker")

    def token_of(browser: FlaskClient) -> str:
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', browser.get("/staff/me").text)
        assert found is not None
        return found[1]

    note = {"text": "forged", "body": "forged"}
    wrong = ("", "x", token_of(attacker), token_of(officer)[:-1])
    for token in wrong:
        for sent in ({"data": {**note, "csrf_token": token}}, {"data": note, "headers": {"X-CSRFToken": token}}):
            answer = officer.post(path(client, "/notes/new"), **sent)  # type: ignore[arg-type]
            assert answer.status_code == 400 and "no longer valid" in answer.text
    # a form of another site sends no JSON either, and its cookie opens no operation
    assert officer.post("/internal/Clients", json={"type": "company", "legalName": "X"}).status_code == 401
    assert session().scalar(sa.text("SELECT count(*) FROM client_note")) == 0
    # its own token is what the page needs, and nothing else was wrong
    answer = officer.post("/staff/me/theme", data={"theme": "dark", "csrf_token": token_of(officer)})
    assert answer.status_code == 303


def test_fields_that_are_not_of_the_form_are_not_written(
    people: People, signed_in: SignIn, machine: Callable[..., Any]
) -> None:
    officer = people.actor(Role.OFFICER)
    client = company(officer)
    before = session().execute(sa.select(Client.__table__).where(Client.id == client.id)).mappings().one()
    owned = {
        "id": str(uuid4()), "status": "active", "created": "2001-01-01T00:00:00Z", "editorUserId": str(uuid4()),
    }  # fmt: skip
    system = machine(Audience.SYSTEM, scopes=["all"])
    answer = system.call(
        "PUT", f"/internal/Clients/{client.id}", json={"type": "company", "legalName": "Ilves OÜ", **owned}
    )
    assert answer.status_code == 200, answer.text
    told = answer.get_json()["value"]
    assert told["id"] == str(client.id) and told["status"] == "inactive" and not told["created"].startswith("2001")
    # what is not even read-only is refused by name
    for name in ("isDefaultCompliant", "openFlags", "purgedAt", "activationApprovalId", "searchText", "__class__"):
        answer = system.call(
            "PUT", f"/internal/Clients/{client.id}", json={"type": "company", "legalName": "Ilves OÜ", name: True}
        )
        if answer.status_code == 200:
            assert name in told, f"{name} was taken and is no field of the answer"
        else:
            assert answer.status_code == 400 and name in answer.text
    # pages: what the form does not have is not looked at
    extra = {"status": "active", "status_before_block": "active", "purged_at": "2001-01-01", "worst_flag": "0",
             "activation_approval_id": str(uuid4()), "id": str(uuid4()), "role": "admin"}  # fmt: skip
    browser = signed_in(Role.OFFICER)
    browser.post(path(client, "/edit"), data={"legal_name": "Ilves OÜ", **extra})
    browser.post("/staff/me/theme", data={"theme": "dark", "role": "admin", "permissions": "all", "keys_off": "1"})
    session().expire_all()
    after = session().execute(sa.select(Client.__table__).where(Client.id == client.id)).mappings().one()
    for column in ("id", "status", "status_before_block", "purged_at", "activation_approval_id", "created_at"):
        assert after[column] == before[column], column
    member = session().get(StaffMember, officer.id)
    assert member is not None and (member.role, member.theme, member.keys_off) == ("officer", "dark", False)


def test_a_password_is_not_guessed_from_many_addresses_either(
    app: Flask, people: People, http: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as many as fifty in the house; six do to show that all networks spend from one purse
    monkeypatch.setattr(tries, "MOST_OF_ALL", 6)
    victim, colleague = people.member(Role.OFFICER).email, people.member(Role.AUDITOR).email

    def guess(email: str, password: str, number: int) -> int:
        return http.post(
            "/sign-in", data={"email": email, "password": password},
            environ_overrides={"REMOTE_ADDR": f"198.51.100.{number}"},
            headers={"X-Forwarded-For": f"203.0.113.{number}"},
        ).status_code  # fmt: skip

    variants = [victim, victim.upper(), f" {victim} ", victim.title(), victim]
    answers = [guess(variants[number % 5], f"guess-{number}", number + 1) for number in range(9)]
    assert answers == [422] * 6 + [429] * 3
    # nor from one that writes the victim's address in many ways, and itself in the header of proxies
    answers = [guess(variants[number % 5].replace("@", ".other@"), "guess", 100) for number in range(7)]
    assert answers == [422] * (FAILURES_BEFORE_LOCK - 1) + [429] * 3
    # not even the right one, from wherever it comes; the colleague is not locked out with them
    assert guess(victim, PASSWORD, 200) == 429
    assert guess(colleague, PASSWORD, 201) == 303


def test_a_token_is_taken_from_its_header_only_and_never_told_again(
    http: FlaskClient, machine: Callable[..., Any], logged: io.StringIO
) -> None:
    system = machine(Audience.SYSTEM)
    for sent in (
        {"query_string": {"access_token": system.secret, "token": system.secret}},
        {"headers": {"X-Api-Key": system.secret, "Cookie": f"token={system.secret}"}},
        {"headers": {"Authorization": f"Token {system.secret}"}},
    ):
        answer = http.get("/internal/Clients", **sent)  # type: ignore[arg-type]
        assert answer.status_code == 401 and system.secret not in answer.text
    assert system.call("GET", "/internal/Clients").status_code == 200
    assert "/internal/Clients" in logged.getvalue() and system.secret not in logged.getvalue()
    assert isinstance(system.token_id, UUID)
