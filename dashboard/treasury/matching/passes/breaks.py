"""What is left when all passes are made: which kind of break it is, and what is likely behind it."""

from __future__ import annotations

from datetime import date

from dashboard.treasury.matching.passes.board import EVERY_PAIR, Board, run
from dashboard.treasury.matching.vocabulary import BreakKind, Cause

#: how banks call their fees and interest, in the languages of the demo's banks and their neighbours
_FEES = "(fee|charge|commission|prowizj|op[lł]at|mokest|komis|teenustasu|entgelt|geb[uü]hr|frais|provision)"
_INTEREST = "(interest|odsetki|pal[uū]kan|intress|zins|int[eé]r[eê]ts|procent)"


def find(board: Board, *, booked_before: date) -> None:
    """Fill `brk`. Ledger rows alone that were booked or valued on or after `booked_before` still have time."""
    for table in ("pair", "multi"):
        run(f"ANALYZE {table}")
    _same_reference(board)
    _twice_at_bank(board)
    _twice_in_ledger(board)
    _alone(board, booked_before)
    _causes(board)


def _same_reference(board: Board) -> None:
    board.spread_keys()
    board.candidates(
        "SELECT k.n AS ln, j.n AS bn, abs(b.amount - l.amount) AS gap,"
        f" CASE WHEN b.amount = l.amount THEN '{BreakKind.WRONG_DATE}' ELSE '{BreakKind.AMOUNT_DIFFERS}' END AS why,"
        f" true AS certain FROM key_l k JOIN key_b j ON j.key = k.key JOIN {board.left_l} l ON l.n = k.n"
        f" JOIN {board.left_b} b ON b.n = j.n AND sign(b.amount) = sign(l.amount)"
    )
    board.pair_up("", into="brk")


def _twice_at_bank(board: Board) -> None:
    """A second line of the same reference and amount: beside one that this run matched, or one matched before."""
    for column, stored in (("e2e", "end_to_end_id"), ("ref", "provider_reference")):
        _beside_pairs(board, "b", column, BreakKind.DUPLICATE_AT_BANK)
        run(
            f"INSERT INTO brk (kind, bn, twin) SELECT '{BreakKind.DUPLICATE_AT_BANK}', b.n, t.id"
            f" FROM {board.left_b} b JOIN statement_line o ON o.id = b.id JOIN LATERAL ("
            "  SELECT x.id FROM statement_line x JOIN match_line m ON m.line_id = x.id AND m.live"
            f"  WHERE x.bank_account_id = o.bank_account_id AND x.matchable AND x.{stored} = b.{column}"
            "  AND x.amount_minor = b.amount ORDER BY x.booking_date, x.id LIMIT 1) AS t ON true"
            " WHERE NOT EXISTS (SELECT 1 FROM brk k WHERE k.bn = b.n)"
        )


def _twice_in_ledger(board: Board) -> None:
    for column in ("e2e", "ref"):
        _beside_pairs(board, "l", column, BreakKind.DUPLICATE_IN_LEDGER)


def _beside_pairs(board: Board, side: str, column: str, kind: BreakKind) -> None:
    left = board.left_l if side == "l" else board.left_b
    run("DROP TABLE IF EXISTS pg_temp.odd")
    few = run(
        f"CREATE TEMP TABLE odd ON COMMIT DROP AS SELECT w.n, w.{column} AS key, w.amount FROM {left} w"
        f" JOIN multi u ON u.key = w.{column} AND u.amount = w.amount"
        f" WHERE NOT EXISTS (SELECT 1 FROM brk k WHERE k.{side}n = w.n)"
    )
    if not few:
        return
    run("ANALYZE odd")
    run(
        f"INSERT INTO brk (kind, {side}n, twin) SELECT DISTINCT ON (o.n) '{kind}', o.n, s.id FROM odd o"
        f" JOIN side_{side} s ON s.{column} = o.key AND s.amount = o.amount"
        f" JOIN {EVERY_PAIR} p ON p.{side}n = s.n"
        " ORDER BY o.n, s.n"
    )


def _alone(board: Board, booked_before: date) -> None:
    run(
        f"INSERT INTO brk (kind, bn) SELECT '{BreakKind.MISSING_IN_LEDGER}', b.n FROM {board.left_b} b"
        " WHERE NOT EXISTS (SELECT 1 FROM brk k WHERE k.bn = b.n)"
    )
    run(
        f"INSERT INTO brk (kind, ln) SELECT '{BreakKind.MISSING_IN_STATEMENT}', l.n FROM {board.left_l} l"
        " WHERE greatest(l.booked, l.valued) < :before AND NOT EXISTS (SELECT 1 FROM brk k WHERE k.ln = l.n)",
        before=booked_before,
    )


def _causes(board: Board) -> None:
    run(
        "UPDATE brk k SET cause = CASE"
        f" WHEN k.kind = '{BreakKind.DUPLICATE_IN_LEDGER}' THEN '{Cause.BOOKED_TWICE}'"
        f" WHEN k.kind = '{BreakKind.WRONG_DATE}' THEN '{Cause.LATE_AT_BANK}'"
        f" WHEN k.kind = '{BreakKind.MISSING_IN_STATEMENT}' THEN"
        f"  CASE WHEN l.amount < 0 THEN '{Cause.NOT_SENT}' ELSE '{Cause.NOT_ARRIVED}' END"
        f" ELSE '{Cause.UNKNOWN}' END FROM {board.left_l} l WHERE l.n = k.ln"
    )
    run(
        "UPDATE brk k SET cause = CASE"
        f" WHEN k.kind = '{BreakKind.DUPLICATE_AT_BANK}' THEN"
        f"  CASE WHEN b.amount < 0 THEN '{Cause.SENT_TWICE}' ELSE '{Cause.TOLD_TWICE}' END"
        f" WHEN b.amount < 0 AND b.said ~* '{_FEES}' THEN '{Cause.BANK_FEE}'"
        f" WHEN b.said ~* '{_INTEREST}' THEN '{Cause.INTEREST}'"
        f" WHEN b.amount < 0 THEN '{Cause.NOT_OURS}' ELSE '{Cause.NOT_BOOKED}' END"
        f" FROM {board.left_b} b WHERE b.n = k.bn AND k.ln IS NULL"
    )
    run(
        f"UPDATE brk k SET cause = '{Cause.FEE_KEPT}' FROM {board.left_b} b, {board.left_l} l"
        f" WHERE b.n = k.bn AND l.n = k.ln AND k.kind = '{BreakKind.AMOUNT_DIFFERS}' AND b.amount < l.amount"
    )
