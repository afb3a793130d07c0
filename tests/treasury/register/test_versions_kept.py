"""Register rows from before their versions were kept."""

from __future__ import annotations

import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from dashboard import migrate
from tests.conftest import WORKER, Databases


def test_a_register_row_that_was_there_before_has_its_version_kept(databases: Databases) -> None:
    name = f"countinghouse_register_before{WORKER}"
    databases.drop(name)
    url = databases.owner_url(name)
    databases.execute(f'CREATE DATABASE {name} OWNER "{sa.make_url(url).username}"')
    config = Config()
    config.set_main_option("script_location", str(migrate.ROOT / "migrations"))
    config.attributes["url"] = url
    plain = url.replace("postgresql+psycopg://", "postgresql://")
    try:
        command.upgrade(config, "0011")
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute("INSERT INTO bank_account (id, provider, name, number, currency, created_at)"
                               " VALUES (gen_random_uuid(), 'p', 'n', 'N1', 'eur', now())")  # fmt: skip
            connection.execute("INSERT INTO treasury_account (bank_account_id, pool, purpose, designated_from,"
                               " calendar, changed_at) SELECT id, 'eMoney', 'safeguarding', '2020-01-01', 'LT', now()"
                               " FROM bank_account")  # fmt: skip
        command.upgrade(config, "0012")
        with psycopg.connect(plain, autocommit=True) as connection:
            kept = connection.execute("SELECT version, pool, purpose FROM treasury_account_version").fetchall()
        assert kept == [(1, "eMoney", "safeguarding")]
    finally:
        databases.drop(name)
