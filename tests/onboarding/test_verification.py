"""What events do to a client, in any order of arrival and however often they are told."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Role
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit.models import AuditEvent
from dashboard.clients import services as clients
from dashboard.clients.models import Client, ClientBlock, ClientFlag
from dashboard.clients.vocabulary import BlockCode, Scope
from dashboard.database import new_id, session, transaction
from dashboard.onboarding.sumsub import folding, reader, rules
from dashboard.onboarding.sumsub.models import SumsubApplicant
from dashboard.onboarding.sumsub.services import processing
from tests.clients.making import activated, blocked, company, person
from tests.conftest import People
from tests.onboarding.telling import (
    FINAL,
    GREEN,
    RETRY,
    body_of,
    decisions,
    doubts,
    event,
    status,
    stored,
    told,
    verification,
    work,
)


@pytest.fixture
def client(app: Flask) -> Client:
    return person(system())


@pytest.fixture
def active(app: Flask, people: People) -> Client:
    return activated(person(system()), people.actor(Role.OFFICER), people.actor(Role.SENIOR_OFFICER))


@pytest.fixture
def in_production() -> Iterator[None]:
    before = rules.rules()
    rules._rules[0] = replace(before, production=True)
    yield
    rules._rules[0] = before


@pytest.fixture
def with_workflow() -> Iterator[None]:
    before = rules.rules()
    rules._rules[0] = replace(before, workflow_levels=frozenset({"step-1", "step-2"}))
    yield
    rules._rules[0] = before


def series(about: Client | str) -> list[dict[str, Any]]:
    """A realistic life of an applicant; its end is approved."""
    return [
        event("applicantCreated", about, 0),
        event("applicantPending", about, 1, reviewStatus="pending"),
        event("applicantReviewed", about, 2, **RETRY),
        event("applicantPending", about, 3, reviewStatus="pending"),
        event("applicantReviewed", about, 4, **GREEN),
        # the official example carries GREEN beside init
        event("applicantReset", about, 5, reviewStatus="init", reviewResult={"reviewAnswer": "GREEN"}),
        event("applicantReviewed", about, 6, **GREEN),
    ]


def flags(client: Client) -> list[str]:
    return list(
        session().scalars(
            sa.select(ClientFlag.code).where(ClientFlag.client_id == client.id, ClientFlag.closed_at.is_(None))
        )
    )


def blocks(client: Client) -> list[tuple[str, str, str]]:
    rows = session().execute(
        sa.select(ClientBlock.scope, ClientBlock.code, ClientBlock.placed_by_kind).where(
            ClientBlock.client_id == client.id, ClientBlock.lifted_at.is_(None)
        )
    )
    return [(row[0], row[1], row[2]) for row in rows]


# --- order -------------------------------------------------------------------------------------------------------


def as_events(bodies: list[bytes], about_now: datetime) -> list[folding.Event]:
    found = []
    for body in bodies:
        message = reader.read(body)
        found.append(
            folding.Event(new_id(), folding.place_of(message, about_now), message.told_at or about_now, message)
        )
    return found


def essence(folded: folding.Folded) -> tuple[Any, ...]:
    """Everything that is said, without the ids that an arrival gives."""
    event_ = folded.event
    return (
        folded.state, event_ and event_.place, folded.outcome and (folded.outcome.state, folded.outcome.at),
        [(each.state, each.at) for each in folded.outcomes], folded.level, folded.answer, folded.labels,
        folded.moderation_comment, folded.client_comment, folded.attempts, folded.final_before,
    )  # fmt: skip


def test_every_permutation_of_a_life_says_the_same_also_when_each_event_is_told_twice() -> None:
    bodies, moment = [body_of(one) for one in series("somebody")], datetime.now(UTC)
    pairs = list(zip(as_events(bodies, moment), as_events(bodies, moment), strict=True))
    straight = essence(folding.fold(first for first, _ in pairs))
    assert straight[0] == "approved" and straight[9] == 3
    for order in itertools.permutations(pairs):
        arrived = [first for first, _ in order] + [second for _, second in reversed(order)]
        assert essence(folding.fold(arrived)) == straight


_KINDS = st.sampled_from(
    [
        ("applicantCreated", {}), ("applicantPending", {"reviewStatus": "pending"}), ("applicantReviewed", GREEN),
        ("applicantReviewed", RETRY), ("applicantReviewed", FINAL), ("applicantOnHold", {"reviewStatus": "onHold"}),
        ("applicantReset", {}), ("applicantDeactivated", GREEN), ("applicantActivated", GREEN),
        ("applicantLevelChanged", {}), ("applicantPersonalInfoChanged", GREEN), ("applicantDeleted", {}),
        ("applicantWorkflowCompleted", GREEN), ("applicantReviewed", {**GREEN, "reviewStatus": "pending"}),
        ("applicantReviewed", {**GREEN, "createdAtMs": ..., "createdAt": "2026-02-04 10:01:00+0000"}),
        ("applicantReviewed", {**FINAL, "createdAtMs": "2026-02-04 10:01:00+0000"}),
    ]
)  # fmt: skip


@settings(max_examples=150, deadline=None, database=None)
@given(
    lives=st.lists(st.tuples(_KINDS, st.integers(0, 3)), min_size=1, max_size=9),
    seed=st.randoms(use_true_random=False),
)
def test_no_order_of_arrival_matters_for_any_events_whatever_their_times(lives: list[Any], seed: random.Random) -> None:
    moment = datetime.now(UTC)
    bodies = [body_of(event(kind, "somebody", minute, **fields)) for (kind, fields), minute in lives]
    straight = essence(folding.fold(as_events(bodies, moment)))
    mixed = bodies * 2
    seed.shuffle(mixed)
    assert essence(folding.fold(as_events(mixed, moment))) == straight


@settings(
    max_examples=12, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(
    order=st.permutations(range(7)), again=st.lists(st.integers(0, 6), max_size=7), pauses=st.sets(st.integers(0, 14))
)
def test_in_every_order_of_arrival_the_client_ends_the_same(
    order: list[int], again: list[int], pauses: set[int], http: FlaskClient
) -> None:
    client = person(system(), document=None)
    life = series(client)
    for number, which in enumerate([*order, *again]):
        told(http, life[which], process=number in pauses)
    work()
    assert status(client) == "active" and not flags(client) and not blocks(client) and not doubts(client)
    now = verification(client)
    assert (now.state, now.attempts, now.answer) == ("approved", 3, "GREEN")
    assert now.event_id == stored(type="applicantReviewed", external_user_id=str(client.id), ordered_rank=50,
                                  told_at=now.state_at)[0].id  # fmt: skip
    effects = [effect for _, effect in decisions(client)]
    assert effects.count("activated") == 1
    # each answer was told once, whatever came of it: asked again, approved, reset, approved
    assert sorted(outcome for outcome, _ in decisions(client)) == ["approved", "approved", "retry", "withdrawn"]


# --- what each of them does ----------------------------------------------------------------------------------------


def test_completed_and_green_activates_and_the_client_says_by_which_event(http: FlaskClient, client: Client) -> None:
    told(http, event("applicantReviewed", client, 12, **GREEN))
    assert status(client) == "active"
    (kept,) = stored()
    now = verification(client)
    assert (now.state, now.approved_event_id, now.approved_at) == ("approved", kept.id, kept.told_at)
    assert (kept.effect, kept.client_id) == ("applied", client.id)
    assert decisions(client) == [("approved", "activated")]


@pytest.mark.parametrize(
    "fields",
    [
        {**GREEN, "reviewStatus": "pending"},
        {**GREEN, "reviewStatus": "awaitingService"},
        {**GREEN, "reviewStatus": "init"},
        {**GREEN, "reviewStatus": ...},
        {"reviewStatus": "completed", "reviewResult": {"reviewAnswer": "YELLOW"}},
        {"reviewStatus": "completed", "reviewResult": {"reviewAnswer": None}},
        {"reviewStatus": "completed", "reviewResult": "GREEN"},
        {"reviewStatus": "completed", "reviewResult": None},
        {"reviewStatus": "COMPLETED", "reviewResult": {"reviewAnswer": "GREEN"}},
        {"reviewStatus": ["completed"], "reviewResult": {"reviewAnswer": "GREEN"}},
    ],
)
def test_anything_less_than_completed_and_green_activates_nobody(
    http: FlaskClient, client: Client, fields: dict[str, Any]
) -> None:
    told(http, event("applicantReviewed", client, 0, **fields))
    assert status(client) == "inactive" and verification(client).state != "approved"


@pytest.mark.parametrize("kind", ["applicantReset", "applicantPending", "applicantActionReviewed", "applicantCreated"])
def test_green_beside_anything_else_than_a_review_activates_nobody(
    http: FlaskClient, client: Client, kind: str
) -> None:
    told(http, event(kind, client, 0, **GREEN))
    assert status(client) == "inactive"


def test_an_activation_that_was_asked_for_by_hand_is_not_needed_any_more_after_green(
    http: FlaskClient, client: Client, people: People, signed_in: Any
) -> None:
    with transaction():
        asked_id = clients.ask_to_activate(client.id, reason="papers-seen", by=people.actor(Role.OFFICER)).id
    told(http, event("applicantReviewed", client, 5, **GREEN))
    assert status(client) == "active"
    assert session().get_one(ApprovalRequest, asked_id, populate_existing=True).state == "stale"
    words = "Not needed any more: Sumsub GREEN of 4 Feb 12:05 activated the client."
    browser = signed_in(Role.SENIOR_OFFICER)
    page = browser.post(f"/approvals/{asked_id}/approve", follow_redirects=True).text
    assert words in page and "gone stale" not in page
    assert words in browser.get(f"/approvals/{asked_id}").text
    assert "Waiting for approval" not in browser.get(f"/clients/{client.id}").text


def test_red_retry_asks_again_and_keeps_what_was_said(http: FlaskClient, client: Client) -> None:
    told(http, event("applicantReviewed", client, 0, **RETRY))
    now = verification(client)
    assert (now.state, now.answer, now.reject_type, now.labels) == ("retry", "RED", "RETRY", ["UNSATISFACTORY_PHOTOS"])
    assert (now.moderation_comment, now.client_comment) == ("Please send a sharper picture.", "Corners are cut off.")
    assert status(client) == "inactive" and not flags(client)


def test_red_final_keeps_the_client_inactive_and_raises_a_flag_that_stops_activation(
    http: FlaskClient, client: Client, people: People
) -> None:
    told(http, event("applicantReviewed", client, 0, **FINAL))
    assert status(client) == "inactive" and flags(client) == ["verificationRejected"]
    assert clients.activation_obstacle(session().get_one(Client, client.id)) is not None
    assert decisions(client) == [("rejected", "keptInactive")]


def test_red_final_on_an_active_client_blocks_debits_at_once(http: FlaskClient, active: Client) -> None:
    told(http, event("applicantReviewed", active, 0, **FINAL))
    assert status(active) == "blocked" and blocks(active) == [("debit", "KYC_FAILED", "system")]
    assert decisions(active) == [("rejected", "blocked")] and doubts(active) == ["rejectedWhileActive"]


def test_red_final_adds_its_block_to_one_that_stands(http: FlaskClient, active: Client, people: People) -> None:
    blocked(active, people.actor(Role.OFFICER), code=BlockCode.FRAUD, scope=Scope.CREDIT)
    told(http, event("applicantReviewed", active, 0, **FINAL), event("applicantReviewed", active, 1, **FINAL))
    assert sorted(blocks(active)) == [("credit", "FRAUD", "staff"), ("debit", "KYC_FAILED", "system")]


def test_red_final_that_something_follows_at_once_blocks_all_the_same(http: FlaskClient, active: Client) -> None:
    told(http, event("applicantReviewed", active, 0, **FINAL), process=False)
    told(http, event("applicantPending", active, 1, reviewStatus="pending"))
    assert blocks(active) == [("debit", "KYC_FAILED", "system")] and verification(active).state == "pending"


def test_green_after_red_never_lifts_a_block_and_both_are_told(http: FlaskClient, active: Client) -> None:
    told(http, event("applicantReviewed", active, 0, **FINAL))
    told(http, event("applicantReviewed", active, 5, **GREEN))
    assert status(active) == "blocked" and verification(active).state == "approved"
    assert decisions(active) == [("rejected", "blocked"), ("approved", "nothing")]
    assert "approvedAfterRejection" in doubts(active)


def test_red_final_that_comes_late_and_out_of_date_changes_nothing_and_is_told(
    http: FlaskClient, client: Client
) -> None:
    told(http, event("applicantReviewed", client, 10, **GREEN))
    before = (verification(client).updated_at, session().get_one(Client, client.id).version)
    told(http, event("applicantReviewed", client, 3, **FINAL))
    assert status(client) == "active" and not blocks(client) and not flags(client)
    assert decisions(client) == [("approved", "activated"), ("rejected", "outOfDate")]
    assert verification(client).state == "approved" and session().get_one(Client, client.id).version == before[1]
    assert stored()[1].effect == "outOfDate"
    told_late = session().scalars(
        sa.select(AuditEvent.action).where(AuditEvent.client_id == client.id).order_by(AuditEvent.id.desc())
    ).first()  # fmt: skip
    assert told_late == "verification.out_of_date"


def test_green_that_came_first_is_answered_by_the_newer_red_that_comes_after_it(
    http: FlaskClient, client: Client
) -> None:
    told(http, event("applicantReviewed", client, 0, **GREEN))
    told(http, event("applicantReviewed", client, 1, **RETRY))
    assert verification(client).state == "retry" and status(client) == "active"
    assert doubts(client) == ["notApprovedWhileActive"]
    told(http, event("applicantReviewed", client, 2, **GREEN))
    assert verification(client).state == "approved" and not doubts(client)


def test_green_older_than_a_newer_red_activates_nobody(http: FlaskClient, client: Client) -> None:
    told(http, event("applicantReviewed", client, 5, **RETRY))
    told(http, event("applicantReviewed", client, 1, **GREEN))
    assert status(client) == "inactive" and decisions(client)[1] == ("approved", "outOfDate")


def test_green_that_is_taken_back_before_anybody_looked_activates_nobody(http: FlaskClient, client: Client) -> None:
    told(http, event("applicantReviewed", client, 0, **GREEN), event("applicantReset", client, 1), process=True)
    assert status(client) == "inactive" and verification(client).state == "withdrawn"
    assert decisions(client) == [("approved", "nothing"), ("withdrawn", "nothing")]


def test_an_approval_waits_while_something_stands_in_the_way_and_is_taken_up_when_it_is_gone(
    http: FlaskClient, client: Client, people: People
) -> None:
    officer, senior = people.actor(Role.OFFICER), people.actor(Role.SENIOR_OFFICER)
    block = blocked(client, officer)
    told(http, event("applicantReviewed", client, 0, **GREEN))
    assert decisions(client) == [("approved", "heldBack")] and doubts(client) == ["approvedHeldBack"]
    told(http, event("applicantTagsChanged", client, 1))
    assert decisions(client) == [("approved", "heldBack")]
    lift(block, officer, senior)
    assert status(client) == "inactive"
    again(client)
    assert status(client) == "active" and decisions(client)[-1] == ("approved", "activated")
    assert not doubts(client)


def lift(block: ClientBlock, officer: Actor, senior: Actor) -> None:
    from dashboard.approvals import services as approvals

    with transaction():
        asked = clients.ask_to_unblock(block.id, reason="Looked at", by=officer)
    with transaction():
        approvals.decide(asked.id, approve=True, reason=None, by=senior)


def again(client: Client) -> None:
    with transaction():
        processing.process(stored(external_user_id=str(client.id))[0].applicant_id or "", by=system("Sumsub"))


def test_a_block_that_two_people_lifted_is_not_placed_again_by_the_same_event(
    http: FlaskClient, active: Client, people: People
) -> None:
    told(http, event("applicantReviewed", active, 0, **FINAL))
    block = session().scalars(sa.select(ClientBlock).where(ClientBlock.client_id == active.id)).one()
    lift(block, people.actor(Role.OFFICER), people.actor(Role.SENIOR_OFFICER))
    again(active)
    assert status(active) == "active" and not blocks(active)


def test_a_prohibited_client_is_not_activated_by_green(http: FlaskClient) -> None:
    client = person(system(), risk_level=4)
    told(http, event("applicantReviewed", client, 0, **GREEN))
    assert status(client) != "active" and decisions(client) == [("approved", "heldBack")]


@pytest.mark.parametrize(
    ("kind", "fields", "state"),
    [
        ("applicantOnHold", {"reviewStatus": "onHold"}, "onHold"),
        ("applicantPending", {"reviewStatus": "pending"}, "pending"),
        ("applicantPrechecked", {"reviewStatus": "prechecked"}, "pending"),
        ("applicantAwaitingService", {**GREEN, "reviewStatus": "awaitingService"}, "pending"),
        ("applicantAwaitingUser", {"reviewStatus": "awaitingUser"}, "pending"),
        ("applicantReset", {}, "withdrawn"),
        ("applicantDeactivated", GREEN, "withdrawn"),
        ("applicantDeleted", {}, "withdrawn"),
        ("applicantPersonalDataDeleted", {}, "withdrawn"),
        ("applicantLevelChanged", {"levelName": "another-level"}, "notStarted"),
        ("applicantPersonalInfoChanged", GREEN, "approved"),
        ("applicantTagsChanged", GREEN, "approved"),
        ("applicantActionReviewed", FINAL, "approved"),
        ("applicantKytTxnRejected", FINAL, "approved"),
        ("amlCaseRejected", FINAL, "approved"),
        ("videoIdentStatusChanged", {}, "approved"),
    ],
)
def test_each_type_has_its_meaning_after_an_approval_and_takes_nothing_of_ours_away(
    http: FlaskClient, client: Client, kind: str, fields: dict[str, Any], state: str
) -> None:
    told(http, event("applicantReviewed", client, 0, **GREEN))
    told(http, event(kind, client, 1, **fields))
    now = verification(client)
    assert (now.state, status(client)) == (state, "active")
    assert (now.approved_event_id is not None) == (state == "approved")
    assert session().get(Client, client.id) is not None
    if kind == "applicantPersonalInfoChanged":
        assert now.data_changed_at is not None
    if kind == "applicantLevelChanged":
        assert now.level == "another-level"


def test_what_was_deactivated_and_is_activated_again_stands_as_before(http: FlaskClient, client: Client) -> None:
    told(http, event("applicantReviewed", client, 0, **GREEN), event("applicantDeactivated", client, 1, **GREEN))
    assert verification(client).state == "withdrawn" and status(client) == "inactive"
    told(http, event("applicantReviewed", client, 2, **GREEN))
    assert status(client) == "inactive", "deactivated, whatever else is told"
    told(http, event("applicantActivated", client, 3))
    assert verification(client).state == "approved" and status(client) == "active"


def test_a_level_of_a_workflow_approves_nobody_before_the_workflow_is_completed(
    http: FlaskClient, client: Client, with_workflow: None
) -> None:
    told(http, event("applicantReviewed", client, 0, levelName="step-1", **GREEN))
    told(http, event("applicantReviewed", client, 1, levelName="step-2", **GREEN))
    assert (verification(client).state, status(client)) == ("pending", "inactive")
    told(http, event("applicantWorkflowCompleted", client, 2, levelName="step-2", **GREEN))
    assert (verification(client).state, status(client)) == ("approved", "active")
    # the review of the last step, told after the end of all, takes nothing back
    told(http, event("applicantReviewed", client, 2.001, levelName="step-2", **GREEN))
    assert verification(client).state == "approved" and not doubts(client)


def test_a_workflow_that_ends_red_is_rejected(http: FlaskClient, client: Client, with_workflow: None) -> None:
    told(http, event("applicantReviewed", client, 0, levelName="step-1", **GREEN))
    told(http, event("applicantWorkflowCompleted", client, 1, levelName="step-2", **FINAL))
    assert (verification(client).state, flags(client)) == ("rejected", ["verificationRejected"])


def test_times_of_the_same_moment_and_times_to_the_second_are_read_strictly(http: FlaskClient, client: Client) -> None:
    told(http, event("applicantReviewed", client, 0, **GREEN), event("applicantReviewed", client, 0, **FINAL))
    assert verification(client).state == "rejected" and status(client) == "inactive"
    other = person(system())
    told(
        http,
        event("applicantPending", other, 1.002, reviewStatus="pending"),
        event("applicantReviewed", other, 0, createdAtMs=..., createdAt="2026-02-04 10:01:00+0000", **GREEN),
    )
    assert status(other) == "inactive", "to the second: an approval lies at its beginning"
    third = person(system())
    told(
        http,
        event("applicantPending", third, 1.002, reviewStatus="pending"),
        event("applicantReviewed", third, 0, createdAtMs=..., createdAt="2026-02-04 10:01:00+0000", **FINAL),
    )
    assert verification(third).state == "rejected", "and what refuses at its end"


def test_what_is_seen_in_the_wild_is_read(http: FlaskClient) -> None:
    for number, fields in enumerate(
        (
            {"sandboxMode": "false"}, {"sandboxMode": ...}, {"clientId": ..., "inspectionId": ..., "levelName": ...},
            {"createdAtMs": ..., "createdAt": "2026-02-04 10:01:00+0000"}, {"createdAtMs": "2026-02-04 10:01:00+0000"},
            {"applicantType": "Individual", "applicantMemberOf": None}, {"reviewMode": "manual", "buttonIds": []},
            {"externalUserId": None}, {"createdAtMs": ...},
        )
    ):  # fmt: skip
        client = person(system(), first=f"Number {number}")
        one = event("applicantReviewed", client, 0, **{**GREEN, **fields})
        if fields.get("externalUserId", 0) is None:
            one["externalUserId"] = str(client.id).upper()
        told(http, one)
        assert status(client) == "active", fields


def test_an_event_that_names_no_client_belongs_to_the_one_that_its_applicant_is(
    http: FlaskClient, client: Client
) -> None:
    told(http, event("applicantReviewed", client, 1, externalUserId=..., **GREEN))
    assert doubts() == ["unknownClient"]
    told(http, event("applicantCreated", client, 0))
    assert status(client) == "active" and not doubts()


# --- who is meant --------------------------------------------------------------------------------------------------


def test_events_of_somebody_we_do_not_know_wait_and_are_taken_up_when_the_client_comes(
    http: FlaskClient, app: Flask
) -> None:
    wanted = new_id()
    told(http, event("applicantCreated", wanted, 0), event("applicantReviewed", wanted, 1, **GREEN))
    assert {each.effect for each in stored()} == {"unknownClient"} and doubts() == ["unknownClient"]
    made = person(system())
    with transaction():
        # an import that brings its own id
        copied = "SELECT (jsonb_populate_record(c, jsonb_build_object('id', CAST(:id AS text)))).* FROM client c"
        session().execute(
            sa.text(f"INSERT INTO client {copied} WHERE id = :made"), {"id": str(wanted), "made": made.id}
        )
    work()
    client = session().get_one(Client, wanted)
    assert status(client) == "active" and not doubts()
    assert [each.effect for each in stored()] == ["applied", "applied"]


@pytest.mark.parametrize("named", ["12672", "Mari Ilves", "", "0" * 36, "{}"])
def test_an_id_that_is_none_of_ours_is_kept_and_raises_a_doubt(http: FlaskClient, named: str) -> None:
    told(http, event("applicantReviewed", "x" * 24, 0, externalUserId=named, **GREEN))
    assert [each.effect for each in stored()] == ["unknownClient"] and doubts() == ["unknownClient"]


def test_somebody_within_a_company_is_no_client_and_no_doubt(http: FlaskClient) -> None:
    told(http, event("applicantReviewed", "owner-1", 0, applicantMemberOf=[{"applicantId": "f" * 24}], **GREEN))
    assert [each.effect for each in stored()] == ["member"] and not doubts()


def test_an_event_that_names_another_client_than_its_applicant_opens_nothing_for_either(
    http: FlaskClient, client: Client
) -> None:
    other = person(system(), first="Other")
    mine = event("applicantCreated", client, 0)
    told(http, mine)
    told(http, event("applicantReviewed", other, 1, **GREEN) | {"applicantId": mine["applicantId"]})
    assert (status(client), status(other)) == ("inactive", "inactive")
    assert doubts() == ["contradiction"]


def test_of_two_applicants_of_a_client_the_one_that_began_last_counts(http: FlaskClient, client: Client) -> None:
    first = {"applicantId": "a" * 24}
    second = {"applicantId": "b" * 24}
    told(http, event("applicantCreated", client, 5) | second, event("applicantReviewed", client, 6, **GREEN) | second)
    told(http, event("applicantCreated", client, 0) | first, event("applicantDeleted", client, 9) | first)
    assert verification(client).state == "approved" and status(client) == "active"
    told(http, event("applicantReviewed", client, 10, **FINAL) | first)
    assert status(client) == "active" and decisions(client)[-1] == ("rejected", "outOfDate")


def test_the_same_operation_told_twice_with_different_content_raises_a_doubt(http: FlaskClient, client: Client) -> None:
    one = event("applicantReviewed", client, 0, **RETRY)
    told(http, one, {**one, **FINAL})
    assert doubts(client) == ["contradiction"] and verification(client).state == "rejected"
    told(http, {**one, "added": "in other bytes"})
    assert doubts(client) == ["contradiction", "contradiction"]


def test_the_same_message_in_other_bytes_is_a_duplicate(http: FlaskClient, client: Client) -> None:
    import json

    from tests.onboarding.telling import send

    one = event("applicantReviewed", client, 0, **RETRY)
    told(http, one)
    assert send(http, json.dumps(one, indent=4, sort_keys=True).encode()).status_code == 200
    work()
    assert [each.effect for each in stored()] == ["applied", "duplicate"]
    assert verification(client).attempts == 1 and not doubts(client)


def test_the_sandbox_counts_for_nothing_in_production(http: FlaskClient, client: Client, in_production: None) -> None:
    for number, said in enumerate((True, "true", "TRUE", 1, [])):
        told(http, event("applicantReviewed", client, number, sandboxMode=said, **GREEN))
    assert {each.effect for each in stored()} == {"sandbox"} and status(client) == "inactive"
    assert set(doubts()) == {"sandboxInProduction"}
    told(http, event("applicantReviewed", client, 9, sandboxMode="false", **GREEN))
    assert status(client) == "active"


# --- evidence ------------------------------------------------------------------------------------------------------


def test_doing_it_again_has_no_further_effect(http: FlaskClient, client: Client) -> None:
    told(http, *series(client))
    before = (decisions(client), session().scalar(sa.select(sa.func.count()).select_from(AuditEvent)))
    for _ in range(3):
        again(client)
    assert (decisions(client), session().scalar(sa.select(sa.func.count()).select_from(AuditEvent))) == before


def test_an_applicant_that_cannot_be_processed_waits_longer_each_time_and_holds_up_nobody(
    http: FlaskClient, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = processing.record

    def broken(client_id: Any, **told_: Any) -> Any:
        if client_id == client.id:
            raise RuntimeError("a fault of ours")
        return right(client_id, **told_)

    monkeypatch.setattr(processing, "record", broken)
    other = person(system(), first="Other")
    told(http, event("applicantReviewed", client, 0, **GREEN), event("applicantReviewed", other, 0, **GREEN))
    assert (status(client), status(other)) == ("inactive", "active")
    waiting = session().scalars(sa.select(SumsubApplicant).where(SumsubApplicant.failures > 0)).one()
    assert waiting.failures == 1 and waiting.try_again_at is not None
    for _ in range(processing.MOST_FAILURES - 1):
        with transaction():
            processing.failed(waiting.applicant_id)
    assert doubts() == ["processingFailed"]
    monkeypatch.setattr(processing, "record", right)
    with transaction():
        waiting.try_again_at = datetime.now(UTC) - timedelta(seconds=1)
    work()
    assert status(client) == "active" and not doubts()


def test_the_history_tells_who_did_it_and_the_approver_of_an_older_request_is_told_that_it_is_stale(
    http: FlaskClient, client: Client, people: People, signed_in: Callable[..., FlaskClient]
) -> None:
    from dashboard.approvals import services as approvals

    with transaction():
        asked = clients.ask_to_activate(client.id, reason="Seen in person", by=people.actor(Role.OFFICER))
    told(http, event("applicantReviewed", client, 0, **FINAL))
    with transaction():
        decided = approvals.decide(asked.id, approve=True, reason=None, by=people.actor(Role.SENIOR_OFFICER))
    assert decided.state == "stale" and status(client) == "inactive"


def test_a_company_is_verified_like_a_person(http: FlaskClient) -> None:
    client = company(system(), related_individuals=())
    told(http, event("applicantReviewed", client, 0, applicantType="company", **GREEN))
    assert status(client) == "active"
