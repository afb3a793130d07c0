"""Lost events are asked for, answers are applied in the order of all events, and an approval needs a second word."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
import structlog
from flask import Flask

from dashboard.access.permissions import Role
from dashboard.audit.models import AuditEvent
from dashboard.clients import services as clients
from dashboard.clients.models import Client, ClientVerification
from dashboard.database import session, transaction
from dashboard.errors import Forbidden, Refused
from dashboard.jobs import schedule
from dashboard.onboarding.pulling import observations
from dashboard.onboarding.pulling.models import SumsubQuestion
from dashboard.onboarding.pulling.services import asking, questions
from dashboard.onboarding.pulling.vocabulary import ASK, COMPARE, Reason
from dashboard.onboarding.sumsub import confirming
from dashboard.onboarding.sumsub.confirming import WAITS
from dashboard.onboarding.sumsub.models import SumsubApplicant
from dashboard.queues.models import QueueItem
from dashboard.settings import Settings
from tests.conftest import People
from tests.onboarding.pulled import BY, House, ago, connect, do, jobs_of, now
from tests.onboarding.stand_in import KEY, PERSONAL, TOKEN, StandIn, standing_in


@pytest.fixture(scope="module")
def _there() -> Iterator[StandIn]:
    with standing_in() as there:
        yield there


@pytest.fixture
def there(_there: StandIn, app: Flask, configured: Settings) -> Iterator[StandIn]:
    """The stand-in, asked by this installation."""
    _there.applicants.clear()
    _there.failures.clear()
    _there.seen.clear()
    connect(configured, _there)
    yield _there
    connect(configured, None)


def ask(house: House, reason: Reason = Reason.SILENT) -> str | None:
    """Ask about the applicant now; gives the outcome."""
    with transaction():
        questions.ask_about(reason, applicant_id=house.applicant_id, client_id=house.client.id, by=BY)
        asking.ask_due(by=BY)
    do(ASK)
    found = house.question()
    return found.outcome if found else None


def silent_for(house: House, **parts: float) -> None:
    """Let it be so long ago that anything was told of the applicant."""
    session().execute(
        sa.update(SumsubApplicant)
        .where(SumsubApplicant.applicant_id == house.applicant_id)
        .values(last_received_at=ago(**parts))
    )
    session().expire_all()


# lost events


def test_an_approval_whose_webhook_was_lost_activates_the_client_by_the_answer(there: StandIn) -> None:
    house = House(there)
    house.told_pending(ago(hours=3))
    reviewed = ago(hours=1)
    house.there_is("completed", "GREEN", create_date=ago(hours=3), review_date=reviewed)
    silent_for(house, hours=3)
    with transaction():
        schedule.ask_sumsub(None)  # type: ignore[arg-type]
    result = do(ASK)
    # once how it stands, and then whose applicant it is, because it approves
    assert result is not None and result["asked"] == 2 and result["applied"] == 1
    assert (there.asked("/status"), there.asked("/one")) == (1, 1)
    assert (house.status, house.state) == ("active", "approved")
    [event] = house.events()
    assert (event.type, event.effect, event.told_at) == ("applicantStatusPulled", "applied", reviewed)
    activated = session().get(Client, house.client.id)
    assert activated is not None and activated.activation_decision_id is not None


def test_a_rejection_whose_webhook_was_lost_blocks_an_active_client(there: StandIn, configured: Settings) -> None:
    house = House(there)
    connect(configured, there, sumsub_confirm_approvals=False)
    house.told_green(ago(hours=5))
    assert house.status == "active"
    house.there_is("completed", "RED", reject_type="FINAL", labels=["FORGERY"], review_date=ago(hours=1))
    assert ask(house) == "applied"
    assert (house.status, house.state) == ("blocked", "rejected")


def test_the_same_answer_twice_is_stored_and_applied_once(there: StandIn) -> None:
    house = House(there)
    house.told_pending(ago(hours=3))
    house.there_is("completed", "RED", reject_type="RETRY", labels=["SCREENSHOTS"], review_date=ago(hours=1))
    assert [ask(house), ask(house), ask(house)] == ["applied", "same", "same"]
    assert len(house.events()) == 1
    # and the webhook that comes at last changes nothing any more
    house.told_red(ago(hours=1) + timedelta(milliseconds=321))
    assert house.state == "retry"
    assert ask(house) == "same"


def test_an_answer_that_is_older_than_what_we_know_changes_nothing_and_is_shown(there: StandIn) -> None:
    house = House(there)
    house.told_red(ago(hours=1), "FINAL")
    house.there_is("completed", "GREEN", review_date=ago(hours=4))
    assert ask(house) == "differs"
    assert (house.status, house.state) == ("inactive", "rejected")
    [event] = house.events()
    assert event.effect == "outOfDate"
    [difference] = house.differences()
    assert (difference.field, difference.ours, difference.theirs) == ("state", "rejected", "approved")


def test_an_approval_without_a_date_opens_nothing(there: StandIn) -> None:
    house = House(there)
    house.told_pending(ago(hours=3))
    house.there_is("completed", "GREEN")
    assert ask(house) == "differs"
    assert house.status == "inactive" and house.events() == []


@pytest.mark.parametrize(
    "told",
    [
        ("completed", "YELLOW"), ("completed", None), ("awaitingService", "GREEN"), ("init", "GREEN"),
        ("pending", "GREEN"), ("somethingNew", "GREEN"),
    ],
)  # fmt: skip
def test_only_completed_and_green_together_approve(there: StandIn, told: tuple[str, str | None]) -> None:
    house = House(there)
    house.told_pending(ago(hours=3))
    house.there_is(told[0], told[1], create_date=ago(hours=1), review_date=ago(hours=1))
    ask(house)
    assert house.status == "inactive" and house.state != "approved"


def test_a_reset_that_nobody_told_of_is_taken_over_as_withdrawn(there: StandIn, configured: Settings) -> None:
    house = House(there)
    connect(configured, there, sumsub_confirm_approvals=False)
    house.told_green(ago(hours=5))
    house.there_is("init", create_date=ago(hours=6))
    assert ask(house) == "applied"
    assert house.state == "withdrawn"
    # a client is closed by people, not by a reset
    assert house.status == "active"
    assert ask(house) == "same"


def test_an_answer_that_lags_behind_a_fresh_event_is_asked_for_again_and_no_difference(there: StandIn) -> None:
    house = House(there)
    house.told_red(now() - timedelta(seconds=20))
    house.there_is("pending", create_date=ago(hours=2))
    assert ask(house) is None
    question = house.question()
    assert question is not None and question.failure == "lagging" and question.attempts == 0
    assert question.due_at > now() + observations.SETTLED - timedelta(minutes=1)
    assert house.differences() == [] and house.state == "retry"


def test_an_answer_about_somebody_elses_applicant_is_never_applied(there: StandIn) -> None:
    house, other = House(there), House(there)
    house.told_pending(ago(hours=3))
    house.there_is("completed", "GREEN", review_date=ago(hours=1)).external_user_id = str(other.client.id)
    assert ask(house, Reason.CONFIRM) == "differs"
    assert house.status == other.status == "inactive" and house.events() == []
    assert {difference.field for difference in house.differences()} == {"state", "client"}


def test_nothing_personal_of_an_answer_is_stored_or_logged(there: StandIn) -> None:
    house = House(there)
    house.told_pending(ago(hours=3))
    house.there_is("completed", "GREEN", review_date=ago(hours=1))
    with structlog.testing.capture_logs() as lines:
        ask(house, Reason.CONFIRM)
    assert there.asked("/one") == 1
    [event] = house.events()
    assert event.body is not None and set(json.loads(event.body)) == {
        "applicantId", "inspectionId", "applicantType", "externalUserId", "type", "levelName", "reviewStatus",
        "reviewResult", "attemptCnt", "createDate", "reviewDate", "sandboxMode", "createdAt",
    }  # fmt: skip
    tables = session().execute(
        sa.text(
            "SELECT convert_from(body, 'UTF8') FROM sumsub_event UNION ALL SELECT p::text FROM audit_payload p"
            " UNION ALL SELECT e::text FROM audit_event e UNION ALL SELECT q::text FROM sumsub_question q"
        )
    )
    said = " ".join(str(row[0]) for row in tables) + repr(lines)
    assert all(word not in said for word in (*PERSONAL, TOKEN, KEY))
    assert house.applicant_id not in repr(lines)


# who is asked about, and when


def test_who_waits_for_sumsub_too_long_is_asked_about_and_then_ever_more_seldom(there: StandIn) -> None:
    house = House(there)
    house.told_pending(ago(hours=1))
    house.there_is("pending", create_date=ago(hours=1))

    def asked() -> bool:
        with transaction():
            found = asking.ask_due(by=BY)
        do(ASK)
        session().expire_all()
        return found["silent"] == 1

    assert not asked()
    silent_for(house, minutes=91)
    assert asked() and not asked()
    query = sa.update(SumsubApplicant).where(SumsubApplicant.applicant_id == house.applicant_id)
    for news, last, due in (
        (200, 100, True), (200, 99, False), (400, 210, True), (400, 170, False),
        (6000, 1300, False), (6000, 1500, True),
    ):  # fmt: skip
        session().execute(query.values(last_received_at=ago(minutes=news), asked_at=ago(minutes=last)))
        assert asked() is due, (news, last)


def test_who_was_decided_about_or_not_begun_is_left_to_the_comparison(there: StandIn) -> None:
    house = House(there)
    house.told("applicantCreated", ago(days=2), "init")
    silent_for(house, days=2)
    house2 = House(there)
    house2.told_red(ago(days=2))
    silent_for(house2, days=2)
    with transaction():
        assert asking.ask_due(by=BY)["silent"] == 0


def test_an_applicant_of_whom_every_event_was_lost_is_found_by_the_client(there: StandIn, people: People) -> None:
    house = House(there)
    house.there_is("completed", "GREEN", review_date=ago(hours=1))
    with transaction():
        asking.ask_now(house.client.id, by=people.actor(Role.OFFICER))
    do(ASK)
    assert (house.status, house.state) == ("active", "approved")


def test_a_client_that_sumsub_does_not_know_is_said_to_be_unknown_there(there: StandIn, people: People) -> None:
    house = House(there)
    with transaction():
        asking.ask_now(house.client.id, by=people.actor(Role.OFFICER))
    do(ASK)
    question = house.question()
    assert question is not None and question.outcome == "notKnown"
    assert house.status == "inactive"


def test_only_who_reviews_clients_may_have_sumsub_asked(there: StandIn, people: People) -> None:
    house = House(there)
    with pytest.raises(Forbidden), transaction():
        asking.ask_now(house.client.id, by=people.actor(Role.AUDITOR))


def test_asking_twice_is_one_question_and_the_earlier_time_counts(there: StandIn) -> None:
    house = House(there)
    later = now() + timedelta(hours=1)
    with transaction():
        questions.ask_about(Reason.CONFIRM, applicant_id="a-x", client_id=house.client.id, by=BY, due_at=later)
        questions.ask_about(Reason.SILENT, applicant_id="a-x", client_id=house.client.id, by=BY)
    [found] = session().scalars(sa.select(SumsubQuestion).where(SumsubQuestion.applicant_id == "a-x"))
    assert found.reason == "confirm" and found.due_at <= now() + timedelta(seconds=5)


# when Sumsub does not answer


def test_a_question_without_an_answer_is_asked_again_later_and_given_up_at_last(there: StandIn) -> None:
    house = House(there)
    house.told_pending(ago(hours=3))
    pauses = []
    for _ in range(questions.MOST_ATTEMPTS):
        there.fail(404, body=b"{}")
        there.failures[:] = [(200, {}, b"no json")]
        assert ask(house) in {None, "givenUp"}
        question = house.question()
        assert question is not None
        pauses.append(round((question.due_at - now()).total_seconds() / 60))
        with transaction():
            question.due_at = now()
    assert pauses[:4] == [1, 2, 4, 8] and max(pauses) == 360
    assert question.outcome == "givenUp" and question.failure == "unreadable"


def test_when_nobody_answers_it_stops_asking_after_a_few(there: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.onboarding.sumsub.port.client.FIRST_PAUSE_SECONDS", 0.0)
    houses = [House(there) for _ in range(5)]
    for house in houses:
        house.told_pending(ago(hours=3))
        with transaction():
            questions.ask_about(Reason.SILENT, applicant_id=house.applicant_id, client_id=house.client.id, by=BY)
    there.fail(503, times=100)
    with transaction():
        asking.ask_due(by=BY)
    result = do(ASK)
    assert result is not None and result["asked"] == 3


def test_a_refused_token_ends_the_work_with_what_to_look_at_and_leaves_sumsub_alone(there: StandIn) -> None:
    house = House(there)
    house.told_pending(ago(hours=3))
    there.may_view = False
    try:
        with pytest.raises(Refused) as refused:
            ask(house)
    finally:
        there.may_view = True
    assert "may not view applicants" in refused.value.message
    assert not questions.any_due()


def test_who_is_asked_to_wait_puts_everything_off_as_long_as_asked(there: StandIn) -> None:
    house = House(there)
    house.told_pending(ago(hours=3))
    there.fail(429, {"Retry-After": "1200"})
    assert ask(house) is None
    question = house.question()
    assert question is not None and question.due_at > now() + timedelta(seconds=1190)
    assert len(there.seen) == 1


def test_what_breaks_for_one_applicant_does_not_keep_the_others_waiting(
    there: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, other = House(there), House(there)
    for house in (broken, other):
        house.told_pending(ago(hours=3))
        house.there_is("completed", "RED", reject_type="RETRY", review_date=ago(hours=1))
        with transaction():
            questions.ask_about(Reason.SILENT, applicant_id=house.applicant_id, client_id=house.client.id, by=BY)
    from dashboard.onboarding.pulling.services import taking

    process = taking.processing.process

    def breaking(applicant_id: str, **options: object) -> object:
        if applicant_id == broken.applicant_id:
            raise RuntimeError("nobody expected this")
        return process(applicant_id, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(taking.processing, "process", breaking)
    with transaction():
        asking.ask_due(by=BY)
    do(ASK)
    assert other.state == "retry" and broken.state == "pending"
    question = broken.question()
    assert question is not None and question.outcome is None and question.failure == "processing"


# the second word


def test_an_approval_by_webhook_opens_only_when_the_api_says_the_same(there: StandIn) -> None:
    house = House(there)
    house.told_pending(ago(hours=1))
    house.told_green(ago(minutes=1))
    assert (house.status, house.state) == ("inactive", "approved")
    found = clients.verification_of(house.client.id)
    assert found is not None and found.state == "approved"
    house.there_is("completed", "GREEN", review_date=ago(minutes=1) - timedelta(seconds=2))
    assert do(ASK) is not None
    assert house.status == "active"
    question = house.question()
    assert question is not None and (question.reason, question.outcome) == ("confirm", "same")


def test_why_it_waits_is_told_to_who_looks_and_is_no_doubt_for_the_queue(there: StandIn) -> None:
    house = House(there)
    house.told_green(ago(minutes=1))
    told = session().scalars(
        sa.select(AuditEvent).where(
            AuditEvent.client_id == house.client.id, AuditEvent.action == "verification.approved"
        )
    ).all()  # fmt: skip
    assert len(told) == 1
    [row] = session().execute(
        sa.text("SELECT effect, why FROM verification_decision WHERE client_id = :id"), {"id": house.client.id}
    )
    assert tuple(row) == ("heldBack", WAITS)
    queue = sa.select(QueueItem.cause).where(QueueItem.client_id == house.client.id, QueueItem.queue == "verification")
    assert list(session().scalars(queue)) == []


def test_a_forged_approval_opens_nothing_and_the_true_state_comes_back(there: StandIn) -> None:
    house = House(there)
    house.told_pending(ago(hours=2))
    house.told_green(ago(minutes=30))
    house.there_is("pending", create_date=ago(hours=2))
    do(ASK)
    assert (house.status, house.state) == ("inactive", "pending")
    [event] = house.events()
    assert event.effect == "applied"


def test_an_approval_of_an_applicant_that_sumsub_does_not_know_opens_nothing_and_a_person_looks(there: StandIn) -> None:
    house = House(there)
    house.told_green(ago(minutes=30))
    do(ASK)
    assert house.status == "inactive"
    [difference] = house.differences()
    assert (difference.field, difference.ours, difference.theirs) == ("applicant", "known", "notKnown")
    item = session().scalar(sa.select(QueueItem).where(QueueItem.object_id == difference.id))
    assert item is not None and item.closed_at is None and item.restricted


def test_an_older_yes_of_the_api_does_not_confirm_a_newer_approval(there: StandIn) -> None:
    """Held back by its risk meanwhile, so that each word can be looked at by itself."""
    house = House(there, risk_level=4)

    def waits() -> bool:
        found = session().scalar(
            sa.select(SumsubApplicant).where(SumsubApplicant.applicant_id == house.applicant_id)
        )  # fmt: skip
        assert found is not None
        return confirming.waits(found)

    house.told_pending(ago(days=3))
    house.there_is("completed", "GREEN", review_date=ago(days=2))
    assert ask(house) == "applied" and not waits()
    house.told("applicantReset", ago(days=1), "init")
    house.told_green(ago(minutes=5))
    assert waits()
    house.there_is("completed", "GREEN", review_date=ago(minutes=6))
    assert ask(house, Reason.CONFIRM) == "same" and not waits()


def test_when_the_api_is_silent_a_person_is_told_and_the_answer_ends_it(
    there: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.onboarding.sumsub.port.client.FIRST_PAUSE_SECONDS", 0.0)
    house = House(there)
    house.told_green(ago(minutes=30))
    open_items = sa.select(QueueItem).where(
        QueueItem.client_id == house.client.id, QueueItem.queue == "verification", QueueItem.closed_at.is_(None)
    )
    there.fail(500, times=1000)
    for attempt in range(questions.TRIES_UNTOLD):
        assert session().scalars(open_items).all() == [], attempt
        question = house.question()
        assert question is not None
        with transaction():
            question.due_at = now()
            asking.ask_due(by=BY)
        do(ASK)
    [item] = session().scalars(open_items)
    assert item.cause == "approvalUnconfirmed"
    there.failures.clear()
    house.there_is("completed", "GREEN", review_date=ago(minutes=31))
    question = house.question()
    assert question is not None
    with transaction():
        question.due_at = now()
        asking.ask_due(by=BY)
    do(ASK)
    assert house.status == "active" and session().scalars(open_items).all() == []


def test_what_stands_in_the_way_anyway_is_said_first(there: StandIn) -> None:
    house = House(there, risk_level=4)
    house.told_green(ago(minutes=5))
    [row] = session().execute(
        sa.text("SELECT why FROM verification_decision WHERE client_id = :id"), {"id": house.client.id}
    )
    assert "risk is prohibited" in row[0]


# without credentials


def test_without_credentials_nothing_is_asked_and_it_says_so(app: Flask, configured: Settings, people: People) -> None:
    connect(configured, None)
    with standing_in() as there:
        house = House(there)
        house.told_green(ago(minutes=5))
        assert house.status == "active"
        assert house.question() is None
        with pytest.raises(Refused) as refused, transaction():
            asking.ask_now(house.client.id, by=people.actor(Role.OFFICER))
        assert refused.value.code == "sumsubNotConnected" and "An administrator sets it up" in refused.value.message
        with transaction():
            assert schedule.ask_sumsub(configured) == {"connected": 0, "released": 0}
            assert schedule.compare_sumsub(configured) == {"connected": 0}
        assert jobs_of(app, ASK) == jobs_of(app, COMPARE) == 0 and there.seen == []


def test_the_second_word_can_be_switched_off(there: StandIn, configured: Settings) -> None:
    connect(configured, there, sumsub_confirm_approvals=False)
    house = House(there)
    house.told_green(ago(minutes=5))
    assert house.status == "active" and house.question() is None


@pytest.mark.parametrize("still_connected", [True, False])
def test_what_waits_for_a_second_word_is_let_go_when_nobody_asks_for_one_any_more(
    there: StandIn, configured: Settings, still_connected: bool
) -> None:
    house = House(there)
    house.told_green(ago(minutes=5))
    assert house.status == "inactive"
    connect(configured, there if still_connected else None, sumsub_confirm_approvals=False)
    with transaction():
        assert asking.ask_due(by=BY)["released"] == 1
    assert house.status == "active"
    with transaction():
        assert asking.ask_due(by=BY)["released"] == 0


def test_the_clock_has_a_job_for_both() -> None:
    names = {job.name for job in schedule.JOBS}
    assert {"ask-sumsub", "compare-sumsub"} <= names


#: an ordinary history, as hours ago, type, status and answer
HISTORY = (
    (7.0, "applicantCreated", "init", None),
    (6.0, "applicantPending", "pending", None),
    (5.0, "applicantReviewed", "completed", {"reviewAnswer": "RED", "reviewRejectType": "RETRY"}),
    (4.0, "applicantPending", "pending", None),
    (3.0, "applicantReviewed", "completed", {"reviewAnswer": "GREEN"}),
    (2.0, "applicantReset", "init", {"reviewAnswer": "GREEN"}),
    (1.0, "applicantReviewed", "completed", {"reviewAnswer": "GREEN"}),
)


@pytest.mark.parametrize("lost", [*[{number} for number in range(7)], {2, 4, 6}, set(range(7))])
def test_whichever_events_are_lost_one_question_ends_in_the_same_state(
    there: StandIn, configured: Settings, lost: set[int], people: People
) -> None:
    connect(configured, there, sumsub_confirm_approvals=False)
    house = House(there)
    house.there_is("completed", "GREEN", create_date=ago(hours=6), review_date=ago(hours=1))
    for number, (hours, kind, status, result) in enumerate(HISTORY):
        if number not in lost:
            house.told(kind, ago(hours=hours), status, result)
    with transaction():
        asking.ask_now(house.client.id, by=people.actor(Role.OFFICER))
    do(ASK)
    found = session().get(ClientVerification, house.client.id, populate_existing=True)
    assert found is not None
    assert (house.status, house.state, found.answer) == ("active", "approved", "GREEN")
    assert house.differences() == [] or {one.state for one in house.differences()} == {"resolved"}


def test_what_was_told_in_the_end_is_the_same_whether_asked_or_told(there: StandIn) -> None:
    """A lost RED RETRY, pending, GREEN: asked at each point, or told, the state at the end is the same."""
    ends = []
    for lost in (False, True):
        house = House(there)
        house.told_pending(ago(hours=6))
        for at, status, answer in ((ago(hours=5), "completed", "RED"), (ago(hours=3), "completed", "GREEN")):
            house.there_is(status, answer, reject_type="RETRY" if answer == "RED" else None, review_date=at)
            if lost:
                ask(house)
            elif answer == "RED":
                house.told_red(at)
            else:
                house.told_green(at)
                do(ASK)
        stored = session().get(ClientVerification, house.client.id, populate_existing=True)
        assert stored is not None
        ends.append((house.status, house.state, stored.answer, stored.reject_type))
    assert ends[0] == ends[1] == ("active", "approved", "GREEN", None)
