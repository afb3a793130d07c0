"""GL-04 and GL-22: balance checks as machines ask for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
import simplejson
import sqlalchemy as sa
from flask import Flask

from dashboard.access import tokens
from dashboard.access.permissions import Audience
from dashboard.background import runner
from dashboard.database import session, transaction
from dashboard.ledger.models import BalanceCheck
from dashboard.ledger.services import checking
from tests.conftest import Machine
from tests.ledger.conftest import Book
from tests.ledger.test_checks import corrupt

RECALCULATE = "/v2/internal/Accounts/recalculate"
JOB = "/internal/BackgroundJob/AccountBalanceCheckJob"


def machine_on(app: Flask, *scopes: str) -> Machine:
    with transaction():
        token, secret = tokens.create(
            audience=Audience.SYSTEM, scopes=tokens.resolve_scopes(Audience.SYSTEM, list(scopes)), name="check test"
        )
    return Machine(app.test_client(), secret, token.id)


def test_each_difference_of_given_accounts_is_reported_with_its_finding(committed: Flask) -> None:
    book, caller = Book(), machine_on(committed)
    wrong, right = book.account(12_345), book.account(10)
    corrupt(committed, wrong, posted=55)
    answer = caller.call("POST", RECALCULATE, json={"accountIds": [str(wrong), str(right)]})
    assert answer.status_code == 200, answer.text
    said = simplejson.loads(answer.text, use_decimal=True)
    assert (said["accounts"], said["job"]) == (2, None)
    [difference] = said["differences"]
    assert difference["accountId"] == str(wrong)
    assert difference["accountNumber"].startswith("LT")
    assert difference["currency"] == "eur"
    assert difference["stored"] == {"posted": Decimal("124.00"), "held": Decimal("0.00")}
    assert difference["rebuilt"] == {"posted": Decimal("123.45"), "held": Decimal("0.00")}
    # asked again it is the same finding, and nothing was mended
    again = caller.call("POST", RECALCULATE, json={"accountIds": [str(wrong)]}).get_json()
    assert again["differences"][0]["findingId"] == difference["findingId"]
    assert book.balance(wrong) == (12_400, 0)


def test_a_small_ledger_is_checked_at_once_when_no_account_is_named(book: Book, teller: Any) -> None:
    book.account(100)
    answer = teller.call("POST", RECALCULATE, json={})
    assert answer.status_code == 200, answer.text
    said = answer.get_json()
    assert (said["accounts"], said["differences"], said["job"]) == (2, [], None)
    assert session().scalar(sa.select(BalanceCheck.scope)) == "full"


def test_a_larger_ledger_is_checked_in_the_background(book: Book, teller: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "MOST_CHOSEN", 1)
    book.account(100)
    answer = teller.call("POST", RECALCULATE, json={})
    assert answer.status_code == 202
    said = answer.get_json()
    assert (said["differences"], said["job"]["scope"], said["job"]["state"]) == (None, "full", "queued")
    job = teller.call("GET", f"/internal/BackgroundJob/{said['job']['jobId']}")
    assert job.get_json() == said["job"]


def test_an_unknown_account_is_named(book: Book, teller: Any) -> None:
    nobody = str(uuid4())
    answer = teller.call("POST", RECALCULATE, json={"accountIds": [str(book.account()), nobody]})
    assert answer.status_code == 404
    assert (answer.get_json()["code"], answer.get_json()["accountIds"]) == ("accountNotFound", [nobody])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"accountIds": []}, "accountIds"),
        ({"accountIds": "all"}, "accountIds"),
        ({"accountIds": ["x"]}, "accountIds.0"),
        ({"accountIds": [1]}, "accountIds.0"),
        ({"accountIds": [str(uuid4())] * 1_001}, "accountIds"),
        ({"ids": []}, "ids"),
    ],
)
def test_a_body_that_breaks_a_rule_is_told_which_field(teller: Any, body: dict[str, Any], field: str) -> None:
    answer = teller.call("POST", RECALCULATE, json=body)
    assert answer.status_code == 400
    assert field in [error["field"] for error in answer.get_json()["errors"]]
    assert session().scalar(sa.select(sa.func.count()).select_from(BalanceCheck)) == 0


def test_the_job_is_asked_once_followed_and_answers_figures_when_it_is_done(committed: Flask) -> None:
    book, caller = Book(), machine_on(committed)
    wrong = book.account(500)
    corrupt(committed, wrong, posted=1)
    asked = caller.call("POST", JOB, json={"scope": "full"})
    assert asked.status_code == 200, asked.text
    job = asked.get_json()
    assert (job["job"], job["scope"], job["state"]) == ("AccountBalanceCheckJob", "full", "queued")
    assert (job["accounts"], job["differences"], job["finished"]) == (None, None, None)
    # asked again while it waits, for whatever scope, it is the same job
    assert caller.call("POST", JOB, json={}).get_json()["jobId"] == job["jobId"]
    assert runner.run_one(committed, threading.Event())
    done = caller.call("GET", f"/internal/BackgroundJob/{job['jobId']}").get_json()
    assert (done["state"], done["accounts"], done["differences"]) == ("succeeded", 2, 1)
    assert (done["done"], done["total"]) == (2, 2)
    assert done["finished"].endswith("Z")
    assert caller.call("POST", JOB, json={}).get_json()["jobId"] != job["jobId"]


def test_a_body_may_be_left_out(book: Book, teller: Any) -> None:
    book.account(100)
    assert teller.call("POST", RECALCULATE).get_json()["accounts"] == 2
    assert teller.call("POST", JOB).get_json()["scope"] == "touched"


def test_a_payment_is_canceled_without_a_body(book: Book, teller: Any) -> None:
    waiting = book.draft(book.account(100), book.account(), 10)
    answer = teller.call("POST", f"/internal/Payments/{waiting}/cancel")
    assert answer.status_code == 200, answer.text
    assert answer.get_json()["transactions"][0]["state"] == "canceled"


@pytest.mark.parametrize("scope", ["chosen", "", None, 3, "FULL"])
def test_an_unknown_scope_is_refused(teller: Any, scope: Any) -> None:
    answer = teller.call("POST", JOB, json={"scope": scope})
    assert answer.status_code == 400
    assert answer.get_json()["errors"][0]["field"] == "scope"


def test_a_job_of_somebody_elses_making_is_not_found(teller: Any) -> None:
    assert teller.call("GET", f"/internal/BackgroundJob/{uuid4()}").status_code == 404


def test_only_a_token_that_runs_the_ledger_may_check(machine: Callable[..., Machine]) -> None:
    reader = machine(Audience.SYSTEM, scopes=["ledger:read"])
    for path in (RECALCULATE, JOB):
        assert reader.call("POST", path, json={}).status_code == 403
    assert session().scalar(sa.select(sa.func.count()).select_from(BalanceCheck)) == 0
