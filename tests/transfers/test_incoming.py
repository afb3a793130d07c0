"""Money that comes in: recognized, or on the desk; told twice, booked once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access.actor import system
from dashboard.audit.models import AuditEvent
from dashboard.clients.vocabulary import Scope
from dashboard.database import session, transaction
from dashboard.errors import Conflict, Refused
from dashboard.ledger.models import Payment
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import accounts, payments
from dashboard.ledger.vocabulary import ParentType
from dashboard.queues.models import QueueItem
from dashboard.transfers.models import ClientReference, IncomingRequest, Receipt
from dashboard.transfers.services import references
from dashboard.transfers.services.incoming import correcting
from tests.clients.making import blocked
from tests.transfers.incoming import OTHER_PAYER, Bank, bank, fresh, posted, transfer_of


@pytest.fixture
def house(app: Flask) -> Bank:
    return bank()


def _receipt(request: IncomingRequest) -> Receipt:
    found = session().get(Receipt, request.transfer_id, populate_existing=True)
    assert found is not None
    return found


def _reference(house: Bank, text: str, *, other: bool = False, **options: Any) -> ClientReference:
    """As the client was given it, which may be a spelling of an older system."""
    client, account = (house.other_client, house.other_account) if other else (house.client, house.account)
    given = ClientReference(
        client_id=client, account_id=account, reference=text, reference_key=references.key_of(text), currency="eur",
        created_at=clock.now(), **options,
    )  # fmt: skip
    with transaction():
        session().add(given)
    return given


def test_money_to_a_clients_account_is_theirs_at_once(house: Bank) -> None:
    request = house.tell(
        house.credit(creditor_account=" ".join(house.number[i : i + 4] for i in range(0, 24, 4)).lower())
    )
    transfer = transfer_of(request)
    assert (request.state, transfer.status, transfer.client_id) == ("processed", "completed", house.client)
    assert (posted(house.account), posted(house.settlement)) == (10_000, -10_000)
    payment = session().get(Payment, transfer.payment_id)
    assert payment and (payment.parent_type, payment.parent_id, payment.state) == ("transfer", transfer.id, "posted")


@pytest.mark.parametrize(("days", "kept"), [(-3, True), (0, True), (9, False)])
def test_the_banks_value_date_counts_unless_it_lies_ahead(house: Bank, days: int, kept: bool) -> None:
    day = clock.now().date() + timedelta(days=days)
    transfer = transfer_of(house.tell(house.credit(value_date=day)))
    payment = session().get(Payment, transfer.payment_id)
    assert payment is not None
    assert (payment.value_date == day) is kept
    assert transfer.value_date == (day if kept else None)


def test_money_that_names_nobody_waits_on_suspense(house: Bank) -> None:
    request = house.tell(house.nobodys())
    transfer, receipt = transfer_of(request), _receipt(request)
    assert (transfer.status, transfer.client_id, transfer.account_id) == ("unrecognized", None, house.suspense)
    assert (receipt.cause, receipt.remaining_minor) == ("notRecognized", 10_000)
    assert receipt.booked_at == request.booked_at
    assert posted(house.suspense) == 10_000


@pytest.mark.parametrize(
    "text",
    ["RF18539007547034", "payment rf18 5390 0754 7034 thanks", "ref:RF185390\n07547034", "RF18 0000 5390 0754 7034",
     "ＲＦ１８５３９００７５４７０３４"],
)  # fmt: skip
def test_a_reference_that_a_client_was_given_is_found_however_it_is_written(house: Bank, text: str) -> None:
    _reference(house, "RF18 5390 0754 7034")
    transfer = transfer_of(house.tell(house.nobodys(remittance=text)))
    assert (transfer.status, transfer.client_id) == ("completed", house.client)


@pytest.mark.parametrize(
    "text",
    ["XRF185390075470349", "RF18539007547035", "on 21.07.26", "21 07 26", "A12345678B", "ORDER-1234567"],
)  # fmt: skip
def test_what_only_looks_like_a_reference_names_nobody(house: Bank, text: str) -> None:
    for reference in ("RF18539007547034", "210726", "12345678", "12345 67"):
        _reference(house, reference)
    # ORDER-1234567 holds the word 1234567, which was given as "12345 67"
    named = transfer_of(house.tell(house.nobodys(remittance=text))).status
    assert named == ("completed" if text == "ORDER-1234567" else "unrecognized")


def test_two_clients_references_in_one_text_name_nobody(house: Bank) -> None:
    _reference(house, "KLIENT-0001")
    _reference(house, "KLIENT-0002", other=True)
    request = house.tell(house.nobodys(remittance="KLIENT-0001 and KLIENT-0002"))
    assert (transfer_of(request).status, _receipt(request).cause) == ("unrecognized", "notRecognized")


def test_two_references_of_one_account_name_it(house: Bank) -> None:
    _reference(house, "KLIENT-0001")
    _reference(house, "KLIENT-0003")
    assert transfer_of(house.tell(house.nobodys(remittance="KLIENT 0001, KLIENT0003"))).client_id == house.client


def test_a_reference_that_has_ended_names_nobody(house: Bank) -> None:
    given = _reference(house, "KLIENT-0001")
    _reference(house, "KLIENT-0004", expires_on=clock.now().date() - timedelta(days=2))
    with transaction():
        references.revoke(given.id, by=system())
    assert transfer_of(house.tell(house.nobodys(remittance="KLIENT-0001"))).status == "unrecognized"
    assert transfer_of(house.tell(house.nobodys(remittance="KLIENT-0004"))).status == "unrecognized"


def test_a_reference_as_it_is_given_leads_to_its_account(house: Bank) -> None:
    with transaction():
        given = references.give(client_id=house.client, account_id=house.account, by=system())
    assert transfer_of(house.tell(house.nobodys(remittance=f"rent {given.reference}"))).client_id == house.client


def test_money_for_an_account_that_takes_none_is_held_on_suspense(house: Bank, app: Flask) -> None:
    blocked(session().get_one(_client_class(), house.client), system(), scope=Scope.CREDIT)
    request = house.tell(house.credit())
    assert (transfer_of(request).status, _receipt(request).cause) == ("unrecognized", "creditFrozen")
    assert (transfer_of(request).client_id, posted(house.account), posted(house.suspense)) == (None, 0, 10_000)


def test_a_block_of_debits_does_not_stop_a_credit(house: Bank) -> None:
    blocked(session().get_one(_client_class(), house.client), system(), scope=Scope.DEBIT)
    assert transfer_of(house.tell(house.credit())).status == "completed"


def test_money_for_a_closed_account_and_in_another_currency_waits_with_its_cause(house: Bank) -> None:
    with transaction():
        accounts.close(house.account, by=system())
    assert _receipt(house.tell(house.credit())).cause == "accountClosed"
    house.takes_dollars()
    dollars = house.tell(house.credit(creditor_account=house.other_number, currency="usd"))
    assert _receipt(dollars).cause == "otherCurrency"


def test_a_freeze_between_the_look_and_the_posting_ends_on_suspense(
    house: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard.transfers.services.incoming import booking

    looked = booking.recognize

    def freezes_meanwhile(request: IncomingRequest) -> Any:
        found = looked(request)
        accounts.freeze_owner(house.client, debits=True, credits=True, blocked_amounts={})
        return found

    monkeypatch.setattr(booking, "recognize", freezes_meanwhile)
    request = house.tell(house.credit())
    assert (request.state, _receipt(request).cause, posted(house.account)) == ("processed", "creditFrozen", 0)


def test_the_same_telling_again_answers_the_first(house: Bank) -> None:
    credit = house.credit()
    first, second = house.tell(credit), house.tell(credit)
    assert first.id == second.id
    assert posted(house.account) == 10_000


def test_another_body_under_the_same_reference_is_refused_and_remembered(house: Bank) -> None:
    first = house.tell(house.credit(provider_reference="ONE-1"))
    with pytest.raises(Conflict) as refusal:
        house.tell(house.credit(provider_reference="ONE-1", amount_minor=10_001))
    assert (refusal.value.code, refusal.value.details["differs"]) == ("differentBody", ["amount", "bookedAt"])
    assert posted(house.account) == 10_000
    assert session().scalar(sa.select(AuditEvent.id).where(AuditEvent.action == "incoming.contradicted"))
    item = session().scalars(sa.select(QueueItem).where(QueueItem.object_id == first.id)).one()
    assert (item.queue, item.cause) == ("incoming-requests", "contradicted")


def test_a_provider_that_nobody_knows_is_refused(house: Bank) -> None:
    with pytest.raises(Refused) as refusal:
        house.tell(house.credit(provider="nobody"))
    assert refusal.value.code == "providerNotFound"


def _twice(house: Bank, **said: Any) -> tuple[IncomingRequest, IncomingRequest]:
    """A notification, and a statement's entry that agrees but for what is said."""
    moment = clock.now() - timedelta(hours=2)
    told: dict[str, Any] = {"references": ("ASR-1",), "end_to_end_id": "INV-1", "booked_at": moment}
    first = house.tell(house.credit(provider_reference="054-1", **told), source="camt.054")
    second = house.tell(house.credit(provider_reference="053-1", **(told | said)), source="camt.053")
    return first, second


