"""Payments that share a transaction come out as if each had come alone, and hold nobody up."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard import direct
from dashboard.access import tokens
from dashboard.access.actor import system
from dashboard.access.models import ApiToken
from dashboard.access.permissions import Audience
from dashboard.clock import now
from dashboard.database import db, new_id, session, transaction
from dashboard.ledger.api import together
from dashboard.ledger.api.together import Asked, Together
from dashboard.ledger.models import AccountBalance, Payment
from dashboard.ledger.services import accounts, payments
from dashboard.ledger.vocabulary import AccountType
from dashboard.settings import Settings
from tests.conftest import Databases
from tests.ledger.committing import application
from tests.ledger.conftest import Book
from tests.ledger.invariants import broken
from tests.ledger.test_at_once import Racer, at_once

PATH = "/internal/Payments"


def a_token(*scopes: str) -> tuple[UUID, str]:
    """A token whose use was marked a moment ago, and its secret."""
    with transaction():
        chosen = tokens.resolve_scopes(Audience.SYSTEM, list(scopes) or ["all"])
        token, secret = tokens.create(audience=Audience.SYSTEM, scopes=chosen, name="together")
        session().execute(sa.update(ApiToken).where(ApiToken.id == token.id).values(last_used_at=now()))
        return token.id, secret


def asked(secret: str, debtor: UUID, creditor: UUID, amount: int, **other: Any) -> Asked:
    key = other.pop("key", None)
    known: dict[str, Any] = {
        "secret": tokens.secret_hash(f"Bearer {secret}"), "address": "127.0.0.1", "request": 'a "b" \\ {c}',
        "id": new_id().hex, "parent_type": "transfer", "parent_id": str(uuid4()), "transaction_id": new_id().hex,
        "debtor": str(debtor), "creditor": str(creditor), "currency": "eur", "amount": amount, "event": new_id(),
        "key": key, "method": "POST", "path": PATH, "digest": hashlib.sha256(b"body").digest() if key else None,
        "answer": '{"said": "@booked@, \\"quoted\\"", "at": "@moment@"}',
    }  # fmt: skip
    return Asked(**known | other)


def paid(app: Flask, group: Sequence[Asked]) -> list[together._Waiting]:
    """What became of a group that goes together."""
    waiting = [together._Waiting(one) for one in group]
    Together(app)._pay(waiting)
    return waiting


def alone(app: Flask, one: Asked) -> bool:
    """Whether a payment was made that is asked for by itself."""
    try:
        return Together(app)._alone(one) is not None
    except psycopg.Error:
        return False


def closed(book: Book) -> UUID:
    account_id = book.account()
    with transaction():
        accounts.close(account_id, by=system())
    return account_id


def some(book: Book) -> list[UUID]:
    """Accounts of each kind that a decision knows."""
    found = [book.account(100), book.account(30, limit=20), book.account(0), book.account(500), book.account(500)]
    for account_id, frozen in ((found[3], "debits_frozen"), (found[4], "credits_frozen")):
        with transaction():
            session().execute(
                sa.update(AccountBalance).where(AccountBalance.account_id == account_id).values({frozen: True})
            )
    return [
        *found,
        closed(book),
        book.account(100, currency="usd"),
        book.house(),
        book.house(type=AccountType.SUSPENSE),
    ]


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    orders=st.lists(
        st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(1, 90)), min_size=2, max_size=together.MOST
    )
)
def test_a_group_comes_out_as_if_each_had_come_alone(
    app: Flask, book: Book, orders: list[tuple[int, int, int]]
) -> None:
    _token, secret = a_token()
    here, there = some(book), some(book)
    houses = book.balance(here[-2]), book.balance(here[-1])
    found = paid(app, [asked(secret, here[d], here[c], amount) for d, c, amount in orders])
    moved = [tuple(b - a for a, b in zip(before, book.balance(one), strict=True))
             for before, one in zip(houses, here[-2:], strict=True)]  # fmt: skip
    assert not any(one.alone for one in found)
    houses = book.balance(there[-2]), book.balance(there[-1])
    assert [one.made is not None for one in found] == [
        alone(app, asked(secret, there[d], there[c], amount)) for d, c, amount in orders
    ]
    assert [book.balance(one) for one in here[:-2]] == [book.balance(one) for one in there[:-2]]
    assert moved == [tuple(b - a for a, b in zip(before, book.balance(one), strict=True))
                     for before, one in zip(houses, there[-2:], strict=True)]  # fmt: skip
    assert broken() == []


def test_each_of_a_group_leaves_its_own_evidence_and_its_own_answer(app: Flask, book: Book) -> None:
    first, second = a_token(), a_token()
    debtor, creditor = book.account(1_000), book.account()
    group = [
        asked(first[1], debtor, creditor, 10, key="one", address="10.0.0.1", request="r-1"),
        asked(second[1], debtor, creditor, 20, address=None, request="r-2"),
    ]
    found = paid(app, group)
    assert [one.made[0] for one in found if one.made] == [first[0], second[0]]
    for one in found:
        assert one.made is not None
        assert '\\"quoted\\"' in one.made[1] and "@" not in one.made[1]
    rows = session().execute(
        sa.text(
            "SELECT actor_id, host(address::inet), request_id, object_id FROM audit_event"
            " WHERE action = 'payment.posted' AND actor_id = ANY (:ids) ORDER BY request_id"
        ),
        {"ids": [first[0], second[0]]},
    ).all()  # fmt: skip
    assert [tuple(row) for row in rows] == [
        (first[0], "10.0.0.1", "r-1", UUID(group[0].id)), (second[0], None, "r-2", UUID(group[1].id)),
    ]  # fmt: skip
    kept = session().execute(sa.text("SELECT token_id, key, answer FROM idempotency_key WHERE path = :path"),
                             {"path": PATH}).all()  # fmt: skip
    assert [tuple(row) for row in kept] == [(first[0], "one", found[0].made[1] if found[0].made else "")]


def test_what_stands_already_is_left_to_the_usual_way(app: Flask, book: Book) -> None:
    _id, secret = a_token()
    debtor, creditor = book.account(1_000), book.account()
    parent = str(uuid4())
    [before, _] = paid(app, [asked(secret, debtor, creditor, 1, parent_id=parent, key="k"),
                             asked(secret, debtor, creditor, 1)])  # fmt: skip
    assert before.made is not None
    same_parent, same_key, fine = paid(
        app,
        [
            asked(secret, debtor, creditor, 1, parent_id=parent),
            asked(secret, debtor, creditor, 1, key="k"),
            asked(secret, debtor, creditor, 1),
        ],
    )
    assert (same_parent.made, same_parent.alone) == (None, False)
    assert (same_key.made, same_key.alone) == (None, False)
    assert fine.made is not None
    assert book.balance(debtor) == (997, 0)


def test_two_that_exclude_each_other_never_go_together(app: Flask, book: Book) -> None:
    _id, secret = a_token()
    debtor, creditor = book.account(1_000), book.account()
    parent = str(uuid4())
    queue = Together(app)
    waiting = [
        together._Waiting(asked(secret, debtor, creditor, 1, **other))
        for other in (
            {"parent_id": parent}, {"parent_id": parent}, {"key": "k"}, {"key": "k"}, {},
            {"parent_id": parent, "parent_type": "paymentRequest"},
        )
    ]  # fmt: skip
    queue._waiting.extend(waiting[1:])
    group = queue._group(waiting[0])
    assert group == [waiting[at] for at in (0, 2, 4, 5)]
    assert list(queue._waiting) == [waiting[1], waiting[3]]


@pytest.mark.parametrize("same", ["parent_id", "key"])
def test_two_of_a_group_that_exclude_each_other_are_asked_for_alone(app: Flask, book: Book, same: str) -> None:
    _id, secret = a_token()
    debtor, creditor = book.account(1_000), book.account()
    shared = {same: str(uuid4())}
    group = [asked(secret, debtor, creditor, 1, **shared), asked(secret, debtor, creditor, 1, **shared),
             asked(secret, debtor, creditor, 1)]  # fmt: skip
    assert [(one.made, one.alone) for one in paid(app, group)] == [(None, True)] * 3
    assert book.balance(debtor) == (1_000, 0)
    assert [alone(app, one) for one in group] == [True, False, True]


@pytest.mark.parametrize("spoilt", ["revoked", "scope", "unknown", "not used of late"])
def test_a_token_that_may_not_pay_spoils_nothing_for_the_others(app: Flask, book: Book, spoilt: str) -> None:
    _id, secret = a_token()
    other_id, other = a_token(*(["clients:read"] if spoilt == "scope" else []))
    with transaction():
        if spoilt == "revoked":
            tokens.revoke(other_id)
        if spoilt == "not used of late":
            session().execute(sa.update(ApiToken).where(ApiToken.id == other_id).values(last_used_at=None))
    if spoilt == "unknown":
        other += "x"
    debtor, creditor = book.account(1_000), book.account()
    bad, good = paid(app, [asked(other, debtor, creditor, 1), asked(secret, debtor, creditor, 2)])
    assert (bad.made, bad.alone) == (None, False)
    assert good.made is not None
    assert book.balance(debtor) == (998, 0)


def test_nobody_makes_an_adjusting_payment_along_with_others(app: Flask, book: Book) -> None:
    _id, secret = a_token()
    debtor, creditor = book.account(1_000), book.account()
    group = [asked(secret, debtor, creditor, 1, parent_type="adjustingPayment"), asked(secret, debtor, creditor, 1)]
    assert [one.made is not None for one in paid(app, group)] == [False, True]


def test_arrays_carry_whatever_stands_in_their_texts(app: Flask) -> None:
    texts = ['"', "\\", '\\"', "{}", ",", "NULL", "", None, "ąž 漢", "a\nb"]
    [row] = direct.rows_beside(app, "SELECT $1::text[]", [direct.array(texts)])
    assert row[0] == texts


# --- with real commits ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bank(databases: Databases, configured: Settings) -> Iterator[Flask]:
    with application(databases, configured, threads=12) as app:
        yield app


@pytest.fixture
def ledger(bank: Flask) -> Iterator[Book]:
    with bank.app_context():
        yield Book()
        session().rollback()
        assert broken() == []


class Gate:
    """Lets the first payment that goes alone wait in the database, until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.arrived, self.open = threading.Event(), threading.Event()
        self.groups: list[int] = []
        beside, rows_beside = direct.beside, direct.rows_beside

        def one(app: Flask, statement: str, parameters: Any) -> Any:
            if "pay_at_once" in statement and not self.arrived.is_set():
                self.arrived.set()
                assert self.open.wait(20)
            return beside(app, statement, parameters)

        def many(app: Flask, statement: str, parameters: Any) -> Any:
            rows = rows_beside(app, statement, parameters)
            self.groups.append(len(rows))
            return rows

        monkeypatch.setattr(direct, "beside", one)
        monkeypatch.setattr(direct, "rows_beside", many)


