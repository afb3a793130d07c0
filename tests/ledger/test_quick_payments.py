"""The quick way of GL-30 answers what the usual way answers, and lets nobody pass whom the usual way would stop."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import simplejson
import sqlalchemy as sa

from dashboard import clock, direct
from dashboard.access import tokens
from dashboard.access.models import ApiToken, IdempotencyKey
from dashboard.access.permissions import Audience
from dashboard.database import session, transaction
from dashboard.ledger.api import quick
from dashboard.ledger.models import Payment
from tests.ledger.conftest import Book

PATH = "/internal/Payments"


@pytest.fixture
def asked(book: Book) -> dict[str, Any]:
    """The body of a payment that can be made."""
    debtor, creditor = book.account(100_000), book.account()
    return {
        "parentId": str(uuid4()), "parentType": "transfer", "debtorAccountId": str(debtor),
        "creditorAccountId": str(creditor), "currency": "eur", "amount": 12.34,
    }  # fmt: skip


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each request was answered by the quick way."""
    seen: list[bool] = []
    original = direct.beside

    def beside(app: Any, statement: str, parameters: Any) -> Any:
        if "pay_at_once" not in statement:
            return original(app, statement, parameters)
        try:
            row = original(app, statement, parameters)
        except Exception:
            seen.append(False)
            raise
        seen.append(row is not None and row[0] is not None)
        return row

    monkeypatch.setattr(direct, "beside", beside)
    return seen


def warmed(teller: Any) -> Any:
    """Its last use is marked, so that the quick way need not."""
    teller.call("GET", "/internal/Clients?pageSize=1")
    return teller


