"""The second factor in the browser: set up, asked for at sign-in, and again before approving. Axe finds nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pyotp
import pytest
from playwright.sync_api import Page, expect

from dashboard import clock
from dashboard.access.permissions import Role
from dashboard.clients import services as clients
from dashboard.clients.profile import IndividualProfile
from dashboard.database import transaction
from dashboard.staff import services
from tests.browser.axe import broken_rules
from tests.browser.conftest import Live
from tests.conftest import PASSWORD


def asked(live: Live, officer: str) -> UUID:
    """A request that waits for a senior officer."""
    with live.app.app_context():
        by = services.actor_named(officer)
        with transaction():
            client = clients.create(IndividualProfile(first_name="Mari", last_name="Ilves", risk_level=1), by=by)
        with transaction():
            return clients.ask_to_activate(client.id, reason="papers seen", by=by).id


class Phone:
    """A phone with an authenticator app, and the clock that it shares with the house: it can be moved on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead, self.secret, present = timedelta(0), "", clock.now
        monkeypatch.setattr(clock, "now", lambda: present() + self.ahead)

    def next_code(self) -> str:
        """A minute later, so that it was not used yet."""
        self.ahead += timedelta(minutes=1)
        code: str = pyotp.TOTP(self.secret).at(clock.now())
        return code


def complaints(page: Page) -> list[Any]:
    wide = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return broken_rules(page) + (["sideways"] if wide else [])


def test_an_app_is_set_up_asked_for_at_sign_in_and_again_before_approving(
    live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = Phone(monkeypatch)
    officer, senior = live.staff(Role.OFFICER, "M. Tamm"), live.staff(Role.SENIOR_OFFICER, "R. Kask")
    request_id = asked(live, officer)
    found: dict[str, list[Any]] = {}

    page = live.sign_in_through_the_page(senior)

    def look(name: str) -> None:
        """In both themes and on a phone too."""
        for scheme, width in (("light", 1280), ("dark", 390)):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.set_viewport_size({"width": width, "height": 844})
            found[f"{name}, {scheme}"] = complaints(page)
        page.emulate_media(color_scheme="light")
        page.set_viewport_size({"width": 1280, "height": 900})

    page.goto(f"{live.url}/staff/me")
    page.get_by_role("link", name="Set up…").click()
    page.get_by_role("button", name="Begin").click()
    picture = page.get_by_role("img", name="QR code")
    expect(picture).to_be_visible()
    # the policy let it be drawn
    assert picture.evaluate("image => image.complete && image.naturalWidth > 0")
    phone.secret = page.locator(".secret").inner_text().replace(" ", "")
    look("secret")
    page.get_by_label("Code that the app shows").fill(phone.next_code())
    page.get_by_role("button", name="Turn on").click()
    expect(page.locator(".recovery-codes li")).to_have_count(10)
    recovery = page.locator(".recovery-codes li").first.inner_text()
    look("recovery codes")
    page.get_by_role("link", name="I have kept them").click()
    expect(page.get_by_text("10 of 10 left")).to_be_visible()
    look("settings, on")
    page.get_by_role("link", name="Change…").click()
    expect(page.get_by_role("button", name="Replace the device")).to_be_visible()

    page = live.open_page()
    page.goto(f"{live.url}/sign-in?next=/approvals/{request_id}")
    page.get_by_label("E-mail").fill(senior)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Code").fill("nothing")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("This code was not taken.")
    look("code")
    page.get_by_label("Code").fill(recovery)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{live.url}/approvals/{request_id}")
    expect(page.get_by_text("You signed in with a recovery code. 9 are left.")).to_be_visible()

    # the dialog asks first, then becomes the one that was wanted
    phone.ahead += timedelta(minutes=15)
    page.get_by_role("link", name="Approve…").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="Show that it is you")).to_be_visible()
    expect(dialog.get_by_label("Code")).to_be_focused()
    look("step-up")
    dialog.get_by_label("Code").fill("123")
    dialog.get_by_role("button", name="Go on").click()
    expect(dialog.get_by_role("alert")).to_contain_text("This code was not taken.")
    dialog.get_by_label("Code").fill(phone.next_code())
    dialog.get_by_role("button", name="Go on").click()
    approve = dialog.get_by_role("button", name="Approve now")
    expect(approve).to_be_visible()
    # too late once more: said in the dialog, which stays
    phone.ahead += timedelta(minutes=15)
    approve.click()
    expect(dialog.get_by_role("alert")).to_contain_text("Show that it is you.")
    with page.context.expect_page() as opened:
        dialog.get_by_role("link", name="Do that in another tab").click()
    tab = opened.value
    tab.get_by_label("Code").fill(phone.next_code())
    tab.get_by_role("button", name="Go on").click()
    tab.wait_for_url(f"{live.url}/approvals/{request_id}")
    approve.click()
    expect(page.locator(".banner.notice")).to_contain_text("Activated Mari Ilves")
    # what was sent too late: HTMX prints the answer's status
    assert all("Response Status Error Code 4" in line for line in live.complaints)
    live.complaints.clear()
    assert not {name: said for name, said in found.items() if said}
