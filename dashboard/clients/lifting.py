"""What a request to lift a block is about and what it would change, read without locks for a whole list at once."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.approvals.kinds import Detail, Line, Outcome
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit.models import AuditEvent, AuditPayload
from dashboard.clients import queries
from dashboard.clients.blocks import BlockView, as_seen, effective_in_words
from dashboard.clients.models import ClientBlock
from dashboard.clients.services.unblock import outcome
from dashboard.database import session


def _blocks(requests: Sequence[ApprovalRequest]) -> tuple[dict[UUID, ClientBlock], dict[UUID, list[ClientBlock]]]:
    """The blocks asked about by their id, and all that stand by client, oldest first; one query."""
    asked = {request.object_id for request in requests}
    open_of = {request.client_id for request in requests if request.state in {"requested", "approved"}}
    stands = ClientBlock.client_id.in_(open_of) & ClientBlock.lifted_at.is_(None)
    rows = session().scalars(
        sa.select(ClientBlock).where(ClientBlock.id.in_(asked) | stands).order_by(ClientBlock.id)
    )  # fmt: skip
    named: dict[UUID, ClientBlock] = {}
    standing: dict[UUID, list[ClientBlock]] = {}
    for block in rows:
        if block.id in asked:
            named[block.id] = block
        if block.lifted_at is None:
            standing.setdefault(block.client_id, []).append(block)
    return named, standing


def outcomes(requests: Sequence[ApprovalRequest]) -> dict[UUID, Outcome]:
    """Of open ones: the status now and after lifting. Of approved ones: what the lifting changed, by the evidence."""
    waiting = [request for request in requests if request.state == "requested"]
    approved = [request for request in requests if request.state == "approved"]
    found: dict[UUID, Outcome] = _lifted(approved) if approved else {}
    if not waiting:
        return found
    named, standing = _blocks(waiting)
    clients = queries.by_ids([block.client_id for block in named.values()])
    for request in waiting:
        block = named[request.object_id]
        if block.lifted_at is None:
            before, after = outcome(clients[block.client_id], standing[block.client_id], block)
            found[request.id] = {"status": before}, {"status": after}
    return found


def _lifted(approved: Sequence[ApprovalRequest]) -> dict[UUID, Outcome]:
    rows = session().execute(
        sa.select(AuditEvent.object_id, AuditPayload.before, AuditPayload.after)
        .join(AuditPayload, AuditPayload.event_id == AuditEvent.id)
        .where(
            AuditEvent.client_id.in_({request.client_id for request in approved}),
            AuditEvent.action == "client.unblocked",
            AuditEvent.object_id.in_({request.object_id for request in approved}),
        )
    )
    # a block is lifted once
    told = {row.object_id: (row.before or {}, row.after or {}) for row in rows}
    return {request.id: told[request.object_id] for request in approved if request.object_id in told}


def details(requests: Sequence[ApprovalRequest], actor: Actor) -> dict[UUID, Detail]:
    """Which block, and while it is open which ones stay; without the permission every reason reads alike."""
    named, standing = _blocks(requests)
    found = {}
    for request in requests:
        block = as_seen(named[request.object_id], sees_restricted=actor.sees_restricted)
        lines = [_line("Lift", block, actor)]
        if block.comment:
            lines.append(Line("Comment", (f"“{block.comment}”",)))
        if request.state == "requested":
            lines += [
                _line("Stays", as_seen(other, sees_restricted=actor.sees_restricted), actor)
                for other in standing.get(named[request.object_id].client_id, [])
                if other.id != block.id
            ]
        found[request.id] = Detail(f"{block.named} · {block.code_label}", tuple(lines))
    return found


def _line(label: str, block: BlockView, actor: Actor) -> Line:
    said = f"{block.scope_label} · {block.code_label} · since "
    return Line(label, (said, block.started_at, f" by {block.placed_by(actor.id)}"))


def closed(request: ApprovalRequest) -> str | None:
    """What became of it; None where the usual sentence is right: the last block went, or nothing was decided."""
    named, standing = _blocks([request])
    # scope and amount only: everybody may read them
    block = as_seen(named[request.object_id], sees_restricted=False)
    if request.state in {"rejected", "withdrawn"}:
        return f"Request to lift the {block.named} of {request.subject} {request.state}."
    rest = standing.get(named[request.object_id].client_id, [])
    if request.state != "approved" or not rest:
        return None
    count = "1 block" if len(rest) == 1 else f"{len(rest)} blocks"
    return f"Lifted: {block.named}. Still blocked: {effective_in_words(b.scope for b in rest)} ({count})."
