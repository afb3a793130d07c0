"""Every act that needs four eyes, and everybody who tries to do it with two.

The first part asks each kind of request who may close it, through the pages, as a machine, in bulk and in the database.
The second tries each act itself: by API with a token, by a field that slips in, by page as one person, by the
application's own role in the database. What must not change is looked at afterwards, whatever was answered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pyotp
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard.access.actor import Actor
from dashboard.access.models import ApiToken
from dashboard.access.permissions import ROLES, Audience, Permission, Role
from dashboard.approvals import kinds, rulebook, services, staff_resets
from dashboard.approvals.kinds import Kind
from dashboard.approvals.models import ApprovalRequest
from dashboard.clients import services as clients
from dashboard.clients.models import Client, ClientBlock
from dashboard.clients.profile import IndividualProfile
from dashboard.clients.vocabulary import BlockCode
from dashboard.database import constraint_of, new_id, savepoint, session, transaction
from dashboard.errors import Forbidden
from dashboard.ledger import moving
from dashboard.ledger.vocabulary import AccountType, ParentType, PaymentState
from dashboard.people.services import changing
from dashboard.staff import second_factor, slow_hashing
from dashboard.staff import services as members
from dashboard.staff.models import StaffMember
from dashboard.transfers.models import Receipt, Transfer
from dashboard.transfers.services.desk import limits
from dashboard.treasury.matching import rules as matching_rules
from dashboard.treasury.matching.services import rules as matching
from tests.conftest import Machine, People, open_session
from tests.ledger.conftest import Book
from tests.transfers.sending import Sending
from tests.transfers.unrecognized import Desk

#: what needs two people, in the words of the house, and the kinds of request that it is asked by
ACTS: dict[str, tuple[str, ...]] = {
    "lifting a block": ("client.unblock", "client.end-sanctions-mark"),
    "lowering a risk level": ("client.lower-risk",),
    "activation without verification": ("client.activate",),
    "deleting a client's data, ending a legal hold": ("client.purge", "client.end-hold"),
    "adjusting payments": ("ledger.adjust", "ledger.reverse"),
    "executing a transfer by hand": ("transfers.execute",),
    "assigning and sending back above an amount": ("transfers.assign", "transfers.return", "transfers.undo"),
    "receivables": ("transfers.receivable",),
    "rules that assign or match by themselves": ("transfers.payer-rule", "treasury.matchRules"),
    "accepting a break": ("treasury.acceptBreak", "treasury.carriedIn"),
    "the register of bank accounts": ("treasury.account.add", "treasury.account.change", "treasury.account.pool"),
    "what covers clients' money beside the bank": ("treasury.cover.add", "treasury.cover.change"),
    "movements between own accounts": ("treasury.movement", "treasury.movement.refused"),
    "a rebuilt balance": ("ledger.accept-rebuilt",),
    "opening balances": ("ledger.opening-balances",),
    "these rules": ("rules.change", "rules.tighten", "treasury.threshold"),
    "letting somebody in, and in again": ("staff.invite", "staff.enable"),
    "changing a role": ("staff.changeRole",),
    "a token that may more than its maker": ("tokens.create",),
    "resetting another person's password or second factor": ("staff.resetPassword", "staff.resetFactor"),
}


def refused(statement: str, **values: Any) -> str:
    """The named rule that stops the application's own role; fails when nothing does."""
    with pytest.raises(sa.exc.DBAPIError) as refusal, savepoint():
        session().execute(sa.text(statement), values)
        session().execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))
    if getattr(refusal.value.orig, "sqlstate", "") == "42501":
        return "no grant"
    assert isinstance(refusal.value, sa.exc.IntegrityError), refusal.value
    return constraint_of(refusal.value) or str(refusal.value)


# who closes a request


@pytest.fixture
def executed() -> list[str]:
    return []


@pytest.fixture
def hollow(app: Flask, executed: list[str]) -> Any:
    """Every kind as it is registered, with its permission and its marks, about nothing: what is asked here is only who
    may close a request."""
    original = {kind.key: kind for kind in kinds.registered()}

    def emptied(kind: Kind) -> Kind:
        return replace(
            kind, fingerprint=lambda _request: {}, execute=lambda request, _by: executed.append(request.kind),
            outcomes=None, details=None, closed=None, closed_without=None,
        )  # fmt: skip

    kinds.register(*(emptied(kind) for kind in original.values()))
    yield original
    kinds.register(*original.values())


