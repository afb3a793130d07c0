"""What a thief, a stranger who knows the address, or somebody at an open desk tries on the second factor."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard import clock
from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.approvals import services as approvals
from dashboard.approvals import staff_resets
from dashboard.audit.models import AuditEvent
from dashboard.database import new_id, session, transaction
from dashboard.people.services import changing
from dashboard.staff import sealing, second_factor, services
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


def _stepped_up(people: People, signed_in: SignIn, hands: Hands, secret: str) -> FlaskClient:
    desk = signed_in(Role.SENIOR_OFFICER)
    hands.pass_by(minutes=16)
    assert desk.post("/sign-in/again", data={"code": hands.code(secret)}).status_code == 303
    return desk


def test_what_was_shown_in_a_session_is_worth_nothing_after_its_end_or_with_another_role(
    app: Flask, people: People, signed_in: SignIn, hands: Hands
) -> None:
    member, admin = people.member(Role.SENIOR_OFFICER), people.actor(Role.ADMIN)
    secret, _ = enrolled(member, hands)
    name = app.config["SESSION_COOKIE_NAME"]
    with transaction():
        waiting = changing.ask_to_change_role(
            people.member(Role.OFFICER).id, role=Role.AUDITOR, reason="moves", by=admin
        )
    approve = f"/approvals/{waiting.id}/approve"
    # a copy of the cookie, made while the step-up was fresh
    desk, copy = _stepped_up(people, signed_in, hands, secret), app.test_client()
    kept = desk.get_cookie(name)
    assert kept is not None and desk.get(approve).status_code == 200
    copy.set_cookie(name, kept.value)
    assert copy.get(approve).status_code == 200
    assert desk.post("/sign-out").status_code == 303
    for path in (approve, "/sign-in/again"):
        assert copy.post(path, data={"code": hands.code(secret, 1)}).location == "/sign-in", path
    # nor does an older session of the same person gain by it
    old, _fresh = signed_in(Role.SENIOR_OFFICER), _stepped_up(people, signed_in, hands, secret)
    assert old.post(approve).location.startswith("/sign-in/again")
    assert session().get_one(type(waiting), waiting.id, populate_existing=True).state == "requested"
    # another role ends what was shown, and what was half shown
    desk, half = _stepped_up(people, signed_in, hands, secret), app.test_client()
    by_password(half, member)
    with transaction():
        asked = changing.ask_to_change_role(member.id, role=Role.ADMIN, reason="moves", by=admin)
    with transaction():
        approvals.decide(asked.id, approve=True, reason=None, by=people.actor(Role.ADMIN, "Rein Kask"))
    assert desk.post(approve).location == "/sign-in"
    hands.pass_by(seconds=30)
    assert by_code(half, hands.code(secret)).location == "/sign-in"
    assert session().scalar(sa.select(sa.func.count()).where(StaffSession.staff_id == member.id,
                                                             StaffSession.ended_at.is_(None))) == 0  # fmt: skip


def test_half_a_sign_in_that_was_planted_becomes_nobody_elses_session(app: Flask, people: People, hands: Hands) -> None:
    victim, attacker = people.member(Role.SENIOR_OFFICER), people.member(Role.AUDITOR)
    secret, recovery = enrolled(victim, hands)
    enrolled(attacker, hands)
    name = app.config["SESSION_COOKIE_NAME"]
    theirs, browser = app.test_client(), app.test_client()
    by_password(theirs, attacker)
    planted = theirs.get_cookie(name)
    assert planted is not None
    browser.set_cookie(name, planted.value)
    # the victim's codes do not complete what the attacker began
    for code in (hands.code(secret), recovery[0]):
        assert by_code(browser, code).status_code == 422
    # nor does what the victim begins stand in the cookie that the attacker knows
    by_password(browser, victim)
    begun = browser.get_cookie(name)
    assert begun is not None and begun.value != planted.value
    assert by_code(theirs, hands.code(secret)).status_code == 422
    hands.pass_by(seconds=30)
    assert by_code(browser, hands.code(secret)).location == "/"
    whole = browser.get_cookie(name)
    assert whole is not None and whole.value not in {begun.value, planted.value}
    # neither cookie of before opens a page, and half of it is used up
    for known in (planted.value, begun.value):
        stolen = app.test_client()
        stolen.set_cookie(name, known)
        assert stolen.get("/").location.startswith("/sign-in")
    assert by_code(stolen, recovery[1]).location == "/sign-in"


def test_secrets_are_sealed_anew_under_the_newest_key_and_the_old_one_can_be_dropped(
    committed: Flask, hands: Hands
) -> None:
    known = committed.extensions["countinghouse.settings"]
    run = committed.test_cli_runner()

    def keys(*given: str) -> None:
        sealing.install(replace(known, second_factor_keys=tuple(key * 32 for key in given)))

    def reseal() -> tuple[int, list[str]]:
        done = run.invoke(args=["staff", "reseal-factors"])
        return done.exit_code, done.output.splitlines()

    member = _kask()
    with transaction():
        other = services.create_member(email="saar@test.example", role=Role.ADMIN, password=PASSWORD, by=system())
    try:
        keys("a")
        secret, _ = enrolled(member, hands)
        # a device that was replaced holds no secret any more, one that waits for its first code does
        enrolled(other, hands)
        enrolled(other, hands)
        with transaction():
            second_factor.begin(session_id=new_id(), by=services.actor_of(other))
        keys("b", "a")
        newest, older = sealing.key_names()
        assert reseal() == (0, ["3 sealed anew.", f"key {newest}: 3 (the newest)", f"key {older}: 0 (older)"])
        assert reseal()[1][0] == "0 sealed anew."
        events = session().scalars(sa.select(AuditEvent).where(AuditEvent.action == "staff.factors_resealed")).all()
        assert [(event.actor_kind, event.actor_name) for event in events] == [("system", "command line")]
        keys("b")
        browser = committed.test_client()
        by_password(browser, member)
        assert by_code(browser, hands.code(secret)).location == "/"
        # a key that opens nothing is said, and nothing is changed
        keys("c")
        status, said = reseal()
        assert status == 1 and said[0] == "0 sealed anew." and "3 cannot be read" in said[-1]
        keys("b")
        assert reseal()[0] == 0
        assert not any("b" * 32 in line or secret in line for line in said)
    finally:
        sealing.install(known)
