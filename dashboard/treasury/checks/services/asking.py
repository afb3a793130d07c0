"""Asking for a run of the daily checks, and canceling it."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from dashboard.access.actor import Actor
from dashboard.background import queries as work
from dashboard.background import services as background
from dashboard.background.models import BackgroundJob
from dashboard.errors import Refused
from dashboard.ledger.services import days, snapshots
from dashboard.treasury.checks.vocabulary import RUN


def ask(*, day: date | None = None, by: Actor) -> BackgroundJob:
    """Ask for the checks of a business day that has ended, of the last one when none is named. While a run is queued
    or under way, that is the answer.

    Raises Refused `noClosedDay`, `futureDay`, `unknownDay`, `dayOpen`.
    """
    standing = work.unfinished(RUN, single=True)
    if standing is not None:
        return standing
    wanted = day or snapshots.last_closed()
    if days.standing(wanted) is None:
        raise Refused(f"{days.in_words(wanted)} is still open. It is checked once it has ended.", code="dayOpen")
    return background.ask(RUN, {"day": wanted.isoformat()}, by=by, single=True)


def cancel(job_id: UUID, *, by: Actor) -> BackgroundJob:
    """Stop a run before its next step; the results that it has come to stay.

    Raises NotFound, Conflict `alreadyFinished`.
    """
    return background.cancel(job_id, kind=RUN, by=by)
