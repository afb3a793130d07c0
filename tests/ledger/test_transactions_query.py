"""Lists of transactions: whatever is asked, a page holds exactly what a look at every single row finds."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from dashboard.access.actor import system
from dashboard.database import session, transaction
from dashboard.ledger.models import Account, LedgerTransaction, Payment
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.queries import transactions as queries
from dashboard.ledger.queries.filters import EVERYTHING, Group, Leaf, Node
from dashboard.ledger.services import payments
from dashboard.ledger.services.days import open_day
from dashboard.ledger.vocabulary import ParentType, PaymentState
from dashboard.money import Money
from tests.ledger.conftest import Book

WORDS = ("Invoice", "rent", "Łódź", "50% off", "a_b", "INVOICE 4410", None)
CURRENCIES = ("eur", "usd", "jpy")


class World:
    """Some ninety transactions of all kinds, and each as a plain row."""

    def __init__(self, book: Book, seed: int) -> None:
        self.random = random.Random(seed)
        self.owners = [book.owner() for _ in range(3)]
        self.accounts = {
            currency: [*(book.account(1_000_000, currency=currency, owner=owner) for owner in self.owners),
                       book.house(currency)]
            for currency in CURRENCIES
        }  # fmt: skip
        self.parents = [uuid4() for _ in range(4)]
        for number in range(60):
            self._make(number)
        account = {row.id: row.owner_id for row in session().execute(sa.select(Account.id, Account.owner_id))}
        parents = session().execute(sa.select(Payment.id, Payment.parent_id, Payment.parent_type)).all()
        self.payment = {row.id: (row.parent_id, row.parent_type) for row in parents}
        self.owner_of = account
        self.rows = list(session().execute(sa.select(LedgerTransaction.__table__)))

    def _make(self, number: int) -> None:
        pick = self.random.choice
        currency = pick(CURRENCIES)
        debtor, creditor = self.random.sample(self.accounts[currency], 2)
        legs = [Leg(debtor, creditor, pick([100, 101, 1234, 5000, 100_000]), currency, pick(WORDS))]
        if number % 5 == 0:
            legs.append(Leg(creditor, debtor, 7, currency, pick(WORDS)))
        kind = pick(list(ParentType))
        order = Order(parent_type=kind, parent_id=pick(self.parents), legs=legs, purpose=f"p{number}",
                      value_date=pick([None, date(2020, 1, 1 + number % 28)]))  # fmt: skip
        with transaction():
            verb = pick([payments.pay, payments.pay, payments.draft, payments.hold])
            verb(order, by=system())
            if verb is not payments.pay and pick([True, False]):
                payments.cancel(order.id, by=system())

    def passes(self, node: Node, row: Any) -> bool:
        if isinstance(node, Group):
            found = [self.passes(part, row) for part in node.parts]
            return all(found) if node.every else any(found)
        sides = {row.debtor_account_id, row.creditor_account_id}
        parent_id, parent_type = self.payment[row.payment_id]
        amount = Money(row.amount_minor, row.currency).amount
        tests = [
            node.accounts is None or bool(sides & set(node.accounts)),
            node.debtors is None or row.debtor_account_id in node.debtors,
            node.creditors is None or row.creditor_account_id in node.creditors,
            node.owners is None or bool({self.owner_of[side] for side in sides} & set(node.owners)),
            node.currency in (None, row.currency),
            node.amount_from is None or amount >= node.amount_from,
            node.amount_to is None or amount <= node.amount_to,
            node.states is None or row.state in node.states,
            node.created_from is None or row.created_at >= node.created_from,
            node.created_before is None or row.created_at < node.created_before,
            node.posted_from is None or (row.posted_at is not None and row.posted_at >= node.posted_from),
            node.posted_before is None or (row.posted_at is not None and row.posted_at < node.posted_before),
            node.booking_from is None or (row.booking_date is not None and row.booking_date >= node.booking_from),
            node.booking_to is None or (row.booking_date is not None and row.booking_date <= node.booking_to),
            node.value_from is None or (row.value_date is not None and row.value_date >= node.value_from),
            node.value_to is None or (row.value_date is not None and row.value_date <= node.value_to),
            node.parent_id in (None, parent_id),
            node.parent_type in (None, parent_type),
            node.payment_id in (None, row.payment_id),
            node.reference is None or node.reference in (row.id, row.payment_id, parent_id),
            node.text is None or (row.description is not None and node.text.lower() in row.description.lower()),
        ]
        return all(tests)

    def leaf(self) -> Leaf:
        """One to three conditions about something that exists."""
        pick, row = self.random.choice, self.random.choice(self.rows)
        any_account = pick([account for accounts in self.accounts.values() for account in accounts])
        today = open_day().day
        conditions: dict[str, Callable[[], Any]] = {
            "accounts": lambda: (any_account,),
            "debtors": lambda: (row.debtor_account_id, any_account),
            "creditors": lambda: (row.creditor_account_id,),
            "owners": lambda: tuple(self.random.sample(self.owners, pick([1, 2]))),
            "currency": lambda: row.currency,
            "amount_from": lambda: Decimal(pick(["1", "10.001", "12.34", "100", "5000"])),
            "amount_to": lambda: Decimal(pick(["0.5", "12.34", "12.345", "1000"])),
            "states": lambda: tuple(self.random.sample(list(PaymentState), pick([1, 2]))),
            "created_from": lambda: row.created_at,
            "created_before": lambda: row.created_at,
            "posted_from": lambda: row.created_at,
            "posted_before": lambda: row.created_at,
            "booking_from": lambda: today - timedelta(days=pick([-2, 0, 1])),
            "booking_to": lambda: today + timedelta(days=pick([-2, 0, 1])),
            "value_from": lambda: pick([date(2020, 1, 10), today]),
            "value_to": lambda: date(2020, 1, 20),
            "parent_id": lambda: pick(self.parents),
            "parent_type": lambda: pick(list(ParentType)),
            "payment_id": lambda: row.payment_id,
            "reference": lambda: pick([row.id, row.payment_id, self.payment[row.payment_id][0]]),
            "text": lambda: pick(["invoice", "INV", "łódź", "50%", "a_b", "ice 4"]),
        }
        names = self.random.sample(sorted(conditions), pick([1, 1, 2, 3]))
        return Leaf(**{name: conditions[name]() for name in names})

    def tree(self, depth: int = 0) -> Node:
        if depth == 2 or self.random.random() < 0.5:
            return self.leaf()
        parts = tuple(self.tree(depth + 1) for _ in range(self.random.choice([1, 2, 3])))
        return Group(self.random.random() < 0.6, parts)


def key_of(order: queries.Order, row: Any) -> tuple[Any, ...]:
    first = {"created": (), "posted": (row.posted_at,), "amount": (row.amount_minor,)}[order.sort]
    return (*first, row.id)


@pytest.mark.parametrize("reach", [5_000, 7])
def test_pages_in_both_directions_hold_exactly_what_passes_in_order(
    book: Book, monkeypatch: pytest.MonkeyPatch, reach: int
) -> None:
    monkeypatch.setattr(queries, "REACH", reach)
    world = World(book, seed=20260313)
    assert len(world.rows) > 70
    filled = 0
    for _ in range(120):
        node = world.tree()
        order = queries.Order(world.random.choice(["created", "posted", "amount"]), world.random.random() < 0.6)
        if order.sort == "amount":
            node = Group(True, (Leaf(currency="eur"), node))
        size = world.random.choice([1, 3, 10, 200])
        wanted = [row for row in world.rows if world.passes(node, row)]
        if order.sort == "posted":
            wanted = [row for row in wanted if row.state == "posted"]
        expected = [row.id for row in sorted(wanted, key=lambda r: key_of(order, r), reverse=order.descending)]
        seen: list[UUID] = []
        after = None
        while True:
            page = queries.find(node, order=order, size=size, after=after)
            before = len(seen)
            seen += [row.id for row in page.rows]
            if after is not None and page.rows:
                back = queries.find(node, order=order, size=size, after=page.rows[0].key(order), backwards=True)
                assert [row.id for row in back.rows] == expected[max(before - size, 0) : before], (node, order)
            if not page.more:
                break
            after = page.rows[-1].key(order)
        assert seen == expected, (node, order)
        assert queries.count(node, order=order) == len(expected), (node, order)
        assert [row.id for part in queries.stream(node, order=order) for row in part] == expected, (node, order)
        if len(expected) > 2:
            skipped = queries.find(node, order=order, size=1, skip=2)
            assert [row.id for row in skipped.rows] == expected[2:3]
        filled += bool(expected)
    # the filters are about what exists
    assert filled > 50


def test_amounts_are_compared_in_each_currencys_own_decimals(book: Book) -> None:
    eur = book.account(100_000)
    jpy = book.account(100_000, currency="jpy")
    book.pay(eur, book.house(), 1200)
    book.pay(jpy, book.house("jpy"), 12, currency="jpy")
    twelve = Leaf(amount_from=Decimal(12), amount_to=Decimal(12))
    found = queries.find(twelve, order=queries.Order(), size=10).rows
    assert {str(row.money) for row in found} == {"12.00 EUR", "12 JPY"}
    assert queries.find(replace(twelve, currency="jpy"), order=queries.Order(), size=10).rows[0].money.currency == "jpy"
    nothing = Leaf(amount_from=Decimal("12.001"), amount_to=Decimal("12.009"))
    assert queries.find(nothing, order=queries.Order(), size=10).rows == []


def test_a_row_that_comes_between_two_pages_neither_repeats_nor_hides_one(book: Book) -> None:
    account = book.account(100_000)
    made = [book.pay(account, book.house(), 100 + number) for number in range(6)]
    node, order = Leaf(debtors=(account,)), queries.Order()
    first = queries.find(node, order=order, size=3)
    book.pay(account, book.house(), 999)
    second = queries.find(node, order=order, size=3, after=first.rows[-1].key(order))
    assert [row.payment_id for row in (*first.rows, *second.rows)] == made[::-1]


def test_what_was_made_just_before_the_end_of_a_period_is_in_it(book: Book) -> None:
    book.pay(book.account(1_000), book.house(), 100)
    newest = queries.find(EVERYTHING, order=queries.Order(), size=1).rows[0]
    until = Leaf(created_before=newest.created_at + timedelta(microseconds=1))
    assert queries.find(until, order=queries.Order(), size=1).rows[0].id == newest.id
    assert isinstance(newest.created_at, datetime)
