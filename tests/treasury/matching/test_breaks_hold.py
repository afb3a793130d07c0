"""Breaks against what runs do to them: nothing that stands between bank and ledger is lost sight of."""

from __future__ import annotations

import dataclasses
from datetime import date, time
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy import event

from dashboard.access.actor import Actor
from dashboard.approvals import services as approvals
from dashboard.database import db, session, transaction
from dashboard.errors import Conflict, Refused
from dashboard.jobs import schedule
from dashboard.treasury.days import queries as treasury_days
from dashboard.treasury.days import readiness as day_readiness
from dashboard.treasury.days import services as days_services
from dashboard.treasury.days.models import TreasuryDay
from dashboard.treasury.matching.queries import readiness
from dashboard.treasury.matching.queries.points import equation
from dashboard.treasury.matching.queries.report import report
from dashboard.treasury.matching.queries.rules import in_force
from dashboard.treasury.matching.services import breaks, matches, rules
from dashboard.treasury.register.services import changing
from dashboard.treasury.register.services.entries import Entry
from dashboard.treasury.statements import queries as statements
from dashboard.treasury.statements.services import deleting
from tests.treasury.matching.conftest import Desk, Told


@pytest.fixture
def alone(treasurer: Actor, senior: Actor) -> None:
    """One person accepts up to 10.00."""
    with transaction():
        asked = rules.ask(
            dataclasses.replace(in_force(), accept_alone={"eur": 10_00}),
            reason="too small to ask the bank",
            by=treasurer,
        )
    with transaction():
        approvals.decide(asked.id, approve=True, reason=None, by=senior)


def pooled(desk: Desk, treasurer: Actor, senior: Actor) -> None:
    """The bank account is one of the register, in the pool of e-money."""
    entry = Entry("eMoney", "safeguarding", date(2000, 1, 1), None, "camt", time(7, 30), "LT", None)
    with transaction():
        asked = changing.ask_to_change(desk.bank_id, entry=entry, reason="a test", by=treasurer)
        approvals.decide(asked.id, approve=True, reason=None, by=senior)


def quiet_days(desk: Desk, many: int) -> None:
    for _ in range(many):
        desk.file()
        desk.close()


def standing(desk: Desk) -> list[tuple[str, str | None, int]]:
    return [(one.state, one.resolution, one.difference_minor) for one in desk.breaks()]


@pytest.mark.usefixtures("alone")
def test_an_accepted_break_hides_no_larger_one_of_the_same_reference(desk: Desk, treasurer: Actor) -> None:
    desk.file(Told(4_50, ref="REF00001"))
    desk.run(desk.close())
    [one] = desk.breaks()
    with transaction():
        breaks.accept(one.id, reason="too small to ask the bank", by=treasurer)
    desk.ledger(5_000_00, "REF00001")
    quiet_days(desk, 4)
    desk.file()
    day = desk.close()
    desk.run(day)
    assert standing(desk) == [("open", None, 4_50 - 5_000_00)]
    stands = equation(desk.bank_id, day)
    assert (stands.timing_minor, stands.breaks_minor, stands.accepted_minor) == (0, 4_50 - 5_000_00, 0)
    # nor does one person accept it now
    with transaction():
        breaks.accept(one.id, reason="too small to ask the bank", by=treasurer)
    assert standing(desk) == [("open", None, 4_50 - 5_000_00)]


@pytest.mark.usefixtures("alone")
def test_a_run_that_matches_an_accepted_break_ends_it(desk: Desk, treasurer: Actor) -> None:
    desk.file(Told(4_50, ref="REF00001"))
    desk.run(desk.close())
    [one] = desk.breaks()
    with transaction():
        breaks.accept(one.id, reason="too small to ask the bank", by=treasurer)
    desk.ledger(4_50, "REF00001")
    desk.file()
    day = desk.close()
    desk.run(day)
    assert standing(desk) == [("resolved", "matched", 4_50)]
    stands = equation(desk.bank_id, day)
    assert (stands.timing_minor, stands.breaks_minor, stands.unexplained_minor) == (0, 0, 0)


def late_reference(desk: Desk) -> list[date]:
    """A line of the first day, and a ledger row of the second that is of the same reference and is not the same."""
    desk.file(Told(4_50, ref="REF00001"))
    days = [desk.close()]
    desk.ledger(5_000_00, "REF00001")
    for _ in range(3):
        desk.file()
        days.append(desk.close())
    return days


def test_a_run_of_an_older_day_takes_no_later_row_off_a_break(desk: Desk) -> None:
    days = late_reference(desk)
    desk.run(days[0])
    desk.run(days[-1])
    assert standing(desk) == [("open", None, 4_50 - 5_000_00)]
    desk.run(days[0])
    assert standing(desk) == [("open", None, 4_50 - 5_000_00)]
    stands = equation(desk.bank_id, days[-1])
    assert (stands.timing_minor, stands.breaks_minor, stands.unexplained_minor) == (0, 4_50 - 5_000_00, 0)


