"""`flask transfers …`: providers from the command line."""

from __future__ import annotations

import click
from flask.cli import AppGroup

from dashboard.access.actor import system
from dashboard.errors import DomainError, Invalid
from dashboard.transfers.exchange_commands import rates_command
from dashboard.transfers.simulator.command import sandbox_command
from dashboard.transfers.vocabulary import TransferType

transfer_commands = AppGroup("transfers", help="Transfers and providers.")
provider_commands = AppGroup("provider", help="Banks and payment providers.")
transfer_commands.add_command(provider_commands)
transfer_commands.add_command(rates_command)

__all__ = ["sandbox_command", "transfer_commands"]

CARRIED = [type.value for type in TransferType if type is not TransferType.INTERNAL]


def _refused(error: DomainError) -> click.ClickException:
    if isinstance(error, Invalid):
        return click.ClickException(" ".join(f"{e.field}: {e.message}" for e in error.errors))
    return click.ClickException(error.message)


@provider_commands.command("add")
@click.argument("key")
@click.option("--name", required=True, help="As people read it.")
@click.option("--kind", required=True, type=click.Choice(["files", "sandbox"]), help="How it is talked to.")
def add_command(key: str, name: str, kind: str) -> None:
    """Make a provider known by its KEY. Register its bank accounts with `provider account`."""
    from dashboard.database import transaction
    from dashboard.transfers.services import providers

    try:
        with transaction():
            providers.register_provider(key=key, name=name, kind=kind, by=system("flask transfers provider add"))
    except DomainError as error:
        raise _refused(error) from None
    click.echo(f"{key} is registered.")


@provider_commands.command("account")
@click.argument("key")
@click.argument("number")
@click.argument("currency")
@click.option("--name", required=True, help="As people read it.")
def account_command(key: str, number: str, currency: str, name: str) -> None:
    """Register the house's bank account NUMBER in CURRENCY at provider KEY; its system accounts are made with it."""
    from dashboard.database import transaction
    from dashboard.ledger.services import accounts
    from dashboard.transfers.services import providers

    by = system("flask transfers provider account")
    try:
        with transaction():
            providers.provider(key)
            accounts.register_bank_account(provider=key, name=name, number=number, currency=currency.lower(), by=by)
    except DomainError as error:
        raise _refused(error) from None
    click.echo(f"{number} at {key} is registered.")


@provider_commands.command("list")
def list_command() -> None:
    """Providers with their bank accounts' currencies and routes."""
    from dashboard.ledger.queries.accounts import offered_currencies
    from dashboard.transfers.services import providers

    currencies = offered_currencies()
    routed = providers.routes()
    for each in providers.all_providers():
        held = ", ".join(code.upper() for code, keys in currencies.items() if each.key in keys) or "no bank account"
        carries = ", ".join(
            f"{route.type} {route.currency.upper()} ({route.priority})"
            for route in routed
            if route.provider == each.key
        )
        state = "active" if each.active else "inactive"
        click.echo(f"{each.key}\t{each.name}\t{each.kind}\t{state}\t{held}\t{carries or 'no route'}")


@provider_commands.command("route")
@click.argument("key")
@click.argument("type", type=click.Choice(CARRIED))
@click.argument("currency")
@click.option("--priority", default=1, show_default=True, help="The lowest number wins.")
@click.option("--remove", is_flag=True, help="Take the route away.")
def route_command(key: str, type: str, currency: str, priority: int, remove: bool) -> None:
    """Let provider KEY carry transfers of TYPE in CURRENCY."""
    from dashboard.database import transaction
    from dashboard.transfers.services import providers

    by = system("flask transfers provider route")
    chosen, code = TransferType(type), currency.lower()
    try:
        with transaction():
            if remove:
                providers.remove_route(type=chosen, currency=code, provider_key=key, by=by)
            else:
                providers.set_route(type=chosen, currency=code, provider_key=key, priority=priority, by=by)
    except DomainError as error:
        raise _refused(error) from None
    click.echo(f"{key} {'no longer carries' if remove else 'carries'} {type} {code.upper()}.")


@provider_commands.command("activate")
@click.argument("key")
@click.option("--off", is_flag=True, help="New transfers go elsewhere; what is under way goes on.")
def activate_command(key: str, off: bool) -> None:
    """Let new transfers go by provider KEY, or no longer."""
    from dashboard.database import transaction
    from dashboard.transfers.services import providers

    try:
        with transaction():
            providers.set_active(key, not off, by=system("flask transfers provider activate"))
    except DomainError as error:
        raise _refused(error) from None
    click.echo(f"{key} is {'inactive' if off else 'active'}.")
