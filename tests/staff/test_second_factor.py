"""The second factor: an authenticator app, recovery codes, the second step of signing in, and who must have one."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pyotp
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard import clock, settings
from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.audit.models import AuditEvent
from dashboard.database import constraint_of, db, new_id, savepoint, session, transaction
from dashboard.settings import SettingsError
from dashboard.staff import codes, half_sign_ins, pauses, queries, required, sealing, second_factor, services
from dashboard.staff.models import (
    HalfSignIn,
    RecoveryCode,
    SecondFactor,
    SecondFactorFailure,
    StaffMember,
    StaffSession,
)
from tests.conftest import PASSWORD, People

SignIn = Callable[..., FlaskClient]
WRONG = "000000"


class Hands:
    """A clock that the tests move, and the phone whose app shows codes by it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # the middle of a step, so that nothing depends on when the tests run
        self.moment = datetime.fromtimestamp(codes.step_of(clock.now()) * codes.STEP_SECONDS + 15, tz=clock.UTC)
        monkeypatch.setattr(clock, "now", lambda: self.moment)

    def pass_by(self, **length: float) -> None:
        self.moment += timedelta(**length)

    def code(self, secret: str, steps: int = 0) -> str:
        return pyotp.TOTP(secret).generate_otp(codes.step_of(self.moment) + steps)

    def wrong(self, secret: str) -> str:
        """Six digits that are no code of this minute."""
        near = {self.code(secret, steps) for steps in range(-2, 3)}
        return next(text for text in (f"{number:06}" for number in range(10)) if text not in near)


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    return Hands(monkeypatch)


@pytest.fixture
def quick_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """The password check is slow on purpose and has tests of its own."""
    monkeypatch.setattr(services, "_matches", lambda _hash, password: password == PASSWORD)


def enrolled(member: StaffMember, hands: Hands) -> tuple[str, list[str]]:
    """Give the person a second factor without the pages: its secret and the recovery codes."""
    by = services.actor_of(member)
    with transaction():
        begun = second_factor.begin(session_id=(begun_in := new_id()), by=by)
    with transaction():
        made = second_factor.confirm(hands.code(begun.secret), session_id=begun_in, by=by)
    hands.pass_by(seconds=30)
    return begun.secret, made


def by_password(http: FlaskClient, member: StaffMember, **options: Any) -> Any:
    return http.post("/sign-in", data={"email": member.email, "password": PASSWORD}, **options)


def by_code(http: FlaskClient, code: str, path: str = "/sign-in/code") -> Any:
    return http.post(path, data={"code": code})


def actions() -> list[str]:
    """What was done; that the home page was looked at is left out."""
    query = sa.select(AuditEvent.action).where(AuditEvent.action != "work.listed").order_by(AuditEvent.id)
    return list(session().scalars(query))


@pytest.fixture
def member(people: People) -> StaffMember:
    return people.member(Role.OFFICER)


# setting it up


