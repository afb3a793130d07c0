"""Items of the queues in words: whom each is about, why it is there, who has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.clients import queries as clients
from dashboard.clients.blocks import BlockView, as_seen
from dashboard.clients.models import ClientBlock, ClientFlag
from dashboard.clients.vocabulary import FLAGS, FlagCode, Severity
from dashboard.database import session
from dashboard.home.handed_over import Asked, asked_about
from dashboard.queues.models import QueueItem
from dashboard.staff import queries as staff


class Queue(NamedTuple):
    """`label` heads a page, `one` names a single item. `empty` says what an empty queue means."""

    label: str
    one: str
    empty: str


QUEUES = {
    "client-review": Queue("Client review", "Client review", "No client has an open doubt."),
    "activation": Queue("Activation", "Activation", "No client is ready to be activated."),
    "block-review": Queue("Block reviews", "Block review", "No block needs a review."),
}
CLIENT_QUEUES = tuple(QUEUES)

#: causes other than flags, in words
CAUSES = {
    "flags": "Open flags",
    "ready": "Ready to activate",
    "review": "Review the block",
    "state-reason": "State the reason",
    "str-hold": "STR hold ends",
}


@dataclass(frozen=True)
class WorkRow:
    """`note` says in the row what became of it when somebody else was faster."""

    id: UUID
    queue: str
    client_id: UUID | None
    about: str
    block: BlockView | None
    why: str
    opened_at: datetime
    due_at: datetime
    assignee: str | None
    mine: bool
    closed: bool
    #: what has been asked already, and by whom
    asked: str | None = None
    note: str | None = None


def _flags(client_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    """Open doubts of these clients in words, the heaviest first; what needs nobody is left out."""
    if not client_ids:
        return {}
    rows = session().execute(
        sa.select(ClientFlag.client_id, ClientFlag.code)
        .where(
            ClientFlag.client_id.in_(client_ids),
            ClientFlag.closed_at.is_(None),
            ClientFlag.severity >= Severity.CHECK.value,
        )
        .order_by(ClientFlag.severity.desc(), ClientFlag.id)
    )
    found: dict[UUID, list[str]] = {}
    for client_id, code in rows:
        words = found.setdefault(client_id, [])
        label = FLAGS[FlagCode(code)][1]
        if label not in words:
            words.append(label)
    return found


def _blocks(ids: Sequence[UUID], actor: Actor) -> dict[UUID, BlockView]:
    if not ids:
        return {}
    stored = session().scalars(sa.select(ClientBlock).where(ClientBlock.id.in_(ids)))
    return {block.id: as_seen(block, sees_restricted=actor.sees_restricted) for block in stored}


def _why(item: QueueItem, flags: dict[UUID, list[str]]) -> str:
    if item.cause == "flags" and item.client_id in flags:
        first, *rest = flags[item.client_id]
        return ", ".join([first, *(word[:1].lower() + word[1:] for word in rest)])
    return CAUSES.get(item.cause, item.cause)


def _asked(request: Asked | None) -> str | None:
    if request is None:
        return None
    return f"asked by {'you' if request.by_me else request.name}, waits for approval"


def rows(
    items: Sequence[QueueItem], *, actor: Actor, note: str | None = None, with_blocks: bool = True
) -> list[WorkRow]:
    """Rows for this reader, in at most five queries. `note` is said in each; `with_blocks` says which block it is."""
    known = clients.by_ids([item.client_id for item in items if item.client_id is not None])
    flags = _flags([item.client_id for item in items if item.cause == "flags" and item.client_id is not None])
    about_blocks = [item.object_id for item in items if with_blocks and item.object_type == "client_block"]
    blocks = _blocks(about_blocks, actor)
    people = staff.names(item.assignee_id for item in items if item.assignee_id != actor.id)
    requests = asked_about(items, actor)
    found = []
    for item in items:
        client = known.get(item.client_id) if item.client_id else None
        mine = item.assignee_id is not None and item.assignee_id == actor.id
        found.append(
            WorkRow(
                id=item.id,
                queue=item.queue,
                client_id=item.client_id,
                about=client.name if client else "",
                block=blocks.get(item.object_id),
                why=_why(item, flags),
                opened_at=item.opened_at,
                due_at=item.due_at,
                assignee="you" if mine else people.get(item.assignee_id) if item.assignee_id else None,
                mine=mine,
                closed=item.closed_at is not None,
                asked=_asked(requests.get(item.id)),
                note=note,
            )
        )
    return found
