"""The list of clients as files: a CSV of a million rows while the server's memory is watched, and an XLSX of a hundred
thousand that is made in the background while somebody opens pages.

Memory is what /proc says of the process that serves, or of the scheduler, which makes the workbook. BENCH_EXPORT_ROWS
is the number of rows of the CSV; the XLSX has a tenth of them, and at most 100,000.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import secrets
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

import sqlalchemy as sa
from flask import Flask

from bench.server import SECRET_KEY, Bench
from bench.serving import Served, memory, scheduler, served, workers
from dashboard import clock
from dashboard.clients.models import Client
from dashboard.database import db, session, transaction
from dashboard.staff.models import StaffMember, StaffSession

ROWS, MOST_XLSX = 1_000_000, 100_000
#: pages asked for before, and as many at least while the workbook is made
PAGES = 200
PAGE = "/clients"
#: memory at the end may be so much more than when a tenth was sent
FLAT = 1.1
#: a page may take so much longer while a workbook is made, at the median
RESPONSIVE = 2.0
MEGABYTE = 1_000_000
WAIT_SECONDS = 900.0


@dataclass
class Person:
    """A signed-in browser that keeps its cookies; one connection for each request."""

    port: int
    cookies: dict[str, str]

    def open(self, method: str, address: str, form: dict[str, str] | None = None) -> http.client.HTTPResponse:
        """The answer, whose body is not read yet."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        body = None
        if form is not None:
            body, headers["Content-Type"] = urlencode(form), "application/x-www-form-urlencoded"
        connection.request(method, address, body, headers)
        answer = connection.getresponse()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def text(
        self, method: str, address: str, form: dict[str, str] | None = None
    ) -> tuple[http.client.HTTPResponse, str]:
        answer = self.open(method, address, form)
        return answer, answer.read().decode()


def _signed_in(app: Flask, port: int) -> Person:
    with app.app_context(), transaction() as current:
        officer = current.scalars(sa.select(StaffMember).where(StaffMember.role == "officer")).first()
        assert officer is not None
        secret, now = secrets.token_urlsafe(32), clock.now()
        digest = hashlib.sha256(secret.encode()).hexdigest()
        current.add(StaffSession(staff_id=officer.id, secret_hash=digest, created_at=now, seen_at=now))
    signer = app.session_interface.get_signing_serializer(app)  # type: ignore[attr-defined]
    return Person(port, {app.config["SESSION_COOKIE_NAME"]: signer.dumps({"_user_id": secret, "_fresh": True})})


# --- CSV --------------------------------------------------------------------------------------------------------


def _csv(server: Served, person: Person, rows: int) -> None:
    """Stream it and look at the memory of every worker on the way."""
    # both workers have served the page before: what they load once is not what a row costs
    for _ in range(20):
        person.text("GET", PAGE)
        person.text("GET", f"/clients/export/csv?{urlencode({'text': 'nobody has this name'})}")
    processes = workers(server.pid)
    before = {pid: memory(pid) for pid in processes}
    marks = {share: max(int(rows * share), 1) for share in (0.1, 0.5, 1.0)}
    seen: dict[float, dict[int, int]] = {}
    began, first, count, size = time.perf_counter(), 0.0, 0, 0
    answer = person.open("GET", "/clients/export/csv")
    assert answer.status == 200, answer.status
    last = b""
    while chunk := answer.read1(1 << 16):
        first = first or time.perf_counter() - began
        count, size = count + chunk.count(b"\n"), size + len(chunk)
        last = (last + chunk)[-200:]
        for share, mark in marks.items():
            if count >= mark and share not in seen:
                seen[share] = {pid: memory(pid) for pid in processes}
    took = time.perf_counter() - began
    told = re.search(rb"# rows: (\d+)", last)
    assert told is not None, "the file was cut off"
    total = int(told[1])
    # of the worker that served it, that is the one that grew most
    pid = max(processes, key=lambda one: seen[0.1][one] - before[one])
    ratio = seen[1.0][pid] / seen[0.1][pid]
    print(f"\nCSV of {total:,} clients over HTTP: {took:.1f} s, {total / took:,.0f} rows a second, "
          f"{size / MEGABYTE:,.0f} MB, first bytes after {first * 1000:.0f} ms")  # fmt: skip
    reached = ", ".join(f"{share:.0%} {seen[share][pid] / MEGABYTE:.1f}" for share in marks)
    print(
        f"memory of the worker, MB: before {before[pid] / MEGABYTE:.1f}, {reached}, "
        f"peak {memory(pid, peak=True) / MEGABYTE:.1f}; from 10 % to the end {ratio:.2f} times"
        f"{' !' if ratio > FLAT else ''} (goal {FLAT})",
        flush=True,
    )


