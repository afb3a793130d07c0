"""What a client's pages show of money: the Money tab, the accounts in the overview, what a block would touch."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient

from dashboard.access.actor import system
from dashboard.access.permissions import ROLES, Permission, Role, RoleRow
from dashboard.clients.models import Client
from dashboard.clients.vocabulary import Scope
from dashboard.database import transaction
from dashboard.ledger.services import accounts, payments
from dashboard.ledger.vocabulary import AccountType
from tests.clients.making import blocked, company, path
from tests.conftest import People
from tests.ledger.conftest import Book

SignIn = Callable[..., FlaskClient]


@pytest.fixture
def book(app: Flask) -> Book:
    return Book()


@pytest.fixture
def ilves(people: People) -> Client:
    return company(people.actor(Role.OFFICER))


@pytest.fixture
def officer(signed_in: SignIn) -> FlaskClient:
    return signed_in(Role.OFFICER)


def funded(book: Book, client: Client, money: int, currency: str = "eur") -> UUID:
    with transaction():
        opened = accounts.open_account(
            type=AccountType.CLIENT, currency=currency, owner_id=client.id, by=system()
        )  # fmt: skip
    if money:
        book.pay(book.house(currency), opened.id, money, currency=currency)
    return opened.id


def seen(browser: FlaskClient, address: str, status: int = 200, **options: Any) -> str:
    answer = browser.get(address, **options)
    assert answer.status_code == status
    return unescape(answer.text)


def consequences(browser: FlaskClient, client: Client, scope: str = "all") -> str:
    text = seen(browser, path(client, f"/consequences?scope={scope}"), headers={"HX-Request": "true"})
    return re.sub(r" (?=[,:])", "", " ".join(re.sub(r"<[^>]+>", " ", text).split()))


@pytest.fixture
def without_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if officers could not see the ledger."""
    row = ROLES[Role.OFFICER]
    kept = row.permissions - {Permission.LEDGER_READ}
    monkeypatch.setitem(ROLES, Role.OFFICER, RoleRow(row.label, row.plural, row.summary, row.senior, kept))


def test_the_money_tab_loads_accounts_and_transactions_and_links_to_them_without_scripts(
    officer: FlaskClient, ilves: Client
) -> None:
    page = seen(officer, path(ilves, "?tab=money"))
    assert re.search(r'aria-current="page">Money', page)
    for part in ("accounts", "transactions"):
        address = f"/ledger/owners/{ilves.id}/{part}"
        assert f'hx-get="{address}"' in page
        assert f'<a href="{address}">' in page
        assert officer.get(address).status_code == 200


def test_the_parts_show_the_money_of_this_client_only(officer: FlaskClient, book: Book, ilves: Client) -> None:
    funded(book, ilves, 123_400)
    book.account(777_700)
    for part in ("accounts", "transactions"):
        text = seen(officer, f"/ledger/owners/{ilves.id}/{part}", headers={"HX-Request": "true"})
        assert "1,234.00" in text
        assert "7,777.00" not in text


def test_the_overview_shows_accounts(officer: FlaskClient, book: Book, ilves: Client) -> None:
    funded(book, ilves, 5)
    address = f"/ledger/owners/{ilves.id}/accounts?short=1"
    assert f'hx-get="{address}"' in seen(officer, path(ilves))
    short = seen(officer, address, headers={"HX-Request": "true"})
    assert "Posted" not in short
    assert "Open</span>" in short


def test_the_short_list_shows_the_freeze_rather_than_that_the_account_is_open(
    officer: FlaskClient, book: Book, ilves: Client, people: People
) -> None:
    funded(book, ilves, 5)
    blocked(ilves, people.actor(Role.OFFICER), scope=Scope.DEBIT)
    short = seen(officer, f"/ledger/owners/{ilves.id}/accounts?short=1", headers={"HX-Request": "true"})
    assert "Frozen: debits" in short
    assert "Open</span>" not in short


@pytest.mark.usefixtures("without_ledger")
def test_who_may_not_see_the_ledger_is_shown_no_money(officer: FlaskClient, book: Book, ilves: Client) -> None:
    funded(book, ilves, 123_400)
    page = seen(officer, path(ilves))
    assert "Money" not in page
    assert "/ledger/owners/" not in page
    assert "1,234.00" not in consequences(officer, ilves)
    seen(officer, path(ilves, "?tab=money"), 403)
    seen(officer, f"/ledger/owners/{ilves.id}/accounts", 403)


