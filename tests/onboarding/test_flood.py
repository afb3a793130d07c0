"""A flood of webhooks with duplicates, while processes are killed: nothing lost, nothing applied twice.

WEBHOOK_FLOOD says how many messages; make test does with fewer. What is killed is killed by progress, not by time.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from flask import current_app

from bench.house import House
from dashboard.access.actor import system
from dashboard.audit.models import AuditEvent
from dashboard.clients.models import Client, ClientVerification, VerificationDecision
from dashboard.database import session
from dashboard.onboarding.sumsub import signature
from dashboard.onboarding.sumsub.models import SumsubApplicant, SumsubEvent
from dashboard.settings import DEMO_WEBHOOK_SECRET, Settings
from tests.clients.making import person
from tests.conftest import Databases
from tests.ledger.committing import application
from tests.onboarding.telling import DOOR, body_of
from tests.onboarding.test_verification import series

COUNT = int(os.environ.get("WEBHOOK_FLOOD", "60"))
#: of ten messages about a client seven are different
CLIENTS = max(COUNT // 10, 1)
SENDERS = 16 if COUNT > 500 else 4
KILL_WORKER_AT, KILL_WEB_AT = 0.2, 0.3
PATIENCE_SECONDS = 60 + COUNT / 10


@contextmanager
def house(settings: Settings, folder: Path) -> Iterator[House]:
    """Web and scheduler as processes of their own."""
    made = House(settings, folder, manners={})
    try:
        made.start("web")
        made.start("scheduler")
        deadline = time.monotonic() + 60
        while True:
            with suppress(httpx.HTTPError):
                if httpx.get(f"{made.address}/readyz", timeout=5, trust_env=False).status_code == 200:
                    break
            assert time.monotonic() < deadline, made.log("web")[-2000:]
            time.sleep(0.1)
        yield made
    finally:
        for name in list(made.processes):
            made.kill(name)


def messages(clients: list[Client]) -> list[bytes]:
    """Ten for each client, seven of them different, in no order at all."""
    chance = random.Random(5)
    found = []
    for client in clients:
        life = [body_of(one) for one in series(client)]
        found += [*life, *chance.choices(life, k=3)]
    chance.shuffle(found)
    return found


def flood(at: House, bodies: list[bytes], answered: list[float]) -> Counter[str]:
    """Deliver each until it is answered with 2xx, as Sumsub does, only sooner; statuses with how often they came."""
    left, lock, statuses = list(bodies), threading.Lock(), Counter[str]()

    def send() -> None:
        with httpx.Client(base_url=at.address, timeout=5, trust_env=False) as http:
            while True:
                with lock:
                    if not left:
                        return
                    body = left.pop()
                headers = {signature.DIGEST_HEADER: signature.sign(DEMO_WEBHOOK_SECRET, body)}
                while True:
                    began = time.perf_counter()
                    try:
                        status = str(http.post(DOOR, content=body, headers=headers).status_code)
                    except httpx.HTTPError:
                        status = "no answer"
                    with lock:
                        statuses[status] += 1
                        answered.append((time.perf_counter() - began) * 1000)
                    if status == "200":
                        break
                    time.sleep(0.1)

    senders = [threading.Thread(target=send, daemon=True) for _ in range(SENDERS)]
    for each in senders:
        each.start()
    for each in senders:
        each.join(PATIENCE_SECONDS)
    return statuses


def kept_and_waiting() -> tuple[int, int]:
    session().rollback()
    row = session().execute(
        sa.select(sa.func.count(), sa.func.count().filter(SumsubEvent.processed_at.is_(None))).select_from(SumsubEvent)
    ).one()  # fmt: skip
    return int(row[0]), int(row[1])


def test_in_a_flood_nothing_is_lost_and_nothing_applied_twice(
    databases: Databases, configured: Settings, tmp_path: Path
) -> None:
    with application(databases, configured):
        clients = [person(system(), first=f"Number {number}", document=None) for number in range(CLIENTS)]
        ids = [client.id for client in clients]
        bodies = messages(clients)
        different = len(set(bodies))
        settings: Settings = current_app.extensions["countinghouse.settings"]
        session().rollback()
        kills: list[tuple[str, int, int]] = []
        milliseconds: list[float] = []
        with house(settings, tmp_path) as at, ThreadPoolExecutor() as helpers:
            telling = helpers.submit(flood, at, bodies, milliseconds)
            deadline = time.monotonic() + PATIENCE_SECONDS
            while time.monotonic() < deadline:
                kept, waiting = kept_and_waiting()
                killed = {what for what, *_ in kills}
                if "web" not in killed and kept >= different * KILL_WEB_AT:
                    at.kill_a_web_worker()
                    kills.append(("web", kept, waiting))
                if "worker" not in killed and kept - waiting >= different * KILL_WORKER_AT:
                    at.kill("scheduler")
                    kills.append(("worker", kept, waiting))
                    at.start("scheduler")
                if len(kills) == 2 and telling.done() and not waiting:
                    break
                time.sleep(0.02)
            statuses = telling.result()
        assert {what for what, *_ in kills} == {"worker", "web"} and kept_and_waiting() == (different, 0)
        assert statuses["200"] == COUNT and not set(statuses) - {"200", "no answer", "500", "503"}, statuses

        def count(query: Any) -> int:
            return int(session().scalar(query) or 0)

        deliveries = count(sa.select(sa.func.sum(SumsubEvent.deliveries)))
        assert deliveries >= COUNT, "what was answered had been kept"
        rows = session().execute(sa.select(SumsubEvent.effect, sa.func.count()).group_by(SumsubEvent.effect))
        assert set(dict(rows.tuples().all())) <= {"applied", "outOfDate"}
        states = session().execute(
            sa.select(Client.status, ClientVerification.state, ClientVerification.attempts)
            .join(ClientVerification, ClientVerification.client_id == Client.id)
            .where(Client.id.in_(ids))
        )
        assert Counter(map(tuple, states)) == {("active", "approved", 3): CLIENTS}
        activated = sa.select(sa.func.count()).select_from(VerificationDecision)
        assert count(activated.where(VerificationDecision.effect == "activated")) == CLIENTS
        told = sa.select(sa.func.count()).select_from(AuditEvent).where(AuditEvent.action == "client.activated")
        assert count(told) == CLIENTS
        # each answer of each client was decided on, and only an activation held back is decided on again
        assert count(sa.select(sa.func.count(sa.distinct(VerificationDecision.event_id)))) == CLIENTS * 4
        assert count(sa.select(sa.func.count()).select_from(SumsubApplicant)) == CLIENTS
        ordered = sorted(milliseconds)
        print(
            f"\nflood: {COUNT} messages, {different} different, {deliveries} deliveries; {dict(statuses)}; {kills};"
            f" p50 {ordered[len(ordered) // 2]:.1f} ms, p99 {ordered[len(ordered) * 99 // 100]:.1f} ms at {SENDERS}"
        )
