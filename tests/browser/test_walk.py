"""The walk a new user makes: import, find, block, ask, decide, read the timeline. In a real browser."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from dashboard.access.permissions import Audience, Role
from tests.browser.axe import broken_rules
from tests.browser.conftest import Live

#: the example that the reference gives for the import of an individual (reference/001), as it stands
REFERENCE_EXAMPLE = {
    "externalId": "string",
    "riskLevel": "low",
    "address": {
        "streetLine1": "string",
        "streetLine2": "string",
        "city": "string",
        "state": "string",
        "zip": "string",
        "country": "st",
    },
    "phoneNumber": "string",
    "email": "user@example.com",
    "firstName": "string",
    "lastName": "string",
    "citizenshipCountry": "st",
    "identificationDocument": {
        "issuedBy": "string",
        "expirationDate": "2019-08-24",
        "type": "passport",
        "number": "string",
        "issuedCountryCode": "st",
        "issuedDate": "2019-08-24",
    },
    "residenceCountry": "st",
    "dateOfBirth": "2019-08-24",
}


def call(live: Live, token: str, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    request = urllib.request.Request(
        live.url + path,
        data=json.dumps(body).encode() if body is not None else None,
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: dict[str, Any] = json.loads(answer.read())
        return found


def block_by_hand(page: Page, *, code: str, comment: str) -> None:
    page.get_by_role("link", name="Block").first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text("linked clients")).to_be_visible()
    dialog.get_by_label("Internal code").select_option(label=code)
    dialog.get_by_label("Comment").fill(comment)
    dialog.get_by_role("button", name="Block now").click()


def test_a_client_is_imported_blocked_and_unblocked_by_two_people_and_the_timeline_tells_it_all(live: Live) -> None:
    officer_email = live.staff(Role.OFFICER, "M. Tamm")
    senior_email = live.staff(Role.SENIOR_OFFICER, "R. Kask")
    partner, core = live.token(Audience.INTEGRATION), live.token(Audience.SYSTEM)

    imported = call(live, partner, "POST", "/integration/clients/individuals", REFERENCE_EXAMPLE)
    client_id = imported["clientId"]
    assert imported["externalId"] == "string"

    officer = live.sign_in_through_the_page(officer_email)
    officer.get_by_role("link", name="Clients").first.click()
    officer.get_by_role("link", name="string string", exact=True).click()
    officer.wait_for_url(f"**/clients/{client_id}*")
    expect(officer.get_by_text("Under 18 years of age").first).to_be_visible()

    block_by_hand(officer, code="Fraud suspicion", comment="Police query 26-1183.")
    expect(officer.locator(".clienthead")).to_contain_text("Blocked: all")
    expect(officer.locator(".banner").filter(has_text="Fraud suspicion")).to_be_visible()
    assert call(live, core, "GET", f"/internal/Clients/{client_id}")["value"]["status"] == "blocked"

    officer.get_by_role("link", name="Lift…").click()
    dialog = officer.get_by_role("dialog")
    dialog.get_by_label("Why").fill("Police closed the query.")
    dialog.get_by_role("button", name="Ask to lift").click()
    expect(officer.locator(".banner").filter(has_text="Unblock requested")).to_contain_text("R. Kask")
    expect(officer.get_by_role("link", name="Approve…")).to_have_count(0)
    # by direct link neither
    withdraw = officer.get_by_role("link", name="Withdraw").first.get_attribute("href") or ""
    officer.goto(live.url + withdraw.replace("/withdraw", "/approve"))
    expect(officer.locator("main")).to_contain_text("You asked; another person decides.")
    expect(officer.get_by_role("button", name="Approve")).to_have_count(0)
    assert call(live, core, "GET", f"/internal/Clients/{client_id}")["value"]["status"] == "blocked"

    senior = live.sign_in(senior_email)
    senior.goto(f"{live.url}/clients/{client_id}")
    expect(senior.get_by_text("Police closed the query.").first).to_be_visible()
    senior.get_by_role("link", name="Approve…").click()
    senior.get_by_role("dialog").get_by_role("button", name="Approve").click()
    expect(senior.locator(".clienthead")).not_to_contain_text("Blocked")
    assert call(live, core, "GET", f"/internal/Clients/{client_id}")["value"]["status"] == "inactive"

    senior.get_by_role("link", name="Timeline", exact=True).click()
    timeline = senior.locator("main")
    for told in (
        "Created",
        "M. Tamm",
        "Police query 26-1183.",
        "Police closed the query.",
        "Fraud suspicion",
        "you",
    ):
        expect(timeline).to_contain_text(told)


def test_the_walk_works_without_javascript(live: Live) -> None:
    officer_email = live.staff(Role.OFFICER, "M. Tamm")
    senior_email = live.staff(Role.SENIOR_OFFICER, "R. Kask")
    partner, core = live.token(Audience.INTEGRATION), live.token(Audience.SYSTEM)
    client_id = call(live, partner, "POST", "/integration/clients/individuals", REFERENCE_EXAMPLE)["clientId"]

    officer = live.sign_in_through_the_page(officer_email, java_script_enabled=False)
    officer.goto(f"{live.url}/clients/{client_id}")
    officer.get_by_role("link", name="Block").first.click()
    officer.get_by_label("Internal code").select_option(label="Fraud suspicion")
    officer.get_by_role("button", name="Block now").click()
    expect(officer.locator(".clienthead")).to_contain_text("Blocked: all")
    officer.get_by_role("link", name="Lift…").click()
    officer.get_by_label("Why").fill("Proved.")
    officer.get_by_role("button", name="Ask to lift").click()

    senior = live.sign_in(senior_email, java_script_enabled=False)
    senior.goto(f"{live.url}/clients/{client_id}")
    senior.get_by_role("link", name="Approve…").click()
    senior.get_by_role("button", name="Approve").click()
    assert call(live, core, "GET", f"/internal/Clients/{client_id}")["value"]["status"] == "inactive"


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark")])
def test_no_page_has_an_accessibility_violation_or_scrolls_sideways(live: Live, width: int, scheme: str) -> None:
    partner, core = live.token(Audience.INTEGRATION), live.token(Audience.SYSTEM)
    client_id = call(live, partner, "POST", "/integration/clients/individuals", REFERENCE_EXAMPLE)["clientId"]
    call(live, core, "PUT", f"/internal/Clients/{client_id}/block", {"reasonCode": "FRAUD", "scope": "debit"})
    email = live.staff(Role.SENIOR_OFFICER, "R. Kask")
    page = live.open_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page.goto(f"{live.url}/sign-in")
    found = {"/sign-in": broken_rules(page)}
    page.context.close()
    page = live.sign_in(email, viewport={"width": width, "height": 844}, color_scheme=scheme)
    client = f"/clients/{client_id}"
    addresses = [
        "/",
        "/clients",
        "/clients?text=nobody",
        client,
        f"{client}?tab=related",
        f"{client}?tab=notes",
        f"{client}?tab=timeline",
        f"{client}/edit",
        f"{client}/block",
        "/clients/new/individual",
        "/clients/new/company",
        "/approvals",
        "/queues/client-review",
        "/queues/activation",
        "/queues/block-review",
        "/staff/me",
        "/staff/roles",
        "/no-such-page",
    ]
    sideways = []
    for address in addresses:
        page.goto(live.url + address)
        found[address] = broken_rules(page)
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            sideways.append(address)
    assert not {address: broken for address, broken in found.items() if broken}
    assert not sideways
