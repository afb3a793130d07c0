"""Queues: figures, the rows behind them, taking and releasing."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Role
from dashboard.clients.calendar import calendar
from dashboard.database import new_id, session, transaction
from dashboard.errors import Conflict, NotFound
from dashboard.queues import queries, services
from dashboard.queues.models import QueueItem
from dashboard.queues.queries import ItemFilter
from tests.conftest import People

QUEUE = "client-review"


@pytest.fixture
def officer(people: People) -> Actor:
    return people.actor(Role.OFFICER)


@pytest.fixture
def colleague(people: People) -> Actor:
    return people.actor(Role.OFFICER, "Liis Saar")


def opened(due_at: datetime, *, queue: str = QUEUE, restricted: bool = False, taken_by: Actor | None = None) -> UUID:
    object_id = new_id()
    with transaction():
        services.open_item(
            queue, cause="flags", object_type="client", object_id=object_id, client_id=None, due_at=due_at,
            restricted=restricted,
        )  # fmt: skip
        item_id = session().scalars(sa.select(QueueItem.id).where(QueueItem.object_id == object_id)).one()
        if taken_by is not None:
            services.take(item_id, by=taken_by)
    return item_id


def at_noon(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """A Wednesday, 12:00 in Vilnius."""
    moment = datetime.fromisoformat("2026-03-11T10:00:00+00:00")
    monkeypatch.setattr(clock, "now", lambda: moment)
    return moment


def test_each_figure_counts_exactly_the_rows_it_opens(
    officer: Actor, colleague: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = at_noon(monkeypatch)
    late, today, tomorrow = now - timedelta(hours=1), now + timedelta(hours=2), now + timedelta(days=1)
    for due in (late, today, tomorrow):
        for who in (officer, colleague, None):
            opened(due, taken_by=who)
    count = queries.counts([QUEUE], actor=officer, calendar=calendar())[QUEUE]
    assert (count.mine, count.unassigned, count.late, count.due_today) == (3, 3, 2, 2)
    assert (count.next_due_at, count.upcoming_at) == (late, today)
    for chosen, figure in (
        (ItemFilter(who="me"), count.mine),
        (ItemFilter(who="none"), count.unassigned),
        (ItemFilter(late=True), count.late),
        (ItemFilter(due_today=True), count.due_today),
    ):
        assert len(queries.items([QUEUE], actor=officer, calendar=calendar(), chosen=chosen)) == figure, chosen
    assert (count.late_mine, count.late_unassigned, count.total) == (1, 1, 6)
    # before anybody filters a queue shows a colleague's rows too, and so the rail counts them
    assert queries.waiting_in([QUEUE], actor=officer, at_most=100)[QUEUE] == count.everybody == 9
    assert queries.waiting_in([QUEUE], actor=officer, at_most=4)[QUEUE] == 4


def test_what_would_tell_a_restricted_reason_is_neither_counted_nor_listed(officer: Actor, people: People) -> None:
    opened(clock.now(), restricted=True)
    treasurer = people.actor(Role.TREASURER)
    assert queries.counts([QUEUE], actor=treasurer, calendar=calendar())[QUEUE].unassigned == 0
    assert queries.items([QUEUE], actor=treasurer, calendar=calendar(), chosen=ItemFilter()) == []
    assert queries.waiting_in([QUEUE], actor=treasurer, at_most=9)[QUEUE] == 0
    with transaction():
        assert services.take_next([QUEUE], by=treasurer) is None
    assert queries.counts([QUEUE], actor=officer, calendar=calendar())[QUEUE].unassigned == 1


def test_the_same_work_is_one_item(app: Flask) -> None:
    object_id = new_id()
    with transaction():
        for _ in range(2):
            services.open_item(
                QUEUE, cause="flags", object_type="client", object_id=object_id, client_id=None, due_at=clock.now()
            )
    assert session().scalar(sa.select(sa.func.count()).where(QueueItem.object_id == object_id)) == 1


def test_an_item_taken_by_a_colleague_cannot_be_taken(officer: Actor, colleague: Actor) -> None:
    item_id = opened(clock.now(), taken_by=colleague)
    with pytest.raises(Conflict) as refusal, transaction():
        services.take(item_id, by=officer)
    assert refusal.value.code == "taken"


def test_a_settled_item_cannot_be_taken(officer: Actor) -> None:
    item_id = opened(clock.now())
    item = session().get(QueueItem, item_id)
    assert item is not None
    with transaction():
        services.close_items(QUEUE, object_id=item.object_id, by=officer)
    with pytest.raises(Conflict, match="settled"), transaction():
        services.take(item_id, by=officer)


def test_only_the_assignee_releases(officer: Actor, colleague: Actor) -> None:
    item_id = opened(clock.now(), taken_by=colleague)
    with pytest.raises(Conflict), transaction():
        services.release(item_id, by=officer)
    with transaction():
        assert services.release(item_id, by=colleague).assignee_id is None


def test_nobody_takes_what_they_may_not_know_of(people: People) -> None:
    item_id = opened(clock.now(), restricted=True)
    with pytest.raises(NotFound), transaction():
        services.take(item_id, by=people.actor(Role.TREASURER))


def test_the_next_is_what_is_due_first_among_ones_own_and_the_unassigned(officer: Actor, colleague: Actor) -> None:
    now = clock.now()
    opened(now - timedelta(hours=3), taken_by=colleague)
    first = opened(now - timedelta(hours=2))
    mine = opened(now, taken_by=officer)
    with transaction():
        taken = services.take_next([QUEUE], by=officer)
    assert taken is not None and (taken.id, taken.assignee_id) == (first, officer.id)
    with transaction():
        services.close_items(QUEUE, object_id=taken.object_id, by=officer)
    with transaction():
        taken = services.take_next([QUEUE], by=officer)
    assert taken is not None and taken.id == mine


def test_two_people_who_take_the_next_at_once_get_two_items(committed: Flask) -> None:
    people = People()
    actors = [people.actor(Role.OFFICER, name) for name in ("Liis Saar", "Riina Kask")]
    items = {opened(clock.now() + timedelta(minutes=n)) for n in range(2)}
    start = threading.Barrier(2)
    taken: list[UUID] = []

    def take(actor: Actor) -> None:
        with committed.app_context():
            start.wait()
            with transaction():
                item = services.take_next([QUEUE], by=actor)
            if item is not None:
                taken.append(item.id)

    threads = [threading.Thread(target=take, args=(actor,)) for actor in actors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(taken) == items
