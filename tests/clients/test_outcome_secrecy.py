"""That a verification failed, or that a legal hold stands, may be learnt by nobody without the permission: not on a
page, in a figure, by a filter, in a timeline or over the API; nor by comparing a client with one of whom it is not so.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from dashboard.access.actor import Actor
from dashboard.access.permissions import Audience, Permission, Role
from dashboard.clients import queries, services, story
from dashboard.clients.models import Client
from dashboard.clients.retention import Channel, HoldCode
from dashboard.database import session, transaction
from dashboard.errors import NotFound
from dashboard.home import worklist
from dashboard.queues import queries as queues
from tests.clients.making import path, person
from tests.clients.test_pages_secrecy import normalised
from tests.onboarding import telling

PAGES = ("", "?tab=timeline", "?tab=timeline&who=machines", "?tab=related", "/risk", "/deletion")
WORDS = re.compile("not passed|verificationRejected|[Ll]egal hold|hold stands")
SEVERITIES = ("check", "stop", "info")


@pytest.fixture
def officer(people: Any) -> Actor:
    return people.actor(Role.OFFICER)


def blind(actor: Actor) -> Actor:
    from dataclasses import replace

    return replace(actor, permissions=actor.permissions - {Permission.CLIENTS_READ_RESTRICTED})


def two(officer: Actor) -> tuple[Client, Client]:
    return (
        person(officer, first="Uno", phone_number=None, email=None, document=None),
        person(officer, first="Duo", phone_number=None, email=None, document=None),
    )


def rejected(http: Any, client: Client) -> None:
    telling.told(http, telling.event("applicantReviewed", client, 1, **telling.FINAL))
    assert [flag.code for flag in queries.flags_of(client.id, sees_restricted=True)] == ["verificationRejected"]


def seen(browser: Any, client: Client, page: str) -> str:
    return normalised(browser.get(path(client, page)).text, "Uno Ilves", "Duo Ilves")


def row_of(html: str, client: Client) -> str:
    rows = [row for row in re.findall(r'(?s)<tr class="rec">.*?</tr>', html) if str(client.id) in row]
    assert len(rows) == 1
    return normalised(rows[0], "Uno Ilves", "Duo Ilves")


def test_a_client_whose_verification_failed_looks_like_any_other(http: Any, officer: Actor, signed_in: Any) -> None:
    plain, failed = two(officer)
    telling.told(http, telling.event("applicantReviewed", plain, 1, **telling.RETRY))
    rejected(http, failed)
    browser = signed_in(Role.TREASURER)
    for page in PAGES:
        one, other = (seen(browser, client, page) for client in (plain, failed))
        assert one == other, page
        assert not WORDS.search(other), page
    listed = browser.get("/clients").text
    assert row_of(listed, plain) == row_of(listed, failed)
    assert "Verification not passed" in signed_in(Role.OFFICER).get(path(failed)).text
    assert "Verification not passed" in signed_in(Role.AUDITOR).get(path(failed, "?tab=timeline")).text


def test_no_filter_and_no_figure_finds_it(http: Any, officer: Actor, signed_in: Any, machine: Any) -> None:
    _, failed = two(officer)
    rejected(http, failed)
    treasurer, reader = signed_in(Role.TREASURER), signed_in(Role.OFFICER)
    figure = re.compile(r'(?s)href="/clients\?flag=check".*?</a>')
    assert ">1<" in figure.search(reader.get("/clients").text)[0]  # type: ignore[index]
    assert ">0<" in figure.search(treasurer.get("/clients").text)[0]  # type: ignore[index]
    for severity in SEVERITIES:
        assert str(failed.id) in reader.get(f"/clients?flag={severity}").text
        assert str(failed.id) not in treasurer.get(f"/clients?flag={severity}").text
    assert str(failed.id) in reader.get("/clients?flag=verificationRejected").text
    refused = treasurer.get("/clients?flag=verificationRejected")
    assert refused.status_code == 422 and "none of the choices" in refused.text
    assert "not passed" not in treasurer.get("/clients").text
    token, knowing = (
        machine(Audience.SYSTEM),
        machine(Audience.SYSTEM, scopes=["clients:read", "clients:read-restricted"]),
    )
    for asked in ("flags=verificationRejected", *(f"severity={one}" for one in SEVERITIES)):
        url = f"/internal/Clients?{asked}&includeTotal=true"
        assert token.call("GET", url).json["items"] == []
        assert str(failed.id) in knowing.call("GET", url).text


def test_a_flag_that_all_may_see_is_still_found_beside_it(http: Any, officer: Actor, signed_in: Any) -> None:
    both = person(officer, residence_country="XX")
    telling.told(http, telling.event("applicantReviewed", both, 1, **telling.FINAL))
    browser = signed_in(Role.TREASURER)
    assert str(both.id) in browser.get("/clients?flag=check").text
    assert str(both.id) not in browser.get("/clients?flag=stop").text, "the heavier one is not theirs to see"
    assert "1 open flags of" in browser.get("/clients").text
    assert "2 open flags of" in signed_in(Role.OFFICER).get("/clients").text
    page = browser.get(path(both)).text
    assert "Unknown country code" in page and "not passed" not in page


def test_settling_it_or_its_going_leaves_no_trace(http: Any, officer: Actor, signed_in: Any) -> None:
    plain, failed = two(officer)
    telling.told(http, telling.event("applicantReviewed", plain, 1, **telling.RETRY))
    rejected(http, failed)
    (flag,) = queries.flags_of(failed.id, sees_restricted=True)
    with pytest.raises(NotFound), transaction():
        services.settle_flag(flag.id, reason="x", by=blind(officer))
    with transaction():
        services.settle_flag(flag.id, reason="words-of-the-flag", by=officer)
    browser = signed_in(Role.TREASURER)
    for page in PAGES:
        assert seen(browser, plain, page) == seen(browser, failed, page), page
    assert "Flag settled: Verification not passed" in signed_in(Role.OFFICER).get(path(failed, "?tab=timeline")).text


def test_queues_and_obstacles_do_not_name_it(http: Any, officer: Actor) -> None:
    _, failed = two(officer)
    rejected(http, failed)
    items = [item for item in queues.of_client(failed.id, actor=officer) if item.queue == "client-review"]
    assert [row.why for row in worklist.rows(items, actor=officer)] == ["Verification not passed"]
    assert [row.why for row in worklist.rows(items, actor=blind(officer))] == ["Open flags"]
    failed = queries.get(failed.id)
    session().refresh(failed)
    assert services.activation_obstacle(failed) == "An internal reason stands against it."
    assert (
        services.activation_obstacle(failed, sees_restricted=True)
        == "A flag of severity stop is open. Settle it first."
    )


def test_nothing_open_to_all_is_written_about_it(http: Any, officer: Actor) -> None:
    _, failed = two(officer)
    rejected(http, failed)
    told = story.timeline(failed.id, actor=blind(officer))
    assert [one.action for one in told] == ["client.created"]
    assert "client.flagged_restricted" in [one.action for one in story.timeline(failed.id, actor=officer)]


def test_a_legal_hold_is_known_to_nobody_without_the_permission(officer: Actor, signed_in: Any) -> None:
    plain, held = two(officer)
    for client in (plain, held):
        with transaction():
            services.request_deletion(client.id, channel=Channel.LETTER, reason="Own words", by=officer)
    with transaction():
        hold = services.place_hold(held.id, code=HoldCode.INVESTIGATION, reference="STR 12", by=officer)
    with transaction():
        services.ask_to_end_hold(hold.id, reason="Over", by=officer)
    browser = signed_in(Role.TREASURER)
    for page in PAGES:
        one, other = (seen(browser, client, page) for client in (plain, held))
        assert one == other, page
        assert not WORDS.search(other), page
    shown = signed_in(Role.AUDITOR)
    assert "1 stands" in shown.get(path(held)).text
    assert (
        "STR 12" in shown.get(path(held, "/deletion")).text and "End 1 hold" in shown.get(path(held, "/deletion")).text
    )
