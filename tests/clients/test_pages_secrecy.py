"""What a block's reason is may be learnt by nobody without the permission, not even by comparing two clients."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest

from dashboard import clock
from dashboard.access.permissions import Role
from dashboard.approvals import services as approvals
from dashboard.clients import queries, services
from dashboard.clients.calendar import calendar
from dashboard.clients.vocabulary import BlockCode
from dashboard.database import transaction
from dashboard.queues import queries as queues
from dashboard.queues import services as queue_services
from tests.clients.making import blocked, company, path, person

TABS = ("", "?tab=related", "?tab=timeline", "?tab=timeline&who=people", "?tab=overview")
SECRETS = (
    "FRAUD",
    "STR_HOLD",
    "Fraud",
    "Suspicious",
    "swindler",
    "report 77",
    "REF-1",
    "REF-2",
    "because-one",
    "because-two",
)


def normalised(html: str, *names: str) -> str:
    """Without ids, names, times and the tokens of forms."""
    html = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID", html)
    html = re.sub(r'name="csrf_token" value="[^"]+"|"X-CSRFToken": "[^"]+"', "CSRF", html)
    html = re.sub(r"(?s)<time [^>]*>.*?</time>", "TIME", html)
    html = re.sub(r'class="mono" title="ID">[0-9a-f]{8}<', "SHORT<", html)
    html = re.sub(r"(less than a minute|\d+ min) ago", "AGO", html)
    for name in names:
        html = html.replace(name, "NAME")
    return html


@pytest.fixture
def alike(people: Any) -> Any:
    """Two clients with one profile; one blocked for fraud, the other for a suspicious transaction report."""
    officer, senior = people.actor(Role.OFFICER), people.actor(Role.SENIOR_OFFICER)
    review: date = calendar().add_days(calendar().today(clock.now()), 5)
    made = []
    for name, code, comment, reference, reason in (
        ("Alfa Fond", BlockCode.FRAUD, "A known swindler", "REF-1", "because-one"),
        ("Beta Fond", BlockCode.STR_HOLD, "See report 77", "REF-2 and more", "because-two, and longer"),
    ):
        client = company(officer, name=name, related_individuals=())
        placed = blocked(client, officer, code=code, comment=comment, legal_reference=reference, review_date=review)
        for item in queues.of_client(client.id, actor=officer):
            # a colleague takes everything there is: one item more stands behind the report
            with transaction():
                queue_services.take(item.id, by=officer)
        with transaction():
            services.add_note(client.id, body=f"About {code.value}", by=officer)
        if code is BlockCode.STR_HOLD:
            with transaction():
                services.add_note(client.id, body="One more", by=senior)
        with transaction():
            services.ask_to_unblock(placed.id, reason=reason, by=officer)
        made.append((client, placed))
    return made


@pytest.mark.parametrize("role", [Role.TREASURER, Role.SENIOR_TREASURER])
@pytest.mark.parametrize("tab", TABS)
def test_fraud_and_a_suspicion_report_look_the_same_to_a_treasurer(
    alike: Any, signed_in: Any, role: Role, tab: str
) -> None:
    browser = signed_in(role)
    pages = [browser.get(path(client, tab)) for client, _ in alike]
    assert [page.status_code for page in pages] == [200, 200]
    one, other = (normalised(page.text, "Alfa Fond", "Beta Fond") for page in pages)
    assert one == other
    assert "Internal reason" in pages[0].text
    for page in pages:
        assert not [secret for secret in SECRETS if secret in page.text]


def test_the_officer_sees_what_the_treasurer_does_not(alike: Any, signed_in: Any) -> None:
    browser = signed_in(Role.OFFICER)
    fraud = browser.get(path(alike[0][0])).text
    assert "Fraud suspicion" in fraud and "A known swindler" in fraud and "REF-1" in fraud and "because-one" in fraud
    assert "Internal reason" not in fraud
    assert "Suspicious transaction report" in browser.get(path(alike[1][0])).text


def test_the_rows_of_the_list_are_the_same(alike: Any, signed_in: Any) -> None:
    page = signed_in(Role.TREASURER).get("/clients?sort=name").text
    rows = re.findall(r'(?s)<tr class="rec">.*?</tr>', page)
    assert len(rows) == 2
    one, other = (normalised(row, "Alfa Fond", "Beta Fond") for row in rows)
    assert one == other
    assert "Blocked: all" in one


@pytest.mark.parametrize(
    ("rest", "needs"),
    [
        ("/block", "block clients"),
        ("/consequences", "block clients"),
        ("/activate", "activate and lower a risk"),
        ("/edit", "create and edit clients"),
        ("/notes/new", "create and edit clients"),
        ("?tab=notes", "open notes of clients"),
        ("/blocks/{block}/lift", "unblock clients"),
        ("/blocks/{block}/reason", "block clients"),
    ],
)
def test_dialogs_are_closed_to_a_treasurer_and_say_why(alike: Any, signed_in: Any, rest: str, needs: str) -> None:
    browser = signed_in(Role.TREASURER)
    answers = []
    for client, placed in alike:
        answer = browser.get(path(client, rest.format(block=placed.id)))
        assert answer.status_code == 403
        assert f"Your role (Treasurer) cannot {needs}." in answer.text
        answers.append(re.sub(r"request <code>\w+</code>", "", normalised(answer.text, "Alfa Fond", "Beta Fond")))
    assert answers[0] == answers[1]


def test_an_auditor_sees_the_reason_but_no_button(alike: Any, signed_in: Any) -> None:
    browser = signed_in(Role.AUDITOR)
    client, placed = alike[0]
    page = browser.get(path(client)).text
    assert "Fraud suspicion" in page
    for closed in ("/block", "/edit", "/notes/new", "/lift", "/approve", "/settle", "/activate"):
        assert f'{closed}"' not in page
    assert browser.post(path(client, f"/blocks/{placed.id}/lift"), data={"reason": "x"}).status_code == 403


def test_a_reason_stated_later_leaves_no_trace_for_a_treasurer(people: Any, signed_in: Any) -> None:
    officer = people.actor(Role.OFFICER)
    plain, later = (
        person(officer, first="Uno"),
        person(officer, first="Duo", document=None, phone_number="+37255500001"),
    )
    blocked(plain, officer, code=BlockCode.FRAUD)
    placed = blocked(later, officer, code=BlockCode.NOT_STATED)
    with transaction():
        services.complete_code(placed.id, code=BlockCode.STR_HOLD, comment=None, legal_reference=None, by=officer)
    browser = signed_in(Role.TREASURER)
    pages = [normalised(browser.get(path(c, "?tab=timeline")).text, "Uno Ilves", "Duo Ilves") for c in (plain, later)]
    assert pages[0] == pages[1]
    assert "Reason of a block stated" in signed_in(Role.OFFICER).get(path(later, "?tab=timeline")).text


def test_free_words_about_activation_risk_and_flags_are_for_those_who_may_see_reasons(
    people: Any, signed_in: Any
) -> None:
    officer, senior = people.actor(Role.OFFICER), people.actor(Role.SENIOR_OFFICER)
    client = person(officer, residence_country="XX", risk_level=3)
    with transaction():
        services.settle_flag(queries.flags_of(client.id)[0].id, reason="words-of-the-flag", by=officer)
    with transaction():
        lower = services.ask_to_lower_risk(client.id, risk_level=1, reason="words-of-the-risk", by=officer)
    with transaction():
        approvals.decide(lower.id, approve=True, reason="words-of-the-decider", by=senior)
    with transaction():
        asked = services.ask_to_activate(client.id, reason="words-of-the-activation", by=officer)
    addresses = [*(path(client) + tab for tab in TABS), f"/approvals/{lower.id}", f"/approvals/{asked.id}"]
    addresses += ["/approvals?view=open", "/approvals?view=closed", "/clients", "/"]

    def words(role: Role) -> set[str]:
        browser = signed_in(role)
        pages = "".join(browser.get(address).get_data(as_text=True) for address in addresses)
        return set(re.findall(r"words-of-the-[a-z]+", pages))

    assert words(Role.TREASURER) == set()
    told = {"words-of-the-flag", "words-of-the-risk", "words-of-the-decider", "words-of-the-activation"}
    assert words(Role.AUDITOR) == told
