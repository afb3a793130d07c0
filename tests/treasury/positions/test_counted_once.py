"""An amount counts once, where it belongs: in transit, late, in a month, in what comes next, in an alert."""

from __future__ import annotations

import io
import zipfile
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from dashboard import clock
from dashboard.access.actor import system
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.database import new_id, session, transaction
from dashboard.ledger.services import payments
from dashboard.treasury.alerts.models import TreasuryAlert
from dashboard.treasury.days import services as days
from dashboard.treasury.movements import services as movements
from dashboard.treasury.movements.vocabulary import MovementKind, Way
from dashboard.treasury.positions.models import EvidencePack
from dashboard.treasury.positions.queries import projection, rows, standing, trend
from dashboard.treasury.positions.services import thresholds, working_out
from dashboard.treasury.positions.vocabulary import Figure, Result
from dashboard.treasury.register.queries import BankAccountView
from tests.treasury.positions import conftest as built
from tests.treasury.positions.conftest import House


def asked(house: House, gives: BankAccountView, takes: BankAccountView, amount: int, kind: MovementKind) -> Any:
    with transaction():
        return movements.ask(
            kind=kind, from_id=gives.id, to_id=takes.id, amount_minor=amount, way=Way.AT_BANK, reason="Policy.",
            by=house.treasurer,
        )  # fmt: skip


def approve(house: House, object_id: object) -> None:
    request = session().scalars(sa.select(ApprovalRequest).where(ApprovalRequest.object_id == object_id)).one()
    with transaction():
        approvals.decide(request.id, approve=True, reason=None, by=house.senior)


def propose(house: House, bank: BankAccountView, line: object, transaction_id: object) -> None:
    """A match that waits for a person."""
    found = {"id": new_id(), "bank": bank.id, "line": line, "transaction": transaction_id, "at": clock.now(),
             "account": bank.settlement_account_id}  # fmt: skip
    with transaction() as current:
        current.execute(
            sa.text(
                "WITH b AS (SELECT amount_minor, booking_date FROM statement_line WHERE id = :line),"
                " m AS (INSERT INTO recon_match (id, bank_account_id, currency, state, found_by, why, amount_minor,"
                "  lines, transactions, first_on, last_on, made_at, made_by_kind, made_by) SELECT :id, :bank, 'eur',"
                "  'proposed', 'amount', 'test', amount_minor, 1, 1, booking_date, booking_date, :at, 'system', 'test'"
                "  FROM b),"
                " l AS (INSERT INTO match_line (match_id, position, line_id, amount_minor, booking_date, live)"
                "  SELECT :id, 1, :line, amount_minor, booking_date, false FROM b)"
                " INSERT INTO match_transaction (match_id, position, transaction_id, account_id, amount_minor,"
                "  booking_date, live) SELECT :id, 1, :transaction, :account, amount_minor, booking_date, false FROM b"
            ),
            found,
        )


