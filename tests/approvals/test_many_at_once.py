"""Deciding from the list: filters, row actions, and many at once where nothing can pass by it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Role
from dashboard.approvals import kinds, services
from dashboard.approvals.kinds import registered
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit.models import AuditEvent
from dashboard.database import db, new_id, session, transaction
from dashboard.errors import Refused
from dashboard.transfers.services import rules
from dashboard.transfers.services.desk import limits
from dashboard.transfers.services.rules import Rule
from tests.approvals.test_four_eyes import asked as asked_to_activate
from tests.conftest import People, open_session

SignIn = Callable[..., FlaskClient]


def tightened(by: Actor, currency: str, minor: int = 100) -> UUID:
    with transaction():
        return rules.ask(
            Rule.DESK, {"currency": currency}, {"two_people_above_minor": minor}, reason="after the audit", by=by
        ).id


def state_of(request_id: UUID) -> str:
    return session().get_one(ApprovalRequest, request_id, populate_existing=True).state


def results(browser: FlaskClient) -> dict[str, str]:
    page = browser.get("/approvals/bulk/results").text
    found = re.findall(r'href="/approvals/([0-9a-f-]{36})">.*?<span class="badge[^>]*>([^<]*)<', page, re.DOTALL)
    return dict(found)


def test_only_stricter_rules_are_decided_many_at_once(people: People) -> None:
    # never money, a block, a risk, personal data or what other rules rest on
    assert [kind.key for kind in registered() if kind.bulk_safe] == ["rules.tighten"]
    request, senior = asked_to_activate(people.actor(Role.OFFICER)), people.actor(Role.SENIOR_OFFICER)
    with pytest.raises(Refused) as refusal, transaction():
        services.decide(request.id, approve=True, reason=None, by=senior, in_bulk=True)
    assert refusal.value.code == "oneAtATime"
    assert state_of(request.id) == "requested"


def test_each_of_many_has_a_result_of_its_own_and_what_stops_one_stops_no_other(
    signed_in: SignIn, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    officer, senior, admin = (people.actor(role) for role in (Role.OFFICER, Role.SENIOR_OFFICER, Role.ADMIN))
    good, stale, own = tightened(officer, "eur"), tightened(officer, "gbp"), tightened(senior, "usd")
    withdrawn, alone = tightened(officer, "pln"), asked_to_activate(officer).id
    with transaction():
        services.withdraw(withdrawn, by=officer)
        change = rules.ask(
            Rule.DESK, {"currency": "gbp"}, {"two_people_above_minor": 10**8}, reason="more", by=admin
        ).id  # fmt: skip
    with transaction():
        services.decide(change, approve=True, reason=None, by=senior)
    browser = signed_in(Role.SENIOR_OFFICER)
    page = browser.get("/approvals").text
    boxes = set(re.findall(r'type="checkbox" name="id" value="([^"]+)"', page))
    assert boxes == {str(good), str(stale)}
    ids = [str(one) for one in (good, stale, own, withdrawn, alone, new_id())]
    read_back = browser.get("/approvals/bulk", query_string={"act": "approve", "id": ids}).text
    assert "Approve 2 requests" in read_back
    assert "decided one at a time" in read_back
    assert "after the audit" in read_back
    assert {state_of(good), state_of(stale)} == {"requested"}
    # a forged form names them all; each answers for itself
    done = browser.post("/approvals/bulk", data={"act": "approve", "id": [*ids, "no id"]})
    assert (done.status_code, done.headers["Location"]) == (303, "/approvals/bulk/results")
    assert results(browser) == {
        str(good): "Approved",
        str(stale): "Stale: it changed after the request",
        str(own): "Not yours to decide",
        str(withdrawn): "Closed by somebody else meanwhile",
        str(alone): "Is decided one at a time",
    }
    assert (state_of(good), state_of(stale), state_of(own), state_of(alone)) == (
        "approved", "stale", "requested", "requested",
    )  # fmt: skip
    assert limits.needs_two("eur", 101)
    # what made it stale, and who
    assert re.search(
        r"the rule was changed meanwhile\. Nothing was changed by it\. [^.<]*Officer[^.<]* changed it on ",
        browser.get("/approvals/bulk/results").text,
    )
    told = session().scalars(
        sa.select(AuditEvent.action).where(AuditEvent.object_id.in_([good, stale, own])).order_by(AuditEvent.id)
    )
    assert {"approval.approved", "approval.stale", "approval.refused"} <= set(told)
    # again: nothing happens twice
    browser.post("/approvals/bulk", data={"act": "approve", "id": ids[:1]})
    assert results(browser) == {str(good): "Closed by somebody else meanwhile"}
    # one whose time is over, and nobody has closed it yet
    late = tightened(officer, "sek")
    over = session().get_one(ApprovalRequest, late).expires_at + timedelta(seconds=1)
    monkeypatch.setattr(clock, "now", lambda: over)
    fresh = signed_in(Role.SENIOR_OFFICER)
    fresh.post("/approvals/bulk", data={"act": "approve", "id": [str(late)]})
    assert results(fresh) == {str(late): "Expired"}
    assert limits.limit_of("sek") is not None and not limits.needs_two("sek", 101)


def test_rejecting_many_needs_one_reason_that_each_maker_reads(signed_in: SignIn, people: People) -> None:
    officer, browser = people.actor(Role.OFFICER), signed_in(Role.SENIOR_OFFICER)
    first, second = tightened(officer, "eur"), tightened(officer, "gbp")
    form = {"act": "reject", "id": [str(first), str(second)]}
    for reason in ("", "   "):
        refused = browser.post("/approvals/bulk", data={**form, "reason": reason})
        assert (refused.status_code, "Say why" in refused.text) == (422, True)
    assert {state_of(first), state_of(second)} == {"requested"}
    assert browser.post("/approvals/bulk", data={**form, "reason": "not before June"}).status_code == 303
    for one in (first, second):
        request = session().get_one(ApprovalRequest, one)
        assert (request.state, request.decision_reason) == ("rejected", "not before June")
    for nothing in ({"act": "approve"}, {"act": "delete", "id": [str(first)]}, {"act": "approve", "id": ["x"]}):
        assert browser.post("/approvals/bulk", data=nothing).headers["Location"] == "/approvals"
        assert browser.get("/approvals/bulk", query_string=nothing).headers["Location"] == "/approvals"


def test_the_list_is_narrowed_by_kind_maker_and_age_and_decided_from_its_rows(
    signed_in: SignIn, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    officer, other = people.actor(Role.OFFICER), people.actor(Role.OFFICER, "Liis 100% Saar")
    rule, client = tightened(officer, "eur"), asked_to_activate(other).id
    browser = signed_in(Role.SENIOR_OFFICER)

    def listed(**filters: str) -> set[str]:
        page = browser.get("/approvals", query_string=filters).text
        return set(re.findall(r'class="open" href="/approvals/([0-9a-f-]{36})"', page))

    assert listed() == {str(rule), str(client)}
    assert listed(kind="client.activate") == {str(client)}
    assert listed(maker="100%") == {str(client)}
    assert listed(maker="officer", view="open") == {str(rule)}
    assert listed(kind="client.activate", maker="officer") == set()
    assert listed(kind="nothing", age="x") == {str(rule), str(client)}
    assert listed(age="1") == set()
    assert "Nothing fits these filters." in browser.get("/approvals?age=7").text
    page = browser.get("/approvals?kind=client.activate").text
    dialog = re.search(rf'href="(/approvals/{client}/approve\?next=[^"]+)" data-dialog', page)
    assert dialog is not None
    place = dialog.group(1).replace("&amp;", "&")
    assert "Activate Mari Ilves by hand" in browser.get(place, headers={"HX-Request": "true"}).text
    back = "/approvals?kind=client.activate"
    done = browser.post(f"/approvals/{client}/approve", data={"next": back})
    assert (done.headers["Location"], state_of(client)) == (back, "approved")
    assert f"/approvals/{rule}/withdraw" in signed_in(Role.OFFICER).get("/approvals?view=mine").text


def test_one_that_somebody_works_on_takes_no_result_from_the_others(
    committed: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = People()
    officer, senior = people.actor(Role.OFFICER), people.member(Role.SENIOR_OFFICER)
    before, busy, broken, after = (tightened(officer, currency) for currency in ("eur", "gbp", "usd", "pln"))
    kind = kinds.kind_of("rules.tighten")

    def execute(request: ApprovalRequest, by: Actor) -> None:
        if request.id == broken:
            raise sa.exc.IntegrityError("", {}, Exception("a constraint"))
        kind.execute(request, by)

    monkeypatch.setitem(kinds._kinds, kind.key, replace(kind, execute=execute))

    @sa.event.listens_for(db.engine, "begin")
    def impatient(connection: sa.Connection) -> None:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '100ms'")

    browser, ids = open_session(committed, senior), [str(one) for one in (before, busy, broken, after)]
    with db.engine.connect() as other:
        other.execute(sa.text("SELECT 1 FROM approval_request WHERE id = :id FOR UPDATE"), {"id": busy})
        done = browser.post("/approvals/bulk", data={"act": "approve", "id": ids})
        other.rollback()
    assert (done.status_code, done.location) == (303, "/approvals/bulk/results")
    assert results(browser) == {
        str(before): "Approved",
        str(busy): "Somebody works on it at this moment; try it again",
        str(broken): "Refused by a rule; nothing was changed",
        str(after): "Approved",
    }
    assert [state_of(one) for one in (before, busy, broken, after)] == [
        "approved", "requested", "requested", "approved",
    ]  # fmt: skip


def test_every_kind_says_what_made_it_stale_and_names_no_client_where_there_is_none(app: Flask) -> None:
    for kind in registered():
        asked = ApprovalRequest(id=new_id(), kind=kind.key, subject="X", state="stale", payload={}, client_id=None)
        # kinds about clients tell who changed the client; all others have words of their own
        if not kind.key.startswith("client."):
            told = kind.closed(asked) if kind.closed is not None else None
            assert told is not None and told.startswith("This request has gone stale: "), kind.key
