"""Blocking a client freezes its accounts in the same transaction: nothing passes after the block has committed."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Role
from dashboard.approvals import services as approvals
from dashboard.clients import services
from dashboard.clients.models import Client, ClientBlock
from dashboard.clients.vocabulary import BlockCode, Scope
from dashboard.database import session, transaction
from dashboard.errors import DomainError
from dashboard.ledger.models import Account, AccountBalance, LedgerTransaction
from dashboard.ledger.services import accounts, payments
from dashboard.ledger.vocabulary import AccountType
from dashboard.money import Money
from tests.clients.making import blocked, person
from tests.conftest import People
from tests.ledger.conftest import Book


@pytest.fixture
def book(app: Flask) -> Book:
    return Book()


@pytest.fixture
def officer(people: People) -> Actor:
    return people.actor(Role.OFFICER)


@pytest.fixture
def senior(people: People) -> Actor:
    return people.actor(Role.SENIOR_OFFICER)


def opened(client: Client, currency: str = "eur") -> UUID:
    with transaction():
        return accounts.open_account(
            type=AccountType.CLIENT, currency=currency, owner_id=client.id, by=system()
        ).id  # fmt: skip


def funded(book: Book, client: Client, money: int, currency: str = "eur") -> UUID:
    account = opened(client, currency)
    book.pay(book.house(currency), account, money, currency=currency)
    return account


def stands(account: UUID) -> tuple[bool, bool, int]:
    """Debits frozen, credits frozen, what must stay in minor units."""
    row = session().execute(
        sa.select(AccountBalance.debits_frozen, AccountBalance.credits_frozen, AccountBalance.blocked_minor).where(
            AccountBalance.account_id == account
        )
    ).one()  # fmt: skip
    return row.debits_frozen, row.credits_frozen, row.blocked_minor


def refusal(move: Callable[[], object]) -> str | None:
    """The code of the refusal; None where it was done."""
    try:
        move()
    except DomainError as refused:
        return refused.code
    return None


def lifted(block: ClientBlock, maker: Actor, senior: Actor) -> None:
    """By the decision of two people."""
    with transaction():
        asked = services.ask_to_unblock(block.id, reason="papers seen", by=maker)
    with transaction():
        approvals.decide(asked.id, approve=True, reason=None, by=senior)


@pytest.mark.parametrize(
    ("scope", "out", "into"),
    [(Scope.ALL, True, True), (Scope.DEBIT, True, False), (Scope.CREDIT, False, True)],
)
def test_a_block_stops_what_its_scope_names(book: Book, officer: Actor, scope: Scope, out: bool, into: bool) -> None:
    client = person(officer)
    account = funded(book, client, 10_000)
    blocked(client, officer, scope=scope)
    assert (refusal(lambda: book.pay(account, book.house(), 100)) is not None) == out
    assert (refusal(lambda: book.pay(book.house(), account, 100)) is not None) == into
    assert stands(account) == (out, into, 0)
    assert book.balance(account) == (10_000 - (0 if out else 100) + (0 if into else 100), 0)


def test_a_blocked_amount_stays_on_each_account_of_its_currency(book: Book, officer: Actor) -> None:
    client = person(officer)
    eur, usd = funded(book, client, 10_000), funded(book, client, 10_000, "usd")
    blocked(client, officer, scope=Scope.AMOUNT, amount=Money(4_000, "eur"))
    assert refusal(lambda: book.pay(eur, book.house(), 6_001)) == "insufficientFunds"
    assert refusal(lambda: book.pay(eur, book.house(), 6_000)) is None
    assert refusal(lambda: book.pay(usd, book.house("usd"), 10_000, currency="usd")) is None


def test_several_blocks_stand_as_their_union_and_lifting_one_leaves_the_rest(
    book: Book, officer: Actor, senior: Actor
) -> None:
    client = person(officer)
    account = funded(book, client, 10_000)
    debit = blocked(client, officer, scope=Scope.DEBIT)
    credit = blocked(client, officer, scope=Scope.CREDIT)
    amount = blocked(client, officer, scope=Scope.AMOUNT, amount=Money(1_000, "eur"))
    more = blocked(client, officer, scope=Scope.AMOUNT, amount=Money(500, "eur"), code=BlockCode.OPS_ERROR)
    everything = blocked(client, officer, scope=Scope.ALL)
    assert stands(account) == (True, True, 1_500)
    lifted(everything, officer, senior)
    assert stands(account) == (True, True, 1_500)
    lifted(debit, officer, senior)
    assert stands(account) == (False, True, 1_500)
    lifted(amount, officer, senior)
    assert stands(account) == (False, True, 500)
    lifted(credit, officer, senior)
    assert stands(account) == (False, False, 500)
    lifted(more, officer, senior)
    assert stands(account) == (False, False, 0)
    assert refusal(lambda: book.pay(account, book.house(), 10_000)) is None


def test_an_account_opened_while_a_block_stands_is_frozen_from_the_start(book: Book, officer: Actor) -> None:
    client = person(officer)
    blocked(client, officer, scope=Scope.DEBIT)
    blocked(client, officer, scope=Scope.AMOUNT, amount=Money(700, "usd"))
    assert stands(opened(client)) == (True, False, 0)
    assert stands(opened(client, "usd")) == (True, False, 700)


def test_a_block_of_one_client_leaves_others_alone(book: Book, officer: Actor) -> None:
    client, other = person(officer), person(officer, first="Jonas")
    funded(book, client, 100)
    theirs = funded(book, other, 100)
    blocked(client, officer, scope=Scope.ALL)
    assert stands(theirs) == (False, False, 0)
    assert refusal(lambda: book.pay(theirs, book.house(), 100)) is None


def test_what_is_held_may_still_be_posted_or_canceled(book: Book, officer: Actor) -> None:
    client = person(officer)
    account = funded(book, client, 1_000)
    one, two = book.draft(account, book.house(), 100), book.draft(account, book.house(), 200)
    late = book.draft(account, book.house(), 300)
    with transaction():
        payments.pend(one, by=system())
        payments.pend(two, by=system())
    blocked(client, officer, scope=Scope.ALL)
    with transaction():
        payments.post(one, by=system())
        payments.cancel(two, by=system())
    assert book.balance(account) == (900, 0)

    def pend() -> None:
        with transaction():
            payments.pend(late, by=system())

    assert refusal(pend) is not None


def test_a_block_that_is_rolled_back_freezes_nothing(book: Book, officer: Actor) -> None:
    client = person(officer)
    account = funded(book, client, 1_000)
    with pytest.raises(RuntimeError, match="afterwards"), transaction():
        services.block(client.id, scope=Scope.ALL, code=BlockCode.FRAUD, by=officer)
        raise RuntimeError("afterwards")
    assert stands(account) == (False, False, 0)
    assert refusal(lambda: book.pay(account, book.house(), 1)) is None


# with real commits


class Crowd:
    """Threads that pay until they are stopped, each along its own round of (debtor, creditor); they note what they
    were told."""

    def __init__(self, app: Flask, book: Book, rounds: Sequence[Sequence[tuple[UUID, UUID]]]) -> None:
        self.app, self.book = app, book
        self.stop, self.lock = threading.Event(), threading.Lock()
        self.refused: list[str] = []
        self.faults: list[BaseException] = []
        self.paid = 0
        self.threads = [threading.Thread(target=self._pay, args=(one,)) for one in rounds]

    def _pay(self, ways: Sequence[tuple[UUID, UUID]]) -> None:
        with self.app.app_context():
            for debtor, creditor in itertools.cycle(ways):
                if self.stop.is_set():
                    return
                try:
                    self.book.pay(debtor, creditor, 1)
                    with self.lock:
                        self.paid += 1
                except DomainError as refused:
                    with self.lock:
                        self.refused.append(refused.code)
                except BaseException as fault:
                    self.faults.append(fault)
                    return

    def __enter__(self) -> Crowd:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(30)


def wait_until(happened: Callable[[], bool]) -> None:
    limit = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.005)


def debits_since(account: UUID, moment: object) -> int:
    found = session().scalar(
        sa.select(sa.func.count())
        .select_from(LedgerTransaction)
        .where(LedgerTransaction.debtor_account_id == account, LedgerTransaction.posted_at > moment)
    )
    session().commit()
    return found or 0


def test_after_a_block_has_committed_no_debit_passes_while_eight_pay(committed: Flask) -> None:
    book = Book()
    client = person(system())
    account = funded(book, client, 10_000_000)
    with Crowd(committed, book, [[(account, book.house())]] * 8) as crowd:
        wait_until(lambda: crowd.paid >= 40)
        blocked(client, system(), scope=Scope.ALL)
        after = session().scalar(sa.text("SELECT clock_timestamp()"))
        session().commit()
        wait_until(lambda: len(crowd.refused) >= 40)
    assert crowd.faults == []
    assert debits_since(account, after) == 0
    assert set(crowd.refused) == {"accountFrozen"}
    assert book.balance(account) == (10_000_000 - crowd.paid, 0)


def test_blocks_and_payments_of_many_accounts_do_not_lock_each_other_out(committed: Flask) -> None:
    """Payments take two accounts in order, a block all of the client's: neither waits for the other for ever."""
    book = Book()
    client = person(system())
    own = [funded(book, client, 1_000_000) for _ in range(6)]
    ways = list(itertools.permutations(own, 2))
    with Crowd(committed, book, [ways[start:] + ways[:start] for start in (0, 7, 14, 21)]) as crowd:
        wait_until(lambda: crowd.paid >= 20)
        blocked(client, system(), scope=Scope.DEBIT)
        wait_until(lambda: len(crowd.refused) >= 20)
    assert crowd.faults == []
    assert {stands(account)[0] for account in own} == {True}
    total = session().scalar(
        sa.select(sa.func.sum(AccountBalance.posted)).join(Account, Account.id == AccountBalance.account_id).where(
            Account.owner_id == client.id
        )
    )  # fmt: skip
    assert total == 6_000_000


def test_an_account_opened_while_its_owner_is_being_blocked_is_frozen(committed: Flask) -> None:
    for _ in range(5):
        client = person(system())
        start = threading.Barrier(2)

        def open_one(owner: Client = client, barrier: threading.Barrier = start) -> None:
            with committed.app_context():
                barrier.wait(10)
                opened(owner)

        thread = threading.Thread(target=open_one)
        thread.start()
        start.wait(10)
        blocked(client, system(), scope=Scope.DEBIT)
        thread.join(30)
        account = session().scalars(sa.select(Account.id).where(Account.owner_id == client.id)).one()
        assert stands(account) == (True, False, 0)
        session().commit()
