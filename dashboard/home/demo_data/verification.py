"""What Sumsub told of some clients: events in every state of the page, taken in and processed by the product's own
verbs. Which clients, and what is said of them, depends on the seed alone."""

from __future__ import annotations

import json
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import system
from dashboard.clients.models import Client, ClientBlock
from dashboard.clients.services import activation_obstacle
from dashboard.clients.vocabulary import Status
from dashboard.database import session, transaction
from dashboard.onboarding.sumsub.services import processing, storing
from dashboard.onboarding.sumsub.vocabulary import Refusal, Source

_GREEN = {"reviewStatus": "completed", "reviewResult": {"reviewAnswer": "GREEN"}}
_RETRY = {
    "reviewStatus": "completed",
    "reviewResult": {
        "reviewAnswer": "RED", "reviewRejectType": "RETRY", "rejectLabels": ["UNSATISFACTORY_PHOTOS", "SCREENSHOTS"],
        "moderationComment": "The picture is not sharp. Please take another one of the document itself.",
        "clientComment": "A picture of a screen, twice.",
    },
}  # fmt: skip
_FINAL = {
    "reviewStatus": "completed",
    "reviewResult": {
        "reviewAnswer": "RED", "reviewRejectType": "FINAL", "rejectLabels": ["GRAPHIC_EDITOR", "FORGERY"],
        "moderationComment": "We could not verify the profile.",
        "clientComment": "The date of birth was edited.",
    },
}  # fmt: skip
_PENDING = {"reviewStatus": "pending"}


_Step = tuple[str, float, dict[str, Any]]


def _begun(hours: float) -> tuple[_Step, ...]:
    return ("applicantCreated", hours, {}), ("applicantPending", hours - 1, _PENDING)


class _Teller:
    def __init__(self, seed: int) -> None:
        self.random = Random(f"verification {seed}")  # noqa: S311 invents, protects nothing
        self.moment = clock.now()
        self.told = 0

    def hexadecimal(self, digits: int) -> str:
        return f"{self.random.getrandbits(4 * digits):0{digits}x}"

    def tell(self, client_id: UUID | str, kind: str, hours_ago: float, *, applicant: str, **fields: Any) -> None:
        """Take one event in as the door would."""
        at = self.moment - timedelta(hours=hours_ago, seconds=self.random.randrange(900))
        event = {
            "applicantId": applicant, "inspectionId": applicant[:-1] + "0", "applicantType": "individual",
            "correlationId": f"req-{self.hexadecimal(32)}", "levelName": "basic-kyc-level",
            "externalUserId": str(client_id), "type": kind, "sandboxMode": True, "reviewStatus": "init",
            "createdAtMs": f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03}", "clientId": "countinghouse-demo",
            **fields,
        }  # fmt: skip
        storing.accept(json.dumps(event, ensure_ascii=False).encode(), source=Source.WEBHOOK, secret_number=0)
        self.told += 1

    def life(self, client_id: UUID, *steps: _Step) -> None:
        """Events of one applicant, in the order in which they arrive, each processed before the next."""
        applicant = self.hexadecimal(24)
        for kind, hours_ago, fields in steps:
            self.tell(client_id, kind, hours_ago, applicant=applicant, **fields)
            with transaction():
                processing.process(applicant, by=system("Sumsub"))


def tell(seed: int) -> int:
    """Gives how many events were told; none where there are too few clients."""
    teller = _Teller(seed)
    with transaction():
        ready, flagged, active = _some(Status.INACTIVE, ready=True), _some(Status.INACTIVE), _some(Status.ACTIVE)
    if not ready or not active:
        return 0
    lives: tuple[tuple[list[UUID], tuple[tuple[_Step, ...], ...]], ...] = (
        (
            ready,
            (
                (*_begun(52), ("applicantReviewed", 50, _RETRY), ("applicantPending", 30, _PENDING),
                 ("applicantReviewed", 26, _GREEN), ("applicantReviewed", 51, _FINAL)),
                (*_begun(20), ("applicantReviewed", 18, _RETRY)),
                (*_begun(6), ("applicantOnHold", 4, {"reviewStatus": "onHold"})),
            ),
        ),
        (flagged, ((*_begun(70), ("applicantReviewed", 66, _GREEN)),)),
        (
            active,
            (
                (("applicantReviewed", 24 * 40, _GREEN), ("applicantPersonalInfoChanged", 5, _GREEN)),
                (("applicantReviewed", 24 * 60, _GREEN), ("applicantReviewed", 9, _FINAL)),
                (("applicantReviewed", 24 * 90, _GREEN), ("applicantReset", 28, {})),
                (("applicantReviewed", 24 * 12, _GREEN), ("applicantTagsChanged", 2, _GREEN)),
            ),
        ),
    )  # fmt: skip
    for clients, their in lives:
        # where there are fewer clients, there are fewer lives
        for client_id, steps in zip(clients, their, strict=False):
            teller.life(client_id, *steps)
    stranger = teller.hexadecimal(24)
    teller.tell("12672", "applicantCreated", 3, applicant=stranger)
    with transaction():
        processing.process(stranger, by=system("Sumsub"))
    storing.refuse(b'{"type":"applicantReviewed","reviewResult":{"reviewAnswer":"GREEN"}}', Refusal.WRONG)
    storing.refuse(b'{"type":"applicantReviewed"}', Refusal.MISSING)
    return teller.told + 2


def _some(status: Status, *, ready: bool | None = None) -> list[UUID]:
    """A few individuals of this status without a block; `ready`: nothing stands in the way of their activation."""
    blocked = sa.select(ClientBlock.id).where(ClientBlock.client_id == Client.id, ClientBlock.lifted_at.is_(None))
    query = (
        sa.select(Client)
        .where(Client.status == status.value, Client.type == "individual", ~blocked.exists())
        .order_by(Client.created_at.desc(), Client.id)
        .limit(60)
    )
    found = list(session().scalars(query))
    if status is Status.INACTIVE:
        found = [client for client in found if (activation_obstacle(client) is None) is (ready is True)]
    return [client.id for client in found][:6]
