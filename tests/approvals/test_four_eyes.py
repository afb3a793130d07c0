"""Four eyes: who may decide, what becomes of a request, and that the database agrees."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission, Role
from dashboard.approvals import queries, services
from dashboard.approvals.models import ApprovalRequest
from dashboard.approvals.rows import rows
from dashboard.clients import services as clients
from dashboard.clients.calendar import calendar
from dashboard.clients.models import Client
from dashboard.clients.profile import IndividualProfile
from dashboard.clients.vocabulary import BlockCode
from dashboard.database import constraint_of, db, new_id, savepoint, session, transaction
from dashboard.errors import Conflict, Forbidden, Invalid
from tests.conftest import People

IDLE = timedelta(minutes=30)


@pytest.fixture
def officer(people: People) -> Actor:
    return people.actor(Role.OFFICER)


@pytest.fixture
def colleague(people: People) -> Actor:
    return people.actor(Role.OFFICER, "Liis Saar")


@pytest.fixture
def senior(people: People) -> Actor:
    return people.actor(Role.SENIOR_OFFICER)


def asked(by: Actor) -> ApprovalRequest:
    """A request to activate a fresh client by hand."""
    with transaction():
        client = clients.create(IndividualProfile(first_name="Mari", last_name="Ilves", risk_level=1), by=by)
    with transaction():
        return clients.ask_to_activate(client.id, reason="papers seen", by=by)


def asked_to_unblock(by: Actor, code: BlockCode = BlockCode.FRAUD) -> ApprovalRequest:
    with transaction():
        client = clients.create(IndividualProfile(first_name="Mari", last_name="Ilves", risk_level=1), by=by)
    with transaction():
        block = clients.block(client.id, code=code, by=by)
    with transaction():
        return clients.ask_to_unblock(block.id, reason="invoice 4410 proved", by=by)


def decide(request: ApprovalRequest, by: Actor, *, approve: bool = True, reason: str | None = None) -> ApprovalRequest:
    with transaction():
        return services.decide(request.id, approve=approve, reason=reason, by=by)


def status(request: ApprovalRequest) -> str:
    return session().scalars(sa.select(Client.status).where(Client.id == request.client_id)).one()


def later(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    """The clock moves, not the request, which nobody may change."""
    monkeypatch.setattr(clock, "now", lambda: moment)


# who decides


def test_a_maker_cannot_approve_their_own_request(senior: Actor) -> None:
    request = asked(senior)
    with pytest.raises(Forbidden) as refusal:
        decide(request, senior)
    assert refusal.value.code == "mayNotDecide"
    assert status(request) == "inactive"


def test_the_owner_of_the_token_that_asked_cannot_decide(senior: Actor, officer: Actor) -> None:
    token = Actor(
        kind="token", id=new_id(), name="front office", role="system",
        permissions=frozenset({Permission.CLIENTS_ACTIVATE}), owner_id=senior.id,
    )  # fmt: skip
    with transaction():
        client = clients.create(IndividualProfile(first_name="A", last_name="B", risk_level=1), by=officer)
        request = clients.ask_to_activate(client.id, reason="asked by a machine", by=token)
    with pytest.raises(Forbidden, match="Your token asked"):
        decide(request, senior)


def test_of_two_officers_neither_of_whom_is_senior_nobody_can_decide(officer: Actor, colleague: Actor) -> None:
    request = asked(officer)
    with pytest.raises(Forbidden, match="One of the two must be senior"):
        decide(request, colleague)
    assert status(request) == "inactive"


def test_a_senior_person_approves_what_an_officer_asked(officer: Actor, senior: Actor) -> None:
    request = decide(asked(officer), senior)
    assert (request.state, request.decided_by) == ("approved", senior.id)
    assert status(request) == "active"


def test_an_officer_approves_what_a_senior_person_asked(officer: Actor, senior: Actor) -> None:
    request = decide(asked(senior), officer)
    assert request.state == "approved"
    assert status(request) == "active"


def test_a_senior_person_of_another_trade_cannot_decide(officer: Actor, people: People) -> None:
    request = asked(officer)
    with pytest.raises(Forbidden, match="Your role cannot decide this"):
        decide(request, people.actor(Role.SENIOR_TREASURER))


def test_the_request_names_who_may_decide_and_neither_the_maker_nor_juniors(
    officer: Actor, colleague: Actor, senior: Actor, people: People
) -> None:
    people.member(Role.TREASURER)
    request = asked(officer)
    found = queries.deciders([request], idle=IDLE)[request.id]
    assert [person.id for person in found] == [senior.id]
    by_senior = asked(senior)
    found = queries.deciders([by_senior], idle=IDLE)[by_senior.id]
    assert {person.id for person in found} == {officer.id, colleague.id}


def test_when_nobody_can_decide_the_request_says_so(officer: Actor) -> None:
    request = asked(officer)
    assert "Nobody" in rows([request], actor=officer, idle=IDLE)[0].who_can


# what becomes of it


def test_a_rejection_needs_a_reason(officer: Actor, senior: Actor) -> None:
    request = asked(officer)
    with pytest.raises(Invalid) as refusal:
        decide(request, senior, approve=False, reason="  ")
    assert refusal.value.errors[0].field == "reason"
    session().refresh(request)
    assert request.state == "requested"
    request = decide(request, senior, approve=False, reason="the passport is missing")
    assert (request.state, request.decision_reason) == ("rejected", "the passport is missing")
    assert status(request) == "inactive"


def test_only_the_maker_withdraws(officer: Actor, senior: Actor) -> None:
    request = asked(officer)
    with pytest.raises(Forbidden), transaction():
        services.withdraw(request.id, by=senior)
    with transaction():
        assert services.withdraw(request.id, by=officer).state == "withdrawn"


def test_the_same_request_is_not_opened_twice_and_can_be_opened_again_once_closed(officer: Actor) -> None:
    request = asked(officer)
    with pytest.raises(Conflict) as refusal, transaction():
        clients.ask_to_activate(request.object_id, reason="again", by=officer)
    assert refusal.value.details["requestId"] == str(request.id)
    with transaction():
        services.withdraw(request.id, by=officer)
    with transaction():
        assert clients.ask_to_activate(request.object_id, reason="again", by=officer).state == "requested"


def test_a_request_whose_time_is_over_is_expired_and_nothing_is_done(
    officer: Actor, senior: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = asked(officer)
    later(monkeypatch, request.expires_at + timedelta(seconds=1))
    assert decide(request, senior).state == "expired"
    assert status(request) == "inactive"


def test_what_nobody_decides_expires_by_the_clock(officer: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    request = asked(officer)
    with transaction():
        assert services.expire_due() == 0
    later(monkeypatch, request.expires_at)
    with transaction():
        assert services.expire_due() == 1
    session().refresh(request)
    assert request.state == "expired"


def test_a_request_waits_for_those_who_may_decide_it_and_for_nobody_else(
    officer: Actor, colleague: Actor, senior: Actor, people: People
) -> None:
    request = asked(officer)
    days = calendar()
    waiting = {
        actor.name: [r.id for r in queries.page(actor=actor, view="me", calendar=days)]
        for actor in (officer, colleague, senior, people.actor(Role.TREASURER))
    }
    assert waiting.pop(senior.name) == [request.id]
    assert all(found == [] for found in waiting.values())
    assert queries.count_for(senior, days).unassigned == queries.waiting_for(senior) == 1
    assert queries.count_for(colleague, days).everybody == queries.waiting_for(colleague) == 0


def test_the_reason_of_an_unblock_is_masked_for_who_may_not_know_it(officer: Actor, people: People) -> None:
    request = asked_to_unblock(officer)
    treasurer = people.actor(Role.TREASURER)
    auditor = people.actor(Role.AUDITOR)
    assert rows([request], actor=treasurer, idle=IDLE)[0].reason == "Internal reason"
    assert rows([request], actor=auditor, idle=IDLE)[0].reason == "invoice 4410 proved"


def test_the_reason_of_a_rejected_unblock_is_masked_too(officer: Actor, senior: Actor, people: People) -> None:
    request = decide(asked_to_unblock(officer), senior, approve=False, reason="the report is still open")
    assert rows([request], actor=people.actor(Role.TREASURER), idle=IDLE)[0].decision_reason == "Internal reason"


# the database agrees


def refused(statement: str, **values: Any) -> str | None:
    """The constraint or trigger that stops a statement the application is not supposed to send."""
    with pytest.raises(sa.exc.IntegrityError) as caught, savepoint():
        session().execute(sa.text(statement), values)
    return constraint_of(caught.value)


APPROVE = (
    "UPDATE approval_request SET state = 'approved', closed_at = now(), decided_by = :who, decider_name = 'x',"
    " decider_senior = :senior WHERE id = :id"
)


def test_the_database_refuses_a_maker_who_decides(senior: Actor) -> None:
    request = asked(senior)
    assert refused(APPROVE, who=senior.id, senior=True, id=request.id) == "ck_approval_request_two_people"


def test_the_database_refuses_two_people_neither_of_whom_is_senior(officer: Actor, colleague: Actor) -> None:
    request = asked(officer)
    assert refused(APPROVE, who=colleague.id, senior=False, id=request.id) == "ck_approval_request_one_of_two_is_senior"


def test_the_database_refuses_a_rejection_without_a_reason(officer: Actor, senior: Actor) -> None:
    request = asked(officer)
    statement = APPROVE.replace("'approved'", "'rejected'")
    assert refused(statement, who=senior.id, senior=True, id=request.id) == "ck_approval_request_rejection_has_a_reason"


@pytest.mark.parametrize("change", ["state = 'approved'", "decision_reason = 'other'", "closed_at = now()"])
def test_a_closed_request_cannot_be_changed(officer: Actor, senior: Actor, change: str) -> None:
    request = decide(asked(officer), senior, approve=False, reason="no")
    assert refused(f"UPDATE approval_request SET {change} WHERE id = :id", id=request.id) == "approval_request_is_final"


@pytest.mark.parametrize(
    "change", ["reason = 'other'", "maker_id = gen_random_uuid()", "expires_at = now()", "restricted = false"]
)
def test_an_open_request_stays_as_it_was_asked(officer: Actor, change: str) -> None:
    request = asked_to_unblock(officer)
    found = refused(f"UPDATE approval_request SET {change} WHERE id = :id", id=request.id)
    assert found == "approval_request_is_as_asked"


# several at once


@pytest.fixture
def committed_people(committed: Flask) -> Iterator[tuple[Flask, People]]:
    yield committed, People()


def test_of_two_deciders_at_once_one_wins_and_the_other_is_told_who(committed_people: tuple[Flask, People]) -> None:
    app, people = committed_people
    request = asked(people.actor(Role.OFFICER))
    deciders = [people.actor(Role.SENIOR_OFFICER, name) for name in ("Riina Kask", "Tiit Mets")]
    start = threading.Barrier(2)
    outcomes: dict[str, str] = {}

    def decide_at_once(actor: Actor, approve: bool) -> None:
        with app.app_context():
            start.wait()
            try:
                with transaction():
                    outcomes[actor.name] = services.decide(request.id, approve=approve, reason="seen", by=actor).state
            except Conflict as refusal:
                outcomes[actor.name] = refusal.message

    threads = [
        threading.Thread(target=decide_at_once, args=(actor, approve))
        for actor, approve in zip(deciders, (True, False), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    db.session.rollback()
    closed = session().get(ApprovalRequest, request.id, populate_existing=True)
    assert closed is not None and closed.state in {"approved", "rejected"}
    winner = closed.decider_name or ""
    loser = next(name for name in outcomes if name != winner)
    assert outcomes[winner] == closed.state
    assert outcomes[loser] == f"This request is closed: {closed.state} by {winner}."
    assert status(request) == ("active" if closed.state == "approved" else "inactive")


def test_expired_and_stale_are_remembered_although_nothing_is_done(
    committed_people: tuple[Flask, People], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, people = committed_people
    officer, senior = people.actor(Role.OFFICER), people.actor(Role.SENIOR_OFFICER)
    stale, expired = asked(officer), asked(officer)
    with transaction():
        clients.block(stale.object_id, code=BlockCode.FRAUD, by=officer)
    assert decide(stale, senior).state == "stale"
    later(monkeypatch, expired.expires_at)
    assert decide(expired, senior).state == "expired"
    with app.app_context():
        kept = dict(session().execute(sa.select(ApprovalRequest.id, ApprovalRequest.state)).tuples().all())
    assert kept == {stale.id: "stale", expired.id: "expired"}


def test_a_senior_token_owner_is_not_a_senior_maker(officer: Actor, colleague: Actor) -> None:
    token = replace(officer, kind="token", id=new_id(), senior=True, owner_id=None)
    with transaction():
        client = clients.create(IndividualProfile(first_name="A", last_name="B", risk_level=1), by=officer)
        request = clients.ask_to_activate(client.id, reason="asked by a machine", by=token)
    with pytest.raises(Forbidden, match="One of the two must be senior"):
        decide(request, colleague)
