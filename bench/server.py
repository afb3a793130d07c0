"""The server that benchmarks run on: databases of their own, and applications upon them."""

from __future__ import annotations

import logging
import os
import platform
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import structlog
from flask import Flask

from dashboard import embedded, migrate, settings
from dashboard.app import create_app
from dashboard.home.demo_data import loading

SECRET_KEY = "bench-secret-key-of-at-least-32-characters"
SECOND_FACTOR_KEY = "bench-second-factor-key-of-at-least-32-characters"


def production(chosen: settings.Settings) -> dict[str, str]:
    """What the product is told when it is served on this database as in production."""
    assert chosen.database_url is not None and chosen.migration_database_url is not None
    return {
        "ENVIRONMENT": "production",
        "DATABASE_URL": chosen.database_url,
        "MIGRATION_DATABASE_URL": chosen.migration_database_url,
        "SECRET_KEY": SECRET_KEY,
        "SECOND_FACTOR_KEY": SECOND_FACTOR_KEY,
        "INSTANCE_PATH": str(chosen.instance_path),
    }


@contextmanager
def started() -> Iterator[Bench]:
    """A server in a temporary folder, described in two lines; gone in the end, also when ended from outside."""
    os.environ.pop("DATABASE_URL", None)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="countinghouse-bench-"))
    try:
        bench = Bench(folder)
        machine = f"{platform.machine()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
        print(f"{machine}, Python {platform.python_version()}, {bench.version()}")
        shown = ("shared_buffers", "work_mem", "fsync", "synchronous_commit", "jit")
        print("; ".join(f"{name} {bench.setting(name)}" for name in shown), flush=True)
        yield bench
    finally:
        embedded.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Bench:
    folder: Path

    @property
    def server(self) -> embedded.Server:
        return embedded.running(self.folder) or embedded.ensure(self.folder)

    def _admin(self, statement: str) -> str:
        url = self.server.url(embedded.SUPERUSER, "postgres").replace("+psycopg", "")
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            row = cursor.fetchone() if cursor.description else None
        return str(row[0]) if row else ""

    def version(self) -> str:
        return "PostgreSQL " + self._admin("SHOW server_version")

    def setting(self, name: str) -> str:
        return self._admin(f"SHOW {name}")

    def pid(self) -> int:
        """The process above all others of the server."""
        return int((self.server.data / "postmaster.pid").read_text().partition("\n")[0])

    def superuser(self, name: str) -> str:
        """The URL of a database for psycopg, as the role that may do anything."""
        return self.server.url(embedded.SUPERUSER, name).replace("+psycopg", "")

    def created(self, name: str) -> str:
        """A fresh empty database; its URL for psycopg, as the role that owns it."""
        self._admin(f"CREATE DATABASE {name} OWNER {embedded.OWNER_ROLE}")
        return self.server.url(embedded.OWNER_ROLE, name).replace("+psycopg", "")

    def migrated(self, name: str) -> settings.Settings:
        """A fresh database with the newest schema; the settings that lead to it."""
        self.created(name)
        owner = self.server.url(embedded.OWNER_ROLE, name)
        migrate.upgrade(owner)
        return replace(
            settings.load({"SECRET_KEY": SECRET_KEY}),
            instance_path=self.folder,
            database_url=self.server.url(embedded.APP_ROLE, name),
            migration_database_url=owner,
        )

    def filled(self, clients: int, name: str) -> tuple[Flask, loading.Loaded]:
        """An application on a fresh database of this name with so many demo clients."""
        chosen = self.migrated(name)
        assert chosen.migration_database_url is not None
        loaded = loading.load(chosen.migration_database_url, chosen, clients=clients, seed=1)
        app = create_app(chosen)
        app.config.update(RATELIMIT_ENABLED=False)
        # one line for each request would bury the table
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
        return app, loaded