def test_an_app_is_set_up_by_its_first_code_and_asked_for_at_the_next_sign_in(
    app: Flask, signed_in: SignIn, member: StaffMember, hands: Hands, quick_check: None
) -> None:
    desk, other = signed_in(Role.OFFICER), signed_in(Role.OFFICER)
    assert "Set up…" in desk.get("/staff/me").text
    assert desk.post("/staff/me/second-factor").location == "/staff/me/second-factor"
    answer = desk.get("/staff/me/second-factor")
    assert (
        'src="data:image/svg+xml' in answer.text and "img-src 'self' data:" in answer.headers["Content-Security-Policy"]
    )
    assert answer.headers["Cache-Control"] == "no-store"
    shown = re.search(r'class="secret mono">([A-Z2-7 ]+)<', answer.text)
    assert shown is not None
    secret = shown.group(1).replace(" ", "")
    assert len(secret) == 32
    stored = session().scalars(sa.select(SecondFactor)).one()
    assert stored.sealed_secret is not None and secret not in stored.sealed_secret
    # begun is not yet on: a sign-in asks for no code
    assert by_password(app.test_client(), member).location == "/"
    refused = desk.post("/staff/me/second-factor/confirm", data={"code": hands.wrong(secret)})
    assert refused.status_code == 422 and "not the code that the app shows" in refused.text
    assert not second_factor.is_on(member.id)
    for odd in ("", "١٢٣٤٥٦", "12\x0056", "é" * 6):
        assert desk.post("/staff/me/second-factor/confirm", data={"code": odd}).status_code == 422
    done = desk.post(
        "/staff/me/second-factor/confirm", data={"code": f"{hands.code(secret)[:3]} {hands.code(secret)[3:]}"}
    )
    assert done.status_code == 200
    made = re.findall(r"<li>([a-z2-7]{4}(?:-[a-z2-7]{4}){3})</li>", done.text)
    assert len(set(made)) == 10 and queries.with_second_factor([member.id, new_id()]) == {member.id}
    hashes = session().scalars(sa.select(RecoveryCode.code_hash)).all()
    assert not {made[0], made[0].replace("-", "")} & set(hashes)
    assert (desk.get("/").status_code, other.get("/").status_code) == (200, 303)
    # the code that set it up counts no second time, neither here nor at sign-in
    assert desk.post("/staff/me/second-factor/confirm", data={"code": hands.code(secret)}).status_code == 303
    http = app.test_client()
    assert by_password(http, member).location == "/sign-in/code"
    assert by_code(http, hands.code(secret)).status_code == 422
    hands.pass_by(seconds=30)
    assert by_code(http, hands.code(secret)).location == "/"
    page = desk.get("/staff/me").text
    assert "10 of 10 left" in page and made[0] not in page
    assert {"staff.second_factor_begun", "staff.second_factor_confirmed"} <= set(actions())


def test_a_secret_that_waited_too_long_is_forgotten(signed_in: SignIn, member: StaffMember, hands: Hands) -> None:
    with transaction():
        secret = second_factor.begin(session_id=new_id(), by=services.actor_of(member)).secret
    hands.pass_by(hours=1, seconds=1)
    desk = signed_in(Role.OFFICER)
    answer = desk.post("/staff/me/second-factor/confirm", data={"code": hands.code(secret)})
    assert answer.status_code == 303 and not second_factor.is_on(member.id)
    assert "Begin" in desk.get("/staff/me/second-factor").text


def test_a_new_device_takes_the_place_of_the_old_one_with_its_first_code(
    http: FlaskClient, member: StaffMember, hands: Hands, quick_check: None
) -> None:
    old, old_recovery = enrolled(member, hands)
    by = services.actor_of(member)
    with transaction():
        fresh = second_factor.begin(session_id=(begun_in := new_id()), by=by).secret
    by_password(http, member)
    assert by_code(http, hands.code(fresh)).status_code == 422
    with transaction():
        second_factor.confirm(hands.code(fresh), session_id=begun_in, by=by)
    hands.pass_by(seconds=30)
    by_password(http, member)
    assert by_code(http, hands.code(old)).status_code == 422
    assert by_code(http, old_recovery[0]).status_code == 422
    assert by_code(http, hands.code(fresh)).status_code == 303
    ended = session().scalars(sa.select(SecondFactor).where(SecondFactor.ended_at.is_not(None))).one()
    assert (ended.ended_how, ended.sealed_secret) == ("replaced", None)


