"""The treasury summary at two sizes: what a page reads of positions must not depend on how many accounts there are.

Each database holds the demo's clients and transactions of the last ninety days. First the heavy sums are measured,
which run in the background: every client's balance added up, and the positions of the last business day worked out.
Then the pages, whose goal is 100 ms in the server, and GL-29. What the pages ask the database is explained once: a
sequential scan over accounts, balances or transactions is told, and fails the run of a large database.

BENCH_CLIENTS and BENCH_TRANSACTIONS make the larger database smaller.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import Any

import sqlalchemy as sa
import structlog
from flask import Flask

from bench.server import Bench
from bench.timing import Caller, Row, callers, median, request_time
from dashboard import clock
from dashboard.access.actor import system
from dashboard.app import create_app
from dashboard.database import db, session, transaction
from dashboard.home.demo_data import loading
from dashboard.staff.models import StaffMember, StaffSession
from dashboard.treasury.positions.queries import standing
from dashboard.treasury.positions.services import working_out

CLIENTS, TRANSACTIONS = 700_000, 10_000_000
#: the smaller database has so many times fewer of both
FEWER = 100
#: clients from which on an index is always the shorter way
SURE = 100_000
GOAL_MS, GOAL_RATIO = 100, 1.5
#: what grows with the house
LARGE_TABLES = {"account", "account_balance", "daily_balance", "ledger_transaction", "payment", "client"}
PAGES = (
    ("summary: position", "/treasury"),
    ("summary: one line opened", "/treasury?open=eMoney-eur"),
    ("summary: projection", "/treasury?tab=projection"),
    ("summary: now", "/treasury?tab=now"),
    ("safeguarding", "/treasury/safeguarding"),
    ("rows behind client balances", "/treasury/figures/clients?pool=eMoney&currency=eur"),
)


def _filled(bench: Bench, clients: int, transactions: int) -> Flask:
    chosen = bench.migrated(f"bench_treasury_{clients}")
    assert chosen.migration_database_url is not None
    loading.load(chosen.migration_database_url, chosen, clients=clients, transactions=transactions, seed=1)
    app = create_app(chosen)
    app.config.update(RATELIMIT_ENABLED=False)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    return app


def _treasurer(app: Flask) -> Caller:
    """A treasurer's browser."""
    with app.app_context(), transaction() as current:
        member = current.scalars(sa.select(StaffMember).where(StaffMember.role == "treasurer")).first()
        assert member is not None
        cookie = secrets.token_urlsafe(32)
        current.add(
            StaffSession(
                staff_id=member.id, secret_hash=hashlib.sha256(cookie.encode()).hexdigest(), created_at=clock.now(),
                seen_at=clock.now(),
            )
        )  # fmt: skip
    browser = app.test_client()
    with browser.session_transaction() as stored:
        stored["_user_id"], stored["_fresh"] = cookie, True
    # a request within a context of the application would share what that one remembers
    return lambda address, _document=None: Context().run(browser.get, address)


def _worked_out(app: Flask) -> tuple[int, float, float]:
    """Accounts of clients, and the seconds of both steps of the background work."""
    with app.app_context():
        day = standing.last_day()
        assert day is not None
        with transaction():
            accounts = session().scalar(sa.text("SELECT count(*) FROM account WHERE type = 'client'")) or 0
            waiting = working_out.to_add_up(day)
        began = time.perf_counter()
        for currency in waiting:
            with transaction():
                working_out.add_up(day, currency)
        added = time.perf_counter() - began
        began = time.perf_counter()
        with transaction():
            pairs = working_out.pairs(day)
        for pool, currency in pairs:
            with transaction():
                working_out.work_out(pool, currency, day, by=system("bench"))
        return accounts, added, time.perf_counter() - began


@contextmanager
def _listened(app: Flask) -> Iterator[list[tuple[str, Any]]]:
    """Every statement that is executed within."""
    heard: list[tuple[str, Any]] = []

    def hear(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH", "SET LOCAL ENABLE_")):
            heard.append((statement, parameters))

    with app.app_context():
        engine = db.engine
        sa.event.listen(engine, "before_cursor_execute", hear)
        try:
            yield heard
        finally:
            sa.event.remove(engine, "before_cursor_execute", hear)


def _scans(plan: dict[str, Any]) -> Iterator[str]:
    if plan.get("Node Type") == "Seq Scan" and plan.get("Relation Name") in LARGE_TABLES:
        yield str(plan["Relation Name"])
    for part in plan.get("Plans", ()):
        yield from _scans(part)


def _sequential(app: Flask, ask: Caller, address: str) -> list[str]:
    """Large tables that a page reads from one end to the other."""
    with _listened(app) as heard:
        ask(address)
    found = []
    with app.app_context():
        connection = session().connection()
        for statement, parameters in heard:
            if statement.upper().startswith("SET LOCAL"):
                connection.exec_driver_sql(statement)
                continue
            row = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
            (plan,) = row if isinstance(row, list) else json.loads(row)
            found += [f"{table}: {' '.join(statement.split())[:120]}" for table in _scans(plan["Plan"])]
        session().rollback()
    return found


def _measured(app: Flask) -> tuple[list[float], list[str]]:
    browse = _treasurer(app)
    times = [median(request_time(browse, address)) for _, address in PAGES]
    with callers(app) as (api, _officer):
        times.append(median(request_time(api, "/internal/TreasuryManagement/summary")))
    scans = [f"{name}: {scan}" for name, address in PAGES for scan in _sequential(app, browse, address)]
    return times, scans


def run(bench: Bench) -> None:
    large = int(os.environ.get("BENCH_CLIENTS", CLIENTS)), int(os.environ.get("BENCH_TRANSACTIONS", TRANSACTIONS))
    small = max(large[0] // FEWER, 100), max(large[1] // FEWER, 1_000)
    figures: list[Row] = []
    told: list[str] = []
    print("\nTreasury")
    for clients, transactions in (large, small):
        app = _filled(bench, clients, transactions)
        accounts, added, worked = _worked_out(app)
        print(
            f"{clients:,} clients, {accounts:,} accounts of clients, {transactions:,} transactions:"
            f" balances added up in {added:.1f} s, positions worked out in {worked:.2f} s",
            flush=True,
        )
        times, scans = _measured(app)
        figures.append(times)
        if (clients, transactions) == large:
            told = scans
        with app.app_context():
            db.session.remove()
            db.engine.dispose()
    print(f"ms in the server, median of 20 warm; goal {GOAL_MS} ms and {GOAL_RATIO} times the small one; ! misses")
    print(f"{'':36}{'large':>10}{'small':>10}{'ratio':>8}")
    for (name, _), slow, fast in zip((*PAGES, ("GL-29", "")), *figures, strict=True):
        assert slow is not None and fast is not None
        mark = "!" if slow > GOAL_MS or slow / fast > GOAL_RATIO else ""
        print(f"{name:36}{slow:>10.1f}{fast:>10.1f}{slow / fast:>8.1f}{mark}", flush=True)
    print("sequential scans over large tables: " + ("none" if not told else "\n  " + "\n  ".join(told)), flush=True)
    # the database rightly reads a small table whole
    assert not told or large[0] < SURE, told
