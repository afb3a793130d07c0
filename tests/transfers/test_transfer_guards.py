"""What the database itself refuses of transfers, whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from flask import Flask

from dashboard import clock
from dashboard.access.actor import system
from dashboard.access.permissions import Audience, Role
from dashboard.database import db, new_id, session, transaction
from dashboard.errors import Refused
from dashboard.ledger.moving import Leg, Order
from dashboard.ledger.services import payments
from dashboard.ledger.vocabulary import AccountType, ParentType
from dashboard.settings import Settings
from tests.clients.making import person
from tests.conftest import Databases, People
from tests.ledger.committing import application
from tests.ledger.conftest import Book
from tests.ledger.test_database_guards import Asking

TRANSFER = (
    "INSERT INTO transfer (id, kind, status, type, client_id, account_id, currency, amount_minor, payment_id,"
    " end_to_end_id, counterparty_account, created_at, maker_kind, maker_name)"
    " VALUES (%(id)s, %(kind)s, %(status)s, %(type)s, %(client)s, %(account)s, 'eur', %(amount)s, %(payment)s,"
    " %(reference)s, %(payer)s, now(), 'system', 'test')"
)


@dataclass
class Standing:
    """A client with 100.00 EUR, and the house's accounts."""

    client: UUID
    account: UUID
    settlement: UUID
    suspense: UUID

    def payment(
        self, debtor: UUID, creditor: UUID, amount: int, parent: UUID, *, hold: bool = False, purpose: str = "main"
    ) -> UUID:
        order = Order(ParentType.TRANSFER, parent, [Leg(debtor, creditor, amount, "eur")], purpose=purpose)
        with transaction():
            (payments.hold if hold else payments.pay)(order, by=system())
        return order.id


@pytest.fixture(scope="module")
def house(databases: Databases, configured: Settings) -> Iterator[tuple[Flask, Standing]]:
    with application(databases, configured) as app, app.app_context():
        book = Book()
        with transaction():
            client_id = person(system()).id
        account = book.account(10_000, owner=client_id)
        standing = Standing(client_id, account, book.house(), book.house(type=AccountType.SUSPENSE))
        yield app, standing


@pytest.fixture
def standing(house: tuple[Flask, Standing]) -> Iterator[Standing]:
    with house[0].app_context():
        yield house[1]
        session().rollback()


@pytest.fixture
def asking(standing: Standing, databases: Databases) -> Iterator[Asking]:
    """As the owner of the tables: what stops it stops everybody."""
    name = db.engine.url.database
    assert name
    with psycopg.connect(databases.owner_url(name).replace("+psycopg", ""), autocommit=True) as connection:
        yield Asking(connection)


def _made(asking: Asking, standing: Standing, **said: Any) -> UUID:
    values = {
        "id": new_id(), "kind": "outgoing", "status": "awaitingConfirmation", "type": "sepa",
        "client": standing.client, "account": standing.account, "amount": 500, "payment": None,
        "reference": uuid4().hex, "payer": None, **said,
    }  # fmt: skip
    asking.connection.execute(TRANSFER.encode(), values)
    return values["id"]


def _refused(asking: Asking, statement: str, *values: Any) -> str:
    return asking.refused_as(statement, *values)


def test_a_transfer_is_not_confirmed_before_its_money_is_held(asking: Asking, standing: Standing) -> None:
    transfer = _made(asking, standing)
    wanted = "UPDATE transfer SET status = 'confirmed' WHERE id = %s"
    assert _refused(asking, wanted, transfer) == "transfer_agrees_with_ledger"
    held = standing.payment(standing.account, standing.settlement, 500, transfer, hold=True)
    asking.connection.execute("UPDATE transfer SET payment_id = %s, status = 'confirmed' WHERE id = %s",
                              (held, transfer))  # fmt: skip


