"""A review in the browser: with scripts and without, and nothing for axe to find on its pages."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from dashboard.access.permissions import Role
from dashboard.clients import services
from dashboard.clients.vocabulary import MarkKind
from dashboard.database import session, transaction
from dashboard.staff import services as staff
from dashboard.staff.models import StaffMember
from tests.browser.axe import broken_rules
from tests.browser.conftest import settled
from tests.clients.making import activated, company, path


@pytest.fixture
def marked(live: Any) -> Any:
    """An officer's page, and an active company with a PEP mark and flags."""
    for role, name in ((Role.OFFICER, "Mari Tamm"), (Role.SENIOR_OFFICER, "Rein Kask")):
        live.staff(role, name)
    with live.app.app_context():
        members = {one.name: staff.actor_of(one) for one in session().query(StaffMember)}
        officer, senior = members["Mari Tamm"], members["Rein Kask"]
        client = company(officer, risk_level=2)
        activated(client, officer, senior)
        with transaction():
            services.open_mark(
                client.id, kind=MarkKind.PEP, about="Mari Ilves", list_name="Register", said_by="Screening", by=officer
            )
        client_id = client.id
    return live.sign_in("mari.tamm@test.example"), client_id


def test_a_review_is_completed_without_scripts(live: Any, marked: Any) -> None:
    _, client_id = marked
    page = live.sign_in("mari.tamm@test.example", java_script_enabled=False)
    page.goto(live.url + path(client_id))
    page.get_by_role("link", name="Review…").click()
    page.get_by_label("Medium", exact=True).check()
    page.get_by_label("The relationship goes on").check()
    page.get_by_label("What you found and why").fill("Register extract seen")
    page.get_by_role("button", name="Complete the review").click()
    expect(page.get_by_text("Review completed.")).to_be_visible()
    page.get_by_role("link", name="History, marks and flags").click()
    expect(page.get_by_text("Register extract seen")).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark")])
def test_nothing_for_axe_to_find(live: Any, marked: Any, width: int, scheme: str) -> None:
    page, client_id = marked
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    client, found = path(client_id), []
    for place in (
        client, f"{client}/review", f"{client}/risk", f"{client}/marks/new", "/onboarding/reviews",
        "/onboarding/reviews?when=late", "/clients/flags?owner=any", "/queues/client-reviews",
    ):  # fmt: skip
        page.goto(live.url + place)
        settled(page)
        found += [(place, *broken) for broken in broken_rules(page)]
        wider = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not wider, f"{place} scrolls sideways"
    assert found == []