def test_a_statement_that_tells_the_same_credit_is_linked(house: Bank) -> None:
    first, second = _twice(house)
    assert (second.state, second.linked_id, second.transfer_id) == ("linked", first.id, None)
    assert posted(house.account) == 10_000


def test_the_banks_reference_is_enough_and_so_is_the_payers_on_the_same_day(house: Bank) -> None:
    assert _twice(house, end_to_end_id=None)[1].state == "linked"


def test_the_payers_reference_alone_links_on_the_same_day_only(house: Bank) -> None:
    moment = clock.now() - timedelta(days=3)
    told: dict[str, Any] = {"end_to_end_id": "RENT", "booked_at": moment}
    house.tell(house.credit(provider_reference="054-1", references=("UETR-77",), **told), source="camt.054")
    later = house.tell(house.credit(provider_reference="053-2", **told | {"booked_at": clock.now()}), source="camt.053")
    assert later.state == "processed"
    same = house.tell(house.credit(provider_reference="053-1", **told), source="camt.053")
    assert same.state == "linked"
    assert posted(house.account) == 20_000


@pytest.mark.parametrize(
    "said",
    [
        {"references": ("ASR-2",), "end_to_end_id": "INV-2"},
        {"references": ("ASR-2",), "end_to_end_id": "NOTPROVIDED"},
        {"references": (), "end_to_end_id": "NOTPROVIDED"},
        {"end_to_end_id": "INV-2"},
        {"debtor_account": OTHER_PAYER, "end_to_end_id": None},
    ],
)
def test_two_credits_of_one_amount_are_two_credits(house: Bank, said: dict[str, Any]) -> None:
    assert [request.state for request in _twice(house, **said)] == ["processed", "processed"]
    assert posted(house.account) == 20_000


