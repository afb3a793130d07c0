"""What is no request at all, sent to every operation that takes a body."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from dashboard.access.permissions import Audience

MEGABYTE = 1024 * 1024
OPERATIONS = [
    (Audience.SYSTEM, "POST", "/internal/Clients"),
    (Audience.SYSTEM, "PUT", "/internal/Clients/{client}"),
    (Audience.SYSTEM, "PUT", "/internal/Clients/{client}/block"),
    (Audience.SYSTEM, "PUT", "/internal/Clients/{client}/unblock"),
    (Audience.INTEGRATION, "POST", "/integration/clients/individuals"),
    (Audience.INTEGRATION, "POST", "/integration/clients/companies"),
]


@pytest.fixture(params=OPERATIONS, ids=lambda operation: f"{operation[1]} {operation[2]}")
def send(request: pytest.FixtureRequest, machine: Callable[..., Any]) -> Callable[..., Any]:
    """`send(text)` calls the operation on a client that exists."""
    audience, method, path = request.param
    made = machine(Audience.SYSTEM).call("POST", "/internal/Clients", json={"type": "company", "legalName": "X"})
    caller = machine(audience)
    path = path.format(client=made.get_json()["value"]["id"])

    def call(data: bytes | str, content_type: str = "application/json") -> Any:
        return caller.call(method, path, data=data, content_type=content_type)

    return call


def code_of(answer: Any) -> str:
    body = answer.get_json()
    if "isFailed" in body:
        assert body["isFailed"] is True and body["isSuccess"] is False and body["value"] is None
        assert answer.mimetype == "application/json"
        return str(body["errors"][0]["metadata"]["code"])
    assert answer.mimetype == "application/problem+json"
    assert body["status"] == answer.status_code
    return str(body["code"])


NO_OBJECTS: tuple[bytes | str, ...] = (
    "{", '{"a": }', "{'a': 1}", '{"a": NaN}', '{"a": Infinity}', '{"a": 1,}', "nonsense", b"\xff\xfe", b"{\x00}",
    "[" * 100_000, '{"a":' * 100_000, '{"a": ' + "9" * 5000 + "}",
    "[]", "null", "7", '"{}"', "true", '[{"type": "company"}]',
)  # fmt: skip


def test_what_is_no_json_object_is_malformed(send: Callable[..., Any]) -> None:
    for text in NO_OBJECTS:
        answer = send(text)
        assert answer.status_code == 400, text[:12]
        assert code_of(answer) == "malformedBody", text[:12]


def test_a_body_of_ten_megabytes_is_too_large(send: Callable[..., Any]) -> None:
    answer = send(json.dumps({"type": "company", "legalName": "x" * (10 * MEGABYTE)}))
    assert answer.status_code == 413
    assert code_of(answer) == "tooLarge"


def test_another_media_type_is_not_supported(send: Callable[..., Any]) -> None:
    for content_type in ("text/plain", "application/xml", "application/x-www-form-urlencoded", ""):
        answer = send('{"type": "company"}', content_type)
        assert answer.status_code == 415, content_type
        assert code_of(answer) == "unsupportedMediaType", content_type


def test_a_form_with_files_is_not_supported(send: Callable[..., Any]) -> None:
    answer = send(
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b--\r\n', "multipart/form-data; boundary=b"
    )
    assert answer.status_code == 415


def test_unknown_fields_are_named(send: Callable[..., Any]) -> None:
    answer = send(json.dumps({"shoeSize": 43, "<script>": 1, "legal_name": "X"}))
    assert answer.status_code == 400
    text = answer.get_data(as_text=True)
    for name in ("shoeSize", "<script>", "legal_name"):
        assert json.dumps(name) in text


def test_a_field_name_that_is_half_a_letter_is_refused_like_any_other(send: Callable[..., Any]) -> None:
    assert send('{"\\ud800": 1, "comment": "\\udfff"}').status_code == 400


def test_a_hundred_thousand_unknown_fields_get_a_short_answer(send: Callable[..., Any]) -> None:
    answer = send(json.dumps({f"field{number}": 1 for number in range(100_000)}))
    assert answer.status_code == 400
    assert len(answer.get_data()) < 100_000


def test_no_failure_is_html_or_tells_where_in_the_code_it_was(send: Callable[..., Any]) -> None:
    for text in ("{", '{"x": 1}'):
        body = send(text).get_data(as_text=True)
        assert "<html" not in body.lower() and "Traceback" not in body and ".py" not in body


@pytest.mark.parametrize("identifier", ["1", "not-a-uuid", "00000000-0000-0000-0000-00000000000", "%00", "x" * 5000])
def test_an_invalid_identifier_in_the_path_is_not_found(machine: Callable[..., Any], identifier: str) -> None:
    caller = machine(Audience.SYSTEM)
    for method, path in (("GET", ""), ("PUT", ""), ("PUT", "/block"), ("PUT", "/unblock")):
        answer = caller.call(method, f"/internal/Clients/{identifier}{path}")
        assert answer.status_code == 404
        assert answer.mimetype == "application/problem+json"


def test_another_method_is_refused_with_those_that_are_allowed(machine: Callable[..., Any]) -> None:
    caller = machine(Audience.SYSTEM)
    for method, path, allowed in (
        ("DELETE", "/internal/Clients", {"GET", "HEAD", "OPTIONS", "POST"}),
        ("POST", f"/internal/Clients/{uuid4()}", {"GET", "HEAD", "OPTIONS", "PUT"}),
        ("GET", f"/internal/Clients/{uuid4()}/block", {"OPTIONS", "PUT"}),
        ("POST", "/Client", {"GET", "HEAD", "OPTIONS"}),
        ("GET", "/integration/clients/individuals", {"OPTIONS", "POST"}),
    ):
        answer = caller.call(method, path)
        assert answer.status_code == 405
        assert set(answer.headers["Allow"].split(", ")) == allowed
        assert answer.get_json()["code"] == "methodNotAllowed"


def test_a_path_that_does_not_exist_answers_a_machine_in_json(machine: Callable[..., Any]) -> None:
    for path in ("/internal/Nothing", "/integration", "/Client/x", "/internal/clients"):
        answer = machine(Audience.SYSTEM).call("GET", path)
        assert answer.status_code == 404
        assert answer.get_json()["code"] == "notFound"


def test_markup_in_a_name_is_stored_and_answered_as_it_was_sent(machine: Callable[..., Any]) -> None:
    name = '<script>alert(1)</script> & "O\'Neil" {{ 7*7 }}'
    answer = machine(Audience.SYSTEM).call("POST", "/internal/Clients", json={"type": "company", "legalName": name})
    assert answer.get_json()["value"]["legalName"] == name
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("number", ["1." + "0" * 200_000, "1" + "0" * 200_000, "0." + "1" * 5_000])
def test_a_number_of_endless_digits_is_refused_before_anybody_computes_with_it(
    machine: Callable[..., Any], number: str
) -> None:
    body = '{"type": "company", "legalName": "X", "riskLevel": ' + number + "}"
    answer = machine(Audience.SYSTEM).call("POST", "/internal/Clients", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert code_of(answer) == "malformedBody"
