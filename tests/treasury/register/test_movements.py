"""Money between the house's own bank accounts: by two people, booked when it leaves, settled when both banks tell."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from lxml import etree

from dashboard import clock
from dashboard.access.actor import Actor, system
from dashboard.access.permissions import Audience, Role
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.database import new_id, session, transaction
from dashboard.errors import Conflict, DomainError, Forbidden, Invalid, Refused
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.queries import balances
from dashboard.ledger.services import accounts, adjusting, days, payments
from dashboard.ledger.vocabulary import AccountType, ParentType
from dashboard.settings import Settings
from dashboard.staff import services as staff
from dashboard.transfers import inbox
from dashboard.transfers.models import IncomingRequest, ProviderFile
from dashboard.transfers.providers.files import Files
from dashboard.transfers.providers.port import Credit, NotSent
from dashboard.transfers.services import providers
from dashboard.transfers.services.incoming import own_money
from dashboard.treasury.movements import outbox, queries, services
from dashboard.treasury.movements.models import OwnMovement
from dashboard.treasury.movements.services import fitting, settling, telling
from dashboard.treasury.movements.vocabulary import MovementKind, MovementState, Way
from dashboard.treasury.register import queries as register
from dashboard.treasury.register.queries import BankAccountView
from dashboard.treasury.register.services import Entry, ask_to_change
from tests.conftest import PASSWORD, People
from tests.transfers.test_iso20022 import camt_file, detail, entry
from tests.transfers.test_sandbox import told as called_back
from tests.treasury.approving import bank_account, registered
from tests.treasury.register.telling import told

MoneyAt = Callable[[BankAccountView, int], None]


@pytest.fixture
def maker(people: People) -> Actor:
    return people.actor(Role.TREASURER)


@pytest.fixture
def senior(people: People) -> Actor:
    return people.actor(Role.SENIOR_TREASURER)


@pytest.fixture
def settings(app: Flask, tmp_path: Path) -> Settings:
    found: Settings = app.extensions["countinghouse.settings"]
    return replace(found, instance_path=tmp_path)


@pytest.fixture
def own(app: Flask, money_at: MoneyAt) -> BankAccountView:
    """The house's own funds, 100.00 EUR of them."""
    view = registered("ownFunds", name="Own funds")
    money_at(view, 100_00)
    return view


@pytest.fixture
def safe(app: Flask) -> BankAccountView:
    return registered(name="Safe")


def asked(
    gives: BankAccountView, takes: BankAccountView, minor: int = 40_00, *, by: Actor, **changes: Any
) -> OwnMovement:
    with transaction():
        return services.ask(
            **{
                "kind": MovementKind.TOP_UP, "from_id": gives.id, "to_id": takes.id, "amount_minor": minor,
                "way": Way.AT_BANK, "reason": "shortfall of yesterday", "by": by, **changes,
            }
        )  # fmt: skip


def request_of(movement: OwnMovement) -> ApprovalRequest:
    found = session().scalars(
        sa.select(ApprovalRequest).where(ApprovalRequest.object_id == movement.id).order_by(ApprovalRequest.id.desc())
    ).first()  # fmt: skip
    assert found is not None
    return found


def approved(movement: OwnMovement, *, by: Actor, approve: bool = True) -> ApprovalRequest:
    with transaction():
        return approvals.decide(request_of(movement).id, approve=approve, reason="because", by=by)


def lies(view: BankAccountView) -> int:
    return fitting.lies_there(view).minor_units


def in_transit(view: BankAccountView) -> int:
    assert view.in_transit_account_id is not None
    return balances.now([view.in_transit_account_id])[view.in_transit_account_id].posted


def refused_by(name: str, statement: str, **values: Any) -> None:
    with pytest.raises(sa.exc.IntegrityError) as caught, session().begin_nested():
        session().execute(sa.text(statement), values)
    assert name in str(caught.value.orig.diag.constraint_name)  # type: ignore[union-attr]


