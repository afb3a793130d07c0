"""That a sanctions mark stands may be learnt by nobody without the permission: not on a page, in a figure, in a
timeline, in a queue, in a request for approval, over the API, in a file or in the log; nor by comparing two clients.
"""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import Any

import pytest

from dashboard.access.actor import Actor
from dashboard.access.permissions import Audience, Permission, Role
from dashboard.approvals import queries as approval_queries
from dashboard.approvals import services as approvals
from dashboard.clients import queries, services, story
from dashboard.clients.services.lock import locked
from dashboard.clients.services.marks import mark_of
from dashboard.clients.vocabulary import BlockCode, MarkKind, Scope
from dashboard.database import transaction
from dashboard.errors import NotFound, Refused
from dashboard.jobs import schedule
from tests.clients.making import activated, blocked, path, person
from tests.clients.reviewing import Clock, active, days, plan_of
from tests.clients.test_pages_secrecy import normalised

__all__ = ["days"]

MASKED = (Role.TREASURER, Role.SENIOR_TREASURER)
WORDS = re.compile("sanction|EU consolidated|Screening hit|words-of-the-mark|words-of-the-end", re.I)
TABS = ("", "?tab=timeline", "?tab=timeline&who=people", "?tab=related", "/risk")
PLACES = ("/", "/clients", "/clients?status=blocked", "/clients?flag=check", "/approvals", "/approvals?view=open",
          "/approvals?view=closed", "/approvals?view=me")  # fmt: skip


@pytest.fixture
def officer(people: Any) -> Actor:
    return people.actor(Role.OFFICER)


@pytest.fixture
def senior(people: Any) -> Actor:
    return people.actor(Role.SENIOR_OFFICER)


def sanctioned(client: Any, by: Actor) -> Any:
    with transaction():
        return services.open_mark(
            client.id, kind=MarkKind.SANCTIONS, list_name="EU consolidated list", said_by="Screening hit",
            comment="words-of-the-mark", by=by,
        )  # fmt: skip


@pytest.fixture
def pair(officer: Actor, senior: Actor) -> Any:
    """Two inactive clients, blocked in full; on the second because of a sanctions mark, and its end is asked for."""
    plain = person(officer, first="Uno")
    blocked(plain, officer, code=BlockCode.FRAUD, comment="A known swindler")
    marked = person(officer, first="Duo", phone_number="+37255500001", email="duo@mail.example", document=None)
    mark = sanctioned(marked, officer)
    with transaction():
        asked = services.ask_to_end_mark(mark.id, reason="words-of-the-end", by=officer)
    return plain, marked, mark, asked


@pytest.mark.parametrize("role", MASKED)
@pytest.mark.parametrize("tab", ["?tab=timeline", "?tab=timeline&who=people", "/risk"])
def test_a_marked_client_looks_like_one_that_is_not(pair: Any, signed_in: Any, role: Role, tab: str) -> None:
    browser = signed_in(role)
    one, other = (normalised(browser.get(path(c, tab)).text, "Uno Ilves", "Duo Ilves") for c in pair[:2])
    assert one == other
    assert not WORDS.search(one)


def test_the_overview_differs_in_the_profile_alone(pair: Any, signed_in: Any) -> None:
    browser = signed_in(Role.TREASURER)
    pages = []
    for client in pair[:2]:
        page = normalised(browser.get(path(client)).text, "Uno Ilves", "Duo Ilves")
        assert not WORDS.search(page)
        pages.append(re.sub(r"(?s)<section aria-labelledby=\"h-facts\">.*?</section>", "", page))
    assert pages[0] == pages[1]


def test_the_officer_sees_what_the_treasurer_does_not(pair: Any, signed_in: Any) -> None:
    browser = signed_in(Role.OFFICER)
    for tab in ("", "?tab=timeline", "/risk"):
        assert "Sanctions" in browser.get(path(pair[1], tab)).text
        assert "anctions" not in browser.get(path(pair[0], tab)).text
    assert "End a sanctions mark of Duo Ilves" in browser.get("/approvals?view=open").text
    assert browser.get(f"/approvals/{pair[3].id}").status_code == 200


@pytest.mark.parametrize("role", MASKED)
def test_no_list_no_figure_and_no_request_tells_of_it(pair: Any, signed_in: Any, role: Role) -> None:
    browser = signed_in(role)
    for place in PLACES:
        page = browser.get(place).text
        assert not WORDS.search(page), place
        assert str(pair[3].id) not in page
    for act in ("", "/approve", "/reject", "/withdraw"):
        assert browser.get(f"/approvals/{pair[3].id}{act}").status_code == 404
        if act:
            assert browser.post(f"/approvals/{pair[3].id}{act}", data={"reason": "x"}).status_code == 404


