"""The register as others read it: which bank accounts there are, what each is for, on which days it is reconciled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from dashboard import clock
from dashboard.approvals.models import ApprovalRequest
from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.ledger import numbers
from dashboard.ledger.models import Account, BankAccount
from dashboard.ledger.vocabulary import AccountType
from dashboard.treasury.register.models import AccountPool, TreasuryAccount, TreasuryAccountVersion
from dashboard.treasury.vocabulary import Purpose

#: a day of reconciliation is looked for no farther back than this
_FARTHEST = 60


@dataclass(frozen=True)
class BankAccountView:
    """A bank account of the house. One that two people have not put into the register has version 0: no pool, no
    purpose, no statements expected, and the institution's own calendar."""

    id: UUID
    provider: str
    name: str
    number: str
    currency: str
    pool: str | None
    purpose: str | None
    designated_from: date | None
    designated_to: date | None
    statement_format: str | None
    #: in the institution's zone, on the calendar day after
    expected_at: time | None
    calendar: str
    closed_on: date | None
    settlement_account_id: UUID | None
    suspense_account_id: UUID | None
    version: int
    in_transit_account_id: UUID | None = None
    changed_at: datetime | None = None

    @property
    def registered(self) -> bool:
        return self.version > 0

    @property
    def closed(self) -> bool:
        """Whether it is closed today."""
        return self.closed_by(clock.calendar().today())

    def closed_by(self, day: date) -> bool:
        return self.closed_on is not None and self.closed_on <= day

    def designated_on(self, day: date) -> bool:
        """Whether it was a safeguarding account of its pool on that day, the first and the last day included."""
        return (
            self.purpose == Purpose.SAFEGUARDING
            and self.designated_from is not None
            and self.designated_from <= day
            and (self.designated_to is None or day <= self.designated_to)
            and not self.closed_by(day)
        )

    @property
    def said(self) -> str:
        """Bank Alpha EUR …4410: short, for lists and sentences."""
        return f"{self.name} {self.currency.upper()} …{self.number[-4:]}"


_settlement, _suspense, _transit = aliased(Account), aliased(Account), aliased(Account)


def _query() -> sa.Select[*tuple[Any, ...]]:
    query = sa.select(
        BankAccount.id, BankAccount.provider, BankAccount.name, BankAccount.number, BankAccount.currency,
        TreasuryAccount.pool, TreasuryAccount.purpose, TreasuryAccount.designated_from, TreasuryAccount.designated_to,
        TreasuryAccount.statement_format, TreasuryAccount.expected_at, TreasuryAccount.calendar,
        TreasuryAccount.closed_on, _settlement.id.label("settlement_account_id"),
        _suspense.id.label("suspense_account_id"), TreasuryAccount.version,
        _transit.id.label("in_transit_account_id"), TreasuryAccount.changed_at,
    ).outerjoin(TreasuryAccount, TreasuryAccount.bank_account_id == BankAccount.id)  # fmt: skip
    for side, type in (
        (_settlement, AccountType.SETTLEMENT), (_suspense, AccountType.SUSPENSE), (_transit, AccountType.IN_TRANSIT),
    ):  # fmt: skip
        query = query.outerjoin(side, sa.and_(side.bank_account_id == BankAccount.id, side.type == type.value))
    return query.execution_options(populate_existing=True)


def _views(query: sa.Select[*tuple[Any, ...]]) -> list[BankAccountView]:
    home = clock.calendar().country
    return [
        BankAccountView(**{**row._mapping, "calendar": row.calendar or home, "version": row.version or 0})
        for row in session().execute(query)
    ]


def accounts(
    *, currency: str | None = None, provider: str | None = None, pool: str | None = None, include_closed: bool = False
) -> list[BankAccountView]:
    """Bank accounts by currency, provider and name; those that are not registered too, unless a pool is asked for."""
    query = _query().order_by(BankAccount.currency, BankAccount.provider, BankAccount.name, BankAccount.id)
    if currency is not None:
        query = query.where(BankAccount.currency == currency)
    if provider is not None:
        query = query.where(BankAccount.provider == provider)
    if pool is not None:
        query = query.where(TreasuryAccount.pool == pool)
    return [view for view in _views(query) if include_closed or not view.closed]


def account(bank_account_id: UUID) -> BankAccountView:
    """Raises NotFound `bankAccountNotFound`."""
    found = _views(_query().where(BankAccount.id == bank_account_id))
    if not found:
        raise NotFound("There is no such bank account.", code="bankAccountNotFound")
    return found[0]


def by_number(number: str, currency: str | None = None) -> list[BankAccountView]:
    """Bank accounts with this IBAN or number of the bank's own, blanks and case aside; closed ones too."""
    query = _query().where(BankAccount.number == numbers.normalized(number)).order_by(BankAccount.currency)
    if currency is not None:
        query = query.where(BankAccount.currency == currency)
    return _views(query)