def test_a_transfer_is_not_completed_while_its_money_is_only_held(asking: Asking, standing: Standing) -> None:
    transfer = _made(asking, standing)
    held = standing.payment(standing.account, standing.settlement, 500, transfer, hold=True)
    asking.connection.execute("UPDATE transfer SET payment_id = %s, status = 'confirmed' WHERE id = %s",
                              (held, transfer))  # fmt: skip
    asking.connection.execute("UPDATE transfer SET status = 'submitted' WHERE id = %s", (transfer,))
    wanted = "UPDATE transfer SET status = 'completed' WHERE id = %s"
    assert _refused(asking, wanted, transfer) == "transfer_agrees_with_ledger"
    assert _refused(asking, wanted.replace("completed", "rejected"), transfer) == "transfer_agrees_with_ledger"


@pytest.mark.parametrize("status", ["submitted", "completed", "returned", "unrecognized", "manualReview"])
def test_a_transfer_that_awaits_confirmation_skips_no_step(asking: Asking, standing: Standing, status: str) -> None:
    transfer = _made(asking, standing)
    refused = _refused(asking, "UPDATE transfer SET status = %s WHERE id = %s", status, transfer)
    assert refused == "transfer_status_goes_forward"


def test_nobody_passes_the_provider_by_hand_alone(asking: Asking, standing: Standing) -> None:
    transfer = _made(asking, standing)
    held = standing.payment(standing.account, standing.settlement, 500, transfer, hold=True)
    asking.connection.execute("UPDATE transfer SET payment_id = %s, status = 'confirmed' WHERE id = %s",
                              (held, transfer))  # fmt: skip
    with pytest.raises(Exception, match="executing by hand needs two people"), transaction():
        payments.post(held, by=system())
        session().execute(db.text("UPDATE transfer SET status = 'completed' WHERE id = :id"), {"id": transfer})
    session().rollback()


@pytest.mark.parametrize(
    "change",
    ["amount_minor = 1", "fee_minor = 7", "currency = 'usd'", "counterparty_key = 'X'", "remittance = 'other'",
     "kind = 'incoming'", "end_to_end_id = 'other'", "client_id = NULL", "counterparty_account = 'MALLORY'",
     "counterparty_name = 'Mallory'", "counterparty_bic = 'MALLORYX'", "counter_account_id = account_id",
     "type = 'swift'"],
)  # fmt: skip
def test_what_was_confirmed_is_never_changed_afterwards(asking: Asking, standing: Standing, change: str) -> None:
    transfer = _made(asking, standing)
    refused = _refused(asking, f"UPDATE transfer SET {change} WHERE id = %s", transfer)
    assert refused == "transfer_is_as_made"


def test_incoming_money_does_not_change_its_owner_by_the_way(asking: Asking, standing: Standing) -> None:
    transfer = new_id()
    paid = standing.payment(standing.settlement, standing.account, 500, transfer)
    _made(asking, standing, id=transfer, kind="incoming", status="completed", payment=paid)
    refused = _refused(asking, "UPDATE transfer SET account_id = %s WHERE id = %s", standing.suspense, transfer)
    assert refused == "transfer_is_as_made"


def test_incoming_money_that_no_payment_booked_is_no_transfer(asking: Asking, standing: Standing) -> None:
    values = {"id": new_id(), "kind": "incoming", "status": "completed", "type": None, "client": standing.client,
              "account": standing.account, "amount": 500, "payment": None, "reference": None,
              "payer": None}  # fmt: skip
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation) as refusal:
        asking.connection.execute(TRANSFER.encode(), values)
    assert refusal.value.diag.constraint_name == "transfer_agrees_with_ledger"


