"""Figures of a prepared day stand: what preparing stores, what signing looks at, what the database refuses."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa

from dashboard.access.actor import system
from dashboard.access.permissions import Role
from dashboard.database import session, transaction
from dashboard.errors import Forbidden, Invalid, Refused
from dashboard.treasury.days import queries as days
from dashboard.treasury.days import services
from dashboard.treasury.days.models import TreasuryDay
from dashboard.treasury.positions import jobs
from dashboard.treasury.positions.models import ClientSum, PositionAccount, PositionAction, TreasuryPosition
from dashboard.treasury.positions.queries import blockers, projection, standing, trend
from dashboard.treasury.positions.services import acting, working_out
from tests.treasury.positions.conftest import House


def prepare(house: House, day: date, pool: str = "eMoney", currency: str = "eur") -> TreasuryDay:
    with transaction():
        return services.prepare(pool, currency, day, by=house.treasurer)


def sign(house: House, day: date) -> TreasuryDay:
    with transaction():
        return services.sign("eMoney", "eur", day, by=house.senior)


def stored(version: TreasuryDay) -> TreasuryPosition:
    found = session().get(TreasuryPosition, version.id, populate_existing=True)
    assert found is not None
    return found


def test_preparing_adds_up_every_balance_and_freezes_the_figures(house: House) -> None:
    bank, client = house.bank(), house.client()
    day = house.covered(bank, client, 100_00)
    row = stored(prepare(house, day))
    assert row.frozen_at is not None
    assert (row.client_minor, row.requirement_minor, row.resource_minor, row.excess_minor) == (
        100_00,
        100_00,
        100_00,
        0,
    )
    assert session().scalar(sa.select(ClientSum.accounts).where(ClientSum.day == day, ClientSum.pool == "eMoney")) == 1
    accounts = session().scalars(
        sa.select(PositionAccount).where(PositionAccount.treasury_day_id == row.treasury_day_id)
    )
    assert [(one.ledger_minor, one.statement_minor, one.unexplained_minor) for one in accounts] == [(100_00, 100_00, 0)]


def test_a_covered_day_is_signed_by_another_person_with_nothing_against_it(house: House) -> None:
    day = house.covered(house.bank(), house.client(), 100_00)
    prepare(house, day)
    assert sign(house, day).state == "signed"


def test_nobody_signs_what_they_have_prepared(house: House) -> None:
    day = house.covered(house.bank(), house.client(), 100_00)
    prepare(house, day)
    with pytest.raises(Forbidden), transaction():
        services.sign("eMoney", "eur", day, by=house.treasurer)


def test_a_day_without_a_statement_is_not_signed_and_says_why(house: House) -> None:
    house.receive(house.bank(), house.client(), 100_00)
    day = house.end_day()
    version = prepare(house, day)
    assert stored(version).excess_minor is None
    with pytest.raises(Refused) as refused:
        sign(house, day)
    assert refused.value.code == "notReady"
    assert any("No statement for" in one for one in refused.value.details["blockers"])
    (blocker, *_) = blockers.of(standing.one("eMoney", "eur", day))
    assert blocker.url == "/treasury/statements"


def test_a_failed_tie_out_and_an_unmatched_statement_stand_against_signing(house: House) -> None:
    bank = house.bank()
    house.receive(bank, house.client(), 100_00)
    day = house.end_day()
    house.statement(bank, day, 0, [100_00], tie_out="failed")
    says = [one.says for one in blockers.of(standing.one("eMoney", "eur", day))]
    assert any(one.startswith("Tie-out failed") for one in says)
    assert any(one.startswith("Not matched for") for one in says)


def test_a_shortfall_is_signed_only_after_somebody_said_what_was_done(house: House) -> None:
    bank, poor = house.bank(), house.client(limit=50_00)
    paid = house.receive(bank, house.client(), 100_00)
    sent = house.send(poor, bank, 12_05)
    day = house.end_day()
    came, went = house.statement(bank, day, 0, [100_00, -12_05])
    house.match(bank, came, paid)
    house.match(bank, went, sent)
    house.sweep(bank, day)
    prepare(house, day)
    with pytest.raises(Refused) as refused:
        sign(house, day)
    assert any("Short 12.05 EUR" in one for one in refused.value.details["blockers"])
    with transaction():
        acting.say("eMoney", "eur", day, "topUp", says="Topped up from own funds.", amount_minor=12_05,
                   by=house.treasurer)  # fmt: skip
    assert sign(house, day).state == "signed"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"says": "  "}, "says"), ({"says": "x" * 1_001}, "says"), ({"kind": "prayed"}, "kind"),
        ({"kind": "topUp", "amount_minor": None}, "amount"), ({"amount_minor": -5}, "amount"),
        ({"amount_minor": 0}, "amount"), ({"pool": "piggyBank"}, "pool"), ({"currency": "EUR"}, "currency"),
    ],
)  # fmt: skip
def test_what_was_done_is_refused_by_field_and_nothing_is_kept(house: House, change: dict, field: str) -> None:  # type: ignore[type-arg]
    day = house.end_day()
    asked = {
        "pool": "eMoney",
        "currency": "eur",
        "kind": "other",
        "says": "Asked the bank.",
        "amount_minor": 1,
        **change,
    }
    with pytest.raises(Invalid) as refused, transaction():
        acting.say(
            asked["pool"], asked["currency"], day, asked["kind"], says=asked["says"],
            amount_minor=asked["amount_minor"], by=house.treasurer,
        )  # fmt: skip
    assert [error.field for error in refused.value.errors] == [field]
    assert session().scalar(sa.select(sa.func.count()).select_from(PositionAction)) == 0


def test_an_auditor_writes_nothing_down(house: House) -> None:
    day = house.end_day()
    with pytest.raises(Forbidden):
        acting.say("eMoney", "eur", day, "other", says="x", by=house.people.actor(Role.AUDITOR))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE treasury_position SET client_minor = client_minor + 1, requirement_minor = requirement_minor + 1,"
        " excess_minor = excess_minor - 1",
        "UPDATE treasury_position SET frozen_at = NULL",
        "UPDATE position_account SET statement_minor = 0",
        "DELETE FROM position_account",
        "INSERT INTO position_account (treasury_day_id, bank_account_id, purpose, designated, ledger_minor,"
        " suspense_minor) SELECT treasury_day_id, bank_account_id, purpose, false, 0, 0 FROM position_account",
    ],
)
def test_the_database_lets_nobody_change_the_figures_of_a_prepared_day(house: House, statement: str) -> None:
    day = house.covered(house.bank(), house.client(), 100_00)
    prepare(house, day)
    with pytest.raises(sa.exc.DatabaseError) as refused, transaction() as current:
        current.execute(sa.text(statement))
    # rows of accounts are not changed by the application at all
    assert any(said in str(refused.value) for said in ("never change", "permission denied"))


def test_what_was_done_and_evidence_are_never_changed_or_deleted(house: House) -> None:
    day = house.end_day()
    with transaction():
        acting.say("eMoney", "eur", day, "other", says="Asked the bank.", by=house.treasurer)
    for statement in ("UPDATE position_action SET says = 'x'", "DELETE FROM position_action",
                      "DELETE FROM evidence_pack", "UPDATE evidence_pack SET state = 'signed'"):  # fmt: skip
        with pytest.raises(sa.exc.DatabaseError), transaction() as current:
            current.execute(sa.text(statement))


def test_a_late_line_reopens_the_day_and_the_signed_figures_stay_as_they_were(house: House) -> None:
    bank = house.bank()
    day = house.covered(bank, house.client(), 100_00)
    first = prepare(house, day)
    sign(house, day)
    house.statement(bank, day, 100_00, [9_00])
    with transaction():
        second = services.line_came_late(bank.id, day, because="1 line arrived", by=system())
    assert second is not None and second.version == 2
    with transaction():
        working_out.work_out("eMoney", "eur", day, by=system())
    assert stored(first).resource_minor == 100_00
    kept = stored(second)
    assert (kept.resource_minor, kept.received_minor, kept.frozen_at) == (109_00, 9_00, None)
    assert days.current("eMoney", "eur", day).version == 2  # type: ignore[union-attr]


def test_an_open_day_is_worked_out_again_and_a_prepared_one_is_not(house: House) -> None:
    bank, client = house.bank(), house.client()
    paid = house.receive(bank, client, 100_00)
    day = house.end_day()
    with transaction():
        before = working_out.work_out("eMoney", "eur", day, by=system())
    assert before is not None and before.resource_minor is None
    (line,) = house.statement(bank, day, 0, [100_00])
    house.match(bank, line, paid)
    house.sweep(bank, day)
    with transaction():
        after = working_out.work_out("eMoney", "eur", day, by=system())
    assert after is not None and after.excess_minor == 0
    prepare(house, day)
    with transaction():
        assert working_out.work_out("eMoney", "eur", day, by=system()) is None


def test_the_page_reads_what_is_stored_unless_something_changed_since(house: House) -> None:
    bank, client = house.bank(), house.client()
    paid = house.receive(bank, client, 100_00)
    day = house.end_day()
    with transaction():
        working_out.add_up(day, "eur")
        working_out.work_out("eMoney", "eur", day, by=system())
    (before,) = standing.of_day(day)
    assert before.unknown
    (line,) = house.statement(bank, day, 0, [100_00])
    house.match(bank, line, paid)
    house.sweep(bank, day)
    (after,) = standing.of_day(day)
    assert (after.figures.excess, after.computed_at > before.computed_at) == (0, True)


def test_positions_come_short_first_then_unknown_then_by_currency(house: House) -> None:
    euro, zloty, pound = house.bank(), house.bank(currency="pln"), house.bank(currency="gbp")
    paid = house.receive(euro, house.client(), 10_00)
    house.receive(zloty, house.client("pln"), 5_00)
    house.receive(pound, house.client("gbp"), 7_00)
    day = house.end_day()
    (line,) = house.statement(euro, day, 0, [10_00])
    house.match(euro, line, paid)
    house.statement(zloty, day, 0, [])
    for bank in (euro, zloty):
        house.sweep(bank, day)
    assert [one.figures.currency for one in standing.of_day(day)] == ["pln", "gbp", "eur"]


def test_a_day_whose_snapshot_is_missing_is_not_worked_out(house: House) -> None:
    with pytest.raises(Refused) as refused, transaction():
        working_out.work_out("eMoney", "eur", house.today(), by=system())
    assert refused.value.code == "snapshotMissing"


def test_the_clock_asks_for_positions_that_are_missing_and_only_then(house: House) -> None:
    bank = house.bank()
    day = house.covered(bank, house.client(), 100_00)
    with transaction():
        assert jobs.ask_due(by=system()) == {"asked": 1}
    with transaction():
        for currency in working_out.to_add_up(day):
            working_out.add_up(day, currency)
        for pool, currency in working_out.pairs(day):
            working_out.work_out(pool, currency, day, by=system())
    assert not working_out.is_due(day, standing.changed_at())


def test_a_trend_has_gaps_where_nothing_was_worked_out(house: House) -> None:
    bank, client = house.bank(), house.client()
    first = house.covered(bank, client, 100_00)
    second = house.end_day()
    prepare(house, first)
    points = trend.points("eMoney", "eur", [second, first])
    assert [(one.day, one.requirement, one.excess) for one in points] == [(first, 100_00, 0), (second, None, None)]


def test_a_month_adds_up_prepared_days_alone(house: House) -> None:
    bank, client = house.bank(), house.client()
    day = house.covered(bank, client, 100_00)
    prepare(house, day)
    sign(house, day)
    (total,) = trend.month(day.replace(day=1), day)
    assert (total.days, total.signed, total.highest_requirement, total.lowest_excess) == (1, 1, 100_00, 0)
    assert (total.days_short, total.days_unknown, total.closing_resource) == (0, 0, 100_00)
    assert trend.months() == [day.replace(day=1)]


def test_a_projection_is_made_of_known_items_alone(house: House) -> None:
    bank, client = house.bank(), house.client()
    day = house.covered(bank, client, 100_00)
    house.hold(client, bank, 30_00)
    ahead = projection.ahead(day)
    position = standing.one("eMoney", "eur", day)
    held = projection.pending(ahead)["eMoney", "eur"]
    found = projection.projected(position, ahead, held)
    assert len(found) == 5
    assert [(one.requirement, one.resource, one.excess) for one in found] == [(70_00, 70_00, 0)] * 5
    assert [item.what for item in found[0].items] == ["Held withdrawals"]


def test_a_projection_from_an_unknown_start_stays_unknown(house: House) -> None:
    house.receive(house.bank(), house.client(), 100_00)
    day = house.end_day()
    found = projection.projected(standing.one("eMoney", "eur", day), projection.ahead(day, 1), [])
    assert [(one.requirement, one.resource, one.excess) for one in found] == [(100_00, None, None)]