def test_both_ways_answer_alike(
    asked: dict[str, Any], teller: Any, ways: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    quickly = warmed(teller).call("POST", PATH, json=asked)
    monkeypatch.setattr(quick, "plain_orders", lambda _items: None)
    usually = teller.call("POST", PATH, json=asked | {"parentId": str(uuid4())})
    assert ways == [True]
    assert (quickly.status_code, usually.status_code) == (200, 200)
    assert quickly.content_type == usually.content_type

    def shape(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: shape(entry) for name, entry in value.items()}
        if isinstance(value, list):
            return [shape(entry) for entry in value]
        return value if not isinstance(value, str) or len(value) < 20 else len(value)

    assert shape(quickly.json) == shape(usually.json)
    assert list(quickly.json) == list(usually.json)
    same = {name for name, value in quickly.headers if usually.headers.get(name) == value}
    assert set(usually.headers.keys()) - same <= {"X-Request-Id", "Server-Timing", "Content-Length"}
    read = teller.call("GET", f"{PATH}/{quickly.json['paymentId']}")
    assert read.json == quickly.json


@pytest.mark.parametrize("spoilt", ["revoked", "expired", "no scope", "audience", "unknown"])
def test_a_token_that_may_not_pay_pays_in_neither_way(
    asked: dict[str, Any], machine: Callable[..., Any], ways: list[bool], spoilt: str
) -> None:
    scopes = ["ledger:read", "clients:read"] if spoilt == "no scope" else []
    audience = Audience.INTEGRATION if spoilt == "audience" else Audience.SYSTEM
    teller = machine(audience, scopes=scopes)
    warmed(teller)
    with transaction():
        if spoilt == "revoked":
            tokens.revoke(teller.token_id)
        if spoilt == "expired":
            past = clock.now() - timedelta(days=1)
            session().execute(
                sa.update(ApiToken)
                .where(ApiToken.id == teller.token_id)
                .values(created_at=past - timedelta(days=1), expires_at=past)
            )
    if spoilt == "unknown":
        teller.secret += "x"
    answer = teller.call("POST", PATH, json=asked)
    assert answer.status_code == (401 if spoilt in {"revoked", "expired", "unknown"} else 403)
    assert True not in ways
    assert session().scalar(sa.select(sa.func.count()).where(Payment.parent_id == asked["parentId"])) == 0


def test_the_first_use_in_a_minute_takes_the_usual_way_and_marks_it(
    asked: dict[str, Any], teller: Any, ways: list[bool]
) -> None:
    assert teller.call("POST", PATH, json=asked).status_code == 200
    assert ways == [False]
    assert session().get(ApiToken, teller.token_id).last_used_at is not None


def test_the_same_key_again_gives_the_first_answer_byte_for_byte(
    asked: dict[str, Any], teller: Any, ways: list[bool], book: Book
) -> None:
    warmed(teller)
    key = {"Idempotency-Key": "once"}
    first = teller.call("POST", PATH, json=asked, headers=key)
    again = teller.call("POST", PATH, json=asked, headers=key)
    assert ways == [True, False]
    assert first.status_code == again.status_code == 200
    assert first.data == again.data
    assert session().scalar(sa.select(sa.func.count()).select_from(IdempotencyKey)) == 1
    other = teller.call("POST", PATH, json=asked | {"amount": 1}, headers=key)
    assert (other.status_code, other.json["code"]) == (409, "keyReused")


def test_a_refusal_is_said_and_kept_by_the_usual_way(
    asked: dict[str, Any], teller: Any, ways: list[bool], book: Book
) -> None:
    warmed(teller)
    key = {"Idempotency-Key": "poor"}
    refused = teller.call("POST", PATH, json=asked | {"amount": 5_000}, headers=key)
    again = teller.call("POST", PATH, json=asked | {"amount": 5_000}, headers=key)
    assert (refused.status_code, refused.json["code"]) == (422, "insufficientFunds")
    assert refused.data == again.data
    assert True not in ways


def test_the_same_parent_again_without_a_key_is_told_which_payment_stands(
    asked: dict[str, Any], teller: Any, ways: list[bool]
) -> None:
    first = warmed(teller).call("POST", PATH, json=asked)
    again = teller.call("POST", PATH, json=asked)
    assert (again.status_code, again.json["code"]) == (409, "paymentExists")
    assert again.json["paymentId"] == first.json["paymentId"]


def test_the_evidence_names_the_token_and_the_request(asked: dict[str, Any], teller: Any, ways: list[bool]) -> None:
    answer = warmed(teller).call("POST", PATH, json=asked, headers={"X-Request-Id": "abc123def456"})
    assert ways == [True]
    event = (
        session()
        .execute(sa.text("SELECT * FROM audit_event WHERE object_id = :id"), {"id": answer.json["paymentId"]})
        .one()
    )
    assert (event.action, event.actor_kind, event.actor_id) == ("payment.posted", "token", teller.token_id)
    assert event.request_id == answer.headers["X-Request-Id"]


def test_what_the_quick_way_cannot_read_the_usual_way_reads_whole(
    asked: dict[str, Any], teller: Any, ways: list[bool]
) -> None:
    said = asked | {"description": "ą" * 100, "purpose": "fee", "valueDate": "2026-01-05"}
    answer = warmed(teller).call("POST", PATH, json=said)
    assert answer.status_code == 200
    assert answer.json["transactions"][0]["description"] == "ą" * 100
    assert ways == []
    wrong = teller.call("POST", PATH, json=asked | {"amount": "12"})
    assert (wrong.status_code, wrong.json["errors"][0]["field"]) == (400, "amount")


@pytest.mark.parametrize(
    "amount", ["1e999999", "1e-999999", "1e300", "-1e999999", "0.001", "99999999999999999.99", "0"]
)
def test_an_amount_that_is_none_is_refused_by_name_in_all_ways(
    asked: dict[str, Any], teller: Any, ways: list[bool], amount: str
) -> None:
    body = simplejson.dumps(asked | {"amount": 12.34}).replace("12.34", amount)
    headers = {"Content-Type": "application/json"}
    single = warmed(teller).call("POST", PATH, data=body, headers=headers)
    assert (single.status_code, single.json["errors"][0]["field"]) == (400, "amount")
    batch = teller.call("POST", f"{PATH}/batch", data=f'{{"payments": [{body}]}}', headers=headers)
    assert batch.json["items"][0]["details"]["errors"][0]["field"] == "amount"
    assert ways == []
