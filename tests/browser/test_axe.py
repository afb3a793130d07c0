"""axe finds nothing on any page, in both themes. The pages are those of the route table that a GET opens, so that a new
one is looked at from its first day."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Error, Page
from werkzeug.serving import make_server

from dashboard.access.guard import Access, access_of
from dashboard.access.permissions import ROLES, Role
from dashboard.database import db, session
from dashboard.staff.models import StaffMember
from tests.browser.axe import COLOURS, broken_rules
from tests.browser.conftest import Quiet
from tests.conftest import open_session
from tests.furnished import Furnished

#: who looks: between them they may open every page, each page is opened by the first who may
LOOKING = (Role.SENIOR_OFFICER, Role.SENIOR_TREASURER, Role.ADMIN)
#: files and parts of pages, by how their addresses end or what stands in them
NO_PAGES = ("export", "<form>", ".png", "/download", "/files/<uuid:file_id>", "<file_name>", "/statement", "<filename>")
#: what the furnished house has nothing of; its refusal is looked at instead
NOT_THERE = {
    "/ledger/checks/findings/<uuid:finding_id>/accept", "/ledger/opening-balances/<uuid:import_id>",
    "/ledger/opening-balances/<uuid:import_id>/drop", "/transfers/unrecognized/claims/<uuid:transfer_id>",
    "/transfers/unrecognized/rules/<uuid:rule_id>/end", "/treasury/days/<day>/<pool>/<currency>",
    "/treasury/movements/<uuid:movement_id>", "/treasury/safeguarding/evidence/<uuid:pack_id>",
    "/approvals/<uuid:request_id>/withdraw", "/treasury/figures/<figure>", "/sign-in/invitation/<secret>",
    "/staff/invitations/<uuid:invitation_id>", "/staff/invitations/<uuid:invitation_id>/withdraw",
    "/staff/resets/<uuid:request_id>", "/treasury/cover/<uuid:cover_id>",
}  # fmt: skip
#: the document of the API is Swagger UI's own page (test_api_docs.py)
FOREIGN = ("/openapi", "/metrics", "/healthz", "/readyz", "/static", "/assets", "/bootstrap")
#: rows of a list are alike: the first of them are looked at
FEWER_ROWS = (
    "document.querySelectorAll('tbody').forEach((body) => [...body.rows].slice(12).forEach((row) => row.remove()))"
)


@pytest.fixture(scope="module")
def served(furnished: Furnished) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, furnished.app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()


def opener(access: Access | None) -> Role | None:
    """The first of those who look that may open it; None for what is no page of staff."""
    if access is None or access.audience is not None:
        return None
    if access.permission is None:
        return LOOKING[0]
    return next((role for role in LOOKING if access.permission in ROLES[role].permissions), None)


def pages(house: Furnished) -> dict[Role, dict[str, list[str]]]:
    """By who looks: rule to the addresses that are tried in turn."""
    found: dict[Role, dict[str, list[str]]] = {role: {} for role in LOOKING}
    for rule in house.app.url_map.iter_rules():
        role = opener(access_of(house.app, rule.endpoint))
        skipped = rule.rule.startswith(FOREIGN) or any(word in rule.rule for word in NO_PAGES)
        if role is None or skipped or "GET" not in (rule.methods or ()):
            continue
        query = house.query(rule)
        with house.app.test_request_context():
            built = [rule.build(values, append_unknown=False) for values in house.arguments(rule)]
        found[role][rule.rule] = [each[1] + query for each in built if each is not None]
    return found


def cookie_of(house: Furnished, role: Role) -> dict[str, Any]:
    with house.app.app_context():
        member = session().scalars(sa.select(StaffMember).where(StaffMember.role == role.value).limit(1)).one()
        browser = open_session(house.app, member)
        db.session.remove()
    kept = browser.get_cookie(house.app.config["SESSION_COOKIE_NAME"])
    assert kept is not None
    return {"name": kept.key, "value": kept.value}


def opened(page: Page, addresses: list[str]) -> bool | None:
    """Go to the first address that opens; False where none does, None where it is no page but a part or a file."""
    status = None
    for address in addresses:
        try:
            answer = page.goto(address, wait_until="load")
        except Error as error:
            if "Download is starting" in error.message:
                return None
            raise
        status = answer.status if answer else None
        if status == 200:
            break
    if not page.evaluate("document.body?.matches('.frame, .outside') ?? false"):
        return None
    return status == 200


def test_axe_finds_nothing_on_any_page_in_either_theme(furnished: Furnished, served: str, chromium: Browser) -> None:
    faults: dict[str, Any] = {}
    not_there: set[str] = set()
    looked_at = 0
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(20_000)
    for role, rules in pages(furnished).items():
        context.clear_cookies()
        context.add_cookies([{**cookie_of(furnished, role), "url": served}])  # type: ignore[typeddict-item]
        for rule, addresses in rules.items():
            is_open = opened(page, [served + address for address in addresses])
            if is_open is None:
                continue
            if not is_open:
                not_there.add(rule)
            looked_at += 1
            page.evaluate(FEWER_ROWS)
            page.evaluate("document.documentElement.setAttribute('data-bs-theme', 'light')")
            if light := broken_rules(page):
                faults[f"{rule} light"] = light
            page.evaluate("document.documentElement.setAttribute('data-bs-theme', 'dark')")
            if dark := broken_rules(page, COLOURS):
                faults[f"{rule} dark"] = dark
    context.clear_cookies()
    page.goto(f"{served}/sign-in")
    faults |= {"/sign-in": found} if (found := broken_rules(page)) else {}
    context.close()
    assert not faults
    assert looked_at > 120, looked_at
    assert not_there <= NOT_THERE, not_there - NOT_THERE
