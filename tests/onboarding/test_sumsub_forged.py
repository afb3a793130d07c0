"""Who holds the webhook's secret opens nobody, and hides no rejection, while Sumsub's API can be asked."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard.clients.services.block import block
from dashboard.clients.vocabulary import BlockCode, Scope
from dashboard.database import session, transaction
from dashboard.onboarding.pulling.services import asking, comparing, questions
from dashboard.onboarding.pulling.vocabulary import ASK, COMPARE, Reason
from dashboard.onboarding.sumsub import confirming, folding, reader, rules
from dashboard.onboarding.sumsub.models import SumsubApplicant, SumsubEvent
from dashboard.onboarding.sumsub.services import processing, storing
from dashboard.onboarding.sumsub.vocabulary import Source
from dashboard.settings import Settings
from tests.clients.making import company, person
from tests.onboarding import telling
from tests.onboarding.pulled import BY, House, ago, connect, do
from tests.onboarding.stand_in import Applicant, StandIn, standing_in


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


@pytest.fixture
def active(there: StandIn, configured: Settings) -> House:
    """A client that its webhook opened, before a second word was asked for."""
    house = House(there)
    connect(configured, there, sumsub_confirm_approvals=False)
    house.told_green(ago(hours=5))
    assert house.status == "active"
    connect(configured, there)
    return house


def green_of_somebody_else(house: House) -> Applicant:
    """The attacker's own applicant: approved at Sumsub, of another user."""
    return house.there.add(
        Applicant(
            house.applicant_id, str(uuid.uuid4()), "completed", "GREEN",
            create_date=ago(hours=3).timestamp(), review_date=ago(hours=1).timestamp(),
        )
    )  # fmt: skip


def ask(house: House, reason: Reason = Reason.SILENT) -> None:
    with transaction():
        questions.ask_about(reason, applicant_id=house.applicant_id, by=BY)
        asking.ask_due(by=BY)
    do(ASK)


def compare() -> None:
    with transaction():
        comparing.ask_to_compare(by=BY)
    do(COMPARE)
    with transaction():
        asking.ask_due(by=BY)
    do(ASK)


def row(house: House) -> SumsubApplicant:
    session().expire_all()
    return session().scalars(sa.select(SumsubApplicant).where(SumsubApplicant.applicant_id == house.applicant_id)).one()


# whose applicant it is


@pytest.mark.parametrize("first", ["green", "pending"])
def test_somebody_elses_approved_applicant_opens_no_client_however_often_sumsub_is_asked(
    there: StandIn, first: str
) -> None:
    house = House(there)
    green_of_somebody_else(house)
    if first == "green":
        house.told_green(ago(hours=1))
    else:
        house.told_pending(ago(hours=2))
    for reason in (Reason.CONFIRM, Reason.SILENT, Reason.STAFF):
        ask(house, reason)
        assert house.status == "inactive", reason
    compare()
    assert house.status == "inactive" and house.events("pull") == []
    assert ("client", "open") in [(each.field, each.state) for each in house.differences()]


def test_an_answer_that_names_nobody_confirms_nothing(there: StandIn) -> None:
    house = House(there)
    house.told_green(ago(minutes=5))
    house.there_is("completed", "GREEN", review_date=ago(minutes=5))
    there.applicants[house.applicant_id].external_user_id = ""
    ask(house, Reason.CONFIRM)
    assert house.status == "inactive" and confirming.waits(row(house))
    assert [each.field for each in house.differences()] == ["client"]


def test_once_sumsub_says_that_it_is_this_clients_the_difference_goes_and_the_client_opens(there: StandIn) -> None:
    house = House(there)
    theirs = green_of_somebody_else(house)
    house.told_green(ago(hours=1))
    ask(house)
    assert house.status == "inactive"
    theirs.external_user_id = str(house.client.id).upper().replace("-", "")
    compare()
    assert house.status == "active"
    assert [each.state for each in house.differences()] == ["resolved"]


# answers told by others


def green_at_sumsub_and_forged_here(there: StandIn) -> tuple[House, SumsubEvent]:
    """Blocked meanwhile, so that each word can be looked at by itself; what was true once is in strange hands."""
    house = House(there)
    with transaction():
        block(house.client.id, scope=Scope.ALL, code=BlockCode.FRAUD, comment="Looked at", by=BY)
    house.told_pending(ago(hours=5))
    house.there_is("completed", "GREEN", create_date=ago(hours=5), review_date=ago(hours=4))
    ask(house)
    [pulled] = house.events("pull")
    house.told_red(ago(hours=2), "FINAL")
    house.told_green(ago(minutes=1))
    assert confirming.waits(row(house))
    return house, pulled


def test_an_old_answer_told_again_by_a_webhook_confirms_nothing(there: StandIn) -> None:
    house, pulled = green_at_sumsub_and_forged_here(there)
    assert pulled.body is not None
    with transaction():
        storing.accept(pulled.body, source=Source.WEBHOOK, secret_number=0)
    with transaction():
        processing.process(house.applicant_id, by=BY, wait=True)
    assert confirming.waits(row(house))
    told = [each for each in house.events("webhook") if each.type == "applicantStatusPulled"]
    assert [each.effect for each in told] == ["noted"]


