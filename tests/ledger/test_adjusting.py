"""Adjusting payments and reversals by two people: through the pages and over the API."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Audience, Role
from dashboard.approvals.models import ApprovalRequest
from dashboard.clients import services as clients
from dashboard.clients.vocabulary import BlockCode
from dashboard.database import session, transaction
from dashboard.errors import Conflict
from dashboard.ledger import numbers
from dashboard.ledger.models import LedgerTransaction, Payment
from dashboard.ledger.queries.payments import numbers_of
from dashboard.ledger.services import accounts, adjusting, payments
from dashboard.ledger.vocabulary import AccountType, ParentType
from tests.clients.making import person
from tests.conftest import People
from tests.ledger.conftest import Book

NEW = "/ledger/payments/new"
HTMX = {"HX-Request": "true"}
SignIn = Callable[..., FlaskClient]


@pytest.fixture
def maker(signed_in: SignIn) -> FlaskClient:
    return signed_in(Role.TREASURER)


@pytest.fixture
def senior(signed_in: SignIn) -> FlaskClient:
    return signed_in(Role.SENIOR_TREASURER)


def plain(html: str) -> str:
    """What a person reads."""
    html = re.sub(r"(?s)<(script|style).*?</\1>", "", html)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).replace("→ to", "→")


def number_of(account: UUID) -> str:
    return numbers_of([account])[account]


def filled(debtor: str, creditor: str, **changes: Any) -> dict[str, str]:
    return {
        "debtor_account_id": debtor, "creditor_account_id": creditor, "amount": "12.34", "value_date": "",
        "description": "Correction 4410", "reason": "booked to the wrong account", "parent_id": str(uuid4()),
        "step": "ask",
    } | changes  # fmt: skip


def newest() -> ApprovalRequest:
    found = session().scalars(
        sa.select(ApprovalRequest).order_by(ApprovalRequest.id.desc()).limit(1).execution_options(populate_existing=True)
    ).first()  # fmt: skip
    assert found is not None
    return found


def requests_made() -> int:
    return session().scalar(sa.select(sa.func.count()).select_from(ApprovalRequest)) or 0


def asked(browser: FlaskClient, debtor: UUID, creditor: UUID, **changes: Any) -> ApprovalRequest:
    answer = browser.post(NEW, data=filled(number_of(debtor), number_of(creditor), **changes))
    assert answer.status_code == 303, plain(answer.text)
    return newest()


def asked_to_reverse(browser: FlaskClient, payment: UUID) -> ApprovalRequest:
    answer = browser.post(f"/ledger/payments/{payment}/reverse", data={"reason": "entered twice"})
    assert answer.status_code == 303, plain(answer.text)
    return newest()


def flashes(browser: FlaskClient) -> list[str]:
    with browser.session_transaction() as cookie:
        return [text for _role, text in cookie.pop("_flashes", [])]


def transactions_between(debtor: UUID, creditor: UUID) -> int:
    return session().scalar(
        sa.select(sa.func.count()).select_from(LedgerTransaction).where(
            LedgerTransaction.debtor_account_id == debtor, LedgerTransaction.creditor_account_id == creditor
        )
    ) or 0  # fmt: skip


# the form


def test_the_form_takes_accounts_from_the_address(book: Book, maker: FlaskClient) -> None:
    page = maker.get(f"{NEW}?debtor=LT4410&creditor=LT4411").text
    assert 'value="LT4410"' in page and 'value="LT4411"' in page
    assert re.search(r'name="parent_id"[^>]*value="[0-9a-f-]{36}"', page)


def test_the_preview_shows_both_balances_before_and_after_and_asks_nobody_yet(
    book: Book, maker: FlaskClient, people: People
) -> None:
    client = person(people.actor(Role.OFFICER))
    people.member(Role.SENIOR_TREASURER, "Rita Kask")
    debtor, creditor = book.account(10_000, owner=client.id), book.account(500)
    number = number_of(debtor)
    grouped = " ".join(number[i : i + 4] for i in range(0, len(number), 4))
    before = requests_made()
    page = maker.post(NEW, data=filled(grouped.lower(), number_of(creditor)[-6:], step="preview"))
    assert page.status_code == 200
    read = plain(page.text)
    assert "Mari Ilves" in read and grouped in read
    assert "100.00 EUR → 87.66 EUR" in read and "5.00 EUR → 17.34 EUR" in read
    assert "Rita Kask" in read and "Ask for approval" in read
    assert requests_made() == before and book.balance(debtor) == (10_000, 0)
    changed = maker.post(NEW, data=filled(grouped, number_of(creditor), step="change"))
    assert 'value="12.34"' in changed.text and "booked to the wrong account" in changed.text
    assert "Show what changes" in changed.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"amount": ""}, "Write the amount."),
        ({"amount": "twelve"}, "Write an amount, like 1250.50."),
        ({"amount": "0"}, "The amount must be greater than zero."),
        ({"amount": "-1"}, "The amount must be greater than zero."),
        ({"amount": "0.001"}, "EUR has 2 decimals."),
        ({"amount": "1" * 30}, "Write an amount, like 1250.50."),
        ({"debtor_account_id": ""}, "Write the number of the account."),
        ({"debtor_account_id": "LT00 0000 9999"}, "No account has this number."),
        ({"creditor_account_id": "1"}, "at least its last 4 characters"),
        ({"reason": "  "}, "Say why."),
        ({"reason": "x" * 501}, "Use at most 500 characters."),
        ({"description": "x" * 501}, "Use at most 500 characters."),
        ({"description": "a\x00b"}, "Remove the control characters."),
        ({"value_date": "13.03.2026"}, "Write the date as 2026-03-13."),
        ({"value_date": "1999-12-31"}, "The value date lies after 1999 and is not in the future."),
        ({"parent_id": "4410"}, "The form was not complete. Send it once more."),
    ],
)
@pytest.mark.parametrize("step", ["preview", "ask"])
def test_every_wrong_field_is_told_beside_it_and_nothing_is_asked(
    book: Book, maker: FlaskClient, changes: dict[str, str], said: str, step: str
) -> None:
    debtor, creditor = book.account(10_000), book.account()
    before = requests_made()
    page = maker.post(NEW, data=filled(number_of(debtor), number_of(creditor), step=step) | changes)
    assert page.status_code == 422
    assert said in plain(page.text)
    assert requests_made() == before


def test_what_the_ledger_would_refuse_is_refused_before_anybody_is_asked(book: Book, maker: FlaskClient) -> None:
    rich, poor, dollars = book.account(10_000), book.account(100), book.account(currency="usd")
    closed = book.account()
    with transaction():
        accounts.close(closed, by=system())

    def refused(debtor: UUID, creditor: UUID, **changes: str) -> str:
        page = maker.post(NEW, data=filled(number_of(debtor), number_of(creditor), **changes))
        assert page.status_code == 422, page.status_code
        return plain(page.text)

    before = requests_made()
    assert "This account is in USD, the debtor’s in EUR." in refused(rich, dollars)
    assert "Debtor and creditor are the same account." in refused(rich, rich)
    short = refused(poor, rich)
    assert f"Available on LT…{number_of(poor)[-4:]}: 1.00 EUR; 11.34 EUR short." in short
    assert "1 field needs you. Amount" in short
    said = refused(rich, closed)
    assert f"LT…{number_of(closed)[-4:]} is closed." in said and "1 field needs you. Creditor account" in said
    tomorrow = (clock.now() + timedelta(days=2)).date().isoformat()
    assert "is not in the future" in refused(rich, poor, value_date=tomorrow)
    assert requests_made() == before


def test_a_frozen_account_is_named_at_its_field(book: Book, maker: FlaskClient, people: People) -> None:
    officer: Actor = people.actor(Role.OFFICER)
    client = person(officer)
    frozen, other = book.account(10_000, owner=client.id), book.account(10_000)
    with transaction():
        clients.block(client.id, code=BlockCode.FRAUD, by=officer)
    end = number_of(frozen)[-4:]
    page = plain(maker.post(NEW, data=filled(number_of(frozen), number_of(other), step="preview")).text)
    assert f"Mari Ilves LT…{end} is frozen for debits." in page and "1 field needs you. Debtor account" in page
    page = plain(maker.post(NEW, data=filled(number_of(other), number_of(frozen), step="preview")).text)
    assert f"Mari Ilves LT…{end} is frozen for credits." in page and "1 field needs you. Creditor account" in page


def test_an_account_of_the_house_is_found_by_what_it_is_for(book: Book, maker: FlaskClient) -> None:
    fees = book.house("usd", AccountType.FEES)
    debtor = book.account(10_000, currency="usd")
    page = plain(maker.post(NEW, data=filled(number_of(debtor), " fees  USD", step="preview")).text)
    assert f"Creditor Fees {numbers.in_groups(number_of(fees))}" in page
    other = book.house("eur", AccountType.FEES)
    refused = maker.post(NEW, data=filled(number_of(debtor), "fees", step="preview"))
    assert refused.status_code == 422
    assert "Several accounts fit; write the number of one: " in refused.text
    for account, currency in ((fees, "USD"), (other, "EUR")):
        assert f"Fees LT…{number_of(account)[-4:]} {currency}" in refused.text
    assert "No account has this number." in maker.post(NEW, data=filled(number_of(debtor), "fees GBP")).text


def test_both_sides_change_places_and_everything_else_stays(maker: FlaskClient) -> None:
    form = filled("LT4410", "LT4411", step="swap")
    page = maker.post(NEW, data=form)
    assert page.status_code == 200
    assert re.search(r'name="debtor_account_id"[^>]*value="LT4411"', page.text)
    assert re.search(r'name="creditor_account_id"[^>]*value="LT4410"', page.text)
    assert 'value="12.34"' in page.text and form["parent_id"] in page.text


def test_an_end_that_several_accounts_share_is_no_account(
    book: Book, maker: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = iter(["LT000000000000014410", "LT000000000000024410"])
    monkeypatch.setattr(numbers, "next_number", lambda: next(given))
    book.account(), book.account()
    monkeypatch.undo()
    page = maker.post(NEW, data=filled("4410", number_of(book.account())))
    assert page.status_code == 422 and "Several accounts end so." in page.text
    assert "Several accounts" not in maker.post(NEW, data=filled("24410", number_of(book.account()))).text


def test_the_same_form_sent_twice_asks_once(book: Book, maker: FlaskClient) -> None:
    debtor, creditor = book.account(10_000), book.account()
    form = filled(number_of(debtor), number_of(creditor))
    assert maker.post(NEW, data=form).status_code == 303
    again = maker.post(NEW, data=form)
    assert again.status_code == 409
    assert "This has been asked already and waits for a decision." in again.text


# two people


def test_a_maker_cannot_approve_their_own_request(book: Book, maker: FlaskClient, senior: FlaskClient) -> None:
    debtor, creditor = book.account(10_000), book.account()
    request = asked(senior, debtor, creditor)
    for browser, why in ((senior, "You asked; another person decides."),):
        refused = browser.post(f"/approvals/{request.id}/approve")
        assert refused.status_code == 403 and why in refused.text
    assert newest().state == "requested"
    assert book.balance(debtor) == (10_000, 0)


def test_two_treasurers_of_whom_none_is_senior_are_not_two_people_enough(
    book: Book, maker: FlaskClient, signed_in: SignIn
) -> None:
    request = asked(maker, book.account(10_000), book.account())
    refused = signed_in(Role.TREASURER, "Second").post(f"/approvals/{request.id}/approve")
    assert refused.status_code == 403 and "One of the two must be senior." in refused.text
    officer = signed_in(Role.SENIOR_OFFICER).post(f"/approvals/{request.id}/approve")
    assert officer.status_code == 403 and "Your role cannot decide this." in officer.text


def test_an_approved_payment_moves_the_money_exactly_once(
    book: Book, maker: FlaskClient, senior: FlaskClient, people: People
) -> None:
    client = person(people.actor(Role.OFFICER))
    debtor, creditor = book.account(10_000, owner=client.id), book.account()
    request = asked(maker, debtor, creditor, value_date="2026-01-15")
    assert book.balance(debtor) == (10_000, 0)
    answer = senior.post(f"/approvals/{request.id}/approve")
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"/ledger/payments/{request.object_id}"
    assert flashes(senior) == ["Posted adjusting payment of 12.34 EUR."]
    again = senior.post(f"/approvals/{request.id}/approve")
    assert again.status_code == 303 and "closed: approved" in flashes(senior)[0]
    assert book.balance(debtor) == (10_000 - 1_234, 0) and book.balance(creditor) == (1_234, 0)
    assert transactions_between(debtor, creditor) == 1
    made = session().get(Payment, request.object_id)
    assert made is not None and made.parent_type == ParentType.ADJUSTING_PAYMENT
    assert str(made.value_date) == "2026-01-15"
    page = plain(senior.get(f"/ledger/payments/{request.object_id}").text)
    assert "Adjusting payment 12.34 EUR" in page and "booked to the wrong account" in page
    assert "Correction 4410" in page and "15 Jan 2026" in page
    assert f"Asked by {request.maker_name} · Approved by " in page and "Made by" not in page
    assert page.count("booked to the wrong account") == 1
    book.pay(debtor, book.house(), 1_000)
    shown = senior.get(f"/approvals/{request.id}").text
    assert f'href="/ledger/payments/{request.object_id}"' in shown
    end = number_of(debtor)[-4:]
    assert f"Mari Ilves LT…{end}, as asked: 100.00 EUR → 87.66 EUR" in plain(shown)
    assert "15 Jan 2026" in shown


def test_the_second_person_sees_accounts_amount_and_the_balances_of_now(
    book: Book, maker: FlaskClient, senior: FlaskClient, people: People
) -> None:
    client = person(people.actor(Role.OFFICER))
    debtor, creditor = book.account(10_000, owner=client.id), book.account()
    request = asked(maker, debtor, creditor)
    book.pay(debtor, book.house(), 1_000)
    end = number_of(debtor)[-4:]
    for path in (f"/approvals/{request.id}", f"/approvals/{request.id}/approve", "/approvals"):
        page = plain(senior.get(path).text)
        assert f"Mari Ilves LT…{end}: 90.00 EUR → 77.66 EUR" in page, path
    shown = senior.get(f"/approvals/{request.id}")
    assert f'href="/ledger/accounts/{debtor}"' in shown.text and f'href="/ledger/accounts/{creditor}"' in shown.text
    read = plain(shown.text)
    assert "12.34 EUR from Mari Ilves" in read and "booked to the wrong account" in read and "“Correction 4410”" in read


def test_a_rejected_request_moves_nothing(book: Book, maker: FlaskClient, senior: FlaskClient) -> None:
    debtor, creditor = book.account(10_000), book.account()
    request = asked(maker, debtor, creditor)
    assert senior.post(f"/approvals/{request.id}/reject", data={"reason": "no"}).status_code == 303
    assert newest().state == "rejected"
    assert book.balance(debtor) == (10_000, 0) and transactions_between(debtor, creditor) == 0
    assert senior.get(f"/ledger/payments/{request.object_id}").status_code == 404
    assert "100.00 EUR → 87.66 EUR" in plain(senior.get(f"/approvals/{request.id}").text)


def test_a_request_goes_stale_when_an_account_was_closed_meanwhile(
    book: Book, maker: FlaskClient, senior: FlaskClient
) -> None:
    debtor, creditor = book.account(10_000), book.account()
    request = asked(maker, debtor, creditor)
    with transaction():
        accounts.close(creditor, by=system())
    assert senior.post(f"/approvals/{request.id}/approve").status_code == 303
    assert flashes(senior) == ["This request has gone stale: an account was closed meanwhile. No money has moved."]
    assert newest().state == "stale" and book.balance(debtor) == (10_000, 0)


def test_without_enough_money_at_the_decision_the_request_stays_open_and_says_so(
    book: Book, maker: FlaskClient, senior: FlaskClient
) -> None:
    debtor, creditor = book.account(2_000), book.account()
    request = asked(maker, debtor, creditor)
    book.pay(debtor, book.house(), 1_500)
    refused = senior.post(f"/approvals/{request.id}/approve", headers=HTMX)
    assert refused.status_code == 422
    assert "The debtor account has not enough available." in refused.text
    assert newest().state == "requested" and book.balance(debtor) == (500, 0)
    book.pay(book.house(), debtor, 1_000)
    assert senior.post(f"/approvals/{request.id}/approve").status_code == 303
    assert book.balance(debtor) == (500 + 1_000 - 1_234, 0)


def test_requests_of_money_are_shown_with_a_handful_of_queries(
    book: Book, maker: FlaskClient, senior: FlaskClient
) -> None:
    debtor = book.account(1_000_000)

    def statements() -> int:
        count = 0

        def counted(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            nonlocal count
            # commits of tests are savepoints
            count += not statement.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK"))

        engine = session().get_bind()
        sa.event.listen(engine, "before_cursor_execute", counted)
        try:
            assert senior.get("/approvals").status_code == 200
        finally:
            sa.event.remove(engine, "before_cursor_execute", counted)
        return count

    for _ in range(2):
        asked(maker, debtor, book.account())
        asked_to_reverse(maker, book.pay(debtor, book.house(), 100))
    statements()
    few = statements()
    for _ in range(4):
        asked(maker, debtor, book.account())
        asked_to_reverse(maker, book.pay(debtor, book.house(), 100))
    assert few > 5
    assert statements() == few


# reversals


def test_a_reversal_is_asked_read_back_and_done_once(
    book: Book, maker: FlaskClient, senior: FlaskClient, people: People
) -> None:
    client = person(people.actor(Role.OFFICER))
    account = book.account(10_000, owner=client.id)
    payment = book.pay(account, book.house(), 700)
    dialog = plain(maker.get(f"/ledger/payments/{payment}/reverse", headers=HTMX).text)
    assert "93.00 EUR → 100.00 EUR" in dialog and "Mari Ilves" in dialog
    request = asked_to_reverse(maker, payment)
    page = maker.get(f"/ledger/payments/{payment}").text
    assert "Reversal requested." in page and f'href="/approvals/{request.id}"' in page and "Reverse…" not in page
    read = plain(senior.get(f"/approvals/{request.id}/approve").text)
    assert "93.00 EUR → 100.00 EUR" in read and "entered twice" in read
    answer = senior.post(f"/approvals/{request.id}/approve")
    assert answer.headers["Location"] == f"/ledger/payments/{payment}"
    assert flashes(senior) == ["Reversed payment of 7.00 EUR."]
    assert book.balance(account) == (10_000, 0)
    made = session().scalars(sa.select(Payment).where(Payment.reverses_id == payment)).one()
    shown = senior.get(f"/ledger/payments/{made.id}").text
    assert f'href="/approvals/{request.id}"' in shown and plain(shown).count("entered twice") == 1
    assert f"Asked by {request.maker_name} · Approved by " in plain(shown) and "Made by" not in shown
    kept = plain(senior.get(f"/approvals/{request.id}").text)
    assert f"Mari Ilves LT…{number_of(account)[-4:]}, as asked: 93.00 EUR → 100.00 EUR" in kept
    assert maker.post(f"/ledger/payments/{payment}/reverse", data={"reason": "again"}).status_code == 409


def test_a_reversal_needs_a_reason_and_a_posted_payment(book: Book, maker: FlaskClient) -> None:
    payment, draft = book.pay(book.account(5_000), book.house(), 100), book.draft(book.account(), book.house(), 100)
    empty = maker.post(f"/ledger/payments/{payment}/reverse", data={"reason": " "}, headers=HTMX)
    assert empty.status_code == 422 and "Say why." in empty.text
    shown = maker.get(f"/ledger/payments/{draft}/reverse", headers=HTMX).text
    assert "Only a posted payment is reversed; cancel this one." in shown and "Ask to reverse" not in shown
    refused = maker.post(f"/ledger/payments/{draft}/reverse", data={"reason": "x"}, headers=HTMX)
    assert refused.status_code == 422 and "Only a posted payment is reversed" in refused.text
    assert maker.get(f"/ledger/payments/{uuid4()}/reverse").status_code == 404


def test_a_reversal_goes_stale_when_the_payment_was_reversed_another_way(
    book: Book, maker: FlaskClient, senior: FlaskClient
) -> None:
    payment = book.pay(book.account(5_000), book.house(), 100)
    request = asked_to_reverse(maker, payment)
    with transaction():
        payments.reverse(payment, reason="by command", by=system())
    senior.post(f"/approvals/{request.id}/approve")
    assert flashes(senior) == ["This request has gone stale: the payment was reversed meanwhile. No money has moved."]


def test_a_reversal_that_cannot_happen_is_not_offered_and_says_what_is_missing(
    book: Book, maker: FlaskClient, people: People
) -> None:
    client = person(people.actor(Role.OFFICER))
    account = book.account(owner=client.id)
    payment = book.pay(book.house(), account, 700)
    book.pay(account, book.house(), 500)
    said = f"Mari Ilves LT…{number_of(account)[-4:]} has 5.00 EUR too little: this cannot be reversed now."
    shown = maker.get(f"/ledger/payments/{payment}/reverse", headers=HTMX).text
    assert said in plain(shown) and "Ask to reverse" not in shown and "2.00 EUR → −5.00 EUR" in plain(shown)
    before = requests_made()
    sent = maker.post(f"/ledger/payments/{payment}/reverse", data={"reason": "entered twice"}, headers=HTMX)
    assert sent.status_code == 422 and said in plain(sent.text) and requests_made() == before


def test_a_reversal_shows_what_is_available_and_not_what_is_posted(book: Book, maker: FlaskClient) -> None:
    account = book.account()
    payment = book.pay(book.house(), account, 700)
    draft = book.draft(account, book.house(), 200)
    with transaction():
        payments.pend(draft, by=system())
    shown = maker.get(f"/ledger/payments/{payment}/reverse", headers=HTMX).text
    assert "5.00 EUR → −2.00 EUR" in plain(shown) and "has 2.00 EUR too little" in shown


def test_a_reversal_waits_while_the_money_is_spent(book: Book, maker: FlaskClient, senior: FlaskClient) -> None:
    account = book.account()
    payment = book.pay(book.house(), account, 700)
    request = asked_to_reverse(maker, payment)
    book.pay(account, book.house(), 500)
    refused = senior.post(f"/approvals/{request.id}/approve", headers=HTMX)
    assert refused.status_code == 422 and "has not enough available" in refused.text
    assert newest().state == "requested" and book.balance(account) == (200, 0)


def test_a_block_of_the_client_does_not_stop_a_reversal(
    book: Book, maker: FlaskClient, senior: FlaskClient, people: People
) -> None:
    officer: Actor = people.actor(Role.OFFICER)
    client = person(officer)
    account = book.account(owner=client.id)
    payment = book.pay(book.house(), account, 700)
    with transaction():
        clients.block(client.id, code=BlockCode.FRAUD, by=officer)
    request = asked_to_reverse(maker, payment)
    assert senior.post(f"/approvals/{request.id}/approve").status_code == 303
    assert book.balance(account) == (0, 0)


# machines


def body_of(debtor: UUID, creditor: UUID) -> dict[str, Any]:
    return {
        "parentId": str(uuid4()), "parentType": "adjustingPayment", "debtorAccountId": str(debtor),
        "creditorAccountId": str(creditor), "currency": "eur", "amount": 12.34,
    }  # fmt: skip


def test_a_token_without_the_scope_opens_a_request_and_moves_nothing(
    book: Book, teller: Any, senior: FlaskClient
) -> None:
    debtor, creditor = book.account(10_000), book.account()
    answer = teller.call("POST", "/internal/Payments", json=body_of(debtor, creditor))
    assert (answer.status_code, answer.json["code"]) == (403, "approvalRequired")
    request = newest()
    assert answer.json["requestId"] == str(request.id) != answer.headers["X-Request-Id"]
    assert book.balance(debtor) == (10_000, 0)
    assert senior.post(f"/approvals/{request.id}/approve").status_code == 303
    assert book.balance(creditor) == (1_234, 0)
    again = teller.call("POST", "/internal/Payments", json=body_of(debtor, creditor) | {"amount": 0.01})
    assert again.status_code == 403 and newest().id != request.id


def test_a_reversal_by_a_token_without_the_scope_waits_for_a_person(
    book: Book, teller: Any, senior: FlaskClient
) -> None:
    account = book.account(10_000)
    payment = book.pay(account, book.house(), 700)
    answer = teller.call("POST", f"/internal/Payments/{payment}/reverse", json={"reason": "entered twice"})
    assert (answer.status_code, answer.json["code"]) == (403, "approvalRequired")
    assert book.balance(account) == (9_300, 0)
    assert senior.post(f"/approvals/{newest().id}/approve").status_code == 303
    assert book.balance(account) == (10_000, 0)


def test_the_owner_of_the_token_that_asked_never_decides(
    book: Book, machine: Callable[..., Any], people: People, senior: FlaskClient
) -> None:
    owner = people.member(Role.SENIOR_TREASURER)
    token = machine(Audience.SYSTEM, owner_id=owner.id)
    debtor = book.account(10_000)
    token.call("POST", "/internal/Payments", json=body_of(debtor, book.account()))
    refused = senior.post(f"/approvals/{newest().id}/approve")
    assert refused.status_code == 403 and "Your token asked; another person decides." in refused.text
    assert book.balance(debtor) == (10_000, 0)


def test_a_token_with_the_scope_adjusts_at_once(book: Book, machine: Callable[..., Any]) -> None:
    debtor, creditor = book.account(10_000), book.account()
    before = requests_made()
    answer = machine(Audience.SYSTEM, scopes=["all"]).call(
        "POST", "/internal/Payments", json=body_of(debtor, creditor)
    )  # fmt: skip
    assert answer.status_code == 200 and requests_made() == before
    assert book.balance(creditor) == (1_234, 0)


def test_a_value_date_in_the_future_is_refused_before_a_person_is_asked(book: Book, teller: Any) -> None:
    said = body_of(book.account(10_000), book.account())
    said["valueDate"] = (clock.now() + timedelta(days=2)).date().isoformat()
    before = requests_made()
    answer = teller.call("POST", "/internal/Payments", json=said)
    assert answer.status_code == 400 and answer.json["errors"][0]["field"] == "valueDate"
    assert requests_made() == before


def test_asking_for_the_same_parent_twice_is_a_conflict(book: Book, people: People) -> None:
    by = people.actor(Role.TREASURER)
    order = book.order(book.account(10_000), book.account(), 100, parent_type=ParentType.ADJUSTING_PAYMENT)
    with transaction():
        adjusting.ask(order, reason="once", by=by)
    with pytest.raises(Conflict) as refused, transaction():
        adjusting.ask(order, reason="twice", by=by)
    assert refused.value.code == "alreadyRequested"
