"""Outgoing transfers with many hands at once, on real commits: one wins, nothing is held or paid twice."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from flask import current_app

from dashboard.access.actor import system
from dashboard.database import session, transaction
from dashboard.errors import DomainError
from dashboard.ledger.models import Payment
from dashboard.settings import Settings
from dashboard.transfers.models import StatusChange, Transfer, TransferLimit
from dashboard.transfers.providers.port import Outcome, Report
from dashboard.transfers.services.outgoing import cancel, confirm, expiry, results, review, submitting
from tests.conftest import Databases
from tests.ledger import invariants
from tests.transfers.sending import PROVIDER, Sending, sending

BY = system("race")


@pytest.fixture(scope="module")
def opened(databases: Databases, configured: Settings) -> Iterator[Sending]:
    with sending(databases, configured, threads=16) as house:
        yield house


@pytest.fixture
def house(opened: Sending) -> Sending:
    opened.start_over()
    return opened


def at_once(*verbs: Callable[[], Any]) -> list[Any]:
    """Run each in a thread and transaction of its own, all at the same moment; gives answers or refusals' codes."""
    app, gate = current_app._get_current_object(), threading.Barrier(len(verbs))  # type: ignore[attr-defined]
    said: list[Any] = [None] * len(verbs)

    def run(place: int, verb: Callable[[], Any]) -> None:
        with app.app_context():
            gate.wait(timeout=20)
            try:
                with transaction():
                    said[place] = verb()
            except DomainError as error:
                said[place] = error.code
            except sa.exc.DBAPIError as error:
                said[place] = f"database: {getattr(error.orig, 'sqlstate', None)}"

    threads = [threading.Thread(target=run, args=(place, verb)) for place, verb in enumerate(verbs)]
    session().commit()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return said


def telling(made: Transfer, outcome: Outcome, **said: Any) -> Callable[[], Any]:
    return lambda: results.report(PROVIDER, Report(made.end_to_end_id or "", outcome, **said), by=BY)


def canceling(made: Transfer) -> Callable[[], Any]:
    return lambda: cancel.cancel(made.id, reason="Not wanted", by=BY)


def confirming(made: Transfer) -> Callable[[], Any]:
    def verb() -> Any:
        from dashboard.transfers.services import lifecycle

        confirm.confirm_without_code(lifecycle.locked(made.id), by=BY)

    return verb


def test_sixteen_transfers_against_one_balance_hold_what_is_there(house: Sending) -> None:
    poor = house.opened(house.client, 10_00 * 5)
    recipients = [house.known(house.client, f"Payee {letter}") for letter in "ABCDEFGHIJKLMNOP"]
    made = [house.made(9_75 - number, account=poor, recipient=each) for number, each in enumerate(recipients)]
    said = Counter(at_once(*(confirming(each) for each in made)))
    held = [each for each in made if house.fresh(each).payment_id is not None]
    total = sum(each.amount_minor + each.fee_minor for each in held)
    assert said == {None: len(held), "insufficientFunds": 16 - len(held)} and 5 <= len(held) < 16
    assert house.balance(poor) == (50_00, total) and total <= 50_00
    assert not invariants.broken()


def test_one_transfer_is_confirmed_once(house: Sending) -> None:
    made = house.made()
    assert Counter(at_once(*[confirming(made)] * 8)) == {None: 1, "invalidState": 7}
    assert house.balance(house.account) == (1_000_000, 12_59)


def test_confirming_and_canceling_end_in_one_of_the_two(house: Sending) -> None:
    for _ in range(3):
        made = house.made()
        at_once(*[confirming(made), canceling(made)] * 4)
        made = house.fresh(made)
        # canceling wins in the end: whatever was confirmed before had not left
        assert made.status == "canceled" and house.balance(house.account) == (1_000_000, 0)
    assert not invariants.broken()


def test_sending_and_canceling_agree_on_whether_it_left(house: Sending) -> None:
    for _ in range(4):
        made = house.confirmed()
        said = at_once(
            *[canceling(made), lambda made=made: submitting.about_to_send(made.id, by=BY)] * 4  # type: ignore[misc]
        )
        handed_out = [each for each in said[1::2] if each is not None]
        status = house.fresh(made).status
        assert (status, len(handed_out)) in {("canceled", 0), ("submitted", 1)}
        house.tell(made, Outcome.REJECTED)
    assert not invariants.broken()


