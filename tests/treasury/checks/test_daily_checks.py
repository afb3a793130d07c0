"""Daily checks: a house in order passes; each invariant, broken past every guard, is found and named exactly."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import date, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access.permissions import Role
from dashboard.audit.models import AuditEvent
from dashboard.background import runner
from dashboard.background import services as background
from dashboard.background.models import BackgroundJob
from dashboard.database import new_id, session, transaction
from dashboard.errors import Conflict, Invalid, Refused
from dashboard.ledger.models import Account, BalanceCheck
from dashboard.ledger.services import accounts, days
from dashboard.money import Money
from dashboard.onboarding.sumsub.queries import Unprocessed
from dashboard.treasury.alerts import services as alerting
from dashboard.treasury.checks import queries, settlement, table, unprocessed_events
from dashboard.treasury.checks.check import MOST_FINDINGS, Answer, Check, Finding, Look
from dashboard.treasury.checks.models import DailyCheckResult, DailyCheckRun
from dashboard.treasury.checks.services import asking
from dashboard.treasury.checks.settlement import Explained
from tests.conftest import People
from tests.treasury.checks.house import BY, House, Run, alerts


@pytest.fixture
def house(committed: Flask) -> House:
    return House(committed)


@pytest.fixture
def forgetting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test teaches the checks is forgotten after it."""
    monkeypatch.setattr(settlement, "_explains", [])
    monkeypatch.setattr(unprocessed_events, "_sources", {})
    yield


def number(account_id: UUID) -> str:
    found = session().scalar(sa.select(Account.number).where(Account.id == account_id)) or ""
    session().commit()
    return " ".join(found[i : i + 4] for i in range(0, len(found), 4))


def eur(minor: int) -> str:
    return str(Money(minor, "eur"))


def test_a_house_in_order_passes_and_what_has_no_input_says_so(house: House) -> None:
    house.book.account(100_00)
    house.end_day()
    run = Run(house)
    assert run.failed == set()
    assert run.outcomes("notRun") == {"statements", "settlement"}
    # nobody has said of the ledger's bank account whether it gives any
    unknown = "; entry in the register of Bank EUR …0001"
    assert run.results["statements"].missing == f"bank accounts in the register that give statements{unknown}"
    assert run.results["settlement"].missing == f"bank accounts that are reconciled on this day{unknown}"
    assert len(run.results) == len(table.CHECKS) == 12
    assert run.figures == {"passed": 10, "failed": 0, "notRun": 2}
    assert run.results["zeroSum"].looked > 0 and run.results["storedBalances"].looked > 0
    assert alerts() == []


def test_with_a_statement_that_agrees_everything_passes(house: House) -> None:
    house.registered()
    house.book.account(100_00)
    house.end_day()
    house.statement(100_00)
    run = Run(house)
    assert run.outcomes("passed") == {check.key for check in table.CHECKS}
    assert (run.results["settlement"].looked, run.results["statements"].looked) == (1, 1)


def test_balances_that_do_not_add_up_to_zero_are_found_with_the_account(house: House) -> None:
    account = house.book.account(100_00)
    house.end_day()
    house.corrupt(account, posted=7)
    run = Run(house)
    assert run.failed == {"zeroSum", "storedBalances"}
    zero, stored = run.one("zeroSum"), run.one("storedBalances")
    assert (zero.cause, zero.currency, zero.expected_minor, zero.found_minor) == ("balances", "eur", 0, 7)
    assert zero.says == f"The stored balances of all EUR accounts add up to {eur(7)} and not to zero."
    assert (stored.subject_id, stored.subject, stored.cause) == (account, number(account), "posted")
    assert (stored.expected_minor, stored.found_minor) == (100_00, 100_07)
    assert stored.path is not None and stored.path.startswith("/ledger/checks/findings/")
    # it is the ledger's own finding, and its check of all accounts
    check = session().scalars(sa.select(BalanceCheck)).one()
    assert (check.scope, check.differences, check.finished_at is not None, check.id) == ("full", 1, True, run.id)
    session().commit()


