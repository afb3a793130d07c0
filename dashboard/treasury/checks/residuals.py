"""What matching has booked to suspense accounts and nobody has cleared since."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session


class Residual(NamedTuple):
    """A booking of which `left_minor` still lies on suspense: positive came in unrecognized, negative left so."""

    payment_id: UUID
    currency: str
    pool: str | None
    left_minor: int
    posted_at: datetime


#: newest first, with what lies on the account beside receipts. A receipt that waits for its decision has handed its
#: money to the decision, but the money still lies there.
_BOOKED = sa.text("""
SELECT a.id AS account_id, b.payment_id, a.currency, r.pool, t.posted_at,
  CASE WHEN t.creditor_account_id = a.id THEN t.amount_minor ELSE -t.amount_minor END AS amount,
  (SELECT coalesce(sum(posted), 0) FROM account_balance WHERE account_id = a.id)
  - (SELECT coalesce(sum(CASE WHEN state = 'waiting' THEN amount_minor ELSE remaining_minor END), 0) FROM receipt
     WHERE suspense_account_id = a.id AND state IN ('open', 'asked', 'kept', 'waiting')) AS beside
FROM match_booking b
JOIN account a ON a.bank_account_id = b.bank_account_id AND a.type = 'suspense'
JOIN ledger_transaction t ON t.payment_id = b.payment_id AND t.state = 'posted'
  AND a.id IN (t.debtor_account_id, t.creditor_account_id)
LEFT JOIN treasury_account r ON r.bank_account_id = b.bank_account_id
WHERE b.booked_as = 'suspense'
ORDER BY a.id, t.posted_at DESC, b.payment_id DESC
""")


def standing() -> Iterator[Residual]:
    """The bookings that are not cleared. The oldest is taken as cleared first, so what is left is of the newest."""
    account_id, left = None, 0
    for row in session().execute(_BOOKED):
        if row.account_id != account_id:
            account_id, left = row.account_id, int(row.beside)
        # of the other sign: cleared, or one that clears
        if left * row.amount <= 0:
            continue
        part = min(abs(left), abs(row.amount)) * (1 if left > 0 else -1)
        left -= part
        yield Residual(row.payment_id, row.currency, row.pool, part, row.posted_at)
