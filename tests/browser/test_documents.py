"""Documents where a browser matters: the upload over the page, pictures of pages, no policy broken, axe."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from dashboard.access.permissions import Role
from tests.browser.axe import broken_rules
from tests.browser.test_clients import made
from tests.clients.documents import papers
from tests.clients.making import path


@pytest.fixture
def officer(live: Any) -> Any:
    email = live.staff(Role.OFFICER, "Mari Tamm")
    ids = made(live, email)
    return live.sign_in(email), ids


def choose(page: Any, name: str, content: bytes) -> None:
    page.get_by_label("File", exact=True).set_input_files(
        {"name": name, "mimeType": "application/pdf", "buffer": content}
    )
    page.get_by_role("button", name="Upload", exact=True).click()


def test_a_paper_is_uploaded_looked_at_and_accepted(live: Any, officer: Any) -> None:
    page, ids = officer
    page.goto(live.url + path(ids["mari"], "?tab=documents"))
    page.keyboard.press("u")
    dialog = page.get_by_role("dialog", name="Upload a document")
    choose(page, "statement.pdf", papers.HTML)
    expect(dialog.get_by_text("This is a web page, whatever its name says.")).to_be_visible()
    dialog.get_by_label("Kind").select_option("proofOfAddress")
    choose(page, "bill.pdf", papers.pdf("Utility bill", pages=2))
    page.wait_for_url(f"{live.url}{path(ids['mari'], '/documents/*')}")
    expect(page.get_by_text("Uploaded. It waits for its review.")).to_be_visible()
    pictures = page.locator(".paper img")
    expect(pictures).to_have_count(2)
    pictures.last.scroll_into_view_if_needed()
    for number in range(2):
        page.wait_for_function("n => document.querySelectorAll('.paper img')[n].naturalWidth > 500", arg=number)
    with page.expect_download() as saved:
        page.get_by_role("link", name="Download").click()
    assert saved.value.suggested_filename == "bill.pdf"
    for width, scheme in ((1280, "light"), (390, "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        assert not broken_rules(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.set_viewport_size({"width": 1280, "height": 900})
    page.get_by_role("button", name="Accept").click()
    page.wait_for_url(f"{live.url}{path(ids['mari'], '?tab=documents')}")
    expect(page.get_by_role("row", name="bill.pdf").get_by_text("Accepted")).to_be_visible()
    assert not broken_rules(page)
