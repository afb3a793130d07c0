"""Tokens at the door: who is let in, and what those who are not are told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from dashboard import clock
from dashboard.access import tokens
from dashboard.access.models import ApiToken
from dashboard.access.permissions import Audience, Role
from dashboard.database import session, transaction
from dashboard.onboarding.schemas import _REFERENCE

LIST = "/internal/Clients"
IMPORT = "/integration/clients/individuals"


@pytest.fixture
def system(machine: Callable[..., Any]) -> Any:
    return machine(Audience.SYSTEM)


@pytest.fixture
def client_id(system: Any) -> UUID:
    body = {"type": "individual", "firstName": "Anna", "lastName": "Ozola"}
    return UUID(system.call("POST", LIST, json=body).get_json()["value"]["id"])


def expire(token_id: UUID) -> None:
    with transaction() as current:
        current.execute(
            sa.update(ApiToken)
            .where(ApiToken.id == token_id)
            .values(created_at=clock.now() - timedelta(days=2), expires_at=clock.now() - timedelta(seconds=1))
        )
    session().expire_all()


def test_every_bad_token_reads_the_same(http: FlaskClient, machine: Callable[..., Any]) -> None:
    expired, revoked = machine(Audience.SYSTEM), machine(Audience.SYSTEM)
    assert expired.call("GET", LIST).status_code == revoked.call("GET", LIST).status_code == 200
    expire(expired.token_id)
    with transaction():
        tokens.revoke(revoked.token_id)
    headers = [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer unknown"},
        {"Authorization": "Bearer " + "x" * 5000},
        {"Authorization": f"Basic {expired.secret}"},
        {"Authorization": f"Bearer {expired.secret}"},
        {"Authorization": f"Bearer {revoked.secret}"},
        {"Authorization": f"Bearer {revoked.secret[:-1]}"},
    ]
    for path in (LIST, f"{LIST}/{uuid4()}"):
        answers = [http.get(path, headers={**given, "X-Request-Id": "same-request"}) for given in headers]
        assert {answer.status_code for answer in answers} == {401}
        assert len({answer.get_data() for answer in answers}) == 1
        assert {answer.headers["WWW-Authenticate"] for answer in answers} == {"Bearer"}


def test_who_has_no_token_learns_nothing_about_the_body(http: FlaskClient) -> None:
    for data in (b"{", b"[]", b"x" * (10 * 1024 * 1024)):
        answer = http.post(LIST, data=data, content_type="application/json")
        assert answer.status_code == 401


def test_the_cookie_of_a_signed_in_officer_opens_no_operation(signed_in: Callable[..., FlaskClient]) -> None:
    assert signed_in(Role.OFFICER).get(LIST).status_code == 401


def test_a_token_of_another_audience_is_refused(system: Any, machine: Callable[..., Any], client_id: UUID) -> None:
    integration = machine(Audience.INTEGRATION, scopes=["all"])
    own = machine(Audience.FRONTOFFICE, client_id=client_id)
    everything = machine(Audience.SYSTEM, scopes=["all"])
    for caller, method, path in (
        (integration, "GET", LIST),
        (integration, "GET", "/Client"),
        (own, "GET", LIST),
        (own, "GET", f"{LIST}/{client_id}"),
        (own, "PUT", f"{LIST}/{client_id}/unblock"),
        (own, "POST", IMPORT),
        (everything, "POST", IMPORT),
        (everything, "GET", "/Client"),
    ):
        answer = caller.call(method, path)
        assert answer.status_code == 403, path
        assert "forbidden" in answer.get_data(as_text=True)


def test_a_token_without_the_scope_is_refused_by_name(machine: Callable[..., Any], client_id: UUID) -> None:
    reader = machine(Audience.SYSTEM, scopes=["clients:read"])
    assert reader.call("GET", LIST).status_code == 200
    for method, path, scope in (
        ("POST", LIST, "clients:write"),
        ("PUT", f"{LIST}/{client_id}", "clients:write"),
        ("PUT", f"{LIST}/{client_id}/block", "clients:block"),
        ("PUT", f"{LIST}/{client_id}/unblock", "clients:block"),
    ):
        answer = reader.call(method, path, json={})
        assert answer.status_code == 403
        metadata = answer.get_json()["errors"][0]["metadata"]
        assert metadata == {"code": "forbidden", "permission": scope}


def test_a_client_never_reads_another_one(system: Any, machine: Callable[..., Any], client_id: UUID) -> None:
    other = system.call("POST", LIST, json={"type": "company", "legalName": "Other"}).get_json()["value"]["id"]
    own = machine(Audience.FRONTOFFICE, client_id=client_id)
    for path in ("/Client", f"/Client?clientId={other}", f"/Client?id={other}"):
        assert own.call("GET", path).get_json()["value"]["id"] == str(client_id)
    assert own.call("GET", f"/Client/{other}").status_code == 404
    assert own.call("GET", f"{LIST}/{other}").status_code == 403


def test_only_a_hash_of_the_secret_is_stored_and_its_last_use_is_kept(system: Any) -> None:
    stored = session().get(ApiToken, system.token_id)
    assert stored is not None and stored.last_used_at is None
    assert system.secret not in {str(value) for value in vars(stored).values()}
    system.call("GET", LIST)
    session().refresh(stored)
    assert stored.last_used_at is not None


def test_a_refused_import_stores_nothing(machine: Callable[..., Any]) -> None:
    revoked = machine(Audience.INTEGRATION)
    with transaction():
        tokens.revoke(revoked.token_id)
    assert revoked.call("POST", IMPORT, json=_REFERENCE).status_code == 401
    assert machine(Audience.SYSTEM).call("GET", LIST).get_json()["items"] == []
