"""Asking Sumsub's API: signatures, clocks, failures, and what is taken of an answer."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import formatdate

import pytest
import structlog

from dashboard.onboarding.sumsub.port import client as port
from dashboard.onboarding.sumsub.port import signing
from dashboard.onboarding.sumsub.port.answers import moment
from dashboard.onboarding.sumsub.port.client import Sumsub
from dashboard.onboarding.sumsub.port.failures import (
    Interrupted,
    NoAnswer,
    NotAllowed,
    NotKnown,
    NotReached,
    Slower,
    Unreadable,
)
from dashboard.onboarding.sumsub.port.pace import Pace
from dashboard.settings import SumsubAccess
from tests.onboarding.stand_in import KEY, PERSONAL, TOKEN, Applicant, StandIn, standing_in

APPLICANT = "64a1c0ffee0000000000a001"


@pytest.fixture(scope="module")
def _there() -> Iterator[StandIn]:
    with standing_in() as there:
        yield there


@pytest.fixture
def there(_there: StandIn) -> Iterator[StandIn]:
    """The stand-in with one approved applicant, without any failure left from another test."""
    _there.applicants.clear()
    _there.failures.clear()
    _there.seen.clear()
    _there.add(
        Applicant(
            APPLICANT,
            "client-77",
            "completed",
            "GREEN",
            create_date=1_792_000_000,
            review_date=1_792_000_116,
            attempts=2,
        )
    )
    yield _there
    _there.skew, _there.slow_seconds, _there.may_view = 0.0, 0.0, True
    _there.bend = lambda body: body


class Waiting:
    """Notes how long it was to wait, and waits not at all."""

    def __init__(self, *, stop: bool = False) -> None:
        self.waits: list[float] = []
        self.stop = stop

    def __call__(self, seconds: float) -> bool:
        self.waits.append(seconds)
        return self.stop


def asking(
    there: StandIn, waiting: Waiting | None = None, *, token: str = TOKEN, key: str = KEY, **options: float
) -> Sumsub:
    return Sumsub(SumsubAccess(there.url, token, key), pace=Pace(10_000), wait=waiting or Waiting(), **options)  # type: ignore[arg-type]


def test_a_signed_question_is_answered_with_the_review_as_it_stands(there: StandIn) -> None:
    found = asking(there).status(APPLICANT)
    assert (found.review.status, found.review.answer, found.review.level) == ("completed", "GREEN", "basic-kyc-level")
    assert found.review.attempts == 2
    assert found.review.create_date == datetime.fromtimestamp(1_792_000_000, UTC)
    assert found.review.review_date == datetime.fromtimestamp(1_792_000_116, UTC)
    assert abs((found.asked_at - datetime.now(UTC)).total_seconds()) < 5


def test_of_an_applicant_nothing_personal_is_taken(there: StandIn) -> None:
    found = asking(there).applicant(APPLICANT)
    assert (found.applicant_id, found.external_user_id, found.applicant_type) == (APPLICANT, "client-77", "individual")
    assert found.review.answer == "GREEN"
    assert all(word not in repr(found) for word in PERSONAL)
    assert any(word in json.dumps(there.applicants[APPLICANT].one()) for word in PERSONAL)


def test_an_applicant_is_found_by_our_own_id_and_by_no_other(there: StandIn) -> None:
    assert asking(there).applicant_of("client-77").applicant_id == APPLICANT
    with pytest.raises(NotKnown):
        asking(there).applicant_of("client-78")


def test_a_rejection_comes_with_labels_and_both_comments(there: StandIn) -> None:
    there.add(
        Applicant(
            "a-2", "client-2", "completed", "RED", "RETRY", ["SCREENSHOTS", "UNSATISFACTORY_PHOTOS"],
            moderation_comment="Please send a photo.", client_comment="third time", review_date=1_792_000_000,
        )
    )  # fmt: skip
    review = asking(there).status("a-2").review
    assert (review.answer, review.reject_type) == ("RED", "RETRY")
    assert review.labels == ("SCREENSHOTS", "UNSATISFACTORY_PHOTOS")
    assert (review.moderation_comment, review.client_comment) == ("Please send a photo.", "third time")


def test_the_signature_covers_time_method_path_and_body() -> None:
    # computed with openssl: printf '1607551635GET/resources/applicants/a/one' | openssl dgst -sha256 -hmac key
    plain = signing.signature("key", seconds=1_607_551_635, method="get", target="/resources/applicants/a/one")
    assert plain == "1b41691c9c208e6b620c74824db8efe7d625aa8f76d4799849a3b73efb878976"
    others = {
        signing.signature("kez", seconds=1_607_551_635, method="GET", target="/resources/applicants/a/one"),
        signing.signature("key", seconds=1_607_551_636, method="GET", target="/resources/applicants/a/one"),
        signing.signature("key", seconds=1_607_551_635, method="POST", target="/resources/applicants/a/one"),
        signing.signature("key", seconds=1_607_551_635, method="GET", target="/resources/applicants/a/one?x=1"),
        signing.signature("key", seconds=1_607_551_635, method="GET", target="/resources/applicants/a/one", body=b"1"),
    }
    assert len(others | {plain}) == 6


@pytest.mark.parametrize(("token", "key"), [(TOKEN, KEY + "x"), ("sbx:other", KEY)])
def test_a_wrong_key_or_token_is_refused_once_and_says_what_to_look_at(there: StandIn, token: str, key: str) -> None:
    with pytest.raises(NotAllowed) as refused:
        asking(there, token=token, key=key).status(APPLICANT)
    assert "SUMSUB_APP_TOKEN" in refused.value.sentence and key not in refused.value.sentence
    assert refused.value.lasting and len(there.seen) == 1


@pytest.mark.parametrize("off", [-90, 90])
def test_a_clock_that_is_off_is_named_as_the_reason(there: StandIn, off: float) -> None:
    there.skew = off
    with pytest.raises(NotAllowed) as refused:
        asking(there).status(APPLICANT)
    assert "clock is" in refused.value.sentence and "seconds off" in refused.value.sentence


def test_a_clock_that_is_a_little_off_is_no_matter(there: StandIn) -> None:
    there.skew = 40
    assert asking(there).status(APPLICANT).review.answer == "GREEN"


def test_a_token_without_the_permission_is_told_apart_from_a_wrong_one(there: StandIn) -> None:
    there.may_view = False
    with pytest.raises(NotAllowed) as refused:
        asking(there).status(APPLICANT)
    assert "may not view applicants" in refused.value.sentence


@pytest.mark.parametrize("status", [500, 502, 503, 504, 408])
def test_a_fault_of_theirs_is_tried_again_later_and_longer_each_time(there: StandIn, status: int) -> None:
    there.fail(status, times=2)
    waiting = Waiting()
    assert asking(there, waiting).status(APPLICANT).review.answer == "GREEN"
    first, second = [wait for wait in waiting.waits if wait > 0.1]
    assert 0.25 <= first <= 0.5 and 0.5 <= second <= 1.0
    assert len(there.seen) == 3


def test_after_three_tries_it_gives_up(there: StandIn) -> None:
    there.fail(500, times=5)
    with pytest.raises(NotReached):
        asking(there).status(APPLICANT)
    assert len(there.seen) == 3


def test_each_try_is_signed_for_its_own_moment(there: StandIn) -> None:
    there.fail(500, times=2)
    moments = iter([1_792_000_000.0, 1_792_000_007.0, time.time(), time.time()])
    sumsub = Sumsub(SumsubAccess(there.url, TOKEN, KEY), pace=Pace(10_000), wait=Waiting(), now=lambda: next(moments))
    assert sumsub.status(APPLICANT).review.answer == "GREEN"
    assert [one.seconds for one in there.seen[:2]] == [1_792_000_000, 1_792_000_007]


@pytest.mark.parametrize("said", ["7", "date", ""])
def test_who_is_asked_to_be_slower_waits_as_long_as_asked(there: StandIn, said: str) -> None:
    there.fail(429, {"Retry-After": formatdate(time.time() + 7, usegmt=True) if said == "date" else said})
    waiting = Waiting()
    assert asking(there, waiting).status(APPLICANT).review.answer == "GREEN"
    assert len(there.seen) == 2
    assert max(waiting.waits) == pytest.approx(7 if said else port.UNSAID_WAIT_SECONDS, abs=1.5)


def test_a_long_wait_is_the_callers_and_nobody_else_asks_meanwhile(there: StandIn) -> None:
    there.fail(429, {"Retry-After": "900"})
    sumsub = asking(there)
    with pytest.raises(Slower) as slower:
        sumsub.status(APPLICANT)
    assert slower.value.wait_seconds == 900
    with pytest.raises(Slower):
        sumsub.status(APPLICANT)
    assert len(there.seen) == 1


def test_an_answer_that_does_not_come_in_time_is_given_up(there: StandIn) -> None:
    there.slow_seconds = 0.3
    with pytest.raises(NotReached):
        asking(there, answer_seconds=0.05).status(APPLICANT)
    assert len(there.seen) >= 1


def test_nobody_listening_is_no_crash() -> None:
    sumsub = Sumsub(SumsubAccess("http://127.0.0.1:9", TOKEN, KEY), pace=Pace(10_000), wait=Waiting())
    with pytest.raises(NotReached):
        sumsub.status(APPLICANT)


def test_a_process_that_ends_does_not_wait(there: StandIn) -> None:
    there.fail(500)
    with pytest.raises(Interrupted):
        asking(there, Waiting(stop=True)).status(APPLICANT)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>", b"[]", b"null", b'"GREEN"', b"\xff\xfe", b"{}", b"[" * 100_000,
        b'{"reviewStatus": {"a": 1}}', b'{"reviewStatus": "completed", "reviewResult": "GREEN"}',
        b'{"reviewStatus": "completed", "reviewDate": "yesterday"}',
        b'{"reviewStatus": "completed", "reviewDate": "2026-02-30 10:00:00+0000"}',
        b'{"reviewStatus": "completed", "reviewResult": {"rejectLabels": "FORGERY"}}',
        b'{"reviewStatus": "a\\u0000b"}', b'{"reviewStatus": "\\ud800"}',
    ],
)  # fmt: skip
def test_an_answer_of_another_form_is_said_to_be_unreadable(there: StandIn, body: bytes) -> None:
    there.bend = lambda _body: body
    with pytest.raises(Unreadable):
        asking(there).status(APPLICANT)


def test_an_answer_without_end_is_not_read_to_its_end(there: StandIn) -> None:
    there.bend = lambda _body: b'{"reviewStatus": "' + b"x" * (port.LARGEST_ANSWER + 1) + b'"}'
    with pytest.raises(Unreadable):
        asking(there).status(APPLICANT)


def test_an_answer_about_somebody_else_is_refused(there: StandIn) -> None:
    there.bend = lambda body: body.replace(APPLICANT.encode(), b"64a1c0ffee0000000000a002")
    with pytest.raises(Unreadable):
        asking(there).applicant(APPLICANT)


def test_nobody_is_followed_to_another_address(there: StandIn) -> None:
    there.fail(302, {"Location": f"{there.url}/resources/applicants/{APPLICANT}/status"})
    with pytest.raises(Unreadable):
        asking(there).status(APPLICANT)
    assert len(there.seen) == 1


@pytest.mark.parametrize("identifier", ["", ".", "..", "a/b", "a?b", "../x", "a b", "é", "a" * 201, "a\nb", "%2e%2e"])
def test_what_is_no_identifier_is_never_asked_for(there: StandIn, identifier: str) -> None:
    with pytest.raises(Unreadable):
        asking(there).status(identifier)
    assert there.seen == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-06-24 05:12:58+0000", "2026-06-24T05:12:58+00:00"),
        ("2026-06-24 05:12:58", "2026-06-24T05:12:58+00:00"),
        ("2026-06-24 05:12:58.321", "2026-06-24T05:12:58.321000+00:00"),
        ("2026-06-24T05:12:58Z", "2026-06-24T05:12:58+00:00"),
        ("2026-06-24 08:12:58+03:00", "2026-06-24T05:12:58+00:00"),
    ],
)
def test_times_are_read_in_every_way_they_are_written(text: str, said: str) -> None:
    found = moment(text)
    assert found is not None and found.isoformat() == said


def test_no_log_line_and_no_failure_holds_token_key_or_applicant(
    there: StandIn, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("DEBUG")
    # a logger that was used before keeps the way in which it wrote then
    monkeypatch.setattr(port, "log", structlog.get_logger())
    asking(there).applicant(APPLICANT)
    assert all(word not in caplog.text for word in (TOKEN, KEY, APPLICANT, *PERSONAL))
    there.fail(500, times=3)
    with structlog.testing.capture_logs() as lines, pytest.raises(NoAnswer) as failure:
        asking(there).status(APPLICANT)
    said = f"{lines} {failure.value!r} {failure.value.sentence}"
    assert lines and all(word not in said for word in (TOKEN, KEY, APPLICANT))
    shown = repr(SumsubAccess("https://a", TOKEN, KEY))
    assert TOKEN not in shown and KEY not in shown


def test_the_pace_is_kept_by_all_who_ask() -> None:
    at = [100.0]
    pace = Pace(4, clock=lambda: at[0])
    assert [pace.turn(longest=9) for _ in range(3)] == [0.0, 0.25, 0.5]
    at[0] = 200.0
    assert pace.turn(longest=9) == 0.0
    pace.hold(60)
    assert pace.turn(longest=9) == 60 and pace.turn(longest=9) == 60
