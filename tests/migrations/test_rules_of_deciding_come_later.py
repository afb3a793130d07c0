"""A house with requests from before deciding was data: the upgrade lets all of them stand, with the end they had."""

from __future__ import annotations

from typing import Any

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from dashboard import migrate
from dashboard.database import new_id
from dashboard.settings import ROOT
from tests.conftest import Databases

NAME = "countinghouse_before_deciding"
ROLES = ("officer", "senior-officer", "senior-treasurer", "admin")


def _member(connection: Any, role: str) -> Any:
    member_id = new_id()
    # the database asks for the operator's evidence
    connection.execute(
        "INSERT INTO audit_event (id, occurred_at, actor_kind, actor_name, actor_role, action, object_type, object_id)"
        " VALUES (%s, now(), 'system', 'system', 'system', 'staff.created', 'staff_member', %s)",
        (new_id(), member_id),
    )
    connection.execute(
        "INSERT INTO staff_member (id, email, email_key, name, role, password_hash, theme, keys_off, created_at,"
        " password_changed_at) VALUES (%s, %s, %s, %s, %s, 'none', 'system', false, now(), now())",
        (member_id, f"{role}@test.example", f"{role}@test.example", role, role),
    )
    return member_id


def _asked(connection: Any, maker: Any) -> Any:
    request_id = new_id()
    connection.execute(
        "INSERT INTO approval_request (id, kind, object_type, object_id, subject, state, maker_kind, maker_id,"
        " maker_name, maker_senior, reason, restricted, payload, before, after, fingerprint, requested_at, expires_at)"
        " VALUES (%s, 'client.activate', 'client', %s, 'Mari', 'requested', 'staff', %s, 'x', true, 'r', false, '{}',"
        " '{}', '{}', '{}', now(), '2099-01-01 12:00+00')",
        (request_id, new_id(), maker),
    )
    return request_id


def _decided(connection: Any, request_id: Any, who: Any, *, senior: bool, state: str = "approved") -> str | None:
    """The rule that refuses it; None: it is done."""
    try:
        with connection.transaction():
            connection.execute(
                "UPDATE approval_request SET state = %s, closed_at = now(), decided_by = %s, decider_name = 'x',"
                " decider_senior = %s, decision_reason = 'x' WHERE id = %s",
                (state, who, senior, request_id),
            )
    except psycopg.errors.IntegrityConstraintViolation as error:
        return error.diag.constraint_name
    return None


def test_open_requests_keep_their_end_and_are_decided_by_the_roles_of_their_permission(databases: Databases) -> None:
    databases.drop(NAME)
    owner_url = databases.owner_url(NAME)
    databases.execute(f'CREATE DATABASE {NAME} OWNER "{sa.make_url(owner_url).username}"')
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.attributes["url"] = owner_url
    command.upgrade(config, "0030")
    plain = owner_url.replace("+psycopg", "")
    with psycopg.connect(plain, options="-c timezone=UTC") as connection:
        people = {role: _member(connection, role) for role in ROLES}
        open_, closed, rejected = (_asked(connection, people["senior-officer"]) for _ in range(3))
        # as it could be until now
        assert _decided(connection, closed, people["senior-treasurer"], senior=True) is None
    migrate.upgrade(owner_url)
    with psycopg.connect(plain, options="-c timezone=UTC") as connection:
        stood = connection.execute("SELECT state, expires_at::text FROM approval_request WHERE id = %s", (open_,))
        assert stood.fetchone() == ("requested", "2099-01-01 12:00:00+00")
        kept = connection.execute("SELECT state FROM approval_request WHERE id = %s", (closed,)).fetchone()
        assert kept == ("approved",)
        assert connection.execute("SELECT count(*) FROM approval_rule").fetchone() == (0,)
        for state in ("approved", "rejected"):
            wrong = _decided(connection, open_, people["senior-treasurer"], senior=True, state=state)
            assert wrong == "approval_request_role_decides"
        assert _decided(connection, rejected, people["officer"], senior=False, state="rejected") is None
        assert _decided(connection, open_, people["officer"], senior=False) is None
        # the guards of people stand as before
        for role, rule in (("admin", "staff_member_last_administrator"), ("officer", None)):
            try:
                with connection.transaction():
                    connection.execute("UPDATE staff_member SET disabled_at = now() WHERE role = %s", (role,))
            except psycopg.errors.IntegrityConstraintViolation as error:
                assert error.diag.constraint_name == rule
            else:
                assert rule is None
    databases.drop(NAME)
