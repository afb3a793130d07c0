"""Runs: what they refuse, what a dry one leaves, and what the equation says."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from dashboard.access.actor import Actor, system
from dashboard.database import session, transaction
from dashboard.errors import NotFound, Refused
from dashboard.treasury.matching import queries
from dashboard.treasury.matching.queries import items, matches
from dashboard.treasury.matching.services import matches as verbs
from dashboard.treasury.matching.services import runs
from tests.treasury.matching.conftest import Desk, Told


def snapshot(desk: Desk) -> list[object]:
    tables = ("recon_match", "match_line", "match_transaction", "recon_break", "break_event", "queue_item")
    counts = [session().scalar(sa.text(f"SELECT count(*) FROM {table}")) for table in tables]
    swept = session().scalar(sa.text("SELECT max(swept_on) FROM match_place"))
    return [*counts, swept, desk.open_items()]


def test_a_day_that_is_open_and_a_day_without_statement_are_refused(desk: Desk) -> None:
    with pytest.raises(Refused) as refused, transaction():
        runs.ask(desk.bank_id, desk.day, dry=False, by=system())
    assert refused.value.code == "dayOpen"
    day = desk.close()
    with pytest.raises(Refused) as refused, transaction():
        runs.ask(desk.bank_id, day, dry=False, by=system())
    assert refused.value.code == "noStatement"
    with pytest.raises(Refused) as refused, transaction():
        runs.ask(desk.bank_id, day - timedelta(days=4000), dry=False, by=system())
    assert refused.value.code == "unknownDay"
    with pytest.raises(NotFound), transaction():
        runs.ask(uuid4(), day, dry=False, by=system())


def test_asking_twice_is_once(desk: Desk, treasurer: Actor) -> None:
    desk.file(Told(10))
    day = desk.close()
    with transaction():
        first = runs.ask(desk.bank_id, day, dry=False, by=treasurer)
        second = runs.ask(desk.bank_id, day, dry=False, by=treasurer)
    assert first.id == second.id


def test_a_dry_run_changes_nothing_and_tells_what_a_run_would_do(desk: Desk) -> None:
    desk.ledger(10, "REF-9001")
    desk.ledger(20, "REF-9002")
    desk.file(Told(10, ref="REF-9001"), Told(25, ref="REF-9002"), Told(-3, text="fee"))
    day = desk.close()
    before = snapshot(desk)
    dry = desk.run(day, dry=True)
    assert snapshot(desk) == before
    real = desk.run(day)
    assert dry.figures == real.figures
    assert real.figures["breaks"] == {
        "amountDiffers": {"count": 1, "sumMinor": 5}, "missingInLedger": {"count": 1, "sumMinor": -3},
    }  # fmt: skip


def test_a_second_run_finds_nothing_new(desk: Desk) -> None:
    desk.ledger(10, "REF-9001")
    desk.file(Told(10, ref="REF-9001"), Told(-3, text="fee"))
    day = desk.close()
    desk.run(day)
    before = snapshot(desk)
    desk.run(day)
    assert snapshot(desk) == before


def test_the_equation_explains_the_statement(desk: Desk) -> None:
    desk.ledger(1_000, "REF-9001")
    desk.ledger(500, "REF-9002")
    desk.ledger(-70, "REF-9003")
    desk.file(Told(1_000, ref="REF-9001"), Told(-450, text="prowizja"))
    day = desk.close()
    unknown = queries.equation(desk.bank_id, day)
    assert (unknown.timing_minor, unknown.breaks_minor, unknown.unexplained_minor) == (None, None, None)
    assert (unknown.ledger_minor, unknown.statement_minor) == (1_430, 550)
    desk.run(day)
    stands = queries.equation(desk.bank_id, day)
    assert (stands.ledger_minor, stands.timing_minor, stands.breaks_minor, stands.statement_minor) == (
        1_430, -430, -450, 550,
    )  # fmt: skip
    assert stands.unexplained_minor == 0
    open_now = queries.open_items(desk.bank_id, day)
    assert (open_now.bank_in_minor, open_now.bank_out_minor) == (0, 450)
    assert (open_now.ledger_in_minor, open_now.ledger_out_minor) == (500, 70)
    rows = items.open_rows(desk.bank_id, day, side="ledger")
    assert sorted(row.amount_minor for row in rows) == [-70, 500]


def test_what_came_a_day_later_is_timing_as_of_the_day_before(desk: Desk) -> None:
    desk.ledger(500, "REF-9002")
    desk.file()
    first = desk.close()
    desk.run(first)
    desk.file(Told(500, ref="REF-9002"))
    second = desk.close()
    desk.run(second)
    assert desk.open_items() == set()
    earlier = queries.equation(desk.bank_id, first)
    assert (earlier.ledger_minor, earlier.timing_minor, earlier.breaks_minor, earlier.statement_minor) == (
        500, -500, 0, 0,
    )  # fmt: skip
    assert earlier.unexplained_minor == 0
    later = queries.equation(desk.bank_id, second)
    assert (later.timing_minor, later.breaks_minor, later.unexplained_minor) == (0, 0, 0)


def test_a_missing_statement_is_no_data_and_never_zero(desk: Desk) -> None:
    desk.ledger(500, "REF-9002")
    day = desk.close()
    stands = queries.equation(desk.bank_id, day)
    assert stands.ledger_minor == 500
    assert stands.statement_minor is None
    assert stands.unexplained_minor is None


def test_a_closing_balance_that_its_entries_do_not_make_is_unexplained(desk: Desk) -> None:
    desk.ledger(500, "REF-9002")
    desk.file(Told(500, ref="REF-9002"), closing=512)
    day = desk.close()
    desk.run(day)
    assert queries.equation(desk.bank_id, day).unexplained_minor == 12


def test_a_matched_line_keeps_its_import(desk: Desk, treasurer: Actor) -> None:
    desk.ledger(10, "REF-9001")
    [line] = desk.file(Told(10, ref="REF-9001"))
    desk.run(desk.close())
    import_id = session().scalar(
        sa.text(
            "SELECT s.import_id FROM statement s JOIN statement_entry e ON e.statement_id = s.id"
            " JOIN statement_line l ON l.entry_id = e.id WHERE l.id = :line"
        ),
        {"line": line},
    )
    assert matches.of_import(import_id) == 1
    [match] = desk.matches()
    with transaction():
        verbs.undo(match.id, because="taken back", by=treasurer)
    assert matches.of_import(import_id) == 0


def test_a_run_is_asked_for_where_a_statement_or_a_line_came(desk: Desk) -> None:
    desk.file(Told(10), Told(333))
    desk.ledger(333)
    day = desk.close()
    with transaction():
        before = runs.run_due(day, by=system())
        again = runs.run_due(day, by=system())
    assert (before, again) == (1, 1), "one that waits is the answer"
    desk.run(day)
    with transaction():
        assert runs.run_due(day, by=system()) == 0
    desk.file(Told(20), day=day)
    with transaction():
        assert runs.run_due(day, by=system()) == 1
