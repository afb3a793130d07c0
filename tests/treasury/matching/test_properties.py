"""Properties of matching over any two books, against the real database."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

import sqlalchemy as sa
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dashboard.access.actor import Actor
from dashboard.access.permissions import Role
from dashboard.database import db, session, transaction
from dashboard.treasury.matching import references
from dashboard.treasury.matching.services import matches as verbs
from tests.conftest import People
from tests.treasury.matching.conftest import Desk, Told

REFERENCES = st.sampled_from([None, "REF-1001", "REF-1002", "REF-1003", "REF-1004"])
AMOUNTS = st.sampled_from([10, 20, 30, -10, -30])
LEDGER = st.lists(st.tuples(AMOUNTS, REFERENCES), max_size=6)
LINES = st.lists(
    st.builds(
        lambda amount, ref, text, batch: Told(amount, ref=ref, text=text, batch=batch),
        AMOUNTS, REFERENCES, st.sampled_from([None, "for ref 1003 thanks", "prowizja"]),
        st.sampled_from([None, "BATCH-1"]),
    ),
    max_size=6,
)  # fmt: skip
MANY = settings(
    max_examples=8, deadline=None, phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


class Rolled:
    """Each example in a savepoint of its own."""

    def __enter__(self) -> Desk:
        references.learn("told", "SELECT payment_id, reference FROM told_reference")
        db.session.remove()
        # the fixture's one connection stands where the engine was
        self.nested = cast(sa.Connection, db.engine).begin_nested()
        return Desk()

    def __exit__(self, *_: Any) -> None:
        db.session.remove()
        self.nested.rollback()
        references._known.pop("told")


def told_twice(desk: Desk) -> list[int]:
    """How often each row stands in a live match, at most."""
    return [
        session().scalar(
            sa.text(f"SELECT coalesce(max(many), 0) FROM (SELECT count(*) AS many FROM {table} WHERE live"
                    f" GROUP BY {key}) AS t")
        ) or 0
        for table, key in (("match_line", "line_id"), ("match_transaction", "transaction_id, account_id"))
    ]  # fmt: skip


def sums(desk: Desk) -> int:
    """What is matched, on each side, must be the same: gives the difference."""
    return int(
        session().scalar(
            sa.text(
                "SELECT coalesce((SELECT sum(amount_minor) FROM match_line WHERE live), 0)"
                " - coalesce((SELECT sum(amount_minor) FROM match_transaction WHERE live), 0)"
            )
        )
        or 0
    )


def outcome(desk: Desk) -> Any:
    """What matching came to, told by what the rows say and not by their identifiers."""
    pairs = Counter(
        (match.found_by, match.state, match.amount_minor, match.lines, match.transactions, match.why)
        for state in ("live", "proposed")
        for match in desk.matches(state)
    )
    left = Counter((side, amount) for side, _, amount in desk.open_items())
    return pairs, left, Counter(desk.kinds())


@MANY
@given(rows=LEDGER, lines=LINES)
def test_no_row_is_used_twice_and_both_sides_agree(app: Flask, rows: Any, lines: Any) -> None:
    with Rolled() as desk:
        for amount, ref in rows:
            desk.ledger(amount, ref)
        desk.file(*lines)
        day = desk.close()
        desk.run(day)
        assert max(told_twice(desk)) <= 1
        assert sums(desk) == 0
        matched = sum(match.lines + match.transactions for match in desk.matches())
        assert matched + len(desk.open_items()) == len(rows) + len(lines)


@MANY
@given(rows=LEDGER, lines=LINES, order=st.randoms(use_true_random=False))
def test_the_order_of_files_changes_nothing(app: Flask, rows: Any, lines: Any, order: Any) -> None:
    found = []
    shuffled = list(lines)
    order.shuffle(shuffled)
    for told in (lines, shuffled):
        with Rolled() as desk:
            for amount, ref in rows:
                desk.ledger(amount, ref)
            # each line comes as a file of its own
            for line in told:
                desk.file(line)
            desk.file()
            desk.run(desk.close())
            found.append(outcome(desk))
    assert found[0] == found[1]


def pairs_of(state: str) -> set[tuple[Any, Any]]:
    """Every line with every ledger row of the same match."""
    rows = session().execute(
        sa.text(
            "SELECT l.line_id, t.transaction_id FROM recon_match m JOIN match_line l ON l.match_id = m.id"
            " JOIN match_transaction t ON t.match_id = m.id WHERE m.state = :state"
        ),
        {"state": state},
    )
    return {(line, transaction_id) for line, transaction_id in rows}


@MANY
@given(rows=LEDGER, lines=LINES)
def test_undoing_everything_restores_the_start(app: Flask, people: People, rows: Any, lines: Any) -> None:
    by: Actor = people.actor(Role.TREASURER)
    with Rolled() as desk:
        for amount, ref in rows:
            desk.ledger(amount, ref)
        desk.file(*lines)
        day = desk.close()
        desk.run(day, dry=True)
        before_bank = {item for item in desk.open_items() if item[0] == "bank"}
        desk.run(day)
        for match in desk.matches():
            with transaction():
                verbs.undo(match.id, because="start again", by=by)
        after = desk.open_items()
        assert {item for item in after if item[0] == "bank"} == before_bank
        assert len(after) == len(rows) + len(lines)
        assert max(told_twice(desk)) == 0
        # and what a person has taken apart is not put together again
        apart = pairs_of("undone")
        desk.run(day)
        assert not apart & pairs_of("live")


@MANY
@given(rows=LEDGER, lines=LINES)
def test_a_dry_run_changes_nothing(app: Flask, rows: Any, lines: Any) -> None:
    with Rolled() as desk:
        for amount, ref in rows:
            desk.ledger(amount, ref)
        desk.file(*lines)
        day = desk.close()
        before = (outcome(desk), desk.open_items())
        dry = desk.run(day, dry=True)
        assert (outcome(desk), desk.open_items()) == before
        assert desk.run(day).figures == dry.figures
