"""Every page and operation as everybody: what each is answered follows from the permission that the address declares.

The matrix is made from the route table, so a new address is in it from its first day. Forged forms go without a token:
whoever is let in is stopped by that, and nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from dashboard.access import tokens
from dashboard.access.guard import Access, access_of
from dashboard.access.permissions import ALL_SCOPES, ROLES, Audience, Role
from dashboard.audit.models import AuditEvent
from dashboard.audit.queries import LOOKS
from dashboard.database import db, session, transaction
from dashboard.staff.models import StaffMember
from tests.conftest import open_session
from tests.furnished import Furnished

#: pages that say 403 to who has the permission, and why. An address that is not here and does so is wrong
ALSO_REFUSED = {
    "/approvals/<uuid:request_id>/approve": "who asked, who is not senior, and who may not do what is asked",
    "/approvals/<uuid:request_id>/reject": "the same",
    "/approvals/<uuid:request_id>/withdraw": "only who asked",
    "/views/<uuid:view_id>/edit": "only who saved it",
    "/views/<uuid:view_id>/delete": "only who saved it, and administrators",
    "/queues/<queue>": "a queue that the role does not work",
    "/queues/<queue>/export/<form>": "the same",
    "/internal/Clients/<uuid:clientId>/unblock": "a second person must decide",
}
#: what opens by something else than a session or a token
OPENED_OTHERWISE = {
    "/metrics": {401},
    "/integration/sumsub-webhooks/update-state": {401},
    "/internal/ProviderCallbacks/<provider>": {401},
}
NOBODY = "00000000-0000-7000-8000-000000000000"


class Callers:
    """One browser for each role, one machine for each audience, and one of each that has no scope."""

    def __init__(self, house: Furnished) -> None:
        self.house, self.app = house, house.app
        self.staff: dict[Role, FlaskClient] = {}
        self.machines: dict[Audience, str] = {}
        self.powerless: dict[Audience, str] = {}
        with self.app.app_context():
            for member in session().scalars(sa.select(StaffMember).order_by(StaffMember.id.desc())).all():
                self.staff[Role(member.role)] = open_session(self.app, member)
            self.client_id: UUID = session().execute(
                sa.text("SELECT owner_id FROM account WHERE owner_id IS NOT NULL ORDER BY id LIMIT 1")
            ).scalar_one()  # fmt: skip
            for audience in Audience:
                self.machines[audience] = self._token(audience, ALL_SCOPES[audience])
                self.powerless[audience] = self._token(audience, frozenset())
            db.session.remove()
        self.stranger = self.app.test_client()

    def _token(self, audience: Audience, scopes: Any) -> str:
        client_id = self.client_id if audience is Audience.FRONTOFFICE else None
        with transaction():
            return tokens.create(audience=audience, scopes=scopes, name="attacker", client_id=client_id)[1]

    def bearing(self, secret: str, method: str, url: str) -> int:
        body: dict[str, Any] = {"json": {}} if method in {"POST", "PUT", "PATCH"} else {}
        return self.stranger.open(url, method=method, headers={"Authorization": f"Bearer {secret}"}, **body).status_code


@pytest.fixture(scope="module")
def callers(furnished: Furnished) -> Callers:
    return Callers(furnished)


def addresses(house: Furnished) -> Iterator[tuple[str, str, str, Access, Any]]:
    """Rule, method, address, what it declares, and the values in it."""
    for rule in house.app.url_map.iter_rules():
        access = access_of(house.app, rule.endpoint)
        assert access is not None
        values = house.arguments(rule)[0]
        with house.app.test_request_context():
            built = rule.build(values, append_unknown=False)
        assert built is not None, rule.rule
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield rule.rule, method, built[1], access, values


def page_faults(callers: Callers, rule: str, method: str, url: str, access: Access) -> Iterator[str]:
    """What is wrong with the answers of a page of staff."""
    answers = {
        "nobody": callers.stranger.open(url, method=method),
        "a machine": callers.stranger.open(
            url, method=method, headers={"Authorization": f"Bearer {callers.machines[Audience.SYSTEM]}"}
        ),
    }
    for who, answer in answers.items():
        to = answer.headers.get("Location", "")
        if answer.status_code != 303 or not to.startswith("/sign-in"):
            yield f"{who}: {answer.status_code} {to}"
    part = callers.stranger.open(url, method=method, headers={"HX-Request": "true"})
    if part.status_code != 401:
        yield f"nobody, a part: {part.status_code}"
    for role, browser in callers.staff.items():
        allowed = access.permission in ROLES[role].permissions
        # a refusal as a part of a page: the frame around it is the same for all
        part_only = {} if allowed and method == "GET" else {"HX-Request": "true"}
        answer = browser.open(url, method=method, headers=part_only)
        answer.get_data()
        status = answer.status_code
        if not allowed:
            right = status == 403
        elif method == "GET":
            right = status in {200, 302, 303, 404, 409, 422} or (status == 403 and rule in ALSO_REFUSED)
        else:
            right = status == 400
        if not right:
            yield f"{role.value}: {status}"


def operation_faults(callers: Callers, rule: str, method: str, url: str, access: Access) -> Iterator[str]:
    """What is wrong with the answers of an operation for machines."""
    if (status := callers.stranger.open(url, method=method).status_code) != 401:
        yield f"nobody: {status}"
    if (status := callers.staff[Role.SENIOR_OFFICER].open(url, method=method).status_code) != 401:
        yield f"a cookie of staff: {status}"
    for audience in Audience:
        status = callers.bearing(callers.machines[audience], method, url)
        if audience is not access.audience:
            if status != 403:
                yield f"{audience.value}: {status}"
            continue
        if status in {401, 405} or status >= 500 or (status == 403 and rule not in ALSO_REFUSED):
            yield f"{audience.value}, every scope: {status}"
        if (status := callers.bearing(callers.powerless[audience], method, url)) != 403:
            yield f"{audience.value}, no scope: {status}"


def test_everybody_is_answered_as_the_address_declares(callers: Callers) -> None:
    with callers.app.app_context():
        before = session().scalar(sa.select(sa.func.count()).where(AuditEvent.actor_kind == "staff"))
        db.session.remove()
    faults, seen = [], 0
    for rule, method, url, access, _ in addresses(callers.house):
        seen += 1
        if access.permission is None:
            status = callers.stranger.open(url, method=method).status_code
            right = status in OPENED_OTHERWISE.get(rule, {200, 302, 303, 400, 404})
            found = [] if right else [f"nobody: {status}"]
        elif access.audience is None:
            found = list(page_faults(callers, rule, method, url, access))
        else:
            found = list(operation_faults(callers, rule, method, url, access))
        faults += [f"{method} {rule} ({access}): {fault}" for fault in found]
    assert not faults, "\n".join(faults)
    assert seen > 350
    with callers.app.app_context():
        reads = sa.or_(
            AuditEvent.action.in_(LOOKS),
            AuditEvent.action.op("~")("(read|listed|searched|found|opened|seen|exported|downloaded|viewed)"),
        )
        after = session().scalar(sa.select(sa.func.count()).where(AuditEvent.actor_kind == "staff", sa.not_(reads)))
        db.session.remove()
    # forms without a token did nothing in anybody's name; what is read may leave a trace
    assert after is not None and before is not None and after <= before


def test_an_object_of_one_client_is_not_found_under_another(callers: Callers) -> None:
    """Pages that name a client and something of theirs: under the name of another client there is no such thing."""
    with callers.app.app_context():
        everybody = list(session().execute(sa.text("SELECT id FROM client ORDER BY id LIMIT 50")).scalars())
        db.session.remove()
    officer, faults, tried = callers.staff[Role.SENIOR_OFFICER], [], 0
    callers.app.config["WTF_CSRF_ENABLED"] = False
    try:
        for rule, method, url, access, values in addresses(callers.house):
            others = set(values) - {"client_id", "page", "form"}
            if access.audience is not None or "client_id" not in values or not others:
                continue
            if NOBODY in {str(values[name]) for name in others}:
                continue
            stranger = next(one for one in everybody if one != values["client_id"])
            foreign = url.replace(str(values["client_id"]), str(stranger))
            status = officer.open(foreign, method=method, data={"reason": "x", "comment": "x"}).status_code
            tried += 1
            if status != 404:
                faults.append(f"{method} {rule}: {status}")
    finally:
        callers.app.config["WTF_CSRF_ENABLED"] = True
    assert not faults, "\n".join(faults)
    assert tried >= 12


def test_a_clients_token_finds_nothing_of_another_client(callers: Callers) -> None:
    """Every operation of the front office with an identifier: that of another client's is not found, by any method."""
    with callers.app.app_context():
        one = lambda query: session().execute(sa.text(query), {"me": callers.client_id}).scalars().first()  # noqa: E731
        theirs = {
            "id": one("SELECT id FROM account WHERE owner_id <> :me ORDER BY id LIMIT 1"),
            "accountNumber": one("SELECT number FROM account WHERE owner_id <> :me ORDER BY id LIMIT 1"),
            "transferId": one("SELECT id FROM transfer WHERE client_id <> :me ORDER BY id LIMIT 1"),
            "recipientId": one("SELECT id FROM recipient WHERE client_id <> :me ORDER BY id LIMIT 1"),
            "fileName": one("SELECT file_name FROM transfer_document WHERE client_id <> :me LIMIT 1") or "none.pdf",
        }
        db.session.remove()
    assert theirs["id"] and theirs["transferId"]
    secret, faults, tried = callers.machines[Audience.FRONTOFFICE], [], 0
    bodies: dict[str, Any] = {"/visibility": {"visible": False}, "/confirm": {"code": "123456"}}
    for rule in callers.app.url_map.iter_rules():
        access = access_of(callers.app, rule.endpoint)
        if access is None or access.audience is not Audience.FRONTOFFICE or not rule.arguments:
            continue
        values = {name: theirs.get(name) or NOBODY for name in rule.arguments}
        with callers.app.test_request_context():
            built = rule.build(values, append_unknown=False)
        assert built is not None
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            body = next((known for end, known in bodies.items() if rule.rule.endswith(end)), {"alias": "mine"})
            answer = callers.stranger.open(
                built[1], method=method, headers={"Authorization": f"Bearer {secret}"},
                **({} if method in {"GET", "DELETE"} else {"json": body}),
            )  # fmt: skip
            tried += 1
            # a field that is refused before anything is looked for tells nothing either
            if answer.status_code != 404 and not (answer.status_code == 400 and "alias" in answer.text):
                faults.append(f"{method} {rule.rule}: {answer.status_code}")
    assert not faults, "\n".join(faults)
    assert tried >= 20
