"""What a thief, a stranger who knows the address, or somebody at an open desk tries on the second factor."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard import clock
from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.approvals import services as approvals
from dashboard.approvals import staff_resets
from dashboard.database import session, transaction
from dashboard.staff import second_factor, services
from dashboard.staff.models import StaffMember, StaffSession
from tests.conftest import PASSWORD, People
from tests.staff.test_second_factor import Hands, by_code, by_password, enrolled, refused_by

SignIn = Callable[..., FlaskClient]
FACTOR = "/staff/me/second-factor"


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    return Hands(monkeypatch)


@pytest.fixture(autouse=True)
def quick_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """The password check is slow on purpose and has tests of its own."""
    monkeypatch.setattr(services, "_matches", lambda _hash, password: password == PASSWORD)


def secret_on(page: str) -> str | None:
    found = re.search(r'class="secret mono">([A-Z2-7 ]+)<', page)
    return found[1].replace(" ", "") if found else None


def test_a_secret_that_a_thief_began_is_not_what_the_owner_sets_up(app: Flask, people: People, hands: Hands) -> None:
    member = people.member(Role.OFFICER)
    thief, owner = app.test_client(), app.test_client()
    by_password(thief, member)
    thief.post(FACTOR)
    known = secret_on(thief.get(FACTOR).text)
    hands.pass_by(minutes=20)
    by_password(owner, member)
    assert known and secret_on(owner.get(FACTOR).text) is None
    owner.post(FACTOR)
    shown = secret_on(owner.get(FACTOR).text)
    assert shown and shown != known
    assert owner.post(f"{FACTOR}/confirm", data={"code": hands.code(shown)}).status_code == 200


def test_an_open_desk_neither_shows_a_secret_nor_takes_its_code(
    people: People, signed_in: SignIn, hands: Hands
) -> None:
    enrolled(people.member(Role.SENIOR_OFFICER), hands)
    desk = signed_in(Role.SENIOR_OFFICER)
    desk.post(FACTOR)
    hands.pass_by(minutes=30)
    session().execute(sa.update(StaffSession).values(seen_at=clock.now()))
    session().commit()
    for answer in (desk.get(FACTOR), desk.post(f"{FACTOR}/confirm", data={"code": ""})):
        assert answer.status_code == 303 and answer.location.startswith("/sign-in/again")


def test_a_stranger_with_the_address_stops_nobody_who_is_signed_in(
    app: Flask, people: People, signed_in: SignIn, hands: Hands
) -> None:
    desk, member = signed_in(Role.SENIOR_OFFICER), people.member(Role.SENIOR_OFFICER)
    stranger = app.test_client()
    for _ in range(6):
        stranger.post("/sign-in", data={"email": member.email, "password": "wrong"})
    hands.pass_by(seconds=20)
    assert desk.post("/sign-in/again", data={"password": PASSWORD}).status_code == 303


def test_changing_the_password_is_no_way_to_guess_it(signed_in: SignIn, hands: Hands) -> None:
    desk = signed_in(Role.OFFICER)

    def change(current: str) -> str:
        new = "a-new-long-password"
        answer = desk.post("/staff/me/password", data={"current": current, "new": new, "again": new})
        assert answer.status_code == 422
        return answer.text

    for number in range(5):
        assert "not your current password" in change(f"guess{number}")
    assert "Too many tries" in change(PASSWORD)


def test_the_database_counts_a_code_once_and_keeps_the_secret(people: People, hands: Hands) -> None:
    member = people.member(Role.OFFICER)
    enrolled(member, hands)
    assert refused_by("UPDATE second_factor SET sealed_secret = 'x'") == "second_factor_goes_forward"
    assert refused_by("UPDATE second_factor SET last_step = last_step") == "second_factor_code_counts_once"
    with transaction():
        request = staff_resets.ask_reset_factor(member.id, "lost", people.actor(Role.ADMIN))
    with transaction():
        approvals.decide(request.id, approve=True, reason=None, by=people.actor(Role.ADMIN, "Rein Kask"))
    enrolled(member, hands)
    again = (
        "UPDATE second_factor SET ended_at = now(), ended_how = 'reset', sealed_secret = NULL, approval_id = :approval"
        " WHERE ended_at IS NULL"
    )
    assert refused_by(again, approval=request.id) == "uq_second_factor_approval_id"


def _kask() -> StaffMember:
    with transaction():
        return services.create_member(email="kask@test.example", role=Role.OFFICER, password=PASSWORD, by=system())


def test_signing_in_by_code_and_a_reset_wait_for_each_other_and_neither_fails(
    committed: Flask, monkeypatch: pytest.MonkeyPatch, hands: Hands
) -> None:
    member = _kask()
    secret, _ = enrolled(member, hands)
    browser = committed.test_client()
    by_password(browser, member)
    taken, real, out = threading.Event(), second_factor.take, {}

    def slow(typed: str, *, by: object) -> object:
        how = real(typed, by=by)  # type: ignore[arg-type]
        taken.set()
        resetting.join(0.7)
        return how

    monkeypatch.setattr(second_factor, "take", slow)

    def reset() -> None:
        taken.wait(10)
        with committed.app_context(), transaction():
            second_factor.reset(member.id, approval_id=None, reason=None, by=system())
        out["reset"] = True

    resetting = threading.Thread(target=reset)
    resetting.start()
    assert by_code(browser, hands.code(secret)).status_code == 303
    resetting.join(20)
    assert out == {"reset": True}
