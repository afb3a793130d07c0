"""Finding: pages, acts and objects, each only for who may open it."""

from __future__ import annotations

import re
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from dashboard.access.permissions import Permission, Role
from dashboard.database import db, session
from dashboard.home import navigation, palette
from dashboard.staff import services as staff
from dashboard.staff.models import StaffMember
from tests.conftest import open_session
from tests.furnished import Furnished

PART = {"HX-Request": "true"}


@pytest.fixture(scope="module")
def browsers(furnished: Furnished) -> dict[Role, FlaskClient]:
    with furnished.app.app_context():
        members = session().scalars(sa.select(StaffMember).order_by(StaffMember.id.desc())).all()
        found = {Role(member.role): open_session(furnished.app, member) for member in members}
        db.session.remove()
    return found


def options(answer: Any) -> dict[str, str]:
    """Address to label of what the palette offers."""
    found = re.findall(r'role="option"[^>]*href="([^"]+)"><span>([^<]+)</span>', answer.text)
    return {address.replace("&amp;", "&"): label for address, label in found}


def test_every_role_can_open_all_that_it_is_offered_and_is_offered_all_of_the_navigation(
    furnished: Furnished, browsers: dict[Role, FlaskClient]
) -> None:
    offered: dict[Role, dict[str, str]] = {}
    opened: set[tuple[frozenset[Permission], str]] = set()
    for role, browser in browsers.items():
        offered[role] = options(browser.get("/find", headers=PART))
        with furnished.app.app_context():
            member = session().scalars(sa.select(StaffMember).where(StaffMember.role == role.value).limit(1)).one()
            rights = staff.actor_of(member).permissions
            db.session.remove()
        lists = (*navigation.ENTRIES, *navigation.PLACES, *navigation.TREASURY, *navigation.STAFF)
        assert {path for _, path, permission, _ in lists if permission in rights} <= set(offered[role])
        for address in offered[role]:
            # roles that may do the same are answered the same
            if (rights, address) not in opened:
                opened.add((rights, address))
                assert browser.get(address, headers=PART).status_code == 200, (role, address)
    assert "/jobs" in offered[Role.ADMIN] and "/clients" not in offered[Role.ADMIN]
    staff_acts = {"/staff/invitations/new": "Invite somebody", "/staff/tokens/new": "New token"}
    assert staff_acts.items() <= offered[Role.ADMIN].items()
    assert not staff_acts.keys() & offered[Role.SENIOR_OFFICER].keys() and "/staff/tokens" in offered[Role.AUDITOR]
    assert all("/approvals/rules" in found for found in offered.values())
    assert "/clients/new/company" in offered[Role.OFFICER] and "/treasury" not in offered[Role.OFFICER]
    assert not {act.path for act in palette.ACTS if act.path != "/staff/me"} & (
        set(offered[Role.AUDITOR]) - {"/treasury/statements"}
    )


def test_objects_are_found_by_what_people_know_of_them(furnished: Furnished, browsers: dict[Role, FlaskClient]) -> None:
    with furnished.app.app_context():
        client = session().execute(sa.text("SELECT id, name FROM client WHERE status = 'active' LIMIT 1")).one()
        account = session().execute(sa.text("SELECT id, number FROM account WHERE owner_id IS NOT NULL LIMIT 1")).one()
        transfer = session().execute(
            sa.text("SELECT id, provider_reference FROM transfer WHERE provider_reference IS NOT NULL LIMIT 1")
        ).one()  # fmt: skip
        db.session.remove()
    officer, admin = browsers[Role.OFFICER], browsers[Role.ADMIN]
    wanted = {
        client.name: f"/clients/{client.id}",
        str(client.id): f"/clients/{client.id}",
        account.number: f"/ledger/accounts/{account.id}",
        account.number[-4:]: f"/ledger/accounts/{account.id}",
        transfer.provider_reference: f"/transfers/{transfer.id}",
        "appr": "/approvals",
        "new comp": "/clients/new/company",
        "HOLIDAYS": "/transfers/calendars",
    }
    for text, address in wanted.items():
        found = officer.get("/find", query_string={"text": text}, headers=PART)
        assert found.status_code == 200 and address in options(found), text
        # who may see nothing of clients, accounts and transfers learns nothing of them here
        there = options(admin.get("/find", query_string={"text": text}, headers=PART))
        assert not any(place.startswith(("/clients", "/ledger", "/transfers", "/search")) for place in there)


def test_find_is_a_page_without_scripts_and_takes_whatever_is_typed(browsers: dict[Role, FlaskClient]) -> None:
    officer = browsers[Role.OFFICER]
    page = officer.get("/find", query_string={"text": "roles"})
    assert re.search(r'<main.*<a href="/staff/roles">Roles</a>', page.text, re.S)
    assert page.headers["Vary"] == "HX-Request, Cookie" or "HX-Request" in page.headers["Vary"]
    # on every page a link leads here, and the sheet of keys tells the palette's
    assert 'href="/find" data-open="palette"' in page.text and "Ctrl K" in page.text
    for text in (
        "%",
        "<script>alert(1)</script>",
        "\x00\x01",
        "' OR 1=1 --",
        "x" * 5_000,
        "…",
        "1.00",
        "0",
        "\\",
        "%%%",
    ):
        answer = officer.get("/find", query_string={"text": text}, headers=PART)
        assert answer.status_code == 200, text
        assert "<script>alert" not in answer.text
    nothing = officer.get("/find", query_string={"text": "zzzqqqxxx"}, headers=PART)
    assert "Nothing that you may open fits." in nothing.text and 'data-announce="Nothing found."' in nothing.text
    assert list(options(nothing)) == ["/search?text=zzzqqqxxx"]
