"""Showing again that it is you: asked before approving, lasts 15 minutes, and leads back to what asked for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard import clock
from dashboard.access.permissions import Role
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit.models import AuditEvent
from dashboard.clients import services as clients
from dashboard.clients.profile import IndividualProfile
from dashboard.database import session, transaction
from dashboard.staff import services
from dashboard.staff.models import SignInFailure
from tests.conftest import PASSWORD, People
from tests.staff.test_second_factor import Hands, enrolled

SignIn = Callable[..., FlaskClient]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    return Hands(monkeypatch)


@pytest.fixture(autouse=True)
def quick_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """The password check is slow on purpose and has tests of its own."""
    monkeypatch.setattr(services, "_matches", lambda _hash, password: password == PASSWORD)


def asked(people: People) -> UUID:
    by = people.actor(Role.OFFICER)
    with transaction():
        client = clients.create(IndividualProfile(first_name="Mari", last_name="Ilves", risk_level=1), by=by)
    with transaction():
        return clients.ask_to_activate(client.id, reason="papers seen", by=by).id


def state_of(request_id: UUID) -> str:
    found = session().get(ApprovalRequest, request_id, populate_existing=True)
    assert found is not None
    return found.state


def test_signing_in_counts_for_15_minutes_and_then_it_is_asked_before_the_dialog_and_before_the_act(
    signed_in: SignIn, people: People, hands: Hands
) -> None:
    request_id = asked(people)
    path = f"/approvals/{request_id}/approve"
    browser = signed_in(Role.SENIOR_OFFICER)
    hands.pass_by(minutes=14, seconds=59)
    assert "Approve now" in browser.get(path).text
    hands.pass_by(seconds=1)
    # without scripts: to a page of its own, and back
    for answer in (browser.get(path), browser.post(path, headers={"Referer": f"http://localhost{path}"})):
        assert (answer.status_code, answer.location) == (303, f"/sign-in/again?next={path}")
    page = browser.get(answer.location).text
    assert "Nothing was changed yet." in page and 'autocomplete="current-password"' in page
    # in the dialog: the question comes into it
    part = browser.get(path, headers=HTMX)
    assert part.status_code == 200 and "<html" not in part.text
    assert f'hx-post="/sign-in/again?next={path}"' in part.text and 'hx-target="#dialog"' in part.text
    # sent by HTMX too late: told beside what was typed, which stays
    late = browser.post(path, headers=HTMX | {"HX-Current-URL": "http://localhost/approvals?view=me"})
    assert late.status_code == 403 and "HX-Redirect" not in late.headers
    assert (
        'class="banner is-wait problem"' in late.text and 'href="/sign-in/again?next=/approvals?view%3Dme"' in late.text
    )
    assert state_of(request_id) == "requested"
    # rejecting takes nothing away from anybody, so it is not asked
    assert "Approve" not in browser.get(f"/approvals/{request_id}/reject").text
    assert browser.get(f"/approvals/{request_id}/reject").status_code == 200
    wrong = browser.post(f"/sign-in/again?next={path}", data={"password": "wrong"}, headers=HTMX)
    assert wrong.status_code == 422 and "This is not your password." in wrong.text
    assert browser.get(path).status_code == 303
    right = browser.post(f"/sign-in/again?next={path}", data={"password": PASSWORD}, headers=HTMX)
    assert (right.status_code, right.location) == (303, path)
    hands.pass_by(minutes=14)
    assert "Approve now" in browser.get(path, headers=HTMX).text
    assert browser.post(path).status_code == 303
    assert state_of(request_id) == "approved"
    told = session().scalars(sa.select(AuditEvent.action).where(AuditEvent.action.startswith("staff."))).all()
    # evidence names what it was: nobody was signing in
    assert {"staff.stepped_up", "staff.step_up_refused"} <= set(told) and "staff.sign_in_refused" not in told


def test_a_code_is_asked_of_who_has_a_second_factor_and_it_counts_for_this_session_alone(
    signed_in: SignIn, people: People, hands: Hands
) -> None:
    secret, recovery = enrolled(people.member(Role.SENIOR_OFFICER), hands)
    path = f"/approvals/{asked(people)}/approve"
    desk, other = signed_in(Role.SENIOR_OFFICER), signed_in(Role.SENIOR_OFFICER)
    hands.pass_by(minutes=15)
    again = f"/sign-in/again?next={path}"
    assert 'autocomplete="one-time-code"' in desk.get(again).text
    assert desk.post(again, data={"password": PASSWORD}).status_code == 422
    code = hands.code(secret)
    assert desk.post(again, data={"code": code}).location == path
    # the same code shows nothing a second time, nor at sign-in
    assert other.post(again, data={"code": code}).status_code == 422
    assert (desk.get(path).status_code, other.get(path).status_code) == (200, 303)
    assert other.post(again, data={"code": recovery[0]}).location == path
    assert other.post(again, data={"code": recovery[0]}).status_code == 422


def test_guessing_here_ends_as_at_sign_in_and_the_counts_stay(
    app: Flask, signed_in: SignIn, people: People, hands: Hands
) -> None:
    officer, senior = people.member(Role.OFFICER), people.member(Role.SENIOR_OFFICER)
    secret, _ = enrolled(senior, hands)
    with_code, with_password = signed_in(Role.SENIOR_OFFICER), signed_in(Role.OFFICER)
    for _ in range(5):
        assert with_code.post("/sign-in/again", data={"code": hands.wrong(secret)}).status_code == 422
        assert with_password.post("/sign-in/again", data={"password": "wrong"}).status_code == 422
    assert with_code.post("/sign-in/again", data={"code": hands.code(secret)}).status_code == 422
    locked = with_password.post("/sign-in/again", data={"password": PASSWORD})
    assert locked.status_code == 422 and "Too many tries." in locked.text
    told = ("staff.step_up_refused", "staff.locked_out", "staff.sign_in_refused", "staff.code_refused")
    refused = session().scalars(sa.select(AuditEvent).where(AuditEvent.action.in_(told))).all()
    assert {event.action for event in refused} == {"staff.step_up_refused"} and len(refused) == 12
    assert {event.actor_id for event in refused} == {officer.id, senior.id}
    # one count of codes for both places; passwords of who is signed in have their own, so no stranger spends it
    http = app.test_client()
    assert http.post("/sign-in", data={"email": senior.email, "password": PASSWORD}).location == "/sign-in/code"
    assert http.post("/sign-in/code", data={"code": hands.code(secret)}).status_code == 422
    assert session().scalars(sa.select(SignInFailure.failures)).one() == 5
    assert http.post("/sign-in", data={"email": officer.email, "password": PASSWORD}).location == "/"
    assert clock.now() - hands.moment == timedelta(0)


def test_nobody_steps_up_without_being_signed_in(http: FlaskClient) -> None:
    assert http.get("/sign-in/again").location.startswith("/sign-in?")
    assert http.post("/sign-in/again", data={"password": PASSWORD}).location.startswith("/sign-in")


def test_deciding_many_at_once_asks_as_deciding_one_does(signed_in: SignIn, people: People, hands: Hands) -> None:
    request_id = asked(people)
    browser = signed_in(Role.SENIOR_OFFICER)
    hands.pass_by(minutes=15)
    shown = browser.get(f"/approvals/bulk?act=approve&id={request_id}")
    sent = browser.post("/approvals/bulk", data={"act": "approve", "id": str(request_id)})
    for answer in (shown, sent):
        assert answer.status_code == 303 and answer.location.startswith("/sign-in/again")
    assert state_of(request_id) == "requested"
