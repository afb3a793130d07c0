"""The page of one client, its dialogs, and what each role finds there. Without scripts: plain posts and redirects."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from dashboard.access.permissions import Audience, Role
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.clients import queries, services
from dashboard.clients.models import Client, ClientBlock, ClientFlag, ClientNote
from dashboard.clients.services import suggested_review_date
from dashboard.clients.vocabulary import CLIENT_TEXTS, BlockCode, MarkKind, Scope
from dashboard.database import new_id, session, transaction
from tests.clients.making import TODAY, activated, blocked, company, path, person

HTMX = {"HX-Request": "true"}
BLOCK = {"scope": "all", "code": "FRAUD", "client_text_choice": "check", "comment": "Police query", "currency": "eur"}


@pytest.fixture
def officer(people: Any) -> Any:
    return people.actor(Role.OFFICER)


@pytest.fixture
def senior(people: Any) -> Any:
    return people.actor(Role.SENIOR_OFFICER)


@pytest.fixture
def desk(signed_in: Any) -> Any:
    return signed_in(Role.OFFICER)


def fresh(client: Client) -> Client:
    session().expire_all()
    return queries.get(client.id)


def blocks(client: Client) -> list[ClientBlock]:
    session().expire_all()
    return list(session().scalars(sa.select(ClientBlock).where(ClientBlock.client_id == client.id)))


def test_an_unknown_client_is_not_found(desk: Any) -> None:
    assert desk.get(path(new_id())).status_code == 404
    assert desk.get(path(new_id(), "/block")).status_code == 404
    assert desk.get("/clients/not-a-uuid").status_code == 404


def test_a_person_is_shown_with_every_fact(desk: Any, officer: Any) -> None:
    page = desk.get(path(person(officer))).text
    for fact in (
        "Mari Ilves",
        "Person · EE",
        "5 Apr 1980",
        "Passport",
        "KE1234567",
        "Pärnu mnt 139c, 11317 Tallinn, Estonia",
        "mari@mail.example",
        "+37255512345",
        "Risk: Medium",
    ):
        assert fact in page, fact
    assert "Related individuals" not in page


def test_a_company_is_shown_with_people_partners_and_plans(desk: Any, officer: Any) -> None:
    page = desk.get(path(company(officer))).text
    for fact in (
        "14882037 · Estonia",
        "11 Jun 2019",
        "100,000 to 500,000 EUR a year",
        "Retail",
        "60 %",
        "40 %",
        "Director",
        "Оксана Бондаренко",
        "PEP",
        "10 transfers, 25,000.00 EUR a month",
        "Nordvik AS",
        "Norway",
        "yearly",
    ):
        assert fact in page, fact


def test_related_people_and_linked_clients_have_their_tab(desk: Any, officer: Any) -> None:
    client, other = company(officer), person(officer)
    page = desk.get(path(client, "?tab=related")).text
    assert "related individual 2 of 2" in page
    assert path(other) in page and "related individual" in page
    assert "same document" not in page  # another country issued it
    back = desk.get(path(other, "?tab=related")).text
    assert path(client) in back and "Only companies have them." in back


def test_a_block_works_at_once_and_several_stand_side_by_side(desk: Any, officer: Any, senior: Any) -> None:
    client = activated(person(officer), officer, senior)
    answer = desk.post(path(client, "/block"), data=BLOCK)
    assert answer.status_code == 303 and answer.location.endswith(path(client))
    assert fresh(client).status == "blocked"
    answer = desk.post(
        path(client, "/block"),
        data=BLOCK | {"scope": "debit", "code": "COURT_ATTACHMENT", "legal_reference": "2-26-99"},
    )
    assert answer.status_code == 303
    page = desk.get(path(client)).text
    assert (
        page.count('aria-label="All block 1"') == 1 and "Court attachment" in page and "Legal reference 2-26-99" in page
    )
    assert {block.scope for block in blocks(client)} == {"all", "debit"}
    first = blocks(client)[0]
    assert first.client_text == CLIENT_TEXTS["check"][1]
    assert first.review_date == suggested_review_date()


def test_htmx_gets_the_dialog_alone_and_is_sent_on_afterwards(desk: Any, officer: Any) -> None:
    client = person(officer)
    part = desk.get(path(client, "/block"), headers=HTMX)
    assert "<html" not in part.text and 'id="dialog-title"' in part.text
    assert "Still counting. You can block now." in part.text
    assert f'hx-get="{path(client, "/consequences")}"' in part.text
    assert "Block now" in part.text
    done = desk.post(path(client, "/block"), data=BLOCK, headers=HTMX)
    assert done.status_code == 200 and done.headers["HX-Redirect"] == path(client)


def test_the_full_page_has_the_consequences_without_scripts(desk: Any, officer: Any) -> None:
    client, other = company(officer), person(officer)
    page = desk.get(path(client, "/block")).text
    assert "<html" in page and "Still counting" not in page
    assert "Blocked: all" in page and other.name in page and "Not blocked by this" in page
    assert "1</th><td>open flag to review" in page
    part = desk.get(path(client, "/consequences?scope=credit")).text
    assert "Blocked: credit" in part


def test_the_codes_of_the_house_are_not_offered(desk: Any, officer: Any) -> None:
    client = person(officer)
    page = desk.get(path(client, "/block")).text
    assert 'value="NOT_STATED"' not in page and 'value="RISK_PROHIBITED"' not in page and 'value="STR_HOLD"' in page
    refused = desk.post(path(client, "/block"), data=BLOCK | {"code": "NOT_STATED"})
    assert refused.status_code == 422 and "Choose the reason." in refused.text
    assert blocks(client) == []


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"code": ""}, "Choose the reason."),
        ({"scope": "nothing"}, "Not a valid choice"),
        ({"scope": "amount"}, "Say which amount is blocked"),
        ({"scope": "amount", "amount": "0"}, "Say which amount is blocked"),
        ({"scope": "amount", "amount": "1.234"}, "EUR has 2 decimals."),
        ({"scope": "amount", "amount": "lots"}, "Write a number"),
        ({"review_date": "2020-01-06"}, "The review date lies in the past."),
        ({"review_date": "soon"}, "Write the date as 2026-03-13."),
        ({"client_text_choice": "own"}, "Write what the client sees."),
        ({"comment": "x" * 2001}, "Use at most 2,000 characters."),
        ({"comment": "a\x00b"}, "Remove the control characters."),
    ],
)
def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(
    desk: Any, officer: Any, wrong: Any, message: str
) -> None:
    client = person(officer)
    answer = desk.post(path(client, "/block"), data=BLOCK | {"legal_reference": "Kept 77"} | wrong, headers=HTMX)
    assert answer.status_code == 422
    assert message in answer.text and "Kept 77" in answer.text and "is-invalid" in answer.text
    assert blocks(client) == [] and fresh(client).status == "inactive"


def test_an_amount_and_own_words(desk: Any, officer: Any) -> None:
    client = person(officer)
    data = BLOCK | {
        "scope": "amount",
        "amount": "1250,50",
        "client_text_choice": "own",
        "client_text": "Please call us.",
    }
    assert desk.post(path(client, "/block"), data=data).status_code == 303
    placed = blocks(client)[0]
    assert (placed.amount_minor, placed.currency, placed.client_text) == (125050, "eur", "Please call us.")
    assert "Amount 1,250.50 EUR" in desk.get(path(client)).text


def test_an_amount_typed_before_the_scope_changed_does_not_matter(desk: Any, officer: Any) -> None:
    client = person(officer)
    assert desk.post(path(client, "/block"), data=BLOCK | {"amount": "12"}).status_code == 303
    assert blocks(client)[0].amount_minor is None


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_the_same_block_twice_is_told_and_not_placed(desk: Any, officer: Any, headers: Any) -> None:
    client = person(officer)
    desk.post(path(client, "/block"), data=BLOCK)
    again = desk.post(path(client, "/block"), data=BLOCK, headers=headers)
    assert again.status_code == 409
    assert "This block stands already: the same scope and code, placed by you." in again.text
    assert 'class="banner is-stop problem"' in again.text  # live.js puts it into the open dialog
    assert "Police query" in again.text
    assert len(blocks(client)) == 1


def test_lifting_is_asked_for_with_a_reason_and_stands_above_the_tabs(
    desk: Any, signed_in: Any, officer: Any, senior: Any
) -> None:
    client = activated(person(officer), officer, senior)
    placed = blocked(client, officer, scope=Scope.DEBIT)
    dialog = desk.get(path(client, f"/blocks/{placed.id}/lift")).text
    assert "Blocked: debit" in dialog and "Active" in dialog and "Senior officers: Senior Officer" in dialog
    empty = desk.post(path(client, f"/blocks/{placed.id}/lift"), data={"reason": "  "})
    assert empty.status_code == 422 and "Say why." in empty.text
    assert (
        desk.post(path(client, f"/blocks/{placed.id}/lift"), data={"reason": "Invoice 4410 proved"}).status_code == 303
    )
    asked = session().scalars(sa.select(ApprovalRequest).where(ApprovalRequest.kind == "client.unblock")).one()
    assert fresh(client).status == "blocked"
    page = desk.get(path(client)).text
    assert "Unblock requested" in page and f"/approvals/{asked.id}/withdraw" in page
    assert f"/approvals/{asked.id}/approve" not in page and "You asked at" in page
    assert f"/blocks/{placed.id}/lift" not in page and "lift: asked" in page
    assert "you asked; another person decides." in page
    other = signed_in(Role.SENIOR_OFFICER).get(path(client)).text
    assert f"/approvals/{asked.id}/approve" in other and f"/approvals/{asked.id}/reject" in other
    assert "you may decide" in other and "“Invoice 4410 proved”" in other and "/withdraw" not in other
    colleague = signed_in(Role.OFFICER, "Liis Saar").get(path(client)).text
    assert f"/approvals/{asked.id}/approve" not in colleague
    assert "One of the two must be senior." in colleague


def test_who_asked_by_a_token_or_themselves_is_not_among_those_who_can_decide(
    people: Any, signed_in: Any, officer: Any, senior: Any
) -> None:
    people.member(Role.SENIOR_OFFICER, "Tiit Mets")
    client = person(officer)
    placed = blocked(client, officer)
    with transaction():
        services.ask_to_unblock(placed.id, reason="Found", by=senior)
    page = signed_in(Role.OFFICER).get(path(client)).text
    listed = page.split("can decide: ")[1].split(" · expires")[0]
    assert listed == "Senior officers: Tiit Mets; officers: you"


def test_the_second_request_for_the_same_block_is_told(desk: Any, signed_in: Any, officer: Any) -> None:
    client = person(officer)
    placed = blocked(client, officer)
    assert desk.post(path(client, f"/blocks/{placed.id}/lift"), data={"reason": "one"}).status_code == 303
    second = signed_in(Role.OFFICER, "Liis Saar").post(
        path(client, f"/blocks/{placed.id}/lift"), data={"reason": "My words"}, headers=HTMX
    )
    assert second.status_code == 409 and "problem" in second.text and "My words" in second.text
    assert session().scalar(sa.select(sa.func.count()).select_from(ApprovalRequest)) == 1


def test_a_block_of_another_client_is_not_found(desk: Any, officer: Any) -> None:
    client, other = person(officer), person(officer, first="Other")
    placed = blocked(other, officer)
    for act in ("lift", "reason"):
        assert desk.get(path(client, f"/blocks/{placed.id}/{act}")).status_code == 404
        assert (
            desk.post(path(client, f"/blocks/{placed.id}/{act}"), data={"reason": "x", "code": "FRAUD"}).status_code
            == 404
        )


def test_activation_is_asked_for_and_approved_by_another(desk: Any, officer: Any, senior: Any) -> None:
    client = person(officer)
    assert path(client, "/activate") in desk.get(path(client)).text
    assert desk.post(path(client, "/activate"), data={"reason": "Seen in person"}).status_code == 303
    page = desk.get(path(client)).text
    assert "Activation requested" in page and path(client, "/activate") not in page
    assert "Activating is not offered: it has been asked already." in page
    asked = session().scalars(sa.select(ApprovalRequest)).one()
    with transaction():
        approvals.decide(asked.id, approve=True, reason=None, by=senior)
    after = desk.get(path(client)).text
    assert '<span class="badge is-ok">Active</span>' in after and "Activated by hand by Senior Officer" in after


def test_what_stands_against_activation_is_said_instead_of_a_button(desk: Any, officer: Any) -> None:
    client = person(officer, birth_date=TODAY - timedelta(days=3650))
    page = desk.get(path(client)).text
    assert path(client, "/activate") not in page
    assert "Activating is not offered: a flag of severity stop is open." in page
    assert "Not possible now." in desk.get(path(client, "/activate")).text
    refused = desk.post(path(client, "/activate"), data={"reason": "Please"})
    assert refused.status_code == 422
    assert session().scalar(sa.select(sa.func.count()).select_from(ApprovalRequest)) == 0


def test_a_flag_is_settled_once_with_what_was_found(desk: Any, signed_in: Any, officer: Any) -> None:
    client = company(officer)
    flag = session().scalars(sa.select(ClientFlag).where(ClientFlag.client_id == client.id)).one()
    here = path(client, f"/flags/{flag.id}/settle")
    assert here in desk.get(path(client)).text
    assert desk.post(here, data={"reason": ""}).status_code == 422
    assert desk.post(here, data={"reason": "A namesake"}).status_code == 303
    page = desk.get(path(client)).text
    assert here not in page and "Flag settled: Politically exposed person" in page and "“A namesake”" in page
    late = signed_in(Role.OFFICER, "Liis Saar").post(here, data={"reason": "Me too"})
    assert late.status_code == 409 and "settled meanwhile by Officer" in late.text
    other = person(officer)
    assert desk.get(path(other, f"/flags/{flag.id}/settle")).status_code == 404


def test_the_flag_of_a_prohibited_risk_is_not_settled_by_hand(desk: Any, officer: Any) -> None:
    client = person(officer, risk_level=4)
    page = desk.get(path(client)).text
    assert "Risk is prohibited" in page and "/settle" not in page


def test_notes_are_added_and_never_changed(desk: Any, signed_in: Any, officer: Any) -> None:
    client = person(officer)
    assert desk.post(path(client, "/notes/new"), data={"body": " "}).status_code == 422
    done = desk.post(path(client, "/notes/new"), data={"body": "Called.\nWill write."})
    assert done.status_code == 303 and done.location.endswith("?tab=notes")
    page = desk.get(path(client, "?tab=notes")).text
    assert "Called.\nWill write." in page and page.count('<article class="note">') == 1
    assert session().scalars(sa.select(ClientNote)).one().author_name == officer.name
    auditor = signed_in(Role.AUDITOR).get(path(client, "?tab=notes")).text
    assert "Called." in auditor and "<textarea" not in auditor


def test_a_block_without_a_reason_asks_for_it(desk: Any, signed_in: Any, officer: Any) -> None:
    client = person(officer)
    placed = blocked(client, officer, code=BlockCode.NOT_STATED)
    here = path(client, f"/blocks/{placed.id}/reason")
    assert here in desk.get(path(client)).text
    assert here not in signed_in(Role.AUDITOR).get(path(client)).text
    assert desk.post(here, data={"code": ""}).status_code == 422
    assert desk.post(here, data={"code": "STR_HOLD", "comment": "Report 12"}).status_code == 303
    page = desk.get(path(client)).text
    assert "Suspicious transaction report" in page and here not in page
    again = desk.post(here, data={"code": "FRAUD"})
    assert again.status_code == 422 and "stated already" in again.text


def test_a_treasurer_finds_no_button_and_no_way_round(signed_in: Any, officer: Any) -> None:
    client = company(officer)
    placed = blocked(client, officer)
    flag = session().scalars(sa.select(ClientFlag).where(ClientFlag.client_id == client.id)).one()
    desk = signed_in(Role.TREASURER)
    page = desk.get(path(client)).text
    ways = {
        "/block": BLOCK,
        "/edit": {"legal_name": "Stolen"},
        "/activate": {"reason": "x"},
        "/notes/new": {"body": "x"},
        f"/blocks/{placed.id}/lift": {"reason": "x"},
        f"/blocks/{placed.id}/reason": {"code": "FRAUD"},
        f"/flags/{flag.id}/settle": {"reason": "x"},
    }
    for rest, data in ways.items():
        assert path(client, rest) + '"' not in page, rest
        for answer in (desk.get(path(client, rest)), desk.post(path(client, rest), data=data)):
            assert answer.status_code == 403 and "Your role (Treasurer) cannot " in answer.text, rest
    assert "Blocking, editing and activating are not offered: your role (Treasurer) cannot do it." in page
    assert len(blocks(client)) == 1 and fresh(client).name == "Ilves OÜ"


def test_the_timeline_tells_who_did_what_and_is_read_on_in_pages(
    desk: Any, officer: Any, machine: Any, monkeypatch: Any
) -> None:
    from dashboard.clients.pages import show as show_module

    client = person(officer)
    blocked(client, officer, scope=Scope.DEBIT, comment="For staff")
    api = machine(Audience.SYSTEM, name="Core banking")
    assert api.call("PUT", f"/internal/Clients/{client.id}/block").status_code == 200
    page = desk.get(path(client, "?tab=timeline")).text
    assert "Debit block" in page and "“For staff”" in page and "Core banking" in page
    assert (
        "Core banking" not in desk.get(path(client, "?tab=timeline&who=people")).text.split('class="sheet timeline"')[1]
    )
    only = desk.get(path(client, "?tab=timeline&who=machines")).text.split('class="sheet timeline"')[1]
    assert "Core banking" in only and "Debit block" not in only
    monkeypatch.setattr(show_module, "TIMELINE_PAGE", 1)
    first = desk.get(path(client, "?tab=timeline")).text
    older = first.split('rel="next">Older')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
    second = desk.get(older).text
    assert "Debit block" in second.split('class="sheet timeline"')[1] and "Newest" in second


def test_a_get_changes_nothing(desk: Any, officer: Any) -> None:
    client = company(officer)
    placed = blocked(client, officer)
    before = fresh(client).version, fresh(client).updated_at
    for rest in (
        "",
        "?tab=related",
        "?tab=notes",
        "?tab=timeline",
        "/block",
        "/consequences",
        "/activate",
        "/edit",
        "/notes/new",
        f"/blocks/{placed.id}/lift",
        f"/blocks/{placed.id}/reason",
    ):
        assert desk.get(path(client, rest)).status_code == 200
    assert (fresh(client).version, fresh(client).updated_at) == before


def test_every_mistake_of_a_block_is_told_at_once(desk: Any, officer: Any) -> None:
    client = person(officer)
    wrong = {"scope": "all", "currency": "eur", "client_text_choice": "check", "review_date": "2020-01-01"}
    page = desk.post(path(client, "/block"), data=wrong).text
    assert "Choose the reason." in page and "The review date lies in the past." in page and "2 fields need you." in page


def test_an_open_item_names_its_block_and_leads_to_what_is_to_be_done(desk: Any, officer: Any) -> None:
    client = person(officer)
    placed = blocked(client, officer, scope=Scope.DEBIT, code=BlockCode.FRAUD)
    items = desk.get(path(client)).text.split('id="h-open"')[1].split("</section>")[0]
    assert "Review: Debit · Fraud" in items and path(client, f"/blocks/{placed.id}/lift") in items


def test_a_duplicate_document_names_who_else_holds_it(desk: Any, officer: Any) -> None:
    first, second, third = (person(officer, first=name, email=None) for name in ("Anna", "Berit", "Carl"))
    page = desk.get(path(third)).text
    assert f"also on {first.name} and 1 other" in page and path(third, "?tab=related") in page
    assert "also on" in desk.get(path(second)).text


def test_a_company_shows_marks_and_other_clients_of_its_people_and_flags_name_them(signed_in: Any, people: Any) -> None:
    officer = people.actor(Role.OFFICER)
    other = person(officer, first="Mari", last_name="Ilves", birth_date=date(1980, 4, 5))
    house = company(officer)
    with transaction():
        services.open_mark(
            house.id, kind=MarkKind.SANCTIONS, about="Mari Ilves", list_name="EU list", said_by="Screening", by=officer
        )
    page = signed_in(Role.OFFICER).get(path(house)).text
    part = page[page.index('id="h-people"') : page.index('id="h-business"')]
    assert part.count("Sanctions</") == 2 and "No mark" in part and f'href="/clients/{other.id}"' in part
    assert "Оксана Бондаренко" in page[page.index('id="h-open"') :] and "related individual 2" not in page
    masked = signed_in(Role.TREASURER).get(path(house)).text
    assert "anctions" not in masked and f'href="/clients/{other.id}"' in masked
