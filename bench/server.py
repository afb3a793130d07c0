"""The server that benchmarks run on: databases of their own, and applications upon them."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import structlog
from flask import Flask

from dashboard import embedded, migrate, settings
from dashboard.app import create_app
from dashboard.home.demo_data import loading


@dataclass(frozen=True)
class Bench:
    folder: Path

    @property
    def _server(self) -> embedded.Server:
        return embedded.running(self.folder) or embedded.ensure(self.folder)

    def _admin(self, statement: str) -> str:
        url = self._server.url(embedded.SUPERUSER, "postgres").replace("+psycopg", "")
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            row = cursor.fetchone() if cursor.description else None
        return str(row[0]) if row else ""

    def version(self) -> str:
        return "PostgreSQL " + self._admin("SHOW server_version")

    def setting(self, name: str) -> str:
        return self._admin(f"SHOW {name}")

    def filled(self, clients: int) -> tuple[Flask, loading.Loaded]:
        """An application on a fresh database with so many demo clients."""
        name = f"bench_{clients}"
        self._admin(f"CREATE DATABASE {name} OWNER {embedded.OWNER_ROLE}")
        owner = self._server.url(embedded.OWNER_ROLE, name)
        migrate.upgrade(owner)
        chosen = replace(
            settings.load({"SECRET_KEY": "bench-secret-key-of-at-least-32-characters"}),
            instance_path=self.folder,
            database_url=self._server.url(embedded.APP_ROLE, name),
            migration_database_url=owner,
        )
        loaded = loading.load(owner, chosen, clients=clients, seed=1)
        app = create_app(chosen)
        app.config.update(RATELIMIT_ENABLED=False)
        # one line for each request would bury the table
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
        return app, loaded