def test_a_closed_request_is_as_unknown_as_an_open_one(pair: Any, senior: Actor, signed_in: Any) -> None:
    with transaction():
        approvals.decide(pair[3].id, approve=True, reason=None, by=senior)
    browser = signed_in(Role.TREASURER)
    assert not WORDS.search(browser.get("/approvals?view=closed").text)
    assert browser.get(f"/approvals/{pair[3].id}").status_code == 404
    assert not WORDS.search(browser.get(path(pair[1], "?tab=timeline")).text)
    assert "Sanctions mark ended" in signed_in(Role.AUDITOR).get(path(pair[1], "?tab=timeline")).text


def test_figures_of_requests_do_not_count_it(pair: Any, people: Any, officer: Actor, senior: Actor) -> None:
    from dashboard.clients.calendar import calendar

    blind = replace(senior, permissions=senior.permissions - {Permission.CLIENTS_READ_RESTRICTED})
    assert approval_queries.count_for(senior, calendar()).everybody == 1
    assert approval_queries.count_for(blind, calendar()).everybody == 0
    assert approval_queries.page(actor=blind, view="open", calendar=calendar()) == []
    assert list(approval_queries.open_for_client(pair[1].id, actor=blind)) == []
    assert list(approval_queries.asked_by(replace(officer, permissions=blind.permissions))) == []
    with pytest.raises(NotFound):
        approval_queries.get(pair[3].id, actor=blind)
    assert approvals.why_not(pair[3], blind) == "Your role cannot decide this."


def test_a_mark_is_not_found_by_its_address(pair: Any, signed_in: Any, officer: Actor) -> None:
    blind = replace(officer, permissions=officer.permissions - {Permission.CLIENTS_READ_RESTRICTED})
    with pytest.raises(NotFound):
        mark_of(pair[1].id, pair[2].id, actor=blind)
    assert signed_in(Role.TREASURER).get(path(pair[1], f"/marks/{pair[2].id}/end")).status_code == 403
    assert signed_in(Role.OFFICER).get(path(pair[0], f"/marks/{pair[2].id}/end")).status_code == 404


def test_why_a_client_cannot_be_activated_is_masked(pair: Any, officer: Actor) -> None:
    blind = replace(officer, permissions=officer.permissions - {Permission.CLIENTS_READ_RESTRICTED})
    with pytest.raises(Refused) as refused, transaction():
        services.ask_to_activate(pair[1].id, reason="Seen", by=blind)
    assert not WORDS.search(str(refused.value))
    # the words are those of any block, and may be stored and shown to anybody
    assert services.activation_obstacle(queries.get(pair[1].id)) == services.activation_obstacle(
        queries.get(pair[0].id)
    )


def test_the_automatic_block_is_like_any_block_of_that_person(officer: Actor, senior: Actor, signed_in: Any) -> None:
    plain = active(officer, senior, first="Uno")
    marked = active(officer, senior, first="Duo", phone_number="+37255500001", email="duo@mail.example", document=None)
    blocked(plain, officer, code=BlockCode.FRAUD, comment="A known swindler")
    sanctioned(marked, officer)
    browser = signed_in(Role.TREASURER)
    for tab in ("?tab=timeline", "/risk", ""):
        one, other = (normalised(browser.get(path(c, tab)).text, "Uno Ilves", "Duo Ilves") for c in (plain, marked))
        if not tab:
            one, other = (
                re.sub(r"(?s)<section aria-labelledby=\"h-facts\">.*?</section>", "", p) for p in (one, other)
            )
        assert one == other
    listed = browser.get("/clients?status=blocked").text
    rows = [normalised(row, "Uno Ilves", "Duo Ilves") for row in re.findall(r'(?s)<tr class="rec">.*?</tr>', listed)]
    assert len(rows) == 2 and rows[0] == rows[1]


def test_which_rule_of_the_house_placed_a_block_is_not_told(officer: Actor, senior: Actor, signed_in: Any) -> None:
    """A late review and a prohibited risk both stop debits by themselves."""
    client = active(officer, senior)
    with transaction():
        services.raise_risk(locked(client.id), risk_level=4, reason="words-of-the-mark", by=officer)
    browser = signed_in(Role.TREASURER)
    page = browser.get(path(client)).text + browser.get(path(client, "?tab=timeline")).text
    assert "risk rule" not in page and "by system" in page
    assert "risk rule" in signed_in(Role.OFFICER).get(path(client)).text


