"""Transactions as a file: its columns, and its rows as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from dashboard.ledger.queries import transactions
from dashboard.ledger.queries.filters import Node
from dashboard.ledger.queries.parties import Party, parties
from dashboard.ledger.queries.transactions import Order, TransactionRow
from dashboard.web.exports import Column, Kind, Row


def columns(*, names: bool) -> tuple[Column, ...]:
    """`names`: with the owners of the accounts, for those who may read them."""
    return (
        Column("created_at", "Created", Kind.MOMENT),
        Column("booking_date", "Booking date", Kind.DATE),
        Column("value_date", "Value date", Kind.DATE),
        Column("posted_at", "Posted", Kind.MOMENT),
        Column("state", "State", share=0.5),
        Column("debtor_number", "Debtor account"),
        *([Column("debtor", "Debtor")] if names else []),
        Column("creditor_number", "Creditor account"),
        *([Column("creditor", "Creditor")] if names else []),
        Column("amount", "Amount", Kind.AMOUNT),
        Column("currency", "Currency", share=0.4),
        Column("description", "Description", share=2),
        Column("parent_type", "Parent type", share=0.8),
        Column("parent_id", "Parent", share=1.4),
        Column("payment_id", "Payment", share=1.4),
        Column("id", "Transaction", share=1.4),
        Column("state_reason", "Reason", share=2),
    )


def _row(row: TransactionRow) -> dict[str, object]:
    return {
        "created_at": row.created_at,
        "booking_date": row.booking_date,
        "value_date": row.value_date,
        "posted_at": row.posted_at,
        "state": row.state,
        "debtor_number": row.debtor_number,
        "creditor_number": row.creditor_number,
        "amount": row.money,
        "currency": row.money.currency.upper(),
        "description": row.description,
        "parent_type": row.parent_type,
        "parent_id": row.parent_id,
        "payment_id": row.payment_id,
        "id": row.id,
        "state_reason": row.state_reason,
    }


#: parties that a stream remembers: the same accounts come again and again
_MOST_KNOWN = 100_000


def rows(node: Node, *, order: Order, names: bool) -> Iterator[Row]:
    """All rows of the list, read as they are taken."""
    known: dict[UUID, Party] = {}
    for part in transactions.stream(node, order=order):
        if not names:
            yield from map(_row, part)
            continue
        if len(known) > _MOST_KNOWN:
            known.clear()
        sides = {row.debtor_id for row in part} | {row.creditor_id for row in part}
        known |= parties(sides - known.keys())
        for row in part:
            yield _row(row) | {"debtor": known[row.debtor_id].name, "creditor": known[row.creditor_id].name}
