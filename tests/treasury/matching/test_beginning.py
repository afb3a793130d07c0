"""The first statement of an account: its opening balance covers what was booked before."""

from __future__ import annotations

from datetime import date

from dashboard.treasury.matching import queries
from tests.treasury.matching.conftest import Desk, Told


def days_of(desk: Desk) -> tuple[date, date, date]:
    """Three days, each with a posting of its own; the bank has 7 of 100 less on the first."""
    ended = []
    for amount, ref in ((100, "REF-100A"), (200, "REF-100B"), (300, "REF-100C")):
        desk.ledger(amount, ref)
        ended.append(desk.close())
    return ended[0], ended[1], ended[2]


def test_what_was_booked_before_the_first_statement_is_no_break(desk: Desk) -> None:
    _, _, third = days_of(desk)
    desk.closing = 300
    desk.file(Told(300, ref="REF-100C"), day=third)
    run = desk.run(third)
    assert (run.figures["ledgerRows"], desk.kinds(), desk.open_items()) == (1, [], set())
    stands = queries.equation(desk.bank_id, third)
    assert (stands.begins_on, stands.carried_minor, stands.unexplained_minor) == (third, 0, 0)


def test_a_difference_from_before_is_told_and_unexplained(desk: Desk) -> None:
    _, _, third = days_of(desk)
    desk.closing = 293
    desk.file(Told(300, ref="REF-100C"), day=third)
    desk.run(third)
    stands = queries.equation(desk.bank_id, third)
    assert (stands.ledger_minor, stands.statement_minor, stands.breaks_minor) == (600, 593, 0)
    assert (stands.carried_minor, stands.unexplained_minor) == (-7, -7)


def test_an_earlier_statement_moves_the_beginning_back_in_either_order(desk: Desk) -> None:
    _, second, third = days_of(desk)
    told = {}
    for order in ((third, second), (second, third)):
        one = desk if not told else Desk()
        if told:
            _, second, third = days_of(one)
            order = (second, third)
        for day in order:
            one.closing = 100 if day == second else 300
            one.file(Told(200, ref="REF-100B") if day == second else Told(300, ref="REF-100C"), day=day)
            one.run(day)
        one.run(third)
        stands = queries.equation(one.bank_id, third)
        assert stands.begins_on == second
        told[one.bank_id] = (
            stands.carried_minor, stands.unexplained_minor, one.kinds(), one.open_items(),
            sorted(match.amount_minor for match in one.matches()),
        )  # fmt: skip
    assert list(told.values()) == [(0, 0, [], set(), [200, 300])] * 2
