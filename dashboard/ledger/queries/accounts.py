"""Accounts with their balances: one, those of an owner, and by filters with keyset paging.

Lists of the house are sorted by id, newest first: an id tells when the account was opened, and every index that
narrows a list ends in it or is narrow enough to be sorted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.ledger import numbers, owners
from dashboard.ledger.models import Account, AccountBalance, BankAccount
from dashboard.ledger.vocabulary import AccountStatus, AccountType
from dashboard.money import Money

#: clients whose name matches; their accounts are looked through
MOST_NAMED = 200
#: fewer characters would find a part of every number
SHORTEST_END = 3
_NUMBER = re.compile(r"[0-9A-Z]{3,34}")
#: an account without a place of its own in the owner's list stands behind all that have one
LAST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Balances:
    """Sums over an account's slots, in minor units, and the flags that stand on it. `limit`: how far it may go below
    zero; `blocked`: what must stay on it."""

    posted: int
    held: int
    limit: int
    blocked: int
    debits_frozen: bool
    credits_frozen: bool


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account as it stands."""

    id: UUID
    owner_id: UUID | None
    type: str
    number: str
    currency: str
    alias: str | None
    status: str
    hidden: bool
    display_order: int | None
    provider: str | None
    #: the house books to it
    of_chart: bool
    created_at: datetime
    closed_at: datetime | None
    balances: Balances

    @property
    def is_open(self) -> bool:
        return self.status == AccountStatus.OPEN

    @property
    def posted(self) -> Money:
        """Credits minus debits."""
        return Money(self.balances.posted, self.currency)

    @property
    def held(self) -> Money:
        """Reserved for pending withdrawals."""
        return Money(self.balances.held, self.currency)

    @property
    def available(self) -> Money:
        """Posted minus held; below zero where a limit allows it."""
        return Money(self.balances.posted - self.balances.held, self.currency)

    @property
    def can_pay(self) -> bool:
        return self.is_open and not self.balances.debits_frozen

    @property
    def can_receive(self) -> bool:
        return self.is_open and not self.balances.credits_frozen

    @property
    def spendable(self) -> Money:
        """What a payment could take now: nothing while debits are frozen."""
        stands = self.balances
        room = stands.posted - stands.held - stands.blocked + stands.limit if self.can_pay else 0
        return Money(max(room, 0), self.currency)


@dataclass(frozen=True)
class AccountFilter:
    """What to show; empty means any."""

    owner_ids: tuple[UUID, ...] = ()
    types: tuple[AccountType, ...] = ()
    currencies: tuple[str, ...] = ()
    statuses: tuple[AccountStatus, ...] = ()
    text: str = ""

    def as_json(self) -> dict[str, Any]:
        """What a cursor is bound to."""
        return {
            "owners": sorted(map(str, self.owner_ids)),
            "types": sorted(self.types),
            "currencies": sorted(self.currencies),
            "statuses": sorted(self.statuses),
            "text": self.text,
        }


@dataclass(frozen=True)
class Page:
    """`more`: there are rows behind the last one."""

    rows: list[AccountView]
    more: bool


_COLUMNS = (
    Account.id, Account.owner_id, Account.type, Account.number, Account.currency, Account.alias, Account.status,
    Account.hidden, Account.display_order, Account.provider, Account.created_at, Account.closed_at,
    sa.or_(Account.standard, Account.bank_account_id.is_not(None)).label("of_chart"),
)  # fmt: skip


_BALANCES = (
    sa.select(
        AccountBalance.account_id,
        sa.func.sum(AccountBalance.posted),
        sa.func.sum(AccountBalance.held),
        sa.func.max(AccountBalance.limit_minor),
        sa.func.max(AccountBalance.blocked_minor),
        sa.func.bool_or(AccountBalance.debits_frozen),
        sa.func.bool_or(AccountBalance.credits_frozen),
    )
    .where(AccountBalance.account_id == sa.any_(sa.bindparam("ids", type_=postgresql.ARRAY(Account.id.type))))
    .group_by(AccountBalance.account_id)
)


