"""Whatever moves: the requirement less the resource is made of the rows behind each number, each counted once."""

from __future__ import annotations

from datetime import date
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dashboard.database import db
from dashboard.treasury.positions.queries import clients, rows
from dashboard.treasury.positions.queries.figures import Figures
from dashboard.treasury.positions.services.evidence import behind
from dashboard.treasury.positions.vocabulary import Figure
from tests.treasury.positions.conftest import House

#: what happens, to which of three clients, how much, and whether the bank tells of it on the same day
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["receive", "send", "unrecognized", "bankOnly", "hold"]),
        st.integers(0, 2), st.integers(1, 9_999), st.booleans(),
    ),
    min_size=1, max_size=9,
)  # fmt: skip

SUMMED = (
    Figure.CLIENTS, Figure.NEGATIVE, Figure.UNRECOGNIZED, Figure.RECEIVED, Figure.SENT, Figure.REQUIREMENT,
    Figure.RESOURCE, Figure.EXCESS, Figure.LEDGER, Figure.DIFFERENCE, Figure.UNEXPLAINED, Figure.LYING, Figure.LATE,
)  # fmt: skip


def happen(house: House, events: list[tuple[str, int, int, bool]]) -> tuple[date, dict[str, int]]:
    """Books and statement of one day; gives what an accountant would say of it."""
    bank = house.bank()
    people = [house.client(limit=100_000_00), house.client(limit=100_000_00), house.client(limit=100_000_00)]
    stands, said = [0, 0, 0], {"suspense": 0, "in": 0, "out": 0, "bank": 0}
    told: list[tuple[int, Any]] = []
    for what, who, amount, same_day in events:
        if what == "receive":
            transaction_id = house.receive(bank, people[who], amount)
            stands[who] += amount
            if same_day:
                told.append((amount, transaction_id))
        elif what == "send":
            transaction_id = house.send(people[who], bank, amount)
            stands[who] -= amount
            if same_day:
                told.append((-amount, transaction_id))
            else:
                said["out"] += amount
        elif what == "unrecognized":
            transaction_id = house.unrecognized(bank, amount)
            said["suspense"] += amount
            if same_day:
                told.append((amount, transaction_id))
        elif what == "bankOnly":
            told.append((amount, None))
            said["in"] += amount
        else:
            house.hold(people[who], bank, amount)
    day = house.end_day()
    lines = house.statement(bank, day, 0, [amount for amount, _ in told])
    for line, (_, transaction_id) in zip(lines, told, strict=True):
        if transaction_id is not None:
            house.match(bank, line, transaction_id)
    house.sweep(bank, day)
    said["client"] = sum(max(one, 0) for one in stands)
    said["negative"] = sum(min(one, 0) for one in stands)
    said["bank"] = sum(amount for amount, _ in told)
    # what the bank told and nothing was compared with
    said["untold"] = sum(amount for amount, transaction_id in told if transaction_id is None)
    return day, said


def together(figure: Figure, found: Figures) -> int:
    from dashboard.treasury.positions.queries.standing import Position

    position = Position(found, None, None, frozen=False)  # type: ignore[arg-type]
    return sum(row.amount.minor_units for row in behind(figure, position) if row.amount is not None)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
# what one client has is what another owes: the total of the day is nothing
@example(events=[("receive", 1, 1, False), ("send", 0, 1, False)])
@given(events=EVENTS)
def test_every_number_is_the_sum_of_its_rows_and_each_row_counts_once(
    house: House, events: list[tuple[str, int, int, bool]]
) -> None:
    everything = db.engine.begin_nested()  # type: ignore[attr-defined]
    try:
        day, said = happen(house, events)
        before = house.figures(day)
        assert before.accounts[-1].statement == said["bank"]
        assert (before.client, before.negative, before.unrecognized, before.received, before.sent) == (
            said["client"], said["negative"], said["suspense"], said["in"], said["out"],
        )  # fmt: skip
        for figure in SUMMED:
            assert together(figure, before) == rows.total(figure, before), figure
        assert before.received is not None and before.sent is not None
        assert before.requirement == before.client + before.unrecognized + before.received + before.sent
        seen = [row.id for figure in (Figure.RECEIVED, Figure.SENT) for row in rows.behind(figure, before, limit=1_000)]
        assert len(seen) == len(set(seen))
        account = before.accounts[-1]
        assert account.unexplained == said["untold"]
        derived = clients.derived(day)["eMoney", "eur"]
        added = clients.added_up(day, "eur")["eMoney"]
        assert (
            (added.positive, added.negative) == (derived.positive, derived.negative) == (before.client, before.negative)
        )
    finally:
        db.session.remove()
        everything.rollback()
