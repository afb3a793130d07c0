"""Creating and editing: every field there and back, two officers at once, and nothing typed ever runs."""

from __future__ import annotations

import re
from decimal import Decimal
from html import unescape
from html.parser import HTMLParser
from typing import Any

import pytest
import sqlalchemy as sa

from dashboard.access.permissions import Role
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit.models import AuditEvent
from dashboard.clients import queries
from dashboard.clients.models import Client, ClientFlag
from dashboard.clients.profile import Address
from dashboard.database import session
from tests.clients.making import company, path, person


class Fields(HTMLParser):
    """What a browser would send for the one profile form of a page."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.data: dict[str, Any] = {}
        self.inside = False
        self.select: str | None = None
        self.area: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        at = dict(attrs)
        if tag == "form":
            self.inside = at.get("class") == "profile-form"
        if not self.inside:
            return
        if tag == "select":
            self.select = at["name"]
        elif tag == "option" and self.select and "selected" in at:
            self.data[self.select] = at.get("value", "")
        elif tag == "textarea":
            self.area = at["name"]
            self.data[self.area] = ""
        elif tag == "input" and at.get("name"):
            if at.get("type") == "checkbox":
                if "checked" in at:
                    self.data.setdefault(at["name"], []).append(at.get("value", "y"))
            else:
                self.data[at["name"]] = at.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = False
        elif tag == "select":
            self.select = None
        elif tag == "textarea":
            self.area = None

    def handle_data(self, data: str) -> None:
        if self.inside and self.area:
            self.data[self.area] += data.removeprefix("\r\n").removeprefix("\n") if not self.data[self.area] else data


@pytest.fixture
def officer(people: Any) -> Any:
    return people.actor(Role.OFFICER)


@pytest.fixture
def desk(signed_in: Any) -> Any:
    return signed_in(Role.OFFICER)


def stored(client: Client) -> Client:
    session().expire_all()
    return queries.get(client.id)


def typed(desk: Any, client: Client) -> dict[str, Any]:
    return Fields(desk.get(path(client, "/edit")).text).data


PERSON = {
    "first_name": "Łucja",
    "last_name": "Dąbrowska",
    "email": "l@mail.example",
    "phone_number": "+48600100200",
    "birth_date": "1990-02-03",
    "citizenship_country": "PL",
    "residence_country": "LT",
    "risk_level": "2",
    "is_default_compliant": "y",
    "document-type": "idCard",
    "document-number": "ABC123",
    "document-issued_by": "Warsaw",
    "document-issued_country_code": "PL",
    "document-issued_date": "2020-01-02",
    "document-expiration_date": "2099-01-02",
    "address-street_line1": "Gedimino 1",
    "address-street_line2": "flat 2",
    "address-city": "Vilnius",
    "address-state": "Vilnius",
    "address-zip": "01103",
    "address-country": "LT",
}

COMPANY = {
    "legal_name": "Ilves OÜ",
    "email": "i@ilves.example",
    "phone_number": "+3726123456",
    "company_type": "private",
    "registration_number": "14882037",
    "registration_date": "2019-06-11",
    "registration_country": "EE",
    "tax_residency_country": "EE",
    "tax_number": "EE1",
    "web_site": "https://ilves.example",
    "industry": "other",
    "industry_other": "Timber",
    "turnover": "above5000KEur",
    "risk_level": "3",
    "pay_ins_countries": ["uk", "eea"],
    "pay_outs_countries": ["other"],
    "purposes_account_opening": ["depositsAndSavings"],
    "purposes_account_opening_other": "Rent",
    "is_engaged_gambling_10k": "no",
    "is_foundation": "yes",
    "is_publicly_listed": "",
    "is_relevant_activity": "yes",
    "fund_flows-planned_incoming_transfers_quantity": "10",
    "fund_flows-planned_incoming_transfers_eur_volume": "25 000,50",
    "business_partners-0-name": "Nordvik AS",
    "business_partners-0-incorporation_country_code": "NO",
    "business_partners-0-planned_transfers_quantity_month": "3",
    "compliance_evaluation-review_periodicity": "yearly",
    "related_individuals-0-first_name": "Mari",
    "related_individuals-0-last_name": "Ilves",
    "related_individuals-0-is_director": "y",
    "related_individuals-0-is_pep": "no",
    "related_individuals-0-ownership": "60.5",
    "related_individuals-0-birth_date": "1980-04-05",
    "related_individuals-0-document-type": "passport",
    "related_individuals-0-document-number": "KE1",
    "related_individuals-0-residential_address-city": "Tartu",
    "related_individuals-0-usa_tax_residency": "no",
    "related_individuals-0-giin_number": "G1",
    "related_individuals-1-first_name": "Оксана",
    "related_individuals-1-is_ubo": "y",
    "related_individuals-1-is_pep": "yes",
    "related_individuals-1-beneficial_owner_pep_details": "Mayor",
}


def test_a_person_is_created_with_every_field(desk: Any, officer: Any) -> None:
    answer = desk.post("/clients/new/individual", data=PERSON)
    assert answer.status_code == 303
    client = session().scalars(sa.select(Client)).one()
    assert answer.location.endswith(path(client))
    assert (client.status, client.name, client.risk_level, client.country, client.is_default_compliant) == (
        "inactive",
        "Łucja Dąbrowska",
        2,
        "LT",
        True,
    )
    detail = queries.individual_of(client)
    assert detail is not None and str(detail.document_expiration_date) == "2099-01-02"
    assert detail.address == {
        "streetLine1": "Gedimino 1",
        "streetLine2": "flat 2",
        "city": "Vilnius",
        "state": "Vilnius",
        "zip": "01103",
        "country": "LT",
    }
    assert client.editor_user_id == officer.id


def test_a_company_is_created_with_every_field(desk: Any) -> None:
    assert desk.post("/clients/new/company", data=COMPANY).status_code == 303
    client = session().scalars(sa.select(Client)).one()
    detail, people = queries.company_of(client), queries.related_of(client.id)
    assert detail is not None
    assert (detail.pay_ins_countries, detail.is_foundation, detail.is_publicly_listed) == (["uk", "eea"], True, None)
    assert detail.fund_flows is not None and detail.fund_flows["plannedIncomingTransfersEurVolume"] == Decimal(
        "25000.5"
    )
    assert detail.business_partners is not None and detail.business_partners[0]["incorporationCountryCode"] == "NO"
    assert [p.first_name for p in people] == ["Mari", "Оксана"]
    assert (people[0].ownership, people[0].is_director, people[0].is_pep) == (Decimal("60.5"), True, False)
    assert people[0].document is not None and people[0].document["number"] == "KE1"
    assert people[0].residential_address == {
        "streetLine1": None,
        "streetLine2": None,
        "city": "Tartu",
        "state": None,
        "zip": None,
        "country": None,
    }
    assert people[1].beneficial_owner_pep_details == "Mayor"


@pytest.mark.parametrize("make", [person, company])
def test_saving_what_was_shown_changes_nothing(desk: Any, officer: Any, make: Any) -> None:
    client = make(officer)
    version = client.version
    changes = sa.select(sa.func.count()).select_from(AuditEvent).where(AuditEvent.action.not_like("%.read"))
    events = session().scalar(changes)
    answer = desk.post(path(client, "/edit"), data=typed(desk, client))
    assert answer.status_code == 303
    assert stored(client).version == version
    assert session().scalar(changes) == events


def test_everything_created_comes_back_in_the_form(desk: Any) -> None:
    desk.post("/clients/new/company", data=COMPANY)
    data = typed(desk, session().scalars(sa.select(Client)).one())
    for name, value in COMPANY.items():
        shown = data.get(name)
        wanted = {"25 000,50": "25000.5"}.get(value, value) if isinstance(value, str) else value
        assert shown == ([wanted] if wanted == "y" else wanted), name


def test_an_edit_is_told_in_the_timeline_with_before_and_after(desk: Any, officer: Any) -> None:
    client = person(officer)
    data = typed(desk, client) | {"phone_number": "+37255599999", "address-city": "Tartu", "risk_level": "3"}
    assert desk.post(path(client, "/edit"), data=data).status_code == 303
    client = stored(client)
    assert (client.phone_number, client.risk_level) == ("+37255599999", 3)
    page = desk.get(path(client, "?tab=timeline")).text
    assert "Phone: " in page and "+37255512345" in page and "+37255599999" in page and "Tartu" in page
    assert "Medium" in page and "High" in page


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        ("individual", {"first_name": " "}, "Write the first name."),
        ("individual", {"birth_date": "1990-02-30"}, "Write the date as 2026-03-13."),
        ("individual", {"citizenship_country": "Narnia"}, "Choose a country from the list."),
        ("individual", {"document-type": "libraryCard"}, "Not a valid choice"),
        ("individual", {"risk_level": "7"}, "Not a valid choice"),
        ("individual", {"last_name": "a\x00b"}, "Remove the control characters."),
        ("individual", {"address-zip": "9" * 41}, "Use at most 40 characters."),
        ("company", {"legal_name": ""}, "Write the legal name."),
        ("company", {"related_individuals-0-ownership": "101"}, "Use at most 100."),
        ("company", {"related_individuals-0-ownership": "-1"}, "Write a number"),
        ("company", {"fund_flows-planned_incoming_transfers_quantity": "1.5"}, "Write a whole number."),
        ("company", {"pay_ins_countries": "mars"}, "Choose from the list."),
        ("company", {"related_individuals-0-residential_address-country": "ZZ"}, "Choose a country from the list."),
    ],
)
def test_what_is_wrong_is_beside_the_field_and_nothing_is_made(desk: Any, kind: str, data: Any, message: str) -> None:
    base = PERSON if kind == "individual" else COMPANY
    answer = desk.post(f"/clients/new/{kind}", data=base | data)
    assert answer.status_code == 422
    assert message in answer.text and "1 field needs" in answer.text
    linked = re.findall(r'<a href="#([^"]+)">', answer.text.split("error-summary")[1].split("</div>")[0])
    assert len(linked) == 1 and f'id="{linked[0]}"' in answer.text
    assert session().scalar(sa.select(sa.func.count()).select_from(Client)) == 0


def test_people_are_added_and_removed_without_scripts(desk: Any, officer: Any) -> None:
    client = company(officer)
    data = typed(desk, client) | {"add_person": "1", "legal_name": "Typed but not saved"}
    grown = desk.post(path(client, "/edit"), data=data)
    assert grown.status_code == 200 and 'name="related_individuals-2-first_name"' in grown.text
    assert "Typed but not saved" in grown.text and stored(client).name == "Ilves OÜ"
    data = Fields(grown.text).data
    data |= {"related_individuals-2-last_name": "Third", "related_individuals-0-remove": "y"}
    assert desk.post(path(client, "/edit"), data=data).status_code == 303
    assert [(p.position, p.last_name) for p in queries.related_of(client.id)] == [(0, "Бондаренко"), (1, "Third")]


def test_unknown_country_codes_stay(desk: Any, officer: Any) -> None:
    client = person(officer, citizenship_country="QX", address=Address(city="Far", country="QY"))
    page = desk.get(path(client, "/edit")).text
    assert "QX (unknown code)" in page and "QY (unknown code)" in page
    assert desk.post(path(client, "/edit"), data=typed(desk, client) | {"last_name": "New"}).status_code == 303
    detail = queries.individual_of(stored(client))
    assert detail is not None and detail.citizenship_country == "QX" and (detail.address or {})["country"] == "QY"


def test_the_second_officer_is_told_and_keeps_the_text(desk: Any, signed_in: Any, officer: Any) -> None:
    client = person(officer)
    mine, theirs = typed(desk, client), typed(desk, client)
    colleague = signed_in(Role.OFFICER, "Riina Kask")
    assert colleague.post(path(client, "/edit"), data=theirs | {"phone_number": "+37255500000"}).status_code == 303
    late = desk.post(path(client, "/edit"), data=mine | {"last_name": "Typed by me"})
    assert late.status_code == 409
    assert "Riina Kask changed this client at" in late.text and "Your text is kept." in late.text
    assert "Typed by me" in late.text and "+37255500000" in late.text
    assert path(client, "?tab=timeline") in late.text and "Save over it" in late.text
    assert (stored(client).name, stored(client).phone_number) == ("Mari Ilves", "+37255500000")
    again = desk.post(path(client, "/edit"), data=Fields(late.text).data)
    assert again.status_code == 303 and stored(client).name == "Mari Typed by me"


def test_a_form_without_its_version_overwrites_nothing(desk: Any, officer: Any) -> None:
    client = person(officer)
    data = typed(desk, client) | {"last_name": "Blind"}
    del data["version"]
    for version in ({}, {"version": ""}, {"version": "0"}):
        assert desk.post(path(client, "/edit"), data=data | version).status_code == 409
    assert stored(client).name == "Mari Ilves"


def test_a_lower_risk_waits_for_a_second_person_and_the_rest_is_saved(desk: Any, officer: Any) -> None:
    client = person(officer, risk_level=3)
    data = typed(desk, client) | {"risk_level": "1", "last_name": "Married"}
    without = desk.post(path(client, "/edit"), data=data)
    assert without.status_code == 422 and "Say why the risk should be lower." in without.text
    assert stored(client).name == "Mari Ilves"
    done = desk.post(
        path(client, "/edit"), data=data | {"risk_reason": "Source of funds proved"}, follow_redirects=True
    )
    assert (
        "The risk is still High: lowering it to Low waits for a second person. Everything else is saved." in done.text
    )
    assert (stored(client).risk_level, stored(client).name) == (3, "Mari Married")
    asked = session().scalars(sa.select(ApprovalRequest)).one()
    assert (asked.kind, asked.payload["risk_level"], asked.reason) == ("client.lower-risk", 1, "Source of funds proved")
    assert "Lower risk requested" in done.text
    twice = desk.post(
        path(client, "/edit"),
        data=typed(desk, client) | {"risk_level": "1", "risk_reason": "Again", "last_name": "Twice"},
    )
    assert twice.status_code == 409 and "Again" in twice.text
    assert stored(client).name == "Mari Married"


def test_only_a_lower_risk_says_that_nothing_else_changed(desk: Any, officer: Any) -> None:
    client = person(officer, risk_level=3)
    data = typed(desk, client) | {"risk_level": "2", "risk_reason": "Looked again"}
    done = desk.post(path(client, "/edit"), data=data, follow_redirects=True)
    assert "Nothing else was changed." in done.text


NASTY = "\"><img src=x onerror=alert(1)><script>alert('x')</script>{{7*7}}"


class Tags(HTMLParser):
    """Every start tag of a page, as a browser would read it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append((tag, dict(attrs)))


