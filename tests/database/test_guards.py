"""What the database refuses even when a service, or somebody at a console, tries."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import Actor
from dashboard.access.permissions import Role
from dashboard.clients import services
from dashboard.clients.profile import IndividualProfile
from dashboard.clients.vocabulary import BlockCode
from dashboard.database import constraint_of, db, new_id, session, transaction
from tests.conftest import Databases, People


def refused(statement: str, **values: object) -> str:
    """Run a statement that must be refused; gives the name of the rule, or the SQLSTATE of a missing grant."""
    with pytest.raises((sa.exc.IntegrityError, sa.exc.ProgrammingError, sa.exc.InternalError)) as caught:
        with session().begin_nested():
            session().execute(sa.text(statement), values)
    error = caught.value
    if getattr(error.orig, "sqlstate", "") == "42501":
        return "no grant"
    return constraint_of(error) or str(error.orig)  # type: ignore[arg-type]


@pytest.fixture
def officer(people: People) -> Actor:
    return people.actor(Role.OFFICER)


@pytest.fixture
def client_id(officer: Actor) -> UUID:
    with transaction():
        return services.create(IndividualProfile(first_name="Mari", last_name="Ilves"), by=officer).id


def test_the_application_is_no_superuser_and_owns_nothing(app: Flask) -> None:
    superuser, owned = session().execute(
        sa.text(
            "SELECT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),"
            " (SELECT count(*) FROM pg_tables WHERE tableowner = current_user)"
        )
    ).one()  # fmt: skip
    assert superuser is False
    assert owned == 0


@pytest.mark.parametrize("table", ["audit_event", "audit_payload", "client_note"])
@pytest.mark.parametrize("verb", ["UPDATE {} SET id = id", "DELETE FROM {}", "TRUNCATE {}"])
def test_evidence_cannot_be_changed_by_the_application(app: Flask, table: str, verb: str) -> None:
    column = "event_id = event_id" if table == "audit_payload" else "id = id"
    assert refused(verb.format(table).replace("id = id", column)) == "no grant"


@pytest.mark.parametrize("table", ["audit_event", "audit_payload", "client_note"])
@pytest.mark.parametrize("verb", ["DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_evidence_cannot_be_removed_even_by_its_owner(
    committed: Flask, databases: Databases, table: str, verb: str
) -> None:
    owner = sa.create_engine(committed.extensions["countinghouse.settings"].migration_database_url or "")
    with owner.connect() as connection, pytest.raises(sa.exc.IntegrityError) as caught:
        connection.execute(sa.text(verb.format(table)))
    owner.dispose()
    assert constraint_of(caught.value) == f"{table}_is_append_only"


def test_clients_blocks_flags_and_requests_are_never_deleted(app: Flask) -> None:
    for table in ("client", "client_block", "client_flag", "approval_request"):
        assert refused(f"DELETE FROM {table}") == "no grant"


def test_an_inactive_client_is_not_activated_without_an_approved_request(client_id: UUID) -> None:
    rule = refused("UPDATE client SET status = 'active' WHERE id = :id", id=client_id)
    assert rule == "client_activation_needs_approval"


def test_a_new_client_is_inactive(officer: Actor, client_id: UUID) -> None:
    assert (
        refused(
            "INSERT INTO client SELECT (c).* FROM (SELECT jsonb_populate_record(client, jsonb_build_object('id',"
            " CAST(:new AS text), 'status', 'active')) AS c FROM client WHERE id = :id) s",
            id=client_id,
            new=str(new_id()),
        )
        == "client_begins_inactive"
    )


def test_a_risk_is_not_lowered_without_an_approved_request(officer: Actor) -> None:
    with transaction():
        client = services.create(IndividualProfile(first_name="A", last_name="B", risk_level=3), by=officer)
    rule = refused("UPDATE client SET risk_level = 1 WHERE id = :id", id=client.id)
    assert rule == "client_lower_risk_needs_approval"


def test_a_blocked_client_does_not_leave_the_status_while_a_block_stands(officer: Actor, client_id: UUID) -> None:
    with transaction():
        services.block(client_id, code=BlockCode.FRAUD, by=officer)
    rule = refused("UPDATE client SET status = 'inactive', status_before_block = NULL WHERE id = :id", id=client_id)
    assert rule == "client_blocked_while_block_active"


def test_a_block_is_not_lifted_by_one_person(officer: Actor, client_id: UUID) -> None:
    with transaction():
        stored = services.block(client_id, code=BlockCode.FRAUD, by=officer)
    rule = refused(
        "UPDATE client_block SET lifted_at = now(), lifted_by_kind = 'staff', lifted_by_id = :who WHERE id = :id",
        id=stored.id,
        who=officer.id,
    )
    assert rule == "ck_client_block_lifted_by_two_people"


def test_a_block_is_not_lifted_by_a_request_that_nobody_approved(officer: Actor, client_id: UUID) -> None:
    with transaction():
        stored = services.block(client_id, code=BlockCode.FRAUD, by=officer)
        request = services.ask_to_unblock(stored.id, reason="proved", by=officer)
    rule = refused(
        "UPDATE client_block SET lifted_at = now(), lifted_by_kind = 'staff', lift_approval_id = :request"
        " WHERE id = :id",
        id=stored.id,
        request=request.id,
    )
    assert rule == "client_block_lift_needs_approval"


@pytest.mark.parametrize("code", ["SANCTIONS", "STR_HOLD", "FIU_ORDER", "COURT_ATTACHMENT"])
def test_no_token_lifts_what_people_must_decide(client_id: UUID, machine: Callable[..., object], code: str) -> None:
    from dashboard.access.permissions import Audience

    token = machine(Audience.SYSTEM)
    by = Actor(kind="token", id=token.token_id, name="t", role="system")  # type: ignore[attr-defined]
    with transaction():
        stored = services.block(client_id, code=BlockCode(code), by=by)
    rule = refused(
        "UPDATE client_block SET lifted_at = now(), lifted_by_kind = 'token', lifted_by_id = placed_by_id"
        " WHERE id = :id",
        id=stored.id,
    )
    assert rule == "ck_client_block_lifted_by_two_people"


def test_a_block_is_never_rewritten(officer: Actor, client_id: UUID) -> None:
    with transaction():
        stored = services.block(client_id, code=BlockCode.FRAUD, by=officer)
    for change in ("scope = 'debit'", "code = 'DORMANT'", "started_at = now() - interval '1 day'"):
        assert refused(f"UPDATE client_block SET {change} WHERE id = :id", id=stored.id) == "client_block_is_as_placed"


def test_whoever_has_an_active_block_is_blocked(committed: Flask, databases: Databases) -> None:
    from dashboard.access.actor import system

    with transaction():
        client = services.create(IndividualProfile(first_name="A", last_name="B"), by=system())
    with pytest.raises(sa.exc.IntegrityError) as caught:
        with db.engine.begin() as connection:
            connection.execute(
                sa.text(
                    "INSERT INTO client_block (id, client_id, scope, code, started_at, review_date, placed_by_kind,"
                    " placed_by_name) VALUES (:id, :client, 'all', 'FRAUD', now(), now(), 'system', 'x')"
                ),
                {"id": new_id(), "client": client.id},
            )
    assert constraint_of(caught.value) == "client_blocked_while_block_active"


def test_a_prohibited_client_is_never_active(committed: Flask) -> None:
    owner = sa.create_engine(committed.extensions["countinghouse.settings"].migration_database_url or "")
    with owner.connect() as connection, pytest.raises(sa.exc.IntegrityError) as caught:
        connection.execute(
            sa.text(
                "INSERT INTO client (id, type, status, risk_level, name, name_key, search_text, is_default_compliant,"
                " open_flags, worst_flag, version, created_at, updated_at)"
                " VALUES (:id, 'individual', 'active', 4, 'x', 'x', 'x', false, 0, 0, 1, now(), now())"
            ),
            {"id": new_id()},
        )
    owner.dispose()
    assert constraint_of(caught.value) == "ck_client_prohibited_is_never_active"


def test_an_approved_request_lowers_the_risk_to_its_own_level_only(officer: Actor, people: People) -> None:
    with transaction():
        client = services.create(IndividualProfile(first_name="A", last_name="B", risk_level=3), by=officer)
    with transaction():
        request = services.ask_to_lower_risk(client.id, risk_level=2, reason="ok", by=officer)
    session().execute(
        sa.text(
            "UPDATE approval_request SET state = 'approved', decided_by = :who, decider_name = 'x',"
            " decider_senior = true, closed_at = now() WHERE id = :id"
        ),
        {"id": request.id, "who": people.actor(Role.SENIOR_OFFICER).id},
    )
    rule = refused(
        "UPDATE client SET risk_level = 1, risk_approval_id = :request WHERE id = :id", id=client.id, request=request.id
    )
    assert rule == "client_lower_risk_needs_approval"


def test_an_old_decision_is_not_used_a_second_time(officer: Actor, people: People, client_id: UUID) -> None:
    senior = people.actor(Role.SENIOR_OFFICER)
    with transaction():
        request = services.ask_to_activate(client_id, reason="ok", by=officer)
    session().execute(
        sa.text(
            "UPDATE approval_request SET state = 'approved', decided_by = :who, decider_name = 'x',"
            " decider_senior = true, closed_at = now() - interval '1 hour' WHERE id = :id"
        ),
        {"id": request.id, "who": senior.id},
    )
    rule = refused(
        "UPDATE client SET status = 'active', activation_approval_id = :request WHERE id = :id",
        id=client_id,
        request=request.id,
    )
    assert rule == "client_activation_needs_approval"


def test_what_was_said_of_a_block_is_not_rewritten(officer: Actor, client_id: UUID) -> None:
    with transaction():
        stored = services.block(client_id, code=BlockCode.FRAUD, comment="first", by=officer)
    for change in (
        "comment = 'other'",
        "legal_reference = 'x'",
        "client_text = 'x'",
        "review_date = '2999-01-01'",
        "id = gen_random_uuid()",
    ):
        assert refused(f"UPDATE client_block SET {change} WHERE id = :id", id=stored.id) == "client_block_is_as_placed"


def test_a_flag_is_not_made_lighter(officer: Actor) -> None:
    with transaction():
        services.create(IndividualProfile(first_name="A", last_name="B", risk_level=4), by=officer)
    assert refused("UPDATE client_flag SET severity = 1") == "client_flag_is_as_raised"


def test_the_block_of_a_prohibited_risk_is_not_lifted_in_the_database_either(officer: Actor, people: People) -> None:
    with transaction():
        client = services.create(IndividualProfile(first_name="A", last_name="B", risk_level=4), by=officer)
        stored = services.block(client.id, code=BlockCode.RISK_PROHIBITED, by=officer)
        request = services.ask_to_unblock(stored.id, reason="ok", by=officer)
    rule = refused(
        "UPDATE client_block SET lifted_at = now(), lifted_by_kind = 'staff', lift_approval_id = :r WHERE id = :id",
        id=stored.id,
        r=request.id,
    )
    assert rule == "client_block_stands_while_prohibited"
