"""The demo's papers: in every state, and made only where somebody could have uploaded them."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.clients.documents.looking import asking
from dashboard.clients.documents.models import ClientDocument
from dashboard.clients.documents.store import Store
from dashboard.clients.documents.vocabulary import DocumentState
from dashboard.database import session, transaction
from dashboard.home.demo_data import documents
from dashboard.queues.models import QueueItem
from dashboard.staff import services as staff
from tests.clients.documents.papers import files
from tests.clients.making import activated, person
from tests.conftest import People


def test_there_are_papers_in_every_state_and_each_could_have_been_uploaded(
    app: Flask, people: People, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    assert documents.tell(store) == 0, "no colleague and no client: nothing"
    with transaction():
        staff.create_member(
            email="officer@demo.example", role=Role.OFFICER, password="demo-password-1", name="R. Kask", by=system()
        )
    officer, senior = people.actor(Role.OFFICER), people.actor(Role.SENIOR_OFFICER)
    for number in range(documents.NEEDED):
        activated(person(officer, last=f"Sepp {number}", document=None), officer, senior)
    assert documents.tell(store) == 9
    states = set(session().scalars(sa.select(ClientDocument.state)))
    assert states == {state.value for state in DocumentState}
    causes = session().scalars(
        sa.select(QueueItem.cause).where(QueueItem.queue == "documents", QueueItem.closed_at.is_(None))
    )
    assert sorted(causes) == ["expires", "review", "review", "review", "review"]
    stored = files(store)
    assert len(stored) == 9
    for path in (min(stored, key=lambda p: p.stat().st_size), max(stored, key=lambda p: p.stat().st_size)):
        assert asking.examine(path.read_bytes())[1] in {1, 3}
