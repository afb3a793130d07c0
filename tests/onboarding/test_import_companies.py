"""ON-02: companies from a partner's onboarding system, with their people, all or nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.access import tokens
from dashboard.access.permissions import DEFAULT_SCOPES, Audience
from dashboard.clients.models import Client, ClientFlag, Company, RelatedIndividual
from dashboard.clients.vocabulary import CompanyType, Industry, Purpose, Region, Turnover
from dashboard.database import session, transaction
from dashboard.web import json

PATH = "/integration/clients/companies"

ADDRESS: dict[str, Any] = {
    "streetLine1": "Harbour Road 3", "streetLine2": None, "city": "Dublin", "state": None, "zip": "D01",
    "country": "ie",
}  # fmt: skip
DOCUMENT: dict[str, Any] = {
    "issuedBy": "Passport Office", "expirationDate": "2099-08-24", "type": "passport", "number": "P1234567",
    "issuedCountryCode": "ie", "issuedDate": "2019-08-24",
}  # fmt: skip
PERSON: dict[str, Any] = {
    "firstName": "Aoife", "lastName": "Byrne", "email": "aoife@example.com", "isUbo": True, "isShareholder": True,
    "isDirector": True, "isRepresentative": False, "isPep": False, "residenceCountry": "ie", "citizenshipCountry": "ie",
    "birthDate": "1980-02-29", "ownership": 60, "percentageOwnership": 60, "document": DOCUMENT,
    "beneficialOwnerPepDetails": None, "usaTaxResidency": False, "giinNumber": "98Q96B.00000.LE.250",
    "residentialAddress": ADDRESS, "applicantId": "fc65ce03-c5e6-455c-b628-f1607e292785",
}  # fmt: skip
#: every company field of the reference's document
COMPANY: dict[str, Any] = {
    "externalId": "company-1", "type": "company", "riskLevel": "medium", "address": ADDRESS,
    "phoneNumber": "+35315550100", "email": "office@example.com",
    "onboardingId": "f4fce315-9b7c-4302-989a-521be9ec9bca",
    "isDefaultCompliant": True, "legalName": "Byrne & Daughters (Import) Ltd. #1",
    "companyRegistrationDate": "2012-08-24", "countryOfRegistration": "ie", "taxResidencyCountry": "ie",
    "registrationNumber": "IE-512345", "industry": "other", "industryOther": "Boats", "turnover": "bellow100KEur",
    "webSite": "https://byrne.example", "taxNumber": "IE1234567T", "payInsCountries": ["uk", "eea"],
    "payOutsCountries": ["other"], "isEngagedGambling10K": False, "isFoundation": False, "isPubliclyListed": False,
    "isRelevantActivity": True, "purposesAccountOpening": ["depositsAndSavings", "other"],
    "purposesAccountOpeningOther": "Escrow",
    "businessPartners": [{
        "name": "Ateliers Réunis", "incorporationCountryCode": "fr", "plannedTransfersQuantityMonth": 3,
        "plannedTransfersEurVolumeMonth": Decimal("1250.75"), "additionalInfo": "Hulls", "basisPartnership": "Contract",
        "website": "https://ateliers.example",
    }],
    "fundFlows": {
        "plannedIncomingTransfersQuantity": 10, "plannedIncomingTransfersEurVolume": Decimal("900000.01"),
        "plannedOutboundTransfersQuantity": 0, "plannedOutboundTransfersEurVolume": 0,
    },
    "complianceEvaluation": {"reviewPeriodicity": "yearly", "appliedLimits": "none", "additionalInfo": "-"},
    "customOptions": None,
    "relatedIndividuals": [PERSON, {"firstName": "Niamh", "lastName": "Byrne", "ownership": 40}],
    "companyType": "private",
}  # fmt: skip
NEEDED = ("externalId", "riskLevel", "address", "phoneNumber", "email", "legalName", "countryOfRegistration")


@pytest.fixture
def partner(machine: Callable[..., Any]) -> Any:
    return machine(Audience.INTEGRATION)


def changed(path: str, value: Any) -> dict[str, Any]:
    # the address stands at two places
    body: Any = json.loads(json.dumps(COMPANY))
    *parents, last = path.split(".")
    inner = body
    for name in parents:
        inner = inner[int(name) if isinstance(inner, list) else name]
    inner[last] = value
    return body


def flags_of(client_id: str) -> set[tuple[str, str]]:
    return {
        (code, field)
        for code, field in session().execute(
            sa.select(ClientFlag.code, ClientFlag.field).where(ClientFlag.client_id == UUID(client_id))
        )
    }


def stored() -> tuple[int, int, int]:
    counts = [session().scalar(sa.select(sa.func.count()).select_from(t)) for t in (Client, Company, RelatedIndividual)]
    return counts[0] or 0, counts[1] or 0, counts[2] or 0


def test_a_company_comes_in_whole_inactive_and_reads_back_as_it_was_sent(
    partner: Any, machine: Callable[..., Any]
) -> None:
    answer = partner.call("POST", PATH, json=COMPANY)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert set(answer.get_json()) == {"clientId", "externalId"}
    client_id = answer.get_json()["clientId"]
    value = machine(Audience.SYSTEM).call("GET", f"/internal/Clients/{client_id}").get_json()["value"]
    assert (value["status"], value["type"], value["riskLevel"]) == ("inactive", "company", 2)
    upper = {"countryOfRegistration", "taxResidencyCountry"}
    for name in set(COMPANY) - {"riskLevel", "address", "relatedIndividuals", "businessPartners", *upper}:
        assert value[name] == COMPANY[name], name
    assert value["countryOfRegistration"] == value["address"]["country"] == "IE"
    assert value["businessPartners"] == [{**COMPANY["businessPartners"][0], "incorporationCountryCode": "FR"}]
    first, second = value["relatedIndividuals"]
    assert {**first, "residenceCountry": "ie", "citizenshipCountry": "ie"} == {
        **PERSON,
        "document": {**DOCUMENT, "issuedCountryCode": "IE"},
        "residentialAddress": {**ADDRESS, "country": "IE"},
    }
    assert (second["firstName"], second["ownership"], second["document"]) == ("Niamh", 40, None)
    assert flags_of(client_id) == set()


@pytest.mark.parametrize("name", sorted(set(COMPANY) - set(NEEDED)))
def test_what_is_not_needed_may_be_left_out(partner: Any, name: str) -> None:
    body = {key: value for key, value in COMPANY.items() if key != name}
    assert partner.call("POST", PATH, json=body).status_code == 200


@pytest.mark.parametrize("name", NEEDED)
def test_what_is_needed_is_named_when_it_is_missing(partner: Any, name: str) -> None:
    problem = partner.call("POST", PATH, json={key: v for key, v in COMPANY.items() if key != name}).get_json()
    assert [(error["field"], error["rule"]) for error in problem["errors"]] == [(name, "required")]


@pytest.mark.parametrize("industry", list(Industry))
def test_every_documented_industry_is_taken(partner: Any, industry: Industry) -> None:
    assert partner.call("POST", PATH, json=changed("industry", industry.value)).status_code == 200


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *(("companyType", kind.value) for kind in CompanyType),
        *(("turnover", kind.value) for kind in Turnover),
        ("payInsCountries", [kind.value for kind in Region]),
        ("purposesAccountOpening", [kind.value for kind in Purpose]),
        ("purposesAccountOpening", []),
        ("relatedIndividuals", []),
        ("relatedIndividuals", [{"firstName": "A", "lastName": "B", "ownership": Decimal("0.5")}] * 200),
        ("relatedIndividuals.0.ownership", 0),
        ("relatedIndividuals.0.document.type", "driverLicence"),
        ("businessPartners", [{"name": "x"}] * 200),
        ("fundFlows", {}),
        ("legalName", "7"),
        ("riskLevel", "low"),
    ],
)
def test_what_the_convention_allows_is_taken(partner: Any, path: str, value: Any) -> None:
    answer = partner.call("POST", PATH, json=changed(path, value))
    assert answer.status_code == 200, answer.get_data(as_text=True)


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        ("legalName", "Ilves OÜ", "pattern"),
        ("legalName", "   ", "pattern"),
        ("legalName", "A\n", "pattern"),
        ("legalName", "x" * 256, "tooLong"),
        ("legalName", 7, "value"),
        ("type", "individual", "enum"),
        ("riskLevel", 2, "enum"),
        ("countryOfRegistration", "LTU", "tooLong"),
        ("industry", "fishing", "enum"),
        ("turnover", "below100KEur", "enum"),
        ("companyType", "gmbh", "enum"),
        ("payInsCountries", ["us"], "enum"),
        ("companyRegistrationDate", "2012-02-30", "date"),
        ("isFoundation", "yes", "value"),
        ("isFoundation", 1, "value"),
        ("fundFlows.plannedIncomingTransfersQuantity", -1, "range"),
        ("fundFlows.plannedIncomingTransfersEurVolume", 0.001, "range"),
        ("businessPartners", "none", "type"),
        ("businessPartners", [{"name": "x"}] * 201, "tooLong"),
        ("relatedIndividuals", [{"firstName": "A", "lastName": "B"}] * 201, "tooLong"),
        ("relatedIndividuals.0.ownership", 100.01, "range"),
        ("relatedIndividuals.0.ownership", -1, "range"),
        ("relatedIndividuals.0.firstName", "Łucja", "pattern"),
        ("relatedIndividuals.0.lastName", None, "value"),
        ("relatedIndividuals.0.email", "nobody", "value"),
        ("relatedIndividuals.0.document.number", "x" * 31, "tooLong"),
        ("relatedIndividuals.0.residentialAddress.city", "Kraków", "pattern"),
        ("relatedIndividuals.1.nickname", "Nia", "unknown"),
        ("businessPartners.0.name", "a\0b", "value"),
        ("address.planet", "Mars", "unknown"),
        ("status", "active", "unknown"),
        ("customOptions", {"a": 1}, "type"),
        ("firstName", "Aoife", "unknown"),
    ],
)
def test_what_it_does_not_allow_is_refused_by_field_and_rule(partner: Any, path: str, value: Any, rule: str) -> None:
    answer = partner.call("POST", PATH, json=changed(path, value))
    assert answer.status_code == 400, answer.get_data(as_text=True)
    named = [(error["field"].removesuffix(".0"), error["rule"]) for error in answer.get_json()["errors"]]
    assert (path, rule) in named or [(path, "type")] == named
    assert stored() == (0, 0, 0)


@pytest.mark.parametrize("name", ["ownership", "percentageOwnership"])
def test_shares_that_add_up_to_more_than_all_of_the_company_are_refused(partner: Any, name: str) -> None:
    people = [{"firstName": "A", "lastName": letter, name: 50.0001} for letter in "BC"]
    answer = partner.call("POST", PATH, json={**COMPANY, "relatedIndividuals": people})
    assert answer.status_code == 400
    (error,) = answer.get_json()["errors"]
    assert (error["field"], error["rule"]) == ("relatedIndividuals", "range")
    assert "100.0002 %" in error["message"]
    assert stored() == (0, 0, 0)
    people[0][name] = 49.9999
    assert partner.call("POST", PATH, json={**COMPANY, "relatedIndividuals": people}).status_code == 200


@pytest.mark.parametrize(
    ("path", "value", "flag", "field"),
    [
        ("riskLevel", "prohibited", "riskProhibited", "riskLevel"),
        ("countryOfRegistration", "zz", "unknownCountry", "countryOfRegistration"),
        ("companyRegistrationDate", "2999-01-01", "registeredInFuture", "companyRegistrationDate"),
        ("phoneNumber", "string", "phoneUnusable", "phoneNumber"),
        ("businessPartners.0.incorporationCountryCode", "zz", "unknownCountry",
         "businessPartners.0.incorporationCountryCode"),
        ("relatedIndividuals.0.isPep", True, "pep", "relatedIndividuals.0.isPep"),
        ("relatedIndividuals.0.birthDate", "2020-01-01", "underAge", "relatedIndividuals.0.birthDate"),
        ("relatedIndividuals.0.birthDate", "2999-01-01", "bornInFuture", "relatedIndividuals.0.birthDate"),
        ("relatedIndividuals.0.document.expirationDate", "2020-01-01", "documentExpired",
         "relatedIndividuals.0.document.expirationDate"),
        ("relatedIndividuals.0.document.issuedCountryCode", "zz", "unknownCountry",
         "relatedIndividuals.0.document.issuedCountryCode"),
        ("relatedIndividuals.0.residentialAddress.country", "zz", "unknownCountry",
         "relatedIndividuals.0.residentialAddress.country"),
        ("relatedIndividuals.0.citizenshipCountry", "zz", "unknownCountry", "relatedIndividuals.0.citizenshipCountry"),
    ],
)  # fmt: skip
def test_doubts_are_accepted_and_flagged(partner: Any, path: str, value: Any, flag: str, field: str) -> None:
    answer = partner.call("POST", PATH, json=changed(path, value))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert flags_of(answer.get_json()["clientId"]) == {(flag, field)}


def test_people_and_companies_of_a_partner_share_their_external_ids(partner: Any, machine: Callable[..., Any]) -> None:
    person = {
        "externalId": "company-1", "riskLevel": "low", "address": ADDRESS, "phoneNumber": "+35315550100",
        "email": "a@example.com", "firstName": "A", "lastName": "B", "citizenshipCountry": "ie",
        "identificationDocument": DOCUMENT, "residenceCountry": "ie", "dateOfBirth": "1980-01-01",
    }  # fmt: skip
    assert partner.call("POST", "/integration/clients/individuals", json=person).status_code == 200
    again = partner.call("POST", PATH, json=COMPANY)
    assert (again.status_code, again.get_json()["code"]) == (409, "externalIdTaken")
    assert stored() == (1, 0, 0)
    assert machine(Audience.INTEGRATION, partner="other").call("POST", PATH, json=COMPANY).status_code == 200


def test_only_a_token_for_imports_may_import(machine: Callable[..., Any]) -> None:
    assert machine(Audience.SYSTEM).call("POST", PATH, json=COMPANY).status_code == 403


def test_eight_at_the_same_moment_store_one_company_with_its_people_once(committed: Flask) -> None:
    with transaction():
        _token, secret = tokens.create(
            audience=Audience.INTEGRATION, scopes=DEFAULT_SCOPES[Audience.INTEGRATION], name="race"
        )
    gate = threading.Barrier(8)
    answers: list[int] = []

    def send() -> None:
        gate.wait()
        answer = committed.test_client().post(PATH, json=COMPANY, headers={"Authorization": f"Bearer {secret}"})
        answers.append(answer.status_code)

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200] + [409] * 7
    assert stored() == (1, 1, 2)


_any_text = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
_name = st.text("ABCxyz-.' ", min_size=1, max_size=255)
_share = st.none() | st.integers(0, 25) | st.decimals(0, 25, places=4)
_person = st.fixed_dictionaries(
    {"firstName": _name, "lastName": _name},
    optional={
        "birthDate": st.dates().map(str),
        "ownership": _share,
        "percentageOwnership": _share,
        "residenceCountry": st.text(_any_text, min_size=2, max_size=2),
        "giinNumber": st.text(_any_text, max_size=100),
        "beneficialOwnerPepDetails": st.text(_any_text, max_size=2000),
        "isPep": st.none() | st.booleans(),
    },
)


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    external_id=st.text(_any_text, min_size=1, max_size=100),
    name=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=255),
    people=st.lists(_person, max_size=4),
    partners=st.lists(st.fixed_dictionaries({"name": st.text(_any_text, min_size=1, max_size=255)}), max_size=3),
    text=st.text(_any_text, max_size=100),
)
def test_any_company_of_the_convention_is_imported_and_can_be_read(
    partner: Any, machine: Callable[..., Any], external_id: str, name: str, people: Any, partners: Any, text: str
) -> None:
    body = {**COMPANY, "externalId": external_id, "legalName": name, "relatedIndividuals": people,
            "businessPartners": partners, "taxNumber": text, "registrationNumber": text}  # fmt: skip
    answer = partner.call("POST", PATH, json=body)
    assert answer.status_code in {200, 409}, answer.get_data(as_text=True)
    if answer.status_code == 200:
        read = machine(Audience.SYSTEM).call("GET", f"/internal/Clients/{answer.get_json()['clientId']}")
        value = read.get_json()["value"]
        assert (value["legalName"], value["taxNumber"]) == (name, text)
        assert [(one["firstName"], one["lastName"]) for one in value["relatedIndividuals"]] == [
            (one["firstName"], one["lastName"]) for one in people
        ]
        session().expunge_all()
