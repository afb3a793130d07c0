"""The desk for unrecognized money: deciding, by one person or two, and what stops neither clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Audience, Role
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.clients import services as clients
from dashboard.clients.vocabulary import BlockCode, Scope
from dashboard.database import new_id, session, transaction
from dashboard.errors import DomainError, Forbidden, Invalid
from dashboard.ledger.services import accounts
from dashboard.queues.models import QueueItem
from dashboard.transfers.models import Disposition, Provider, Receipt, ReceiptEvent, Transfer
from dashboard.transfers.services import providers
from dashboard.transfers.services.desk import (
    asking,
    assigning,
    clocks,
    keeping,
    lateness,
    limits,
    returning,
    screening,
    warning,
)
from dashboard.transfers.services.outgoing import submitting
from dashboard.transfers.vocabulary import Cause, ScreeningResult
from tests.conftest import People
from tests.transfers.unrecognized import LIMIT, PAYER, Desk


@pytest.fixture
def desk(app: Flask) -> Desk:
    return Desk()


@pytest.fixture
def officer(people: People) -> Actor:
    return people.actor(Role.OFFICER)


@pytest.fixture
def senior(people: People) -> Actor:
    return people.actor(Role.SENIOR_OFFICER)


def refused(verb: Callable[..., Any], *given: Any, **said: Any) -> str:
    with pytest.raises(DomainError) as refusal, transaction():
        verb(*given, **said)
    return refusal.value.code


def assign(receipt: Receipt, account_id: UUID, by: Actor, **said: Any) -> Disposition:
    with transaction():
        return assigning.assign(receipt.transfer_id, account_id=account_id, comment="It is theirs", by=by, **said)


def ask(receipt: Receipt, account_id: UUID, by: Actor, **said: Any) -> ApprovalRequest:
    with transaction():
        return assigning.ask_to_assign(receipt.transfer_id, account_id=account_id, comment="Surely", by=by, **said)


def decide(request: ApprovalRequest, by: Actor, *, approve: bool = True) -> ApprovalRequest:
    with transaction():
        return approvals.decide(request.id, approve=approve, reason="Looked at", by=by)


def items(receipt: Receipt) -> list[tuple[str, datetime]]:
    rows = session().scalars(
        sa.select(QueueItem).where(QueueItem.object_id == receipt.transfer_id, QueueItem.closed_at.is_(None))
    )
    return sorted((row.cause, row.due_at) for row in rows)


# -- clocks


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("booked", "allocate"),
    [
        ("2026-07-27T09:00", "2026-07-28T15:00"),  # a Monday
        ("2026-07-27T19:30", "2026-07-28T15:00"),  # after closing it is received on Monday all the same
        ("2026-07-27T21:30", "2026-07-29T15:00"),  # Tuesday in Vilnius
        ("2026-07-31T10:00", "2026-08-03T15:00"),  # a Friday
        ("2026-08-01T10:00", "2026-08-03T15:00"),  # a Saturday
        ("2026-08-14T10:00", "2026-08-17T15:00"),  # Assumption, a Saturday that year, changes nothing
        ("2026-12-23T10:00", "2026-12-28T16:00"),  # Christmas takes two days, the weekend two more
    ],
)
def test_money_is_to_be_with_its_client_by_the_end_of_the_next_business_day(
    app: Flask, booked: str, allocate: str
) -> None:
    assert clocks.deadlines(at(booked)).allocate_by == at(allocate)


def test_it_is_to_be_settled_within_ten_business_days_and_half_of_them_warn(app: Flask) -> None:
    due = clocks.deadlines(at("2026-07-27T09:00"))
    assert due.resolve_by == at("2026-08-10T15:00")
    assert due.warn_at == at("2026-08-03T15:00")


def test_the_clocks_count_from_the_banks_booking_and_nothing_stops_them(desk: Desk, officer: Actor) -> None:
    booked = clock.now() - timedelta(days=1)
    receipt = desk.receipt(booked_at=booked)
    due = (receipt.allocate_by, receipt.resolve_by, receipt.warn_at)
    assert due == tuple(clocks.deadlines(booked))
    today = clock.calendar().today()
    with transaction():
        keeping.keep(receipt.transfer_id, until=today + timedelta(days=1), reason="Letter is on its way", by=officer)
    with transaction():
        asking.ask_payer(receipt.transfer_id, text="Whom did you mean to pay?", by=officer)
    with transaction():
        asking.reply(receipt.transfer_id, text="My sister", by=officer)
    session().expire_all()
    fresh = session().get_one(Receipt, receipt.transfer_id)
    assert (fresh.allocate_by, fresh.resolve_by, fresh.warn_at) == due
    assert items(receipt) == [("notRecognized", due[0])]


def test_who_decides_late_says_why(desk: Desk, officer: Actor) -> None:
    receipt = desk.receipt(booked_at=clock.now() - timedelta(days=20))
    account = desk.account()
    assert refused(assigning.assign, receipt.transfer_id, account_id=account.id, comment="", by=officer) == (
        "lateReasonRequired"
    )
    assert desk.balance(account.id) == 0
    assign(receipt, account.id, officer, late_reason="The payer answered today")
    assert session().get_one(Receipt, receipt.transfer_id).late_reason == "The payer answered today"
    kinds = session().scalars(sa.select(ReceiptEvent.kind).where(ReceiptEvent.transfer_id == receipt.transfer_id))
    assert "late" in set(kinds)


def test_half_of_the_time_warns_once(desk: Desk) -> None:
    receipt = desk.receipt(booked_at=clock.now() - timedelta(days=20))
    fresh = desk.receipt()
    with transaction():
        assert warning.warn_due(by=system()) == 1
    with transaction():
        assert warning.warn_due(by=system()) == 0
    assert [cause for cause, _ in items(receipt)] == ["halfTime", "notRecognized"]
    assert [cause for cause, _ in items(fresh)] == ["notRecognized"]


# -- assigning


def test_one_person_assigns_within_the_limit(desk: Desk, officer: Actor) -> None:
    receipt, account = desk.receipt(LIMIT), desk.account()
    decision = assign(receipt, account.id, officer)
    assert desk.state(receipt) == ("completed", "assigned", 0)
    assert desk.balance(account.id) == LIMIT
    assert desk.balance(desk.suspense) == 0
    transfer = session().get_one(Transfer, receipt.transfer_id)
    assert (transfer.client_id, transfer.account_id) == (account.owner_id, account.id)
    assert decision.shown["rulesVersion"] == decision.rules_version
    assert items(receipt) == []
    assert refused(assigning.assign, receipt.transfer_id, account_id=account.id, comment="", by=officer) == (
        "invalidState"
    )


def test_an_auditor_assigns_nothing(desk: Desk, people: People) -> None:
    with pytest.raises(Forbidden), transaction():
        assigning.assign(
            desk.receipt().transfer_id, account_id=desk.account().id, comment="", by=people.actor(Role.AUDITOR)
        )


def test_above_the_limit_a_second_person_decides(desk: Desk, officer: Actor, senior: Actor) -> None:
    receipt, account = desk.receipt(LIMIT + 1), desk.account()
    assert refused(assigning.assign, receipt.transfer_id, account_id=account.id, comment="", by=officer) == (
        "secondPersonRequired"
    )
    request = ask(receipt, account.id, officer)
    assert desk.state(receipt) == ("unrecognized", "waiting", 0)
    assert desk.balance(account.id) == 0
    assert refused(ask, receipt, account.id, officer) == "alreadyRequested"
    with pytest.raises(Forbidden):
        decide(request, officer)
    assert decide(request, senior).state == "approved"
    assert desk.state(receipt) == ("completed", "assigned", 0)
    assert desk.balance(account.id) == LIMIT + 1


def test_a_currency_without_a_limit_always_takes_two(app: Flask) -> None:
    assert limits.limit_of("xyz") is None
    assert limits.needs_two("xyz", 1)
    assert not limits.needs_two("eur", LIMIT)


@pytest.mark.parametrize("way", ["rejected", "withdrawn", "expired", "stale"])
def test_a_request_that_comes_to_nothing_gives_the_money_free(
    desk: Desk, officer: Actor, senior: Actor, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    receipt, account = desk.receipt(LIMIT + 1), desk.account()
    due = receipt.allocate_by
    request = ask(receipt, account.id, officer)
    if way == "rejected":
        decide(request, senior, approve=False)
    elif way == "withdrawn":
        with transaction():
            approvals.withdraw(request.id, by=officer)
    elif way == "stale":
        with transaction():
            accounts.close(account.id, by=system())
        assert decide(request, senior).state == "stale"
    else:
        moment = request.expires_at + timedelta(minutes=1)
        monkeypatch.setattr(clock, "now", lambda: moment)
        with transaction():
            assert approvals.expire_due() == 1
    assert request.state == way
    assert desk.state(receipt) == ("unrecognized", "open", LIMIT + 1)
    assert [item for item in items(receipt) if item[0] == "notRecognized"] == [("notRecognized", due)]
    states = session().scalars(sa.select(Disposition.state).where(Disposition.transfer_id == receipt.transfer_id))
    assert list(states) == ["dropped"]
    assert desk.balance(desk.suspense) == LIMIT + 1


def test_a_request_in_time_that_is_decided_late_tells_so_itself(
    desk: Desk, officer: Actor, senior: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt, account = desk.receipt(LIMIT + 1), desk.account()
    request = ask(receipt, account.id, officer)
    monkeypatch.setattr(lateness, "is_late", lambda _receipt: True)
    assert decide(request, senior).state == "approved"
    assert "waited for a second person" in (session().get_one(Receipt, receipt.transfer_id).late_reason or "")


def test_what_cannot_take_the_money_is_refused_without_saying_why(desk: Desk, officer: Actor) -> None:
    receipt = desk.receipt()
    dollars, closed, frozen = desk.account(currency="usd"), desk.account(), desk.account()
    assert frozen.owner_id
    with transaction():
        accounts.close(closed.id, by=system())
        clients.block(frozen.owner_id, code=BlockCode.SANCTIONS, scope=Scope.ALL, by=system())
    for account_id, code in (
        (dollars.id, "currencyMismatch"),
        (closed.id, "accountClosed"),
        (frozen.id, "accountFrozen"),
        (desk.settlement, "accountNotFound"),
        (new_id(), "accountNotFound"),
    ):
        with pytest.raises(DomainError) as refusal, transaction():
            assigning.assign(receipt.transfer_id, account_id=account_id, comment="", by=officer)
        assert refusal.value.code == code
        assert "sanction" not in refusal.value.message.lower()
    assert desk.state(receipt) == ("unrecognized", "open", 500_00)


def test_a_debit_block_keeps_no_money_away(desk: Desk, officer: Actor) -> None:
    receipt, account = desk.receipt(), desk.account()
    assert account.owner_id
    with transaction():
        clients.block(account.owner_id, code=BlockCode.FRAUD, scope=Scope.DEBIT, by=system())
    assign(receipt, account.id, officer)
    assert desk.balance(account.id) == 500_00


# -- machines


def test_a_machine_assigns_up_to_the_limit_and_asks_above(
    desk: Desk, machine: Callable[..., Any], senior: Actor
) -> None:
    teller = machine(Audience.SYSTEM)
    receipt, account = desk.receipt(), desk.account()
    path = f"/internal/Transfers/incoming/{receipt.transfer_id}/assign"
    answer = teller.call("PUT", path, json={"accountId": str(account.id), "comment": "Known payer"})
    assert answer.status_code == 200, answer.text
    assert (answer.json["status"], answer.json["clientId"]) == ("completed", str(account.owner_id))
    assert desk.balance(account.id) == 500_00
    again = teller.call("PUT", path, json={"accountId": str(account.id), "comment": None})
    assert (again.status_code, again.json["code"]) == (422, "invalidState")

    large = desk.receipt(LIMIT + 1)
    path = f"/internal/Transfers/incoming/{large.transfer_id}/assign"
    answer = teller.call("PUT", path, json={"accountId": str(account.id)})
    assert (answer.status_code, answer.json["code"]) == (403, "approvalRequired")
    request_id = UUID(answer.json["requestId"])
    assert desk.state(large) == ("unrecognized", "waiting", 0)
    repeated = teller.call("PUT", path, json={"accountId": str(account.id)})
    assert (repeated.status_code, repeated.json["code"]) == (409, "alreadyRequested")
    with transaction():
        approvals.decide(request_id, approve=True, reason=None, by=senior)
    assert desk.balance(account.id) == 500_00 + LIMIT + 1


def test_a_machine_that_is_trusted_with_it_assigns_above_the_limit(desk: Desk, machine: Callable[..., Any]) -> None:
    trusted = machine(Audience.SYSTEM, scopes=["transfers:write", "transfers:assign"])
    receipt, account = desk.receipt(LIMIT + 1), desk.account()
    answer = trusted.call(
        "PUT", f"/internal/Transfers/incoming/{receipt.transfer_id}/assign", json={"accountId": str(account.id)}
    )
    assert answer.status_code == 200, answer.text
    assert desk.balance(account.id) == LIMIT + 1


def test_a_machine_without_the_scope_or_the_transfer_is_told_so(desk: Desk, machine: Callable[..., Any]) -> None:
    body = {"accountId": str(desk.account().id)}
    reader = machine(Audience.SYSTEM, scopes=["transfers:read"])
    receipt = desk.receipt()
    path = "/internal/Transfers/incoming/{}/assign"
    assert reader.call("PUT", path.format(receipt.transfer_id), json=body).status_code == 403
    answer = machine(Audience.SYSTEM).call("PUT", path.format(new_id()), json=body)
    assert (answer.status_code, answer.json["code"]) == (404, "transferNotFound")


# -- keeping, asking, filing


def test_what_is_kept_longer_than_allowed_says_why(desk: Desk, officer: Actor) -> None:
    receipt = desk.receipt()
    later = clock.calendar().today(receipt.resolve_by) + timedelta(days=3)
    assert refused(keeping.keep, receipt.transfer_id, until=later, reason="Court", by=officer) == "beyondResolveBy"
    with transaction():
        keeping.keep(receipt.transfer_id, until=later, reason="Court", beyond_reason="The court said so", by=officer)
    assert desk.state(receipt)[1] == "kept"
    with transaction():
        keeping.reopen(receipt.transfer_id, by=officer)
    assert desk.state(receipt)[1] == "open"
    assert refused(keeping.keep, receipt.transfer_id, until=later, reason=" ", by=officer) == "invalid"


def test_what_was_kept_is_open_again_on_its_day(desk: Desk, officer: Actor) -> None:
    receipt = desk.receipt()
    with transaction():
        keeping.keep(receipt.transfer_id, until=clock.calendar().today(), reason="Until tonight", by=officer)
        assert warning.reopen_due(by=system()) == 1
    assert desk.state(receipt)[1] == "open"


def test_the_payer_is_told_nothing_about_clients(desk: Desk, officer: Actor) -> None:
    client = desk.client("Aurelija", "Vaitkutė")
    account = desk.account(client)
    receipt = desk.receipt(remittance=f"for {account.number[-6:]}", name="Jonas Petrauskas")
    with transaction():
        text = asking.letter(receipt.transfer_id, institution="Demo")
    assert "Vaitkut" not in text
    assert "500.00" in text
    for named in (f"Do you mean {client.name}?", f"Do you mean {account.number}?"):
        assert refused(asking.ask_payer, receipt.transfer_id, text=named, by=officer) == "clientNamed"
    with transaction():
        asking.ask_payer(receipt.transfer_id, text=text, by=officer)
    assert desk.state(receipt)[1] == "asked"
    with transaction():
        asking.reply(receipt.transfer_id, text="To Aurelija", by=officer)
    assert desk.state(receipt)[1] == "open"


@pytest.mark.parametrize(
    ("name", "content", "kept", "media_type"),
    [
        ("../../etc/pass\x00wd.pdf", b"%PDF-1.7 ...", "passwd.pdf", "application/pdf"),
        ("C:\\letters\\answer.exe", b"%PDF-1.4", "answer exe.pdf", "application/pdf"),
        ("scan.pdf", b"\x89PNG\r\n\x1a\n....", "scan.png", "image/png"),
        ("photo.jpeg", b"\xff\xd8\xff\xe0", "photo.jpg", "image/jpeg"),
        ("\u202egpj.txt", "Ačiū".encode(), "gpj.txt", "text/plain"),
        ("", b"hello", "file.txt", "text/plain"),
    ],
)
def test_files_are_known_by_what_they_hold(
    desk: Desk, officer: Actor, name: str, content: bytes, kept: str, media_type: str
) -> None:
    with transaction():
        filed = asking.attach(desk.receipt().transfer_id, name=name, content=content, by=officer)
    assert (filed.name, filed.media_type, filed.size) == (kept, media_type, len(content))


@pytest.mark.parametrize("content", [b"", b"MZ\x90\x00", b"\x00\x01", b"PK\x03\x04\xff", b"x" * (5 * 1024 * 1024 + 1)])
def test_other_files_are_not_filed(desk: Desk, officer: Actor, content: bytes) -> None:
    with pytest.raises(Invalid):
        asking.attach(desk.receipt().transfer_id, name="a.pdf", content=content, by=officer)


# -- sending back


def screened(receipt: Receipt, by: Actor, result: ScreeningResult = ScreeningResult.CLEAR) -> None:
    with transaction():
        screening.screen(
            receipt.transfer_id, list_name="EU consolidated", list_version="2026-07-24", result=result,
            note="Another birth date" if result is not ScreeningResult.CLEAR else None, by=by,
        )  # fmt: skip


def sent_back(receipt: Receipt, by: Actor, fee: int = 0, bearer: str | None = None) -> Disposition:
    with transaction():
        return returning.send_back(
            receipt.transfer_id, fee_minor=fee, fee_bearer=bearer, comment="Not ours", late_reason="-", by=by
        )


def test_money_goes_back_after_a_screening_and_to_its_payer_only(desk: Desk, officer: Actor) -> None:
    receipt = desk.receipt()
    assert refused(sent_back, receipt, officer) == "screeningRequired"
    screened(receipt, officer, ScreeningResult.HIT)
    assert refused(sent_back, receipt, officer) == "screeningHit"
    screened(receipt, officer, ScreeningResult.FALSE_POSITIVE)
    decision = sent_back(receipt, officer, fee=5_00, bearer="payer")
    assert desk.state(receipt) == ("returned", "returned", 0)
    back = session().get_one(Transfer, decision.return_transfer_id)
    assert (back.counterparty_account, back.amount_minor, back.fee_minor, back.related_id) == (
        PAYER, 495_00, 5_00, receipt.transfer_id,
    )  # fmt: skip
    assert back.client_id is None
    assert items(receipt) == []


def test_a_fee_that_the_house_bears_is_not_kept_back(desk: Desk, officer: Actor) -> None:
    receipt = desk.receipt()
    screened(receipt, officer)
    decision = sent_back(receipt, officer, fee=5_00, bearer="house")
    assert session().get_one(Transfer, decision.return_transfer_id).amount_minor == 500_00
    assert (decision.fee_minor, decision.fee_bearer) == (5_00, "house")


def test_without_the_payers_account_money_goes_back_only_by_a_provider_that_can(desk: Desk, officer: Actor) -> None:
    receipt = desk.receipt(payer=None)
    screened(receipt, officer)
    assert refused(sent_back, receipt, officer) == "returnNotPossible"
    assert desk.state(receipt) == ("unrecognized", "open", 500_00)


def test_the_provider_that_told_of_it_takes_it_back_by_its_reference(desk: Desk, officer: Actor) -> None:
    with transaction():
        session().get_one(Provider, "bank").kind = "sandbox"
    receipt = desk.receipt(payer=None)
    screened(receipt, officer)
    decision = sent_back(receipt, officer)
    assert desk.state(receipt) == ("returned", "returned", 0)
    assert decision.return_transfer_id
    with transaction():
        asked = submitting.about_to_send(decision.return_transfer_id, by=system())
    assert asked
    assert (asked.returns, asked.creditor_account) == (receipt.transfer_id.hex, "")


def test_no_other_provider_takes_it_back_by_a_reference_it_never_gave(desk: Desk, officer: Actor) -> None:
    with transaction():
        providers.register_provider(key="other", name="Other", kind="sandbox", by=system())
    receipt = desk.receipt(payer=None, provider="other")
    screened(receipt, officer)
    assert refused(sent_back, receipt, officer) == "noProvider"
    assert desk.state(receipt) == ("unrecognized", "open", 500_00)


def test_above_the_limit_two_people_send_back(desk: Desk, officer: Actor, senior: Actor) -> None:
    receipt = desk.receipt(LIMIT + 1)
    screened(receipt, officer)
    assert refused(sent_back, receipt, officer) == "secondPersonRequired"
    with transaction():
        request = returning.ask_to_send_back(
            receipt.transfer_id, fee_minor=0, fee_bearer=None, comment="Not ours", by=officer
        )
    assert desk.state(receipt) == ("unrecognized", "waiting", 0)
    assert decide(request, senior).state == "approved"
    assert desk.state(receipt) == ("returned", "returned", 0)


def test_a_new_search_after_asking_makes_the_request_stale(desk: Desk, officer: Actor, senior: Actor) -> None:
    receipt = desk.receipt(LIMIT + 1)
    screened(receipt, officer)
    with transaction():
        request = returning.ask_to_send_back(
            receipt.transfer_id, fee_minor=0, fee_bearer=None, comment="Not ours", by=officer
        )
    screened(receipt, officer, ScreeningResult.HIT)
    assert decide(request, senior).state == "stale"
    assert desk.state(receipt) == ("unrecognized", "open", LIMIT + 1)


def test_a_return_that_the_bank_refuses_is_open_again_by_the_same_clocks(desk: Desk, officer: Actor) -> None:
    receipt = desk.receipt()
    due = receipt.allocate_by
    screened(receipt, officer)
    decision = sent_back(receipt, officer)
    assert decision.return_transfer_id
    with transaction():
        returning.return_failed(decision.return_transfer_id, code="AC04", by=system())
        returning.return_failed(decision.return_transfer_id, code="AC04", by=system())
    assert desk.state(receipt) == ("unrecognized", "open", 500_00)
    assert items(receipt) == [("notRecognized", due)]
    again = sent_back(receipt, officer)
    assert again.number == 2
    assert again.return_transfer_id
    with transaction():
        returning.return_completed(again.return_transfer_id, by=system())
        returning.return_completed(again.return_transfer_id, by=system())
    assert desk.state(receipt) == ("returned", "returned", 0)


def test_the_causes_are_told(desk: Desk) -> None:
    receipt = desk.receipt(cause=Cause.CREDIT_FROZEN)
    event = session().scalar(sa.select(ReceiptEvent).where(ReceiptEvent.transfer_id == receipt.transfer_id))
    assert event is not None
    assert event.text == "The account that the message names takes no money at present."
    assert [cause for cause, _ in items(receipt)] == ["creditFrozen"]
