"""Many callers at the same moment, with real commits: what fits goes through once, and nobody sees a deadlock."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access import tokens
from dashboard.access.actor import system
from dashboard.access.permissions import Audience
from dashboard.database import session, transaction
from dashboard.errors import DomainError
from dashboard.ledger.models import Payment
from dashboard.ledger.services import accounts, payments
from dashboard.ledger.services.retrying import in_transaction
from dashboard.settings import Settings
from tests.conftest import Databases
from tests.ledger.committing import application
from tests.ledger.conftest import Book
from tests.ledger.invariants import broken

CROWD = 32
#: how long opposite transfers run against one another
SECONDS = 3.0


@pytest.fixture(scope="module")
def bank(databases: Databases, configured: Settings) -> Iterator[Flask]:
    with application(databases, configured, threads=CROWD) as app:
        yield app


@pytest.fixture
def book(bank: Flask) -> Iterator[Book]:
    with bank.app_context():
        yield Book()
        # whatever was raced, the books are right afterwards
        session().rollback()
        assert broken() == []


@pytest.fixture(scope="module")
def secret(bank: Flask) -> str:
    with bank.app_context(), transaction():
        scopes = tokens.resolve_scopes(Audience.SYSTEM, ["all"])
        return tokens.create(audience=Audience.SYSTEM, scopes=scopes, name="racer")[1]


class Racer:
    """A machine on a thread of its own."""

    def __init__(self, bank: Flask, secret: str) -> None:
        self.client = bank.test_client()
        self.headers = {"Authorization": f"Bearer {secret}"}

    def call(self, path: str, body: dict[str, Any] | None = None, key: str | None = None) -> tuple[int, dict[str, Any]]:
        headers = self.headers | ({"Idempotency-Key": key} if key else {})
        answer = self.client.post(path, json={} if body is None else body, headers=headers)
        return answer.status_code, answer.get_json()


def at_once(jobs: Sequence[Callable[[], Any]]) -> list[Any]:
    """Start all jobs at the same moment; what each gave. An exception in one fails the test."""
    start, results, failures = threading.Barrier(len(jobs)), [None] * len(jobs), []

    def run(index: int) -> None:
        start.wait()
        try:
            results[index] = jobs[index]()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "somebody waits for ever"
    if failures:
        raise failures[0]
    return results


def body_of(debtor: UUID, creditor: UUID, amount: int, parent: UUID | None = None) -> dict[str, Any]:
    return {
        "parentId": str(parent or uuid4()), "parentType": "transfer", "debtorAccountId": str(debtor),
        "creditorAccountId": str(creditor), "currency": "eur", "amount": amount / 100,
    }  # fmt: skip


def verb(bank: Flask, act: Callable[[], Any]) -> Callable[[], str | None]:
    """A service verb as a job: the code of its refusal, None when it was done."""

    def run() -> str | None:
        with bank.app_context():
            try:
                in_transaction(act)
            except DomainError as error:
                return error.code
            return None

    return run


@pytest.mark.parametrize("keyed", [False, True])
def test_32_clients_racing_for_one_balance_get_exactly_what_fits(
    bank: Flask, book: Book, secret: str, keyed: bool
) -> None:
    payer, takers = book.account(10 * 700 + 699), [book.account() for _ in range(4)]

    def job(index: int) -> Callable[[], Any]:
        racer = Racer(bank, secret)
        body = body_of(payer, takers[index % 4], 700)
        return lambda: racer.call("/internal/Payments", body, key=str(uuid4()) if keyed else None)

    answers = at_once([job(index) for index in range(CROWD)])
    assert Counter((status, body.get("code")) for status, body in answers) == {
        (200, None): 10, (422, "insufficientFunds"): CROWD - 10,
    }  # fmt: skip
    assert book.balance(payer) == (699, 0)
    assert sum(book.balance(taker)[0] for taker in takers) == 7_000


def test_holds_and_payments_racing_for_one_balance_never_promise_more_than_there_is(bank: Flask, book: Book) -> None:
    payer, taker = book.account(1_000), book.account()
    orders = [book.order(payer, taker, 100) for _ in range(CROWD)]
    codes = at_once(
        [
            verb(bank, lambda order=order, act=act: act(order, by=system()))  # type: ignore[misc]
            for order, act in zip(orders, [payments.pay, payments.hold] * (CROWD // 2), strict=True)
        ]
    )
    assert Counter(codes) == {None: 10, "insufficientFunds": CROWD - 10}
    posted, held = book.balance(payer)
    assert posted - held == 0


def test_opposite_transfers_between_two_accounts_never_end_in_a_deadlock(bank: Flask, book: Book, secret: str) -> None:
    """Both ways of paying, in both directions, single ones and drafts that are pended, posted and canceled."""
    left, right = book.account(100_000), book.account(100_000)
    ends = time.monotonic() + SECONDS

    def job(index: int) -> Callable[[], Counter[tuple[int, str | None]]]:
        racer, chance = Racer(bank, secret), random.Random(index)
        debtor, creditor = (left, right) if index % 2 else (right, left)

        def run() -> Counter[tuple[int, str | None]]:
            said: Counter[tuple[int, str | None]] = Counter()
            while time.monotonic() < ends:
                body = body_of(debtor, creditor, chance.randint(1, 500))
                if index % 3:
                    answers = [racer.call("/internal/Payments", body, key=str(uuid4()) if index % 4 else None)]
                else:
                    transaction_ = {key: body.pop(key) for key in list(body) if not key.startswith("parent")}
                    status, draft = racer.call("/internal/Payments/draft", body | {"transactions": [transaction_]})
                    path = f"/internal/Payments/{draft['paymentId']}"
                    answers = [(status, draft), racer.call(f"{path}/pend")]
                    answers.append(racer.call(f"{path}/{chance.choice(['post', 'cancel'])}"))
                said.update((status, answer.get("code")) for status, answer in answers)
            return said

        return run

    said: Counter[tuple[int, str | None]] = sum(at_once([job(index) for index in range(12)]), Counter())
    assert set(said) == {(200, None)}, said
    assert said[200, None] > 50
    assert book.balance(left)[0] + book.balance(right)[0] == 200_000
    assert book.balance(left)[1] == book.balance(right)[1] == 0


@pytest.mark.parametrize("turn", range(4))
def test_pend_post_and_cancel_of_one_payment_from_eight_threads_have_one_winner_each(
    bank: Flask, book: Book, secret: str, turn: int
) -> None:
    payer, taker = book.account(100), book.account()
    payment_id = book.draft(payer, taker, 60)
    path = f"/internal/Payments/{payment_id}"

    def race(steps: Sequence[str]) -> list[str]:
        racers = [(step, Racer(bank, secret)) for step in steps]
        answers = at_once([lambda s=step, r=racer: (s, *r.call(f"{path}/{s}")) for step, racer in racers])
        won = []
        for step, status, answer in answers:
            code = answer.get("code") or (answer.get("errors") or [{"metadata": {"code": None}}])[0]["metadata"]["code"]
            assert (status, code) in {(200, None), (422, "invalidState")}, answer
            if status == 200:
                won.append(step)
        return won

    if turn < 2:
        assert race(["pend"] * 8) == ["pend"]
        assert book.balance(payer) == (100, 60)
        [winner] = race(["post", "cancel"] * 4)
    else:
        # from draft each may come first; a payment that ended never begins again
        won = race(["pend", "post", "cancel", "pend", "post", "cancel", "post", "cancel"])
        assert sorted(won) in [["post"], ["cancel"], ["pend", "post"], ["cancel", "pend"]], won
        [winner] = [step for step in won if step != "pend"]
    assert book.balance(payer) == ((40, 0) if winner == "post" else (100, 0))
    assert book.balance(taker) == ((60, 0) if winner == "post" else (0, 0))


def test_of_two_reversals_at_once_one_is_made(bank: Flask, book: Book, secret: str) -> None:
    for _ in range(4):
        payer, taker = book.account(100), book.account()
        payment_id = book.pay(payer, taker, 60)
        # enough to pay back twice: the balance is not what refuses the second
        book.pay(book.house(), taker, 1_000)
        racers = [Racer(bank, secret) for _ in range(6)]
        answers = at_once(
            [
                lambda racer=racer: racer.call(f"/internal/Payments/{payment_id}/reverse", {"reason": "sent twice"})
                for racer in racers
            ]
        )
        assert sorted(status for status, _ in answers) == [200, *[409] * 5]
        assert {answer["code"] for status, answer in answers if status == 409} <= {"alreadyReversed", "paymentExists"}
        assert (book.balance(payer), book.balance(taker)) == ((100, 0), (1_000, 0))


@pytest.mark.parametrize("keyed", [False, True])
def test_of_the_same_parent_at_once_one_is_paid_and_the_others_are_told_which(
    bank: Flask, book: Book, secret: str, keyed: bool
) -> None:
    payers, taker, parent = [book.account(1_000) for _ in range(16)], book.account(), uuid4()
    jobs = []
    for payer in payers:
        racer, body = Racer(bank, secret), body_of(payer, taker, 100, parent)
        jobs.append(lambda r=racer, b=body: r.call("/internal/Payments", b, key=str(uuid4()) if keyed else None))
    answers = at_once(jobs)
    made = [answer["paymentId"] for status, answer in answers if status == 200]
    refused = [(status, answer["code"], answer["paymentId"]) for status, answer in answers if status != 200]
    assert len(made) == 1
    assert set(refused) == {(409, "paymentExists", made[0])}
    assert book.balance(taker) == (100, 0)


def test_the_same_parent_on_different_books_is_paid_once(bank: Flask, book: Book) -> None:
    """No balance is shared, so nothing but the parent itself keeps the payments apart."""
    for _ in range(5):
        parent = uuid4()
        orders = [book.order(book.account(100), book.account(), 100, parent_id=parent) for _ in range(4)]
        codes = at_once([verb(bank, lambda o=order: payments.pay(o, by=system())) for order in orders])
        assert Counter(codes) == {None: 1, "paymentExists": 3}


def test_batches_over_the_same_accounts_and_parents_in_opposite_orders_all_end(bank: Flask, book: Book) -> None:
    members = [book.account(10_000) for _ in range(12)]
    parents = [uuid4() for _ in range(120)]

    def job(index: int) -> Callable[[], list[str | None]]:
        chance = random.Random(index)
        own = parents if index % 2 else parents[::-1]
        orders = [
            book.order(*chance.sample(members, 2), chance.randint(1, 50), parent_id=parent)
            for parent in own
            for _ in (0,)
        ] + [book.order(*chance.sample(members, 2), 1) for _ in range(40)]  # fmt: skip

        def run() -> list[str | None]:
            with bank.app_context():
                moved = in_transaction(lambda: payments.batch(orders, all_or_none=False, by=system()))
                return [outcome.code for outcome in moved.outcomes]

        return run

    codes = at_once([job(index) for index in range(8)])
    assert Counter(code for each in codes for code in each[:120]) == {None: 120, "paymentExists": 7 * 120}
    assert Counter(code for each in codes for code in each[120:]) == {None: 8 * 40}
    made = session().scalar(sa.select(sa.func.count()).where(Payment.parent_id.in_(parents)))
    assert made == 120


def test_batches_and_single_payments_with_shared_parents_but_no_shared_account_all_end(
    bank: Flask, book: Book, secret: str
) -> None:
    """Only the parents collide: the locks on balances order nobody here."""
    parents = [uuid4() for _ in range(60)]
    jobs: list[Callable[[], Any]] = []
    for index in range(6):
        payer, taker = book.account(10_000), book.account()
        own = random.Random(index).sample(parents, len(parents))
        orders = [book.order(payer, taker, 1, parent_id=parent) for parent in own]
        jobs.append(verb(bank, lambda o=orders: payments.batch(o, all_or_none=False, by=system())))
    for index in range(6):
        payer, taker, racer = book.account(10_000), book.account(), Racer(bank, secret)
        own = random.Random(-index).sample(parents, 10)
        jobs.append(
            lambda r=racer, p=payer, t=taker, o=own: {
                r.call("/internal/Payments", body_of(p, t, 1, parent))[0] for parent in o
            }
        )
    results = at_once(jobs)
    assert results[:6] == [None] * 6
    assert set().union(*results[6:]) <= {200, 409}
    living = session().scalar(sa.select(sa.func.count()).where(Payment.parent_id.in_(parents)))
    assert living == 60


def test_whatever_is_paid_after_a_freeze_was_committed_is_refused(bank: Flask, book: Book, secret: str) -> None:
    owner = book.owner()
    payer, taker = book.account(1_000_000, owner=owner), book.account()
    frozen = threading.Event()

    def freeze() -> None:
        time.sleep(0.3)
        with bank.app_context():
            with transaction():
                accounts.freeze_owner(owner, debits=True, credits=False, blocked_amounts={})
        frozen.set()

    def job(index: int) -> Callable[[], list[tuple[bool, int, str | None]]]:
        racer = Racer(bank, secret)

        def run() -> list[tuple[bool, int, str | None]]:
            said = []
            while True:
                after = frozen.is_set()
                status, answer = racer.call("/internal/Payments", body_of(payer, taker, 1))
                said.append((after, status, answer.get("code")))
                if after:
                    return said

        return run

    results = at_once([freeze, *[job(index) for index in range(8)]])
    said = Counter(one for each in results[1:] for one in each)
    assert {(status, code) for after, status, code in said if after} == {(422, "accountFrozen")}
    assert {(status, code) for _, status, code in said} == {(200, None), (422, "accountFrozen")}
    paid = sum(times for (_, status, _), times in said.items() if status == 200)
    assert book.balance(taker) == (paid, 0)


def test_a_freeze_lets_what_is_held_end_and_no_new_hold_begin(bank: Flask, book: Book, secret: str) -> None:
    owner = book.owner()
    payer, taker = book.account(1_000, owner=owner), book.account()
    held, drafts = [], []
    for _ in range(4):
        held.append(book.draft(payer, taker, 10))
        with transaction():
            payments.pend(held[-1], by=system())
        drafts.append(book.draft(payer, taker, 10))
    with transaction():
        accounts.freeze_owner(owner, debits=True, credits=True, blocked_amounts={"eur": 1_000})
    steps = [*((id, "post") for id in held[:2]), *((id, "cancel") for id in held[2:]), *((id, "pend") for id in drafts)]
    racers = [(Racer(bank, secret), id, step) for id, step in steps]
    answers = at_once([lambda r=r, i=i, s=s: r.call(f"/internal/Payments/{i}/{s}")[0] for r, i, s in racers])
    assert answers == [200] * 4 + [422] * 4
    assert book.balance(payer) == (980, 0)


def test_an_account_closes_or_is_paid_never_both(bank: Flask, book: Book, secret: str) -> None:
    for _ in range(8):
        payer, closing = book.account(100), book.account()
        racer = Racer(bank, secret)
        code, (status, answer) = at_once(
            [
                verb(bank, lambda c=closing: accounts.close(c, by=system())),
                lambda r=racer, p=payer, c=closing: r.call("/internal/Payments", body_of(p, c, 10)),
            ]
        )
        assert (code, status, answer.get("code")) in {
            (None, 422, "accountClosed"), ("balanceNotZero", 200, None),
        }  # fmt: skip


def test_an_account_closes_or_is_promised_money_never_both(bank: Flask, book: Book) -> None:
    for act in (payments.hold, payments.draft) * 5:
        payer, closing = book.account(100), book.account()
        order = book.order(payer, closing, 10)
        codes = at_once(
            [
                verb(bank, lambda c=closing: accounts.close(c, by=system())),
                verb(bank, lambda o=order, a=act: a(o, by=system())),
            ]
        )
        assert codes in (["livePayments", None], [None, "accountClosed"])
