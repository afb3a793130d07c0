"""A balance check in the foreground, for the command line: the same background work, run in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from uuid import UUID

from flask import current_app

from dashboard.access.actor import Actor
from dashboard.background import queries as background
from dashboard.background import runner
from dashboard.database import transaction
from dashboard.errors import NotFound, Refused
from dashboard.ledger import numbers
from dashboard.ledger.queries import checks as queries
from dashboard.ledger.services import checking
from dashboard.ledger.vocabulary import CheckScope

#: between two lines of progress
TOLD_SECONDS = 2.0


def check_numbers(ibans: Sequence[str], *, by: Actor) -> tuple[int, int]:
    """Check the accounts of these numbers; gives accounts and differences. Raises NotFound, Invalid."""
    wanted = {numbers.normalized(iban) for iban in ibans}
    known = queries.ids_of(sorted(wanted))
    unknown = sorted(wanted - known.keys())
    if unknown:
        raise NotFound(f"No account has the number {', '.join(unknown)}.", code="accountNotFound")
    with transaction():
        done = checking.recalculate(list(known.values()), by=by)
    return done.accounts, len(done.differences)


def check(*, full: bool, by: Actor, told: Callable[[str], None]) -> tuple[int, int]:
    """Ask for a check and run it here, or follow the one that is under way; gives accounts and differences.

    Raises Refused when it failed or was canceled, or when another scope is under way.
    """
    scope = CheckScope.FULL if full else CheckScope.TOUCHED
    with transaction():
        job = checking.ask_to_check(scope, by=by)
        job_id, under_way = job.id, job.arguments["scope"]
    if under_way != scope:
        raise Refused("A check of another scope is under way. Ask again when it has ended.", code="inProgress")
    application = current_app._get_current_object()  # type: ignore[attr-defined]
    over = threading.Event()

    def run() -> None:
        while not over.is_set():
            if not runner.run_one(application, over, job_id=job_id):
                over.wait(runner.IDLE_SECONDS)

    running = threading.Thread(target=run, daemon=True)
    running.start()
    try:
        return _followed(job_id, told)
    finally:
        over.set()
        running.join()


def _followed(job_id: UUID, told: Callable[[str], None]) -> tuple[int, int]:
    said = time.monotonic()
    while True:
        with transaction():
            job = background.get(job_id, kind=checking.CHECK)
        if job.state == "succeeded" and job.result is not None:
            return int(job.result["accounts"]), int(job.result["differences"])
        if job.state not in background.UNFINISHED:
            raise Refused(job.failure or "The check was canceled.", code="checkStopped")
        if time.monotonic() - said > TOLD_SECONDS:
            told(f"{job.done:,} of {job.total or 0:,} accounts")
            said = time.monotonic()
        time.sleep(0.1)
