"""What enemies try: money twice, money round the second person, files and messages that stop the house."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import simplejson
import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Audience, Role
from dashboard.approvals import services as approvals
from dashboard.database import new_id, session, transaction
from dashboard.errors import DomainError
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import accounts, payments
from dashboard.ledger.vocabulary import ParentType
from dashboard.settings import Settings
from dashboard.transfers import inbox
from dashboard.transfers.models import IncomingRequest, ProviderFile, Submission, Transfer
from dashboard.transfers.providers.port import Outcome, Report
from dashboard.transfers.providers.sandbox import signing
from dashboard.transfers.services import providers
from dashboard.transfers.services.desk import assigning, returning, screening, undoing
from dashboard.transfers.services.incoming import correcting, receiving
from dashboard.transfers.services.outgoing import results, submitting
from dashboard.transfers.vocabulary import RequestState, ScreeningResult, TransferType
from tests.conftest import Databases, Machine, People
from tests.ledger.committing import application
from tests.transfers.incoming import Bank, bank, fresh, posted, transfer_of
from tests.transfers.test_iso20022 import camt_file, detail, entry
from tests.transfers.unrecognized import Desk

Teller = Callable[..., Machine]


@pytest.fixture
def house(app: Flask) -> Bank:
    return bank()


@pytest.fixture
def desk(app: Flask) -> Desk:
    return Desk()


@pytest.fixture
def officer(people: People) -> Actor:
    return people.actor(Role.OFFICER)


@pytest.fixture
def senior(people: People) -> Actor:
    return people.actor(Role.SENIOR_OFFICER)


# --- round the second person ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("scopes", [[], ["all"]])
@pytest.mark.parametrize("way", ["payment", "quick", "named", "draft", "batch", "file"])
def test_no_token_takes_unrecognized_money_round_the_desk(
    desk: Desk, machine: Teller, way: str, scopes: list[str]
) -> None:
    receipt, account = desk.receipt(20_000_00), desk.account()
    teller = machine(Audience.SYSTEM, scopes=scopes)
    teller.call("GET", f"/internal/Accounts/{account.id}")
    moved = {
        "debtorAccountId": str(desk.suspense), "creditorAccountId": str(account.id), "currency": "eur", "amount": 20_000
    }  # fmt: skip
    parent = {"parentId": str(receipt.transfer_id), "parentType": "transfer"}
    item: dict[str, Any] = parent | moved | {"purpose": "other"}
    if way == "draft":
        answer = teller.call(
            "POST", "/internal/Payments/draft", json=parent | {"purpose": "other", "transactions": [moved]}
        )
    elif way == "batch":
        answer = teller.call("POST", "/internal/Payments/batch", json={"payments": [item, item | {"purpose": "x"}]})
        assert answer.json["done"] == 0, answer.json
    else:
        changed = {
            "quick": {"parentId": str(uuid4())}, "named": {"purpose": "disposition-1"},
            "file": {"parentType": "paymentRequest"},
        }.get(way, {})  # fmt: skip
        if way == "quick":
            item.pop("purpose")
        answer = teller.call("POST", "/internal/Payments", json=item | changed)
    if way != "batch":
        assert answer.status_code in (400, 422), answer.json
        assert answer.json["code"] in ("adjustingOnly", "invalid"), answer.json
    assert (desk.balance(account.id), desk.balance(desk.suspense)) == (0, 20_000_00)


# --- money twice -----------------------------------------------------------------------------------------------------


def _spent_and_reversed(house: Bank, times: int) -> tuple[Transfer, list[IncomingRequest]]:
    told: dict[str, Any] = {"references": ("ASR-1",), "end_to_end_id": "INV-1"}
    credit = house.tell(house.credit(**told), source="camt.054")
    with transaction():
        payments.pay(Order(ParentType.PAYMENT_REQUEST, uuid4(), [Leg(house.account, house.settlement, 6_000, "eur")]),
                     by=system())  # fmt: skip
    sources = ("camt.054", "camt.053", "api")
    backs = [house.tell(house.credit(reversal=True, **told), source=sources[turn]) for turn in range(times)]
    return transfer_of(credit), backs


def test_a_reversal_told_twice_while_it_waits_is_claimed_once(house: Bank, officer: Actor, senior: Actor) -> None:
    transfer, (first, second) = _spent_and_reversed(house, 2)
    assert (first.state, second.state) == ("waiting", "waiting")
    with transaction():
        request = undoing.ask_for_receivable(transfer.id, reason="The bank took it back", by=officer)
    with transaction():
        assert approvals.decide(request.id, approve=True, reason=None, by=senior).state == "approved"
    assert fresh(first).state == "processed"
    for _ in range(3):
        with transaction():
            receiving.finish_waiting(by=system())
    assert (fresh(second).state, second.linked_id) == ("linked", first.id)
    assert (posted(house.account), posted(house.settlement)) == (0, 6_000)


def test_a_second_reversal_that_shares_nothing_stops_nobody(house: Bank) -> None:
    transfer, (first,) = _spent_and_reversed(house, 1)
    with transaction():
        other = house.credit(reversal=True)
        late = receiving.receive(other, source="api", message_id=None, by=system())
        # it was tied to the same credit while that was undecided
        late.state, late.transfer_id = RequestState.WAITING.value, transfer.id
    with transaction():
        payments.pay(Order(ParentType.PAYMENT_REQUEST, uuid4(), [Leg(house.settlement, house.account, 6_000, "eur")]),
                     by=system())  # fmt: skip
        correcting.process_again(first.id, by=system())
    done = [None] * 3
    for turn in range(3):
        with transaction():
            done[turn] = receiving.finish_waiting(by=system())  # type: ignore[call-overload]
    assert done[-1] is False
    assert (fresh(late).state, late.failure_code) == ("failed", "alreadyReversed")
    assert posted(house.account) == 0


def test_money_that_the_bank_took_back_is_given_to_nobody_when_its_return_fails(house: Bank, officer: Actor) -> None:
    with transaction():
        providers.set_route(type=TransferType.SEPA, currency="eur", provider_key=house.key, by=system())
    credit = house.tell(house.nobodys(provider_reference="ONE-1"))
    transfer = transfer_of(credit)
    with transaction():
        screening.screen(
            transfer.id, list_name="EU", list_version="1", result=ScreeningResult.CLEAR, note=None, by=officer
        )
        decision = returning.send_back(transfer.id, fee_minor=0, fee_bearer=None, comment="Not ours", by=officer)
    back = house.tell(house.nobodys(provider_reference="ONE-1", reversal=True))
    assert back.state == "waiting"
    returned = session().get_one(Transfer, decision.return_transfer_id)
    with transaction():
        session().execute(
            sa.update(Submission)
            .where(Submission.transfer_id == returned.id)
            .values(state="sending", lease=new_id(), lease_until=clock.now())
        )
        assert submitting.about_to_send(returned.id, by=system()) is not None
        results.report(house.key, Report(returned.end_to_end_id or "", Outcome.REJECTED, code="AC04"), by=system())
    assert transfer_of(credit).status == "unrecognized"
    with pytest.raises(DomainError) as refused, transaction():
        assigning.assign(transfer.id, account_id=house.account, comment="Mine", by=officer)
    assert refused.value.code == "takenBackByBank"
    with transaction():
        assert receiving.finish_waiting(by=system())
        assert not receiving.finish_waiting(by=system())
    assert (fresh(back).state, transfer_of(credit).status) == ("processed", "reversed")
    assert (posted(house.suspense), posted(house.settlement), posted(house.account)) == (0, 0, 0)


# --- files and messages -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reading(databases: Databases, configured: Settings) -> Iterator[Flask]:
    with application(databases, configured) as app, app.app_context():
        yield app


def number_of(key: str) -> str:
    return key.replace("-", "").upper()


@pytest.fixture
def files(reading: Flask, tmp_path: Path) -> Iterator[Path]:
    """The instance folder with the inbox of a bank of its own."""
    with reading.app_context():
        key = f"north-{new_id().hex[-8:]}"
        with transaction():
            providers.register_provider(key=key, name="North", kind="files", by=system())
            accounts.register_bank_account(
                provider=key, name="North", number=number_of(key), currency="eur", by=system()
            )
        (tmp_path / "inbox" / key).mkdir(parents=True)
        yield tmp_path / "inbox" / key
        session().rollback()


@pytest.mark.parametrize(
    "entries",
    [
        entry("1E999999999", details=detail("1E999999999")),
        entry("1e300", details=detail("1e300")),
        entry("NaN", details=detail("NaN")),
        entry("1_000", details=detail("1_000")),
        entry("-10.00", details=detail("-10.00")),
        entry("9" * 40, details=detail(None)),
        entry(booked_on="<Dt>0001-01-01</Dt>", details=detail()),
        entry(booked_on="<DtTm>0001-01-01T00:00:00+14:00</DtTm>", details=detail()),
        entry(booked_on="<DtTm>9999-12-31T23:59:59-14:00</DtTm>", details=detail()),
        entry(booked_on="<Dt>2099-01-01</Dt>", details=detail()),
    ],
    ids=range(10),
)
def test_no_entry_of_a_bank_file_stops_the_reader_or_makes_money(files: Path, entries: str) -> None:
    bad = camt_file(files, entries, account=number_of(files.name))
    good = camt_file(files, entry("7.00", ref="GOOD", details=detail("7.00", end_to_end="GOOD-1")),
                     account=number_of(files.name))  # fmt: skip
    for place, path in enumerate((bad, good)):
        os.utime(path, (1_700_000_000 + place, 1_700_000_000 + place))
    assert inbox.read_inboxes(files.parent.parent, by=system()) == 2
    assert not [path for path in files.iterdir() if path.is_file()]
    mine = sa.select(ProviderFile.name, ProviderFile.state).where(ProviderFile.provider == files.name)
    assert dict(session().execute(mine).tuples().all()) == {bad.name: "failed", good.name: "done"}
    taken = session().scalars(sa.select(IncomingRequest.amount_minor).where(IncomingRequest.provider == files.name))
    assert list(taken) == [700]


def test_a_count_that_is_no_number_does_not_stop_the_reader(files: Path) -> None:
    path = camt_file(files, entry(details=f"<Btch><NbOfTxs>{'9' * 9_000}</NbOfTxs></Btch>"),
                     account=number_of(files.name))  # fmt: skip
    os.utime(path, (1_700_000_000, 1_700_000_000))
    assert inbox.read_inboxes(files.parent.parent, by=system()) == 1
    taken = session().scalars(sa.select(IncomingRequest.amount_minor).where(IncomingRequest.provider == files.name))
    assert list(taken) == [1_000]


def _called(app: Flask, key: str, message: dict[str, Any]) -> int:
    secret = app.extensions["countinghouse.settings"].sandbox_secret
    body = simplejson.dumps(message).encode()
    return app.test_client().post(
        f"/internal/ProviderCallbacks/{key}", data=body, content_type="application/json",
        headers={signing.HEADER: signing.signature(secret, body)},
    ).status_code  # fmt: skip


def test_what_one_provider_signed_is_not_told_by_another(app: Flask) -> None:
    house = bank(key="sandbox-1")
    with transaction():
        providers.register_provider(key="sandbox-2", name="Other", kind="sandbox", by=system())
        accounts.register_bank_account(
            provider="sandbox-2", name="Other", number="LT947300010000000002", currency="eur", by=system()
        )
    message = {
        "kind": "credit", "reference": uuid4().hex, "amount": 10, "currency": "eur", "creditorAccount": house.number,
        "bookedAt": clock.now().isoformat(),
    }  # fmt: skip
    assert [_called(app, key, message) for key in ("sandbox-1", "sandbox-2", "sandbox-1")] == [200, 401, 200]
    assert posted(house.account) == 10_00


@pytest.mark.parametrize(
    "said",
    [{"amount": 1e300}, {"amount": -1}, {"amount": 0}, {"amount": "12.34"}, {"amount": 0.001},
     {"bookedAt": "0001-01-01T00:00:00+14:00"}, {"bookedAt": "9999-12-31T23:59:59-14:00"},
     {"bookedAt": (clock.now() + timedelta(days=30)).isoformat()}],
    ids=range(8),
)  # fmt: skip
def test_a_callback_that_tells_what_cannot_be_makes_no_money(app: Flask, said: dict[str, Any]) -> None:
    house = bank(key="sandbox-9")
    message = {
        "kind": "credit", "reference": uuid4().hex, "amount": 10, "currency": "eur", "creditorAccount": house.number,
        "bookedAt": clock.now().isoformat(), **said,
    }  # fmt: skip
    assert _called(app, house.key, message) in (200, 400)
    assert (posted(house.account), posted(house.settlement)) == (0, 0)
