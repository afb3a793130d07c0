"""Control as it is lived: three things are asked for, and the second person decides them. In a real browser."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Role
from dashboard.approvals import services as approvals
from dashboard.clients import services as clients
from dashboard.clients.profile import IndividualProfile
from dashboard.database import db, transaction
from dashboard.staff import services as staff_services
from dashboard.staff.models import StaffMember
from dashboard.transfers.services import rules
from dashboard.transfers.services.rules import Rule
from tests.browser.conftest import Live


def actor(email: str) -> Actor:
    found = db.session.query(StaffMember).filter_by(email=email).one()
    return staff_services.actor_of(found)


def changed_by_others(live: Live, currency: str, minor: int) -> None:
    """Two other people change the limit while a request about it waits."""
    asks, decides = live.staff(Role.ADMIN, "K. Lepik"), live.staff(Role.SENIOR_TREASURER, "A. Nowak")
    with live.app.app_context():
        with transaction():
            request = rules.ask(
                Rule.DESK, {"currency": currency}, {"two_people_above_minor": minor}, reason="more", by=actor(asks)
            )
        with transaction():
            approvals.decide(request.id, approve=True, reason=None, by=actor(decides))


def ask_for_a_stricter_limit(page: Page, live: Live, currency: str) -> None:
    page.goto(f"{live.url}/approvals/rules")
    page.get_by_role("link", name=f"Change… Unrecognized money, {currency}").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Two people above").fill("2 500")
    dialog.get_by_label("Why").fill("After the audit of March.")
    dialog.get_by_role("button", name="Ask for it").click()
    expect(page.get_by_text(f"Asked: Desk limit {currency}.")).to_be_visible()


def test_three_requests_are_approved_stale_and_rejected_and_each_says_what_became_of_it(live: Live) -> None:
    officer_email, senior_email = live.staff(Role.OFFICER, "M. Tamm"), live.staff(Role.SENIOR_OFFICER, "R. Kask")
    with live.app.app_context(), transaction():
        profile = IndividualProfile(first_name="Mari", last_name="Ilves", risk_level=1)
        client_id = clients.create(profile, by=system()).id

    officer = live.sign_in(officer_email)
    ask_for_a_stricter_limit(officer, live, "EUR")
    ask_for_a_stricter_limit(officer, live, "GBP")
    officer.goto(f"{live.url}/clients/{client_id}/activate")
    officer.get_by_label("Why").fill("Papers seen.")
    officer.get_by_role("button", name="Ask").click()
    officer.locator(".banner").filter(has_text="Activation requested").wait_for()
    officer.goto(f"{live.url}/")
    expect(officer.get_by_role("region", name="Waiting for others").get_by_role("row")).to_have_count(4)
    changed_by_others(live, "gbp", 3_000_000)

    # many at once are decided without scripts as well
    senior = live.sign_in_through_the_page(senior_email, java_script_enabled=False)
    rail = senior.get_by_role("navigation").get_by_role("link", name="Approvals")
    expect(rail).to_contain_text("3")
    rail.click()
    # what money, blocks and risk rest on has no box
    expect(senior.get_by_role("checkbox")).to_have_count(2)
    senior.get_by_label("Tick: Make stricter: Desk limit EUR").check()
    senior.get_by_label("Tick: Make stricter: Desk limit GBP").check()
    senior.get_by_role("button", name="Approve ticked…").click()
    senior.get_by_role("heading", name="Approve 2 requests").wait_for()
    expect(senior.get_by_text("10,000.00 EUR").first).to_be_visible()
    senior.get_by_role("button", name="Approve 2 requests").click()
    senior.get_by_role("heading", name="1 of 2 decided").wait_for()
    expect(senior.get_by_role("row", name="Desk limit EUR")).to_contain_text("Approved")
    expect(senior.get_by_role("row", name="Desk limit GBP")).to_contain_text("Stale")

    senior = live.sign_in(senior_email)
    senior.goto(f"{live.url}/approvals?kind=client.activate")
    senior.get_by_role("link", name="Reject… Activate Mari Ilves by hand").click()
    dialog = senior.get_by_role("dialog")
    dialog.get_by_role("button", name="Reject").click()
    expect(dialog).to_contain_text("Say why.")
    dialog.get_by_label("Why").fill("The passport has expired.")
    dialog.get_by_role("button", name="Reject").click()
    senior.wait_for_url("**/approvals?kind=client.activate")
    expect(senior.get_by_text("Rejected: Activate Mari Ilves by hand.")).to_be_visible()

    officer.goto(f"{live.url}/approvals?view=mine")
    for what, word in (
        ("Desk limit EUR", "Approved"), ("Desk limit GBP", "Stale"), ("Activate Mari Ilves", "Rejected"),
    ):  # fmt: skip
        expect(officer.get_by_role("row", name=what)).to_contain_text(word)
    officer.get_by_role("link", name="Activate Mari Ilves by hand", exact=True).click()
    expect(officer.get_by_text("The passport has expired.")).to_be_visible()
    officer.goto(f"{live.url}/approvals/rules")
    expect(officer.get_by_role("row", name="EUR").first).to_contain_text("2,500.00 EUR")
    expect(officer.get_by_role("row", name="GBP").first).to_contain_text("30,000.00 GBP")
