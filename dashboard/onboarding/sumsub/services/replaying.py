"""Processing again what was processed before: after a fault of ours, or when what stood in the way is gone.

It has no effect twice. What is refused was never let in, and is not replayed: Sumsub tells it again by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from dashboard.access.actor import Actor, system
from dashboard.audit import services as audit
from dashboard.background import services as work
from dashboard.background.kinds import Kind
from dashboard.background.models import BackgroundJob
from dashboard.background.runner import Run
from dashboard.database import session, transaction
from dashboard.errors import Refused
from dashboard.onboarding.sumsub import queries
from dashboard.onboarding.sumsub.queries import EventFilter
from dashboard.onboarding.sumsub.services import processing
from dashboard.onboarding.sumsub.services.processing import Processed
from dashboard.onboarding.sumsub.vocabulary import EventEffect, Verdict

REPLAY = "verification.replay"
#: applicants asked for at once
STEP = 50


def replay(event_id: UUID, *, by: Actor) -> Processed | None:
    """Process the event's applicant again. None where the event is about no applicant, so that nothing can follow.

    Raises NotFound, Refused `refusedEvent` or `unreadableEvent`.
    """
    event = queries.get(event_id)
    if event.verdict == Verdict.REFUSED:
        raise Refused("This was never let in: nobody signed it.", code="refusedEvent")
    if event.effect == EventEffect.UNREADABLE:
        raise Refused("There is nothing in it that could be read.", code="unreadableEvent")
    audit.record(
        "verification.replayed", by=by, object_type="sumsub_event", object_id=event.id, client_id=event.client_id
    )
    if event.applicant_id is None:
        return None
    return processing.process(event.applicant_id, by=system("Sumsub"), wait=True)


def ask_to_replay(chosen: EventFilter, *, by: Actor) -> BackgroundJob:
    """Ask for all that the filter lists, as background work; the work that goes on already where there is such."""
    return work.ask(REPLAY, {"filter": chosen.as_json()}, by=by, single=True)


def _run(run: Run) -> Mapping[str, Any]:
    """One applicant a transaction. A second attempt goes on where the first one reported last."""
    chosen = EventFilter.of_json(run.arguments["filter"])
    edge: str | None = run.checkpoint.get("after")
    done, failed = int(run.checkpoint.get("applicants", 0)), int(run.checkpoint.get("failed", 0))
    with transaction():
        total = run.checkpoint.get("total") or queries.count_applicants(chosen)
        run.keep(done=done, total=total)
    while True:
        with transaction():
            wanted = queries.applicants_after(chosen, edge, STEP)
        if not wanted:
            return {"applicants": done, "failed": failed}
        for applicant_id in wanted:
            try:
                with transaction():
                    processing.process(applicant_id, by=system("Sumsub"), wait=True)
                    run.keep(
                        done=done + 1,
                        checkpoint={"after": applicant_id, "applicants": done + 1, "failed": failed, "total": total},
                    )
            except Exception as error:
                if not isinstance(error, ValueError | LookupError | AssertionError | TypeError):
                    raise
                session().rollback()
                failed += 1
                with transaction():
                    processing.failed(applicant_id)
            done += 1
            edge = applicant_id
        session().expunge_all()


KINDS = (Kind(REPLAY, "Verification events again", lambda run: dict(_run(run))),)
