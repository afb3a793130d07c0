"""ON-01: individuals from a partner's onboarding system."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.access import tokens
from dashboard.access.permissions import DEFAULT_SCOPES, Audience
from dashboard.clients.models import Client, ClientFlag, Individual
from dashboard.database import session, transaction
from dashboard.queues.models import QueueItem

PATH = "/integration/clients/individuals"

#: the example of the reference, as it stands
EXAMPLE: dict[str, Any] = {
    "externalId": "string",
    "riskLevel": "low",
    "address": {
        "streetLine1": "string", "streetLine2": "string", "city": "string", "state": "string", "zip": "string",
        "country": "st",
    },
    "phoneNumber": "string",
    "email": "user@example.com",
    "firstName": "string",
    "lastName": "string",
    "citizenshipCountry": "st",
    "identificationDocument": {
        "issuedBy": "string", "expirationDate": "2019-08-24", "type": "passport", "number": "string",
        "issuedCountryCode": "st", "issuedDate": "2019-08-24",
    },
    "residenceCountry": "st",
    "dateOfBirth": "2019-08-24",
}  # fmt: skip


@pytest.fixture
def partner(machine: Callable[..., Any]) -> Any:
    return machine(Audience.INTEGRATION)


def changed(path: str, value: Any) -> dict[str, Any]:
    body = copy.deepcopy(EXAMPLE)
    *parents, last = path.split(".")
    inner = body
    for name in parents:
        inner = inner[name]
    inner[last] = value
    return body


def without(path: str) -> dict[str, Any]:
    body = changed(path, None)
    *parents, last = path.split(".")
    inner = body
    for name in parents:
        inner = inner[name]
    del inner[last]
    return body


def test_the_references_own_example_is_accepted_and_its_doubts_become_flags(partner: Any) -> None:
    answer = partner.call("POST", PATH, json=EXAMPLE)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    body = answer.get_json()
    assert set(body) == {"clientId", "externalId"} and body["externalId"] == "string"
    client = session().get(Client, UUID(body["clientId"]))
    assert client is not None and client.status == "inactive" and client.risk_level == 1
    # ST is São Tomé and Príncipe: a country, in upper case
    assert client.country == "ST"
    flags = {
        (flag.code, flag.severity)
        for flag in session().scalars(sa.select(ClientFlag).where(ClientFlag.client_id == client.id))
    }
    assert flags == {("underAge", 3), ("documentExpired", 2), ("phoneUnusable", 1)}
    assert (client.open_flags, client.worst_flag) == (2, 3), "info does not count"
    item = session().scalar(sa.select(QueueItem).where(QueueItem.object_id == client.id))
    assert item is not None and item.queue == "client-review"


def test_a_phone_that_is_none_enters_no_review_queue(partner: Any) -> None:
    body = changed("dateOfBirth", "1990-01-01")
    body["identificationDocument"]["expirationDate"] = "2099-01-01"
    client_id = UUID(partner.call("POST", PATH, json=body).get_json()["clientId"])
    queues = session().scalars(sa.select(QueueItem.queue).where(QueueItem.object_id == client_id)).all()
    assert queues == ["activation"]


@pytest.mark.parametrize(
    ("path", "value", "flag"),
    [
        ("riskLevel", "prohibited", "riskProhibited"),
        ("residenceCountry", "zz", "unknownCountry"),
        ("dateOfBirth", "2999-01-01", "bornInFuture"),
    ],
)
def test_doubts_are_accepted_and_flagged(partner: Any, path: str, value: str, flag: str) -> None:
    client_id = UUID(partner.call("POST", PATH, json=changed(path, value)).get_json()["clientId"])
    assert flag in session().scalars(sa.select(ClientFlag.code).where(ClientFlag.client_id == client_id)).all()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("externalId", "x" * 100),
        ("externalId", "ид–№1\n"),
        ("address.streetLine1", "A-1./,()# " * 25),
        ("address.streetLine2", None),
        ("address.streetLine2", "x" * 5000),
        ("address.state", None),
        ("address.state", ""),
        ("address.zip", " "),
        ("address.country", "Lt"),
        ("phoneNumber", "12345"),
        ("phoneNumber", "x" * 17),
        ("email", "a@b.c"),
        ("email", '"a b"@c.de'),
        ("email", "user+tag@sub.example.co"),
        ("email", "user@localhost"),
        ("email", "x" * 55 + "@abc.de"),
        ("firstName", "Mary-Jane O'Neil Jr."),
        ("lastName", "."),
        ("firstName", "x" * 255),
        ("riskLevel", "high"),
        ("identificationDocument.type", "driverLicense"),
        ("identificationDocument.type", "driverLicence"),
        ("identificationDocument.number", "x" * 30),
        ("identificationDocument.issuedBy", "Пашпартны стол"),
        ("identificationDocument.issuedCountryCode", "éé"),
        ("dateOfBirth", "0001-01-01"),
        ("dateOfBirth", "9999-12-31"),
    ],
)
def test_what_the_documented_schema_accepts_is_accepted(partner: Any, path: str, value: Any) -> None:
    answer = partner.call("POST", PATH, json=changed(path, value))
    assert answer.status_code == 200, answer.get_data(as_text=True)


@pytest.mark.parametrize("path", ["address.streetLine2", "address.state"])
def test_optional_fields_may_be_left_out(partner: Any, path: str) -> None:
    assert partner.call("POST", PATH, json=without(path)).status_code == 200


@pytest.mark.parametrize(
    ("path", "value", "rule"),
    [
        ("externalId", "", "tooShort"),
        ("externalId", "x" * 101, "tooLong"),
        ("externalId", 7, "value"),
        ("externalId", "a\0b", "value"),
        ("riskLevel", "none", "enum"),
        ("riskLevel", 1, "enum"),
        ("address", None, "type"),
        ("address", [], "type"),
        ("address.streetLine1", "Straße 1", "pattern"),
        ("address.streetLine1", "A\n", "pattern"),
        ("address.streetLine1", "x" * 256, "tooLong"),
        ("address.streetLine1", None, "type"),
        ("address.city", "Kraków", "pattern"),
        ("address.city", "Vilnius\n", "pattern"),
        ("address.zip", "", "tooShort"),
        ("address.state", "x" * 256, "tooLong"),
        ("address.country", "LTU", "tooLong"),
        ("address.country", "L", "tooShort"),
        ("phoneNumber", "1234", "tooShort"),
        ("phoneNumber", "1" * 18, "tooLong"),
        ("email", "a@b", "tooShort"),
        ("email", "nobody", "value"),
        ("email", "a b@c.de", "value"),
        ("email", "x" * 60 + "@a.de", "tooLong"),
        ("firstName", "Łucja", "pattern"),
        ("firstName", "Anna\n", "pattern"),
        ("firstName", "", "tooShort"),
        ("lastName", "x" * 256, "tooLong"),
        ("lastName", "R2D2", "pattern"),
        ("citizenshipCountry", "x", "tooShort"),
        ("residenceCountry", None, "type"),
        ("dateOfBirth", "", "value"),
        ("dateOfBirth", "2019-8-24", "value"),
        ("dateOfBirth", "2019-08-24T00:00:00Z", "value"),
        ("dateOfBirth", "2019-02-29", "date"),
        ("dateOfBirth", 20190824, "value"),
        ("identificationDocument.type", "visa", "enum"),
        ("identificationDocument.number", "x" * 31, "tooLong"),
        ("identificationDocument.issuedBy", "x" * 101, "tooLong"),
        ("identificationDocument.issuedDate", None, "date"),
        ("nickname", "Jo", "unknown"),
        ("address.planet", "Mars", "unknown"),
        ("identificationDocument.colour", "red", "unknown"),
        ("external_id", "x", "unknown"),
    ],
)
def test_what_it_does_not_accept_is_refused_by_field_and_rule(partner: Any, path: str, value: Any, rule: str) -> None:
    answer = partner.call("POST", PATH, json=changed(path, value))
    assert answer.status_code == 400, answer.get_data(as_text=True)
    assert answer.mimetype == "application/problem+json"
    problem = answer.get_json()
    assert [(error["field"], error["rule"]) for error in problem["errors"]] == [(path, rule)]
    assert problem["code"] == "invalid" and problem["status"] == 400
    assert session().scalar(sa.select(sa.func.count()).select_from(Client)) == 0


@pytest.mark.parametrize("path", [*EXAMPLE, "address.streetLine1", "address.zip", "identificationDocument.number"])
def test_a_required_field_that_is_missing_is_named(partner: Any, path: str) -> None:
    problem = partner.call("POST", PATH, json=without(path)).get_json()
    assert [(error["field"], error["rule"]) for error in problem["errors"]] == [(path, "required")]


def test_countries_are_stored_in_upper_case(partner: Any) -> None:
    body = {**EXAMPLE, "residenceCountry": "lT", "citizenshipCountry": "pl"}
    client_id = UUID(partner.call("POST", PATH, json=body).get_json()["clientId"])
    stored = session().get(Individual, client_id)
    assert stored is not None and stored.address is not None
    assert (stored.residence_country, stored.citizenship_country) == ("LT", "PL")
    assert (stored.document_issued_country, stored.address["country"]) == ("ST", "ST")


def test_the_same_external_id_again_is_a_conflict_whatever_the_body(partner: Any) -> None:
    first = partner.call("POST", PATH, json=EXAMPLE)
    assert first.status_code == 200
    for body in (EXAMPLE, {**EXAMPLE, "firstName": "Another", "riskLevel": "high"}):
        again = partner.call("POST", PATH, json=body)
        assert again.status_code == 409
        assert again.mimetype == "application/problem+json"
        assert again.get_json()["code"] == "externalIdTaken"
    assert session().scalar(sa.select(sa.func.count()).select_from(Client)) == 1


def test_external_ids_differ_by_case_and_belong_to_their_partner(partner: Any, machine: Callable[..., Any]) -> None:
    other = machine(Audience.INTEGRATION, partner="other")
    assert partner.call("POST", PATH, json=EXAMPLE).status_code == 200
    assert partner.call("POST", PATH, json={**EXAMPLE, "externalId": "String"}).status_code == 200
    assert other.call("POST", PATH, json=EXAMPLE).status_code == 200


def test_an_imported_client_is_found_by_its_external_id(partner: Any, machine: Callable[..., Any]) -> None:
    made = partner.call("POST", PATH, json={**EXAMPLE, "externalId": "ACME/77-x"}).get_json()["clientId"]
    partner.call("POST", PATH, json={**EXAMPLE, "externalId": "ACME/78-x"})
    found = machine(Audience.SYSTEM).call("GET", "/internal/Clients?text=acme/77-x").get_json()["items"]
    assert [(item["id"], item["externalId"]) for item in found] == [(made, "ACME/77-x")]


def test_eight_at_the_same_moment_store_one_client(committed: Flask) -> None:
    with transaction():
        _token, secret = tokens.create(
            audience=Audience.INTEGRATION, scopes=DEFAULT_SCOPES[Audience.INTEGRATION], name="race"
        )
    gate = threading.Barrier(8)
    answers: list[int] = []

    def send(number: int) -> None:
        gate.wait()
        answer = committed.test_client().post(
            PATH,
            json={**EXAMPLE, "externalId": "race", "phoneNumber": f"+3706123456{number}"},
            headers={"Authorization": f"Bearer {secret}"},
        )
        answers.append(answer.status_code)

    threads = [threading.Thread(target=send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [200] + [409] * 7
    assert session().scalar(sa.select(sa.func.count()).select_from(Client)) == 1
    assert session().scalar(sa.select(sa.func.count()).select_from(Individual)) == 1


_any_text = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
_line = st.text("ABCxyz019./,()-# ", min_size=1, max_size=255)
_name = st.text("ABCxyz-.' ", min_size=1, max_size=255)
_country = st.text(_any_text, min_size=2, max_size=2)
_day = st.dates().map(str)
_text255 = st.text(_any_text, min_size=1, max_size=255)
_body = st.fixed_dictionaries(
    {
        "externalId": st.text(_any_text, min_size=1, max_size=100),
        "riskLevel": st.sampled_from(["low", "medium", "high", "prohibited"]),
        "address": st.fixed_dictionaries(
            {"streetLine1": _line, "city": _line, "zip": _text255, "country": _country},
            optional={
                "streetLine2": st.none() | st.text(_any_text),
                "state": st.none() | st.text(_any_text, max_size=255),
            },
        ),
        "phoneNumber": st.text(_any_text, min_size=5, max_size=17),
        "email": st.emails().filter(lambda text: 5 <= len(text) <= 64),
        "firstName": _name,
        "lastName": _name,
        "citizenshipCountry": _country,
        "identificationDocument": st.fixed_dictionaries(
            {
                "issuedBy": st.text(_any_text, min_size=1, max_size=100),
                "expirationDate": _day,
                "type": st.sampled_from(["passport", "driverLicense", "idCard", "other"]),
                "number": st.text(_any_text, min_size=1, max_size=30),
                "issuedCountryCode": _country,
                "issuedDate": _day,
            }
        ),
        "residenceCountry": _country,
        "dateOfBirth": _day,
    }
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=_body)
def test_any_body_of_the_documented_schema_is_imported_and_can_be_read(
    partner: Any, machine: Callable[..., Any], body: dict[str, Any]
) -> None:
    answer = partner.call("POST", PATH, json=body)
    assert answer.status_code in {200, 409}, answer.get_data(as_text=True)
    if answer.status_code == 200:
        assert answer.get_json()["externalId"] == body["externalId"]
        reader = machine(Audience.SYSTEM)
        value = reader.call("GET", f"/internal/Clients/{answer.get_json()['clientId']}").get_json()["value"]
        assert (value["firstName"], value["phoneNumber"], value["externalId"]) == (
            body["firstName"], body["phoneNumber"], body["externalId"],
        )  # fmt: skip
        session().expunge_all()
