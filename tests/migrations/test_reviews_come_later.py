"""A house with clients from before it planned reviews: the upgrade gives each its date and history, asks nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from flask import Flask

from dashboard import migrate
from dashboard.app import create_app
from dashboard.database import db, new_id, session
from dashboard.jobs import schedule
from dashboard.settings import ROOT, Settings
from tests.conftest import Databases

NAME = "countinghouse_before_reviews"
#: name to (status, risk, created, activated, document expires)
CLIENTS: dict[str, tuple[str, int, str, str | None, str | None]] = {
    "high": ("active", 3, "2024-01-10", "2024-03-05", None),
    "low": ("active", 1, "2023-01-10", None, None),
    "unset": ("active", 0, "2026-06-10", None, "2026-12-24"),
    "old papers": ("active", 2, "2025-06-10", None, "2020-01-01"),
    "waiting": ("inactive", 2, "2025-06-10", None, None),
    "gone": ("closed", 2, "2025-06-10", None, None),
}


def _client(connection: Any, name: str) -> UUID:
    status, risk, created, activated, expires = CLIENTS[name]
    client_id, event = new_id(), new_id()
    connection.execute(
        "INSERT INTO client (id, type, status, risk_level, name, name_key, search_text, is_default_compliant,"
        " open_flags, worst_flag, version, created_at, updated_at)"
        " VALUES (%s, 'individual', %s, %s, %s, %s, %s, false, 0, 0, 1, %s, %s)",
        (client_id, status, risk, name, name, name, f"{created} 12:00+00", f"{created} 12:00+00"),
    )
    connection.execute(
        "INSERT INTO individual (client_id, first_name, last_name, document_expiration_date) VALUES (%s, %s, '', %s)",
        (client_id, name, expires),
    )
    if activated:
        connection.execute(
            "INSERT INTO audit_event (id, occurred_at, actor_kind, actor_name, actor_role, action, object_type,"
            " object_id, client_id) VALUES (%s, %s, 'staff', 'R. Kask', 'officer',"
            " 'client.activated', 'client', %s, %s)",
            (new_id(), f"{activated} 12:00+00", client_id, client_id),
        )
    if name == "high":
        connection.execute(
            "INSERT INTO audit_event (id, occurred_at, actor_kind, actor_name, actor_role, action, object_type,"
            " object_id, client_id) VALUES (%s, '2025-02-01 12:00+00', 'staff', 'R. Kask', 'officer',"
            " 'client.changed', 'client', %s, %s)", (event, client_id, client_id),
        )  # fmt: skip
        connection.execute(
            """INSERT INTO audit_payload (event_id, salt, before, after) VALUES (%s, 's', '{"risk": "Low"}',"""
            """ '{"risk": "High"}')""", (event,),
        )  # fmt: skip
    return client_id


@pytest.fixture(scope="module")
def upgraded(databases: Databases, configured: Settings) -> Iterator[tuple[Flask, dict[str, UUID]]]:
    """The application on a database that was at revision 0004 when it had its clients."""
    databases.drop(NAME)
    owner_url = databases.owner_url(NAME)
    databases.execute(f'CREATE DATABASE {NAME} OWNER "{sa.make_url(owner_url).username}"')
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.attributes["url"] = owner_url
    command.upgrade(config, "0004")
    with psycopg.connect(owner_url.replace("+psycopg", ""), options="-c timezone=UTC") as connection:
        ids = {name: _client(connection, name) for name in CLIENTS}
    migrate.upgrade(owner_url)
    app = create_app(replace(configured, database_url=databases.app_url(NAME), migration_database_url=owner_url))
    with app.app_context():
        yield app, ids
        db.session.remove()
        db.engine.dispose()
        app.extensions["countinghouse.lane"].close()
    databases.drop(NAME)


def test_each_client_has_its_date_from_its_risk_and_its_papers(upgraded: tuple[Flask, dict[str, UUID]]) -> None:
    _, ids = upgraded
    rows = session().execute(sa.text("SELECT client_id, next_on, running FROM client_review_plan"))
    found = {client_id: (next_on, running) for client_id, next_on, running in rows}
    assert {name: found[client_id] for name, client_id in ids.items()} == {
        "high": (date(2025, 3, 5), True),
        "low": (date(2028, 1, 10), True),
        "unset": (date(2026, 12, 24), True),
        "old papers": (date(2027, 6, 10), True),
        "waiting": (date(2027, 6, 10), False),
        "gone": (None, False),
    }
    session().rollback()


def test_the_history_begins_with_what_the_evidence_tells_else_with_what_stands(
    upgraded: tuple[Flask, dict[str, UUID]],
) -> None:
    _, ids = upgraded

    def history(name: str) -> list[tuple[Any, ...]]:
        rows = session().execute(
            sa.text("SELECT risk_before, risk_after, cause, by_name FROM client_risk_change WHERE client_id = :id"),
            {"id": ids[name]},
        )
        return list(map(tuple, rows))

    assert history("high") == [(1, 3, "changed", "R. Kask")]
    assert history("low") == [(None, 1, "found", "system")]
    session().rollback()


def test_nobody_is_asked_before_the_night_and_then_with_days_to_do_it(
    upgraded: tuple[Flask, dict[str, UUID]],
) -> None:
    app, ids = upgraded
    count = sa.text("SELECT count(*) FROM queue_item WHERE queue = 'client-reviews'")
    assert session().scalar(count) == 0
    session().rollback()
    figures = schedule.review_clients(app.extensions["countinghouse.settings"])
    # what is over since years is neither raised nor restricted in the night in which people first hear of it
    assert (figures["planned"], figures["escalated"], figures["restricted"]) == (0, 0, 0)
    late = session().scalar(
        sa.text("SELECT count(*) FROM queue_item WHERE queue = 'client-reviews' AND due_at < now()")
    )
    assert late == 0
    assert session().scalar(
        sa.text("SELECT count(*) FROM queue_item WHERE queue = 'client-reviews' AND object_id = :id"),
        {"id": ids["high"]},
    ) == 1  # fmt: skip
    session().rollback()
