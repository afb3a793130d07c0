"""A view saved by keyboard, found in the palette, and rows that stay compact."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from dashboard.access.permissions import Role
from tests.browser.axe import broken_rules


def heights(page: Any) -> set[float]:
    found: list[float] = page.evaluate(
        "[...document.querySelectorAll('main tbody tr')].map(row => row.getBoundingClientRect().height)"
    )
    return set(found)


def test_a_view_is_saved_by_keyboard_found_in_the_palette_and_compact_rows_stay_after_signing_in_again(
    live: Any,
) -> None:
    email = live.staff(Role.ADMIN, "Mari Tamm")
    page = live.sign_in(email)
    page.goto(f"{live.url}/staff")
    page.get_by_label("State").select_option("active")
    page.get_by_role("button", name="Apply").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: url.endswith("&state=active"))
    page.get_by_role("link", name="Save this view…").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#dialog #name")).to_be_focused()
    for scheme in ("light", "dark"):
        page.evaluate(f"document.documentElement.setAttribute('data-bs-theme', '{scheme}')")
        assert broken_rules(page) == []
    page.keyboard.press("Enter")
    expect(page.locator("#dialog [role='alert']")).to_contain_text("Name")
    page.locator("#dialog #name").focus()
    page.keyboard.type("Who works here")
    page.keyboard.press("Enter")
    saved = page.get_by_role("navigation", name="Saved views").get_by_role("link", name="Who works here")
    expect(saved).to_have_attribute("aria-current", "page")

    # compact: 28 px, and nothing that can be pointed at is smaller than 24
    assert heights(page) == {32}
    page.get_by_role("button", name="Compact rows").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Compact rows")).to_have_attribute("aria-pressed", "true")
    assert heights(page) == {28}
    small = page.evaluate(
        "[...document.querySelectorAll('.listbar :is(a, button)')].map(one => one.getBoundingClientRect())"
        ".filter(box => box.height < 24 || box.width < 24).length"
    )
    assert small == 0

    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in**")
    again = live.sign_in(email)
    again.goto(f"{live.url}/approvals")
    again.keyboard.press("Control+k")
    again.locator("#palette-text").press_sequentially("who works")
    expect(again.locator("#palette-results [aria-selected='true']")).to_contain_text("Who works here")
    again.keyboard.press("Enter")
    again.wait_for_url("**/staff?state=active")
    assert heights(again) == {28}
