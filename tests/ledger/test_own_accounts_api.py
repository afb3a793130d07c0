"""GL-01, GL-03, GL-05, GL-07, GL-09, GL-14, GL-15 and GL-21 over HTTP: what a client does with its own accounts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
import simplejson
import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access import tokens
from dashboard.access.actor import system
from dashboard.access.permissions import Audience, Role
from dashboard.audit.models import AuditEvent
from dashboard.database import db, new_id, session, transaction
from dashboard.errors import DomainError
from dashboard.ledger.models import Account, AccountBalance, OneTimePassword
from dashboard.ledger.services import accounts, payments
from dashboard.ledger.services.one_time_passwords import Operation
from tests.clients.making import company
from tests.conftest import Machine, People
from tests.ledger.conftest import Book


def read(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return simplejson.loads(answer.text, use_decimal=True)


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.text
    assert answer.content_type == "application/problem+json"
    found: dict[str, Any] = answer.json
    return found


def fields(answer: Any) -> dict[str, str]:
    assert answer.status_code == 400, answer.text
    return {error["field"]: error["rule"] for error in answer.json["errors"]}


class Mine:
    """A client with its app."""

    def __init__(self, client_id: UUID, machine: Machine, book: Book) -> None:
        self.client_id = client_id
        self.machine = machine
        self.book = book

    def call(self, method: str, path: str, **options: Any) -> Any:
        return self.machine.call(method, path, **options)

    def account(self, money: int = 0, **options: Any) -> UUID:
        return self.book.account(money, owner=self.client_id, **options)

    def listed(self, query: str = "") -> list[str]:
        return [account["id"] for account in read(self.call("GET", f"/Accounts{query}"))["items"]]

    def confirmed(self, account_id: UUID, **changes: Any) -> UUID:
        """A one-time password for closing the account that the client has verified."""
        moment = clock.now()
        values = {
            "id": new_id(), "owner_id": self.client_id, "operation": Operation.CLOSE_ACCOUNT.value,
            "subject_id": account_id, "salt": "s", "code_hash": "h", "created_at": moment,
            "expires_at": moment + timedelta(minutes=5), "tries": 1, "delivered_at": moment, "verified_at": moment,
        } | changes  # fmt: skip
        with transaction():
            session().add(OneTimePassword(**values))
        identifier: UUID = values["id"]
        return identifier

    def close(self, account_id: UUID) -> Any:
        return self.call("DELETE", f"/Accounts/{account_id}")


@pytest.fixture
def client_of(people: People, machine: Callable[..., Machine], book: Book) -> Callable[[str], Mine]:
    def make(name: str) -> Mine:
        client = company(people.actor(Role.OFFICER), name=name)
        return Mine(client.id, machine(Audience.FRONTOFFICE, client_id=client.id), book)

    return make


@pytest.fixture
def mine(client_of: Callable[[str], Mine]) -> Mine:
    return client_of("Mine OÜ")


@pytest.fixture
def other(client_of: Callable[[str], Mine]) -> Mine:
    return client_of("Other OÜ")


@pytest.fixture
def offered(app: Flask) -> None:
    with transaction():
        for provider, currency in (("sandbox", "eur"), ("bank-alpha", "eur"), ("sandbox", "pln")):
            accounts.register_bank_account(
                provider=provider, name=provider, number=f"{provider}-{currency}", currency=currency, by=system()
            )


# --- opening


def test_a_client_opens_an_account_in_an_offered_currency(mine: Mine, offered: None) -> None:
    account = read(mine.call("POST", "/Accounts", json={"currency": "pln", "alias": " Święta 🎄 "}))
    assert account == {
        "id": account["id"],
        "clientId": str(mine.client_id),
        "type": "client",
        "accountNumber": account["accountNumber"],
        "currency": "pln",
        "alias": "Święta 🎄",
        "status": "open",
        "provider": None,
        "overdraftLimit": Decimal("0.00"),
        "created": account["created"],
        "closed": None,
        "balances": dict.fromkeys(("posted", "held", "available", "spendable"), Decimal("0.00")),
        "hidden": False,
        "displayOrder": None,
        "canPay": True,
        "canReceive": True,
    }
    assert mine.listed() == [account["id"]]
    made = session().scalar(
        sa.select(AuditEvent.actor_id).where(
            AuditEvent.action == "account.opened", AuditEvent.object_id == UUID(account["id"])
        )
    )
    assert made == mine.machine.token_id


def test_a_currency_that_no_provider_offers_is_refused_and_the_offered_ones_are_named(
    mine: Mine, offered: None
) -> None:
    problem = refused(mine.call("POST", "/Accounts", json={"currency": "usd"}), 422, "currencyNotOffered")
    assert problem["offered"] == ["eur", "pln"]
    assert mine.listed() == []


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({}, {"currency": "required"}),
        ({"currency": "EUR"}, {"currency": "enum"}),
        ({"currency": "doubloon"}, {"currency": "enum"}),
        ({"currency": ["eur"]}, {"currency": "value"}),
        ({"currency": "eur", "alias": "x" * 200}, {"alias": "tooLong"}),
        ({"currency": "eur", "alias": "nul\x00"}, {"alias": "value"}),
        ({"currency": "eur", "alias": "two\nlines"}, {"alias": "value"}),
        ({"currency": "eur", "clientId": str(uuid4())}, {"clientId": "unknown"}),
        ({"currency": "eur", "overdraftLimit": 1000}, {"overdraftLimit": "unknown"}),
        ({"currency": "eur", "type": "settlement"}, {"type": "unknown"}),
    ],
)
def test_what_is_wrong_is_named_and_nothing_opens(
    mine: Mine, offered: None, said: dict[str, Any], wrong: dict[str, str]
) -> None:
    assert fields(mine.call("POST", "/Accounts", json=said)) == wrong
    assert mine.listed() == []


def test_half_a_surrogate_pair_is_no_name(mine: Mine, offered: None) -> None:
    answer = mine.call(
        "POST", "/Accounts", data='{"currency": "eur", "alias": "\\ud800"}', content_type="application/json"
    )
    assert fields(answer) == {"alias": "value"}


def test_a_repeated_request_with_its_key_opens_one_account(mine: Mine, offered: None) -> None:
    answers = [
        mine.call("POST", "/Accounts", json={"currency": "eur"}, headers={"Idempotency-Key": "first"}) for _ in range(2)
    ]
    assert answers[0].data == answers[1].data
    assert mine.listed() == [answers[0].json["id"]]


def test_offered_currencies_name_their_providers_and_nothing_of_bank_accounts(mine: Mine, offered: None) -> None:
    answer = mine.call("GET", "/BaasProvider/available-currencies")
    assert read(answer) == {
        "items": [
            {"currency": "eur", "providers": ["bank-alpha", "sandbox"]},
            {"currency": "pln", "providers": ["sandbox"]},
        ],
        "nextCursor": None,
    }


def test_where_nothing_is_offered_the_list_is_empty(mine: Mine) -> None:
    assert read(mine.call("GET", "/BaasProvider/available-currencies")) == {"items": [], "nextCursor": None}


# --- the list, and one


def test_the_list_has_own_accounts_in_their_order_with_true_balances(mine: Mine, other: Mine) -> None:
    first, second, third = mine.account(12_345), mine.account(currency="pln"), mine.account()
    other.account(500)
    assert mine.listed() == [str(first), str(second), str(third)]
    shown = read(mine.call("GET", "/Accounts"))["items"][0]["balances"]
    assert shown == {
        "posted": Decimal("123.45"), "held": Decimal("0.00"), "available": Decimal("123.45"),
        "spendable": Decimal("123.45"),
    }  # fmt: skip
    order = [str(third), str(first), str(second)]
    answer = read(mine.call("PUT", "/Accounts/reorder-accounts", json={"accountIds": order}))
    assert [account["id"] for account in answer["items"]] == order
    assert [account["displayOrder"] for account in answer["items"]] == [1, 2, 3]
    fresh = mine.account()
    assert mine.listed() == [*order, str(fresh)], "what has no place yet comes last"


def test_hidden_accounts_are_listed_only_on_request(mine: Mine) -> None:
    kept, hidden = mine.account(), mine.account()
    changed = read(mine.call("PATCH", f"/Accounts/{hidden}", json={"hidden": True}))
    assert changed["hidden"] is True
    assert mine.listed() == mine.listed("?includeHidden=false") == [str(kept)]
    assert mine.listed("?includeHidden=true") == [str(kept), str(hidden)]
    assert read(mine.call("GET", f"/Accounts/{hidden}"))["id"] == str(hidden)
    read(mine.call("PATCH", f"/Accounts/{hidden}", json={"hidden": False}))
    assert mine.listed() == [str(kept), str(hidden)]


def test_pages_by_cursor_and_by_number_give_the_same_accounts(mine: Mine) -> None:
    ids = [str(mine.account()) for _ in range(5)]
    order = [ids[3], ids[0], ids[4], ids[1], ids[2]]
    read(mine.call("PUT", "/Accounts/reorder-accounts", json={"accountIds": order}))
    order.append(str(mine.account()))
    seen: list[str] = []
    cursor = ""
    while True:
        answer = read(mine.call("GET", f"/Accounts?pageSize=4&cursor={cursor}"))
        seen += [account["id"] for account in answer["items"]]
        assert "totalCount" not in answer
        if not answer["nextCursor"]:
            break
        cursor = answer["nextCursor"]
    assert seen == order
    by_number = [read(mine.call("GET", f"/Accounts?pageSize=4&pageNumber={number}")) for number in (1, 2, 3)]
    assert [account["id"] for page in by_number for account in page["items"]] == order
    assert [page["totalCount"] for page in by_number] == [6, 6, 6]
    assert read(mine.call("GET", "/Accounts?includeTotal=true&includeHidden=true"))["totalCount"] == 6
    assert fields(mine.call("GET", f"/Accounts?pageNumber=1&cursor={cursor}")) == {"pageNumber": "notAllowed"}


def test_a_wrong_parameter_of_the_list_is_named(mine: Mine, other: Mine) -> None:
    query = "includeHidden=perhaps&pageSize=201&pageNumber=0&status=lost&clientId=1"
    assert fields(mine.call("GET", f"/Accounts?{query}")) == {
        "includeHidden": "value", "pageSize": "range", "pageNumber": "range", "status": "enum", "clientId": "unknown",
    }  # fmt: skip
    for _ in range(2):
        other.account()
    theirs = read(other.call("GET", "/Accounts?pageSize=1"))["nextCursor"]
    refused(mine.call("GET", f"/Accounts?pageSize=1&cursor={theirs}"), 400, "invalidCursor")


def test_a_closed_account_stays_in_the_list_and_can_be_left_out(mine: Mine) -> None:
    kept, closed = mine.account(), mine.account()
    with transaction():
        accounts.close(closed, by=system())
    assert mine.listed() == [str(kept), str(closed)]
    assert mine.listed("?status=open") == [str(kept)]
    assert mine.listed("?status=closed") == [str(closed)]
    shown = read(mine.call("GET", f"/Accounts/{closed}"))
    assert (shown["status"], shown["canPay"], shown["canReceive"]) == ("closed", False, False)
    assert shown["closed"]


def test_an_account_is_found_by_its_number_with_spaces_and_small_letters(mine: Mine) -> None:
    account = mine.account()
    number = session().scalar(sa.select(Account.number).where(Account.id == account)) or ""
    shown = read(mine.call("GET", f"/Accounts/{account}"))
    assert shown["accountNumber"] == number
    spaced = "%20".join(number[i : i + 4] for i in range(0, len(number), 4))
    for spelling in (number, number.lower(), spaced, spaced.lower()):
        assert read(mine.call("GET", f"/Accounts/{spelling}")) == shown


@pytest.mark.parametrize("number", ["LT001000011101001000", "LT12", "reorder-accounts", "ŁT12%2034", "%00", "x" * 150])
def test_what_is_no_iban_is_told_so(mine: Mine, number: str) -> None:
    assert set(fields(mine.call("GET", f"/Accounts/{number}"))) == {"accountNumber"}


def test_a_number_with_wrong_check_digits_is_no_iban(mine: Mine) -> None:
    number = session().scalar(sa.select(Account.number).where(Account.id == mine.account())) or ""
    digits = f"{(int(number[2:4]) + 1) % 90:02d}"
    assert fields(mine.call("GET", f"/Accounts/{number[:2]}{digits}{number[4:]}")) == {"accountNumber": "iban"}


def test_somebody_elses_account_reads_exactly_as_none(mine: Mine, other: Mine, offered: None) -> None:
    theirs, nobodys = other.account(1_000), uuid4()
    house = mine.book.house()

    def words(answer: Any) -> tuple[int, dict[str, Any]]:
        said = dict(answer.json)
        said.pop("requestId")
        return answer.status_code, said

    number = session().scalar(sa.select(Account.number).where(Account.id == theirs)) or ""
    from dashboard.ledger import numbers

    for one in (theirs, house):
        for method, path, body in (
            ("GET", "/Accounts/{}", None),
            ("PATCH", "/Accounts/{}", {"alias": "mine now"}),
            ("DELETE", "/Accounts/{}", None),
        ):
            options = {} if body is None else {"json": body}
            found = words(mine.call(method, path.format(one), **options))
            assert found == words(mine.call(method, path.format(nobodys), **options))
            assert (found[0], found[1]["code"]) == (404, "accountNotFound")
        sent = {"operation": "closeAccount", "accountId": str(one)}
        refused(mine.call("POST", "/Accounts/send-otp", json=sent), 404, "accountNotFound")
    unknown = numbers.made(99_999_999_998)
    assert words(mine.call("GET", f"/Accounts/{number}")) == words(mine.call("GET", f"/Accounts/{unknown}"))
    assert read(other.call("GET", f"/Accounts/{theirs}"))["alias"] is None


def test_a_system_token_has_no_accounts_of_its_own_and_nobody_none(mine: Mine, teller: Any) -> None:
    for method, path in (
        ("GET", "/Accounts"), ("POST", "/Accounts"), ("GET", f"/Accounts/{uuid4()}"),
        ("DELETE", f"/Accounts/{uuid4()}"), ("PUT", "/Accounts/reorder-accounts"),
        ("POST", "/Accounts/send-otp"), ("POST", "/Accounts/otp-verification"),
        ("GET", "/BaasProvider/available-currencies"), ("PATCH", f"/Accounts/{uuid4()}"),
    ):  # fmt: skip
        assert teller.call(method, path).status_code == 403, path
        assert mine.machine.client.open(path, method=method).status_code == 401, path


# --- naming and order


def test_an_alias_is_set_kept_and_taken_away(mine: Mine) -> None:
    account = mine.account()

    def change(**said: Any) -> Any:
        return read(mine.call("PATCH", f"/Accounts/{account}", json=said))

    assert change(alias="  قسط البيت 家賃 ")["alias"] == "قسط البيت 家賃"
    assert change(hidden=True)["alias"] == "قسط البيت 家賃", "what is left out stays"
    assert change()["hidden"] is True
    assert change(alias="x" * 100)["alias"] == "x" * 100
    assert change(alias="   ")["alias"] is None
    change(alias="Rent")
    assert change(alias=None, hidden=False)["alias"] is None
    assert change()["hidden"] is False


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"alias": "x" * 200}, {"alias": "tooLong"}),
        ({"alias": "a\x00b"}, {"alias": "value"}),
        ({"alias": "a\u2028b"}, {"alias": "value"}),
        ({"alias": 5}, {"alias": "value"}),
        ({"hidden": None}, {"hidden": "type"}),
        ({"hidden": "true"}, {"hidden": "value"}),
        ({"hidden": 1}, {"hidden": "value"}),
        ({"currency": "pln"}, {"currency": "unknown"}),
        ({"displayOrder": 1}, {"displayOrder": "unknown"}),
    ],
)
def test_a_wrong_change_is_named_and_changes_nothing(mine: Mine, said: dict[str, Any], wrong: dict[str, str]) -> None:
    account = mine.account()
    before = read(mine.call("GET", f"/Accounts/{account}"))
    assert fields(mine.call("PATCH", f"/Accounts/{account}", json={"alias": "Fine", **said})) == wrong
    assert read(mine.call("GET", f"/Accounts/{account}")) == before


def test_an_order_names_each_open_account_exactly_once(mine: Mine, other: Mine) -> None:
    first, second, closed = mine.account(), mine.account(), mine.account()
    foreign = other.account()
    with transaction():
        accounts.close(closed, by=system())
    for said, rule in (
        ([first], "complete"),
        ([], "complete"),
        ([first, second, second], "duplicate"),
        ([first, foreign], "complete"),
        ([first, second, foreign], "complete"),
        ([first, second, closed], "complete"),
        ([first, second, uuid4()], "complete"),
    ):
        answer = mine.call("PUT", "/Accounts/reorder-accounts", json={"accountIds": [str(one) for one in said]})
        assert fields(answer) == {"accountIds": rule}, said
    assert fields(mine.call("PUT", "/Accounts/reorder-accounts", json={"accountIds": ["x"]})) == {
        "accountIds.0": "uuid"
    }
    assert fields(mine.call("PUT", "/Accounts/reorder-accounts", json={})) == {"accountIds": "required"}
    assert fields(
        mine.call("PUT", "/Accounts/reorder-accounts", json={"accountIds": [str(uuid4()) for _ in range(101)]})
    ) == {"accountIds": "tooLong"}
    places = session().scalars(sa.select(Account.display_order).where(Account.owner_id == mine.client_id)).all()
    assert list(places) == [None, None, None]
    theirs = session().scalar(sa.select(Account.display_order).where(Account.id == foreign))
    assert theirs is None


# --- an account that cannot be used


@pytest.mark.parametrize(
    ("freeze", "can_pay", "can_receive", "spendable"),
    [
        ({"debits": True, "credits": False, "blocked_amounts": {}}, False, True, "0.00"),
        ({"debits": False, "credits": True, "blocked_amounts": {}}, True, False, "100.00"),
        ({"debits": True, "credits": True, "blocked_amounts": {}}, False, False, "0.00"),
        ({"debits": False, "credits": False, "blocked_amounts": {"eur": 3_000}}, True, True, "70.00"),
        ({"debits": False, "credits": False, "blocked_amounts": {"eur": 90_000}}, True, True, "0.00"),
    ],
)
def test_a_client_reads_what_it_can_do_and_nothing_of_why_not(
    mine: Mine, freeze: dict[str, Any], can_pay: bool, can_receive: bool, spendable: str
) -> None:
    account = mine.account(10_000)
    before = set(read(mine.call("GET", f"/Accounts/{account}")))
    with transaction():
        accounts.freeze_owner(mine.client_id, **freeze)
    shown = read(mine.call("GET", f"/Accounts/{account}"))
    assert (shown["canPay"], shown["canReceive"]) == (can_pay, can_receive)
    assert shown["balances"] == {
        "posted": Decimal("100.00"), "held": Decimal("0.00"), "available": Decimal("100.00"),
        "spendable": Decimal(spendable),
    }  # fmt: skip
    assert shown["status"] == "open"
    assert set(shown) == before
    assert not {"debitsFrozen", "creditsFrozen", "blockedAmount"} & set(shown)


# --- closing


def test_an_empty_account_closes_with_its_one_time_password_which_is_used_up(mine: Mine) -> None:
    account, second = mine.account(), mine.account()
    password = mine.confirmed(account)
    shown = read(mine.close(account))
    assert (shown["status"], shown["canPay"], shown["canReceive"]) == ("closed", False, False)
    assert session().scalar(sa.select(OneTimePassword.used_at).where(OneTimePassword.id == password)) is not None
    event = session().scalar(
        sa.select(AuditEvent.actor_id).where(AuditEvent.action == "account.closed", AuditEvent.object_id == account)
    )
    assert event == mine.machine.token_id
    refused(mine.close(second), 403, "oneTimePasswordRequired")


def test_closing_without_a_password_tells_what_to_do_and_closes_nothing(mine: Mine) -> None:
    account = mine.account()
    problem = refused(mine.close(account), 403, "oneTimePasswordRequired")
    assert (problem["operation"], problem["accountId"]) == ("closeAccount", str(account))
    assert "POST /Accounts/send-otp" in problem["detail"]
    assert read(mine.call("GET", f"/Accounts/{account}"))["status"] == "open"


@pytest.mark.parametrize(
    "changes",
    [
        {"verified_at": None},
        {"used_at": "now"},
        {"expires_at": "past"},
        {"operation": "renameAccount"},
        {"subject_id": "another"},
        {"owner_id": "another"},
    ],
)
def test_only_a_verified_fresh_unused_password_for_exactly_this_closes(
    mine: Mine, other: Mine, changes: dict[str, Any]
) -> None:
    account, second = mine.account(), mine.account()
    words = {
        "now": clock.now(),
        "past": clock.now() - timedelta(seconds=1),
        "another": other.client_id if "owner_id" in changes else second,
    }
    mine.confirmed(account, **{name: words.get(value, value) for name, value in changes.items()})
    refused(mine.close(account), 403, "oneTimePasswordRequired")
    assert read(mine.call("GET", f"/Accounts/{account}"))["status"] == "open"


def test_money_something_held_or_a_living_payment_keep_an_account_open_and_the_password_good(mine: Mine) -> None:
    house = mine.book.house()
    account = mine.account(1_000)
    mine.confirmed(account)
    refused(mine.close(account), 422, "balanceNotZero")
    pended = mine.book.draft(account, house, 1_000)
    refused(mine.close(account), 422, "livePayments")
    with transaction():
        payments.pend(pended, by=system())
    refused(mine.close(account), 422, "livePayments")
    with transaction():
        payments.post(pended, by=system())
    coming = mine.book.draft(house, account, 5)
    refused(mine.close(account), 422, "livePayments")
    with transaction():
        payments.cancel(coming, by=system())
    assert read(mine.close(account))["status"] == "closed"


def test_an_overdrawn_account_does_not_close(mine: Mine) -> None:
    account = mine.account(limit=5_000)
    mine.book.pay(account, mine.book.house(), 100)
    mine.confirmed(account)
    refused(mine.close(account), 422, "balanceNotZero")


def test_a_closed_account_closes_no_second_time_and_takes_no_changes(mine: Mine) -> None:
    account = mine.account()
    mine.confirmed(account)
    read(mine.close(account))
    mine.confirmed(account)
    refused(mine.close(account), 409, "accountClosed")
    refused(mine.call("PATCH", f"/Accounts/{account}", json={"alias": "Again"}), 422, "accountClosed")
    sent = {"operation": "closeAccount", "accountId": str(account)}
    refused(mine.call("POST", "/Accounts/send-otp", json=sent), 422, "accountClosed")


@pytest.mark.parametrize(
    "freeze",
    [
        {"debits": True, "credits": False, "blocked_amounts": {}},
        {"debits": False, "credits": True, "blocked_amounts": {}},
        {"debits": False, "credits": False, "blocked_amounts": {"eur": 1}},
    ],
)
def test_an_account_under_a_freeze_stays_open_without_saying_why(mine: Mine, freeze: dict[str, Any]) -> None:
    account = mine.account()
    mine.confirmed(account)
    with transaction():
        accounts.freeze_owner(mine.client_id, **freeze)
    problem = refused(mine.close(account), 422, "accountFrozen")
    assert problem["detail"] == "The account cannot be closed now. Ask the institution."
    with transaction():
        accounts.freeze_owner(mine.client_id, debits=False, credits=False, blocked_amounts={})
    assert read(mine.close(account))["status"] == "closed"


def test_a_closing_repeated_with_its_key_answers_as_the_first(mine: Mine) -> None:
    account = mine.account()
    mine.confirmed(account)
    answers = [mine.call("DELETE", f"/Accounts/{account}", headers={"Idempotency-Key": "close-it"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].data == answers[1].data
    refused(mine.close(account), 409, "accountClosed")


# --- several at once


@pytest.fixture
def committed_mine(committed: Flask) -> Mine:
    people, book = People(), Book()
    client = company(people.actor(Role.OFFICER), name="Committed OÜ")
    with transaction():
        token, secret = tokens.create(
            audience=Audience.FRONTOFFICE,
            scopes=tokens.resolve_scopes(Audience.FRONTOFFICE, []),
            name="app",
            client_id=client.id,
        )
    return Mine(client.id, Machine(committed.test_client(), secret, token.id), book)


def at_once(app: Flask, verbs: list[Callable[[], Any]]) -> list[Any]:
    """Each verb in a thread of its own, let go together; what each gave or raised, in order."""
    gate = threading.Barrier(len(verbs))
    results: list[Any] = [None] * len(verbs)

    def run(number: int, verb: Callable[[], Any]) -> None:
        with app.app_context():
            gate.wait(timeout=20)
            try:
                results[number] = verb()
            except DomainError as error:
                results[number] = error.code
            finally:
                session().close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(verbs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
        assert not thread.is_alive()
    return results


def test_one_password_closes_once_however_many_ask_at_once(committed: Flask, committed_mine: Mine) -> None:
    account = committed_mine.account()
    committed_mine.confirmed(account)
    headers = {"Authorization": f"Bearer {committed_mine.machine.secret}"}

    def close() -> tuple[int, str | None]:
        answer = committed.test_client().delete(f"/Accounts/{account}", headers=headers)
        return answer.status_code, answer.json.get("code")

    results = at_once(committed, [close] * 4)
    assert sorted(results, key=str) == [(200, None), *[(409, "accountClosed")] * 3]


def test_a_payment_and_a_closing_at_once_never_leave_money_on_a_closed_account(
    committed: Flask, committed_mine: Mine
) -> None:
    book = committed_mine.book
    house = book.house()
    headers = {"Authorization": f"Bearer {committed_mine.machine.secret}"}
    both: set[tuple[Any, Any]] = set()
    for turn in range(12):
        account = committed_mine.account()
        committed_mine.confirmed(account)

        def close(account: UUID = account) -> Any:
            answer = committed.test_client().delete(f"/Accounts/{account}", headers=headers)
            return answer.status_code, answer.json.get("code")

        def pay(account: UUID = account, held: bool = bool(turn % 2)) -> Any:
            order = book.order(house, account, 100)
            with transaction():
                (payments.hold if held else payments.pay)(order, by=system())
            return "done"

        closed, paid = at_once(committed, [close, pay])
        both.add((closed[0], paid))
        status = session().scalar(sa.select(Account.status).where(Account.id == account))
        session().commit()
        if closed[0] == 200:
            assert (status, paid, book.balance(account)) == ("closed", "accountClosed", (0, 0))
        else:
            assert closed in {(422, "balanceNotZero"), (422, "livePayments")}
            assert (status, paid) == ("open", "done")
    assert both <= {(200, "accountClosed"), (422, "done")}


def test_a_payment_made_just_before_the_locks_keeps_the_account_open(committed: Flask, committed_mine: Mine) -> None:
    book = committed_mine.book
    account, house = committed_mine.account(), book.house()
    committed_mine.confirmed(account)

    def draft() -> None:
        with committed.app_context():
            book.draft(house, account, 100)

    def between(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "close_account_balances" in statement:
            thread = threading.Thread(target=draft)
            thread.start()
            thread.join(timeout=20)

    sa.event.listen(db.engine, "before_cursor_execute", between)
    try:
        refused(committed_mine.close(account), 422, "livePayments")
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", between)
    assert read(committed_mine.call("GET", f"/Accounts/{account}"))["status"] == "open"
    status = session().scalar(
        sa.select(sa.func.bool_or(AccountBalance.closed)).where(AccountBalance.account_id == account)
    )
    assert status is False