def test_the_block_dialog_lists_accounts_and_holds(officer: FlaskClient, book: Book, ilves: Client) -> None:
    eur = funded(book, ilves, 100_000)
    funded(book, ilves, 2_500, "usd")
    with transaction():
        payments.hold(book.order(eur, book.house(), 12_000), by=system())
    text = consequences(officer, ilves)
    assert "2 open accounts, available 880.00 EUR, 25.00 USD, held 120.00 EUR: nothing goes out" in text
    assert "1 hold, 120.00 EUR: stays reserved; it can still be posted or canceled" in text
    with transaction():
        payments.hold(book.order(eur, book.house(), 30_000), by=system())
    assert "2 holds, 420.00 EUR: stay reserved; they can still be posted" in consequences(officer, ilves)
    assert ", 2 accounts" in text


@pytest.mark.parametrize(
    ("scope", "words"),
    [("all", "nothing goes out, and what comes in goes to suspense"), ("debit", ": nothing goes out LT"),
     ("credit", ": what comes in goes to suspense"), ("amount", ": the amount must stay"),
     ("nonsense", "nothing goes out, and")],
)  # fmt: skip
def test_the_block_dialog_says_what_the_scope_does(
    officer: FlaskClient, book: Book, ilves: Client, scope: str, words: str
) -> None:
    funded(book, ilves, 100)
    assert words in consequences(officer, ilves, scope)


def test_the_button_says_the_amount_and_how_many_accounts_have_its_currency(
    officer: FlaskClient, book: Book, ilves: Client
) -> None:
    funded(book, ilves, 100)
    funded(book, ilves, 100, "usd")
    known = consequences(officer, ilves, "amount&amount=500&currency=eur")
    assert known.endswith(", 1 account 500.00 EUR")
    for typed in ("", "0", "-5", "five", "1.234", "9" * 40, "NaN"):
        assert consequences(officer, ilves, f"amount&amount={typed}&currency=eur").endswith(", 2 accounts an amount")
    assert consequences(officer, ilves, "amount&amount=5&currency=xyz").endswith(", 2 accounts an amount")
    assert consequences(officer, ilves, "all&amount=500&currency=eur").endswith(", 2 accounts an amount")


def test_the_parts_lead_to_the_lists_and_accounts_of_the_client(
    officer: FlaskClient, book: Book, ilves: Client
) -> None:
    account = funded(book, ilves, 100)
    transactions = seen(officer, f"/ledger/owners/{ilves.id}/transactions")
    assert f'href="/ledger/transactions?client={ilves.id}"' in transactions
    assert f'href="/ledger/accounts/{account}"' in transactions
    assert f'href="/ledger/accounts?text={ilves.id}"' in seen(officer, f"/ledger/owners/{ilves.id}/accounts")
    assert f"?text={ilves.id}" not in seen(officer, f"/ledger/owners/{ilves.id}/accounts?short=1")


def test_a_closed_account_is_not_touched_by_a_block(officer: FlaskClient, book: Book, ilves: Client) -> None:
    account = funded(book, ilves, 0)
    assert "1 open account" in consequences(officer, ilves)
    with transaction():
        accounts.close(account, by=system())
    assert "No open accounts: an account opened later is frozen from the start" in consequences(officer, ilves)


def test_money_that_comes_in_is_not_listed_as_held(officer: FlaskClient, book: Book, ilves: Client) -> None:
    account = funded(book, ilves, 100)
    other = book.account(5_000)
    with transaction():
        payments.hold(book.order(other, account, 4_000), by=system())
    text = consequences(officer, ilves)
    assert "held" not in text
    assert "40.00" not in text


def test_the_dialog_opens_without_counting_and_the_page_without_scripts_counts(
    officer: FlaskClient, book: Book, ilves: Client
) -> None:
    funded(book, ilves, 123_400)
    dialog = seen(officer, path(ilves, "/block"), headers={"HX-Request": "true"})
    assert "1,234.00" not in dialog
    assert "Still counting. You can block now." in dialog
    assert 'type="submit"' in dialog
    page = seen(officer, path(ilves, "/block"))
    assert "1,234.00" in page
    assert ", 1 account</span>" in page
