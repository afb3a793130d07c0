"""References of payments that do not belong to a transfer: who makes such payments says how a bank will call them."""

from __future__ import annotations

_known: dict[str, str] = {}
_NONE = "SELECT NULL::uuid AS payment_id, NULL::text[] AS refs WHERE false"


def learn(name: str, query: str) -> None:
    """`query` gives, without parameters, `payment_id` (uuid) and `reference` (text) of payments, a row for each.

    Registered by app.py; the same name again replaces it.
    """
    _known[name] = query


def sql() -> str:
    """A query that gives `payment_id` and `refs` (text[]) of all of them, one row for a payment."""
    if not _known:
        return _NONE
    every = " UNION ALL ".join(f"SELECT x.payment_id, x.reference FROM ({query}) AS x" for query in _known.values())
    return (
        f"SELECT y.payment_id, array_agg(y.reference) AS refs FROM ({every}) AS y"
        " WHERE y.reference IS NOT NULL GROUP BY y.payment_id"
    )
