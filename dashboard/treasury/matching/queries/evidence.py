"""What is seen of a break at one moment, to be kept with its acceptance: no names, those are in the rows themselves."""

from __future__ import annotations

from typing import Any

from dashboard.treasury.matching.models import ReconBreak
from dashboard.treasury.matching.queries import items
from dashboard.treasury.matching.queries.points import equation
from dashboard.treasury.matching.queries.rules import newest


def of_break(one: ReconBreak) -> dict[str, Any]:
    """Rows with amounts, dates and references, both balances, and the versions it was found by. JSON-ready; amounts in
    minor units."""
    day = max(day for day in (one.bank_on, one.ledger_on) if day is not None)
    stands = equation(one.bank_account_id, day)
    found = items.rows(
        one.bank_account_id,
        lines=[one.line_id] if one.line_id else [],
        transactions=[one.transaction_id] if one.transaction_id else [],
    )
    return {
        "kind": one.kind,
        "currency": one.currency,
        "differenceMinor": one.difference_minor,
        "rows": [
            {
                "side": row.side, "id": str(row.id), "amountMinor": row.amount_minor, "booked": row.booked.isoformat(),
                "valued": row.valued.isoformat() if row.valued else None, "reference": row.reference,
            }
            for row in found
        ],
        "point": {
            "day": day.isoformat(), "ledgerMinor": stands.ledger_minor, "statementMinor": stands.statement_minor,
            "statement": str(stands.statement_id) if stands.statement_id else None,
        },
        "rules": newest().version,
        "run": str(one.run_id) if one.run_id else None,
    }  # fmt: skip