# --- XLSX -------------------------------------------------------------------------------------------------------


@dataclass
class Times:
    """Milliseconds of one page."""

    found: list[float] = field(default_factory=list)

    def ask(self, person: Person) -> None:
        began = time.perf_counter()
        answer, _text = person.text("GET", PAGE)
        self.found.append((time.perf_counter() - began) * 1000)
        assert answer.status == 200, answer.status

    def at(self, share: float) -> float:
        return statistics.quantiles(self.found, n=100, method="inclusive")[round(share * 100) - 1]


def _newest(rows: int) -> str:
    """The day from which about so many clients were created."""
    moment = session().scalar(
        sa.select(Client.created_at).order_by(Client.created_at.desc()).offset(rows - 1).limit(1)
    )  # fmt: skip
    assert moment is not None
    return moment.astimezone(clock.calendar().zone).date().isoformat()


def _hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page)
    assert found is not None, f"the page offers no {name}"
    return unescape(found[1])


def _reset_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def _xlsx(person: Person, since: str, worker: int) -> None:
    quiet, busy, over = Times(), Times(), threading.Event()
    for _ in range(20):
        Times().ask(person)
    for _ in range(PAGES):
        quiet.ask(person)
    before = memory(worker)
    _reset_peak(worker)
    _answer, offered = person.text("GET", f"/clients/export/xlsx?{urlencode({'created_from': since})}")
    form = {"ticket": _hidden(offered, "ticket"), "csrf_token": _hidden(offered, "csrf_token")}
    began = time.perf_counter()
    answer, _text = person.text("POST", "/exports", form)
    assert answer.status == 303, answer.status
    place = answer.headers["Location"]
    other = Person(person.port, dict(person.cookies))

    def read() -> None:
        while not over.is_set():
            busy.ask(other)

    reader = threading.Thread(target=read)
    reader.start()
    steps: set[str] = set()
    try:
        while "The file is ready" not in (page := person.text("GET", place)[1]):
            steps |= set(re.findall(r"([\d,]+ of [\d,]+)</span> rows", page))
            assert "No file was made" not in page and time.perf_counter() - began < WAIT_SECONDS, page
            time.sleep(0.25)
        took = time.perf_counter() - began
    finally:
        over.set()
        reader.join()
    count = int(re.findall(r"([\d,]+)</span> row", page)[0].replace(",", ""))
    size = len(person.open("GET", f"{place}/file").read())
    print(f"XLSX of {count:,} clients in the background: {took:.1f} s, {count / took:,.0f} rows a second, "
          f"{size / MEGABYTE:.1f} MB; progress was seen {len(steps)} times")  # fmt: skip
    print(f"memory of the scheduler, MB: before {before / MEGABYTE:.1f}, "
          f"peak {memory(worker, peak=True) / MEGABYTE:.1f}")  # fmt: skip
    _responsive(quiet, busy)


def _responsive(quiet: Times, busy: Times) -> None:
    cells: Sequence[tuple[str, float]] = (("p50", 0.5), ("p99", 0.99))
    said = []
    for name, share in cells:
        ratio = busy.at(share) / quiet.at(share)
        missed = name == "p50" and ratio > RESPONSIVE
        said.append(f"{name} {quiet.at(share):.1f} → {busy.at(share):.1f} ({ratio:.2f} times{' !' if missed else ''})")
    print(f"{PAGE}, ms, before and meanwhile ({len(quiet.found)} and {len(busy.found)} pages): {', '.join(said)}; "
          f"goal {RESPONSIVE} times at the median", flush=True)  # fmt: skip


def run(bench: Bench) -> None:
    """Prints the figures."""
    rows = int(os.environ.get("BENCH_EXPORT_ROWS", ROWS))
    app, _loaded = bench.filled(rows, "bench_exports")
    settings = app.extensions["countinghouse.settings"]
    with app.app_context():
        since = _newest(min(rows // 10, MOST_XLSX) if rows < ROWS else MOST_XLSX)
        db.session.remove()
        db.engine.dispose()
    env = {
        "DATABASE_URL": settings.database_url, "SECRET_KEY": SECRET_KEY, "INSTANCE_PATH": str(settings.instance_path),
        "MIGRATION_DATABASE_URL": settings.migration_database_url, "EXPORT_XLSX_AT_ONCE": str(min(rows // 20, 5_000)),
    }  # fmt: skip
    with served("wsgi:app", bench.folder, env) as server:
        person = _signed_in(app, server.port)
        _csv(server, person, rows)
        with scheduler(env, bench.folder) as worker:
            # its own jobs of the first minute are over then
            time.sleep(min(rows / 20_000, 20))
            _xlsx(person, since, worker)
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
