"""Periodic reviews as a file: its columns, and its rows as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dashboard import clock
from dashboard.clients import reviewing
from dashboard.clients.calendar import calendar
from dashboard.clients.reviewing import ReviewFilter, ReviewRow
from dashboard.clients.vocabulary import Risk
from dashboard.staff import queries as staff
from dashboard.web.exports import Column, Kind, Row

COLUMNS = (
    Column("next_on", "Next review", Kind.DATE),
    Column("client", "Client", share=1.6),
    Column("type", "Type", share=0.6),
    Column("status", "Status", share=0.6),
    Column("risk", "Risk", share=0.6),
    Column("because", "Why then", share=1.4),
    Column("last_on", "Last review", Kind.DATE),
    Column("state", "State", share=0.8),
    Column("due_at", "Due", Kind.MOMENT),
    Column("assignee", "Assignee"),
    Column("client_id", "Client id", share=1.4),
)
#: rows of the stream that are in memory at once
STREAMED = 1_000


def state(row: ReviewRow) -> str:
    """One word for where a review stands: Restricted, Late, In the queue; empty while it is not due."""
    if row.plan.restricted_at is not None:
        return "Restricted"
    if row.plan.due_at is None:
        return ""
    return "Late" if row.plan.due_at < clock.now() else "In the queue"


def overdue(row: ReviewRow) -> str:
    """How long ago its day was, where that is long: `2 y 9 m`, `3 m`; empty within a month and before."""
    today, day = calendar().today(), row.plan.next_on
    if day is None:
        return ""
    months = (today.year - day.year) * 12 + today.month - day.month - (today.day < day.day)
    if months < 1:
        return ""
    years, rest = divmod(months, 12)
    return " ".join(filter(None, (f"{years} y" if years else "", f"{rest} m" if rest else "")))


def rows(chosen: ReviewFilter) -> Iterator[Row]:
    """All rows of the list, read as they are taken; each part is a page of its own."""
    after: list[Any] | None = None
    while True:
        page = reviewing.find(chosen, size=STREAMED, after=after)
        names = staff.names(row.assignee_id for row in page.rows)
        for row in page.rows:
            yield {
                "next_on": row.plan.next_on,
                "client": row.client.name,
                "type": row.client.type,
                "status": row.client.status,
                "risk": Risk(row.plan.risk_level).label,
                "because": row.because,
                "last_on": row.last_on,
                "state": state(row),
                "due_at": row.plan.due_at,
                "assignee": names.get(row.assignee_id) if row.assignee_id else None,
                "client_id": row.client.id,
            }
        if not page.more:
            return
        after = page.rows[-1].key
