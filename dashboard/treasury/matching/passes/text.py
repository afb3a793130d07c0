"""A reference of ours that stands somewhere in the text of the bank's line, with the same amount."""

from __future__ import annotations

from dashboard.treasury.matching.passes.board import CONTRADICT, SHORTEST_IN_TEXT, Board, number, same
from dashboard.treasury.matching.vocabulary import Pass

#: from this length on it is no chance that the letters stand there
SURE = 8


def find(board: Board, *, days: int) -> None:
    """Fill `pair`, and leave the rest. Where several fit, or the reference is short, a person decides."""
    if not number(f"SELECT count(*) FROM (SELECT 1 FROM {board.left_b} WHERE said <> '' LIMIT 1) AS b"):
        return
    board.spread_keys(shortest=SHORTEST_IN_TEXT)
    board.candidates(
        "SELECT l.n AS ln, b.n AS bn, abs(b.booked - l.booked) AS gap, 'reference ' || k.key || ' in the text' AS why,"
        f" length(k.key) >= {SURE} AND {CONTRADICT} IS NOT TRUE AS certain"
        f" FROM {board.left_l} l JOIN key_l k ON k.n = l.n"
        f" JOIN (SELECT n, amount, booked, ref, refs, party, {same('said')} AS said FROM {board.left_b}"
        "  WHERE said <> '' OFFSET 0) b"
        "  ON b.amount = l.amount AND abs(b.booked - l.booked) <= :days AND position(k.key IN b.said) > 0",
        days=days,
    )
    if board.pair_up(Pass.TEXT, only_alone=True):
        board.take_out(Pass.TEXT)
