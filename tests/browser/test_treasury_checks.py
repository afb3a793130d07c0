"""Daily checks and jobs in the browser: a run from start to settled alert, and nothing for axe to find."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.background import runner
from dashboard.database import transaction
from dashboard.jobs.clockwork import Clock
from dashboard.ledger.services import checking
from dashboard.ledger.vocabulary import CheckScope
from dashboard.treasury.checks import queries
from tests.browser.axe import broken_rules
from tests.browser.conftest import settled
from tests.treasury.checks.house import House


@pytest.fixture
def house(live: Any) -> Iterator[House]:
    """A house whose balances are off by seven cents, with a treasurer, an administrator and a scheduler at work."""
    live.staff(Role.TREASURER, "Mari Tamm")
    live.staff(Role.ADMIN, "Karl Lepik")
    with live.app.app_context():
        made = House(live.app)
        made.corrupt(made.book.account(100_00), posted=7)
        made.end_day()
        Clock(live.app).know()
        yield made


def work(house: House) -> None:
    while runner.run_one(house.app, threading.Event()):
        pass


def test_a_treasurer_runs_the_checks_reads_what_they_found_and_settles_an_alert(live: Any, house: House) -> None:
    page = live.sign_in("mari.tamm@test.example")
    page.goto(f"{live.url}/treasury/checks")
    expect(page.get_by_text("No run has finished yet.")).to_be_visible()
    page.get_by_role("button", name="Run now").click()
    expect(page.get_by_text("Waiting to start.")).to_be_visible()
    work(house)
    # the page sees by itself that the run has ended
    expect(page.get_by_role("heading", name="Open alerts")).to_be_visible()
    row = page.get_by_role("row").filter(has=page.get_by_text("Every stored balance is the sum"))
    expect(row.get_by_text("Failed")).to_be_visible()
    row.get_by_role("link", name="1", exact=True).click()
    expect(page.get_by_text("Stored as posted: 100.07 EUR. Its transactions say 100.00 EUR.")).to_be_visible()
    page.goto(f"{live.url}/treasury/checks")
    page.get_by_role("link", name="Settle… Zero sum").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("What was done").fill("The rebuilt balance was accepted.")
    dialog.get_by_role("button", name="Settle").click()
    expect(page.get_by_text("Found again, it comes back as a new alert.")).to_be_visible()
    expect(page.get_by_role("row").filter(has_text="Zero sum")).to_have_count(0)


def test_a_job_is_paused_and_run_without_scripts(live: Any, house: House) -> None:
    page = live.sign_in("karl.lepik@test.example", java_script_enabled=False)
    page.goto(f"{live.url}/jobs")
    page.get_by_role("link", name="Pause… Load rates").click()
    page.get_by_label("Why").fill("The source is away.")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("Load rates is paused.")).to_be_visible()
    page.get_by_role("button", name="Run now Load rates").click()
    expect(page.get_by_text("A scheduler takes it up within seconds.")).to_be_visible()
    scheduler = Clock(house.app)
    claimed = scheduler.take_waiting()
    assert claimed is not None
    scheduler.carry_out(claimed)
    page.get_by_role("link", name="Load rates").click()
    expect(page.get_by_text("The source is away.")).to_be_visible()
    expect(page.get_by_role("cell", name="Succeeded")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("link", name="Pause… Load rates").wait_for()


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark")])
def test_nothing_for_axe_to_find(live: Any, house: House, width: int, scheme: str) -> None:
    treasurer = live.sign_in("mari.tamm@test.example")
    treasurer.goto(f"{live.url}/treasury/checks")
    treasurer.get_by_role("button", name="Run now").click()
    work(house)
    run = queries.latest()
    assert run is not None
    with transaction():
        checking.ask_to_check(CheckScope.FULL, by=system("nightly check"))
    admin = live.sign_in("karl.lepik@test.example")
    found = []
    for page, places in (
        (treasurer, ("/treasury/checks", f"/treasury/checks/runs/{run.id}", f"/treasury/checks/runs/{run.id}/findings",
                     "/treasury/checks/alerts", "/treasury/checks/alerts?state=settled")),
        (admin, ("/jobs", "/jobs/load-rates", "/jobs/log", "/jobs/load-rates/pause")),
    ):  # fmt: skip
        page.set_viewport_size({"width": width, "height": 844})
        page.emulate_media(color_scheme=scheme)
        for place in places:
            page.goto(live.url + place)
            settled(page)
            found += [(place, *broken) for broken in broken_rules(page)]
            wider = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
            assert not wider, f"{place} scrolls sideways"
    assert found == []