def pools() -> list[tuple[str, str]]:
    """Pool and currency of every open safeguarding or settlement account, in order."""
    return sorted({(view.pool, view.currency) for view in accounts() if view.pool is not None})


def safeguarding(pool: str, currency: str, day: date) -> list[BankAccountView]:
    """The bank accounts that were designated for the pool on that day: what lies there is its resource."""
    found = accounts(pool=pool, currency=currency, include_closed=True)
    return [view for view in found if view.designated_on(day)]


def not_a_reconciliation_day(view: BankAccountView, day: date) -> str | None:
    """Why nothing is reconciled on that day, by name: "Saturday", "Independence Day", "Independence Day (PL)" where
    only the bank keeps it. None on a day of reconciliation."""
    house = clock.calendar()
    if not house.is_business_day(day):
        return house.holiday_name(day) or f"{day:%A}"
    if view.calendar == house.country:
        return None
    bank = clock.BusinessCalendar(view.calendar, house.zone)
    if not bank.is_business_day(day):
        return f"{bank.holiday_name(day) or f'{day:%A}'} ({view.calendar})"
    return None


def previous_reconciliation_day(view: BankAccountView, day: date) -> date:
    """The last day of reconciliation before `day`. Raises LookupError where a calendar has none for two months."""
    for back in range(1, _FARTHEST + 1):
        candidate = day - timedelta(days=back)
        if not_a_reconciliation_day(view, candidate) is None:
            return candidate
    raise LookupError(f"no day of reconciliation in the {_FARTHEST} days before {day}")


def versions(bank_account_id: UUID) -> Sequence[TreasuryAccountVersion]:
    """Every version of a register row, newest first."""
    return (
        session()
        .scalars(
            sa.select(TreasuryAccountVersion)
            .where(TreasuryAccountVersion.bank_account_id == bank_account_id)
            .order_by(TreasuryAccountVersion.version.desc())
        )
        .all()
    )


def pooled_at(moment: datetime) -> set[UUID]:
    """Bank accounts that served a pool as the register stood at a moment."""
    table = TreasuryAccountVersion
    newest = (
        sa.select(table.bank_account_id, table.pool)
        .distinct(table.bank_account_id)
        .where(table.changed_at <= moment)
        .order_by(table.bank_account_id, table.version.desc())
        .subquery()
    )
    return set(session().scalars(sa.select(newest.c.bank_account_id).where(newest.c.pool.is_not(None))))


def pool_of(account_id: UUID) -> str | None:
    """The pool that two people gave a client account; None: e-money, as every other."""
    return session().scalar(sa.select(AccountPool.pool).where(AccountPool.account_id == account_id))


@dataclass(frozen=True)
class Change:
    """One version of a register row, with who asked and who approved it; None where it came with the installation."""

    version: TreasuryAccountVersion
    request: ApprovalRequest | None


def history(bank_account_id: UUID) -> list[Change]:
    """Every version with its request, newest first, in one query."""
    rows = session().execute(
        sa.select(TreasuryAccountVersion, ApprovalRequest)
        .outerjoin(ApprovalRequest, ApprovalRequest.id == TreasuryAccountVersion.approval_id)
        .where(TreasuryAccountVersion.bank_account_id == bank_account_id)
        .order_by(TreasuryAccountVersion.version.desc())
    )
    return [Change(*row) for row in rows]


def waiting(*kinds: str) -> dict[UUID, ApprovalRequest]:
    """Open requests of these kinds, by what they are about."""
    found = session().scalars(
        sa.select(ApprovalRequest).where(
            ApprovalRequest.kind.in_(kinds),
            ApprovalRequest.state == "requested",
            ApprovalRequest.expires_at > clock.now(),
        )
    )
    return {request.object_id: request for request in found}


@dataclass(frozen=True)
class Pooled:
    """A client account that two people put into a pool."""

    account_id: UUID
    number: str
    currency: str
    pool: str
    since: datetime
    maker_name: str | None
    decider_name: str | None


def pooled(*, limit: int, after: UUID | None = None) -> list[Pooled]:
    """Client accounts that people said a pool of, in order of their ids; from `after` on."""
    query = (
        sa.select(
            Account.id, Account.number, Account.currency, AccountPool.pool, AccountPool.since,
            ApprovalRequest.maker_name, ApprovalRequest.decider_name,
        )
        .join(AccountPool, AccountPool.account_id == Account.id)
        .outerjoin(ApprovalRequest, ApprovalRequest.id == AccountPool.approval_id)
        .order_by(AccountPool.account_id)
        .limit(limit)
    )  # fmt: skip
    if after is not None:
        query = query.where(AccountPool.account_id > after)
    return [Pooled(*row) for row in session().execute(query)]
