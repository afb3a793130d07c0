"""Above the limit: assigning, returning, undoing; and rules that post by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from dashboard.access.actor import Actor
from dashboard.access.permissions import Permission
from dashboard.approvals.kinds import Detail, Kind, Line, Link
from dashboard.approvals.models import ApprovalRequest
from dashboard.transfers.services import rules
from dashboard.transfers.services.desk import assigning, returning, standing, undoing

STALE = {
    assigning.KIND: "the money, its account or its client changed",
    returning.KIND: "the money changed, or its payer was searched again",
    undoing.KIND: "the assignment changed",
    undoing.RECEIVABLE: "the credit changed",
    standing.KIND: "the rule or its client changed",
}


def details(requests: Sequence[ApprovalRequest], _actor: Actor) -> dict[UUID, Detail]:
    """What a request moves, and where it is to be seen."""
    found = {}
    for request in requests:
        if request.kind == standing.KIND:
            transfer_id = request.payload["transferId"]
            link = Link("The payer's money", f"/transfers/{transfer_id}")
        else:
            link = Link("The transfer", f"/transfers/{request.object_id}")
        lines = tuple(Line(name.capitalize(), (str(value),)) for name, value in request.after.items())
        found[request.id] = Detail(request.subject, lines, (link,))
    return found


def closed(request: ApprovalRequest) -> str | None:
    """What made a request stale; None where the usual sentence is right."""
    if request.state != "stale":
        return None
    return f"This request has gone stale: {STALE[request.kind]} meanwhile. No money has moved."


KINDS: tuple[Kind, ...] = (
    Kind(assigning.KIND, "Assign", Permission.TRANSFERS_ASSIGN, assigning.fingerprint, assigning.execute,
         done="Assigned", noun="Assignment", details=details, closed=closed,
         closed_without=assigning.closed_without, above=rules.desk_amounts),
    Kind(returning.KIND, "Send back", Permission.TRANSFERS_ASSIGN, returning.fingerprint, returning.execute,
         done="Sent back", noun="Return", details=details, closed=closed, closed_without=returning.closed_without,
         above=rules.desk_amounts),
    Kind(undoing.KIND, "Undo the assignment of", Permission.TRANSFERS_ASSIGN, undoing.fingerprint, undoing.execute,
         done="Undid the assignment of", noun="Undo", details=details, closed=closed, above=rules.desk_amounts),
    Kind(undoing.RECEIVABLE, "Claim from the client what the bank took back:", Permission.TRANSFERS_ASSIGN,
         undoing.receivable_fingerprint, undoing.execute_receivable, done="Claimed what the bank took back:",
         noun="Claim", details=details, closed=closed),
    Kind(standing.KIND, "Always assign", Permission.TRANSFERS_ASSIGN, standing.fingerprint, standing.execute,
         done="Always assign", noun="Rule", details=details, closed=closed,
         closed_without=standing.closed_without),
)  # fmt: skip
