"""Pages of approvals: lists, one request, and the dialogs that close it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Role
from dashboard.approvals import services
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit import services as audit
from dashboard.audit.models import AuditEvent
from dashboard.clients import services as clients
from dashboard.clients.models import ClientBlock
from dashboard.clients.profile import IndividualProfile
from dashboard.clients.vocabulary import BlockCode
from dashboard.database import new_id, session, transaction
from tests.conftest import People

SignIn = Callable[..., FlaskClient]
HTMX = {"HX-Request": "true"}
#: names in the rows of a list, without those of their actions
LISTED = r'class="open"[^>]*>[^<]*(Number\d)'


@pytest.fixture
def officer(people: People) -> Actor:
    return people.actor(Role.OFFICER)


@pytest.fixture
def senior(people: People) -> Actor:
    return people.actor(Role.SENIOR_OFFICER)


def blocked(by: Actor, code: BlockCode = BlockCode.FRAUD, name: str = "Ilves") -> ClientBlock:
    with transaction():
        client = clients.create(IndividualProfile(first_name="Mari", last_name=name, risk_level=1), by=by)
        return clients.block(client.id, code=code, comment="call 4410", by=by)


@pytest.fixture
def request_id(officer: Actor) -> UUID:
    block = blocked(officer)
    with transaction():
        return clients.ask_to_unblock(block.id, reason="invoice 4410 proved", by=officer).id


def state_of(request_id: UUID) -> str:
    found = session().get(ApprovalRequest, request_id, populate_existing=True)
    assert found is not None
    return found.state


def client_of(request_id: UUID) -> UUID:
    found = session().get(ApprovalRequest, request_id)
    assert found is not None and found.client_id is not None
    return found.client_id


def flashes(browser: FlaskClient) -> list[str]:
    with browser.session_transaction() as cookie:
        return [text for _role, text in cookie.get("_flashes", [])]


def test_the_person_who_may_decide_finds_the_request_under_for_me(signed_in: SignIn, request_id: UUID) -> None:
    page = signed_in(Role.SENIOR_OFFICER).get("/approvals").text
    assert "Unblock Mari Ilves" in page
    assert f"/approvals/{request_id}" in page


def test_the_maker_finds_it_under_asked_by_me_and_not_under_for_me(signed_in: SignIn, request_id: UUID) -> None:
    browser = signed_in(Role.OFFICER)
    assert "Nothing waits for your decision" in browser.get("/approvals?view=me").text
    assert "Unblock Mari Ilves" in browser.get("/approvals?view=mine").text


def test_an_auditor_reads_requests_and_is_told_that_the_role_decides_none(signed_in: SignIn, request_id: UUID) -> None:
    page = signed_in(Role.AUDITOR).get("/approvals").text
    assert "your role (Auditor) reads requests and decides none" in page
    assert "Unblock Mari Ilves" in page
    assert "For me" not in page


def test_a_treasurer_decides_on_money_and_only_reads_what_is_asked_about_clients(
    signed_in: SignIn, request_id: UUID
) -> None:
    browser = signed_in(Role.SENIOR_TREASURER)
    page = browser.get("/approvals").text
    assert "one person asks, another decides" in page
    assert "Nothing waits for your decision" in page
    assert "Unblock Mari Ilves" in browser.get("/approvals?view=open").text
    refused = browser.get(f"/approvals/{request_id}/approve")
    assert refused.status_code == 403
    assert "Your role cannot decide this." in refused.text


def test_an_administrator_knows_of_no_request_about_a_client(signed_in: SignIn, request_id: UUID) -> None:
    browser = signed_in(Role.ADMIN)
    for view in ("me", "mine", "open", "closed"):
        page = browser.get(f"/approvals?view={view}")
        assert page.status_code == 200 and "Ilves" not in page.text
    for act in ("", "/approve", "/reject", "/withdraw"):
        assert browser.get(f"/approvals/{request_id}{act}").status_code == 404
    assert browser.post(f"/approvals/{request_id}/approve").status_code == 404
    assert state_of(request_id) == "requested"


def test_due_today_shows_exactly_what_expires_today(
    signed_in: SignIn, request_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = session().get(ApprovalRequest, request_id)
    assert found is not None
    browser = signed_in(Role.SENIOR_OFFICER)
    # at least one day before it expires: twelve business hours never end on the day they begin
    assert "Nothing is due today" in browser.get("/approvals?view=me&due=today").text
    near = found.expires_at - timedelta(minutes=1)
    fresh = signed_in(Role.SENIOR_OFFICER)
    monkeypatch.setattr(clock, "now", lambda: near)
    with transaction():
        from dashboard.staff.models import StaffSession

        for row in session().query(StaffSession):
            row.seen_at = row.created_at = near
    assert "Unblock Mari Ilves" in fresh.get("/approvals?view=me&due=today").text


def test_a_list_that_is_longer_than_a_page_shows_each_request_once(
    signed_in: SignIn, officer: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.approvals.pages.DEFAULT_PAGE_SIZE", 2)
    for number in range(5):
        block = blocked(officer, name=f"Number{number}")
        with transaction():
            clients.ask_to_unblock(block.id, reason="seen", by=officer)
    for view, role in (("me", Role.SENIOR_OFFICER), ("open", Role.AUDITOR)):
        browser = signed_in(role)
        url, seen, pages = f"/approvals?view={view}", [], []
        while url:
            page = browser.get(url).text
            pages.append(re.findall(LISTED, page))
            seen += pages[-1]
            following = re.search(r'href="([^"]+)" rel="next"', page)
            url = following.group(1).replace("&amp;", "&") if following else ""
        assert sorted(seen) == [f"Number{n}" for n in range(5)]
        back = re.search(r'href="([^"]+)" rel="prev"', page)
        assert back is not None
        assert re.findall(LISTED, browser.get(back.group(1).replace("&amp;", "&")).text) == pages[-2]


def test_a_cursor_of_another_list_is_refused(signed_in: SignIn) -> None:
    assert signed_in(Role.AUDITOR).get("/approvals?view=open&cursor=abc").status_code == 400


def test_the_page_of_a_request_tells_everything_about_it(signed_in: SignIn, request_id: UUID) -> None:
    page = signed_in(Role.SENIOR_OFFICER).get(f"/approvals/{request_id}").text
    for words in (
        "Blocked: all",
        "Inactive",
        "invoice 4410 proved",
        "Senior officers: you",
        f"/clients/{client_of(request_id)}",
    ):
        assert words in page, words
    assert f"/approvals/{request_id}/approve" in page


def test_whoever_may_not_decide_reads_why_and_gets_no_buttons(
    signed_in: SignIn, request_id: UUID, people: People
) -> None:
    mine = signed_in(Role.OFFICER).get(f"/approvals/{request_id}").text
    assert "You asked; another person decides." in mine
    assert "/approve" not in mine and "/withdraw" in mine
    colleague = signed_in(Role.OFFICER, "Liis Saar").get(f"/approvals/{request_id}").text
    assert "One of the two must be senior." in colleague
    assert "/approve" not in colleague and "/withdraw" not in colleague
    treasurer = signed_in(Role.TREASURER).get(f"/approvals/{request_id}").text
    assert "Your role cannot decide this." in treasurer
    assert "/approve" not in treasurer


def test_two_requests_for_different_reasons_read_alike_to_a_treasurer(
    signed_in: SignIn, officer: Actor, senior: Actor
) -> None:
    pages = []
    browser = signed_in(Role.TREASURER)
    for code, why in ((BlockCode.FRAUD, "the payer proved it"), (BlockCode.STR_HOLD, "no order from the FIU came")):
        block = blocked(officer, code)
        with transaction():
            asked = clients.ask_to_unblock(block.id, reason=why, by=officer)
        open_page = browser.get(f"/approvals/{asked.id}").text
        with transaction():
            services.decide(asked.id, approve=False, reason=f"{why}: not yet", by=senior)
        closed_page = browser.get(f"/approvals/{asked.id}").text
        assert "Internal reason" in open_page and "Internal reason" in closed_page
        pages.append(
            [
                re.sub(
                    r"\d\d:\d\d(:\d\d)?|\d{4}-\d\d-\d\dT[^\"]*|\d+ h \d+ min|\d+ (h|min|s)\b",
                    "T",
                    re.sub(f"{asked.id}|{asked.client_id}", "ID", page),
                )
                for page in (open_page, closed_page)
            ]
        )
    # the token of each form differs from page to page
    plain = [[re.sub(r'(value=|X-CSRFToken": )"[^"]{60,}"', "CSRF", page) for page in pair] for pair in pages]
    assert plain[0] == plain[1]


def test_the_approve_dialog_reads_back_what_will_happen(signed_in: SignIn, request_id: UUID) -> None:
    browser = signed_in(Role.SENIOR_OFFICER)
    fragment = browser.get(f"/approvals/{request_id}/approve", headers=HTMX).text
    assert "<html" not in fragment
    for words in ("Unblock Mari Ilves", "Blocked: all", "Inactive", "Officer", "invoice 4410 proved"):
        assert words in fragment, words
    page = browser.get(f"/approvals/{request_id}/approve").text
    assert "<html" in page and "invoice 4410 proved" in page
    assert state_of(request_id) == "requested"


def test_approving_unblocks_and_goes_back_to_the_client_in_words(signed_in: SignIn, request_id: UUID) -> None:
    browser = signed_in(Role.SENIOR_OFFICER)
    answer = browser.post(f"/approvals/{request_id}/approve")
    assert (answer.status_code, answer.location) == (303, f"/clients/{client_of(request_id)}")
    assert flashes(browser) == ["Unblocked Mari Ilves."]
    assert state_of(request_id) == "approved"


def test_approving_by_htmx_answers_with_the_place_to_go(signed_in: SignIn, request_id: UUID) -> None:
    answer = signed_in(Role.SENIOR_OFFICER).post(
        f"/approvals/{request_id}/approve", headers=HTMX, data={"next": "/approvals?view=me"}
    )
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (200, "/approvals?view=me")


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_deciding_never_leads_to_another_house(signed_in: SignIn, request_id: UUID, elsewhere: str) -> None:
    answer = signed_in(Role.SENIOR_OFFICER).post(f"/approvals/{request_id}/approve", data={"next": elsewhere})
    assert answer.location == "/"


def test_the_maker_cannot_approve_by_posting_straight_to_the_address(signed_in: SignIn, request_id: UUID) -> None:
    browser = signed_in(Role.OFFICER)
    assert browser.get(f"/approvals/{request_id}/approve").status_code == 403
    answer = browser.post(f"/approvals/{request_id}/approve")
    assert answer.status_code == 403
    assert "another person decides" in answer.text
    assert state_of(request_id) == "requested"


@pytest.mark.parametrize("headers", [{}, HTMX])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_maker_is_told_who_can_decide_instead_of_an_administrator(
    signed_in: SignIn, request_id: UUID, people: People, method: str, headers: dict[str, str]
) -> None:
    people.member(Role.SENIOR_OFFICER, "Riina Kask")
    answer = signed_in(Role.OFFICER).open(f"/approvals/{request_id}/approve", method=method, headers=headers)
    assert answer.status_code == 403
    part = answer.text[answer.text.index('class="banner is-wait problem"') :]
    assert "You asked; another person decides." in part
    assert "Can decide: Senior officers: Riina Kask." in part
    assert f'href="/approvals/{request_id}"' in part and f'href="/approvals/{request_id}/withdraw"' in part
    assert "administrator" not in part
    assert ("<html" in answer.text) == (not headers)


def test_who_did_not_ask_is_not_offered_to_withdraw(signed_in: SignIn, request_id: UUID) -> None:
    answer = signed_in(Role.AUDITOR).get(f"/approvals/{request_id}/withdraw")
    assert answer.status_code == 403
    assert "Only the person who asked can withdraw it." in answer.text
    assert f'href="/approvals/{request_id}"' in answer.text
    assert f'href="/approvals/{request_id}/withdraw"' not in answer.text


@pytest.mark.parametrize("act", ["approve", "reject", "withdraw"])
def test_a_reader_cannot_close_a_request(signed_in: SignIn, request_id: UUID, act: str) -> None:
    answer = signed_in(Role.AUDITOR).post(f"/approvals/{request_id}/{act}", data={"reason": "x"})
    assert answer.status_code == 403
    assert state_of(request_id) == "requested"


def test_a_rejection_without_a_reason_stays_in_the_dialog(signed_in: SignIn, request_id: UUID) -> None:
    answer = signed_in(Role.SENIOR_OFFICER).post(f"/approvals/{request_id}/reject", headers=HTMX, data={"reason": ""})
    assert answer.status_code == 422
    assert "Say why." in answer.text and 'aria-invalid="true"' in answer.text
    assert state_of(request_id) == "requested"


def test_rejecting_tells_the_maker_why(signed_in: SignIn, request_id: UUID) -> None:
    signed_in(Role.SENIOR_OFFICER).post(f"/approvals/{request_id}/reject", data={"reason": "the invoice is forged"})
    assert state_of(request_id) == "rejected"
    assert "the invoice is forged" in signed_in(Role.OFFICER).get(f"/approvals/{request_id}").text


def test_the_maker_withdraws_through_the_page(signed_in: SignIn, request_id: UUID) -> None:
    browser = signed_in(Role.OFFICER)
    assert browser.get(f"/approvals/{request_id}/withdraw").status_code == 200
    browser.post(f"/approvals/{request_id}/withdraw")
    assert flashes(browser) == ["Request to lift the full block of Mari Ilves withdrawn."]
    assert state_of(request_id) == "withdrawn"


def test_the_second_decider_is_told_who_was_first(signed_in: SignIn, request_id: UUID, people: People) -> None:
    first = people.actor(Role.SENIOR_OFFICER, "Riina Kask")
    second = signed_in(Role.SENIOR_OFFICER)
    with transaction():
        services.decide(request_id, approve=False, reason="not yet", by=first)
    answer = second.post(f"/approvals/{request_id}/approve")
    assert answer.status_code == 303
    assert flashes(second) == ["This request is closed: rejected by Riina Kask. Nothing was changed by you."]
    assert state_of(request_id) == "rejected"


def test_a_stale_request_says_who_changed_the_client(signed_in: SignIn, request_id: UUID, people: People) -> None:
    other = people.actor(Role.OFFICER, "Liis Saar")
    with transaction():
        clients.block(client_of(request_id), code=BlockCode.KYC_EXPIRED, by=other)
    browser = signed_in(Role.SENIOR_OFFICER)
    answer = browser.post(f"/approvals/{request_id}/approve")
    assert answer.status_code == 303
    [told] = flashes(browser)
    assert told.startswith("This request has gone stale: Liis Saar blocked the client on ")
    assert told.endswith("Ask again.")
    assert state_of(request_id) == "stale"


def test_a_stale_request_names_only_what_touched_it(signed_in: SignIn, request_id: UUID, people: People) -> None:
    other = people.actor(Role.OFFICER, "Liis Saar")
    client_id = client_of(request_id)
    with transaction():
        clients.block(client_id, code=BlockCode.KYC_EXPIRED, by=other)
    with transaction():
        audit.record(
            "verification.difference_found",
            by=system("daily comparison"),
            object_type="verification_difference",
            object_id=new_id(),
            client_id=client_id,
        )
    browser = signed_in(Role.SENIOR_OFFICER)
    browser.post(f"/approvals/{request_id}/approve")
    [told] = flashes(browser)
    assert "daily comparison" not in told and "Liis Saar blocked the client on " in told


def test_a_refusal_of_the_verb_is_said_in_the_dialog_and_changes_nothing(signed_in: SignIn, officer: Actor) -> None:
    with transaction():
        client = clients.create(IndividualProfile(first_name="Mari", last_name="Ilves", risk_level=1), by=officer)
        asked = clients.ask_to_activate(client.id, reason="papers seen", by=officer)

    def refuse(*_: object) -> None:
        from dashboard.errors import Refused

        raise Refused("The risk is prohibited. Lower it first.", code="cannotActivate")

    from dataclasses import replace

    from dashboard.approvals import kinds

    known = kinds._kinds["client.activate"]
    kinds.register(replace(known, execute=refuse))
    try:
        answer = signed_in(Role.SENIOR_OFFICER).post(f"/approvals/{asked.id}/approve", headers=HTMX)
    finally:
        kinds.register(known)
    assert answer.status_code == 422
    assert "The risk is prohibited. Lower it first." in answer.text
    assert state_of(asked.id) == "requested"


def test_a_closed_request_opens_its_page_instead_of_a_dialog(
    signed_in: SignIn, request_id: UUID, officer: Actor
) -> None:
    with transaction():
        services.withdraw(request_id, by=officer)
    answer = signed_in(Role.SENIOR_OFFICER).get(f"/approvals/{request_id}/approve")
    assert answer.location == f"/approvals/{request_id}"


def test_an_unknown_request_is_a_page_that_says_so(app: Flask, signed_in: SignIn, officer: Actor) -> None:
    answer = signed_in(Role.OFFICER).get(f"/approvals/{officer.id}")
    assert answer.status_code == 404
    assert "There is no such request." in answer.text


def test_an_attempt_to_decide_that_is_refused_leaves_evidence(signed_in: SignIn, request_id: UUID) -> None:
    browser = signed_in(Role.OFFICER)
    assert browser.post(f"/approvals/{request_id}/approve").status_code == 403
    event = session().scalars(sa.select(AuditEvent).where(AuditEvent.action == "approval.refused")).one()
    assert (event.object_id, event.actor_role) == (request_id, "officer")