class Desk:
    """One receipt of 500 on suspense, and what may be decided about it."""

    def __init__(self, asking: Asking, standing: Standing, amount: int = 500, payer: str | None = None) -> None:
        self.asking, self.standing, self.amount = asking, standing, amount
        self.transfer = new_id()
        paid = standing.payment(standing.settlement, standing.suspense, amount, self.transfer)
        with asking.connection.transaction():
            _made(asking, standing, id=self.transfer, kind="incoming", status="unrecognized", payment=paid,
                  client=None, account=standing.suspense, amount=amount, payer=payer)  # fmt: skip
            asking.connection.execute(
                "INSERT INTO receipt (transfer_id, currency, amount_minor, remaining_minor, suspense_account_id, cause,"
                " booked_at, allocate_by, resolve_by, warn_at) VALUES (%s, 'eur', %s, %s, %s, 'notRecognized', now(),"
                " now(), now(), now())",
                (self.transfer, amount, amount, standing.suspense),
            )

    def values(self, **said: Any) -> tuple[str, list[Any]]:
        columns = {
            "id": new_id(), "transfer_id": self.transfer, "number": 1, "kind": "assign", "state": "posted",
            "currency": "eur", "amount_minor": self.amount, "client_id": self.standing.client,
            "account_id": self.standing.account, "shown": "{}", "rules_version": "1", "made_at": clock.now(),
            "made_by_kind": "staff", "made_by_id": new_id(), "made_by_name": "test", **said,
        }  # fmt: skip
        places = ", ".join(["%s"] * len(columns))
        return f"INSERT INTO disposition ({', '.join(columns)}) VALUES ({places})", list(columns.values())

    def decided(self, **said: Any) -> str:
        statement, values = self.values(**said)
        return _refused(self.asking, statement, *values)

    def sent_back(self, **said: Any) -> tuple[UUID, UUID]:
        """A transfer of the house that gives the money back, and its payment, as if the desk had decided it."""
        back, house = new_id(), self.asking.connection
        house.execute("ALTER TABLE transfer DISABLE TRIGGER transfer_of_house_is_a_return")
        try:
            _made(self.asking, self.standing, id=back, client=None, account=self.standing.suspense, amount=self.amount)
            house.execute("ALTER TABLE transfer DISABLE TRIGGER transfer_guard")
            house.execute("UPDATE transfer SET related_id = %s, counterparty_account = %s WHERE id = %s",
                          (self.transfer, said.get("to"), back))  # fmt: skip
            house.execute("ALTER TABLE transfer ENABLE TRIGGER transfer_guard")
        finally:
            house.execute("ALTER TABLE transfer ENABLE TRIGGER transfer_of_house_is_a_return")
        paid = self.standing.payment(self.standing.suspense, self.standing.settlement, self.amount, back, hold=True)
        house.execute("UPDATE transfer SET payment_id = %s, status = 'confirmed' WHERE id = %s", (paid, back))
        return back, paid

    def assigned(self, number: int = 1) -> UUID:
        return self.standing.payment(
            self.standing.suspense, self.standing.account, self.amount, self.transfer, purpose=f"disposition-{number}"
        )


@pytest.fixture
def desk(asking: Asking, standing: Standing) -> Desk:
    return Desk(asking, standing)


def test_a_decision_without_its_payment_is_none(desk: Desk) -> None:
    other = desk.standing.payment(desk.standing.settlement, desk.standing.suspense, 500, new_id())
    assert desk.decided() == "disposition_agrees_with_ledger"
    assert desk.decided(payment_id=other) == "disposition_agrees_with_ledger"


def test_above_the_limit_a_decision_takes_two_people(asking: Asking, standing: Standing) -> None:
    big = Desk(asking, standing, amount=1_000_001)
    assert big.decided(payment_id=big.assigned()) == "disposition_by_two"


def test_nothing_is_decided_by_itself_without_a_rule_of_two_people(desk: Desk) -> None:
    refused = desk.decided(payment_id=desk.assigned(), made_by_kind="system", made_by_id=None)
    assert refused == "disposition_by_itself_has_a_rule"


