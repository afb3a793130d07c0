"""What the database refuses about reviews, risks and marks even when a service, or somebody at a console, tries."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import Actor
from dashboard.access.permissions import Role
from dashboard.approvals import services as approvals
from dashboard.clients import services
from dashboard.clients.models import Client
from dashboard.clients.services import risk_history
from dashboard.clients.vocabulary import MarkKind
from dashboard.database import constraint_of, new_id, session, transaction
from tests.clients.making import person
from tests.clients.reviewing import active
from tests.conftest import Databases
from tests.database.test_guards import refused


@pytest.fixture
def officer(people: Any) -> Actor:
    return people.actor(Role.OFFICER)


@pytest.fixture
def senior(people: Any) -> Actor:
    return people.actor(Role.SENIOR_OFFICER)


@pytest.fixture
def client(officer: Actor, senior: Actor) -> Client:
    return active(officer, senior, risk_level=2, document=None)


def put_off(statement: str, **values: object) -> str | None:
    """A statement whose rule is asked at the commit."""
    with pytest.raises(sa.exc.IntegrityError) as caught:
        with session().begin_nested():
            session().execute(sa.text(statement), values)
            session().execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))
    session().execute(sa.text("SET CONSTRAINTS ALL DEFERRED"))
    return constraint_of(caught.value)


REVIEW = (
    "INSERT INTO client_review (id, client_id, previous_id, reviewed_at, reviewed_on, reviewed_by, reviewed_by_name,"
    " risk_before, risk_assessed, risk_after, heightened, outcome, reasons, period_months, next_on)"
    " VALUES (:id, :client, :previous, now(), current_date, :by, 'R. Kask', 2, :assessed, :after, false, :outcome,"
    " :reasons, :months, current_date + CAST(:days AS int))"
)


def reviewed(client: Client, by: Actor, **change: Any) -> str:
    said = {
        "id": new_id(), "client": client.id, "previous": None, "by": by.id, "assessed": 2, "after": 2,
        "outcome": "continue", "reasons": "Fine", "months": 24, "days": 700,
    }  # fmt: skip
    return refused(REVIEW, **said | change)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"days": 800}, "ck_client_review_next_within_period"),
        ({"days": 0}, "ck_client_review_next_within_period"),
        ({"months": 61, "days": 1840}, "ck_client_review_period_is_lawful"),
        ({"assessed": 1}, "ck_client_review_lower_risk_is_asked_for"),
        ({"assessed": 0}, "ck_client_review_lower_risk_is_asked_for"),
        ({"reasons": "  "}, "ck_client_review_reasons_not_empty"),
        ({"outcome": "perhaps"}, "ck_client_review_outcome_known"),
        ({"after": 3, "assessed": 3, "months": 12, "days": 300}, "client_review_tells_what_stands"),
    ],
)
def test_a_review_is_as_the_rules_say(client: Client, officer: Actor, change: dict[str, Any], rule: str) -> None:
    assert reviewed(client, officer, **change) == rule


def test_a_higher_risk_is_reviewed_within_a_year(officer: Actor, senior: Actor) -> None:
    client = active(officer, senior, risk_level=3)
    rule = reviewed(client, officer, assessed=3, after=3, months=24)
    assert rule == "ck_client_review_period_is_lawful"


def test_a_closed_client_is_not_reviewed(client: Client, officer: Actor) -> None:
    session().execute(sa.text("UPDATE client SET status = 'closed' WHERE id = :id"), {"id": client.id})
    assert reviewed(client, officer) == "client_review_of_closed"


def test_each_review_is_followed_by_one_at_most(client: Client, officer: Actor) -> None:
    with transaction():
        first = services.complete_review(client.id, risk_level=2, outcome="continue", reasons="Fine", by=officer)
    assert reviewed(client, officer) == "uq_client_review_first"
    with transaction():
        services.complete_review(
            client.id, risk_level=2, outcome="continue", reasons="Fine", last_review_id=first.id, by=officer
        )
    assert reviewed(client, officer, previous=first.id) == "uq_client_review_previous_id"


@pytest.mark.parametrize("table", ["client_review", "client_risk_change"])
def test_reviews_and_the_history_of_risk_are_evidence(app: Flask, table: str) -> None:
    assert refused(f"UPDATE {table} SET client_id = client_id") == "no grant"
    assert refused(f"DELETE FROM {table}") == "no grant"
    assert refused(f"TRUNCATE {table} CASCADE") == "no grant"


@pytest.mark.parametrize("table", ["client_review", "client_risk_change", "client_mark", "client_review_plan"])
def test_not_even_the_owner_removes_them(committed: Flask, databases: Databases, table: str) -> None:
    owner = sa.create_engine(committed.extensions["countinghouse.settings"].migration_database_url or "")
    with owner.connect() as connection, pytest.raises(sa.exc.IntegrityError):
        connection.execute(sa.text(f"DELETE FROM {table}"))
    owner.dispose()


def test_nobody_writes_the_history_of_risk_by_hand(client: Client) -> None:
    rule = refused(
        "INSERT INTO client_risk_change (client_id, risk_after, changed_at, by_kind, by_name, cause)"
        " VALUES (:id, 1, now(), 'staff', 'Somebody', 'lowered')", id=client.id,
    )  # fmt: skip
    assert rule == "no grant"


def test_each_change_of_a_risk_has_its_row_whoever_makes_it(client: Client, officer: Actor) -> None:
    session().execute(sa.text("UPDATE client SET risk_level = 3 WHERE id = :id"), {"id": client.id})
    session().execute(
        sa.text("UPDATE client_review_plan SET risk_level = 3, period_months = 12 WHERE client_id = :id"),
        {"id": client.id},
    )
    rows = session().execute(
        sa.text("SELECT risk_before, risk_after, cause FROM client_risk_change WHERE client_id = :id ORDER BY id"),
        {"id": client.id},
    )
    assert list(map(tuple, rows)) == [(None, 2, "created"), (2, 3, "unknown")]


def test_what_was_said_of_one_client_is_not_believed_of_another(client: Client, officer: Actor) -> None:
    other = person(officer, first="Uno", document=None, phone_number=None)
    risk_history.say(client.id, cause="raised", reason="For Mari", by=officer)
    session().execute(sa.text("UPDATE client SET risk_level = 3 WHERE id = :id"), {"id": other.id})
    session().execute(
        sa.text("UPDATE client_review_plan SET risk_level = 3, period_months = 12 WHERE client_id = :id"),
        {"id": other.id},
    )
    cause = session().scalar(
        sa.text("SELECT cause FROM client_risk_change WHERE client_id = :id ORDER BY id DESC LIMIT 1"), {"id": other.id}
    )
    assert cause == "unknown"


def test_a_risk_does_not_change_without_its_plan(client: Client) -> None:
    rule = put_off("UPDATE client SET risk_level = 3 WHERE id = :id", id=client.id)
    assert rule == "client_review_plan_follows_risk"


PLAN = "UPDATE client_review_plan SET {} WHERE client_id = :id"


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("period_months = 61", "ck_client_review_plan_period_is_lawful"),
        ("heightened = true", "ck_client_review_plan_period_is_lawful"),
        ("risk_level = 3", "ck_client_review_plan_period_is_lawful"),
        ("period_from = period_from + 1", "client_review_plan_needs_review"),
        ("escalated_at = now()", "ck_client_review_plan_late_when_due"),
        ("ended = true", "ck_client_review_plan_runs_or_ended"),
    ],
)
def test_the_next_review_is_never_put_off(client: Client, change: str, rule: str) -> None:
    assert refused(PLAN.format(change), id=client.id) == rule


def test_the_date_itself_is_computed_and_written_by_nobody(client: Client) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="generated column"):
        with session().begin_nested():
            session().execute(sa.text(PLAN.format("next_on = current_date + 9000")), {"id": client.id})


def mark(client_id: UUID, by: Actor) -> UUID:
    with transaction():
        return services.open_mark(client_id, kind=MarkKind.SANCTIONS, list_name="EU", said_by="Screening", by=by).id


def test_nothing_activates_while_a_sanctions_mark_stands(officer: Actor, senior: Actor) -> None:
    client = person(officer)
    mark(client.id, officer)
    rule = refused("UPDATE client SET status = 'active', status_before_block = NULL WHERE id = :id", id=client.id)
    assert rule == "client_sanctions_mark_stands"


def test_a_client_is_not_marked_without_its_block(client: Client, officer: Actor) -> None:
    rule = put_off(
        "INSERT INTO client_mark (id, client_id, kind, list_name, said_by, opened_at, opened_by, opened_by_name)"
        " VALUES (:mark, :id, 'sanctions', 'EU', 'Screening', now(), :by, 'R. Kask')",
        mark=new_id(), id=client.id, by=officer.id,
    )  # fmt: skip
    assert rule == "client_sanctions_mark_blocks"


END = (
    "UPDATE client_mark SET ended_at = now(), ended_by = :by, ended_by_name = 'R. Kask', ending_reason = 'x',"
    " end_approval_id = :request WHERE id = :mark"
)


def test_one_person_ends_no_sanctions_mark(client: Client, officer: Actor, senior: Actor) -> None:
    stored = mark(client.id, officer)
    alone = refused(END, mark=stored, by=officer.id, request=None)
    assert alone in {"client_mark_end_needs_approval", "ck_client_mark_sanctions_end_by_two_people"}
    with transaction():
        asked = services.ask_to_end_mark(stored, reason="Another person", by=officer)
    assert refused(END, mark=stored, by=officer.id, request=asked.id) == "client_mark_end_needs_approval"
    with transaction():
        approvals.decide(asked.id, approve=True, reason=None, by=senior)
    assert refused("UPDATE client_mark SET comment = 'y' WHERE id = :mark", mark=stored) == "client_mark_is_as_opened"


@pytest.mark.parametrize("change", ["about = 'x'", "kind = 'pep'", "list_name = 'x'", "comment = 'x'", "said_by = 'x'"])
def test_a_mark_is_never_rewritten(client: Client, officer: Actor, change: str) -> None:
    stored = mark(client.id, officer)
    assert refused(f"UPDATE client_mark SET {change} WHERE id = :id", id=stored) == "client_mark_is_as_opened"


def test_the_block_of_a_mark_is_not_lifted_before_it(client: Client, officer: Actor, senior: Actor) -> None:
    mark(client.id, officer)
    rule = refused(
        "UPDATE client_block SET lifted_at = now(), lifted_by_kind = 'staff' WHERE client_id = :id", id=client.id
    )
    assert rule in {"client_block_stands_while_marked", "ck_client_block_lifted_by_two_people"}


def test_a_flag_that_is_closed_is_given_to_nobody(officer: Actor) -> None:
    client = person(officer, residence_country="XX")
    from dashboard.clients import queries

    flag = queries.flags_of(client.id)[0]
    with transaction():
        services.settle_flag(flag.id, reason="Seen", by=officer)
    rule = refused(
        "UPDATE client_flag SET owner_id = :by, owned_since = now() WHERE id = :id", id=flag.id, by=officer.id
    )
    assert rule == "client_flag_is_as_raised"