def harmless(html: str) -> None:
    """Neither a tag nor an attribute of what was typed stands in the page, and nothing of it was computed."""
    for tag, attributes in Tags(html).found:
        assert tag != "img"
        assert not [name for name in attributes if name.startswith("on")]
        assert tag != "script" or attributes.get("src")
    assert "</script>49" not in unescape(html)


def test_nothing_typed_anywhere_ever_runs(desk: Any, signed_in: Any, officer: Any) -> None:
    texts_of_a_person = (
        "first_name",
        "last_name",
        "document-number",
        "document-issued_by",
        "address-street_line1",
        "address-street_line2",
        "address-city",
        "address-state",
    )
    filled = dict.fromkeys(texts_of_a_person, NASTY)
    filled["phone_number"] = NASTY[:50]
    filled["email"] = NASTY
    assert desk.post("/clients/new/individual", data=PERSON | filled | {"birth_date": "2020-01-01"}).status_code == 303
    texts = {
        "legal_name",
        "registration_number",
        "tax_number",
        "web_site",
        "industry_other",
        "purposes_account_opening_other",
        "business_partners-0-name",
        "compliance_evaluation-review_periodicity",
        "related_individuals-0-first_name",
        "related_individuals-0-last_name",
        "related_individuals-0-document-number",
        "related_individuals-0-residential_address-city",
        "related_individuals-1-beneficial_owner_pep_details",
    }
    more_texts = (
        "business_partners-0-website",
        "business_partners-0-basis_partnership",
        "business_partners-0-additional_info",
        "compliance_evaluation-applied_limits",
        "compliance_evaluation-additional_info",
        "related_individuals-0-email",
        "related_individuals-0-document-issued_by",
    )
    more = dict.fromkeys(more_texts, NASTY)
    assert desk.post("/clients/new/company", data=COMPANY | dict.fromkeys(texts, NASTY) | more).status_code == 303
    treasurer = signed_in(Role.TREASURER)
    for client in session().scalars(sa.select(Client)).all():
        block = {
            "scope": "all",
            "code": "FRAUD",
            "client_text_choice": "own",
            "client_text": NASTY,
            "comment": NASTY,
            "legal_reference": NASTY,
            "currency": "eur",
        }
        assert desk.post(path(client, "/block"), data=block).status_code == 303
        placed = queries.blocks_of(client.id, actor=officer)[0]
        assert desk.post(path(client, f"/blocks/{placed.id}/lift"), data={"reason": NASTY}).status_code == 303
        assert desk.post(path(client, "/notes/new"), data={"body": NASTY}).status_code == 303
        flag = (
            session()
            .scalars(sa.select(ClientFlag).where(ClientFlag.client_id == client.id, ClientFlag.severity > 1))
            .first()
        )
        assert flag is not None
        assert desk.post(path(client, f"/flags/{flag.id}/settle"), data={"reason": NASTY}).status_code == 303
        shown = 0
        for rest in (
            "",
            "?tab=related",
            "?tab=notes",
            "?tab=timeline",
            "/edit",
            "/block",
            "/activate",
            "/notes/new",
            "/consequences",
            f"/blocks/{placed.id}/lift",
            f"/blocks/{placed.id}/reason",
        ):
            answer = desk.get(path(client, rest))
            assert answer.status_code == 200, rest
            harmless(answer.text)
            shown += NASTY in unescape(answer.text)
        assert shown > 5
        for rest in ("", "?tab=related", "?tab=timeline"):
            harmless(treasurer.get(path(client, rest)).text)
    listed = desk.get("/clients").text
    harmless(listed)
    assert NASTY in unescape(listed)
    harmless(
        desk.get(
            "/clients", query_string={"text": NASTY, "status": NASTY, "country": NASTY, "flag": NASTY, "cursor": NASTY}
        ).text
    )
    refused = desk.post("/clients/new/individual", data={"last_name": NASTY, "first_name": ""})
    assert refused.status_code == 422
    harmless(refused.text)
