"""An application on a database of its own, with real commits, for all the tests of one file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from flask import Flask

from dashboard.settings import Settings
from tests.conftest import Databases, own_database


@contextmanager
def application(databases: Databases, configured: Settings, *, threads: int = 4) -> Iterator[Flask]:
    """`threads`: how many may be in the database at the same time."""
    with own_database(databases, replace(configured, web_threads=threads)) as app, app.app_context():
        yield app
