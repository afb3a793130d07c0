"""One batch: the rows of a file of ours that the bank booked as one, or the lines of the bank that are one of ours."""

from __future__ import annotations

from dashboard.treasury.matching.passes.board import Board, number, run, same
from dashboard.treasury.matching.vocabulary import Pass


def find(board: Board, *, days: int) -> None:
    """Fill bundles, and leave the rest: the reference must agree, and the sum to the last minor unit."""
    if not number(
        f"SELECT count(*) FROM (SELECT 1 FROM {board.left_l} WHERE batch IS NOT NULL"
        f" UNION ALL SELECT 1 FROM {board.left_b} WHERE batch IS NOT NULL LIMIT 1) AS w"
    ):
        return
    board.spread_keys()
    for many, one in (("l", "b"), ("b", "l")):
        left_many, left_one = (board.left_l, board.left_b) if many == "l" else (board.left_b, board.left_l)
        run("DROP TABLE IF EXISTS pg_temp.odd")
        run(
            "CREATE TEMP TABLE odd ON COMMIT DROP AS"
            " SELECT row_number() OVER (ORDER BY key, n) + :g AS g, key, n FROM ("
            " SELECT h.key, o.n, count(*) OVER (PARTITION BY h.key) AS of_key, count(*) OVER (PARTITION BY o.n) AS of_n"
            f" FROM (SELECT {same('w.batch')} AS key, sum(w.amount) AS amount, min(w.booked) AS first_on,"
            f" max(w.booked) AS last_on FROM {left_many} w WHERE w.batch IS NOT NULL"
            "  GROUP BY 1) AS h"
            f" JOIN LATERAL (SELECT k.n FROM key_{one} k WHERE k.key = h.key"
            f"  UNION SELECT x.n FROM {left_one} x WHERE {same('x.batch')} = h.key) AS k ON true"
            f" JOIN {left_one} o ON o.n = k.n AND o.amount = h.amount"
            "  AND o.booked - h.first_on <= :days AND h.last_on - o.booked <= :days"
            " WHERE length(h.key) >= 4) AS c WHERE of_key = 1 AND of_n = 1"
            f" AND NOT EXISTS (SELECT 1 FROM bundle_{one} u WHERE u.n = c.n)",
            g=board.next_bundle(),
            days=days,
        )
        # what a person has taken apart is not put together again
        run(
            f"DELETE FROM odd d USING {left_one} o, refused r WHERE o.n = d.n"
            f" AND o.id = r.{'line_id' if one == 'b' else 'transaction_id'}"
            f" AND EXISTS (SELECT 1 FROM {left_many} w WHERE w.id = r.{'line_id' if many == 'b' else 'transaction_id'}"
            f" AND w.batch IS NOT NULL AND {same('w.batch')} = d.key)"
        )
        found = run(
            "INSERT INTO bundle (g, pass, certain, why)"
            f" SELECT g, '{Pass.BATCH}', true, 'batch reference ' || key || ', the sum agrees' FROM odd"
        )
        run(f"INSERT INTO bundle_{one} (g, n) SELECT g, n FROM odd")
        run(
            f"INSERT INTO bundle_{many} (g, n) SELECT odd.g, w.n FROM odd JOIN {left_many} w"
            f" ON w.batch IS NOT NULL AND {same('w.batch')} = odd.key"
        )
        if found:
            board.take_out(Pass.BATCH)
