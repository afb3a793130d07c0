"""What the database refuses about staff and tokens, whoever tries; and two who try at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access.permissions import Audience, Role
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.database import constraint_of, db, new_id, session, transaction
from dashboard.errors import DomainError, NotFound, Refused
from dashboard.people.models import StaffInvitation
from dashboard.people.services import changing, inviting, machines
from dashboard.staff.models import StaffMember
from tests.conftest import Machine, People
from tests.database.test_guards import refused


def insert_member(role: str = "admin", email: str = "mole@test.example") -> UUID:
    member = new_id()
    session().execute(
        sa.text(
            "INSERT INTO staff_member (id, email, email_key, name, role, password_hash, theme, keys_off, created_at,"
            " password_changed_at) VALUES (:id, :email, :email, 'Mole', :role, 'x', 'system', false, now(), now())"
        ),
        {"id": member, "email": email, "role": role},
    )
    return member


def at_commit() -> str | None:
    """Which rule refuses the transaction when it ends; None: it may."""
    try:
        with session().begin_nested():
            session().execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))
    except sa.exc.IntegrityError as error:
        return constraint_of(error)
    finally:
        session().execute(sa.text("SET CONSTRAINTS ALL DEFERRED"))
    return None


def test_a_member_comes_by_an_accepted_invitation_or_with_evidence_of_the_operator(app: Flask, people: People) -> None:
    admin, senior = people.actor(Role.ADMIN), people.actor(Role.SENIOR_OFFICER)
    assert at_commit() is None
    with pytest.raises(ZeroDivisionError), session().begin_nested():
        insert_member()
        assert at_commit() == "staff_member_was_let_in"
        raise ZeroDivisionError
    # an invitation into another role, or of another address, lets nobody in
    with transaction():
        asked = inviting.ask_to_invite(name="Mari", email="m@test.example", role=Role.OFFICER, reason="new", by=admin)
        approvals.decide(asked.id, approve=True, reason=None, by=senior)
        inviting.make_link(asked.object_id, mailed=True, by=admin)
    for role, email in (("admin", "m@test.example"), ("officer", "other@test.example")):
        with pytest.raises(ZeroDivisionError), session().begin_nested():
            member = insert_member(role, email)
            session().execute(
                sa.text("UPDATE staff_invitation SET accepted_at = now(), member_id = :member WHERE id = :id"),
                {"member": member, "id": asked.object_id},
            )
            assert at_commit() == "staff_member_was_let_in"
            raise ZeroDivisionError
    assert at_commit() is None


def test_a_role_and_a_return_need_the_approved_request_of_this_member_and_role(app: Flask, people: People) -> None:
    admin, senior = people.actor(Role.ADMIN), people.actor(Role.SENIOR_OFFICER)
    member, other = people.member(Role.OFFICER), people.member(Role.TREASURER)
    change = "UPDATE staff_member SET role = :role WHERE id = :id"
    assert refused(change, role="admin", id=member.id) == "staff_member_role_needs_approval"
    with transaction():
        changing.ask_to_change_role(member.id, role=Role.AUDITOR, reason="moves", by=admin)
    # asked is not approved
    assert refused(change, role="auditor", id=member.id) == "staff_member_role_needs_approval"
    asked = session().scalars(sa.select(ApprovalRequest)).one()
    with transaction():
        approvals.decide(asked.id, approve=True, reason=None, by=senior)
    assert member.role == "auditor"
    # the decision was about this member, this role, and once
    assert refused(change, role="admin", id=member.id) == "staff_member_role_needs_approval"
    assert refused(change, role="auditor", id=other.id) == "staff_member_role_needs_approval"
    with transaction():
        changing.disable(other.id, reason="left", by=admin)
    back = "UPDATE staff_member SET disabled_at = NULL WHERE id = :id"
    assert refused(back, id=other.id) == "staff_member_enabling_needs_approval"
    last = "UPDATE staff_member SET disabled_at = now() WHERE id = :id"
    assert refused(last, id=admin.id) == "staff_member_last_administrator"
    assert refused("DELETE FROM staff_member") == "no grant"
    assert refused("DELETE FROM staff_invitation") == "no grant"


def test_nobody_decides_about_or_asks_for_themself_in_the_database_either(app: Flask, people: People) -> None:
    admin, member = people.actor(Role.ADMIN), people.member(Role.SENIOR_OFFICER)
    with transaction():
        asked = changing.ask_to_change_role(member.id, role=Role.ADMIN, reason="helps", by=admin)
    decide = (
        "UPDATE approval_request SET state = 'approved', decided_by = :by, decider_name = 'x', decider_senior = true,"
        " closed_at = now() WHERE id = :id"
    )
    assert refused(decide, by=member.id, id=asked.id) == "ck_approval_request_nobody_decides_about_themself"
    forged = (
        "INSERT INTO approval_request (id, kind, object_type, object_id, subject, state, maker_kind, maker_id,"
        " maker_name, maker_senior, reason, restricted, payload, before, after, fingerprint, requested_at, expires_at)"
        " SELECT gen_random_uuid(), :kind, object_type, :id, subject, 'requested', 'staff', :id, 'x', true, 'r', false,"
        " payload, before, after, fingerprint, now(), now() + interval '1 day' FROM approval_request"
    )
    for kind in ("staff.changeRole", "staff.enable"):
        assert refused(forged, kind=kind, id=member.id) == "ck_approval_request_nobody_asks_for_themself"


def test_an_invitation_stays_as_two_people_let_it_be(app: Flask, people: People) -> None:
    admin, senior = people.actor(Role.ADMIN), people.actor(Role.SENIOR_OFFICER)
    with transaction():
        asked = inviting.ask_to_invite(name="Mari", email="m@test.example", role=Role.OFFICER, reason="new", by=admin)
    insert = (
        "INSERT INTO staff_invitation (id, email, email_key, name, role, invited_by, approval_id, created_at)"
        " SELECT object_id, 'm@test.example', 'm@test.example', 'Mari', CAST(:role AS text), maker_id, id, now()"
        " FROM approval_request"
    )
    assert refused(insert, role="officer") == "staff_invitation_by_two"
    with transaction():
        approvals.decide(asked.id, approve=True, reason=None, by=senior)
        _, secret = inviting.make_link(asked.object_id, mailed=False, by=admin)
    assert refused(insert, role="admin") == "staff_invitation_by_two"
    for column in ("role = 'admin'", "email = 'x@y.example'", "email_key = 'x@y.example'", "invited_by = decided_by"):
        statement = f"UPDATE staff_invitation SET {column}".replace("decided_by", f"'{senior.id}'")
        assert refused(statement) == "staff_invitation_is_as_approved"
    accepted = "UPDATE staff_invitation SET accepted_at = link_expires_at, member_id = invited_by"
    assert refused(accepted) == "staff_invitation_accepted_in_time"
    # the two halves come from two people: the code from who approved alone, and never from who has the link
    accepted = "UPDATE staff_invitation SET accepted_at = now(), member_id = invited_by"
    assert refused(accepted) == "staff_invitation_accepted_by_both"
    code = (
        "UPDATE staff_invitation SET countersign_hash = 'mine', countersign_until = now() + interval '1 day',"
        " countersign_by = :by"
    )
    assert refused(code, by=admin.id) == "staff_invitation_code_by_who_approved"
    assert refused(f"{code}, accepted_at = now(), member_id = invited_by", by=senior.id) == (
        "staff_invitation_accepted_by_both"
    )
    assert refused("UPDATE staff_invitation SET link_mailed = true") == "staff_invitation_link_stays_shown"
    with transaction():
        _, typed = inviting.make_joining_code(asked.object_id, by=senior)
    assert refused("UPDATE staff_invitation SET link_by = countersign_by") == "ck_staff_invitation_link_and_code_by_two"
    assert refused("UPDATE staff_invitation SET countersign_by = link_by") == "staff_invitation_tries_are_kept"
    assert refused("UPDATE staff_invitation SET countersign_failures = -1") == "staff_invitation_tries_are_kept"
    with transaction():
        inviting.begin_attempt(secret, password="another-long-password")
        inviting.accept(secret, code=typed, password="another-long-password", address=None, request_id=None)
    assert refused("UPDATE staff_invitation SET accepted_at = NULL, member_id = NULL") == "staff_invitation_is_final"
    with pytest.raises(NotFound):
        inviting.accept(secret, code=typed, password="another-long-password", address=None, request_id=None)


def test_a_powerful_token_needs_two_people_and_no_token_changes_what_it_may(
    app: Flask, people: People, machine: Callable[..., Machine]
) -> None:
    admin, senior = people.actor(Role.ADMIN), people.actor(Role.SENIOR_OFFICER)
    insert = (
        "INSERT INTO api_token (id, name, audience, partner, scopes, secret_hash, prefix, owner_id, created_at,"
        " expires_at, origin, approval_id) VALUES (CAST(:id AS uuid), 'mole', 'system', 'default', :scopes,"
        " gen_random_uuid()::text, 'x', :owner, now(), now() + interval '1 day', 'staff', :approval)"
    )
    for scope in ("clients:unblock", "clients:read-restricted", "payments:adjust", "transfers:assign",
                  "transfers:execute"):  # fmt: skip
        values = {"id": new_id(), "scopes": ["clients:read", scope], "owner": admin.id, "approval": None}
        assert refused(insert, **values) == "api_token_power_by_two"
    values = {"id": new_id(), "scopes": ["clients:import"], "owner": None, "approval": None}
    assert refused(insert, **values) == "ck_api_token_made_by_staff_has_an_owner"
    wanted = frozenset(scope for scope in machines.ALL_SCOPES[Audience.SYSTEM] if scope == "payments:adjust")
    with transaction():
        asked = machines.make(audience=Audience.SYSTEM, scopes=wanted, name="adjuster", client_id=None,
                              partner="default", days=30, reason="month end", by=admin)  # fmt: skip
    assert isinstance(asked, ApprovalRequest)
    known = {"id": asked.object_id, "scopes": ["payments:adjust"], "owner": admin.id, "approval": asked.id}
    assert refused(insert, **known) == "api_token_power_by_two"
    with transaction():
        approvals.decide(asked.id, approve=True, reason=None, by=senior)
    # more than was approved, or for somebody else
    for other in ({"scopes": ["payments:adjust", "clients:unblock"]}, {"owner": senior.id}, {"id": new_id()}):
        assert refused(insert, **known | other) == "api_token_power_by_two"
    standing = machine(Audience.SYSTEM)
    for column in ("scopes = '{clients:unblock}'", "audience = 'integration'", "partner = 'x'", "origin = 'staff'",
                   "expires_at = expires_at + interval '1 day'", f"owner_id = '{senior.id}'"):  # fmt: skip
        assert refused(f"UPDATE api_token SET {column} WHERE id = :id", id=standing.token_id) == "api_token_is_as_made"
    secret = "UPDATE api_token SET secret_hash = 'mine' WHERE id = :id"
    assert refused(secret, id=standing.token_id) == "api_token_secret_once"
    with transaction():
        machines.revoke(standing.token_id, reason="old", by=admin)
    back = "UPDATE api_token SET revoked_at = NULL WHERE id = :id"
    assert refused(back, id=standing.token_id) == "api_token_stays_revoked"


def at_once(app: Flask, *acts: Callable[[], object]) -> list[object]:
    """Each act in a thread and a transaction of its own, all begun together; results or refusals."""
    ready, results = threading.Barrier(len(acts)), [None] * len(acts)

    def run(place: int, act: Callable[[], object]) -> None:
        with app.app_context():
            try:
                ready.wait(10)
                with transaction():
                    results[place] = act()
            except DomainError as refusal:
                results[place] = refusal
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run, args=one) for one in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_at_the_same_moment_one_accepts_and_one_administrator_stays(committed: Flask) -> None:
    people = People()
    first, second = people.actor(Role.ADMIN), people.actor(Role.ADMIN, "Other Admin")
    with transaction():
        asked = inviting.ask_to_invite(name="Mari", email="m@test.example", role=Role.OFFICER, reason="new", by=first)
        approvals.decide(asked.id, approve=True, reason=None, by=second)
        _, secret = inviting.make_link(asked.object_id, mailed=False, by=first)
        _, code = inviting.make_joining_code(asked.object_id, by=second)

    def accept() -> object:
        return inviting.accept(secret, code=code, password="another-long-password", address=None, request_id=None)

    results = at_once(committed, accept, accept, accept)
    assert [isinstance(result, NotFound) for result in results].count(True) == 2
    assert session().scalar(sa.select(sa.func.count()).where(StaffMember.email_key == "m@test.example")) == 1
    found = session().get(StaffInvitation, asked.object_id, populate_existing=True)
    assert found is not None and found.accepted_at is not None
    assert found.accepted_at - clock.now() < timedelta(minutes=1)

    # each disables the other one: beside them somebody else may be the second person, of whom there are two until then
    people.member(Role.SENIOR_OFFICER)
    results = at_once(
        committed,
        lambda: changing.disable(second.id, reason="left", by=first),  # type: ignore[arg-type]
        lambda: changing.disable(first.id, reason="left", by=second),  # type: ignore[arg-type]
    )
    refusals = [result for result in results if isinstance(result, Refused)]
    assert [refusal.code for refusal in refusals] == ["lastAdministrator"]
    active = sa.select(sa.func.count()).where(StaffMember.role == "admin", StaffMember.disabled_at.is_(None))
    assert session().scalar(active) == 1
