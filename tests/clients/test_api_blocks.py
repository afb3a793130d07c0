"""CP-05 and CP-06: blocking and unblocking by token."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access import tokens
from dashboard.access.permissions import DEFAULT_SCOPES, Audience, Role
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.clients import services
from dashboard.clients.models import ClientBlock
from dashboard.clients.vocabulary import BlockCode, Scope
from dashboard.database import session, transaction

UNBLOCKER = ["clients:read", "clients:write", "clients:block", "clients:unblock"]


@pytest.fixture
def system(machine: Callable[..., Any]) -> Any:
    return machine(Audience.SYSTEM)


@pytest.fixture
def path(system: Any) -> str:
    answer = system.call(
        "POST", "/internal/Clients", json={"type": "individual", "firstName": "Anna", "lastName": "Ozola"}
    )
    return f"/internal/Clients/{answer.get_json()['value']['id']}"


def status(caller: Any, path: str) -> str:
    value: str = caller.call("GET", path).get_json()["value"]["status"]
    return value


def blocks() -> list[ClientBlock]:
    return list(session().scalars(sa.select(ClientBlock).order_by(ClientBlock.id)))


def requests() -> int:
    return session().scalar(sa.select(sa.func.count()).select_from(ApprovalRequest)) or 0


def test_a_block_needs_no_body(system: Any, path: str) -> None:
    answer = system.call("PUT", f"{path}/block")
    assert answer.status_code == 200
    assert answer.get_json()["value"]["status"] == "blocked"
    assert [(b.code, b.scope) for b in blocks()] == [("NOT_STATED", "all")]


def test_a_block_stores_what_the_body_says_and_answers_none_of_it(system: Any, path: str) -> None:
    answer = system.call(
        "PUT", f"{path}/block",
        json={"reasonCode": "COURT_ATTACHMENT", "scope": "amount", "amount": 1250.75, "currency": "EUR",
              "comment": "private-comment", "legalReference": "private-order", "clientText": "Call us, please."},
    )  # fmt: skip
    assert answer.status_code == 200
    (block,) = blocks()
    assert (block.code, block.scope, block.amount_minor, block.currency) == (
        "COURT_ATTACHMENT",
        "amount",
        125075,
        "eur",
    )
    text = answer.get_data(as_text=True)
    for word in ("COURT", "private", "Call us", "amount"):
        assert word not in text


def test_the_same_block_sent_twice_is_one_block(system: Any, path: str) -> None:
    body = {"reasonCode": "FRAUD", "scope": "debit"}
    answers = [system.call("PUT", f"{path}/block", json=body) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].get_json()["value"] == answers[1].get_json()["value"]
    assert len(blocks()) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scope": "amount"}, "amount"),
        ({"amount": 5, "currency": "eur"}, "amount"),
        ({"scope": "amount", "amount": 5}, "currency"),
        ({"scope": "amount", "currency": "eur"}, "amount"),
        ({"scope": "amount", "amount": 5, "currency": "xxx"}, "currency"),
        ({"scope": "amount", "amount": 5.001, "currency": "eur"}, "amount"),
        ({"scope": "amount", "amount": "5", "currency": "eur"}, "amount"),
        ({"scope": "amount", "amount": -5, "currency": "eur"}, "amount"),
        ({"scope": "everything"}, "scope"),
        ({"reasonCode": "BECAUSE"}, "reasonCode"),
        ({"reviewDate": "2020-01-01"}, "reviewDate"),
        ({"comment": "x" * 2001}, "comment"),
        ({"comment": "a\0b"}, "comment"),
        ({"until": "2030-01-01"}, "until"),
    ],
)
def test_a_wrong_block_is_refused_by_field_and_blocks_nothing(
    system: Any, path: str, body: dict[str, Any], field: str
) -> None:
    answer = system.call("PUT", f"{path}/block", json=body)
    assert answer.status_code == 400, answer.get_data(as_text=True)
    assert [e["metadata"]["field"] for e in answer.get_json()["errors"]] == [field]
    assert not blocks() and status(system, path) == "inactive"


def test_an_endless_number_is_refused_before_anything_is_computed_with_it(system: Any, path: str) -> None:
    text = '{"scope": "amount", "amount": 1e999999999, "currency": "eur"}'
    answer = system.call("PUT", f"{path}/block", data=text, content_type="application/json")
    assert answer.status_code == 400


def test_without_the_scope_unblocking_asks_once_and_answers_the_request(system: Any, path: str) -> None:
    system.call("PUT", f"{path}/block", json={"reasonCode": "FRAUD"})
    answers = [system.call("PUT", f"{path}/unblock", json={"comment": "Cleared."}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [403, 403]
    found = [answer.get_json()["errors"][0]["metadata"] for answer in answers]
    assert found[0]["code"] == "approvalRequired" and found[0] == found[1]
    assert requests() == 1
    request = session().get(ApprovalRequest, UUID(found[0]["requestId"]))
    assert request is not None and request.reason == "Cleared."
    assert status(system, path) == "blocked"


def test_each_block_gets_its_own_request(system: Any, path: str, people: Any) -> None:
    system.call("PUT", f"{path}/block", json={"reasonCode": "FRAUD"})
    client_id = UUID(path.rpartition("/")[2])
    with transaction():
        services.block(client_id, scope=Scope.DEBIT, code=BlockCode.KYC_EXPIRED, by=people.actor(Role.OFFICER))
    found = system.call("PUT", f"{path}/unblock").get_json()["errors"][0]["metadata"]
    assert len(found["requestIds"]) == 2 and found["requestId"] == found["requestIds"][0]
    assert requests() == 2


def test_a_request_by_token_is_decided_by_people(system: Any, path: str, people: Any) -> None:
    system.call("PUT", f"{path}/block", json={"reasonCode": "FRAUD"})
    found = system.call("PUT", f"{path}/unblock").get_json()["errors"][0]["metadata"]
    with transaction():
        approvals.decide(UUID(found["requestId"]), approve=True, reason=None, by=people.actor(Role.SENIOR_OFFICER))
    assert status(system, path) == "inactive"


def test_with_the_scope_a_token_lifts_what_it_placed(machine: Callable[..., Any], path: str) -> None:
    own = machine(Audience.SYSTEM, scopes=UNBLOCKER)
    own.call("PUT", f"{path}/block", json={"reasonCode": "FRAUD"})
    answers = [own.call("PUT", f"{path}/unblock") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.get_json()["value"]["status"] for answer in answers] == ["inactive", "inactive"]
    assert len(blocks()) == 1 and requests() == 0


def test_blocks_of_others_stay_and_are_not_named(machine: Callable[..., Any], path: str, people: Any) -> None:
    own = machine(Audience.SYSTEM, scopes=UNBLOCKER)
    own.call("PUT", f"{path}/block", json={"reasonCode": "FRAUD"})
    client_id = UUID(path.rpartition("/")[2])
    with transaction():
        services.block(client_id, code=BlockCode.SANCTIONS, comment="listed", by=people.actor(Role.OFFICER))
    answer = own.call("PUT", f"{path}/unblock")
    assert answer.status_code == 200
    assert answer.get_json()["value"]["status"] == "blocked"
    for word in ("SANCTIONS", "listed", "requestId"):
        assert word not in answer.get_data(as_text=True)


@pytest.mark.parametrize("code", ["SANCTIONS", "STR_HOLD", "FIU_ORDER", "COURT_ATTACHMENT"])
def test_no_token_lifts_what_only_people_may_lift(machine: Callable[..., Any], path: str, code: str) -> None:
    own = machine(Audience.SYSTEM, scopes=["all"])
    own.call("PUT", f"{path}/block", json={"reasonCode": code})
    own.call("PUT", f"{path}/block", json={"reasonCode": "FRAUD"})
    answer = own.call("PUT", f"{path}/unblock")
    assert answer.status_code == 422
    error = answer.get_json()["errors"][0]
    assert error["metadata"] == {"code": "humanDecisionRequired"}
    assert code not in answer.get_data(as_text=True)
    assert all(block.lifted_at is None for block in blocks())


def test_unblocking_a_client_that_is_not_blocked_changes_nothing(
    system: Any, machine: Callable[..., Any], path: str
) -> None:
    for caller in (system, machine(Audience.SYSTEM, scopes=["all"])):
        answer = caller.call("PUT", f"{path}/unblock")
        assert answer.status_code == 200
        assert answer.get_json()["value"]["status"] == "inactive"
    assert requests() == 0


def test_two_clients_blocked_for_fraud_and_for_a_report_answer_alike(system: Any) -> None:
    """No field of ClientDto may tell one reason from another, whatever scopes the token has."""
    texts = []
    for code in ("FRAUD", "STR_HOLD"):
        made = system.call(
            "POST", "/internal/Clients", json={"type": "individual", "firstName": "Anna", "lastName": "Ozola"}
        ).get_json()["value"]
        path = f"/internal/Clients/{made['id']}"
        system.call("PUT", f"{path}/block", json={"reasonCode": code, "comment": code.lower()})
        text = system.call("GET", path).get_data(as_text=True)
        texts.append(text.replace(made["id"], "ID").replace(made["created"], "CREATED"))
    assert texts[0] == texts[1]


def test_blocking_and_asking_to_unblock_at_the_same_moment_happen_once(committed: Flask) -> None:
    with transaction():
        scopes = DEFAULT_SCOPES[Audience.SYSTEM]
        _token, secret = tokens.create(audience=Audience.SYSTEM, scopes=scopes, name="double submit")
    headers = {"Authorization": f"Bearer {secret}"}
    body = {"type": "company", "legalName": "Ilves"}
    made = committed.test_client().post("/internal/Clients", json=body, headers=headers).get_json()["value"]["id"]

    def together(path: str) -> list[int]:
        gate = threading.Barrier(6)
        answers: list[int] = []

        def send() -> None:
            gate.wait()
            answer = committed.test_client().put(f"/internal/Clients/{made}/{path}", json={}, headers=headers)
            answers.append(answer.status_code)

        threads = [threading.Thread(target=send) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    assert together("block") == [200] * 6
    assert len(blocks()) == 1
    assert together("unblock") == [403] * 6
    assert requests() == 1
