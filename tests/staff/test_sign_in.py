"""Signing in: the lock-out, the end of sessions, and that nobody is led astray."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard import clock
from dashboard.access.permissions import Role
from dashboard.audit.models import AuditEvent
from dashboard.database import session, transaction
from dashboard.staff import services
from dashboard.staff.models import SignInFailure, StaffMember, StaffSession
from dashboard.web.limits import limiter
from tests.conftest import PASSWORD, People

SignIn = Callable[..., FlaskClient]
NOBODY = "nobody@test.example"


@pytest.fixture
def member(people: People) -> StaffMember:
    return people.member(Role.OFFICER)


@pytest.fixture
def quick_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """The password check is slow on purpose and has tests of its own here; these ask for many."""
    monkeypatch.setattr(services, "_matches", lambda _hash, password: password == PASSWORD)


def attempt(http: FlaskClient, email: str, password: str = PASSWORD, **options: str) -> object:
    return http.post("/sign-in", data={"email": email, "password": password}, **options)


def passes(monkeypatch: pytest.MonkeyPatch, length: timedelta) -> None:
    moment = clock.now() + length
    monkeypatch.setattr(clock, "now", lambda: moment)


def test_the_right_password_opens_home_and_a_wrong_one_does_not(http: FlaskClient, member: StaffMember) -> None:
    refused = attempt(http, member.email, "wrong-password-1")
    assert refused.status_code == 422
    assert http.get("/").status_code == 303
    assert attempt(http, member.email.upper()).location == "/"
    assert http.get("/").status_code == 200


def test_a_refusal_never_says_whether_the_address_exists(
    http: FlaskClient, member: StaffMember, quick_check: None
) -> None:
    pages = [attempt(http, email, "wrong").text.replace(email, "ADDRESS") for email in (member.email, NOBODY)]
    tokenless = [re.sub(r'name="csrf_token"[^>]*', "", page) for page in pages]
    assert tokenless[0] == tokenless[1]
    assert "E-mail address or password is wrong." in pages[0]


def test_a_disabled_person_is_refused_like_a_wrong_password(http: FlaskClient, member: StaffMember) -> None:
    with transaction():
        member.disabled_at = clock.now()
    assert "E-mail address or password is wrong." in attempt(http, member.email).text


@pytest.mark.parametrize("known", [True, False])
def test_the_fifth_failure_locks_the_address_and_says_for_how_long(
    http: FlaskClient, member: StaffMember, quick_check: None, known: bool
) -> None:
    email = member.email if known else NOBODY
    for _ in range(4):
        assert attempt(http, email, "wrong").status_code == 422
    locked = attempt(http, email, "wrong")
    assert locked.status_code == 429
    assert "Too many tries." in locked.text
    assert re.search(r"opens again at <time[^>]*>\d\d:\d\d", re.sub(r"\s+", " ", locked.text))
    assert 0 < int(locked.headers["Retry-After"]) <= 61
    again = attempt(http, email, PASSWORD)
    assert again.status_code == 429 and "Retry-After" in again.headers


def test_each_further_failure_doubles_the_wait_up_to_a_quarter_of_an_hour(
    http: FlaskClient, member: StaffMember, quick_check: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        attempt(http, member.email, "wrong")
    waits = []
    for _ in range(6):
        answer = attempt(http, member.email, "wrong")
        waits.append(round(int(answer.headers["Retry-After"]) / 60))
        passes(monkeypatch, timedelta(seconds=int(answer.headers["Retry-After"])))
    assert waits == [1, 2, 4, 8, 15, 15]


def test_after_the_wait_the_right_password_opens_and_forgets_the_failures(
    http: FlaskClient, member: StaffMember, quick_check: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        attempt(http, member.email, "wrong")
    passes(monkeypatch, timedelta(seconds=61))
    assert attempt(http, member.email).status_code == 303
    assert session().scalar(sa.select(sa.func.count()).select_from(SignInFailure)) == 0


def test_failures_of_long_ago_do_not_count(
    http: FlaskClient, member: StaffMember, quick_check: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        attempt(http, member.email, "wrong")
    passes(monkeypatch, timedelta(hours=1, seconds=1))
    assert attempt(http, member.email, "wrong").status_code == 422


def test_one_locked_address_locks_nobody_else(
    http: FlaskClient, member: StaffMember, people: People, quick_check: None
) -> None:
    for _ in range(5):
        attempt(http, member.email, "wrong")
    assert attempt(http, people.member(Role.TREASURER).email).status_code == 303


# where to


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/\t/evil",
    ],
)
def test_signing_in_never_leads_to_another_house(
    http: FlaskClient, member: StaffMember, quick_check: None, elsewhere: str
) -> None:
    answer = http.post("/sign-in", query_string={"next": elsewhere}, data={"email": member.email, "password": PASSWORD})
    assert answer.location == "/"


def test_signing_in_leads_back_to_the_page_that_asked_for_it(
    http: FlaskClient, member: StaffMember, quick_check: None
) -> None:
    asked = http.get("/queues/activation?who=me")
    assert asked.status_code == 303
    answer = http.post(asked.location, data={"email": member.email, "password": PASSWORD})
    assert answer.location == "/queues/activation?who=me"


def test_nothing_of_the_session_before_survives_signing_in(
    http: FlaskClient, member: StaffMember, quick_check: None
) -> None:
    with http.session_transaction() as cookie:
        cookie["planted"] = "by somebody else"
        cookie["_user_id"] = "a secret that somebody else knows"
    attempt(http, member.email)
    with http.session_transaction() as cookie:
        assert "planted" not in cookie
        assert cookie["_user_id"] != "a secret that somebody else knows"
        assert cookie["_user_id"] not in session().scalars(sa.select(StaffSession.secret_hash)).all()


# the end of a session


@pytest.mark.parametrize(
    ("column", "length"), [("seen_at", timedelta(minutes=31)), ("created_at", timedelta(hours=12, seconds=1))]
)
def test_a_session_ends_by_idleness_and_by_age(signed_in: SignIn, column: str, length: timedelta) -> None:
    browser = signed_in(Role.OFFICER)
    with transaction():
        session().execute(sa.update(StaffSession).values({column: clock.now() - length}))
    assert browser.get("/").location.startswith("/sign-in")
    assert "Your session has ended." in browser.get("/sign-in").text


def test_a_session_just_within_its_time_still_counts(signed_in: SignIn) -> None:
    browser = signed_in(Role.OFFICER)
    with transaction():
        session().execute(
            sa.update(StaffSession).values(
                seen_at=clock.now() - timedelta(minutes=29), created_at=clock.now() - timedelta(hours=11)
            )
        )
    assert browser.get("/").status_code == 200


def test_a_part_of_a_page_that_comes_too_late_says_so_and_leaves_the_page_alone(signed_in: SignIn) -> None:
    browser = signed_in(Role.OFFICER)
    with transaction():
        session().execute(sa.update(StaffSession).values(ended_at=clock.now()))
    headers = {"HX-Request": "true", "HX-Current-URL": "http://localhost/clients?status=blocked"}
    for _ in range(2):
        answer = browser.get("/figures", headers=headers)
        assert answer.status_code == 401 and "HX-Redirect" not in answer.headers
        assert (
            "Your session has ended.</b> Nothing was changed" in answer.text
            and 'class="banner is-stop problem"' in answer.text
        )
        assert 'href="/sign-in?next=/clients?status%3Dblocked"' in answer.text
    foreign = browser.get("/figures", headers=headers | {"HX-Current-URL": "https://elsewhere.example/x"})
    assert 'href="/sign-in"' in foreign.text


def test_what_a_page_asks_by_itself_leaves_the_sign_in_form_of_another_tab_usable(signed_in: SignIn) -> None:
    browser = signed_in(Role.OFFICER)
    with transaction():
        session().execute(sa.update(StaffSession).values(ended_at=clock.now()))
    browser.get("/sign-in")
    with browser.session_transaction() as cookie:
        before = dict(cookie)
    answer = browser.get("/clients", headers={"X-Refresh": "1"})
    assert answer.status_code == 401 and "Set-Cookie" not in answer.headers
    with browser.session_transaction() as cookie:
        assert dict(cookie) == before


def test_what_is_sent_too_late_is_told_as_not_done_and_leads_back_to_its_page(signed_in: SignIn) -> None:
    browser = signed_in(Role.OFFICER)
    with transaction():
        session().execute(sa.update(StaffSession).values(ended_at=clock.now()))
    answer = browser.post("/queues/next", headers={"Referer": "http://localhost/queues/activation?who=me"})
    assert (answer.status_code, answer.location) == (303, "/sign-in?next=/queues/activation?who%3Dme")
    assert "Your session has ended. Nothing was changed. Sign in again." in browser.get(answer.location).text


def test_signing_out_ends_the_session_on_the_server_too(signed_in: SignIn) -> None:
    browser = signed_in(Role.OFFICER)
    with browser.session_transaction() as cookie:
        stolen = cookie["_user_id"]
    browser.post("/sign-out")
    with browser.session_transaction() as cookie:
        cookie["_user_id"] = stolen
    assert browser.get("/").status_code == 303


def test_signing_out_everywhere_ends_every_session_of_the_person_and_nobody_elses(signed_in: SignIn) -> None:
    desk, phone, other = signed_in(Role.OFFICER), signed_in(Role.OFFICER), signed_in(Role.TREASURER)
    desk.post("/staff/me/sign-out-everywhere")
    assert [browser.get("/").status_code for browser in (desk, phone, other)] == [303, 303, 200]
    assert "staff.signed_out_everywhere" in session().scalars(sa.select(AuditEvent.action)).all()


# forged requests


@pytest.fixture
def guarded(app: Flask) -> Iterator[Flask]:
    """The application with its protection against forged requests, as it runs."""
    app.config["WTF_CSRF_ENABLED"] = True
    yield app
    app.config["WTF_CSRF_ENABLED"] = False


@pytest.mark.parametrize(
    "path", ["/sign-out", "/staff/me/password", "/staff/me/theme", "/staff/me/keys", "/queues/next", "/sign-in"]
)
def test_a_post_without_the_token_of_the_page_is_refused_in_our_house(
    guarded: Flask, signed_in: SignIn, path: str
) -> None:
    answer = signed_in(Role.OFFICER).post(path, data={"theme": "dark"})
    assert answer.status_code == 400
    assert "This form is no longer valid." in answer.text and "Nothing was changed." in answer.text
    assert session().scalars(sa.select(StaffMember.theme)).all() == ["system"]


def test_htmx_sends_the_token_in_a_header(guarded: Flask, signed_in: SignIn) -> None:
    browser = signed_in(Role.OFFICER)
    page = browser.get("/").text
    found = re.search(r'"X-CSRFToken": "([^"]+)"', page)
    assert found is not None
    headers = {"HX-Request": "true"}
    assert browser.post("/queues/next", headers=headers).status_code == 400
    assert browser.post("/queues/next", headers={**headers, "X-CSRFToken": found.group(1)}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/staff/me", "/staff/roles", "/approvals", "/queues/activation"])
def test_every_form_that_posts_carries_the_token(guarded: Flask, signed_in: SignIn, path: str) -> None:
    page = signed_in(Role.OFFICER).get(path).text
    forms = re.findall(r'<form[^>]*method="post".*?</form>', page, re.S)
    assert forms
    assert all('name="csrf_token"' in form for form in forms)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits count from the moment the application is made: ask for this fixture before `committed`."""
    monkeypatch.setattr(limiter, "enabled", True)


def test_one_address_cannot_try_names_without_end(counting: None, committed: Flask) -> None:
    http = committed.test_client()
    answers = [http.post("/sign-in", data={}) for _ in range(61)]
    assert {answer.status_code for answer in answers[:59]} == {422}
    assert answers[60].status_code == 429
    assert "Too many tries." in answers[60].text
    assert int(answers[60].headers["Retry-After"]) <= 60