def test_turning_it_off_needs_a_step_up_and_is_told(
    signed_in: SignIn, member: StaffMember, hands: Hands, http: FlaskClient, quick_check: None
) -> None:
    secret, _ = enrolled(member, hands)
    desk = signed_in(Role.OFFICER)
    hands.pass_by(minutes=15)
    asked = desk.post("/staff/me/second-factor/off", headers={"Referer": "http://localhost/staff/me/second-factor"})
    assert asked.location == "/sign-in/again?next=/staff/me/second-factor"
    assert second_factor.is_on(member.id)
    # with a second factor a password is not enough here
    assert desk.post(asked.location, data={"password": PASSWORD}).status_code == 422
    assert by_code(desk, hands.code(secret), asked.location).location == "/staff/me/second-factor"
    assert "Turn off" in desk.get("/staff/me/second-factor").text
    assert desk.post("/staff/me/second-factor/off").status_code == 303
    assert not second_factor.is_on(member.id) and "staff.second_factor_off" in actions()
    assert by_password(http, member).location == "/"
    assert desk.post("/staff/me/second-factor/off").status_code == 409
    assert desk.post("/staff/me/recovery-codes").status_code == 409


# codes


def test_codes_one_step_off_are_taken_and_none_further_off(hands: Hands) -> None:
    secret = codes.new_secret()
    step = codes.step_of(hands.moment)

    def taken(steps: int, after: int | None = None) -> int | None:
        return codes.matching_step(secret, hands.code(secret, steps), hands.moment, after=after)

    assert [taken(steps) for steps in (-2, -1, 0, 1, 2)] == [None, step - 1, step, step + 1, None]
    # a later one was taken: an earlier one counts no more
    assert [taken(steps, after=step) for steps in (-1, 0, 1)] == [None, None, step + 1]


def test_codes_are_those_of_rfc_6238() -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    moment = datetime.fromtimestamp(1111111109, tz=clock.UTC)
    # appendix B gives eight digits: 07081804
    assert codes.matching_step(secret, "081804", moment, after=None) == 1111111109 // 30


