"""Outgoing transfers end to end: asked over HTTP, held, sent to the sandbox by the worker, told executed, posted.

One request makes and confirms a transfer. The sandbox executes at once and makes no mistakes. Beside it, in the same
run and by the same client, single payments of the ledger over HTTP. Times of a request are those of its caller; times
of a transfer go from its confirmation to its end, as the database has them, while hundreds of others wait as well.
BENCH_TRANSFERS says how many, 1,000 without.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import uuid4

import httpx
import sqlalchemy as sa

from bench.figures import Figure, of_latencies
from bench.house import House, Wanted, running, send_all
from bench.server import Bench
from bench.serving import cpu_seconds, memory, workers
from dashboard.access import tokens
from dashboard.access.actor import system
from dashboard.access.permissions import Audience
from dashboard.clients.models import Client
from dashboard.database import new_id, session, transaction
from dashboard.ledger.models import Account
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import accounts, payments
from dashboard.ledger.vocabulary import ParentType
from dashboard.settings import Settings
from dashboard.transfers.models import Provider, Transfer
from dashboard.transfers.services import providers, recipients
from dashboard.transfers.vocabulary import TransferType

COUNT, CLIENTS, CONNECTIONS = int(os.environ.get("BENCH_TRANSFERS", "1000")), 50, 8
KEY = "sandbox"
NO_MISTAKES = {
    "late": 0, "rejected": 0, "twice": 0, "swapped": 0, "lost": 0, "shortest_seconds": 0, "longest_seconds": 0,
}  # fmt: skip
PATIENCE_SECONDS = 300.0
BY = system("bench")


def run(bench: Bench) -> None:
    """Prints the table. Raises RuntimeError where transfers do not come to their end."""
    app, _ = bench.filled(CLIENTS * 6, "bench_transfers")
    settings: Settings = app.extensions["countinghouse.settings"]
    with app.app_context():
        chosen, token = _prepared()
        session().commit()
        wanted = [
            Wanted(str(chosen[i % CLIENTS][0]), str(chosen[i % CLIENTS][1]), f"{100 + i // CLIENTS}e-2", f"bench-{i}")
            for i in range(COUNT)
        ]
        folder = Path(settings.instance_path)
        with running(settings, folder, manners=NO_MISTAKES) as house:
            ledger = _payments(house, token, [account for account, _ in chosen])
            pids = [house.processes["web"].pid, house.processes["scheduler"].pid, bench.pid()]
            before = [cpu_seconds(pid) for pid in pids]
            figure, asked = _transfers(house, token, wanted)
            spent = [cpu_seconds(pid) - was for pid, was in zip(pids, before, strict=True)]
    print(f"\nOutgoing transfers against the sandbox: {COUNT:,}, {CONNECTIONS} connections, no mistakes drawn")
    print(f"{'':<44}{'a second':>10}{'p50 ms':>10}{'p99 ms':>10}{'memory MB':>11}")
    rows = (
        ("single ledger payments, one request each", ledger), ("transfers asked and held, one request each", asked),
        ("transfers, from asked to executed", figure),
    )  # fmt: skip
    for name, each in rows:
        shown = f"{(each.rss_bytes or 0) / 1e6:>11,.0f}" if each.rss_bytes else ""
        print(f"{name:<44}{each.rate:>10,.1f}{each.p50_ms:>10,.0f}{each.p99_ms:>10,.0f}{shown}")
    print(f"{'executed transfers to single payments':<44}{figure.rate / ledger.rate:>10.2f}")
    web, worker, database = (1000 * seconds / COUNT for seconds in spent)
    print(
        f"processor time of one transfer: web {web:.1f} ms, worker {worker:.1f} ms, database {database:.1f} ms",
        flush=True,
    )


def _prepared() -> tuple[list[tuple[object, object]], str]:
    """Accounts with money and their recipients, and a token that may do both."""
    with transaction():
        if session().get(Provider, KEY) is None:
            providers.register_provider(key=KEY, name="Sandbox", kind="sandbox", by=BY)
        if providers.bank_account(KEY, "eur") is None:
            accounts.register_bank_account(
                provider=KEY, name="Sandbox EUR", number="LT601010012345678901", currency="eur", by=BY
            )
        for type in (TransferType.SEPA, TransferType.SEPA_INSTANT):
            providers.set_route(type=type, currency="eur", provider_key=KEY, by=BY)
        settlement, _ = providers.settlement(KEY, "eur")
        found = session().execute(
            sa.select(Account.id, Account.owner_id)
            .join(Client, Client.id == Account.owner_id)
            .where(
                Client.status == "active", Client.risk_level <= 1, Account.currency == "eur", Account.status == "open"
            )
            .distinct(Account.owner_id)
            .limit(CLIENTS)
        )
        chosen = []
        for account_id, owner_id in found:
            order = Order(
                parent_type=ParentType.TRANSFER, parent_id=new_id(), legs=[Leg(settlement, account_id, 10**8, "eur")]
            )
            payments.pay(order, by=BY)
            recipient = recipients.add(
                client_id=owner_id, name="Jonas Petrauskas", number="EE382200221020145685", by=BY
            )
            chosen.append((account_id, recipient.id))
        if len(chosen) < CLIENTS:
            raise RuntimeError(f"only {len(chosen)} accounts to send from")
        _, secret = tokens.create(
            audience=Audience.SYSTEM, scopes=tokens.resolve_scopes(Audience.SYSTEM, []), name="bench"
        )
    return chosen, secret


def _payments(house: House, token: str, account_ids: Sequence[object]) -> Figure:
    """Single payments of the ledger between these accounts."""
    left, lock, times = list(range(COUNT)), threading.Lock(), list[float]()

    def work(http: httpx.Client) -> None:
        while True:
            with lock:
                if not left:
                    return
                place = left.pop()
            body = {
                "parentId": str(uuid4()), "parentType": "transfer", "currency": "eur", "amount": 1,
                "debtorAccountId": str(account_ids[place % CLIENTS]),
                "creditorAccountId": str(account_ids[(place + 1) % CLIENTS]),
            }  # fmt: skip
            began = time.perf_counter()
            answer = http.post("/internal/Payments", json=body, headers={"Authorization": f"Bearer {token}"})
            if answer.status_code != 200:
                raise RuntimeError(answer.text[:200])
            times.append((time.perf_counter() - began) * 1000)

    began = time.perf_counter()
    _in_threads(work, house)
    return of_latencies(len(times) / (time.perf_counter() - began), times)


def _in_threads(work: Callable[[httpx.Client], None], house: House) -> None:
    clients = [httpx.Client(base_url=house.address, timeout=30, trust_env=False) for _ in range(CONNECTIONS)]
    threads = [threading.Thread(target=work, args=(each,), daemon=True) for each in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _transfers(house: House, token: str, wanted: Sequence[Wanted]) -> tuple[Figure, Figure]:
    times: list[float] = []
    began = time.perf_counter()
    answers = send_all(house, token, wanted, threads=CONNECTIONS, milliseconds=times)
    if answers != {"200": COUNT}:
        raise RuntimeError(f"not all were taken: {answers}")
    held = time.perf_counter() - began
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        session().rollback()
        done = session().scalar(
            sa.select(sa.func.count()).where(Transfer.kind == "outgoing", Transfer.status == "completed",
                                             Transfer.remittance.like("bench-%"))
        )  # fmt: skip
        if done == COUNT:
            break
        if time.monotonic() > deadline:
            raise RuntimeError(f"{COUNT - (done or 0)} transfers came to no end")
        time.sleep(0.1)
    seconds = time.perf_counter() - began
    rows = session().execute(
        sa.select(Transfer.created_at, Transfer.confirmed_at, Transfer.ended_at).where(
            Transfer.remittance.like("bench-%")
        )
    )
    spans = [(ended - confirmed).total_seconds() * 1000 for _, confirmed, ended in rows]
    rss = memory(house.processes["scheduler"].pid) + sum(memory(pid) for pid in workers(house.processes["web"].pid))
    whole = of_latencies(COUNT / seconds, spans)
    return (
        Figure(whole.rate, whole.p50_ms, whole.p99_ms, rss_bytes=rss),
        of_latencies(COUNT / held, times),
    )
