"""Whatever is told, in whatever order and by however many at once: each credit is booked once, and the books agree."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access.actor import system
from dashboard.database import db, session, transaction
from dashboard.errors import Conflict
from dashboard.ledger.services import accounts
from dashboard.settings import Settings
from dashboard.transfers.models import IncomingRequest, Receipt, Transfer
from dashboard.transfers.services.incoming import receiving
from tests.conftest import Databases
from tests.ledger.committing import application
from tests.ledger.invariants import broken
from tests.ledger.test_at_once import at_once
from tests.transfers.incoming import Bank, bank, posted

CROWD = 16
SEEDS = range(6)
STEPS = 25


@pytest.fixture(scope="module")
def house(databases: Databases, configured: Settings) -> Iterator[tuple[Flask, list[Bank]]]:
    with application(databases, configured, threads=CROWD) as app, app.app_context():
        yield app, [bank(key="test-bank")]


@pytest.fixture
def told_to(house: tuple[Flask, list[Bank]]) -> Iterator[Bank]:
    with house[0].app_context():
        yield house[1][0]
        session().rollback()
        assert broken() == []
        assert agrees() == []


def agrees() -> list[str]:
    """What does not hold between requests, transfers, receipts and the suspense accounts."""
    rules = {
        "a suspense account holds what its receipts have left": """
            SELECT a.id::text FROM account a JOIN account_balance b ON b.account_id = a.id WHERE a.type = 'suspense'
            GROUP BY a.id HAVING sum(b.posted) <> coalesce((
                SELECT sum(r.remaining_minor) FROM receipt r WHERE r.suspense_account_id = a.id), 0)
        """,
        "a processed credit has one transfer of its amount": """
            SELECT r.id::text FROM incoming_request r LEFT JOIN transfer t ON t.id = r.transfer_id
            WHERE r.state = 'processed' AND NOT r.reversal AND (t.id IS NULL
                  OR (t.currency, t.amount_minor) <> (r.currency, r.amount_minor))
        """,
        "an incoming transfer was told once": """
            SELECT t.id::text FROM transfer t WHERE t.kind = 'incoming' AND (
                SELECT count(*) FROM incoming_request r
                WHERE r.transfer_id = t.id AND NOT r.reversal AND r.state = 'processed') <> 1
        """,
        "a transfer is reversed where its reversal is processed": """
            SELECT t.id::text FROM transfer t WHERE t.kind = 'incoming' AND (t.status = 'reversed') <> EXISTS (
                SELECT 1 FROM incoming_request r
                WHERE r.transfer_id = t.id AND r.reversal AND r.state = 'processed')
        """,
        "the settlement account has what came and did not go back": """
            SELECT a.id::text FROM account a JOIN account_balance b ON b.account_id = a.id WHERE a.type = 'settlement'
            GROUP BY a.id, a.bank_account_id HAVING -sum(b.posted) <> coalesce((
                SELECT sum(t.amount_minor) FROM transfer t JOIN incoming_request r ON r.transfer_id = t.id
                WHERE t.status <> 'reversed' AND NOT r.reversal AND r.bank_account_id = a.bank_account_id), 0)
        """,
        "what is linked moves nothing": """
            SELECT id::text FROM incoming_request WHERE state = 'linked' AND transfer_id IS NOT NULL
        """,
    }
    return [f"{rule}: {row}" for rule, query in rules.items() for row in session().scalars(sa.text(query))]


def test_sixteen_who_tell_one_credit_make_one_transfer(house: tuple[Flask, list[Bank]], told_to: Bank) -> None:
    app = house[0]
    before = posted(told_to.account)
    session().rollback()
    credit = told_to.credit(provider_reference="CROWD-1")

    def tell() -> UUID:
        with app.app_context():
            try:
                return told_to.tell(credit).id
            finally:
                db.session.remove()

    assert len(set(at_once([tell] * CROWD))) == 1
    assert posted(told_to.account) == before + 10_000


def test_a_notification_and_a_statement_at_the_same_moment_are_one_credit(
    house: tuple[Flask, list[Bank]], told_to: Bank
) -> None:
    app = house[0]
    before = posted(told_to.account)
    session().rollback()

    def telling(number: int, source: str) -> Any:
        credit = told_to.credit(
            provider_reference=f"{source}:BOTH-{number}", references=(f"BOTH-{number}",), end_to_end_id=f"E2E-{number}"
        )

        def tell() -> str:
            with app.app_context():
                try:
                    return told_to.tell(credit, source=source).state
                finally:
                    db.session.remove()

        return tell

    states = at_once([telling(number, source) for number in range(6) for source in ("camt.054", "camt.053")])
    assert Counter(states) == {"processed": 6, "linked": 6}
    assert posted(told_to.account) == before + 60_000


def test_a_credit_and_its_reversal_at_the_same_moment_leave_nothing(
    house: tuple[Flask, list[Bank]], told_to: Bank
) -> None:
    app = house[0]
    before = posted(told_to.account)
    session().rollback()

    def telling(number: int, *, reversal: bool) -> Any:
        credit = told_to.credit(provider_reference=f"UNDO-{number}", reversal=reversal)

        def tell() -> None:
            with app.app_context():
                try:
                    told_to.tell(credit)
                finally:
                    db.session.remove()

        return tell

    at_once([telling(number, reversal=reversal) for number in range(6) for reversal in (False, True)])
    assert posted(told_to.account) == before
    session().rollback()
    waiting = sa.select(sa.func.count()).select_from(IncomingRequest).where(IncomingRequest.state == "waiting")
    assert session().scalar(waiting) == 0


def test_a_freeze_among_many_credits_leaves_each_on_one_side(house: tuple[Flask, list[Bank]], told_to: Bank) -> None:
    app = house[0]
    before = posted(told_to.other_account) + posted(told_to.suspense)
    session().rollback()

    def tell() -> None:
        with app.app_context():
            try:
                told_to.tell(told_to.credit(creditor_account=told_to.other_number))
            finally:
                db.session.remove()

    def freeze() -> None:
        with app.app_context():
            try:
                with transaction():
                    accounts.freeze_owner(told_to.other_client, debits=True, credits=True, blocked_amounts={})
            finally:
                db.session.remove()

    at_once([tell] * 5 + [freeze] + [tell] * 5)
    with transaction():
        accounts.freeze_owner(told_to.other_client, debits=False, credits=False, blocked_amounts={})
    assert posted(told_to.other_account) + posted(told_to.suspense) == before + 100_000


@pytest.mark.parametrize("seed", SEEDS)
def test_each_told_credit_is_booked_once_in_any_order(told_to: Bank, seed: int) -> None:
    """Credits of few amounts, told by two sources, repeated, contradicted and reversed, with freezes between."""
    dice = random.Random(seed)
    day = clock.now() - timedelta(days=1)
    tellings: list[tuple[str, Any]] = []
    credits = 0
    expected = 0
    for number in range(STEPS):
        name = f"S{seed}-{number:03}"
        said: dict[str, Any] = {
            "amount_minor": dice.choice((1_000, 2_000)),
            "booked_at": day,
            "references": (f"ASR-{name}",),
            "end_to_end_id": dice.choice((f"INV-{name}", "NOTPROVIDED", None)),
            "creditor_account": dice.choice((told_to.number, told_to.other_number, None)),
            "remittance": "none",
        }
        credits += 1
        first = told_to.credit(provider_reference=f"054:{name}", **said)
        mine = [("camt.054", first)]
        if dice.random() < 0.6:
            mine.append(("camt.053", told_to.credit(provider_reference=f"053:{name}", **said)))
        if dice.random() < 0.4:
            mine.append(("camt.054", first))
        if dice.random() < 0.2:
            mine.append(("camt.054", told_to.credit(provider_reference=f"054:{name}", **said | {"amount_minor": 7})))
        expected += said["amount_minor"]
        if dice.random() < 0.3:
            back = told_to.credit(provider_reference=f"R:{name}", reversal=True, **said)
            mine += [("camt.054", back)] * dice.choice((1, 2))
            expected -= said["amount_minor"]
        tellings += mine
    # in any order, but a contradiction comes after what it contradicts: the first telling stands
    dice.shuffle(tellings)
    tellings.sort(key=lambda one: one[1].amount_minor == 7)
    before = posted(told_to.settlement)
    frozen = False
    for source, credit in tellings:
        if dice.random() < 0.1:
            frozen = not frozen
            with transaction():
                accounts.freeze_owner(told_to.other_client, debits=frozen, credits=frozen, blocked_amounts={})
        try:
            told_to.tell(credit, source=source)
        except Conflict as refusal:
            assert refusal.code == "differentBody" and credit.amount_minor == 7
    with transaction():
        accounts.freeze_owner(told_to.other_client, debits=False, credits=False, blocked_amounts={})
        assert not receiving.finish_waiting(by=system())
    assert before - posted(told_to.settlement) == expected
    states = session().execute(
        sa.select(IncomingRequest.state, sa.func.count())
        .where(sa.cast(IncomingRequest.provider_reference, sa.Text).like(f"%:S{seed}-%"))
        .group_by(IncomingRequest.state)
    )
    assert {state for state, _ in states} <= {"processed", "linked"}
    told = session().scalar(
        sa.select(sa.func.count()).select_from(Transfer).where(Transfer.provider_reference.like(f"%:S{seed}-%"))
    )
    assert told == credits
    assert session().scalar(sa.select(sa.func.count()).select_from(Receipt).where(Receipt.remaining_minor < 0)) == 0
