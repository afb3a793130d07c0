"""What the database refuses around deletion, whoever asks: as the role the application runs as, and as the owner."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import Actor
from dashboard.access.permissions import Role
from dashboard.approvals import services as approvals
from dashboard.clients import services
from dashboard.clients.deletion_models import DeletionRequest
from dashboard.clients.models import Client
from dashboard.clients.retention import Channel, HoldCode
from dashboard.clients.vocabulary import MarkKind
from dashboard.database import constraint_of, new_id, session, transaction
from dashboard.ledger.services import accounts
from dashboard.ledger.vocabulary import AccountType
from tests.clients.making import person
from tests.conftest import People


def refused(statement: str, **values: object) -> str:
    """Run a statement that must be refused; gives the name of the rule, or "no grant"."""
    with pytest.raises((sa.exc.IntegrityError, sa.exc.ProgrammingError, sa.exc.InternalError)) as caught:
        with session().begin_nested():
            session().execute(sa.text(statement), values)
    if getattr(caught.value.orig, "sqlstate", "") == "42501":
        return "no grant"
    return constraint_of(caught.value) or str(caught.value.orig)  # type: ignore[arg-type]


@pytest.fixture
def officer(people: People) -> Actor:
    return people.actor(Role.OFFICER)


@pytest.fixture
def client(officer: Actor) -> Client:
    return person(officer)


@pytest.fixture
def request_(client: Client, officer: Actor) -> DeletionRequest:
    with transaction():
        return services.request_deletion(client.id, channel=Channel.LETTER, by=officer)


@pytest.fixture
def waiting(request_: DeletionRequest, client: Client, officer: Actor, people: People) -> DeletionRequest:
    with transaction():
        services.close(client.id, reason="Left.", by=officer)
    with transaction():
        wish = services.ask_to_purge(request_.id, reason="Nothing left.", by=officer)
    with transaction():
        approvals.decide(wish.id, approve=True, reason=None, by=people.actor(Role.SENIOR_OFFICER))
    session().refresh(request_)
    assert request_.state == "waiting"
    return request_


PURGE = "SELECT purge_client(:id)"


def test_a_purge_without_a_request_is_refused(app: Flask) -> None:
    assert refused(PURGE, id=new_id()) == "purge_needs_a_request"


def test_a_purge_that_two_people_have_not_planned_is_refused(request_: DeletionRequest) -> None:
    assert refused(PURGE, id=request_.id) == "purge_needs_two_people"


def test_a_purge_before_retention_is_over_is_refused_whatever_date_stands_in_the_plan(
    waiting: DeletionRequest,
) -> None:
    assert refused(PURGE, id=waiting.id) == "purge_after_retention"
    assert refused("UPDATE deletion_request SET purge_from = '2020-01-01' WHERE id = :id", id=waiting.id) == (
        "deletion_request_is_as_made"
    )


def test_a_purge_while_a_hold_stands_is_refused(waiting: DeletionRequest, client: Client, officer: Actor) -> None:
    with transaction():
        services.place_hold(client.id, code=HoldCode.LITIGATION, reference="x", by=officer)
    assert refused(PURGE, id=waiting.id) == "purge_has_no_obstacle"


def test_a_purge_of_who_is_marked_is_refused(waiting: DeletionRequest, client: Client, officer: Actor) -> None:
    with transaction():
        services.open_mark(client.id, kind=MarkKind.SANCTIONS, list_name="EU", said_by="Screening", by=officer)
    assert refused(PURGE, id=waiting.id) == "purge_has_no_obstacle"


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("state = 'purged', closed_at = now(), approval_id = NULL", "ck_deletion_request_planned_by_two"),
        ("state = 'waiting', purge_from = '2020-01-01'", "deletion_planned_by_two"),
        ("reason = 'x'", "no grant"),
        ("client_id = gen_random_uuid()", "no grant"),
    ],
)
def test_a_request_is_not_moved_on_by_hand(request_: DeletionRequest, change: str, rule: str) -> None:
    found = refused(f"UPDATE deletion_request SET {change} WHERE id = :id", id=request_.id)
    assert found == rule or (rule.startswith("ck_") and found == "deletion_request_purged_by_the_purge")


def test_a_request_begins_requested_and_is_one_at_a_time(request_: DeletionRequest, client: Client) -> None:
    statement = (
        "INSERT INTO deletion_request (id, client_id, state, channel, received_on, requested_at, requested_by_kind,"
        " requested_by_name{}) VALUES (:id, :client, :state, 'letter', now(), now(), 'staff', 'x'{})"
    )
    again: dict[str, Any] = {"id": new_id(), "client": client.id}
    assert refused(statement.format("", ""), state="requested", **again) == "uq_deletion_request_open"
    assert refused(statement.format(", closed_at", ", now()"), state="withdrawn", **again) == "deletion_request_begins"
    assert refused("DELETE FROM deletion_request") == "no grant"


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("name = 'x'", "client_profile_rests"),
        ("email = NULL", "client_profile_rests"),
        ("restricted_at = NULL", "client_restricted_while_requested"),
        ("purged_at = now()", "client_purged_by_the_purge"),
        ("closed_at = '2001-01-01'", "client_end_is_as_it_was"),
    ],
)
def test_a_restricted_profile_rests(request_: DeletionRequest, client: Client, change: str, rule: str) -> None:
    assert refused(f"UPDATE client SET {change} WHERE id = :id", id=client.id) == rule
    assert (
        refused("UPDATE individual SET first_name = 'x' WHERE client_id = :id", id=client.id) == "client_profile_rests"
    )


def test_a_client_is_not_marked_without_a_request(client: Client) -> None:
    assert refused("UPDATE client SET restricted_at = now() WHERE id = :id", id=client.id) == (
        "client_restricted_while_requested"
    )


def test_a_relationship_does_not_end_beside_an_open_account(client: Client, officer: Actor) -> None:
    with transaction():
        accounts.open_account(type=AccountType.CLIENT, currency="eur", owner_id=client.id, by=officer)
    assert refused("UPDATE client SET status = 'closed' WHERE id = :id", id=client.id) == "client_closes_empty"


def test_a_hold_is_not_ended_by_hand(client: Client, officer: Actor) -> None:
    with transaction():
        hold = services.place_hold(client.id, code=HoldCode.AUDIT, reference="x", by=officer)
    assert refused("UPDATE legal_hold SET ended_at = now() WHERE id = :id", id=hold.id) == "legal_hold_ended_by_two"
    assert refused("UPDATE legal_hold SET code = 'LITIGATION' WHERE id = :id", id=hold.id) == "no grant"
    assert refused("DELETE FROM legal_hold") == "no grant"


def test_the_mark_of_a_purge_opens_nothing_to_the_application(request_: DeletionRequest, client: Client) -> None:
    session().execute(sa.text("SELECT set_config('countinghouse.purging', 'on', true)"))
    assert refused("UPDATE audit_payload SET before = NULL") == "no grant"
    assert refused("UPDATE client_note SET body = 'x'") == "no grant"
    assert refused("UPDATE client SET name = 'x' WHERE id = :id", id=client.id) == "client_profile_rests"
    assert refused("UPDATE client SET purged_at = now() WHERE id = :id", id=client.id) == "client_purged_by_the_purge"
    assert refused("INSERT INTO personal_column (table_name, column_name, found_by, becomes)"
                   " VALUES ('client', 'name', 'true', '''x''')") == "no grant"  # fmt: skip
    assert refused("UPDATE personal_column SET found_by = 'true'") == "no grant"


def test_the_mark_of_a_purge_opens_nothing_within_other_functions_of_the_owner(committed: Flask) -> None:
    url = committed.extensions["countinghouse.settings"].migration_database_url
    owner = sa.create_engine(url)
    with owner.connect() as connection:
        connection.execute(sa.text("SELECT set_config('countinghouse.purging', 'on', true)"))
        assert connection.scalar(sa.text("SELECT purging()")) is False
        connection.execute(sa.text("INSERT INTO purge_run VALUES (pg_current_xact_id()::text)"))
        assert connection.scalar(sa.text("SELECT purging()")) is True
    owner.dispose()
    assert refused("INSERT INTO purge_run VALUES (pg_current_xact_id()::text)") == "no grant"


def test_the_owner_too_changes_evidence_only_inside_a_purge(committed: Flask, people: People) -> None:
    client = person(people.actor(Role.OFFICER))
    url = committed.extensions["countinghouse.settings"].migration_database_url
    owner = sa.create_engine(url)
    with owner.connect() as connection, pytest.raises(sa.exc.IntegrityError) as caught:
        connection.execute(sa.text("UPDATE audit_payload SET before = NULL"))
    owner.dispose()
    assert constraint_of(caught.value) == "audit_payload_is_append_only"
    assert client.purged_at is None
