"""Accounts, money on them, and a machine that may move it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import system
from dashboard.access.permissions import Audience
from dashboard.database import new_id, session, transaction
from dashboard.ledger.models import AccountBalance
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import accounts, payments
from dashboard.ledger.vocabulary import AccountType, ParentType


class Book:
    """A small ledger to write tests with. Amounts are minor units."""

    def __init__(self) -> None:
        self.sources: dict[str, UUID] = {}

    def owner(self) -> UUID:
        owner_id = new_id()
        with transaction():
            accounts.register_owner(owner_id)
        return owner_id

    def account(self, money: int = 0, *, currency: str = "eur", owner: UUID | None = None, limit: int = 0) -> UUID:
        """A client account that holds so much."""
        owner_id = owner or self.owner()
        with transaction():
            opened = accounts.open_account(
                type=AccountType.CLIENT, currency=currency, owner_id=owner_id, overdraft_limit_minor=limit, by=system()
            )
        if money:
            self.pay(self.house(currency), opened.id, money, currency=currency)
        return opened.id

    def house(self, currency: str = "eur", type: AccountType = AccountType.SETTLEMENT) -> UUID:
        """A system account of the currency; the same one each time."""
        key = f"{type}:{currency}"
        if key not in self.sources:
            with transaction():
                self.sources[key] = accounts.open_account(type=type, currency=currency, by=system()).id
        return self.sources[key]

    def order(self, debtor: UUID, creditor: UUID, amount: int, *, currency: str = "eur", **options: Any) -> Order:
        return Order(
            parent_type=options.pop("parent_type", ParentType.TRANSFER),
            parent_id=options.pop("parent_id", None) or uuid4(),
            legs=[Leg(debtor, creditor, amount, currency), *options.pop("more", [])],
            **options,
        )

    def pay(self, debtor: UUID, creditor: UUID, amount: int, **options: Any) -> UUID:
        order = self.order(debtor, creditor, amount, **options)
        with transaction():
            payments.pay(order, by=system())
        return order.id

    def draft(self, debtor: UUID, creditor: UUID, amount: int, **options: Any) -> UUID:
        order = self.order(debtor, creditor, amount, **options)
        with transaction():
            payments.draft(order, by=system())
        return order.id

    def balance(self, account_id: UUID) -> tuple[int, int]:
        """Posted and held, over all slots."""
        row = (
            session()
            .execute(
                sa.select(sa.func.sum(AccountBalance.posted), sa.func.sum(AccountBalance.held)).where(
                    AccountBalance.account_id == account_id
                )
            )
            .one()
        )
        session().commit()
        return int(row[0]), int(row[1])


@pytest.fixture
def book(app: Flask) -> Book:
    return Book()


@pytest.fixture
def teller(machine: Callable[..., Any]) -> Any:
    """A system token with its default scopes."""
    return machine(Audience.SYSTEM)
