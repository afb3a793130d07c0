"""Pages of transfers: the list, one transfer, what a person must know to decide, and what they may do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard import clock
from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.audit.models import AuditEvent
from dashboard.database import session, transaction
from dashboard.queues.models import QueueItem
from dashboard.transfers.models import Provider, ProviderMessage, Transfer
from dashboard.transfers.providers.port import Outcome, Report
from dashboard.transfers.services import references
from dashboard.transfers.services.outgoing import held, results
from dashboard.transfers.vocabulary import Check, CheckOutcome, Status, TransferType
from tests.conftest import People
from tests.transfers.stored import Store

SignIn = Callable[..., FlaskClient]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def store(app: Flask) -> Store:
    return Store()


@pytest.fixture
def waiting(store: Store) -> Transfer:
    """An active client's transfer that waits for a person, with its checks and its item in the queue."""
    client = store.client()
    account, payee = store.account(client), store.recipient(client)
    before = store.outgoing(account, payee, 300_00, status=Status.COMPLETED)
    found = store.outgoing(account, payee, 1250_00, status=Status.MANUAL_REVIEW, code="duplicate")
    store.check(
        found, Check.LIMIT_PER_DAY, limit_minor=1000_00, measured_minor=1550_00,
        detail={"count": 1, "since": "2026-11-01T00:00:00+00:00", "transferIds": [str(before.id)]},
    )  # fmt: skip
    store.check(found, Check.FUNDS, CheckOutcome.PASSED, limit_minor=9000_00, measured_minor=1250_00)
    with transaction():
        held.put_in_queue(found, cause=held.REVIEW)
    return found


def _names(page: str) -> list[str]:
    return re.findall(r'<a class="open" href="/transfers/([0-9a-f-]{36})"', page)


def test_the_list_shows_newest_first_and_filters_stand_in_the_address(store: Store, signed_in: SignIn) -> None:
    client = store.client()
    account, payee = store.account(client), store.recipient(client)
    first = store.outgoing(account, payee, 10_00, remittance="Rent of May")
    second = store.outgoing(account, payee, 20_00, status=Status.MANUAL_REVIEW)
    third = store.incoming(account)
    browser = signed_in(Role.TREASURER)
    assert _names(browser.get("/transfers").text) == [str(one.id) for one in (third, second, first)]
    assert _names(browser.get("/transfers?kind=incoming").text) == [str(third.id)]
    assert _names(browser.get("/transfers?text=rent").text) == [str(first.id)]
    assert _names(browser.get(f"/transfers?account={account.number}&amount=20").text) == [str(second.id)]
    assert _names(browser.get(f"/transfers?client={client.id}&status=manualReview").text) == [str(second.id)]
    page = browser.get("/transfers?kind=outgoing&text=jonas").text
    assert 'href="/transfers?text=jonas&amp;kind=incoming"' in page
    assert '<a class="nav-link" href="/transfers?text=jonas&amp;kind=outgoing" aria-current="page">' in page
    part = browser.get("/transfers?kind=outgoing&status=&text=jonas", headers=HTMX)
    assert part.headers["HX-Push-Url"] == "/transfers?text=jonas&kind=outgoing"
    assert "<html" not in part.text and 'id="views" hx-swap-oob="true"' in part.text


def test_pages_of_the_list_follow_each_other(store: Store, signed_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dashboard.transfers.pages.listing.DEFAULT_PAGE_SIZE", 2)
    client = store.client()
    account, payee = store.account(client), store.recipient(client)
    made = [str(store.outgoing(account, payee).id) for _ in range(5)]
    browser = signed_in(Role.OFFICER)
    url, found = "/transfers", []
    while url:
        page = browser.get(url).text
        found += _names(page)
        following = re.search(r'href="([^"]+)" rel="next"', page)
        url = following.group(1).replace("&amp;", "&") if following else ""
    assert found == made[::-1]
    back = re.search(r'href="([^"]+)" rel="prev"', page)
    assert back is not None
    assert _names(browser.get(back.group(1).replace("&amp;", "&")).text) == found[2:4]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("status=lost", "is none of the choices"), ("text=a+b", "Write at least 3"),
        ("amount_from=5&amount_to=4", "less than the least"), ("created_from=yesterday", "Write the date"),
        ("created_from=2026-02-02&created_to=2026-01-01", "before the first day"),
    ],
)  # fmt: skip
def test_a_wrong_filter_is_named_and_nothing_is_listed(signed_in: SignIn, query: str, words: str) -> None:
    answer = signed_in(Role.OFFICER).get(f"/transfers?{query}")
    assert answer.status_code == 422
    assert words in answer.text and "Nothing is listed until" in answer.text


