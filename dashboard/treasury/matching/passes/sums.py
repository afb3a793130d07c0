"""Several amounts of one party, or of one file, that add up to one amount on the other side."""

from __future__ import annotations

from dashboard.treasury.matching.passes.board import Board, run
from dashboard.treasury.matching.vocabulary import Pass


def find(board: Board, *, days: int, certain: bool) -> None:
    """Fill bundles where exactly one group and one row fit, and leave the rest."""
    for many, one, group, words in (
        ("l", "b", "w.batch", "one file of ours adds up"),
        ("l", "b", "w.party || ' ' || w.booked", "amounts of one party and day add up"),
        ("b", "l", "w.batch", "one batch of the bank adds up"),
        ("b", "l", "w.party || ' ' || w.booked", "amounts of one party and day add up"),
    ):
        left_many, left_one = (board.left_l, board.left_b) if many == "l" else (board.left_b, board.left_l)
        run("DROP TABLE IF EXISTS pg_temp.odd")
        run(
            "CREATE TEMP TABLE odd ON COMMIT DROP AS"
            " SELECT row_number() OVER (ORDER BY key, n) + :g AS g, key, n FROM ("
            " SELECT h.key, o.n, count(*) OVER (PARTITION BY h.key) AS of_key, count(*) OVER (PARTITION BY o.n) AS of_n"
            f" FROM (SELECT {group} AS key, sum(w.amount) AS amount, min(w.booked) AS first_on,"
            " max(w.booked) AS last_on"
            f"  FROM {left_many} w WHERE {group} IS NOT NULL GROUP BY 1 HAVING count(*) > 1) AS h"
            f" JOIN {left_one} o ON o.amount = h.amount"
            "  AND o.booked - h.first_on <= :days AND h.last_on - o.booked <= :days) AS c"
            " WHERE of_key = 1 AND of_n = 1",
            g=board.next_bundle(),
            days=days,
        )
        run(
            "DELETE FROM odd d WHERE EXISTS (SELECT 1 FROM refused r"
            f" JOIN {left_one} o ON o.id = CASE WHEN '{one}' = 'b' THEN r.line_id ELSE r.transaction_id END"
            " WHERE o.n = d.n)"
        )
        found = run(
            "INSERT INTO bundle (g, pass, certain, why)"
            f" SELECT g, '{Pass.SUM}', CAST(:certain AS boolean), '{words}' FROM odd",
            certain=certain,
        )
        run(f"INSERT INTO bundle_{one} (g, n) SELECT g, n FROM odd")
        run(f"INSERT INTO bundle_{many} (g, n) SELECT odd.g, w.n FROM odd JOIN {left_many} w ON {group} = odd.key")
        if found:
            board.take_out(Pass.SUM)
