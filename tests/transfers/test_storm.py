"""Money out and in through a provider with bad manners, while processes are killed: nothing twice, nothing lost.

STORM says how many transfers each way; make test does with fewer.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from flask import current_app

from dashboard.access.permissions import Audience
from dashboard.database import session, transaction
from dashboard.ledger.models import Account, AccountBalance
from dashboard.settings import Settings
from dashboard.transfers.models import IncomingRequest, Provider, Submission, Transfer
from dashboard.transfers.services import providers
from tests.conftest import Databases
from tests.ledger.invariants import broken
from tests.transfers.sending import PROVIDER, sending
from tests.transfers.storm import House, Wanted, running, send_all

COUNT = int(os.environ.get("STORM", "120"))
CLIENTS = 6 if COUNT <= 1000 else 40
#: 10 % of answers come too late, 5 % of callbacks twice, some out of order, some never
MANNERS = {
    "late": 0.10, "rejected": 0.05, "twice": 0.05, "swapped": 0.20, "lost": 0.02, "shortest_seconds": 0.2,
    "longest_seconds": 1.5, "hold_seconds": 1.6,
}  # fmt: skip
#: quicker than a real provider is given, so that what is lost is found out within the test
TIMING = {"answerSeconds": 1.0, "leaseSeconds": 4, "notFoundSeconds": 2, "askSeconds": 4, "batch": 10}
FINAL = {"completed", "rejected"}
#: the end is not known, and it says so
WAITING = {"confirmed", "submitted", "unknown", "manualReview"}


def statuses(kind: str) -> Counter[str]:
    session().rollback()
    rows = session().execute(
        sa.select(Transfer.status, sa.func.count()).where(Transfer.kind == kind).group_by(Transfer.status)
    )
    return Counter(dict(rows.tuples().all()))


def posted(account_id: Any) -> int:
    return int(
        session().scalar(sa.select(sa.func.sum(AccountBalance.posted)).where(AccountBalance.account_id == account_id))
        or 0
    )


def test_in_a_storm_nothing_is_sent_or_credited_twice_and_nothing_is_lost(
    databases: Databases, configured: Settings, tmp_path: Path
) -> None:
    with sending(databases, configured, "storm") as bank:
        with transaction():
            session().get_one(Provider, PROVIDER).settings = TIMING
        accounts = []
        for number in range(CLIENTS):
            client = bank.active(last=f"Ilves {number}")
            account = bank.opened(client, 100_000_000)
            accounts.append((account, bank.known(client)))
        token = bank.machine(Audience.SYSTEM).secret
        before = {account.id: posted(account.id) for account, _ in accounts}
        settlement, _ = providers.settlement(PROVIDER, "eur")
        house_before = posted(settlement)
        session().commit()

        settings: Settings = current_app.extensions["countinghouse.settings"]
        wanted = [
            Wanted(str(accounts[i % CLIENTS][0].id), str(accounts[i % CLIENTS][1].id),
                   f"{100 + i // CLIENTS}e-2", f"storm-{i}")
            for i in range(COUNT)
        ]  # fmt: skip
        began = time.monotonic()
        with running(settings, tmp_path, manners=MANNERS, seed=7) as house:
            answers = _under_fire(house, token, wanted, [account for account, _ in accounts])
            assert answers == {"200": COUNT}
            told_to_end = _until_quiet(house)
            book = house.book()
        seconds = time.monotonic() - began

        outgoing = {
            row.end_to_end_id: row
            for row in session().execute(
                sa.select(Transfer.end_to_end_id, Transfer.status, Transfer.amount_minor, Transfer.account_id).where(
                    Transfer.kind == "outgoing"
                )
            )
        }
        known = {each["endToEndId"]: each for each in book["instructions"]}
        assert len(outgoing) == COUNT
        assert all(each["executions"] <= 1 for each in known.values())
        assert set(known) <= set(outgoing), "the provider knows only what we made"
        for identifier, ours in outgoing.items():
            theirs = known.get(identifier)
            assert ours.status in FINAL | WAITING
            if ours.status == "completed":
                assert theirs and theirs["status"] == "executed"
            if ours.status == "rejected":
                assert theirs and theirs["status"] == "rejected"
            if theirs:
                assert round(float(theirs["amount"]) * 100) == ours.amount_minor
        assert told_to_end, (statuses("outgoing"), book["callbacks"])
        assert sum(statuses("outgoing")[each] for each in FINAL) == COUNT, statuses("outgoing")

        # each credit of their book once, on the account it named or on suspense
        requests = Counter(session().scalars(sa.select(IncomingRequest.provider_reference)))
        assert requests == Counter(each["reference"] for each in book["credits"])
        assert sum(statuses("incoming").values()) == COUNT
        moved: dict[Any, int] = defaultdict(int)
        by_number = dict(
            session().execute(sa.select(Account.number, Account.id).where(Account.owner_id.is_not(None))).tuples()
        )
        for each in book["credits"]:
            cents = round(float(each["amount"]) * 100)
            moved[settlement] -= cents
            if each.get("creditorAccount") in by_number:
                moved[by_number[each["creditorAccount"]]] += cents
        for ours in outgoing.values():
            if ours.status == "completed":
                moved[ours.account_id] -= ours.amount_minor
                moved[settlement] += ours.amount_minor
        fees = _fees()
        for account, _ in accounts:
            assert posted(account.id) - before[account.id] == moved[account.id] - fees[account.id]
        assert posted(settlement) - house_before == moved[settlement]
        assert broken() == []
        assert session().scalar(sa.select(sa.func.count()).where(Submission.state == "sending")) == 0
        twice = sum(each["received"] > 1 for each in known.values())
        print(f"\nstorm: {COUNT} out and {COUNT} in, {seconds:.1f} s; {dict(statuses('outgoing'))};"
              f" {dict(statuses('incoming'))}; handed over again {twice}, executed twice 0; {book['callbacks']}")  # fmt: skip


def _fees() -> dict[Any, int]:
    rows = session().execute(
        sa.select(Transfer.account_id, sa.func.sum(Transfer.fee_minor))
        .where(Transfer.kind == "outgoing", Transfer.status == "completed")
        .group_by(Transfer.account_id)
    )
    return defaultdict(int, {account: int(fee) for account, fee in rows})


def _under_fire(house: House, token: str, wanted: list[Wanted], accounts: list[Account]) -> dict[str, int]:
    """Both ways at once, with two kills in the midst."""
    done = threading.Event()

    def credits() -> None:
        numbers = [account.number for account in accounts]
        for start in range(0, COUNT, 50):
            found = [
                {"creditorAccount": numbers[i % len(numbers)] if i % 10 else None, "currency": "eur",
                 "amount": 5 + i % 7, "debtor": {"name": "Anna Payer", "account": "DE89370400440532013000",
                 "country": "DE"}, "remittance": f"Invoice {i}", "endToEndId": f"IN-{i}"}
                for i in range(start, min(start + 50, COUNT))
            ]  # fmt: skip
            httpx.post(f"{house.sandbox}/credits", json={"credits": found}, timeout=60, trust_env=False)

    def kills() -> None:
        time.sleep(1.5 if COUNT <= 1000 else 20)
        house.kill("scheduler")
        house.start("scheduler")
        time.sleep(1.0 if COUNT <= 1000 else 20)
        house.kill_a_web_worker()
        if not done.wait(3.0 if COUNT <= 1000 else 30):
            house.kill("scheduler")
            house.start("scheduler")

    helpers = [threading.Thread(target=each, daemon=True) for each in (credits, kills)]
    for each in helpers:
        each.start()
    answers = send_all(house, token, wanted, threads=4)
    done.set()
    for each in helpers:
        each.join()
    return answers


def _until_quiet(house: House) -> bool:
    """Until every transfer has its end and every callback is told."""
    deadline = time.monotonic() + 60 + COUNT / 4
    while time.monotonic() < deadline:
        ended = sum(statuses("outgoing")[each] for each in FINAL)
        told = sum(statuses("incoming").values())
        calls = house.book()["callbacks"] if ended == COUNT and told == COUNT else {}
        if calls and not calls.get("waiting") and not calls.get("telling"):
            return True
        time.sleep(0.5)
    return False
