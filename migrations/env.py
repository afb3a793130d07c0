"""Runs migrations as the owner of the tables, one process at a time."""

from __future__ import annotations

from importlib import import_module

import sqlalchemy as sa
from alembic import context

from dashboard import database, settings

#: packages that own tables
TABLES = (
    "access", "audit", "staff", "views", "queues", "approvals", "people", "background", "exports", "ledger", "clients",
    "clients.documents", "transfers", "onboarding.sumsub", "onboarding.pulling", "treasury.register", "treasury.cover",
    "treasury.days", "treasury.statements", "treasury.movements", "treasury.matching", "treasury.positions",
    "treasury.alerts", "treasury.checks", "jobs",
)  # fmt: skip

#: any number that nobody else uses: two processes that migrate at once wait for one another
LOCK = 0x636F756E74

for package in TABLES:
    import_module(f"dashboard.{package}.models")
import_module("dashboard.clients.deletion_models")


def run() -> None:
    url = context.config.attributes.get("url") or database.migration_url(settings.load())
    engine = sa.create_engine(url, poolclass=sa.pool.NullPool, connect_args={"options": "-c timezone=UTC"})
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=database.Base.metadata,
            transaction_per_migration=True,
            # made by hand: unlogged, and no model stands for it
            include_name=lambda name, kind, _parents: not (kind == "table" and name == "rate_limit"),
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.execute(sa.text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})
        connection.commit()


run()
