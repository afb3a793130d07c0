"""Background work: the positions of a business day. Balances of clients are added up currency by currency, each in a
transaction of its own, then every position of the day that is open is worked out."""

from __future__ import annotations

from datetime import date
from typing import Any

from dashboard.access.actor import Actor
from dashboard.background import services as background
from dashboard.background.kinds import Kind
from dashboard.background.models import BackgroundJob
from dashboard.background.runner import Run
from dashboard.database import transaction
from dashboard.treasury.positions.queries import clients, standing
from dashboard.treasury.positions.services import working_out
from dashboard.treasury.positions.vocabulary import POSITIONS

#: business days back in which an open day is worked out again
DAYS_BACK = 10


def ask(day: date, *, by: Actor) -> BackgroundJob:
    """Ask for the positions of a day; while the work is queued or running, that is the answer."""
    return background.ask(POSITIONS, {"day": day.isoformat()}, by=by, single=True)


def ask_due(*, by: Actor) -> dict[str, int]:
    """Ask for the newest day whose positions are missing, or older than what they are made of. Figures for the log."""
    changed = standing.changed_at()
    for day in standing.closed_days(DAYS_BACK):
        if working_out.is_due(day, changed):
            ask(day, by=by)
            return {"asked": 1}
    return {"asked": 0}


def run(work: Run) -> dict[str, Any]:
    """What is done already is not done again: sums that are kept stay, figures of prepared days stand."""
    day = date.fromisoformat(work.arguments["day"])
    with transaction():
        waiting = working_out.to_add_up(day)
        pairs = working_out.pairs(day)
        total = len(waiting) + len(pairs)
        work.keep(done=0, total=total)
    done = 0
    for currency in waiting:
        with transaction():
            working_out.add_up(day, currency)
            done += 1
            work.keep(done=done, total=total)
    worked = 0
    for pool, currency in pairs:
        with transaction():
            worked += working_out.work_out(pool, currency, day, by=work.by) is not None
            done += 1
            work.keep(done=done, total=total)
    with transaction():
        accounts = sum(one.accounts for one in clients.kept(day).values())
    return {"currencies": len(waiting), "positions": worked, "accounts": accounts}


KINDS = (Kind(key=POSITIONS, label="Positions of a business day", run=run),)
