"""Marks as one reader may see them: one of sanctions does not exist for whoever may not see reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.approvals.kinds import Detail, Line, Link
from dashboard.approvals.models import ApprovalRequest
from dashboard.clients.models import ClientMark
from dashboard.clients.vocabulary import MARK_LABELS, MarkKind
from dashboard.database import session


@dataclass(frozen=True)
class MarkView:
    """A mark. Words that only `clients:read-restricted` may see are None without it."""

    id: UUID
    kind: MarkKind
    label: str
    about: str | None
    list_name: str
    list_version: str | None
    said_by: str | None
    reference: str | None
    comment: str | None
    opened_at: datetime
    opened_by_name: str
    ended_at: datetime | None
    ended_by_name: str | None
    ending_reason: str | None

    @property
    def sanctions(self) -> bool:
        return self.kind is MarkKind.SANCTIONS

    @property
    def source(self) -> str:
        """`EU consolidated list, 2026-11-02`."""
        return ", ".join(filter(None, (self.list_name, self.list_version)))


def as_seen(mark: ClientMark, *, sees_restricted: bool) -> MarkView | None:
    """The only way from a stored mark to anything shown; None where this reader may not know of it."""
    kind = MarkKind(mark.kind)
    if kind is MarkKind.SANCTIONS and not sees_restricted:
        return None
    return MarkView(
        id=mark.id,
        kind=kind,
        label=MARK_LABELS[kind],
        about=mark.about,
        list_name=mark.list_name,
        list_version=mark.list_version,
        said_by=mark.said_by if sees_restricted else None,
        reference=mark.reference if sees_restricted else None,
        comment=mark.comment if sees_restricted else None,
        opened_at=mark.opened_at,
        opened_by_name=mark.opened_by_name,
        ended_at=mark.ended_at,
        ended_by_name=mark.ended_by_name,
        ending_reason=mark.ending_reason if sees_restricted else None,
    )


def marks_of(client_id: UUID, *, actor: Actor, open_only: bool = True) -> list[MarkView]:
    """Marks of a client: those that stand first, then the newest."""
    query = (
        sa.select(ClientMark)
        .where(ClientMark.client_id == client_id)
        .order_by(ClientMark.ended_at.is_not(None), ClientMark.id.desc())
    )
    if open_only:
        query = query.where(ClientMark.ended_at.is_(None))
    seen = (as_seen(mark, sees_restricted=actor.sees_restricted) for mark in session().scalars(query))
    return [mark for mark in seen if mark is not None]


def details(requests: Sequence[ApprovalRequest], actor: Actor) -> dict[UUID, Detail]:
    """Which mark a request would end."""
    asked = {request.object_id for request in requests}
    marks = {mark.id: mark for mark in session().scalars(sa.select(ClientMark).where(ClientMark.id.in_(asked)))}
    found = {}
    for request in requests:
        mark = as_seen(marks[request.object_id], sees_restricted=actor.sees_restricted)
        if mark is None:
            continue
        lines = [
            Line("Mark", (f"{mark.source} · about {mark.about or 'the client itself'} · since ", mark.opened_at)),
            Line("Said by", (mark.said_by or "",)),
            *([Line("Comment", (f"“{mark.comment}”",))] if mark.comment else []),
            Line("Stays", ("The block that came with the mark; it is lifted on its own",)),
        ]
        link = Link("Risk and marks", f"/clients/{request.client_id}/risk")
        found[request.id] = Detail(mark.source, tuple(lines), (link,))
    return found
