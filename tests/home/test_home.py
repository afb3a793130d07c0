"""Home and the rail: what waits, for whom, until when."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import ROLES, Permission, Role
from dashboard.approvals import services as approvals
from dashboard.audit import sealing
from dashboard.clients import services as clients
from dashboard.clients.models import Client
from dashboard.clients.profile import IndividualProfile
from dashboard.clients.vocabulary import BlockCode
from dashboard.database import db, session, transaction
from dashboard.queues import queries as queue_queries
from dashboard.queues import services as queues
from dashboard.queues.models import QueueItem
from dashboard.staff.models import StaffSession
from tests.conftest import People

SignIn = Callable[..., FlaskClient]


@pytest.fixture
def officer(people: People) -> Actor:
    return people.actor(Role.OFFICER)


def client_with(by: Actor, **profile: object) -> Client:
    with transaction():
        fields = {"first_name": "Mari", "last_name": "Ilves", "risk_level": 1, **profile}
        return clients.create(IndividualProfile(**fields), by=by)  # type: ignore[arg-type]


def doubtful(by: Actor, name: str = "Ilves") -> Client:
    """A client with an open doubt of severity check."""
    return client_with(by, last_name=name, residence_country="xx")


def items_of(queue: str) -> list[QueueItem]:
    return list(session().scalars(sa.select(QueueItem).where(QueueItem.queue == queue).order_by(QueueItem.id)))


def figure(page: str, queue: str, name: str) -> str:
    """The text of one figure."""
    cell = re.search(rf'<td id="fig-{queue}-{name}"[^>]*>(.*?)</td>', page, re.S)
    assert cell is not None, (queue, name)
    return re.sub(r"<[^>]+>", "", cell.group(1)).strip()


def headline(page: str) -> str:
    """The sentence beside the heading."""
    found = re.search(r'id="fig-lead"[^>]*>(.*?)</p>', page, re.S)
    assert found is not None
    return " ".join(re.sub(r"<[^>]+>", "", found[1]).split()).replace(" ,", ",")


def test_the_headline_counts_late_among_mine_and_among_the_unassigned_apart(
    signed_in: SignIn, officer: Actor, people: People
) -> None:
    for name in ("Ilves", "Saar", "Kask"):
        doubtful(officer, name)
    mine, late, theirs = items_of("client-review")
    with transaction():
        queues.take(mine.id, by=officer)
        queues.take(theirs.id, by=people.actor(Role.OFFICER, "Liis Saar"))
        for item in (mine, late, theirs):
            item.due_at = clock.now() - timedelta(days=1)
    # nothing is due that is not late yet, and a colleague's work is not counted
    assert headline(signed_in(Role.OFFICER).get("/").text) == "1 waits for you, 1 late · 1 unassigned, 1 late"


def test_what_has_been_asked_for_is_nobodys_work_until_the_request_closes(signed_in: SignIn, officer: Actor) -> None:
    client = client_with(officer)
    [item] = items_of("activation")
    with transaction():
        queues.take(item.id, by=officer)
        item.due_at = clock.now() - timedelta(days=1)
    browser = signed_in(Role.OFFICER)
    assert figure(browser.get("/").text, "activation", "mine") == "1"
    with transaction():
        asked = clients.ask_to_activate(client.id, reason="papers seen", by=officer)
    page = browser.get("/").text
    assert figure(page, "activation", "mine") == figure(page, "activation", "late") == "0"
    assert headline(page) == "0 wait for you" and "Take the next" not in page
    assert browser.post("/queues/next").location == "/"
    assert "Mari Ilves" not in browser.get("/queues/activation?who=me").text
    assert "asked by you, waits for approval" in browser.get("/queues/activation").text
    with transaction():
        approvals.withdraw(asked.id, by=officer)
    assert figure(browser.get("/").text, "activation", "mine") == "1"


def test_waiting_for_others_says_how_many_it_leaves_out(signed_in: SignIn, officer: Actor) -> None:
    for number in range(12):
        with transaction():
            clients.ask_to_activate(client_with(officer, last_name=f"N{number}").id, reason="papers", by=officer)
    page = signed_in(Role.OFFICER).get("/").text
    assert "first 10 of 12, soonest to expire first" in page


def test_who_may_not_read_clients_gets_no_search_box(signed_in: SignIn) -> None:
    assert 'id="search"' in signed_in(Role.OFFICER).get("/").text
    blind = next(role for role in Role if Permission.CLIENTS_READ not in ROLES[role].permissions)
    assert 'id="search"' not in signed_in(blind).get("/").text


def test_home_counts_what_waits_and_each_figure_opens_its_rows(signed_in: SignIn, officer: Actor) -> None:
    first, _second = doubtful(officer), doubtful(officer, "Saar")
    mine = next(item for item in items_of("client-review") if item.client_id == first.id)
    with transaction():
        queues.take(mine.id, by=officer)
    browser = signed_in(Role.OFFICER)
    page = browser.get("/").text
    assert (figure(page, "client-review", "mine"), figure(page, "client-review", "unassigned")) == ("1", "1")
    assert figure(page, "client-review", "late") == "0"
    assert "Mari Ilves" in browser.get("/queues/client-review?who=me").text
    assert "Mari Saar" not in browser.get("/queues/client-review?who=me").text
    assert 'href="/queues/client-review?who=me"' in page and 'href="/queues/client-review?who=none"' in page
    assert re.search(r"<b>1</b> waits for you", page)


def test_late_work_comes_first_and_is_marked(signed_in: SignIn, officer: Actor) -> None:
    client_with(officer)
    doubtful(officer, "Saar")
    with transaction():
        for item in items_of("activation"):
            item.due_at = clock.now() - timedelta(days=4)
    page = signed_in(Role.OFFICER).get("/").text
    order = re.findall(r'aria-keyshortcuts="(\d)">([^<]+)<', page)
    assert order[:2] == [("1", "Activation"), ("2", "Client review")]
    assert '<a class="tag is-stop" href="/queues/activation?late=1">1</a>' in page
    assert headline(page).startswith("0 wait for you · 2 unassigned, 1 late · next ")


def test_yours_lists_own_items_and_requests_for_me_by_due_time(
    signed_in: SignIn, officer: Actor, people: People
) -> None:
    senior = people.actor(Role.SENIOR_OFFICER)
    doubtful(officer, "Saar")
    [item] = items_of("client-review")
    other = client_with(officer)
    with transaction():
        clients.ask_to_activate(other.id, reason="papers seen", by=officer)
        queues.take(item.id, by=senior)
        item.due_at = clock.now() + timedelta(days=40)
    page = signed_in(Role.SENIOR_OFFICER).get("/").text
    yours = page[page.index("Yours, by due time") :]
    assert 0 < yours.index("Activate Mari Ilves by hand") < yours.index("Mari Saar")
    assert "Unknown country code" in yours


def test_waiting_for_others_names_who_can_decide_and_who_is_here(
    signed_in: SignIn, officer: Actor, people: People
) -> None:
    people.member(Role.SENIOR_OFFICER, "Tiit Mets")
    signed_in(Role.SENIOR_OFFICER, "Riina Kask")
    client = client_with(officer)
    with transaction():
        clients.ask_to_activate(client.id, reason="papers seen", by=officer)
    page = signed_in(Role.OFFICER).get("/").text
    waiting = page[page.index("Waiting for others") :]
    assert "Activate Mari Ilves by hand" in waiting
    assert "Senior officers: Riina Kask (signed in), Tiit Mets" in waiting


def test_nothing_of_mine_says_how_much_waits_unassigned(signed_in: SignIn, officer: Actor) -> None:
    doubtful(officer)
    doubtful(officer, "Saar")
    page = signed_in(Role.OFFICER).get("/").text
    assert "Nothing waits for you." in page
    assert "2 items wait unassigned" in page


def test_the_first_day_says_what_to_do(signed_in: SignIn) -> None:
    page = signed_in(Role.OFFICER).get("/").text
    assert "No clients yet." in page
    assert "demo load" in page
    assert "Take the next" not in page


def test_a_role_without_a_queue_gets_an_honest_page(signed_in: SignIn, officer: Actor) -> None:
    doubtful(officer)
    page = signed_in(Role.AUDITOR).get("/").text
    assert "No queue belongs to your role" in page
    assert "<table" not in page
    assert "/approvals" in page


def test_an_administrator_has_the_queue_of_what_administrators_decide_and_no_other(
    signed_in: SignIn, officer: Actor
) -> None:
    doubtful(officer)
    page = signed_in(Role.ADMIN).get("/").text
    assert "Approvals for me" in page
    assert "/queues/" not in page


def test_what_cannot_be_counted_is_unknown_and_the_rest_is_still_there(
    signed_in: SignIn, officer: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        session().execute(sa.text("SELECT * FROM no_such_table"))

    browser = signed_in(Role.OFFICER)
    monkeypatch.setattr(queue_queries, "counts", fail)
    answer = browser.get("/")
    assert answer.status_code == 200
    assert "unknown" in figure(answer.text, "client-review", "mine")
    assert figure(answer.text, "client-review", "mine").startswith("?")
    assert figure(answer.text, "approvals", "mine") == "0"


def test_the_refresh_brings_figures_and_moves_no_row(signed_in: SignIn, officer: Actor) -> None:
    browser = signed_in(Role.OFFICER)
    assert 'hx-trigger="every 60s"' in browser.get("/").text
    doubtful(officer)
    part = browser.get("/figures", headers={"HX-Request": "true", "X-Refresh": "1"}).text
    assert figure(part, "client-review", "unassigned") == "1"
    assert "<tr" not in part
    assert part.count('hx-swap-oob="true"') == part.count("<td") + 2


def test_the_refresh_does_not_keep_a_session_alive(signed_in: SignIn, people: People) -> None:
    browser = signed_in(Role.OFFICER)
    before = clock.now() - timedelta(minutes=10)
    with transaction():
        session().execute(sa.update(StaffSession).values(seen_at=before))
    browser.get("/figures", headers={"X-Refresh": "1"})
    assert session().scalar(sa.select(StaffSession.seen_at)) == before
    browser.get("/figures")
    assert (session().scalar(sa.select(StaffSession.seen_at)) or before) > before


def test_home_asks_the_database_a_handful_of_times(signed_in: SignIn, officer: Actor, people: People) -> None:
    senior = people.actor(Role.SENIOR_OFFICER)
    for number in range(4):
        client = doubtful(officer, f"Number{number}")
        with transaction():
            clients.block(client.id, code=BlockCode.FRAUD, by=officer)
            other = client_with(officer, last_name=f"Other{number}")
            clients.ask_to_activate(other.id, reason="papers seen", by=senior if number % 2 else officer)
    with transaction():
        for item in items_of("client-review") + items_of("block-review"):
            queues.take(item.id, by=officer)
    browser = signed_in(Role.OFFICER)
    # a look is written once in ten minutes, and asked for each time
    assert browser.get("/").status_code == 200
    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            asked.append(statement)

    sa.event.listen(db.engine, "before_cursor_execute", note)
    try:
        assert browser.get("/").status_code == 200
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", note)
    # among them: files of one's own that wait to be taken, who has taken requests that wait, by which rules these are
    # decided, and whether this is a look
    assert len(asked) <= 13, "\n".join(asked)


# the rail


def rail(page: str) -> list[tuple[str, str]]:
    """Label and count of each entry."""
    part = page[page.index('class="rail-list"') : page.index('class="rail-foot"')]
    links = re.findall(r"<a [^>]*>(.*?)</a>", part, re.S)
    return [
        (re.sub(r"<span.*", "", link, flags=re.S).strip(), (re.findall(r'class="count">([\d,+]+)', link) or [""])[0])
        for link in links
    ]


@pytest.mark.parametrize(
    ("role", "labels"),
    [
        (Role.OFFICER, ["Home", "Clients", "Transfers", "Unrecognized", "Ledger", "Onboarding", "Approvals"]),
        (
            Role.TREASURER,
            ["Home", "Clients", "Transfers", "Unrecognized", "Ledger", "Treasury", "Approvals", "Jobs"],
        ),
        (
            Role.AUDITOR,
            [
                *("Home", "Clients", "Transfers", "Unrecognized", "Ledger", "Treasury", "Onboarding", "Approvals"),
                *("Audit", "Staff", "Jobs"),
            ],
        ),
        (Role.ADMIN, ["Home", "Approvals", "Audit", "Staff", "Jobs"]),
    ],
)
def test_the_rail_shows_only_what_the_role_may_open(signed_in: SignIn, role: Role, labels: list[str]) -> None:
    assert [label for label, _count in rail(signed_in(role).get("/staff/me").text)] == labels


def test_the_rail_counts_what_waits_for_this_person(signed_in: SignIn, officer: Actor) -> None:
    doubtful(officer)
    client = client_with(officer, last_name="Saar")
    with transaction():
        clients.ask_to_activate(client.id, reason="papers seen", by=officer)
    places = ["Home", "Clients", "Transfers", "Unrecognized", "Ledger", "Onboarding", "Approvals"]
    nothing = dict.fromkeys(places, "")
    assert dict(rail(signed_in(Role.OFFICER).get("/staff/me").text)) == nothing | {"Clients": "1"}
    assert dict(rail(signed_in(Role.SENIOR_OFFICER).get("/staff/me").text))["Approvals"] == "1"
    treasurer = {place: "" for place in [*places, "Treasury", "Jobs"] if place != "Onboarding"}
    assert dict(rail(signed_in(Role.TREASURER).get("/staff/me").text)) == treasurer


@pytest.mark.parametrize(
    ("path", "label"), [("/", "Home"), ("/queues/activation", "Home"), ("/approvals?view=closed", "Approvals")]
)
def test_the_rail_marks_where_one_is(signed_in: SignIn, path: str, label: str) -> None:
    page = signed_in(Role.OFFICER).get(path).text
    assert re.findall(r'aria-current="page">([^<\n]+)', page[: page.index("rail-foot")]) == [label]


def test_the_error_page_stands_although_the_rail_cannot_count(
    app: Flask, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise sa.exc.OperationalError("SELECT", {}, Exception("the server went away"))

    monkeypatch.setattr(queue_queries, "waiting_in", fail)
    answer = signed_in(Role.OFFICER).get("/no-such-page")
    assert answer.status_code == 404
    assert "There is no such page." in answer.text


def test_who_watches_the_audit_is_told_at_home_that_it_is_not_being_sealed(
    signed_in: SignIn, officer: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    client_with(officer)
    said = "The audit is not being sealed."
    watching = [role for role in Role if ROLES[role].permissions & {Permission.AUDIT_READ, Permission.JOBS_READ}]
    assert {Role.AUDITOR, Role.ADMIN} <= set(watching) and Role.OFFICER not in watching
    assert said not in signed_in(Role.AUDITOR).get("/").text
    monkeypatch.setitem(sealing._limits, "minutes", 0)
    for role in Role:
        text = signed_in(role).get("/").text
        assert (said in text and "/jobs/seal-audit" in text) is (role in watching), role
    monkeypatch.setattr(sealing, "queue", lambda: session().execute(sa.text("SELECT 1 / 0")))
    assert "It is not known whether the audit is sealed." in signed_in(Role.AUDITOR).get("/").text
