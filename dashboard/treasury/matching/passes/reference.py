"""Provider or end-to-end reference, amount and currency.

The two references are compared as they are, over all rows at once; what is left (references that a bank wrote in
another way, several with the same one) is compared by letters and digits, any reference with any.
"""

from __future__ import annotations

from dashboard.treasury.matching.passes.board import CONTRADICT, Board, number, run
from dashboard.treasury.matching.vocabulary import Pass

#: the provider's own reference before what a payer chose. Why such a pair is one is said when it is stored: it would be
#: a million texts here
_EXACT = ("ref", "e2e")
#: from this length on, in letters and digits, it is no chance that both sides carry the same reference
SURE = 6
#: rows of the join for each row of both sides from which on grouping is quicker
_CROWDED = 2
#: SQL: a row of the join that stands on both sides
_MET = "ln IS NOT NULL AND bn IS NOT NULL"


def find(board: Board, *, days: int) -> None:
    """Fill `pair`, and leave the rest."""
    for column in _EXACT:
        _exact(board, column, days)
    board.spread_keys()
    board.candidates(
        "SELECT k.n AS ln, j.n AS bn, abs(b.booked - l.booked) AS gap, 'reference ' || k.key AS why,"
        f" length(k.key) >= {SURE} AND {CONTRADICT} IS NOT TRUE AS certain"
        f" FROM key_l k JOIN key_b j ON j.key = k.key JOIN {board.left_l} l ON l.n = k.n"
        f" JOIN {board.left_b} b ON b.n = j.n AND b.amount = l.amount AND abs(b.booked - l.booked) <= :days",
        days=days,
    )
    found = board.pair_up(Pass.REFERENCE)
    for side, other, left in (("b", "l", board.left_b), ("l", "b", board.left_l)):
        # rows that share a reference with the other side and found nobody there
        run(
            f"INSERT INTO multi (key, amount) SELECT DISTINCT x.key, w.amount FROM {left} w"
            f" JOIN key_{side} k ON k.n = w.n JOIN key_{other} o ON o.key = k.key"
            " CROSS JOIN LATERAL (VALUES (w.e2e), (w.ref)) AS x (key) WHERE x.key IS NOT NULL"
            f" AND NOT EXISTS (SELECT 1 FROM pair p WHERE p.{side}n = w.n)"
        )
    if found:
        board.take_out(Pass.REFERENCE)


def _exact(board: Board, column: str, days: int) -> None:
    """A reference and amount that stands once on each side is a pair.

    One join of both sides tells it. That no row met two is known by counting, and only where some did are they
    looked for.
    """
    with_it = []
    for left in (board.left_l, board.left_b):
        with_it.append(board.carrying(left, column))
        if not with_it[-1]:
            return
    met = f"met_{column}"
    in_l, in_b = board.counts
    side_l, side_b = (
        f"(SELECT ctid, n, amount, booked, {column} AS key, ref, refs, party FROM {left}"
        + (f" WHERE {column} IS NOT NULL)" if some < of else ")")
        for left, some, of in ((board.left_l, with_it[0], in_l), (board.left_b, with_it[1], in_b))
    )
    # what a payer chose is no proof where the provider's reference or the payer's account says otherwise
    told_apart = "" if column == "ref" else f" AND {board.contradict()} IS NOT TRUE"
    run(f"DROP TABLE {met}")
    rows = run(
        f"CREATE TEMP TABLE {met} ON COMMIT DROP AS SELECT l.n AS ln, b.n AS bn,"
        # where a row lies is kept for those that stay alone: the others need no look again
        f" CASE WHEN abs(b.booked - l.booked) <= :days{told_apart} THEN NULL ELSE ARRAY[l.ctid, b.ctid] END AS apart"
        f" FROM {side_l} l FULL JOIN {side_b} b ON b.key = l.key AND b.amount = l.amount LIMIT :most",
        days=days,
        most=_CROWDED * (in_l + in_b) + 1,
    )
    if rows > _CROWDED * (in_l + in_b):
        # many rows with the same reference and amount meet each other all
        run(f"TRUNCATE {met}")
        _grouped(board, column, days)
        return
    if number("SELECT count(*) FROM (SELECT 1 FROM refused LIMIT 1) AS r"):
        run(
            f"UPDATE {met} m SET apart = ARRAY[x.ctid, y.ctid] FROM refused r"
            f" JOIN {board.left_l} x ON x.id = r.transaction_id JOIN {board.left_b} y ON y.id = r.line_id"
            " WHERE m.apart IS NULL AND m.ln = x.n AND m.bn = y.n"
        )
    run("DROP TABLE IF EXISTS pg_temp.odd")
    pairs = rows - run(f"CREATE TEMP TABLE odd ON COMMIT DROP AS SELECT * FROM {met} WHERE apart IS NOT NULL")
    out_l, out_b = board.keep_only(
        *(
            f"SELECT w.* FROM {left} w WHERE w.ctid = ANY(ARRAY(SELECT {lies} FROM odd WHERE {lies} IS NOT NULL))"
            + (f" UNION ALL SELECT w.* FROM {left} w WHERE w.{column} IS NULL" if some < of else "")
            for lies, left, some, of in (
                ("apart[1]", board.left_l, with_it[0], in_l),
                ("apart[2]", board.left_b, with_it[1], in_b),
            )
        )
    )
    # a row that met two is in two pairs, or is left though it is in one
    if (in_l - out_l, in_b - out_b) != (pairs, pairs) or number(f"SELECT count(*) FROM odd WHERE {_MET}"):
        _leave_alike(board, column)


