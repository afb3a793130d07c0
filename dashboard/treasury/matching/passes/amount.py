"""The same amount, value dates close together, and the same party: likely, and seldom proof."""

from __future__ import annotations

from dashboard.treasury.matching.passes.board import Board
from dashboard.treasury.matching.vocabulary import Pass

_NAME = "lower(regexp_replace({0}.name, '[^[:alnum:]]', '', 'g'))"
_L, _B = _NAME.format("l"), _NAME.format("b")


def find(board: Board, *, days: int, certain: bool) -> None:
    """Fill `pair` where exactly one row on each side fits, and leave the rest. `certain`: the rules trust the same
    account or name; amount and date alone always wait for a person."""
    board.candidates(
        "SELECT l.n AS ln, b.n AS bn, abs(b.valued - l.valued) AS gap,"
        " CASE WHEN l.party = b.party THEN 'amount, value date and account agree'"
        f"  WHEN {_L} = {_B} THEN 'amount, value date and name agree'"
        "  ELSE 'amount and value date agree; a side names no party' END AS why,"
        f" CAST(:certain AS boolean) AND coalesce(l.party = b.party OR {_L} = {_B}, false) AS certain"
        f" FROM {board.left_l} l JOIN {board.left_b} b ON b.amount = l.amount AND abs(b.valued - l.valued) <= :days"
        f" WHERE l.party = b.party OR {_L} = {_B}"
        "  OR coalesce(l.party, l.name) IS NULL OR coalesce(b.party, b.name) IS NULL",
        days=days,
        certain=certain,
    )
    if board.pair_up(Pass.AMOUNT, only_alone=True):
        board.take_out(Pass.AMOUNT)
