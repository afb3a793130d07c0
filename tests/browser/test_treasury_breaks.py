"""Breaks in the browser: matched by hand with scripts, worked without them, and nothing for axe to find."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from dashboard.access.permissions import Role
from tests.browser.axe import broken_rules
from tests.browser.conftest import settled
from tests.treasury.matching.conftest import Desk, Told


@pytest.fixture
def reconciled(live: Any) -> Any:
    """A treasurer's page, and a bank account with a match, two breaks and a proposal."""
    live.staff(Role.TREASURER, "Anu Ounapuu")
    live.staff(Role.SENIOR_TREASURER, "Rein Kask")
    with live.app.app_context():
        desk = Desk()
        desk.ledger(1_250_00)
        desk.ledger(77_00)
        desk.file(
            Told(1_245_50, text="invoice 4410", party="Ilves OU"), Told(77_00), Told(-4_50, text="prowizja"),
        )  # fmt: skip
        day = desk.close()
        desk.run(day)
        breaks = {one.difference_minor: one.id for one in desk.breaks()}
        address = f"/treasury/reconciliation?account={desk.bank_id}&day={day}"
    return live.sign_in("anu.ounapuu@test.example"), address, breaks


def test_what_is_left_is_shown_while_picking_and_a_second_person_is_asked(live: Any, reconciled: Any) -> None:
    page, address, _ = reconciled
    page.goto(live.url + address)
    page.get_by_role("link", name="Match by hand").click()
    page.get_by_role("checkbox", name=re.compile(r"1,250\.00")).check()
    page.get_by_role("checkbox", name=re.compile(r"1,245\.50")).check()
    expect(page.locator("#sum")).to_contain_text("left −4.50 EUR")
    expect(page.get_by_role("button", name="Match", exact=True)).to_be_disabled()
    page.get_by_label("Bank fee (expense)").check()
    page.locator("#sum").get_by_label("Why").fill("kept on the way")
    page.get_by_role("button", name="Book −4.50 EUR…").click()
    expect(page.get_by_text("Asked a second person to book it.")).to_be_visible()


def test_a_break_is_acknowledged_by_key_and_accepted_in_a_dialog(live: Any, reconciled: Any) -> None:
    page, _, breaks = reconciled
    page.goto(f"{live.url}/treasury/breaks/{breaks[-4_50]}")
    page.keyboard.press("a")
    expect(page.get_by_text("Acknowledged.")).to_be_visible()
    page.keyboard.press("x")
    page.get_by_label("Why").fill("smaller than the cost of asking")
    page.get_by_role("button", name="Ask to accept").click()
    expect(page.get_by_text("Waiting for approval")).to_be_visible()


def test_proposals_are_decided_without_scripts(live: Any, reconciled: Any) -> None:
    _, address, _ = reconciled
    page = live.sign_in("anu.ounapuu@test.example", java_script_enabled=False)
    page.goto(f"{live.url}{address}&tab=proposed")
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_text("No proposals wait for a person.")).to_be_visible()
    page.get_by_role("link", name="Matched").click()
    page.get_by_role("link", name="Undo…").click()
    page.get_by_label("Why").fill("another one's")
    page.get_by_role("button", name="Undo the match").click()
    expect(page.get_by_text("Undone. Its rows are open again.")).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark")])
def test_nothing_for_axe_to_find(live: Any, reconciled: Any, width: int, scheme: str) -> None:
    page, address, breaks = reconciled
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    one = f"/treasury/breaks/{breaks[-4_50]}"
    found = []
    for place in (
        address, f"{address}&tab=proposed", f"{address}&tab=matched", "/treasury/breaks", one, f"{one}/accept",
        f"{one}/book", "/treasury/reconciliation/rules", address.replace("reconciliation?", "reconciliation/match?"),
        address.replace("reconciliation?", "reconciliation/report?"),
    ):  # fmt: skip
        page.goto(live.url + place)
        settled(page)
        found += [(place, *broken) for broken in broken_rules(page)]
        wider = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not wider, f"{place} scrolls sideways"
    assert found == []
