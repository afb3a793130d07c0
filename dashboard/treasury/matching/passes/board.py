"""The working tables of a run. They live as long as its transaction.

side_l, side_b   all open rows of ledger and bank: number, identifier, amount, dates, references, party
left_l, left_b   those that no pass has taken yet, in tables whose names change with every step
met_e2e, met_ref both sides joined by that reference and the amount; a row is a pair unless it has an `apart`, which
                 says where the rows lie that it leaves
pair             other pairs of one ledger row and one line; EVERY_PAIR has them all
bundle           several rows on a side, which are in bundle_l and bundle_b
brk              breaks that were found: kind, rows, twin, cause
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from dashboard.database import session

#: a reference that stands on more rows than this says nothing of a single one
MOST_ALIKE = 200
#: shortest reference that is looked for, in letters and digits
SHORTEST_KEY = 4
#: shortest one that is looked for within a text
SHORTEST_IN_TEXT = 6

#: columns of which it is known how many rows have them
_COUNTED = ("ref", "e2e", "party")
_COLUMNS = (
    "n integer NOT NULL, id uuid NOT NULL, amount bigint NOT NULL, booked date NOT NULL, valued date NOT NULL,"
    " e2e text, party text, ref text, refs text[], batch text, name text, said text"
)
_TABLES = (
    "side_l",
    "side_b",
    "met_e2e",
    "met_ref",
    "alike",
    "pair",
    "bundle",
    "bundle_l",
    "bundle_b",
    "brk",
    "cand",
    "key_l",
    "key_b",
    "odd",
    "gone",
    "multi",
    "grp",
)

#: SQL: every pair. What joined by reference and amount stays where the join has put it: it would be a million rows
EVERY_PAIR = (
    "(SELECT ln, bn, 'reference' AS pass, true AS certain, NULL AS why FROM met_e2e WHERE apart IS NULL"
    " UNION ALL SELECT ln, bn, 'reference', true, NULL FROM met_ref WHERE apart IS NULL"
    " UNION ALL SELECT ln, bn, pass, certain, why FROM pair)"
)


def run(statement: str, **values: Any) -> int:
    """Execute; gives how many rows were touched."""
    result: Any = session().execute(sa.text(statement), values)
    return int(result.rowcount)


def number(statement: str, **values: Any) -> int:
    """The one number that a query gives."""
    return int(session().scalar(sa.text(statement), values) or 0)


def same(column: str) -> str:
    """SQL: letters and digits of a reference in upper case, which is what banks leave of it."""
    return f"upper(regexp_replace({column}, '[^A-Za-z0-9]', '', 'g'))"


_OTHER_PARTY = "l.party <> b.party"
_OTHER_REF = (
    "l.ref <> b.ref AND NOT"
    " (coalesce(l.refs, ARRAY[]::text[]) || l.ref) && (coalesce(b.refs, ARRAY[]::text[]) || b.ref)"
)
#: SQL: rows l and b speak of different payments, whatever a payer wrote into both. For money that came in: an
#: end-to-end id of our own making is nobody else's
CONTRADICT = f"(b.amount > 0 AND ({_OTHER_PARTY} OR {_OTHER_REF}))"


class Board:
    """The tables, and the names of those that hold what is left."""

    def __init__(self) -> None:
        self.step = 0
        #: how many rows are left on each side: as many as the sides were filled with, and then as each step counts
        self.counts = (0, 0)
        #: how many rows of a table carry one of the counted columns
        self._with: dict[tuple[str, str], int] = {}
        self.left_l, self.left_b = "side_l", "side_b"
        #: of which tables, and from which length on, key_l and key_b hold the references
        self._spread: tuple[str, str, int] | None = None

    def lay_out(self) -> None:
        """Make the tables, empty."""
        for table in _TABLES:
            run(f"DROP TABLE IF EXISTS pg_temp.{table}")
        for side in ("l", "b"):
            run(f"CREATE TEMP TABLE side_{side} ({_COLUMNS}) ON COMMIT DROP")
            run(f"CREATE TEMP TABLE bundle_{side} (g integer, n integer) ON COMMIT DROP")
        for column in ("e2e", "ref"):
            run(f"CREATE TEMP TABLE met_{column} (ln integer, bn integer, apart tid[]) ON COMMIT DROP")
        run("CREATE TEMP TABLE pair (ln integer, bn integer, pass text, certain boolean, why text) ON COMMIT DROP")
        run("CREATE TEMP TABLE bundle (g integer, pass text, certain boolean, why text) ON COMMIT DROP")
        run("CREATE TEMP TABLE multi (key text, amount bigint) ON COMMIT DROP")
        run("CREATE TEMP TABLE brk (kind text, ln integer, bn integer, twin uuid, cause text) ON COMMIT DROP")

    def filled(self, counts: tuple[int, int]) -> None:
        """Both sides are full: `counts` says how many rows each has. What they carry is counted here, in one look for
        all kinds."""
        self.counts = counts
        counted = ", ".join(f"count({column})" for column in _COUNTED)
        for side in ("l", "b"):
            run(f"ANALYZE side_{side}")
            row = session().execute(sa.text(f"SELECT {counted} FROM side_{side}")).one()
            self._with |= {(f"side_{side}", column): found for column, found in zip(_COUNTED, row, strict=True)}

    def carrying(self, left: str, column: str) -> int:
        """How many rows of this table carry a reference of this kind, or a party."""
        known = self._with.get((left, column))
        return number(f"SELECT count({column}) FROM {left}") if known is None else known

    def contradict(self) -> str:
        """`CONTRADICT` of what is left: what all rows of a side leave empty is neither carried along nor compared."""
        parts = [
            rule
            for column, rule in (("party", _OTHER_PARTY), ("ref", _OTHER_REF))
            if self.carrying(self.left_l, column) and self.carrying(self.left_b, column)
        ]
        return f"(b.amount > 0 AND ({' OR '.join(parts)}))" if parts else "false"

    def keep_only(self, left_l: str, left_b: str) -> tuple[int, int]:
        """Go on with these queries as what is left; gives how many rows they have."""
        self.step += 1
        before = (self.left_l, self.left_b)
        counts = []
        for side, query in (("l", left_l), ("b", left_b)):
            name = f"left_{side}_{self.step}"
            run(f"DROP TABLE IF EXISTS pg_temp.{name}")
            counts.append(run(f"CREATE TEMP TABLE {name} ON COMMIT DROP AS {query}"))
            run(f"ANALYZE {name}")
        self.left_l, self.left_b = f"left_l_{self.step}", f"left_b_{self.step}"
        for name in before:
            if not name.startswith("side_"):
                run(f"DROP TABLE IF EXISTS pg_temp.{name}")
        self.counts = (counts[0], counts[1])
        return self.counts

    def take_out(self, found: str) -> None:
        """Go on without the rows of pairs and bundles of this pass."""
        self.keep_only(
            f"SELECT w.* FROM {self.left_l} w WHERE NOT EXISTS (SELECT 1 FROM pair p WHERE p.ln = w.n"
            f" AND p.pass = '{found}') AND NOT EXISTS (SELECT 1 FROM bundle_l u WHERE u.n = w.n)",
            f"SELECT w.* FROM {self.left_b} w WHERE NOT EXISTS (SELECT 1 FROM pair p WHERE p.bn = w.n"
            f" AND p.pass = '{found}') AND NOT EXISTS (SELECT 1 FROM bundle_b u WHERE u.n = w.n)",
        )

    def spread_keys(self, *, shortest: int = SHORTEST_KEY) -> None:
        """key_l and key_b: each reference of each row that is left, as it is compared, unless too many carry it."""
        spread = (self.left_l, self.left_b, shortest)
        if self._spread == spread:
            return
        self._spread = spread
        for side, left in (("l", self.left_l), ("b", self.left_b)):
            run(f"DROP TABLE IF EXISTS pg_temp.key_{side}")
            run(
                f"CREATE TEMP TABLE key_{side} ON COMMIT DROP AS"
                f" SELECT n, key FROM (SELECT DISTINCT w.n, {same('x.ref')} AS key, w.amount FROM {left} w,"
                " LATERAL (SELECT w.e2e UNION SELECT w.ref UNION SELECT unnest(w.refs)) AS x (ref)"
                " WHERE x.ref IS NOT NULL) AS k WHERE length(key) >= :shortest AND key <> 'NOTPROVIDED'",
                shortest=shortest,
            )
        run("DROP TABLE IF EXISTS pg_temp.odd")
        run(
            "CREATE TEMP TABLE odd ON COMMIT DROP AS SELECT key FROM key_l GROUP BY key HAVING count(*) > :most"
            " UNION SELECT key FROM key_b GROUP BY key HAVING count(*) > :most",
            most=MOST_ALIKE,
        )
        for side in ("l", "b"):
            run(f"DELETE FROM key_{side} k USING odd WHERE odd.key = k.key")
            run(f"ANALYZE key_{side}")

    def candidates(self, query: str, **values: Any) -> int:
        """Fill `cand` (ln, bn, gap, why, certain) from a query, without what a person has said no to; gives how many.

        Ties are broken by what the rows say, so that the order in which files came decides nothing.
        """
        run("DROP TABLE IF EXISTS pg_temp.cand")
        run(
            "CREATE TEMP TABLE cand ON COMMIT DROP AS"
            " SELECT DISTINCT ON (c.ln, c.bn) c.ln, c.bn, c.gap, c.why, c.certain, l.booked AS l_on, b.booked AS b_on,"
            " concat_ws(' ', b.ref, b.e2e, b.batch, b.party, b.name,"
            " array_to_string(b.refs, ' '), b.said) AS tie"
            f" FROM ({query}) AS c JOIN {self.left_l} l ON l.n = c.ln JOIN {self.left_b} b ON b.n = c.bn"
            " WHERE NOT EXISTS (SELECT 1 FROM refused r WHERE r.transaction_id = l.id AND r.line_id = b.id)"
            " ORDER BY c.ln, c.bn, c.gap, c.why",
            **values,
        )
        return number("SELECT count(*) FROM cand")

    def pair_up(self, found: str, *, into: str = "pair", only_alone: bool = False) -> int:
        """Take from `cand` the pairs that are each other's nearest, until none is left; gives how many.

        `only_alone`: just those that have no rival on either side.
        """
        if only_alone:
            run(
                "DELETE FROM cand c WHERE EXISTS (SELECT 1 FROM cand o WHERE o.ln = c.ln AND o.bn <> c.bn)"
                " OR EXISTS (SELECT 1 FROM cand o WHERE o.bn = c.bn AND o.ln <> c.ln)"
            )
        total = 0
        order = "gap, l_on, b_on, tie, ln, bn"
        shape = "kind, ln, bn, cause" if into == "brk" else "ln, bn, pass, certain, why"
        values = "why, ln, bn, 'unknown'" if into == "brk" else f"ln, bn, '{found}', certain, why"
        while number("SELECT count(*) FROM (SELECT 1 FROM cand LIMIT 1) AS c"):
            run("DROP TABLE IF EXISTS pg_temp.gone")
            run(
                "CREATE TEMP TABLE gone ON COMMIT DROP AS SELECT ln, bn, certain, why FROM (SELECT c.*,"
                f" row_number() OVER (PARTITION BY ln ORDER BY {order}) AS of_l,"
                f" row_number() OVER (PARTITION BY bn ORDER BY {order}) AS of_b FROM cand c) AS c"
                " WHERE of_l = 1 AND of_b = 1"
            )
            total += run(f"INSERT INTO {into} ({shape}) SELECT {values} FROM gone")
            run("DELETE FROM cand c USING gone g WHERE g.ln = c.ln")
            run("DELETE FROM cand c USING gone g WHERE g.bn = c.bn")
        return total

    def next_bundle(self) -> int:
        """The first free number of a bundle."""
        return number("SELECT coalesce(max(g), 0) + 1 FROM bundle")
