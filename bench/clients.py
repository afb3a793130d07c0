"""Lists and searches of clients, at 10,000 and at 1,000,000: the time should not depend on how many there are.

Measured are the SQL part alone (`clients.search.find`), the whole request of the JSON list with a token, and the whole
request of the page, signed in (bench.timing). BENCH_CLIENTS makes the larger database smaller.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from flask import Flask

from bench.server import Bench
from bench.timing import Caller, callers, median, request_time, show, sql_time
from dashboard.clients.calendar import calendar
from dashboard.clients.forms.listing import ListQuery
from dashboard.clients.models import Client
from dashboard.clients.search import Order, find
from dashboard.database import db, new_id, session
from dashboard.web.paging import Position, seal

SMALL, LARGE = 10_000, 1_000_000
PAGE_SIZE = 50


@dataclass(frozen=True)
class Shape:
    """A list as its URL says it. `skip` is how many rows lie before the page."""

    name: str
    query: dict[str, Any] = field(default_factory=dict)
    skip: int = 0


def shapes(words: dict[str, str], clients: int) -> list[Shape]:
    """What is measured. `words` are search words by how common they are."""
    today = calendar().today()
    days = {"created_from": today - timedelta(days=400), "created_to": today - timedelta(days=371)}
    # a thousand next-cursors in the large database; as deep as it goes in the small one
    deep = min(1000 * PAGE_SIZE, clients // 2)
    return [
        Shape("first page"),
        Shape("page after 1,000 cursors", skip=deep),
        Shape("first page by name", {"sort": "name"}),
        Shape("page after 1,000 cursors, by name", {"sort": "name"}, skip=deep),
        *(Shape(f"search, {kind}", {"text": word}) for kind, word in words.items()),
        Shape("search, common, by name", {"text": words["common"], "sort": "name"}),
        Shape("search, 0.1 %, by name", {"text": words["0.1 %"], "sort": "name"}),
        Shape("search, common, blocked only", {"text": words["common"], "status": "blocked"}),
        Shape("search, 0.1 %, one country", {"text": words["0.1 %"], "country": "PL"}),
        Shape("active, high risk, Poland", {"status": "active", "risk": 3, "country": "PL"}),
        Shape("closed, prohibited (nearly none)", {"status": "closed", "risk": 4}),
        Shape("flag PEP", {"flag": "pep"}),
        Shape("open flag check or stop", {"flag": "check"}),
        Shape("created in one month", days),
        Shape("created in one month, blocked", {**days, "status": "blocked"}),
        Shape("companies of Malta, high risk", {"type": "company", "country": "MT", "risk": 3}),
        Shape("active by name", {"status": "active", "sort": "name"}),
        Shape("Malta by name", {"country": "MT", "sort": "name"}),
        Shape("prohibited by name", {"risk": 4, "sort": "name"}),
    ]


# --- the pieces of one measurement ------------------------------------------------------------------------------


def choose_words() -> dict[str, str]:
    """Search words out of the names themselves, by how many clients have them."""
    total = session().scalar(sa.select(sa.func.count()).select_from(Client)) or 1
    word = sa.func.unnest(sa.func.string_to_array(Client.name_key, " ")).label("word")
    inner = sa.select(word).subquery()
    counted = session().execute(sa.select(inner.c.word, sa.func.count()).group_by(inner.c.word)).all()
    found = {text: count for text, count in counted if len(text) >= 4 and text.isascii()}

    def nearest(share: float) -> str:
        return min(sorted(found), key=lambda text: abs(found[text] - share * total))

    one, tenth = nearest(0.01), nearest(0.001)
    return {
        "common": max(sorted(found), key=lambda text: found[text]),
        "1 %": one,
        "0.1 %": tenth,
        "rare": nearest(0),
        "two parts": f"{tenth[:4]} {one[:4]}",
        "nobody": "xqzwvv",
    }


def edge_key(order: Order, skip: int) -> list[Any]:
    """The sort key of the last row before the page: found once by OFFSET, as no list ever does."""
    first = Client.created_at.desc() if order.sort == "created" else Client.name_key.asc()
    second = Client.id.desc() if order.descending else Client.id.asc()
    row = session().scalar(sa.select(Client).order_by(first, second).offset(skip - 1).limit(1))
    assert row is not None
    return order.key_of(row)


_IN_JSON = {"risk": "riskLevel", "created_from": "createdFrom", "created_to": "createdTo", "flag": "flags"}


def json_query(asked: ListQuery, query: dict[str, Any], key: list[Any] | None) -> str:
    """The shape for CP-04."""
    named = {_IN_JSON.get(name, name): value for name, value in query.items()}
    if query.get("flag") == "check":
        named["severity"] = named.pop("flags")
    if key is not None:
        bound = {
            "list": "CP-04",
            "filter": asked.chosen.as_json(),
            "sort": asked.order.sort,
            "descending": asked.order.descending,
        }
        named["cursor"] = seal(Position(key), bound=bound)
    return urlencode(named)


def page_query(asked: ListQuery, query: dict[str, Any], key: list[Any] | None) -> str:
    return urlencode(query | ({"cursor": seal(Position(key), bound=asked.bound)} if key is not None else {}))


def find_time(asked: ListQuery, key: list[Any] | None) -> Callable[[], float]:
    return sql_time(lambda: find(asked.chosen, order=asked.order, zone=calendar().zone, size=PAGE_SIZE, after=key))


def measure(app: Flask, shape: Shape, callers_: tuple[Caller, Caller]) -> list[float]:
    """SQL, JSON list and page, in milliseconds."""
    api, page = callers_
    with app.test_request_context():
        asked = ListQuery.read({name: str(value) for name, value in shape.query.items()})
        assert not asked.errors, asked.errors
        key = edge_key(asked.order, shape.skip) if shape.skip else None
        addresses = json_query(asked, shape.query, key), page_query(asked, shape.query, key)
        sql = median(find_time(asked, key))
    return [
        sql,
        median(request_time(api, f"/internal/Clients?{addresses[0]}&pageSize={PAGE_SIZE}")),
        median(request_time(page, f"/clients?{addresses[1]}")),
    ]


def insert_time(app: Flask, rows: int = 500) -> float:
    """Milliseconds that one more client's row costs with all its indexes (ON-01 stores one), sent by the hundred."""
    table = Client.__table__
    fresh = {"external_id": None, "status": "inactive", "status_before_block": None, "activation_approval_id": None}
    with app.app_context():
        known = [dict(row) | fresh for row in session().execute(sa.select(table).limit(rows)).mappings()]
        times = []
        for _ in range(5):
            copies = [row | {"id": new_id()} for row in known]
            began = time.perf_counter()
            session().execute(sa.insert(table), copies)
            times.append((time.perf_counter() - began) * 1000 / len(copies))
            session().rollback()
    return statistics.median(times)


def run(bench: Bench) -> None:
    large = int(os.environ.get("BENCH_CLIENTS", LARGE))
    figures: list[list[list[float]]] = []
    names: list[str] = []
    words: dict[str, str] = {}
    for clients in sorted({large, SMALL}, reverse=True):
        began = time.monotonic()
        app, loaded = bench.filled(clients, f"bench_clients_{clients}")
        seconds = time.monotonic() - began
        speed = f"{loaded.rows / seconds:,.0f} rows a second"
        print(f"{clients:,} clients, {loaded.rows:,} rows loaded in {seconds:.0f} s: {speed}", flush=True)
        with app.app_context():
            words = words or choose_words()
            chosen = shapes(words, clients)
        names = [shape.name for shape in chosen]
        with callers(app) as both:
            figures.append([measure(app, shape, both) for shape in chosen])
        print(f"one more client row with all indexes: {insert_time(app):.3f} ms")
        with app.app_context():
            db.session.remove()
            db.engine.dispose()
    print(", ".join(f"{kind}: {word!r}" for kind, word in words.items()))
    title = "Lists and searches of clients"
    show(title, ("SQL alone", "JSON list", "page"), names, figures[0], figures[-1], (large, SMALL))
