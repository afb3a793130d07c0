"""A chain with some of everything, and somebody whom no guard stops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask

from tests.conftest import Databases


@pytest.fixture
def superuser(committed_in_file: Flask, databases: Databases) -> Iterator[psycopg.Connection[Any]]:
    """A connection with every right, and with all triggers resting."""
    name = sa.make_url(committed_in_file.extensions["countinghouse.settings"].migration_database_url).database
    url = sa.make_url(databases.admin.replace("postgresql://", "postgresql+psycopg://")).set(database=name)
    plain = url.render_as_string(hide_password=False).replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        yield connection
