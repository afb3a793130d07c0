"""The way to a deletion in the browser: without scripts, and nothing for axe to find on its pages."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from playwright.sync_api import expect

from dashboard.access.permissions import Role
from dashboard.clients import deletion, services
from dashboard.clients.retention import Channel, HoldCode
from dashboard.database import session, transaction
from dashboard.staff import services as staff
from dashboard.staff.models import StaffMember
from tests.browser.axe import broken_rules
from tests.browser.conftest import settled
from tests.clients.making import path, person


@pytest.fixture
def officer(live: Any) -> Any:
    for role, name in ((Role.OFFICER, "Mari Tamm"), (Role.SENIOR_OFFICER, "Rein Kask")):
        live.staff(role, name)
    with live.app.app_context():
        members = {one.name: staff.actor_of(one) for one in session().query(StaffMember)}
        return members["Mari Tamm"]


@pytest.fixture
def client_id(live: Any, officer: Any) -> UUID:
    with live.app.app_context():
        return person(officer).id


def test_a_letter_becomes_a_request_for_a_second_person_without_scripts(live: Any, client_id: UUID) -> None:
    page = live.sign_in("mari.tamm@test.example", java_script_enabled=False)
    page.goto(live.url + path(client_id))
    page.get_by_role("link", name="Deletion and retention").click()
    page.get_by_role("link", name="Record a request…").click()
    page.get_by_label("What was said").fill("Close everything.")
    page.get_by_role("button", name="Restrict now").click()
    expect(page.get_by_text("Processing is restricted from now on.")).to_be_visible()
    page.get_by_role("link", name="End the relationship…").click()
    page.get_by_label("Why").fill("The client left.")
    page.get_by_role("button", name="End the relationship").click()
    page.get_by_role("link", name="Ask to delete…").click()
    page.get_by_label("Why").fill("Nothing is left.")
    page.get_by_role("button", name="Ask to delete").click()
    expect(page.get_by_text("A second person decides", exact=False).first).to_be_visible()
    other = live.sign_in("rein.kask@test.example", java_script_enabled=False)
    other.goto(live.url + path(client_id))
    other.get_by_role("link", name="Approve…").first.click()
    other.get_by_role("button", name="Approve").first.click()
    page.goto(live.url + path(client_id, "/deletion"))
    expect(page.get_by_text("Will be deleted from", exact=False)).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark")])
def test_nothing_for_axe_to_find(live: Any, officer: Any, client_id: UUID, width: int, scheme: str) -> None:
    with live.app.app_context():
        with transaction():
            services.request_deletion(client_id, channel=Channel.LETTER, reason="Please.", by=officer)
            services.place_hold(client_id, code=HoldCode.LITIGATION, reference="File 7", by=officer)
        request = deletion.open_request(client_id)
        assert request is not None
        request_id = request.id
    page = live.sign_in("mari.tamm@test.example")
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    at, found = path(client_id), []
    for place in (
        at, f"{at}/deletion", f"{at}/deletion/new", f"{at}/deletion/{request_id}/refuse", f"{at}/close",
        f"{at}/holds/new", "/clients/deletions", "/clients/deletions?state=purged", "/queues/deletion-requests",
    ):  # fmt: skip
        page.goto(live.url + place)
        settled(page)
        found += [(place, *broken) for broken in broken_rules(page)]
        wider = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not wider, place
    assert found == []
