"""Rows of both sides with what tells them apart: for picking by hand, for the detail of a break, for reports."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.treasury.matching.queries.points import OPEN_ON, UNBROKEN_ON, as_of

#: rows of one pane
MOST_SHOWN = 200


@dataclass(frozen=True)
class Row:
    """One row. `amount_minor` as the bank sees it. `link` leads to where it is shown in full."""

    side: str
    id: UUID
    amount_minor: int
    booked: date
    valued: date | None
    party: str | None
    reference: str | None
    text: str | None
    #: ledger: its payment and its transfer; bank: its statement
    payment_id: UUID | None
    transfer_id: UUID | None
    statement_id: UUID | None
    entry_number: int | None


_LEDGER = """
SELECT 'ledger' AS side, t.id, CASE WHEN t.debtor_account_id = a.id THEN t.amount_minor ELSE -t.amount_minor END,
       t.booking_date, t.value_date, f.counterparty_name, coalesce(f.end_to_end_id, f.provider_reference),
       coalesce(t.description, f.remittance), t.payment_id, f.id AS transfer_id, NULL::uuid, NULL::integer
FROM ledger_transaction t JOIN payment p ON p.id = t.payment_id
JOIN account a ON a.bank_account_id = :bank AND a.type = 'settlement'
LEFT JOIN transfer f ON f.id = p.parent_id
WHERE t.id = ANY (:ids)
"""
_BANK = """
SELECT 'bank' AS side, l.id, l.amount_minor, l.booking_date, l.value_date, l.counterparty,
       coalesce(l.end_to_end_id, l.provider_reference, e.bank_reference), concat_ws(' ', l.remittance, e.text),
       NULL::uuid, NULL::uuid, e.statement_id, e.number
FROM statement_line l JOIN statement_entry e ON e.id = l.entry_id
WHERE l.bank_account_id = :bank AND l.id = ANY (:ids)
"""


def rows(bank_account_id: UUID, *, lines: Collection[UUID] = (), transactions: Collection[UUID] = ()) -> list[Row]:
    """These rows, ledger first, each side by date."""
    found: list[Row] = []
    for query, ids in ((_LEDGER, transactions), (_BANK, lines)):
        if ids:
            told = session().execute(sa.text(query), {"bank": bank_account_id, "ids": list(ids)})
            found += sorted((Row(*row) for row in told), key=lambda row: (row.booked, str(row.id)))
    return found


def open_rows(
    bank_account_id: UUID,
    day: date,
    *,
    side: str,
    text: str | None = None,
    amount_minor: int | None = None,
    timing: bool = False,
    limit: int = MOST_SHOWN,
) -> list[Row]:
    """Open rows of a side as of the end of a day, newest first, at most `limit`.

    `timing`: only those that no break tells of; else only those that are open now, which is what can be matched.
    """
    values: dict[str, Any] = {**as_of(bank_account_id, day), "side": side, "amount": amount_minor}
    query = f"SELECT o.item_id FROM ({UNBROKEN_ON if timing else OPEN_ON}) AS o WHERE o.side = :side"
    if not timing:
        query += (
            " AND EXISTS (SELECT 1 FROM open_item i WHERE i.bank_account_id = :bank AND i.side = o.side"
            " AND i.item_id = o.item_id)"
        )
    if amount_minor is not None:
        query += " AND abs(o.amount_minor) = :amount"
    if text:
        values["text"] = f"%{_escaped(text)}%"
        if side == "bank":
            query += (
                " AND EXISTS (SELECT 1 FROM statement_line l JOIN statement_entry e ON e.id = l.entry_id"
                " WHERE l.id = o.item_id AND concat_ws(' ', l.end_to_end_id, l.provider_reference, l.counterparty,"
                " l.remittance, e.text, e.bank_reference) ILIKE :text)"
            )
        else:
            query += (
                " AND EXISTS (SELECT 1 FROM ledger_transaction t JOIN payment p ON p.id = t.payment_id"
                " LEFT JOIN transfer f ON f.id = p.parent_id WHERE t.id = o.item_id AND concat_ws(' ',"
                " f.end_to_end_id, f.provider_reference, f.counterparty_name, f.remittance, t.description)"
                " ILIKE :text)"
            )
    query += " ORDER BY o.booking_date DESC, o.item_id DESC LIMIT :limit"
    ids: Sequence[UUID] = session().scalars(sa.text(query), {**values, "limit": limit}).all()
    found = rows(bank_account_id, **{"lines" if side == "bank" else "transactions": ids})
    place = {item: at for at, item in enumerate(ids)}
    return sorted(found, key=lambda row: place[row.id])


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
