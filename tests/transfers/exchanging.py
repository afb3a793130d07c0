"""A client with money in two currencies, and rates, for tests of exchanges."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.clients.models import Client
from dashboard.database import session, transaction
from dashboard.ledger.models import AccountBalance
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import accounts, payments
from dashboard.ledger.vocabulary import AccountType, ParentType
from dashboard.transfers.services.exchange import rates
from tests.clients.making import activated, person
from tests.conftest import People

RATES = {"USD": "1.0832", "GBP": "0.8341", "PLN": "4.2755", "JPY": "163.28"}


def cube(day: date, told: dict[str, str]) -> str:
    lines = "".join(f'<Cube currency="{currency}" rate="{rate}"/>' for currency, rate in told.items())
    return f'<Cube time="{day}">{lines}</Cube>'


def ecb_file(*days: tuple[date, dict[str, str]]) -> bytes:
    """As the bank publishes it."""
    inner = "".join(cube(day, told) for day, told in days)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<gesmes:Envelope'
        ' xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01"'
        ' xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">'
        "<gesmes:subject>Reference rates</gesmes:subject>"
        "<gesmes:Sender><gesmes:name>European Central Bank</gesmes:name></gesmes:Sender>"
        f"<Cube>{inner}</Cube></gesmes:Envelope>"
    ).encode()


def newest_day() -> date:
    """A business day whose fixing counts as fresh."""
    return clock.calendar().today() - timedelta(days=1)


def load_rates(told: dict[str, str] | None = None, day: date | None = None) -> None:
    with transaction():
        rates.load(ecb_file((day or newest_day(), told or RATES)), name="eurofxref-daily.xml", by=system())


def bank(*currencies: str) -> None:
    """The house's own accounts of these currencies."""
    for currency in currencies:
        with transaction():
            accounts.register_bank_account(
                provider="bank-alpha", name="Safeguarding", number=f"LT{currency}1", currency=currency, by=system()
            )


def active_client(people: People, **options: Any) -> Client:
    maker, senior = people.actor(Role.OFFICER), people.actor(Role.SENIOR_OFFICER)
    return activated(person(maker, **options), maker, senior)


def account(client_id: UUID, currency: str, money: int = 0) -> UUID:
    """An account of the client that holds so much."""
    with transaction():
        opened = accounts.open_account(type=AccountType.CLIENT, currency=currency, owner_id=client_id, by=system())
        if money:
            source = accounts.standard_account(AccountType.OWN_FUNDS, currency)
            payments.pay(
                Order(
                    parent_type=ParentType.ADJUSTING_PAYMENT, parent_id=opened.id,
                    legs=[Leg(source, opened.id, money, currency)],
                ),
                by=system(),
            )  # fmt: skip
    return opened.id


def balance(account_id: UUID) -> int:
    found = session().scalar(
        sa.select(sa.func.sum(AccountBalance.posted)).where(AccountBalance.account_id == account_id)
    )
    session().commit()
    return int(found or 0)


def house(type: AccountType, currency: str) -> int:
    return balance(accounts.standard_account(type, currency))
