"""Tokens on pages: whose they are, what they may, the secret that is shown once, and two people for powerful ones."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from markupsafe import escape

from dashboard import clock
from dashboard.access import tokens
from dashboard.access.models import ApiToken
from dashboard.access.permissions import ALL_SCOPES, ALONE, DEFAULT_SCOPES, Audience, Permission, Role
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit.models import AuditEvent
from dashboard.clients import services as clients
from dashboard.clients.profile import IndividualProfile
from dashboard.database import new_id, session, transaction
from dashboard.people import words
from tests.conftest import Machine, People

SignIn = Callable[..., FlaskClient]
NEW = "/staff/tokens/new"
PLAIN = {"name": "partner", "scopes": ["clients:import"], "days": "30", "partner": "partner-one"}
IMPORTING = f"{NEW}?audience=integration"
STRONG = {"name": "unblocker", "scopes": ["clients:read", "clients:unblock"], "days": "30", "reason": "night shift"}


def newest() -> ApiToken:
    found = session().scalars(
        sa.select(ApiToken).order_by(ApiToken.id.desc()).execution_options(populate_existing=True)
    )
    first = found.first()
    assert first is not None
    return first


def count() -> int:
    return session().scalar(sa.select(sa.func.count()).select_from(ApiToken)) or 0


def secret_in(page: str) -> str:
    return re.findall(r"<code class=\"mono\">(ch_[\w-]+)</code>", page)[0]


def status(app: Flask, secret: str, path: str = "/internal/Clients") -> int:
    return app.test_client().get(path, headers={"Authorization": f"Bearer {secret}"}).status_code


def test_a_token_is_made_by_its_owner_and_its_secret_is_shown_once(
    app: Flask, signed_in: SignIn, people: People, capsys: pytest.CaptureFixture[str]
) -> None:
    admin, other = signed_in(Role.ADMIN), signed_in(Role.ADMIN, "Other Admin")
    form = admin.get(NEW).text
    for scope in ALL_SCOPES[Audience.SYSTEM]:
        assert str(escape(words.scope(scope)[1])) in form
        ticked = re.search(rf'value="{scope.value}"( checked)?>', form)
        assert ticked is not None and bool(ticked[1]) == (scope in DEFAULT_SCOPES[Audience.SYSTEM])
    assert (
        form.count("Two people</span>") == len(ALL_SCOPES[Audience.SYSTEM]) and not ALONE & ALL_SCOPES[Audience.SYSTEM]
    )
    assert "Two people</span>" not in admin.get(IMPORTING).text
    # what is not in the form is not taken
    forged = {"owner_id": str(people.member(Role.ADMIN, "Other Admin").id), "origin": "operator",
              "id": str(UUID(int=7)), "approval_id": str(UUID(int=7)), "expires_at": "2999-01-01"}  # fmt: skip
    answer = admin.post(IMPORTING, data=PLAIN | forged)
    made = newest()
    assert answer.location == f"/staff/tokens/{made.id}"
    assert (made.owner_id, made.origin, made.scopes) == (people.member(Role.ADMIN).id, "staff", ["clients:import"])
    assert made.expires_at - made.created_at == timedelta(days=30) and made.id != UUID(int=7)
    page = admin.get(f"/staff/tokens/{made.id}").text
    assert "Nobody can use it yet" in page and "Show the secret" in page and "Import clients" in page
    # another administrator revokes, but never sees the secret
    assert "Show the secret" not in other.get(f"/staff/tokens/{made.id}").text
    assert other.post(f"/staff/tokens/{made.id}/secret").status_code == 403
    shown = admin.post(f"/staff/tokens/{made.id}/secret")
    secret = secret_in(shown.text)
    assert (shown.status_code, shown.headers["Cache-Control"]) == (200, "no-store")
    # known, and of another audience
    assert status(app, secret) == 403
    assert admin.post(f"/staff/tokens/{made.id}/secret").status_code == 303
    listed = admin.get("/staff/tokens").text + admin.get(f"/staff/tokens/{made.id}").text
    assert secret not in listed and secret[:16] in listed
    rows = session().execute(sa.text("SELECT t::text FROM api_token t UNION ALL SELECT p::text FROM audit_payload p"))
    assert not any(secret in row for row in rows.scalars())
    events = session().scalars(
        sa.select(AuditEvent.action).where(AuditEvent.object_id == made.id).order_by(AuditEvent.id)
    )
    assert events.all() == ["token.created", "token.secret_shown"]
    assert secret not in capsys.readouterr().err


def test_a_powerful_token_stands_once_a_second_person_has_approved_it(
    app: Flask, signed_in: SignIn, people: People
) -> None:
    admin, senior = signed_in(Role.ADMIN), signed_in(Role.SENIOR_OFFICER)
    unexplained = admin.post(NEW, data=STRONG | {"reason": " "})
    assert unexplained.status_code == 422 and "a second person decides about this token" in unexplained.text
    assert admin.post(NEW, data=STRONG).location == "/staff/tokens"
    request = session().scalars(sa.select(ApprovalRequest)).one()
    assert count() == 0 and request.kind == "tokens.create"
    assert "Make the token unblocker" in admin.get("/staff/tokens").text
    assert admin.post(f"/approvals/{request.id}/approve").status_code == 403
    assert admin.post(f"/staff/tokens/{request.object_id}/secret").status_code == 404
    page = senior.get(f"/approvals/{request.id}/approve").text
    assert "Powerful scope" in page and "Lifts blocks that it placed itself" in page
    assert senior.post(f"/approvals/{request.id}/approve").location == f"/staff/tokens/{request.object_id}"
    made = newest()
    assert (made.id, made.approval_id, made.owner_id) == (request.object_id, request.id, people.member(Role.ADMIN).id)
    assert made.scopes == ["clients:read", "clients:unblock"]
    # who approved does not see the secret
    assert senior.post(f"/staff/tokens/{made.id}/secret").status_code == 403
    assert status(app, secret_in(admin.post(f"/staff/tokens/{made.id}/secret").text)) == 200


def test_no_administrator_reads_clients_or_moves_money_by_a_token_of_their_own(
    signed_in: SignIn, people: People
) -> None:
    admin = signed_in(Role.ADMIN)
    alone = (Audience.SYSTEM, Audience.FRONTOFFICE)
    mine = people.member(Role.ADMIN).id
    for number, scope in enumerate(sorted(scope.value for audience in alone for scope in ALL_SCOPES[audience])):
        if scope in {one.value for one in ALL_SCOPES[Audience.SYSTEM]}:
            data = {"name": f"t{number}", "scopes": [scope], "days": "1", "reason": "try"}
            assert admin.post(NEW, data=data).location == "/staff/tokens", scope
        with pytest.raises(sa.exc.IntegrityError, match="api_token_power_by_two|more than its maker"), transaction():
            tokens.prepare(
                id=new_id(), audience=Audience.SYSTEM, scopes=frozenset({Permission(scope)}), name="x", client_id=None,
                partner="default", owner_id=mine, lifetime=timedelta(days=1), approval_id=None,
            )  # fmt: skip
    assert count() == 0


def test_a_powerful_token_of_somebody_who_left_is_never_made(signed_in: SignIn, people: People) -> None:
    admin, senior, other = signed_in(Role.ADMIN), signed_in(Role.SENIOR_OFFICER), signed_in(Role.ADMIN, "Other Admin")
    admin.post(NEW, data=STRONG)
    request = session().scalars(sa.select(ApprovalRequest)).one()
    assert other.post(f"/staff/{people.member(Role.ADMIN).id}/disable", data={"reason": "left"}).status_code == 303
    senior.post(f"/approvals/{request.id}/approve")
    session().refresh(request)
    assert (request.state, count()) == ("stale", 0)


@pytest.mark.parametrize(
    ("audience", "data", "words"),
    [
        ("system", {"scopes": ["clients:own"]}, "is not a valid choice"),
        ("system", {"scopes": ["staff:write"]}, "is not a valid choice"),
        ("system", {"scopes": []}, "Choose at least one scope."),
        ("integration", {"scopes": ["clients:unblock"]}, "is not a valid choice"),
        ("integration", {"scopes": ["clients:import"], "partner": "Two Words"}, "Use small letters"),
        ("frontoffice", {"scopes": ["client:own"]}, "needs the client it speaks for"),
        ("frontoffice", {"scopes": ["client:own"], "client": "4410"}, "This is no id of a client."),
        ("frontoffice", {"scopes": ["client:own"], "client": str(UUID(int=7))}, "There is no such client."),
        ("system", {"scopes": ["clients:read"]}, "a second person decides about this token"),
        ("system", {"scopes": ["clients:read"], "days": "366"}, "Use 1 to 365 days."),
        ("integration", {"days": "0"}, "Use 1 to 365 days."),
        ("integration", {"days": "x"}, "Not a valid integer"),
        ("integration", {"name": " "}, "Type a name."),
        ("root", {}, "Choose one of the audiences."),
    ],
)
def test_a_token_that_will_not_do_says_why_and_is_not_made(
    signed_in: SignIn, audience: str, data: dict[str, Any], words: str
) -> None:
    answer = signed_in(Role.ADMIN).post(f"{NEW}?audience={audience}", data=PLAIN | data)
    assert answer.status_code == 422
    assert words in answer.text
    assert count() == 0 and session().scalar(sa.select(sa.func.count()).select_from(ApprovalRequest)) == 0


def test_a_front_office_token_speaks_for_one_client(app: Flask, signed_in: SignIn, people: People) -> None:
    with transaction():
        client = clients.create(IndividualProfile(first_name="Mari", last_name="Ilves"), by=people.actor(Role.OFFICER))
    admin, senior = signed_in(Role.ADMIN), signed_in(Role.SENIOR_OFFICER)
    data = {"name": "app", "scopes": ["client:own"], "days": "365", "client": f" {client.id} ", "reason": "new app"}
    assert admin.post(f"{NEW}?audience=frontoffice", data=data).location == "/staff/tokens"
    request = session().scalars(sa.select(ApprovalRequest)).one()
    assert str(client.id) in senior.get(f"/approvals/{request.id}/approve").text
    made = senior.post(f"/approvals/{request.id}/approve")
    assert (newest().client_id, newest().audience) == (client.id, "frontoffice")
    page = admin.get(made.location).text
    # an administrator does not read clients: the id, and no name
    assert str(client.id) in page and "Ilves" not in page and f'href="/clients/{client.id}"' not in page
    assert f'href="/clients/{client.id}"' in signed_in(Role.AUDITOR).get(made.location).text


def test_a_token_is_revoked_at_once_with_a_reason(
    app: Flask, signed_in: SignIn, machine: Callable[..., Machine]
) -> None:
    admin, standing = signed_in(Role.ADMIN), machine(Audience.SYSTEM, name="old teller")
    path = f"/staff/tokens/{standing.token_id}/revoke"
    assert standing.call("GET", "/internal/Clients").status_code == 200
    page = admin.get(f"/staff/tokens/{standing.token_id}").text
    assert "at the command line" in page and "never</dd>" not in page
    assert admin.post(path, data={"reason": " "}).status_code == 422
    assert signed_in(Role.SENIOR_OFFICER).post(path, data={"reason": "x"}).status_code == 403
    assert standing.call("GET", "/internal/Clients").status_code == 200
    assert admin.post(path, data={"reason": "key was in a mail"}).status_code == 303
    assert standing.call("GET", "/internal/Clients").status_code == 401
    assert admin.post(path, data={"reason": "again"}).status_code == 409
    page = admin.get(f"/staff/tokens/{standing.token_id}").text
    assert "key was in a mail" in page and "Revoke…" not in page


def test_the_list_of_tokens_is_narrowed_in_its_address_and_pages_by_key(
    app: Flask, signed_in: SignIn, people: People, machine: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = signed_in(Role.ADMIN)
    for number in range(3):
        machine(Audience.SYSTEM, name=f"plain {number}")
    machine(Audience.SYSTEM, name="strong", scopes=["all"])
    over = machine(Audience.INTEGRATION, name="over")
    with transaction():
        session().execute(
            sa.update(ApiToken).where(ApiToken.id == over.token_id).values(
                created_at=clock.now() - timedelta(days=2), expires_at=clock.now() - timedelta(days=1)
            )
        )  # fmt: skip
    admin.post(IMPORTING, data=PLAIN | {"name": "mine"})

    def shown(query: str) -> list[str]:
        return re.findall(r'class="open" href="[^"]+">([^<]+)</a>', admin.get(f"/staff/tokens{query}").text)

    everything = ["mine", "over", "strong", "plain 2", "plain 1", "plain 0"]
    assert shown("") == everything
    assert shown("?text=PLAIN") == everything[3:]
    assert shown("?audience=integration") == ["mine", "over"] and shown("?state=expired") == ["over"]
    assert shown("?state=waiting") == ["mine"] == shown("?owner=me")
    assert shown("?power=powerful") == ["strong"]
    assert shown("?state=active&text=plain&audience=system") == everything[3:]
    assert shown("?text=%00") == everything and shown("?text=%25") == []
    assert admin.get("/staff/tokens?state=lost").status_code == 422
    assert admin.get("/staff/tokens?cursor=x").status_code == 400
    monkeypatch.setattr("dashboard.people.pages.tokens.DEFAULT_PAGE_SIZE", 4)
    first = admin.get("/staff/tokens").text
    following = re.findall(r'href="([^"]+)" rel="next"', first)[0].replace("&amp;", "&")
    second = admin.get(following).text
    names = [re.findall(r'class="open" href="[^"]+">([^<]+)</a>', page) for page in (first, second)]
    assert names[0] + names[1] == everything
    assert re.findall(r'href="([^"]+)" rel="prev"', second)


def test_the_command_line_makes_powerful_tokens_as_before(app: Flask) -> None:
    run = app.test_cli_runner().invoke(args=["tokens", "create", "--audience", "system", "--scope", "all"])
    assert run.exit_code == 0
    secret = run.output.strip()
    assert secret.startswith("ch_system_") and "\n" not in secret
    assert status(app, secret) == 200
    made = newest()
    assert (made.origin, made.secret_shown_at is not None, secret.startswith(made.prefix)) == ("operator", True, True)
