"""One's own settings, the roles page, and what an operator does at the command line."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard.access.permissions import EXPLAINED, ROLES, Role
from dashboard.audit.models import AuditEvent
from dashboard.database import session
from dashboard.staff import browsers, services, tries
from dashboard.staff.models import SignInFailure, StaffMember, StaffSession
from tests.conftest import PASSWORD, People

SignIn = Callable[..., FlaskClient]
FRESH = "another-long-password"


def member_now(people: People, role: Role = Role.OFFICER) -> StaffMember:
    member = people.member(role)
    session().refresh(member)
    return member


def test_the_password_changes_and_all_other_sessions_end(signed_in: SignIn, people: People) -> None:
    desk, phone = signed_in(Role.OFFICER), signed_in(Role.OFFICER)
    answer = desk.post("/staff/me/password", data={"current": PASSWORD, "new": FRESH, "again": FRESH})
    assert answer.status_code == 303
    assert (desk.get("/").status_code, phone.get("/").status_code) == (200, 303)
    assert services._matches(member_now(people).password_hash, FRESH)


@pytest.mark.parametrize(
    ("current", "new", "again", "words"),
    [
        ("wrong-password", FRESH, FRESH, "This is not your current password."),
        (PASSWORD, "short", "short", "Use at least 12 characters."),
        (PASSWORD, FRESH, FRESH + "x", "The two do not agree."),
        (PASSWORD, PASSWORD, PASSWORD, "This is the password you have already."),
        (PASSWORD, "aaaaaaaaaaaaaa", "aaaaaaaaaaaaaa", "This is too easy to guess."),
    ],
)
def test_a_password_that_will_not_do_is_said_beside_its_field(
    signed_in: SignIn, people: People, current: str, new: str, again: str, words: str
) -> None:
    answer = signed_in(Role.OFFICER).post("/staff/me/password", data={"current": current, "new": new, "again": again})
    assert answer.status_code == 422
    assert words in answer.text and 'aria-invalid="true"' in answer.text
    assert new not in re.findall(r'value="([^"]*)"', answer.text)
    assert services._matches(member_now(people).password_hash, PASSWORD)


def test_password_managers_know_which_field_is_which(signed_in: SignIn, people: People) -> None:
    page = signed_in(Role.OFFICER).get("/staff/me").text
    assert page.count('autocomplete="new-password"') == 2
    assert page.count('autocomplete="current-password"') == 1
    assert f'autocomplete="username" value="{people.member(Role.OFFICER).email}"' in page


def test_the_theme_is_kept_and_rendered_by_the_server(signed_in: SignIn) -> None:
    browser = signed_in(Role.OFFICER)
    answer = browser.post("/staff/me/theme", data={"theme": "dark", "next": "/approvals?view=open"})
    assert answer.location == "/approvals?view=open"
    assert 'data-bs-theme="dark"' in browser.get("/").text


@pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example"])
def test_choosing_a_theme_never_leads_to_another_house(signed_in: SignIn, elsewhere: str) -> None:
    answer = signed_in(Role.OFFICER).post("/staff/me/theme", data={"theme": "dark", "next": elsewhere})
    assert answer.location == "/"


def test_a_theme_that_does_not_exist_changes_nothing(signed_in: SignIn, people: People) -> None:
    assert signed_in(Role.OFFICER).post("/staff/me/theme", data={"theme": "pink"}).status_code == 422
    assert member_now(people).theme == "system"


def test_letter_keys_are_switched_off_and_on(signed_in: SignIn) -> None:
    browser = signed_in(Role.OFFICER)
    browser.post("/staff/me/keys", data={"keys": "off"})
    assert 'data-keys="off"' in browser.get("/").text
    browser.post("/staff/me/keys", data={"keys": "on"})
    assert 'data-keys="off"' not in browser.get("/").text


def test_the_list_of_sessions_marks_the_one_in_use_first(signed_in: SignIn) -> None:
    browser = signed_in(Role.OFFICER)
    signed_in(Role.OFFICER)
    page = browser.get("/staff/me").text
    table = page[page.index("Where you are signed in") : page.index("Screen and keys")]
    rows = re.findall(r"<tr>.*?</tr>", table, re.S)
    assert ["This one" in row for row in rows[1:]] == [True, False]


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36", "Chrome on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 19 like Mac OS X) Version/19.0 Safari/604.1", "Safari on iPhone"),
        ("curl/8.5", "curl/8.5"),
        (None, None),
    ],
)
def test_a_browser_is_named_in_words(agent: str | None, words: str | None) -> None:
    assert browsers.in_words(agent) == words


def test_the_roles_page_shows_every_permission_and_who_has_it(signed_in: SignIn) -> None:
    page = signed_in(Role.ADMIN).get("/staff/roles").text
    for line in EXPLAINED.values():
        assert line.label in page
    granted = sum(len(row.permissions) for row in ROLES.values())
    assert page.count('class="yes"') == granted


def test_the_sign_in_page_says_truly_who_can_help(http: FlaskClient) -> None:
    assert "staff set-password" in http.get("/sign-in").text


# the command line


def run(app: Flask, *arguments: str) -> tuple[int, str]:
    result = app.test_cli_runner().invoke(args=["staff", *arguments])
    return result.exit_code, result.output


def test_the_operator_sets_a_new_password_and_every_session_of_the_person_ends(
    app: Flask, signed_in: SignIn, people: People
) -> None:
    desk, other = signed_in(Role.OFFICER), signed_in(Role.TREASURER)
    member = people.member(Role.OFFICER)
    for _ in range(5):
        tries.begin(member.email, network="198.51.100.7")
    code, said = run(app, "set-password", "--email", member.email.upper(), "--password", FRESH)
    assert (code, said) == (0, f"{member.email} has a new password and is signed out everywhere.\n")
    assert (desk.get("/").status_code, other.get("/").status_code) == (303, 200)
    assert services._matches(member_now(people).password_hash, FRESH)
    assert session().scalar(sa.select(sa.func.count()).select_from(SignInFailure)) == 0
    event = session().scalars(sa.select(AuditEvent).where(AuditEvent.action == "staff.password_set")).one()
    assert (event.object_id, event.actor_name) == (member.id, "command line")


@pytest.mark.parametrize(
    ("email", "password", "words"),
    [("nobody@test.example", FRESH, "There is no staff member"), ("officer@test.example", "short", "at least 12")],
)
def test_a_password_that_cannot_be_set_says_why(
    app: Flask, people: People, email: str, password: str, words: str
) -> None:
    people.member(Role.OFFICER)
    code, said = run(app, "set-password", "--email", email, "--password", password)
    assert code == 1 and words in said


def test_a_disabled_person_is_signed_out_and_cannot_come_back(
    app: Flask, signed_in: SignIn, people: People, http: FlaskClient
) -> None:
    desk = signed_in(Role.OFFICER)
    email = people.member(Role.OFFICER).email
    assert run(app, "disable", "--email", email) == (0, f"{email} can no longer sign in.\n")
    assert desk.get("/").status_code == 303
    assert http.post("/sign-in", data={"email": email, "password": PASSWORD}).status_code == 422
    assert session().scalar(sa.select(sa.func.count()).where(StaffSession.ended_at.is_(None))) == 0
    assert run(app, "disable", "--email", email)[0] == 1
    assert "staff.disabled" in session().scalars(sa.select(AuditEvent.action)).all()


def test_a_staff_member_is_made_with_a_role_and_an_address_only_once(app: Flask) -> None:
    arguments = ("create", "--email", "a.b@test.example", "--role", "auditor", "--password", FRESH)
    assert run(app, *arguments) == (0, "a.b@test.example is auditor now.\n")
    code, said = run(app, *arguments)
    assert code == 1 and "already" in said
