"""What people do with a break: acknowledge, take, note, accept with evidence, reopen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals import services as approvals
from dashboard.approvals.kinds import Detail, Line, Link
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit import services as audit
from dashboard.database import session
from dashboard.errors import Conflict, NotFound, Refused
from dashboard.money import Money
from dashboard.queues import services as queues
from dashboard.queues.models import QueueItem
from dashboard.treasury.matching.models import OpenItem, ReconBreak, ReconMatch
from dashboard.treasury.matching.queries import evidence
from dashboard.treasury.matching.queries.rules import in_force
from dashboard.treasury.matching.services import matches, recording, signed_days
from dashboard.treasury.matching.services.matches import SHORTEST_ACCEPTANCE, reason_of
from dashboard.treasury.matching.services.places import locked
from dashboard.treasury.matching.services.recording import close, tell
from dashboard.treasury.matching.vocabulary import (
    ACCEPT,
    BREAK_LABELS,
    QUEUE,
    BreakKind,
    BreakState,
    Event,
    MatchState,
    Resolution,
)


def of(break_id: UUID) -> ReconBreak:
    """The break, its bank account locked before it. Raises NotFound, Conflict `matchingUnderWay`."""
    found = session().get(ReconBreak, break_id)
    if found is None:
        raise NotFound("There is no such break.", code="breakNotFound")
    locked(found.bank_account_id)
    return session().get_one(ReconBreak, break_id, with_for_update=True, populate_existing=True)


def _unresolved(break_id: UUID) -> ReconBreak:
    one = of(break_id)
    if one.state == BreakState.RESOLVED:
        raise Conflict("This break has been resolved meanwhile.", code="resolved",
                       details={"resolution": one.resolution})  # fmt: skip
    return one


def acknowledge(break_id: UUID, *, text: str | None = None, by: Actor) -> ReconBreak:
    """Somebody has seen it and looks after it. Raises NotFound, Forbidden, Conflict `acknowledged`, `resolved`."""
    by.require(Permission.TREASURY_WRITE)
    note = reason_of(text, field="text", wanted=False)
    one = _unresolved(break_id)
    if one.state == BreakState.ACKNOWLEDGED:
        raise Conflict("This break has been acknowledged already.", code="acknowledged")
    one.state = BreakState.ACKNOWLEDGED.value
    one.version += 1
    session().flush()
    tell(one, Event.ACKNOWLEDGED, by=by, text=note or None)
    audit.record("break.acknowledged", by=by, object_type="recon_break", object_id=one.id)
    return one


def note(break_id: UUID, *, text: str, by: Actor) -> None:
    """Add a sentence to its history, whatever its state. Raises NotFound, Forbidden, Invalid (field `text`)."""
    by.require(Permission.TREASURY_WRITE)
    said = reason_of(text, field="text")
    one = session().get(ReconBreak, break_id)
    if one is None:
        raise NotFound("There is no such break.", code="breakNotFound")
    tell(one, Event.NOTE, by=by, text=said)


def item_of(break_id: UUID) -> UUID | None:
    """Its open place in the queue."""
    return session().scalar(
        sa.select(QueueItem.id).where(
            QueueItem.queue == QUEUE, QueueItem.object_id == break_id, QueueItem.closed_at.is_(None)
        )
    )


def take(break_id: UUID, *, by: Actor) -> None:
    """Make it one's own. Raises NotFound, Forbidden, Conflict `taken`, `resolved`."""
    by.require(Permission.TREASURY_WRITE)
    one = _unresolved(break_id)
    item_id = item_of(break_id)
    if item_id is None:
        raise Conflict("This break waits for nobody.", code="settled")
    queues.take(item_id, by=by)
    tell(one, Event.TAKEN, by=by)


def release(break_id: UUID, *, by: Actor) -> None:
    """Give it back. Raises NotFound, Forbidden, Conflict `notYours`, `resolved`."""
    by.require(Permission.TREASURY_WRITE)
    one = _unresolved(break_id)
    item_id = item_of(break_id)
    if item_id is None:
        raise Conflict("This break waits for nobody.", code="settled")
    queues.release(item_id, by=by)
    tell(one, Event.RELEASED, by=by)


def stake(one: ReconBreak) -> int:
    """Minor units that are accepted with it: the difference, or what lies between two dates."""
    return abs(one.bank_minor or 0) if one.kind == BreakKind.WRONG_DATE else abs(one.difference_minor)


def subject_of(one: ReconBreak) -> str:
    """Missing in ledger, −4.50 PLN"""
    return f"{BREAK_LABELS[BreakKind(one.kind)]}, {Money(one.difference_minor, one.currency)}"


