"""The walk of a newcomer: yesterday's demo statements are imported, matched and settled as each difference deserves,
and the day is signed by a second person."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from dashboard.access.permissions import Role
from dashboard.background import runner
from dashboard.database import session, transaction
from dashboard.home.demo_data import loading
from dashboard.home.demo_data.statements import bookings, folder
from dashboard.treasury.matching.models import ReconBreak
from dashboard.treasury.register import queries as register

REASONS = {
    "missingInStatement": "The bank was asked and books it tomorrow.",
    "duplicateAtBank": "The bank takes the second one back tomorrow.",
    "wrongDate": "The bank confirmed the true dates by letter.",
}


@pytest.fixture
def world(live: Any, tmp_path: Path) -> dict[str, Any]:
    """Demo data, the statements of its last two business days, and two treasurers."""
    settings = live.app.extensions["countinghouse.settings"]
    loading.load(settings.migration_database_url, settings, clients=400, transactions=9_000, seed=1)
    with live.app.app_context():
        last = bookings.last_closed()
        assert last is not None
        days = folder.write(tmp_path, last, owner="Kontora Money UAB")
    return {
        "treasurer": live.staff(Role.TREASURER, "Tomas Mets"),
        "senior": live.staff(Role.SENIOR_TREASURER, "Rita Kask"),
        "last": last,
        "days": days,
    }


def work(live: Any) -> None:
    """What the scheduler does: everything that waits in the background."""
    while runner.run_one(live.app, threading.Event()):
        pass


def planted(world: dict[str, Any]) -> list[dict[str, Any]]:
    said: dict[str, Any] = json.loads((world["days"][-1].folder / folder.LIST).read_text("utf-8"))
    listed: list[dict[str, Any]] = said["differences"]
    return listed


def minor(difference: dict[str, Any]) -> int:
    """What a break is about: the bank's amount, or the ledger's where the bank has none."""
    return int(Decimal(difference["bank"] or difference["ledger"]) * 100)


def breaks(live: Any) -> dict[tuple[str, str, int], UUID]:
    """Account, kind and amount of every break, to its identifier."""
    with live.app.app_context(), transaction():
        numbers = {view.id: f"{view.number} {view.currency}" for view in register.accounts()}
        return {
            (numbers[row.bank_account_id], row.kind,
             row.bank_minor if row.bank_minor is not None else row.ledger_minor or 0): row.id
            for row in session().scalars(sa.select(ReconBreak))
        }  # fmt: skip


def key(difference: dict[str, Any]) -> tuple[str, str, int]:
    return f"{difference['account']} {difference['currency']}", difference["found"], minor(difference)


def upload(live: Any, page: Page, path: Path) -> None:
    """Shown first, and imported then."""
    page.goto(f"{live.url}/treasury/statements")
    page.locator("#statement-file").set_input_files(path)
    page.get_by_role("button", name="Read the file").click()
    page.wait_for_url(re.compile(r"/treasury/statements/files/[0-9a-f-]{36}$"))
    page.get_by_role("button", name=re.compile("^Import [0-9]+ statements")).click()
    expect(page.get_by_text("Imported", exact=True).first).to_be_visible()
    expect(page.get_by_text("Failed", exact=True)).to_have_count(0)


def run_rules(live: Any, page: Page, account: UUID, day: date) -> None:
    """Dry first, which changes nothing, then in earnest."""
    before = breaks(live)
    page.goto(f"{live.url}/treasury/reconciliation?account={account}&day={day}")
    page.get_by_role("button", name="Dry run").click()
    work(live)
    page.goto(f"{live.url}/treasury/reconciliation?account={account}&day={day}")
    expect(page.get_by_text("nothing was changed", exact=False)).to_be_visible()
    assert breaks(live) == before
    page.get_by_role("button", name="Run now").click()
    work(live)
    page.goto(f"{live.url}/treasury/reconciliation?account={account}&day={day}")
    expect(page.get_by_role("button", name="Run again")).to_be_visible()
    expect(page.locator(".term.apart .money")).to_have_text("0.00")


def match_by_hand(live: Any, page: Page, found: UUID, difference: dict[str, Any]) -> None:
    page.goto(f"{live.url}/treasury/breaks/{found}")
    page.get_by_role("link", name="Match by hand").first.click()
    page.wait_for_url(re.compile("/treasury/reconciliation/match"))
    page.get_by_label("Amount", exact=True).fill(difference["bank"].removeprefix("-"))
    page.get_by_role("button", name="Apply").click()
    for side in ("ledger", "bank"):
        box = page.locator(f"section[aria-labelledby=h-{side}] input[type=checkbox]")
        expect(box).to_have_count(1)
        box.check()
    expect(page.locator("#sum").get_by_text("left")).to_contain_text("0.00")
    page.get_by_role("button", name="Match", exact=True).click()
    page.wait_for_url(re.compile(r"/treasury/reconciliation\?"))


def book(live: Any, page: Page, found: UUID, booked_as: str) -> None:
    page.goto(f"{live.url}/treasury/breaks/{found}")
    page.get_by_role("link", name="Book adjustment").click()
    dialog = page.locator("#dialog")
    dialog.get_by_label(booked_as).check()
    dialog.get_by_label("Why").fill("The bank's price list says so.")
    dialog.get_by_role("button", name="Ask to book").click()
    expect(page.get_by_text("Waiting for approval.")).to_be_visible()


def accept(live: Any, page: Page, found: UUID, reason: str) -> None:
    page.goto(f"{live.url}/treasury/breaks/{found}")
    page.get_by_role("link", name="Accept with reason").click()
    dialog = page.locator("#dialog")
    dialog.get_by_label("Why").fill(reason)
    dialog.get_by_role("button", name="Ask to accept").click()
    expect(page.get_by_text("Waiting for approval.")).to_be_visible()


def approve_all(live: Any, page: Page, count: int) -> None:
    """Each request is opened, read and approved by the second person."""
    for left in range(count, 0, -1):
        page.goto(f"{live.url}/approvals?view=me")
        rows = page.locator("table tr.rec a.open")
        expect(rows).to_have_count(left)
        rows.first.click()
        page.wait_for_url(re.compile(r"/approvals/[0-9a-f-]{36}$"))
        here = page.url
        page.keyboard.press("a")
        expect(page.locator("#dialog")).to_be_visible()
        page.keyboard.press("Enter")
        expect(page).not_to_have_url(here)
    page.goto(f"{live.url}/approvals?view=me")
    expect(page.locator("table tr.rec a.open")).to_have_count(0)


def _sent(answer: Any) -> bool:
    return bool(answer.request.method == "POST")


def sign(live: Any, preparer: Page, signer: Page, day: date, pool: str, currency: str) -> None:
    """Prepared by one; the preparer is not offered to sign; another person does."""
    place = f"{live.url}/treasury/days/{day}/{pool}/{currency}"
    preparer.goto(place)
    with preparer.expect_response(_sent):
        preparer.get_by_role("button", name="Prepare", exact=True).click()
    preparer.goto(place)
    expect(preparer.get_by_text("Prepared", exact=True).first).to_be_visible()
    # a shortfall of this version has its answer
    preparer.goto(f"{live.url}/treasury/safeguarding?pool={pool}&currency={currency}&day={day}")
    if preparer.locator("details[open] #act-says").count():
        preparer.get_by_label("What", exact=True).select_option(label="Other")
        preparer.get_by_label("In words").fill("Topped up from own funds in the morning.")
        with preparer.expect_response(_sent):
            preparer.get_by_role("button", name="Keep it").click()
    preparer.goto(place)
    expect(preparer.get_by_role("button", name=re.compile("^Sign version"))).to_have_count(0)
    signer.goto(place)
    with signer.expect_response(_sent):
        signer.get_by_role("button", name=re.compile("^Sign version 1")).click()
    signer.goto(place)
    expect(signer.get_by_text("Signed", exact=True).first).to_be_visible()
    expect(signer.get_by_text("Rita Kask").first).to_be_visible()


def test_a_newcomer_closes_yesterday(live: Any, world: dict[str, Any]) -> None:
    page, senior, last = live.sign_in_through_the_page(world["treasurer"]), live.sign_in(world["senior"]), world["last"]
    expect(page.get_by_role("heading", name=re.compile("^Business day"))).to_contain_text(f"{last:%a} {last.day}")
    expect(page.locator(".currency-lines li").filter(has_text="EUR")).to_contain_text("No data")
    for day in world["days"]:
        for path in day.files:
            upload(live, page, path)
    with live.app.app_context():
        accounts = [view for view in register.accounts() if view.pool]
    for view in accounts:
        run_rules(live, page, view.id, last)

    # found is what was planted, no more and no less
    found = breaks(live)
    assert Counter(found.keys()) == Counter(key(each) for each in planted(world))
    page.goto(f"{live.url}/treasury/breaks")
    expect(page.locator("#list tr.rec")).to_have_count(len(found))

    asked = 0
    for each in planted(world):
        if each["remedy"] == "matchByHand":
            match_by_hand(live, page, found[key(each)], each)
        elif each["remedy"] == "adjustingPayment":
            book(live, page, found[key(each)], "Bank fee")
            asked += 1
        else:
            accept(live, page, found[key(each)], REASONS[each["kind"]])
            asked += 1
    approve_all(live, senior, asked)
    page.goto(f"{live.url}/treasury/breaks")
    expect(page.locator("#list tr.rec")).to_have_count(0)

    sign(live, page, senior, last, "eMoney", "eur")
    page.goto(f"{live.url}/")
    expect(page.locator(".currency-lines li").filter(has_text="EUR")).to_contain_text("Signed")
