"""Decisions, expiry, erasing, and what each does to the client and the queues."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Role
from dashboard.audit.models import AuditEvent
from dashboard.clients import queries as clients
from dashboard.clients import story
from dashboard.clients.documents import queries, services
from dashboard.clients.documents.models import ClientDocument
from dashboard.clients.documents.store import FORGOTTEN_SECONDS, INCOMING, Store
from dashboard.clients.documents.vocabulary import DocumentCategory, DocumentKind, DocumentRejection, DocumentState
from dashboard.clients.models import Client, ClientReviewPlan
from dashboard.database import new_id, session, transaction
from dashboard.errors import Conflict, Forbidden, Invalid, NotFound, Refused
from dashboard.queues.models import QueueItem
from tests.clients.documents import papers
from tests.clients.documents.ending import emptied
from tests.clients.documents.papers import files
from tests.clients.making import TODAY, company, person
from tests.conftest import People

Uploaded = Callable[..., ClientDocument]
BY = system("expiry of documents")


def state(document: ClientDocument) -> str:
    session().expire_all()
    found = session().get(ClientDocument, document.id)
    assert found is not None
    return found.state


def open_items(queue: str = "documents") -> set[tuple[Any, str]]:
    session().expire_all()
    rows = session().execute(
        sa.select(QueueItem.object_id, QueueItem.cause).where(QueueItem.queue == queue, QueueItem.closed_at.is_(None))
    )
    return {(object_id, cause) for object_id, cause in rows}


def flags(client: Client) -> set[str]:
    return {flag.code for flag in clients.flags_of(client.id)}


def decided(document: ClientDocument) -> list[tuple[str, str | None, str | None]]:
    return [(each.decision, each.reason_code, each.comment) for each in queries.decisions_of(document.id)][::-1]


def accept(document: ClientDocument, by: Actor, expires_on: date | None = None, **options: Any) -> None:
    with transaction():
        services.accept(document.client_id, document.id, expires_on=expires_on, by=by, **options)


def test_accepting_closes_the_work_and_keeps_who_decided(uploaded: Uploaded, client: Client, officer: Actor) -> None:
    document = uploaded()
    assert open_items() == {(document.id, "review")}
    accept(document, officer, TODAY + timedelta(days=90), category=DocumentCategory.FUNDS, comment="seen")
    assert state(document) == "accepted" and open_items() == set()
    assert (document.category, document.expires_on) == ("sourceOfFunds", TODAY + timedelta(days=90))
    [decision] = queries.decisions_of(document.id)
    assert (decision.decided_by_id, decision.comment, decision.category) == (officer.id, "seen", "sourceOfFunds")


def test_a_wrong_decision_is_answered_by_another_one(uploaded: Uploaded, officer: Actor) -> None:
    document = uploaded()
    accept(document, officer)
    with transaction():
        services.reject(
            document.client_id, document.id, reason=DocumentRejection.DIFFERS, comment=" looks altered ", by=officer
        )
    accept(document, officer)
    assert decided(document) == [
        ("accepted", None, None),
        ("rejected", "differsFromProfile", "looks altered"),
        ("accepted", None, None),
    ]


def test_who_looked_at_another_state_decides_nothing(uploaded: Uploaded, officer: Actor) -> None:
    document = uploaded()
    accept(document, officer, seen=DocumentState.TO_REVIEW)
    with pytest.raises(Conflict, match="accepted"), transaction():
        services.reject(
            document.client_id,
            document.id,
            reason=DocumentRejection.UNREADABLE,
            seen=DocumentState.TO_REVIEW,
            by=officer,
        )
    assert state(document) == "accepted"


def test_a_day_that_is_over_is_not_accepted(uploaded: Uploaded, officer: Actor) -> None:
    document = uploaded()
    with pytest.raises(Invalid) as refusal:
        accept(document, officer, TODAY - timedelta(days=2))
    assert [(error.field, error.rule) for error in refusal.value.errors] == [("expiryDate", "past")]
    assert state(document) == "toReview"


def test_nothing_is_decided_about_what_was_withdrawn(uploaded: Uploaded, officer: Actor) -> None:
    document = uploaded()
    with transaction():
        services.withdraw(document.client_id, document.id, reason="wrong client", by=officer)
    with pytest.raises(Conflict):
        accept(document, officer)
    with pytest.raises(Invalid), transaction():
        services.withdraw(document.client_id, document.id, reason="  ", by=officer)
    assert decided(document) == [("withdrawn", None, "wrong client")]


def test_who_only_reads_decides_nothing(uploaded: Uploaded, people: People) -> None:
    document = uploaded()
    with pytest.raises(Forbidden):
        accept(document, people.actor(Role.AUDITOR))


def test_an_identity_document_takes_the_profiles_expiry_and_remembers_its_number(
    uploaded: Uploaded, client: Client
) -> None:
    individual = clients.individual_of(client)
    assert individual is not None
    document = uploaded(category=DocumentCategory.IDENTITY)
    assert document.expires_on == individual.document_expiration_date and document.profile_key is not None
    stated = uploaded("red", category=DocumentCategory.IDENTITY, expires_on=date(2040, 1, 2))
    assert stated.expires_on == date(2040, 1, 2)
    assert uploaded("blue").profile_key is None, "only identity documents are tied to the profile's"


# --- expiry -----------------------------------------------------------------------------------------------------


def expired(document: ClientDocument, officer: Actor, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Accept it until today, and let the next day come."""
    from dashboard import clock

    accept(document, officer, clock.calendar().today())
    tomorrow = clock.now() + timedelta(days=1)
    monkeypatch.setattr(clock, "now", lambda: tomorrow)
    with transaction():
        return services.expire(document.client_id, document.id, by=BY)


