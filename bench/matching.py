"""Matching a million ledger rows with a million lines of a bank, beside the plain full outer join of the same rows.

Of the lines 99 % have their ledger row, 0.5 % carry another amount, and 0.5 % of each side are missing on the other.
Both sides lie in the working tables of a run. The join says of each reference whether it stands on both sides and with
which amounts, and no more; matching makes all passes in the order of the rules, tells duplicates apart, and says of
every row that is left which kind of break it is. Each is measured in turn, in the same database; the goal is a
quotient of at most 2. BENCH_MATCHING makes the sides smaller.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from datetime import date, timedelta

from bench.figures import ROUNDS
from bench.server import Bench
from dashboard.app import create_app
from dashboard.database import session
from dashboard.treasury.matching.passes import breaks
from dashboard.treasury.matching.passes.board import EVERY_PAIR, Board, number
from dashboard.treasury.matching.passes.board import run as execute
from dashboard.treasury.matching.queries.rules import in_force
from dashboard.treasury.matching.services import runs

ROWS = 1_000_000
GOAL = 2.0
DAY = date(2026, 3, 12)

#: every thousandth part of a side: 5 with another amount, 5 missing there, and 5 of the bank's own
_SIDES = """
INSERT INTO side_{side} (n, id, amount, booked, valued, e2e, party)
SELECT i, gen_random_uuid(), CASE WHEN i % 2 = 0 THEN 1 ELSE -1 END * (100 + i % 99991)
       + CASE WHEN '{side}' = 'b' AND i % 200 = 1 THEN -7 ELSE 0 END,
       CAST(:day AS date), CAST(:day AS date),
       CASE WHEN i % 200 = 2 THEN '{side}ONLY' ELSE 'CH' END || lpad(i::text, 10, '0'),
       CASE WHEN i % 200 = 2 THEN '{side}' ELSE 'LT' END || i
FROM generate_series(1, :rows) AS i
"""
_JOIN = """
SELECT count(*) FILTER (WHERE l.amount = b.amount), count(*) FILTER (WHERE l.amount <> b.amount),
       count(*) FILTER (WHERE b.n IS NULL), count(*) FILTER (WHERE l.n IS NULL)
FROM side_l l FULL OUTER JOIN side_b b ON b.e2e = l.e2e
"""


def _settings() -> None:
    for setting in ("statement_timeout = 0", "lock_timeout = 0", "work_mem = '256MB'", "jit = off"):
        execute(f"SET LOCAL {setting}")


def _laid_out(rows: int) -> Board:
    """Both sides, as gathering leaves them."""
    _settings()
    board = Board()
    board.lay_out()
    filled = [execute(_SIDES.format(side=side), rows=rows, day=DAY) for side in ("l", "b")]
    board.filled((filled[0], filled[1]))
    execute("DROP TABLE IF EXISTS pg_temp.refused")
    execute("CREATE TEMP TABLE refused (transaction_id uuid, line_id uuid) ON COMMIT DROP")
    return board


def _timed(work: Callable[[], object]) -> float:
    """Seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _classify(board: Board) -> None:
    rules = in_force()
    for step in rules.steps:
        runs.make(board, step)
    breaks.find(board, booked_before=DAY + timedelta(days=1))


def run_on(rows: int) -> None:
    """The rounds and their table, in one transaction that leaves nothing."""
    joins, classes, told = [], [], ""
    for _ in range(ROUNDS):
        board = _laid_out(rows)
        joins.append(_timed(lambda: number(_JOIN)))
        classes.append(_timed(lambda board=board: _classify(board)))  # type: ignore[misc]
        found = session().connection().exec_driver_sql(
            f"SELECT (SELECT count(*) FROM {EVERY_PAIR} AS p),"
            " (SELECT count(*) FROM brk WHERE kind = 'amountDiffers'),"
            " (SELECT count(*) FROM brk WHERE kind = 'missingInStatement'),"
            " (SELECT count(*) FROM brk WHERE kind = 'missingInLedger')"
        ).one()  # fmt: skip
        told = f"{found[0]:,} matched, {found[1]:,} amounts differ, {found[2]:,} and {found[3]:,} missing"
        session().rollback()
    quotients = sorted(mine / plain for mine, plain in zip(classes, joins, strict=True))
    middle = statistics.median(quotients)
    print(f"\nMatching: {rows:,} ledger rows against {rows:,} lines ({told})")
    print(f"{'plain full outer join':42}{statistics.median(joins):9.2f} s")
    print(
        f"{'all passes, and what the rest is':42}{statistics.median(classes):9.2f} s"
        f"{middle:7.2f} ({quotients[0]:.2f} to {quotients[-1]:.2f}) × the join, goal {GOAL:g}"
        f"{' !' if middle > GOAL else ''}",
        flush=True,
    )


def run(bench: Bench) -> None:
    """On a database of its own."""
    rows = int(os.environ.get("BENCH_MATCHING", ROWS))
    app = create_app(bench.migrated("matching"))
    with app.app_context():
        run_on(rows)
