"""The API document: valid, complete, with examples that work, and true."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import validate
from openapi_spec_validator.validation.exceptions import OpenAPIValidationError

from dashboard.access.guard import access_of
from dashboard.access.permissions import Audience

OPERATIONS = {
    ("GET", "/Client"): "Own profile of the client the token belongs to",
    ("POST", "/Client/deletion-notifications"): "Client asks for its profile to be deleted",
    ("POST", "/internal/Clients"): "Create a client",
    ("GET", "/internal/Clients"): "Find clients by filters",
    ("PUT", "/internal/Clients/{clientId}/block"): "Block a client",
    ("PUT", "/internal/Clients/{clientId}/unblock"): "Unblock a client",
    ("PUT", "/internal/Clients/{clientId}"): "Update a client",
    ("GET", "/internal/Clients/{clientId}"): "Client details",
    ("POST", "/internal/Clients/{clientId}/Documents/upload"): "Upload a client document (multipart)",
    ("GET", "/internal/Clients/{clientId}/Documents/{documentId}/download"): "Download a client document",
    ("GET", "/internal/Clients/{clientId}/Documents"): "List a client's documents",
    (
        "DELETE",
        "/internal/Clients/{clientId}/Documents/{documentId}",
    ): "Withdraw a client document (kept for the retention period)",
    ("POST", "/integration/clients/individuals"): "Import an individual client",
    ("POST", "/integration/clients/companies"): "Import a company client",
    ("POST", "/integration/sumsub-webhooks/update-state"): "Sumsub tells that an applicant's state changed",
    (
        "POST",
        "/integration/sumsub-webhooks/simulate",
    ): "Simulate a verification response (not in production)",
    ("POST", "/Accounts"): "Open an own account",
    ("POST", "/v2/internal/Accounts"): "Open a client or system account",
    ("GET", "/Accounts"): "Own accounts with balances",
    (
        "POST",
        "/v2/internal/Accounts/recalculate",
    ): "Rebuild stored balances from the transactions and report differences",
    ("PATCH", "/Accounts/{id}"): "Rename or hide an own account",
    ("POST", "/internal/Accounts/calculateBalances"): "Balances of the given accounts as of a moment",
    ("GET", "/Accounts/{id}"): "Own account by identifier",
    ("GET", "/v2/ledger/internal/Accounts/{accountId}"): "Account by identifier",
    ("DELETE", "/Accounts/{id}"): "Close an own account (zero balance only)",
    ("POST", "/v2/ledger/internal/Accounts/search"): "Find accounts by filters",
    ("POST", "/Accounts/send-otp"): "Send a one-time password for a protected account operation",
    ("GET", "/v2/ledger/internal/Accounts/getAggregatedAmounts"): (
        "Sums of balances grouped by currency and account type"
    ),
    ("POST", "/Accounts/otp-verification"): "Verify a one-time password",
    ("GET", "/Accounts/{accountNumber}"): "Own account by account number (IBAN)",
    ("PUT", "/Accounts/reorder-accounts"): "Set the display order of own accounts",
    ("GET", "/Transactions"): "Own transactions by filter",
    ("GET", "/internal/Transactions/{id}"): "Transaction by identifier",
    ("GET", "/internal/Transactions"): "Transactions by simple filters",
    ("POST", "/internal/Transactions/query"): "Transactions by a filter document",
    ("GET", "/internal/Transactions/report"): "Transactions as a file (CSV or XLSX)",
    ("GET", "/Documents/{fileName}"): "Download a document by its file name",
    ("GET", "/internal/Documents/{clientId}/{fileName}"): "Download a document by file name and client",
    ("POST", "/Transfers/foreign-exchange"): "Create an FX transfer between own accounts",
    ("GET", "/BaasProvider/available-currencies"): "Currencies the providers offer",
    ("POST", "/internal/BackgroundJob/AccountBalanceCheckJob"): "Start the balance check job",
    ("POST", "/internal/DailyAccountBalance"): "Snapshot the balances of a day",
    ("POST", "/internal/DailyAccountBalance/recalculate"): "Rebuild daily balances of a period",
    ("GET", "/internal/DailyCheck"): "Results of daily checks",
    ("POST", "/internal/DailyCheck"): "Run the daily checks of a day",
    ("GET", "/internal/DailyCheck/details"): "Findings behind a daily check",
    ("GET", "/internal/Reports/ReconciliationReport"): "Ledger against provider statements for a period",
    ("GET", "/internal/TreasuryManagement/summary"): "Treasury positions per currency and provider",
    ("POST", "/internal/Payments"): "Create a payment with a single transaction and move the money at once",
    ("POST", "/internal/Payments/draft"): "Create a payment in draft state; no money moves",
    ("POST", "/internal/Payments/{paymentId}/pend"): "Pend a payment; hold funds of withdrawals",
    ("POST", "/internal/Payments/{paymentId}/post"): "Post a payment; deposit what is held",
    ("POST", "/internal/Payments/{paymentId}/cancel"): "Cancel a payment; pay back what is held",
    ("GET", "/v2/ledger/internal/Accounts"): "List accounts",
    ("POST", "/v2/internal/Accounts/calculateBalances"): "Same as POST /internal/Accounts/calculateBalances",
    ("POST", "/v2/internal/Payments"): "Same as POST /internal/Payments, in the result envelope",
    ("POST", "/v2/internal/Payments/draft"): "Same as POST /internal/Payments/draft, in the result envelope",
    ("POST", "/v2/internal/Payments/{paymentId}/pend"): "Same as POST /internal/Payments/{id}/pend",
    ("POST", "/v2/internal/Payments/{paymentId}/post"): "Same as POST /internal/Payments/{id}/post",
    ("POST", "/v2/internal/Payments/{paymentId}/cancel"): "Same as POST /internal/Payments/{id}/cancel",
    ("GET", "/Recipients"): "Recipients by filters",
    ("GET", "/v2/Recipients"): "Recipients by filters (v2: cursor paging)",
    ("POST", "/Recipients"): "Add a recipient",
    ("GET", "/Recipients/{recipientId}"): "Recipient details",
    ("GET", "/v2/Recipients/{recipientId}"): "Recipient details (v2)",
    ("PUT", "/Recipients/{recipientId}/visibility"): "Show or hide a recipient",
    ("GET", "/Transfers"): "Own transfers by filters",
    ("GET", "/v2/Transfers"): "Own transfers by filters (v2: cursor paging)",
    ("GET", "/Transfers/{transferId}"): "Transfer details",
    ("GET", "/v2/Transfers/{transferId}"): "Transfer details (v2)",
    ("GET", "/Transfers/outgoing/{transferId}"): "Outgoing transfer details",
    ("GET", "/Transfers/incoming/{transferId}"): "Incoming transfer details",
    ("GET", "/Transfers/foreign-exchange/{transferId}"): "FX transfer details",
    ("GET", "/v2/Transfers/outgoing/{transferId}"): "Outgoing transfer details (v2)",
    ("GET", "/v2/Transfers/incoming/{transferId}"): "Incoming transfer details (v2)",
    ("GET", "/v2/Transfers/foreign-exchange/{transferId}"): "FX transfer details (v2)",
    ("POST", "/internal/Recipients"): "Add a recipient for a client",
    ("GET", "/internal/Transfers"): "Transfers of all kinds by filters",
    ("GET", "/internal/Transfers/outgoing/{transferId}"): "Outgoing transfer details",
    ("GET", "/internal/Transfers/incoming/{transferId}"): "Incoming transfer details",
    ("GET", "/internal/Transfers/foreign-exchange/{transferId}"): "FX transfer details",
    ("GET", "/internal/Transfers/outgoing"): "Outgoing transfers by filters",
    ("GET", "/internal/Transfers/incoming"): "Incoming transfers by filters",
    ("GET", "/internal/Transfers/foreign-exchange"): "FX transfers by filters",
    ("POST", "/internal/integration/Recipients"): "Add a system recipient",
    ("POST", "/Confirmations"): "Generate a new confirmation code for a transfer",
    ("POST", "/Transfers/outgoing"): "Create an outgoing transfer",
    ("PUT", "/Transfers/outgoing/{transferId}/confirm"): "Confirm an outgoing transfer with its code",
    ("PUT", "/Transfers/outgoing/{transferId}/cancel"): "Cancel an outgoing transfer",
    ("PUT", "/v2/Transfers/outgoing/{transferId}/confirm"): "Confirm an outgoing transfer (v2)",
    ("PUT", "/v2/Transfers/outgoing/{transferId}/cancel"): "Cancel an outgoing transfer (v2)",
    ("GET", "/Transfers/type"): "Transfer type for a recipient account and currency",
    ("GET", "/internal/IncomingRequests"): "Provider notifications of incoming money by filters",
    ("POST", "/internal/IncomingRequests"): "A provider tells of incoming money (for provider adapters)",
    ("POST", "/internal/IncomingRequests/{requestId}/process"): "Process a transfer manually",
    ("PUT", "/internal/Transfers/incoming/{transferId}/assign"): (
        "Assign an unrecognized incoming transfer to a client account"
    ),
    ("PUT", "/internal/Transfers/{transferId}/execute"): "Execute a transfer manually",
    ("PUT", "/internal/Transfers/outgoing/{transferId}/continue"): "Continue the processing of an outgoing transfer",
    ("POST", "/internal/integration/Transfers/outgoing"): (
        "Create an outgoing transfer for a client without confirmation code"
    ),
    ("POST", "/internal/integration/Transfers/outgoing/payment-request"): (
        "Create a payment request for an outgoing transfer"
    ),
}
#: what the documents do not show; their own descriptions say so
ADDITIONS = {
    ("GET", "/internal/References"),
    ("POST", "/internal/References"),
    ("POST", "/internal/References/{referenceId}/revoke"),
    ("GET", "/Documents"),
    ("POST", "/Documents"),
    ("POST", "/Transfers/foreign-exchange/quotes"),
    ("POST", "/internal/Payments/batch"),
    ("PUT", "/internal/Transfers/outgoing/{transferId}/cancel"),
    ("POST", "/internal/Payments/{paymentId}/reverse"),
    ("GET", "/internal/Payments/{paymentId}"),
    ("GET", "/internal/BackgroundJob/{jobId}"),
}
#: examples of these name accounts, payments and transfers that are not here
OF_OTHERS = (
    "ncomingRequest",
    "DailyCheck",
    "ccount",
    "ayment",
    "ransfer",
    "ocument",
    "ecipient",
    "eference",
    "onfirmation",
)
#: signed by whom they come from, for nobody with a token
SIGNED = {("POST", "/integration/sumsub-webhooks/update-state")}
ENVELOPED = {
    key
    for key in OPERATIONS
    if (
        key[1].startswith(("/Client", "/internal/Clients"))
        and key != ("GET", "/internal/Clients")
        and "/Documents" not in key[1]
    )
    or key[1].startswith(("/v2/internal/Payments", "/v2/Transfers/", "/v2/Recipients/"))
    or key[1] == "/internal/Payments/{paymentId}/pend"
}


@pytest.fixture
def document(http: FlaskClient) -> dict[str, Any]:
    answer = http.get("/openapi/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.get_json()
    return found


def operations(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method.upper(), path): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


def audience_of(path: str) -> Audience:
    if path.startswith(("/v2/Transfers", "/v2/Recipients")):
        return Audience.FRONTOFFICE
    if path.startswith(("/internal", "/v2")):
        return Audience.SYSTEM
    return Audience.INTEGRATION if path.startswith("/integration") else Audience.FRONTOFFICE


def each_answer_once(document: dict[str, Any]) -> dict[str, Any]:
    """The document, where an answer that is word for word that of an operation before is left out: all of them fail in
    the same five ways, and to hear five hundred times that these are valid takes long."""
    shorter, seen = copy.deepcopy(document), set()
    for operation in operations(shorter).values():
        for status, answer in list(operation["responses"].items()):
            said = json.dumps(answer, sort_keys=True)
            if status != "200" and said in seen:
                del operation["responses"][status]
            seen.add(said)
    return shorter


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    shorter = each_answer_once(document)
    validate(shorter)
    # what is left out is looked at where it stands first: a wrong one is found
    response = next(iter(operations(shorter).values()))["responses"]["403"]
    response["content"] = "text/plain"
    with pytest.raises(OpenAPIValidationError):
        validate(shorter)


def test_the_documented_operations_are_there_under_their_titles(document: dict[str, Any]) -> None:
    found = {key: operation["summary"] for key, operation in operations(document).items()}
    assert {key: found.get(key) for key in OPERATIONS} == OPERATIONS


def test_every_operation_has_an_id_a_tag_and_a_token(document: dict[str, Any]) -> None:
    found = operations(document)
    assert len({operation["operationId"] for operation in found.values()}) == len(found)
    for key, operation in found.items():
        assert operation["tags"] and operation["tags"] != ["default"]
        assert operation.get("security", []) == ([] if key in SIGNED else [{"token": []}])
    assert document["components"]["securitySchemes"]["token"] == {"type": "http", "scheme": "bearer"}


def test_every_machines_address_is_in_the_document(app: Flask, document: dict[str, Any]) -> None:
    served = set()
    for rule in app.url_map.iter_rules():
        access = access_of(app, rule.endpoint)
        if access is not None and access.audience is not None:
            path = re.sub(r"<(?:[^<:]+:)?([^>]+)>", r"{\1}", rule.rule)
            served |= {(method, path) for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
    assert served | SIGNED == set(operations(document))


def test_failures_are_documented_in_the_form_in_which_they_come(document: dict[str, Any]) -> None:
    assert {"Problem", "FailedEnvelope"} <= set(document["components"]["schemas"])
    for key, operation in operations(document).items():
        assert {"200", "400", "401", "403", "405", "500"} <= set(operation["responses"])
        in_envelope = key in ENVELOPED or key[1].startswith(("/v2/Transfers/", "/v2/Recipients/"))
        form = "application/json" if in_envelope else "application/problem+json"
        for status in ("400", "401", "403", "500"):
            assert form in operation["responses"][status]["content"], (key, status)
    assert "409" in operations(document)["POST", "/integration/clients/individuals"]["responses"]


def test_every_documented_example_works(document: dict[str, Any], machine: Callable[..., Any]) -> None:
    system = machine(Audience.SYSTEM)
    sent = 0
    for (method, path), operation in operations(document).items():
        content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
        for name, example in content.get("examples", {}).items():
            body = example["value"]
            own = {"type": "company", "legalName": "Before"}
            if body.get("type") == "individual":
                own = {"type": "individual", "firstName": "Before", "lastName": "Before"}
            made = system.call("POST", "/internal/Clients", json=own).get_json()["value"]["id"]
            audience = audience_of(path)
            caller = machine(audience, **({"client_id": UUID(made)} if audience is Audience.FRONTOFFICE else {}))
            text = caller.client.application.json.dumps(body)
            known = dict.fromkeys(
                (
                    "clientId",
                    "paymentId",
                    "accountId",
                    "id",
                    "jobId",
                    "transferId",
                    "recipientId",
                    "referenceId",
                    "requestId",
                    "documentId",
                ),
                made,
            )
            answer = caller.call(method, path.format(**known), data=text, content_type="application/json")
            # an example names accounts and payments that are not here; read and understood it is all the same
            right = {200, 202, 404, 422} if any(w in path for w in OF_OTHERS) else {200}
            right |= {400} if path == "/Accounts/reorder-accounts" else set()
            assert answer.status_code in right, (path, name, answer.get_data(as_text=True))
            sent += 1
    assert sent >= 30, "operations with a body have examples"


def test_operations_that_create_or_move_take_an_idempotency_key(app: Flask, document: dict[str, Any]) -> None:
    reading = {
        "/internal/Accounts/calculateBalances", "/v2/internal/Accounts/calculateBalances",
        "/v2/ledger/internal/Accounts/search", "/internal/Transactions/query",
        # the day itself is the key; ending it takes transactions of its own
        "/internal/DailyAccountBalance", "/internal/DailyAccountBalance/recalculate",
    }  # fmt: skip
    for (method, path), operation in operations(document).items():
        takes = "Idempotency-Key" in {parameter["name"] for parameter in operation.get("parameters", [])}
        assert takes == (method != "GET" and path not in reading and (method, path) not in SIGNED), (method, path)


def test_each_operation_with_a_body_has_an_example(document: dict[str, Any]) -> None:
    for key, operation in operations(document).items():
        content = operation.get("requestBody", {}).get("content", {})
        # a file is no text that an example could show
        if content and "multipart/form-data" not in content:
            assert content["application/json"]["examples"], key


def test_the_page_of_the_document_has_no_inline_script_or_style_and_no_foreign_host(http: FlaskClient) -> None:
    for path in ("/openapi/", "/openapi/swagger"):
        answer = http.get(path)
        assert answer.status_code == 200
        page = answer.get_data(as_text=True)
        assert not re.search(r"<style|style=|<script(?![^>]*\bsrc=)|\bon[a-z]+=|https?://", page)
        files = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert len(files) >= 4
        for file in files:
            assert http.get(file).status_code == 200, file
    assert "validatorUrl: null" in http.get("/static/js/api_docs.js").get_data(as_text=True)
    assert http.get("/openapi/oauth2-redirect.html").status_code == 404


def try_generated(operation: Any, mode: Any, client_id: str, secret: str) -> set[int]:
    """Send a few generated requests and check each answer against the document; gives the statuses."""
    from hypothesis import HealthCheck, Phase, given, settings
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    checks = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
    statuses = set()

    @settings(
        max_examples=3,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: Any) -> None:
        if "clientId" in case.path_parameters:
            case.path_parameters["clientId"] = client_id
        if case.headers:
            # a key that comes back belongs to another body
            case.headers.pop("Idempotency-Key", None)
        answer = case.call(headers={"Authorization": f"Bearer {secret}"})
        statuses.add(answer.status_code)
        case.validate_response(answer, checks=checks)

    run()
    return statuses


def test_whatever_is_sent_each_operation_answers_as_documented(app: Flask, machine: Callable[..., Any]) -> None:
    """Generated requests, good and bad: never a 5xx, never an undocumented status, form or field."""
    import schemathesis
    from hypothesis.errors import Unsatisfiable

    schema = schemathesis.openapi.from_wsgi("/openapi/openapi.json", app)
    system = machine(Audience.SYSTEM)
    body = {"type": "company", "legalName": "X"}
    made = system.call("POST", "/internal/Clients", json=body).get_json()["value"]["id"]
    secrets = {
        Audience.SYSTEM: system.secret,
        Audience.INTEGRATION: machine(Audience.INTEGRATION).secret,
        Audience.FRONTOFFICE: machine(Audience.FRONTOFFICE, client_id=UUID(made)).secret,
    }
    seen: dict[tuple[str, str], set[int]] = {}
    for result in schema.get_all_operations():
        operation = result.ok()
        found = seen.setdefault((operation.method.upper(), operation.path), set())
        secret = secrets[audience_of(operation.path)]
        found |= try_generated(operation, schemathesis.GenerationMode.POSITIVE, made, secret)
        try:
            found |= try_generated(operation, schemathesis.GenerationMode.NEGATIVE, made, secret)
        except Unsatisfiable:
            # nothing can be wrong about a request that has neither a parameter nor a body
            assert operation.path in {"/Client", "/BaasProvider/available-currencies"} | {path for _, path in SIGNED}
    assert set(seen) == set(OPERATIONS) | ADDITIONS
    assert {200, 400} <= set().union(*seen.values())
