"""The treasury summary in a browser: a day is prepared and signed by two people, keys work, axe finds nothing."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from dashboard.access.actor import Actor
from dashboard.access.permissions import Role
from dashboard.database import session
from dashboard.staff import services as staff
from dashboard.staff.models import StaffMember
from tests.browser.axe import broken_rules
from tests.browser.conftest import settled
from tests.treasury.positions.conftest import House


class Colleagues:
    """Who works in this house, by role."""

    def actor(self, role: Role, _name: str | None = None) -> Actor:
        found = session().scalars(sa.select(StaffMember).where(StaffMember.role == role.value)).one()
        return staff.actor_of(found)


@pytest.fixture
def treasury(live: Any) -> str:
    """A covered day in EUR and one without a statement in GBP; gives the day."""
    live.staff(Role.TREASURER, "Anu Tamm")
    live.staff(Role.SENIOR_TREASURER, "Rein Kask")
    with live.app.app_context():
        house = House(Colleagues())  # type: ignore[arg-type]
        pound = house.bank(currency="gbp", name="Bank Beta")
        house.receive(pound, house.client("gbp"), 96_240_00)
        day = house.covered(house.bank(name="Bank Alpha"), house.client(), 4_812_390_55)
    return day.isoformat()


def test_a_day_is_opened_by_a_key_prepared_and_signed_by_another(live: Any, treasury: str) -> None:
    page = live.sign_in("anu.tamm@test.example")
    page.goto(f"{live.url}/treasury")
    expect(page.get_by_text("covered")).to_be_visible()
    page.keyboard.press("e")
    expect(page.get_by_role("button", name="Prepare GBP")).to_be_visible()
    page.goto(f"{live.url}/treasury?open=eMoney-eur")
    page.get_by_role("button", name="Prepare EUR").click()
    expect(page.get_by_text("is prepared. Another person signs it.")).to_be_visible()
    other = live.sign_in("rein.kask@test.example")
    other.goto(f"{live.url}/treasury")
    other.keyboard.press("s")
    other.get_by_role("button", name="Sign EUR of").click()
    expect(other.get_by_text("Its evidence is packed.")).to_be_visible()
    expect(other.get_by_text("Signed", exact=True).first).to_be_visible()


def test_it_works_without_scripts(live: Any, treasury: str) -> None:
    page = live.sign_in("anu.tamm@test.example", java_script_enabled=False)
    page.goto(f"{live.url}/treasury")
    page.goto(f"{live.url}/treasury?open=eMoney-eur")
    page.get_by_role("button", name="Prepare EUR").click()
    expect(page.get_by_text("is prepared. Another person signs it.")).to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark")])
def test_axe_finds_nothing_and_nothing_scrolls_sideways(live: Any, treasury: str, width: int, scheme: str) -> None:
    page = live.sign_in("anu.tamm@test.example")
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    found = []
    for place in (
        "/treasury", "/treasury?open=eMoney-eur", "/treasury?tab=projection", "/treasury?tab=now",
        "/treasury/safeguarding", "/treasury/safeguarding/months", "/treasury/thresholds",
        f"/treasury/figures/clients?pool=eMoney&currency=eur&day={treasury}",
    ):  # fmt: skip
        page.goto(live.url + place)
        settled(page)
        found += [(place, *broken) for broken in broken_rules(page)]
        wider = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not wider, f"{place} scrolls sideways"
    assert found == []