def opened(kind: Kind, by: Actor) -> UUID:
    with transaction():
        return services.request(
            kind.key, object_type="nothing", object_id=new_id(), client_id=None, subject="nothing", payload={},
            before={}, after={}, reason="a try", restricted=False, by=by,
        ).id  # fmt: skip


def test_the_table_of_acts_names_kinds_that_there_are(app: Flask) -> None:
    known = {kind.key for kind in kinds.registered()}
    assert {key for keys in ACTS.values() for key in keys} <= known


def test_whatever_needs_a_second_person_stands_in_the_table(app: Flask) -> None:
    listed = {key for keys in ACTS.values() for key in keys}
    assert {kind.key for kind in kinds.registered()} - listed == set()


@pytest.mark.parametrize("act", ACTS)
def test_nobody_closes_a_request_who_may_not(
    hollow: dict[str, Kind], executed: list[str], people: People, machine: Callable[..., Machine], app: Flask, act: str
) -> None:
    senior_roles = {role for role, row in ROLES.items() if row.senior}
    for key in ACTS[act]:
        kind = hollow[key]
        able = [role for role in Role if kind.permission in ROLES[role].permissions]
        senior = next(role for role in able if role in senior_roles)
        junior = next((role for role in able if role not in senior_roles), None)
        maker = people.actor(senior)
        attempts: list[tuple[str, Actor, Role, str | None]] = [
            ("the maker", maker, senior, None),
            ("somebody of another trade", maker, Role.AUDITOR, None),
        ]
        if junior is not None:
            attempts.append(("a second junior", people.actor(junior), junior, f"Second {junior.value}"))
        for _who, by, role, name in attempts:
            request_id = opened(kind, by)
            browser = open_session(app, people.member(role, name))
            for verb, form in (("approve", {}), ("reject", {"reason": "no"})):
                assert browser.post(f"/approvals/{request_id}/{verb}", data=form).status_code in {403, 404}
                browser.post("/approvals/bulk", data={"act": verb, "id": [str(request_id)], **form})
            decider = people.actor(role, name)
            with pytest.raises(Forbidden), transaction():
                services.decide(request_id, approve=True, reason=None, by=decider)
        # a token asks: its owner does not decide, and no token does, whatever it may
        token = Actor("token", new_id(), "t", "system", permissions=frozenset(Permission), owner_id=maker.id)
        request_id = opened(kind, token)
        with pytest.raises(Forbidden, match="Your token asked"), transaction():
            services.decide(request_id, approve=True, reason=None, by=maker)
        with pytest.raises(Forbidden, match="Only a person"), transaction():
            services.decide(request_id, approve=True, reason=None, by=replace(token, id=new_id(), owner_id=None))
        answer = machine(Audience.SYSTEM, scopes=["all"]).call("POST", f"/approvals/{request_id}/approve")
        assert answer.status_code in {302, 303, 401, 403, 404}
        # another senior person may, alone; at once with others only where nothing can pass by it
        other = open_session(app, people.member(senior, f"Other {senior.value}"))
        other.post("/approvals/bulk", data={"act": "approve", "id": [str(request_id)]})
        state = session().get_one(ApprovalRequest, request_id, populate_existing=True).state
        assert state == ("approved" if kind.bulk_safe else "requested")
        # the application's own role writes no decision that two people did not make
        forged = opened(kind, people.actor(junior) if junior else maker)
        row = session().get_one(ApprovalRequest, forged)
        close = "UPDATE approval_request SET state = 'approved', closed_at = now()"
        assert refused(f"{close} WHERE id = :id", id=forged) == "ck_approval_request_decided_by_somebody"
        assert refused(
            f"{close}, decided_by = maker_id, decider_senior = true, decider_name = 'x' WHERE id = :id", id=forged
        ) == "ck_approval_request_two_people"  # fmt: skip
        if junior is not None:
            assert refused(
                f"{close}, decided_by = :second, decider_senior = false, decider_name = 'x' WHERE id = :id",
                id=forged, second=people.member(junior, f"Second {junior.value}").id,
            ) == "ck_approval_request_one_of_two_is_senior"  # fmt: skip
        for change in ("maker_id = gen_random_uuid()", "maker_senior = NOT maker_senior", "payload = '{\"a\": 1}'"):
            statement = f"UPDATE approval_request SET {change} WHERE id = :id"
            assert refused(statement, id=forged) == "approval_request_is_as_asked"
        assert row.state == "requested"
        assert executed == ([key] if kind.bulk_safe else [])
        executed.clear()


