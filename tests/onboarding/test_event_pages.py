"""The pages of events: the list, one event, processing again, settling a doubt, and why a client is as it is."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard import clock
from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.background import runner
from dashboard.background.models import BackgroundJob
from dashboard.clients import services as clients
from dashboard.clients.models import Client
from dashboard.clients.vocabulary import BlockCode
from dashboard.database import session, transaction
from dashboard.onboarding.sumsub import report
from dashboard.onboarding.sumsub.queries import EventFilter
from dashboard.queues.models import QueueItem
from tests.clients.making import activated, blocked, path, person
from tests.conftest import People
from tests.exports.reading import tables_of
from tests.onboarding.telling import (
    FINAL,
    GREEN,
    RETRY,
    decisions,
    doubts,
    event,
    send,
    status,
    stored,
    told,
    verification,
)

LIST = "/onboarding/events"


@pytest.fixture
def client(app: Flask) -> Client:
    return person(system())


def text_of(page: Any) -> str:
    """What a person reads, spaces made one."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.get_data(as_text=True)))


def run_jobs(app: Flask) -> None:
    while runner.run_one(app, threading.Event()):
        pass


def test_the_list_shows_what_came_and_what_became_of_it(
    http: FlaskClient, signed_in: Callable[..., FlaskClient], client: Client
) -> None:
    told(http, event("applicantReviewed", client, 0, **GREEN), event("applicantSomethingNew", client, 1))
    send(http, b'{"type": "applicantReviewed"}', digest="0" * 64)
    send(http, event("applicantReviewed", client, 0, **GREEN))
    page = signed_in(Role.OFFICER).get(LIST)
    words = text_of(page)
    assert page.status_code == 200 and "Mari Ilves" in words
    for shown in ("applicantReviewed", "GREEN", "Applied", "applicantSomethingNew", "Noted", "Refused body", "Refused"):
        assert shown in words


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("state=applied", {"Reviewed", "Handed in for review"}), ("state=refused", {"Refused body"}),
        ("state=outOfDate", {"Applicant created"}), ("state=waiting", {"On hold"}),
        ("type=applicantCreated", {"Applicant created"}), ("answer=GREEN", {"Reviewed"}),
        ("source=webhook&answer=GREEN", {"Reviewed"}), ("source=pull", set()),
        ("about=nobody", set()), ("received_from=2999-01-01", set()), ("received_to=2001-01-01", set()),
    ],
)  # fmt: skip
def test_filters_stand_in_the_address_and_combine(
    http: FlaskClient, signed_in: Callable[..., FlaskClient], client: Client, query: str, shown: set[str]
) -> None:
    told(http, event("applicantPending", client, 1, reviewStatus="pending"))
    told(http, event("applicantReviewed", client, 2, **GREEN))
    told(http, event("applicantCreated", client, 0))
    told(http, event("applicantOnHold", client, 3), process=False)
    send(http, b"{}", digest="0" * 64)
    page = signed_in(Role.AUDITOR).get(f"{LIST}?{query}")
    rows = set(re.findall(r'class="open" href="/onboarding/events/[^"]+">([^<]+)<', page.get_data(as_text=True)))
    assert (page.status_code, rows) == (200, shown)


def test_a_client_an_applicant_or_an_operation_is_found_by_its_id(
    http: FlaskClient, signed_in: Callable[..., FlaskClient], client: Client
) -> None:
    other = person(system(), first="Other")
    told(http, event("applicantCreated", client, 0), event("applicantCreated", other, 0))
    officer = signed_in(Role.OFFICER)
    row = stored()[0]
    for about in (str(client.id), row.applicant_id, row.correlation_id):
        words = text_of(officer.get(f"{LIST}?about={about}"))
        assert "1 row" in words and "Other" not in words


def test_filters_that_mean_nothing_are_named_and_nothing_is_listed(signed_in: Callable[..., FlaskClient]) -> None:
    officer = signed_in(Role.OFFICER)
    for query in ("state=x", "type=x", "answer=BLUE", "source=x", "received_from=yesterday", "about=" + "x" * 300,
                  "received_from=2026-02-02&received_to=2026-02-01", "about=%00"):  # fmt: skip
        page = officer.get(f"{LIST}?{query}")
        assert page.status_code == 422 and "Nothing is listed" in text_of(page), query
    assert officer.get(f"{LIST}?cursor=x").status_code == 400


