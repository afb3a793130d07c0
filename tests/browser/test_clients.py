"""Clients where scripts matter: live search, dialogs over the page, consequences that never delay the button, axe."""

from __future__ import annotations

import re
import threading
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from playwright.sync_api import expect

from dashboard import clock
from dashboard.access.permissions import Role
from dashboard.clients.models import Client, ClientBlock
from dashboard.clients.vocabulary import BlockCode, Scope
from dashboard.database import session, transaction
from dashboard.staff import services as staff_services
from dashboard.staff.models import StaffMember, StaffSession
from tests.browser.axe import broken_rules
from tests.browser.conftest import settled
from tests.clients.making import blocked, company, path, person
from tests.conftest import PASSWORD


def made(live: Any, email: str) -> dict[str, UUID]:
    with live.app.app_context():
        member = session().scalars(sa.select(StaffMember).where(StaffMember.email == email)).one()
        by = staff_services.actor_of(member)
        ilves, mari = company(by), person(by)
        person(by, first="Олександр", last="Скляренко", document=None, phone_number="+380441234567", email=None)
        blocked(ilves, by, scope=Scope.DEBIT, code=BlockCode.NOT_STATED)
        return {"ilves": ilves.id, "mari": mari.id}


@pytest.fixture
def officer(live: Any) -> Any:
    email = live.staff(Role.OFFICER, "Mari Tamm")
    ids = made(live, email)
    return live.sign_in(email), ids


def test_search_runs_while_typing_and_the_address_follows(live: Any, officer: Any) -> None:
    page, _ = officer
    page.goto(f"{live.url}/clients")
    page.locator("#f-text").press_sequentially("скляр", delay=20)
    expect(page.locator("#list tr.rec")).to_have_count(1)
    page.wait_for_url(f"{live.url}/clients?text=*")
    expect(page.locator("#f-text")).to_be_focused()
    expect(page.locator("#clear")).to_have_text("Clear 1")
    page.locator("#f-status").select_option("blocked")
    expect(page.get_by_text("Nothing fits these filters.")).to_be_visible()
    assert re.search(r"status=blocked$", page.url)
    page.go_back()
    expect(page.locator("#list tr.rec")).to_have_count(1)


def test_b_opens_the_block_dialog_and_counting_never_delays_the_button(live: Any, officer: Any) -> None:
    page, ids = officer
    held = threading.Event()
    page.route("**/consequences*", lambda route: held.set())  # never answered
    page.goto(live.url + path(ids["mari"]))
    page.keyboard.press("b")
    dialog = page.get_by_role("dialog", name="Block Mari Ilves")
    expect(dialog.get_by_text("Still counting. You can block now.")).to_be_visible()
    expect(dialog.get_by_role("button", name="Block now: all")).to_be_enabled()
    dialog.get_by_label("Debit only").check()
    expect(dialog.get_by_role("button", name="Block now: debit")).to_be_visible()
    dialog.get_by_label("Internal code").select_option("FRAUD")
    dialog.get_by_role("button", name="Block now: debit").click()
    expect(page.locator(".clienthead").get_by_text("Blocked: debit")).to_be_visible()
    assert held.is_set()
    with live.app.app_context():
        assert session().scalars(sa.select(ClientBlock.code).where(ClientBlock.client_id == ids["mari"])).all() == [
            "FRAUD"
        ]


def test_consequences_arrive_after_the_dialog_and_follow_the_scope(live: Any, officer: Any) -> None:
    page, ids = officer
    page.goto(live.url + path(ids["mari"]))
    page.keyboard.press("b")
    dialog = page.locator("#dialog")
    expect(dialog.locator(".consequences")).to_contain_text("Blocked: all")
    expect(dialog.locator(".consequences")).to_contain_text("Ilves OÜ")
    dialog.get_by_label("Credit only").check()
    expect(dialog.locator(".consequences")).to_contain_text("Blocked: credit")
    expect(dialog.locator('[data-text="check"]')).to_be_visible()
    dialog.get_by_label("Client text").select_option("contact")
    expect(dialog.locator('[data-text="contact"]')).to_be_visible()
    expect(dialog.locator('[data-text="check"]')).to_be_hidden()


