"""The jobs of documents, as the scheduler runs them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from dashboard import clock
from dashboard.access.permissions import Role
from dashboard.clients.documents import queries, services
from dashboard.clients.documents.store import Store
from dashboard.clients.documents.vocabulary import DocumentCategory, DocumentKind
from dashboard.database import session, transaction
from dashboard.jobs import schedule
from dashboard.queues.models import QueueItem
from tests.clients.documents import papers
from tests.clients.making import person
from tests.conftest import People

JOBS = {job.name: job for job in schedule.JOBS}


def test_the_night_marks_what_expired_and_reminds_of_what_will(
    app: Flask, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    officer, today = people.actor(Role.OFFICER), clock.calendar().today()
    store = Store(app.extensions["countinghouse.settings"].instance_path)
    made = {}
    for colour, days, category in (("red", 0, DocumentCategory.ADDRESS), ("blue", 20, DocumentCategory.FUNDS)):
        client = person(officer, last=colour)
        looked = services.Looked(papers.picture(colour=colour), f"{colour}.png", DocumentKind.PNG, 1)
        with transaction():
            document, _fresh = services.upload(client.id, looked, category=category, store=store, by=officer)
        with transaction():
            services.accept(client.id, document.id, expires_on=today + timedelta(days=days), by=officer)
        made[colour] = (client.id, document.id)
    tomorrow = clock.now() + timedelta(days=1)
    monkeypatch.setattr(clock, "now", lambda: tomorrow)
    assert schedule.check_documents(app.extensions["countinghouse.settings"]) == {"expired": 1, "expiring": 1}
    session().expire_all()
    assert queries.get(*made["red"]).state == "expired" and queries.get(*made["blue"]).state == "accepted"
    waiting = session().query(QueueItem.object_id).filter_by(queue="documents", cause="expires", closed_at=None).all()
    assert [row[0] for row in waiting] == [made["blue"][1]]
    assert schedule.check_documents(app.extensions["countinghouse.settings"]) == {"expired": 0, "expiring": 1}
