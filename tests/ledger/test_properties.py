"""After any sequence of calls the ledger's rules hold, and each answer is what a ledger in plain Python said before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from dashboard.access.actor import system
from dashboard.database import db, session, transaction
from dashboard.errors import DomainError
from dashboard.ledger.models import AccountBalance, LedgerTransaction, Payment
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import accounts, payments
from dashboard.ledger.vocabulary import ParentType
from tests.ledger.conftest import Book
from tests.ledger.invariants import broken
from tests.ledger.oracle import Holding, Oracle, as_api

CURRENCIES = ("eur", "usd")
PARENTS = [uuid4() for _ in range(4)]


def code_of(verb: Callable[[], Any]) -> str | None:
    """What a verb refuses with; None when it was done."""
    try:
        with transaction():
            verb()
    except DomainError as error:
        return error.code
    return None


class Ledger(RuleBasedStateMachine):
    """Each example begins with an empty ledger: what the one before did is rolled back."""

    book: Book
    teller: Any

    def __init__(self) -> None:
        super().__init__()
        db.session.remove()
        self.everything = db.engine.begin_nested()  # type: ignore[attr-defined]
        self.book.sources.clear()
        self.oracle = Oracle()
        self.owners: list[UUID] = []
        #: key to (body, status, answer)
        self.said: dict[str, tuple[dict[str, Any], int, bytes]] = {}

    def teardown(self) -> None:
        db.session.remove()
        self.everything.rollback()
        self.book.sources.clear()

    # --- what there is ---------------------------------------------------------------------------------------

    def open_account(self, owner: UUID, currency: str, limit: int) -> UUID:
        account_id = self.book.account(0, currency=currency, owner=owner, limit=limit)
        alike = next((a for a in self.oracle.accounts.values() if a.owner == owner), None)
        self.oracle.accounts[account_id] = Holding(
            currency, owner, limit=limit,
            debits_frozen=bool(alike and alike.debits_frozen), credits_frozen=bool(alike and alike.credits_frozen),
            blocked=next((a.blocked for a in self.oracle.accounts.values()
                          if a.owner == owner and a.currency == currency), 0),
        )  # fmt: skip
        return account_id

    @initialize()
    def begin(self) -> None:
        self.owners = [self.book.owner() for _ in range(2)]
        for currency in CURRENCIES:
            self.oracle.accounts[self.book.house(currency)] = Holding(currency)
        for owner in self.owners:
            for limit in (0, 50):
                account_id = self.open_account(owner, "eur", limit)
                self.pay(self.book.order(self.book.house(), account_id, 100))
        self.open_account(self.owners[0], "usd", 0)

    @rule(data=st.data())
    @precondition(lambda self: len(self.oracle.accounts) < 12)
    def open(self, data: Any) -> None:
        self.open_account(
            data.draw(st.sampled_from(self.owners)), data.draw(st.sampled_from(CURRENCIES)),
            data.draw(st.sampled_from([0, 30])),
        )  # fmt: skip

    def leg(self, data: Any) -> Leg:
        ids = list(self.oracle.accounts)
        debtor = data.draw(st.sampled_from(ids), "debtor")
        others = [id for id in ids if id != debtor]
        currency = self.oracle.accounts[debtor].currency
        fitting = [id for id in others if self.oracle.accounts[id].currency == currency]
        creditor = data.draw(st.sampled_from(fitting * 8 + others + [uuid4()]), "creditor")
        room = max(self.oracle.accounts[debtor].room, 1)
        amount = data.draw(st.one_of(st.integers(1, 60), st.sampled_from([room, room + 1])), "amount")
        return Leg(debtor, creditor, amount, currency)

    def an_order(self, data: Any) -> Order:
        """Some parents come again and again, most are new; most payments have one transaction."""
        parent = data.draw(st.sampled_from([*PARENTS, None, None, None, None]), "parent")
        return Order(
            parent_type=data.draw(st.sampled_from([ParentType.TRANSFER, ParentType.PAYMENT_REQUEST]), "type"),
            parent_id=parent or uuid4(),
            purpose=data.draw(st.sampled_from(["main", "main", "fee"]), "purpose"),
            legs=[self.leg(data) for _ in range(data.draw(st.sampled_from([1, 1, 1, 2, 3]), "legs"))],
        )

    # --- what may be done ------------------------------------------------------------------------------------

    def pay(self, order: Order) -> None:
        expected = self.oracle.make(order, "posted")
        assert code_of(lambda: payments.pay(order, by=system())) == as_api(expected)

    @rule(data=st.data())
    def pay_somebody(self, data: Any) -> None:
        self.pay(self.an_order(data))

    @rule(data=st.data())
    def draft(self, data: Any) -> None:
        order = self.an_order(data)
        expected = self.oracle.make(order, "draft")
        assert code_of(lambda: payments.draft(order, by=system())) == as_api(expected)

    @rule(data=st.data())
    def hold(self, data: Any) -> None:
        order = self.an_order(data)
        expected = self.oracle.make(order, "pending")
        assert code_of(lambda: payments.hold(order, by=system())) == as_api(expected)

    @precondition(lambda self: self.oracle.payments)
    @rule(data=st.data(), verb=st.sampled_from(["pend", "post", "cancel", "fail"]))
    def advance(self, data: Any, verb: str) -> None:
        live = [id for id, made in self.oracle.payments.items() if made.state in ("draft", "pending")]
        payment_id = data.draw(st.sampled_from(live * 3 + list(self.oracle.payments)), "payment")
        to = {"pend": "pending", "post": "posted", "cancel": "canceled", "fail": "error"}[verb]
        expected = self.oracle.advance(payment_id, to)
        more = {"reason": "the bank said no"} if verb == "fail" else {}
        assert code_of(lambda: getattr(payments, verb)(payment_id, by=system(), **more)) == as_api(expected)

    @precondition(lambda self: self.oracle.payments)
    @rule(data=st.data())
    def reverse(self, data: Any) -> None:
        payment_id = data.draw(st.sampled_from(list(self.oracle.payments)), "payment")
        mirror = Order(
            parent_type=ParentType.ADJUSTING_PAYMENT, parent_id=uuid4(), purpose="reversal", reverses_id=payment_id,
            legs=[Leg(leg.creditor_id, leg.debtor_id, leg.amount_minor, leg.currency)
                  for leg in reversed(self.oracle.payments[payment_id].order.legs)],
        )  # fmt: skip
        expected = self.oracle.reverse(payment_id, mirror)
        made: list[UUID] = []
        code = code_of(
            lambda: made.append(payments.reverse(payment_id, reason="wrong", by=system()).outcomes[0].payment_id)
        )
        assert code == as_api(expected)
        if made:
            self.oracle.payments[made[0]] = self.oracle.payments.pop(mirror.id)
            self.oracle.payments[payment_id].reversed_by = made[0]

    @rule(data=st.data(), all_or_none=st.booleans())
    def batch(self, data: Any, all_or_none: bool) -> None:
        orders = [self.an_order(data) for _ in range(data.draw(st.integers(1, 6), "orders"))]
        expected = self.oracle.batch(orders, all_or_none=all_or_none)
        with transaction():
            moved = payments.batch(orders, all_or_none=all_or_none, by=system())
        assert [outcome.code for outcome in moved.outcomes] == expected
        assert [outcome.payment_id for outcome in moved.outcomes] == [order.id for order in orders]

    @rule(data=st.data(), debits=st.booleans(), credits=st.booleans(), blocked=st.sampled_from([{}, {}, {"eur": 40}]))
    def freeze(self, data: Any, debits: bool, credits: bool, blocked: dict[str, int]) -> None:
        owner = data.draw(st.sampled_from(self.owners), "owner")
        self.oracle.freeze(owner, debits=debits, credits=credits, blocked=blocked)
        with transaction():
            accounts.freeze_owner(owner, debits=debits, credits=credits, blocked_amounts=blocked)

    @rule()
    def unfreeze(self) -> None:
        for owner in self.owners:
            self.oracle.freeze(owner, debits=False, credits=False, blocked={})
            with transaction():
                accounts.freeze_owner(owner, debits=False, credits=False, blocked_amounts={})

    @rule(data=st.data())
    def close(self, data: Any) -> None:
        guarded = [id for id, holding in self.oracle.accounts.items() if holding.guarded]
        empty = [id for id in guarded if not self.oracle.accounts[id].posted]
        account_id = data.draw(st.sampled_from(empty * 3 + guarded), "account")
        expected = self.oracle.close(account_id)
        assert code_of(lambda: accounts.close(account_id, by=system())) == expected

    # --- the same request again ------------------------------------------------------------------------------

    @rule(data=st.data())
    def ask_with_a_key(self, data: Any) -> None:
        order = self.an_order(data)
        [leg, *_] = order.legs
        order = Order(parent_type=order.parent_type, parent_id=order.parent_id, purpose=order.purpose, legs=[leg])
        body = {
            "parentId": str(order.parent_id), "parentType": order.parent_type.value,
            "debtorAccountId": str(leg.debtor_id), "creditorAccountId": str(leg.creditor_id),
            "currency": leg.currency, "amount": leg.amount_minor / 100,
        }  # fmt: skip
        # a body with just the required fields takes the quick way
        if order.purpose != "main":
            body["purpose"] = order.purpose
        expected = as_api(self.oracle.make(order, "posted"))
        key = str(uuid4())
        answer = self.teller.call("POST", "/internal/Payments", json=body, headers={"Idempotency-Key": key})
        assert answer.json.get("code") == expected
        assert answer.status_code == {None: 200, "accountNotFound": 404, "paymentExists": 409}.get(expected, 422)
        if expected is None:
            made = self.oracle.payments.pop(order.id)
            self.oracle.payments[UUID(answer.json["paymentId"])] = made
        self.said[key] = (body, answer.status_code, answer.data)

    @precondition(lambda self: self.said)
    @rule(data=st.data())
    def ask_again(self, data: Any) -> None:
        """Whatever happened in between: the first answer, and nothing moves (the balances are compared below)."""
        key = data.draw(st.sampled_from(list(self.said)), "key")
        body, status, first = self.said[key]
        answer = self.teller.call("POST", "/internal/Payments", json=body, headers={"Idempotency-Key": key})
        assert (answer.status_code, answer.data) == (status, first)

    # --- what is always true ---------------------------------------------------------------------------------

    @invariant()
    def every_rule_of_the_ledger_holds(self) -> None:
        assert broken() == []
        session().commit()

    @invariant()
    def balances_are_those_of_the_oracle(self) -> None:
        table = AccountBalance
        rows = session().execute(
            sa.select(table.account_id, sa.func.sum(table.posted), sa.func.sum(table.held)).group_by(table.account_id)
        )
        found = {account_id: (int(posted), int(held)) for account_id, posted, held in rows}
        session().commit()
        assert found == {id: (holding.posted, holding.held) for id, holding in self.oracle.accounts.items()}

    @invariant()
    def payments_are_those_of_the_oracle(self) -> None:
        rows = session().execute(sa.select(Payment.id, Payment.state)).tuples().all()
        legs = session().scalar(sa.select(sa.func.count()).select_from(LedgerTransaction))
        session().commit()
        assert dict(rows) == {id: made.state for id, made in self.oracle.payments.items()}
        assert legs == sum(len(made.order.legs) for made in self.oracle.payments.values())


def test_after_any_sequence_of_calls_all_rules_hold_and_each_answer_was_predicted(
    app: Flask, book: Book, teller: Any
) -> None:
    class Tried(Ledger):
        pass

    Tried.book, Tried.teller = book, teller
    run_state_machine_as_test(
        Tried,
        settings=settings(
            max_examples=15, stateful_step_count=30, deadline=None, database=None, print_blob=True,
            # a sequence that fails is shown as it was found: making it shorter takes minutes of database work
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
