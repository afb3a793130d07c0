"""Accounts for people: filters that combine, keyset paging in both directions, newest first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from dashboard.database import session
from dashboard.ledger import numbers, owners
from dashboard.ledger.models import Account, AccountBalance, BankAccount
from dashboard.ledger.queries.accounts import AccountView, balances_of
from dashboard.ledger.queries.filters import trigrams_in
from dashboard.ledger.vocabulary import AccountStatus

#: clients whose name matches; their accounts are looked through
MOST_NAMED = 200
#: fewer characters would find a part of every number, and have no trigram
SHORTEST_PART = 3
LONGEST_TEXT = 200
_NUMBER_END = re.compile(r"[0-9A-Z]{3,34}")
_WHOLE_NUMBER = re.compile(r"[A-Z]{2}[0-9]{2}[0-9A-Z]{11,30}")
#: which freeze an account must have, and what that says of its balance rows
FROZEN: dict[str, sa.ColumnElement[bool]] = {
    "any": sa.or_(AccountBalance.debits_frozen, AccountBalance.credits_frozen),
    "debits": AccountBalance.debits_frozen.is_(True),
    "credits": AccountBalance.credits_frozen.is_(True),
}


@dataclass(frozen=True)
class ListFilter:
    """What to show; empty means any. `frozen` is a key of FROZEN."""

    text: str = ""
    type: str = ""
    currency: str = ""
    status: str = ""
    frozen: str = ""
    provider: str = ""


@dataclass(frozen=True)
class Wanted:
    """A filter with what its text means, looked up once. `cut`: more owners match the text than are looked through."""

    chosen: ListFilter
    text: str
    owner_ids: tuple[UUID, ...]
    cut: bool


@dataclass(frozen=True)
class Page:
    """`more`: there are rows beyond the end in the direction of reading."""

    rows: list[AccountView]
    more: bool


def wanted(chosen: ListFilter) -> Wanted:
    """Looks up the owners that the text may name."""
    text = " ".join(chosen.text.split())[:LONGEST_TEXT]
    named: list[UUID] = []
    if text and _as_uuid(text) is None and not _WHOLE_NUMBER.fullmatch(numbers.normalized(text)):
        named = owners.directory().matching(text, MOST_NAMED + 1)
    return Wanted(chosen, text, tuple(named[:MOST_NAMED]), len(named) > MOST_NAMED)


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _found_by(asked: Wanted) -> sa.CTE:
    """Ids of the accounts that the text means, gathered before anything is ordered."""
    ways: list[sa.Select[Any]] = []
    identifier = _as_uuid(asked.text)
    if identifier is not None:
        ways += [sa.select(Account.id).where(sa.or_(Account.id == identifier, Account.owner_id == identifier))]
    number = numbers.normalized(asked.text)
    if _NUMBER_END.fullmatch(number):
        # by the index over the reversed number; a range, because a pattern in a parameter finds no index
        backwards = number[::-1]
        reversed_number = sa.func.reverse(Account.number)
        ways.append(
            sa.select(Account.id).where(
                reversed_number.op("~>=~", is_comparison=True)(backwards),
                reversed_number.op("~<~", is_comparison=True)(backwards[:-1] + chr(ord(backwards[-1]) + 1)),
            )
        )
    if asked.owner_ids:
        ways.append(sa.select(Account.id).where(Account.owner_id.in_(asked.owner_ids)))
    ways.append(_aliased(asked.text))
    return sa.union(*ways).cte("found").prefix_with("MATERIALIZED", dialect="postgresql")


def _aliased(text: str) -> sa.Select[Any]:
    """Accounts with the text in their name, by its trigrams; one too short to have any must be the whole name."""
    alias = sa.func.lower(Account.alias, type_=sa.Text())
    found = sa.select(Account.id).where(Account.alias.is_not(None))
    grams = trigrams_in(text)
    if not grams:
        return found.where(Account.owner_id.is_(None), alias == text.lower())
    cut = sa.func.trigrams(alias, type_=postgresql.ARRAY(sa.Text))
    return found.where(
        cut.contains(sa.cast(grams, postgresql.ARRAY(sa.Text))), alias.contains(text.lower(), autoescape=True)
    )


_COLUMNS = (
    Account.id, Account.owner_id, Account.type, Account.number, Account.currency, Account.alias, Account.status,
    Account.hidden, Account.display_order, Account.provider, Account.created_at, Account.closed_at,
)  # fmt: skip


def _word(name: str, value: str) -> sa.BindParameter[str]:
    """A word of ours written into the statement: the planner sees how common it is, and which partial index fits."""
    return sa.bindparam(name, value, literal_execute=True)


def _query(asked: Wanted) -> tuple[sa.Select[Any], sa.ColumnElement[Any]]:
    """All that pass, and the column that orders them."""
    chosen = asked.chosen
    query: Any = sa.select(*_COLUMNS)
    key: Any = Account.id
    if chosen.frozen:
        key = AccountBalance.account_id
        # the first condition names the partial index of frozen accounts
        frozen = sa.and_(FROZEN["any"], FROZEN[chosen.frozen])
        query = query.join(AccountBalance, sa.and_(key == Account.id, AccountBalance.slot == 0)).where(frozen)
    if chosen.type:
        query = query.where(Account.type == _word("type_word", chosen.type))
    if chosen.currency:
        query = query.where(Account.currency == _word("currency_word", chosen.currency))
    if chosen.status:
        query = query.where(Account.status == _word("status_word", chosen.status))
    if chosen.provider:
        query = query.where(Account.provider == chosen.provider)
    if asked.text:
        query = query.where(Account.id.in_(sa.select(_found_by(asked).c.id)))
    return query, key


def find(asked: Wanted, *, size: int, after: UUID | None = None, backwards: bool = False) -> Page:
    """One page, newest first; `after` is the account at the edge, `backwards` reads towards newer ones."""
    query, key = _query(asked)
    if after is not None:
        query = query.where(key > after if backwards else key < after)
    rows = session().execute(query.order_by(key.asc() if backwards else key.desc()).limit(size + 1)).all()
    more = len(rows) > size
    rows = rows[:size]
    if backwards:
        rows = rows[::-1]
    balances = balances_of(row.id for row in rows) if rows else {}
    return Page([AccountView(**row._mapping, balances=balances[row.id]) for row in rows], more)


#: accounts read at a time
_PART = 1_000


def every(asked: Wanted) -> Iterator[list[AccountView]]:
    """All accounts of the list in its order, part by part."""
    after: UUID | None = None
    while True:
        page = find(asked, size=_PART, after=after)
        if page.rows:
            yield page.rows
        if not page.more:
            return
        after = page.rows[-1].id


def of_owner(owner_id: UUID, *, limit: int, open_only: bool = False) -> Page:
    """Accounts of one owner: open ones first, then in the order of their opening."""
    where = [Account.owner_id == owner_id, *([Account.status == AccountStatus.OPEN.value] if open_only else [])]
    rows = (
        session()
        .execute(sa.select(*_COLUMNS).where(*where).order_by(Account.status.desc(), Account.id).limit(limit + 1))
        .all()
    )
    balances = balances_of(row.id for row in rows) if rows else {}
    views = [AccountView(**row._mapping, balances=balances[row.id]) for row in rows[:limit]]
    return Page(views, len(rows) > limit)


def providers() -> list[str]:
    """Providers with a bank account of the house, in order of the name."""
    return list(session().scalars(sa.select(BankAccount.provider).distinct().order_by(BankAccount.provider)))


def any_account() -> bool:
    """Whether there is any account at all."""
    return session().scalar(sa.select(Account.id).limit(1)) is not None
