"""Resetting what a colleague signs in with: an administrator asks, a senior colleague decides."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard.access.permissions import Role
from dashboard.approvals import services as approvals
from dashboard.approvals import staff_resets
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit.models import AuditEvent
from dashboard.database import new_id, session, transaction
from dashboard.errors import Conflict, Forbidden, NotFound
from dashboard.staff import password_resets, second_factor, services
from dashboard.staff.models import PasswordReset, SecondFactor
from tests.conftest import PASSWORD, People
from tests.staff.test_second_factor import Hands, enrolled, refused_by

SignIn = Callable[..., FlaskClient]
FRESH = "another-long-password"


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    return Hands(monkeypatch)


def request_now(object_id: UUID, kind: str) -> ApprovalRequest:
    return session().scalars(
        sa.select(ApprovalRequest)
        .where(ApprovalRequest.object_id == object_id, ApprovalRequest.kind == kind)
        .order_by(ApprovalRequest.id.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    ).one()  # fmt: skip


def code_on(page: str, length: int = 19) -> str:
    found = re.search(rf'class="secret mono">([a-z2-7-]{{{length}}})<', page)
    assert found is not None
    return found.group(1)


def test_a_lost_factor_is_reset_by_two_people_neither_of_them_the_one_who_lost_it(
    app: Flask, signed_in: SignIn, people: People, hands: Hands
) -> None:
    member = people.member(Role.ADMIN, "Liis Saar")
    secret, _ = enrolled(member, hands)
    lost, asking, deciding = (signed_in(Role.ADMIN, name) for name in ("Liis Saar", None, "Rein Kask"))
    path = f"/staff/{member.id}/reset-factor"
    form = asking.get(path, headers={"HX-Request": "true"}).text
    assert "Reset the second factor of Liis Saar" in form and "<html" not in form
    assert asking.post(path, data={"reason": " "}).status_code == 422
    assert asking.get(f"/staff/{new_id()}/reset-factor").status_code == 404
    asked = asking.post(path, data={"reason": "phone stolen, seen in person", "next": "/"})
    request = request_now(member.id, "staff.resetFactor")
    assert asked.location == f"/approvals/{request.id}"
    assert second_factor.is_on(member.id)
    twice = asking.post(path, data={"reason": "again"})
    assert twice.status_code == 422 and "asked already" in twice.text
    # neither who asked, nor the person, nor a role that has no say
    approve = f"/approvals/{request.id}/approve"
    assert "Reset the second factor of Liis Saar" in deciding.get("/approvals?view=me").text
    for browser in (asking, lost, signed_in(Role.TREASURER), signed_in(Role.OFFICER)):
        assert browser.post(approve).status_code == 403
    assert second_factor.is_on(member.id)
    assert deciding.post(approve).status_code == 303
    assert not second_factor.is_on(member.id)
    factor = session().scalars(sa.select(SecondFactor)).one()
    assert (factor.ended_how, factor.approval_id, factor.sealed_secret) == ("reset", request.id, None)
    assert lost.get("/").status_code == 303
    # the password is enough again, and the reset cannot be used for a factor that comes later
    http = app.test_client()
    assert http.post("/sign-in", data={"email": member.email, "password": PASSWORD}).location == "/"
    assert asking.post(path, data={"reason": "again"}).status_code == 422
    told = session().scalars(sa.select(AuditEvent).where(AuditEvent.action == "staff.second_factor_reset")).one()
    assert (told.object_id, told.actor_name) == (member.id, "Rein Kask")


def test_nobody_asks_for_themself_and_only_administrators_ask(signed_in: SignIn, people: People, hands: Hands) -> None:
    admin, officer = people.member(Role.ADMIN), people.member(Role.OFFICER)
    enrolled(admin, hands)
    enrolled(officer, hands)
    for act in ("reset-factor", "reset-password"):
        assert signed_in(Role.ADMIN).post(f"/staff/{admin.id}/{act}", data={"reason": "mine"}).status_code == 403
        for role in (Role.OFFICER, Role.SENIOR_OFFICER, Role.SENIOR_TREASURER, Role.AUDITOR):
            answer = signed_in(role).post(f"/staff/{officer.id}/{act}", data={"reason": "hers"})
            assert answer.status_code == 403, (role, act)
    for ask in (staff_resets.ask_reset_factor, staff_resets.ask_reset_password):
        with pytest.raises(Forbidden):
            ask(officer.id, "hers", people.actor(Role.SENIOR_OFFICER))
        with pytest.raises(NotFound):
            ask(new_id(), "nobody's", people.actor(Role.ADMIN))
    assert session().scalar(sa.select(sa.func.count()).select_from(ApprovalRequest)) == 0
    # a token that an administrator owns could never decide on that administrator either
    machine = replace(people.actor(Role.ADMIN), id=new_id(), kind="token", owner_id=officer.id)
    with pytest.raises(Forbidden):
        staff_resets.ask_reset_factor(officer.id, "hers", machine)


def test_a_request_goes_stale_when_another_device_came_meanwhile(people: People, hands: Hands) -> None:
    member = people.member(Role.OFFICER)
    enrolled(member, hands)
    with transaction():
        request = staff_resets.ask_reset_factor(member.id, "lost", people.actor(Role.ADMIN))
    enrolled(member, hands)
    with transaction():
        closed = approvals.decide(request.id, approve=True, reason=None, by=people.actor(Role.ADMIN, "Rein Kask"))
    assert closed.state == "stale" and second_factor.is_on(member.id)
    assert "changed meanwhile" in (staff_resets.KINDS[0].closed or str)(closed)


def test_a_password_is_reset_by_two_people_and_chosen_anew_by_a_code(
    app: Flask, signed_in: SignIn, people: People, hands: Hands
) -> None:
    member = people.member(Role.OFFICER)
    secret, _ = enrolled(member, hands)
    desk, asking, deciding = signed_in(Role.OFFICER), signed_in(Role.ADMIN), signed_in(Role.SENIOR_OFFICER)
    asking.post(f"/staff/{member.id}/reset-password", data={"reason": "forgotten, seen in person"})
    request = request_now(member.id, "staff.resetPassword")
    hand_over = f"/staff/resets/{request.id}"
    # nothing is to be had before the decision, not by the page of the code either
    assert asking.post(hand_over).status_code == 404
    assert desk.get("/").status_code == 200
    deciding.post(f"/approvals/{request.id}/approve")
    session().refresh(member)
    assert desk.get("/").status_code == 303
    assert not services._matches(member.password_hash, PASSWORD)
    # a code each for who asked and for who decided, and none for another administrator
    assert signed_in(Role.ADMIN, "Rein Kask").post(hand_over).status_code == 404
    assert signed_in(Role.OFFICER).get(hand_over).status_code == 403
    for browser in (asking, deciding):
        assert hand_over in browser.get(f"/approvals/{request.id}").text
    hands.pass_by(minutes=15)
    assert asking.post(hand_over).location.startswith("/sign-in/again")
    asking.post("/sign-in/again", data={"password": PASSWORD})
    deciding.post("/sign-in/again", data={"password": PASSWORD})
    before, first = code_on(asking.post(hand_over).text), code_on(asking.post(hand_over).text)
    page = deciding.post(hand_over).text
    second = code_on(page, 11)
    assert "the first code from Admin" in page and first not in page + asking.get(hand_over).text
    stored = session().scalars(sa.select(PasswordReset).execution_options(populate_existing=True)).one()
    assert stored.secret_hash is not None and first not in stored.secret_hash
    assert stored.countersign_hash is not None and stored.countersign_hash.startswith("$argon2id$")
    http = app.test_client()

    def choose(code: str, new: str = FRESH, again: str | None = None, other: str = second) -> int:
        data = {"code": code, "second": other, "new": new, "again": new if again is None else again}
        return http.post("/sign-in/new-password", data=data).status_code

    # replaced, unknown, empty; too short; not agreeing: none of these spends the codes or a try
    for wrong in (before, "aaaa-bbbb-cccc-dddd", "", "\0"):
        assert choose(wrong) == 422
    assert (choose(first, "short"), choose(first, FRESH, "other")) == (422, 422)
    # neither of the two gets anywhere with what they handed over
    for guess in (first, "", "aaaaa-aaaaa", "\0"):
        assert choose(first, other=guess) == 422
    assert choose(second, other=second) == 422
    session().refresh(stored)
    assert stored.countersign_failures == 3
    assert choose(first.upper().replace("-", " "), other=second.upper().replace("-", " ")) == 303
    assert choose(first, "a-third-long-password") == 422
    session().refresh(member)
    assert services._matches(member.password_hash, FRESH)
    # the second factor is asked for as ever
    assert http.post("/sign-in", data={"email": member.email, "password": FRESH}).location == "/sign-in/code"
    assert http.post("/sign-in/code", data={"code": hands.code(secret)}).location == "/"
    done = asking.post(hand_over)
    assert done.status_code == 303 and "No code is needed any more" in asking.get(hand_over).text
    spent = "UPDATE password_reset SET used_at = NULL"
    assert refused_by(spent) == "password_reset_counts_once"
    told = session().scalars(sa.select(AuditEvent.action).where(AuditEvent.object_id == member.id)).all()
    assert {"staff.password_reset", "staff.password_code_made", "staff.password_countersign_made",
            "staff.password_code_refused", "staff.password_changed"} <= set(told)  # fmt: skip


def test_a_code_ends_after_a_day_and_with_any_other_new_password(
    app: Flask, people: People, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "_hash", lambda password: f"hash of {password}")
    # whoever may be the second person too, and with no second factor: one of the two codes opens nothing
    member, admin, other = (
        people.member(Role.SENIOR_OFFICER),
        people.actor(Role.ADMIN),
        people.actor(Role.ADMIN, "Rein"),
    )
    with transaction():
        request = staff_resets.ask_reset_password(member.id, "forgotten", admin)
    with transaction():
        approvals.decide(request.id, approve=True, reason=None, by=other)

    def both() -> dict[str, str]:
        with transaction():
            return {
                "code": staff_resets.make_code(request.id, admin), "second": staff_resets.make_code(request.id, other),
                "new": FRESH, "again": FRESH,
            }  # fmt: skip

    data = both()
    hands.pass_by(hours=24)
    assert app.test_client().post("/sign-in/new-password", data=data).status_code == 422
    # a fresh first code does not make the second one younger
    with transaction():
        data["code"] = staff_resets.make_code(request.id, admin)
    late = app.test_client().post("/sign-in/new-password", data=data)
    assert late.status_code == 422 and 'id="second-error"' in late.text
    data = both()
    # wrong ones bring a pause, in which the right one is not looked at; a new first code ends it not, a new second does
    for number in range(5):
        refused = app.test_client().post("/sign-in/new-password", data=data | {"second": "aaaaaaaaaa"})
        assert ("Too many wrong codes." in refused.text) == (number == 4)
    with transaction():
        data["code"] = staff_resets.make_code(request.id, admin)
    paused = app.test_client().post("/sign-in/new-password", data=data)
    assert paused.status_code == 422 and "Too many wrong codes." in paused.text
    forgotten = "UPDATE password_reset SET countersign_failures = 0"
    for statement in (forgotten, f"{forgotten}, countersign_locked_until = NULL"):
        assert refused_by(statement) == "password_reset_tries_are_kept"
    data = both()
    hands.pass_by(minutes=1)
    with transaction():
        services.set_password(member.email, new="set-by-the-operator", by=admin)
    assert app.test_client().post("/sign-in/new-password", data=data).status_code == 422
    assert not password_resets.is_waiting(request.id)
    with pytest.raises(Conflict):
        staff_resets.make_code(request.id, admin)


def test_a_code_does_not_outlive_who_made_it(app: Flask, people: People, hands: Hands) -> None:
    member, admin = people.member(Role.OFFICER), people.actor(Role.ADMIN)
    other, third = people.actor(Role.SENIOR_OFFICER), people.actor(Role.SENIOR_OFFICER, "Rein")
    with transaction():
        request = staff_resets.ask_reset_password(member.id, "forgotten", admin)
    with transaction():
        approvals.decide(request.id, approve=True, reason=None, by=other)
    with transaction():
        first, second = staff_resets.make_code(request.id, admin), staff_resets.make_code(request.id, other)
    with transaction():
        services.disable(people.member(Role.SENIOR_OFFICER).email, by=third, reason="left the house")
    data = {"code": first, "second": second, "new": FRESH, "again": FRESH}
    assert app.test_client().post("/sign-in/new-password", data=data).status_code == 422
    assert not password_resets.is_waiting(request.id)


def test_the_database_lets_nothing_be_reset_without_the_approved_request(people: People, hands: Hands) -> None:
    member, other = people.member(Role.OFFICER), people.member(Role.TREASURER)
    enrolled(member, hands)
    enrolled(other, hands)
    with transaction():
        waiting = staff_resets.ask_reset_factor(member.id, "lost", people.actor(Role.ADMIN))
    reset = (
        "UPDATE second_factor SET ended_at = now(), ended_how = 'reset', sealed_secret = NULL, approval_id = :approval"
        " WHERE staff_id = :staff"
    )
    rule = "second_factor_reset_is_approved"
    assert refused_by(reset, approval=waiting.id, staff=member.id) == rule
    with transaction():
        approvals.decide(waiting.id, approve=True, reason=None, by=people.actor(Role.ADMIN, "Rein Kask"))
    # approved, but of somebody else; and a reset of a factor is none of a password
    assert refused_by(reset, approval=waiting.id, staff=other.id) == rule
    with transaction():
        asked = staff_resets.ask_reset_password(member.id, "lost", people.actor(Role.ADMIN))
    maker, decider = people.member(Role.ADMIN).id, people.member(Role.ADMIN, "Rein Kask").id
    with transaction():
        approvals.decide(asked.id, approve=True, reason=None, by=people.actor(Role.ADMIN, "Rein Kask"))
    # each of the two makes their own code, and a password is chosen by both
    first = "UPDATE password_reset SET secret_hash = 'a', expires_at = now() + interval '1 day', secret_by = :by"
    second = (
        "UPDATE password_reset SET countersign_hash = 'a', countersign_until = now() + interval '1 day',"
        " countersign_by = :by"
    )
    assert refused_by(first, by=decider) == "password_reset_code_by_who_asked"
    assert refused_by(second, by=maker) == "password_reset_code_by_who_approved"
    assert refused_by(f"{first}, used_at = now()", by=maker) == "password_reset_used_by_both"
    assert refused_by(first, by=maker) is None
    used = "UPDATE password_reset SET used_at = now()"
    assert refused_by(used) == "password_reset_used_by_both"
    assert refused_by("UPDATE password_reset SET secret_by = :by", by=decider) == "password_reset_code_by_who_asked"
    assert refused_by(second, by=decider) is None
    assert refused_by("UPDATE password_reset SET countersign_by = :by", by=maker) == "password_reset_tries_are_kept"
    assert refused_by(used) is None
    taken = (
        "INSERT INTO password_reset (id, staff_id, approval_id, approved_at)"
        " VALUES (gen_random_uuid(), :staff, :approval, now())"
    )
    assert refused_by(taken, approval=waiting.id, staff=member.id) == "password_reset_is_approved"