def test_an_empty_list_says_what_to_do(signed_in: SignIn) -> None:
    browser = signed_in(Role.OFFICER)
    assert "No transfers yet." in browser.get("/transfers").text
    assert "Nothing fits these filters." in browser.get("/transfers?kind=incoming").text
    assert browser.get("/transfers?cursor=abc").status_code == 400


def test_totals_are_of_one_currency_each(store: Store, signed_in: SignIn) -> None:
    client = store.client()
    payee = store.recipient(client)
    store.outgoing(store.account(client), payee, 10_00)
    store.outgoing(store.account(client, currency="gbp"), payee, 5_00)
    page = signed_in(Role.OFFICER).get("/transfers/totals", headers=HTMX).text
    assert "10.00 EUR" in page and "5.00 GBP" in page and "15.00" not in page


def test_an_export_holds_what_the_filters_show(store: Store, signed_in: SignIn) -> None:
    client = store.client()
    account, payee = store.account(client), store.recipient(client)
    store.outgoing(account, payee, 12_34, remittance="=HYPERLINK(1)")
    store.incoming(account)
    browser = signed_in(Role.OFFICER)
    text = browser.get("/transfers/export/csv?kind=outgoing").text
    assert "12.34" in text and "Jonas Petrauskas" in text and "Marta Kask" not in text
    assert browser.get("/transfers/export/xlsx").data[:2] == b"PK"
    assert browser.get("/transfers/export/pdf").status_code == 422


def test_a_transfer_shows_both_sides_its_states_and_its_payment(store: Store, signed_in: SignIn) -> None:
    client = store.client()
    account, payee = store.account(client), store.recipient(client)
    done = store.outgoing(account, payee, 12_34, status=Status.COMPLETED)
    page = signed_in(Role.TREASURER).get(f"/transfers/{done.id}").text
    for words in ("Outgoing transfer 12.34 EUR", "Jonas Petrauskas", "Mari Ilves", "EE38 2200 2210 2014 5685",
                  f"/ledger/payments/{done.payment_id}", "Completed", "Submitted", "Awaiting confirmation",
                  f"/transfers/{done.id}/documents"):  # fmt: skip
        assert words in page, words
    assert "Continue…" not in page and "Cancel…" not in page


def test_a_held_transfer_shows_why_and_what_one_must_know(waiting: Transfer, signed_in: SignIn, store: Store) -> None:
    page = signed_in(Role.OFFICER).get(f"/transfers/{waiting.id}").text
    for words in ("Why it is held", "Limit per day", "1,000.00 EUR", "1,550.00 EUR", "1 other transfer",
                  "Payments to this recipient so far", "300.00 EUR", "Turnover beside what was declared",
                  "not declared", "Open flags of the client", "1 passed: Funds",
                  "Continue…", "Cancel…", "Execute manually…"):  # fmt: skip
        assert words in page, words
    before = session().scalar(sa.select(Transfer.id).where(Transfer.status == "completed"))
    assert f'href="/transfers/{before}"' in page


@pytest.mark.parametrize(
    ("role", "may"),
    [(Role.OFFICER, ["release", "cancel", "execute"]), (Role.TREASURER, ["execute"]), (Role.AUDITOR, [])],
)
def test_only_what_the_role_may_is_offered(waiting: Transfer, signed_in: SignIn, role: Role, may: list[str]) -> None:
    browser = signed_in(role)
    page = browser.get(f"/transfers/{waiting.id}").text
    for name, path in (("release", "continue"), ("cancel", "cancel"), ("execute", "execute")):
        assert (f'href="/transfers/{waiting.id}/{path}"' in page) == (name in may)
        assert (browser.get(f"/transfers/{waiting.id}/{path}").status_code == 200) == (name in may)


def test_canceling_needs_a_reason_and_gives_the_money_back(waiting: Transfer, signed_in: SignIn) -> None:
    browser = signed_in(Role.OFFICER)
    path = f"/transfers/{waiting.id}/cancel"
    refused = browser.post(path, data={"reason": " "})
    assert refused.status_code == 422 and "Say why." in refused.text
    assert browser.post(path, data={"reason": "Paid twice"}).status_code == 303
    session().expire_all()
    assert session().get_one(Transfer, waiting.id).status == "canceled"
    assert session().scalar(sa.select(QueueItem.closed_at).where(QueueItem.object_id == waiting.id)) is not None
    page = browser.get(f"/transfers/{waiting.id}").text
    assert "Paid twice" in page and "Cancel…" not in page
    again = browser.post(path, data={"reason": "Once more"})
    assert again.status_code == 422 and "Once more" in again.text