# each act itself


@dataclass
class House:
    """Who tries: tokens by API, people by page. `name` of what an act is about stays with the act."""

    app: Flask
    people: People
    machine: Callable[..., Machine]
    book: Book

    def tokens(self) -> list[Machine]:
        """One with default scopes, one with every scope."""
        return [self.machine(Audience.SYSTEM), self.machine(Audience.SYSTEM, scopes=["all"])]

    def page(self, role: Role) -> FlaskClient:
        return open_session(self.app, self.people.member(role))

    def client(self, risk: int = 1) -> Client:
        with transaction():
            return clients.create(
                IndividualProfile(first_name="Mari", last_name="Ilves", risk_level=risk),
                by=self.people.actor(Role.OFFICER),
            )


@pytest.fixture
def house(app: Flask, people: People, machine: Callable[..., Machine]) -> House:
    return House(app, people, machine, Book())


def fresh(model: Any, key: Any) -> Any:
    return session().get_one(model, key, populate_existing=True)


def code_of(answer: Any) -> str:
    body = answer.get_json()
    return body["errors"][0]["metadata"]["code"] if "errors" in body and "code" not in body else body["code"]


def lifting_a_block(house: House) -> None:
    officer, client = house.people.actor(Role.OFFICER), house.client()
    with transaction():
        block = clients.block(client.id, code=BlockCode.FRAUD, comment="call", by=officer)
    path = f"/internal/Clients/{client.id}"
    default, every = house.tokens()
    assert code_of(default.call("PUT", f"{path}/unblock", json={})) == "approvalRequired"
    every.call("PUT", f"{path}/unblock", json={})
    for token in (default, every):
        token.call("PUT", path, json={"firstName": "Mari", "lastName": "Ilves", "status": "active"})
    for role in (Role.OFFICER, Role.SENIOR_OFFICER, Role.ADMIN):
        house.page(role).post(f"/clients/{client.id}/blocks/{block.id}/lift", data={"reason": "mine alone"})
    lift = (
        "UPDATE client_block SET lifted_at = now(), lifted_by_kind = 'staff', lifted_by_name = 'x',"
        " lifted_by_id = :who, lift_approval_id = {} WHERE id = :id"
    )
    for approval in ("NULL", f"(SELECT id FROM approval_request WHERE client_id = '{client.id}' LIMIT 1)"):
        assert refused(lift.format(approval), id=block.id, who=officer.id) != "no grant"
    assert refused("DELETE FROM client_block") == "no grant"
    assert refused("UPDATE client SET status = 'active' WHERE id = :id", id=client.id) != "no grant"
    assert fresh(ClientBlock, block.id).lifted_at is None
    assert fresh(Client, client.id).status == "blocked"


def lowering_a_risk_level(house: House) -> None:
    client = house.client(risk=3)
    path = f"/internal/Clients/{client.id}"
    for token in house.tokens():
        answer = token.call("PUT", path, json={"firstName": "Mari", "lastName": "Ilves", "riskLevel": 1})
        assert (answer.status_code, code_of(answer)) == (403, "approvalRequired")
    for role in (Role.OFFICER, Role.SENIOR_OFFICER):
        form = {"first_name": "Mari", "last_name": "Ilves", "risk_level": "1", "risk_reason": "mine", "version": "1"}
        house.page(role).post(f"/clients/{client.id}/edit", data=form)
    assert refused("UPDATE client SET risk_level = 1 WHERE id = :id", id=client.id) != "no grant"
    assert fresh(Client, client.id).risk_level == 3


def activation_without_verification(house: House) -> None:
    client = house.client()
    path = f"/internal/Clients/{client.id}"
    for token in house.tokens():
        for field in ({"status": "active"}, {"isActive": True}, {"activationApprovalId": str(new_id())}):
            token.call("PUT", path, json={"firstName": "Mari", "lastName": "Ilves", **field})
    for role in (Role.OFFICER, Role.SENIOR_OFFICER):
        house.page(role).post(f"/clients/{client.id}/activate", data={"reason": "mine alone"})
    waiting = "(SELECT id FROM approval_request WHERE client_id = :id AND kind = 'client.activate')"
    for approval in ("NULL", waiting):
        statement = f"UPDATE client SET status = 'active', activation_approval_id = {approval} WHERE id = :id"
        assert refused(statement, id=client.id) != "no grant"
    assert fresh(Client, client.id).status == "inactive"


