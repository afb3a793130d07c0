"""A GET changes nothing: every GET route is opened, and the database is watched while it answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access.actor import system
from dashboard.access.guard import access_of
from dashboard.access.models import ApiToken
from dashboard.access.permissions import Audience, Role
from dashboard.clients import services
from dashboard.clients.models import ClientFlag, RelatedIndividual
from dashboard.clients.vocabulary import BlockCode, Scope
from dashboard.database import db, session, transaction
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import days, payments
from dashboard.ledger.services.accounts import open_account
from dashboard.ledger.vocabulary import AccountType, ParentType
from dashboard.staff.models import StaffSession
from tests.clients.making import blocked, company, path, person
from tests.conftest import Machine, People

WRITES = re.compile(r"^\s*(INSERT|UPDATE|DELETE|MERGE|TRUNCATE|WITH\b.*\b(INSERT|UPDATE|DELETE)\b)", re.I | re.S)
#: who was here when, what they looked at or took along, and how often somebody asked: no business state
BOOKKEEPING = re.compile(
    r"^\s*(UPDATE staff_session SET seen_at=[^,]+ WHERE|UPDATE api_token SET last_used_at=[^,]+ WHERE"
    r"|INSERT INTO audit_(event|payload)\b|INSERT INTO rate_limit\b|DELETE FROM rate_limit\b)",
    re.I,
)


@contextmanager
def watched() -> Iterator[list[str]]:
    """Statements that write something other than bookkeeping."""
    written: list[str] = []

    def before(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if WRITES.match(statement) and not BOOKKEEPING.match(statement):
            written.append(statement)

    engine = db.engines[None]
    sa.event.listen(engine, "before_cursor_execute", before)
    try:
        yield written
    finally:
        sa.event.remove(engine, "before_cursor_execute", before)


@pytest.fixture
def ids(people: People) -> dict[str, Any]:
    """Something real for each name in a route."""
    officer = people.actor(Role.OFFICER)
    client = company(officer)
    placed = blocked(client, officer, scope=Scope.DEBIT, code=BlockCode.NOT_STATED)
    asking = person(officer)
    with transaction():
        asked = services.ask_to_activate(asking.id, reason="papers seen", by=officer)
    flag = session().scalars(sa.select(ClientFlag).where(ClientFlag.client_id == client.id)).first()
    related = session().scalars(sa.select(RelatedIndividual).where(RelatedIndividual.client_id == client.id)).first()
    assert flag is not None
    with transaction():
        account = open_account(type=AccountType.CLIENT, currency="eur", owner_id=client.id, by=officer)
        house = open_account(type=AccountType.SETTLEMENT, currency="eur", by=officer)
        leg = Leg(house.id, account.id, 1_234, "eur")
        payment = Order(parent_type=ParentType.TRANSFER, parent_id=client.id, legs=[leg])
        payments.pay(payment, by=system())
    return {
        "id": account.id,
        "accountId": account.id,
        "account_id": account.id,
        "payment_id": payment.id,
        "form": "csv",
        "owner_id": client.id,
        "accountNumber": account.number,
        "client_id": client.id,
        "block_id": placed.id,
        "flag_id": flag.id,
        "request_id": asked.id,
        "individual_id": related.id if related else client.id,
        "queue": "client-review",
        "kind": "company",
        "day": days.open_day().day,
        "filename": "js/keys.js",
    }


def addresses(app: Flask, ids: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for rule in app.url_map.iter_rules():
        if "GET" not in (rule.methods or ()):
            continue
        values = {}
        for name in rule.arguments:
            values[name] = ids.get(name, ids["client_id"])
        with app.test_request_context():
            yield rule.endpoint, rule.build(values, append_unknown=False)[1]  # type: ignore[index]


def test_opening_any_address_changes_nothing(
    app: Flask,
    signed_in: Callable[..., Any],
    machine: Callable[..., Machine],
    ids: dict[str, Any],
) -> None:
    browser = signed_in(Role.SENIOR_OFFICER)
    speaks_for = {Audience.FRONTOFFICE: {"client_id": ids["client_id"]}}
    machines = {one: machine(one, scopes=["all"], **speaks_for.get(one, {})) for one in Audience}
    opened = set()
    for endpoint, address in addresses(app, ids):
        access = access_of(app, endpoint)
        if access is not None and access.audience is not None:
            ask = lambda: machines[access.audience].call("GET", address)  # noqa: B023, E731
        else:
            ask = lambda: browser.get(address)  # noqa: B023, E731
        with transaction():
            # as if nobody had been here for a while: what keeps the time is written now, and must be let through
            session().execute(sa.update(StaffSession).values(seen_at=clock.now() - timedelta(minutes=5)))
            session().execute(sa.update(ApiToken).values(last_used_at=None))
        with watched() as written:
            answer = ask()
            # a stream does its work while it is read
            answer.get_data()
            if access is not None and access.audience is None and access.permission is not None:
                browser.get(address, headers={"HX-Request": "true"}).get_data()
        assert written == [], (endpoint, address)
        assert answer.status_code < 500, (endpoint, address)
        if answer.status_code == 200:
            opened.add(endpoint)
    # the walk reached the pages that matter, and not their refusals
    assert {
        "home.show", "home.figures", "queues.show", "clients.listing", "clients.show", "clients.block", "clients.lift",
        "clients.settle_flag", "clients.edit", "approvals.index", "approvals.show", "approvals.approve",
        "ledger_operations.read_account", "ledger_operations.read_own_account",
        "ledger_operations.read_own_account_by_number",
    } <= opened, sorted(opened)  # fmt: skip


def test_the_watch_sees_a_write(app: Flask, signed_in: Callable[..., Any], people: People) -> None:
    client = person(people.actor(Role.OFFICER))
    with watched() as written:
        signed_in(Role.SENIOR_OFFICER).post(path(client, "/block"), data={"scope": "all", "code": "FRAUD",
                                            "client_text_choice": "check", "currency": "eur"})  # fmt: skip
    assert any("client_block" in statement for statement in written)
