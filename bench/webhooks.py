"""Webhooks: how fast they are answered, beside the bare endpoint, while the worker processes them.

`python -m bench --webhooks` prints the answers a second, their p99, and how many events waited when the load ended and
how long the worker took for them. A tenth of the messages is told twice.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

import psycopg

from bench.figures import ROUNDS, Figure, Goal, Measured, head, in_turn, line
from bench.references import bare_webhook
from bench.server import Bench, production
from bench.serving import cpu_seconds, scheduler, served
from dashboard.access.actor import system
from dashboard.app import create_app
from dashboard.clients import services as clients
from dashboard.clients.profile import IndividualProfile
from dashboard.database import db, transaction
from dashboard.settings import Settings

SECRET = "bench-webhook-secret"
CONNECTIONS, SECONDS, WARM_SECONDS = 16, 4.0, 1.0
CLIENTS = int(os.environ.get("BENCH_WEBHOOK_CLIENTS", "2000"))
TWICE = 0.1
#: the answer within so many milliseconds at the 99th percentile, and so much of the bare endpoint
P99_MS, OF_BARE = 100.0, 0.5
PATIENCE_SECONDS = 300.0
PATH = "/integration/sumsub-webhooks/update-state"
_KINDS = (
    ("applicantCreated", "init", None), ("applicantPending", "pending", None),
    ("applicantReviewed", "completed", {"reviewAnswer": "RED", "reviewRejectType": "RETRY",
                                        "rejectLabels": ["SCREENSHOTS"]}),
    ("applicantReviewed", "completed", {"reviewAnswer": "GREEN"}),
)  # fmt: skip


@dataclass(frozen=True)
class Webhooks:
    """Signed messages about these clients, as they go over the wire."""

    secret: str
    clients: Sequence[str]
    #: one message a request
    size: int = 0
    payments: int = 1

    def rendered(self, count: int) -> list[bytes]:
        """So many requests, some of them twice."""
        found: list[bytes] = []
        moment = datetime.now(UTC)
        for number in range(count):
            if found and random.random() < TWICE:
                found.append(random.choice(found))
            else:
                found.append(self._request(moment + timedelta(milliseconds=number)))
        return found

    def is_right(self, status: int, body: bytes) -> bool:
        return status == 200 and (b'"kept"' in body or b'"known"' in body)

    def _request(self, at: datetime) -> bytes:
        client = random.choice(self.clients)
        kind, status, result = random.choice(_KINDS)
        told = {
            "applicantId": client.replace("-", "")[-24:], "inspectionId": "0" * 24, "applicantType": "individual",
            "correlationId": f"req-{uuid4()}", "levelName": "basic-kyc", "externalUserId": client, "type": kind,
            "sandboxMode": False, "reviewStatus": status, **({"reviewResult": result} if result else {}),
            "createdAtMs": f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03}", "clientId": "bench",
        }  # fmt: skip
        body = json.dumps(told).encode()
        lines = [
            f"POST {PATH} HTTP/1.1",
            "Host: 127.0.0.1",
            f"X-Payload-Digest: {hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()}",
            "X-Payload-Digest-Alg: HMAC_SHA256_HEX",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def run(bench: Bench) -> None:
    """Prints the table."""
    settings = bench.migrated("bench_webhooks")
    wanted = Webhooks(SECRET, _clients(settings))
    bare_url = bench.created("bench_bare_webhooks")
    with psycopg.connect(bare_url, autocommit=True) as connection:
        connection.execute(bare_webhook.TABLES)
    env = production(settings) | {"SUMSUB_WEBHOOK_SECRET": SECRET}
    head(f"Webhooks, a tenth of them told twice: medians of {ROUNDS} rounds, all in turn; ! misses its goal")
    with served("bench.references.bare_webhook:app", bench.folder,
                {"REFERENCE_URL": bare_url, "REFERENCE_SECRET": SECRET}) as bare, \
            served("wsgi:app", bench.folder, env) as ours:  # fmt: skip

        def measured(served_: object, idle_after: bool) -> Figure:
            spent = cpu_seconds(bench.pid())
            figure, answered = served_.measure(  # type: ignore[attr-defined]
                wanted, connections=CONNECTIONS, seconds=SECONDS, warm=WARM_SECONDS
            )
            spent = cpu_seconds(bench.pid()) - spent
            if idle_after:
                _processed(settings)
            return replace(figure, database_us=spent / answered * 1e6)

        programs: dict[str, Callable[[], Figure]] = {
            "bare Flask, HMAC and one INSERT": partial(measured, bare, False),
            "product, nobody processes": partial(measured, ours, False),
        }
        _lines(in_turn(programs), judged=True)
        with scheduler(env, bench.folder):
            _processed(settings)
            programs = {
                "bare Flask, HMAC and one INSERT": partial(measured, bare, False),
                "product, while the worker processes": partial(measured, ours, True),
            }
            _lines(in_turn(programs, rounds=1), judged=False)
    _nothing_twice(settings)


def _lines(found: Mapping[str, Measured], *, judged: bool) -> None:
    (bare_name, reference), (name, product) = found.items()
    line(bare_name, CONNECTIONS, reference)
    # while the worker processes, it shares the processors with what it is measured against
    line(name, CONNECTIONS, product, Goal("bare Flask", product.against(reference), OF_BARE if judged else None))
    slow = product.middle.p99_ms > P99_MS
    print(f"{'':42}p99 {product.middle.p99_ms:.1f} ms, goal {P99_MS:.0f} ms{' !' if slow else ''}", flush=True)


def _clients(settings: Settings) -> list[str]:
    app = create_app(settings)
    with app.app_context():
        found = []
        for number in range(CLIENTS):
            with transaction():
                profile = IndividualProfile(first_name="Bench", last_name=f"Number {number}")
                found.append(str(clients.create(profile, by=system("bench")).id))
        db.session.remove()
        db.engine.dispose()
    return found


def _processed(settings: Settings) -> None:
    """Wait until nothing waits, and say how long that took. Raises AssertionError where it takes too long."""
    began = time.monotonic()
    url = (settings.migration_database_url or "").replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        asked = "SELECT count(*) FROM sumsub_event WHERE processed_at IS NULL"
        first = left = connection.execute(asked).fetchone()[0]  # type: ignore[index]
        while left and time.monotonic() - began < PATIENCE_SECONDS:
            time.sleep(0.1)
            left = connection.execute(asked).fetchone()[0]  # type: ignore[index]
    assert not left, f"{left} events were not processed in {PATIENCE_SECONDS:.0f} s"
    if first:
        seconds = time.monotonic() - began
        print(f"{'':42}{first:,} events waited at the end and were processed in {seconds:.1f} s", flush=True)


def _nothing_twice(settings: Settings) -> None:
    url = (settings.migration_database_url or "").replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM sumsub_event), (SELECT sum(deliveries) FROM sumsub_event),"
            " (SELECT count(*) FROM client WHERE status = 'active'),"
            " (SELECT count(*) FROM verification_decision WHERE effect = 'activated'),"
            " (SELECT count(*) FROM audit_event WHERE action = 'client.activated')"
        ).fetchone()
    assert row is not None
    events, deliveries, active, activated, told = row
    print(f"{events:,} events kept of {deliveries:,} deliveries; {active:,} clients active, each activated once")
    assert active == activated == told, row
