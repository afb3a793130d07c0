"""Stored balances against the transactions: what a check finds, and what it never does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from uuid import UUID, uuid4

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit.models import AuditEvent
from dashboard.background import runner
from dashboard.background.models import BackgroundJob
from dashboard.database import session, transaction
from dashboard.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from dashboard.ledger import jobs
from dashboard.ledger.models import AccountBalance, BalanceCheck, BalanceFinding
from dashboard.ledger.queries import checks as queries
from dashboard.ledger.services import checking, payments
from dashboard.ledger.vocabulary import CheckScope
from tests.conftest import People
from tests.ledger.conftest import Book


@pytest.fixture
def ledger(committed: Flask) -> Iterator[Book]:
    """A book in a database with real commits."""
    yield Book()


def corrupt(app: Flask, account_id: UUID, *, posted: int = 0, held: int = 0) -> None:
    """Change a stored balance behind the ledger's back, as only the owner of the tables can."""
    url = app.extensions["countinghouse.settings"].migration_database_url.replace("+psycopg", "")
    with psycopg.connect(url) as owner:
        owner.execute("ALTER TABLE account_balance DISABLE TRIGGER account_balance_zero_sum")
        owner.execute(
            "UPDATE account_balance SET posted = posted + %s, held = held + %s WHERE account_id = %s AND slot = 0",
            (posted, held, account_id),
        )
        owner.execute("ALTER TABLE account_balance ENABLE TRIGGER account_balance_zero_sum")


def check(app: Flask, scope: CheckScope = CheckScope.FULL) -> BackgroundJob:
    """Ask for a check and run it here."""
    with transaction():
        job = checking.ask_to_check(scope, by=system())
    assert runner.run_one(app, threading.Event(), job_id=job.id)
    session().expire_all()
    found = session().get(BackgroundJob, job.id)
    assert found is not None and found.state == "succeeded", found and found.failure
    session().commit()
    return found


def found_by(job: BackgroundJob) -> tuple[int, int]:
    assert job.result is not None
    return job.result["accounts"], job.result["differences"]


def findings(state: str = "open") -> list[queries.FindingView]:
    rows = queries.findings(states=[state], limit=50)
    session().commit()
    return rows


def actions() -> list[str]:
    query = sa.select(AuditEvent.action).where(AuditEvent.action.like("balance_%")).order_by(AuditEvent.id)
    return list(session().scalars(query))


def touched() -> set[UUID]:
    rows = set(session().scalars(sa.select(AccountBalance.account_id).where(AccountBalance.touched)))
    session().commit()
    return rows


def test_a_ledger_that_was_only_moved_by_payments_has_no_difference(committed: Flask, ledger: Book) -> None:
    payer, taker = ledger.account(10_000), ledger.account()
    ledger.pay(payer, taker, 1_500)
    waiting = ledger.draft(payer, taker, 700)
    with transaction():
        payments.pend(waiting, by=system())
    assert found_by(check(committed)) == (3, 0)
    assert findings() == []
    assert actions() == ["balance_check.started", "balance_check.finished"]


@pytest.mark.parametrize("changes", [{"posted": 250}, {"posted": -250}, {"held": 40}])
def test_a_full_check_finds_exactly_the_balance_that_was_corrupted(
    committed: Flask, ledger: Book, changes: dict[str, int]
) -> None:
    payer, taker = ledger.account(10_000), ledger.account(300)
    ledger.pay(payer, taker, 1_000)
    check(committed, CheckScope.TOUCHED)
    corrupt(committed, payer, **changes)
    assert found_by(check(committed)) == (3, 1)
    [finding] = findings()
    assert finding.account_id == payer
    assert finding.rebuilt == queries.Balances(9_000, 0)
    assert finding.stored == queries.Balances(9_000 + changes.get("posted", 0), changes.get("held", 0))
    # it is told, and not mended
    assert ledger.balance(payer) == (9_000 + changes.get("posted", 0), changes.get("held", 0))
    assert actions()[-2:] == ["balance_finding.opened", "balance_check.finished"]


def test_one_slot_of_a_house_account_is_found_too(committed: Flask, ledger: Book) -> None:
    ledger.account(5_000)
    corrupt(committed, ledger.house(), posted=-1)
    check(committed)
    [finding] = findings()
    assert (finding.stored.posted, finding.rebuilt.posted) == (-5_001, -5_000)


