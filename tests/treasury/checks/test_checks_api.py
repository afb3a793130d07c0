"""GL-25, GL-26, GL-27: results of daily checks, running them, and findings, as machines read them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from flask import Flask

from dashboard.access.actor import system
from dashboard.access.permissions import Audience
from dashboard.background import runner
from dashboard.database import new_id, transaction
from dashboard.ledger.services import days, snapshots
from dashboard.treasury.checks import jobs, table
from dashboard.treasury.checks.check import Answer, Check, Finding, Look
from tests.conftest import Machine

PATH = "/internal/DailyCheck"


@pytest.fixture
def caller(app: Flask, machine: Callable[..., Machine]) -> Machine:
    """A system token with its default scopes, in a house whose first day has ended."""
    snapshots.end_of_day(days.open_day().day, by=system())
    return machine(Audience.SYSTEM)


def run(app: Flask) -> None:
    while runner.run_one(app, threading.Event()):
        pass


def failing(look: Look) -> Answer:
    answer = Answer(looked=3)
    for place in range(3):
        answer.add(
            Finding(
                "off", "account", f"Account {place}", "Off by a cent.", "Look at it.", currency="eur", expected=100,
                found=101 + place,
            )
        )  # fmt: skip
    with transaction():
        look.keep()
    return answer


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second check finds three things."""
    second = table.CHECKS[1]
    checks = (table.CHECKS[0], Check(second.key, second.title, second.asks, failing), *table.CHECKS[2:])
    monkeypatch.setattr(jobs, "CHECKS", checks)


def test_a_run_is_asked_for_followed_and_read(app: Flask, caller: Machine, broken: None) -> None:
    assert caller.call("GET", PATH).json == {"items": [], "nextCursor": None}
    asked = caller.call("POST", PATH, json={})
    assert asked.status_code == 200
    assert (asked.json["state"], asked.json["done"], asked.json["total"]) == ("queued", 0, 12)
    again = caller.call("POST", PATH)
    assert again.json["runId"] == asked.json["runId"], "one run at a time"
    run(app)
    listed = caller.call("GET", PATH, query_string={"date": asked.json["date"]}).json
    [one] = listed["items"]
    assert (one["runId"], one["state"], one["passed"], one["failed"], one["notRun"]) == (
        asked.json["runId"], "finished", 9, 1, 2,
    )  # fmt: skip
    assert [check["check"] for check in one["checks"]] == [check.key for check in table.CHECKS]
    second = one["checks"][1]
    assert (second["title"], second["outcome"], second["missing"], second["findings"]) == (
        "Stored balances", "failed", None, 3,
    )  # fmt: skip
    statements = next(check for check in one["checks"] if check["check"] == "statements")
    assert statements["outcome"] == "notRun"
    assert statements["missing"].startswith("bank accounts in the register that give statements")
    assert caller.call("GET", PATH, query_string={"date": "2001-01-01"}).json["items"] == []


def test_findings_come_in_order_and_by_pages_with_exact_amounts(app: Flask, caller: Machine, broken: None) -> None:
    caller.call("POST", PATH)
    run(app)
    first = caller.call("GET", f"{PATH}/details", query_string={"pageSize": 2}).json
    assert [one["subject"] for one in first["items"]] == ["Account 0", "Account 1"]
    assert [first["items"][0][name] for name in ("expected", "found")] == [Decimal("1.00"), Decimal("1.01")]
    assert set(first["items"][0]) == {
        "findingId", "check", "cause", "pool", "currency", "subjectType", "subjectId", "subject", "says", "toDo",
        "expected", "found",
    }  # fmt: skip
    rest = caller.call("GET", f"{PATH}/details", query_string={"pageSize": 2, "cursor": first["nextCursor"]}).json
    assert ([one["subject"] for one in rest["items"]], rest["nextCursor"]) == (["Account 2"], None)
    of_run = caller.call(
        "GET", f"{PATH}/details", query_string={"runId": first["runId"], "check": "storedBalances"}
    ).json
    assert len(of_run["items"]) == 3
    assert caller.call("GET", f"{PATH}/details", query_string={"check": "holds"}).json["items"] == []


