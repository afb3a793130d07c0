"""Quotes and exchanges over HTTP: TF-21 and what may go wrong with it."""

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
from dashboard.access.actor import system
from dashboard.access.permissions import Audience, Role
from dashboard.clients.models import Client as ClientRow
from dashboard.clients.vocabulary import BlockCode, Scope
from dashboard.database import db, session, transaction
from dashboard.errors import DomainError
from dashboard.ledger.models import LedgerTransaction
from dashboard.ledger.services.accounts import freeze_owner, standard_account
from dashboard.ledger.vocabulary import AccountType
from dashboard.transfers.models import FxQuote, Transfer
from dashboard.transfers.services.exchange import margins
from dashboard.transfers.services.exchange.exchanging import exchange
from dashboard.transfers.services.exchange.quoting import quote
from tests.clients.making import blocked, person
from tests.conftest import Machine, People
from tests.transfers.exchanging import account, active_client, balance, bank, house, load_rates

QUOTES = "/Transfers/foreign-exchange/quotes"
EXCHANGE = "/Transfers/foreign-exchange"


def read(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return simplejson.loads(answer.text, use_decimal=True)


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json["code"]) == (status, code), answer.text
    found: dict[str, Any] = answer.json
    return found


class Client:
    """A client with 1,000 EUR, an empty account in dollars, and its app."""

    def __init__(self, client_id: UUID, machine: Machine) -> None:
        self.id, self.machine = client_id, machine
        self.eur, self.usd = account(client_id, "eur", 100_000), account(client_id, "usd")

    def call(self, path: str, said: dict[str, Any], **options: Any) -> Any:
        return self.machine.call("POST", path, data=simplejson.dumps(said, use_decimal=True),
                                 content_type="application/json", **options)  # fmt: skip

    def accounts(self, **said: Any) -> dict[str, Any]:
        return {"sellAccountId": str(self.eur), "buyAccountId": str(self.usd), **said}

    def quoted(self, **said: Any) -> dict[str, Any]:
        found: dict[str, Any] = read(self.call(QUOTES, self.accounts(**(said or {"sellAmount": 100}))))
        return found

    def money(self) -> tuple[int, int]:
        return balance(self.eur), balance(self.usd)


@pytest.fixture
def client(app: Flask, people: People, machine: Callable[..., Machine]) -> Client:
    bank("eur", "usd")
    load_rates()
    made = active_client(people)
    return Client(made.id, machine(Audience.FRONTOFFICE, client_id=made.id))


def test_a_quote_fixes_both_amounts_rate_and_margin(client: Client) -> None:
    said = client.quoted(sellAmount=Decimal("100.00"))
    # half a per cent is kept, the rest is changed at the rate, and cents are cut off
    assert (said["sellAmount"], said["margin"], said["buyAmount"]) == (
        Decimal("100.00"), Decimal("0.50"), Decimal("107.77"),
    )  # fmt: skip
    assert (said["rate"], said["rateSource"], said["marginBasisPoints"]) == (Decimal("1.0832"), "ecb", 50)
    assert client.money() == (100_000, 0)


def test_a_quote_by_what_is_bought_gives_exactly_that(client: Client) -> None:
    said = client.quoted(buyAmount=Decimal("50.00"))
    assert (said["buyAmount"], said["sellAmount"], said["margin"]) == (
        Decimal("50.00"), Decimal("46.39"), Decimal("0.23"),
    )  # fmt: skip


def test_an_exchange_by_its_quote_moves_both_currencies_through_the_positions(client: Client) -> None:
    said = client.quoted()
    done = read(client.call(EXCHANGE, {"quoteId": said["id"]}))
    assert (done["kind"], done["status"], done["amount"], done["counterAmount"], done["counterCurrency"]) == (
        "foreignExchange", "completed", 100, Decimal("107.77"), "usd",
    )  # fmt: skip
    assert client.money() == (90_000, 10_777)
    assert house(AccountType.FX_POSITION, "eur") == 9_950
    assert house(AccountType.INCOME, "eur") == 50
    assert house(AccountType.FX_POSITION, "usd") == -10_777
    legs = session().scalars(
        sa.select(LedgerTransaction).where(LedgerTransaction.payment_id == UUID(done["paymentId"]))
    ).all()  # fmt: skip
    assert sorted((leg.currency, leg.amount_minor) for leg in legs) == [("eur", 50), ("eur", 9_950), ("usd", 10_777)]


