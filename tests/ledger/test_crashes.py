"""`kill -9` of web workers and of the database, twenty times under load: what was answered is there exactly once."""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from dashboard import embedded
from dashboard.access import tokens
from dashboard.access.permissions import Audience
from dashboard.app import create_app
from dashboard.database import db, transaction
from dashboard.settings import Settings
from tests.conftest import roomy_memory
from tests.ledger.conftest import Book
from tests.ledger.invariants import STATEMENT
from tests.serve.test_serve import Run, free_port, processes_below, until

WORKERS, BACKENDS, SERVERS = 6, 10, 4
TELLERS = 6
#: payments that are answered between two kills, or so many seconds of trying
PROGRESS, PATIENCE = 12, 2.5


@dataclass
class Asked:
    """One request that was sent: what it would make, and what became of it."""

    path: str
    body: dict[str, Any]
    key: str | None
    parents: list[str]
    tries: int = 0
    status: int | None = None
    answer: dict[str, Any] = field(default_factory=dict)

    @property
    def answered(self) -> bool:
        return self.status is not None


class Teller(threading.Thread):
    """One machine that pays without pause. What breaks it sends again where it has a key, mostly."""

    def __init__(self, port: int, secret: str, accounts: list[UUID], seed: int) -> None:
        super().__init__(daemon=True)
        self.port, self.secret, self.accounts = port, secret, accounts
        self.chance = random.Random(seed)
        self.ended = threading.Event()
        self.asked: list[Asked] = []
        self.answers = 0
        self.heard: Counter[tuple[int, str | None]] = Counter()
        self.connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        while not self.ended.is_set():
            for asked in self._next():
                self.asked.append(asked)
                self.send(asked)
                while not asked.answered and asked.key and not self.ended.is_set() and self.chance.random() < 0.95:
                    time.sleep(0.1)
                    self.send(asked)
                if asked.status != 200:
                    break

    def _next(self) -> Iterator[Asked]:
        kind = self.chance.choices(["pay", "usual", "steps", "batch"], [60, 15, 15, 10])[0]
        key = str(uuid4()) if self.chance.random() < 0.75 else None
        if kind == "pay":
            yield self._asked("/internal/Payments", self._payment(), key)
        elif kind == "usual":
            yield self._asked("/internal/Payments", self._payment() | {"purpose": "fee"}, key)
        elif kind == "batch":
            payments = [self._payment() for _ in range(15)]
            yield Asked("/internal/Payments/batch", {"payments": payments}, key, [one["parentId"] for one in payments])
        else:
            leg = self._payment()
            frame = {name: leg.pop(name) for name in ("parentId", "parentType")}
            draft = self._asked("/internal/Payments/draft", frame | {"transactions": [leg, leg]}, key)
            yield draft
            path = f"/internal/Payments/{draft.answer.get('paymentId')}"
            for step in ("pend", self.chance.choice(["post", "cancel"])):
                yield Asked(f"{path}/{step}", {}, f"{step}-{key}" if key else None, [])

    def _asked(self, path: str, body: dict[str, Any], key: str | None) -> Asked:
        return Asked(path, body, key, [body["parentId"]])

    def _payment(self) -> dict[str, Any]:
        debtor, creditor = self.chance.sample(self.accounts, 2)
        return {
            "parentId": str(uuid4()), "parentType": "transfer", "debtorAccountId": str(debtor),
            "creditorAccountId": str(creditor), "currency": "eur", "amount": self.chance.randint(1, 9),
        }  # fmt: skip

    def send(self, asked: Asked) -> None:
        """Answered is what came back whole, and was neither a failure nor "ask again"."""
        headers = {"Authorization": f"Bearer {self.secret}", "Content-Type": "application/json"}
        if asked.key:
            headers["Idempotency-Key"] = asked.key
        asked.tries += 1
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
            self.connection.request("POST", asked.path, json.dumps(asked.body), headers)
            response = self.connection.getresponse()
            answer = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError):
            if self.connection is not None:
                self.connection.close()
            self.connection = None
            return
        errors = answer.get("errors") or [{}]
        code = answer.get("code") or (errors[0].get("metadata") or {}).get("code")
        self.heard[response.status, code] += 1
        if response.status < 500 and code != "inProgress":
            asked.status, asked.answer = response.status, answer
            self.answers += 1


@pytest.fixture
def run() -> Iterator[Run]:
    """In memory where there is such a folder: after a kill the server syncs each of its thousand files, and what a
    process has written is there for the next one on any file system."""
    folder = Path(tempfile.mkdtemp(prefix="countinghouse-crash-", dir=roomy_memory()))
    folder.chmod(0o755)
    started = Run(folder / "instance", free_port(), workers=2)
    try:
        yield started.until_ready()
    finally:
        if started.process.poll() is None:
            started.end()
        embedded.stop(folder / "instance")
        shutil.rmtree(folder, ignore_errors=True)


def postmaster(instance: Path) -> int:
    return int((instance / "postgres" / "postmaster.pid").read_text().split()[0])