def test_money_goes_back_only_after_a_screening_without_a_hit(desk: Desk) -> None:
    back, paid = desk.sent_back()
    said = {"kind": "return", "client_id": None, "account_id": None, "payment_id": paid, "return_transfer_id": back}
    assert desk.decided(**said) == "disposition_return_is_screened"
    for result, refused in (("clear", "receipt_remaining_is_true"), ("hit", "disposition_return_is_screened")):
        desk.asking.connection.execute(
            "INSERT INTO screening (id, transfer_id, list_name, list_version, result, at, by_kind, by_name)"
            " VALUES (%s, %s, 'EU', '1', %s, now(), 'staff', 'test')",
            (new_id(), desk.transfer, result),
        )
        # after a clear one only the receipt itself, which still shows all of its money, speaks against it
        assert desk.decided(**said) == refused


def test_a_receipt_shows_no_money_that_a_decision_has_taken(desk: Desk) -> None:
    assert desk.decided(payment_id=desk.assigned()) == "receipt_remaining_is_true"
    assert (
        _refused(desk.asking, "UPDATE receipt SET remaining_minor = 0 WHERE transfer_id = %s", desk.transfer)
        == "receipt_remaining_is_true"
    )


def test_a_receipt_has_one_living_decision(desk: Desk) -> None:
    statement, values = desk.values(payment_id=desk.assigned())
    with desk.asking.connection.transaction():
        desk.asking.connection.execute(statement.encode(), values)
        desk.asking.connection.execute(
            "UPDATE receipt SET remaining_minor = 0, state = 'assigned' WHERE transfer_id = %s", (desk.transfer,)
        )
    assert desk.decided(payment_id=desk.assigned(2), number=2) == "uq_disposition_live"


@pytest.mark.parametrize("change", ["allocate_by = now() + interval '1 day'", "resolve_by = now() + interval '1 day'",
                                    "amount_minor = 400", "booked_at = now()"])  # fmt: skip
def test_no_deadline_and_no_amount_of_a_receipt_is_moved(desk: Desk, change: str) -> None:
    refused = _refused(desk.asking, f"UPDATE receipt SET {change} WHERE transfer_id = %s", desk.transfer)
    assert refused == "receipt_is_as_received"


def test_a_rule_that_posts_by_itself_takes_two_people(desk: Desk) -> None:
    rule = new_id()
    desk.asking.connection.execute(
        "INSERT INTO payer_rule (id, payer_key, payer_name, currency, client_id, account_id, reason, created_at,"
        " created_by) VALUES (%s, %s, 'Payer', 'eur', %s, %s, 'pays weekly', now(), 'test')",
        (rule, rule.hex, desk.standing.client, desk.standing.account),
    )
    assert _refused(desk.asking, "UPDATE payer_rule SET state = 'active' WHERE id = %s", rule) == "payer_rule_by_two"


@pytest.mark.parametrize("table", ["transfer_status_change", "transfer_check", "provider_message", "receipt_event",
                                   "screening", "fx_rate", "fx_quote", "receipt_file",
                                   "transfer_document"])  # fmt: skip
def test_evidence_of_transfers_is_neither_changed_nor_removed(asking: Asking, table: str) -> None:
    assert _refused(asking, f"DELETE FROM {table}") == f"{table}_is_append_only"
    assert _refused(asking, f"TRUNCATE {table} CASCADE").endswith("_is_append_only")


@pytest.mark.parametrize("table", ["transfer", "recipient", "receipt", "disposition", "incoming_request", "submission"])
def test_no_transfer_disappears(asking: Asking, table: str) -> None:
    assert _refused(asking, f"DELETE FROM {table}") == f"{table}_is_never_deleted"


def test_a_transfer_is_not_paid_by_another_payment_or_a_smaller_one(asking: Asking, standing: Standing) -> None:
    transfer = _made(asking, standing)
    wanted = "UPDATE transfer SET payment_id = %s, status = 'confirmed' WHERE id = %s"
    small = standing.payment(standing.account, standing.settlement, 1, transfer, hold=True)
    foreign = standing.payment(standing.account, standing.settlement, 500, new_id(), hold=True)
    for paid in (small, foreign):
        assert _refused(asking, wanted, paid, transfer) == "transfer_payment_is_its_own"
    with transaction():
        payments.cancel(small, by=system())
        payments.cancel(foreign, by=system())


