"""An application on a database of its own, with real commits, for all the tests of one file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from flask import Flask

from dashboard.app import create_app
from dashboard.database import db
from dashboard.settings import Settings
from tests.conftest import Browser, Databases


@contextmanager
def application(databases: Databases, configured: Settings, name: str, *, threads: int = 4) -> Iterator[Flask]:
    """`threads`: how many may be in the database at the same time."""
    app_url, owner_url = databases.clone(name)
    app = create_app(replace(configured, database_url=app_url, migration_database_url=owner_url, web_threads=threads))
    app.test_client_class = Browser
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False, RATELIMIT_ENABLED=False, PROPAGATE_EXCEPTIONS=False)
    with app.app_context():
        try:
            yield app
        finally:
            db.session.remove()
            db.engine.dispose()
            app.extensions["countinghouse.lane"].close()
    databases.drop(name)