@pytest.mark.parametrize(("currency", "expected"), [("eur", (90_000, 10_777)), ("usd", (90_722, 10_000))])
def test_without_a_quote_the_amount_is_sold_or_bought_as_its_currency_says(
    client: Client, currency: str, expected: tuple[int, int]
) -> None:
    said = client.accounts(amount=100, currency=currency)
    assert read(client.call(EXCHANGE, said))["status"] == "completed"
    assert client.money() == expected


def test_a_cross_rate_goes_through_the_euro_exactly(client: Client) -> None:
    bank("gbp")
    pounds = account(client.id, "gbp")
    with transaction():
        margins.set_margin(client.id, 0, reason="Agreed", by=system())
    with transaction():
        made = quote(client_id=client.id, sell_account_id=client.usd, buy_account_id=pounds, sell_minor=1_000_000,
                     by=system())  # fmt: skip
    assert made.buy_minor == 1_000_000 * 8341 // 10832
    assert made.rate == Decimal("0.7700332348")


def test_a_currency_without_decimals_is_rounded_to_whole_units(client: Client) -> None:
    bank("jpy")
    yen = account(client.id, "jpy")
    said = client.accounts(buyAccountId=str(yen), sellAmount=Decimal("1.00"))
    assert read(client.call(QUOTES, said))["buyAmount"] == 163


def test_a_quote_is_used_once(client: Client) -> None:
    said = client.quoted()
    first = read(client.call(EXCHANGE, {"quoteId": said["id"]}))
    again = refused(client.call(EXCHANGE, {"quoteId": said["id"]}), 409, "quoteUsed")
    assert again["transferId"] == first["id"]
    assert client.money() == (90_000, 10_777)


def test_the_same_request_with_a_key_is_answered_alike(client: Client) -> None:
    said = client.accounts(amount=100, currency="eur")
    first, second = (client.call(EXCHANGE, said, headers={"Idempotency-Key": "exchange-1"}) for _ in range(2))
    assert read(first) == read(second)
    assert client.money() == (90_000, 10_777)


def test_an_expired_quote_is_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    said = client.quoted()
    later = clock.now() + timedelta(seconds=61)
    monkeypatch.setattr("dashboard.transfers.services.exchange.exchanging.clock.now", lambda: later)
    refused(client.call(EXCHANGE, {"quoteId": said["id"]}), 422, "quoteExpired")
    assert client.money() == (100_000, 0)


def test_somebody_elses_quote_and_accounts_are_not_there(
    client: Client, people: People, machine: Callable[..., Machine]
) -> None:
    other = active_client(people, first="Jaan", last="Tamm", email="jaan@mail.example",
                          phone_number="+37255512399")  # fmt: skip
    stranger = Client(other.id, machine(Audience.FRONTOFFICE, client_id=other.id, name="other"))
    said = client.quoted()
    refused(stranger.call(EXCHANGE, {"quoteId": said["id"]}), 404, "quoteNotFound")
    refused(stranger.call(EXCHANGE, {"quoteId": str(uuid4())}), 404, "quoteNotFound")
    for part in ("sellAccountId", "buyAccountId"):
        mixed = stranger.accounts(sellAmount=1) | {part: str(client.eur if part == "sellAccountId" else client.usd)}
        refused(stranger.call(QUOTES, mixed), 404, "accountNotFound")
    assert client.money() == stranger.money() == (100_000, 0)


