"""GL-02, GL-08, GL-10 and G2-01 over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
import simplejson
import sqlalchemy as sa

from dashboard.access.actor import system
from dashboard.access.permissions import Audience, Role
from dashboard.audit.models import AuditEvent
from dashboard.database import session, transaction
from dashboard.ledger.models import Account, AccountBalance
from dashboard.ledger.services import accounts
from dashboard.ledger.vocabulary import AccountType
from tests.clients.making import company
from tests.conftest import People
from tests.ledger.conftest import Book

OPEN = "/v2/internal/Accounts"
LIST = "/v2/ledger/internal/Accounts"
SEARCH = f"{LIST}/search"


def read(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return simplejson.loads(answer.text, use_decimal=True)


def opened(teller: Any, **said: Any) -> Any:
    return read(teller.call("POST", OPEN, json={"type": "suspense", "currency": "eur", **said}))


def found(teller: Any, **said: Any) -> list[str]:
    return [account["id"] for account in read(teller.call("POST", SEARCH, json=said))["items"]]


def fields(answer: Any) -> dict[str, str]:
    assert answer.status_code == 400, answer.text
    return {error["field"]: error["rule"] for error in answer.json["errors"]}


def how_many() -> int:
    return session().scalar(sa.select(sa.func.count()).select_from(Account)) or 0


def test_a_client_account_opens_at_zero_with_a_valid_number(book: Book, teller: Any) -> None:
    owner = book.owner()
    account = opened(teller, type="client", clientId=str(owner), alias="  Žalia sąskaita 🌱 ", overdraftLimit=250.5)
    assert account == {
        "id": account["id"],
        "clientId": str(owner),
        "type": "client",
        "accountNumber": account["accountNumber"],
        "currency": "eur",
        "alias": "Žalia sąskaita 🌱",
        "status": "open",
        "provider": None,
        "overdraftLimit": Decimal("250.50"),
        "created": account["created"],
        "closed": None,
        "balances": {"posted": Decimal("0.00"), "held": Decimal("0.00"), "available": Decimal("0.00")},
        "blockedAmount": Decimal("0.00"),
        "debitsFrozen": False,
        "creditsFrozen": False,
    }
    from schwifty import IBAN

    assert IBAN(account["accountNumber"]).country_code == "LT"
    assert read(teller.call("GET", f"{LIST}/{account['id']}")) == account
    assert (
        session().scalar(
            sa.select(AuditEvent.client_id).where(
                AuditEvent.action == "account.opened", AuditEvent.object_id == UUID(account["id"])
            )
        )
        == owner
    )


@pytest.mark.parametrize("kind", ["settlement", "suspense", "fees", "fxPosition", "ownFunds"])
def test_a_house_account_has_no_client_and_sixteen_slots(teller: Any, kind: str) -> None:
    account = opened(teller, type=kind, currency="jpy", provider="sandbox", alias="Nightly")
    assert (account["clientId"], account["type"], account["provider"]) == (None, kind, "sandbox")
    slots = session().scalar(
        sa.select(sa.func.count()).select_from(AccountBalance).where(AccountBalance.account_id == UUID(account["id"]))
    )
    assert slots == 16
    assert "0.0" not in simplejson.dumps(account["balances"], use_decimal=True), "yen have no decimals"


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"type": "client"}, {"clientId": "required"}),
        ({"type": "suspense", "clientId": str(uuid4())}, {"clientId": "notAllowed"}),
        ({"type": "income"}, {"type": "enum"}),
        ({"type": "opening"}, {"type": "enum"}),
        ({"type": "vault"}, {"type": "enum"}),
        ({"currency": "EUR"}, {"currency": "enum"}),
        ({"currency": "xyz"}, {"currency": "enum"}),
        ({"currency": 978}, {"currency": "value"}),
        ({"currency": None}, {"currency": "type"}),
        ({"alias": "x" * 101}, {"alias": "tooLong"}),
        ({"alias": "a\x00b"}, {"alias": "value"}),
        ({"alias": "a\nb"}, {"alias": "value"}),
        ({"alias": 7}, {"alias": "value"}),
        ({"provider": ""}, {"provider": "tooShort"}),
        ({"provider": "p" * 51}, {"provider": "tooLong"}),
        ({"clientId": "nobody"}, {"clientId": "uuid"}),
        ({"overdraftLimit": 10}, {"overdraftLimit": "notAllowed"}),
        ({"type": "client", "clientId": str(uuid4()), "overdraftLimit": -1}, {"overdraftLimit": "range"}),
        ({"type": "client", "clientId": str(uuid4()), "overdraftLimit": "10"}, {"overdraftLimit": "value"}),
        ({"type": "client", "clientId": str(uuid4()), "overdraftLimit": 0.001}, {"overdraftLimit": "range"}),
        ({"type": "client", "clientId": str(uuid4()), "overdraftLimit": 10**16}, {"overdraftLimit": "range"}),
        ({"iban": "LT121000011101001000"}, {"iban": "unknown"}),
    ],
)
def test_what_is_wrong_with_an_account_is_named_and_nothing_opens(
    book: Book, teller: Any, said: dict[str, Any], wrong: dict[str, str]
) -> None:
    before = how_many()
    answer = teller.call("POST", OPEN, json={"type": "suspense", "currency": "eur", **said})
    assert fields(answer) == wrong
    assert how_many() == before


def test_an_unknown_client_is_not_found_and_a_closed_one_opens_nothing(book: Book, teller: Any) -> None:
    body = {"type": "client", "currency": "eur", "clientId": str(uuid4())}
    answer = teller.call("POST", OPEN, json=body)
    assert (answer.status_code, answer.json["code"]) == (404, "clientNotFound")
    gone = book.owner()
    with transaction():
        accounts.freeze_owner(gone, debits=False, credits=False, blocked_amounts={}, closed=True)
    answer = teller.call("POST", OPEN, json={**body, "clientId": str(gone)})
    assert (answer.status_code, answer.json["code"]) == (422, "clientClosed")


def test_the_freeze_of_a_client_stands_on_the_account_from_the_start_and_is_shown(book: Book, teller: Any) -> None:
    owner = book.owner()
    standing = book.account(5_000, owner=owner)
    with transaction():
        accounts.freeze_owner(owner, debits=True, credits=False, blocked_amounts={"eur": 1_234})
    fresh = opened(teller, type="client", clientId=str(owner))
    old = read(teller.call("GET", f"{LIST}/{standing}"))
    for account in (fresh, old):
        assert (account["debitsFrozen"], account["creditsFrozen"]) == (True, False)
        assert account["blockedAmount"] == Decimal("12.34")
    assert old["balances"] == {"posted": Decimal("50.00"), "held": Decimal("0.00"), "available": Decimal("50.00")}


def test_balances_tell_what_is_held_and_add_up_over_all_slots(book: Book, teller: Any) -> None:
    account, house = book.account(10_000, limit=500), book.house()
    for amount in (1_000, 2_000):
        book.pay(account, house, amount)
    drafted = book.draft(account, house, 1_500)
    pended = teller.call("POST", f"/internal/Payments/{drafted}/pend", json={})
    assert pended.status_code == 200
    mine = read(teller.call("GET", f"{LIST}/{account}"))
    assert mine["balances"] == {"posted": Decimal("70.00"), "held": Decimal("15.00"), "available": Decimal("55.00")}
    assert mine["overdraftLimit"] == Decimal("5.00")
    # several slots moved, or the sum proves nothing
    session().execute(
        sa.text("SELECT count(*) FROM account_balance WHERE account_id = :house AND posted <> 0"), {"house": house}
    )
    theirs = read(teller.call("GET", f"{LIST}/{house}"))
    assert theirs["balances"] == {"posted": Decimal("-70.00"), "held": Decimal("0.00"), "available": Decimal("-70.00")}


def test_filters_combine_and_newest_come_first(book: Book, teller: Any) -> None:
    one, other = book.owner(), book.owner()
    first = book.account(owner=one)
    zloty = book.account(owner=one, currency="pln")
    foreign = book.account(owner=other)
    closed = book.account(owner=one)
    with transaction():
        accounts.close(closed, by=system())
    mine = {"clientIds": [str(one)]}
    assert found(teller, **mine) == [str(closed), str(zloty), str(first)]
    assert found(teller, **mine, statuses=["open"]) == [str(zloty), str(first)]
    assert found(teller, **mine, statuses=["closed"]) == [str(closed)]
    assert found(teller, **mine, statuses=["closed", "open"]) == [str(closed), str(zloty), str(first)]
    assert found(teller, **mine, currencies=["pln", "usd"]) == [str(zloty)]
    assert found(teller, clientIds=[str(one), str(other)], currencies=["eur"], statuses=["open"]) == [
        str(foreign), str(first),
    ]  # fmt: skip
    assert found(teller, **mine, types=["settlement"]) == []
    house = book.house("sek")
    assert found(teller, types=["settlement"], currencies=["sek"]) == [str(house)]
    assert found(teller, clientIds=[str(uuid4())]) == []


def test_text_finds_by_number_end_id_client_name_and_the_alias_of_house_accounts(
    book: Book, teller: Any, people: People
) -> None:
    client = company(people.actor(Role.OFFICER), name="Baltic Amber Works")
    account = book.account(owner=client.id)
    other = book.account()
    number = session().scalar(sa.select(Account.number).where(Account.id == account)) or ""
    house = opened(teller, type="suspense", alias="100% Amber_returns", provider="sandbox")["id"]
    assert found(teller, text=number) == [str(account)]
    assert found(teller, text=" ".join(number[i : i + 4] for i in range(0, len(number), 4)).lower()) == [str(account)]
    assert str(account) in found(teller, text=number[-6:])
    assert str(other) not in found(teller, text=number[-6:])
    assert found(teller, text=str(account).upper()) == [str(account)]
    assert found(teller, text=str(client.id)) == [str(account)]
    assert found(teller, text="amber baltic") == [str(account)]
    assert found(teller, text="  100%  amber ") == [house]
    assert found(teller, text="er_RETURNS") == [house]
    assert found(teller, text="er%returns") == found(teller, text="amber__eturns") == [], "wildcards are letters here"
    assert set(found(teller, text="amber")) == {house, str(account)}
    assert found(teller, text="amber", types=["client"]) == [str(account)]
    assert found(teller, text="Ж%\\'\"") == []


def test_parameters_find_what_the_document_finds(book: Book, teller: Any) -> None:
    one, other = book.owner(), book.owner()
    first, second = book.account(owner=one), book.account(owner=other, currency="pln")
    for query in (f"clientIds={one},{other}", f"clientIds={one}&clientIds={other}&text=&cursor="):
        answer = read(teller.call("GET", f"{LIST}?{query}"))
        assert [account["id"] for account in answer["items"]] == [str(second), str(first)]
        assert answer["nextCursor"] is None
        assert "totalCount" not in answer
    answer = read(teller.call("GET", f"{LIST}?clientIds={one},{other}&currencies=pln,usd&includeTotal=true"))
    assert ([account["id"] for account in answer["items"]], answer["totalCount"]) == ([str(second)], 1)
    assert answer["items"] == read(teller.call("POST", SEARCH, json={"clientIds": [str(other)]}))["items"]


def test_pages_give_each_account_exactly_once_while_others_are_opened(book: Book, teller: Any) -> None:
    owner = book.owner()
    there = [str(book.account(owner=owner)) for _ in range(7)]
    said = {"clientIds": [str(owner)], "pageSize": 3}
    seen: list[str] = []
    answer = read(teller.call("POST", SEARCH, json=said))
    while True:
        seen += [account["id"] for account in answer["items"]]
        if answer["nextCursor"] is None:
            break
        book.account(owner=owner)
        # a cursor of one way of asking is good for the other
        answer = read(
            teller.call(
                "GET", LIST, query_string={"clientIds": str(owner), "pageSize": 3, "cursor": answer["nextCursor"]}
            )
        )
    assert seen == there[::-1]


@pytest.mark.parametrize("types", [[], ["client"], ["settlement"], ["client", "settlement"]])
@pytest.mark.parametrize("statuses", [[], ["open"], ["closed"]])
def test_pages_of_one_currency_hold_that_currency_alone(
    book: Book, teller: Any, types: list[str], statuses: list[str]
) -> None:
    there: list[tuple[str, str, str]] = []
    for currency in ("pln", "nok", "sek", "nok", "pln", "nok", "sek", "nok"):
        there.append((str(book.account(currency=currency)), currency, "client"))
    there.append((str(book.house("nok")), "nok", "settlement"))
    there += [(str(book.account(currency="nok")), "nok", "client") for _ in range(2)]
    shut = {there[1][0], there[-1][0]}
    for account in shut:
        with transaction():
            accounts.close(UUID(account), by=system())
    said: dict[str, Any] = {"currencies": ["nok"], "types": types, "statuses": statuses, "pageSize": 2}
    seen: list[str] = []
    cursor = None
    while True:
        answer = read(teller.call("POST", SEARCH, json={**said, "cursor": cursor}))
        seen += [account["id"] for account in answer["items"]]
        cursor = answer["nextCursor"]
        if cursor is None:
            break
    assert seen == [
        account
        for account, currency, kind in reversed(there)
        if currency == "nok"
        and kind in (types or ["client", "settlement"])
        and ("closed" if account in shut else "open") in (statuses or ["open", "closed"])
    ]


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ({"clientIds": ["x"]}, {"clientIds.0": "uuid"}),
        ({"clientIds": [str(uuid4())] * 201}, {"clientIds": "tooLong"}),
        ({"clientIds": str(uuid4())}, {"clientIds": "type"}),
        ({"types": ["client", "vault"]}, {"types.1": "enum"}),
        ({"currencies": ["EUR"]}, {"currencies.0": "enum"}),
        ({"statuses": ["frozen"]}, {"statuses.0": "enum"}),
        ({"text": "x" * 201}, {"text": "tooLong"}),
        ({"text": "a\x00"}, {"text": "value"}),
        ({"text": None}, {"text": "type"}),
        ({"pageSize": 0}, {"pageSize": "range"}),
        ({"pageSize": 201}, {"pageSize": "range"}),
        ({"pageSize": "5"}, {"pageSize": "value"}),
        ({"pageSize": 2.5}, {"pageSize": "type"}),
        ({"sort": "name"}, {"sort": "unknown"}),
    ],
)
def test_a_wrong_filter_is_named(teller: Any, said: dict[str, Any], wrong: dict[str, str]) -> None:
    assert fields(teller.call("POST", SEARCH, json=said)) == wrong


def test_a_wrong_parameter_is_named(teller: Any) -> None:
    query = "clientIds=x&types=vault&currencies=EUR&statuses=eternal&pageSize=-1&includeTotal=maybe&order=up"
    assert fields(teller.call("GET", f"{LIST}?{query}")) == {
        "clientIds.0": "uuid", "types.0": "enum", "currencies.0": "enum", "statuses.0": "enum", "pageSize": "value",
        "includeTotal": "value", "order": "unknown",
    }  # fmt: skip


def test_a_cursor_of_another_filter_is_refused(book: Book, teller: Any) -> None:
    owner = book.owner()
    for _ in range(2):
        book.account(owner=owner)
    cursor = read(teller.call("POST", SEARCH, json={"clientIds": [str(owner)], "pageSize": 1}))["nextCursor"]
    for said in ({"cursor": cursor}, {"clientIds": [str(owner)], "cursor": cursor[:-3] + "abc"}, {"cursor": "ž"}):
        answer = teller.call("POST", SEARCH, json=said)
        assert (answer.status_code, answer.json["code"]) == (400, "invalidCursor")


def test_an_unknown_account_is_not_found(teller: Any) -> None:
    answer = teller.call("GET", f"{LIST}/{uuid4()}")
    assert (answer.status_code, answer.json["code"]) == (404, "accountNotFound")
    assert answer.content_type == "application/problem+json"
    assert teller.call("GET", f"{LIST}/nonsense").status_code == 404


def test_opening_twice_with_one_key_opens_one_and_a_search_needs_none(book: Book, teller: Any) -> None:
    before = how_many()
    first, second = (
        teller.call("POST", OPEN, json={"type": "fees", "currency": "eur"}, headers={"Idempotency-Key": "fees-1"})
        for _ in range(2)
    )
    assert first.status_code == 200
    assert first.data == second.data
    assert how_many() == before + 1
    seen = [
        teller.call("POST", SEARCH, json={"types": ["fees"]}, headers={"Idempotency-Key": "looking"}).json["items"]
        for _ in (0, opened(teller, type="fees"))
    ]
    assert len(seen[1]) == len(seen[0])
    opened(teller, type="fees")
    again = teller.call("POST", SEARCH, json={"types": ["fees"]}, headers={"Idempotency-Key": "looking"}).json["items"]
    assert len(again) == len(seen[1]) + 1, "a search is never answered from the past"


def test_only_system_tokens_with_the_scope_open_and_read(people: People, machine: Callable[..., Any]) -> None:
    own = machine(Audience.FRONTOFFICE, client_id=company(people.actor(Role.OFFICER)).id)
    reader = machine(Audience.SYSTEM, scopes=["ledger:read"])
    writer = machine(Audience.SYSTEM, scopes=["accounts:write"])
    body = {"type": "fees", "currency": "eur"}
    for caller in (own, reader):
        assert caller.call("POST", OPEN, json=body).status_code == 403
    assert writer.call("POST", OPEN, json=body).status_code == 200
    for caller in (own, writer):
        assert caller.call("GET", LIST).status_code == 403
        assert caller.call("POST", SEARCH, json={}).status_code == 403
        assert caller.call("GET", f"{LIST}/{uuid4()}").status_code == 403
    assert reader.call("GET", LIST).status_code == 200
    assert reader.client.get(LIST).status_code == 401


def test_the_hundred_and_first_open_account_is_refused(book: Book, teller: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(accounts, "MOST_ACCOUNTS", 2)
    owner = book.owner()
    for _ in range(2):
        opened(teller, type="client", clientId=str(owner))
    answer = teller.call("POST", OPEN, json={"type": "client", "currency": "eur", "clientId": str(owner)})
    assert (answer.status_code, answer.json["code"]) == (422, "tooManyAccounts")


def test_a_page_of_accounts_takes_the_same_number_of_statements_whatever_its_size(
    book: Book, teller: Any, app: Any
) -> None:
    owner = book.owner()
    for _ in range(6):
        book.account(owner=owner)
    taken = []
    from dashboard.database import db

    for size in (1, 6):
        statements: list[str] = []

        def note(_c: Any, _k: Any, statement: str, *_rest: Any) -> None:
            statements.append(statement)

        sa.event.listen(db.engine, "before_cursor_execute", note)
        try:
            read(teller.call("POST", SEARCH, json={"clientIds": [str(owner)], "pageSize": size}))
        finally:
            sa.event.remove(db.engine, "before_cursor_execute", note)
        taken.append(sum("FROM account" in statement for statement in statements))
    assert taken == [2, 2]


def test_all_types_of_accounts_are_shown_even_those_that_nobody_opens_by_hand(book: Book, teller: Any) -> None:
    with transaction():
        income = accounts.open_account(type=AccountType.INCOME, currency="chf", by=system())
    assert found(teller, types=["income"], currencies=["chf"]) == [str(income.id)]