def test_a_refusal_is_shown_in_place_with_what_was_typed(waiting: Transfer, signed_in: SignIn) -> None:
    browser = signed_in(Role.OFFICER)
    refused = browser.post(f"/transfers/{waiting.id}/continue", data={"reason": "I looked at it"}, headers=HTMX)
    # the client was never activated, and that is asked again
    assert refused.status_code == 422
    assert "I looked at it" in refused.text and "The client cannot make transfers now." in refused.text
    session().expire_all()
    assert session().get_one(Transfer, waiting.id).status == "manualReview"


def test_executing_by_hand_asks_a_second_person(waiting: Transfer, signed_in: SignIn) -> None:
    browser = signed_in(Role.OFFICER)
    path = f"/transfers/{waiting.id}/execute"
    refused = browser.post(path, data={"outcome": "executed", "comment": "They called"})
    assert refused.status_code == 422 and "Give the provider" in refused.text and "They called" in refused.text
    data = {"outcome": "executed", "provider_reference": "BA-1", "comment": "They called"}
    asked = browser.post(path, data=data)
    assert asked.status_code == 303 and "/approvals/" in asked.headers["Location"]
    page = browser.get(f"/transfers/{waiting.id}").text
    assert "Manual execution requested." in page and "Execute manually…" not in page
    assert "asked by you, waits for approval" in browser.get("/queues/held-transfers").text


def test_messages_are_escaped_and_reading_them_is_recorded(store: Store, signed_in: SignIn) -> None:
    client = store.client()
    sent = store.outgoing(store.account(client), store.recipient(client), status=Status.SUBMITTED)
    browser = signed_in(Role.OFFICER)
    assert "Nothing was said yet." in browser.get(f"/transfers/{sent.id}/messages").text
    with transaction() as database:
        database.add(Provider(key="bank-a", name="Bank A", kind="files", created_at=clock.now()))
        database.flush()
        database.add(
            ProviderMessage(provider="bank-a", direction="in", kind="pain.002", reference="x", transfer_id=sent.id,
                            media_type="application/xml", body="<script>alert(1)</script>", at=clock.now())
        )  # fmt: skip
    assert "alert(1)" not in browser.get(f"/transfers/{sent.id}").text
    page = browser.get(f"/transfers/{sent.id}/messages", headers=HTMX).text
    assert "&lt;script&gt;alert(1)" in page and "<script>" not in page and "<details" in page
    read = session().scalars(sa.select(AuditEvent).where(AuditEvent.action == "transfer.messages_read")).all()
    assert [(event.object_id, event.client_id) for event in read] == [(sent.id, client.id)]


def test_the_queue_of_held_transfers_says_whom_and_why(waiting: Transfer, signed_in: SignIn) -> None:
    browser = signed_in(Role.OFFICER)
    page = browser.get("/queues/held-transfers").text
    for words in ("Mari Ilves", "1,250.00 EUR to Jonas Petrauskas", "Limit per day", f'href="/transfers/{waiting.id}"'):
        assert words in page, words
    home = browser.get("/").text
    assert 'href="/queues/held-transfers"' in home and 'href="/transfers/unrecognized"' in home
    assert signed_in(Role.TREASURER).get("/queues/held-transfers").status_code == 403
    item = session().scalars(sa.select(QueueItem).where(QueueItem.object_id == waiting.id)).one()
    assert signed_in(Role.AUDITOR).post(f"/queues/items/{item.id}/take").status_code == 403
    assert "Taken" in browser.post(f"/queues/items/{item.id}/take", headers=HTMX).text
    assert "Look at a held transfer" in browser.get(f"/clients/{waiting.client_id}").text


def test_the_next_item_may_be_a_transfer(waiting: Transfer, signed_in: SignIn, people: People) -> None:
    session().execute(sa.update(QueueItem).where(QueueItem.queue != "held-transfers").values(closed_at=clock.now()))
    session().commit()
    answer = signed_in(Role.OFFICER).post("/queues/next")
    assert answer.headers["Location"] == f"/transfers/{waiting.id}"