def test_a_house_account_is_nobodys_own(client: Client) -> None:
    position = standard_account(AccountType.FX_POSITION, "eur")
    refused(client.call(QUOTES, client.accounts(sellAccountId=str(position), sellAmount=1)), 404, "accountNotFound")


def test_the_same_currency_is_refused(client: Client) -> None:
    second = account(client.id, "eur")
    refused(client.call(QUOTES, client.accounts(buyAccountId=str(second), sellAmount=1)), 422, "sameCurrency")
    refused(client.call(QUOTES, client.accounts(buyAccountId=str(client.eur), sellAmount=1)), 422, "sameCurrency")


def test_an_amount_that_buys_nothing_is_refused(client: Client) -> None:
    dollars = account(client.id, "usd", 1_000)
    said = {"sellAccountId": str(dollars), "buyAccountId": str(client.eur), "sellAmount": Decimal("0.01")}
    refused(client.call(QUOTES, said), 422, "amountTooSmall")


@pytest.mark.parametrize("said", [
    {}, {"sellAmount": 1, "buyAmount": 1}, {"sellAmount": 0}, {"sellAmount": -1}, {"sellAmount": Decimal("1.001")},
    {"buyAmount": Decimal("1e17")},
])  # fmt: skip
def test_a_wrong_amount_names_its_field(client: Client, said: dict[str, Any]) -> None:
    answer = client.call(QUOTES, client.accounts(**said))
    assert answer.status_code == 400, answer.text
    assert answer.json["errors"][0]["field"] in {"sellAmount", "buyAmount"}


def test_a_body_of_half_a_quote_is_refused(client: Client) -> None:
    answer = client.call(EXCHANGE, {"quoteId": str(uuid4()), "amount": 1})
    assert [error["field"] for error in answer.json["errors"]] == ["amount"]
    answer = client.call(EXCHANGE, {"amount": 1})
    assert {error["field"] for error in answer.json["errors"]} == {"sellAccountId", "buyAccountId", "currency"}
    refused(client.call(EXCHANGE, client.accounts(amount=1, currency="pln")), 422, "currencyMismatch")


def test_more_than_there_is_is_refused_and_the_quote_stays_good(client: Client) -> None:
    said = client.quoted(sellAmount=5_000)
    refused(client.call(EXCHANGE, {"quoteId": said["id"]}), 422, "insufficientFunds")
    assert client.money() == (100_000, 0)
    assert session().scalar(sa.select(sa.func.count()).select_from(Transfer)) == 0


@pytest.mark.parametrize("scope", [Scope.ALL, Scope.DEBIT, Scope.CREDIT])
def test_a_blocked_client_exchanges_nothing(client: Client, people: People, scope: Scope) -> None:
    said = client.quoted()
    made = session().get_one(ClientRow, client.id)
    blocked(made, people.actor(Role.OFFICER), code=BlockCode.FRAUD, scope=scope)
    refused(client.call(EXCHANGE, {"quoteId": said["id"]}), 422, "clientNotActive")
    refused(client.call(QUOTES, client.accounts(sellAmount=1)), 422, "clientNotActive")
    assert client.money() == (100_000, 0)


@pytest.mark.parametrize(("debits", "credits"), [(True, False), (False, True)])
def test_a_frozen_side_stops_the_exchange_though_the_client_is_active(
    client: Client, debits: bool, credits: bool
) -> None:
    said = client.quoted()
    with transaction():
        freeze_owner(client.id, debits=debits, credits=credits, blocked_amounts={})
    refused(client.call(EXCHANGE, {"quoteId": said["id"]}), 422, "accountFrozen")
    assert client.money() == (100_000, 0)


def test_a_client_that_is_not_active_gets_no_quote(app: Flask, people: People, machine: Callable[..., Machine]) -> None:
    bank("eur", "usd")
    load_rates()
    fresh = person(people.actor(Role.OFFICER))
    newcomer = Client(fresh.id, machine(Audience.FRONTOFFICE, client_id=fresh.id))
    refused(newcomer.call(QUOTES, newcomer.accounts(sellAmount=1)), 422, "clientNotActive")