def test_money_that_somebody_else_got_is_nobodys_incoming_transfer(asking: Asking, standing: Standing) -> None:
    paid = standing.payment(standing.settlement, standing.account, 500, new_id())
    values = {"id": new_id(), "kind": "incoming", "status": "completed", "type": None, "client": standing.client,
              "account": standing.account, "amount": 500, "payment": paid, "reference": None,
              "payer": None}  # fmt: skip
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation) as refusal:
        asking.connection.execute(TRANSFER.encode(), values)
    assert refusal.value.diag.constraint_name == "transfer_payment_is_its_own"


def test_the_house_sends_nothing_but_returns(asking: Asking, standing: Standing) -> None:
    values = {"id": new_id(), "kind": "outgoing", "status": "awaitingConfirmation", "type": "sepa", "client": None,
              "account": standing.suspense, "amount": 500, "payment": None, "reference": uuid4().hex,
              "payer": None}  # fmt: skip
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation) as refusal:
        asking.connection.execute(TRANSFER.encode(), values)
    assert refusal.value.diag.constraint_name == "transfer_of_house_is_a_return"


def test_money_goes_back_to_nobody_but_its_payer(asking: Asking, standing: Standing) -> None:
    desk = Desk(asking, standing, payer="LT601010012345678901")
    asking.connection.execute(
        "INSERT INTO screening (id, transfer_id, list_name, list_version, result, at, by_kind, by_name)"
        " VALUES (%s, %s, 'EU', '1', 'clear', now(), 'staff', 'test')",
        (new_id(), desk.transfer),
    )
    back, paid = desk.sent_back(to="LT947300010000000666")
    said = {"kind": "return", "client_id": None, "account_id": None, "payment_id": paid}
    assert desk.decided(**said, return_transfer_id=back) == "disposition_returns_to_the_payer"
    assert desk.decided(**said) == "disposition_returns_to_the_payer"


@pytest.mark.parametrize(
    "purpose, parent", [("main", "new"), ("other", "receipt"), ("disposition-1", "new"), ("main", "transfer")]
)
def test_what_lies_on_suspense_leaves_it_by_the_desk_alone(
    asking: Asking, standing: Standing, desk: Desk, purpose: str, parent: str
) -> None:
    parents = {"new": new_id(), "receipt": desk.transfer, "transfer": _made(asking, standing)}
    with pytest.raises(Refused) as refused:
        standing.payment(standing.suspense, standing.account, 500, parents[parent], purpose=purpose)
    session().rollback()
    assert refused.value.code == "adjustingOnly"


@pytest.mark.parametrize(
    "change",
    ["recipient SET account_key = 'MALLORY'", "recipient SET name = 'Mallory'",
     "client_reference SET account_id = account_id", "client_reference SET reference_key = 'MALLORY'",
     "submission SET provider = 'other'", "incoming_request SET debtor_account = 'MALLORY'",
     "incoming_request SET bank_references = '{}'", "receipt SET suspense_account_id = suspense_account_id"],
)  # fmt: skip
def test_the_application_does_not_redirect_money(standing: Standing, change: str) -> None:
    with pytest.raises(Exception, match="permission denied"):
        session().execute(db.text(f"UPDATE {change}"))
    session().rollback()


def test_the_application_cannot_move_its_own_limits(standing: Standing) -> None:
    with pytest.raises(Exception, match="a rule is changed by two people"):
        session().execute(db.text("UPDATE desk_limit SET two_people_above_minor = 99999999999"))
    session().rollback()