def adjusting_payments(house: House) -> None:
    book = house.book
    debtor, creditor = book.account(10_000), book.account()
    default, _every = house.tokens()
    body = {
        "parentId": str(new_id()), "parentType": "adjustingPayment", "debtorAccountId": str(debtor),
        "creditorAccountId": str(creditor), "currency": "eur", "amount": 5,
    }  # fmt: skip
    for way in ("/internal/Payments", "/v2/internal/Payments"):
        answer = default.call("POST", way, json={**body, "parentId": str(new_id())})
        assert (answer.status_code, code_of(answer)) == (403, "approvalRequired"), way
    for role in (Role.TREASURER, Role.SENIOR_TREASURER, Role.ADMIN):
        order = book.order(debtor, creditor, 1, parent_type=ParentType.ADJUSTING_PAYMENT, purpose="main")
        with pytest.raises(sa.exc.IntegrityError) as refusal, transaction():
            moving.create([order], PaymentState.POSTED, by=house.people.actor(role))
        assert constraint_of(refusal.value) == "payment_adjusting_needs_approval"
    for table in ("payment", "ledger_transaction"):
        assert refused(f"INSERT INTO {table} (id) VALUES (gen_random_uuid())") == "no grant"
        assert refused(f"UPDATE {table} SET id = id") == "no grant"
    assert refused("UPDATE account_balance SET posted = posted + 1") == "no grant"
    assert book.balance(debtor) == (10_000, 0)


def executing_a_transfer_by_hand(house: House) -> None:
    sending = Sending(house.people)
    transfer = sending.submitted()
    default, _every = house.tokens()
    body = {"outcome": "executed", "providerReference": "R-1", "comment": "seen at the bank"}
    answer = default.call("PUT", f"/internal/Transfers/{transfer.id}/execute", json=body)
    assert (answer.status_code, code_of(answer)) == (403, "approvalRequired")
    form = {"outcome": "executed", "provider_reference": "R-1", "comment": "mine alone"}
    for role in (Role.OFFICER, Role.SENIOR_OFFICER, Role.SENIOR_TREASURER):
        house.page(role).post(f"/transfers/{transfer.id}/execute", data=form)
    waiting = "(SELECT id FROM approval_request WHERE object_id = :id)"
    for approval in ("NULL", waiting):
        statement = f"UPDATE transfer SET status = 'completed', execute_approval_id = {approval} WHERE id = :id"
        assert refused(statement, id=transfer.id)
    assert fresh(Transfer, transfer.id).status == "submitted"


def assigning_and_sending_back_above_an_amount(house: House) -> None:
    desk = Desk()
    account, receipt = desk.account(), desk.receipt(2_000_000)
    assert limits.needs_two("eur", 2_000_000)
    default, _every = house.tokens()
    path = f"/internal/Transfers/incoming/{receipt.transfer_id}/assign"
    answer = default.call("PUT", path, json={"accountId": str(account.id), "comment": "his"})
    assert (answer.status_code, code_of(answer)) == (403, "approvalRequired")
    for role in (Role.OFFICER, Role.SENIOR_OFFICER):
        page = house.page(role)
        for act in ("assign", "return"):
            page.post(
                f"/transfers/unrecognized/{receipt.transfer_id}/{act}",
                data={"account": account.number, "account_id": str(account.id), "reason": "mine", "comment": "mine"},
            )
    assert refused("UPDATE receipt SET remaining_minor = 0, state = 'settled' WHERE transfer_id = :id",
                   id=receipt.transfer_id)  # fmt: skip
    assert refused("UPDATE desk_limit SET two_people_above_minor = 99999999999") == "rule_by_two"
    # kept apart for the request, and no more
    assert fresh(Receipt, receipt.transfer_id).state == "waiting"
    assert desk.balance(account.id) == 0


def receivables(house: House) -> None:
    book = house.book
    client, receivable = book.account(10_000), book.house(type=AccountType.RECEIVABLE)
    for token in house.tokens():
        body = {
            "parentId": str(new_id()), "parentType": "transfer", "debtorAccountId": str(receivable),
            "creditorAccountId": str(client), "currency": "eur", "amount": 5,
        }  # fmt: skip
        answer = token.call("POST", "/internal/Payments", json=body)
        assert answer.status_code == 422
        assert "adjustingOnly" in answer.text
    assert book.balance(client) == (10_000, 0)


