"""Accounts for people: filters that combine, keyset paging in both directions, newest first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from dashboard.database import session
from dashboard.ledger import numbers, owners
from dashboard.ledger.models import ALIAS_WORDS, Account, AccountBalance, BankAccount
from dashboard.ledger.queries.accounts import AccountView, balances_of
from dashboard.ledger.queries.filters import trigrams_in
from dashboard.ledger.vocabulary import AccountStatus

#: clients whose name matches; their accounts are looked through
MOST_NAMED = 200
#: accounts of the list that a text is looked for in, before the indexes are asked
REACH = 2_000
LONGEST_TEXT = 200
_NUMBER_END = re.compile(r"[0-9A-Z]{3,34}")
#: what tables show of a number, with one sign of omission or with dots
_SHORT_NUMBER = re.compile(r"([A-Z]{2})(?:…|\.{2,3})([0-9A-Z]{3,30})")
#: digits alone mean the end of a number, never a part of a name
_DIGITS = re.compile(r"[0-9]{3,34}")
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

    @property
    def exact(self) -> bool:
        """The text is an id or a number, whole or its end: it means few accounts, and nobody's name."""
        number = numbers.normalized(self.text)
        shapes = (_WHOLE_NUMBER, _SHORT_NUMBER, _DIGITS)
        return _as_uuid(self.text) is not None or any(shape.fullmatch(number) for shape in shapes)


@dataclass(frozen=True)
class Page:
    """`more`: there are rows beyond the end in the direction of reading."""

    rows: list[AccountView]
    more: bool


def wanted(chosen: ListFilter) -> Wanted:
    """Looks up the owners that the text may name."""
    text = " ".join(chosen.text.split())[:LONGEST_TEXT]
    asked = Wanted(chosen, text, (), False)
    if not text or asked.exact:
        return asked
    named = owners.directory().matching(text, MOST_NAMED + 1)
    return Wanted(chosen, text, tuple(named[:MOST_NAMED]), len(named) > MOST_NAMED)


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _number_ends(number: str) -> list[sa.ColumnElement[bool]]:
    """By the index over the reversed number; a range, because a pattern in a parameter finds no index."""
    backwards = number[::-1]
    reversed_number = sa.func.reverse(Account.number)
    return [
        reversed_number.op("~>=~", is_comparison=True)(backwards),
        reversed_number.op("~<~", is_comparison=True)(backwards[:-1] + chr(ord(backwards[-1]) + 1)),
    ]


class _Way(NamedTuple):
    """A way in which a text may mean an account: `found` by an index, `passes` as a test of one account."""

    found: list[sa.ColumnElement[bool]]
    passes: sa.ColumnElement[bool]


def _by_alias(text: str, chosen: ListFilter) -> _Way:
    """The text in the account's name, by its trigrams; one too short for that is a house account's whole one.

    The index knows currency, type and status as well: a name that a hundred thousand share costs what is left of it.
    """
    alias = sa.func.lower(Account.alias, type_=sa.Text())
    grams = trigrams_in(text)
    if not grams:
        whole = [Account.owner_id.is_(None), alias == text.lower()]
        return _Way(whole, sa.and_(*whole))
    has = alias.contains(text.lower(), autoescape=True)
    words = [*grams, *(f"={word}" for word in (chosen.currency, chosen.type, chosen.status) if word)]
    named = sa.literal_column(f"({ALIAS_WORDS})", type_=postgresql.ARRAY(sa.Text))
    indexed = named.contains(sa.cast(words, postgresql.ARRAY(sa.Text)))
    return _Way([Account.alias.is_not(None), indexed, has], has)


def _ways(asked: Wanted) -> list[_Way]:
    ways: list[_Way] = []
    identifier = _as_uuid(asked.text)
    if identifier is not None:
        ways += [_Way([test], test) for test in (Account.id == identifier, Account.owner_id == identifier)]
    number = numbers.normalized(asked.text)
    if shown := _SHORT_NUMBER.fullmatch(number):
        ends = [*_number_ends(shown[2]), Account.number.startswith(shown[1])]
        ways.append(_Way(ends, sa.and_(*ends)))
    elif _NUMBER_END.fullmatch(number):
        ends = _number_ends(number)
        ways.append(_Way(ends, sa.and_(*ends)))
    if asked.owner_ids:
        owned = Account.owner_id.in_(asked.owner_ids)
        ways.append(_Way([owned], owned))
    return ways if asked.exact else [*ways, _by_alias(asked.text, asked.chosen)]


