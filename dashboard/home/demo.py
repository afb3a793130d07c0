"""`flask demo load`: sign-ins, clients, their histories and their money to try the product with."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

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


@commands.command("statements")
@click.option(
    "--day", type=click.DateTime(["%Y-%m-%d"]), help="A business day that has ended.  [default: the last one]"
)
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of the days.")
@click.option("--earlier", default=1, show_default=True, type=click.IntRange(0, 30), help="Days before, as they were.")
@click.option("--seed", default=1, show_default=True, type=int, help="Which payments differ.")
def statements(day: datetime | None, out: Path, earlier: int, seed: int) -> None:
    """Write what the demo's banks tell of a day, camt.053 and MT940, with differences that are listed beside it.

    Days before it come without differences, so that balances follow one another; where OUT holds an earlier list, what
    is written goes on from there. Refused when ENVIRONMENT=production.
    """
    from dashboard.home.demo_data.statements import bookings, folder

    settings: Settings = current_app.extensions["countinghouse.settings"]
    if settings.production:
        raise click.ClickException("Demo statements are refused when ENVIRONMENT=production.")
    try:
        last = day.date() if day else bookings.last_closed()
        if last is None:
            raise click.ClickException("No business day has ended yet.")
        done = folder.write(out, last, earlier=earlier, seed=seed, owner=settings.institution_name)
    except DomainError as error:
        raise click.ClickException(error.message) from None
    for each in done:
        differ = f", {each.planted} planted differences" if each.planted else ""
        click.echo(f"{each.folder}: {len(each.files)} files, {each.entries} entries{differ}")
