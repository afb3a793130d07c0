"""Providers are registered once, carry what they are routed, and name the accounts that money goes by."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import system
from dashboard.database import session, transaction
from dashboard.errors import Conflict, Invalid, Refused
from dashboard.ledger.models import Account
from dashboard.ledger.services import accounts
from dashboard.transfers.services import providers
from dashboard.transfers.vocabulary import TransferType

pytestmark = pytest.mark.usefixtures("app")
BY = system()


def registered(key: str, currency: str = "eur", kind: str = "files", number: str | None = None) -> None:
    with transaction():
        providers.register_provider(key=key, name=key.title(), kind=kind, by=BY)
        accounts.register_bank_account(
            provider=key, name=key.title(), number=number or f"{key}-{currency}", currency=currency, by=BY
        )


def test_a_provider_is_registered_once_and_with_a_word_as_key() -> None:
    registered("north")
    with pytest.raises(Conflict) as again:
        providers.register_provider(key="north", name="North", kind="files", by=BY)
    assert again.value.code == "providerExists"
    with pytest.raises(Invalid) as wrong:
        providers.register_provider(key="North Bank", name=" ", kind="carrier pigeon", by=BY)
    assert {error.field for error in wrong.value.errors} == {"key", "name", "kind"}


def test_settlement_and_suspense_are_those_of_the_bank_account() -> None:
    registered("north")
    settlement, bank = providers.settlement("north", "eur")
    suspense = providers.suspense(bank.id)
    types = dict(session().execute(sa.select(Account.id, Account.type).where(Account.bank_account_id == bank.id)).all())
    assert (types[settlement], types[suspense]) == ("settlement", "suspense")
    with pytest.raises(Refused) as none:
        providers.settlement("north", "usd")
    assert none.value.code == "noProviderAccount"


def test_the_lowest_active_priority_carries_a_transfer() -> None:
    registered("north")
    registered("south")
    with transaction():
        providers.set_route(type=TransferType.SEPA, currency="eur", provider_key="south", priority=1, by=BY)
        providers.set_route(type=TransferType.SEPA, currency="eur", provider_key="north", priority=2, by=BY)
    assert providers.for_transfer(TransferType.SEPA, "eur").key == "south"
    with transaction():
        providers.set_active("south", False, by=BY)
    assert providers.for_transfer(TransferType.SEPA, "eur").key == "north"


def test_without_a_route_any_active_provider_with_an_account_in_the_currency_carries_it() -> None:
    registered("north")
    registered("south", "gbp")
    assert providers.for_transfer(TransferType.FASTER_PAYMENTS, "gbp").key == "south"
    assert providers.for_transfer(TransferType.SWIFT, "eur", Account(provider="north")).key == "north"
    with pytest.raises(Refused) as none:
        providers.for_transfer(TransferType.SWIFT, "pln")
    assert none.value.code == "noProvider"


def test_providers_are_registered_and_routed_from_the_command_line(app: Flask) -> None:
    run = app.test_cli_runner().invoke
    assert run(args=["transfers", "provider", "add", "north", "--name", "North", "--kind", "files"]).exit_code == 0
    again = run(args=["transfers", "provider", "add", "north", "--name", "North", "--kind", "files"])
    assert (again.exit_code, "registered already" in again.output) == (1, True)
    assert run(args=["transfers", "provider", "route", "north", "sepa", "eur"]).exit_code == 1
    opened = run(args=["transfers", "provider", "account", "north", "LT121000011101001000", "eur", "--name", "North"])
    assert opened.exit_code == 0
    assert run(args=["transfers", "provider", "route", "north", "sepa", "eur"]).exit_code == 0
    listed = run(args=["transfers", "provider", "list"])
    assert "north\tNorth\tfiles\tactive\tEUR\tsepa EUR (1)" in listed.output
