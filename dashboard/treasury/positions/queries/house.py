"""Money of the house beside that of clients: which part of an excess is its own, and what lies on its own accounts.

The books of a currency add up to nought. So whatever lies at the banks for a pool beyond what its clients are owed is
what the house's own accounts say, less what lies on bank accounts for own funds. What was moved there is taken for own
funds first, then for fees, then for other income: what comes first, leaves first. All amounts are minor units.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa

from dashboard.database import session
from dashboard.ledger.models import Account
from dashboard.ledger.queries import balances
from dashboard.ledger.vocabulary import ACCOUNT_TYPE_LABELS, AccountType
from dashboard.treasury.register.queries import BankAccountView
from dashboard.treasury.statements import queries as statements
from dashboard.treasury.vocabulary import Purpose

#: types of the house's accounts that tell whose money it is
_FEES, _INCOME, _OWN, _FX, _OWED = (
    (AccountType.FEES,), (AccountType.INCOME, AccountType.EXPENSE), (AccountType.OWN_FUNDS, AccountType.OPENING),
    (AccountType.FX_POSITION,), (AccountType.RECEIVABLE,),
)  # fmt: skip
_TYPES = (*_FEES, *_INCOME, *_OWN, *_FX, *_OWED)


@dataclass(frozen=True)
class House:
    """What of the money at the banks of a pool is the house's. `own` is what it put there; `receivable` is what others
    owe it, at most nought: money that is missing at the banks until they pay."""

    fees: int
    income: int
    own: int
    fx: int
    receivable: int

    @property
    def sweepable(self) -> int:
        """What the house may take out: fees, income and own funds."""
        return max(0, self.fees + self.income + self.own)


@dataclass(frozen=True)
class HouseAccount:
    """An account of the house in the ledger."""

    id: UUID
    type: str
    currency: str
    alias: str | None

    @property
    def said(self) -> str:
        return self.alias or f"{ACCOUNT_TYPE_LABELS[AccountType(self.type)]} {self.currency.upper()}"


def accounts(currency: str | None = None) -> list[HouseAccount]:
    """Those that tell whose money it is, in order."""
    query = sa.select(Account.id, Account.type, Account.currency, Account.alias).where(
        Account.type.in_([one.value for one in _TYPES])
    )
    if currency is not None:
        query = query.where(Account.currency == currency)
    return [HouseAccount(*row) for row in session().execute(query.order_by(Account.currency, Account.type, Account.id))]


def own_banks(every: Collection[BankAccountView], day: date) -> list[BankAccountView]:
    """Bank accounts for the house's own funds that were not closed by the day."""
    return [view for view in every if view.purpose == Purpose.OWN_FUNDS and not view.closed_by(day)]


def _of(
    types: Collection[AccountType], currency: str, known: Sequence[HouseAccount], posted: Mapping[UUID, int]
) -> int:  # fmt: skip
    return sum(posted.get(one.id, 0) for one in known if one.type in types and one.currency == currency)


def money(
    currency: str, known: Sequence[HouseAccount], banks: Sequence[BankAccountView], posted: Mapping[UUID, int]
) -> House:
    """Of one currency, from the balances of the house's accounts and of its bank accounts for own funds."""
    elsewhere = sum(
        -posted.get(view.settlement_account_id, 0)
        for view in banks if view.currency == currency and view.settlement_account_id
    )  # fmt: skip
    fees, income, own = (_of(types, currency, known, posted) for types in (_FEES, _INCOME, _OWN))
    # what lies on own accounts beyond what the house put in was swept there
    swept = max(0, elsewhere - own)
    of_fees = min(swept, max(fees, 0))
    return House(
        fees=fees - of_fees,
        income=income - (swept - of_fees),
        own=max(0, own - elsewhere),
        fx=_of(_FX, currency, known, posted),
        receivable=_of(_OWED, currency, known, posted),
    )


def types_of(part: str) -> tuple[AccountType, ...]:
    """Types of the accounts behind a part of `House`, by its name."""
    return {"fees": _FEES, "income": _INCOME, "own": _OWN, "fx": _FX, "receivable": _OWED}[part]


@dataclass(frozen=True)
class OwnAccount:
    """A bank account for own funds at the end of a day, apart from every position. None: unknown."""

    view: BankAccountView
    ledger: int
    statement: int | None
    statement_id: UUID | None
    statement_day: date | None
    statement_at: datetime | None
    tie_out: str | None


def own_accounts(every: Collection[BankAccountView], day: date) -> list[OwnAccount]:
    """Bank accounts for own funds, by currency: what the ledger and what the bank say of each."""
    banks = own_banks(every, day)
    if not banks:
        return []
    posted = balances.at_end_of([one.settlement_account_id for one in banks if one.settlement_account_id], day)
    told = statements.closing_statements(banks, day)
    found = []
    for view in banks:
        one = told.get(view.id)
        known = one is not None and one.closing_minor is not None
        books = posted.get(view.settlement_account_id) if view.settlement_account_id else None
        found.append(
            OwnAccount(
                view, -books.posted if books else 0, one.closing_minor if one else None,
                one.id if one is not None and known else None, one.last_day if one else None,
                one.created_at if one else None, one.tie_out if one else None,
            )
        )  # fmt: skip
    return found
