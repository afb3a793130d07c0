"""PEP and sanctions marks: their source, what they stop, and how they end."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission, Role
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.clients import marking, queries, services
from dashboard.clients.models import Client, ClientMark
from dashboard.clients.services import activation_obstacle
from dashboard.clients.vocabulary import BlockCode, MarkKind, Scope
from dashboard.database import session, transaction
from dashboard.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from tests.clients.making import blocked, company, person
from tests.clients.reviewing import active


@pytest.fixture
def officer(people: Any) -> Actor:
    return people.actor(Role.OFFICER)


@pytest.fixture
def senior(people: Any) -> Actor:
    return people.actor(Role.SENIOR_OFFICER)


def marked(client: Client, by: Actor, kind: MarkKind = MarkKind.SANCTIONS, **options: Any) -> ClientMark:
    said: dict[str, Any] = {"list_name": "EU consolidated list", "list_version": "2026-11-02", "said_by": "Screening"}
    with transaction():
        return services.open_mark(client.id, kind=kind, by=by, **said | options)


def ended(mark: ClientMark, maker: Actor, decider: Actor) -> None:
    with transaction():
        asked = services.ask_to_end_mark(mark.id, reason="Another person of that name", by=maker)
    with transaction():
        assert approvals.decide(asked.id, approve=True, reason=None, by=decider).state == "approved"


def codes(client: Client, by: Actor) -> list[tuple[str, str | None]]:
    return [(block.scope, block.code) for block in queries.blocks_of(client.id, actor=by)]


def test_nobody_activates_a_client_while_a_sanctions_mark_stands(officer: Actor, senior: Actor) -> None:
    client = person(officer)
    mark = marked(client, officer)
    assert codes(client, officer) == [(Scope.ALL, BlockCode.SANCTIONS)]
    with pytest.raises(Refused, match="A block stands"), transaction():
        services.ask_to_activate(client.id, reason="Seen", by=officer)
    ended(mark, officer, senior)
    with transaction():
        lift = services.ask_to_unblock(queries.blocks_of(client.id, actor=officer)[0].id, reason="Ended", by=officer)
    with transaction():
        approvals.decide(lift.id, approve=True, reason=None, by=senior)
    assert activation_obstacle(queries.get(client.id)) is None


def test_a_mark_that_comes_between_the_request_and_its_decision_stops_the_activation(
    officer: Actor, senior: Actor
) -> None:
    client = person(officer)
    with transaction():
        asked = services.ask_to_activate(client.id, reason="Seen", by=officer)
    marked(client, senior)
    with transaction():
        assert approvals.decide(asked.id, approve=True, reason=None, by=senior).state == "stale"
    session().refresh(client)
    assert (client.status, client.status_before_block) == ("blocked", "inactive")


def test_an_active_client_is_blocked_at_once_in_the_name_of_who_marks(officer: Actor, senior: Actor) -> None:
    client = active(officer, senior)
    marked(client, officer)
    session().refresh(client)
    assert client.status == "blocked"
    (block,) = queries.blocks_of(client.id, actor=officer)
    assert (block.scope, block.code, block.placed_by_id) == (Scope.ALL, BlockCode.SANCTIONS, officer.id)


def test_a_block_for_sanctions_that_stands_already_is_no_second_one(officer: Actor, senior: Actor) -> None:
    client = active(officer, senior)
    blocked(client, officer, code=BlockCode.SANCTIONS)
    marked(client, senior)
    assert codes(client, officer) == [(Scope.ALL, BlockCode.SANCTIONS)]


def test_a_client_that_was_active_before_its_block_is_blocked_in_full(officer: Actor, senior: Actor) -> None:
    client = active(officer, senior)
    blocked(client, officer, code=BlockCode.FRAUD, scope=Scope.DEBIT)
    marked(client, officer)
    assert codes(client, officer) == [(Scope.DEBIT, BlockCode.FRAUD), (Scope.ALL, BlockCode.SANCTIONS)]


def test_the_block_stands_while_the_mark_stands_and_the_end_of_the_mark_lifts_nothing(
    officer: Actor, senior: Actor
) -> None:
    client = active(officer, senior)
    mark = marked(client, officer)
    (block,) = queries.blocks_of(client.id, actor=officer)
    with pytest.raises(Refused, match="while the sanctions mark stands"), transaction():
        services.ask_to_unblock(block.id, reason="A mistake", by=officer)
    ended(mark, officer, senior)
    session().refresh(client)
    assert client.status == "blocked"
    with transaction():
        lift = services.ask_to_unblock(block.id, reason="The mark is ended", by=officer)
    with transaction():
        approvals.decide(lift.id, approve=True, reason=None, by=senior)
    session().refresh(client)
    assert client.status == "active"


def test_a_mark_that_comes_after_the_request_to_lift_is_found_by_the_decision(officer: Actor, senior: Actor) -> None:
    client = active(officer, senior)
    blocked(client, officer, code=BlockCode.SANCTIONS)
    (block,) = queries.blocks_of(client.id, actor=officer)
    with transaction():
        lift = services.ask_to_unblock(block.id, reason="A mistake", by=officer)
    marked(client, officer)
    with transaction():
        assert approvals.decide(lift.id, approve=True, reason=None, by=senior).state == "stale"


def test_a_mark_about_a_related_individual_counts_as_much(officer: Actor) -> None:
    client = company(officer)
    mark = marked(client, officer, about="Mari Ilves")
    assert mark.about == "Mari Ilves"
    assert codes(client, officer) == [(Scope.ALL, BlockCode.SANCTIONS)]
    with pytest.raises(Invalid):
        marked(client, officer, about="Somebody Else")


def test_one_person_does_not_end_a_sanctions_mark(officer: Actor, senior: Actor) -> None:
    client = person(officer)
    mark = marked(client, officer)
    with pytest.raises(NotFound), transaction():
        services.end_mark(mark.id, reason="Alone", by=senior)
    with transaction():
        asked = services.ask_to_end_mark(mark.id, reason="Another birth date", by=senior)
    with pytest.raises(Forbidden), transaction():
        approvals.decide(asked.id, approve=True, reason=None, by=senior)
    with pytest.raises(Conflict) as again, transaction():
        services.ask_to_end_mark(mark.id, reason="Once more", by=officer)
    assert again.value.code == "alreadyRequested"
    with transaction():
        approvals.decide(asked.id, approve=False, reason="The same person", by=officer)
    assert marking.marks_of(client.id, actor=officer)[0].ended_at is None


def test_a_profile_that_changed_after_the_request_makes_it_stale(officer: Actor, senior: Actor) -> None:
    client = person(officer)
    mark = marked(client, officer)
    with transaction():
        asked = services.ask_to_end_mark(mark.id, reason="Another birth date", by=officer)
    marked(client, officer, list_name="UN list")
    with transaction():
        assert approvals.decide(asked.id, approve=True, reason=None, by=senior).state == "stale"
    assert session().get_one(ClientMark, mark.id).ended_at is None


def test_the_same_mark_twice_is_one_and_an_ended_one_can_be_opened_again(officer: Actor, senior: Actor) -> None:
    client = person(officer)
    mark = marked(client, officer)
    with pytest.raises(Conflict, match="stands already"):
        marked(client, senior)
    ended(mark, officer, senior)
    again = marked(client, senior)
    assert [one.id for one in marking.marks_of(client.id, actor=officer, open_only=False)] == [again.id, mark.id]


def test_a_closed_client_is_marked_and_needs_no_block(officer: Actor, senior: Actor) -> None:
    client = active(officer, senior)
    session().execute(sa.text("UPDATE client SET status = 'closed' WHERE id = :id"), {"id": client.id})
    marked(client, officer)
    assert codes(client, officer) == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"list_name": "  "}, "listName"), ({"list_name": "x" * 201}, "listName"), ({"said_by": ""}, "saidBy"),
        ({"comment": "x" * 2001}, "comment"), ({"reference": "x" * 201}, "reference"), ({"about": "Nobody"}, "about"),
    ],
)  # fmt: skip
def test_what_a_mark_lacks_is_named(officer: Actor, change: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        marked(person(officer), officer, **change)
    assert [error.field for error in refused.value.errors] == [field]


def test_only_who_may_see_reasons_and_block_opens_a_sanctions_mark(people: Any, officer: Actor) -> None:
    from dataclasses import replace

    client = person(officer)
    for missing in (Permission.CLIENTS_READ_RESTRICTED, Permission.CLIENTS_BLOCK, Permission.CLIENTS_REVIEW):
        with pytest.raises(Forbidden):
            marked(client, replace(officer, permissions=officer.permissions - {missing}))
    with pytest.raises(Forbidden):
        marked(client, people.actor(Role.TREASURER), MarkKind.PEP)
    assert session().scalar(sa.select(sa.func.count()).select_from(ClientMark)) == 0


def test_a_token_that_lifts_its_own_block_never_lifts_past_a_mark(officer: Actor, senior: Actor, machine: Any) -> None:
    from dashboard.access.permissions import Audience

    client = active(officer, senior)
    token = machine(Audience.SYSTEM, scopes=["all"])
    assert token.call("PUT", f"/internal/Clients/{client.id}/block", json={}).status_code == 200
    marked(client, officer)
    answer = token.call("PUT", f"/internal/Clients/{client.id}/unblock", json={})
    session().refresh(client)
    assert client.status == "blocked"
    assert "anction" not in answer.text
    requests = session().scalar(sa.select(sa.func.count()).select_from(ApprovalRequest).where(
        ApprovalRequest.kind == "client.end-sanctions-mark"))  # fmt: skip
    assert requests == 0
