"""What may not grow old: unrecognized money, unanswered transfers, undecided requests, unprocessed notifications."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.clients import services as clients
from dashboard.database import new_id, session, transaction
from dashboard.ledger.models import Account
from dashboard.ledger.services import days
from dashboard.ledger.vocabulary import ParentType
from dashboard.onboarding.sumsub import queries as events
from dashboard.transfers.models import IncomingRequest, Receipt, Transfer
from dashboard.transfers.services.desk.clocks import resolve_days
from dashboard.treasury.checks import (
    ages,
    approvals_age,
    suspense_age,
    unconfirmed_transfers,
    unprocessed_events,
)
from dashboard.treasury.checks.check import Answer, Check, Look
from dashboard.treasury.matching.models import MatchBooking
from tests.conftest import People
from tests.ledger.conftest import Book
from tests.transfers.sending import Sending
from tests.transfers.unrecognized import Desk


def look(check: Check, at: datetime | None = None) -> Answer:
    """What the check says, looking at that moment."""
    moment = at or clock.now()
    return check.run(Look(days.open_day().day, moment, new_id(), system(), lambda: None))


def over(since: datetime) -> datetime:
    """A moment at which what has waited since then is too old."""
    return clock.calendar().due_after(since, ages.business_days()) + timedelta(seconds=1)


def test_money_on_suspense_is_found_once_its_time_to_be_resolved_is_over(app: Flask) -> None:
    receipt = Desk().receipt(500_00)
    before, after = receipt.resolve_by, receipt.resolve_by + timedelta(seconds=1)
    assert (look(suspense_age.CHECK, before).count, look(suspense_age.CHECK, before).looked) == (0, 1)
    [found] = look(suspense_age.CHECK, after).findings
    assert (found.subject_id, found.currency, found.found) == (receipt.transfer_id, "eur", 500_00)
    assert found.path == f"/transfers/unrecognized/{receipt.transfer_id}"
    assert "500.00 EUR has lain on suspense for 10 bd" in found.says


def test_what_matching_booked_to_suspense_is_found_once_its_time_is_over_until_it_is_cleared(
    app: Flask, people: People
) -> None:
    desk = Desk()
    receipt = desk.receipt(500_00)
    suspense, bank = session().execute(
        sa.select(Receipt.suspense_account_id, Account.bank_account_id)
        .join(Account, Account.id == Receipt.suspense_account_id)
        .where(Receipt.transfer_id == receipt.transfer_id)
    ).one()  # fmt: skip
    at_bank = session().scalar(
        sa.select(Account.id).where(Account.bank_account_id == bank, Account.type == "settlement")
    )
    assert at_bank is not None
    book = Book()
    paid = book.pay(at_bank, suspense, 7_00)
    with transaction():
        request = clients.ask_to_activate(desk.client().id, reason="papers seen", by=people.actor(Role.OFFICER))
        session().add(
            MatchBooking(
                payment_id=paid, bank_account_id=bank, lines=[], transactions=[], booked_as="suspense",
                approval_id=request.id,
            )
        )  # fmt: skip
    early = clock.now() + timedelta(minutes=1)
    assert (look(suspense_age.CHECK, early).count, look(suspense_age.CHECK, early).looked) == (0, 2)
    late = clock.calendar().due_after(clock.now(), resolve_days()) + timedelta(days=1)
    found = {one.subject_type: one for one in look(suspense_age.CHECK, late).findings}
    assert set(found) == {"receipt", "payment"}
    assert (found["payment"].subject_id, found["payment"].found) == (paid, 7_00)
    assert found["payment"].path == f"/ledger/payments/{paid}"
    # part of it has found its owner
    book.pay(suspense, at_bank, 3_00, parent_type=ParentType.ADJUSTING_PAYMENT)
    found = {one.subject_type: one for one in look(suspense_age.CHECK, late).findings}
    assert found["payment"].found == 4_00
    book.pay(suspense, at_bank, 4_00, parent_type=ParentType.ADJUSTING_PAYMENT)
    assert [one.subject_type for one in look(suspense_age.CHECK, late).findings] == ["receipt"]


@pytest.fixture
def sending(app: Flask, people: People) -> Sending:
    return Sending(people)


@pytest.mark.parametrize(("status", "cause"), [("submitted", "noAnswer"), ("unknown", "unknown")])
def test_a_transfer_without_an_answer_is_found_after_its_business_days(
    sending: Sending, status: str, cause: str
) -> None:
    transfer = sending.in_status(status)
    submitted = session().scalar(sa.select(Transfer.submitted_at).where(Transfer.id == transfer.id))
    assert submitted is not None
    late = over(submitted)
    assert look(unconfirmed_transfers.CHECK, late - timedelta(seconds=2)).count == 0
    [found] = look(unconfirmed_transfers.CHECK, late).findings
    assert (found.subject_id, found.cause, found.path) == (transfer.id, cause, f"/transfers/{transfer.id}")
    assert transfer.counterparty_name not in found.says


def test_a_transfer_that_nobody_confirmed_and_nobody_canceled_is_found(sending: Sending) -> None:
    transfer = sending.made()
    confirm_by = transfer.confirm_by
    assert confirm_by is not None
    assert look(unconfirmed_transfers.CHECK, confirm_by + timedelta(minutes=14)).count == 0
    [found] = look(unconfirmed_transfers.CHECK, confirm_by + timedelta(minutes=16)).findings
    assert (found.cause, found.subject_id) == ("notExpired", transfer.id)


def test_a_request_is_found_when_it_waits_too_long_and_says_nothing_of_what_it_is_about(
    app: Flask, people: People
) -> None:
    officer = people.actor(Role.OFFICER)
    desk = Desk()
    client = desk.client(last="Zyxomarkov")
    with transaction():
        asked = clients.ask_to_activate(client.id, reason="papers seen", by=officer)
    early = clock.now()
    assert (look(approvals_age.CHECK, early).count, look(approvals_age.CHECK, early).looked) == (0, 1)
    late = min(over(asked.requested_at), asked.expires_at + timedelta(minutes=14))
    [found] = look(approvals_age.CHECK, late).findings
    assert (found.cause, found.subject_id, found.path) == ("undecided", asked.id, f"/approvals/{asked.id}")
    assert not any(word in f"{found.says} {found.subject} {found.todo}" for word in ("Zyxomarkov", "papers", "ctivat"))
    [gone] = look(approvals_age.CHECK, asked.expires_at + timedelta(minutes=16)).findings
    assert gone.cause == "notExpired"


def test_a_request_of_a_secret_kind_is_not_even_counted(
    app: Flask, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dashboard.approvals import kinds

    client = Desk().client()
    with transaction():
        asked = clients.ask_to_activate(client.id, reason="papers seen", by=people.actor(Role.OFFICER))
    secret = [type("Kind", (), {"key": asked.kind, "hidden": True})()]
    monkeypatch.setattr(kinds, "registered", lambda: secret)
    answer = look(approvals_age.CHECK, asked.expires_at + timedelta(days=30))
    assert (answer.looked, answer.count) == (0, 0)


def test_a_notification_that_lies_about_or_failed_is_found(app: Flask) -> None:
    Desk()
    made = {}
    for state, code in (("received", None), ("failed", "unreadable"), ("waiting", None)):
        request = IncomingRequest(
            provider="bank", provider_reference=state, source="api", body_hash=b"x", raw={}, booked_at=clock.now(),
            state=state, failure_code=code, failure="It is broken." if code else None, created_at=clock.now(),
        )  # fmt: skip
        session().add(request)
        session().flush()
        made[state] = request.id
    soon, late = clock.now() + timedelta(minutes=14), clock.now() + timedelta(minutes=16)
    assert {found.subject_id for found in look(unprocessed_events.CHECK, soon).findings} == {made["failed"]}
    causes = {found.subject_id: found.cause for found in look(unprocessed_events.CHECK, late).findings}
    assert causes == {made["received"]: "unprocessed", made["failed"]: "failed"}


def test_verification_events_are_asked_for_too(app: Flask) -> None:
    assert unprocessed_events._sources["verification events"] is events.unprocessed
    assert events.unprocessed(clock.now()) == []
