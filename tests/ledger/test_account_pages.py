"""Account pages: what people find, read, export and may do."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from pypdf import PdfReader

from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.audit.models import AuditEvent
from dashboard.clients.models import Client
from dashboard.clients.vocabulary import BlockCode, Scope
from dashboard.database import db, session, transaction
from dashboard.errors import Refused
from dashboard.ledger.models import Account
from dashboard.ledger.moving import Leg
from dashboard.ledger.services import accounts, days, payments, snapshots
from dashboard.ledger.vocabulary import AccountType
from dashboard.money import Money
from tests.clients.making import blocked, company, person
from tests.conftest import People
from tests.ledger.conftest import Book

SignIn = Callable[..., FlaskClient]


@pytest.fixture
def ilves(people: People) -> Client:
    return company(people.actor(Role.OFFICER))


@pytest.fixture
def treasurer(signed_in: SignIn) -> FlaskClient:
    return signed_in(Role.TREASURER)


def opened(owner: Client | None = None, **options: Any) -> Account:
    values: dict[str, Any] = {"type": AccountType.CLIENT if owner else AccountType.FEES, "currency": "eur", **options}
    with transaction():
        return accounts.open_account(owner_id=owner.id if owner else None, by=system(), **values)


def page_of(browser: FlaskClient, address: str, status: int = 200, **options: Any) -> str:
    answer = browser.get(address, **options)
    assert answer.status_code == status, answer.text[:2000]
    return unescape(answer.text)


def listed(page: str) -> list[UUID]:
    """Ids of the accounts that the page lists, in order."""
    return [UUID(found) for found in re.findall(r'class="open mono" href="/ledger/accounts/([0-9a-f-]{36})"', page)]


def found(browser: FlaskClient, query: str) -> list[UUID]:
    return listed(page_of(browser, f"/ledger/accounts?{query}"))


def next_page(page: str) -> str | None:
    match = re.search(r'href="([^"]+)" rel="next"', page)
    return match[1] if match else None


# the list


def test_an_account_is_found_by_number_end_name_owner_and_id(treasurer: FlaskClient, ilves: Client) -> None:
    account = opened(ilves, alias="Payroll March")
    other = opened()
    grouped = "+".join(account.number[i : i + 4] for i in range(0, len(account.number), 4))
    for text in (account.number, grouped, account.number.lower(), account.number[-6:], "roll mar", "ilves",
                 str(account.id), str(ilves.id)):  # fmt: skip
        assert found(treasurer, f"text={text}") == [account.id], text
    assert found(treasurer, f"text={other.number[-6:]}") == [other.id]
    assert found(treasurer, "text=nobody") == []


def test_a_number_is_found_as_tables_show_it(treasurer: FlaskClient, ilves: Client) -> None:
    account = opened(ilves)
    country, end = account.number[:2], account.number[-4:]
    for dots in ("…", "...", ".."):
        assert found(treasurer, f"text={country}{dots}{end}") == [account.id], dots
        assert found(treasurer, f"text=ZZ{dots}{end}") == [], "another country"
    assert found(treasurer, f"text={country.lower()}… {end}") == [account.id]


def test_digits_alone_mean_the_end_of_a_number_and_no_name(treasurer: FlaskClient, ilves: Client) -> None:
    account, named = opened(ilves), opened(ilves, alias="Reserve 987654")
    assert found(treasurer, f"text={account.number[-3:]}") == [account.id]
    assert found(treasurer, "text=987654") == []
    assert found(treasurer, "text=reserve+987654") == [named.id]


def test_signs_of_patterns_in_a_text_are_only_signs(treasurer: FlaskClient) -> None:
    account = opened(alias="100% cotton_a")
    assert found(treasurer, "text=100%25+cot") == [account.id]
    assert found(treasurer, "text=%25%25%25") == []
    assert found(treasurer, "text=cotton_a") == [account.id]
    assert found(treasurer, "text=cottonxa") == []


def test_filters_combine(treasurer: FlaskClient, ilves: Client, people: People) -> None:
    eur, usd = opened(ilves), opened(ilves, currency="usd", provider="bank-alpha")
    fees = opened()
    with transaction():
        accounts.close(eur.id, by=system())
    assert found(treasurer, "type=client") == [usd.id, eur.id]
    assert found(treasurer, "type=client&currency=eur") == [eur.id]
    assert found(treasurer, "status=closed") == [eur.id]
    assert found(treasurer, "currency=usd&provider=bank-alpha") == [usd.id]
    assert found(treasurer, "currency=eur&provider=bank-alpha") == []
    assert found(treasurer, "text=ilves&status=open") == [usd.id]
    assert fees.id in found(treasurer, "type=fees")


def test_frozen_accounts_are_found_by_what_is_frozen(treasurer: FlaskClient, people: People) -> None:
    officer = people.actor(Role.OFFICER)
    one, two, free = person(officer), person(officer), person(officer)
    debits, both, none = opened(one), opened(two), opened(free)
    blocked(one, officer, scope=Scope.DEBIT)
    blocked(two, officer, scope=Scope.ALL)
    assert found(treasurer, "frozen=any") == [both.id, debits.id]
    assert found(treasurer, "frozen=debits") == [both.id, debits.id]
    assert found(treasurer, "frozen=credits") == [both.id]
    assert none.id not in found(treasurer, "frozen=any")


def test_pages_join_without_a_gap_in_both_directions(
    treasurer: FlaskClient, ilves: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.ledger.pages.accounts.DEFAULT_PAGE_SIZE", 3)
    made = [opened(ilves).id for _ in range(8)][::-1]
    seen, address, page = [], "/ledger/accounts?type=client", ""
    while address:
        page = page_of(treasurer, address)
        seen += listed(page)
        address = next_page(page) or ""
    assert seen == made
    before = re.search(r'href="([^"]+)" rel="prev"', page)
    assert before is not None
    assert listed(page_of(treasurer, before[1])) == made[3:6]


def test_a_cursor_of_other_filters_is_refused(
    treasurer: FlaskClient, ilves: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.ledger.pages.accounts.DEFAULT_PAGE_SIZE", 1)
    opened(ilves), opened(ilves)
    address = next_page(page_of(treasurer, "/ledger/accounts?type=client"))
    assert address is not None
    assert "no longer valid" in page_of(treasurer, address.replace("type=client", "type=fees"), 400)


def test_the_list_shows_what_is_on_the_accounts(treasurer: FlaskClient, book: Book, ilves: Client) -> None:
    account = opened(ilves)
    book.pay(book.house(), account.id, 123_456)
    with transaction():
        payments.hold(book.order(account.id, book.house(), 3_456), by=system())
    page = page_of(treasurer, "/ledger/accounts?type=client")
    row = page[page.index(str(account.id)) :].split("</tr>")[0]
    assert re.findall(r">([\d,]+\.\d\d)<", row) == ["1,200.00", "34.56", "1,234.56"]
    assert f'href="/clients/{ilves.id}"' in row


@pytest.mark.parametrize(
    ("query", "label"),
    [("type=x", "Type"), ("currency=xxx", "Currency"), ("status=gone", "Status"), ("frozen=ice", "Frozen"),
     ("text=" + "a" * 201, "Text"), ("provider=" + "a" * 51, "Provider"), ("text=a%00b", "Text")],
)  # fmt: skip
def test_a_filter_that_means_nothing_is_named(treasurer: FlaskClient, query: str, label: str) -> None:
    opened()
    page = page_of(treasurer, f"/ledger/accounts?{query}", 422)
    assert f">{label}</a>" in page
    assert listed(page) == []
    assert treasurer.get(f"/ledger/accounts/export?{query}").status_code == 422


def test_nothing_found_and_nothing_there_say_so(treasurer: FlaskClient) -> None:
    assert "No accounts yet." in page_of(treasurer, "/ledger/accounts")
    assert "Nothing fits these filters." in page_of(treasurer, "/ledger/accounts?type=fees")


def test_a_list_costs_the_same_queries_for_one_row_and_for_many(treasurer: FlaskClient, people: People) -> None:
    def statements_of(ask: Callable[[], Any]) -> int:
        seen: list[str] = []

        def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
            seen.append(statement)

        sa.event.listen(db.engine, "before_cursor_execute", note)
        try:
            assert ask().status_code == 200
        finally:
            sa.event.remove(db.engine, "before_cursor_execute", note)
        return len(seen)

    officer = people.actor(Role.OFFICER)
    opened(person(officer))
    # the first look at a list is written down, a later one soon after is not
    statements_of(lambda: treasurer.get("/ledger/accounts"))
    one = statements_of(lambda: treasurer.get("/ledger/accounts"))
    for _ in range(12):
        opened(person(officer))
    assert statements_of(lambda: treasurer.get("/ledger/accounts")) == one


def test_totals_are_those_of_the_accounts_and_open_their_rows(
    treasurer: FlaskClient, book: Book, ilves: Client
) -> None:
    one, two = opened(ilves), opened(ilves)
    book.pay(book.house(), one.id, 1_000)
    book.pay(book.house(), two.id, 234)
    page = page_of(treasurer, "/ledger/accounts/totals?type=client&currency=eur", headers={"HX-Request": "true"})
    assert "12.34" in page
    assert 'href="/ledger/accounts?type=client&currency=eur"' in page
    assert "<html" not in page
    assert "12.34" in page_of(treasurer, "/ledger/accounts/totals")


@pytest.mark.parametrize(
    ("query", "shown"),
    [("", True), ("type=client&currency=eur", True), ("type=client&status=open", False), ("text=ilves", False),
     ("frozen=any", False), ("provider=bank-alpha", False)],
)  # fmt: skip
def test_totals_stand_above_the_list_only_where_they_are_its_own(
    treasurer: FlaskClient, ilves: Client, query: str, shown: bool
) -> None:
    opened(ilves)
    assert ("/ledger/accounts/totals?" in page_of(treasurer, f"/ledger/accounts?{query}")) is shown


def test_a_house_account_has_nothing_available_or_held(treasurer: FlaskClient, book: Book, ilves: Client) -> None:
    account = opened(ilves)
    book.pay(book.house(), account.id, 123_456)
    page = page_of(treasurer, "/ledger/accounts")
    row = page[page.index(str(book.house())) :].split("</tr>")[0]
    assert re.findall(r"([\d,]+\.\d\d)<", row) == ["1,234.56"]


def test_pending_payments_of_a_house_account_are_pending_both_ways(
    treasurer: FlaskClient, book: Book, ilves: Client
) -> None:
    account = opened(ilves)
    book.pay(book.house(), account.id, 10_000)
    with transaction():
        payments.hold(book.order(account.id, book.house(), 3_456), by=system())
        payments.hold(book.order(book.house(), account.id, 200), by=system())
    house = page_of(treasurer, f"/ledger/accounts/{book.house()}")
    assert house.count(">Pending<") == 2
    assert ">Incoming<" not in house and ">Held<" not in house
    assert "Credits minus debits" in house
    client = page_of(treasurer, f"/ledger/accounts/{account.id}")
    assert (
        client.count('<span class="badge is-wait">Incoming<') == client.count('<span class="badge is-wait">Held<') == 1
    )
    assert "Credits minus debits" not in client


def test_links_set_the_period_of_a_statement(treasurer: FlaskClient, ilves: Client) -> None:
    account = opened(ilves)
    with transaction():
        today = days.open_day().day
    page = page_of(treasurer, f"/ledger/accounts/{account.id}")
    links = {word: address for address, word in re.findall(r'href="([^"]+)"[^>]*>((?:This|Last) \w+)<', page)}
    month = today.replace(day=1)
    last = month - timedelta(days=1)
    for word, first, end in (("This month", month, today), ("Last month", last.replace(day=1), last),
                             ("This year", today.replace(month=1, day=1), today)):  # fmt: skip
        assert links[word].endswith(f"?from={first}&to={end}")
        assert f'id="f-from" name="from" type="date" value="{first}"' in page_of(treasurer, links[word])
    assert "0 entries" not in re.sub(r'data-announce="[^"]*"', "", page)


def rows_of(answer: Any) -> list[dict[str, str]]:
    lines = [line for line in answer.get_data(as_text=True).lstrip("\ufeff").splitlines() if not line.startswith("#")]
    return list(csv.DictReader(io.StringIO("\n".join(lines))))


def test_the_export_is_exactly_what_the_filters_show(
    treasurer: FlaskClient, book: Book, ilves: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.ledger.queries.account_list._PART", 2)
    made = [opened(ilves, alias=f"No {number}") for number in range(5)]
    opened()
    book.pay(book.house(), made[0].id, 5)
    answer = treasurer.get("/ledger/accounts/export?type=client&format=csv")
    rows = rows_of(answer)
    assert [row["Account number"] for row in rows] == [account.number for account in reversed(made)]
    assert (rows[-1]["Posted"], rows[-1]["Currency"], rows[-1]["Owner"]) == ("0.05", "EUR", "Ilves OÜ")
    assert "# Filter: Type: Client" in answer.get_data(as_text=True)
    xlsx = treasurer.get("/ledger/accounts/export?type=client&format=xlsx")
    assert xlsx.data[:2] == b"PK"


# one account


def test_an_account_page_shows_its_figures_and_its_statement(treasurer: FlaskClient, book: Book, ilves: Client) -> None:
    account = opened(ilves, overdraft_limit_minor=50_000)
    book.pay(book.house(), account.id, 123_456)
    with transaction():
        payments.hold(book.order(account.id, book.house(), 3_456), by=system())
    page = page_of(treasurer, f"/ledger/accounts/{account.id}")
    for words in ("1,200.00 EUR", "34.56 EUR", "1,234.56 EUR", "500.00 EUR", "+1,234.56", "Ilves OÜ", "−34.56"):
        assert words in page, words
    assert "Closing is not offered" in page


def test_an_unknown_account_is_not_found(treasurer: FlaskClient) -> None:
    for rest in ("", "/rename", "/close", "/statement"):
        page_of(treasurer, f"/ledger/accounts/{uuid4()}{rest}", 404)


def test_statement_pages_carry_the_balance(
    treasurer: FlaskClient, book: Book, ilves: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.ledger.pages.account.DEFAULT_PAGE_SIZE", 4)
    account = opened(ilves)
    book.pay(book.house(), account.id, 100_000)
    for amount in range(1, 10):
        book.pay(account.id, book.house(), amount * 100)
    balances, address, pages = [], f"/ledger/accounts/{account.id}", []
    while address:
        pages.append(page_of(treasurer, address))
        balances += re.findall(r'class="num b2 bal">([\d,.]+)<', pages[-1])
        address = next_page(pages[-1]) or ""
    assert balances == ["955.00", "964.00", "972.00", "979.00", "985.00", "990.00", "994.00", "997.00", "999.00",
                        "1,000.00"]  # fmt: skip
    assert ["Closing balance" in page for page in pages] == [True, False, False]
    assert ["Opening balance" in page for page in pages] == [False, False, True]
    assert not any("Postings arrived" in page for page in pages)
    before = re.search(r'href="([^"]+)" rel="prev"', pages[1])
    assert before is not None
    assert re.findall(r'class="num b2 bal">([\d,.]+)<', page_of(treasurer, before[1])) == balances[:4]


def test_a_cursor_cannot_be_taken_to_another_account_or_period(
    treasurer: FlaskClient, book: Book, ilves: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.ledger.pages.account.DEFAULT_PAGE_SIZE", 1)
    account, other = opened(ilves), opened(ilves)
    for _ in range(2):
        book.pay(book.house(), account.id, 100)
    address = next_page(page_of(treasurer, f"/ledger/accounts/{account.id}"))
    assert address is not None
    assert "no longer valid" in page_of(treasurer, address.replace(str(account.id), str(other.id)), 400)
    assert "no longer valid" in page_of(treasurer, re.sub(r"from=[\d-]+", "from=2020-01-01", address), 400)


@pytest.mark.parametrize(
    "query", ["from=yesterday", "to=2026-13-01", "from=0001-01-01", "from=2026-03-02&to=2026-03-01"]
)
def test_a_period_that_means_nothing_is_refused(treasurer: FlaskClient, ilves: Client, query: str) -> None:
    account = opened(ilves)
    assert "The period needs you." in page_of(treasurer, f"/ledger/accounts/{account.id}?{query}", 422)
    page_of(treasurer, f"/ledger/accounts/{account.id}/statement?{query}", 422)


def test_a_freeze_is_told_and_never_why(
    treasurer: FlaskClient, signed_in: SignIn, people: People, ilves: Client
) -> None:
    account = opened(ilves)
    blocked(ilves, people.actor(Role.OFFICER), scope=Scope.DEBIT, code=BlockCode.STR_HOLD, comment="the reason itself")
    for browser in (treasurer, signed_in(Role.OFFICER), signed_in(Role.AUDITOR)):
        for address in (f"/ledger/accounts/{account.id}", "/ledger/accounts", f"/ledger/owners/{ilves.id}/accounts",
                        "/ledger/accounts/export?format=csv"):  # fmt: skip
            page = page_of(browser, address)
            assert "Frozen" in page or "debits" in page
            for secret in ("STR", "suspicious", "the reason itself"):
                assert secret not in page
    page = page_of(treasurer, f"/ledger/accounts/{account.id}")
    assert "<b>Frozen for debits</b>: the client is blocked. See the blocks of" in page
    assert "The reason is open to compliance." in page
    assert "The reason is open" not in page_of(signed_in(Role.OFFICER), f"/ledger/accounts/{account.id}")
    assert ">Open</span>" not in page
    assert f'href="/clients/{ilves.id}"' in page


def test_a_blocked_amount_is_shown(treasurer: FlaskClient, people: People, ilves: Client) -> None:
    account = opened(ilves)
    blocked(ilves, people.actor(Role.OFFICER), scope=Scope.AMOUNT, amount=Money(50_000, "eur"))
    page = page_of(treasurer, f"/ledger/accounts/{account.id}")
    assert "500.00 EUR must stay" in page
    assert "Frozen for" not in page


def test_who_may_not_change_accounts_is_not_offered_it(signed_in: SignIn, ilves: Client) -> None:
    account = opened(ilves)
    officer = signed_in(Role.OFFICER)
    page = page_of(officer, f"/ledger/accounts/{account.id}")
    for word in ("Adjust…", "Rename…", "Close…"):
        assert word not in page
    assert "Open account…" not in page_of(officer, "/ledger/accounts")
    for path in ("open", f"{account.id}/rename", f"{account.id}/close"):
        assert officer.get(f"/ledger/accounts/{path}").status_code == 403
        assert officer.post(f"/ledger/accounts/{path}").status_code == 403
    assert signed_in(Role.ADMIN).get("/ledger/accounts").status_code == 403


# statements as files


def test_a_csv_statement_runs_from_opening_to_closing(treasurer: FlaskClient, book: Book, ilves: Client) -> None:
    account = opened(ilves)
    book.pay(book.house(), account.id, 100_000)
    book.pay(account.id, book.house(), 2_500, more=[Leg(account.id, book.house(), 50, "eur", "=fee")])
    answer = treasurer.get(f"/ledger/accounts/{account.id}/statement?format=csv")
    rows = rows_of(answer)
    assert [(row["Amount"], row["Balance"]) for row in rows][0] == ("1000.00", "1000.00")
    assert rows[-1]["Balance"] == "974.50"
    assert {row["Amount"] for row in rows} == {"1000.00", "-25.00", "-0.50"}
    assert "'=fee" in {row["Description"] for row in rows}
    text = answer.get_data(as_text=True)
    for words in ("# Account holder: Ilves OÜ", "# Opening balance: 0.00 EUR", "# Closing balance: 974.50 EUR"):
        assert words in text


def test_a_client_does_not_read_how_the_house_keeps_its_books(
    treasurer: FlaskClient, book: Book, ilves: Client
) -> None:
    account = opened(ilves)
    book.pay(book.house(), account.id, 100)
    [row] = rows_of(treasurer.get(f"/ledger/accounts/{account.id}/statement?format=csv"))
    assert row["Counterparty"] == "Countinghouse Demo"
    assert row["Counterparty account"] == ""


def test_a_statement_is_a_pdf(treasurer: FlaskClient, book: Book, ilves: Client) -> None:
    account = opened(ilves)
    book.pay(book.house(), account.id, 100)
    answer = treasurer.get(f"/ledger/accounts/{account.id}/statement")
    assert answer.content_type == "application/pdf"
    assert answer.data[:5] == b"%PDF-"
    assert "Statement" in answer.headers["Content-Disposition"]
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.data)).pages)
    for words in ("Countinghouse Demo", "Ilves OÜ", account.number[:4], "Opening balance", "1.00", "1 of 1"):
        assert words in text, text


def test_a_statement_too_long_for_paper_is_refused_and_says_what_to_do(
    treasurer: FlaskClient, book: Book, ilves: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.web.exports.pdf_file.MOST_ROWS", 2)
    monkeypatch.setattr("dashboard.web.exports.pdf_file.document.__kwdefaults__", {"most_rows": 2}, raising=False)
    account = opened(ilves)
    for _ in range(3):
        book.pay(book.house(), account.id, 100)
    page = page_of(treasurer, f"/ledger/accounts/{account.id}/statement?format=pdf", 422)
    assert "too many for one PDF file" in page
    assert len(rows_of(treasurer.get(f"/ledger/accounts/{account.id}/statement?format=csv"))) == 3


def test_a_statement_of_a_past_period_ends_with_its_balance(treasurer: FlaskClient, book: Book, ilves: Client) -> None:
    account = opened(ilves)
    book.pay(book.house(), account.id, 100)
    day = days.open_day().day
    days.end(day, by=system())
    snapshots.make(day, by=system())
    book.pay(book.house(), account.id, 900)
    text = treasurer.get(f"/ledger/accounts/{account.id}/statement?format=csv&from={day}&to={day}").get_data(True)
    assert "# Closing balance: 1.00 EUR" in text
    later = day + timedelta(days=1)
    text = treasurer.get(f"/ledger/accounts/{account.id}/statement?format=csv&from={later}").get_data(True)
    assert "# Opening balance: 1.00 EUR" in text
    assert "# Closing balance: 10.00 EUR" in text


# changes


def test_a_treasurer_opens_an_account_for_a_client(treasurer: FlaskClient, ilves: Client) -> None:
    page = page_of(treasurer, "/ledger/accounts/open?client=ilves")
    assert f'value="{ilves.id}"' in page
    answer = treasurer.post(
        "/ledger/accounts/open",
        data={
            "type": "client",
            "currency": "eur",
            "owner": str(ilves.id),
            "alias": "Rent",
            "overdraft_limit": "500,50",
        },
    )
    assert answer.status_code == 303
    account = session().scalars(sa.select(Account)).one()
    assert (account.owner_id, account.alias, account.currency) == (ilves.id, "Rent", "eur")
    assert "500.50 EUR" in page_of(treasurer, answer.location)


def test_finding_a_client_opens_nothing(treasurer: FlaskClient, ilves: Client) -> None:
    answer = treasurer.post(
        "/ledger/accounts/open", data={"type": "client", "currency": "usd", "client": "ilves", "find": "1"}
    )
    assert answer.status_code == 200
    assert str(ilves.id) in answer.text
    assert re.search(r'<option selected value="usd">', answer.text)
    assert session().scalars(sa.select(Account)).all() == []


def test_a_house_account_has_no_client(treasurer: FlaskClient, ilves: Client) -> None:
    data = {"type": "fees", "currency": "eur", "owner": str(ilves.id)}
    assert treasurer.post("/ledger/accounts/open", data=data).status_code == 303
    assert session().scalars(sa.select(Account)).one().owner_id is None


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"owner": ""}, "Find the client, then choose one."),
        ({"owner": "nobody"}, "Find the client, then choose one."),
        ({"owner": "01900000-0000-7000-8000-000000000000"}, "There is no such client."),
        ({"currency": "xxx"}, "Not a valid choice"),
        ({"type": "opening"}, "Not a valid choice"),
        ({"overdraft_limit": "-5"}, "Write an amount"),
        ({"overdraft_limit": "1e5"}, "Write an amount"),
        ({"overdraft_limit": "0.001"}, "EUR has 2 decimals"),
        ({"overdraft_limit": "99999999999999999"}, "too large"),
        ({"type": "fees", "overdraft_limit": "5"}, "Only client accounts have a limit."),
        ({"alias": "a" * 101}, "Use at most 100 characters."),
        ({"alias": "a\x00b"}, "control characters"),
        ({"provider": "a" * 51}, "Use at most 50 characters."),
    ],
)
def test_what_cannot_be_opened_is_refused_beside_the_field(
    treasurer: FlaskClient, ilves: Client, data: dict[str, str], words: str
) -> None:
    values = {"type": "client", "currency": "eur", "owner": str(ilves.id), **data}
    answer = treasurer.post("/ledger/accounts/open", data=values)
    assert answer.status_code == 422
    assert words in unescape(answer.text)
    assert session().scalars(sa.select(Account)).all() == []


def test_an_account_is_renamed(treasurer: FlaskClient, ilves: Client) -> None:
    account = opened(ilves, alias="Rent")
    assert 'value="Rent"' in page_of(treasurer, f"/ledger/accounts/{account.id}/rename")
    assert treasurer.post(f"/ledger/accounts/{account.id}/rename", data={"alias": "Wages"}).status_code == 303
    session().refresh(account)
    assert account.alias == "Wages"
    assert treasurer.post(f"/ledger/accounts/{account.id}/rename", data={"alias": ""}).status_code == 303
    session().refresh(account)
    assert account.alias is None
    assert treasurer.post(f"/ledger/accounts/{account.id}/rename", data={"alias": "x" * 101}).status_code == 422


def test_an_empty_account_is_closed_by_hand(treasurer: FlaskClient, ilves: Client) -> None:
    account = opened(ilves)
    assert "Close…" in page_of(treasurer, f"/ledger/accounts/{account.id}")
    assert treasurer.post(f"/ledger/accounts/{account.id}/close").status_code == 303
    page = page_of(treasurer, f"/ledger/accounts/{account.id}")
    assert "Closed" in page
    for word in ("Adjust…", "Rename…", "Close…"):
        assert word not in page
    event = session().scalars(sa.select(AuditEvent).where(AuditEvent.action == "account.closed")).one()
    assert (event.object_id, event.actor_kind) == (account.id, "staff")


def test_an_account_with_money_or_a_live_payment_is_not_closed(
    treasurer: FlaskClient, book: Book, ilves: Client
) -> None:
    account, waiting = opened(ilves), opened(ilves)
    book.pay(book.house(), account.id, 100)
    book.draft(book.house(), waiting.id, 5)
    assert "Closing is not offered: the balance is 1.00 EUR" in page_of(treasurer, f"/ledger/accounts/{account.id}")
    for one, words in ((account, "balance zero"), (waiting, "not finished yet")):
        answer = treasurer.post(f"/ledger/accounts/{one.id}/close")
        assert answer.status_code == 422
        assert words in answer.text
        session().refresh(one)
        assert one.status == "open"


# what an owner has


def test_the_parts_of_a_client_page_stand_alone_and_in_parts(treasurer: FlaskClient, book: Book, ilves: Client) -> None:
    account = opened(ilves)
    book.pay(book.house(), account.id, 12_345)
    for part in ("accounts", "transactions"):
        whole = page_of(treasurer, f"/ledger/owners/{ilves.id}/{part}")
        alone = page_of(treasurer, f"/ledger/owners/{ilves.id}/{part}", headers={"HX-Request": "true"})
        assert "<html" in whole
        assert "<html" not in alone
        for page in (whole, alone):
            assert "123.45" in page


def test_an_owner_without_accounts_has_none(treasurer: FlaskClient) -> None:
    assert "No accounts." in page_of(treasurer, f"/ledger/owners/{uuid4()}/accounts")
    assert "No transactions yet." in page_of(treasurer, f"/ledger/owners/{uuid4()}/transactions")


def test_nobody_without_a_session_sees_accounts(http: FlaskClient) -> None:
    for path in ("accounts", "accounts/totals", "accounts/export", f"accounts/{uuid4()}", f"owners/{uuid4()}/accounts"):
        assert http.get(f"/ledger/{path}").status_code == 303


def test_an_account_of_the_chart_is_not_closed(book: Book, signed_in: Callable[..., FlaskClient]) -> None:
    with transaction():
        bank = accounts.register_bank_account(
            provider="bank-test", name="Bank Test", number="LT000000000000000001", currency="chf", by=system()
        )
    chart = session().scalars(sa.select(Account).where(Account.currency == "chf")).all()
    assert {account.bank_account_id for account in chart} == {bank.id, None}
    for account in chart:
        with pytest.raises(Refused) as refused, transaction():
            accounts.close(account.id, by=system())
        assert refused.value.code == "chartAccount"
    page = signed_in(Role.TREASURER).get(f"/ledger/accounts/{chart[0].id}").get_data(as_text=True)
    assert "the house books to this account" in page
    assert "Close…" not in page