def test_not_provided_is_no_reference(house: Bank) -> None:
    told: dict[str, Any] = {"end_to_end_id": "NOTPROVIDED", "references": ("NOTPROVIDED", "NONREF", "0000")}
    house.tell(house.credit(**told), source="camt.054")
    assert house.tell(house.credit(**told), source="camt.053").state == "processed"
    assert posted(house.account) == 20_000


def test_a_source_tells_a_credit_once_so_its_second_entry_is_another_credit(house: Bank) -> None:
    _twice(house)
    third = house.tell(
        house.credit(provider_reference="053-2", references=("ASR-1",), end_to_end_id="INV-1"), source="camt.053"
    )
    assert third.state == "processed"
    assert posted(house.account) == 20_000


def test_one_source_that_tells_alike_under_two_names_waits_for_a_person(house: Bank) -> None:
    told: dict[str, Any] = {"references": ("UETR-1",), "end_to_end_id": "INV-1"}
    house.tell(house.credit(provider_reference="A-1", **told))
    second = house.tell(house.credit(provider_reference="A-2", **told))
    assert (second.state, second.failure_code, posted(house.account)) == ("failed", "possiblyBooked", 10_000)


def test_an_entry_that_sums_up_details_told_before_is_linked_to_all_of_them(house: Bank) -> None:
    for number, amount in enumerate((10_000, 5_000)):
        house.tell(
            house.credit(amount_minor=amount, entry_reference="BATCH-9", end_to_end_id=f"INV-{number}"),
            source="camt.054",
        )
    total = house.tell(
        house.nobodys(amount_minor=15_000, references=("BATCH-9",), entry_reference="BATCH-9", debtor_account=None),
        source="camt.053",
    )
    assert total.state == "linked"
    assert (posted(house.account), posted(house.suspense)) == (15_000, 0)


