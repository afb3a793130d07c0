"""GL-16 to GL-20 over HTTP."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import openpyxl
import pytest
import simplejson

from dashboard.access.actor import system
from dashboard.access.permissions import Audience, Role
from dashboard.database import transaction
from dashboard.ledger.moving import Leg
from dashboard.ledger.services import payments
from dashboard.ledger.services.days import open_day
from dashboard.ledger.vocabulary import ParentType
from tests.clients.making import person
from tests.conftest import People
from tests.ledger.conftest import Book

LIST, QUERY, REPORT = "/internal/Transactions", "/internal/Transactions/query", "/internal/Transactions/report"


def exact(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return simplejson.loads(answer.text, use_decimal=True)


def payments_in(answer: Any) -> list[str]:
    return [item["paymentId"] for item in exact(answer)["items"]]


def problem(answer: Any) -> list[tuple[str, str]]:
    assert answer.status_code == 400, answer.text
    return [(error["field"], error["rule"]) for error in answer.json["errors"]]


@pytest.fixture
def own(book: Book, people: People, machine: Callable[..., Any]) -> tuple[Any, UUID]:
    """A front-office token and the client that it speaks for."""
    client = person(people.actor(Role.OFFICER))
    return machine(Audience.FRONTOFFICE, client_id=client.id), client.id


# by identifier and by simple filters


def test_a_transaction_is_read_by_its_identifier_with_state_and_history(book: Book, teller: Any) -> None:
    payment = book.draft(book.account(5_000), book.account(), 1_234)
    with transaction():
        payments.pend(payment, by=system())
    [item] = exact(teller.call("GET", f"{LIST}?paymentId={payment}"))["items"]
    found = exact(teller.call("GET", f"{LIST}/{item['id']}"))
    assert found == item
    assert (found["amount"], found["state"], found["parentType"]) == (Decimal("12.34"), "pending", "transfer")
    assert [(change["from"], change["to"]) for change in found["stateChanges"]] == [("draft", "pending")]
    missing = teller.call("GET", f"{LIST}/{uuid4()}")
    assert (missing.status_code, missing.json["code"]) == (404, "transactionNotFound")


def test_filters_of_the_address_combine(book: Book, teller: Any) -> None:
    owner = book.owner()
    account, other = book.account(100_000, owner=owner), book.account(100_000)
    parent = uuid4()
    wanted = book.pay(account, book.house(), 1_250, parent_id=parent,
                      more=[Leg(account, book.house(), 50, "eur", "Fee of invoice 4410")])  # fmt: skip
    book.pay(account, book.house(), 1_300)
    book.pay(other, book.house(), 1_250)
    book.draft(account, book.house(), 1_250)
    today = open_day().day.isoformat()

    def found(**filters: Any) -> list[str]:
        return payments_in(teller.call("GET", LIST, query_string=filters))

    assert found(clientId=owner, amount="12.5", state="posted") == [str(wanted)]
    assert found(accountId=account, amountFrom="12.50", amountTo="12.50", state="posted") == [str(wanted)]
    assert found(parentId=parent, text="INVOICE 4410") == [str(wanted)]
    assert found(debtorAccountId=account, bookingDateFrom=today, bookingDateTo=today, amount="0.5") == [str(wanted)]
    assert found(creditorAccountId=account, amount="12.5") == []
    assert found(debtorAccountId=account, currency="usd") == []
    assert found(paymentId=wanted, createdTo=(date.today() - timedelta(days=2)).isoformat()) == []
    assert found(paymentId=wanted, parentType="transfer", sort="posted", direction="asc") == [str(wanted)] * 2


def test_pages_go_on_where_the_last_one_ended_and_count_when_asked(book: Book, teller: Any) -> None:
    account = book.account(100_000)
    made = [str(book.pay(account, book.house(), 100 + number)) for number in range(5)]
    first = exact(teller.call("GET", f"{LIST}?debtorAccountId={account}&pageSize=2&includeTotal=true"))
    assert first["totalCount"] == 5
    seen, cursor = [item["paymentId"] for item in first["items"]], first["nextCursor"]
    while cursor:
        page = exact(teller.call("GET", f"{LIST}?debtorAccountId={account}&pageSize=2&cursor={cursor}"))
        seen += [item["paymentId"] for item in page["items"]]
        cursor = page["nextCursor"]
    assert seen == made[::-1]
    wrong = teller.call("GET", f"{LIST}?pageSize=2&cursor={first['nextCursor']}")
    assert (wrong.status_code, wrong.json["code"]) == (400, "invalidCursor")


def test_every_wrong_parameter_is_named(teller: Any) -> None:
    answer = teller.call("GET", LIST, query_string={
        "accountId": "4410", "currency": "EUR", "state": "done", "amountFrom": "-1", "createdFrom": "yesterday",
        "bookingDateTo": "13.03.2026", "parentType": "gift", "text": "ab", "pageSize": "500", "sort": "name",
        "unheard": "of",
    })  # fmt: skip
    assert sorted(field for field, _ in problem(answer)) == sorted([
        "accountId", "currency", "state", "amountFrom", "createdFrom", "bookingDateTo", "parentType", "text",
        "pageSize", "sort", "unheard",
    ])  # fmt: skip
    answer = teller.call("GET", LIST, query_string={
        "amount": "1.001", "currency": "eur", "amountFrom": "5", "amountTo": "4", "text": "a b c",
        "bookingDateFrom": "2026-03-13", "bookingDateTo": "2026-03-12",
        "createdFrom": "2026-03-13T08:00:00Z", "createdTo": "2026-03-12",
    })  # fmt: skip
    assert sorted(problem(answer)) == [
        ("amount", "notAllowed"), ("amount", "range"), ("amountTo", "range"), ("bookingDateTo", "range"),
        ("createdTo", "range"), ("text", "tooShort"),
    ]  # fmt: skip


def test_an_empty_parameter_is_none(book: Book, teller: Any) -> None:
    payment = book.pay(book.account(1_000), book.house(), 100)
    assert str(payment) in payments_in(teller.call("GET", f"{LIST}?currency=&amountFrom=&text=&cursor="))


def test_amounts_are_sorted_within_one_currency_only(book: Book, teller: Any) -> None:
    account = book.account(100_000)
    small, large = book.pay(account, book.house(), 1), book.pay(account, book.house(), 90_000)
    found = payments_in(teller.call("GET", f"{LIST}?debtorAccountId={account}&sort=amount&currency=eur"))
    assert found == [str(large), str(small)]
    assert problem(teller.call("GET", f"{LIST}?debtorAccountId={account}&sort=amount")) == [("sort", "needsCurrency")]


# the filter document


def test_groups_of_a_filter_document_combine_conditions(book: Book, teller: Any) -> None:
    one, two = book.account(100_000), book.account(100_000)
    cheap, dear = book.pay(one, book.house(), 100), book.pay(one, book.house(), 50_000)
    other = book.pay(two, book.house(), 100)
    waiting = book.draft(two, book.house(), 7_777)
    document = {"filter": {"or": [
        {"and": [{"debtorAccountId": str(one)}, {"amountFrom": 400}]},
        {"debtorAccountId": str(two), "state": "draft"},
    ]}, "direction": "asc", "includeTotal": True}  # fmt: skip
    answer = exact(teller.call("POST", QUERY, json=document))
    assert [item["paymentId"] for item in answer["items"]] == [str(dear), str(waiting)]
    assert answer["totalCount"] == 2 and answer["nextCursor"] is None
    document["filter"] = {"and": [{"amount": 1}, {"or": [{"accountId": str(one)}, {"accountId": str(two)}]}]}
    assert payments_in(teller.call("POST", QUERY, json=document)) == [str(cheap), str(other)]
    assert str(other) in payments_in(teller.call("POST", QUERY, json={"sort": "posted"}))


def test_a_cursor_of_a_document_belongs_to_its_filter(book: Book, teller: Any) -> None:
    account = book.account(1_000)
    made = [str(book.pay(account, book.house(), 10 + number)) for number in range(3)]
    asked = {"filter": {"debtorAccountId": str(account)}, "pageSize": 2}
    first = exact(teller.call("POST", QUERY, json=asked))
    second = teller.call("POST", QUERY, json=asked | {"cursor": first["nextCursor"], "pageSize": 5})
    assert [item["paymentId"] for item in first["items"]] + payments_in(second) == made[::-1]
    other = teller.call("POST", QUERY, json={"cursor": first["nextCursor"]})
    assert (other.status_code, other.json["code"]) == (400, "invalidCursor")


def test_every_bad_part_of_a_document_is_named_by_its_path(teller: Any) -> None:
    def wrong(filter: Any, **more: Any) -> list[tuple[str, str]]:
        return problem(teller.call("POST", QUERY, json={"filter": filter} | more))

    assert wrong({"and": [{"currency": "eur"}, {"amountFrom": "12"}]}) == [("filter.and.1.amountFrom", "value")]
    assert sorted(wrong({"or": [{"and": [{"currency": "xyz"}, {"colour": "red"}]}, {"state": None}]})) == [
        ("filter.or.0.and.0.currency", "enum"), ("filter.or.0.and.1.colour", "unknown"), ("filter.or.1.state", "enum"),
    ]  # fmt: skip
    assert wrong({"and": [{"amountFrom": 5, "amountTo": 4}]}) == [("filter.and.0.amountTo", "range")]
    assert wrong({}) == [("filter", "empty")]
    assert wrong({"and": [{"or": [{}]}]}) == [("filter.and.0.or.0", "empty")]
    assert wrong({"and": []})[0][0] == "filter.and"
    assert wrong({"and": [{"currency": "eur"}], "currency": "eur"}) == [("filter", "mixed")]
    assert wrong({"and": [{"currency": "eur"}], "or": [{"currency": "eur"}]}) == [("filter", "mixed")]
    assert wrong({"and": [{"text": "a b"}]}) == [("filter.and.0.text", "tooShort")]
    assert wrong([1])[0][0] == "filter"
    assert wrong({"and": {"currency": "eur"}})[0][0] == "filter.and"
    assert wrong({"or": [{"currency": "eur"}, {"state": "posted"}]}, sort="amount") == [("sort", "needsCurrency")]


def test_a_document_is_neither_too_deep_nor_too_large(teller: Any) -> None:
    leaf: dict[str, Any] = {"currency": "eur"}
    deep = leaf
    for _ in range(5):
        deep = {"and": [deep]}
    assert teller.call("POST", QUERY, json={"filter": deep}).status_code == 200
    assert problem(teller.call("POST", QUERY, json={"filter": {"and": [deep]}})) == [("filter", "value")]
    wide = {"or": [{"and": [leaf] * 25}, {"and": [leaf] * 25}]}
    assert teller.call("POST", QUERY, json={"filter": wide}).status_code == 200
    wide["or"].append(leaf)
    assert problem(teller.call("POST", QUERY, json={"filter": wide})) == [("filter", "value")]
    bottomless = '{"filter":' + '{"and":[' * 50_000 + "{}" + "]}" * 50_000 + "}"
    answer = teller.call("POST", QUERY, data=bottomless, content_type="application/json")
    assert answer.status_code == 400


def test_asking_by_a_document_takes_no_idempotency_key_and_stores_nothing(book: Book, teller: Any) -> None:
    account = book.account(1_000)
    asked = {"filter": {"debtorAccountId": str(account)}}
    headers = {"Idempotency-Key": "list-1"}
    assert payments_in(teller.call("POST", QUERY, json=asked, headers=headers)) == []
    payment = book.pay(account, book.house(), 100)
    assert payments_in(teller.call("POST", QUERY, json=asked, headers=headers)) == [str(payment)]


# the report


def csv_rows(text: str) -> tuple[list[str], list[dict[str, str]]]:
    lines = list(csv.reader(io.StringIO(text)))
    notes = [line[0] for line in lines if line and line[0].startswith("#")]
    table = [line for line in lines if not (line and line[0].startswith("#"))]
    return notes, [dict(zip(table[0], line, strict=True)) for line in table[1:]]


def test_the_report_holds_every_row_of_the_list_in_its_order(book: Book, teller: Any) -> None:
    account = book.account(500_000)
    made = [str(book.pay(account, book.house(), 1_000 + number)) for number in range(60)]
    answer = teller.call("GET", f"{REPORT}?debtorAccountId={account}&direction=asc")
    assert answer.status_code == 200 and answer.content_type.startswith("text/csv")
    notes, rows = csv_rows(answer.text)
    assert [row["Payment"] for row in rows] == made
    assert (rows[0]["Amount"], rows[0]["Currency"], rows[0]["State"]) == ("10.00", "EUR", "posted")
    assert any(str(account) in note for note in notes) and notes[-1] == "# rows: 60"
    sheet = teller.call("GET", f"{REPORT}?debtorAccountId={account}&direction=asc&format=xlsx")
    table = list(openpyxl.load_workbook(io.BytesIO(sheet.data)).worksheets[1].iter_rows(values_only=True))
    assert [row[table[0].index("Payment")] for row in table[1:]] == made
    assert table[1][table[0].index("Amount")] == 10


def test_a_report_in_another_format_or_with_a_wrong_filter_is_refused(teller: Any) -> None:
    assert problem(teller.call("GET", f"{REPORT}?format=pdf")) == [("format", "enum")]
    assert problem(teller.call("GET", f"{REPORT}?amountFrom=x")) == [("amountFrom", "value")]


def test_the_lists_need_the_scope_and_the_audience(machine: Callable[..., Any], own: tuple[Any, UUID]) -> None:
    without = machine(Audience.SYSTEM, scopes=["clients:read"])
    for method, path in (("GET", LIST), ("POST", QUERY), ("GET", REPORT), ("GET", f"{LIST}/{uuid4()}")):
        body = {"json": {}} if method == "POST" else {}
        assert without.call(method, path, **body).status_code == 403
        assert own[0].call(method, path, **body).status_code == 403


# own transactions


def test_a_client_sees_its_own_transactions_and_nothing_of_the_other_side(book: Book, own: tuple[Any, UUID]) -> None:
    app, client_id = own
    mine, second = book.account(10_000, owner=client_id), book.account(owner=client_id)
    stranger = book.account(10_000)
    book.pay(stranger, book.house(), 55)
    outgoing, incoming = book.pay(mine, stranger, 700), book.pay(stranger, mine, 300)
    between = book.pay(mine, second, 100)
    answer = app.call("GET", "/Transactions?pageSize=3")
    found = exact(answer)["items"]
    assert [item["paymentId"] for item in found] == [str(between), str(incoming), str(outgoing)]
    assert str(stranger) not in answer.text
    assert (found[0]["debtorAccountId"], found[0]["creditorAccountId"]) == (str(mine), str(second))
    assert (found[1]["debtorAccountId"], found[1]["debtorAccountNumber"]) == (None, None)
    assert found[1]["creditorAccountNumber"].startswith("LT")
    rest = exact(app.call("GET", f"/Transactions?pageSize=3&cursor={exact(answer)['nextCursor']}"))
    assert len(rest["items"]) == 1 and rest["nextCursor"] is None


def test_own_filters_combine_and_an_account_of_somebody_else_does_not_exist(book: Book, own: tuple[Any, UUID]) -> None:
    app, client_id = own
    mine, second = book.account(10_000, owner=client_id), book.account(owner=client_id)
    stranger = book.account(10_000)
    outgoing = book.pay(mine, book.house(), 700)
    between = book.pay(mine, second, 100)
    assert payments_in(app.call("GET", f"/Transactions?accountId={second}")) == [str(between)]
    assert payments_in(app.call("GET", f"/Transactions?accountId={mine}&side=debit")) == [str(between), str(outgoing)]
    assert payments_in(app.call("GET", f"/Transactions?accountId={second}&side=debit")) == []
    assert payments_in(app.call("GET", "/Transactions?amountFrom=2&amountTo=7&currency=eur&state=posted")) == [
        str(outgoing)
    ]
    for account in (stranger, uuid4()):
        refused = app.call("GET", f"/Transactions?accountId={account}")
        assert (refused.status_code, refused.json["code"]) == (404, "accountNotFound")


def test_own_lists_have_page_numbers_too(book: Book, own: tuple[Any, UUID]) -> None:
    app, client_id = own
    mine = book.account(10_000, owner=client_id)
    made = [str(book.pay(mine, book.house(), 10 + number)) for number in range(5)][::-1]
    pages = [exact(app.call("GET", f"/Transactions?side=debit&pageSize=2&pageNumber={n}")) for n in (1, 2, 3, 4)]
    assert [[item["paymentId"] for item in page["items"]] for page in pages] == [made[:2], made[2:4], made[4:], []]
    assert [page["totalCount"] for page in pages] == [5] * 4
    cursor = pages[0]["nextCursor"]
    assert problem(app.call("GET", f"/Transactions?side=debit&pageSize=2&pageNumber=2&cursor={cursor}")) == [
        ("pageNumber", "notAllowed")
    ]
    assert problem(app.call("GET", "/Transactions?pageSize=200&pageNumber=51")) == [("pageNumber", "range")]


def test_a_client_without_accounts_has_no_transactions(book: Book, own: tuple[Any, UUID]) -> None:
    book.pay(book.account(1_000), book.house(), 100)
    assert exact(own[0].call("GET", "/Transactions"))["items"] == []


def test_why_a_payment_was_reversed_is_not_told_to_the_client(book: Book, own: tuple[Any, UUID]) -> None:
    app, client_id = own
    mine = book.account(10_000, owner=client_id)
    payment = book.pay(mine, book.house(), 700)
    with transaction():
        payments.reverse(payment, reason="suspected fraud ring", by=system())
    answer = app.call("GET", "/Transactions")
    assert exact(answer)["items"][0]["description"] == "Reversal"
    assert "fraud" not in answer.text
    assert ParentType.ADJUSTING_PAYMENT.value not in answer.text
