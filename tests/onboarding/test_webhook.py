"""ON-03: who is let in, what is kept, and what is answered."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard import clock
from dashboard.access.actor import system
from dashboard.database import session, transaction
from dashboard.onboarding.sumsub import signature
from dashboard.onboarding.sumsub.api import LARGEST
from dashboard.onboarding.sumsub.models import SumsubEvent
from dashboard.onboarding.sumsub.services import storing
from dashboard.onboarding.sumsub.vocabulary import Algorithm
from dashboard.queues.models import QueueItem
from dashboard.settings import DEMO_WEBHOOK_SECRET
from tests.clients.making import person
from tests.onboarding.telling import DOOR, GREEN, body_of, doubts, event, send, stored, told

#: bodies and digests that Sumsub publishes with the secret `webhooksecret` (documentation, "verify the sender")
_GREEN = {
    "applicantId": "5cb56e8e0a975a35f333cb83",
    "inspectionId": "5cb56e8e0a975a35f333cb84",
    "correlationId": "req-a260b669-4f14-4bb5-a4c5-ac0218acb9a4",
    "externalUserId": "123",
    "levelName": "basic-kyc-level",
    "type": "applicantReviewed",
    "reviewResult": {"reviewAnswer": "GREEN"},
    "reviewStatus": "completed",
    "createdAtMs": "2020-02-21 13:23:19.321",
}
_FINAL = {**_GREEN, "reviewResult": {"reviewAnswer": "RED", "reviewRejectType": "FINAL"}}
_CREATED = {
    "applicantId": "5c9e177b0a975a6eeccf5960",
    "inspectionId": "5c9e177b0a975a6eeccf5961",
    "correlationId": "req-63f92830-4d68-4eee-98d5-875d53a12258",
    "levelName": "basic-kyc-level",
    "externalUserId": "12672",
    "type": "applicantCreated",
    "sandboxMode": "false",
    "reviewStatus": "init",
    "createdAtMs": "2020-02-21 13:23:19.002",
    "clientId": "coolClientId",
}
_LEVEL = {
    "applicantId": "5f194e74040c3f316bda271c",
    "inspectionId": "5f194e74040c3f316bda271d",
    "applicantType": "individual",
    "correlationId": "req-d34c974c-5935-41b8-a0a9-cedd2407eadd",
    "levelName": "basic-kyc-level",
    "externalUserId": "12672",
    "type": "applicantLevelChanged",
    "sandboxMode": "false",
    "reviewStatus": "init",
    "createdAtMs": "2020-07-23 11:19:33.002",
    "clientId": "coolClientId",
}
PUBLISHED = {
    "created": (_CREATED, "e520b9e95ab07ffb96e9927d78cdeab04f6938c8221dce80607c4243fe8d2546"),
    "green": (_GREEN, "5a2e30f8fc250abc21d32223a9a3e6bd884d30383351b392e7a2aa27257edce5"),
    "red final": (_FINAL, "52ce0a5965cac714ecb005959c268f89845bee75c0b0b6c43c6e78aa102fd038"),
    "level changed": (_LEVEL, "75d41570f78bc67a31bf650b24e33b5b23b31eedc447d1645111e12ac1112201"),
}
VECTORS = {name: (json.dumps(said, indent=2).encode(), digest) for name, (said, digest) in PUBLISHED.items()}


@pytest.fixture
def with_secrets(app: Flask) -> Any:
    """Say which secrets and which algorithm are configured, for the time of the test."""
    before = app.extensions["countinghouse.settings"]

    def use(*secrets: str, algorithm: str = "HMAC_SHA256_HEX") -> None:
        app.extensions["countinghouse.settings"] = replace(
            before, sumsub_webhook_secrets=secrets, sumsub_digest_algorithm=algorithm
        )

    yield use
    app.extensions["countinghouse.settings"] = before


@pytest.mark.parametrize("name", VECTORS)
def test_the_published_vectors_are_let_in(name: str, http: FlaskClient, with_secrets: Any) -> None:
    with_secrets("webhooksecret")
    body, digest = VECTORS[name]
    assert signature.sign("webhooksecret", body) == digest
    answer = send(http, body, digest=digest)
    assert answer.status_code == 200 and answer.get_json()["status"] == "kept"
    assert bytes(stored()[0].body) == body


@pytest.mark.parametrize("name", VECTORS)
def test_the_published_vectors_altered_in_any_way_are_refused_and_open_nothing(
    name: str, http: FlaskClient, with_secrets: Any
) -> None:
    with_secrets("webhooksecret")
    body, digest = VECTORS[name]
    spoiled = bytes([*body[:-3], body[-3] ^ 1, *body[-2:]])
    cases: list[tuple[str, bytes, dict[str, str | None]]] = [
        ("digestWrong", spoiled, {"digest": digest}),
        ("digestWrong", body + b"\n", {"digest": digest}),
        ("algorithm", body, {"digest": digest, "alg": "HMAC_SHA512_HEX"}),
        ("algorithm", body, {"digest": signature.sign("webhooksecret", body, Algorithm.SHA1), "alg": "HMAC_SHA1_HEX"}),
        ("algorithm", body, {"digest": digest, "alg": "none"}),
        ("algorithm", body, {"digest": digest, "alg": ""}),
        ("digestWrong", body, {"digest": signature.sign("webhooksecret", body, Algorithm.SHA512)}),
        ("digestMissing", body, {"digest": None}),
        ("digestMissing", body, {"digest": ""}),
        ("digestMalformed", body, {"digest": digest.upper()}),
        ("digestMalformed", body, {"digest": digest[:-1]}),
        ("digestMalformed", body, {"digest": f"sha256={digest}"}),
        ("digestMalformed", body, {"digest": digest[:-1] + "é"}),
        ("digestWrong", body, {"digest": signature.sign("the secret of last year", body)}),
        ("digestWrong", body, {"digest": signature.sign(DEMO_WEBHOOK_SECRET, body)}),
    ]
    for code, raw, headers in cases:
        answer = send(http, raw, **headers)
        assert (answer.status_code, answer.get_json()["code"]) == (401, code), headers
    assert not stored(verdict="accepted")
    # what a stranger sent first does not stand in the way of the genuine one
    assert send(http, body, digest=digest).get_json()["status"] == "kept"


def test_a_missing_algorithm_means_the_one_agreed_on(http: FlaskClient, with_secrets: Any) -> None:
    with_secrets("s", algorithm="HMAC_SHA512_HEX")
    body = body_of(event("applicantCreated", "somebody", 0))
    digest = signature.sign("s", body, Algorithm.SHA512)
    assert send(http, body, digest=digest, alg=None).status_code == 200
    assert send(http, body, digest=signature.sign("s", body), alg=None).status_code == 401
    assert send(http, body, digest=signature.sign("s", body), alg="HMAC_SHA256_HEX").status_code == 401


def test_while_a_secret_is_changed_both_are_taken_and_it_is_kept_which_one_signed(
    http: FlaskClient, with_secrets: Any
) -> None:
    with_secrets("new", "old")
    for minute, secret in enumerate(("new", "old")):
        assert send(http, event("applicantPending", "somebody", minute), secret=secret).status_code == 200
    assert [each.secret_number for each in stored()] == [0, 1]
    with_secrets("new")
    assert send(http, event("applicantPending", "somebody", 5), secret="old").status_code == 401


def test_without_a_secret_nobody_is_let_in_and_sumsub_may_tell_it_again(http: FlaskClient, with_secrets: Any) -> None:
    with_secrets()
    answer = send(http, event("applicantCreated", "somebody", 0))
    assert (answer.status_code, answer.get_json()["code"]) == (503, "webhooksOff")
    assert not stored()


def test_what_is_refused_is_kept_as_refused_and_never_read(http: FlaskClient) -> None:
    body = body_of(event("applicantReviewed", "somebody", 0, **GREEN))
    assert send(http, body, digest="0" * 64).status_code == 401
    assert send(http, body, digest="0" * 64).status_code == 401
    (kept,) = stored()
    assert (kept.verdict, kept.refusal, kept.deliveries) == ("refused", "digestWrong", 1)
    assert (kept.type, kept.applicant_id, kept.effect) == (None, None, None)
    assert send(http, b"x" * 100_000, digest="0" * 64).status_code == 401
    long = stored()[1]
    assert (long.size, len(long.body or b"")) == (100_000, storing.REFUSED_BYTES)


def test_a_stranger_who_sends_much_fills_no_disk(http: FlaskClient) -> None:
    for number in range(storing.REFUSED_OF_A_KIND + 5):
        assert send(http, b'{"n": %d}' % number, digest=None).status_code == 401
    assert len(stored(verdict="refused")) == storing.REFUSED_OF_A_KIND
    # another kind has a share of its own, so a genuine event under another secret is still kept
    real = event("applicantReviewed", "somebody", 0, **GREEN)
    assert send(http, real, secret="another secret altogether").status_code == 401
    assert [one.refusal for one in stored(verdict="refused")].count("digestWrong") == 1
    assert send(http, real, digest="0" * 63).status_code == 401
    # and a genuine one is let in all the same
    assert send(http, event("applicantCreated", "somebody", 0)).status_code == 200


def test_a_stranger_who_repeats_one_body_writes_at_most_once_a_minute(
    http: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, start = b'{"n": 1}', clock.now()

    def said(after: float) -> tuple[int, Any, Any]:
        monkeypatch.setattr(clock, "now", lambda: start + timedelta(seconds=after))
        assert send(http, body, digest="0" * 64).status_code == 401
        row = session().execute(
            sa.text("SELECT deliveries, delivered_at, xmin::text || ctid::text FROM sumsub_event")
        ).one()  # fmt: skip
        return row[0], row[1], row[2]

    first = said(0)
    assert first[0] == 1
    assert said(1) == said(30) == said(59) == first, "the row is not touched"
    assert said(61)[:2] == (2, start + timedelta(seconds=61))
    assert said(62)[0] == 2 and said(122)[0] == 3
    monkeypatch.undo()


def test_refused_bodies_are_forgotten_in_time_and_accepted_ones_are_not(http: FlaskClient) -> None:
    old = clock.now() - storing.REFUSED_KEPT - timedelta(hours=1)
    with transaction():
        for number, verdict in enumerate(("refused", "accepted")):
            session().add(
                SumsubEvent(
                    received_at=old, delivered_at=old, source="webhook", verdict=verdict, digest=str(number), size=0,
                    refusal="digestWrong" if verdict == "refused" else None, meaning="m", told_at=old, ordered_at=old,
                    ordered_rank=0,
                )
            )  # fmt: skip
    with transaction():
        assert storing.forget_refused() == 1
    assert [each.verdict for each in stored()] == ["accepted"]


def test_the_same_body_again_is_known_and_counted(http: FlaskClient) -> None:
    one = event("applicantCreated", "somebody", 0)
    first, second = send(http, one), send(http, one)
    assert [first.get_json()["status"], second.get_json()["status"]] == ["kept", "known"]
    assert first.get_json()["eventId"] == second.get_json()["eventId"]
    (kept,) = stored()
    assert kept.deliveries == 2


@pytest.mark.parametrize(
    "said",
    [
        {"type": "applicantSomethingNew", "applicantId": "a" * 24},
        {"type": "kytTxnSomething", "kytTxnId": "t1", "createdAtMs": "2026-01-01 00:00:00.000"},
        {"type": "x" * 5000, "applicantId": "b" * 5000, "externalUserId": "c" * 5000, "levelName": "d" * 5000},
        {"type": None},
        {"type": 7, "applicantId": {"a": 1}, "reviewResult": [], "sandboxMode": {}, "createdAtMs": []},
        {"type": "applicantReviewed\u0000", "applicantId": "a\u0000b", "levelName": "\ud800"},
        {},
    ],
    ids=["unknown type", "transaction", "long", "null", "wrong types", "unstorable", "empty"],
)
def test_whatever_is_signed_is_kept_as_it_came_and_answered_with_200(http: FlaskClient, said: dict[str, Any]) -> None:
    body = json.dumps(said).encode()
    told(http)
    assert send(http, body).status_code == 200
    assert send(http, body).status_code == 200
    told(http)
    (kept,) = stored()
    assert bytes(kept.body or b"") == body and kept.effect is not None and kept.deliveries == 2


@pytest.mark.parametrize("body", [b"", b"nothing", b"[]", b"null", b'"{}"', b"[" * 50_000, b'{"a": NaN}', b"\xff\xfe"])
def test_what_is_signed_and_cannot_be_read_is_kept_and_a_person_is_asked(http: FlaskClient, body: bytes) -> None:
    assert send(http, body).status_code == 200
    assert send(http, body).status_code == 200
    (kept,) = stored()
    assert (kept.effect, bytes(kept.body or b"")) == ("unreadable", body)
    assert doubts() == ["unreadable"]


def test_a_body_that_is_too_large_is_refused_before_anything_is_made_of_it(http: FlaskClient) -> None:
    answer = send(http, b" " * (LARGEST + 1))
    assert (answer.status_code, answer.get_json()["code"]) == (413, "tooLarge")
    assert not stored()
    assert send(http, b'{"a": "%s"}' % (b"x" * (LARGEST - 9))).status_code == 200


def test_the_content_type_is_nothing_the_signature_depends_on(http: FlaskClient) -> None:
    body = body_of(event("applicantCreated", "somebody", 0))
    headers = {signature.DIGEST_HEADER: signature.sign(DEMO_WEBHOOK_SECRET, body)}
    answer = http.post(DOOR, data=body, content_type="text/plain", headers=headers)
    assert answer.status_code == 200


def test_a_token_opens_nothing_and_other_methods_are_refused(http: FlaskClient, machine: Any) -> None:
    from dashboard.access.permissions import Audience

    caller = machine(Audience.INTEGRATION)
    assert caller.call("POST", DOOR, json={"type": "applicantReviewed"}).status_code == 401
    assert http.get(DOOR).status_code == 405


def test_a_refusal_is_not_personal_and_names_no_secret(http: FlaskClient) -> None:
    answer = send(http, b'{"externalUserId": "Mari Ilves"}', digest="0" * 64)
    text = answer.get_data(as_text=True)
    assert "Mari" not in text and DEMO_WEBHOOK_SECRET not in text


def test_the_door_changes_no_client_by_itself(http: FlaskClient) -> None:
    client = person(system())
    told(http, event("applicantReviewed", client, 0, **GREEN), process=False)
    session().refresh(client)
    assert client.status == "inactive"
    assert (
        session().scalar(sa.select(sa.func.count()).select_from(QueueItem).where(QueueItem.queue == "verification"))
        == 0
    )
