"""Positions of small books, each computed by hand."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from dashboard.access.actor import system
from dashboard.database import session, transaction
from dashboard.ledger.services import payments
from dashboard.ledger.vocabulary import AccountType, ParentType
from dashboard.treasury.positions.queries import clients, rows
from dashboard.treasury.positions.vocabulary import Figure, Result
from tests.treasury.positions.conftest import House


def test_what_clients_have_and_the_bank_holds_is_covered_with_nothing_over(house: House) -> None:
    bank = house.bank()
    paid = house.receive(bank, house.client(), 100_00)
    day = house.end_day()
    (line,) = house.statement(bank, day, 0, [100_00])
    house.match(bank, line, paid)
    house.sweep(bank, day)
    found = house.figures(day)
    assert (found.client, found.unrecognized, found.received, found.sent) == (100_00, 0, 0, 0)
    assert (found.requirement, found.resource, found.excess) == (100_00, 100_00, 0)
    assert (found.internal, found.segregation, found.external) == (Result.PASSED,) * 3


def test_negative_balances_stand_apart_and_cover_nobody_else(house: House) -> None:
    bank = house.bank()
    rich, poor = house.client(), house.client(limit=50_00)
    first = house.receive(bank, rich, 100_00)
    second = house.send(poor, bank, 42_10)
    day = house.end_day()
    came, went = house.statement(bank, day, 0, [100_00, -42_10])
    house.match(bank, came, first)
    house.match(bank, went, second)
    house.sweep(bank, day)
    found = house.figures(day)
    assert (found.client, found.negative) == (100_00, -42_10)
    assert found.requirement == 100_00
    assert found.resource == 57_90
    assert found.excess == -42_10
    assert found.internal is Result.FAILED


def test_unrecognized_money_is_owed_from_its_receipt(house: House) -> None:
    bank = house.bank()
    a = house.receive(bank, house.client(), 10_00)
    b = house.unrecognized(bank, 2_30)
    day = house.end_day()
    one, two = house.statement(bank, day, 0, [10_00, 2_30])
    house.match(bank, one, a)
    house.match(bank, two, b)
    house.sweep(bank, day)
    found = house.figures(day)
    assert (found.client, found.unrecognized, found.requirement, found.excess) == (10_00, 2_30, 12_30, 0)


def test_money_at_the_bank_that_is_not_booked_is_owed_too(house: House) -> None:
    bank = house.bank()
    paid = house.receive(bank, house.client(), 100_00)
    day = house.end_day()
    line, _unknown = house.statement(bank, day, 0, [100_00, 32_50])
    house.match(bank, line, paid)
    house.sweep(bank, day)
    found = house.figures(day)
    assert (found.received, found.requirement, found.resource, found.excess) == (32_50, 132_50, 132_50, 0)
    assert [row.amount.minor_units for row in rows.behind(Figure.RECEIVED, found, limit=10) if row.amount] == [32_50]


def test_what_was_sent_and_lies_at_the_bank_still_is_owed_until_it_leaves(house: House) -> None:
    bank, client = house.bank(), house.client()
    paid = house.receive(bank, client, 100_00)
    sent = house.send(client, bank, 40_00)
    day = house.end_day()
    (line,) = house.statement(bank, day, 0, [100_00])
    house.match(bank, line, paid)
    house.sweep(bank, day)
    found = house.figures(day)
    assert (found.client, found.sent, found.requirement, found.resource, found.excess) == (
        60_00, 40_00, 100_00, 100_00, 0,
    )  # fmt: skip
    # it leaves on the next day: as of the first it was still there
    (gone,) = house.statement(bank, house.end_day(), 100_00, [-40_00])
    house.match(bank, gone, sent)
    again = house.figures(day)
    assert (again.sent, again.requirement, again.resource) == (40_00, 100_00, 100_00)


def test_held_money_is_part_of_the_client_balance_and_counted_once(house: House) -> None:
    bank, client = house.bank(), house.client()
    paid = house.receive(bank, client, 100_00)
    house.hold(client, bank, 30_00)
    day = house.end_day()
    (line,) = house.statement(bank, day, 0, [100_00])
    house.match(bank, line, paid)
    house.sweep(bank, day)
    found = house.figures(day)
    assert (found.client, found.sent, found.requirement, found.excess) == (100_00, 0, 100_00, 0)


def test_a_reversed_posting_is_back_in_the_balance_and_not_sent_as_well(house: House) -> None:
    bank, client = house.bank(), house.client()
    house.receive(bank, client, 100_00)
    sent = house.send(client, bank, 40_00)
    _reverse(house, sent)
    day = house.end_day()
    house.statement(bank, day, 0, [])
    house.sweep(bank, day)
    found = house.figures(day)
    assert (found.client, found.sent, found.requirement) == (100_00, 0, 100_00)


def _reverse(house: House, transaction_id: object) -> None:
    import sqlalchemy as sa

    from dashboard.database import new_id
    from dashboard.ledger.models import LedgerTransaction
    from dashboard.ledger.moving import Leg, Order

    row = session().scalars(sa.select(LedgerTransaction).where(LedgerTransaction.id == transaction_id)).one()
    order = Order(
        ParentType.ADJUSTING_PAYMENT, new_id(),
        [Leg(row.creditor_account_id, row.debtor_account_id, row.amount_minor, row.currency)],
        reverses_id=row.payment_id,
    )  # fmt: skip
    with transaction():
        payments.pay(order, by=system())


def test_what_moves_between_own_accounts_is_owed_to_nobody(house: House) -> None:
    """Segregation: booked out of the settlement account, not gone from the bank yet. The client is owed it once."""
    settling, safe = house.bank("settlement"), house.bank(name="Bank Safe")
    client = house.client()
    paid = house.receive(settling, client, 100_00)
    transit = house.system_account(AccountType.IN_TRANSIT)
    assert settling.settlement_account_id and safe.settlement_account_id
    house.move(transit, settling.settlement_account_id, 100_00)
    house.move(safe.settlement_account_id, transit, 100_00)
    day = house.end_day()
    (line,) = house.statement(settling, day, 0, [100_00])
    house.match(settling, line, paid)
    house.statement(safe, day, 0, [])
    house.sweep(settling, day)
    house.sweep(safe, day)
    found = house.figures(day)
    assert (found.client, found.received, found.sent, found.requirement) == (100_00, 0, 0, 100_00)
    assert (found.resource, found.excess) == (0, -100_00)


def test_a_missing_statement_is_no_data_and_never_a_number(house: House) -> None:
    first, second = house.bank(), house.bank(name="Bank Other")
    paid = house.receive(first, house.client(), 96_240)
    house.unrecognized(second, 900)
    day = house.end_day()
    (line,) = house.statement(first, day, 0, [96_240])
    house.match(first, line, paid)
    house.sweep(first, day)
    found = house.figures(day)
    assert (found.client, found.unrecognized, found.requirement) == (96_240, 900, 97_140)
    assert (found.resource, found.received, found.sent, found.excess, found.unexplained) == (None,) * 5
    assert (found.internal, found.external) == (Result.NO_DATA, Result.NO_DATA)


def test_a_statement_that_nobody_matched_leaves_the_excess_unknown(house: House) -> None:
    bank = house.bank()
    house.receive(bank, house.client(), 100_00)
    day = house.end_day()
    house.statement(bank, day, 0, [100_00])
    found = house.figures(day)
    assert (found.resource, found.received, found.excess) == (100_00, None, None)


def test_currencies_and_pools_are_never_netted(house: House) -> None:
    euro, zloty = house.bank(), house.bank(currency="pln")
    other = house.bank(pool="paymentServices", name="Bank Services")
    a = house.receive(euro, house.client(), 100_00)
    house.receive(zloty, house.client("pln"), 50_00)
    b = house.receive(other, house.client(pool="paymentServices"), 7_00)
    day = house.end_day()
    for bank, amount, paid in ((euro, 500_00, a), (other, 7_00, b)):
        lines = house.statement(bank, day, amount - 100_00 if bank is euro else 0, [100_00 if bank is euro else 7_00])
        house.match(bank, lines[0], paid)
        house.sweep(bank, day)
    house.statement(zloty, day, 0, [])
    house.sweep(zloty, day)
    assert house.figures(day).excess == 400_00
    assert house.figures(day, currency="pln").excess == -50_00
    services = house.figures(day, "paymentServices")
    assert (services.client, services.requirement, services.resource, services.excess) == (7_00, 7_00, 7_00, 0)
    assert house.figures(day).client == 100_00


def test_money_that_lies_in_an_account_that_is_not_designated_must_move_by_the_day_after(house: House) -> None:
    settling, safe = house.bank("settlement"), house.bank(name="Bank Safe")
    client = house.client()
    first = house.receive(settling, client, 100_00)
    day = house.end_day()
    (line,) = house.statement(settling, day, 0, [100_00])
    house.match(settling, line, first)
    house.statement(safe, day, 0, [])
    for bank in (settling, safe):
        house.sweep(bank, day)
    fresh = house.figures(day)
    assert (fresh.lying, fresh.late, fresh.segregation) == (100_00, 0, Result.PASSED)
    # on the next day 30.00 leave, and 5.00 come: 70.00 have lain there too long
    next_day = house.end_day()
    house.statement(settling, next_day, 100_00, [-30_00, 5_00])
    house.statement(safe, next_day, 0, [])
    late = house.figures(next_day)
    assert (late.lying, late.late, late.segregation) == (75_00, 70_00, Result.FAILED)


def test_only_accounts_that_are_designated_on_the_day_are_resource(house: House) -> None:
    bank = house.bank()
    later = house.bank(name="Bank Later", designated_from=house.today() + timedelta(days=30))
    day = house.end_day()
    house.statement(bank, day, 10_00, [])
    house.statement(later, day, 99_00, [])
    for one in (bank, later):
        house.sweep(one, day)
    found = house.figures(day)
    assert (found.resource, found.lying) == (10_00, 99_00)


def test_on_a_holiday_of_the_bank_the_statement_before_counts(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from dashboard.treasury.register import queries as register

    bank = house.bank()
    paid = house.receive(bank, house.client(), 100_00)
    day = house.end_day()
    (line,) = house.statement(bank, day, 0, [100_00])
    house.match(bank, line, paid)
    next_day = house.end_day()
    house.sweep(bank, next_day)
    assert house.figures(next_day).resource is None
    real = register.not_a_reconciliation_day
    monkeypatch.setattr(
        register, "not_a_reconciliation_day",
        lambda view, asked: "Independence Day (PL)" if asked == next_day else real(view, asked),
    )  # fmt: skip
    found = house.figures(next_day)
    assert (found.resource, found.accounts[0].statement_day, found.accounts[0].holiday) == (
        100_00, day, "Independence Day (PL)",
    )  # fmt: skip


def test_suspense_of_a_bank_account_without_a_pool_is_counted_as_e_money(house: House) -> None:
    house.bank()
    lost = house.system_account(AccountType.SUSPENSE)
    house.move(house.system_account(AccountType.SETTLEMENT), lost, 12_00)
    day = house.end_day()
    assert house.figures(day).unrecognized == 12_00


def test_a_suspense_account_below_nought_makes_nothing_less(house: House) -> None:
    bank, client = house.bank(), house.client()
    assert bank.suspense_account_id
    house.move(bank.suspense_account_id, client, 5_00, parent=ParentType.ADJUSTING_PAYMENT)
    found = house.figures(house.end_day())
    assert (found.client, found.unrecognized, found.requirement) == (5_00, 0, 5_00)


def test_the_sum_of_each_balance_is_what_the_totals_of_the_day_derive(house: House) -> None:
    bank = house.bank()
    house.bank(pool="paymentServices", name="Bank Services")
    people = [house.client(), house.client(limit=90_00), house.client(pool="paymentServices", limit=10_00)]
    house.receive(bank, people[0], 33_00)
    house.send(people[1], bank, 21_00)
    house.send(people[2], bank, 4_00)
    house.end_day()
    house.receive(bank, people[1], 50_00)
    day = house.end_day()
    derived = clients.derived(day)
    house.add_up(day)
    for pool in ("eMoney", "paymentServices"):
        kept, other = clients.known(day)[pool, "eur"], derived[pool, "eur"]
        assert (kept.positive, kept.negative, kept.frozen) == (other.positive, other.negative, other.frozen)
    assert clients.known(day)["eMoney", "eur"].positive == 62_00
    assert clients.known(day)["paymentServices", "eur"].negative == -4_00


def test_sums_that_do_not_make_the_days_total_are_believed_by_no_page(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank, client = house.bank(), house.client()
    house.receive(bank, client, 10_00)
    day = house.end_day()
    house.add_up(day)
    with monkeypatch.context() as patched:
        patched.delattr(clients, "derived")
        assert clients.known(day)["eMoney", "eur"].positive == 10_00, "nothing need be derived"
    session().execute(sa.text("UPDATE client_sum SET positive_minor = positive_minor + 1 WHERE pool = 'eMoney'"))
    assert clients.kept(day)["eMoney", "eur"].positive_minor == 10_01
    assert clients.known(day)["eMoney", "eur"].positive == 10_00


def test_an_account_that_changes_its_pool_makes_the_sums_be_added_up_again(house: House) -> None:
    bank, client = house.bank(), house.client()
    house.receive(bank, client, 10_00)
    day = house.end_day()
    house.add_up(day)
    assert clients.kept(day)
    house.put_into(client, "paymentServices")
    assert not clients.kept(day)
    assert clients.known(day)["paymentServices", "eur"].positive == 10_00


def test_what_is_now_follows_postings_and_holds(house: House) -> None:
    bank, client, poor = house.bank(), house.client(), house.client(limit=20_00)
    house.receive(bank, client, 10_00)
    house.send(poor, bank, 3_00)
    house.hold(client, bank, 4_00)
    found = clients.now()["eMoney", "eur"]
    assert (found.positive, found.negative, found.held) == (10_00, -3_00, 4_00)
