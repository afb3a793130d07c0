"""Several people, and machines, on one client at the same moment: one wins, the others are told, nothing is half."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Role
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.clients import services
from dashboard.clients.models import Client, ClientBlock
from dashboard.clients.profile import IndividualProfile
from dashboard.clients.vocabulary import BlockCode
from dashboard.database import session, transaction
from dashboard.errors import Conflict, DomainError
from dashboard.staff import services as staff

ADULT = IndividualProfile(first_name="Mari", last_name="Ilves", birth_date=date(1980, 5, 5), risk_level=1)


@pytest.fixture
def officers(committed: Flask) -> list[Actor]:
    with transaction():
        return [
            staff.actor_of(
                staff.create_member(
                    email=f"{role.value}{number}@test.example", role=role, password="correct-horse", by=system()
                )
            )
            for number, role in enumerate([Role.OFFICER, Role.SENIOR_OFFICER, Role.SENIOR_OFFICER])
        ]


@pytest.fixture
def client_id(committed: Flask) -> UUID:
    with transaction():
        return services.create(ADULT, by=system()).id


def at_once(app: Flask, verbs: list[Callable[[], object]]) -> list[object]:
    """Run the verbs in threads that start together; gives each one's result or refusal."""
    start = threading.Barrier(len(verbs))
    results: list[object] = [None] * len(verbs)

    def run(number: int) -> None:
        with app.app_context():
            start.wait()
            try:
                with transaction():
                    results[number] = verbs[number]()
            except DomainError as refusal:
                results[number] = refusal

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(verbs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return results


def test_two_officers_who_place_the_same_block_place_one(
    committed: Flask, officers: list[Actor], client_id: UUID
) -> None:
    results = at_once(
        committed, [lambda by=by: services.block(client_id, code=BlockCode.FRAUD, by=by) for by in officers]
    )
    refusals = [result for result in results if isinstance(result, Conflict)]
    assert len(refusals) == len(officers) - 1
    assert {refusal.code for refusal in refusals} == {"alreadyBlocked"}
    assert session().scalar(sa.select(sa.func.count()).select_from(ClientBlock)) == 1


def test_two_officers_who_ask_for_the_same_unblock_open_one_request(
    committed: Flask, officers: list[Actor], client_id: UUID
) -> None:
    with transaction():
        block_id = services.block(client_id, code=BlockCode.FRAUD, by=officers[0]).id
    results = at_once(
        committed, [lambda by=by: services.ask_to_unblock(block_id, reason="ok", by=by) for by in officers]
    )
    assert sum(isinstance(result, Conflict) for result in results) == len(officers) - 1
    assert session().scalar(sa.select(sa.func.count()).select_from(ApprovalRequest)) == 1


def test_two_officers_who_save_the_same_version_do_not_overwrite_each_other(
    committed: Flask, officers: list[Actor], client_id: UUID
) -> None:
    seen = session().get_one(Client, client_id).version
    results = at_once(
        committed,
        [
            lambda by=by, number=number: services.update(
                client_id, replace(ADULT, last_name=f"Name{number}"), by=by, expected_version=seen
            )
            for number, by in enumerate(officers)
        ],
    )
    assert sum(isinstance(result, Conflict) for result in results) == len(officers) - 1


def test_two_approvers_lift_a_block_once(committed: Flask, officers: list[Actor], client_id: UUID) -> None:
    with transaction():
        block_id = services.block(client_id, code=BlockCode.FRAUD, by=officers[0]).id
        request_id = services.ask_to_unblock(block_id, reason="ok", by=officers[0]).id
    results = at_once(
        committed,
        [lambda by=by: approvals.decide(request_id, approve=True, reason=None, by=by) for by in officers[1:]],
    )
    assert [type(result) for result in results].count(Conflict) == 1
    session().expire_all()
    assert session().get_one(Client, client_id).status == "inactive"


def test_a_block_placed_while_another_is_lifted_leaves_the_client_blocked(
    committed: Flask, officers: list[Actor], client_id: UUID
) -> None:
    for attempt, code in enumerate((BlockCode.FRAUD, BlockCode.DORMANT, BlockCode.OPS_ERROR)):
        with transaction():
            block_id = services.block(client_id, code=code, by=officers[0]).id
            request_id = services.ask_to_unblock(block_id, reason="ok", by=officers[0]).id
        fresh = (BlockCode.SANCTIONS, BlockCode.COURT_ATTACHMENT, BlockCode.FIU_ORDER)[attempt]
        results = at_once(
            committed,
            [
                lambda request_id=request_id: (
                    approvals.decide(request_id, approve=True, reason=None, by=officers[1]).state
                ),
                lambda fresh=fresh: services.block(client_id, code=fresh, by=officers[2]).code,
            ],
        )
        assert results[0] in {"approved", "stale"}
        assert results[1] == fresh
        session().expire_all()
        assert session().get_one(Client, client_id).status == "blocked"


def test_many_imports_of_one_external_id_make_one_client(committed: Flask) -> None:
    results = at_once(
        committed,
        [lambda: services.create(ADULT, by=system(), partner="p", external_id="one").id for _ in range(6)],
    )
    assert sum(isinstance(result, UUID) for result in results) == 1
    assert sum(isinstance(result, Conflict) for result in results) == 5


def test_requests_that_expire_while_somebody_decides_are_decided_or_expired_but_not_both(
    committed: Flask, officers: list[Actor], client_id: UUID
) -> None:
    with transaction():
        block_id = services.block(client_id, code=BlockCode.FRAUD, by=officers[0]).id
        request_id = services.ask_to_unblock(block_id, reason="ok", by=officers[0]).id
    results = at_once(
        committed,
        [
            lambda: approvals.decide(request_id, approve=True, reason=None, by=officers[1]).state,
            lambda: approvals.withdraw(request_id, by=officers[0]).state,
            approvals.expire_due,
        ],
    )
    decided = [result for result in results[:2] if isinstance(result, str)]
    assert len(decided) == 1
    session().expire_all()
    state = session().get_one(ApprovalRequest, request_id).state
    assert state == decided[0]
    assert session().get_one(Client, client_id).status == ("inactive" if state == "approved" else "blocked")
