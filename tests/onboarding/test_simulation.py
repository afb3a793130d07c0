"""ON-04: a verification is simulated through the same door."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from dashboard.access.actor import system
from dashboard.access.permissions import Audience
from dashboard.clients.models import Client
from tests.clients.making import person
from tests.onboarding.telling import event, status, stored, told, verification, work

PATH = "/integration/sumsub-webhooks/simulate"


@pytest.fixture
def caller(machine: Callable[..., Any]) -> Any:
    return machine(Audience.INTEGRATION)


@pytest.fixture
def client(app: Flask) -> Client:
    return person(system())


@pytest.fixture
def production(app: Flask) -> Iterator[None]:
    before = app.extensions["countinghouse.settings"]
    app.extensions["countinghouse.settings"] = replace(before, environment="production")
    yield
    app.extensions["countinghouse.settings"] = before


def test_green_is_delivered_signed_kept_and_processed_like_any_other(caller: Any, client: Client) -> None:
    answer = caller.call("POST", PATH, json={"externalUserId": str(client.id), "reviewAnswer": "GREEN"})
    assert answer.status_code == 200
    told_ = answer.get_json()
    (kept,) = stored()
    assert (kept.source, kept.verdict, kept.secret_number) == ("simulation", "accepted", 0)
    import json

    assert json.loads(kept.body or b"") == told_
    assert told_["type"] == "applicantReviewed" and told_["reviewResult"] == {"reviewAnswer": "GREEN"}
    assert told_["externalUserId"] == str(client.id) and told_["reviewStatus"] == "completed"
    work()
    assert status(client) == "active"


def test_red_says_what_was_asked_for(caller: Any, client: Client) -> None:
    body = {
        "externalUserId": str(client.id), "reviewAnswer": "RED", "reviewRejectType": "RETRY",
        "rejectLabels": ["SCREENSHOTS"], "moderationComment": "Send a photo.", "clientComment": "A screenshot.",
    }  # fmt: skip
    assert caller.call("POST", PATH, json=body).status_code == 200
    work()
    now = verification(client)
    assert (now.state, now.labels, now.moderation_comment, now.client_comment) == (
        "retry", ["SCREENSHOTS"], "Send a photo.", "A screenshot.",
    )  # fmt: skip


def test_it_speaks_of_the_applicant_that_the_client_has(http: FlaskClient, caller: Any, client: Client) -> None:
    told(http, event("applicantCreated", client, 0))
    answer = caller.call("POST", PATH, json={"externalUserId": str(client.id), "reviewAnswer": "GREEN"})
    assert answer.get_json()["applicantId"] == stored()[0].applicant_id
    work()
    assert status(client) == "active"


def test_in_production_it_is_refused_and_nothing_is_kept(caller: Any, client: Client, production: None) -> None:
    answer = caller.call("POST", PATH, json={"externalUserId": str(client.id), "reviewAnswer": "GREEN"})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "notInProduction")
    assert not stored()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"reviewAnswer": "YELLOW"}, "reviewAnswer"), ({"reviewAnswer": None}, "reviewAnswer"),
        ({"externalUserId": ""}, "externalUserId"), ({"externalUserId": 7}, "externalUserId"),
        ({"externalUserId": "x" * 201}, "externalUserId"), ({"reviewRejectType": "FINAL"}, "body"),
        ({"rejectLabels": ["FORGERY"]}, "body"), ({"rejectLabels": "FORGERY"}, "rejectLabels"),
        ({"moderationComment": "x" * 2001}, "moderationComment"), ({"clientComment": "\u0000"}, "clientComment"),
        ({"reviewStatus": "completed"}, "reviewStatus"), ({"sandboxMode": False}, "sandboxMode"),
    ],
)  # fmt: skip
def test_what_it_cannot_mean_is_named_and_nothing_is_delivered(
    caller: Any, client: Client, change: dict[str, Any], field: str
) -> None:
    body = {"externalUserId": str(client.id), "reviewAnswer": "GREEN", **change}
    answer = caller.call("POST", PATH, json=body)
    assert answer.status_code == 400 and answer.get_json()["errors"][0]["field"] == field
    assert not stored()


def test_it_needs_a_token_of_an_integration_with_the_scope(
    http: FlaskClient, machine: Callable[..., Any], client: Client
) -> None:
    body = {"externalUserId": str(client.id), "reviewAnswer": "GREEN"}
    assert http.post(PATH, json=body).status_code == 401
    assert machine(Audience.SYSTEM).call("POST", PATH, json=body).status_code == 403
    narrow = machine(Audience.INTEGRATION, scopes=["clients:import"])
    assert narrow.call("POST", PATH, json=body).status_code == 403
    assert not stored()


def test_the_same_key_delivers_once(caller: Any, client: Client) -> None:
    body = {"externalUserId": str(client.id), "reviewAnswer": "GREEN"}
    answers = [caller.call("POST", PATH, json=body, headers={"Idempotency-Key": "k1"}) for _ in range(2)]
    assert [each.status_code for each in answers] == [200, 200]
    assert answers[0].get_json() == answers[1].get_json() and len(stored()) == 1
    caller.call("POST", PATH, json=body)
    assert len(stored()) == 2


def test_no_header_from_outside_passes_for_a_simulation(http: FlaskClient, client: Client) -> None:
    from dashboard.onboarding.sumsub import signature
    from dashboard.settings import DEMO_WEBHOOK_SECRET
    from tests.onboarding.telling import DOOR, body_of

    body = body_of(event("applicantCreated", client, 0))
    headers = {
        signature.DIGEST_HEADER: signature.sign(DEMO_WEBHOOK_SECRET, body), "countinghouse.simulated": "1",
        "Countinghouse-Simulated": "1",
    }  # fmt: skip
    assert http.post(DOOR, data=body, headers=headers).status_code == 200
    assert stored()[0].source == "webhook"
