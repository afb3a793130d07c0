"""GL-30 to GL-34 and their v2 twins over HTTP."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

import simplejson

from tests.ledger.conftest import Book


def body_of(book: Book, **changes: Any) -> dict[str, Any]:
    said = {
        "parentId": str(uuid4()),
        "parentType": "transfer",
        "debtorAccountId": str(book.account(10_000)),
        "creditorAccountId": str(book.account()),
        "currency": "eur",
        "amount": 12.34,
    }
    return said | changes


def test_a_single_payment_moves_the_money_at_once_and_answers_as_documented(book: Book, teller: Any) -> None:
    said = body_of(book)
    answer = teller.call("POST", "/internal/Payments", json=said)
    assert answer.status_code == 200
    payment = simplejson.loads(answer.text, use_decimal=True)
    assert payment["parentId"] == said["parentId"]
    assert payment["parentType"] == "transfer"
    [transaction] = payment["transactions"]
    assert transaction["amount"] == Decimal("12.34")
    assert transaction["state"] == "posted"
    assert transaction["debtorAccountNumber"].startswith("LT")
    assert [(c["from"], c["to"]) for c in transaction["stateChanges"]] == [("draft", "posted")]
    from uuid import UUID

    assert book.balance(UUID(said["debtorAccountId"])) == (10_000 - 1_234, 0)
    assert book.balance(UUID(said["creditorAccountId"])) == (1_234, 0)
    again = teller.call("GET", f"/internal/Payments/{payment['paymentId']}")
    assert simplejson.loads(again.text, use_decimal=True) == payment


def test_a_batch_answers_for_every_item_and_each_stands_on_its_own(book: Book, teller: Any) -> None:
    poor, rich, taker = book.account(100), book.account(10_000), book.account()
    items = [
        body_of(book, debtorAccountId=str(rich), creditorAccountId=str(poor), amount=5),
        body_of(book, debtorAccountId=str(poor), creditorAccountId=str(taker), amount=6),
        body_of(book, debtorAccountId=str(poor), creditorAccountId=str(taker), amount=0.01),
        body_of(book, debtorAccountId=str(poor), creditorAccountId=str(taker), amount=0),
        "no object",
    ]
    answer = teller.call("POST", "/internal/Payments/batch", json={"payments": items})
    assert answer.status_code == 200, answer.text
    said = answer.json
    assert [item["code"] for item in said["items"]] == [None, None, "insufficientFunds", "invalid", "invalid"]
    assert (said["done"], said["refused"]) == (2, 3)
    assert book.balance(poor) == (0, 0)
    assert book.balance(taker) == (600, 0)


def test_a_batch_of_plain_payments_answers_like_one_that_must_be_looked_at(book: Book, teller: Any) -> None:
    rich, poor, taker = book.account(100_000), book.account(100), book.account()
    items = [
        body_of(book, debtorAccountId=str(rich), creditorAccountId=str(taker)),
        body_of(book, debtorAccountId=str(poor), creditorAccountId=str(taker), amount=1.01),
        body_of(book, debtorAccountId=str(rich), creditorAccountId=str(uuid4())),
    ]
    plain = teller.call("POST", "/internal/Payments/batch", json={"payments": items})
    again = [item | {"parentId": str(uuid4())} for item in items]
    again[0]["description"] = "Rent"
    usual = teller.call("POST", "/internal/Payments/batch", json={"payments": again})

    def read(answer: Any, asked: list[dict[str, Any]]) -> Any:
        assert (answer.status_code, answer.content_type) == (200, "application/json")
        said = simplejson.loads(answer.text, use_decimal=True)
        assert list(said) == ["done", "refused", "items"]
        made = teller.call("GET", f"/internal/Payments/{said['items'][0]['paymentId']}")
        assert made.json["parentId"] == asked[0]["parentId"]
        said["items"][0]["paymentId"] = None
        return said

    assert read(plain, items) == read(usual, again)
    assert list(plain.json["items"][0]) == list(usual.json["items"][0])


def test_all_or_nothing_does_nothing_when_one_is_refused(book: Book, teller: Any) -> None:
    rich, taker = book.account(1_000), book.account()
    items = [
        body_of(book, debtorAccountId=str(rich), creditorAccountId=str(taker), amount=amount) for amount in (6, 5, 1)
    ]
    answer = teller.call("POST", "/internal/Payments/batch", json={"payments": items, "allOrNothing": True})
    assert [item["code"] for item in answer.json["items"]] == ["notDone", "insufficientFunds", "notDone"]
    assert book.balance(rich) == (1_000, 0)