def test_a_late_review_tells_a_treasurer_nothing_of_the_block_that_it_placed(
    officer: Actor, senior: Actor, days: Clock, app: Any, signed_in: Any, people: Any
) -> None:
    from dashboard import clock

    client = active(officer, senior, risk_level=3)
    other = active(officer, senior, first="Uno", phone_number=None, email=None, document=None, risk_level=3)
    settings = app.extensions["countinghouse.settings"]
    days.pass_days(340)
    with transaction():
        services.complete_review(other.id, risk_level=3, outcome="continue", reasons="words-of-the-mark", by=officer)
    schedule.review_clients(settings)
    due_at = plan_of(client).due_at
    assert due_at is not None
    days.to(clock.calendar().due_after(due_at, 20))
    schedule.review_clients(settings)
    from dashboard.access.actor import system

    with transaction():
        services.block(other.id, scope=Scope.DEBIT, code=BlockCode.KYC_FAILED, by=system("verification"))
    treasurer = people.actor(Role.TREASURER)
    for one in (client, other):
        (block,) = queries.blocks_of(one.id, actor=treasurer)
        assert (block.code, block.code_label, block.placed_by_name) == (None, "Internal reason", "system")
    told = {turn.what for turn in story.timeline(client.id, actor=treasurer)}
    assert told == {turn.what for turn in story.timeline(other.id, actor=treasurer)}
    assert not any("review" in what.lower() for what in told)
    browser = signed_in(Role.TREASURER)
    for place in (path(client), path(client, "/risk"), path(client, "?tab=timeline")):
        page = browser.get(place).text
        assert "Next review" not in page and "words-of-the-mark" not in page and "KYC" not in page
    for closed in (path(client, "/review"), "/onboarding/reviews", "/onboarding/reviews/export/csv"):
        assert browser.get(closed).status_code == 403


def test_machines_without_the_scope_read_the_same_of_both(pair: Any, machine: Any, signed_in: Any) -> None:
    token = machine(Audience.SYSTEM)
    bodies = []
    for client in pair[:2]:
        answer = token.call("GET", f"/internal/Clients/{client.id}")
        assert not WORDS.search(answer.text)
        bodies.append(set(answer.json["value"]))
        assert answer.json["value"]["status"] == "blocked"
    assert bodies[0] == bodies[1]
    assert not WORDS.search(token.call("GET", "/internal/Clients?includeTotal=true").text)
    assert not WORDS.search(token.call("GET", "/internal/Clients?flags=pep").text)
    own = machine(Audience.FRONTOFFICE, client_id=pair[1].id)
    assert not WORDS.search(own.call("GET", "/Client").text)


def test_a_client_reads_nothing_of_why_it_is_blocked(officer: Actor, senior: Actor, machine: Any) -> None:
    client = active(officer, senior)
    sanctioned(client, officer)
    answer = machine(Audience.FRONTOFFICE, client_id=client.id).call("GET", "/Client")
    assert answer.json["value"]["status"] == "blocked"
    assert not WORDS.search(answer.text) and "mark" not in " ".join(answer.json["value"]["clientTexts"])


def test_the_log_holds_neither_the_mark_nor_its_words(
    officer: Actor, signed_in: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    client = person(officer)
    browser = signed_in(Role.OFFICER)
    with caplog.at_level(logging.DEBUG):
        answer = browser.post(
            path(client, "/marks/new"),
            data={"kind": "sanctions", "about": "", "list_name": "EU consolidated list", "said_by": "Screening hit",
                  "comment": "words-of-the-mark"},
        )  # fmt: skip
        assert answer.status_code == 303
        assert browser.get(path(client, "/risk")).status_code == 200
    written = caplog.text + "".join(capfd.readouterr())
    assert not WORDS.search(written)


def test_a_pep_mark_is_told_to_everybody_and_its_words_are_not(officer: Actor, people: Any, signed_in: Any) -> None:
    client = person(officer)
    with transaction():
        services.open_mark(
            client.id, kind=MarkKind.PEP, list_name="House list", said_by="Screening hit",
            comment="words-of-the-mark", by=officer,
        )  # fmt: skip
    browser = signed_in(Role.TREASURER)
    for tab in ("", "/risk", "?tab=timeline"):
        page = browser.get(path(client, tab)).text
        assert "PEP" in page and not WORDS.search(page)
    assert "words-of-the-mark" in signed_in(Role.AUDITOR).get(path(client, "/risk")).text


def test_reasons_of_settled_flags_and_of_risks_are_masked_on_the_page_of_the_risk(
    officer: Actor, senior: Actor, signed_in: Any
) -> None:
    client = person(officer, residence_country="XX", risk_level=2)
    with transaction():
        services.settle_flag(queries.flags_of(client.id)[0].id, reason="words-of-the-flag", by=officer)
    with transaction():
        services.raise_risk(locked(client.id), risk_level=3, reason="words-of-the-risk", by=officer)
    activated(client, officer, senior)
    with transaction():
        services.complete_review(client.id, risk_level=3, outcome="continue", reasons="words-of-the-review", by=officer)

    def words(role: Role) -> set[str]:
        return set(re.findall(r"words-of-the-[a-z]+", signed_in(role).get(path(client, "/risk")).text))

    assert words(Role.TREASURER) == set()
    assert words(Role.AUDITOR) == {"words-of-the-flag", "words-of-the-risk", "words-of-the-review"}
