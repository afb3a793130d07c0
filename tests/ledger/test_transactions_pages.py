"""The list of transactions for people: filters in the address, keyset pages, exports, empty and wrong."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import openpyxl
import pytest
from flask.testing import FlaskClient

from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Role
from dashboard.database import transaction
from dashboard.ledger.moving import Leg
from dashboard.ledger.queries.payments import numbers_of
from dashboard.ledger.services import accounts, payments
from dashboard.ledger.services.days import open_day
from dashboard.ledger.vocabulary import AccountType, ParentType
from tests.clients.making import person
from tests.conftest import People
from tests.ledger.conftest import Book

LIST = "/ledger/transactions"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def officer(people: People) -> Actor:
    return people.actor(Role.OFFICER)


@pytest.fixture
def treasurer(signed_in: Callable[..., FlaskClient]) -> FlaskClient:
    return signed_in(Role.TREASURER)


def listed(browser: FlaskClient, **filters: Any) -> list[str]:
    """Payments of the rows, in their order."""
    page = browser.get(LIST, query_string=filters)
    assert page.status_code == 200, page.text
    return re.findall(r'class="open" href="/ledger/payments/([0-9a-f-]+)"', page.text)


def test_a_row_names_both_sides_amount_and_state_and_opens_the_payment(
    book: Book, treasurer: FlaskClient, officer: Actor
) -> None:
    client = person(officer)
    account = book.account(100_000, owner=client.id)
    payment = book.pay(account, book.house(), 125_000 // 100)
    page = treasurer.get(LIST).text
    assert f'href="/ledger/payments/{payment}"' in page
    row = page[page.index(str(payment)) :][:1500]
    number = numbers_of([account])[account]
    assert "Mari Ilves" in row and f"LT…{number[-4:]}" in row
    assert "12.50 EUR" in row and "Posted" in row and "Settlement" in row
    assert "as of" in page


def test_filters_combine(book: Book, treasurer: FlaskClient, officer: Actor) -> None:
    client = person(officer)
    account, other = book.account(100_000, owner=client.id), book.account(100_000)
    number = numbers_of([account])[account]
    parent = uuid4()
    wanted = str(book.pay(account, book.house(), 1_250, parent_id=parent, more=[
        Leg(account, book.house(), 5, "eur", "Invoice 4410"),
    ]))  # fmt: skip
    draft = str(book.draft(account, book.house(), 1_250))
    book.pay(other, book.house(), 1_250)
    adjusting = str(book.pay(account, book.house(), 77, parent_type=ParentType.ADJUSTING_PAYMENT))
    day = open_day().day

    assert listed(treasurer, account=number, amount_from="12.5", amount_to="12,50") == [draft, wanted]
    assert listed(treasurer, account=number, amount="12.5") == [draft, wanted]
    assert listed(treasurer, account=number, amount="12.49") == []
    grouped = " ".join(number[i : i + 4] for i in range(0, len(number), 4)).lower()
    assert listed(treasurer, account=grouped, state="draft") == [draft]
    assert listed(treasurer, account=number[-6:], state="draft") == [draft]
    assert listed(treasurer, account=str(account), state="draft") == [draft]
    assert listed(treasurer, client="ilves mari", state="posted", amount_to="12.50", amount_from="12.50") == [wanted]
    assert listed(treasurer, text="invoice 44") == [wanted]
    assert listed(treasurer, reference=str(parent)) == [wanted] * 2
    assert listed(treasurer, reference=draft) == [draft]
    assert listed(treasurer, kind="adjustingPayment", client="Ilves") == [adjusting]
    assert listed(treasurer, reference=wanted, booked_from=str(day), booked_to=str(day)) == [wanted] * 2
    assert listed(treasurer, reference=wanted, booked_to=str(day - timedelta(days=1))) == []
    assert listed(treasurer, currency="usd", account=number) == []
    assert listed(treasurer, client="Nobody at all") == []


def test_pages_go_forward_and_back(book: Book, treasurer: FlaskClient) -> None:
    account = book.account(1_000_000)
    made = [str(book.pay(account, book.house(), 100 + number)) for number in range(60)][::-1]
    number = numbers_of([account])[account]
    first = treasurer.get(LIST, query_string={"account": number, "amount_to": "5"})
    assert re.findall(r'class="open" href="/ledger/payments/([0-9a-f-]+)"', first.text) == made[:50]
    forward = re.search(r'href="([^"]+)" rel="next"', first.text)
    assert forward and 'rel="prev"' not in first.text
    second = treasurer.get(forward[1].replace("&amp;", "&"))
    assert re.findall(r'class="open" href="/ledger/payments/([0-9a-f-]+)"', second.text) == made[50:]
    back = re.search(r'href="([^"]+)" rel="prev"', second.text)
    assert back
    again = treasurer.get(back[1].replace("&amp;", "&"))
    assert re.findall(r'class="open" href="/ledger/payments/([0-9a-f-]+)"', again.text) == made[:50]


@pytest.mark.parametrize(
    ("name", "typed", "said"),
    [
        ("amount", "twelve", "Write an amount, like 1250.50."),
        ("amount_from", "twelve", "Write an amount, like 1250.50."),
        ("amount_to", "-5", "Write an amount, like 1250.50."),
        ("state", "done", "is none of the choices"),
        ("currency", "xyz", "is none of the choices"),
        ("kind", "gift", "is none of the choices"),
        ("booked_from", "13.03.2026", "Write the date as 2026-03-13."),
        ("text", "ab", "Write at least 3 characters in a row."),
        ("account", "12", "at least its last 4 characters"),
        ("reference", "4410", "Write a whole identifier"),
        ("client", "x" * 201, "Use at most 200 characters."),
        ("text", "abc\x00", "Remove the control characters."),
    ],
)
def test_a_filter_that_means_nothing_is_named_and_nothing_is_listed(
    book: Book, treasurer: FlaskClient, name: str, typed: str, said: str
) -> None:
    book.account(1_000)
    page = treasurer.get(LIST, query_string={name: typed})
    assert page.status_code == 422
    assert said in page.text and f'href="#f-{name}"' in page.text
    assert 'class="open"' not in page.text
    assert treasurer.get(f"{LIST}/export/csv", query_string={name: typed}).status_code == 422


def test_ranges_that_end_before_they_begin_are_refused(treasurer: FlaskClient) -> None:
    page = treasurer.get(f"{LIST}?amount_from=5&amount_to=4&booked_from=2026-03-13&booked_to=2026-03-12")
    assert page.status_code == 422
    assert "2 filters need you" in page.text
    assert "This is less than the least amount." in page.text and "This lies before the first day." in page.text


@pytest.mark.parametrize("name", ["amount", "amount_from", "amount_to"])
def test_a_wrong_amount_is_told_at_its_field(book: Book, treasurer: FlaskClient, name: str) -> None:
    page = treasurer.get(LIST, query_string={name: "twelve"}).text
    field = page[page.index(f'id="f-{name}"') :].split("</div>")[0]
    assert 'aria-invalid="true"' in field and "Write an amount, like 1250.50." in field
    assert page.count('aria-invalid="true"') == 1
    part = treasurer.get(LIST, query_string={name: "twelve"}, headers={"HX-Request": "true"}).text
    assert f'id="f-{name}-error" hx-swap-oob="true">Write an amount' in part


def test_an_exact_amount_and_a_range_exclude_each_other(treasurer: FlaskClient) -> None:
    page = treasurer.get(f"{LIST}?amount=5&amount_from=4")
    assert page.status_code == 422
    assert "Use either this or the amounts at least and at most." in page.text


def test_a_client_is_found_by_id_as_well(book: Book, treasurer: FlaskClient, officer: Actor) -> None:
    wanted, other = person(officer), person(officer)
    with transaction():
        first, second = (
            accounts.open_account(type=AccountType.CLIENT, currency="eur", owner_id=owner.id, by=system())
            for owner in (wanted, other)
        )
    book.pay(book.house(), first.id, 700)
    book.pay(book.house(), second.id, 800)
    page = treasurer.get(LIST, query_string={"client": str(wanted.id)}).text
    assert "7.00 EUR" in page and "8.00 EUR" not in page


def test_too_many_accounts_or_clients_are_no_choice(
    book: Book, treasurer: FlaskClient, officer: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard.ledger.forms import transaction_list

    monkeypatch.setattr(transaction_list, "MOST_MATCHES", 1)
    for _ in range(2):
        person(officer)
    page = treasurer.get(f"{LIST}?client=Ilves")
    assert page.status_code == 422 and "Write more of the name." in page.text


def test_empty_lists_say_why(treasurer: FlaskClient, book: Book) -> None:
    assert "No transactions yet." in treasurer.get(LIST).text
    account = book.account(1_000)
    assert "Nothing fits these filters." in treasurer.get(f"{LIST}?amount_from=999").text
    stale = treasurer.get(f"{LIST}?cursor=abc")
    assert stale.status_code == 400 and "no longer valid" in stale.text
    assert account


def test_a_fragment_carries_the_list_alone_and_the_plain_address(book: Book, treasurer: FlaskClient) -> None:
    book.account(1_000)
    part = treasurer.get(f"{LIST}?text=&state=posted&currency=", headers=HTMX)
    assert "<html" not in part.text and 'class="open"' in part.text
    assert part.headers["HX-Push-Url"] == f"{LIST}?state=posted"


def records(text: str) -> tuple[list[str], list[dict[str, str]]]:
    lines = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))
    notes = [line[0] for line in lines if line and line[0].startswith("#")]
    table = [line for line in lines if not (line and line[0].startswith("#"))]
    return notes, [dict(zip(table[0], line, strict=True)) for line in table[1:]]


def test_the_export_is_exactly_what_the_filters_show_on_all_pages(
    book: Book, treasurer: FlaskClient, officer: Actor
) -> None:
    client = person(officer)
    account = book.account(1_000_000, owner=client.id)
    made = [str(book.pay(account, book.house(), 100 + number)) for number in range(60)][::-1]
    query = {"client": "Ilves", "amount_to": "5"}
    answer = treasurer.get(f"{LIST}/export/csv", query_string=query)
    notes, rows = records(answer.text)
    assert [row["Payment"] for row in rows] == made
    assert rows[0]["Debtor"] == "Mari Ilves" and rows[0]["Creditor"] == "Settlement"
    assert any("Client: Ilves; Amount at most: 5" in note for note in notes)
    assert "attachment" in answer.headers["Content-Disposition"]
    sheet = treasurer.get(f"{LIST}/export/xlsx", query_string=query)
    table = list(openpyxl.load_workbook(io.BytesIO(sheet.data)).worksheets[1].iter_rows(values_only=True))
    assert [row[table[0].index("Payment")] for row in table[1:]] == made
    page = treasurer.get(LIST, query_string=query).text
    assert f"{LIST}/export/csv?client=Ilves&amp;amount_to=5" in page


def test_an_export_that_is_too_long_for_its_format_at_once_says_what_to_do(
    book: Book, treasurer: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from flask import current_app

    book.account(1_000), book.account(1_000)
    short = replace(current_app.extensions["countinghouse.settings"], export_xlsx_at_once=1)
    monkeypatch.setitem(current_app.extensions, "countinghouse.settings", short)
    offered = treasurer.get(f"{LIST}/export/xlsx?state=posted")
    assert offered.status_code == 200 and "Content-Disposition" not in offered.headers
    assert "is made in the background" in offered.text and f"{LIST}/export/csv?state=posted" in offered.text
    assert treasurer.get(f"{LIST}/export/pdf").status_code == 422


def test_who_may_not_read_the_ledger_reads_no_transactions(signed_in: Callable[..., FlaskClient]) -> None:
    admin = signed_in(Role.ADMIN)
    for path in (LIST, f"{LIST}/export/csv", f"/ledger/payments/{uuid4()}"):
        assert admin.get(path).status_code == 403


# one payment


def page_of(browser: FlaskClient, payment: UUID) -> str:
    answer = browser.get(f"/ledger/payments/{payment}")
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.text))


def test_a_payment_shows_both_sides_its_totals_and_who_did_what(
    book: Book, treasurer: FlaskClient, officer: Actor, people: People
) -> None:
    client = person(officer)
    account = book.account(100_000, owner=client.id)
    fee = Leg(account, book.house(), 50, "eur", "Fee")
    payment = book.draft(account, book.house(), 1_234, more=[fee])
    with transaction():
        payments.pend(payment, by=system())
    with transaction():
        payments.cancel(payment, by=people.actor(Role.SENIOR_TREASURER, "Rita Kask"), reason="twice the same")
    html = treasurer.get(f"/ledger/payments/{payment}").text
    assert f'href="/clients/{client.id}"' in html and f'href="/ledger/accounts/{account}"' in html
    page = page_of(treasurer, payment)
    assert "Transfer of 2 transactions, 12.84 EUR" in page
    assert "Canceled" in page and "twice the same" in page and "Rita Kask" in page
    assert page.index("Rita Kask") < page.index("Draft →") and "the system" in page
    assert "Reverse…" not in page


def test_an_unknown_payment_is_not_found(treasurer: FlaskClient) -> None:
    assert treasurer.get(f"/ledger/payments/{uuid4()}").status_code == 404


def test_a_reversal_and_what_it_reverses_link_to_each_other(book: Book, treasurer: FlaskClient) -> None:
    payment = book.pay(book.account(5_000), book.house(), 700)
    assert "Reverse…" in page_of(treasurer, payment)
    with transaction():
        made = payments.reverse(payment, reason="entered twice", by=system()).outcomes[0].payment_id
    before, after = treasurer.get(f"/ledger/payments/{payment}").text, treasurer.get(f"/ledger/payments/{made}").text
    assert f'href="/ledger/payments/{made}"' in before and "Reversed in full" in before
    assert re.search(rf'Reversed by <a class="mono" href="/ledger/payments/{made}"', before)
    assert ">Reversed</span>" in before and ">Reversed</span>" not in after
    rows = treasurer.get(LIST).text.split('<tr class="rec">')[1:]
    marked = {row.split("/ledger/payments/")[1][:36]: ">Reversed</span>" in row for row in rows}
    assert marked[str(payment)] and not marked[str(made)]
    assert f'href="/ledger/payments/{payment}"' in after and "Reverses" in after and "entered twice" in after
    assert "Reverse…" not in before and "Reverse…" not in after


def test_a_token_is_named_also_when_only_the_audit_trail_knows_it(book: Book, treasurer: FlaskClient) -> None:
    engine = Actor(id=uuid4(), kind="token", name="Payment engine", role="system")
    account = book.account(5_000)
    with transaction():
        order = book.order(account, book.house(), 700)
        payments.pay(order, by=engine)
    assert "token Payment engine" in page_of(treasurer, order.id)


def test_who_may_not_adjust_is_offered_no_reversal(
    book: Book, signed_in: Callable[..., FlaskClient]
) -> None:  # fmt: skip
    payment = book.pay(book.account(5_000), book.house(), 700)
    for role in (Role.OFFICER, Role.AUDITOR):
        browser = signed_in(role)
        assert "Reverse…" not in browser.get(f"/ledger/payments/{payment}").text
        assert browser.get(f"/ledger/payments/{payment}/reverse").status_code == 403
        assert browser.get("/ledger/payments/new").status_code == 403
        assert "New adjusting payment" not in browser.get(LIST).text


def test_a_payment_of_many_transactions_shows_the_first_and_leads_to_all(
    book: Book, treasurer: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard.ledger.pages import payments as pages

    monkeypatch.setattr(pages, "MOST_SHOWN", 2)
    account = book.account(5_000)
    more = [Leg(account, book.house(), 1, "eur", f"part {number}") for number in range(3)]
    payment = book.pay(account, book.house(), 700, more=more)
    page = treasurer.get(f"/ledger/payments/{payment}").text
    assert "First 2 of 4" in page and f"reference={payment}" in page and "7.03 EUR" in page
