"""The sandbox: callbacks that are signed, told twice, unreadable or contradictory; what its client makes of trouble."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard.database import session
from dashboard.settings import DEMO_SANDBOX_SECRET, load
from dashboard.transfers.models import IncomingRequest, ProviderMessage
from dashboard.transfers.providers.port import Lost, NotSent, Outcome
from dashboard.transfers.providers.sandbox.client import Sandbox, as_json
from dashboard.transfers.providers.sandbox.signing import HEADER, signature
from dashboard.transfers.simulator.book import Book
from dashboard.transfers.simulator.manners import Manners
from tests.transfers.incoming import Bank, bank, posted
from tests.transfers.test_iso20022 import instruction


@pytest.fixture
def house(app: Flask) -> Bank:
    return bank(key="sandbox")


def told(http: FlaskClient, message: Any, *, secret: str = DEMO_SANDBOX_SECRET, key: str = "sandbox") -> Any:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return http.post(
        f"/internal/ProviderCallbacks/{key}", data=body, content_type="application/json",
        headers={HEADER: signature(secret, body)},
    )  # fmt: skip


def money(house: Bank, **said: Any) -> dict[str, Any]:
    return {
        "kind": "credit", "reference": "SBC1", "currency": "eur", "amount": 12.5, "creditorAccount": house.number,
        "bookedAt": "2026-11-27T09:00:00+00:00", "debtor": {"name": "Anna", "account": "DE89370400440532013000"},
        "remittance": "Invoice", **said,
    }  # fmt: skip


def test_a_signed_credit_is_on_the_account_once(house: Bank, http: FlaskClient) -> None:
    assert told(http, money(house)).get_json() == {"status": "taken"}
    assert told(http, money(house)).get_json() == {"status": "known"}
    assert posted(house.account) == 12_50
    assert session().scalar(sa.select(sa.func.count()).select_from(ProviderMessage)) == 1


@pytest.mark.parametrize("secret", ["", "another", DEMO_SANDBOX_SECRET + " "])
def test_a_wrong_signature_changes_nothing(house: Bank, http: FlaskClient, secret: str) -> None:
    assert told(http, money(house), secret=secret).status_code == 401
    assert posted(house.account) == 0
    assert session().scalar(sa.select(sa.func.count()).select_from(ProviderMessage)) == 0


def test_what_is_unknown_too_large_or_no_message_is_refused(house: Bank, http: FlaskClient) -> None:
    assert told(http, money(house), key="nobody").status_code == 404
    assert told(http, money(house, remittance="x" * 70_000)).status_code == 413
    for message in ({"kind": "other"}, {"kind": "instruction", "endToEndId": 1}, b"{}", b"[]", b"{"):
        assert told(http, message).status_code == 400


def test_the_same_reference_with_another_amount_is_refused_and_kept_as_evidence(house: Bank, http: FlaskClient) -> None:
    told(http, money(house))
    again = told(http, money(house, amount=99))
    assert (again.status_code, again.get_json()["code"]) == (409, "differentBody")
    assert posted(house.account) == 12_50
    assert session().scalar(sa.select(sa.func.count()).select_from(ProviderMessage)) == 2


def test_a_credit_that_cannot_be_read_waits_for_a_person(house: Bank, http: FlaskClient) -> None:
    assert told(http, money(house, amount="12,50")).status_code == 200
    [request] = session().scalars(sa.select(IncomingRequest))
    assert (request.state, request.amount_minor) == ("failed", None)


def test_of_an_instruction_that_is_not_ours_nothing_comes_but_evidence(house: Bank, http: FlaskClient) -> None:
    answer = told(http, {"kind": "instruction", "endToEndId": "E-1", "status": "executed"})
    assert answer.status_code == 200
    assert session().scalar(sa.select(ProviderMessage.reference)) == "E-1"


def test_in_production_there_is_no_secret_unless_one_is_set() -> None:
    env = {
        "ENVIRONMENT": "production", "SECRET_KEY": "k" * 32, "DATABASE_URL": "postgresql://bank@db/bank",
        "PORT": "9000", "SECOND_FACTOR_KEY": "f" * 32,
    }  # fmt: skip
    assert (load(env).sandbox_secret, load(env).sandbox_port) == (None, 9001)
    assert load(env | {"SANDBOX_SECRET": "s3"}).sandbox_secret == "s3"


def client(answer: Callable[[httpx.Request], httpx.Response]) -> Sandbox:
    made = Sandbox("sandbox", "http://sandbox.test")
    made._http = httpx.Client(base_url="http://sandbox.test", transport=httpx.MockTransport(answer))
    return made


def raises(error: Exception) -> Callable[[httpx.Request], httpx.Response]:
    def answer(_request: httpx.Request) -> httpx.Response:
        raise error

    return answer


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (raises(httpx.ConnectError("")), NotSent),
        (raises(httpx.ConnectTimeout("")), NotSent),
        (lambda _: httpx.Response(503), NotSent),
        (lambda _: httpx.Response(400), NotSent),
        (raises(httpx.ReadTimeout("")), Lost),
        (raises(httpx.WriteError("")), Lost),
        (raises(httpx.RemoteProtocolError("")), Lost),
        (lambda _: httpx.Response(500), Lost),
        (lambda _: httpx.Response(504), Lost),
        (lambda _: httpx.Response(200, text="<html>"), Lost),
        (lambda _: httpx.Response(200, json={"reports": []}), Lost),
    ],
)
def test_only_what_was_certainly_not_taken_may_be_sent_again(
    answer: Callable[[httpx.Request], httpx.Response], expected: type[Exception]
) -> None:
    with pytest.raises(expected):
        client(answer).submit([instruction()])


def test_who_is_asked_says_what_became_of_it_or_that_it_knows_nothing() -> None:
    executed = {"endToEndId": "E2E-1", "status": "executed", "reference": "R"}
    found = client(lambda _: httpx.Response(200, json=executed)).ask("E2E-1")
    assert found and (found.outcome, found.provider_reference) == (Outcome.EXECUTED, "R")
    missing = client(lambda _: httpx.Response(404)).ask("E2E-1")
    assert missing and missing.outcome is Outcome.NOT_FOUND
    for trouble in (raises(httpx.ReadTimeout("")), lambda _: httpx.Response(500)):
        with pytest.raises(NotSent):
            client(trouble).ask("E2E-1")


def test_the_simulator_gives_back_only_what_came_and_no_more_of_it(tmp_path: Any) -> None:
    book = Book(tmp_path / "book", Manners(rejected=0, shortest_seconds=0, longest_seconds=0))
    book.credit([{"reference": "C1", "amount": 5, "currency": "eur"}])
    order = as_json(instruction(returns="C1", creditor_account="", amount_minor=5_00))
    book.take([order, order | {"endToEndId": "E2", "amount": 6}, order | {"endToEndId": "E3", "returns": "C2"}])
    while book.finish_due():
        pass
    said = [book.report(identifier) for identifier in ("E2E-1", "E2", "E3")]
    assert [(each["status"], each["code"]) for each in said if each] == [
        ("executed", None), ("rejected", "NOOR"), ("rejected", "NOOR"),
    ]  # fmt: skip


def test_the_simulator_takes_an_end_to_end_id_once_and_draws_its_mistakes_by_the_seed(tmp_path: Any) -> None:
    def book(name: str, seed: int) -> Book:
        return Book(tmp_path / name, Manners(seed=seed, rejected=0.5, shortest_seconds=0, longest_seconds=0))

    first = book("a", 1)
    orders = [{"endToEndId": f"E{i}", "amount": 1, "currency": "eur"} for i in range(40)]
    assert first.take(orders) == first.take(orders)
    while first.finish_due():
        pass
    found = first.contents()["instructions"]
    assert {each["received"] for each in found} == {2}
    assert {each["executions"] for each in found if each["status"] == "executed"} == {1}
    second = book("b", 1)
    second.take(orders)
    while second.finish_due():
        pass
    assert [each["status"] for each in second.contents()["instructions"]] == [each["status"] for each in found]
