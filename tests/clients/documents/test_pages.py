"""The tab, the upload, the page of one document, and its decisions. Without scripts: plain posts and redirects."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from dashboard.access.permissions import Role
from dashboard.audit.models import AuditEvent
from dashboard.clients.documents import queries, services
from dashboard.clients.documents.models import ClientDocument
from dashboard.clients.documents.store import Store
from dashboard.clients.documents.vocabulary import DocumentCategory, DocumentRejection
from dashboard.clients.models import Client
from dashboard.database import session, transaction
from tests.clients.documents import papers
from tests.clients.documents.papers import files
from tests.clients.making import TODAY, path

Uploaded = Callable[..., ClientDocument]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def desk(signed_in: Any) -> Any:
    return signed_in(Role.OFFICER)


def tab(client: Client, **query: str) -> str:
    return path(client, "?tab=documents" + "".join(f"&{key}={value}" for key, value in query.items()))


def address(document: ClientDocument, rest: str = "") -> str:
    return path(document.client_id, f"/documents/{document.id}{rest}")


def send(desk: Any, client: Client, content: bytes, name: str = "photo.png", **fields: Any) -> Any:
    data = {"file": (io.BytesIO(content), name), "category": "proofOfAddress", "expiry_date": "", **fields}
    return desk.post(path(client, "/documents/new"), data=data, content_type="multipart/form-data")


def state(document: ClientDocument) -> str:
    session().expire_all()
    return queries.get(document.client_id, document.id).state


def test_an_empty_tab_says_what_to_do(desk: Any, client: Client) -> None:
    page = desk.get(tab(client)).text
    assert "No documents yet." in page and path(client, "/documents/new") in page
    assert "KE1234567" in page, "the identity document that the profile names"
    assert 'name="state"' not in page, "nothing to filter"


def test_the_tab_counts_what_waits(desk: Any, client: Client, uploaded: Uploaded) -> None:
    assert "to review)" not in desk.get(path(client)).text
    uploaded()
    uploaded("red")
    page = desk.get(path(client)).text
    assert "(2 to review)" in page
    assert "Proof of address · red.png" in page, "the overview names what is open"


def test_the_tab_lists_filters_and_turns_pages(
    desk: Any, client: Client, uploaded: Uploaded, officer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard.clients.documents.pages import tab as tab_page

    made = [uploaded(colour) for colour in ("red", "green", "blue")]
    with transaction():
        services.withdraw(client.id, made[0].id, reason="twice", by=officer)
        services.reject(client.id, made[1].id, reason=DocumentRejection.UNREADABLE, by=officer)
    page = desk.get(tab(client)).text
    assert "red.png" not in page and "green.png" in page and "Cannot be read" in page and "2 documents" in page
    assert "red.png" in desk.get(tab(client, state="withdrawn")).text
    assert "No document fits." in desk.get(tab(client, category="identity")).text
    monkeypatch.setattr(tab_page, "DEFAULT_PAGE_SIZE", 1)
    first = desk.get(tab(client)).text
    assert "blue.png" in first and "green.png" not in first
    older = first.split('rel="next"')[0].rpartition('href="')[2].rstrip('" ').replace("&amp;", "&")
    assert "green.png" in desk.get(older).text


@pytest.mark.parametrize("role", [Role.TREASURER, Role.ADMIN])
def test_who_may_not_see_documents_finds_none_of_it(
    signed_in: Any, client: Client, uploaded: Uploaded, role: Role
) -> None:
    document = uploaded()
    browser = signed_in(role)
    overview = browser.get(path(client)).text
    assert "tab=documents" not in overview and "teal.png" not in overview
    assert "teal.png" not in browser.get(path(client, "?tab=timeline")).text
    for there in (tab(client), address(document), address(document, "/download"), address(document, "/pages/1.png")):
        assert browser.get(there).status_code == 403, there
    assert browser.post(address(document, "/accept")).status_code == 403


def test_an_auditor_reads_and_decides_nothing(signed_in: Any, client: Client, uploaded: Uploaded) -> None:
    document = uploaded()
    browser = signed_in(Role.AUDITOR)
    page = browser.get(address(document)).text
    assert "Download" in page and ">Accept<" not in page and "Withdraw…" not in page
    assert path(client, "/documents/new") not in browser.get(tab(client)).text
    for rest in ("/accept", "/reject", "/withdraw"):
        assert browser.post(address(document, rest)).status_code == 403


def test_an_upload_leads_to_the_document(desk: Any, client: Client, folder: Store) -> None:
    answer = send(desk, client, papers.picture("JPEG"), "lease.jpg", expiry_date="2039-01-31")
    assert answer.status_code == 303
    page = desk.get(answer.location).text
    assert "lease.jpg" in page and "31 Jan 2039" in page and "To review" in page
    again = send(desk, client, papers.picture("JPEG"), "lease.jpg")
    assert again.location == answer.location
    assert "here already" in desk.get(again.location).text


def test_a_large_file_within_the_limit_is_taken(desk: Any, client: Client, folder: Store) -> None:
    assert send(desk, client, papers.noise(9)).status_code == 303
    assert len(files(folder)) == 1


@pytest.mark.parametrize(
    ("content", "name", "status", "says"),
    [
        (b"", "empty.png", 422, "0 bytes"),
        (papers.HTML, "statement.pdf", 422, "web page"),
        (papers.SVG, "photo.png", 422, "SVG"),
        (papers.picture("JPEG") + papers.archive(), "photo.jpg", 422, "two things at once"),
        (papers.picture(), "../photo.png", 422, "holds a path"),
        (b"\x00" * (10 * 1024**2 + 1), "photo.png", 413, "larger than 10 MB"),
    ],
    ids=["nothing", "web page", "drawing", "polyglot", "path", "large"],
)
def test_a_refused_upload_says_why_beside_the_form_and_leaves_nothing(
    desk: Any, client: Client, folder: Store, content: bytes, name: str, status: int, says: str
) -> None:
    answer = send(desk, client, content, name)
    assert answer.status_code == status and says in answer.text
    assert "Choose a file" not in answer.text and 'type="file"' in answer.text
    assert files(folder) == []


def test_an_upload_far_beyond_the_limit_is_refused_before_the_form_is_read(desk: Any, client: Client) -> None:
    answer = desk.post(
        path(client, "/documents/new"), content_type="multipart/form-data; boundary=x",
        environ_overrides={"CONTENT_LENGTH": str(1024**3)},
    )  # fmt: skip
    assert answer.status_code == 413 and "10 MB" in answer.text


def test_no_file_is_a_field_to_fill(desk: Any, client: Client, folder: Store) -> None:
    answer = desk.post(path(client, "/documents/new"), data={"category": "identity", "expiry_date": "soon"})
    assert answer.status_code == 422
    assert "Choose a file." in answer.text and "Write the date as 2026-03-13." in answer.text


def test_the_upload_opens_over_the_page_and_stands_alone(desk: Any, client: Client) -> None:
    there = path(client, "/documents/new")
    assert "<html" not in desk.get(there, headers=HTMX).text
    whole = desk.get(there).text
    assert "<html" in whole and "Mari Ilves" in whole and 'enctype="multipart/form-data"' in whole


def test_a_page_of_a_document_is_a_picture_of_ours_that_runs_nothing(desk: Any, client: Client, folder: Store) -> None:
    there = send(desk, client, papers.pdf("Extract", pages=2), "extract.pdf").location
    page = desk.get(there).text
    assert page.count('loading="lazy"') == 2 and "<iframe" not in page and "<object" not in page
    answer = desk.get(f"{there}/pages/2.png")
    assert answer.mimetype == "image/png" and answer.data.startswith(b"\x89PNG")
    assert answer.headers["Content-Security-Policy"].startswith("sandbox;")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert desk.get(f"{there}/pages/3.png").status_code == 404
    reads = session().scalars(sa.select(AuditEvent).where(AuditEvent.action == "document.read")).all()
    assert len(reads) == 1
    assert "Document looked at: extract.pdf" in desk.get(path(client, "?tab=timeline")).text
    assert "Document looked at" not in desk.get(path(client)).text, "a look is no change"


def test_a_download_is_an_attachment_also_of_what_was_withdrawn(
    desk: Any, client: Client, uploaded: Uploaded, officer: Any
) -> None:
    document = uploaded()
    with transaction():
        services.withdraw(client.id, document.id, reason="twice", by=officer)
    answer = desk.get(address(document, "/download"))
    assert answer.data == papers.picture() and answer.headers["Content-Disposition"].startswith("attachment;")


def test_accepting_leads_to_the_next_that_waits_and_then_back(desk: Any, client: Client, uploaded: Uploaded) -> None:
    first, second = uploaded(), uploaded("red")
    assert "Next to review (1)" in desk.get(address(first)).text
    until = (TODAY + timedelta(days=30)).isoformat()
    form = {"category": "sourceOfFunds", "expiry_date": until, "seen": "toReview", "comment": "seen"}
    answer = desk.post(address(first, "/accept"), data=form)
    assert (answer.status_code, answer.location) == (303, address(second))
    assert state(first) == "accepted"
    answer = desk.post(address(second, "/reject"), data={"reason": "incomplete", "seen": "toReview"})
    assert answer.location == tab(client)
    assert state(second) == "rejected"
    page = desk.get(address(first)).text
    assert "Source of funds" in page and "“seen”" in page and "Decide again" in page


def test_a_decision_that_lacks_something_names_it_and_changes_nothing(
    desk: Any, client: Client, uploaded: Uploaded
) -> None:
    document = uploaded()
    answer = desk.post(address(document, "/reject"), data={"reason": "", "comment": "kept words", "seen": "toReview"})
    assert answer.status_code == 422 and "Choose the reason." in answer.text and "kept words" in answer.text
    answer = desk.post(address(document, "/reject"), data={"reason": "because", "seen": "toReview"})
    assert answer.status_code == 422
    past = {"category": "other", "expiry_date": "2001-01-01", "seen": "toReview"}
    answer = desk.post(address(document, "/accept"), data=past)
    assert answer.status_code == 422 and "This day is over" in answer.text
    answer = desk.post(address(document, "/accept"), data={"category": "selfie", "seen": "toReview"})
    assert answer.status_code == 422
    assert state(document) == "toReview"


def test_who_was_slower_is_told(desk: Any, client: Client, uploaded: Uploaded, officer: Any) -> None:
    document = uploaded()
    with transaction():
        services.reject(client.id, document.id, reason=DocumentRejection.UNREADABLE, by=officer)
    answer = desk.post(address(document, "/accept"), data={"category": "other", "seen": "toReview"})
    assert answer.status_code == 409 and "Somebody decided meanwhile" in answer.text
    assert state(document) == "rejected"


def test_withdrawing_needs_a_reason(desk: Any, client: Client, uploaded: Uploaded) -> None:
    document = uploaded()
    assert desk.post(address(document, "/withdraw"), data={"reason": " "}).status_code == 422
    answer = desk.post(address(document, "/withdraw"), data={"reason": "Another client's."})
    assert answer.location == tab(client) and state(document) == "withdrawn"
    assert ">Accept<" not in desk.get(address(document)).text


def test_an_identity_document_stands_beside_what_the_profile_names(
    desk: Any, client: Client, uploaded: Uploaded
) -> None:
    document = uploaded(category=DocumentCategory.IDENTITY)
    assert "The profile names KE1234567 (EE)" in desk.get(address(document)).text


def test_a_document_of_another_client_is_not_found(desk: Any, client: Client, uploaded: Uploaded, officer: Any) -> None:
    from tests.clients.making import company

    document, other = uploaded(), company(officer)
    for rest in ("", "/download", "/pages/1.png", "/withdraw"):
        assert desk.get(path(other, f"/documents/{document.id}{rest}")).status_code == 404
    assert desk.post(path(other, f"/documents/{document.id}/accept"), data={"category": "other"}).status_code == 404


def test_the_queue_says_which_document_and_leads_to_it(desk: Any, client: Client, uploaded: Uploaded) -> None:
    document = uploaded()
    page = desk.get("/queues/documents").text
    assert "Documents to review" in page and "Proof of address · teal.png" in page and address(document) in page
    assert "Documents to review" in desk.get("/").text


def test_a_decision_says_which_document_one_sees_now(desk: Any, client: Client, uploaded: Uploaded) -> None:
    first, second = uploaded(), uploaded("red")
    answer = desk.post(
        address(first, "/reject"), data={"reason": "incomplete", "seen": "toReview"}, follow_redirects=True
    )
    assert f"Rejected: {first.file_name}. Now: {second.file_name} (1 of 1)." in answer.text
    answer = desk.post(
        address(second, "/accept"), data={"category": "other", "seen": "toReview"}, follow_redirects=True
    )
    assert f"Accepted: {second.file_name}." in answer.text and "Now:" not in answer.text


def test_who_comes_from_the_queue_goes_on_in_the_queue(
    desk: Any, client: Client, uploaded: Uploaded, officer: Any
) -> None:
    from tests.clients.making import company

    first, other = uploaded(), uploaded("red", client_id=company(officer).id)
    there = f"{address(first)}?via=queue"
    assert f'href="{there}"' in desk.get("/queues/documents").text
    page = desk.get(there).text
    assert '<a href="/queues/documents">Documents to review</a>' in page and "Next to review (1)" in page
    answer = desk.post(f"{address(first, '/accept')}?via=queue", data={"category": "other", "seen": "toReview"})
    assert answer.location == f"{address(other)}?via=queue"
    answer = desk.post(f"{address(other, '/accept')}?via=queue", data={"category": "other", "seen": "toReview"})
    assert answer.location == "/queues/documents"


def test_who_uploaded_a_document_is_told_so_where_it_is_accepted(
    desk: Any, signed_in: Any, client: Client, folder: Store
) -> None:
    answer = send(desk, client, papers.picture(colour="plum"), "own.png", category="other")
    page = desk.get(answer.location).text
    assert "You uploaded this." in page and '<a class="btn" href="#h-decide">Decide</a>' in page
    assert "You uploaded this." not in signed_in(Role.SENIOR_OFFICER).get(answer.location).text


def test_an_upload_that_has_expired_already_is_refused_at_its_field(desk: Any, client: Client, folder: Store) -> None:
    answer = send(desk, client, papers.picture(), "old.png", category="other", expiry_date="2001-01-01")
    assert answer.status_code == 422 and "This day is over" in answer.text
    assert desk.get(tab(client)).text.count("old.png") == 0