def test_a_balance_that_moved_between_two_accounts_adds_up_and_is_found_all_the_same(house: House) -> None:
    one, other = house.book.account(100_00), house.book.account(100_00)
    house.end_day()
    house.corrupt(one, posted=-5)
    house.corrupt(other, posted=5)
    run = Run(house)
    assert run.failed == {"storedBalances"}
    assert {(found.subject_id, found.found_minor) for found in run.findings["storedBalances"]} == {
        (one, 99_95),
        (other, 100_05),
    }


def test_a_hold_without_a_payment_and_a_payment_without_a_hold_are_told_apart(house: House) -> None:
    from dashboard.ledger.services import payments

    with_hold, without_hold = house.book.account(100_00), house.book.account(100_00)
    payment = house.book.draft(without_hold, house.settlement, 30_00)
    with transaction():
        payments.pend(payment, by=BY)
    house.end_day()
    house.corrupt(with_hold, held=4_00)
    house.corrupt(without_hold, held=-10_00)
    run = Run(house)
    assert run.failed == {"holds", "storedBalances"}
    found = {row.cause: row for row in run.findings["holds"]}
    assert set(found) == {"holdWithoutPayment", "paymentWithoutHold"}
    over, under = found["holdWithoutPayment"], found["paymentWithoutHold"]
    assert (over.subject_id, over.expected_minor, over.found_minor) == (with_hold, 0, 4_00)
    assert (under.subject_id, under.expected_minor, under.found_minor) == (without_hold, 30_00, 20_00)
    assert under.says == f"{eur(20_00)} is held; its 1 pending transaction take {eur(30_00)}."


def test_accounts_below_their_limit_or_without_a_guard_are_found(house: House) -> None:
    below, bare = house.book.account(100_00), house.book.account(0)
    house.end_day()
    house.as_owner("ALTER TABLE account_balance DROP CONSTRAINT ck_account_balance_within_limit")
    house.corrupt(below, posted=-100_01)
    house.unguarded("account_balance", "UPDATE account_balance SET guarded = false WHERE account_id = %(id)s", id=bare)
    run = Run(house)
    assert "guardedLimits" in run.failed
    found = {row.cause: row for row in run.findings["guardedLimits"]}
    assert {cause: row.subject_id for cause, row in found.items()} == {"belowLimit": below, "notGuarded": bare}
    assert found["belowLimit"].says == f"Available is {eur(-1)}; it may not be below {eur(0)}."


def test_a_snapshot_that_does_not_follow_from_the_one_before_is_found(house: House) -> None:
    account = house.book.account(100_00)
    house.end_day()
    house.unguarded(
        "daily_balance", "UPDATE daily_balance SET posted = posted + 3 WHERE account_id = %(id)s", id=account
    )
    run = Run(house)
    assert run.failed == {"snapshots"}
    found = run.one("snapshots")
    assert (found.cause, found.subject_id, found.expected_minor, found.found_minor) == (
        "posted", account, 100_00, 100_03,
    )  # fmt: skip
    house.unguarded("daily_total", "UPDATE daily_total SET posted = posted + 1 WHERE account_type = 'client'")
    again = Run(house)
    assert again.failed == {"snapshots", "zeroSum"}
    assert {row.subject for row in again.findings["snapshots"]} == {number(account), "EUR client, all accounts"}
    assert again.one("zeroSum").cause == "dayTotals"


def test_a_closed_day_without_a_snapshot_is_found(house: House) -> None:
    house.end_day()
    house.unguarded("business_day", "UPDATE business_day SET snapshot_at = NULL WHERE day = %(day)s", day=house.day)
    run = Run(house)
    assert run.failed == {"snapshots"}
    assert (run.one("snapshots").cause, run.one("snapshots").subject) == ("missing", house.day.isoformat())


