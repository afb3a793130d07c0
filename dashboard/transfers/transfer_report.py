"""Transfers as a file: its columns, and its rows as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from dashboard.ledger.queries.parties import Party, parties
from dashboard.money import Money
from dashboard.transfers.models import Transfer
from dashboard.transfers.queries import transfers
from dashboard.transfers.queries.transfers import TransferFilter
from dashboard.web.exports import Column, Kind, Row

COLUMNS = (
    Column("created_at", "Created", Kind.MOMENT),
    Column("kind", "Kind", share=0.6),
    Column("type", "Type", share=0.6),
    Column("status", "Status", share=0.7),
    Column("ended_at", "Ended", Kind.MOMENT),
    Column("account", "Account"),
    Column("owner", "Account of"),
    Column("amount", "Amount", Kind.AMOUNT),
    Column("currency", "Currency", share=0.4),
    Column("fee", "Fee", Kind.AMOUNT),
    Column("counter_amount", "Bought", Kind.AMOUNT),
    Column("counter_currency", "Currency bought", share=0.4),
    Column("counterparty_name", "Counterparty"),
    Column("counterparty_account", "Counterparty account"),
    Column("counterparty_country", "Country", share=0.4),
    Column("remittance", "Remittance information", share=2),
    Column("provider", "Provider", share=0.6),
    Column("provider_reference", "Provider reference"),
    Column("end_to_end_id", "End-to-end id"),
    Column("payment_id", "Payment", share=1.4),
    Column("id", "Transfer", share=1.4),
)

#: parties that a stream remembers: the same accounts come again and again
_MOST_KNOWN = 100_000


def _row(row: Transfer, party: Party) -> dict[str, object]:
    counter = (
        Money(row.counter_minor, row.counter_currency)
        if row.counter_minor is not None and row.counter_currency
        else None
    )
    return {
        "created_at": row.created_at,
        "kind": row.kind,
        "type": row.type,
        "status": row.status,
        "ended_at": row.ended_at,
        "account": party.number,
        "owner": party.name,
        "amount": Money(row.amount_minor, row.currency),
        "currency": row.currency.upper(),
        "fee": Money(row.fee_minor, row.currency),
        "counter_amount": counter,
        "counter_currency": row.counter_currency.upper() if row.counter_currency else None,
        "counterparty_name": row.counterparty_name,
        "counterparty_account": row.counterparty_account,
        "counterparty_country": row.counterparty_country,
        "remittance": row.remittance,
        "provider": row.provider,
        "provider_reference": row.provider_reference,
        "end_to_end_id": row.end_to_end_id,
        "payment_id": row.payment_id,
        "id": row.id,
    }


def rows(chosen: TransferFilter) -> Iterator[Row]:
    """All rows of the list, read as they are taken."""
    known: dict[UUID, Party] = {}
    for part in transfers.stream(chosen):
        if len(known) > _MOST_KNOWN:
            known.clear()
        known |= parties({row.account_id for row in part} - known.keys())
        for row in part:
            yield _row(row, known[row.account_id])