def test_a_touched_check_looks_at_what_moved_since_the_last_one_and_at_open_findings(
    committed: Flask, ledger: Book
) -> None:
    first, second, still = ledger.account(1_000), ledger.account(1_000), ledger.account()
    assert found_by(check(committed, CheckScope.TOUCHED)) == (3, 0)
    assert touched() == set()
    assert found_by(check(committed, CheckScope.TOUCHED)) == (0, 0)
    ledger.pay(first, second, 10)
    assert touched() == {first, second}
    corrupt(committed, still, posted=5)
    # nothing says that it was moved: only a full check sees it
    assert found_by(check(committed, CheckScope.TOUCHED)) == (2, 0)
    assert found_by(check(committed)) == (4, 1)
    # and from then on it is looked at until it is settled
    assert found_by(check(committed, CheckScope.TOUCHED)) == (1, 1)
    assert len(findings()) == 1


def test_a_payment_between_the_comparison_and_the_reset_keeps_its_marker(
    committed: Flask, ledger: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    payer, taker, other = ledger.account(1_000), ledger.account(), ledger.account(50)
    original = checking._reset_markers

    def interrupted(verified: list[queries.Compared]) -> None:
        def pay() -> None:
            with committed.app_context():
                Book().pay(payer, taker, 5)

        paying = threading.Thread(target=pay)
        paying.start()
        paying.join()
        original(verified)

    monkeypatch.setattr(checking, "_reset_markers", interrupted)
    assert found_by(check(committed, CheckScope.TOUCHED)) == (3, 0)
    monkeypatch.undo()
    assert touched() == {payer, taker}
    assert other not in touched()


def test_a_payment_that_holds_a_balance_is_not_waited_for_and_keeps_its_marker(committed: Flask, ledger: Book) -> None:
    payer, taker = ledger.account(1_000), ledger.account(20)
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with committed.app_context(), transaction():
            payments.pay(ledger.order(payer, taker, 5), by=system())
            holding.set()
            done.wait(20)

    paying = threading.Thread(target=hold)
    paying.start()
    assert holding.wait(20)
    try:
        assert found_by(check(committed, CheckScope.TOUCHED)) == (3, 0)
    finally:
        done.set()
        paying.join()
    assert touched() == {payer, taker}


def test_payments_that_run_meanwhile_are_never_taken_for_differences(committed: Flask, ledger: Book) -> None:
    accounts = [ledger.account(100_000) for _ in range(8)]
    over, failed = threading.Event(), []

    def pay(offset: int) -> None:
        with committed.app_context():
            book = Book()
            turn = offset
            while not over.is_set():
                debtor, creditor = accounts[turn % 8], accounts[(turn + 3) % 8]
                try:
                    if turn % 3:
                        book.pay(debtor, creditor, 7)
                    else:
                        waiting = book.draft(debtor, creditor, 11)
                        for verb in (payments.pend, payments.post if turn % 2 else payments.cancel):
                            with transaction():
                                verb(waiting, by=system())
                except Exception as error:
                    failed.append(repr(error))
                    return
                turn += 1

    paying = [threading.Thread(target=pay, args=(number,)) for number in range(4)]
    for thread in paying:
        thread.start()
    try:
        results = [found_by(check(committed, scope)) for scope in (CheckScope.FULL, CheckScope.TOUCHED) * 10]
    finally:
        over.set()
        for thread in paying:
            thread.join()
    assert not failed
    assert {differences for _, differences in results} == {0}
    assert session().scalar(sa.select(sa.func.count()).select_from(BalanceFinding)) == 0
    # nothing that moved was forgotten: what is not marked any more was verified after its last move
    assert found_by(check(committed))[1] == 0


def test_a_finding_stays_as_it_was_found_while_money_moves_on(committed: Flask, ledger: Book) -> None:
    payer, taker = ledger.account(10_000), ledger.account()
    corrupt(committed, payer, posted=100)
    check(committed)
    [first] = findings()
    ledger.pay(payer, taker, 1_000)
    check(committed)
    assert findings() == [first]


def test_a_difference_that_is_another_one_now_closes_the_finding_and_opens_one(committed: Flask, ledger: Book) -> None:
    payer = ledger.account(10_000)
    corrupt(committed, payer, posted=100)
    check(committed)
    [first] = findings()
    corrupt(committed, payer, posted=5)
    check(committed)
    [second] = findings()
    assert second.id != first.id
    assert second.difference == queries.Balances(-105, 0)
    assert [gone.id for gone in findings("gone")] == [first.id]


def test_a_finding_whose_difference_vanished_is_gone_and_so_is_the_request_about_it(
    committed: Flask, ledger: Book
) -> None:
    payer = ledger.account(10_000)
    corrupt(committed, payer, posted=100)
    check(committed)
    [finding] = findings()
    with transaction():
        asked = checking.ask_to_accept(finding.id, reason="typo", by=People().actor(Role.TREASURER))
    corrupt(committed, payer, posted=-100)
    assert found_by(check(committed, CheckScope.TOUCHED)) == (1, 0)
    assert findings() == []
    [gone] = findings("gone")
    assert gone.closed_at is not None
    session().expire_all()
    assert session().scalar(sa.select(ApprovalRequest.state).where(ApprovalRequest.id == asked.id)) == "stale"


def asked_to_accept(finding_id: UUID, people: People) -> ApprovalRequest:
    with transaction():
        return checking.ask_to_accept(finding_id, reason="restored from a backup", by=people.actor(Role.TREASURER))


def test_the_rebuilt_balance_stands_when_a_second_person_says_so_and_the_next_check_agrees(
    committed: Flask, ledger: Book
) -> None:
    people = People()
    payer, taker = ledger.account(10_000), ledger.account()
    corrupt(committed, payer, posted=1_234)
    check(committed)
    [finding] = findings()
    asked = asked_to_accept(finding.id, people)
    assert asked.before["posted"] == "112.34 EUR"
    assert asked.after["posted"] == "100.00 EUR"
    # money that moves meanwhile moves both alike
    ledger.pay(payer, taker, 1_000)
    with transaction():
        decided = approvals.decide(asked.id, approve=True, reason=None, by=people.actor(Role.SENIOR_TREASURER))
    assert decided.state == "approved"
    assert ledger.balance(payer) == (9_000, 0)
    [accepted] = findings("accepted")
    assert (accepted.id, accepted.approval_id) == (finding.id, asked.id)
    assert actions()[-1] == "balance_finding.accepted"
    assert found_by(check(committed)) == (3, 0)
    assert findings() == []
    zero = sa.select(sa.func.sum(AccountBalance.posted))
    assert session().scalar(zero) == 0


def test_a_maker_cannot_approve_that_their_own_rebuilt_balance_stands(committed: Flask, ledger: Book) -> None:
    people = People()
    payer = ledger.account(10_000)
    corrupt(committed, payer, posted=1_234)
    check(committed)
    [finding] = findings()
    senior = people.actor(Role.SENIOR_TREASURER)
    with transaction():
        asked = checking.ask_to_accept(finding.id, reason="sure", by=senior)
    with pytest.raises(Forbidden), transaction():
        approvals.decide(asked.id, approve=True, reason=None, by=senior)
    # and two people without a senior one are not enough, nor is somebody who does not run the ledger
    assert ledger.balance(payer) == (11_234, 0)
    with pytest.raises(Forbidden), transaction():
        approvals.decide(asked.id, approve=True, reason=None, by=people.actor(Role.SENIOR_OFFICER))
    assert [f.state for f in findings()] == ["open"]


def test_two_treasurers_without_a_senior_one_cannot_let_it_stand(committed: Flask, ledger: Book) -> None:
    people = People()
    payer = ledger.account(10_000)
    corrupt(committed, payer, posted=1)
    check(committed)
    asked = asked_to_accept(findings()[0].id, people)
    with pytest.raises(Forbidden), transaction():
        approvals.decide(asked.id, approve=True, reason=None, by=people.actor(Role.TREASURER, "Other Treasurer"))
    assert ledger.balance(payer) == (10_001, 0)


def test_a_difference_that_changed_after_the_request_is_not_accepted(committed: Flask, ledger: Book) -> None:
    people = People()
    payer = ledger.account(10_000)
    corrupt(committed, payer, posted=1)
    check(committed)
    asked = asked_to_accept(findings()[0].id, people)
    corrupt(committed, payer, posted=1)
    with pytest.raises(Refused) as refused, transaction():
        approvals.decide(asked.id, approve=True, reason=None, by=people.actor(Role.SENIOR_TREASURER))
    assert refused.value.code == "differenceChanged"
    session().expire_all()
    assert ledger.balance(payer) == (10_002, 0)
    assert session().scalar(sa.select(ApprovalRequest.state).where(ApprovalRequest.id == asked.id)) == "requested"


def test_a_rebuilt_balance_below_the_limit_of_the_account_is_refused_with_what_to_do(
    committed: Flask, ledger: Book
) -> None:
    people = People()
    payer, taker = ledger.account(1_000), ledger.account()
    corrupt(committed, payer, posted=500)
    # a stored balance that was too high let the client spend what was not there
    ledger.pay(payer, taker, 1_400)
    check(committed)
    [finding] = findings()
    assert finding.rebuilt.posted == -400
    asked = asked_to_accept(finding.id, people)
    with pytest.raises(Refused) as refused, transaction():
        approvals.decide(asked.id, approve=True, reason=None, by=people.actor(Role.SENIOR_TREASURER))
    assert refused.value.code == "belowLimit"
    assert "adjusting payment" in refused.value.message
    assert ledger.balance(payer) == (100, 0)


def test_a_finding_is_asked_about_once_and_only_with_a_reason(committed: Flask, ledger: Book) -> None:
    people = People()
    corrupt(committed, ledger.account(10), posted=1)
    check(committed)
    [finding] = findings()
    with pytest.raises(Invalid), transaction():
        checking.ask_to_accept(finding.id, reason=" ", by=people.actor(Role.TREASURER))
    asked_to_accept(finding.id, people)
    with pytest.raises(Conflict) as again, transaction():
        checking.ask_to_accept(finding.id, reason="again", by=people.actor(Role.SENIOR_TREASURER))
    assert again.value.code == "alreadyRequested"
    with pytest.raises(NotFound), transaction():
        checking.ask_to_accept(uuid4(), reason="what", by=people.actor(Role.TREASURER))


def test_an_accepted_balance_is_no_difference_for_a_check_that_had_looked_before(
    committed: Flask, ledger: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = People()
    payer = ledger.account(10_000)
    corrupt(committed, payer, posted=77)
    check(committed)
    asked = asked_to_accept(findings()[0].id, people)
    senior = people.actor(Role.SENIOR_TREASURER)
    session().commit()
    original = checking._settle

    def late(check_id: UUID, suspects: list[UUID], **options: object) -> object:
        def approve() -> None:
            with committed.app_context(), transaction():
                approvals.decide(asked.id, approve=True, reason=None, by=senior)

        deciding = threading.Thread(target=approve)
        deciding.start()
        deciding.join()
        return original(check_id, suspects, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(checking, "_settle", late)
    assert found_by(check(committed)) == (2, 0)
    assert findings() == []
    assert ledger.balance(payer) == (10_000, 0)


def test_a_check_goes_through_all_accounts_in_steps(
    committed: Flask, ledger: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "SMALLEST", 1)
    monkeypatch.setattr(jobs, "LARGEST", 3)
    accounts = [ledger.account(number + 1) for number in range(11)]
    corrupt(committed, accounts[-1], posted=1)
    sizes: list[int] = []
    original = checking.look

    def counted(check_id: UUID, account_ids: list[UUID], **options: object) -> object:
        sizes.append(len(account_ids))
        return original(check_id, account_ids, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(checking, "look", counted)
    assert found_by(check(committed)) == (12, 1)
    assert max(sizes) <= 4 and len(sizes) > 3
    run = session().scalars(sa.select(BalanceCheck)).one()
    assert (run.accounts, run.differences, run.finished_at is not None) == (12, 1, True)


def test_given_accounts_are_checked_at_once(committed: Flask, ledger: Book) -> None:
    payer, other = ledger.account(10_000), ledger.account(1)
    corrupt(committed, payer, posted=3)
    corrupt(committed, other, posted=3)
    with transaction():
        done = checking.recalculate([payer, payer], by=system())
    assert done.accounts == 1
    [difference] = done.differences
    assert difference.compared.account_id == payer
    assert [finding.id for finding in findings()] == [difference.finding_id]


def test_an_unknown_account_is_named_and_nothing_is_checked(committed: Flask, ledger: Book) -> None:
    payer, nobody = ledger.account(10_000), uuid4()
    with pytest.raises(NotFound) as refused, transaction():
        checking.recalculate([payer, nobody], by=system())
    assert refused.value.details == {"accountIds": [str(nobody)]}
    assert session().scalar(sa.select(sa.func.count()).select_from(BalanceCheck)) == 0
