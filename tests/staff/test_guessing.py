"""Guessing a password: tries are counted before anything is checked, so many at once gain nothing."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard import clock
from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.audit.models import AuditEvent
from dashboard.database import session, transaction
from dashboard.staff import services, tries
from dashboard.staff.models import SignInFailure
from dashboard.staff.services import FAILURES_BEFORE_LOCK
from tests.conftest import PASSWORD, People


def _post(client: FlaskClient, email: str, password: str) -> int:
    return client.post("/sign-in", data={"email": email, "password": password}).status_code


def test_of_many_guesses_at_once_only_the_first_few_are_looked_at(committed: Flask) -> None:
    with transaction():
        email = services.create_member(
            email="kask@test.example", role=Role.OFFICER, password=PASSWORD, by=system()
        ).email
    answers: list[int] = []

    def guess(number: int) -> None:
        answers.append(_post(committed.test_client(), email, f"wrong-password-{number}"))

    threads = [threading.Thread(target=guess, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    # the last of the first few brings the lock-out itself, so it answers 429 too
    assert answers.count(422) == FAILURES_BEFORE_LOCK - 1
    assert answers.count(429) == len(threads) - FAILURES_BEFORE_LOCK + 1
    assert _post(committed.test_client(), email, PASSWORD) == 429


def test_a_success_forgets_the_failures_before(http: FlaskClient, app: Flask) -> None:
    with transaction():
        email = services.create_member(
            email="saar@test.example", role=Role.OFFICER, password=PASSWORD, by=system()
        ).email
    for _ in range(2):
        for number in range(FAILURES_BEFORE_LOCK - 1):
            assert _post(http, email, f"wrong-password-{number}") == 422
        assert _post(http, email, PASSWORD) == 303


def test_a_nul_in_the_address_is_a_wrong_address(http: FlaskClient) -> None:
    assert _post(http, "a\0b@test.example", PASSWORD) == 422


def test_refused_sign_ins_leave_evidence_without_the_typed_address(http: FlaskClient) -> None:
    for number in range(FAILURES_BEFORE_LOCK):
        _post(http, "nobody@test.example", f"wrong-password-{number}")
    events = list(session().scalars(sa.select(AuditEvent).where(AuditEvent.action.startswith("staff."))))
    assert [event.action for event in events].count("staff.sign_in_refused") == FAILURES_BEFORE_LOCK - 1
    assert [event.action for event in events].count("staff.locked_out") == 1
    assert all(event.object_id is None and event.address == "127.0.0.1" for event in events)


def _from(http: FlaskClient, address: str, email: str, password: str) -> int:
    answer = http.post(
        "/sign-in", data={"email": email, "password": password}, environ_overrides={"REMOTE_ADDR": address}
    )
    return answer.status_code


@pytest.mark.parametrize("known", [True, False])
def test_one_stranger_keeps_nobody_out_and_many_together_guess_no_more_than_fifty_times(
    http: FlaskClient, people: People, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    monkeypatch.setattr(services, "_matches", lambda _hash, password: password == PASSWORD)
    email = people.member(Role.OFFICER).email if known else "nobody@test.example"
    if known:
        # the desk of the person, where they signed in before
        assert _from(http, "192.0.2.10", email, PASSWORD) == 303
        http.post("/sign-out")
    # one stranger: five tries, then pauses, for themself alone
    answers = [_from(http, "198.51.100.1", email, f"wrong-{number}") for number in range(8)]
    assert answers == [422] * (FAILURES_BEFORE_LOCK - 1) + [429] * 4
    if known:
        assert _from(http, "203.0.113.77", email, PASSWORD) == 303
        http.post("/sign-out")
    # neither an address of the same IPv6 subscriber nor one written as IPv4 in IPv6 is somebody else
    assert _from(http, "::ffff:198.51.100.1", email, PASSWORD) == 429
    # many strangers, each below their own limit: together they get as far as fifty, whatever the password
    looked_at = FAILURES_BEFORE_LOCK
    for stranger in range(2, 20):
        for number in range(FAILURES_BEFORE_LOCK - 1):
            looked_at += _from(http, f"198.51.100.{stranger}", email, f"wrong-{stranger}-{number}") == 422
    assert looked_at == tries.MOST_OF_ALL
    assert _from(http, "198.51.100.200", email, PASSWORD) == 429
    if known:
        # the person from where they worked before, as often as they like; that opens nothing for strangers
        for _ in range(2):
            assert _from(http, "192.0.2.10", email, PASSWORD) == 303
            http.post("/sign-out")
        assert _from(http, "198.51.100.200", email, PASSWORD) == 429
    # what was counted outlives the refusals; one try is given back in six minutes
    later = clock.now() + timedelta(minutes=6, seconds=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert _from(http, "198.51.100.200", email, "wrong") == 422
    assert _from(http, "198.51.100.201", email, "wrong") == 429


def test_a_network_is_known_until_the_password_is_reset_and_failures_end_with_it(
    http: FlaskClient, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "_matches", lambda _hash, password: password == PASSWORD)
    email = people.member(Role.OFFICER).email
    assert _from(http, "192.0.2.10", email, PASSWORD) == 303
    http.post("/sign-out")
    later = clock.now() + timedelta(minutes=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    with transaction():
        for _ in range(2):
            tries.begin(email, network="198.51.100.1")
        services.set_password(email, new=PASSWORD, by=system())
        assert session().scalar(sa.select(sa.func.count()).select_from(SignInFailure)) == 0
    # whoever had the old password is a stranger now
    with transaction():
        tries.begin(email, network="192.0.2.10")
    assert session().scalar(sa.select(sa.func.count()).select_from(SignInFailure)) == 2
