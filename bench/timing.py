"""Times of reading at two sizes of the same database, and the table that sets them beside each other.

Each figure is the median of 20 warm calls, in milliseconds. Requests are timed as `Server-Timing` says it, that is
without the network.
"""

from __future__ import annotations

import hashlib
import secrets
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import Context
from typing import Any

import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access import tokens
from dashboard.access.permissions import Audience
from dashboard.database import session, transaction
from dashboard.staff.models import StaffMember, StaffSession

CALLS, WARM = 20, 5
GOAL_MS, GOAL_RATIO = 20, 1.2

#: asks for an address, with a JSON body where there is one, and gives the answer
Caller = Callable[..., Any]


def median(call: Callable[[], float]) -> float:
    """Milliseconds."""
    for _ in range(WARM):
        call()
    return statistics.median(call() for _ in range(CALLS))


def sql_time(read: Callable[[], object]) -> Callable[[], float]:
    """A query of the product by itself, in a transaction of its own."""

    def call() -> float:
        session().expunge_all()
        began = time.perf_counter()
        read()
        elapsed = (time.perf_counter() - began) * 1000
        session().rollback()
        return elapsed

    return call


def request_time(ask: Caller, address: str, document: object = None) -> Callable[[], float]:
    """A whole request."""

    def call() -> float:
        answer = ask(address, document)
        assert answer.status_code == 200, (address, answer.status_code, answer.text[:200])
        return float(answer.headers["Server-Timing"].partition("dur=")[2])

    return call


@contextmanager
def callers(app: Flask) -> Iterator[tuple[Caller, Caller]]:
    """A machine with a token, and an officer's browser."""
    with app.app_context(), transaction() as current:
        scopes = tokens.resolve_scopes(Audience.SYSTEM, [])
        _token, secret = tokens.create(audience=Audience.SYSTEM, scopes=scopes, name="bench")
        officer = current.scalars(sa.select(StaffMember).where(StaffMember.role == "officer")).first()
        assert officer is not None
        cookie = secrets.token_urlsafe(32)
        current.add(
            StaffSession(
                staff_id=officer.id,
                secret_hash=hashlib.sha256(cookie.encode()).hexdigest(),
                created_at=clock.now(),
                seen_at=clock.now(),
            )
        )
    machine, browser = app.test_client(), app.test_client()
    with browser.session_transaction() as stored:
        stored["_user_id"], stored["_fresh"] = cookie, True

    def api(address: str, document: object = None) -> Any:
        headers = {"Authorization": f"Bearer {secret}"}
        if document is None:
            return outside(machine.get, address, headers=headers)
        return outside(machine.post, address, headers=headers, json=document)

    def outside(method: Caller, *arguments: Any, **keywords: Any) -> Any:
        # a request within a context of the application would share what that one remembers
        return Context().run(method, *arguments, **keywords)

    yield api, lambda address, _document=None: outside(browser.get, address)


# --- the table ----------------------------------------------------------------------------------------------------

#: milliseconds of the ways to read one thing, None where there is no such way
Row = Sequence[float | None]


def head(title: str, ways: Sequence[str], sizes: tuple[int, int]) -> None:
    """`sizes`: the larger first."""
    large, small = sizes
    print(f"\n{title}")
    print(f"ms, median of {CALLS} warm; goal {GOAL_MS} ms at {large:,} and {GOAL_RATIO} times {small:,}; ! misses")
    print(f"{'':44}" + "".join(f"{way:^26}" for way in ways))
    print(f"{'':44}" + f"{large:>10,}{small:>8,}{'ratio':>7} " * len(ways), flush=True)


def line(name: str, at_many: Row, at_few: Row) -> None:
    """Times at both sizes and their ratio; what misses a goal is marked, once for the ratio and once for the time."""
    cells = []
    for slow, fast in zip(at_many, at_few, strict=True):
        if slow is None or fast is None:
            cells.append(" " * 26)
            continue
        ratio = slow / fast
        mark = "!" if slow > GOAL_MS else " "
        cells.append(f"{slow:>10.1f}{fast:>8.1f}{ratio:>6.1f}{'!' if ratio > GOAL_RATIO else ' '}{mark}")
    print((f"{name:44}" + "".join(cells)).rstrip(), flush=True)


def show(title: str, ways: Sequence[str], names: Sequence[str], many: Sequence[Row], few: Sequence[Row],
         sizes: tuple[int, int]) -> None:  # fmt: skip
    """A whole table."""
    head(title, ways, sizes)
    for name, at_many, at_few in zip(names, many, few, strict=True):
        line(name, at_many, at_few)
