"""Lists of transfers that stay fast among millions, whatever is asked; newest first.

A page is read in two steps, as with clients and transactions. A *walk* reads the newest transfers along the index of
one of the conditions and keeps what passes the others; it ends after two thousand rows. What is frequent fills the
page there. What does not is rare, and its few rows are *gathered* through whatever index finds them, and only then
ordered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from dashboard.clients.folding import trigrams_of, words
from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.ledger.queries.transactions import CLOCK_STEP
from dashboard.money import DECIMALS, LARGEST_MINOR_UNITS
from dashboard.transfers.models import Transfer
from dashboard.transfers.vocabulary import Kind, Status, TransferType

#: rows that the walk reads at most: beyond, gathering costs less among a million transfers
REACH = 2_000
MOST_WORDS = 8
SHORTEST_WORD = 3
LONGEST_REFERENCE = 140


def trigrams_in(text: str) -> bool:
    """Whether a text holds a word that the index can find."""
    return any(len(word) >= SHORTEST_WORD for word in words(text))


@dataclass(frozen=True)
class TransferFilter:
    """All that is set must hold; None and empty mean any, an empty tuple of accounts or clients none at all.

    Amounts are in major units, both ends included; without a currency they are read in each one's own decimals.
    `created_before` is not included. `told_to_clients`: only what a client may know of.
    """

    kind: Kind | None = None
    statuses: tuple[Status, ...] = ()
    type: TransferType | None = None
    accounts: tuple[UUID, ...] | None = None
    clients: tuple[UUID, ...] | None = None
    currency: str | None = None
    amount_from: Decimal | None = None
    amount_to: Decimal | None = None
    created_from: datetime | None = None
    created_before: datetime | None = None
    text: str = ""
    provider: str | None = None
    provider_reference: str | None = None
    told_to_clients: bool = False


@dataclass(frozen=True)
class Page:
    """`more`: there are rows beyond the end in the direction of reading."""

    rows: list[Transfer]
    more: bool


def key_of(row: Transfer) -> list[Any]:
    """The sort key, JSON-ready: what a cursor holds."""
    return [str(row.id)]


#: money that came in is a client's business once it is on the client's account, never while the house looks at it
_TOLD = sa.or_(Transfer.kind != Kind.INCOMING.value, Transfer.status.in_(("completed", "reversed")))


def _amounts(chosen: TransferFilter) -> list[sa.ColumnElement[bool]]:
    if chosen.amount_from is None and chosen.amount_to is None:
        return []

    def within(currency: str) -> sa.ColumnElement[bool]:
        scale = DECIMALS[currency]
        low, high = 1, LARGEST_MINOR_UNITS
        if chosen.amount_from is not None:
            low = int(chosen.amount_from.scaleb(scale).to_integral_value(ROUND_CEILING))
        if chosen.amount_to is not None:
            high = int(chosen.amount_to.scaleb(scale).to_integral_value(ROUND_FLOOR))
        bounded = Transfer.amount_minor.between(min(low, LARGEST_MINOR_UNITS), min(high, LARGEST_MINOR_UNITS))
        return bounded if chosen.currency else sa.and_(Transfer.currency == currency, bounded)

    if chosen.currency:
        return [within(chosen.currency)]
    return [sa.or_(*(within(currency) for currency in DECIMALS))]


def edge_id(moment: datetime, *, last: bool) -> UUID:
    """The smallest or greatest identifier that can be made at a moment (UUIDv7: milliseconds first)."""
    milliseconds = max(int(moment.timestamp() * 1000), 0)
    return UUID(int=((milliseconds + 1) << 80) - 1 if last else milliseconds << 80)


def _conditions(chosen: TransferFilter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if chosen.kind is not None:
        found.append(Transfer.kind == chosen.kind.value)
    if len(chosen.statuses) == 1:
        found.append(Transfer.status == chosen.statuses[0].value)
    elif chosen.statuses:
        found.append(Transfer.status.in_([status.value for status in chosen.statuses]))
    if chosen.type is not None:
        found.append(Transfer.type == chosen.type.value)
    if chosen.accounts is not None:
        found.append(sa.or_(Transfer.account_id.in_(chosen.accounts), Transfer.counter_account_id.in_(chosen.accounts)))
    if chosen.clients is not None:
        found.append(Transfer.client_id.in_(chosen.clients))
    if chosen.currency is not None:
        found.append(Transfer.currency == chosen.currency)
    found += _amounts(chosen)
    if chosen.created_from is not None:
        found.append(Transfer.created_at >= chosen.created_from)
    if chosen.created_before is not None:
        found.append(Transfer.created_at < chosen.created_before)
    if chosen.provider is not None:
        found.append(Transfer.provider == chosen.provider)
    if chosen.provider_reference is not None:
        found.append(Transfer.provider_reference == chosen.provider_reference)
    if chosen.told_to_clients:
        found.append(_TOLD)
    return found


def _matches(tokens: Sequence[str]) -> sa.ColumnElement[bool]:
    """The exact test behind the trigrams: a long word anywhere, a short one at the beginning of a word."""
    tests = []
    for token in tokens:
        if len(token) >= SHORTEST_WORD:
            tests.append(Transfer.search_text.contains(token, autoescape=True))
        else:
            tests.append((sa.literal(" ") + Transfer.search_text).contains(f" {token}", autoescape=True))
    return sa.and_(*tests)


def _by_index(tokens: Sequence[str]) -> list[sa.ColumnElement[bool]]:
    """The indexed test and the exact one."""
    grams = sorted({gram for token in tokens for gram in trigrams_of(token)})
    trigrams = sa.func.trigrams(Transfer.search_text, type_=postgresql.ARRAY(sa.Text))
    return [trigrams.contains(sa.cast(grams, postgresql.ARRAY(sa.Text))), _matches(tokens)]


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None


def _said(chosen: TransferFilter) -> tuple[UUID | None, list[str]]:
    """What the text may mean: an identifier, or words."""
    identifier = _as_uuid(chosen.text)
    return identifier, [] if identifier else words(chosen.text)[:MOST_WORDS]


def _few(chosen: TransferFilter) -> bool:
    """Few rows can pass: nothing is walked for them."""
    return chosen.provider_reference is not None


def _along(chosen: TransferFilter) -> list[sa.ColumnElement[bool]]:
    """What the walk reads along: the most telling condition that an index in the order of the list begins with."""
    if chosen.clients is not None and len(chosen.clients) == 1:
        return [Transfer.client_id == chosen.clients[0]]
    if len(chosen.statuses) == 1:
        one = Transfer.status == chosen.statuses[0].value
        return [one, Transfer.kind == chosen.kind.value] if chosen.kind else [one]
    if chosen.provider is not None:
        return [Transfer.provider == chosen.provider]
    if chosen.type is not None:
        one = Transfer.type == chosen.type.value
        return [one, Transfer.kind == chosen.kind.value] if chosen.kind else [one]
    if chosen.kind is not None:
        return [Transfer.kind == chosen.kind.value]
    if chosen.currency is not None:
        return [Transfer.currency == chosen.currency]
    return []


def _period(chosen: TransferFilter) -> list[sa.ColumnElement[bool]]:
    """Identifiers are made by the clock, so a period of making is a range of them (as of `CLOCK_STEP`)."""
    found: list[sa.ColumnElement[bool]] = []
    if chosen.created_from is not None:
        found.append(Transfer.id >= edge_id(chosen.created_from - CLOCK_STEP, last=False))
    if chosen.created_before is not None:
        found.append(Transfer.id <= edge_id(chosen.created_before + CLOCK_STEP, last=True))
    return found


def _identifiers(chosen: TransferFilter, *, edge: UUID | None, backwards: bool, wanted: int, skip: int) -> list[UUID]:
    """Ids of the page in the direction of reading."""
    by = Transfer.id.asc() if backwards else Transfer.id.desc()
    beyond: list[sa.ColumnElement[bool]] = []
    if edge is not None:
        beyond.append(Transfer.id > edge if backwards else Transfer.id < edge)
    conditions = _conditions(chosen)
    identifier, tokens = _said(chosen)
    if chosen.text.strip():
        if identifier is not None:
            conditions.append(Transfer.id == identifier)
        elif not tokens:
            return []
    matches = [_matches(tokens)] if tokens else []

    def gathered() -> list[UUID]:
        # OFFSET 0 is the planner's fence: the matches are gathered first and only then ordered
        indexed = _by_index(tokens) if tokens else []
        rows = sa.select(Transfer.id).where(*conditions, *indexed, *beyond).offset(0).subquery()
        order = rows.c.id.asc() if backwards else rows.c.id.desc()
        return list(session().scalars(sa.select(rows.c.id).order_by(order).limit(wanted).offset(skip)))

    if identifier is not None or _few(chosen) or (chosen.accounts is not None and len(chosen.accounts) != 1):
        return gathered()
    if chosen.accounts is not None:
        found = _of_account(chosen.accounts[0], [*conditions, *matches], [*_period(chosen), *beyond], backwards)
        return gathered() if found is None else found[skip : skip + wanted]
    passes = sa.and_(sa.true(), *conditions, *matches).label("passes")
    read = (
        sa.select(Transfer.id, passes)
        .where(*_along(chosen), *_period(chosen), *beyond)
        .order_by(by)
        .limit(REACH)
        .subquery()
    )
    order = read.c.id.asc() if backwards else read.c.id.desc()
    nth = sa.func.row_number().over(order_by=order).label("nth")
    counted = sa.select(read.c.id, read.c.passes, nth).subquery()
    order = counted.c.id.asc() if backwards else counted.c.id.desc()
    kept = (
        sa.select(counted.c.id, counted.c.passes)
        .where(sa.or_(counted.c.passes, counted.c.nth == REACH))
        .order_by(order)
        .limit(wanted + skip + 1)
    )
    rows = session().execute(kept).all()
    passing = [row.id for row in rows if row.passes][: wanted + skip]
    # a last row that does not pass says that the walk ended before the list did
    ended_early = any(not row.passes for row in rows) or len(rows) == REACH
    if len(passing) < wanted + skip and ended_early:
        return gathered()
    return passing[skip:]


def _of_account(
    account_id: UUID,
    conditions: Sequence[sa.ColumnElement[bool]],
    beyond: Sequence[sa.ColumnElement[bool]],
    backwards: bool,
) -> list[UUID] | None:
    """What passes on both sides of an account, each read along its own index; None for an account with many."""
    by = Transfer.id.asc() if backwards else Transfer.id.desc()
    sides = []
    for side in (Transfer.account_id, Transfer.counter_account_id):
        read = (
            sa.select(Transfer.id, sa.and_(sa.true(), *conditions).label("passes"))
            .where(side == account_id, *beyond)
            .order_by(by)
            .limit(REACH)
            .subquery()
        )
        sides.append(sa.select(read.c.id, read.c.passes))
    rows = session().execute(sa.union_all(*sides)).all()
    if len(rows) >= REACH:
        return None
    return sorted({row.id for row in rows if row.passes}, reverse=not backwards)


def find(
    chosen: TransferFilter,
    *,
    size: int,
    after: Sequence[Any] | None = None,
    backwards: bool = False,
    skip: int = 0,
) -> Page:
    """One page, newest first. `after` is the key of the row at the edge; `backwards` reads towards the newest."""
    # a plan for any client or amount would fit none of them
    session().execute(sa.text("SET LOCAL plan_cache_mode = force_custom_plan"))
    edge = UUID(str(after[0])) if after else None
    ids = _identifiers(chosen, edge=edge, backwards=backwards, wanted=size + 1, skip=skip)
    rows = read(ids[:size])
    if backwards:
        rows.reverse()
    return Page(rows, len(ids) > size)


def read(ids: Sequence[UUID]) -> list[Transfer]:
    """Transfers in the order of the ids; unknown ones are left out."""
    if not ids:
        return []
    known = {row.id: row for row in session().scalars(sa.select(Transfer).where(Transfer.id.in_(ids)))}
    return [known[one] for one in ids if one in known]


def count(chosen: TransferFilter) -> int:
    """How many pass. Walks them all: asked for only when somebody wants the number."""
    where = _everything(chosen)
    if where is None:
        return 0
    return session().scalar(sa.select(sa.func.count()).select_from(Transfer).where(*where)) or 0


@dataclass(frozen=True)
class Total:
    """Of one currency: amounts of different ones are never added."""

    currency: str
    count: int
    amount_minor: int


def totals(chosen: TransferFilter) -> list[Total]:
    """Count and sum by currency, the most numerous first."""
    where = _everything(chosen)
    if where is None:
        return []
    number = sa.func.count()
    rows = session().execute(
        sa.select(Transfer.currency, number, sa.func.sum(Transfer.amount_minor))
        .where(*where)
        .group_by(Transfer.currency)
        .order_by(number.desc(), Transfer.currency)
    )
    return [Total(currency, found, int(amount)) for currency, found, amount in rows]


def _everything(chosen: TransferFilter) -> list[sa.ColumnElement[bool]] | None:
    """All conditions, the text included; None where nothing can pass."""
    where = _conditions(chosen)
    if chosen.text.strip():
        identifier, tokens = _said(chosen)
        if identifier is not None:
            where.append(Transfer.id == identifier)
        elif tokens:
            where += _by_index(tokens)
        else:
            return None
    return where


#: rows of a stream that are in memory at once
STREAMED = 1_000


def stream(chosen: TransferFilter) -> Iterator[list[Transfer]]:
    """The whole list, some rows at a time; each part is a page of its own, so that nothing is held open."""
    after: list[Any] | None = None
    while True:
        page = find(chosen, size=STREAMED, after=after)
        if page.rows:
            yield page.rows
        if not page.more:
            return
        after = key_of(page.rows[-1])


def any_transfer() -> bool:
    """Whether there is one at all."""
    return session().scalar(sa.select(Transfer.id).limit(1)) is not None


def get(
    transfer_id: UUID, *, kind: Kind | None = None, client_id: UUID | None = None, told_to_clients: bool = False
) -> Transfer:
    """Raises NotFound `transferNotFound`, alike for another kind, for somebody else's and for what is not told."""
    query = sa.select(Transfer).where(Transfer.id == transfer_id)
    if kind is not None:
        query = query.where(Transfer.kind == kind.value)
    if client_id is not None:
        query = query.where(Transfer.client_id == client_id)
    if told_to_clients:
        query = query.where(_TOLD)
    found = session().scalar(query)
    if found is None:
        raise NotFound("There is no such transfer.", code="transferNotFound")
    return found


