"""`flask audit …`: the chain of evidence from the command line."""

from __future__ import annotations

import click
from flask import current_app
from flask.cli import AppGroup

from dashboard.access.actor import system
from dashboard.audit import heads, sealing, verifying
from dashboard.database import transaction
from dashboard.errors import DomainError

audit_commands = AppGroup("audit", help="Seal, verify and keep the chain of evidence.")


@audit_commands.command("seal")
def seal_command() -> None:
    """Seal what was committed since the last time, here and now."""
    done = sealing.seal_what_waits()
    click.echo(f"{done.events:,} events sealed.")
    if done.holder:
        raise click.ClickException(f"Not everything: {done.holder}.")


@audit_commands.command("head")
def head_command() -> None:
    """Seal, append the head to INSTANCE_PATH/evidence/heads.jsonl, and print it."""
    sealing.seal_all()
    path = current_app.extensions["countinghouse.settings"].instance_path
    with transaction():
        head = sealing.head()
        if head is None:
            raise click.ClickException("Nothing is sealed yet.")
        kept = heads.keep(path, head, by=system("flask audit head"))
    click.echo(f"position {kept.position}, hash {kept.hash}, {kept.at}")


@audit_commands.command("verify")
@click.pass_context
def verify_command(context: click.Context) -> None:
    """Verify every sealed record and the kept heads. Ends with status 1 where something is broken, and names the first
    broken record; with status 2 where it could not verify."""
    from dashboard.home import audit_work

    told = [0]

    def keep(done: int, total: int) -> None:
        if done - told[0] >= 100_000:
            told[0] = done
            click.echo(f"{done:,} of {total:,}")

    try:
        outcome = audit_work.verify(by=system("flask audit verify"), keep=keep)
    except DomainError as error:
        click.echo(error.message, err=True)
        context.exit(2)
    click.echo(verifying.said_of(outcome.as_figures()))
    if outcome.head_hash:
        click.echo(f"Head: position {outcome.head}, hash {outcome.head_hash}")
    context.exit(1 if outcome.broken else 0)
