"""CP-09 to CP-12: upload, download, list, withdraw. Problem JSON; nothing is stored of what is refused."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.permissions import Audience
from dashboard.audit.models import AuditEvent
from dashboard.clients.documents import services
from dashboard.clients.documents.models import ClientDocument, ClientDocumentDecision
from dashboard.clients.documents.store import Store
from dashboard.clients.documents.vocabulary import DocumentRejection
from dashboard.clients.models import Client
from dashboard.database import new_id, session, transaction
from dashboard.queues.models import QueueItem
from tests.clients.documents import papers
from tests.clients.documents.papers import files
from tests.clients.making import TODAY, company
from tests.conftest import Machine

HOSTILE = papers.hostile()
#: one of each kind of refusal; the rest are asked of `looking` itself
TRIED = [
    "nothing", "a web page named pdf", "a drawing with a script", "an archive named pdf",
    "a pdf with a web page behind",
    "a pdf with an archive behind", "a jpeg with an archive behind", "a jpeg that is a script",
    "a gif that is a script", "a png of 40,000 by 40,000", "a pdf with a file inside",
    "a pdf with a bomb in two layers",
]  # fmt: skip


@pytest.fixture
def caller(machine: Callable[..., Machine]) -> Machine:
    return machine(Audience.SYSTEM)


def send(
    caller: Machine, client: Any, content: bytes, name: str = "photo.png", key: str | None = None, **fields: Any
) -> Any:
    client_id = client.id if isinstance(client, Client) else client
    return caller.call(
        "POST",
        f"/internal/Clients/{client_id}/Documents/upload",
        data={"file": (io.BytesIO(content), name), **fields},
        content_type="multipart/form-data",
        headers={"Idempotency-Key": key} if key else {},
    )


def path(document: dict[str, Any], rest: str = "") -> str:
    return f"/internal/Clients/{document['clientId']}/Documents/{document['id']}{rest}"


def rows() -> int:
    return session().scalar(sa.select(sa.func.count()).select_from(ClientDocument)) or 0


def events(action: str) -> list[AuditEvent]:
    return list(session().scalars(sa.select(AuditEvent).where(AuditEvent.action == action)))


def test_an_upload_is_looked_at_stored_queued_and_told(caller: Machine, client: Client, folder: Store) -> None:
    content = papers.pdf("Utility bill", pages=2)
    answer = send(caller, client, content, "bill.pdf", category="proofOfAddress", expiryDate="2031-05-02")
    assert answer.status_code == 200, answer.text
    document = answer.get_json()
    assert document | {"id": "", "created": ""} == {
        "id": "",
        "clientId": str(client.id),
        "fileName": "bill.pdf",
        "category": "proofOfAddress",
        "mediaType": "application/pdf",
        "size": len(content),
        "pages": 2,
        "sha256": hashlib.sha256(content).hexdigest(),
        "status": "toReview",
        "expiryDate": "2031-05-02",
        "rejectionReason": None,
        "decided": None,
        "created": "",
        "keepUntil": None,
    }
    [stored] = files(folder)
    assert stored.read_bytes() == content and stored.stat().st_mode & 0o077 == 0
    item = session().scalars(sa.select(QueueItem).where(QueueItem.queue == "documents")).one()
    assert (str(item.object_id), item.cause) == (document["id"], "review")
    [event] = events("document.uploaded")
    assert (event.client_id, event.actor_kind) == (client.id, "token")


def test_what_is_downloaded_is_what_was_uploaded_and_no_browser_opens_it(
    caller: Machine, client: Client, folder: Store
) -> None:
    content = papers.picture("JPEG")
    document = send(caller, client, content, "Żółć.jpg").get_json()
    answer = caller.call("GET", path(document, "/download"))
    assert answer.status_code == 200 and answer.data == content
    headers = answer.headers
    assert headers["Content-Type"] == "image/jpeg"
    assert headers["Content-Disposition"].startswith("attachment; ")
    assert "filename*=UTF-8''%C5%BB%C3%B3%C5%82%C4%87.jpg" in headers["Content-Disposition"]
    assert headers["Content-Security-Policy"].startswith("sandbox;")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert len(events("document.read")) == 1
    caller.call("GET", path(document, "/download"))
    assert len(events("document.read")) == 2, "each download is recorded"


@pytest.mark.parametrize("trick", TRIED)
def test_a_hostile_upload_is_refused_with_its_reason_and_leaves_nothing(
    caller: Machine, client: Client, folder: Store, trick: str
) -> None:
    name, content, reason = HOSTILE[trick]
    answer = send(caller, client, content, name)
    assert answer.status_code == 400 and answer.mimetype == "application/problem+json"
    [error] = answer.get_json()["errors"]
    assert (error["field"], error["rule"]) == ("file", reason) and error["message"]
    assert files(folder) == [] and rows() == 0 and not events("document.uploaded")


@pytest.mark.parametrize("name", ["../../../etc/cron.d/x.png", "a/b.png", "gnp.\u202eexe.png"])
def test_a_name_with_a_path_or_a_trick_is_refused(caller: Machine, client: Client, folder: Store, name: str) -> None:
    answer = send(caller, client, papers.picture(), name)
    assert answer.status_code == 400
    assert [error["rule"] for error in answer.get_json()["errors"]] == ["fileName"]
    assert files(folder) == [] and rows() == 0


def test_a_file_beyond_the_limit_is_refused_before_it_is_read(caller: Machine, client: Client, folder: Store) -> None:
    class Endless:
        """A body that must not be asked for."""

        def read(self, *_size: int) -> bytes:
            raise AssertionError("the body was read")

        readline = read

    answer = caller.call(
        "POST",
        f"/internal/Clients/{client.id}/Documents/upload",
        content_type="multipart/form-data; boundary=x",
        environ_overrides={"CONTENT_LENGTH": str(1024**3), "wsgi.input": Endless()},
    )
    assert answer.status_code == 413 and answer.get_json()["code"] == "tooLarge"
    assert "10 MB" in answer.get_json()["detail"]
    assert files(folder) == []


@pytest.mark.parametrize("key", [None, "k"], ids=["plain", "with a key"])
def test_a_large_file_within_the_limit_is_taken(
    caller: Machine, client: Client, folder: Store, key: str | None
) -> None:
    content = papers.noise(9)
    answer = send(caller, client, content, key=key)
    assert answer.status_code == 200, answer.text
    assert answer.get_json()["size"] == len(content) > 9_000_000
    assert [path.read_bytes() == content for path in files(folder)] == [True]


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "k"}], ids=["plain", "with a key"])
def test_a_body_that_does_not_say_how_long_it_is_is_broken_off(
    caller: Machine, client: Client, folder: Store, headers: dict[str, str]
) -> None:
    read = 0

    class Chunks(io.RawIOBase):
        """As a server gives a chunked body: without a length, and with an end that it knows."""

        head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="x.png"\r\n\r\n'

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            nonlocal read
            piece = self.head if not read else b"\x00" * len(buffer)
            read += len(piece)
            buffer[: len(piece)] = piece
            return len(piece)

    answer = caller.call(
        "POST",
        f"/internal/Clients/{client.id}/Documents/upload",
        content_type="multipart/form-data; boundary=x",
        headers=headers,
        environ_overrides={"wsgi.input": io.BufferedReader(Chunks()), "wsgi.input_terminated": True},
    )
    assert answer.status_code == 413 and answer.get_json()["code"] == "tooLarge"
    assert read < 12 * 1024**2 and files(folder) == []


def test_a_file_just_beyond_the_limit_is_refused_once_read(caller: Machine, client: Client, folder: Store) -> None:
    answer = send(caller, client, b"\x00" * (10 * 1024**2 + 1))
    assert answer.status_code == 413 and answer.get_json()["code"] == "tooLarge"
    assert "Scan it with a lower resolution" in answer.get_json()["detail"]
    assert files(folder) == [] and rows() == 0


@pytest.mark.parametrize(
    ("options", "status", "field"),
    [
        ({"data": {}}, 400, "file"),
        ({"data": {"file": "only text"}}, 400, "file"),
        ({"data": {"document": (io.BytesIO(papers.picture()), "x.png")}}, 400, "file"),
        ({"data": {"file": (io.BytesIO(papers.picture()), "x.png"), "colour": "red"}}, 400, "colour"),
        ({"data": {"file": (io.BytesIO(papers.picture()), "x.png"), "category": "selfie"}}, 400, "category"),
        ({"data": {"file": (io.BytesIO(papers.picture()), "x.png"), "expiryDate": "soon"}}, 400, "expiryDate"),
        ({"data": {"file": (io.BytesIO(papers.picture()), "x.png"), "expiryDate": "9999-12-31"}}, 400, "expiryDate"),
        ({"data": {"file": (io.BytesIO(papers.picture()), "x.png"), "category": "[" * 200}}, 400, "category"),
        ({"data": {"file": (io.BytesIO(papers.picture()), "x.png"), "category": "[" * 5_000}}, 400, "category"),
        ({"data": {"file": [(io.BytesIO(papers.picture()), "x.png"), (io.BytesIO(b"y"), "y.png")]}}, 400, "file"),
    ],
)  # fmt: skip
def test_a_bad_form_names_its_field(
    caller: Machine, client: Client, folder: Store, options: dict[str, Any], status: int, field: str
) -> None:
    answer = caller.call(
        "POST", f"/internal/Clients/{client.id}/Documents/upload", content_type="multipart/form-data", **options
    )
    assert answer.status_code == status, answer.text
    assert field in [error["field"] for error in answer.get_json()["errors"]]
    assert files(folder) == [] and rows() == 0


def test_a_body_that_is_no_form_is_refused(caller: Machine, client: Client) -> None:
    address = f"/internal/Clients/{client.id}/Documents/upload"
    assert caller.call("POST", address, json={"file": "x"}).status_code == 415
    assert caller.call("POST", address, data=b"\x89PNG", content_type="image/png").status_code == 415


def test_who_may_not_upload_is_refused_before_the_body_is_read(
    machine: Callable[..., Machine], client: Client, folder: Store
) -> None:
    reader = machine(Audience.SYSTEM, scopes=["documents:read"])
    assert send(reader, client, papers.picture()).status_code == 403
    assert send(machine(Audience.INTEGRATION), client, papers.picture()).status_code == 403
    nobody = Machine(reader.client, "no-such-token", reader.token_id)
    assert send(nobody, client, papers.picture()).status_code == 401
    assert files(folder) == []


def test_a_client_that_is_not_there_has_no_documents(caller: Machine, folder: Store, app: Flask) -> None:
    missing = new_id()
    assert send(caller, missing, papers.picture()).get_json()["code"] == "clientNotFound"
    assert caller.call("GET", f"/internal/Clients/{missing}/Documents").status_code == 404
    assert files(folder) == []


def test_the_same_file_again_answers_the_document_that_is_there(
    caller: Machine, client: Client, folder: Store, officer: Any
) -> None:
    first = send(caller, client, papers.picture(), "one.png").get_json()
    again = send(caller, client, papers.picture(), "other-name.png").get_json()
    assert again == first and rows() == 1
    other = send(caller, company(officer), papers.picture(), "one.png").get_json()
    assert other["id"] != first["id"], "each client has its own"
    assert len(files(folder)) == 1, "and both share the bytes"


def test_a_request_repeated_with_its_key_is_done_once(caller: Machine, client: Client, folder: Store) -> None:
    sent = {
        "method": "POST",
        "path": f"/internal/Clients/{client.id}/Documents/upload",
        "content_type": "multipart/form-data; boundary=b",
        "headers": {"Idempotency-Key": "k1"},
    }

    def body(colour: str) -> bytes:
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x.png"\r\n\r\n'
        return head + papers.picture(colour=colour) + b"\r\n--b--\r\n"

    first = caller.call(**sent, data=body("red"))
    again = caller.call(**sent, data=body("red"))
    assert first.status_code == again.status_code == 200 and again.get_json() == first.get_json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert caller.call(**sent, data=body("blue")).get_json()["code"] == "keyReused"
    assert rows() == 1


def test_a_document_of_another_client_is_not_found(
    caller: Machine, client: Client, officer: Any, uploaded: Callable[..., ClientDocument]
) -> None:
    document = uploaded()
    other = company(officer)
    for method, rest in (("GET", "/download"), ("DELETE", "")):
        answer = caller.call(method, f"/internal/Clients/{other.id}/Documents/{document.id}{rest}")
        assert (answer.status_code, answer.get_json()["code"]) == (404, "documentNotFound")


def test_lists_filter_and_turn_pages(
    caller: Machine, client: Client, officer: Any, uploaded: Callable[..., ClientDocument]
) -> None:
    made = [uploaded(colour) for colour in ("red", "green", "blue", "teal", "navy")]
    with transaction():
        services.accept(client.id, made[0].id, by=officer, expires_on=TODAY + timedelta(days=9))
        services.reject(client.id, made[1].id, reason=DocumentRejection.UNREADABLE, comment="forged?", by=officer)
        services.withdraw(client.id, made[2].id, reason="twice", by=officer)
    address = f"/internal/Clients/{client.id}/Documents"
    first = caller.call("GET", f"{address}?pageSize=2&includeTotal=true").get_json()
    second = caller.call("GET", f"{address}?pageSize=2&cursor={first['nextCursor']}").get_json()
    listed = [document["fileName"] for document in first["items"] + second["items"]]
    assert listed == ["navy.png", "teal.png", "green.png", "red.png"]
    assert first["totalCount"] == 4 and second["nextCursor"] is None
    rejected = caller.call("GET", f"{address}?status=rejected").get_json()["items"]
    assert [(one["fileName"], one["rejectionReason"]) for one in rejected] == [("green.png", "unreadable")]
    withdrawn = caller.call("GET", f"{address}?includeWithdrawn=true&pageSize=200").get_json()["items"]
    assert len(withdrawn) == 5
    assert caller.call("GET", f"{address}?category=identity").get_json() == {"items": [], "nextCursor": None}
    assert "forged" not in caller.call("GET", address).text, "comments are for staff alone"
    assert caller.call("GET", f"{address}?status=lost").status_code == 400


def test_a_withdrawn_document_leaves_the_list_and_keeps_its_file(
    caller: Machine, client: Client, folder: Store
) -> None:
    document = send(caller, client, papers.picture()).get_json()
    answer = caller.call("DELETE", path(document), json={"reason": "Another client's."})
    assert answer.status_code == 200 and answer.get_json()["status"] == "withdrawn"
    assert caller.call("DELETE", path(document)).get_json() == answer.get_json(), "again changes nothing"
    assert session().scalar(sa.select(sa.func.count()).select_from(ClientDocumentDecision)) == 1
    assert caller.call("GET", f"/internal/Clients/{client.id}/Documents").get_json()["items"] == []
    gone = caller.call("GET", path(document, "/download"))
    assert (gone.status_code, gone.get_json()["code"]) == (404, "documentWithdrawn")
    assert len(files(folder)) == 1
    waiting = sa.select(QueueItem).where(QueueItem.closed_at.is_(None), QueueItem.queue == "documents")
    assert not session().scalars(waiting).all()
    assert send(caller, client, papers.picture()).get_json()["id"] != document["id"], "it may come again"


def test_withdrawing_without_a_body_is_enough(caller: Machine, client: Client, folder: Store) -> None:
    document = send(caller, client, papers.picture()).get_json()
    assert caller.call("DELETE", path(document)).status_code == 200
    assert caller.call("DELETE", path(document), json={"why": "x"}).status_code == 400


@pytest.mark.parametrize("harm", ["changed", "gone"])
def test_a_file_that_is_no_longer_what_was_stored_is_not_given_out(
    caller: Machine, client: Client, folder: Store, harm: str
) -> None:
    document = send(caller, client, papers.picture()).get_json()
    [stored] = files(folder)
    if harm == "gone":
        stored.unlink()
    else:
        stored.write_bytes(papers.picture(colour="red"))
    answer = caller.call("GET", path(document, "/download"))
    assert (answer.status_code, answer.get_json()["code"]) == (500, "documentDamaged")
    assert not events("document.read")
    # the same file sent again puts the bytes right
    assert send(caller, client, papers.picture()).get_json()["id"] == document["id"]
    assert caller.call("GET", path(document, "/download")).data == papers.picture()


def test_a_full_disk_refuses_and_leaves_nothing(
    caller: Machine, client: Client, folder: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard.clients.documents import store

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.os, "fsync", full)
    answer = send(caller, client, papers.picture())
    assert (answer.status_code, answer.get_json()["code"]) == (503, "storageUnavailable")
    assert files(folder) == [] and rows() == 0