def test_done_at_the_bank_is_booked_through_in_transit_when_another_approves(
    app: Flask, own: BankAccountView, safe: BankAccountView, maker: Actor, senior: Actor
) -> None:
    movement = asked(own, safe, bank_reference="ALPHA 4410", by=maker)
    assert (lies(own), lies(safe)) == (100_00, 0)
    approved(movement, by=senior)
    view = queries.movement(movement.id)
    assert view.state is MovementState.SENT
    assert (lies(own), lies(safe), in_transit(own), in_transit(safe)) == (60_00, 40_00, 0, 0)
    legs = session().execute(sa.text(
        "SELECT d.type || ' ' || (d.bank_account_id = :own) AS debtor, c.type || ' ' || (c.bank_account_id = :own) AS"
        " creditor, t.amount_minor FROM ledger_transaction t JOIN account d ON d.id = t.debtor_account_id"
        " JOIN account c ON c.id = t.creditor_account_id WHERE t.payment_id = :payment ORDER BY t.position"
    ), {"own": own.id, "payment": view.payment_id}).all()  # fmt: skip
    assert [tuple(leg) for leg in legs] == [
        ("inTransit true", "settlement true", 40_00), ("settlement false", "inTransit true", 40_00),
    ]  # fmt: skip


def test_approved_and_done_at_the_bank_later(
    app: Flask, own: BankAccountView, safe: BankAccountView, maker: Actor, senior: Actor
) -> None:
    movement = asked(own, safe, by=maker)
    with pytest.raises(Refused):
        services.done_at_bank(movement.id, bank_reference="ALPHA 1", by=maker)
    approved(movement, by=senior)
    assert queries.movement(movement.id).state is MovementState.APPROVED
    assert lies(own) == 100_00
    for wrong in ("", "A1", "x" * 36, "<script>"):
        with pytest.raises(Invalid):
            services.done_at_bank(movement.id, bank_reference=wrong, by=maker)
    with transaction():
        services.done_at_bank(movement.id, bank_reference="ALPHA 1", by=maker)
    assert lies(own) == 60_00
    with pytest.raises(Refused) as caught:
        services.done_at_bank(movement.id, bank_reference="ALPHA 1", by=maker)
    assert caught.value.code == "invalidState"


def test_the_person_who_asked_does_not_approve_and_nobody_approves_twice(
    app: Flask, own: BankAccountView, safe: BankAccountView, maker: Actor, senior: Actor
) -> None:
    movement = asked(own, safe, bank_reference="ALPHA 1", by=maker)
    with pytest.raises(Forbidden):
        approved(movement, by=maker)
    approved(movement, by=senior)
    with pytest.raises(Conflict) as caught:
        approved(movement, by=senior)
    assert caught.value.code == "alreadyDecided"
    assert lies(own) == 60_00


def test_a_movement_that_is_not_approved_is_dropped_and_says_why(
    app: Flask, own: BankAccountView, safe: BankAccountView, maker: Actor, senior: Actor
) -> None:
    movement = asked(own, safe, bank_reference="ALPHA 1", by=maker)
    approved(movement, by=senior, approve=False)
    view = queries.movement(movement.id)
    assert (view.state, view.ended_because) == (MovementState.DROPPED, f"Rejected by {senior.name}: because")
    withdrawn = asked(own, safe, by=maker)
    approvals.withdraw(request_of(withdrawn).id, by=maker)
    assert queries.movement(withdrawn.id).state is MovementState.DROPPED
    assert lies(own) == 100_00


def test_more_than_lies_there_is_refused_when_asked_and_when_approved(
    app: Flask, own: BankAccountView, safe: BankAccountView, maker: Actor, senior: Actor
) -> None:
    with pytest.raises(Refused) as caught:
        asked(own, safe, 100_01, by=maker)
    assert caught.value.code == "insufficientFunds"
    assert str(caught.value.details["available"]) == "100.00"
    first, second = asked(own, safe, 60_00, by=maker), asked(own, safe, 60_00, by=maker)
    approved(first, by=senior)
    # the first has not left yet, and is promised
    with pytest.raises(Refused) as caught:
        approved(second, by=senior)
    assert caught.value.code == "insufficientFunds"
    assert queries.movement(second.id).state is MovementState.REQUESTED


