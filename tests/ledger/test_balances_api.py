"""GL-06, GL-12, GL-23, GL-24 and G2-02 over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
import simplejson
import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import system
from dashboard.access.permissions import Audience
from dashboard.database import session, transaction
from dashboard.ledger.models import BusinessDay, DailyBalance
from dashboard.ledger.services import days, payments, snapshots
from tests.ledger.conftest import Book

CALCULATE = "/internal/Accounts/calculateBalances"
TOTALS = "/v2/ledger/internal/Accounts/getAggregatedAmounts"
SNAPSHOT = "/internal/DailyAccountBalance"
RECALCULATE = "/internal/DailyAccountBalance/recalculate"


def exact(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return simplejson.loads(answer.text, use_decimal=True)


def refused(answer: Any, status: int, code: str) -> Any:
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.text
    return answer.json


@pytest.mark.parametrize("path", [CALCULATE, "/v2" + CALCULATE])
def test_balances_come_in_the_order_asked_with_exact_decimals(book: Book, teller: Any, path: str) -> None:
    rich, poor, yen = book.account(123_456_789_012_345), book.account(1), book.account(5, currency="jpy")
    hold = book.draft(rich, poor, 45)
    with transaction():
        payments.pend(hold, by=system())
    wanted = [str(account) for account in (poor, rich, yen, poor)]
    said = exact(teller.call("POST", path, json={"accountIds": wanted}))
    assert [item["accountId"] for item in said["items"]] == wanted[:3]
    assert [(item["posted"], item["held"], item["available"]) for item in said["items"]] == [
        (Decimal("0.01"), Decimal("0.00"), Decimal("0.01")),
        (Decimal("1234567890123.45"), Decimal("0.45"), Decimal("1234567890123.00")),
        (5, 0, 5),
    ]
    assert said["items"][0]["accountNumber"].startswith("LT")


def test_balances_of_a_past_moment_know_no_holds(book: Book, teller: Any) -> None:
    account = book.account(1_000)
    then = datetime.now(UTC)
    book.pay(account, book.house(), 300)
    snapshots.end_of_day(days.open_day().day, by=system())
    said = exact(teller.call("POST", CALCULATE, json={"accountIds": [str(account)], "asOf": then.isoformat()}))
    [item] = said["items"]
    assert (item["posted"], item["held"], item["available"]) == (Decimal("10.00"), None, None)
    assert said["asOf"][:19] == then.isoformat()[:19]


def test_an_unknown_account_is_named_and_nothing_is_told_of_the_others(book: Book, teller: Any) -> None:
    known, unknown = str(book.account(5)), str(uuid4())
    said = refused(teller.call("POST", CALCULATE, json={"accountIds": [known, unknown]}), 404, "accountNotFound")
    assert said["accountIds"] == [unknown]


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        ({}, "accountIds", "required"),
        ({"accountIds": []}, "accountIds", "too_short"),
        ({"accountIds": [str(uuid4())] * 1_001}, "accountIds", "tooLong"),
        ({"accountIds": ["x"]}, "accountIds.0", "uuid"),
        ({"accountIds": [str(uuid4())], "asOf": "2026-03-13"}, "asOf", "value"),
        ({"accountIds": [str(uuid4())], "asOf": "2026-03-13T10:00:00"}, "asOf", "value"),
        ({"accountIds": [str(uuid4())], "asOf": 1_700_000_000}, "asOf", "type"),
        ({"accountIds": [str(uuid4())], "asOf": "2999-01-01T00:00:00Z"}, "asOf", "range"),
        ({"accountIds": [str(uuid4())], "asOf": "0001-01-01T00:00:00+14:00"}, "asOf", "value"),
        ({"accountIds": [str(uuid4())], "asof": None}, "asof", "unknown"),
    ],
)
def test_a_bad_question_says_which_field_breaks_which_rule(teller: Any, body: Any, field: str, rule: str) -> None:
    said = refused(teller.call("POST", CALCULATE, json=body), 400, "invalid")
    assert [(error["field"], error["rule"]) for error in said["errors"]] == [(field, rule)]


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "1899-12-31T23:59:59+00:00"])
def test_a_moment_before_everything_has_balance_zero(book: Book, teller: Any, moment: str) -> None:
    account = str(book.account(5))
    said = exact(teller.call("POST", CALCULATE, json={"accountIds": [account], "asOf": moment}))
    assert said["items"][0]["posted"] == 0


def test_totals_come_by_currency_and_account_type(book: Book, teller: Any) -> None:
    account = book.account(1_000)
    book.account(500)
    snapshots.end_of_day(days.open_day().day, by=system())
    book.account(7, currency="usd")
    hold = book.draft(account, book.house(), 250)
    with transaction():
        payments.pend(hold, by=system())
    said = exact(teller.call("GET", TOTALS))
    told = {(i["currency"], i["accountType"]): i for i in said["items"]}
    assert set(told) == {("eur", "client"), ("eur", "settlement"), ("usd", "client"), ("usd", "settlement")}
    clients = told["eur", "client"]
    assert [clients[key] for key in ("accounts", "posted", "held", "available")] == [
        2, Decimal("15.00"), Decimal("2.50"), Decimal("12.50"),
    ]  # fmt: skip
    assert told["eur", "settlement"]["posted"] == Decimal("-15.00")
    assert said["asOf"].endswith("Z")
    one = exact(teller.call("GET", f"{TOTALS}?currency=usd&accountType=client"))["items"]
    assert [(item["currency"], item["accountType"], item["posted"]) for item in one] == [
        ("usd", "client", Decimal("0.07"))
    ]


@pytest.mark.parametrize(("query", "field"), [("currency=xyz", "currency"), ("accountType=none", "accountType"),
                                              ("currency=EUR", "currency"), ("color=red", "color")])  # fmt: skip
def test_totals_refuse_what_they_do_not_know(teller: Any, query: str, field: str) -> None:
    said = refused(teller.call("GET", f"{TOTALS}?{query}"), 400, "invalid")
    assert said["errors"][0]["field"] == field


def test_a_machine_does_not_run_ahead_of_the_calendar(book: Book, teller: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    day = days.open_day().day
    monkeypatch.setattr(days, "has_begun", lambda asked: asked <= day)
    assert exact(teller.call("POST", SNAPSHOT, json={"date": day.isoformat()}))["ended"] is True
    following = days.open_day().day
    refused(teller.call("POST", SNAPSHOT, json={"date": following.isoformat()}), 422, "notBegun")
    assert days.open_day().day == following


def test_the_open_day_is_ended_only_when_it_is_named(book: Book, teller: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # the suite also runs on Saturdays, when the open day is the Monday after
    monkeypatch.setattr(days, "has_begun", lambda _asked: True)
    account = book.account(1_000)
    day = days.open_day().day
    refused(teller.call("POST", SNAPSHOT), 422, "noClosedDay")
    assert days.open_day().day == day
    said = exact(teller.call("POST", SNAPSHOT, json={"date": day.isoformat()}))
    assert (said["date"], said["ended"], said["accounts"]) == (day.isoformat(), True, 2)
    assert said["nextDate"] == clock.calendar().add_days(day, 1).isoformat()
    assert {(t["accountType"], t["posted"]) for t in said["totals"]} == {
        ("client", Decimal("10.00")),
        ("settlement", Decimal("-10.00")),
    }
    book.pay(account, book.house(), 1)
    again = exact(teller.call("POST", SNAPSHOT))
    assert again == {**said, "ended": False}
    assert again == exact(teller.call("POST", SNAPSHOT, json={"date": day.isoformat()}))
    assert session().scalar(sa.select(sa.func.count()).select_from(DailyBalance)) == 2


def test_a_snapshot_of_another_day_than_a_business_day_is_refused(teller: Any) -> None:
    day = days.open_day().day
    tomorrow, yesterday = day + timedelta(days=1), day - timedelta(days=1)
    refused(teller.call("POST", SNAPSHOT, json={"date": tomorrow.isoformat()}), 422, "futureDay")
    refused(teller.call("POST", SNAPSHOT, json={"date": yesterday.isoformat()}), 422, "unknownDay")
    said = refused(teller.call("POST", SNAPSHOT, json={"date": "2026-13-01"}), 400, "invalid")
    assert said["errors"][0]["field"] == "date"
    assert session().scalar(sa.select(sa.func.count()).select_from(BusinessDay)) == 1


def test_a_snapshot_cut_short_is_finished_by_naming_the_day(book: Book, teller: Any) -> None:
    book.account(1_000)
    day = days.open_day().day
    days.end(day, by=system())
    said = exact(teller.call("POST", SNAPSHOT, json={"date": day.isoformat()}))
    assert (said["ended"], said["accounts"]) == (False, 2)


def test_recalculating_reports_each_difference_and_rewrites_nothing(book: Book, teller: Any) -> None:
    account = book.account(1_000)
    first = days.open_day().day
    snapshots.end_of_day(first, by=system())
    second = days.open_day().day
    days.end(second, by=system())
    with transaction() as current:
        current.execute(
            sa.text(
                "INSERT INTO daily_balance (account_id, day, posted, debits, credits, movements)"
                " VALUES (:account, :day, 1000, 3, 3, 2)"
            ),
            {"account": account, "day": second},
        )
        current.execute(sa.text("UPDATE business_day SET snapshot_at = now() WHERE day = :day"), {"day": second})
    said = exact(teller.call("POST", RECALCULATE, json={"from": str(first), "to": str(second)}))
    assert said["days"] == [str(first), str(second)]
    wrong = {d["field"]: (d["stored"], d["rebuilt"]) for d in said["differences"] if d["accountId"] == str(account)}
    assert wrong == {
        "debits": (Decimal("0.03"), Decimal("0.00")),
        "credits": (Decimal("0.03"), Decimal("0.00")),
        "movements": (2, 0),
    }
    totals = [d for d in said["differences"] if d["accountId"] is None]
    assert totals and all(d["stored"] is None for d in totals)
    assert said["differenceCount"] == len(said["differences"])
    fine = exact(teller.call("POST", RECALCULATE, json={"from": str(first), "to": str(first)}))
    assert (fine["differenceCount"], fine["differences"], fine["rows"]) == (0, [], 2)
    assert exact(teller.call("POST", RECALCULATE, json={"from": str(first), "to": str(second)})) == said


@pytest.mark.parametrize(
    ("start", "end", "status", "code"),
    [(0, -1, 400, "invalid"), (-400, -1, 400, "invalid"), (-3, -1, 422, "noClosedDay"), (-1, 1, 422, "futureDay")],
)
def test_a_period_must_make_sense(teller: Any, start: int, end: int, status: int, code: str) -> None:
    day = days.open_day().day
    body = {"from": str(day + timedelta(days=start)), "to": str(day + timedelta(days=end))}
    refused(teller.call("POST", RECALCULATE, json=body), status, code)


def test_operating_the_ledger_needs_its_scope(machine: Callable[..., Any]) -> None:
    reader = machine(Audience.SYSTEM, scopes=["ledger:read"])
    day = str(days.open_day().day)
    assert reader.call("POST", SNAPSHOT, json={"date": day}).status_code == 403
    assert reader.call("POST", RECALCULATE, json={"from": day, "to": day}).status_code == 403
    assert reader.call("GET", TOTALS).status_code == 200
    assert str(days.open_day().day) == day
