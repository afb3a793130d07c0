"""Money at the bank accounts of the house."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from dashboard import clock
from dashboard.access.actor import system
from dashboard.database import new_id, transaction
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import accounts, days, payments
from dashboard.ledger.vocabulary import AccountType, ParentType
from dashboard.treasury.register.queries import BankAccountView

MoneyAt = Callable[[BankAccountView, int], None]


@pytest.fixture(autouse=True)
def business_day(request: pytest.FixtureRequest) -> None:
    """The house has begun: everything is booked on an open day. Tests with real commits begin by themselves."""
    if "committed" in request.fixturenames:
        return
    request.getfixturevalue("app")
    with transaction():
        days.open_first(clock.calendar().add_days(clock.calendar().today(), 0), by=system())


@pytest.fixture
def money_at(app: Flask) -> MoneyAt:
    """`money_at(account, 100)`: a client paid in so much, in minor units."""

    def put(view: BankAccountView, minor: int) -> None:
        with transaction():
            owner = new_id()
            accounts.register_owner(owner)
            client = accounts.open_account(type=AccountType.CLIENT, currency=view.currency, owner_id=owner, by=system())
            assert view.settlement_account_id is not None
            leg = Leg(view.settlement_account_id, client.id, minor, view.currency)
            payments.pay(Order(ParentType.TRANSFER, new_id(), [leg]), by=system())

    return put
