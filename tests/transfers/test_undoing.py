"""Taking an assignment back, by people and by the bank; and that no order of acts makes or loses a cent."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Role
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.clients import services as clients
from dashboard.clients.vocabulary import BlockCode, Scope
from dashboard.database import db, session, transaction
from dashboard.errors import DomainError
from dashboard.ledger.models import AccountBalance
from dashboard.queues.models import QueueItem
from dashboard.settings import Settings
from dashboard.transfers.models import Disposition, IncomingRequest, Receipt, Transfer
from dashboard.transfers.providers.port import Outcome, Report
from dashboard.transfers.services import lifecycle
from dashboard.transfers.services.desk import assigning, returning, screening, undoing
from dashboard.transfers.services.outgoing import results
from dashboard.transfers.vocabulary import RequestState, ScreeningResult, Status
from tests.conftest import Databases, People
from tests.ledger.committing import application
from tests.transfers.unrecognized import LIMIT, Desk


@pytest.fixture
def desk(app: Flask) -> Desk:
    return Desk()


@pytest.fixture
def officer(people: People) -> Actor:
    return people.actor(Role.OFFICER)


@pytest.fixture
def senior(people: People) -> Actor:
    return people.actor(Role.SENIOR_OFFICER)


def refused(verb: Callable[..., Any], *given: Any, **said: Any) -> str:
    with pytest.raises(DomainError) as refusal, transaction():
        verb(*given, **said)
    return refusal.value.code


def assigned(desk: Desk, account_id: UUID, by: Actor, senior: Actor, amount: int = 500_00) -> Receipt:
    receipt = desk.receipt(amount)
    with transaction():
        if amount <= LIMIT:
            assigning.assign(receipt.transfer_id, account_id=account_id, comment="", by=by)
        else:
            request = assigning.ask_to_assign(receipt.transfer_id, account_id=account_id, comment="Sure", by=by)
            approvals.decide(request.id, approve=True, reason=None, by=senior)
    return receipt


def approved(verb: Callable[..., ApprovalRequest], receipt: Receipt | Transfer, by: Actor, senior: Actor) -> None:
    transfer_id = receipt.transfer_id if isinstance(receipt, Receipt) else receipt.id
    with transaction():
        request = verb(transfer_id, reason="Not theirs", by=by)
    with transaction():
        assert approvals.decide(request.id, approve=True, reason=None, by=senior).state == "approved"


def at_bank(transfer_id: UUID) -> str:
    with transaction():
        return undoing.reverse_at_bank(lifecycle.locked(transfer_id), by=system())


def told_by_bank(transfer_id: UUID) -> None:
    """The reversal as the provider told it, waiting for people."""
    with transaction():
        session().add(
            IncomingRequest(
                provider="bank", provider_reference=transfer_id.hex, reversal=True, source="camt.054", body_hash=b"x",
                raw={}, currency="eur", amount_minor=1, booked_at=clock.now(), created_at=clock.now(),
                state=RequestState.WAITING.value, transfer_id=transfer_id,
            )
        )  # fmt: skip


def test_one_person_undoes_within_the_limit_and_all_is_as_before(desk: Desk, officer: Actor, senior: Actor) -> None:
    account = desk.account()
    receipt = assigned(desk, account.id, officer, senior)
    due = (receipt.booked_at, receipt.allocate_by, receipt.resolve_by, receipt.warn_at)
    with transaction():
        undoing.undo(receipt.transfer_id, reason="Another Mari", by=officer)
    assert desk.state(receipt) == ("unrecognized", "open", 500_00)
    assert (desk.balance(account.id), desk.balance(desk.suspense)) == (0, 500_00)
    fresh = session().get_one(Receipt, receipt.transfer_id)
    assert (fresh.booked_at, fresh.allocate_by, fresh.resolve_by, fresh.warn_at) == due
    assert (fresh.settled_at, fresh.cause) == (None, "undone")
    transfer = session().get_one(Transfer, receipt.transfer_id)
    assert (transfer.client_id, transfer.account_id) == (None, desk.suspense)
    item = (
        session()
        .scalars(sa.select(QueueItem).where(QueueItem.object_id == receipt.transfer_id, QueueItem.closed_at.is_(None)))
        .one()
    )
    assert (item.cause, item.due_at) == ("undone", due[1])
    other = desk.account()
    with transaction():
        again = assigning.assign(receipt.transfer_id, account_id=other.id, comment="", by=officer)
    assert again.number == 2
    assert desk.balance(other.id) == 500_00


def test_above_the_limit_two_people_undo(desk: Desk, officer: Actor, senior: Actor) -> None:
    account = desk.account()
    receipt = assigned(desk, account.id, officer, senior, LIMIT + 1)
    assert refused(undoing.undo, receipt.transfer_id, reason="Not theirs", by=officer) == "secondPersonRequired"
    approved(undoing.ask_to_undo, receipt, officer, senior)
    assert desk.state(receipt) == ("unrecognized", "open", LIMIT + 1)
    assert desk.balance(account.id) == 0


def test_what_the_client_has_spent_becomes_a_claim_by_two_people(desk: Desk, officer: Actor, senior: Actor) -> None:
    account = desk.account()
    receipt = assigned(desk, account.id, officer, senior)
    desk.spend(account.id, 300_00)
    assert refused(undoing.undo, receipt.transfer_id, reason="Not theirs", by=officer) == "spentAlready"
    approved(undoing.ask_to_undo, receipt, officer, senior)
    assert desk.state(receipt) == ("unrecognized", "open", 500_00)
    assert (desk.balance(account.id), desk.balance(desk.receivable)) == (0, -300_00)
    assert desk.balance(desk.suspense) == 500_00
    decision = session().scalars(sa.select(Disposition).where(Disposition.transfer_id == receipt.transfer_id)).one()
    assert (decision.state, decision.receivable_minor) == ("undone", 300_00)


def test_a_client_whose_debits_are_frozen_gives_nothing_back_piecemeal(
    desk: Desk, officer: Actor, senior: Actor
) -> None:
    account = desk.account()
    receipt = assigned(desk, account.id, officer, senior)
    desk.spend(account.id, 300_00)
    assert account.owner_id
    with transaction():
        clients.block(account.owner_id, code=BlockCode.COURT_ATTACHMENT, scope=Scope.DEBIT, by=system())
    approved(undoing.ask_to_undo, receipt, officer, senior)
    assert (desk.balance(account.id), desk.balance(desk.receivable)) == (200_00, -500_00)
    assert desk.state(receipt) == ("unrecognized", "open", 500_00)


def test_what_was_never_assigned_is_not_undone(desk: Desk, officer: Actor) -> None:
    receipt = desk.receipt()
    assert refused(undoing.undo, receipt.transfer_id, reason="x", by=officer) == "invalidState"
    assert refused(undoing.ask_to_undo, receipt.transfer_id, reason="x", by=officer) == "invalidState"


def test_money_on_the_desk_goes_when_the_bank_takes_it_back(desk: Desk, officer: Actor) -> None:
    receipt = desk.receipt()
    assert at_bank(receipt.transfer_id) == "reversed"
    assert desk.state(receipt) == ("reversed", "reversed", 0)
    assert (desk.balance(desk.suspense), desk.balance(desk.settlement)) == (0, 0)
    assert at_bank(receipt.transfer_id) == "reversed"
    assert refused(
        assigning.assign, receipt.transfer_id, account_id=desk.account().id, comment="", by=officer
    ) == "invalidState"  # fmt: skip


def test_a_bank_that_takes_back_what_waits_for_a_second_person_ends_the_request(desk: Desk, officer: Actor) -> None:
    receipt = desk.receipt(LIMIT + 1)
    with transaction():
        request = assigning.ask_to_assign(receipt.transfer_id, account_id=desk.account().id, comment="?", by=officer)
    assert at_bank(receipt.transfer_id) == "reversed"
    session().refresh(request)
    assert request.state == "stale"
    assert desk.state(receipt) == ("reversed", "reversed", 0)
    open_items = sa.select(QueueItem.id).where(
        QueueItem.object_id == receipt.transfer_id, QueueItem.closed_at.is_(None)
    )
    assert session().scalars(open_items).all() == []


@pytest.mark.parametrize("amount", [500_00, LIMIT + 1])
def test_the_bank_takes_back_what_was_assigned(desk: Desk, officer: Actor, senior: Actor, amount: int) -> None:
    account = desk.account()
    receipt = assigned(desk, account.id, officer, senior, amount)
    assert at_bank(receipt.transfer_id) == "reversed"
    assert desk.state(receipt) == ("reversed", "reversed", 0)
    assert [desk.balance(one) for one in (account.id, desk.suspense, desk.settlement)] == [0, 0, 0]


def test_the_bank_takes_back_what_was_recognized(desk: Desk) -> None:
    account = desk.account()
    transfer = desk.credit(account, 500_00)
    assert at_bank(transfer.id) == "reversed"
    assert (desk.balance(account.id), desk.balance(desk.settlement)) == (0, 0)


@pytest.mark.parametrize("recognized", [True, False])
def test_what_is_spent_when_the_bank_takes_it_back_waits_for_two_people(
    desk: Desk, officer: Actor, senior: Actor, signed_in: Callable[..., FlaskClient], recognized: bool
) -> None:
    account = desk.account()
    if recognized:
        transfer = desk.credit(account, 500_00)
    else:
        receipt = assigned(desk, account.id, officer, senior)
        transfer = session().get_one(Transfer, receipt.transfer_id)
    desk.spend(account.id, 100_00)
    assert at_bank(transfer.id) == "waiting"
    session().expire_all()
    assert session().get_one(Transfer, transfer.id).status == "completed"
    # nothing else waits on the desk, and it is said all the same
    page = signed_in(Role.OFFICER).get("/transfers/unrecognized").text
    assert "<b>The bank took back 500.00 EUR</b>" in page and "Sums by currency" not in page
    assert refused(undoing.ask_for_receivable, transfer.id, reason="x", by=officer) == "notReversedAtBank"
    told_by_bank(transfer.id)
    approved(undoing.ask_for_receivable, transfer, officer, senior)
    session().expire_all()
    assert session().get_one(Transfer, transfer.id).status == "reversed"
    assert (desk.balance(account.id), desk.balance(desk.receivable), desk.balance(desk.suspense)) == (0, -100_00, 0)
    assert desk.balance(desk.settlement) == 100_00
    assert session().scalars(sa.select(IncomingRequest.state)).all() == ["processed"]


def test_what_went_back_to_its_payer_already_is_looked_at_by_people(desk: Desk, officer: Actor) -> None:
    receipt = desk.receipt()
    _sent_back(receipt, officer)
    assert at_bank(receipt.transfer_id) == "waiting"
    assert desk.state(receipt) == ("returned", "returned", 0)


def _sent_back(receipt: Receipt, by: Actor) -> UUID:
    with transaction():
        screening.screen(receipt.transfer_id, list_name="EU", list_version="1", result=ScreeningResult.CLEAR,
                         note=None, by=by)  # fmt: skip
        decision = returning.send_back(receipt.transfer_id, fee_minor=0, fee_bearer=None, comment="Not ours", by=by)
    assert decision.return_transfer_id
    return decision.return_transfer_id


# -- at the same moment


@pytest.fixture
def crowd(databases: Databases, configured: Settings) -> Iterator[Flask]:
    with application(databases, configured, threads=18) as app:
        yield app


def _at_once(app: Flask, acts: list[Callable[[], Any]]) -> list[str]:
    """What became of each: `done`, or the code of its refusal."""
    start = threading.Barrier(len(acts))
    outcomes: list[str] = []

    def run(act: Callable[[], Any]) -> None:
        with app.app_context():
            start.wait()
            try:
                with transaction():
                    act()
                outcomes.append("done")
            except DomainError as refusal:
                outcomes.append(refusal.code)
            except Exception as error:
                outcomes.append(type(error).__name__)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return outcomes


def test_of_sixteen_people_at_once_exactly_one_pays(crowd: Flask) -> None:
    desk = Desk()
    by = People().actor(Role.OFFICER)
    accounts = [desk.account().id for _ in range(8)]
    receipt_id = desk.receipt(500_00).transfer_id
    session().commit()

    def assign(account_id: UUID) -> Callable[[], Any]:
        return lambda: assigning.assign(receipt_id, account_id=account_id, comment="", by=by)

    outcomes = _at_once(crowd, [assign(accounts[n % 8]) for n in range(16)])
    assert sorted(set(outcomes)) == ["done", "invalidState"]
    assert outcomes.count("done") == 1
    assert sum(desk.balance(account_id) for account_id in accounts) == 500_00
    assert desk.balance(desk.suspense) == 0

    other = desk.receipt(500_00).transfer_id
    with transaction():
        screening.screen(other, list_name="EU", list_version="1", result=ScreeningResult.CLEAR, note=None, by=by)

    def back() -> None:
        returning.send_back(other, fee_minor=0, fee_bearer=None, comment="Not ours", by=by)

    def reverse() -> None:
        if undoing.reverse_at_bank(lifecycle.locked(other), by=system()) == "waiting":
            raise DomainError("", code="waiting")

    def take() -> None:
        assigning.assign(other, account_id=accounts[0], comment="", by=by)

    before = desk.balance(accounts[0])
    outcomes = _at_once(crowd, [take, back, reverse] * 5)
    session().expire_all()
    living = Disposition.state.in_(["waiting", "posted"])
    live = session().scalars(sa.select(Disposition.kind).where(Disposition.transfer_id == other, living)).all()
    status = session().get_one(Transfer, other).status
    assert status in {"returned", "reversed"}
    assert live == (["return"] if status == "returned" else [])
    assert desk.balance(accounts[0]) == before
    assert not set(outcomes) - {"done", "invalidState", "waiting"}


# -- any order

ACTS = (
    "assign",
    "ask",
    "approve",
    "reject",
    "withdraw",
    "back",
    "fail",
    "carried",
    "undo",
    "ask-undo",
    "spend",
    "bank",
)


class Several:
    """Three receipts, two clients, two people; a few refusals are part of the day."""

    def __init__(self, desk: Desk, officer: Actor, senior: Actor) -> None:
        self.desk, self.officer, self.senior = desk, officer, senior
        self.receipts = [desk.receipt(amount) for amount in (100_00, LIMIT, LIMIT + 5)]
        self.accounts = [desk.account().id for _ in range(2)]
        self.clocks = [(one.booked_at, one.allocate_by, one.resolve_by, one.warn_at) for one in self.receipts]
        self.spent = 0
        with transaction():
            for one in self.receipts:
                screening.screen(one.transfer_id, list_name="EU", list_version="1", result=ScreeningResult.CLEAR,
                                 note=None, by=officer)  # fmt: skip

    def act(self, what: str, which: int, whose: int) -> None:
        receipt_id, account_id = self.receipts[which].transfer_id, self.accounts[whose]
        by = self.officer
        if what == "assign":
            assigning.assign(receipt_id, account_id=account_id, comment="", by=by)
        elif what == "ask":
            assigning.ask_to_assign(receipt_id, account_id=account_id, comment="Surely", by=by)
        elif what in {"approve", "reject", "withdraw"}:
            self._close(what, receipt_id)
        elif what == "back":
            returning.send_back(receipt_id, fee_minor=0, fee_bearer=None, comment="Not ours", by=by)
        elif what in {"fail", "carried"}:
            self._told(what, receipt_id)
        elif what == "undo":
            undoing.undo(receipt_id, reason="Not theirs", by=by)
        elif what == "ask-undo":
            undoing.ask_to_undo(receipt_id, reason="Not theirs", by=by)
        elif what == "spend":
            held = self.desk.balance(account_id)
            if held:
                self.desk.spend(account_id, held)
                self.spent += held
        elif what == "bank":
            undoing.reverse_at_bank(lifecycle.locked(receipt_id), by=system())

    def _close(self, what: str, receipt_id: UUID) -> None:
        request = session().scalar(
            sa.select(ApprovalRequest)
            .where(ApprovalRequest.object_id == receipt_id, ApprovalRequest.state == "requested")
            .order_by(ApprovalRequest.id)
            .limit(1)
        )
        if request is None:
            return
        if what == "withdraw":
            approvals.withdraw(request.id, by=self.officer)
        else:
            approvals.decide(request.id, approve=what == "approve", reason="Looked at", by=self.senior)

    def _told(self, what: str, receipt_id: UUID) -> None:
        decision = session().scalar(
            sa.select(Disposition).where(
                Disposition.transfer_id == receipt_id, Disposition.kind == "return", Disposition.state == "posted"
            )
        )
        if decision is None or decision.return_transfer_id is None or decision.ended_at is not None:
            return
        back = lifecycle.locked(decision.return_transfer_id)
        assert back.end_to_end_id and back.provider
        lifecycle.change_status(back, Status.SUBMITTED, by=system())
        outcome = Outcome.EXECUTED if what == "carried" else Outcome.REJECTED
        results.report(back.provider, Report(back.end_to_end_id, outcome, code="AC04"), by=system())

    def holds(self) -> None:
        session().expire_all()
        session().execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))
        session().execute(sa.text("SET CONSTRAINTS ALL DEFERRED"))
        waiting = 0
        for receipt, due in zip(self.receipts, self.clocks, strict=True):
            fresh = session().get_one(Receipt, receipt.transfer_id)
            assert (fresh.booked_at, fresh.allocate_by, fresh.resolve_by, fresh.warn_at) == due
            assert fresh.remaining_minor >= 0
            live = session().scalars(
                sa.select(Disposition).where(
                    Disposition.transfer_id == receipt.transfer_id, Disposition.state.in_(["waiting", "posted"])
                )
            ).all()  # fmt: skip
            assert len(live) <= 1
            reserved = sum(
                one.amount_minor
                for one in live
                if one.state == "waiting" or (one.kind == "return" and one.ended_at is None)
            )
            waiting += fresh.remaining_minor + reserved
        assert self.desk.balance(self.desk.suspense) == waiting
        assert session().scalar(sa.select(sa.func.sum(AccountBalance.posted))) == 0


@pytest.mark.parametrize("seed", range(4))
def test_no_order_of_acts_makes_or_loses_money(desk: Desk, officer: Actor, senior: Actor, seed: int) -> None:
    chance = random.Random(seed)
    several, done = Several(desk, officer, senior), []
    for _ in range(24):
        what, which, whose = chance.choice(ACTS), chance.randrange(3), chance.randrange(2)
        if what == "bank" and chance.random() < 0.7:
            continue
        try:
            with transaction():
                several.act(what, which, whose)
            done.append((what, which, whose))
        except DomainError:
            session().expire_all()
        several.holds()
    assert len(done) > 6, done
