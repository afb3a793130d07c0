"""`flask ledger …`: the ledger from the command line."""

from __future__ import annotations

from pathlib import Path

import click
from flask.cli import AppGroup

from dashboard.access.actor import system
from dashboard.errors import DomainError, Invalid

ledger_commands = AppGroup("ledger", help="Business days, balances and imports of payments.")


def _refused(error: DomainError) -> click.ClickException:
    """The refusal in words, with each field that broke a rule."""
    if isinstance(error, Invalid):
        return click.ClickException(" ".join(f"{e.field}: {e.message}" if e.field else e.message for e in error.errors))
    return click.ClickException(error.message)


@ledger_commands.command("import")
@click.argument("file", type=click.Path(path_type=Path))
def import_command(file: Path) -> None:
    """Post the payments of a CSV FILE. Run it again to go on where it stopped; what was refused stands in
    FILE.errors.csv."""
    from dashboard.ledger.services import importing

    def told(done: int, posted: int, refused: int) -> None:
        click.echo(f"{done:,} records: {posted:,} posted, {refused:,} refused")

    try:
        result = importing.import_file(file, by=system("flask ledger import"), progress=told)
    except DomainError as error:
        raise _refused(error) from None
    click.echo(f"Done: {result.posted:,} posted, {result.refused:,} refused.")
    if result.refused:
        click.echo(f"What was refused and why: {result.errors}")
