"""What the database refuses of positions: thresholds beside their approval, figures frozen beside their day."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import system
from dashboard.approvals import services as approvals
from dashboard.database import session, transaction
from dashboard.treasury.days import readiness, services
from dashboard.treasury.positions.services import thresholds, working_out
from tests.conftest import People
from tests.treasury.positions.conftest import House


@pytest.fixture
def house(app: Flask, people: People) -> House:
    return House(people)


def _refused_by(name: str, statement: str, **values: Any) -> None:
    with pytest.raises(sa.exc.IntegrityError) as caught, session().begin_nested():
        session().execute(sa.text(statement), values)
        session().execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))
    assert name in str(caught.value.orig.diag.constraint_name)  # type: ignore[union-attr]


def _decided(house: House, amount: int) -> UUID:
    with transaction():
        request = thresholds.ask("eMoney", "eur", "lateAbove", amount, reason="x", by=house.treasurer)
    with transaction():
        return approvals.decide(request.id, approve=True, reason="y", by=house.senior).id


def test_a_threshold_says_what_its_own_approval_says(house: House) -> None:
    first, second = _decided(house, 1_00), _decided(house, 2_00)
    change = "UPDATE treasury_threshold SET approval_id = :id, amount_minor = :amount"
    _refused_by("treasury_threshold_by_two", change, id=first, amount=999_999_99)
    _refused_by("treasury_threshold_by_two", change, id=first, amount=1_00)
    _refused_by("treasury_threshold_by_two", change, id=second, amount=3_00)
    _refused_by("treasury_threshold_by_two", f"{change}, changed_at = '2020-01-01'", id=first, amount=1_00)
    with transaction():
        request = thresholds.ask("eMoney", "eur", "lateAbove", None, reason="x", by=house.treasurer)
        approvals.decide(request.id, approve=True, reason="y", by=house.senior)
        session().execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))


def test_figures_of_an_open_day_are_not_frozen(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    day: date = house.covered(house.bank(), house.client(), 100_00)
    with transaction():
        working_out.work_out("eMoney", "eur", day, by=system())
    _refused_by("treasury_position_frozen_by_preparing", "UPDATE treasury_position SET frozen_at = now()")
    monkeypatch.setattr(readiness, "_blockers", {})
    with transaction():
        assert services.prepare("eMoney", "eur", day, by=house.treasurer).state == "prepared"
