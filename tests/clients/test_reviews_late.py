"""What the passing of days does: a review enters the queue, is raised to senior officers, and at last restricts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Role
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.clients import periods, queries, services
from dashboard.clients.models import Client
from dashboard.clients.profile import Document
from dashboard.clients.services.lock import locked
from dashboard.clients.vocabulary import CLIENT_TEXTS, BlockCode, Scope
from dashboard.database import session, transaction
from dashboard.errors import Conflict
from dashboard.home import worklist
from dashboard.jobs import schedule
from dashboard.queues import services as queue_services
from tests.clients.making import blocked, person
from tests.clients.reviewing import Clock, active, days, items, plan_of, today

__all__ = ["days"]


@pytest.fixture
def officer(people: Any) -> Actor:
    return people.actor(Role.OFFICER)


@pytest.fixture
def senior(people: Any) -> Actor:
    return people.actor(Role.SENIOR_OFFICER)


@pytest.fixture
def night(app: Any) -> Any:
    """Runs the job of the night and gives its figures."""
    return lambda: schedule.review_clients(app.extensions["countinghouse.settings"])


@pytest.fixture
def soon(officer: Actor, senior: Actor) -> Client:
    """Active; its passport runs out in 40 days."""
    return active(officer, senior, document=Document(number="K1", expiration_date=today() + timedelta(days=40)))


def late_by(days: Clock, client: Client, business_days: int) -> None:
    """Until just after the close of so many business days after it was due."""
    due_at = plan_of(client).due_at
    assert due_at is not None
    days.to(clock.calendar().due_after(due_at, business_days))


def test_a_review_enters_the_queue_within_its_lead_time_and_is_due_on_its_day(
    soon: Client, days: Clock, night: Any
) -> None:
    assert night()["entered"] == 0 and items(soon) == []
    days.pass_days(15)
    assert night()["entered"] == 1
    (item,) = items(soon)
    assert item.due_at == plan_of(soon).due_at == clock.calendar().closing(plan_of(soon).next_on)
    assert night()["entered"] == 0, "once"


def test_what_is_due_already_still_leaves_days_to_do_it(soon: Client, days: Clock, night: Any) -> None:
    days.pass_days(400)
    night()
    assert plan_of(soon).due_at == clock.calendar().due_after(clock.now(), 5)


def test_a_client_that_is_not_active_is_never_asked_for(officer: Actor, days: Clock, night: Any) -> None:
    client = person(officer, risk_level=3)
    days.pass_days(800)
    assert set(night().values()) == {0}
    assert items(client) == []


def test_only_so_many_enter_on_one_day_the_most_urgent_first(
    officer: Actor, senior: Actor, days: Clock, night: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = [
        active(officer, senior, first=f"No{number}", email=f"no{number}@mail.example", phone_number=None,
               document=Document(number=f"K{number}", expiration_date=today() + timedelta(days=60 - number)))
        for number in range(3)
    ]  # fmt: skip
    monkeypatch.setattr(periods, "_installed", [replace(periods.periods(), daily=2)])
    days.pass_days(45)
    assert night()["entered"] == 2
    assert night()["entered"] == 0
    assert [bool(items(client)) for client in clients] == [False, True, True]
    days.pass_days(1)
    assert night()["entered"] == 1


def test_a_late_review_is_raised_to_senior_officers_with_the_clock_of_its_restriction(
    soon: Client, days: Clock, night: Any, officer: Actor, senior: Actor, signed_in: Any
) -> None:
    days.pass_days(15)
    night()
    late_by(days, soon, 0)
    assert night()["escalated"] == 0, "late, but not by the days"
    assert items(soon, "overdue-reviews") == []
    late_by(days, soon, 5)
    assert night()["escalated"] == 1
    (raised,) = items(soon, "overdue-reviews")
    assert raised.due_at == clock.calendar().due_after(plan_of(soon).due_at, 20)
    assert night()["escalated"] == 0, "once"
    assert "overdue-reviews" in [key for key, queue in worklist.QUEUES.items() if queue.worked_by(senior)]
    assert "overdue-reviews" not in [key for key, queue in worklist.QUEUES.items() if queue.worked_by(officer)]
    assert signed_in(Role.OFFICER).get("/queues/overdue-reviews").status_code == 403
    page = signed_in(Role.SENIOR_OFFICER).get("/queues/overdue-reviews").text
    assert "Mari Ilves" in page and f"/clients/{soon.id}/review" in page


def test_at_last_the_debits_stop_once_and_the_client_reads_nothing_of_why(
    soon: Client, days: Clock, night: Any, officer: Actor, senior: Actor
) -> None:
    days.pass_days(15)
    night()
    late_by(days, soon, 19)
    assert night()["restricted"] == 0
    late_by(days, soon, 20)
    assert night()["restricted"] == 1
    session().refresh(soon)
    (block,) = queries.blocks_of(soon.id, actor=officer)
    assert (soon.status, block.scope, block.code) == ("blocked", Scope.DEBIT, BlockCode.KYC_EXPIRED)
    assert block.placed_by_kind == "system"
    assert block.client_text == CLIENT_TEXTS["contact"][1]
    # two people lift it although nobody has reviewed: the night does not contradict them
    with transaction():
        asked = services.ask_to_unblock(block.id, reason="Papers are on their way", by=officer)
    with transaction():
        approvals.decide(asked.id, approve=True, reason=None, by=senior)
    days.pass_days(3)
    assert night()["restricted"] == 0
    session().refresh(soon)
    assert soon.status == "active"


def test_a_block_for_the_same_reason_that_stands_already_is_no_second_one(
    soon: Client, days: Clock, night: Any, officer: Actor
) -> None:
    days.pass_days(15)
    night()
    placed = blocked(soon, officer, code=BlockCode.KYC_EXPIRED, scope=Scope.ALL)
    late_by(days, soon, 20)
    assert night()["restricted"] == 0
    assert [block.id for block in queries.blocks_of(soon.id, actor=officer)] == [placed.id]
    assert plan_of(soon).restriction_block_id == placed.id


def test_completing_the_review_settles_both_queues_and_lifts_nothing_by_itself(
    soon: Client, days: Clock, night: Any, officer: Actor, senior: Actor
) -> None:
    days.pass_days(15)
    night()
    late_by(days, soon, 20)
    night()
    session().execute(
        sa.text("UPDATE individual SET document_expiration_date = :day WHERE client_id = :id"),
        {"day": today() + timedelta(days=3000), "id": soon.id},
    )
    with transaction():
        done = services.complete_review(
            soon.id, risk_level=2, outcome="continue", reasons="New passport seen", lift_restriction=True, by=officer
        )
    assert items(soon) == items(soon, "overdue-reviews") == []
    session().refresh(soon)
    assert soon.status == "blocked"
    plan = plan_of(soon)
    assert (plan.due_at, plan.escalated_at, plan.restricted_at) == (None, None, None)
    request = session().scalar(sa.select(ApprovalRequest).where(ApprovalRequest.kind == "client.unblock"))
    assert request is not None and request.object_id == plan.restriction_block_id
    with transaction():
        approvals.decide(request.id, approve=True, reason=None, by=senior)
    session().refresh(soon)
    assert soon.status == "active"
    assert done.next_on == plan.next_on
    late = night()
    assert (late["escalated"], late["restricted"]) == (0, 0)


def test_who_has_the_item_keeps_it_when_it_becomes_due_earlier(
    soon: Client, days: Clock, night: Any, officer: Actor
) -> None:
    days.pass_days(15)
    night()
    item_id = session().scalar(
        sa.text("SELECT id FROM queue_item WHERE object_id = :id AND queue = 'client-reviews'"), {"id": soon.id}
    )
    with transaction():
        queue_services.take(item_id, by=officer)
    before = plan_of(soon).due_at
    with transaction():
        client = locked(soon.id)
        services.raise_risk(client, risk_level=4, reason="A hit", by=officer)
    (item,) = items(soon)
    assert item.assignee_id == officer.id
    assert before is not None and item.due_at == plan_of(soon).due_at <= before


def test_a_higher_risk_gives_a_late_review_no_more_time(soon: Client, days: Clock, night: Any, officer: Actor) -> None:
    days.pass_days(15)
    night()
    late_by(days, soon, 5)
    night()
    before = plan_of(soon).due_at
    with transaction():
        services.raise_risk(locked(soon.id), risk_level=3, reason="Country", by=officer)
    assert plan_of(soon).due_at == before
    assert plan_of(soon).escalated_at is not None


def test_a_run_that_is_broken_off_is_finished_by_the_next_one(
    officer: Actor, senior: Actor, days: Clock, night: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = [
        active(officer, senior, first=f"No{number}", email=None, phone_number=None,
               document=Document(number=f"K{number}", expiration_date=today() + timedelta(days=40)))
        for number in range(2)
    ]  # fmt: skip
    days.pass_days(15)
    real, calls = schedule.overdue.look, []

    def killed(client_id: Any, *, by: Actor) -> None:
        calls.append(client_id)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(client_id, by=by)

    monkeypatch.setattr(schedule.overdue, "look", killed)
    with pytest.raises(KeyboardInterrupt):
        night()
    monkeypatch.setattr(schedule.overdue, "look", real)
    assert sum(bool(items(client)) for client in clients) == 1
    assert night()["entered"] == 1
    assert all(items(client) for client in clients)


def test_a_client_that_fails_keeps_nobody_else_waiting(
    officer: Actor, senior: Actor, days: Clock, night: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = [
        active(officer, senior, first=f"No{number}", email=None, phone_number=None,
               document=Document(number=f"K{number}", expiration_date=today() + timedelta(days=40 + number)))
        for number in range(2)
    ]  # fmt: skip
    days.pass_days(20)
    real = schedule.overdue.look

    def failing(client_id: Any, *, by: Actor) -> None:
        if client_id == clients[0].id:
            raise Conflict("Somebody else has it.")
        real(client_id, by=by)

    monkeypatch.setattr(schedule.overdue, "look", failing)
    figures = night()
    assert (figures["entered"], figures["failed"]) == (1, 1)
    assert [bool(items(client)) for client in clients] == [False, True]
