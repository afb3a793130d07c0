"""Power counts as it is at the decision: who left, was lowered or was reset decides and asks for nothing any more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard.access import tokens
from dashboard.access.actor import Actor
from dashboard.access.models import ApiToken
from dashboard.access.permissions import ROLES, Audience, Permission, Role
from dashboard.approvals import services as approvals
from dashboard.approvals import staff_resets, taking
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit.models import AuditEvent
from dashboard.clients import services as clients
from dashboard.clients.profile import IndividualProfile
from dashboard.database import new_id, session, transaction
from dashboard.errors import Conflict, Forbidden, Invalid, Refused
from dashboard.people import approvals as details
from dashboard.people.models import StaffInvitation
from dashboard.people.services import changing, inviting, machines
from dashboard.staff import password_resets, second_factor
from dashboard.staff.models import StaffMember
from tests.conftest import Machine, People
from tests.database.test_guards import refused
from tests.staff.test_people_guards import at_commit, at_once
from tests.staff.test_second_factor import Hands, enrolled, refused_by

SignIn = Callable[..., FlaskClient]
APPROVE = (
    "UPDATE approval_request SET state = 'approved', decided_by = :who, decider_name = 'x', decider_senior = :senior,"
    " closed_at = {} WHERE id = :id"
)


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    return Hands(monkeypatch)


def asked_by(maker: Actor, owner: Actor | None = None) -> ApprovalRequest:
    """A request to activate a new client; with `owner` by a token of theirs."""
    with transaction():
        client = clients.create(IndividualProfile(first_name="Mari", last_name="Ilves"), by=owner or maker)
        return clients.ask_to_activate(client.id, reason="checked", by=maker)


def token_of(owner: Actor) -> Actor:
    return Actor("token", new_id(), "t", "system", permissions=frozenset(Permission), owner_id=owner.id)


def state(request: ApprovalRequest) -> tuple[str, str | None]:
    session().refresh(request)
    return request.state, request.decision_reason


def becomes(member: StaffMember, role: Role, *, asks: Actor, decides: Actor) -> ApprovalRequest:
    with transaction():
        asked = changing.ask_to_change_role(member.id, role=role, reason="moves", by=asks)
    with transaction():
        return approvals.decide(asked.id, approve=True, reason=None, by=decides)


def behind_the_service(statement: str, **values: object) -> None:
    """As if a transaction of this moment had come between."""
    with transaction():
        session().execute(sa.text(statement), values)
    session().expire_all()


def test_the_database_knows_the_roles_as_the_application_does(app: Flask) -> None:
    for role, row in ROLES.items():
        found = session().execute(
            sa.text("SELECT staff_role_is_senior(:role), staff_role_decides(:role)"), {"role": role.value}
        )
        assert tuple(found.one()) == (row.senior, Permission.STAFF_DECIDE in row.permissions), role


def test_what_somebody_asked_ends_with_them_and_what_rested_on_their_role_with_the_role(
    app: Flask, people: People
) -> None:
    admin, second, officer = people.actor(Role.ADMIN), people.actor(Role.SENIOR_OFFICER), people.actor(Role.OFFICER)
    lowered = people.actor(Role.SENIOR_OFFICER, "Liis Saar")
    theirs, of_token, others = asked_by(officer), asked_by(token_of(officer), officer), asked_by(second)
    with transaction():
        changing.disable(people.member(Role.OFFICER).id, reason="left", by=admin)
    gone = "Officer, who asked, may no longer do so."
    assert state(theirs) == state(of_token) == ("stale", gone)
    with pytest.raises(Conflict, match="may no longer do so"), transaction():
        approvals.decide(theirs.id, approve=True, reason=None, by=second)
    # a request that rested on seniority, of somebody who has none any more; a colleague's stays
    rested = asked_by(lowered)
    becomes(people.member(Role.SENIOR_OFFICER, "Liis Saar"), Role.OFFICER, asks=admin, decides=second)
    assert state(rested)[0] == "stale" and state(others) == ("requested", None)
    # an officer who becomes a treasurer may no longer ask for it
    junior = people.member(Role.OFFICER, "Jaan Tamm")
    stays = asked_by(people.actor(Role.OFFICER, "Jaan Tamm"))
    becomes(junior, Role.TREASURER, asks=admin, decides=second)
    assert state(stays)[0] == "stale"


def test_what_somebody_had_taken_waits_for_everybody_again(app: Flask, people: People) -> None:
    admin, second, officer = people.actor(Role.ADMIN), people.actor(Role.SENIOR_OFFICER), people.actor(Role.OFFICER)
    leaving, lowered = people.actor(Role.SENIOR_OFFICER, "Liis Saar"), people.actor(Role.SENIOR_OFFICER, "Jaan Tamm")
    mine, yours = asked_by(officer), asked_by(officer)

    def holders() -> dict[UUID, UUID]:
        return taking.holders([mine.id, yours.id])

    with transaction():
        taking.take(mine.id, by=leaving)
        taking.take(yours.id, by=lowered)
    assert holders() == {mine.id: leaving.id, yours.id: lowered.id}
    with transaction():
        changing.disable(people.member(Role.SENIOR_OFFICER, "Liis Saar").id, reason="left", by=admin)
    assert holders() == {yours.id: lowered.id}
    becomes(people.member(Role.SENIOR_OFFICER, "Jaan Tamm"), Role.TREASURER, asks=admin, decides=second)
    assert holders() == {}
    with transaction():
        assert taking.take_next(by=second) == mine
    actions = session().scalars(sa.select(AuditEvent.action).where(AuditEvent.action == "queue.released")).all()
    assert len(actions) == 2


def test_the_decision_asks_who_the_maker_is_now(app: Flask, people: People) -> None:
    people.actor(Role.ADMIN)
    senior, officer = people.actor(Role.SENIOR_OFFICER), people.actor(Role.OFFICER)
    of_person, of_token = asked_by(officer), asked_by(token_of(officer), officer)
    behind_the_service("UPDATE staff_member SET disabled_at = now() WHERE id = :id", id=officer.id)
    for request in (of_person, of_token):
        found = refused(APPROVE.format("now()"), who=senior.id, senior=True, id=request.id)
        assert found == "approval_request_maker_counts"
        with transaction():
            assert approvals.decide(request.id, approve=True, reason=None, by=senior).state == "stale"
        assert "may no longer do so" in (state(request)[1] or "")


def test_the_decision_asks_who_decides_now_and_the_time(app: Flask, people: People) -> None:
    admin, officer = people.actor(Role.ADMIN), people.actor(Role.OFFICER)
    lowered, left = people.actor(Role.SENIOR_OFFICER), people.actor(Role.SENIOR_OFFICER, "Liis Saar")
    other = people.actor(Role.SENIOR_OFFICER, "Rein Kask")
    request = asked_by(officer)
    becomes(people.member(Role.SENIOR_OFFICER), Role.OFFICER, asks=admin, decides=other)
    with transaction():
        changing.disable(people.member(Role.SENIOR_OFFICER, "Liis Saar").id, reason="left", by=admin)
    # both still hold what they were when their request began
    for by in (lowered, left):
        for approve in (True, False):
            with pytest.raises(Forbidden, match="changed meanwhile"), transaction():
                approvals.decide(request.id, approve=approve, reason="no", by=by)
        found = refused(APPROVE.format("now()"), who=by.id, senior=True, id=request.id)
        assert found == "approval_request_decider_counts"
    # nor is a senior person called a junior one
    found = refused(APPROVE.format("now()"), who=other.id, senior=False, id=request.id)
    assert found in ("approval_request_decider_counts", "ck_approval_request_one_of_two_is_senior")
    late = refused(APPROVE.format("expires_at"), who=other.id, senior=True, id=request.id)
    assert late == "approval_request_approved_in_time"
    with transaction():
        assert approvals.decide(request.id, approve=True, reason=None, by=other).state == "approved"


def test_who_leaves_and_who_decides_wait_for_one_another(committed: Flask) -> None:
    people = People()
    admin, senior, officer = people.actor(Role.ADMIN), people.actor(Role.SENIOR_OFFICER), people.actor(Role.OFFICER)
    request = asked_by(officer)
    assert officer.id is not None
    staff_id: UUID = officer.id
    at_once(
        committed,
        lambda: changing.disable(staff_id, reason="left", by=admin),
        lambda: approvals.decide(request.id, approve=True, reason=None, by=senior),
    )
    # in either order: decided by them while they counted, or closed with them
    left = session().scalars(sa.select(StaffMember.disabled_at).where(StaffMember.id == staff_id)).one()
    became, _ = state(request)
    assert left is not None and became in {"approved", "stale"}
    assert became == "stale" or (request.closed_at is not None and request.closed_at <= left + timedelta(seconds=30))


def test_one_administrator_alone_never_locks_the_house_out(
    app: Flask, signed_in: SignIn, people: People, machine: Callable[..., Machine], hands: Hands
) -> None:
    admin, browser = people.actor(Role.ADMIN), signed_in(Role.ADMIN)
    senior, other = people.member(Role.SENIOR_OFFICER), people.member(Role.ADMIN, "Other Admin")
    treasurer = people.member(Role.SENIOR_TREASURER)
    with transaction():
        changing.disable(other.id, reason="left", by=admin)
        # somebody who decides nothing about staff may always go
        changing.disable(treasurer.id, reason="left", by=admin)
    answer = browser.post(f"/staff/{senior.id}/disable", data={"reason": "left"})
    assert answer.status_code == 422 and "one person alone would be left" in answer.text
    gone = "UPDATE staff_member SET disabled_at = now() WHERE id = :id"
    assert refused(gone, id=senior.id) == "staff_member_second_person_stays"
    with pytest.raises(Refused, match="one person alone"):
        changing.ask_to_change_role(senior.id, role=Role.OFFICER, reason="rests", by=admin)
    run = app.test_cli_runner().invoke(args=["staff", "disable", "--email", senior.email])
    assert run.exit_code == 1 and "one person alone" in run.output
    # another one in the same place, and that is possible
    people.member(Role.SENIOR_OFFICER, "Rein Kask")
    token = machine(Audience.INTEGRATION)
    hands.pass_by(minutes=15)
    for path in (f"/staff/{senior.id}/disable", f"/staff/tokens/{token.token_id}/revoke"):
        assert browser.get(path).location.startswith("/sign-in/again")
        assert browser.post(path, data={"reason": "left"}).location.startswith("/sign-in/again")
    session().refresh(senior)
    stands = session().get_one(ApiToken, token.token_id, populate_existing=True)
    assert senior.disabled_at is None and stands.revoked_at is None
    with transaction():
        changing.disable(senior.id, reason="left", by=admin)


def test_the_operator_lets_somebody_in_again_with_evidence_and_the_application_does_not(committed: Flask) -> None:
    people = People()
    admin, member = people.actor(Role.ADMIN), people.member(Role.OFFICER)
    people.member(Role.SENIOR_OFFICER)
    run = committed.test_cli_runner()
    args = ["staff", "enable", "--email", member.email.upper()]
    assert run.invoke(args=args).exit_code == 1
    with transaction():
        invited = inviting.ask_to_invite(name="Mari", email="m@test.example", role=Role.OFFICER, reason="new", by=admin)
        asked = asked_by(people.actor(Role.OFFICER))
        assert invited.state == "requested"
    # at the command line everything of theirs ends as on the page
    assert run.invoke(args=["staff", "disable", "--email", member.email]).exit_code == 0
    assert state(asked)[0] == "stale"
    owned = run.invoke(args=["tokens", "create", "--audience", "integration", "--owner", member.email])
    assert owned.exit_code == 1 and "can no longer sign in" in owned.output
    assert refused("UPDATE staff_member SET disabled_at = NULL WHERE id = :id", id=member.id) == (
        "staff_member_enabling_needs_approval"
    )
    session().rollback()
    done = run.invoke(args=args)
    assert (done.exit_code, done.output) == (0, f"{member.email} can sign in again as compliance officer.\n")
    assert session().get_one(StaffMember, member.id, populate_existing=True).disabled_at is None
    told = session().scalars(sa.select(AuditEvent).where(AuditEvent.action == "staff.enabled")).one()
    assert (told.object_id, told.actor_kind, told.actor_name) == (member.id, "system", "command line")
    assert run.invoke(args=["staff", "enable", "--email", "nobody@test.example"]).exit_code == 1


def test_the_operators_way_out_ends_invitations_too(app: Flask, people: People) -> None:
    admin, senior, other = people.actor(Role.ADMIN), people.actor(Role.SENIOR_OFFICER), people.member(Role.ADMIN, "Ott")
    with transaction():
        asked = inviting.ask_to_invite(
            name="Mari", email="m@test.example", role=Role.OFFICER, reason="new", by=people.actor(Role.ADMIN, "Ott")
        )
        approvals.decide(asked.id, approve=True, reason=None, by=senior)
    assert admin.id != other.id
    assert app.test_cli_runner().invoke(args=["staff", "disable", "--email", other.email]).exit_code == 0
    found = session().get_one(StaffInvitation, asked.object_id, populate_existing=True)
    assert found.ended_because == "inviterGone"


def test_who_no_longer_manages_staff_keeps_no_token_that_took_two_people(
    app: Flask, signed_in: SignIn, people: People
) -> None:
    admin, other = people.actor(Role.ADMIN), people.member(Role.ADMIN, "Other Admin")
    senior, by = people.actor(Role.SENIOR_OFFICER), people.actor(Role.ADMIN, "Other Admin")

    def make(audience: Audience, scope: Permission, name: str) -> UUID:
        with transaction():
            made = machines.make(audience=audience, scopes=frozenset({scope}), name=name, client_id=None,
                                 partner="new-partner", days=30, reason="month end", by=by)  # fmt: skip
        if isinstance(made, ApiToken):
            return made.id
        with transaction():
            approvals.decide(made.id, approve=True, reason=None, by=senior)
        return made.object_id

    strong = make(Audience.SYSTEM, Permission.PAYMENTS_ADJUST, "adjuster")
    weak = make(Audience.INTEGRATION, Permission.CLIENTS_IMPORT, "importer")
    dialog = signed_in(Role.ADMIN).get(f"/staff/{other.id}/role").text
    assert "tokens of theirs that took two people" in dialog and "adjuster" in dialog and "importer" not in dialog
    with transaction():
        asked = changing.ask_to_change_role(other.id, role=Role.AUDITOR, reason="moves", by=admin)
    page = signed_in(Role.SENIOR_OFFICER).get(f"/approvals/{asked.id}/approve").text
    assert "Tokens that are refused then" in page and "adjuster" in page
    with transaction():
        approvals.decide(asked.id, approve=True, reason=None, by=senior)
    revoked = {one: session().get_one(ApiToken, one, populate_existing=True).revoked_at for one in (strong, weak)}
    assert revoked[strong] is not None and revoked[weak] is None


def test_a_decision_about_a_member_is_used_once_however_soon(app: Flask, people: People) -> None:
    admin, senior, member = people.actor(Role.ADMIN), people.actor(Role.SENIOR_OFFICER), people.member(Role.OFFICER)
    first = becomes(member, Role.AUDITOR, asks=admin, decides=senior)
    back = becomes(member, Role.OFFICER, asks=admin, decides=senior)
    change = "UPDATE staff_member SET role = 'auditor', role_approval_id = :used WHERE id = :id"
    for used in (first.id, back.id, None):
        assert refused(change, used=used, id=member.id) == "staff_member_role_needs_approval"
    # and no decision is put back to be used anew
    forget = "UPDATE staff_member SET role_approval_id = NULL WHERE id = :id"
    assert refused(forget, id=member.id) == "staff_member_role_needs_approval"
    returns = []
    for _ in range(2):
        with transaction():
            changing.disable(member.id, reason="left", by=admin)
            asked = changing.ask_to_enable(member.id, reason="came back", by=admin)
        with transaction():
            returns.append(approvals.decide(asked.id, approve=True, reason=None, by=senior).id)
    with transaction():
        changing.disable(member.id, reason="left", by=admin)
    let_in = "UPDATE staff_member SET disabled_at = NULL, enabling_approval_id = :used WHERE id = :id"
    for used in (*returns, None):
        assert refused(let_in, used=used, id=member.id) == "staff_member_enabling_needs_approval"


def test_a_token_of_the_operator_needs_its_evidence(app: Flask, people: People) -> None:
    insert = (
        "INSERT INTO api_token (id, name, audience, partner, scopes, secret_hash, prefix, created_at, expires_at,"
        " origin) VALUES (gen_random_uuid(), 'mole', 'system', 'default', '{clients:read}', 'x', 'x', now(),"
        " now() + interval '1 day', 'operator')"
    )
    with pytest.raises(ZeroDivisionError), session().begin_nested():
        session().execute(sa.text(insert))
        assert at_commit() == "api_token_of_operator_is_told"
        raise ZeroDivisionError
    with transaction():
        made, _ = tokens.create(audience=Audience.SYSTEM, scopes=frozenset({Permission.CLIENTS_READ}), name="payouts")
    told = session().scalars(sa.select(AuditEvent).where(AuditEvent.object_id == made.id)).one()
    assert (told.action, told.actor_kind) == ("token.created", "system")
    assert at_commit() is None


def test_another_token_of_a_known_partner_takes_two_people(app: Flask, signed_in: SignIn, people: People) -> None:
    admin, browser = people.actor(Role.ADMIN), signed_in(Role.ADMIN)
    path = "/staff/tokens/new?audience=integration"
    data = {"name": "importer", "scopes": ["clients:import"], "days": "30", "partner": "partner-one"}
    assert browser.post(path, data=data).location.startswith("/staff/tokens/")
    again = browser.post(path, data=data)
    assert again.status_code == 422 and "The partner partner-one is known already." in again.text
    assert browser.post(path, data=data | {"reason": "second system"}).location == "/staff/tokens"
    request = session().scalars(sa.select(ApprovalRequest)).one()
    assert "partner-one" in signed_in(Role.SENIOR_OFFICER).get(f"/approvals/{request.id}/approve").text
    insert = (
        "INSERT INTO api_token (id, name, audience, partner, scopes, secret_hash, prefix, owner_id, created_at,"
        " expires_at, origin) VALUES (gen_random_uuid(), 'mole', 'integration', 'partner-one', '{clients:import}', 'x',"
        " 'x', :owner, now(), now() + interval '1 day', 'staff')"
    )
    assert refused(insert, owner=admin.id) == "api_token_power_by_two"
    # what simulates alone reads nothing of the partner
    assert browser.post(path, data=data | {"scopes": ["verification:simulate"]}).location.startswith("/staff/tokens/")
    with pytest.raises(Invalid) as caught:
        machines.make(audience=Audience.INTEGRATION, scopes=frozenset({Permission.CLIENTS_IMPORT}), name="x",
                      client_id=None, partner="partner-one", days=1, reason="", by=admin)  # fmt: skip
    assert [error.field for error in caught.value.errors] == ["reason"]


def test_who_decides_reads_whose_name_it_is(app: Flask, signed_in: SignIn, people: People) -> None:
    admin, colleague = people.actor(Role.ADMIN), people.member(Role.TREASURER, "Rein Kask")
    officer = people.actor(Role.OFFICER)
    with transaction():
        client = clients.create(IndividualProfile(first_name="Mari", last_name="Ilves"), by=officer)
        invited = inviting.ask_to_invite(
            name="rein kask", email="rein@elsewhere.example", role=Role.OFFICER, reason="new", by=admin
        )
        other = inviting.ask_to_invite(
            name="Liis Saar", email="liis@elsewhere.example", role=Role.OFFICER, reason="new", by=admin
        )
        token = machines.make(
            audience=Audience.FRONTOFFICE, scopes=frozenset({Permission.CLIENT_OWN}), name="app", client_id=client.id,
            partner="default", days=30, reason="new app", by=admin,
        )  # fmt: skip
    assert isinstance(token, ApprovalRequest)
    senior = signed_in(Role.SENIOR_OFFICER)
    page = senior.get(f"/approvals/{invited.id}/approve").text
    assert "Also the name of" in page and f"{colleague.email}, treasurer" in page
    assert "Also the name of" not in senior.get(f"/approvals/{other.id}/approve").text
    # by name and link for whoever may open clients, by its id for an administrator
    assert "Mari Ilves" in senior.get(f"/approvals/{token.id}/approve").text
    assert f'href="/clients/{client.id}"' in senior.get(f"/approvals/{token.id}").text
    seen = details.token_details([token], people.actor(Role.ADMIN, "Other Admin"))[token.id]
    assert "Ilves" not in str(seen) and str(client.id) in str(seen)


def test_a_reset_ends_when_role_or_factor_of_the_person_changed(app: Flask, people: People, hands: Hands) -> None:
    admin, other = people.actor(Role.ADMIN), people.actor(Role.ADMIN, "Rein Kask")
    senior, officer = people.member(Role.SENIOR_OFFICER), people.member(Role.OFFICER)
    enrolled(senior, hands)

    def reset(member: StaffMember) -> dict[str, str]:
        with transaction():
            asked = staff_resets.ask_reset_password(member.id, "forgotten", admin)
        hands.pass_by(seconds=1)
        with transaction():
            approvals.decide(asked.id, approve=True, reason=None, by=other)
        hands.pass_by(seconds=1)
        with transaction():
            return {
                "id": str(asked.id),
                "code": staff_resets.make_code(asked.id, admin),
                "second": staff_resets.make_code(asked.id, other),
            }

    def over(codes: dict[str, str]) -> None:
        hands.pass_by(seconds=1)
        with pytest.raises(Invalid) as caught, transaction():
            password_resets.choose(
                codes["code"], codes["second"], new="another-long-password", address=None, request_id=None
            )
        assert [error.field for error in caught.value.errors] == ["code"]
        used = "UPDATE password_reset SET used_at = :now WHERE approval_id = :id"
        found = refused_by(used, now=hands.moment, id=UUID(codes["id"]))
        assert found == "password_reset_of_who_it_was"
        with pytest.raises(Conflict, match="Ask for another one"), transaction():
            staff_resets.make_code(UUID(codes["id"]), admin)

    # the password first and then the factor: whoever holds the codes would be the senior person by them alone
    codes = reset(senior)
    with transaction():
        lost = staff_resets.ask_reset_factor(senior.id, "lost", admin)
    with transaction():
        approvals.decide(lost.id, approve=True, reason=None, by=other)
    assert not second_factor.is_on(senior.id)
    over(codes)
    # codes made for an officer open no senior account
    codes = reset(officer)
    becomes(officer, Role.SENIOR_OFFICER, asks=admin, decides=other)
    over(codes)
    # asked anew by whoever is there: nobody is left without a password when who asked left
    codes = reset(senior)
    third = people.actor(Role.ADMIN, "Third Admin")
    with transaction():
        changing.disable(people.member(Role.ADMIN).id, reason="left", by=other)
        waiting = staff_resets.ask_reset_password(senior.id, "once more", third)
        changing.disable(people.member(Role.ADMIN, "Third Admin").id, reason="left", by=other)
    session().refresh(senior)
    assert state(waiting)[0] == "stale" and codes["code"]
    with transaction():
        staff_resets.ask_reset_password(senior.id, "once more", other)
