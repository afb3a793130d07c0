"""A batch comes out as its payments would have come out one after the other."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from dashboard.access.actor import system
from dashboard.database import db, session, transaction
from dashboard.errors import DomainError, Invalid
from dashboard.ledger.models import AccountBalance, Payment
from dashboard.ledger.moving import LARGEST_BATCH, Leg, Order
from dashboard.ledger.reading import plain_order, plain_orders
from dashboard.ledger.services import accounts, payments
from dashboard.ledger.vocabulary import ParentType
from tests.ledger.conftest import Book
from tests.ledger.invariants import broken
from tests.ledger.oracle import Holding, Oracle, as_api


def balances() -> dict[UUID, tuple[int, int]]:
    table = AccountBalance
    rows = session().execute(
        sa.select(table.account_id, sa.func.sum(table.posted), sa.func.sum(table.held)).group_by(table.account_id)
    )
    return {account_id: (int(posted), int(held)) for account_id, posted, held in rows}


class Town:
    """Owners of every kind: rich, poor, frozen on either side, with a limit, with money that must stay, closed."""

    def __init__(self, book: Book) -> None:
        self.oracle = Oracle()
        frozen = {
            "free": {}, "debits": {"debits": True}, "credits": {"credits": True}, "amount": {"blocked": {"eur": 60}},
        }  # fmt: skip
        house = {currency: book.house(currency) for currency in ("eur", "usd")}
        for currency, account_id in house.items():
            self.oracle.accounts[account_id] = Holding(currency)
        for freeze in frozen.values():
            owner = book.owner()
            for currency, money, limit in (("eur", 0, 0), ("eur", 100, 0), ("eur", 40, 30), ("usd", 80, 0)):
                account_id = book.account(money, currency=currency, owner=owner, limit=limit)
                self.oracle.accounts[account_id] = Holding(currency, owner, money, limit=limit)
                self.oracle.accounts[house[currency]].posted -= money
            debits, credits = bool(freeze.get("debits")), bool(freeze.get("credits"))
            blocked: dict[str, int] = freeze.get("blocked", {})
            with transaction():
                accounts.freeze_owner(owner, debits=debits, credits=credits, blocked_amounts=blocked)
            self.oracle.freeze(owner, debits=debits, credits=credits, blocked=blocked)
        gone = book.account(0)
        with transaction():
            accounts.close(gone, by=system())
        self.oracle.accounts[gone] = Holding("eur", uuid4(), closed=True)

    def orders(self, chance: random.Random, count: int) -> list[Order]:
        ids, parents = list(self.oracle.accounts), [uuid4() for _ in range(count // 10)]
        made = []
        for _ in range(count):
            legs = []
            for _ in range(chance.choice([1, 1, 1, 1, 2, 4])):
                debtor = chance.choice(ids)
                currency = self.oracle.accounts[debtor].currency
                fitting = [id for id in ids if self.oracle.accounts[id].currency == currency]
                creditor = chance.choice(chance.choice([fitting, fitting, fitting, fitting, ids, [uuid4()]]))
                wanted = currency if chance.random() < 0.97 else "gbp"
                legs.append(Leg(debtor, creditor, chance.choice([1, 2, 7, 30, 100]), wanted))
            made.append(
                Order(
                    parent_type=chance.choice([ParentType.TRANSFER, ParentType.PAYMENT_REQUEST]),
                    parent_id=chance.choice([chance.choice(parents), uuid4(), uuid4()]),
                    purpose=chance.choice(["main", "main", "fee"]),
                    legs=legs,
                )
            )
        return made


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_batch_says_of_each_payment_what_it_would_have_heard_alone(book: Book, seed: int) -> None:
    town = Town(book)
    orders = town.orders(random.Random(seed), 400)
    expected = town.oracle.batch(orders, all_or_none=False)
    with transaction():
        moved = payments.batch(orders, all_or_none=False, by=system())
    assert [outcome.code for outcome in moved.outcomes] == expected
    assert balances() == {id: (one.posted, one.held) for id, one in town.oracle.accounts.items()}
    assert broken() == []
    # the town is rich enough in trouble to be worth the question
    assert {None, "paymentExists", "insufficientFunds", "debtorFrozen", "creditorFrozen", "debtorClosed",
            "creditorClosed", "creditorNotFound", "sameAccount", "debtorCurrencyMismatch",
            "creditorCurrencyMismatch"} <= set(expected)  # fmt: skip


def document(order: Order) -> dict[str, Any]:
    """The order as an item of a batch, its identifiers in capitals: they mean the same."""
    [leg] = order.legs
    return {
        "parentId": str(order.parent_id).upper(), "parentType": order.parent_type.value,
        "debtorAccountId": str(leg.debtor_id).upper(), "creditorAccountId": str(leg.creditor_id).upper(),
        "currency": leg.currency, "amount": Decimal(leg.amount_minor).scaleb(-2),
    }  # fmt: skip


@pytest.mark.parametrize("all_or_none", [False, True])
@pytest.mark.parametrize("seed", [7, 8])
def test_plain_payments_hear_in_columns_what_they_hear_as_orders(book: Book, seed: int, all_or_none: bool) -> None:
    town = Town(book)
    before = balances()
    items = [
        document(order)
        for order in town.orders(random.Random(seed), 400)
        if len(order.legs) == 1 and order.legs[0].debtor_id != order.legs[0].creditor_id
    ]
    plain = plain_orders(items)
    assert plain is not None
    orders = [plain.order(index) for index in range(len(plain))]
    expected = town.oracle.batch(orders, all_or_none=all_or_none)
    with transaction():
        refused = payments.batch_of_plain(plain, all_or_none=all_or_none, by=system())
    assert [refused[index].code if index in refused else None for index in range(len(orders))] == expected
    assert balances() == (
        before if all_or_none else {i: (one.posted, one.held) for i, one in town.oracle.accounts.items()}
    )
    assert broken() == []
    for index, outcome in refused.items():
        assert outcome.payment_id == orders[index].id
        assert outcome.code != "paymentExists" or outcome.other_id is not None
        assert (outcome.room is not None) == (outcome.code == "insufficientFunds")
    if not all_or_none:
        assert {None, "paymentExists", "insufficientFunds", "debtorFrozen", "creditorFrozen", "debtorClosed"} <= set(
            expected
        )


ODD: list[Any] = [
    None, True, 1, 1.5, "", "x", [], {}, Decimal("1e999999"), Decimal("0.001"), Decimal("1.10"), Decimal("-1"), 0,
    10**16, 10**14, Decimal("1e14"),
    Decimal("1.0000000000000000000000000000001"), "EUR", "eur", "jpy", "bhd", "transfer",
    "adjustingPayment", "paymentRequest", str(uuid4()), str(uuid4()).upper(), uuid4().hex, f"{{{uuid4()}}}",
    f"{uuid4()}\n", f"{str(uuid4())[:-1]},", f",{str(uuid4())[:-1]}", f"{str(uuid4())[:-1]}İ",
]  # fmt: skip


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(
                ["parentId", "parentType", "debtorAccountId", "creditorAccountId", "currency", "amount", "other"]
            ),
            st.sampled_from(ODD),
            max_size=2,
        ),
        max_size=3,
    )
)
def test_columns_take_just_the_items_that_are_plain_one_by_one(changes: list[dict[str, Any]]) -> None:
    items = [
        {
            "parentId": str(uuid4()), "parentType": "transfer", "debtorAccountId": str(uuid4()),
            "creditorAccountId": str(uuid4()), "currency": "eur", "amount": Decimal("12.34"),
        } | change
        for change in changes
    ]  # fmt: skip
    alone = [plain_order(item) for item in items]
    plain = plain_orders(items)
    if plain is None:
        assert not items or any(
            one is None
            or one.parent_type is ParentType.ADJUSTING_PAYMENT
            or one.legs[0].debtor_id == one.legs[0].creditor_id
            for one in alone
        )
        return
    for index, one in enumerate(alone):
        assert one is not None
        assert replace(plain.order(index), id=one.id, legs=()) == replace(one, legs=())
        assert replace(plain.order(index).legs[0], id=one.legs[0].id) == one.legs[0]


def alone(order: Order) -> str | None:
    try:
        with transaction():
            payments.pay(order, by=system())
    except DomainError as error:
        return error.code
    return None


def test_the_same_payments_sent_one_by_one_leave_the_same_balances(book: Book) -> None:
    town = Town(book)
    orders = [
        order
        for order in town.orders(random.Random(4), 250)
        if all(leg.debtor_id != leg.creditor_id for leg in order.legs)
    ]
    db.session.remove()
    attempt = db.engine.begin_nested()  # type: ignore[attr-defined]
    one_by_one = [alone(order) for order in orders]
    left = balances()
    db.session.remove()
    attempt.rollback()
    with transaction():
        moved = payments.batch(orders, all_or_none=False, by=system())
    assert [as_api(outcome.code) for outcome in moved.outcomes] == one_by_one
    assert balances() == left


@pytest.mark.parametrize("seed", [5, 6])
def test_all_or_none_names_the_first_refusal_and_does_nothing(book: Book, seed: int) -> None:
    town = Town(book)
    before, orders = balances(), town.orders(random.Random(seed), 60)
    expected = town.oracle.batch(orders, all_or_none=True)
    with transaction():
        moved = payments.batch(orders, all_or_none=True, by=system())
    assert [outcome.code for outcome in moved.outcomes] == expected
    assert expected.count("notDone") == len(orders) - 1
    assert balances() == before
    assert session().scalar(sa.select(sa.func.count()).where(Payment.id.in_([order.id for order in orders]))) == 0


def test_all_or_none_does_all_when_nothing_is_refused(book: Book) -> None:
    first, second, third = book.account(100), book.account(), book.account()
    orders = [book.order(first, second, 100), book.order(second, third, 100), book.order(third, first, 40)]
    with transaction():
        moved = payments.batch(orders, all_or_none=True, by=system())
    assert [outcome.code for outcome in moved.outcomes] == [None] * 3
    assert [book.balance(id)[0] for id in (first, second, third)] == [40, 0, 60]


def test_the_refused_payment_tells_which_transaction_and_how_much_there_was(book: Book) -> None:
    poor, other, taker = book.account(100), book.account(100), book.account()
    orders = [
        book.order(poor, taker, 70),
        book.order(other, taker, 10, more=[Leg(poor, taker, 31, "eur")]),
        book.order(other, taker, 100),
    ]
    with transaction():
        outcomes = payments.batch(orders, all_or_none=False, by=system()).outcomes
    assert [outcome.code for outcome in outcomes] == [None, "insufficientFunds", None]
    assert (outcomes[1].culprit, outcomes[1].room) == (2, 30)


def test_a_parent_that_comes_twice_is_paid_once_and_the_second_learns_by_which(book: Book) -> None:
    payer, taker, parent = book.account(100), book.account(), uuid4()
    orders = [
        book.order(payer, taker, 500, parent_id=parent),
        book.order(payer, taker, 10, parent_id=parent),
        book.order(payer, taker, 10, parent_id=parent),
        book.order(payer, taker, 10, parent_id=parent, purpose="fee"),
    ]
    with transaction():
        outcomes = payments.batch(orders, all_or_none=False, by=system()).outcomes
    assert [outcome.code for outcome in outcomes] == ["insufficientFunds", None, "paymentExists", None]
    assert outcomes[2].other_id == orders[1].id
    assert book.balance(payer) == (80, 0)


def circle(book: Book, length: int) -> Callable[[int], list[Order]]:
    members = [book.account(10) for _ in range(20)]
    return lambda amount: [book.order(members[i % 20], members[(i + 1) % 20], amount) for i in range(length)]


def test_ten_thousand_payments_go_in_one_batch_and_one_more_does_not(book: Book) -> None:
    orders = circle(book, LARGEST_BATCH + 1)(10)
    with pytest.raises(Invalid):
        payments.batch(orders, all_or_none=False, by=system())
    with transaction():
        outcomes = payments.batch(orders[:-1], all_or_none=False, by=system()).outcomes
    assert {outcome.code for outcome in outcomes} == {None}
    assert broken() == []


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(Invalid):
        payments.batch([], all_or_none=False, by=system())
