"""What the ledger booked on the settlement accounts of banks, as the bank would have seen it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.ledger.models import BusinessDay
from dashboard.ledger.queries import balances
from dashboard.ledger.vocabulary import AccountType, ParentType
from dashboard.treasury.vocabulary import StatementFormat

#: formats that the demo's banks write
WRITTEN = (StatementFormat.CAMT.value, StatementFormat.MT940.value)


@dataclass(frozen=True)
class Bank:
    """One bank account of the house. `settlement` is the ledger account that mirrors it."""

    id: UUID
    provider: str
    name: str
    number: str
    currency: str
    pool: str | None
    format: str
    settlement: UUID


@dataclass(frozen=True)
class Booking:
    """One transaction on a settlement account. `amount` is in minor units, positive where money came to the bank.

    `opening`: it stood at the bank before the ledger began, so no statement tells of it.
    """

    transaction: UUID
    amount: int
    value_date: date
    end_to_end_id: str | None
    reference: str
    party: str | None
    party_account: str | None
    text: str | None
    reversal: bool
    opening: bool
    #: whether the ledger knows its references by a transfer
    known: bool


def banks() -> list[Bank]:
    """Open bank accounts whose statements come in a format that is written here, in the order of their files."""
    rows = session().execute(
        sa.text(
            "SELECT b.id, b.provider, b.name, b.number, b.currency, t.pool, t.statement_format, a.id AS settlement"
            " FROM treasury_account t JOIN bank_account b ON b.id = t.bank_account_id"
            " JOIN account a ON a.bank_account_id = b.id AND a.type = :settlement"
            " WHERE t.closed_on IS NULL AND t.statement_format = ANY (:formats)"
            " ORDER BY b.provider, t.pool IS NULL, b.currency, b.number"
        ),
        {"settlement": AccountType.SETTLEMENT.value, "formats": list(WRITTEN)},
    )
    return [Bank(*row) for row in rows]


def closed_days(last: date, count: int) -> list[date]:
    """The last `count` closed business days up to `last`, oldest first."""
    found = session().scalars(
        sa.select(BusinessDay.day)
        .where(BusinessDay.state == "closed", BusinessDay.day <= last)
        .order_by(BusinessDay.day.desc())
        .limit(count)
    )
    return list(found)[::-1]


def last_closed() -> date | None:
    """The last business day that has ended."""
    return session().scalar(sa.select(sa.func.max(BusinessDay.day)).where(BusinessDay.state == "closed"))


def number_of(day: date) -> int:
    """The statement's number: one for each business day, from the first one of the ledger on."""
    return session().scalar(sa.select(sa.func.count()).select_from(BusinessDay).where(BusinessDay.day <= day)) or 0


def before(accounts: Sequence[Bank], day: date) -> dict[UUID, int]:
    """What lay at the bank when the day began, by id of the bank account, in minor units."""
    sums = balances.at_end_of([bank.settlement for bank in accounts], day - timedelta(days=1))
    return {bank.id: -sums[bank.settlement].posted for bank in accounts}


#: posted on a day, on one account, the other side and the transfer behind it. Corrections of the books by people are
#: nothing that a bank tells of, but what mirrors an earlier payment is, and what moves between the house's own accounts
_BOOKED = sa.text("""
SELECT t.id, CASE WHEN t.debtor_account_id = :account THEN t.amount_minor ELSE -t.amount_minor END AS amount,
       coalesce(t.value_date, t.booking_date) AS value_date, t.description, o.type AS other_type,
       p.parent_id, p.reverses_id IS NOT NULL AS reversal,
       w.id IS NOT NULL AS known, w.end_to_end_id, w.provider_reference, w.counterparty_name, w.counterparty_account,
       w.remittance
FROM business_day d
JOIN ledger_transaction t ON t.state = 'posted' AND t.posted_at BETWEEN d.opened_at - interval '1 hour'
     AND d.closed_at + interval '1 hour' AND t.booking_date = d.day
     AND :account IN (t.debtor_account_id, t.creditor_account_id)
JOIN payment p ON p.id = t.payment_id
JOIN account o ON o.id = CASE WHEN t.debtor_account_id = :account THEN t.creditor_account_id
                              ELSE t.debtor_account_id END
LEFT JOIN transfer w ON w.id = p.parent_id
WHERE d.day = :day AND (p.parent_type <> :adjusting OR p.reverses_id IS NOT NULL OR o.type = ANY (:told))
ORDER BY t.posted_at, t.id
""")
_TOLD_ALWAYS = (AccountType.OPENING, AccountType.IN_TRANSIT, AccountType.OWN_FUNDS)


def booked(bank: Bank, day: date) -> list[Booking]:
    """What moved the bank account on that business day, in the order in which it was posted."""
    rows = session().execute(
        _BOOKED,
        {
            "account": bank.settlement, "day": day, "adjusting": ParentType.ADJUSTING_PAYMENT.value,
            "told": [type.value for type in _TOLD_ALWAYS],
        },
    )  # fmt: skip
    found = []
    for row in rows:
        name = row.parent_id.hex.upper()
        found.append(
            Booking(
                transaction=row.id,
                amount=row.amount,
                value_date=row.value_date,
                end_to_end_id=row.end_to_end_id or (name if row.amount < 0 else None),
                # the bank numbers what it books, whether the ledger has kept the number or not
                reference=row.provider_reference or f"{bank.provider[0].upper()}{name[:12]}",
                party=row.counterparty_name,
                party_account=row.counterparty_account,
                text=row.remittance or row.description,
                reversal=row.reversal,
                opening=row.other_type in {AccountType.OPENING.value, AccountType.OWN_FUNDS.value},
                known=row.known,
            )
        )
    return found