def victims(run: Run, kind: str) -> list[int]:
    """Process ids that may be killed now; none while the last one is still coming back."""
    try:
        server = postmaster(run.instance)
    except (OSError, ValueError, IndexError):
        return []
    if kind == "server":
        return [server]
    if kind == "backend":
        return [pid for pid, command in processes_below(server).items() if "countinghouse_app" in command]
    web = {pid: command for pid, command in processes_below(run.process.pid).items() if "dashboard.jobs" not in command}
    granian = min(pid for pid, command in web.items() if "granian" in command)
    return [pid for pid in processes_below(granian) if "resource_tracker" not in web.get(pid, "")]


def test_after_twenty_kills_under_load_every_answered_payment_is_there_exactly_once(
    run: Run, configured: Settings
) -> None:
    server = embedded.running(run.instance)
    assert server is not None
    app = create_app(
        replace(
            configured,
            database_url=server.url(embedded.APP_ROLE),
            migration_database_url=server.url(embedded.OWNER_ROLE),
        )
    )
    with app.app_context():
        book = Book()
        accounts = [book.account(100_000_000) for _ in range(8)] + [book.house()]
        with transaction():
            scopes = tokens.resolve_scopes(Audience.SYSTEM, [])
            secret = tokens.create(audience=Audience.SYSTEM, scopes=scopes, name="teller")[1]
        db.session.remove()
        db.engine.dispose()
    tellers = [Teller(run.port, secret, accounts, seed) for seed in range(TELLERS)]
    for teller in tellers:
        teller.start()

    others = random.sample(["backend"] * BACKENDS + ["server"] * SERVERS, BACKENDS + SERVERS)
    # a worker that was killed is back before the next one goes, mostly: somebody shall be there to pay
    order = [
        kind for i, other in enumerate(others) for kind in (["worker"] * (i % 2 == 0 and i < 2 * WORKERS) + [other])
    ]
    done: Counter[str] = Counter()
    deadline = time.monotonic() + 120
    for kind in order:
        before, moment = sum(teller.answers for teller in tellers), time.monotonic()
        while sum(t.answers for t in tellers) - before < PROGRESS and time.monotonic() - moment < PATIENCE:
            time.sleep(0.01)
        time.sleep(random.uniform(0, 0.05))
        while True:
            assert time.monotonic() < deadline, (done, run.said())
            with suppress(ProcessLookupError):
                if found := victims(run, kind):
                    os.kill(random.choice(found), signal.SIGKILL)
                    break
            time.sleep(0.02)
        done[kind] += 1
    assert done == {"worker": WORKERS, "backend": BACKENDS, "server": SERVERS}

    until(lambda: run.get("/readyz") == 200, run.said, seconds=30)
    for teller in tellers:
        teller.ended.set()
    for teller in tellers:
        teller.join(40)
    assert not any(teller.is_alive() for teller in tellers)
    asked = [one for teller in tellers for one in teller.asked]
    open_ones = [one for one in asked if not one.answered and one.key]

    # whoever has no answer sends the same once more, now that all is well
    patient = Teller(run.port, secret, accounts, seed=0)
    for one in open_ones:
        for _ in range(20):
            patient.send(one)
            if one.answered:
                break
            time.sleep(0.2)
    assert [one for one in open_ones if not one.answered] == []

    heard = sum((teller.heard for teller in (*tellers, patient)), Counter())
    wrong = {said for said in heard if said[0] not in (200, 503) and said[0] < 500 and said[1] != "inProgress"}
    # a step without a key whose answer was lost is not sent again, so nothing is ever refused
    assert wrong == set(), heard

    server = embedded.running(run.instance)
    assert server is not None
    with psycopg.connect(server.url(embedded.OWNER_ROLE).replace("+psycopg", "")) as connection:
        assert connection.execute(STATEMENT.encode()).fetchall() == []
        rows = connection.execute("SELECT parent_id::text, id::text, state FROM payment").fetchall()
        keys = connection.execute("SELECT count(*) FROM idempotency_key WHERE status IS NULL").fetchone()
    assert keys == (0,), "a key without an answer stayed"
    stored = Counter(row[0] for row in rows)
    of_parent = {row[0]: row[1:] for row in rows}
    sent = {parent for one in asked for parent in one.parents}
    answered = [one for one in asked if one.status == 200]
    assert len(answered) > 100
    for one in answered:
        for parent in one.parents:
            assert stored[parent] == 1, "an answered payment is lost, or there twice"
        if len(one.parents) == 1:
            assert of_parent[one.parents[0]][0] == one.answer["paymentId"]
        elif one.parents:
            made = [item["paymentId"] for item in one.answer["items"]]
            assert [of_parent[parent][0] for parent in one.parents] == made
    steps = {one.path.split("/")[3]: one.path.rsplit("/", 1)[1] for one in answered if not one.parents}
    ends = {"pend": {"pending", "posted", "canceled"}, "post": {"posted"}, "cancel": {"canceled"}}
    for payment_id, state in ((row[1], row[2]) for row in rows):
        if payment_id in steps:
            assert state in ends[steps[payment_id]]
    # a batch without an answer is there whole or not at all
    for one in asked:
        if len(one.parents) > 1:
            assert sum(stored[parent] for parent in one.parents) in (0, len(one.parents))
    assert {parent for parent, times in stored.items() if times > 1} == set()
    # the first payments put money on the accounts
    assert len(set(stored) - sent) == 8
    assert run.end() == 0
