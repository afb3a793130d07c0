"""Conditions on transactions: a tree of *and* and *or* over leaves, and what it says in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from dashboard.database import session
from dashboard.ledger.models import Account, LedgerTransaction, Payment
from dashboard.ledger.vocabulary import ParentType, PaymentState
from dashboard.money import DECIMALS, LARGEST_MINOR_UNITS

#: a text is found by its trigrams: at least so many characters without a blank between
SHORTEST_TEXT = 3
LONGEST_TEXT = 200


@dataclass(frozen=True)
class Leaf:
    """All that is set must hold; None is any, an empty tuple is none at all.

    Amounts are in major units, both ends included; without a currency they are read in each one's own decimals.
    `accounts` are on either side. Times: from included, `before` not; days: both included.
    """

    accounts: tuple[UUID, ...] | None = None
    debtors: tuple[UUID, ...] | None = None
    creditors: tuple[UUID, ...] | None = None
    owners: tuple[UUID, ...] | None = None
    currency: str | None = None
    amount_from: Decimal | None = None
    amount_to: Decimal | None = None
    states: tuple[PaymentState, ...] | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    posted_from: datetime | None = None
    posted_before: datetime | None = None
    booking_from: date | None = None
    booking_to: date | None = None
    value_from: date | None = None
    value_to: date | None = None
    parent_id: UUID | None = None
    parent_type: ParentType | None = None
    payment_id: UUID | None = None
    #: a payment, its parent or the transaction itself
    reference: UUID | None = None
    text: str | None = None


@dataclass(frozen=True)
class Group:
    """`every`: all parts must hold, else one of them."""

    every: bool
    parts: tuple[Node, ...]


Node = Leaf | Group

EVERYTHING = Leaf()


def leaves(node: Node) -> Iterator[Leaf]:
    """All leaves, from left to right."""
    if isinstance(node, Leaf):
        yield node
    else:
        for part in node.parts:
            yield from leaves(part)


def required(node: Node) -> Iterator[Leaf]:
    """The leaves that hold for every transaction that passes: those under no *or*."""
    if isinstance(node, Leaf):
        yield node
    elif node.every or len(node.parts) == 1:
        for part in node.parts:
            yield from required(part)


@dataclass(frozen=True)
class Known:
    """What the conditions refer to, read once: accounts of owners, payments of parents and references."""

    accounts: dict[UUID, tuple[UUID, ...]]
    payments: dict[UUID, tuple[UUID, ...]]

    def accounts_of(self, owners: Iterable[UUID]) -> tuple[UUID, ...]:
        return tuple(account for owner in owners for account in self.accounts.get(owner, ()))


def _payments_of(parents: Iterable[UUID]) -> dict[UUID, tuple[UUID, ...]]:
    wanted = list(parents)
    if not wanted:
        return {}
    # two indexes cover the parents: one of what stands, one of what is gone
    gone = sa.text("state IN ('canceled', 'error')")
    stands = sa.text("state NOT IN ('canceled', 'error')")
    reads = [
        sa.select(Payment.parent_id, Payment.id).where(Payment.parent_id.in_(wanted), state) for state in (stands, gone)
    ]
    found: dict[UUID, tuple[UUID, ...]] = {}
    for parent, payment in session().execute(sa.union_all(*reads)):
        found[parent] = (*found.get(parent, ()), payment)
    return found


def known_of(node: Node) -> Known:
    """At most two queries, whatever the tree."""
    owners = {owner for leaf in leaves(node) for owner in leaf.owners or ()}
    parents = {parent for leaf in leaves(node) for parent in (leaf.parent_id, leaf.reference) if parent is not None}
    accounts: dict[UUID, tuple[UUID, ...]] = {}
    if owners:
        rows = session().execute(
            sa.select(Account.owner_id, Account.id).where(Account.owner_id.in_(owners)).order_by(Account.id)
        )
        for owner, account in rows:
            assert owner is not None
            accounts[owner] = (*accounts.get(owner, ()), account)
    return Known(accounts, _payments_of(parents))


def _amounts(leaf: Leaf) -> sa.ColumnElement[bool] | None:
    """Exact in every currency: 12.34 is 1234 cents, and no number of yen."""
    if leaf.amount_from is None and leaf.amount_to is None:
        return None
    by_decimals: dict[int, list[str]] = {}
    for currency, decimals in DECIMALS.items():
        if leaf.currency in (None, currency):
            by_decimals.setdefault(decimals, []).append(currency)
    amount = LedgerTransaction.amount_minor
    found = []
    for decimals, currencies in by_decimals.items():
        tests: list[sa.ColumnElement[bool]] = [LedgerTransaction.currency.in_(currencies)]
        if leaf.amount_from is not None:
            least = leaf.amount_from.scaleb(decimals).to_integral_value(ROUND_CEILING)
            tests.append(amount >= int(min(least, Decimal(LARGEST_MINOR_UNITS + 1))))
        if leaf.amount_to is not None:
            most = leaf.amount_to.scaleb(decimals).to_integral_value(ROUND_FLOOR)
            tests.append(amount <= int(min(most, Decimal(LARGEST_MINOR_UNITS + 1))))
        found.append(sa.and_(*tests))
    return sa.or_(*found)


def _literal(words: type[StrEnum], value: str) -> sa.ColumnElement[str]:
    """A word of our own written into the statement: a partial index is taken only where the planner sees the word."""
    return sa.literal_column(f"'{words(value).value}'", sa.Text())


def states_are(states: Sequence[PaymentState]) -> sa.ColumnElement[bool]:
    """One of these states."""
    column = LedgerTransaction.state
    if not states:
        return sa.false()
    tests = [column == _literal(PaymentState, state) for state in dict.fromkeys(states)]
    return tests[0] if len(tests) == 1 else sa.or_(*tests)


def trigrams_in(text: str) -> list[str]:
    """The trigrams that every description containing the text must have (SQL function `trigrams`)."""
    return sorted({word[i : i + 3] for word in text.lower().split(" ") for i in range(len(word) - 2)})


def _like(text: str) -> str:
    """The text as a pattern of LIKE, anywhere."""
    for letter in "\\%_":
        text = text.replace(letter, "\\" + letter)
    return f"%{text}%"


def _touches(accounts: Sequence[UUID]) -> sa.ColumnElement[bool]:
    return sa.or_(
        LedgerTransaction.debtor_account_id.in_(accounts), LedgerTransaction.creditor_account_id.in_(accounts)
    )


def condition(node: Node, known: Known, *, row_by_row: bool = False) -> sa.ColumnElement[bool]:
    """The tree in SQL: so that indexes find the rows, or so that it is cheap to ask of each of a few rows."""
    if isinstance(node, Group):
        parts = [condition(part, known, row_by_row=row_by_row) for part in node.parts]
        return sa.and_(sa.true(), *parts) if node.every else sa.or_(sa.false(), *parts)
    table = LedgerTransaction
    found: list[sa.ColumnElement[bool]] = []
    if node.accounts is not None:
        found.append(_touches(node.accounts))
    if node.owners is not None:
        found.append(_touches(known.accounts_of(node.owners)))
    if node.debtors is not None:
        found.append(table.debtor_account_id.in_(node.debtors))
    if node.creditors is not None:
        found.append(table.creditor_account_id.in_(node.creditors))
    if node.currency is not None:
        found.append(table.currency == node.currency)
    amounts = _amounts(node)
    if amounts is not None:
        found.append(amounts)
    if node.states is not None:
        found.append(states_are(node.states))
    found += _periods(node)
    if node.payment_id is not None:
        found.append(table.payment_id == node.payment_id)
    if node.parent_id is not None:
        found.append(table.payment_id.in_(known.payments.get(node.parent_id, ())))
    if node.reference is not None:
        payments = {node.reference, *known.payments.get(node.reference, ())}
        found.append(sa.or_(table.payment_id.in_(payments), table.id == node.reference))
    if node.parent_type is not None:
        found.append(_of_type(node.parent_type, row_by_row))
    if node.text is not None:
        found.append(_text(node.text, row_by_row))
    return sa.and_(sa.true(), *found)


def _of_type(kind: ParentType, row_by_row: bool) -> sa.ColumnElement[bool]:
    same = Payment.id == LedgerTransaction.payment_id
    word = _literal(ParentType, kind)
    if row_by_row:
        # a single value is looked up where EXISTS would be made a table of all payments of the type first
        return sa.select(Payment.parent_type).where(same).correlate(LedgerTransaction).scalar_subquery() == word
    return sa.select(Payment.id).where(same, Payment.parent_type == word).correlate(LedgerTransaction).exists()


def _text(text: str, row_by_row: bool) -> sa.ColumnElement[bool]:
    description = sa.func.lower(LedgerTransaction.description, type_=sa.Text())
    contains = description.like(sa.func.lower(_like(text), type_=sa.Text()), escape="\\")
    if row_by_row:
        return sa.func.coalesce(contains, sa.false())
    grams = sa.cast(trigrams_in(text), postgresql.ARRAY(sa.Text))
    cut = sa.func.trigrams(description, type_=postgresql.ARRAY(sa.Text))
    return sa.and_(LedgerTransaction.description.is_not(None), cut.contains(grams), contains)


def _periods(leaf: Leaf) -> list[sa.ColumnElement[bool]]:
    table = LedgerTransaction
    found: list[sa.ColumnElement[bool]] = []
    if leaf.posted_from is not None or leaf.posted_before is not None:
        found.append(states_are((PaymentState.POSTED,)))
    for column, first, before in (
        (table.created_at, leaf.created_from, leaf.created_before),
        (table.posted_at, leaf.posted_from, leaf.posted_before),
    ):
        if first is not None:
            found.append(column >= first)
        if before is not None:
            found.append(column < before)
    for day, first_day, last_day in (
        (table.booking_date, leaf.booking_from, leaf.booking_to),
        (table.value_date, leaf.value_from, leaf.value_to),
    ):
        if first_day is not None:
            found.append(day >= first_day)
        if last_day is not None:
            found.append(day <= last_day)
    return found


def narrowed(node: Node, **to: Any) -> Node:
    """The tree with further conditions that must hold besides."""
    extra = Leaf(**to)
    if isinstance(node, Leaf):
        clear = all(getattr(node, name) is None for name in to)
        return replace(node, **to) if clear else Group(True, (extra, node))
    return Group(True, (extra, node))
