"""The register, a treasury day and an own movement in browsers: two people, without scripts, on a phone, axe."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from dashboard import clock
from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.database import new_id, transaction
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import accounts, payments
from dashboard.ledger.services import days as business_days
from dashboard.ledger.vocabulary import AccountType, ParentType
from dashboard.treasury.days import readiness
from dashboard.treasury.positions.services.working_out import freeze
from tests.browser.axe import broken_rules
from tests.treasury.approving import registered


@pytest.fixture
def world(live: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Own funds of 100.00 EUR, a safeguarding account, a business day that has ended, and two people."""
    monkeypatch.setattr(readiness, "_blockers", {})
    monkeypatch.setattr(readiness, "_preparations", [freeze])
    maker, senior = live.staff(Role.TREASURER, "Tomas Mets"), live.staff(Role.SENIOR_TREASURER, "Rita Kask")
    with live.app.app_context():
        with transaction():
            business_days.open_first(clock.calendar().add_days(clock.calendar().today(), 0), by=system())
        own, safe = registered("ownFunds", name="Own funds"), registered(name="Safe")
        with transaction():
            owner = new_id()
            accounts.register_owner(owner)
            client = accounts.open_account(type=AccountType.CLIENT, currency="eur", owner_id=owner, by=system())
            assert own.settlement_account_id is not None
            leg = Leg(own.settlement_account_id, client.id, 100_00, "eur")
            payments.pay(Order(ParentType.TRANSFER, new_id(), [leg]), by=system())
        day = business_days.end(business_days.open_day().day, by=system()).day
    return {"maker": maker, "senior": senior, "own": own, "safe": safe, "day": day}


def test_a_movement_is_asked_for_and_a_day_signed_by_two_people(live: Any, world: dict[str, Any]) -> None:
    maker, senior = live.sign_in(world["maker"]), live.sign_in(world["senior"])
    maker.goto(f"{live.url}/treasury/movements/new")
    maker.get_by_label(re.compile("Top-up:")).check()
    maker.get_by_label("From").select_option(str(world["own"].id))
    maker.get_by_label("To", exact=True).select_option(str(world["safe"].id))
    maker.get_by_label("Amount", exact=True).fill("40.00")
    maker.get_by_label("At the bank by hand").check()
    maker.get_by_label("Why", exact=True).fill("shortfall of yesterday")
    maker.keyboard.press("Tab")
    maker.get_by_role("button", name="Show what moves").click()
    expect(maker.get_by_role("cell", name="60.00 EUR")).to_be_visible()
    maker.get_by_role("button", name="Ask for approval").click()
    maker.wait_for_url(re.compile(r"/treasury/movements/[0-9a-f-]{36}$"))
    expect(maker.get_by_text("Waiting for approval.", exact=True)).to_be_visible()
    day = f"{live.url}/treasury/days/{world['day']}/eMoney/eur"
    maker.goto(day)
    maker.get_by_role("button", name="Prepare").click()
    expect(maker.get_by_text("You prepared it; another person signs.")).to_be_visible()
    expect(maker.get_by_role("button", name=re.compile("Sign version"))).to_have_count(0)
    senior.goto(f"{live.url}/treasury/days")
    senior.get_by_role("link", name="E-money EUR").click()
    senior.get_by_role("button", name="Sign version 1").click()
    expect(senior.get_by_text("Signed. Its figures are frozen.")).to_be_visible()


@pytest.mark.parametrize(
    "options",
    [{}, {"viewport": {"width": 390, "height": 800}}, {"color_scheme": "dark"}, {"java_script_enabled": False}],
    ids=["wide", "phone", "dark", "without scripts"],
)
def test_pages_are_readable_by_everybody(live: Any, world: dict[str, Any], options: dict[str, Any]) -> None:
    page = live.sign_in(world["maker"], **options)
    for address in (
        "accounts", "accounts/new", f"accounts/{world['safe'].id}", f"accounts/{world['safe'].id}/change",
        "accounts/pools", "movements", "movements/new", "days", f"days/{world['day']}/eMoney/eur",
    ):  # fmt: skip
        page.goto(f"{live.url}/treasury/{address}")
        expect(page.locator("h1")).to_be_visible()
        overflow = page.locator("html").evaluate("e => e.scrollWidth - e.clientWidth") if options.get(
            "java_script_enabled", True) else 0  # fmt: skip
        assert overflow <= 0, address
        if options.get("java_script_enabled", True):
            assert broken_rules(page) == [], address