def test_the_database_lets_nothing_leave_that_does_not_lie_there(
    app: Flask, own: BankAccountView, safe: BankAccountView, maker: Actor, senior: Actor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(fitting, "require_enough", lambda *_args, **_options: None)
    movement = asked(own, safe, 100_01, by=maker, bank_reference="ALPHA 1")
    with pytest.raises(sa.exc.IntegrityError) as caught, session().begin_nested():
        approvals.decide(request_of(movement).id, approve=True, reason=None, by=senior)
    assert caught.value.orig.diag.constraint_name == "own_movement_within_what_lies_there"  # type: ignore[union-attr]


def test_accounts_that_do_not_fit_are_refused(app: Flask, own: BankAccountView, safe: BankAccountView, maker: Actor,
                                              money_at: MoneyAt) -> None:  # fmt: skip
    def code(gives: BankAccountView, takes: BankAccountView, **changes: Any) -> str:
        with pytest.raises(DomainError) as caught:
            asked(gives, takes, by=maker, **changes)
        error = caught.value
        return error.errors[0].rule if isinstance(error, Invalid) else error.code

    zloty, other_pool = registered(currency="pln"), registered(pool="paymentServices")
    settlement = registered("settlement")
    money_at(settlement, 100_00)
    nobody_knows = register.account(bank_account().id)
    assert code(own, own) == "sameAccount"
    assert code(own, zloty) == "currencyMismatch"
    assert code(own, nobody_knows) == "notRegistered"
    assert code(safe, own) == "purposesDoNotFit"
    assert code(settlement, other_pool, kind=MovementKind.SEGREGATION) == "poolsDiffer"
    assert code(own, safe, way=Way.FILE) == "notAllowed"
    assert code(own, safe, minor=0) == "range"
    assert code(own, safe, minor=-5) == "range"
    assert code(own, safe, bank_reference="\x00") == "pattern"
    assert queries.open_movements() == []


def test_a_closed_bank_account_gives_and_takes_nothing(
    app: Flask, own: BankAccountView, safe: BankAccountView, maker: Actor, senior: Actor
) -> None:
    movement = asked(own, safe, bank_reference="ALPHA 1", by=maker)
    entry = Entry("eMoney", "safeguarding", safe.designated_from, None, "camt", safe.expected_at, "LT",
                  clock.calendar().today())  # fmt: skip
    with transaction():
        closing = ask_to_change(safe.id, entry=entry, reason="x", by=maker)
        approvals.decide(closing.id, approve=True, reason=None, by=senior)
    with pytest.raises(Refused) as caught:
        asked(own, safe, by=maker)
    assert caught.value.code == "accountClosed"
    # what was asked before has gone stale
    assert approved(movement, by=senior).state == "stale"
    assert queries.movement(movement.id).state is MovementState.DROPPED


def test_readers_and_machines_move_nothing(app: Flask, own: BankAccountView, safe: BankAccountView,
                                           people: People) -> None:  # fmt: skip
    with pytest.raises(Forbidden):
        asked(own, safe, by=people.actor(Role.AUDITOR))
    with pytest.raises(Refused):
        asked(own, safe, by=system())


# --- by file ---


@pytest.fixture
def by_file(app: Flask, money_at: MoneyAt) -> tuple[BankAccountView, BankAccountView]:
    """Own funds with a bank that takes files, and a safeguarding account, both with IBANs."""
    with transaction():
        providers.register_provider(key="bank-files", name="Bank Files", kind="files", by=system())
        banks = [
            accounts.register_bank_account(provider="bank-files", name=name, number=number, currency="eur", by=system())
            for name, number in (("Own", "LT121000011101001000"), ("Safe", "LT601010012345678901"))
        ]
    own = registered("ownFunds", bank=banks[0])
    money_at(own, 100_00)
    return own, registered(bank=banks[1])


def test_an_approved_movement_leaves_as_one_payment_file(
    app: Flask, by_file: tuple[BankAccountView, BankAccountView], settings: Settings, maker: Actor, senior: Actor
) -> None:
    own, safe = by_file
    movement = asked(own, safe, way=Way.FILE, by=maker)
    assert outbox.send_due(settings, by=system()) == {"sent": 0, "failed": 0, "published": 0}
    approved(movement, by=senior)
    assert lies(own) == 100_00
    assert outbox.send_due(settings, by=system())["sent"] == 1
    assert outbox.send_due(settings, by=system()) == {"sent": 0, "failed": 0, "published": 0}
    [path] = [each for each in (settings.instance_path / "outbox" / "bank-files").iterdir() if each.is_file()]
    document = etree.parse(path).getroot()
    spaces = {"p": etree.QName(document).namespace}

    def said(name: str) -> list[str | None]:
        return [each.text for each in document.findall(f".//p:{name}", spaces)]

    assert said("EndToEndId") == [movement.reference]
    assert said("InstdAmt") == ["40.00"]
    assert said("IBAN") == [own.number, safe.number]
    view = queries.movement(movement.id)
    assert view.state is MovementState.SENT
    file = session().get_one(ProviderFile, view.file_id)
    assert (file.state, file.direction, file.entries) == ("done", "out", 1)
    assert (lies(own), lies(safe)) == (60_00, 40_00)
    with pytest.raises(Refused) as caught:
        services.done_at_bank(movement.id, bank_reference="ALPHA 1", by=maker)
    assert caught.value.code == "invalidState"


def test_what_waits_for_its_file_is_not_done_by_hand_too(
    app: Flask, by_file: tuple[BankAccountView, BankAccountView], maker: Actor, senior: Actor
) -> None:
    movement = asked(*by_file, way=Way.FILE, by=maker)
    approved(movement, by=senior)
    with pytest.raises(Refused) as caught:
        services.done_at_bank(movement.id, bank_reference="ALPHA 1", by=maker)
    assert caught.value.code == "leavesByFile"


def test_a_folder_that_cannot_be_written_keeps_the_money_where_it_is_and_says_so(
    app: Flask, by_file: tuple[BankAccountView, BankAccountView], settings: Settings, maker: Actor, senior: Actor
) -> None:
    own, _ = by_file
    movement = asked(*by_file, way=Way.FILE, by=maker)
    approved(movement, by=senior)
    blocked = settings.instance_path / "outbox"
    blocked.write_text("no folder")
    assert outbox.send_due(settings, by=system())["failed"] == 1
    view = queries.movement(movement.id)
    assert (view.state, lies(own)) == (MovementState.APPROVED, 100_00)
    assert "outbox" in (view.problem or "")
    blocked.unlink()
    assert outbox.send_due(settings, by=system())["sent"] == 1
    assert queries.movement(movement.id).problem is None


def test_one_who_ended_before_publishing_leaves_a_file_that_is_published_once(
    app: Flask, by_file: tuple[BankAccountView, BankAccountView], settings: Settings, maker: Actor, senior: Actor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    movement = asked(*by_file, way=Way.FILE, by=maker)
    approved(movement, by=senior)

    def ended(_self: Files, _name: str) -> bool:
        raise NotSent("killed")

    with monkeypatch.context() as killed:
        killed.setattr(Files, "publish", ended)
        outbox.send_due(settings, by=system())
    assert queries.movement(movement.id).state is MovementState.SENT
    folder = settings.instance_path / "outbox" / "bank-files"
    assert [each for each in folder.iterdir() if each.is_file()] == []
    monkeypatch.setattr(outbox, "LEFT_BEHIND", -outbox.LEFT_BEHIND)
    assert outbox.send_due(settings, by=system()) == {"sent": 0, "failed": 0, "published": 1}
    assert outbox.send_due(settings, by=system()) == {"sent": 0, "failed": 0, "published": 0}
    assert len([each for each in folder.iterdir() if each.is_file()]) == 1


def test_a_movement_is_canceled_before_it_left_and_never_after(
    app: Flask, by_file: tuple[BankAccountView, BankAccountView], settings: Settings, maker: Actor, senior: Actor
) -> None:
    own, _ = by_file
    kept, gone = (asked(*by_file, 20_00, way=Way.FILE, by=maker) for _ in range(2))
    with pytest.raises(Refused):
        services.cancel(kept.id, because="typed wrong", by=maker)
    for each in (kept, gone):
        approved(each, by=senior)
    with pytest.raises(Invalid):
        services.cancel(kept.id, because=" ", by=maker)
    services.cancel(kept.id, because="typed wrong", by=maker)
    outbox.send_due(settings, by=system())
    assert lies(own) == 80_00
    with pytest.raises(Refused) as caught:
        services.cancel(gone.id, because="typed wrong", by=maker)
    assert caught.value.code == "leftAlready"
    with pytest.raises(Refused):
        services.cancel(kept.id, because="again", by=maker)


# --- what banks tell ---


def sent(own: BankAccountView, safe: BankAccountView, maker: Actor, senior: Actor, **changes: Any) -> OwnMovement:
    movement = asked(own, safe, by=maker, **{"bank_reference": "ALPHA 4410", **changes})
    approved(movement, by=senior)
    return movement


def test_both_statement_legs_settle_a_movement_by_reference(
    app: Flask, own: BankAccountView, safe: BankAccountView, maker: Actor, senior: Actor
) -> None:
    movement = sent(own, safe, maker, senior)
    day = clock.calendar().today()
    told(own, -40_00, day, end_to_end_id="SOMETHING ELSE")
    told(own, 40_00, day, provider_reference="ALPHA 4410")
    told(safe, 40_00, day, remittance=f"topup {movement.reference.lower()}", matchable=False)
    assert services.look(by=system()) == {"told": 0, "settled": 0}
    told(own, -40_00, day, provider_reference="ALPHA 4410")
    assert services.look(by=system()) == {"told": 1, "settled": 0}
    assert queries.movement(movement.id).left_on == day
    told(safe, 40_00, day, remittance=f"topup {movement.reference.lower()}")
    assert services.look(by=system()) == {"told": 1, "settled": 1}
    assert services.look(by=system()) == {"told": 0, "settled": 0}
    view = queries.movement(movement.id)
    assert (view.state, view.arrived_on) == (MovementState.SETTLED, day)


def test_one_booking_of_the_bank_is_one_movement(
    app: Flask, own: BankAccountView, safe: BankAccountView, maker: Actor, senior: Actor
) -> None:
    first = sent(own, safe, maker, senior)
    with pytest.raises(Invalid) as caught:
        asked(own, safe, by=maker, bank_reference="ALPHA 4410")
    assert caught.value.errors[0].rule == "taken"
    second = asked(own, safe, by=maker)
    approved(second, by=senior)
    with pytest.raises(Invalid):
        services.done_at_bank(second.id, bank_reference="ALPHA 4410", by=maker)
    refused_by("uq_own_movement_bank_reference", "UPDATE own_movement SET bank_reference = 'ALPHA 4410' WHERE id = :id",
               id=second.id)  # fmt: skip
    services.done_at_bank(second.id, bank_reference="ALPHA 4411", by=maker)
    day = clock.calendar().today()
    # one line that would do for both tells of one
    for view, minor in ((own, -40_00), (safe, 40_00)):
        told(view, minor, day, end_to_end_id="ALPHA 4410", provider_reference="ALPHA 4411")
    assert services.look(by=system()) == {"told": 2, "settled": 1}
    assert queries.movement(first.id).state is MovementState.SETTLED
    assert queries.movement(second.id).left_on is None
    refused_by("uq_own_movement_left_line", "UPDATE own_movement SET left_on = :day, left_line_id ="
               " (SELECT left_line_id FROM own_movement WHERE id = :first) WHERE id = :second",
               day=day, first=first.id, second=second.id)  # fmt: skip


def test_a_movement_is_settled_by_lines_of_its_two_bank_accounts_only(
    app: Flask, own: BankAccountView, safe: BankAccountView, maker: Actor, senior: Actor
) -> None:
    sent(own, safe, maker, senior)
    day = clock.calendar().today()
    told(safe, 39_99, day)
    settle = "UPDATE own_movement SET state = 'settled', ended_at = now(), left_on = :day, arrived_on = :day"
    refused_by("ck_own_movement_told_by_statements", settle, day=day)
    refused_by("own_movement_told_by_its_lines", f"{settle}, left_line_id = l.id, arrived_line_id = l.id"
               " FROM statement_line l", day=day)  # fmt: skip


def test_statements_are_looked_through_once_for_each_import(
    app: Flask, own: BankAccountView, safe: BankAccountView, maker: Actor, senior: Actor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    movement = sent(own, safe, maker, senior)
    day = clock.calendar().today()
    told(own, -1_00, day, end_to_end_id=movement.reference)
    services.look(by=system())
    monkeypatch.setattr(settling, "COMMITTED_WITHIN", timedelta(0))
    first = session().scalar(sa.select(OwnMovement.looked_at))
    services.look(by=system())
    assert session().scalar(sa.select(OwnMovement.looked_at)) == first
    told(own, -40_00, day, end_to_end_id=movement.reference)
    assert services.look(by=system()) == {"told": 1, "settled": 0}


def test_references_of_both_legs_are_there_to_be_matched(
    app: Flask, own: BankAccountView, safe: BankAccountView, maker: Actor, senior: Actor
) -> None:
    movement = sent(own, safe, maker, senior)
    asked(own, safe, 1_00, by=maker)
    rows = session().execute(sa.text(f"SELECT * FROM ({queries.references_sql()}) AS r")).all()
    payment = queries.movement(movement.id).payment_id
    assert sorted(map(tuple, rows)) == sorted([(payment, movement.reference), (payment, "ALPHA 4410")])
    assert len(queries.open_movements("eMoney", "eur")) == 2
    assert queries.open_movements("paymentServices", "eur") == []


def test_a_credit_that_is_a_movement_arriving_is_no_receipt(
    app: Flask, own: BankAccountView, safe: BankAccountView, maker: Actor, senior: Actor
) -> None:
    movement = sent(own, safe, maker, senior)
    credit = Credit(provider=safe.provider, provider_reference="X1", currency="eur", amount_minor=40_00,
                    creditor_account=safe.number, booked_at=clock.now(),
                    remittance=f"topup {movement.reference.lower()}")  # fmt: skip
    assert own_money.is_ours(credit)
    assert own_money.is_ours(replace(credit, remittance=None, end_to_end_id="ALPHA 4410"))
    for other in ({"remittance": "topup"}, {"amount_minor": 40_01}, {"currency": "pln"}, {"provider": "elsewhere"},
                  {"reversal": True}):  # fmt: skip
        assert not own_money.is_ours(replace(credit, **other)), other


def test_an_arriving_movement_is_no_receipt_whoever_tells_of_it(
    app: Flask, own: BankAccountView, safe: BankAccountView, maker: Actor, senior: Actor, machine: Callable[..., Any],
    http: Any,
) -> None:  # fmt: skip
    with transaction():
        providers.register_provider(key=safe.provider, name="Bank", kind="sandbox", by=system())
    movement = sent(own, safe, maker, senior)
    message = {
        "provider": safe.provider, "providerReference": "X1", "amount": 40.0, "currency": "eur",
        "creditorAccountNumber": safe.number, "endToEndId": movement.reference, "bookedAt": clock.now().isoformat(),
    }  # fmt: skip
    teller = machine(Audience.SYSTEM)
    for _ in range(2):
        answer = teller.call("POST", "/internal/IncomingRequests", json=message)
        assert (answer.status_code, answer.get_json()["code"]) == (422, "ownMovement")
    message = {"kind": "credit", "reference": "X2", "amount": 40.0, "currency": "eur",
               "creditorAccount": safe.number, "endToEndId": movement.reference,
               "bookedAt": clock.now().isoformat()}  # fmt: skip
    assert called_back(http, message, key=safe.provider).status_code == 200
    assert lies(safe) == 40_00
    assert session().scalars(sa.select(IncomingRequest.id)).all() == []


def test_a_clients_credit_is_not_taken_for_a_movement_by_what_it_says(
    app: Flask, own: BankAccountView, safe: BankAccountView, maker: Actor, senior: Actor
) -> None:
    movement = sent(own, safe, maker, senior)
    other = registered(name="Other")
    day = clock.calendar().today()
    credit = Credit(provider=safe.provider, provider_reference="X1", currency="eur", amount_minor=40_00,
                    creditor_account=safe.number, booked_at=clock.now(), end_to_end_id="ALPHA 4410")  # fmt: skip
    assert own_money.is_ours(credit)
    assert not own_money.is_ours(replace(credit, creditor_account=other.number))
    assert not own_money.is_ours(replace(credit, creditor_account=other.number, end_to_end_id=movement.reference))
    assert not own_money.is_ours(replace(credit, creditor_account=None))
    told(safe, 40_00, day, end_to_end_id="ALPHA 4410")
    services.look(by=system())
    # the same booking told again, by a notification say; weeks later it is another one
    later = replace(credit, booked_at=credit.booked_at + timedelta(days=20))
    assert own_money.is_ours(credit)
    assert not own_money.is_ours(later)
    assert own_money.is_ours(replace(later, end_to_end_id=movement.reference))


def test_a_bank_that_tells_of_an_arriving_movement_has_it_booked_once(
    app: Flask, by_file: tuple[BankAccountView, BankAccountView], settings: Settings, maker: Actor, senior: Actor,
    tmp_path: Path,
) -> None:  # fmt: skip
    _, safe = by_file
    movement = asked(*by_file, way=Way.FILE, by=maker)
    approved(movement, by=senior)
    outbox.send_due(settings, by=system())
    entries = entry("40.00", ref="B-1", details=detail("40.00", end_to_end=movement.reference)) + entry(
        "13.00", ref="B-2", details=detail("13.00")
    )
    folder = settings.instance_path / "inbox" / "bank-files"
    for name in (inbox.DONE, inbox.FAILED):
        (folder / name).mkdir(parents=True)
    # without the lock of a provider's inbox, which needs a connection of its own
    inbox._read_file("bank-files", camt_file(folder, entries, account=safe.number), by=system(), stop=None)
    told_of = session().scalars(sa.select(IncomingRequest.amount_minor)).all()
    assert told_of == [13_00]
    assert lies(safe) == 40_00


def test_what_the_bank_refused_is_booked_back_by_two(
    app: Flask, own: BankAccountView, safe: BankAccountView, maker: Actor, senior: Actor
) -> None:
    movement = sent(own, safe, maker, senior)
    with transaction():
        services.ask_to_book_back(movement.id, because="AC04", by=maker)
    assert lies(own) == 60_00
    approved(movement, by=senior)
    view = queries.movement(movement.id)
    assert (view.state, view.ended_because) == (MovementState.REFUSED, "AC04")
    assert (lies(own), lies(safe), in_transit(own)) == (100_00, 0, 0)


def test_a_movement_whose_file_is_not_out_yet_is_not_booked_back(
    app: Flask, by_file: tuple[BankAccountView, BankAccountView], settings: Settings, maker: Actor, senior: Actor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    movement = asked(*by_file, way=Way.FILE, by=maker)
    approved(movement, by=senior)

    def ended(_self: Files, _name: str) -> bool:
        raise NotSent("killed")

    with monkeypatch.context() as killed:
        killed.setattr(Files, "publish", ended)
        outbox.send_due(settings, by=system())
    with pytest.raises(Refused) as caught:
        services.ask_to_book_back(movement.id, because="never left", by=maker)
    assert caught.value.code == "fileNotOut"
    with pytest.raises(sa.exc.IntegrityError) as refused, session().begin_nested(), monkeypatch.context() as unasked:
        unasked.setattr(telling, "_require_refusable", lambda _movement: None)
        services.ask_to_book_back(movement.id, because="never left", by=maker)
        approved(movement, by=senior)
    assert refused.value.orig.diag.constraint_name == "own_movement_file_is_out"  # type: ignore[union-attr]
    monkeypatch.setattr(outbox, "LEFT_BEHIND", -outbox.LEFT_BEHIND)
    assert outbox.send_due(settings, by=system())["published"] == 1
    # what the bank has, it can refuse
    with transaction():
        services.ask_to_book_back(movement.id, because="AC04", by=maker)
    approved(movement, by=senior)
    assert queries.movement(movement.id).state is MovementState.REFUSED


def test_what_a_statement_shows_is_not_booked_back(
    app: Flask, own: BankAccountView, safe: BankAccountView, maker: Actor, senior: Actor
) -> None:
    movement = sent(own, safe, maker, senior)
    with transaction():
        services.ask_to_book_back(movement.id, because="AC04", by=maker)
    told(own, -40_00, clock.calendar().today(), end_to_end_id=movement.reference)
    services.look(by=system())
    assert approved(movement, by=senior).state == "stale"
    with pytest.raises(Refused) as caught:
        services.ask_to_book_back(movement.id, because="AC04", by=maker)
    assert caught.value.code == "bankDidIt"


def test_the_ledger_alone_does_not_reverse_a_movement(
    app: Flask, own: BankAccountView, safe: BankAccountView, maker: Actor, senior: Actor
) -> None:
    movement = sent(own, safe, maker, senior)
    payment = queries.movement(movement.id).payment_id
    assert payment is not None
    with pytest.raises(Refused) as caught:
        adjusting.ask_to_reverse(payment, reason="x", by=maker)
    assert caught.value.code == "belongsElsewhere"
    with pytest.raises(sa.exc.IntegrityError) as refused, session().begin_nested():
        payments.reverse(payment, reason="x", by=system())
        session().execute(sa.text("SET CONSTRAINTS ALL IMMEDIATE"))
    assert refused.value.orig.diag.constraint_name == "reversal_agrees_with_movement"  # type: ignore[union-attr]


# --- what the database refuses ---


def test_the_database_keeps_a_movement_as_it_was_asked(
    app: Flask, own: BankAccountView, safe: BankAccountView, maker: Actor, senior: Actor
) -> None:
    asked(own, safe, by=maker)
    as_asked = "own_movement_is_as_asked"
    refused_by(as_asked, "UPDATE own_movement SET amount_minor = amount_minor + 1")
    refused_by(as_asked, "UPDATE own_movement SET to_bank_account_id = from_bank_account_id")
    refused_by(as_asked, "UPDATE own_movement SET reference = 'OWN1'")
    refused_by("own_movement_goes_forward", "UPDATE own_movement SET state = 'sent', sent_at = now()")
    refused_by("own_movement_approved_by_two",
               "UPDATE own_movement SET state = 'approved', approved_at = now(), approval_id ="
               " (SELECT id FROM approval_request WHERE object_id = own_movement.id)")  # fmt: skip
    with pytest.raises(sa.exc.DBAPIError), session().begin_nested():
        session().execute(sa.text("DELETE FROM own_movement"))


def test_the_database_takes_two_equal_legs_only(
    app: Flask, own: BankAccountView, safe: BankAccountView, maker: Actor, senior: Actor, money_at: MoneyAt
) -> None:
    movement = asked(own, safe, by=maker)
    approved(movement, by=senior)
    other = session().scalar(sa.text("SELECT id FROM payment LIMIT 1"))
    leave = (
        "UPDATE own_movement SET state = 'sent', sent_at = now(), bank_reference = 'ALPHA 1', payment_id = :payment"
        " WHERE id = :id"
    )
    refused_by("own_movement_two_equal_legs", leave, payment=other, id=movement.id)

    def paid(first: int, second: int) -> UUID:
        assert own.in_transit_account_id and own.settlement_account_id and safe.settlement_account_id
        order = Order(ParentType.PAYMENT_REQUEST, movement.id, [
            Leg(own.in_transit_account_id, own.settlement_account_id, first, "eur"),
            Leg(safe.settlement_account_id, own.in_transit_account_id, second, "eur"),
        ], purpose=f"p{new_id().hex[-6:]}")  # fmt: skip
        payments.pay(order, by=system())
        return order.id

    for amounts in ((40_00, 39_99), (39_99, 39_99)):
        refused_by("own_movement_two_equal_legs", leave, payment=paid(*amounts), id=movement.id)


def test_the_database_lets_a_movement_begin_as_a_request_only(app: Flask, own: BankAccountView,
                                                               safe: BankAccountView) -> None:  # fmt: skip
    insert = (
        "INSERT INTO own_movement (id, kind, from_bank_account_id, to_bank_account_id, currency, amount_minor, way,"
        " reference, state, created_at, maker_id, maker_name, ended_at, ended_because) VALUES (gen_random_uuid(),"
        " :kind, :gives, :takes, :currency, :amount, 'atBank', 'OWN1', :state, now(), gen_random_uuid(), 'x', :at,"
        " :why)"
    )
    good = {"kind": "topUp", "gives": own.id, "takes": safe.id, "currency": "eur", "amount": 1, "state": "requested",
            "at": None, "why": None}  # fmt: skip
    for name, changes in (
        ("own_movement_begins_as_a_request", {"state": "dropped", "at": clock.now(), "why": "x"}),
        ("own_movement_fits_the_register", {"takes": own.id}),
        ("fk_own_movement_from", {"currency": "pln"}),
        ("ck_own_movement_amount_in_range", {"amount": 0}),
        ("own_movement_fits_the_register", {"kind": "sweep"}),
        ("own_movement_fits_the_register", {"takes": registered("settlement").id}),
    ):
        refused_by(name, insert, **{**good, **changes})


# --- at once ---


def test_two_movements_approved_at_once_never_take_more_than_lies_there(committed: Flask) -> None:
    with transaction():
        days.open_first(clock.calendar().add_days(clock.calendar().today(), 0), by=system())
        maker, *seniors = (
            staff.actor_of(
                staff.create_member(email=f"{name}@test.example", role=role, password=PASSWORD, name=name, by=system())
            )
            for name, role in zip(
                ("maker", "one", "two"), (Role.TREASURER, Role.SENIOR_TREASURER, Role.SENIOR_TREASURER), strict=True
            )
        )
    own, safe = registered("ownFunds"), registered()
    with transaction():
        client = new_id()
        accounts.register_owner(client)
        account = accounts.open_account(type=AccountType.CLIENT, currency="eur", owner_id=client, by=system())
        assert own.settlement_account_id is not None
        payments.pay(Order(ParentType.TRANSFER, new_id(), [Leg(own.settlement_account_id, account.id, 100_00, "eur")]),
                     by=system())  # fmt: skip
    movements = [asked(own, safe, 60_00, bank_reference=f"ALPHA {n}", by=maker) for n in range(2)]
    ids = [request_of(movement).id for movement in movements]
    session().rollback()
    said: list[str] = []
    barrier = threading.Barrier(2)

    def approve(request_id: UUID, by: Actor) -> None:
        with committed.app_context():
            barrier.wait()
            try:
                with transaction():
                    approvals.decide(request_id, approve=True, reason=None, by=by)
                said.append("approved")
            except DomainError as refusal:
                said.append(refusal.code)

    threads = [threading.Thread(target=approve, args=pair) for pair in zip(ids, seniors, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["approved", "insufficientFunds"]
    assert lies(own) == 40_00
