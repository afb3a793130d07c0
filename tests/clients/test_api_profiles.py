"""CP-03, CP-07, CP-08, CP-01: profiles over JSON."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.permissions import Audience, Role
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.clients.models import Client, ClientFlag
from dashboard.database import session, transaction

CLIENT_DTO = {
    "id", "type", "editorUserId", "onboardingId", "status", "address", "phoneNumber", "email", "created", "riskLevel",
    "isDefaultCompliant", "legalName", "companyRegistrationDate", "countryOfRegistration", "taxResidencyCountry",
    "registrationNumber", "industry", "industryOther", "turnover", "webSite", "taxNumber", "payInsCountries",
    "payOutsCountries", "isEngagedGambling10K", "isFoundation", "isPubliclyListed", "isRelevantActivity",
    "purposesAccountOpening", "purposesAccountOpeningOther", "businessPartners", "fundFlows", "complianceEvaluation",
    "customOptions", "relatedIndividuals", "companyType",
}  # fmt: skip
OF_INDIVIDUALS = {
    "firstName", "lastName", "dateOfBirth", "citizenshipCountry", "residenceCountry", "identificationDocument",
}  # fmt: skip
RELATED_INDIVIDUAL = {
    "firstName", "lastName", "email", "isUbo", "isShareholder", "isDirector", "isRepresentative", "isPep",
    "residenceCountry", "citizenshipCountry", "birthDate", "ownership", "document", "beneficialOwnerPepDetails",
    "usaTaxResidency", "giinNumber", "residentialAddress", "applicantId", "percentageOwnership",
}  # fmt: skip

#: the example of the reference, as it stands, without what only answers have
COMPANY: dict[str, Any] = {
    "type": "company",
    "onboardingId": "f4fce315-9b7c-4302-989a-521be9ec9bca",
    "address": {
        "streetLine1": "string", "streetLine2": "string", "city": "string", "state": "string", "zip": "string",
        "country": "string",
    },
    "phoneNumber": "string",
    "email": "string",
    "riskLevel": 0,
    "isDefaultCompliant": True,
    "legalName": "string",
    "companyRegistrationDate": "2019-08-24",
    "countryOfRegistration": "string",
    "taxResidencyCountry": "string",
    "registrationNumber": "string",
    "industry": "accountingOrConsultingOrLegalServices",
    "industryOther": "string",
    "turnover": "bellow100KEur",
    "webSite": "string",
    "taxNumber": "string",
    "businessPartners": [
        {
            "name": "string", "incorporationCountryCode": "string", "plannedTransfersQuantityMonth": 0,
            "plannedTransfersEurVolumeMonth": 0, "additionalInfo": "string", "basisPartnership": "string",
            "website": "string",
        }
    ],
    "fundFlows": {
        "plannedIncomingTransfersQuantity": 0, "plannedIncomingTransfersEurVolume": 0,
        "plannedOutboundTransfersQuantity": 0, "plannedOutboundTransfersEurVolume": 0,
    },
    "complianceEvaluation": {"reviewPeriodicity": "string", "appliedLimits": "string", "additionalInfo": "string"},
    "customOptions": None,
    "relatedIndividuals": [
        {
            "firstName": "Ivan", "lastName": "Ivanov", "email": "test@local.com", "isUbo": True, "isShareholder": False,
            "isDirector": False, "isRepresentative": False, "isPep": False, "residenceCountry": "RU",
            "citizenshipCountry": "RU", "birthDate": "2019-08-24", "ownership": 0,
            "document": {
                "issuedBy": "string", "expirationDate": "2019-08-24", "type": "passport", "number": "string",
                "issuedCountryCode": "string", "issuedDate": "2019-08-24",
            },
            "beneficialOwnerPepDetails": "string", "usaTaxResidency": True, "giinNumber": "string",
            "residentialAddress": {
                "streetLine1": "string", "streetLine2": "string", "city": "string", "state": "string", "zip": "string",
                "country": "string",
            },
            "applicantId": "fc65ce03-c5e6-455c-b628-f1607e292785", "percentageOwnership": 0,
        }
    ],
    "companyType": "soleTrader",
}  # fmt: skip

PERSON: dict[str, Any] = {
    "type": "individual",
    "firstName": "Łucja",
    "lastName": "Dąbrowska",
    "dateOfBirth": "1987-04-12",
    "citizenshipCountry": "pl",
    "residenceCountry": "Lt",
    "phoneNumber": "+37061234567",
    "email": "lucja@example.com",
    "riskLevel": 2,
    "identificationDocument": {"type": "passport", "number": "EK1", "issuedCountryCode": "pl"},
}


@pytest.fixture
def system(machine: Callable[..., Any]) -> Any:
    return machine(Audience.SYSTEM)


def create(caller: Any, body: dict[str, Any]) -> dict[str, Any]:
    answer = caller.call("POST", "/internal/Clients", json=body)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()["value"]


def test_a_company_is_answered_with_exactly_the_documented_fields(system: Any) -> None:
    made = create(system, COMPANY)
    answer = system.call("GET", f"/internal/Clients/{made['id']}")
    assert answer.status_code == 200
    envelope = answer.get_json()
    assert set(envelope) == {"isFailed", "isSuccess", "reasons", "errors", "successes", "valueOrDefault", "value"}
    assert (envelope["isFailed"], envelope["isSuccess"]) == (False, True)
    assert envelope["valueOrDefault"] == envelope["value"]
    value = envelope["value"]
    assert set(value) == CLIENT_DTO | {"externalId"}
    assert set(value["relatedIndividuals"][0]) == RELATED_INDIVIDUAL
    assert value == made


def test_the_example_of_the_reference_comes_back_as_it_was_sent_but_for_the_case_of_countries(system: Any) -> None:
    value = create(system, COMPANY)
    upper = {"country", "countryOfRegistration", "taxResidencyCountry", "incorporationCountryCode", "issuedCountryCode"}

    def expected(sent: Any, key: str = "") -> Any:
        if isinstance(sent, dict):
            return {name: expected(part, name) for name, part in sent.items()}
        if isinstance(sent, list):
            return [expected(part) for part in sent]
        return sent.upper() if key in upper else sent

    for name, sent in COMPANY.items():
        assert value[name] == expected(sent, name), name


def test_an_individual_has_its_own_fields_and_empty_ones_of_companies(system: Any) -> None:
    value = create(system, PERSON)
    assert set(value) == CLIENT_DTO | OF_INDIVIDUALS | {"externalId"}
    assert value["firstName"] == "Łucja" and value["lastName"] == "Dąbrowska"
    assert (value["citizenshipCountry"], value["residenceCountry"]) == ("PL", "LT")
    assert value["identificationDocument"] == {
        "issuedBy": None, "expirationDate": None, "type": "passport", "number": "EK1", "issuedCountryCode": "PL",
        "issuedDate": None,
    }  # fmt: skip
    assert value["legalName"] == "" and value["countryOfRegistration"] == "" and value["relatedIndividuals"] == []
    for name in ("industry", "turnover", "companyType", "businessPartners", "fundFlows", "complianceEvaluation"):
        assert value[name] is None, name


def test_a_phone_that_nobody_gave_is_empty_and_never_null(system: Any) -> None:
    value = create(system, {"type": "individual", "firstName": "A", "lastName": "B"})
    assert value["phoneNumber"] == ""
    assert value["riskLevel"] == 0


def test_a_new_client_is_inactive_whatever_the_body_says(system: Any) -> None:
    wanted = str(uuid4())
    value = create(
        system,
        {**PERSON, "id": wanted, "status": "active", "created": "2001-01-01", "editorUserId": wanted,
         "isFoundation": True, "payInsCountries": ["uk"], "externalId": "mine"},
    )  # fmt: skip
    assert value["status"] == "inactive"
    assert value["id"] != wanted and value["editorUserId"] is None
    assert not value["created"].startswith("2001")
    assert value["isFoundation"] is None and value["payInsCountries"] is None and value["externalId"] is None


def test_an_answer_can_be_sent_back_whole_and_changes_nothing(system: Any) -> None:
    for body in (COMPANY, PERSON):
        value = create(system, body)
        version = session().get(Client, UUID(value["id"])).version  # type: ignore[union-attr]
        answer = system.call("PUT", f"/internal/Clients/{value['id']}", json=_plain(value))
        assert answer.status_code == 200, answer.get_data(as_text=True)
        assert answer.get_json()["value"] == value
        assert session().get(Client, UUID(value["id"])).version == version  # type: ignore[union-attr]


def _plain(value: Any) -> Any:
    """Numbers of an answer are exact decimals; the test client cannot send those."""
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return float(value) if isinstance(value, Decimal) else value


def test_shares_and_volumes_keep_their_decimals(system: Any) -> None:
    body = {
        **COMPANY,
        "relatedIndividuals": [{"firstName": "A", "ownership": 33.3333, "percentageOwnership": 100}],
        "fundFlows": {"plannedIncomingTransfersEurVolume": 90000.55},
    }
    text = system.call("POST", "/internal/Clients", json=body).get_data(as_text=True)
    assert '"ownership": 33.3333,' in text and '"percentageOwnership": 100}' in text
    assert '"plannedIncomingTransfersEurVolume": 90000.55' in text


def test_both_spellings_of_driver_license_are_taken_and_one_is_stored(system: Any) -> None:
    for spelling in ("driverLicense", "driverLicence"):
        value = create(system, {**PERSON, "identificationDocument": {"type": spelling}})
        assert value["identificationDocument"]["type"] == "driverLicense"


def test_fields_of_the_other_type_are_refused_by_name(system: Any) -> None:
    answer = system.call("POST", "/internal/Clients", json={**PERSON, "legalName": "X", "turnover": "bellow100KEur"})
    assert answer.status_code == 400
    assert {e["metadata"]["field"] for e in answer.get_json()["errors"]} == {"legalName", "turnover"}


def test_what_a_type_requires_is_named_when_it_is_missing(system: Any) -> None:
    for body, missing in (
        ({"type": "individual", "firstName": "  "}, {"firstName", "lastName"}),
        ({"type": "company"}, {"legalName"}),
        ({}, {"type"}),
    ):
        answer = system.call("POST", "/internal/Clients", json=body)
        assert answer.status_code == 400
        errors = answer.get_json()["errors"]
        assert {e["metadata"]["field"] for e in errors} == missing
        assert {e["metadata"]["rule"] for e in errors} == {"required"}


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("riskLevel", 5, "range"),
        ("riskLevel", "2", "value"),
        ("riskLevel", 1.5, "type"),
        ("riskLevel", True, "value"),
        ("isDefaultCompliant", "true", "value"),
        ("firstName", 7, "value"),
        ("firstName", "x" * 256, "tooLong"),
        ("firstName", "nul\0", "value"),
        ("dateOfBirth", "12.04.1987", "value"),
        ("dateOfBirth", "1566604800", "value"),
        ("dateOfBirth", "2019-02-30", "date"),
        ("onboardingId", "no-uuid", "uuid"),
        ("address", "somewhere", "type"),
        ("customOptions", {"a": 1}, "type"),
        ("type", "person", "enum"),
    ],
)
def test_a_wrong_value_is_refused_by_field_and_rule(system: Any, field: str, value: Any, rule: str) -> None:
    answer = system.call("POST", "/internal/Clients", json={**PERSON, field: value})
    assert answer.status_code == 400
    assert [(e["metadata"]["field"], e["metadata"]["rule"]) for e in answer.get_json()["errors"]] == [(field, rule)]


def test_a_wrong_value_deep_inside_is_named_by_its_path(system: Any) -> None:
    body = {**COMPANY, "relatedIndividuals": [{"firstName": "A"}, {"ownership": 100.5, "shoeSize": 43}]}
    answer = system.call("POST", "/internal/Clients", json=body)
    assert answer.status_code == 400
    assert {e["metadata"]["field"] for e in answer.get_json()["errors"]} == {
        "relatedIndividuals.1.ownership",
        "relatedIndividuals.1.shoeSize",
    }


def test_a_company_has_at_most_200_related_individuals(system: Any) -> None:
    assert len(create(system, {**COMPANY, "relatedIndividuals": [{}] * 200})["relatedIndividuals"]) == 200
    answer = system.call("POST", "/internal/Clients", json={**COMPANY, "relatedIndividuals": [{}] * 201})
    assert answer.status_code == 400


def test_an_unusable_e_mail_is_a_flag_that_enters_no_queue(system: Any) -> None:
    value = create(system, {**PERSON, "email": "nowhere"})
    client = session().get(Client, UUID(value["id"]))
    assert client is not None and client.open_flags == 0
    codes = session().scalars(sa.select(ClientFlag.code).where(ClientFlag.client_id == client.id)).all()
    assert codes == ["emailUnusable"]


def test_a_put_replaces_the_profile(system: Any) -> None:
    made = create(system, PERSON)
    answer = system.call(
        "PUT", f"/internal/Clients/{made['id']}", json={"firstName": "Lucy", "lastName": "D", "residenceCountry": "EE"}
    )
    assert answer.status_code == 200
    value = answer.get_json()["value"]
    assert (value["firstName"], value["residenceCountry"], value["email"]) == ("Lucy", "EE", None)
    assert value["riskLevel"] == 2, "a risk that is left out stays"


def test_the_type_of_a_client_never_changes(system: Any) -> None:
    made = create(system, PERSON)
    answer = system.call("PUT", f"/internal/Clients/{made['id']}", json={"type": "company", "legalName": "X"})
    assert answer.status_code == 400
    assert answer.get_json()["errors"][0]["metadata"]["field"] == "type"


def test_a_client_that_does_not_exist_is_not_found_in_the_envelope(system: Any) -> None:
    for method, path, body in (
        ("GET", "", None),
        ("PUT", "", {"firstName": "A", "lastName": "B"}),
        ("PUT", "/block", {}),
        ("PUT", "/unblock", {}),
    ):
        answer = system.call(method, f"/internal/Clients/{uuid4()}{path}", json=body)
        assert answer.status_code == 404
        assert answer.get_json()["isFailed"] is True
        assert answer.get_json()["errors"][0]["metadata"]["code"] == "clientNotFound"


def test_lowering_a_risk_over_json_asks_for_a_second_person_and_applies_nothing(system: Any) -> None:
    made = create(system, PERSON)
    path = f"/internal/Clients/{made['id']}"
    body = {"firstName": "Changed", "lastName": "Too", "riskLevel": 1}
    first = system.call("PUT", path, json=body)
    assert first.status_code == 403
    error = first.get_json()["errors"][0]
    assert error["metadata"]["code"] == "approvalRequired"
    assert "Nothing of this request" in error["message"]
    request_id = error["metadata"]["requestId"]
    assert session().get(ApprovalRequest, UUID(request_id)).reason == "Asked by API: risk level 2 to 1."  # type: ignore[union-attr]
    assert system.call("GET", path).get_json()["value"] == made
    again = system.call("PUT", path, json=body)
    assert again.status_code == 403
    assert again.get_json()["errors"][0]["metadata"]["requestId"] == request_id
    assert session().scalar(sa.select(sa.func.count()).select_from(ApprovalRequest)) == 1


def test_a_lowered_risk_applies_once_a_senior_officer_has_approved(system: Any, people: Any) -> None:
    made = create(system, PERSON)
    path = f"/internal/Clients/{made['id']}"
    answer = system.call("PUT", path, json={"firstName": "A", "lastName": "B", "riskLevel": 1})
    request_id = UUID(answer.get_json()["errors"][0]["metadata"]["requestId"])
    with transaction():
        approvals.decide(request_id, approve=True, reason=None, by=people.actor(Role.SENIOR_OFFICER))
    assert system.call("GET", path).get_json()["value"]["riskLevel"] == 1


def test_raising_a_risk_over_json_applies_at_once(system: Any) -> None:
    made = create(system, PERSON)
    answer = system.call(
        "PUT", f"/internal/Clients/{made['id']}", json={"firstName": "A", "lastName": "B", "riskLevel": 4}
    )
    assert answer.status_code == 200
    assert answer.get_json()["value"]["riskLevel"] == 4


def test_a_closed_client_reads_inactive_and_says_that_it_is_closed(system: Any) -> None:
    made = create(system, PERSON)
    with transaction() as current:
        current.execute(sa.update(Client).where(Client.id == UUID(made["id"])).values(status="closed"))
    session().expire_all()
    value = system.call("GET", f"/internal/Clients/{made['id']}").get_json()["value"]
    assert (value["status"], value["isClosed"]) == ("inactive", True)


def test_a_client_reads_itself_without_what_the_institution_thinks_of_it(
    app: Flask, system: Any, machine: Callable[..., Any]
) -> None:
    made = create(system, {**COMPANY, "riskLevel": 3})
    system.call(
        "PUT", f"/internal/Clients/{made['id']}/block",
        json={"reasonCode": "FRAUD", "comment": "secret-comment", "legalReference": "secret-order",
              "clientText": "Call us."},
    )  # fmt: skip
    own = machine(Audience.FRONTOFFICE, client_id=UUID(made["id"]))
    answer = own.call("GET", "/Client")
    assert answer.status_code == 200
    value = answer.get_json()["value"]
    assert set(value) == CLIENT_DTO | {"externalId", "clientTexts"}
    assert (value["riskLevel"], value["complianceEvaluation"], value["isDefaultCompliant"]) == (0, None, False)
    assert (value["id"], value["status"], value["clientTexts"]) == (made["id"], "blocked", ["Call us."])
    assert not re.search("secret|FRAUD", answer.get_data(as_text=True))


def test_the_documented_field_names_are_those_of_the_reference() -> None:
    """The set above is typed by hand; the model for the document must agree with it."""
    from dashboard.clients.dto import ClientDto

    names = {field.alias for field in ClientDto.model_fields.values()}
    assert names == CLIENT_DTO | OF_INDIVIDUALS | {"externalId", "isClosed", "processingRestricted"}
