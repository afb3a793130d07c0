"""Transactions and payments where scripts matter: live filters, the dialog over the page, keys, two people, axe."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from dashboard.access.permissions import Role
from dashboard.database import session
from dashboard.ledger.queries.payments import numbers_of
from dashboard.staff import services as staff_services
from dashboard.staff.models import StaffMember
from tests.browser.axe import VIOLATIONS, broken_rules
from tests.clients.making import person
from tests.ledger.conftest import Book


@pytest.fixture
def world(live: Any) -> dict[str, Any]:
    """A client with money, one payment of theirs, and the two people."""
    maker, senior = live.staff(Role.TREASURER, "Tomas Mets"), live.staff(Role.SENIOR_TREASURER, "Rita Kask")
    officer = live.staff(Role.OFFICER, "Liis Saar")
    with live.app.app_context():
        member = session().scalars(sa.select(StaffMember).where(StaffMember.email == officer)).one()
        client = person(staff_services.actor_of(member))
        book = Book()
        account = book.account(100_000, owner=client.id)
        other = book.account(5_000)
        payment = book.pay(account, book.house(), 1_250)
        numbers = numbers_of([account, other])
    return {"maker": maker, "senior": senior, "payment": payment, "account": numbers[account], "other": numbers[other],
            "book": book, "id": account}  # fmt: skip


def balance(live: Any, world: dict[str, Any]) -> int:
    with live.app.app_context():
        account: UUID = world["id"]
        return int(world["book"].balance(account)[0])


def test_filters_run_while_typing_and_the_address_follows(live: Any, world: dict[str, Any]) -> None:
    page = live.sign_in(world["maker"])
    page.goto(f"{live.url}/ledger/transactions")
    expect(page.locator("#list tr.rec")).to_have_count(3)
    page.get_by_label("Amount at most").press_sequentially("12.50", delay=20)
    expect(page.locator("#list tr.rec")).to_have_count(1)
    page.wait_for_url(f"{live.url}/ledger/transactions?amount_to=12.50")
    page.get_by_label("Amount at least").press_sequentially("x", delay=20)
    expect(page.get_by_text("Write an amount, like 1250.50.").first).to_be_visible()
    page.go_back()


def test_a_payment_is_reversed_by_two_people_in_their_browsers(live: Any, world: dict[str, Any]) -> None:
    maker, senior = live.sign_in(world["maker"]), live.sign_in(world["senior"])
    maker.goto(f"{live.url}/ledger/payments/{world['payment']}")
    maker.keyboard.press("r")
    dialog = maker.locator("#dialog")
    expect(dialog.get_by_text("987.50 EUR")).to_be_visible()
    dialog.get_by_role("button", name="Ask to reverse").click()
    expect(dialog.get_by_text("Say why.")).to_be_visible()
    dialog.get_by_label("Why").fill("Entered twice")
    dialog.get_by_role("button", name="Ask to reverse").click()
    maker.wait_for_url(re.compile(r"/approvals/[0-9a-f-]{36}$"))
    assert balance(live, world) == 100_000 - 1_250
    senior.goto(f"{live.url}/approvals")
    senior.get_by_role("link", name="Reverse payment of 12.50 EUR", exact=True).click()
    senior.wait_for_url(re.compile(r"/approvals/[0-9a-f-]{36}$"))
    senior.keyboard.press("a")
    expect(senior.locator("#dialog").get_by_text("Entered twice")).to_be_visible()
    senior.keyboard.press("Enter")
    senior.wait_for_url(f"{live.url}/ledger/payments/{world['payment']}")
    expect(senior.get_by_text("Reversed in full")).to_be_visible()
    assert balance(live, world) == 100_000


def test_an_adjusting_payment_is_asked_without_scripts(live: Any, world: dict[str, Any]) -> None:
    page = live.sign_in(world["maker"], java_script_enabled=False)
    page.goto(f"{live.url}/ledger/transactions")
    page.get_by_role("link", name="New adjusting payment").click()
    page.get_by_label("Debtor account").fill(world["account"])
    page.get_by_label("Creditor account").fill(world["other"])
    page.get_by_label("Amount", exact=True).fill("10")
    page.get_by_label("Why").fill("Booked to the wrong account")
    for debtor in (world["other"], world["account"]):
        page.get_by_role("button", name="Swap debtor and creditor").click()
        expect(page.get_by_label("Debtor account")).to_have_value(debtor)
    page.get_by_label("Amount", exact=True).press("Enter")
    expect(page.get_by_text("987.50 EUR")).to_be_visible()
    page.get_by_role("button", name="Change").click()
    expect(page.get_by_label("Amount", exact=True)).to_have_value("10")
    page.get_by_role("button", name="Show what changes").click()
    page.get_by_role("button", name="Ask for approval").click()
    expect(page.get_by_text("Waiting for a second person.")).to_be_visible()
    assert balance(live, world) == 100_000 - 1_250


@pytest.mark.parametrize("width", [1280, 390])
def test_the_pages_have_no_barriers_and_fit(live: Any, world: dict[str, Any], width: int) -> None:
    page = live.sign_in(world["maker"], viewport={"width": width, "height": 900})
    for path in ("transactions", f"payments/{world['payment']}", f"payments/{world['payment']}/reverse",
                 "payments/new", "transactions?amount_from=x"):  # fmt: skip
        page.goto(f"{live.url}/ledger/{path}")
        assert broken_rules(page, {**VIOLATIONS, "runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