def test_details_of_a_batch_that_only_share_its_reference_are_linked_one_by_one(house: Bank) -> None:
    def told(source: str) -> list[str]:
        return [
            house.tell(
                house.credit(
                    provider_reference=f"{source}:BATCH-9/{place}", entry_reference="BATCH-9", raw={"p": place}
                ),
                source=source,
            ).state
            for place in (1, 2)
        ]

    assert (told("camt.054"), told("camt.053")) == (["processed"] * 2, ["linked"] * 2)
    assert posted(house.account) == 20_000
    assert (
        len(set(session().scalars(sa.select(IncomingRequest.linked_id).where(IncomingRequest.state == "linked")))) == 2
    )


def test_a_sum_that_does_not_agree_waits_for_a_person(house: Bank) -> None:
    house.tell(house.credit(entry_reference="BATCH-9", end_to_end_id="INV-1"), source="camt.054")
    total = house.tell(
        house.nobodys(amount_minor=15_000, references=("BATCH-9",), entry_reference="BATCH-9", debtor_account=None),
        source="camt.053",
    )
    assert (total.state, total.failure_code, total.transfer_id) == ("failed", "possiblyBooked", None)
    assert posted(house.suspense) == 0


def test_a_reversal_takes_the_money_back_even_from_a_frozen_account(house: Bank) -> None:
    credit = house.tell(house.credit(provider_reference="ONE-1"))
    blocked(session().get_one(_client_class(), house.client), system())
    back = house.tell(house.credit(provider_reference="ONE-1", reversal=True))
    assert (back.state, back.transfer_id, transfer_of(credit).status) == ("processed", credit.transfer_id, "reversed")
    assert (posted(house.account), posted(house.settlement)) == (0, 0)


def test_a_reversal_told_again_or_by_the_statement_reverses_once(house: Bank) -> None:
    told: dict[str, Any] = {"references": ("ASR-1",), "end_to_end_id": "INV-1"}
    house.tell(house.credit(**told), source="camt.054")
    back = house.credit(reversal=True, **told)
    first = house.tell(back, source="camt.054")
    assert house.tell(back, source="camt.054").id == first.id
    again = house.tell(house.credit(reversal=True, **told), source="camt.053")
    assert (again.state, again.linked_id, posted(house.account)) == ("linked", first.id, 0)


def test_a_reversal_that_comes_first_waits_for_its_credit(house: Bank) -> None:
    back = house.tell(house.credit(provider_reference="ONE-1", reversal=True))
    assert (back.state, posted(house.account)) == ("waiting", 0)
    credit = house.tell(house.credit(provider_reference="ONE-1"))
    assert (fresh(back).state, transfer_of(credit).status, posted(house.account)) == ("processed", "reversed", 0)


