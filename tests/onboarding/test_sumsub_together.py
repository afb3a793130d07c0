"""Webhooks and answers about the same applicants at the same time, with real commits."""

from __future__ import annotations

import json
import threading
import uuid

import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import system
from dashboard.background import runner
from dashboard.clients.models import VerificationDecision
from dashboard.database import session, transaction
from dashboard.onboarding.pulling.models import SumsubQuestion
from dashboard.onboarding.pulling.services import asking, questions
from dashboard.onboarding.pulling.vocabulary import Reason
from dashboard.onboarding.sumsub import worker
from dashboard.onboarding.sumsub.services import storing
from dashboard.onboarding.sumsub.vocabulary import Source
from dashboard.settings import Settings
from tests.onboarding.pulled import House, ago, connect
from tests.onboarding.stand_in import standing_in

HOUSES = 10


def test_a_webhook_and_an_answer_at_the_same_moment_open_each_client_once(
    committed: Flask, configured: Settings
) -> None:
    with standing_in() as there:
        connect(configured, there)
        try:
            _together(committed, there)
        finally:
            connect(configured, None)


def _together(committed: Flask, there: object) -> None:
    houses = [House(there) for _ in range(HOUSES)]  # type: ignore[arg-type]
    for house in houses:
        house.told_pending(ago(hours=3))
        house.there_is("completed", "GREEN", create_date=ago(hours=3), review_date=ago(hours=1))
    with transaction():
        for house in houses:
            questions.ask_about(
                Reason.SILENT, applicant_id=house.applicant_id, client_id=house.client.id, by=system()
            )  # fmt: skip
        asking.ask_due(by=system())
    session().close()
    stop, failures = threading.Event(), []

    def tell() -> None:
        with committed.app_context():
            for house in houses:
                for _ in range(2):
                    storing.accept(_green(house), source=Source.WEBHOOK)

    def guarded(what: object, *arguments: object) -> None:
        try:
            what(*arguments)  # type: ignore[operator]
        except Exception as error:
            failures.append(error)

    threads = [
        threading.Thread(target=guarded, args=(worker.work, committed, stop, number)) for number in range(2)
    ]  # fmt: skip
    threads += [threading.Thread(target=guarded, args=(runner.work, committed, stop)) for _ in range(2)]
    for thread in threads:
        thread.start()
    guarded(tell)
    waited = threading.Event()
    for _ in range(200):
        session().rollback()
        open_ = session().scalar(
            sa.select(sa.func.count()).select_from(SumsubQuestion).where(SumsubQuestion.ended_at.is_(None))
        )
        waiting = session().scalar(sa.text("SELECT count(*) FROM sumsub_event WHERE processed_at IS NULL"))
        active = session().scalar(sa.text("SELECT count(*) FROM client WHERE status = 'active'"))
        if (open_, waiting, active) == (0, 0, HOUSES):
            break
        waited.wait(0.05)
    stop.set()
    for thread in threads:
        thread.join(10)
    assert failures == []
    session().rollback()
    assert session().scalar(sa.text("SELECT count(*) FROM client WHERE status = 'active'")) == HOUSES
    activated = sa.select(sa.func.count()).select_from(VerificationDecision).where(
        VerificationDecision.effect == "activated"
    )  # fmt: skip
    assert session().scalar(activated) == HOUSES
    for source in ("webhook", "pull"):
        count = sa.text("SELECT count(*) FROM sumsub_event WHERE source = :source AND answer = 'GREEN'")
        assert session().scalar(count, {"source": source}) == HOUSES


_bodies: dict[str, bytes] = {}


def _green(house: House) -> bytes:
    """The same body each time: a webhook that comes twice."""
    if house.applicant_id not in _bodies:
        body = {
            "applicantId": house.applicant_id,
            "externalUserId": str(house.client.id),
            "correlationId": f"req-{uuid.uuid4()}",
            "levelName": "basic-kyc-level",
            "type": "applicantReviewed",
            "reviewStatus": "completed",
            "reviewResult": {"reviewAnswer": "GREEN"},
            "createdAtMs": ago(hours=1).strftime("%Y-%m-%d %H:%M:%S.321"),
        }
        _bodies[house.applicant_id] = json.dumps(body).encode()
    return _bodies[house.applicant_id]
