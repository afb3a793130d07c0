"""The way from a wish to be deleted to the plan: CP-02, letters, holds, the end of a relationship, two people."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard.access import tokens
from dashboard.access.actor import Actor
from dashboard.access.permissions import DEFAULT_SCOPES, Audience, Role
from dashboard.approvals import services as approvals
from dashboard.clients import deletion, services
from dashboard.clients.calendar import calendar
from dashboard.clients.deletion_models import DeletionRequest, LegalHold
from dashboard.clients.models import Client
from dashboard.clients.retention import Channel, Ground, HoldCode, answer_due, ends
from dashboard.clients.services import deletion as deleting
from dashboard.clients.vocabulary import BlockCode, MarkKind
from dashboard.database import session, transaction
from dashboard.errors import Conflict, DomainError, Forbidden, Invalid, Refused
from dashboard.ledger.services import accounts
from dashboard.ledger.vocabulary import AccountType
from dashboard.queues.models import QueueItem
from tests.clients.making import TODAY, activated, blocked, company, path, person
from tests.conftest import People

PATH = "/Client/deletion-notifications"
SignIn = Callable[..., FlaskClient]


@pytest.fixture
def officer(people: People) -> Actor:
    return people.actor(Role.OFFICER)


@pytest.fixture
def senior(people: People) -> Actor:
    return people.actor(Role.SENIOR_OFFICER)


@pytest.fixture
def client(officer: Actor) -> Client:
    return person(officer)


def asked(client: Client, by: Actor, **options: Any) -> DeletionRequest:
    with transaction():
        return services.request_deletion(client.id, channel=Channel.LETTER, by=by, **options)


def closed(client: Client, by: Actor) -> Client:
    with transaction():
        return services.close(client.id, reason="The client left.", by=by)


def planned(request: DeletionRequest, maker: Actor, second: Actor) -> DeletionRequest:
    with transaction():
        wish = services.ask_to_purge(request.id, reason="Nothing is left.", by=maker)
    with transaction():
        assert approvals.decide(wish.id, approve=True, reason=None, by=second).state == "approved"
    session().refresh(request)
    return request


def account_of(client: Client, by: Actor) -> Any:
    with transaction():
        return accounts.open_account(type=AccountType.CLIENT, currency="eur", owner_id=client.id, by=by)


def open_items(client: Client) -> list[str]:
    return list(
        session().scalars(
            sa.select(QueueItem.cause).where(
                QueueItem.queue == "deletion-requests", QueueItem.client_id == client.id, QueueItem.closed_at.is_(None)
            )
        )
    )


def test_a_client_asks_in_its_app_and_the_same_wish_again_answers_the_first(
    client: Client, machine: Callable[..., Any]
) -> None:
    app = machine(Audience.FRONTOFFICE, client_id=client.id)
    first = app.call("POST", PATH, json={"reason": " I am leaving. "})
    assert first.status_code == 200, first.get_data(as_text=True)
    body = first.get_json()
    assert body["isSuccess"] and body["value"] == body["valueOrDefault"]
    assert set(body["value"]) == {"id", "status", "created", "reason"}
    assert (body["value"]["status"], body["value"]["reason"]) == ("requested", "I am leaving.")
    for again in (
        app.call("POST", PATH),
        app.call("POST", PATH, json={}),
        app.call("POST", PATH, json={"reason": "x"}),
    ):
        assert again.get_json()["value"] == body["value"]
    session().refresh(client)
    assert client.restricted_at is not None
    assert open_items(client) == ["decide"]
    assert session().scalar(sa.select(sa.func.count()).select_from(DeletionRequest)) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reason": 7}, "reason"),
        ({"reason": "x" * 2001}, "reason"),
        ({"reason": "a\0b"}, "reason"),
        ({"why": "x"}, "why"),
    ],
)
def test_a_wish_that_cannot_be_read_names_the_field_and_restricts_nothing(
    client: Client, machine: Callable[..., Any], body: dict[str, Any], field: str
) -> None:
    answer = machine(Audience.FRONTOFFICE, client_id=client.id).call("POST", PATH, json=body)
    assert answer.status_code == 400
    assert answer.get_json()["errors"][0]["metadata"]["field"] == field
    session().refresh(client)
    assert client.restricted_at is None


def test_only_a_front_office_token_asks(client: Client, machine: Callable[..., Any]) -> None:
    assert machine(Audience.SYSTEM, scopes=["all"]).call("POST", PATH).status_code == 403


def test_a_key_sent_twice_answers_alike(client: Client, machine: Callable[..., Any]) -> None:
    app = machine(Audience.FRONTOFFICE, client_id=client.id)
    first, again = (app.call("POST", PATH, json={}, headers={"Idempotency-Key": "one"}) for _ in range(2))
    assert first.get_data() == again.get_data()
    assert again.headers["Idempotent-Replayed"] == "true"
    other = app.call("POST", PATH, json={"reason": "x"}, headers={"Idempotency-Key": "one"})
    assert other.status_code == 409


def test_eight_wishes_at_the_same_moment_are_one(committed: Flask) -> None:
    from tests.conftest import People as Staff

    client = person(Staff().actor(Role.OFFICER))
    with transaction():
        _token, secret = tokens.create(
            audience=Audience.FRONTOFFICE, scopes=DEFAULT_SCOPES[Audience.FRONTOFFICE], name="race", client_id=client.id
        )
    gate, answers = threading.Barrier(8), []

    def send() -> None:
        gate.wait()
        answer = committed.test_client().post(PATH, headers={"Authorization": f"Bearer {secret}"})
        answers.append((answer.status_code, answer.get_json()["value"]["id"]))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(answers)) == 1 and answers[0][0] == 200


def test_while_it_is_open_the_profile_rests_and_no_account_is_opened(
    client: Client, officer: Actor, machine: Callable[..., Any]
) -> None:
    asked(client, officer)
    system = machine(Audience.SYSTEM)
    told = system.call("GET", f"/internal/Clients/{client.id}").get_json()["value"]
    assert told["processingRestricted"] is True
    change = system.call("PUT", f"/internal/Clients/{client.id}", json={"firstName": "Other", "lastName": "Name"})
    assert change.status_code == 422
    assert change.get_json()["errors"][0]["metadata"]["code"] == "processingRestricted"
    opened = system.call(
        "POST", "/v2/internal/Accounts", json={"clientId": str(client.id), "type": "client", "currency": "eur"}
    )
    assert opened.status_code == 422 and "clientClosed" in opened.get_data(as_text=True)
    # what the law demands goes on: a block, a note
    blocked(client, officer)
    with transaction():
        services.add_note(client.id, body="Called.", by=officer)


def test_a_wish_that_is_taken_back_leaves_everything_as_before(client: Client, officer: Actor) -> None:
    request = asked(client, officer)
    with transaction():
        services.withdraw_deletion(request.id, reason="By phone.", by=officer)
    session().refresh(client)
    assert (client.restricted_at, request.state, open_items(client)) == (None, "withdrawn", [])
    account_of(client, officer)
    with pytest.raises(Conflict):
        with transaction():
            services.withdraw_deletion(request.id, reason="Again.", by=officer)
    assert asked(client, officer).id != request.id


def test_a_refusal_names_its_ground_and_retention_alone_is_none(client: Client, officer: Actor) -> None:
    request = asked(client, officer)
    with pytest.raises(Invalid):
        with transaction():
            services.refuse_deletion(request.id, ground=Ground.LEGAL_CLAIMS, reason=" ", by=officer)
    closed(client, officer)
    with pytest.raises(Refused, match="when retention is over"):
        with transaction():
            services.refuse_deletion(request.id, ground=Ground.LEGAL_OBLIGATION, reason="Five years.", by=officer)
    with transaction():
        services.refuse_deletion(request.id, ground=Ground.LEGAL_CLAIMS, reason="A suit is pending.", by=officer)
    session().refresh(client)
    assert (request.state, request.refusal_ground, client.restricted_at) == ("refused", "legalClaims", None)


@pytest.mark.parametrize("day", [TODAY + timedelta(days=1), TODAY - timedelta(days=400)])
def test_a_letter_was_received_within_the_last_year(client: Client, officer: Actor, day: date) -> None:
    with pytest.raises(Invalid):
        asked(client, officer, received_on=day)


def test_a_relationship_ends_only_when_nothing_is_left_of_its_money(client: Client, officer: Actor) -> None:
    account = account_of(client, officer)
    with pytest.raises(Refused, match="an account is still open"):
        closed(client, officer)
    with transaction():
        accounts.close(account.id, by=officer)
    blocked(client, officer)
    with pytest.raises(Refused, match="A block stands"):
        closed(client, officer)


def test_a_relationship_ends_once_and_retention_counts_from_then(client: Client, officer: Actor) -> None:
    closed(client, officer)
    assert client.status == "closed" and client.closed_at is not None
    found = deletion.standing(client)
    assert found.retention_until == ends(client.closed_at)
    assert found.retention_until is not None
    assert found.retention_until.year == client.closed_at.year + 5
    assert not found.retention_over
    with pytest.raises(Refused, match="ended already"):
        closed(client, officer)


def test_what_stands_between_is_listed_in_order_with_what_is_left(
    client: Client, officer: Actor, senior: Actor
) -> None:
    activated(client, officer, senior)
    account = account_of(client, officer)
    with transaction():
        services.place_hold(client.id, code=HoldCode.LITIGATION, reference="File 7", by=officer)
    request = asked(client, officer)
    left = {step.key: step.left for step in deletion.steps(deletion.standing(client)) if step.left}
    assert left == {
        "accounts": "close 1 account",
        "relationship": "end it when the steps above are done",
        "holds": "end 1 hold",
        "plan": "ask for it when the steps above are done",
        "retention": "5 years from the end of the relationship",
    }
    with pytest.raises(Refused, match="close 1 account; end it when the steps above are done; end 1 hold"):
        with transaction():
            services.ask_to_purge(request.id, reason="Now.", by=officer)
    with transaction():
        accounts.close(account.id, by=officer)
    closed(client, officer)
    assert list(deletion.obstacles(client.id)) == ["holds"]


def test_a_deletion_is_planned_by_two_people_and_then_only_the_date_is_missing(
    client: Client, officer: Actor, senior: Actor
) -> None:
    request = asked(client, officer)
    closed(client, officer)
    with transaction():
        wish = services.ask_to_purge(request.id, reason="Nothing is left.", by=officer)
    with pytest.raises(Forbidden):
        approvals.decide(wish.id, approve=True, reason=None, by=officer)
    with transaction():
        approvals.decide(wish.id, approve=True, reason=None, by=senior)
    session().refresh(request)
    assert (request.state, request.purge_from, open_items(client)) == ("waiting", ends(client.closed_at), [])
    with transaction():
        assert services.purge(request.id, by=officer) is None
    session().refresh(client)
    assert client.purged_at is None and client.name == "Mari Ilves"


def test_a_request_that_closes_meanwhile_leaves_nothing_to_approve(
    client: Client, officer: Actor, senior: Actor
) -> None:
    request = asked(client, officer)
    closed(client, officer)
    with transaction():
        wish = services.ask_to_purge(request.id, reason="Nothing is left.", by=officer)
    with transaction():
        services.withdraw_deletion(request.id, reason="By phone.", by=officer)
    session().refresh(wish)
    assert wish.state == "stale"


def test_a_hold_is_placed_by_one_and_ended_by_two(client: Client, officer: Actor, senior: Actor) -> None:
    with transaction():
        hold = services.place_hold(client.id, code=HoldCode.AUDIT, reference="Audit 2026", by=officer)
    with pytest.raises(Conflict):
        with transaction():
            services.place_hold(client.id, code=HoldCode.AUDIT, reference="Again", by=officer)
    with transaction():
        wish = services.ask_to_end_hold(hold.id, reason="Done.", by=officer)
    session().refresh(hold)
    assert hold.ended_at is None
    with transaction():
        approvals.decide(wish.id, approve=True, reason=None, by=senior)
    session().refresh(hold)
    assert hold.ended_at is not None and not deletion.active_holds(client.id)


class Later:
    """The calendar in six years."""

    def today(self) -> date:
        return TODAY + timedelta(days=6 * 366)

    def __getattr__(self, name: str) -> Any:
        return getattr(calendar(), name)


def test_a_hold_that_comes_after_the_plan_opens_work_instead_of_deleting(
    client: Client, officer: Actor, senior: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = asked(client, officer)
    closed(client, officer)
    planned(request, officer, senior)
    with transaction():
        services.place_hold(client.id, code=HoldCode.AUTHORITY_ORDER, reference="Order 4", by=officer)
    monkeypatch.setattr(deleting, "calendar", lambda: Later())
    with transaction():
        assert services.purge(request.id, by=officer) is None
    assert open_items(client) == ["inTheWay"]


def test_what_the_law_keeps_out_of_sight_stays_there(
    client: Client, officer: Actor, signed_in: SignIn, machine: Callable[..., Any]
) -> None:
    with transaction():
        services.place_hold(client.id, code=HoldCode.INVESTIGATION, reference="Secret file 88", by=officer)
    asked(client, officer, reason="My own words")
    browser = signed_in(Role.TREASURER)
    for page in ("", "/deletion", "?tab=timeline", "?tab=related"):
        text = browser.get(path(client, page)).get_data(as_text=True)
        for hidden in ("Secret file 88", "Investigation", "My own words", "KE1234567", "mari@mail.example"):
            assert hidden not in text, (page, hidden)
    shown = signed_in(Role.OFFICER).get(path(client, "/deletion")).get_data(as_text=True)
    assert "Secret file 88" in shown and "My own words" in shown
    answer = machine(Audience.FRONTOFFICE, client_id=client.id).call("POST", PATH)
    assert "hold" not in answer.get_data(as_text=True).lower()
    # written down by staff, so not the client's to read back
    assert answer.get_json()["value"]["reason"] is None


def test_a_sanctions_mark_that_came_after_the_end_stands_in_the_way(
    client: Client, officer: Actor, senior: Actor, people: People, signed_in: SignIn
) -> None:
    request = asked(client, officer)
    closed(client, officer)
    with transaction():
        services.open_mark(
            client.id, kind=MarkKind.SANCTIONS, list_name="EU consolidated list", said_by="Screening", by=officer
        )
    assert not session().scalars(sa.text("SELECT 1 FROM client_block WHERE client_id = :id"), {"id": client.id}).all()
    assert deletion.obstacles(client.id) == {"sanctionsMark": 1}
    with pytest.raises(Refused) as refusal, transaction():
        services.ask_to_purge(request.id, reason="Nothing left.", by=officer)
    assert "end 1 sanctions mark" in refusal.value.message
    shown = signed_in(Role.OFFICER).get(path(client, "/deletion")).get_data(as_text=True)
    assert "No sanctions mark" in shown and "End 1 sanctions mark" in shown
    hidden = signed_in(Role.TREASURER).get(path(client, "/deletion")).get_data(as_text=True)
    assert "anction" not in hidden and "Ask for it when" not in hidden


def test_the_whole_way_on_pages(client: Client, signed_in: SignIn) -> None:
    browser = signed_in(Role.OFFICER)
    page = browser.get(path(client, "/deletion")).get_data(as_text=True)
    assert "Nobody asked to delete this data." in page
    letter = {"channel": "letter", "received_on": TODAY.isoformat(), "reason": "Please."}
    assert browser.post(path(client, "/deletion/new"), data=letter).status_code == 303
    head = browser.get(path(client)).get_data(as_text=True)
    assert "Processing restricted" in head and "Editing is not offered" in head and "Kept" not in head
    assert browser.get(path(client, "/edit")).status_code == 422
    request = deletion.open_request(client.id)
    assert request is not None
    at = path(client, f"/deletion/{request.id}")
    assert "Something still stands in the way" in browser.get(f"{at}/delete").get_data(as_text=True)
    assert browser.post(path(client, "/close"), data={"reason": ""}).status_code == 422
    assert browser.post(path(client, "/close"), data={"reason": "Left."}).status_code == 303
    assert "Ask to delete…" in browser.get(path(client, "/deletion")).get_data(as_text=True)
    assert browser.post(f"{at}/delete", data={"reason": "Nothing is left."}).status_code == 303
    waits = browser.get(path(client, "/deletion")).get_data(as_text=True)
    assert "A second person decides" in waits
    wish = approvals.live("client.purge", request.id)
    assert wish is not None
    other = signed_in(Role.SENIOR_OFFICER)
    assert "Delete the data of" in other.get(f"/approvals/{wish.id}").get_data(as_text=True)
    assert other.post(f"/approvals/{wish.id}/approve", data={}).status_code == 303
    assert "Will be deleted from" in browser.get(path(client, "/deletion")).get_data(as_text=True)
    for state in ("requested", "waiting", "purged", "refused", "withdrawn"):
        listed = browser.get(f"/clients/deletions?state={state}")
        assert listed.status_code == 200
        assert (client.name in listed.get_data(as_text=True)) is (state == "waiting")
    assert browser.get("/clients/deletions?state=x").status_code == 404


def test_pages_of_somebody_elses_request_are_not_there(client: Client, officer: Actor, signed_in: SignIn) -> None:
    other = company(officer)
    request = asked(other, officer)
    with transaction():
        hold = services.place_hold(other.id, code=HoldCode.AUDIT, reference="x", by=officer)
    browser = signed_in(Role.OFFICER)
    for rest in (f"/deletion/{request.id}/delete", f"/deletion/{request.id}/refuse", f"/deletion/{request.id}/withdraw",
                 f"/holds/{hold.id}/end"):  # fmt: skip
        assert browser.get(path(client, rest)).status_code == 404
        assert browser.get(path(other, rest)).status_code == 200
    for role in (Role.TREASURER, Role.ADMIN, Role.AUDITOR):
        assert (
            signed_in(role).post(path(other, f"/deletion/{request.id}/withdraw"), data={"reason": "x"}).status_code
            == 403
        )
    session().refresh(request)
    assert request.state == "requested"


def test_the_queue_leads_to_the_page(client: Client, officer: Actor, signed_in: SignIn) -> None:
    asked(client, officer)
    browser = signed_in(Role.OFFICER)
    page = browser.get("/queues/deletion-requests").get_data(as_text=True)
    assert "Decide on the deletion" in page and f"/clients/{client.id}/deletion" in page
    assert "the relationship goes on · no legal hold" in page
    with transaction():
        services.place_hold(client.id, code=HoldCode.LITIGATION, reference="File 7", by=officer)
    closed(client, officer)
    until = ends(client.closed_at)
    assert until is not None
    page = browser.get("/queues/deletion-requests").get_data(as_text=True)
    assert f"free from {until.day} {until:%b %Y} · a legal hold stands" in page and "File 7" not in page
    assert signed_in(Role.TREASURER).get("/queues/deletion-requests").status_code == 403
    assert "Deletion requests" in browser.get("/").get_data(as_text=True)


def test_a_form_tells_what_is_missing(client: Client, officer: Actor, signed_in: SignIn) -> None:
    request = asked(client, officer)
    browser = signed_in(Role.OFFICER)
    tries: list[tuple[str, dict[str, str]]] = [
        (f"/deletion/{request.id}/refuse", {"reason": "x"}),
        (f"/deletion/{request.id}/refuse", {"ground": "legalClaims"}),
        (f"/deletion/{request.id}/refuse", {"ground": "becauseISaySo", "reason": "x"}),
        (f"/deletion/{request.id}/withdraw", {}),
        ("/deletion/new", {"channel": "pigeon"}),
        ("/deletion/new", {"channel": "letter", "received_on": "2999-01-01"}),
        ("/holds/new", {"code": "AUDIT"}),
        ("/holds/new", {"code": "X", "reference": "y"}),
    ]
    for rest, data in tries:
        assert browser.post(path(client, rest), data=data).status_code == 422, (rest, data)
    session().refresh(request)
    assert request.state == "requested"
    assert session().scalar(sa.select(sa.func.count()).select_from(LegalHold)) == 0


def test_a_block_in_the_way_is_named(client: Client, officer: Actor) -> None:
    request = asked(client, officer)
    closed(client, officer)
    blocked(client, officer, code=BlockCode.COURT_ATTACHMENT)
    with pytest.raises(DomainError, match="lift 1 block"):
        with transaction():
            services.ask_to_purge(request.id, reason="Now.", by=officer)


def test_the_list_stands_by_the_day_of_receipt_and_says_until_when_to_answer(
    client: Client, officer: Actor, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard.clients.pages import deletion as page_of

    today = TODAY
    days = [timedelta(days=2), timedelta(days=40), timedelta(days=1)]
    names = []
    for number, before in enumerate(days):
        one = client if not number else person(officer, first=f"Number {number}", document=None)
        with transaction():
            services.request_deletion(one.id, channel=Channel.LETTER, received_on=today - before, by=officer)
        names.append(one.name)
    monkeypatch.setattr(page_of, "PAGE", 2)
    browser = signed_in(Role.OFFICER)
    first = browser.get("/clients/deletions").text
    assert [name for name in (names[2], names[0]) if name in first] == [names[2], names[0]]
    assert first.index(names[2]) < first.index(names[0]) and names[1] not in first
    older = re.search(r'href="([^"]+before=[^"]+)"', first)
    assert older
    second = browser.get(older[1].replace("&amp;", "&")).text
    assert names[1] in second and names[0] not in second
    due = answer_due(today - days[1])
    assert f"{due.day} {due:%b %Y}" in second
    assert browser.get("/clients/deletions?before=nonsense").status_code == 200


def test_the_person_is_answered_within_one_month_of_any_length() -> None:
    assert answer_due(date(2026, 11, 20)) == date(2026, 12, 20)
    assert answer_due(date(2026, 12, 31)) == date(2027, 1, 31)
    assert answer_due(date(2026, 1, 31)) == date(2026, 2, 28)


def test_steps_stand_only_while_a_request_is_open_and_say_when_the_relationship_may_end(
    client: Client, officer: Actor, signed_in: SignIn
) -> None:
    browser = signed_in(Role.OFFICER)
    page = browser.get(path(client, "/deletion")).text
    assert "Before the deletion" not in page and "End the relationship…" in page and "Record a request…" in page
    asked(client, officer)
    page = browser.get(path(client, "/deletion")).text
    assert "Before the deletion" in page and "End it when the steps above are done" not in page
    assert "Answer due" in page and "To do" in page
