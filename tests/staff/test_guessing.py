"""Guessing a password: tries are counted before anything is checked, so many at once gain nothing."""

from __future__ import annotations

import threading

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.audit.models import AuditEvent
from dashboard.database import session, transaction
from dashboard.staff import services
from dashboard.staff.services import FAILURES_BEFORE_LOCK
from tests.conftest import PASSWORD


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
