"""Several at the same moment, and processes that die half-way: a row is never without its file."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import Actor
from dashboard.access.permissions import Role
from dashboard.clients.documents import services
from dashboard.clients.documents.models import ClientDocument
from dashboard.clients.documents.store import FORGOTTEN_SECONDS, Store
from dashboard.clients.documents.vocabulary import DocumentCategory, DocumentKind
from dashboard.database import db, session, transaction
from tests.clients.documents import papers
from tests.clients.documents.ending import emptied
from tests.clients.documents.papers import files
from tests.clients.making import company, person
from tests.conftest import People

LOOKED = services.Looked(papers.picture(), "same.png", DocumentKind.PNG, 1)


@pytest.fixture
def officer(committed: Flask) -> Actor:
    return People().actor(Role.OFFICER)


@pytest.fixture
def folder(tmp_path: Path) -> Store:
    return Store(tmp_path)


def upload(app: Flask, client_id: object, folder: Store, officer: Actor) -> tuple[object, bool]:
    with app.app_context():
        try:
            with transaction():
                document, fresh = services.upload(
                    client_id,  # type: ignore[arg-type]
                    LOOKED,
                    category=DocumentCategory.OTHER,
                    store=folder,
                    by=officer,
                )
                return document.id, fresh
        finally:
            db.session.remove()


def test_the_same_file_sent_eight_times_at_once_is_one_document(
    committed: Flask, officer: Actor, folder: Store
) -> None:
    client_id = person(officer).id
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: upload(committed, client_id, folder, officer), range(8)))
    assert len({document for document, _ in answers}) == 1
    assert sum(fresh for _, fresh in answers) == 1
    assert len(files(folder)) == 1


def test_a_purge_waits_for_an_upload_of_the_same_content_and_leaves_its_file(
    committed: Flask,
    admin: psycopg.Connection[Any],
    officer: Actor,
    folder: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = person(officer).id, company(officer).id
    upload(committed, first, folder, officer)
    with transaction():
        hashes = services.to_erase(first, by=officer)
    emptied(admin, first)
    written, go_on = threading.Event(), threading.Event()
    keep = Store.keep

    def slowly(self: Store, content: bytes) -> str:
        sha256 = keep(self, content)
        written.set()
        # the file is there, its row is not committed yet
        assert go_on.wait(20)
        return sha256

    monkeypatch.setattr(Store, "keep", slowly)

    def purge() -> int:
        with committed.app_context():
            return services.remove_files(hashes, store=folder)

    with ThreadPoolExecutor(2) as pool:
        uploading = pool.submit(upload, committed, second, folder, officer)
        assert written.wait(20)
        purging = pool.submit(purge)
        time.sleep(0.3)
        assert not purging.done(), "it waits for the content's lock"
        go_on.set()
        uploading.result(20)
        assert purging.result(20) == 0
    assert len(files(folder)) == 1


def test_an_upload_that_dies_before_its_commit_leaves_a_file_that_the_sweep_removes(
    committed: Flask, officer: Actor, folder: Store
) -> None:
    client_id = person(officer).id
    child = os.fork()
    if not child:
        # a process of its own, killed between the rename and the commit
        try:
            with committed.app_context():
                db.engine.dispose(close=False)
                session().begin()
                folder.keep(papers.picture(colour="red"))
        finally:
            os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    upload(committed, client_id, folder, officer)
    assert len(files(folder)) == 2
    assert services.sweep(folder) == {"half_written": 0, "without_a_row": 0}, "it may be young enough to be committed"
    long_ago = time.time() - FORGOTTEN_SECONDS - 5
    for path in files(folder):
        os.utime(path, (long_ago, long_ago))
    assert services.sweep(folder) == {"half_written": 0, "without_a_row": 1}
    kept = session().scalar(sa.select(ClientDocument.sha256))
    assert [path.name for path in files(folder)] == [kept]