def _payment(debtor: UUID, creditor: UUID, amount: float) -> dict[str, Any]:
    return {
        "parentId": str(uuid4()), "parentType": "transfer", "debtorAccountId": str(debtor),
        "creditorAccountId": str(creditor), "currency": "eur", "amount": amount,
    }  # fmt: skip


def test_who_waits_meanwhile_goes_together_and_is_answered_alike(
    bank: Flask, ledger: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    _id, secret = a_token()
    debtor = ledger.account(1_000)
    creditors = [ledger.account() for _ in range(9)]
    bodies = [_payment(debtor, one, 1.20) for one in creditors]
    keys = [str(uuid4()) for _ in bodies]
    monkeypatch.setattr(together, "PATIENCE", 20.0)
    gate = Gate(monkeypatch)
    answers: dict[int, tuple[int, dict[str, Any]]] = {}

    def pay(at: int) -> None:
        answers[at] = Racer(bank, secret).call(PATH, bodies[at], keys[at])

    threads = [threading.Thread(target=pay, args=(at,)) for at in range(9)]
    threads[0].start()
    assert gate.arrived.wait(10)
    for thread in threads[1:]:
        thread.start()
    waiting = bank.extensions["countinghouse.together"]._waiting
    until(lambda: len(waiting) == 8)
    gate.open.set()
    for thread in threads:
        thread.join(20)
    # 10.00 are there: eight payments of 1.20, and the ninth is refused in the usual way
    assert sorted(status for status, _ in answers.values()) == [200] * 8 + [422]
    assert gate.groups == [7]
    assert ledger.balance(debtor) == (1_000 - 8 * 120, 0)
    for at, said in answers.items():
        assert Racer(bank, secret).call(PATH, bodies[at], keys[at]) == said


def test_a_payment_that_waits_for_a_lock_holds_nobody_up(
    bank: Flask, ledger: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    _id, secret = a_token()
    held, debtor, creditor = ledger.account(100), ledger.account(10_000), ledger.account()
    alone: list[None] = []
    beside = direct.beside

    def counted(app: Flask, statement: str, parameters: Any) -> Any:
        if "pay_at_once" in statement:
            alone.append(None)
        return beside(app, statement, parameters)

    monkeypatch.setattr(direct, "beside", counted)
    said: list[int] = []
    waits = threading.Thread(target=lambda: said.append(Racer(bank, secret).call(PATH, _payment(held, creditor, 1))[0]))
    with db.engine.connect() as other:
        other.execute(sa.text("SELECT 1 FROM account_balance WHERE account_id = :id FOR UPDATE"), {"id": held})
        waits.start()
        until(lambda: len(alone) == 1)
        racers = [Racer(bank, secret) for _ in range(10)]
        answers = at_once([
            lambda racer=racer: [racer.call(PATH, _payment(debtor, creditor, 0.01))[0] for _ in range(12)]
            for racer in racers
        ])  # fmt: skip
        assert said == []
    waits.join(20)
    assert said == [200]
    assert [status for some in answers for status in some] == [200] * 120
    # one took the turn over, and the others went along as if nothing had been
    assert len(alone) < 60
    assert ledger.balance(debtor) == (10_000 - 120, 0)


def test_two_processes_that_are_asked_for_the_same_pay_once(bank: Flask, ledger: Book) -> None:
    _id, secret = a_token()
    debtor, creditor = ledger.account(10_000), ledger.account()
    processes = [Together(bank), Together(bank)]
    parents = [str(uuid4()) for _ in range(20)]
    made: list[str] = []

    def ask(process: Together, backwards: bool) -> None:
        for parent in reversed(parents) if backwards else parents:
            try:
                if process.pay(asked(secret, debtor, creditor, 1, parent_id=parent, key=f"of {parent}")) is not None:
                    made.append(parent)
            except psycopg.Error:
                pass

    at_once([
        lambda at=at: ask(processes[at % 2], at > 3) for at in range(8)
    ])  # fmt: skip
    assert sorted(made) == sorted(parents)
    assert ledger.balance(debtor) == (10_000 - 20, 0)


def test_an_account_from_which_as_much_goes_as_comes_is_checked_too(app: Flask, book: Book) -> None:
    _id, secret = a_token()
    one, other, third = book.account(100), book.account(100), book.account(100)
    session().execute(sa.text("UPDATE account_balance SET touched = false WHERE account_id = ANY (:ids)"),
                      {"ids": [one, other, third]})  # fmt: skip
    paid(app, [asked(secret, one, other, 5), asked(secret, other, one, 5)])
    with transaction():
        there_and_back = [book.order(one, third, 3), book.order(third, one, 3)]
        payments.batch(there_and_back, all_or_none=True, by=system())
    touched = sa.select(AccountBalance.account_id).where(
        AccountBalance.account_id.in_([one, other, third]), AccountBalance.touched
    )
    assert set(session().scalars(touched)) == {one, other, third}


def test_an_account_that_somebody_holds_is_not_waited_for(bank: Flask, ledger: Book) -> None:
    _id, secret = a_token()
    held, debtor, creditor = ledger.account(100), ledger.account(100), ledger.account()
    with db.engine.connect() as other:
        other.execute(sa.text("SELECT 1 FROM account_balance WHERE account_id = :id FOR UPDATE"), {"id": held})
        busy, fine = paid(bank, [asked(secret, held, creditor, 1), asked(secret, debtor, creditor, 1)])
    assert (busy.made, busy.alone) == (None, True)
    assert fine.made is not None
    assert ledger.balance(creditor) == (1, 0)


def test_many_who_pay_at_once_from_one_account_spend_what_is_there(bank: Flask, ledger: Book) -> None:
    _id, secret = a_token()
    debtor, creditor = ledger.account(500), ledger.account()
    racers = [Racer(bank, secret) for _ in range(12)]
    answers = at_once([
        lambda racer=racer: [racer.call(PATH, _payment(debtor, creditor, 0.25))[0] for _ in range(4)]
        for racer in racers
    ])  # fmt: skip
    said = [status for some in answers for status in some]
    assert sorted(said) == [200] * 20 + [422] * 28
    assert ledger.balance(debtor) == (0, 0)
    made = sa.select(sa.func.count()).select_from(Payment).where(Payment.maker_id == _id)
    assert session().scalar(made) == 20


def until(true: Callable[[], bool]) -> None:
    """Wait for it, ten seconds at most."""
    pause = threading.Event()
    for _ in range(1_000):
        if true():
            return
        pause.wait(0.01)
    raise AssertionError("it did not come")