def test_a_document_expires_after_its_last_day_and_flags_the_client(
    uploaded: Uploaded, client: Client, officer: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = uploaded()
    with transaction():
        assert not services.expire(client.id, document.id, by=BY), "it was never accepted"
    assert expired(document, officer, monkeypatch)
    assert state(document) == "expired" and flags(client) == {"fileExpired"}
    assert (client.id, "flags") in open_items("client-review")
    with transaction():
        assert not services.expire(client.id, document.id, by=BY), "once is enough"
    assert decided(document)[-1] == ("expired", None, None)


def test_a_newer_document_of_the_same_kind_takes_the_flag_away(
    uploaded: Uploaded, client: Client, officer: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    expired(uploaded(), officer, monkeypatch)
    other = uploaded("red", category=DocumentCategory.FUNDS)
    accept(other, officer)
    assert flags(client) == {"fileExpired"}, "another kind says nothing about it"
    accept(uploaded("blue"), officer, TODAY + timedelta(days=400))
    assert flags(client) == set()


def test_withdrawing_the_newer_one_brings_the_flag_back(
    uploaded: Uploaded, client: Client, officer: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    expired(uploaded(), officer, monkeypatch)
    newer = uploaded("blue")
    accept(newer, officer)
    with transaction():
        services.withdraw(client.id, newer.id, reason="forged", by=officer)
    assert flags(client) == {"fileExpired"}


def test_a_reminder_opens_before_and_goes_when_a_newer_one_is_there(
    uploaded: Uploaded, client: Client, officer: Actor
) -> None:
    soon, later, forever = uploaded("red"), uploaded("green", category=DocumentCategory.FUNDS), uploaded("blue")
    accept(soon, officer, TODAY + timedelta(days=20))
    accept(later, officer, TODAY + timedelta(days=50))
    for _ in range(2):
        with transaction():
            assert services.remind(days_ahead=30) == (1, None)
        assert open_items() == {(soon.id, "expires"), (forever.id, "review")}
    accept(forever, officer)
    assert open_items() == set()
    with transaction():
        services.remind(days_ahead=30)
    assert open_items() == set(), "what is replaced needs no reminder"


def test_reminders_come_in_parts(uploaded: Uploaded, officer: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboard.clients.documents.services import expiring

    monkeypatch.setattr(expiring, "PART", 2)
    categories = (DocumentCategory.ADDRESS, DocumentCategory.FUNDS, DocumentCategory.REGISTRATION)
    made = [uploaded(c, category=k) for c, k in zip(("red", "green", "blue"), categories, strict=True)]
    for each in made:
        accept(each, officer, TODAY + timedelta(days=5))
    looked, edge = 0, None
    for _ in range(2):
        with transaction():
            part, edge = services.remind(days_ahead=30, after=edge)
        looked += part
    assert (looked, edge) == (3, None)
    assert open_items() == {(each.id, "expires") for each in made}


# --- erasing ----------------------------------------------------------------------------------------------------


def test_the_end_closes_the_work_on_documents_and_a_file_stays_while_a_document_names_it(
    uploaded: Uploaded, client: Client, officer: Actor, folder: Store
) -> None:
    uploaded(), uploaded("red")
    assert open_items()
    with transaction():
        hashes = services.to_erase(client.id, by=BY)
    assert len(hashes) == 2 and open_items() == set()
    assert services.remove_files(hashes, store=folder) == 0, "nothing was emptied: the purge alone does that"
    assert len(files(folder)) == 2
    assert None not in {row.file_name for row in session().scalars(sa.select(ClientDocument))}


def test_emptied_documents_lose_their_files_and_their_client_takes_no_new_ones(
    committed: Flask, admin: psycopg.Connection[Any], tmp_path: Path
) -> None:
    folder, officer = Store(tmp_path), People().actor(Role.OFFICER)
    first, second = person(officer).id, company(officer).id

    def put(client_id: UUID, colour: str) -> ClientDocument:
        looked = services.Looked(papers.picture(colour=colour), "x.png", DocumentKind.PNG, 1)
        with transaction():
            return services.upload(client_id, looked, category=DocumentCategory.OTHER, store=folder, by=officer)[0]

    gone, _ = put(first, "teal"), (put(first, "red"), put(second, "red"))
    with transaction():
        hashes = services.to_erase(first, by=BY)
    emptied(admin, first)
    assert services.remove_files(hashes, store=folder) == 1
    assert len(files(folder)) == 1, "another client has the other one too"
    with pytest.raises(NotFound):
        queries.get(first, gone.id)
    with transaction():
        assert services.to_erase(first, by=BY) == [], "again finds nothing"
    with pytest.raises(Refused) as refusal:
        put(first, "blue")
    assert refusal.value.code == "clientErased"


def test_the_end_of_a_relationship_says_until_when_documents_are_kept_and_never_takes_it_back(
    uploaded: Uploaded, client: Client, folder: Store
) -> None:
    uploaded()
    later = TODAY + timedelta(days=2)
    with transaction():
        assert services.relationship_ended(client.id, keep_until=later) == 1
    with transaction():
        assert services.relationship_ended(client.id, keep_until=TODAY) == 0
    session().expire_all()
    assert session().scalars(sa.select(ClientDocument.keep_until)).all() == [later]


def test_the_sweep_removes_what_died_and_nothing_else(uploaded: Uploaded, folder: Store) -> None:
    uploaded()
    [kept] = files(folder)
    stray = folder.path_of("ab" * 32)
    half, fresh = folder.folder / INCOMING / "half", folder.folder / INCOMING / "fresh"
    for path in (stray, half, fresh):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    long_ago = time.time() - FORGOTTEN_SECONDS - 5
    for path in (stray, half, kept):
        os.utime(path, (long_ago, long_ago))
    assert services.sweep(folder) == {"half_written": 1, "without_a_row": 1}
    assert set(files(folder)) == {kept, fresh}
    assert services.sweep(Store(folder.folder / "not-there")) == {"half_written": 0, "without_a_row": 0}


# --- what is told -----------------------------------------------------------------------------------------------


def test_who_may_not_see_reasons_reads_no_comment_in_the_timeline(
    uploaded: Uploaded, client: Client, officer: Actor, people: People
) -> None:
    document = uploaded()
    with transaction():
        services.reject(
            client.id, document.id, reason=DocumentRejection.UNREADABLE, comment="suspected forgery", by=officer
        )
    shown = story.timeline(client.id, actor=people.actor(Role.TREASURER))
    assert "Document rejected" in [told.what for told in shown]
    assert "suspected forgery" not in repr(shown) and "teal.png" not in repr(shown)
    assert "Document rejected: teal.png" in [told.what for told in story.timeline(client.id, actor=officer)]
    assert "suspected forgery" in repr(story.timeline(client.id, actor=officer))


def test_pages_turned_are_one_look_and_downloads_are_told_each(
    uploaded: Uploaded, client: Client, officer: Actor, people: People, folder: Store
) -> None:
    document = uploaded()
    for _ in range(3):
        with transaction():
            services.look_at(client.id, document.id, page=1, by=officer)
    with transaction():
        services.look_at(client.id, document.id, page=1, by=people.actor(Role.AUDITOR))
        services.download(client.id, document.id, store=folder, by=officer, withdrawn=True)
    reads = session().scalars(sa.select(AuditEvent).where(AuditEvent.action == "document.read")).all()
    assert [event.actor_role for event in reads] == ["officer", "auditor", "officer"]
    with pytest.raises(NotFound):
        services.look_at(client.id, document.id, page=2, by=officer)
    with pytest.raises(NotFound):
        services.look_at(new_id(), document.id, page=1, by=officer)


def test_an_accepted_document_brings_the_next_review_forward_and_its_renewal_puts_it_back(
    uploaded: Uploaded, officer: Actor, client: Client
) -> None:
    def planned() -> date:
        session().expire_all()
        return session().get_one(ClientReviewPlan, client.id).next_on

    by_risk, soon = planned(), TODAY + timedelta(days=20)
    assert by_risk > soon
    accept(uploaded(), officer, soon)
    assert planned() == soon
    accept(uploaded("red"), officer, by_risk + timedelta(days=1))
    assert planned() == by_risk
