"""Lifting a block: asked by one person, decided by another. A token lifts only what it placed itself."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit import services as audit
from dashboard.clients.models import Client, ClientBlock
from dashboard.clients.services.activate import MASKED_OBSTACLE
from dashboard.clients.services.block import status_in_words
from dashboard.clients.services.freeze import apply_freeze
from dashboard.clients.services.lock import active_blocks, locked
from dashboard.clients.services.marks import sanctions_mark_stands
from dashboard.clients.services.upkeep import refresh_queues
from dashboard.clients.vocabulary import HUMAN_DECISION, BlockCode, Risk, Status
from dashboard.database import session
from dashboard.errors import Conflict, NotFound, Refused
from dashboard.queues import services as queues

KIND = "client.unblock"
MARK_STANDS = "This block stands while the sanctions mark stands. End the mark first."


def outcome(client: Client, standing: list[ClientBlock], lifted: ClientBlock) -> tuple[str, str]:
    """The status in words before and after one block is lifted."""
    rest = [b.scope for b in standing if b.id != lifted.id]
    before = status_in_words(client.status, [b.scope for b in standing])
    after = status_in_words(client.status if rest else client.status_before_block or Status.INACTIVE.value, rest)
    return before, after


def _held_by_mark(client: Client, standing: list[ClientBlock], stored: ClientBlock) -> bool:
    """Whether a sanctions mark stands that this block may not be lifted past. Restricted knowledge."""
    last = all(b.id == stored.id for b in standing)
    held = stored.code == BlockCode.SANCTIONS or (last and client.status_before_block == Status.ACTIVE)
    return held and sanctions_mark_stands(client.id)


def lift_obstacle(block_id: UUID, *, sees_restricted: bool) -> str | None:
    """Why this block cannot be lifted now, in words, as this reader may know it; None when it can be asked for."""
    stored = session().get(ClientBlock, block_id)
    if stored is None or stored.lifted_at is not None:
        return None
    client = session().get_one(Client, stored.client_id)
    if not _held_by_mark(client, active_blocks(client.id), stored):
        return None
    return MARK_STANDS if sees_restricted else MASKED_OBSTACLE


def ask_to_unblock(block_id: UUID, *, reason: str, by: Actor) -> ApprovalRequest:
    """Ask to lift one block.

    Raises NotFound, Conflict (lifted, or asked already), Refused (a sanctions mark stands), Invalid (no reason).
    """
    stored = session().get(ClientBlock, block_id)
    if stored is None:
        raise NotFound("There is no such block.")
    client = locked(stored.client_id)
    standing = active_blocks(client.id)
    session().refresh(stored)
    if stored.lifted_at is not None:
        raise Conflict("This block has been lifted meanwhile.", code="alreadyLifted")
    obstacle = lift_obstacle(block_id, sees_restricted=by.sees_restricted)
    if obstacle:
        raise Refused(obstacle, code="cannotLift")
    before, after = outcome(client, standing, stored)
    return approvals.request(
        KIND,
        object_type="client_block",
        object_id=stored.id,
        client_id=client.id,
        subject=client.name,
        payload={"block_id": str(stored.id), "scope": stored.scope},
        before={"status": before},
        after={"status": after},
        reason=reason,
        restricted=True,
        by=by,
    )


def fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """Locks the client; what must not have changed since the request. Lifting another block is no such change."""
    stored = session().get(ClientBlock, request.object_id)
    assert stored is not None  # blocks are never deleted
    client = locked(stored.client_id)
    session().refresh(stored)
    return {"version": client.version, "lifted": stored.lifted_at is not None, "code": stored.code}


def _lift(client: Client, stored: ClientBlock, *, by: Actor, request: ApprovalRequest | None) -> None:
    standing = active_blocks(client.id)
    before, after = outcome(client, standing, stored)
    last = all(b.id == stored.id for b in standing)
    if client.risk_level == Risk.PROHIBITED and (
        stored.code == BlockCode.RISK_PROHIBITED or (last and client.status_before_block == Status.ACTIVE)
    ):
        raise Refused("This block stands while the risk is prohibited. Lower the risk first.", code="riskProhibited")
    if _held_by_mark(client, standing, stored):
        if not by.sees_restricted:
            raise Refused("Only people can lift this block.", code="humanDecisionRequired")
        raise Refused(MARK_STANDS, code="sanctionsMark")
    moment = clock.now()
    stored.lifted_at = moment
    stored.lifted_by_kind = by.kind
    stored.lifted_by_id = by.id
    stored.lifted_by_name = by.name
    stored.lift_approval_id = request.id if request else None
    session().flush()
    if last:
        client.status, client.status_before_block = client.status_before_block or Status.INACTIVE.value, None
    client.updated_at = moment
    session().flush()
    apply_freeze(client.id)
    queues.close_items("block-review", object_id=stored.id, by=by)
    refresh_queues(client, by=by)
    audit.record(
        "client.unblocked",
        by=by,
        object_type="client_block",
        object_id=stored.id,
        client_id=client.id,
        before={"status": before},
        after={"status": after},
        restricted={
            "code": stored.code,
            "reason": request.reason if request else None,
            "asked_by": request.maker_name if request else None,
        },
    )


def unblock(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved request."""
    stored = session().get(ClientBlock, request.object_id)
    assert stored is not None
    client = locked(stored.client_id)
    session().refresh(stored)
    if stored.lifted_at is not None:
        raise Conflict("This block has been lifted meanwhile.", code="alreadyLifted")
    _lift(client, stored, by=by, request=request)


def lift_own(client_id: UUID, *, by: Actor) -> Client:
    """A token with scope clients:unblock lifts the blocks that it placed; others stay, and are not named.

    Raises NotFound; Refused `humanDecisionRequired` when one of its own has a code that only people may lift:
    then none is lifted.
    """
    by.require(Permission.CLIENTS_UNBLOCK)
    client = locked(client_id)
    own = [
        b
        for b in active_blocks(client.id)
        # whose reason a person has stated is theirs to lift: every code answers alike, so none can be guessed
        if b.placed_by_kind == "token" and b.placed_by_id == by.token_id and b.stated_by_id is None
    ]
    if any(BlockCode(b.code) in HUMAN_DECISION for b in own):
        raise Refused("Only people can lift this block.", code="humanDecisionRequired")
    for stored in own:
        _lift(client, stored, by=by, request=None)
        approvals.close_as_stale(KIND, stored.id)
    return client