def accept(break_id: UUID, *, reason: str, by: Actor) -> ReconBreak | ApprovalRequest:
    """Let the difference stand, with what was seen kept as it is now. Up to the rules' limit one person is enough and
    the break is the answer; above it a second one is asked and the request is.

    Raises NotFound, Forbidden, Invalid (field `reason`), Conflict `resolved`, `alreadyRequested`.
    """
    by.require(Permission.TREASURY_WRITE)
    why = reason_of(reason, shortest=SHORTEST_ACCEPTANCE)
    one = _unresolved(break_id)
    limit = in_force().alone(one.currency)
    if stake(one) <= limit:
        _accept(one, why, limit=limit, by=by)
        return one
    request = approvals.request(
        ACCEPT,
        object_type="recon_break",
        object_id=one.id,
        client_id=None,
        subject=subject_of(one),
        payload={"reason": why},
        before={"break": "open"},
        after={"break": "accepted", "amount": str(Money(stake(one), one.currency))},
        reason=why,
        restricted=False,
        by=by,
    )
    tell(one, Event.ASKED, by=by, text=why, detail={"request": str(request.id), "to": "accept"})
    return request


def _accept(one: ReconBreak, why: str, *, by: Actor, limit: int | None = None, approval_id: UUID | None = None) -> None:
    close(
        one, Resolution.ACCEPTED, Event.ACCEPTED, text=why, detail=evidence.of_break(one), limit_minor=limit,
        approval_id=approval_id, by=by,
    )  # fmt: skip
    signed_days.break_changed(one, because=f"A break was accepted: {why}", by=by)
    audit.record("break.accepted", by=by, object_type="recon_break", object_id=one.id, reason=why)


def fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """The break is open and of the same rows and amounts."""
    one = of(request.object_id)
    return {
        "resolved": one.state == BreakState.RESOLVED, "line": str(one.line_id), "transaction": str(one.transaction_id),
        "bank": one.bank_minor, "ledger": one.ledger_minor, "kind": one.kind,
    }  # fmt: skip


def execute_accept(request: ApprovalRequest, by: Actor) -> None:
    """The second person lets it stand. Raises Conflict `resolved`."""
    _accept(_unresolved(request.object_id), request.payload["reason"], approval_id=request.id, by=by)


def dropped(request: ApprovalRequest, by: Actor) -> None:
    """A request about a break was closed without approval: its history tells so."""
    one = session().get(ReconBreak, request.object_id)
    if one is not None:
        tell(one, Event.DROPPED, by=by, text=request.decision_reason, detail={"state": request.state})


def details(requests: Sequence[ApprovalRequest], _actor: Actor) -> dict[UUID, Detail]:
    """Which break it is, with its address."""
    found = {
        one.id: one
        for one in session().scalars(
            sa.select(ReconBreak).where(ReconBreak.id.in_([request.object_id for request in requests]))
        )
    }
    answer = {}
    for request in requests:
        one = found.get(request.object_id)
        if one is None:
            continue
        lines = [Line("Break", (subject_of(one),))]
        if one.bank_minor is not None:
            lines.append(Line("Bank", (str(Money(one.bank_minor, one.currency)),)))
        if one.ledger_minor is not None:
            lines.append(Line("Ledger", (str(Money(one.ledger_minor, one.currency)),)))
        answer[request.id] = Detail("", tuple(lines), (Link("The break", f"/treasury/breaks/{one.id}"),))
    return answer


def reopen(break_id: UUID, *, because: str, by: Actor) -> ReconBreak:
    """Open a resolved break again; a match that had ended it is undone.

    Raises NotFound, Forbidden, Invalid (field `reason`), Conflict `notResolved`, Refused `nothingOpen`.
    """
    by.require(Permission.TREASURY_WRITE)
    why = reason_of(because)
    one = of(break_id)
    if one.state != BreakState.RESOLVED:
        raise Conflict("This break is open.", code="notResolved")
    if one.match_id is not None:
        match = session().get_one(ReconMatch, one.match_id, populate_existing=True)
        if match.state == MatchState.LIVE:
            matches.undo(match.id, because=why, by=by)
            return session().get_one(ReconBreak, break_id, populate_existing=True)
    rows = [item for item in (one.line_id, one.transaction_id) if item is not None]
    still = session().scalar(
        sa.select(sa.func.count())
        .select_from(OpenItem)
        .where(OpenItem.bank_account_id == one.bank_account_id, OpenItem.item_id.in_(rows))
    )
    if still != len(rows):
        raise Refused("Its rows are matched, or have gone: there is nothing open about it.", code="nothingOpen")
    recording.open_again(one, text=why, by=by)
    signed_days.break_changed(one, because=f"A break was reopened: {why}", by=by)
    audit.record("break.reopened", by=by, object_type="recon_break", object_id=one.id, reason=why)
    return one
