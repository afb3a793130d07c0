"""Which business day the clock ends, and the snapshots that are missing."""

from __future__ import annotations

import time
from datetime import date, timedelta
from datetime import time as time_of_day

from dashboard import clock
from dashboard.access.actor import Actor
from dashboard.database import transaction
from dashboard.errors import Refused
from dashboard.jobs.times import moment_of
from dashboard.ledger.services import days, snapshots
from dashboard.ledger.services.days import DayBusy
from dashboard.ledger.services.snapshots import SnapshotRunning

#: a time in the first half of the day ends the business day of the date before, one in the second half that of the date
NOON = time_of_day(12, 0)
#: how often a day that postings keep busy, or a snapshot that somebody else writes, is asked for again
PATIENCE = 10


def over(at: time_of_day) -> date | None:
    """The open business day where its end has come; None while it goes on, and where no day is open."""
    with transaction():
        try:
            opened = days.open_day().day
        except Refused:
            return None
    ends_on = opened + timedelta(days=1) if at < NOON else opened
    return opened if clock.now() >= moment_of(ends_on, at, clock.calendar().zone) else None


def end(day: date, *, by: Actor) -> bool:
    """End the day and write its snapshot; False where somebody else had ended it. Waits for a ledger that is busy.

    Raises DayBusy, SnapshotRunning when it stays so.
    """
    for tried in range(PATIENCE):
        try:
            return snapshots.end_of_day(day, by=by)[0].by_us
        except (DayBusy, SnapshotRunning) as busy:
            if tried == PATIENCE - 1:
                raise
            time.sleep(busy.retry_after)
    return False


def write_missing(*, by: Actor) -> int:
    """Write snapshots that closed days lack; gives how many there were."""
    with transaction():
        try:
            last = snapshots.last_closed()
        except Refused:
            return 0
        missing = len(snapshots.missing(last))
    if missing:
        snapshots.make(last, by=by)
    return missing
