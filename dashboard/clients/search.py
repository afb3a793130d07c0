"""Finding clients: filters that combine, keyset paging, and text search that stays fast for rare and common words.

Text is searched in two steps. A *walk* reads the newest (or first by name) rows that pass the other filters and
keeps those that match: for a common word the page is full after a few hundred rows. When the walk does not fill
the page the word is rare, and the trigram index gives its few matches, materialized before they are ordered
(ordering over a trigram filter can make the planner walk the date index instead; docs/adr/0004).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import aliased

from dashboard.clients.folding import trigrams_of, words
from dashboard.clients.models import Client, ClientFlag
from dashboard.clients.queries import flagged_at_least, open_to_all
from dashboard.database import session

Sort = Literal["created", "name"]

#: rows the walk reads before it gives way to the index. In the order of creation neighbours lie on one disk page; by
#: name each row costs a page of its own. About here both ways cost the same among a million clients (make bench).
WALK: dict[Sort, int] = {"created": 8000, "name": 3000}
LONGEST_TEXT = 200
#: rows of a part of the whole list
STREAMED = 1_000
MOST_WORDS = 8


@dataclass(frozen=True)
class ClientFilter:
    """What to show. Empty means any. Dates are calendar days in the institution's zone, both included."""

    text: str = ""
    statuses: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    risks: tuple[int, ...] = ()
    countries: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    #: open flags of at least this severity (1 info, 2 check, 3 stop); 0 any client
    severity: int = 0
    created_from: date | None = None
    created_to: date | None = None
    #: the reader's; without it nobody is found by a flag that is restricted
    sees_restricted: bool = False

    def as_json(self) -> dict[str, Any]:
        """What a cursor is bound to."""
        return {
            "text": self.text,
            "statuses": sorted(self.statuses),
            "types": sorted(self.types),
            "risks": sorted(self.risks),
            "countries": sorted(self.countries),
            "flags": sorted(self.flags),
            "severity": self.severity,
            "created": [str(self.created_from), str(self.created_to)],
            "restricted": self.sees_restricted,
        }

    @property
    def set_count(self) -> int:
        """How many filters are set."""
        values = (self.text, self.statuses, self.types, self.risks, self.countries, self.flags, self.severity)
        return sum(bool(value) for value in values) + bool(self.created_from or self.created_to)


@dataclass(frozen=True)
class Order:
    sort: Sort = "created"
    descending: bool = True

    def key_of(self, row: Client) -> list[Any]:
        """The sort key of a row, JSON-ready: what a cursor holds."""
        first = row.created_at.isoformat() if self.sort == "created" else row.name_key
        return [first, str(row.id)]


@dataclass(frozen=True)
class Page:
    """`more`: there are rows beyond the end in the direction of reading."""

    rows: list[Client]
    more: bool


def _parsed(order: Order, key: Sequence[Any]) -> tuple[Any, UUID]:
    first = datetime.fromisoformat(key[0]) if order.sort == "created" else str(key[0])
    return first, UUID(key[1])


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None


def _conditions(chosen: ClientFilter, zone: ZoneInfo) -> list[sa.ColumnElement[bool]]:
    # what is left of a purged client is no longer somebody
    found: list[sa.ColumnElement[bool]] = [Client.purged_at.is_(None)]
    if chosen.statuses:
        found.append(Client.status.in_(chosen.statuses))
    if chosen.types:
        found.append(Client.type.in_(chosen.types))
    if chosen.risks:
        found.append(Client.risk_level.in_(chosen.risks))
    if chosen.countries:
        found.append(Client.country.in_(chosen.countries))
    if chosen.severity:
        found.append(flagged_at_least(chosen.severity, sees_restricted=chosen.sees_restricted))
    if chosen.flags:
        flagged = sa.select(ClientFlag.client_id).where(
            ClientFlag.client_id == Client.id, ClientFlag.code.in_(chosen.flags), ClientFlag.closed_at.is_(None)
        )
        if not chosen.sees_restricted:
            flagged = flagged.where(open_to_all())
        found.append(flagged.exists())
    if chosen.created_from:
        found.append(Client.created_at >= datetime.combine(chosen.created_from, time(), zone))
    if chosen.created_to:
        found.append(Client.created_at < datetime.combine(chosen.created_to + timedelta(days=1), time(), zone))
    return found


def _matches(tokens: Sequence[str]) -> sa.ColumnElement[bool]:
    """The exact test behind the trigrams: a long word anywhere, a short one at the beginning of a word."""
    tests = []
    for token in tokens:
        if len(token) >= 3:
            tests.append(Client.search_text.contains(token, autoescape=True))
        else:
            tests.append((sa.literal(" ") + Client.search_text).contains(f" {token}", autoescape=True))
    return sa.and_(*tests)


def _sort_columns(order: Order, of: type[Client] = Client) -> tuple[sa.ColumnElement[Any], sa.ColumnElement[Any]]:
    first = of.created_at if order.sort == "created" else of.name_key
    return first, of.id  # type: ignore[return-value]


