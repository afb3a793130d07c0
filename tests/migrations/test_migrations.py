"""Migrations go forward from empty, twice without harm, and agree with the models."""

from __future__ import annotations

import subprocess
import sys

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations

from dashboard import migrate
from dashboard.database import schema_head
from dashboard.settings import ROOT
from migrations.guards import rewrite_function
from tests.conftest import Databases


def _version(url: str) -> str:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    assert row is not None
    return str(row[0])


def _empty(databases: Databases, name: str) -> str:
    databases.drop(name)
    owner = sa.make_url(databases.owner_url(name)).username
    databases.execute(f'CREATE DATABASE {name} OWNER "{owner}"')
    return databases.owner_url(name)


def test_an_empty_database_is_brought_to_the_newest_schema_and_a_second_time_changes_nothing(
    databases: Databases,
) -> None:
    url = _empty(databases, "migration_empty")
    migrate.upgrade(url)
    migrate.upgrade(url)
    assert _version(url) == schema_head()
    databases.drop("migration_empty")


def test_two_processes_may_migrate_at_once(databases: Databases) -> None:
    url = _empty(databases, "migration_twice")
    code = f"from dashboard import migrate; migrate.upgrade({url!r})"
    processes = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) for _ in range(2)]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert _version(url) == schema_head()
    databases.drop("migration_twice")


def test_the_models_say_what_the_migrations_made(databases: Databases) -> None:
    _app_url, owner_url = databases.clone("migration_check")
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.attributes["url"] = owner_url
    command.check(config)
    databases.drop("migration_check")


def test_a_function_is_rewritten_in_parts_and_keeps_who_may_call_it_or_stays_as_it_was(databases: Databases) -> None:
    databases.clone("migration_rewrite")
    # not as the owner: it stays the owner's all the same
    url = sa.make_url(databases.admin).set(drivername="postgresql+psycopg", database="migration_rewrite")
    engine = sa.create_engine(url)
    kept = "SELECT proowner, proacl::text, proconfig, provolatile FROM pg_proc WHERE proname = 'refuse_change'"
    with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):

        def text() -> str:
            return str(connection.scalar(sa.text("SELECT pg_get_functiondef('refuse_change'::regproc)")))

        connection.execute(sa.text("REVOKE EXECUTE ON FUNCTION refuse_change() FROM PUBLIC"))
        before, held = text(), connection.execute(sa.text(kept)).one()
        for wrong in ("these rows are not here", "refuse"):
            # the first part fits, and is not changed alone
            with pytest.raises(RuntimeError, match="no longer reads"):
                rewrite_function("refuse_change", ("these rows are evidence", "no"), (wrong, "no"))
        with pytest.raises(RuntimeError, match="0 functions"):
            rewrite_function("refuse_nothing", ("a", "b"))
        assert text() == before
        rewrite_function("refuse_change", ("these rows are evidence", "100 %% evidence"), ("integrity_", "integrity_"))
        assert text() == before.replace("these rows are evidence", "100 %% evidence") != before
        assert connection.execute(sa.text(kept)).one() == held
        connection.execute(sa.text("CREATE FUNCTION refuse_change(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'"))
        with pytest.raises(RuntimeError, match="2 functions"):
            rewrite_function("refuse_change", ("100 %%", "0 %%"))
    engine.dispose()
    databases.drop("migration_rewrite")
