"""Who asked is told two business hours before a request expires: once, whoever else runs, and not lost by a kill."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from dashboard import clock, notifier
from dashboard.access.permissions import Role
from dashboard.approvals import services
from dashboard.approvals.models import ApprovalRequest
from dashboard.database import db, session, transaction
from dashboard.jobs import schedule
from dashboard.notifier import DeliveryFailed, Message
from dashboard.settings import Settings
from tests.approvals.test_four_eyes import asked
from tests.approvals.test_many_at_once import tightened
from tests.conftest import People

SignIn = Callable[..., FlaskClient]


class Box:
    """Takes messages; `broken` gives them back."""

    def __init__(self) -> None:
        self.taken: list[Message] = []
        self.broken = False

    def send(self, message: Message) -> None:
        if self.broken:
            raise DeliveryFailed("The mail server does not answer.", details={"reason": "unreachable"})
        self.taken.append(message)


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr(clock, "now", lambda: moment)


def end_of(request_id: UUID) -> datetime:
    return session().get_one(ApprovalRequest, request_id, populate_existing=True).expires_at


def test_the_maker_is_told_once_two_business_hours_before_and_sees_it_at_home(
    app: Flask, configured: Settings, people: People, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    # noon of a business day, ten hours later is eleven or later in the morning: both ends within opening hours
    calendar = clock.calendar()
    noon = calendar.closing(calendar.add_days(calendar.today(), 1)) - timedelta(hours=6)
    at(monkeypatch, noon)
    request = asked(people.actor(Role.OFFICER))
    end, box = request.expires_at, Box()
    run = lambda: schedule.warn_makers(configured)  # noqa: E731
    with notifier.instead(box):
        at(monkeypatch, end - timedelta(hours=2, minutes=1))
        assert run() == {"sent": 0, "nobody": 0, "failed": 0}
        assert "Expires soon" not in signed_in(Role.OFFICER).get("/approvals?view=mine").text
        at(monkeypatch, end - timedelta(hours=1, minutes=59))
        box.broken = True
        assert run() == {"sent": 0, "nobody": 0, "failed": 1}
        box.broken = False
        # it is tried again after a while, and then no more
        assert run()["sent"] == 0
        at(monkeypatch, clock.now() + services.SENDING_TAKES)
        assert run()["sent"] == 1
        at(monkeypatch, clock.now() + services.SENDING_TAKES)
        assert run()["sent"] == 0
    message = box.taken[0]
    assert message.to == "officer@test.example"
    assert "Mari" not in message.text and "papers seen" not in message.text
    assert f"/approvals/{request.id}" in message.text
    assert f"{end.astimezone(configured.zone):%H:%M}" in message.text
    browser = signed_in(Role.OFFICER)
    assert "Expires soon" in browser.get("/approvals?view=mine").text
    assert ">soon</span>" in browser.get("/").text


def test_nobody_is_written_to_who_is_gone_and_nothing_is_said_of_what_is_closed(
    app: Flask, configured: Settings, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    calendar = clock.calendar()
    at(monkeypatch, calendar.closing(calendar.add_days(calendar.today(), 1)) - timedelta(hours=6))
    gone, here = people.member(Role.OFFICER, "Gone"), people.actor(Role.OFFICER)
    first, second = asked(people.actor(Role.OFFICER, "Gone")), asked(here)
    with transaction():
        gone.disabled_at = clock.now()
        services.withdraw(second.id, by=here)
    box = Box()
    at(monkeypatch, first.expires_at - timedelta(minutes=30))
    with notifier.instead(box):
        assert schedule.warn_makers(configured) == {"sent": 0, "nobody": 1, "failed": 0}
    assert box.taken == []


def test_two_schedulers_take_different_requests_and_what_a_killed_one_took_is_taken_again(
    committed: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    calendar = clock.calendar()
    noon = calendar.closing(calendar.add_days(calendar.today(), 1)) - timedelta(hours=6)
    at(monkeypatch, noon)
    officer = People().actor(Role.OFFICER)
    ids = {tightened(officer, currency) for currency in ("eur", "gbp", "usd", "pln")}
    near = end_of(next(iter(ids))) - timedelta(minutes=30)
    at(monkeypatch, near)
    taken: list[set[UUID]] = []
    held = threading.Barrier(2, timeout=20)

    def scheduler() -> None:
        with committed.app_context():
            with transaction():
                found = {one.id for one in services.claim_words(limit=2)}
                # both hold what they took at the same time
                held.wait()
            taken.append(found)
            db.session.remove()

    runners = [threading.Thread(target=scheduler) for _ in range(2)]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join(timeout=30)
    assert [len(found) for found in taken] == [2, 2]
    assert taken[0] | taken[1] == ids
    # one of the two was killed before it had sent anything: nothing is told of what it took
    with transaction():
        for one in taken[0]:
            services.told(one)
        assert services.claim_words() == []
    at(monkeypatch, near + services.SENDING_TAKES)
    with transaction():
        assert {one.id for one in services.claim_words()} == taken[1]
