"""The ledger's background work."""

from __future__ import annotations

import time
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from dashboard.access.actor import Actor
from dashboard.background.kinds import Kind
from dashboard.background.models import BackgroundJob
from dashboard.background.runner import Run
from dashboard.database import session, transaction
from dashboard.ledger.queries import checks as queries
from dashboard.ledger.services import checking
from dashboard.ledger.vocabulary import CheckScope

#: accounts of one step: it grows while steps are quick, as each costs a commit, and shrinks while they are slow
SMALLEST, LARGEST = 100, 2_000
QUICK_SECONDS, SLOW_SECONDS = 0.2, 0.8


def check_balances(run: Run) -> dict[str, Any]:
    """Compare stored balances with the transactions, some accounts a step, each step at one moment.

    Accounts come in the order of their identifiers. What is moved or opened behind the step keeps its marker, so that
    the next run of scope touched looks at it. A second attempt goes on where the first one reported last.
    """
    scope = CheckScope(run.arguments["scope"])
    by = run.by
    following, counted = {
        CheckScope.FULL: (queries.all_after, queries.count_all),
        CheckScope.TOUCHED: (queries.touched_after, queries.count_touched),
    }[scope]
    with transaction():
        check = queries.check_of(run.job_id) or checking.begin(run.job_id, scope, job_id=run.job_id, by=by)
        check_id = check.id
        if check.finished_at is not None:
            return _result(check_id, check.accounts, check.differences)
        edge = UUID(run.checkpoint["after"]) if "after" in run.checkpoint else None
        accounts, differences = int(run.checkpoint.get("accounts", 0)), int(run.checkpoint.get("differences", 0))
        run.keep(done=accounts, total=accounts + counted() if edge is None else run.checkpoint.get("total"))
    size = SMALLEST * 4
    while True:
        started = time.monotonic()
        with transaction():
            # a house account of ten million transactions takes longer than a page may
            session().execute(sa.text("SET LOCAL statement_timeout = '15min'"))
            wanted = following(edge, size)
            if not wanted:
                break
            found = checking.look(check_id, wanted, by=by)
            edge = wanted[-1]
            accounts += len(wanted)
            differences += len(found)
            checking.count(check_id, accounts=accounts, differences=differences)
            reached = {"after": str(edge), "accounts": accounts, "differences": differences, "total": run.total}
            run.keep(done=accounts, checkpoint=reached)
        took = time.monotonic() - started
        if took < QUICK_SECONDS:
            size = min(size * 2, LARGEST)
        elif took > SLOW_SECONDS:
            size = max(size // 2, SMALLEST)
    with transaction():
        checking.finish(check_id, accounts=accounts, differences=differences, by=by)
        run.keep(done=accounts, total=accounts)
    return _result(check_id, accounts, differences)


def _result(check_id: UUID, accounts: int, differences: int) -> dict[str, Any]:
    return {"checkId": str(check_id), "accounts": accounts, "differences": differences}


def _stopped(job: BackgroundJob) -> None:
    """Only a check that has begun can be stopped."""
    if queries.check_of(job.id) is not None:
        asked = Actor(kind=job.asked_by_kind, id=job.asked_by_id, name=job.asked_by_name, role="background")  # type: ignore[arg-type]
        checking.stopped(job.id, by=asked, how=job.state)


KINDS = (Kind(key=checking.CHECK, label="Balance check", run=check_balances, stopped=_stopped),)