def test_a_movement_of_the_house_that_arrived_before_it_was_told_is_owed_to_no_client(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, safe = house.bank("ownFunds", name="Bank Own"), house.bank()
    house.receive(own, house.client(), 60_00)
    paid = house.receive(safe, house.client(), 100_00)
    movement = asked(house, own, safe, 60_00, MovementKind.TOP_UP)
    approve(house, movement.id)
    day = house.end_day()
    reference, real = movement.reference, built.StatementLine

    def told(**values: Any) -> Any:
        return real(**{**values, "end_to_end_id": reference} if values["amount_minor"] == 60_00 else values)

    monkeypatch.setattr(built, "StatementLine", told)
    line, _ = house.statement(safe, day, 0, [100_00, 60_00])
    house.match(safe, line, paid)
    house.sweep(safe, day)
    assert house.figures(day).received == 0


def test_a_line_that_waits_to_be_accepted_beside_its_posting_is_counted_once(house: House) -> None:
    bank = house.bank()
    paid = house.receive(bank, house.client(), 100_00)
    day = house.end_day()
    (line,) = house.statement(bank, day, 0, [100_00])
    house.sweep(bank, day)
    assert house.figures(day).requirement == 200_00
    propose(house, bank, line, paid)
    found = house.figures(day)
    assert (found.client, found.received, found.requirement, found.excess) == (100_00, 0, 100_00, 0)


def side_by_side(bank: BankAccountView, line: object, transaction_id: object, kind: str = "amountDiffers") -> UUID:
    """The break that a run writes for two rows of one reference."""
    break_id = new_id()
    with transaction() as current:
        current.execute(
            sa.text(
                "INSERT INTO recon_break (id, bank_account_id, currency, kind, cause, line_id, transaction_id,"
                " bank_minor, ledger_minor, bank_on, ledger_on, since, state, found_at)"
                " SELECT :id, :bank, 'eur', :kind, 'unknown', :line, :transaction, l.amount_minor, t.amount_minor,"
                " l.booking_date, t.booking_date, l.booking_date, 'open', :at FROM open_item l, open_item t"
                " WHERE l.item_id = :line AND t.item_id = :transaction AND t.bank_account_id = :bank"
            ),
            {"id": break_id, "bank": bank.id, "kind": kind, "line": line, "transaction": transaction_id,
             "at": clock.now()},
        )  # fmt: skip
    return break_id


@pytest.mark.parametrize(("told", "booked", "received"), [(100_00, 95_00, 5_00), (95_00, 100_00, 0)])
def test_of_a_credit_booked_with_another_amount_only_the_rest_is_on_its_way(
    house: House, told: int, booked: int, received: int
) -> None:
    bank = house.bank()
    paid = house.receive(bank, house.client(), booked)
    day = house.end_day()
    (line,) = house.statement(bank, day, 0, [told])
    house.sweep(bank, day)
    assert house.figures(day).received == told
    side_by_side(bank, line, paid)
    found = house.figures(day)
    assert (found.client, found.received, found.requirement) == (booked, received, booked + received)
    shown = rows.behind(Figure.RECEIVED, found, limit=10)
    assert [one.amount.minor_units for one in shown if one.amount] == ([received] if received else [])


def test_a_credit_that_was_taken_back_leaves_the_whole_line_on_its_way(house: House) -> None:
    bank = house.bank()
    client = house.client()
    paid = house.receive(bank, client, 95_00)
    with transaction():
        payment_id = session().execute(
            sa.text("SELECT payment_id FROM ledger_transaction WHERE id = :id"), {"id": paid}
        ).scalar_one()  # fmt: skip
        payments.reverse(payment_id, reason="Wrong client.", by=system())
    day = house.end_day()
    (line,) = house.statement(bank, day, 0, [100_00])
    house.sweep(bank, day)
    side_by_side(bank, line, paid)
    assert (house.figures(day).client, house.figures(day).received) == (0, 100_00)


@pytest.mark.parametrize(("told", "booked", "sent"), [(40_00, 40_00, 0), (40_00, 45_00, 5_00), (45_00, 40_00, 0)])
def test_what_the_bank_paid_out_beside_another_amount_or_date_has_left(
    house: House, told: int, booked: int, sent: int
) -> None:
    bank = house.bank()
    client = house.client()
    paid = house.receive(bank, client, 100_00)
    gone = house.send(client, bank, booked)
    day = house.end_day()
    credit, debit = house.statement(bank, day, 0, [100_00, -told])
    house.match(bank, credit, paid)
    house.sweep(bank, day)
    assert house.figures(day).sent == booked
    side_by_side(bank, debit, gone, "wrongDate" if told == booked else "amountDiffers")
    found = house.figures(day)
    assert (found.client, found.sent, found.resource) == (100_00 - booked, sent, 100_00 - told)


def test_what_a_statement_of_two_days_booked_on_the_first_has_lain_there_too_long(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    settling = house.bank("settlement")
    before, day = house.end_day(), house.end_day()
    real = built.StatementEntry
    monkeypatch.setattr(
        built, "StatementEntry", lambda **values: real(**{**values, "booking_date": before, "value_date": before})
    )
    house.statement(settling, day, 0, [100_00])
    found = house.figures(day)
    assert (found.late, found.segregation) == (100_00, Result.FAILED)


def test_an_alert_of_today_is_not_settled_by_a_day_before(house: House) -> None:
    with transaction():
        request = thresholds.ask("eMoney", "eur", "excessBelow", 0, reason="Policy.", by=house.treasurer)
    with transaction():
        approvals.decide(request.id, approve=True, reason=None, by=house.senior)
    bank = house.bank()
    first = house.covered(bank, house.client(), 100_00)
    day = house.end_day()
    house.statement(bank, day, 100_00, [-30_00])
    house.sweep(bank, day)
    for one in (day, first):
        with transaction():
            working_out.work_out("eMoney", "eur", one, by=system())
    assert [one.state for one in session().scalars(sa.select(TreasuryAlert))] == ["open"]


def test_a_match_that_is_undone_makes_the_stored_figures_old(house: House) -> None:
    bank = house.bank()
    day = house.covered(bank, house.client(), 100_00)
    house.add_up(day)
    with transaction():
        working_out.work_out("eMoney", "eur", day, by=system())
    assert not working_out.is_due(day, standing.changed_at())
    with transaction() as current:
        current.execute(
            sa.text("UPDATE recon_match SET state = 'undone', undone_at = :at, undone_by = 'test',"
                    " undone_by_id = :by, undone_because = 'wrong'"),
            {"at": clock.now(), "by": house.treasurer.id},
        )  # fmt: skip
    assert working_out.is_due(day, standing.changed_at())


def test_a_month_takes_no_lower_bound_of_an_unknown_day_for_a_requirement(house: House) -> None:
    bank, client = house.bank(), house.client()
    first = house.covered(bank, client, 100_00)
    house.receive(bank, client, 900_00)
    second = house.end_day()
    for day in (first, second):
        with transaction():
            days.prepare("eMoney", "eur", day, by=house.treasurer)
    (total,) = trend.month(first, second)
    assert (total.days, total.days_unknown) == (2, 1)
    assert (total.average_requirement, total.highest_requirement) == (100_00, 100_00)
    assert (total.closing_requirement, total.closing_resource) == (None, None)


def test_a_projection_takes_only_what_two_people_decided_and_has_not_left(house: House) -> None:
    safe, settling = house.bank(), house.bank("settlement", name="Bank Settling")
    day = house.covered(safe, house.client(), 100_00)
    house.statement(settling, day, 0, [])
    house.sweep(settling, day)
    movement = asked(house, safe, settling, 40_00, MovementKind.PREFUNDING)

    def resource() -> int | None:
        return projection.projected(standing.one("eMoney", "eur", day), projection.ahead(day, 1), [])[0].resource

    assert resource() == 100_00
    approve(house, movement.id)
    assert resource() == 60_00


def test_a_withdrawal_from_an_account_that_is_not_designated_leaves_the_resource(house: House) -> None:
    safe, settling = house.bank(), house.bank("settlement", name="Bank Settling")
    client = house.client()
    day = house.covered(safe, client, 100_00)
    house.statement(settling, day, 0, [])
    house.sweep(settling, day)
    house.hold(client, settling, 40_00)
    ahead = projection.ahead(day)
    found = projection.projected(standing.one("eMoney", "eur", day), ahead, projection.pending(ahead)["eMoney", "eur"])[
        -1
    ]
    assert (found.requirement, found.resource, found.excess) == (60_00, 100_00, 40_00)


def packs(state: str) -> list[EvidencePack]:
    return list(session().scalars(sa.select(EvidencePack).where(EvidencePack.state == state)))


def test_signing_packs_evidence_wherever_it_is_asked_for(house: House) -> None:
    day = house.covered(house.bank(), house.client(), 100_00)
    with transaction():
        days.prepare("eMoney", "eur", day, by=house.treasurer)
    assert len(packs("prepared")) == 1
    with transaction():
        days.sign("eMoney", "eur", day, by=house.senior)
    assert len(packs("signed")) == 1


def test_the_rows_of_a_signed_pack_are_those_that_were_prepared(house: House) -> None:
    client = house.client()
    day = house.covered(house.bank(), client, 100_00)
    with transaction():
        version = days.prepare("eMoney", "eur", day, by=house.treasurer)
    with transaction():
        days.sign("eMoney", "eur", day, by=house.senior)
    house.put_into(client, "paymentServices")
    from dashboard.treasury.positions.services import evidence

    with transaction():
        again = evidence.make(version.id, institution=evidence._installed["institution"], by=house.treasurer)
    with zipfile.ZipFile(io.BytesIO(again.content)) as archive:
        assert "100.00" in archive.read("clients.csv").decode()
    assert [one.id for one in packs("signed")] == [again.id]


def test_the_rows_behind_a_prepared_figure_stay_when_they_are_matched_afterwards(house: House) -> None:
    bank = house.bank()
    paid = house.receive(bank, house.client(), 100_00)
    day = house.end_day()
    line, _ = house.statement(bank, day, 0, [100_00, 9_00])
    house.sweep(bank, day)
    with transaction():
        days.prepare("eMoney", "eur", day, by=house.treasurer)
    house.match(bank, line, paid)
    found = standing.one("eMoney", "eur", day).figures
    shown = rows.behind(Figure.RECEIVED, found, limit=10)
    assert found.received == sum(one.amount.minor_units for one in shown if one.amount) == 109_00
