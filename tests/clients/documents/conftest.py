"""What the tests of documents share: a client, somebody who works on its papers, and the folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from dashboard.access.actor import Actor
from dashboard.access.permissions import Role
from dashboard.clients.documents import answers, services
from dashboard.clients.documents.models import ClientDocument
from dashboard.clients.documents.store import Store
from dashboard.clients.documents.vocabulary import DocumentCategory, DocumentKind
from dashboard.clients.models import Client
from dashboard.database import transaction
from tests.clients.documents import papers
from tests.clients.making import person
from tests.conftest import People


@pytest.fixture
def officer(people: People) -> Actor:
    return people.actor(Role.OFFICER)


@pytest.fixture
def client(officer: Actor) -> Client:
    return person(officer)


@pytest.fixture
def folder(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A folder of this test alone."""
    store = Store(tmp_path)
    monkeypatch.setattr(answers, "store", lambda: store)
    return store


@pytest.fixture
def uploaded(folder: Store, officer: Actor, client: Client) -> Callable[..., ClientDocument]:
    """Puts a picture there; `colour` makes another one. It was looked at already: that has tests of its own."""

    def upload(colour: str = "teal", *, client_id: UUID | None = None, **options: Any) -> ClientDocument:
        content = papers.picture(colour=colour)
        looked = services.Looked(content, f"{colour}.png", DocumentKind.PNG, 1)
        options = {"category": DocumentCategory.ADDRESS, "by": officer, **options}
        with transaction():
            return services.upload(client_id or client.id, looked, store=folder, **options)[0]

    return upload
