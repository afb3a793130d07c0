"""The officer's walk through a verification: a company comes, Sumsub approves it, and why is to be seen; later a
rejection that is out of date changes nothing and is shown. And nothing for axe to find."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from dashboard import clock
from dashboard.access.permissions import Audience, Role
from dashboard.database import db
from dashboard.onboarding.sumsub import signature, worker
from dashboard.settings import DEMO_WEBHOOK_SECRET
from dashboard.web import json
from tests.browser.axe import broken_rules
from tests.browser.conftest import Live
from tests.clients.documents import papers
from tests.onboarding.telling import DOOR, FINAL, GREEN, body_of, event
from tests.onboarding.test_import_companies import COMPANY


@pytest.fixture
def told(live: Live) -> Any:
    """Sumsub tells it to the address, and the worker has its turn."""

    def tell(kind: str, client_id: str, hours_ago: float, **fields: Any) -> None:
        at = clock.now() - timedelta(hours=hours_ago)
        body = body_of(
            event(kind, client_id, 0, createdAtMs=f"{at:%Y-%m-%d %H:%M:%S}.000", applicantType="company", **fields)
        )
        headers = {signature.DIGEST_HEADER: signature.sign(DEMO_WEBHOOK_SECRET, body)}
        assert httpx.post(live.url + DOOR, content=body, headers=headers, trust_env=False).status_code == 200
        with live.app.app_context():
            while worker.work_once():
                pass
            db.session.remove()

    return tell


def company(live: Live) -> str:
    """Imported by a partner, with everything that the document knows of a company."""
    answer = httpx.post(
        f"{live.url}/integration/clients/companies", content=json.dumps(COMPANY),
        headers={"Authorization": f"Bearer {live.token(Audience.INTEGRATION)}", "Content-Type": "application/json"},
        trust_env=False,
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    return str(answer.json()["clientId"])


def accepted(page: Page, category: str, name: str, content: bytes) -> None:
    """Upload a document of the client whose tab is open, look at it, and accept it."""
    page.keyboard.press("u")
    dialog = page.get_by_role("dialog", name="Upload a document")
    dialog.get_by_label("Kind").select_option(category)
    dialog.get_by_label("File", exact=True).set_input_files(
        {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    )
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.locator(".paper img").first).to_be_visible()
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_role("row", name=name).get_by_text("Accepted")).to_be_visible()


def test_an_officer_sees_why_a_company_is_active_and_that_a_late_rejection_changed_nothing(
    live: Live, told: Any
) -> None:
    client_id = company(live)
    page = live.sign_in(live.staff(Role.OFFICER, "R. Kask"))
    page.goto(f"{live.url}/clients/{client_id}")
    expect(page.locator(".clienthead .badge").first).to_have_text("Inactive")
    page.goto(f"{live.url}/clients/{client_id}?tab=documents")
    accepted(page, "companyRegistration", "register.pdf", papers.pdf("Extract of the register"))
    accepted(page, "identity", "passport.png", papers.picture(size=(600, 400)))
    page.goto(f"{live.url}/clients/{client_id}")

    told("applicantPending", client_id, 3, reviewStatus="pending")
    told("applicantReviewed", client_id, 2, **GREEN)
    page.reload()
    expect(page.locator(".clienthead .badge").first).to_have_text("Active")
    expect(page.locator(".clienthead")).to_contain_text("KYC: approved")
    why = page.get_by_role("region", name="Why this status")
    why.get_by_role("link", name="Sumsub GREEN, created").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Reviewed")
    expect(page.get_by_text("Approved: client activated")).to_be_visible()
    page.get_by_text("As Sumsub sent it").click()
    expect(page.locator("pre")).to_contain_text('"reviewAnswer": "GREEN"')

    told("applicantReviewed", client_id, 2.5, **FINAL)
    page.goto(f"{live.url}/clients/{client_id}")
    expect(page.locator(".clienthead .badge").first).to_have_text("Active")
    page.get_by_role("region", name="Why this status").get_by_role("link", name="RED FINAL").click()
    expect(page.get_by_text("A newer event stood already when it came. It changed nothing.")).to_be_visible()
    page.get_by_role("button", name="Process again").click()
    expect(page.get_by_text("nothing was done twice")).to_be_visible()

    page.get_by_role("link", name="Onboarding").click()
    page.get_by_label("Effect").select_option("outOfDate")
    expect(page.locator("#list tbody tr")).to_have_count(1)
    expect(page).to_have_url(f"{live.url}/onboarding/events?state=outOfDate")
    page.locator("#list a.open").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Reviewed")


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark")])
def test_nothing_for_axe_to_find_on_the_pages_of_events(live: Live, told: Any, width: int, scheme: str) -> None:
    client_id = company(live)
    told("applicantReviewed", client_id, 2, **GREEN)
    told("applicantReviewed", client_id, 1, **FINAL)
    page = live.sign_in(
        live.staff(Role.OFFICER, "R. Kask"), viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    page.goto(f"{live.url}/onboarding/events")
    first = page.locator("a.open").first.get_attribute("href")
    for path in ("/onboarding/events", "/onboarding/events?state=x", first, f"/clients/{client_id}",
                 "/queues/verification"):  # fmt: skip
        page.goto(f"{live.url}{path}")
        assert broken_rules(page) == [], path
