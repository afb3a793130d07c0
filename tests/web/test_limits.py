"""Who is refused too often is no longer listened to: sign-ins, wrong tokens, bodies that nobody signed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from limits import RateLimitItemPerHour

from dashboard.access import tokens
from dashboard.access.actor import system
from dashboard.access.permissions import Audience, Role
from dashboard.app import create_app
from dashboard.database import db, transaction
from dashboard.onboarding.sumsub import signature
from dashboard.onboarding.sumsub.models import SumsubEvent
from dashboard.settings import DEMO_WEBHOOK_SECRET, Settings, load
from dashboard.staff import services
from dashboard.web import limits
from tests.conftest import PASSWORD, Machine, open_session
from tests.onboarding.telling import DOOR

STRANGER = {"REMOTE_ADDR": "198.51.100.7"}
NEIGHBOUR = {"REMOTE_ADDR": "198.51.100.8"}


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits count from the moment the application is made."""
    monkeypatch.setattr(limits.limiter, "enabled", True)


@pytest.fixture
def limited(counting: None, committed: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """Limits as in production, and a window that does not end in the middle of a test."""
    monkeypatch.setattr(limits, "RateLimitItemPerMinute", RateLimitItemPerHour)
    return committed


def until_refused(send: Any, most: int) -> tuple[int, Any]:
    """How many answers came before the first 429, and that one."""
    for number in range(most):
        answer = send()
        if answer.status_code == 429:
            assert int(answer.headers["Retry-After"]) > 0
            return number, answer
    raise AssertionError(f"{most} tries and no 429")


def test_wrong_tokens_and_unsigned_bodies_are_refused_ever_more_briefly_and_good_ones_pass(
    limited: Flask, configured: Settings
) -> None:
    http = limited.test_client()
    with transaction():
        _token, secret = tokens.create(
            audience=Audience.SYSTEM, scopes=tokens.resolve_scopes(Audience.SYSTEM, []), name="good"
        )
    good = {"Authorization": f"Bearer {secret}"}

    # wrong tokens: problem+json where the operation answers so, the envelope where it answers so
    wrong = {"Authorization": "Bearer ch_system_wrong"}
    before, problem = until_refused(
        lambda: http.get("/internal/Clients", headers=wrong, environ_overrides=STRANGER), limits.REFUSALS_A_MINUTE + 1
    )
    assert before == limits.REFUSALS_A_MINUTE
    assert problem.mimetype == "application/problem+json"
    body = problem.get_json()
    assert (body["status"], body["code"]) == (429, "tooManyRequests")
    assert body["requestId"] == problem.headers["X-Request-Id"]
    envelope = http.post("/internal/Clients", headers=wrong, environ_overrides=STRANGER)
    assert (envelope.status_code, envelope.mimetype) == (429, "application/json")
    assert envelope.get_json()["errors"][0]["metadata"]["code"] == "tooManyRequests"
    # another address is judged by its own tries, and a good token is never held back by a neighbour's wrong ones
    assert http.get("/internal/Clients", headers=wrong, environ_overrides=NEIGHBOUR).status_code == 401
    assert http.get("/internal/Clients", headers=good, environ_overrides=STRANGER).status_code == 200

    # webhooks: what nobody signed is no longer kept; what is signed is always taken
    bodies = iter(range(10_000))
    before, problem = until_refused(
        lambda: http.post(
            DOOR, data=f'{{"forged": {next(bodies)}}}', headers={signature.DIGEST_HEADER: "0" * 64},
            content_type="application/json", environ_overrides=STRANGER,
        ),
        limits.REFUSALS_A_MINUTE + 1,
    )  # fmt: skip
    assert before == limits.REFUSALS_A_MINUTE and problem.mimetype == "application/problem+json"
    kept = db.session.scalar(sa.select(sa.func.count()).select_from(SumsubEvent))
    http.post(DOOR, data='{"forged": "again"}', headers={signature.DIGEST_HEADER: "0" * 64}, environ_overrides=STRANGER)
    assert db.session.scalar(sa.select(sa.func.count()).select_from(SumsubEvent)) == kept
    genuine = b'{"type": "applicantCreated", "applicantId": "a-1", "createdAtMs": "2026-02-04 10:00:00.000"}'
    digest = signature.sign(DEMO_WEBHOOK_SECRET, genuine)
    answer = http.post(
        DOOR, data=genuine, headers={signature.DIGEST_HEADER: digest}, content_type="application/json",
        environ_overrides=STRANGER,
    )  # fmt: skip
    assert answer.status_code == 200

    # a second process, or this one started again, goes on counting where the first one was
    url = limited.config["SQLALCHEMY_DATABASE_URI"]
    again = create_app(replace(configured, database_url=url, migration_database_url=url))
    again.config.update(TESTING=True, PROPAGATE_EXCEPTIONS=False)
    limits.limiter.enabled = True
    answer = again.test_client().get("/internal/Clients", headers=wrong, environ_overrides=STRANGER)
    assert answer.status_code == 429
    with again.app_context():
        db.engine.dispose()
        again.extensions["countinghouse.lane"].close()


def test_too_many_sign_ins_from_one_address_get_a_page_that_says_when(limited: Flask) -> None:
    http = limited.test_client()
    names = iter(range(10_000))
    send = lambda: http.post(  # noqa: E731
        "/sign-in", data={"email": f"somebody{next(names)}@test.example", "password": ""}, environ_overrides=STRANGER
    )
    before, page = until_refused(send, 61)
    assert before == 60
    assert page.mimetype == "text/html" and "Too many tries." in page.get_data(as_text=True)
    assert page.headers["X-Request-Id"] in page.get_data(as_text=True)
    assert http.get("/sign-in", environ_overrides=STRANGER).status_code == 200


@pytest.mark.parametrize(
    ("address", "known"),
    [("192.0.2.1", "192.0.2.1"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("::ffff:192.0.2.1", "192.0.2.1")],
)
def test_an_ipv6_subscriber_is_one_caller_whatever_address_of_theirs_they_use(
    application: Flask, address: str, known: str
) -> None:
    with application.test_request_context(environ_base={"REMOTE_ADDR": address}):
        assert limits.caller() == known


def test_colleagues_behind_one_address_use_up_nobody_elses_tries_and_right_ones_use_up_nothing(
    limited: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "_matches", lambda _hash, password: password == PASSWORD)
    with transaction():
        members = [
            services.create_member(email=f"{name}@test.example", role=Role.OFFICER, password=PASSWORD, by=system())
            for name in ("kask", "saar")
        ]
    first, second = (open_session(limited, member) for member in members)
    # who is signed in is counted alone: one spends all of theirs, the other steps up
    before, _page = until_refused(
        lambda: first.post("/staff/me/password", data={"current": "wrong"}, environ_overrides=STRANGER), 11
    )
    assert before == 10
    assert second.post("/staff/me/password", data={"current": "wrong"}, environ_overrides=STRANGER).status_code == 422
    before, _page = until_refused(
        lambda: first.post("/sign-in/again", data={"password": ""}, environ_overrides=STRANGER), 61
    )
    assert before == 60
    for _ in range(3):
        answer = second.post("/sign-in/again", data={"password": PASSWORD}, environ_overrides=STRANGER)
        assert answer.status_code == 303
    # what was right is not counted: a whole office signs in behind one address
    http = limited.test_client()
    for _ in range(62):
        answer = http.post(
            "/sign-in", data={"email": members[0].email, "password": PASSWORD}, environ_overrides=NEIGHBOUR
        )
        assert answer.status_code == 303


def test_a_token_that_runs_wild_is_slowed_without_asking_the_database_and_others_are_not(
    machine: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    wild, calm = machine(Audience.SYSTEM), machine(Audience.SYSTEM)
    moments = [1000.0]
    monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=lambda: moments[0], time=time.time))
    monkeypatch.setattr(limits._Good, "most", 3)
    monkeypatch.setattr(limits._Good, "since", {})
    before, refused = until_refused(lambda: wild.call("GET", "/internal/Clients"), 5)
    assert (before, refused.get_json()["code"], refused.headers["Retry-After"]) == (3, "tooManyRequests", "61")
    assert calm.call("GET", "/internal/Clients").status_code == 200
    moments[0] += 59
    assert wild.call("GET", "/internal/Clients").headers["Retry-After"] == "2"
    moments[0] += 1
    assert wild.call("GET", "/internal/Clients").status_code == 200
    assert load({}).token_requests_a_minute > 30 * 1_000