def rules_that_assign_or_match_by_themselves(house: House) -> None:
    forged = "INSERT INTO payer_rule (id, state, approval_id) VALUES (gen_random_uuid(), 'active', NULL)"
    assert refused(forged) == "payer_rule_begins"
    # an approval of other rules, and one of these that has served
    standing = session().scalar(sa.text("SELECT rules FROM match_rule_set ORDER BY version DESC LIMIT 1"))
    asker, decider = house.people.actor(Role.TREASURER), house.people.actor(Role.SENIOR_TREASURER)
    wanted = matching_rules.read(1, {**standing, "acceptAlone": {"eur": 100}})
    with transaction():
        request_id = matching.ask(wanted, reason="agreed", by=asker).id
    row = (
        "INSERT INTO match_rule_set (id, version, rules, created_at, created_by, approval_id)"
        " SELECT gen_random_uuid(), 99, {}, now(), 'x', id FROM approval_request WHERE id = :id"
    )
    assert refused(row.format("payload->'rules'"), id=request_id) == "match_rules_by_two"
    with transaction():
        services.decide(request_id, approve=True, reason=None, by=decider)
    assert {row.what: row.above for row in rulebook.kinds()}["Accept the break …"] == ("1.00 EUR",)
    other = "jsonb_set(payload->'rules', '{acceptAlone,eur}', '999999')"
    assert refused(row.format(other), id=request_id) == "match_rules_by_two"
    assert refused(row.format("payload->'rules'"), id=request_id) == "match_rules_by_two"
    assert refused("UPDATE match_rule_set SET approval_id = NULL") == "no grant"
    count = session().scalar(sa.text("SELECT count(*) FROM match_rule_set"))
    for role in (Role.TREASURER, Role.SENIOR_TREASURER):
        house.page(role).post("/treasury/reconciliation/rules", data={"acceptAlone.eur": "999999", "reason": "mine"})
    assert session().scalar(sa.text("SELECT count(*) FROM match_rule_set")) == count


def the_register_of_bank_accounts(_house: House) -> None:
    row = "INSERT INTO treasury_account (bank_account_id, version, approval_id) VALUES (gen_random_uuid(), 1, {})"
    for approval in ("NULL", "gen_random_uuid()"):
        assert refused(row.format(approval)) == "treasury_account_changed_by_two"
    assert refused("DELETE FROM treasury_account") == "no grant"
    assert refused("UPDATE bank_account SET number = 'LT1'") == "no grant"


def what_covers_clients_money_beside_the_bank(house: House) -> None:
    cover = (
        "INSERT INTO treasury_cover (id, pool, currency, kind, issuer, reference, amount_minor, valid_from, valid_to,"
        " review_on, version, changed_at, approval_id) VALUES (gen_random_uuid(), 'eMoney', 'eur', 'insurance', 'Mole',"
        " 'M-1', 100, current_date, current_date + 30, current_date, 1, now(), {})"
    )
    for approval in ("NULL", "gen_random_uuid()"):
        assert refused(cover.format(approval)) == "treasury_cover_changed_by_two"
    assert refused("DELETE FROM treasury_cover") == "no grant"
    form = {
        "pool": "eMoney", "currency": "eur", "kind": "insurance", "issuer": "Mole", "reference": "M-1",
        "amount": "1.00", "valid_from": "2026-01-01", "valid_to": "2026-12-31", "review_on": "2026-12-01",
        "reason": "mine alone",
    }  # fmt: skip
    for role, status in ((Role.SENIOR_TREASURER, 303), (Role.TREASURER, 409)):
        assert house.page(role).post("/treasury/cover/new", data=form).status_code == status
    asked = session().scalars(sa.select(ApprovalRequest.id).where(ApprovalRequest.kind == "treasury.cover.add")).one()
    assert house.page(Role.SENIOR_TREASURER).post(f"/approvals/{asked}/approve").status_code == 403
    assert refused(cover.format(f"'{asked}'")) == "treasury_cover_changed_by_two"
    assert session().scalar(sa.text("SELECT count(*) FROM treasury_cover")) == 0


def movements_between_own_accounts(_house: House) -> None:
    row = "INSERT INTO own_movement (id, state, approval_id) VALUES (gen_random_uuid(), '{}', gen_random_uuid())"
    for state in ("approved", "sent", "refused"):
        assert refused(row.format(state)) == "own_movement_begins_as_a_request"
    assert refused("DELETE FROM own_movement") == "no grant"


