"""Money out and in through a provider with bad manners, while processes are killed: nothing twice, nothing lost.

STORM says how many transfers each way; make test does with fewer. What is killed is killed by progress, not by time.
"""

from __future__ import annotations

import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from flask import current_app

from bench.house import House, Wanted, running, send_all
from dashboard.access.permissions import Audience
from dashboard.database import session, transaction
from dashboard.ledger.models import Account, AccountBalance
from dashboard.settings import Settings
from dashboard.transfers.models import IncomingRequest, Provider, Receipt, StatusChange, Submission, Transfer
from dashboard.transfers.services import providers
from tests.conftest import Databases
from tests.ledger.invariants import broken
from tests.transfers.sending import PROVIDER, sending

COUNT = int(os.environ.get("STORM", "60"))
LARGE = COUNT > 500
CLIENTS = 40 if LARGE else 4
#: 10 % of answers come too late, 5 % of callbacks twice, some out of order, some never
MANNERS = {
    "late": 0.10, "rejected": 0.05, "twice": 0.05, "swapped": 0.20, "lost": 0.02, "shortest_seconds": 0.05,
    "longest_seconds": 1.5 if LARGE else 0.5, "hold_seconds": 1.6,
}  # fmt: skip
#: quicker than a real provider is given, so that what is lost is found out within the test
TIMING = {"answerSeconds": 1.0, "leaseSeconds": 4, "notFoundSeconds": 1.5, "askSeconds": 2, "batch": 10 if LARGE else 3}
#: when they are killed: by the share of transfers that were sent, and of those whose end was told
SCHEDULER_AT, WEB_AT = 0.25, 0.60
PATIENCE_SECONDS = 60 + COUNT / 4
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
    with sending(databases, configured) as bank:
        with transaction():
            session().get_one(Provider, PROVIDER).settings = TIMING
        accounts = []
        for number in range(CLIENTS):
            client = bank.active(last=f"Ilves {number}")
            account = bank.opened(client, 100_000_000)
            accounts.append((account, bank.known(client)))
        token = bank.machine(Audience.SYSTEM).secret
        before = {account.id: posted(account.id) for account, _ in accounts}
        settlement, bank_account = providers.settlement(PROVIDER, "eur")
        suspense = providers.suspense(bank_account.id)
        house_before, suspense_before = posted(settlement), posted(suspense)
        session().commit()

        settings: Settings = current_app.extensions["countinghouse.settings"]
        wanted = [
            Wanted(str(accounts[i % CLIENTS][0].id), str(accounts[i % CLIENTS][1].id),
                   f"{100 + i // CLIENTS}e-2", f"storm-{i}")
            for i in range(COUNT)
        ]  # fmt: skip
        began = time.monotonic()
        with running(settings, tmp_path, manners=MANNERS, seed=7) as house:
            answers, kills = _under_fire(house, token, wanted, [account for account, _ in accounts])
            assert answers == {"200": COUNT}
            assert [kill.what for kill in kills] == ["scheduler", "web worker"]
            assert all(kill.told < COUNT for kill in kills), "both were killed in the midst of it"
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
        numbered = session().execute(sa.select(Account.number, Account.id).where(Account.owner_id.is_not(None)))
        by_number: dict[str, Any] = {row.number: row.id for row in numbered}
        for each in book["credits"]:
            cents = round(float(each["amount"]) * 100)
            moved[settlement] -= cents
            moved[by_number.get(each.get("creditorAccount"), suspense)] += cents
        for ours in outgoing.values():
            if ours.status == "completed":
                moved[ours.account_id] -= ours.amount_minor
                moved[settlement] += ours.amount_minor
        fees = _fees()
        for account, _ in accounts:
            assert posted(account.id) - before[account.id] == moved[account.id] - fees[account.id]
        assert posted(settlement) - house_before == moved[settlement]
        # what lies on suspense is what stands on the desk
        assert posted(suspense) - suspense_before == moved[suspense]
        on_desk = sa.select(sa.func.sum(Receipt.remaining_minor)).where(Receipt.suspense_account_id == suspense)
        assert posted(suspense) == (session().scalar(on_desk) or 0)
        assert broken() == []
        assert session().scalar(sa.select(sa.func.count()).where(Submission.state == "sending")) == 0
        twice = sum(each["received"] > 1 for each in known.values())
        lost = session().scalar(
            sa.select(sa.func.count(sa.distinct(StatusChange.transfer_id))).where(StatusChange.to_status == "unknown")
        )
        print(
            f"\nstorm: {COUNT} out and {COUNT} in, {seconds:.1f} s, {COUNT / seconds:.1f} of each a second;"
            f" {dict(statuses('outgoing'))}; {dict(statuses('incoming'))}; of {lost} the answer was lost;"
            f" handed over again {twice}, executed twice 0; {book['callbacks']}; {kills}"
        )


def _fees() -> dict[Any, int]:
    rows = session().execute(
        sa.select(Transfer.account_id, sa.func.sum(Transfer.fee_minor))
        .where(Transfer.kind == "outgoing", Transfer.status == "completed")
        .group_by(Transfer.account_id)
    )
    return defaultdict(int, {account: int(fee) for account, fee in rows})


@dataclass(frozen=True)
class Kill:
    """`held`: lines of the outbox that were somebody's at that moment."""

    what: str
    sent: int
    told: int
    held: int


def _progress(house: House) -> Iterator[tuple[int, int, int]]:
    """How many were sent, how many ends were told and how many lines are held, again and again."""
    assert house.settings.database_url
    engine = sa.create_engine(house.settings.database_url, isolation_level="AUTOCOMMIT")
    look = sa.text(
        "SELECT count(submitted_at), count(ended_at), (SELECT count(*) FROM submission WHERE state = 'sending')"
        " FROM transfer WHERE kind = 'outgoing'"
    )
    with engine.connect() as connection:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            sent, told, held = connection.execute(look).one()
            yield int(sent), int(told), int(held)
            time.sleep(0.02)
    engine.dispose()


def _under_fire(
    house: House, token: str, wanted: list[Wanted], accounts: list[Account]
) -> tuple[dict[str, int], list[Kill]]:
    """Both ways at once, with two kills in the midst."""

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

    def kills() -> list[Kill]:
        done = []
        for sent, told, held in _progress(house):
            if not done and sent >= COUNT * SCHEDULER_AT:
                house.kill("scheduler")
                done.append(Kill("scheduler", sent, told, held))
                house.start("scheduler")
            elif done and told >= COUNT * WEB_AT:
                house.kill_a_web_worker()
                done.append(Kill("web worker", sent, told, held))
                break
        return done

    with ThreadPoolExecutor() as helpers:
        paid, killed = helpers.submit(credits), helpers.submit(kills)
        answers = send_all(house, token, wanted, threads=4)
        paid.result()
        return answers, killed.result()


def _until_quiet(house: House) -> bool:
    """Until every transfer has its end and every callback is told."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        ended = sum(statuses("outgoing")[each] for each in FINAL)
        told = sum(statuses("incoming").values())
        calls = house.book()["callbacks"] if ended == COUNT and told == COUNT else {}
        if calls and not calls.get("waiting") and not calls.get("telling"):
            return True
        time.sleep(0.2)
    return False
