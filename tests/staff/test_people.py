"""Staff by two people: invitations, roles, disabling, and everybody who tries a way round."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard import clock, notifier
from dashboard.access.models import ApiToken
from dashboard.access.permissions import Audience, Role
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit.models import AuditEvent, AuditPayload
from dashboard.database import session
from dashboard.people.models import StaffInvitation
from dashboard.settings import MailSecurity, MailServer
from dashboard.staff.models import StaffMember
from tests.conftest import Machine, People
from tests.database.test_guards import refused

SignIn = Callable[..., FlaskClient]
FRESH = "another-long-password"
INVITED = {"name": "Mari  Ilves", "email": "Mari.Ilves@test.example", "role": "officer", "reason": "new colleague"}


def asked(kind: str) -> ApprovalRequest:
    """The newest request of a kind, as stored now."""
    found = session().scalars(
        sa.select(ApprovalRequest)
        .where(ApprovalRequest.kind == kind)
        .order_by(ApprovalRequest.id.desc())
        .execution_options(populate_existing=True)
    )
    first = found.first()
    assert first is not None
    return first


def invitation() -> StaffInvitation:
    """The newest invitation, as stored now."""
    found = session().scalars(
        sa.select(StaffInvitation).order_by(StaffInvitation.id.desc()).execution_options(populate_existing=True)
    )
    first = found.first()
    assert first is not None
    return first


def fresh(member: StaffMember) -> StaffMember:
    session().refresh(member)
    return member


def actions(object_id: UUID) -> list[str]:
    return list(
        session().scalars(sa.select(AuditEvent.action).where(AuditEvent.object_id == object_id).order_by(AuditEvent.id))
    )


def approve(browser: FlaskClient, kind: str) -> ApprovalRequest:
    request = asked(kind)
    assert browser.post(f"/approvals/{request.id}/approve").status_code == 303
    return asked(kind)


def link_in(page: str) -> str:
    return re.findall(r"http://localhost(/sign-in/invitation/[\w-]+)</code>", page)[0]


def invited(admin: FlaskClient, second: FlaskClient, **other: str) -> StaffInvitation:
    assert admin.post("/staff/invitations/new", data=INVITED | other).status_code == 303
    assert approve(second, "staff.invite").state == "approved"
    return invitation()


def link_of(admin: FlaskClient, found: StaffInvitation) -> str:
    answer = admin.post(f"/staff/invitations/{found.id}/link")
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    return link_in(answer.text)


def code_of(second: FlaskClient, found: StaffInvitation) -> str:
    answer = second.post(f"/staff/invitations/{found.id}/code")
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    return re.findall(r">([a-z]{5}-[a-z]{5})</code>", answer.text)[0]


def joins(browser: FlaskClient, link: str, password: str = FRESH, code: str = "") -> int:
    return browser.post(link, data={"code": code, "new": password, "again": password}).status_code


def test_two_people_invite_and_the_invited_person_makes_the_account(
    app: Flask, signed_in: SignIn, people: People, capsys: pytest.CaptureFixture[str]
) -> None:
    admin, senior, http = signed_in(Role.ADMIN), signed_in(Role.SENIOR_OFFICER), app.test_client()
    assert admin.post("/staff/invitations/new", data=INVITED).location == "/staff/invitations"
    request = asked("staff.invite")
    assert (request.state, request.subject, request.after) == (
        "requested", "Mari Ilves", {"Role": "Compliance officer"},
    )  # fmt: skip
    assert "Invite Mari Ilves" in admin.get("/staff/invitations").text
    # who asked does not decide, and nothing stands before somebody else has
    assert admin.post(f"/approvals/{request.id}/approve").status_code == 403
    assert session().scalar(sa.select(sa.func.count()).select_from(StaffInvitation)) == 0
    page = senior.get(f"/approvals/{request.id}").text
    assert "Mari.Ilves@test.example" in page and "Approve…" in page
    approve(senior, "staff.invite")
    found = invitation()
    assert (found.email, found.role, found.secret_hash) == ("Mari.Ilves@test.example", "officer", None)

    shown = admin.post(f"/staff/invitations/{found.id}/link")
    link = link_in(shown.text)
    secret = link.rsplit("/", 1)[1]
    assert "Nothing was e-mailed." in shown.text and shown.headers["Cache-Control"] == "no-store"
    assert secret not in admin.get(f"/staff/invitations/{found.id}").text
    rows = "SELECT r::text FROM staff_invitation r UNION ALL SELECT r::text FROM audit_payload r"
    assert not any(secret in row for row in session().execute(sa.text(rows)).scalars())

    code = code_of(senior, found)
    assert secret not in senior.get(f"/staff/invitations/{found.id}").text
    assert code not in senior.get(f"/staff/invitations/{found.id}").text

    page = http.get(link)
    assert "You join as compliance officer" in page.text and "which Senior Officer gives you" in page.text
    assert (page.headers["Cache-Control"], page.headers["Referrer-Policy"]) == ("no-store", "strict-origin")
    assert '<meta name="referrer" content="strict-origin">' in page.text
    short = http.post(link, data={"code": code, "new": "short", "again": "short"})
    assert short.status_code == 422 and "at least 12 characters" in short.text and 'id="new-error"' in short.text
    assert http.post(link, data={"code": code, "new": FRESH, "again": "x"}).status_code == 422
    missing = http.post(link, data={"new": FRESH, "again": FRESH})
    assert missing.status_code == 422 and "Type the joining code" in missing.text
    typed = {"code": f" {code.upper().replace('-', ' ')} ", "new": FRESH, "again": FRESH}
    assert http.post(link, data=typed | {"role": "admin", "email": "x@y.example"}).location == "/sign-in"
    member = session().scalars(sa.select(StaffMember).where(StaffMember.email_key == "mari.ilves@test.example")).one()
    assert (member.role, member.name) == ("officer", "Mari Ilves")
    assert (invitation().member_id, actions(member.id)) == (member.id, ["staff.joined"])
    assert actions(found.id) == [
        "staff.invited", "staff.invitation_link", "staff.joining_code", "staff.invitation_accepted",
    ]  # fmt: skip
    assert not any(code in row for row in session().execute(sa.text(rows)).scalars())
    assert http.post("/sign-in", data={"email": member.email, "password": FRESH}).status_code == 303
    # used once: the second time it reads as any link that never was
    never = http.get("/sign-in/invitation/" + "x" * 43)
    again = app.test_client().get(link)
    assert (again.status_code, never.status_code) == (404, 404)
    assert re.sub(r"\d", "", again.text) == re.sub(r"\d", "", never.text)
    assert joins(app.test_client(), link, "a-third-long-password", code) == 404
    assert secret not in capsys.readouterr().err


def test_who_makes_the_link_never_joins_by_it_alone_and_guesses_end(
    app: Flask, signed_in: SignIn, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, other, http = signed_in(Role.ADMIN), signed_in(Role.ADMIN, "Other Admin"), app.test_client()
    found = invited(admin, other, role="senior-officer")
    path = f"/staff/invitations/{found.id}"
    # who approved has the code, so the link is not for them: not even before there is a code
    assert (
        "Make the link" not in other.get(path).text
        and "another administrator makes the link" in other.get(other.post(f"{path}/link").location).text
    )
    assert "Make the joining code" in other.get(path).text and "Make the joining code" not in admin.get(path).text
    assert invitation().secret_hash is None
    link = link_of(admin, found)
    # nobody makes the code but who approved: not who asked and holds the link, nor others who may decide
    for nosy in (admin, signed_in(Role.ADMIN, "Third Admin"), signed_in(Role.SENIOR_OFFICER)):
        assert nosy.post(f"{path}/code").status_code == 403
    assert signed_in(Role.OFFICER).post(f"{path}/code").status_code == 403
    # without a code the link opens nothing, whatever is typed
    assert joins(http, link, code="abcdeabcde") == 422
    code = code_of(other, found)
    assert invitation().countersign_failures == 0
    answers = []
    for number in range(6):
        guess = code if number == 5 else "abcdefghjk"
        browser = app.test_client()
        browser.environ_base["REMOTE_ADDR"] = f"198.51.100.{number + 1}"
        answers.append(browser.post(link, data={"code": guess, "new": FRESH, "again": FRESH}))
    assert {answer.status_code for answer in answers} == {422}
    assert ["Too many wrong codes." in answer.text for answer in answers] == [False] * 4 + [True] * 2
    # the count outlives the refusals and a new link of whoever guesses
    link = link_of(admin, found)
    assert joins(http, link, code=code) == 422 and invitation().countersign_failures == 5
    refusals = session().scalars(sa.select(AuditEvent).where(AuditEvent.action == "staff.joining_code_refused")).all()
    assert len(refusals) == 8 and {event.object_id for event in refusals} == {found.id}
    assert {event.actor_kind for event in refusals} == {"system"} and "198.51.100.3" in {e.address for e in refusals}
    later = clock.now() + timedelta(minutes=16)
    with monkeypatch.context() as after:
        after.setattr(clock, "now", lambda: later)
        assert joins(http, link, code="abcdefghjk") == 422
        pause = invitation().countersign_locked_until
        assert pause is not None and pause - later == timedelta(minutes=30)
    # a new code of the second person begins anew; the one before is over
    fresh_code = code_of(other, found)
    assert joins(http, link, code=code) == 422
    assert joins(http, link, code=fresh_code) == 303
    assert [row.state for row in [asked("staff.invite")]] == ["approved"]
    # over: nothing is to be had any more
    assert other.post(f"{path}/code").status_code == 303 and "has accepted this invitation" in other.get(path).text


def test_an_invitation_ends_in_every_way_it_should(
    app: Flask, signed_in: SignIn, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, senior = signed_in(Role.ADMIN), signed_in(Role.SENIOR_OFFICER)
    http = app.test_client()
    # a newer link ends the one before
    first = invited(admin, senior)
    old, new = link_of(admin, first), link_of(admin, first)
    assert (http.get(old).status_code, http.get(new).status_code) == (404, 200)
    # a newer invitation of the same address ends the one before
    second = invited(admin, senior, email="MARI.ilves@test.example", role="treasurer")
    assert http.get(new).status_code == 404 and joins(http, new) == 404
    session().refresh(first)
    assert first.ended_because == "replaced"
    # after 72 hours, to the second
    link = link_of(admin, second)
    until = invitation().link_expires_at
    assert until is not None and abs(until - clock.now() - timedelta(hours=72)) < timedelta(minutes=1)
    with monkeypatch.context() as later:
        later.setattr(clock, "now", lambda: until)
        assert http.get(link).status_code == 404 and joins(http, link) == 404
    # withdrawn, with a reason
    assert http.get(link).status_code == 200
    path = f"/staff/invitations/{second.id}/withdraw"
    assert admin.post(path, data={"reason": " "}).status_code == 422
    assert admin.post(path, data={"reason": "took another post"}).status_code == 303
    assert http.get(link).status_code == 404 and joins(http, link) == 404
    assert admin.post(path, data={"reason": "again"}).status_code == 409
    assert admin.post(f"/staff/invitations/{second.id}/link").status_code == 303
    assert invitation().ended_because == "withdrawn"
    assert session().scalar(sa.select(sa.func.count()).where(StaffMember.name == "Mari Ilves")) == 0


def test_an_invitation_of_somebody_who_was_disabled_or_lost_the_role_is_worth_nothing(
    app: Flask, signed_in: SignIn, people: People
) -> None:
    admin, other, senior = signed_in(Role.ADMIN), signed_in(Role.ADMIN, "Other Admin"), signed_in(Role.SENIOR_OFFICER)
    http = app.test_client()
    link = link_of(admin, invited(admin, senior))
    assert admin.post("/staff/invitations/new", data=INVITED | {"email": "two@test.example"}).status_code == 303
    waiting = asked("staff.invite")
    gone = people.member(Role.ADMIN)
    assert other.post(f"/staff/{gone.id}/disable", data={"reason": "left the house"}).status_code == 303
    assert http.get(link).status_code == 404 and joins(http, link) == 404
    assert invitation().ended_because == "inviterGone"
    session().refresh(waiting)
    assert (waiting.state, waiting.decision_reason) == ("stale", "Admin, who asked, may no longer do so.")
    # at the command line too, which knows nothing of invitations
    link = link_of(other, invited(other, senior, email="three@test.example"))
    third = people.member(Role.ADMIN, "Third Admin")
    assert third and http.get(link).status_code == 200
    result = app.test_cli_runner().invoke(
        args=["staff", "disable", "--email", people.member(Role.ADMIN, "Other Admin").email]
    )
    assert result.exit_code == 0
    assert http.get(link).status_code == 404 and joins(http, link) == 404


def test_a_joining_code_does_not_outlive_who_made_it(app: Flask, signed_in: SignIn, people: People) -> None:
    admin, senior, http = signed_in(Role.ADMIN), signed_in(Role.SENIOR_OFFICER), app.test_client()
    people.member(Role.SENIOR_OFFICER, "Rein Kask")
    found = invited(admin, senior)
    link, code = link_of(admin, found), code_of(senior, found)
    assert http.get(link).status_code == 200
    gone = people.member(Role.SENIOR_OFFICER)
    assert admin.post(f"/staff/{gone.id}/disable", data={"reason": "left the house"}).status_code == 303
    assert http.get(link).status_code == 404 and joins(http, link, code=code) == 404


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"email": "no address"}, "This is no e-mail address."),
        ({"email": "officer@test.example"}, "There is a staff member with this address already."),
        ({"name": "  "}, "Type the name."),
        ({"role": "root"}, "Not a valid choice"),
        ({"role": ""}, "Choose a role."),
        ({"reason": "  "}, "Say why."),
    ],
)
def test_an_invitation_that_will_not_do_says_why_and_asks_nobody(
    signed_in: SignIn, people: People, other: dict[str, str], words: str
) -> None:
    people.member(Role.OFFICER)
    answer = signed_in(Role.ADMIN).post("/staff/invitations/new", data=INVITED | other)
    assert answer.status_code in (409, 422) and words in answer.text
    assert session().scalar(sa.select(sa.func.count()).select_from(ApprovalRequest)) == 0


def test_an_address_is_asked_for_once_at_a_time_and_goes_stale_when_it_is_taken(
    app: Flask, signed_in: SignIn, people: People
) -> None:
    admin, senior = signed_in(Role.ADMIN), signed_in(Role.SENIOR_OFFICER)
    admin.post("/staff/invitations/new", data=INVITED)
    again = signed_in(Role.ADMIN, "Other Admin").post("/staff/invitations/new", data=INVITED | {"role": "admin"})
    assert again.status_code == 409 and "waits for a decision already" in again.text
    made = app.test_cli_runner().invoke(
        args=["staff", "create", "--email", INVITED["email"], "--role", "auditor", "--password", FRESH]
    )
    assert made.exit_code == 0
    assert approve(senior, "staff.invite").state == "stale"
    assert session().scalar(sa.select(sa.func.count()).select_from(StaffInvitation)) == 0


def test_the_link_is_e_mailed_where_a_mail_server_is_set_up(
    app: Flask, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[notifier.Message] = []

    class Post:
        def send(self, message: notifier.Message) -> None:
            sent.append(message)

    class Broken:
        def send(self, message: notifier.Message) -> None:
            raise notifier.DeliveryFailed("no")

    known = app.extensions["countinghouse.settings"]
    server = MailServer(host="mail.test.example", port=25, security=MailSecurity.STARTTLS, user=None, password=None)
    # without its own address the house sends no link: what a browser calls it could lead the invited person elsewhere
    monkeypatch.setitem(app.extensions, "countinghouse.settings", replace(known, mail_server=server))
    admin, other = signed_in(Role.ADMIN), signed_in(Role.ADMIN, "Other Admin")
    found = invited(admin, other)
    link = f"/staff/invitations/{found.id}/link"
    with notifier.instead(Post()):
        assert link_in(admin.post(link).text) and not sent
    public = replace(known, mail_server=server, public_url="https://office.bank.example")
    monkeypatch.setitem(app.extensions, "countinghouse.settings", public)
    with notifier.instead(Post()):
        # e-mailed, it is seen by nobody here, so who approved may make it too; and a forged address changes nothing
        kept = other.get_cookie(app.config["SESSION_COOKIE_NAME"])
        assert kept is not None
        forged = {"Host": "evil.example", "Cookie": f"{kept.key}={kept.value}"}
        assert app.test_client(use_cookies=False).post(link, headers=forged).status_code == 303
        assert "office.bank.example" in sent.pop().text
        made = other.post(link)
        page = other.get(f"/staff/invitations/{found.id}").text
    mailed = re.findall(r"https://office\.bank\.example(/sign-in/invitation/[\w-]+)\n", sent[0].text)[0]
    assert sent[0].to == INVITED["email"] and "evil" not in sent[0].text
    assert "e-mailed to Mari.Ilves@test.example" in page and "/sign-in/invitation/" not in made.text + page
    assert "by e-mail alone" in page and "Make the joining code" not in page and invitation().link_mailed
    # it was never shown, and asks for no code; that cannot be said of it afterwards, nor of one that was shown
    assert 'name="code"' not in app.test_client().get(mailed).text
    assert refused("UPDATE staff_invitation SET link_mailed = false") == "staff_invitation_link_stays_shown"
    with notifier.instead(Broken()):
        page = admin.post(link).text
        # the one that was to go is not the one that is shown
        assert "could not be e-mailed" in page and link_in(
            page.replace("https://office.bank.example", "http://localhost")
        )
        assert 'name="code"' in app.test_client().get(re.findall(r"/sign-in/invitation/[\w-]+", page)[0]).text
        assert other.post(link).status_code == 303
        assert "could not be e-mailed. You approved" in other.get(f"/staff/invitations/{found.id}").text
    with notifier.instead(Post()):
        admin.post(link)
    mailed = re.findall(r"(/sign-in/invitation/[\w-]+)\n", sent[-1].text)[0]
    assert joins(app.test_client(), mailed) == 303


def test_a_role_changes_by_two_people_and_all_sessions_of_the_member_end(signed_in: SignIn, people: People) -> None:
    admin, senior, desk = signed_in(Role.ADMIN), signed_in(Role.SENIOR_OFFICER), signed_in(Role.TREASURER)
    member = people.member(Role.TREASURER)
    path = f"/staff/{member.id}/role"
    assert "Who can decide" in admin.get(path).text
    forged = {
        "role": "senior-treasurer",
        "reason": "promoted",
        "id": str(people.member(Role.ADMIN).id),
        "state": "approved",
    }
    assert admin.post(path, data=forged).status_code == 303
    request = asked("staff.changeRole")
    assert (request.object_id, request.state, fresh(member).role) == (member.id, "requested", "treasurer")
    assert (request.before, request.after) == ({"Role": "Treasurer"}, {"Role": "Senior treasurer"})
    assert "Change the role of Treasurer" in admin.get(f"/staff/{member.id}").text
    assert admin.post(path, data=forged).status_code == 409
    assert desk.get("/").status_code == 200
    approve(senior, "staff.changeRole")
    assert fresh(member).role == "senior-treasurer"
    assert desk.get("/").status_code == 303
    page = admin.get(f"/staff/{member.id}").text
    assert "Role changed" in page and "promoted" in page and "Senior treasurer" in page
    assert actions(member.id)[-1] == "staff.role_changed"
    # the same decision is used once
    assert senior.post(f"/approvals/{request.id}/approve").status_code == 303
    assert admin.post(path, data={"role": "senior-treasurer", "reason": "x"}).status_code == 422
    assert admin.post(path, data={"role": "root", "reason": "x"}).status_code == 422


def test_a_request_goes_stale_when_the_member_changed_meanwhile(signed_in: SignIn, people: People) -> None:
    admin, senior = signed_in(Role.ADMIN), signed_in(Role.SENIOR_OFFICER)
    member = people.member(Role.OFFICER)
    admin.post(f"/staff/{member.id}/role", data={"role": "admin", "reason": "helps out"})
    admin.post(f"/staff/{member.id}/disable", data={"reason": "left"})
    assert approve(senior, "staff.changeRole").state == "stale"
    assert (fresh(member).role, member.disabled_at is not None) == ("officer", True)


def test_nobody_raises_themself(signed_in: SignIn, people: People) -> None:
    admin, other = signed_in(Role.ADMIN), signed_in(Role.ADMIN, "Other Admin")
    me, senior = people.member(Role.ADMIN), people.member(Role.SENIOR_OFFICER)
    for act, data in (("role", {"role": "senior-officer", "reason": "me"}), ("disable", {"reason": "me"})):
        answer = admin.post(f"/staff/{me.id}/{act}", data=data)
        assert answer.status_code == 422 and "another administrator does it" in answer.text
    assert "Change role" not in admin.get(f"/staff/{me.id}").text
    # the member concerned is no second person, on no list and by no forged form
    other.post(f"/staff/{senior.id}/role", data={"role": "admin", "reason": "helps out"})
    request = asked("staff.changeRole")
    browser = signed_in(Role.SENIOR_OFFICER)
    assert f"/approvals/{request.id}" not in browser.get("/approvals?view=me").text
    refused = browser.post(f"/approvals/{request.id}/approve")
    assert refused.status_code == 403 and "This is about you; another person decides." in refused.text
    assert browser.post(f"/approvals/{request.id}/reject", data={"reason": "no"}).status_code == 403
    assert (
        "Senior Officer"
        not in re.findall(r"Who can decide</dt><dd>(.*?)</dd>", admin.get(f"/approvals/{request.id}").text)[0]
    )
    assert fresh(senior).role == "senior-officer" and asked("staff.changeRole").state == "requested"
    approve(admin, "staff.changeRole")
    assert fresh(senior).role == "admin"


def test_one_person_disables_at_once_and_two_let_in_again(
    app: Flask, signed_in: SignIn, people: People, machine: Callable[..., Machine]
) -> None:
    admin, senior, desk = signed_in(Role.ADMIN), signed_in(Role.SENIOR_OFFICER), signed_in(Role.TREASURER)
    member = people.member(Role.TREASURER)
    teller = machine(Audience.SYSTEM, name="payout service", owner_id=member.id)
    assert teller.call("GET", "/internal/Clients").status_code not in (401, 403)
    dialog = admin.get(f"/staff/{member.id}/disable", headers={"HX-Request": "true"}).text
    assert "payout service" in dialog and "1 token" in dialog
    path = f"/staff/{member.id}/disable"
    assert admin.post(path, data={"reason": ""}).status_code == 422
    assert fresh(member).disabled_at is None
    assert admin.post(path, data={"reason": "left the house"}).status_code == 303
    assert desk.get("/").status_code == 303
    assert teller.call("GET", "/internal/Clients").status_code == 401
    assert admin.post(path, data={"reason": "again"}).status_code == 409
    page = admin.get(f"/staff/{member.id}").text
    assert "left the house" in page and "Let in again…" in page
    payload = session().scalars(
        sa.select(AuditPayload).join(AuditEvent, AuditEvent.id == AuditPayload.event_id)
        .where(AuditEvent.action == "staff.disabled")
    ).one()  # fmt: skip
    assert payload.after == {"sessions_ended": 1, "tokens_revoked": [str(teller.token_id)]}
    assert admin.post(f"/staff/{member.id}/role", data={"role": "admin", "reason": "x"}).status_code == 422
    assert admin.post(f"/staff/{member.id}/enable", data={"reason": "came back"}).status_code == 303
    request = asked("staff.enable")
    assert admin.post(f"/approvals/{request.id}/approve").status_code == 403
    assert fresh(member).disabled_at is not None
    approve(senior, "staff.enable")
    assert fresh(member).disabled_at is None
    # what ended stays ended
    assert desk.get("/").status_code == 303
    assert session().get(ApiToken, teller.token_id, populate_existing=True).revoked_at is not None  # type: ignore[union-attr]
    assert admin.post(f"/staff/{member.id}/enable", data={"reason": "again"}).status_code == 409


def test_the_last_active_administrator_stays(app: Flask, signed_in: SignIn, people: People) -> None:
    admin, other, senior = signed_in(Role.ADMIN), signed_in(Role.ADMIN, "Other Admin"), signed_in(Role.SENIOR_OFFICER)
    first, second = people.member(Role.ADMIN), people.member(Role.ADMIN, "Other Admin")
    admin.post(f"/staff/{second.id}/role", data={"role": "auditor", "reason": "rests"})
    waiting = asked("staff.changeRole")
    assert other.post(f"/staff/{first.id}/disable", data={"reason": "left"}).status_code == 303
    # who asked is gone, and so is the request
    session().refresh(waiting)
    assert waiting.state == "stale"
    run = app.test_cli_runner().invoke(args=["staff", "disable", "--email", second.email])
    assert run.exit_code == 1 and "last active administrator" in run.output
    assert (fresh(second).disabled_at, second.role) == (None, "admin")
    # an officer who became administrator meanwhile may ask, and the last but one may go
    third = people.member(Role.ADMIN, "Third Admin")
    assert (
        signed_in(Role.ADMIN, "Third Admin").post(f"/staff/{second.id}/disable", data={"reason": "left"}).status_code
        == 303
    )
    assert senior.get(f"/staff/{third.id}").status_code == 200


ROUTES = ("/staff", "/staff/invitations", "/staff/tokens")


def test_who_reads_and_who_manages(app: Flask, signed_in: SignIn, people: People) -> None:
    member = people.member(Role.OFFICER)
    for role in (Role.OFFICER, Role.TREASURER, Role.SENIOR_TREASURER):
        browser = signed_in(role)
        for path in (*ROUTES, f"/staff/{member.id}", "/staff/invitations/new"):
            assert browser.get(path).status_code == 403, (role, path)
        assert "/staff/tokens" not in browser.get("/staff/roles").text
    for role in (Role.AUDITOR, Role.SENIOR_OFFICER):
        browser = signed_in(role)
        for path in (*ROUTES, f"/staff/{member.id}"):
            page = browser.get(path)
            assert page.status_code == 200, (role, path)
            assert "Invite…" not in page.text and "Disable…" not in page.text and "New token" not in page.text
        for path in ("/staff/invitations/new", f"/staff/{member.id}/role", f"/staff/{member.id}/disable",
                     f"/staff/{member.id}/enable", "/staff/tokens/new"):  # fmt: skip
            assert browser.get(path).status_code == 403
            assert browser.post(path, data=INVITED | {"role": "admin"}).status_code == 403
    assert session().scalar(sa.select(sa.func.count()).select_from(ApprovalRequest)) == 0
    nobody = app.test_client()
    assert all(nobody.get(path).status_code == 303 for path in ROUTES)
    missing = "/staff/01900000-0000-7000-8000-000000000000"
    admin = signed_in(Role.ADMIN)
    assert admin.get(missing).status_code == 404
    for act in ("role", "disable", "enable"):
        assert admin.post(f"{missing}/{act}", data={"role": "admin", "reason": "x"}).status_code == 404


def test_a_list_of_members_is_narrowed_in_its_address_and_pages_by_key(
    signed_in: SignIn, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = signed_in(Role.ADMIN)
    names = [f"Person {letter}" for letter in "ABCDE"]
    for name in names:
        people.member(Role.OFFICER, name)
    gone = people.member(Role.OFFICER, "Person C")
    admin.post(f"/staff/{gone.id}/disable", data={"reason": "left"})

    def shown(query: str) -> list[str]:
        return re.findall(r'class="open" href="[^"]+">([^<]+)</a>', admin.get(f"/staff{query}").text)

    assert shown("?role=officer") == names
    assert shown("?role=officer&state=disabled") == ["Person C"]
    assert shown("?text=PERSON.D@") == ["Person D"]
    assert shown("?text=100%25") == []
    assert admin.get("/staff?state=gone").status_code == 422
    monkeypatch.setattr("dashboard.people.pages.members.DEFAULT_PAGE_SIZE", 2)
    page = admin.get("/staff?role=officer").text
    seen = []
    for _ in range(3):
        seen += re.findall(r'class="open" href="[^"]+">([^<]+)</a>', page)
        following = re.findall(r'href="([^"]+)" rel="next"', page)
        if following:
            page = admin.get(following[0].replace("&amp;", "&")).text
    assert seen == names
    before = re.findall(r'href="([^"]+)" rel="prev"', page)[0].replace("&amp;", "&")
    assert "Person D" in admin.get(before).text