def test_a_refused_dialog_stays_open_with_its_errors_and_what_was_typed(live: Any, officer: Any) -> None:
    page, ids = officer
    page.goto(live.url + path(ids["mari"]))
    page.keyboard.press("b")
    dialog = page.locator("#dialog")
    dialog.get_by_label("Comment, staff only").fill("Police query")
    dialog.get_by_role("button", name="Block now").click()
    expect(dialog.get_by_text("Choose the reason.")).to_be_visible()
    expect(dialog.get_by_label("Comment, staff only")).to_have_value("Police query")
    expect(dialog.locator(".error-summary")).to_be_focused()


def test_a_form_on_a_page_of_its_own_is_answered_in_its_place_and_no_id_stands_twice(live: Any, officer: Any) -> None:
    page, ids = officer
    own, dialog = page.locator(".dialog-page"), page.locator("#dialog")
    place = f"{live.url}{path(ids['mari'])}/block"
    page.goto(place)
    # twice: what was put in its place is answered in its place too
    for code in ("", "CLIENT_REQUEST"):
        own.get_by_label("Internal code").select_option(code)
        own.get_by_label("Comment, staff only").fill("Police query")
        own.get_by_label("Client text").select_option("own")
        with page.expect_response(lambda answer: answer.request.method == "POST" and answer.status == 422):
            own.get_by_role("button", name="Block now").click()
        expect(own.locator(".error-summary")).to_be_focused()
        settled(page)
        expect(dialog).to_be_hidden()
        assert (page.url, page.locator("form.block-form").count(), dialog.inner_html()) == (place, 1, "")
        assert (twice(page), broken_rules(page)) == ([], [])
        expect(own.get_by_label("Comment, staff only")).to_have_value("Police query")
        expect(own.locator(".consequences")).to_contain_text("Blocked: all")
    own.get_by_text("Comment, staff only").click()
    expect(own.get_by_label("Comment, staff only")).to_be_focused()
    # a refusal that is no answer of the form is said beside it
    with live.app.app_context():
        member = session().scalars(sa.select(StaffMember)).first()
        blocked(session().get_one(Client, ids["mari"]), staff_services.actor_of(member), code=BlockCode.FRAUD)
    own.get_by_label("Internal code").select_option("FRAUD")
    own.get_by_label("Client text").select_option("check")
    own.get_by_role("button", name="Block now").click()
    expect(page.locator("main .problem")).to_contain_text("placed by you")
    expect(dialog).to_be_hidden()
    assert all("Response Status Error Code 409" in line for line in live.complaints)
    live.complaints.clear()


def twice(page: Any) -> list[str]:
    """Ids that more than one element of the page has."""
    found: list[str] = page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    return sorted({one for one in found if found.count(one) > 1})


def test_a_block_that_stands_already_is_told_inside_the_dialog(live: Any, officer: Any) -> None:
    page, ids = officer
    again = live.sign_in("mari.tamm@test.example")
    for one in (page, again):
        one.goto(live.url + path(ids["mari"]))
        one.keyboard.press("b")
        one.locator("#dialog").get_by_label("Internal code").select_option("FRAUD")
    page.locator("#dialog").get_by_role("button", name="Block now").click()
    expect(page.locator(".clienthead").get_by_text("Blocked: all")).to_be_visible()
    again.locator("#dialog").get_by_role("button", name="Block now").click()
    expect(again.locator("#dialog .problem")).to_contain_text("placed by you")
    expect(again.locator("#dialog").get_by_label("Internal code")).to_have_value("FRAUD")
    # htmx itself writes the refusal to the console
    assert all("Response Status Error Code 409" in line for line in live.complaints)
    live.complaints.clear()


def test_a_note_is_added_from_the_keyboard(live: Any, officer: Any) -> None:
    page, ids = officer
    page.goto(live.url + path(ids["mari"]))
    page.keyboard.press("n")
    expect(page.locator("#dialog").get_by_label("Note")).to_be_focused()
    page.keyboard.type("Called back")
    page.locator("#dialog").get_by_role("button", name="Add note").click()
    page.wait_for_url("**tab=notes")
    expect(page.locator(".note")).to_contain_text("Called back")
    page.keyboard.press("n")
    expect(page.get_by_label("Add note")).to_be_focused()


