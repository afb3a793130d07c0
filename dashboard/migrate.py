"""`flask database upgrade`: bring the schema to the newest migration. Migrations only go forward."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from dashboard.settings import ROOT

commands = AppGroup("database", help="The schema of the database.")


def upgrade(url: str | None = None) -> None:
    """Run what is missing, as the owner of the tables. Alembic costs a second to import, so it is imported here."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    config.attributes["url"] = url
    command.upgrade(config, "head")


@commands.command("upgrade")
def upgrade_command() -> None:
    """Bring the schema to the newest migration."""
    upgrade()
    click.echo("The schema is up to date.")
