"""What the database refuses about verification even when a service, or somebody at a console, tries."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard import clock
from dashboard.access.actor import system
from dashboard.clients.models import Client
from dashboard.database import constraint_of, new_id, session
from tests.clients.making import person
from tests.database.test_guards import refused
from tests.onboarding.telling import GREEN, RETRY, event, status, stored, told

_DECIDED = (
    "INSERT INTO verification_decision (id, client_id, event_id, applicant_id, outcome, told_at, decided_at, applied,"
    " effect) VALUES (:id, :client, :event, 'a', 'approved', now(), now(), true, :effect)"
)
_VERIFIED = (
    "INSERT INTO client_verification (client_id, applicant_id, state, state_at, event_id, event_type, updated_at,"
    " approved_at, approved_event_id) VALUES (:client, 'a', 'approved', now(), :event, 't', now(), now(), :event)"
)


@pytest.fixture
def client(app: Flask) -> Client:
    return person(system())


def event_of(http: FlaskClient, about: Any, **fields: Any) -> UUID:
    told(http, event("applicantReviewed", about, 0, **fields), process=False)
    return stored()[-1].id


def test_no_decision_activates_without_a_signed_event_that_says_completed_and_green_of_this_client(
    http: FlaskClient, client: Client
) -> None:
    other = person(system(), first="Other")
    for about in (
        new_id(), event_of(http, client, **RETRY), event_of(http, client, **{**GREEN, "reviewStatus": "pending"}),
        event_of(http, other, **GREEN),
    ):  # fmt: skip
        rule = refused(_DECIDED, id=new_id(), client=client.id, event=about, effect="activated")
        assert rule == "verification_decision_approved_by_event"
        assert refused(_VERIFIED, client=client.id, event=about) == "client_verification_approved_by_event"


def test_no_refused_body_stands_behind_an_activation(http: FlaskClient, client: Client) -> None:
    moment = clock.now()
    forged = new_id()
    session().execute(
        sa.text(
            "INSERT INTO sumsub_event (id, received_at, source, verdict, refusal, digest, size, delivered_at,"
            " review_status, answer, external_user_id)"
            " VALUES (:id, :at, 'webhook', 'refused', 'digestWrong', 'd', 0, :at, 'completed', 'GREEN', :client)"
        ),
        {"id": forged, "at": moment, "client": str(client.id)},
    )
    rule = refused(_DECIDED, id=new_id(), client=client.id, event=forged, effect="activated")
    assert rule == "verification_decision_approved_by_event"


def test_a_client_is_not_activated_by_a_decision_that_is_old_of_another_or_none(
    http: FlaskClient, client: Client
) -> None:
    activate = "UPDATE client SET status = 'active', activation_decision_id = :decision WHERE id = :id"
    green = event_of(http, client, **GREEN)
    assert refused(activate, decision=new_id(), id=client.id) == "client_activation_needs_approval"
    decision = new_id()
    session().execute(sa.text(_DECIDED), {"id": decision, "client": client.id, "event": green, "effect": "activated"})
    # approved it must be as well, by this very event
    assert refused(activate, decision=decision, id=client.id) == "client_activation_needs_approval"
    session().execute(sa.text(_VERIFIED), {"client": client.id, "event": green})
    other = person(system(), first="Other")
    assert refused(activate, decision=decision, id=other.id) == "client_activation_needs_approval"
    session().execute(sa.text(activate), {"decision": decision, "id": client.id})
    assert status(client) == "active"


def test_an_event_activates_once(http: FlaskClient, client: Client) -> None:
    told(http, event("applicantReviewed", client, 0, **GREEN))
    rule = refused(_DECIDED, id=new_id(), client=client.id, event=stored()[0].id, effect="activated")
    assert rule == "uq_verification_decision_effect"


@pytest.mark.parametrize(
    "change",
    [
        "received_at = now()", "source = 'pull'", "digest = 'x'", "meaning = 'x'", "size = 1", "type = 'x'",
        "applicant_id = 'x'", "external_user_id = 'x'", "review_status = 'x'", "answer = 'RED'", "sandbox = true",
        "told_at = now()", "ordered_at = now()", "ordered_rank = 99", "level = 'x'", "deliveries = 0",
        "secret_number = 7", "correlation_id = 'x'", "allowances = '{x}'", "client_id = NULL",
        "verdict = 'refused', refusal = 'digestWrong', effect = NULL, processed_at = NULL, type = NULL",
    ],
)  # fmt: skip
def test_an_event_is_as_it_came(http: FlaskClient, client: Client, change: str) -> None:
    told(http, event("applicantReviewed", client, 0, **GREEN))
    assert refused(f"UPDATE sumsub_event SET {change}") == "sumsub_event_is_as_it_came"


def test_the_body_of_an_event_is_neither_rewritten_nor_emptied_and_no_accepted_event_is_deleted(
    http: FlaskClient, client: Client
) -> None:
    told(http, event("applicantReviewed", client, 0, **GREEN))
    for body in ("'\\x00'", "NULL"):
        assert refused(f"UPDATE sumsub_event SET body = {body}") == "sumsub_event_body_is_as_it_came"
    assert refused("DELETE FROM sumsub_event") == "sumsub_event_is_kept"
    assert refused("TRUNCATE sumsub_event") == "no grant"
    for table in ("client_verification", "sumsub_applicant", "verification_decision"):
        assert refused(f"DELETE FROM {table}") == "no grant"
    assert refused("UPDATE verification_decision SET why = 'x'") == "no grant"


def test_the_owner_may_empty_the_body_of_a_person_who_is_erased_and_change_nothing_else(
    committed: Flask,
) -> None:
    http = committed.test_client()
    made = person(system())
    told(http, event("applicantReviewed", made, 0, **GREEN))
    owner = sa.create_engine(committed.extensions["countinghouse.settings"].migration_database_url or "")
    with owner.begin() as connection:
        connection.execute(sa.text("UPDATE sumsub_event SET body = NULL"))
    with owner.connect() as connection, pytest.raises(sa.exc.IntegrityError) as caught:
        connection.execute(sa.text("DELETE FROM sumsub_event"))
    owner.dispose()
    assert constraint_of(caught.value) == "sumsub_event_is_kept"
    session().rollback()
    session().expire_all()
    told(http, event("applicantReset", made, 1))
    assert [each.effect for each in stored()] == ["applied", "applied"], "without its body it still has its turn"