def test_a_rate_that_is_too_old_or_missing_refuses_the_quote(client: Client) -> None:
    bank("pln")
    zlotys = account(client.id, "pln")
    assert read(client.call(QUOTES, client.accounts(buyAccountId=str(zlotys), sellAmount=1)))["buyAmount"] > 0
    bank("sek")
    kronor = account(client.id, "sek")
    refused(client.call(QUOTES, client.accounts(buyAccountId=str(kronor), sellAmount=1)), 422, "rateMissing")
    old = clock.calendar().today() - timedelta(days=10)
    load_rates({"SEK": "11.5"}, old)
    refused(client.call(QUOTES, client.accounts(buyAccountId=str(kronor), sellAmount=1)), 422, "rateStale")


def test_without_the_houses_position_there_is_no_quote(
    app: Flask, people: People, machine: Callable[..., Machine]
) -> None:
    bank("eur")
    load_rates()
    made = active_client(people)
    eur, usd = account(made.id, "eur", 100), account(made.id, "usd")
    caller = machine(Audience.FRONTOFFICE, client_id=made.id)
    said = {"sellAccountId": str(eur), "buyAccountId": str(usd), "sellAmount": 1}
    refused(caller.call("POST", QUOTES, json=said), 422, "noSystemAccount")


def test_a_clients_own_margin_goes_before_the_default(client: Client, people: People) -> None:
    treasurer = people.actor(Role.TREASURER)
    with transaction():
        margins.set_margin(client.id, 0, reason="Agreed", by=treasurer)
    said = client.quoted()
    assert (said["margin"], said["buyAmount"]) == (0, Decimal("108.32"))
    read(client.call(EXCHANGE, {"quoteId": said["id"]}))
    assert house(AccountType.INCOME, "eur") == 0
    with transaction():
        margins.set_margin(client.id, None, reason="Ended", by=treasurer)
    assert client.quoted()["marginBasisPoints"] == 50


def test_a_margin_needs_the_permission_a_reason_and_sense(client: Client, people: People) -> None:
    treasurer, officer = people.actor(Role.TREASURER), people.actor(Role.OFFICER)
    for by, points, reason, code in (
        (officer, 10, "Why not", "forbidden"), (treasurer, 10, " ", "invalid"), (treasurer, -1, "x", "invalid"),
        (treasurer, 2_001, "x", "invalid"),
    ):  # fmt: skip
        with pytest.raises(DomainError) as caught, transaction():
            margins.set_margin(client.id, points, reason=reason, by=by)
        assert caught.value.code == code
    assert client.quoted()["marginBasisPoints"] == 50


def test_a_token_without_a_client_or_of_another_audience_is_refused(machine: Callable[..., Machine]) -> None:
    system = machine(Audience.SYSTEM)
    assert system.call("POST", EXCHANGE, json={"quoteId": str(uuid4())}).status_code == 403


def test_of_two_at_once_one_uses_the_quote(committed: Flask) -> None:
    people = People()
    bank("eur", "usd")
    load_rates()
    made = active_client(people)
    eur, usd = account(made.id, "eur", 100_000), account(made.id, "usd")
    with transaction():
        fixed = quote(client_id=made.id, sell_account_id=eur, buy_account_id=usd, sell_minor=10_000, by=system())
    outcomes: list[str] = []
    start = threading.Barrier(4)

    def use() -> None:
        with committed.app_context():
            start.wait()
            try:
                with transaction():
                    exchange(fixed.id, client_id=made.id, by=system())
                outcomes.append("done")
            except DomainError as error:
                outcomes.append(error.code)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done", "quoteUsed", "quoteUsed", "quoteUsed"]
    assert (balance(eur), balance(usd)) == (90_000, 10_777)
    assert session().scalar(sa.select(sa.func.count()).select_from(FxQuote)) == 1
