"""Pages of the register, of treasury days and of own movements, without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.approvals.models import ApprovalRequest
from dashboard.database import new_id, session, transaction
from dashboard.ledger.models import BusinessDay
from dashboard.ledger.services import accounts
from dashboard.ledger.services import days as business_days
from dashboard.ledger.vocabulary import AccountType
from dashboard.treasury.days import readiness
from dashboard.treasury.days import services as days
from dashboard.treasury.movements.models import OwnMovement
from dashboard.treasury.positions.services.working_out import freeze
from dashboard.treasury.register import queries
from dashboard.treasury.register.queries import BankAccountView
from tests.conftest import People
from tests.treasury.approving import bank_account, registered

ACCOUNTS, MOVEMENTS, DAYS = "/treasury/accounts", "/treasury/movements", "/treasury/days"
SignIn = Callable[..., FlaskClient]
MoneyAt = Callable[[BankAccountView, int], None]


@pytest.fixture
def maker(signed_in: SignIn) -> FlaskClient:
    return signed_in(Role.TREASURER)


@pytest.fixture
def senior(signed_in: SignIn) -> FlaskClient:
    return signed_in(Role.SENIOR_TREASURER)


@pytest.fixture
def auditor(signed_in: SignIn) -> FlaskClient:
    return signed_in(Role.AUDITOR)


@pytest.fixture
def nothing_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_blockers", {})
    monkeypatch.setattr(readiness, "_preparations", [freeze])


def plain(html: str) -> str:
    """What a person reads."""
    html = re.sub(r"(?s)<(script|style).*?</\1>", "", html)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).replace("→ to", "→")


def newest() -> ApprovalRequest:
    found = session().scalars(
        sa.select(ApprovalRequest).order_by(ApprovalRequest.id.desc()).execution_options(populate_existing=True)
    ).first()  # fmt: skip
    assert found is not None
    return found


def approve(browser: FlaskClient, request: ApprovalRequest) -> None:
    answer = browser.post(f"/approvals/{request.id}/approve", data={"reason": ""})
    assert answer.status_code in {200, 303}, plain(answer.text)


def requests_made() -> int:
    return session().scalar(sa.select(sa.func.count()).select_from(ApprovalRequest)) or 0


# --- accounts ---

NEW = {
    "name": "Bank Beta", "provider": "bank-beta", "number": "LT12 1000 0111 0100 1000", "currency": "eur",
    "purpose": "safeguarding", "pool": "eMoney", "designated_from": "2024-01-02", "designated_to": "",
    "statement_format": "camt", "expected_at": "07:30", "calendar": "LT", "reason": "opened for e-money",
}  # fmt: skip


def test_the_first_bank_account_is_asked_for(maker: FlaskClient, auditor: FlaskClient) -> None:
    assert "No bank accounts registered. Add the first" in plain(maker.get(ACCOUNTS).text)
    assert "Add the first" not in plain(auditor.get(ACCOUNTS).text)


def test_a_bank_account_is_added_by_two_people(maker: FlaskClient, senior: FlaskClient) -> None:
    assert maker.get(f"{ACCOUNTS}/new").status_code == 200
    looked = maker.post(f"{ACCOUNTS}/new", data={**NEW, "step": "preview"})
    assert looked.status_code == 200
    assert "07:30 on the next day" in plain(looked.text)
    assert requests_made() == 0
    asked = maker.post(f"{ACCOUNTS}/new", data={**NEW, "step": "ask"})
    assert asked.status_code == 303
    assert "Add Bank Beta EUR, asked by" in plain(maker.get(ACCOUNTS).text)
    shown = plain(senior.get(f"/approvals/{newest().id}").text)
    assert "LT12 1000 0111 0100 1000" in shown
    approve(senior, newest())
    [view] = queries.by_number(NEW["number"])
    assert view.registered
    listed = plain(maker.get(ACCOUNTS).text)
    assert "Bank Beta" in listed
    assert "Designated" in listed


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_asked(maker: FlaskClient) -> None:
    answer = maker.post(f"{ACCOUNTS}/new", data={**NEW, "number": "LT13 1000 0111 0100 1000", "designated_from": "",
                                                 "expected_at": "noon", "step": "ask"})  # fmt: skip
    assert answer.status_code == 422
    assert "Write the time as 07:30." in plain(answer.text)
    answer = maker.post(f"{ACCOUNTS}/new", data={**NEW, "number": "LT13 1000 0111 0100 1000", "designated_from": "",
                                                 "step": "ask"})  # fmt: skip
    assert answer.status_code == 422
    said = plain(answer.text)
    assert "check digits are wrong" in said
    assert "Say from which day it is designated." in said
    assert requests_made() == 0


def test_the_same_bank_account_again_is_a_conflict(maker: FlaskClient) -> None:
    maker.post(f"{ACCOUNTS}/new", data={**NEW, "step": "ask"})
    answer = maker.post(f"{ACCOUNTS}/new", data={**NEW, "step": "ask"})
    assert answer.status_code == 409
    assert "asked already" in plain(answer.text)


def test_a_change_shows_before_and_after_and_stands_in_the_history(maker: FlaskClient, senior: FlaskClient) -> None:
    view = registered()
    form = maker.get(f"{ACCOUNTS}/{view.id}/change").text
    assert 'value="07:30"' in form
    data = {
        "purpose": "safeguarding", "pool": "eMoney", "designated_from": "2020-01-01", "statement_format": "mt940",
        "expected_at": "08:15", "calendar": "LT", "reason": "the bank moved to MT940",
    }  # fmt: skip
    looked = plain(maker.post(f"{ACCOUNTS}/{view.id}/change", data={**data, "step": "preview"}).text)
    assert "camt → MT940" in looked
    maker.post(f"{ACCOUNTS}/{view.id}/change", data={**data, "step": "ask"})
    assert "A change waits for approval." in plain(maker.get(f"{ACCOUNTS}/{view.id}").text)
    approve(senior, newest())
    shown = plain(maker.get(f"{ACCOUNTS}/{view.id}").text)
    assert "camt → MT940" in shown
    assert "Treasurer, Senior Treasurer" in shown
    assert "the bank moved to MT940" in shown
    nothing = maker.post(f"{ACCOUNTS}/{view.id}/change", data={**data, "step": "ask"})
    assert nothing.status_code == 422
    assert "Nothing would change." in plain(nothing.text)


def test_an_account_that_nobody_registered_says_so(maker: FlaskClient) -> None:
    bank = bank_account()
    assert "Not registered" in plain(maker.get(ACCOUNTS).text)
    assert "Nobody said what this account is for" in plain(maker.get(f"{ACCOUNTS}/{bank.id}").text)
    assert maker.get(f"{ACCOUNTS}/{bank.id}/change").status_code == 200
    assert maker.get(f"{ACCOUNTS}/{new_id()}").status_code == 404


def test_filters_stand_in_the_address_and_in_the_file(maker: FlaskClient) -> None:
    registered(name="Euros")
    registered(name="Zloty", currency="pln")
    shown = plain(maker.get(f"{ACCOUNTS}?currency=pln").text)
    assert "Zloty" in shown
    assert "Euros" not in shown
    file = maker.get(f"{ACCOUNTS}/export.csv?currency=pln").text
    assert "Currency: PLN" in file
    assert "Zloty" in file
    assert "Euros" not in file
    assert maker.get(f"{ACCOUNTS}/export.xlsx").status_code == 200
    for address in (f"{ACCOUNTS}?currency=xxx", f"{MOVEMENTS}?state=lost", f"{DAYS}?pool=cash"):
        assert maker.get(address).status_code == 422
    for address in (f"{MOVEMENTS}?cursor=abc", f"{DAYS}?cursor=abc"):
        assert maker.get(address).status_code == 400


def test_readers_read_and_change_nothing(auditor: FlaskClient, signed_in: SignIn) -> None:
    view = registered()
    for address in (ACCOUNTS, f"{ACCOUNTS}/{view.id}", f"{ACCOUNTS}/pools", MOVEMENTS, DAYS):
        answer = auditor.get(address)
        assert answer.status_code == 200, address
        assert "btn-primary" not in answer.text
    for address in (f"{ACCOUNTS}/new", f"{ACCOUNTS}/{view.id}/change", f"{MOVEMENTS}/new", f"{ACCOUNTS}/pools"):
        assert auditor.post(address).status_code == 403, address
    assert signed_in(Role.OFFICER).get(ACCOUNTS).status_code == 403


def test_a_client_account_is_put_into_a_pool_by_two_people(maker: FlaskClient, senior: FlaskClient) -> None:
    with transaction():
        owner = new_id()
        accounts.register_owner(owner)
        opened = accounts.open_account(type=AccountType.CLIENT, currency="eur", owner_id=owner, by=system())
    pools = f"{ACCOUNTS}/pools"
    assert "Every client account belongs to e-money." in plain(maker.get(pools).text)
    wrong = maker.post(pools, data={"account": "LT00", "pool": "paymentServices", "reason": "x"})
    assert wrong.status_code == 422
    assert "There is no client account with this number." in plain(wrong.text)
    asked = maker.post(pools, data={"account": opened.number, "pool": "paymentServices", "reason": "a payments client"})
    assert asked.status_code == 303
    assert "Waiting for approval." in plain(maker.get(pools).text)
    approve(senior, newest())
    shown = plain(maker.get(pools).text)
    assert opened.number in shown
    assert "Payment services" in shown


# --- days ---


@pytest.fixture
def ended(app: Flask, nothing_learned: None) -> date:
    return business_days.end(business_days.open_day().day, by=system()).day


def test_a_day_is_prepared_by_one_and_signed_by_another(maker: FlaskClient, senior: FlaskClient, ended: date) -> None:
    registered()
    page = f"{DAYS}/{ended}/eMoney/eur"
    assert "Not begun" in plain(maker.get(DAYS).text)
    assert "Prepare</button>" in maker.get(page).text
    assert maker.post(f"{page}/prepare").status_code == 303
    own = plain(maker.get(page).text)
    assert "You prepared it; another person signs." in own
    assert "Sign version" not in own
    refused = maker.post(f"{page}/sign")
    assert refused.status_code == 403
    assert "another person signs it" in plain(refused.text)
    again = senior.post(f"{page}/prepare")
    assert again.status_code == 409
    assert senior.post(f"{page}/sign").status_code == 303
    assert "Signed" in plain(maker.get(page).text)
    no_reason = maker.post(f"{page}/reopen", data={"because": ""})
    assert no_reason.status_code == 422
    assert "Say why." in plain(no_reason.text)
    assert maker.post(f"{page}/reopen", data={"because": "a fee was missed"}).status_code == 303
    listed = plain(maker.get(DAYS).text)
    assert "a fee was missed" in listed
    file = maker.get(f"{DAYS}/export.csv?state=reopened").text
    assert "a fee was missed" in file


def test_what_stands_against_signing_is_shown_step_by_step(
    maker: FlaskClient, senior: FlaskClient, ended: date
) -> None:
    registered()
    days.learn_blockers("Breaks", lambda *_: ["2 breaks without owner"])
    page = f"{DAYS}/{ended}/eMoney/eur"
    maker.post(f"{page}/prepare")
    shown = senior.get(page)
    assert "Breaks Not yet 2 breaks without owner" in plain(shown.text)
    assert "Sign version" not in shown.text
    refused = senior.post(f"{page}/sign")
    assert refused.status_code == 422
    assert "Not signed. Breaks: 2 breaks without owner" in plain(refused.text)


def test_an_open_day_cannot_be_prepared_and_says_why(maker: FlaskClient, nothing_learned: None) -> None:
    registered()
    day = session().scalar(sa.select(BusinessDay.day))
    page = f"{DAYS}/{day}/eMoney/eur"
    shown = maker.get(page)
    assert "The business day is still open. End it first." in plain(shown.text)
    assert "Prepare</button>" not in shown.text
    assert maker.post(f"{page}/prepare").status_code == 422


@pytest.mark.parametrize("address", ["2001-01-01/eMoney/eur", "today/eMoney/eur", "2026-3-1/eMoney/eur"])
def test_days_that_never_were_are_not_found(maker: FlaskClient, address: str) -> None:
    assert maker.get(f"{DAYS}/{address}").status_code == 404
    assert maker.post(f"{DAYS}/{address}/prepare").status_code == 404


# --- movements ---


@pytest.fixture
def two(money_at: MoneyAt) -> tuple[BankAccountView, BankAccountView]:
    own, safe = registered("ownFunds", name="Own funds"), registered(name="Safe")
    money_at(own, 100_00)
    return own, safe


def filled(two: tuple[BankAccountView, BankAccountView], **changes: Any) -> dict[str, str]:
    own, safe = two
    return {
        "kind": "topUp", "gives": str(own.id), "to": str(safe.id), "amount": "40.00", "way": "atBank",
        "bank_reference": "", "reason": "shortfall", "step": "ask",
    } | changes  # fmt: skip


def made() -> UUID:
    found = session().scalar(sa.select(OwnMovement.id).order_by(OwnMovement.id.desc()).limit(1))
    assert found is not None
    return found


def test_a_movement_goes_its_way_from_form_to_booking(
    maker: FlaskClient, senior: FlaskClient, two: tuple[BankAccountView, BankAccountView]
) -> None:
    assert "No movements yet." in plain(maker.get(MOVEMENTS).text)
    form = maker.get(f"{MOVEMENTS}/new?kind=topUp&to={two[1].id}&amount=40.00").text
    assert 'value="40.00"' in form
    looked = plain(maker.post(f"{MOVEMENTS}/new", data=filled(two, step="preview")).text)
    assert "100.00 EUR 60.00 EUR" in looked
    assert session().scalar(sa.select(sa.func.count()).select_from(OwnMovement)) == 0
    asked = maker.post(f"{MOVEMENTS}/new", data=filled(two))
    assert asked.status_code == 303
    page = f"{MOVEMENTS}/{made()}"
    assert "Waiting for approval" in plain(maker.get(page).text)
    approve(senior, newest())
    shown = plain(maker.get(page).text)
    assert "Done at the bank: book 40.00 EUR" in shown
    assert maker.post(f"{page}/done", data={"bank_reference": ""}).status_code == 422
    assert maker.post(f"{page}/done", data={"bank_reference": "ALPHA 4410"}).status_code == 303
    shown = plain(maker.get(page).text)
    assert "In transit" in shown
    assert "Not yet" in shown
    late = maker.post(f"{page}/cancel", data={"because": "typed wrong"})
    assert late.status_code == 422
    assert "It has left already." in plain(late.text)
    assert maker.post(f"{page}/refused", data={"because": "AC04"}).status_code == 303
    approve(senior, newest())
    assert "Refused by the bank" in plain(maker.get(page).text)
    assert "ALPHA 4410" in maker.get(f"{MOVEMENTS}/export.csv?state=refused").text
    assert "Top-up" in plain(maker.get(f"{MOVEMENTS}?account={two[0].id}").text)
    payment = session().scalar(sa.select(OwnMovement.payment_id))
    ledger = maker.get(f"/ledger/payments/{payment}").text
    assert f'href="{page}"' in ledger


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"amount": "100.01"}, "is too much"),
        ({"amount": "40.001"}, "2 decimals"),
        ({"amount": "-1"}, "greater than zero"),
        ({"amount": "lots"}, "Write an amount"),
        ({"kind": "sweep"}, "A sweep leaves an account for safeguarding or settlement"),
        ({"way": "file"}, "takes no payment files"),
        ({"gives": ""}, "Choose the account that the money leaves."),
        ({"kind": "gift"}, "Say what it is."),
    ],
)
def test_what_cannot_move_is_refused_and_says_why(
    maker: FlaskClient, two: tuple[BankAccountView, BankAccountView], changes: dict[str, str], said: str
) -> None:
    answer = maker.post(f"{MOVEMENTS}/new", data=filled(two, **changes))
    assert answer.status_code == 422
    assert said in plain(answer.text)
    assert requests_made() == 2


def test_pages_of_movements_that_are_nobodys_are_not_found(maker: FlaskClient, people: People) -> None:
    page = f"{MOVEMENTS}/{new_id()}"
    assert maker.get(page).status_code == 404
    for act in ("done", "cancel", "refused"):
        assert maker.post(f"{page}/{act}", data={"because": "x", "bank_reference": "x"}).status_code == 404
