"""References of payments that do not belong to a transfer: who makes such payments says how a bank will call them."""

from __future__ import annotations

_known: dict[str, str] = {}
_NONE = "SELECT NULL::uuid AS parent_id, NULL::text[] AS refs WHERE false"


def learn(name: str, query: str) -> None:
    """`query` gives, without parameters, `parent_id` (uuid) and `reference` (text) of payments, a row for each.

    Registered by app.py; the same name again replaces it.
    """
    _known[name] = query


def sql() -> str:
    """A query that gives `parent_id` and `refs` (text[]) of all of them, one row for a parent."""
    if not _known:
        return _NONE
    every = " UNION ALL ".join(f"SELECT x.parent_id, x.reference FROM ({query}) AS x" for query in _known.values())
    return (
        f"SELECT y.parent_id, array_agg(y.reference) AS refs FROM ({every}) AS y"
        " WHERE y.reference IS NOT NULL GROUP BY y.parent_id"
    )