def test_no_code_counts_twice_not_even_at_once(committed: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    hands = Hands(monkeypatch)
    monkeypatch.setattr(services, "_matches", lambda _hash, password: password == PASSWORD)
    with transaction():
        member = services.create_member(email="kask@test.example", role=Role.OFFICER, password=PASSWORD, by=system())
    secret, recovery = enrolled(member, hands)
    for code in (hands.code(secret), recovery[0]):
        browsers = [committed.test_client() for _ in range(4)]
        for browser in browsers:
            assert by_password(browser, member).location == "/sign-in/code"
        answers: list[int] = []
        threads = [
            threading.Thread(target=lambda b=b, c=code: answers.append(by_code(b, c).status_code)) for b in browsers
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(answers) == [303, 422, 422, 422]


def test_a_recovery_code_opens_once_and_a_new_set_ends_the_old_one(
    app: Flask, signed_in: SignIn, member: StaffMember, hands: Hands, quick_check: None
) -> None:
    _secret, recovery = enrolled(member, hands)
    http = app.test_client()
    by_password(http, member)
    assert by_code(http, recovery[0].upper().replace("-", " ")).location == "/"
    assert "You signed in with a recovery code. 9 are left." in http.get("/").text
    page = http.get("/staff/me").text
    assert "9 of 10 left" in page and "One was used" in page
    assert actions()[-2:] == ["staff.recovery_code_used", "staff.signed_in"]
    again = app.test_client()
    by_password(again, member)
    assert by_code(again, recovery[0]).status_code == 422
    assert again.get("/").status_code == 303
    renewed = re.findall(r"<li>([a-z2-7-]{19})</li>", http.post("/staff/me/recovery-codes").text)
    assert len(renewed) == 10 and not set(renewed) & set(recovery)
    assert by_code(again, recovery[1]).status_code == 422
    assert by_code(again, renewed[0]).status_code == 303


def test_one_persons_codes_open_nothing_for_another(
    http: FlaskClient, people: People, member: StaffMember, hands: Hands, quick_check: None
) -> None:
    enrolled(member, hands)
    other_secret, other_recovery = enrolled(people.member(Role.TREASURER), hands)
    by_password(http, member)
    for code in (hands.code(other_secret), other_recovery[0]):
        assert by_code(http, code).status_code == 422


# guessing


def test_guessing_codes_ends_after_five_and_the_count_survives_every_refusal(
    app: Flask, http: FlaskClient, member: StaffMember, hands: Hands, quick_check: None
) -> None:
    secret, recovery = enrolled(member, hands)
    wrong = hands.wrong(secret)
    pages = []
    for number in range(pauses.FAILURES_BEFORE_PAUSE):
        # signing in anew between the tries forgets nothing of them
        browser = app.test_client()
        assert by_password(browser, member).location == "/sign-in/code"
        refused = by_code(browser, wrong)
        pages.append(refused.text)
        assert refused.status_code == 422
        db.session.rollback()
        assert session().scalars(sa.select(SecondFactorFailure.failures)).one() == number + 1
    by_password(http, member)
    right_but_locked = by_code(http, hands.code(secret))
    # the same words for wrong and for locked: nobody learns that a guess was right
    bare = {re.sub(r'name="csrf_token"[^>]*', "", page) for page in [*pages, right_but_locked.text]}
    assert len(bare) == 1 and second_factor.NOT_TAKEN in pages[0]
    assert right_but_locked.status_code == 422
    # nor does the step-up help
    assert http.get("/").status_code == 303
    refusals = session().scalars(sa.select(AuditEvent).where(AuditEvent.action == "staff.code_refused")).all()
    assert len(refusals) == 6 and {event.object_id for event in refusals} == {member.id}
    hands.pass_by(minutes=15, seconds=1)
    by_password(http, member)
    assert by_code(http, hands.code(secret)).status_code == 303
    assert session().scalar(sa.select(sa.func.count()).select_from(SecondFactorFailure)) == 0
    # printed codes are for the day on which the app is no help: its pause does not stop them, and they have their own
    for _ in range(pauses.FAILURES_BEFORE_PAUSE):
        by_password(http, member)
        assert by_code(http, wrong).status_code == 422
    assert by_code(http, recovery[0]).status_code == 303
    # a used one is none, and counts as a wrong one of its kind
    for number in range(pauses.FAILURES_BEFORE_PAUSE):
        by_password(http, member)
        assert by_code(http, recovery[0] if number else "aaaa-bbbb-cccc-dddd").status_code == 422
    assert by_code(http, recovery[1]).status_code == 422
    kinds = session().execute(sa.select(SecondFactorFailure.kind, SecondFactorFailure.failures)).all()
    assert [tuple(row) for row in kinds] == [("recovery", 5)]
    hands.pass_by(seconds=30)
    assert by_code(http, hands.code(secret)).status_code == 303
    assert refused_by("INSERT INTO second_factor_failure VALUES (:id, 0, now(), NULL, 'none')", id=member.id) == (
        "ck_second_factor_failure_kind_known"
    )


def test_the_pause_doubles_up_to_four_hours_and_time_alone_forgets_nothing(member: StaffMember, hands: Hands) -> None:
    waits = []
    for _ in range(10):
        with transaction():
            until = second_factor.begin_attempt(member.id, WRONG)
        if until is not None:
            waits.append(round((until - clock.now()).total_seconds() / 60))
            with pytest.raises(services.LockedOut):
                second_factor.begin_attempt(member.id, WRONG)
            hands.moment = until
    assert waits == [15, 30, 60, 120, 240, 240]
    hands.pass_by(days=2)
    with transaction():
        services.sweep(idle=timedelta(minutes=30), longest=timedelta(hours=12))
        assert second_factor.begin_attempt(member.id, WRONG) is not None


def test_of_many_guesses_at_once_only_the_first_few_are_looked_at(
    committed: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = Hands(monkeypatch)
    monkeypatch.setattr(services, "_matches", lambda _hash, password: password == PASSWORD)
    with transaction():
        member = services.create_member(email="saar@test.example", role=Role.OFFICER, password=PASSWORD, by=system())
    secret, recovery = enrolled(member, hands)
    looked: list[str] = []
    take = second_factor.take
    monkeypatch.setattr(second_factor, "take", lambda typed, *, by: (looked.append(typed), take(typed, by=by))[1])
    # many half sign-ins, each from an address of its own
    browsers = [committed.test_client() for _ in range(16)]
    for number, browser in enumerate(browsers):
        browser.environ_base["REMOTE_ADDR"] = f"198.51.100.{number + 1}"
        by_password(browser, member)
    guesses = [hands.wrong(secret) if number % 2 else f"aaaa-bbbb-cccc-ddd{chr(97 + number)}"
               for number in range(len(browsers))]  # fmt: skip
    threads = [threading.Thread(target=by_code, args=pair) for pair in zip(browsers, guesses, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(looked) == 2 * pauses.FAILURES_BEFORE_PAUSE
    assert {len(typed) for typed in looked} == {6, 19}
    counts = session().execute(sa.select(SecondFactorFailure.kind, SecondFactorFailure.failures)).all()
    assert sorted(tuple(row) for row in counts) == [("app", 5), ("recovery", 5)]
    # neither the right code nor a printed one helps whoever comes next, from wherever
    for code in (hands.code(secret), recovery[0]):
        assert by_code(browsers[0], code).status_code == 422


# half a sign-in


def test_half_a_sign_in_opens_no_page_and_a_whole_one_leaves_nothing_of_it(
    app: Flask, http: FlaskClient, member: StaffMember, hands: Hands, quick_check: None
) -> None:
    secret, _ = enrolled(member, hands)
    with http.session_transaction() as cookie:
        cookie["planted"] = "by somebody else"
        cookie["_user_id"] = "a secret that somebody else knows"
    answer = by_password(http, member, query_string={"next": "/approvals?view=open"})
    assert answer.location == "/sign-in/code?next=/approvals?view%3Dopen"
    with http.session_transaction() as cookie:
        half = cookie["half"]
        assert "planted" not in cookie and "_user_id" not in cookie
    assert session().scalar(sa.select(sa.func.count()).select_from(StaffSession)) == 0
    rules = [rule for rule in app.url_map.iter_rules() if "GET" in rule.methods and not rule.arguments]
    pages = [
        r.rule
        for r in rules
        if (getattr(app.view_functions[r.endpoint], "access", None) or "").__str__().startswith("staff:")
    ]
    assert len(pages) > 30
    for page in pages:
        opened = http.get(page)
        assert opened.status_code == 303 and opened.location.startswith("/sign-in?"), page
    for path in ("/sign-in/again", "/staff/me/second-factor", "/staff/me/second-factor/off", "/staff/me/password"):
        assert http.post(path, data={"code": hands.code(secret)}).location.startswith("/sign-in"), path
    # its secret is none of a session
    with app.test_client() as forged:
        with forged.session_transaction() as cookie:
            cookie["_user_id"] = half
        assert forged.get("/").status_code == 303
    by_password(http, member)
    assert by_code(http, hands.code(secret), answer.location).location == "/approvals?view=open"
    with http.session_transaction() as cookie:
        assert "half" not in cookie and cookie["_user_id"] != half
    assert http.get("/").status_code == 200
    signed = session().scalars(sa.select(AuditEvent).where(AuditEvent.action == "staff.signed_in")).one()
    assert signed.actor_id == member.id


@pytest.mark.parametrize("elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example"])
def test_the_second_step_never_leads_to_another_house(
    http: FlaskClient, member: StaffMember, hands: Hands, quick_check: None, elsewhere: str
) -> None:
    secret, _ = enrolled(member, hands)
    by_password(http, member)
    answer = http.post("/sign-in/code", query_string={"next": elsewhere}, data={"code": hands.code(secret)})
    assert answer.location == "/"
    hands.pass_by(seconds=30)
    again = http.post("/sign-in/again", query_string={"next": elsewhere}, data={"code": hands.code(secret)})
    assert again.location == "/"


def test_half_a_sign_in_ends_by_time_by_use_and_with_everything_of_the_person(
    app: Flask, member: StaffMember, hands: Hands, quick_check: None
) -> None:
    secret, _ = enrolled(member, hands)

    def half() -> FlaskClient:
        browser = app.test_client()
        by_password(browser, member)
        return browser

    late, used, ended, disabled = half(), half(), half(), half()
    stolen = app.test_client()
    with used.session_transaction() as cookie, stolen.session_transaction() as theirs:
        theirs["half"] = cookie["half"]
    assert by_code(used, hands.code(secret)).location == "/"
    hands.pass_by(seconds=30)
    assert by_code(stolen, hands.code(secret)).location == "/sign-in"
    with transaction():
        services.sign_out_everywhere(by=services.actor_of(member))
    assert by_code(ended, hands.code(secret)).location == "/sign-in"
    hands.pass_by(minutes=5)
    assert by_code(late, hands.code(secret)).location == "/sign-in"
    assert "That took too long." in late.get("/sign-in").text
    fresh = half()
    with transaction():
        member.disabled_at = clock.now()
    for browser in (fresh, disabled):
        assert by_code(browser, hands.code(secret)).location == "/sign-in"
    with transaction():
        services.sweep(idle=timedelta(minutes=30), longest=timedelta(hours=12))
    assert session().scalar(sa.select(sa.func.count()).select_from(HalfSignIn)) == 1
    assert half_sign_ins.member_of(None) is None and half_sign_ins.member_of("nothing") is None


# who must have one


@pytest.fixture
def officers_need_one(app: Flask) -> Iterator[None]:
    before = app.extensions["countinghouse.settings"]
    app.extensions["countinghouse.settings"] = replace(before, second_factor_roles=frozenset({"officer"}))
    yield
    app.extensions["countinghouse.settings"] = before


def test_a_role_that_needs_a_second_factor_sets_one_up_before_anything_else(
    signed_in: SignIn, member: StaffMember, hands: Hands, officers_need_one: None
) -> None:
    desk, treasurer = signed_in(Role.OFFICER), signed_in(Role.TREASURER)
    assert treasurer.get("/").status_code == 200
    for path in ("/", "/clients", "/staff/me", "/staff/roles", "/approvals"):
        assert desk.get(path).location == "/staff/me/second-factor", path
    for path in ("/staff/me/password", "/staff/me/theme", "/queues/next", "/staff/me/second-factor/off"):
        assert desk.post(path, data={"theme": "dark"}).location == "/staff/me/second-factor", path
    part = desk.get("/figures", headers={"HX-Request": "true"})
    assert part.headers["HX-Redirect"] == "/staff/me/second-factor"
    page = desk.get("/staff/me/second-factor").text
    assert "nothing else opens before" in page and 'href="/clients"' not in page
    # nor do other pages tell anything in their frame
    for other in ("/no-such-page", "/sign-in/again"):
        assert (
            'class="rail-list"' in (text := desk.get(other).text) and "/clients" not in text and "/queues" not in text
        )
    desk.post("/staff/me/second-factor")
    own = session().scalars(sa.select(StaffSession.id).where(StaffSession.staff_id == member.id)).one()
    waiting = second_factor.begun(member.id, session_id=own)
    assert waiting is not None
    assert desk.post("/staff/me/second-factor/confirm", data={"code": hands.code(waiting.secret)}).status_code == 200
    assert desk.get("/").status_code == 200
    refused = desk.post("/staff/me/second-factor/off")
    assert refused.status_code == 422 and second_factor.is_on(member.id)
    assert "Turn off" not in desk.get("/staff/me/second-factor").text


def test_an_unknown_role_stops_the_start(app: Flask, configured: settings.Settings) -> None:
    assert settings.load({"SECOND_FACTOR_ROLES": " admin, officer"}).second_factor_roles == {"admin", "officer"}
    with pytest.raises(SettingsError, match="SECOND_FACTOR_ROLES") as refusal:
        required.install(Flask("none"), replace(configured, second_factor_roles=frozenset({"director"})))
    assert "director" in refusal.value.message


# what is stored


def test_a_secret_is_sealed_for_one_row_and_keys_can_be_changed(configured: settings.Settings) -> None:
    mine, other = new_id(), new_id()
    try:
        sealing.install(replace(configured, second_factor_keys=("a" * 32,)))
        sealed = sealing.seal("JBSWY3DPEHPK3PXP", of=mine)
        assert sealing.seal("JBSWY3DPEHPK3PXP", of=mine) != sealed
        with pytest.raises(sealing.Unreadable):
            sealing.unseal(sealed, of=other)
        sealing.install(replace(configured, second_factor_keys=("b" * 32, "a" * 32)))
        assert sealing.unseal(sealed, of=mine) == "JBSWY3DPEHPK3PXP"
        sealing.install(replace(configured, second_factor_keys=("b" * 32,)))
        with pytest.raises(sealing.Unreadable):
            sealing.unseal(sealed, of=mine)
        with pytest.raises(sealing.Unreadable):
            sealing.unseal("1.none", of=mine)
    finally:
        sealing.install(configured)


def refused_by(statement: str, **values: Any) -> str | None:
    """The rule of the database that refuses, or None when it lets the statement pass."""
    try:
        with savepoint():
            session().execute(sa.text(statement), values)
    except sa.exc.DBAPIError as error:
        return constraint_of(error)
    return None


def test_the_database_refuses_what_the_services_never_do(member: StaffMember, hands: Hands) -> None:
    _secret, _recovery = enrolled(member, hands)
    factor = session().scalars(sa.select(SecondFactor)).one()
    by = services.actor_of(member)
    with transaction():
        second_factor.begin_attempt(member.id, _recovery[0])
    with transaction():
        second_factor.take(_recovery[0], by=by)
        half_sign_ins.begin(member, address=None, browser=None, request_id=None)
    which = {"id": factor.id, "staff": member.id}
    for statement, rule in {
        "UPDATE second_factor SET last_step = last_step - 1 WHERE id = :id": "second_factor_code_counts_once",
        "UPDATE second_factor SET last_step = NULL, confirmed_at = NULL WHERE id = :id": "second_factor_goes_forward",
        "UPDATE second_factor SET ended_at = now(), ended_how = 'turned-off' WHERE id = :id":
            "ck_second_factor_ended_holds_no_secret",
        "UPDATE second_factor SET ended_at = now(), sealed_secret = NULL WHERE id = :id":
            "ck_second_factor_end_says_how",
        "UPDATE second_factor SET ended_at = now(), sealed_secret = NULL, ended_how = 'lost' WHERE id = :id":
            "ck_second_factor_ended_how_known",
        "UPDATE second_factor SET ended_at = now(), sealed_secret = NULL, ended_how = 'reset' WHERE id = :id":
            "second_factor_reset_is_approved",
        "DELETE FROM second_factor": None,
        "INSERT INTO second_factor (id, staff_id, sealed_secret, created_at, begun_in, confirmed_at, last_step)"
        " VALUES (gen_random_uuid(), :staff, 'x', now(), gen_random_uuid(), now(),"
        " 1)": "second_factor_begins_unconfirmed",
        "UPDATE recovery_code SET used_at = NULL WHERE used_at IS NOT NULL": "recovery_code_counts_once",
        "UPDATE recovery_code SET code_hash = 'x' || code_hash WHERE used_at IS NULL": "recovery_code_counts_once",
        "UPDATE recovery_code SET used_at = now(), replaced_at = now() WHERE used_at IS NULL":
            "ck_recovery_code_used_or_replaced",
        "UPDATE half_sign_in SET expires_at = expires_at + interval '1 hour'": "half_sign_in_counts_once",
        "INSERT INTO half_sign_in (id, staff_id, secret_hash, created_at, expires_at)"
        " VALUES (gen_random_uuid(), :staff, 'x', now(), now() + interval '1 day')": "ck_half_sign_in_short_lived",
        "INSERT INTO password_reset (id, staff_id, approval_id, approved_at)"
        " VALUES (gen_random_uuid(), :staff, gen_random_uuid(), now())": "password_reset_is_approved",
    }.items():  # fmt: skip
        if statement.startswith("DELETE"):
            # not even allowed to the application's role
            with pytest.raises(sa.exc.ProgrammingError, match="permission denied"), savepoint():
                session().execute(sa.text(statement))
        else:
            assert refused_by(statement, **which) == rule, statement
    with transaction():
        second_factor.begin(session_id=new_id(), by=by)
    doubled = (
        "INSERT INTO second_factor (id, staff_id, sealed_secret, created_at, begun_in)"
        " VALUES (gen_random_uuid(), :staff, 'x', now(), gen_random_uuid())"
    )
    assert refused_by(doubled, staff=member.id) == "uq_second_factor_begun"
    confirmed = "UPDATE second_factor SET confirmed_at = now(), last_step = 1 WHERE confirmed_at IS NULL"
    assert refused_by(confirmed) == "uq_second_factor_in_use"


# sessions


def test_one_session_or_all_others_are_ended_and_nobody_elses(signed_in: SignIn, people: People) -> None:
    desk, phone, tablet, other = (
        signed_in(role) for role in (Role.OFFICER, Role.OFFICER, Role.OFFICER, Role.TREASURER)
    )
    page = desk.get("/staff/me").text
    ends = re.findall(r"/staff/me/sessions/([0-9a-f-]{36})/end", page)
    assert len(ends) == 2 and "Sign out all others" in page and "Sign out all others" not in other.get("/staff/me").text
    mine = people.member(Role.OFFICER).id
    foreign = session().scalars(sa.select(StaffSession.id).where(StaffSession.staff_id != mine)).one()
    assert desk.post(f"/staff/me/sessions/{foreign}/end").status_code == 404
    assert other.get("/").status_code == 200
    assert desk.post(f"/staff/me/sessions/{ends[0]}/end").status_code == 303
    assert sorted([phone.get("/").status_code, tablet.get("/").status_code]) == [200, 303]
    assert desk.post(f"/staff/me/sessions/{ends[0]}/end").status_code == 404
    assert desk.post("/staff/me/sign-out-others").status_code == 303
    assert [browser.get("/").status_code for browser in (desk, phone, tablet, other)] == [200, 303, 303, 200]
    own = (
        session()
        .scalars(sa.select(StaffSession.id).where(StaffSession.staff_id == mine, StaffSession.ended_at.is_(None)))
        .one()
    )
    assert desk.post(f"/staff/me/sessions/{own}/end").location == "/sign-in"
    assert {"staff.session_ended", "staff.signed_out_everywhere"} <= set(actions())


def test_the_operator_takes_a_lost_factor_away_at_the_command_line(
    app: Flask, signed_in: SignIn, member: StaffMember, hands: Hands
) -> None:
    enrolled(member, hands)
    desk = signed_in(Role.OFFICER)
    run = app.test_cli_runner().invoke(args=["staff", "reset-factor", "--email", member.email])
    assert (run.exit_code, run.output) == (
        0, f"{member.email} has no second factor any more and is signed out everywhere.\n",
    )  # fmt: skip
    assert not second_factor.is_on(member.id) and desk.get("/").status_code == 303
    assert session().scalars(sa.select(SecondFactor.ended_how)).one() == "operator"
    assert app.test_cli_runner().invoke(args=["staff", "reset-factor", "--email", member.email]).exit_code == 1