def balances_of(account_ids: Iterable[UUID]) -> dict[UUID, Balances]:
    """Balances of accounts, in one query whatever their number; unknown ones are left out."""
    found = session().execute(_BALANCES, {"ids": list(account_ids)})
    return {
        account_id: Balances(int(posted), int(held), int(limit), int(blocked), debits, credits)
        for account_id, posted, held, limit, blocked, debits, credits in found
    }


def _views(rows: Sequence[Any]) -> list[AccountView]:
    balances = balances_of(row.id for row in rows) if rows else {}
    return [AccountView(**row._mapping, balances=balances[row.id]) for row in rows]


_BY_ID = sa.select(*_COLUMNS).where(Account.id == sa.bindparam("id", type_=Account.id.type))


def _one(*where: sa.ColumnElement[bool]) -> AccountView:
    return _view(session().execute(sa.select(*_COLUMNS).where(*where)).one_or_none())


def _view(row: Any) -> AccountView:
    if row is None:
        raise NotFound("There is no such account.", code="accountNotFound")
    return _views([row])[0]


def get(account_id: UUID) -> AccountView:
    """Raises NotFound."""
    return _view(session().execute(_BY_ID, {"id": account_id}).one_or_none())


def own(account_id: UUID, *, owner_id: UUID) -> AccountView:
    """Raises NotFound, alike for an account of somebody else and for none."""
    return _one(Account.id == account_id, Account.owner_id == owner_id)


def own_by_number(number: str, *, owner_id: UUID) -> AccountView:
    """`number` as stored: upper case, no spaces. Raises NotFound as `own`."""
    return _one(Account.number == number, Account.owner_id == owner_id)


def _words(name: str, values: Iterable[Any]) -> sa.BindParameter[Any]:
    """Words of our own written into the statement, so that the planner sees how common each is, and which partial
    index fits; a prepared plan for any word would walk a million accounts to find the rare ones."""
    texts = sorted({str(value) for value in values})
    return sa.bindparam(name, texts, expanding=True, literal_execute=True)


