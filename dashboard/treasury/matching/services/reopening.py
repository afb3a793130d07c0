"""Opening a break again, in its place."""

from __future__ import annotations

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.database import session
from dashboard.queues import services as queues
from dashboard.treasury.matching.models import ReconBreak
from dashboard.treasury.matching.queries.rules import in_force
from dashboard.treasury.matching.services.recording import tell
from dashboard.treasury.matching.vocabulary import QUEUE, BreakState, Event


def open_again(one: ReconBreak, *, text: str, by: Actor) -> None:
    """The break that the caller has locked is open again; its history tells why, and the queue has it again."""
    one.state, one.resolution, one.resolved_at = BreakState.OPEN.value, None, None
    one.match_id = one.approval_id = one.evidence_id = one.limit_minor = None
    one.reopened += 1
    one.version += 1
    session().flush()
    tell(one, Event.REOPENED, by=by, text=text)
    queues.open_item(
        QUEUE, cause=one.kind, object_type="recon_break", object_id=one.id, client_id=None,
        due_at=clock.calendar().due_after(clock.now(), in_force().due_days),
    )  # fmt: skip