def test_days_are_asked_to_be_matched_oldest_first(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        desk.close()
    asked: list[date] = []
    monkeypatch.setattr(schedule.matching, "run_due", lambda day, by: asked.append(day) or 0)
    schedule.match_statements(None)  # type: ignore[arg-type]
    assert asked == sorted(asked)
    assert len(asked) >= 3


def test_a_line_that_nothing_was_compared_with_is_unexplained_and_keeps_the_day_open(desk: Desk) -> None:
    desk.file()
    day = desk.close()
    desk.run(day)
    desk.file(Told(777_00, ref="NEWLINE1"), day=day)
    stands = equation(desk.bank_id, day)
    assert (stands.timing_minor, stands.breaks_minor, stands.unexplained_minor) == (0, 0, 777_00)
    assert stands.untold == 1
    desk.run(day)
    stands = equation(desk.bank_id, day)
    assert (stands.timing_minor, stands.breaks_minor, stands.unexplained_minor) == (0, 777_00, 0)
    assert stands.untold == 0


def test_rows_that_even_one_another_out_keep_the_day_open_until_they_are_compared(
    desk: Desk, treasurer: Actor, senior: Actor
) -> None:
    pooled(desk, treasurer, senior)
    desk.file()
    day = desk.close()
    desk.run(day)
    desk.file(Told(50_00, ref="NEWLINE1"), Told(-50_00, ref="NEWLINE2"), day=day)
    assert equation(desk.bank_id, day).unexplained_minor == 0
    assert any("2 rows are not compared" in said for said in readiness.blockers("eMoney", "eur", day))


def test_what_was_matched_with_the_row_of_a_later_day_is_timing_as_of_the_earlier(desk: Desk) -> None:
    desk.ledger(10, "REF-9001")
    desk.file()
    first = desk.close()
    desk.run(first)
    desk.file(Told(10, ref="REF-9001"))
    second = desk.close()
    desk.run(second)
    assert [(one.timing_minor, one.unexplained_minor) for one in (
        equation(desk.bank_id, first), equation(desk.bank_id, second)
    )] == [(-10, 0), (0, 0)]  # fmt: skip


def test_the_report_of_a_past_day_keeps_its_breaks_when_they_are_settled_later(desk: Desk) -> None:
    desk.file(Told(-4_50, ref="X0000001"))
    desk.run(desk.close())
    desk.file()
    second = desk.close()
    desk.run(second)
    before = report(desk.bank_id, second, second)
    desk.ledger(-4_50, "X0000001")
    desk.file()
    third = desk.close()
    desk.run(third)
    assert standing(desk) == [("resolved", "matched", -4_50)]
    after = report(desk.bank_id, second, second)
    assert [after.state_of(one) for one in after.breaks] == [before.state_of(one) for one in before.breaks]
    assert [after.state_of(one) for one in after.breaks] == [("open", None)]
    assert dataclasses.replace(after.closing, ran_at=None) == dataclasses.replace(before.closing, ran_at=None)
    assert (after.closing.timing_minor, after.closing.breaks_minor) == (0, -4_50)
    ended = report(desk.bank_id, third, third)
    assert [ended.state_of(one) for one in ended.breaks] == [("resolved", "matched")]
    assert ended.closing.breaks_minor == 0


def test_of_several_statements_of_a_day_the_balances_tell_the_last(desk: Desk) -> None:
    """Imported in another order than they follow one another, without numbers."""
    told = ((8_00, 5_00), (5_00, 9_00), (9_00, 8_00), (0, 8_00))
    for opening, closing in told:
        desk.closing = opening
        desk.file(Told(closing - opening, text="x"))
    day = desk.close()
    desk.run(day)
    assert equation(desk.bank_id, day).statement_minor == 8_00
    found = statements.closing(desk.bank_id, day)
    assert (found.minor, found.as_of) == (8_00, day)
    assert statements.of_days([desk.bank_id], day)[desk.bank_id][-1].closing_minor == 8_00
    numbered = statements.of_day(desk.bank_id, day)
    assert numbered is not None
    assert numbered.id == equation(desk.bank_id, day).statement_id


def import_of(line_id: UUID) -> UUID:
    found = session().scalar(
        sa.text(
            "SELECT s.import_id FROM statement_line l JOIN statement_entry e ON e.id = l.entry_id"
            " JOIN statement s ON s.id = e.statement_id WHERE l.id = :line"
        ),
        {"line": line_id},
    )
    assert isinstance(found, UUID)
    return found


def delete(line_id: UUID, by: Actor) -> None:
    with transaction():
        deleting.delete(import_of(line_id), because="a wrong file", by=by)


def test_a_proposal_ends_with_the_import_of_its_line(desk: Desk, treasurer: Actor) -> None:
    desk.ledger(500_00)
    [line] = desk.file(Told(500_00))
    desk.run(desk.close())
    [proposal] = desk.matches("proposed")
    delete(line, treasurer)
    assert [one.id for one in desk.matches("withdrawn")] == [proposal.id]
    with pytest.raises(Conflict), transaction():
        matches.accept(proposal.id, by=treasurer)
    assert desk.matches() == []
    assert {side for side, _, _ in desk.open_items()} == {"ledger"}


def test_a_break_ends_with_the_import_of_its_line(desk: Desk, treasurer: Actor) -> None:
    row = desk.ledger(5_000_00, "REF00001")
    [line, _] = desk.file(Told(4_50, ref="REF00001"), Told(7_00, ref="REF00002"))
    desk.run(desk.close())
    delete(line, treasurer)
    assert [(one.kind, one.state, one.resolution, one.transaction_id) for one in desk.breaks()] == [
        ("missingInStatement", "open", None, row), ("missingInLedger", "resolved", "gone", None),
    ]  # fmt: skip


@pytest.mark.usefixtures("alone")
def test_an_import_stays_while_a_break_of_it_is_accepted_or_a_line_of_it_is_matched(
    desk: Desk, treasurer: Actor
) -> None:
    [accepted] = desk.file(Told(4_50, ref="REF00001"))
    desk.ledger(10, "REF00002")
    [matched] = desk.file(Told(10, ref="REF00002"))
    desk.run(desk.close())
    [one] = desk.breaks()
    with transaction():
        breaks.accept(one.id, reason="too small to ask the bank", by=treasurer)
    for line in (accepted, matched):
        with pytest.raises(Refused) as refused:
            delete(line, treasurer)
        assert refused.value.code == "linesMatched"
    with transaction():
        matches.undo(desk.matches()[0].id, because="wrong", by=treasurer)
    delete(matched, treasurer)


def test_what_was_undone_is_not_matched_again_by_a_run(desk: Desk, treasurer: Actor) -> None:
    """By exact reference, by a reference written in another way, and by a batch."""
    desk.ledger(1_00, "AAAA1111")
    desk.ledger(2_00, "BBBB-2222")
    desk.file(Told(1_00, ref="AAAA1111"), Told(2_00, ref="bbbb2222"))
    day = desk.close()
    desk.run(day)
    for match in desk.matches():
        with transaction():
            matches.undo(match.id, because="of another client", by=treasurer)
    assert len(desk.matches("undone")) == 2
    desk.run(day)
    assert desk.matches() == []
    assert desk.matches("proposed") == []


def prepare(day: date, by: Actor) -> TreasuryDay:
    """Prepare a day, as if nothing stood against it."""
    with transaction():
        days_services.prepare("eMoney", "eur", day, by=by)
    found = treasury_days.current("eMoney", "eur", day)
    assert found is not None
    return found


@pytest.mark.parametrize("what", ["undo", "match", "run"])
def test_a_prepared_day_is_reopened_when_its_matches_change(
    desk: Desk, treasurer: Actor, senior: Actor, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    pooled(desk, treasurer, senior)
    row = desk.ledger(1_00, "AAAA1111" if what != "match" else None)
    [line] = desk.file(Told(1_00, ref="AAAA1111"))
    day = desk.close()
    if what != "run":
        desk.run(day)
    monkeypatch.setattr(day_readiness, "in_the_way_of_preparing", lambda *_: [])
    monkeypatch.setattr(day_readiness, "prepare", lambda *_: None)
    prepared = prepare(day, treasurer)
    assert (prepared.state, prepared.version) == ("prepared", 1)
    match what:
        case "undo":
            with transaction():
                matches.undo(desk.matches()[0].id, because="wrong", by=treasurer)
        case "match":
            with transaction():
                matches.match_by_hand(desk.bank_id, lines=[line], transactions=[row], by=treasurer)
        case _:
            desk.run(day)
    session().expire_all()
    now = treasury_days.current("eMoney", "eur", day)
    assert now is not None
    assert (now.state, now.version) == ("open", 2)


def test_a_run_that_settles_many_breaks_asks_no_more_than_one_that_settles_few(desk: Desk) -> None:
    asked: list[str] = []

    def listen(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        asked.append(statement)

    def queries(many: int) -> int:
        for number in range(many):
            desk.ledger(1_000 + number, f"ROW{many:03d}{number:04d}")
        quiet_days(desk, 3)
        desk.file()
        desk.run(desk.close())
        assert len(desk.breaks("open")) == many
        desk.file(*[Told(1_000 + number, ref=f"ROW{many:03d}{number:04d}") for number in range(many)])
        day = desk.close()
        event.listen(db.engine, "before_cursor_execute", listen)
        asked.clear()
        desk.run(day)
        event.remove(db.engine, "before_cursor_execute", listen)
        assert desk.breaks("open") == []
        return len(asked)

    few = queries(2)
    assert queries(9) <= few + 2


def test_proposals_of_a_row_are_found_by_an_index(desk: Desk) -> None:
    assert desk.matches() == []
    with transaction():
        session().execute(sa.text("SET LOCAL enable_seqscan = off"))
        for table, column in (("match_line", "line_id"), ("match_transaction", "transaction_id")):
            plan = session().scalars(
                sa.text(f"EXPLAIN SELECT match_id FROM {table} WHERE {column} = gen_random_uuid() AND NOT live")
            )
            assert f"ix_{table}_other" in " ".join(plan)