def _conditions(chosen: AccountFilter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if chosen.owner_ids:
        found.append(Account.owner_id.in_(chosen.owner_ids))
    if chosen.types and set(chosen.types) != set(AccountType):
        found.append(Account.type.in_(_words("types", chosen.types)))
    if chosen.currencies:
        found.append(Account.currency.in_(_words("currencies", chosen.currencies)))
    if chosen.statuses and set(chosen.statuses) != set(AccountStatus):
        found.append(Account.status.in_(_words("statuses", chosen.statuses)))
    return found


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _ends_with(end: str) -> list[sa.ColumnElement[bool]]:
    """By the index over the reversed number; a range, because a pattern in a parameter finds no index."""
    backwards = end[::-1]
    reversed_number = sa.func.reverse(Account.number)
    return [
        reversed_number.op("~>=~", is_comparison=True)(backwards),
        reversed_number.op("~<~", is_comparison=True)(backwards[:-1] + chr(ord(backwards[-1]) + 1)),
    ]


def _found_by(text: str) -> sa.CTE:
    """Ids of the accounts that a text means, gathered before anything is ordered."""
    ways: list[sa.Select[Any]] = []
    identifier = _as_uuid(text)
    if identifier is not None:
        ways += [sa.select(Account.id).where(Account.id == identifier)]
        ways += [sa.select(Account.id).where(Account.owner_id == identifier)]
    number = numbers.normalized(text)
    if _NUMBER.fullmatch(number):
        ways.append(sa.select(Account.id).where(*_ends_with(number)))
    named = owners.directory().matching(text, MOST_NAMED)
    if named:
        ways.append(sa.select(Account.id).where(Account.owner_id.in_(named)))
    ways.append(
        sa.select(Account.id).where(
            Account.owner_id.is_(None), sa.func.lower(Account.alias).contains(text.lower(), autoescape=True)
        )
    )
    return sa.union(*ways).cte("found").prefix_with("MATERIALIZED", dialect="postgresql")


def _chosen(chosen: AccountFilter) -> list[sa.ColumnElement[bool]]:
    where = _conditions(chosen)
    text = " ".join(chosen.text.split())
    if text:
        where.append(Account.id.in_(sa.select(_found_by(text).c.id)))
    return where


def _reads_one_currency(chosen: AccountFilter) -> bool:
    """Whether only the currency, and perhaps the type, narrows the list. Closed accounts have an index of their own."""
    few = chosen.owner_ids or chosen.text.strip() or set(chosen.statuses) == {AccountStatus.CLOSED}
    return len(chosen.currencies) == 1 and len(chosen.types) <= 1 and not few


def _along_index(chosen: AccountFilter, after: UUID | None) -> tuple[list[sa.ColumnElement[bool]], list[Any]]:
    """Conditions and order of one currency, of one type or any: read along the index that ends in the id.

    Said as ranges: where the columns were equal to something, the planner would drop them from the order, and may
    walk by id past every account of the other currencies.
    """
    columns: list[Any] = [Account.type] if chosen.types else []
    columns.append(Account.currency)
    words = [sa.literal(str(word)) for word in (*chosen.types, *chosen.currencies)]
    lead, edge = sa.tuple_(*columns), sa.tuple_(*words)
    where = [lead >= edge]
    if after is None:
        where.append(lead <= edge)
    else:
        where.append(sa.tuple_(*columns, Account.id) < sa.tuple_(*words, sa.literal(after)))
    return where, [column.desc() for column in columns]


def find(chosen: AccountFilter, *, size: int, after: UUID | None = None) -> Page:
    """One page, newest first; `after` is the last account of the page before."""
    order: list[Any] = []
    if _reads_one_currency(chosen):
        where, order = _along_index(chosen, after)
        where += _conditions(replace(chosen, types=(), currencies=()))
    else:
        where = _chosen(chosen)
        if after is not None:
            where.append(Account.id < after)
    query = sa.select(*_COLUMNS).where(*where).order_by(*order, Account.id.desc()).limit(size + 1)
    rows = session().execute(query).all()
    return Page(_views(rows[:size]), len(rows) > size)


def count(chosen: AccountFilter) -> int:
    """How many accounts pass. Reads them all: asked for only when somebody wants the number."""
    return session().scalar(sa.select(sa.func.count()).select_from(Account).where(*_chosen(chosen))) or 0


def own_key(account: AccountView) -> list[Any]:
    """Where an account stands in its owner's list, JSON-ready: what a cursor holds."""
    place = LAST if account.display_order is None else account.display_order
    return [place, account.created_at.isoformat(), str(account.id)]


def _own_where(owner_id: UUID, hidden: bool, status: AccountStatus | None) -> list[sa.ColumnElement[bool]]:
    where = [Account.owner_id == owner_id]
    if not hidden:
        where.append(Account.hidden.is_(False))
    if status is not None:
        where.append(Account.status == status.value)
    return where


def own_list(
    owner_id: UUID,
    *,
    hidden: bool,
    status: AccountStatus | None,
    size: int,
    after: Sequence[Any] | None = None,
    skip: int = 0,
) -> Page:
    """Accounts of an owner in the owner's order, then as they were opened. `hidden`: also what the owner hid."""
    place = (sa.func.coalesce(Account.display_order, LAST), Account.created_at, Account.id)
    where = _own_where(owner_id, hidden, status)
    if after is not None:
        edge = (int(after[0]), datetime.fromisoformat(after[1]), UUID(after[2]))
        where.append(sa.tuple_(*place) > sa.tuple_(*(sa.literal(value) for value in edge)))
    query = sa.select(*_COLUMNS).where(*where).order_by(*place).offset(skip).limit(size + 1)
    rows = session().execute(query).all()
    return Page(_views(rows[:size]), len(rows) > size)


def own_count(owner_id: UUID, *, hidden: bool, status: AccountStatus | None) -> int:
    return (
        session().scalar(sa.select(sa.func.count()).select_from(Account).where(*_own_where(owner_id, hidden, status)))
        or 0
    )


def offered_currencies() -> dict[str, list[str]]:
    """Currencies in which a bank account of a provider stands, each with its providers, both in order of the name."""
    offered: dict[str, list[str]] = {}
    pairs = session().execute(
        sa.select(BankAccount.currency, BankAccount.provider)
        .distinct()
        .order_by(BankAccount.currency, BankAccount.provider)
    )
    for currency, provider in pairs:
        offered.setdefault(currency, []).append(provider)
    return offered