def test_an_undo_within_the_limit_needs_one_person_and_above_it_two(
    asking: Asking, standing: Standing, house: tuple[Flask, Standing]
) -> None:
    officer = People().actor(Role.OFFICER)
    for amount, refused in ((500, None), (1_000_001, "payment_adjusting_needs_approval")):
        desk = Desk(asking, standing, amount=amount)
        paid = desk.assigned()
        order = payments.mirrored(paid, reason="wrong client")
        statement, values = desk.values(payment_id=paid)
        # the owner's hand writes the big decision, as if two people had made it
        with asking.connection.transaction():
            asking.connection.execute("ALTER TABLE disposition DISABLE TRIGGER disposition_guard")
            asking.connection.execute(statement.encode(), values)
            asking.connection.execute(
                "UPDATE receipt SET remaining_minor = 0, state = 'assigned' WHERE transfer_id = %s", (desk.transfer,)
            )
            # deferred questions are answered before the table is altered again
            asking.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
            asking.connection.execute("ALTER TABLE disposition ENABLE TRIGGER disposition_guard")
        from dashboard.ledger import moving
        from dashboard.ledger.vocabulary import PaymentState

        if refused is None:
            with transaction():
                moved = moving.create([order], PaymentState.POSTED, by=officer, follows=True)
                for undone in (
                    "UPDATE disposition SET state = 'undone', undo_payment_id = :undo WHERE transfer_id = :id",
                    "UPDATE receipt SET state = 'open', remaining_minor = amount_minor WHERE transfer_id = :id",
                ):
                    session().execute(db.text(undone), {"undo": order.id, "id": desk.transfer})
            assert [outcome.code for outcome in moved.outcomes] == [None]
        else:
            with pytest.raises(Exception, match="two people"), transaction():
                moving.create([order], PaymentState.POSTED, by=officer, follows=True)
            session().rollback()


def test_the_ledger_alone_does_not_cancel_what_a_transfer_holds(
    asking: Asking, standing: Standing, house: tuple[Flask, Standing]
) -> None:
    transfer = _made(asking, standing, amount=100)
    held = standing.payment(standing.account, standing.settlement, 100, transfer, hold=True)
    asking.connection.execute("UPDATE transfer SET payment_id = %s, status = 'confirmed' WHERE id = %s",
                              (held, transfer))  # fmt: skip
    for verb in (payments.cancel, payments.post):
        with pytest.raises(Exception, match="payment_agrees|belongs to a transfer"), transaction():
            verb(held, by=system())
        session().rollback()


def test_incoming_money_is_not_reversed_beside_its_transfer(asking: Asking, standing: Standing) -> None:
    transfer = new_id()
    paid = standing.payment(standing.settlement, standing.account, 500, transfer)
    _made(asking, standing, id=transfer, kind="incoming", status="completed", payment=paid)
    with pytest.raises(Exception, match="reversed by its transfer"), transaction():
        payments.reverse(paid, reason="by the way", by=system())
    session().rollback()


def test_a_machine_that_acts_on_a_transfers_payment_is_sent_to_the_transfer(
    machine: Any, app: Flask, databases: Databases
) -> None:
    book = Book()
    client_id = person(system()).id
    account = book.account(10_000, owner=client_id)
    transfer = new_id()
    order = book.order(account, book.house(), 700, parent_id=transfer)
    with transaction():
        session().execute(
            db.text(TRANSFER.replace("%(", ":").replace(")s", "")),
            {"id": transfer, "kind": "outgoing", "status": "awaitingConfirmation", "type": "sepa", "client": client_id,
             "account": account, "amount": 700, "payment": None, "reference": transfer.hex, "payer": None},
        )  # fmt: skip
        payments.hold(order, by=system())
        session().execute(
            db.text("UPDATE transfer SET payment_id = :paid, status = 'confirmed' WHERE id = :id"),
            {"paid": order.id, "id": transfer},
        )
    teller = machine(Audience.SYSTEM, scopes=["all"])
    for verb in ("post", "cancel", "reverse"):
        answer = teller.call(
            "POST", f"/internal/Payments/{order.id}/{verb}", json={"reason": "x"} if verb != "post" else {}
        )
        assert (answer.status_code, answer.json["code"]) == (422, "belongsToTransfer"), answer.json
        assert answer.json["transferId"] == str(transfer)
    assert book.balance(account) == (10_000, 700)