def test_an_answer_that_somebody_told_before_us_is_confirmed_by_us_all_the_same(there: StandIn) -> None:
    house = House(there)
    house.there_is("completed", "GREEN", create_date=ago(hours=5), review_date=ago(hours=4))
    house.told_green(ago(hours=4))
    seen = {}
    right = storing.accept

    def squatted(body: bytes, *, source: Source, secret_number: int | None = None) -> storing.Stored:
        if source is Source.PULL and not seen:
            seen["first"] = right(body, source=Source.WEBHOOK, secret_number=0)
        return right(body, source=source, secret_number=secret_number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(storing, "accept", squatted)
        ask(house, Reason.CONFIRM)
    assert seen and house.status == "active"


# approvals that hide a rejection


def test_a_forged_approval_from_the_future_hides_no_rejection(active: House) -> None:
    active.told_green(datetime(2199, 1, 1, tzinfo=UTC))
    assert telling.doubts(active.client) == ["aheadOfTime"]
    active.told_red(ago(hours=1), "FINAL", ("FORGERY",))
    assert active.status == "blocked" and active.state == "rejected"


def test_an_approval_that_nobody_confirmed_does_not_clear_a_rejection_told_with_it(active: House) -> None:
    def body(at: datetime, result: dict[str, str]) -> bytes:
        return json.dumps(
            {"applicantId": active.applicant_id, "externalUserId": str(active.client.id), "type": "applicantReviewed",
             "reviewStatus": "completed", "reviewResult": result, "createdAtMs": f"{at:%Y-%m-%d %H:%M:%S}.000"}
        ).encode()  # fmt: skip

    with transaction():
        storing.accept(body(ago(hours=1), {"reviewAnswer": "RED", "reviewRejectType": "FINAL"}), source=Source.WEBHOOK)
        storing.accept(body(ago(minutes=59), {"reviewAnswer": "GREEN"}), source=Source.WEBHOOK)
    with transaction():
        processing.process(active.applicant_id, by=BY, wait=True)
    assert active.status == "blocked"


def test_an_unconfirmed_approval_of_an_active_client_is_asked_about_and_a_late_rejection_waits_for_a_person(
    active: House,
) -> None:
    active.told_green(ago(minutes=50))
    question = active.question()
    assert question is not None and question.reason == "confirm" and question.ended_at is None
    active.told_red(ago(hours=1), "FINAL")
    assert active.status == "active" and "rejectedOutOfDate" in telling.doubts(active.client)
    active.there_is("completed", "RED", reject_type="FINAL", review_date=ago(hours=1))
    ask(active, Reason.CONFIRM)
    assert active.status == "blocked"


def test_nothing_stands_further_ahead_than_clocks_may_differ() -> None:
    moment = datetime(2026, 2, 4, 10, tzinfo=UTC)

    def at(told: str) -> datetime:
        message = reader.read(json.dumps({"type": "applicantPending", "createdAtMs": told}).encode())
        return folding.place_of(message, moment).at

    assert at("2026-02-04 10:04:59.000") == moment + timedelta(minutes=4, seconds=59)
    assert at("2199-01-01 00:00:00.000") == moment + folding.SKEW


# what is approved


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"applicantType": "individual"}, "is of a person, and this client is a company"),
        ({"applicantType": ..., "applicantMemberOf": [{"applicantId": "other"}]}, "a person within a company"),
    ],
)
def test_a_persons_approval_opens_no_company_and_a_person_is_told_why(
    http: FlaskClient, fields: dict[str, object], words: str
) -> None:
    client = company(BY)
    telling.told(http, telling.event("applicantReviewed", client, 1, **{**telling.GREEN, **fields}))
    assert telling.status(client) == "inactive" and telling.doubts(client) == ["approvedHeldBack"]
    why = session().execute(sa.text("SELECT why FROM verification_decision WHERE client_id = :id"), {"id": client.id})
    assert words in why.scalar_one()


def test_a_webhook_that_conceals_the_kind_is_found_out_by_the_answer(there: StandIn) -> None:
    house = House(there)
    house.there_is("completed", "GREEN", review_date=ago(minutes=5), type="company")
    house.told_green(ago(minutes=5))
    ask(house, Reason.CONFIRM)
    assert house.status == "inactive" and telling.doubts(house.client) == ["approvedHeldBack"]


def test_only_a_level_that_the_settings_name_opens_a_client(http: FlaskClient) -> None:
    before, fits, other = rules.rules(), person(BY, last="Eins"), person(BY, last="Zwei")
    rules._rules[0] = replace(before, approving_levels=frozenset({"basic-kyc"}))
    try:
        telling.told(http, telling.event("applicantReviewed", other, 1, **telling.GREEN, levelName="phone-only"))
        telling.told(http, telling.event("applicantReviewed", fits, 1, **telling.GREEN))
    finally:
        rules._rules[0] = before
    assert (telling.status(fits), telling.status(other)) == ("active", "inactive")
    assert telling.doubts(other) == ["approvedHeldBack"]


def test_an_approval_by_another_applicant_after_a_rejection_for_good_is_told(http: FlaskClient) -> None:
    client = person(BY)
    telling.told(http, telling.event("applicantReviewed", client, 1, **telling.FINAL))
    telling.told(http, telling.event("applicantReviewed", client, 5, applicantId="second", **telling.GREEN))
    assert "approvedAfterRejection" in telling.doubts(client)


# who is meant


@pytest.mark.parametrize("spelled", ["{%s}", "%s"])
def test_every_spelling_of_a_clients_id_is_that_client(http: FlaskClient, spelled: str) -> None:
    client = person(BY)
    written = spelled % (str(client.id) if "{" in spelled else client.id.hex).upper()
    telling.told(http, telling.event("applicantPending", client, 0, reviewStatus="pending"))
    telling.told(http, telling.event("applicantReviewed", client, 1, **telling.GREEN, externalUserId=written))
    assert telling.status(client) == "active" and telling.doubts(client) == []
    assert {each.external_user_id for each in telling.stored()} == {str(client.id)}
