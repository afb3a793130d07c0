"""What providers tell over the API, what systems read of it, and processing again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access.actor import system
from dashboard.access.permissions import Audience
from dashboard.database import session, transaction
from dashboard.transfers.models import IncomingCorrection, IncomingRequest
from dashboard.transfers.services.incoming import receiving
from tests.transfers.incoming import PAYER, Bank, bank, fresh, posted, transfer_of

PATH = "/internal/IncomingRequests"


@pytest.fixture
def house(app: Flask) -> Bank:
    return bank()


@pytest.fixture
def teller(machine: Callable[..., Any]) -> Any:
    return machine(Audience.SYSTEM)


def _body(house: Bank, **said: Any) -> dict[str, Any]:
    return {
        "provider": house.key,
        "providerReference": "CR-1",
        "amount": 1250.5,
        "currency": "eur",
        "creditorAccountNumber": house.number,
        "debtor": {"name": "Anna Müller", "accountNumber": PAYER, "bic": "COBADEFFXXX"},
        "remittanceInformation": "Invoice 17",
        "bookedAt": (clock.now() - timedelta(minutes=1)).isoformat(),
    } | said


def _unreadable(house: Bank, **known: Any) -> IncomingRequest:
    with transaction():
        return receiving.receive_unreadable(
            provider=house.key, provider_reference=f"U-{uuid4().hex[:8]}", raw={"text": "who knows"}, source="camt.054",
            message_id=None, known=known, by=system(),
        )  # fmt: skip


def _process(teller: Any, request: IncomingRequest, **body: Any) -> Any:
    return teller.call("POST", f"{PATH}/{request.id}/process", json=body)


def test_told_money_is_answered_with_its_transfer_and_once(house: Bank, teller: Any) -> None:
    body = _body(house)
    first = teller.call("POST", PATH, json=body)
    assert first.status_code == 200
    told = first.get_json()
    assert (told["status"], told["failureCode"]) == ("processed", None)
    again = teller.call("POST", PATH, json=body)
    assert (again.status_code, again.get_json()) == (200, told)
    assert posted(house.account) == 125_050
    other = teller.call("POST", PATH, json=body | {"amount": 1})
    assert (other.status_code, other.get_json()["code"]) == (409, "differentBody")
    assert posted(house.account) == 125_050


def test_the_message_is_kept_as_it_was_written(house: Bank, teller: Any) -> None:
    body = _body(house)
    told = teller.call("POST", PATH, json=body).get_json()
    raw = session().scalar(sa.select(IncomingRequest.raw).where(IncomingRequest.id == told["id"]))
    assert raw is not None
    assert raw["debtor"] == body["debtor"]
    assert str(raw["amount"]) == "1250.5"


def test_what_is_wrong_is_named_and_nothing_is_stored(house: Bank, teller: Any) -> None:
    later = clock.now() + timedelta(hours=1)
    for said, status, field in (
        ({"bookedAt": later.isoformat()}, 400, "bookedAt"),
        ({"bookedAt": clock.now().replace(tzinfo=None).isoformat()}, 400, "bookedAt"),
        ({"bookedAt": "2026-03-13"}, 400, "bookedAt"),
        ({"bookedAt": "1999-01-01T00:00:00Z"}, 400, "bookedAt"),
        ({"amount": 0}, 400, "amount"),
        ({"amount": -1}, 400, "amount"),
        ({"amount": 1.005}, 400, "amount"),
        ({"currency": "xxx"}, 400, "currency"),
        ({"providerReference": "  "}, 400, "providerReference"),
        ({"providerReference": "x" * 101}, 400, "providerReference"),
        ({"remittanceInformation": "x" * 4001}, 400, "remittanceInformation"),
        ({"remittanceInformation": "a\x00b"}, 400, "remittanceInformation"),
        ({"debtor": {"nickname": "A"}}, 400, "debtor.nickname"),
    ):
        answer = teller.call("POST", PATH, json=_body(house, **said))
        assert answer.status_code == status, said
        assert field in {error["field"] for error in answer.get_json()["errors"]}, said
    unknown = teller.call("POST", PATH, json=_body(house, provider="nobody"))
    assert (unknown.status_code, unknown.get_json()["code"]) == (422, "providerNotFound")
    assert session().scalar(sa.select(sa.func.count()).select_from(IncomingRequest)) == 0


def test_a_booking_time_with_an_offset_is_kept_in_utc(house: Bank, teller: Any) -> None:
    body = _body(house, bookedAt="2026-03-13T10:42:00+02:00")
    row = session().get(IncomingRequest, teller.call("POST", PATH, json=body).get_json()["id"])
    assert row is not None
    assert row.booked_at.astimezone(UTC).isoformat() == "2026-03-13T08:42:00+00:00"


def test_money_that_names_nobody_and_lacks_its_payer_is_taken_all_the_same(house: Bank, teller: Any) -> None:
    body = _body(house)
    for name in ("creditorAccountNumber", "debtor", "remittanceInformation"):
        body[name] = None
    told = teller.call("POST", PATH, json=body).get_json()
    assert told["status"] == "processed"
    assert posted(house.suspense) == 125_050
    found = teller.call("GET", PATH).get_json()["items"][0]
    assert found["missingData"] == ["payerName", "payerAccount", "payerCountry"]


def test_requests_are_found_by_filters_and_come_once(house: Bank, teller: Any) -> None:
    for number in range(5):
        name = f"Payer {'even' if number % 2 else 'odd'}"
        house.tell(house.credit(provider_reference=f"P-{number}", debtor_name=name))
    house.tell(house.credit(currency="sek", provider_reference="P-sek"), source="camt.054")
    seen: list[str] = []
    cursor = ""
    while True:
        page = teller.call("GET", f"{PATH}?pageSize=2&cursor={cursor}").get_json()
        seen += [item["providerReference"] for item in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert seen == ["P-sek", "P-4", "P-3", "P-2", "P-1", "P-0"]
    for query, expected in (
        ("status=failed", ["P-sek"]),
        ("source=camt.054", ["P-sek"]),
        (f"provider={house.key}&text=even", ["P-3", "P-1"]),
        ("providerReference=P-2", ["P-2"]),
        ("provider=nobody", []),
        ("receivedTo=2020-01-01", []),
        ("text=nowhere", []),
    ):
        found = teller.call("GET", f"{PATH}?{query}&includeTotal=true").get_json()
        assert [item["providerReference"] for item in found["items"]] == expected, query
        assert found["totalCount"] == len(expected), query
    assert teller.call("GET", f"{PATH}?text=a").status_code == 400
    assert teller.call("GET", f"{PATH}?receivedFrom=2026-03-02&receivedTo=2026-03-01").status_code == 400


def test_a_message_without_an_amount_is_stored_and_mended(house: Bank, teller: Any) -> None:
    request = _unreadable(house, creditor_account=house.number, debtor_account=PAYER, debtor_name="Anna Müller")
    assert (request.state, request.failure_code) == ("failed", "noAmount")
    again = _process(teller, request)
    assert (again.status_code, again.get_json()["code"]) == (422, "noAmount")
    assert fresh(request).attempts == 2
    alone = _process(teller, request, amount=12.5, comment="letter")
    assert alone.get_json()["errors"][0]["field"] == "currency"
    silent = _process(teller, request, amount=12.5, currency="eur")
    assert silent.get_json()["errors"][0]["field"] == "comment"
    done = _process(teller, request, amount=12.5, currency="eur", comment="From the statement.")
    assert (done.status_code, done.get_json()["status"], done.get_json()["amount"]) == (200, "processed", 12.5)
    assert (posted(house.account), fresh(request).raw) == (1_250, {"text": "who knows"})
    kept = session().scalars(sa.select(IncomingCorrection)).one()
    assert (kept.fields, kept.comment, kept.by_kind) == (
        {"amount": "12.50", "currency": "eur"}, "From the statement.", "token",
    )  # fmt: skip
    twice = _process(teller, request)
    assert (twice.status_code, twice.get_json()["code"]) == (422, "alreadyProcessed")


def test_what_the_bank_told_is_not_typed_over(house: Bank, teller: Any) -> None:
    request = house.tell(house.credit(currency="sek"))
    answer = _process(teller, request, amount=1, currency="eur", comment="no")
    assert answer.status_code == 400
    assert {error["field"] for error in answer.get_json()["errors"]} == {"amount", "currency"}
    assert (fresh(request).currency, fresh(request).attempts) == ("sek", 1)


def test_what_was_typed_above_the_limit_goes_to_the_desk(house: Bank, teller: Any) -> None:
    """Two people decide about so much, however it is asked for."""
    small = _unreadable(house, currency="eur", amount_minor=None, debtor_account=PAYER)
    large = _unreadable(house, currency="eur", amount_minor=None, debtor_account=PAYER)
    said = {"creditorAccountNumber": house.number, "comment": "From the statement."}
    assert _process(teller, small, amount=10_000, **said).status_code == 200
    assert _process(teller, large, amount=10_000.01, **said).status_code == 200
    assert transfer_of(fresh(small)).status == "completed"
    assert (transfer_of(fresh(large)).status, posted(house.account)) == ("unrecognized", 1_000_000)


def test_a_doubt_is_settled_by_whoever_looks(house: Bank, teller: Any) -> None:
    told: dict[str, Any] = {"references": ("UETR-1",), "end_to_end_id": "INV-1"}
    first = house.tell(house.credit(**told))
    same, other = house.tell(house.credit(**told)), house.tell(house.credit(**told))
    assert [request.failure_code for request in (same, other)] == ["possiblyBooked"] * 2
    house.takes_dollars()
    stranger = house.tell(house.nobodys(currency="usd"))
    wrong = _process(teller, same, sameAs=str(stranger.id), comment="compared")
    assert (wrong.status_code, wrong.get_json()["code"]) == (422, "notTheSame")
    assert _process(teller, same, sameAs=str(uuid4()), comment="compared").get_json()["code"] == "notBooked"
    linked = _process(teller, same, sameAs=str(first.id), comment="compared").get_json()
    assert (linked["status"], linked["linkedId"]) == ("linked", str(first.id))
    booked = _process(teller, other, separate=True, comment="The bank says there are two.")
    assert booked.get_json()["status"] == "processed"
    assert posted(house.account) == 20_000


def test_separate_is_only_said_where_there_is_a_doubt(house: Bank, teller: Any) -> None:
    request = house.tell(house.credit(currency="sek"))
    answer = _process(teller, request, separate=True, comment="two")
    assert answer.get_json()["errors"][0]["field"] == "separate"


def test_a_reversal_that_could_mean_several_credits_is_told_which(house: Bank, teller: Any) -> None:
    told: dict[str, Any] = {"entry_reference": "BATCH-1", "debtor_account": None}
    first, second = (house.tell(house.credit(**told), source="camt.054") for _ in range(2))
    back = house.tell(house.credit(reversal=True, **told), source="camt.054")
    assert back.failure_code == "severalOriginals"
    done = _process(teller, back, sameAs=str(second.id), comment="The bank says the second.")
    assert done.get_json()["status"] == "processed"
    assert (transfer_of(first).status, transfer_of(second).status) == ("completed", "reversed")


def test_a_bank_account_that_is_registered_later_lets_the_request_go_on(house: Bank, teller: Any) -> None:
    from dashboard.ledger.services import accounts

    request = house.tell(house.credit(currency="sek", creditor_account=None))
    with transaction():
        accounts.register_bank_account(
            provider=house.key, name="Crowns", number="SE4550000000058398257466", currency="sek", by=system()
        )
    assert _process(teller, request).get_json()["status"] == "processed"


def test_an_unknown_request_is_404_and_other_audiences_are_refused(
    house: Bank, teller: Any, machine: Callable[..., Any]
) -> None:
    assert teller.call("POST", f"{PATH}/{uuid4()}/process", json={}).status_code == 404
    partner = machine(Audience.INTEGRATION)
    assert partner.call("POST", PATH, json=_body(house)).status_code == 403
    reader = machine(Audience.SYSTEM, scopes=["transfers:read"])
    assert reader.call("POST", PATH, json=_body(house)).status_code == 403
    assert reader.call("GET", PATH).status_code == 200