def test_pages_of_the_list_show_each_event_once(
    http: FlaskClient, signed_in: Callable[..., FlaskClient], client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard.onboarding.sumsub import pages

    monkeypatch.setattr(pages, "DEFAULT_PAGE_SIZE", 3)
    told(http, *(event("applicantTagsChanged", client, number) for number in range(8)))
    officer, url, seen = signed_in(Role.OFFICER), LIST, []
    while url:
        body = officer.get(url).get_data(as_text=True)
        seen += re.findall(r'class="open" href="/onboarding/events/([^"]+)"', body)
        following = re.search(r'href="([^"]+)" rel="next"', body)
        url = following[1].replace("&amp;", "&") if following else ""
    assert seen == [str(each.id) for each in reversed(stored())]


def test_the_first_day_says_what_to_do(signed_in: Callable[..., FlaskClient]) -> None:
    officer = signed_in(Role.OFFICER)
    assert "Sumsub has told nothing yet" in text_of(officer.get(LIST))
    assert "Nothing fits these filters" in text_of(officer.get(f"{LIST}?state=applied"))


def test_one_event_shows_verdict_raw_payload_effect_and_the_others_of_its_applicant(
    http: FlaskClient, signed_in: Callable[..., FlaskClient], client: Client
) -> None:
    told(http, event("applicantReviewed", client, 0, added="<script>alert(1)</script>", **RETRY))
    told(http, event("applicantReviewed", client, 5, sandboxMode="false", **GREEN))
    told(http, event("applicantReviewed", client, 2, **FINAL))
    officer = signed_in(Role.OFFICER)
    first, green, late = stored()
    page = officer.get(f"{LIST}/{first.id}")
    body = page.get_data(as_text=True)
    assert page.status_code == 200 and "<script>alert" not in body and "&lt;script&gt;alert" in body
    words = text_of(page)
    for shown in ("RED RETRY", "UNSATISFACTORY_PHOTOS", "Please send a sharper picture.", "Corners are cut off.",
                  "for staff only", "Asked again: nothing to do", "right"):  # fmt: skip
        assert shown in words, shown
    assert "Approved: client activated" in text_of(officer.get(f"{LIST}/{green.id}"))
    assert "sandboxMode is text" in text_of(officer.get(f"{LIST}/{green.id}"))
    words = text_of(officer.get(f"{LIST}/{late.id}"))
    assert "Out of date" in words and "Rejected for good: out of date: nothing changed" in words
    assert str(green.id) in officer.get(f"{LIST}/{late.id}").get_data(as_text=True)


def test_a_refused_body_is_shown_for_what_it_is(http: FlaskClient, signed_in: Callable[..., FlaskClient]) -> None:
    send(http, b'{"type": "applicantReviewed"}', digest=None)
    page = signed_in(Role.OFFICER).get(f"{LIST}/{stored()[0].id}")
    words = text_of(page)
    assert "Nobody signed it as agreed" in words and "no digest was sent" in words and "Process again" not in words


def test_who_may_not_read_events_is_told_so_and_who_may_only_read_changes_nothing(
    http: FlaskClient, signed_in: Callable[..., FlaskClient], client: Client
) -> None:
    told(http, event("applicantReviewed", client, 0, **GREEN))
    one = stored()[0].id
    treasurer, auditor = signed_in(Role.TREASURER), signed_in(Role.AUDITOR)
    assert treasurer.get(LIST).status_code == 403 and treasurer.get(f"{LIST}/{one}").status_code == 403
    assert auditor.get(f"{LIST}/{one}").status_code == 200
    assert "Process again" not in text_of(auditor.get(f"{LIST}/{one}"))
    assert auditor.post(f"{LIST}/{one}/replay").status_code == 403
    assert auditor.post(f"{LIST}/replay").status_code == 403
    assert signed_in(Role.OFFICER).get(f"{LIST}/{client.id}").status_code == 404


def test_processing_one_again_takes_up_an_approval_that_was_held_back(
    http: FlaskClient, signed_in: Callable[..., FlaskClient], people: People, app: Flask
) -> None:
    client = person(system(), birth_date=None, risk_level=4)
    told(http, event("applicantReviewed", client, 0, **GREEN))
    assert decisions(client) == [("approved", "heldBack")]
    officer = signed_in(Role.OFFICER)
    assert officer.post(f"{LIST}/{stored()[0].id}/replay").status_code == 303
    assert decisions(client) == [("approved", "heldBack")]
    lower_risk(client, people)
    assert officer.post(f"{LIST}/{stored()[0].id}/replay").status_code == 303
    assert "Client activated" in text_of(officer.get(f"{LIST}/{stored()[0].id}"))
    assert status(client) == "active"


def lower_risk(client: Client, people: People) -> None:
    from dashboard.approvals import services as approvals
    from dashboard.clients.models import ClientBlock

    with transaction():
        asked = clients.ask_to_lower_risk(client.id, risk_level=1, reason="Seen", by=people.actor(Role.OFFICER))
    with transaction():
        approvals.decide(asked.id, approve=True, reason=None, by=people.actor(Role.SENIOR_OFFICER))
    for block in session().scalars(sa.select(ClientBlock).where(ClientBlock.client_id == client.id)):
        with transaction():
            asked = clients.ask_to_unblock(block.id, reason="Seen", by=people.actor(Role.OFFICER))
        with transaction():
            approvals.decide(asked.id, approve=True, reason=None, by=people.actor(Role.SENIOR_OFFICER))


def test_processing_many_again_goes_on_in_the_background_with_progress_and_does_nothing_twice(
    http: FlaskClient, signed_in: Callable[..., FlaskClient], app: Flask
) -> None:
    many = [person(system(), first=f"Number {number}", document=None) for number in range(5)]
    for each in many:
        told(http, event("applicantReviewed", each, 0, **GREEN))
    before = [decisions(each) for each in many]
    officer = signed_in(Role.OFFICER)
    assert officer.post(f"{LIST}/replay", data={"answer": "GREEN"}).status_code == 303
    words = text_of(officer.get(LIST))
    assert "Waiting to start" in words and "Process all again" not in words
    assert "Waiting to start" in text_of(officer.get(f"{LIST}/replay"))
    run_jobs(app)
    job = session().scalars(sa.select(BackgroundJob).execution_options(populate_existing=True)).one()
    assert (job.state, job.done, job.total, job.result) == ("succeeded", 5, 5, {"applicants": 5, "failed": 0})
    assert [decisions(each) for each in many] == before
    assert "5 applicants processed again" in text_of(officer.get(LIST))
    # the bar is over: the page is loaded again
    assert officer.get(f"{LIST}/replay", headers={"HX-Request": "true"}).headers["HX-Refresh"] == "true"


def test_a_replay_is_canceled_and_only_one_runs_at_a_time(
    signed_in: Callable[..., FlaskClient], http: FlaskClient, client: Client
) -> None:
    told(http, event("applicantCreated", client, 0))
    officer = signed_in(Role.OFFICER)
    officer.post(f"{LIST}/replay", data={})
    officer.post(f"{LIST}/replay", data={"answer": "GREEN"})
    jobs = session().scalars(sa.select(BackgroundJob)).all()
    assert len(jobs) == 1 and "Another replay is under way" in text_of(officer.get(LIST))
    assert officer.post(f"{LIST}/replay/{jobs[0].id}/cancel").status_code == 303
    session().expire_all()
    assert session().scalars(sa.select(BackgroundJob.state)).one() == "canceled"
    assert officer.post(f"{LIST}/replay", data={"state": "nonsense"}).status_code == 422


def test_replays_are_listed_with_who_asked_for_which_events_and_what_came_of_it(
    http: FlaskClient, signed_in: Callable[..., FlaskClient], app: Flask, client: Client
) -> None:
    told(http, event("applicantReviewed", client, 0, **GREEN))
    officer, senior, auditor = signed_in(Role.OFFICER), signed_in(Role.SENIOR_OFFICER), signed_in(Role.AUDITOR)
    replays = f"{LIST}/replays"
    assert "No events were processed again yet." in text_of(officer.get(replays))
    assert f'href="{replays}"' in officer.get(LIST).text
    today = clock.calendar().today()
    chosen = {"answer": "GREEN", "received_from": str(today), "received_to": str(today)}
    officer.post(f"{LIST}/replay", data=chosen)
    run_jobs(app)
    senior.post(f"{LIST}/replay", data={"about": str(client.id)})
    job = session().scalars(sa.select(BackgroundJob).where(BackgroundJob.state == "queued")).one()
    senior.post(f"{LIST}/replay/{job.id}/cancel")

    def rows(browser: FlaskClient, query: str = "") -> list[list[str]]:
        [table], _ = tables_of(browser.get(replays + query).text)
        return [[cell.text for cell in row] for row in table.rows]

    newest, older = rows(officer)
    words = f"Answer: GREEN; Received from: {today}; Received to: {today}"
    assert (older[0], older[2], older[4:]) == (words, "you", ["1", "0", "Done"])
    about = f"Client, applicant or operation: {client.id}"
    assert (newest[0], newest[2], newest[4:]) == (about, "Senior Officer", ["", "", "Canceled"])
    # the events that were meant are found again
    assert unescape(re.findall(r'class="open" href="([^"]+)"', officer.get(replays).text)[1]) == (
        f"{LIST}?{urlencode(chosen)}"
    )
    assert rows(auditor, "?state=succeeded")[0][2] == "Officer"
    assert len(rows(auditor, f"?asked_from={today}&asked_to={today}")) == 2
    before, after = today - timedelta(days=1), today + timedelta(days=1)
    for query in (f"?asked_from={after}", f"?asked_to={before}", "?state=failed"):
        assert "No replay fits these filters." in text_of(auditor.get(replays + query)), query
    for query in ("?state=lost", "?asked_from=soon", f"?asked_from={today}&asked_to={before}"):
        for answer in (auditor.get(replays + query), auditor.get(f"{replays}/export/csv{query}")):
            assert answer.status_code == 422, query
    assert auditor.get(f"{replays}?cursor=x").status_code == 400
    file = auditor.get(f"{replays}/export/csv?state=canceled").text
    assert "State: Canceled" in file and "# rows: 1" in file and str(job.id) in file
    assert signed_in(Role.TREASURER).get(replays).status_code == 403


def test_a_doubt_is_shown_in_the_queue_and_settled_with_a_reason(
    http: FlaskClient, signed_in: Callable[..., FlaskClient], people: People
) -> None:
    client = activated(person(system()), people.actor(Role.OFFICER), people.actor(Role.SENIOR_OFFICER))
    told(http, event("applicantReviewed", client, 0, **FINAL), event("applicantReviewed", "stranger", 0, **GREEN))
    officer = signed_in(Role.OFFICER)
    queue = text_of(officer.get("/queues/verification"))
    assert "RED FINAL on an active client" in queue and "No client has this id" in queue and "Mari Ilves" in queue
    assert "RED FINAL on an active client" in text_of(officer.get(path(client)))
    item = session().scalars(sa.select(QueueItem).where(QueueItem.cause == "rejectedWhileActive")).one()
    page = f"{LIST}/{item.object_id}"
    assert "RED FINAL on an active client" in text_of(officer.get(page))
    refused = officer.post(f"{page}/doubts/{item.id}", data={"reason": " "})
    assert refused.status_code == 422 and "Say what you found" in text_of(refused)
    assert officer.post(f"{page}/doubts/{item.id}", data={"reason": "Spoke with Sumsub"}).status_code == 303
    assert doubts(client) == []
    assert "Spoke with Sumsub" in text_of(officer.get(path(client, "?tab=timeline")))
    assert officer.post(f"{page}/doubts/{item.id}", data={"reason": "Again"}).status_code == 303
    unknown = session().scalars(sa.select(QueueItem).where(QueueItem.cause == "unknownClient")).one()
    assert officer.get(f"{LIST}/applicants/{unknown.object_id}").status_code == 303
    other = session().scalars(sa.select(QueueItem).where(QueueItem.queue == "block-review")).first()
    assert other is not None and officer.post(f"{page}/doubts/{other.id}", data={"reason": "x"}).status_code == 404


def test_the_client_page_says_by_which_event_the_client_is_as_it_is(
    http: FlaskClient, signed_in: Callable[..., FlaskClient], client: Client
) -> None:
    told(http, event("applicantReviewed", client, 12, **GREEN))
    green = stored()[0].id
    officer = signed_in(Role.OFFICER)
    page = officer.get(path(client))
    assert "KYC: approved 4 Feb 2026" in text_of(page)
    # ten o'clock and twelve minutes in UTC
    assert re.search(
        rf'href="/onboarding/events/{green}">Sumsub GREEN, created 4 Feb 2026 12:12</a>, applied',
        page.get_data(as_text=True),
    )
    told(http, event("applicantReviewed", client, 3, **FINAL))
    page = officer.get(path(client))
    assert "Sumsub RED FINAL, created 4 Feb 2026 12:03, out of date: nothing changed" in text_of(page)
    assert "Active" in text_of(page)
    assert f"/onboarding/events/{stored()[1].id}" in page.get_data(as_text=True)


def test_without_the_permission_nothing_tells_that_a_verification_failed(
    http: FlaskClient, signed_in: Callable[..., FlaskClient], people: People
) -> None:
    client = activated(person(system()), people.actor(Role.OFFICER), people.actor(Role.SENIOR_OFFICER))
    told(http, event("applicantReviewed", client, 0, **FINAL))
    treasurer = signed_in(Role.TREASURER)
    for tab in ("", "?tab=timeline", "?tab=related"):
        words = text_of(treasurer.get(path(client, tab)))
        for secret in (
            "FINAL",
            "Sumsub",
            "rejected",
            "Verification not",
            "FORGERY",
            "forgery",
            "KYC failed",
            "could not verify",
        ):
            assert secret not in words, (tab, secret)
    assert "KYC: not approved" in text_of(treasurer.get(path(client)))
    assert "Internal reason" in text_of(treasurer.get(path(client)))
    assert treasurer.get("/queues/verification").status_code == 403
    officer = text_of(signed_in(Role.OFFICER).get(path(client)))
    assert "Sumsub RED FINAL" in officer and "KYC: rejected" in officer


def test_the_block_is_placed_by_the_house_so_that_its_maker_tells_nothing(http: FlaskClient, people: People) -> None:
    client = activated(person(system()), people.actor(Role.OFFICER), people.actor(Role.SENIOR_OFFICER))
    told(http, event("applicantReviewed", client, 0, **FINAL))
    from dashboard.clients.models import ClientBlock

    block = session().scalars(sa.select(ClientBlock).where(ClientBlock.client_id == client.id)).one()
    assert (block.placed_by_kind, block.placed_by_name, block.code) == ("system", "system", BlockCode.KYC_FAILED.value)
    assert verification(client).client_comment not in (block.client_text or "")


def test_a_client_that_was_blocked_and_then_approved_says_both(
    http: FlaskClient, signed_in: Callable[..., FlaskClient], people: People, client: Client
) -> None:
    blocked(client, people.actor(Role.OFFICER))
    told(http, event("applicantReviewed", client, 0, **GREEN))
    words = text_of(signed_in(Role.OFFICER).get(path(client)))
    assert "Sumsub GREEN" in words and "activation held back. A block stands. Lift it first." in words


def test_the_list_is_exported_as_it_is_filtered(
    http: FlaskClient, signed_in: Callable[..., FlaskClient], client: Client
) -> None:
    other = person(system(), first="Duo", phone_number=None, email=None, document=None)
    told(http, event("applicantReviewed", client, 1, **FINAL), event("applicantPending", other, 2))
    auditor = signed_in(Role.AUDITOR)
    assert f'href="{LIST}/export/csv?answer=RED"' in auditor.get(f"{LIST}?answer=RED").get_data(as_text=True)
    every = auditor.get(f"{LIST}/export/csv").get_data(as_text=True)
    assert every.count("applicantReviewed") == every.count("applicantPending") == 1 and "RED FINAL" in every
    some = auditor.get(f"{LIST}/export/csv?about={client.id}").get_data(as_text=True)
    assert "applicantReviewed" in some and "applicantPending" not in some and str(client.id) in some
    for secret in ("FORGERY", "forgery", "could not verify"):
        assert secret not in every
    file = auditor.get(f"{LIST}/export/xlsx")
    assert file.status_code == 200 and file.get_data()[:2] == b"PK"
    assert auditor.get(f"{LIST}/export/pdf").status_code == 422
    assert auditor.get(f"{LIST}/export/csv?received_from=soon").status_code == 422
    assert signed_in(Role.TREASURER).get(f"{LIST}/export/csv").status_code == 403


def test_an_export_leaves_the_answer_out_for_who_may_not_know_it(http: FlaskClient, client: Client) -> None:
    told(http, event("applicantReviewed", client, 1, **FINAL))
    assert "answer" not in {column.key for column in report.columns(sees_restricted=False)}
    (row,) = report.rows(EventFilter(), sees_restricted=False)
    assert not [value for value in row.values() if "RED" in str(value) or "FINAL" in str(value)]
    (row,) = report.rows(EventFilter(), sees_restricted=True)
    assert row["answer"] == "RED FINAL"
