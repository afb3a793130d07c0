"""`kill -9` in the middle of imports: whatever was answered is there exactly once afterwards."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from dashboard import embedded
from tests.serve.test_serve import ROOT, Run, free_port, processes_below

PERSON = {
    "riskLevel": "low",
    "address": {"streetLine1": "Street 1", "city": "Tallinn", "zip": "11317", "country": "EE"},
    "phoneNumber": "+3725123456",
    "email": "user@example.com",
    "firstName": "Mari",
    "lastName": "Ilves",
    "citizenshipCountry": "EE",
    "residenceCountry": "EE",
    "identificationDocument": {
        "issuedBy": "PPA",
        "expirationDate": "2035-01-01",
        "type": "passport",
        "number": "K1234567",
        "issuedCountryCode": "EE",
        "issuedDate": "2025-01-01",
    },
    "dateOfBirth": "1980-05-05",
}


class Importer(threading.Thread):
    """One partner's connection: imports one client after the other, remembers which were answered."""

    def __init__(self, port: int, token: str, number: int) -> None:
        super().__init__(daemon=True)
        self.port, self.token, self.number = port, token, number
        self.answered: list[str] = []
        self.sent: list[str] = []
        self.ended = threading.Event()

    def run(self) -> None:
        count = 0
        while not self.ended.is_set() and count < 5000:
            external_id = f"partner-{self.number}-{count}"
            count += 1
            self.sent.append(external_id)
            try:
                with urllib.request.urlopen(import_request(self.port, self.token, external_id), timeout=10) as answer:
                    if answer.status == 200:
                        self.answered.append(external_id)
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)


def import_request(port: int, token: str, external_id: str) -> urllib.request.Request:
    return urllib.request.Request(
        f"http://127.0.0.1:{port}/integration/clients/individuals",
        data=json.dumps({**PERSON, "externalId": external_id}).encode(),
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        method="POST",
    )


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Run]]:
    runs: list[Run] = []

    def start_one() -> Run:
        runs.append(Run(tmp_path / "instance", free_port()))
        return runs[-1]

    yield start_one
    for run in runs:
        if run.process.poll() is None:
            run.end()
    embedded.stop(tmp_path / "instance")


def test_after_kill_9_of_everything_each_answered_import_is_there_exactly_once(
    start: Callable[[], Run], tmp_path: Path
) -> None:
    instance = tmp_path / "instance"
    first = start().until_ready()
    token = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", "tokens", "create", "--audience", "integration"],
        cwd=ROOT,
        env={**os.environ, "INSTANCE_PATH": str(instance)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    importers = [Importer(first.port, token, number) for number in range(4)]
    for importer in importers:
        importer.start()
    deadline = time.monotonic() + 30
    while sum(len(importer.answered) for importer in importers) < 40:
        assert time.monotonic() < deadline, first.said()
        time.sleep(0.02)
    time.sleep(random.uniform(0, 0.5))

    # the supervisor first, so that it brings nothing back; then the workers and the database server
    below = processes_below(first.process.pid)
    postmaster = int((instance / "postgres" / "postmaster.pid").read_text().split()[0])
    for pid in (first.process.pid, *below, postmaster):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    first.process.wait()
    for importer in importers:
        importer.ended.set()
    for importer in importers:
        importer.join(20)

    second = start().until_ready()
    server = embedded.running(instance)
    assert server is not None
    with psycopg.connect(server.url(embedded.OWNER_ROLE).replace("+psycopg", "")) as connection:
        rows = connection.execute(
            "SELECT c.external_id, count(*), count(i.client_id), count(e.id) FROM client c"
            " LEFT JOIN individual i ON i.client_id = c.id"
            " LEFT JOIN audit_event e ON e.client_id = c.id AND e.action = 'client.created'"
            " GROUP BY c.external_id"
        ).fetchall()
    stored = {row[0]: row[1:] for row in rows}
    answered = {external_id for importer in importers for external_id in importer.answered}
    sent = {external_id for importer in importers for external_id in importer.sent}
    assert answered
    assert answered <= set(stored), "an answered import was lost"
    assert set(stored) <= sent
    assert set(stored.values()) == {(1, 1, 1)}, "an import is there twice, or half"

    # the partner sends again what it has no answer for: the known ones are told so, the others go in
    for external_id in sorted(sent - answered):
        try:
            with urllib.request.urlopen(import_request(second.port, token, external_id), timeout=10) as answer:
                assert answer.status == 200
                assert external_id not in stored
        except urllib.error.HTTPError as error:
            assert error.code == 409
            assert external_id in stored
    assert second.end() == 0
