"""Lowering a risk takes two people; raising it takes one, here or as part of `update`."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from dashboard.access.actor import Actor, system
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit import services as audit
from dashboard.clients.models import Client
from dashboard.clients.services import risk_history
from dashboard.clients.services.block import block
from dashboard.clients.services.lock import active_blocks, locked
from dashboard.clients.services.upkeep import after_change
from dashboard.clients.vocabulary import BlockCode, Risk, Scope, Status
from dashboard.errors import Invalid, Refused

KIND = "client.lower-risk"


class LowersRisk(Refused):
    """A change would lower the risk: it must be asked for. Carries what the caller needs to ask."""

    code = "lowersRisk"

    def __init__(self, client_id: UUID, risk_level: int) -> None:
        super().__init__("Lowering a risk needs a second person.")
        self.client_id = client_id
        self.risk_level = risk_level


def ask_to_lower_risk(client_id: UUID, *, risk_level: int, reason: str, by: Actor) -> ApprovalRequest:
    """Open the request. Raises NotFound, Invalid (not lower, no reason), Conflict (asked already)."""
    client = locked(client_id)
    if risk_level not in set(Risk):
        raise Invalid.one("riskLevel", "Choose 0 (not set) to 4 (prohibited).", "range")
    if risk_level >= client.risk_level:
        raise Invalid.one("riskLevel", "This is not lower than the present risk.", "range")
    return approvals.request(
        KIND,
        object_type="client",
        object_id=client.id,
        client_id=client.id,
        subject=client.name,
        payload={"risk_level": int(risk_level)},
        before={"risk": Risk(client.risk_level).label},
        after={"risk": Risk(risk_level).label},
        reason=reason,
        # free words of compliance may tell why: they are restricted like the reason of a block
        restricted=True,
        by=by,
    )


def fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """Locks the client; what must not have changed since the request."""
    client = locked(request.object_id)
    return {"version": client.version, "risk_level": client.risk_level}


def lower_risk(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved request."""
    client = locked(request.object_id)
    before = client.risk_level
    risk_history.say(client.id, cause="lowered", reason=request.reason, by=by)
    client.risk_level = request.payload["risk_level"]
    client.risk_approval_id = request.id
    client.version += 1
    audit.record(
        "client.risk_lowered",
        by=by,
        object_type="client",
        object_id=client.id,
        client_id=client.id,
        before={"risk": Risk(before).label},
        after={"risk": Risk(client.risk_level).label},
        restricted={"reason": request.reason},
    )
    after_change(client, by=by, profile=False, cause="risk lowered by two people")


def raise_risk(
    client: Client, *, risk_level: int, reason: str, cause: risk_history.Cause = "raised", by: Actor
) -> None:
    """Raise the risk of a locked client: one person, at once. A prohibited one stops the debits of an active client.

    Raises Invalid for a level that is not higher.
    """
    if risk_level not in set(Risk) or risk_level <= client.risk_level:
        raise Invalid.one("riskLevel", "This is not higher than the present risk.", "range")
    before = client.risk_level
    if risk_level == Risk.PROHIBITED:
        block_prohibited(client)
    risk_history.say(client.id, cause=cause, reason=reason, by=by)
    client.risk_level = risk_level
    client.version += 1
    audit.record(
        "client.risk_raised",
        by=by,
        object_type="client",
        object_id=client.id,
        client_id=client.id,
        before={"risk": Risk(before).label},
        after={"risk": Risk(risk_level).label},
        restricted={"reason": reason},
    )
    after_change(client, by=by, profile=False, cause="risk raised")


def block_prohibited(client: Client) -> None:
    """A prohibited risk stops the debits of a client that is, or was before its blocks, active.

    The house places this block, so that neither a token nor a colleague's own block stands for it.
    """
    was_active = Status.ACTIVE in {client.status, client.status_before_block}
    if was_active and not any(b.code == BlockCode.RISK_PROHIBITED for b in active_blocks(client.id)):
        block(
            client.id,
            scope=Scope.DEBIT,
            code=BlockCode.RISK_PROHIBITED,
            comment="The risk was set to prohibited.",
            by=system("risk rule"),
        )