def _by(order: Order, backwards: bool, of: type[Client] = Client) -> list[sa.ColumnElement[Any]]:
    """ORDER BY in the direction of reading; `of` is the client's table or an alias of it."""
    descending = order.descending != backwards
    return [column.desc() if descending else column.asc() for column in _sort_columns(order, of)]


def _after(order: Order, key: Sequence[Any] | None, backwards: bool) -> list[sa.ColumnElement[bool]]:
    if key is None:
        return []
    edge = sa.tuple_(*(sa.literal(value) for value in _parsed(order, key)))
    row = sa.tuple_(*_sort_columns(order))
    return [row < edge if order.descending != backwards else row > edge]


def find(
    chosen: ClientFilter,
    *,
    order: Order,
    zone: ZoneInfo,
    size: int,
    after: Sequence[Any] | None = None,
    backwards: bool = False,
) -> Page:
    """One page. `after` is the sort key of the row at the edge; `backwards` reads towards the beginning.

    Rows always come in the list's own order.
    """
    by = partial(_by, order, backwards)
    where = [*_conditions(chosen, zone), *_after(order, after, backwards)]
    wanted = size + 1
    text = chosen.text.strip()[:LONGEST_TEXT]
    if not text:
        rows = _rows(sa.select(Client).where(*where).order_by(*by()).limit(wanted))
    else:
        identifier = _as_uuid(text)
        rows = _rows(sa.select(Client).where(Client.id == identifier, *where)) if identifier else []
        tokens = words(text)[:MOST_WORDS]
        # a partner's external id may be a UUID as well
        if not rows and tokens:
            rows = _by_text(tokens, where, by, wanted, reach=WALK[order.sort])
    more = len(rows) > size
    rows = rows[:size]
    if backwards:
        rows.reverse()
    return Page(rows, more)


def _rows(query: sa.Select[Any]) -> list[Client]:
    return list(session().scalars(query))


def _by_text(
    tokens: Sequence[str],
    where: Sequence[sa.ColumnElement[bool]],
    by: Callable[..., list[sa.ColumnElement[Any]]],
    wanted: int,
    *,
    reach: int,
) -> list[Client]:
    # the walk: its own limit bounds the reading, and it stops as soon as the page is full
    read = sa.select(Client, _matches(tokens).label("matches")).where(*where).order_by(*by()).limit(reach).subquery()
    walked = aliased(Client, read)
    rows = _rows(sa.select(walked).where(read.c.matches).order_by(*by(walked)).limit(wanted))
    if len(rows) == wanted:
        return rows
    # the index: OFFSET 0 is PostgreSQL's fence, the matches are gathered first and only then ordered
    gathered = aliased(Client, sa.select(Client).where(*_by_index(tokens), *where).offset(0).subquery())
    return _rows(sa.select(gathered).order_by(*by(gathered)).limit(wanted))


def _by_index(tokens: Sequence[str]) -> list[sa.ColumnElement[bool]]:
    """The indexed test and the exact one."""
    grams = sorted({gram for token in tokens for gram in trigrams_of(token)})
    trigrams = sa.func.trigrams(Client.search_text, type_=postgresql.ARRAY(sa.Text))
    return [trigrams.contains(sa.cast(grams, postgresql.ARRAY(sa.Text))), _matches(tokens)]


def every(chosen: ClientFilter, *, order: Order, zone: ZoneInfo) -> Iterator[Sequence[Client]]:
    """All of them in the list's order, a part at a time, from a cursor of the server."""
    where = _conditions(chosen, zone)
    text = chosen.text.strip()[:LONGEST_TEXT]
    query = sa.select(Client).where(*where).order_by(*_by(order, False))
    if text:
        identifier, tokens = _as_uuid(text), words(text)[:MOST_WORDS]
        named = [Client.id == identifier, *where] if identifier is not None else []
        if named and session().scalar(sa.select(Client.id).where(*named)) is not None:
            query = sa.select(Client).where(*named)
        elif not tokens:
            return
        else:
            # as in `_by_text`: the matches are gathered first and only then ordered
            found = aliased(Client, sa.select(Client).where(*_by_index(tokens), *where).offset(0).subquery())
            query = sa.select(found).order_by(*_by(order, False, found))
    yield from session().scalars(query.execution_options(yield_per=STREAMED)).partitions()


def count(chosen: ClientFilter, *, zone: ZoneInfo) -> int:
    """How many clients pass. Walks them all: asked for only when somebody wants the number."""
    where = _conditions(chosen, zone)
    text = chosen.text.strip()[:LONGEST_TEXT]
    if text:
        identifier = _as_uuid(text)
        tokens = words(text)[:MOST_WORDS]
        if identifier is not None and session().get(Client, identifier) is not None:
            where.append(Client.id == identifier)
        elif not tokens:
            return 0
        else:
            where += _by_index(tokens)
    return session().scalar(sa.select(sa.func.count()).select_from(Client).where(*where)) or 0
