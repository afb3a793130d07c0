"""Incoming requests: lists that stay fast among millions, and one with all that belongs to it.

As with transfers, a page is walked along the index of one condition for some thousand rows; what is rare is gathered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from dashboard.audit.models import AuditEvent, AuditPayload
from dashboard.clients.folding import trigrams_of, words
from dashboard.database import session
from dashboard.errors import NotFound
from dashboard.transfers.models import IncomingCorrection, IncomingLink, IncomingRequest
from dashboard.transfers.services.incoming import linking
from dashboard.transfers.vocabulary import RequestState

#: rows that the walk reads at most
REACH = 5_000
MOST_WORDS = 8
SHORTEST_WORD = 3
#: links, reversals and doubtful twins that a page shows
MOST_RELATED = 20


@dataclass(frozen=True)
class RequestFilter:
    """All that is set must hold; None and empty mean any. `received_before` is not included."""

    provider: str | None = None
    state: RequestState | None = None
    source: str | None = None
    reversal: bool | None = None
    lacking: bool = False
    text: str = ""
    provider_reference: str | None = None
    received_from: datetime | None = None
    received_before: datetime | None = None


@dataclass(frozen=True)
class Page:
    """`more`: there are rows beyond the end in the direction of reading."""

    rows: list[IncomingRequest]
    more: bool


def findable(text: str) -> bool:
    """Whether a text holds a word that the index can find."""
    return any(len(word) >= SHORTEST_WORD for word in words(text))


def key_of(row: IncomingRequest) -> list[Any]:
    """The sort key, JSON-ready: what a cursor holds."""
    return [str(row.id)]


#: as the index spells it
_LACKING = sa.func.cardinality(IncomingRequest.missing) > sa.literal_column("0")


def _conditions(chosen: RequestFilter) -> list[sa.ColumnElement[bool]]:
    table = IncomingRequest
    found: list[sa.ColumnElement[bool]] = []
    for column, value in (
        (table.provider, chosen.provider),
        (table.state, chosen.state.value if chosen.state else None),
        (table.source, chosen.source),
        (table.provider_reference, chosen.provider_reference),
    ):
        if value is not None:
            found.append(column == value)
    # spelled as the indexes are
    if chosen.reversal is not None:
        found.append(table.reversal.is_(chosen.reversal))
    if chosen.lacking:
        found.append(_LACKING)
    if chosen.received_from is not None:
        found.append(table.created_at >= chosen.received_from)
    if chosen.received_before is not None:
        found.append(table.created_at < chosen.received_before)
    return found


def _along(chosen: RequestFilter) -> list[sa.ColumnElement[bool]]:
    """The condition whose index, in the order of the list, is walked: the most telling one."""
    table = IncomingRequest
    # both have an index that holds nothing else
    if chosen.lacking:
        return [_LACKING]
    if chosen.reversal:
        return [table.reversal.is_(True)]
    if chosen.state is not None and chosen.state not in (RequestState.PROCESSED, RequestState.LINKED):
        return [table.state == chosen.state.value]
    if chosen.provider is not None:
        return [table.provider == chosen.provider]
    if chosen.source is not None:
        return [table.source == chosen.source]
    if chosen.state is not None:
        return [table.state == chosen.state.value]
    return []


def _matches(tokens: Sequence[str]) -> sa.ColumnElement[bool]:
    """The exact test behind the trigrams: a long word anywhere, a short one at the beginning of a word."""
    text = IncomingRequest.search_text
    return sa.and_(
        *(
            text.contains(token, autoescape=True)
            if len(token) >= SHORTEST_WORD
            else (sa.literal(" ") + text).contains(f" {token}", autoescape=True)
            for token in tokens
        )
    )


def _by_index(tokens: Sequence[str]) -> list[sa.ColumnElement[bool]]:
    grams = sorted({gram for token in tokens for gram in trigrams_of(token)})
    cut = sa.func.trigrams(IncomingRequest.search_text, type_=postgresql.ARRAY(sa.Text))
    return [cut.contains(sa.cast(grams, postgresql.ARRAY(sa.Text))), _matches(tokens)]


def _identifiers(chosen: RequestFilter, *, edge: UUID | None, backwards: bool, wanted: int) -> list[UUID]:
    """Ids of the page in the direction of reading."""
    table = IncomingRequest
    beyond = [] if edge is None else [table.id > edge if backwards else table.id < edge]
    conditions = _conditions(chosen)
    tokens = words(chosen.text)[:MOST_WORDS]
    if chosen.text.strip() and not tokens:
        return []

    def gathered() -> list[UUID]:
        # OFFSET 0 is the planner's fence: the matches are gathered first and only then ordered
        indexed = _by_index(tokens) if tokens else []
        rows = sa.select(table.id).where(*conditions, *indexed, *beyond).offset(0).subquery()
        order = rows.c.id.asc() if backwards else rows.c.id.desc()
        return list(session().scalars(sa.select(rows.c.id).order_by(order).limit(wanted)))

    if chosen.provider_reference is not None:
        return gathered()
    passes = sa.and_(sa.true(), *conditions, *([_matches(tokens)] if tokens else [])).label("passes")
    by = table.id.asc() if backwards else table.id.desc()
    read = sa.select(table.id, passes).where(*_along(chosen), *beyond).order_by(by).limit(REACH).subquery()
    order = read.c.id.asc() if backwards else read.c.id.desc()
    nth = sa.func.row_number().over(order_by=order).label("nth")
    counted = sa.select(read.c.id, read.c.passes, nth).subquery()
    order = counted.c.id.asc() if backwards else counted.c.id.desc()
    rows = session().execute(
        sa.select(counted.c.id, counted.c.passes)
        .where(sa.or_(counted.c.passes, counted.c.nth == REACH))
        .order_by(order)
        .limit(wanted + 1)
    ).all()  # fmt: skip
    passing = [row.id for row in rows if row.passes][:wanted]
    # a last row that does not pass says that the walk ended before the list did
    ended_early = any(not row.passes for row in rows)
    return gathered() if len(passing) < wanted and ended_early else passing


def find(chosen: RequestFilter, *, size: int, after: Sequence[Any] | None = None, backwards: bool = False) -> Page:
    """One page, newest first. `after` is the key of the row at the edge; `backwards` reads towards the newest."""
    # a plan for any state would fit none of them
    session().execute(sa.text("SET LOCAL plan_cache_mode = force_custom_plan"))
    edge = UUID(str(after[0])) if after else None
    ids = _identifiers(chosen, edge=edge, backwards=backwards, wanted=size + 1)
    known = {
        row.id: row for row in session().scalars(sa.select(IncomingRequest).where(IncomingRequest.id.in_(ids[:size])))
    }
    rows = [known[one] for one in ids[:size] if one in known]
    if backwards:
        rows.reverse()
    return Page(rows, len(ids) > size)


def count(chosen: RequestFilter) -> int:
    """How many pass. Walks them all: asked for only when somebody wants the number."""
    tokens = words(chosen.text)[:MOST_WORDS]
    if chosen.text.strip() and not tokens:
        return 0
    conditions = [*_conditions(chosen), *(_by_index(tokens) if tokens else [])]
    return session().scalar(sa.select(sa.func.count()).select_from(IncomingRequest).where(*conditions)) or 0


def any_request() -> bool:
    return session().scalar(sa.select(IncomingRequest.id).limit(1)) is not None


def get(request_id: UUID) -> IncomingRequest:
    """Raises NotFound `requestNotFound`."""
    found = session().get(IncomingRequest, request_id)
    if found is None:
        raise NotFound("There is no such request.", code="requestNotFound")
    return found


@dataclass(frozen=True)
class Related:
    """What else was told of the same money. `firsts`: what this one repeats. `repeats`: what repeats this one.
    `reversals`: what takes it back, or of a reversal the credit that it takes back. `doubtful`: what may be the same.
    """

    firsts: list[IncomingRequest]
    repeats: list[IncomingRequest]
    reversals: list[IncomingRequest]
    doubtful: list[IncomingRequest]


def related(request: IncomingRequest) -> Related:
    """Oldest first, the first twenty of each."""
    table, link = IncomingRequest, IncomingLink
    newest = sa.select(table).order_by(table.id).limit(MOST_RELATED)
    reversals = (
        newest.where(table.transfer_id == request.transfer_id, table.reversal.is_(not request.reversal))
        if request.transfer_id
        else None
    )
    return Related(
        firsts=list(
            session().scalars(newest.join(link, link.first_id == table.id).where(link.request_id == request.id))
        ),
        repeats=list(
            session().scalars(newest.join(link, link.request_id == table.id).where(link.first_id == request.id))
        ),
        reversals=list(session().scalars(reversals)) if reversals is not None else [],
        doubtful=doubtful(request),
    )


def doubtful(request: IncomingRequest) -> list[IncomingRequest]:
    """Booked requests that a failed or waiting one may mean, for a person to choose from."""
    if request.state not in (RequestState.FAILED, RequestState.WAITING) or request.transfer_id is not None:
        return []
    return linking.candidates(request, reversal=False, whoever=request.reversal)[:MOST_RELATED]


def corrections_of(request_id: UUID) -> list[IncomingCorrection]:
    """Newest first."""
    return list(
        session().scalars(
            sa.select(IncomingCorrection)
            .where(IncomingCorrection.request_id == request_id)
            .order_by(IncomingCorrection.id.desc())
            .limit(MOST_RELATED)
        )
    )


@dataclass(frozen=True)
class Contradiction:
    """When the provider said something else under the same reference, and about what (names of the API)."""

    at: datetime
    source: str
    differs: tuple[str, ...]


def contradictions_of(request_id: UUID) -> list[Contradiction]:
    """Newest first."""
    rows = session().execute(
        sa.select(AuditEvent.occurred_at, AuditPayload.after)
        .outerjoin(AuditPayload, AuditPayload.event_id == AuditEvent.id)
        .where(
            AuditEvent.object_type == "incomingRequest",
            AuditEvent.object_id == request_id,
            AuditEvent.action == "incoming.contradicted",
        )
        .order_by(AuditEvent.id.desc())
        .limit(MOST_RELATED)
    )
    return [
        Contradiction(row.occurred_at, (row.after or {}).get("source", ""), tuple((row.after or {}).get("differs", ())))
        for row in rows
    ]
