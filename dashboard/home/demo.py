"""`flask demo load`: sign-ins, clients, their histories and their money to try the product with."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask import current_app
from flask.cli import AppGroup

from dashboard import database
from dashboard.errors import DomainError
from dashboard.settings import Settings


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Whoever is told to end takes the processes that invent rows along."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


commands = AppGroup("demo", help="Demo data.")


@commands.command("load")
@click.option("--clients", default=2_000, show_default=True, type=click.IntRange(0, 10_000_000))
@click.option(
    "--transactions",
    type=click.IntRange(0, 100_000_000),
    help="Of ninety days.  [default: ten for each client]",
)
@click.option("--seed", default=1, show_default=True, type=int, help="The same seed gives the same rows on one day.")
def load(clients: int, transactions: int | None, seed: int) -> None:
    """Fill an empty database with demo sign-ins and clients. Refused when ENVIRONMENT=production."""
    from dashboard.clients.documents.store import Store
    from dashboard.home.demo_data import comparison, deletions, documents, loading, unrecognized, verification

    settings: Settings = current_app.extensions["countinghouse.settings"]
    began = time.monotonic()
    try:
        with _ended_in_order():
            loaded = loading.load(
                database.migration_url(settings),
                settings,
                clients=clients,
                transactions=clients * loading.PER_CLIENT if transactions is None else transactions,
                seed=seed,
                progress=click.echo,
            )
        if loaded.transactions:
            unrecognized.tell(seed)
            documents.tell(Store(settings.instance_path))
        verification.tell(seed)
        if loaded.transactions:
            deletions.tell()
        comparison.tell()
    except DomainError as error:
        raise click.ClickException(error.message) from None
    seconds = time.monotonic() - began
    click.echo(
        f"{loaded.clients:,} clients, {loaded.transactions:,} transactions, {loaded.rows:,} rows in {seconds:.1f} s"
        f" ({loaded.rows / seconds:,.0f} rows a second)"
    )
