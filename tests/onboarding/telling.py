"""What Sumsub would send, told to the product's own door, and processed as the worker does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask.testing import FlaskClient

from dashboard.clients.models import Client, ClientVerification, VerificationDecision
from dashboard.database import new_id, session
from dashboard.onboarding.sumsub import signature, worker
from dashboard.onboarding.sumsub.models import SumsubEvent
from dashboard.onboarding.sumsub.vocabulary import Algorithm
from dashboard.queues.models import QueueItem
from dashboard.settings import DEMO_WEBHOOK_SECRET

DOOR = "/integration/sumsub-webhooks/update-state"
START = datetime(2026, 2, 4, 10, 0, tzinfo=UTC)
GREEN = {"reviewStatus": "completed", "reviewResult": {"reviewAnswer": "GREEN"}}
RETRY = {
    "reviewStatus": "completed",
    "reviewResult": {
        "reviewAnswer": "RED",
        "reviewRejectType": "RETRY",
        "rejectLabels": ["UNSATISFACTORY_PHOTOS"],
        "moderationComment": "Please send a sharper picture.",
        "clientComment": "Corners are cut off.",
    },
}
FINAL = {
    "reviewStatus": "completed",
    "reviewResult": {
        "reviewAnswer": "RED",
        "reviewRejectType": "FINAL",
        "rejectLabels": ["FORGERY", "A_LABEL_NOBODY_KNOWS"],
        "moderationComment": "We could not verify you.",
        "clientComment": "The document is a forgery.",
    },
}


def event(kind: str, about: Client | UUID | str, minute: float, **fields: Any) -> dict[str, Any]:
    """An event `minute` minutes after the beginning. The applicant's id follows from the client's."""
    client_id = str(about.id if isinstance(about, Client) else about)
    at = START + timedelta(minutes=minute)
    told = {
        "applicantId": client_id.replace("-", "")[-24:],
        "inspectionId": "0" * 24,
        "applicantType": "individual",
        "correlationId": f"req-{new_id()}",
        "levelName": "basic-kyc",
        "externalUserId": client_id,
        "type": kind,
        "sandboxMode": False,
        "reviewStatus": "init",
        "createdAtMs": f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03}",
        "clientId": "house",
        **fields,
    }
    return {name: value for name, value in told.items() if value is not ...}


def body_of(told: dict[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False).encode()


def send(
    http: FlaskClient, body: bytes | dict[str, Any], *, secret: str = DEMO_WEBHOOK_SECRET, **headers: str | None
) -> Any:
    """Deliver to the door, signed; `digest` and `alg` replace the headers, None leaves one out."""
    raw = body if isinstance(body, bytes) else body_of(body)
    sent = {"digest": signature.sign(secret, raw), "alg": Algorithm.SHA256.value, **headers}
    named = {"digest": signature.DIGEST_HEADER, "alg": signature.ALGORITHM_HEADER}
    return http.post(
        DOOR, data=raw, content_type="application/json",
        headers={named[name]: value for name, value in sent.items() if value is not None},
    )  # fmt: skip


def told(http: FlaskClient, *events: dict[str, Any], process: bool = True) -> None:
    """Deliver these, each answered with 200, and process what waits."""
    for one in events:
        answer = send(http, one)
        assert answer.status_code == 200, answer.get_data(as_text=True)
    if process:
        work()


def work() -> None:
    """Until nothing waits any more."""
    while worker.work_once() or worker.work_once(arrived=True):
        pass


def stored(**having: Any) -> Sequence[SumsubEvent]:
    return session().scalars(
        sa.select(SumsubEvent).filter_by(**having).order_by(SumsubEvent.id).execution_options(populate_existing=True)
    ).all()  # fmt: skip


def decisions(client: Client) -> list[tuple[str, str]]:
    """(outcome, effect) in the order in which they were made."""
    rows = session().execute(
        sa.select(VerificationDecision.outcome, VerificationDecision.effect)
        .where(VerificationDecision.client_id == client.id)
        .order_by(VerificationDecision.id)
    )
    return [(row[0], row[1]) for row in rows]


def verification(client: Client) -> ClientVerification:
    found = session().get(ClientVerification, client.id, populate_existing=True)
    assert found is not None
    return found


def status(client: Client) -> str:
    return str(session().scalar(sa.select(Client.status).where(Client.id == client.id)))


def doubts(client: Client | None = None) -> list[str]:
    """Causes of the open items in the queue of verification doubts."""
    query = sa.select(QueueItem.cause).where(QueueItem.queue == "verification", QueueItem.closed_at.is_(None))
    if client is not None:
        query = query.where(QueueItem.client_id == client.id)
    return sorted(session().scalars(query))
