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
