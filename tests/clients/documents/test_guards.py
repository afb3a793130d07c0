"""What the database refuses about documents even when a service, or somebody at a console, tries."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Role
from dashboard.clients.documents import services
from dashboard.clients.documents.models import ClientDocument
from dashboard.clients.documents.store import Store
from dashboard.clients.documents.vocabulary import DocumentCategory, DocumentKind
from dashboard.clients.models import Client
from dashboard.clients.retention import HoldCode
from dashboard.clients.services import place_hold
from dashboard.database import constraint_of, new_id, session, transaction
from tests.clients.documents import papers
from tests.clients.documents.ending import emptied
from tests.clients.making import TODAY, person
from tests.conftest import People

Uploaded = Callable[..., ClientDocument]


def refused(statement: str, **values: object) -> str:
    """Run a statement that must be refused; gives the rule, or "no grant"."""
    with pytest.raises((sa.exc.IntegrityError, sa.exc.ProgrammingError)) as caught, session().begin_nested():
        session().execute(sa.text(statement), values)
    if getattr(caught.value.orig, "sqlstate", "") == "42501":
        return "no grant"
    assert isinstance(caught.value, sa.exc.IntegrityError)
    return constraint_of(caught.value) or ""


def decision(document: ClientDocument, state: str, **options: object) -> object:
    """A decision written past the services; gives its id."""
    values = {
        "id": new_id(), "document": document.id, "decision": state, "reason": None, "comment": "x",
        "category": document.category, "expires": document.expires_on, "kind": "staff", "at": clock.now(), **options,
    }  # fmt: skip
    session().execute(
        sa.text(
            "INSERT INTO client_document_decision (id, document_id, decision, reason_code, comment, category,"
            " expires_on, decided_by_kind, decided_by_name, decided_at)"
            " VALUES (:id, :document, :decision, :reason, :comment, :category, :expires, :kind, 'x', :at)"
        ),
        values,
    )
    return values["id"]


@pytest.mark.parametrize(
    "change",
    ["sha256 = repeat('0', 64)", "file_name = 'x.png'", "size = 1", "client_id = client_id", "created_at = now()",
     "erased_at = now(), file_name = NULL", "media_type = 'application/pdf'"],
)  # fmt: skip
def test_what_was_uploaded_is_never_changed(uploaded: Uploaded, change: str) -> None:
    uploaded()
    assert refused(f"UPDATE client_document SET {change}") == "no grant"


@pytest.mark.parametrize("table", ["client_document", "client_document_decision"])
@pytest.mark.parametrize("verb", ["DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_documents_and_decisions_are_never_deleted(uploaded: Uploaded, officer: Actor, table: str, verb: str) -> None:
    uploaded()
    assert refused(verb.format(table)) == "no grant"


def test_a_decision_is_never_rewritten(uploaded: Uploaded, officer: Actor) -> None:
    document = uploaded()
    with transaction():
        services.accept(document.client_id, document.id, comment="seen", by=officer)
    assert refused("UPDATE client_document_decision SET comment = 'other'") == "no grant"


@pytest.mark.parametrize("state", ["accepted", "rejected", "withdrawn"])
def test_no_state_without_its_decision(uploaded: Uploaded, state: str) -> None:
    uploaded()
    rule = refused(f"UPDATE client_document SET state = '{state}'")
    assert rule == "client_document_needs_a_decision"


def test_a_decision_gives_the_state_that_it_says_to_the_document_that_it_is_about(uploaded: Uploaded) -> None:
    document, other = uploaded(), uploaded("red")
    accepted = decision(document, "accepted")
    change = "UPDATE client_document SET state = :state, decision_id = :decision WHERE id = :id"
    rule = "client_document_needs_a_decision"
    assert refused(change, state="withdrawn", decision=accepted, id=document.id) == rule
    assert refused(change, state="accepted", decision=accepted, id=other.id) == rule
    elsewhere = change.replace("SET", "SET expires_on = '2040-01-01',")
    assert refused(elsewhere, state="accepted", decision=accepted, id=document.id) == rule
    old = decision(document, "accepted", at=clock.now() - timedelta(minutes=2))
    assert refused(change, state="accepted", decision=old, id=document.id) == rule, "an old decision is used up"
    session().execute(sa.text(change), {"state": "accepted", "decision": accepted, "id": document.id})


def test_a_category_or_an_expiry_changes_by_a_decision_only(uploaded: Uploaded) -> None:
    uploaded()
    assert refused("UPDATE client_document SET category = 'other'") == "client_document_needs_a_decision"
    assert refused("UPDATE client_document SET expires_on = '2040-01-01'") == "client_document_needs_a_decision"


def test_only_what_was_accepted_expires(uploaded: Uploaded) -> None:
    document = uploaded(expires_on=TODAY)
    over = decision(document, "expired", kind="system")
    change = "UPDATE client_document SET state = 'expired', decision_id = :decision"
    assert refused(change, decision=over) == "client_document_expires_when_accepted"


def test_a_withdrawn_document_stays_withdrawn(uploaded: Uploaded, officer: Actor) -> None:
    document = uploaded()
    with transaction():
        services.withdraw(document.client_id, document.id, reason="twice", by=officer)
    again = decision(document, "accepted")
    change = "UPDATE client_document SET state = 'accepted', decision_id = :decision"
    assert refused(change, decision=again) == "client_document_withdrawn_is_final"


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"state": "rejected"}, "ck_client_document_decision_rejected_with_a_reason"),
        ({"state": "rejected", "reason": "ugly"}, "ck_client_document_decision_reason_known"),
        ({"state": "accepted", "reason": "unreadable"}, "ck_client_document_decision_rejected_with_a_reason"),
        ({"state": "withdrawn", "comment": "  "}, "ck_client_document_decision_withdrawn_with_a_reason"),
        ({"state": "expired", "kind": "staff"}, "ck_client_document_decision_expired_by_the_day"),
        ({"state": "toReview"}, "ck_client_document_decision_decision_known"),
    ],
)
def test_a_decision_is_complete(uploaded: Uploaded, options: dict[str, str], rule: str) -> None:
    document = uploaded()
    with pytest.raises(sa.exc.IntegrityError) as caught, session().begin_nested():
        decision(document, options.pop("state"), **options)
    assert constraint_of(caught.value) == rule


def test_a_document_begins_to_review_and_the_same_content_is_there_once(uploaded: Uploaded) -> None:
    document = uploaded()
    copy = (
        "INSERT INTO client_document (id, client_id, sha256, size, media_type, pages, file_name, category, state,"
        " decision_id, uploaded_by_kind, uploaded_by_name, created_at)"
        " SELECT :id, client_id, {}, size, media_type, pages, file_name, category, {}, {}, uploaded_by_kind,"
        " uploaded_by_name, created_at FROM client_document WHERE id = :of"
    )
    again = copy.format("sha256", "state", "NULL")
    assert refused(again, id=new_id(), of=document.id) == "uq_client_document_content"
    begun = copy.format("repeat('a', 64)", "'accepted'", ":decision")
    accepted = decision(document, "accepted")
    rule = refused(begun, id=new_id(), of=document.id, decision=accepted)
    assert rule == "client_document_begins_to_review"


def test_no_call_of_the_application_empties_a_document(uploaded: Uploaded, client: Client, officer: Actor) -> None:
    uploaded()
    with transaction():
        place_hold(client.id, code=HoldCode.LITIGATION, reference="x", by=officer)
    # the purge alone does: it asks for a request, two people, holds and retention
    callable_ones = session().scalars(
        sa.text("SELECT p.proname FROM pg_proc p WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace"
                " AND has_function_privilege(current_user, p.oid, 'EXECUTE') AND p.prosrc LIKE '%erased_at =%'")
    ).all()  # fmt: skip
    assert callable_ones == []
    assert session().scalar(sa.text("SELECT to_regproc('erase_client_documents')")) is None
    assert refused("UPDATE client_document SET file_name = NULL, erased_at = now()") == "no grant"
    assert refused("UPDATE client_document_decision SET comment = NULL, erased_at = now()") == "no grant"


@pytest.mark.parametrize("shorter", ["NULL", "'2031-01-30'"])
def test_what_is_kept_until_a_day_is_never_kept_shorter(uploaded: Uploaded, shorter: str) -> None:
    uploaded()
    session().execute(sa.text("UPDATE client_document SET keep_until = '2031-01-31'"))
    assert refused(f"UPDATE client_document SET keep_until = {shorter}") == "client_document_kept_as_long_as_said"
    session().execute(sa.text("UPDATE client_document SET keep_until = '2036-01-31'"))


def test_an_erased_document_is_never_changed(committed: Flask, admin: psycopg.Connection[Any], tmp_path: Path) -> None:
    officer = People().actor(Role.OFFICER)
    client_id = person(officer).id
    looked = services.Looked(papers.picture(), "x.png", DocumentKind.PNG, 1)
    with transaction():
        services.upload(client_id, looked, category=DocumentCategory.OTHER, store=Store(tmp_path), by=officer)
    emptied(admin, client_id)
    assert refused("UPDATE client_document SET keep_until = '2040-01-01'") == "client_document_erased_is_final"