def _gathered(asked: Wanted) -> sa.CTE:
    """Ids of all accounts of the list that the text means, gathered before anything is ordered."""
    narrow = _narrowing(asked.chosen)
    found = [sa.select(Account.id).where(*way.found, *narrow) for way in _ways(asked)]
    return sa.union(*found).cte("found").prefix_with("MATERIALIZED", dialect="postgresql")


_COLUMNS = (
    Account.id, Account.owner_id, Account.type, Account.number, Account.currency, Account.alias, Account.status,
    Account.hidden, Account.display_order, Account.provider, Account.created_at, Account.closed_at,
    sa.or_(Account.standard, Account.bank_account_id.is_not(None)).label("of_chart"),
)  # fmt: skip


def _word(name: str, value: str) -> sa.BindParameter[str]:
    """A word of ours written into the statement: the planner sees how common it is, and which partial index fits."""
    return sa.bindparam(name, value, literal_execute=True)


def _narrowing(chosen: ListFilter) -> list[sa.ColumnElement[bool]]:
    """What must hold of the account itself."""
    where: list[sa.ColumnElement[bool]] = []
    if chosen.type:
        where.append(Account.type == _word("type_word", chosen.type))
    if chosen.currency:
        where.append(Account.currency == _word("currency_word", chosen.currency))
    if chosen.status:
        where.append(Account.status == _word("status_word", chosen.status))
    if chosen.provider:
        where.append(Account.provider == chosen.provider)
    return where


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
    query = query.where(*_narrowing(chosen))
    return query, key


def _selected(asked: Wanted, *, size: int, after: UUID | None, backwards: bool) -> list[Any]:
    """One more row than `size`, in the direction of reading.

    A text is looked for in the next accounts of the list first: a common one fills the page there. What does not is
    rare, and its few accounts are gathered through the indexes.
    """
    query, key = _query(asked)
    if after is not None:
        query = query.where(key > after if backwards else key < after)
    order = key.asc() if backwards else key.desc()
    if not asked.text:
        return list(session().execute(query.order_by(order).limit(size + 1)))
    if not asked.exact:
        rows = _near(asked, query.order_by(order).limit(REACH), size, backwards)
        if len(rows) > size:
            return rows
    query = query.where(Account.id.in_(sa.select(_gathered(asked).c.id)))
    return list(session().execute(query.order_by(order).limit(size + 1)))


def _near(asked: Wanted, query: Any, size: int, backwards: bool) -> list[Any]:
    """What the text means among the next accounts of the list."""
    meant = sa.or_(*(way.passes for way in _ways(asked)))
    near = query.add_columns(meant.label("meant")).subquery()
    order = near.c.id.asc() if backwards else near.c.id.desc()
    columns = [column for column in near.c if column.key != "meant"]
    return list(session().execute(sa.select(*columns).where(near.c.meant).order_by(order).limit(size + 1)))


def find(asked: Wanted, *, size: int, after: UUID | None = None, backwards: bool = False) -> Page:
    """One page, newest first; `after` is the account at the edge, `backwards` reads towards newer ones."""
    rows = _selected(asked, size=size, after=after, backwards=backwards)
    more = len(rows) > size
    rows = rows[:size]
    if backwards:
        rows.reverse()
    return Page(_views(rows), more)


def _views(rows: Sequence[Any]) -> list[AccountView]:
    balances = balances_of(row.id for row in rows) if rows else {}
    return [AccountView(**row._mapping, balances=balances[row.id]) for row in rows]


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
    return Page(_views(rows[:limit]), len(rows) > limit)


def providers() -> list[str]:
    """Providers with a bank account of the house, in order of the name."""
    return list(session().scalars(sa.select(BankAccount.provider).distinct().order_by(BankAccount.provider)))


def any_account() -> bool:
    """Whether there is any account at all."""
    return session().scalar(sa.select(Account.id).limit(1)) is not None