def a_rebuilt_balance(house: House) -> None:
    account = house.book.account(10_000)
    accept = "SELECT accept_rebuilt_balance(gen_random_uuid(), gen_random_uuid())"
    assert refused(accept) == "balance_finding_needs_approval"
    row = "INSERT INTO balance_finding (id, state, approval_id) VALUES (gen_random_uuid(), 'accepted', NULL)"
    assert refused(row) == "balance_finding_begins_open"
    assert refused("UPDATE account_balance SET posted = 1 WHERE account_id = :id", id=account) == "no grant"
    assert house.book.balance(account) == (10_000, 0)


def opening_balances(house: House) -> None:
    row = "INSERT INTO opening_import (id, state, approval_id) VALUES (gen_random_uuid(), 'posted', NULL)"
    assert refused(row) == "opening_import_begins_read"
    client, opening = house.book.account(), house.book.house(type=AccountType.OPENING)
    for token in house.tokens():
        body = {
            "parentId": str(new_id()), "parentType": "transfer", "debtorAccountId": str(opening),
            "creditorAccountId": str(client), "currency": "eur", "amount": 5,
        }  # fmt: skip
        assert "adjustingOnly" in token.call("POST", "/internal/Payments", json=body).text
    assert house.book.balance(client) == (0, 0)


def these_rules(house: House) -> None:
    form = {"two_people_above": "999999", "reason": "mine"}
    for token in house.tokens():
        assert token.call("POST", "/transfers/rules/desk_limit/eur", data=form).status_code in {302, 303, 401, 403}
    for role in (Role.OFFICER, Role.SENIOR_OFFICER, Role.ADMIN, Role.AUDITOR, Role.TREASURER):
        house.page(role).post("/transfers/rules/desk_limit/eur", data=form)
    waiting = "(SELECT id FROM approval_request WHERE kind = 'rules.change' AND state = 'requested')"
    raised = f"UPDATE desk_limit SET two_people_above_minor = 99999900, approval_id = {waiting} WHERE currency = 'eur'"
    assert refused(raised) == "rule_by_two"
    for table in ("desk_limit", "transfer_limit", "transfer_fee", "transfer_country_rule", "rule_change"):
        assert refused(f"DELETE FROM {table}") == "no grant"
    threshold = (
        "INSERT INTO treasury_threshold (id, pool, currency, kind, amount_minor, changed_at, approval_id)"
        f" VALUES (gen_random_uuid(), 'eMoney', 'eur', 'excessBelow', NULL, now(), {waiting})"
    )
    assert refused(threshold) == "treasury_threshold_by_two"
    assert limits.needs_two("eur", 1_000_001)


def how_requests_are_decided(house: House) -> None:
    form = {"hours": "240", "deciders": ["officer"], "reason": "mine"}
    path = "/approvals/rules/client.unblock/change"
    for token in house.tokens():
        # a machine has no pages, and no operation does this
        assert token.call("POST", path, data=form).status_code in {302, 303, 401, 403}
        assert token.call("POST", f"/internal{path}", json=form).status_code in {401, 403, 404, 405}
    for role in (Role.OFFICER, Role.TREASURER, Role.AUDITOR):
        assert house.page(role).post(path, data=form).status_code == 403, role
    house.people.member(Role.SENIOR_OFFICER)
    widened = form | {"deciders": ["officer", "senior-officer", "admin"]}
    for unfit in (form, widened, form | {"hours": "241", "deciders": ["senior-officer"]}):
        assert house.page(Role.ADMIN).post(path, data=unfit).status_code == 422
    for role, status in ((Role.ADMIN, 303), (Role.SENIOR_OFFICER, 422), (Role.SENIOR_TREASURER, 409)):
        # the senior officer asks for a house in which nobody but they decide
        assert house.page(role).post(path, data=form | {"deciders": ["senior-officer"]}).status_code == status, role
    asked = session().scalars(sa.select(ApprovalRequest.id).where(ApprovalRequest.kind == "rules.change")).one()
    assert house.page(Role.ADMIN).post(f"/approvals/{asked}/approve").status_code == 403
    row = (
        "INSERT INTO approval_rule (kind, version, hours, deciders, approval_id)"
        " VALUES ('client.unblock', 1, 240, {}, {})"
    )
    for deciders in ("NULL", "ARRAY['senior-officer']", "ARRAY['officer', 'senior-officer', 'admin']"):
        for approval in ("gen_random_uuid()", f"'{asked}'"):
            assert refused(row.format(deciders, approval)) == "approval_rule_by_two"
    for verb in ("UPDATE approval_rule SET hours = 1", "DELETE FROM approval_rule"):
        assert refused(verb) == "no grant"
    assert session().scalar(sa.text("SELECT count(*) FROM approval_rule")) == 0


