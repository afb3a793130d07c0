"""What a person is told of their own sign-ins, and what is asked before the password is changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard.access.permissions import Role
from dashboard.audit.models import AuditEvent
from dashboard.database import session
from dashboard.staff import services
from tests.conftest import PASSWORD, People
from tests.staff.test_second_factor import Hands, by_code, by_password, enrolled

SignIn = Callable[..., FlaskClient]
FRESH = "another-long-password"
STOPPED = "Right password, no code after it"


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    return Hands(monkeypatch)


@pytest.fixture(autouse=True)
def quick_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """The password check is slow on purpose and has tests of its own."""
    monkeypatch.setattr(services, "_matches", lambda _hash, password: password == PASSWORD)


def test_a_right_password_that_stops_at_the_code_is_told_to_its_owner_whatever_follows(
    app: Flask, signed_in: SignIn, people: People, hands: Hands
) -> None:
    member = people.member(Role.OFFICER)
    secret, _ = enrolled(member, hands)
    owner, colleague, thief = app.test_client(), signed_in(Role.TREASURER), app.test_client()
    by_password(owner, member)
    assert by_code(owner, hands.code(secret)).status_code == 303
    hands.pass_by(minutes=6)
    # a sign-in that was completed is one line, and nothing alarms
    page = owner.get("/staff/me").text
    assert "Signed in</span>" in page and "by password and code" in page and STOPPED not in page
    thief.environ_base["REMOTE_ADDR"] = "203.0.113.9"
    agent = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36"}
    assert by_password(thief, member, headers=agent).location == "/sign-in/code"
    # perhaps the owner is typing the code at this moment
    assert STOPPED not in owner.get("/staff/me").text
    hands.pass_by(minutes=6)
    for number in range(15):
        thief.post("/sign-in", data={"email": member.email, "password": f"noise-{number}"})
        hands.pass_by(minutes=1)
    page = owner.get("/staff/me").text
    assert page.count(f"{STOPPED}</span>") == 1 and "Somebody typed your right password" in page
    row = page[page.index(f"{STOPPED}</span>") :].partition("</tr>")[0]
    assert "203.0.113.9" in row and "Chrome on Linux" in row and "noise" not in page
    assert STOPPED not in colleague.get("/staff/me").text
    told = session().scalars(sa.select(AuditEvent).where(AuditEvent.action == "staff.password_right")).all()
    assert [event.address for event in told] == ["127.0.0.1", "203.0.113.9"]
    assert {event.object_id for event in told} == {member.id}
    assert "Right password; the code was still to come" in signed_in(Role.ADMIN).get(f"/staff/{member.id}").text


def test_who_has_a_second_factor_shows_it_before_the_password_changes(
    signed_in: SignIn, people: People, hands: Hands
) -> None:
    member = people.member(Role.OFFICER)
    secret, _ = enrolled(member, hands)
    desk, phone, without = signed_in(Role.OFFICER), signed_in(Role.OFFICER), signed_in(Role.TREASURER)
    hands.pass_by(minutes=16)
    before = member.password_hash
    page = desk.get("/staff/me").text
    assert "Show that it is you…" in page and 'name="current"' not in page
    assert 'name="current"' in without.get("/staff/me").text
    typed = {"current": PASSWORD, "new": FRESH, "again": FRESH}
    sent = desk.post("/staff/me/password", data=typed, headers={"Referer": "http://localhost/staff/me"})
    assert sent.location == "/sign-in/again?next=/staff/me"
    session().refresh(member)
    assert member.password_hash == before
    assert desk.post(sent.location, data={"code": hands.code(secret)}).location == "/staff/me"
    assert 'name="current"' in desk.get("/staff/me").text
    wrong = desk.post("/staff/me/password", data=typed | {"current": "wrong"})
    assert wrong.status_code == 422 and "This is not your current password." in wrong.text
    assert desk.post("/staff/me/password", data=typed).location == "/staff/me"
    session().refresh(member)
    assert member.password_hash != before
    assert (desk.get("/").status_code, phone.get("/").status_code) == (200, 303)
    told = session().scalars(sa.select(AuditEvent.action).where(AuditEvent.object_id == member.id)).all()
    assert told.count("staff.password_change_refused") == 1 and told.count("staff.password_changed") == 1
