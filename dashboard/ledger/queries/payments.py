"""Payments with their transactions and history."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.ledger.models import Account, LedgerTransaction, Payment, StateChange
from dashboard.money import Money


@dataclass(frozen=True)
class TransactionView:
    """One transaction with the numbers of its accounts."""

    id: UUID
    position: int
    debtor_id: UUID
    debtor_number: str
    creditor_id: UUID
    creditor_number: str
    money: Money
    description: str | None


@dataclass(frozen=True)
class ChangeView:
    from_state: str
    to_state: str
    at: datetime
    reason: str | None = None
    by_kind: str | None = None
    by_id: UUID | None = None


@dataclass(frozen=True)
class PaymentView:
    """A payment as it stands: its transactions share state and history."""

    id: UUID
    parent_type: str
    parent_id: UUID
    purpose: str
    state: str
    state_reason: str | None
    reverses_id: UUID | None
    reversed_by_id: UUID | None
    created_at: datetime
    posted_at: datetime | None
    booking_date: date | None
    value_date: date | None
    maker_kind: str
    maker_id: UUID | None
    transactions: Sequence[TransactionView]
    changes: Sequence[ChangeView]


#: account id to its number: neither ever changes, so what was read once is true for good
_numbers: dict[UUID, str] = {}
_MOST_NUMBERS = 200_000


def numbers_of(account_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Numbers of accounts; unknown ones are left out."""
    wanted = set(account_ids)
    # not `wanted - _numbers.keys()`: that copies all the keys
    missing = {account_id for account_id in wanted if account_id not in _numbers}
    if missing:
        if len(_numbers) > _MOST_NUMBERS:
            _numbers.clear()
            missing = wanted
        found = session().execute(sa.select(Account.id, Account.number).where(Account.id.in_(missing)))
        _numbers.update((account_id, number) for account_id, number in found)
    return {account_id: _numbers[account_id] for account_id in wanted if account_id in _numbers}


def numbers_at_once(
    one: Callable[[str, Sequence[Any]], Sequence[Any] | None], debtor_id: UUID, creditor_id: UUID
) -> dict[UUID, str] | None:
    """Both numbers without a session, asked through `one`; None where one of the accounts is not there."""
    debtor, creditor = _numbers.get(debtor_id), _numbers.get(creditor_id)
    if debtor is None or creditor is None:
        row = one(
            "SELECT d.number, c.number FROM account d, account c WHERE d.id = $1 AND c.id = $2",
            (debtor_id, creditor_id),
        )
        if row is None:
            return None
        if len(_numbers) > _MOST_NUMBERS:
            _numbers.clear()
        _numbers[debtor_id], _numbers[creditor_id] = debtor, creditor = row
    return {debtor_id: debtor, creditor_id: creditor}


def reversals_of(payment_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """The reversal of each payment that has one, by the payment's id; one query."""
    rows = session().execute(
        sa.select(Payment.id, Payment.reverses_id).where(
            Payment.reverses_id.in_(payment_ids), Payment.state.not_in(["canceled", "error"])
        )
    )
    return {row.reverses_id: row.id for row in rows}


def read(payment_ids: Sequence[UUID]) -> dict[UUID, PaymentView]:
    """Payments by id, in four queries whatever their number; unknown ones are left out."""
    wanted = list(payment_ids)
    payments = session().execute(sa.select(Payment.__table__).where(Payment.id.in_(wanted))).all()
    legs: dict[UUID, list[TransactionView]] = defaultdict(list)
    rows = (
        session()
        .execute(
            sa.select(LedgerTransaction.__table__)
            .where(LedgerTransaction.payment_id.in_(wanted))
            .order_by(LedgerTransaction.payment_id, LedgerTransaction.position)
        )
        .all()
    )
    numbers = numbers_of({row.debtor_account_id for row in rows} | {row.creditor_account_id for row in rows})
    for row in rows:
        legs[row.payment_id].append(
            TransactionView(
                id=row.id,
                position=row.position,
                debtor_id=row.debtor_account_id,
                debtor_number=numbers[row.debtor_account_id],
                creditor_id=row.creditor_account_id,
                creditor_number=numbers[row.creditor_account_id],
                money=Money(row.amount_minor, row.currency),
                description=row.description,
            )
        )
    changes: dict[UUID, list[ChangeView]] = defaultdict(list)
    for row in session().execute(
        sa.select(StateChange.__table__)
        .where(StateChange.payment_id.in_(wanted))
        .order_by(StateChange.payment_id, StateChange.position)
    ):
        changes[row.payment_id].append(
            ChangeView(row.from_state, row.to_state, row.at, row.reason, row.by_kind, row.by_id)
        )
    reversals = reversals_of(wanted)
    return {
        row.id: PaymentView(
            id=row.id,
            parent_type=row.parent_type,
            parent_id=row.parent_id,
            purpose=row.purpose,
            state=row.state,
            state_reason=row.state_reason,
            reverses_id=row.reverses_id,
            reversed_by_id=reversals.get(row.id),
            created_at=row.created_at,
            posted_at=row.posted_at,
            booking_date=row.booking_date,
            value_date=row.value_date,
            maker_kind=row.maker_kind,
            maker_id=row.maker_id,
            transactions=legs[row.id],
            changes=changes[row.id],
        )
        for row in payments
    }


def get(payment_id: UUID) -> PaymentView:
    """Raises NotFound."""
    found = read([payment_id]).get(payment_id)
    if found is None:
        raise NotFound("There is no such payment.", code="paymentNotFound")
    return found
