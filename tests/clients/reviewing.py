"""Clients whose review is due, and the days that pass."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from dashboard import clock
from dashboard.clients.models import Client, ClientReviewPlan
from dashboard.clients.services.review import latest_day
from dashboard.database import session
from tests.clients.making import activated, person


def plan_of(client: Client | UUID) -> ClientReviewPlan:
    client_id = client if isinstance(client, UUID) else client.id
    plan = session().get(ClientReviewPlan, client_id, populate_existing=True)
    assert plan is not None
    return plan


def today() -> date:
    return clock.calendar().today()


def in_months(months: int) -> date:
    return latest_day(today(), months)


def active(maker: Any, senior: Any, **options: Any) -> Client:
    """An active individual without anything doubtful."""
    return activated(person(maker, **options), maker, senior)


class Clock:
    """`pass_days` lets calendar days pass, `pass_business_days` until the evening after so many business days."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._real, self._ahead = clock.now, timedelta(0)
        monkeypatch.setattr(clock, "now", lambda: self._real() + self._ahead)

    def pass_days(self, count: int) -> None:
        self._ahead += timedelta(days=count)

    def to(self, moment: datetime) -> None:
        """The moment itself, and a second."""
        self._ahead = moment - self._real() + timedelta(seconds=1)


@pytest.fixture
def days(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def items(client: Client, queue: str = "client-reviews") -> list[Any]:
    return list(
        session().execute(
            sa.text(
                "SELECT cause, due_at, assignee_id FROM queue_item"
                " WHERE object_id = :id AND queue = :queue AND closed_at IS NULL"
            ),
            {"id": client.id, "queue": queue},
        )
    )
