"""The desk for people: whose money is this, and how long have I got."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Role
from tests.clients.making import activated, person
from tests.conftest import People
from tests.ledger.conftest import Book
from tests.transfers.receiving import receipt, received, told

DESK = "/transfers/unrecognized"


@pytest.fixture
def officer(people: People) -> Actor:
    return people.actor(Role.OFFICER)


@pytest.fixture
def desk(signed_in: Callable[..., FlaskClient]) -> FlaskClient:
    return signed_in(Role.OFFICER)


def listed(browser: FlaskClient, **filters: Any) -> list[UUID]:
    page = browser.get(DESK, query_string=filters, headers={"HX-Request": "true", "HX-Target": "list"})
    assert page.status_code == 200, page.text
    return [UUID(found) for found in re.findall(r'<tr class="rec"[^>]* data-id="([0-9a-f-]+)"', page.text)]


def account_of(book: Book, officer: Actor, people: People, **options: Any) -> UUID:
    client = activated(person(officer, **options), officer, people.actor(Role.SENIOR_OFFICER))
    return book.account(owner=client.id)


def test_the_list_is_by_deadline_late_first_then_larger_amounts(book: Book, desk: FlaskClient) -> None:
    told()
    small, large = received(book, 1_000), received(book, 9_000)
    late = received(book, 500, booked_at=clock.now() - timedelta(days=12))
    assert listed(desk) == [late, large, small]
    page = desk.get(DESK).text
    assert "105.00 EUR" in page and "3 items" in page and "1 late" in page
    assert "Jonas Petrauskas" in page and "Bank Alpha" in page


def test_a_decision_reads_back_and_posts_only_when_sent(
    book: Book, desk: FlaskClient, officer: Actor, people: People
) -> None:
    account = account_of(book, officer, people)
    money = received(book, 125_000)
    strip = desk.get(f"{DESK}/{money}/assign", query_string={"account": str(account)})
    assert strip.status_code == 200
    assert "1,250.00 EUR" in strip.text and "Mari Ilves" in strip.text and "Posts at once." in strip.text
    assert receipt(money).state == "open"
    seen = re.search(r'name="seen"[^>]*value="(\d+)"', strip.text)
    assert seen
    done = desk.post(f"{DESK}/{money}/assign", data={"account": str(account), "seen": seen[1]})
    assert done.status_code == 303, done.text
    assert receipt(money).state == "assigned"
    assert book.balance(account)[0] == 125_000
    page = desk.get(DESK).text
    assert "Assigned to LT" in page and f"{money}/undo" in page
