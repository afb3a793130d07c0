"""A statement in the browser: with scripts and without, and nothing for axe to find on its pages."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from dashboard.access.permissions import Role
from tests.browser.axe import broken_rules
from tests.treasury.statements.conftest import bank_account
from tests.treasury.statements.files import E, S, camt

GOOD = camt(S([E("50.00", ref="R1"), E("30.00", "-", ref="B1", details=["-10.00", "-20.00"]),
               E("1.005", ref="BAD")], "100.00", "121.00", number=4))  # fmt: skip


def brought(page: Page, url: str) -> None:
    """Upload a file and import it."""
    page.goto(f"{url}/treasury/statements")
    page.get_by_label("File", exact=True).set_input_files(
        {"name": "day.xml", "mimeType": "application/xml", "buffer": GOOD}
    )
    page.get_by_role("button", name="Read the file").click()
    expect(page.get_by_text("Nothing is rounded.")).to_be_visible()
    page.get_by_role("button", name="Import 1 statement").click()
    expect(page.get_by_text("day.xml is imported: 2 entries are new.")).to_be_visible()


@pytest.fixture
def treasurer(live: Any) -> str:
    email = live.staff(Role.TREASURER, "Ruta Kask")
    with live.app.app_context():
        bank_account()
    return str(email)


@pytest.mark.parametrize("scripts", [True, False])
def test_a_file_is_read_imported_and_deleted(live: Any, treasurer: str, scripts: bool) -> None:
    page = live.sign_in(treasurer, java_script_enabled=scripts)
    brought(page, live.url)
    page.get_by_role("link", name="Delete the import…").click()
    page.get_by_label("Why").fill("wrong day")
    page.get_by_role("button", name="Delete the import").click()
    expect(page.get_by_text("This file counts for nothing any more.")).to_be_visible()
    assert not live.complaints


def test_axe_finds_nothing_on_pages_of_statements(live: Any, treasurer: str) -> None:
    page = live.sign_in(treasurer)
    brought(page, live.url)
    there = page.url
    page.get_by_role("link", name="Bank Beta").click()
    expect(page.get_by_text("Tie-out failed.")).to_be_visible()
    with live.app.app_context():
        account = bank_account("PL61109010140000071219812874", "pln", form="csv", calendar="PL")
    for url in (page.url, there, f"{live.url}/treasury/statements?day=2026-03-12",
                f"{live.url}/treasury/statements/mappings/{account}"):  # fmt: skip
        for width, scheme in itertools.product((1280, 390), ("light", "dark")):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)
            page.goto(url)
            assert broken_rules(page) == [], (width, scheme)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert not live.complaints