def alone(house: House, kind: str, path: str, form: dict[str, str]) -> UUID:
    """Every token and role asks at the page; whoever could ask, asks, and then tries to be the second person too."""
    for token in house.tokens():
        # a machine has no pages, and no operation does this
        assert token.call("POST", path, data=form).status_code in {302, 303, 401, 403}
        assert token.call("POST", f"/internal{path}", json=form).status_code in {401, 403, 404, 405}
    for role in (Role.OFFICER, Role.SENIOR_OFFICER, Role.TREASURER, Role.SENIOR_TREASURER, Role.AUDITOR):
        assert house.page(role).post(path, data=form).status_code == 403, role
    admin = house.page(Role.ADMIN)
    forged = {"state": "approved", "approval_id": str(new_id()), "decided_by": str(new_id())}
    assert admin.post(path, data=form | forged).status_code == 303
    request = session().scalars(
        sa.select(ApprovalRequest).where(ApprovalRequest.kind == kind).execution_options(populate_existing=True)
    ).one()  # fmt: skip
    assert request.state == "requested"
    assert admin.post(f"/approvals/{request.id}/approve").status_code == 403
    admin.post("/approvals/bulk", data={"act": "approve", "id": [str(request.id)]})
    with pytest.raises(Forbidden), transaction():
        services.decide(request.id, approve=True, reason=None, by=house.people.actor(Role.ADMIN))
    assert fresh(ApprovalRequest, request.id).state == "requested"
    return request.id


def letting_somebody_in_and_in_again(house: House) -> None:
    form = {"name": "Mole", "email": "mole@test.example", "role": "admin", "reason": "mine alone"}
    asked = alone(house, "staff.invite", "/staff/invitations/new", form)
    invited = (
        "INSERT INTO staff_invitation (id, email, email_key, name, role, invited_by, approval_id, created_at,"
        " link_mailed, countersign_failures) SELECT object_id, 'mole@test.example', 'mole@test.example', 'Mole',"
        " 'admin', maker_id, {}, now(), true, 0 FROM approval_request WHERE id = :id"
    )
    assert refused(invited.format("id"), id=asked) == "staff_invitation_by_two"
    assert refused(invited.format("gen_random_uuid()"), id=asked) == "staff_invitation_by_two"
    member = (
        "INSERT INTO staff_member (id, email, email_key, name, role, password_hash, theme, keys_off, created_at,"
        " password_changed_at) VALUES (gen_random_uuid(), 'mole@test.example', 'mole@test.example', 'Mole', 'admin',"
        " 'x', 'system', false, now(), now())"
    )
    assert refused(member) == "staff_member_was_let_in"
    gone = house.people.member(Role.OFFICER, "Gone")
    with transaction():
        changing.disable(gone.id, reason="left", by=house.people.actor(Role.ADMIN))
    alone(house, "staff.enable", f"/staff/{gone.id}/enable", {"reason": "mine alone"})
    back = "UPDATE staff_member SET disabled_at = NULL WHERE id = :id"
    assert refused(back, id=gone.id) == "staff_member_enabling_needs_approval"
    assert fresh(StaffMember, gone.id).disabled_at is not None
    assert session().scalar(sa.select(sa.func.count()).where(StaffMember.name == "Mole")) == 0


def changing_a_role(house: House) -> None:
    member = house.people.member(Role.AUDITOR, "Raised")
    alone(house, "staff.changeRole", f"/staff/{member.id}/role", {"role": "senior-officer", "reason": "mine alone"})
    raised = "UPDATE staff_member SET role = 'senior-officer' WHERE id = :id"
    assert refused(raised, id=member.id) == "staff_member_role_needs_approval"
    # nobody asks for themself: the request would be theirs, and so would the power
    me = house.people.member(Role.ADMIN)
    house.page(Role.ADMIN).post(f"/staff/{me.id}/role", data={"role": "senior-officer", "reason": "mine alone"})
    assert (fresh(StaffMember, member.id).role, fresh(StaffMember, me.id).role) == ("auditor", "admin")