def by_ids(ids: Iterable[UUID]) -> dict[UUID, Transfer]:
    """Those that exist, in one query."""
    wanted = set(ids)
    if not wanted:
        return {}
    return {one.id: one for one in session().scalars(sa.select(Transfer).where(Transfer.id.in_(wanted)))}


def related_to(transfer: Transfer) -> list[Transfer]:
    """What it answers, and what answers it, oldest first."""
    same = [Transfer.related_id == transfer.id]
    if transfer.related_id is not None:
        same.append(Transfer.id == transfer.related_id)
    return list(session().scalars(sa.select(Transfer).where(sa.or_(*same)).order_by(Transfer.id)))


def latest_of_client(client_id: UUID, limit: int) -> list[Transfer]:
    """The last transfers of a client."""
    return find(TransferFilter(clients=(client_id,)), size=limit).rows


@dataclass(frozen=True)
class Turn:
    """What a client moved in a currency one way, in minor units."""

    kind: str
    currency: str
    count: int
    amount_minor: int


def turnover(client_id: UUID, since: datetime) -> list[Turn]:
    """Completed transfers of a client since a moment, summed by way and currency."""
    where = _conditions(TransferFilter(clients=(client_id,), statuses=(Status.COMPLETED,), created_from=since))
    number = sa.func.count()
    rows = session().execute(
        sa.select(Transfer.kind, Transfer.currency, number, sa.func.sum(Transfer.amount_minor))
        .where(*where)
        .group_by(Transfer.kind, Transfer.currency)
        .order_by(Transfer.currency, Transfer.kind)
    )
    return [Turn(kind, currency, count, int(amount)) for kind, currency, count, amount in rows]


def with_reference(text: str) -> list[UUID]:
    """Transfers that have exactly this identifier, end-to-end id or reference of a provider; two at most: more than
    one is a list."""
    said = text.strip()
    if not said or len(said) > LONGEST_REFERENCE:
        return []
    identifier = _as_uuid(said)
    ways = [
        sa.select(Transfer.id).where(Transfer.provider_reference == said),
        sa.select(Transfer.id).where(Transfer.kind == Kind.OUTGOING.value, Transfer.end_to_end_id == said),
        *([sa.select(Transfer.id).where(Transfer.id == identifier)] if identifier else []),
    ]
    return list(session().scalars(sa.select(sa.union(*ways).subquery().c.id).limit(2)))


def any_of_amount(amount: Decimal) -> bool:
    """Whether a transfer is of exactly this amount, in any currency."""
    exactly = TransferFilter(amount_from=amount, amount_to=amount)
    return session().scalar(sa.select(Transfer.id).where(*_amounts(exactly)).limit(1)) is not None