def test_a_report_that_comes_eight_times_at_once_posts_once(house: Sending) -> None:
    made = house.submitted()
    at_once(*[telling(made, Outcome.EXECUTED, provider_reference="SB-1")] * 8)
    assert house.fresh(made).status == "completed" and house.balance(house.account) == (1_000_000 - 12_59, 0)


def test_executed_and_rejected_at_once_have_one_outcome(house: Sending) -> None:
    for amount in (10_00, 20_00, 30_00):
        before = house.balance(house.account)[0]
        made = house.submitted(amount)
        at_once(*[telling(made, Outcome.EXECUTED), telling(made, Outcome.REJECTED), canceling(made),
                  lambda made=made: submitting.lost(made.id, by=BY)] * 2)  # type: ignore[misc]  # fmt: skip
        made = house.fresh(made)
        assert made.status in {"completed", "rejected"}
        assert house.balance(house.account) == (before - (amount + 25 if made.status == "completed" else 0), 0)
        changes = list(session().scalars(sa.select(StatusChange.to_status).where(StatusChange.transfer_id == made.id)))
        assert sum(change in {"completed", "rejected"} for change in changes) == 1
    assert not invariants.broken()


def test_releasing_and_canceling_a_held_one(house: Sending) -> None:
    made = house.held()
    said = at_once(*[canceling(made), lambda: review.release(made.id, reason="Fine", by=BY)] * 4)
    assert house.fresh(made).status == "canceled" and house.balance(house.account) == (1_000_000, 0)
    assert not [each for each in said if str(each).startswith("database")]


def test_the_limit_of_a_day_holds_when_eight_come_at_once(house: Sending) -> None:
    limit = session().get_one(TransferLimit, (1, "eur")).per_day_minor
    assert limit is not None
    each_amount = limit // 5
    rich = house.opened(house.client, limit * 3)
    recipients = [house.known(house.client, f"Payee {letter}") for letter in "ABCDEFGH"]
    made = [house.made(each_amount - n, account=rich, recipient=each) for n, each in enumerate(recipients)]
    at_once(*(confirming(each) for each in made))
    statuses = Counter(house.fresh(each).status for each in made)
    assert statuses == {"confirmed": 5, "manualReview": 3}
    assert not invariants.broken()


def test_clients_who_pay_one_another_do_not_wait_forever(house: Sending) -> None:
    other = house.active("Kask")
    theirs = house.opened(other)
    to_other = house.known(house.client, "Mari Kask", theirs.number)
    to_me = house.known(other, "Mari Ilves", house.account.number)
    made = [house.made(1_00 + n, recipient=to_other) for n in range(4)]
    made += [house.made(1_00 + n, account=theirs, recipient=to_me) for n in range(4)]
    assert at_once(*(confirming(each) for each in made)) == [None] * 8
    assert house.balance(house.account) == house.balance(theirs) == (1_000_000, 0)
    assert not invariants.broken()


def test_expiry_by_several_at_once_cancels_each_once(house: Sending, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    from dashboard import clock

    made = [house.made(1_00 + n) for n in range(6)]
    later = clock.now() + timedelta(minutes=16)
    monkeypatch.setattr(clock, "now", lambda: later)
    said = at_once(*[lambda: expiry.expire_unconfirmed()] * 4)
    assert sum(said) >= 6
    assert all(house.fresh(each).status == "canceled" for each in made)
    changes = (
        sa.select(sa.func.count())
        .select_from(StatusChange)
        .where(StatusChange.transfer_id.in_([each.id for each in made]), StatusChange.to_status == "canceled")
    )
    assert session().scalar(changes) == 6


def test_no_payment_is_left_without_its_transfer(opened: Sending) -> None:
    session().rollback()
    stray = session().scalars(
        sa.select(Payment.id).where(
            Payment.state == "pending",
            ~sa.exists().where(
                Transfer.payment_id == Payment.id,
                Transfer.status.in_(["confirmed", "manualReview", "submitted", "unknown"]),
            ),
        )
    )
    assert list(stray) == [] and not invariants.broken()