def test_pages_of_runs_hold_each_run_once(app: Flask, caller: Machine) -> None:
    made = []
    for _ in range(3):
        made.append(caller.call("POST", PATH).json["runId"])
        run(app)
    seen, cursor = [], None
    while True:
        page = caller.call("GET", PATH, query_string={"pageSize": 2, **({"cursor": cursor} if cursor else {})}).json
        seen += [one["runId"] for one in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert seen == made[::-1]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"date": "2001-01-01"}, 422, "unknownDay"),
        ({"date": "2099-01-01"}, 422, "futureDay"),
        ({"date": "yesterday"}, 400, "validation"),
        ({"date": 5}, 400, "validation"),
        ({"day": "2026-03-12"}, 400, "validation"),
        ([1], 400, "malformedBody"),
    ],
)
def test_a_run_that_cannot_be_is_refused_and_nothing_is_asked_for(
    caller: Machine, body: Any, status: int, code: str
) -> None:
    answer = caller.call("POST", PATH, json=body)
    assert answer.status_code == status, answer.json
    if status == 422 or code == "malformedBody":
        assert answer.json["code"] == code
    else:
        assert answer.json["errors"][0]["field"] in {"date", "day"}
    assert caller.call("GET", PATH).json["items"] == []


def test_an_open_day_is_not_checked(caller: Machine) -> None:
    answer = caller.call("POST", PATH, json={"date": days.open_day().day.isoformat()})
    assert (answer.status_code, answer.json["code"]) == (422, "dayOpen")


def test_before_the_first_day_has_ended_there_is_nothing_to_check(app: Flask, machine: Callable[..., Machine]) -> None:
    fresh = machine(Audience.SYSTEM)
    answer = fresh.call("POST", PATH)
    assert (answer.status_code, answer.json["code"]) == (422, "noClosedDay")
    details = fresh.call("GET", f"{PATH}/details")
    assert (details.status_code, details.json["code"]) == (404, "runNotFound")


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ({"runId": "x"}, 400, "runId"),
        ({"check": "nothing"}, 400, "check"),
        ({"pageSize": "0"}, 400, "pageSize"),
        ({"pageSize": "201"}, 400, "pageSize"),
        ({"cursor": "x"}, 400, None),
        ({"other": "1"}, 400, "other"),
        ({"runId": "01a22475-2fb8-7555-bc54-4bdec3c39e0b", "date": "2026-03-12"}, 400, "date"),
    ],
)
def test_bad_questions_name_their_field(
    app: Flask, caller: Machine, query: dict[str, str], status: int, field: str | None
) -> None:
    caller.call("POST", PATH)
    run(app)
    answer = caller.call("GET", f"{PATH}/details", query_string=query)
    assert answer.status_code == status, answer.json
    if field:
        assert [error["field"] for error in answer.json["errors"]] == [field]


def test_an_unknown_run_is_not_found(caller: Machine) -> None:
    answer = caller.call("GET", f"{PATH}/details", query_string={"runId": str(new_id())})
    assert (answer.status_code, answer.json["code"]) == (404, "runNotFound")


def test_who_may_what(app: Flask, machine: Callable[..., Machine], caller: Machine) -> None:
    reader = machine(Audience.SYSTEM, scopes=["treasury:read"])
    assert reader.call("GET", PATH).status_code == 200
    assert reader.call("POST", PATH).status_code == 403
    operator = machine(Audience.SYSTEM, scopes=["ledger:operate"])
    assert operator.call("POST", PATH).status_code == 200
    assert operator.call("GET", PATH).status_code == 403
    assert operator.call("GET", f"{PATH}/details").status_code == 403
    assert machine(Audience.INTEGRATION).call("GET", PATH).status_code == 403
    assert app.test_client().get(PATH).status_code == 401


def test_the_same_key_asks_once(app: Flask, caller: Machine) -> None:
    headers = {"Idempotency-Key": "once"}
    first = caller.call("POST", PATH, json={}, headers=headers).json
    run(app)
    assert caller.call("POST", PATH, json={}, headers=headers).json == first
    assert caller.call("POST", PATH, json={}).json["runId"] != first["runId"]