def _leave_alike(board: Board, column: str) -> None:
    """Rows that met more than one are no pairs yet: the careful comparison has them."""
    met, more = f"met_{column}", []
    several = " OR ".join(
        f"{one} IN (SELECT {one} FROM {met} WHERE {_MET} GROUP BY {one} HAVING count(*) > 1)" for one in ("ln", "bn")
    )
    run("DROP TABLE IF EXISTS pg_temp.alike")
    run(f"CREATE TEMP TABLE alike ON COMMIT DROP AS SELECT ln, bn FROM {met} WHERE {_MET} AND ({several})")
    run("ANALYZE alike")
    run(f"UPDATE {met} SET apart = '{{}}' WHERE apart IS NULL AND ln IN (SELECT ln FROM alike)")
    # more on one side than on the other: what stays over is a duplicate
    run(
        f"INSERT INTO multi (key, amount) SELECT s.{column}, s.amount FROM alike a JOIN side_l s ON s.n = a.ln"
        " GROUP BY 1, 2 HAVING count(DISTINCT a.ln) <> count(DISTINCT a.bn)"
    )
    for side, left in (("l", board.left_l), ("b", board.left_b)):
        more.append(
            run(
                f"INSERT INTO {left} SELECT s.* FROM side_{side} s WHERE s.n IN (SELECT {side}n FROM alike)"
                f" AND s.n NOT IN (SELECT n FROM {left})"
            )
        )
        run(f"ANALYZE {left}")
    board.counts = (board.counts[0] + more[0], board.counts[1] + more[1])


def _grouped(board: Board, column: str, days: int) -> None:
    """The same by grouping, whose time does not grow with how many rows are alike."""
    run("DROP TABLE IF EXISTS pg_temp.grp")
    run(
        "CREATE TEMP TABLE grp ON COMMIT DROP AS"
        " SELECT key, amount, count(ln) AS many_l, count(bn) AS many_b, max(ln) AS ln, max(bn) AS bn,"
        " abs(max(b_on) - max(l_on)) AS gap FROM ("
        f"SELECT {column} AS key, amount, n AS ln, NULL::integer AS bn, booked AS l_on, NULL::date AS b_on"
        f" FROM {board.left_l} WHERE {column} IS NOT NULL"
        f" UNION ALL SELECT {column}, amount, NULL, n, NULL, booked FROM {board.left_b} WHERE {column} IS NOT NULL"
        ") AS s GROUP BY key, amount"
    )
    one = (
        "many_l = 1 AND many_b = 1 AND gap <= :days AND NOT EXISTS (SELECT 1 FROM refused r JOIN side_l x"
        " ON x.id = r.transaction_id JOIN side_b y ON y.id = r.line_id WHERE x.n = ln AND y.n = bn)"
    )
    if column != "ref":
        one += (
            " AND NOT EXISTS (SELECT 1 FROM side_l l JOIN side_b b ON true"
            f" WHERE l.n = ln AND b.n = bn AND {CONTRADICT})"
        )
    run(
        f"INSERT INTO pair (ln, bn, pass, certain) SELECT ln, bn, '{Pass.REFERENCE}', true FROM grp WHERE {one}",
        days=days,
    )
    run("DROP TABLE IF EXISTS pg_temp.odd")
    run(f"CREATE TEMP TABLE odd ON COMMIT DROP AS SELECT key, amount FROM grp WHERE NOT ({one})", days=days)
    run("ANALYZE odd")
    # more on one side than on the other: what stays over is a duplicate
    run(
        "INSERT INTO multi (key, amount) SELECT key, amount FROM grp"
        " WHERE many_l <> many_b AND many_l > 0 AND many_b > 0"
    )
    run("DROP TABLE grp")
    board.keep_only(
        *(
            f"SELECT w.* FROM {left} w WHERE w.{column} IS NULL"
            f" UNION ALL SELECT w.* FROM {left} w JOIN odd ON odd.key = w.{column} AND odd.amount = w.amount"
            for left in (board.left_l, board.left_b)
        )
    )
