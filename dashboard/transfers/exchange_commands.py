"""`flask transfers rates`: reference rates from the command line."""

from __future__ import annotations

from pathlib import Path

import click

from dashboard.access.actor import system
from dashboard.errors import DomainError


@click.command("rates")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def rates_command(file: Path) -> None:
    """Load the reference rates of a FILE of the European Central Bank (eurofxref-daily.xml, or one of history)."""
    from dashboard.database import transaction
    from dashboard.transfers.services.exchange import ecb, rates

    try:
        if file.stat().st_size > ecb.LARGEST_FILE:
            raise click.ClickException(f"The file is larger than {ecb.LARGEST_FILE // 1024**2} MB.")
        with transaction():
            loaded = rates.load(file.read_bytes(), name=file.name, by=system("flask transfers rates"))
    except DomainError as error:
        raise click.ClickException(rates.in_words(error)) from None
    click.echo(f"{loaded.rates:,} rates, {loaded.fresh:,} of them new; the newest of {loaded.newest:%Y-%m-%d}.")