def test_a_reversal_of_another_amount_waits_for_a_person(house: Bank) -> None:
    house.tell(house.credit(provider_reference="ONE-1"))
    back = house.tell(house.credit(provider_reference="ONE-1", reversal=True, amount_minor=500))
    assert (back.state, back.failure_code, posted(house.account)) == ("failed", "reversalDiffers", 10_000)


def test_money_in_a_currency_without_a_bank_account_is_kept_as_told(house: Bank) -> None:
    request = house.tell(house.credit(currency="sek"))
    assert (request.state, request.failure_code, request.attempts) == ("failed", "noProviderAccount", 1)
    assert session().scalar(sa.select(QueueItem.cause).where(QueueItem.object_id == request.id)) == "failed"


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ({}, []),
        ({"debtor_name": None}, ["payerName"]),
        ({"debtor_name": " - "}, ["payerName"]),
        ({"debtor_name": "NOTPROVIDED"}, ["payerName"]),
        ({"debtor_account": None, "debtor_bic": "DEUTDEFF"}, ["payerAccount"]),
        ({"debtor_account": "GB29NWBK60161331926819"}, ["payerCountry"]),
        ({"debtor_account": "GB29NWBK60161331926819", "debtor_country": "GB"}, []),
        ({"debtor_account": "0012345678"}, ["payerCountry"]),
        ({"debtor_account": None, "debtor_name": None}, ["payerName", "payerAccount", "payerCountry"]),
    ],
)
def test_payer_data_that_the_message_lacks_is_marked(house: Bank, said: dict[str, Any], missing: list[str]) -> None:
    assert house.tell(house.credit(**said)).missing == missing


def test_what_the_database_cannot_hold_is_left_out(house: Bank) -> None:
    request = house.tell(house.credit(remittance="a\x00b\x07 \ud800", raw={"odd\x00": ["\x00", {"n": 1}]}))
    assert request.state == "processed"
    assert request.raw == {"odd": ["", {"n": 1}]}


def test_a_fault_of_ours_leaves_the_message_stored_and_nothing_booked(
    house: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard.transfers.services.incoming import booking, receiving

    def breaks(*_: Any, **__: Any) -> Any:
        raise ValueError("a fault")

    with monkeypatch.context() as broken:
        broken.setattr(booking, "recognize", breaks)
        request = house.tell(house.credit())
    assert (request.state, request.transfer_id, posted(house.account)) == ("received", None, 0)
    with transaction():
        assert receiving.finish_waiting(by=system())
    assert (fresh(request).state, posted(house.account)) == ("processed", 10_000)
    with transaction():
        assert not receiving.finish_waiting(by=system())


def _out(house: Bank, amount: int) -> Order:
    return Order(ParentType.PAYMENT_REQUEST, uuid4(), [Leg(house.account, house.settlement, amount, "eur")])


def _client_class() -> Any:
    from dashboard.clients.models import Client

    return Client


def test_what_the_client_has_spent_waits_for_the_desk_and_ends_with_it(house: Bank) -> None:
    credit = house.tell(house.credit(provider_reference="ONE-1"))
    with transaction():
        payments.pay(_out(house, 6_000), by=system())
    back = house.tell(house.credit(provider_reference="ONE-1", reversal=True))
    assert (back.state, back.transfer_id, transfer_of(credit).status) == ("waiting", credit.transfer_id, "completed")
    assert posted(house.account) == 4_000
    # when the money is there again, it goes
    with transaction():
        payments.pay(Order(ParentType.PAYMENT_REQUEST, uuid4(), [Leg(house.settlement, house.account, 6_000, "eur")]),
                     by=system())  # fmt: skip
        correcting.process_again(back.id, by=system())
    assert (fresh(back).state, transfer_of(credit).status, posted(house.account)) == ("processed", "reversed", 0)
