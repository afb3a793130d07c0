"""Reading transfers: filters, pages, what a client is told, and what it is not."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard.access.permissions import Audience
from dashboard.database import session
from dashboard.transfers.queries import transfers as queries
from dashboard.transfers.queries.transfers import TransferFilter
from dashboard.transfers.vocabulary import Check, CheckOutcome, Kind, Status, TransferType
from dashboard.web import json
from tests.transfers.stored import IBAN, Store


@pytest.fixture
def store(app: Flask) -> Store:
    return Store()


@pytest.fixture
def teller(machine: Callable[..., Any]) -> Any:
    return machine(Audience.SYSTEM)


def _ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.json
    return [one["id"] for one in answer.json["items"]]


def test_a_transfer_says_everything_to_systems(store: Store, teller: Any) -> None:
    client = store.client()
    account, recipient = store.account(client), store.recipient(client)
    held = store.outgoing(
        account, recipient, 1250_00, status=Status.MANUAL_REVIEW, reason="Duplicate", code="duplicate"
    )
    store.check(held, Check.DUPLICATE, detail={"transfers": [str(held.id)]}, measured_minor=1)
    store.check(held, Check.FUNDS, CheckOutcome.PASSED)
    answer = teller.call("GET", f"/internal/Transfers/outgoing/{held.id}")
    assert answer.status_code == 200
    said = json.loads(answer.data)
    assert said["amount"] == Decimal("1250.00")
    assert (said["kind"], said["status"], said["type"]) == ("outgoing", "manualReview", "sepa")
    assert said["accountNumber"] == account.number
    assert said["recipient"]["accountNumber"] == said["counterparty"]["accountNumber"] == IBAN
    assert [change["status"] for change in said["history"]] == ["awaitingConfirmation", "confirmed", "manualReview"]
    assert said["history"][-1]["reason"] == "Duplicate"
    assert [check["code"] for check in said["checks"]] == ["funds", "duplicate"]


def test_a_client_reads_nothing_of_what_the_house_thinks(store: Store, machine: Callable[..., Any]) -> None:
    client = store.client()
    account, recipient = store.account(client), store.recipient(client)
    held = store.outgoing(account, recipient, status=Status.MANUAL_REVIEW, reason="Secret doubt", code="duplicate")
    store.check(held, Check.DUPLICATE)
    own = machine(Audience.FRONTOFFICE, client_id=client.id)
    answer = own.call("GET", f"/Transfers/{held.id}")
    assert answer.status_code == 200
    text = answer.get_data(as_text=True)
    for word in ("manualReview", "Secret", "duplicate", "checks", "reason", 'provider"'):
        assert word not in text
    assert answer.json["status"] == "confirmed"
    assert [one["status"] for one in answer.json["history"]] == ["awaitingConfirmation", "confirmed"]
    assert _ids(own.call("GET", "/v2/Transfers?status=confirmed")) == [str(held.id)]
    assert own.call("GET", "/v2/Transfers?status=manualReview").status_code == 400
    enveloped = own.call("GET", f"/v2/Transfers/outgoing/{held.id}").json
    assert enveloped["value"]["id"] == str(held.id) and enveloped["isSuccess"] is True


def test_an_unknown_outcome_reads_as_submitted(store: Store, machine: Callable[..., Any]) -> None:
    client = store.client()
    lost = store.outgoing(store.account(client), store.recipient(client), status=Status.UNKNOWN)
    own = machine(Audience.FRONTOFFICE, client_id=client.id)
    assert own.call("GET", f"/Transfers/outgoing/{lost.id}").json["status"] == "submitted"


def test_another_clients_transfer_and_another_kind_are_not_there(
    store: Store, teller: Any, machine: Callable[..., Any]
) -> None:
    client, other = store.client(), store.client("Kask")
    theirs = store.outgoing(store.account(other), store.recipient(other))
    mine = store.incoming(store.account(client))
    own = machine(Audience.FRONTOFFICE, client_id=client.id)
    for path in (
        f"/Transfers/{theirs.id}", f"/v2/Transfers/{theirs.id}", f"/Transfers/outgoing/{theirs.id}",
        f"/v2/Transfers/outgoing/{theirs.id}", f"/Transfers/incoming/{theirs.id}",
        f"/v2/Transfers/incoming/{theirs.id}", f"/Transfers/foreign-exchange/{theirs.id}",
        f"/v2/Transfers/foreign-exchange/{theirs.id}", f"/Transfers/outgoing/{mine.id}", f"/Transfers/{uuid4()}",
    ):  # fmt: skip
        assert own.call("GET", path).status_code == 404, path
    for path in (
        f"/internal/Transfers/incoming/{theirs.id}", f"/internal/Transfers/outgoing/{mine.id}",
        f"/internal/Transfers/foreign-exchange/{mine.id}", f"/internal/Transfers/outgoing/{uuid4()}",
    ):  # fmt: skip
        answer = teller.call("GET", path)
        assert (answer.status_code, answer.json["code"]) == (404, "transferNotFound")
    assert _ids(own.call("GET", "/Transfers")) == [str(mine.id)]


def test_money_on_suspense_is_nobodys_business_but_the_houses(
    store: Store, teller: Any, machine: Callable[..., Any]
) -> None:
    client = store.client()
    account = store.account(client)
    reached = store.incoming(account)
    held = store.incoming(None)
    own = machine(Audience.FRONTOFFICE, client_id=client.id)
    assert own.call("GET", f"/Transfers/incoming/{held.id}").status_code == 404
    assert own.call("GET", f"/Transfers/incoming/{reached.id}").json["counterparty"]["name"] == "Marta Kask"
    assert _ids(teller.call("GET", "/internal/Transfers/incoming?status=unrecognized")) == [str(held.id)]


def test_filters_combine(store: Store, teller: Any) -> None:
    client, other = store.client(), store.client("Kask")
    euros, pounds = store.account(client), store.account(other, currency="gbp")
    payee, uk = store.recipient(client), store.recipient(other, "Jo Smith")
    small = store.outgoing(euros, payee, 10_00, remittance="Rent of May")
    large = store.outgoing(
        euros, payee, 5000_00, status=Status.COMPLETED, provider="sandbox-x", type=TransferType.SWIFT
    )
    abroad = store.outgoing(pounds, uk, 10_00, status=Status.REJECTED)
    came = store.incoming(euros, 77_00, reference="BA-88213")
    every = [came, abroad, large, small]

    def found(query: str) -> list[Any]:
        ids = _ids(teller.call("GET", f"/internal/Transfers?{query}"))
        return [one for one in every if str(one.id) in ids]

    assert [str(one.id) for one in every] == _ids(teller.call("GET", "/internal/Transfers"))
    assert found("kind=outgoing") == [abroad, large, small]
    assert found("status=rejected") == [abroad]
    assert found("type=swift&status=completed") == [large]
    assert found(f"accountId={euros.id}") == [came, large, small]
    assert found(f"clientId={other.id}") == [abroad]
    assert found("currency=eur&amountFrom=10&amountTo=77") == [came, small]
    assert found("amountFrom=10&amountTo=10") == [abroad, small]
    assert found("providerReference=BA-88213") == [came]
    assert found("text=rent") == [small]
    assert found("text=jonas%20petrau") == [large, small]
    assert found(f"text={abroad.id}") == [abroad]
    assert found("text=2200221020145685&kind=outgoing&currency=gbp") == [abroad]
    assert found("createdFrom=2020-01-01&createdTo=2999-01-01") == every
    assert found("createdTo=2020-01-01") == []
    assert found("createdFrom=2998-01-01") == []
    assert teller.call("GET", "/internal/Transfers?kind=outgoing&includeTotal=true").json["totalCount"] == 3
    assert _ids(teller.call("GET", "/internal/Transfers/outgoing")) == [str(one.id) for one in (abroad, large, small)]
    assert _ids(teller.call("GET", "/internal/Transfers/foreign-exchange")) == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=lost", "status"), ("kind=fx", "kind"), ("amountFrom=5&amountTo=4", "amountTo"),
        ("text=a%20b%20c", "text"), ("createdFrom=2026-02-02&createdTo=2026-01-01", "createdTo"),
        ("pageSize=0", "pageSize"), ("nothing=1", "nothing"),
    ],
)  # fmt: skip
def test_a_wrong_filter_is_named(teller: Any, query: str, field: str) -> None:
    answer = teller.call("GET", f"/internal/Transfers?{query}")
    assert answer.status_code == 400
    assert answer.json["errors"][0]["field"] == field


def test_pages_by_cursor_hold_each_transfer_once(store: Store, teller: Any, machine: Callable[..., Any]) -> None:
    client = store.client()
    account, payee = store.account(client), store.recipient(client)
    made = [str(store.outgoing(account, payee).id) for _ in range(5)]
    found, cursor = [], ""
    while cursor is not None:
        page = teller.call("GET", f"/internal/Transfers/outgoing?pageSize=2&cursor={cursor}").json
        found += [one["id"] for one in page["items"]]
        cursor = page["nextCursor"]
        if len(found) == 2:
            store.outgoing(account, payee)
    assert found == made[::-1]
    own = machine(Audience.FRONTOFFICE, client_id=client.id)
    numbered = own.call("GET", "/Transfers?pageSize=4&pageNumber=2").json
    assert [one["id"] for one in numbered["items"]] == made[:2][::-1]
    assert numbered["totalCount"] == 6
    assert teller.call("GET", "/internal/Transfers?cursor=abc").status_code == 400


def test_a_rare_transfer_is_found_behind_the_reach_of_the_walk(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    client = store.client()
    account, payee = store.account(client), store.recipient(client)
    rare = store.outgoing(account, payee, 1_23, remittance="Zebra")
    many = [store.outgoing(account, payee).id for _ in range(6)]
    monkeypatch.setattr(queries, "REACH", 3)
    for chosen in (
        TransferFilter(text="zebra"),
        TransferFilter(amount_to=Decimal(2)),
        TransferFilter(kind=Kind.OUTGOING, currency="eur", amount_from=Decimal(1), amount_to=Decimal(2)),
        TransferFilter(accounts=(account.id,), text="zebra"),
        TransferFilter(clients=(client.id,), amount_to=Decimal(2)),
    ):
        assert [row.id for row in queries.find(chosen, size=2).rows] == [rare.id]
    page = queries.find(TransferFilter(accounts=(account.id,)), size=4)
    assert [row.id for row in page.rows] == many[::-1][:4] and page.more
    back = queries.find(TransferFilter(), size=2, after=[str(many[2])], backwards=True)
    assert [row.id for row in back.rows] == [many[4], many[3]] and back.more


def test_a_page_takes_the_same_few_queries_however_long(store: Store, teller: Any) -> None:
    client = store.client()
    account, payee = store.account(client), store.recipient(client)

    def counted() -> int:
        seen: list[str] = []

        def note(*args: Any) -> None:
            seen.append(args[2])

        engine = session().get_bind()
        sa.event.listen(engine, "before_cursor_execute", note)
        try:
            assert teller.call("GET", "/internal/Transfers").status_code == 200
        finally:
            sa.event.remove(engine, "before_cursor_execute", note)
        return len(seen)

    store.outgoing(account, payee)
    counted()
    few = counted()
    for _ in range(4):
        store.outgoing(account, payee)
    counted()
    assert counted() == few


def test_totals_are_of_one_currency_each(store: Store) -> None:
    client = store.client()
    payee = store.recipient(client)
    euros, pounds = store.account(client), store.account(client, currency="gbp")
    store.outgoing(euros, payee, 10_00)
    store.outgoing(euros, payee, 5_00)
    store.outgoing(pounds, payee, 1_00)
    found = [(one.currency, one.count, one.amount_minor) for one in queries.totals(TransferFilter())]
    assert found == [("eur", 2, 15_00), ("gbp", 1, 1_00)]
