"""The palette by keyboard alone, with letters switched off, and as a page without scripts."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from playwright.sync_api import expect

from dashboard.access.permissions import Role
from dashboard.database import session
from dashboard.staff import services as staff_services
from dashboard.staff.models import StaffMember
from tests.browser.axe import broken_rules
from tests.clients.making import company


def test_the_palette_opens_by_a_key_and_leads_where_the_arrows_point(live: Any) -> None:
    email = live.staff(Role.SENIOR_OFFICER, "Mari Tamm")
    with live.app.app_context():
        member = session().scalars(sa.select(StaffMember).where(StaffMember.email == email)).one()
        client_id = company(staff_services.actor_of(member), name="Zyxel Trade OÜ").id
    page = live.sign_in(email)
    page.goto(f"{live.url}/staff/roles")
    page.goto(f"{live.url}/approvals")
    field, dialog = page.locator("#palette-text"), page.locator("#palette")

    # opened on any page; what was visited last stands first, and the first is chosen
    page.keyboard.press("Control+k")
    expect(field).to_be_focused()
    chosen = page.locator("#palette-results [aria-selected='true']")
    expect(chosen).to_have_text("Roles")
    expect(field).to_have_attribute("aria-expanded", "true")
    expect(field).to_have_attribute("aria-activedescendant", "palette-recent-0")
    for scheme in ("light", "dark"):
        page.evaluate(f"document.documentElement.setAttribute('data-bs-theme', '{scheme}')")
        assert broken_rules(page) == []

    # typed, chosen by an arrow, opened by Enter; typed letters are no shortcuts
    page.keyboard.type("queue")
    expect(chosen).to_contain_text("Queue:")
    first = chosen.text_content()
    page.keyboard.press("ArrowDown")
    expect(chosen).not_to_have_text(first or "")
    page.keyboard.press("ArrowUp")
    expect(chosen).to_have_text(first or "")
    field.fill("zyxel")
    expect(chosen).to_contain_text("Zyxel Trade")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/clients/{client_id}")

    # Enter before the answer came waits for what was typed last
    page.keyboard.press("Meta+k")
    expect(chosen).to_be_visible()
    field.press_sequentially("settings")
    page.keyboard.press("Enter")
    page.wait_for_url("**/staff/me")

    # Esc closes and changes nothing; single letters off leave the palette its keys
    page.keyboard.press("Control+k")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert page.url.endswith("/staff/me")
    page.evaluate("document.body.dataset.keys = 'off'")
    page.keyboard.press("Control+k")
    expect(field).to_be_focused()
    page.keyboard.press("Control+k")
    expect(dialog).to_be_hidden()

    # the keys are told, and what this tab remembers goes with the sign-out
    page.keyboard.press("?")
    expect(page.locator("#shortcuts")).to_contain_text("Ctrl K")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.wait_for_url("**/sign-in")
    assert page.evaluate("Object.keys(sessionStorage).filter((key) => key.startsWith('recent:'))") == []


def test_without_scripts_find_is_a_page(live: Any) -> None:
    page = live.sign_in_through_the_page(live.staff(Role.AUDITOR, "Anna Saar"), java_script_enabled=False)
    page.get_by_role("link", name="Find").click()
    page.wait_for_url("**/find")
    page.get_by_label("Page, action, client").fill("safeguarding by")
    page.get_by_role("button", name="Find", exact=True).click()
    page.get_by_role("link", name="Safeguarding by month").click()
    page.wait_for_url("**/treasury/safeguarding/months")
