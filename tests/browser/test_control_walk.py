"""Control as it is lived: three things are asked for, the second person decides them, and an auditor finds all of it,
takes it along and verifies it. In a real browser."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

from playwright.sync_api import Page, expect

from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Role
from dashboard.approvals import services as approvals
from dashboard.audit import sealing
from dashboard.audit.heads import FILE as HEADS
from dashboard.background import runner
from dashboard.clients import services as clients
from dashboard.clients.profile import IndividualProfile
from dashboard.database import db, transaction
from dashboard.jobs.schedule import JOBS
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


def verified(program: Path, *arguments: Path | str) -> tuple[int, str]:
    """What the handed-out program says, on its own: without the environment and without what is installed."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(program), *map(str, arguments)], capture_output=True, text=True, cwd="/"
    )
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


def taken(page: Page, link: str, folder: Path, *, exact: bool = True) -> Path:
    """Click a download, and keep it."""
    with page.expect_download() as started:
        page.get_by_role("link", name=link, exact=exact).first.click()
    path = folder / started.value.suggested_filename
    started.value.save_as(path)
    return path


def find_all_of_it(live: Live, auditor: Page, client: str) -> None:
    """The auditor looks for what was asked and what became of it."""
    for action, who in (
        ("approval.requested", ["M. Tamm", "M. Tamm", "M. Tamm", "K. Lepik"]),
        ("approval.approved", ["R. Kask", "A. Nowak"]),
        ("approval.rejected", ["R. Kask"]),
        ("approval.stale", ["system"]),
    ):
        auditor.goto(f"{live.url}/audit?action={action}")
        rows = auditor.get_by_role("table").locator("tbody tr")
        expect(rows).to_have_count(len(who))
        for name in who:
            expect(rows.filter(has_text=name).first).to_be_visible()
    auditor.goto(f"{live.url}/audit?client={client}&action=approval.rejected")
    auditor.get_by_role("link", name="Approval rejected").click()
    expect(auditor.get_by_text("The passport has expired.")).to_be_visible()
    expect(auditor.get_by_text("R. Kask").first).to_be_visible()


def take_along_and_verify(live: Live, auditor: Page, folder: Path) -> None:
    """Export, verify with the program that lies beside it; an altered copy fails at its record."""
    auditor.goto(f"{live.url}/audit")
    file, program = taken(auditor, "JSON with seals", folder), taken(auditor, "verify_audit.py", folder)
    code, said = verified(program, file, "--heads", live.app.extensions["countinghouse.settings"].instance_path / HEADS)
    assert code == 0 and "VERIFIED." in said and "1 of 1 kept heads compared" in said, said
    document = json.loads(file.read_text())
    assert document["about"]["complete"] and document["about"]["waiting"] >= 1, "that the auditor looked waits"
    rejected = next(event for event in document["events"] if event["action"] == "approval.rejected")
    place = rejected["seal"]["position"]
    copy = folder / "altered.json"
    for change, what in (
        (("The passport has expired.", "The passport is valid."), "the payload was changed"),
        ((f'"id": "{rejected["id"]}"', f'"id": "{rejected["id"][:-1]}{"0" if rejected["id"][-1] != "0" else "1"}"'),
         "the record was changed"),
    ):  # fmt: skip
        altered = file.read_text().replace(*change, 1)
        assert altered != file.read_text()
        copy.write_text(altered)
        code, said = verified(program, copy)
        assert code == 1 and f"BROKEN. First broken record: Position {place} " in said and what in said, said
    rows = [line for line in taken(auditor, "CSV", folder).read_text(encoding="utf-8-sig").splitlines() if line]
    assert any("approval.rejected" in row and "The passport has expired." in row for row in rows)
    assert not any("NOT SEALED" in row for row in rows) and any("# Sealed up to: position " in row for row in rows)


def verify_on_the_page(live: Live, auditor: Page) -> None:
    auditor.goto(f"{live.url}/audit")
    auditor.get_by_role("button", name="Verify").click()
    expect(auditor.get_by_text("Waiting to verify.")).to_be_visible()
    assert runner.run_one(live.app, threading.Event())
    # the bar asks again by itself
    expect(auditor.get_by_role("status").filter(has_text="Whole:")).to_contain_text("1 kept heads compared")


def test_three_requests_are_approved_stale_and_rejected_and_an_auditor_proves_it(live: Live, tmp_path: Path) -> None:
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

    # sealed and kept as the clock does it, then proved by who had no part in it
    settings = live.app.extensions["countinghouse.settings"]
    (settings.instance_path / HEADS).unlink(missing_ok=True)
    with live.app.app_context():
        next(job for job in JOBS if job.name == "keep-audit-head").run(settings)
        sealing.seal_all()
        db.session.remove()
    auditor = live.sign_in(live.staff(Role.AUDITOR, "E. Oja"))
    find_all_of_it(live, auditor, str(client_id))
    take_along_and_verify(live, auditor, tmp_path)
    verify_on_the_page(live, auditor)
