"""Verification events as a file: its columns, and its rows as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from dashboard.onboarding.sumsub import badges, queries
from dashboard.onboarding.sumsub.queries import EventFilter
from dashboard.web.exports import Column, Kind, Row

_ANSWER = Column("answer", "Answer", share=0.8)
_COLUMNS = (
    Column("type", "Type"),
    Column("client", "Client", share=1.4),
    _ANSWER,
    Column("told_at", "At Sumsub", Kind.MOMENT),
    Column("received_at", "Received", Kind.MOMENT),
    Column("deliveries", "Delivered", Kind.NUMBER, share=0.4),
    Column("effect", "Effect", share=0.7),
    Column("source", "Told by", share=0.7),
    Column("applicant_id", "Applicant id", share=1.2),
    Column("client_id", "Client id", share=1.4),
    Column("event_id", "Event id", share=1.4),
)
#: rows of the stream that are in memory at once
STREAMED = 1_000


def columns(*, sees_restricted: bool) -> tuple[Column, ...]:
    """What a verification came to is left out for who may not know it."""
    return _COLUMNS if sees_restricted else tuple(column for column in _COLUMNS if column is not _ANSWER)


def rows(chosen: EventFilter, *, sees_restricted: bool) -> Iterator[Row]:
    """All rows of the list, newest first, read as they are taken."""
    before: UUID | None = None
    while True:
        found = queries.find(chosen, limit=STREAMED, before=before)
        for event, client_name in found:
            row = {
                "type": event.type or ("Refused body" if badges.state_of(event) == queries.REFUSED else None),
                "client": client_name,
                "told_at": event.told_at,
                "received_at": event.received_at,
                "deliveries": event.deliveries,
                "effect": badges.STATES[badges.state_of(event)].word,
                "source": badges.SOURCES[event.source],
                "applicant_id": event.applicant_id,
                "client_id": event.client_id,
                "event_id": event.id,
            }
            yield {**row, "answer": badges.answer_in_words(event)} if sees_restricted else row
        if len(found) < STREAMED:
            return
        before = found[-1].event.id
