"""Outgoing transfers through the verbs: made, confirmed, held, let go, settled, taken back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from dashboard import clock
from dashboard.audit.models import AuditEvent
from dashboard.clients.vocabulary import BlockCode, Scope
from dashboard.database import session, transaction
from dashboard.errors import DomainError, Invalid, NotFound, Refused
from dashboard.ledger.models import LedgerTransaction, Payment
from dashboard.ledger.services import accounts, payments
from dashboard.money import Money
from dashboard.queues.models import QueueItem
from dashboard.settings import Settings
from dashboard.transfers.models import StatusChange, Transfer, TransferFee
from dashboard.transfers.providers.port import Outcome
from dashboard.transfers.services import providers
from dashboard.transfers.services.outgoing import (
    cancel,
    confirm,
    expiry,
    fees,
    rails,
    returned,
    review,
    submitting,
)
from dashboard.transfers.vocabulary import Kind, Status, TransferType
from tests.clients.making import blocked
from tests.conftest import Databases
from tests.ledger import invariants
from tests.transfers.sending import BY, IBAN, PROVIDER, Sending, sending


@pytest.fixture(scope="module")
def opened(databases: Databases, configured: Settings) -> Iterator[Sending]:
    with sending(databases, configured) as house:
        yield house


@pytest.fixture
def house(opened: Sending) -> Sending:
    opened.start_over()
    return opened


def codes_of(transfer: Transfer) -> list[str | None]:
    return list(
        session().scalars(
            sa.select(StatusChange.code).where(StatusChange.transfer_id == transfer.id).order_by(StatusChange.position)
        )
    )


def in_queue(transfer: Transfer, cause: str = "review") -> bool:
    return bool(
        session().scalar(
            sa.select(
                sa.exists().where(
                    QueueItem.queue == "held-transfers",
                    QueueItem.object_id == transfer.id,
                    QueueItem.cause == cause,
                    QueueItem.closed_at.is_(None),
                )
            )
        )
    )


def refusal(verb: Any, *arguments: Any, **options: Any) -> str:
    with pytest.raises(DomainError) as caught:
        with transaction():
            verb(*arguments, **options)
    return caught.value.code


# --- type and fee ----------------------------------------------------------------------------------------------------


def test_rails_follow_from_account_and_currency(house: Sending) -> None:
    assert rails.rails_for(house.account.number, "eur").type is TransferType.INTERNAL
    assert rails.rails_for(IBAN, "eur").type is TransferType.SEPA
    assert rails.rails_for(IBAN, "gbp").type is TransferType.SWIFT
    assert rails.rails_for("GB29NWBK60161331926819", "gbp").type is TransferType.FASTER_PAYMENTS
    assert rails.rails_for("60161331926819", "gbp").type is TransferType.FASTER_PAYMENTS
    assert rails.rails_for("GB29NWBK60161331926819", "eur").type is TransferType.SEPA
    assert rails.rails_for("TR330006100519786457841326", "eur").type is TransferType.SWIFT
    assert rails.rails_for("123456789", "usd").type is TransferType.SWIFT


def test_sepa_is_instant_while_an_active_provider_has_a_route_for_it(house: Sending) -> None:
    with transaction():
        providers.set_route(type=TransferType.SEPA_INSTANT, currency="eur", provider_key=PROVIDER, by=BY)
    assert rails.rails_for(IBAN, "eur").type is TransferType.SEPA_INSTANT
    with transaction():
        providers.set_active(PROVIDER, False, by=BY)
    assert rails.rails_for(IBAN, "eur").type is TransferType.SEPA
    with transaction():
        providers.set_active(PROVIDER, True, by=BY)
        providers.remove_route(type=TransferType.SEPA_INSTANT, currency="eur", provider_key=PROVIDER, by=BY)


@pytest.mark.parametrize(
    ("fixed", "points", "most", "amount", "fee"),
    [(25, 0, None, 1, 25), (0, 10, None, 999, 0), (0, 10, None, 1_000, 1), (100, 15, None, 33_333, 149),
     (1_000, 10, 1_500, 10_000_000, 1_500), (0, 0, None, 10**16, 0)],
)  # fmt: skip
def test_a_fee_is_fixed_plus_basis_points_rounded_down_and_capped(
    fixed: int, points: int, most: int | None, amount: int, fee: int
) -> None:
    rule = TransferFee(type="swift", currency="usd", fixed_minor=fixed, basis_points=points, most_minor=most)
    assert fees.fee_by(rule, amount) == fee


# --- creating --------------------------------------------------------------------------------------------------------


def test_a_new_transfer_waits_and_holds_nothing(house: Sending) -> None:
    made = house.made(12_34)
    assert (made.status, made.type, made.fee_minor, made.payment_id) == ("awaitingConfirmation", "sepa", 25, None)
    assert made.end_to_end_id == made.id.hex.upper() and len(made.end_to_end_id) <= 35
    assert made.confirm_by is not None and made.confirm_by - made.created_at == timedelta(minutes=15)
    assert "petrauskas" in made.search_text and IBAN.lower() in made.search_text
    assert house.balance(house.account) == (1_000_000, 0)
    assert codes_of(made) == [None]


def test_what_cannot_be_is_refused_and_leaves_nothing(house: Sending) -> None:
    before = session().scalar(sa.select(sa.func.count()).select_from(Transfer))
    other = house.active("Kask")
    theirs = house.opened(other, 0)
    foreign = house.known(other, "Nobody of mine")
    closed = house.opened(house.client, 0)
    with transaction():
        accounts.close(closed.id, by=BY)
    mine = house.known(house.client, "Myself", house.account.number)
    dollars = house.known(house.client, "In dollars", house.opened(other, 0, "usd").number)
    assert refusal(house.made, account=closed) == "accountClosed"
    assert refusal(house.made, currency="usd") == "currencyMismatch"
    assert refusal(house.made, recipient=foreign) == "recipientNotFound"
    assert refusal(house.made, recipient=mine) == "sameAccount"
    assert refusal(house.made, recipient=dollars) == "recipientUnavailable"
    assert refusal(house.made, 0) == refusal(house.made, -5) == refusal(house.made, remittance="x" * 141) == "invalid"
    assert refusal(house.made, 1_000_000) == "insufficientFunds", "the fee does not fit"
    assert refusal(house.made, account=theirs, recipient=house.recipient) == "recipientNotFound"
    session().rollback()
    assert session().scalar(sa.select(sa.func.count()).select_from(Transfer)) == before


def test_a_recipient_of_the_house_is_everybodys(house: Sending) -> None:
    from dashboard.transfers.services import recipients

    with transaction():
        ours = recipients.add(client_id=None, name="Tax office", number="EE471000001020145685", by=BY)
    assert house.made(recipient=ours).counterparty_name == "Tax office"


# --- confirming ------------------------------------------------------------------------------------------------------


def test_confirmed_money_is_held_with_its_fee_and_waits_in_the_outbox(house: Sending) -> None:
    made = house.confirmed(100_00)
    assert (made.status, made.provider) == ("confirmed", PROVIDER)
    assert house.balance(house.account) == (1_000_000, 100_25)
    legs = session().scalars(
        sa.select(LedgerTransaction)
        .where(LedgerTransaction.payment_id == made.payment_id)
        .order_by(LedgerTransaction.position)
    )
    assert [(leg.creditor_account_id, leg.amount_minor) for leg in legs] == [
        (house.settlement(), 100_00), (house.fees(), 25),
    ]  # fmt: skip
    line = house.line(made)
    assert line is not None and (line.state, line.provider, line.sent_at) == ("waiting", PROVIDER, None)
    assert not invariants.broken()


def test_an_internal_transfer_is_completed_at_once_on_both_sides(house: Sending) -> None:
    other = house.active("Kask")
    theirs = house.opened(other, 0)
    made = house.confirmed(70_00, recipient=house.known(house.client, "Mari Kask", theirs.number))
    assert (made.status, made.type, made.fee_minor, house.line(made)) == ("completed", "internal", 0, None)
    assert house.balance(house.account) == (993_000, 0) and house.balance(theirs) == (70_00, 0)
    received = session().scalars(sa.select(Transfer).where(Transfer.related_id == made.id)).one()
    assert (received.kind, received.status, received.client_id, received.account_id) == (
        "incoming", "completed", other.id, theirs.id,
    )  # fmt: skip
    assert received.counterparty_name == "Mari Ilves" and received.payment_id == made.payment_id
    assert not invariants.broken()


def test_a_receiver_who_takes_no_money_is_told_of_neutrally(house: Sending) -> None:
    other = house.active("Kask")
    theirs = house.opened(other, 0)
    waiting = house.made(recipient=house.known(house.client, "Mari Kask", theirs.number))
    blocked(other, house.maker, code=BlockCode.SANCTIONS, scope=Scope.CREDIT)
    assert refusal(confirm.confirm_without_code, house.fresh(waiting), by=BY) == "recipientUnavailable"
    assert (
        refusal(house.made, recipient=house.known(house.client, "Mari Kask", theirs.number)) == "recipientUnavailable"
    )
    assert house.balance(house.account) == (1_000_000, 0)


def test_an_internal_transfer_between_own_accounts(house: Sending) -> None:
    second = house.opened(house.client, 0)
    made = house.confirmed(5_00, recipient=house.known(house.client, "Savings", second.number))
    assert made.status == "completed" and house.balance(second) == (5_00, 0)


# --- sending and what is said of it ----------------------------------------------------------------------------------


def test_an_instruction_says_who_pays_whom(house: Sending) -> None:
    made = house.confirmed(12_34)
    said = house.sent(made)
    assert said is not None
    assert (said.debtor_name, said.debtor_account) == ("Mari Ilves", house.account.number)
    assert (said.creditor_name, said.creditor_account, said.creditor_country) == ("Jonas Petrauskas", IBAN, "EE")
    assert (said.amount_minor, said.currency, said.type, said.remittance) == (
        12_34, "eur", TransferType.SEPA, "Invoice 4410",
    )  # fmt: skip
    assert house.fresh(made).status == "submitted"


def test_nothing_is_handed_out_twice(house: Sending) -> None:
    made = house.submitted()
    with transaction():
        assert submitting.about_to_send(made.id, by=BY) is None
    house.lost(made)
    with transaction():
        assert submitting.about_to_send(made.id, by=BY) is None


def test_what_was_certainly_not_sent_is_sent_again(house: Sending) -> None:
    made = house.submitted()
    with transaction():
        submitting.not_sent(made.id, by=BY)
    line = house.line(made)
    assert line is not None and (line.state, line.sent_at) == ("waiting", None) and line.next_at > clock.now()
    assert house.sent(made) is not None and house.fresh(made).status == "submitted"


def test_a_block_before_sending_holds_the_transfer_with_its_money(house: Sending) -> None:
    made = house.confirmed()
    blocked(house.client, house.maker)
    assert house.sent(made) is None
    made = house.fresh(made)
    assert (made.status, house.balance(house.account)[1]) == ("manualReview", 12_59)
    assert in_queue(made) and house.line(made).state == "stopped"  # type: ignore[union-attr]
    assert codes_of(made)[-1] == "accountNotFrozen"
    assert refusal(review.release, made.id, reason="Looks fine", by=house.maker) == "accountFrozen"


def test_a_block_before_the_second_try_holds_it_too(house: Sending) -> None:
    made = house.submitted()
    with transaction():
        submitting.not_sent(made.id, by=BY)
    blocked(house.client, house.maker, scope=Scope.DEBIT)
    assert house.sent(made) is None
    assert house.fresh(made).status == "manualReview"


def test_an_amount_that_a_block_keeps_stops_what_was_held_before(house: Sending) -> None:
    made = house.confirmed(1_000_00)
    blocked(house.client, house.maker, scope=Scope.AMOUNT, amount=Money(950_000, "eur"))
    assert house.sent(made) is None
    assert codes_of(house.fresh(made))[-1] == "funds"


def test_executed_money_is_posted(house: Sending) -> None:
    earned = house.balance(house.fees())[0]
    made = house.submitted(100_00)
    told = house.tell(made, Outcome.EXECUTED, provider_reference="SB-7")
    assert told is not None and (told.status, told.provider_reference) == ("completed", "SB-7")
    assert house.balance(house.account) == (989_975, 0) and house.balance(house.fees())[0] == earned + 25
    assert house.line(made).state == "settled"  # type: ignore[union-attr]
    assert not invariants.broken()


def test_rejected_money_is_given_back_with_its_fee(house: Sending) -> None:
    made = house.submitted(100_00)
    house.tell(made, Outcome.REJECTED, code="AC04", reason="Account closed")
    made = house.fresh(made)
    assert made.status == "rejected" and codes_of(made)[-1] == "AC04"
    assert house.balance(house.account) == (1_000_000, 0)
    assert session().get_one(Payment, made.payment_id).state == "error"
    assert not invariants.broken()


def test_accepted_keeps_it_submitted_and_clears_an_unknown_one(house: Sending) -> None:
    made = house.submitted()
    house.tell(made, Outcome.ACCEPTED, provider_reference="SB-9")
    assert (house.fresh(made).status, house.fresh(made).provider_reference) == ("submitted", "SB-9")
    house.lost(made)
    assert house.fresh(made).status == "submitted", "it has been heard of since"
    house.tell(made, Outcome.UNKNOWN)
    assert house.fresh(made).status == "unknown"
    house.tell(made, Outcome.ACCEPTED)
    assert house.fresh(made).status == "submitted" and house.line(made).state == "sent"  # type: ignore[union-attr]


def test_a_lost_answer_is_unknown_until_the_provider_says(house: Sending) -> None:
    for outcome, status in ((Outcome.EXECUTED, "completed"), (Outcome.REJECTED, "rejected")):
        made = house.submitted(1_00 + len(status))
        house.lost(made)
        assert (house.fresh(made).status, house.line(made).state) == ("unknown", "unknown")  # type: ignore[union-attr]
        house.tell(made, outcome, code="AM05")
        assert house.fresh(made).status == status
    made = house.submitted(3_00)
    house.tell(made, Outcome.UNKNOWN)
    assert house.fresh(made).status == "unknown"


def test_not_found_lets_it_be_sent_again_once(house: Sending) -> None:
    made = house.submitted()
    house.lost(made)
    house.tell(made, Outcome.NOT_FOUND, at=clock.now())
    assert (house.fresh(made).status, house.line(made).state) == ("submitted", "waiting")  # type: ignore[union-attr]
    assert house.sent(made) is not None
    # an answer about the time before comes late
    house.tell(made, Outcome.NOT_FOUND, at=clock.now())
    assert house.line(made).state == "sending"  # type: ignore[union-attr]
    house.lost(made)
    house.tell(made, Outcome.NOT_FOUND, at=house.line(made).sent_at - timedelta(seconds=1))  # type: ignore[union-attr,operator]
    assert house.line(made).state == "unknown"  # type: ignore[union-attr]


def test_not_found_after_it_was_accepted_is_never_sent_again(house: Sending) -> None:
    made = house.submitted()
    house.tell(made, Outcome.ACCEPTED, provider_reference="SB-3")
    house.tell(made, Outcome.NOT_FOUND, at=clock.now() + timedelta(seconds=5))
    assert house.line(made).state == "sent" and in_queue(made, "contradiction")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("first", "then"),
    [(Outcome.EXECUTED, Outcome.REJECTED), (Outcome.REJECTED, Outcome.EXECUTED), (Outcome.EXECUTED, Outcome.NOT_FOUND)],
)
def test_what_contradicts_the_end_moves_nothing_and_waits_for_a_person(
    house: Sending, first: Outcome, then: Outcome
) -> None:
    made = house.submitted()
    house.tell(made, first, code="AC04" if first is Outcome.REJECTED else None)
    before, status, lines = house.balance(house.account), house.fresh(made).status, codes_of(made)
    for _ in range(3):
        house.tell(made, then, provider_reference="SB-X")
    assert (house.balance(house.account), house.fresh(made).status, codes_of(made)) == (before, status, lines)
    assert in_queue(made, "contradiction")
    told = (
        session()
        .scalars(
            sa.select(AuditEvent).where(AuditEvent.action == "transfer.contradicted", AuditEvent.object_id == made.id)
        )
        .all()
    )
    assert len(told) == 1


@pytest.mark.parametrize("status", ["awaitingConfirmation", "confirmed", "manualReview", "canceled"])
def test_a_provider_that_executed_what_it_was_not_given_is_a_finding(house: Sending, status: str) -> None:
    made = house.in_status(status)
    if made.provider is None:
        with transaction():
            house.fresh(made).provider = PROVIDER
    held = house.balance(house.account)
    house.tell(made, Outcome.EXECUTED, provider_reference="SB-1")
    assert house.fresh(made).status == status and house.balance(house.account) == held
    assert in_queue(made, "contradiction")


def test_repetitions_and_late_news_change_nothing(house: Sending) -> None:
    made = house.submitted()
    for _ in range(3):
        house.tell(made, Outcome.EXECUTED, provider_reference="SB-1")
    for late in (Outcome.ACCEPTED, Outcome.UNKNOWN):
        house.tell(made, late)
    house.lost(made)
    with transaction():
        submitting.not_sent(made.id, by=BY)
    assert house.fresh(made).status == "completed" and not in_queue(made, "contradiction")
    assert len(codes_of(made)) == 4


def test_another_providers_word_counts_for_nothing(house: Sending) -> None:
    from dashboard.transfers.providers.port import Report
    from dashboard.transfers.services.outgoing import results

    made = house.submitted()
    with transaction():
        assert results.report("bank-alpha", Report(made.end_to_end_id or "", Outcome.EXECUTED), by=BY) is None
        assert results.report(PROVIDER, Report("NOBODYS", Outcome.EXECUTED), by=BY) is None
    assert house.fresh(made).status == "submitted"


# --- canceling, expiring ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["awaitingConfirmation", "confirmed", "manualReview"])
def test_before_it_leaves_a_transfer_is_canceled_and_its_money_free(house: Sending, status: str) -> None:
    made = house.in_status(status)
    with transaction():
        cancel.cancel(made.id, reason="Not wanted", by=house.maker)
    made = house.fresh(made)
    assert made.status == "canceled" and house.balance(house.account) == (1_000_000, 0) and not in_queue(made)
    line = house.line(made)
    assert line is None or line.state == "stopped"
    assert house.sent(made) is None
    assert not invariants.broken()


@pytest.mark.parametrize("status", ["submitted", "unknown"])
def test_at_the_provider_canceling_only_asks_for_it_back(house: Sending, status: str) -> None:
    made = house.in_status(status)
    for _ in range(2):
        with transaction():
            cancel.cancel(made.id, reason="Not wanted", by=house.maker)
    assert house.fresh(made).status == status and house.balance(house.account)[1] == 12_59
    assert codes_of(made).count("recallRequested") == 1
    house.tell(made, Outcome.EXECUTED)
    assert house.fresh(made).status == "completed"


def test_what_certainly_did_not_leave_is_canceled_even_when_submitted(house: Sending) -> None:
    made = house.submitted()
    with transaction():
        submitting.not_sent(made.id, by=BY)
    with transaction():
        cancel.cancel(made.id, reason="Not wanted", by=house.maker)
    assert house.fresh(made).status == "canceled" and house.balance(house.account) == (1_000_000, 0)


def test_canceling_by_the_house_needs_a_reason(house: Sending) -> None:
    made = house.confirmed()
    for reason in (None, "", "  ", "x" * 501):
        assert refusal(cancel.cancel, made.id, reason=reason, by=house.maker) == "invalid"
    assert house.fresh(made).status == "confirmed"


def test_unconfirmed_transfers_expire(house: Sending, monkeypatch: pytest.MonkeyPatch) -> None:
    made, kept = house.made(), house.confirmed(5_00)
    later = clock.now() + timedelta(minutes=16)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert refusal(confirm.confirm, made.id, "123456", client_id=house.client.id, by=BY) == "confirmationExpired"
    with transaction():
        assert expiry.expire_unconfirmed() >= 1
    with transaction():
        assert expiry.expire_unconfirmed() == 0
    assert house.fresh(made).status == "canceled" and codes_of(made)[-1] == "confirmationExpired"
    assert house.fresh(kept).status == "confirmed"


# --- review -----------------------------------------------------------------------------------------------------------


def test_a_released_transfer_goes_on(house: Sending) -> None:
    made = house.held()
    assert in_queue(made)
    assert refusal(review.release, made.id, reason=" ", by=house.maker) == "invalid"
    with transaction():
        review.release(made.id, reason="The client named the invoice", by=house.maker)
    made = house.fresh(made)
    assert made.status == "confirmed" and not in_queue(made)
    assert house.sent(made) is not None


def test_a_released_internal_transfer_reaches_its_receiver_or_stays(house: Sending) -> None:
    other = house.active("Kask")
    theirs = house.opened(other, 0)
    recipient = house.known(house.client, "Mari Kask", theirs.number)
    house.confirmed(70_00, recipient=recipient)
    made = house.confirmed(70_00, recipient=recipient)
    assert made.status == "manualReview", "the same twice within minutes"
    block = blocked(other, house.maker, scope=Scope.CREDIT)
    assert block and refusal(review.release, made.id, reason="Fine", by=house.maker) == "recipientUnavailable"
    assert house.fresh(made).status == "manualReview" and house.balance(house.account)[1] == 70_00
    assert in_queue(made)


@pytest.mark.parametrize("status", sorted(status.value for status in Status if status.value in {
    "awaitingConfirmation", "confirmed", "manualReview", "submitted", "unknown", "completed", "rejected", "canceled",
}))  # fmt: skip
def test_each_verb_refuses_every_wrong_state(house: Sending, status: str) -> None:
    made = house.in_status(status)
    before = house.balance(house.account)
    if status != "awaitingConfirmation":
        assert refusal(confirm.confirm, made.id, "123456", client_id=house.client.id, by=BY) == "invalidState"
        assert refusal(confirm.confirm_without_code, house.fresh(made), by=BY) == "invalidState"
    if status != "manualReview":
        assert refusal(review.release, made.id, reason="Fine", by=house.maker) == "invalidState"
    if status in {"completed", "rejected", "canceled"}:
        assert refusal(cancel.cancel, made.id, reason="Not wanted", by=house.maker) == "invalidState"
    if status != "completed":
        assert refusal(
            returned.came_back, house.fresh(made), amount_minor=1, provider_reference="R", booked_at=clock.now(), by=BY
        ) == "invalidState"  # fmt: skip
    with transaction():
        if status != "confirmed":
            assert submitting.about_to_send(made.id, by=BY) is None
    assert house.fresh(made).status == status and house.balance(house.account) == before


def test_what_is_not_there_is_not_found(house: Sending) -> None:
    made = house.made()
    with pytest.raises(NotFound):
        confirm.confirm(made.id, "123456", client_id=uuid4(), by=BY)
    with pytest.raises(NotFound):
        cancel.cancel(made.id, reason=None, client_id=uuid4(), by=BY)
    with pytest.raises(NotFound):
        review.release(uuid4(), reason="Fine", by=BY)


# --- coming back ------------------------------------------------------------------------------------------------------


def test_a_returned_transfer_is_credited_and_linked(house: Sending) -> None:
    made = house.in_status("completed", 100_00)
    with transaction():
        back = returned.came_back(made, amount_minor=98_00, provider_reference="SB-R1", booked_at=clock.now(), by=BY)
    assert (back.kind, back.status, back.related_id, back.client_id) == (
        "incoming", "completed", made.id, house.client.id,
    )  # fmt: skip
    assert house.fresh(made).status == "returned"
    assert house.balance(house.account) == (1_000_000 - 25 - 2_00, 0)
    assert refusal(
        returned.came_back, made, amount_minor=1, provider_reference="SB-R2", booked_at=clock.now(), by=BY
    ) == "invalidState"  # fmt: skip
    assert not invariants.broken()


def test_what_people_have_given_back_is_not_credited_again_when_it_comes_back(house: Sending) -> None:
    made = house.in_status("completed", 100_00)
    assert made.payment_id is not None
    with transaction():
        payments.reverse(made.payment_id, reason="The bank says it never left", by=BY)
    before = house.balance(house.account)
    with transaction():
        back = returned.came_back(made, amount_minor=100_00, provider_reference="SB-R9", booked_at=clock.now(), by=BY)
    assert (back.status, back.client_id, house.balance(house.account)) == ("unrecognized", None, before)
    assert house.fresh(made).status == "returned"


def test_more_than_was_sent_does_not_come_back(house: Sending) -> None:
    made = house.in_status("completed", 100_00)
    with pytest.raises(Refused, match="More came back"):
        returned.came_back(made, amount_minor=100_01, provider_reference="R", booked_at=clock.now(), by=BY)


def test_money_that_comes_back_to_a_frozen_account_goes_to_the_desk(house: Sending) -> None:
    made = house.in_status("completed", 100_00)
    blocked(house.client, house.maker)
    with transaction():
        back = returned.came_back(made, amount_minor=100_00, provider_reference="SB-R1", booked_at=clock.now(), by=BY)
    assert (back.status, back.client_id) == ("unrecognized", None)
    assert house.fresh(made).status == "returned"
    item = session().scalars(sa.select(QueueItem).where(QueueItem.object_id == back.id)).one()
    assert item.queue == "unrecognized"
    assert not invariants.broken()


def test_invalid_is_invalid() -> None:
    with pytest.raises(Invalid):
        rails.key_of("!!")
    assert rails.key_of("ee38 2200-2210 2014 5685") == IBAN
    assert Kind.OUTGOING.value == "outgoing"
