"""What the people who ask and decide are told when several blocks stand: which goes, which stay, and what changes."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission, Role
from dashboard.approvals import services as approvals
from dashboard.approvals.kinds import Kind, kind_of
from dashboard.approvals.models import ApprovalRequest
from dashboard.clients import queries, services
from dashboard.clients.blocks import effective, effective_in_words
from dashboard.clients.models import Client, ClientBlock
from dashboard.clients.services.block import status_in_words
from dashboard.clients.vocabulary import BlockCode, Scope
from dashboard.database import db, new_id, transaction
from dashboard.money import Money
from tests.clients.making import activated, blocked, path, person

HTMX = {"HX-Request": "true"}


@pytest.fixture
def officer(people: Any) -> Actor:
    return people.actor(Role.OFFICER)  # type: ignore[no-any-return]


@pytest.fixture
def senior(people: Any) -> Actor:
    return people.actor(Role.SENIOR_OFFICER)  # type: ignore[no-any-return]


@pytest.fixture
def client(officer: Actor, senior: Actor) -> Client:
    return activated(person(officer), officer, senior)


@pytest.fixture
def full(client: Client, officer: Actor) -> ClientBlock:
    return blocked(client, officer, comment="Police query")


@pytest.fixture
def amount(client: Client, officer: Actor, full: ClientBlock) -> ClientBlock:
    """The second block."""
    court = BlockCode.COURT_ATTACHMENT
    return blocked(
        client, officer, scope=Scope.AMOUNT, code=court, amount=Money(125050, "eur"), comment="Bailiff Tamm"
    )  # fmt: skip


def ask(block: ClientBlock, by: Actor) -> UUID:
    with transaction():
        return services.ask_to_unblock(block.id, reason="invoice 4410", by=by).id


def approve(request_id: UUID, by: Actor) -> None:
    with transaction():
        approvals.decide(request_id, approve=True, reason=None, by=by)


def plain(html: str) -> str:
    """What a person reads: no tags, one space between words."""
    html = re.sub(r"(?s)<(script|style).*?</\1>", "", html).replace("</d", " </d")
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html)).replace("→ to", "→")


def flashes(browser: Any) -> list[str]:
    with browser.session_transaction() as cookie:
        return [text for _role, text in cookie.pop("_flashes", [])]


# what would change


def test_after_the_first_of_two_blocks_went_the_second_request_says_that_the_client_becomes_active(
    signed_in: Any, client: Client, full: ClientBlock, amount: ClientBlock, officer: Actor, senior: Actor
) -> None:
    first, second = ask(full, officer), ask(amount, officer)
    browser = signed_in(Role.SENIOR_OFFICER)
    pages = (f"/approvals/{second}/approve", f"/approvals/{second}", "/approvals?view=me", path(client))
    for url in pages:
        assert "stays Blocked: all" in plain(browser.get(url).text), url
    approve(first, senior)
    for url in pages:
        assert "Blocked: amount → Active" in plain(browser.get(url).text), url
        assert "stays" not in plain(browser.get(url).text), url


def test_a_closed_request_shows_what_its_decision_changed(
    signed_in: Any, full: ClientBlock, amount: ClientBlock, officer: Actor, senior: Actor
) -> None:
    first, second = ask(full, officer), ask(amount, officer)
    approve(first, senior)
    approve(second, senior)
    browser = signed_in(Role.AUDITOR)
    assert "Blocked: all → Blocked: amount" in plain(browser.get(f"/approvals/{first}").text)
    assert "Blocked: amount → Active" in plain(browser.get(f"/approvals/{second}").text)


def test_a_rejected_request_shows_what_was_asked_although_the_world_went_on(
    signed_in: Any, full: ClientBlock, amount: ClientBlock, officer: Actor, senior: Actor
) -> None:
    first, second = ask(full, officer), ask(amount, officer)
    with transaction():
        approvals.decide(second, approve=False, reason="not yet", by=senior)
    approve(first, senior)
    page = plain(signed_in(Role.AUDITOR).get(f"/approvals/{second}").text)
    assert "stays Blocked: all" in page and "→ Active" not in page


# which block


@pytest.mark.parametrize("act", ["", "/approve", "/reject"])
def test_who_decides_reads_which_block_goes_and_which_stay(
    signed_in: Any, full: ClientBlock, amount: ClientBlock, officer: Actor, act: str
) -> None:
    page = plain(signed_in(Role.SENIOR_OFFICER).get(f"/approvals/{ask(amount, officer)}{act}").text)
    assert re.search(r"Lift Amount 1,250\.50 EUR · Court attachment · since \d+ \w+ \d\d:\d\d by Officer", page)
    assert re.search(r"Stays All · Fraud suspicion · since \d+ \w+ \d\d:\d\d by Officer", page)
    assert "“Bailiff Tamm”" in page and "Police query" not in page


def test_the_maker_reads_it_before_asking_and_before_withdrawing(
    signed_in: Any, client: Client, full: ClientBlock, amount: ClientBlock, officer: Actor
) -> None:
    browser = signed_in(Role.OFFICER)
    asking = plain(browser.get(path(client, f"/blocks/{amount.id}/lift"), headers=HTMX).text)
    assert "Lift the amount block 1,250.50 EUR of Mari Ilves" in asking
    assert "stays Blocked: all" in asking and "All · Fraud suspicion" in asking
    withdrawing = plain(browser.get(f"/approvals/{ask(amount, officer)}/withdraw", headers=HTMX).text)
    assert re.search(r"Lift Amount 1,250\.50 EUR · Court attachment · since .{9,14} by you", withdrawing)


def test_the_banner_the_list_and_the_timeline_name_the_block(
    signed_in: Any, client: Client, full: ClientBlock, amount: ClientBlock, officer: Actor
) -> None:
    asked = ask(amount, officer)
    browser = signed_in(Role.SENIOR_OFFICER)
    banner = plain(browser.get(path(client)).text.split('aria-label="Pending request')[1].split("</section>")[0])
    assert "Lift: Amount 1,250.50 EUR · Court attachment" in banner and "Stays: All · Fraud suspicion" in banner
    assert "amount block 1,250.50 EUR · Court attachment" in plain(browser.get("/approvals?view=me").text)
    timeline = plain(browser.get(path(client, "?tab=timeline")).text)
    assert "Unblock requested: amount block 1,250.50 EUR · Court attachment" in timeline
    maker = signed_in(Role.OFFICER).get(path(client)).text
    assert f'href="/approvals/{asked}">Open request' in maker and f"/approvals/{asked}/withdraw" in maker


@pytest.mark.parametrize("act", ["", "timeline", "list", "client"])
def test_without_the_permission_it_is_an_internal_reason_without_a_comment(
    signed_in: Any, client: Client, full: ClientBlock, amount: ClientBlock, officer: Actor, act: str
) -> None:
    asked = ask(amount, officer)
    places = {"": f"/approvals/{asked}", "list": "/approvals?view=open", "client": path(client)}
    page = plain(signed_in(Role.TREASURER).get(places.get(act) or path(client, "?tab=timeline")).text)
    assert "1,250.50 EUR · Internal reason" in page
    for secret in ("Court", "Fraud", "Bailiff", "Police", "4410"):
        assert secret not in page, secret


# what happened


def test_a_block_lifted_beside_others_is_not_called_unblocked(
    signed_in: Any, client: Client, full: ClientBlock, amount: ClientBlock, officer: Actor
) -> None:
    debit = blocked(client, officer, scope=Scope.DEBIT, code=BlockCode.KYC_EXPIRED)
    browser = signed_in(Role.SENIOR_OFFICER)
    for block, told in (
        (amount, "Lifted: amount block 1,250.50 EUR. Still blocked: all (2 blocks)."),
        (full, "Lifted: full block. Still blocked: debit (1 block)."),
        (debit, "Unblocked Mari Ilves."),
    ):
        browser.post(f"/approvals/{ask(block, officer)}/approve")
        assert flashes(browser) == [told]


def test_a_rejection_says_which_request(signed_in: Any, amount: ClientBlock, officer: Actor) -> None:
    browser = signed_in(Role.SENIOR_OFFICER)
    browser.post(f"/approvals/{ask(amount, officer)}/reject", data={"reason": "not yet"})
    assert flashes(browser) == ["Request to lift the amount block 1,250.50 EUR of Mari Ilves rejected."]


# in words


@pytest.mark.parametrize(
    ("scopes", "words"),
    [
        (["amount", "credit"], "credit, amount"),
        (["debit", "amount", "amount"], "debit, amount"),
        (["debit", "credit", "amount"], "all"),
        (["all", "amount"], "all"),
        (["amount"], "amount"),
        (["credit"], "credit"),
        ([], None),
    ],
)
def test_the_union_in_words_swallows_no_amount(scopes: list[str], words: str | None) -> None:
    assert effective_in_words(scopes) == words
    # for machines it stays one of four words
    assert effective(scopes) in {None, "all", "debit", "credit", "amount"}


def test_an_amount_beside_a_credit_block_stands_in_the_badge_and_in_the_list(
    signed_in: Any, client: Client, officer: Actor
) -> None:
    blocked(client, officer, scope=Scope.CREDIT)
    blocked(client, officer, scope=Scope.AMOUNT, amount=Money(100, "eur"))
    browser = signed_in(Role.OFFICER)
    badge = '<span class="badge is-stop">Blocked: credit, amount</span>'
    assert badge in browser.get(path(client)).text and badge in browser.get("/clients").text
    assert queries.freezes([client])[client.id] == "credit, amount"
    assert status_in_words("blocked", ["credit", "amount"]) == "Blocked: credit, amount"


# machines


def test_a_token_is_never_taken_for_a_person(signed_in: Any, client: Client, officer: Actor) -> None:
    token = Actor("token", new_id(), "command line", "system", frozenset(Permission), owner_id=officer.id)
    placed = blocked(client, token)
    asked = ask(placed, token)
    browser = signed_in(Role.SENIOR_OFFICER)
    page = plain(browser.get(path(client)).text)
    assert "Token command line asked at" in page and "by token command line" in page
    for url in (f"/approvals/{asked}", f"/approvals/{asked}/approve", "/approvals?view=me"):
        assert "token command line" in plain(browser.get(url).text), url
    timeline = plain(browser.get(path(client, "?tab=timeline")).text)
    assert timeline.count("system token command line") == 2


# the kind itself


def test_a_kind_says_its_noun_and_one_without_a_noun_is_a_request() -> None:
    assert kind_of("client.unblock").said("requested") == "Unblock requested"
    assert kind_of("client.lower-risk").said("request approved") == "Lower risk request approved"
    bare = Kind("x", "X", Permission.CLIENTS_READ, lambda _: {}, lambda _, __: None)
    assert (bare.said("requested"), bare.said("request approved")) == ("Requested", "Request approved")


def queries_of(browser: Any, url: str) -> int:
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            seen.append(statement)

    sa.event.listen(db.engine, "before_cursor_execute", note)
    try:
        db.session.expire_all()
        assert browser.get(url).status_code == 200
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", note)
    return len(seen)


def test_neither_a_list_nor_a_client_asks_the_database_once_for_each_request(
    signed_in: Any, client: Client, full: ClientBlock, officer: Actor
) -> None:
    ask(full, officer)
    browser = signed_in(Role.SENIOR_OFFICER)
    urls = ("/approvals?view=open", path(client), path(client, "?tab=timeline"))
    # the first look at a list is written down, a later one soon after is not
    one = [[queries_of(browser, url) for url in urls] for _ in range(2)][1]
    for scope in (Scope.DEBIT, Scope.CREDIT):
        ask(blocked(client, officer, scope=scope), officer)
    for number in range(3):
        ask(blocked(person(officer, first=f"N{number}", document=None), officer), officer)
    assert db.session.scalar(sa.select(sa.func.count()).select_from(ApprovalRequest)) == 7
    assert [queries_of(browser, url) for url in urls] == one
