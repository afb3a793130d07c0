"""Client accounts are guarded: never below their limit, and empty once they are closed."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from dashboard.database import session, transaction
from dashboard.ledger import numbers
from dashboard.treasury.checks.check import Answer, Check, Finding, Look, money

_LOOKED = sa.text("SELECT count(*) FROM account WHERE type = 'client'")
_BROKEN = sa.text(
    "SELECT a.id, a.number, a.currency, b.posted, b.held, b.limit_minor,"
    "   CASE WHEN b.account_id IS NULL THEN 'noBalance' WHEN NOT b.guarded THEN 'notGuarded'"
    "        WHEN b.closed AND (b.posted <> 0 OR b.held <> 0) THEN 'closedNotEmpty' ELSE 'belowLimit' END AS cause"
    " FROM account a LEFT JOIN account_balance b ON b.account_id = a.id"
    " WHERE a.type = 'client' AND (b.account_id IS NULL OR NOT b.guarded"
    "   OR b.posted - b.held < -b.limit_minor OR b.closed AND (b.posted <> 0 OR b.held <> 0)) ORDER BY a.id"
)


def run(look: Look) -> Answer:
    answer = Answer()
    with transaction():
        session().execute(sa.text("SET LOCAL statement_timeout = '15min'"))
        answer.looked = session().scalar(_LOOKED) or 0
        for row in session().execute(_BROKEN):
            available = None if row.posted is None else row.posted - row.held
            answer.add(
                Finding(
                    cause=row.cause, subject_type="account", subject_id=row.id, subject=numbers.in_groups(row.number),
                    currency=row.currency, expected=None if row.limit_minor is None else -row.limit_minor,
                    found=available, path=f"/ledger/accounts/{row.id}", says=_says(row), todo=_TODO[row.cause],
                )
            )  # fmt: skip
        look.keep()
    return answer


def _says(row: Any) -> str:
    if row.cause == "noBalance":
        return "The account has no balance row, so nothing guards it."
    if row.cause == "notGuarded":
        return "The account may go below its limit: it is not guarded."
    if row.cause == "closedNotEmpty":
        return (
            f"The account is closed and holds {money(row.posted, row.currency)}, {money(row.held, row.currency)} held."
        )
    return (
        f"Available is {money(row.posted - row.held, row.currency)}; it may not be below"
        f" {money(-row.limit_minor, row.currency)}."
    )


_TODO = {
    "noBalance": "Stop payments of this account and restore its row from the transactions.",
    "notGuarded": "Block the client's debits, and have the guard put back by who runs the database.",
    "closedNotEmpty": "Post an adjusting payment to another account of its owner, with a second person.",
    "belowLimit": "Block the client's debits, then settle what is missing with an adjusting payment.",
}

CHECK = Check("guardedLimits", "Limits", "No client account is below its limit, and closed ones are empty.", run)
