"""A stand-in for Sumsub's API on this machine: it checks signatures and clocks by itself, and fails when told to.

Its answers have the fields of Sumsub's samples, personal data included, so that a test sees what is taken of them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

TOKEN, KEY = "sbx:stand-in-token", "stand-in-secret-key"
#: what must never be found anywhere on our side
PERSONAL = ("ZAREMBA", "Ozyorna", "DQ7719", "1987-03-14", "person.of.test@example.org")

_ONE = re.compile(r"/resources/applicants/([^/]+)/one")
_STATUS = re.compile(r"/resources/applicants/([^/]+)/status")


def at(seconds: float) -> str:
    """A time as the API writes it."""
    return time.strftime("%Y-%m-%d %H:%M:%S+0000", time.gmtime(seconds))


@dataclass
class Applicant:
    """An applicant as it stands there. Times are Unix seconds; `review_date` belongs to a completed review."""

    id: str
    external_user_id: str
    status: str = "init"
    answer: str | None = None
    reject_type: str | None = None
    labels: list[str] = field(default_factory=list)
    moderation_comment: str | None = None
    client_comment: str | None = None
    level: str = "basic-kyc-level"
    attempts: int = 1
    type: str = "individual"
    create_date: float = 0.0
    review_date: float | None = None

    def result(self) -> dict[str, Any] | None:
        if self.answer is None:
            return None
        found: dict[str, Any] = {"reviewAnswer": self.answer}
        if self.labels:
            found["rejectLabels"] = self.labels
        for key, value in (
            ("reviewRejectType", self.reject_type),
            ("moderationComment", self.moderation_comment),
            ("clientComment", self.client_comment),
        ):
            if value is not None:
                found[key] = value
        return found

    def review(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "reviewId": f"review-{self.id}",
            "attemptId": f"attempt-{self.attempts}",
            "attemptCnt": self.attempts,
            "elapsedSincePendingMs": 115_879,
            "elapsedSinceQueuedMs": 95_785,
            "reprocessing": True,
            "levelName": self.level,
            "createDate": at(self.create_date or time.time()),
            "reviewStatus": self.status,
            "notificationFailureCnt": 0,
        }
        if self.review_date is not None:
            found["reviewDate"] = at(self.review_date)
        if (result := self.result()) is not None:
            found["reviewResult"] = result
        return found

    def one(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "createdAt": at(self.create_date or time.time())[:19],
            "clientId": "stand-in",
            "inspectionId": f"inspection-{self.id}",
            "externalUserId": self.external_user_id,
            "info": {
                "firstName": "OLENA", "firstNameEn": "OLENA", "lastName": "ZAREMBA", "lastNameEn": "ZAREMBA",
                "dob": "1987-03-14", "country": "UKR",
                "addresses": [{"street": "Ozyorna 4", "town": "Lviv", "postCode": "79000", "country": "UKR"}],
                "idDocs": [{"idDocType": "PASSPORT", "country": "UKR", "number": "DQ7719", "validUntil": "2031-01-01"}],
            },
            "email": "person.of.test@example.org",
            "applicantPlatform": "Android",
            "requiredIdDocs": {"docSets": [{"idDocSetType": "IDENTITY", "types": ["PASSPORT", "ID_CARD"]}]},
            "review": self.review(),
            "lang": "uk",
            "type": self.type,
        }  # fmt: skip


@dataclass
class Seen:
    """One request that came in."""

    target: str
    seconds: int
    status: int


class StandIn:
    """`applicants` by their id; `failures` are taken one a request, before anything else is looked at."""

    def __init__(self) -> None:
        self.applicants: dict[str, Applicant] = {}
        #: status, headers and body of answers to come, instead of the true one
        self.failures: list[tuple[int, dict[str, str], bytes]] = []
        self.seen: list[Seen] = []
        self.skew = 0.0
        self.slow_seconds = 0.0
        self.may_view = True
        #: called with each answer's body before it is sent
        self.bend: Callable[[bytes], bytes] = lambda body: body
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def add(self, applicant: Applicant) -> Applicant:
        self.applicants[applicant.id] = applicant
        return applicant

    def fail(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"{}", *, times: int = 1) -> None:
        self.failures += [(status, headers or {}, body)] * times

    def asked(self, part: str) -> int:
        """Requests whose address holds this."""
        return sum(part in one.target for one in self.seen)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, target: str, given: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Checks as Sumsub does, then answers."""
        with self.lock:
            if self.failures:
                return self.failures.pop(0)
        seconds = given.get("x-app-access-ts", "")
        if given.get("x-app-token") != TOKEN or not seconds.isdigit():
            return 401, {}, _problem(401, "Invalid token")
        if abs(int(seconds) - (time.time() + self.skew)) > 60:
            return 401, {}, _problem(401, "Invalid timestamp")
        wanted = hmac.new(KEY.encode(), f"{seconds}GET{target}".encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(wanted, given.get("x-app-access-sig", "")):
            return 401, {}, _problem(401, "Invalid signature")
        if not self.may_view:
            return 403, {}, _problem(403, "Not permitted")
        if found := _ONE.fullmatch(target):
            applicant = self._find(unquote(found[1]))
            return (200, {}, json.dumps(applicant.one()).encode()) if applicant else (404, {}, _problem(404, "none"))
        if found := _STATUS.fullmatch(target):
            applicant = self._find(unquote(found[1]))
            return (200, {}, json.dumps(applicant.review()).encode()) if applicant else (404, {}, _problem(404, "none"))
        return 404, {}, _problem(404, "no such path")

    def _find(self, key: str) -> Applicant | None:
        if key.startswith("-;externalUserId="):
            wanted = key.removeprefix("-;externalUserId=")
            return next((one for one in self.applicants.values() if one.external_user_id == wanted), None)
        return self.applicants.get(key)


def _problem(status: int, text: str) -> bytes:
    return json.dumps({"code": status, "description": text, "correlationId": "req-stand-in"}).encode()


def _handler(stand_in: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            given = {name.lower(): value for name, value in self.headers.items()}
            status, headers, body = stand_in.answer(self.path, given)
            seconds = given.get("x-app-access-ts", "")
            stand_in.seen.append(Seen(self.path, int(seconds) if seconds.isdigit() else 0, status))
            if stand_in.slow_seconds:
                time.sleep(stand_in.slow_seconds)
            body = stand_in.bend(body) if status == 200 else body
            try:
                self.send_response_only(status)
                for name, value in {
                    "Date": formatdate(time.time() + stand_in.skew, usegmt=True),
                    "Content-Type": "application/json",
                    "Content-Length": str(len(body)),
                    **headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                self.close_connection = True

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing."""

    return Handler


@contextmanager
def standing_in() -> Iterator[StandIn]:
    """The stand-in while the block lasts."""
    one = StandIn()
    one.start()
    try:
        yield one
    finally:
        one.stop()
