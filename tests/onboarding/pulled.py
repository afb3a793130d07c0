"""A house that Sumsub tells things, and that asks it: clients, webhooks, and work done at once instead of later."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import system
from dashboard.background import kinds
from dashboard.background import services as background
from dashboard.background.models import BackgroundJob
from dashboard.background.runner import Run
from dashboard.clients.models import Client
from dashboard.database import session, transaction
from dashboard.onboarding.pulling.models import SumsubQuestion, VerificationDifference
from dashboard.onboarding.sumsub.models import SumsubApplicant, SumsubEvent
from dashboard.onboarding.sumsub.port import connecting
from dashboard.onboarding.sumsub.services import processing, storing
from dashboard.onboarding.sumsub.vocabulary import Source
from dashboard.settings import Settings, SumsubAccess
from tests.clients.making import person
from tests.onboarding.stand_in import KEY, TOKEN, Applicant, StandIn

BY = system("test")


def connect(configured: Settings, there: StandIn | None, **options: Any) -> None:
    """Let this process ask the stand-in, as fast as it likes."""
    access = SumsubAccess(there.url, TOKEN, KEY) if there else None
    connecting.install(replace(configured, sumsub_access=access, sumsub_requests_per_second=10_000, **options))


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def ago(**parts: float) -> datetime:
    return now() - timedelta(**parts)


class House:
    """One client and its applicant, here and at Sumsub."""

    def __init__(self, there: StandIn, **options: Any) -> None:
        number = uuid.uuid4().hex[:20]
        self.there = there
        self.client = person(BY, last=f"Tamm {number[:6]}", **options)
        self.applicant_id = f"a{number}"

    @property
    def status(self) -> str:
        session().expire_all()
        found = session().get(Client, self.client.id)
        assert found is not None
        return found.status

    @property
    def state(self) -> str | None:
        session().expire_all()
        return session().scalar(
            sa.select(SumsubApplicant.state).where(SumsubApplicant.applicant_id == self.applicant_id)
        )

    def told(
        self, kind: str, at: datetime, status: str, result: Mapping[str, Any] | None = None, **fields: Any
    ) -> None:
        """A webhook comes and is processed."""
        body = {
            "applicantId": self.applicant_id,
            "correlationId": f"req-{uuid.uuid4()}",
            "externalUserId": str(self.client.id),
            "levelName": "basic-kyc-level",
            "type": kind,
            "reviewStatus": status,
            "createdAtMs": at.strftime("%Y-%m-%d %H:%M:%S.") + f"{at.microsecond // 1000:03d}",
            **({"reviewResult": dict(result)} if result else {}),
            **fields,
        }
        with transaction():
            storing.accept(json.dumps(body).encode(), source=Source.WEBHOOK)
        with transaction():
            processing.process(self.applicant_id, by=BY, wait=True)

    def told_green(self, at: datetime) -> None:
        self.told("applicantReviewed", at, "completed", {"reviewAnswer": "GREEN"})

    def told_red(self, at: datetime, kind: str = "RETRY", labels: tuple[str, ...] = ("SCREENSHOTS",)) -> None:
        result = {"reviewAnswer": "RED", "reviewRejectType": kind, "rejectLabels": list(labels)}
        self.told("applicantReviewed", at, "completed", result)

    def told_pending(self, at: datetime) -> None:
        self.told("applicantPending", at, "pending")

    def there_is(self, status: str, answer: str | None = None, **fields: Any) -> Applicant:
        """How the applicant stands at Sumsub."""
        for name in ("create_date", "review_date"):
            if isinstance(fields.get(name), datetime):
                fields[name] = fields[name].timestamp()
        return self.there.add(Applicant(self.applicant_id, str(self.client.id), status, answer, **fields))

    def events(self, source: str = "pull") -> list[SumsubEvent]:
        query = sa.select(SumsubEvent).where(
            SumsubEvent.applicant_id == self.applicant_id, SumsubEvent.source == source
        )
        return list(session().scalars(query.order_by(SumsubEvent.id)))

    def differences(self) -> list[VerificationDifference]:
        query = sa.select(VerificationDifference).where(VerificationDifference.applicant_id == self.applicant_id)
        return list(session().scalars(query.order_by(VerificationDifference.id)))

    def question(self) -> SumsubQuestion | None:
        """The newest one."""
        about = sa.or_(
            SumsubQuestion.applicant_id == self.applicant_id, SumsubQuestion.client_id == self.client.id
        )  # fmt: skip
        return session().scalar(sa.select(SumsubQuestion).where(about).order_by(SumsubQuestion.id.desc()).limit(1))


def do(kind: str, stop: threading.Event | None = None) -> dict[str, Any] | None:
    """Do the oldest work of a kind that waits, here and now; gives its result, None where nothing waits."""
    with transaction():
        claimed = background.claim([kind])
    if claimed is None:
        return None
    result = kinds.kind_of(kind).run(Run(claimed, stop or threading.Event()))
    with transaction():
        background.succeed(claimed, result)
    session().expire_all()
    return result


def jobs_of(app: Flask, kind: str) -> int:
    return session().scalar(
        sa.select(sa.func.count()).select_from(BackgroundJob).where(BackgroundJob.kind == kind)
    ) or 0  # fmt: skip
