"""Taking a request for approval: whose it is, who is told, and what comes next."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Role
from dashboard.approvals import queries, services, taking
from dashboard.audit.models import AuditEvent
from dashboard.database import new_id, session, transaction
from dashboard.errors import Conflict, Forbidden
from dashboard.queues.models import QueueItem
from tests.approvals.test_approval_pages import flashes
from tests.approvals.test_four_eyes import asked
from tests.approvals.test_many_at_once import state_of, tightened
from tests.conftest import People

SignIn = Callable[..., FlaskClient]


def listed(browser: FlaskClient, **filters: str) -> set[str]:
    page = browser.get("/approvals", query_string=filters).text
    return set(re.findall(r'class="open" href="/approvals/([0-9a-f-]{36})"', page))


def holder(request_id: UUID) -> UUID | None:
    return taking.holders([request_id]).get(request_id)


def test_who_takes_a_request_is_named_to_the_others_who_may_decide_it_all_the_same(
    signed_in: SignIn, people: People
) -> None:
    officer = people.actor(Role.OFFICER)
    first, second = asked(officer).id, tightened(officer, "eur")
    riina, tiit = (people.actor(Role.SENIOR_OFFICER, name) for name in ("Riina Kask", "Tiit Mets"))
    hers, his = signed_in(Role.SENIOR_OFFICER, "Riina Kask"), signed_in(Role.SENIOR_OFFICER, "Tiit Mets")
    page = hers.get("/approvals").text
    assert f'form="take" formaction="/approvals/{first}/take"' in page
    here = {"next": "/approvals?view=me"}
    assert hers.post(f"/approvals/{first}/take", data=here).location == "/approvals?view=me"
    assert flashes(hers) == ["Taken. It is yours."]
    assert "Taken by you" in hers.get("/approvals").text

    # the other reads so in the list, on the page, in both dialogs, and may not take it
    page = his.get("/approvals").text
    assert "Taken by Riina Kask" in page and f'formaction="/approvals/{first}/take"' not in page
    for address in ("", "/approve", "/reject"):
        assert "Riina Kask has taken this request." in his.get(f"/approvals/{first}{address}").text
    his.post(f"/approvals/{first}/take")
    assert flashes(his)[-1] == "Riina Kask has taken this request meanwhile."
    assert his.post(f"/approvals/{first}/release").status_code == 303 and holder(first) == riina.id
    # the figures: hers, his and what nobody has taken; the rail counts them all
    days = clock.calendar()
    assert (queries.count_for(riina, days).mine, queries.count_for(riina, days).unassigned) == (1, 1)
    assert (queries.count_for(tiit, days).mine, queries.count_for(tiit, days).unassigned) == (0, 1)
    assert queries.count_for(tiit, days).everybody == queries.waiting_for(tiit) == 2
    assert listed(hers, who="me") == {str(first)} and listed(hers, who="none") == {str(second)}
    assert listed(his, who="me") == set() and listed(his) == {str(first), str(second)}
    # many at once: what a colleague has is said in the read-back
    with transaction():
        taking.take(second, by=riina)
    read_back = his.get("/approvals/bulk", query_string={"act": "approve", "id": [str(second)]}).text
    assert "Taken by Riina Kask" in read_back
    # nothing is left to take: the next is nobody's
    assert his.post("/approvals/next").location == "/approvals"
    assert flashes(his)[-1] == "Nothing waits for your decision but what colleagues have taken."
    # given back, it is the next of the other: here, and from home
    assert hers.post(f"/approvals/{first}/release").location == f"/approvals/{first}"
    assert his.post("/approvals/next").location == f"/approvals/{first}" and holder(first) == tiit.id
    assert his.post("/queues/next").location == f"/approvals/{first}"
    # deciding what a colleague has taken is allowed, and ends the taking
    assert hers.post(f"/approvals/{first}/approve").status_code == 303
    assert state_of(first) == "approved" and holder(first) is None
    assert session().scalars(sa.select(QueueItem.closed_by).where(QueueItem.object_id == first)).one() == riina.id
    told = session().scalars(sa.select(AuditEvent.action).where(AuditEvent.action.startswith("queue."))).all()
    assert sorted(told) == ["queue.released", "queue.taken", "queue.taken", "queue.taken"]


def test_only_who_may_decide_takes_and_the_pages_of_other_queues_know_nothing_of_it(
    signed_in: SignIn, people: People
) -> None:
    officer, senior = people.actor(Role.OFFICER), people.actor(Role.SENIOR_OFFICER)
    request = asked(officer)
    for who in (officer, people.actor(Role.TREASURER)):
        with pytest.raises(Forbidden), transaction():
            taking.take(request.id, by=who)
    assert signed_in(Role.OFFICER).post(f"/approvals/{request.id}/take").status_code == 403
    assert signed_in(Role.AUDITOR).post(f"/approvals/{request.id}/take").status_code == 403
    assert signed_in(Role.ADMIN).post(f"/approvals/{request.id}/take").status_code == 404
    with transaction():
        taking.take(request.id, by=senior)
        taking.take(request.id, by=senior)
    item = session().scalars(sa.select(QueueItem).where(QueueItem.queue == "approvals")).one()
    # no timeline of the client tells who read the request
    assert item.client_id is None
    browser = signed_in(Role.SENIOR_OFFICER)
    assert browser.post(f"/queues/items/{item.id}/release").status_code == 404
    assert 'id="fig-approvals-mine"' in browser.get("/").text
    with transaction():
        services.withdraw(request.id, by=officer)
    with pytest.raises(Conflict), transaction():
        taking.take(request.id, by=senior)
    assert browser.post(f"/approvals/{request.id}/release").status_code == 303
    assert flashes(browser)[-1] == "This request is not yours, or closed."


def test_what_a_token_asked_its_owner_finds_under_asked_by_me_and_may_take_back(
    signed_in: SignIn, people: People
) -> None:
    owner = people.actor(Role.SENIOR_OFFICER)
    machine = Actor(
        kind="token", id=new_id(), name="ledger robot", role="internal", permissions=owner.permissions,
        owner_id=owner.id,
    )  # fmt: skip
    request = asked(machine)
    word = services.word_to_maker(request, until="noon")
    assert word is not None and "Asked by me" in word.text
    browser = signed_in(Role.SENIOR_OFFICER)
    assert listed(browser, view="mine") == {str(request.id)}
    assert f"/approvals/{request.id}/withdraw" in browser.get("/approvals?view=mine").text
    page = browser.get(f"/approvals/{request.id}").text
    assert "Your token asked; another person decides." in page and f"/approvals/{request.id}/withdraw" in page
    assert f"/approvals/{request.id}" in browser.get("/").text
    # nobody else's
    assert listed(signed_in(Role.SENIOR_OFFICER, "Tiit Mets"), view="mine") == set()
    assert browser.get(f"/approvals/{request.id}/withdraw").status_code == 200
    assert browser.post(f"/approvals/{request.id}/withdraw").status_code == 303
    assert state_of(request.id) == "withdrawn"
