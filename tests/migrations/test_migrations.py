"""Migrations go forward from empty, twice without harm, and agree with the models."""

from __future__ import annotations

import subprocess
import sys

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from dashboard import migrate
from dashboard.database import schema_head
from dashboard.settings import ROOT
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
