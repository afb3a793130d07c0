"""How fast the least SQL is without anything around it: one by one with pgbench, and in batches from one connection."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from uuid import UUID, uuid4

import psycopg

from bench.figures import Figure, of_latencies
from bench.references import evidence_sql
from bench.references.least_sql import ACCOUNTS, AMOUNT, CURRENCY, MANY, ONE_TEMPLATE, account_ids, booked
from dashboard import embedded

_NUMBER_AS_ID = "('00000000-0000-7000-8000-' || lpad((:{0})::int::text, 12, '0'))"
_SPREAD = rf"""
\set debtor random(1, {ACCOUNTS})
\set creditor (:debtor + random(0, {ACCOUNTS - 2})) % {ACCOUNTS} + 1
"""
_HOT = rf"""
\set other random(1, {ACCOUNTS})
\set out random(0, 1)
\set debtor :other * :out
\set creditor :other * (1 - :out)
"""


def one_by_one(url: str, folder: Path, *, hot: bool, clients: int, seconds: int) -> Figure:
    """One payment for each commit from so many connections, by pgbench, prepared.

    `hot`: half of the payments go to the settlement account and half come from it.
    """
    statement = ONE_TEMPLATE.format(
        parent="gen_random_uuid()",
        debtor=_NUMBER_AS_ID.format("debtor"),
        creditor=_NUMBER_AS_ID.format("creditor"),
        currency=f"'{CURRENCY}'",
        amount=AMOUNT,
    )
    script = folder / "payment.sql"
    # pgbench ends a statement at its semicolon
    script.write_text((_HOT if hot else _SPREAD) + statement.strip() + ";\n")
    _pgbench(url, script, clients, 1)
    before = booked(url)
    _pgbench(url, script, clients, seconds, log=folder / "payment-log")
    milliseconds: list[float] = []
    for log in folder.glob("payment-log.*"):
        with log.open() as lines:
            milliseconds += [int(line.split(" ", 3)[2]) / 1000 for line in lines]
        log.unlink()
    assert booked(url) - before == len(milliseconds)
    return of_latencies(len(milliseconds) / seconds, milliseconds)


def _pgbench(url: str, script: Path, clients: int, seconds: int, log: Path | None = None) -> None:
    command = [
        str(embedded._binary("pgbench")), "--no-vacuum", "--protocol=prepared", f"--file={script}",
        f"--client={clients}", "--jobs=1", f"--time={seconds}", "--exit-on-abort",
        *([] if log is None else ["--log", f"--log-prefix={log}"]), url,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"pgbench failed: {done.stderr.strip()}")


def in_batches(url: str, *, size: int, seconds: float, warm: float) -> Figure:
    """The least SQL, so many payments for each commit on one connection. Latency is that of a batch."""

    def asked(pairs: Sequence[Sequence[UUID]]) -> dict[str, object]:
        return {
            "parents": [uuid4() for _ in pairs],
            "debtors": [debtor for debtor, _ in pairs],
            "creditors": [creditor for _, creditor in pairs],
            "amounts": [AMOUNT] * size,
            "currency": CURRENCY,
        }

    before = booked(url)
    figure, made = _batches(url, MANY, account_ids(), asked, size=size, seconds=seconds, warm=warm)
    assert booked(url) - before == made
    return figure


def evidence_in_batches(
    url: str, accounts: Sequence[UUID], *, by: UUID, size: int, seconds: float, warm: float
) -> Figure:
    """The same on the product's tables, with all that the product writes. `by` is the identifier of a token."""

    def asked(pairs: Sequence[Sequence[UUID]]) -> dict[str, object]:
        return {
            "parents": evidence_sql.uuids(uuid4() for _ in pairs),
            "debtors": evidence_sql.uuids(debtor for debtor, _ in pairs),
            "creditors": evidence_sql.uuids(creditor for _, creditor in pairs),
            "amounts": "{" + ",".join([str(AMOUNT)] * size) + "}",
            "currency": CURRENCY,
            "by": by,
            "request": uuid4().hex,
        }

    before = evidence_sql.booked(url)
    figure, made = _batches(url, evidence_sql.MANY, accounts, asked, size=size, seconds=seconds, warm=warm)
    assert evidence_sql.booked(url) - before == made
    return figure


def _batches(
    url: str,
    statement: str,
    accounts: Sequence[UUID],
    asked: Callable[[Sequence[Sequence[UUID]]], Mapping[str, object]],
    *,
    size: int,
    seconds: float,
    warm: float,
) -> tuple[Figure, int]:
    """The figure, and how many payments were made in all. What is asked is made before the clock runs."""
    chooser = random.Random(size)
    made = 0
    # foreign keys are looked up by an index from the first batch on, as the product's are
    with psycopg.connect(url, autocommit=True, options="-c enable_seqscan=off") as connection:

        def batch() -> float:
            nonlocal made
            values = asked([chooser.sample(accounts, 2) for _ in range(size)])
            began = time.perf_counter()
            rows = connection.execute(statement, values, prepare=True).fetchall()
            elapsed = time.perf_counter() - began
            assert len(rows) == size
            made += size
            return elapsed

        spent = batch()
        while spent < warm:
            spent += batch()
        times = [batch()]
        while sum(times) < seconds:
            times.append(batch())
    return of_latencies(size * len(times) / sum(times), [one * 1000 for one in times]), made
