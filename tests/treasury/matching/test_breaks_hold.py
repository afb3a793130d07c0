"""Breaks against what runs do to them: nothing that stands between bank and ledger is lost sight of."""

from __future__ import annotations

import dataclasses
from uuid import UUID

import pytest
import sqlalchemy as sa

from dashboard.access.actor import Actor, system
from dashboard.approvals import services as approvals
from dashboard.database import session, transaction
from dashboard.treasury.matching.queries.points import equation
from dashboard.treasury.matching.queries.rules import in_force
from dashboard.treasury.matching.services import breaks, rules
from tests.treasury.matching.conftest import Desk, Told


@pytest.fixture
def alone(treasurer: Actor, senior: Actor) -> None:
    """One person accepts up to 10.00."""
    with transaction():
        asked = rules.ask(dataclasses.replace(in_force(), accept_alone={"eur": 10_00}), reason="small", by=treasurer)
    with transaction():
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
        breaks.accept(one.id, reason="small", by=treasurer)
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
        breaks.accept(one.id, reason="small", by=treasurer)
    assert standing(desk) == [("open", None, 4_50 - 5_000_00)]


@pytest.mark.usefixtures("alone")
def test_a_run_that_matches_an_accepted_break_ends_it(desk: Desk, treasurer: Actor) -> None:
    desk.file(Told(4_50, ref="REF00001"))
    desk.run(desk.close())
    [one] = desk.breaks()
    with transaction():
        breaks.accept(one.id, reason="small", by=treasurer)
    desk.ledger(4_50, "REF00001")
    desk.file()
    day = desk.close()
    desk.run(day)
    assert standing(desk) == [("resolved", "matched", 4_50)]
    stands = equation(desk.bank_id, day)
    assert (stands.timing_minor, stands.breaks_minor, stands.unexplained_minor) == (0, 0, 0)
