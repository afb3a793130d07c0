"""Activation by hand, without completed KYC: two people. Nothing activates while a block or a prohibition stands."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from dashboard.access.actor import Actor
from dashboard.approvals import services as approvals
from dashboard.approvals.models import ApprovalRequest
from dashboard.audit import services as audit
from dashboard.clients import queries
from dashboard.clients.models import Client
from dashboard.clients.services.lock import locked
from dashboard.clients.services.marks import sanctions_mark_stands
from dashboard.clients.services.upkeep import after_change
from dashboard.clients.vocabulary import Risk, Severity, Status
from dashboard.errors import Refused

KIND = "client.activate"


#: what every restricted obstacle reads as without `clients:read-restricted`
MASKED_OBSTACLE = "An internal reason stands against it."


def activation_obstacle(client: Client, *, sees_restricted: bool = False) -> str | None:
    """Why this client cannot be activated now, in words; None when it can be asked for.

    `sees_restricted` is the reader's: without it the words may be stored and shown to anybody.
    """
    if client.status == Status.ACTIVE:
        return "This client is active already."
    if client.status == Status.BLOCKED:
        return "A block stands. Lift it first."
    if client.status == Status.CLOSED:
        return "A closed client stays closed."
    if client.risk_level == Risk.PROHIBITED:
        return "The risk is prohibited. Lower it first."
    if client.worst_flag == Severity.STOP:
        known = queries.flags_of(client.id, sees_restricted=sees_restricted)
        if not any(flag.severity == Severity.STOP for flag in known):
            return MASKED_OBSTACLE
        return "A flag of severity stop is open. Settle it first."
    if sanctions_mark_stands(client.id):
        return "A sanctions mark stands. End it first: that takes two people." if sees_restricted else MASKED_OBSTACLE
    return None


def _refuse_obstacle(client: Client, by: Actor) -> None:
    obstacle = activation_obstacle(client, sees_restricted=by.sees_restricted)
    if obstacle:
        raise Refused(obstacle, code="cannotActivate")


def ask_to_activate(client_id: UUID, *, reason: str, by: Actor) -> ApprovalRequest:
    """Open the request. Raises NotFound, Refused (an obstacle stands), Invalid, Conflict (asked already)."""
    client = locked(client_id)
    _refuse_obstacle(client, by)
    return approvals.request(
        KIND,
        object_type="client",
        object_id=client.id,
        client_id=client.id,
        subject=client.name,
        payload={},
        before={"status": client.status},
        after={"status": Status.ACTIVE.value},
        reason=reason,
        # free words of compliance may tell why: they are restricted like the reason of a block
        restricted=True,
        by=by,
    )


def fingerprint(request: ApprovalRequest) -> dict[str, Any]:
    """Locks the client; what must not have changed since the request."""
    client = locked(request.object_id)
    return {"version": client.version, "status": client.status}


def activate(request: ApprovalRequest, by: Actor) -> None:
    """The verb behind an approved request."""
    client = locked(request.object_id)
    _refuse_obstacle(client, by)
    client.status = Status.ACTIVE.value
    client.activation_approval_id = request.id
    client.version += 1
    audit.record(
        "client.activated",
        by=by,
        object_type="client",
        object_id=client.id,
        client_id=client.id,
        before={"status": Status.INACTIVE.value},
        after={"status": client.status},
        restricted={"reason": request.reason},
    )
    after_change(client, by=by, profile=False)
