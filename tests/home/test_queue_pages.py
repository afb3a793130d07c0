"""Pages of queues: rows in words, filters in the URL, taking and releasing in the row."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Role
from dashboard.clients import services as clients
from dashboard.clients.models import Client
from dashboard.clients.profile import IndividualProfile
from dashboard.clients.vocabulary import BlockCode, Scope
from dashboard.database import session, transaction
from dashboard.queues import services as queues
from dashboard.queues.models import QueueItem
from tests.conftest import People

SignIn = Callable[..., FlaskClient]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def officer(people: People) -> Actor:
    return people.actor(Role.OFFICER)


def made(by: Actor, name: str = "Ilves", **profile: object) -> Client:
    with transaction():
        fields = {"first_name": "Mari", "last_name": name, "risk_level": 1, **profile}
        return clients.create(IndividualProfile(**fields), by=by)  # type: ignore[arg-type]


def item_of(client: Client, queue: str) -> QueueItem:
    return (
        session().scalars(sa.select(QueueItem).where(QueueItem.client_id == client.id, QueueItem.queue == queue)).one()
    )


def flashes(browser: FlaskClient) -> list[str]:
    with browser.session_transaction() as cookie:
        return [text for _role, text in cookie.get("_flashes", [])]


def test_client_review_says_the_doubts_in_words_the_heaviest_first(signed_in: SignIn, officer: Actor) -> None:
    client = made(officer, residence_country="xx", birth_date=clock.now().date() - timedelta(days=4000))
    page = signed_in(Role.OFFICER).get("/queues/client-review").text
    assert "Under 18 years of age, unknown country code" in page
    assert f'href="/clients/{client.id}"' in page


def test_activation_lists_who_is_ready(signed_in: SignIn, officer: Actor) -> None:
    made(officer)
    page = signed_in(Role.OFFICER).get("/queues/activation").text
    assert "Mari Ilves" in page and "Ready to activate" in page


def test_block_reviews_say_which_block_and_what_to_do(signed_in: SignIn, officer: Actor) -> None:
    client = made(officer)
    with transaction():
        clients.block(client.id, scope=Scope.DEBIT, code=BlockCode.STR_HOLD, by=officer)
        clients.block(client.id, scope=Scope.CREDIT, by=officer)
    page = signed_in(Role.OFFICER).get("/queues/block-review").text
    for words in ("Debit · Suspicious transaction report", "Credit · Not stated", "STR hold ends", "State the reason"):
        assert words in page, words
    assert page.count("Review the block") == 2


def test_an_unknown_queue_does_not_exist(signed_in: SignIn) -> None:
    assert signed_in(Role.OFFICER).get("/queues/nothing").status_code == 404


@pytest.mark.parametrize("role", [Role.TREASURER, Role.ADMIN, Role.AUDITOR])
def test_who_does_not_review_has_no_queue(signed_in: SignIn, officer: Actor, role: Role) -> None:
    item = item_of(made(officer), "activation")
    browser = signed_in(role)
    assert browser.get("/queues/activation").status_code == 403
    assert browser.post(f"/queues/items/{item.id}/take").status_code == 403
    # treasurers have the queue of breaks, and nothing waits in it
    assert browser.post("/queues/next").status_code == (303 if role is Role.TREASURER else 403)


def test_empty_and_filtered_empty_say_different_things(signed_in: SignIn, officer: Actor) -> None:
    browser = signed_in(Role.OFFICER)
    assert "This queue is empty." in browser.get("/queues/activation").text
    made(officer)
    page = browser.get("/queues/activation?who=me").text
    assert "Nothing fits these filters." in page and 'href="/queues/activation"' in page


def test_filters_stand_in_the_url_and_are_marked(signed_in: SignIn, officer: Actor) -> None:
    made(officer)
    page = signed_in(Role.OFFICER).get("/queues/activation?who=none&late=1").text
    assert re.findall(r'aria-current="true">([^<]+)<', page) == ["Unassigned", "Late"]
    assert 'href="/queues/activation?who=me&amp;late=1"' in page


def test_a_queue_longer_than_a_page_shows_each_item_once(
    signed_in: SignIn, officer: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.home.queue_pages.DEFAULT_PAGE_SIZE", 2)
    for number in range(5):
        made(officer, f"Number{number}")
    browser = signed_in(Role.OFFICER)
    url, pages = "/queues/activation?who=none", []
    while url:
        page = browser.get(url).text
        pages.append(sorted(set(re.findall(r"Number\d", page))))
        following = re.search(r'href="([^"]+)" rel="next"', page)
        url = following.group(1).replace("&amp;", "&") if following else ""
    assert sorted(sum(pages, [])) == [f"Number{n}" for n in range(5)]
    back = re.search(r'href="([^"]+)" rel="prev"', page)
    assert back is not None
    before = browser.get(back.group(1).replace("&amp;", "&")).text
    assert sorted(set(re.findall(r"Number\d", before))) == pages[-2]


def test_taking_changes_the_row_in_place_and_says_so(signed_in: SignIn, officer: Actor) -> None:
    item = item_of(made(officer), "activation")
    browser = signed_in(Role.OFFICER)
    row = browser.post(f"/queues/items/{item.id}/take", headers=HTMX).text
    assert row.strip().startswith("<tr")
    assert 'data-announce="Mari Ilves: Taken. It is yours."' in row
    assert "Release" in row and ">you<" in row
    row = browser.post(f"/queues/items/{item.id}/release", headers=HTMX).text
    assert "Put back into the queue" in row and "Take" in row


def test_without_scripts_taking_returns_to_the_list_it_came_from(signed_in: SignIn, officer: Actor) -> None:
    item = item_of(made(officer), "activation")
    browser = signed_in(Role.OFFICER)
    answer = browser.post(f"/queues/items/{item.id}/take", data={"back": "/queues/activation?who=none"})
    assert (answer.status_code, answer.location) == (303, "/queues/activation?who=none")
    assert flashes(browser) == ["Taken. It is yours."]
    answer = browser.post(f"/queues/items/{item.id}/release", data={"back": "//evil.example"})
    assert answer.location == "/"


def test_what_a_colleague_has_taken_meanwhile_is_told_in_the_row(
    signed_in: SignIn, officer: Actor, people: People
) -> None:
    item = item_of(made(officer), "activation")
    with transaction():
        queues.take(item.id, by=people.actor(Role.OFFICER, "Liis Saar"))
    answer = signed_in(Role.OFFICER).post(f"/queues/items/{item.id}/take", headers=HTMX)
    assert answer.status_code == 422
    assert "Liis Saar has taken this meanwhile." in answer.text
    assert "<button" not in answer.text


def test_what_was_settled_meanwhile_is_told_in_the_row(signed_in: SignIn, officer: Actor) -> None:
    item = item_of(made(officer), "activation")
    with transaction():
        queues.close_items("activation", object_id=item.object_id, by=officer)
    answer = signed_in(Role.OFFICER).post(f"/queues/items/{item.id}/take", headers=HTMX)
    assert answer.status_code == 422
    assert "settled meanwhile" in answer.text


def test_the_next_opens_the_client_and_makes_the_item_mine(signed_in: SignIn, officer: Actor) -> None:
    client = made(officer)
    item = item_of(client, "activation")
    answer = signed_in(Role.OFFICER).post("/queues/next")
    assert answer.location == f"/clients/{client.id}"
    session().refresh(item)
    assert item.assignee_id == officer.id


def test_the_next_is_a_request_when_that_is_due_first(signed_in: SignIn, officer: Actor) -> None:
    client = made(officer)
    with transaction():
        asked = clients.ask_to_activate(client.id, reason="papers seen", by=officer)
        item = item_of(client, "activation")
        item.due_at = asked.expires_at + timedelta(hours=1)
    answer = signed_in(Role.SENIOR_OFFICER).post("/queues/next")
    assert answer.location == f"/approvals/{asked.id}"
    session().refresh(item)
    assert item.assignee_id is None


def test_the_next_of_nothing_says_so(signed_in: SignIn) -> None:
    browser = signed_in(Role.OFFICER)
    assert browser.post("/queues/next").location == "/"
    assert flashes(browser) == ["Nothing waits for you, and nothing waits unassigned."]