def test_the_search_box_finds_transfers_by_reference_and_amount(store: Store, signed_in: SignIn) -> None:
    client = store.client()
    account = store.account(client)
    came = store.incoming(account, 777_77, reference="BA-88213")
    browser = signed_in(Role.OFFICER)

    def place(text: str) -> Any:
        return browser.get("/search", query_string={"text": text}).headers["Location"]

    assert place("BA-88213") == place(str(came.id)) == f"/transfers/{came.id}"
    assert place("777.77") == "/transfers?amount=777.77"
    assert place("777.78").startswith("/ledger/transactions?")


def test_a_clients_page_has_its_transfers_recipients_and_references(store: Store, signed_in: SignIn) -> None:
    client = store.client()
    account, payee = store.account(client), store.recipient(client)
    sent = store.outgoing(account, payee, 5_00, status=Status.COMPLETED)
    with transaction():
        given = references.give(client_id=client.id, account_id=account.id, by=store.by)
    browser = signed_in(Role.OFFICER)
    tab = browser.get(f"/clients/{client.id}?tab=transfers").text
    for part in ("transfers", "recipients", "references"):
        assert f'hx-get="/transfers/of/{client.id}/{part}"' in tab
    assert f"/transfers/{sent.id}" in browser.get(f"/transfers/of/{client.id}/transfers", headers=HTMX).text
    listed = browser.get(f"/transfers/of/{client.id}/recipients").text
    assert "Jonas Petrauskas" in listed and "Swedbank AS" in listed and "5.00 EUR" in listed
    assert "Nothing fits." in browser.get(f"/transfers/of/{client.id}/recipients?text=zzz").text
    assert given.reference in browser.get(f"/transfers/of/{client.id}/references").text
    browser.post(f"/transfers/of/{client.id}/references/{given.id}/revoke")
    assert "Revoked" in browser.get(f"/transfers/of/{client.id}/references").text
    other = store.client("Kask")
    assert browser.post(f"/transfers/of/{other.id}/references/{given.id}/revoke").status_code == 404
    assert signed_in(Role.ADMIN).get(f"/transfers/of/{client.id}/transfers").status_code == 403


def test_who_cleared_a_contradiction_says_so_with_a_reason_and_nothing_moves(store: Store, signed_in: SignIn) -> None:
    client = store.client()
    with transaction():
        session().add(Provider(key="north", name="North", kind="sandbox", settings={}, created_at=clock.now()))
    made = store.outgoing(
        store.account(client), store.recipient(client), 10_00, status=Status.COMPLETED, provider="north"
    )
    pages, here = signed_in(Role.OFFICER), f"/transfers/{made.id}"
    assert "contradicts what is booked" not in pages.get(here).text
    assert pages.post(f"{here}/clear", data={"reason": "There is none"}).status_code == 404
    told = Report(made.end_to_end_id or "", Outcome.REJECTED, code="AC04")
    with transaction():
        results.report("north", told, by=system())
    page = pages.get(here).text
    assert "contradicts what is booked" in page and f"{here}/clear" in page
    assert pages.get(f"{here}/clear").status_code == 200
    assert pages.post(f"{here}/clear", data={"reason": " "}).status_code == 422
    assert "contradicts what is booked" in pages.get(here).text
    assert pages.post(f"{here}/clear", data={"reason": "Their file was a test"}).status_code == 303
    page = pages.get(here).text
    assert "contradicts what is booked" not in page and "Their file was a test" in page
    assert session().get_one(Transfer, made.id).status == "completed"
    assert f"{here}/clear" not in signed_in(Role.TREASURER).get(here).text


def test_one_row_of_links_leads_to_every_page_of_transfers(signed_in: SignIn) -> None:
    browser = signed_in(Role.OFFICER)
    places = (
        "/transfers",
        "/transfers/requests",
        "/transfers/exchange",
        "/transfers/providers",
        "/transfers/calendars",
    )
    for here in places:
        page = browser.get(here)
        row = re.search(r'<nav class="places".*?</nav>', page.text, re.DOTALL)
        assert page.status_code == 200 and row
        assert re.findall(r'href="([^"]+)"', row[0]) == list(places)
        assert re.findall(r'href="([^"]+)" aria-current="page"', row[0]) == [here]


def test_a_row_has_room_for_its_kind_and_says_it_in_full(store: Store, signed_in: SignIn) -> None:
    client = store.client()
    store.outgoing(store.account(client), store.recipient(client), 10_00, type=TransferType.FASTER_PAYMENTS)
    page = signed_in(Role.OFFICER).get("/transfers").text
    assert 'title="Outgoing · Faster Payments">Outgoing · FPS</td>' in page
