"""The daily comparison: what differs is found once, shown, waits for a person, and goes when both agree."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.permissions import Role
from dashboard.background import services as background
from dashboard.background.runner import Canceled, Run, Stopping
from dashboard.database import constraint_of, savepoint, session, transaction
from dashboard.errors import Conflict, Forbidden, Invalid, Refused
from dashboard.onboarding.pulling import jobs, queries
from dashboard.onboarding.pulling.models import SumsubQuestion, VerificationComparison
from dashboard.onboarding.pulling.services import asking, comparing, differences
from dashboard.onboarding.pulling.vocabulary import ASK, COMPARE
from dashboard.queues.models import QueueItem
from dashboard.settings import Settings
from tests.conftest import People
from tests.onboarding.pulled import BY, House, ago, connect, do, now
from tests.onboarding.stand_in import StandIn, standing_in


@pytest.fixture(scope="module")
def _there() -> Iterator[StandIn]:
    with standing_in() as there:
        yield there


@pytest.fixture
def there(_there: StandIn, app: Flask, configured: Settings) -> Iterator[StandIn]:
    """The stand-in, asked by this installation; webhooks count by themselves here."""
    _there.applicants.clear()
    _there.failures.clear()
    _there.seen.clear()
    connect(configured, _there, sumsub_confirm_approvals=False)
    yield _there
    connect(configured, None)


def compare() -> VerificationComparison:
    """A whole run, here and now."""
    with transaction():
        job = comparing.ask_to_compare(by=BY)
    do(COMPARE)
    found = queries.run_of(job.id)
    assert found is not None and found.finished_at is not None
    return found


def item_of(house: House) -> QueueItem | None:
    """The queue item about the newest difference."""
    about = house.differences()[-1].id
    return session().scalar(
        sa.select(QueueItem).where(QueueItem.object_id == about).execution_options(populate_existing=True)
    )


def rejected_here_approved_there(there: StandIn) -> House:
    house = House(there)
    house.told_red(ago(hours=1), "FINAL")
    house.there_is("completed", "GREEN", review_date=ago(hours=4))
    return house


def test_where_both_say_the_same_nothing_is_found(there: StandIn) -> None:
    for _ in range(3):
        house = House(there)
        house.told_green(ago(hours=1))
        house.there_is("completed", "GREEN", review_date=ago(hours=1))
    run = compare()
    assert (run.applicants, run.applied, run.differing, run.unanswered, run.resolved) == (3, 0, 0, 0, 0)
    # the lightest question: nothing personal travels for a comparison
    assert there.asked("/one") == 0 and there.asked("/status") == 3


def test_a_lost_event_is_caught_up_with_and_kept_as_a_resolved_difference(there: StandIn) -> None:
    house = House(there)
    house.told_pending(ago(hours=5))
    house.there_is("completed", "GREEN", review_date=ago(hours=1))
    run = compare()
    # the comparison alone does not know whose applicant it is: that is asked for before an approval counts
    assert (run.applicants, run.applied, run.differing) == (1, 0, 0)
    assert house.status == "inactive" and house.differences() == []
    with transaction():
        assert asking.ask_due(by=BY)["due"] == 1
    do(ASK)
    assert house.status == "active"
    [difference] = house.differences()
    assert (difference.state, difference.closing) == ("resolved", "applied")
    assert (difference.ours, difference.theirs) == ("pending", "approved")
    item = item_of(house)
    assert item is not None and item.closed_at is not None


def test_what_differs_is_one_open_difference_however_often_it_is_found(there: StandIn) -> None:
    house = rejected_here_approved_there(there)
    first = compare()
    found_at = house.differences()[0].found_at
    second = compare()
    [difference] = house.differences()
    assert (difference.field, difference.ours, difference.theirs) == ("state", "rejected", "approved")
    assert difference.state == "open" and difference.found_at == found_at <= difference.seen_at
    assert difference.comparison_id == first.id
    assert first.differing == second.differing == 1
    item = item_of(house)
    assert item is not None and (item.queue, item.cause, item.closed_at) == ("verification", "difference", None)
    assert item.client_id == house.client.id and item.restricted
    assert house.status == "inactive"


def test_when_both_agree_again_it_is_resolved_by_itself(there: StandIn) -> None:
    house = rejected_here_approved_there(there)
    compare()
    house.there_is("completed", "RED", reject_type="FINAL", labels=["SCREENSHOTS"], review_date=ago(hours=1))
    run = compare()
    [difference] = house.differences()
    assert (difference.state, difference.closing, run.resolved, run.differing) == ("resolved", "agrees", 1, 0)
    item = item_of(house)
    assert item is not None and item.closed_at is not None


def test_a_difference_that_becomes_another_one_is_a_new_one(there: StandIn) -> None:
    house = rejected_here_approved_there(there)
    compare()
    house.there_is("completed", "RED", reject_type="RETRY", review_date=ago(hours=4))
    compare()
    first, second = house.differences()
    assert (first.state, first.closing) == ("resolved", "changed")
    assert (second.state, second.theirs) == ("open", "retry")


def test_another_level_and_other_labels_are_told(there: StandIn) -> None:
    house = House(there)
    house.told_red(ago(hours=1), "FINAL", ("FORGERY", "BLOCKLIST"))
    house.there_is(
        "completed", "RED", reject_type="FINAL", labels=["FORGERY"], review_date=ago(hours=1), level="other-level"
    )
    compare()
    assert {(one.field, one.ours, one.theirs) for one in house.differences()} == {
        ("level", "basic-kyc-level", "other-level"),
        ("labels", "BLOCKLIST FORGERY", "FORGERY"),
    }


def test_an_applicant_that_is_gone_at_sumsub_is_a_difference_and_deletes_nothing(there: StandIn) -> None:
    house, told = House(there), House(there)
    house.told_green(ago(hours=2))
    told.told_green(ago(hours=2))
    told.told("applicantDeleted", ago(hours=1), "init")
    compare()
    [difference] = house.differences()
    assert (difference.field, difference.theirs) == ("applicant", "notKnown")
    assert (house.status, house.state) == ("active", "approved")
    assert told.differences() == [] and told.state == "withdrawn"


def test_after_a_reset_and_before_a_start_sumsub_says_init_to_both(there: StandIn) -> None:
    reset, fresh = House(there), House(there)
    reset.told_green(ago(hours=2))
    reset.told("applicantReset", ago(hours=1), "init", {"reviewAnswer": "GREEN"})
    fresh.told("applicantCreated", ago(hours=1), "init")
    for house in (reset, fresh):
        house.there_is("init", create_date=ago(hours=3))
    assert compare().differing == 0


def test_an_applicant_without_an_answer_is_counted_and_asked_about_later(
    there: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.onboarding.sumsub.port.client.FIRST_PAUSE_SECONDS", 0.0)
    silent, other = House(there), House(there)
    for house in (silent, other):
        house.told_pending(ago(hours=2))
        house.there_is("pending", create_date=ago(hours=2))
    answer = there.answer

    def failing(target: str, given: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        return (500, {}, b"") if silent.applicant_id in target else answer(target, given)

    monkeypatch.setattr(there, "answer", failing)
    run = compare()
    assert (run.applicants, run.unanswered, run.differing) == (2, 1, 0)
    question = silent.question()
    assert question is not None and question.ended_at is None
    assert other.question() is None


def test_when_sumsub_asks_to_wait_it_waits_and_nothing_is_left_out(there: StandIn) -> None:
    for _ in range(3):
        house = House(there)
        house.told_pending(ago(hours=2))
        house.there_is("pending", create_date=ago(hours=2))
    there.fail(429, {"Retry-After": "0"}, times=4)
    run = compare()
    assert (run.applicants, run.unanswered) == (3, 0)


def test_when_nobody_is_there_it_waits_a_while_and_then_says_so(
    there: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.onboarding.sumsub.port.client.FIRST_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(jobs, "PATIENCE_SECONDS", 100.0)
    house = House(there)
    house.told_pending(ago(hours=2))
    there.fail(503, times=1000)
    waits: list[float] = []

    class Never(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0)
            return False

    with transaction():
        comparing.ask_to_compare(by=BY)
    with pytest.raises(Refused) as refused:
        do(COMPARE, Never())
    assert "does not answer" in refused.value.message
    assert [wait for wait in waits if wait >= 1] == [15, 30]


def test_a_process_that_ends_leaves_the_run_to_another_that_goes_on(
    there: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "BATCH", 2)
    monkeypatch.setattr("dashboard.background.runner.REPORT_SECONDS", 0.0)
    for _ in range(5):
        house = House(there)
        house.told_red(ago(hours=1), "FINAL")
        house.there_is("completed", "GREEN", review_date=ago(hours=4))
    with transaction():
        job = comparing.ask_to_compare(by=BY)
        first = background.claim([COMPARE])
    assert first is not None
    stop = threading.Event()
    look = jobs.taking.look

    def ending(*arguments: object, **options: object) -> object:
        taken = look(*arguments, **options)  # type: ignore[arg-type]
        if session().scalar(sa.text("SELECT count(*) FROM verification_difference")) == 3:
            stop.set()
        return taken

    monkeypatch.setattr(jobs.taking, "look", ending)
    with pytest.raises(Stopping):
        jobs.compare(Run(first, stop))
    with transaction():
        background.hand_back(first)
    monkeypatch.setattr(jobs.taking, "look", look)
    asked = len(there.seen)
    do(COMPARE)
    run = queries.run_of(job.id)
    assert run is not None and run.finished_at is not None
    assert (run.applicants, run.differing) == (5, 5)
    assert session().scalar(sa.text("SELECT count(*) FROM verification_difference")) == 5
    # what had been done was not asked again
    assert len(there.seen) - asked < 5


def test_a_run_can_be_canceled_and_what_it_found_stays(
    there: StandIn, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "BATCH", 1)
    houses = [rejected_here_approved_there(there) for _ in range(2)]
    with transaction():
        job = comparing.ask_to_compare(by=BY)
        claimed = background.claim([COMPARE])
    assert claimed is not None
    status = jobs._status

    def canceling(sumsub: jobs.Sumsub, applicant_id: str) -> object:
        if applicant_id == houses[1].applicant_id:
            asked.set()
        return status(sumsub, applicant_id)

    asked = threading.Event()
    monkeypatch.setattr(jobs, "_status", canceling)
    look = jobs.taking.look

    def then(*arguments: object, **options: object) -> object:
        if asked.is_set():
            background.cancel(job.id, kind=COMPARE, by=people.actor(Role.OFFICER))
        return look(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(jobs.taking, "look", then)
    with pytest.raises(Canceled):
        jobs.compare(Run(claimed, threading.Event()))
    with transaction():
        background.cancel(job.id, kind=COMPARE, by=people.actor(Role.OFFICER))
    with transaction():
        background.canceled(claimed)
    [view] = queries.runs(limit=5)
    assert (view.state, view.run.applicants, view.run.differing) == ("canceled", 1, 1)
    assert len(houses[0].differences()) == 1 and houses[1].differences() == []


def test_one_comparison_at_a_time(there: StandIn) -> None:
    with transaction():
        assert comparing.ask_to_compare(by=BY).id == comparing.ask_to_compare(by=BY).id


# letting a difference stand


def test_a_person_lets_it_stand_with_a_reason_and_it_stays_so_until_it_changes(there: StandIn, people: People) -> None:
    officer = people.actor(Role.OFFICER)
    house = rejected_here_approved_there(there)
    compare()
    [difference] = house.differences()
    for reason in ("", "   ", "x" * 2001):
        with pytest.raises(Invalid), transaction():
            differences.accept(difference.id, reason=reason, by=officer)
    with pytest.raises(Forbidden), transaction():
        differences.accept(difference.id, reason="no", by=people.actor(Role.AUDITOR))
    with transaction():
        differences.accept(difference.id, reason="A false GREEN of a test, asked Sumsub", by=officer)
    item = item_of(house)
    assert item is not None and item.closed_at is not None and item.closed_by == officer.id
    run = compare()
    assert [one.state for one in house.differences()] == ["accepted"] and run.differing == 1
    with pytest.raises(Conflict), transaction():
        differences.accept(difference.id, reason="again", by=officer)
    house.there_is("completed", "RED", reject_type="RETRY", review_date=ago(hours=4))
    compare()
    assert [one.state for one in house.differences()] == ["resolved", "open"]


def test_the_database_keeps_a_difference_as_it_was_found(there: StandIn, people: People) -> None:
    house = rejected_here_approved_there(there)
    compare()
    [difference] = house.differences()
    with transaction():
        differences.accept(difference.id, reason="seen", by=people.actor(Role.OFFICER))

    def refused(statement: str, rule: str) -> None:
        with pytest.raises((sa.exc.IntegrityError, sa.exc.ProgrammingError)) as caught, savepoint():
            session().execute(sa.text(statement), {"id": difference.id})
        if rule:
            assert constraint_of(caught.value) == rule  # type: ignore[arg-type]
        else:
            assert isinstance(caught.value.orig, psycopg.errors.InsufficientPrivilege)

    changed = "UPDATE verification_difference SET {} WHERE id = :id"
    for what in (
        "theirs = 'pending'", "ours = NULL", "field = 'level'", "found_at = now()", "reason = 'another'",
        "state = 'open'", "client_id = NULL", "applicant_id = 'x'",
    ):  # fmt: skip
        refused(changed.format(what), "verification_difference_is_as_found")
    refused("DELETE FROM verification_difference WHERE id = :id", "")
    refused("DELETE FROM verification_comparison WHERE :id IS NOT NULL", "")
    refused(
        "INSERT INTO verification_difference (id, applicant_id, field, ours, theirs, found_at, seen_at, state)"
        " VALUES (:id, 'a', 'state', 'x', 'y', now(), now(), 'accepted')",
        "ck_verification_difference_accepted_by_a_person",
    )
    refused(
        "INSERT INTO verification_difference (id, applicant_id, field, ours, theirs, found_at, seen_at, state)"
        " SELECT gen_random_uuid(), 'a', 'state', 'x', 'x', now(), now(), 'open' WHERE :id IS NOT NULL",
        "ck_verification_difference_differs",
    )
    ended = changed.format("state = 'resolved', closing = 'agrees', closed_at = now()")
    session().execute(sa.text(ended), {"id": difference.id})
    refused(changed.format("seen_at = now()"), "verification_difference_is_as_found")


def test_two_open_questions_about_one_applicant_are_refused_by_the_database(there: StandIn) -> None:
    values = {
        "applicant_id": "a-1", "reason": "staff", "created_at": now(), "due_at": now(), "asked_by_kind": "system",
        "asked_by_name": "test",
    }  # fmt: skip
    session().execute(sa.insert(SumsubQuestion).values(**values))
    with pytest.raises(sa.exc.IntegrityError) as caught, savepoint():
        session().execute(sa.insert(SumsubQuestion).values(**values))
    assert constraint_of(caught.value) == "uq_sumsub_question_applicant"
