"""The quick way of batches answers what the usual way answers, and only what was made as a whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from dashboard import direct
from dashboard.access import tokens
from dashboard.access.models import IdempotencyKey
from dashboard.access.permissions import Audience
from dashboard.database import session, transaction
from dashboard.ledger.api import quick_batches
from dashboard.ledger.models import Payment
from tests.ledger.conftest import Book
from tests.ledger.invariants import broken
from tests.ledger.test_quick_payments import warmed

PATH = "/internal/Payments/batch"


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each request that the quick way has asked the database for was answered by it."""
    seen: list[bool] = []
    original = direct.beside

    def beside(app: Any, statement: str, parameters: Any) -> Any:
        if "pay_batch_at_once" not in statement:
            return original(app, statement, parameters)
        seen.append(False)
        row = original(app, statement, parameters)
        seen[-1] = row is not None and row[0] is not None
        return row

    monkeypatch.setattr(direct, "beside", beside)
    return seen


def items(book: Book, count: int, *, money: int = 10_000, amount: float = 1.25) -> list[dict[str, Any]]:
    debtor, creditor = book.account(money), book.account()
    return [
        {
            "parentId": str(uuid4()), "parentType": "transfer", "debtorAccountId": str(debtor),
            "creditorAccountId": str(creditor), "currency": "eur", "amount": amount,
        }
        for _ in range(count)
    ]  # fmt: skip


def anew(some: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item | {"parentId": str(uuid4())} for item in some]


@pytest.mark.parametrize("all_or_none", [True, False])
def test_both_ways_answer_alike(
    book: Book, teller: Any, ways: list[bool], monkeypatch: pytest.MonkeyPatch, all_or_none: bool
) -> None:
    asked = items(book, 3)
    quickly = warmed(teller).call("POST", PATH, json={"payments": asked, "allOrNothing": all_or_none})
    monkeypatch.setattr(quick_batches, "plain_orders", lambda _items: None)
    usually = teller.call("POST", PATH, json={"payments": anew(asked), "allOrNothing": all_or_none})
    assert ways == [True]
    assert (quickly.status_code, usually.status_code) == (200, 200)
    assert (quickly.content_type, len(quickly.data)) == (usually.content_type, len(usually.data))

    def without_ids(said: Any) -> Any:
        return said | {"items": [item | {"paymentId": None} for item in said["items"]]}

    assert without_ids(quickly.json) == without_ids(usually.json)
    assert set(quickly.headers.keys()) == set(usually.headers.keys())
    for answer in (quickly, usually):
        made = [item["paymentId"] for item in answer.json["items"]]
        read = [teller.call("GET", f"/internal/Payments/{one}").json for one in made]
        assert [one["transactions"][0]["amount"] for one in read] == [1.25] * 3
        evidence = session().execute(
            sa.text(
                "SELECT actor_id, request_id FROM audit_event"
                " WHERE action = 'payment.posted' AND object_id = ANY (:ids)"
            ),
            {"ids": made},
        ).all()  # fmt: skip
        assert [tuple(row) for row in evidence] == [(teller.token_id, answer.headers["X-Request-Id"])] * 3
    assert broken() == []


def test_a_batch_with_a_refusal_is_told_by_the_usual_way_and_made_once(
    book: Book, teller: Any, ways: list[bool]
) -> None:
    asked = items(book, 3, money=300)
    answer = warmed(teller).call("POST", PATH, json={"payments": asked})
    assert ways == [False]
    assert [item["code"] for item in answer.json["items"]] == [None, None, "insufficientFunds"]
    none = teller.call("POST", PATH, json={"payments": anew(asked), "allOrNothing": True})
    assert {item["code"] for item in none.json["items"]} == {"insufficientFunds", "notDone"}
    parents = [item["parentId"] for item in asked]
    assert session().scalar(sa.select(sa.func.count()).where(Payment.parent_id.in_(parents))) == 2


def test_the_same_key_answers_the_same_bytes_and_pays_once(book: Book, teller: Any, ways: list[bool]) -> None:
    asked = items(book, 2)
    headers = {"Idempotency-Key": "batch-of-today"}
    first = warmed(teller).call("POST", PATH, json={"payments": asked}, headers=headers)
    again = teller.call("POST", PATH, json={"payments": asked}, headers=headers)
    assert ways == [True, False]
    assert first.data == again.data
    assert again.headers["Idempotent-Replayed"] == "true"
    other = teller.call("POST", PATH, json={"payments": anew(asked)}, headers=headers)
    assert (other.status_code, other.json["code"]) == (409, "keyReused")
    kept = session().scalar(sa.select(IdempotencyKey.answer).where(IdempotencyKey.key == "batch-of-today"))
    assert kept == first.data.decode()
    assert book.balance(_debtor(asked)) == (10_000 - 250, 0)


def _debtor(asked: list[dict[str, Any]]) -> Any:
    return asked[0]["debtorAccountId"]


@pytest.mark.parametrize("spoilt", ["revoked", "no scope", "audience", "unknown"])
def test_a_token_that_may_not_pay_makes_no_batch_in_either_way(
    book: Book, machine: Callable[..., Any], ways: list[bool], spoilt: str
) -> None:
    scopes = ["ledger:read", "clients:read"] if spoilt == "no scope" else []
    teller = machine(Audience.INTEGRATION if spoilt == "audience" else Audience.SYSTEM, scopes=scopes)
    warmed(teller)
    if spoilt == "revoked":
        with transaction():
            tokens.revoke(teller.token_id)
    if spoilt == "unknown":
        teller.secret += "x"
    asked = items(book, 2)
    answer = teller.call("POST", PATH, json={"payments": asked})
    assert answer.status_code == (401 if spoilt in {"revoked", "unknown"} else 403)
    assert True not in ways
    assert book.balance(_debtor(asked)) == (10_000, 0)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([], 400), ({}, 400), ({"payments": []}, 400), ({"payments": {}}, 400), ({"payments": [], "more": 1}, 400),
        ({"payments": [None]}, 200), ({"payments": [{}], "allOrNothing": "yes"}, 400),
    ],
)  # fmt: skip
def test_what_is_no_plain_batch_never_reaches_the_quick_way(
    teller: Any, ways: list[bool], body: Any, status: int
) -> None:
    answer = warmed(teller).call("POST", PATH, json=body)
    assert ways == []
    assert answer.status_code == status, answer.text
    if status == 200:
        assert answer.json["done"] == 0


def test_a_long_batch_takes_the_usual_way(
    book: Book, teller: Any, ways: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = items(book, 2)
    warmed(teller)
    queue = teller.client.application.extensions["countinghouse.quick"]
    monkeypatch.setitem(queue.ways, PATH, queue.ways[PATH]._replace(longest=100))
    assert teller.call("POST", PATH, json={"payments": asked}).json["done"] == 2
    assert ways == []


def test_adjusting_payments_are_none_of_a_plain_batch(book: Book, teller: Any, ways: list[bool]) -> None:
    asked = [item | {"parentType": "adjustingPayment"} for item in items(book, 2)]
    answer = warmed(teller).call("POST", PATH, json={"payments": asked})
    assert ways == []
    assert {item["code"] for item in answer.json["items"]} == {"forbidden"}
    assert book.balance(_debtor(asked)) == (10_000, 0)
