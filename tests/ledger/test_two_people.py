"""Whoever reaches the ledger's function past the services: an adjusting payment still needs two people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.access.permissions import Audience, Role
from dashboard.database import constraint_of, session, transaction
from dashboard.ledger import moving
from dashboard.ledger.vocabulary import AccountType, ParentType, PaymentState
from tests.conftest import People
from tests.ledger.conftest import Book


def refused(book: Book, by: Actor, **options: Any) -> str | None:
    order = book.order(
        book.account(100), book.account(), 1, parent_type=ParentType.ADJUSTING_PAYMENT, purpose="main", **options
    )
    try:
        with transaction():
            moving.create([order], PaymentState.POSTED, by=by)
    except sa.exc.IntegrityError as error:
        return constraint_of(error)
    return None


@pytest.mark.parametrize("role", [Role.TREASURER, Role.SENIOR_TREASURER, Role.ADMIN])
def test_one_person_alone_makes_no_adjusting_payment(book: Book, people: People, role: Role) -> None:
    assert refused(book, people.actor(role)) == "payment_adjusting_needs_approval"


def test_an_approval_of_another_payment_does_not_serve(book: Book, people: People) -> None:
    boss = people.actor(Role.SENIOR_TREASURER)
    assert refused(book, boss) == "payment_adjusting_needs_approval"
    assert session().scalar(sa.text("SELECT count(*) FROM payment WHERE parent_type = 'adjustingPayment'")) == 0


def test_a_token_without_the_scope_makes_none_and_one_with_it_does(book: Book, machine: Callable[..., Any]) -> None:
    plain = machine(Audience.SYSTEM)
    trusted = machine(Audience.SYSTEM, scopes=["all"])

    def actor(token: Any) -> Actor:
        return Actor(kind="token", id=token.token_id, name="t", role="system")

    assert refused(book, actor(plain)) == "payment_adjusting_needs_approval"
    assert refused(book, actor(trusted)) is None


@pytest.mark.parametrize("way", ["/internal/Payments", "/v2/internal/Payments", "/internal/Payments/draft", "batch"])
@pytest.mark.parametrize(
    ("debtor", "creditor"),
    [("opening", None), (None, "opening"), ("receivable", None), ("income", None), ("expense", None)],
)
def test_calling_it_a_transfer_does_not_take_from_the_houses_own(
    book: Book, teller: Any, way: str, debtor: str | None, creditor: str | None
) -> None:
    client = book.account(10_000)
    sides = [book.house(type=AccountType(side)) if side else client for side in (debtor, creditor)]
    moved = {
        "debtorAccountId": str(sides[0]), "creditorAccountId": str(sides[1]), "currency": "eur", "amount": 5,
    }  # fmt: skip
    parent = {"parentId": str(uuid4()), "parentType": "transfer"}
    teller.call("GET", "/internal/Clients?pageSize=1")
    if way == "batch":
        answer = teller.call("POST", "/internal/Payments/batch", json={"payments": [parent | moved]})
        assert answer.json["items"][0]["code"] == "adjustingOnly"
    elif way.endswith("draft"):
        answer = teller.call("POST", way, json=parent | {"transactions": [moved]})
        assert (answer.status_code, answer.json["code"]) == (422, "adjustingOnly")
    else:
        answer = teller.call("POST", way, json=parent | moved)
        assert answer.status_code == 422
        assert "adjustingOnly" in answer.text
    assert book.balance(client) == (10_000, 0)


def test_an_adjusting_draft_without_the_scope_is_refused_and_asks_nobody(book: Book, teller: Any) -> None:
    moved = {
        "debtorAccountId": str(book.account(100)), "creditorAccountId": str(book.account()), "currency": "eur",
        "amount": 1,
    }  # fmt: skip
    said = {"parentId": str(uuid4()), "parentType": "adjustingPayment", "transactions": [moved]}
    answer = teller.call("POST", "/internal/Payments/draft", json=said)
    assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
    assert session().scalar(sa.text("SELECT count(*) FROM approval_request")) == 0