def test_a_statement_is_expected_then_late(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.registered()
    house.end_day()
    before = house.morning_after() - timedelta(hours=8)
    monkeypatch.setattr(clock, "now", lambda: before)
    run = Run(house)
    assert run.outcomes("notRun") == {"statements", "settlement"}
    assert (run.results["statements"].missing or "").startswith("statement of Bank EUR …0001 (expected ")
    assert run.results["settlement"].missing == "statement of Bank EUR …0001"
    after = house.morning_after()
    monkeypatch.setattr(clock, "now", lambda: after)
    late = Run(house)
    assert late.failed == {"statements"}
    found = late.one("statements")
    assert (found.cause, found.subject_id, found.pool, found.currency) == ("late", house.bank.id, "eMoney", "eur")


def test_a_statement_that_does_not_tie_out_or_go_on_is_found(house: House) -> None:
    house.registered()
    house.end_day()
    statement = house.statement(0, booked=250, tie="failed", continuity="failed")
    run = Run(house)
    assert run.failed == {"statements"}
    found = {row.cause: row for row in run.findings["statements"]}
    assert set(found) == {"tieOut", "continuity"}
    assert {row.subject_id for row in found.values()} == {statement}
    assert eur(-250) in found["tieOut"].says


def test_a_statement_without_balances_is_not_taken_for_whole(house: House) -> None:
    house.registered()
    house.end_day()
    house.statement(None, opening=None, tie="unknown", continuity="unknown")
    run = Run(house)
    assert run.one("statements").cause == "noBalances"
    assert run.results["settlement"].outcome == "notRun"


def test_a_bank_holiday_expects_no_statement(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboard.treasury.register import queries as register

    house.registered()
    house.end_day()
    monkeypatch.setattr(register, "not_a_reconciliation_day", lambda _view, _day: "Founders' Day")
    after = house.morning_after()
    monkeypatch.setattr(clock, "now", lambda: after)
    run = Run(house)
    assert "statements" in run.outcomes("passed")
    assert run.results["settlement"].missing == "bank accounts that are reconciled on this day"


def test_a_ledger_that_differs_from_the_bank_is_found_with_both_figures(house: House, forgetting: None) -> None:
    house.registered()
    house.book.account(310_480_20)
    house.end_day()
    house.statement(309_275_70)
    found = Run(house).one("settlement")
    assert (found.cause, found.subject_id, found.pool) == ("unexplained", house.bank.id, "eMoney")
    assert (found.expected_minor, found.found_minor) == (309_275_70, 310_480_20)
    assert eur(-1_204_50) in found.says


def test_what_matching_explains_is_no_finding_and_breaks_are(house: House, forgetting: None) -> None:
    house.registered()
    house.book.account(100_00)
    house.end_day()
    house.statement(90_00)
    known: list[Explained | None] = [Explained(timing=-10_00, breaks=0, breaks_open=0)]
    settlement.learn(lambda _account, _day: known[0])
    assert "settlement" in Run(house).outcomes("passed")
    known[0] = Explained(timing=-4_00, breaks=-6_00, breaks_open=1)
    assert Run(house).one("settlement").cause == "breaks"
    known[0] = Explained(timing=-4_00, breaks=-5_00, breaks_open=1)
    assert {row.cause for row in Run(house).findings["settlement"]} == {"breaks", "unexplained"}
    known[0] = None
    run = Run(house)
    assert (run.results["settlement"].outcome, run.results["settlement"].missing) == (
        "notRun",
        "match run of Bank EUR …0001",
    )


def test_a_break_that_a_timing_item_evens_out_is_found_all_the_same(house: House, forgetting: None) -> None:
    house.registered()
    house.book.account(100_00)
    house.end_day()
    house.statement(100_00)
    known: list[Explained | None] = [Explained(timing=-4_00, breaks=4_00, breaks_open=1)]
    settlement.learn(lambda _account, _day: known[0])
    assert Run(house).one("settlement").cause == "breaks"
    # nothing to explain, and nobody has matched yet
    known[0] = None
    assert "settlement" in Run(house).outcomes("passed")


def test_events_that_nobody_processed_are_found_by_name(house: House, forgetting: None) -> None:
    house.end_day()
    event, asked = new_id(), []

    def source(before):  # type: ignore[no-untyped-def]
        asked.append(before)
        return [Unprocessed(event, clock.now() - timedelta(hours=2), f"/onboarding/events/{event}")]

    unprocessed_events.learn("verification events", source)
    found = Run(house).one("unprocessedEvents")
    assert (found.subject_id, found.cause, found.path) == (event, "unprocessed", f"/onboarding/events/{event}")
    assert found.says.startswith("One of the verification events, ") and found.says.endswith("was not processed.")
    assert clock.now() - asked[0] >= timedelta(minutes=15)


def test_breaks_that_even_one_another_out_are_counted(house: House, forgetting: None) -> None:
    house.registered()
    house.book.account(100_00)
    house.end_day()
    house.statement(100_00)
    settlement.learn(lambda _account, _day: Explained(timing=0, breaks=0, breaks_open=2))
    found = Run(house).one("settlement")
    assert found.cause == "breaks"
    assert f"2 breaks of {eur(0)} in all stand between bank and ledger." in found.says


def test_a_bank_account_that_the_register_does_not_know_is_named_and_never_passed(
    house: House, forgetting: None
) -> None:
    house.registered()
    with transaction():
        accounts.register_bank_account(
            provider="bank", name="Other", number="LT947300010000000002", currency="eur", by=BY
        )
    house.end_day()
    house.statement(0)
    run = Run(house)
    assert run.outcomes("notRun") == {"statements", "settlement"}
    for key in ("statements", "settlement"):
        assert run.results[key].missing == "entry in the register of Other EUR …0002"
        assert run.results[key].looked == 1


def test_without_the_sums_of_the_day_the_zero_sum_is_not_passed(house: House) -> None:
    house.book.account(100_00)
    house.end_day()
    house.unguarded("daily_total", "DELETE FROM daily_total WHERE account_type = 'client'")
    assert Run(house).outcomes("failed") >= {"zeroSum"}, "what is left does not add up"
    house.unguarded("daily_total", "DELETE FROM daily_total WHERE day = %(day)s", day=house.day)
    result = Run(house).results["zeroSum"]
    assert (result.outcome, result.missing) == ("notRun", "sums at the end of the day in EUR")


# alerts


def test_a_finding_raises_one_alert_that_counts_and_is_settled_when_it_is_gone(house: House) -> None:
    account, other = house.book.account(100_00), house.book.account(100_00)
    house.end_day()
    house.corrupt(account, posted=7)
    house.corrupt(other, posted=-7)
    first = Run(house)
    [alert] = alerts()
    assert (alert.check_key, alert.pool, alert.currency, alert.cause) == ("storedBalances", None, "eur", "posted")
    assert (alert.times, alert.says.endswith("And 1 more like it.")) == (1, True)
    Run(house)
    [again] = alerts()
    assert (again.id, again.times, again.first_at) == (alert.id, 2, alert.first_at)
    assert again.last_at > alert.last_at
    house.corrupt(account, posted=-7)
    house.corrupt(other, posted=7)
    Run(house)
    assert alerts() == []
    [settled] = alerts("settled")
    assert (settled.id, settled.times, settled.settled_by) == (alert.id, 2, "test")
    assert len(first.findings["storedBalances"]) == 2


def test_checking_an_older_day_settles_nothing_that_was_found_on_a_later_one(house: House) -> None:
    account = house.book.account(100_00)
    house.end_day()
    with transaction():
        later = days.open_day().day
    house.book.account(1_00)
    house.end_day()
    spoil = "UPDATE daily_balance SET posted = posted + %(by)s WHERE account_id = %(id)s AND day = %(day)s"
    mended = house.settlement
    house.unguarded("daily_balance", spoil, by=3, id=mended, day=later)
    assert Run(house, day=later).failed == {"snapshots"}
    assert Run(house).failed == set()
    [alert] = alerts()
    assert (alert.check_key, alert.times) == ("snapshots", 1)
    # the older day may add to it, and what it no longer finds leaves the later day's finding
    house.unguarded("daily_balance", spoil, by=3, id=account, day=house.day)
    assert Run(house).failed == {"snapshots"}
    house.unguarded("daily_balance", spoil, by=-3, id=account, day=house.day)
    assert Run(house).failed == set()
    assert [(alert.check_key, alert.times) for alert in alerts()] == [("snapshots", 2)]
    house.unguarded("daily_balance", spoil, by=-3, id=mended, day=later)
    assert Run(house, day=later).failed == set()
    assert alerts() == []


def test_an_alert_stays_while_the_input_to_judge_it_is_missing(house: House, forgetting: None) -> None:
    house.registered()
    house.book.account(100_00)
    house.end_day()
    statement = house.statement(90_00)
    Run(house)
    assert [alert.check_key for alert in alerts()] == ["settlement"]
    house.unguarded("statement", "UPDATE statement SET standing = false WHERE id = %(id)s", id=statement)
    Run(house)
    assert [(alert.check_key, alert.times) for alert in alerts()] == [("settlement", 1)]


def test_alerts_raised_at_once_are_one(committed: Flask) -> None:
    start = threading.Barrier(6)

    def one() -> None:
        with committed.app_context():
            start.wait(20)
            with transaction():
                alerting.raise_alert("x", pool="eMoney", currency="eur", cause="c", says="It is so.", by=BY)

    threads = [threading.Thread(target=one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [alert.times for alert in alerts()] == [6]


def test_alerts_of_other_pools_currencies_causes_and_subjects_stand_apart(committed: Flask) -> None:
    subject = new_id()
    with transaction():
        for pool, currency, cause, subject_id in (
            ("eMoney", "eur", "a", None), ("paymentServices", "eur", "a", None), ("eMoney", "gbp", "a", None),
            ("eMoney", "eur", "b", None), ("eMoney", "eur", "a", subject), (None, None, "a", None),
        ):  # fmt: skip
            alerting.raise_alert(
                "x", pool=pool, currency=currency, cause=cause, subject_id=subject_id, says="So.", by=BY
            )
    assert len(alerts()) == 6
    with transaction():
        assert alerting.settle("x", pool="eMoney", currency="eur", cause="a", subject_id=subject, because="gone", by=BY)
        assert not alerting.settle("x", pool="eMoney", currency="usd", cause="a", because="gone", by=BY)
    assert len(alerts()) == 5


def test_settling_by_hand_says_why_once_and_a_new_finding_opens_a_new_alert(committed: Flask) -> None:
    treasurer = People().actor(Role.TREASURER)
    with transaction():
        alert = alerting.raise_alert("x", pool=None, currency="eur", cause="a", says="So.", by=BY)
    with pytest.raises(Invalid), transaction():
        alerting.settle_by_hand(alert.id, because="  ", by=treasurer)
    with transaction():
        alerting.settle_by_hand(alert.id, because="Booked.", by=treasurer)
    with pytest.raises(Conflict), transaction():
        alerting.settle_by_hand(alert.id, because="Booked.", by=treasurer)
    with transaction():
        fresh = alerting.raise_alert("x", pool=None, currency="eur", cause="a", says="So.", by=BY)
    assert (fresh.id != alert.id, fresh.times) == (True, 1)
    with pytest.raises(sa.exc.IntegrityError, match="as it was told"), transaction():
        session().execute(sa.text("UPDATE treasury_alert SET says = 'other' WHERE id = :id"), {"id": alert.id})


# runs


def test_what_a_run_found_is_never_changed(house: House) -> None:
    house.corrupt(house.book.account(100_00), posted=7)
    house.end_day()
    run = Run(house)
    for statement in (
        "UPDATE daily_check_finding SET says = 'nothing'",
        "DELETE FROM daily_check_result",
        "DELETE FROM daily_check_run",
        "UPDATE daily_check_run SET failed = 0",
    ):
        with pytest.raises(sa.exc.DBAPIError), transaction():
            session().execute(sa.text(statement))
    assert queries.get(run.id).failed == 2


def test_only_a_day_that_has_ended_is_checked(house: House) -> None:
    for day, code in (
        (house.day, "dayOpen"),
        (house.day + timedelta(days=400), "futureDay"),
        (date(2001, 1, 1), "unknownDay"),
    ):
        with pytest.raises(Refused) as refusal, transaction():
            asking.ask(day=day, by=BY)
        assert refusal.value.code == code
    assert session().scalar(sa.select(sa.func.count()).select_from(BackgroundJob)) == 0


def test_one_run_is_under_way_at_a_time(house: House) -> None:
    house.end_day()
    with transaction():
        first = asking.ask(by=BY).id
    with transaction():
        assert asking.ask(day=house.day, by=BY).id == first


def test_the_first_thousand_findings_are_kept_and_all_are_counted(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def many(look: Look) -> Answer:
        answer = Answer()
        for place in range(MOST_FINDINGS + 5):
            answer.add(Finding("c", "row", f"Row {place}", "Wrong.", "Mend it."))
        return answer

    monkeypatch.setattr("dashboard.treasury.checks.jobs.CHECKS", (Check("many", "Many", "None.", many),))
    house.end_day()
    run = Run(house)
    assert (run.results["many"].findings, len(run.findings["many"])) == (MOST_FINDINGS + 5, MOST_FINDINGS)


def test_a_run_that_is_canceled_keeps_what_it_has_come_to(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.end_day()
    with transaction():
        job_id = asking.ask(by=BY).id
    real = table.CHECKS[1]

    def canceling(look: Look) -> Answer:
        with transaction():
            asking.cancel(job_id, by=BY)
        return real.run(look)

    checks = (table.CHECKS[0], Check(real.key, real.title, real.asks, canceling), *table.CHECKS[2:])
    monkeypatch.setattr("dashboard.treasury.checks.jobs.CHECKS", checks)
    assert runner.run_one(house.app, threading.Event(), job_id=job_id)
    view = queries.view_of(job_id)
    assert (view.state, queries.ended_checks(job_id)) == ("canceled", {"zeroSum"})
    assert queries.latest() is None
    actions = set(session().scalars(sa.select(AuditEvent.action).where(AuditEvent.object_id == job_id)))
    assert {"daily_check_run.started", "daily_check_run.stopped"} <= actions
    session().commit()


def test_a_run_whose_runner_was_lost_goes_on_after_the_last_result(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.corrupt(house.book.account(100_00), posted=7)
    house.end_day()
    with transaction():
        job_id = asking.ask(by=BY).id
    real = table.CHECKS[2]

    class Killed(BaseException):
        pass

    def dies(_look: Look) -> Answer:
        raise Killed

    monkeypatch.setattr(
        "dashboard.treasury.checks.jobs.CHECKS",
        (*table.CHECKS[:2], Check(real.key, real.title, real.asks, dies), *table.CHECKS[3:]),
    )
    with pytest.raises(Killed):
        runner.run_one(house.app, threading.Event(), job_id=job_id)
    session().rollback()
    assert queries.ended_checks(job_id) == {"zeroSum", "storedBalances"}
    session().commit()
    ran: list[str] = []

    def told(check: Check) -> Check:
        def run(look: Look) -> Answer:
            ran.append(check.key)
            return check.run(look)

        return Check(check.key, check.title, check.asks, run)

    monkeypatch.setattr("dashboard.treasury.checks.jobs.CHECKS", tuple(told(check) for check in table.CHECKS))
    with transaction():
        session().execute(
            sa.update(BackgroundJob).values(lease_until=sa.text("clock_timestamp() - interval '1 second'"))
        )
    assert runner.run_one(house.app, threading.Event(), job_id=job_id)
    assert ran == [check.key for check in table.CHECKS[2:]]
    assert queries.view_of(job_id).state == "finished"
    counts = session().execute(sa.select(DailyCheckRun.passed, DailyCheckRun.failed, DailyCheckRun.not_run)).one()
    assert tuple(counts) == (8, 2, 2)
    assert [alert.times for alert in alerts()] == [1, 1]


def test_the_trend_shows_the_last_finished_run_of_each_day(house: House) -> None:
    account = house.book.account(100_00)
    house.end_day()
    Run(house)
    house.corrupt(account, posted=7)
    second = Run(house)
    with transaction():
        next_day = days.open_day().day
    house.end_day()
    house.corrupt(account, posted=-7)
    Run(house, day=next_day)
    shown, past = queries.trend(days=10)
    assert shown == [house.day, next_day]
    assert [past["zeroSum"][day].outcome for day in shown] == ["failed", "passed"]
    assert past["zeroSum"][house.day].run_id == second.id
    assert queries.today().run is not None and not queries.today().running
    session().commit()
    assert session().scalar(sa.select(sa.func.count()).select_from(DailyCheckResult)) == 3 * len(table.CHECKS)


def test_background_work_knows_the_kind(committed: Flask) -> None:
    from dashboard.background.kinds import kind_of

    assert kind_of("treasury.checks").label == "Daily checks"
    assert background.MOST_ATTEMPTS > 1
