"""The form of a review, the page of the risk, the list of reviews and its file."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.access.permissions import Role
from dashboard.approvals import services as approvals
from dashboard.clients import queries, services
from dashboard.clients.models import Client
from dashboard.clients.periods import periods
from dashboard.clients.profile import Document
from dashboard.clients.services.lock import locked
from dashboard.clients.vocabulary import BlockCode, MarkKind
from dashboard.database import session, transaction
from tests.clients.making import blocked, path, person
from tests.clients.reviewing import active, in_months, items, plan_of, today


@pytest.fixture
def officer(people: Any) -> Actor:
    return people.actor(Role.OFFICER)


@pytest.fixture
def senior(people: Any) -> Actor:
    return people.actor(Role.SENIOR_OFFICER)


@pytest.fixture
def client(officer: Actor, senior: Actor) -> Client:
    return active(officer, senior, risk_level=2)


def fields(page: str) -> dict[str, str]:
    """The form as a browser without scripts would send it back."""
    found = dict(re.findall(r'name="(version|seen)" type="hidden" value="([^"]*)"', page))
    found |= {name: value for value, name in re.findall(r'value="([^"]*)"[^>]*name="(version|seen)"', page)}
    for name in ("version", "seen"):
        match = re.search(rf'<input[^>]*name="{name}"[^>]*>', page)
        assert match is not None
        value = re.search(r'value="([^"]*)"', match[0])
        found[name] = value[1] if value else ""
    return found


def sent(page: str, **change: str) -> dict[str, str]:
    return {**fields(page), "risk_level": "2", "outcome": "continue", "reasons": "All as before"} | change


def test_the_form_shows_what_changed_and_completes_the_review(
    client: Client, officer: Actor, senior: Actor, signed_in: Any
) -> None:
    blocked(client, senior, code=BlockCode.FRAUD, comment="words-of-the-block")
    browser = signed_in(Role.OFFICER)
    page = browser.get(path(client, "/review")).text
    assert "words-of-the-block" in page and "passport" in page and "none: the period began" in page
    assert f'hx-get="/transfers/of/{client.id}/turnover"' in page
    answer = browser.post(path(client, "/review"), data=sent(page), follow_redirects=True)
    assert answer.status_code == 200 and "Review completed." in answer.text
    assert plan_of(client).period_from == today()
    risk = browser.get(path(client, "/risk")).text
    assert "All as before" in risk and "The relationship goes on" in risk
    again = browser.get(path(client, "/review")).text
    assert "by Officer" in again and "Fraud suspicion" in again, "the block still stands"
    assert "words-of-the-block" not in again, "it was placed before this review"


def test_the_form_promises_no_day_after_a_document_has_run_out(officer: Actor, senior: Actor, signed_in: Any) -> None:
    day = today() + timedelta(days=300)
    client = active(officer, senior, risk_level=1, document=Document(type="passport", expiration_date=day))
    browser, said = signed_in(Role.OFFICER), f"{day.day} {day:%b %Y}"
    page = browser.get(path(client, "/review")).text
    assert page.count(said) >= 5 and "(Mari Ilves&#39;s passport expires)" in page
    later = {"next_on": (day + timedelta(days=1)).isoformat(), "risk_level": "1"}
    late = browser.post(path(client, "/review"), data=sent(page, **later))
    assert late.status_code == 422 and f"due by {said} or earlier: Mari Ilves&#39;s passport expires" in late.text
    told = browser.post(path(client, "/review"), data=sent(page, risk_level="1"), follow_redirects=True).text
    assert f"Next one: {said}." in told
    assert (plan_of(client).next_on, plan_of(client).chosen_on) == (day, None), "renewing it gives the time back"


def test_a_document_that_has_expired_is_told_and_brings_the_client_back_soon(
    officer: Actor, senior: Actor, signed_in: Any
) -> None:
    day = today() - timedelta(days=6)
    client = active(officer, senior, risk_level=1, document=Document(type="idCard", expiration_date=day))
    browser = signed_in(Role.OFFICER)
    page = browser.get(path(client, "/review")).text
    assert "Already expired:" in page and "Mari Ilves, identity card, " in page and "First review" not in page
    assert browser.post(path(client, "/review"), data=sent(page, risk_level="1")).status_code == 303
    assert plan_of(client).next_on == today() + timedelta(days=periods().lead)


def test_an_inactive_client_reads_first_review(officer: Actor, signed_in: Any) -> None:
    assert "First review" in signed_in(Role.OFFICER).get(path(person(officer, risk_level=3), "/review")).text


def test_a_lower_risk_is_told_to_wait(client: Client, signed_in: Any) -> None:
    browser = signed_in(Role.OFFICER)
    page = browser.get(path(client, "/review")).text
    answer = browser.post(path(client, "/review"), data=sent(page, risk_level="1"), follow_redirects=True)
    assert "The risk is still Medium: lowering it to Low waits for a second person." in answer.text
    assert "Lower risk requested" in answer.text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"reasons": ""}, "Say what you found and why."), ({"outcome": ""}, "Choose what the review comes to."),
        ({"risk_level": "9"}, "Choose the risk"), ({"next_on": "soon"}, "Write the date as 2026-03-13."),
        ({"next_on": "2099-01-01"}, "or earlier"), ({"next_on": "2001-01-01"}, "lies in the future"),
    ],
)  # fmt: skip
def test_what_is_wrong_stands_beside_the_field_and_the_text_stays(
    client: Client, signed_in: Any, change: dict[str, str], words: str
) -> None:
    browser = signed_in(Role.OFFICER)
    page = browser.get(path(client, "/review")).text
    answer = browser.post(path(client, "/review"), data=sent(page, **{"reasons": "My long text"} | change))
    assert answer.status_code == 422 and words in answer.text
    assert change.get("reasons") == "" or "My long text" in answer.text
    assert plan_of(client).last_review_id is None


def test_of_two_forms_the_second_is_stale_keeps_its_text_and_may_be_sent_again(client: Client, signed_in: Any) -> None:
    first, second = signed_in(Role.OFFICER), signed_in(Role.SENIOR_OFFICER)
    pages = [browser.get(path(client, "/review")).text for browser in (first, second)]
    assert first.post(path(client, "/review"), data=sent(pages[0])).status_code == 303
    late = second.post(path(client, "/review"), data=sent(pages[1], reasons="My long text"))
    assert late.status_code == 409
    assert "reviewed meanwhile by Officer" in late.text and "My long text" in late.text
    assert second.post(path(client, "/review"), data=sent(late.text)).status_code == 303


def test_a_profile_that_changed_meanwhile_is_told(client: Client, officer: Actor, signed_in: Any) -> None:
    browser = signed_in(Role.SENIOR_OFFICER)
    page = browser.get(path(client, "/review")).text
    with transaction():
        services.raise_risk(locked(client.id), risk_level=3, reason="A hit", by=officer)
    late = browser.post(path(client, "/review"), data=sent(page, risk_level="3"))
    assert late.status_code == 409
    assert "This client was changed meanwhile." in late.text and "risk raised" in late.text


def test_a_form_without_its_marks_passes_over_nothing(client: Client, signed_in: Any) -> None:
    browser = signed_in(Role.OFFICER)
    data = {"risk_level": "2", "outcome": "continue", "reasons": "x"}
    assert browser.post(path(client, "/review"), data=data).status_code == 409


def test_a_closed_client_offers_no_form(client: Client, signed_in: Any) -> None:
    session().execute(sa.text("UPDATE client SET status = 'closed' WHERE id = :id"), {"id": client.id})
    with transaction():
        services.reconsider(client.id)
    page = signed_in(Role.OFFICER).get(path(client, "/review")).text
    assert "A closed client needs no review." in page and "Complete the review" not in page


def test_an_auditor_reads_reviews_and_completes_none(client: Client, officer: Actor, signed_in: Any) -> None:
    with transaction():
        services.complete_review(client.id, risk_level=2, outcome="continue", reasons="Fine, all of it", by=officer)
    auditor = signed_in(Role.AUDITOR)
    assert "Fine, all of it" in auditor.get(path(client, "/risk")).text
    assert auditor.get(path(client, "/review")).status_code == 403
    assert auditor.post(path(client, "/review"), data={}).status_code == 403
    assert auditor.get("/onboarding/reviews").status_code == 200


def test_a_client_of_nobody_is_not_found(signed_in: Any) -> None:
    browser = signed_in(Role.OFFICER)
    for rest in ("/review", "/risk", "/marks/new"):
        assert browser.get(f"/clients/019c0000-0000-7000-8000-000000000000{rest}").status_code == 404


def test_the_overview_says_when_and_why_then(client: Client, signed_in: Any) -> None:
    page = signed_in(Role.OFFICER).get(path(client)).text
    day = in_months(24)
    assert "Next review" in page and f"{day.day} {day:%b %Y}" in page and "(risk Medium, 2 years)" in page
    assert "Next review" in signed_in(Role.AUDITOR).get(path(client)).text


def test_before_the_activation_the_overview_names_the_period(officer: Actor, signed_in: Any) -> None:
    assert "1 year after the activation" in signed_in(Role.OFFICER).get(path(person(officer, risk_level=3))).text


def test_without_a_kind_the_mark_is_refused_in_words(client: Client, signed_in: Any) -> None:
    wrong = signed_in(Role.OFFICER).post(path(client, "/marks/new"), data={"list_name": "x", "said_by": "y"})
    assert wrong.status_code == 422 and "Choose PEP or sanctions." in wrong.text


def test_the_risk_page_shows_that_a_mark_is_asked_to_end_and_tells_others_nothing(
    client: Client, officer: Actor, people: Any, signed_in: Any
) -> None:
    with transaction():
        mark = services.open_mark(client.id, kind=MarkKind.SANCTIONS, list_name="EU list", said_by="A", by=officer)
    with transaction():
        asked = services.ask_to_end_mark(mark.id, reason="Another person", by=officer)
    page = signed_in(Role.SENIOR_OFFICER).get(path(client, "/risk")).text
    assert f"asked to end by {officer.name}" in page and f'href="/approvals/{asked.id}">Open request' in page
    assert f"/marks/{mark.id}/end" not in page and "Sanctions" in page[page.index("<h1>") : page.index("h-history")]
    other = signed_in(Role.TREASURER).get(path(client, "/risk")).text
    assert "other marks are shown by permission only" in other and "No mark." not in other
    assert "No flag that your role sees." in other and "anction" not in other and str(asked.id) not in other


def test_lifting_a_block_of_a_sanctions_mark_is_not_offered(client: Client, officer: Actor, signed_in: Any) -> None:
    with transaction():
        services.open_mark(client.id, kind=MarkKind.SANCTIONS, list_name="EU list", said_by="A", by=officer)
    (block,) = queries.blocks_of(client.id, actor=officer)
    browser, words = signed_in(Role.OFFICER), "This block stands while the sanctions mark stands. End the mark first."
    page = browser.get(path(client, f"/blocks/{block.id}/lift")).text
    assert words in page and "Ask to lift" not in page
    answer = browser.post(path(client, f"/blocks/{block.id}/lift"), data={"reason": "A mistake"})
    assert answer.status_code == 422 and words in answer.text
    assert "Activating is not offered" not in browser.get(path(client)).text


def test_a_lowered_risk_tells_who_asked_and_who_approved(
    client: Client, officer: Actor, senior: Actor, signed_in: Any
) -> None:
    with transaction():
        done = services.complete_review(client.id, risk_level=1, outcome="continue", reasons="Fine", by=officer)
    asked_id = done.lowering_request_id
    browser = signed_in(Role.AUDITOR)
    assert "asked for</a>" in browser.get(path(client, "/risk")).text
    with transaction():
        approvals.decide(asked_id, approve=True, reason=None, by=senior)
    page = browser.get(path(client, "/risk")).text
    assert f"Lowered: asked by {officer.name}, approved by {senior.name}" in page
    assert 'Low <a href="/approvals/' in page and ">approved</a>" in page


def test_marks_are_opened_and_ended_on_the_page(client: Client, signed_in: Any) -> None:
    browser = signed_in(Role.OFFICER)
    assert browser.get(path(client, "/marks/new")).status_code == 200
    wrong = browser.post(path(client, "/marks/new"), data={"kind": "pep", "list_name": ""})
    assert wrong.status_code == 422 and "Say which list or source it is." in wrong.text
    data = {"kind": "pep", "about": "", "list_name": "House list", "said_by": "A screening service"}
    page = browser.post(path(client, "/marks/new"), data=data, follow_redirects=True).text
    assert "House list" in page and "A screening service" in page
    twice = browser.post(path(client, "/marks/new"), data=data)
    assert twice.status_code == 409 and "stands already" in twice.text
    (end,) = set(re.findall(rf"/clients/{client.id}/marks/[0-9a-f-]+/end", page))
    ended = browser.post(end, data={"reason": "Out of office"}, follow_redirects=True).text
    assert "PEP (ended)" in ended and "Out of office" in ended
    assert browser.post(end, data={"reason": "Again"}).status_code == 409


# --- the list ---------------------------------------------------------------------------------------------------


@pytest.fixture
def three(officer: Actor, senior: Actor) -> list[Client]:
    """Active clients whose reviews come in 10 days, in 100 days, and in a year."""
    return [
        active(officer, senior, first=name, email=None, phone_number=None, risk_level=risk,
               document=Document(number=name, expiration_date=today() + timedelta(days=days)) if days else None)
        for name, risk, days in (("Ada", 1, 10), ("Bea", 2, 100), ("Cleo", 3, 0))
    ]  # fmt: skip


def names(page: str) -> list[str]:
    return re.findall(r'title="(\w+) Ilves"', page)


def test_the_list_is_by_what_comes_next_and_its_filters_combine(three: list[Client], signed_in: Any) -> None:
    browser = signed_in(Role.OFFICER)
    assert names(browser.get("/onboarding/reviews").text) == ["Ada", "Bea", "Cleo"]
    assert names(browser.get("/onboarding/reviews?when=queue").text) == ["Ada"]
    assert names(browser.get("/onboarding/reviews?risk=3").text) == ["Cleo"]
    until = (today() + timedelta(days=120)).isoformat()
    assert names(browser.get(f"/onboarding/reviews?until={until}").text) == ["Ada", "Bea"]
    assert names(browser.get(f"/onboarding/reviews?until={until}&risk=2").text) == ["Bea"]
    empty = browser.get("/onboarding/reviews?when=late").text
    assert "No review is late." in empty
    assert "No client is restricted by a late review." in browser.get("/onboarding/reviews?when=restricted").text
    assert "Nothing fits these filters." in browser.get("/onboarding/reviews?when=late&risk=2").text
    assert "risk not set: 1 year" not in browser.get("/onboarding/reviews").text
    assert len(items(three[0])) == 1


def test_a_row_says_how_long_it_is_overdue_and_a_risk_that_is_not_set(
    officer: Actor, senior: Actor, signed_in: Any
) -> None:
    active(officer, senior, risk_level=0)
    browser = signed_in(Role.OFFICER)
    assert "risk not set: 1 year" in browser.get("/onboarding/reviews").text
    session().execute(sa.text("UPDATE client_review_plan SET chosen_on = current_date - 400"))
    page = browser.get("/onboarding/reviews").text
    assert "overdue 1 y 1 m" in page


def test_a_treasurer_cannot_open_periodic_reviews(signed_in: Any) -> None:
    answer = signed_in(Role.TREASURER).get("/onboarding/reviews")
    assert answer.status_code == 403 and "cannot open periodic reviews" in answer.text


def test_a_page_is_followed_by_the_next_and_leads_back(three: list[Client], signed_in: Any, monkeypatch: Any) -> None:
    from dashboard.onboarding.reviews import pages

    monkeypatch.setattr(pages, "DEFAULT_PAGE_SIZE", 1)
    browser = signed_in(Role.OFFICER)
    seen, address = [], "/onboarding/reviews"
    for _ in range(3):
        page = browser.get(address).text
        seen += names(page)
        following = re.search(r'href="([^"]+)" rel="next"', page)
        before = re.search(r'href="([^"]+)" rel="prev"', page)
        address = following[1].replace("&amp;", "&") if following else ""
    assert seen == ["Ada", "Bea", "Cleo"] and not address and before
    assert names(browser.get(before[1].replace("&amp;", "&")).text) == ["Bea"]


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("?when=never", 422, "is none of the choices"), ("?risk=9", 422, "is none of the choices"),
        ("?until=soon", 422, "Write the date"), ("?until=0001-01-01", 422, "Write the date"),
        ("?cursor=nonsense", 400, "no longer valid"),
    ],
)  # fmt: skip
def test_what_the_address_cannot_mean_is_said(signed_in: Any, query: str, status: int, words: str) -> None:
    answer = signed_in(Role.OFFICER).get(f"/onboarding/reviews{query}")
    assert answer.status_code == status and words in answer.text


def test_the_file_holds_exactly_what_the_filters_show(three: list[Client], signed_in: Any) -> None:
    browser = signed_in(Role.AUDITOR)
    text = browser.get("/onboarding/reviews/export/csv?when=queue").get_data(as_text=True)
    assert "Ada Ilves" in text and "Bea Ilves" not in text and "Which: In the queue" in text
    assert "a document expires" in text
    assert browser.get("/onboarding/reviews/export/xlsx").status_code == 200
    assert browser.get("/onboarding/reviews/export/pdf").status_code == 422


def test_the_queue_leads_to_the_form_and_says_why(three: list[Client], signed_in: Any) -> None:
    page = signed_in(Role.OFFICER).get("/queues/client-reviews").text
    assert "Ada Ilves" in page and "a document expires" in page and f"/clients/{three[0].id}/review" in page
    assert signed_in(Role.TREASURER).get("/queues/client-reviews").status_code == 403


def test_turnover_is_shown_beside_what_was_declared(client: Client, signed_in: Any) -> None:
    page = signed_in(Role.OFFICER).get(f"/transfers/of/{client.id}/turnover").text
    assert "Turnover of 90 days" in page and "No completed transfer in this time." in page
    assert signed_in(Role.ADMIN).get(f"/transfers/of/{client.id}/turnover").status_code == 403