def test_without_scripts_a_client_is_blocked_through_full_pages(live: Any, officer: Any) -> None:
    _, ids = officer
    page = live.sign_in("mari.tamm@test.example", java_script_enabled=False)
    page.goto(live.url + path(ids["mari"]))
    page.locator(".clienthead a", has_text="Block").click()
    expect(page.locator(".consequences")).to_contain_text("Blocked: all")
    page.get_by_label("Internal code").select_option("CLIENT_REQUEST")
    page.get_by_role("button", name="Block now").click()
    expect(page.locator(".clienthead")).to_contain_text("Blocked: all")
    with live.app.app_context():
        assert session().get(Client, ids["mari"]).status == "blocked"


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark")])
def test_nothing_for_axe_to_find(live: Any, officer: Any, width: int, scheme: str) -> None:
    page, ids = officer
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    client = path(ids["ilves"])
    places = (
        "/clients", "/clients?text=zz", "/clients?status=zz", client, f"{client}?tab=related", f"{client}?tab=notes",
        f"{client}?tab=timeline", f"{client}/edit", f"{client}/block", "/clients/new/individual",
    )  # fmt: skip
    found = []
    for place in places:
        page.goto(live.url + place)
        found += [(place, *broken) for broken in broken_rules(page)]
        wider = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        assert not wider, f"{place} scrolls sideways"
    assert found == []


def test_a_session_that_ends_under_a_dialog_takes_nothing_that_was_typed(live: Any, officer: Any) -> None:
    page, ids = officer
    page.goto(live.url + path(ids["mari"]))
    page.keyboard.press("b")
    dialog = page.locator("#dialog")
    dialog.get_by_label("Internal code").select_option("FRAUD")
    dialog.get_by_label("Comment, staff only").fill("Police query")
    with live.app.app_context(), transaction():
        session().execute(sa.update(StaffSession).values(ended_at=clock.now()))
    for _ in range(2):
        with page.expect_response(lambda answer: answer.request.method == "POST" and answer.status == 401):
            dialog.get_by_role("button", name="Block now").click()
        expect(dialog.locator(".problem").first).to_contain_text("Your session has ended. Nothing was changed")
        expect(dialog.get_by_label("Comment, staff only")).to_have_value("Police query")
    with page.context.expect_page() as opened:
        dialog.get_by_role("link", name="Sign in in another tab").click()
    tab = opened.value
    tab.get_by_label("E-mail").fill("mari.tamm@test.example")
    tab.get_by_label("Password").fill(PASSWORD)
    tab.get_by_role("button", name="Sign in").click()
    tab.wait_for_url(live.url + path(ids["mari"]))
    dialog.get_by_role("button", name="Block now").click()
    expect(page.locator(".clienthead").get_by_text("Blocked: all")).to_be_visible()
    assert all("Response Status Error Code 401" in line for line in live.complaints)
    live.complaints.clear()


def test_escape_goes_back_to_the_list_one_came_from(live: Any, officer: Any) -> None:
    page, _ = officer
    page.goto(f"{live.url}/clients?status=blocked")
    page.locator("#list tr.rec .open").first.click()
    expect(page.locator("a[data-back]")).to_have_attribute("href", "/clients?status=blocked")
    page.locator(".nav-tabs").get_by_role("link", name="Related").click()
    page.wait_for_url("**tab=related")
    page.keyboard.press("Escape")
    page.wait_for_url(f"{live.url}/clients?status=blocked")


def test_a_resized_field_and_a_refused_dialog_break_no_policy(live: Any, officer: Any) -> None:
    page, ids = officer
    page.goto(live.url + path(ids["mari"]))
    page.keyboard.press("b")
    dialog = page.locator("#dialog")
    # what dragging its corner does
    dialog.get_by_label("Comment, staff only").evaluate("field => { field.style.height = '120px'; }")
    dialog.get_by_role("button", name="Block now").click()
    expect(dialog.get_by_text("Choose the reason.")).to_be_visible()
    assert live.complaints == []


def test_on_a_phone_the_lesser_filters_unfold(live: Any, officer: Any) -> None:
    page, _ = officer
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{live.url}/clients?status=blocked")
    expect(page.locator("#f-text")).to_be_visible()
    expect(page.locator("#f-country")).to_be_hidden()
    page.get_by_text("Filters (1)").click()
    page.locator("#f-country").scroll_into_view_if_needed()
    expect(page.locator("#f-country")).to_be_in_viewport(ratio=1)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{live.url}/clients")
    expect(page.locator("#f-country")).to_be_visible()