def a_token_that_may_more_than_its_maker(house: House) -> None:
    count = sa.select(sa.func.count()).select_from(ApiToken)
    form = {"name": "mole", "scopes": "payments:adjust", "days": "30", "reason": "mine alone"}
    asked = alone(house, "tokens.create", "/staff/tokens/new", form)
    standing = session().scalar(count)
    made = (
        "INSERT INTO api_token (id, name, audience, partner, scopes, secret_hash, prefix, owner_id, created_at,"
        " expires_at, origin, approval_id) SELECT object_id, 'mole', 'system', 'default',"
        " ARRAY['payments:adjust'], 'x', 'x', maker_id, now(), now() + interval '1 day', 'staff', {}"
        " FROM approval_request WHERE id = :id"
    )
    for approval in ("id", "NULL"):
        assert refused(made.format(approval), id=asked) == "api_token_power_by_two"
    # one that stands does not grow
    plain = house.machine(Audience.SYSTEM).token_id
    grown = "UPDATE api_token SET scopes = array_append(scopes, 'payments:adjust') WHERE id = :id"
    assert refused(grown, id=plain) == "api_token_is_as_made"
    assert session().scalar(count) == (standing or 0) + 1


def resetting_another_persons_password_or_second_factor(house: House) -> None:
    member, admin = house.people.member(Role.OFFICER, "Reset"), house.people.member(Role.ADMIN)
    by = members.actor_of(member)
    with transaction():
        begun = second_factor.begin(session_id=(begun_in := new_id()), by=by)
    with transaction():
        second_factor.confirm(pyotp.TOTP(begun.secret).at(services.clock.now()), session_id=begun_in, by=by)
    before = member.password_hash
    form = {"reason": "mine alone"}
    factor = alone(house, "staff.resetFactor", f"/staff/{member.id}/reset-factor", form)
    password = alone(house, "staff.resetPassword", f"/staff/{member.id}/reset-password", form)
    # what was not approved gives no code to whoever asked
    assert house.page(Role.ADMIN).post(f"/staff/resets/{password}").status_code == 404
    ended = (
        "UPDATE second_factor SET ended_at = now(), ended_how = 'reset', sealed_secret = NULL, approval_id = :asked"
        " WHERE staff_id = :id"
    )
    assert refused(ended, asked=factor, id=member.id) == "second_factor_reset_is_approved"
    taken = (
        "INSERT INTO password_reset (id, staff_id, approval_id, approved_at, countersign_failures)"
        " VALUES (gen_random_uuid(), :id, :asked, now(), 0)"
    )
    assert refused(taken, asked=password, id=member.id) == "password_reset_is_approved"
    # approved, it still takes both: who asked has one code, and cannot make the other
    with transaction():
        services.decide(password, approve=True, reason=None, by=house.people.actor(Role.SENIOR_OFFICER))
    with transaction():
        code = staff_resets.make_code(password, members.actor_of(admin))
    http = house.app.test_client()
    for second in ("", code, "abcdeabcde"):
        typed = {"code": code, "second": second, "new": "mine-alone-and-long", "again": "mine-alone-and-long"}
        assert http.post("/sign-in/new-password", data=typed).status_code == 422
    forged = (
        "UPDATE password_reset SET countersign_hash = 'x', countersign_by = :by,"
        " countersign_until = now() + interval '1 day'"
    )
    assert refused(forged, by=admin.id) == "password_reset_code_by_who_approved"
    assert second_factor.is_on(member.id)
    now = fresh(StaffMember, member.id).password_hash
    assert now != before and not slow_hashing.matches(now, "mine-alone-and-long")


TRIES = (
    lifting_a_block, lowering_a_risk_level, activation_without_verification, adjusting_payments,
    executing_a_transfer_by_hand, assigning_and_sending_back_above_an_amount, receivables,
    rules_that_assign_or_match_by_themselves, the_register_of_bank_accounts,
    what_covers_clients_money_beside_the_bank, movements_between_own_accounts, a_rebuilt_balance,
    opening_balances, these_rules, how_requests_are_decided, letting_somebody_in_and_in_again, changing_a_role,
    a_token_that_may_more_than_its_maker, resetting_another_persons_password_or_second_factor,
)  # fmt: skip


@pytest.mark.parametrize("act", TRIES, ids=lambda act: act.__name__.replace("_", " "))
def test_one_person_or_one_token_does_not_do_it(house: House, act: Callable[[House], None]) -> None:
    act(house)
